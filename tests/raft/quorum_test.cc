// raft/quorum.h against the simplest way to count, for every small configuration.
#include "raft/quorum.h"

#include <map>
#include <string>

#include <doctest/doctest.h>

#include "base/prng.h"

using namespace wh;
using namespace wh::raft;

namespace {

Configuration cluster_of(size_t voters, size_t learners) {
  std::vector<Member> members;
  for (size_t i = 1; i <= voters + learners; ++i)
    members.push_back({.id = NodeId{i},
                       .name = "n" + std::to_string(i),
                       .raft_address = {},
                       .http_address = {},
                       .https_address = {},
                       .suffrage = i <= voters ? Suffrage::voter : Suffrage::learner});
  return Configuration(std::move(members));
}

}  // namespace

TEST_CASE("Raft 5.2, thesis 4.2.1: a majority of the voters is a quorum, whatever learners do") {
  for (size_t voters = 0; voters <= 6; ++voters)
    for (size_t learners = 0; learners <= 2; ++learners) {
      const Configuration configuration = cluster_of(voters, learners);
      for (uint64_t who = 0; who < uint64_t{1} << (voters + learners); ++who) {
        size_t counted = 0;
        for (size_t i = 0; i < voters; ++i) counted += (who >> i) & 1;
        const auto does = [&](const Member& member) { return ((who >> (member.id.value - 1)) & 1) != 0; };
        CHECK(count_voters(configuration, does) == counted);
        CHECK(quorum_of(configuration, does) == (2 * counted > voters));
      }
    }
}

TEST_CASE("Raft 5.3, 5.4.2: a quorum has reached the highest value that a majority of the voters has at least") {
  Prng prng(1);
  for (size_t voters = 0; voters <= 20; ++voters)
    for (int round = 0; round < 50; ++round) {
      const Configuration configuration = cluster_of(voters, prng.below(3));
      std::map<uint64_t, uint64_t> at;
      for (const Member& member : configuration.members()) at[member.id.value] = prng.below(6);
      const auto value = [&](const Member& member) { return at.at(member.id.value); };
      uint64_t best = 0;
      for (uint64_t candidate = 1; candidate < 6; ++candidate)
        if (quorum_of(configuration, [&](const Member& member) { return value(member) >= candidate; }))
          best = candidate;
      CHECK(reached_by_quorum(configuration, value) == best);
      CHECK(reached_by(configuration, voters + 1, value) == 0);
    }
}

TEST_CASE("how many may fail: what is left beyond a quorum") {
  CHECK(may_fail(cluster_of(1, 0), 1) == 0);
  CHECK(may_fail(cluster_of(2, 1), 2) == 0);
  CHECK(may_fail(cluster_of(3, 0), 3) == 1);
  CHECK(may_fail(cluster_of(3, 2), 2) == 0);
  CHECK(may_fail(cluster_of(5, 0), 5) == 2);
  CHECK(may_fail(cluster_of(5, 0), 4) == 1);
  CHECK(may_fail(cluster_of(5, 0), 1) == 0);
}
