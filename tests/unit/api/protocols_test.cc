// HTTP and the debug port agree: each sees the other's data, and both refuse with the same sentence.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "fixture.h"

namespace wh::api {
namespace {

using Words = std::vector<std::string>;

struct Pair {
  std::string method;
  std::string target;
  std::string body;
  Words command;
};

// The same operation over both, by the sentence of the refusal; both must refuse.
std::string sentence(test::Fronts& fronts, const Pair& pair) {
  CAPTURE(pair.target);
  CAPTURE(pair.command[0]);
  const http::test::Answer answer =
      fronts.ask(pair.method, pair.target, pair.body, pair.body.empty() ? "" : test::kForm);
  const std::string reply = fronts.command(pair.command);
  CHECK(answer.status >= 400);
  CHECK(reply.starts_with('-'));
  CHECK(test::sentence_of(answer) == test::sentence_of(reply));
  return test::sentence_of(reply);
}

}  // namespace

TEST_CASE("keys and queues are the same, whoever asks") {
  test::Fronts fronts;
  CHECK(fronts.command({"set", "a", "1"}) == "+OK\r\n");
  CHECK(fronts.ask("GET", "/get?key=a").body == "1");
  CHECK(fronts.ask("POST", "/set", "key=b&value=2", test::kForm).status == 200);
  CHECK(fronts.command({"get", "b"}) == "$1\r\n2\r\n");
  CHECK(fronts.command({"dbsize"}) == ":2\r\n");
  CHECK(fronts.command({"mset", "c", "3", "d", "4"}) == "+OK\r\n");
  CHECK(fronts.ask("GET", "/key/c").body == "{\"c\":\"3\"}\n");
  CHECK(fronts.command({"exists", "a", "c", "x"}) == ":2\r\n");
  CHECK(fronts.ask("DELETE", "/key/a").status == 204);
  CHECK(fronts.command({"get", "a"}) == "$-1\r\n");
  CHECK(fronts.ask("GET", "/get?key=a").status == 404);
  CHECK(fronts.command({"del", "b", "c", "x"}) == ":2\r\n");

  CHECK(fronts.command({"rpush", "event", "one"}) == ":1\r\n");
  CHECK(fronts.ask("POST", "/event", "event=two", test::kForm).status == 201);
  CHECK(fronts.command({"llen", "event"}) == ":2\r\n");
  const http::test::Answer front = fronts.ask("GET", "/event");
  CHECK(front.body == "one");
  CHECK(fronts.command({"lindex", "event", "0"}) == "$3\r\none\r\n");
  CHECK(fronts.ask("DELETE", "/event", "", "If-Match: \"1\"\r\n").status == 412);
  CHECK(*fronts.ask("DELETE", "/event").header("Wormhole-Event-Id") == *front.header("Wormhole-Event-Id"));
  CHECK(fronts.command({"lpop", "event"}) == "$3\r\ntwo\r\n");
  CHECK(fronts.command({"lpop", "event"}) == "$-1\r\n");
  CHECK(fronts.command({"set", "key", "1"}) == "+OK\r\n");
  CHECK(fronts.command({"type", "key"}) == "+string\r\n");
  CHECK(fronts.command({"type", "event"}) == "+none\r\n");
  CHECK(fronts.ask("DELETE", "/event").header("Wormhole-Event-Id") == nullptr);
}

TEST_CASE("what breaks a bound is refused in one sentence") {
  test::Fronts fronts;
  fronts.options.http_max_body_bytes = 5 << 20;
  fronts.http.reconfigure();
  fronts.debug.reconfigure();
  const std::string long_key(machine::kMaxKeyBytes + 1, 'k');
  const std::string large(machine::kMaxValueBytes + 1, 'v');
  CHECK(sentence(fronts, {"POST", "/set?value=v&key=", "", {"set", "", "v"}}) == "a key must not be empty");
  CHECK(sentence(fronts, {"GET", "/get?key=", "", {"get", ""}}) == "a key must not be empty");
  CHECK(sentence(fronts, {"POST", "/remove?key=", "", {"del", ""}}) == "a key must not be empty");
  CHECK(sentence(fronts, {"POST", "/set?value=v&key=" + long_key, "", {"set", long_key, "v"}}) ==
        "a key has at most 4096 bytes");
  CHECK(sentence(fronts, {"GET", "/key/" + long_key, "", {"get", long_key}}) == "a key has at most 4096 bytes");
  CHECK(sentence(fronts, {"POST", "/event", "event=", {"rpush", "event", ""}}) == "an event must not be empty");
  CHECK(sentence(fronts, {"POST", "/event", "event=" + large, {"rpush", "event", large}}) ==
        "an event has 1 to 4194304 bytes");
  CHECK(sentence(fronts, {"POST", "/set", "key=k&value=" + large, {"set", "k", large}}) ==
        "a value has at most 4194304 bytes");
}

TEST_CASE("what a node cannot do now is refused in one sentence") {
  test::Fronts fronts;
  const std::vector<Pair> writes{{"POST", "/set?key=k&value=v", "", {"set", "k", "v"}},
                                 {"POST", "/remove?key=k", "", {"del", "k"}},
                                 {"POST", "/event", "event=e", {"rpush", "event", "e"}},
                                 {"DELETE", "/event", "", {"lpop", "event"}}};
  fronts.node.set_room(1, 0);
  for (const size_t adds : {0, 2}) {
    CHECK(sentence(fronts, writes[adds]).find("maxmemory") != std::string::npos);
    CHECK(fronts
              .ask(writes[adds].method, writes[adds].target, writes[adds].body,
                   writes[adds].body.empty() ? "" : test::kForm)
              .status == 507);
    CHECK(fronts.command(writes[adds].command).starts_with("-OOM "));
  }
  fronts.node.begin_shutdown(fronts.now);
  fronts.wait(60'000);
  for (const Pair& write : writes) {
    CHECK(sentence(fronts, write) == "this node is shutting down");
    CHECK(fronts.command(write.command).starts_with("-NOTAPPLIED "));
    const http::test::Answer answer =
        fronts.ask(write.method, write.target, write.body, write.body.empty() ? "" : test::kForm);
    CHECK(answer.status == 503);
    CHECK(*answer.header("Wormhole-Outcome") == "not-applied");
  }
  CHECK(sentence(fronts, {"GET", "/get?key=k", "", {"get", "k"}}) == "this node is shutting down");
  CHECK(fronts.command({"get", "k"}).starts_with("-ERR "));
}

TEST_CASE("one directive is the default of both: stale reads") {
  test::Fronts fronts;
  fronts.options.read_consistency = config::ReadConsistency::stale;
  const uint64_t before = fronts.node.counters().reads;
  CHECK(fronts.ask("GET", "/event").status == 200);
  CHECK(fronts.command({"llen", "event"}) == ":0\r\n");
  CHECK(fronts.node.counters().reads == before);
  CHECK(fronts.ask("GET", "/event?consistency=linearizable").status == 200);
  CHECK(fronts.node.counters().reads == before + 1);
}

}  // namespace wh::api
