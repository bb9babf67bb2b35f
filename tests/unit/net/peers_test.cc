#include "net/peers.h"

#include <cerrno>
#include <sys/socket.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "peers_fixture.h"

using namespace wh;
using namespace wh::net;
using namespace wh::net::test;

TEST_CASE("messages go both ways, in order, between nodes that know each other") {
  Loop loop;
  Couple nodes(loop);
  CHECK(nodes.a.connects == std::vector{instance(2)});
  for (uint64_t i = 0; i < 1000; ++i) {
    CHECK(nodes.a.transport->send(instance(2), numbered(i)));
    CHECK(nodes.b.transport->send(instance(1), numbered(5000 + i)));
  }
  REQUIRE(run_until(loop, [&] { return nodes.a.messages.size() == 1000 && nodes.b.messages.size() == 1000; }));
  for (uint64_t i = 0; i < 1000; ++i) {
    CHECK(nodes.b.messages[i] == std::pair(instance(1), numbered(i)));
    CHECK(nodes.a.messages[i] == std::pair(instance(2), numbered(5000 + i)));
  }
}

TEST_CASE("messages of many megabytes arrive whole") {
  Loop loop;
  Couple nodes(loop);
  for (uint64_t i = 0; i < 6; ++i) CHECK(nodes.a.transport->send(instance(2), numbered(i, 5 << 20)));
  REQUIRE(run_until(loop, [&] { return nodes.b.messages.size() == 6; }));
  for (uint64_t i = 0; i < 6; ++i) CHECK(nodes.b.messages[i].second == numbered(i, 5 << 20));
}

TEST_CASE("without a connection nothing is sent, and the sender is told") {
  Loop loop;
  TestNode a(loop, 1, 7);
  TestNode b(loop, 2, 7);
  CHECK_FALSE(a.transport->send(instance(2), numbered(1)));
  a.transport->set_peers({b.as_peer()});
  CHECK_FALSE(a.transport->send(instance(2), numbered(2)));
  REQUIRE(run_until(loop, [&] { return a.connected_to(b); }));
  CHECK(a.transport->send(instance(2), numbered(3)));
  REQUIRE(run_until(loop, [&] { return !b.messages.empty(); }));
  CHECK(b.messages.front().second == numbered(3));
  CHECK_FALSE(b.connected_to(a));  // b was told of nobody
  CHECK_FALSE(a.transport->send(instance(2), numbered(4, wire::kMaxPayloadBytes + 1)));
  CHECK(a.connected_to(b));
}

TEST_CASE("a peer's identity is told with the host it came from, where it names none") {
  Loop loop;
  Couple nodes(loop);
  REQUIRE(run_until(loop, [&] { return !nodes.a.identities.empty(); }));
  const auto& [id, identity] = nodes.a.identities.front();
  CHECK(id == instance(2));
  CHECK(identity.raft_address == nodes.b.address());
  CHECK(identity.http_address == "127.0.0.1:8080");
  CHECK(identity.https_address.empty());
  CHECK(identity.name == "n2");
}

TEST_CASE("HAZARDS D10: a node of another cluster is refused, with both clusters named, and logged once") {
  Loop loop;
  LogCapture log;
  TestNode a(loop, 1, 7);
  TestNode b(loop, 2, 8);
  a.transport->set_peers({b.as_peer()});
  REQUIRE(run_until(loop, [&] { return a.refusals.size() >= 3; }));
  const TestNode::Refused& refused = a.refusals.front();
  CHECK(refused.id == instance(2));
  CHECK(refused.sentence.find("node n2 (instance 0000000000000002) is in cluster 08") == 0);
  CHECK(refused.sentence.find("node n1 (instance 0000000000000001) is in cluster 07") != std::string::npos);
  CHECK(refused.theirs.identity.cluster == cluster(8));
  CHECK(refused.theirs.identity.raft_address == b.address());
  CHECK(refused.theirs.standing == node::Standing::member);
  CHECK(a.connects.empty());
  CHECK(b.identities.empty());
  CHECK(log.count("A connection from 127.0.0.1 was refused") == 1);
  CHECK(log.count("Node n2 at " + b.address() + " refused the connection") == 1);
}

TEST_CASE("a node in no cluster takes no peers, not even from no cluster") {
  Loop loop;
  TestNode a(loop, 1, 0);
  TestNode b(loop, 2, 0);
  a.transport->set_peers({b.as_peer()});
  REQUIRE(run_until(loop, [&] { return !a.refusals.empty(); }));
  CHECK(a.refusals.front().sentence.find("is in no cluster yet") != std::string::npos);
}

TEST_CASE("HAZARDS D9: an address where another instance listens is refused, with both names") {
  Loop loop;
  TestNode a(loop, 1, 7);
  TestNode b(loop, 2, 7);
  a.transport->set_peers({{.id = instance(3), .name = "n3", .raft_address = b.address()}});
  REQUIRE(run_until(loop, [&] { return !a.refusals.empty(); }));
  CHECK(a.refusals.front().id == instance(3));
  CHECK(a.refusals.front().sentence ==
        "node n2 (instance 0000000000000002) listens here, not node n3 (instance 0000000000000003) whom node n1 "
        "(instance 0000000000000001) looks for");
  CHECK(a.refusals.front().theirs.identity.instance == instance(2));
}

TEST_CASE("HAZARDS A16, D9: who was removed is cut off and told so at each try, until it is a member of a later time") {
  Loop loop;
  TestNode a(loop, 1, 7);
  TestNode b(loop, 2, 7);
  const auto at = [](uint64_t term, uint64_t index) { return raft::Position{raft::Term{term}, raft::Index{index}}; };
  a.transport->set_membership({.member_as_of = at(2, 8), .removed = {}, .removed_as_of = {}});
  a.transport->set_peers({b.as_peer()});
  b.transport->set_peers({a.as_peer()});
  REQUIRE(run_until(loop, [&] { return a.connected_to(b) && b.connected_to(a); }));
  b.transport->set_membership(
      {.member_as_of = at(3, 9), .removed = {instance(9), instance(1)}, .removed_as_of = at(3, 9)});
  REQUIRE(run_until(loop, [&] { return a.removals.size() >= 2; }));
  CHECK(a.removals.front() == std::pair(instance(2), at(3, 9)));
  CHECK(a.refusals.empty());
  CHECK_FALSE(a.connected_to(b));
  CHECK(b.connected_to(a));  // it may have to be told more
  // Added again, of which the other has not heard.
  a.transport->set_membership({.member_as_of = at(3, 10), .removed = {}, .removed_as_of = {}});
  REQUIRE(run_until(loop, [&] { return a.connected_to(b); }));
  b.transport->set_membership({.member_as_of = at(3, 9), .removed = {instance(1)}, .removed_as_of = at(3, 9)});
  a.transport->send(instance(2), raft::TimeoutNow{.term = raft::Term{3}});
  CHECK(run_until(loop, [&] { return !b.messages.empty(); }));
}

TEST_CASE("a removal is believed of the own cluster only") {
  Loop loop;
  wire::HelloReply reply;
  reply.refusal = wire::Refusal::removed;
  reply.sentence = "you were removed";
  reply.receiver.identity = identity_of(2, 8);
  reply.removed_as_of = {raft::Term{9}, raft::Index{9}};
  StrangePort port(loop, first_frame(reply));
  TestNode a(loop, 1, 7);
  a.transport->set_peers({{.id = instance(2), .name = "n2", .raft_address = port.address()}});
  REQUIRE(run_until(loop, [&] { return !a.refusals.empty(); }));
  CHECK(a.removals.empty());
}

TEST_CASE("a reply from another than was meant is no connection, even when it accepts") {
  Loop loop;
  wire::HelloReply reply;
  reply.receiver.identity = identity_of(9, 7);
  StrangePort port(loop, first_frame(reply));
  TestNode a(loop, 1, 7);
  a.transport->set_peers({{.id = instance(2), .name = "n2", .raft_address = port.address()}});
  REQUIRE(run_until(loop, [&] { return !a.refusals.empty(); }));
  CHECK(a.refusals.front().sentence.find("node n9 answers at") == 0);
  CHECK(a.connects.empty());
}

TEST_CASE("hellos that cannot be right are refused with a reason") {
  Loop loop;
  TestNode a(loop, 1, 7);
  wire::Hello version = hello_from(2, 7, 1);
  version.min_version = 8;
  version.max_version = 9;
  const std::vector<std::pair<wire::Hello, wire::Refusal>> cases = {
      {version, wire::Refusal::version},
      {hello_from(1, 7, 1), wire::Refusal::sender},
      {hello_from(0, 7, 1), wire::Refusal::sender},
      {hello_from(2, 7, 0), wire::Refusal::instance},
      {hello_from(2, 7, 3), wire::Refusal::instance},
      {hello_from(2, 8, 1), wire::Refusal::cluster},
      {hello_from(2, 0, 1), wire::Refusal::cluster},
      {hello_from(2, 7, 3, wire::Purpose::ask), wire::Refusal::instance},
  };
  for (const auto& [hello, refusal] : cases) {
    Stranger stranger(loop, a.port(), first_frame(hello));
    REQUIRE(run_until(loop, [&] { return stranger.closed(); }));
    const std::optional<wire::HelloReply> reply = reply_in(stranger.seen.data);
    REQUIRE(reply);
    CHECK(reply->refusal == refusal);
    CHECK_FALSE(reply->sentence.empty());
    CHECK(reply->receiver.identity.name == "n1");
  }
  CHECK(a.identities.empty());
}

TEST_CASE("connections are secured and callers objected to as the options say") {
  Loop loop;
  TestNode a(loop, 1, 7);
  TestNode b(loop, 2, 7);
  std::vector<std::string> names;
  bool strict = true;
  PeerOptions options;
  options.secure = [&](std::unique_ptr<ByteStream> stream, const std::string& name) {
    names.push_back(name);
    return stream;
  };
  options.authorize_dialer = [&](const ByteStream& stream, const node::Identity& sender) -> Status {
    if (strict) return Error{sender.name + " from " + stream.peer_address() + " shows no certificate"};
    return ok_status();
  };
  a.transport = std::make_unique<PeerTransport>(loop, a, options);
  a.identify(7);
  a.transport->set_peers({b.as_peer()});
  b.transport->set_peers({a.as_peer()});
  REQUIRE(run_until(loop, [&] { return a.connected_to(b) && !b.refusals.empty(); }));
  CHECK(names == std::vector<std::string>{"n2"});
  CHECK(b.refusals.front().sentence == "n2 from 127.0.0.1 shows no certificate");
  strict = false;
  CHECK(run_until(loop, [&] { return b.connected_to(a); }));
}

TEST_CASE("a peer whose process is gone is lost, once; when it is back it is connected again") {
  Loop loop;
  Couple nodes(loop);
  const uint16_t port = nodes.b.port();
  nodes.b.transport.reset();
  nodes.b.listener.reset();
  REQUIRE(run_until(loop, [&] { return !nodes.a.losses.empty(); }));
  CHECK(nodes.a.losses == std::vector{instance(2)});
  CHECK_FALSE(nodes.a.connected_to(nodes.b));
  run_for(loop, 300);
  CHECK(nodes.a.losses.size() == 1);
  TestNode again(loop, 2, 7, port);
  REQUIRE(run_until(loop, [&] { return nodes.a.connects.size() == 2; }));
  CHECK(nodes.a.transport->send(instance(2), numbered(1)));
  CHECK(run_until(loop, [&] { return again.messages.size() == 1; }));
  CHECK(nodes.a.losses.size() == 1);
}

TEST_CASE("a connection that stood for a while is dialled again at once when it dies") {
  Loop loop;
  Couple nodes(loop);
  run_for(loop, PeerTransport::kStableMs + 50);
  nodes.b.transport.reset();
  nodes.b.listener.reset();
  const Millis start = loop.now();
  REQUIRE(run_until(loop, [&] { return !nodes.a.losses.empty(); }));
  CHECK(loop.now() - start < PeerTransport::kMinBackoffMs);
}

TEST_CASE("a peer that was never there is not lost") {
  Loop loop;
  TestNode a(loop, 1, 7);
  std::string address;
  {
    TestNode b(loop, 2, 7);
    address = b.address();
  }
  a.transport->set_peers({{.id = instance(2), .name = "n2", .raft_address = address}});
  run_for(loop, 300);
  CHECK(a.losses.empty());
  CHECK(a.connects.empty());
}

TEST_CASE("a connection that dies while its address still listens is no loss") {
  Loop loop;
  Couple nodes(loop);
  nodes.b.transport.reset();
  nodes.b.transport = std::make_unique<PeerTransport>(loop, nodes.b, PeerOptions{});
  nodes.b.identify(7);
  REQUIRE(run_until(loop, [&] { return nodes.a.connects.size() == 2; }));
  CHECK(nodes.a.losses.empty());
}

TEST_CASE("HAZARDS G11: redials become rarer, up to a limit, and are not all at the same time") {
  Loop loop;
  StrangePort port(loop, "-ERR unknown command\r\n");
  TestNode a(loop, 1, 7);
  a.transport->set_peers({{.id = instance(2), .name = "n2", .raft_address = port.address()}});
  run_for(loop, 1'500);
  CHECK(port.streams.size() >= 4);
  CHECK(port.streams.size() <= 9);
}

TEST_CASE("HAZARDS G8: of two connections of one peer the newer counts, and the older delivers nothing more") {
  Loop loop;
  TestNode a(loop, 1, 7);
  Stranger older(loop, a.port(), first_frame(hello_from(2, 7, 1)) + framed(numbered(1)));
  REQUIRE(run_until(loop, [&] { return a.messages.size() == 1; }));
  Stranger newer(loop, a.port(), first_frame(hello_from(2, 7, 1)));
  REQUIRE(run_until(loop, [&] { return a.identities.size() == 2; }));
  older.stream->write(framed(numbered(2)));
  newer.stream->write(framed(numbered(3)));
  REQUIRE(run_until(loop, [&] { return older.closed() && a.messages.size() == 2; }));
  CHECK(a.messages.back().second == numbered(3));
  Stranger other(loop, a.port(), first_frame(hello_from(3, 7, 1)) + framed(numbered(4)));
  REQUIRE(run_until(loop, [&] { return a.messages.size() == 3; }));
  CHECK_FALSE(newer.closed());
}

TEST_CASE("HAZARDS G5, G1, G4: what is not the protocol is closed without an answer, and touches nobody else") {
  Loop loop;
  LogCapture log;
  Couple nodes(loop);
  const std::string magic(wire::kMagic);
  std::string bad_crc = first_frame(hello_from(9, 7, 1));
  bad_crc.back() = static_cast<char>(bad_crc.back() ^ 1);
  const std::vector<std::string> garbage = {
      "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
      std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11),
      "*1\r\n$4\r\nPING\r\n",
      "PING\r\n",
      magic + "\xff\xff\xff\xff",
      magic + std::string("\x01\x10\x00\x00", 4),
      magic + std::string(8, '\0'),
      bad_crc,
      magic + framed(numbered(1)),
      magic + framed(node::Ask(node::WhoAreYou{})),
  };
  for (const std::string& bytes : garbage) {
    Stranger stranger(loop, nodes.a.port(), bytes);
    REQUIRE(run_until(loop, [&] { return stranger.closed(); }));
    CHECK(stranger.seen.data.empty());
  }
  CHECK(log.count("not the protocol of this port") == 1);
  CHECK(nodes.a.messages.empty());
  CHECK(nodes.a.questions.empty());
  CHECK(nodes.b.transport->send(instance(1), numbered(1)));
  CHECK(run_until(loop, [&] { return nodes.a.messages.size() == 1; }));
  CHECK(nodes.b.connects.size() == 1);
}

TEST_CASE("HAZARDS G4, A14: after the hello too, a damaged frame or a malformed message ends the connection") {
  Loop loop;
  TestNode a(loop, 1, 7);
  std::string flipped = framed(numbered(1));
  flipped.back() = static_cast<char>(flipped.back() ^ 1);
  std::string inflated;
  wire::FrameWriter w(inflated, wire::FrameType::timeout_now);
  w.fields().u64(UINT64_MAX);
  REQUIRE(w.finish());
  for (const std::string& bytes : {flipped, inflated, framed(hello_from(2, 7, 1)), framed(node::Ask(node::WhoAreYou{})),
                                   std::string("\xff\xff\xff\xff")}) {
    const size_t before = a.identities.size();
    Stranger stranger(loop, a.port(), first_frame(hello_from(2, 7, 1)));
    REQUIRE(run_until(loop, [&] { return a.identities.size() == before + 1; }));
    stranger.stream->write(bytes);
    REQUIRE(run_until(loop, [&] { return stranger.closed(); }));
  }
  CHECK(a.messages.empty());
}

TEST_CASE("HAZARDS G3: a hello and messages that drip in byte by byte are understood") {
  Loop loop;
  TestNode a(loop, 1, 7);
  const std::string bytes = first_frame(hello_from(2, 7, 1)) + framed(numbered(1)) + framed(numbered(2));
  Stranger stranger(loop, a.port(), "");
  size_t sent = 0;
  loop.set_turn_hook([&] {
    if (stranger.stream && sent < bytes.size()) stranger.stream->write(bytes.substr(sent++, 1));
  });
  REQUIRE(run_until(loop, [&] { return a.messages.size() == 2; }));
  loop.set_turn_hook({});
  CHECK(a.messages.back().second == numbered(2));
}

TEST_CASE("connections without a hello are bounded, the oldest goes first") {
  Loop loop;
  TestNode a(loop, 1, 7);
  std::vector<std::unique_ptr<Stranger>> strangers;
  const auto connect = [&] {
    strangers.push_back(std::make_unique<Stranger>(loop, a.port(), ""));
    REQUIRE(run_until(loop, [&] { return strangers.back()->stream != nullptr; }));
  };
  for (size_t i = 0; i < PeerTransport::kMaxGreeting; ++i) connect();
  run_for(loop, 50);
  CHECK_FALSE(strangers[0]->closed());
  connect();
  REQUIRE(run_until(loop, [&] { return strangers[0]->closed(); }));
  CHECK_FALSE(strangers[1]->closed());
  strangers[1]->stream->write(first_frame(hello_from(2, 7, 1)));
  CHECK(run_until(loop, [&] { return a.identities.size() == 1; }));
}

namespace {

// Connections whose other end is an address of this machine that one chooses.
struct Elsewhere {
  Elsewhere(const char* from, uint16_t port) : fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    REQUIRE(::bind(fd, Address::parse(from, 0)->raw(), sizeof(sockaddr_in)) == 0);
    REQUIRE(::connect(fd, Address::parse("127.0.0.1", port)->raw(), sizeof(sockaddr_in)) == 0);
  }
  ~Elsewhere() { ::close(fd); }
  Elsewhere(const Elsewhere&) = delete;
  Elsewhere& operator=(const Elsewhere&) = delete;
  [[nodiscard]] bool closed() const {
    char byte = 0;
    return ::recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
  }
  int fd;
};

}  // namespace

TEST_CASE("HAZARDS G11: strangers take no place from who comes from a member's address, nor one from who has greeted") {
  Loop loop;
  TestNode a(loop, 1, 7, 0, "secret");
  TestNode member(loop, 2, 7, 0, "secret");
  a.transport->set_peers({member.as_peer()});  // at 127.0.0.1
  REQUIRE(run_until(loop, [&] { return a.connected_to(member); }));
  Elsewhere silent_member("127.0.0.1", a.port());
  run_for(loop, 20);
  std::vector<std::unique_ptr<Elsewhere>> strangers;
  // Greets, and owes a proof.
  Elsewhere greeted("127.0.0.2", a.port());
  const std::string hello = first_frame(hello_from(3, 7, 1));
  REQUIRE(::send(greeted.fd, hello.data(), hello.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(hello.size()));
  run_for(loop, 20);
  for (size_t i = 0; i < 3 * PeerTransport::kMaxGreeting; ++i) {
    strangers.push_back(std::make_unique<Elsewhere>("127.0.0.2", a.port()));
    if (i % 50 == 0) run_for(loop, 5);
  }
  REQUIRE(run_until(loop, [&] { return a.transport->evicted() == 2 * PeerTransport::kMaxGreeting; }));
  run_for(loop, 20);
  CHECK_FALSE(silent_member.closed());
  char reply = 0;
  CHECK(::recv(greeted.fd, &reply, 1, MSG_DONTWAIT | MSG_PEEK) == 1);
  CHECK(strangers.front()->closed());
  CHECK_FALSE(strangers.back()->closed());
  CHECK(a.connected_to(member));
}

TEST_CASE("HAZARDS G11: peers that are no known members are bounded, the oldest gives way; known ones never do") {
  Loop loop;
  TestNode a(loop, 1, 7);
  TestNode member(loop, 2, 7);
  a.transport->set_peers({member.as_peer()});
  member.transport->set_peers({a.as_peer()});
  REQUIRE(run_until(loop, [&] { return member.connected_to(a) && a.identities.size() == 1; }));
  std::vector<std::unique_ptr<Stranger>> unknown;
  for (size_t i = 0; i <= PeerTransport::kMaxUnknownPeers; ++i) {
    unknown.push_back(std::make_unique<Stranger>(loop, a.port(), first_frame(hello_from(100 + i, 7, 1))));
    REQUIRE(run_until(loop, [&] { return a.identities.size() == i + 2; }));
  }
  REQUIRE(run_until(loop, [&] { return unknown[0]->closed(); }));
  CHECK_FALSE(unknown[1]->closed());
  CHECK(member.connected_to(a));
  CHECK(member.transport->send(instance(1), numbered(1)));
  CHECK(run_until(loop, [&] { return a.messages.size() == 1; }));
}

TEST_CASE("HAZARDS G11: in plain who says nothing is closed soon") {
  Loop loop;
  TestNode a(loop, 1, 7);
  const Millis begun = loop.now();
  Stranger silent(loop, a.port(), "");
  REQUIRE(run_until(loop, [&] { return silent.closed(); }));
  CHECK(loop.now() - begun < PeerTransport::kHelloTimeoutMs);
}

TEST_CASE("HAZARDS H19: what the manual says is kept beside maxclients is what is kept") {
  CHECK(Descriptors(PeerTransport::kMaxInbound).reserved() == 672);
}

TEST_CASE("set_peers: new ones are dialled, missing ones closed, moved ones dialled where they are now") {
  Loop loop;
  TestNode a(loop, 1, 7);
  TestNode b(loop, 2, 7);
  TestNode c(loop, 3, 7);
  a.transport->set_peers({b.as_peer()});
  REQUIRE(run_until(loop, [&] { return a.connected_to(b); }));
  a.transport->set_peers({b.as_peer(), c.as_peer()});
  REQUIRE(run_until(loop, [&] { return a.connected_to(c); }));
  CHECK(a.connects == std::vector{instance(2), instance(3)});  // b's connection stayed
  a.transport->set_peers({c.as_peer()});
  CHECK_FALSE(a.connected_to(b));
  CHECK_FALSE(a.transport->send(instance(2), numbered(1)));
  CHECK(a.transport->send(instance(3), numbered(1)));

  TestNode moved(loop, 3, 7);
  a.transport->set_peers({moved.as_peer()});
  CHECK_FALSE(a.connected_to(c));
  REQUIRE(run_until(loop, [&] { return a.connected_to(moved); }));
  CHECK(a.transport->send(instance(3), numbered(2)));
  REQUIRE(run_until(loop, [&] { return moved.messages.size() == 1; }));
  CHECK(moved.messages.front().second == numbered(2));

  a.transport->set_peers({{.id = instance(3), .name = "renamed", .raft_address = moved.address()}});
  CHECK(a.connected_to(moved));
  a.transport->set_peers({});
  CHECK_FALSE(a.connected_to(moved));
  CHECK(a.losses.empty());
}

TEST_CASE("an address that is none is not dialled until it is mended") {
  Loop loop;
  LogCapture log;
  TestNode a(loop, 1, 7);
  TestNode b(loop, 2, 7);
  for (const char* const bad : {"", "host", ":1112", "host:", "host:0", "host:70000", "::1:5"}) {
    a.transport->set_peers({{.id = instance(2), .name = "n2", .raft_address = bad}});
    run_for(loop, 5);
  }
  CHECK(log.count("is not host:port") == 1);
  a.transport->set_peers({b.as_peer()});
  CHECK(run_until(loop, [&] { return a.connected_to(b); }));
}

TEST_CASE("another cluster closes the connections of the old one, a mere change of address does not") {
  Loop loop;
  Couple nodes(loop);
  node::Identity moved = identity_of(1, 7, "elsewhere:1");
  nodes.a.transport->set_identity(moved, node::Standing::member);
  CHECK(nodes.a.connected_to(nodes.b));
  nodes.a.identify(8);
  CHECK_FALSE(nodes.a.connected_to(nodes.b));
  REQUIRE(run_until(loop, [&] { return !nodes.a.refusals.empty() && !nodes.b.refusals.empty(); }));
  nodes.b.identify(8);
  REQUIRE(run_until(loop, [&] { return nodes.a.connected_to(nodes.b) && nodes.b.connected_to(nodes.a); }));
  CHECK(nodes.a.transport->send(instance(2), numbered(1)));
  CHECK(run_until(loop, [&] { return nodes.b.messages.size() == 1; }));
}

TEST_CASE("before it has an identity the transport dials nobody and takes nobody in") {
  Loop loop;
  TestNode a(loop, 1, 7);
  TestNode b(loop, 2, 7);
  a.transport = std::make_unique<PeerTransport>(loop, a, PeerOptions{});
  a.transport->set_peers({b.as_peer()});
  Stranger stranger(loop, a.port(), first_frame(hello_from(2, 7, 1)));
  REQUIRE(run_until(loop, [&] { return stranger.closed(); }));
  CHECK(stranger.seen.data.empty());
  a.identify(7);
  CHECK(run_until(loop, [&] { return a.connected_to(b); }));
}

TEST_CASE("an address without a host gets that of the connection") {
  std::string address = ":5";
  fill_host(address, "10.0.0.1");
  CHECK(address == "10.0.0.1:5");
  address = ":5";
  fill_host(address, "fe80::1");
  CHECK(address == "[fe80::1]:5");
  fill_host(address, "10.0.0.1");
  CHECK(address == "[fe80::1]:5");
  address.clear();
  fill_host(address, "10.0.0.1");
  CHECK(address.empty());
  // Loopback means nothing to another machine.
  for (const char* const loopback : {"127.0.0.1:5", "[::1]:5", "localhost:5"}) {
    address = loopback;
    fill_host(address, "127.0.0.1");
    CHECK(address == loopback);
    fill_host(address, "10.0.0.1");
    CHECK(address == "10.0.0.1:5");
  }
}
