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

// The body for the state machine: views, no copies.
machine::Body body_of(const Write& write) {
  return std::visit([](const auto& one) { return machine::Body(one); }, write);
}

// Only paths name the queues and topics of these.
template <typename T>
std::optional<Refusal> bad_names_in_path(const T& one) {
  if constexpr (requires { one.topic; })
    if (auto refusal = bad_topic_in_path(one.topic)) return refusal;
  if constexpr (requires { one.queue; })
    if (auto refusal = bad_queue_in_path(one.queue)) return refusal;
  if constexpr (requires { one.from; })
    if (auto refusal = bad_queue_in_path(one.from)) return refusal;
  if constexpr (requires { one.to; })
    if (auto refusal = bad_queue_in_path(one.to)) return refusal;
  return std::nullopt;
}

// Of what these make.
std::optional<Refusal> bad_new_names(const Write& write) {
  if (const auto* bind = std::get_if<machine::Bind>(&write)) {
    auto refusal = bad_new_name(bind->topic);
    return refusal ? refusal : bad_new_name(bind->queue);
  }
  const auto* configure = std::get_if<machine::ConfigureQueue>(&write);
  if (configure == nullptr) return std::nullopt;
  for (const machine::QueueSettingChange& change : configure->changes)
    if (auto refusal = bad_new_name(change.name)) return refusal;
  return bad_new_name(configure->queue);
}

// The machine's bounds name the rest.
std::optional<Refusal> bad_names_in(const machine::Transact& transact) {
  for (const auto* ops : {&transact.success, &transact.failure})
    for (const machine::Op& op : *ops)
      if (const auto* enqueue = std::get_if<machine::EnqueueEvent>(&op)) {
        if (auto refusal = bad_queue(enqueue->queue)) return refusal;
        if (auto refusal = bad_new_name(enqueue->queue)) return refusal;
      }
  return std::nullopt;
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
                               [](const machine::PutEvents& put) { return bad_queue(put.queue); },
                               [](const machine::Transact& transact) { return bad_names_in(transact); },
                               [](const machine::PutSettings&) { return std::optional<Refusal>(); },
                               [](const auto& of_queues) { return bad_names_in_path(of_queues); }},
                    write);
}

std::optional<Refusal> check_write(const Write& write) {
  if (auto refusal = bad_names(write)) return refusal;
  if (auto refusal = bad_new_names(write)) return refusal;
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
  if (const auto* list = std::get_if<ListKeys>(&read); list != nullptr && list->prefix.size() > machine::kMaxKeyBytes)
    return malformed("a prefix has at most " + std::to_string(machine::kMaxKeyBytes) + " bytes");
  if (const auto* get = std::get_if<GetKeys>(&read)) {
    if (get->keys.size() > machine::kMaxItems)
      return malformed("one request reads at most " + std::to_string(machine::kMaxItems) + " keys");
    for (const std::string& key : get->keys)
      if (auto refusal = bad_key(key)) return refusal;
  }
  if (const auto* existing = std::get_if<CountExisting>(&read))
    for (const std::string& key : existing->keys)
      if (auto refusal = bad_key(key)) return refusal;
  if (const auto* show = std::get_if<ShowQueue>(&read)) return bad_queue_in_path(show->queue);
  if (const auto* list = std::get_if<ListEvents>(&read)) return bad_queue_in_path(list->queue);
  if (const auto* list = std::get_if<ListReady>(&read)) return bad_queue(list->queue);
  if (const auto* get = std::get_if<GetEvent>(&read)) return bad_queue_in_path(get->queue);
  if (const auto* show = std::get_if<ShowTopic>(&read)) return bad_topic_in_path(show->topic);
  return std::nullopt;
}

std::optional<Refusal> check_take(const Take& take) {
  const std::vector<std::string>& queues = queues_of(take);
  if (queues.empty() || queues.size() > node::kMaxQueuesOfTake)
    return malformed("one request takes from at most " + std::to_string(node::kMaxQueuesOfTake) + " queues");
  for (const std::string& queue : queues)
    if (auto refusal = std::holds_alternative<PopFirst>(take) ? bad_queue(queue) : bad_queue_in_path(queue))
      return refusal;
  return check_write(command_of(take));
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

// Only settings and the like are looked at: copying a batch of events to see that it is one would cost.
bool changes_nothing(const machine::Machine& machine, const Write& write) {
  return std::visit(
      [&]<typename T>(const T& one) {
        if constexpr (std::is_same_v<T, machine::ConfigureQueue> || std::is_same_v<T, machine::PauseQueue> ||
                      std::is_same_v<T, machine::Bind> || std::is_same_v<T, machine::PutSettings>)
          return machine.unchanged(machine::Body(one)).has_value();
        else
          return false;
      },
      write);
}

std::string encode(const Write& write, const std::optional<Idempotency>& idempotency) {
  if (!idempotency) return machine::encode_command(body_of(write));
  std::string command = machine::encode_command(body_of(write), machine::IdempotencyKey{idempotency->key, {}});
  const std::string_view parts[] = {idempotency->request, machine::body_of(command)};
  machine::set_fingerprint(command, idempotency->fingerprint ? *idempotency->fingerprint : fingerprint_of(parts));
  return command;
}

machine::Fingerprint fingerprint_of(std::span<const std::string_view> parts) {
  const std::array<uint8_t, 32> digest = security::sha256(parts);
  machine::Fingerprint fingerprint{};
  std::copy_n(digest.begin(), fingerprint.size(), fingerprint.begin());
  return fingerprint;
}

machine::Fingerprint fingerprint_of(const machine::NewEvent& event) {
  const auto text = [](const std::optional<Millis>& value) { return value ? std::to_string(*value) : std::string(); };
  const std::string terms = text(event.delay) + ' ' + text(event.deliver_at) + ' ' + std::to_string(event.ttl) + ' ' +
                            std::to_string(event.priority);
  const std::string_view parts[] = {event.bytes, event.headers, terms, event.group};
  return fingerprint_of(parts);
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
  if (const auto* take = std::get_if<Take>(&operation)) return check_take(*take);
  const auto* watch = std::get_if<Watch>(&operation);
  const auto* keys = watch == nullptr ? nullptr : std::get_if<WatchKeys>(watch);
  if (keys != nullptr && keys->name.size() > machine::kMaxKeyBytes)
    return malformed("a key, or a prefix, has at most " + std::to_string(machine::kMaxKeyBytes) + " bytes");
  return std::nullopt;
}

Write command_of(const Take& take) {
  return std::visit(Overloaded{[](const PopFirst& pop) {
                                 return Write{machine::Dequeue{pop.queues[0], {}}};
                               },
                               [](const ReceiveFirst& receive) {
                                 return Write{machine::Receive{receive.queues[0], receive.max, {}}};
                               }},
                    take);
}

const std::vector<std::string>& queues_of(const Take& take) {
  return std::visit([](const auto& one) -> const std::vector<std::string>& { return one.queues; }, take);
}

Millis wait_of(const Take& take) {
  return std::visit([](const auto& one) { return one.wait_ms; }, take);
}

Taken taken(Answer&& answer, std::string queue) {
  Taken taken{std::move(queue), {}};
  if (auto* received = std::get_if<Received>(&answer.body)) {
    taken.deliveries = std::move(received->deliveries);
  } else if (auto* popped = std::get_if<Dequeued>(&answer.body); popped != nullptr && popped->id.value != 0) {
    taken.deliveries.push_back({.id = popped->id.value, .bytes = std::move(popped->event)});
  }
  return taken;
}

Answer look(const machine::Machine& machine, Read&& read) {
  const auto count = [](size_t n) { return Count{n}; };
  Answer answer{machine.applied(), {}};
  std::visit(
      Overloaded{
          [&](GetKey& get) {
            const machine::Item* item = machine.find(get.key);
            answer.body = Value{std::move(get.key), item};
          },
          [&](const GetKeys& get) { answer.body = look(machine, get); },
          [&](const ListKeys& list) { answer.body = look(machine, list); },
          [&](const PickKey& pick) { answer.body = look(machine, pick); },
          [&](const ShowLease& show) { answer.body = look(machine, show); },
          [&](const ListLeases& list) { answer.body = look(machine, list); },
          [&](const CountExisting& existing) {
            answer.body =
                count(static_cast<size_t>(std::count_if(existing.keys.begin(), existing.keys.end(),
                                                        [&](const std::string& key) { return machine.exists(key); })));
          },
          [&](const CountKeys&) { answer.body = count(machine.key_count()); },
          [&](const GetFront& get) { answer.body = Front{machine.front(get.queue)}; },
          [&](const GetLength& get) { answer.body = count(machine.queue_length(get.queue)); },
          [&](const ShowQueue& show) {
            ShownQueues shown;
            if (const machine::Queue* queue = machine.queues().find(show.queue)) shown.queues = {queue};
            answer.body = std::move(shown);
          },
          [&](const ListQueues& list) { answer.body = look(machine.queues(), list); },
          [&](const ListEvents& list) { answer.body = look(machine.queues(), list); },
          [&](const ListReady& list) { answer.body = look(machine.queues(), list); },
          [&](const GetEvent& get) {
            const machine::Queue* queue = machine.queues().find(get.queue);
            answer.body = ShownEvent{queue, queue == nullptr ? nullptr : std::as_const(*queue->content).find(get.id)};
          },
          [&](const ShowTopic& show) {
            ShownTopics shown;
            const machine::Topics& topics = machine.queues().topics();
            if (const auto at = topics.find(show.topic); at != topics.end()) shown.topics = {&*at};
            answer.body = std::move(shown);
          },
          [&](const ListTopics& list) { answer.body = look(machine.queues(), list); },
          [&](const ShowSettings&) { answer.body = machine.settings(); },
          [](const MakeBackup&) {},
          [](const ShowMetrics&) {}},
      read);
  return answer;
}

// What an applied write answers.
static decltype(Answer::body) body_of_reply(size_t kind, machine::Reply&& reply) {
  switch (kind) {
    case place<machine::PutSettings>():
      return machine::decode_settings(reply.event.view()).value_or(machine::Settings{});
    case place<machine::Enqueue>():
      return Enqueued{reply.event_id, reply.queue_length};
    case place<machine::Dequeue>():
      if (reply.count == 0) return Dequeued{};
      return Dequeued{reply.event_id, std::move(reply.event),
                      reply.deliveries.empty() ? Bytes() : reply.deliveries[0].headers, std::move(reply.deliveries)};
    case place<machine::PutEvents>():
      return Stored{reply.ids.empty() ? std::vector<uint64_t>{reply.event_id.value} : std::move(reply.ids),
                    reply.queue_length};
    case place<machine::Publish>():
      return Published{reply.count, reply.queue_length};
    case place<machine::Receive>():
      return Received{std::move(reply.deliveries)};
    case place<machine::Settle>():
    case place<machine::RemoveEvents>():
      return Settled{std::move(reply.outcomes), reply.queue_length};
    case place<machine::ConfigureQueue>(): {
      Configured configured;
      Reader in(reply.event.view());
      machine::decode_queue_settings(in, configured.own);
      return configured;
    }
    case place<machine::Transact>():
      return Transacted{reply.count != 0, reply.code == machine::ReplyCode::ok, std::move(reply.results),
                        reply.queue_length != 0};
    case place<machine::GrantLease>():
      return Leased{reply.event_id.value, 0};
    case place<machine::KeepLease>():
      return Leased{0, reply.queue_length};
    case place<machine::Set>():
      return Done{};
    default:
      return Count{reply.count};
  }
}

OrRefusal<Answer> answer_of_write(size_t kind, raft::Index index, machine::Reply&& reply) {
  switch (reply.code) {
    case machine::ReplyCode::ok:
      break;
    case machine::ReplyCode::precondition_failed:
      if (kind == place<machine::Transact>()) break;  // its answer says what is there
      return Refusal{RefusalKind::precondition, "another event, or none, is in front", true, index};
    case machine::ReplyCode::invalid:
      return Refusal{RefusalKind::malformed, "the cluster does not know this command", true, index};
    case machine::ReplyCode::key_reused:
      return Refusal{RefusalKind::unprocessable, "this Idempotency-Key came before with another request", true, index};
    case machine::ReplyCode::full:
      return Refusal{RefusalKind::too_many, printable(reply.event.view()), true, index};
    case machine::ReplyCode::not_found:
      return Refusal{RefusalKind::not_found, printable(reply.event.view()), true, index};
    case machine::ReplyCode::conflict:
      return Refusal{RefusalKind::conflict, printable(reply.event.view()), true, index};
    case machine::ReplyCode::refused:
      return Refusal{RefusalKind::malformed, printable(reply.event.view()), true, index};
    case machine::ReplyCode::duplicate:
    case machine::ReplyCode::unknown:
      return Refusal{RefusalKind::timed_out, "a copy of this request came before; its answer is not known here", false};
  }
  Answer answer{index, {}};
  answer.replayed = reply.replayed_from != raft::Index{};
  if (answer.replayed) answer.index = reply.replayed_from;
  answer.body = body_of_reply(kind, std::move(reply));
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
  return std::visit(
      Overloaded{[](const WatchCluster&) { return kClusterTopic; },
                 [](const WatchQueue& queue) {
                   return node::Topic{node::Topic::Kind::arrivals, queue.queue};
                 },
                 [](const WatchKeys& keys) {
                   return node::Topic{keys.prefix ? node::Topic::Kind::prefix : node::Topic::Kind::key, keys.name};
                 }},
      watch);
}

std::optional<Refusal> check_watch(const machine::Machine& machine, const Watch& watch) {
  if (const auto* queue = std::get_if<WatchQueue>(&watch)) return check_watch(machine, *queue);
  if (const auto* keys = std::get_if<WatchKeys>(&watch)) return check_watch(machine, *keys);
  return std::nullopt;
}

}  // namespace wh::api
