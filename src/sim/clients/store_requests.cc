// What the clients of the store ask for.
#include <algorithm>
#include <iterator>

#include "base/hash.h"
#include "sim/checks/checks.h"
#include "sim/clients/store_clients.h"
#include "sim/world/process.h"
#include "sim/world/world.h"

namespace wh::sim {
namespace {

constexpr const char* kPrefixes[] = {"s/", "s/2", "s", "n", "n1"};
constexpr const char* kQueues[] = {"q1", "q2", "q3"};
constexpr uint64_t kMostAttempts = 4;
constexpr const char* kNearTheEnd = "9223372036854775805";

machine::Fingerprint fingerprint_of_request(uint64_t id) {
  machine::Fingerprint out{};
  for (size_t i = 0; i < 8; ++i) out.at(i) = static_cast<uint8_t>(mix64(id, 1) >> (8 * i));
  return out;
}

}  // namespace

void StoreClients::start(const node::ClusterId& cluster) {
  cluster_ = cluster;
  running_ = true;
  clients_.resize(world_.options.store_clients);
  for (size_t client = 0; client < clients_.size(); ++client) loop(client);
}

void StoreClients::loop(size_t client) {
  if (!running_) return;
  Client& mine = clients_[client];
  std::erase_if(mine.open, [&](uint64_t id) {
    Request& one = request(id);
    const Host& host = world_.hosts[one.op.host];
    const bool ended = one.op.done || !host.process || host.incarnation != one.op.life;
    if (ended) over(mine, one);
    return ended;
  });
  Host* host = usable(world_.hosts[prng_.below(world_.hosts.size())]);
  if (host != nullptr && mine.open.size() < 3 && log_state().version() >= 4) {
    if (!mine.again.empty() && prng_.below(3) != 0) {
      ask_again(client, *host, mine.again.front());
      mine.again.pop_front();
    } else {
      issue(client, *host);
    }
  }
  world_.after(prng_.below(uint64_t{2'000} * world_.options.store_think_ms) + 1, [this, client] { loop(client); });
}

// A client has its answer, or knows that none will come: it may ask again, unless that might do it twice.
void StoreClients::over(Client& client, Request& request) {
  const Op& op = request.op;
  if (op.is_read() || op.attempts >= kMostAttempts || prng_.below(2) == 0) return;
  const bool keyed = !op.idempotency_key.empty();
  if (op.applied() ? keyed && prng_.below(6) == 0 : keyed || !op.may_have_happened(certain()))
    client.again.push_back(op.id);
}

void StoreClients::ask_again(size_t client, Host& host, uint64_t before) {
  Request& one = requests_.emplace_back();
  const Request& first = request(before);
  one.client = client;
  one.op.id = kFirstId + requests_.size();
  one.op.kind = first.op.kind;
  one.op.attempts = first.op.attempts + 1;
  one.op.command = first.op.command;
  one.op.idempotency_key = first.op.idempotency_key;
  one.settles = first.settles;
  clients_[client].open.push_back(one.op.id);
  send(host, one);
}

void StoreClients::issue(size_t client, Host& host) {
  Request& one = requests_.emplace_back();
  one.client = client;
  one.op.id = kFirstId + requests_.size();
  text_.clear();
  if (prng_.below(6) == 0) {
    draw_read(one);
  } else {
    one.op.kind = OpKind::change;
    const machine::Body body = draw(one);
    std::optional<machine::IdempotencyKey> key;
    if (prng_.below(4) == 0) {
      one.op.idempotency_key = "store request " + std::to_string(one.op.id);
      key = {one.op.idempotency_key, fingerprint_of_request(one.op.id)};
    }
    one.op.command = machine::encode_command(body, key);
  }
  clients_[client].open.push_back(one.op.id);
  send(host, one);
}

void StoreClients::keeper(Lease lease, Millis until) {
  const Millis third = lease.ttl / 3;
  world_.after(third * 1'000, [this, lease, until] {
    if (!running_ || world_.now() > until || clients_.empty()) return;
    if (Host* host = usable(world_.hosts[prng_.below(world_.hosts.size())])) {
      Request& one = requests_.emplace_back();
      one.op.id = kFirstId + requests_.size();
      one.op.kind = OpKind::change;
      one.op.command = machine::encode_command(machine::KeepLease{lease.id});
      send(*host, one);
    }
    keeper(lease, until);
  });
}

// --- reads

void StoreClients::draw_read(Request& request) {
  Op& op = request.op;
  op.stale = prng_.below(4) == 0;
  const uint64_t kind = prng_.below(10);
  if (kind < 5) {
    op.kind = OpKind::item;
    op.key = draw_key();
  } else if (kind < 8) {
    op.kind = OpKind::list;
    op.key = prng_.below(4) == 0 ? std::string() : kPrefixes[prng_.below(std::size(kPrefixes))];
    op.number = 1 + prng_.below(6);
  } else {
    op.kind = OpKind::lease;
    op.lease = draw_lease_id();
  }
}

// --- changes

std::string_view StoreClients::keep(std::string text) { return text_.emplace_back(std::move(text)); }

std::string_view StoreClients::draw_key() { return kKeys[prng_.below(std::size(kKeys))]; }

std::string_view StoreClients::draw_queue() { return kQueues[prng_.below(std::size(kQueues))]; }

// No two are the same, so that each names who put it.
std::string_view StoreClients::draw_value() { return keep("v" + std::to_string(next_value_++)); }

uint64_t StoreClients::draw_lease_id() {
  if (leases_.empty() || prng_.below(20) == 0) return 1 + prng_.below(log_state().applied().value + 2);
  return leases_[prng_.below(leases_.size())].id;
}

machine::Expiry StoreClients::draw_expiry() {
  using Kind = machine::Expiry::Kind;
  const uint64_t kind = prng_.below(10);
  if (kind < 6) return {};
  if (kind == 6) return {.kind = Kind::as_it_was, .ms = 0};
  if (kind < 9) return {.kind = Kind::after, .ms = 1 + prng_.below(2'500)};
  const Millis now = log_state().cluster_time_ms();
  return {.kind = Kind::at, .ms = std::max<Millis>(now + prng_.below(1'500), 501) - 500};
}

machine::PutKey StoreClients::draw_put() {
  machine::PutKey put{.key = draw_key(), .value = draw_value(), .expiry = draw_expiry()};
  if (put.key[0] == 'n' && prng_.below(3) != 0)
    put.value = prng_.below(3) == 0 ? std::string_view(kNearTheEnd) : keep(std::to_string(prng_.below(100)));
  if (prng_.below(4) == 0) put.lease = draw_lease_id();
  if (prng_.below(10) == 0) put.content_type = "text/plain";
  return put;
}

machine::Compare StoreClients::draw_compare() {
  using machine::CompareTarget;
  machine::Compare out{.name = draw_key()};
  const machine::Item* item = log_state().find(out.name);
  const machine::Store& store = log_state().store();
  const bool right = prng_.below(4) != 0;  // as it is now, which may hold until it is done
  out.op = right ? machine::CompareOp::equal : static_cast<machine::CompareOp>(1 + prng_.below(4));
  switch (prng_.below(7)) {
    case 0:
      out.op = machine::CompareOp::equal;
      out.number = (item != nullptr) == right ? 1 : 0;
      break;
    case 1:
      out.target = CompareTarget::mod_index;
      out.number = item == nullptr ? 0 : store.mod_index(*item);
      break;
    case 2:
      out.target = CompareTarget::create_index;
      out.number = item == nullptr ? 0 : store.create_index(*item);
      break;
    case 3:
      out.target = CompareTarget::version;
      out.number = item == nullptr ? 0 : store.version(*item);
      break;
    case 4:
      out.target = CompareTarget::value;
      out.value = item == nullptr ? std::string_view("v") : keep(std::string(item->value.view()));
      break;
    case 5: {
      out = {.target = CompareTarget::queue_length, .op = out.op, .name = draw_queue()};
      const machine::Queue* queue = log_state().queues().find(out.name);
      out.number = queue == nullptr ? 0 : queue->size();
      break;
    }
    default:
      out = {.target = CompareTarget::holds, .name = draw_queue(), .receipt = {.id = 1, .delivery = 1}};
      if (const auto held = world_.queue_clients->show_held(prng_)) {
        out.name = keep(held->queue);
        out.receipt = held->receipt;
      }
  }
  return out;
}

machine::Op StoreClients::draw_queue_op(Request& request) {
  if (prng_.below(6) == 0) return machine::CountReady{draw_queue()};
  if (prng_.below(2) == 0 && !request.settles) {
    // A consumer's event, that the transaction acknowledges or releases with what it writes.
    const bool old = prng_.below(5) == 0;
    if (auto held = old ? world_.queue_clients->show_old(prng_) : world_.queue_clients->take_held(prng_)) {
      request.settles = *held;
      machine::SettleEvent settle{.queue = keep(held->queue), .receipt = held->receipt};
      if (prng_.below(4) == 0) {
        settle.verb = machine::SettleVerb::release;
        if (prng_.below(2) == 0) settle.delay = prng_.below(800);
      }
      return settle;
    }
  }
  machine::EnqueueEvent enqueue{.queue = draw_queue(), .event = {.bytes = draw_value()}};
  if (prng_.below(4) == 0) enqueue.event.delay = prng_.below(800);
  return enqueue;
}

machine::Op StoreClients::draw_op(Request& request) {
  const uint64_t kind = prng_.below(20);
  if (kind < 5) return draw_put();
  if (kind < 7) return machine::EraseKey{draw_key()};
  if (kind < 8) return machine::ErasePrefix{kPrefixes[prng_.below(std::size(kPrefixes))]};
  if (kind < 12) return machine::GetKey{draw_key(), prng_.below(5) != 0};
  if (kind < 13)
    return machine::ListKeys{kPrefixes[prng_.below(std::size(kPrefixes))], static_cast<uint32_t>(1 + prng_.below(6))};
  if (kind < 15) return machine::Increment{prng_.below(2) == 0 ? "n" : "n1", static_cast<int64_t>(prng_.below(7)) - 1};
  if (kind < 16) return machine::Append{draw_key(), keep("+" + std::to_string(next_value_++))};
  if (kind < 17) {
    machine::Touch touch{
        .key = draw_key(), .expiry = draw_expiry(), .only = static_cast<machine::Touch::Only>(prng_.below(6))};
    if (touch.expiry.kind == machine::Expiry::Kind::as_it_was) touch.expiry = {};
    return touch;
  }
  return draw_queue_op(request);
}

machine::Body StoreClients::draw_transaction(Request& request) {
  machine::Transact out;
  for (uint64_t n = prng_.below(4); n > 0; --n) out.compares.push_back(draw_compare());
  for (uint64_t n = 1 + prng_.below(5); n > 0; --n) out.success.push_back(draw_op(request));
  if (prng_.below(5) == 0) {
    // What is done depends on a key, perhaps on what the transaction has just done to it.
    machine::Compare compare{.name = draw_key(), .number = prng_.below(2)};
    out.success.push_back(machine::Choose{.compares = {compare}, .held = 1, .otherwise = 1});
    for (int i = 0; i < 2; ++i)
      out.success.push_back(prng_.below(2) == 0 ? machine::Op{draw_put()} : machine::GetKey{draw_key()});
  }
  out.must_hold = prng_.below(4) == 0;
  for (uint64_t n = prng_.below(3); n > 0; --n) {
    if (out.must_hold || prng_.below(2) == 0)
      out.failure.push_back(machine::GetKey{draw_key()});
    else
      out.failure.push_back(draw_put());
  }
  return out;
}

// As PUT with If-Match does it; or a lock: the key must not be there.
machine::Body StoreClients::draw_put_if() {
  const machine::PutKey put = draw_put();
  machine::Transact out{.compares = {}, .success = {put}, .must_hold = true};
  const machine::Item* item = log_state().find(put.key);
  if (item == nullptr)
    out.compares.push_back({.name = put.key, .number = 0});
  else
    out.compares.push_back(
        {.target = machine::CompareTarget::mod_index, .name = put.key, .number = log_state().store().mod_index(*item)});
  if (prng_.below(2) == 0) out.success.insert(out.success.begin(), machine::GetKey{put.key});
  out.success.push_back(machine::GetKey{put.key});
  return out;
}

machine::Body StoreClients::draw_lease(Request& /*request*/) {
  const uint64_t kind = prng_.below(10);
  if (kind < 5 || leases_.empty()) return machine::GrantLease{machine::kMinLeaseMs + prng_.below(1'500)};
  if (kind < 8) return machine::KeepLease{draw_lease_id()};
  return machine::RevokeLease{draw_lease_id()};
}

machine::Body StoreClients::draw_plain() {
  if (prng_.below(3) == 0) return machine::Delete{{draw_key(), draw_key()}};
  return machine::Set{{{draw_key(), draw_value()}, {draw_key(), draw_value()}}};
}

machine::Body StoreClients::draw(Request& request) {
  const uint64_t kind = prng_.below(20);
  if (kind < 9) return draw_transaction(request);
  if (kind < 13) return draw_put_if();
  if (kind < 15) return machine::Transact{.compares = {}, .success = {draw_op(request)}};
  if (kind < 18) return draw_lease(request);
  return draw_plain();
}

}  // namespace wh::sim
