#include "sim/clients/queue_clients.h"

#include <algorithm>
#include <utility>

#include "sim/checks/checks.h"
#include "sim/checks/queue_audit.h"
#include "sim/clients/clients.h"
#include "sim/world/process.h"
#include "sim/world/world.h"

namespace wh::sim {

void QueueClients::fail(const Op& op, const std::string& what) {
  world_.fail("queue request " + std::to_string(op.id) + " " + what);
}

bool QueueClients::certain() const { return world_.options.duplicate_ppm == 0 && world_.options.reorder_ppm == 0; }

const machine::Machine& QueueClients::log_state() const { return world_.checks->cluster(cluster_).model; }

Host* QueueClients::usable(Host& host) const {
  return host.process && host.process->node().cluster() == cluster_ && cluster_ != node::kNoCluster ? &host : nullptr;
}

std::string QueueClients::request_of(std::string_view command) {
  auto decoded = machine::decode(command);
  const bool alone = !decoded || decoded->idempotency;
  auto* receive = alone ? nullptr : std::get_if<machine::Receive>(&decoded->body);
  auto* dequeue = alone ? nullptr : std::get_if<machine::Dequeue>(&decoded->body);
  if (receive != nullptr)
    receive->max = 1;
  else if (dequeue != nullptr && dequeue->count)
    dequeue->count = 1;
  else
    return std::string(command.substr(machine::kEnvelopeBytes));
  return machine::encode_command(decoded->body).substr(machine::kEnvelopeBytes);
}

// --- asking

void QueueClients::send(Host& host, Op& op) {
  const Committed& log = world_.checks->cluster(cluster_);
  op.host = host.number;
  op.life = host.incarnation;
  op.invoked = world_.step();
  op.invoked_at = world_.now();
  op.by_its_clock = world_.now(host);
  op.committed = raft::Index{log.log.size()};
  const auto decoded = machine::decode(op.command);
  if (const auto* receive = decoded ? std::get_if<machine::Receive>(&decoded->body) : nullptr) op.max = receive->max;
  if (const auto* dequeue = decoded ? std::get_if<machine::Dequeue>(&decoded->body) : nullptr)
    op.max = dequeue->count.value_or(0);
  Asked& asked = asked_[request_of(op.command)];
  ++asked.times;
  asked.wanted += std::max<uint32_t>(op.max, 1);
  asked.receives |= op.receives;
  asked.removes |= op.removes;
  asked.keyed |= op.keyed;
  if (op.receives) receives_[op.queue].push_back(op.id);
  open_.insert(op.id);
  world_.trace("queue client: request %lu, kind %zu on %s, at %s", op.id, decoded ? decoded->body.index() : 0,
               op.queue.c_str(), host.name.c_str());
  const bool may_forward = (op.by_operator ? operators_ : world_.prng).below(10) != 0;
  host.process->input([this, &host, id = op.id, may_forward] {
    const Op& asked = this->op(id);
    node::Node& node = host.process->node();
    if (asked.receives)
      node.submit_receive(kFirstToken + id, asked.command, asked.wait_ms, world_.now(host), asked.client);
    else
      node.submit_write(kFirstToken + id, asked.command, may_forward, world_.now(host));
  });
}

// The connection of a receive is gone before its answer.
void QueueClients::go_away(Op& op) {
  Host& host = world_.hosts[op.host];
  world_.trace("queue client: the client of request %lu goes away", op.id);
  op.gone = true;
  op.competes_until = world_.now() + op.wait_ms + kStrayMs;
  open_.erase(op.id);
  host.process->input([this, &host, id = op.id] {
    if (!host.process->node().cancel_receive(kFirstToken + id)) this->op(id).abandoned = true;
  });
}

void QueueClients::host_died(const Host& host) {
  std::erase_if(open_, [&](uint64_t id) {
    Op& one = op(id);
    if (one.host != host.number) return false;
    one.competes_until = world_.now() + one.wait_ms + kStrayMs;
    return true;
  });
}

void QueueClients::reconnected(const Host& host) {
  for (const uint64_t id : open_) {
    const Op& one = op(id);
    if (one.host != host.number || one.life != host.incarnation || !one.receives || one.removes || one.keyed) continue;
    Asked& asked = asked_.find(request_of(one.command))->second;
    ++asked.times;
    asked.wanted += std::max<uint32_t>(one.max, 1);
  }
}

// --- the log

bool QueueClients::committed(const raft::Entry& entry, const machine::Command& command, const machine::Reply& reply) {
  const auto* settle = std::get_if<machine::Settle>(&command.body);
  if (settle != nullptr && settle->verb == machine::SettleVerb::take_back) {
    if (reply.code != machine::ReplyCode::duplicate) took_back(*settle, reply);
    return true;
  }
  const auto found = asked_.find(request_of(entry.payload.view()));
  if (found == asked_.end()) return false;
  if (reply.code == machine::ReplyCode::duplicate) return true;
  replies_[entry.index.value] = reply;
  Asked& asked = found->second;
  if (const auto* receive = std::get_if<machine::Receive>(&command.body)) must_come_back(entry, *receive, reply);
  const bool counts = !asked.receives || (reply.count != 0 && reply.replayed_from == raft::Index{});
  if (counts) {
    ++asked.committed;
    asked.given += reply.count;
  }
  const std::string what = "a queue request at index " + std::to_string(entry.index.value);
  const bool too_much = asked.committed > asked.times || (asked.receives && asked.given > asked.wanted);
  const bool forgotten = asked.receives && asked.keyed && !world_.clients->keys_last();
  if (forgotten) return true;
  if (too_much && (certain() || !asked.receives))
    world_.fail(what + " took effect more often than it was asked for");
  else if (asked.committed + asked.refused > asked.times && certain())
    world_.fail(what + " is said to have had no effect, but it is committed");
  return true;
}

// By a node, of what nobody was told.
void QueueClients::took_back(const machine::Settle& settle, const machine::Reply& reply) {
  for (size_t i = 0; i < reply.outcomes.size(); ++i) {
    if (reply.outcomes[i] != machine::SettleOutcome::done) continue;
    const Delivered delivered{std::string(settle.queue), settle.receipts[i]};
    taken_back_.insert(delivered);
    lost_.erase(delivered);
    if (const auto told = told_.find(delivered); told != told_.end())
      fail(op(told->second), "was given a delivery, and a node took it back");
  }
}

void QueueClients::applied(const node::ClusterId& cluster, raft::Index index) {
  if (cluster != cluster_) return;
  const machine::Queues& queues = log_state().queues();
  std::erase_if(ready_since_, [&](const auto& one) { return queues.front(one.first) == nullptr; });
  for (auto at = queues.by_name().lower_bound(std::string(1, QueueAudit::kPrefix));
       at != queues.by_name().end() && at->first[0] == QueueAudit::kPrefix; ++at)
    if (at->second.front() != nullptr) ready_since_.try_emplace(at->first, index);
}

// --- for transactions

std::optional<QueueClients::Delivered> QueueClients::show_held(Prng& prng) {
  if (clients_.empty()) return std::nullopt;
  const std::vector<Delivered>& holds = clients_[prng.below(clients_.size())].holds;
  if (holds.empty()) return std::nullopt;
  return holds[prng.below(holds.size())];
}

std::optional<QueueClients::Delivered> QueueClients::take_held(Prng& prng) {
  std::optional<Delivered> held = show_held(prng);
  if (held)
    for (Client& client : clients_)
      std::erase_if(client.holds, [&](const Delivered& other) { return !(other < *held) && !(*held < other); });
  return held;
}

std::optional<QueueClients::Delivered> QueueClients::show_old(Prng& prng) const {
  if (old_.empty()) return std::nullopt;
  return old_[prng.below(old_.size())];
}

void QueueClients::give_back(const Delivered& delivered) {
  if (!clients_.empty()) clients_.front().holds.push_back(delivered);
}

// --- in time

void QueueClients::check_overdue() {
  const Options& o = world_.options;
  for (const uint64_t id : open_) {
    const Op& one = op(id);
    const Host& host = world_.hosts[one.host];
    if (!host.process || host.process->paused()) continue;
    const Millis wait = one.wait_ms * o.drift_percent * o.drift_percent / 10'000;
    if (world_.now() > one.invoked_at + wait + 2 * Millis{o.request_timeout_ms} + 3'000)
      return fail(one, "got no answer in time");
  }
}

bool QueueClients::waits_at(const Host& host) const {
  const node::Node& node = host.process->node();
  return node.waiting() != 0 && std::any_of(receives_.begin(), receives_.end(),
                                            [&](const auto& queue) { return node.waiting_for(queue.first) != 0; });
}

// Whoever waits is served in the turn in which something is there, or in the next, unless entries on their way may take
// it.
void QueueClients::looked(const Host& host) {
  const node::Node& node = host.process->node();
  const uint64_t before = std::exchange(keeps_waiting_[host.number], 0);
  if (node.waiting() == 0 || node.wants_turn() || host.disk.cluster != cluster_) return;
  const raft::Raft* raft = node.raft();
  if (raft == nullptr) return;
  if (raft->role() != raft::Role::leader) {
    if (waits_at(host)) world_.fail(host.name + ": lets receives wait, though it does not lead");
    return;
  }
  if (raft->transferring() || raft->log().last_index() != node.machine().applied()) return;
  const machine::Queues& queues = node.machine().queues();
  for (auto at = queues.by_name().lower_bound(std::string(1, QueueAudit::kPrefix));
       at != queues.by_name().end() && at->first[0] == QueueAudit::kPrefix; ++at) {
    if (at->second.front() == nullptr || node.waiting_for(at->first) == 0) continue;
    if (before == host.incarnation)
      world_.fail(host.name + ": lets receives wait for " + at->first + ", which has something for them");
    keeps_waiting_[host.number] = host.incarnation;
  }
}

}  // namespace wh::sim
