// Waiting requests against the real binary: reads for an index on a node that is behind, and streams of cluster events,
// through elections, slow readers, crowds of clients and the server's end.
#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "harness.h"
#include "listener.h"

namespace wh::testing {
namespace {

uint64_t index_of(const Answer& answer) {
  const std::string text = answer.header("wormhole-index");
  return text.empty() ? 0 : std::stoull(text);
}

}  // namespace

TEST_CASE("a read with min_index on a follower that is behind waits until it is there, or says how far it is") {
  ThreeNodes nodes({"--request-timeout", "2000"});
  Server& leader = await_leader(nodes.all);
  Server& follower = *others(nodes.all, leader)[0];
  REQUIRE(follower.signal(SIGSTOP));
  const Answer written = leader.get("/set?key=k&value=new");
  REQUIRE(written.status == 200);
  const std::string index = std::to_string(index_of(written));
  REQUIRE(follower.signal(SIGCONT));
  for (const char* consistency : {"stale", "linearizable"}) {
    const Answer read = follower.get("/get?key=k&min_index=" + index + "&consistency=" + consistency);
    CAPTURE(consistency);
    CHECK(read.status == 200);
    CHECK(read.body == "new");
    CHECK(index_of(read) >= std::stoull(index));
    CHECK((read.header("wormhole-last-contact").empty()) == (std::string(consistency) == "linearizable"));
  }
  for (const Server* server : {&leader, &follower}) {
    const Answer late =
        server->get("/get?key=k&consistency=stale&min_index=" + std::to_string(std::stoull(index) + 1'000'000));
    CHECK(late.status == 503);
    CHECK(has(late.body, "this node has applied index "));
    CHECK(has(late.body, "min_index"));
  }
  CHECK(follower.get("/get?key=k&min_index=soon").status == 400);
  CHECK(follower.get("/get?key=k&min_index=-1").status == 400);
  CHECK(eventually([&] { return follower.info("waiting_requests") == "0"; }));
}

TEST_CASE("a stale read says how long the leader was not heard, and max_staleness refuses an older state") {
  ThreeNodes nodes;
  Server& leader = await_leader(nodes.all);
  const Servers rest = others(nodes.all, leader);
  const std::string stale = "/get?key=k&consistency=stale";
  REQUIRE(leader.get("/set?key=k&value=v").status == 200);
  CHECK(leader.get(stale + "&max_staleness=0").header("wormhole-last-contact") == "0");
  CHECK(eventually([&] { return rest[0]->get(stale + "&max_staleness=1s").status == 200; }));
  CHECK(rest[0]->get(stale + "&max_staleness=1parsec").status == 400);
  // Alone: it hears nobody, and goes on to answer stale reads.
  Server& alone = *rest[0];
  leader.kill();
  rest[1]->kill();
  CHECK(eventually([&] { return alone.get(stale + "&max_staleness=300ms").status == 503; }));
  const Answer old = alone.get(stale);
  CHECK(old.status == 200);
  CHECK(old.body == "v");
  CHECK(std::stoull(old.header("wormhole-last-contact")) >= 300);
  CHECK(alone.get(stale + "&max_staleness=1h").status == 200);
}

TEST_CASE("a stream of the cluster's events sees the election when the leader is killed, from any other node") {
  ThreeNodes nodes;
  Server& old_leader = await_leader(nodes.all);
  const Servers rest = others(nodes.all, old_leader);
  std::vector<std::unique_ptr<Listener>> listeners;
  for (const Server* server : rest) {
    listeners.push_back(std::make_unique<Listener>(*server));
    REQUIRE(eventually([&] { return listeners.back()->sees("\"leader_id\":\"" + old_leader.name + "\""); }));
    CHECK(has(listeners.back()->text(), "Content-Type: text/event-stream"));
    CHECK(count_of(listeners.back()->text(), "\"change\":\"present\"") == 3);
  }
  old_leader.kill();
  Server& leader = await_leader(nodes.all);
  const std::string elected = "\"leader_id\":\"" + leader.name + "\"";
  for (auto& listener : listeners) CHECK(eventually([&] { return listener->sees(elected); }));
  // The one at the new leader sees its role, and then who is dead.
  Listener& at_leader = *listeners[rest[0] == &leader ? 0 : 1];
  CHECK(eventually([&] { return at_leader.sees("\"role\":\"leader\""); }));
  CHECK(eventually([&] { return at_leader.sees(R"({"change":"failed","id":")" + old_leader.name + "\""); }));
  // Whoever comes back is told what came since.
  const std::string id = last_id(listeners[0]->text());
  listeners[0]->close();
  old_leader.start_ready();
  REQUIRE(eventually([&] { return at_leader.sees(R"({"change":"alive","id":")" + old_leader.name + "\""); }));
  Listener resumed(*rest[0], "Last-Event-ID: " + id + "\r\n");
  CHECK(eventually([&] { return resumed.sees("\r\n\r\n"); }));
  if (rest[0] == &leader) CHECK(eventually([&] { return resumed.sees("\"alive\""); }));
  CHECK_FALSE(has(resumed.text(), "\"change\":\"present\""));
  // In good order at the node's end: the last chunk, and no reset.
  CHECK(rest[0]->stop() == 0);
  CHECK(eventually([&] { return resumed.has_ended(); }));
  CHECK(resumed.text().ends_with("0\r\n\r\n"));
  CHECK_FALSE(resumed.was_reset());
}

TEST_CASE("a stream sees who joins, is promoted and leaves; curl and a browser's EventSource read it alike") {
  TempDir dir;
  Server first(dir, "first");
  first.start_ready();
  Listener listener(first);
  REQUIRE(eventually([&] { return listener.sees("\"leader_id\":\"first\""); }));
  Server second(dir, "second");
  second.more = {"--join", first.raft_address()};
  second.start_ready();
  CHECK(eventually([&] { return listener.sees(R"({"change":"added","id":"second","suffrage":"learner")"); }));
  CHECK(eventually([&] { return listener.sees(R"({"change":"promoted","id":"second","suffrage":"voter")"); }));
  CHECK(curl(dir, "-X DELETE " + first.url("/cluster/members/second")).status == 200);
  CHECK(eventually([&] { return listener.sees(R"({"change":"removed","id":"second")"); }));
  const Answer head = curl(dir, "-I " + first.url("/cluster/events"));
  CHECK(head.status == 200);
  CHECK(head.header("content-type") == "text/event-stream");
  CHECK(head.header("cache-control") == "no-store");
  CHECK(eventually([&] {
    const Output seconds = sh(dir, "curl -sN -m 1 " + first.url("/cluster/events"));
    CHECK(seconds.status == 28);  // curl's own time-out: it does not end
    return has(seconds.out, "event: leader\ndata: {\"leader_id\":\"first\"");
  }));
  CHECK(curl(dir, "-H 'Sec-Fetch-Site: cross-site' " + first.url("/cluster/events")).status == 403);
}

TEST_CASE("a client that ends its side at once gets what is so, and the end; a read is not waited for") {
  TempDir dir;
  Server server(dir, "halves");
  server.more = {"--request-timeout", "600000"};
  server.start_ready();
  const auto asked = [&](const std::string& path) {
    return sh(dir, "printf 'GET " + path + " HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n' | nc -N 127.0.0.1 " +
                       std::to_string(server.port))
        .out;
  };
  const std::string stream = asked("/cluster/events");
  CHECK(has(stream, "HTTP/1.1 200 OK"));
  CHECK(has(stream, "X-Accel-Buffering: no"));
  CHECK(has(stream, "event: leader"));
  CHECK(stream.ends_with("0\r\n\r\n"));
  CHECK(has(asked("/get?key=k&min_index=1000000"), "HTTP/1.1 503 "));
  CHECK(has(asked("/get?key=k&min_index=1"), "HTTP/1.1 404 "));
  CHECK(server.info("waiting_requests") == "0");
}

TEST_CASE("a stream needs the password, and works without a leader") {
  TempDir dir;
  Server lonely(dir, "lonely");
  lonely.more = {"--requirepass",      "secret", "--join", "127.0.0.1:" + std::to_string(free_port()),
                 "--bootstrap-expect", "3"};
  lonely.start();
  REQUIRE(eventually([&] { return lonely.get("/healthz").status == 200; }));
  CHECK(curl(dir, lonely.url("/cluster/events")).status == 401);
  Listener listener(lonely, "Authorization: Bearer secret\r\n");
  CHECK(eventually([&] { return listener.sees("\"leader_id\":null"); }));
  CHECK(has(listener.text(), "\"role\":\"learner\""));
}

TEST_CASE("a thousand streams leave nothing when they are closed, and a stream is not idle for the directive timeout") {
  TempDir dir;
  Server server(dir, "crowd");
  server.more = {"--timeout", "1", "--max-waiting", "1000"};
  server.start_ready();
  std::vector<std::unique_ptr<Listener>> listeners;
  for (int i = 0; i < 1'000; ++i) listeners.push_back(std::make_unique<Listener>(server));
  CHECK(eventually([&] { return server.info("streams") == "1000"; }));
  CHECK(server.info("waiting_requests") == "1000");
  for (auto& listener : listeners) REQUIRE(eventually([&] { return listener->sees("event: leader"); }));
  // One more is told so, and so is a read that would have to wait; others go on.
  const Answer refused = curl(dir, server.url("/cluster/events"));
  CHECK(refused.status == 503);
  CHECK(refused.header("retry-after") == "1");
  CHECK(has(refused.body, "max-waiting"));
  CHECK(server.get("/get?key=k&min_index=1000000").status == 503);
  CHECK(server.get("/set?key=k&value=v").status == 200);
  CHECK(server.redis("CONFIG SET max-waiting 1001") == "OK");
  Listener one_more(server);
  CHECK(eventually([&] { return one_more.sees("event: leader"); }));
  // All but one leave, in every way; twice `timeout` later that one is still there.
  for (size_t i = 0; i < listeners.size(); ++i) listeners[i]->close();
  CHECK(eventually([&] { return server.info("streams") == "1"; }));
  CHECK(server.info("waiting_requests") == "1");
  CHECK(eventually([&] { return server.info("http_clients") == "1"; }));
  CHECK(eventually([&] { return one_more.sees("\r\n:\n\n\r\n"); }));  // it is kept alive
  CHECK_FALSE(one_more.has_ended());
  one_more.close();
  CHECK(eventually([&] { return server.info("streams") == "0" && server.info("waiting_requests") == "0"; }));
  CHECK(std::stoull(server.info("client_buffer_bytes")) < 100'000);
  CHECK(server.info("total_streams") == "1001");
}

TEST_CASE("where there are maxclients, streams without news give way to new clients") {
  TempDir dir;
  Server server(dir, "full");
  server.more = {"--maxclients", "20"};
  server.start_ready();
  std::vector<std::unique_ptr<Listener>> listeners(20);
  // A crowd that comes back whenever one of it is cut off, and others who come between.
  CHECK(eventually([&] {
    for (auto& listener : listeners)
      if (listener == nullptr || listener->has_ended()) listener = std::make_unique<Listener>(server);
    return server.get("/set?key=k&value=v").status == 200 && std::stoull("0" + server.info("cut_streams")) > 3;
  }));
}

TEST_CASE("where there are maxclients, requests that only wait give way to new clients, and are told so") {
  TempDir dir;
  Server server(dir, "crowded");
  server.more = {"--maxclients", "21", "--request-timeout", "600000"};
  server.start_ready();
  const std::string for_ever = "/get?key=k&min_index=18446744073709551615";
  std::vector<std::unique_ptr<Listener>> waiting;
  const auto one_more = [&] { waiting.push_back(std::make_unique<Listener>(server, std::string(), 0, for_ever)); };
  for (int i = 0; i < 20; ++i) one_more();
  CHECK(eventually([&] { return server.info("waiting_requests") == "20"; }));
  // Whoever comes to a full house takes the place of one that waits, or of one that has not asked yet.
  std::vector<Listener*> told;
  CHECK(eventually([&] {
    one_more();
    CHECK(server.get("/get?key=k").status == 404);
    for (auto& each : waiting) {
      each->take();
      if (has(each->text(), "HTTP/1.1 503")) told.push_back(each.get());
    }
    return !told.empty();
  }));
  for (Listener* each : told) {
    CHECK(eventually([&] { return each->has_ended(); }));
    for (const char* part : {"Retry-After: 1\r\n", "Connection: close\r\n", "maxclients"})
      CHECK(has(each->text(), part));
    CHECK_FALSE(each->was_reset());
  }
}

TEST_CASE("who waits and goes away costs nothing any more") {
  TempDir dir;
  Server server(dir, "gone");
  server.more = {"--request-timeout", "600000"};
  server.start_ready();
  Listener reader(server, std::string(), 0, "/get?key=k&min_index=1000000");
  CHECK(eventually([&] { return server.info("waiting_requests") == "1"; }));
  reader.close();
  CHECK(eventually([&] { return server.info("waiting_requests") == "0"; }));
  CHECK(server.info("cancelled_requests") == "1");
}

}  // namespace wh::testing
