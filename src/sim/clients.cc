#include "sim/clients.h"

#include <algorithm>

#include "machine/command.h"
#include "sim/checks.h"
#include "sim/process.h"
#include "sim/world.h"

namespace wh::sim {
namespace {
constexpr const char* kQueue = "event";
constexpr const char* kOutcomes[] = {"applied",       "not leader", "dropped",   "unknown",   "overloaded",
                                     "shutting down", "conflict",   "not found", "timed out", "no room"};
}  // namespace

void Clients::start(const node::ClusterId& cluster) {
  cluster_ = cluster;
  running_ = true;
  for (size_t client = 0; client < world_.options.clients; ++client) loop(client);
}

bool Clients::certain() const { return world_.options.duplicate_ppm == 0 && world_.options.reorder_ppm == 0; }

std::string Clients::key() const { return "k" + std::to_string(world_.prng.below(world_.options.keys)); }

void Clients::loop(size_t client) {
  if (!running_) return;
  std::vector<uint64_t>& mine = under_way_[client];
  std::erase_if(mine, [&](uint64_t number) {
    const Op& op = ops_[number - 1];
    const Host& host = world_.hosts[op.host];
    return op.done || !host.process || host.incarnation != op.life;
  });
  if (mine.size() < world_.options.pipelined) {
    Host& host = world_.hosts[world_.prng.below(world_.hosts.size())];
    if (host.process && host.process->node().identity().cluster == cluster_ && cluster_ != node::kNoCluster) {
      static constexpr OpKind kMix[] = {OpKind::set,     OpKind::set,   OpKind::get,     OpKind::get, OpKind::enqueue,
                                        OpKind::enqueue, OpKind::front, OpKind::dequeue, OpKind::del, OpKind::get};
      mine.push_back(issue(host, kMix[world_.prng.below(std::size(kMix))]));
    }
  }
  world_.after(world_.prng.below(uint64_t{2'000} * world_.options.think_ms) + 1, [this, client] { loop(client); });
}

void Clients::fill(Op& op) {
  machine::Body body;
  std::vector<std::string> kept;
  const std::string tag = std::to_string(op.id);
  switch (op.kind) {
    case OpKind::set: {
      const size_t pairs = world_.prng.below(5) == 0 ? 3 : 1;
      for (size_t i = 0; i < pairs; ++i) op.pairs.emplace_back(key(), "v" + tag + "." + std::to_string(i));
      machine::Set set;
      for (const auto& [k, v] : op.pairs) set.pairs.emplace_back(k, v);
      body = std::move(set);
      break;
    }
    case OpKind::del:
      op.key = key();
      body = machine::Delete{{op.key}};
      break;
    case OpKind::enqueue:
      op.key = kQueue;
      op.value = "e" + tag + std::string(world_.prng.below(world_.options.event_bytes), '.');
      body = machine::Enqueue{op.key, op.value};
      break;
    case OpKind::dequeue:
      op.key = kQueue;
      if (last_event_ != 0 && world_.prng.below(2) == 0) op.only_if_front = last_event_;
      body = machine::Dequeue{op.key, op.only_if_front};
      break;
    case OpKind::get:
      op.key = key();
      return;
    case OpKind::front:
      op.key = kQueue;
      return;
  }
  op.body = machine::encode_body(body);
  if (op.kind == OpKind::set || op.kind == OpKind::enqueue) by_content_[op.body] = op.id;
}

uint64_t Clients::issue(Host& host, OpKind kind) {
  Op& op = ops_.emplace_back();
  op.id = ops_.size();
  op.kind = kind;
  op.host = host.number;
  op.life = host.incarnation;
  op.invoked = world_.step();
  op.invoked_at = world_.now();
  fill(op);
  open_.insert(op.id);
  world_.trace("client: operation %lu, kind %d, at %s", op.id, static_cast<int>(kind), host.name.c_str());
  const bool may_forward = world_.prng.below(10) != 0;
  host.process->input([this, &host, id = op.id, body = op.body, read = op.is_read(), may_forward] {
    if (read) {
      host.process->node().submit_read(id, world_.now(host));
    } else {
      host.process->node().submit_write(id, body, may_forward, world_.now(host));
    }
  });
  return op.id;
}

uint64_t Clients::administer(Host& host, node::AdminRequest request) {
  const uint64_t number = next_admin_++;
  admin_open_.insert(number);
  static constexpr const char* kKinds[] = {"add", "remove", "transfer"};
  world_.trace("administrator: %s %s at %s", kKinds[static_cast<size_t>(request.kind)], request.name.c_str(),
               host.name.c_str());
  host.process->input([this, &host, number, moved = std::move(request)] {
    host.process->node().submit_admin(number, moved, world_.now(host));
  });
  return number;
}

const node::Completion* Clients::administered(uint64_t number) const {
  const auto found = admin_.find(number);
  return found == admin_.end() ? nullptr : &found->second;
}

void Clients::host_died(const Host& host) {
  // Nobody will answer: what became of it is not known.
  std::erase_if(open_, [&](uint64_t id) { return ops_[id - 1].host == host.number; });
}

void Clients::completed(Host& host, const node::Completion& completion) {
  ++outcomes[kOutcomes[static_cast<size_t>(completion.outcome)]];
  if (completion.token >= uint64_t{1} << 40) {
    if (!admin_.emplace(completion.token, completion).second) world_.fail("an administrator was answered twice");
    world_.trace("administrator: %s %s", kOutcomes[static_cast<size_t>(completion.outcome)], completion.reply.c_str());
    return;
  }
  if (completion.token == 0 || completion.token > ops_.size()) return world_.fail("an answer to nobody");
  Op& op = ops_[completion.token - 1];
  if (op.done) return world_.fail("operation " + std::to_string(op.id) + " was answered twice");
  if (op.host != host.number || op.life != host.incarnation)
    return world_.fail("operation " + std::to_string(op.id) + " was answered by another process");
  op.done = true;
  op.outcome = completion.outcome;
  op.index = completion.index;
  op.returned = world_.step();
  open_.erase(op.id);
  world_.trace("client: operation %lu %s at index %lu", op.id, kOutcomes[static_cast<size_t>(op.outcome)],
               op.index.value);
  const Committed& cluster = world_.checks->cluster(cluster_);
  if (op.outcome == node::Outcome::applied && op.is_read()) {
    const machine::Machine& machine = host.process->node().machine();
    if (machine.applied() != op.index) return world_.fail("a read is answered as of an index that is not applied");
    if (op.kind == OpKind::get) {
      const Bytes* value = machine.get(op.key);
      op.found = value != nullptr;
      if (op.found) op.value = value->view();
    } else {
      const machine::Event* event = machine.front(op.key);
      op.found = event != nullptr;
      if (op.found) {
        op.value = event->bytes.view();
        last_event_ = event->id.value;
      }
    }
  } else if (op.outcome == node::Outcome::applied) {
    const auto reply = machine::decode_reply(completion.reply);
    if (!reply) return world_.fail("an answer that is no reply");
    op.reply = *reply;
    // The copy's answer came before the original's: what became of the original is not known.
    if (reply->code == machine::ReplyCode::duplicate) {
      op.outcome = node::Outcome::unknown;
      return;
    }
    const Committed::Position* position = cluster.at(op.index);
    if (position == nullptr)
      return world_.fail("operation " + std::to_string(op.id) + " is acknowledged, not committed");
    if (position->entry.payload.view().substr(machine::kEnvelopeBytes) != op.body)
      return world_.fail("operation " + std::to_string(op.id) + " is acknowledged for another entry");
  } else if (op.outcome != node::Outcome::unknown && !op.is_read()) {
    // A copy that the network made may be refused while the original goes on; TCP makes none.
    if (committed_at_.contains(op.id) && certain())
      return world_.fail("operation " + std::to_string(op.id) + " is said to have had no effect, but it is committed");
  }
}

void Clients::committed(const node::ClusterId& cluster, const raft::Entry& entry, const machine::Reply& reply) {
  if (cluster != cluster_) return;
  duplicates_[entry.index.value] = reply.code == machine::ReplyCode::duplicate;
  if (reply.code == machine::ReplyCode::duplicate) {
    ++world_.seen[Situation::duplicate_recognised];
    return;
  }
  const auto found = by_content_.find(std::string(entry.payload.view().substr(machine::kEnvelopeBytes)));
  if (found == by_content_.end()) return;
  const Op& op = ops_[found->second - 1];
  if (!committed_at_.emplace(op.id, entry.index).second)
    return world_.fail("operation " + std::to_string(op.id) + " took effect twice");
  if (op.done && op.outcome != node::Outcome::applied && op.outcome != node::Outcome::unknown && certain())
    world_.fail("operation " + std::to_string(op.id) + " was said to have had no effect, and is committed now");
}

void Clients::check_overdue() {
  for (const uint64_t id : open_) {
    const Op& op = ops_[id - 1];
    const Host& host = world_.hosts[op.host];
    if (!host.process || host.process->paused()) continue;
    if (world_.now() > op.invoked_at + 2 * Millis{world_.options.request_timeout_ms} + 3'000)
      return world_.fail("operation " + std::to_string(id) + " got no answer in time");
  }
}

std::string Clients::verdict(const node::ClusterId& cluster) {
  std::vector<const Op*> ops;
  for (const Op& op : ops_) ops.push_back(&op);
  std::vector<LogRecord> log;
  // Dequeues are all alike: at least as many are in the log as were acknowledged, at most as many as may have been.
  std::map<std::string, std::pair<uint64_t, uint64_t>> bounds;
  for (const Op& op : ops_) {
    if (op.kind != OpKind::dequeue && op.kind != OpKind::del) continue;
    auto& [low, high] = bounds[op.body];
    const bool applied = op.done && op.outcome == node::Outcome::applied;
    low += applied ? 1 : 0;
    high += applied || !op.done || op.outcome == node::Outcome::unknown ? 1 : 0;
  }
  std::map<std::string, uint64_t> seen;
  for (const Committed::Position& position : world_.checks->cluster(cluster).log) {
    if (position.entry.kind != raft::EntryKind::command) continue;
    LogRecord record{position.entry.index, position.entry.payload.view(), nullptr,
                     duplicates_[position.entry.index.value]};
    const std::string body(record.command.substr(machine::kEnvelopeBytes));
    if (const auto found = by_content_.find(body); found != by_content_.end()) record.op = &ops_[found->second - 1];
    if (!record.duplicate) ++seen[body];
    log.push_back(record);
  }
  for (const auto& [body, bound] : bounds)
    if (certain() && (seen[body] < bound.first || seen[body] > bound.second))
      return "of a dequeue or deletion " + std::to_string(seen[body]) + " are in the log, " +
             std::to_string(bound.first) + " were acknowledged and at most " + std::to_string(bound.second) +
             " may be there";
  return check_linearizable(ops, log);
}

}  // namespace wh::sim
