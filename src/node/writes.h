// Writes, in the order in which they came: proposed on the leader, forwarded to it by the others, and to the next one
// only when the first certainly did not take it. Each token is answered once, with an outcome that never says more than
// is known.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "node/context.h"
#include "node/peers.h"
#include "node/room.h"
#include "node/room_watch.h"
#include "node/versions.h"

namespace wh::node {

class Writes {
 public:
  Writes(Context& context, Peers& peers, const Versions& versions, Room& room, const RoomWatch& room_watch)
      : ctx_(context), peers_(peers), versions_(versions), room_(room), room_watch_(room_watch) {}

  // As Node::submit_write. `full`: as many requests as there may be are in progress.
  void submit(Token token, std::string command, bool may_forward, bool full, Millis now);
  // A member forwards one, and answers one that this node forwarded.
  void on_forward(raft::NodeId from, Forward& forward, bool full, Millis now);
  void on_forward_reply(raft::NodeId from, ForwardReply& reply, Millis now);
  // A member's process is gone: what was forwarded to it gets no answer.
  void peer_lost(raft::NodeId id);

  // Once a turn: proposes or forwards what waits.
  void pump(Millis now);
  // The core's answer to a proposal; false when it is none of these.
  bool proposed(const raft::Proposed& result);
  // A committed entry: who waits for it, here or on the member that forwarded it, is answered.
  void forwarded_applied(const raft::Entry& entry, const machine::Reply& reply);
  void applied(const raft::Entry& entry, machine::Reply reply);
  // A snapshot took the place of the entries up to `index`: whether they are in it cannot be told.
  void replaced_by_snapshot(raft::Index index);
  // This node was removed: nothing that waits will be taken.
  void refuse_all();

  void expire(Millis now);
  [[nodiscard]] Millis next_deadline() const;
  void bring_deadlines_forward(Millis latest);
  [[nodiscard]] bool some_wait() const { return !writes_.empty(); }
  [[nodiscard]] size_t pending() const {
    return writes_.size() + proposing_.size() + waiters_.size() + forwarded_.size();
  }

 private:
  struct Pending {
    Token token;
    std::string command;
    bool may_forward;
    Millis deadline;
    raft::NodeId from;     // a follower that forwarded it, or nobody
    uint64_t request = 0;  // its number there
    raft::Term term{};     // in which it was
    size_t bytes = 0;      // of the command, while it waits
    // Not 0: it was forwarded under this number before, and refused: it goes again under the same one.
    uint64_t sequence = 0;
    uint64_t growth = 0;  // of the data, once it is proposed
  };
  struct Waiter {  // an entry of ours on its way through the log
    raft::Term term;
    Token token;
    raft::NodeId from;
    uint64_t request;
    Millis deadline;
  };
  struct Forwarded {
    Token token;
    Millis deadline;
    Bytes command;  // with its envelope
    raft::NodeId to;
    raft::Term term;   // in which `to` was to take it
    uint64_t request;  // of this sending
    bool lost;         // the process at `to` is gone: no answer will come
  };

  static Waiter waiter_of(const Pending& write) { return {{}, write.token, write.from, write.request, write.deadline}; }
  void push(Pending write);
  void pop();
  [[nodiscard]] bool needs_newer_version(std::string_view command) const;
  void propose(Pending& write, Millis now);
  bool forward(Pending& write);
  [[nodiscard]] bool awaits_refusals(Millis now);
  void answer_applied(const Waiter& waiter, raft::Index index, machine::Reply reply);
  void answer(const Waiter& waiter, Outcome outcome, std::string sentence);
  Forwarded take_forwarded(uint64_t sequence);
  void forward_again(uint64_t sequence);

  Context& ctx_;
  Peers& peers_;
  const Versions& versions_;
  Room& room_;
  const RoomWatch& room_watch_;
  std::deque<Pending> writes_;
  uint64_t waiting_bytes_ = 0;             // of their commands, and of those forwarded
  std::map<uint64_t, Pending> proposing_;  // by number, until Proposed says where
  std::map<raft::Index, Waiter> waiters_;
  std::map<uint64_t, Forwarded> forwarded_;        // by sequence
  std::map<uint64_t, uint64_t> forward_requests_;  // the sequence of each, by request
  uint64_t next_sequence_ = 1;                     // of forwarded writes, within the epoch
  raft::Term sent_term_;                           // in which a client's write was last forwarded or proposed
  raft::Term refused_term_;                        // its leader said that it left this term
  raft::Term awaited_term_;                        // awaits_refusals: since which term, and how long
  Millis await_until_ = 0;
};

}  // namespace wh::node
