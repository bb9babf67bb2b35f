// What the clients of the queues are told, and whether it is true.
#include <algorithm>

#include "sim/checks/checks.h"
#include "sim/clients/queue_clients.h"
#include "sim/world/process.h"
#include "sim/world/world.h"

namespace wh::sim {

void QueueClients::completed(Host& host, const node::Completion& completion) {
  const uint64_t id = completion.token - kFirstToken;
  if (id == 0 || id > ops_.size()) return world_.fail("an answer to nobody");
  Op& one = op(id);
  if (one.done) return fail(one, "was answered twice");
  if (one.gone && !one.abandoned) return fail(one, "was answered after its client went away");
  if (one.host != host.number || one.life != host.incarnation) return fail(one, "was answered by another process");
  one.done = true;
  one.outcome = completion.outcome;
  open_.erase(id);
  world_.trace("queue client: request %lu outcome %d at index %lu, code %d, %zu deliveries", id,
               static_cast<int>(completion.outcome), completion.index.value, static_cast<int>(completion.reply.code),
               completion.reply.deliveries.size());
  const bool applied = completion.outcome == node::Outcome::applied;
  if (one.gone) {  // as the server does it
    if (!one.keyed && !one.removes)
      host.process->node().take_back(one.queue, completion.reply.deliveries, world_.now(host));
    return;
  }
  one.competes_until = world_.now() + (applied ? 0 : one.wait_ms + kStrayMs);
  if (!applied) {
    clients_[one.client].holds.insert(clients_[one.client].holds.end(), one.settles.begin(), one.settles.end());
    if (completion.outcome == node::Outcome::unknown || (one.receives && !one.removes)) return;
    Asked& asked = asked_.find(request_of(one.command))->second;
    ++asked.refused;
    if (asked.committed + asked.refused > asked.times && certain())
      fail(one, "is said to have had no effect, but it is committed");
    return;
  }
  if (completion.reply.code == machine::ReplyCode::duplicate) {  // the copy's answer came first
    one.outcome = node::Outcome::unknown;
    return;
  }
  if (one.receives) return received(host, one, completion);
  (void)check_entry(one, completion.index, completion.reply);
}

// The next deliveries of the entry that were told to nobody, no more than were asked for.
bool QueueClients::is_part(const Op& op, uint64_t index, const machine::Reply& part) {
  const machine::Reply& whole = replies_.at(index);
  std::vector<bool>& told = parts_[index];
  told.resize(whole.deliveries.size());
  const auto begin =
      std::search(whole.deliveries.begin(), whole.deliveries.end(), part.deliveries.begin(), part.deliveries.end());
  if (begin == whole.deliveries.end() || part.deliveries.size() > op.max) return false;
  for (size_t i = 0; i < part.deliveries.size(); ++i) {
    const auto at = told.begin() + (begin - whole.deliveries.begin()) + static_cast<ptrdiff_t>(i);
    if (*at) return false;
    *at = true;
  }
  machine::Reply expected = whole;
  expected.deliveries = part.deliveries;
  expected.count = part.deliveries.size();
  if (op.removes) expected.event_id = raft::Index{part.deliveries.front().id};
  return expected == part;
}

// An answer is what its entry in the log did, within the time of the request.
bool QueueClients::check_entry(const Op& op, raft::Index index, const machine::Reply& reply) {
  const Committed& log = world_.checks->cluster(cluster_);
  const Committed::Position* position = log.at(index);
  if (position == nullptr) return fail(op, "is acknowledged, not committed"), false;
  if (request_of(position->entry.payload.view()) != request_of(op.command))
    return fail(op, "is acknowledged for another entry"), false;
  if (position->step < op.invoked) return fail(op, "is answered by an entry older than it is"), false;
  const bool parts = op.receives && op.max != 0 && !op.keyed;
  const auto [answered, first] = answered_.emplace(index.value, op.id);
  if (!first && !parts) return fail(op, "and another were answered for one entry"), false;
  if (!first) ++world_.seen[Situation::received_together];
  const auto known = replies_.find(index.value);
  const bool true_answer =
      known != replies_.end() && (parts ? is_part(op, index.value, reply) : known->second == reply);
  if (!true_answer) return fail(op, "was told what did not happen"), false;
  if (reply.code == machine::ReplyCode::full) ++world_.seen[Situation::queue_full];
  if (std::find(reply.outcomes.begin(), reply.outcomes.end(), machine::SettleOutcome::stale) != reply.outcomes.end())
    ++world_.seen[Situation::receipt_stale];
  return true;
}

void QueueClients::received(Host& host, Op& op, const node::Completion& completion) {
  const machine::Reply& reply = completion.reply;
  const bool replayed = reply.replayed_from != raft::Index{};
  if (reply.code == machine::ReplyCode::ok && reply.count == 0 && !replayed) return nothing_found(host, op);
  if (!check_entry(op, completion.index, reply)) return;
  const Committed& log = world_.checks->cluster(cluster_);
  const raft::Index before = op.committed;
  if (replayed && !reply.deliveries.empty()) {
    const Committed::Position* first = log.at(reply.replayed_from);
    if (first != nullptr && first->entry.term != log.at(completion.index)->entry.term)
      ++world_.seen[Situation::received_again];
  }
  const auto ready = ready_since_.find(op.queue);
  const bool waited = world_.now() >= op.invoked_at + 200 && op.wait_ms > 200;
  if (waited && completion.index > before && (ready == ready_since_.end() || ready->second > before)) {
    const raft::Raft* raft = host.process->node().raft();
    const bool leads = raft != nullptr && raft->role() == raft::Role::leader;
    ++world_.seen[leads ? Situation::received_waiting : Situation::received_waiting_elsewhere];
  }
  if (!op.removes) told(host, op, reply);
}

void QueueClients::told(Host& host, Op& op, const machine::Reply& reply) {
  Client& client = clients_[op.client];
  for (const machine::Delivery& one : reply.deliveries) {
    const Delivered delivered{op.queue, {one.id, one.delivery}};
    if (taken_back_.contains(delivered)) return fail(op, "was given a delivery that was taken back");
    const auto [at, first] = told_.emplace(delivered, op.id);
    if (!first && (op.key.empty() || this->op(at->second).key != op.key))
      return fail(op, "was given what request " + std::to_string(at->second) + " was given");
    old_.push_back(delivered);
    client.holds.push_back(delivered);
  }
  if (drain_host_ && op.queue == kProbe && !op.loses && !reply.deliveries.empty()) probe_served_ = true;
  if (old_.size() > kMostOld) old_.erase(old_.begin(), old_.begin() + kMostOld / 2);
  if (reply.deliveries.empty() || (drain_host_ ? !op.loses : world_.prng.below(20) != 0)) return;
  // The answer does not reach its client.
  world_.trace("queue client: the answer to request %lu is lost", op.id);
  op.gone = true;
  client.holds.resize(client.holds.size() - reply.deliveries.size());
  if (op.keyed) return;
  for (const machine::Delivery& one : reply.deliveries) told_.erase({op.queue, {one.id, one.delivery}});
  host.process->node().take_back(op.queue, reply.deliveries, world_.now(host));
}

void QueueClients::nothing_found(Host& host, const Op& op) {
  const Options& o = world_.options;
  if (op.wait_ms > 200) ++world_.seen[Situation::received_in_vain];
  if (o.drift_percent == 100 && o.clock_jump_every_ms == 0 && world_.now(host) + 2 < op.by_its_clock + op.wait_ms)
    return fail(op, "was told that there is nothing before its wait was over");
  const auto ready = ready_since_.find(op.queue);
  if (ready == ready_since_.end() || ready->second > op.committed || !certain()) return;
  std::vector<uint64_t>& others = receives_[op.queue];
  std::erase_if(others, [&](uint64_t id) {
    return this->op(id).competes_until < op.invoked_at - std::min(op.invoked_at, kStrayMs);
  });
  const bool alone = std::all_of(others.begin(), others.end(), [&](uint64_t id) {
    return id == op.id || this->op(id).competes_until < op.invoked_at;
  });
  if (alone) fail(op, "was told that there is nothing, though something was there all the time");
}

}  // namespace wh::sim
