// What the clients of the queues ask for.
#include <algorithm>
#include <iterator>

#include "base/hash.h"
#include "machine/command/event_headers.h"
#include "sim/checks/checks.h"
#include "sim/checks/queue_audit.h"
#include "sim/clients/queue_clients.h"
#include "sim/world/process.h"
#include "sim/world/world.h"

namespace wh::sim {
namespace {

using machine::QueueSetting;

constexpr const char* kUsual[] = {"q1", "q1", "q1", "q1", "q2", "q2", "q3"};
constexpr const char* kTopics[] = {"t", "u"};
constexpr uint64_t kMostAttempts = 4;
constexpr Millis kLeastVisibleMs = machine::kMinVisibilityMs;

machine::Fingerprint fingerprint(std::string_view body) {
  machine::Fingerprint out{};
  for (size_t half = 0; half < 2; ++half) {
    const uint64_t hash = hash64(body, half);
    for (size_t i = 0; i < 8; ++i) out.at(8 * half + i) = static_cast<uint8_t>(hash >> (8 * i));
  }
  return out;
}

machine::QueueSettingChange changed(QueueSetting setting, uint64_t number) {
  return {.setting = static_cast<uint8_t>(setting), .number = number};
}

}  // namespace

void QueueClients::start(const node::ClusterId& cluster) {
  cluster_ = cluster;
  running_ = true;
  clients_.resize(std::max<size_t>(world_.options.queue_clients, 1));
  for (size_t client = 0; client < world_.options.queue_clients; ++client) loop(client);
  if (world_.options.queue_clients == 0) return;
  for (size_t number = 0; number < world_.options.queue_operators; ++number) operate(0);
}

void QueueClients::loop(size_t client) {
  if (!running_) return;
  Client& mine = clients_[client];
  Prng& prng = world_.prng;
  std::erase_if(mine.open, [&](uint64_t number) {
    Op& one = op(number);
    const Host& host = world_.hosts[one.host];
    const bool ended = one.done || one.gone || !host.process || host.incarnation != one.life;
    if (!ended && one.receives && world_.now() > one.invoked_at + 50 && prng.below(30) == 0) go_away(one);
    if (ended) over(mine, one);
    return ended;
  });
  Host* host = usable(world_.hosts[prng.below(world_.hosts.size())]);
  // Some know the leader.
  if (prng.below(3) == 0)
    for (Host& other : world_.hosts)
      if (Host* one = usable(other); one != nullptr && one->process->node().raft() != nullptr &&
                                     one->process->node().raft()->role() == raft::Role::leader)
        host = one;
  if (host != nullptr && mine.open.size() < 3 && log_state().version() >= 3) {
    if (!mine.again.empty() && prng.below(3) != 0) {
      ask_again(client, *host, mine.again.front());
      mine.again.pop_front();
    } else {
      issue(client, *host);
    }
  }
  world_.after(prng.below(uint64_t{2'000} * world_.options.queue_think_ms) + 1, [this, client] { loop(client); });
}

// A client has its answer, or knows that none will come: it may ask again.
void QueueClients::over(Client& client, const Op& op) {
  if (op.attempts >= kMostAttempts || world_.prng.below(2) == 0) return;
  const bool answered = op.done && op.outcome == node::Outcome::applied && !op.gone;
  if (op.keyed && op.receives && !op.removes && answered) {
    // When others may hold what it was given.
    world_.after(1'000'000 + world_.prng.below(1'500'000), [&client, id = op.id] { client.again.push_back(id); });
    return;
  }
  if (op.keyed ? !answered || world_.prng.below(8) == 0 : !op.settles.empty() && !answered)
    client.again.push_back(op.id);
}

QueueClients::Op& QueueClients::repeat(size_t client, uint64_t before) {
  Op& one = ops_.emplace_back();
  const Op& first = op(before);
  one.id = ops_.size();
  one.client = client;
  one.attempts = first.attempts + 1;
  one.command = first.command;
  one.queue = first.queue;
  one.receives = first.receives;
  one.removes = first.removes;
  one.by_operator = first.by_operator;
  one.keyed = first.keyed;
  one.key = first.key;
  one.wait_ms = first.wait_ms;
  return one;
}

void QueueClients::ask_again(size_t client, Host& host, uint64_t before) {
  Op& one = repeat(client, before);
  clients_[client].open.push_back(one.id);
  send(host, one);
}

// An operator has one request under way, `last`, unless its node died.
void QueueClients::operate(uint64_t last) {
  if (!running_) return;
  Host* host = usable(world_.hosts[operators_.below(world_.hosts.size())]);
  if (host != nullptr && !open_.contains(last) && log_state().version() >= 4) {
    const bool again = last != 0 && op(last).attempts < kMostAttempts && operators_.below(4) == 0;
    Op& one = again ? repeat(0, last) : draw_removal_by_id();
    last = one.id;
    send(*host, one);
  }
  world_.after(operators_.below(uint64_t{8'000} * world_.options.queue_think_ms) + 1, [this, last] { operate(last); });
}

// What a list would show, and now and then what it does not.
QueueClients::Op& QueueClients::draw_removal_by_id() {
  Op& one = ops_.emplace_back();
  one.id = ops_.size();
  one.by_operator = true;
  one.queue = kUsual[operators_.below(std::size(kUsual))];
  if (operators_.below(4) == 0) one.queue += ".dead";
  std::vector<uint64_t> listed;
  if (const machine::Queue* queue = log_state().queues().find(one.queue))
    for (const auto& [arrival, event] : queue->content->events) listed.push_back(event.id());
  machine::RemoveEvents remove{.queue = one.queue, .ids = {}};
  for (uint64_t n = 1 + operators_.below(4); n > 0; --n)
    remove.ids.push_back(listed.empty() || operators_.below(8) == 0
                             ? 1 + operators_.below(log_state().applied().value + 2)
                             : listed[operators_.below(listed.size())]);
  std::optional<machine::IdempotencyKey> key;
  if (operators_.below(3) == 0) {
    one.keyed = true;
    one.key = "removal " + std::to_string(one.id);
    key = {one.key, fingerprint(machine::encode_body(remove))};
  }
  one.command = machine::encode_command(remove, key);
  return one;
}

void QueueClients::issue(size_t client, Host& host) {
  Op& one = ops_.emplace_back();
  one.id = ops_.size();
  one.client = client;
  text_.clear();
  const machine::Body body = draw(one, clients_[client]);
  std::optional<machine::IdempotencyKey> key;
  const uint32_t percent = std::max<uint32_t>(world_.options.keyed_percent, 10);
  if (world_.prng.below(100) < percent) {
    one.keyed = true;
    one.key = "queue request " + std::to_string(one.id);
    key = {one.key, fingerprint(machine::encode_body(body))};
  }
  one.command = machine::encode_command(body, key);
  clients_[client].open.push_back(one.id);
  send(host, one);
  // A consumer of the same kind beside it: the two may share an entry.
  if (one.receives && !one.keyed && world_.prng.below(3) == 0) ask_again(client, host, one.id);
}

// --- one command

std::string_view QueueClients::keep(std::string text) { return text_.emplace_back(std::move(text)); }

std::string QueueClients::draw_queue() {
  std::string queue = kUsual[world_.prng.below(std::size(kUsual))];
  return world_.prng.below(12) == 0 ? queue + ".dead" : queue;
}

// One that no path can name is made and goes by its events alone.
std::string QueueClients::draw_any_queue() {
  return world_.prng.below(20) == 0 ? "q no path" : std::string(kUsual[world_.prng.below(std::size(kUsual))]);
}

machine::Body QueueClients::draw(Op& op, Client& client) {
  op.queue = draw_any_queue();
  const uint64_t choice = world_.prng.below(100);
  if (!client.holds.empty() && choice < 50) return draw_settle(op, client);
  if (choice < 58) return machine::PutEvents{op.queue, draw_events(op.id)};
  if (choice < 61) return machine::Enqueue{op.queue, keep("e" + std::to_string(op.id))};
  if (choice < 64) return draw_removal(op);
  if (choice < 84) return draw_receive(op);
  if (choice < 87) return draw_settle(op, client);
  if (!machine::is_path_name(op.queue)) op.queue = kUsual[0];
  if (choice < 92) return draw_settings(op);
  return draw_rare(op);
}

std::vector<machine::NewEvent> QueueClients::draw_events(uint64_t op) {
  Prng& prng = world_.prng;
  std::vector<machine::NewEvent> events;
  const uint64_t count = prng.below(4) == 0 ? 1 + prng.below(4) : 1;
  for (uint64_t i = 0; i < count; ++i) {
    const std::string tag = "e" + std::to_string(op) + "." + std::to_string(i);
    machine::NewEvent one{.bytes =
                              keep(tag + std::string(prng.below(std::min(world_.options.event_bytes, 100U)), '.'))};
    if (prng.below(5) == 0)
      one.delay = prng.below(1'200);
    else if (prng.below(12) == 0)
      one.deliver_at = std::max<Millis>(log_state().cluster_time_ms(), 300) + prng.below(1'500) - 300;
    if (prng.below(8) == 0) one.ttl = 300 + prng.below(2'500);
    if (prng.below(5) == 0) one.priority = static_cast<uint8_t>(prng.below(machine::kPriorities));
    if (prng.below(3) == 0) one.group = keep("g" + std::to_string(prng.below(2)));
    if (prng.below(5) == 0)
      one.headers = keep(machine::pack_headers({.attributes = {{"type", prng.below(2) == 0 ? "order.new" : "user"}}}));
    if (prng.below(10) == 0) {
      // Now and then the key of an event that was put in before.
      const uint64_t number = prng.below(3) == 0 ? op - std::min<uint64_t>(op, 1 + prng.below(20)) : op;
      const std::string_view key = keep("event " + std::to_string(number) + "." + std::to_string(i));
      one.idempotency =
          machine::IdempotencyKey{key, fingerprint(prng.below(8) == 0 ? std::string_view("another") : key)};
    }
    events.push_back(one);
  }
  return events;
}

// Of the front event, or as a take of several that may wait.
machine::Body QueueClients::draw_removal(Op& op) {
  Prng& prng = world_.prng;
  if (prng.below(2) == 0)
    return machine::Dequeue{.queue = op.queue, .only_if_front = {}, .keep_event = prng.below(2) == 0};
  if (prng.below(3) != 0) {
    op.receives = op.removes = true;
    op.wait_ms = prng.below(world_.options.queue_wait_ms + 1);
  }
  return machine::Dequeue{.queue = op.queue, .only_if_front = {}, .count = static_cast<uint32_t>(1 + prng.below(3))};
}

machine::Body QueueClients::draw_receive(Op& op) {
  Prng& prng = world_.prng;
  op.queue = prng.below(3) == 0 ? draw_queue() : draw_any_queue();
  op.receives = true;
  if (prng.below(3) != 0) op.wait_ms = prng.below(world_.options.queue_wait_ms + 1);
  machine::Receive receive{.queue = op.queue, .max = static_cast<uint32_t>(prng.below(2) == 0 ? 1 : 1 + prng.below(5))};
  const machine::Queue* queue = log_state().queues().find(op.queue);
  const bool has_own = queue != nullptr && queue->own.numbers[static_cast<size_t>(QueueSetting::visibility_timeout)];
  // Often the same, so that several may share an entry.
  if (!has_own || prng.below(3) != 0)
    receive.visibility = kLeastVisibleMs + (prng.below(2) == 0 ? 0 : prng.below(1'000));
  return receive;
}

machine::Body QueueClients::draw_settle(Op& op, Client& client) {
  static constexpr machine::SettleVerb kVerbs[] = {machine::SettleVerb::acknowledge, machine::SettleVerb::acknowledge,
                                                   machine::SettleVerb::acknowledge, machine::SettleVerb::extend,
                                                   machine::SettleVerb::release,     machine::SettleVerb::release,
                                                   machine::SettleVerb::bury};
  Prng& prng = world_.prng;
  machine::Settle settle{.queue = {}, .verb = kVerbs[prng.below(std::size(kVerbs))], .receipts = {}};
  const uint64_t kind = prng.below(20);
  std::vector<Delivered>& from = client.holds.empty() || kind < 2 ? old_ : client.holds;
  if (from.empty() || kind == 2) {  // made up
    op.queue = draw_queue();
    settle.receipts.push_back(
        {1 + prng.below(log_state().applied().value + 2), 1 + prng.below(log_state().applied().value)});
  } else {
    const size_t chosen = prng.below(from.size());
    op.queue = from[chosen].queue;
    for (size_t i = chosen; i < from.size() && settle.receipts.size() < 3; ++i)
      if (from[i].queue == op.queue && (i == chosen || prng.below(2) == 0)) op.settles.push_back(from[i]);
    for (const Delivered& one : op.settles) {
      settle.receipts.push_back(one.receipt);
      const auto keeps = settle.verb == machine::SettleVerb::extend || &from == &old_;
      if (!keeps) std::erase_if(from, [&](const Delivered& other) { return !(other < one) && !(one < other); });
    }
    // Some are forgotten, and time out.
    if (&from != &old_ && prng.below(10) == 0) client.holds.clear();
  }
  op.settles.resize(settle.verb == machine::SettleVerb::acknowledge ? op.settles.size() : 0);
  settle.queue = op.queue;
  if (settle.verb == machine::SettleVerb::extend) settle.duration = prng.below(5) == 0 ? 0 : prng.below(1'500);
  if (settle.verb == machine::SettleVerb::release && prng.below(3) == 0) settle.duration = prng.below(1'000);
  if (settle.verb == machine::SettleVerb::bury && prng.below(2) == 0) settle.reason = "poison";
  return settle;
}

machine::Body QueueClients::draw_settings(Op& op) {
  Prng& prng = world_.prng;
  machine::ConfigureQueue out{.queue = op.queue, .changes = {}};
  const auto change = [&](QueueSetting setting, uint64_t number) { out.changes.push_back(changed(setting, number)); };
  switch (prng.below(9)) {
    case 0:
      change(QueueSetting::visibility_timeout, kLeastVisibleMs + prng.below(1'000));
      break;
    case 1:
      change(QueueSetting::delay, prng.below(2) * prng.below(800));
      break;
    case 2:
      change(QueueSetting::max_length, prng.below(3) == 0 ? 0 : 2 + prng.below(15));
      change(QueueSetting::overflow, prng.below(2));
      break;
    case 3:
      change(QueueSetting::max_bytes, prng.below(2) * (50 + prng.below(800)));
      break;
    case 4:
      change(QueueSetting::ttl, prng.below(2) * (500 + prng.below(3'000)));
      change(QueueSetting::on_expiry, prng.below(2));
      break;
    case 5: {
      machine::QueueSettingChange backoff = changed(QueueSetting::backoff, 0);
      for (uint64_t n = prng.below(4); n > 0; --n) backoff.delays.push_back(prng.below(800));
      out.changes.push_back(backoff);
      break;
    }
    case 6: {
      machine::QueueSettingChange name = changed(QueueSetting::dead_letter_queue, 0);
      name.reset = prng.below(2) == 0;
      if (!name.reset && prng.below(4) != 0) name.name = keep(draw_queue());
      out.changes.push_back(name);
      break;
    }
    default:
      change(QueueSetting::max_deliveries, prng.below(5));
      break;
  }
  return out;
}

machine::Body QueueClients::draw_rare(Op& op) {
  Prng& prng = world_.prng;
  const uint64_t choice = prng.below(100);
  if (choice < 30) return machine::Publish{kTopics[prng.below(2)], draw_events(op.id)};
  if (choice < 45) {
    machine::Bind bind{.topic = kTopics[prng.below(2)], .queue = op.queue, .filter = {}};
    if (prng.below(2) == 0) bind.filter = {{"type", prng.below(2) == 0 ? "order.*" : "us?r"}};
    return bind;
  }
  if (choice < 50) return machine::Unbind{kTopics[prng.below(2)], op.queue};
  if (choice < 70) {
    const std::string_view dead = keep(op.queue + ".dead");
    return machine::Redrive{dead, op.queue, static_cast<uint32_t>(1 + prng.below(9))};
  }
  if (choice < 88) {
    machine::PauseQueue pause{.queue = op.queue, .in = {}, .out = {}};
    if (prng.below(2) == 0) pause.in = prng.below(4) == 0;
    if (!pause.in || prng.below(2) == 0) pause.out = prng.below(4) == 0;
    return pause;
  }
  if (choice < 94) return machine::PurgeQueue{op.queue};
  op.queue = draw_queue();
  return machine::DeleteQueue{op.queue};
}

}  // namespace wh::sim
