#include "sim/faults/lies.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace wh::sim {
namespace {

using raft::Index;
using raft::Term;

constexpr uint64_t kFarAhead = uint64_t{1} << 32;

class Liar {
 public:
  // `term_of_by`: the term on the liar's disk, so that its own process is never in an older term.
  Liar(Prng& prng, raft::NodeId by, Term term_of_by, const raft::Raft& to)
      : prng_(prng), by_(by), term_of_by_(term_of_by), to_(to) {}

  std::optional<Lie> of_far_term() {
    const Term far{term().value + kFarAhead + 1 + prng_.below(uint64_t{1} << 60)};
    switch (prng_.below(3)) {
      case 0:
        return impossible(raft::RequestVote{.term = far, .last_log_index = {}, .last_log_term = {}, .lost_leader = {}});
      case 1:
        return impossible(raft::AppendEntries{.term = far});
      default:
        return impossible(raft::AppendEntriesReply{.term = far});
    }
  }

  // A vote, or a log, of a term that cannot exist yet.
  std::optional<Lie> of_election() {
    if (prng_.below(2) == 0)
      return impossible(raft::RequestVoteReply{.term = later(2), .pre_vote = true, .granted = true});
    const Term asked = later(1);
    return impossible(raft::RequestVote{.term = asked,
                                        .last_log_index = last(),
                                        .last_log_term = Term{asked.value + 1 + prng_.below(9)},
                                        .pre_vote = one_in(2),
                                        .transfer = one_in(2),
                                        .lost_leader = {}});
  }

  // Claims to lead a term that another server leads.
  std::optional<Lie> of_second_leader() {
    if (!to_.leader_id() || to_.leader_id() == by_) return std::nullopt;
    switch (prng_.below(4)) {
      case 0:
        return impossible(raft::AppendEntries{.term = term(),
                                              .prev_log_index = last(),
                                              .prev_log_term = to_.log().last_term(),
                                              .leader_commit = last(),
                                              .entries = {entry(last() + 1, term())}});
      case 1:
        return impossible(snapshot(term(), last() + 1, term()));
      case 2:
        return impossible(raft::TimeoutNow{.term = term()});
      default:
        return impossible(raft::ReadIndexReply{.term = term(), .token = prng_.below(50), .ok = true, .index = {}});
    }
  }

  // As the leader of the next term, takes back what is committed.
  std::optional<Lie> of_other_past() {
    const Index index{1 + prng_.below(to_.commit_index().value + 1)};
    const std::optional<Term> mine = to_.log().term_at(index);
    if (index > to_.commit_index() || !mine) return std::nullopt;
    const Term leads = later(1);
    const Term other{mine->value == 1 || one_in(2) ? mine->value + 1 : mine->value - 1};
    const std::optional<Term> before = to_.log().term_at(index - 1);
    switch (prng_.below(3)) {
      case 0:
        return impossible(raft::AppendEntries{
            .term = leads, .prev_log_index = index, .prev_log_term = other, .leader_commit = index});
      case 1:
        if (!before || other < *before) return std::nullopt;
        return impossible(raft::AppendEntries{
            .term = leads, .prev_log_index = index - 1, .prev_log_term = *before, .entries = {entry(index, other)}});
      default:
        return impossible(snapshot(leads, index, other));
    }
  }

  // As the leader of the next term, sends what cannot be part of a log or a snapshot.
  std::optional<Lie> of_no_log() {
    const Term leads = later(1);
    raft::AppendEntries append{.term = leads, .prev_log_index = last(), .prev_log_term = to_.log().last_term()};
    raft::InstallSnapshot install = snapshot(leads, last() + 1, leads);
    switch (prng_.below(6)) {
      case 0:
        append.entries = {entry(last() + 1, leads), entry(last() + 2, Term{leads.value - 1})};
        return impossible(append);
      case 1:
        append.entries = {entry(last() + 1, leads), entry(last() + 2, leads)};
        append.entries[0].time_ms = 2'000;
        append.entries[1].time_ms = 1'999;
        return impossible(append);
      case 2:
        append.entries = {entry(last() + 1, leads)};
        append.entries[0].kind = raft::EntryKind::configuration;
        if (one_in(2)) append.entries[0].payload = Bytes(raft::Configuration().encode());
        return impossible(append);
      case 3:
        append.prev_log_term = Term{leads.value + 1};
        return impossible(append);
      case 4:
        install.meta.configuration = {};
        return impossible(install);
      default:
        install.meta.size = install.offset;  // its data is longer than its size
        return impossible(install);
    }
  }

  // To a leader: acknowledges or refuses entries, bytes and rounds of reads that do not exist.
  std::optional<Lie> of_follower() {
    if (to_.role() != raft::Role::leader) return std::nullopt;
    const Index beyond = last() + 1 + prng_.below(one_in(2) ? 3 : uint64_t{1} << 40);
    raft::AppendEntriesReply reply{.term = term()};
    switch (prng_.below(6)) {
      case 0:
        reply.success = true;
        reply.match_index = beyond;
        return impossible(reply);
      case 1:
        reply.rejected_index = beyond;
        return impossible(reply);
      case 2:
        reply.rejected_index = last();
        reply.conflict_index = beyond;
        return impossible(reply);
      case 3:
        reply.rejected_index = reply.conflict_index = last();
        reply.conflict_term = later(1);
        return impossible(reply);
      case 4:
        reply.success = one_in(2);
        reply.read_round = (uint64_t{1} << 50) + prng_.below(1'000);
        return impossible(reply);
      default:
        break;
    }
    for (const raft::PeerStatus& peer : to_.peers()) {
      if (peer.id != by_ || peer.state != raft::ProgressState::snapshot) continue;
      raft::InstallSnapshotReply installs{.term = term(), .index = peer.snapshot_index};
      if (one_in(2)) {
        installs.next_offset = peer.snapshot_size + 1 + prng_.below(9);
      } else {
        installs.installed = true;
        installs.match_index = beyond;
      }
      return impossible(installs);
    }
    return std::nullopt;
  }

  std::optional<Lie> of_reads() {
    return impossible(raft::ReadIndexReply{.term = later(1), .token = prng_.below(50), .ok = true, .index = {}});
  }

  // Possible lies about a later term, which cause an election: by a server whose log is empty or that votes for nobody.
  // No lie whose answer is a promise: the liar's own node, which did not ask, would take that answer for a lie.
  std::optional<Lie> of_later_term() {
    const Term made_up = later(1);
    const bool grants = one_in(2);
    switch (prng_.below(5)) {
      case 0:
      case 1:
        return believed(raft::RequestVote{.term = made_up,
                                          .last_log_index = {},
                                          .last_log_term = {},
                                          .pre_vote = last() != Index{} && grants,
                                          .transfer = one_in(2),
                                          .lost_leader = one_in(2) ? to_.leader_id() : raft::kNobody});
      case 2:
        return believed(raft::RequestVoteReply{.term = made_up, .granted = grants});
      case 3:
        return believed(raft::AppendEntriesReply{.term = made_up, .success = grants, .match_index = last() + 1});
      default:
        return believed(raft::TimeoutNow{.term = made_up});
    }
  }

  // Possible lies about a candidate's log, to which the right answer is known: a longer log of an older term, which
  // gets no vote; a shorter log of a newer term, which would get one. The latter is only a pre-vote, of a term that the
  // liar's own node knows.
  std::optional<Lie> of_another_log() {
    const Term newest = to_.log().last_term();
    raft::RequestVote request{
        .term = later(1), .last_log_index = {}, .last_log_term = {}, .transfer = one_in(2), .lost_leader = {}};
    if (newest.value > 0 && one_in(2)) {
      request.last_log_index = last() + 1 + prng_.below(9);
      request.last_log_term = Term{newest.value - 1};
      return believed(request);
    }
    if (term_of_by_ < term() || newest > term() || last() == Index{}) return std::nullopt;
    request.term = raft::next(term());
    request.pre_vote = true;
    request.last_log_index = Index{prng_.below(last().value)};
    request.last_log_term = raft::next(newest);
    return possible(request);
  }

  // Possible lies of this term: from a server that lost entries, that grants a pre-vote, or that answers unasked.
  std::optional<Lie> of_this_term() {
    const Index rejected{prng_.below(last().value + 1)};
    switch (prng_.below(6)) {
      case 0:
        return possible(raft::AppendEntriesReply{.term = term(),
                                                 .rejected_index = rejected,
                                                 .conflict_index = Index{prng_.below(rejected.value + 1)},
                                                 .conflict_term = Term{prng_.below(term().value + 1)},
                                                 .sent_at = prng_.below(uint64_t{1} << 40),
                                                 .no_room = one_in(2)});
      case 1:
        if (to_.role() != raft::Role::pre_candidate)
          return possible(raft::RequestVoteReply{.term = term(), .pre_vote = one_in(2)});
        return possible(raft::RequestVoteReply{.term = raft::next(term()), .pre_vote = true, .granted = true});
      case 2:
        return possible(raft::InstallSnapshotReply{
            .term = term(), .index = last(), .next_offset = prng_.below(99), .match_index = {}});
      case 3:
        return possible(raft::ReadIndexReply{.term = term(), .token = prng_.below(50), .index = {}});
      case 4:
        return possible(node::ForwardReply{.request = prng_.next() | uint64_t{1} << 63,
                                           .outcome = static_cast<node::Outcome>(prng_.below(10)),
                                           .index = last(),
                                           .reply = {}});
      default:
        return possible(node::ForwardAdminReply{.request = prng_.next() | uint64_t{1} << 63,
                                                .outcome = static_cast<node::Outcome>(prng_.below(10)),
                                                .text = {}});
    }
  }

 private:
  [[nodiscard]] Term term() const { return to_.current_term(); }
  [[nodiscard]] Index last() const { return to_.log().last_index(); }
  Term later(uint64_t by) { return Term{term().value + by + prng_.below(3)}; }
  bool one_in(uint64_t many) { return prng_.below(many) == 0; }

  static raft::Entry entry(Index index, Term term) {
    return {.index = index, .term = term, .kind = raft::EntryKind::noop, .time_ms = 0, .payload = {}};
  }
  [[nodiscard]] raft::InstallSnapshot snapshot(Term leads, Index index, Term term) const {
    const std::string bytes = "no snapshot";
    return {.term = leads,
            .meta = {.index = index,
                     .term = term,
                     .configuration_index = index,
                     .configuration = to_.configuration(),
                     .size = bytes.size()},
            .data = Bytes(bytes),
            .done = true};
  }
  static Lie impossible(node::PeerMessage message) { return {std::move(message), true, std::nullopt}; }
  static Lie possible(node::PeerMessage message) { return {std::move(message), false, std::nullopt}; }
  template <typename M>
  static Lie believed(M message) {
    return {message, false, message.term};
  }

  Prng& prng_;
  const raft::NodeId by_;
  const Term term_of_by_;
  const raft::Raft& to_;
};

}  // namespace

node::Ask draw_temptation(Prng& prng, raft::NodeId by, raft::NodeId to) {
  node::ClusterId cluster;
  for (uint8_t& byte : cluster) byte = static_cast<uint8_t>(prng.next());
  if (prng.below(2) == 0) return node::Adopt{.cluster = cluster, .instance = to, .leader_name = "a liar"};
  return node::GrantFounding{.founder = {.cluster = node::kNoCluster,
                                         .instance = by,
                                         .name = "a liar",
                                         .raft_address = "10.0.0.1:1112",
                                         .http_address = {},
                                         .https_address = {}},
                             .attempt = prng.next() | 1,
                             .electorate = {std::min(by, to), std::max(by, to)}};
}

std::optional<Lie> draw_lie(Prng& prng, raft::NodeId by, Term term_of_by, const raft::Raft& to) {
  constexpr std::array kKinds = {
      &Liar::of_far_term, &Liar::of_election, &Liar::of_second_leader, &Liar::of_other_past, &Liar::of_no_log,
      &Liar::of_follower, &Liar::of_reads,    &Liar::of_later_term,    &Liar::of_this_term,  &Liar::of_another_log};
  Liar liar(prng, by, term_of_by, to);
  return (liar.*kKinds[prng.below(kKinds.size())])();
}

}  // namespace wh::sim
