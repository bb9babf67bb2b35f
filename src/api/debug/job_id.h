// The ids of jobs, as Disque's verbs have them: text that names a queue, an event in it and one delivery of it, its
// receipt; `D-EVENT-DELIVERY-QUEUE`. The delivery is 0 in the id of a job that was not received. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "machine/command/queue_commands.h"

namespace wh::api {

struct JobId {
  machine::Receipt receipt;  // delivery 0: none
  std::string_view queue;    // a part of the text
};

[[nodiscard]] std::string format_job_id(const machine::Receipt& receipt, std::string_view queue);
// Nothing for text that format_job_id() does not write.
[[nodiscard]] std::optional<JobId> parse_job_id(std::string_view text);

}  // namespace wh::api
