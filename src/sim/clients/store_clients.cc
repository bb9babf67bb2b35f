// What the clients of the store are told, and whether it is true.
#include "sim/clients/store_clients.h"

#include <algorithm>
#include <utility>

#include "sim/checks/checks.h"
#include "sim/world/process.h"
#include "sim/world/world.h"

namespace wh::sim {

void StoreClients::fail(const Request& request, const std::string& what) {
  world_.fail("store request " + std::to_string(request.op.id) + " " + what);
}

bool StoreClients::certain() const { return world_.options.duplicate_ppm == 0 && world_.options.reorder_ppm == 0; }

const machine::Machine& StoreClients::log_state() const { return world_.checks->cluster(cluster_).model; }

Host* StoreClients::usable(Host& host) const {
  return host.process && host.process->node().cluster() == cluster_ && cluster_ != node::kNoCluster ? &host : nullptr;
}

// --- asking

void StoreClients::send(Host& host, Request& request) {
  Op& op = request.op;
  const Committed& log = world_.checks->cluster(cluster_);
  op.host = host.number;
  op.life = host.incarnation;
  op.invoked = world_.step();
  op.invoked_at = world_.now();
  request.newest = newest_;
  if (!log.log.empty()) request.term = log.log.back().entry.term;
  open_.insert(op.id);
  if (!op.is_read()) {
    Asked& asked = asked_[std::string(op.body())];
    if (asked.times++ == 0) asked.first = op.id;
  }
  world_.trace("store client: request %lu, kind %d, at %s", op.id, static_cast<int>(op.kind), host.name.c_str());
  const bool may_forward = prng_.below(10) != 0;
  host.process->input([this, &host, id = op.id, may_forward] {
    Request& asked = this->request(id);
    if (asked.op.is_read())
      read(host, asked);
    else
      host.process->node().submit_write(kFirstToken + id, asked.op.command, may_forward, world_.now(host));
  });
}

// As the server does it: a stale read asks no other node, and a node without a log knows nothing.
void StoreClients::read(Host& host, Request& request) {
  node::Node& node = host.process->node();
  const node::Token token = kFirstToken + request.op.id;
  if (!request.op.stale) return node.submit_read(token, world_.now(host), {.stale = false, .min_index = {}});
  if (host.process->doomed) return;
  const bool knows = node.cluster() == cluster_ && node.raft() != nullptr;
  completed(host, {token, knows ? node::Outcome::applied : node::Outcome::dropped, node.machine().applied(), {}});
}

void StoreClients::host_died(const Host& host) {
  std::erase_if(open_, [&](uint64_t id) { return request(id).op.host == host.number; });
}

// --- answers

void StoreClients::completed(Host& host, const node::Completion& completion) {
  const uint64_t id = completion.token - kFirstToken;
  if (id <= kFirstId || id > kFirstId + requests_.size()) return world_.fail("an answer to nobody");
  Request& one = request(id);
  Op& op = one.op;
  if (op.done) return fail(one, "was answered twice");
  if (op.host != host.number || op.life != host.incarnation) return fail(one, "was answered by another process");
  op.done = true;
  op.outcome = completion.outcome;
  op.index = completion.index;
  op.returned = world_.step();
  open_.erase(id);
  world_.trace("store client: request %lu outcome %d at index %lu, code %d", id, static_cast<int>(completion.outcome),
               completion.index.value, static_cast<int>(completion.reply.code));
  if (!op.applied()) {
    if (op.is_read() || op.outcome == node::Outcome::unknown) return;
    Asked& asked = asked_.find(op.body())->second;
    ++asked.refused;
    if (asked.committed + asked.refused > asked.times && certain())
      fail(one, "is said to have had no effect, but it is committed");
    return;
  }
  if (op.is_read()) return look(host, one);
  if (completion.reply.code == machine::ReplyCode::duplicate) {  // the copy's answer came first
    op.outcome = node::Outcome::unknown;
    return;
  }
  op.reply = completion.reply;
  newest_ = std::max(newest_, op.index);
  if (check_entry(one)) answered(one);
}

// An answer is what its entry in the log did.
bool StoreClients::check_entry(const Request& request) {
  const Op& op = request.op;
  const Committed::Position* position = world_.checks->cluster(cluster_).at(op.index);
  if (position == nullptr) return fail(request, "is acknowledged, not committed"), false;
  if (position->entry.payload.view().substr(machine::kEnvelopeBytes) != op.body())
    return fail(request, "is acknowledged for another entry"), false;
  if (position->step < op.invoked) return fail(request, "is answered by an entry older than it is"), false;
  if (!answered_.emplace(op.index.value, op.id).second)
    return fail(request, "and another were answered for one entry"), false;
  const auto known = replies_.find(op.index.value);
  if (known == replies_.end() || !(known->second == *op.reply))
    return fail(request, "was told what did not happen"), false;
  if (op.reply->code == machine::ReplyCode::invalid) return fail(request, "was no command"), false;
  if (position->entry.term > request.term && request.settles && op.reply->code == machine::ReplyCode::ok)
    ++world_.seen[Situation::transaction_over_failover];
  if (op.replayed()) ++world_.seen[Situation::transaction_again];
  return true;
}

void StoreClients::answered(Request& request) {
  const Op& op = request.op;
  const auto command = machine::decode(op.command);
  if (!command) return;
  const machine::ReplyCode code = op.reply->code;
  if (const auto* grant = std::get_if<machine::GrantLease>(&command->body);
      grant != nullptr && code == machine::ReplyCode::ok) {
    const Lease lease{op.reply->event_id.value, grant->ttl};
    leases_.push_back(lease);
    if (leases_.size() > 6) leases_.pop_front();
    // Most are kept for a while, by somebody who asks each third of the ttl.
    if (prng_.below(4) != 0) keeper(lease, world_.now() + prng_.below(6'000));
  }
  if (std::holds_alternative<machine::KeepLease>(command->body) && code == machine::ReplyCode::not_found)
    ++world_.seen[Situation::lease_gone_told];
  const auto* transact = std::get_if<machine::Transact>(&command->body);
  if (transact == nullptr) return;
  if (code == machine::ReplyCode::conflict && request.settles) ++world_.seen[Situation::transaction_receipt_stale];
  if (code == machine::ReplyCode::conflict && !request.settles) ++world_.seen[Situation::counter_refused];
  if (code == machine::ReplyCode::not_found) ++world_.seen[Situation::put_without_lease];
  if (code == machine::ReplyCode::ok && transact->must_hold && !transact->compares.empty())
    ++world_.seen[Situation::put_on_condition];
  if (code != machine::ReplyCode::ok && request.settles && !world_.queue_clients->drains())
    world_.queue_clients->give_back(*request.settles);
}

// What a node's state shows to a read that is answered now.
void StoreClients::look(Host& host, Request& request) {
  Op& op = request.op;
  const machine::Machine& machine = host.process->node().machine();
  if (machine.applied() != op.index) return fail(request, "is answered as of an index that is not applied");
  if (op.index.value > world_.checks->cluster(cluster_).log.size())
    return fail(request, "is answered as of an index that is not committed");
  if (!op.stale && op.index < request.newest) return fail(request, "read a state older than one that was told before");
  raft::Index& seen_at = seen_at_[{op.host, op.life}];
  if (op.index < seen_at) return fail(request, "read an older state than one before it, from the same node");
  seen_at = op.index;
  if (!op.stale) newest_ = std::max(newest_, op.index);
  const machine::Store& store = machine.store();
  const auto shown = [&](const std::string& key, const machine::Item& item) {
    if (machine.version() < 4) return machine::KeyItem{.key = key, .value = item.value};
    return machine.shown(key, item);
  };
  if (op.kind == OpKind::item) {
    if (const machine::Item* item = machine.find(op.key)) op.items.push_back(shown(op.key, *item));
    return;
  }
  if (op.kind == OpKind::lease) {
    const machine::Lease* lease = machine.find_lease(op.lease);
    op.found = lease != nullptr;
    if (op.found) op.ttl = lease->ttl;
    if (op.found) op.deadline = lease->deadline;
    return;
  }
  for (auto at = store.items().lower_bound(op.key);
       at != store.items().end() && at->first.starts_with(op.key) && op.items.size() < op.number; ++at)
    if (!store.is_over(at->second, machine.time_ms(), machine.cluster_time_ms()))
      op.items.push_back(shown(at->first, at->second));
}

// --- the log

bool StoreClients::committed(const raft::Entry& entry, const machine::Command& /*command*/,
                             const machine::Reply& reply) {
  const auto found = asked_.find(entry.payload.view().substr(machine::kEnvelopeBytes));
  if (found == asked_.end()) return false;
  replies_[entry.index.value] = reply;
  Asked& asked = found->second;
  ++asked.committed;
  const std::string what = "a store request at index " + std::to_string(entry.index.value);
  if (asked.committed > asked.times)
    world_.fail(what + " took effect more often than it was asked for");
  else if (asked.committed + asked.refused > asked.times && certain())
    world_.fail(what + " is said to have had no effect, but it is committed");
  return true;
}

void StoreClients::check_overdue() {
  for (const uint64_t id : open_) {
    const Request& one = request(id);
    const Host& host = world_.hosts[one.op.host];
    if (!host.process || host.process->paused()) continue;
    if (world_.now() > one.op.invoked_at + 2 * Millis{world_.options.request_timeout_ms} + 3'000)
      return fail(one, "got no answer in time");
  }
}

// --- the verdict

void StoreClients::add_to(std::vector<const Op*>& ops) const {
  for (const Request& one : requests_) ops.push_back(&one.op);
}

const Op* StoreClients::asker(std::string_view body) const {
  const auto found = asked_.find(body);
  return found == asked_.end() ? nullptr : &requests_[found->second.first - kFirstId - 1].op;
}

}  // namespace wh::sim
