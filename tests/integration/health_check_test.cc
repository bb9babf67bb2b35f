// --check-health with every kind of config: which address it asks, and whose answer counts.
#include <doctest/doctest.h>

#include "authority.h"
#include "harness.h"
#include "netns.h"

namespace wh::testing {
namespace {

const std::string kServer = WORMHOLE_SERVER;

// What the server was started with, and --check-health.
Output check(const TempDir& dir, const Server& server, const std::vector<std::string>& more = {}) {
  const std::string in_netns = server.netns.empty() ? "" : "ip netns exec " + server.netns + " ";
  // `bind` is words, and `*` one of them.
  std::string command = "set -f; exec " + in_netns + kServer + " --check-health --node-id " + server.name + " --dir " +
                        server.data_dir + " --bind " + (server.bind.empty() ? server.host : server.bind) + " --port " +
                        std::to_string(server.tls_port != 0 ? 0 : server.port) + " --raft-port " +
                        std::to_string(server.raft_port) + " --debug-port " + std::to_string(server.debug_port);
  if (server.tls_port != 0) command += " --tls-port " + std::to_string(server.tls_port);
  for (const std::string& word : server.more) command += " " + word;
  for (const std::string& word : more) command += " " + word;
  return sh(dir, command);
}

bool says(const Output& output, const std::string& text) { return output.err.find(text) != std::string::npos; }

}  // namespace

TEST_CASE("of `bind` the addresses that this machine has are asked, wherever they stand in it") {
  const TempDir dir;
  Server server(dir, "node");
  for (const char* bind : {"-2001:db8::99 127.0.0.1", "127.0.0.1 -192.0.2.7", "-192.0.2.7 -2001:db8::99 127.0.0.2",
                           "* -::*", "-2001:db8::99 *"}) {
    CAPTURE(bind);
    server.bind = bind;
    server.host = std::string(bind).find("127.0.0.2") != std::string::npos ? "127.0.0.2" : "127.0.0.1";
    server.start_ready();
    const Output healthy = check(dir, server);
    CHECK_MESSAGE(healthy.status == 0, healthy.err);
    CHECK(healthy.out == server.host + ":" + std::to_string(server.port) + " lives\n");
    CHECK(json_field(server.cluster(), "raft_address") == server.raft_address());
    CHECK(server.stop() == 0);
  }
  const Output none = sh(dir, kServer + " --check-health --bind -2001:db8::99 -192.0.2.7");
  CHECK(none.status == 1);
  CHECK(says(none, "this machine has none of the addresses of 'bind'"));
}

TEST_CASE("of `bind` others are told what they can reach") {
  if (no_namespaces()) return;
  const TempDir dir;
  Network network(dir);
  Host& host = network.host("a", {"10.77.0.1/24", "fd77::1/64"});
  Server server(dir, "node", "10.77.0.1");
  server.netns = host.netns();
  server.more = {"--protected-mode", "no"};
  const auto told = [&](const std::string& bind) {
    server.bind = bind;
    server.start_ready();
    const std::string address = json_field(server.cluster(), "raft_address");
    CHECK_MESSAGE(check(dir, server).status == 0, bind);
    CHECK(server.stop() == 0);
    return address.substr(0, address.rfind(':'));
  };
  CHECK(told("127.0.0.1 10.77.0.1") == "10.77.0.1");
  CHECK(told("-10.77.0.9 10.77.0.1") == "10.77.0.1");
  CHECK(told("127.0.0.1 -10.77.0.9 -10.77.0.1") == "10.77.0.1");
  CHECK(told("-fd77::1 10.77.0.1") == "10.77.0.1");  // the one that must be there before the one that may
  CHECK(told("10.77.0.1 fd77::1") == "10.77.0.1");
  server.bind = "127.0.0.1";
  server.environment = {{"WORMHOLE_BIND_INTERFACE", "eth0"}};
  server.more.insert(server.more.end(), {"--bind-interface", "eth0"});
  CHECK(told("127.0.0.1") == "10.77.0.1");
}

TEST_CASE("another node's answer does not count") {
  const TempDir dir;
  Server server(dir, "node");
  server.start_ready();
  CHECK(check(dir, server).status == 0);

  Server other(dir, "other");
  other.port = server.port;
  other.debug_port = server.debug_port;
  const Output by_name = check(dir, other);  // it has no directory yet
  CHECK(by_name.status == 1);
  CHECK(says(by_name, "is another node, not other"));
  const Output by_name_on_debug = check(dir, other, {"--port", "0"});
  CHECK(by_name_on_debug.status == 1);
  CHECK(says(by_name_on_debug, "is another node, not other"));

  // With the same name, on a directory that nobody uses: it was started and stopped.
  Server twin(dir, "node");
  twin.data_dir = dir.path("twin");
  twin.start_ready();
  CHECK(check(dir, twin).status == 0);
  CHECK(twin.stop() == 0);
  twin.port = server.port;
  const Output by_directory = check(dir, twin);
  CHECK(by_directory.status == 1);
  CHECK(says(by_directory, "no process uses the data directory"));
  CHECK(check(dir, server).status == 0);
}

TEST_CASE("HTTPS alone, also where clients must show a certificate; the debug port where HTTPS does not answer") {
  const TempDir dir;
  const Authority authority(dir);
  authority.issue("node", "DNS:node,IP:127.0.0.1");
  authority.issue("server_only", "DNS:node,IP:127.0.0.1", 90, "-addext extendedKeyUsage=serverAuth");
  Server server(dir, "node");
  server.tls_port = server.port;
  const uint16_t debug_port = server.debug_port;
  std::string file = "node";
  std::vector<std::string> more;
  bool healthy = true;
  SUBCASE("no client certificates") {}
  SUBCASE("a password") { more = {"--requirepass", "secret"}; }
  SUBCASE("client certificates") { more = {"--tls-auth-clients", "yes", "--tls-ca-cert-file", "ca.pem"}; }
  SUBCASE("client certificates, and the own one is for servers only") {
    file = "server_only";
    more = {"--tls-auth-clients", "yes", "--tls-ca-cert-file", "ca.pem"};
    healthy = false;
  }
  server.debug_port = healthy ? 0 : debug_port;
  server.more = {"--tls-cert-file", file + ".pem", "--tls-key-file", file + "-key.pem"};
  server.more.insert(server.more.end(), more.begin(), more.end());
  server.start();
  REQUIRE(eventually([&] { return server.log().find("founded cluster") != std::string::npos; }));
  const Output asked = check(dir, server);
  CHECK_MESSAGE(asked.status == 0, asked.err);
  const uint16_t by = healthy ? server.tls_port : debug_port;
  CHECK(asked.out == "127.0.0.1:" + std::to_string(by) + " lives\n");
  if (!healthy) CHECK(check(dir, server, {"--debug-port", "0"}).status == 1);
  CHECK(check(dir, server, {"--node-id", "other"}).status == 1);
}

TEST_CASE("the debug port alone, with and without a password") {
  const TempDir dir;
  Server server(dir, "node");
  SUBCASE("without") {}
  SUBCASE("with") { server.more = {"--requirepass", "'s ecret'"}; }
  std::vector<std::string> started = server.more;
  if (!started.empty()) server.more = {"--requirepass", "s ecret"};
  server.start_ready();
  server.more = started;
  CHECK_MESSAGE(check(dir, server, {"--port", "0"}).status == 0, check(dir, server, {"--port", "0"}).err);
  CHECK(check(dir, server, {"--port", "0", "--node-id", "other"}).status == 1);
  // Its password was changed at run time: it lives, though it does not say who it is.
  CHECK(check(dir, server, {"--port", "0", "--requirepass", "wrong"}).status == 0);
}

}  // namespace wh::testing
