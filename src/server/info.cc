#include "server/info.h"

#include <cstdio>
#include <string_view>
#include <unistd.h>

#include <sqlite3.h>
#include <uv.h>

#include "base/log.h"
#include "net/tls_context.h"
#include "server/member_view.h"
#include "server/option_table.h"

namespace wh {
namespace {

class Text {
 public:
  void field(std::string_view name, std::string_view value) {
    out += name;
    out += ':';
    out += value;
    out += "\r\n";
  }
  void field(std::string_view name, uint64_t value) { field(name, std::to_string(value)); }
  std::string out;
};

uint64_t resident_bytes() {
  size_t bytes = 0;
  return uv_resident_set_memory(&bytes) == 0 ? bytes : 0;
}

std::string option(const InfoSources& s, std::string_view name) { return option_text(s.options, *find_option(name)); }

void tls(const InfoSources& s, Text& t) {
  const net::TlsMaterial* const material = s.certificates.material();
  if (material == nullptr) return;
  const int64_t now = net::seconds_since_1970();
  const auto validity = [&](const std::string& what, const net::TlsValidity& v) {
    t.field(what + "_not_after", net::utc_text(v.ends));
    t.field(what + "_days_left", std::to_string(days_until(v.ends, now)));
  };
  validity("tls_cert", material->cert_validity());
  if (material->has_ca()) validity("tls_ca", material->ca_validity());
  std::string peers;
  for (const auto& [name, ends] : s.peer_cert_ends)
    peers += (peers.empty() ? "" : ",") + printable(name) + "=" + std::to_string(days_until(ends, now));
  if (!peers.empty()) t.field("tls_peer_certs_days_left", peers);
  t.field("tls_reloads", s.certificates.reloads());
  t.field("tls_last_reload", s.certificates.reloads() == 0           ? "none"
                             : s.certificates.reload_error().empty() ? "ok"
                                                                     : "failed");
  t.field("tls_handshakes_failed", s.handshakes_failed);
}

void server(const InfoSources& s, Text& t) {
  t.field("wormhole_version", WORMHOLE_VERSION);
  t.field("process_id", static_cast<uint64_t>(getpid()));
  t.field("uptime_in_seconds", (s.loop.now() - s.started_at) / 1000);
  t.field("http_port", uint64_t{s.options.port});
  t.field("https_port", uint64_t{s.options.tls_port});
  t.field("raft_port", uint64_t{s.options.raft_port});
  t.field("debug_port", uint64_t{s.options.debug_port});
  t.field("libuv_version", uv_version_string());
  t.field("sqlite_version", sqlite3_libversion());
  t.field("tls_library", net::tls_library_version() + " (its branch gets no fixes any more)");
  tls(s, t);
  t.field("log_lines_dropped", s.log_lines_dropped);
}

void clients(const InfoSources& s, Text& t) {
  t.field("connected_clients", s.http.connections() + s.debug_connections);
  t.field("http_clients", s.http.connections());
  t.field("debug_clients", s.debug_connections);
  t.field("maxclients", s.options.maxclients);
  t.field("pending_requests", s.node.pending());
}

void memory(const InfoSources& s, Text& t) {
  t.field("used_memory_rss", resident_bytes());
  t.field("used_memory_dataset", s.node.machine().logical_bytes());
  t.field("log_cache_bytes", s.node.raft() != nullptr ? s.node.raft()->log().cached_bytes() : 0);
  t.field("snapshot_kept_bytes", s.node.machine().snapshot_kept_bytes());
}

void persistence(const InfoSources& s, Text& t) {
  t.field("dir", printable(s.storage.directory()));
  t.field("appendfsync", option(s, "appendfsync"));
  t.field("acknowledged_means", s.options.appendfsync == AppendFsync::always
                                    ? "on the disks of a majority"
                                    : "received by a majority; a power failure may lose the last moments");
  t.field("batches_persisted", s.node.counters().batches_persisted);
  t.field("sync_age_ms", s.storage.sync_age());
  t.field("snapshot_in_progress", s.node.snapshot_in_progress() ? 1 : 0);
  t.field("snapshots_taken", s.node.counters().snapshots_taken);
  t.field("snapshots_installed", s.node.counters().snapshots_installed);
}

void stats(const InfoSources& s, Text& t) {
  t.field("total_connections_received", s.http.counters().connections + s.debug_accepted);
  t.field("total_http_requests", s.http.counters().requests);
  for (int hundred = 2; hundred < 6; ++hundred)
    t.field("http_answers_" + std::to_string(hundred) + "xx", s.http.counters().answers[hundred]);
  t.field("total_commands_processed", s.debug.commands);
  t.field("debug_protocol_errors", s.debug.protocol_errors);
  t.field("debug_foreign_protocols", s.debug.foreign);
  t.field("http_foreign_protocols", s.http.counters().foreign);
  t.field("wrong_passwords", s.http.counters().wrong_passwords + s.debug.failed_auth);
  t.field("proposals", s.node.counters().proposals);
  t.field("forwarded", s.node.counters().forwarded);
  t.field("reads", s.node.counters().reads);
  t.field("read_rounds", s.node.counters().read_batches);
  t.field("loop_turns", s.loop.stats().turns);
  t.field("loop_longest_turn_us", s.loop.stats().longest_turn_us);
  t.field("loop_longest_lag_ms", s.loop.stats().longest_lag_ms);
}

void raft(const InfoSources& s, Text& t) {
  const node::Identity identity = s.node.identity();
  t.field("cluster_id", identity.cluster == node::kNoCluster ? "" : node::to_hex(identity.cluster));
  t.field("node_id", identity.name);
  t.field("role", role_name(s.node));
  const raft::Raft* raft = s.node.raft();
  t.field("term", raft != nullptr ? raft->current_term().value : 0);
  t.field("leader_id", s.node.leader() != nullptr ? s.node.leader()->name : "");
  t.field("commit_index", raft != nullptr ? raft->commit_index().value : 0);
  t.field("applied_index", s.node.machine().applied().value);
  t.field("last_log_index", raft != nullptr ? raft->log().last_index().value : 0);
  t.field("first_log_index", raft != nullptr ? raft->log().first_index().value : 0);
  t.field("durable_index", raft != nullptr ? raft->durable_index().value : 0);
  t.field("snapshot_index", raft != nullptr && raft->snapshot() ? raft->snapshot()->index.value : 0);
  t.field("leader_changes", s.node.counters().leader_changes);
  t.field("elections_started", raft != nullptr ? raft->elections() : 0);
  char digest[17];
  std::snprintf(digest, sizeof digest, "%016lx", s.node.machine().digest());
  t.field("state_digest", digest);
  if (!s.node.waiting_for().empty()) t.field("waiting_for", printable(s.node.waiting_for()));
  size_t voters = 0;
  const std::vector<MemberView> members = member_views(s.node);
  for (const MemberView& member : members) voters += member.voter ? 1 : 0;
  t.field("members", members.size());
  t.field("voters", voters);
  t.field("tolerates", voters == 0 ? 0 : (voters - 1) / 2);
}

void keyspace(const InfoSources& s, Text& t) {
  t.field("keys", s.node.machine().key_count());
  t.field("queues", s.node.machine().queue_count());
  t.field("events", s.node.machine().event_count());
}

struct Section {
  std::string_view name;   // as asked for
  std::string_view title;  // as shown
  void (*write)(const InfoSources&, Text&);
};
constexpr Section kSections[] = {
    {"server", "Server", server},       {"clients", "Clients", clients},
    {"memory", "Memory", memory},       {"persistence", "Persistence", persistence},
    {"stats", "Stats", stats},          {"raft", "Raft", raft},
    {"keyspace", "Keyspace", keyspace},
};

}  // namespace

std::string info_text(const InfoSources& sources, const std::string& section) {
  const bool all = section.empty() || section == "all" || section == "default" || section == "everything";
  Text text;
  for (const Section& s : kSections) {
    if (!all && section != s.name) continue;
    if (!text.out.empty()) text.out += "\r\n";
    text.out += "# " + std::string(s.title) + "\r\n";
    s.write(sources, text);
  }
  return text.out;
}

}  // namespace wh
