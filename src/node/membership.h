// Owns the requests to change the membership, from clients and from nodes themselves: adding a member (probe, learner,
// adoption, promotion), removing one (removal.cc), handing leadership over. One change at a time; the others wait their
// turn. The leader carries them out; another node forwards a request to the leader, once. A removed node keeps its
// files, whatever anybody says (HAZARDS D13: a removed node deletes or reuses its data), and may be added again with
// them. The core decides whether a change is in force. Called by Node.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>

#include "node/context.h"
#include "node/peers.h"
#include "node/tolerance.h"
#include "node/versions.h"

namespace wh::node {

class MembershipChanges {
 public:
  MembershipChanges(Context& context, Peers& peers, const Tolerance& tolerance, const Versions& versions)
      : ctx_(context), peers_(peers), tolerance_(tolerance), versions_(versions) {}

  void submit(Token token, AdminRequest request, Millis now);
  // A member forwards a request, or answers one that this node forwarded.
  void on_forward(raft::NodeId from, ForwardAdmin& forward, Millis now);
  void on_forward_reply(raft::NodeId from, ForwardAdminReply& reply, Millis now);
  // A node asks to be taken into the cluster.
  void answer_take_me_in(uint64_t question_id, const TakeMeIn& question, Millis now);
  // The node at a member's address refused this node's hello; `theirs` says which node it is.
  void peer_refused(raft::NodeId id, const std::string& why, const WhoIAm& theirs, Millis now);
  // Whether the question was one of these.
  bool answered(uint64_t request, const Result<Answer>& answer, Millis now);

  // Once a turn.
  void pump(Millis now);
  // The core's answers: to a change, and to a transfer.
  void proposed(const raft::Proposed& result, Millis now);
  void transferred(const raft::TransferDone& transfer);
  // An entry of any kind was applied: it may be a change, or may stand at the index where a change was appended.
  void applied(const raft::Entry& entry);
  // This node was removed: it changes no membership any more.
  void refuse_all();

  // While the core does not run: ends the requests whose deadline has passed.
  void expire(Millis now);
  [[nodiscard]] Millis next_deadline(Millis now) const;
  void bring_deadlines_forward(Millis latest);

 private:
  struct Pending {
    Token token;  // a client's; a forwarded request has `from` and `request` instead
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
    uint64_t number = 0;    // of the probe, the proposal, the forwarded request or the transfer
    raft::NodeId to;        // the member that it was forwarded to
    raft::NodeId target;    // the instance that the request is about, once known
    Identity identity;      // what the probe found
    std::string why;        // the probe's error
    Millis probed_at = 0;   // when it was probed first
    Millis give_up_at = 0;  // when the probe counts as failed
    raft::Term term;        // of the proposed change
    raft::Index index;
    bool handed_over = false;  // this node handed leadership over, or tried to
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
  const Versions& versions_;
  std::deque<Pending> admin_;
  std::map<uint64_t, raft::NodeId> adopting_;             // who was asked to be adopted, by request
  std::map<raft::NodeId, Millis> adopt_tried_;            // when a learner was last asked
  std::map<raft::NodeId, std::string> refused_to_adopt_;  // learners that will be removed again, and why
  std::map<std::string, std::string> last_refusal_;       // why a background addition was refused, by name
  Millis retry_at_ = 0;
};

}  // namespace wh::node
