// The rows of the queues: sums, and a row for each of the largest. The others are one row, whose label `queue` is
// empty, so that sums over the rows are right and the number of series is bounded.
#include <algorithm>
#include <string>

#include "api/queue_operations.h"
#include "base/log.h"
#include "metrics/rows.h"

namespace wh::metrics {
namespace {

using namespace rows;

constexpr size_t kQueuesShown = 100;

const machine::Queues& queues_of(const S& s) { return s.node.machine().queues(); }
bool leads(const S& s) { return raft_of(s) != nullptr && raft_of(s)->role() == raft::Role::leader; }

// Calls `write` with the name and the figures of each of the largest queues, and of the others together.
template <typename Write>
void each_queue(const S& s, const Write& write) {
  const machine::Queues& queues = queues_of(s);
  machine::QueueFigures others = queues.sums();
  for (const machine::Queue* queue : queues.largest(kQueuesShown)) {
    const machine::QueueFigures figures = queue->figures();
    others -= figures;
    write(std::string_view(*queue->name), figures);
  }
  if (queues.by_name().size() > kQueuesShown) write(std::string_view(), others);
}

template <uint64_t machine::QueueFigures::*figure>
void held(const S& s, Samples& out) {
  each_queue(s, [&](std::string_view queue, const machine::QueueFigures& figures) {
    out.number({{"queue", queue}}, figures.*figure);
  });
}

template <uint64_t machine::QueueTotals::*total>
void done(const S& s, Samples& out) {
  each_queue(s, [&](std::string_view queue, const machine::QueueFigures& figures) {
    out.number({{"queue", queue}}, figures.totals.*total);
  });
}

void oldest_ages(const S& s, Samples& out) {
  for (const machine::Queue* queue : queues_of(s).largest(kQueuesShown))
    if (const auto age = api::oldest_age_ms(*queue, s.node.machine())) out.number({{"queue", *queue->name}}, *age);
}

void waiting(const S& s, Samples& out) {
  if (!leads(s)) return;
  for (const machine::Queue* queue : queues_of(s).largest(kQueuesShown))
    out.number({{"queue", *queue->name}}, s.node.waiting_for(*queue->name));
}

std::string line_of(const machine::QueueFigures& figures) {
  const machine::QueueTotals& totals = figures.totals;
  std::string line;
  for (const auto& [name, value] :
       {std::pair("ready", figures.ready), std::pair("delayed", figures.delayed),
        std::pair("reserved", figures.reserved), std::pair("bytes", figures.bytes),
        std::pair("enqueued", totals.enqueued), std::pair("acknowledged", totals.acknowledged),
        std::pair("redelivered", totals.redelivered), std::pair("expired", totals.expired),
        std::pair("dead_lettered", totals.dead_lettered), std::pair("dropped", totals.dropped)})
    line += (line.empty() ? "" : ",") + std::string(name) + "=" + std::to_string(value);
  return line;
}

void lines(const S& s, InfoLines& out) {
  const machine::Queues& queues = queues_of(s);
  each_queue(s, [&](std::string_view name, const machine::QueueFigures& figures) {
    const machine::Queue* queue = name.empty() ? nullptr : queues.find(name);
    std::string line = line_of(figures);
    if (queue != nullptr) {
      if (const auto age = api::oldest_age_ms(*queue, s.node.machine()))
        line += ",oldest_age_ms=" + std::to_string(*age);
      if (leads(s)) line += ",waiting=" + std::to_string(s.node.waiting_for(name));
    }
    out.field(queue == nullptr ? "other_queues" : "queue_" + printable(name), line);
  });
}

template <uint64_t machine::QueueFigures::*figure>
Number sum(const S& s) {
  return number(queues_of(s).sums().*figure);
}
template <uint64_t machine::QueueTotals::*total>
Number sum_total(const S& s) {
  return number(queues_of(s).sums().totals.*total);
}

using F = machine::QueueFigures;
using T = machine::QueueTotals;

// clang-format off
constexpr Figure kQueueRows[] = {
  {.section = I::keyspace, .field = "queues", .metric = "wormhole_queues", .help = "Queues",
   .read = [](const S& s) { return number(s.node.machine().queue_count()); }},
  {.section = I::keyspace, .field = "events", .metric = "wormhole_queue_events", .help = "Events in all queues",
   .read = [](const S& s) { return number(s.node.machine().event_count()); }},
  {.section = I::keyspace, .field = "topics", .metric = "wormhole_topics", .help = "Topics that a queue is bound to",
   .read = [](const S& s) { return number(queues_of(s).topics().size()); }},
  {.section = I::keyspace, .field = "events_ready", .read = sum<&F::ready>},
  {.section = I::keyspace, .field = "events_delayed", .read = sum<&F::delayed>},
  {.section = I::keyspace, .field = "events_reserved", .read = sum<&F::reserved>},
  {.section = I::keyspace, .field = "events_enqueued_total", .read = sum_total<&T::enqueued>},
  {.section = I::keyspace, .field = "events_acknowledged_total", .read = sum_total<&T::acknowledged>},
  {.section = I::keyspace, .field = "events_redelivered_total", .read = sum_total<&T::redelivered>},
  {.section = I::keyspace, .field = "events_expired_total", .read = sum_total<&T::expired>},
  {.section = I::keyspace, .field = "events_dead_lettered_total", .read = sum_total<&T::dead_lettered>},
  {.section = I::keyspace, .field = "events_dropped_total", .read = sum_total<&T::dropped>},
  {.section = I::keyspace, .field = "waiting_receives", .metric = "wormhole_waiting_receives",
   .help = "Receives that wait for an event: on the leader those of all members",
   .read = [](const S& s) { return number(s.node.waiting_receives()); }},

  // --- a row a queue
  {.section = I::queues, .read = lines},
  {.metric = "wormhole_queue_ready", 
   .help = "Events that can be delivered: of the 100 largest queues, and of all others together without a name",
   .read = held<&F::ready>},
  {.metric = "wormhole_queue_delayed", .help = "Events that wait for a delay or a backoff", .read = held<&F::delayed>},
  {.metric = "wormhole_queue_reserved", .help = "Events that a consumer holds", .read = held<&F::reserved>},
  {.metric = "wormhole_queue_bytes", .unit = U::bytes, .help = "Bytes of events with their attributes",
   .read = held<&F::bytes>},
  {.metric = "wormhole_queue_oldest_age_seconds", .unit = U::milliseconds,
   .help = "How long ago the first of its events arrived",
   .read = oldest_ages},
  {.metric = "wormhole_queue_waiting_receives", .help = "Receives that wait for this queue; only the leader knows",
   .read = waiting},
  {.metric = "wormhole_queue_enqueued_total", .type = M::counter,
   .help = "Events enqueued", .read = done<&T::enqueued>},
  {.metric = "wormhole_queue_acknowledged_total", .type = M::counter,
   .help = "Events acknowledged, or removed from the front",
   .read = done<&T::acknowledged>},
  {.metric = "wormhole_queue_redelivered_total", .type = M::counter, .help = "Deliveries after the first of an event",
   .read = done<&T::redelivered>},
  {.metric = "wormhole_queue_expired_total", .type = M::counter,
   .help = "Events whose ttl was over", .read = done<&T::expired>},
  {.metric = "wormhole_queue_dead_lettered_total", .type = M::counter, .help = "Events that became dead letters",
   .read = done<&T::dead_lettered>},
  {.metric = "wormhole_queue_dropped_total", .type = M::counter,
   .help = "Events that made room for newer ones (overflow drop_oldest)",
   .read = done<&T::dropped>},
};
// clang-format on

}  // namespace

std::span<const Figure> queue_rows() { return kQueueRows; }

}  // namespace wh::metrics
