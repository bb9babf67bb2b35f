// Three bugs of the grant to found a cluster. (1) Information from before the grant ended the grant, so the node could
// give another one, and two clusters could be founded. (2) A grant that a founder gave itself outlived its process, so
// that the node refused everybody else for ever. (3) A node that had granted forgot the nodes it knew, and refused
// every attempt until all had answered again. If nodes cannot reach themselves, which takes time to find out, five
// nodes then never agreed at the same time.
#include <doctest/doctest.h>

#include "node_bench.h"

namespace wh::node {
namespace {

FoundingGranted granted(const Bench& bench, uint64_t question) {
  for (const auto& [id, answer] : bench.transport.answers)
    if (id == question) return std::get<FoundingGranted>(answer);
  return {false, "no answer"};
}

GrantFounding from_other(uint64_t attempt) {
  return {.founder = empty_node(kOther, "a:1").identity, .attempt = attempt, .electorate = kAllThree};
}
GrantFounding from_third(uint64_t attempt) {
  return {.founder = empty_node(kThird, "a:3").identity, .attempt = attempt, .electorate = kAllThree};
}

TEST_CASE("an answer from before a grant does not end it") {
  Bench bench(listed(), empty_disk());
  bench.persist();
  bench.find_all();
  bench.wait(1'000);
  REQUIRE(bench.transport.asked.size() == 3);
  const auto asked = std::exchange(bench.transport.asked, {});
  // The node at a:1 says that it does not found yet; then it does, and asks for this node's grant; then what it said
  // arrives.
  bench.node.asked(1, from_other(77), bench.now);
  bench.persist();
  REQUIRE(granted(bench, 1).granted);
  for (const auto& question : asked)
    if (question.address == "a:1")
      bench.node.answered(question.request, Answer(waiting_node(kOther, "a:1")), bench.now);
  bench.persist();
  bench.node.asked(2, from_third(88), bench.now);
  bench.persist();
  CHECK_FALSE(granted(bench, 2).granted);
  CHECK(bench.storage.grants.size() == 1);
}

TEST_CASE("a grant to oneself ends with the process that asked for it") {
  RecoveredNode disk = empty_disk();
  disk.granted_to = kMe;
  disk.granted_attempt = 5;
  disk.granted_address = "a:2";
  Bench bench(listed(), std::move(disk));
  bench.persist();
  bench.find_all();
  bench.node.asked(1, from_other(77), bench.now);
  bench.persist();
  CHECK(granted(bench, 1).granted);
}

TEST_CASE("who granted an attempt in vain grants the next at once, though it does not reach itself") {
  NodeOptions options = listed();
  options.own.addresses = {"a:2"};
  Bench bench(std::move(options), empty_disk());
  const auto others_answer = [&](uint64_t attempt) {
    bench.wait(1'000);
    for (const auto& question : std::exchange(bench.transport.asked, {})) {
      if (question.address == "a:2") {
        bench.transport.asked.push_back(question);
        continue;
      }
      const bool other = question.address == "a:1";
      bench.node.answered(question.request,
                          Answer(waiting_node(other ? kOther : kThird, question.address, other ? attempt : 0)),
                          bench.now);
    }
    bench.persist();
  };
  bench.persist();
  others_answer(0);
  for (const auto& question : std::exchange(bench.transport.asked, {}))
    bench.node.answered(question.request, Error{"no answer in time"}, bench.now);
  bench.persist();
  bench.node.asked(1, from_other(77), bench.now);
  bench.persist();
  REQUIRE(granted(bench, 1).granted);
  // Another refused that attempt. The node asks itself, too, and hears nothing yet.
  others_answer(78);
  bench.node.asked(2, from_other(78), bench.now);
  bench.persist();
  CHECK(granted(bench, 2).granted);
}

TEST_CASE("a late question of an earlier attempt does not replace the grant of a later one") {
  Bench bench(listed(), empty_disk());
  bench.persist();
  bench.find_all();
  bench.node.asked(1, from_other(78), bench.now);
  bench.persist();
  REQUIRE(granted(bench, 1).granted);
  bench.find_all(78);
  bench.node.asked(2, from_other(77), bench.now);
  bench.persist();
  CHECK_FALSE(granted(bench, 2).granted);
  REQUIRE(bench.storage.grants.size() == 1);
  CHECK(bench.storage.grants[0].attempt == 78);
}

}  // namespace
}  // namespace wh::node
