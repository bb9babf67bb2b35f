// Members over mutual TLS (tls-cluster): whose certificate is accepted, what is reported when it does not fit,
// certificates replaced while everything runs, and certificates that expire.
#include <atomic>
#include <csignal>
#include <future>
#include <thread>

#include <doctest/doctest.h>

#include "authority.h"
#include "harness.h"

namespace wh::testing {
namespace {

std::vector<std::string> tls_options(const Server& server, const std::vector<std::string>& more = {}) {
  std::vector<std::string> options{"--tls-cluster",      "yes",
                                   "--tls-cert-file",    server.name + ".pem",
                                   "--tls-key-file",     server.name + "-key.pem",
                                   "--tls-ca-cert-file", "ca.pem"};
  options.insert(options.end(), more.begin(), more.end());
  return options;
}

// Three members with a certificate each, which serve HTTPS too.
struct TlsNodes {
  explicit TlsNodes(const std::vector<std::string>& more = {}) {
    for (Server* server : all) {
      authority.issue(server->name, "DNS:" + server->name + ",IP:127.0.0.1");
      server->tls_port = server->port;
      server->more = tls_options(*server, more);
      server->more.insert(server->more.end(), {"--join", a.raft_address(), b.raft_address(), c.raft_address()});
      server->start();
    }
    await_voters(all, 3);
    await_leader(all);
  }
  TempDir dir;
  Authority authority{dir};
  Server a{dir, "node_1"};
  Server b{dir, "node_2"};
  Server c{dir, "node_3"};
  Servers all{&a, &b, &c};
};

// The issuer of the certificate that a TLS port shows, "issuer=CN=ca".
std::string issuer_at(const TempDir& dir, uint16_t port, const std::string& options = "") {
  return sh(dir, "openssl s_client -connect 127.0.0.1:" + std::to_string(port) + " " + options +
                     " </dev/null 2>/dev/null | openssl x509 -noout -issuer -nameopt RFC2253")
      .out;
}

// The fingerprint of that certificate.
std::string shown_at(const TempDir& dir, uint16_t port, const std::string& options = "") {
  return sh(dir, "openssl s_client -connect 127.0.0.1:" + std::to_string(port) + " " + options +
                     " </dev/null 2>/dev/null | openssl x509 -noout -fingerprint")
      .out;
}

// What is left of that many days, of which the first has begun, or is about to.
bool is_days(const std::string& left, int days) {
  return left == std::to_string(days) || left == std::to_string(days - 1);
}

bool logs(const Server& server, const std::string& text) {
  return eventually([&] { return server.log().find(text) != std::string::npos; });
}

}  // namespace

TEST_CASE("three members over mutual TLS, with a secret as well: they serve, and show nobody anything") {
  TlsNodes nodes({"--cluster-secret", "held by all three"});
  REQUIRE(curl(nodes.dir, "-k -d '{\"k\":\"over tls\"}' " + nodes.a.url("/key/")).status == 200);
  CHECK(nodes.b.get("/get?key=k").body == "over tls");
  CHECK(nodes.c.get("/get?key=k").body == "over tls");
  // Who has no certificate of the authority gets none of the protocol.
  const std::string connect = "openssl s_client -connect 127.0.0.1:" + std::to_string(nodes.a.raft_port) + " -tls1_2 ";
  CHECK(sh(nodes.dir, connect + "</dev/null 2>&1").out.find("alert handshake failure") != std::string::npos);
  CHECK(
      sh(nodes.dir, connect + "-cert node_2.pem -key node_2-key.pem </dev/null 2>&1").out.find("Verify return code") !=
      std::string::npos);
  CHECK(logs(nodes.a, "to the raft port was closed: TLS handshake failed: it shows no certificate"));
  // INFO knows the ends of all certificates; node names may have any form.
  const Server& leader = await_leader(nodes.all);
  CHECK(is_days(leader.info("tls_cert_days_left"), 90));
  CHECK(is_days(leader.info("tls_ca_days_left"), 365));
  CHECK(leader.info("tls_cert_not_after").ends_with(" UTC"));
  for (const Server* other : others(nodes.all, leader))
    CHECK(leader.info("tls_peer_certs_days_left").find(other->name + "=") != std::string::npos);
  // A killed leader is replaced, and comes back.
  Server& first = await_leader(nodes.all);
  first.kill();
  REQUIRE(curl(nodes.dir, "-k -d '{\"k\":\"again\"}' " + others(nodes.all, first)[0]->url("/key/")).status == 200);
  first.start_ready();
  CHECK(first.get("/get?key=k").body == "again");
}

TEST_CASE(
    "HAZARDS G7: a certificate that other members would not take stops the start, and the sentence says which to "
    "make") {
  const TempDir dir;
  const Authority authority(dir);
  const Authority other(dir, "other");
  Server server(dir, "node_1");
  const auto refused = [&](const char* sentence) {
    server.more = tls_options(server);
    server.start();
    CHECK(server.wait() == 1);
    CHECK_MESSAGE(server.log().find(sentence) != std::string::npos, server.log());
  };
  SUBCASE("another's name") {
    authority.issue("node_1", "DNS:node_2");
    refused("does not carry this node's node-id, node_1, as a DNS name (subjectAltName): it carries node_2");
  }
  SUBCASE("a wildcard") {
    authority.issue("node_1", "DNS:*.example");
    refused("it carries *.example; make one with subjectAltName=DNS:node_1");
  }
  SUBCASE("for servers only") {
    authority.issue("node_1", "DNS:node_1", 90, "-addext extendedKeyUsage=serverAuth");
    refused("its extendedKeyUsage must be serverAuth,clientAuth, or absent");
  }
  SUBCASE("of another authority") {
    other.issue("node_1", "DNS:node_1");
    refused("node_1.pem does not come from the authority in tls-ca-cert-file ca.pem");
  }
  SUBCASE("none at all") {
    server.more = {"--tls-cluster", "yes"};
    server.start();
    CHECK(server.wait() == 1);
    CHECK(server.log().find("'tls-cluster' needs 'tls-cert-file', 'tls-key-file' and 'tls-ca-cert-file'") !=
          std::string::npos);
  }
  SUBCASE("a name with a port, as node-id has by default, is a name like any other") {
    authority.issue("node_1", "DNS:HOST.example:1112");
    server.more = tls_options(server, {"--node-id", "host.example:1112"});
    server.start_ready();
  }
}

TEST_CASE("a cluster of which some speak TLS and some do not: both sides say what is wrong") {
  const TempDir dir;
  const Authority authority(dir);
  Server first(dir, "node_1");
  Server second(dir, "node_2");
  authority.issue("node_1", "DNS:node_1");
  authority.issue("node_2", "DNS:node_2");
  SUBCASE("the newcomer speaks TLS") {
    second.more = tls_options(second, {"--join", first.raft_address()});
    first.start_ready();
    second.start();
    CHECK(logs(second, "does not speak TLS: tls-cluster must be the same on every node, and is yes on this one"));
    CHECK(logs(first,
               "it speaks TLS, not the protocol of this port; should it be a member: tls-cluster must be the "
               "same on every node, and is no on this one"));
  }
  SUBCASE("the newcomer does not") {
    first.more = tls_options(first);
    second.more = {"--join", first.raft_address()};
    SUBCASE("") {}
    SUBCASE("with a secret") {
      first.more.insert(first.more.end(), {"--cluster-secret", "abc"});
      second.more.insert(second.more.end(), {"--cluster-secret", "abc"});
    }
    first.start_ready();
    second.start();
    CHECK(logs(second, "it speaks TLS only: tls-cluster must be the same on every node, and is no on this one"));
    CHECK(logs(first, "it speaks the protocol of raft-port, not TLS"));
  }
  CHECK_FALSE(second.ready());
  CHECK(first.ready());
}

TEST_CASE("HAZARDS J6: certificates, keys and authority are replaced under load, and no connection notices") {
  TlsNodes nodes;
  const Authority next(nodes.dir, "next");
  const std::string term = await_leader(nodes.all).cluster_field("term");
  // A client that stays connected, and one that writes all the time.
  const std::string request = "printf 'GET /healthz HTTP/1.1\\r\\nHost: localhost\\r\\n";
  auto kept = std::async(std::launch::async, [&] {
    return sh(nodes.dir, "{ " + request + "\\r\\n'; while [ ! -e rotated ]; do sleep 0.05; done; " + request +
                             "Connection: close\\r\\n\\r\\n'; } | openssl s_client -quiet -connect 127.0.0.1:" +
                             std::to_string(nodes.a.tls_port) + " 2>/dev/null");
  });
  std::atomic<bool> done = false;
  auto writer = std::async(std::launch::async, [&] {
    std::pair<int, int> written_failed;
    for (int i = 0; !done; ++i) {
      const bool good = curl(nodes.dir, "-k -d '{\"k\":\"" + std::to_string(i) + "\"}' " +
                                            nodes.all[static_cast<size_t>(i) % 3]->url("/key/"))
                            .status == 200;
      ++(good ? written_failed.first : written_failed.second);
    }
    return written_failed;
  });
  const auto reload_all = [&](const std::string& count) {
    for (Server* server : nodes.all) {
      REQUIRE(server->signal(SIGHUP));
      CHECK(eventually([&] { return server->info("tls_reloads") == count; }));
      CHECK(server->info("tls_last_reload") == "ok");
    }
  };
  CHECK(issuer_at(nodes.dir, nodes.a.tls_port).find("CN=ca") != std::string::npos);
  // Both authorities are trusted, then certificates come from the new one, then the old one goes.
  REQUIRE(sh(nodes.dir, "cp ca.pem old.pem && cat old.pem next.pem > ca.pem").status == 0);
  reload_all("1");
  for (const Server* server : nodes.all) next.issue(server->name, "DNS:" + server->name + ",IP:127.0.0.1");
  reload_all("2");
  REQUIRE(sh(nodes.dir, "cp next.pem ca.pem").status == 0);
  reload_all("3");
  CHECK(issuer_at(nodes.dir, nodes.a.tls_port).find("CN=next") != std::string::npos);
  CHECK(issuer_at(nodes.dir, nodes.b.raft_port, "-cert node_1.pem -key node_1-key.pem").find("CN=next") !=
        std::string::npos);
  nodes.dir.write("rotated", "");
  done = true;
  const auto [written, failed] = writer.get();
  CHECK(written > 0);
  CHECK(failed == 0);
  CHECK(count_of(kept.get().out, "HTTP/1.1 200") == 2);
  CHECK(await_leader(nodes.all).cluster_field("term") == term);
  // New connections between members are made with the new ones.
  CHECK(nodes.b.stop() == 0);
  nodes.b.start_ready();
  await_voters(nodes.all, 3);
}

TEST_CASE("HAZARDS J6: new files that cannot be used are refused by name, and the old ones stay in use") {
  const TempDir dir;
  const Authority authority(dir);
  const Authority other(dir, "other");
  Server server(dir, "node_1");
  authority.issue("node_1", "DNS:node_1");
  REQUIRE(sh(dir, "mkdir good && cp node_1.pem node_1-key.pem ca.pem good").status == 0);
  server.tls_port = server.port;
  server.more = tls_options(server);
  server.start_ready();
  // What a new connection is shown, by clients' and by members' port, and what is configured.
  const auto served = [&] {
    return shown_at(dir, server.tls_port) + shown_at(dir, server.raft_port, "-cert node_1.pem -key node_1-key.pem") +
           server.redis("CONFIG GET 'tls-*'");
  };
  const std::string before = served();
  REQUIRE(count_of(before, "Fingerprint") == 2);
  int reloads = 0;
  const auto refused = [&](const std::string& sentence, const std::string& mend = "true") {
    CAPTURE(sentence);
    REQUIRE(server.signal(SIGHUP));
    ++reloads;
    CHECK(eventually([&] { return server.info("tls_reloads") == std::to_string(reloads); }));
    CHECK(server.info("tls_last_reload") == "failed");
    CHECK(server.log().find("the new certificates are NOT used, those read before stay in use: " + sentence) !=
          std::string::npos);
    CHECK(server.ready());
    REQUIRE(sh(dir, mend + " && cp good/* .").status == 0);
    CHECK(served() == before);
  };
  REQUIRE(sh(dir, "rm node_1.pem").status == 0);
  refused("could not read tls-cert-file node_1.pem: ");
  dir.write("node_1.pem", "nonsense");
  refused("could not read tls-cert-file node_1.pem: ");
  dir.write("ca.pem", "");
  refused("could not read tls-ca-cert-file ca.pem: ");
  REQUIRE(sh(dir, "rm node_1-key.pem && mkdir node_1-key.pem").status == 0);
  refused("could not read tls-key-file node_1-key.pem: ", "rmdir node_1-key.pem");
  // A chain that no handshake carries: everybody would be turned away, if it were taken.
  REQUIRE(sh(dir, "for i in $(seq 60); do cat ca.pem; done >> node_1.pem").status == 0);
  refused("tls-cert-file node_1.pem");
  CHECK(server.log().find(" bytes of a handshake, and ") != std::string::npos);
  // One of a bundle that cannot be read: which, and where.
  const std::string line = std::to_string(count_of(read_file(dir.path("ca.pem")), "\n") + 1);
  REQUIRE(sh(dir, "(echo -----BEGIN CERTIFICATE-----; echo MIIB; echo -----END CERTIFICATE-----) >> ca.pem").status ==
          0);
  refused("could not read tls-ca-cert-file ca.pem: certificate 2 of it, at line " + line + " cannot be read: ");
  REQUIRE(sh(dir, "cp other-key.pem node_1-key.pem").status == 0);
  refused("tls-key-file node_1-key.pem is not the key of tls-cert-file node_1.pem");
  REQUIRE(sh(dir, "cp other.pem ca.pem").status == 0);
  refused("tls-cluster: tls-cert-file node_1.pem does not come from the authority in tls-ca-cert-file ca.pem");
  authority.issue("node_1", "DNS:node_2");
  refused("tls-cluster: tls-cert-file node_1.pem does not carry this node's node-id, node_1");
  authority.issue_expired("node_1", "DNS:node_1");
  refused("tls-cert-file node_1.pem (CN=node_1) has expired on 2020-02-01 00:00:00 UTC");
  REQUIRE(server.signal(SIGHUP));
  CHECK(eventually([&] { return server.info("tls_last_reload") == "ok"; }));
}

TEST_CASE("HAZARDS J7: the end of a certificate or of an authority is told 30 days before, and when it is past") {
  const TempDir dir;
  const Authority authority(dir, "ca", 20);
  Server server(dir, "node_1");
  server.tls_port = server.port;
  server.more = {"--tls-cert-file", "node_1.pem", "--tls-key-file", "node_1-key.pem", "--tls-ca-cert-file", "ca.pem"};
  authority.issue("node_1", "DNS:node_1", 10);
  server.start_ready();
  CHECK(server.log().find("# tls-cert-file node_1.pem (CN=node_1) expires in ") != std::string::npos);
  CHECK(server.log().find("# an authority in tls-ca-cert-file ca.pem (CN=ca) expires in ") != std::string::npos);
  CHECK(is_days(server.info("tls_cert_days_left"), 10));
  CHECK(is_days(server.info("tls_ca_days_left"), 20));
  CHECK(server.stop() == 0);
  // A start with one that has expired goes on: the clock may be wrong, and clients may not care.
  authority.issue_expired("node_1", "DNS:node_1");
  server.start_ready();
  CHECK(server.log().find("# tls-cert-file node_1.pem (CN=node_1) has EXPIRED, on 2020-02-01") != std::string::npos);
  CHECK(server.info("tls_cert_days_left").starts_with("-"));
}

}  // namespace wh::testing
