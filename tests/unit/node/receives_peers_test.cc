// Receives that cross from one member to another: a follower's wait at the leader, a request that comes twice.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "queue_member.h"

namespace wh::node {

TEST_CASE("a node that says it does not lead is not asked again in that term") {
  QueueFollower bench;
  bench.node.submit_receive(1, receive_of("q"), 7'000, bench.now);
  bench.persist();
  const auto sent = bench.sent_to<ForwardReceive>(kOther);
  REQUIRE(sent.size() == 1);
  bench.node.receive(kOther, ForwardReply{sent[0].request, Outcome::not_leader, {}, {}}, bench.now);
  for (int turn = 0; turn < 5; ++turn) bench.persist();
  CHECK(bench.sent_to<ForwardReceive>(kOther).size() == 1);
  CHECK(!bench.node.wants_turn());
  CHECK(bench.answer(1) == nullptr);
  bench.led(kThird, 3, bench.last(), {}, bench.last().value);
  bench.persist();
  CHECK(bench.sent_to<ForwardReceive>(kThird).size() == 1);
}

TEST_CASE("a follower's receive waits at the leader, and its cancellation goes there too") {
  QueueFollower bench;
  bench.node.submit_receive(1, receive_of("q"), 7'000, bench.now);
  bench.persist();
  auto sent = bench.sent_to<ForwardReceive>(kOther);
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].wait_ms == 7'000);
  machine::Reply reply{.count = 1};
  reply.deliveries.push_back({.id = 5, .delivery = 9, .deliveries = 1, .bytes = Bytes("e")});
  bench.node.receive(kOther, ForwardReply{sent[0].request, Outcome::applied, raft::Index{9}, encode_reply(reply)},
                     bench.now);
  bench.persist();
  REQUIRE(bench.answer(1) != nullptr);
  CHECK(bench.answer(1)->reply.deliveries == reply.deliveries);

  // An answer that nobody waits for: the events go back.
  bench.node.submit_receive(2, receive_of("q"), 7'000, bench.now);
  bench.persist();
  bench.node.cancel_receive(2);
  bench.persist();
  CHECK(bench.sent_to<CancelReceive>(kOther).size() == 1);
  sent = bench.sent_to<ForwardReceive>(kOther);
  bench.node.receive(kOther, ForwardReply{sent.back().request, Outcome::applied, raft::Index{10}, encode_reply(reply)},
                     bench.now);
  bench.persist();
  CHECK(bench.answer(2) == nullptr);
  const auto writes = bench.sent_to<Forward>(kOther);
  REQUIRE(writes.size() == 1);
  const auto command = machine::decode(writes[0].command.view());
  REQUIRE(command.ok());
  CHECK(std::get<machine::Settle>(command->body).verb == machine::SettleVerb::take_back);
}

TEST_CASE("a receive that a member forwards twice reserves once; its cancellation ends its wait") {
  QueueLeader bench;
  const ForwardReceive forward{71, Bytes(receive_of("q")), bench.node.raft()->current_term(), 5'000, {}};
  bench.node.receive(kOther, forward, bench.now);
  bench.node.receive(kOther, forward, bench.now);
  bench.persist();
  CHECK(bench.node.waiting_for("q") == 1);
  bench.node.receive(kOther, CancelReceive{71}, bench.now);
  bench.persist();
  CHECK(bench.node.waiting_for("q") == 0);
  bench.node.receive(kThird, ForwardReceive{71, Bytes("junk"), bench.node.raft()->current_term(), 0, {}}, bench.now);
  bench.persist();
  CHECK(bench.node.counters().violations == 1);
}

}  // namespace wh::node
