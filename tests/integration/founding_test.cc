// Real binaries with configs as people write them: each of three nodes has its own /etc/hosts in a mount namespace and,
// where addresses matter, its own network namespace. Each config gives one cluster of all three, or none and a reason;
// never two clusters. For each combination the test prints how long the cluster took to form, or why it did not.
#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "../soak.h"
#include "harness.h"
#include "netns.h"

namespace wh::testing {
namespace {

using Clock = std::chrono::steady_clock;
using Words = std::vector<std::string>;

constexpr size_t kNodes = 3;
// For so long nothing may be founded where nothing should be.
int watch_ms() { return soak() ? 30'000 : 2'500; }

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

// One of the table that the output is.
void row(std::string combination, std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  combination.resize(std::max<size_t>(combination.size() + 1, 54), ' ');
  std::cout << "figures: " << combination << text << std::endl;
}

// Three nodes at three addresses of one machine, with one raft-port, as on three machines. In `text` of a combination
// {1} {2} {3} are their addresses, {own} that of the node itself.
class Trio {
 public:
  // `hosts`: lines of /etc/hosts, localhost aside. `join` and `hosts`: for all nodes, or one for each.
  struct Config {
    std::string name;
    std::vector<Words> join;
    std::vector<Words> hosts;
    Words options;
    std::string waits_for;  // not empty: no cluster forms, and this is said
  };

  // At `addresses`; in network namespace `netns`, when that is not empty.
  Trio(const TempDir& dir, Config config, std::array<std::string, kNodes> addresses, const std::string& netns = {})
      : dir_(dir), config_(std::move(config)), addresses_(std::move(addresses)) {
    static int count = 0;
    const std::string prefix = "t" + std::to_string(++count) + "n";
    const uint16_t port = free_port();
    const uint16_t raft_port = free_port();
    for (size_t i = 0; i < kNodes; ++i) {
      nodes_.push_back(std::make_unique<Server>(dir, prefix + std::to_string(i + 1), addresses_[i]));
      Server& node = *nodes_.back();
      node.netns = netns;
      node.port = port;
      node.raft_port = raft_port;
      node.debug_port = 0;
      node.more = {"--protected-mode", "no"};
      const Words& join = config_.join[config_.join.size() == 1 ? 0 : i];
      if (!join.empty()) node.more.emplace_back("--join");
      for (const std::string& entry : join) node.more.push_back(filled(entry, i) + ":" + std::to_string(raft_port));
      node.more.insert(node.more.end(), config_.options.begin(), config_.options.end());
      with_hosts(node, i);
      all_.push_back(&node);
    }
  }

  [[nodiscard]] Server& operator[](size_t i) { return *nodes_[i]; }
  [[nodiscard]] const Servers& all() const { return all_; }
  [[nodiscard]] const Config& config() const { return config_; }

  void start(const std::vector<size_t>& order = {0, 1, 2}) {
    begun_ = Clock::now();
    for (const size_t i : order) nodes_[i]->start();
  }
  void wipe(size_t i) {
    std::filesystem::remove_all(nodes_[i]->data_dir);
    std::filesystem::create_directories(nodes_[i]->data_dir);
  }

  // The ids of the clusters that running nodes say they are in.
  std::set<std::string> clusters() {
    std::set<std::string> ids;
    for (Server* node : all_) {
      const std::string id = node->running() ? node->cluster_field("cluster_id") : "";
      if (!id.empty() && id != "null") ids.insert(id);
    }
    return ids;
  }
  // All are ready in one cluster, all its voters.
  bool formed() {
    if (clusters().size() != 1) return false;
    return std::all_of(all_.begin(), all_.end(), [](const Server* node) {
      return node->ready() && count_of(node->cluster(), "\"voter\"") == kNodes;
    });
  }
  // Looks once; sets when it formed.
  bool look() {
    if (formed_ms_ < 0 && formed())
      formed_ms_ = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begun_).count();
    return formed_ms_ >= 0;
  }
  // By the logs, which forget nothing.
  [[nodiscard]] size_t founded() const {
    size_t count = 0;
    for (const Server* node : all_) count += count_of(node->log(), "founded cluster");
    return count;
  }
  [[nodiscard]] static std::string why_not_ready(const Server& node) { return node.get("/readyz").body; }

  void check_formed() {
    CAPTURE(config_.name);
    CHECK(formed_ms_ >= 0);
    CHECK(clusters().size() == 1);
    CHECK(founded() == 1);
    figures(formed_ms_ >= 0 ? "formed after " + std::to_string(formed_ms_) + " ms"
                            : "NOT formed: " + why_not_ready(*nodes_[0]));
  }
  void check_waits(const std::string& what) {
    CAPTURE(config_.name);
    CHECK(founded() == 0);
    CHECK(clusters().empty());
    for (Server* node : all_) {
      if (!node->running()) continue;
      const Answer ready = node->get("/readyz");
      CHECK(ready.status == 503);
      CHECK_MESSAGE(has(ready.body, what), node->name, ": ", ready.body);
      CHECK_MESSAGE(has(node->log(), what), node->name);
    }
    for (const Server* node : all_)
      if (const std::string why = why_not_ready(*node); !why.empty()) return figures("not formed: " + why);
  }
  void figures(const std::string& text) const { row(config_.name, text); }

 private:
  [[nodiscard]] std::string filled(std::string text, size_t own) const {
    for (size_t i = 0; i < kNodes; ++i) text = replaced(text, "{" + std::to_string(i + 1) + "}", addresses_[i]);
    return replaced(text, "{own}", addresses_[own]);
  }
  // The server in a mount namespace whose /etc/hosts is its own.
  void with_hosts(Server& node, size_t i) const {
    std::string text = "127.0.0.1 localhost\n::1 localhost\n";
    if (!config_.hosts.empty())
      for (const std::string& line : config_.hosts[config_.hosts.size() == 1 ? 0 : i]) text += filled(line, i) + "\n";
    const std::string hosts = dir_.write(node.name + ".hosts", text);
    const std::string script = dir_.write(
        node.name + ".sh", "#!/bin/sh\nexec unshare -m sh -c 'mount --bind \"$0\" /etc/hosts && exec \"$@\"' " + hosts +
                               " " + node.program + " \"$@\"\n");
    std::filesystem::permissions(script, std::filesystem::perms::owner_all);
    node.program = script;
  }

  const TempDir& dir_;
  Config config_;
  std::array<std::string, kNodes> addresses_;
  std::vector<std::unique_ptr<Server>> nodes_;
  Servers all_;
  Clock::time_point begun_;
  int64_t formed_ms_ = -1;
};

const Words kNames{"{1} n1 n1.test", "{2} n2 n2.test", "{3} n3 n3.test"};
// Debian's installer gives a machine's own name to 127.0.1.1.
const std::vector<Words> kOwnNameIsLoopback{
    {"127.0.1.1 n1", "{2} n2", "{3} n3"}, {"{1} n1", "127.0.1.1 n2", "{3} n3"}, {"{1} n1", "{2} n2", "127.0.1.1 n3"}};
const std::vector<Words> kOneNameOwnFirst{
    {"{1} wh", "{2} wh", "{3} wh"}, {"{2} wh", "{1} wh", "{3} wh"}, {"{3} wh", "{1} wh", "{2} wh"}};
const std::vector<Words> kOneNameOwnLast{
    {"{2} wh", "{3} wh", "{1} wh"}, {"{1} wh", "{3} wh", "{2} wh"}, {"{1} wh", "{2} wh", "{3} wh"}};

std::vector<Trio::Config> combinations() {
  return {
      {"all, by address", {{"{1}", "{2}", "{3}"}}, {}, {}, {}},
      {"only the others, by address", {{"{2}", "{3}"}, {"{1}", "{3}"}, {"{1}", "{2}"}}, {}, {}, {}},
      {"all, by name", {{"n1", "n2", "n3"}}, {kNames}, {}, {}},
      {"only the others, by name", {{"n2", "n3"}, {"n1", "n3"}, {"n1", "n2"}}, {kNames}, {}, {}},
      {"names and addresses mixed",
       {{"n1", "{2}", "{3}"}, {"{1}", "n2", "{3}"}, {"{1}", "{2}", "n3"}},
       {kNames},
       {},
       {}},
      {"case and trailing dots",
       {{"N1.test.", "n2.TEST", "n3"}, {"n1", "N2", "n3.test."}, {"n1.Test", "n2", "N3"}},
       {kNames},
       {},
       {}},
      {"every node twice, by name and by address", {{"n1", "{1}", "n2", "{2}", "n3", "{3}"}}, {kNames}, {}, {}},
      {"one node twice, and not on every node",
       {{"n1", "n1.test", "n2", "n3"}, {"n1", "n2", "n3"}, {"{3}", "n1", "n2", "n3"}},
       {kNames},
       {},
       {}},
      {"the own name is 127.0.1.1", {{"n1", "n2", "n3"}}, kOwnNameIsLoopback, {}, {}},
      {"the own name is 127.0.1.1, only the others",
       {{"n2", "n3"}, {"n1", "n3"}, {"n1", "n2"}},
       kOwnNameIsLoopback,
       {},
       {}},
      {"one name of three addresses, own first, expect 3", {{"wh"}}, kOneNameOwnFirst, {"--bootstrap-expect", "3"}, {}},
      {"one name of three addresses, own last, expect 3", {{"wh"}}, kOneNameOwnLast, {"--bootstrap-expect", "3"}, {}},
      {"all, by address, expect 3", {{"{1}", "{2}", "{3}"}}, {}, {"--bootstrap-expect", "3"}, {}},
      {"one name of three addresses, own first", {{"wh"}}, kOneNameOwnFirst, {}, "bootstrap-expect"},
      {"one name of three addresses, own last", {{"wh"}}, kOneNameOwnLast, {}, "bootstrap-expect"},
  };
}

// Starts them side by side, some at a time, and watches all until each has formed, or for as long as it must not.
void run_all(std::vector<std::unique_ptr<Trio>>& trios, const std::vector<size_t>& order = {0, 1, 2}) {
  for (const auto& trio : trios) trio->start(order);
  const Clock::time_point watched = Clock::now() + std::chrono::milliseconds(watch_ms());
  (void)eventually([&] {
    bool all = true;
    for (const auto& trio : trios) {
      CHECK_MESSAGE(trio->founded() <= 1, trio->config().name);
      all &= trio->config().waits_for.empty() ? trio->look() : Clock::now() >= watched;
    }
    return all;
  });
  for (const auto& trio : trios) {
    if (trio->config().waits_for.empty()) {
      trio->check_formed();
    } else {
      trio->check_waits(trio->config().waits_for);
    }
  }
  for (const auto& trio : trios)
    for (Server* node : trio->all()) CHECK(node->stop() == 0);
}

// 127.N.0.1 to 3: addresses of a combination's own.
std::array<std::string, kNodes> loopback() {
  static int count = 0;
  const std::string net = "127." + std::to_string(40 + ++count % 200) + ".0.";
  return {net + "1", net + "2", net + "3"};
}

}  // namespace

TEST_CASE("every way to list three nodes makes one cluster of them, or says why not; never two") {
  if (no_namespaces()) return;
  std::vector<std::vector<size_t>> orders{{0, 1, 2}};
  if (soak()) orders = {{0, 1, 2}, {2, 1, 0}, {1, 2, 0}, {2, 0, 1}};
  for (const std::vector<size_t>& order : orders) {
    std::vector<Trio::Config> configs = combinations();
    while (!configs.empty()) {
      const TempDir dir;
      std::vector<std::unique_ptr<Trio>> trios;
      for (; !configs.empty() && trios.size() < 4; configs.erase(configs.begin()))
        trios.push_back(std::make_unique<Trio>(dir, configs.front(), loopback()));
      run_all(trios, order);
    }
  }
}

TEST_CASE("IPv6, however it is written") {
  if (no_namespaces()) return;
  const TempDir dir;
  Network network(dir);
  Host& host = network.host("v6", {"fd77::1/64", "fd77::2/64", "fd77::3/64"});
  std::vector<std::unique_ptr<Trio>> trios;
  trios.push_back(std::make_unique<Trio>(dir,
                                         Trio::Config{"IPv6 addresses, in three ways of writing",
                                                      {{"[fd77::1]", "[FD77:0:0::2]", "[fd77:0000::0003]"},
                                                       {"[fd77:0:0:0:0:0:0:1]", "[fd77::2]", "[fd77::3]"},
                                                       {"[fd77::0:1]", "[fd77::0.0.0.2]", "[Fd77::3]"}},
                                                      {},
                                                      {},
                                                      {}},
                                         std::array<std::string, kNodes>{"fd77::1", "fd77::2", "fd77::3"},
                                         host.netns()));
  trios.push_back(std::make_unique<Trio>(
      dir,
      Trio::Config{
          "IPv6, one name of three addresses, expect 3", {{"wh"}}, kOneNameOwnFirst, {"--bootstrap-expect", "3"}, {}},
      std::array<std::string, kNodes>{"fd77::1", "fd77::2", "fd77::3"}, host.netns()));
  run_all(trios);
}

TEST_CASE("each node calls itself localhost, and the others by address") {
  const TempDir dir;
  Server a(dir, "node_1");
  Server b(dir, "node_2");
  Server c(dir, "node_3");
  const Servers all{&a, &b, &c};
  for (Server* server : all) {
    server->more = {"--join"};
    for (const Server* member : all)
      server->more.push_back((member == server ? "localhost" : "127.0.0.1") +
                             (":" + std::to_string(member->raft_port)));
    server->start();
  }
  await_voters(all, 3);
  CHECK(a.cluster_field("cluster_id") == b.cluster_field("cluster_id"));
  CHECK(a.cluster_field("cluster_id") == c.cluster_field("cluster_id"));
}

TEST_CASE("a mapping that a node cannot use itself: each behind a router of its own, known by the router's address") {
  if (no_namespaces()) return;
  const TempDir dir;
  Network network(dir);
  std::vector<std::unique_ptr<Server>> nodes;
  Words join{"--join"};
  for (size_t i = 1; i <= kNodes; ++i) join.push_back("10.77.0." + std::to_string(i) + ":1112");
  for (size_t i = 1; i <= kNodes; ++i) {
    const std::string n = std::to_string(i);
    Host& router = network.host("router" + n, {"10.77.0." + n + "/24"});
    Host& inside = network.behind(router, "192.168." + n + ".1/24", "inside" + n, "192.168." + n + ".2/24");
    nodes.push_back(std::make_unique<Server>(dir, "node" + n, "192.168." + n + ".2"));
    Server& node = *nodes.back();
    node.netns = inside.netns();
    node.raft_port = 1112;
    router.map_port(1112, "192.168." + n + ".2", 1112);
    node.more = {"--protected-mode", "no", "--announce-address", "10.77.0." + n};
    node.more.insert(node.more.end(), join.begin(), join.end());
    CHECK(inside.curl("--connect-timeout 0.3 http://10.77.0." + n + ":1112/").exit != 0);
  }
  const auto begun = Clock::now();
  Servers all;
  for (const auto& node : nodes) {
    node->start();
    all.push_back(node.get());
  }
  await_voters(all, kNodes);
  await_leader(all);
  std::set<std::string> ids;
  for (const Server* node : all) ids.insert(node->cluster_field("cluster_id"));
  CHECK(ids.size() == 1);
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begun).count();
  row("behind mappings that a node cannot use itself", "formed after " + std::to_string(took) + " ms");
}

TEST_CASE("one starts alone, long before the others; one is killed while it waits: one cluster when all are there") {
  if (no_namespaces()) return;
  const TempDir dir;
  Trio trio(dir, {"one alone first, one killed in the middle", {{"n1", "n2", "n3"}}, {kNames}, {}, {}}, loopback());
  trio.start({1});
  (void)eventually([&] { return trio.founded() != 0; }, soak() ? 60'000 : watch_ms());
  CHECK(trio.founded() == 0);
  const std::string alone = Trio::why_not_ready(trio[1]);
  for (const char* part : {"n1:", "n3:", "refused"}) CHECK_MESSAGE(has(alone, part), alone);
  CHECK_MESSAGE(has(trio[1].log(), "refused"), alone);
  trio[0].start();
  (void)eventually([&] { return trio.founded() != 0; }, watch_ms());
  CHECK(trio.founded() == 0);
  const std::string two = Trio::why_not_ready(trio[1]);
  CHECK_MESSAGE(has(two, "n3:"), two);
  trio.figures("alone: " + alone);
  trio.figures("two of three: " + two);
  CHECK(trio[1].kill() == 137);
  trio[2].start();
  trio[1].start();
  CHECK(eventually([&] { return trio.look(); }));
  trio.check_formed();
}

TEST_CASE("two of three lose their disks: with the survivor or without it, they never found a second cluster") {
  if (no_namespaces()) return;
  const TempDir dir;
  Trio trio(dir, {"two of three wiped", {{"{1}", "{2}", "{3}"}}, {}, {}, {}}, loopback());
  trio.start();
  REQUIRE(eventually([&] { return trio.look(); }));
  const std::string cluster = trio[0].cluster_field("cluster_id");
  CHECK(trio[0].get("/set?key=kept&value=acknowledged").status == 200);
  REQUIRE(eventually([&] { return trio[2].get("/get?key=kept&consistency=stale").status == 200; }));
  for (const size_t i : {0U, 1U}) {
    CHECK(trio[i].kill() == 137);
    trio.wipe(i);
  }
  const auto nothing_new = [&] {
    for (size_t i = 0; i < kNodes; ++i) {
      if (!trio[i].running()) continue;
      const std::string id = trio[i].cluster_field("cluster_id");
      CHECK_MESSAGE((id.empty() || id == "null" || id == cluster), id);
      CHECK(trio[i].get("/set?key=new&value=1").status != 200);
    }
    return trio.founded() != 1;
  };
  // They meet it, then it is away, then it is back. A majority of three lost what they had promised, so nothing else is
  // safe.
  trio[0].start();
  trio[1].start();
  CHECK_FALSE(eventually(nothing_new, watch_ms()));
  CHECK(trio[2].stop() == 0);
  CHECK_FALSE(eventually(nothing_new, watch_ms()));
  for (const size_t i : {0U, 1U}) {
    const std::string why = Trio::why_not_ready(trio[i]);
    CHECK_MESSAGE(has(why, cluster), why);
    trio.figures("node " + std::to_string(i + 1) + ", the survivor away: " + why);
  }
  // A restart is no reason either.
  CHECK(trio[0].kill() == 137);
  trio[0].start();
  CHECK_FALSE(eventually(nothing_new, watch_ms()));
  trio[2].start();
  CHECK_FALSE(eventually(nothing_new, watch_ms()));
  trio.figures("the survivor is back: " + Trio::why_not_ready(trio[2]));
  // An operator says so: the survivor goes on alone, with all that it has, and the others join it.
  CHECK(trio[2].stop() == 0);
  const Output recovered = sh(
      dir, std::string(WORMHOLE_SERVER) + " --recover --yes --node-id " + trio[2].name + " --dir " + trio[2].data_dir);
  CHECK_MESSAGE(recovered.status == 0, recovered.err);
  trio[2].start();
  CHECK(eventually([&] { return trio.formed(); }));
  CHECK(trio.clusters().count(cluster) == 0);
  CHECK(trio[0].get("/get?key=kept").body == "acknowledged");
  CHECK(trio.founded() == 1);
}

// They do not dial the survivor, but it dials them: it was a member with both, and says by the secret that it is one.
TEST_CASE("two of three lose their disks and list only each other: whom the survivor has called founds nothing") {
  ThreeNodes nodes({"--cluster-secret", "open sesame"});
  const std::string cluster = nodes.c.cluster_field("cluster_id");
  CHECK(nodes.c.get("/set?key=kept&value=acknowledged").status != 404);
  for (Server* node : {&nodes.a, &nodes.b}) {
    CHECK(node->kill() == 137);
    std::filesystem::remove_all(node->data_dir);
    node->more = {"--join", nodes.a.raft_address(), nodes.b.raft_address(), "--cluster-secret", "open sesame"};
  }
  const auto knows = [&](const Server& node) {
    return has(Trio::why_not_ready(node), ("has met cluster " + cluster).c_str());
  };
  nodes.a.start();
  CHECK(eventually([&] { return knows(nodes.a); }));
  CHECK(nodes.c.stop() == 0);
  // Each is there for the other, and the cluster is away.
  nodes.b.start();
  CHECK(eventually([&] { return has(Trio::why_not_ready(nodes.b), "has met cluster"); }));
  CHECK_FALSE(eventually(
      [&] { return count_of(nodes.a.log() + nodes.b.log() + nodes.c.log(), "founded cluster") != 1; }, watch_ms()));
  // A restart is no reason to forget it.
  CHECK(nodes.a.kill() == 137);
  nodes.a.start();
  CHECK(eventually([&] { return knows(nodes.a); }));
  CHECK(nodes.a.cluster_field("cluster_id") == "null");
}

}  // namespace wh::testing
