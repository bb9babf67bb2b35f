// Each operation alone: its bounds, its error messages, its answer.
#include "api/operations.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "fixture.h"

namespace wh::api {
namespace {

// Whoever starts calls and reads their answers.
struct Starter final : CallOwner {
  void on_answer(node::Token token, OrRefusal<Answer> answer) override {
    answers.emplace_back(token, std::move(answer));
  }
  std::vector<std::pair<node::Token, OrRefusal<Answer>>> answers;
};

struct LoneCalls : test::Lone {
  // The answer of an operation that is carried out.
  Answer run(Operation operation, CallOptions how = {}) {
    OrRefusal<Started> started = calls.start(starter, security::Principal::anonymous(), std::move(operation), how);
    REQUIRE(started.ok());
    if (auto* answer = std::get_if<Answer>(&*started)) return std::move(*answer);
    for (int turn = 0; turn < 100 && starter.answers.empty(); ++turn) {
      persist();
      calls.deliver([] { return true; });
    }
    REQUIRE(starter.answers.size() == 1);
    CHECK(starter.answers[0].first == std::get<node::Token>(*started));
    OrRefusal<Answer> answer = std::move(starter.answers[0].second);
    starter.answers.clear();
    if (!answer) {
      refused = answer.error();
      return {};
    }
    return std::move(*answer);
  }
  template <typename T>
  T answer_of(Operation operation) {
    return std::get<T>(run(std::move(operation)).body);
  }

  config::Options options;
  SlowLog slow_log{options};
  Calls calls{test::context_of(options, node, slow_log), [this] { return now; }};
  Starter starter;
  Refusal refused;
};

std::string fault(const Operation& operation, RefusalKind kind = RefusalKind::malformed) {
  const std::optional<Refusal> refusal = check_bounds(operation);
  if (!refusal) return "";
  CHECK(refusal->kind == kind);
  CHECK(refusal->not_applied);
  return refusal->sentence;
}

}  // namespace

TEST_CASE("what breaks a bound is refused in the same words, whichever operation it is") {
  const std::string long_key(machine::kMaxKeyBytes + 1, 'k');
  const std::string long_queue(machine::kMaxQueueNameBytes + 1, 'q');
  for (const Operation& operation :
       {Operation(Write{machine::Set{{{"a", "1"}, {"", "2"}}}}), Operation(Write{machine::Delete{{"a", ""}}}),
        Operation(Read{GetKey{""}}), Operation(Read{CountExisting{{"a", ""}}})})
    CHECK(fault(operation) == "a key must not be empty");
  for (const Operation& operation :
       {Operation(Write{machine::Set{{{long_key, "1"}}}}), Operation(Write{machine::Delete{{long_key}}}),
        Operation(Read{GetKey{long_key}}), Operation(Read{CountExisting{{long_key}}})})
    CHECK(fault(operation) == "a key has at most 4096 bytes");
  for (const Operation& operation :
       {Operation(Write{machine::Enqueue{"", "e"}}), Operation(Write{machine::Dequeue{"", std::nullopt}}),
        Operation(Read{GetFront{""}}), Operation(Read{GetLength{""}})})
    CHECK(fault(operation) == "a queue's name must not be empty");
  for (const Operation& operation : {Operation(Write{machine::Enqueue{long_queue, "e"}}),
                                     Operation(Write{machine::Dequeue{long_queue, std::nullopt}}),
                                     Operation(Read{GetFront{long_queue}}), Operation(Read{GetLength{long_queue}})})
    CHECK(fault(operation) == "a queue's name has at most 128 bytes");
  CHECK(fault(Write{machine::Enqueue{"q", ""}}) == "an event must not be empty");
  CHECK(fault(Write{machine::Set{}}) == "one request sets 1 to 10000 keys");
  CHECK(fault(Write{machine::Delete{}}) == "one request deletes 1 to 10000 keys");
  const std::string large(machine::kMaxValueBytes, 'v');
  CHECK(fault(Write{machine::Set{{{"k", large + "v"}}}}) == "a value has at most 4194304 bytes");
  CHECK(fault(Write{machine::Enqueue{"q", large + "v"}}) == "an event has 1 to 4194304 bytes");
  CHECK(fault(Write{machine::Set{{{"a", large}, {"b", large}}}}, RefusalKind::too_large).find("send it in parts") !=
        std::string::npos);
  CHECK(fault(Write{machine::Set{{{"a", ""}}}}).empty());
  CHECK(fault(Read{GetKey{std::string(machine::kMaxKeyBytes, 'k')}}).empty());
}

TEST_CASE("what became of a call: each outcome has a kind, and only what may still happen is not certain") {
  const auto of = [](node::Outcome outcome, std::string sentence = {}) {
    return refusal_of({1, outcome, {}, std::move(sentence)});
  };
  CHECK(of(node::Outcome::not_leader).kind == RefusalKind::elsewhere);
  CHECK(of(node::Outcome::dropped).kind == RefusalKind::unavailable);
  CHECK(of(node::Outcome::dropped).sentence == "no leader could take this in time");
  CHECK(of(node::Outcome::dropped, "why\n").sentence == printable("why\n"));
  CHECK(of(node::Outcome::overloaded).kind == RefusalKind::overloaded);
  CHECK(of(node::Outcome::shutting_down).sentence == "this node is shutting down");
  CHECK(of(node::Outcome::conflict, "no").kind == RefusalKind::conflict);
  CHECK(of(node::Outcome::not_found, "no").kind == RefusalKind::not_found);
  CHECK(of(node::Outcome::no_room, "no").kind == RefusalKind::no_room);
  CHECK(of(node::Outcome::unknown).kind == RefusalKind::timed_out);
  CHECK(of(node::Outcome::timed_out).kind == RefusalKind::timed_out);
  for (const node::Outcome outcome : {node::Outcome::not_leader, node::Outcome::dropped, node::Outcome::unknown,
                                      node::Outcome::overloaded, node::Outcome::shutting_down, node::Outcome::conflict,
                                      node::Outcome::not_found, node::Outcome::timed_out, node::Outcome::no_room}) {
    const Refusal refusal = of(outcome);
    CHECK_FALSE(refusal.sentence.empty());
    CHECK(refusal.not_applied == (refusal.kind != RefusalKind::timed_out));
  }
}

TEST_CASE("keys: each operation's answer") {
  LoneCalls lone;
  const Answer set = lone.run(Write{machine::Set{{{"a", "1"}, {"b", "2"}}}});
  CHECK(std::holds_alternative<Done>(set.body));
  CHECK(set.index == lone.node.machine().applied());
  Value value = lone.answer_of<Value>(Read{GetKey{"a"}});
  REQUIRE(value.value() != nullptr);
  CHECK(value.key == "a");
  CHECK(value.value()->view() == "1");
  CHECK(lone.answer_of<Value>(Read{GetKey{"c"}}).value() == nullptr);
  CHECK(lone.answer_of<Count>(Read{CountExisting{{"a", "b", "c", "a"}}}).count == 3);
  CHECK(lone.answer_of<Count>(Read{CountKeys{}}).count == 2);
  CHECK(lone.answer_of<Count>(Write{machine::Delete{{"a", "c"}}}).count == 1);
  CHECK(lone.answer_of<Count>(Read{CountKeys{}}).count == 1);
}

TEST_CASE("queues: each operation's answer") {
  LoneCalls lone;
  const auto first = lone.answer_of<Enqueued>(Write{machine::Enqueue{"q", "one"}});
  CHECK(first.queue_length == 1);
  const auto second = lone.answer_of<Enqueued>(Write{machine::Enqueue{"q", "two"}});
  CHECK(second.queue_length == 2);
  CHECK(second.id > first.id);
  const auto front = lone.answer_of<Front>(Read{GetFront{"q"}});
  REQUIRE(front.event != nullptr);
  CHECK(front.event->bytes.view() == "one");
  CHECK(front.event->id() == first.id.value);
  CHECK(lone.answer_of<Count>(Read{GetLength{"q"}}).count == 2);

  lone.run(Write{machine::Dequeue{"q", second.id.value}});
  CHECK(lone.refused.kind == RefusalKind::precondition);
  CHECK(lone.refused.sentence == "another event, or none, is in front");
  CHECK(lone.refused.index == lone.node.machine().applied());
  const auto removed = lone.answer_of<Dequeued>(Write{machine::Dequeue{"q", first.id.value}});
  CHECK(removed.id == first.id);
  CHECK(removed.event.view() == "one");
  CHECK(lone.answer_of<Dequeued>(Write{machine::Dequeue{"q", std::nullopt}}).event.view() == "two");
  CHECK(lone.answer_of<Dequeued>(Write{machine::Dequeue{"q", std::nullopt}}).id.value == 0);
  CHECK(lone.answer_of<Front>(Read{GetFront{"q"}}).event == nullptr);
}

TEST_CASE("the machine's other replies are refusals") {
  const raft::Index index{7};
  const auto of = [&](machine::ReplyCode code) {
    const OrRefusal<Answer> answer = answer_of_write(0, index, machine::Reply{.code = code});
    REQUIRE_FALSE(answer.ok());
    return answer.error();
  };
  CHECK(of(machine::ReplyCode::invalid).kind == RefusalKind::malformed);
  CHECK(of(machine::ReplyCode::invalid).not_applied);
  CHECK(of(machine::ReplyCode::invalid).index == index);
  CHECK(of(machine::ReplyCode::duplicate).kind == RefusalKind::timed_out);
  CHECK_FALSE(of(machine::ReplyCode::duplicate).not_applied);
}

TEST_CASE("what asks this node alone is answered at once") {
  LoneCalls lone;
  const auto at_once = [&](Local local) {
    return lone.calls.start(lone.starter, security::Principal::anonymous(), std::move(local), {});
  };
  CHECK(at_once(AskAlive{}).ok());
  CHECK(at_once(AskReady{}).ok());
  CHECK(at_once(ShowCluster{}).ok());
  const auto text = std::get<Answer>(*at_once(ShowInfo{{"raft", "cpu"}}));
  CHECK(std::get<Report>(text.body).text.view() == "sections:2");
  const auto directives = std::get<Answer>(*at_once(GetDirectives{"maxc*"}));
  REQUIRE(std::get<Directives>(directives.body).values.size() == 1);
  CHECK(std::get<Directives>(directives.body).values[0].first == "maxclients");
  lone.slow_log.add(20'000, {"get", "x"}, "127.0.0.1", "");
  CHECK(std::get<Count>(std::get<Answer>(*at_once(CountSlowRequests{})).body).count == 1);
  CHECK(std::get<SlowRequests>(std::get<Answer>(*at_once(ShowSlowRequests{5})).body).entries.size() == 1);
  CHECK(at_once(ForgetSlowRequests{}).ok());
  CHECK(lone.slow_log.size() == 0);
  CHECK(lone.starter.answers.empty());
}

TEST_CASE("without a state of its own a node refuses stale reads, and still shows its figures") {
  node::Bench empty(node::listed(), node::empty_disk());
  REQUIRE(empty.node.raft() == nullptr);
  const config::Options options;
  SlowLog slow_log(options);
  Calls calls(test::context_of(options, empty.node, slow_log), [&] { return empty.now; });
  Starter starter;
  const OrRefusal<Started> refused =
      calls.start(starter, security::Principal::anonymous(), Read{GetKey{"k"}}, {.read = {.stale = true}});
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().kind == RefusalKind::unavailable);
  CHECK(refused.error().sentence == "this node has no state to show yet");
  CHECK(calls.start(starter, security::Principal::anonymous(), Read{ShowMetrics{}}, {}).ok());
  CHECK(calls.deliver([] { return true; }));
  REQUIRE(starter.answers.size() == 1);
  CHECK(std::get<Report>(starter.answers[0].second->body).text.view() == "# HELP one\n");
}

}  // namespace wh::api
