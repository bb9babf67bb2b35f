// PeerTransport with slow or silent peers, and its destruction at any moment.
#include <doctest/doctest.h>

#include "net/peers.h"
#include "peers_fixture.h"

using namespace wh;
using namespace wh::net;
using namespace wh::net::test;

namespace {

// Takes a peer in, as node 2 of cluster 7, and then reads nothing.
struct DeafPeer : StrangePort {
  explicit DeafPeer(Loop& loop) : StrangePort(loop, first_frame(reply())) {}
  static wire::HelloReply reply() {
    wire::HelloReply reply;
    reply.receiver.identity = identity_of(2, 7);
    return reply;
  }
  [[nodiscard]] node::Peer as_peer() const { return {.id = instance(2), .name = "n2", .raft_address = address()}; }
};

}  // namespace

TEST_CASE("HAZARDS G10: what waits for one peer is bounded, beyond it the connection is given up and made anew") {
  Loop loop;
  DeafPeer deaf(loop);
  TestNode a(loop, 1, 7);
  a.transport->set_peers({deaf.as_peer()});
  REQUIRE(run_until(loop, [&] { return a.connects.size() == 1; }));
  deaf.streams[0]->pause_reading();
  size_t taken = 0;
  constexpr size_t kSize = 4 << 20;
  while (taken < 40 && a.transport->send(instance(2), numbered(taken, kSize))) ++taken;
  CHECK(taken == PeerTransport::kMaxPendingBytes / kSize - 1);  // the frames' own bytes count too
  CHECK_FALSE(a.transport->connected(instance(2)));
  CHECK(run_until(loop, [&] { return a.connects.size() == 2; }));
  CHECK(a.losses.empty());
}

TEST_CASE("HAZARDS G9: a peer that takes no bytes for 3 s is cut and dialled again, one that is only idle is not") {
  Loop loop;
  DeafPeer deaf(loop);
  TestNode a(loop, 1, 7);
  TestNode idle(loop, 3, 7);
  a.transport->set_peers({deaf.as_peer(), idle.as_peer()});
  REQUIRE(run_until(loop, [&] { return a.connects.size() == 2; }));
  deaf.streams[0]->pause_reading();
  const Millis start = loop.now();
  for (uint64_t i = 0; i < 8; ++i) CHECK(a.transport->send(instance(2), numbered(i, 4 << 20)));
  REQUIRE(run_until(loop, [&] { return a.connects.size() == 3; }));
  CHECK(loop.now() - start >= 2'500);
  CHECK(loop.now() - start < 6'000);
  CHECK(a.connects.back() == instance(2));
  CHECK(a.connected_to(idle));
}

TEST_CASE("HAZARDS A12: deadlines wait for what a member has sent and is not read yet, not for a stranger's bytes") {
  Loop loop;
  TestNode a(loop, 1, 7);
  // As a TLS handshake takes any number of records that mean nothing, without an answer.
  struct Swallows final : ByteStream, StreamHandler {
    explicit Swallows(std::unique_ptr<ByteStream> stream) : inner(std::move(stream)) { inner->set_handler(this); }
    void set_handler(StreamHandler*) override {}
    void write(std::string_view) override {}
    void pause_reading() override {}
    void resume_reading() override {}
    void request_turn() override {}
    void close() override { inner->close(); }
    void abort() override { inner->abort(); }
    [[nodiscard]] size_t pending_bytes() const override { return 0; }
    [[nodiscard]] std::string peer_address() const override { return inner->peer_address(); }
    [[nodiscard]] std::string local_address() const override { return inner->local_address(); }
    [[nodiscard]] bool peer_is_loopback() const override { return true; }
    [[nodiscard]] bool is_tls() const override { return true; }
    [[nodiscard]] bool peer_is_verified() const override { return false; }
    [[nodiscard]] bool left_some() const override { return inner->left_some(); }
    void on_data(std::string_view bytes) override { swallowed += bytes.size(); }
    void on_end() override {}
    void on_drained() override {}
    void on_close(std::string_view) override {}
    std::unique_ptr<ByteStream> inner;
    size_t swallowed = 0;
  };
  Swallows* handshake = nullptr;
  bool strangers = false;
  PeerOptions options;
  options.secure = [](std::unique_ptr<ByteStream> stream, const std::string&) { return stream; };
  options.secure_accepted = [&](std::unique_ptr<ByteStream> stream, const PeerOptions::PlainAnswer&,
                                bool) -> std::unique_ptr<ByteStream> {
    if (!strangers) return stream;
    auto wrapped = std::make_unique<Swallows>(std::move(stream));
    handshake = wrapped.get();
    return wrapped;
  };
  a.transport = std::make_unique<PeerTransport>(loop, a, options);
  a.identify(7);
  TestNode b(loop, 2, 7);
  a.transport->set_peers({b.as_peer()});
  b.transport->set_peers({a.as_peer()});
  REQUIRE(run_until(loop, [&] { return b.connected_to(a) && a.connected_to(b); }));

  size_t held_turns = 0;
  size_t turns_left_by_b = 0;
  size_t turns_left_by_stranger = 0;
  loop.set_turn_hook([&] {
    held_turns += loop.held() ? 1 : 0;
    turns_left_by_b += a.transport->left_some(instance(2)) ? 1 : 0;
    turns_left_by_stranger += handshake != nullptr && handshake->left_some() ? 1 : 0;
    if (a.transport->left_some(instance(2))) CHECK(a.transport->left_some(raft::kNobody));
  });
  constexpr size_t kSize = 4 << 20;
  CHECK(b.transport->send(instance(1), numbered(1, kSize)));
  REQUIRE(run_until(loop, [&] { return a.messages.size() == 1; }));
  CHECK(turns_left_by_b > 0);
  CHECK(held_turns >= turns_left_by_b);

  strangers = true;
  held_turns = turns_left_by_b = 0;
  Stranger stranger(loop, a.port(), std::string(kSize, 'x'));
  REQUIRE(run_until(loop, [&] { return handshake != nullptr && handshake->swallowed == kSize; }));
  CHECK(turns_left_by_stranger > 0);
  CHECK(held_turns == 0);
  CHECK(turns_left_by_b == 0);
  CHECK_FALSE(a.transport->left_some(raft::kNobody));
  loop.set_turn_hook({});
}

TEST_CASE("silence is bounded: a hello that does not come, a reply that does not, an answer that does not") {
  Loop loop;
  StrangePort silent(loop, "");
  TestNode a(loop, 1, 7);
  Stranger stranger(loop, a.port(), "");
  Stranger slow(loop, a.port(), std::string(wire::kMagic) + "\x05");
  Stranger asker(loop, a.port(), first_frame(hello_from(2, 7, 0, wire::Purpose::ask)));
  a.transport->set_peers({{.id = instance(2), .name = "n2", .raft_address = silent.address()}});
  a.transport->ask(1, silent.address(), node::WhoAreYou{});
  a.transport->ask(2, silent.address(), node::Adopt{});
  const Millis start = loop.now();
  REQUIRE(run_until(loop, [&] { return a.answers.size() == 1; }));
  CHECK(loop.now() - start >= 2'900);
  CHECK(loop.now() - start < 4'500);
  CHECK(a.answers[0].first == 1);
  CHECK(a.answers[0].second.error() == "could not ask " + silent.address() + ": no answer in time");
  CHECK(silent.streams.size() == 3);
  REQUIRE(run_until(loop, [&] {
    return stranger.closed() && slow.closed() && asker.closed() && a.answers.size() == 2 && silent.streams.size() == 4;
  }));
  CHECK(loop.now() - start >= 4'900);
  CHECK(loop.now() - start < 7'000);
  CHECK(stranger.seen.data.empty());
}

TEST_CASE("the transport may be destroyed inside any of its callbacks") {
  for (const char* const event :
       {"received", "peer_connected", "peer_lost", "peer_refused", "peer_identity", "asked", "answered"}) {
    CAPTURE(event);
    Loop loop;
    TestNode a(loop, 1, 7);
    TestNode b(loop, 2, 7);
    TestNode other(loop, 3, 8);
    b.answer_with = node::Adopted{};
    bool destroyed = false;
    a.hook = [&](const std::string& what) {
      if (what != event || destroyed) return;
      destroyed = true;
      a.transport.reset();
      a.listener.reset();
    };
    a.transport->set_peers({b.as_peer(), other.as_peer()});
    b.transport->set_peers({a.as_peer()});
    a.transport->ask(1, b.address(), node::Adopt{});
    b.hook = [&](const std::string& what) {
      if (what != "peer_connected") return;
      for (uint64_t i = 0; i < 10; ++i) b.transport->send(instance(1), numbered(i));
      b.transport->ask(1, a.address(), node::WhoAreYou{});
    };
    if (event == std::string("peer_lost")) {
      REQUIRE(run_until(loop, [&] { return a.connected_to(b); }));
      b.transport.reset();
      b.listener.reset();
    }
    CHECK(run_until(loop, [&] { return destroyed; }));
    run_for(loop, 20);
  }
}

TEST_CASE("peers may be changed inside any callback") {
  Loop loop;
  Couple nodes(loop);
  TestNode c(loop, 3, 7);
  nodes.b.hook = [&](const std::string& what) {
    if (what == "received") nodes.b.transport->set_peers({c.as_peer()});
  };
  nodes.a.hook = [&](const std::string& what) {
    if (what == "peer_connected") nodes.a.transport->set_peers({});
  };
  CHECK(nodes.a.transport->send(instance(2), numbered(1)));
  CHECK(nodes.a.transport->send(instance(2), numbered(2)));
  REQUIRE(run_until(loop, [&] { return nodes.b.messages.size() == 2 && nodes.b.connected_to(c); }));
  nodes.a.transport->set_peers({nodes.b.as_peer(), c.as_peer()});
  run_for(loop, 50);
  CHECK_FALSE(nodes.a.connected_to(c));
}

TEST_CASE("the transport may be destroyed at any moment of a connection's life") {
  // After so many turns of the loop, wherever that is: resolving, dialling, greeting, sending, redialling.
  for (int turns = 0; turns < 40; ++turns) {
    Loop loop;
    TestNode b(loop, 2, 7);
    TestNode a(loop, 1, 7);
    a.transport->set_peers({b.as_peer(), {.id = instance(9), .name = "n9", .raft_address = "localhost:1"}});
    b.transport->set_peers({a.as_peer()});
    a.transport->ask(1, b.address(), node::WhoAreYou{});
    a.hook = [&](const std::string& what) {
      if (what == "peer_connected") a.transport->send(instance(2), numbered(1, 3 << 20));
    };
    int left = turns;
    loop.set_turn_hook([&] {
      if (left-- <= 0) loop.stop();
    });
    if (turns > 0) loop.run();
    loop.set_turn_hook({});
    a.listener.reset();
    a.transport.reset();
    run_for(loop, 2);
  }
}
