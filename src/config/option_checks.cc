#include "config/option_checks.h"

#include <cstddef>

#include "base/utf8.h"
#include "config/option_values.h"

namespace wh::config {
namespace {

struct Port {
  std::string_view name;
  uint16_t number;
};

void check_ports(const Options& options, std::vector<OptionProblem>& problems) {
  const Port ports[] = {{"port", options.port},
                        {"tls-port", options.tls_port},
                        {"raft-port", options.raft_port},
                        {"debug-port", options.debug_port},
                        {"tls-debug-port", options.tls_debug_port}};
  for (const Port& a : ports) {
    for (const Port& b : ports) {
      if (&b <= &a || a.number == 0 || a.number != b.number) continue;
      problems.push_back({{b.name, a.name},
                          "'" + std::string(a.name) + "' and '" + std::string(b.name) + "' must differ, both are " +
                              std::to_string(a.number)});
    }
  }
}

void check_tls(const Options& options, std::vector<OptionProblem>& problems) {
  for (const auto& [name, number] :
       {Port{"tls-port", options.tls_port}, Port{"tls-debug-port", options.tls_debug_port}}) {
    if (number == 0) continue;
    const std::string quoted = "'" + std::string(name) + "'";
    if (options.tls_cert_file.empty()) problems.push_back({{name}, quoted + " needs 'tls-cert-file'"});
    if (options.tls_key_file.empty()) problems.push_back({{name}, quoted + " needs 'tls-key-file'"});
  }
  if (options.tls_cluster &&
      (options.tls_cert_file.empty() || options.tls_key_file.empty() || options.tls_ca_cert_file.empty()))
    problems.push_back({{"tls-cluster"},
                        "'tls-cluster' needs 'tls-cert-file', 'tls-key-file' and 'tls-ca-cert-file', the authority "
                        "that signed the certificates of all members"});
  if (options.tls_auth_clients != TlsAuthClients::no) {
    if (options.tls_ca_cert_file.empty()) {
      problems.push_back(
          {{"tls-auth-clients"},
           "'tls-auth-clients' needs 'tls-ca-cert-file', the authority whose certificates are accepted"});
    }
    // The operator takes it for access control: without effect, it must not be accepted silently.
    if (!options.tls_for_clients()) {
      problems.push_back({{"tls-auth-clients", "tls-port", "tls-debug-port"},
                          "'tls-auth-clients' has no effect while 'tls-port' and 'tls-debug-port' are 0: set one of "
                          "them, or 'tls-auth-clients no'"});
    }
  }
}

void check_raft(const Options& options, std::vector<OptionProblem>& problems) {
  // With fewer than two heartbeats per election timeout, one lost packet would start an election.
  if (options.raft_election_timeout_ms < 2 * options.raft_heartbeat_interval_ms) {
    problems.push_back(
        {{"raft-election-timeout", "raft-heartbeat-interval"},
         "'raft-election-timeout' must be at least twice 'raft-heartbeat-interval', ten times is better: it is " +
             std::to_string(options.raft_election_timeout_ms) + " with heartbeats every " +
             std::to_string(options.raft_heartbeat_interval_ms) + " milliseconds"});
  }
  // An entry is a body and a little more; one larger than the bytes allowed uncommitted could never be written.
  if (options.raft_max_uncommitted_bytes < 2 * options.http_max_body_bytes) {
    problems.push_back({{"raft-max-uncommitted", "http-max-body"},
                        "'raft-max-uncommitted' must be at least twice 'http-max-body' (" +
                            format_memory(options.http_max_body_bytes) + ")"});
  }
}

void check_limits(const Options& options, std::vector<OptionProblem>& problems) {
  // Near the limit large requests wait: still, several of them and many small ones must fit.
  if (options.client_buffer_limit_bytes != 0 && options.client_buffer_limit_bytes < 8 * options.http_max_body_bytes) {
    problems.push_back({{"client-buffer-limit", "http-max-body"},
                        "'client-buffer-limit' must be 0 or at least eight times 'http-max-body' (" +
                            format_memory(options.http_max_body_bytes) + ")"});
  }
}

void check_service(const Options& options, std::vector<OptionProblem>& problems) {
  if (options.daemonize && options.supervised == Supervised::systemd) {
    problems.push_back(
        {{"daemonize", "supervised"},
         "'daemonize' must be 'no' with 'supervised systemd', which follows the process that it started"});
  }
}

constexpr size_t kShortSecret = 16;

bool is_loopback(std::string_view address) {
  if (address.starts_with('-')) address.remove_prefix(1);
  return address == "::1" || (address.starts_with("127.") && is_ipv4_literal(address));
}

bool only_loopback(const Options& options) {
  if (!options.bind_interface.empty()) return options.bind_interface == "lo";
  for (const std::string& address : options.bind) {
    if (!is_loopback(address)) return false;
  }
  return true;
}

}  // namespace

std::vector<OptionProblem> check_options(const Options& options) {
  std::vector<OptionProblem> problems;
  check_ports(options, problems);
  check_tls(options, problems);
  check_raft(options, problems);
  check_limits(options, problems);
  check_service(options, problems);
  return problems;
}

std::vector<std::string> option_notices(const Options& options) {
  std::vector<std::string> notices;
  if (options.appendfsync != AppendFsync::always) {
    notices.emplace_back(std::string("appendfsync is '") +
                         (options.appendfsync == AppendFsync::everysec ? "everysec" : "no") +
                         "': a write may be acknowledged before it is on the disks of a majority, and a power failure "
                         "may lose it");
  }
  if (options.daemonize && options.logfile.empty() && options.supervised != Supervised::systemd)
    notices.emplace_back(
        "daemonize is 'yes' and there is no 'logfile': once the server is in the background its log is lost");
  // The listener proves first, so anybody who can connect gets a proof against which to test guesses at any speed.
  if (!options.cluster_secret.empty() && options.cluster_secret.size() < kShortSecret)
    notices.emplace_back("cluster-secret is short: whoever reaches 'raft-port' can find it by trying; make it " +
                         std::to_string(kShortSecret) + " random characters or more");
  if (only_loopback(options)) return notices;
  const bool clients_unknown = options.requirepass.empty() && options.tls_auth_clients != TlsAuthClients::yes;
  const bool peers_unknown = options.cluster_secret.empty() && !options.tls_cluster;
  if (options.protected_mode) {
    if (clients_unknown)
      notices.emplace_back(
          "'bind' is open to other machines and there is no 'requirepass': protected mode refuses clients that are not "
          "on "
          "this machine, with 403; set 'requirepass', or 'tls-auth-clients yes' and 'port 0'");
    if (peers_unknown)
      notices.emplace_back(
          "'bind' is open to other machines and there is no 'cluster-secret': protected mode refuses members that are "
          "not "
          "on this machine; set 'cluster-secret' on every node, or 'tls-cluster yes'");
  } else {
    if (clients_unknown)
      notices.emplace_back(
          "protected-mode is 'no' and there is no 'requirepass': whoever reaches the ports can read and change the "
          "data");
    if (peers_unknown)
      notices.emplace_back(
          "protected-mode is 'no' and there is neither 'cluster-secret' nor 'tls-cluster': whoever reaches 'raft-port' "
          "can act as a member of "
          "the cluster; let only the members reach it");
  }
  return notices;
}

std::string default_node_id(std::string_view hostname, uint16_t raft_port) {
  constexpr size_t kMaxHostPart = 120;  // with ":65535" within the longest node id
  std::string id;
  while (!hostname.empty()) {
    const size_t length = utf8_sequence(hostname);
    const std::string_view sequence = hostname.substr(0, length == 0 ? 1 : length);
    const std::string_view part = check_node_id("x" + std::string(sequence)) ? sequence : std::string_view("-");
    if (id.size() + part.size() > kMaxHostPart) break;
    id += part;
    hostname.remove_prefix(sequence.size());
  }
  if (id.empty()) id = "localhost";
  return id + ":" + std::to_string(raft_port);
}

}  // namespace wh::config
