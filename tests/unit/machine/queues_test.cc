#include "machine/queue/queues.h"

#include <doctest/doctest.h>

using wh::Bytes;
using wh::machine::Event;
using wh::machine::Queues;
using wh::raft::Index;

TEST_CASE("events leave in the order they came, each queue for itself") {
  Queues queues;
  CHECK(queues.push("a", Event{Index{1}, Bytes("x")}) == 1);
  CHECK(queues.push("b", Event{Index{2}, Bytes("y")}) == 1);
  CHECK(queues.push("a", Event{Index{3}, Bytes("z")}) == 2);
  CHECK(queues.event_count() == 3);
  REQUIRE(queues.front("a") != nullptr);
  CHECK(queues.front("a")->id == Index{1});
  CHECK(queues.back("a")->id == Index{3});
  CHECK(queues.pop("a")->bytes == Bytes("x"));
  CHECK(queues.pop("a")->id == Index{3});
  CHECK_FALSE(queues.pop("a").has_value());
  CHECK(queues.front("a") == nullptr);
  CHECK(queues.back("a") == nullptr);
  CHECK(queues.length("b") == 1);
}

TEST_CASE("an empty queue leaves nothing behind") {
  Queues queues;
  const uint64_t empty = queues.digest();
  queues.push("a", Event{Index{1}, Bytes("x")});
  CHECK(queues.digest() != empty);
  CHECK(queues.logical_bytes() == 2 + Queues::kEventOverhead + Queues::kQueueOverhead);
  queues.pop("a");
  CHECK(queues.by_name().empty());
  CHECK(queues.event_count() == 0);
  CHECK(queues.logical_bytes() == 0);
  CHECK(queues.digest() == empty);
}

TEST_CASE("queue, id and bytes of an event each count in the digest") {
  const auto digest = [](const char* queue, uint64_t id, const char* bytes) {
    Queues queues;
    queues.push(queue, Event{Index{id}, Bytes(bytes)});
    return queues.digest();
  };
  CHECK(digest("q", 1, "e") == digest("q", 1, "e"));
  CHECK(digest("q", 1, "e") != digest("r", 1, "e"));
  CHECK(digest("q", 1, "e") != digest("q", 2, "e"));
  CHECK(digest("q", 1, "e") != digest("q", 1, "f"));
}
