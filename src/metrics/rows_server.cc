// The rows of INFO's section Server: what runs here, its ports, its libraries, its certificates.
#include <string>
#include <unistd.h>

#include <sqlite3.h>
#include <uv.h>

#include "base/log.h"
#include "metrics/rows.h"
#include "net/tls_context.h"

namespace wh::metrics {
namespace {

using namespace rows;

// --- TLS; no figures where it is not used

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
Number days_left(Number ends) {
  return ends ? number(security::days_until(*ends, net::seconds_since_1970())) : std::nullopt;
}
Text utc(Number ends) { return ends ? Text(net::utc_text(*ends)) : std::nullopt; }
// "node2=89,node3=12"
Text tls_peer_certs(const S& s) {
  std::string text;
  for (const auto& [name, ends] : s.peer_access.cert_ends())
    text += (text.empty() ? "" : ",") + printable(name) + "=" +
            std::to_string(security::days_until(ends, net::seconds_since_1970()));
  return text.empty() ? std::nullopt : Text(text);
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
const Figure kServerRows[] = {
  {.section = I::server, .field = "wormhole_version", .read = [](const S&) -> Text { return WORMHOLE_VERSION; }},
  {.section = I::server, .field = "redis_version", .read = [](const S&) { return Text(debug::kRedisVersion); }},
  {.section = I::server, .field = "redis_mode", .read = [](const S&) -> Text { return "standalone"; }},
  {.section = I::server, .field = "process_id", .read = [](const S&) { return number(getpid()); }},
  {.section = I::server, .field = "uptime_in_seconds",
   .read = [](const S& s) { return number((s.loop.now() - s.started_at) / 1000); }},
  {.section = I::server, .field = "http_port", .read = [](const S& s) { return number(s.options.port); }},
  {.section = I::server, .field = "https_port", .read = [](const S& s) { return number(s.options.tls_port); }},
  {.section = I::server, .field = "raft_port", .read = [](const S& s) { return number(s.options.raft_port); }},
  {.section = I::server, .field = "debug_port", .read = [](const S& s) { return number(s.options.debug_port); }},
  {.section = I::server, .field = "tls_debug_port",
   .read = [](const S& s) { return number(s.options.tls_debug_port); }},
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
};
// clang-format on

}  // namespace

std::span<const Figure> server_rows() { return kServerRows; }

}  // namespace wh::metrics
