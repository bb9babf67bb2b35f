// Three nodes are restarted one after the other, as in an upgrade, while clients write through all of them: no write
// fails. A client whose node is gone tries one other node, and only if no byte of its request had been sent.
#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include <doctest/doctest.h>

#include "load_support.h"

namespace wh::testing {
namespace {

enum class Manner : uint8_t { redirected, forwarded, keys };

class Writer {
 public:
  Writer(std::string name, Manner manner, uint16_t home, uint16_t other)
      : name_(std::move(name)), manner_(manner), ports_{home, other}, thread_([this] { run(); }) {}
  ~Writer() { join(); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  void join() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  [[nodiscard]] size_t written() const { return written_; }

  // After join().
  double longest_ms = 0;
  size_t moves = 0;
  std::vector<std::string> failures;
  std::vector<std::string> events;  // acknowledged

 private:
  void run() {
    HttpClient http;
    size_t at = 0;
    while (!stop_) {
      const std::string what = name_ + "-" + std::to_string(written_ + failures.size());
      const auto start = LoadClock::now();
      HttpReply reply = write(http, ports_[at], what);
      // 20 s without a node that takes a connection are a failure too.
      while (!reply.sent && ms_since(start) < 20'000) {
        at = 1 - at;
        ++moves;
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
        reply = write(http, ports_[at], what);
      }
      longest_ms = std::max(longest_ms, ms_since(start));
      if (reply.status == 200 || reply.status == 201) {
        ++written_;
        if (manner_ != Manner::keys) events.push_back(what);
      } else {
        failures.push_back(what + ": " + (reply.sent ? std::to_string(reply.status) : "never sent") + " " + reply.body);
        if (failures.size() > 20) return;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(3));
    }
  }

  HttpReply write(HttpClient& http, uint16_t port, const std::string& what) const {
    switch (manner_) {
      case Manner::redirected:
        return http.follow(port, "POST", "/event", "Content-Type: application/x-www-form-urlencoded\r\n",
                           "event=" + what);
      case Manner::forwarded:  // with credentials a follower forwards
        return http.request(port, "POST", "/event",
                            "Content-Type: application/x-www-form-urlencoded\r\nAuthorization: Bearer x\r\n",
                            "event=" + what);
      case Manner::keys:
        return http.request(port, "POST", "/set?key=" + name_ + "&value=" + what);
    }
    return {};
  }

  std::string name_;
  Manner manner_;
  uint16_t ports_[2];
  std::atomic<size_t> written_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace

TEST_CASE("HAZARDS C19, A17: three nodes restarted one after the other under load: no write fails") {
  Trio nodes;
  await_same_state(nodes.all);
  std::vector<std::unique_ptr<Writer>> writers;
  for (size_t i = 0; i < 3; ++i)
    for (const auto& [name, manner] :
         {std::pair("r", Manner::redirected), std::pair("f", Manner::forwarded), std::pair("k", Manner::keys)})
      writers.push_back(
          std::make_unique<Writer>(name + std::to_string(i), manner, nodes.all[i]->port, nodes.all[(i + 1) % 3]->port));
  const auto written = [&] {
    size_t sum = 0;
    for (const auto& writer : writers) sum += writer->written();
    return sum;
  };
  size_t led = 0;
  std::vector<double> stops;
  for (size_t round = 0; round < scaled(2); ++round) {
    for (Server* server : nodes.all) {
      const size_t before = written();
      CHECK(eventually([&] { return written() > before + 100; }));
      led += server->cluster_field("role") == "leader" ? 1 : 0;
      const auto start = LoadClock::now();
      CHECK(server->stop() == 0);
      stops.push_back(ms_since(start));
      server->start_ready();
    }
  }
  const size_t before = written();
  CHECK(eventually([&] { return written() > before + 100; }));
  double longest = 0;
  size_t moves = 0;
  std::vector<std::string> expected;
  for (const auto& writer : writers) {
    writer->join();
    longest = std::max(longest, writer->longest_ms);
    moves += writer->moves;
    for (const std::string& failure : writer->failures) FAIL_CHECK(failure);
    expected.insert(expected.end(), writer->events.begin(), writer->events.end());
  }
  CHECK(led > 0);
  await_same_state(nodes.all);
  // Every event once, and nothing else.
  std::vector<std::string> there;
  const Server& leader = await_leader(nodes.all);
  DebugPipe pipe(leader.debug_port);
  bool empty = false;
  CHECK(pipe.run(
      64, [&](size_t) { return !empty; }, [](size_t) { return "LPOP event"; },
      [&](size_t, std::string_view text, double) {
        empty |= text == "$-1";
        if (text != "$-1") there.emplace_back(text);
      }));
  std::sort(there.begin(), there.end());
  std::sort(expected.begin(), expected.end());
  CHECK(there == expected);
  figure(std::to_string(stops.size()) + " restarts, " + std::to_string(led) + " of them of the leader, " +
         std::to_string(written()) + " writes by " + std::to_string(writers.size()) +
         " clients, none failed; longest pause of one: " + in_ms(longest) + "; " + std::to_string(moves) +
         " moves to the other node; slowest stop: " + in_ms(percentile(stops, 1)));
}

}  // namespace wh::testing
