// Consumers that wait, on real nodes: whatever makes an event ready wakes them, wherever they wait, and nobody waits
// for what cannot come.
#include <csignal>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "harness.h"

namespace wh::testing {
namespace {

// A receive that waits, as a process of curl's own.
class Waiter {
 public:
  Waiter(const TempDir& dir, const Server& server, const std::string& queue, int number)
      : dir_(dir), path_("waiter" + std::to_string(number)) {
    const Output begun = sh(dir, "curl -s -X POST -D " + path_ + ".head -o " + path_ + ".body -w '%{http_code}' '" +
                                     server.url("/queues/" + queue + "/receive?wait=60s") + "' >" + path_ +
                                     ".status 2>/dev/null </dev/null & echo $!");
    pid_ = std::atoi(begun.out.c_str());
    REQUIRE(pid_ > 0);
  }
  ~Waiter() { end(); }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  void end() {
    if (pid_ > 0) kill(pid_, SIGKILL);
    pid_ = 0;
  }
  // "200", or "000" where the connection broke; empty while it waits.
  [[nodiscard]] std::string status() const { return sh(dir_, "cat " + path_ + ".status 2>/dev/null").out; }
  [[nodiscard]] std::string body() const { return sh(dir_, "cat " + path_ + ".body 2>/dev/null").out; }

 private:
  const TempDir& dir_;
  const std::string path_;
  pid_t pid_ = 0;
};

struct Cluster : ThreeNodes {
  Server& leader = await_leader(all);
  Server& follower = *others(all, leader)[0];
  int waiters = 0;

  void expect(int status, const Answer& answer) const {
    CAPTURE(answer.body);
    REQUIRE(answer.status == status);
  }
  void put(const std::string& queue, const std::string& query = {}, const std::string& body = "e") const {
    expect(201, leader.post("/queues/" + queue + "/events" + query, body));
  }
  void configure(const std::string& queue, const std::string& settings) const {
    expect(200, curl(dir, "-X PUT --json '" + settings + "' " + leader.url("/queues/" + queue)));
  }
  // Receives an event; its path, and its receipt as a query.
  std::pair<std::string, std::string> take(const std::string& queue, const std::string& query = {}) const {
    const Answer got = leader.post("/queues/" + queue + "/receive" + query);
    expect(200, got);
    return {"/queues/" + queue + "/events/" + got.header("wormhole-event-id"),
            "?receipt=" + got.header("wormhole-receipt")};
  }
  [[nodiscard]] std::string waiting(const std::string& queue) const {
    return json_field(leader.get("/queues/" + queue).body, "waiting");
  }
};

}  // namespace

TEST_CASE("HAZARDS Q27: whatever makes an event ready wakes who waits, on the leader and on a follower") {
  Cluster c;
  struct Way {
    const char* name;
    std::function<void(const std::string&)> before;  // nothing is ready after it
    std::function<void(const std::string&)> cause;
  };
  std::pair<std::string, std::string> held;
  const std::vector<Way> ways = {
      {"enqueue", [&](const std::string& q) { c.configure(q, "{}"); }, [&](const std::string& q) { c.put(q); }},
      {"batch", [&](const std::string& q) { c.configure(q, "{}"); },
       [&](const std::string& q) {
         c.expect(201, c.follower.post("/queues/" + q + "/batch", R"([{"data":"e"}])", "application/json"));
       }},
      {"delay", [&](const std::string& q) { c.put(q, "?delay=2s"); }, [&](const std::string&) {}},
      {"release",
       [&](const std::string& q) {
         c.put(q);
         held = c.take(q);
       },
       [&](const std::string&) { c.expect(204, c.leader.post(held.first + "/release" + held.second)); }},
      {"time-out",
       [&](const std::string& q) {
         c.put(q);
         held = c.take(q, "?visibility_timeout=2s");
       },
       [&](const std::string&) {}},
      {"extended to less",
       [&](const std::string& q) {
         c.put(q);
         held = c.take(q);
       },
       [&](const std::string&) {
         c.expect(200, c.leader.post(held.first + "/extend" + held.second + "&visibility_timeout=0"));
       }},
      {"acknowledged in its group",
       [&](const std::string& q) {
         c.put(q, "?group=g");
         c.put(q, "?group=g");
         held = c.take(q);
       },
       [&](const std::string&) {
         c.expect(204, curl(c.dir, "-X DELETE '" + c.leader.url(held.first + held.second) + "'"));
       }},
      {"resumed",
       [&](const std::string& q) {
         c.put(q);
         c.expect(200, c.leader.post("/queues/" + q + "/pause?direction=out"));
       },
       [&](const std::string& q) { c.expect(200, c.leader.post("/queues/" + q + "/resume")); }},
      {"redriven",
       [&](const std::string& q) {
         c.put(q);
         held = c.take(q);
         c.expect(204, c.leader.post(held.first + "/bury" + held.second));
       },
       [&](const std::string& q) { c.expect(200, c.leader.post("/queues/" + q + "/redrive?from=" + q + ".dead")); }},
      {"topic",
       [&](const std::string& q) {
         c.expect(201, curl(c.dir, "-X PUT --json '{}' " + c.leader.url("/topics/t-" + q + "/queues/" + q)));
       },
       [&](const std::string& q) { c.expect(201, c.leader.post("/topics/t-" + q + "/events", "e")); }},
      {"RPUSH", [&](const std::string& q) { c.configure(q, "{}"); },
       [&](const std::string& q) { REQUIRE(c.follower.redis("RPUSH " + q + " e") == "1"); }},
  };
  int number = 0;
  for (const Way& way : ways)
    for (Server* server : {&c.leader, &c.follower}) {
      CAPTURE(way.name);
      CAPTURE(server->name);
      const std::string queue = "q" + std::to_string(++number);
      way.before(queue);
      const Waiter waiter(c.dir, *server, queue, number);
      REQUIRE(eventually([&] { return c.waiting(queue) == "1" || !waiter.status().empty(); }));
      way.cause(queue);
      REQUIRE(eventually([&] { return waiter.status() == "200"; }));
      CHECK(waiter.body() == "e");
      CHECK(c.waiting(queue) == "0");
    }
}

TEST_CASE("HAZARDS Q28, Q11: a client that is gone waits no more, and takes nothing along") {
  Cluster c;
  c.configure("q", "{}");
  for (Server* server : {&c.leader, &c.follower}) {
    Waiter gone(c.dir, *server, "q", 1);
    REQUIRE(eventually([&] { return c.waiting("q") == "1"; }));
    gone.end();
    CHECK(eventually([&] { return c.waiting("q") == "0"; }));
  }
  // A follower that dies takes its clients' places along.
  Waiter at_follower(c.dir, c.follower, "q", 2);
  REQUIRE(eventually([&] { return c.waiting("q") == "1"; }));
  CHECK(c.follower.kill() == 137);
  CHECK(eventually([&] { return c.waiting("q") == "0"; }));
  c.put("q");
  const std::string shown = c.leader.get("/queues/q/events").body;
  CHECK(json_field(shown, "state") == "ready");
  CHECK(json_field(shown, "deliveries") == "0");
}

// A process that dies closes both directions, and the server hears only that nothing more will be sent.
TEST_CASE("HAZARDS Q11: a client that closes after it asked holds nothing, and its delivery does not count") {
  Cluster c;
  for (Server* server : {&c.leader, &c.follower}) {
    for (int i = 0; i < 8; ++i) c.put("q");
    const std::string port = std::to_string(server->port);
    for (int i = 0; i < 8; ++i)
      sh(c.dir, "bash -c 'exec 3<>/dev/tcp/127.0.0.1/" + port +
                    "; printf \"POST /queues/q/receive HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n\" >&3'");
    CHECK(eventually([&] {
      const std::string queue = c.leader.get("/queues/q").body;
      return json_field(queue, "ready") == "8" && json_field(queue, "reserved") == "0";
    }));
    CHECK(c.leader.get("/queues/q/events").body.find("\"deliveries\":1") == std::string::npos);
    REQUIRE(curl(c.dir, "-X POST " + c.leader.url("/queues/q/purge")).status == 200);
  }
}

TEST_CASE("HAZARDS Q28, Q3: the leader dies: who waits is told so, and what was held is ready again at its time") {
  Cluster c;
  c.put("held");
  const Answer held = c.leader.post("/queues/held/receive?visibility_timeout=3s");
  REQUIRE(held.status == 200);
  c.configure("q", "{}");
  Waiter at_follower(c.dir, c.follower, "q", 1);
  REQUIRE(eventually([&] { return c.waiting("q") == "1"; }));
  CHECK(c.leader.kill() == 137);
  Server& next = await_leader(others(c.all, c.leader));
  CHECK(eventually([&] { return at_follower.status() == "503"; }));
  Waiter again(c.dir, next, "held", 2);
  CHECK(eventually([&] { return again.status() == "200"; }));
  CHECK(again.body() == "e");
  // Its first receipt is of the past.
  CHECK(curl(c.dir, "-X DELETE '" +
                        next.url("/queues/held/events/" + held.header("wormhole-event-id") +
                                 "?receipt=" + held.header("wormhole-receipt")) +
                        "'")
            .status == 409);
}

TEST_CASE("HAZARDS Q35: a queue that is made anew: its old receipts are none, and who waits is served by the new one") {
  Cluster c;
  c.put("q");
  const auto old = c.take("q");
  const Waiter waiter(c.dir, c.follower, "q", 1);
  REQUIRE(eventually([&] { return c.waiting("q") == "1"; }));
  c.expect(204, curl(c.dir, "-X DELETE " + c.leader.url("/queues/q")));
  CHECK(c.leader.get("/queues/q").status == 404);
  c.put("q", "", "new");
  CHECK(eventually([&] { return waiter.status() == "200"; }));
  CHECK(waiter.body() == "new");
  // Gone, as the event is; nothing of the new queue is touched.
  CHECK(curl(c.dir, "-X DELETE '" + c.leader.url(old.first + old.second) + "'").status == 204);
  CHECK(c.leader.post(old.first + "/extend" + old.second).status == 409);
  CHECK(json_field(c.leader.get("/queues/q").body, "reserved") == "1");
}

}  // namespace wh::testing
