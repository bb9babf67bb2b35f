// Owns the takes in progress: requests that reserve ready events (Receive) or remove them (Dequeue), now or once there
// are some. All of them wait on the leader, in one line for each queue in the order in which they came there, so that
// one event wakes one consumer and no attempt finds the queue empty again. A take may stand in the lines of several
// queues, and is served by the first that has something. It is proposed when its queue has something for it: ready by
// the applied state, or enqueued by an entry proposed in the same turn, so that a waiting consumer costs an event no
// second round (HAZARDS-QUEUE-STORE, rule 7). Takes of one turn that ask a queue for the same thing share an entry, and
// each gets its part of the answer (receives_shared.cc). What was reserved and nobody hears of any more is taken back
// at once, unless an idempotency key may ask for it again; what was removed is gone. A take that is answered with
// nothing wrote nothing, and a read index confirmed that this node led. Called by Node; Waits holds those that wait.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "node/context.h"
#include "node/peers.h"
#include "node/reads.h"
#include "node/versions.h"
#include "node/waits.h"
#include "node/writes.h"

namespace wh::node {

// The longest wait that a member may forward. Who waits longer asks again.
inline constexpr Millis kLongestWaitMs = 60'000;

struct TakeRequest {
  std::string command;            // a Receive or a Dequeue without a condition, from machine::encode_command()
  std::vector<std::string> also;  // further queues; the first of all that has something is taken from
  Millis wait_ms = 0;             // how long it waits for something
  uint64_t client = 0;            // Wait::client
};

class Receives {
 public:
  Receives(Context& context, Peers& peers, const Versions& versions, Waits& waits, Reads& reads, Writes& writes)
      : ctx_(context), peers_(peers), versions_(versions), waits_(waits), reads_(reads), writes_(writes) {}

  // As Node::submit_take. `full`: max_pending requests are in progress already.
  void submit(Token token, TakeRequest request, bool full, Millis now);
  // The client is gone: false if this is no take in progress.
  bool cancel(Token token, Millis now);
  // The same, but only if it waits; else it does not begin to wait any more.
  bool cancel_waiting(Token token, Millis now);
  // Events that were answered, but whose answer cannot reach the client any more, are ready again at once.
  void take_back(const std::string& queue, const std::vector<machine::Delivery>& deliveries, Millis now);

  // A member's receive, its cancellation, and the leader's answer; false: it answers something else.
  void on_forward(raft::NodeId from, ForwardReceive& forward, bool full, Millis now);
  void on_cancel(raft::NodeId from, const CancelReceive& cancel, Millis now);
  bool on_reply(raft::NodeId from, ForwardReply& reply, Millis now);
  void peer_lost(raft::NodeId id, Millis now);
  void peer_connected(raft::NodeId id, Millis now);
  // This node stops: what waits at the leader is called off.
  void stop(Millis now);

  // Something became ready.
  void wake(std::string_view queue);
  // A wait ended; false if it was not a receive's.
  bool wait_over(const Woken& woken, Millis now);
  // Once a turn, after the writes.
  void pump(Millis now);
  // The core's answer to a proposal; false if it was another part's.
  bool proposed(const raft::Proposed& result, Millis now);
  // A committed entry. Takes the reply if it answers a receive.
  void applied(const raft::Entry& entry, machine::Reply& reply, Millis now);
  void replaced_by_snapshot(raft::Index index, Millis now);
  // The reads that confirm an empty answer are done, or failed.
  void confirmed(const std::vector<InternalRead>& reads, Millis now);
  void leader_changed(Millis now);

  void expire(Millis now);
  [[nodiscard]] Millis next_deadline() const { return by_deadline_.empty() ? kNever : by_deadline_.begin()->first; }
  void bring_deadlines_forward(Millis latest);
  // Without those that wait.
  [[nodiscard]] size_t pending() const { return takes_.size() - waiting_; }
  [[nodiscard]] size_t waiting() const { return waiting_; }
  // Whether it waits, here or at the leader, another node.
  [[nodiscard]] bool waits(Token token, Millis now) const {
    const auto at = takes_.find(token);
    return (at != takes_.end() && at->second.stage == Stage::waiting) || waits_elsewhere(token, now);
  }
  // On the leader: how many wait for this queue.
  [[nodiscard]] size_t waiting_for(std::string_view queue) const;

 private:
  enum class Stage : uint8_t {
    fresh,       // pump() looks at it next
    waiting,     // in its queue's line, on the leader
    proposed,    // in the log, or on the way there
    confirming,  // nothing was there: a read index must confirm it
    remote,      // at the leader, another node
  };
  // What an answer must fit.
  struct AskedFor {
    std::vector<std::string> queues;
    uint32_t max = 1;
    bool removes = false;  // a Dequeue
    raft::NodeId to;       // remote: the leader that was asked
  };
  struct Take : AskedFor {
    Stage stage = Stage::fresh;
    size_t choice = 0;      // proposed: which of them it takes from
    std::string command;    // names the first of them; without a request id
    machine::RequestId id;  // of one that a member forwarded: by this that member knows its entry (sequence 0)
    bool unseen = false;    // remote: its entry may be in a snapshot that this node was sent
    bool counts = false;    // has a `max` that may be raised for others: not a Dequeue without a count
    bool alone = false;     // shares no entry: it did, and nothing was left for it
    std::optional<Millis> visibility;  // of a Receive
    bool keyed = false;                // a repeat under the key would find its events
    bool client_gone = false;
    bool member_gone = false;  // the one that forwarded it
    bool promised = false;     // proposed: counted in taking_
    bool looked_late = false;  // it waited for the entries that may leave something for it
    Millis wait_until = 0;
    Millis deadline = 0;           // to be answered by then, unless it waits
    std::vector<uint64_t> places;  // in the line of each queue, once it had one
    std::vector<Token> seats;      // its tokens in these lines, while it waits
    uint64_t client = 0;           // Wait::client
    raft::NodeId from;             // the member that forwarded it, or nobody
    uint64_t request = 0;          // its number there, or at the leader
    raft::Term term;               // in which it was proposed or forwarded
    [[nodiscard]] const std::string& queue() const { return queues[choice]; }
    // Whether what nobody hears of is to be taken back.
    [[nodiscard]] bool returns() const { return !removes && !keyed; }
    // Whether one entry may serve both. That of a keyed or forwarded one is known by its name.
    [[nodiscard]] bool goes_with(const Take& other) const {
      const auto may = [](const Take& take) { return take.counts && !take.keyed && !take.from && !take.alone; };
      return may(*this) && may(other) && removes == other.removes && visibility == other.visibility &&
             queue() == other.queue();
    }
  };
  using Takes = std::map<Token, Take>;
  struct Share {
    Token token = 0;
    uint32_t max = 1;
  };
  // Those that one entry serves, in this order. They may be given up before it comes.
  struct Placed {
    std::vector<Share> shares;
    raft::Term term;
    std::string queue;
    bool returns = false;  // here: of a forwarded one, its member decides
  };

  static constexpr Token kInternal = Token{1} << 63;  // tokens of forwarded takes, and of places in lines
  static constexpr size_t kMaxForgotten = 16'384;
  static constexpr size_t kMaxAnswered = 4'096;
  // A longer answer is not sent: its member sees the entry itself, and these would crowd out what else it is sent.
  static constexpr size_t kLongAnswerBytes = size_t{64} << 10;
  static constexpr std::string_view kLeaderChanged = "the leader changed while this waited: ask again";
  static constexpr std::string_view kMemberSilent =
      "the node that was asked was silent towards the leader while this waited: ask again";
  static constexpr std::string_view kLeaderChangedUnknown =
      "the leader changed while this waited: it may still remove what came, at most once";
  static constexpr std::string_view kLeaderChangedReserved =
      "the leader changed while this waited: ask again; what it may have reserved is ready after its "
      "visibility_timeout";

  // False for a command that is no take.
  static bool read_command(std::string_view command, std::vector<std::string> also, Take& take);
  Take& add(Token token, Take take);
  void set_deadline(Token token, Take& take, Millis deadline);
  void look(Token token, Take& take, Millis now);
  void forward(Token token, Take& take, Millis now);
  void wait(Token token, Take& take, Millis now);
  void leave_lines(Take& take);
  // Whether takes that are proposed may leave something of these queues; then it looks again after them.
  bool look_after_others(Token token, Take& take);
  void forget_member(raft::NodeId id, Millis now);
  [[nodiscard]] bool has_entry(raft::NodeId member, raft::Index index) const;
  [[nodiscard]] static bool is_true_of(const machine::Reply& reply, const AskedFor& asked);
  [[nodiscard]] std::optional<size_t> first_available(const Take& take) const;
  [[nodiscard]] bool waits_elsewhere(Token token, Millis now) const;
  void confirm(Token token, Take& take, Millis now);
  void propose(Token token, Take& take, Millis now);
  void promise(Take& take);
  void gather(Token token, const Take& take);
  void propose_gathered(Millis now);
  void answer_all(const Placed& placed, Outcome outcome, Millis now);
  void serve(const Placed& placed, const raft::Entry& entry, machine::Reply& reply, Millis now);
  void match(const std::string& queue, Millis now);
  [[nodiscard]] int64_t available(const std::string& queue) const;
  // Leader: a command was proposed in this turn that may make something ready in its queue.
  void proposed_command(std::string_view command);
  // An entry may be a remote one's, or tell that there will be none.
  void remote_applied(const raft::Entry& entry, const machine::Reply& reply, Millis now);
  void forgotten_applied(uint64_t request, const raft::Entry& entry, const machine::Reply& reply, Millis now);
  [[nodiscard]] static std::optional<size_t> choice_of(const raft::Entry& entry,
                                                       const std::vector<std::string>& queues);
  void forget(const Take& take);
  void remember_answered(raft::NodeId from, uint64_t request);
  void let_go(Take& take);
  void answer(Token token, Outcome outcome, raft::Index index, std::string sentence, machine::Reply reply, Millis now);

  Context& ctx_;
  Peers& peers_;
  const Versions& versions_;
  Waits& waits_;
  Reads& reads_;
  Writes& writes_;
  Takes takes_;
  size_t waiting_ = 0;
  std::set<std::pair<Millis, Token>> by_deadline_;
  std::vector<Token> fresh_;
  std::map<uint64_t, Token> by_request_;                             // remote, by number
  std::map<std::pair<raft::NodeId, uint64_t>, Token> by_forwarder_;  // of other members
  std::vector<Placed> gathered_;                                     // to be proposed at the end of this turn
  std::map<std::string, size_t, std::less<>> last_gathered_;         // of each queue
  std::map<uint64_t, Placed> proposing_;                             // by number, until Proposed says at which index
  std::map<raft::Index, Placed> at_index_;
  std::map<std::string, uint64_t, std::less<>> taking_;     // by queue: what proposed receives may take
  std::multiset<std::string> in_flight_;                    // proposed ones with an idempotency key
  std::map<std::string, uint64_t, std::less<>> arriving_;   // by queue: events proposed in this turn
  std::set<std::string, std::less<>> ready_;                // queues to match in the next turn
  std::map<Token, Token> seats_;                            // whose place in a line it is
  std::map<std::string, std::vector<Token>> after_taking_;  // by queue: those that look again after proposed takes
  std::map<uint64_t, AskedFor> forgotten_;                  // by number of an unanswered remote one
  std::deque<std::pair<raft::NodeId, uint64_t>> answered_;  // of other members, so that a copy is known as one
  std::set<std::pair<raft::NodeId, uint64_t>> answered_set_;
  raft::Term applied_term_;  // of the last applied entry
  raft::Term refused_term_;  // the node that leads in this term, as far as is known here, says that it does not
  Token next_internal_ = kInternal;
};

}  // namespace wh::node
