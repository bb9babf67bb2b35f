// The queues as Redis's lists: RPUSH LPOP BLPOP LINDEX LRANGE LLEN.
#include <charconv>
#include <cmath>
#include <utility>

#include "api/debug/commands.h"
#include "debug/resp.h"

namespace wh::api {
namespace {

using debug::Overlap;
using Arguments = std::vector<std::string>;

// One event is a command of the first version of the cluster.
CommandBegun begin_rpush(Arguments& a) {
  if (a.size() == 3) return begun(Write{machine::Enqueue{a[1], a[2]}});
  machine::PutEvents put{a[1], {}};
  put.events.reserve(a.size() - 2);
  for (size_t i = 2; i < a.size(); ++i) {
    if (a[i].empty()) return malformed("an event must not be empty");
    put.events.push_back({.bytes = a[i]});
  }
  return begun(Write{std::move(put)});
}
std::string finish_rpush(const Context&, const Answer& answer) {
  const auto* stored = std::get_if<Stored>(&answer.body);
  const uint64_t length = stored != nullptr ? stored->queue_length : std::get<Enqueued>(answer.body).queue_length;
  return debug::integer_reply(static_cast<int64_t>(length));
}

std::string finish_lpop(const Context&, const Answer& answer) {
  const auto& removed = std::get<Dequeued>(answer.body);
  return removed.id.value == 0 ? debug::null_reply() : debug::bulk_reply(removed.event.view());
}
std::string finish_lpop_many(const Context&, const Answer& answer) {
  const auto& removed = std::get<Dequeued>(answer.body);
  if (removed.all.empty()) return debug::null_array_reply();
  std::string reply = debug::array_header(removed.all.size());
  for (const machine::Delivery& one : removed.all) reply += debug::bulk_reply(one.bytes.view());
  return reply;
}
CommandBegun begin_lpop(Arguments& a) {
  if (a.size() > 3) return malformed("wrong number of arguments for 'lpop' command");
  if (a.size() == 2) return begun(Write{machine::Dequeue{a[1], std::nullopt}});
  const std::optional<int64_t> count = number_of(a[2]);
  if (!count || *count < 0) return malformed("value is out of range, must be positive");
  if (*count > machine::kMaxDequeue)
    return malformed("LPOP removes at most " + std::to_string(machine::kMaxDequeue) + " events at once");
  if (auto refusal = bad_queue(a[1])) return std::move(*refusal);
  if (*count == 0) return answered(debug::array_header(0));
  return begun(
      Write{machine::Dequeue{.queue = a[1], .only_if_front = std::nullopt, .count = static_cast<uint32_t>(*count)}},
      finish_lpop_many);
}

// Redis's: in seconds, 0 for ever.
OrRefusal<Millis> wait_of_seconds(std::string_view word) {
  constexpr double kMost = 1e9;
  double seconds = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), seconds);
  if (error != std::errc() || end != word.data() + word.size() || !std::isfinite(seconds) || seconds > kMost)
    return malformed("timeout is not a float or out of range");
  if (seconds < 0) return malformed("timeout is negative");
  return seconds == 0 ? kNever : static_cast<Millis>(std::ceil(seconds * 1'000));
}

CommandBegun begin_blpop(Arguments& a) {
  OrRefusal<Millis> wait = wait_of_seconds(a.back());
  if (!wait) return wait.error();
  a.pop_back();
  a.erase(a.begin());
  return begun(Take{PopFirst{std::move(a), *wait}});
}
std::string finish_blpop(const Context&, const Answer& answer) {
  const auto& taken = std::get<Taken>(answer.body);
  if (taken.deliveries.empty()) return debug::null_array_reply();
  return debug::array_header(2) + debug::bulk_reply(taken.queue) +
         debug::bulk_reply(taken.deliveries.front().bytes.view());
}

CommandBegun begin_lindex(Arguments& a) {
  const std::optional<int64_t> index = number_of(a[2]);
  if (!index) return malformed("value is not an integer or out of range");
  return begun(Read{ListReady{std::move(a[1]), *index, *index}});
}
std::string finish_lindex(const Context&, const Answer& answer) {
  const auto& ready = std::get<ReadyEvents>(answer.body);
  if (!ready.refused.empty()) return debug::error_reply(debug::ErrorWord::err, ready.refused);
  return ready.events.empty() ? debug::null_reply() : debug::bulk_reply(ready.events.front()->bytes.view());
}

CommandBegun begin_lrange(Arguments& a) {
  const std::optional<int64_t> first = number_of(a[2]);
  const std::optional<int64_t> last = number_of(a[3]);
  if (!first || !last) return malformed("value is not an integer or out of range");
  return begun(Read{ListReady{std::move(a[1]), *first, *last}});
}
std::string finish_lrange(const Context&, const Answer& answer) {
  const auto& ready = std::get<ReadyEvents>(answer.body);
  if (!ready.refused.empty()) return debug::error_reply(debug::ErrorWord::err, ready.refused);
  std::string reply = debug::array_header(ready.events.size());
  for (const machine::Event* event : ready.events) reply += debug::bulk_reply(event->bytes.view());
  return reply;
}

CommandBegun begin_llen(Arguments& a) { return begun(Read{GetLength{std::move(a[1])}}); }

const CommandSpec kCommandsOfLists[] = {
    {{.name = "rpush",
      .arity = -3,
      .overlap = Overlap::write,
      .flags = "write denyoom",
      .first_key = 1,
      .last_key = 1,
      .key_step = 1,
      .parameters = "queue event [event ...]",
      .summary = "Puts events at the back, all or none; answers the queue's length",
      .group = "list"},
     begin_rpush,
     finish_rpush},
    {{.name = "lpop",
      .arity = -2,
      .overlap = Overlap::write,
      .flags = "write fast",
      .first_key = 1,
      .last_key = 1,
      .key_step = 1,
      .parameters = "queue [count]",
      .summary = "Removes the front event, or so many, and answers them; nil if there is none",
      .group = "list"},
     begin_lpop,
     finish_lpop},
    {{.name = "blpop",
      .arity = -3,
      .flags = "write blocking",
      .first_key = 1,
      .last_key = -2,
      .key_step = 1,
      .parameters = "queue [queue ...] timeout",
      .summary = "Removes the front event of the first queue that has one, and waits for one so many seconds",
      .group = "list"},
     begin_blpop,
     finish_blpop},
    {{.name = "lindex",
      .arity = 3,
      .flags = "readonly",
      .first_key = 1,
      .last_key = 1,
      .key_step = 1,
      .parameters = "queue index",
      .summary = "The ready event at a place, -1 for the last, or nil",
      .group = "list"},
     begin_lindex,
     finish_lindex},
    {{.name = "lrange",
      .arity = 4,
      .flags = "readonly",
      .first_key = 1,
      .last_key = 1,
      .key_step = 1,
      .parameters = "queue start stop",
      .summary = "The ready events from one place to another, at most 1000",
      .group = "list"},
     begin_lrange,
     finish_lrange},
    {{.name = "llen",
      .arity = 2,
      .flags = "readonly fast",
      .first_key = 1,
      .last_key = 1,
      .key_step = 1,
      .parameters = "queue",
      .summary = "How many events of a queue are ready",
      .group = "list"},
     begin_llen,
     finish_count},
};

}  // namespace

std::span<const CommandSpec> list_commands() { return kCommandsOfLists; }

}  // namespace wh::api
