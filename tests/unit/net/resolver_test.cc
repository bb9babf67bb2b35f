#include "net/resolver.h"

#include <doctest/doctest.h>

#include "net_fixture.h"

using namespace wh;
using namespace wh::net;
using namespace wh::net::test;

TEST_CASE("HAZARDS G12: one lookup serves all who ask meanwhile, and the answer is kept") {
  Loop loop;
  int calls = 0;
  Addresses got;
  const auto callback = [&](int error, const Addresses& addresses) {
    CHECK(error == 0);
    ++calls;
    got = addresses;
  };
  const uint64_t first = loop.resolver().resolve("localhost", callback);
  const uint64_t second = loop.resolver().resolve("localhost", callback);
  const uint64_t third = loop.resolver().resolve("localhost", callback);
  CHECK(first != 0);
  CHECK(second != first);
  loop.resolver().cancel(third);
  CHECK(calls == 0);
  REQUIRE(run_until(loop, [&] { return calls == 2; }));
  REQUIRE_FALSE(got.empty());
  CHECK(got[0].is_loopback());
  CHECK(got[0].port() == 0);
  CHECK(loop.resolver().resolve("localhost", callback) == 0);  // known: at once
  CHECK(calls == 3);
}

TEST_CASE("one who is called may cancel the next, and ask again") {
  Loop loop;
  int calls = 0;
  uint64_t second = 0;
  loop.resolver().resolve("localhost", [&](int, const Addresses&) {
    ++calls;
    loop.resolver().cancel(second);
    loop.resolver().resolve("localhost", [&](int, const Addresses&) { ++calls; });
  });
  second = loop.resolver().resolve("localhost", [&](int, const Addresses&) { calls += 100; });
  REQUIRE(run_until(loop, [&] { return calls == 2; }));
  run_for(loop, 5);
  CHECK(calls == 2);
}

TEST_CASE("the number of names that are looked up at once is bounded; a loop ends with lookups under way") {
  Loop loop;
  int refused = 0;
  for (size_t i = 0; i < Resolver::kMaxNames + 5; ++i)  // numbers, so that no name server is asked
    loop.resolver().resolve("127.0.1." + std::to_string(i), [&](int error, const Addresses&) {
      CHECK(error == UV_EAI_AGAIN);
      ++refused;
    });
  CHECK(refused == 5);
}
