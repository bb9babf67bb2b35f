// A disk that is said to be an older copy of itself. A copy of a whole directory fits together, so nothing in it tells;
// but the leader knows how far its follower acknowledged in this term (HAZARDS C5), and a node that keeps a log shorter
// than its promises may elect a leader that lacks what was committed. So it stops, but not on one member's word: that
// could lie, or be anybody who says to be that member, and the operator would throw a sound disk away. The core
// believes it at most before the first acknowledgement of this process life: what came later, a node remembers. Then
// the other voters are asked whom they follow. It is believed when as many name that leader, itself among them and this
// node not, as elect one. Otherwise the node goes on, and is sent what it lacks; until then it neither votes nor
// campaigns. What remains: a leader that a quorum follows can lie to a node that has just started.
#include <string>
#include <utility>

#include "base/log.h"
#include "node/node.h"

namespace wh::node {

void Node::look_into_loss(raft::Index acknowledged, Millis now) {
  const raft::NodeId by = raft_->leader_id();
  if (loss_ && loss_->leader == by) return;  // asked already
  loss_.emplace(Loss{});
  loss_->leader = by;
  loss_->acknowledged = acknowledged;
  loss_->last = raft_->log().last_index();
  if (const raft::Member* member = raft_->configuration().find(by)) {
    loss_->leader_addresses.insert(member->raft_address);
    loss_->leader_addresses.insert(addresses_of(*member).raft_address);
  }
  for (const raft::Member& member : raft_->configuration().members()) {
    if (member.suffrage != raft::Suffrage::voter || member.id == instance_) continue;
    loss_->asked.insert(next_number_);
    transport_.ask(next_number_++, addresses_of(member).raft_address, WhoAreYou{});
  }
  if (!loss_->asked.empty()) return;
  loss_.reset();
  raft_->step(now, raft::LossJudged{});
}

bool Node::loss_answered(uint64_t request, const Result<Answer>& answer, Millis now) {
  if (!loss_ || loss_->asked.erase(request) == 0) return false;
  if (!raft_) {
    loss_.reset();
    return true;
  }
  const auto* who = answer ? std::get_if<WhoIAm>(&*answer) : nullptr;
  const raft::Configuration& configuration = raft_->configuration();
  if (who != nullptr && who->identity.cluster == cluster_ && who->identity.instance != instance_ &&
      configuration.is_voter(who->identity.instance)) {
    const bool itself = who->identity.instance == loss_->leader;
    if (itself ? who->leader_address == who->identity.raft_address
               : loss_->leader_addresses.contains(who->leader_address))
      loss_->backing.insert(who->identity.instance);
  }
  if (loss_->backing.size() >= configuration.quorum()) {
    const Loss loss = *std::exchange(loss_, std::nullopt);
    raft_->step(now, raft::LossJudged{});
    storage_.acknowledged_lost(loss.acknowledged, loss.last);
    return true;
  }
  if (!loss_->asked.empty()) return true;
  const raft::Member* member = configuration.find(loss_->leader);
  logf(LogLevel::warning,
       "%s, which leads, says that this node acknowledged entries up to %lu, and its log ends at %lu; %zu of the %zu "
       "voters that it takes follow that leader. It is not believed, and what is missing is taken from the leader",
       (member != nullptr ? member->name : std::string("a node that is no member")).c_str(), loss_->acknowledged.value,
       loss_->last.value, loss_->backing.size(), configuration.quorum());
  loss_.reset();
  raft_->step(now, raft::LossJudged{});
  return true;
}

}  // namespace wh::node
