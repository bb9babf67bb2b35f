// Takes that remove events, and takes that name several queues: they stand in the same lines as receives.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "queue_member.h"

namespace wh::node {
namespace {

// The event that a pop was answered; "-": nothing, "?": it was not answered.
std::string popped(QueueLeader& bench, Token token) {
  const Completion* completion = bench.answer(token);
  if (completion == nullptr) return "?";
  CHECK(completion->outcome == Outcome::applied);
  return completion->reply.count == 0 ? "-" : std::string(completion->reply.event.view());
}

uint32_t choice(QueueLeader& bench, Token token) { return bench.answer(token)->reply.choice; }

}  // namespace

TEST_CASE("a waiting pop is served by the entry behind the event, and one event serves one of a hundred") {
  QueueLeader bench;
  for (Token token = 1; token <= 100; ++token) bench.pop(token, {"q"}, 10'000);
  const raft::Index before = bench.last();
  bench.enqueue(200, "q");
  CHECK(popped(bench, 1) == "e");
  for (Token token = 2; token <= 100; ++token) CHECK(popped(bench, token) == "?");
  CHECK(bench.last().value == before.value + 2);  // the event, and the pop
  CHECK(bench.node.waiting() == 99);
  CHECK(bench.ready("q") == 0);
}

TEST_CASE("receives and pops stand in one line, in the order they came") {
  QueueLeader bench;
  bench.receive(1, "q", 10'000);
  bench.pop(2, {"q"}, 10'000);
  bench.receive(3, "q", 10'000);
  bench.enqueue(10, "q");
  CHECK(bench.got(1) == 1);
  CHECK(popped(bench, 2) == "?");
  bench.enqueue(11, "q", 2);
  CHECK(popped(bench, 2) == "e");
  CHECK(bench.got(3) == 1);
}

TEST_CASE("HAZARDS Q29: a pop that finds nothing writes nothing") {
  QueueLeader bench;
  const uint64_t before = bench.node.counters().proposals;
  bench.pop(1, {"q", "r"});
  CHECK(popped(bench, 1) == "?");
  bench.confirm_reads();
  CHECK(popped(bench, 1) == "-");
  bench.pop(2, {"q", "r"}, 5'000);
  bench.pass(5'300);
  bench.confirm_reads();
  CHECK(popped(bench, 2) == "-");
  CHECK(bench.node.waiting() == 0);
  CHECK(bench.node.counters().proposals == before);
}

TEST_CASE("a take of several queues takes from the first that has something") {
  QueueLeader bench;
  bench.enqueue(1, "r");
  bench.enqueue(2, "s");
  bench.pop(3, {"q", "r", "s"});
  bench.settle();
  CHECK(popped(bench, 3) == "e");
  CHECK(choice(bench, 3) == 1);
  CHECK(bench.ready("r") == 0);
  CHECK(bench.ready("s") == 1);
}

TEST_CASE("a take waits in the lines of all its queues, and leaves all of them") {
  QueueLeader bench;
  bench.pop(1, {"q", "r"}, 10'000);
  bench.pop(2, {"r", "q"}, 10'000);
  CHECK(bench.node.waiting_for("q") == 2);
  CHECK(bench.node.waiting_for("r") == 2);
  bench.enqueue(10, "r");
  CHECK(popped(bench, 1) == "e");
  CHECK(choice(bench, 1) == 1);
  CHECK(bench.node.waiting_for("q") == 1);
  CHECK(bench.node.waiting_for("r") == 1);
  bench.enqueue(11, "q");
  CHECK(popped(bench, 2) == "e");
  CHECK(choice(bench, 2) == 1);
  CHECK(bench.node.waiting() == 0);
}

TEST_CASE("events in several queues in one turn: each take is given one") {
  QueueLeader bench;
  bench.pop(1, {"q", "r"}, 10'000);
  const raft::Index before = bench.last();
  bench.node.submit_write(10, put("r"), true, bench.now);
  bench.node.submit_write(11, put("q"), true, bench.now);
  bench.persist();
  bench.settle();
  CHECK(popped(bench, 1) == "e");
  CHECK(bench.ready("q") + bench.ready("r") == 1);
  CHECK(bench.last().value == before.value + 3);
}

TEST_CASE("HAZARDS Q28: a client that goes while its pop waits has nothing removed") {
  QueueLeader bench;
  bench.pop(1, {"q", "r"}, 10'000);
  CHECK(bench.node.waits(1));
  bench.node.cancel_receive(1);
  bench.persist();
  CHECK(bench.node.waiting() == 0);
  bench.enqueue(10, "q");
  bench.enqueue(11, "r");
  CHECK(popped(bench, 1) == "?");
  CHECK(bench.ready("q") == 1);
  CHECK(bench.ready("r") == 1);
}

TEST_CASE("a client that sends no more is not waited for, from whatever its take does") {
  QueueLeader bench;
  bench.node.submit_take(1, pop_of({"q"}, 9'000), bench.now);
  CHECK_FALSE(bench.node.cancel_wait(1));  // it has not begun to wait
  bench.persist();
  CHECK(bench.node.waiting() == 0);
  bench.confirm_reads();
  CHECK(popped(bench, 1) == "-");
  bench.pop(2, {"q"}, 9'000);
  CHECK(bench.node.cancel_wait(2));
  bench.persist();
  bench.enqueue(10, "q");
  CHECK(popped(bench, 2) == "?");
  CHECK(bench.ready("q") == 1);
}

TEST_CASE("a removed event is never given back") {
  QueueLeader bench;
  bench.enqueue(1, "q");
  bench.pop(2, {"q"});
  bench.node.cancel_receive(2);
  bench.settle();
  bench.settle();
  CHECK(popped(bench, 2) == "?");
  CHECK(bench.ready("q") == 0);
}

TEST_CASE("a leader change ends each wait once, and certainly takes nothing") {
  QueueLeader bench;
  bench.pop(1, {"q", "r", "s"}, 10'000);
  bench.node.receive(kOther,
                     raft::AppendEntries{.term = raft::next(bench.node.raft()->current_term()),
                                         .prev_log_index = bench.last(),
                                         .prev_log_term = bench.node.raft()->current_term()},
                     bench.now);
  bench.persist();
  REQUIRE(bench.answer(1) != nullptr);  // which checks that there is one only
  CHECK(bench.answer(1)->outcome == Outcome::dropped);
  bench.persist();
  CHECK(bench.answer(1) != nullptr);
  CHECK(bench.node.waiting() == 0);
}

TEST_CASE("the place of a take that has no room in all its lines") {
  NodeOptions options = newer();
  options.max_waiting = 3;
  Versioned bench(options);
  bench.says(kOther, kLatestVersion);
  bench.says(kThird, kLatestVersion);
  bench.lead();
  bench.settle();
  bench.node.submit_take(1, pop_of({"q", "r"}, 9'000), bench.now);
  bench.persist();
  bench.node.submit_take(2, pop_of({"q", "r"}, 9'000), bench.now);
  bench.persist();
  REQUIRE(bench.answer(2) != nullptr);
  CHECK(bench.answer(2)->outcome == Outcome::overloaded);
  CHECK(bench.answer(1) == nullptr);
  CHECK(bench.node.waiting() == 2);
}

TEST_CASE("a follower's take goes to the leader with all its queues, and its answer names one") {
  QueueFollower bench;
  bench.node.submit_take(1, pop_of({"q", "r", "s"}, 7'000), bench.now);
  bench.persist();
  auto sent = bench.sent_to<ForwardReceive>(kOther);
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].also == std::vector<std::string>{"r", "s"});
  machine::Reply reply{.event_id = raft::Index{5}, .count = 1, .event = Bytes("e")};
  reply.choice = 2;
  bench.node.receive(kOther, ForwardReply{sent[0].request, Outcome::applied, raft::Index{9}, encode_reply(reply)},
                     bench.now);
  bench.persist();
  REQUIRE(bench.answer(1) != nullptr);
  CHECK(bench.answer(1)->reply == reply);

  // A queue that was not asked for.
  bench.node.submit_take(2, pop_of({"q", "r"}, 7'000), bench.now);
  bench.persist();
  sent = bench.sent_to<ForwardReceive>(kOther);
  bench.node.receive(kOther, ForwardReply{sent.back().request, Outcome::applied, raft::Index{9}, encode_reply(reply)},
                     bench.now);
  bench.persist();
  CHECK(bench.answer(2) == nullptr);
  CHECK(bench.node.counters().violations == 1);
}

// As the leader appended it for this follower.
std::string entry_of(const ForwardReceive& forward, const std::string& queue) {
  const auto command = machine::decode(forward.command.view());
  REQUIRE(command.ok());
  machine::Body body = command->body;
  std::visit(
      [&](auto& one) {
        if constexpr (requires { one.queue; }) one.queue = queue;
      },
      body);
  std::string bytes = machine::encode_command(body);
  machine::set_request_id(bytes, command->id);
  return bytes;
}

struct WaitingFollower : QueueFollower {
  WaitingFollower() {
    node.submit_take(1, pop_of({"q", "r"}, 7'000), now);
    node.submit_receive(2, receive_of("q"), 7'000, now);
    persist();
    sent = sent_to<ForwardReceive>(kOther);
    REQUIRE(sent.size() == 2);
  }
  // Entries of this leader's, all committed.
  void entries(raft::NodeId by, uint64_t term, const std::vector<std::pair<uint64_t, std::string>>& commands) {
    const raft::Index before = last();
    raft::AppendEntries message{.term = raft::Term{term},
                                .prev_log_index = before,
                                .prev_log_term = *node.raft()->log().term_at(before),
                                .leader_commit = before + commands.size()};
    for (const auto& [of, command] : commands) {
      raft::Entry entry{.index = before + message.entries.size() + 1, .term = raft::Term{of}};
      if (!command.empty()) {
        entry.kind = raft::EntryKind::command;
        entry.payload = Bytes(std::string(command));
      }
      message.entries.push_back(std::move(entry));
    }
    node.receive(by, message, now);
    persist();
    collect();
  }
  Outcome outcome(Token token) {
    const Completion* completion = answer(token);
    REQUIRE(completion != nullptr);
    return completion->outcome;
  }
  std::vector<ForwardReceive> sent;
};

TEST_CASE("a follower's take is certainly not applied once an entry of a later term is") {
  WaitingFollower bench;
  bench.led(kThird, 3, bench.last(), {}, bench.last().value);
  CHECK(bench.answer(1) == nullptr);
  CHECK(bench.answer(2) == nullptr);
  bench.entries(kThird, 3, {{3, ""}});
  CHECK(bench.outcome(1) == Outcome::dropped);
  CHECK(bench.outcome(2) == Outcome::dropped);
}

TEST_CASE("a follower's take is answered by its entry, whatever became of the leader") {
  WaitingFollower bench;
  bench.entries(kOther, 2, {{2, put("r", 3)}});
  // Another was faster at q: it waits on. Then its entry comes to the next leader, which never heard of it.
  bench.entries(kOther, 2, {{2, entry_of(bench.sent[0], "q")}});
  CHECK(bench.answer(1) == nullptr);
  bench.entries(kThird, 3, {{2, entry_of(bench.sent[0], "r")}, {3, ""}});
  CHECK(bench.outcome(1) == Outcome::applied);
  CHECK(bench.answer(1)->reply.event.view() == "e");
  CHECK(bench.answer(1)->reply.choice == 1);
  CHECK(bench.outcome(2) == Outcome::dropped);
  // The old leader's own answer comes too late.
  bench.node.receive(kOther,
                     ForwardReply{bench.sent[0].request, Outcome::applied, raft::Index{9}, machine::encode_reply({})},
                     bench.now);
  bench.persist();
  CHECK(bench.node.counters().violations == 0);
}

TEST_CASE("a follower's receive is answered by its entry too, and another node's entry answers nothing") {
  WaitingFollower bench;
  bench.entries(kOther, 2, {{2, put("q", 2)}});
  std::string of_another = entry_of(bench.sent[1], "q");
  machine::set_request_id(of_another, {.origin = kThird, .epoch = bench.sent[1].request, .sequence = 0});
  bench.entries(kOther, 2, {{2, of_another}});
  CHECK(bench.answer(2) == nullptr);
  bench.entries(kOther, 2, {{2, entry_of(bench.sent[1], "q")}});
  CHECK(bench.outcome(2) == Outcome::applied);
  CHECK(bench.answer(2)->reply.deliveries.size() == 1);
  CHECK(bench.answer(1) == nullptr);
}

TEST_CASE("a forwarded take that the network brings again after its answer takes nothing more") {
  QueueLeader bench;
  bench.enqueue(1, "q", 4);
  const raft::Term term = bench.node.raft()->current_term();
  const ForwardReceive pops{71, Bytes(pop_of({"q"}).command), term, 0, {}};
  const ForwardReceive receives{72, Bytes(receive_of("q")), term, 0, {}};
  for (int times = 0; times < 2; ++times)
    for (const ForwardReceive& forward : {pops, receives}) {
      bench.node.receive(kOther, forward, bench.now);
      bench.persist();
      bench.settle();
    }
  CHECK(bench.ready("q") == 2);
}

TEST_CASE("a forwarded take that was refused and that the network brings again takes nothing") {
  QueueLeader bench;
  bench.enqueue(1, "q");
  const raft::Term other = raft::next(bench.node.raft()->current_term());
  const ForwardReceive forward{71, Bytes(receive_of("q")), other, 0, {}};
  bench.node.receive(kOther, forward, bench.now);
  bench.persist();
  const auto told = bench.sent_to<ForwardReply>(kOther);
  REQUIRE(told.size() == 1);
  CHECK(told[0].outcome == Outcome::not_leader);
  bench.node.receive(kOther, ForwardReceive{71, forward.command, bench.node.raft()->current_term(), 0, {}}, bench.now);
  bench.persist();
  bench.settle();
  CHECK(bench.ready("q") == 1);
}

TEST_CASE("a long answer goes to a member only if that lacks its entry") {
  constexpr size_t kLong = 100'000;
  QueueLeader bench;
  const raft::Term term = bench.node.raft()->current_term();
  machine::PutEvents two{.queue = "q", .events = {}};
  const std::string bytes(kLong, 'x');
  for (int i = 0; i < 2; ++i) two.events.push_back({.bytes = bytes});
  bench.node.submit_write(1, machine::encode_command(two), true, bench.now);
  bench.persist();
  bench.settle();
  const auto forward = [&](uint64_t request) {
    std::string command = receive_of("q");
    machine::set_request_id(command, {.origin = kOther, .epoch = request, .sequence = 0});
    bench.node.receive(kOther, ForwardReceive{request, Bytes(std::move(command)), term, 0, {}}, bench.now);
    bench.persist();
  };
  forward(71);
  bench.holds(kThird, bench.last());  // a majority has the entry, and kOther does not
  bench.persist();
  const auto told = bench.sent_to<ForwardReply>(kOther);
  REQUIRE(told.size() == 1);
  CHECK(told[0].reply.size() > kLong);
  forward(72);
  bench.holds(kOther, bench.last());
  bench.persist();
  CHECK(bench.sent_to<ForwardReply>(kOther).size() == 1);
  CHECK(bench.ready("q") == 0);
}

TEST_CASE("an answer to a receive that no leader can give is a violation, whoever waits for it") {
  for (const bool cancelled : {false, true})
    for (const int lie : {0, 1, 2, 3}) {
      CAPTURE(lie);
      QueueFollower bench;
      bench.node.submit_receive(2, receive_of("q"), 7'000, bench.now);
      bench.persist();
      if (cancelled) bench.node.cancel_receive(2);
      bench.persist();
      const auto sent = bench.sent_to<ForwardReceive>(kOther);
      REQUIRE(!sent.empty());
      machine::Reply reply{.count = 1};
      reply.deliveries.push_back({.id = lie == 0 ? 0U : 5U, .delivery = lie == 1 ? 0U : 6U, .bytes = Bytes("e")});
      if (lie == 2) reply.deliveries.push_back({.id = 6, .delivery = 6, .bytes = Bytes("e")});
      bench.node.receive(kOther,
                         ForwardReply{sent.back().request, lie == 3 ? Outcome::conflict : Outcome::applied,
                                      raft::Index{10}, lie == 3 ? std::string("why") : machine::encode_reply(reply)},
                         bench.now);
      bench.persist();
      CHECK(bench.node.counters().violations == 1);
    }
}

TEST_CASE("only the leader that was asked answers a receive that was given up") {
  QueueFollower bench;
  bench.node.submit_receive(2, receive_of("q"), 0, bench.now);
  bench.persist();
  const uint64_t request = bench.sent_to<ForwardReceive>(kOther).back().request;
  bench.node.receive(kOther, ForwardReply{request, Outcome::unknown, raft::Index{10}, {}}, bench.now);
  bench.persist();
  machine::Reply reply{.count = 1};
  reply.deliveries.push_back({.id = 5, .delivery = 6, .deliveries = 1, .bytes = Bytes("e")});
  bench.node.receive(kThird, ForwardReply{request, Outcome::applied, raft::Index{10}, machine::encode_reply(reply)},
                     bench.now);
  bench.persist();
  CHECK(bench.sent_to<Forward>(kOther).empty());
  CHECK(bench.node.counters().violations == 1);
}

TEST_CASE("a receive that waits at the leader is asked for again when the connection comes back; a pop is not") {
  QueueFollower bench;
  bench.node.submit_receive(2, receive_of("q"), 60'000, bench.now);
  bench.node.submit_take(3, pop_of({"q"}, 60'000), bench.now);
  bench.persist();
  const auto first = bench.sent_to<ForwardReceive>(kOther);
  REQUIRE(first.size() == 2);
  bench.node.peer_lost(kOther, bench.now);
  bench.node.peer_connected(kOther, bench.now);
  bench.persist();
  const auto sent = bench.sent_to<ForwardReceive>(kOther);
  REQUIRE(sent.size() == 3);
  CHECK(bench.sent_to<CancelReceive>(kOther).size() == 1);
  CHECK(bench.answer(2) == nullptr);
  // What the first one reserved meanwhile is given back.
  machine::Reply reply{.count = 1};
  reply.deliveries.push_back({.id = 5, .delivery = 6, .deliveries = 1, .bytes = Bytes("e")});
  bench.node.receive(
      kOther, ForwardReply{first.front().request, Outcome::applied, raft::Index{10}, machine::encode_reply(reply)},
      bench.now);
  bench.persist();
  CHECK(bench.answer(2) == nullptr);
  CHECK(bench.sent_to<Forward>(kOther).size() == 1);
}

TEST_CASE("a cancellation that may be lost is sent again when either of the two has dialled the other") {
  QueueFollower bench;
  bench.node.submit_take(3, pop_of({"q"}, 60'000), bench.now);
  bench.node.submit_receive(4, receive_of("q"), 60'000, bench.now);
  bench.persist();
  bench.node.cancel_receive(3);
  bench.persist();
  CHECK(bench.sent_to<CancelReceive>(kOther).size() == 1);
  bench.says(kOther, kLatestVersion);  // it has dialled this node
  bench.persist();
  const auto cancelled = bench.sent_to<CancelReceive>(kOther);
  REQUIRE(cancelled.size() == 3);
  CHECK(cancelled[0].request == cancelled[1].request);
  CHECK(bench.sent_to<ForwardReceive>(kOther).size() == 3);  // the receive anew
}

TEST_CASE("what nobody knows of a receive that was given up may still be taken back") {
  QueueFollower bench;
  bench.node.submit_receive(2, receive_of("q"), 60'000, bench.now);
  bench.persist();
  const uint64_t request = bench.sent_to<ForwardReceive>(kOther).back().request;
  bench.node.peer_connected(kOther, bench.now);
  bench.persist();
  bench.node.receive(kOther, ForwardReply{request, Outcome::unknown, {}, {}}, bench.now);
  machine::Reply reply{.count = 1};
  reply.deliveries.push_back({.id = 5, .delivery = 6, .deliveries = 1, .bytes = Bytes("e")});
  bench.node.receive(kOther, ForwardReply{request, Outcome::applied, raft::Index{10}, machine::encode_reply(reply)},
                     bench.now);
  bench.persist();
  CHECK(bench.sent_to<Forward>(kOther).size() == 1);
}

TEST_CASE("a node that stops calls off what waits at the leader, and tells its clients that nothing came of it") {
  QueueFollower bench;
  bench.node.submit_receive(2, receive_of("q"), 60'000, bench.now);
  bench.node.submit_take(3, pop_of({"q"}, 60'000), bench.now);
  bench.persist();
  const auto sent = bench.sent_to<ForwardReceive>(kOther);
  REQUIRE(sent.size() == 2);
  bench.node.begin_shutdown(bench.now);
  bench.persist();
  CHECK(bench.sent_to<CancelReceive>(kOther).size() == 2);
  REQUIRE(bench.answer(2) != nullptr);
  CHECK(bench.answer(2)->outcome == Outcome::shutting_down);
  // What removes may have been done: the leader says.
  CHECK(bench.answer(3) == nullptr);
  bench.node.receive(kOther, ForwardReply{sent[1].request, Outcome::dropped, {}, {}}, bench.now);
  bench.persist();
  REQUIRE(bench.answer(3) != nullptr);
  CHECK(bench.answer(3)->outcome == Outcome::shutting_down);
}

TEST_CASE("a node that stops does not begin to wait anew") {
  QueueFollower bench;
  bench.node.begin_shutdown(bench.now);
  bench.node.submit_receive(2, receive_of("q"), 60'000, bench.now);
  bench.persist();
  CHECK(bench.sent_to<ForwardReceive>(kOther).empty());
  REQUIRE(bench.answer(2) != nullptr);
  CHECK(bench.answer(2)->outcome == Outcome::shutting_down);
}

TEST_CASE("a member hears of a take that it called off, so that it need not keep it") {
  QueueLeader bench;
  const raft::Term term = bench.node.raft()->current_term();
  bench.node.receive(kThird, ForwardReceive{71, Bytes(receive_of("q")), term, 60'000, {}}, bench.now);
  bench.persist();
  bench.node.receive(kThird, CancelReceive{71}, bench.now);
  bench.persist();
  const auto told = bench.sent_to<ForwardReply>(kThird);
  REQUIRE(told.size() == 1);
  CHECK(told[0].outcome == Outcome::dropped);
}

TEST_CASE("a follower's take ends as unknown when no entry tells what became of it") {
  WaitingFollower bench;
  bench.led(kThird, 3, bench.last(), {}, bench.last().value);
  for (Millis gone = 0; gone <= bench_options().request_timeout_ms; gone += 100) {
    bench.led(kThird, 3, bench.last(), {}, bench.last().value);
    bench.wait(100);
  }
  CHECK(bench.outcome(1) == Outcome::unknown);
  CHECK(bench.outcome(2) == Outcome::unknown);
  CHECK(has(bench.answer(1)->sentence, "it may still remove what came"));
}

TEST_CASE("a member's take of several queues waits in each line; what is no take is a violation") {
  QueueLeader bench;
  const raft::Term term = bench.node.raft()->current_term();
  const auto forward = [&](uint64_t request, const machine::Body& body, std::vector<std::string> also) {
    bench.node.receive(
        kThird, ForwardReceive{request, Bytes(machine::encode_command(body)), term, 5'000, std::move(also)}, bench.now);
    bench.persist();
  };
  forward(71, machine::Dequeue{"q", {}}, {"r"});
  CHECK(bench.node.waiting_for("q") == 1);
  CHECK(bench.node.waiting_for("r") == 1);
  bench.enqueue(1, "r");
  bench.settle();
  const auto replies = bench.sent_to<ForwardReply>(kThird);
  REQUIRE(replies.size() == 1);
  const auto reply = machine::decode_reply(replies[0].reply);
  REQUIRE(reply.ok());
  CHECK(reply->choice == 1);
  CHECK(reply->event.view() == "e");
  CHECK(bench.node.waiting() == 0);
  CHECK(bench.node.counters().violations == 0);
  forward(72, machine::Dequeue{"q", 5}, {});
  CHECK(bench.node.counters().violations == 1);
  forward(73, machine::Enqueue{"q", "e"}, {});
  CHECK(bench.node.counters().violations == 2);
}

}  // namespace wh::node
