// How the clients of the queues empty them in the end: what is left must come.
#include <algorithm>
#include <utility>

#include "sim/checks/checks.h"
#include "sim/checks/queue_audit.h"
#include "sim/clients/queue_clients.h"
#include "sim/world/process.h"
#include "sim/world/world.h"

namespace wh::sim {
namespace {

constexpr Millis kLostMs = 15'000;
constexpr uint64_t kMuchInFlight = 1 << 20;

}  // namespace

uint64_t QueueClients::ask(size_t client, Host& host, const std::string& queue, const machine::Body& body,
                           Millis wait_ms) {
  Op& one = ops_.emplace_back();
  one.id = ops_.size();
  one.client = client;
  one.queue = queue;
  one.wait_ms = wait_ms;
  one.receives = std::holds_alternative<machine::Receive>(body);
  one.command = machine::encode_command(body);
  if (const auto* settle = std::get_if<machine::Settle>(&body))
    for (const machine::Receipt& receipt : settle->receipts) one.settles.push_back({queue, receipt});
  clients_[client].open.push_back(one.id);
  send(host, one);
  return one.id;
}

void QueueClients::drain(std::function<Host*()> host) {
  drain_host_ = std::move(host);
  // One consumer settles for all.
  for (Client& client : clients_) {
    if (&client == clients_.data()) continue;
    clients_[0].holds.insert(clients_[0].holds.end(), client.holds.begin(), client.holds.end());
    client.holds.clear();
  }
  clients_[0].open.clear();
  drain_step();
}

bool QueueClients::drained() const {
  if (log_state().version() < 3 || world_.options.queue_clients == 0) return true;
  return open_.empty() && clients_[0].holds.empty() && probe_served_ && left().empty();
}

std::string QueueClients::left() const {
  std::string out;
  for (const auto& [name, queue] : log_state().queues().by_name()) {
    if (name[0] != QueueAudit::kPrefix || queue.size() == 0) continue;
    out += name + " has " + std::to_string(queue.content->ready_count) + " ready, " +
           std::to_string(queue.content->delayed_count) + " delayed, " + std::to_string(queue.content->reserved_count) +
           " held; ";
  }
  return out;
}

void QueueClients::drain_step() {
  if (world_.failed()) return;
  // The version may rise yet, and then there is something to drain.
  if (!drained()) {
    check_come_back();
    if (Host* host = drain_host_()) drain_through(*host);
  }
  world_.after(20'000, [this] { drain_step(); });
}

// At any time one request about a queue is under way.
void QueueClients::drain_through(Host& host) {
  Client& client = clients_[0];
  std::set<std::string> busy;
  std::erase_if(client.open, [&](uint64_t number) {
    const Op& one = op(number);
    const Host& asked = world_.hosts[one.host];
    const bool ended = one.done || one.gone || !asked.process || asked.incarnation != one.life;
    if (!ended && one.receives) busy.insert(one.queue);
    if (!ended && !one.receives) busy.insert(one.queue + " settled");
    return ended;
  });
  while (!client.holds.empty()) {
    const std::string queue = client.holds.front().queue;
    machine::Settle settle{.queue = queue, .verb = machine::SettleVerb::acknowledge, .receipts = {}};
    std::erase_if(client.holds, [&](const Delivered& one) {
      if (one.queue != queue) return false;
      settle.receipts.push_back(one.receipt);
      return true;
    });
    (void)ask(0, host, queue, settle, 0);
  }
  for (const auto& [name, queue] : log_state().queues().by_name()) {
    if (name[0] != QueueAudit::kPrefix || busy.contains(name)) continue;
    if (queue.paused_in || queue.paused_out) {
      if (!busy.contains(name + " settled")) (void)ask(0, host, name, machine::PauseQueue{name, false, false}, 0);
    } else if (queue.size() != 0) {
      (void)drain_receive(host, name, 1'000);
    }
  }
  if (probe_served_ || busy.contains(kProbe)) {
    probe(host);
    return;
  }
  probe_ = drain_receive(host, kProbe, 5'000);
  probe_put_ = 0;
}

// Some answers get lost: their visibility tells the request.
uint64_t QueueClients::drain_receive(Host& host, const std::string& queue, Millis wait_ms) {
  const bool patient = world_.options.max_uncommitted_bytes > kMuchInFlight && world_.options.max_pending == 0;
  const bool loses = certain() && patient && world_.prng.below(4) == 0;
  const Millis visibility = loses ? kLostMs + ops_.size() + 1 : machine::kMinVisibilityMs;
  const uint64_t id =
      ask(0, host, queue, machine::Receive{.queue = queue, .max = 10, .visibility = visibility}, wait_ms);
  op(id).loses = loses;
  if (loses && world_.prng.below(2) == 0)
    world_.after(world_.prng.below(30'000), [this, id] {
      Op& receive = op(id);
      if (receive.done || !open_.contains(id)) return;
      go_away(receive);
    });
  return id;
}

void QueueClients::must_come_back(const raft::Entry& entry, const machine::Receive& receive,
                                  const machine::Reply& reply) {
  if (receive.visibility.value_or(0) <= kLostMs) return;
  for (const machine::Delivery& one : reply.deliveries)
    lost_[{std::string(receive.queue), {one.id, one.delivery}}] = {world_.now(), *receive.visibility - kLostMs,
                                                                   entry.term};
}

// A node that died or was removed, a leader that is none any more, and one that has too much in flight may leave it to
// the deadline.
void QueueClients::check_come_back() {
  const Millis patience = 2'000 + 2 * Millis{world_.options.request_timeout_ms};
  std::erase_if(lost_, [&](const auto& one) {
    const auto& [delivered, lost] = one;
    if (world_.now() < lost.since + patience) return false;
    const Op& receive = op(lost.op);
    const Host& host = world_.hosts[receive.host];
    const bool same = host.process && host.incarnation == receive.life && !host.process->node().removed() &&
                      world_.checks->cluster(cluster_).log.back().entry.term == lost.term;
    if (same) fail(receive, "left what was delivered to nobody to its deadline");
    return true;
  });
}

// A receive that waits is served with what comes, by one entry that puts it in.
void QueueClients::probe(Host& host) {
  if (probe_ == 0 || probe_served_) return;
  const Op& receive = op(probe_);
  if (probe_put_ != 0 && op(probe_put_).done && op(probe_put_).outcome != node::Outcome::applied) probe_put_ = 0;
  if (probe_put_ == 0 && world_.now() > receive.invoked_at + 100)
    probe_put_ =
        ask(0, host, kProbe, machine::PutEvents{kProbe, {{.bytes = "probe", .delay = world_.prng.below(2) * 400}}}, 0);
}

}  // namespace wh::sim
