// What one entry may do was bounded for each queue or key, not for the entry; and what its bound left was delivered
// though its time was over, or stood in the way.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "../unit/machine/model.h"

namespace wh::machine::test {
namespace {

struct Bench {
  Machine machine;
  Millis now = 1'000'000;

  Bench() { machine.raise_version(raft::Index{1}, now, kLatestVersion); }
  Reply run(const Body& body) { return machine.apply(machine.applied() + 1, now, encode_command(body)).reply; }
  void put(const std::string& queue, size_t count, Millis ttl = 0) {
    for (size_t left = count; left > 0;) {
      PutEvents events{.queue = queue, .events = {}};
      for (; left > 0 && events.events.size() < kMaxBatch; --left) events.events.push_back({.bytes = "e", .ttl = ttl});
      CHECK(run(events).code == ReplyCode::ok);
    }
  }
  void configure(const std::string& queue, QueueSetting setting, uint64_t number) {
    run(ConfigureQueue{.queue = queue, .changes = {{.setting = static_cast<uint8_t>(setting), .number = number}}});
  }
};

}  // namespace

TEST_CASE("events whose time is over are not removed by a pop as if they were delivered") {
  Bench bench;
  bench.put("q", 5'000, 1'000);
  bench.put("q", 1);
  bench.now += 5'000;
  // Each entry takes some of them away; none gives one.
  Reply last;
  int entries = 0;
  do {
    last = bench.run(Dequeue{.queue = "q", .only_if_front = {}, .count = 1'000});
    ++entries;
    CHECK(last.count <= 1);
  } while (last.count == 0 && entries < 10);
  CHECK(last.count == 1);
  CHECK(entries > 1);
  CHECK(bench.machine.queues().find("q")->totals.expired == 5'000);
  bench.put("q", 1'500, 1'000);
  bench.now += 5'000;
  CHECK(bench.run(Dequeue{"q", {}}).count == 0);
}

// The sweep's budget was spent before it reached the event in front, whose time was over too.
TEST_CASE("a removal of the event in front removes that one or none") {
  Bench bench;
  bench.run(PutEvents{.queue = "q", .events = {NewEvent{.bytes = "x", .ttl = 3'000, .priority = 0}}});
  const uint64_t named = bench.machine.queues().front("q")->id();
  bench.put("q", 1);
  bench.put("q", kDueEventsPerEntry, 1'000);
  bench.now += 5'000;
  const Reply reply = bench.run(Dequeue{.queue = "q", .only_if_front = named});
  CHECK(reply.code == ReplyCode::precondition_failed);
  CHECK(bench.machine.queues().find("q")->content->ready_count >= 1);
  CHECK(bench.run(Dequeue{"q", {}}).count == 1);
}

TEST_CASE("an event for many queues removes a bounded number of expired ones, over all of them") {
  Bench bench;
  for (int i = 0; i < 5; ++i) {
    const std::string queue = "q" + std::to_string(i);
    bench.put(queue, kDueEventsPerEntry, 1'000);
    bench.run(Bind{.topic = "t", .queue = queue, .filter = {}});
  }
  bench.now += 5'000;
  bench.run(Publish{"t", {NewEvent{.bytes = "x"}}});
  CHECK(bench.machine.event_count() == 4 * kDueEventsPerEntry + 5);
}

TEST_CASE("a batch of keys makes room for itself and a bounded number more, over all of them") {
  Bench bench;
  const auto put = [&](size_t first, size_t count) {
    std::vector<std::string> names;
    for (size_t i = 0; i < count; ++i) names.push_back("k" + std::to_string(first + i));
    PutEvents events{.queue = "q", .events = {}};
    for (const std::string& name : names)
      events.events.push_back({.bytes = "e", .idempotency = IdempotencyKey{name, {}}});
    bench.run(events);
  };
  for (size_t i = 0; i < 5; ++i) put(i * kMaxBatch, kMaxBatch);
  const uint64_t least = bench.machine.settings().dedup_max_keys > 1'000 ? 1'000 : 100;
  bench.run(PutSettings{{{"dedup_max_keys", least}}});
  put(10 * kMaxBatch, 100);
  CHECK(bench.machine.idempotency().size() == 5 * kMaxBatch + 100 - kDuePerEntry);
}

TEST_CASE("a queue that drops its oldest finds it among many that consumers hold") {
  Bench bench;
  bench.configure("q", QueueSetting::max_length, 300);
  bench.configure("q", QueueSetting::overflow, static_cast<uint64_t>(Overflow::drop_oldest));
  bench.put("q", 300);
  std::vector<Delivery> held;
  for (int i = 0; i < 3; ++i)
    for (Delivery& one : bench.run(Receive{.queue = "q", .max = 100, .visibility = 60'000}).deliveries)
      held.push_back(std::move(one));
  const auto is_there = [&](const Delivery& one) {
    return bench.machine.queues().find("q")->content->events.contains(one.id);
  };
  const auto release = [&](const Delivery& one) {
    bench.run(Settle{.queue = "q", .verb = SettleVerb::release, .receipts = {{one.id, one.delivery}}});
  };
  // The first to be dropped is the oldest that nobody holds, wherever it stands.
  release(held[200]);
  bench.put("q", 1);
  CHECK_FALSE(is_there(held[200]));
  release(held[150]);
  release(held[50]);
  bench.put("q", 1);
  CHECK_FALSE(is_there(held[50]));
  CHECK(is_there(held[150]));
  // What is received again is held again.
  CHECK(bench.run(Receive{.queue = "q", .max = 1, .visibility = 60'000}).deliveries.at(0).id == held[150].id);
  const Reply put = bench.run(PutEvents{.queue = "q", .events = {NewEvent{.bytes = "e"}}});
  CHECK(put.code == ReplyCode::ok);
  CHECK(is_there(held[150]));
}

TEST_CASE("a redrive finds the room that expired events leave, and takes nothing from a queue that gives nothing out") {
  Bench bench;
  bench.configure("q", QueueSetting::max_length, 5);
  bench.put("q", 5, 1'000);
  bench.put("d", 5);
  bench.now += 10'000;
  bench.run(PauseQueue{.queue = "d", .in = {}, .out = true});
  CHECK(bench.run(Redrive{.from = "d", .to = "q", .max = 5}).count == 0);
  bench.run(PauseQueue{.queue = "d", .in = {}, .out = false});
  CHECK(bench.run(Redrive{.from = "d", .to = "q", .max = 5}).count == 5);
}

TEST_CASE("no circle of dead letter queues by going back to the default") {
  Bench bench;
  const auto name = [&](const std::string& queue, std::string_view target, bool reset) {
    return bench
        .run(ConfigureQueue{.queue = queue,
                            .changes = {{.setting = static_cast<uint8_t>(QueueSetting::dead_letter_queue),
                                         .reset = reset,
                                         .name = target}}})
        .code;
  };
  CHECK(name("a", "z", false) == ReplyCode::ok);
  CHECK(name("a.dead", "a", false) == ReplyCode::ok);
  CHECK(name("a", "", true) == ReplyCode::refused);
  CHECK(name("a", "", false) == ReplyCode::ok);
}

}  // namespace wh::machine::test
