// What strangers without a password can do to each port with connections alone. Honest clients are served, the leader
// stays, files still get descriptors, and health checks and the operator get in. The test prints honest clients'
// waiting times before, during and after; WORMHOLE_SOAK=1 makes it longer.
#include <algorithm>
#include <arpa/inet.h>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <deque>
#include <fcntl.h>
#include <filesystem>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include <doctest/doctest.h>

#include "../soak.h"
#include "authority.h"
#include "load_support.h"

namespace wh::testing {
namespace {

// As many as this process may open, and how many of them an attack may hold.
size_t many_descriptors() {
  rlimit limit{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = limit.rlim_max;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  return std::min<size_t>(4'500, limit.rlim_cur / 2);
}

int seconds_of_attack() { return soak() ? 60 : 4; }

// A connection that is begun and not waited for; -1 when there is no descriptor.
int begin_connect(uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  (void)::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  return fd;
}

// Strangers: opens connections to the ports in turn, so many a second, and keeps the newest `held` of them open. What
// each says is `opening`; with `trickle` one byte of it each second.
class Strangers {
 public:
  struct Conduct {
    std::vector<uint16_t> ports;
    size_t a_second = 1'000;
    size_t held = 700;
    std::string opening = {};
    bool trickle = false;
  };
  explicit Strangers(Conduct conduct) : conduct_(std::move(conduct)), thread_([this] { run(); }) {}
  ~Strangers() {
    stop_ = true;
    thread_.join();
    for (const Open& each : open_) ::close(each.fd);
  }
  Strangers(const Strangers&) = delete;
  Strangers& operator=(const Strangers&) = delete;
  [[nodiscard]] size_t made() const { return made_; }

 private:
  struct Open {
    int fd;
    size_t sent;
  };
  void run() {
    const auto begun = LoadClock::now();
    auto trickled = begun;
    while (!stop_) {
      const auto due = static_cast<size_t>(ms_since(begun) * static_cast<double>(conduct_.a_second) / 1000);
      while (made_ < due && !stop_) {
        const int fd = begin_connect(conduct_.ports[made_ % conduct_.ports.size()]);
        ++made_;
        if (fd < 0) continue;
        open_.push_back({fd, 0});
        if (open_.size() > conduct_.held) {
          ::close(open_.front().fd);
          open_.pop_front();
        }
      }
      if (!conduct_.trickle && !conduct_.opening.empty())
        for (size_t i = open_.size(); i-- > 0 && open_[i].sent == 0;)
          if (::send(open_[i].fd, conduct_.opening.data(), conduct_.opening.size(), MSG_NOSIGNAL) > 0)
            open_[i].sent = conduct_.opening.size();
      if (conduct_.trickle && ms_since(trickled) >= 1000) {
        trickled = LoadClock::now();
        for (Open& each : open_)
          if (::send(each.fd, &conduct_.opening[each.sent % conduct_.opening.size()], 1, MSG_NOSIGNAL) == 1)
            ++each.sent;
      }
      ::poll(nullptr, 0, 2);
    }
  }

  Conduct conduct_;
  std::deque<Open> open_;
  std::atomic<size_t> made_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

// Lowers this process's soft limit of descriptors while it lives, for what is started meanwhile.
class SoftLimit {
 public:
  explicit SoftLimit(rlim_t soft) {
    REQUIRE(getrlimit(RLIMIT_NOFILE, &before_) == 0);
    rlimit lowered = before_;
    lowered.rlim_cur = soft;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &lowered) == 0);
  }
  ~SoftLimit() { setrlimit(RLIMIT_NOFILE, &before_); }
  SoftLimit(const SoftLimit&) = delete;
  SoftLimit& operator=(const SoftLimit&) = delete;

 private:
  rlimit before_{};
};

// Writes, one after the other on new connections and kept ones in turn, until `enough`; how long each took.
struct Waits {
  std::vector<double> ms;
  size_t failed = 0;
  size_t sent = 0;
};
Waits write_until(const Server& to, const std::function<bool(size_t)>& enough) {
  Waits waits;
  HttpClient kept(10'000);
  while (!enough(waits.sent)) {
    const auto begun = LoadClock::now();
    const std::string body = "{\"k" + std::to_string(waits.sent % 50) + "\":\"value\"}";
    HttpReply reply;
    // An idle connection that gave way is made anew, as every client library does.
    for (int tries = 0; tries < 5 && reply.status == 0; ++tries) {
      HttpClient fresh(10'000);
      HttpClient& client = waits.sent % 2 == 0 && tries == 0 ? kept : fresh;
      reply = client.follow(to.port, "POST", "/key", "Content-Type: application/json\r\n", body);
    }
    ++waits.sent;
    if (reply.status / 100 == 2)
      waits.ms.push_back(ms_since(begun));
    else
      ++waits.failed;
  }
  return waits;
}

std::string in_figures(const Waits& waits) {
  return std::to_string(waits.ms.size()) + " writes, p50 " + in_ms(percentile(waits.ms, 0.5)) + ", p99 " +
         in_ms(percentile(waits.ms, 0.99)) + ", " + std::to_string(waits.failed) + " failed";
}

// A TLS 1.2 ClientHello with one suite, P-256 and an ECDSA signature: the server answers with its certificate and a
// signature, and waits for what never comes.
std::string client_hello() {
  std::string body = std::string("\x03\x03", 2) + std::string(32, 'r') + std::string("\x00", 1) +
                     std::string("\x00\x02\xc0\x2b\x01\x00", 6);
  const std::string extensions = std::string("\x00\x0a\x00\x04\x00\x02\x00\x17", 8) +
                                 std::string("\x00\x0b\x00\x02\x01\x00", 6) +
                                 std::string("\x00\x0d\x00\x04\x00\x02\x04\x03", 8);
  body += std::string(1, '\0') + static_cast<char>(extensions.size()) + extensions;
  const auto size = static_cast<char>(body.size());
  const std::string handshake = std::string("\x01\x00\x00", 3) + size + body;
  return std::string("\x16\x03\x01\x00", 4) + static_cast<char>(handshake.size()) + handshake;
}

bool ready_tls(const TempDir& dir, const Server& server) {
  return curl(dir, "-k --max-time 20 " + server.url("/readyz")).status == 200;
}

// HTTPS clients, one after the other, each with a handshake of its own.
Waits handshakes(const TempDir& dir, const Server& server, const std::function<bool(size_t)>& enough) {
  Waits waits;
  while (!enough(waits.sent)) {
    const auto begun = LoadClock::now();
    const Answer answer = curl(dir, "-k --max-time 40 " + server.url("/healthz"));
    ++waits.sent;
    if (answer.status == 200)
      waits.ms.push_back(ms_since(begun));
    else
      ++waits.failed;
  }
  return waits;
}

}  // namespace

TEST_CASE("HAZARDS H19: connections alone, to all ports of all nodes: all live, the leader stays, writes go on") {
  const size_t held = many_descriptors();
  // A soft limit that holds maxclients, but not what is needed beside: it is raised.
  std::optional<SoftLimit> limit(std::in_place, 256);
  const Trio trio({"--maxclients", "200", "--raft-snapshot-entries", "100", "--cluster-secret", "held by all"});
  limit.reset();
  Server& leader = await_leader(trio.all);
  const uint64_t term = info_number(leader, "term");
  const Waits before = write_until(leader, [](size_t sent) { return sent >= 200; });
  uint64_t most_used = 0;
  uint64_t used_limit = 0;
  Waits during;
  {
    std::vector<uint16_t> ports;
    for (const Server* server : trio.all)
      for (const uint16_t port : {server->port, server->raft_port, server->debug_port}) ports.push_back(port);
    Strangers strangers({.ports = ports, .a_second = soak() ? 3'000u : 1'500u, .held = held});
    const auto begun = LoadClock::now();
    during = write_until(leader, [&](size_t sent) {
      if (sent % 50 == 0)
        for (const Server* server : trio.all) {
          most_used = std::max(most_used, info_number(*server, "descriptors_used"));
          used_limit = std::max(used_limit, info_number(*server, "descriptors_limit"));
        }
      return sent >= 450 && ms_since(begun) >= seconds_of_attack() * 1000;
    });
    figure("strangers made " + std::to_string(strangers.made()) + " connections");
  }
  const Waits after = write_until(leader, [](size_t sent) { return sent >= 200; });
  figure("before: " + in_figures(before));
  figure("during: " + in_figures(during) + "; descriptors " + std::to_string(most_used) + " of " +
         std::to_string(used_limit));
  figure("after: " + in_figures(after));
  CHECK(during.failed == 0);
  CHECK(before.failed + after.failed == 0);
  // All of them, and from the beginning: no restart, no new leader.
  for (Server* server : trio.all) {
    CHECK(server->running());
    CHECK(info_number(*server, "term") == term);
    CHECK(info_number(*server, "evicted_clients") > 0);
    CHECK(info_number(*server, "evicted_strangers") > 0);
  }
  CHECK(most_used > 0);
  CHECK(most_used < used_limit);
  // Snapshots fell due meanwhile, at the same index on each.
  CHECK(eventually([&] {
    return std::all_of(trio.all.begin(), trio.all.end(),
                       [](const Server* server) { return count_of(server->log(), "took a snapshot") >= 3; });
  }));
}

TEST_CASE("HAZARDS H19: descriptors that are all gone, at any moment, end nothing: what needs one is done later") {
  const TempDir dir;
  Server server(dir, "only");
  server.more = {"--raft-snapshot-entries", "50"};
  server.start_ready();
  HttpClient kept(10'000);
  const auto write = [&] {
    return kept.request(server.port, "POST", "/key", "Content-Type: application/json\r\n", "{\"k\":\"v\"}").status;
  };
  REQUIRE(write() / 100 == 2);
  const auto limit_to = [&](rlim_t soft) {
    rlimit limit{};
    REQUIRE(prlimit(server.pid(), RLIMIT_NOFILE, nullptr, &limit) == 0);
    limit.rlim_cur = soft;
    REQUIRE(prlimit(server.pid(), RLIMIT_NOFILE, &limit, nullptr) == 0);
  };
  // No descriptor at all from here on: those that are open stay.
  limit_to(3);
  size_t written = 0;
  for (int i = 0; i < 300; ++i) written += write() / 100 == 2 ? 1 : 0;
  CHECK(written == 300);
  REQUIRE(eventually([&] {
    return server.log().find("out of file descriptors or memory for a snapshot: trying again") != std::string::npos;
  }));
  // A reload opens files too: it says so and goes on.
  REQUIRE(server.signal(SIGHUP));
  CHECK(kept.request(server.port, "GET", "/backup").status == 503);
  for (int i = 0; i < 50; ++i) CHECK(write() / 100 == 2);
  CHECK(server.running());
  CHECK(count_of(server.log(), "took a snapshot") == 0);
  limit_to(1'000);
  CHECK(eventually([&] { return count_of(server.log(), "took a snapshot") > 0; }));
  CHECK(eventually([&] { return server.ready(); }));
  CHECK(server.stop() == 0);
}

TEST_CASE("a limit of descriptors that is too low for maxclients stops the start, and says how many are needed") {
  const TempDir dir;
  Server server(dir, "only");
  const auto start = [&](int limit, int maxclients) {
    return sh(dir, "ulimit -n " + std::to_string(limit) + " && exec " WORMHOLE_SERVER " --node-id n --dir d --port " +
                       std::to_string(server.port) + " --raft-port " + std::to_string(server.raft_port) +
                       " --debug-port " + std::to_string(server.debug_port) + " --maxclients " +
                       std::to_string(maxclients));
  };
  const Output refused = start(300, 200);
  CHECK(refused.status == 1);
  CHECK(refused.err.find("maxclients 200 needs ") != std::string::npos);
  CHECK(refused.err.find("may have 300") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(dir.path("d")));  // before anything was made
  const size_t at = refused.err.find("needs ");
  REQUIRE(at != std::string::npos);
  const int needed = std::stoi(refused.err.substr(at + 6));
  CHECK(start(needed - 1, 200).status == 1);
  // So many are enough; a hard limit that low is no reason to warn.
  server.more = {"--maxclients", "200"};
  server.program = "/bin/sh";
  server.arguments = {{"-c", "ulimit -n " + std::to_string(needed) +
                                 " && exec " WORMHOLE_SERVER " --node-id n --dir d --maxclients 200 --port " +
                                 std::to_string(server.port) + " --raft-port " + std::to_string(server.raft_port) +
                                 " --debug-port " + std::to_string(server.debug_port)}};
  server.start_ready();
  // At run time the same holds, and nothing changes.
  CHECK(server.redis("CONFIG SET maxclients 100000").find("maxclients 100000 needs ") != std::string::npos);
  CHECK(server.redis("CONFIG GET maxclients").find("200") != std::string::npos);
  CHECK(server.redis("CONFIG SET maxclients 100") == "OK");
}

TEST_CASE(
    "HAZARDS H19: at maxclients the idle give way; health checks and the debug port work, whatever is in flight") {
  const Trio trio({"--maxclients", "20", "--request-timeout", "20000"});
  Server& node = await_leader(trio.all);
  const auto health = [&] {
    return sh(trio.dir, WORMHOLE_SERVER " --check-health --port " + std::to_string(node.port) + " --raft-port " +
                            std::to_string(node.raft_port) + " --debug-port " + std::to_string(node.debug_port))
        .status;
  };
  std::vector<Socket> idle;
  for (int i = 0; i < 60; ++i) idle.emplace_back(node.port, 5'000);
  CHECK(health() == 0);
  CHECK(node.get("/healthz").status == 200);
  CHECK(node.get("/readyz").status == 200);
  CHECK(node.redis("PING") == "PONG");
  CHECK(curl(trio.dir, "-d '{\"k\":\"v\"}' " + node.url("/key")).status / 100 == 2);
  // The oldest gave way, the newest are there.
  CHECK(eventually([&] { return idle.front().stale(); }));
  CHECK_FALSE(idle.back().stale());
  CHECK(info_number(node, "evicted_clients") >= 40);
  CHECK(info_number(node, "connected_clients") <= 20);
  idle.clear();
  // Until the node has seen that, the next ones find the house full, and the first of them idle.
  CHECK(eventually([&] { return info_number(node, "connected_clients") <= 2; }));

  // Without a majority reads wait: twenty in flight, of which none gives way.
  for (Server* other : others(trio.all, node)) other->signal(SIGSTOP);
  std::vector<Socket> busy;
  for (int i = 0; i < 20; ++i) {
    busy.emplace_back(node.port, 60'000);
    CHECK(busy.back().send_all("GET /key/k HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  }
  REQUIRE(eventually([&] { return node.get("/key/k?consistency=stale").status == 503; }));
  const Answer turned_away = node.get("/key/k?consistency=stale");
  CHECK(turned_away.body.find("maxclients") != std::string::npos);
  CHECK(health() == 0);
  CHECK(node.get("/healthz").status == 200);
  CHECK(node.redis("PING") == "PONG");
  CHECK(info_number(node, "rejected_connections") > 0);
  // A crowd that is silent keeps no health check out either.
  std::vector<Socket> silent;
  for (int i = 0; i < 100; ++i) silent.emplace_back(node.port, 5'000);
  CHECK(health() == 0);
  CHECK(node.redis("PING") == "PONG");
  for (Server* other : others(trio.all, node)) other->signal(SIGCONT);
  for (Socket& each : busy) {
    std::string answer;
    while (answer.find("\r\n\r\n") == std::string::npos && each.receive(answer)) {
    }
    CHECK(answer.starts_with("HTTP/1.1 "));
  }
}

TEST_CASE("HAZARDS H19: at maxclients who takes none of its answers, or does not end its request, gives way") {
  constexpr size_t kCrowd = 20;
  const TempDir dir;
  Server node(dir, "only");
  node.more = {"--maxclients", std::to_string(kCrowd)};
  node.start_ready();
  const std::string request = "GET /key/k HTTP/1.1\r\nHost: localhost\r\n\r\n";
  std::string requests;
  for (int i = 0; i < 1'000; ++i) requests += request;
  std::vector<Socket> crowd;
  for (size_t i = 0; i < kCrowd; ++i) crowd.emplace_back(node.port, 5'000);
  SUBCASE("answers") {
    // Until the node takes no more of the requests, as nobody takes the answers.
    std::vector<size_t> sent(kCrowd);
    const auto begun = LoadClock::now();
    for (auto moved = begun; ms_since(moved) < 500 && ms_since(begun) < 30'000; ::poll(nullptr, 0, 1))
      for (size_t i = 0; i < kCrowd; ++i) {
        const ssize_t some = crowd[i].send_some(std::string_view(requests).substr(sent[i] % request.size()));
        if (some <= 0) continue;
        sent[i] += static_cast<size_t>(some);
        moved = LoadClock::now();
      }
    CHECK(ms_since(begun) < 30'000);
  }
  SUBCASE("requests") {
    for (const Socket& each : crowd) CHECK(each.send_some(request.substr(0, 20)) == 20);
  }
  CHECK(eventually([&] { return node.get("/key/k").status == 404; }));
  CHECK(info_number(node, "evicted_clients") > 0);
}

TEST_CASE("HAZARDS J5: silent, trickling and greeting connections do not shut out HTTPS clients") {
  const TempDir dir;
  const Authority authority(dir);
  authority.issue("server", "DNS:localhost,IP:127.0.0.1");
  Server server(dir, "only");
  server.tls_port = server.port;
  server.more = {"--tls-cert-file", "server.pem", "--tls-key-file", "server-key.pem"};
  server.start();
  REQUIRE(eventually([&] { return ready_tls(dir, server); }));
  const Waits before = handshakes(dir, server, [](size_t sent) { return sent >= 20; });
  figure("HTTPS before: p50 " + in_ms(percentile(before.ms, 0.5)) + ", p99 " + in_ms(percentile(before.ms, 0.99)));
  struct Attack {
    const char* name;
    Strangers::Conduct conduct;
  };
  const std::string hello = client_hello();
  const Attack attacks[] = {
      {"silent", {.ports = {server.tls_port}, .a_second = 500, .held = 1'000}},
      {"trickling", {.ports = {server.tls_port}, .a_second = 500, .held = 1'000, .opening = hello, .trickle = true}},
      {"greeting, then silent", {.ports = {server.tls_port}, .a_second = 31, .held = 1'000, .opening = hello}},
  };
  for (const Attack& attack : attacks) {
    const std::string name = attack.name;
    CAPTURE(name);
    const Strangers strangers(attack.conduct);
    REQUIRE(eventually([&] { return strangers.made() >= attack.conduct.a_second; }));
    const auto begun = LoadClock::now();
    const Waits during = handshakes(
        dir, server, [&](size_t sent) { return sent >= 20 && ms_since(begun) >= seconds_of_attack() * 500; });
    figure("HTTPS, " + name + ": " + std::to_string(during.ms.size()) + " served, p50 " +
           in_ms(percentile(during.ms, 0.5)) + ", p99 " + in_ms(percentile(during.ms, 0.99)) + ", " +
           std::to_string(during.failed) + " failed");
    CHECK(during.failed == 0);
  }
  CHECK(info_number(server, "evicted_handshakes") > 0);
  const Waits after = handshakes(dir, server, [](size_t sent) { return sent >= 20; });
  figure("HTTPS after: p50 " + in_ms(percentile(after.ms, 0.5)) + ", p99 " + in_ms(percentile(after.ms, 0.99)));
  CHECK(after.failed == 0);
}

TEST_CASE("HAZARDS J5: a raft port under a flood of connects lets a restarted member in, under TLS and in plain") {
  bool tls = false;
  bool greeting = false;
  SUBCASE("in plain") {}
  SUBCASE("TLS, silent") { tls = true; }
  SUBCASE("TLS, greeting") { tls = greeting = true; }
  CAPTURE(tls);
  const Trio trio({"--cluster-secret", "held by all"}, [&](Trio& t, Server& server) {
    if (tls) {
      if (&server == &t.a) {
        const Authority authority(t.dir);
        for (const Server* each : t.all) authority.issue(each->name, "DNS:" + each->name + ",IP:127.0.0.1");
      }
      server.more.insert(server.more.end(),
                         {"--tls-cluster", "yes", "--tls-cert-file", server.name + ".pem", "--tls-key-file",
                          server.name + "-key.pem", "--tls-ca-cert-file", "ca.pem"});
    }
  });
  Server& leader = await_leader(trio.all);
  const uint64_t term = info_number(leader, "term");
  Server& follower = *others(trio.all, leader).front();
  follower.kill();
  std::vector<uint16_t> ports;
  for (const Server* server : others(trio.all, follower)) ports.push_back(server->raft_port);
  const size_t a_second = kSanitized ? 500 : 2'500;
  const Strangers strangers(
      {.ports = ports, .a_second = a_second, .held = 2'000, .opening = greeting ? client_hello() : std::string()});
  REQUIRE(eventually([&] { return strangers.made() >= a_second; }));
  const auto begun = LoadClock::now();
  follower.start();
  CHECK(eventually([&] { return follower.ready(); }));
  figure(std::string(greeting ? "TLS, greeting"
                     : tls    ? "TLS"
                              : "plain") +
         ": a restarted member was in after " + in_ms(ms_since(begun)) + " under " + std::to_string(strangers.made()) +
         " connects");
  CHECK(info_number(leader, "term") == term);
}

}  // namespace wh::testing
