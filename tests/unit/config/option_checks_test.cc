#include "config/option_checks.h"

#include <functional>
#include <string>

#include <doctest/doctest.h>

#include "config/option_values.h"

using namespace wh;
using namespace wh::config;

namespace {
// The messages of all problems after a change to the defaults, joined.
std::string problems_after(const std::function<void(Options&)>& change) {
  Options options;
  change(options);
  std::string out;
  for (const OptionProblem& problem : check_options(options)) {
    CHECK_FALSE(problem.directives.empty());
    out += problem.message + "\n";
  }
  return out;
}
bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }
}  // namespace

TEST_CASE("checks: the defaults make sense and need no notice") {
  CHECK(check_options(Options()).empty());
  CHECK(option_notices(Options()).empty());
}

TEST_CASE("checks: ports differ") {
  CHECK(has(problems_after([](Options& o) { o.port = o.raft_port; }),
            "'port' and 'raft-port' must differ, both are 1112"));
  CHECK(has(problems_after([](Options& o) { o.debug_port = 8080; }), "'port' and 'debug-port' must differ"));
  CHECK(has(problems_after([](Options& o) { o.tls_port = 1113; }), "'tls-port' and 'debug-port' must differ"));
  CHECK(has(problems_after([](Options& o) { o.tls_debug_port = 1113; }),
            "'debug-port' and 'tls-debug-port' must differ"));
  CHECK(problems_after([](Options& o) { o.port = o.tls_port = o.debug_port = 0; }).empty());
}

TEST_CASE("checks: TLS has what it needs") {
  const std::string bare = problems_after([](Options& o) { o.tls_port = 8443; });
  CHECK(has(bare, "'tls-port' needs 'tls-cert-file'"));
  CHECK(has(bare, "'tls-port' needs 'tls-key-file'"));
  const std::string bare_debug = problems_after([](Options& o) { o.tls_debug_port = 6380; });
  CHECK(has(bare_debug, "'tls-debug-port' needs 'tls-cert-file'"));
  CHECK(has(bare_debug, "'tls-debug-port' needs 'tls-key-file'"));
  const auto complete = [](Options& o) {
    o.tls_port = 8443;
    o.tls_cert_file = "cert";
    o.tls_key_file = "key";
  };
  CHECK(problems_after(complete).empty());
  const auto between_members = [&](Options& o) {
    complete(o);
    o.tls_port = 0;
    o.tls_cluster = true;
  };
  CHECK(has(problems_after(between_members),
            "'tls-cluster' needs 'tls-cert-file', 'tls-key-file' and 'tls-ca-cert-file'"));
  CHECK(problems_after([&](Options& o) {
          between_members(o);
          o.tls_ca_cert_file = "ca";
        }).empty());
  for (const TlsAuthClients kind : {TlsAuthClients::yes, TlsAuthClients::optional}) {
    const auto demanding = [&](Options& o) {
      complete(o);
      o.tls_auth_clients = kind;
    };
    CHECK(has(problems_after(demanding), "'tls-auth-clients' needs 'tls-ca-cert-file'"));
    CHECK(problems_after([&](Options& o) {
            demanding(o);
            o.tls_ca_cert_file = "ca";
          }).empty());
    CHECK(has(problems_after([&](Options& o) {
                demanding(o);
                o.tls_ca_cert_file = "ca";
                o.tls_port = 0;
              }),
              "no effect while 'tls-port' and 'tls-debug-port' are 0"));
    CHECK(problems_after([&](Options& o) {
            demanding(o);
            o.tls_ca_cert_file = "ca";
            o.tls_debug_port = std::exchange(o.tls_port, uint16_t{0});
          }).empty());
  }
}

TEST_CASE("checks: who follows the process") {
  CHECK(has(problems_after([](Options& o) {
              o.daemonize = true;
              o.supervised = Supervised::systemd;
            }),
            "'daemonize' must be 'no' with 'supervised systemd'"));
  CHECK(problems_after([](Options& o) {
          o.daemonize = true;
          o.supervised = Supervised::automatic;
        }).empty());
  Options background;
  background.daemonize = true;
  REQUIRE(option_notices(background).size() == 1);
  CHECK(has(option_notices(background)[0], "no 'logfile'"));
  background.logfile = "log";
  CHECK(option_notices(background).empty());
}

TEST_CASE("checks: the times and sizes of raft") {
  const auto times = [](uint64_t heartbeat, uint64_t election) {
    return problems_after([=](Options& o) {
      o.raft_heartbeat_interval_ms = heartbeat;
      o.raft_election_timeout_ms = election;
    });
  };
  CHECK(times(50, 100).empty());
  CHECK(has(times(50, 99), "'raft-election-timeout' must be at least twice 'raft-heartbeat-interval'"));
  CHECK(has(times(1000, 500), "it is 500 with heartbeats every 1000 milliseconds"));
  CHECK(problems_after([](Options& o) { o.raft_max_uncommitted_bytes = 2 << 20; }).empty());
  CHECK(has(problems_after([](Options& o) { o.raft_max_uncommitted_bytes = (2 << 20) - 1; }),
            "must be at least twice 'http-max-body' (1mb)"));
}

TEST_CASE("checks: notices") {
  Options options;
  options.appendfsync = AppendFsync::everysec;
  REQUIRE(option_notices(options).size() == 1);
  CHECK(has(option_notices(options)[0], "appendfsync is 'everysec'"));
  options.appendfsync = AppendFsync::no;
  CHECK(has(option_notices(options)[0], "appendfsync is 'no'"));

  options = Options();
  options.protected_mode = false;
  CHECK(option_notices(options).empty());  // loopback only
  options.bind = {"10.0.0.1"};
  CHECK(option_notices(options).size() == 2);
  options.requirepass = "hunter2";
  REQUIRE(option_notices(options).size() == 1);
  CHECK(has(option_notices(options)[0], "raft-port"));
  CHECK_FALSE(has(option_notices(options)[0], "hunter2"));
  options.cluster_secret = "fifteen letters";
  REQUIRE(option_notices(options).size() == 1);
  CHECK(has(option_notices(options)[0], "cluster-secret is short"));
  CHECK_FALSE(has(option_notices(options)[0], "fifteen"));
  options.cluster_secret = "sixteen letters!";
  CHECK(option_notices(options).empty());
  options.cluster_secret.clear();
  options.tls_cluster = true;
  CHECK(option_notices(options).empty());
  options.tls_cluster = false;
  options.bind_interface = "lo";
  CHECK(option_notices(options).empty());
  options.bind = {"127.0.0.1"};
  options.bind_interface = "eth0";
  CHECK(option_notices(options).size() == 1);

  options = Options();
  CHECK(option_notices(options).empty());
  options.bind = {"0.0.0.0"};
  REQUIRE(option_notices(options).size() == 2);
  CHECK(has(option_notices(options)[0],
            "protected mode refuses clients that are not on this machine, with 403; set 'req"));
  CHECK(
      has(option_notices(options)[1], "protected mode refuses members that are not on this machine; set 'cluster-sec"));
  options.tls_auth_clients = TlsAuthClients::yes;
  REQUIRE(option_notices(options).size() == 1);
  options.cluster_secret = "sixteen letters!";
  CHECK(option_notices(options).empty());
}

TEST_CASE("checks: the default node id is always a node id") {
  CHECK(default_node_id("db1", 1112) == "db1:1112");
  CHECK(default_node_id("db1.example.com", 65535) == "db1.example.com:65535");
  CHECK(default_node_id("", 1112) == "localhost:1112");
  CHECK(default_node_id("a b/c\n\xff", 1) == "a-b-c--:1");
  CHECK(default_node_id(std::string("a\0b", 3), 1) == "a-b:1");
  CHECK(default_node_id("хост", 1) == "хост:1");
  for (size_t size = 100; size < 300; ++size) {
    CHECK(check_node_id(default_node_id(std::string(size, 'h'), 65535)).ok());
    std::string cyrillic = size % 2 == 0 ? "" : "x";
    while (cyrillic.size() < size) cyrillic += "ж";
    CHECK(check_node_id(default_node_id(cyrillic, 65535)).ok());
  }
}
