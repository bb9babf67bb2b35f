// Compares the machine's queues with what follows from their events alone, and with the model.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "machine/machine.h"
#include "sim/opinion/queue_model.h"

namespace wh::sim::model {

using machine::Event;
using machine::Machine;
using machine::Queue;
using machine::QueueContent;
using machine::QueueFigures;
using machine::Queues;

// What is wrong with a queue's indexes, counted anew from its events; empty: nothing.
inline std::string recount(const Queue& queue) {
  const QueueContent& content = *queue.content;
  uint64_t ready = 0;
  uint64_t delayed = 0;
  uint64_t reserved = 0;
  uint64_t data = 0;
  uint64_t held = 0;
  uint64_t late = 0;
  size_t holds = 0;
  size_t dues = 0;
  std::map<std::string, uint64_t> members;
  for (const auto& [arrival, event] : content.events) {
    if (event.arrival != arrival) return "an event stands under another arrival";
    data += event.data_bytes();
    if (event.state == EventState::reserved) held += event.data_bytes();
    late += event.id() != arrival ? 1 : 0;
    if (content.find(event.id()) != &event) return "an event is not found by its id";
    switch (event.state) {
      case EventState::ready:
        ++ready;
        break;
      case EventState::reserved:
        ++reserved;
        ++holds;
        if (!content.holds.contains({event.due, arrival})) return "a reservation without a timer";
        break;
      case EventState::delayed:
      case EventState::backoff:
        ++delayed;
        break;
    }
    Millis due = event.state == EventState::ready ? kNever : event.due;
    if (event.expires_at != 0) due = std::min(due, event.expires_at);
    if (event.state != EventState::reserved && due != kNever) {
      ++dues;
      if (!content.dues.contains({due, arrival})) return "an event without its timer";
    }
    if (event.group != nullptr) ++members[*event.group->name];
  }
  if (ready != content.ready_count || delayed != content.delayed_count || reserved != content.reserved_count)
    return "a count of a state is wrong";
  if (data != content.data_bytes || held != content.reserved_bytes) return "the bytes are wrong";
  if (holds != content.holds.size() || dues != content.dues.size()) return "a timer without its event";
  if (late != content.late.size()) return "a dead letter too many";
  if (members.size() != content.groups.size()) return "a group without events";
  for (const auto& [name, group] : content.groups)
    if (members[name] != group.members) return "a group's count is wrong";
  return {};
}

// What differs between the model and the machine; empty: nothing.
inline std::string difference(const QueueModel& model, const Machine& machine) {
  const Queues& queues = machine.queues();
  if (queues.by_name().size() != model.queues.size()) return "another number of queues";
  uint64_t events = 0;
  QueueFigures counted;
  for (const auto& [name, expected] : model.queues) {
    const Queue* queue = queues.find(name);
    if (queue == nullptr) return "no queue " + name;
    counted += queue->figures();
    if (const std::string wrong = recount(*queue); !wrong.empty()) return name + ": " + wrong;
    if (!(queue->own == expected.own) || queue->paused_in != expected.in || queue->paused_out != expected.out)
      return name + ": other settings";
    if (model.life() && !(queue->totals == expected.totals)) return name + ": other totals";
    if (queue->size() != expected.items.size()) return name + ": another number of events";
    events += queue->size();
    auto at = queue->content->events.begin();
    for (const QueueModel::Item& item : expected.items) {
      const Event& event = (at++)->second;
      const bool holds = event.group != nullptr && event.group->holder == &event;
      if (event.id() != item.id || event.arrival != item.arrival || event.bytes.view() != item.bytes ||
          event.headers() != item.headers || event.state != item.state || event.due != item.due ||
          event.expires_at != item.expires_at || event.arrived_at != item.arrived_at ||
          event.enqueued_at() != item.enqueued_at || event.delivery != item.delivery ||
          event.deliveries != item.deliveries || event.priority != item.priority || holds != item.holds ||
          (event.group == nullptr ? std::string() : *event.group->name) != item.group ||
          (event.extra ? event.extra->reason : "") != item.reason)
        return name + ": event " + std::to_string(item.id) + " differs";
    }
    std::vector<uint64_t> order;
    for (const size_t i : QueueModel::deliverable(expected)) order.push_back(expected.items[i].id);
    std::vector<uint64_t> listed;
    for (const auto& [key, event] : queue->content->ready) listed.push_back(event->id());
    if (order != listed) return name + ": another order of delivery";
  }
  if (queues.event_count() != events) return "another number of events in all";
  // The totals of deleted queues stay in the sums.
  QueueFigures sums = queues.sums();
  sums.totals = counted.totals = {};
  if (!(sums == counted)) return "the sums are wrong";
  if (queues.largest(SIZE_MAX).size() != model.queues.size()) return "not all queues are listed by size";
  return {};
}

}  // namespace wh::sim::model
