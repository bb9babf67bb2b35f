#include "node/old_disk.h"

#include <utility>

#include "base/log.h"

namespace wh::node {

void OldDisk::look_into(raft::Index acknowledged, bool fresh, Millis now) {
  const raft::NodeId by = ctx_.raft->leader_id();
  if (disbelieved_.contains(by)) return ctx_.raft->step(now, raft::LossJudged{});
  if (loss_ && loss_->leader == by) return;  // the voters are already being asked
  loss_.emplace(Loss{});
  loss_->leader = by;
  loss_->acknowledged = acknowledged;
  loss_->fresh = fresh;
  loss_->last = ctx_.raft->log().last_index();
  if (const raft::Member* member = ctx_.raft->configuration().find(by)) {
    loss_->leader_addresses.insert(member->raft_address);
    loss_->leader_addresses.insert(peers_.addresses_of(*member).raft_address);
  }
  ask_who_leads(now);
}

void OldDisk::ask_who_leads(Millis now) {
  loss_->backing.clear();
  loss_->denying.clear();
  ++loss_->rounds;
  for (const raft::Member& member : ctx_.raft->configuration().members()) {
    if (member.suffrage != raft::Suffrage::voter || member.id == ctx_.instance) continue;
    loss_->asked.insert(ctx_.next_number);
    ctx_.transport.ask(ctx_.next_number++, peers_.addresses_of(member).raft_address, WhoAreYou{});
  }
  if (loss_->asked.empty()) denied(now);
}

// Between two rounds: checks whether there is still something to ask, and whether it is time. A round in progress ends
// first: if a quorum says that a disk is old, it is old, even if the missing entries have arrived meanwhile.
void OldDisk::pump(Millis now) {
  if (!loss_ || !loss_->asked.empty()) return;
  if (!ctx_.raft->looks_into_loss()) {
    logf(LogLevel::notice, "this node holds again what it is said to have acknowledged, and may vote");
    loss_.reset();
  } else if (now >= loss_->again_at) {
    ask_who_leads(now);
  }
}

Millis OldDisk::next_deadline() const { return ctx_.raft && loss_ && loss_->asked.empty() ? loss_->again_at : kNever; }

bool OldDisk::answered(uint64_t request, const Result<Answer>& answer, Millis now) {
  if (!loss_ || loss_->asked.erase(request) == 0) return false;
  if (!ctx_.raft) {
    loss_.reset();
    return true;
  }
  const auto* who = answer ? std::get_if<WhoIAm>(&*answer) : nullptr;
  const raft::Configuration& configuration = ctx_.raft->configuration();
  if (who != nullptr && who->identity.cluster == ctx_.cluster && who->identity.instance != ctx_.instance &&
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
    ctx_.raft->step(now, raft::LossJudged{});
    ctx_.storage.acknowledged_lost(loss.acknowledged, loss.last);
    return true;
  }
  if (!backed && loss_->denying.size() + (configuration.is_voter(ctx_.instance) ? 1 : 0) >= configuration.quorum()) {
    denied(now);
  } else if (loss_->asked.empty()) {
    unknown(now);
  }
  return true;
}

void OldDisk::denied(Millis now) {
  logf(LogLevel::warning,
       "%s, which leads, says that this node acknowledged entries up to %lu, and its log ends at %lu; %zu other voters "
       "do not follow that leader. It is not believed, and what is missing is taken from whoever leads",
       leader_name().c_str(), loss_->acknowledged.value, loss_->last.value, loss_->denying.size());
  // Remembers members only: the number of other nodes has no bound.
  if (ctx_.raft->configuration().contains(loss_->leader)) disbelieved_.insert(loss_->leader);
  loss_.reset();
  ctx_.raft->step(now, raft::LossJudged{});
}

void OldDisk::unknown(Millis now) {
  loss_->again_at = now + ctx_.options.election_timeout_ms;
  if (loss_->rounds > 1) return;
  logf(LogLevel::warning,
       "this node neither votes nor campaigns for now: %s, which leads, says that it acknowledged entries up to %lu, "
       "its log ends at %lu; of the other voters %zu follow that leader, and too few deny it",
       leader_name().c_str(), loss_->acknowledged.value, loss_->last.value, loss_->backing.size());
}

std::string OldDisk::leader_name() const {
  const raft::Member* member = ctx_.raft->configuration().find(loss_->leader);
  return member != nullptr ? member->name : "a node that is no member";
}

}  // namespace wh::node
