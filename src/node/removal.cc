// Members that go: removing one on the leader, this node's own removal, and what is left to do for a node that knows it
// is removed. It keeps its files, whatever anybody says (HAZARDS D13), and may be added again with them.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/mutant.h"
#include "node/node.h"
#include "raft/quorum.h"

namespace wh::node {

// --- on the leader

// Judged by what is committed: of two requests about one member the second finds it gone.
void Node::remove_member(PendingAdmin& admin, Millis now) {
  if ((raft_->change_pending() && !WH_MUTANT(second_change_at_once)) || raft_->transferring())
    return wait_turn(admin, now);
  const raft::Configuration& configuration = raft_->configuration();
  const raft::Member* member = configuration.find_name(admin.admin.name);
  if (member == nullptr) return finish_admin(admin, Outcome::not_found, "no member is named " + admin.admin.name);
  raft::Configuration next = configuration.without(member->id);
  if (next.voters() == 0 && !WH_MUTANT(last_voter_removed))
    return finish_admin(admin, Outcome::conflict,
                        admin.admin.name + " is the last voter, and a cluster has one at the least: add another first");
  const size_t reachable = raft::count_voters(next, [&](const raft::Member& other) { return !silent(other.id, now); });
  if (reachable < next.quorum() && !(WH_MUTANT(last_voter_removed) && next.voters() == 0))
    return finish_admin(admin, Outcome::conflict,
                        "without " + admin.admin.name + " only " + std::to_string(reachable) + " of " +
                            std::to_string(next.voters()) + " voters would be reachable, and " +
                            std::to_string(next.quorum()) + " are needed: bring back or remove " +
                            names_of_silent(next, now) + " first");
  admin.target = member->id;
  if (member->id == instance_ && !admin.handed_over)
    if (const raft::NodeId heir = best_successor({}, now)) return hand_over_first(admin, heir, now);
  propose_change(admin, std::move(next), now);
}

// A leader that goes hands over before it does, so that no request of a client meets its going; the next leader removes
// it. When that does not work it removes itself, and leads until that is committed (thesis 4.2.2).
void Node::hand_over_first(PendingAdmin& admin, raft::NodeId heir, Millis now) {
  admin.handed_over = true;
  admin.step = PendingAdmin::Step::handing_over;
  raft_->step(now, raft::TransferLeadership{next_number_++, heir});
}

// The member that a removal was forwarded for is gone: that is the answer, should the leader's not come, as its last
// act may have been to remove itself, or this node.
void Node::forwarded_removal_applied(const raft::Entry& entry) {
  const raft::Configuration& now_members = raft_->log().configuration_at(entry.index).configuration;
  for (PendingAdmin& admin : admin_)
    if (admin.step == PendingAdmin::Step::forwarded && admin.admin.kind == AdminKind::remove && admin.target &&
        now_members.remembers(admin.target))
      finish_admin(admin, Outcome::applied, {});
}

// --- on every member

// Committed as removed, and not added again since. A removal that is not committed may go back, and whoever it is about
// may be needed to commit it (HAZARDS D8): that one is let in and answered.
std::vector<raft::NodeId> Node::removed_for_certain() const {
  std::vector<raft::NodeId> removed;
  for (const raft::NodeId id : raft_->log().configuration_at(raft_->commit_index()).configuration.removed())
    if (!raft_->configuration().contains(id)) removed.push_back(id);
  return removed;
}

// --- on the removed node

void Node::told_removed(raft::NodeId by, raft::Position as_of, Millis now) {
  wants_turn_ = true;
  if (!raft_) return;
  // By a member that this node knows; whatever else calls itself so is not believed. Who was taken in and heard nothing
  // since knows none, and has but those of its cluster that it met.
  const raft::Member* member = raft_->configuration().find(by);
  if (member == nullptr) member = raft_->log().configuration_at(raft_->commit_index()).configuration.find(by);
  const auto met = strangers_.find(by);
  const bool believed = member != nullptr || (raft_->configuration().empty() && met != strangers_.end());
  if (!believed || by == instance_) return;
  if (!removed_) told_by_ = member != nullptr ? member->name : met->second.name;
  raft_->step(now, raft::ToldRemoved{as_of, by});
}

void Node::watch_removal() {
  const bool removed = raft_->removed();
  if (removed == removed_) return;
  removed_ = removed;
  if (!removed_) {
    told_by_.clear();
    logf(LogLevel::notice, "%s is a member of the cluster again", options_.name.c_str());
    return;
  }
  logf(LogLevel::warning,
       "%s was removed from cluster %s, %s. It starts no election, and serves stale reads only; its files stay where "
       "they are. Switch it off, or take it in again: POST /cluster/members at a member, or start it on an empty "
       "directory with `join`",
       options_.name.c_str(), to_hex(cluster_).c_str(),
       told_by_.empty() ? "as its own log says" : ("as " + told_by_ + " says").c_str());
  stop_serving();
}

std::string Node::removed_sentence() const {
  return options_.name + " was removed from the cluster: ask a member, or have it added again";
}

// Requests that wait for a leader wait in vain. One that was sent keeps its time: it may have taken effect.
void Node::stop_serving() {
  // A forwarded write keeps its bytes, as it keeps its time.
  for (; !writes_.empty(); pop_write()) {
    const PendingWrite& write = writes_.front();
    if (write.from) {
      answer_waiter({.term = {}, .token = 0, .from = write.from, .request = write.request, .deadline = 0},
                    Outcome::not_leader, {});
    } else {
      complete(write.token, Outcome::dropped, {}, removed_sentence());
    }
  }
  const auto fail = [&](const std::vector<PendingRead>& reads) {
    for (const PendingRead& read : reads) complete(read.token, Outcome::dropped, {}, removed_sentence());
  };
  fail(std::exchange(reads_, {}));
  for (const auto& [number, batch] : std::exchange(read_batches_, {})) fail(batch.reads);
  std::erase_if(waiting_reads_, [&](const auto& item) {
    if (item.second.terms.stale || !waits_.cancel(item.first)) return false;
    complete(item.first, Outcome::dropped, {}, removed_sentence());
    return true;
  });
  for (PendingAdmin& admin : admin_) {
    using Step = PendingAdmin::Step;
    if (admin.step == Step::forwarded && admin.admin.kind == AdminKind::remove && admin.target == instance_) {
      finish_admin(admin, Outcome::applied, {});
    } else if (admin.step == Step::waiting || admin.step == Step::probing) {
      finish_admin(admin, admin.from ? Outcome::not_leader : Outcome::dropped, removed_sentence());
    }
  }
  wants_turn_ = true;
}

}  // namespace wh::node
