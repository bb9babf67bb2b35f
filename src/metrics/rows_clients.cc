// The rows of INFO's sections Clients and Memory: the connected clients, and what memory holds.
#include <cstdio>
#include <string>
#include <string_view>

#include "metrics/rows.h"
#include "process/allocator.h"
#include "process/process_figures.h"

namespace wh::metrics {
namespace {

using namespace rows;

// "1.50M", as Redis shows memory.
std::string human_bytes(uint64_t bytes) {
  constexpr std::string_view kUnits = "BKMGT";
  size_t unit = 0;
  auto value = static_cast<double>(bytes);
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f%c" : "%.2f%c", value, kUnits[unit]);
  return text;
}

uint64_t used_bytes() { return process::allocated_bytes().value_or(process::resident_bytes()); }

// clang-format off
const Figure kClientRows[] = {
  // --- Clients
  {.section = I::clients, .field = "connected_clients",
   .read = [](const S& s) { return number(s.http.connections() + s.debug.connections()); }},
  {.section = I::clients, .field = "blocked_clients", .read = [](const S& s) { return number(s.node.waiting()); }},
  {.section = I::clients, .field = "http_clients", .metric = "wormhole_http_connections",
   .help = "HTTP and HTTPS clients connected now",
   .read = [](const S& s) { return number(s.http.connections()); }},
  {.section = I::clients, .field = "debug_clients", .metric = "wormhole_debug_connections",
   .help = "Clients connected to the debug port now",
   .read = [](const S& s) { return number(s.debug.connections()); }},
  {.section = I::clients, .field = "maxclients", .metric = "wormhole_max_connections",
   .help = "How many clients may be connected (directive maxclients)",
   .read = [](const S& s) { return number(s.options.maxclients); }},
  {.section = I::clients, .field = "client_buffer_bytes", .metric = "wormhole_client_buffer_bytes", .unit = U::bytes,
   .help = "Memory that clients hold: requests that are arriving and answers that were not taken",
   .read = [](const S& s) { return number(s.buffers.used()); }},
  {.section = I::clients, .field = "client_buffer_peak_bytes", .metric = "wormhole_client_buffer_peak_bytes",
   .unit = U::bytes, .help = "The most memory that clients held at once",
   .read = [](const S& s) { return number(s.buffers.peak()); }},
  {.section = I::clients, .field = "client_buffer_limit", .metric = "wormhole_client_buffer_limit_bytes",
   .unit = U::bytes, .help = "Memory that clients may hold (directive client-buffer-limit), 0 for no limit",
   .read = [](const S& s) { return number(s.buffers.limit()); }},
  {.section = I::clients, .field = "client_buffer_tight", .metric = "wormhole_client_buffer_tight",
   .help = "Whether clients hold so much that those that hold more than a little are not read",
   .read = [](const S& s) { return number(s.buffers.tight() ? 1 : 0); }},
  {.section = I::clients, .field = "client_buffer_cuts", .metric = "wormhole_client_buffer_cuts_total",
   .type = M::counter, .help = "Clients cut off as all of them together held too much memory",
   .read = [](const S& s) { return number(s.relief.cut()); }},
  {.section = I::clients, .field = "evicted_clients", .metric = "wormhole_clients_evicted_total", .type = M::counter,
   .help = "Idle clients disconnected for new ones, as there were maxclients",
   .read = [](const S& s) { return number(s.client_admission.evicted()); }},
  {.section = I::clients, .field = "evicted_handshakes", .metric = "wormhole_tls_handshakes_evicted_total",
   .type = M::counter, .help = "TLS handshakes ended or refused because there were too many at once",
   .read = [](const S& s) { return number(s.tls_gate.evicted() + s.tls_gate.refused()); }},
  {.section = I::clients, .field = "evicted_strangers", .metric = "wormhole_raft_port_connections_evicted_total",
   .type = M::counter, .help = "Connections to the raft port of nobody known that gave way to new ones",
   .read = [](const S& s) { return number(s.transport.evicted()); }},
  {.section = I::clients, .field = "descriptors_used",
   .read = [](const S&) { return number(process::open_descriptors()); }},
  {.section = I::clients, .field = "descriptors_limit",
   .read = [](const S&) { return number(process::max_descriptors()); }},
  {.section = I::clients, .field = "descriptors_reserved", .metric = "wormhole_reserved_fds",
   .help = "File descriptors that clients cannot take: for files, members, health checks",
   .read = [](const S& s) { return number(s.descriptors.reserved()); }},
  {.section = I::clients, .field = "descriptors_of_clients", .metric = "wormhole_client_fds",
   .help = "File descriptors of client connections, those being closed included",
   .read = [](const S& s) { return number(s.descriptors.open(net::Descriptors::Use::clients)); }},
  {.section = I::clients, .field = "descriptors_of_raft_port", .metric = "wormhole_raft_port_fds",
   .help = "File descriptors of connections that the raft port accepted",
   .read = [](const S& s) { return number(s.descriptors.open(net::Descriptors::Use::peers)); }},
  {.section = I::clients, .field = "pending_requests", .metric = "wormhole_pending_requests",
   .help = "Requests of clients that wait for an answer of the cluster",
   .read = [](const S& s) { return number(s.node.pending()); }},
  {.section = I::clients, .field = "waiting_requests", .metric = "wormhole_waiting_requests",
   .help = "Requests that wait for something to happen, streams among them",
   .read = [](const S& s) { return number(s.node.waiting()); }},
  {.section = I::clients, .field = "max_waiting", .metric = "wormhole_max_waiting_requests",
   .help = "How many requests may wait for something to happen (directive max-waiting)",
   .read = [](const S& s) { return number(s.options.max_waiting); }},
  {.section = I::clients, .field = "streams", .metric = "wormhole_streams", .help = "Streams that are open now",
   .read = [](const S& s) { return number(s.http.streams()); }},

  // --- Memory
  {.section = I::memory, .field = "used_memory", .read = [](const S&) { return number(used_bytes()); }},
  {.section = I::memory, .field = "used_memory_human", .read = [](const S&) { return Text(human_bytes(used_bytes())); }},
  {.section = I::memory, .field = "used_memory_rss", .metric = "process_resident_memory_bytes", .unit = U::bytes,
   .help = "Resident memory size in bytes", .read = [](const S&) { return number(process::resident_bytes()); }},
  {.section = I::memory, .field = "mem_allocator", .read = [](const S&) { return Text(process::allocator_name()); }},
  {.section = I::memory, .field = "used_memory_dataset", .metric = "wormhole_data_bytes", .unit = U::bytes,
   .help = "Logical size of the data: what maxmemory is compared with",
   .read = [](const S& s) { return number(s.node.machine().logical_bytes()); }},
  {.section = I::memory, .field = "maxmemory", .metric = "wormhole_max_data_bytes", .unit = U::bytes,
   .help = "How large the data may grow (directive maxmemory), 0 for no limit",
   .read = [](const S& s) { return number(s.options.maxmemory_bytes); }},
  {.section = I::memory, .field = "watch_history_bytes", .metric = "wormhole_watch_history_bytes", .unit = U::bytes,
   .help = "The last changes of keys, from which watches resume (directive watch-history)",
   .read = [](const S& s) { return number(s.node.machine().history().bytes()); }},
  {.section = I::memory, .field = "watch_history_oldest", .metric = "wormhole_watch_history_oldest_index",
   .help = "The first index from which a watch may begin on this node",
   .read = [](const S& s) { return number(s.node.machine().history().oldest().value); }},
  {.section = I::memory, .field = "log_cache_bytes", .metric = "wormhole_raft_log_cache_bytes", .unit = U::bytes,
   .help = "Log entries kept in memory",
   .read = [](const S& s) { return of_raft(s, [](const raft::Raft& r) { return r.log().cached_bytes(); }); }},
  {.section = I::memory, .field = "snapshot_kept_bytes", .metric = "wormhole_snapshot_kept_bytes", .unit = U::bytes,
   .help = "Old values that a snapshot under way keeps in memory",
   .read = [](const S& s) { return number(s.node.machine().snapshot_kept_bytes()); }},
};
// clang-format on

}  // namespace

std::span<const Figure> client_rows() { return kClientRows; }

}  // namespace wh::metrics
