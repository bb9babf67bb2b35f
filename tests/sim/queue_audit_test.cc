// Tests of the audit of queues (HAZARDS 7.3: check the checker): it accepts what a command does, and refuses the same
// change when no command, or another one, is said to have caused it.
#include "sim/checks/queue_audit.h"

#include <doctest/doctest.h>

namespace wh::sim {
namespace {

struct Bench {
  Bench() { machine.raise_version(raft::Index{++index}, stamp, 4); }

  // Applies one command, and audits it as `said`; null: as none.
  std::string step(const machine::Body& body, const machine::Body* said) {
    const machine::Reply reply = machine.apply(raft::Index{++index}, stamp, machine::encode_command(body)).reply;
    last = reply;
    machine::Command command;
    if (said != nullptr) command.body = *said;
    return audit.applied(said == nullptr ? nullptr : &command, reply, machine, seen);
  }
  std::string step(const machine::Body& body) { return step(body, &body); }
  [[nodiscard]] machine::Settle settle(machine::SettleVerb verb) const {
    machine::Settle out{.queue = "q", .verb = verb, .receipts = {}};
    for (const machine::Delivery& one : held) out.receipts.push_back({one.id, one.delivery});
    return out;
  }
  void fill(size_t events) {
    machine::PutEvents put{"q", {}};
    for (size_t i = 0; i < events; ++i) put.events.push_back({.bytes = i % 2 == 0 ? "even" : "odd"});
    CHECK(step(put).empty());
  }
  void receive() {
    CHECK(step(machine::Receive{.queue = "q", .max = 2, .visibility = 1'000}).empty());
    held = last.deliveries;
    CHECK(held.size() == 2);
  }

  machine::Machine machine;
  QueueAudit audit;
  Situations seen;
  uint64_t index = 0;
  Millis stamp = 1'000;
  machine::Reply last;
  std::vector<machine::Delivery> held;
};

TEST_CASE("what commands do passes") {
  Bench bench;
  bench.fill(4);
  bench.receive();
  CHECK(bench.step(bench.settle(machine::SettleVerb::extend)).empty());
  bench.stamp += 40'000;
  CHECK(bench.step(machine::Due{}).empty());
  bench.receive();
  CHECK(bench.step(bench.settle(machine::SettleVerb::bury)).empty());
  CHECK(bench.machine.queue_length("q.dead") == 2);
  CHECK(bench.step(machine::Redrive{"q.dead", "q"}).empty());
  bench.receive();
  CHECK(bench.step(bench.settle(machine::SettleVerb::acknowledge)).empty());
  bench.fill(2);
  const std::vector<uint64_t> ids = bench.last.ids;
  CHECK(bench.step(machine::RemoveEvents{"q", {ids[0], 1, ids[0]}}).empty());
  CHECK(bench.last.outcomes ==
        std::vector{machine::SettleOutcome::done, machine::SettleOutcome::gone, machine::SettleOutcome::gone});
  CHECK(bench.step(machine::PurgeQueue{"q"}).empty());
  CHECK(bench.seen[Situation::removed_from_within] == 1);
  CHECK(bench.seen[Situation::timed_out] == 2);
  CHECK(bench.seen[Situation::redriven] == 2);
}

TEST_CASE("what no command did does not pass") {
  const machine::Body put = machine::PutEvents{"q", {{.bytes = "more"}}};
  const machine::Body receive = machine::Receive{.queue = "q", .max = 1, .visibility = 1'000};
  const machine::Body other = machine::Receive{.queue = "q", .max = 1, .visibility = 2'000};
  Bench bench;
  bench.fill(4);
  CHECK(bench.step(put, nullptr).ends_with("nobody put it in"));
  CHECK(bench.step(receive, nullptr).ends_with("it was delivered to nobody"));
  CHECK(bench.step(receive, &other).ends_with("it is held for another time than asked for"));
  bench.receive();
  for (const auto& [verb, what] :
       {std::pair(machine::SettleVerb::extend, "its deadline was moved by nobody"),
        std::pair(machine::SettleVerb::release, "it was taken from its holder before the deadline")}) {
    CHECK(bench.step(bench.settle(verb), nullptr).ends_with(what));
    if (verb == machine::SettleVerb::release) bench.receive();
  }
  const machine::Body release = bench.settle(machine::SettleVerb::release);
  CHECK(bench.step(bench.settle(machine::SettleVerb::acknowledge), &release).find("dead letter") == std::string::npos);
  const std::vector<machine::Delivery> before = bench.held;
  bench.fill(2);
  const std::vector<uint64_t> ids = bench.last.ids;
  const machine::Body remove = machine::RemoveEvents{"q", {ids[0]}};
  const machine::Body another = machine::RemoveEvents{"q", {ids[1]}};
  CHECK(bench.step(remove, nullptr).ends_with("it is lost: nothing that was asked for or fell due removed it"));
  CHECK(bench.step(remove, &another).find("the answer tells something else of it") != std::string::npos);
  CHECK(bench.step(machine::PurgeQueue{"q"}, nullptr)
            .ends_with("it is lost: nothing that was asked for or fell due removed it"));
}

}  // namespace
}  // namespace wh::sim
