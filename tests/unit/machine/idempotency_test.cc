// Idempotency keys: cases that the random model test beside this file does not spell out.
#include "machine/dedup/idempotency.h"

#include "machine/command/event_headers.h"
#include "machine/machine.h"
#include "model.h"

using namespace wh::machine;
using namespace wh::machine::test;
using wh::raft::Index;

namespace {

constexpr Fingerprint kOne{1};
constexpr Fingerprint kTwo{2};

struct Bench {
  Machine machine;
  wh::Millis now = 1'000;

  Bench() { machine.raise_version(Index{1}, now, wh::kLatestVersion); }
  Reply ask(const Body& body, std::string_view key, const Fingerprint& fingerprint = kOne) {
    return machine.apply(machine.applied() + 1, now, encode_command(body, IdempotencyKey{key, fingerprint})).reply;
  }
  Reply run(const Body& body) { return machine.apply(machine.applied() + 1, now, encode_command(body)).reply; }
};

}  // namespace

TEST_CASE("the same key again gets the first answer and has no second effect") {
  Bench bench;
  const Reply first = bench.ask(Enqueue{"event", "e"}, "k");
  CHECK(first.event_id == Index{2});
  CHECK(first.replayed_from == Index{});
  Reply again = bench.ask(Enqueue{"event", "e"}, "k");
  CHECK(again.replayed_from == Index{2});
  again.replayed_from = {};
  CHECK(again == first);
  CHECK(bench.machine.queue_length("event") == 1);
}

TEST_CASE("a removal asked for again removes nothing more, and names what the first removed") {
  Bench bench;
  bench.run(Enqueue{"event", "a"});
  bench.run(Enqueue{"event", "b"});
  const Reply first = bench.ask(Dequeue{"event", {}}, "k");
  CHECK(first.event.view() == "a");
  const Reply again = bench.ask(Dequeue{"event", {}}, "k");
  CHECK(again.event_id == first.event_id);
  CHECK(again.count == 1);
  CHECK(again.event.empty());
  CHECK(bench.machine.queue_length("event") == 1);
}

TEST_CASE("a removal that keeps its event gives it to a repeat, with its attributes") {
  Bench bench;
  const std::string headers = pack_headers({.content_type = "text/plain", .attributes = {{"a", "1"}}});
  bench.run(PutEvents{.queue = "q", .events = {{.bytes = "e", .headers = headers}}});
  const Dequeue removal{.queue = "q", .only_if_front = {}, .keep_event = true};
  const Reply first = bench.ask(removal, "k");
  CHECK(first.event.view() == "e");
  Reply again = bench.ask(removal, "k");
  CHECK(again.replayed_from != Index{});
  again.replayed_from = {};
  CHECK(again == first);
}

TEST_CASE("HAZARDS QI3: a key is known after its event is gone, the queue purged, and a snapshot loaded") {
  Bench bench;
  const Reply first = bench.ask(Enqueue{"q", "e"}, "k");
  const Reply got = bench.run(Receive{.queue = "q", .max = 1, .visibility = {}});
  bench.run(Settle{.queue = "q", .receipts = {{got.deliveries[0].id, got.deliveries[0].delivery}}});
  bench.run(PurgeQueue{"q"});
  auto loaded = load(snapshot_of(bench.machine));
  REQUIRE(loaded.ok());
  bench.machine.replace(std::move(*loaded));
  const Reply again = bench.ask(Enqueue{"q", "e"}, "k");
  CHECK(again.event_id == first.event_id);
  CHECK(again.replayed_from != Index{});
  CHECK(bench.machine.queue_length("q") == 0);
}

TEST_CASE("in a batch each item has its own key") {
  Bench bench;
  const IdempotencyKey a{"a", kOne};
  const IdempotencyKey b{"b", kOne};
  const auto put = [&](std::vector<NewEvent> events) { return bench.run(PutEvents{.queue = "q", .events = events}); };
  const Reply first = put({{.bytes = "1", .idempotency = a}, {.bytes = "2"}, {.bytes = "1", .idempotency = a}});
  REQUIRE(first.ids.size() == 3);
  CHECK(first.ids[0] == first.ids[2]);  // one key twice: one event
  CHECK(bench.machine.queue_length("q") == 2);
  const Reply again = put({{.bytes = "3", .idempotency = b}, {.bytes = "1", .idempotency = a}});
  CHECK(again.ids[1] == first.ids[0]);
  CHECK(bench.machine.queue_length("q") == 3);
  CHECK(put({{.bytes = "4"}, {.bytes = "5", .idempotency = IdempotencyKey{"a", kTwo}}}).code == ReplyCode::key_reused);
  CHECK(bench.machine.queue_length("q") == 3);
}

TEST_CASE("a repeated receive is given what is still held, and one that found nothing is tried again") {
  Bench bench;
  const Receive receive{.queue = "q", .max = 2, .visibility = {}};
  CHECK(bench.ask(receive, "k").count == 0);
  bench.run(PutEvents{.queue = "q", .events = {{.bytes = "1"}, {.bytes = "2"}}});
  const Reply first = bench.ask(receive, "k");
  REQUIRE(first.count == 2);
  CHECK(first.replayed_from == Index{});
  const Receipt one{first.deliveries[0].id, first.deliveries[0].delivery};
  bench.run(Settle{.queue = "q", .verb = SettleVerb::acknowledge, .receipts = {one}});
  const Reply again = bench.ask(receive, "k");
  CHECK(again.replayed_from != Index{});
  REQUIRE(again.count == 1);
  CHECK(again.deliveries[0].id == first.deliveries[1].id);
  CHECK(again.deliveries[0].delivery == first.deliveries[1].delivery);
  CHECK(again.deliveries[0].bytes.view() == "2");
}

TEST_CASE("an acknowledgement is kept if it settled anything, or the event was gone") {
  Bench bench;
  bench.run(PutEvents{.queue = "q", .events = {{.bytes = "1"}}});
  const Reply got = bench.run(Receive{.queue = "q", .max = 1, .visibility = {}});
  const Receipt receipt{got.deliveries[0].id, got.deliveries[0].delivery};
  const auto settle = [&](SettleVerb verb, const Receipt& which, const char* key) {
    return bench.ask(Settle{.queue = "q", .verb = verb, .receipts = {which}}, key);
  };
  settle(SettleVerb::acknowledge, {receipt.id, receipt.delivery + 1}, "stale");
  settle(SettleVerb::extend, {receipt.id + 7, receipt.delivery}, "nothing to extend");
  CHECK(bench.machine.idempotency().size() == 0);
  settle(SettleVerb::acknowledge, receipt, "done");
  settle(SettleVerb::acknowledge, receipt, "gone");
  CHECK(bench.machine.idempotency().size() == 2);
  CHECK(settle(SettleVerb::acknowledge, receipt, "done").outcomes == std::vector{SettleOutcome::done});
}

TEST_CASE("a removal by ids is kept unless all events are held") {
  Bench bench;
  const Reply put = bench.run(PutEvents{.queue = "q", .events = {{.bytes = "1"}, {.bytes = "2"}}});
  bench.run(Receive{.queue = "q", .max = 1, .visibility = {}});
  const auto remove = [&](std::vector<uint64_t> ids, const char* key) {
    return bench.ask(RemoveEvents{"q", std::move(ids)}, key).outcomes;
  };
  CHECK(remove({put.ids[0]}, "held") == std::vector{SettleOutcome::held});
  CHECK(bench.machine.idempotency().size() == 0);
  const std::vector<SettleOutcome> first = remove(put.ids, "some");
  CHECK(first == std::vector{SettleOutcome::held, SettleOutcome::done});
  CHECK(remove(put.ids, "some") == first);
  CHECK(remove({put.ids[1]}, "gone") == std::vector{SettleOutcome::gone});
  CHECK(bench.machine.idempotency().size() == 2);
  CHECK(bench.ask(RemoveEvents{"q", {put.ids[0]}}, "some", kTwo).code == ReplyCode::key_reused);
  CHECK(bench.ask(RemoveEvents{"none", {1}}, "none").code == ReplyCode::not_found);
}

TEST_CASE("a repeated ConfigureQueue says the settings that the first one left") {
  Bench bench;
  const auto set = [](uint64_t delay) {
    return ConfigureQueue{.queue = "q",
                          .changes = {{.setting = static_cast<uint8_t>(QueueSetting::delay), .number = delay}}};
  };
  const Reply first = bench.ask(set(1'000), "k");
  bench.run(set(2'000));
  const Reply again = bench.ask(set(1'000), "k");
  CHECK(again.replayed_from != Index{});
  CHECK(again.event.view() == first.event.view());
}

TEST_CASE("the same key with another request is refused and changes nothing") {
  Bench bench;
  bench.ask(Set{{{"a", "1"}}}, "k", kOne);
  CHECK(bench.ask(Set{{{"a", "2"}}}, "k", kTwo).code == ReplyCode::key_reused);
  CHECK(bench.machine.get("a")->view() == "1");
}

TEST_CASE("a key counts within the store, or within its queue") {
  Bench bench;
  CHECK(bench.ask(Enqueue{"one", "e"}, "k").replayed_from == Index{});
  CHECK(bench.ask(Enqueue{"two", "e"}, "k").replayed_from == Index{});
  CHECK(bench.ask(Set{{{"a", "1"}}}, "k").replayed_from == Index{});
  CHECK(bench.ask(Dequeue{"one", {}}, "k", kTwo).code == ReplyCode::key_reused);
}

TEST_CASE("a refusal is not kept: asked again it may succeed") {
  Bench bench;
  CHECK(bench.ask(Dequeue{"event", 4}, "k").code == ReplyCode::precondition_failed);
  CHECK(bench.machine.idempotency().size() == 0);
  bench.run(Enqueue{"event", "e"});
  const uint64_t id = bench.machine.front("event")->id();
  CHECK(bench.ask(Dequeue{"event", id}, "k").count == 1);
}

TEST_CASE("a key is forgotten when its window is over, with or without a Due") {
  Bench bench;
  bench.run(PutSettings{{{"dedup_window", 2'000}}});
  bench.ask(Enqueue{"event", "e"}, "k");
  CHECK(bench.machine.next_deadline() == 4'000);  // a second's go together
  bench.now = 2'999;
  CHECK(bench.run(Due{}).count == 0);
  CHECK(bench.ask(Enqueue{"event", "e"}, "k").replayed_from != Index{});
  bench.now = 3'000;
  SUBCASE("asked again") { CHECK(bench.ask(Enqueue{"event", "e"}, "k").replayed_from == Index{}); }
  SUBCASE("by a Due") {
    CHECK(bench.run(Due{}).count == 1);
    CHECK(bench.machine.idempotency().size() == 0);
    CHECK(bench.machine.next_deadline() == wh::kNever);
  }
}

// HAZARDS: a million that fall due together must not hold up the loop.
TEST_CASE("one Due ends a bounded number, and says that more is due") {
  Bench bench;
  bench.run(PutSettings{{{"dedup_window", 1'000}}});
  for (size_t i = 0; i < kDuePerEntry + 5; ++i) bench.ask(Set{{{"a", "1"}}}, "k" + std::to_string(i));
  bench.now += 2'000;
  CHECK(bench.run(Due{}).count == kDuePerEntry);
  CHECK(bench.machine.next_deadline() <= bench.now);
  CHECK(bench.run(Due{}).count == 5);
}

TEST_CASE("beyond what the settings allow the oldest go first, and are counted") {
  Bench bench;
  bench.run(PutSettings{{{"dedup_max_keys", 3}}});
  for (int i = 0; i < 5; ++i) {
    ++bench.now;
    bench.ask(Set{{{"a", "1"}}}, "k" + std::to_string(i));
  }
  CHECK(bench.machine.idempotency().size() == 3);
  CHECK(bench.machine.idempotency_evicted() == 2);
  CHECK(bench.ask(Set{{{"a", "1"}}}, "k4").replayed_from != Index{});
  CHECK(bench.ask(Set{{{"a", "1"}}}, "k0").replayed_from == Index{});
}

TEST_CASE("the oldest are those answered first, also where the window was shortened since") {
  Bench bench;
  bench.run(PutSettings{{{"dedup_max_keys", 3}, {"dedup_window", 600'000}}});
  for (int i = 0; i < 3; ++i) bench.ask(Set{{{"a", "1"}}}, "old" + std::to_string(i));
  bench.run(PutSettings{{{"dedup_window", 1'000}}});
  bench.ask(Enqueue{"event", "one"}, "new1");
  bench.ask(Enqueue{"event", "two"}, "new2");
  SUBCASE("at once") {}
  SUBCASE("after a snapshot") {
    auto loaded = load(snapshot_of(bench.machine));
    REQUIRE(loaded.ok());
    bench.machine.replace(std::move(*loaded));
  }
  CHECK(bench.ask(Enqueue{"event", "one"}, "new1").replayed_from != Index{});
  CHECK(bench.ask(Enqueue{"event", "two"}, "new2").replayed_from != Index{});
  bench.ask(Enqueue{"event", "three"}, "new3");
  bench.ask(Enqueue{"event", "four"}, "new4");
  CHECK(bench.ask(Enqueue{"event", "two"}, "new2").replayed_from != Index{});
  CHECK(bench.ask(Enqueue{"event", "one"}, "new1").replayed_from == Index{});
}

TEST_CASE("the window follows the log's stamps, not the jumps of cluster time") {
  Bench bench;
  bench.ask(Enqueue{"event", "e"}, "k");
  CHECK(bench.run(AdvanceTime{1'800'000'000'000}).count == 1);
  CHECK(bench.machine.cluster_time_ms() == 1'800'000'000'000);
  CHECK(bench.run(AdvanceTime{5}).count == 0);  // never back
  CHECK(bench.run(Due{}).count == 0);
  CHECK(bench.ask(Enqueue{"event", "e"}, "k").replayed_from != Index{});
}

TEST_CASE("in a cluster of the first version what came later is no command") {
  Machine machine;
  const auto code = [&](const std::string& command) {
    return machine.apply(machine.applied() + 1, 1, command).reply.code;
  };
  CHECK(code(encode_command(Set{{{"a", "1"}}}, IdempotencyKey{"k", kOne})) == ReplyCode::invalid);
  CHECK(code(encode_command(Due{})) == ReplyCode::invalid);
  CHECK(code(encode_command(AdvanceTime{9})) == ReplyCode::invalid);
  CHECK(code(encode_command(PutSettings{{{"dedup_window", 5'000}}})) == ReplyCode::invalid);
  CHECK_FALSE(machine.exists("a"));
  CHECK(machine.cluster_time_ms() == 1);
}

TEST_CASE("settings are changed all together or not at all") {
  Bench bench;
  CHECK_FALSE(check(PutSettings{{{"dedup_window", 5'000}, {"no_such", 1}}}).ok());
  CHECK_FALSE(check(PutSettings{{{"dedup_window", 1}}}).ok());
  CHECK(bench.run(PutSettings{{{"dedup_window", 5'000}, {"dedup_max_keys", 7}}}).count == 2);
  CHECK(bench.machine.settings().dedup_window == 5'000);
  CHECK(bench.machine.settings().dedup_max_keys == 7);
}

TEST_CASE("an entry's effects name what it changed, and only that") {
  Bench bench;
  const std::string set = encode_command(Set{{{"a", "1"}, {"b", "2"}}});
  const Applied wrote = bench.machine.apply(bench.machine.applied() + 1, bench.now, set);
  CHECK(wrote.effects.changed_keys == std::vector<std::string_view>{"a", "b"});
  const std::string del = encode_command(Delete{{"b", "absent"}});
  const Applied removed = bench.machine.apply(bench.machine.applied() + 1, bench.now, del);
  CHECK(removed.effects.changed_keys == std::vector<std::string_view>{"b"});
  const std::string enqueue = encode_command(Enqueue{"q", "e"}, IdempotencyKey{"k", kOne});
  CHECK(bench.machine.apply(bench.machine.applied() + 1, bench.now, enqueue).effects.ready_queues.size() == 1);
  // Answered by its key it changes nothing.
  CHECK(bench.machine.apply(bench.machine.applied() + 1, bench.now, enqueue).effects.empty());
}
