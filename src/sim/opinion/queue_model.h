// A model of the queues: lists that are searched, no index, no count that is kept. Says of each command what its reply
// is and what the queues hold afterwards. For the check of histories (model.h) and the tests of the machine.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "machine/machine.h"
#include "machine/queue/filter.h"

namespace wh::sim::model {

using machine::AdvanceTime;
using machine::Bind;
using machine::ConfigureQueue;
using machine::DeleteQueue;
using machine::Delivery;
using machine::Dequeue;
using machine::Due;
using machine::encode_queue_settings;
using machine::Enqueue;
using machine::EventState;
using machine::Filter;
using machine::filter_fits;
using machine::find_setting;
using machine::kDefaultPriority;
using machine::kQueueSettings;
using machine::NewEvent;
using machine::OwnQueueSettings;
using machine::PauseQueue;
using machine::Publish;
using machine::PurgeQueue;
using machine::PutEvents;
using machine::PutSettings;
using machine::QueueSetting;
using machine::QueueSettingChange;
using machine::QueueTotals;
using machine::Receipt;
using machine::Receive;
using machine::Redrive;
using machine::RemoveEvents;
using machine::Reply;
using machine::ReplyCode;
using machine::Settings;
using machine::Settle;
using machine::SettleOutcome;
using machine::SettleVerb;
using machine::Unbind;

struct QueueModel {
  struct Item {
    uint64_t id = 0;
    uint64_t arrival = 0;
    std::string bytes;
    std::string headers;
    std::string group;
    EventState state = EventState::ready;
    Millis arrived_at = 0;
    Millis enqueued_at = 0;
    Millis due = 0;
    Millis expires_at = 0;
    uint64_t delivery = 0;
    uint32_t deliveries = 0;
    uint8_t priority = kDefaultPriority;
    bool holds = false;
    std::string reason;
    std::string source;
  };
  struct Q {
    std::vector<Item> items;  // by arrival
    OwnQueueSettings own;
    bool in = false;
    bool out = false;
    QueueTotals totals;
  };

  std::map<std::string, Q> queues;
  std::map<std::string, std::map<std::string, Filter>> topics;
  Settings settings;
  ClusterVersion version = kFirstVersion;
  uint64_t index = 0;
  uint64_t last = 0;
  Millis stamp = 0;
  Millis jumped = 0;

  [[nodiscard]] Millis now() const { return stamp + jumped; }
  [[nodiscard]] bool life() const { return version >= 3; }

  // --- settings

  [[nodiscard]] bool is_dead_letter_queue(const std::string& name) const {
    for (const auto& [other, queue] : queues)
      if (queue.own.dead_letter_queue == name) return true;
    if (!name.ends_with(".dead")) return false;
    const auto source = queues.find(name.substr(0, name.size() - 5));
    return source != queues.end() && !source->second.own.dead_letter_queue;
  }
  [[nodiscard]] uint64_t setting(const std::string& name, QueueSetting which) const {
    const auto number = static_cast<size_t>(which);
    const auto queue = queues.find(name);
    if (queue != queues.end() && queue->second.own.numbers[number]) return *queue->second.own.numbers[number];
    if (which == QueueSetting::max_deliveries && is_dead_letter_queue(name)) return 0;
    return settings.*kQueueSettings[number].by_default;
  }
  [[nodiscard]] std::string dead_letter_queue(const std::string& name) const {
    const Q& queue = queues.at(name);
    if (queue.own.dead_letter_queue) return *queue.own.dead_letter_queue;
    return is_dead_letter_queue(name) || name.size() > 128 ? "" : name + ".dead";
  }

  // A dead letter keeps its count, so that only a limit of its queue's own counts for it.
  [[nodiscard]] uint64_t limit_of(const std::string& name, const Item& item) const {
    const bool own = queues.at(name).own.numbers[static_cast<size_t>(QueueSetting::max_deliveries)].has_value();
    return item.id != item.arrival && !own ? 0 : setting(name, QueueSetting::max_deliveries);
  }
  [[nodiscard]] bool has_end(const std::string& name) const {
    return queues.at(name).own.dead_letter_queue || !dead_letter_queue(name).empty();
  }

  // --- what may be delivered

  // The events that could be delivered now, in their order.
  static std::vector<size_t> deliverable(const Q& queue) {
    std::vector<size_t> out;
    for (size_t i = 0; i < queue.items.size(); ++i) {
      const Item& item = queue.items[i];
      if (item.state != EventState::ready) continue;
      bool first = true;
      for (size_t j = 0; !item.group.empty() && j < queue.items.size(); ++j) {
        const Item& other = queue.items[j];
        if (other.group != item.group || j == i) continue;
        if (other.holds) first = false;
        if (!item.holds && other.state != EventState::delayed && other.id < item.id) first = false;
      }
      if (first) out.push_back(i);
    }
    std::sort(out.begin(), out.end(), [&](size_t a, size_t b) {
      const Item& x = queue.items[a];
      const Item& y = queue.items[b];
      return x.priority != y.priority ? x.priority < y.priority : x.id < y.id;
    });
    return out;
  }
  static uint64_t count(const Q& queue, EventState state) {
    return static_cast<uint64_t>(
        std::count_if(queue.items.begin(), queue.items.end(), [&](const Item& item) { return item.state == state; }));
  }

  // --- time

  static Millis due_of(const Item& item) {
    Millis due = item.state == EventState::ready ? kNever : item.due;
    if (item.expires_at != 0) due = std::min(due, item.expires_at);
    return due;
  }
  // What happens next in the queue, if its time has come: reservations end first. The index, or nothing.
  [[nodiscard]] std::optional<size_t> next_due(const Q& queue) const {
    std::optional<size_t> best;
    for (const bool held : {true, false}) {
      for (size_t i = 0; i < queue.items.size(); ++i) {
        const Item& item = queue.items[i];
        if ((item.state == EventState::reserved) != held) continue;
        const Millis due = held ? item.due : due_of(item);
        if (due > (held ? stamp : now())) continue;
        if (!best) best = i;
        const Item& chosen = queue.items[*best];
        const Millis before = held ? chosen.due : due_of(chosen);
        if (due < before || (due == before && item.arrival < chosen.arrival)) best = i;
      }
      if (best) return best;
    }
    return best;
  }
  void happen(const std::string& name, size_t at) {
    Item& item = queues.at(name).items[at];
    if (item.state == EventState::reserved) return give_back(name, item.id, item.due + jumped, std::nullopt);
    if (item.expires_at != 0 && item.expires_at <= now()) return expire(name, item.id);
    item.state = EventState::ready;
    item.due = 0;
  }
  void sweep(const std::string& name) {
    if (!life() || !queues.contains(name)) return;
    while (const auto at = next_due(queues.at(name))) happen(name, *at);
  }
  void sweep_all() {
    if (!life()) return;
    for (;;) {
      std::string chosen;
      for (const bool held : {true, false}) {
        Millis best = kNever;
        for (const auto& [name, queue] : queues)
          for (const Item& item : queue.items) {
            if ((item.state == EventState::reserved) != held) continue;
            const Millis due = held ? item.due : due_of(item);
            if (due <= (held ? stamp : now()) && due < best) {
              best = due;
              chosen = name;
            }
          }
        if (!chosen.empty()) break;
      }
      if (chosen.empty()) return;
      sweep(chosen);
    }
  }
  [[nodiscard]] Item* find(const std::string& name, uint64_t id) {
    for (Item& item : queues.at(name).items)
      if (item.id == id) return &item;
    return nullptr;
  }
  Item take_out(const std::string& name, uint64_t id) {
    auto& items = queues.at(name).items;
    const auto at = std::find_if(items.begin(), items.end(), [&](const Item& item) { return item.id == id; });
    Item out = *at;
    items.erase(at);
    return out;
  }
  void give_back(const std::string& name, uint64_t id, Millis from, std::optional<Millis> delay) {
    Q& queue = queues.at(name);
    Item& item = *find(name, id);
    const uint64_t limit = limit_of(name, item);
    if (limit != 0 && item.deliveries >= limit && has_end(name))
      return die(name, id, "delivered " + std::to_string(item.deliveries) + " times");
    Millis backoff = 0;
    if (queue.own.backoff && !queue.own.backoff->empty() && item.deliveries > 0)
      backoff = (*queue.own.backoff)[std::min<size_t>(item.deliveries, queue.own.backoff->size()) - 1];
    const Millis due = from + delay.value_or(backoff);
    item.state = due > now() ? EventState::backoff : EventState::ready;
    item.due = due > now() ? due : 0;
    if (item.expires_at != 0 && item.expires_at <= now()) expire(name, id);
  }
  void expire(const std::string& name, uint64_t id) {
    ++queues.at(name).totals.expired;
    if (setting(name, QueueSetting::on_expiry) == 1 && !is_dead_letter_queue(name) && has_end(name))
      return die(name, id, "expired");
    take_out(name, id);
  }
  void die(const std::string& name, uint64_t id, const std::string& reason) {
    ++queues.at(name).totals.dead_lettered;
    const std::string target = dead_letter_queue(name);
    Item item = take_out(name, id);
    if (target.empty()) return;
    item.reason = reason;
    item.source = name;
    queues[target];
    item.arrival = number();
    item.arrived_at = now();
    item.state = EventState::ready;
    item.due = item.delivery = 0;
    item.holds = false;
    const Millis ttl = setting(target, QueueSetting::ttl);
    item.expires_at = ttl == 0 ? 0 : now() + ttl;
    queues[target].items.push_back(item);
  }
  uint64_t number() {
    if (!life()) return index;
    return last = std::max(last + 1, index);
  }

  // --- commands

  static uint64_t data(const Q& queue, bool only_held = false) {
    uint64_t bytes = 0;
    for (const Item& item : queue.items)
      if (!only_held || item.state == EventState::reserved) bytes += item.bytes.size() + item.headers.size();
    return bytes;
  }
  // `leaving`: held ones that leave before.
  [[nodiscard]] bool has_room(const std::string& name, uint64_t more, uint64_t bytes, uint64_t leaving = 0,
                              uint64_t leaving_bytes = 0) const {
    if (!life()) return true;
    const auto queue = queues.find(name);
    if (queue == queues.end() && queues.size() >= settings.max_queues) return false;
    if (queue != queues.end() && queue->second.in) return false;
    const bool drops = setting(name, QueueSetting::overflow) == 1;
    const uint64_t length = setting(name, QueueSetting::max_length);
    const uint64_t size = setting(name, QueueSetting::max_bytes);
    const uint64_t have = queue == queues.end() ? 0
                          : drops               ? count(queue->second, EventState::reserved)
                                                : queue->second.items.size();
    const uint64_t have_bytes = queue == queues.end() ? 0 : data(queue->second, drops);
    return (length == 0 || have - leaving + more <= length) &&
           (size == 0 || have_bytes - leaving_bytes + bytes <= size);
  }
  void drop_overflow(const std::string& name) {
    if (!life() || setting(name, QueueSetting::overflow) != 1) return;
    Q& queue = queues.at(name);
    const uint64_t length = setting(name, QueueSetting::max_length);
    const uint64_t size = setting(name, QueueSetting::max_bytes);
    for (;;) {
      if ((length == 0 || queue.items.size() <= length) && (size == 0 || data(queue) <= size)) return;
      const auto oldest = std::find_if(queue.items.begin(), queue.items.end(),
                                       [](const Item& item) { return item.state != EventState::reserved; });
      if (oldest == queue.items.end()) return;
      ++queue.totals.dropped;
      queue.items.erase(oldest);
    }
  }
  uint64_t add(const std::string& name, const NewEvent& event) {
    Q& queue = queues[name];
    Item item;
    item.id = item.arrival = number();
    item.bytes = event.bytes;
    item.headers = event.headers;
    item.group = event.group;
    item.priority = event.priority;
    if (life()) {
      ++queue.totals.enqueued;
      item.arrived_at = item.enqueued_at = now();
      const Millis due = event.deliver_at.value_or(now() + event.delay.value_or(setting(name, QueueSetting::delay)));
      if (due > now()) {
        item.state = EventState::delayed;
        item.due = due;
      }
      const Millis ttl = event.ttl != 0 ? event.ttl : setting(name, QueueSetting::ttl);
      if (ttl != 0) item.expires_at = now() + ttl;
    }
    queue.items.push_back(item);
    return item.id;
  }
  void vanish(const std::string& name) {
    const auto queue = queues.find(name);
    if (!life() && queue != queues.end() && queue->second.items.empty()) queues.erase(queue);
  }
  // A queue that no path can name goes with its last event; call it after each command.
  void vanish_all() {
    std::erase_if(queues,
                  [](const auto& one) { return one.second.items.empty() && !machine::is_path_name(one.first); });
  }
  [[nodiscard]] uint64_t ready(const std::string& name) const {
    const auto queue = queues.find(name);
    return queue == queues.end() ? 0 : count(queue->second, EventState::ready);
  }

  static Delivery delivery_of(const Item& item, Millis jumped) {
    return {.id = item.id,
            .delivery = item.delivery,
            .deliveries = item.deliveries,
            .priority = item.priority,
            .enqueued_at = item.enqueued_at,
            .visible_at = item.due + jumped,
            .group = item.group,
            .headers = Bytes(std::string(item.headers)),
            .bytes = Bytes(std::string(item.bytes))};
  }

  // The code, and what else is compared with the machine's reply.
  Reply apply(const Enqueue& c) {
    const std::string name(c.queue);
    sweep(name);
    if (!has_room(name, 1, c.event.size())) return {.code = ReplyCode::full};
    const uint64_t id = add(name, {.bytes = c.event});
    drop_overflow(name);
    return {.event_id = raft::Index{id}, .count = 1, .queue_length = ready(name)};
  }
  Reply apply(const Dequeue& c) {
    const std::string name(c.queue);
    sweep(name);
    const auto queue = queues.find(name);
    const std::vector<size_t> order =
        queue == queues.end() || queue->second.out ? std::vector<size_t>() : deliverable(queue->second);
    if (c.only_if_front && (order.empty() || queue->second.items[order[0]].id != *c.only_if_front))
      return {.code = ReplyCode::precondition_failed, .queue_length = ready(name)};
    if (c.count) return pop_many(name, *c.count);
    if (order.empty()) return {.queue_length = ready(name)};
    if (life()) ++queue->second.totals.acknowledged;
    const Item item = take_out(name, queue->second.items[order[0]].id);
    vanish(name);
    Reply reply{.event_id = raft::Index{item.id},
                .count = 1,
                .queue_length = ready(name),
                .event = Bytes(std::string(item.bytes))};
    if (!item.headers.empty()) reply.deliveries.push_back({.id = item.id, .headers = Bytes(std::string(item.headers))});
    return reply;
  }
  Reply pop_many(const std::string& name, uint32_t count) {
    Reply reply;
    for (; reply.count < count; ++reply.count) {
      const auto queue = queues.find(name);
      if (queue == queues.end() || queue->second.out) break;
      const std::vector<size_t> order = deliverable(queue->second);
      if (order.empty()) break;
      ++queue->second.totals.acknowledged;
      const Item item = take_out(name, queue->second.items[order[0]].id);
      reply.deliveries.push_back(
          {.id = item.id, .headers = Bytes(std::string(item.headers)), .bytes = Bytes(std::string(item.bytes))});
    }
    if (reply.count > 0) reply.event_id = raft::Index{reply.deliveries[0].id};
    reply.queue_length = ready(name);
    vanish(name);
    return reply;
  }
  Reply apply(const PutEvents& c) {
    const std::string name(c.queue);
    uint64_t bytes = 0;
    for (const NewEvent& event : c.events) bytes += event.bytes.size() + event.headers.size();
    sweep(name);
    if (!has_room(name, c.events.size(), bytes)) return {.code = ReplyCode::full};
    std::vector<uint64_t> ids;
    for (const NewEvent& event : c.events) ids.push_back(add(name, event));
    drop_overflow(name);
    Reply reply{.event_id = raft::Index{ids[0]}, .count = ids.size(), .queue_length = ready(name)};
    if (ids.size() > 1) reply.ids = ids;
    return reply;
  }
  Reply apply(const Publish& c) {
    const auto topic = topics.find(std::string(c.topic));
    if (topic == topics.end()) return {.code = ReplyCode::not_found};
    std::map<std::string, std::vector<const NewEvent*>> plan;
    for (const auto& [name, filter] : topic->second) {
      uint64_t bytes = 0;
      for (const NewEvent& event : c.events)
        if (filter_fits(filter, event.headers)) {
          plan[name].push_back(&event);
          bytes += event.bytes.size() + event.headers.size();
        }
      if (plan.contains(name)) sweep(name);
      if (plan.contains(name) && !has_room(name, plan[name].size(), bytes)) return {.code = ReplyCode::full};
    }
    uint64_t copies = 0;
    for (const auto& [name, events] : plan) {
      for (const NewEvent* event : events) add(name, *event);
      copies += events.size();
      drop_overflow(name);
    }
    return {.event_id = raft::Index{index}, .count = c.events.size(), .queue_length = copies};
  }
  Reply apply(const Receive& c) {
    const std::string name(c.queue);
    Reply reply;
    sweep(name);
    const auto queue = queues.find(name);
    if (queue == queues.end()) return reply;
    const Millis hold = c.visibility.value_or(setting(name, QueueSetting::visibility_timeout));
    while (reply.deliveries.size() < c.max && !queue->second.out) {
      const std::vector<size_t> order = deliverable(queue->second);
      if (order.empty()) break;
      Item& item = queue->second.items[order[0]];
      const uint64_t limit = limit_of(name, item);
      const bool last_one = limit != 0 && item.deliveries + 1 >= limit;
      if (last_one && !reply.deliveries.empty()) break;
      if (item.deliveries > 0) ++queue->second.totals.redelivered;
      item.state = EventState::reserved;
      item.due = stamp + hold;
      ++item.deliveries;
      item.delivery = index;
      item.holds = !item.group.empty();
      reply.deliveries.push_back(delivery_of(item, jumped));
      if (last_one) break;
    }
    reply.count = reply.deliveries.size();
    return reply;
  }
  // The event as it is by now; null: it left the queue.
  Item* catch_up(const std::string& name, uint64_t id) {
    Q& queue = queues.at(name);
    for (;;) {
      const auto at =
          std::find_if(queue.items.begin(), queue.items.end(), [&](const Item& item) { return item.id == id; });
      if (at == queue.items.end()) return nullptr;
      if (at->state == EventState::reserved ? at->due > stamp : due_of(*at) > now()) return &*at;
      happen(name, static_cast<size_t>(at - queue.items.begin()));
    }
  }
  SettleOutcome settle(const std::string& name, const Settle& c, const Receipt& receipt) {
    Q& queue = queues.at(name);
    Item* item = catch_up(name, receipt.id);
    if (item == nullptr) {
      const std::string dead = dead_letter_queue(name);
      return queues.contains(dead) && find(dead, receipt.id) != nullptr ? SettleOutcome::stale : SettleOutcome::gone;
    }
    if (item->delivery != receipt.delivery) return SettleOutcome::stale;
    if (c.verb == SettleVerb::acknowledge) {
      ++queue.totals.acknowledged;
      take_out(name, receipt.id);
      return SettleOutcome::done;
    }
    if (item->state != EventState::reserved) return SettleOutcome::stale;
    if (c.verb == SettleVerb::extend) {
      item->due = stamp + c.duration.value_or(setting(name, QueueSetting::visibility_timeout));
      if (item->due <= stamp) give_back(name, item->id, item->due + jumped, std::nullopt);
    } else if (c.verb == SettleVerb::release) {
      item->delivery = 0;
      give_back(name, item->id, now(), c.duration);
    } else if (c.verb == SettleVerb::take_back || is_dead_letter_queue(name) || !has_end(name)) {
      item->state = EventState::ready;
      item->due = item->delivery = 0;
      if (c.verb == SettleVerb::take_back) {
        if (item->deliveries > 1) --queue.totals.redelivered;
        if (--item->deliveries == 0) item->holds = false;
      }
    } else {
      die(name, item->id, c.reason.empty() ? "buried" : std::string(c.reason));
    }
    return SettleOutcome::done;
  }
  Reply apply(const Settle& c) {
    if (!queues.contains(std::string(c.queue))) return {.code = ReplyCode::not_found};
    Reply reply;
    for (const Receipt& receipt : c.receipts) {
      reply.outcomes.push_back(settle(std::string(c.queue), c, receipt));
      reply.count += reply.outcomes.back() == SettleOutcome::done ? 1 : 0;
    }
    if (c.verb == SettleVerb::extend)
      reply.queue_length = now() + c.duration.value_or(setting(std::string(c.queue), QueueSetting::visibility_timeout));
    return reply;
  }
  Reply apply(const RemoveEvents& c) {
    const std::string name(c.queue);
    if (!queues.contains(name)) return {.code = ReplyCode::not_found};
    Reply reply;
    for (const uint64_t id : c.ids) {
      const Item* item = catch_up(name, id);
      if (item == nullptr) {
        reply.outcomes.push_back(SettleOutcome::gone);
      } else if (item->state == EventState::reserved) {
        reply.outcomes.push_back(SettleOutcome::held);
      } else {
        take_out(name, id);
        reply.outcomes.push_back(SettleOutcome::done);
        ++reply.count;
      }
    }
    return reply;
  }
  Reply apply(const Redrive& c) {
    const std::string to(c.to);
    const std::string from(c.from);
    if (!queues.contains(to) || !queues.contains(from)) return {.code = ReplyCode::not_found};
    if (queues.at(to).in) return {.code = ReplyCode::full};
    sweep(from);
    sweep(to);
    Reply reply;
    while (reply.count < c.max && !queues.at(from).out) {
      const std::vector<size_t> order = deliverable(queues.at(from));
      if (order.empty()) break;
      const Item item = queues.at(from).items[order[0]];
      if (!has_room(to, 1, item.bytes.size() + item.headers.size())) break;
      take_out(from, item.id);
      add(to,
          {.bytes = item.bytes, .headers = item.headers, .delay = 0, .priority = item.priority, .group = item.group});
      drop_overflow(to);
      ++reply.count;
    }
    return reply;
  }
  [[nodiscard]] bool circle(const std::string& queue, std::string at) const {
    for (int steps = 0; steps < 1'000 && !at.empty(); ++steps) {
      if (at == queue) return true;
      const auto found = queues.find(at);
      if (found != queues.end() && found->second.own.dead_letter_queue)
        at = *found->second.own.dead_letter_queue;
      else
        at = at.size() <= 128 ? at + ".dead" : "";
    }
    return false;
  }
  Reply apply(const ConfigureQueue& c) {
    const std::string name(c.queue);
    const bool fresh = !queues.contains(name);
    if (fresh && queues.size() >= settings.max_queues) return {.code = ReplyCode::full};
    for (const QueueSettingChange& change : c.changes) {
      const bool reset = change.reset && change.setting == static_cast<uint8_t>(QueueSetting::dead_letter_queue);
      const std::string target = reset && name.size() <= 128 ? name + ".dead" : std::string(change.name);
      if (!target.empty() && circle(name, target)) return {.code = ReplyCode::refused};
    }
    for (const QueueSettingChange& change : c.changes) queues[name].own.apply(change);
    std::string own;
    Writer w(own);
    encode_queue_settings(queues[name].own, w);
    return {.count = fresh ? 1U : 0U, .event = Bytes(std::move(own))};
  }
  Reply apply(const DeleteQueue& c) {
    const std::string name(c.queue);
    if (!queues.contains(name)) return {.code = ReplyCode::not_found};
    for (const auto& [other, queue] : queues)
      if (queue.own.dead_letter_queue == name) return {.code = ReplyCode::conflict};
    queues.erase(name);
    for (auto topic = topics.begin(); topic != topics.end();) {
      topic->second.erase(name);
      topic = topic->second.empty() ? topics.erase(topic) : std::next(topic);
    }
    return {.count = 1};
  }
  Reply apply(const PauseQueue& c) {
    const auto queue = queues.find(std::string(c.queue));
    if (queue == queues.end()) return {.code = ReplyCode::not_found};
    queue->second.in = c.in.value_or(queue->second.in);
    queue->second.out = c.out.value_or(queue->second.out);
    return {};
  }
  Reply apply(const PurgeQueue& c) {
    const auto queue = queues.find(std::string(c.queue));
    if (queue == queues.end()) return {.code = ReplyCode::not_found};
    const uint64_t removed = queue->second.items.size();
    queue->second.items.clear();
    return {.count = removed};
  }
  Reply apply(const Bind& c) {
    const std::string name(c.queue);
    if (!queues.contains(name) && queues.size() >= settings.max_queues) return {.code = ReplyCode::full};
    Filter filter;
    for (const auto& [attribute, pattern] : c.filter) filter.emplace_back(attribute, pattern);
    queues[name];
    const bool fresh = topics[std::string(c.topic)].insert_or_assign(name, filter).second;
    return {.count = fresh ? 1U : 0U};
  }
  Reply apply(const Unbind& c) {
    const auto topic = topics.find(std::string(c.topic));
    if (topic == topics.end() || topic->second.erase(std::string(c.queue)) == 0) return {.code = ReplyCode::not_found};
    if (topic->second.empty()) topics.erase(topic);
    return {.count = 1};
  }
  Reply apply(const Due& /*c*/) {
    sweep_all();
    return {};
  }
  Reply apply(const AdvanceTime& c) {
    if (c.to_ms > now()) jumped = c.to_ms - stamp;
    return {};
  }
  Reply apply(const PutSettings& c) {
    for (const auto& [name, value] : c.values) settings.*find_setting(name)->value = value;
    return {};
  }
  template <typename Other>
  Reply apply(const Other& /*c*/) {
    return {};
  }
};

}  // namespace wh::sim::model
