// The queues' commands: RPUSH LPOP LINDEX LLEN.
#include <utility>

#include "api/debug/commands.h"
#include "debug/resp.h"

namespace wh::api {
namespace {

using debug::Overlap;
using Arguments = std::vector<std::string>;

CommandBegun begin_rpush(Arguments& a) { return begun(Write{machine::Enqueue{a[1], a[2]}}); }
std::string finish_rpush(const Context&, const Answer& answer) {
  return debug::integer_reply(static_cast<int64_t>(std::get<Enqueued>(answer.body).queue_length));
}

CommandBegun begin_lpop(Arguments& a) { return begun(Write{machine::Dequeue{a[1], std::nullopt}}); }
std::string finish_lpop(const Context&, const Answer& answer) {
  const auto& removed = std::get<Dequeued>(answer.body);
  return removed.id.value == 0 ? debug::null_reply() : debug::bulk_reply(removed.event.view());
}

CommandBegun begin_lindex(Arguments& a) {
  if (a[2] != "0") return malformed("only the front of a queue can be looked at: LINDEX queue 0");
  return begun(Read{GetFront{std::move(a[1])}});
}
std::string finish_lindex(const Context&, const Answer& answer) {
  const machine::Event* front = std::get<Front>(answer.body).event;
  return front == nullptr ? debug::null_reply() : debug::bulk_reply(front->bytes.view());
}

CommandBegun begin_llen(Arguments& a) { return begun(Read{GetLength{std::move(a[1])}}); }

const CommandSpec kCommandsOfQueues[] = {
    {{.name = "rpush",
      .arity = 3,
      .overlap = Overlap::write,
      .flags = "write denyoom",
      .first_key = 1,
      .last_key = 1,
      .key_step = 1,
      .parameters = "queue event",
      .summary = "Puts an event at the back; answers the queue's length"},
     begin_rpush,
     finish_rpush},
    {{.name = "lpop",
      .arity = 2,
      .overlap = Overlap::write,
      .flags = "write fast",
      .first_key = 1,
      .last_key = 1,
      .key_step = 1,
      .parameters = "queue",
      .summary = "Removes the front event and answers it, or nil"},
     begin_lpop,
     finish_lpop},
    {{.name = "lindex",
      .arity = 3,
      .flags = "readonly",
      .first_key = 1,
      .last_key = 1,
      .key_step = 1,
      .parameters = "queue 0",
      .summary = "The front event, or nil"},
     begin_lindex,
     finish_lindex},
    {{.name = "llen",
      .arity = 2,
      .flags = "readonly fast",
      .first_key = 1,
      .last_key = 1,
      .key_step = 1,
      .parameters = "queue",
      .summary = "How many events a queue holds"},
     begin_llen,
     finish_count},
};

}  // namespace

std::span<const CommandSpec> queue_commands() { return kCommandsOfQueues; }

}  // namespace wh::api
