// Commands of the debug port that wait: what else their connection does meanwhile, and how their wait ends.
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "fixture.h"

namespace wh::api {
namespace {

// A client that stays.
struct Client {
  explicit Client(test::Fronts& at) : fronts(at) {
    fronts.debug.accept(std::make_unique<http::test::MemoryStream>(wire));
  }
  ~Client() {
    if (!wire.closed) wire.handler->on_close("");
    fronts.debug.reap();
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  void send(const std::string& bytes) {
    wire.handler->on_data(bytes);
    settle();
  }
  void settle() const {
    for (int i = 0; i < 5; ++i)
      while (fronts.pump()) {
      }
  }
  std::string read() { return std::exchange(wire.output, {}); }
  test::Fronts& fronts;
  http::test::Wire wire;
};

}  // namespace

TEST_CASE("commands behind a BLPOP wait for it, those of other clients do not") {
  test::Fronts fronts(kLatestVersion);
  Client waiter(fronts);
  waiter.send("BLPOP q 0\r\nLLEN q\r\nPING\r\n");
  CHECK(waiter.read().empty());
  CHECK(fronts.node.waiting() == 1);
  Client other(fronts);
  other.send("RPUSH q a b\r\n");
  CHECK(other.read() == ":2\r\n");
  waiter.settle();
  CHECK(waiter.read() == "*2\r\n$1\r\nq\r\n$1\r\na\r\n:1\r\n+PONG\r\n");
  CHECK(fronts.node.waiting() == 0);
}

TEST_CASE("a wait of hours goes on after a minute, and ends at its time") {
  test::Fronts fronts(kLatestVersion);
  Client waiter(fronts);
  waiter.send("BLPOP q 150\r\n");
  for (int i = 0; i < 3; ++i) {
    CHECK(waiter.read().empty());
    CHECK(fronts.node.waiting() == 1);
    fronts.wait(49'900);
    waiter.settle();
  }
  CHECK(waiter.read().empty());
  fronts.wait(1'000);
  waiter.settle();
  CHECK(waiter.read() == "*-1\r\n");
  waiter.send("BLPOP q 0\r\n");
  for (int i = 0; i < 5; ++i) {
    fronts.wait(59'000);
    waiter.settle();
  }
  CHECK(fronts.node.waiting() == 1);
  fronts.command({"rpush", "q", "at last"});
  waiter.settle();
  CHECK(waiter.read() == "*2\r\n$1\r\nq\r\n$7\r\nat last\r\n");
}

TEST_CASE("a client that closes its side, or all, is not waited for, and nothing is removed for it") {
  for (const bool half : {true, false}) {
    test::Fronts fronts(kLatestVersion);
    Client waiter(fronts);
    waiter.send("BLPOP q r 0\r\nPING\r\n");
    CHECK(fronts.node.waiting() == 2);
    half ? waiter.wire.handler->on_end() : waiter.wire.handler->on_close("");
    if (!half) waiter.wire.closed = true;
    waiter.settle();
    CHECK(fronts.node.waiting() == 0);
    if (half) CHECK(waiter.read().starts_with("-NOTAPPLIED the client closed its side of the connection"));
    CHECK(fronts.command({"rpush", "q", "kept"}) == ":1\r\n");
    CHECK(fronts.command({"llen", "q"}) == ":1\r\n");
  }
}

TEST_CASE("a client that waits gives its place to another, and is told so") {
  test::Fronts fronts(kLatestVersion);
  Client waiter(fronts);
  waiter.send("BLPOP q 0\r\n");
  std::vector<uint64_t> groups;
  std::vector<IdleClient> idle;
  fronts.debug.list(groups, idle);
  REQUIRE(idle.size() == 1);
  CHECK(fronts.debug.end_idle(idle[0]));
  CHECK(waiter.read() ==
        "-NOTAPPLIED this waited, and its place is needed: there are too many clients (directive maxclients)\r\n");
  CHECK(fronts.debug.connections() == 0);
  waiter.wire.closed = true;
  fronts.pump();
  CHECK(fronts.node.waiting() == 0);
}

TEST_CASE("a wait is no slow command") {
  test::Fronts fronts(kLatestVersion);
  fronts.options.slowlog_slower_than_us = 20'000'000;
  Client waiter(fronts);
  waiter.send("BLPOP q 30\r\n");
  const uint64_t before = fronts.debug.took_us().count();
  fronts.wait(31'000);
  waiter.settle();
  CHECK(waiter.read() == "*-1\r\n");
  CHECK(fronts.debug.took_us().count() == before);
  CHECK(fronts.debug.by_command().at("blpop").calls == 1);
}

}  // namespace wh::api
