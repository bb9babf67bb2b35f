// Wall clocks that are wrong by a year, and jump while a cluster works.
#include <cstdio>
#include <cstdlib>
#include <string>

#include <doctest/doctest.h>

#include "harness.h"
#include "load_client.h"
#include "load_support.h"

namespace wh::testing {
namespace {

constexpr long kYear = 365L * 24 * 3600;

struct WrongClocks : Trio {
  WrongClocks()
      : Trio({}, [](Trio& nodes, Server& server) {
          server.environment["LD_PRELOAD"] = WORMHOLE_WRONG_CLOCK;
          server.environment["WRONG_CLOCK_FILE"] = nodes.dir.path("clock-" + server.name);
        }) {}
  // Renamed into place, so that it is never read half written.
  void set(const Server& server, long seconds) const {
    const std::string file = dir.path("clock-" + server.name);
    REQUIRE(std::rename(dir.write("clock.tmp", std::to_string(seconds)).c_str(), file.c_str()) == 0);
  }
};

// The year of the answer's Date, as that node sees it.
int year_of(const Server& server) {
  const std::string date = server.get("/kv/there").header("date");  // Tue, 01 Dec 2026 19:38:41 GMT
  return date.size() < 16 ? 0 : std::atoi(date.substr(12, 4).c_str());
}

std::string terms(const Servers& servers) {
  std::string out;
  for (const Server* server : servers) out += server->info("current_term") + " ";
  return out;
}

}  // namespace

TEST_CASE("HAZARDS K3: wall clocks jump by a year, one and then all: nobody is deposed, no lease ends, writes go on") {
  allow_preloading(WORMHOLE_WRONG_CLOCK);
  WrongClocks nodes;
  Server& leader = await_leader(nodes.all);
  const Servers followers = others(nodes.all, leader);
  HttpClient http;
  const auto write = [&](const Server& server, const std::string& target, const std::string& body) {
    return http.request(server.port, "PUT", target, {}, body).status / 100 == 2;
  };
  const HttpReply granted = http.request(leader.port, "POST", "/leases?ttl=20s");
  REQUIRE(granted.status == 201);
  const std::string lease = json_field(granted.body, "id");
  REQUIRE(write(leader, "/kv/held?lease=" + lease, "v"));
  REQUIRE(write(leader, "/kv/for-a-day?ttl=1d", "v"));
  REQUIRE(write(leader, "/kv/for-two-years?ttl=730d", "v"));
  REQUIRE(http.request(leader.port, "POST", "/queues/q/events?delay=1h", {}, "later").status == 201);
  const std::string term = terms(nodes.all);
  const int year = year_of(leader);
  const auto works_everywhere = [&] {
    for (int round = 0; round < 20; ++round)
      for (const Server* server : nodes.all) REQUIRE(write(*server, "/kv/written", std::to_string(round)));
    CHECK(terms(nodes.all) == term);
    REQUIRE(http.request(leader.port, "POST", "/leases/" + lease + "/keepalive").status == 200);
    CHECK(http.request(leader.port, "GET", "/kv/held").status == 200);
    CHECK(http.request(leader.port, "GET", "/kv/for-two-years").status == 200);
  };
  works_everywhere();

  // One clock, whosever, either way: as if nothing had happened.
  for (const auto& [server, off] : {std::pair{followers[0], kYear},
                                    {followers[0], -kYear},
                                    {followers[0], 0L},
                                    {&leader, kYear},
                                    {&leader, -kYear},
                                    {&leader, 0L}}) {
    CAPTURE(server->name);
    CAPTURE(off);
    nodes.set(*server, off);
    CHECK(year_of(*server) == year + (off > 0 ? 1 : off < 0 ? -1 : 0));
    works_everywhere();
    CHECK(http.request(leader.port, "GET", "/kv/for-a-day").status == 200);
    CHECK(nodes.a.redis("LLEN q") == "0");
  }
  // All go back a year: cluster time does not.
  for (const Server* server : nodes.all) nodes.set(*server, -kYear);
  works_everywhere();
  CHECK(http.request(leader.port, "GET", "/kv/for-a-day").status == 200);
  // A majority is a year ahead: that is what the time is. What was to end within the year ends; no lease does.
  for (const Server* server : followers) nodes.set(*server, kYear);
  CHECK(eventually([&] { return http.request(leader.port, "GET", "/kv/for-a-day").status == 404; }));
  CHECK(eventually([&] { return nodes.a.redis("LLEN q") == "1"; }));
  works_everywhere();
  // And back: time stands, and what is granted now lasts as long as it says.
  for (const Server* server : nodes.all) nodes.set(*server, 0);
  works_everywhere();
  const HttpReply brief = http.request(leader.port, "POST", "/leases?ttl=1s");
  REQUIRE(write(leader, "/kv/brief?lease=" + json_field(brief.body, "id"), "v"));
  CHECK(eventually([&] { return http.request(leader.port, "GET", "/kv/brief").status == 404; }));
  CHECK(http.request(leader.port, "GET", "/kv/held").status == 200);
}

}  // namespace wh::testing
