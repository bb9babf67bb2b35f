// What the commands on the queues and topics do to the state.
#include <algorithm>

#include "base/assert.h"
#include "base/mutant.h"
#include "machine/command/event_headers.h"
#include "machine/machine.h"
#include "machine/queue/filter.h"

namespace wh::machine {
namespace {

// Copies of one Publish, over all queues.
constexpr size_t kMaxCopies = 10'000;
constexpr size_t kMaxBindings = 10'000;
constexpr size_t kMaxBindingsOfTopic = 1'000;

Reply sentence(ReplyCode code, std::string why) { return Reply{.code = code, .event = Bytes(std::move(why))}; }

Reply no_queue(std::string_view queue) {
  return sentence(ReplyCode::not_found, "there is no queue " + std::string(queue));
}

// To ConfigureQueue.
Reply reply_of(const Queue& queue, bool fresh) {
  std::string own;
  Writer w(own);
  encode_queue_settings(queue.own, w);
  return {.count = fresh ? 1U : 0U, .event = Bytes(std::move(own))};
}

Filter filter_of(const Bind& bind) {
  Filter filter;
  for (const auto& [attribute, pattern] : bind.filter) filter.emplace_back(attribute, pattern);
  return filter;
}

}  // namespace

QueueMoment Machine::moment() const {
  return {.index = state_.applied,
          .stamp = state_.time_ms,
          .jumped = state_.jumped_ms,
          .version = state_.version,
          .settings = state_.settings};
}

// --- one event, as the first versions have it

Reply Machine::run(const Enqueue& enqueue) {
  QueueOps ops(state_.queues, moment(), *this);
  if (auto room = ops.check_room(ops.find_swept(enqueue.queue), enqueue.queue, 1, enqueue.event.size()); !room)
    return room.error();
  Queue& queue = ops.ensure(enqueue.queue);
  const uint64_t id = ops.add(queue, {.bytes = kept(enqueue.event)});
  ops.drop_overflow(queue, 1);
  return Reply{.event_id = raft::Index{id}, .count = 1, .queue_length = queue.content->ready_count};
}

Reply Machine::run(const Dequeue& dequeue) {
  QueueOps ops(state_.queues, moment(), *this);
  size_t budget = kDueEventsPerEntry;
  Queue* queue = ops.find_swept(dequeue.queue, budget);
  const auto length = [&] { return queue == nullptr ? 0 : queue->content->ready_count; };
  if (dequeue.only_if_front) {
    const Event* front = queue == nullptr ? nullptr : ops.front_alive(*queue, budget);
    if (front == nullptr || front->id() != *dequeue.only_if_front)
      return Reply{.code = ReplyCode::precondition_failed, .queue_length = length()};
  }
  if (dequeue.count) {
    Reply reply;
    if (queue == nullptr) return reply;
    for (QueueOps::Popped& one : ops.pop_many(*queue, *dequeue.count))
      reply.deliveries.push_back({.id = one.id, .headers = std::move(one.headers), .bytes = std::move(one.bytes)});
    reply.count = reply.deliveries.size();
    if (reply.count != 0) reply.event_id = raft::Index{reply.deliveries.front().id};
    reply.queue_length = length();
    return reply;
  }
  size_t more = kDueEventsPerEntry;  // the sweep may have spent its own
  auto popped = queue == nullptr ? std::nullopt : ops.pop(*queue, more);
  if (!popped) return Reply{.queue_length = state_.version < 3 ? 0 : length()};
  Reply reply{
      .event_id = raft::Index{popped->id}, .count = 1, .queue_length = length(), .event = std::move(popped->bytes)};
  if (!popped->headers.empty()) reply.deliveries.push_back({.id = popped->id, .headers = std::move(popped->headers)});
  return reply;
}

// --- arrivals

// The ids of events whose keys are known, 0 for the new ones. A key twice in the batch stands for one event.
Result<std::vector<uint64_t>, Reply> Machine::known_ids(std::string_view scope, const std::vector<NewEvent>& events,
                                                        std::vector<size_t>& same_as) const {
  std::vector<uint64_t> ids(events.size(), 0);
  same_as.resize(events.size());
  std::map<std::string_view, size_t> first;
  for (size_t i = 0; i < events.size(); ++i) {
    same_as[i] = i;
    if (!events[i].idempotency || WH_MUTANT(idempotency_key_ignored)) continue;
    const IdempotencyKey& key = *events[i].idempotency;
    const auto [at, fresh] = first.emplace(key.key, i);
    if (!fresh) {
      if (events[at->second].idempotency->fingerprint != key.fingerprint) return Reply{.code = ReplyCode::key_reused};
      same_as[i] = at->second;
      continue;
    }
    const auto* answer = state_.idempotency.find(scope, key.key);
    if (answer == nullptr || answer->due <= state_.time_ms) continue;
    if (answer->fingerprint != key.fingerprint) return Reply{.code = ReplyCode::key_reused};
    const Result<Reply> reply = decode_reply(answer->reply.view());
    WH_ASSERT(reply, "a kept answer is one");
    ids[i] = reply->event_id.value;
  }
  return ids;
}

QueueOps::NewCopy Machine::copy_of(const NewEvent& event) const {
  return {.bytes = kept(event.bytes),
          .headers = Bytes::copy(event.headers),
          .delay = event.delay,
          .deliver_at = event.deliver_at,
          .ttl = event.ttl,
          .priority = event.priority,
          .group = event.group};
}

Reply Machine::run(const PutEvents& put) {
  const std::string scope = "q" + std::string(put.queue);
  std::vector<size_t> same_as;
  Result<std::vector<uint64_t>, Reply> known = known_ids(scope, put.events, same_as);
  if (!known) return known.error();
  std::vector<uint64_t> ids = std::move(*known);
  uint64_t count = 0;
  uint64_t bytes = 0;
  for (size_t i = 0; i < ids.size(); ++i)
    if (ids[i] == 0 && same_as[i] == i) {
      ++count;
      bytes += put.events[i].bytes.size() + put.events[i].headers.size();
    }
  Reply reply;
  {
    QueueOps ops(state_.queues, moment(), *this);
    if (count > 0)
      if (auto room = ops.check_room(ops.find_swept(put.queue), put.queue, count, bytes); !room) return room.error();
    Queue* queue = count > 0 ? &ops.ensure(put.queue) : ops.find(put.queue);
    for (size_t i = 0; i < ids.size(); ++i)
      if (ids[i] == 0 && same_as[i] == i) ids[i] = ops.add(*queue, copy_of(put.events[i]));
    for (size_t i = 0; i < ids.size(); ++i) ids[i] = ids[same_as[i]];
    if (count > 0) ops.drop_overflow(*queue, count);
    reply = Reply{.event_id = raft::Index{ids.front()},
                  .count = ids.size(),
                  .queue_length = queue == nullptr ? 0 : queue->content->ready_count};
  }
  for (size_t i = 0; i < ids.size(); ++i)
    if (put.events[i].idempotency && same_as[i] == i)
      remember_once(scope, *put.events[i].idempotency, {.event_id = raft::Index{ids[i]}, .count = 1});
  if (ids.size() > 1) reply.ids = std::move(ids);
  return reply;
}

// Each queue gets its own copies, which share the bytes. One that has no room refuses the whole.
Reply Machine::run(const Publish& publish) {
  const std::string scope = "t" + std::string(publish.topic);
  std::vector<size_t> same_as;
  Result<std::vector<uint64_t>, Reply> known = known_ids(scope, publish.events, same_as);
  if (!known) return known.error();
  const auto topic = state_.queues.topics().find(publish.topic);
  if (topic == state_.queues.topics().end())
    return sentence(ReplyCode::not_found, "there is no topic " + std::string(publish.topic) +
                                              ": bind a queue to it (PUT /topics/{topic}/queues/{queue})");
  std::vector<QueueOps::NewCopy> copies;
  copies.reserve(publish.events.size());
  for (const NewEvent& event : publish.events) copies.push_back(copy_of(event));
  std::vector<std::pair<const std::string*, std::vector<size_t>>> plan;
  size_t total = 0;
  size_t budget = kDueEventsPerEntry;  // for all queues together
  // The id is what a later batch takes as the sign that the event was published before.
  Reply reply{.event_id = state_.applied, .count = publish.events.size()};
  {
    QueueOps ops(state_.queues, moment(), *this);
    for (const auto& [queue, binding] : topic->second) {
      std::vector<size_t> fits;
      uint64_t bytes = 0;
      for (size_t i = 0; i < publish.events.size(); ++i) {
        if ((*known)[i] != 0 || same_as[i] != i || !filter_fits(binding.filter, publish.events[i].headers)) continue;
        fits.push_back(i);
        bytes += publish.events[i].bytes.size() + publish.events[i].headers.size();
      }
      if (fits.empty()) continue;
      if (auto room = ops.check_room(ops.find_swept(queue, budget), queue, fits.size(), bytes); !room) {
        if (WH_MUTANT(fan_out_by_halves)) continue;
        return room.error();
      }
      total += fits.size();
      plan.emplace_back(&queue, std::move(fits));
    }
    if (total > kMaxCopies)
      return sentence(ReplyCode::refused,
                      "one request makes at most 10000 copies over all queues of a topic, and this " +
                          std::to_string(total) + ": send fewer events at once");
    for (const auto& [name, fits] : plan) {
      Queue& queue = ops.ensure(*name);
      for (const size_t i : fits) ops.add(queue, copies[i]);
      ops.drop_overflow(queue, fits.size());
    }
  }
  for (size_t i = 0; i < publish.events.size(); ++i)
    if (publish.events[i].idempotency && same_as[i] == i)
      remember_once(scope, *publish.events[i].idempotency, {.event_id = state_.applied, .count = 1});
  reply.queue_length = total;
  return reply;
}

// --- deliveries

Reply Machine::run(const Receive& receive) {
  QueueOps ops(state_.queues, moment(), *this);
  Queue* queue = ops.find(receive.queue);
  Reply reply;
  if (queue == nullptr) return reply;
  reply.deliveries = ops.receive(*queue, receive.max, receive.visibility);
  reply.count = reply.deliveries.size();
  return reply;
}

// The deliveries of an earlier Receive that are still held.
std::vector<Delivery> Machine::still_held(std::string_view queue, const std::vector<uint64_t>& ids,
                                          raft::Index delivery) const {
  std::vector<Delivery> held;
  const Queue* found = state_.queues.find(queue);
  for (const uint64_t id : ids) {
    const Event* event = found == nullptr ? nullptr : std::as_const(*found->content).find(id);
    if (event != nullptr && event->state == EventState::reserved &&
        (event->delivery == delivery.value || WH_MUTANT(repeat_of_what_others_hold)) && event->due > state_.time_ms)
      held.push_back(QueueOps::delivery_of(*event, state_.jumped_ms));
  }
  return held;
}

Reply Machine::run(const Settle& settle) {
  QueueOps ops(state_.queues, moment(), *this);
  Queue* queue = ops.find(settle.queue);
  if (queue == nullptr) return no_queue(settle.queue);
  Reply reply;
  for (const Receipt& receipt : settle.receipts) {
    reply.outcomes.push_back(ops.settle(*queue, settle, receipt));
    reply.count += reply.outcomes.back() == SettleOutcome::done ? 1 : 0;
  }
  if (settle.verb == SettleVerb::extend)
    reply.queue_length = state_.cluster_time_ms() +
                         settle.duration.value_or(state_.queues.setting(*queue, QueueSetting::visibility_timeout,
                                                                        state_.settings));  // visible_at
  return reply;
}

Reply Machine::run(const RemoveEvents& remove) {
  QueueOps ops(state_.queues, moment(), *this);
  Queue* queue = ops.find(remove.queue);
  if (queue == nullptr) return no_queue(remove.queue);
  Reply reply;
  for (const uint64_t id : remove.ids) {
    reply.outcomes.push_back(ops.remove_event(*queue, id));
    reply.count += reply.outcomes.back() == SettleOutcome::done ? 1 : 0;
  }
  return reply;
}

Reply Machine::run(const Redrive& redrive) {
  QueueOps ops(state_.queues, moment(), *this);
  Queue* to = ops.find(redrive.to);
  if (to == nullptr) return no_queue(redrive.to);
  Queue* from = ops.find(redrive.from);
  if (from == nullptr) return no_queue(redrive.from);
  if (to->paused_in) return ops.check_room(to, *to->name, 1, 0).error();
  return {.count = ops.redrive(*from, *to, redrive.max)};
}

// --- queues

Reply Machine::run(const ConfigureQueue& configure) {
  QueueOps ops(state_.queues, moment(), *this);
  if (const Status fits = ops.check_new(configure.queue); !fits) return sentence(ReplyCode::full, fits.error());
  const bool fresh = ops.find(configure.queue) == nullptr;
  for (const QueueSettingChange& change : configure.changes) {
    const bool to_default = change.reset && change.setting == static_cast<uint8_t>(QueueSetting::dead_letter_queue) &&
                            configure.queue.size() <= kMaxQueueNameBytes;
    const std::string target =
        to_default ? std::string(configure.queue) + std::string(kDeadSuffix) : std::string(change.name);
    if (!target.empty() && !WH_MUTANT(circle_of_dead_letters) && state_.queues.makes_circle(configure.queue, target))
      return sentence(ReplyCode::refused, "dead_letter_queue: dead letters of " + std::string(configure.queue) +
                                              " would come back to it by way of " + target);
  }
  Queue& queue = ops.ensure(configure.queue);
  ops.configure(queue, configure.changes);
  return reply_of(queue, fresh);
}

Reply Machine::run(const DeleteQueue& del) {
  QueueOps ops(state_.queues, moment(), *this);
  Queue* queue = ops.find(del.queue);
  if (queue == nullptr) return no_queue(del.queue);
  if (state_.queues.is_named(del.queue)) {
    const auto& all = state_.queues.by_name();
    const auto names = std::find_if(all.begin(), all.end(),
                                    [&](const auto& one) { return one.second.own.dead_letter_queue == del.queue; });
    return sentence(ReplyCode::conflict, "the queue " + (names == all.end() ? std::string() : names->first) +
                                             " names " + std::string(del.queue) +
                                             " as its dead_letter_queue: change that first");
  }
  discard(ops.remove(*queue));
  effects_.arrived_queues.push_back(del.queue);  // a name in the command: its streams end
  return {.count = 1};
}

Reply Machine::run(const PauseQueue& pause) {
  QueueOps ops(state_.queues, moment(), *this);
  Queue* queue = ops.find(pause.queue);
  if (queue == nullptr) return no_queue(pause.queue);
  ops.pause(*queue, pause.in, pause.out);
  return {};
}

Reply Machine::run(const PurgeQueue& purge) {
  QueueOps ops(state_.queues, moment(), *this);
  Queue* queue = ops.find(purge.queue);
  if (queue == nullptr) return no_queue(purge.queue);
  const uint64_t removed = queue->size();
  discard(ops.purge(*queue));
  return {.count = removed};
}

std::optional<Reply> Machine::unchanged(const Body& body) const {
  if (std::visit([]<typename T>(const T&) { return T::kTraits.since; }, body) > state_.version) return std::nullopt;
  const Queues& queues = state_.queues;
  if (const auto* configure = std::get_if<ConfigureQueue>(&body)) {
    const Queue* queue = queues.find(configure->queue);
    OwnQueueSettings after = queue == nullptr ? OwnQueueSettings{} : queue->own;
    for (const QueueSettingChange& change : configure->changes) (void)after.apply(change);
    if (queue != nullptr && after == queue->own) return reply_of(*queue, false);
  } else if (const auto* pause = std::get_if<PauseQueue>(&body)) {
    const Queue* queue = queues.find(pause->queue);
    if (queue != nullptr && pause->in.value_or(queue->paused_in) == queue->paused_in &&
        pause->out.value_or(queue->paused_out) == queue->paused_out)
      return Reply{};
  } else if (const auto* bind = std::get_if<Bind>(&body)) {
    const auto topic = queues.topics().find(bind->topic);
    if (topic == queues.topics().end()) return std::nullopt;
    const auto bound = topic->second.find(bind->queue);
    if (bound != topic->second.end() && bound->second.filter == filter_of(*bind)) return Reply{};
  } else if (const auto* put = std::get_if<PutSettings>(&body)) {
    const bool same = std::all_of(put->values.begin(), put->values.end(), [&](const auto& item) {
      return state_.settings.*find_setting(item.first)->value == item.second;
    });
    if (same) return settings_reply(*put);
  }
  return std::nullopt;
}

// --- topics

Reply Machine::run(const Bind& bind) {
  QueueOps ops(state_.queues, moment(), *this);
  if (const Status fits = ops.check_new(bind.queue); !fits) return sentence(ReplyCode::full, fits.error());
  const Topics& topics = state_.queues.topics();
  const auto topic = topics.find(bind.topic);
  const size_t bound = topic == topics.end() ? 0 : topic->second.size();
  const bool fresh = topic == topics.end() || !topic->second.contains(bind.queue);
  if (fresh && (bound >= kMaxBindingsOfTopic || state_.queues.binding_count() >= kMaxBindings))
    return sentence(ReplyCode::full, bound >= kMaxBindingsOfTopic
                                         ? "a topic has at most 1000 queues: unbind some"
                                         : "there are at most 10000 bindings of queues to topics: remove some");
  ops.ensure(bind.queue);
  ops.bind(bind.topic, bind.queue, filter_of(bind));
  return {.count = fresh ? 1U : 0U};
}

Reply Machine::run(const Unbind& unbind) {
  QueueOps ops(state_.queues, moment(), *this);
  if (ops.unbind(unbind.topic, unbind.queue)) return {.count = 1};
  return sentence(ReplyCode::not_found,
                  "the queue " + std::string(unbind.queue) + " is not bound to the topic " + std::string(unbind.topic));
}

// --- by how much a command grows the data

uint64_t Machine::growth_by(const Enqueue& enqueue) const {
  const uint64_t queue =
      state_.queues.find(enqueue.queue) == nullptr ? enqueue.queue.size() + Queues::kQueueOverhead : 0;
  return queue + enqueue.event.size() + Queues::kEventOverhead;
}

uint64_t Machine::growth_by(const PutEvents& put) const {
  uint64_t total = state_.queues.find(put.queue) == nullptr ? put.queue.size() + Queues::kQueueOverhead : 0;
  for (const NewEvent& event : put.events)
    total += Queues::kEventOverhead + event.bytes.size() +
             (event.headers.empty() ? 0 : Queues::kExtraOverhead + event.headers.size()) +
             (event.group.empty() ? 0 : Queues::kGroupOverhead + event.group.size());
  return total;
}

uint64_t Machine::growth_by(const Publish& publish) const {
  const auto topic = state_.queues.topics().find(publish.topic);
  if (topic == state_.queues.topics().end()) return 0;
  return growth_by(PutEvents{publish.topic, publish.events}) * topic->second.size();
}

uint64_t Machine::growth_by(const ConfigureQueue& configure) const {
  return state_.queues.find(configure.queue) == nullptr ? configure.queue.size() + Queues::kQueueOverhead : 0;
}

uint64_t Machine::growth_by(const Bind& bind) const {
  uint64_t total = state_.queues.find(bind.queue) == nullptr ? bind.queue.size() + Queues::kQueueOverhead : 0;
  total += Queues::kBindingOverhead + bind.topic.size() + bind.queue.size();
  for (const auto& [attribute, pattern] : bind.filter) total += 64 + attribute.size() + pattern.size();
  return total;
}

// --- what the queues tell

void Machine::before_head_change(const Queue& queue) {
  for (auto& walk : walks_)
    if (walk) walk->keep_queue(queue);
}

void Machine::before_event_change(const Queue& queue, const Event& event) {
  if (WH_MUTANT(snapshot_without_barrier)) return;
  for (auto& walk : walks_)
    if (walk) walk->keep_event(queue, event);
}

void Machine::before_detach(const Queue& queue, const std::shared_ptr<QueueContent>& content) {
  for (auto& walk : walks_)
    if (walk) walk->keep_content(queue, content);
}

void Machine::before_unbind(std::string_view topic, std::string_view queue, const Binding& binding) {
  for (auto& walk : walks_)
    if (walk) walk->keep_binding(topic, queue, binding);
}

void Machine::became_ready(std::string_view queue) { effects_.ready_queues.push_back(queue); }

void Machine::arrived(std::string_view queue) { effects_.arrived_queues.push_back(queue); }

// Frees the events of a purged queue: the last walk that needs them lets go of them.
void Machine::discard(std::shared_ptr<QueueContent> content) {
  if (content && !content->events.empty()) purged_.push_back(std::move(content));
}

bool Machine::free_purged(size_t units) {
  for (size_t used = 0; used < units;) {
    const auto free =
        std::find_if(purged_.begin(), purged_.end(), [](const auto& one) { return one.use_count() == 1; });
    if (free == purged_.end()) return false;  // none, or running snapshots still walk them
    if (const auto size = (*free)->free_one())
      used += 1 + *size / (size_t{16} << 10);
    else
      purged_.erase(free);
  }
  return true;
}

}  // namespace wh::machine
