#include <doctest/doctest.h>

#include "machine/queue/filter.h"
#include "machine/queue/queue_ops.h"

using namespace wh;
using namespace wh::machine;
using raft::Index;

namespace {

// Queues of a cluster of one version, changed by one entry a call.
struct Bench {
  explicit Bench(ClusterVersion of = kFirstVersion) : version(of) {}

  template <typename Change>
  auto entry(const Change& change) {
    ++index.value;
    QueueOps ops(queues, {.index = index, .stamp = stamp, .version = version, .settings = settings}, nobody);
    return change(ops);
  }
  uint64_t push(const std::string& queue, const std::string& bytes) {
    return entry([&](QueueOps& ops) { return ops.add(ops.ensure(queue), {.bytes = Bytes(bytes)}); });
  }
  std::string pop(const std::string& queue) {
    return entry([&](QueueOps& ops) {
      Queue* found = ops.find(queue);
      size_t budget = 0;
      const auto event = found == nullptr ? std::nullopt : ops.pop(*found, budget);
      return event ? std::string(event->bytes.view()) : std::string();
    });
  }

  ClusterVersion version;
  Settings settings;
  UnwatchedQueues nobody;
  Queues queues;
  Index index;
  Millis stamp = 0;
};

// The names that were told of while an entry was applied.
struct Told : UnwatchedQueues {
  template <typename Change>
  std::vector<std::string> of(Queues& queues, const Change& change) {
    names.clear();
    QueueOps ops(queues, {.index = Index{++index.value}, .version = 3, .settings = settings}, *this);
    change(ops);
    ops.finish();
    return names;
  }

  std::vector<std::string> names;
  Settings settings;
  Index index;
};

}  // namespace

TEST_CASE("events leave in the order they came, each queue for itself") {
  for (const ClusterVersion version : {1U, 2U, 3U}) {
    Bench bench(version);
    CHECK(bench.push("a", "x") == 1);
    CHECK(bench.push("b", "y") == 2);
    CHECK(bench.push("a", "z") == 3);
    CHECK(bench.queues.event_count() == 3);
    REQUIRE(bench.queues.front("a") != nullptr);
    CHECK(bench.queues.front("a")->id() == 1);
    CHECK(bench.queues.length("a") == 2);
    CHECK(bench.pop("a") == "x");
    CHECK(bench.pop("a") == "z");
    CHECK(bench.pop("a").empty());
    CHECK(bench.queues.front("a") == nullptr);
    CHECK(bench.queues.length("b") == 1);
  }
}

TEST_CASE("before version 3 an empty queue leaves nothing behind") {
  Bench bench;
  const uint64_t empty = bench.queues.digest(1);
  bench.push("a", "x");
  CHECK(bench.queues.digest(1) != empty);
  CHECK(bench.queues.logical_bytes() == 2 + Queues::kEventOverhead + Queues::kQueueOverhead);
  bench.pop("a");
  CHECK(bench.queues.by_name().empty());
  CHECK(bench.queues.event_count() == 0);
  CHECK(bench.queues.logical_bytes() == 0);
  CHECK(bench.queues.digest(1) == empty);
}

TEST_CASE("as of version 3 a queue stays until it is deleted, unless no path can name it") {
  Bench bench(3);
  bench.push("a", "x");
  bench.push("a b", "y");
  bench.pop("a");
  bench.pop("a b");
  CHECK(bench.queues.find("a") != nullptr);
  CHECK(bench.queues.find("a b") == nullptr);
  bench.entry([](QueueOps& ops) { return ops.remove(*ops.find("a")) != nullptr; });
  CHECK(bench.queues.by_name().empty());
  CHECK(bench.queues.logical_bytes() == 0);
}

TEST_CASE("a queue is said to have something ready if it has, at the end of the entry") {
  struct Watched final : Told {
    void became_ready(std::string_view queue) override { names.emplace_back(queue); }
  } told;
  Queues queues;
  const auto entry = [&](const auto& change) { return told.of(queues, change); };
  const auto add = [](QueueOps& ops, const char* queue) { ops.add(ops.ensure(queue), {.bytes = Bytes("x")}); };
  using Names = std::vector<std::string>;
  CHECK(entry([&](QueueOps& ops) { add(ops, "q"), add(ops, "q"), add(ops, "r"); }) == Names{"q", "r"});
  size_t budget = 0;
  CHECK(entry([&](QueueOps& ops) { add(ops, "a b"), (void)ops.pop(*ops.find("a b"), budget); }) == Names{});
  CHECK(entry([&](QueueOps& ops) { ops.pause(*ops.find("q"), std::nullopt, true), add(ops, "q"); }) == Names{});
  CHECK(entry([&](QueueOps& ops) { ops.pause(*ops.find("q"), std::nullopt, false); }) == Names{"q"});
  CHECK(entry([&](QueueOps& ops) { add(ops, "q"), (void)ops.purge(*ops.find("q")); }) == Names{});
}

TEST_CASE("a stream is told of what arrived in its queue, ready or not, if it is still there") {
  struct Watched final : Told {
    void arrived(std::string_view queue) override { names.emplace_back(queue); }
  } told;
  Queues queues;
  const auto entry = [&](const auto& change) { return told.of(queues, change); };
  using Names = std::vector<std::string>;
  const auto add = [](QueueOps& ops, const char* queue) {
    ops.add(ops.ensure(queue), {.bytes = Bytes("x"), .delay = 5'000});
  };
  CHECK(entry([&](QueueOps& ops) { add(ops, "q"), add(ops, "q"); }) == Names{"q"});
  CHECK(entry([&](QueueOps& ops) { add(ops, "q"), (void)ops.purge(*ops.find("q")); }) == Names{});
  CHECK(entry([&](QueueOps& ops) { ops.add(*ops.find("q"), {.bytes = Bytes("y")}); }) == Names{"q"});
  CHECK(entry([&](QueueOps& ops) {
          const Delivery got = ops.receive(*ops.find("q"), 1, {})[0];
          const Settle bury{.queue = "q", .verb = SettleVerb::bury};
          CHECK(ops.settle(*ops.find("q"), bury, {got.id, got.delivery}) == SettleOutcome::done);
        }) == Names{"q.dead"});
}

TEST_CASE("HAZARDS Q30: what consumers hold is never dropped, and fills the queue") {
  Bench bench(3);
  const auto receive = [&] {
    return bench.entry([](QueueOps& ops) { return ops.receive(*ops.find("q"), 1, {}).size(); });
  };
  const auto fits = [&](uint64_t count, uint64_t bytes) {
    return bench.entry([&](QueueOps& ops) { return ops.check_room(ops.find("q"), "q", count, bytes).ok(); });
  };
  bench.entry([](QueueOps& ops) {
    ops.configure(ops.ensure("q"), {{.setting = static_cast<uint8_t>(QueueSetting::max_length), .number = 2},
                                    {.setting = static_cast<uint8_t>(QueueSetting::max_bytes), .number = 10},
                                    {.setting = static_cast<uint8_t>(QueueSetting::overflow), .number = 1}});
    return 0;
  });
  bench.push("q", "1234");
  bench.push("q", "1234");
  CHECK(fits(2, 10));
  CHECK(!fits(3, 10));
  REQUIRE(receive() == 1);
  CHECK(fits(1, 6));
  CHECK(!fits(1, 7));
  CHECK(!fits(2, 2));
  REQUIRE(receive() == 1);
  CHECK(!fits(1, 1));
}

TEST_CASE("the largest queues come first, to within a factor of two, and the sums are of all") {
  Bench bench(3);
  for (int queue = 1; queue <= 20; ++queue)
    for (int i = 0; i < queue; ++i) bench.push("q" + std::to_string(queue), "x");
  const std::vector<const Queue*> largest = bench.queues.largest(5);
  REQUIRE(largest.size() == 5);
  for (size_t i = 0; i < largest.size(); ++i) {
    CHECK(largest[i]->size() >= 16);
    if (i > 0) CHECK(largest[i]->size() <= largest[i - 1]->size());
  }
  CHECK(bench.queues.largest(100).size() == 20);
  CHECK(bench.queues.sums().ready == 210);
  for (int i = 0; i < 20; ++i) bench.pop("q20");
  bench.entry([](QueueOps& ops) { return ops.remove(*ops.find("q19")) != nullptr; });
  CHECK(bench.queues.sums().ready == 171);
  CHECK(bench.queues.sums().totals.enqueued == 210);
  CHECK(bench.queues.sums().totals.acknowledged == 20);
  CHECK(*bench.queues.largest(1)[0]->name == "q16");
  CHECK(bench.queues.largest(100).size() == 19);
}

TEST_CASE("HAZARDS Q5: what fell due by the entry's stamp comes before what a consumer says") {
  for (const Millis late : {0U, 1U}) {
    Bench bench(3);
    const uint64_t id = bench.push("q", "e");
    const auto held = bench.entry([](QueueOps& ops) { return ops.receive(*ops.find("q"), 1, 1'000); });
    REQUIRE(held.size() == 1);
    bench.stamp += 999 + late;
    const Settle release{.queue = "q", .verb = SettleVerb::release, .receipts = {}};
    const SettleOutcome outcome = bench.entry([&](QueueOps& ops) {
      return ops.settle(*ops.find("q"), release, {id, held.front().delivery});
    });
    CHECK(outcome == (late == 0 ? SettleOutcome::done : SettleOutcome::stale));
    CHECK(bench.queues.length("q") == 1);
  }
}

TEST_CASE("HAZARDS Q34: a removal by id takes what nobody holds, in whatever state") {
  Bench bench(4);
  bench.entry([](QueueOps& ops) {
    ops.configure(ops.ensure("q"), {{.setting = static_cast<uint8_t>(QueueSetting::max_length), .number = 5}});
    return 0;
  });
  const auto put = [&](QueueOps::NewCopy copy) {
    return bench.entry([&](QueueOps& ops) { return ops.add(*ops.find("q"), std::move(copy)); });
  };
  const auto receive = [&] {
    return bench.entry([](QueueOps& ops) { return ops.receive(*ops.find("q"), 1, 60'000); });
  };
  const auto remove = [&](uint64_t id) {
    return bench.entry([&](QueueOps& ops) { return ops.remove_event(*ops.find("q"), id); });
  };
  const uint64_t digest = bench.queues.digest(4);
  const uint64_t bytes = bench.queues.logical_bytes();
  const uint64_t first = put({.bytes = Bytes("1"), .priority = 0, .group = "g"});
  const uint64_t second = put({.bytes = Bytes("2"), .priority = 0, .group = "g"});
  const uint64_t last = put({.bytes = Bytes("3"), .priority = 9});
  const uint64_t late = put({.bytes = Bytes("4"), .delay = 5'000});
  const auto held = receive();
  REQUIRE(held.size() == 1);
  REQUIRE(held.front().id == first);
  CHECK(remove(first) == SettleOutcome::held);
  CHECK(bench.queues.find("q")->content->reserved_count == 1);
  CHECK(remove(late) == SettleOutcome::done);
  CHECK(remove(late) == SettleOutcome::gone);
  CHECK(remove(1'000) == SettleOutcome::gone);
  // One that waits for its next delivery holds its group: when it is removed, the next of the group is in front.
  const Settle release{.queue = "q", .verb = SettleVerb::release, .receipts = {}, .duration = 60'000};
  const Receipt receipt{first, held.front().delivery};
  CHECK(bench.entry([&](QueueOps& ops) { return ops.settle(*ops.find("q"), release, receipt); }) ==
        SettleOutcome::done);
  REQUIRE(bench.queues.front("q") != nullptr);
  CHECK(bench.queues.front("q")->id() == last);
  CHECK(remove(first) == SettleOutcome::done);
  CHECK(bench.queues.front("q")->id() == second);
  CHECK(bench.entry([&](QueueOps& ops) { return ops.settle(*ops.find("q"), release, receipt); }) ==
        SettleOutcome::gone);
  CHECK(bench.entry([&](QueueOps& ops) { return ops.check_room(ops.find("q"), "q", 3, 3).ok(); }));
  CHECK(remove(second) == SettleOutcome::done);
  CHECK(remove(last) == SettleOutcome::done);
  CHECK(bench.queues.event_count() == 0);
  CHECK(bench.queues.logical_bytes() == bytes);
  CHECK(bench.queues.find("q")->content->groups.empty());
  CHECK(bench.queues.next_due() == kNever);
  // No total counts it but that of arrivals.
  const QueueTotals& totals = bench.queues.find("q")->totals;
  CHECK(totals == QueueTotals{.enqueued = 4});
  CHECK(bench.queues.digest(4) != digest);
  bench.entry([](QueueOps& ops) { return ops.remove(*ops.find("q")) != nullptr; });
  CHECK(bench.queues.logical_bytes() == 0);
}

TEST_CASE("HAZARDS Q5: what fell due by the entry's stamp comes before a removal by id") {
  for (const bool over : {false, true}) {
    Bench bench(4);
    const uint64_t id = bench.push("q", "e");
    const uint64_t expires = bench.entry(
        [](QueueOps& ops) { return ops.add(*ops.find("q"), {.bytes = Bytes("e"), .ttl = 1'000, .priority = 9}); });
    REQUIRE(bench.entry([](QueueOps& ops) { return ops.receive(*ops.find("q"), 1, 1'000).size(); }) == 1);
    bench.stamp += over ? 1'000 : 999;
    const auto remove = [&](uint64_t which) {
      return bench.entry([&](QueueOps& ops) { return ops.remove_event(*ops.find("q"), which); });
    };
    CHECK(remove(id) == (over ? SettleOutcome::done : SettleOutcome::held));
    CHECK(remove(expires) == (over ? SettleOutcome::gone : SettleOutcome::done));
    CHECK(bench.queues.find("q")->totals.expired == (over ? 1 : 0));
  }
}

TEST_CASE("queue, id and bytes of an event each count in the digest") {
  const auto digest = [](const char* queue, uint64_t id, const char* bytes) {
    Bench bench;
    bench.index.value = id - 1;
    bench.push(queue, bytes);
    return bench.queues.digest(1);
  };
  CHECK(digest("q", 1, "e") == digest("q", 1, "e"));
  CHECK(digest("q", 1, "e") != digest("r", 1, "e"));
  CHECK(digest("q", 1, "e") != digest("q", 2, "e"));
  CHECK(digest("q", 1, "e") != digest("q", 1, "f"));
}

TEST_CASE("a rise to version 3 changes no event's share of the digest") {
  Bench one;
  Bench other(3);
  for (Bench* bench : {&one, &other})
    bench->entry([](QueueOps& ops) {
      Event event;
      event.arrival = 1;
      event.bytes = Bytes("x");
      ops.ensure("q");
      return ops.load_event("q", std::move(event), {}, false);
    });
  CHECK(one.queues.digest(1) == other.queues.digest(1));
}

TEST_CASE("HAZARDS Q39: a pattern costs at most its length times the text's") {
  CHECK(pattern_matches("order.*", "order.new"));
  CHECK_FALSE(pattern_matches("order.*", "orders"));
  CHECK(pattern_matches("us?r", "user"));
  CHECK(pattern_matches("*", ""));
  CHECK(pattern_matches("a*b*c", "a--b--b--c"));
  CHECK_FALSE(pattern_matches("a*b*c", "a--b--b--"));
  CHECK_FALSE(pattern_matches("", "x"));
  std::string stars;
  for (int i = 0; i < 128; ++i) stars += "*a";
  CHECK_FALSE(pattern_matches(stars, std::string(8'000, 'a') + "b"));
}
