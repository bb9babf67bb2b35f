// A disk that is said to be an older copy of itself. A copy of a whole directory fits together, so nothing in it tells;
// but the leader knows how far its follower acknowledged in this term (HAZARDS C5), and a node that keeps a log shorter
// than its promises may elect a leader that lacks what was committed. So it stops, but not on one member's word: that
// could lie, or be anybody who says to be that member, and the operator would throw a sound disk away. The other voters
// are asked whom they follow:
// - As many name that leader, itself among them and this node not, as elect one: it is believed, and the node stops.
//   Once it acknowledged anything in this process life, which it remembers, it only waits as below: what an earlier
//   life acknowledged may reach the leader after that, and still nobody's word is to stop nodes that run.
// - As many deny it as are a quorum together with this node: it is not, and that member's word on this counts for
//   nothing any more. The node goes on, and is sent what it lacks.
// - Neither, as others are away: they are asked again, every election timeout. Until it is known, the node neither
//   votes nor campaigns, unless it holds again what it is said to have acknowledged, which its leader sends it, or an
//   entry of a later leader's, who was elected without it. What is committed may be with that leader alone, and this
//   node's vote would elect one that lacks it.
// Whoever names another leader denies it; whoever names nobody does so from the second time on, as it may just have
// started.
//
// One liar blocks no cluster of whole disks for ever: where the voters that are there and do not lie are a quorum, this
// node among them, they all deny it; where they are none, nobody could be elected anyway. The price is paid by a true
// leader that falls silent before it has sent what is missing, while others come back that never heard of it: nothing
// tells it from a liar. What else remains: a leader that a quorum follows can lie to a node that has just started, and
// an old disk whose node is restarted once more forgets what it was told.
#include <string>
#include <utility>

#include "base/log.h"
#include "node/node.h"

namespace wh::node {

void Node::look_into_loss(raft::Index acknowledged, bool fresh, Millis now) {
  const raft::NodeId by = raft_->leader_id();
  if (disbelieved_.contains(by)) return raft_->step(now, raft::LossJudged{});
  if (loss_ && loss_->leader == by) return;  // asked already
  loss_.emplace(Loss{});
  loss_->leader = by;
  loss_->acknowledged = acknowledged;
  loss_->fresh = fresh;
  loss_->last = raft_->log().last_index();
  if (const raft::Member* member = raft_->configuration().find(by)) {
    loss_->leader_addresses.insert(member->raft_address);
    loss_->leader_addresses.insert(addresses_of(*member).raft_address);
  }
  ask_who_leads(now);
}

void Node::ask_who_leads(Millis now) {
  loss_->backing.clear();
  loss_->denying.clear();
  ++loss_->rounds;
  for (const raft::Member& member : raft_->configuration().members()) {
    if (member.suffrage != raft::Suffrage::voter || member.id == instance_) continue;
    loss_->asked.insert(next_number_);
    transport_.ask(next_number_++, addresses_of(member).raft_address, WhoAreYou{});
  }
  if (loss_->asked.empty()) loss_denied(now);
}

// Between two rounds: whether there is anything to ask still, and whether it is time. A round that is under way ends
// first: a disk that a quorum calls old is one, also when what it lacked has come meanwhile.
void Node::pump_loss(Millis now) {
  if (!loss_ || !loss_->asked.empty()) return;
  if (!raft_->looks_into_loss()) {
    logf(LogLevel::notice, "this node holds again what it is said to have acknowledged, and may vote");
    loss_.reset();
  } else if (now >= loss_->again_at) {
    ask_who_leads(now);
  }
}

Millis Node::loss_deadline() const { return raft_ && loss_ && loss_->asked.empty() ? loss_->again_at : kNever; }

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
               : loss_->leader_addresses.contains(who->leader_address)) {
      loss_->backing.insert(who->identity.instance);
    } else if (!who->leader_address.empty() || loss_->rounds > 1) {
      loss_->denying.insert(who->identity.instance);
    }
  }
  const bool backed = loss_->backing.size() >= configuration.quorum();
  if (backed && loss_->fresh) {
    const Loss loss = *std::exchange(loss_, std::nullopt);
    raft_->step(now, raft::LossJudged{});
    storage_.acknowledged_lost(loss.acknowledged, loss.last);
    return true;
  }
  if (!backed && loss_->denying.size() + (configuration.is_voter(instance_) ? 1 : 0) >= configuration.quorum()) {
    loss_denied(now);
  } else if (loss_->asked.empty()) {
    loss_unknown(now);
  }
  return true;
}

void Node::loss_denied(Millis now) {
  logf(LogLevel::warning,
       "%s, which leads, says that this node acknowledged entries up to %lu, and its log ends at %lu; %zu other voters "
       "do not follow that leader. It is not believed, and what is missing is taken from whoever leads",
       loss_leader_name().c_str(), loss_->acknowledged.value, loss_->last.value, loss_->denying.size());
  // Members only: of others there is no end.
  if (raft_->configuration().contains(loss_->leader)) disbelieved_.insert(loss_->leader);
  loss_.reset();
  raft_->step(now, raft::LossJudged{});
}

void Node::loss_unknown(Millis now) {
  loss_->again_at = now + options_.election_timeout_ms;
  if (loss_->rounds > 1) return;
  logf(LogLevel::warning,
       "this node neither votes nor campaigns for now: %s, which leads, says that it acknowledged entries up to %lu, "
       "its log ends at %lu; of the other voters %zu follow that leader, and too few deny it",
       loss_leader_name().c_str(), loss_->acknowledged.value, loss_->last.value, loss_->backing.size());
}

std::string Node::loss_leader_name() const {
  const raft::Member* member = raft_->configuration().find(loss_->leader);
  return member != nullptr ? member->name : "a node that is no member";
}

}  // namespace wh::node
