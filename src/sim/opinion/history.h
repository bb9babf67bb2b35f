// Operations as clients saw them, and the check that they were linearizable, with the log's order as the witness
// (HAZARDS chapter 7.1). It sorts by index, reads after the write of the same index; replays them on an independent
// model and compares every answer; then walks in that order, keeping the latest invocation: an operation that returned
// before it comes too late in the order. A read of a node's own state may be older than that; it only must not show
// what nobody had requested yet.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "machine/command/command.h"
#include "machine/command/reply.h"
#include "node/node.h"

namespace wh::sim {

enum class OpKind : uint8_t {
  set,
  del,
  enqueue,
  dequeue,
  change,  // any command on the store and its leases: what it is, the command says
  // reads
  get,
  front,
  length,  // of a queue
  count,   // of all keys
  item,    // a key with its numbers
  list,    // the first keys with a prefix
  lease,
};

struct Op {
  uint64_t id = 0;
  OpKind kind = OpKind::get;
  std::vector<std::pair<std::string, std::string>> pairs;  // set
  std::vector<std::string> keys;                           // del
  std::string key;                                         // get; or the queue's name
  std::string value;                                       // enqueue: the event; get and front: what was read
  bool found = false;                                      // get and front
  uint64_t event_id = 0;                                   // front
  uint64_t number = 0;                                     // length and count
  std::optional<uint64_t> only_if_front;
  std::vector<machine::KeyItem> items;  // item and list: what was read
  uint64_t lease = 0;                   // lease: its id, and what was read
  Millis ttl = 0;
  Millis deadline = 0;
  // A read of the node's own state, however old: it only promises to show the state at its index.
  bool stale = false;
  raft::Index min_index;  // for a read: not before this is applied; 0: at once
  bool waits = false;     // and that was not applied yet when it was asked
  std::string command;    // encoded, with room for the request id in front
  std::string_view body() const { return std::string_view(command).substr(machine::kEnvelopeBytes); }
  std::string idempotency_key;  // or empty
  // the outcome
  bool done = false;
  node::Outcome outcome = node::Outcome::unknown;
  raft::Index index;
  std::optional<machine::Reply> reply;
  uint64_t invoked = 0;            // the event of the request
  uint64_t returned = UINT64_MAX;  // the event of the answer
  Millis invoked_at = 0;
  size_t host = 0;
  uint64_t life = 0;
  uint64_t attempts = 1;  // how often the client has requested this, including this time
  [[nodiscard]] bool is_read() const { return kind >= OpKind::get; }
  [[nodiscard]] bool applied() const { return done && outcome == node::Outcome::applied; }
  // Whether it got the first request's answer.
  [[nodiscard]] bool replayed() const { return applied() && reply && reply->replayed_from != raft::Index{}; }
  // Whether a write took effect, or may have. `certain`: a refusal is about this very request, not about a copy of it.
  [[nodiscard]] bool may_have_happened(bool certain) const {
    return !is_read() && (!done || applied() || outcome == node::Outcome::unknown || !certain);
  }
};

// One committed entry, as the log has it, and the first operation that requested exactly this; nullptr when none did.
struct LogRecord {
  raft::Index index;
  std::string_view command;  // empty: the entry is no command, and only its time and version count
  Millis time_ms = 0;
  ClusterVersion version = kFirstVersion;  // of the cluster, at this entry
  const Op* op = nullptr;
  bool duplicate = false;                 // the state machine had seen it before
  const machine::Reply* reply = nullptr;  // the state machine's, if it is to be compared
};

// Empty when linearizable; else what is wrong. `last`: the state after the log, whose queues must be the model's.
std::string check_linearizable(const std::vector<const Op*>& ops, const std::vector<LogRecord>& log,
                               const machine::Machine* last = nullptr);

}  // namespace wh::sim
