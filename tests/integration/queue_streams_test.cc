// Streams of what arrives in a queue, from real nodes: in order, without gaps or repeats, whichever node they come
// from.
#include <csignal>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "harness.h"
#include "listener.h"

namespace wh::testing {
namespace {

std::string stream_of(const std::string& queue) { return "/queues/" + queue + "/stream"; }

void put(const Server& server, const std::string& queue, const std::string& body, const std::string& query = {}) {
  const Answer answer = server.post("/queues/" + queue + "/events" + query, body);
  REQUIRE(answer.status == 201);
}

// The texts of all events in a stream, in order.
std::vector<std::string> seen(const std::string& text) {
  std::vector<std::string> found;
  for (size_t at = text.find("\ndata: "); at != std::string::npos; at = text.find("\ndata: ", at + 1))
    found.push_back(json_field(text.substr(at + 7, text.find("\n\n", at) - at - 7), "data"));
  return found;
}

std::vector<std::string> numbers(int from, int to) {
  std::vector<std::string> all;
  for (int i = from; i <= to; ++i) all.push_back(std::to_string(i));
  return all;
}

// Receives an event and buries it.
void bury_next(const Server& server, const std::string& queue) {
  const Answer got = server.post("/queues/" + queue + "/receive");
  REQUIRE(got.status == 200);
  const Answer buried = server.post("/queues/" + queue + "/events/" + got.header("wormhole-event-id") +
                                    "/bury?receipt=" + got.header("wormhole-receipt"));
  REQUIRE(buried.status == 204);
}

}  // namespace

TEST_CASE("a stream shows what is there, ready or not, and then each event as it comes, on any node") {
  ThreeNodes nodes;
  Server& leader = await_leader(nodes.all);
  Server& follower = *others(nodes.all, leader)[0];
  put(leader, "q", "1");
  put(leader, "q", "2", "?delay=1h");
  put(leader, "q", "3", "?priority=0");
  REQUIRE(leader.post("/queues/q/receive").status == 200);
  for (const Server* server : {&leader, &follower}) {
    Listener listener(*server, {}, 0, stream_of("q"));
    CHECK(eventually([&] { return listener.sees("\"data\":\"3\""); }));
    CHECK(seen(listener.text()) == numbers(1, 3));
    CHECK(has(listener.text(), "\"state\":\"delayed\""));
    CHECK(has(listener.text(), "\"state\":\"reserved\""));
    CHECK(has(listener.text(), "X-Accel-Buffering: no"));
  }
  Listener live(follower, {}, 0, stream_of("q"));
  REQUIRE(eventually([&] { return live.sees("\"data\":\"3\""); }));
  for (const std::string& body : numbers(4, 50)) put(leader, "q", body);
  CHECK(eventually([&] { return live.sees("\"data\":\"50\""); }));
  CHECK(seen(live.text()) == numbers(1, 50));
  // It consumed nothing.
  CHECK(json_field(leader.get("/queues/q").body, "ready") == "48");
}

TEST_CASE("HAZARDS W10: a client goes on at another node after the last id that it has, whatever the address says") {
  ThreeNodes nodes;
  Server& leader = await_leader(nodes.all);
  Server& follower = *others(nodes.all, leader)[0];
  for (const std::string& body : numbers(1, 20)) put(leader, "q", body);
  std::string last;
  std::vector<std::string> got;
  {
    Listener first(leader, {}, 0, stream_of("q"));
    REQUIRE(eventually([&] { return first.sees("\"data\":\"20\""); }));
    got = seen(first.text());
    last = last_id(first.text());
  }
  leader.signal(SIGKILL);
  Server& next = await_leader(others(nodes.all, leader));
  for (const std::string& body : numbers(21, 30)) put(next, "q", body);
  Listener second(follower, "Last-Event-ID: " + last + "\r\n", 0, stream_of("q") + "?after=1");
  REQUIRE(eventually([&] { return second.sees("\"data\":\"30\""); }));
  for (const std::string& one : seen(second.text())) got.push_back(one);
  CHECK(got == numbers(1, 30));
}

TEST_CASE("HAZARDS W13: a dead letter keeps its id, arrives late, and is not skipped by a stream that goes on") {
  TempDir dir;
  Server server(dir, "dead");
  server.start_ready();
  put(server, "q", "old");
  put(server, "q", "older");
  bury_next(server, "q");
  Listener first(server, {}, 0, stream_of("q.dead"));
  REQUIRE(eventually([&] { return first.sees("\"data\":\"old\""); }));
  const std::string last = last_id(first.text());
  put(server, "q.dead", "new");
  bury_next(server, "q");
  Listener second(server, "Last-Event-ID: " + last + "\r\n", 0, stream_of("q.dead"));
  REQUIRE(eventually([&] { return second.sees("\"data\":\"older\""); }));
  CHECK(seen(second.text()) == std::vector<std::string>{"new", "older"});
  CHECK(eventually([&] { return first.sees("\"data\":\"older\""); }));
  CHECK(seen(first.text()) == std::vector<std::string>{"old", "new", "older"});
}

TEST_CASE("a stream ends with its queue, and does not begin where there is none or at an id yet to come") {
  TempDir dir;
  Server server(dir, "ends");
  server.start_ready();
  const Answer none = server.get(stream_of("q"));
  CHECK(none.status == 404);
  CHECK(has(none.body, "there is no queue q"));
  put(server, "q", "1");
  CHECK(server.get(stream_of("q") + "?after=9007199254740991").status == 400);
  CHECK(server.get(stream_of("q") + "?after=x").status == 400);
  const Answer beyond = curl(dir, "-H 'Last-Event-ID: 100000' " + server.url(stream_of("q")));
  CHECK(beyond.status == 400);
  CHECK(has(beyond.body, "yet"));
  CHECK(curl(dir, "-H 'Last-Event-ID: -' " + server.url(stream_of("q"))).status == 400);
  CHECK(curl(dir, "-I " + server.url(stream_of("q"))).status == 200);
  CHECK(curl(dir, "-I " + server.url(stream_of("none"))).status == 404);
  CHECK(curl(dir, "-H 'Sec-Fetch-Site: cross-site' " + server.url(stream_of("q"))).status == 403);
  Listener listener(server, {}, 0, stream_of("q"));
  REQUIRE(eventually([&] { return listener.sees("\"data\":\"1\""); }));
  CHECK(server.info("streams") == "1");
  REQUIRE(curl(dir, "-X DELETE " + server.url("/queues/q")).status == 204);
  CHECK(eventually([&] { return listener.has_ended(); }));
  CHECK(listener.text().ends_with("0\r\n\r\n"));
  CHECK(eventually([&] { return server.info("streams") == "0" && server.info("waiting_requests") == "0"; }));
}

TEST_CASE("HAZARDS W12: what an event holds makes no event of its own in a stream") {
  TempDir dir;
  Server server(dir, "text");
  server.start_ready();
  const std::string sneaky = "a\\n\\ndata: b\\rid: 9\\u2028\\u0085";
  REQUIRE(
      server.post("/queues/q/batch", R"([{"data":")" + sneaky + R"("},{"data":"end"}])", "application/json").status ==
      201);
  Listener listener(server, {}, 0, stream_of("q"));
  REQUIRE(eventually([&] { return listener.sees("\"data\":\"end\""); }));
  CHECK(seen(listener.text()).size() == 2);
  CHECK(has(listener.text(), R"("data":"a\n\ndata: b\rid: 9)"));
}

TEST_CASE("HAZARDS W9: readers that do not read cost no memory, and get all of it when they do") {
  TempDir dir;
  Server server(dir, "slow");
  server.start_ready();
  put(server, "q", "1");
  Listener reader(server, {}, 4'096, stream_of("q"));
  REQUIRE(eventually([&] { return server.info("streams") == "1"; }));
  const std::string large(100'000, 'x');
  for (int i = 0; i < 40; ++i) put(server, "q", large);
  put(server, "q", "last");
  CHECK(std::stoull(server.info("client_buffer_bytes")) < 1'000'000);
  CHECK(eventually([&] {
    for (int i = 0; i < 50 && !has(reader.text(), "\"data\":\"last\""); ++i) reader.take(10);
    return has(reader.text(), "\"data\":\"last\"");
  }));
  CHECK(seen(reader.text()).size() == 42);
}

TEST_CASE("HAZARDS W6: a node that is behind waits for what was committed before it judges an id") {
  ThreeNodes nodes;
  Server& leader = await_leader(nodes.all);
  Server& follower = *others(nodes.all, leader)[0];
  put(leader, "q", "1");
  REQUIRE(follower.signal(SIGSTOP));
  for (const std::string& body : numbers(2, 30)) put(leader, "q", body);
  Listener ahead(leader, {}, 0, stream_of("q"));
  REQUIRE(eventually([&] { return ahead.sees("\"data\":\"30\""); }));
  Listener behind(follower, "Last-Event-ID: " + last_id(ahead.text()) + "\r\n", 0, stream_of("q"));
  REQUIRE(follower.signal(SIGCONT));
  put(leader, "q", "31");
  REQUIRE(eventually([&] { return behind.sees("\"data\":\"31\""); }));
  CHECK(has(behind.text(), "HTTP/1.1 200 "));
  CHECK(seen(behind.text()) == numbers(31, 31));
}

TEST_CASE("HAZARDS W5: a stream from a node that is given a snapshot meanwhile misses nothing") {
  ThreeNodes nodes({"--raft-snapshot-entries", "50"});
  Server& leader = await_leader(nodes.all);
  Server& follower = *others(nodes.all, leader)[0];
  put(leader, "q", "1");
  Listener listener(follower, {}, 0, stream_of("q"));
  REQUIRE(eventually([&] { return listener.sees("\"data\":\"1\""); }));
  REQUIRE(follower.signal(SIGSTOP));
  for (const std::string& body : numbers(2, 400)) put(leader, "q", body);
  REQUIRE(eventually([&] { return std::stoull(leader.info("snapshot_index")) > 300; }));
  REQUIRE(follower.signal(SIGCONT));
  REQUIRE(eventually([&] { return listener.sees("\"data\":\"400\""); }));
  CHECK(seen(listener.text()) == numbers(1, 400));
  put(leader, "q", "401");
  CHECK(eventually([&] { return listener.sees("\"data\":\"401\""); }));
}

}  // namespace wh::testing
