// What all parts of a node share: its identity, the ports, the consensus core and the state machine, and the answer to
// a request. Node owns the Context, which outlives the parts. It holds only what several parts need and runs no
// protocol: what one part alone needs stays private in that part, and other parts reach it through Node or through a
// reference to that part.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/prng.h"
#include "machine/machine.h"
#include "node/messages.h"
#include "node/options.h"
#include "node/ports.h"
#include "node/waits.h"
#include "raft/raft.h"

namespace wh::node {

// What a read demands of the state that it sees.
struct ReadTerms {
  bool stale = false;       // this node's own state, without asking the leader
  raft::Index min_index{};  // answer only once this index is applied here
  uint64_t client = 0;      // as in Wait
};

// The result of a client's request. `sentence`: why it failed, or empty. `reply`: of an applied write. After a
// completed read the caller may look at the state now, as of `index`.
struct Completion {
  Token token = 0;
  Outcome outcome = Outcome::unknown;
  raft::Index index{};
  std::string sentence{};
  machine::Reply reply{};
};

// What the node counted since its start, or since Node::reset_counters(), for INFO.
struct NodeCounters {
  uint64_t proposals = 0;
  uint64_t forwarded = 0;
  uint64_t reads = 0;
  uint64_t read_batches = 0;
  uint64_t batches_persisted = 0;
  uint64_t entries_applied = 0;
  uint64_t snapshots_taken = 0;
  uint64_t snapshots_installed = 0;
  uint64_t leader_changes = 0;
  uint64_t waits_refused = 0;    // because max_waiting requests waited already
  uint64_t calls_cancelled = 0;  // reads and waits whose client went away
  uint64_t violations = 0;       // connections closed because a member sent what no correct member can
};

inline constexpr Millis kExpiryStepMs = 50;  // a time-out may be noticed this late

struct Context {
  Context(NodeOptions of, const RecoveredNode& recovered, Storage& disk, Transport& network);
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  NodeOptions options;
  Storage& storage;
  Transport& transport;
  Prng prng;
  ClusterId cluster;
  raft::NodeId instance;
  uint64_t epoch;  // of this process life
  TurnBudget budget;
  machine::Machine machine;
  std::vector<machine::Discarded> discarded;  // replaced states, freed a few items a turn
  std::optional<raft::Raft> raft;             // null in no cluster, and while a snapshot is loaded at the start
  bool saw_command;                           // a command was ever in this log
  bool saw_others;                            // another member was ever in this log
  bool beginning = false;                     // a new log is being written to the disk (founded, or adopted)
  bool removed = false;                       // from its cluster; it knows that for certain
  std::optional<Millis> answer_by;            // being stopped: every request is answered by then
  std::string waiting_for;                    // what a node in no cluster waits for, in one sentence

  Millis turn_at = 0;       // when drain() last ran
  Millis turn_before = 0;   // what the leader had sent by then was read by turn_at: when it ran before that, or earlier
  bool wants_turn = false;  // more work is ready: drain again in the next turn
  uint64_t next_number = 1;  // of proposals, reads, asks, forwards: never reused in this process life
  NodeCounters counters;
  std::vector<Completion> completions;

  // Makes a number of this process life differ from those of every other life of this node.
  [[nodiscard]] uint64_t unique(uint64_t number) const { return (epoch << 40) + number; }
  [[nodiscard]] bool leads() const { return raft && raft->role() == raft::Role::leader; }
  // The member that leads, as this node knows it, or null.
  [[nodiscard]] const raft::Member* leader() const {
    return raft && raft->leader_id() ? raft->configuration().find(raft->leader_id()) : nullptr;
  }

  // Answers a client's request: once for each token, except for a lasting wait.
  void complete(Token token, Outcome outcome, raft::Index index, std::string sentence) {
    // Made where it stays: a read's empty reply is as long to move as one of a write.
    Completion& completion = completions.emplace_back();
    completion.token = token;
    completion.outcome = outcome;
    completion.index = index;
    completion.sentence = std::move(sentence);
  }
  void complete(Token token, Outcome outcome, raft::Index index, std::string sentence, machine::Reply reply) {
    complete(token, outcome, index, std::move(sentence));
    completions.back().reply = std::move(reply);
  }
  static constexpr std::string_view kTooManyWait =
      "as many requests wait as max-waiting allows: try again, or raise it; a receive waits on the leader, all others "
      "on the node that was asked";
  // `Waits` did not accept this request, as max_waiting requests wait already: answers `overloaded`.
  void refuse_wait(Token token);
  // When a request that comes now must be answered.
  [[nodiscard]] Millis request_deadline(Millis now) const {
    const Millis deadline = now + options.request_timeout_ms;
    return answer_by ? std::min(deadline, *answer_by) : deadline;
  }
  // A node that is being stopped still accepts requests for a while, as kept connections still send them.
  [[nodiscard]] bool takes_requests(Millis now) const { return !answer_by || now < *answer_by; }
  // Why a removed node answers only stale reads.
  [[nodiscard]] std::string removed_sentence() const;

  [[nodiscard]] Standing standing() const;
  // The cluster versions that this node takes part in.
  [[nodiscard]] VersionRange versions() const;
  [[nodiscard]] Identity identity() const;
  // Tells the transport who this node is, for every hello from now on.
  void announce();
  // Whether the standing or the versions have changed since they were last announced.
  [[nodiscard]] bool announced_is_stale() const {
    return standing() != announced_standing_ || versions() != announced_versions_;
  }

 private:
  Standing announced_standing_ = Standing::seeking;
  VersionRange announced_versions_;
};

}  // namespace wh::node
