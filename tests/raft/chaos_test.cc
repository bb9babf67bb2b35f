// Random sequences of all events that can happen, under the harness' invariants; then the network heals and the cluster
// must agree. A few hundred steps per seed; the deterministic simulator goes further, with the real node.
#include <string>

#include <doctest/doctest.h>

#include "../rounds.h"
#include "base/prng.h"
#include "cluster.h"

using namespace wh;
using namespace wh::raft;
using namespace wh::raft::test;

namespace {

void random_step(Cluster& c, Prng& random, const std::vector<Id>& ids, uint64_t& value) {
  const auto any = [&] { return ids[random.below(ids.size())]; };
  const Id a = any();
  const Id b = any();
  Server& server = c.at(a);
  switch (random.below(24)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
      c.deliver(a, b, 1 + random.below(3));
      break;
    case 5:
    case 6:
      c.run(random.below(60));
      break;
    case 7:
      c.run(random.below(600));
      break;
    case 8:
      c.duplicate(a, b);
      break;
    case 9:
      c.reverse(a, b);
      break;
    case 10:
      c.drop(a, b);
      break;
    case 11:
      if (random.below(3) == 0) c.timeout(a);
      break;
    case 12:
      if (random.below(3) != 0) break;
      if (server.raft) {
        c.crash(a);
      }
      break;
    case 13:
    case 14:
      c.start(a);
      break;
    case 15:
      server.hold_sync = !server.hold_sync;
      if (!server.hold_sync) c.release_sync(a);
      break;
    case 16:
      c.sync_one(a);
      break;
    case 17:
      if (server.raft) c.snapshot(a);
      break;
    case 18:
      if (random.below(2) == 0) {
        c.cut(a, b);
      } else {
        c.heal();
      }
      break;
    case 19:
      if (const Id lead = c.leader(); lead != 0 && random.below(2) == 0) {
        const Configuration now = c.raft(lead).configuration();
        const Configuration next =
            now.contains(NodeId{b})
                ? now.without(NodeId{b})
                : now.with(member_of(b, random.below(2) == 0 ? Suffrage::voter : Suffrage::learner));
        if (next.voters() > 0) c.change(lead, next);
      }
      break;
    case 20:
      if (server.raft) c.read(a);
      break;
    case 21:
      if (server.raft && random.below(4) == 0) c.transfer(a, b);
      if (server.raft && random.below(8) == 0) c.step(a, DiskStalled{random.below(2) == 0});
      break;
    default:
      if (const Id lead = c.leader(); lead != 0) {
        for (uint64_t i = random.below(4); i <= 3 && c.at(lead).raft; ++i)
          c.propose(lead, "v" + std::to_string(++value) + std::string(random.below(40), '.'));
      }
  }
}

std::string chaos(uint64_t seed, size_t members, size_t steps) {
  Prng random(seed);
  Options options = test_options();
  options.trailing_entries = random.below(2) == 0 ? 0 : random.below(10);
  options.log_cache_bytes = random.below(2) == 0 ? 300 : 1 << 20;
  options.max_append_bytes = random.below(2) == 0 ? 200 : 1 << 20;
  options.max_in_flight_messages = 1 + random.below(4);
  options.max_apply_bytes = random.below(2) == 0 ? 150 : 1 << 20;
  Cluster c(options);
  c.recovered_tail = random.below(2) == 0 ? 2 : SIZE_MAX;
  std::vector<Id> ids;
  for (Id id = 1; id <= members; ++id) ids.push_back(id);
  c.nodes(ids);
  c.outsider(members + 1);
  ids.push_back(members + 1);
  uint64_t value = 0;
  for (size_t i = 0; i < steps; ++i) random_step(c, random, ids, value);
  for (const Id id : ids) {
    c.at(id).hold_sync = false;
    c.start(id);
    c.step(id, DiskStalled{false});
    c.release_sync(id);
  }
  c.heal();
  for (const Id from : ids)
    for (const Id to : ids)
      if (from != to) c.step(from, PeerConnected{NodeId{to}});
  std::string result = c.converge(30'000);
  for (const std::string& violation : c.take_violations()) result += "; " + violation;
  return result;
}

}  // namespace

TEST_CASE("random schedules break no invariant and end in agreement") {
  for (uint64_t seed = 1, last = wh::testing::rounds(60); seed <= last; ++seed) {
    const std::string wrong = chaos(seed, 1 + seed % 5, 400);
    CHECK_MESSAGE(wrong == "", "seed " << seed);
  }
}
