// The Wormhole Connector's walk-through, command by command: an event queue over HTTPS, a killed leader.
#include <csignal>

#include <doctest/doctest.h>

#include "harness.h"

namespace wh::testing {
namespace {

// "docker stop" sends SIGTERM; after its patience, SIGKILL. Both must leave a cluster that goes on.
void walk_through(int how_the_leader_dies) {
  const TempDir dir;
  REQUIRE(sh(dir,
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=connector"
             " -keyout connector-key.pem -out connector.pem")
              .status == 0);

  // As containers have them: an address each, one port.
  Server first(dir, "first", "127.0.0.2");
  Server second(dir, "second", "127.0.0.3");
  Server third(dir, "third", "127.0.0.4");
  const Servers all{&first, &second, &third};
  for (Server* server : all) {
    server->tls_port = first.port;
    server->more = {"--tls-cert-file", "connector.pem", "--tls-key-file", "connector-key.pem"};
    if (server != &first) server->more.insert(server->more.end(), {"--join", first.raft_address()});
    server->start_ready();
  }
  await_voters(all, 3);
  Server& leader = await_leader(all);
  CHECK(&leader == &first);

  const std::string e1 = "https://127.0.0.2:" + std::to_string(first.tls_port) + "/event";
  const std::string e2 = "https://127.0.0.3:" + std::to_string(first.tls_port) + "/event";
  const std::string e3 = "https://127.0.0.4:" + std::to_string(first.tls_port) + "/event";
  const auto shows = [&](const std::string& command, const std::string& expected) {
    CAPTURE(command);
    const Output output = sh(dir, command);
    CHECK(output.status == 0);
    CHECK(output.out == expected);
  };

  // Store events.
  shows("curl -k -X POST -d event=\"event1\" " + e1, "");
  shows("curl -k " + e1, "event1");
  shows("curl -k " + e2, "event1");
  shows("curl -kL -X POST -d event=\"event2\" " + e2, "");
  shows("curl -kL -X POST -d event=\"event3\" " + e3, "");
  shows("curl -k " + e2, "event1");
  shows("curl -k -X DELETE " + e1, "");
  shows("curl -k " + e2, "event2");
  shows("curl -k -X DELETE " + e1, "");
  shows("curl -k " + e2, "event3");
  shows("curl -k -X DELETE " + e1, "");
  shows("curl -k " + e2, "");

  // What the redirect looks like from close by.
  const Answer redirect = curl(dir, "-k -X POST -d event=no " + e2 + "?a=b%20c");
  CHECK(redirect.status == 307);
  CHECK(redirect.header("location") == e1 + "?a=b%20c");
  CHECK(redirect.header("wormhole-outcome") == "not-applied");
  CHECK(curl(dir, "-k -X DELETE " + e3).status == 307);
  shows("curl -k " + e1, "");

  shows("curl -kL -X POST -d event=\"survivorEvent\" " + e3, "");

  // Killing the leader.
  REQUIRE(first.signal(how_the_leader_dies));
  CHECK(first.wait() == (how_the_leader_dies == SIGKILL ? 137 : 0));
  shows("curl -k " + e2, "survivorEvent");
  shows("curl -kL -X POST -d event=\"eventLeaderKilled\" " + e2, "");
  shows("curl -k " + e2, "survivorEvent");
  shows("curl -kL -X DELETE " + e3, "");
  shows("curl -k " + e3, "eventLeaderKilled");
}

}  // namespace

TEST_CASE("the connector's walk-through: the leader is killed") { walk_through(SIGKILL); }

TEST_CASE("the connector's walk-through: the leader is stopped") { walk_through(SIGTERM); }

TEST_CASE("the queue's answers in detail") {
  const TempDir dir;
  Server server(dir, "only");
  server.start_ready();
  const std::string event = server.url("/event");

  SUBCASE("statuses, ids and entity tags") {
    const Answer posted = curl(dir, "-d event=one " + event);
    CHECK(posted.status == 201);
    CHECK(posted.body.empty());
    const std::string id = posted.header("wormhole-event-id");
    REQUIRE_FALSE(id.empty());
    REQUIRE_FALSE(posted.header("wormhole-index").empty());
    curl(dir, "-d event=two " + event);

    const Answer front = curl(dir, event);
    CHECK(front.status == 200);
    CHECK(front.body == "one");
    CHECK(front.header("etag") == "\"" + id + "\"");
    CHECK(curl(dir, "-I " + event).status == 200);

    CHECK(curl(dir, "-X DELETE -H 'If-Match: \"999999\"' " + event).status == 412);
    const Answer removed = curl(dir, "-X DELETE -H 'If-Match: \"" + id + "\"' " + event);
    CHECK(removed.status == 204);
    CHECK(removed.header("wormhole-event-id") == id);
    CHECK(curl(dir, "-X DELETE -H 'If-Match: \"" + id + "\"' " + event).status == 412);
    CHECK(curl(dir, event).body == "two");
    CHECK(curl(dir, "-X DELETE " + event).status == 204);
    const Answer nothing = curl(dir, "-X DELETE " + event);
    CHECK(nothing.status == 204);
    CHECK(nothing.header("wormhole-event-id").empty());
  }
  SUBCASE("an event is bytes: what goes in comes out") {
    std::string bytes;
    for (int i = 0; i < 70'000; ++i) bytes.push_back(static_cast<char>(i * 7));
    dir.write("bytes", bytes);
    CHECK(curl(dir, "--data-urlencode event@bytes " + event).status == 201);
    CHECK(curl(dir, event).body == bytes);
    CHECK(curl(dir, "-d 'event=a+b%2Bc' " + event + " -o /dev/null").status == 201);
    curl(dir, "-X DELETE " + event);
    CHECK(curl(dir, event).body == "a b+c");
  }
  SUBCASE("what is refused has no effect") {
    for (const char* bad : {"-d event=", "-d other=x", "-d 'event=a&event=b'", "-d 'event=%zz'"}) {
      CAPTURE(bad);
      const Answer answer = curl(dir, std::string(bad) + " " + event);
      CHECK(answer.status == 400);
      CHECK(answer.header("wormhole-outcome") == "not-applied");
      CHECK(answer.body.starts_with("{\"error\":"));
    }
    CHECK(curl(dir, "-F event=x " + event).status == 415);
    const Answer put = curl(dir, "-X PUT -d event=x " + event);
    CHECK(put.status == 405);
    for (const char* method : {"GET", "HEAD", "POST", "DELETE"})
      CHECK(put.header("allow").find(method) != std::string::npos);
    dir.write("large", std::string(1'100'000, 'x'));
    CHECK(curl(dir, "--data-binary @large " + event).status == 413);
    CHECK(curl(dir, "-H 'Origin: http://evil.example' -d event=x " + event).status == 403);
    CHECK(curl(dir, "-H 'Sec-Fetch-Site: cross-site' -d event=x " + event).status == 403);
    CHECK(curl(dir, "-H 'Host: evil.example' " + event).status == 403);
    const Answer front = curl(dir, event);
    CHECK(front.status == 200);
    CHECK(front.body.empty());
  }
}

}  // namespace wh::testing
