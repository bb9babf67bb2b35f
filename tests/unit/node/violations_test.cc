// Messages that no correct member can send, at the node: they are ignored, the connection is closed, and they are
// counted and sometimes logged with the sender and the reason.
#include <utility>

#include "base/log.h"
#include "member.h"

namespace wh::node {
namespace {

struct Lines {
  std::vector<std::string> lines;
  Lines() {
    set_log_sink([this](LogLevel, std::string_view line) { lines.emplace_back(line); });
  }
  ~Lines() {
    set_log_sink([](LogLevel, std::string_view) {});
  }
};

Bytes command(raft::NodeId origin, uint64_t sequence, const std::string& value = "v") {
  return Bytes(machine::envelope({.origin = origin, .epoch = 1, .sequence = sequence}, set_body(value)));
}

TEST_CASE("a write under another member's numbers is not taken: it would have that one's dropped as copies") {
  Member leader;
  leader.lead();
  const raft::Index last = leader.last();
  const raft::Term term = leader.node.raft()->current_term();
  for (const Bytes& forged : {command(kThird, 1), command(kMe, 3)})
    leader.node.receive(kOther, Forward{.request = 1, .command = forged, .term = term}, leader.now);
  leader.persist();
  CHECK(leader.last() == last);
  CHECK(leader.transport.cut.size() == 2);
  CHECK(leader.node.counters().violations == 2);
  leader.node.receive(kOther, Forward{.request = 2, .command = command(kOther, 1), .term = term}, leader.now);
  leader.persist();
  CHECK(leader.last() == last + 1);
  CHECK(leader.node.counters().violations == 2);
}

TEST_CASE("what only a leader proposes is not taken from a member: it could set the cluster's time") {
  Member leader;
  leader.lead();
  const raft::Index last = leader.last();
  const raft::Term term = leader.node.raft()->current_term();
  for (const machine::Body& body :
       {machine::Body(machine::Due{}), machine::Body(machine::AdvanceTime{Millis{1} << 60})}) {
    std::string forged = machine::encode_command(body);
    machine::set_request_id(forged, {.origin = kOther, .epoch = 1, .sequence = 1});
    leader.node.receive(kOther, Forward{.request = 1, .command = Bytes(std::move(forged)), .term = term}, leader.now);
  }
  leader.persist();
  CHECK(leader.last() == last);
  CHECK(leader.node.counters().violations == 2);
  CHECK(leader.transport.cut.size() == 2);
}

TEST_CASE("more than may wait is not taken from a member either") {
  Member leader;
  leader.lead();
  const raft::Term term = leader.node.raft()->current_term();
  leader.transport.sent.clear();
  // Within one turn, as from a member that sends without end.
  const std::string large(4 << 20, 'x');
  for (uint64_t i = 1; i <= 40; ++i)
    leader.node.receive(kOther, Forward{.request = i, .command = command(kOther, i, large), .term = term}, leader.now);
  leader.persist();
  size_t overloaded = 0;
  for (const ForwardReply& reply : leader.sent_to<ForwardReply>(kOther))
    overloaded += reply.outcome == Outcome::overloaded ? 1 : 0;
  CHECK(overloaded >= 20);
  CHECK(leader.node.counters().violations == 0);
}

TEST_CASE("an answer to a write counts from the member that was sent it, and when it is one") {
  Member follower;
  follower.heartbeat(raft::Term{2});
  follower.write(7, "v");
  const auto forwards = follower.sent_to<Forward>(kOther);
  REQUIRE(forwards.size() == 1);
  const uint64_t request = forwards[0].request;
  const auto reply = [&](raft::NodeId from, Outcome outcome, std::string text) {
    follower.node.receive(
        from, ForwardReply{.request = request, .outcome = outcome, .index = raft::Index{2}, .reply = std::move(text)},
        follower.now);
    follower.persist();
  };
  reply(kThird, Outcome::applied, machine::encode_reply({.count = 1}));
  reply(kOther, Outcome::applied, std::string("\0 is no reply", 13));
  reply(kOther, Outcome::conflict, {});
  CHECK(follower.answer(7) == nullptr);
  CHECK(follower.transport.cut == std::vector{kThird, kOther, kOther});
  reply(kOther, Outcome::applied, machine::encode_reply({.count = 1}));
  REQUIRE(follower.answer(7) != nullptr);
  CHECK(follower.answer(7)->outcome == Outcome::applied);
}

TEST_CASE("an answer to a request about members counts from the member that was sent it") {
  Member follower;
  follower.heartbeat(raft::Term{2});
  follower.admin(8, AdminKind::remove, "third");
  const auto forwards = follower.sent_to<ForwardAdmin>(kOther);
  REQUIRE(forwards.size() == 1);
  follower.node.receive(kThird, ForwardAdminReply{forwards[0].request, Outcome::applied, {}}, follower.now);
  follower.persist();
  CHECK(follower.answer(8) == nullptr);
  CHECK(follower.transport.cut == std::vector{kThird});
}

TEST_CASE("it is logged with who and what, once in ten seconds with how many more") {
  const Lines log;
  Member leader;
  leader.lead();
  const raft::AppendEntriesReply lie{
      .term = leader.node.raft()->current_term(), .success = true, .match_index = leader.last() + 5};
  const auto told = [&] {
    return std::count_if(log.lines.begin(), log.lines.end(),
                         [](const std::string& line) { return has(line, "sent what no correct member can send"); });
  };
  for (int i = 0; i < 20; ++i) {
    leader.node.receive(kThird, lie, leader.now);
    leader.persist();
  }
  CHECK(told() == 1);
  CHECK(leader.node.counters().violations == 20);
  leader.pass(10'100);
  leader.node.receive(kThird, lie, leader.now);
  leader.persist();
  CHECK(told() == 2);
  CHECK(std::any_of(log.lines.begin(), log.lines.end(), [](const std::string& line) {
    return has(line, "third (instance 0000000000000021)") && has(line, "it acknowledges entry") && has(line, "19 more");
  }));
}

TEST_CASE("CONFIG SET of the log's length changes the trail behind a snapshot, too") {
  NodeOptions options = bench_options();
  options.snapshot_entries = 100'000;
  Member leader(options);
  leader.lead();
  for (Token i = 0; i < 40; ++i) leader.write(100 + i, "v");
  leader.holds(kOther, leader.last());
  leader.holds(kThird, leader.last());
  leader.node.set_snapshot_limits(20, 1 << 20, 0);
  leader.turn();
  REQUIRE(leader.storage.snapshots.size() == 1);
  leader.node.storage_done(SnapshotSaved{leader.storage.snapshots[0]}, leader.now);
  leader.persist();
  CHECK(leader.node.raft()->log().base_index() + 10 == leader.storage.snapshots[0].index);
}

TEST_CASE("a snapshot of much data waits until the log behind the last one is worth it") {
  NodeOptions options = bench_options();
  options.snapshot_entries = 10;
  options.snapshot_bytes = 64 << 20;
  options.max_uncommitted_bytes = 64 << 20;
  Member leader(options);
  leader.lead();
  const auto pass = [&](Token token, const std::string& value) {
    leader.write(token, value);
    leader.holds(kOther, leader.last());
    leader.turn();
  };
  const auto save = [&] {
    REQUIRE_FALSE(leader.storage.snapshots.empty());
    leader.wait(3);  // the pace of slices while it serves
    for (int i = 0; i < 10'000 && leader.node.snapshot_in_progress() && !leader.storage.finished; ++i) {
      leader.node.storage_done(SnapshotSliceWritten{}, leader.now);
      leader.turn();
    }
    leader.storage.finished = false;
    leader.node.storage_done(SnapshotSaved{leader.storage.snapshots.back()}, leader.now);
    leader.persist();
  };
  // 24 MiB of data, each under its own key.
  for (Token i = 0; i < 8; ++i) {
    leader.node.submit_write(
        i + 1, machine::encode_command(machine::Set{{{"k" + std::to_string(i), std::string(3 << 20, 'x')}}}), true,
        leader.now);
    leader.persist();
    leader.holds(kOther, leader.last());
  }
  for (Token i = 0; i < 10; ++i) pass(100 + i, "v");
  REQUIRE(leader.storage.snapshots_begun == 1);
  save();
  // Ten small entries again and again: the directive is reached, half of the data is not; at eight times it is due.
  for (Token i = 0; i < 65; ++i) pass(200 + i, "v");
  CHECK(leader.storage.snapshots_begun == 1);
  for (Token i = 0; i < 10; ++i) pass(300 + i, "v");
  CHECK(leader.storage.snapshots_begun == 2);
  save();
  // And with 12 MiB of log at once.
  for (Token i = 0; i < 10; ++i) pass(400 + i, std::string(1'400'000, 'x'));
  CHECK(leader.storage.snapshots_begun == 3);
}

TEST_CASE("a command is as large as a frame between nodes carries, and no larger") {
  const std::string value(machine::kMaxValueBytes, 'x');
  machine::Set set{{{"a", value}}};
  // kind, count, and for each pair two lengths and the key.
  const size_t around = machine::kEnvelopeBytes + 5 + size_t{2} * 9;
  const std::string rest(machine::kMaxCommandBytes - around - value.size(), 'x');
  set.pairs.emplace_back("b", rest);
  CHECK(machine::check(set));
  CHECK_FALSE(machine::is_too_large(set));
  Member leader;
  leader.lead();
  const raft::Index last = leader.last();
  leader.node.submit_write(1, machine::encode_command(set), true, leader.now);
  leader.persist();
  CHECK(leader.last() == last + 1);

  const std::string one_over = rest + "x";
  machine::Set over{{{"a", value}, {"b", one_over}}};
  CHECK(machine::is_too_large(over));
  CHECK(has(machine::check(over).error(), "send it in parts"));
  leader.node.submit_write(2, machine::encode_command(set) + "x", true, leader.now);
  leader.persist();
  CHECK(leader.last() == last + 1);
  REQUIRE(leader.answer(2) != nullptr);
  CHECK(leader.answer(2)->outcome == Outcome::dropped);
  CHECK(has(leader.answer(2)->sentence, "send it in parts"));
  // Nor is it taken from a follower that does not look.
  leader.transport.sent.clear();
  leader.node.receive(kOther,
                      Forward{.request = 1,
                              .command = Bytes(machine::envelope({.origin = kOther, .epoch = 1, .sequence = 1},
                                                                 machine::encode_body(set) + "x")),
                              .term = leader.node.raft()->current_term()},
                      leader.now);
  leader.persist();
  CHECK(leader.last() == last + 1);
  REQUIRE(leader.sent_to<ForwardReply>(kOther).size() == 1);
  CHECK(leader.sent_to<ForwardReply>(kOther)[0].outcome == Outcome::dropped);
}

}  // namespace
}  // namespace wh::node
