// The table of HAZARDS 8.1 (what llhttp 8.1 lets through) and similar inputs: each input, whole, byte by byte, and
// split in two at every place, must have the same result.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "http/parser.h"
#include "support.h"

namespace wh::http::test {
namespace {

constexpr int kTaken = 200;     // one request is handed over
constexpr int kIncomplete = 0;  // nothing is answered: more is needed

struct Probe {
  const char* name;
  std::string input;
  int status;
};

const std::string kHost = "Host: a\r\n";

std::string with(const std::string& fields, const std::string& rest = "") {
  return "POST /p HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" + rest;
}
std::string chunked(const std::string& body) { return with("Transfer-Encoding: chunked\r\n", body); }

std::vector<Probe> probes() {
  const std::string nul(1, '\0');
  return {
      // CR and LF (HAZARDS H1)
      {"bare CR in a header", with("Foo:\rTransfer-Encoding: chunked\r\n"), 400},
      {"bare CR ends nothing", "GET / HTTP/1.1\r\nHost: a\r\n\rX", 400},
      {"second request after CR", "GET / HTTP/1.1\r\nHost: a\r\n\rXGET /2 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
      {"LF after a header", "GET / HTTP/1.1\r\nHost: a\nB: c\r\n\r\n", 400},
      {"LF ends the section", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400},
      {"LF only", "GET / HTTP/1.1\nHost: a\n\n", 400},
      {"CR in the request line", "GET /\r HTTP/1.1\r\n" + kHost + "\r\n", 400},
      {"CR CR LF", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", 400},
      {"CR CR LF after a header", "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", 400},
      // folding (H2)
      {"Content-Length folded away", "POST /p HTTP/1.1\r\nHost: a\r\n Content-Length: 5\r\n\r\nhello", 400},
      {"obs-fold", with("A: b\r\n c\r\n"), 400},
      {"obs-fold with HT", with("A: b\r\n\tc\r\n"), 400},
      {"obs-fold in Transfer-Encoding", with("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), 400},
      {"space before the first header", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
      // lengths (H3, H12)
      {"Content-Length and Transfer-Encoding", with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
       400},
      {"Transfer-Encoding and Content-Length", with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
       400},
      {"two lengths", with("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"), 400},
      {"the same length twice", with("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), 400},
      {"a list of lengths", with("Content-Length: 5, 5\r\n", "hello"), 400},
      {"length +1", with("Content-Length: +1\r\n", "h"), 400},
      {"length -1", with("Content-Length: -1\r\n", "h"), 400},
      {"length 0x1", with("Content-Length: 0x1\r\n", "h"), 400},
      {"length 1 1", with("Content-Length: 1 1\r\n", "h"), 400},
      {"empty length", with("Content-Length: \r\n"), 400},
      {"length overflows", with("Content-Length: 18446744073709551616\r\n"), 400},
      {"length 2^64-1", with("Content-Length: 18446744073709551615\r\n"), 413},
      {"length over the limit", with("Content-Length: 1048577\r\n"), 413},
      {"body short of its length", with("Content-Length: 5\r\n", "hell"), kIncomplete},
      {"body", with("Content-Length: 5\r\n", "hello"), kTaken},
      {"length with leading zeros", with("Content-Length: 005\r\n", "hello"), kTaken},
      // transfer codings (H4)
      {"gzip, chunked", with("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 501},
      {"gzip", with("Transfer-Encoding: gzip\r\n"), 501},
      {"chunked, gzip", with("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n"), 400},
      {"chunked, chunked", with("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), 400},
      {"xchunked", with("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), 501},
      {"identity", with("Transfer-Encoding: identity\r\n"), 501},
      {"vertical tab chunked",
       with("Transfer-Encoding: \x0b"
            "chunked\r\n",
            "0\r\n\r\n"),
       400},
      {"chunked in quotes", with("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"), 501},
      {"twice", with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
      {"empty coding", with("Transfer-Encoding:\r\n"), 501},
      {"on HTTP/1.0", "POST /p HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"Chunked in capitals", with("transfer-encoding: CHUNKED\r\n", "0\r\n\r\n"), kTaken},
      // chunks (H1, H5)
      {"chunks", chunked("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"), kTaken},
      {"capital hexadecimal", chunked("A\r\n0123456789\r\n0\r\n\r\n"), kTaken},
      {"unfinished", chunked("5\r\nhello\r\n0\r\n"), kIncomplete},
      {"junk after the data", chunked("5\r\nhelloXY0\r\n\r\n"), 400},
      {"LF after the data", chunked("5\r\nhello\n0\r\n\r\n"), 400},
      {"size 1 CR Z", chunked("1\rZ\r\n0\r\n\r\n"), 400},
      {"LF after the size", chunked("5\nhello\r\n0\r\n\r\n"), 400},
      {"no size", chunked("\r\nhello\r\n0\r\n\r\n"), 400},
      {"size -1", chunked("-1\r\n\r\n"), 400},
      {"size 0x5", chunked("0x5\r\nhello\r\n0\r\n\r\n"), 400},
      {"space before the size", chunked(" 5\r\nhello\r\n0\r\n\r\n"), 400},
      {"space after the size", chunked("5 \r\nhello\r\n0\r\n\r\n"), 400},
      {"size over 64 bits", chunked("10000000000000005\r\nhello\r\n0\r\n\r\n"), 400},
      {"size of 16 digits", chunked("ffffffffffffffff\r\n"), 413},
      {"zeros without end", chunked(std::string(100, '0') + "\r\n\r\n"), 400},
      {"an extension", chunked("5;a=b\r\nhello\r\n0;c\r\n\r\n"), kTaken},
      {"an extension of 257 bytes", chunked("5;" + std::string(256, 'a') + "\r\nhello\r\n0\r\n\r\n"), 400},
      {"a control byte in an extension", chunked("5;a\x01\r\nhello\r\n0\r\n\r\n"), 400},
      {"CR in an extension", chunked("5;a\rb\r\nhello\r\n0\r\n\r\n"), 400},
      {"a trailer", chunked("0\r\nFoo: bar\r\n\r\n"), 400},
      {"Content-Length in the trailer", chunked("0\r\nContent-Length: 5\r\n\r\n"), 400},
      {"Transfer-Encoding in the trailer", chunked("0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
      {"obs-fold in the trailer", chunked("0\r\n folded\r\n\r\n"), 400},
      {"junk for the last CRLF", chunked("0\r\n\rX"), 400},
      // names and values
      {"space in a name", with("Foo Bar: 1\r\n"), 400},
      {"space before the colon", with("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), 400},
      {"empty name", with(": 1\r\n"), 400},
      {"no colon", with("Foo\r\n"), 400},
      {"byte above 127 in a name", with("F\xc3\xb6: 1\r\n"), 400},
      {"NUL in a name", with("F" + nul + ": 1\r\n"), 400},
      {"NUL in a value", with("Foo: a" + nul + "b\r\n"), 400},
      {"control byte in a value",
       with("Foo: a\x01"
            "b\r\n"),
       400},
      {"DEL in a value", with("Foo: a\x7f\r\n"), 400},
      {"HT in a value", with("Foo: a\tb\r\n"), kTaken},
      {"byte above 127 in a value", with("Foo: \xc3\xb6\r\n"), kTaken},
      {"empty value", with("Foo:\r\n"), kTaken},
      // hosts (H8)
      {"no Host on 1.1", "GET / HTTP/1.1\r\n\r\n", 400},
      {"no Host on 1.0", "GET / HTTP/1.0\r\n\r\n", kTaken},
      {"two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
      {"two Hosts on 1.0", "GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n", 400},
      {"empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", kTaken},
      {"two Authorizations", with("Authorization: Bearer a\r\nAuthorization: Bearer b\r\n"), 400},
      // methods, protocols and versions (H7)
      {"HTTP/0.9", "GET /\r\n", 400},
      {"HTTP/0.9 with a space", "GET / \r\n", 400},
      {"version 0.9", "GET / HTTP/0.9\r\n\r\n", 505},
      {"version 1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
      {"version 2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
      {"version 11.1", "GET / HTTP/11.1\r\nHost: a\r\n\r\n", 400},
      {"version 1.10", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400},
      {"http in small letters", "GET / http/1.1\r\nHost: a\r\n\r\n", 400},
      {"HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"ICE", "SOURCE / ICE/1.0\r\n\r\n", 400},
      {"RTSP", "DESCRIBE / RTSP/1.0\r\n\r\n", 400},
      {"RTSP's method over HTTP", "DESCRIBE / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
      {"CONNECT", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"PATCH", "PATCH / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
      {"TRACE", "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
      {"an unknown method", "FOO / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
      {"get in small letters", "get / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
      {"Upgrade is ignored", "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", kTaken},
      {"TLS on this port", "\x16\x03\x01\x02", 400},
      // targets
      {"byte above 127", "GET /\xc3\xb6 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"HT in the target", "GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"two spaces before the version", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"space after the version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
      {"space in front", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"a fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"no slash", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"* is for OPTIONS", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", kTaken},
      {"absolute form", "GET http://b:1/x HTTP/1.1\r\nHost: a\r\n\r\n", kTaken},
      {"absolute form of another scheme", "GET ftp://b/x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"userinfo", "GET http://u@b/x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      // around requests
      {"an empty line before", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", kTaken},
      {"two empty lines before", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"LF before", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"an unfinished section", "GET / HTTP/1.1\r\nHost: a\r\n", kIncomplete},
      {"an Expect of another kind", with("Expect: 200-maybe\r\nContent-Length: 1\r\n"), 417},
  };
}

// What the connection made of the input; `cuts` gives the sizes of the pieces, the last one repeated.
void expect_outcome(const Probe& probe, const std::vector<size_t>& cuts) {
  Client client;
  std::string_view rest = probe.input;
  for (size_t i = 0; !rest.empty(); ++i) {
    const size_t size = std::min(cuts[std::min(i, cuts.size() - 1)], rest.size());
    client.send(rest.substr(0, size));
    rest.remove_prefix(size);
  }
  const std::vector<Answer> answers = client.answers();
  if (probe.status == kIncomplete) {
    REQUIRE(answers.empty());
    REQUIRE(client.handler.requests.empty());
    client.end();
    REQUIRE(client.wire.closed);
    REQUIRE(client.handler.requests.empty());
    REQUIRE(client.wire.output.empty());
    return;
  }
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].status == probe.status);
  REQUIRE(client.handler.requests.size() == (probe.status == kTaken ? 1 : 0));
  if (probe.status == kTaken) return;
  REQUIRE(client.wire.closed);
  REQUIRE_FALSE(client.wire.aborted);
  REQUIRE(*answers[0].header("Connection") == "close");
  REQUIRE(answers[0].body.substr(0, 11) == "{\"error\": \"");
  // Nothing that follows is executed.
  client.connection->on_data(get("/later"));
  REQUIRE(client.handler.requests.empty());
}

}  // namespace

TEST_CASE("HAZARDS 8.1: every probe, whole") {
  for (const Probe& probe : probes()) {
    INFO(std::string(probe.name));
    expect_outcome(probe, {probe.input.size()});
  }
}

TEST_CASE("HAZARDS 8.1: every probe, byte by byte and cut in two at every place") {
  for (const Probe& probe : probes()) {
    INFO(std::string(probe.name));
    expect_outcome(probe, {1});
    for (size_t cut = 1; cut < probe.input.size(); ++cut) expect_outcome(probe, {cut, probe.input.size()});
  }
}

TEST_CASE("HAZARDS H6: malformed input after good requests leaves their answers alone") {
  for (const Probe& probe : probes()) {
    if (probe.status == kTaken || probe.status == kIncomplete) continue;
    if (probe.input.starts_with("\r\n") || probe.input.starts_with("\n")) continue;
    INFO(std::string(probe.name));
    Client client;
    client.handler.answer_at_once = false;
    client.send(post("/1", "one") + post("/2", "two") + probe.input + get("/later"), 17);
    REQUIRE(client.handler.requests.size() == 2);
    REQUIRE(client.wire.output.empty());
    client.answer(1);
    REQUIRE(client.wire.output.empty());
    client.answer(0);
    const std::vector<Answer> answers = client.answers();
    REQUIRE(answers.size() == 3);
    REQUIRE(answers[0].body == "POST /1 one");
    REQUIRE(answers[1].body == "POST /2 two");
    CHECK(answers[2].status == probe.status);
    REQUIRE(client.wire.closed);
    REQUIRE(client.handler.requests.size() == 2);
  }
}

TEST_CASE("requests are read as they were sent") {
  Client client;
  client.send(
      "PUT /a%2Fb/?x=1&y HTTP/1.1\r\nHost:  example \r\nX-Empty:\r\nX-Two: a \t\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3;x=\"y z\"\r\nabc\r\n2\r\n\r\n\r\n0\r\n\r\n",
      3);
  REQUIRE(client.handler.requests.size() == 1);
  const Request& request = client.handler.requests[0];
  CHECK(request.method == Method::put);
  CHECK(request.target == "/a%2Fb/?x=1&y");
  CHECK(request.path == "/a%2Fb/");
  CHECK(request.query == "x=1&y");
  CHECK(request.host == "example");
  CHECK(request.body == "abc\r\n");
  CHECK(request.has_body);
  CHECK(*request.header("x-empty") == "");
  CHECK(*request.header("X-TWO") == "a");
  CHECK(request.header("X-Three") == nullptr);
  CHECK(request.minor_version == 1);
}

TEST_CASE("the absolute form's authority counts, not Host (RFC 9112 3.2.2)") {
  Client client;
  client.send("GET HTTP://b:81?q=1 HTTP/1.1\r\nHost: a\r\n\r\n");
  REQUIRE(client.handler.requests.size() == 1);
  CHECK(client.handler.requests[0].host == "b:81");
  CHECK(client.handler.requests[0].path == "/");
  CHECK(client.handler.requests[0].query == "q=1");
}

}  // namespace wh::http::test
