#include "security/peer_access.h"

#include <doctest/doctest.h>

#include "../net/peers_fixture.h"
#include "../net/tls_fixture.h"

using namespace wh;
using namespace wh::security;
using namespace wh::net;
using namespace wh::net::test;

namespace {

// A node that says to be n<number>, behind a door with the certificate of `cert`; empty: without TLS.
struct DoorNode {
  DoorNode(Loop& loop, uint64_t number, const std::string& cert)
      : certificates(options, loop), door(options, loop, gate, certificates), gate(loop), node(loop, number, 7) {
    options.node_id = cert;
    options.tls_cluster = !cert.empty();
    if (options.tls_cluster) {
      const TlsFiles files = test::Certificates::get().files(cert);
      options.tls_cert_file = files.cert_file;
      options.tls_key_file = files.key_file;
      options.tls_ca_cert_file = files.ca_file;
    }
    const Status loaded = certificates.load();
    REQUIRE_MESSAGE(loaded.ok(), loaded.error());
    node.transport = std::make_unique<PeerTransport>(loop, node, door.transport_options(number));
    node.identify(7);
    node.answer_with = node::WhoIAm{.identity = identity_of(number, 7)};
  }
  void knows(const DoorNode& other) { node.transport->set_peers({other.node.as_peer()}); }

  config::Options options;
  security::Certificates certificates;
  PeerAccess door;
  HandshakeGate gate;
  TestNode node;
};

std::string answer_error(const TestNode& node) {
  return node.answers.empty() || node.answers.back().second.ok() ? std::string() : node.answers.back().second.error();
}

}  // namespace

TEST_CASE("members with certificates of one authority talk, and ask, under TLS") {
  Loop loop;
  DoorNode a(loop, 1, "n1");
  DoorNode b(loop, 2, "n2");
  a.knows(b);
  b.knows(a);
  REQUIRE(run_until(loop, [&] { return a.node.connected_to(b.node) && b.node.connected_to(a.node); }));
  CHECK(a.node.transport->send(instance(2), numbered(1, 3'000'000)));
  a.node.transport->ask(1, b.node.address(), node::WhoAreYou{});
  REQUIRE(run_until(loop, [&] { return b.node.messages.size() == 1 && a.node.answers.size() == 1; }));
  CHECK(a.node.answers[0].second.ok());
  // Its certificate says that it is one of them, so what it says of its cluster is believed.
  REQUIRE(b.node.members_met.size() == 1);
  CHECK(b.node.members_met[0].name == "n1");
  CHECK(a.door.cert_ends().at("n2") > seconds_since_1970());
  CHECK(a.gate.failures() + b.gate.failures() == 0);
}

TEST_CASE("HAZARDS G7: a certificate of the authority makes nobody another member: dialling, dialled, or asked") {
  Loop loop;
  LogCapture log;
  DoorNode a(loop, 1, "n1");
  DoorNode impostor(loop, 2, "n3");  // says to be n2
  a.knows(impostor);
  impostor.knows(a);
  a.node.transport->ask(1, impostor.node.address(), node::WhoAreYou{});
  REQUIRE(run_until(loop, [&] {
    return !impostor.node.refusals.empty() && !a.node.answers.empty() && log.count("is for n3, not for n2") > 0;
  }));
  CHECK(impostor.node.refusals[0].sentence.starts_with(
      "whoever calls itself node n2 shows a certificate for n3: a member's must carry its node-id"));
  CHECK(answer_error(a.node).find("whoever calls itself node n2 shows a certificate for n3") != std::string::npos);
  CHECK(a.node.connects.empty());
  CHECK(a.node.identities.empty());
  CHECK(a.node.messages.empty());
  CHECK(a.node.members_met.empty());
}

TEST_CASE("HAZARDS G7: a member cannot take another's instance with its own certificate") {
  Loop loop;
  DoorNode a(loop, 1, "n1");
  DoorNode b(loop, 2, "n2");
  DoorNode thief(loop, 3, "n3");
  a.knows(b);
  node::Identity stolen = identity_of(2, 7);
  stolen.name = "n3";
  thief.node.transport->set_identity(stolen, node::Standing::member);
  thief.knows(a);
  REQUIRE(run_until(loop, [&] { return !thief.node.refusals.empty(); }));
  CHECK(thief.node.refusals[0].sentence.find("is not that instance: it is node n2") != std::string::npos);
  CHECK(a.node.identities.empty());
}

TEST_CASE("one of two nodes speaks TLS: neither gets through, and both logs say what to mend") {
  Loop loop;
  LogCapture log;
  DoorNode secured(loop, 1, "n1");
  DoorNode plain(loop, 2, "");
  std::string refused;
  plain.gate.on_failure({});
  secured.gate.on_failure(
      [&](HandshakeGate::Lane, const std::string&, uint16_t, std::string_view why) { refused = std::string(why); });
  SUBCASE("the plain one dials") {
    plain.knows(secured);
    plain.node.transport->ask(1, secured.node.address(), node::WhoAreYou{});
    REQUIRE(
        run_until(loop, [&] { return !plain.node.answers.empty() && log.count("is lost: it speaks TLS only") > 0; }));
    CHECK(answer_error(plain.node).ends_with("tls-cluster must be the same on every node, and is no on this one"));
    CHECK(refused == "it speaks the protocol of raft-port, not TLS");
  }
  SUBCASE("the secured one dials") {
    secured.knows(plain);
    secured.node.transport->ask(1, plain.node.address(), node::WhoAreYou{});
    REQUIRE(run_until(loop, [&] { return !secured.node.answers.empty() && log.count("is lost: the other") > 0; }));
    CHECK(answer_error(secured.node).ends_with("tls-cluster must be the same on every node, and is yes on this one"));
    CHECK(log.count("it speaks TLS, not the protocol of this port; should it be a member: tls-cluster must") == 1);
  }
  CHECK(secured.node.connects.empty());
  CHECK(plain.node.connects.empty());
}
