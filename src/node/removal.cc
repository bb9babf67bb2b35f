// Part of MembershipChanges: removing a member, on the leader, and the end of a removal that this node forwarded.
#include <algorithm>
#include <utility>

#include "base/mutant.h"
#include "node/membership.h"
#include "raft/quorum.h"

namespace wh::node {

// --- on the leader

// Judged by the committed configuration: of two requests to remove one member, the second finds it gone.
void MembershipChanges::remove_member(Pending& admin, Millis now) {
  if ((ctx_.raft->change_pending() && !WH_MUTANT(second_change_at_once)) || ctx_.raft->transferring())
    return wait_turn(admin, now);
  const raft::Configuration& configuration = ctx_.raft->configuration();
  const raft::Member* member = configuration.find_name(admin.admin.name);
  if (member == nullptr) return finish(admin, Outcome::not_found, "no member is named " + admin.admin.name);
  raft::Configuration next = configuration.without(member->id);
  if (next.voters() == 0 && !WH_MUTANT(last_voter_removed))
    return finish(admin, Outcome::conflict,
                  admin.admin.name + " is the last voter, and a cluster has one at the least: add another first");
  const size_t reachable =
      raft::count_voters(next, [&](const raft::Member& other) { return !peers_.silent(other.id, now); });
  if (reachable < next.quorum() && !(WH_MUTANT(last_voter_removed) && next.voters() == 0))
    return finish(admin, Outcome::conflict,
                  "without " + admin.admin.name + " only " + std::to_string(reachable) + " of " +
                      std::to_string(next.voters()) + " voters would be reachable, and " +
                      std::to_string(next.quorum()) + " are needed: bring back or remove " +
                      peers_.names_of_silent(next, now) + " first");
  admin.target = member->id;
  if (member->id == ctx_.instance && !admin.handed_over)
    if (const raft::NodeId heir = peers_.best_successor({}, now)) return hand_over_first(admin, heir, now);
  propose(admin, std::move(next), now);
}

// A leader that is to be removed first hands leadership over, so that no client's request is disturbed; the next leader
// removes it. If nobody takes over, it removes itself, and leads until that is committed (thesis 4.2.2).
void MembershipChanges::hand_over_first(Pending& admin, raft::NodeId heir, Millis now) {
  admin.handed_over = true;
  admin.step = Pending::Step::handing_over;
  ctx_.raft->step(now, raft::TransferLeadership{ctx_.next_number++, heir});
}

// A removal that this node forwarded was applied: that counts as the answer. The leader's own answer may never come, as
// the leader may have removed itself, or this node.
void MembershipChanges::forwarded_removal_applied(const raft::Entry& entry) {
  const raft::Configuration& now_members = ctx_.raft->log().configuration_at(entry.index).configuration;
  for (Pending& admin : admin_)
    if (admin.step == Pending::Step::forwarded && admin.admin.kind == AdminKind::remove && admin.target &&
        now_members.remembers(admin.target))
      finish(admin, Outcome::applied, {});
}

// --- on the removed node

// No leader will take the requests that still wait, so they are refused. A forwarded request may have taken effect, so
// it waits for its answer or its deadline.
void MembershipChanges::refuse_all() {
  for (Pending& admin : admin_) {
    using Step = Pending::Step;
    if (admin.step == Step::forwarded && admin.admin.kind == AdminKind::remove && admin.target == ctx_.instance) {
      finish(admin, Outcome::applied, {});
    } else if (admin.step == Step::waiting || admin.step == Step::probing) {
      finish(admin, admin.from ? Outcome::not_leader : Outcome::dropped, ctx_.removed_sentence());
    }
  }
}

}  // namespace wh::node
