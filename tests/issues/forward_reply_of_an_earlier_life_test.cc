// A restarted follower numbered its requests from 1 again, so the leader's late reply to a forward from before the
// restart answered another client's request. Found by the simulator.
#include <doctest/doctest.h>

#include "machine/command/command.h"
#include "node_bench.h"

namespace wh::node {
namespace {

uint64_t forwarded_by_life(uint64_t epoch, std::vector<ForwardReply> replies, std::vector<Completion>& completions) {
  Bench bench(bench_options(), member_disk(epoch));
  bench.heartbeat(raft::Term{2});
  bench.node.submit_write(7, machine::encode_command(machine::Set{{{"k", "v"}}}), true, bench.now);
  bench.persist();
  uint64_t request = 0;
  for (const auto& sent : bench.transport.sent)
    if (const auto* forward = std::get_if<Forward>(&sent.message)) request = forward->request;
  for (ForwardReply& reply : replies) bench.node.receive(kOther, reply, bench.now);
  bench.persist();
  completions = bench.node.take_completions();
  return request;
}

TEST_CASE("HAZARDS E13: a reply to an earlier process life answers nobody") {
  std::vector<Completion> completions;
  const uint64_t before = forwarded_by_life(1, {}, completions);
  const ForwardReply late{.request = before, .outcome = Outcome::applied, .index = raft::Index{5}, .reply = {}};
  const uint64_t after = forwarded_by_life(2, {late}, completions);
  CHECK(before != 0);
  CHECK(after != before);
  CHECK(completions.empty());
}

}  // namespace
}  // namespace wh::node
