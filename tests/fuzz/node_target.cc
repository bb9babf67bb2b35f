// A real node in some role, and two members of its cluster whose messages the input bytes choose: each field has a
// value at the edge of what the node holds, or any value. In between time passes, the disk finishes and clients send
// requests. The process must go on, committed entries must stay, and terms and indices must stay where arithmetic is
// safe.
#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/log.h"
#include "machine/command/command.h"
#include "node_bench.h"
#include "targets.h"
#include "wire/peer_codec.h"
#include "wire/whole_frame.h"

namespace wh::fuzz {
namespace {

using namespace wh::node;
using namespace wh::raft;

class Choices {
 public:
  explicit Choices(std::string_view bytes) : bytes_(bytes) {}
  [[nodiscard]] bool over() const { return bytes_.empty(); }
  uint8_t byte() {
    if (bytes_.empty()) return 0;
    const auto value = static_cast<uint8_t>(bytes_[0]);
    bytes_.remove_prefix(1);
    return value;
  }
  uint64_t any() {
    uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value = value << 8 | byte();
    return value;
  }
  size_t below(size_t bound) { return byte() % bound; }
  bool flip() { return (byte() & 1) != 0; }

 private:
  std::string_view bytes_;
};

// A disk in memory: it gives back what it was given.
struct FuzzStorage final : Storage {
  std::deque<StorageDone> due;
  std::map<Index, Entry> log;
  std::string incoming;

  void persist(Batch batch) override {
    if (!batch.append.empty()) log.erase(log.lower_bound(batch.append.front().index), log.end());
    for (const Entry& entry : batch.append) log[entry.index] = entry;
    due.emplace_back(BatchPersisted{batch.ticket});
  }
  void begin_anew(NewBeginning) override { due.emplace_back(BeginningPersisted{}); }
  void save_grant(FoundingGrant) override { due.emplace_back(GrantPersisted{}); }
  void load_entries(Index first, Index last, uint64_t) override {
    EntriesRead read{.first = first, .entries = {}};
    for (auto it = log.find(first); it != log.end() && it->first <= last; ++it) read.entries.push_back(it->second);
    due.emplace_back(std::move(read));
  }
  void compact(Index) override {}
  void begin_snapshot(const SnapshotMeta& meta) override { own = meta; }
  void write_snapshot_slice(Bytes slice) override {
    own.size += slice.size();
    due.emplace_back(SnapshotSliceWritten{});
  }
  void finish_snapshot() override { due.emplace_back(SnapshotSaved{own}); }
  void write_incoming_chunk(const SnapshotMeta& meta, uint64_t offset, Bytes data, bool done) override {
    if (offset == 0) incoming.clear();
    const bool ok = incoming.size() == offset;
    if (ok) incoming += data.view();
    due.emplace_back(IncomingChunkWritten{meta, ok ? incoming.size() : 0, ok && done, ok});
  }
  void keep_snapshot(std::optional<SnapshotMeta>) override {}
  void read_snapshot(uint64_t request, const SnapshotMeta& meta, uint64_t offset, uint64_t max) override {
    const std::string part = offset < incoming.size() ? incoming.substr(offset, max) : std::string();
    due.emplace_back(SnapshotChunkRead{.request = request,
                                       .index = meta.index,
                                       .offset = offset,
                                       .data = Bytes(part),
                                       .done = offset + part.size() >= incoming.size(),
                                       .ok = true});
  }
  void acknowledged_lost(Index, Index) override { stopped = true; }
  [[nodiscard]] Millis sync_age() const override { return 0; }

  SnapshotMeta own;
  bool stopped = false;
};

struct World {
  FuzzStorage storage;
  BenchTransport transport;
  Millis now = 10'000;
  Node node;
  Token next_token = 1;
  std::map<Index, Term> committed;

  explicit World(NodeOptions options) : node(std::move(options), member_disk(), storage, transport, 10'000) {}

  void turn(bool finish_disk) {
    // Bounded: a node that always wants another turn spins.
    for (int i = 0; i < 2'000; ++i) {
      node.drain(now);
      transport.sent.clear();
      (void)node.take_completions();
      if (finish_disk && !storage.due.empty()) {
        StorageDone done = std::move(storage.due.front());
        storage.due.pop_front();
        node.storage_done(std::move(done), now);
      } else if (!node.wants_turn()) {
        return check();
      }
    }
    WH_ASSERT(false, "the node never comes to rest");
  }
  void wait(Millis ms) {
    now += ms;
    node.tick(now);
    turn(true);
  }
  // A snapshot may take the place of all; else what was committed stays as it is.
  void check() {
    const Raft& raft = *node.raft();
    WH_ASSERT(raft.current_term().value < kLimit, "terms stay below their limit");
    WH_ASSERT(raft.log().last_index().value < kLimit, "indices stay below their limit");
    WH_ASSERT(raft.log().last_time_ms() < kLimit, "times stay below their limit");
    for (const auto& [index, term] : committed) {
      WH_ASSERT(index <= raft.commit_index(), "a commit index never goes back");
      const auto here = raft.log().term_at(index);
      WH_ASSERT(!here || *here == term || index <= raft.snapshot().value_or(SnapshotMeta{}).index,
                "what is committed never changes");
    }
    const Index from =
        std::max(raft.log().base_index(), raft.commit_index() - std::min<uint64_t>(raft.commit_index().value, 8));
    for (Index i = from; i <= raft.commit_index(); ++i)
      if (const auto term = raft.log().term_at(i)) committed.try_emplace(i, *term);
  }
  void lead() {
    const Term term = next(node.raft()->current_term());
    for (int i = 0; i < 50 && node.raft()->role() != Role::pre_candidate; ++i) wait(100);
    node.receive(kOther, RequestVoteReply{.term = term, .pre_vote = true, .granted = true}, now);
    turn(true);
    node.receive(kOther, RequestVoteReply{.term = term, .granted = true}, now);
    turn(true);
  }
  void follow() {
    node.receive(
        kOther,
        AppendEntries{.term = Term{2}, .prev_log_index = Index{1}, .prev_log_term = Term{1}, .leader_commit = Index{1}},
        now);
    turn(true);
  }
};

// The edges of what a field may say here.
struct Fields {
  Choices& choose;
  const Raft& raft;

  uint64_t near(uint64_t value) {
    const uint64_t off = choose.below(4);
    return choose.flip() ? value + off : value - std::min(value, off);
  }
  uint64_t edge() {
    switch (choose.below(4)) {
      case 0:
        return kLimit - 1;
      case 1:
        return choose.any() % kLimit;
      case 2:
        return choose.byte();
      default:
        return 0;
    }
  }
  Term term() {
    // Mostly one that is listened to.
    if (choose.below(8) != 0) return Term{near(raft.current_term().value)};
    return Term{edge()};
  }
  Index index() {
    switch (choose.below(6)) {
      case 0:
        return Index{near(raft.commit_index().value)};
      case 1:
        return Index{near(raft.log().base_index().value)};
      case 2:
        return Index{edge()};
      default:
        return Index{near(raft.log().last_index().value)};
    }
  }
  Configuration configuration() {
    std::vector<raft::Member> members;
    for (const NodeId id : {kMe, kOther, kThird, NodeId{44}})
      if (choose.flip())
        members.push_back({.id = id,
                           .name = "n" + std::to_string(id.value),
                           .raft_address = "a:1",
                           .http_address = {},
                           .https_address = {},
                           .suffrage = static_cast<Suffrage>(choose.below(2))});
    return Configuration(std::move(members));
  }
  std::string command(NodeId from) {
    const std::string value(choose.byte(), 'x');
    std::string body;
    switch (choose.below(4)) {
      case 0:
        body = machine::encode_body(machine::Set{{{"k", value}}});
        break;
      case 1:
        body = machine::encode_body(machine::Enqueue{.queue = "event", .event = "e" + value});
        break;
      case 2:
        body = machine::encode_body(machine::Dequeue{.queue = "event", .only_if_front = {}});
        break;
      default:
        body = value;
        break;
    }
    const NodeId origin = choose.below(4) == 0 ? kMe : from;
    return machine::envelope({.origin = origin, .epoch = choose.byte(), .sequence = choose.byte()}, body);
  }
  Entry entry(Index index, Term term, NodeId from) {
    Entry entry{.index = index, .term = term, .kind = static_cast<EntryKind>(choose.below(kEntryKinds)), .payload = {}};
    entry.time_ms = choose.below(8) == 0 ? edge() : raft.log().last_time_ms() + choose.byte();
    if (entry.kind == EntryKind::configuration) entry.payload = Bytes(configuration().encode());
    if (entry.kind == EntryKind::version)
      entry.payload = Bytes(encode_version(static_cast<ClusterVersion>(1 + choose.below(4))));
    if (entry.kind == EntryKind::command) entry.payload = Bytes(command(from));
    return entry;
  }
  PeerMessage message(NodeId from) {
    const Term term = this->term();
    switch (choose.below(std::variant_size_v<PeerMessage>)) {
      case 0:
        return RequestVote{.term = term,
                           .last_log_index = index(),
                           .last_log_term = this->term(),
                           .pre_vote = choose.flip(),
                           .transfer = choose.flip(),
                           .lost_leader = from};
      case 1:
        return RequestVoteReply{.term = term, .pre_vote = choose.flip(), .granted = choose.flip()};
      case 2: {
        AppendEntries m{.term = term,
                        .prev_log_index = index(),
                        .prev_log_term = this->term(),
                        .leader_commit = index(),
                        .read_round = choose.byte(),
                        .time_ms = choose.below(8) == 0 ? edge() : raft.log().last_time_ms() + choose.byte()};
        // More often than chance would have it, it stands on what is there.
        if (const auto here = raft.log().term_at(m.prev_log_index); here && choose.below(4) != 0)
          m.prev_log_term = *here;
        m.sent_at = choose.byte();
        m.acknowledged = choose.flip() ? Index{} : index();
        Term last = m.prev_log_term;
        for (size_t left = choose.below(4); left > 0 && m.prev_log_index.value + 8 < kLimit; --left) {
          const Term its = choose.below(4) == 0 ? term : std::max(last, Term{near(last.value)});
          m.entries.push_back(entry(m.prev_log_index + m.entries.size() + 1, its, from));
          last = its;
        }
        return m;
      }
      case 3:
        return AppendEntriesReply{.term = term,
                                  .success = choose.flip(),
                                  .match_index = index(),
                                  .rejected_index = index(),
                                  .conflict_index = index(),
                                  .conflict_term = this->term(),
                                  .read_round = choose.below(4) == 0 ? choose.any() : choose.below(3),
                                  .sent_at = edge(),
                                  .no_room = choose.flip()};
      case 4: {
        InstallSnapshot m;
        m.term = term;
        m.meta.index = index();
        m.meta.term = this->term();
        m.meta.configuration_index = choose.flip() ? m.meta.index : index();
        m.meta.configuration = configuration();
        m.meta.time_ms = edge();
        m.meta.size = choose.flip() ? choose.byte() : edge();
        m.offset = choose.flip() ? 0 : near(m.meta.size / 2);
        m.data = Bytes(std::string(choose.byte(), 'x'));
        m.done = choose.flip();
        return m;
      }
      case 5:
        return InstallSnapshotReply{
            .term = term, .index = index(), .next_offset = edge(), .installed = choose.flip(), .match_index = index()};
      case 6:
        return TimeoutNow{term};
      case 7:
        return ReadIndexRequest{.term = term, .token = choose.any()};
      case 8:
        return ReadIndexReply{
            .term = term, .token = (uint64_t{1} << 40) + choose.byte(), .ok = choose.flip(), .index = index()};
      case 9:
        return Forward{.request = choose.byte(), .command = Bytes(command(from)), .term = term};
      case 10:
        return ForwardReply{.request = (uint64_t{1} << 40) + choose.byte(),
                            .outcome = static_cast<Outcome>(choose.below(10)),
                            .index = index(),
                            .reply = std::string(choose.byte(), 'r')};
      case 11:
        return ForwardAdmin{.request = choose.byte(),
                            .admin = {.kind = static_cast<AdminKind>(choose.below(3)),
                                      .name = choose.flip() ? "third" : "new",
                                      .raft_address = "a:9"}};
      default:
        return ForwardAdminReply{.request = (uint64_t{1} << 40) + choose.byte(),
                                 .outcome = static_cast<Outcome>(choose.below(10)),
                                 .text = "why"};
    }
  }
};

}  // namespace

void fuzz_node(std::string_view bytes) {
  Choices choose(bytes);
  NodeOptions options = bench_options();
  options.snapshot_entries = 4 + choose.below(16);
  options.log_cache_bytes = 1'000;
  World world(std::move(options));
  world.turn(true);
  switch (choose.below(4)) {
    case 0:
      world.lead();
      break;
    case 1:
      world.follow();
      break;
    case 2:
      world.wait(2'000);
      break;
    default:
      break;
  }
  for (int steps = 0; steps < 64 && !choose.over() && !world.storage.stopped; ++steps) {
    switch (choose.below(16)) {
      case 0:
        world.wait(10 * choose.below(64));
        break;
      case 1:
        world.node.submit_write(world.next_token++, machine::encode_command(machine::Set{{{"k", "v"}}}), true,
                                world.now);
        break;
      case 2:
        world.node.submit_read(world.next_token++, world.now);
        break;
      case 3:
        world.node.submit_admin(world.next_token++, {AdminKind::remove, "third", {}}, world.now);
        break;
      case 4:
        world.node.peer_connected(choose.flip() ? kOther : kThird, world.now);
        break;
      case 5:
        world.node.told_removed(choose.flip() ? kOther : kThird,
                                {Term{choose.any() % (kLimit + 8)}, Index{choose.any() % (kLimit + 8)}}, world.now);
        break;
      case 6:
        for (const auto& asked : std::exchange(world.transport.asked, {})) {
          WhoIAm who = empty_node(choose.flip() ? kOther : kThird, asked.address);
          who.identity.cluster = choose.flip() ? kCluster : kAnotherCluster;
          who.standing = static_cast<Standing>(choose.below(3));
          who.leader_address = choose.flip() ? "a:1" : "a:3";
          world.node.answered(asked.request, choose.below(4) == 0 ? Answer(Adopted{true, {}}) : Answer(who), world.now);
        }
        break;
      default: {
        const NodeId from = choose.below(8) == 0 ? NodeId{44} : choose.flip() ? kOther : kThird;
        const PeerMessage message = Fields{choose, *world.node.raft()}.message(from);
        // As it comes over the wire, or not at all.
        std::string frame;
        if (!wire::encode(frame, message)) break;
        auto received = wire::decode_whole(frame, wire::decode_peer_message);
        if (!received) break;
        const uint64_t violations = world.node.counters().violations;
        world.node.receive(from, std::move(*received), world.now);
        world.turn(choose.flip());
        WH_ASSERT(world.node.counters().violations == violations || !world.transport.cut.empty(),
                  "who is counted is cut off");
        continue;
      }
    }
    world.turn(choose.flip());
  }
}

}  // namespace wh::fuzz
