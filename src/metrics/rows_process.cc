// The rows of INFO's sections CPU and Keyspace: the process, and the amount of data.
#include <sys/resource.h>

#include "metrics/rows.h"
#include "process/process_figures.h"

namespace wh::metrics {
namespace {

using namespace rows;

// Redis's line, which is left out while there are no keys.
Text db0(const S& s) {
  const machine::Machine& machine = s.node.machine();
  if (machine.key_count() == 0) return std::nullopt;
  return "keys=" + std::to_string(machine.key_count()) + ",expires=" + std::to_string(machine.store().dues().size()) +
         ",avg_ttl=0";
}

// clang-format off
const Figure kProcessRows[] = {
  // --- CPU and the process
  {.section = I::cpu, .field = "used_cpu_sys",
   .read = [](const S&) -> Text { return process::seconds_text(process::cpu_times().system_us); }},
  {.section = I::cpu, .field = "used_cpu_user",
   .read = [](const S&) -> Text { return process::seconds_text(process::cpu_times().user_us); }},
  {.metric = "process_cpu_seconds_total", .type = M::counter, .unit = U::microseconds,
   .help = "Total user and system CPU time spent in seconds",
   .read = [](const S&) { return number(process::cpu_times().system_us + process::cpu_times().user_us); }},
  {.metric = "process_virtual_memory_bytes", .unit = U::bytes, .help = "Virtual memory size in bytes",
   .read = [](const S&) { return number(process::virtual_bytes()); }},
  {.metric = "process_open_fds", .help = "Number of open file descriptors",
   .read = [](const S&) { return number(process::open_descriptors()); }},
  {.metric = "process_max_fds", .help = "Maximum number of open file descriptors",
   .read = [](const S&) { return number(process::max_descriptors()); }},
  {.metric = "process_start_time_seconds", .unit = U::seconds,
   .help = "Start time of the process since unix epoch in seconds",
   .read = [](const S& s) { return number(s.started_unix_s); }},

  // --- Keyspace
  {.section = I::keyspace, .field = "keys", .metric = "wormhole_keys", .help = "Keys",
   .read = [](const S& s) { return number(s.node.machine().key_count()); }},
  {.section = I::keyspace, .field = "leases", .metric = "wormhole_leases", .help = "Leases",
   .read = [](const S& s) { return number(s.node.machine().store().leases().size()); }},
  {.section = I::keyspace, .field = "db0", .read = db0},
};
// clang-format on

}  // namespace

std::span<const Figure> process_rows() { return kProcessRows; }

}  // namespace wh::metrics
