// A leader says that this node acknowledged what its log does not hold: whose word it takes to call a disk old.
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
  // Who is at this address says that the one at `leader` leads.
  void says(const std::string& address, raft::NodeId who, const std::string& leader) {
    for (const auto& asked : transport.asked) {
      if (asked.address != address) continue;
      WhoIAm answer = empty_node(who, address);
      answer.identity.cluster = kCluster;
      answer.standing = Standing::member;
      answer.leader_address = leader;
      node.answered(asked.request, Answer(answer), now);
    }
    persist();
  }
  void silent(const std::string& address) {
    for (const auto& asked : transport.asked)
      if (asked.address == address) node.answered(asked.request, Error{"no answer"}, now);
    persist();
  }
  bool votes(uint64_t term) {
    transport.sent.clear();
    node.receive(kThird,
                 raft::RequestVote{.term = raft::Term{term},
                                   .last_log_index = raft::Index{9},
                                   .last_log_term = raft::Term{1},
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
  for (const bool answers : {true, false}) {
    Restarted bench;
    bench.claim(uint64_t{1} << 60, 3);
    bench.says("a:1", kOther, "a:1");
    CHECK_FALSE(bench.votes(4));  // as long as it is looked into
    answers ? bench.says("a:3", kThird, "a:3") : bench.silent("a:3");
    CHECK(bench.storage.lost.empty());
    CHECK(bench.votes(5));
  }
}

TEST_CASE("HAZARDS C5: who answers twice, or for another, is one voter") {
  Restarted bench;
  bench.claim(9);
  bench.says("a:1", kOther, "a:1");
  bench.says("a:3", kOther, "a:1");
  CHECK(bench.storage.lost.empty());
}

TEST_CASE("HAZARDS C5: what it acknowledged in this process life a node knows by itself") {
  Restarted bench;
  bench.heartbeat(raft::Term{2});  // answered: its first acknowledgement
  bench.claim(9);
  CHECK(bench.transport.asked.empty());
  CHECK(bench.transport.cut == std::vector{kOther});
  bench.claim(9, 3);  // nor in a later term
  CHECK(bench.transport.asked.empty());
  CHECK(bench.node.raft()->current_term() == raft::Term{2});
  CHECK(bench.storage.lost.empty());
  CHECK(bench.node.counters().violations == 2);
}

}  // namespace
}  // namespace wh::node
