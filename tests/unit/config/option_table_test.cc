#include "config/option_table.h"

#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "../../rounds.h"
#include "base/prng.h"
#include "config/option_values.h"

using namespace wh;
using namespace wh::config;
using namespace std::string_literals;

namespace {
using Pairs = std::vector<std::pair<std::string, std::string>>;
using Words = std::vector<std::string>;

const OptionSpec& spec_of(std::string_view name) {
  const OptionSpec* spec = find_option(name);
  REQUIRE(spec != nullptr);
  return *spec;
}
Status assign(Options& options, std::string_view name, const Words& words) {
  return assign_option(options, spec_of(name), words);
}
std::string get(const Options& options, std::string_view name) { return option_text(options, spec_of(name)); }
bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }
}  // namespace

TEST_CASE("table: every directive of the contract, with its default") {
  const Pairs contract = {
      {"bind", "127.0.0.1 -::1"},
      {"bind-interface", "\"\""},
      {"port", "8080"},
      {"tls-port", "0"},
      {"tls-debug-port", "0"},
      {"tls-cert-file", "\"\""},
      {"tls-key-file", "\"\""},
      {"tls-key-file-pass", "\"\""},
      {"tls-ca-cert-file", "\"\""},
      {"tls-auth-clients", "no"},
      {"tls-cluster", "no"},
      {"raft-port", "1112"},
      {"debug-port", "1113"},
      {"node-id", "\"\""},
      {"announce-address", "\"\""},
      {"announce-port", "0"},
      {"announce-tls-port", "0"},
      {"announce-raft-port", "0"},
      {"join", "\"\""},
      {"bootstrap-expect", "0"},
      {"version-limit", "0"},
      {"dir", "./"},
      {"raft-heartbeat-interval", "50"},
      {"raft-election-timeout", "500"},
      {"raft-snapshot-entries", "100000"},
      {"raft-snapshot-bytes", "256mb"},
      {"raft-snapshot-rate", "64mb"},
      {"raft-log-cache", "16mb"},
      {"raft-max-uncommitted", "64mb"},
      {"appendfsync", "always"},
      {"follower-writes", "auto"},
      {"read-consistency", "linearizable"},
      {"request-timeout", "5000"},
      {"http-max-body", "1mb"},
      {"client-buffer-limit", "256mb"},
      {"maxclients", "10000"},
      {"max-waiting", "10000"},
      {"watch-history", "64mb"},
      {"timeout", "0"},
      {"tcp-backlog", "511"},
      {"tcp-keepalive", "300"},
      {"slowlog-log-slower-than", "10000"},
      {"slowlog-max-len", "128"},
      {"maxmemory", "0"},
      {"min-free-disk", "64mb"},
      {"requirepass", "\"\""},
      {"cluster-secret", "\"\""},
      {"protected-mode", "yes"},
      {"allowed-hosts", "\"\""},
      {"get-writes", "loopback"},
      {"loglevel", "notice"},
      {"log-format", "plain"},
      {"logfile", "\"\""},
      {"pidfile", "\"\""},
      {"daemonize", "no"},
      {"supervised", "no"},
      {"include", ""},
  };
  for (const auto& [name, value] : contract) {
    CAPTURE(name);
    CHECK(default_text(spec_of(name)) == value);
  }
  CHECK(option_table().size() == contract.size());
}

TEST_CASE("table: rows are whole, and every default can be given back to its directive") {
  std::set<std::string_view> names;
  for (const OptionSpec& spec : option_table()) {
    CAPTURE(spec.name);
    CHECK(names.insert(spec.name).second);
    CHECK_FALSE(spec.doc.empty());
    CHECK_FALSE(spec.section.empty());
    CHECK(find_option(spec.name) == &spec);
    if (spec.type == OptionType::include) continue;
    Options options;
    const std::string text = default_text(spec);
    CHECK(assign_option(options, spec, option_words(spec, text == "\"\"" ? "" : text)).ok());
    CHECK(option_text(options, spec) == option_text(Options(), spec));
  }
  CHECK(find_option("PORT") == find_option("port"));
  CHECK(find_option("prot") == nullptr);
  CHECK(find_option("") == nullptr);
}

TEST_CASE("table: good values reach their fields") {
  Options o;
  CHECK(assign(o, "port", {"65535"}).ok());
  CHECK(o.port == 65535);
  CHECK(assign(o, "raft-port", {"1"}).ok());
  CHECK(o.raft_port == 1);
  CHECK(assign(o, "bind", {"*", "-::*"}).ok());
  CHECK(o.bind == Words{"*", "-::*"});
  CHECK(assign(o, "bind", {"10.0.0.1"}).ok());
  CHECK(o.bind == Words{"10.0.0.1"});  // replaced
  CHECK(assign(o, "join", {"a:1 b:2", "[::1]:3"}).ok());
  CHECK(o.join == Words{"a:1", "b:2", "[::1]:3"});
  CHECK(assign(o, "join", {""}).ok());
  CHECK(o.join.empty());
  CHECK(assign(o, "allowed-hosts", {"a.example", "b.example"}).ok());
  CHECK(get(o, "allowed-hosts") == "a.example b.example");
  CHECK(assign(o, "tls-auth-clients", {"OPTIONAL"}).ok());
  CHECK(o.tls_auth_clients == TlsAuthClients::optional);
  CHECK(assign(o, "appendfsync", {"everysec"}).ok());
  CHECK(o.appendfsync == AppendFsync::everysec);
  CHECK(assign(o, "follower-writes", {"redirect"}).ok());
  CHECK(o.follower_writes == FollowerWrites::redirect);
  CHECK(assign(o, "read-consistency", {"stale"}).ok());
  CHECK(o.read_consistency == ReadConsistency::stale);
  CHECK(assign(o, "get-writes", {"no"}).ok());
  CHECK(o.get_writes == GetWrites::no);
  CHECK(assign(o, "loglevel", {"warning"}).ok());
  CHECK(o.loglevel == LogLevel::warning);
  CHECK(assign(o, "protected-mode", {"No"}).ok());
  CHECK_FALSE(o.protected_mode);
  CHECK(get(o, "protected-mode") == "no");
  CHECK(assign(o, "http-max-body", {"4MB"}).ok());
  CHECK(o.http_max_body_bytes == 4U << 20);
  CHECK(get(o, "http-max-body") == "4194304");
  CHECK(assign(o, "dir", {"/var/lib/worm hole"}).ok());
  CHECK(o.dir == "/var/lib/worm hole");
  CHECK(assign(o, "requirepass", {"p \xff\n"}).ok());
  CHECK(o.requirepass == "p \xff\n");
  CHECK(assign(o, "node-id", {"node1"}).ok());
  CHECK(o.node_id == "node1");
  CHECK(assign(o, "timeout", {"60"}).ok());
  CHECK(o.timeout_s == 60);
}

TEST_CASE("HAZARDS K7: wrong values are refused, name the directive, change nothing and never show the value") {
  struct Case {
    const char* name;
    Words words;
    const char* expected;
  };
  const Case cases[] = {
      {"port", {}, "needs a value"},
      {"port", {"80", "81"}, "takes one value, not 2"},
      {"port", {"hunter2"}, "whole number from 0 to 65535"},
      {"port", {"65536"}, "whole number from 0 to 65535"},
      {"port", {"-1"}, "whole number"},
      {"port", {""}, "whole number"},
      {"port", {"080"}, "whole number"},
      {"port", {"99999999999999999999999"}, "whole number"},
      {"raft-port", {"0"}, "from 1 to 65535"},
      {"maxclients", {"0"}, "from 1 to"},
      {"tcp-keepalive", {"32768"}, "from 0 to 32767"},
      {"request-timeout", {"0"}, "from 1 to 3600000"},
      {"http-max-body", {"0"}, "from 1 to 4mb"},
      {"http-max-body", {"5mb"}, "from 1 to 4mb"},
      {"http-max-body", {"1tb"}, "units: kb, mb, gb"},
      {"raft-snapshot-bytes", {"99999999999999gb"}, "a size such as 1mb"},
      {"protected-mode", {"true"}, "must be no or yes"},
      {"appendfsync", {"hunter2"}, "must be always, everysec or no"},
      {"loglevel", {"hunter2"}, "must be debug, verbose, notice or warning"},
      {"bind", {}, "needs a value"},
      {"bind", {""}, "must not be empty"},
      {"bind", {"localhost"}, "IP addresses"},
      {"bind", Words(17, "::1"), "at most 16"},
      {"join", {"a:1", "hunter2"}, "host:raft-port"},
      {"join", Words(65, "a:1"), "at most 64"},
      {"dir", {""}, "must not be empty"},
      {"dir", {std::string("hunter2\0", 8)}, "NUL"},
      {"dir", {std::string(4096, 'x')}, "at most 4095 bytes"},
      {"dir", {"hunter2", "b"}, "takes one value"},
      {"node-id", {"hunter2/b"}, "128 bytes"},
      {"bind-interface", {"hunter2 x"}, "network interface"},
      {"announce-address", {"hunter2:80"}, "without brackets, port"},
      {"allowed-hosts", {"hunter2:80"}, "without port"},
      {"requirepass", {"hunter2", "b"}, "takes one value"},
      {"requirepass", {std::string("hunter2\0", 8)}, "NUL"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    CAPTURE(c.expected);
    Options options;
    const Status status = assign(options, c.name, c.words);
    REQUIRE_FALSE(status.ok());
    CHECK(has(status.error(), c.expected));
    CHECK(has(status.error(), "'" + std::string(c.name) + "'"));
    CHECK_FALSE(has(status.error(), "hunter2"));
    CHECK(get_options(options, "*") == get_options(Options(), "*"));
  }
}

TEST_CASE("table: paths are made absolute, and nothing else is") {
  Options options;
  CHECK(assign(options, "dir", {"data"}).ok());
  CHECK(assign(options, "logfile", {"/var/log/it"}).ok());
  CHECK(assign(options, "tls-key-file", {"../key"}).ok());
  CHECK(assign(options, "node-id", {"name"}).ok());
  make_paths_absolute(options, "/start");
  CHECK(options.dir == "/start/data");
  CHECK(options.logfile == "/var/log/it");
  CHECK(options.tls_key_file == "/start/../key");
  CHECK(options.pidfile.empty());
  CHECK(options.node_id == "name");
  // Each directive that is a file or a directory by its name.
  for (const OptionSpec& spec : option_table()) {
    CAPTURE(spec.name);
    CHECK(spec.is_path == (spec.name == "dir" || spec.name.ends_with("file")));
  }
}

TEST_CASE("table: the nearest name") {
  struct Case {
    const char* given;
    const char* nearest;
  };
  for (const Case& c : {Case{"prot", "port"}, Case{"prt", "port"}, Case{"raft_port", "raft-port"}, Case{"PROT", "port"},
                        Case{"rqeuirepass", "requirepass"}, Case{"log-level", "loglevel"},
                        Case{"max-clients", "maxclients"}, Case{"tls-cert", "tls-port"}, Case{"binds", "bind"},
                        Case{"nodeid", "node-id"}, Case{"raft-heartbeat-intervall", "raft-heartbeat-interval"},
                        Case{"zzzz", ""}, Case{"", ""}, Case{"save", ""}, Case{"appendonly", ""}}) {
    CAPTURE(c.given);
    CHECK(nearest_option(c.given) == c.nearest);
  }
  CHECK(nearest_option(std::string(1000000, 'a')).empty());
}

TEST_CASE("CONFIG GET: patterns, in the order of the table, and of a secret only that there is one") {
  Options options;
  options.requirepass = "hunter2";
  CHECK(get_options(options, "port") == Pairs{{"port", "8080"}});
  CHECK(get_options(options, "PORT") == Pairs{{"port", "8080"}});
  CHECK(get_options(options, "p?rt") == Pairs{{"port", "8080"}});
  CHECK(get_options(options, "raft-[h-l]*") ==
        Pairs{{"raft-heartbeat-interval", "50"}, {"raft-log-cache", "16777216"}});
  CHECK(get_options(options, "bind") == Pairs{{"bind", "127.0.0.1 -::1"}});
  CHECK(get_options(options, "requirepass") == Pairs{{"requirepass", "***"}});
  CHECK(get_options(options, "cluster-secret") == Pairs{{"cluster-secret", ""}});
  // Each that there is, and that there will be.
  for (const OptionSpec& spec : option_table()) {
    if (spec.type != OptionType::secret) continue;
    Options with;
    REQUIRE(assign(with, std::string(spec.name), {"hunter2"}).ok());
    CHECK(option_text(with, spec) == "***");
    for (const auto& [name, value] : get_options(with, "*")) CHECK_FALSE(has(value, "hunter2"));
  }
  CHECK(get_options(options, "log*") == Pairs{{"loglevel", "notice"}, {"log-format", "plain"}, {"logfile", ""}});
  CHECK(get_options(options, "nothing*").empty());
  CHECK(get_options(options, "").empty());
  CHECK(get_options(options, "include").empty());
  CHECK(get_options(options, "*").size() == option_table().size() - 1);
}

TEST_CASE("CONFIG SET: changes what is marked as changeable") {
  Options options;
  const Pairs good = {{"loglevel", "debug"},
                      {"timeout", "30"},
                      {"maxclients", "5"},
                      {"max-waiting", "7"},
                      {"watch-history", "7340032"},
                      {"request-timeout", "100"},
                      {"http-max-body", "2097152"},
                      {"client-buffer-limit", "67108864"},
                      {"maxmemory", "1073741824"},
                      {"min-free-disk", "16777216"},
                      {"follower-writes", "forward"},
                      {"read-consistency", "stale"},
                      {"get-writes", "yes"},
                      {"allowed-hosts", "a b"},
                      {"requirepass", "with blank"},
                      {"protected-mode", "no"},
                      {"raft-snapshot-entries", "7"},
                      {"raft-snapshot-bytes", "1048576"},
                      {"raft-snapshot-rate", "2097152"},
                      {"raft-max-uncommitted", "8388608"},
                      {"log-format", "logfmt"},
                      {"slowlog-log-slower-than", "-1"},
                      {"slowlog-max-len", "0"},
                      {"tcp-keepalive", "0"}};
  for (const auto& [name, value] : good) {
    CAPTURE(name);
    CHECK(set_option(options, name, value).ok());
    CHECK(get(options, name) == (name == "requirepass" ? "***" : value));
  }
  CHECK(options.requirepass == "with blank");
  size_t changeable = 0;
  for (const OptionSpec& spec : option_table()) changeable += spec.changeable() ? 1 : 0;
  CHECK(changeable == good.size());
  CHECK(set_option(options, "REQUIREPASS", "").ok());
  CHECK(options.requirepass.empty());
  CHECK(set_option(options, "allowed-hosts", "").ok());
  CHECK(options.allowed_hosts.empty());
}

TEST_CASE("CONFIG SET: refusals leave the options alone") {
  Options options;
  const auto refusal = [&](std::string_view name, std::string_view value) {
    const Status status = set_option(options, name, value);
    CHECK(get_options(options, "*") == get_options(Options(), "*"));
    return status.ok() ? std::string() : status.error();
  };
  for (const OptionSpec& spec : option_table()) {
    if (spec.changeable()) continue;
    CAPTURE(spec.name);
    CHECK(has(refusal(spec.name, "1"), "cannot be changed at run time"));
  }
  CHECK(refusal("prot", "1") == "unknown directive 'prot'; did you mean 'port'?");
  CHECK(refusal("zzzzz", "1") == "unknown directive 'zzzzz'");
  CHECK(refusal(std::string("a\nb\0", 4), "1") == "unknown directive 'a\\x0ab\\x00'");
  CHECK(refusal(std::string(10000, 'q'), "1").size() < 100);
  CHECK(has(refusal("timeout", "1 2"), "whole number"));
  CHECK(has(refusal("loglevel", "loud"), "must be debug"));
  CHECK(has(refusal("slowlog-log-slower-than", "-2"), "a whole number from 0 to 3600000000, or -1"));
  CHECK(has(refusal("slowlog-max-len", "-1"), "a whole number from 0 to 100000"));
  CHECK(has(refusal("raft-max-uncommitted", "1mb"), "must be at least twice 'http-max-body'"));
  CHECK(has(refusal("allowed-hosts", "a b:80"), "without port"));
  CHECK(has(refusal("requirepass", std::string("a\0b", 3)), "NUL"));
}

TEST_CASE("table: random names and values never crash, and refused ones change nothing") {
  Prng prng(3);
  const std::string alphabet = "0123456789kmgb-:*.[]% \0\xff\"/aeno"s;
  Options options;
  for (unsigned round = 0, last = wh::testing::rounds(20000); round < last; ++round) {
    const OptionSpec& spec = option_table()[prng.below(option_table().size())];
    std::string value;
    for (uint64_t n = prng.below(20); n > 0; --n) value += alphabet[prng.below(alphabet.size())];
    (void)nearest_option(value);
    (void)hides_value(value);
    const std::string before = option_text(options, spec);
    if (spec.type == OptionType::include) continue;
    const Status status = assign_option(options, spec, option_words(spec, value));
    if (!status.ok()) {
      CHECK(option_text(options, spec) == before);
    } else {
      Options again;
      CHECK(assign_option(again, spec, option_words(spec, option_text(options, spec))).ok());
      if (spec.type != OptionType::secret) CHECK(option_text(again, spec) == option_text(options, spec));
    }
  }
}
