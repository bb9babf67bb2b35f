#include "net/peer_secret.h"

#include <doctest/doctest.h>

#include "peers_fixture.h"

using namespace wh;
using namespace wh::net;
using namespace wh::net::test;

namespace {

wire::HelloReply reply_of(uint64_t number) {
  wire::HelloReply reply;
  reply.receiver.identity = identity_of(number, 7);
  reply.nonce = fresh_nonce();
  return reply;
}

}  // namespace

TEST_CASE("a proof depends on the secret, the end, the greeting, the challenge and who answers") {
  wire::HelloReply reply = reply_of(1);
  const wire::Proof proof = listener_proof("secret", "hello", reply);
  CHECK(same_proof(proof, listener_proof("secret", "hello", reply)));
  CHECK_FALSE(same_proof(proof, dialler_proof("secret", "hello", reply)));
  CHECK_FALSE(same_proof(proof, listener_proof("Secret", "hello", reply)));
  CHECK_FALSE(same_proof(proof, listener_proof("secret", "hellp", reply)));
  wire::HelloReply other = reply;
  other.nonce[15] ^= 1;
  CHECK_FALSE(same_proof(proof, listener_proof("secret", "hello", other)));
  other = reply;
  other.receiver.identity.instance = instance(2);
  CHECK_FALSE(same_proof(proof, listener_proof("secret", "hello", other)));
  CHECK(fresh_nonce() != fresh_nonce());
}

TEST_CASE("HAZARDS G6: nodes that hold the same secret talk, and ask") {
  Loop loop;
  TestNode a(loop, 1, 7, 0, "open sesame");
  TestNode b(loop, 2, 7, 0, "open sesame");
  b.answer_with = node::Adopted{.ok = true, .why = ""};
  a.transport->set_peers({b.as_peer()});
  REQUIRE(run_until(loop, [&] { return a.connected_to(b) && b.identities.size() == 1; }));
  CHECK(a.transport->send(instance(2), numbered(1)));
  a.transport->ask(1, b.address(), node::Adopt{});
  REQUIRE(run_until(loop, [&] { return b.messages.size() == 1 && a.answers.size() == 1; }));
  CHECK(a.answers[0].second.ok());
}

TEST_CASE("HAZARDS G6: every byte of a secret counts, short or long") {
  const wire::HelloReply reply = reply_of(1);
  for (const size_t size : {size_t{1}, size_t{2}, size_t{63}, size_t{64}, size_t{65}, size_t{4095}}) {
    CAPTURE(size);
    const std::string secret(size, 's');
    const wire::Proof proof = listener_proof(secret, "hello", reply);
    CHECK(same_proof(proof, listener_proof(secret, "hello", reply)));
    for (const size_t at : {size_t{0}, size / 2, size - 1}) {
      std::string other = secret;
      other[at] = 't';
      CHECK_FALSE(same_proof(proof, listener_proof(other, "hello", reply)));
    }
    CHECK_FALSE(same_proof(proof, listener_proof(secret + "s", "hello", reply)));
  }
  Loop loop;
  TestNode a(loop, 1, 7, 0, std::string(4095, 's'));
  TestNode b(loop, 2, 7, 0, std::string(4095, 's'));
  TestNode c(loop, 3, 7, 0, std::string(4094, 's') + "t");
  a.transport->set_peers({b.as_peer(), c.as_peer()});
  REQUIRE(run_until(loop, [&] { return a.connected_to(b); }));
  run_for(loop, 100);
  CHECK_FALSE(a.connected_to(c));
}

TEST_CASE("HAZARDS G6: with another secret, or only one of them with any, nothing gets through in either direction") {
  for (const auto& [ours, theirs] : {std::pair("one", "two"), std::pair("one", ""), std::pair("", "two")}) {
    Loop loop;
    LogCapture log;
    TestNode a(loop, 1, 7, 0, ours);
    TestNode b(loop, 2, 7, 0, theirs);
    a.transport->set_peers({b.as_peer()});
    a.transport->ask(1, b.address(), node::WhoAreYou{});
    REQUIRE(run_until(loop, [&] { return a.answers.size() == 1 && log.count("cluster-secret") >= 1; }));
    CHECK(a.answers[0].second.error().find("cluster-secret") != std::string::npos);
    run_for(loop, 100);
    CHECK(a.connects.empty());
    CHECK(a.refusals.empty());
    CHECK(b.messages.empty());
    CHECK(b.questions.empty());
    // One without a secret lets everybody in; it is the other that will not talk to it.
    if (!std::string(theirs).empty()) CHECK(b.identities.empty());
  }
}

TEST_CASE("HAZARDS G6: an impostor without the secret is closed before anything it says counts") {
  Loop loop;
  LogCapture log;
  TestNode a(loop, 1, 7, 0, "open sesame");
  const std::string hello = first_frame(hello_from(2, 7, 1));
  const std::string ask = first_frame(hello_from(2, 7, 1, wire::Purpose::ask));
  for (const std::string& bytes : {hello + framed(numbered(1)), hello + framed(wire::Proof{}) + framed(numbered(1)),
                                   ask + framed(node::Ask(node::WhoAreYou{})),
                                   ask + framed(wire::Proof{}) + framed(node::Ask(node::WhoAreYou{}))}) {
    Stranger stranger(loop, a.port(), bytes);
    REQUIRE(run_until(loop, [&] { return stranger.closed(); }));
  }
  CHECK(a.identities.empty());
  CHECK(a.messages.empty());
  CHECK(a.questions.empty());
  CHECK(log.count("does not prove that it holds the same cluster-secret") == 1);
}

TEST_CASE("HAZARDS G6: what a node proved once, and its own proof sent back, prove nothing") {
  Loop loop;
  TestNode a(loop, 1, 7, 0, "open sesame");
  const wire::Hello hello = hello_from(2, 7, 1);
  const std::string payload = framed(hello).substr(wire::kFrameHeaderBytes);
  Stranger honest(loop, a.port(), first_frame(hello));
  REQUIRE(run_until(loop, [&] { return reply_in(honest.seen.data).has_value(); }));
  const wire::HelloReply reply = *reply_in(honest.seen.data);
  CHECK(reply.demands_proof);
  CHECK(same_proof(reply.proof, listener_proof("open sesame", payload, reply)));
  const wire::Proof proof = dialler_proof("open sesame", payload, reply);
  honest.stream->write(framed(proof));
  REQUIRE(run_until(loop, [&] { return a.identities.size() == 1; }));
  for (const wire::Proof& replayed : {proof, reply.proof}) {
    Stranger thief(loop, a.port(), first_frame(hello) + framed(replayed));
    REQUIRE(run_until(loop, [&] { return thief.closed(); }));
  }
  Stranger mirror(loop, a.port(), first_frame(hello));
  REQUIRE(run_until(loop, [&] { return reply_in(mirror.seen.data).has_value(); }));
  mirror.stream->write(framed(reply_in(mirror.seen.data)->proof));
  REQUIRE(run_until(loop, [&] { return mirror.closed(); }));
  CHECK(a.identities.size() == 1);
  CHECK_FALSE(honest.closed());
}

TEST_CASE("HAZARDS D11: who asks and is of a cluster has met whom it asks, where it proves itself") {
  Loop loop;
  const auto met_by = [&](const char* secret, const char* asker_secret, uint8_t asker_cluster, bool answers = true) {
    TestNode empty(loop, 1, 0, 0, secret);
    empty.answer_with = node::WhoIAm{.identity = identity_of(1, 0)};
    TestNode asker(loop, 2, asker_cluster, 0, asker_secret);
    asker.transport->ask(1, empty.address(), node::WhoAreYou{});
    REQUIRE(run_until(loop, [&] { return !asker.answers.empty(); }));
    CHECK(asker.answers[0].second.ok() == answers);
    REQUIRE(empty.members_met.size() <= 1);
    if (empty.members_met.empty()) return uint64_t{0};
    CHECK(empty.members_met[0].cluster == cluster(asker_cluster));
    return empty.members_met[0].instance.value;
  };
  CHECK(met_by("secret", "secret", 7) == instance(2).value);
  CHECK(met_by("secret", "secret", 0) == 0);
  // Anybody could say it.
  CHECK(met_by("", "", 7) == 0);
  CHECK(met_by("secret", "another", 7, false) == 0);
}

TEST_CASE("HAZARDS D11: a greeting that says to be of a cluster, with a wrong proof or none, meets nobody") {
  Loop loop;
  TestNode empty(loop, 1, 0, 0, "secret");
  wire::Hello hello = hello_from(3, 7, 0, wire::Purpose::ask);
  Stranger silent(loop, empty.port(), first_frame(hello));
  REQUIRE(run_until(loop, [&] { return !silent.seen.data.empty(); }));
  CHECK(empty.members_met.empty());
  Stranger liar(loop, empty.port(), first_frame(hello) + framed(wire::Proof{}) + framed(node::Ask(node::WhoAreYou{})));
  REQUIRE(run_until(loop, [&] { return liar.closed(); }));
  CHECK(empty.members_met.empty());
  CHECK(empty.questions.empty());
}
