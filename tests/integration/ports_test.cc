// Every port against every wrong protocol (HAZARDS G5, I1: clients at the wrong port): the port closes, or answers an
// error of its own protocol, in bounded time. The log names the protocol and the address, and is not flooded. No other
// client notices, and no data changes.
#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "authority.h"
#include "harness.h"

namespace wh::testing {
namespace {

using Clock = std::chrono::steady_clock;

// A connection that sends some bytes and keeps its side open, and what comes of it.
class Caller {
 public:
  Caller(uint16_t port, std::string_view bytes) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    if (!bytes.empty())
      REQUIRE(send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
  }
  ~Caller() { close(fd_); }
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

  void say(std::string_view bytes) const {
    REQUIRE(send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
  }
  // Reads until the other side closes; false when it does not in time.
  bool closed(int patience_ms) {
    const auto deadline = Clock::now() + std::chrono::milliseconds(patience_ms);
    for (;;) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
      pollfd polled{fd_, POLLIN, 0};
      if (left < 0 || poll(&polled, 1, static_cast<int>(left)) == 0) return false;
      char buffer[4096];
      const ssize_t got = recv(fd_, buffer, sizeof buffer, 0);
      if (got == 0 || (got < 0 && errno == ECONNRESET)) return true;
      REQUIRE(got > 0);
      answer.append(buffer, static_cast<size_t>(got));
    }
  }
  // Whether an answer that contains `text` comes in time.
  bool answered(std::string_view text) {
    return eventually([&] {
      pollfd polled{fd_, POLLIN, 0};
      char buffer[4096];
      if (poll(&polled, 1, 0) == 1) {
        const ssize_t got = recv(fd_, buffer, sizeof buffer, 0);
        if (got > 0) answer.append(buffer, static_cast<size_t>(got));
      }
      return answer.find(text) != std::string::npos;
    });
  }

  std::string answer;

 private:
  int fd_;
};

struct Spoken {
  const char* what;  // as the log calls it; nullptr: nothing is sent
  std::string bytes;
};

// A whole request that would change something, in each of the protocols.
std::vector<Spoken> protocols() {
  using namespace std::string_literals;
  std::string random;
  uint32_t state = 1;
  for (int i = 0; i < 400; ++i) {
    state = state * 1'664'525 + 1'013'904'223;
    random += static_cast<char>((state >> 24) | 0x80);
  }
  return {
      {"HTTP", "POST /set?key=m&value=http HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"},
      {"HTTP", "GET /set?key=m&value=http HTTP/1.1\r\nHost: localhost\r\n\r\nSET m body\r\n"},
      // A ClientHello for TLS 1.2 with one cipher suite.
      {"TLS", "\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03"s + std::string(32, 'r') +
                  "\x00\x00\x02\xc0\x2b\x01\x00\x00\x00"s},
      {"Redis's protocol", "*3\r\n$3\r\nSET\r\n$1\r\nm\r\n$4\r\nresp\r\n"},
      {"the protocol of raft-port", "\xf0WHP\x10\x00\x00\x00\x00\x00\x00\x00\x42"s + std::string(15, 'x')},
      {"an unknown protocol", random},
      {"SSH", "SSH-2.0-OpenSSH_9.2p1\r\n"},
  };
}

struct Port {
  const char* name;
  uint16_t port;
  const char* own;    // the protocol it is for; "" for none of the list
  const char* error;  // how its own error begins
  const Server* server;
};

}  // namespace

TEST_CASE("HAZARDS G5, I1: every port against the protocols of the others") {
  const TempDir dir;
  const Authority authority(dir);
  authority.issue("secured", "DNS:secured,DNS:localhost,IP:127.0.0.1");
  Server plain(dir, "plain");
  Server secured(dir, "secured");
  secured.tls_port = secured.port;
  secured.more = {"--tls-cluster",      "yes",   "--tls-cert-file", "secured.pem", "--tls-key-file", "secured-key.pem",
                  "--tls-ca-cert-file", "ca.pem"};
  const uint16_t tls_debug_port = free_port();
  secured.more.insert(secured.more.end(), {"--tls-debug-port", std::to_string(tls_debug_port)});
  plain.start_ready();
  secured.start_ready();
  // Those who must not notice.
  const std::string request = "GET /get?key=m HTTP/1.1\r\nHost: localhost\r\n\r\n";
  Caller http(plain.port, request);
  Caller debug(plain.debug_port, "PING\r\n");
  CHECK(http.answered("404"));
  CHECK(debug.answered("+PONG"));
  const auto digest = [](const Server& server) {
    return sh(TempDir(),
              "redis-cli -p " + std::to_string(server.debug_port) + " INFO raft | grep -e state_digest -e term")
        .out;
  };
  const std::string before_plain = digest(plain);
  const std::string before_secured = digest(secured);

  const Port ports[] = {{"HTTP", plain.port, "HTTP", "HTTP/1.1 400", &plain},
                        {"HTTPS", secured.tls_port, "TLS", "HTTP/1.1 400", &secured},
                        {"raft", plain.raft_port, "the protocol of raft-port", "", &plain},
                        {"raft under TLS", secured.raft_port, "TLS", "", &secured},
                        {"debug", plain.debug_port, "Redis's protocol", "", &plain},
                        {"debug under TLS", tls_debug_port, "TLS", "-ERR this port speaks TLS", &secured}};
  for (const Port& port : ports) {
    for (const Spoken& spoken : protocols()) {
      if (std::string(port.own) == spoken.what) continue;
      CAPTURE(port.name);
      CAPTURE(spoken.what);
      Caller caller(port.port, spoken.bytes);
      // To the debug port a line of text is a command that it does not know, as to Redis.
      if (std::string(port.name) == "debug" && std::string(spoken.what) == "SSH") {
        CHECK(caller.answered("-ERR unknown command"));
        continue;
      }
      CHECK(caller.closed(kPatienceMs));
      CAPTURE(caller.answer);
      // To a member that speaks no TLS it says, in plain, that this is what is wrong.
      const bool greeted = std::string(port.name) == "raft under TLS" && spoken.bytes.starts_with("\xf0WHP");
      if (!greeted) CHECK((caller.answer.empty() || (*port.error != '\0' && caller.answer.starts_with(port.error))));
    }
  }
  // The damaged frame of the raft port's own protocol, and a TLS client without a certificate.
  Caller damaged(plain.raft_port, protocols()[4].bytes);
  CHECK(damaged.closed(kPatienceMs));
  CHECK(damaged.answer.empty());
  // Under TLS 1.3 the client hears of it only when it reads on.
  CHECK(
      sh(dir, "openssl s_client -ign_eof -connect 127.0.0.1:" + std::to_string(secured.raft_port) + " </dev/null 2>&1")
          .status != 0);

  http.answer.clear();
  debug.answer.clear();
  http.say(request);
  debug.say("PING\r\n");
  CHECK(http.answered("404"));
  CHECK(debug.answered("+PONG"));
  CHECK(digest(plain) == before_plain);
  CHECK(digest(secured) == before_secured);
  // What came, and from where; not a line for each.
  for (const char* line : {"from 127.0.0.1 to the HTTP port was closed: it speaks TLS, not HTTP",
                           "from 127.0.0.1 to the raft port was closed: it speaks HTTP, not the protocol of this port",
                           "debug port: closed the connection from 127.0.0.1, as it speaks another protocol: "})
    CHECK_MESSAGE(eventually([&] { return count_of(plain.log(), line) >= 1; }), line);
  for (const char* line : {"from 127.0.0.1 to the HTTPS port was closed: it speaks HTTP, not TLS",
                           "from 127.0.0.1 to the raft port was closed: it speaks HTTP, not TLS"})
    CHECK_MESSAGE(eventually([&] { return count_of(secured.log(), line) >= 1; }), line);
  CHECK(count_of(plain.log(), "closed") < 3 * (protocols().size() - 1));
}

TEST_CASE("HAZARDS H10: who connects and says nothing is closed in bounded time") {
  const TempDir dir;
  const Authority authority(dir);
  authority.issue("node", "DNS:node");
  Server server(dir, "node");
  const uint16_t tls_port = free_port();
  const uint16_t tls_debug_port = free_port();
  server.more = {"--tls-cert-file",  "node.pem",
                 "--tls-key-file",   "node-key.pem",
                 "--tls-port",       std::to_string(tls_port),
                 "--tls-debug-port", std::to_string(tls_debug_port),
                 "--timeout",        "2"};
  server.start();
  // Before it knows who it is, it takes no peer.
  REQUIRE(eventually([&] { return server.log().find("elected leader") != std::string::npos; }));
  Caller http(server.port, "");
  Caller https(tls_port, "");
  Caller raft(server.raft_port, "");
  Caller debug(server.debug_port, "");
  Caller tls_debug(tls_debug_port, "");
  for (Caller* caller : {&http, &debug, &raft, &https, &tls_debug}) {
    CHECK(caller->closed(kPatienceMs));
    CHECK(caller->answer.empty());
  }
  // It closes first, and then says so.
  CHECK(eventually(
      [&] { return server.log().find("to the raft port was closed: it did not greet in time") != std::string::npos; }));
}

TEST_CASE("HAZARDS J5: a handshake that stops is closed in bounded time, on each port, and keeps nobody out") {
  const TempDir dir;
  const Authority authority(dir);
  authority.issue("node", "DNS:localhost,IP:127.0.0.1");
  Server server(dir, "node");
  const uint16_t tls_port = free_port();
  const uint16_t tls_debug_port = free_port();
  server.more = {"--tls-cert-file",  "node.pem",
                 "--tls-key-file",   "node-key.pem",
                 "--tls-port",       std::to_string(tls_port),
                 "--tls-debug-port", std::to_string(tls_debug_port)};
  server.start_ready();
  // The beginning of a ClientHello.
  const std::string_view beginning("\x16\x03\x01\x00\x2f\x01\x00", 7);
  Caller https(tls_port, beginning);
  Caller debug(tls_debug_port, beginning);
  CHECK(sh(dir, "redis-cli --tls --cacert ca.pem -p " + std::to_string(tls_debug_port) + " PING").out == "PONG\n");
  for (Caller* caller : {&https, &debug}) {
    CHECK(caller->closed(kPatienceMs));
    CHECK(caller->answer.empty());
  }
  // One line tells of both.
  CHECK(eventually([&] { return has(server.log(), " port was closed: the TLS handshake took too long"); }));
}

}  // namespace wh::testing
