// The rows of INFO's sections Stats, Commandstats and Httpstats: requests and their answers. The number of labels is
// bounded: routes and commands come from their tables.
#include <array>
#include <cstdio>
#include <iterator>
#include <string>

#include "api/http/routes.h"
#include "metrics/rows.h"

namespace wh::metrics {
namespace {

using namespace rows;

constexpr std::array<std::string_view, api::kCallKinds> kCallNames{"write", "read", "stale_read", "admin"};
constexpr std::string_view kOutcomeNames[] = {"applied",    "not_leader",    "dropped",    "unknown",
                                              "overloaded", "shutting_down", "conflict",   "not_found",
                                              "timed_out",  "no_room",       "unsupported"};

void calls_by_outcome(const S& s, Samples& out) {
  for (size_t kind = 0; kind < api::kCallKinds; ++kind)
    for (size_t outcome = 0; outcome < std::size(kOutcomeNames); ++outcome)
      if (const uint64_t count = s.calls.counters(static_cast<api::CallKind>(kind)).outcomes[outcome];
          count > 0 || outcome == 0)
        out.number({{"kind", kCallNames[kind]}, {"outcome", kOutcomeNames[outcome]}}, count);
}

void calls_took(const S& s, Samples& out) {
  for (size_t kind = 0; kind < api::kCallKinds; ++kind)
    out.histogram({{"kind", kCallNames[kind]}}, s.calls.counters(static_cast<api::CallKind>(kind)).took_us);
}

std::string_view route_name(int place) {
  return place < 0 ? "none" : api::route_table()[static_cast<size_t>(place)].pattern;
}
std::string_view method_of(int method) {
  return method < 0 ? "none" : http::method_name(static_cast<http::Method>(method));
}

void http_answers(const S& s, Samples& out) {
  for (const auto& [key, counters] : s.http.counters().routes)
    for (const auto& [status, count] : counters.answers)
      out.number(
          {{"route", route_name(key.first)}, {"method", method_of(key.second)}, {"code", std::to_string(status)}},
          count);
}

void http_took(const S& s, Samples& out) {
  for (const auto& [key, counters] : s.http.counters().routes)
    if (counters.took_us.count() > 0)
      out.histogram({{"route", route_name(key.first)}, {"method", method_of(key.second)}}, counters.took_us);
}

void http_lines(const S& s, InfoLines& out) {
  for (const auto& [key, counters] : s.http.counters().routes) {
    const Histogram& took = counters.took_us;
    uint64_t answers = 0;
    for (const auto& [status, count] : counters.answers) answers += count;
    out.field("httpstat_" + std::string(method_of(key.second)) + "_" + std::string(route_name(key.first)),
              "answers=" + std::to_string(answers) + ",usec_p50=" + std::to_string(took.percentile(50)) +
                  ",usec_p99=" + std::to_string(took.percentile(99)) + ",usec_max=" + std::to_string(took.max()));
  }
}

void commands_by_name(const S& s, Samples& out) {
  for (const auto& [name, counters] : s.debug.by_command()) out.number({{"command", name}}, counters.calls);
}

// Redis's line, without the fields that do not exist here.
void command_lines(const S& s, InfoLines& out) {
  for (const auto& [name, counters] : s.debug.by_command()) {
    char each[32];
    std::snprintf(each, sizeof each, "%.2f",
                  static_cast<double>(counters.took_us) / static_cast<double>(counters.calls));
    out.field("cmdstat_" + std::string(name), "calls=" + std::to_string(counters.calls) + ",usec=" +
                                                  std::to_string(counters.took_us) + ",usec_per_call=" + each);
  }
}

void answer_lines(const S& s, InfoLines& out) {
  for (size_t hundred = 2; hundred < 6; ++hundred)
    out.field("http_answers_" + std::to_string(hundred) + "xx", std::to_string(s.http.counters().answers[hundred]));
}

// clang-format off
const Figure kStatsRows[] = {
  // --- Stats
  {.section = I::stats, .field = "total_connections_received",
   .read = [](const S& s) { return number(s.http.counters().connections + s.debug.counters().connections); }},
  {.metric = "wormhole_http_connections_total", .type = M::counter, .help = "HTTP and HTTPS connections accepted",
   .read = [](const S& s) { return number(s.http.counters().connections); }},
  {.metric = "wormhole_debug_connections_total", .type = M::counter, .help = "Connections to the debug port accepted",
   .read = [](const S& s) { return number(s.debug.counters().connections); }},
  {.section = I::stats, .field = "rejected_connections", .metric = "wormhole_connections_rejected_total",
   .type = M::counter, .help = "Clients turned away because there were too many (directive maxclients)",
   .read = [](const S& s) { return number(s.http.counters().turned_away + s.debug.counters().turned_away); }},
  {.section = I::stats, .field = "refused_waits", .metric = "wormhole_waits_refused_total", .type = M::counter,
   .help = "Requests refused because too many waited (directive max-waiting)",
   .read = [](const S& s) { return number(s.node.counters().waits_refused); }},
  {.section = I::stats, .field = "cancelled_requests", .metric = "wormhole_requests_cancelled_total", .type = M::counter,
   .help = "Reads and waits given up because their client went away",
   .read = [](const S& s) { return number(s.node.counters().calls_cancelled); }},
  {.section = I::stats, .field = "total_streams", .metric = "wormhole_streams_total", .type = M::counter,
   .help = "Streams begun", .read = [](const S& s) { return number(s.http.counters().streams); }},
  {.section = I::stats, .field = "cut_streams", .metric = "wormhole_streams_cut_total", .type = M::counter,
   .help = "Streams cut off: their client was too slow, or its place was needed",
   .read = [](const S& s) { return number(s.http.counters().streams_cut); }},
  {.section = I::stats, .field = "total_net_input_bytes", .metric = "wormhole_network_receive_bytes_total",
   .type = M::counter, .unit = U::bytes, .help = "Bytes received from clients and members",
   .read = [](const S& s) { return number(s.loop.stats().bytes_received); }},
  {.section = I::stats, .field = "total_net_output_bytes", .metric = "wormhole_network_transmit_bytes_total",
   .type = M::counter, .unit = U::bytes, .help = "Bytes sent to clients and members",
   .read = [](const S& s) { return number(s.loop.stats().bytes_sent); }},
  {.section = I::stats, .field = "full_turns", .metric = "wormhole_loop_full_turns_total", .type = M::counter,
   .help = "Turns of the loop after which work for clients was left over for the next",
   .read = [](const S& s) { return number(s.client_turns.full_turns()); }},
  {.section = I::stats, .field = "total_http_requests",
   .read = [](const S& s) { return number(s.http.counters().requests); }},
  {.section = I::stats, .read = answer_lines},
  {.metric = "wormhole_http_requests_total", .type = M::counter,
   .help = "HTTP requests answered, by route, method and status; route none: no such path, or not understood",
   .read = http_answers},
  {.metric = "wormhole_http_request_duration_seconds", .type = M::histogram, .unit = U::microseconds,
   .help = "From the whole HTTP request to its answer, by route and method", .read = http_took},
  {.section = I::stats, .field = "total_commands_processed",
   .read = [](const S& s) { return number(s.debug.counters().commands); }},
  {.metric = "wormhole_debug_commands_total", .type = M::counter,
   .help = "Commands of the debug port, by name", .read = commands_by_name},
  {.section = I::stats, .field = "command_usec", .metric = "wormhole_debug_command_duration_seconds",
   .type = M::histogram, .unit = U::microseconds, .help = "From a command of the debug port to its reply",
   .read = [](const S& s) -> const Histogram& { return s.debug.took_us(); }},
  {.section = I::stats, .field = "total_error_replies", .read = [](const S& s) {
     return number(s.debug.counters().error_replies + s.http.counters().answers[4] + s.http.counters().answers[5]); }},
  {.metric = "wormhole_debug_error_replies_total", .type = M::counter, .help = "Errors answered on the debug port",
   .read = [](const S& s) { return number(s.debug.counters().error_replies); }},
  {.section = I::stats, .field = "debug_protocol_errors", .metric = "wormhole_debug_protocol_errors_total",
   .type = M::counter, .help = "Debug connections closed for malformed requests",
   .read = [](const S& s) { return number(s.debug.counters().protocol_errors); }},
  {.section = I::stats, .field = "debug_foreign_protocols", .metric = "wormhole_debug_foreign_protocols_total",
   .type = M::counter, .help = "Debug connections closed for speaking another protocol",
   .read = [](const S& s) { return number(s.debug.counters().foreign); }},
  {.section = I::stats, .field = "http_foreign_protocols", .metric = "wormhole_http_foreign_protocols_total",
   .type = M::counter, .help = "HTTP connections that began with another protocol",
   .read = [](const S& s) { return number(s.http.counters().foreign); }},
  {.section = I::stats, .field = "http_failed_auth", .metric = "wormhole_http_failed_auth_total",
   .type = M::counter, .help = "Wrong passwords given over HTTP",
   .read = [](const S& s) { return number(s.http.counters().failed_auth); }},
  {.section = I::stats, .field = "debug_failed_auth", .metric = "wormhole_debug_failed_auth_total",
   .type = M::counter, .help = "Wrong passwords given on the debug port",
   .read = [](const S& s) { return number(s.debug.counters().failed_auth); }},
  {.metric = "wormhole_requests_total", .type = M::counter,
   .help = "Requests of clients to the cluster on both ports, by kind and by what became of them",
   .read = calls_by_outcome},
  {.metric = "wormhole_request_duration_seconds", .type = M::histogram, .unit = U::microseconds,
   .help = "How long the cluster took for a request, by kind: of a write, until it was committed and applied",
   .read = calls_took},
  {.section = I::stats, .field = "write_usec",
   .read = [](const S& s) -> const Histogram& { return s.calls.counters(api::CallKind::write).took_us; }},
  {.section = I::stats, .field = "read_usec",
   .read = [](const S& s) -> const Histogram& { return s.calls.counters(api::CallKind::read).took_us; }},
  {.section = I::stats, .field = "proposals", .metric = "wormhole_raft_proposals_total", .type = M::counter,
   .help = "Entries that this node proposed as leader",
   .read = [](const S& s) { return number(s.node.counters().proposals); }},
  {.section = I::stats, .field = "forwarded", .metric = "wormhole_forwarded_writes_total", .type = M::counter,
   .help = "Writes that this node forwarded to the leader",
   .read = [](const S& s) { return number(s.node.counters().forwarded); }},
  {.section = I::stats, .field = "reads", .metric = "wormhole_reads_total", .type = M::counter,
   .help = "Linearizable reads asked of this node",
   .read = [](const S& s) { return number(s.node.counters().reads); }},
  {.section = I::stats, .field = "read_rounds", .metric = "wormhole_read_rounds_total", .type = M::counter,
   .help = "Rounds with which the leader confirmed reads; a round serves many",
   .read = [](const S& s) { return number(s.node.counters().read_batches); }},
  {.section = I::stats, .field = "loop_turns", .metric = "wormhole_loop_turns_total", .type = M::counter,
   .help = "Turns of the event loop", .read = [](const S& s) { return number(s.loop.stats().turns); }},
  {.section = I::stats, .field = "loop_turn_usec", .metric = "wormhole_loop_turn_duration_seconds",
   .type = M::histogram, .unit = U::microseconds,
   .help = "How long a turn of the event loop worked; nothing else is done meanwhile",
   .read = [](const S& s) -> const Histogram& { return s.loop.stats().turns_us; }},
  {.section = I::stats, .field = "loop_longest_turn_us", .metric = "wormhole_loop_longest_turn_seconds",
   .unit = U::microseconds, .help = "The longest turn of the event loop since the start or CONFIG RESETSTAT",
   .read = [](const S& s) { return number(s.loop.stats().longest_turn_us); }},
  {.section = I::stats, .field = "loop_longest_turn_work",
   .read = [](const S& s) -> Text { return s.turns.longest_work(); }},
  {.section = I::stats, .field = "loop_longest_turn_cpu_us", .metric = "wormhole_loop_longest_turn_cpu_seconds",
   .unit = U::microseconds,
   .help = "The most processor time of the event loop's thread in a turn, since the start or CONFIG RESETSTAT",
   .read = [](const S& s) { return number(s.loop.stats().longest_turn_cpu_us); }},
  {.section = I::stats, .field = "loop_longest_turn_cpu_work",
   .read = [](const S& s) -> Text { return s.turns.longest_cpu_work(); }},
  {.section = I::stats, .field = "loop_turns_too_long", .metric = "wormhole_loop_turns_too_long_total",
   .type = M::counter, .help = "Turns of the event loop that took more than a quarter of the election timeout",
   .read = [](const S& s) { return number(s.turns.too_long()); }},
  {.section = I::stats, .field = "loop_longest_lag_ms", .metric = "wormhole_loop_longest_lag_seconds",
   .unit = U::milliseconds, .help = "The longest lag of the event loop since the start or CONFIG RESETSTAT",
   .read = [](const S& s) { return number(s.loop.stats().longest_lag_ms); }},
  {.metric = "wormhole_loop_lag_seconds", .type = M::histogram, .unit = U::milliseconds,
   .help = "How late the event loop's own timers ran",
   .read = [](const S& s) -> const Histogram& { return s.loop.stats().lags_ms; }},
  {.section = I::stats, .field = "worker_jobs", .metric = "wormhole_worker_jobs",
   .help = "Jobs handed to the worker threads and not finished",
   .read = [](const S& s) { return number(s.loop.jobs()); }},

  // --- by name only
  {.section = I::commandstats, .read = command_lines},
  {.section = I::httpstats, .read = http_lines},
};
// clang-format on

}  // namespace

std::span<const Figure> stats_rows() { return kStatsRows; }

}  // namespace wh::metrics
