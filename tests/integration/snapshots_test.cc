// A member far behind on a slow link: it is sent a snapshot while writes go on. The link breaks and the member is
// killed in between; it still catches up, without an election and with little data sent twice.
#include <cstdlib>
#include <map>
#include <string>
#include <thread>

#include <doctest/doctest.h>

#include "netns.h"

namespace wh::testing {
namespace {

constexpr unsigned kSlowKbit = 1'000;
constexpr int kValues = 36;
constexpr size_t kValueBytes = 16'000;

uint64_t info_number(const Server& server, const std::string& field) {
  return std::strtoull(server.info(field).c_str(), nullptr, 10);
}

// `offset` or `size` of the transfer that the leader shows; 0 when it shows none.
uint64_t sending(const Server& leader, const std::string& what) {
  const std::string text = leader.info("snapshot_sending0");
  const size_t at = text.find("," + what + "=");
  return at == std::string::npos ? 0 : std::strtoull(text.c_str() + at + what.size() + 2, nullptr, 10);
}

uint64_t elections(const Servers& servers) {
  uint64_t sum = 0;
  for (const Server* server : servers) sum += info_number(*server, "elections_started");
  return sum;
}

}  // namespace

TEST_CASE("HAZARDS F7, F11: a snapshot over 1 Mbit/s, with breaks, while writes go on") {
  if (no_namespaces()) return;
  const TempDir dir;
  Network network(dir);
  Server a(dir, "node_1", "10.78.0.1");
  Server b(dir, "node_2", "10.78.0.2");
  Server c(dir, "node_3", "10.78.0.3");
  const Servers all{&a, &b, &c};
  std::map<const Server*, const Host*> hosts;
  for (Server* server : all) {
    Host& host = network.host(server->name, {server->host + "/24"});
    hosts[server] = &host;
    server->netns = host.netns();
    server->more = {"--protected-mode", "no", "--raft-snapshot-entries", "300", "--request-timeout", "30000", "--join"};
    for (const Server* other : all) server->more.push_back(other->raft_address());
  }
  for (Server* server : all) server->start();
  await_voters(all, 3);
  Server& leader = await_leader(all);
  Server& slow = *others(all, leader)[0];
  Server& fast = *others(all, leader)[1];
  const Host& slow_host = *hosts[&slow];
  const Host& fast_host = *hosts[&fast];
  const std::string client = "redis-cli -h " + leader.host + " -p " + std::to_string(leader.debug_port) + " ";

  // The follower is away while its next entries are compacted.
  slow.kill();
  const auto sets = [](int count) {
    std::string lines;
    for (int i = 0; i < count; ++i)
      lines +=
          "SET value-" + std::to_string(i) + " " + std::string(kValueBytes, static_cast<char>('a' + i % 26)) + "\n";
    return lines;
  };
  fast_host.run(client + "<" + dir.write("values", sets(kValues)) + " && " + client + "-r 900 SET filler x");
  REQUIRE(eventually([&] { return info_number(leader, "first_log_index") > 100; }));
  const std::string term = leader.info("term");
  const uint64_t elections_before = elections({&leader, &fast});
  const uint64_t bytes = kValues * kValueBytes;

  // It comes back on a slow link, and the writes go on: every few seconds there is a newer snapshot.
  slow_host.limit_kbit(kSlowKbit);
  const std::string stop = dir.path("stop");
  std::thread writer([&] {
    (void)fast_host.sh(client + "-r 1000000 -i 0.01 SET busy x >busy & pid=$!; while [ ! -e " + stop +
                           " ]; do sleep 0.1; done; kill $pid",
                       4 * kPatienceMs);
  });
  const auto end_writer = [&] {
    if (!writer.joinable()) return;
    (void)dir.write("stop", "");
    writer.join();
  };
  const auto got = [&](uint64_t tenths) { return sending(leader, "offset") >= bytes * tenths / 10; };
  slow.start();
  bool gone_on = eventually([&] { return got(2); });
  // The process dies in the middle of it, and comes back.
  slow.kill();
  slow.start();
  gone_on = gone_on && eventually([&] { return info_number(leader, "snapshots_sent_resumed") >= 1 && got(4); });
  // The cable is out until the leader has given the connection up.
  slow_host.unplug();
  const std::string connection =
      "ss -Htn state established dst " + slow.host + " dport = :" + std::to_string(slow.raft_port);
  gone_on = gone_on && eventually([&] { return hosts[&leader]->sh(connection).out.empty(); });
  slow_host.plug_in();
  gone_on = gone_on && eventually([&] { return info_number(leader, "snapshots_sent_resumed") >= 2; });
  const bool there = eventually(
      [&] {
        const uint64_t applied = info_number(slow, "applied_index");
        return applied != 0 && applied + 100 >= info_number(leader, "commit_index");
      },
      2 * kPatienceMs);
  end_writer();
  CHECK(gone_on);
  CHECK(there);
  CHECK(leader.info("term") == term);
  CHECK(leader.info("role") == "leader");
  CHECK(elections(all) == elections_before);
  CHECK(info_number(leader, "snapshots_sent") == 1);
  CHECK(info_number(leader, "snapshots_sent_restarted") == 0);
  const uint64_t sent = info_number(leader, "snapshot_bytes_sent");
  CHECK(sent >= bytes);
  CHECK(sent < bytes * 13 / 10);
  MESSAGE("a snapshot of " << bytes << " bytes over " << kSlowKbit << " kbit/s, broken twice: " << sent
                           << " bytes sent; " << leader.info("snapshots_taken") << " snapshots taken meanwhile");

  // The other follower is gone, so that the leader needs the slow one's answers: large entries do not crowd them out.
  fast.kill();
  const Output wrote = hosts[&leader]->sh(client + "<" + dir.write("more", sets(kValues / 2)));
  CHECK(wrote.status == 0);
  CHECK(count_of(wrote.out, "OK") == kValues / 2);
  CHECK(leader.info("term") == term);
  CHECK(leader.info("role") == "leader");
}

}  // namespace wh::testing
