// Clients whose connection breaks at any byte of an answer, and whose library asks again: one effect, the same answer,
// and nothing that came in between is undone.
#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "harness.h"
#include "load_client.h"

namespace wh::testing {
namespace {

std::string request_text(std::string_view method, std::string_view target, std::string_view headers,
                         std::string_view body) {
  std::string text =
      std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\n" + std::string(headers);
  if (method != "GET") text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  return text + "\r\n" + std::string(body);
}

// The first bytes of the answer, after which the connection is closed; all of it, if it is shorter.
std::string cut(const Server& server, const std::string& request, size_t bytes) {
  Socket socket(server.port, 10'000);
  std::string in;
  if (!socket.ok() || !socket.send_all(request)) return in;
  while (in.size() < bytes && socket.receive(in)) {
  }
  return in.substr(0, bytes);
}

std::string whole(const Server& server, const std::string& request) {
  Socket socket(server.port, 10'000);
  std::string in;
  if (!socket.ok() || !socket.send_all(request)) return in;
  for (;;) {
    if (!socket.receive(in)) return in;
    const size_t end = in.find("\r\n\r\n");
    if (end == std::string::npos) continue;
    const size_t at = in.find("\r\nContent-Length: ");
    const size_t length = at == std::string::npos || at > end ? 0 : std::stoul(in.substr(at + 18));
    if (in.size() >= end + 4 + length) return in;
  }
}

// Without what an answer that is given again says of itself, and without the date; a line that is cut off goes, too.
std::string lasting(std::string answer) {
  const size_t end = std::min(answer.find("\r\n\r\n"), answer.rfind("\r\n"));
  const std::string body = answer.find("\r\n\r\n") == std::string::npos ? "" : answer.substr(end + 4);
  std::string out;
  for (size_t at = 0; end != std::string::npos && at <= end;) {
    const size_t next = std::min(answer.find("\r\n", at), end);
    const std::string line = answer.substr(at, next - at);
    if (!line.starts_with("Date: ") && !line.starts_with("Idempotency-Replayed: ")) out += line + "\n";
    at = next + 2;
  }
  return out + body;
}

}  // namespace

TEST_CASE("HAZARDS QI10: an answer is cut at every byte, and the same request again gets it whole and does nothing") {
  TempDir dir;
  Server node(dir, "n1");
  node.more = {"--appendfsync", "no"};
  node.start_ready();
  DebugPipe debug(node.debug_port);
  struct Case {
    const char* method;
    const char* target;
    const char* type;
    const char* body;
  };
  // Each changes the key `a`, or the queue `q`.
  const Case cases[] = {
      {"PUT", "/kv/a", "text/plain", "of the first"},
      {"DELETE", "/kv/a", "text/plain", ""},
      {"POST", "/kv/n/incr", "text/plain", ""},
      {"POST", "/txn", "application/json", R"({"success":[{"put":{"key":"a","value":"of the first"}}]})"},
      {"POST", "/queues/q/events", "text/plain", "one"},
  };
  uint64_t number = 0;
  size_t cuts = 0;
  for (const Case& one : cases) {
    CAPTURE(one.method);
    CAPTURE(one.target);
    size_t length = 1;
    size_t at = 1;
    for (; at <= length; ++at) {
      CAPTURE(at);
      const std::string text = request_text(
          one.method, one.target,
          "Content-Type: " + std::string(one.type) + "\r\nIdempotency-Key: k" + std::to_string(++number) + "\r\n",
          one.body);
      REQUIRE(debug.one("SET a before") == "OK");
      const std::string had = cut(node, text, at);
      REQUIRE(had.size() == at);
      REQUIRE(debug.one("SET a newer") == "OK");
      const std::string again = whole(node, text);
      length = again.size() - std::string_view("Idempotency-Replayed: true\r\n").size();
      REQUIRE(again.find("\r\nIdempotency-Replayed: true\r\n") != std::string::npos);
      REQUIRE(lasting(again).starts_with(lasting(had)));
      REQUIRE(debug.one("GET a") == "newer");
      ++cuts;
    }
    CHECK(length > 60);
    if (std::string_view(one.target) == "/kv/n/incr") CHECK(node.redis("GET n") == std::to_string(at - 1));
    if (std::string_view(one.target) == "/queues/q/events") CHECK(node.redis("LLEN q") == std::to_string(at - 1));
  }
  CHECK(cuts > 500);
}

TEST_CASE("HAZARDS QI10: a removal with If-Match that is asked for again spares what came in between") {
  TempDir dir;
  Server node(dir, "n1");
  node.more = {"--appendfsync", "no"};
  node.start_ready();
  for (size_t at = 1; at <= 60; ++at) {
    CAPTURE(at);
    const Answer made = curl(dir, "-X PUT -d old " + node.url("/kv/a"));
    const std::string text = request_text("DELETE", "/kv/a", "If-Match: " + made.header("etag") + "\r\n", "");
    REQUIRE(cut(node, text, at).starts_with(std::string_view("HTTP/1.1 204").substr(0, at)));
    REQUIRE(curl(dir, "-X PUT -d newer " + node.url("/kv/a")).status == 201);
    REQUIRE(whole(node, text).starts_with("HTTP/1.1 412"));
    REQUIRE(node.get("/kv/a").body == "newer");
  }
}

}  // namespace wh::testing
