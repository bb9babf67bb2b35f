#include "config/option_table.h"

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include "base/cluster_version.h"
#include "base/log.h"
#include "base/nearest.h"
#include "config/glob_pattern.h"
#include "config/option_checks.h"
#include "config/option_values.h"

namespace wh::config {
namespace {

constexpr size_t kMaxTextSize = 4095;  // PATH_MAX - 1; no other text is this long
constexpr uint64_t kKb = uint64_t{1} << 10;
constexpr uint64_t kMb = uint64_t{1} << 20;
constexpr uint64_t kGb = uint64_t{1} << 30;
constexpr uint64_t kMaxPort = 65535;
constexpr uint64_t kHourMs = 3'600'000;
constexpr uint64_t kOff = UINT64_MAX;  // -1 once converted to a signed field

template <auto Member>
constexpr NumberField number() {
  return {[](Options& options, uint64_t value) {
            using T = std::remove_reference_t<decltype(options.*Member)>;
            options.*Member = static_cast<T>(value);
          },
          [](const Options& options) { return static_cast<uint64_t>(options.*Member); }};
}

// Sections.
constexpr std::string_view kNetwork = "NETWORK";
constexpr std::string_view kTls = "TLS";
constexpr std::string_view kGeneral = "GENERAL";
constexpr std::string_view kCluster = "CLUSTER";
constexpr std::string_view kRaft = "RAFT";
constexpr std::string_view kDurability = "DURABILITY";
constexpr std::string_view kClients = "CLIENTS";
constexpr std::string_view kLimits = "LIMITS";
constexpr std::string_view kSecurity = "SECURITY";

using O = Options;
using T = OptionType;
using P = OptionPart;

// clang-format off
const OptionSpec kTable[] = {
  {.section = kNetwork, .name = "bind", .type = T::list, .field = &O::bind,
   .doc = "addresses all ports listen on; '-' before one: no error where it is not available",
   .min = 1, .max = 16, .check = check_bind_address},
  {.section = kNetwork, .name = "bind-interface", .field = &O::bind_interface,
   .doc = "in place of bind: the addresses of this network interface", .check = check_interface_name},
  {.section = kNetwork, .name = "port", .type = T::integer, .field = number<&O::port>(),
   .doc = "HTTP; 0 turns it off", .max = kMaxPort, .seed_environment = "HTTP_SERVER_PORT"},
  {.section = kNetwork, .name = "raft-port", .type = T::integer, .field = number<&O::raft_port>(),
   .doc = "the other members of the cluster", .min = 1, .max = kMaxPort, .seed_environment = "RAFT_SERVER_PORT"},
  {.section = kNetwork, .name = "debug-port", .type = T::integer, .field = number<&O::debug_port>(),
   .doc = "for nc, telnet and redis-cli; 0 turns it off", .max = kMaxPort},
  {.section = kNetwork, .name = "tcp-backlog", .type = T::integer, .field = number<&O::tcp_backlog>(),
   .doc = "connections that may wait to be accepted", .min = 1, .max = 65535},
  {.section = kNetwork, .name = "tcp-keepalive", .type = T::integer, .field = number<&O::tcp_keepalive_s>(),
   .doc = "seconds between probes of a silent client; 0: none", .max = 32767, .applied_by = P::listeners},
  {.section = kNetwork, .name = "timeout", .type = T::integer, .field = number<&O::timeout_s>(),
   .doc = "seconds after which an idle client is closed; 0: never", .max = 31'536'000, .applied_by = P::fronts},

  {.section = kTls, .name = "tls-port", .type = T::integer, .field = number<&O::tls_port>(),
   .doc = "HTTPS; 0 turns it off", .max = kMaxPort},
  {.section = kTls, .name = "tls-debug-port", .type = T::integer, .field = number<&O::tls_debug_port>(),
   .doc = "the debug protocol over TLS; 0 turns it off", .max = kMaxPort},
  {.section = kTls, .name = "tls-cert-file", .field = &O::tls_cert_file,
   .doc = "the server's certificate and chain (PEM)", .is_path = true},
  {.section = kTls, .name = "tls-key-file", .field = &O::tls_key_file, .doc = "its private key (PEM)",
   .is_path = true},
  {.section = kTls, .name = "tls-key-file-pass", .type = T::secret, .field = &O::tls_key_file_pass,
   .doc = "the private key's passphrase"},
  {.section = kTls, .name = "tls-ca-cert-file", .field = &O::tls_ca_cert_file,
   .doc = "the authorities whose client certificates are accepted (PEM)", .is_path = true},
  {.section = kTls, .name = "tls-auth-clients", .type = T::choice, .field = number<&O::tls_auth_clients>(),
   .doc = "whether clients of the TLS ports must show a certificate", .choices = "no|yes|optional"},
  {.section = kTls, .name = "tls-cluster", .type = T::flag, .field = number<&O::tls_cluster>(),
   .doc = "mutual TLS between the members"},

  {.section = kGeneral, .name = "dir", .field = &O::dir, .doc = "data directory; one process at a time holds it",
   .check = check_directory, .may_be_empty = false, .is_path = true, .seed_environment = "RAFT_VOLUME_DIR"},
  {.section = kGeneral, .name = "loglevel", .type = T::choice, .field = number<&O::loglevel>(),
   .doc = "the least important lines that are logged", .choices = "debug|verbose|notice|warning", .applied_by = P::log},
  {.section = kGeneral, .name = "log-format", .type = T::choice, .field = number<&O::log_format>(),
   .doc = "how a line of the log looks: as Redis's, or as key=value pairs", .choices = "plain|logfmt",
   .applied_by = P::log},
  {.section = kGeneral, .name = "logfile", .field = &O::logfile, .doc = "where the log goes; empty: standard output",
   .is_path = true},
  {.section = kGeneral, .name = "pidfile", .field = &O::pidfile, .doc = "where to write the process id; empty: nowhere",
   .is_path = true},
  {.section = kGeneral, .name = "daemonize", .type = T::flag, .field = number<&O::daemonize>(),
   .doc = "run in the background"},
  {.section = kGeneral, .name = "supervised", .type = T::choice, .field = number<&O::supervised>(),
   .doc = "which service manager is told how this process fares", .choices = "no|systemd|auto"},
  {.section = kGeneral, .name = "include", .type = T::include, .field = {}, .doc = "reads another config file here"},

  {.section = kCluster, .name = "node-id", .field = &O::node_id,
   .doc = "this node's name in the cluster; empty: host name and raft port", .check = check_node_id,
   .seed_environment = "RAFT_NODE_ID"},
  {.section = kCluster, .name = "join", .type = T::list, .field = &O::join,
   .doc = "host:raft-port of members, separated by spaces", .max = 64, .check = check_join_address},
  {.section = kCluster, .name = "bootstrap-expect", .type = T::integer, .field = number<&O::bootstrap_expect>(),
   .doc = "how many empty nodes must be there to found a cluster; 0: those that join names, with this one", .max = 64},
  {.section = kCluster, .name = "version-limit", .type = T::integer, .field = number<&O::version_limit>(),
   .doc = "the highest version of the cluster that this node takes part in; 0: all that this program can do",
   .max = kLatestVersion},
  {.section = kCluster, .name = "announce-address", .field = &O::announce_address,
   .doc = "the host that peers and redirected clients are told; empty: from bind", .check = check_announce_address},
  {.section = kCluster, .name = "announce-port", .type = T::integer, .field = number<&O::announce_port>(),
   .doc = "the HTTP port that clients are told; 0: port", .max = kMaxPort},
  {.section = kCluster, .name = "announce-tls-port", .type = T::integer, .field = number<&O::announce_tls_port>(),
   .doc = "the HTTPS port that clients are told; 0: tls-port", .max = kMaxPort},
  {.section = kCluster, .name = "announce-raft-port", .type = T::integer, .field = number<&O::announce_raft_port>(),
   .doc = "the port that peers are told; 0: raft-port", .max = kMaxPort},

  {.section = kRaft, .name = "raft-heartbeat-interval", .type = T::integer,
   .field = number<&O::raft_heartbeat_interval_ms>(), .doc = "milliseconds between a leader's heartbeats",
   .min = 1, .max = 60'000},
  {.section = kRaft, .name = "raft-election-timeout", .type = T::integer,
   .field = number<&O::raft_election_timeout_ms>(),
   .doc = "milliseconds; without a leader for one to two times this: an election", .min = 2, .max = 600'000},
  {.section = kRaft, .name = "raft-snapshot-entries", .type = T::integer, .field = number<&O::raft_snapshot_entries>(),
   .doc = "a snapshot after this many log entries", .min = 1, .max = 1'000'000'000, .applied_by = P::node},
  {.section = kRaft, .name = "raft-snapshot-bytes", .type = T::memory, .field = number<&O::raft_snapshot_bytes>(),
   .doc = "or after this much log, whichever comes first", .min = kKb, .max = 1024 * kGb, .applied_by = P::node},
  {.section = kRaft, .name = "raft-snapshot-rate", .type = T::memory, .field = number<&O::raft_snapshot_rate>(),
   .doc = "bytes a second of snapshots sent to other members; 0: no limit", .max = 1024 * kGb, .applied_by = P::node},
  {.section = kRaft, .name = "raft-log-cache", .type = T::memory, .field = number<&O::raft_log_cache_bytes>(),
   .doc = "log entries kept in memory", .min = kKb, .max = 64 * kGb},
  {.section = kRaft, .name = "raft-max-uncommitted", .type = T::memory,
   .field = number<&O::raft_max_uncommitted_bytes>(), .doc = "beyond this much in flight a write is refused with 503",
   .min = kKb, .max = 64 * kGb, .applied_by = P::node},

  {.section = kDurability, .name = "appendfsync", .type = T::choice, .field = number<&O::appendfsync>(),
   .doc = "when acknowledged entries are on disk", .choices = "always|everysec|no"},

  {.section = kClients, .name = "follower-writes", .type = T::choice, .field = number<&O::follower_writes>(),
   .doc = "what a follower does with a write", .choices = "auto|forward|redirect", .applied_by = P::use},
  {.section = kClients, .name = "read-consistency", .type = T::choice, .field = number<&O::read_consistency>(),
   .doc = "the default of a read", .choices = "linearizable|stale", .applied_by = P::use},
  {.section = kClients, .name = "request-timeout", .type = T::integer, .field = number<&O::request_timeout_ms>(),
   .doc = "milliseconds after which a pending request is answered 503 or 504", .min = 1, .max = kHourMs,
   .applied_by = P::node},

  {.section = kLimits, .name = "maxclients", .type = T::integer, .field = number<&O::maxclients>(),
   .doc = "clients connected at the same time", .min = 1, .max = 1'000'000, .applied_by = P::descriptors},
  {.section = kLimits, .name = "max-waiting", .type = T::integer, .field = number<&O::max_waiting>(),
   .doc = "requests that wait for something to happen, and streams", .min = 1, .max = 1'000'000, .applied_by = P::node},
  {.section = kLimits, .name = "watch-history", .type = T::memory, .field = number<&O::watch_history_bytes>(),
   .doc = "memory for the last changes of keys, from which watches resume", .max = UINT64_MAX, .applied_by = P::node},
  // A write travels between members in one frame of at most 8 MiB, encoded.
  {.section = kLimits, .name = "http-max-body", .type = T::memory, .field = number<&O::http_max_body_bytes>(),
   .doc = "a larger request body is refused with 413", .min = 1, .max = 4 * kMb, .applied_by = P::fronts},
  {.section = kLimits, .name = "client-buffer-limit", .type = T::memory, .field = number<&O::client_buffer_limit_bytes>(),
   .doc = "memory that all clients together may hold, in and out; 0: no limit", .max = UINT64_MAX, .applied_by = P::buffers},
  {.section = kLimits, .name = "slowlog-log-slower-than", .type = T::integer,
   .field = number<&O::slowlog_slower_than_us>(),
   .doc = "microseconds from which on SLOWLOG keeps a request; 0: every one; -1: none", .max = 3'600'000'000,
   .may_be_off = true, .applied_by = P::use},
  {.section = kLimits, .name = "slowlog-max-len", .type = T::integer, .field = number<&O::slowlog_max_len>(),
   .doc = "how many requests SLOWLOG keeps", .max = 100'000, .applied_by = P::use},
  {.section = kLimits, .name = "maxmemory", .type = T::memory, .field = number<&O::maxmemory_bytes>(),
   .doc = "data beyond this is refused with 507; 0: no limit", .max = UINT64_MAX, .applied_by = P::node},
  {.section = kLimits, .name = "min-free-disk", .type = T::memory, .field = number<&O::min_free_disk_bytes>(),
   .doc = "with less free on the disk, what adds data is refused with 507; 0: no limit", .max = 1024 * kGb,
   .applied_by = P::node},

  {.section = kSecurity, .name = "protected-mode", .type = T::flag, .field = number<&O::protected_mode>(),
   .doc = "without authentication only loopback is served", .applied_by = P::use},
  {.section = kSecurity, .name = "requirepass", .type = T::secret, .field = &O::requirepass,
   .doc = "the password of clients; empty: none", .applied_by = P::fronts},
  {.section = kSecurity, .name = "cluster-secret", .type = T::secret, .field = &O::cluster_secret,
   .doc = "the secret that members prove to each other; empty: none"},
  {.section = kSecurity, .name = "allowed-hosts", .type = T::list, .field = &O::allowed_hosts,
   .doc = "further names a Host header may carry when there is no password", .max = 256, .check = check_allowed_host,
   .applied_by = P::use},
  {.section = kSecurity, .name = "get-writes", .type = T::choice, .field = number<&O::get_writes>(),
   .doc = "who may write with GET on /set, /remove and /join", .choices = "loopback|yes|no", .applied_by = P::use},
};
// clang-format on

std::vector<std::string_view> split_choices(std::string_view choices) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t bar = choices.find('|');
    parts.push_back(choices.substr(0, bar));
    if (bar == std::string_view::npos) return parts;
    choices.remove_prefix(bar + 1);
  }
}

std::string quoted_name(std::string_view name) { return "'" + std::string(name) + "'"; }

// "yes or no", "always, everysec or no".
std::string enumerate(const std::vector<std::string_view>& choices) {
  std::string out;
  for (size_t i = 0; i < choices.size(); ++i) {
    if (i != 0) out += i + 1 == choices.size() ? " or " : ", ";
    out += choices[i];
  }
  return out;
}

Status assign_number(Options& options, const OptionSpec& spec, std::string_view word) {
  const NumberField& field = std::get<NumberField>(spec.field);
  std::optional<uint64_t> value;
  std::string expected;
  if (spec.type == OptionType::flag || spec.type == OptionType::choice) {
    const std::vector<std::string_view> choices =
        split_choices(spec.type == OptionType::flag ? "no|yes" : spec.choices);
    const auto found = std::find(choices.begin(), choices.end(), to_lower(word));
    if (found != choices.end()) value = static_cast<uint64_t>(found - choices.begin());
    expected = enumerate(choices);
  } else if (spec.type == OptionType::memory) {
    value = parse_memory(word);
    expected = "a size such as 1mb (units: kb, mb, gb)";
    expected += spec.max == UINT64_MAX
                    ? ""
                    : ", from " + (spec.min == 0 ? "0" : format_memory(spec.min)) + " to " + format_memory(spec.max);
  } else {
    value = parse_unsigned(word);
    expected = "a whole number from " + std::to_string(spec.min) + " to " + std::to_string(spec.max) +
               (spec.may_be_off ? ", or -1" : "");
  }
  if (spec.may_be_off && word == "-1") {
    field.set(options, kOff);
    return ok_status();
  }
  const bool ranged = spec.type == OptionType::integer || spec.type == OptionType::memory;
  if (!value || (ranged && (*value < spec.min || *value > spec.max)))
    return Error{quoted_name(spec.name) + " must be " + expected};
  field.set(options, *value);
  return ok_status();
}

Status assign_text(Options& options, const OptionSpec& spec, const std::string& word) {
  if (word.empty() && !spec.may_be_empty) return Error{quoted_name(spec.name) + " must not be empty"};
  if (!word.empty() && spec.check != nullptr) {
    if (const Status status = spec.check(word); !status) return Error{quoted_name(spec.name) + " " + status.error()};
  }
  options.*std::get<TextField>(spec.field) = word;
  return ok_status();
}

Status assign_list(Options& options, const OptionSpec& spec, std::span<const std::string> words) {
  std::vector<std::string> values;
  // A word may hold several values, as in `join "a:1 b:1"`.
  for (const std::string& word : words) {
    for (std::string& value : split_blanks(word)) values.push_back(std::move(value));
  }
  if (values.size() < spec.min) return Error{quoted_name(spec.name) + " must not be empty"};
  if (values.size() > spec.max)
    return Error{quoted_name(spec.name) + " takes at most " + std::to_string(spec.max) + " values"};
  for (size_t i = 0; i < values.size(); ++i) {
    const Status status = spec.check(values[i]);
    if (status) continue;
    // Without the value: it may be a secret in the wrong place.
    std::string which;
    if (values.size() > 1)
      which = "; value " + std::to_string(i + 1) + " of " + std::to_string(values.size()) + " is not";
    return Error{quoted_name(spec.name) + " " + status.error() + which};
  }
  options.*std::get<ListField>(spec.field) = std::move(values);
  return ok_status();
}

}  // namespace

std::span<const OptionSpec> option_table() { return kTable; }

const OptionSpec* find_option(std::string_view name) {
  const std::string wanted = to_lower(name);
  for (const OptionSpec& spec : kTable) {
    if (spec.name == wanted) return &spec;
  }
  return nullptr;
}

std::string_view nearest_option(std::string_view name) {
  Nearest nearest(name);
  for (const OptionSpec& spec : kTable) nearest.consider(spec.name);
  return nearest.found();
}

std::string shown_name(std::string_view name) {
  constexpr size_t kShown = 64;
  size_t end = 0;
  while (end < name.size() && is_name_character(name[end])) ++end;
  const std::string lower = to_lower(name.substr(0, end));
  for (const OptionSpec& spec : kTable)
    if (spec.type == OptionType::secret && lower.starts_with(spec.name)) end = spec.name.size();
  // Shows a word that is no name at all, so that it can be found; hides what follows a name that hides its value.
  if (end == name.size() || end == 0 || !hides_value(name.substr(0, end))) end = name.size();
  const bool cut = end < name.size();
  return printable(name.substr(0, std::min(end, kShown))) + (cut ? std::string(kSecretMask) : "");
}

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool hides_value(std::string_view name) {
  const OptionSpec* spec = find_option(name);
  if (spec != nullptr) return spec->type == OptionType::secret;
  const std::string lower = to_lower(name);
  if (lower.find("pass") != std::string::npos || lower.find("secret") != std::string::npos) return true;
  const OptionSpec* nearest = find_option(nearest_option(name));
  return nearest != nullptr && nearest->type == OptionType::secret;
}

Status assign_option(Options& options, const OptionSpec& spec, std::span<const std::string> words) {
  WH_ASSERT(spec.type != OptionType::include, "include is the loader's");
  if (words.empty()) return Error{quoted_name(spec.name) + " needs a value (\"\" is an empty one)"};
  for (const std::string& word : words) {
    if (word.find('\0') != std::string::npos) return Error{quoted_name(spec.name) + " must not contain a NUL byte"};
    if (word.size() > kMaxTextSize)
      return Error{quoted_name(spec.name) + " must be at most " + std::to_string(kMaxTextSize) + " bytes long"};
  }
  if (spec.type == OptionType::list) return assign_list(options, spec, words);
  if (words.size() > 1)
    return Error{quoted_name(spec.name) + " takes one value, not " + std::to_string(words.size()) +
                 "; quote a value that contains blanks, and put a comment on a line of its own"};
  Options changed = options;
  const bool is_text = spec.type == OptionType::text || spec.type == OptionType::secret;
  Status status = is_text ? assign_text(changed, spec, words[0]) : assign_number(changed, spec, words[0]);
  if (!status) return status;
  options = std::move(changed);
  return ok_status();
}

std::vector<std::string> option_words(const OptionSpec& spec, std::string_view value) {
  if (spec.type != OptionType::list) return {std::string(value)};
  std::vector<std::string> words = split_blanks(value);
  if (words.empty()) words.emplace_back();
  return words;
}

std::string option_text(const Options& options, const OptionSpec& spec) {
  if (const auto* text = std::get_if<TextField>(&spec.field)) {
    const std::string& value = options.**text;
    return spec.type == OptionType::secret && !value.empty() ? std::string(kSecretMask) : value;
  }
  if (const auto* list = std::get_if<ListField>(&spec.field)) {
    std::string out;
    for (const std::string& value : options.**list) {
      if (!out.empty()) out += ' ';
      out += value;
    }
    return out;
  }
  const auto* field = std::get_if<NumberField>(&spec.field);
  if (field == nullptr) return {};
  const uint64_t value = field->get(options);
  if (spec.type == OptionType::flag) return value != 0 ? "yes" : "no";
  if (spec.type == OptionType::choice) return std::string(split_choices(spec.choices).at(value));
  return spec.may_be_off && value == kOff ? "-1" : std::to_string(value);
}

std::string default_text(const OptionSpec& spec) {
  if (spec.type == OptionType::include) return {};
  const Options defaults;
  if (spec.type == OptionType::memory) return format_memory(std::get<NumberField>(spec.field).get(defaults));
  const std::string text = option_text(defaults, spec);
  return text.empty() ? "\"\"" : text;
}

void make_paths_absolute(Options& options, const std::string& start) {
  for (const OptionSpec& spec : kTable) {
    if (!spec.is_path) continue;
    std::string& path = options.*std::get<TextField>(spec.field);
    if (!path.empty() && path[0] != '/') path = start + "/" + path;
  }
}

std::vector<std::pair<std::string, std::string>> get_options(const Options& options, std::string_view pattern) {
  std::vector<std::pair<std::string, std::string>> found;
  for (const OptionSpec& spec : kTable) {
    if (spec.type == OptionType::include || !glob_matches(pattern, spec.name)) continue;
    found.emplace_back(spec.name, option_text(options, spec));
  }
  return found;
}

Status set_option(Options& options, std::string_view name, std::string_view value) {
  const OptionSpec* spec = find_option(name);
  if (spec == nullptr) {
    const std::string_view nearest = nearest_option(name);
    return Error{"unknown directive " + quoted_name(shown_name(name)) +
                 (nearest.empty() ? "" : "; did you mean " + quoted_name(nearest) + "?")};
  }
  if (!spec->changeable())
    return Error{quoted_name(spec->name) + " cannot be changed at run time: change the config file and restart"};
  Options changed = options;
  if (Status status = assign_option(changed, *spec, option_words(*spec, value)); !status) return status;
  if (const std::vector<OptionProblem> problems = check_options(changed); !problems.empty())
    return Error{problems.front().message};
  options = std::move(changed);
  return ok_status();
}

}  // namespace wh::config
