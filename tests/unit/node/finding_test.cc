// A member without a leader, in a cluster whose addresses may all have changed: it asks behind the names of join.
#include <map>

#include "member.h"

namespace wh::node {

TEST_CASE("without a leader a member looks for the others behind the names of join, at all of their addresses") {
  NodeOptions options = bench_options();
  options.join = {"db:1", "gone:1"};
  Member bench(options);
  bench.transport.names = {{"db:1", {"10.0.0.1:1", "[2001:db8::1]:1"}}, {"gone:1", {}}};
  bench.transport.asked.clear();
  bench.wait(1'100);
  const auto asked_at = [&] {
    std::vector<std::string> addresses;
    for (const auto& question : bench.transport.asked)
      if (std::holds_alternative<WhoAreYou>(question.question)) addresses.push_back(question.address);
    return addresses;
  };
  REQUIRE(asked_at() == std::vector<std::string>{"10.0.0.1:1", "[2001:db8::1]:1"});
  // Not again while these are under way.
  bench.wait(1'100);
  CHECK(asked_at().size() == 2);
  // A member of this cluster that is elsewhere now is dialled there; nobody else is.
  const auto answer = [&](size_t which, raft::NodeId id, const ClusterId& cluster, const std::string& address) {
    WhoIAm who = empty_node(id, address);
    who.identity.cluster = cluster;
    bench.node.answered(bench.transport.asked[which].request, Answer(who), bench.now);
    bench.persist();
  };
  const auto dialled = [&](raft::NodeId id) {
    for (const Peer& peer : bench.transport.peers)
      if (peer.id == id) return peer.raft_address;
    return std::string();
  };
  REQUIRE(dialled(kOther) == "a:1");
  answer(0, kOther, kAnotherCluster, "10.0.0.1:1");
  CHECK(dialled(kOther) == "a:1");
  answer(1, raft::NodeId{44}, kCluster, "[2001:db8::1]:1");
  CHECK(dialled(raft::NodeId{44}).empty());
  bench.transport.asked.clear();
  bench.wait(1'100);
  REQUIRE(asked_at().size() == 2);
  answer(0, kOther, kCluster, "10.0.0.1:1");
  CHECK(dialled(kOther) == "10.0.0.1:1");
  CHECK(dialled(kThird) == "a:3");
  bench.node.answered(bench.transport.asked[1].request, Error{"nobody there"}, bench.now);
  // With a leader nobody is looked for; nor is what a lookup finds after one was found.
  bench.transport.names.erase("db:1");
  bench.transport.asked.clear();
  bench.now += 1'100;
  bench.node.tick(bench.now);
  bench.node.drain(bench.now);
  const auto lookups = std::exchange(bench.transport.lookups, {});
  REQUIRE(lookups.size() == 2);
  bench.heartbeat(raft::next(bench.node.raft()->current_term()));
  bench.node.resolved(lookups[0].first, std::vector<std::string>{"10.0.0.9:1"}, bench.now);
  bench.node.resolved(lookups[1].first, Error{"no such name"}, bench.now);
  bench.persist();
  CHECK(asked_at().empty());
  bench.wait(100);
  CHECK(bench.transport.lookups.empty());
}

TEST_CASE("a name of join that leads to more addresses than there may be questions has the first of them asked") {
  NodeOptions options = bench_options();
  std::map<std::string, std::vector<std::string>> names;
  for (int name = 0; name < 20; ++name) {
    const std::string entry = "db" + std::to_string(name) + ":1";
    options.join.push_back(entry);
    for (int i = 0; i < 16; ++i)
      names[entry].push_back("10.0." + std::to_string(name) + "." + std::to_string(i) + ":1");
  }
  Member bench(options);
  bench.transport.names = names;
  bench.transport.asked.clear();
  bench.wait(1'100);
  CHECK(bench.transport.asked.size() == Seeking::kMaxAddresses);
}

}  // namespace wh::node
