// Tests of the checkers that use no index (HAZARDS 7.3: check the checker): hand-made histories of each kind of error,
// and random histories of a few calls, compared with a reference that tries every order.
#include <chrono>
#include <deque>

#include <doctest/doctest.h>

#include "random_history.h"
#include "sim/opinion/key_search.h"
#include "sim/opinion/queue_checker.h"

namespace wh::sim {
namespace {

constexpr uint64_t kSteps = 1'000'000;

// --- every order there is

// Tries all orders of calls that keep the time; `apply` changes a state, or says that the call cannot have been there.
template <typename Call, typename State, typename Apply>
bool explained(const std::vector<Call>& calls, uint32_t done, const State& state, Apply apply) {
  bool all = true;
  for (size_t i = 0; i < calls.size(); ++i) all = all && ((done >> i & 1) != 0 || calls[i].returned == kNeverReturned);
  if (all) return true;
  for (size_t i = 0; i < calls.size(); ++i) {
    if ((done >> i & 1) != 0) continue;
    bool first = true;
    for (size_t j = 0; j < calls.size(); ++j)
      first = first && ((done >> j & 1) != 0 || calls[j].returned >= calls[i].invoked);
    State next = state;
    if (first && apply(next, calls[i]) && explained(calls, done | 1U << i, next, apply)) return true;
  }
  return false;
}

bool explained(const std::vector<KeyCall>& calls) {
  using State = std::optional<std::string_view>;
  return explained(calls, 0, State{}, [](State& state, const KeyCall& call) {
    if (call.kind == KeyCall::Kind::read) return state == call.value;
    if (call.kind == KeyCall::Kind::take && !state) return false;
    state = call.kind == KeyCall::Kind::take ? std::nullopt : call.value;
    return true;
  });
}

bool explained(const std::vector<QueueCall>& calls) {
  using State = std::deque<std::string_view>;
  return explained(calls, 0, State{}, [](State& state, const QueueCall& call) {
    const bool front = !state.empty() && state.front() == call.event;
    switch (call.kind) {
      case QueueCall::Kind::enqueue:
        state.push_back(call.event);
        return true;
      case QueueCall::Kind::removed:
        if (front) state.pop_front();
        return front;
      case QueueCall::Kind::front:
        return front;
      case QueueCall::Kind::empty:
        return state.empty();
      case QueueCall::Kind::not_front:
        return !front;
      case QueueCall::Kind::may_remove:
        if (!state.empty() && (call.event.empty() || front)) state.pop_front();
        return true;
    }
    return false;
  });
}

constexpr std::string_view kNames[] = {"a", "b", "c", "d", "e", "f", "g", "h"};

// Calls with intervals of few different times, so that they overlap in all ways.
template <typename Call>
void random_times(Prng& prng, Call& call, bool may_stay_open) {
  call.invoked = prng.below(14);
  call.returned = call.invoked + prng.below(7);
  if (may_stay_open && prng.below(4) == 0) call.returned = kNeverReturned;
}

std::string show(const std::vector<KeyCall>& calls) {
  std::string out;
  for (const KeyCall& call : calls)
    out += std::string(1, "wrt"[static_cast<size_t>(call.kind)]) + "(" + std::string(call.value.value_or("-")) + ")[" +
           std::to_string(call.invoked) + "," +
           (call.returned == kNeverReturned ? "never" : std::to_string(call.returned)) + "] ";
  return out;
}

std::string show(const std::vector<QueueCall>& calls) {
  static constexpr const char* kWords[] = {"in", "out", "front", "empty", "not_front", "may_out"};
  std::string out;
  for (const QueueCall& call : calls)
    out += std::string(kWords[static_cast<size_t>(call.kind)]) + "(" + std::string(call.event) + ")[" +
           std::to_string(call.invoked) + "," +
           (call.returned == kNeverReturned ? "never" : std::to_string(call.returned)) + "] ";
  return out;
}

TEST_CASE("the search of a key agrees with trying every order") {
  Prng prng(7);
  size_t wrong = 0;
  constexpr size_t kRounds = 20'000;
  for (size_t round = 0; round < kRounds; ++round) {
    std::vector<KeyCall> calls;
    const uint64_t values = prng.between(1, 4);
    const size_t size = prng.between(2, 8);
    const uint64_t takes = prng.below(5);
    for (size_t i = 0; i < size; ++i) {
      KeyCall& call = calls.emplace_back();
      call.op = i;
      const uint64_t kind = prng.below(9 + takes);
      call.kind = kind < 5 ? KeyCall::Kind::write : kind < 9 ? KeyCall::Kind::read : KeyCall::Kind::take;
      if (call.kind != KeyCall::Kind::take && prng.below(6) != 0) call.value = kNames[prng.below(values)];
      random_times(prng, call, call.kind == KeyCall::Kind::write);
    }
    const bool good = explained(calls);
    wrong += good ? 0 : 1;
    const KeyOpinion opinion = search_key(calls, kSteps);
    INFO(show(calls));
    REQUIRE(opinion.opinion == (good ? Opinion::good : Opinion::bad));
  }
  // Both kinds were many.
  CHECK(wrong > kRounds / 10);
  CHECK(wrong < kRounds * 9 / 10);
}

// A random queue's history; `plain` has only what the checker is complete for.
std::vector<QueueCall> random_queue(Prng& prng, bool plain) {
  using Kind = QueueCall::Kind;
  std::vector<QueueCall> calls;
  const size_t events = prng.between(1, 4);
  for (size_t i = 0; i < events; ++i) {
    QueueCall& call = calls.emplace_back();
    call.kind = Kind::enqueue;
    call.event = kNames[i];
    random_times(prng, call, !plain);
  }
  const size_t others = prng.between(1, 8 - events);
  for (size_t i = 0; i < others; ++i) {
    QueueCall& call = calls.emplace_back();
    const uint64_t kind = prng.below(plain ? 5 : 10);
    call.kind = kind < 3   ? Kind::removed
                : kind < 5 ? Kind::empty
                : kind < 7 ? Kind::front
                : kind < 8 ? Kind::not_front
                           : Kind::may_remove;
    if (call.kind != Kind::empty) call.event = kNames[prng.below(events + (prng.below(20) == 0 ? 1 : 0))];
    if (call.kind == Kind::may_remove && prng.below(3) != 0) call.event = {};
    random_times(prng, call, false);
    if (call.kind == Kind::may_remove) call.returned = kNeverReturned;
  }
  for (size_t i = 0; i < calls.size(); ++i) calls[i].op = i;
  return calls;
}

TEST_CASE("the queue's checker agrees with trying every order where it claims to, and never raises a false alarm") {
  Prng prng(11);
  constexpr size_t kRounds = 20'000;
  size_t wrong = 0;
  for (size_t round = 0; round < kRounds; ++round) {
    const std::vector<QueueCall> calls = random_queue(prng, true);
    const bool good = explained(calls);
    wrong += good ? 0 : 1;
    INFO(show(calls));
    REQUIRE(check_queue(calls).opinion == (good ? Opinion::good : Opinion::bad));
  }
  CHECK(wrong > kRounds / 10);
  CHECK(wrong < kRounds * 9 / 10);
  size_t missed = 0;
  wrong = 0;
  for (size_t round = 0; round < kRounds; ++round) {
    const std::vector<QueueCall> calls = random_queue(prng, false);
    const bool good = explained(calls);
    const QueueOpinion opinion = check_queue(calls);
    INFO(show(calls));
    INFO(opinion.why);
    if (good) REQUIRE(opinion.opinion == Opinion::good);
    wrong += good ? 0 : 1;
    missed += !good && opinion.opinion == Opinion::good ? 1 : 0;
  }
  CHECK(wrong > kRounds / 10);
  MESSAGE("of ", wrong, " wrong histories of queues with every kind of call, ", missed, " were missed");
  CHECK(missed < wrong / 20);
}

// --- one history, by hand, of each kind of wrong

KeyCall write(const char* value, uint64_t invoked, uint64_t returned) {
  return {0, KeyCall::Kind::write, value, invoked, returned};
}
KeyCall read(const char* value, uint64_t invoked, uint64_t returned) {
  KeyCall call{0, KeyCall::Kind::read, value, invoked, returned};
  if (*value == 0) call.value.reset();
  return call;
}
KeyCall take(uint64_t invoked, uint64_t returned) { return {0, KeyCall::Kind::take, std::nullopt, invoked, returned}; }
Opinion of(const std::vector<KeyCall>& calls) { return search_key(calls, kSteps).opinion; }

TEST_CASE("keys: good histories") {
  CHECK(of({read("", 1, 2), write("a", 3, 6), read("a", 4, 5), write("b", 7, 8), read("b", 9, 10)}) == Opinion::good);
  // The unknown write is seen, or never, or much later.
  CHECK(of({write("a", 1, kNeverReturned), read("", 2, 3), read("a", 4, 5)}) == Opinion::good);
  CHECK(of({write("a", 1, kNeverReturned), write("b", 2, 3), read("b", 4, 5)}) == Opinion::good);
  CHECK(of({write("a", 1, kNeverReturned), write("b", 2, 3), read("b", 4, 5), read("a", 6, 7)}) == Opinion::good);
  // Two at once, and who reads meanwhile sees the one, then the other.
  CHECK(of({write("a", 1, 9), write("b", 1, 9), read("b", 2, 3), read("a", 4, 5)}) == Opinion::good);
  CHECK(of({write("a", 1, 2), take(3, 4), read("", 5, 6)}) == Opinion::good);
}

TEST_CASE("keys: a stale read") { CHECK(of({write("a", 1, 2), write("b", 3, 4), read("a", 5, 6)}) == Opinion::bad); }
TEST_CASE("keys: a lost write") { CHECK(of({write("a", 1, 2), read("", 3, 4)}) == Opinion::bad); }
TEST_CASE("keys: a value out of nowhere") { CHECK(of({write("a", 1, 2), read("b", 3, 4)}) == Opinion::bad); }
TEST_CASE("keys: read before it was written") { CHECK(of({read("a", 1, 2), write("a", 3, 4)}) == Opinion::bad); }
TEST_CASE("keys: two reads that go back") {
  CHECK(of({write("a", 1, 2), write("b", 3, 20), read("b", 4, 5), read("a", 6, 7)}) == Opinion::bad);
}
TEST_CASE("keys: two readers that disagree about the order") {
  CHECK(of({write("a", 1, 9), write("b", 1, 9), read("a", 10, 11), read("b", 12, 13)}) == Opinion::bad);
}
TEST_CASE("keys: an unknown write that comes and goes") {
  CHECK(of({write("a", 1, 2), write("b", 3, kNeverReturned), read("b", 4, 5), read("a", 6, 7)}) == Opinion::bad);
}
TEST_CASE("keys: a deletion that found what was not there") {
  CHECK(of({take(1, 2), write("a", 3, 4)}) == Opinion::bad);
  CHECK(of({write("a", 1, 2), take(3, 4), take(5, 6)}) == Opinion::bad);
}
TEST_CASE("keys: a search that runs out of steps says so") {
  std::vector<KeyCall> calls;
  for (uint64_t i = 0; i < 20; ++i) calls.push_back(write(kNames[i % 8].data(), 1, 100 + i));
  CHECK(search_key(calls, 0).opinion == Opinion::undecided);
  CHECK(search_key(calls, kSteps).opinion == Opinion::good);
  // More calls at once than it has room for.
  for (uint64_t i = 0; i < 300; ++i) calls.push_back(write("a", 1, 200));
  CHECK(search_key(calls, kSteps).opinion == Opinion::undecided);
}

QueueCall in(std::string_view event, uint64_t invoked, uint64_t returned) {
  return {0, QueueCall::Kind::enqueue, event, invoked, returned};
}
QueueCall out(std::string_view event, uint64_t invoked, uint64_t returned) {
  return {0, QueueCall::Kind::removed, event, invoked, returned};
}
QueueCall front(std::string_view event, uint64_t invoked, uint64_t returned) {
  return {0, QueueCall::Kind::front, event, invoked, returned};
}
QueueCall empty(uint64_t invoked, uint64_t returned) { return {0, QueueCall::Kind::empty, {}, invoked, returned}; }
QueueCall not_front(std::string_view event, uint64_t invoked, uint64_t returned) {
  return {0, QueueCall::Kind::not_front, event, invoked, returned};
}
QueueCall may_remove(std::string_view event, uint64_t invoked) {
  return {0, QueueCall::Kind::may_remove, event, invoked, kNeverReturned};
}
Opinion of(const std::vector<QueueCall>& calls) {
  const QueueOpinion opinion = check_queue(calls);
  // The reference never contradicts what these say.
  CHECK(explained(calls) == (opinion.opinion == Opinion::good));
  return opinion.opinion;
}

TEST_CASE("queues: good histories") {
  CHECK(of({empty(1, 2), in("a", 3, 4), in("b", 5, 6), front("a", 7, 8), out("a", 9, 10), out("b", 11, 12),
            empty(13, 14)}) == Opinion::good);
  CHECK(of({in("a", 1, 9), in("b", 1, 9), out("b", 2, 3), out("a", 4, 5)}) == Opinion::good);
  CHECK(of({in("a", 1, kNeverReturned), empty(2, 3), out("a", 4, 5)}) == Opinion::good);
  CHECK(of({in("a", 1, 2), in("b", 3, 4), may_remove("", 5), out("b", 6, 7)}) == Opinion::good);
  CHECK(of({in("a", 1, 2), in("b", 3, 4), may_remove("a", 5), front("b", 6, 7)}) == Opinion::good);
  CHECK(of({in("a", 1, 2), in("b", 3, 4), not_front("b", 5, 6), not_front("a", 7, 9), out("a", 8, 10)}) ==
        Opinion::good);
}

TEST_CASE("queues: an event that nobody put in") {
  CHECK(of({in("a", 1, 2), out("b", 3, 4)}) == Opinion::bad);
  CHECK(of({front("b", 3, 4)}) == Opinion::bad);
}
TEST_CASE("queues: removed before it was put in") { CHECK(of({out("a", 1, 2), in("a", 3, 4)}) == Opinion::bad); }
TEST_CASE("queues: an event twice") {
  CHECK(of({in("a", 1, 2), out("a", 3, 4), out("a", 3, 4)}) == Opinion::bad);
  CHECK(of({in("a", 1, 2), out("a", 3, 4), front("a", 5, 6)}) == Opinion::bad);
}
TEST_CASE("queues: order inverted") {
  CHECK(of({in("a", 1, 2), in("b", 3, 4), out("b", 5, 6), out("a", 7, 8)}) == Opinion::bad);
  CHECK(of({in("a", 1, 2), in("b", 3, 4), front("b", 5, 6)}) == Opinion::bad);
}
TEST_CASE("queues: an acknowledged event lost") {
  CHECK(of({in("a", 1, 2), in("b", 3, 4), out("b", 5, 6)}) == Opinion::bad);
  CHECK(of({in("a", 1, 2), empty(5, 6)}) == Opinion::bad);
}
TEST_CASE("queues: more lost than may have been removed") {
  CHECK(of({in("a", 1, 2), in("b", 3, 4), in("c", 5, 6), may_remove("", 1), out("c", 7, 8)}) == Opinion::bad);
  CHECK(of({in("a", 1, 2), in("b", 3, 4), may_remove("", 1), empty(7, 8)}) == Opinion::bad);
  // The removal came too late, or was of another event.
  CHECK(of({in("a", 1, 2), in("b", 3, 4), out("b", 5, 6), may_remove("", 7)}) == Opinion::bad);
  CHECK(of({in("a", 1, 2), in("b", 3, 4), out("b", 5, 6), may_remove("b", 1)}) == Opinion::bad);
}
TEST_CASE("queues: two reads that go back") {
  CHECK(of({in("a", 1, 9), in("b", 1, 9), front("a", 2, 3), front("b", 4, 5), front("a", 6, 7)}) == Opinion::bad);
  CHECK(of({in("a", 1, 9), in("b", 1, 9), front("a", 2, 3), out("b", 4, 5), out("a", 6, 7)}) == Opinion::bad);
}
TEST_CASE("queues: empty while something was inside") {
  CHECK(of({in("a", 1, 2), empty(3, 4), out("a", 5, 6)}) == Opinion::bad);
  // First the one, then the other.
  CHECK(of({in("a", 1, 2), empty(3, 10), in("b", 4, 5), out("a", 6, 7), out("b", 11, 12)}) == Opinion::bad);
}
TEST_CASE("queues: a removal by id refused though that event was in front") {
  CHECK(of({in("a", 1, 2), front("a", 3, 4), not_front("a", 5, 6), out("a", 7, 8)}) == Opinion::bad);
  CHECK(of({in("a", 1, 2), in("b", 3, 4), not_front("a", 5, 6), out("a", 7, 8)}) == Opinion::bad);
}
TEST_CASE("queues: events that are not all different are not for it") {
  CHECK(check_queue({in("a", 1, 2), in("a", 3, 4)}).opinion == Opinion::undecided);
}

// --- what clients keep, and what the checkers make of it

TEST_CASE("operations are taken apart by key and by queue") {
  std::deque<Op> ops;
  const auto add = [&](OpKind kind, node::Outcome outcome) -> Op& {
    Op& op = ops.emplace_back();
    op.id = ops.size();
    op.kind = kind;
    op.done = true;
    op.outcome = outcome;
    op.invoked = 10 * op.id;
    op.returned = op.invoked + 5;
    return op;
  };
  add(OpKind::set, node::Outcome::applied).pairs = {{"x", "1"}, {"y", "2"}, {"x", "3"}};
  add(OpKind::set, node::Outcome::dropped).pairs = {{"x", "4"}};
  add(OpKind::set, node::Outcome::unknown).pairs = {{"x", "5"}};
  Op& del = add(OpKind::del, node::Outcome::applied);
  del.keys = {"x", "y"};
  del.reply = machine::Reply{.count = 2};
  Op& stale = add(OpKind::get, node::Outcome::applied);
  stale.key = "x";
  stale.stale = true;
  std::vector<const Op*> all;
  for (const Op& op : ops) all.push_back(&op);
  auto keys = calls_by_key(all, true);
  REQUIRE(keys["x"].size() == 3);
  CHECK(keys["x"][0].value == "3");
  CHECK(keys["x"][1].value == "5");
  CHECK(keys["x"][1].returned == kNeverReturned);
  CHECK(keys["x"][2].kind == KeyCall::Kind::take);
  CHECK(keys["y"].size() == 2);
  // Where a refusal may be about a copy, it tells nothing.
  CHECK(calls_by_key(all, false)["x"].size() == 4);

  stale.found = true;
  stale.value = "3";
  CHECK(check_stale_values(all, true).empty());
  stale.value = "4";
  CHECK_FALSE(check_stale_values(all, true).empty());
  stale.value = "5";
  stale.returned = 29;
  CHECK_FALSE(check_stale_values(all, true).empty());
}

TEST_CASE("an id that two events have, and an event that another id was asked for") {
  std::deque<Op> ops(2);
  std::vector<const Op*> all{&ops[0], &ops[1]};
  for (Op& op : ops) {
    op.kind = OpKind::enqueue;
    op.key = "q";
    op.done = true;
    op.outcome = node::Outcome::applied;
    op.reply = machine::Reply{.event_id = raft::Index{7}, .count = 1};
  }
  ops[0].value = "a";
  ops[1].value = "b";
  std::string wrong;
  (void)calls_by_queue(all, true, wrong);
  CHECK_FALSE(wrong.empty());
  ops[1].reply->event_id = raft::Index{8};
  wrong.clear();
  (void)calls_by_queue(all, true, wrong);
  CHECK(wrong.empty());
  ops[1].kind = OpKind::dequeue;
  ops[1].only_if_front = 8;
  ops[1].reply = machine::Reply{.event_id = raft::Index{7}, .count = 1, .event = Bytes("a")};
  (void)calls_by_queue(all, true, wrong);
  CHECK_FALSE(wrong.empty());
}

// What the checkers without indices say of a whole history: good, bad, or nothing for certain.
Opinion second_opinion(const RandomHistory& history) {
  const std::vector<const Op*> ops = history.pointers();
  std::string wrong = check_stale_values(ops, true);
  const auto queues = calls_by_queue(ops, true, wrong);
  if (!wrong.empty()) return Opinion::bad;
  for (const auto& [queue, calls] : queues)
    if (check_queue(calls).opinion == Opinion::bad) return Opinion::bad;
  Opinion result = Opinion::good;
  for (const auto& [key, calls] : calls_by_key(ops, true)) {
    const Opinion opinion = search_key(calls, kSteps).opinion;
    if (opinion == Opinion::bad) return opinion;
    if (opinion == Opinion::undecided) result = opinion;
  }
  return result;
}

TEST_CASE("random linearizable histories pass all checkers") {
  Prng prng(3);
  for (int round = 0; round < 1'000; ++round) {
    const RandomHistory history(prng, prng.between(1, 120), prng.between(1, 100));
    REQUIRE(check_linearizable(history.pointers(), history.log) == "");
    REQUIRE(second_opinion(history) == Opinion::good);
  }
}

TEST_CASE("spoilt histories fail: by the index always, without it nearly so") {
  struct Way {
    std::string name;
    bool (RandomHistory::*spoil)();
    size_t without_index;  // of a hundred, at least
  };
  // A read that came late is seen by its index even where the others cannot know: its key was not changed since.
  for (const Way& way : {Way{"answers swapped", &RandomHistory::swap_answers, 75},
                         Way{"an enqueue dropped", &RandomHistory::drop_enqueue, 100},
                         Way{"a removal twice", &RandomHistory::duplicate_removal, 100},
                         Way{"a read delayed", &RandomHistory::delay_read, 30}}) {
    Prng prng(5);
    size_t spoilt = 0;
    size_t caught = 0;
    for (int round = 0; round < 500; ++round) {
      RandomHistory history(prng, 60, 40);
      if (!(history.*way.spoil)()) continue;
      ++spoilt;
      INFO(way.name);
      CHECK(check_linearizable(history.pointers(), history.log) != "");
      caught += second_opinion(history) == Opinion::bad ? 1 : 0;
    }
    MESSAGE(way.name, ": ", spoilt, " histories, ", caught, " caught without indices");
    CHECK(spoilt > 200);
    CHECK(caught * 100 >= spoilt * way.without_index);
  }
}

TEST_CASE("small spoilt histories: the second opinion is what every order says") {
  Prng prng(13);
  size_t wrong_keys = 0;
  size_t wrong_queues = 0;
  size_t missed = 0;
  for (int round = 0; round < 20'000; ++round) {
    RandomHistory history(prng, prng.between(4, 16), 30);
    bool (RandomHistory::*const ways[])() = {&RandomHistory::swap_answers, &RandomHistory::drop_enqueue,
                                             &RandomHistory::duplicate_removal, &RandomHistory::delay_read};
    (void)(history.*ways[prng.below(4)])();
    for (const auto& [key, calls] : calls_by_key(history.pointers(), true)) {
      if (calls.size() > 8) continue;
      const bool good = explained(calls);
      wrong_keys += good ? 0 : 1;
      INFO(show(calls));
      REQUIRE(search_key(calls, kSteps).opinion == (good ? Opinion::good : Opinion::bad));
    }
    std::string wrong;
    for (const auto& [queue, calls] : calls_by_queue(history.pointers(), true, wrong)) {
      if (calls.size() > 8) continue;
      const bool good = explained(calls);
      wrong_queues += good ? 0 : 1;
      const Opinion opinion = check_queue(calls).opinion;
      INFO(show(calls));
      if (good) REQUIRE(opinion == Opinion::good);
      missed += !good && opinion == Opinion::good ? 1 : 0;
    }
  }
  MESSAGE(wrong_keys, " keys and ", wrong_queues, " queues were wrong; ", missed, " of these queues were missed");
  CHECK(wrong_keys > 300);
  CHECK(wrong_queues > 1'000);
  CHECK(missed * 20 < wrong_queues);
}

// A queue used by many at once, for long.
std::vector<QueueCall> long_queue(Prng& prng, size_t operations, std::deque<std::string>& names) {
  std::vector<QueueCall> calls;
  std::deque<std::string_view> queue;
  for (size_t i = 0; i < operations; ++i) {
    QueueCall call;
    const uint64_t moment = (i + 1) * 10;
    call.op = i;
    call.invoked = moment - std::min(moment, prng.below(300));
    call.returned = moment + prng.below(300);
    const uint64_t kind = prng.below(100);
    if (kind < 45) {
      call.kind = QueueCall::Kind::enqueue;
      call.event = names.emplace_back("event " + std::to_string(i));
      queue.push_back(call.event);
      if (prng.below(50) == 0) call.returned = kNeverReturned;
    } else if (kind < 90) {
      call.kind = queue.empty() ? QueueCall::Kind::empty : QueueCall::Kind::removed;
      if (!queue.empty()) {
        call.event = queue.front();
        queue.pop_front();
        if (prng.below(50) == 0) {
          call.kind = QueueCall::Kind::may_remove;
          call.event = {};
          call.returned = kNeverReturned;
        }
      }
    } else {
      call.kind = queue.empty() ? QueueCall::Kind::empty : QueueCall::Kind::front;
      if (!queue.empty()) call.event = queue.front();
    }
    calls.push_back(call);
  }
  return calls;
}

TEST_CASE("a queue of 100,000 operations is checked in no time") {
  Prng prng(17);
  std::deque<std::string> names;
  std::vector<QueueCall> calls = long_queue(prng, 100'000, names);
  const auto began = std::chrono::steady_clock::now();
  CHECK(check_queue(calls).why == "");
  const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  MESSAGE("100,000 operations in ", took * 1000, " ms");
  // A thousandfold of what it takes on a slow machine would be a square.
  CHECK(took < 10);
  // One removal near the end is of an event that came far before, and went long ago.
  const auto removal = std::find_if(calls.rbegin(), calls.rend(),
                                    [](const QueueCall& call) { return call.kind == QueueCall::Kind::removed; });
  const auto other = std::find_if(calls.begin(), calls.end(),
                                  [](const QueueCall& call) { return call.kind == QueueCall::Kind::removed; });
  std::swap(removal->event, other->event);
  CHECK(check_queue(calls).opinion == Opinion::bad);
}

}  // namespace
}  // namespace wh::sim
