// What every part of a node shares: who it is, the ports, the consensus core and the state machine, and how a request
// is answered. Owned by Node, which outlives its parts. A part owns what is its own; what another part must know of it
// stands here or is asked of it through Node.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
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

// What a read asks for beside the state.
struct ReadTerms {
  bool stale = false;       // the state as this node has it, without asking the leader
  raft::Index min_index{};  // only once this is applied here
};

// What became of a client's request. `sentence`: why it did not succeed, or empty. `reply`: of a write that was
// applied. For a read, the state may be looked at, now, as of `index`.
struct Completion {
  Token token;
  Outcome outcome;
  raft::Index index;
  std::string sentence;
  machine::Reply reply = {};
};

// Where a request in progress stands, for INFO.
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
  uint64_t waits_refused = 0;    // for max_waiting
  uint64_t calls_cancelled = 0;  // reads and waits whose asker went away
  uint64_t violations = 0;       // connections of members that were closed, as they sent what no correct member can
};

inline constexpr Millis kExpiryStepMs = 50;  // how late a time-out may be noticed

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
  machine::Machine machine;
  std::optional<machine::Discarded> discarded;  // a replaced state, freed in slices
  std::optional<raft::Raft> raft;               // null in no cluster, and while the snapshot at the start is loaded
  bool saw_command;                             // its log held a command
  bool saw_others;                              // or another member
  bool beginning = false;                       // another log is on its way to the disk (founded, or adopted)
  bool removed = false;                         // from its cluster, for certain
  std::optional<Millis> answer_by;              // it is being stopped: by then every request is answered
  std::string waiting_for;                      // what a node in no cluster waits for, one sentence

  Millis turn_at = 0;        // the last drain
  bool wants_turn = false;   // more is ready to be done: drain again in the next turn
  uint64_t next_number = 1;  // of proposals, reads, asks, forwards: never reused in this process life
  NodeCounters counters;
  std::vector<Completion> completions;

  // A number of this process life as one that no other life of this node uses.
  [[nodiscard]] uint64_t unique(uint64_t number) const { return (epoch << 40) + number; }
  [[nodiscard]] bool leads() const { return raft && raft->role() == raft::Role::leader; }
  // The member that leads, as this node knows it, or null.
  [[nodiscard]] const raft::Member* leader() const {
    return raft && raft->leader_id() ? raft->configuration().find(raft->leader_id()) : nullptr;
  }

  // Answers a client's request: once for each token, but for a lasting wait.
  void complete(Token token, Outcome outcome, raft::Index index, std::string sentence, machine::Reply reply = {}) {
    completions.push_back({token, outcome, index, std::move(sentence), std::move(reply)});
  }
  // `Waits` took it not: as many wait as there may be.
  void refuse_wait(Token token);
  // By when a request that comes now is answered.
  [[nodiscard]] Millis request_deadline(Millis now) const {
    const Millis deadline = now + options.request_timeout_ms;
    return answer_by ? std::min(deadline, *answer_by) : deadline;
  }
  // A node that is being stopped takes requests for a while, as those of kept connections still come.
  [[nodiscard]] bool takes_requests(Millis now) const { return !answer_by || now < *answer_by; }
  // Why a removed node answers nothing but stale reads.
  [[nodiscard]] std::string removed_sentence() const;

  [[nodiscard]] Standing standing() const;
  // The versions of the cluster that this node takes part in.
  [[nodiscard]] VersionRange versions() const;
  [[nodiscard]] Identity identity() const;
  // Tells the transport who this node is, for every hello from now on.
  void announce();
  // Whether that has changed since it was last announced.
  [[nodiscard]] bool announced_is_stale() const { return standing() != announced_standing_; }

 private:
  Standing announced_standing_ = Standing::seeking;
};

}  // namespace wh::node
