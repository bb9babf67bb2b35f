// The HTTP API, row by row, on one real node: statuses, bodies, headers, and the answers to bad input.
#include <string>

#include <doctest/doctest.h>

#include "harness.h"
#include "one_node.h"

using namespace wh::testing;

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
  CHECK(node.ask("", "/get?key=" + std::string(42'000, 'k')).status == 414);
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
