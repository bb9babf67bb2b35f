// Who is served from where: protected mode, passwords, hosts, writes by GET and client certificates, seen from this
// machine and from another one (a network namespace).
#include <doctest/doctest.h>

#include "authority.h"
#include "harness.h"
#include "netns.h"

namespace wh::testing {
namespace {

struct TwoHosts {
  TempDir dir;
  Network network{dir};
  Host& near = network.host("near", {"10.77.0.1/24"});
  Host& far = network.host("far", {"10.77.0.2/24"});
};

Server server_at(TwoHosts& hosts, Host& host, const std::string& name, const std::vector<std::string>& more = {}) {
  Server server(hosts.dir, name, host.address());
  server.netns = host.netns();
  server.bind = "* -::1";
  server.more = more;
  return server;
}

std::string local(const Server& server, const std::string& path) {
  return "'http://127.0.0.1:" + std::to_string(server.port) + path + "'";
}

}  // namespace

TEST_CASE("HAZARDS I3: protected mode serves its own machine and tells others how to mend it; health is for all") {
  if (no_namespaces()) return;
  TwoHosts hosts;
  Server server = server_at(hosts, hosts.near, "node1");
  server.start_ready();
  const auto far = [&](const std::string& arguments) { return hosts.far.curl(arguments); };
  for (const char* path : {"/healthz", "/readyz"}) CHECK(far(server.url(path)).status == 200);
  for (const char* path : {"/get?key=a", "/event", "/cluster", "/key/a", "/nothing"}) {
    const Answer refused = far(server.url(path));
    CHECK(refused.status == 403);
    for (const char* directive : {"requirepass", "tls-auth-clients yes", "protected-mode no"})
      CHECK(refused.body.find(directive) != std::string::npos);
  }
  const Answer write = far("-d event=x " + server.url("/event"));
  CHECK(write.status == 403);
  CHECK(write.header("wormhole-outcome") == "not-applied");
  const std::string ping = "redis-cli -h 10.77.0.1 -p " + std::to_string(server.debug_port) + " PING 2>&1";
  CHECK(hosts.far.sh(ping).out.starts_with("DENIED protected mode"));
  // From the machine itself, over loopback, all of it is served.
  CHECK(hosts.near.curl(local(server, "/get?key=a")).status == 404);
  const std::string config = "redis-cli -p " + std::to_string(server.debug_port) + " CONFIG SET ";
  CHECK(hosts.near.sh(config + "protected-mode no").out == "OK\n");
  CHECK(far(server.url("/get?key=a")).status == 404);
  CHECK(hosts.far.sh(ping).out == "PONG\n");
  CHECK(hosts.near.sh(config + "protected-mode yes").out == "OK\n");
  CHECK(far(server.url("/get?key=a")).status == 403);
  // A password lifts it.
  CHECK(hosts.near.sh(config + "requirepass secret").out == "OK\n");
  CHECK(far(server.url("/get?key=a")).status == 401);
  CHECK(far("-H 'Authorization: Bearer secret' " + server.url("/get?key=a")).status == 404);
  CHECK(far("-u any:secret " + server.url("/get?key=a")).status == 404);
  for (const char* path : {"/healthz", "/readyz"}) CHECK(far(server.url(path)).status == 200);
  CHECK(hosts.far.sh(ping).out.starts_with("NOAUTH"));
}

TEST_CASE("get-writes: by GET from this machine only, from everywhere, or not at all; by POST always") {
  if (no_namespaces()) return;
  TwoHosts hosts;
  Server server = server_at(hosts, hosts.near, "node1", {"--protected-mode", "no"});
  server.start_ready();
  struct Row {
    const char* setting;
    int near;
    int far;
  };
  for (const Row& row : {Row{"loopback", 200, 403}, Row{"yes", 200, 200}, Row{"no", 405, 405}}) {
    CAPTURE(row.setting);
    CHECK(hosts.near.sh("redis-cli -p " + std::to_string(server.debug_port) + " CONFIG SET get-writes " + row.setting)
              .out == "OK\n");
    for (const char* path : {"/set?key=a&value=b", "/remove?key=a"}) {
      CHECK(hosts.near.curl(local(server, path)).status == row.near);
      CHECK(hosts.far.curl("'" + server.url(path) + "'").status == row.far);
      CHECK(hosts.far.curl("-X POST '" + server.url(path) + "'").status == 200);
    }
    // A machine's own address, which is not loopback's, is not "this machine" either: who comes by it may be anybody.
    CHECK(hosts.near.curl("'" + server.url("/set?key=a&value=b") + "'").status == row.far);
  }
}

TEST_CASE("what a proxy on this machine passed on is not this machine's: no field of a proxy's keeps its rights") {
  const TempDir dir;
  Server server(dir, "node");
  server.start_ready();
  const auto ask = [&](const std::string& arguments, const std::string& path) {
    return curl(dir, arguments + " '" + server.url(path) + "'");
  };
  for (const char* field : {"X-Forwarded-For: 203.0.113.9", "x-forwarded-for: 127.0.0.1", "X-Real-IP: 203.0.113.9",
                            "Forwarded: for=203.0.113.9", "Via: 1.1 cache", "X-Forwarded-Proto: https",
                            "X-Forwarded-Host: a", "CF-Connecting-IP: 203.0.113.9", "True-Client-IP: 203.0.113.9",
                            "X-Client-IP;", "X-Envoy-External-Address: 203.0.113.9"}) {
    CAPTURE(field);
    const std::string header = std::string("-H '") + field + "' ";
    const Answer refused = ask(header + "-d 'key=a&value=b'", "/set");
    CHECK(refused.status == 403);
    CHECK(refused.header("wormhole-outcome") == "not-applied");
    CHECK(refused.body.find("a proxy passed on") != std::string::npos);
    CHECK(refused.body.find("requirepass") != std::string::npos);
    for (const char* path :
         {"/set?key=a&value=b", "/get?key=a", "/event", "/cluster", "/metrics", "/backup", "/keys/a"})
      CHECK(ask(header, path).status == 403);
    CHECK(ask(header + "-d '{\"id\":\"node\"}'", "/cluster/transfer").status == 403);
    CHECK(ask(header + "-X DELETE", "/cluster/members/other").status == 403);
    CHECK(ask(header, "/healthz").status == 200);
    CHECK(ask(header, "/readyz").status == 200);
  }
  const std::string header = "-H 'X-Forwarded-For: 203.0.113.9' ";
  SUBCASE("with a password it is served, but for writes by GET") {
    CHECK(server.redis("CONFIG SET requirepass s") == "OK");
    CHECK(ask(header + "-u any:s -d 'key=a&value=b'", "/set").status == 200);
    CHECK(ask(header + "-u any:s", "/get?key=a").body == "b");
    CHECK(ask("-u any:s", "/set?key=a&value=c").status == 200);
    const Answer write = ask(header + "-u any:s", "/set?key=a&value=d");
    CHECK(write.status == 403);
    CHECK(write.body.find("X-Forwarded-For") != std::string::npos);
    CHECK(ask(header + "-u any:s", "/get?key=a").body == "c");
  }
  SUBCASE("with protected-mode no too; and /join does not take the proxy for the caller") {
    CHECK(server.redis("CONFIG SET protected-mode no") == "OK");
    CHECK(ask(header + "-d 'key=a&value=b'", "/set").status == 200);
    CHECK(ask(header, "/set?key=a&value=c").status == 403);
    const Answer join = ask(header + "-X POST", "/join?nodeId=n&raftPort=1");
    CHECK(join.status == 400);
    CHECK(join.body.find("host") != std::string::npos);
  }
}

TEST_CASE("the debug port takes no PROXY protocol: who is passed on would be this machine's") {
  const TempDir dir;
  Server server(dir, "node");
  server.start_ready();
  const std::string nc = " | nc -w 20 127.0.0.1 " + std::to_string(server.debug_port);
  CHECK(sh(dir, "printf 'PROXY TCP4 203.0.113.9 127.0.0.1 40000 1113\\r\\nSET a b\\r\\n'" + nc).out.empty());
  const std::string second = sh(dir, "printf '\\r\\n\\r\\n\\000\\r\\nQUIT\\nSET a b\\r\\n'" + nc).out;
  CHECK(second.find("+OK") == std::string::npos);
  CHECK(server.redis("EXISTS a") == "0");
  CHECK(eventually([&] { return server.log().find("like the PROXY protocol") != std::string::npos; }));
}

TEST_CASE("HAZARDS H8: allowed-hosts: without a password a name must be known, with one it need not be") {
  if (no_namespaces()) return;
  TwoHosts hosts;
  hosts.far.set_names(
      {{"known.example", "10.77.0.1"}, {"rebound.example", "10.77.0.1"}, {"told.example", "10.77.0.1"}});
  Server server =
      server_at(hosts, hosts.near, "node1",
                {"--protected-mode", "no", "--allowed-hosts", "known.example", "--announce-address", "told.example"});
  server.start_ready();
  const auto status = [&](const std::string& host, const std::string& options = "") {
    return hosts.far.curl(options + " http://" + host + ":" + std::to_string(server.port) + "/event").status;
  };
  CHECK(status("10.77.0.1") == 200);
  CHECK(status("known.example") == 200);
  CHECK(status("KNOWN.example") == 200);
  CHECK(status("told.example") == 200);
  CHECK(status("rebound.example") == 403);
  CHECK(hosts.near.sh("redis-cli -p " + std::to_string(server.debug_port) + " CONFIG SET requirepass s").out == "OK\n");
  CHECK(status("rebound.example") == 401);
  CHECK(status("rebound.example", "-H 'Authorization: Bearer s'") == 200);
}

TEST_CASE("HAZARDS G6: peers in protected mode: neither secret nor TLS, and only this machine's are taken") {
  if (no_namespaces()) return;
  TwoHosts hosts;
  const Authority authority(hosts.dir);
  authority.issue("node1", "DNS:node1");
  authority.issue("node2", "DNS:node2");
  Server first = server_at(hosts, hosts.near, "node1");
  Server second = server_at(hosts, hosts.far, "node2", {"--join", first.raft_address()});
  const auto both = [&](const std::vector<std::string>& options) {
    first.more.insert(first.more.end(), options.begin(), options.end());
    second.more.insert(second.more.end(), options.begin(), options.end());
  };
  const auto joined = [&] {
    return eventually(
        [&] { return count_of(hosts.near.curl(local(first, "/cluster")).body, "\"suffrage\":\"voter\"") == 2; });
  };
  const auto start = [&] {
    first.start();
    REQUIRE(eventually([&] { return hosts.near.curl(local(first, "/readyz")).status == 200; }));
    second.start();
  };
  SUBCASE("refused, with a sentence on both sides") {
    start();
    for (Server* server : {&first, &second})
      CHECK(eventually([&] {
        return server->log().find(
                   "protected mode: peers on other machines need cluster-secret, the same on every node, "
                   "or tls-cluster, or") != std::string::npos;
      }));
    CHECK(count_of(hosts.near.curl(local(first, "/cluster")).body, "\"suffrage\"") == 1);
  }
  SUBCASE("a secret lifts it") {
    both({"--cluster-secret", std::string(600, 's')});
    start();
    CHECK(joined());
  }
  SUBCASE("TLS lifts it") {
    both({"--tls-cluster", "yes", "--tls-ca-cert-file", "ca.pem"});
    for (Server* server : {&first, &second})
      server->more.insert(server->more.end(),
                          {"--tls-cert-file", server->name + ".pem", "--tls-key-file", server->name + "-key.pem"});
    start();
    CHECK(joined());
  }
  SUBCASE("said to be no on both nodes, it is none") {
    both({"--protected-mode", "no"});
    start();
    CHECK(joined());
    CHECK(first.log().find("there is neither 'cluster-secret' nor 'tls-cluster'") != std::string::npos);
  }
}

TEST_CASE("tls-auth-clients: yes, optional and no, from another machine") {
  if (no_namespaces()) return;
  TwoHosts hosts;
  const Authority authority(hosts.dir);
  const Authority other(hosts.dir, "other");
  authority.issue("node1", "DNS:node1,IP:10.77.0.1");
  authority.issue("client", "DNS:client");
  other.issue("stranger", "DNS:client");
  Server server = server_at(hosts, hosts.near, "node1");
  const uint16_t tls_port = free_port();
  const uint16_t tls_debug_port = free_port();
  const std::string url = "--max-time 10 --cacert ca.pem https://10.77.0.1:" + std::to_string(tls_port) + "/event";
  const std::string mine = "--cert client.pem --key client-key.pem ";
  const std::string strange = "--cert stranger.pem --key stranger-key.pem ";
  const auto start = [&](const char* mode, const char* protect) {
    server.more = {"--tls-port",         std::to_string(tls_port),
                   "--tls-debug-port",   std::to_string(tls_debug_port),
                   "--tls-cert-file",    "node1.pem",
                   "--tls-key-file",     "node1-key.pem",
                   "--tls-ca-cert-file", "ca.pem",
                   "--tls-auth-clients", mode,
                   "--protected-mode",   protect};
    server.start();
    REQUIRE(eventually([&] { return hosts.near.curl(local(server, "/readyz")).status == 200; }));
  };
  SUBCASE("yes") {
    start("yes", "yes");
    CHECK(hosts.far.curl(mine + url).status == 200);
    CHECK(hosts.far.curl(url).exit != 0);
    CHECK(hosts.far.curl(strange + url).exit != 0);
    // The plain port asks for none, so it stays protected, and says why.
    const Answer plain = hosts.far.curl(server.url("/event"));
    CHECK(plain.status == 403);
    CHECK(plain.body.find("where they show a certificate, on tls-port") != std::string::npos);
    // So it is on the debug port.
    const std::string ping = "redis-cli -h 10.77.0.1 -p ";
    const std::string over_tls = ping + std::to_string(tls_debug_port) + " --tls --cacert ca.pem ";
    CHECK(hosts.far.sh(over_tls + "--cert client.pem --key client-key.pem PING").out == "PONG\n");
    CHECK_FALSE(has(hosts.far.sh(over_tls + "PING 2>&1").out, "PONG"));
    CHECK(hosts.far.sh(ping + std::to_string(server.debug_port) + " PING 2>&1").out.starts_with("DENIED protected"));
    // The client hears of it by an alert: of the handshake, or, by TLS 1.3, when it reads on.
    const std::string told =
        hosts.far.sh("openssl s_client -ign_eof -connect 10.77.0.1:" + std::to_string(tls_port) + " </dev/null 2>&1")
            .out;
    CHECK((told.find("alert handshake failure") != std::string::npos ||
           told.find("alert certificate required") != std::string::npos));
    CHECK(eventually([&] {
      return server.log().find("to the HTTPS port was closed: TLS handshake failed: it shows no certificate") !=
             std::string::npos;
    }));
  }
  SUBCASE("optional: no lock on the door, but protected mode stays") {
    start("optional", "yes");
    CHECK(hosts.far.curl(url).status == 403);
    CHECK(hosts.far.curl(strange + url).status == 403);
  }
  SUBCASE("no") {
    start("no", "no");
    CHECK(hosts.far.curl(url).status == 200);
    CHECK(hosts.far.curl(mine + url).status == 200);
  }
}

TEST_CASE("requirepass by CONFIG SET counts at once, for connections that are open too") {
  const TempDir dir;
  Server server(dir, "node");
  server.start_ready();
  const std::string port = std::to_string(server.debug_port);
  const std::string redis = "redis-cli -p " + port + " ";
  // One that stays connected while another sets the password; then it sets one itself.
  const std::string session =
      sh(dir, "{ printf 'PING\\r\\n'; until " + redis + "INFO clients | grep -q debug_clients:2; do :; done; " + redis +
                  "CONFIG SET requirepass pass-1 >/dev/null; until " + redis +
                  "PING | grep -q NOAUTH; do :; done; printf 'GET a\\r\\nAUTH pass-1\\r\\nEXISTS a\\r\\n'; "
                  "printf 'CONFIG SET requirepass pass-2\\r\\nEXISTS a\\r\\nQUIT\\r\\n'; } | nc -w 20 127.0.0.1 " +
                  port)
          .out;
  CHECK(session == "+PONG\r\n-NOAUTH Authentication required.\r\n+OK\r\n:0\r\n+OK\r\n:0\r\n+OK\r\n");
  CHECK(curl(dir, "-H 'Authorization: Bearer pass-1' " + server.url("/event")).status == 401);
  CHECK(curl(dir, "-H 'Authorization: Bearer pass-2' " + server.url("/event")).status == 200);
  CHECK(server.redis("-a pass-2 --no-auth-warning CONFIG SET requirepass ''") == "OK");
  CHECK(server.get("/event").status == 200);
  CHECK(server.redis("INFO stats").find("http_failed_auth:1\r") != std::string::npos);
  CHECK(eventually(
      [&] { return server.log().find("A wrong password came over HTTP from 127.0.0.1") != std::string::npos; }));
  CHECK(server.log().find("pass-") == std::string::npos);
}

}  // namespace wh::testing
