#include "machine/machine.h"

#include <csignal>
#include <cstdio>
#include <sys/wait.h>
#include <unistd.h>

#include "model.h"

using namespace wh::machine;
using namespace wh::machine::test;
using wh::Bytes;
using wh::raft::Index;
using wh::raft::NodeId;

TEST_CASE("Set writes all its pairs in one step, and of a key given twice the last") {
  Machine machine;
  CHECK(run(machine, Set{{{"a", "1"}, {"b", ""}, {"a", "2"}}}).count == 3);
  REQUIRE(machine.exists("a"));
  CHECK(machine.get("a")->view() == "2");
  REQUIRE(machine.exists("b"));
  CHECK(machine.get("b")->view().empty());
  CHECK_FALSE(machine.exists("c"));
  CHECK(machine.key_count() == 2);
  CHECK(run(machine, Set{{{"a", "3"}}}).count == 1);
  CHECK(machine.get("a")->view() == "3");
}

TEST_CASE("Delete counts the keys that existed") {
  Machine machine;
  run(machine, Set{{{"a", "1"}, {"b", "2"}, {"c", "3"}}});
  CHECK(run(machine, Delete{{"a", "x", "b", "a"}}).count == 2);
  CHECK(run(machine, Delete{{"a"}}) == Reply{});
  CHECK(machine.key_count() == 1);
}

TEST_CASE("Enqueue answers with the log index as the event's id, and the length") {
  Machine machine;
  machine.advance(Index{1}, 5);
  CHECK(run(machine, Enqueue{"event", "e1"}) == Reply{.event_id = {2}, .count = 1, .queue_length = 1});
  machine.advance(Index{3}, 5);
  CHECK(run(machine, Enqueue{"event", "e2"}) == Reply{.event_id = {4}, .count = 1, .queue_length = 2});
  CHECK(run(machine, Enqueue{"other", "o"}).queue_length == 1);
  REQUIRE(machine.front("event") != nullptr);
  CHECK(machine.front("event")->id() == 2);
  CHECK(machine.front("event")->bytes.view() == "e1");
  CHECK(machine.queue_length("event") == 2);
  CHECK(machine.queue_count() == 2);
  CHECK(machine.event_count() == 3);
}

TEST_CASE("Dequeue removes the front, and an empty queue is no error") {
  Machine machine;
  CHECK(run(machine, Dequeue{"event", {}}) == Reply{});
  run(machine, Enqueue{"event", "e1"});
  run(machine, Enqueue{"event", "e2"});
  CHECK(run(machine, Dequeue{"event", {}}) ==
        Reply{.event_id = {2}, .count = 1, .queue_length = 1, .event = Bytes("e1")});
  CHECK(run(machine, Dequeue{"event", {}}).event.view() == "e2");
  CHECK(machine.front("event") == nullptr);
  CHECK(run(machine, Dequeue{"event", {}}) == Reply{});
}

TEST_CASE("Dequeue with an id removes just that event, from the front alone") {
  Machine machine;
  run(machine, Enqueue{"event", "e1"});
  run(machine, Enqueue{"event", "e2"});
  const Reply failed{.code = ReplyCode::precondition_failed, .queue_length = 2};
  CHECK(run(machine, Dequeue{"event", 2}) == failed);  // there, but not in front
  CHECK(run(machine, Dequeue{"event", 0}) == failed);
  CHECK(machine.queue_length("event") == 2);
  CHECK(run(machine, Dequeue{"event", 1}).count == 1);
  CHECK(run(machine, Dequeue{"event", 1}).code == ReplyCode::precondition_failed);
  CHECK(run(machine, Dequeue{"event", 2}).event_id == Index{2});
  CHECK(run(machine, Dequeue{"event", 2}).code == ReplyCode::precondition_failed);  // empty
}

TEST_CASE("keys and queues never meet") {
  Machine machine;
  run(machine, Set{{{"event", "a key"}}});
  CHECK(machine.front("event") == nullptr);
  run(machine, Enqueue{"event", "an event"});
  CHECK(run(machine, Delete{{"event"}}).count == 1);
  CHECK(machine.queue_length("event") == 1);
  CHECK(machine.key_count() == 0);
}

TEST_CASE("bytes are kept as they are") {
  std::string all;
  for (int c = 0; c < 256; ++c) all.push_back(static_cast<char>(c));
  Machine machine;
  run(machine, Set{{{all, all}}});
  run(machine, Enqueue{"q", all});
  CHECK(machine.get(all)->view() == all);
  CHECK(run(machine, Dequeue{"q", {}}).event.view() == all);
}

TEST_CASE("the largest key, value and event") {
  const std::string key(kMaxKeyBytes, 'k');
  const std::string large(kMaxValueBytes, 'v');
  Machine machine;
  run(machine, Set{{{key, large}}});
  run(machine, Enqueue{"q", large});
  CHECK(machine.get(key)->size() == kMaxValueBytes);
  const uint64_t digest = machine.digest();

  machine.begin_snapshot();
  run(machine, Set{{{key, "small now"}}});
  run(machine, Dequeue{"q", {}});
  CHECK(machine.snapshot_kept_bytes() > 2 * kMaxValueBytes);
  std::string snapshot;
  std::string slice;
  while (machine.next_slice(65536, slice)) {
    CHECK(slice.size() < 65536 + kMaxKeyBytes + 64);
    snapshot += slice;
  }
  auto loaded = load(snapshot, 65536);
  REQUIRE(loaded.ok());
  CHECK(loaded->digest() == digest);
  CHECK(loaded->store.find(key)->value.view() == large);
}

TEST_CASE("cluster time follows the stamps and never goes back") {
  Machine machine;
  machine.advance(Index{1}, 100);
  CHECK(machine.time_ms() == 100);
  machine.advance(Index{2}, 50);
  CHECK(machine.time_ms() == 100);
  machine.apply(Index{3}, 200, "no command");
  CHECK(machine.time_ms() == 200);
}

TEST_CASE("HAZARDS E9: a second copy of a request changes nothing") {
  Machine machine;
  const RequestId id{NodeId{4}, 1, 17};
  CHECK(run(machine, Enqueue{"event", "once"}, id).code == ReplyCode::ok);
  const uint64_t digest = machine.digest();
  CHECK(run(machine, Enqueue{"event", "once"}, id) == Reply{.code = ReplyCode::duplicate});
  CHECK(machine.queue_length("event") == 1);
  CHECK(machine.digest() == digest);
  run(machine, Enqueue{"event", "twice"});  // sequence 0: no deduplication
  run(machine, Enqueue{"event", "twice"});
  CHECK(machine.queue_length("event") == 3);
}

TEST_CASE("HAZARDS E9: a request whose condition failed has been answered too") {
  Machine machine;
  const RequestId id{NodeId{4}, 1, 1};
  CHECK(run(machine, Dequeue{"event", 3}, id).code == ReplyCode::precondition_failed);
  machine.advance(Index{2}, 0);
  run(machine, Enqueue{"event", "e"});
  CHECK(run(machine, Dequeue{"event", 3}, id).code == ReplyCode::duplicate);
  CHECK(machine.queue_length("event") == 1);
}

TEST_CASE("HAZARDS E11: a snapshot between try and retry keeps the retry without effect") {
  Machine machine;
  const RequestId id{NodeId{4}, 1, 17};
  run(machine, Enqueue{"event", "once"}, id);
  auto loaded = load(snapshot_of(machine));
  REQUIRE(loaded.ok());
  Machine restarted;
  restarted.replace(std::move(*loaded));
  CHECK(run(restarted, Enqueue{"event", "once"}, id).code == ReplyCode::duplicate);
  CHECK(restarted.queue_length("event") == 1);
  CHECK(run(restarted, Enqueue{"event", "next"}, {NodeId{4}, 1, 18}).code == ReplyCode::ok);
  CHECK(run(restarted, Enqueue{"event", "old life"}, {NodeId{4}, 0, 19}).code == ReplyCode::duplicate);
}

TEST_CASE("HAZARDS B14: any bytes are answered, and what is no command changes nothing") {
  Machine machine;
  run(machine, Set{{{"k", "v"}}}, {NodeId{1}, 1, 1});
  wh::Prng prng(3);
  const std::string seeds[] = {envelope({NodeId{1}, 1, 2}, encode_body(Set{{{"key", "value"}}})),
                               envelope({NodeId{1}, 2, 2}, encode_body(Delete{{"k", "key"}})),
                               envelope({}, encode_body(Enqueue{"q", "event"})),
                               envelope({NodeId{2}, 1, 2}, encode_body(Dequeue{"q", 3}))};
  int invalid = 0;
  for (int i = 0; i < 30'000; ++i) {
    std::string command;
    if (prng.chance_ppm(300'000)) {
      for (uint64_t n = prng.below(80); n > 0; --n) command.push_back(static_cast<char>(prng.next()));
      if (!command.empty() && prng.chance_ppm(700'000)) command[0] = 1;
    } else {
      command = seeds[prng.below(4)];
      for (uint64_t n = prng.between(1, 4); n > 0; --n)
        command[prng.below(command.size())] = static_cast<char>(prng.below(prng.chance_ppm(500'000) ? 6 : 256));
    }
    const uint64_t digest = machine.digest();
    const Reply reply = machine.apply(machine.applied() + 1, 0, command).reply;
    if (reply.code != ReplyCode::invalid) continue;
    ++invalid;
    REQUIRE(machine.digest() == digest);
    REQUIRE(reply == Reply{.code = ReplyCode::invalid});
  }
  CHECK(invalid > 5000);
  CHECK(invalid < 30'000);
  CHECK(load(snapshot_of(machine)).ok());
}

TEST_CASE("different histories to the same state have the same digest") {
  Machine one;
  run(one, Set{{{"a", "1"}, {"b", "2"}}});
  run(one, Enqueue{"gone", "x"});
  run(one, Enqueue{"q", "e"});  // id 3
  run(one, Dequeue{"gone", {}});

  Machine other;
  run(other, Set{{{"b", "something else"}, {"c", "3"}}});
  other.apply(other.applied() + 1, 0, "no command");
  run(other, Enqueue{"q", "e"});  // id 3
  run(other, Delete{{"b", "c"}});
  CHECK(other.digest() != one.digest());
  run(other, Set{{{"b", "2"}}});
  run(other, Set{{{"a", "1"}}});
  CHECK(other.digest() == one.digest());
  CHECK(other.logical_bytes() == one.logical_bytes());

  run(other, Set{{{"b", "2"}}});  // the same again
  CHECK(other.digest() == one.digest());
  run(other, Dequeue{"q", {}}, {NodeId{1}, 1, 1});
  run(one, Dequeue{"q", {}});
  CHECK(other.digest() != one.digest());  // a session is part of the state
}

TEST_CASE("growth foretells by how much a command grows the data") {
  Machine machine;
  const auto growth = [&](const Body& body) { return machine.growth(envelope({}, encode_body(body))); };
  const auto grown = [&](const Body& body) {
    const uint64_t before = machine.logical_bytes();
    run(machine, body);
    return machine.logical_bytes() - before;
  };
  for (const Body& body : {Body(Set{{{"a", "12345"}, {"b", ""}}}), Body(Set{{{"a", "1234567"}, {"c", "1"}}}),
                           Body(Enqueue{"queue", "event"}), Body(Enqueue{"queue", "another"})}) {
    const uint64_t foretold = growth(body);
    CHECK(foretold > 0);
    CHECK(foretold == grown(body));
  }
  CHECK(growth(Set{{{"a", "1234567"}}}) == 0);
  CHECK(growth(Set{{{"a", "1"}}}) == 0);
  CHECK(growth(Set{{{"a", "1"}, {"a", "12345678"}}}) == 1);
  CHECK(growth(Delete{{"a"}}) == 0);
  CHECK(growth(Dequeue{"queue", {}}) == 0);
  CHECK(machine.growth("no command") == 0);
}

// Whether `what` ends the process by an assertion.
template <class What>
bool aborts(What what) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::signal(SIGABRT, SIG_DFL);
    if (std::freopen("/dev/null", "w", stderr) == nullptr) ::_exit(2);
    what();
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

TEST_CASE("HAZARDS B16: an entry is applied once and in its turn, also behind a snapshot, or the process ends") {
  const std::string command = envelope({}, encode_body(Enqueue{"event", "e"}));
  Machine machine;
  machine.apply(Index{1}, 0, command);
  CHECK(aborts([&] { machine.apply(Index{1}, 0, command); }));
  CHECK(aborts([&] { machine.apply(Index{3}, 0, command); }));
  auto loaded = load(snapshot_of(machine));
  REQUIRE(loaded.ok());
  CHECK(loaded->applied == Index{1});  // state and index are one
  Machine restarted;
  restarted.replace(std::move(*loaded));
  CHECK(aborts([&] { restarted.apply(Index{1}, 0, command); }));
  restarted.apply(Index{2}, 0, command);
  CHECK(restarted.queue_length("event") == 2);
}

TEST_CASE("HAZARDS B17: a version or a kind that this machine does not know is refused whole, by its first byte") {
  Machine machine;
  run(machine, Set{{{"k", "v"}}}, {NodeId{1}, 1, 1});
  const std::string known = envelope({NodeId{1}, 1, 2}, encode_body(Set{{{"k", "w"}}}));
  for (int byte = 0; byte < 256; ++byte) {
    std::string version = known;
    version[0] = static_cast<char>(byte);
    std::string kind = known;
    kind[kEnvelopeBytes] = static_cast<char>(byte);
    const uint64_t digest = machine.digest();
    if (byte != 1) {
      CHECK(machine.apply(machine.applied() + 1, 0, version).reply.code == ReplyCode::invalid);
      CHECK(request_id_of(version).has_value() == (byte == 2));  // an envelope of version 2 of the cluster
    }
    if (byte == 0 || byte > 4) CHECK(machine.apply(machine.applied() + 1, 0, kind).reply.code == ReplyCode::invalid);
    CHECK(machine.digest() == digest);
  }
  // Its number was not used up: a version that knows it may still be told it anew, under one that all know.
  CHECK(machine.apply(machine.applied() + 1, 0, known).reply.code == ReplyCode::ok);
  CHECK(machine.get("k")->view() == "w");
}
