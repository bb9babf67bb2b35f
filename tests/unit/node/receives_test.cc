// Receives: who is served, in which order, what it costs the log, and what becomes of events that nobody hears of.
#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "queue_member.h"

namespace wh::node {

TEST_CASE("a receive takes what is ready, in one entry") {
  QueueLeader bench;
  bench.enqueue(1, "q", 2);
  const raft::Index before = bench.last();
  bench.receive(2, "q");
  bench.settle();
  CHECK(bench.got(2) == 1);
  CHECK(bench.last().value == before.value + 1);
}

TEST_CASE("an enqueue, a receive and an acknowledgement of one turn share one sync") {
  QueueLeader bench;
  bench.enqueue(1, "q", 2);
  bench.receive(2, "q");
  bench.settle();
  REQUIRE(bench.got(2) == 1);
  const machine::Delivery& got = bench.answer(2)->reply.deliveries[0];
  bench.receive(3, "q", 10'000, 5);  // takes the other one, and
  bench.settle();
  bench.receive(4, "q", 10'000);  // waits for what is put in
  REQUIRE(bench.storage.due.empty());
  const raft::Index before = bench.last();
  bench.node.submit_write(5, put("q"), true, bench.now);
  bench.node.submit_write(
      6, machine::encode_command(machine::Settle{.queue = "q", .receipts = {{got.id, got.delivery}}}), true, bench.now);
  bench.turn();
  CHECK(bench.last().value == before.value + 3);
  CHECK(bench.storage.due.size() == 1);
  bench.persist();
  bench.settle();
  CHECK(bench.got(4) == 1);
  CHECK(bench.answer(5)->outcome == Outcome::applied);
  CHECK(bench.answer(6)->outcome == Outcome::applied);
}

TEST_CASE("HAZARDS Q29: a receive that finds nothing writes nothing, and is answered once this node surely leads") {
  QueueLeader bench;
  const raft::Index before = bench.last();
  bench.receive(1, "q");
  CHECK(bench.got(1) == -1);
  bench.confirm_reads();
  CHECK(bench.got(1) == 0);
  CHECK(bench.last() == before);
}

TEST_CASE("HAZARDS Q27: a waiting receive is served by the entry that follows the event, in the same round") {
  QueueLeader bench;
  bench.receive(1, "q", 10'000);
  CHECK(bench.got(1) == -1);
  CHECK(bench.node.waiting() == 1);
  CHECK(bench.node.waiting_for("q") == 1);
  const raft::Index before = bench.last();
  bench.node.submit_write(2, put("q"), true, bench.now);
  bench.persist();
  CHECK(bench.last().value == before.value + 2);
  bench.holds(kOther, bench.last());
  CHECK(bench.got(1) == 1);
  CHECK(bench.node.waiting() == 0);
}

TEST_CASE("those that wait are served in the order they came, and one event wakes one") {
  QueueLeader bench;
  for (Token token = 1; token <= 3; ++token) bench.receive(token, "q", 10'000);
  bench.receive(4, "other", 10'000);
  bench.enqueue(10, "q");
  CHECK(bench.got(1) == 1);
  CHECK(bench.got(2) == -1);
  bench.enqueue(11, "q", 2);
  CHECK(bench.got(2) == 1);
  CHECK(bench.got(3) == 1);
  CHECK(bench.got(4) == -1);
  CHECK(bench.node.waiting() == 1);
}

TEST_CASE("HAZARDS Q29: what a proposed receive may take is promised to no other") {
  QueueLeader bench;
  bench.enqueue(1, "q");
  const raft::Index before = bench.last();
  bench.receive(2, "q", 10'000);
  bench.receive(3, "q", 10'000);
  CHECK(bench.last().value == before.value + 1);
  CHECK(bench.node.waiting_for("q") == 1);
}

TEST_CASE("as many are served as there are events, and the next keeps its place") {
  QueueLeader bench;
  for (Token token = 1; token <= 3; ++token) bench.receive(token, "q", 10'000);
  bench.enqueue(10, "q", 2);
  CHECK(bench.got(1) == 1);
  CHECK(bench.got(2) == 1);
  CHECK(bench.got(3) == -1);
  bench.enqueue(11, "q");
  CHECK(bench.got(3) == 1);
}

TEST_CASE("receives of one turn that ask for the same thing share an entry, and each gets its part in its order") {
  QueueLeader bench;
  for (Token token = 1; token <= 3; ++token) bench.receive(token, "q", 10'000, token == 2 ? 2 : 1);
  const raft::Index before = bench.last();
  bench.enqueue(10, "q", 3);
  CHECK(bench.last().value == before.value + 2);
  REQUIRE(bench.got(1) == 1);
  REQUIRE(bench.got(2) == 2);
  CHECK(bench.got(3) == -1);
  const uint64_t first = bench.answer(1)->reply.deliveries[0].id;
  CHECK(bench.answer(2)->reply.deliveries[0].id == first + 1);
  CHECK(bench.answer(2)->reply.deliveries[1].id == first + 2);
  CHECK(bench.answer(2)->reply.count == 2);
  // Those that do not wait share, too; whoever gets less than it asked for is answered with that.
  bench.enqueue(11, "q", 3);
  CHECK(bench.got(3) == 1);
  const raft::Index then = bench.last();
  for (Token token = 4; token <= 5; ++token)
    bench.node.submit_receive(token, receive_of("q", token == 5 ? 5 : 1), 0, bench.now);
  bench.persist();
  bench.settle();
  CHECK(bench.last().value == then.value + 1);
  CHECK(bench.got(4) == 1);
  CHECK(bench.got(5) == 1);
}

TEST_CASE("who asks for something else, under a key or for another member has an entry of its own") {
  QueueLeader bench;
  bench.enqueue(1, "q", 9);
  bench.enqueue(2, "other", 1);
  const raft::Index before = bench.last();
  const auto receive = [&](Token token, const machine::Receive& what) {
    bench.node.submit_receive(token, machine::encode_command(what), 0, bench.now);
  };
  receive(11, {.queue = "q", .max = 1, .visibility = {}});
  receive(12, {.queue = "other", .max = 1, .visibility = {}});
  receive(13, {.queue = "q", .max = 1, .visibility = {}});      // goes with the first
  receive(14, {.queue = "q", .max = 1, .visibility = 60'000});  // not
  receive(15, {.queue = "q", .max = 1, .visibility = {}});      // nor this, as it came after that
  bench.node.submit_receive(16, receive_of("q", 1, "key"), 0, bench.now);
  bench.persist();
  bench.settle();
  CHECK(bench.last().value == before.value + 5);
  std::vector<uint64_t> ids;
  for (const Token token : {11, 13, 14, 15, 16}) {
    REQUIRE(bench.got(token) == 1);
    ids.push_back(bench.answer(token)->reply.deliveries[0].id);
  }
  CHECK(std::is_sorted(ids.begin(), ids.end()));
  CHECK(bench.got(12) == 1);
  CHECK(bench.answer(14)->reply.deliveries[0].visible_at > bench.answer(15)->reply.deliveries[0].visible_at);
}

TEST_CASE("an entry that many share asks for no more than one receive may") {
  QueueLeader bench;
  for (int i = 0; i < 3; ++i) bench.enqueue(100 + static_cast<Token>(i), "q", 50);
  const raft::Index before = bench.last();
  for (Token token = 1; token <= 3; ++token) bench.node.submit_receive(token, receive_of("q", 50), 0, bench.now);
  bench.persist();
  bench.settle();
  CHECK(bench.last().value == before.value + 2);
  for (Token token = 1; token <= 3; ++token) CHECK(bench.got(token) == 50);
}

TEST_CASE("who gets nothing of a shared entry that ended early looks again for itself") {
  QueueLeader bench;
  machine::QueueSettingChange once;
  once.setting = static_cast<uint8_t>(machine::QueueSetting::max_deliveries);
  once.number = 1;  // each delivery is the last, and goes alone
  bench.node.submit_write(1, machine::encode_command(machine::ConfigureQueue{.queue = "q", .changes = {once}}), true,
                          bench.now);
  bench.persist();
  bench.settle();
  bench.enqueue(2, "q", 3);
  for (Token token = 3; token <= 5; ++token) bench.node.submit_receive(token, receive_of("q"), 0, bench.now);
  bench.persist();
  for (int i = 0; i < 4; ++i) bench.settle();
  CHECK(bench.got(3) == 1);
  CHECK(bench.got(4) == 1);
  CHECK(bench.got(5) == 1);
}

TEST_CASE("what a client that is gone would have got of a shared entry is ready again, the others' parts are not") {
  QueueLeader bench;
  bench.enqueue(1, "q", 3);
  for (Token token = 2; token <= 4; ++token) bench.node.submit_receive(token, receive_of("q"), 0, bench.now);
  bench.persist();
  bench.node.cancel_receive(3);
  bench.settle();
  bench.settle();
  CHECK(bench.got(2) == 1);
  CHECK(bench.got(3) == -1);
  CHECK(bench.got(4) == 1);
  CHECK(bench.ready("q") == 1);
  CHECK(bench.node.machine().front("q")->id() == bench.answer(2)->reply.deliveries[0].id + 1);
}

TEST_CASE("a wait ends with nothing at its time, and not with request-timeout") {
  QueueLeader bench;
  const Millis wait = bench_options().request_timeout_ms * 2;
  bench.receive(1, "q", wait);
  bench.pass(wait - 100);
  CHECK(bench.got(1) == -1);
  bench.pass(300);
  bench.confirm_reads();
  CHECK(bench.got(1) == 0);
  CHECK(bench.node.waiting() == 0);
}

TEST_CASE("HAZARDS Q28: a client that goes while it waits leaves nothing behind") {
  QueueLeader bench;
  bench.receive(1, "q", 10'000);
  bench.receive(2, "q", 10'000);
  bench.node.cancel_receive(1);
  bench.persist();
  CHECK(bench.node.waiting() == 1);
  bench.enqueue(10, "q");
  CHECK(bench.got(1) == -1);
  CHECK(bench.got(2) == 1);
}

TEST_CASE("HAZARDS Q11: events whose client is gone before the answer are ready at once, and were not delivered") {
  QueueLeader bench;
  bench.enqueue(1, "q");
  bench.receive(2, "q");
  bench.node.cancel_receive(2);
  bench.settle();
  bench.settle();
  CHECK(bench.got(2) == -1);
  CHECK(bench.ready("q") == 1);
  CHECK(bench.node.machine().front("q")->deliveries == 0);
}

TEST_CASE("HAZARDS Q6: but those of a keyed receive stay, and its repeat finds them") {
  QueueLeader bench;
  bench.enqueue(1, "q");
  bench.receive(2, "q", 0, 1, "again");
  bench.node.cancel_receive(2);
  bench.settle();
  bench.settle();
  CHECK(bench.ready("q") == 0);
  bench.receive(3, "q", 0, 1, "again");
  bench.settle();
  CHECK(bench.got(3) == 1);
}

TEST_CASE("a receive that finds nothing waits for those before it, which may leave something") {
  QueueLeader bench;
  machine::QueueSettingChange once{.setting = static_cast<uint8_t>(machine::QueueSetting::max_deliveries), .number = 1};
  bench.node.submit_write(1, machine::encode_command(machine::ConfigureQueue{.queue = "q", .changes = {once}}), true,
                          bench.now);
  bench.persist();
  bench.settle();
  bench.enqueue(2, "q", 10);
  bench.receive(3, "q", 0, 100);  // takes one, as each delivery is the last
  bench.receive(4, "q", 0, 1);
  for (int i = 0; i < 4 && bench.got(4) == -1; ++i) bench.settle();
  CHECK(bench.got(3) == 1);
  CHECK(bench.got(4) == 1);
  // One that does leave nothing: then that is the answer.
  bench.enqueue(5, "p", 1);
  bench.receive(6, "p");
  bench.receive(7, "p");
  bench.settle();
  bench.confirm_reads();
  CHECK(bench.got(6) == 1);
  CHECK(bench.got(7) == 0);
}

TEST_CASE("who finds only events whose time is over goes on to those behind them") {
  QueueLeader bench;
  machine::PutEvents short_lived{.queue = "q", .events = {}};
  for (size_t i = 0; i < machine::kMaxBatch; ++i) short_lived.events.push_back({.bytes = "e", .ttl = 100});
  for (Token token = 1; token <= 5; ++token) {
    bench.node.submit_write(token, machine::encode_command(short_lived), true, bench.now);
    bench.persist();
    bench.settle();
  }
  bench.enqueue(6, "q");
  bench.now += 200;
  bench.receive(7, "q");
  for (int i = 0; i < 10 && bench.got(7) == -1; ++i) bench.settle();
  CHECK(bench.got(7) == 1);
}

TEST_CASE("what waits for a member that is silent takes nothing, and the next in the line is served") {
  QueueLeader bench;
  const raft::Term term = bench.node.raft()->current_term();
  for (uint64_t request = 71; request < 81; ++request)
    bench.node.receive(kThird, ForwardReceive{request, Bytes(receive_of("q")), term, 60'000, {}}, bench.now);
  bench.persist();
  CHECK(bench.node.waiting_for("q") == 10);
  for (int i = 0; i < 100; ++i) {
    bench.now += 100;
    bench.holds(kOther, bench.last());
  }
  REQUIRE(bench.node.raft()->role() == raft::Role::leader);
  REQUIRE(bench.node.silent(kThird));
  bench.receive(1, "q", 10'000);
  bench.node.submit_write(2, put("q", 5), true, bench.now);
  bench.persist();
  for (int i = 0; i < 6; ++i) bench.holds(kOther, bench.last());
  CHECK(bench.got(1) == 1);
  CHECK(bench.ready("q") == 4);
  CHECK(bench.node.waiting_for("q") == 0);
  // It is told, should it hear anything.
  const auto told = bench.sent_to<ForwardReply>(kThird);
  REQUIRE(told.size() == 10);
  CHECK(told.back().outcome == Outcome::dropped);
}

TEST_CASE("a repeated enqueue serves nobody: who waits writes no entry for it") {
  QueueLeader bench;
  const machine::PutEvents events{.queue = "q", .events = {{.bytes = "e"}}};
  const std::string keyed = machine::encode_command(events, machine::IdempotencyKey{"k", {}});
  bench.node.submit_write(1, keyed, true, bench.now);
  bench.persist();
  bench.settle();
  bench.receive(2, "q");
  bench.settle();
  bench.receive(3, "q", 10'000);
  const raft::Index before = bench.last();
  bench.node.submit_write(4, keyed, true, bench.now);
  bench.persist();
  bench.settle();
  CHECK(bench.last().value == before.value + 1);
}

TEST_CASE("a leader change ends the waits") {
  QueueLeader bench;
  bench.receive(1, "q", 10'000);
  bench.node.receive(kOther,
                     raft::AppendEntries{.term = raft::next(bench.node.raft()->current_term()),
                                         .prev_log_index = bench.last(),
                                         .prev_log_term = bench.node.raft()->current_term()},
                     bench.now);
  bench.persist();
  const Completion* completion = bench.answer(1);
  REQUIRE(completion != nullptr);
  CHECK(completion->outcome == Outcome::dropped);
}

TEST_CASE(
    "a receive whose entry found nothing under another leader was not told so by a leader, and its wait is not over") {
  QueueLeader bench;
  bench.enqueue(1, "q");
  bench.receive(2, "q", 0);       // takes what there is,
  bench.receive(3, "r", 10'000);  // and this waits
  bench.node.submit_write(4, machine::encode_command(machine::Enqueue{"r", "e"}), true, bench.now);
  bench.node.submit_write(5, machine::encode_command(machine::PurgeQueue{"r"}), true, bench.now);
  bench.persist();
  const raft::Index last = bench.last();
  const raft::Term term = bench.node.raft()->current_term();
  bench.node.receive(
      kOther,
      raft::AppendEntries{
          .term = raft::next(term), .prev_log_index = last, .prev_log_term = term, .leader_commit = last},
      bench.now);
  bench.persist();
  REQUIRE(bench.answer(3) != nullptr);
  CHECK(bench.answer(3)->outcome == Outcome::dropped);
}

TEST_CASE("events of a receive that was given up before its answer came are ready again") {
  for (const char* key : {static_cast<const char*>(nullptr), "again"}) {
    QueueLeader bench;
    bench.enqueue(1, "q");
    const raft::Index before = bench.last();
    bench.receive(2, "q", 0, 1, key);
    // The others are there, but lack the entry.
    const Millis until = bench.now + bench.node.options().request_timeout_ms + 50;
    while (bench.now < until) {
      bench.now += 50;
      bench.holds(kOther, before);
      bench.holds(kThird, before);
    }
    REQUIRE(bench.answer(2) != nullptr);
    CHECK(bench.answer(2)->outcome == Outcome::unknown);
    CHECK(bench.ready("q") == 1);  // nothing was applied yet
    bench.holds(kOther, bench.last());
    CHECK(bench.ready("q") == 0);
    bench.settle();
    CHECK(bench.ready("q") == (key == nullptr ? 1 : 0));
  }
  // Those that shared an entry: each was told, and all of it is ready again.
  QueueLeader bench;
  bench.enqueue(1, "q", 2);
  const raft::Index before = bench.last();
  for (Token token = 2; token <= 3; ++token) bench.node.submit_receive(token, receive_of("q"), 0, bench.now);
  const Millis until = bench.now + bench.node.options().request_timeout_ms + 50;
  while (bench.now < until) {
    bench.now += 50;
    bench.holds(kOther, before);
    bench.holds(kThird, before);
  }
  for (Token token = 2; token <= 3; ++token) {
    REQUIRE(bench.answer(token) != nullptr);
    CHECK(bench.answer(token)->outcome == Outcome::unknown);
  }
  bench.holds(kOther, bench.last());
  CHECK(bench.ready("q") == 0);
  bench.settle();
  CHECK(bench.ready("q") == 2);
}

TEST_CASE("HAZARDS Q28: no more wait than max-waiting says") {
  NodeOptions options = newer();
  options.max_waiting = 100;
  Versioned bench(options);
  bench.says(kOther, kLatestVersion);
  bench.says(kThird, kLatestVersion);
  bench.lead();
  bench.settle();
  for (Token token = 1; token <= 101; ++token)
    bench.node.submit_receive(token, receive_of("q" + std::to_string(token)), 10'000, bench.now);
  bench.persist();
  CHECK(bench.node.waiting() == 100);
  REQUIRE(bench.answer(101) != nullptr);
  CHECK(bench.answer(101)->outcome == Outcome::overloaded);
}

}  // namespace wh::node
