// Two releases in one cluster: the previous one, which does not know versions of the cluster, and this one. Three nodes
// are upgraded one by one under load; one is held back by version-limit; and all are rolled back before the version
// rises. No acknowledged write is lost or doubled, and all nodes that applied the same entries have the same state.
//
// `make test-upgrade` builds the previous release from the repository's history and names it in WORMHOLE_OLD_SERVER.
#include <cstdlib>
#include <map>
#include <sstream>

#include <doctest/doctest.h>

#include "harness.h"
#include "posting_client.h"

namespace wh::testing {
namespace {

const std::string kLatest = "5";  // kLatestVersion

const char* old_server() {
  const char* path = std::getenv("WORMHOLE_OLD_SERVER");
  if (path == nullptr) std::printf("skipped: no release before this one (make test-upgrade builds it)\n");
  return path;
}

struct Trio {
  explicit Trio(const std::string& program) {
    for (Server* server : all) {
      server->program = program;
      server->more = {"--join", a.raft_address() + " " + b.raft_address() + " " + c.raft_address()};
      server->start();
    }
    await_voters(all, 3);
  }
  TempDir dir;
  Server a{dir, "node_1"};
  Server b{dir, "node_2"};
  Server c{dir, "node_3"};
  Servers all{&a, &b, &c};
};

// All have applied the same, and have the same state.
bool same_state(const Servers& servers) {
  const std::string applied = servers[0]->info("applied_index");
  const std::string digest = servers[0]->info("state_digest");
  if (applied.empty() || digest.empty()) return false;
  for (const Server* server : servers)
    if (server->info("applied_index") != applied || server->info("state_digest") != digest) return false;
  return true;
}

void replace_program(Server& server, const std::string& program, std::vector<std::string> limit = {}) {
  CHECK(server.stop() == 0);
  server.program = program;
  std::erase_if(server.more, [](const std::string& word) { return word == "--version-limit" || word == "1"; });
  server.more.insert(server.more.end(), limit.begin(), limit.end());
  server.start_ready();
}

// Takes every event off the queue and holds them against what was acknowledged.
void check_events(const TempDir& dir, const Server& server, const std::vector<std::string>& acknowledged) {
  const size_t length = std::stoul(server.redis("LLEN event"));
  std::string commands;
  for (size_t i = 0; i < length; ++i) commands += "LPOP event\r\n";
  dir.write("drain", commands + "QUIT\r\n");
  std::istringstream lines(sh(dir, "nc -w 60 127.0.0.1 " + std::to_string(server.debug_port) + " < drain").out);
  std::map<std::string, int> times;
  for (std::string line; std::getline(lines, line);) ++times[line.substr(0, line.find('\r'))];
  CHECK(server.redis("LLEN event") == "0");
  for (const std::string& event : acknowledged)
    CHECK_MESSAGE(times[event] == 1, event, " was acknowledged, and is there ", times[event], " times");
}

}  // namespace

TEST_CASE("HAZARDS B17: three nodes are upgraded one by one under load, and the version rises when all are") {
  const char* old = old_server();
  if (old == nullptr) return;
  Trio nodes(old);
  PostingClient client(nodes.dir, nodes.all, "x");
  const auto progress = [&] {
    const size_t before = client.acknowledged();
    CHECK(eventually([&] { return client.acknowledged() > before + 10; }));
  };
  progress();
  for (Server* server : nodes.all) {
    const bool last = server == nodes.all.back();
    replace_program(*server, WORMHOLE_SERVER);
    progress();
    if (last) break;
    // What needs the version is refused for certain, and says whom to upgrade.
    const Answer refused =
        curl(nodes.dir, "-X PUT -H 'Content-Type: application/json' -d '{\"dedup_max_keys\":1000}' " +
                            server->url("/cluster/settings"));
    CHECK(refused.status == 501);
    CHECK(refused.header("wormhole-outcome") == "not-applied");
    CHECK(has(refused.body, "node_3"));
    CHECK(server->info("cluster_version") == "1");
  }
  for (const Server* server : nodes.all) CHECK(eventually([&] { return server->info("cluster_version") == kLatest; }));
  const std::string keyed =
      "-L -H 'Idempotency-Key: once' -o /dev/null -w '%{http_code}' -d event=once " + nodes.a.url("/event");
  CHECK(sh(nodes.dir, "curl -s " + keyed).out == "201");
  CHECK(sh(nodes.dir, "curl -s " + keyed).out == "201");
  progress();
  nodes.dir.write("enough", "");
  std::vector<std::string> acknowledged = client.finish();
  acknowledged.emplace_back("once");
  CHECK(eventually([&] { return same_state(nodes.all); }));
  // The release before refuses data that it cannot read.
  CHECK(nodes.c.stop() == 0);
  nodes.c.program = old;
  nodes.c.start();
  CHECK(nodes.c.wait() == 1);
  CHECK(has(nodes.c.log(), "newer version of this program"));
  nodes.c.program = WORMHOLE_SERVER;
  nodes.c.start_ready();
  CHECK(eventually([&] { return same_state(nodes.all); }));
  check_events(nodes.dir, nodes.a, acknowledged);
}

TEST_CASE("HAZARDS B17: a node that is held back holds the version, and all can go back to the release before") {
  const char* old = old_server();
  if (old == nullptr) return;
  Trio nodes(old);
  PostingClient client(nodes.dir, nodes.all, "y");
  const auto progress = [&] {
    const size_t before = client.acknowledged();
    CHECK(eventually([&] { return client.acknowledged() > before + 10; }));
  };
  progress();
  for (Server* server : nodes.all)
    replace_program(*server, WORMHOLE_SERVER,
                    server == &nodes.b ? std::vector<std::string>{"--version-limit", "1"} : std::vector<std::string>{});
  progress();
  for (const Server* server : nodes.all) CHECK(server->info("cluster_version") == "1");
  const Answer refused = curl(nodes.dir, "-L -H 'Idempotency-Key: k' -d event=never " + nodes.a.url("/event"));
  CHECK(refused.status == 501);
  CHECK(has(refused.body, "node_2"));
  for (Server* server : nodes.all) {
    replace_program(*server, old);
    progress();
  }
  // And on again, to the end.
  for (Server* server : nodes.all) {
    replace_program(*server, WORMHOLE_SERVER);
    progress();
  }
  for (const Server* server : nodes.all) CHECK(eventually([&] { return server->info("cluster_version") == kLatest; }));
  nodes.dir.write("enough", "");
  const std::vector<std::string> acknowledged = client.finish();
  CHECK(eventually([&] { return same_state(nodes.all); }));
  // With what the cluster does above its limit a node does not start.
  CHECK(nodes.b.stop() == 0);
  nodes.b.more.insert(nodes.b.more.end(), {"--version-limit", "1"});
  nodes.b.start();
  CHECK(nodes.b.wait() == 1);
  CHECK(has(nodes.b.log(), "raise version-limit"));
  nodes.b.more.resize(nodes.b.more.size() - 2);
  nodes.b.start_ready();
  check_events(nodes.dir, nodes.a, acknowledged);
}

}  // namespace wh::testing
