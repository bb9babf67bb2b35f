// Hazards of the queues, one by one, by commands: what the random model beside this file meets by luck alone.
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "machine/machine.h"
#include "model.h"

using namespace wh;
using namespace wh::machine;
using namespace wh::machine::test;
using raft::Index;

namespace {

// A machine of the latest version whose stamps the test chooses.
struct QueueBench {
  QueueBench() { machine.raise_version(Index{1}, 1'000, kLatestVersion); }
  Reply run(const Body& body, Millis stamp = 0, const std::optional<IdempotencyKey>& key = {}) {
    return machine.apply(machine.applied() + 1, std::max(stamp, machine.time_ms()), encode_command(body, key)).reply;
  }
  uint64_t put(std::string_view queue, NewEvent event) {
    return run(PutEvents{.queue = queue, .events = {event}}).event_id.value;
  }
  std::vector<Delivery> receive(std::string_view queue, uint32_t max = 1, Millis stamp = 0) {
    return run(Receive{.queue = queue, .max = max, .visibility = {}}, stamp).deliveries;
  }
  Reply settle(std::string_view queue, SettleVerb verb, const Delivery& of) {
    return run(Settle{.queue = queue, .verb = verb, .receipts = {{of.id, of.delivery}}});
  }
  void bury(std::string_view queue) {
    const std::vector<Delivery> got = receive(queue);
    REQUIRE(got.size() == 1);
    settle(queue, SettleVerb::bury, got[0]);
  }
  void configure(std::string_view queue, QueueSetting setting, uint64_t number) {
    const QueueSettingChange change{.setting = static_cast<uint8_t>(setting), .number = number};
    REQUIRE(run(ConfigureQueue{.queue = queue, .changes = {change}}).code == ReplyCode::ok);
  }
  Machine machine;
};

}  // namespace

TEST_CASE("HAZARDS Q1: a repeated receive is given what it still holds, not what others received since") {
  QueueBench bench;
  bench.put("q", {.bytes = "a"});
  bench.put("q", {.bytes = "b"});
  const IdempotencyKey key{.key = "once"};
  const Receive receive{.queue = "q", .max = 2, .visibility = {}};
  const std::vector<Delivery> first = bench.run(receive, 0, key).deliveries;
  REQUIRE(first.size() == 2);
  bench.settle("q", SettleVerb::release, first[0]);
  REQUIRE(bench.receive("q").size() == 1);
  CHECK(bench.run(receive, 0, key).deliveries == std::vector<Delivery>{first[1]});
}

TEST_CASE("HAZARDS Q10: an event at its last delivery is delivered alone") {
  QueueBench bench;
  bench.configure("q", QueueSetting::max_deliveries, 2);
  for (const char* bytes : {"a", "b", "c"}) bench.put("q", {.bytes = bytes});
  for (const Delivery& got : bench.receive("q", 2)) bench.settle("q", SettleVerb::release, got);
  for (const char* bytes : {"a", "b"}) {
    const std::vector<Delivery> got = bench.receive("q", 3);
    REQUIRE(got.size() == 1);
    CHECK(got[0].bytes.view() == bytes);
  }
  CHECK(bench.receive("q", 3).size() == 1);
  // Nor does one that may come again take it along.
  QueueBench other;
  other.configure("q", QueueSetting::max_deliveries, 2);
  other.put("q", {.bytes = "a"});
  other.put("q", {.bytes = "b"});
  const std::vector<Delivery> both = other.receive("q", 2);
  REQUIRE(both.size() == 2);
  other.settle("q", SettleVerb::release, both[1]);
  other.put("q", {.bytes = "before", .priority = 0});
  const std::vector<Delivery> next = other.receive("q", 2);
  REQUIRE(next.size() == 1);
  CHECK(next[0].bytes.view() == "before");
}

TEST_CASE("HAZARDS Q12: a dead letter enters a full queue, in the step that took it out of its own") {
  QueueBench bench;
  bench.configure("q.dead", QueueSetting::max_length, 1);
  for (const char* bytes : {"a", "b"}) {
    bench.put("q", {.bytes = bytes});
    bench.bury("q");
  }
  CHECK(bench.machine.queue_length("q") == 0);
  CHECK(bench.machine.queue_length("q.dead") == 2);
  CHECK(bench.run(Enqueue{"q.dead", "c"}).code == ReplyCode::full);
}

TEST_CASE("HAZARDS Q14: a dead letter lives by its new queue's ttl, not by what was left of its own") {
  for (const Millis ttl : {Millis{0}, Millis{60'000}}) {
    CAPTURE(ttl);
    QueueBench bench;
    if (ttl != 0) bench.configure("q.dead", QueueSetting::ttl, ttl);
    bench.put("q", {.bytes = "a", .ttl = 5'000});
    bench.bury("q");
    const Millis buried = bench.machine.time_ms();
    bench.run(Due{}, buried + 59'999);
    CHECK(bench.machine.queue_length("q.dead") == 1);
    bench.run(Due{}, buried + 60'000);
    CHECK(bench.machine.queue_length("q.dead") == (ttl == 0 ? 1 : 0));
  }
}

TEST_CASE("HAZARDS Q15: an event that is redriven counts its deliveries from one") {
  QueueBench bench;
  bench.configure("q", QueueSetting::max_deliveries, 1);
  bench.put("q", {.bytes = "a"});
  const std::vector<Delivery> only = bench.receive("q");
  REQUIRE(only.size() == 1);
  bench.settle("q", SettleVerb::release, only[0]);
  REQUIRE(bench.machine.queue_length("q.dead") == 1);
  CHECK(bench.run(Redrive{.from = "q.dead", .to = "q"}).count == 1);
  const std::vector<Delivery> again = bench.receive("q");
  REQUIRE(again.size() == 1);
  CHECK(again[0].deliveries == 1);
}

TEST_CASE("HAZARDS Q19: an event whose first delay runs does not hold its group up") {
  QueueBench bench;
  bench.put("q", {.bytes = "later", .delay = 10'000, .group = "g"});
  bench.put("q", {.bytes = "now", .group = "g"});
  const std::vector<Delivery> got = bench.receive("q");
  REQUIRE(got.size() == 1);
  CHECK(got[0].bytes.view() == "now");
  CHECK(bench.receive("q", 1, bench.machine.time_ms() + 10'000).empty());  // the group is held
}

TEST_CASE("HAZARDS Q23: the leader is to look again when a delay, a hold or a ttl ends") {
  QueueBench bench;
  CHECK(bench.machine.next_deadline() == kNever);
  const Millis now = bench.machine.time_ms();
  bench.put("q", {.bytes = "a", .delay = 10'000});
  CHECK(bench.machine.next_deadline() == now + 10'000);
  bench.put("q", {.bytes = "b", .ttl = 7'000});
  CHECK(bench.machine.next_deadline() == now + 7'000);
  bench.run(Receive{.queue = "q", .max = 1, .visibility = 3'000});
  CHECK(bench.machine.next_deadline() == now + 3'000);
}

TEST_CASE("a purge takes what it removes off the count of all events") {
  QueueBench bench;
  bench.put("q", {.bytes = "a"});
  bench.put("q", {.bytes = "b"});
  bench.put("other", {.bytes = "c"});
  CHECK(bench.run(PurgeQueue{"q"}).count == 2);
  CHECK(bench.machine.event_count() == 1);
}

TEST_CASE("HAZARDS Q35: a queue that is made anew is bound to nothing") {
  QueueBench bench;
  bench.put("q", {.bytes = "a"});
  REQUIRE(bench.run(Bind{.topic = "t", .queue = "q", .filter = {}}).code == ReplyCode::ok);
  REQUIRE(bench.run(DeleteQueue{"q"}).code == ReplyCode::ok);
  bench.put("q", {.bytes = "b"});
  CHECK(bench.run(Publish{.topic = "t", .events = {{.bytes = "c"}}}).code == ReplyCode::not_found);
  CHECK(bench.machine.queue_length("q") == 1);
}

TEST_CASE("HAZARDS Q37: where one queue of a topic has no room, none gets a copy") {
  QueueBench bench;
  bench.configure("b", QueueSetting::max_length, 1);
  bench.put("b", {.bytes = "full"});
  for (const char* queue : {"a", "b", "c"})
    REQUIRE(bench.run(Bind{.topic = "t", .queue = queue, .filter = {}}).code == ReplyCode::ok);
  CHECK(bench.run(Publish{.topic = "t", .events = {{.bytes = "x"}}}).code == ReplyCode::full);
  CHECK(bench.machine.queue_length("a") == 0);
  CHECK(bench.machine.queue_length("b") == 1);
  CHECK(bench.machine.queue_length("c") == 0);
}

TEST_CASE("HAZARDS Q43: a snapshot holds an event as it was before a delivery that came while it ran") {
  QueueBench bench;
  for (const char* bytes : {"a", "b", "c"}) bench.put("q", {.bytes = bytes});
  const uint64_t digest = bench.machine.digest();
  bench.machine.begin_snapshot();
  const std::vector<Delivery> got = bench.receive("q", 2);
  REQUIRE(got.size() == 2);
  bench.settle("q", SettleVerb::release, got[1]);
  const auto loaded = load(finish_snapshot(bench.machine, 1));
  REQUIRE(loaded.ok());
  CHECK(loaded->digest() == digest);
}

TEST_CASE("HAZARDS S14: a prefix takes the keys that begin with it, up to the last and no further") {
  QueueBench bench;
  bench.run(Set{{{"a", "1"}, {"k", "1"}, {"k/", "1"}, {"k/1", "1"}, {"k/\xff\xff", "1"}, {"k0", "1"}, {"l", "1"}}});
  const Reply erased = bench.run(Transact{.success = {ErasePrefix{"k/"}}});
  REQUIRE(erased.results.size() == 1);
  CHECK(erased.results[0].number == 3);
  CHECK(bench.machine.key_count() == 4);
  for (const char* left : {"a", "k", "k0", "l"}) CHECK(bench.machine.get(left) != nullptr);
}
