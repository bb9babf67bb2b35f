// Owns the writes in progress, in the order in which they came. The leader proposes them; other nodes forward them to
// it, and forward a write again, to the next leader, only if the first one certainly did not take it. Each token is
// answered once, and the outcome never claims more than is known. Does not judge what a command means. Called by Node.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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

  // As Node::submit_write. `full`: max_pending requests are in progress already.
  void submit(Token token, std::string command, bool may_forward, bool full, Millis now);
  // A member forwards a write, or answers one that this node forwarded.
  void on_forward(raft::NodeId from, Forward& forward, bool full, Millis now);
  void on_forward_reply(raft::NodeId from, ForwardReply& reply, Millis now);
  // A member's process is gone: writes forwarded to it get no answer.
  void peer_lost(raft::NodeId id);

  // Once a turn: proposes or forwards the writes that wait.
  void pump(Millis now);
  // While this is on, take_proposed() returns the commands proposed since its last call.
  void note_proposals(bool on) { notes_proposals_ = on; }
  [[nodiscard]] std::vector<Bytes> take_proposed() { return std::exchange(proposed_, {}); }
  // The core's answer to a proposal; false if the proposal was not a write.
  bool proposed(const raft::Proposed& result);
  // A committed entry: answers the request that waits for it, here or on the member that forwarded it.
  void forwarded_applied(const raft::Entry& entry, const machine::Reply& reply);
  void applied(const raft::Entry& entry, machine::Reply reply);
  // A snapshot replaced the entries up to `index`: nobody can tell whether the snapshot contains the awaited ones.
  void replaced_by_snapshot(raft::Index index);
  // This node was removed: refuses every write that still waits to be proposed or forwarded.
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
    uint64_t request = 0;  // its number on that follower
    raft::Term term{};     // in which that follower sent it
    size_t bytes = 0;      // of the command; counted while the write waits
    // Not 0: it was forwarded under this number and refused; it is sent again under the same number.
    uint64_t sequence = 0;
    uint64_t growth = 0;  // by how many bytes it grows the data; known once it is proposed
  };
  struct Waiter {  // a request that waits for its entry to be applied
    raft::Term term;
    Token token;
    raft::NodeId from;
    uint64_t request;
    Millis deadline;
  };
  struct Forwarded {
    Token token;
    Millis deadline;
    Bytes command;  // including its envelope
    raft::NodeId to;
    raft::Term term;   // the term in which `to` leads
    uint64_t request;  // changes each time the write is sent
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
  bool notes_proposals_ = false;
  std::vector<Bytes> proposed_;
  uint64_t waiting_bytes_ = 0;             // bytes of the commands in writes_ and forwarded_
  std::map<uint64_t, Pending> proposing_;  // by number, until Proposed says at which index
  std::map<raft::Index, Waiter> waiters_;
  std::map<uint64_t, Forwarded> forwarded_;        // by sequence
  std::map<uint64_t, uint64_t> forward_requests_;  // the sequence of a forwarded write, by request
  uint64_t next_sequence_ = 1;                     // for forwarded writes; unique within the epoch
  raft::Term sent_term_;                           // the term in which a client's write was last forwarded or proposed
  raft::Term refused_term_;                        // the highest term whose leader said that it left that term
  raft::Term awaited_term_;                        // awaits_refusals(): for which term it waits, and until when
  Millis await_until_ = 0;
};

}  // namespace wh::node
