// Addresses that change, names that resolve to new addresses, port mappings and wildcard binds, between separate hosts.
#include <algorithm>

#include <doctest/doctest.h>

#include "harness.h"
#include "netns.h"

namespace wh::testing {
namespace {

// Three nodes, each on a host of its own.
struct Site {
  TempDir dir;
  Network network{dir};
  std::vector<Host*> hosts;
  Server a{dir, "node1"};
  Server b{dir, "node2"};
  Server c{dir, "node3"};
  Servers all{&a, &b, &c};

  // `where`: an address with its prefix for each.
  explicit Site(const std::vector<std::string>& where) {
    for (size_t i = 0; i < 3; ++i) {
      hosts.push_back(&network.host("h" + std::to_string(i + 1), {where[i]}));
      all[i]->netns = hosts[i]->netns();
      all[i]->host = hosts[i]->address();
    }
  }
  // Starts all with the same options, each naming all in `join`, and waits for three voters and a leader.
  void start(const std::vector<std::string>& join, const std::vector<std::string>& options = {}) {
    for (Server* server : all) {
      server->more = {"--protected-mode", "no", "--join"};
      server->more.insert(server->more.end(), join.begin(), join.end());
      server->more.insert(server->more.end(), options.begin(), options.end());
      server->start();
    }
    await_voters(all, 3);
    await_leader(all);
  }
  [[nodiscard]] std::vector<std::string> raft_addresses() const {
    std::vector<std::string> addresses;
    for (const Server* server : all) addresses.push_back(server->raft_address());
    return addresses;
  }
  void stop_all() {
    for (Server* server : all) CHECK(server->stop() == 0);
  }
};

// Every node shows `text` so often, and `never` not at all.
bool all_show(const Servers& servers, const std::string& text, const std::string& never) {
  return std::all_of(servers.begin(), servers.end(), [&](const Server* server) {
    const std::string state = server->cluster();
    return state.find(text) != std::string::npos && state.find(never) == std::string::npos;
  });
}

// Hands leadership to `to`, asking `through`, until all agree on it. On a slow machine one request may come to nothing.
void transfer(const Servers& servers, const Server& through, const Server& to) {
  const TempDir dir;
  Answer answer;
  const auto handed_over = [&] {
    answer =
        curl(dir, "--json '{\"id\":\"" + to.name + "\"}' '" + through.url("/cluster/transfer") + "'", through.netns);
    return answer.status == 200 && await_leader(servers).name == to.name;
  };
  CHECK_MESSAGE(eventually(handed_over), answer.body);
}

// Where a follower sends `POST /event`, asked from `from`.
std::string location(const Host& from, const std::string& url) {
  const Answer answer = from.curl("-d event=x '" + url + "/event'");
  CHECK(answer.status == 307);
  return answer.header("location");
}

}  // namespace

TEST_CASE("The hosts of these tests are hosts: addresses, names, mappings, cuts and limits are real") {
  if (no_namespaces()) return;
  const TempDir dir;
  Network network(dir);
  Host& a = network.host("a", {"10.77.0.1/24", "fd77::1/64"});
  Host& b = network.host("b", {"10.77.0.2/24"});
  Host& router = network.host("router", {"10.77.0.9/24"});
  Host& inner = network.behind(router, "192.168.77.1/24", "inner", "192.168.77.2/24");
  b.set_names({{"one", "10.77.0.1"}});

  Server server(dir, "node1", "10.77.0.1");
  server.netns = a.netns();
  server.bind = "*";
  server.more = {"--protected-mode", "no"};
  server.start_ready();
  const std::string port = ":" + std::to_string(server.port) + "/healthz";
  const std::string options = "--connect-timeout 0.3 ";
  CHECK(b.curl(options + "http://10.77.0.1" + port).status == 200);
  CHECK(b.curl(options + "http://127.0.0.1" + port).status == 0);
  CHECK(inner.curl(options + "http://10.77.0.1" + port).status == 200);
  CHECK(b.sh("getent hosts one").out.starts_with("10.77.0.1"));
  b.set_names({{"one", "10.77.0.3"}});
  CHECK(b.sh("getent hosts one").out.starts_with("10.77.0.3"));

  b.drop_from(a);
  CHECK(b.curl(options + "http://10.77.0.1" + port).status == 0);
  CHECK(router.curl(options + "http://10.77.0.1" + port).status == 200);
  b.mend();
  CHECK(b.curl(options + "http://10.77.0.1" + port).status == 200);
  a.unplug();
  CHECK(b.curl(options + "http://10.77.0.1" + port).status == 0);
  a.plug_in();
  CHECK(eventually([&] { return b.curl(options + "http://10.77.0.1" + port).status == 200; }));
  a.set_addresses({"10.77.0.3/24"});
  CHECK(b.curl(options + "http://10.77.0.3" + port).status == 200);

  Server hidden(dir, "node2", "192.168.77.2");
  hidden.netns = inner.netns();
  hidden.more = {"--protected-mode", "no"};
  hidden.start_ready();
  router.map_port(9000, "192.168.77.2", hidden.port);
  CHECK(b.curl(options + "http://10.77.0.9:9000/healthz").status == 200);

  // 64 kbit/s are 8 KB/s, and 32 KiB pass at once.
  const std::string body = dir.write("body", R"({"k":")" + std::string(100'000, 'x') + R"("})");
  CHECK(b.curl("-d @" + body + " http://10.77.0.3:" + std::to_string(server.port) + "/key/").status == 200);
  b.limit_kbit(64);
  CHECK(b.curl("--max-time 1 http://10.77.0.3:" + std::to_string(server.port) + "/get?key=k").exit == 28);
  b.limit_kbit(0);
}

TEST_CASE("a node that comes back on another address is found again, and redirects name it") {
  if (no_namespaces()) return;
  Site site({"10.77.0.1/24", "10.77.0.2/24", "10.77.0.3/24"});
  site.start(site.raft_addresses());
  transfer(site.all, site.b, site.a);
  CHECK(site.c.stop() == 0);
  site.hosts[2]->set_addresses({"10.77.0.13/24"});
  site.c.host = "10.77.0.13";
  site.c.start();
  CHECK(eventually([&] { return all_show(site.all, "\"" + site.c.raft_address() + "\"", "10.77.0.3:"); }));
  await_leader(site.all);
  transfer(site.all, site.b, site.c);
  CHECK(location(*site.hosts[0], site.b.url()) == site.c.url("/event"));
  // It is in the configuration by now: nobody needs to be told again.
  site.stop_all();
  for (Server* server : site.all) {
    server->more = {"--protected-mode", "no"};
    server->start();
  }
  await_leader(site.all);
  CHECK(all_show(site.all, "\"" + site.c.raft_address() + "\"", "10.77.0.3:"));
}

TEST_CASE("a whole cluster restarted on new addresses finds itself by `join`; IPv6, bound to every address") {
  if (no_namespaces()) return;
  Site site({"fd77::1/64", "fd77::2/64", "fd77::3/64"});
  for (Server* server : site.all) server->bind = "::*";
  site.start(site.raft_addresses());
  CHECK(site.a.get("/set?key=k&value=kept").status == 403);  // by GET from loopback only
  const TempDir dir;
  CHECK(curl(dir, "-X POST '" + site.a.url("/set?key=k&value=kept") + "'", site.a.netns).status == 200);
  site.stop_all();
  for (size_t i = 0; i < 3; ++i) {
    site.hosts[i]->set_addresses({"fd77::1" + std::to_string(i + 1) + "/64"});
    site.all[i]->host = site.hosts[i]->address();
  }
  site.start(site.raft_addresses());
  for (const Server* server : site.all) {
    CHECK(server->get("/get?key=k").body == "kept");
    CHECK(eventually([&] { return all_show(site.all, "\"" + server->raft_address() + "\"", "[fd77::1]"); }));
  }
  transfer(site.all, site.a, site.b);
  CHECK(location(*site.hosts[0], site.a.url()) == site.b.url("/event"));
  CHECK(location(*site.hosts[2], site.a.url()) == site.b.url("/event"));
}

TEST_CASE("host names are resolved anew at each dial") {
  if (no_namespaces()) return;
  Site site({"10.77.0.1/24", "10.77.0.2/24", "10.77.0.3/24"});
  std::map<std::string, std::string> names{{"one", "10.77.0.1"}, {"two", "10.77.0.2"}, {"three", "10.77.0.3"}};
  std::vector<std::string> join;
  const char* const host_names[] = {"one", "two", "three"};
  for (size_t i = 0; i < 3; ++i) {
    site.hosts[i]->set_names(names);
    site.all[i]->environment = {{"WORMHOLE_ANNOUNCE_ADDRESS", host_names[i]}};
    join.push_back(std::string(host_names[i]) + ":" + std::to_string(site.all[i]->raft_port));
  }
  site.start(join);
  transfer(site.all, site.b, site.a);
  // It falls silent where it is, and is elsewhere, under its name: all that the others have is the name.
  names["three"] = "10.77.0.13";
  CHECK(site.c.stop() == 0);
  site.hosts[2]->set_addresses({"10.77.0.13/24"});
  site.c.host = "10.77.0.13";
  for (const Host* host : {site.hosts[0], site.hosts[1]}) site.hosts[2]->drop_from(*host);  // it hears nobody yet
  for (Host* host : site.hosts) host->set_names(names);
  site.c.start();
  site.hosts[2]->mend();
  await_leader(site.all);
  CHECK(eventually([&] { return count_of(site.a.cluster(), "\"alive\"") == 3; }));
  CHECK(site.a.cluster().find("\"" + join[2] + "\"") != std::string::npos);
  transfer(site.all, site.b, site.c);
  CHECK(location(*site.hosts[0], site.b.url()) == "http://three:" + std::to_string(site.c.port) + "/event");
}

TEST_CASE("behind a port mapping a node joins, and is named, by what it announces") {
  if (no_namespaces()) return;
  const TempDir dir;
  Network network(dir);
  Host& outside = network.host("outside", {"10.77.0.1/24"});
  Host& router = network.host("router", {"10.77.0.9/24"});
  Host& inside = network.behind(router, "192.168.77.1/24", "inside", "192.168.77.2/24");
  Server a(dir, "node1", "10.77.0.1");
  a.netns = outside.netns();
  a.more = {"--protected-mode", "no"};
  a.start_ready();
  Server b(dir, "node2", "192.168.77.2");
  b.netns = inside.netns();
  router.map_port(9080, "192.168.77.2", b.port);
  router.map_port(9112, "192.168.77.2", b.raft_port);
  b.more = {"--protected-mode",     "no",        "--join",          a.raft_address(),
            "--announce-address",   "10.77.0.9", "--announce-port", "9080",
            "--announce-raft-port", "9112"};
  b.start();
  await_voters({&a, &b}, 2);
  CHECK(eventually([&] {
    return all_show({&a, &b}, R"("10.77.0.9:9112","http_address":"10.77.0.9:9080")", "192.168");
  }));
  transfer({&a, &b}, a, b);
  CHECK(location(outside, a.url()) == "http://10.77.0.9:9080/event");
  CHECK(outside.curl("-d event=x -L --post301 http://10.77.0.1:" + std::to_string(a.port) + "/event").status == 201);
}

TEST_CASE("bound to every address: nobody elsewhere is told of 127.0.0.1") {
  if (no_namespaces()) return;
  const TempDir dir;
  Network network(dir);
  Host& here = network.host("here", {"10.77.0.1/24"});
  Host& there = network.host("there", {"10.77.0.2/24"});
  // Two on one host, which know each other by loopback, and one elsewhere.
  Server a(dir, "node1", "127.0.0.1");
  Server b(dir, "node2", "127.0.0.1");
  Server c(dir, "node3", "10.77.0.2");
  a.netns = b.netns = here.netns();
  c.netns = there.netns();
  for (Server* server : {&a, &b, &c}) {
    server->bind = "*";
    server->more = {"--protected-mode", "no"};
  }
  a.start_ready();
  b.more.insert(b.more.end(), {"--join", a.raft_address()});
  b.start();
  await_voters({&a, &b}, 2);
  c.more.insert(c.more.end(), {"--join", "10.77.0.1:" + std::to_string(a.raft_port)});
  c.start();
  await_voters({&a, &b, &c}, 3);
  const auto seen_from_there = [&](const Server& server, const std::string& host) {
    return there.curl("http://" + host + ":" + std::to_string(server.port) + "/cluster").body;
  };
  const auto shows_real_ones = [&] {
    for (const auto& [server, host] :
         {std::pair(&a, "10.77.0.1"), std::pair(&b, "10.77.0.1"), std::pair(&c, "10.77.0.2")}) {
      const std::string state = seen_from_there(*server, host);
      if (state.find("127.0.0.1") != std::string::npos || state.find("\":") == 0) return false;
      for (const Server* member : {&a, &b})
        if (state.find("\"10.77.0.1:" + std::to_string(member->raft_port)) == std::string::npos) return false;
      if (state.find("\"10.77.0.2:" + std::to_string(c.raft_port)) == std::string::npos) return false;
    }
    return true;
  };
  for (const Server* leader : {&a, &b, &c}) {
    transfer({&a, &b, &c}, c, *leader);
    CHECK(eventually(shows_real_ones));
    const Server& asked = leader == &a ? b : a;
    const std::string host = leader == &c ? "10.77.0.2" : "10.77.0.1";
    CHECK(location(there, "http://10.77.0.1:" + std::to_string(asked.port)) ==
          "http://" + host + ":" + std::to_string(leader->port) + "/event");
    if (leader == &c) continue;
    CHECK(location(there, c.url()) == "http://10.77.0.1:" + std::to_string(leader->port) + "/event");
  }
}

}  // namespace wh::testing
