// Messages with random contents that keep to the rules of their form, for the codecs' tests.
#pragma once

#include <string>
#include <utility>

#include "base/prng.h"
#include "node/messages.h"
#include "wire/hello.h"

namespace wh::wire::test {

using namespace wh::node;
using namespace wh::raft;

class RandomMessages {
 public:
  explicit RandomMessages(uint64_t seed) : prng_(seed) {}

  uint64_t below(uint64_t bound) { return prng_.below(bound); }
  bool flip() { return prng_.below(2) == 1; }
  uint64_t any() { return prng_.next(); }
  // Small, or of any size below kLimit.
  uint64_t limited() { return flip() ? below(1000) : below(kLimit); }
  std::string text(size_t max) {
    std::string out;
    for (uint64_t left = below(max + 1); left > 0; --left) out.push_back(static_cast<char>(below(256)));
    return out;
  }
  std::vector<std::string> names() {
    std::vector<std::string> out;
    for (uint64_t left = below(kMaxQueuesOfTake); left > 0; --left) out.push_back(text(40));
    return out;
  }
  NodeId node() { return NodeId{any()}; }

  Identity identity() {
    Identity v;
    fill(v.cluster);
    v.instance = node();
    v.name = text(kMaxNameBytes);
    v.raft_address = text(40);
    v.http_address = text(40);
    v.https_address = text(40);
    return v;
  }
  WhoIAm who() {
    return WhoIAm{.identity = identity(),
                  .standing = static_cast<Standing>(below(3)),
                  .founding_attempt = any(),
                  .leader_address = text(40)};
  }
  Hello hello() {
    Hello v;
    v.max_version = static_cast<uint16_t>(v.min_version + below(3));
    v.purpose = static_cast<Purpose>(below(2));
    v.sender = identity();
    v.sender.versions = wire::versions_of(v);
    v.intended_instance = node();
    v.member_as_of = {Term{limited()}, Index{limited()}};
    v.intended_name = text(20);
    fill(v.nonce);
    return v;
  }
  HelloReply hello_reply() {
    HelloReply v;
    v.refusal = static_cast<Refusal>(below(static_cast<uint64_t>(kLastRefusal) + 1));
    v.version = static_cast<uint16_t>(below(65536));
    v.sentence = text(100);
    v.receiver = who();
    v.removed_as_of = {Term{limited()}, Index{limited()}};
    v.demands_proof = flip();
    fill(v.nonce);
    fill(v.proof);
    return v;
  }
  template <size_t size>
  void fill(std::array<uint8_t, size>& bytes) {
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(below(256));
  }

  std::vector<NodeId> electorate() {
    std::vector<NodeId> ids(below(6));
    for (NodeId& id : ids) id = node();
    return ids;
  }

  static constexpr size_t kAsks = std::variant_size_v<Ask>;
  Ask ask(size_t kind) {
    if (kind == 0 && flip()) return WhoAreYou{};
    if (kind == 0) return WhoAreYou{.dialled_as = text(40) + "x", .dialled_at = text(40)};
    if (kind == 1) return GrantFounding{.founder = identity(), .attempt = any(), .electorate = electorate()};
    if (kind == 2) return TakeMeIn{.who = identity()};
    return Adopt{.cluster = identity().cluster, .instance = node(), .leader_name = text(40)};
  }
  Answer answer(size_t kind) {
    if (kind == 0) {
      WhoIAm v = who();
      if (flip()) v.view = FoundingView{.electorate = electorate(), .waiting_for = text(100)};
      return v;
    }
    if (kind == 1) return FoundingGranted{.granted = flip(), .why = text(100)};
    if (kind == 2) return TakenIn{.accepted = flip(), .leader_address = text(40), .why = text(100)};
    return Adopted{.ok = flip(), .why = text(100)};
  }

  Configuration configuration() {
    std::vector<Member> members;
    for (uint64_t i = below(5); i > 0; --i)
      members.push_back(Member{.id = NodeId{i * 1000 + below(1000)},
                               .name = "n" + std::to_string(i),
                               .raft_address = text(20),
                               .http_address = text(20),
                               .https_address = text(20),
                               .suffrage = static_cast<Suffrage>(below(2))});
    return Configuration(std::move(members));
  }
  AppendEntries append_entries(uint64_t max_entries = 6) {
    AppendEntries v;
    v.prev_log_index = Index{limited() / 2};
    v.prev_log_term = Term{v.prev_log_index.value == 0 ? 0 : limited() / 2};
    v.leader_commit = Index{limited()};
    v.read_round = any();
    v.sent_at = limited();
    v.acknowledged = Index{limited()};
    uint64_t term = v.prev_log_term.value;
    Index index = v.prev_log_index;
    for (uint64_t left = below(max_entries + 1); left > 0; --left) {
      Entry entry;
      entry.index = ++index;
      entry.term = Term{term += below(3)};
      entry.kind = static_cast<EntryKind>(below(kEntryKinds));
      entry.time_ms = limited();
      entry.payload = Bytes(entry.kind == EntryKind::configuration ? configuration().encode() : text(60));
      v.entries.push_back(std::move(entry));
    }
    v.term = Term{term + below(3)};
    return v;
  }

  static constexpr size_t kPeerMessages = std::variant_size_v<PeerMessage>;
  PeerMessage peer_message(size_t kind) {
    switch (kind) {
      case 0:
        return RequestVote{.term = Term{limited()},
                           .last_log_index = Index{limited()},
                           .last_log_term = Term{limited()},
                           .pre_vote = flip(),
                           .transfer = flip(),
                           .lost_leader = node()};
      case 1:
        return RequestVoteReply{.term = Term{limited()}, .pre_vote = flip(), .granted = flip()};
      case 2:
        return append_entries();
      case 3:
        return AppendEntriesReply{.term = Term{limited()},
                                  .success = flip(),
                                  .match_index = Index{limited()},
                                  .rejected_index = Index{limited()},
                                  .conflict_index = Index{limited()},
                                  .conflict_term = Term{limited()},
                                  .read_round = any(),
                                  .sent_at = limited(),
                                  .no_room = flip()};
      case 4: {
        InstallSnapshot v;
        v.term = Term{limited()};
        v.meta.index = Index{limited()};
        v.meta.term = Term{below(v.term.value + 1)};
        v.meta.configuration_index = Index{below(v.meta.index.value + 1)};
        v.meta.configuration = configuration();
        v.meta.time_ms = limited();
        v.meta.chain = any();
        v.meta.size = limited();
        v.meta.crc = static_cast<uint32_t>(any());
        v.offset = limited();
        v.data = Bytes(text(200));
        v.done = flip();
        return v;
      }
      case 5:
        return InstallSnapshotReply{.term = Term{limited()},
                                    .index = Index{limited()},
                                    .next_offset = limited(),
                                    .installed = flip(),
                                    .match_index = Index{limited()}};
      case 6:
        return TimeoutNow{Term{limited()}};
      case 7:
        return ReadIndexRequest{.term = Term{limited()}, .token = any()};
      case 8:
        return ReadIndexReply{.term = Term{limited()}, .token = any(), .ok = flip(), .index = Index{limited()}};
      case 9:
        return Forward{.request = any(), .command = Bytes(text(100)), .term = Term{limited()}};
      case 10:
        return ForwardReply{.request = any(),
                            .outcome = static_cast<Outcome>(below(10)),
                            .index = Index{limited()},
                            .reply = text(100)};
      case 11:
        return ForwardAdmin{
            .request = any(),
            .admin = {.kind = static_cast<AdminKind>(below(3)), .name = text(40), .raft_address = text(40)}};
      case 12:
        return ForwardAdminReply{.request = any(), .outcome = static_cast<Outcome>(below(10)), .text = text(100)};
      case 13:
        return ForwardReceive{.request = any(),
                              .command = Bytes(text(100)),
                              .term = Term{limited()},
                              .wait_ms = limited(),
                              .also = names()};
      case 14:
        return CancelReceive{.request = any()};
      default: {
        MembersSeen seen{.term = Term{limited()}, .tolerates = any(), .members = {}};
        for (uint64_t i = below(5); i > 0; --i)
          seen.members.push_back({NodeId{any()}, below(2) == 1, Index{limited()}});
        return seen;
      }
    }
  }

 private:
  Prng prng_;
};

}  // namespace wh::wire::test
