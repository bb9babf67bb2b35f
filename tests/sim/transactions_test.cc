// Tests of the second opinion about transactions (HAZARDS 7.3: check the checker): hand-made histories of each kind of
// error, which it must refuse, the same without the error, which it must accept, and long ones made by chance.
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "base/prng.h"
#include "sim/clients/store_clients.h"
#include "sim/opinion/txn_graph.h"

namespace wh::sim {
namespace {

using Outcome = TxnCall::Outcome;

// Between two moments; the numbers of its operation and of its entry are the same.
TxnCall call(uint64_t number, uint64_t invoked, uint64_t returned) {
  return {.op = number, .outcome = Outcome::done, .mod_index = number, .invoked = invoked, .returned = returned};
}

TxnCall reads(TxnCall call, const std::string& key, uint64_t mod_index) {
  call.reads.push_back({.key = key,
                        .mod_index = mod_index,
                        .value = mod_index == 0 ? std::nullopt : std::optional(key + std::to_string(mod_index))});
  return call;
}

TxnCall writes(TxnCall call, const std::string& key) {
  call.writes.push_back({.key = key, .value = key + std::to_string(call.op)});
  return call;
}

// One after another: x and y are written together, and read together.
std::vector<TxnCall> good() {
  return {writes(writes(call(1, 0, 10), "x"), "y"), reads(reads(call(2, 20, 30), "x", 1), "y", 1),
          writes(reads(call(3, 40, 50), "x", 1), "x"), reads(reads(call(4, 60, 70), "x", 3), "y", 1)};
}

TEST_CASE("transactions one after another are accepted") { CHECK(check_transactions(good()) == ""); }

TEST_CASE("transactions at the same time are accepted in either order") {
  std::vector<TxnCall> calls = good();
  for (TxnCall& one : calls) one.invoked = 0, one.returned = 100;
  CHECK(check_transactions(calls) == "");
}

TEST_CASE("a lost update is refused: two wrote over the same version that both had read") {
  CHECK(check_transactions({writes(call(1, 0, 10), "x"), writes(reads(call(2, 20, 60), "x", 1), "x"),
                            writes(reads(call(3, 30, 50), "x", 1), "x")}) != "");
}

TEST_CASE("read skew is refused: one value from before another transaction, and one from after it") {
  CHECK(check_transactions({writes(writes(call(1, 0, 10), "x"), "y"), writes(writes(call(2, 20, 80), "x"), "y"),
                            reads(reads(call(3, 20, 80), "x", 1), "y", 2)}) != "");
}

TEST_CASE("write skew is refused: each read what the other wrote over") {
  const std::vector<TxnCall> skew = {writes(writes(call(1, 0, 10), "x"), "y"),
                                     writes(reads(reads(call(2, 20, 80), "x", 1), "y", 1), "x"),
                                     writes(reads(reads(call(3, 20, 80), "x", 1), "y", 1), "y")};
  CHECK(check_transactions(skew) != "");
  // Had one of them not looked at what the other changed, both could have been.
  std::vector<TxnCall> apart = skew;
  apart[1].reads.pop_back();
  CHECK(check_transactions(apart) == "");
}

TEST_CASE("half a transaction that was seen is refused, whether its client had an answer or not") {
  std::vector<TxnCall> calls = {writes(writes(call(1, 0, 10), "x"), "y"), writes(writes(call(2, 20, 80), "x"), "y"),
                                reads(reads(call(3, 30, 40), "x", 2), "y", 1)};
  CHECK(check_transactions(calls) != "");
  calls[1].outcome = Outcome::unknown;
  calls[1].mod_index = 0;
  calls[1].returned = UINT64_MAX;
  CHECK(check_transactions(calls) != "");
  calls[2].reads.pop_back();
  CHECK(check_transactions(calls) == "");
}

TEST_CASE("of a transaction without an answer one branch happened, or nothing") {
  TxnCall unknown{.op = 2, .outcome = Outcome::unknown, .invoked = 20};
  unknown.writes = {{.key = "x", .value = "x2", .branch = 1}, {.key = "y", .value = "y2", .branch = 0}};
  const TxnCall first = writes(writes(call(1, 0, 10), "x"), "y");
  const auto seen = [](uint64_t number, uint64_t from, const std::string& key, uint64_t mod_index) {
    return reads(call(number, from, from + 5), key, mod_index);
  };
  CHECK(check_transactions({first, unknown}) == "");
  CHECK(check_transactions({first, unknown, seen(4, 40, "x", 2), seen(5, 50, "y", 1)}) == "");
  CHECK(check_transactions({first, unknown, seen(4, 40, "x", 2), seen(5, 50, "y", 2)}) != "");
  CHECK(check_transactions({first, unknown, seen(4, 40, "x", 2), seen(5, 50, "x", 1)}) != "");
}

TEST_CASE("a read of what was written over before it was asked for is refused") {
  std::vector<TxnCall> calls = {writes(call(1, 0, 10), "x"), writes(call(2, 20, 30), "x"),
                                reads(call(3, 40, 50), "x", 1)};
  CHECK(check_transactions(calls) != "");
  calls[2].invoked = 25;
  CHECK(check_transactions(calls) == "");
}

TEST_CASE("a read from the future is refused") {
  CHECK(check_transactions(
            {writes(call(1, 0, 10), "x"), reads(call(2, 20, 30), "x", 3), writes(call(3, 40, 50), "x")}) != "");
}

TEST_CASE("versions in another order than time is refused") {
  CHECK(check_transactions({writes(call(2, 0, 10), "x"), writes(call(1, 20, 30), "x")}) != "");
}

TEST_CASE("a key that nobody removes and somebody wrote before is there") {
  std::vector<TxnCall> calls = {writes(call(1, 0, 10), "x"), reads(call(2, 20, 30), "x", 0)};
  CHECK(check_transactions(calls) != "");
  calls[1].invoked = 5;
  CHECK(check_transactions(calls) == "");
  calls[1].invoked = 20;
  calls[0].writes[0].ends = true;
  CHECK(check_transactions(calls) == "");
  calls[0].writes[0].ends = false;
  calls.push_back({.op = 9, .outcome = Outcome::unknown, .writes = {{.key = "x", .removes = true, .sure = false}}});
  CHECK(check_transactions(calls) == "");
}

TEST_CASE("a read of what was removed before is refused") {
  TxnCall removes = call(2, 20, 30);
  removes.writes = {{.key = "x", .removes = true}};
  CHECK(check_transactions({writes(call(1, 0, 10), "x"), removes, reads(call(3, 40, 50), "x", 1)}) != "");
  CHECK(check_transactions({writes(call(1, 0, 10), "x"), removes, reads(call(3, 40, 50), "x", 0)}) == "");
}

TEST_CASE("values that nobody may have seen are refused") {
  const TxnCall first = writes(call(1, 0, 10), "x");
  TxnCall strange = call(2, 20, 30);
  strange.reads = {{.key = "x", .mod_index = 1, .value = "another"}};
  CHECK(check_transactions({first, strange}) != "");
  strange.reads[0].mod_index = 7;
  CHECK(check_transactions({first, strange}) != "");
  // A refused transaction's.
  TxnCall refused = writes(call(3, 0, 10), "x");
  refused.outcome = Outcome::refused;
  CHECK(check_transactions({refused, reads(call(4, 20, 30), "x", 3)}) != "");
  // One that its own transaction wrote over.
  TxnCall twice = call(5, 0, 10);
  twice.writes = {{.key = "x", .value = "first", .last = false}, {.key = "x", .value = "second"}};
  TxnCall reader = call(6, 0, 10);
  reader.reads = {{.key = "x", .mod_index = 5, .value = "first"}};
  CHECK(check_transactions({twice, reader}) != "");
  reader.reads[0].value = "second";
  CHECK(check_transactions({twice, reader}) == "");
}

TEST_CASE("a transaction that took effect twice is refused") {
  TxnCall again = call(5, 60, 70);
  again.reads = {{.key = "x", .mod_index = 4, .value = "x1"}};
  CHECK(check_transactions({writes(call(1, 0, 10), "x"), again}) != "");
  TxnCall unknown = writes({.op = 1, .outcome = Outcome::unknown}, "x");
  TxnCall before = again;
  before.reads[0].mod_index = 2;
  CHECK(check_transactions({unknown, before, again}) != "");
  CHECK(check_transactions({unknown, again}) == "");
  // Two answers name one entry.
  TxnCall other = writes(call(2, 0, 10), "y");
  other.mod_index = 1;
  CHECK(check_transactions({writes(call(1, 0, 10), "x"), other}) != "");
}

TEST_CASE("a version of what was built on an older one has no writer by its value") {
  TxnCall adds = call(2, 20, 30);
  adds.writes = {{.key = "x", .built = true}};
  TxnCall reader = call(3, 40, 50);
  reader.reads = {{.key = "x", .mod_index = 2, .value = "x1+2"}};
  CHECK(check_transactions({writes(call(1, 0, 10), "x"), adds, reader}) == "");
  CHECK(check_transactions({writes(call(1, 0, 10), "x"), adds, reads(call(3, 40, 50), "x", 1)}) != "");
  adds.outcome = Outcome::unknown;
  adds.returned = UINT64_MAX;
  reader.reads[0].mod_index = 7;
  CHECK(check_transactions({writes(call(1, 0, 10), "x"), adds, reader}) == "");
  CHECK(check_transactions({writes(call(1, 0, 10), "x"), reader}) != "");
}

TEST_CASE("an event is acknowledged by one transaction") {
  TxnCall one = call(1, 0, 10);
  TxnCall other = call(2, 20, 30);
  one.acknowledged = {{"q", 7}};
  other.acknowledged = {{"r", 7}};
  CHECK(check_transactions({one, other}) == "");
  other.acknowledged = {{"q", 7}};
  CHECK(check_transactions({one, other}) != "");
  other.outcome = Outcome::refused;
  CHECK(check_transactions({one, other}) == "");
}

// --- made by chance

// Transactions that happened one after another, each at a moment within its time; some have no answer.
std::vector<TxnCall> by_chance(Prng& prng, size_t count, bool spoil) {
  std::map<std::string, std::pair<uint64_t, std::string>> state;
  std::vector<TxnCall> calls;
  static const std::string kKeys[] = {"a", "b", "c", "d"};
  const size_t spoiled = spoil ? count / 2 + prng.below(count / 4) : 0;
  for (size_t i = 1; i <= count; ++i) {
    const uint64_t moment = i * 10;
    TxnCall one = call(i, moment - prng.below(std::min<uint64_t>(moment, 60)), moment + prng.below(60));
    for (uint64_t n = prng.below(3); n > 0; --n) {
      const auto at = state.find(kKeys[prng.below(4)]);
      if (at == state.end()) continue;
      one.reads.push_back({.key = at->first, .mod_index = at->second.first, .value = at->second.second});
    }
    for (const std::string& key : kKeys) {
      if (prng.below(3) != 0) continue;
      one = writes(std::move(one), key);
      state[key] = {i, one.writes.back().value};
    }
    if (i == spoiled) one.writes.clear(), one.reads.clear();
    if (prng.below(8) == 0 && i != spoiled) {
      one.outcome = Outcome::unknown;
      one.returned = UINT64_MAX;
      one.reads.clear();
      one.mod_index = 0;
    }
    // Reads one key as it was long ago, and another as it is.
    if (i == spoiled)
      for (const TxnCall& old : calls)
        if (old.outcome == Outcome::done && !old.writes.empty() && one.reads.empty())
          one.reads.push_back({.key = old.writes[0].key, .mod_index = old.mod_index, .value = old.writes[0].value});
    calls.push_back(std::move(one));
  }
  return calls;
}

TEST_CASE("long histories made by chance are accepted, and with one old read refused") {
  Prng prng(5);
  for (int round = 0; round < 200; ++round) {
    const std::string wrong = check_transactions(by_chance(prng, 120, false));
    REQUIRE_MESSAGE(wrong.empty(), wrong);
    REQUIRE(check_transactions(by_chance(prng, 120, true)) != "");
  }
}

TEST_CASE("of an unanswered transaction with a choice, either arm may be what was done") {
  const machine::Transact transact{
      .compares = {},
      .success = {machine::PutKey{.key = "before", .value = "v1"},
                  machine::Choose{.compares = {}, .held = 1, .otherwise = 1},
                  machine::PutKey{.key = "held", .value = "v2"}, machine::PutKey{.key = "before", .value = "v3"},
                  machine::PutKey{.key = "behind", .value = "v4"}}};
  TxnCall unanswered{.op = 1};
  add_change(unanswered, transact, nullptr);
  REQUIRE(unanswered.writes.size() == 4);
  // The first one's key may have been written again, or not.
  const bool sure[] = {true, false, false, true};
  for (size_t i = 0; i < std::size(sure); ++i) {
    CHECK(unanswered.writes[i].sure == sure[i]);
    CHECK(unanswered.writes[i].last);
  }
  // Somebody saw the first and the last write, and nothing of `held`.
  const TxnCall reader{.op = 3,
                       .outcome = TxnCall::Outcome::done,
                       .reads = {{.key = "before", .mod_index = 7, .value = "v1"},
                                 {.key = "held", .mod_index = 2, .value = "v0"},
                                 {.key = "behind", .mod_index = 7, .value = "v4"}}};
  const TxnCall earlier{
      .op = 2, .outcome = TxnCall::Outcome::done, .mod_index = 2, .writes = {{.key = "held", .value = "v0"}}};
  CHECK(check_transactions({earlier, unanswered, reader}) == "");
  // But what is behind both arms was written.
  TxnCall torn = reader;
  torn.reads[2] = {.key = "behind", .mod_index = 2, .value = "v9"};
  const TxnCall other{
      .op = 4, .outcome = TxnCall::Outcome::done, .mod_index = 2, .writes = {{.key = "behind", .value = "v9"}}};
  TxnCall first = earlier;
  first.mod_index = 1;
  torn.reads[1].mod_index = 1;
  CHECK(check_transactions({first, other, unanswered, torn}) != "");
}

}  // namespace
}  // namespace wh::sim
