// The rows. Names in /metrics follow Prometheus's rules: base units, `_total` for counters, the standard names for the
// process. Labels are bounded: routes and commands come from their tables, members from the configuration.
#include <array>
#include <cstdio>
#include <string>
#include <sys/resource.h>
#include <unistd.h>

#include <sqlite3.h>
#include <uv.h>

#include "base/log.h"
#include "config/option_table.h"
#include "net/tls_context.h"
#include "process/allocator.h"
#include "process/process_figures.h"
#include "server/figures.h"
#include "server/member_view.h"
#include "server/routes.h"

namespace wh {
namespace {

using S = Sources;
using Number = std::optional<int64_t>;
using Text = std::optional<std::string>;
using I = InfoSection;
using M = MetricType;
using U = Unit;

template <typename T>
Number number(T value) {
  return static_cast<int64_t>(value);
}

const raft::Raft* raft_of(const S& s) { return s.node.raft(); }
// A figure of the core; 0 while there is none.
template <typename Read>
Number of_raft(const S& s, Read read) {
  return raft_of(s) == nullptr ? number(0) : number(read(*raft_of(s)));
}

std::string option(const S& s, std::string_view name) { return option_text(s.options, *find_option(name)); }

size_t voters(const S& s) { return raft_of(s) == nullptr ? 0 : raft_of(s)->configuration().voters(); }
const Histogram& database_syncs(const S& s) {
  return s.storage.stats().syncs_us[static_cast<size_t>(storage::Lane::database)];
}

uint64_t disk_bytes_written(const S& s) {
  uint64_t bytes = 0;
  for (const uint64_t of_lane : s.storage.stats().disk_bytes_written) bytes += of_lane;
  return bytes;
}

// --- TLS; nothing where it is not spoken

template <typename T>
Number with_tls(const S& s, T value) {
  return s.certificates.material() == nullptr ? std::nullopt : number(value);
}
Number tls_cert_ends(const S& s) {
  return s.certificates.material() == nullptr ? std::nullopt : number(s.certificates.material()->cert_validity().ends);
}
Number tls_ca_ends(const S& s) {
  const net::TlsMaterial* const material = s.certificates.material();
  return material == nullptr || !material->has_ca() ? std::nullopt : number(material->ca_validity().ends);
}
Number days_left(Number ends) { return ends ? number(days_until(*ends, net::seconds_since_1970())) : std::nullopt; }
Text utc(Number ends) { return ends ? Text(net::utc_text(*ends)) : std::nullopt; }
// "node2=89,node3=12"
Text tls_peer_certs(const S& s) {
  std::string text;
  for (const auto& [name, ends] : s.peer_access.cert_ends())
    text +=
        (text.empty() ? "" : ",") + printable(name) + "=" + std::to_string(days_until(ends, net::seconds_since_1970()));
  return text.empty() ? std::nullopt : Text(text);
}

// --- with labels

constexpr std::array<std::string_view, kCallKinds> kCallNames{"write", "read", "stale_read", "admin"};
constexpr std::string_view kOutcomeNames[] = {"applied",       "not_leader", "dropped",   "unknown",   "overloaded",
                                              "shutting_down", "conflict",   "not_found", "timed_out", "no_room"};

void calls_by_outcome(const S& s, Samples& out) {
  for (size_t kind = 0; kind < kCallKinds; ++kind)
    for (size_t outcome = 0; outcome < std::size(kOutcomeNames); ++outcome)
      if (const uint64_t count = s.calls.counters(static_cast<CallKind>(kind)).outcomes[outcome];
          count > 0 || outcome == 0)
        out.number({{"kind", kCallNames[kind]}, {"outcome", kOutcomeNames[outcome]}}, count);
}

void calls_took(const S& s, Samples& out) {
  for (size_t kind = 0; kind < kCallKinds; ++kind)
    out.histogram({{"kind", kCallNames[kind]}}, s.calls.counters(static_cast<CallKind>(kind)).took_us);
}

std::string_view route_name(int place) {
  return place < 0 ? "none" : route_table()[static_cast<size_t>(place)].pattern;
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

// Redis's line, but for what there is not here.
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

constexpr std::array<std::string_view, storage::kLanes> kLaneNames{"log", "snapshots"};
void syncs_took(const S& s, Samples& out) {
  for (size_t lane = 0; lane < storage::kLanes; ++lane)
    out.histogram({{"file", kLaneNames[lane]}}, s.storage.stats().syncs_us[lane]);
}

constexpr std::array<std::string_view, 4> kRoles{"leader", "follower", "candidate", "learner"};
void roles(const S& s, Samples& out) {
  for (const std::string_view role : kRoles) out.number({{"role", role}}, role == role_name(s.node) ? 1 : 0);
}

constexpr std::array<std::string_view, raft::kElectionCauses> kElectionCauses{"start",        "silence",  "leaderless",
                                                                              "process_gone", "transfer", "alone"};
void elections(const S& s, Samples& out) {
  for (size_t i = 0; i < kElectionCauses.size(); ++i)
    out.number({{"cause", kElectionCauses[i]}}, raft_of(s) == nullptr ? 0 : raft_of(s)->election_figures().begun[i]);
}
constexpr std::array<std::string_view, raft::kStepDownCauses> kStepDownCauses{"higher_term", "no_quorum",
                                                                              "disk_stalled", "stood_still", "removed"};
void step_downs(const S& s, Samples& out) {
  for (size_t i = 0; i < kStepDownCauses.size(); ++i)
    out.number({{"cause", kStepDownCauses[i]}},
               raft_of(s) == nullptr ? 0 : raft_of(s)->election_figures().stepped_down[i]);
}

constexpr std::array<std::string_view, 3> kProgress{"probe", "replicate", "snapshot"};

// What only a leader knows, of each other member.
template <typename Write>
void each_peer(const S& s, Write write) {
  const raft::Raft* raft = raft_of(s);
  if (raft == nullptr || raft->role() != raft::Role::leader) return;
  for (const raft::PeerStatus& peer : raft->peers())
    if (const raft::Member* member = raft->configuration().find(peer.id)) write(*raft, *member, peer);
}
uint64_t lag_of(const raft::Raft& raft, const raft::PeerStatus& peer) {
  return raft.log().last_index().value - peer.match_index.value;
}
uint64_t silence_of(const S& s, const raft::PeerStatus& peer) {
  const Millis now = s.loop.now();
  return now > peer.last_contact ? now - peer.last_contact : 0;
}

void peers_match(const S& s, Samples& out) {
  each_peer(s, [&](const raft::Raft&, const raft::Member& member, const raft::PeerStatus& peer) {
    out.number({{"member", member.name}}, peer.match_index.value);
  });
}
void peers_lag(const S& s, Samples& out) {
  each_peer(s, [&](const raft::Raft& raft, const raft::Member& member, const raft::PeerStatus& peer) {
    out.number({{"member", member.name}}, lag_of(raft, peer));
  });
}
void peers_silence(const S& s, Samples& out) {
  each_peer(s, [&](const raft::Raft&, const raft::Member& member, const raft::PeerStatus& peer) {
    if (peer.last_contact != 0) out.number({{"member", member.name}}, silence_of(s, peer));
  });
}
void peers_up(const S& s, Samples& out) {
  each_peer(s, [&](const raft::Raft&, const raft::Member& member, const raft::PeerStatus& peer) {
    out.number({{"member", member.name}}, s.node.silent(peer.id) ? 0 : 1);
  });
}

void member_lines(const S& s, InfoLines& out) {
  size_t number = 0;
  for (const MemberView& member : member_views(s.node)) {
    std::string text = "id=" + printable(member.name) + ",address=" + printable(member.raft_address) +
                       ",suffrage=" + (member.voter ? "voter" : "learner");
    if (!member.status.empty()) text += ",status=" + member.status;
    if (member.match_index) text += ",match_index=" + std::to_string(*member.match_index);
    each_peer(s, [&](const raft::Raft& raft, const raft::Member& configured, const raft::PeerStatus& peer) {
      if (configured.name != member.name) return;
      text += ",lag=" + std::to_string(lag_of(raft, peer)) +
              ",state=" + std::string(kProgress[static_cast<size_t>(peer.state)]);
      if (peer.last_contact != 0) text += ",last_contact_ms=" + std::to_string(silence_of(s, peer));
    });
    out.field("member" + std::to_string(number++), text);
  }
}

std::string part_of_snapshot(raft::Index index, uint64_t offset, uint64_t size) {
  return "index=" + std::to_string(index.value) + ",offset=" + std::to_string(offset) + ",size=" + std::to_string(size);
}

void snapshot_transfers(const S& s, InfoLines& out) {
  if (raft_of(s) == nullptr) return;
  size_t number = 0;
  each_peer(s, [&](const raft::Raft&, const raft::Member& member, const raft::PeerStatus& peer) {
    if (peer.state != raft::ProgressState::snapshot) return;
    out.field("snapshot_sending" + std::to_string(number++),
              "node=" + printable(member.name) + "," +
                  part_of_snapshot(peer.snapshot_index, peer.snapshot_offset, peer.snapshot_size));
  });
  if (const raft::PartOfSnapshot* part = raft_of(s)->incoming_snapshot(); part != nullptr)
    out.field("snapshot_receiving", part_of_snapshot(part->meta.index, part->next_offset, part->meta.size));
}

void build_info(const S&, Samples& out) {
  out.number({{"version", WORMHOLE_VERSION}, {"sqlite", sqlite3_libversion()}, {"libuv", uv_version_string()}}, 1);
}
void node_info(const S& s, Samples& out) {
  const node::Identity identity = s.node.identity();
  out.number({{"node_id", identity.name},
              {"cluster_id", identity.cluster == node::kNoCluster ? "" : node::to_hex(identity.cluster)}},
             1);
}

// clang-format off
const Figure kTable[] = {
  // --- Server
  {.section = I::server, .field = "wormhole_version", .read = [](const S&) -> Text { return WORMHOLE_VERSION; }},
  {.section = I::server, .field = "process_id", .read = [](const S&) { return number(getpid()); }},
  {.section = I::server, .field = "uptime_in_seconds",
   .read = [](const S& s) { return number((s.loop.now() - s.started_at) / 1000); }},
  {.section = I::server, .field = "http_port", .read = [](const S& s) { return number(s.options.port); }},
  {.section = I::server, .field = "https_port", .read = [](const S& s) { return number(s.options.tls_port); }},
  {.section = I::server, .field = "raft_port", .read = [](const S& s) { return number(s.options.raft_port); }},
  {.section = I::server, .field = "debug_port", .read = [](const S& s) { return number(s.options.debug_port); }},
  {.section = I::server, .field = "libuv_version", .read = [](const S&) -> Text { return uv_version_string(); }},
  {.section = I::server, .field = "sqlite_version", .read = [](const S&) -> Text { return sqlite3_libversion(); }},
  {.section = I::server, .field = "tls_library",
   .read = [](const S&) -> Text { return net::tls_library_version() + (net::tls_library_gets_fixes() ? "" : " (its branch gets no fixes any more)"); }},
  {.section = I::server, .field = "tls_cert_not_after", .read = [](const S& s) { return utc(tls_cert_ends(s)); }},
  {.section = I::server, .field = "tls_cert_days_left", .read = [](const S& s) { return days_left(tls_cert_ends(s)); }},
  {.metric = "wormhole_tls_certificate_expiry_timestamp_seconds", .unit = U::seconds,
   .help = "When this node's certificate expires, in seconds since 1970", .read = tls_cert_ends},
  {.section = I::server, .field = "tls_ca_not_after", .read = [](const S& s) { return utc(tls_ca_ends(s)); }},
  {.section = I::server, .field = "tls_ca_days_left", .read = [](const S& s) { return days_left(tls_ca_ends(s)); }},
  {.metric = "wormhole_tls_authority_expiry_timestamp_seconds", .unit = U::seconds,
   .help = "When the first of the trusted authorities expires, in seconds since 1970", .read = tls_ca_ends},
  {.section = I::server, .field = "tls_peer_certs_days_left", .read = tls_peer_certs},
  {.section = I::server, .field = "tls_reloads", .metric = "wormhole_tls_reloads_total", .type = M::counter,
   .help = "How often certificates were read anew, or were to be",
   .read = [](const S& s) { return with_tls(s, s.certificates.reloads()); }},
  {.section = I::server, .field = "tls_last_reload", .read = [](const S& s) -> Text {
     if (s.certificates.material() == nullptr) return std::nullopt;
     if (s.certificates.reloads() == 0) return "none";
     return s.certificates.reload_error().empty() ? "ok" : "failed"; }},
  {.metric = "wormhole_tls_last_reload_failed", .help = "1 while the files of the last reload could not be used",
   .read = [](const S& s) { return with_tls(s, s.certificates.reload_error().empty() ? 0 : 1); }},
  {.section = I::server, .field = "tls_handshakes_failed", .metric = "wormhole_tls_handshakes_failed_total",
   .type = M::counter, .help = "TLS handshakes of clients and members that came to nothing",
   .read = [](const S& s) { return with_tls(s, s.tls_gate.failures()); }},
  {.section = I::server, .field = "log_lines_dropped", .metric = "wormhole_log_lines_dropped_total", .type = M::counter,
   .help = "Lines of the log that were dropped because nobody read them or the disk was full",
   .read = [](const S& s) { return number(s.log_lines_dropped); }},
  {.metric = "wormhole_build_info", .help = "The program's version and its libraries', always 1", .read = build_info},
  {.metric = "wormhole_node_info", .help = "The names of this node and its cluster, always 1", .read = node_info},

  // --- Clients
  {.section = I::clients, .field = "connected_clients",
   .read = [](const S& s) { return number(s.http.connections() + s.debug.connections()); }},
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
  {.section = I::clients, .field = "descriptors_used", .read = [](const S&) { return number(open_descriptors()); }},
  {.section = I::clients, .field = "descriptors_limit", .read = [](const S&) { return number(max_descriptors()); }},
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

  // --- Memory
  {.section = I::memory, .field = "used_memory_rss", .metric = "process_resident_memory_bytes", .unit = U::bytes,
   .help = "Resident memory size in bytes", .read = [](const S&) { return number(resident_bytes()); }},
  {.section = I::memory, .field = "mem_allocator", .read = [](const S&) { return Text(allocator_name()); }},
  {.section = I::memory, .field = "used_memory_dataset", .metric = "wormhole_data_bytes", .unit = U::bytes,
   .help = "Logical size of the data: what maxmemory is compared with",
   .read = [](const S& s) { return number(s.node.machine().logical_bytes()); }},
  {.section = I::memory, .field = "maxmemory", .metric = "wormhole_max_data_bytes", .unit = U::bytes,
   .help = "How large the data may grow (directive maxmemory), 0 for no limit",
   .read = [](const S& s) { return number(s.options.maxmemory_bytes); }},
  {.section = I::memory, .field = "log_cache_bytes", .metric = "wormhole_raft_log_cache_bytes", .unit = U::bytes,
   .help = "Log entries kept in memory",
   .read = [](const S& s) { return of_raft(s, [](const raft::Raft& r) { return r.log().cached_bytes(); }); }},
  {.section = I::memory, .field = "snapshot_kept_bytes", .metric = "wormhole_snapshot_kept_bytes", .unit = U::bytes,
   .help = "Old values that a snapshot under way keeps in memory",
   .read = [](const S& s) { return number(s.node.machine().snapshot_kept_bytes()); }},

  // --- Persistence
  {.section = I::persistence, .field = "dir", .read = [](const S& s) -> Text { return printable(s.storage.directory()); }},
  {.section = I::persistence, .field = "appendfsync", .read = [](const S& s) -> Text { return option(s, "appendfsync"); }},
  {.section = I::persistence, .field = "acknowledged_means", .read = [](const S& s) -> Text {
     return s.options.appendfsync == AppendFsync::always
                ? "on the disks of a majority"
                : "received by a majority; a power failure may lose the last moments"; }},
  {.section = I::persistence, .field = "batches_persisted", .metric = "wormhole_storage_batches_total",
   .type = M::counter, .help = "Batches of log entries, votes and terms that reached the disk",
   .read = [](const S& s) { return number(s.node.counters().batches_persisted); }},
  {.section = I::persistence, .field = "entries_written", .metric = "wormhole_storage_entries_written_total",
   .type = M::counter, .help = "Log entries written to the disk",
   .read = [](const S& s) { return number(s.storage.stats().entries_written); }},
  {.section = I::persistence, .field = "entry_bytes_written", .metric = "wormhole_storage_entry_bytes_written_total",
   .type = M::counter, .unit = U::bytes, .help = "Size of the log entries written to the disk",
   .read = [](const S& s) { return number(s.storage.stats().entry_bytes_written); }},
  {.section = I::persistence, .field = "disk_bytes_written", .metric = "wormhole_storage_bytes_written_total",
   .type = M::counter, .unit = U::bytes, .help = "Bytes written to all files of the data directory",
   .read = [](const S& s) { return number(disk_bytes_written(s)); }},
  {.section = I::persistence, .field = "write_amplification", .read = [](const S& s) -> Text {
     if (s.storage.stats().entry_bytes_written == 0) return std::nullopt;
     char text[32];
     std::snprintf(text, sizeof text, "%.2f", static_cast<double>(disk_bytes_written(s)) /
                                                  static_cast<double>(s.storage.stats().entry_bytes_written));
     return text; }},
  {.section = I::persistence, .field = "entries_read_back", .metric = "wormhole_storage_entries_read_total",
   .type = M::counter, .help = "Log entries read back from the disk, because the log's cache no longer had them",
   .read = [](const S& s) { return number(s.storage.stats().entries_read); }},
  {.section = I::persistence, .field = "commit_usec", .metric = "wormhole_storage_commit_duration_seconds",
   .type = M::histogram, .unit = U::microseconds,
   .help = "How long a transaction of the log took, with its sync",
   .read = [](const S& s) -> const Histogram& { return s.storage.stats().commits_us; }},
  {.section = I::persistence, .field = "commit_entries", .metric = "wormhole_storage_commit_entries",
   .type = M::histogram, .help = "Log entries in one transaction",
   .read = [](const S& s) -> const Histogram& { return s.storage.stats().commit_entries; }},
  {.section = I::persistence, .field = "sync_usec", .read = database_syncs},
  {.metric = "wormhole_storage_sync_duration_seconds", .type = M::histogram, .unit = U::microseconds,
   .help = "How long a single sync took, by what was synced", .read = syncs_took},
  {.section = I::persistence, .field = "sync_age_ms", .metric = "wormhole_storage_sync_age_seconds",
   .unit = U::milliseconds, .help = "For how long the disk call now under way has been running, 0 for none",
   .read = [](const S& s) { return number(s.storage.sync_age()); }},
  {.section = I::persistence, .field = "disk_free_bytes", .metric = "wormhole_disk_free_bytes", .unit = U::bytes,
   .help = "What is free in the file system of the data directory",
   .read = [](const S& s) { return number(s.node.room().space().free_bytes); }},
  {.section = I::persistence, .field = "disk_total_bytes", .metric = "wormhole_disk_size_bytes", .unit = U::bytes,
   .help = "Size of the file system of the data directory",
   .read = [](const S& s) { return number(s.node.room().space().total_bytes); }},
  {.section = I::persistence, .field = "disk_low", .metric = "wormhole_disk_low",
   .help = "Whether less than min-free-disk is free",
   .read = [](const S& s) { return number(s.node.room().low() ? 1 : 0); }},
  {.section = I::persistence, .field = "disk_full", .metric = "wormhole_disk_full",
   .help = "Whether a write found no room and waits for some",
   .read = [](const S& s) { return number(s.node.room().space().full ? 1 : 0); }},
  {.section = I::persistence, .field = "wal_bytes", .metric = "wormhole_storage_wal_bytes", .unit = U::bytes,
   .help = "Size of the database's write-ahead log that is in use",
   .read = [](const S& s) { return number(s.storage.stats().wal_bytes); }},
  {.section = I::persistence, .field = "checkpoints", .metric = "wormhole_storage_checkpoints_total",
   .type = M::counter, .help = "Checkpoints of the write-ahead log",
   .read = [](const S& s) { return number(s.storage.stats().checkpoints); }},
  {.section = I::persistence, .field = "snapshot_in_progress", .metric = "wormhole_snapshot_in_progress",
   .help = "Whether this node is taking a snapshot of its state",
   .read = [](const S& s) { return number(s.node.snapshot_in_progress() ? 1 : 0); }},
  {.section = I::persistence, .field = "snapshots_taken", .metric = "wormhole_snapshots_taken_total",
   .type = M::counter, .help = "Snapshots that this node took of its own state",
   .read = [](const S& s) { return number(s.node.counters().snapshots_taken); }},
  {.section = I::persistence, .field = "snapshots_installed", .metric = "wormhole_snapshots_installed_total",
   .type = M::counter, .help = "Snapshots received from a leader and taken over",
   .read = [](const S& s) { return number(s.node.counters().snapshots_installed); }},
  {.section = I::persistence, .field = "backup_in_progress", .metric = "wormhole_backup_in_progress",
   .help = "Whether a backup is being made or read on this node",
   .read = [](const S& s) { return number(s.backups.busy() ? 1 : 0); }},
  {.section = I::persistence, .field = "backups_made", .metric = "wormhole_backups_made_total", .type = M::counter,
   .help = "Backups that were made on this node",
   .read = [](const S& s) { return number(s.backups.counters().made); }},
  {.section = I::persistence, .field = "backups_failed", .metric = "wormhole_backups_failed_total", .type = M::counter,
   .help = "Backups that were begun on this node and given up",
   .read = [](const S& s) { return number(s.backups.counters().failed); }},
  {.section = I::persistence, .field = "snapshot_bytes_written", .metric = "wormhole_snapshot_bytes_written_total",
   .type = M::counter, .unit = U::bytes, .help = "Bytes of snapshots written to the disk, own ones and received ones",
   .read = [](const S& s) { return number(s.storage.stats().snapshot_bytes_written); }},

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
   .read = [](const S& s) -> const Histogram& { return s.calls.counters(CallKind::write).took_us; }},
  {.section = I::stats, .field = "read_usec",
   .read = [](const S& s) -> const Histogram& { return s.calls.counters(CallKind::read).took_us; }},
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
  {.section = I::stats, .field = "loop_longest_turn_work", .read = [](const S& s) -> Text { return s.turns.longest_work(); }},
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
   .read = [](const S& s) { return number(s.loop.stats().jobs); }},

  // --- Raft
  {.section = I::raft, .field = "cluster_id", .read = [](const S& s) -> Text {
     const node::ClusterId cluster = s.node.identity().cluster;
     return cluster == node::kNoCluster ? "" : node::to_hex(cluster); }},
  {.section = I::raft, .field = "node_id", .read = [](const S& s) -> Text { return s.node.identity().name; }},
  {.section = I::raft, .field = "role", .read = [](const S& s) -> Text { return role_name(s.node); }},
  {.metric = "wormhole_raft_role", .help = "1 for the role that this node has", .read = roles},
  {.metric = "wormhole_raft_is_leader", .help = "Whether this node leads",
   .read = [](const S& s) { return of_raft(s, [](const raft::Raft& r) { return r.role() == raft::Role::leader; }); }},
  {.section = I::raft, .field = "term", .metric = "wormhole_raft_term", .help = "The term that this node is in",
   .read = [](const S& s) { return of_raft(s, [](const raft::Raft& r) { return r.current_term().value; }); }},
  {.section = I::raft, .field = "leader_id", .read = [](const S& s) -> Text {
     return s.node.leader() != nullptr ? s.node.leader()->name : ""; }},
  {.metric = "wormhole_raft_has_leader", .help = "Whether this node knows a leader",
   .read = [](const S& s) { return number(s.node.leader() != nullptr ? 1 : 0); }},
  {.section = I::raft, .field = "commit_index", .metric = "wormhole_raft_commit_index",
   .help = "The last log entry known to be committed",
   .read = [](const S& s) { return of_raft(s, [](const raft::Raft& r) { return r.commit_index().value; }); }},
  {.section = I::raft, .field = "applied_index", .metric = "wormhole_raft_applied_index",
   .help = "The last log entry applied to the state",
   .read = [](const S& s) { return number(s.node.machine().applied().value); }},
  {.section = I::raft, .field = "last_log_index", .metric = "wormhole_raft_last_log_index",
   .help = "The last entry of this node's log",
   .read = [](const S& s) { return of_raft(s, [](const raft::Raft& r) { return r.log().last_index().value; }); }},
  {.section = I::raft, .field = "first_log_index", .metric = "wormhole_raft_first_log_index",
   .help = "The first entry of this node's log that was not compacted",
   .read = [](const S& s) { return of_raft(s, [](const raft::Raft& r) { return r.log().first_index().value; }); }},
  {.section = I::raft, .field = "durable_index", .metric = "wormhole_raft_durable_index",
   .help = "The last log entry on this node's disk",
   .read = [](const S& s) { return of_raft(s, [](const raft::Raft& r) { return r.durable_index().value; }); }},
  {.section = I::raft, .field = "snapshot_index", .metric = "wormhole_raft_snapshot_index",
   .help = "The last log entry that the snapshot on the disk holds, 0 without one",
   .read = [](const S& s) { return of_raft(s, [](const raft::Raft& r) { return r.snapshot() ? r.snapshot()->index.value : 0; }); }},
  {.metric = "wormhole_raft_entries_applied_total", .type = M::counter, .help = "Log entries applied to the state",
   .read = [](const S& s) { return number(s.node.counters().entries_applied); }},
  {.section = I::raft, .field = "leader_changes", .metric = "wormhole_raft_leader_changes_total", .type = M::counter,
   .help = "How often this node saw the leader change or get lost",
   .read = [](const S& s) { return number(s.node.counters().leader_changes); }},
  {.section = I::raft, .field = "elections_started", .metric = "wormhole_raft_campaigns_total", .type = M::counter,
   .help = "Terms that this node was a candidate in",
   .read = [](const S& s) { return of_raft(s, [](const raft::Raft& r) { return r.elections(); }); }},
  {.metric = "wormhole_raft_elections_total", .type = M::counter,
   .help = "Elections that this node began, by cause", .read = elections},
  {.section = I::raft, .field = "elections_won", .metric = "wormhole_raft_elections_won_total", .type = M::counter,
   .help = "Elections that this node won",
   .read = [](const S& s) { return of_raft(s, [](const raft::Raft& r) { return r.election_figures().won; }); }},
  {.section = I::raft, .field = "elections_lost", .metric = "wormhole_raft_elections_lost_total", .type = M::counter,
   .help = "Elections that this node lost as a candidate",
   .read = [](const S& s) { return of_raft(s, [](const raft::Raft& r) { return r.election_figures().lost; }); }},
  {.section = I::raft, .field = "last_election_cause", .read = [](const S& s) -> Text {
     return raft_of(s) == nullptr ? "" : printable(raft_of(s)->election_figures().last_election); }},
  {.metric = "wormhole_raft_step_downs_total", .type = M::counter,
   .help = "How often this node gave up leading, by cause", .read = step_downs},
  {.section = I::raft, .field = "last_step_down_cause", .read = [](const S& s) -> Text {
     return raft_of(s) == nullptr ? "" : printable(raft_of(s)->election_figures().last_step_down); }},
  {.section = I::raft, .field = "state_digest", .read = [](const S& s) -> Text {
     char digest[17];
     std::snprintf(digest, sizeof digest, "%016lx", s.node.machine().digest());
     return digest; }},
  {.section = I::raft, .field = "waiting_for", .read = [](const S& s) -> Text {
     if (s.node.waiting_for().empty()) return std::nullopt;
     return printable(s.node.waiting_for()); }},
  {.section = I::raft, .field = "members", .metric = "wormhole_raft_members",
   .help = "Members of the cluster, learners among them, as this node knows it",
   .read = [](const S& s) { return of_raft(s, [](const raft::Raft& r) { return r.configuration().members().size(); }); }},
  {.section = I::raft, .field = "voters", .metric = "wormhole_raft_voters", .help = "Members that have a vote",
   .read = [](const S& s) { return number(voters(s)); }},
  {.section = I::raft, .field = "tolerates", .metric = "wormhole_raft_failures_tolerated",
   .help = "How many voters more may fail before the cluster stops; known to the leader, to others only where it is 0",
   .read = [](const S& s) -> Number { const auto t = s.node.tolerates(); return t ? number(*t) : std::nullopt; }},
  {.section = I::raft, .field = "tolerates_warning", .read = [](const S& s) -> Text {
    const std::string warning = s.node.tolerance_warning();
    if (warning.empty()) return std::nullopt;
    return printable(warning); }},
  {.section = I::raft, .field = "violations", .metric = "wormhole_raft_violations_total", .type = M::counter,
   .help = "Connections of members that were closed because they sent what no correct member can send",
   .read = [](const S& s) { return number(s.node.counters().violations); }},
  {.section = I::raft, .field = "removed", .metric = "wormhole_raft_removed",
   .help = "Whether this node was removed from its cluster",
   .read = [](const S& s) { return number(s.node.removed() ? 1 : 0); }},
  {.section = I::raft, .read = member_lines},
  {.section = I::raft, .read = snapshot_transfers},
  {.section = I::raft, .field = "snapshots_sent", .metric = "wormhole_snapshots_sent_total", .type = M::counter,
   .help = "Snapshots that a member received from this node, whole",
   .read = [](const S& s) { return of_raft(s, [](const raft::Raft& r) { return r.snapshot_counters().finished; }); }},
  {.section = I::raft, .field = "snapshots_sent_resumed", .metric = "wormhole_snapshots_sent_resumed_total",
   .type = M::counter, .help = "Times that sending a snapshot went on where it had broken off",
   .read = [](const S& s) { return of_raft(s, [](const raft::Raft& r) { return r.snapshot_counters().resumed; }); }},
  {.section = I::raft, .field = "snapshots_sent_restarted", .metric = "wormhole_snapshots_sent_restarted_total",
   .type = M::counter, .help = "Times that sending a snapshot began anew",
   .read = [](const S& s) { return of_raft(s, [](const raft::Raft& r) { return r.snapshot_counters().restarted; }); }},
  {.section = I::raft, .field = "snapshot_bytes_sent", .metric = "wormhole_snapshot_bytes_sent_total",
   .type = M::counter, .unit = U::bytes, .help = "Bytes of snapshots sent to members",
   .read = [](const S& s) { return of_raft(s, [](const raft::Raft& r) { return r.snapshot_counters().bytes; }); }},
  {.metric = "wormhole_raft_member_up", .help = "On the leader: whether a member answers", .read = peers_up},
  {.metric = "wormhole_raft_member_match_index", .help = "On the leader: the last log entry a member is known to hold",
   .read = peers_match},
  {.metric = "wormhole_raft_member_lag_entries", .help = "On the leader: how many log entries a member is behind",
   .read = peers_lag},
  {.metric = "wormhole_raft_member_last_contact_seconds", .unit = U::milliseconds,
   .help = "On the leader: how long ago a member last answered", .read = peers_silence},

  // --- CPU and the process
  {.section = I::cpu, .field = "used_cpu_sys", .read = [](const S&) -> Text { return seconds_text(cpu_times().system_us); }},
  {.section = I::cpu, .field = "used_cpu_user", .read = [](const S&) -> Text { return seconds_text(cpu_times().user_us); }},
  {.metric = "process_cpu_seconds_total", .type = M::counter, .unit = U::microseconds,
   .help = "Total user and system CPU time spent in seconds",
   .read = [](const S&) { return number(cpu_times().system_us + cpu_times().user_us); }},
  {.metric = "process_virtual_memory_bytes", .unit = U::bytes, .help = "Virtual memory size in bytes",
   .read = [](const S&) { return number(virtual_bytes()); }},
  {.metric = "process_open_fds", .help = "Number of open file descriptors",
   .read = [](const S&) { return number(open_descriptors()); }},
  {.metric = "process_max_fds", .help = "Maximum number of open file descriptors",
   .read = [](const S&) { return number(max_descriptors()); }},
  {.metric = "process_start_time_seconds", .unit = U::seconds,
   .help = "Start time of the process since unix epoch in seconds",
   .read = [](const S& s) { return number(s.started_unix_s); }},

  // --- Keyspace
  {.section = I::keyspace, .field = "keys", .metric = "wormhole_keys", .help = "Keys",
   .read = [](const S& s) { return number(s.node.machine().key_count()); }},
  {.section = I::keyspace, .field = "queues", .metric = "wormhole_queues", .help = "Queues that hold an event",
   .read = [](const S& s) { return number(s.node.machine().queue_count()); }},
  {.section = I::keyspace, .field = "events", .metric = "wormhole_queue_events", .help = "Events in all queues",
   .read = [](const S& s) { return number(s.node.machine().event_count()); }},

  // --- by name only
  {.section = I::commandstats, .read = command_lines},
  {.section = I::httpstats, .read = http_lines},
};
// clang-format on

}  // namespace

std::span<const Figure> figure_table() { return kTable; }

}  // namespace wh
