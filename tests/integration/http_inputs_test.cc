// What a request carries besides its path: an unknown parameter or field is refused by name, preconditions are
// evaluated or refused, and every API can read every name that can be written.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "harness.h"
#include "one_node.h"

using namespace wh::testing;

TEST_CASE("what a path does not know is refused and named, with what was meant; nothing is changed") {
  const OneNode node;
  CHECK(node.ask("-d event=front", "/event").status == 201);
  const std::string before = node.server.cluster_field("last_log_index");
  struct Refused {
    std::string arguments;
    std::string path;
    std::vector<std::string> says;
  };
  for (const Refused& refused : std::vector<Refused>{
           {"", "/get?key=a&consistncy=stale", {"consistncy", "'consistency'?"}},
           {"", "/key/a?consistency=stale&Consistency=stale", {"Consistency", "consistency"}},
           {"", "/keys/a?stale", {"stale", "consistency"}},
           {"", "/event?queue=orders", {"queue", "consistency"}},
           {"", "/backup?x=1", {"x", "consistency"}},
           {"", "/cluster?consistency=stale", {"consistency", "takes none"}},
           {"-X DELETE", "/event?id=1", {"id", "takes none"}},
           {"-X DELETE", "/key/a?consistency=stale", {"consistency", "takes none"}},
           {"", "/set?key=a&vlaue=b", {"vlaue", "value"}},
           {"", "/set?key=a&value=b&consistency=stale", {"consistency", "key", "value"}},
           {"", "/remove?key=a&value=b", {"value", "key"}},
           {"", "/join?nodeid=n&raftPort=1", {"nodeid", "nodeId"}},
           {"-d 'event={\"url\":\"x?a=1&b=2\"}'", "/event", {"form field", "b", "event", "--data-urlencode"}},
           {"-d 'evnt=a'", "/event", {"evnt", "event"}},
           {"-d 'event=100% sure'", "/event", {"percent", "--data-urlencode"}},
           {"-d 'event=a&event=b'", "/event", {"event", "twice", "--data-urlencode"}},
           {"", "/get?key=a&key=b", {"key", "twice"}},
           {"-d 'event=a&queue=orders'", "/event", {"queue", "event"}},
           {"-d event=a", "/event?event=b", {"event", "in the body"}},
           {"-d event=a", "/event?queue=orders", {"queue"}},
           {"-d 'key=a&value=b&ttl=5'", "/set", {"ttl", "key"}},
           {"-d 'value=b'", "/set?key=a&value=b", {"value", "query and in the form"}},
           {"-d '{\"valeu\":\"v\"}'", "/keys/k", {"valeu", "value"}},
           {"-d '{\"value\":\"v\",\"ttl\":\"5\"}'", "/keys/k", {"ttl", "value"}},
           {"-d '{\"value\":\"v\"}'", "/keys/k?value=v", {"value", "JSON"}},
           {"-d '{\"a\":\"v\"}'", "/key?a=v", {"takes none"}},
           {"-d '{\"id\":\"n\",\"address\":\"a:1\"}'", "/cluster/members", {"address", "raft_address"}},
           {"-d '{\"id\":\"n\",\"force\":\"yes\"}'", "/cluster/transfer", {"force", "id"}},
           {"", "/get?key=a&" + std::string(300, 'x') + "=1", {"xxx...", "key", "consistency"}},
           {"", "/get?key=a&%ff%0a=1", {"\\\\xff\\\\x0a"}}}) {
    CAPTURE(refused.arguments);
    CAPTURE(refused.path);
    const Answer answer = node.ask(refused.arguments, refused.path);
    CAPTURE(answer.body);
    CHECK(answer.status == 400);
    for (const std::string& word : refused.says) CHECK(answer.body.find(word) != std::string::npos);
  }
  check_rows(node, {{"", "/healthz?x=1", 200, nullptr},
                    {"", "/readyz?x=1&x=1&%zz", 200, nullptr},
                    {"", "/metrics?name[]=up", 200, nullptr},
                    {"-o /dev/null", "/backup", 200, ""},
                    {"-o /dev/null", "/backup?consistency=linearizable", 200, ""},
                    {"", "/get?key=a&consistency=stale", 404, nullptr}});
  CHECK(node.server.cluster_field("last_log_index") == before);
  CHECK(node.ask("--data-urlencode 'event={\"url\":\"x?a=1&b=2\"}'", "/event").status == 201);
  CHECK(node.ask("-X DELETE", "/event").status == 204);
  CHECK(node.ask("", "/event").body == "{\"url\":\"x?a=1&b=2\"}");
}

TEST_CASE("preconditions: evaluated, or refused, on every path but those that take any") {
  const OneNode node;
  CHECK(node.ask("-d '{\"a\":\"1\"}'", "/key").status == 200);
  const std::string first = node.ask("-d event=first", "/event").header("wormhole-event-id");
  const std::string before = node.server.cluster_field("last_log_index");
  for (const char* name : {"If-Match", "if-none-match", "If-Modified-Since", "If-Unmodified-Since"}) {
    const std::string header = std::string("-H '") + name + ": \"1\"' ";
    for (const Row& row : std::vector<Row>{{"-d '{\"a\":\"2\"}'", "/key", 400, nullptr},
                                           {"-d event=x", "/event", 400, nullptr},
                                           {"-X POST", "/join?nodeId=n&raftPort=1", 400, nullptr},
                                           {"-X DELETE", "/cluster/members/api", 400, nullptr},
                                           {"", "/cluster", 400, nullptr},
                                           {"", "/backup", 400, nullptr},
                                           {"", "/healthz", 200, nullptr},
                                           {"", "/readyz", 200, nullptr},
                                           {"", "/metrics", 200, nullptr}})
      check_rows(node, {{header + row.arguments, row.path, row.status, nullptr}});
  }
  // Of one key they are evaluated; dates are not.
  for (const Row& row : std::vector<Row>{{"-X DELETE", "/key/a", 412, nullptr},
                                         {"-d '{\"value\":\"2\"}'", "/keys/a", 412, nullptr},
                                         {"", "/set?key=a&value=2", 412, nullptr},
                                         {"", "/remove?key=a", 412, nullptr},
                                         {"", "/key/a", 412, nullptr},
                                         {"", "/keys/a", 412, nullptr},
                                         {"", "/get?key=a", 412, nullptr},
                                         {"", "/kv/a", 412, nullptr},
                                         {"-X PUT -d 2", "/kv/a", 412, nullptr},
                                         {"-X DELETE", "/kv/a", 412, nullptr},
                                         {"-X POST", "/kv/a/incr", 412, nullptr}}) {
    check_rows(node, {{"-H 'If-Match: \"1\"' " + row.arguments, row.path, row.status, nullptr},
                      {"-H 'If-Modified-Since: \"1\"' " + row.arguments, row.path, 400, nullptr}});
  }
  // What DELETE /event does not evaluate, and what no event can have as its tag: not 412, which says it is gone.
  const std::string tag = "\"" + first + "\"";
  for (const std::string& header :
       {std::string("If-None-Match: \"1\""), std::string("If-Modified-Since: Sun, 29 Nov 2026 12:00:00 GMT"),
        std::string("If-Unmodified-Since: Sun, 29 Nov 2026 12:00:00 GMT"), "If-Match: W/" + tag,
        "If-Match: \"" + first + "-gzip\"", "If-Match: " + first, "If-Match: " + tag + ", \"999\"",
        std::string("If-Match: *"), std::string("If-Match;"), "If-Match: \"0" + first + "\"",
        std::string("If-Match: \"99999999999999999999999\""), "If-Match: " + tag + "x"})
    check_rows(node, {{"-X DELETE -H '" + header + "'", "/event", 400, nullptr}});
  check_rows(node, {{"-X DELETE -H 'If-Match: \"999999\"'", "/event", 412, nullptr}, {"", "/event", 200, "first"}});
  CHECK(node.ask("", "/get?key=a").body == "1");

  // GET /event evaluates them by its ETag.
  const auto get = [&](const std::string& header) { return node.ask("-H '" + header + "'", "/event"); };
  const Answer same = get("If-None-Match: \"7\", W/" + tag);
  CHECK(same.status == 304);
  CHECK(same.body.empty());
  CHECK(same.header("etag") == tag);
  CHECK(get("If-None-Match: *").status == 304);
  CHECK(get("If-None-Match: \"7\"").body == "first");
  CHECK(get("If-None-Match: " + tag + "' -H 'If-Modified-Since: Sun, 29 Nov 2026 12:00:00 GMT").status == 304);
  CHECK(get("If-None-Match: \"7\"' -H 'If-None-Match: " + tag).status == 304);
  CHECK(get("If-Match: \"7\", " + tag).body == "first");
  CHECK(get("If-Match: W/" + tag).status == 412);
  CHECK(get("If-Match: \"7\"").status == 412);
  CHECK(get("If-Match: 7").status == 400);
  CHECK(get("If-Unmodified-Since: Sun, 29 Nov 2026 12:00:00 GMT").status == 400);
  CHECK(node.ask("-X DELETE -H 'If-Match: " + tag + "'", "/event").status == 204);
  CHECK(get("If-None-Match: *").status == 200);
  CHECK(get("If-Match: *").status == 412);
  CHECK(node.server.cluster_field("last_log_index") != before);
}

TEST_CASE("a path that is not there is told what is; one that takes other methods says which") {
  const OneNode node;
  for (const char* path : {"/keys", "/nowhere", "/key/a/b", "/cluster/member", "/Event"}) {
    const Answer answer = node.ask("", path);
    CAPTURE(path);
    CHECK(answer.status == 404);
    for (const char* there : {"/event", "/key", "/key/{name}", "/keys/{key}", "/set", "/cluster/members", "/readyz"})
      CHECK(answer.body.find(there) != std::string::npos);
    CHECK(answer.body.find("/keys,") == std::string::npos);
  }
  CHECK(node.ask("", "/keys/").status == 400);
  struct Path {
    const char* path;
    const char* allow;
  };
  for (const Path& there : {Path{"/event", "GET, HEAD, POST, DELETE, OPTIONS"}, Path{"/key", "POST, OPTIONS"},
                            Path{"/key/a", "GET, HEAD, DELETE, OPTIONS"}, Path{"/keys/a", "GET, HEAD, POST, OPTIONS"},
                            Path{"/cluster/members", "POST, OPTIONS"}, Path{"/cluster/members/a", "DELETE, OPTIONS"}}) {
    const Answer options = node.ask("-X OPTIONS", there.path);
    CHECK(options.status == 204);
    CHECK(options.header("allow") == there.allow);
    CHECK(options.header("cache-control") == "no-store");
    const Answer put = node.ask("-X PUT -d x", there.path);
    CHECK(put.status == 405);
    CHECK(put.header("allow") == there.allow);
  }
  CHECK(node.ask("", "/key").status == 405);
}

TEST_CASE("what can be written can be read and removed: long keys, odd bytes, by every surface") {
  const OneNode node;
  std::string accents;  // 4,096 bytes
  std::string encoded;  // 12,288 characters
  for (int i = 0; i < 2048; ++i) {
    accents += "\xc3\xa9";
    encoded += "%C3%A9";
  }
  node.dir.write("body", "{\"" + accents + "\":\"long\"}");
  CHECK(node.ask("--data-binary @body", "/key").status == 200);
  CHECK(node.ask("", "/get?key=" + encoded).body == "long");
  CHECK(node.ask("", "/get?key=" + encoded + "&consistency=linearizable").body == "long");
  CHECK(node.ask("", "/key/" + encoded).body == "{\"" + accents + "\":\"long\"}\n");
  CHECK(node.ask("", "/keys/" + encoded + "/").body == "{\"value\":\"long\"}\n");
  CHECK(node.ask("-d '{\"value\":\"again\"}'", "/keys/" + encoded + "/").status == 200);
  CHECK(node.ask("-X POST", "/set?key=" + encoded + "&value=third").status == 200);
  CHECK(node.ask("", "/get?key=" + encoded).body == "third");
  CHECK(node.ask("-X DELETE", "/key/" + encoded).status == 204);
  CHECK(node.ask("", "/get?key=" + encoded).status == 404);
  node.dir.write("form", "key=" + encoded + "&value=fourth");
  CHECK(node.ask("-d @form", "/set").status == 200);
  CHECK(node.ask("", "/remove?key=" + encoded).status == 200);
  CHECK(node.ask("", "/key/" + encoded).status == 404);
  CHECK(node.ask("", "/get?key=" + encoded + "%41").status == 400);

  // Each byte by itself as a key, written over the debug port.
  std::string commands;
  for (int byte = 0; byte < 256; ++byte)
    commands += std::string("*3\r\n$3\r\nSET\r\n$1\r\n") + static_cast<char>(byte) + "\r\n$3\r\n" +
                std::to_string(100 + byte) + "\r\n";
  node.dir.write("commands", commands + "*1\r\n$4\r\nQUIT\r\n");
  CHECK(count_of(sh(node.dir, "nc -w 20 127.0.0.1 " + std::to_string(node.server.debug_port) + " <commands").out,
                 "+OK") == 257);
  std::string urls;
  for (int byte = 0; byte < 256; ++byte) {
    constexpr char kHex[] = "0123456789abcdef";
    const std::string name = {'%', kHex[byte >> 4], kHex[byte & 15]};
    urls +=
        "url = \"" + node.server.url("/get?key=" + name) + "\"\nurl = \"" + node.server.url("/keys/" + name) + "\"\n";
  }
  node.dir.write("urls", urls);
  std::string expected;
  for (int byte = 0; byte < 256; ++byte)
    expected += std::to_string(100 + byte) + "{\"value\":\"" + std::to_string(100 + byte) + "\"}\n";
  CHECK(sh(node.dir, "curl -sS --path-as-is -K urls").out == expected);
  for (const char* name : {"..", ".", "a%2f..%2fb", "%25", "%3f%23", "a%00b"}) {
    CHECK(node.ask("-X POST", std::string("/set?key=") + name + "&value=" + name).status == 200);
    CHECK(node.ask("--path-as-is", std::string("/keys/") + name).status == 200);
    CHECK(node.ask("", std::string("/get?key=") + name).status == 200);
    CHECK(node.ask("--path-as-is -X DELETE", std::string("/key/") + name).status == 204);
    CHECK(node.ask("", std::string("/get?key=") + name).status == 404);
  }
}

TEST_CASE("a redirect keeps path and query, and the leader judges them; what would be too long for it is forwarded") {
  const TempDir dir;
  Server a(dir, "a");
  Server b(dir, "b");
  for (Server* server : {&a, &b}) {
    server->more = {"--join", a.raft_address(), b.raft_address()};
    server->start();
  }
  await_voters({&a, &b}, 2);
  const Servers both{&a, &b};
  const Server& leader = await_leader(both);
  const Server& follower = &leader == &a ? b : a;
  const auto ask = [&](const std::string& arguments, const Server& server, const std::string& path) {
    return curl(dir, arguments + " '" + server.url(path) + "'");
  };
  const Answer unknown = ask("-d event=x", follower, "/event?queue=a%20b");
  CHECK(unknown.status == 307);
  CHECK(unknown.header("location") == leader.url("/event?queue=a%20b"));
  CHECK(ask("-L -d event=x", follower, "/event?queue=a%20b").status == 400);
  CHECK(ask("-X DELETE -H 'If-None-Match: *'", follower, "/event").status == 307);
  CHECK(ask("-L -X DELETE -H 'If-None-Match: *'", follower, "/event").status == 400);
  // With credentials it would be forwarded, and so is judged at once.
  CHECK(ask("-u any:one -d event=x", follower, "/event?queue=a").status == 400);
  CHECK(ask("", leader, "/event").body.empty());

  for (const Server* server : {&a, &b}) CHECK(server->redis("CONFIG SET follower-writes redirect") == "OK");
  const std::string key(4096, '(');  // sent as it is, three times as long in a Location
  CHECK(ask("-X POST", follower, "/set?key=" + key + "&value=short").status == 307);
  const std::string wide(10'000, '!');
  CHECK(ask("-X POST", follower, "/set?key=" + key + "&value=" + wide).status == 200);
  CHECK(ask("", leader, "/get?key=" + key).body == wide);
  std::string encoded;
  for (int i = 0; i < 4096; ++i) encoded += "%C3";
  CHECK(ask("-L -X DELETE", follower, "/key/" + encoded).status == 204);
}

// The bound on a whole command is above what any client can be allowed (unit_api says so), so the surfaces' own
// bounds are what refuses, and the largest request goes the whole way.
TEST_CASE("the largest request is replicated, from the leader and through a follower; one byte more is refused") {
  constexpr size_t kMost = size_t{4} << 20;
  const ThreeNodes nodes(
      {"--http-max-body", "4mb", "--follower-writes", "forward", "--raft-election-timeout", kSteadyElectionTimeout});
  Server& leader = await_leader(nodes.all);
  // A body of exactly so many bytes, with two keys.
  const auto body_of = [&](size_t bytes, const std::string& key) {
    std::string body = "{\"" + key + "1\":\"" + std::string(kMost / 2, 'x') + "\",\"" + key + "2\":\"";
    body += std::string(bytes - body.size() - 2, 'y') + "\"}";
    REQUIRE(body.size() == bytes);
    return body;
  };
  // Every node holds what the others hold, so nothing stopped.
  const auto all_hold = [&](const std::string& key, size_t bytes) {
    for (const Server* node : nodes.all) {
      CAPTURE(node->name);
      CHECK(eventually([&] { return node->get("/get?key=" + key + "&consistency=stale").body.size() == bytes; }));
    }
  };
  const std::string term = leader.cluster_field("term");
  for (Server* node : {&leader, others(nodes.all, leader).front()}) {
    CAPTURE(node->name);
    const std::string key = node->name;
    nodes.dir.write("fits", body_of(kMost, key));
    nodes.dir.write("over", body_of(kMost + 1, key + "over"));
    CHECK(curl(nodes.dir, "--data-binary @fits " + node->url("/key")).status == 200);
    all_hold(key + "1", kMost / 2);
    const Answer over = curl(nodes.dir, "--data-binary @over " + node->url("/key"));
    CHECK(over.status == 413);
    CHECK(over.body.find("4194304 bytes") != std::string::npos);
    CHECK(over.header("wormhole-outcome") == "not-applied");
    CHECK(node->get("/get?key=" + key + "over1").status == 404);

    // On the debug port a value may be as long; one byte more is no request.
    nodes.dir.write("fits", std::string(kMost, 'd'));
    nodes.dir.write("over", std::string(kMost + 1, 'd'));
    CHECK(node->redis("-x SET " + key + "debug < fits") == "OK");
    all_hold(key + "debug", kMost);
    CHECK(node->redis("-x SET " + key + "debugover < over").find("OK") == std::string::npos);
    CHECK(node->get("/get?key=" + key + "debugover").status == 404);
    CHECK(node->redis("SET " + key + "after v") == "OK");
    all_hold(key + "after", 1);
  }
  CHECK(leader.cluster_field("term") == term);
}
