// Changes of the membership, asked for by clients and by nodes themselves: adding (probe, learner, adoption,
// promotion), removing, handing leadership over; one change at a time, each waiting its turn. Works on the leader;
// other nodes pass requests on, once. A removed node keeps its files, whatever anybody says (HAZARDS D13), and may be
// added again with them. In removal.cc: removing.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>

#include "node/context.h"
#include "node/peers.h"
#include "node/tolerance.h"

namespace wh::node {

class MembershipChanges {
 public:
  MembershipChanges(Context& context, Peers& peers, const Tolerance& tolerance)
      : ctx_(context), peers_(peers), tolerance_(tolerance) {}

  void submit(Token token, AdminRequest request, Millis now);
  // A member passes one on, and answers one that this node passed on.
  void on_forward(raft::NodeId from, ForwardAdmin& forward, Millis now);
  void on_forward_reply(raft::NodeId from, ForwardAdminReply& reply, Millis now);
  // A node asks to be taken in.
  void answer_take_me_in(uint64_t question_id, const TakeMeIn& question, Millis now);
  // The node at a member's address refused our hello; `theirs` says who it is.
  void peer_refused(raft::NodeId id, const std::string& why, const WhoIAm& theirs, Millis now);
  // Whether the answer was to a question of these.
  bool answered(uint64_t request, const Result<Answer>& answer, Millis now);

  // Once a turn.
  void pump(Millis now);
  // The core's answers: to a change, and to a transfer that failed.
  void proposed(const raft::Proposed& result, Millis now);
  void transferred(const raft::TransferDone& transfer);
  // An entry was applied, of whatever kind: one that is none of a change may stand where one was.
  void applied(const raft::Entry& entry);
  // This node was removed: nothing is changed by it any more.
  void refuse_all();

  // While the core does not run: those whose time is up.
  void expire(Millis now);
  [[nodiscard]] Millis next_deadline(Millis now) const;
  void bring_deadlines_forward(Millis latest);

 private:
  struct Pending {
    Token token;  // or, for a forwarded one, from and request
    raft::NodeId from;
    uint64_t request = 0;
    AdminRequest admin;
    Millis deadline;
    enum class Step : uint8_t {
      waiting,
      probing,
      changing,
      joining,
      transferring,
      handing_over,  // leadership, before this node is removed
      forwarded
    } step = Step::waiting;
    uint64_t number = 0;    // of the probe, the proposal, the forward or the transfer
    raft::NodeId to;        // forwarded: to whom
    raft::NodeId target;    // the instance it is about, once known
    Identity identity;      // what the probe found
    std::string why;        // the probe's error
    Millis probed_at = 0;   // first
    Millis give_up_at = 0;  // the probe
    raft::Term term;        // of the proposed change
    raft::Index index;
    bool handed_over = false;  // or tried to
    bool done = false;
  };
  [[nodiscard]] bool may_change_members() const;
  void go_on(Pending& admin, Millis now);
  void out_of_time(Pending& admin, bool leads, Millis now);
  void start_or_forward(Pending& admin, bool leads, Millis now);
  void start(Pending& admin, Millis now);
  void finish(Pending& admin, Outcome outcome, std::string text);
  void erase_finished();
  void propose(Pending& admin, raft::Configuration next, Millis now);
  [[nodiscard]] static bool in_background(const Pending& admin);
  void nobody_answers(Pending& admin, const std::string& why);
  void probed(Pending& admin, const Result<Answer>& answer, Millis now);
  void add_member(Pending& admin, Millis now);
  void transfer_to(Pending& admin, Millis now);
  void wait_turn(Pending& admin, Millis now);
  void drop_refusing_learners(Millis now);
  void give_back(Pending& admin);
  void adopted(uint64_t request, const Result<Answer>& answer);
  // removal.cc
  void remove_member(Pending& admin, Millis now);
  void hand_over_first(Pending& admin, raft::NodeId heir, Millis now);
  void forwarded_removal_applied(const raft::Entry& entry);

  Context& ctx_;
  Peers& peers_;
  const Tolerance& tolerance_;
  std::deque<Pending> admin_;
  std::map<uint64_t, raft::NodeId> adopting_;             // Adopt asked, by request
  std::map<raft::NodeId, Millis> adopt_tried_;            // when last
  std::map<raft::NodeId, std::string> refused_to_adopt_;  // learners to be removed again, and why
  std::map<std::string, std::string> last_refusal_;       // of an add nobody waits for, by name
  Millis retry_at_ = 0;
};

}  // namespace wh::node
