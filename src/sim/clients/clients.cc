#include "sim/clients/clients.h"

#include <algorithm>

#include "base/hash.h"
#include "machine/command/command.h"
#include "sim/checks/checks.h"
#include "sim/clients/queue_clients.h"
#include "sim/clients/store_clients.h"
#include "sim/opinion/key_search.h"
#include "sim/opinion/queue_checker.h"
#include "sim/world/process.h"
#include "sim/world/world.h"

namespace wh::sim {
namespace {
constexpr const char* kQueues[] = {"event", "event", "event", "jobs"};
constexpr uint64_t kMaxAttempts = 4;
constexpr uint64_t kMaxSearchSteps = 100'000;   // for one key
constexpr uint64_t kApart = uint64_t{1} << 39;  // the token of a write that belongs to no client
constexpr const char* kOutcomes[] = {"applied",  "not leader", "dropped",   "unknown", "overloaded", "shutting down",
                                     "conflict", "not found",  "timed out", "no room", "unsupported"};
// The token of the settings, which an administrator changes.
constexpr uint64_t kSettingsToken = kApart + 1;

machine::Fingerprint fingerprint_of(const std::string& body) {
  machine::Fingerprint out{};
  for (size_t half = 0; half < 2; ++half) {
    const uint64_t hash = hash64(body, half);
    for (size_t i = 0; i < 8; ++i) out.at(8 * half + i) = static_cast<uint8_t>(hash >> (8 * i));
  }
  return out;
}
}  // namespace

void Clients::start(const node::ClusterId& cluster) {
  cluster_ = cluster;
  running_ = true;
  for (size_t client = 0; client < world_.options.clients; ++client) loop(client);
  if (world_.options.dedup_window_ms != 0 || world_.options.dedup_max_keys != 0) put_settings();
}

// Repeats until it is done: the cluster may still be of an older version.
void Clients::put_settings() {
  if (!running_) return;
  machine::PutSettings put;
  if (world_.options.dedup_window_ms != 0) put.values.emplace_back("dedup_window", world_.options.dedup_window_ms);
  if (world_.options.dedup_max_keys != 0) put.values.emplace_back("dedup_max_keys", world_.options.dedup_max_keys);
  settings_ = machine::encode_command(put);
  const Host& host = world_.hosts[world_.prng.below(world_.hosts.size())];
  if (host.process && host.process->node().cluster() == cluster_ && cluster_ != node::kNoCluster)
    host.process->input(
        [this, &host] { host.process->node().submit_write(kSettingsToken, settings_, true, world_.now(host)); });
  world_.after(1'500'000, [this] { put_settings(); });
}

// A leader's clock that jumps, like a suspended machine's, may skip a whole window.
bool Clients::keys_last() const {
  const Options& o = world_.options;
  return o.dedup_window_ms == 0 && o.dedup_max_keys == 0 && o.clock_jump_every_ms == 0;
}

bool Clients::certain() const { return world_.options.duplicate_ppm == 0 && world_.options.reorder_ppm == 0; }

std::string Clients::key() const { return "k" + std::to_string(world_.prng.below(world_.options.keys)); }

void Clients::loop(size_t client) {
  if (!running_) return;
  std::vector<uint64_t>& mine = under_way_[client];
  std::erase_if(mine, [&](uint64_t number) {
    const Op& op = ops_[number - 1];
    const Host& host = world_.hosts[op.host];
    const bool ended = op.done || !host.process || host.incarnation != op.life;
    if (ended) over(client, op);
    return ended;
  });
  if (mine.size() < world_.options.pipelined) {
    std::deque<Again>& again = again_[client];
    const bool retry = !again.empty() && world_.prng.below(4) != 0;
    size_t number = world_.prng.below(world_.hosts.size());
    if (retry && again.front().host) number = *again.front().host;
    Host& host = world_.hosts[number];
    if (host.process && host.process->node().cluster() == cluster_ && cluster_ != node::kNoCluster) {
      static constexpr OpKind kMix[] = {OpKind::set,   OpKind::set,     OpKind::set,     OpKind::get,
                                        OpKind::get,   OpKind::get,     OpKind::enqueue, OpKind::enqueue,
                                        OpKind::front, OpKind::dequeue, OpKind::dequeue, OpKind::del,
                                        OpKind::get,   OpKind::length,  OpKind::count};
      if (retry) {
        mine.push_back(ask_again(host, ops_[again.front().op - 1]));
        again.pop_front();
      } else {
        const OpKind kind = kMix[world_.prng.below(std::size(kMix))];
        mine.push_back(issue(host, kind, world_.prng.below(5) == 0));
      }
    } else if (retry) {
      again.front().host.reset();
    }
  }
  world_.after(world_.prng.below(uint64_t{2'000} * world_.options.think_ms) + 1, [this, client] { loop(client); });
}

// A client has its answer, or knows that none will come: it may ask again.
void Clients::over(size_t client, const Op& op) {
  if (op.is_read() || op.applied() || op.attempts >= kMaxAttempts || world_.prng.below(2) == 0) return;
  Again again{op.id, std::nullopt};
  if (op.done && op.outcome == node::Outcome::not_leader) {
    const Host& asked = world_.hosts[op.host];
    const raft::Member* leader = asked.process ? asked.process->node().leader() : nullptr;
    const Host* host = leader != nullptr ? world_.host_at(leader->raft_address) : nullptr;
    if (host != nullptr) again.host = host->number;
  }
  // A repeated removal would remove another event.
  if (op.kind == OpKind::dequeue && !op.only_if_front && op.idempotency_key.empty() && op.may_have_happened(certain()))
    return;
  again_[client].push_back(again);
}

void Clients::fill(Op& op) {
  machine::Body body;
  const std::string tag = std::to_string(op.id);
  switch (op.kind) {
    case OpKind::set: {
      const size_t pairs = world_.prng.below(5) == 0 ? 3 : 1;
      for (size_t i = 0; i < pairs; ++i) op.pairs.emplace_back(key(), "v" + tag + "." + std::to_string(i));
      if (world_.prng.below(30) == 0) op.pairs.front().second.clear();
      machine::Set set;
      for (const auto& [k, v] : op.pairs) set.pairs.emplace_back(k, v);
      body = std::move(set);
      break;
    }
    case OpKind::del: {
      const size_t keys = world_.prng.below(4) == 0 ? 3 : 1;
      for (size_t i = 0; i < keys; ++i) op.keys.push_back(key());
      body = machine::Delete{{op.keys.begin(), op.keys.end()}};
      break;
    }
    case OpKind::enqueue:
      op.key = kQueues[world_.prng.below(std::size(kQueues))];
      op.value = "e" + tag + std::string(world_.prng.below(world_.options.event_bytes), '.');
      body = machine::Enqueue{op.key, op.value};
      break;
    case OpKind::dequeue: {
      op.key = kQueues[world_.prng.below(std::size(kQueues))];
      const auto seen = last_event_.find(op.key);
      if (seen != last_event_.end() && world_.prng.below(2) == 0) op.only_if_front = seen->second;
      body = machine::Dequeue{op.key, op.only_if_front};
      break;
    }
    case OpKind::get:
      op.key = key();
      return;
    case OpKind::front:
    case OpKind::length:
      op.key = kQueues[world_.prng.below(std::size(kQueues))];
      return;
    case OpKind::count:
    case OpKind::change:  // of the store's clients
    case OpKind::item:
    case OpKind::list:
    case OpKind::lease:
      return;
  }
  std::optional<machine::IdempotencyKey> key;
  // The last write, which tests progress, must be one that every version knows.
  if (running_ && world_.options.keyed_percent != 0 && world_.prng.below(100) < world_.options.keyed_percent) {
    op.idempotency_key = "request " + tag;
    key = {op.idempotency_key, fingerprint_of(machine::encode_body(body))};
  }
  op.command = machine::encode_command(body, key);
}

uint64_t Clients::issue(Host& host, OpKind kind, bool stale) {
  Op& op = ops_.emplace_back();
  op.id = ops_.size();
  op.kind = kind;
  op.stale = stale && op.is_read();
  // Depends on the number, not on chance: some reads wait for an index that somebody was told of, some for one that may
  // not exist yet.
  if (op.is_read() && op.id % 4 == 0) op.min_index = newest_ + (op.id % 32 == 0 ? 3 : 0);
  fill(op);
  return send(host, op);
}

uint64_t Clients::ask_again(Host& host, const Op& before) {
  ++world_.seen[Situation::asked_again];
  Op& op = ops_.emplace_back();
  op.id = ops_.size();
  op.kind = before.kind;
  op.attempts = before.attempts + 1;
  if (before.kind == OpKind::enqueue && before.idempotency_key.empty() && before.may_have_happened(certain())) {
    fill(op);
  } else {
    op.pairs = before.pairs;
    op.keys = before.keys;
    op.key = before.key;
    op.value = before.value;
    op.only_if_front = before.only_if_front;
    op.command = before.command;
    op.idempotency_key = before.idempotency_key;
  }
  world_.trace("client: operation %lu again", before.id);
  return send(host, op);
}

uint64_t Clients::send(Host& host, Op& op) {
  op.host = host.number;
  op.life = host.incarnation;
  op.invoked = world_.step();
  op.invoked_at = world_.now();
  if (!op.is_read()) {
    Asked& asked = asked_[std::string(op.body())];
    if (asked.times++ == 0) asked.first = op.id;
  }
  open_.insert(op.id);
  world_.trace("client: operation %lu, kind %d, at %s", op.id, static_cast<int>(op.kind), host.name.c_str());
  const bool may_forward = world_.prng.below(10) != 0;
  host.process->input([this, &host, id = op.id, command = op.command, may_forward] {
    if (Op& asked = ops_[id - 1]; asked.is_read())
      read(host, asked);
    else
      host.process->node().submit_write(id, command, may_forward, world_.now(host));
  });
  return op.id;
}

// As the server does it: a stale read asks no other node, and a node without a log knows nothing.
void Clients::read(Host& host, Op& op) {
  node::Node& node = host.process->node();
  const bool knows = node.cluster() == cluster_ && node.raft() != nullptr;
  op.waits = knows && op.min_index > node.machine().applied();
  if (op.waits || !op.stale)
    return node.submit_read(op.id, world_.now(host),
                            {.stale = op.stale, .min_index = op.waits ? op.min_index : raft::Index{}});
  if (host.process->doomed) return;
  completed(host, {op.id, knows ? node::Outcome::applied : node::Outcome::dropped, node.machine().applied(), {}});
}

uint64_t Clients::administer(Host& host, node::AdminRequest request) {
  const uint64_t number = next_admin_++;
  admin_open_.emplace(number, world_.now_us());
  static constexpr const char* kKinds[] = {"add", "remove", "transfer"};
  world_.trace("administrator: %s %s at %s", kKinds[static_cast<size_t>(request.kind)], request.name.c_str(),
               host.name.c_str());
  host.process->input([this, &host, number, moved = std::move(request)] {
    host.process->node().submit_admin(number, moved, world_.now(host));
  });
  return number;
}

void Clients::write_apart(Host& host) {
  if (!host.process || host.disk.cluster == cluster_) return;
  host.process->input([this, &host] {
    const std::string command = machine::encode_command(machine::Set{{{"own", "data"}}});
    host.process->node().submit_write(kApart, command, false, world_.now(host));
  });
}

std::string Clients::garbage() {
  // Numbered, so that no two commands are the same.
  const std::string number = std::to_string(garbage_.size());
  std::string command = machine::envelope({}, machine::encode_body(machine::Set{{{"garbage", number}}}));
  switch (world_.prng.below(4)) {
    case 0:  // another version
      command[0] = '\x7f';
      break;
    case 1:  // an unknown kind
      command[machine::kEnvelopeBytes] = '\x7f';
      break;
    case 2:  // too short
      command.pop_back();
      break;
    default:  // anything
      command = number;
      for (uint64_t left = world_.prng.below(60); left > 0; --left) command += static_cast<char>(world_.prng.next());
  }
  garbage_.insert(command);
  return command;
}

const node::Completion* Clients::administered(uint64_t number) const {
  const auto found = admin_.find(number);
  return found == admin_.end() ? nullptr : &found->second;
}

bool Clients::administrators_wait() const {
  const uint64_t long_us = uint64_t{world_.options.request_timeout_ms} * 2'000;
  return std::any_of(admin_open_.begin(), admin_open_.end(),
                     [&](const auto& open) { return open.second + long_us > world_.now_us(); });
}

void Clients::host_died(const Host& host) {
  // Nobody will answer: the outcome stays unknown.
  std::erase_if(open_, [&](uint64_t id) { return ops_[id - 1].host == host.number; });
}

void Clients::completed(Host& host, const node::Completion& completion) {
  ++outcomes[kOutcomes[static_cast<size_t>(completion.outcome)]];
  if (completion.token >= uint64_t{1} << 40) {
    if (!admin_.emplace(completion.token, completion).second) world_.fail("an administrator was answered twice");
    admin_open_.erase(completion.token);
    world_.trace("administrator: %s %s", kOutcomes[static_cast<size_t>(completion.outcome)],
                 completion.sentence.c_str());
    return;
  }
  if (completion.token == kApart || completion.token == kSettingsToken) return;
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
  newest_ = std::max(newest_, op.index);
  if (op.waits) ++world_.seen[op.applied() ? Situation::read_waited : Situation::read_waited_in_vain];
  if (op.is_read()) {
    if (op.applied()) look(op, host);
    return;
  }
  if (op.applied()) {
    op.reply = completion.reply;
    // The copy's answer came before the original's: the original's outcome is unknown.
    if (completion.reply.code == machine::ReplyCode::duplicate) {
      op.outcome = node::Outcome::unknown;
      return;
    }
    if (op.reply->code == machine::ReplyCode::precondition_failed) ++world_.seen[Situation::removal_refused];
    if (op.only_if_front && op.reply->count != 0) ++world_.seen[Situation::removed_by_id];
    const Committed::Position* position = world_.checks->cluster(cluster_).at(op.index);
    if (position == nullptr)
      return world_.fail("operation " + std::to_string(op.id) + " is acknowledged, not committed");
    if (position->entry.payload.view().substr(machine::kEnvelopeBytes) != op.body())
      return world_.fail("operation " + std::to_string(op.id) + " is acknowledged for another entry");
    if (op.reply->code == machine::ReplyCode::key_reused)
      return world_.fail("operation " + std::to_string(op.id) + " is said to be another one under its key");
    if (op.replayed()) {
      ++world_.seen[Situation::replayed];
      const Committed::Position* first = world_.checks->cluster(cluster_).at(op.reply->replayed_from);
      if (op.idempotency_key.empty() || first == nullptr || first->entry.index >= op.index ||
          first->entry.payload.view().substr(machine::kEnvelopeBytes) != op.body())
        return world_.fail("operation " + std::to_string(op.id) + " is answered by the first of another request");
      if (first->entry.term != position->entry.term) ++world_.seen[Situation::replayed_after_failover];
    }
  } else if (op.outcome != node::Outcome::unknown) {
    if (op.outcome == node::Outcome::unsupported) ++world_.seen[Situation::write_unsupported];
    Asked& asked = asked_[std::string(op.body())];
    ++asked.refused;
    check_count(op, asked);
  }
}

// Records what the node's state shows to a read that is answered now.
void Clients::look(Op& op, Host& host) {
  const machine::Machine& machine = host.process->node().machine();
  if (machine.applied() != op.index) return world_.fail("a read is answered as of an index that is not applied");
  const raft::Index committed{world_.checks->cluster(cluster_).log.size()};
  if (op.index > committed) return world_.fail("a read is answered as of an index that is not committed");
  if (op.waits && op.index < op.min_index) return world_.fail("a read is answered before the index that it waits for");
  raft::Index& seen_at = seen_at_[{op.host, op.life}];
  if (op.index < seen_at)
    return world_.fail("operation " + std::to_string(op.id) + " read an older state than one before it, from " +
                       host.name);
  seen_at = op.index;
  if (op.stale && op.index < committed) ++world_.seen[Situation::read_old_state];
  switch (op.kind) {
    case OpKind::get: {
      const Bytes* value = machine.get(op.key);
      op.found = value != nullptr;
      if (op.found) op.value = value->view();
      break;
    }
    case OpKind::length:
      op.number = machine.queue_length(op.key);
      break;
    case OpKind::count:
      op.number = machine.key_count();
      break;
    default: {
      const machine::Event* event = machine.front(op.key);
      op.found = event != nullptr;
      if (!op.found) break;
      op.value = event->bytes.view();
      op.event_id = event->id();
      last_event_[op.key] = event->id();
    }
  }
}

// Each request takes effect at most once, and not at all when it was refused. A copy made by the network may be refused
// while the original proceeds; TCP makes no copies.
void Clients::check_count(const Op& op, const Asked& asked) {
  if (asked.effects > 1 && !op.idempotency_key.empty() && keys_last())
    return world_.fail("operation " + std::to_string(op.id) + " took effect twice, though it has an idempotency key");
  if (asked.committed > asked.times)
    return world_.fail("operation " + std::to_string(op.id) +
                       " took effect twice, or more often than it was asked for");
  if (asked.committed + asked.refused > asked.times && certain())
    world_.fail("operation " + std::to_string(op.id) + " is said to have had no effect, but it is committed");
}

void Clients::committed(const node::ClusterId& cluster, const raft::Entry& entry, const machine::Reply& reply) {
  if (cluster != cluster_) return;
  duplicates_[entry.index.value] = reply.code == machine::ReplyCode::duplicate;
  if (reply.code == machine::ReplyCode::duplicate) {
    ++world_.seen[Situation::duplicate_recognised];
    return;
  }
  if (garbage_.contains(std::string(entry.payload.view()))) {
    if (reply.code != machine::ReplyCode::invalid) world_.fail("a command that is none has an effect");
    return;
  }
  const std::string body(entry.payload.view().substr(machine::kEnvelopeBytes));
  const auto command = machine::decode(entry.payload.view());
  replies_[entry.index.value] = reply;
  if (command && world_.queue_clients->committed(entry, *command, reply)) return;
  if (command && world_.store_clients->committed(entry, *command, reply)) return;
  if (command && (std::holds_alternative<machine::Due>(command->body) ||
                  std::holds_alternative<machine::AdvanceTime>(command->body)))
    return;  // the leader's own
  if (!settings_.empty() && settings_.substr(machine::kEnvelopeBytes) == body) return;
  const auto found = asked_.find(body);
  if (found == asked_.end()) return world_.fail("a command is committed that nobody asked for");
  Asked& asked = found->second;
  const Op& op = ops_[asked.first - 1];
  if (++asked.committed > 1 && op.kind == OpKind::set) ++world_.seen[Situation::set_again];
  if (reply.replayed_from == raft::Index{} && reply.code == machine::ReplyCode::ok && ++asked.effects > 1 &&
      !op.idempotency_key.empty())
    ++world_.seen[Situation::key_forgotten];
  check_count(op, asked);
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
  const size_t own = ops.size();
  world_.store_clients->add_to(ops);
  std::vector<LogRecord> log;
  for (const Committed::Position& position : world_.checks->cluster(cluster).log) {
    const bool is_command = position.entry.kind == raft::EntryKind::command &&
                            !garbage_.contains(std::string(position.entry.payload.view()));
    LogRecord record{.index = position.entry.index,
                     .command = is_command ? position.entry.payload.view() : std::string_view(),
                     .time_ms = position.time_ms,
                     .version = position.version,
                     .duplicate = duplicates_[position.entry.index.value]};
    if (!is_command) {
      log.push_back(record);
      continue;
    }
    const auto reply = replies_.find(record.index.value);
    if (reply != replies_.end()) record.reply = &reply->second;
    const auto found = asked_.find(std::string(record.command.substr(machine::kEnvelopeBytes)));
    if (found != asked_.end())
      record.op = &ops_[found->second.first - 1];
    else
      record.op = world_.store_clients->asker(record.command.substr(machine::kEnvelopeBytes));
    log.push_back(record);
  }
  std::string wrong = check_linearizable(ops, log, &world_.checks->cluster(cluster).model);
  if (wrong.empty()) wrong = check_order();
  ops.resize(own);
  if (wrong.empty()) wrong = second_opinion(ops);
  // Where keys are forgotten, one request may take effect twice.
  if (wrong.empty() && keys_last()) {
    wrong = world_.store_clients->second_opinion();
    if (world_.options.store_clients != 0) ++outcomes["second opinion: transactions"];
  }
  return wrong;
}

std::string Clients::check_order() const {
  if (!certain()) return {};
  std::map<std::pair<size_t, uint64_t>, const Op*> last;
  for (const Op& op : ops_) {
    if (op.is_read() || !op.applied()) continue;
    const Op*& before = last[{op.host, op.life}];
    if (before != nullptr && before->index >= op.index)
      return "operation " + std::to_string(op.id) + " took effect before operation " + std::to_string(before->id) +
             ", which the same node was asked for earlier";
    before = &op;
  }
  return {};
}

// All requests under one idempotency key are one operation: it lasts from the first request to the first answer.
std::vector<Op> Clients::as_clients_saw_them(const std::vector<const Op*>& ops) const {
  std::vector<Op> out;
  std::map<std::string_view, size_t> by_key;
  for (const Op* op : ops) {
    if (op->idempotency_key.empty()) {
      out.push_back(*op);
      continue;
    }
    const auto [at, first] = by_key.try_emplace(op->idempotency_key, out.size());
    if (first) {
      out.push_back(*op);
      if (op->done && !op->applied() && op->outcome != node::Outcome::unknown) continue;
    }
    Op& one = out[at->second];
    const bool told = op->applied() && op->reply && op->reply->code == machine::ReplyCode::ok;
    // A repeated removal's answer names the event without its bytes: they are unknown here.
    const bool whole = told && !(op->kind == OpKind::dequeue && op->replayed() && op->reply->count != 0);
    const bool known = one.applied() && one.reply && one.reply->code == machine::ReplyCode::ok &&
                       !(one.kind == OpKind::dequeue && one.replayed() && one.reply->count != 0);
    if (!first && whole && (!known || op->returned < one.returned)) {
      const uint64_t invoked = one.invoked;
      one = *op;
      one.invoked = invoked;
    } else if (!whole && !known) {
      // None of its answers tells what was done.
      one.done = false;
      one.outcome = node::Outcome::unknown;
      one.returned = UINT64_MAX;
      one.reply.reset();
    }
  }
  return out;
}

std::string Clients::second_opinion(const std::vector<const Op*>& all) {
  // Where keys are forgotten, one request may take effect twice; the check by the log knows when.
  if (!keys_last()) return {};
  const std::vector<Op> seen = as_clients_saw_them(all);
  std::vector<const Op*> ops;
  ops.reserve(seen.size());
  for (const Op& op : seen) ops.push_back(&op);
  std::string wrong = check_stale_values(ops, certain());
  const auto queues = calls_by_queue(ops, certain(), wrong);
  if (!wrong.empty()) return wrong;
  for (const auto& [queue, calls] : queues) {
    const QueueOpinion opinion = check_queue(calls);
    if (opinion.opinion != Opinion::good) return "queue " + std::string(queue) + ": " + opinion.why;
    ++outcomes["second opinion: queue"];
  }
  uint64_t& undecided = outcomes["second opinion: key undecided"];
  for (const auto& [key, all] : calls_by_key(ops, certain())) {
    std::vector<KeyCall> calls = all;
    KeyOpinion opinion = search_key(calls, kMaxSearchSteps);
    if (opinion.opinion == Opinion::undecided) {
      // What deletions found makes the search long: search again without that.
      for (KeyCall& call : calls)
        if (call.kind == KeyCall::Kind::take) call.kind = KeyCall::Kind::write;
      opinion = search_key(calls, kMaxSearchSteps);
      ++(opinion.opinion == Opinion::undecided ? undecided : outcomes["second opinion: key, deletions aside"]);
    } else {
      ++outcomes["second opinion: key"];
    }
    if (opinion.opinion == Opinion::bad) return "key " + std::string(key) + ": " + opinion.why;
  }
  return {};
}

}  // namespace wh::sim
