// Hazards of the store, one by one: leases, expiry, transactions, and the history that watches read.
#include <array>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "machine/machine.h"
#include "machine/store/watch_place.h"
#include "model.h"

using namespace wh;
using namespace wh::machine;
using namespace wh::machine::test;
using raft::Index;

namespace {

// A machine of version 4 whose stamps the test chooses.
struct StoreBench {
  StoreBench() { machine.raise_version(Index{1}, 1'000, 4); }
  Reply run(const Body& body, Millis stamp = 0) {
    return machine.apply(machine.applied() + 1, std::max(stamp, machine.time_ms()), encode_command(body)).reply;
  }
  Reply transact(std::vector<Op> ops) { return run(Transact{.success = std::move(ops)}); }
  uint64_t grant(Millis ttl) { return run(GrantLease{ttl}).event_id.value; }
  [[nodiscard]] std::string value(std::string_view key) const {
    const Bytes* found = machine.get(key);
    return found == nullptr ? "-" : std::string(found->view());
  }
  Machine machine;
};

PutKey put(std::string_view key, std::string_view value, uint64_t lease = 0, Millis ttl = 0) {
  return {.key = key, .value = value, .expiry = ttl == 0 ? Expiry{} : Expiry{Expiry::Kind::after, ttl}, .lease = lease};
}

}  // namespace

TEST_CASE("HAZARDS S3: a lease is kept alive before its deadline, and gone with its keys from then on") {
  for (const int late : {-1, 0, 1}) {
    CAPTURE(late);
    StoreBench bench;
    const uint64_t lease = bench.grant(5'000);
    bench.transact({put("k", "v", lease)});
    const Millis deadline = bench.machine.find_lease(lease)->deadline;
    const Reply kept = bench.run(KeepLease{lease}, deadline + static_cast<Millis>(late));
    CHECK((kept.code == ReplyCode::ok) == (late < 0));
    CHECK(bench.value("k") == (late < 0 ? "v" : "-"));
    CHECK((bench.machine.find_lease(lease) != nullptr) == (late < 0));
    if (late < 0) {
      CHECK(bench.machine.find_lease(lease)->deadline == deadline - 1 + 5'000);
      continue;
    }
    CHECK(bench.transact({put("other", "v", lease)}).code == ReplyCode::not_found);
    CHECK(bench.value("other") == "-");
    bench.run(Due{});
    CHECK(bench.machine.store().leases().empty());
    CHECK(bench.machine.key_count() == 0);
    CHECK(bench.run(KeepLease{lease}).code == ReplyCode::not_found);  // S9: for ever
  }
}

TEST_CASE("HAZARDS S5: a key belongs to the lease that it was last put under, or to none") {
  StoreBench bench;
  const uint64_t first = bench.grant(5'000);
  const uint64_t second = bench.grant(9'000);
  bench.transact(
      {put("moved", "1", first), put("freed", "1", first), put("made anew", "1", first), put("n", "1", first)});
  bench.transact(
      {put("moved", "2", second), put("freed", "2"), EraseKey{"made anew"}, put("made anew", "2"), Increment{"n", 1}});
  CHECK(bench.machine.store().leases().at(first).keys.size() == 1);
  bench.run(RevokeLease{first});
  CHECK(bench.value("moved") == "2");
  CHECK(bench.value("freed") == "2");
  CHECK(bench.value("made anew") == "2");
  CHECK(bench.value("n") == "-");  // a number that is added to keeps its lease
  bench.run(RevokeLease{second});
  CHECK(bench.value("moved") == "-");
  bench.run(Set{{{"freed", "3"}}});
  CHECK(bench.value("freed") == "3");
}

TEST_CASE("HAZARDS S5, W7: a key whose own time was over before its lease is revoked expired, and was not deleted") {
  StoreBench bench;
  const uint64_t lease = bench.grant(9'000);
  bench.transact({put("short", "1", lease, 100), put("long", "1", lease)});
  const uint64_t from = bench.machine.history().end_number();
  bench.run(RevokeLease{lease}, bench.machine.time_ms() + 200);
  const History& history = bench.machine.history();
  REQUIRE(history.end_number() == from + 2);
  for (uint64_t n = from; n < from + 2; ++n)
    CHECK(history.at(n).type == (history.at(n).key == "short" ? ChangeType::expire : ChangeType::erase));
  CHECK(bench.machine.key_count() == 0);
}

TEST_CASE("HAZARDS S6: a key whose time is over is not there, whatever looks at it") {
  const std::array<Op, 7> each{put("k", "new"),
                               EraseKey{"k"},
                               GetKey{"k"},
                               ListKeys{"k", 10},
                               Increment{"k", 5},
                               Append{"k", "5"},
                               Touch{"k", {Expiry::Kind::after, 100}, Touch::Only::always}};
  for (size_t i = 0; i < each.size(); ++i)
    for (const int late : {-1, 0, 1}) {
      CAPTURE(i);
      CAPTURE(late);
      StoreBench bench;
      bench.transact({put("k", "1", 0, 2'000)});
      const Millis over = bench.machine.find("k")->expires_at();
      const Reply reply =
          bench.run(Transact{.compares = {{.name = "k", .number = 1}}, .success = {each[i]}, .failure = {each[i]}},
                    over + static_cast<Millis>(late));
      REQUIRE(reply.code == ReplyCode::ok);
      CHECK(reply.count == (late < 0 ? 1 : 0));
      const OpResult& result = reply.results[0];
      const std::array<uint64_t, 7> there{1, 1, 0, 0, 6, 2, 1};
      const std::array<uint64_t, 7> gone{0, 0, 0, 0, 5, 1, 0};
      CHECK(result.number == (late < 0 ? there[i] : gone[i]));
      if (i == 2 || i == 3) CHECK(result.items.size() == (late < 0 ? 1 : 0));
      // What it was, is kept; what it is made into lives for ever.
      if (i == 4) CHECK((bench.machine.store().find("k")->expires_at() != 0) == (late < 0));
    }
}

TEST_CASE("HAZARDS S7: the leader is to look again when the first key or lease is over") {
  StoreBench bench;
  CHECK(bench.machine.next_deadline() == kNever);
  const Millis now = bench.machine.time_ms();
  const uint64_t lease = bench.grant(9'000);
  CHECK(bench.machine.next_deadline() == now + 9'000);
  bench.transact({put("late", "1", 0, 500), put("soon", "1", 0, 100)});
  CHECK(bench.machine.next_deadline() == now + 100);
  bench.run(Due{}, now + 100);
  CHECK(bench.machine.next_deadline() == now + 500);
  bench.transact({EraseKey{"late"}});
  CHECK(bench.machine.next_deadline() == now + 9'000);
  bench.run(RevokeLease{lease});
  CHECK(bench.machine.next_deadline() == kNever);
}

TEST_CASE("HAZARDS S10, S6: a jump of cluster time ends what has a ttl, and no lease") {
  StoreBench bench;
  const uint64_t lease = bench.grant(5'000);
  bench.transact({put("leased", "v", lease), put("short", "v", 0, 60'000), put("long", "v", 0, 600'000)});
  bench.run(AdvanceTime{bench.machine.cluster_time_ms() + 120'000});  // nobody led so long
  CHECK(bench.value("leased") == "v");
  CHECK(bench.value("short") == "-");
  CHECK(bench.value("long") == "v");
  bench.transact({put("new", "v", 0, 1'000)});
  CHECK(bench.value("new") == "v");
  CHECK(bench.run(Due{}, bench.machine.time_ms() + 1'000).count == 2);
  CHECK(bench.value("new") == "-");
  CHECK(bench.machine.key_count() == 2);
}

TEST_CASE("HAZARDS S4: leases and keys that end together end a bounded number an entry, and are gone at once") {
  StoreBench bench;
  std::vector<std::string> names;
  for (int i = 0; i < 3'000; ++i) names.push_back("k" + std::to_string(i));
  const uint64_t lease = bench.grant(5'000);
  for (const std::string& name : names) bench.transact({put(name, "v", lease)});
  for (int i = 0; i < 500; ++i) bench.grant(5'000);
  const Millis over = bench.machine.time_ms() + 6'000;
  CHECK(bench.run(Due{}, over).count == kDueKeysPerEntry);
  CHECK(bench.machine.key_count() == 2'000);
  CHECK(bench.value("k2999") == "-");
  for (int i = 0; i < 3; ++i) bench.run(Due{}, over);
  CHECK(bench.machine.key_count() == 0);
  CHECK(bench.machine.store().leases().empty());
  CHECK(bench.machine.next_deadline() == kNever);
}

TEST_CASE(
    "HAZARDS S4: leases that are over take no place from new ones, swept or not, and go a bounded number an entry") {
  StoreBench bench;
  REQUIRE(bench.run(PutSettings{{{"max_leases", 2}}}).code == ReplyCode::ok);
  const uint64_t first = bench.grant(5'000);
  const uint64_t second = bench.grant(9'000);
  CHECK(bench.run(GrantLease{5'000}).code == ReplyCode::full);
  const Millis over = bench.machine.find_lease(first)->deadline;
  CHECK(bench.run(GrantLease{5'000}, over).code == ReplyCode::ok);
  CHECK(bench.machine.store().leases().size() == 2);
  CHECK(bench.machine.find_lease(second) != nullptr);
  CHECK(bench.run(GrantLease{5'000}).code == ReplyCode::full);

  // One with more keys than an entry removes: each attempt goes on.
  StoreBench large;
  REQUIRE(large.run(PutSettings{{{"max_leases", 1}}}).code == ReplyCode::ok);
  std::vector<std::string> names;
  for (int i = 0; i < 2'500; ++i) names.push_back("k" + std::to_string(i));
  const uint64_t lease = large.grant(5'000);
  for (const std::string& name : names) large.transact({put(name, "v", lease)});
  const Millis then = large.machine.time_ms() + 6'000;
  for (const size_t left : {1'500, 500}) {
    CHECK(large.run(GrantLease{5'000}, then).code == ReplyCode::full);
    CHECK(large.machine.key_count() == left);
  }
  CHECK(large.run(GrantLease{5'000}, then).code == ReplyCode::ok);
  CHECK(large.machine.key_count() == 0);
}

TEST_CASE("HAZARDS S4: a lease has at most 10,000 keys") {
  StoreBench bench;
  const uint64_t lease = bench.grant(5'000);
  for (int i = 0; i < 10'000; i += 100) {
    std::vector<std::string> names;
    for (int n = 0; n < 100; ++n) names.push_back("k" + std::to_string(i + n));
    std::vector<Op> ops;
    for (const std::string& name : names) ops.push_back(put(name, "v", lease));
    REQUIRE(bench.transact(std::move(ops)).code == ReplyCode::ok);
  }
  CHECK(bench.transact({put("one more", "v", lease)}).code == ReplyCode::full);
  CHECK(bench.transact({put("k17", "w", lease)}).code == ReplyCode::ok);
}

TEST_CASE("HAZARDS S13: an operation that fails at any place of a transaction leaves all as it was") {
  const std::string large(kMaxValueBytes, 'x');
  const auto fill = [&](StoreBench& bench) {
    bench.transact({put("n", "7"), put("max", "9223372036854775807"), put("text", "t"), put("large", large)});
    bench.run(ConfigureQueue{.queue = "full",
                             .changes = {{.setting = static_cast<uint8_t>(QueueSetting::max_length), .number = 1}}});
    bench.run(PutEvents{"full", {{.bytes = "e"}}});
    bench.run(PutEvents{"q", {{.bytes = "e"}}});
  };
  const std::vector<std::pair<Op, ReplyCode>> failing{
      {Increment{"text", 1}, ReplyCode::conflict},
      {Increment{"max", 1}, ReplyCode::conflict},
      {Append{"large", "y"}, ReplyCode::conflict},
      {put("k", "v", 99), ReplyCode::not_found},
      {EnqueueEvent{"full", {.bytes = "e"}}, ReplyCode::full},
      {SettleEvent{.queue = "q", .receipt = {4, 4}}, ReplyCode::conflict},
      {SettleEvent{.queue = "none", .receipt = {4, 4}}, ReplyCode::conflict},
  };
  for (size_t which = 0; which < failing.size(); ++which)
    for (size_t place = 0; place < 5; ++place) {
      CAPTURE(which);
      CAPTURE(place);
      StoreBench bench;
      fill(bench);
      std::vector<Op> ops{put("a", "1"), Increment{"n", 1}, EraseKey{"text"}, EnqueueEvent{"r", {.bytes = "e"}}};
      if (which < 3) ops[2] = ErasePrefix{"nothing"};
      ops.insert(ops.begin() + static_cast<std::ptrdiff_t>(place), failing[which].first);
      const uint64_t digest = bench.machine.digest();
      const uint64_t bytes = bench.machine.logical_bytes();
      const uint64_t told = bench.machine.history().end_number();
      const Reply reply = bench.transact(std::move(ops));
      CHECK(reply.code == failing[which].second);
      CHECK(reply.results.empty());
      CHECK(reply.event.view().starts_with("operation " + std::to_string(place) + ": "));
      CHECK(bench.machine.digest() == digest);
      CHECK(bench.machine.logical_bytes() == bytes);
      CHECK(bench.machine.history().end_number() == told);
    }
}

TEST_CASE("HAZARDS S13, Q1: a receipt is settled once in a transaction, and only while it holds its event") {
  StoreBench bench;
  bench.run(PutEvents{"q", {{.bytes = "e"}}});
  const Delivery held = bench.run(Receive{.queue = "q", .max = 1}).deliveries.at(0);
  const SettleEvent acknowledge{.queue = "q", .receipt = {held.id, held.delivery}};
  CHECK(bench.transact({acknowledge, acknowledge}).code == ReplyCode::conflict);
  const Transact step{.compares = {{.target = CompareTarget::holds, .name = "q", .receipt = acknowledge.receipt}},
                      .success = {acknowledge, put("result", "done"), EnqueueEvent{"next", {.bytes = "f"}}},
                      .must_hold = true};
  CHECK(bench.run(step).code == ReplyCode::ok);
  CHECK(bench.value("result") == "done");
  CHECK(bench.machine.queues().find("q")->size() == 0);
  CHECK(bench.machine.queue_length("next") == 1);
  CHECK(bench.run(step).code == ReplyCode::precondition_failed);
  CHECK(bench.transact({acknowledge}).code == ReplyCode::conflict);
}

TEST_CASE("an acknowledgement makes room for an event of the same transaction") {
  StoreBench bench;
  bench.run(ConfigureQueue{.queue = "q",
                           .changes = {{.setting = static_cast<uint8_t>(QueueSetting::max_length), .number = 1}}});
  bench.run(PutEvents{"q", {{.bytes = "e"}}});
  const Delivery held = bench.run(Receive{.queue = "q", .max = 1}).deliveries.at(0);
  CHECK(bench.transact({EnqueueEvent{"q", {.bytes = "f"}}}).code == ReplyCode::full);
  const Reply reply = bench.transact(
      {SettleEvent{.queue = "q", .receipt = {held.id, held.delivery}}, EnqueueEvent{"q", {.bytes = "f"}}});
  REQUIRE(reply.code == ReplyCode::ok);
  CHECK(bench.machine.queues().front("q")->id() == reply.results[1].number);
}

TEST_CASE(
    "HAZARDS S12: keys that a transaction changes more than once end as it left them, and the history tells all") {
  StoreBench bench;
  bench.transact({put("k", "old")});
  const uint64_t from = bench.machine.history().end_number();
  const Reply reply = bench.transact({EraseKey{"k"}, put("k", "new"), GetKey{"k"}, put("gone", "1"), EraseKey{"gone"}});
  CHECK(reply.results[2].items.at(0).value.view() == "new");
  CHECK(bench.value("k") == "new");
  const Item& item = *bench.machine.find("k");
  CHECK(item.create_index == bench.machine.applied());
  CHECK(item.version == 1);
  const History& history = bench.machine.history();
  REQUIRE(history.end_number() == from + 4);
  CHECK(history.at(from).type == ChangeType::erase);
  CHECK(history.at(from).prev.view() == "old");
  CHECK(history.at(from + 1).type == ChangeType::put);
  CHECK_FALSE(history.at(from + 1).had_prev);
  CHECK(history.at(from + 3).type == ChangeType::erase);
  auto loaded = load(snapshot_of(bench.machine));
  REQUIRE(loaded.ok());
  CHECK(loaded->store.find("k")->value.view() == "new");
}

TEST_CASE("keys of earlier versions count as made and last changed by the entry that raised the cluster") {
  Machine machine;
  machine.raise_version(Index{1}, 0, 3);
  run(machine, Set{{{"old", "1"}, {"changed", "1"}}});
  machine.raise_version(Index{3}, 0, 4);
  run(machine, Set{{{"changed", "2"}, {"new", "1"}}});
  const auto numbers = [&](std::string_view key) {
    const Store& store = machine.store();
    const Item& item = *machine.find(key);
    return std::array<uint64_t, 3>{store.create_index(item), store.mod_index(item), store.version(item)};
  };
  CHECK(numbers("old") == std::array<uint64_t, 3>{3, 3, 1});
  CHECK(numbers("changed") == std::array<uint64_t, 3>{3, 4, 2});
  CHECK(numbers("new") == std::array<uint64_t, 3>{4, 4, 1});
}

TEST_CASE("HAZARDS V3: a snapshot before, at and after the rise to version 4 is of the version of its index") {
  Machine machine;
  machine.raise_version(Index{1}, 1'000, 3);
  const auto run = [&](const Body& body) {
    return machine.apply(machine.applied() + 1, machine.time_ms(), encode_command(body)).reply.code;
  };
  REQUIRE(run(Set{{{"old", "1"}, {"older", "2"}}}) == ReplyCode::ok);
  REQUIRE(run(PutEvents{"q", {{.bytes = "e"}}}) == ReplyCode::ok);
  const auto check = [&](ClusterVersion version, uint64_t since) {
    CAPTURE(version);
    auto loaded = load(snapshot_of(machine));
    REQUIRE_MESSAGE(loaded.ok(), loaded.error());
    CHECK(loaded->version == version);
    CHECK(loaded->store.since().value == since);
    CHECK(loaded->digest() == machine.digest());
    if (version >= 4) return;
    // Its own rise counts, wherever it comes.
    Machine other;
    (void)other.replace(std::move(*loaded));
    other.raise_version(other.applied() + 1, 1'000, 4);
    CHECK(other.store().mod_index(*other.find("old")) == other.applied().value);
  };
  check(3, 0);
  // One that began before the rise and ends behind it is of before.
  machine.begin_snapshot();
  const uint64_t digest_before = machine.digest();
  std::string running;
  REQUIRE(machine.next_slice(1, running));
  machine.raise_version(machine.applied() + 1, 1'000, 4);
  const uint64_t rise = machine.applied().value;
  REQUIRE(run(Transact{.success = {put("old", "new", 0, 5'000), put("new", "v")}}) == ReplyCode::ok);
  running += finish_snapshot(machine, 1);
  const auto before = load(running);
  REQUIRE_MESSAGE(before.ok(), before.error());
  CHECK(before->version == 3);
  CHECK(before->digest() == digest_before);
  check(4, rise);
  REQUIRE(run(Transact{.success = {put("old", "newer"), put("new", "v")}}) == ReplyCode::ok);
  check(4, rise);
  CHECK(machine.store().create_index(*machine.find("old")) == rise);
  CHECK(machine.store().mod_index(*machine.find("older")) == rise);
}

TEST_CASE("HAZARDS S16: a sum is exact, and what is no number of 64 bits stays as it is") {
  const std::vector<std::pair<std::string, bool>> values{{"9007199254740993", true},
                                                         {"-9223372036854775808", true},
                                                         {"9223372036854775807", false},
                                                         {"9223372036854775808", false},
                                                         {"1e3", false},
                                                         {"1.0", false},
                                                         {"-0", false},
                                                         {"01", false},
                                                         {"+1", false},
                                                         {" 1", false},
                                                         {"", false},
                                                         {"0x1", false}};
  for (const auto& [value, adds] : values) {
    CAPTURE(value);
    StoreBench bench;
    bench.transact({put("n", value)});
    const Reply reply = bench.transact({Increment{"n", 1}});
    CHECK((reply.code == ReplyCode::ok) == adds);
    if (!adds) CHECK(bench.value("n") == value);
  }
  StoreBench bench;
  bench.transact({put("n", "9007199254740993")});
  CHECK(bench.transact({Increment{"n", 2}}).results[0].number == 9'007'199'254'740'995);
  CHECK(bench.value("n") == "9007199254740995");
}

TEST_CASE("HAZARDS W2, W3: what the history forgets, it forgets by whole entries, and it says where it begins") {
  StoreBench bench;
  bench.machine.limit_history(4'000);
  const std::string value(300, 'v');
  for (int i = 0; i < 40; ++i) bench.run(Set{{{"a", value}, {"b", value}, {"c", value}}});
  const History& history = bench.machine.history();
  CHECK(history.bytes() <= 4'000 + 3 * (Change::kOverhead + 2 * 300 + 1));
  CHECK(history.count() % 3 == 0);
  CHECK(history.at(history.first_number()).index == history.oldest());
  CHECK(history.number_from(history.oldest()) == history.first_number());
  CHECK(history.at(history.number_from(bench.machine.applied())).key == "a");
  CHECK(history.number_from(bench.machine.applied() + 1) == history.end_number());
  // A large entry is told whole, whatever the limit is.
  bench.run(Set{{{"a", std::string(9'000, 'x')}, {"b", value}}});
  CHECK(history.at(history.end_number() - 2).index == bench.machine.applied());
}

TEST_CASE("HAZARDS V3: a snapshot before a rise, during it and after it says the version of what it holds") {
  for (ClusterVersion version = 2; version <= kLatestVersion; ++version) {
    CAPTURE(version);
    Machine machine;
    const ClusterVersion older = version - 1;
    if (older > kFirstVersion) machine.raise_version(Index{1}, 1'000, older);
    run(machine, Set{{{"k", "v"}, {"other", "v"}}});
    const uint64_t digest = machine.digest();
    const std::string before = snapshot_of(machine);
    machine.begin_snapshot();
    machine.raise_version(machine.applied() + 1, 1'000, version);
    const std::string during = finish_snapshot(machine);
    const uint64_t raised = machine.digest();
    for (const std::string& bytes : {before, during}) {
      auto loaded = load(bytes);
      REQUIRE(loaded.ok());
      CHECK(loaded->version == older);
      CHECK(loaded->digest() == digest);
      // The entry that follows it in the log brings it to the same state.
      Machine other;
      (void)other.replace(std::move(*loaded));
      other.raise_version(machine.applied(), 1'000, version);
      CHECK(other.digest() == raised);
    }
    auto after = load(snapshot_of(machine));
    REQUIRE(after.ok());
    CHECK(after->version == version);
    CHECK(after->digest() == raised);
  }
}

TEST_CASE("HAZARDS S9: a lease that is over stays so in a state that was loaded, and its id is not given again") {
  StoreBench bench;
  const uint64_t over = bench.grant(1'000);
  const uint64_t revoked = bench.grant(60'000);
  bench.run(RevokeLease{revoked});
  bench.run(Due{}, bench.machine.time_ms() + 2'000);
  auto loaded = load(snapshot_of(bench.machine));
  REQUIRE(loaded.ok());
  StoreBench other;
  (void)other.machine.replace(std::move(*loaded));
  for (const uint64_t lease : {over, revoked}) {
    CHECK(other.run(KeepLease{lease}).code == ReplyCode::not_found);
    CHECK(other.transact({put("k", "v", lease)}).code == ReplyCode::not_found);
  }
  CHECK(other.grant(1'000) > std::max(over, revoked));
}

namespace {

// The indexes of all that it tells now.
std::vector<uint64_t> told(const Machine& machine, WatchPlace& place) {
  std::vector<uint64_t> out;
  size_t looked_at = 0;
  while (const auto number = place.next(looked_at)) {
    out.push_back(machine.history().at(*number).index.value);
    place.told(*number);
  }
  return out;
}

}  // namespace

TEST_CASE("HAZARDS W1: a watch that is slower than the history forgets is lost, and tells nothing any more") {
  for (const bool begun : {false, true}) {
    CAPTURE(begun);
    StoreBench bench;
    bench.machine.limit_history(3 * (Change::kOverhead + 10));
    WatchPlace slow(bench.machine, "k", true, Index{});
    WatchPlace quick(bench.machine, "k", true, Index{});
    if (begun) bench.transact({put("k", "0")});
    if (begun) CHECK(told(bench.machine, slow).size() == 1);
    for (int i = 0; i < 6; ++i) {
      bench.transact({put("k", std::to_string(i))});
      CHECK(told(bench.machine, quick).size() == (begun && i == 0 ? 2 : 1));
    }
    CHECK(told(bench.machine, slow).empty());
    CHECK(slow.lost());
    CHECK_FALSE(quick.lost());
    CHECK_FALSE(slow.mark());
  }
}

TEST_CASE("HAZARDS W10, W3: a watch that goes on from an index is told that entry whole, and none before it") {
  StoreBench bench;
  bench.transact({put("k", "1"), put("other", "1")});
  bench.transact({put("k", "2"), put("k", "3"), put("other", "2")});
  const Index second = bench.machine.applied();
  bench.transact({put("k", "4")});
  WatchPlace place(bench.machine, "k", false, second);
  size_t looked_at = 0;
  const auto first = place.next(looked_at);
  REQUIRE(first);
  CHECK_FALSE(place.is_last_of_entry(*first));
  place.told(*first);
  const auto next = place.next(looked_at);
  REQUIRE(next);
  CHECK(place.is_last_of_entry(*next));
  WatchPlace again(bench.machine, "k", false, second);
  CHECK(told(bench.machine, again) == std::vector<uint64_t>{second.value, second.value, second.value + 1});
  WatchPlace beyond(bench.machine, "k", false, second + 1);
  CHECK(told(bench.machine, beyond) == std::vector<uint64_t>{second.value + 1});
}

TEST_CASE("HAZARDS W4: a watch is marked up to the last entry once all was told, and not before") {
  StoreBench bench;
  WatchPlace place(bench.machine, "k", false, Index{});
  bench.transact({put("other", "1")});
  CHECK(place.mark() == bench.machine.applied());
  bench.transact({put("k", "1")});
  CHECK_FALSE(place.mark());
  CHECK(told(bench.machine, place).size() == 1);
  CHECK(place.mark() == bench.machine.applied());
}

TEST_CASE("HAZARDS W5: a snapshot that is installed under a watch ends it") {
  StoreBench bench;
  bench.transact({put("k", "1")});
  Machine other;
  WatchPlace place(other, "k", false, Index{});
  Result<State> state = load(snapshot_of(bench.machine));
  REQUIRE(state.ok());
  (void)other.replace(std::move(*state));
  CHECK(told(other, place).empty());
  CHECK(place.lost());
  CHECK(WatchPlace(other, "k", false, other.applied()).lost());
  CHECK_FALSE(WatchPlace(other, "k", false, other.applied() + 1).lost());
}
