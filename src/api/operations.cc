#include "api/operations.h"

#include <algorithm>
#include <array>
#include <type_traits>

#include "base/assert.h"
#include "base/log.h"
#include "base/overloaded.h"
#include "security/sha256.h"

namespace wh::api {
namespace {

std::optional<Refusal> bad_key(std::string_view key) {
  if (key.empty()) return malformed("a key must not be empty");
  if (key.size() > machine::kMaxKeyBytes)
    return malformed("a key has at most " + std::to_string(machine::kMaxKeyBytes) + " bytes");
  return std::nullopt;
}

std::optional<Refusal> bad_queue(std::string_view queue) {
  if (queue.empty()) return malformed("a queue's name must not be empty");
  if (queue.size() > machine::kMaxQueueNameBytes)
    return malformed("a queue's name has at most " + std::to_string(machine::kMaxQueueNameBytes) + " bytes");
  return std::nullopt;
}

// The body for the state machine: views, no copies.
machine::Body body_of(const Write& write) {
  return std::visit([](const auto& one) { return machine::Body(one); }, write);
}

std::optional<Refusal> bad_names(const Write& write) {
  return std::visit(Overloaded{[](const machine::Set& set) {
                                 for (const auto& [key, value] : set.pairs)
                                   if (auto refusal = bad_key(key)) return refusal;
                                 return std::optional<Refusal>();
                               },
                               [](const machine::Delete& del) {
                                 for (const std::string_view key : del.keys)
                                   if (auto refusal = bad_key(key)) return refusal;
                                 return std::optional<Refusal>();
                               },
                               [](const machine::Enqueue& enqueue) {
                                 if (enqueue.event.empty())
                                   return std::optional(malformed("an event must not be empty"));
                                 return bad_queue(enqueue.queue);
                               },
                               [](const machine::Dequeue& dequeue) { return bad_queue(dequeue.queue); },
                               [](const machine::PutSettings&) { return std::optional<Refusal>(); }},
                    write);
}

std::optional<Refusal> check_write(const Write& write) {
  if (auto refusal = bad_names(write)) return refusal;
  const machine::Body body = body_of(write);
  if (const Status fits = machine::check(body); !fits)
    return Refusal{machine::is_too_large(body) ? RefusalKind::too_large : RefusalKind::malformed,
                   printable(fits.error())};
  return std::nullopt;
}

std::optional<Refusal> check_read(const Read& read) {
  if (const auto* get = std::get_if<GetKey>(&read)) return bad_key(get->key);
  if (const auto* front = std::get_if<GetFront>(&read)) return bad_queue(front->queue);
  if (const auto* length = std::get_if<GetLength>(&read)) return bad_queue(length->queue);
  if (const auto* existing = std::get_if<CountExisting>(&read))
    for (const std::string& key : existing->keys)
      if (auto refusal = bad_key(key)) return refusal;
  return std::nullopt;
}

// The position of T among the kinds of Write.
template <typename T, size_t I = 0>
constexpr size_t place() {
  if constexpr (std::is_same_v<std::variant_alternative_t<I, Write>, T>)
    return I;
  else
    return place<T, I + 1>();
}

}  // namespace

std::string encode(const Write& write, const std::optional<Idempotency>& idempotency) {
  if (!idempotency) return machine::encode_command(body_of(write));
  std::string command = machine::encode_command(body_of(write), machine::IdempotencyKey{idempotency->key, {}});
  const std::string_view parts[] = {idempotency->request, machine::body_of(command)};
  const std::array<uint8_t, 32> digest = security::sha256(parts);
  machine::Fingerprint fingerprint{};
  std::copy_n(digest.begin(), fingerprint.size(), fingerprint.begin());
  machine::set_fingerprint(command, fingerprint);
  return command;
}

OperationTraits traits_of(const Operation& operation) {
  return std::visit(
      [](const auto& group) {
        return std::visit([](const auto& one) { return kTraits<std::decay_t<decltype(one)>>; }, group);
      },
      operation);
}

std::optional<Refusal> check_bounds(const Operation& operation) {
  if (const auto* write = std::get_if<Write>(&operation)) return check_write(*write);
  if (const auto* read = std::get_if<Read>(&operation)) return check_read(*read);
  return std::nullopt;
}

Answer look(const machine::Machine& machine, Read&& read) {
  const auto count = [](size_t n) { return Count{n}; };
  Answer answer{machine.applied(), {}};
  std::visit(Overloaded{[&](GetKey& get) {
                          const Bytes* value = machine.get(get.key);
                          answer.body = Value{std::move(get.key), value};
                        },
                        [&](const CountExisting& existing) {
                          answer.body = count(static_cast<size_t>(
                              std::count_if(existing.keys.begin(), existing.keys.end(),
                                            [&](const std::string& key) { return machine.exists(key); })));
                        },
                        [&](const CountKeys&) { answer.body = count(machine.key_count()); },
                        [&](const GetFront& get) { answer.body = Front{machine.front(get.queue)}; },
                        [&](const GetLength& get) { answer.body = count(machine.queue_length(get.queue)); },
                        [&](const ShowSettings&) { answer.body = machine.settings(); }, [](const MakeBackup&) {},
                        [](const ShowMetrics&) {}},
             read);
  return answer;
}

OrRefusal<Answer> answer_of_write(size_t kind, raft::Index index, machine::Reply&& reply) {
  switch (reply.code) {
    case machine::ReplyCode::ok:
      break;
    case machine::ReplyCode::precondition_failed:
      return Refusal{RefusalKind::precondition, "another event, or none, is in front", true, index};
    case machine::ReplyCode::invalid:
      return Refusal{RefusalKind::malformed, "the cluster does not know this command", true, index};
    case machine::ReplyCode::key_reused:
      return Refusal{RefusalKind::unprocessable, "this Idempotency-Key came before with another request", true, index};
    case machine::ReplyCode::duplicate:
    case machine::ReplyCode::unknown:
      return Refusal{RefusalKind::timed_out, "a copy of this request came before; its answer is not known here", false};
  }
  Answer answer{index, {}};
  answer.replayed = reply.replayed_from != raft::Index{};
  if (answer.replayed) answer.index = reply.replayed_from;
  if (kind == place<machine::PutSettings>())
    answer.body = machine::decode_settings(reply.event.view()).value_or(machine::Settings{});
  if (kind == place<machine::Delete>()) answer.body = Count{reply.count};
  if (kind == place<machine::Enqueue>()) answer.body = Enqueued{reply.event_id, reply.queue_length};
  if (kind == place<machine::Dequeue>())
    answer.body = reply.count == 0 ? Dequeued{} : Dequeued{reply.event_id, std::move(reply.event)};
  return answer;
}

Refusal refusal_of(const node::Completion& completion) {
  const auto worded = [&](std::string_view otherwise) {
    return completion.sentence.empty() ? std::string(otherwise) : printable(completion.sentence);
  };
  switch (completion.outcome) {
    case node::Outcome::applied:
      break;
    case node::Outcome::not_leader:
      return {RefusalKind::elsewhere, "another node leads"};
    case node::Outcome::dropped:
      return {RefusalKind::unavailable, worded("no leader could take this in time")};
    case node::Outcome::overloaded:
      return {RefusalKind::overloaded, worded("too much is in progress (directive raft-max-uncommitted): try again")};
    case node::Outcome::shutting_down:
      return {RefusalKind::unavailable, "this node is shutting down"};
    case node::Outcome::conflict:
      return {RefusalKind::conflict, worded("the cluster cannot do this now")};
    case node::Outcome::not_found:
      return {RefusalKind::not_found, worded("there is no such member")};
    case node::Outcome::no_room:
      return {RefusalKind::no_room, worded("there is no room for more data")};
    case node::Outcome::unsupported:
      return {RefusalKind::unsupported, worded("the cluster's version does not have this yet")};
    case node::Outcome::unknown:
    case node::Outcome::timed_out:
      return {RefusalKind::timed_out, worded("no answer in time: it may still take effect, at most once"), false};
  }
  WH_ASSERT(false, "a call that was applied has an answer");
  return {};
}

node::AdminRequest admin_request(Change&& change) {
  return std::visit(
      Overloaded{[](AddMember& add) {
                   return node::AdminRequest{node::AdminKind::add, std::move(add.name), std::move(add.raft_address)};
                 },
                 [](RemoveMember& remove) {
                   return node::AdminRequest{node::AdminKind::remove, std::move(remove.name), {}};
                 },
                 [](TransferLeadership& transfer) {
                   return node::AdminRequest{node::AdminKind::transfer, std::move(transfer.name), {}};
                 }},
      change);
}

node::Topic topic_of(const Watch& watch) {
  return std::visit(Overloaded{[](const WatchCluster&) { return kClusterTopic; }}, watch);
}

}  // namespace wh::api
