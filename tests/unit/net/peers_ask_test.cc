// PeerTransport's questions and answers.
#include <algorithm>

#include <doctest/doctest.h>

#include "net/peers.h"
#include "peers_fixture.h"

using namespace wh;
using namespace wh::net;
using namespace wh::net::test;

TEST_CASE("a question is answered, whatever the clusters, and addresses without a host are filled in") {
  Loop loop;
  TestNode a(loop, 1, 0);
  TestNode b(loop, 2, 8);
  b.answer_with =
      node::WhoIAm{.identity = identity_of(2, 8, ":22"), .standing = node::Standing::member, .leader_address = ":33"};
  a.transport->ask(5, b.address(), node::WhoAreYou{});
  REQUIRE(run_until(loop, [&] { return a.answers.size() == 1; }));
  CHECK(a.answers[0].first == 5);
  REQUIRE(a.answers[0].second.ok());
  const auto* who = std::get_if<node::WhoIAm>(&*a.answers[0].second);
  REQUIRE(who != nullptr);
  CHECK(who->identity.raft_address == "127.0.0.1:22");
  CHECK(who->identity.http_address == "127.0.0.1:8080");
  CHECK(who->leader_address == "127.0.0.1:33");
  CHECK(b.questions.front().from == "127.0.0.1");

  b.answer_with = node::TakenIn{.accepted = false, .leader_address = ":44", .why = "ask there"};
  a.transport->ask(6, b.address(), node::TakeMeIn{.who = identity_of(1, 0, ":11")});
  REQUIRE(run_until(loop, [&] { return a.answers.size() == 2; }));
  CHECK(*a.answers[1].second ==
        node::Answer(node::TakenIn{.accepted = false, .leader_address = "127.0.0.1:44", .why = "ask there"}));
  CHECK(std::get<node::TakeMeIn>(b.questions[1].question).who.raft_address == "127.0.0.1:11");

  b.answer_with = node::FoundingGranted{.granted = true, .why = ""};
  a.transport->ask(7, b.address(), node::GrantFounding{.founder = identity_of(1, 0, "host:11"), .attempt = 3});
  REQUIRE(run_until(loop, [&] { return a.answers.size() == 3; }));
  CHECK(*a.answers[2].second == *b.answer_with);
  CHECK(std::get<node::GrantFounding>(b.questions[2].question).founder.raft_address == "host:11");

  b.answer_with = node::Adopted{.ok = false, .why = "it holds data"};
  a.transport->ask(8, b.address(), node::Adopt{.cluster = cluster(7), .instance = instance(2), .leader_name = "n1"});
  REQUIRE(run_until(loop, [&] { return a.answers.size() == 4; }));
  CHECK(*a.answers[3].second == *b.answer_with);
}

TEST_CASE("all addresses of a name are told, each once, as numbers") {
  Loop loop;
  TestNode a(loop, 1, 7);
  const std::vector<std::pair<std::string, std::string>> literals = {
      {"127.0.0.1:11", "127.0.0.1:11"},
      {"[::1]:11", "[::1]:11"},
      {"[0:0:0:0:0:0:0:1]:11", "[::1]:11"},
      {"[::ffff:10.0.0.1]:11", "10.0.0.1:11"},
  };
  for (size_t i = 0; i < literals.size(); ++i) {
    a.transport->resolve(i, literals[i].first);
    CHECK(a.names.size() == i);  // never from inside
    REQUIRE(run_until(loop, [&] { return a.names.size() == i + 1; }));
    CHECK(a.names[i].first == i);
    REQUIRE(a.names[i].second.ok());
    CHECK(*a.names[i].second == std::vector{literals[i].second});
  }
  a.names.clear();
  a.transport->resolve(21, "localhost:11");
  a.transport->resolve(22, "localhost:12");
  a.transport->resolve(23, "no-such-name.invalid:11");
  a.transport->resolve(24, "no port");
  REQUIRE(run_until(loop, [&] { return a.names.size() == 4; }));
  for (const auto& [request, addresses] : a.names) {
    CAPTURE(request);
    CHECK(addresses.ok() == (request < 23));
    if (!addresses) continue;
    CHECK_FALSE(addresses->empty());
    CHECK(addresses->size() <= node::kMaxAddressesOfName);
    for (const std::string& address : *addresses) {
      CHECK(std::count(addresses->begin(), addresses->end(), address) == 1);
      CHECK(address.ends_with(request == 21 ? ":11" : ":12"));
    }
  }
}

TEST_CASE("who speaks version 2 is answered in version 2") {
  Loop loop;
  TestNode a(loop, 1, 0);
  a.answer_with = node::WhoIAm{.identity = identity_of(1, 0, "me:1"), .view = node::FoundingView{{instance(1)}, "x"}};
  for (const uint16_t version : {uint16_t{2}, wire::kMaxVersion}) {
    CAPTURE(version);
    wire::Hello hello = hello_from(2, 0, 0, wire::Purpose::ask);
    hello.max_version = version;
    Stranger asker(loop, a.port(), first_frame(hello) + framed(node::Ask(node::WhoAreYou{})));
    REQUIRE(run_until(loop, [&] { return asker.closed(); }));
    const std::optional<wire::HelloReply> reply = reply_in(asker.seen.data);
    REQUIRE(reply);
    CHECK(reply->version == version);
    wire::FrameDecoder decoder(wire::kMaxHelloBytes);
    decoder.push(asker.seen.data);
    REQUIRE(decoder.next());
    const std::optional<wire::Frame> answer = decoder.next();
    REQUIRE(answer);
    CHECK(answer->type == (version == 2 ? wire::FrameType::who_i_am : wire::FrameType::who_i_am_3));
  }
}

TEST_CASE("a node can ask itself, and ask while it is being asked") {
  Loop loop;
  TestNode a(loop, 1, 7);
  a.answer_with = node::WhoIAm{.identity = identity_of(1, 7, "me:1")};
  a.transport->ask(1, a.address(), node::WhoAreYou{});
  a.transport->ask(2, a.address(), node::WhoAreYou{});
  REQUIRE(run_until(loop, [&] { return a.answers.size() == 2; }));
  for (const auto& [request, answer] : a.answers) {
    REQUIRE(answer.ok());
    CHECK(std::get<node::WhoIAm>(*answer).identity.name == "n1");
  }
}

TEST_CASE("an answer may come later") {
  Loop loop;
  TestNode a(loop, 1, 7);
  TestNode b(loop, 2, 8);
  a.transport->ask(1, b.address(), node::Adopt{});
  REQUIRE(run_until(loop, [&] { return b.questions.size() == 1; }));
  run_for(loop, 30);
  CHECK(a.answers.empty());
  b.transport->answer(b.questions[0].id, node::Adopted{.ok = true, .why = ""});
  b.transport->answer(b.questions[0].id, node::Adopted{.ok = false, .why = "twice"});
  REQUIRE(run_until(loop, [&] { return a.answers.size() == 1; }));
  CHECK(*a.answers[0].second == node::Answer(node::Adopted{.ok = true, .why = ""}));
}

TEST_CASE("an answer to one who is gone, or to nobody, is ignored") {
  Loop loop;
  TestNode a(loop, 1, 7);
  auto asker = std::make_unique<Stranger>(
      loop, a.port(), first_frame(hello_from(2, 8, 0, wire::Purpose::ask)) + framed(node::Ask(node::WhoAreYou{})));
  REQUIRE(run_until(loop, [&] { return a.questions.size() == 1; }));
  asker.reset();
  run_for(loop, 30);
  a.transport->answer(a.questions[0].id, node::WhoIAm{});
  a.transport->answer(12345, node::WhoIAm{});
  a.answer_with = node::WhoIAm{};
  a.transport->ask(1, a.address(), node::WhoAreYou{});
  CHECK(run_until(loop, [&] { return a.answers.size() == 1; }));
}

TEST_CASE("a question that cannot be asked says where and why, later, never from inside ask") {
  Loop loop;
  TestNode a(loop, 1, 7);
  std::string refused;
  {
    TestNode b(loop, 2, 7);
    refused = b.address();
  }
  StrangePort redis(loop, "-ERR unknown command\r\n");
  wire::HelloReply reply;
  StrangePort confused(loop, first_frame(reply) + framed(node::Answer(node::Adopted{})));
  a.transport->ask(1, "not an address", node::WhoAreYou{});
  a.transport->ask(2, refused, node::WhoAreYou{});
  a.transport->ask(3, redis.address(), node::WhoAreYou{});
  a.transport->ask(4, confused.address(), node::WhoAreYou{});
  a.transport->ask(5, confused.address(), node::TakeMeIn{.who = {.name = std::string(600, 'n')}});
  CHECK(a.answers.empty());
  REQUIRE(run_until(loop, [&] { return a.answers.size() == 5; }));
  std::map<uint64_t, std::string> errors;
  for (const auto& [request, answer] : a.answers) errors[request] = answer.error();
  CHECK(errors[1] == "could not ask not an address: that is not host:port");
  CHECK(errors[2].find(refused) != std::string::npos);
  CHECK(errors[2].find("refused") != std::string::npos);
  CHECK(errors[3].starts_with("could not ask " + redis.address() + ": it speaks an unknown protocol"));
  CHECK(errors[4] == "could not ask " + confused.address() + ": its answer makes no sense");
  CHECK(errors[5] == "could not ask " + confused.address() + ": the question is too large");
}

TEST_CASE("one who closes instead of answering is reported at once") {
  Loop loop;
  TestNode a(loop, 1, 7);
  TestNode b(loop, 2, 7);
  b.hook = [&](const std::string& what) {
    if (what == "asked") b.transport.reset();  // its listener is still there, but no second call comes
  };
  a.transport->ask(1, b.address(), node::Adopt{});
  REQUIRE(run_until(
      loop, [&] { return a.answers.size() == 1; }, 2'000));
  CHECK(a.answers[0].second.error().find("could not ask " + b.address() + ": ") == 0);
}

TEST_CASE("questions in progress are bounded; one too many is told so") {
  Loop loop;
  TestNode a(loop, 1, 7);
  TestNode b(loop, 2, 7);
  for (uint64_t i = 0; i < PeerTransport::kMaxQuestionsIn; ++i) a.transport->ask(i, b.address(), node::Adopt{});
  REQUIRE(run_until(loop, [&] { return b.questions.size() == PeerTransport::kMaxQuestionsIn; }));
  a.transport->ask(1000, b.address(), node::Adopt{});
  REQUIRE(run_until(loop, [&] { return a.answers.size() == 1; }));
  CHECK(a.answers[0].first == 1000);
  CHECK(a.answers[0].second.error().find("has too many questions to answer") != std::string::npos);
  for (const TestNode::Asked& question : b.questions) b.transport->answer(question.id, node::Adopted{});
  CHECK(run_until(loop, [&] { return a.answers.size() == 1 + PeerTransport::kMaxQuestionsIn; }));

  for (uint64_t i = 0; i <= PeerTransport::kMaxQuestionsOut; ++i)
    a.transport->ask(2000 + i, b.address(), node::Adopt{});
  a.answers.clear();
  REQUIRE(run_until(loop, [&] { return !a.answers.empty(); }));
  CHECK(a.answers[0].first == 2000 + PeerTransport::kMaxQuestionsOut);
  CHECK(a.answers[0].second.error().find("too many questions are under way") != std::string::npos);
}

TEST_CASE("an answer from a peer's address ends the wait for the next redial") {
  Loop loop;
  TestNode a(loop, 1, 7);
  TestNode b(loop, 2, 0);
  b.answer_with = node::Adopted{.ok = true, .why = ""};
  a.transport->set_peers({b.as_peer()});
  REQUIRE(run_until(loop, [&] { return a.refusals.size() >= 5; }));  // by now it waits for a second or two
  b.identify(7);
  const Millis start = loop.now();
  a.transport->ask(1, b.address(), node::Adopt{});
  REQUIRE(run_until(loop, [&] { return a.connected_to(b); }));
  CHECK(loop.now() - start < 300);
}
