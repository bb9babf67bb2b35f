// Strangers without a password request much and read nothing, or send requests that never end. Honest clients are
// served, the leader stays, and memory stays within client-buffer-limit and is freed afterwards. A hundred strangers
// here, a thousand at full length.
#include <algorithm>
#include <atomic>
#include <fstream>
#include <memory>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "../soak.h"
#include "load_support.h"

namespace wh::testing {
namespace {

constexpr uint64_t kMb = 1 << 20;

uint64_t resident_mb(const Server& server) {
  std::ifstream status("/proc/" + std::to_string(server.pid()) + "/status");
  std::string word;
  while (status >> word)
    if (word == "VmRSS:") {
      uint64_t kb = 0;
      status >> kb;
      return kb / 1024;
    }
  return 0;
}

void raise_descriptors() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)setrlimit(RLIMIT_NOFILE, &limit);
}

// One client that writes and reads small values, one request at a time, and notes how long each took.
class Honest {
 public:
  explicit Honest(uint16_t port) : thread_([this, port] { run(port); }) {}
  ~Honest() { stop(); }
  Honest(const Honest&) = delete;
  Honest& operator=(const Honest&) = delete;
  void stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  [[nodiscard]] size_t served() const { return served_; }
  // After stop().
  std::vector<double> latencies_ms;
  size_t failed = 0;
  std::string failure;  // the last

 private:
  void run(uint16_t port) {
    HttpClient client;
    for (size_t i = 0; !stop_; ++i) {
      const auto begun = LoadClock::now();
      const HttpReply reply = i % 2 == 0 ? client.request(port, "POST", "/set?key=small&value=" + std::to_string(i))
                                         : client.request(port, "GET", "/get?key=small");
      if (reply.status == 200) {
        latencies_ms.push_back(ms_since(begun));
      } else {
        ++failed;
        failure = "request " + std::to_string(i) + ": status " + std::to_string(reply.status) + " after " +
                  in_ms(ms_since(begun)) + " " + reply.body;
      }
      ++served_;
    }
  }
  std::atomic<bool> stop_{false};
  std::atomic<size_t> served_{0};
  std::thread thread_;
};

// What honest clients see, and the server's memory, while `during` goes on and until so many requests were served.
struct Seen {
  double p50 = 0;
  double p99 = 0;
  size_t failed = 0;
  std::string failure;
  uint64_t peak_mb = 0;
};
Seen watch(
    const Server& server, size_t requests, const std::function<bool()>& during = [] { return true; }) {
  Honest honest(server.port);
  Seen seen;
  eventually(
      [&] {
        seen.peak_mb = std::max(seen.peak_mb, resident_mb(server));
        return during() && honest.served() >= requests;
      },
      4 * kPatienceMs);
  honest.stop();
  seen.p50 = percentile(honest.latencies_ms, 0.5);
  seen.p99 = percentile(honest.latencies_ms, 0.99);
  seen.failed = honest.failed;
  seen.failure = honest.failure;
  return seen;
}

std::string in_words(const Seen& seen) {
  return "p50 " + in_ms(seen.p50) + ", p99 " + in_ms(seen.p99) + ", at most " + std::to_string(seen.peak_mb) + " MB" +
         (seen.failed == 0 ? "" : ", " + std::to_string(seen.failed) + " failed, the last " + seen.failure);
}

std::string repeated(const std::string& text, size_t times) {
  std::string all;
  for (size_t i = 0; i < times; ++i) all += text;
  return all;
}

// Connections that send `bytes(i)` and read nothing.
std::vector<Socket> strangers(size_t count, const std::function<uint16_t(size_t)>& port,
                              const std::function<std::string(size_t)>& bytes) {
  std::vector<Socket> sockets;
  for (size_t i = 0; i < count; ++i) {
    sockets.emplace_back(port(i), 20'000);
    if (sockets.back().ok()) (void)sockets.back().send_some(bytes(i));
  }
  return sockets;
}

// The least that five times the quiet p99 is taken for: a busy machine delays anybody so long.
const double kLeastBoundMs = soak() ? 150 : 1'000;

}  // namespace

TEST_CASE("strangers who pipeline large answers and read nothing: honest clients go on, the leader stays") {
  raise_descriptors();
  const size_t count = soak() ? 1000 : 120;
  const size_t requests = soak() ? 3000 : 400;
  Trio nodes({"--client-buffer-limit", "64mb", "--raft-election-timeout", kSteadyElectionTimeout});
  Server& leader = await_leader(nodes.all);
  HttpClient client;
  REQUIRE(client
              .request(leader.port, "POST", "/keys/big", "Content-Type: application/json\r\n",
                       R"({"value":")" + std::string(1'000'000, 'v') + "\"}")
              .status == 200);
  const uint64_t term = info_number(leader, "term");
  const Seen before = watch(leader, requests);

  const std::string by_http = repeated("GET /get?key=big HTTP/1.1\r\nHost: localhost\r\n\r\n", 64);
  const std::string as_json = repeated("GET /keys/big HTTP/1.1\r\nHost: localhost\r\n\r\n", 64);
  const std::string metrics = repeated("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 64);
  const std::string by_debug = repeated("GET big\r\nINFO everything\r\nCONFIG GET *\r\n", 64);
  std::vector<Socket> crowd;
  std::atomic<bool> there{false};
  std::thread come([&] {
    crowd = strangers(
        count, [&](size_t i) { return i % 4 == 3 ? leader.debug_port : leader.port; },
        [&](size_t i) {
          const std::string* const all[] = {&by_http, &metrics, &as_json, &by_debug};
          return *all[i % 4];
        });
    there = true;
  });
  const Seen during = watch(leader, requests, [&] { return there.load(); });
  come.join();
  const uint64_t held_mb = info_number(leader, "client_buffer_bytes") / kMb;
  const uint64_t peak_mb = info_number(leader, "client_buffer_peak_bytes") / kMb;
  CHECK(leader.cluster_field("role") == "leader");
  CHECK(info_number(leader, "term") == term);
  const uint64_t longest_ms = info_number(leader, "loop_longest_turn_us") / 1000;
  crowd.clear();
  const Seen after = watch(leader, requests);

  figure(std::to_string(count) + " clients that read nothing: before " + in_words(before));
  figure("during " + in_words(during) + "; they hold " + std::to_string(held_mb) + " MB, " + std::to_string(peak_mb) +
         " MB at most; longest turn " + std::to_string(longest_ms) + " ms; term " + std::to_string(term) +
         " all along");
  figure("after " + in_words(after));
  CHECK(before.failed + during.failed + after.failed == 0);
  CHECK(during.p99 < std::max(5 * before.p99, kLeastBoundMs));
  // A turn that passes the limit does a step more in each of its parts; here a step makes one answer of 1 MB.
  CHECK(peak_mb <= 64 + 6);
  // Beside what they hold of input and answers, each costs some 16 kB.
  if (!kSanitized) CHECK(during.peak_mb < before.peak_mb + 64 * 3 / 2 + 32 + count / 64);
  CHECK(eventually([&] { return info_number(leader, "client_buffer_bytes") < kMb; }));
}

TEST_CASE("bodies of which the end never comes: within the limit, the largest are cut with 503, memory comes back") {
  raise_descriptors();
  const size_t count = soak() ? 1200 : 120;
  const uint64_t limit_mb = soak() ? 256 : 32;
  const size_t requests = soak() ? 3000 : 400;
  TempDir dir;
  Server node(dir, "n1");
  node.more = {"--client-buffer-limit", std::to_string(limit_mb) + "mb"};
  node.start_ready();
  const Seen before = watch(node, requests);

  const std::string head =
      "POST /event HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 950000\r\n\r\n";
  const std::string body(900'000, 'b');
  std::vector<Socket> crowd;
  std::atomic<bool> there{false};
  std::thread come([&] {
    for (size_t i = 0; i < count; ++i) crowd.emplace_back(node.port, 20'000);
    // Each gets rid of what is taken; those that the server does not read for now are tried again.
    std::vector<size_t> sent(count, 0);
    const std::string all = head + body;
    eventually([&] {
      size_t left = 0;
      for (size_t i = 0; i < count; ++i) {
        if (sent[i] >= all.size()) continue;
        const ssize_t now = crowd[i].send_some(std::string_view(all).substr(sent[i]));
        sent[i] = now < 0 ? all.size() : sent[i] + static_cast<size_t>(now);
        if (sent[i] < all.size()) ++left;
      }
      return left == 0;
    });
    there = true;
  });
  // Who is not read for want of memory waits; who has not moved for a second goes.
  const Seen during =
      watch(node, requests, [&] { return there.load() && info_number(node, "client_buffer_cuts") > 0; });
  come.join();
  const uint64_t peak_mb = info_number(node, "client_buffer_peak_bytes") / kMb;
  const uint64_t cuts = info_number(node, "client_buffer_cuts");
  size_t told = 0;
  for (Socket& socket : crowd) {
    std::string answer;
    if (socket.stale() && socket.receive(answer) && answer.find(" 503 ") != std::string::npos) ++told;
  }
  // What is left is closed; a minute is what memory has to come back.
  crowd.clear();
  CHECK(eventually([&] { return info_number(node, "client_buffer_bytes") < kMb; }));
  uint64_t back_mb = resident_mb(node);
  if (!kSanitized)
    CHECK(eventually(
        [&] {
          back_mb = resident_mb(node);
          return back_mb <= before.peak_mb * 3 / 2 + 8;
        },
        60'000));
  const Seen after = watch(node, requests);

  figure(std::to_string(count) + " half-sent bodies of 900 kB, limit " + std::to_string(limit_mb) + " MB: before " +
         in_words(before));
  figure("during " + in_words(during) + "; they held " + std::to_string(peak_mb) + " MB at most, " +
         std::to_string(cuts) + " were cut, " + std::to_string(told) + " read their 503");
  figure("after " + in_words(after) + ", " + std::to_string(back_mb) + " MB within a minute");
  CHECK(before.failed + during.failed + after.failed == 0);
  CHECK(during.p99 < std::max(5 * before.p99, kLeastBoundMs));
  CHECK(peak_mb <= limit_mb + 8);  // what one turn may add
  if (!kSanitized) CHECK(during.peak_mb < before.peak_mb + limit_mb * 3 / 2 + 16);
  CHECK(cuts > 0);
  CHECK(told > 0);
}

TEST_CASE("a long queue that was drained: its memory comes back within a minute") {
  const size_t events = soak() ? 1'000'000 : 60'000;
  TempDir dir;
  Server node(dir, "n1");
  node.more = {"--appendfsync", "no", "--raft-snapshot-entries", "20000", "--raft-log-cache", "8mb"};
  node.start_ready();
  if (info(node, "mem_allocator") == "libc") {
    MESSAGE("skipped: without jemalloc memory goes back when the C library's allocator sees fit");
    return;
  }
  const std::string value(200, 'e');
  size_t errors = 0;
  const auto run = [&](size_t count, const std::string& command) {
    DebugPipe pipe(node.debug_port);
    REQUIRE(pipe.run(
        128, [&](size_t i) { return i < count; }, [&](size_t) { return command + "\r\n"; },
        [&](size_t, std::string_view reply, double) { errors += reply.starts_with("-") ? 1 : 0; }));
  };
  run(20'000, "SET k " + value);  // fills the log's cache
  const uint64_t before_mb = resident_mb(node);
  run(events, "RPUSH q " + value);
  const uint64_t full_mb = resident_mb(node);
  run(events, "LPOP q");
  CHECK(errors == 0);
  uint64_t back_mb = 0;
  CHECK(eventually(
      [&] {
        back_mb = resident_mb(node);
        return back_mb <= before_mb * 3 / 2;
      },
      60'000));
  figure(std::to_string(events) + " events of 200 bytes: " + std::to_string(before_mb) + " MB before, " +
         std::to_string(full_mb) + " MB with them, " + std::to_string(back_mb) + " MB within a minute of the last");
}

TEST_CASE("RFC 9112 9.6: who sends a whole body before reading gets 413 and 401, and no reset") {
  TempDir dir;
  Server node(dir, "n1");
  node.more = {"--requirepass", "a-password-of-some-length"};
  node.start_ready();
  const auto status = [&](const std::string& fields, size_t size) {
    Socket socket(node.port, 20'000);
    REQUIRE(socket.ok());
    const std::string all = "POST /event HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n" + fields +
                            "Content-Length: " + std::to_string(size) + "\r\n\r\n" + std::string(size, 'x');
    // The answer is there long before the end; this client does not look.
    size_t sent = 0;
    const bool reset = !eventually([&] {
      const ssize_t now = socket.send_some(std::string_view(all).substr(sent));
      if (now < 0) return false;
      sent += static_cast<size_t>(now);
      return sent == all.size();
    });
    if (reset) return std::string("reset");
    std::string answer;
    while (answer.find("\r\n\r\n") == std::string::npos && socket.receive(answer)) {
    }
    return answer.substr(0, 12);
  };
  const std::string password = "Authorization: Bearer a-password-of-some-length\r\n";
  CHECK(status("", 900'000) == "HTTP/1.1 401");
  CHECK(status("Connection: close\r\n", 900'000) == "HTTP/1.1 401");
  CHECK(status(password, kMb + 1'400) == "HTTP/1.1 413");
  CHECK(status(password, 5'000'000) == "HTTP/1.1 413");
  CHECK(status(password, 30'000'000) == "HTTP/1.1 413");
}

}  // namespace wh::testing
