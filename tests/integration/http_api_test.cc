// The contract's HTTP surface, row by row, on one real node: statuses, bodies, headers, and what bad input gets.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "harness.h"

using namespace wh::testing;

namespace {

// One node for all test cases of this program: none of them depends on what another left.
struct OneNode {
  TempDir dir;
  Server server{dir, "api"};
  OneNode() {
    server.more = {"--http-max-body", "64kb"};
    server.start_ready();
  }
  Answer ask(const std::string& arguments, const std::string& path) const {
    return curl(dir, arguments + " '" + server.url(path) + "'");
  }
};

struct Row {
  std::string arguments;  // of curl
  std::string path;
  int status;
  const char* body;  // exactly; nullptr: not compared
};

void check_rows(const OneNode& node, const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    CAPTURE(row.arguments);
    CAPTURE(row.path);
    const Answer answer = node.ask(row.arguments, row.path);
    CHECK(answer.status == row.status);
    if (row.body != nullptr) CHECK(answer.body == row.body);
    if (answer.status >= 400 && row.arguments != "-I") {
      CHECK(answer.body.starts_with("{\"error\": \""));
      CHECK(answer.body.ends_with("\"}\n"));
    }
    CHECK(answer.header("cache-control") == "no-store");
    CHECK(answer.header("x-content-type-options") == "nosniff");
  }
}

}  // namespace

TEST_CASE("the event queue: ids, exact bytes, conditional removal") {
  const OneNode node;
  const Answer posted = node.ask("-X POST -d event=first", "/event");
  CHECK(posted.status == 201);
  CHECK(posted.body.empty());
  const std::string id = posted.header("wormhole-event-id");
  CHECK(!id.empty());
  CHECK(posted.header("wormhole-index") == id);
  CHECK(node.ask("--data-urlencode 'event=two + %41 \xc3\xa9'", "/event").status == 201);

  const Answer front = node.ask("", "/event");
  CHECK(front.status == 200);
  CHECK(front.body == "first");
  CHECK(front.header("etag") == "\"" + id + "\"");
  CHECK(!front.header("wormhole-index").empty());

  check_rows(node, {{"-X DELETE -H 'If-Match: \"999999\"'", "/event", 412, nullptr},
                    {"-X DELETE -H 'If-Match: 7'", "/event", 400, nullptr},
                    {"-X DELETE -H 'If-Match: \"1\"' -H 'If-Match: \"2\"'", "/event", 400, nullptr},
                    {"", "/event", 200, "first"}});
  const Answer removed = node.ask("-X DELETE -H 'If-Match: \"" + id + "\"'", "/event");
  CHECK(removed.status == 204);
  CHECK(removed.header("wormhole-event-id") == id);
  // The same request again must not remove the next event.
  const Answer again = node.ask("-X DELETE -H 'If-Match: \"" + id + "\"'", "/event");
  CHECK(again.status == 412);
  CHECK(again.header("wormhole-outcome") == "not-applied");
  check_rows(node,
             {{"", "/event", 200, "two + %41 \xc3\xa9"}, {"-X DELETE", "/event/", 204, ""}, {"", "/event", 200, ""}});
  const Answer empty = node.ask("-X DELETE", "/event");
  CHECK(empty.status == 204);
  CHECK(empty.header("wormhole-event-id").empty());
  CHECK(node.ask("", "/event").header("etag").empty());
}

TEST_CASE("one keyspace under all surfaces") {
  const OneNode node;
  check_rows(node, {{"-H 'Content-Type: application/json' -d '{\"answer\":\"41\",\"foo\":\"bar\"}'", "/key/", 200, ""},
                    {"", "/key/answer", 200, "{\"answer\":\"41\"}\n"},
                    {"", "/key/foo/", 200, "{\"foo\":\"bar\"}\n"},
                    {"", "/keys/foo/", 200, "{\"value\":\"bar\"}\n"},
                    {"", "/get?key=foo", 200, "bar"},
                    {"-d '{\"value\":\"v \\u00e9\"}' -H 'Content-Type: application/json'", "/keys/some-key/", 200,
                     "{\"value\":\"v \xc3\xa9\"}\n"},
                    {"", "/get?key=some-key", 200, "v \xc3\xa9"},
                    {"", "/keys/absent/", 200, "{\"value\":\"\"}\n"},
                    {"", "/key/absent", 404, nullptr},
                    {"", "/get?key=absent", 404, nullptr},
                    {"", "/set?key=a+b&value=c+d", 200, ""},
                    {"", "/get?key=a%20b", 200, "c d"},
                    {"", "/key/a%20b", 200, "{\"a b\":\"c d\"}\n"},
                    {"", "/key/a+b", 404, nullptr},
                    {"-d 'key=p&value='", "/set", 200, ""},
                    {"", "/get?key=p", 200, ""},
                    {"", "/set?key=x%2Fy&value=1", 200, ""},
                    {"", "/key/x%2Fy", 200, "{\"x/y\":\"1\"}\n"},
                    {"", "/key/x/y", 404, nullptr},
                    {"-X DELETE", "/key/answer", 204, ""},
                    {"-X DELETE", "/key/answer", 204, ""},
                    {"", "/remove?key=foo", 200, ""},
                    {"-X POST", "/remove?key=foo", 200, ""},
                    {"", "/key/foo", 404, nullptr},
                    {"", "/set?key=raw&value=%ff%00", 200, ""},
                    {"", "/key/raw", 406, nullptr},
                    {"", "/keys/raw", 406, nullptr}});
  CHECK(node.ask("-o raw", "/get?key=raw").status == 200);
  CHECK(read_file(node.dir.path("raw")) == std::string("\xff\0", 2));
  const Answer head = node.ask("-I", "/get?key=a%20b");
  CHECK(head.status == 200);
  CHECK(head.header("content-length") == "3");
  CHECK(!node.ask("", "/get?key=absent").header("wormhole-index").empty());
}

TEST_CASE("bad input has a named answer and changes nothing") {
  const OneNode node;
  const std::string before = node.server.cluster_field("last_log_index");
  check_rows(node, {{"-X POST -d ''", "/event", 400, nullptr},
                    {"-d 'event='", "/event", 400, nullptr},
                    {"-d 'other=1'", "/event", 400, nullptr},
                    {"-d 'event=a&event=b'", "/event", 400, nullptr},
                    {"-d 'event=%zz'", "/event", 400, nullptr},
                    {"-F event=a", "/event", 415, nullptr},
                    {"-X PUT -d x", "/event", 405, nullptr},
                    {"-d '{}'", "/key", 400, nullptr},
                    {"-d '[]'", "/key", 400, nullptr},
                    {"-d '{\"a\":1}'", "/key", 400, nullptr},
                    {"-d '{\"a\":\"1\",\"a\":\"2\"}'", "/key", 400, nullptr},
                    {"-d '{\"a\":\"1\"} x'", "/key", 400, nullptr},
                    {"-d '{\"\":\"1\"}'", "/key", 400, nullptr},
                    {"-d '{\"a\":\"\\ud800\"}'", "/key", 400, nullptr},
                    {"-F a=b", "/key", 415, nullptr},
                    {"-H 'Content-Type: application/xml' -d '<a/>'", "/key", 415, nullptr},
                    {"-d '{\"valu\":\"v\"}'", "/keys/k", 400, nullptr},
                    {"-d '{\"value\":\"v\",\"b\":\"c\"}'", "/keys/k", 400, nullptr},
                    {"", "/set?key=a", 400, nullptr},
                    {"", "/set?value=a", 400, nullptr},
                    {"", "/set?key=&value=a", 400, nullptr},
                    {"", "/set?key=a&key=b&value=c", 400, nullptr},
                    {"-d key=b", "/set?key=a&value=c", 400, nullptr},
                    {"-I", "/set?key=a&value=b", 405, nullptr},
                    {"", "/get", 400, nullptr},
                    {"", "/get?key=%4", 400, nullptr},
                    {"", "/get?key=a&consistency=never", 400, nullptr},
                    {"", "/key/%zz", 400, nullptr},
                    {"", "/key//", 400, nullptr},
                    {"", "/nowhere", 404, nullptr},
                    {"-X PATCH", "/event", 501, nullptr},
                    {"-X DELETE", "/cluster", 405, nullptr},
                    {"", "/join?nodeId=x", 400, nullptr},
                    {"", "/join?nodeId=x&raftPort=0", 400, nullptr},
                    {"", "/join?nodeId=x&raftPort=99999", 400, nullptr},
                    {"", "/join?nodeId=a%20b&raftPort=1", 400, nullptr},
                    {"-d '{\"id\":\"n\"}'", "/cluster/members", 400, nullptr},
                    {"-d '{\"id\":\"n\",\"raft_address\":\"nowhere\"}'", "/cluster/members", 400, nullptr},
                    {"-X DELETE", "/cluster/members/nobody", 404, nullptr},
                    {"-X DELETE", "/cluster/members/api", 409, nullptr},
                    {"-d '{\"id\":\"nobody\"}'", "/cluster/transfer", 404, nullptr}});
  CHECK(node.ask("-X PUT -d x", "/event").header("allow").find("POST") != std::string::npos);
  CHECK(node.ask("-d 'event='", "/event").header("wormhole-outcome") == "not-applied");
  CHECK(node.server.cluster_field("last_log_index") == before);
}

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
           {"", "/get?key=a&consistncy=stale", {"consistncy", "\"consistency\\\"?"}},
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
                                           {"-X DELETE", "/key/a", 400, nullptr},
                                           {"-d '{\"value\":\"2\"}'", "/keys/a", 400, nullptr},
                                           {"", "/set?key=a&value=2", 400, nullptr},
                                           {"", "/remove?key=a", 400, nullptr},
                                           {"-d event=x", "/event", 400, nullptr},
                                           {"-X POST", "/join?nodeId=n&raftPort=1", 400, nullptr},
                                           {"-X DELETE", "/cluster/members/api", 400, nullptr},
                                           {"", "/key/a", 400, nullptr},
                                           {"", "/keys/a", 400, nullptr},
                                           {"", "/get?key=a", 400, nullptr},
                                           {"", "/cluster", 400, nullptr},
                                           {"", "/backup", 400, nullptr},
                                           {"", "/healthz", 200, nullptr},
                                           {"", "/readyz", 200, nullptr},
                                           {"", "/metrics", 200, nullptr}})
      check_rows(node, {{header + row.arguments, row.path, row.status, nullptr}});
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

TEST_CASE("too large: 413 at the headers, 414, 431; the connection's other requests are not harmed") {
  const OneNode node;
  node.dir.write("big", std::string(65 * 1024, 'x'));
  const Answer big = node.ask("-X POST --data-binary @big", "/event");
  CHECK(big.status == 413);
  CHECK(big.header("wormhole-outcome") == "not-applied");
  node.dir.write("chunked", std::string(65 * 1024, 'x'));
  CHECK(node.ask("-X POST -H 'Transfer-Encoding: chunked' --data-binary @chunked", "/event").status == 413);
  node.dir.write("fits", "event=" + std::string(65'530, 'x'));
  CHECK(node.ask("--data-binary @fits", "/event").status == 201);
  CHECK(node.ask("", "/get?key=" + std::string(17'000, 'k')).status == 414);
  CHECK(node.ask("-H 'X: " + std::string(17'000, 'y') + "'", "/event").status == 431);
  CHECK(node.ask("", "/set?value=1&key=" + std::string(4097, 'k')).status == 400);
}

TEST_CASE("another site's page can neither write nor rebind a name; GET writes can be turned off") {
  const OneNode node;
  check_rows(node, {{"-H 'Origin: http://evil.example' -d event=a", "/event", 403, nullptr},
                    {"-H 'Origin: null' -d event=a", "/event", 403, nullptr},
                    {"-H 'Sec-Fetch-Site: cross-site'", "/set?key=a&value=b", 403, nullptr},
                    {"-H 'Sec-Fetch-Site: same-origin' -d event=a", "/event", 201, nullptr},
                    {"-H 'Host: evil.example'", "/event", 403, nullptr},
                    {"-H 'Host: evil.example'", "/healthz", 200, nullptr},
                    {"-H 'Host: 127.0.0.1:evil'", "/event", 403, nullptr},
                    {"-H 'Host: [::1]evil.example'", "/event", 403, nullptr},
                    {"-H 'Host: 127.0.0.1:80@evil.example'", "/event", 403, nullptr},
                    {"-H 'Host;'", "/event", 403, nullptr},
                    {"-H 'Host: [::1]:80'", "/event", 200, nullptr},
                    {"-H 'Host: [::ffff:127.0.0.1]'", "/event", 200, nullptr},
                    {"-H 'Host: 127.0.0.1.'", "/event", 200, nullptr},
                    {"-H 'Host: localhost.'", "/event", 200, nullptr},
                    {"-H 'Host: LocalHost.:8080'", "/event", 200, nullptr},
                    {"-H 'Host: localhost:'", "/event", 200, nullptr},
                    {"-H 'Host: localhost..'", "/event", 403, nullptr},
                    {"-H 'Host: .'", "/event", 403, nullptr},
                    {"-H 'Host: localhost.evil.example'", "/event", 403, nullptr},
                    {"-H 'Host: 127.0.0.1.evil.example'", "/event", 403, nullptr},
                    {"-H 'Host: localhost:1234'", "/event", 200, nullptr}});
  const std::string own = "-H 'Origin: " + node.server.url() + "' -d event=a";
  CHECK(node.ask(own, "/event").status == 201);
  CHECK(node.server.redis("CONFIG SET get-writes no") == "OK");
  check_rows(node, {{"", "/set?key=a&value=b", 405, nullptr}, {"-X POST", "/set?key=a&value=b", 200, nullptr}});
  // Both are named, and what mends it.
  const Answer origin = node.ask("-H 'Origin: https://queue.example.com' -d event=a", "/event");
  CHECK(origin.status == 403);
  CHECK(origin.header("wormhole-outcome") == "not-applied");
  CHECK(origin.body.find("https://queue.example.com") != std::string::npos);
  CHECK(origin.body.find("127.0.0.1:" + std::to_string(node.server.port)) != std::string::npos);
  CHECK(origin.body.find("must pass Host on") != std::string::npos);
  const Answer host = node.ask("-H 'Host: queue.example.com'", "/event");
  CHECK(host.body.find("queue.example.com") != std::string::npos);
  CHECK(host.body.find("allowed-hosts") != std::string::npos);
  check_rows(node, {{"-H 'Host: localhost.' -H 'Origin: http://localhost' -d event=a", "/event", 201, nullptr},
                    {"-H 'Host: localhost' -H 'Origin: http://localhost:81' -d event=a", "/event", 403, nullptr},
                    {"-H 'Host: localhost' -H 'Origin: https://localhost' -d event=a", "/event", 201, nullptr}});
  CHECK(node.server.redis("CONFIG SET allowed-hosts evil.example.") == "OK");
  check_rows(node, {{"-H 'Host: evil.example'", "/event", 200, nullptr}});
}

TEST_CASE("requirepass: 401 without, Bearer and Basic with, on both ports; health needs none") {
  const TempDir dir;
  Server server(dir, "secret");
  server.more = {"--requirepass", "open sesame"};
  server.start();
  REQUIRE(eventually([&] { return server.get("/readyz").status == 200; }));
  const auto status = [&](const std::string& arguments) {
    return curl(dir, arguments + " '" + server.url("/event") + "'").status;
  };
  CHECK(status("") == 401);
  CHECK(curl(dir, "'" + server.url("/event") + "'").header("www-authenticate").starts_with("Basic"));
  CHECK(status("-H 'Authorization: Bearer wrong'") == 401);
  CHECK(status("-H 'Authorization: Bearer open sesame'") == 200);
  CHECK(status("-u 'anyone:open sesame'") == 200);
  CHECK(status("-u 'anyone:wrong'") == 401);
  CHECK(server.redis("GET a").starts_with("NOAUTH"));
  CHECK(server.redis("-a 'open sesame' --no-auth-warning SET a b") == "OK");
  CHECK(server.redis("-a wrong --no-auth-warning GET a").find("NOAUTH") != std::string::npos);
}

TEST_CASE("pipelined requests of one connection take effect in their order") {
  const OneNode node;
  std::string requests;
  for (int i = 0; i < 50; ++i) {
    const std::string body = "event=e" + std::to_string(i);
    requests +=
        "POST /event HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  requests += "GET /event HTTP/1.1\r\nHost: localhost\r\n\r\n";
  for (int i = 0; i < 49; ++i) requests += "DELETE /event HTTP/1.1\r\nHost: localhost\r\n\r\n";
  requests += "GET /event HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  node.dir.write("pipeline", requests);
  const Output output = sh(node.dir, "nc -w 20 127.0.0.1 " + std::to_string(node.server.port) + " < pipeline");
  CHECK(count_of(output.out, "HTTP/1.1 201") == 50);
  CHECK(count_of(output.out, "HTTP/1.1 204") == 49);
  CHECK(count_of(output.out, "\r\n\r\ne0") == 1);
  CHECK(output.out.ends_with("\r\n\r\ne49"));
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
  const Server& leader = await_leader({&a, &b});
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
  const std::string wide(2000, '!');
  CHECK(ask("-X POST", follower, "/set?key=" + key + "&value=" + wide).status == 200);
  CHECK(ask("", leader, "/get?key=" + key).body == wide);
  std::string encoded;
  for (int i = 0; i < 4096; ++i) encoded += "%C3";
  CHECK(ask("-L -X DELETE", follower, "/key/" + encoded).status == 204);
}

TEST_CASE("reads: linearizable by default, stale on demand, 503 without a quorum") {
  const TempDir dir;
  Server a(dir, "a");
  Server b(dir, "b");
  for (Server* server : {&a, &b}) {
    server->more = {"--join", a.raft_address(), b.raft_address(), "--request-timeout", "700"};
    server->start();
  }
  await_voters({&a, &b}, 2);
  CHECK(curl(dir, "'" + a.url("/set?key=k&value=v") + "'").status == 200);
  REQUIRE(eventually([&] { return a.get("/get?key=k&consistency=stale").body == "v"; }));
  b.kill();
  REQUIRE(eventually([&] { return a.get("/get?key=k").status == 503; }));
  CHECK(a.get("/get?key=k&consistency=stale").body == "v");
  const Answer write = curl(dir, "'" + a.url("/set?key=k&value=w") + "'");
  CHECK(write.status == 503);
  CHECK(write.header("wormhole-outcome") == "not-applied");
  CHECK(a.get("/readyz").status == 503);
  CHECK(a.get("/healthz").status == 200);
}
