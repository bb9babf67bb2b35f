#include "net/dial.h"

#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include <doctest/doctest.h>

#include "net_fixture.h"

using namespace wh;
using namespace wh::net;
using namespace wh::net::test;

namespace {

// A bound port on which nobody listens.
struct DeadPort {
  DeadPort() {
    REQUIRE(::bind(fd, Address::parse("127.0.0.1", 0)->raw(), sizeof(sockaddr_in)) == 0);
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size);
    port = Address(reinterpret_cast<sockaddr*>(&name)).port();
  }
  ~DeadPort() {
    for (const int each : fillers) ::close(each);
    ::close(fd);
  }
  // Makes it a black hole: it listens, but its backlog is full, so that the kernel drops what comes.
  void swallow() {
    REQUIRE(::listen(fd, 0) == 0);
    for (int i = 0; i < 4; ++i) {
      const int filler = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
      (void)::connect(filler, Address::parse("127.0.0.1", port)->raw(), sizeof(sockaddr_in));
      fillers.push_back(filler);
    }
  }
  int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  uint16_t port = 0;
  std::vector<int> fillers;
};

}  // namespace

TEST_CASE("a refused connection is told as such, with host and port, and not from inside tcp_connect") {
  Loop loop;
  const DeadPort dead;
  int calls = 0;
  DialResult got;
  const auto dial = tcp_connect(loop, "127.0.0.1", dead.port, 5'000, [&](DialResult result) {
    ++calls;
    got = std::move(result);
  });
  CHECK(calls == 0);
  REQUIRE(run_until(loop, [&] { return calls == 1; }));
  CHECK(got.error == UV_ECONNREFUSED);
  CHECK(got.stream == nullptr);
  CHECK(got.message == "could not connect to 127.0.0.1:" + std::to_string(dead.port) + ": connection refused");
  run_for(loop, 5);
  CHECK(calls == 1);
}

TEST_CASE("a host that swallows the connection is a timeout, or can be cancelled") {
  Loop loop;
  DeadPort hole;
  hole.swallow();
  int calls = 0;
  int error = 0;
  auto dial = tcp_connect(loop, "127.0.0.1", hole.port, 60, [&](DialResult result) {
    ++calls;
    error = result.error;
  });
  SUBCASE("timeout") {
    const Millis start = loop.now();
    REQUIRE(run_until(loop, [&] { return calls == 1; }));
    CHECK(error == UV_ETIMEDOUT);
    CHECK(loop.now() - start >= 59);
  }
  SUBCASE("cancelled") {
    run_for(loop, 10);
    dial.reset();
    run_for(loop, 100);
    CHECK(calls == 0);
  }
  SUBCASE("cancelled before it began") {
    dial.reset();
    run_for(loop, 100);
    CHECK(calls == 0);
  }
}

TEST_CASE("the dial may be destroyed inside its callback, and dial again there") {
  Loop loop;
  const DeadPort dead;
  int calls = 0;
  std::unique_ptr<Dial> dial;
  std::function<void()> again = [&] {
    dial = tcp_connect(loop, "127.0.0.1", dead.port, 1'000, [&](DialResult) {
      dial.reset();
      if (++calls < 5) again();
    });
  };
  again();
  REQUIRE(run_until(loop, [&] { return calls == 5; }));
  CHECK(dial == nullptr);
}

TEST_CASE("HAZARDS G12: names are resolved beside the loop; every address is tried") {
  Loop loop;
  std::unique_ptr<ByteStream> accepted;
  ListenOptions options;
  options.bind = {"127.0.0.1"};  // `localhost` may be ::1 first, where nobody listens
  const auto listener =
      Listener::listen(loop, options, [&](std::unique_ptr<ByteStream> stream) { accepted = std::move(stream); });
  REQUIRE(listener.ok());
  int calls = 0;
  DialResult got;
  const auto dial = tcp_connect(loop, "localhost", (*listener)->port(), 10'000, [&](DialResult result) {
    ++calls;
    got = std::move(result);
  });
  REQUIRE(run_until(loop, [&] { return calls == 1; }));
  REQUIRE(got.error == 0);
  CHECK(got.stream->peer_address() == "127.0.0.1");
  CHECK(got.stream->peer_port() == (*listener)->port());
}

TEST_CASE("localhost where nobody listens on any address is refused") {
  Loop loop;
  const DeadPort dead;
  int error = 0;
  const auto dial = tcp_connect(loop, "localhost", dead.port, 10'000, [&](DialResult result) { error = result.error; });
  REQUIRE(run_until(loop, [&] { return error != 0; }));
  CHECK(error == UV_ECONNREFUSED);
}

TEST_CASE("what is no host name fails with a message") {
  Loop loop;
  for (const std::string& host : {std::string(), std::string("a\0b", 3), std::string(300, 'a')}) {
    int error = 0;
    std::string message;
    const auto dial = tcp_connect(loop, host, 1, 10'000, [&](DialResult result) {
      error = result.error;
      message = result.message;
    });
    REQUIRE(run_until(loop, [&] { return error != 0; }));
    CHECK(error != UV_ECONNREFUSED);
    CHECK(message.starts_with("could not connect to "));
  }
}

TEST_CASE("a port of the client range with nobody there is refused, although TCP could connect to itself") {
  Loop loop;
  // Many short-lived dials to one free port of that range: the kernel now and then picks the port itself as source.
  uint16_t port = 0;
  {
    const DeadPort dead;
    port = dead.port;
  }
  int refused = 0;
  int others = 0;
  for (int round = 0; round < 50; ++round) {
    int calls = 0;
    const auto dial = tcp_connect(loop, "127.0.0.1", port, 1'000, [&](DialResult result) {
      ++calls;
      (result.error == UV_ECONNREFUSED ? refused : others) += 1;
    });
    REQUIRE(run_until(loop, [&] { return calls == 1; }));
  }
  CHECK(refused == 50);
  CHECK(others == 0);
}
