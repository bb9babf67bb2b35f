// A leader says that this node acknowledged entries that its log lacks: whose word the node believes before it calls
// its disk old.
#include "member.h"

namespace wh::node {
namespace {

// One that has just started, in term 1, with an entry.
struct Restarted : Bench {
  Restarted() : Bench(bench_options(), member_disk()) { persist(); }

  // `kOther` says that it leads, and that so much was acknowledged.
  void claim(uint64_t acknowledged, uint64_t term = 2) {
    node.receive(kOther,
                 raft::AppendEntries{.term = raft::Term{term},
                                     .prev_log_index = raft::Index{9},
                                     .prev_log_term = raft::Term{1},
                                     .acknowledged = raft::Index{acknowledged}},
                 now);
    persist();
  }
  // Who is at this address, and was asked, says that the one at `leader` leads.
  void says(const std::string& address, raft::NodeId who, const std::string& leader) {
    for (const auto& asked : questions(address)) {
      WhoIAm answer = empty_node(who, address);
      answer.identity.cluster = kCluster;
      answer.standing = Standing::member;
      answer.leader_address = leader;
      node.answered(asked.request, Answer(answer), now);
    }
    persist();
  }
  void silent(const std::string& address) {
    for (const auto& asked : questions(address)) node.answered(asked.request, Error{"no answer"}, now);
    persist();
  }
  std::vector<BenchTransport::Asked> questions(const std::string& address) {
    std::vector<BenchTransport::Asked> found;
    for (const auto& asked : transport.asked)
      if (asked.address == address) found.push_back(asked);
    std::erase_if(transport.asked, [&](const auto& asked) { return asked.address == address; });
    return found;
  }
  // `by` leads that term, and these are entries of its own, up to `last`.
  void led_up_to(raft::NodeId by, uint64_t term, uint64_t last) {
    raft::AppendEntries message{.term = raft::Term{term},
                                .prev_log_index = raft::Index{1},
                                .prev_log_term = raft::Term{1},
                                .acknowledged = raft::Index{1}};
    for (uint64_t index = 2; index <= last; ++index)
      message.entries.push_back(
          {.index = raft::Index{index}, .term = raft::Term{term}, .kind = raft::EntryKind::noop, .payload = {}});
    node.receive(by, message, now);
    persist();
  }
  // Asked for by one whose log is the best there is, and by the wish of its leader.
  bool votes(uint64_t term) {
    transport.sent.clear();
    node.receive(kThird,
                 raft::RequestVote{.term = raft::Term{term},
                                   .last_log_index = raft::Index{9},
                                   .last_log_term = raft::Term{term - 1},
                                   .transfer = true,
                                   .lost_leader = {}},
                 now);
    persist();
    for (const auto& sent : transport.sent)
      if (const auto* reply = std::get_if<raft::RequestVoteReply>(&sent.message)) return reply->granted;
    return false;
  }
};

TEST_CASE("HAZARDS C5: a disk is called old when a quorum names the leader that says so") {
  Restarted bench;
  bench.claim(9);
  CHECK(bench.transport.asked.size() == 2);
  CHECK(bench.storage.lost.empty());
  bench.says("a:1", kOther, "a:1");
  CHECK(bench.storage.lost.empty());  // one member's word
  bench.says("a:3", kThird, "a:1");
  REQUIRE(bench.storage.lost.size() == 1);
  CHECK(bench.storage.lost[0] == std::pair(raft::Index{9}, raft::Index{1}));
}

TEST_CASE("HAZARDS C5: not on the word of one that nobody else follows, and then the node votes again") {
  Restarted bench;
  bench.claim(uint64_t{1} << 60, 3);
  bench.says("a:1", kOther, "a:1");
  CHECK_FALSE(bench.votes(4));  // as long as it is looked into
  bench.says("a:3", kThird, "a:3");
  CHECK(bench.storage.lost.empty());
  CHECK(bench.votes(5));
  // However often that member says so, in whatever term.
  for (uint64_t term = 6; term < 20; term += 2) {
    bench.claim(uint64_t{1} << 60, term);
    CHECK(bench.transport.asked.empty());
    CHECK(bench.votes(term + 1));
  }
}

TEST_CASE("HAZARDS C5: as long as others are away, a node that may have lost entries neither votes nor campaigns") {
  Restarted bench;
  bench.claim(9, 3);
  bench.says("a:1", kOther, "a:1");
  bench.silent("a:3");
  CHECK(bench.storage.lost.empty());
  CHECK_FALSE(bench.votes(4));
  CHECK(bench.node.doubts_its_disk());
  // The leader falls silent too: with the third alone it would elect one that may lack what that leader committed.
  for (int i = 0; i < 100; ++i) {
    bench.wait(50);
    bench.silent("a:1");
    bench.silent("a:3");
  }
  CHECK(bench.node.raft()->role() == raft::Role::follower);
  CHECK(bench.node.raft()->elections() == 0);
  CHECK_FALSE(bench.votes(5));
  SUBCASE("until it is confirmed") {
    bench.wait(1'000);
    bench.says("a:1", kOther, "a:1");
    bench.says("a:3", kThird, "a:1");
    CHECK(bench.storage.lost.size() == 1);
  }
  SUBCASE("until the third is there, and follows nobody: one liar that fell silent must not stop both for ever") {
    bench.wait(1'000);
    bench.silent("a:1");
    bench.says("a:3", kThird, {});
    CHECK(bench.storage.lost.empty());
    CHECK(bench.votes(6));
    CHECK_FALSE(bench.node.doubts_its_disk());
  }
  SUBCASE("until it holds again what it acknowledged") {
    bench.led_up_to(kOther, 6, 2);
    bench.wait(60);
    CHECK(bench.votes(7));
  }
}

TEST_CASE("HAZARDS C5: what was owed to a leader is there with all of it, or with an entry of a later leader's") {
  for (const bool same_term : {true, false}) {
    Restarted bench;
    bench.claim(4, 3);
    bench.silent("a:1");
    bench.silent("a:3");
    bench.led_up_to(kOther, 3, 3);
    CHECK_FALSE(bench.votes(4));
    same_term ? bench.led_up_to(kOther, 4, 4) : bench.led_up_to(kThird, 4, 2);
    CHECK(bench.votes(5));
  }
}

TEST_CASE("HAZARDS C5: who follows nobody may just have started: only when asked again that denies anything") {
  Restarted bench;
  bench.claim(9, 3);
  bench.says("a:1", kOther, "a:1");
  bench.says("a:3", kThird, {});
  CHECK_FALSE(bench.votes(4));
  bench.wait(1'000);
  CHECK(bench.transport.asked.size() == 2);
  bench.says("a:3", kThird, {});
  CHECK(bench.votes(5));
}

TEST_CASE("HAZARDS C5: who answers twice, or for another, is one voter") {
  Restarted bench;
  bench.claim(9);
  bench.says("a:1", kOther, "a:1");
  bench.says("a:3", kOther, "a:1");
  CHECK(bench.storage.lost.empty());
}

TEST_CASE("HAZARDS C5: what it acknowledged in this process life does not stop a node, whoever says that it is lost") {
  Restarted bench;
  bench.heartbeat(raft::Term{2});  // answered: its first acknowledgement
  // One of an earlier life may come to the leader after that: nobody lies, and all that is missing is sent.
  bench.claim(3);
  CHECK(bench.transport.cut.empty());
  bench.says("a:1", kOther, "a:1");
  bench.says("a:3", kThird, "a:1");
  CHECK(bench.storage.lost.empty());
  CHECK(bench.node.doubts_its_disk());
  bench.wait(1'000);
  CHECK_FALSE(bench.votes(3));
  bench.says("a:1", kOther, "a:1");
  bench.says("a:3", kThird, "a:1");
  CHECK(bench.storage.lost.empty());
  bench.led_up_to(kOther, 4, 3);
  CHECK(bench.votes(5));
}

}  // namespace
}  // namespace wh::node
