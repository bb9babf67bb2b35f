// Shared code of the load tests: three nodes, clients that post events from threads and remember each answer, and a
// check of the queue against those answers.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "harness.h"
#include "load_client.h"

namespace wh::testing {

// `count`, or the part of it that WORMHOLE_TEST_SCALE (per cent) leaves; at least `least`.
size_t scaled(size_t count, size_t least = 1);

// The value at `part` (0.5, 0.99) of the sorted values; 0 when there is none.
double percentile(std::vector<double> values, double part);

// Lets servers that this test starts preload that library, which must be built. A sanitizer's runtime wants to be the
// first library, unless it is told that it need not.
void allow_preloading(const char* library);

// A field of INFO; empty when the debug port does not answer.
std::string info(const Server& server, const std::string& field);
uint64_t info_number(const Server& server, const std::string& field);

// Waits until every server has applied the same index and has the same digest of its state; fails the test otherwise.
void await_same_state(const Servers& servers);

// Three nodes that share one join list; started, and all voters.
struct Trio {
  TempDir dir;
  Server a{dir, "node_1"};
  Server b{dir, "node_2"};
  Server c{dir, "node_3"};
  Servers all{&a, &b, &c};

  // `prepare` is called with each server before it is started.
  explicit Trio(const std::vector<std::string>& more = {}, const std::function<void(Trio&, Server&)>& prepare = {});
};

// Kills the leader, or in every fourth round lets it stand still for as long as another leads; then waits until all
// serve. Whether it stood still.
bool disturb_leader(const Servers& servers, size_t round);

// GETs until the answer is not 503: on a busy machine the leader may change once more.
Answer get_served(const Server& server, const std::string& path);
// GETs a list and all pages that its `Link` leads to; fails the test where one is not 200.
void read_pages(const Server& server, std::string path, const std::function<void(const std::string& body)>& page);

// Waits until a queue is empty, as long as it becomes smaller.
bool drained(const Server& server, const std::string& queue);

// One event that was sent once.
struct Attempt {
  enum class Fate : uint8_t { acknowledged, refused, unknown };
  std::string body;
  Fate fate = Fate::unknown;
  uint64_t id = 0;  // of an acknowledged one
};

// Posts events, one after the other and each with a body of its own, to `port` until `wanted` are acknowledged or it is
// told to stop. While the port takes no connection it tries again. Redirects are followed; with `credentials` there are
// none, as the node then forwards.
class EventClient {
 public:
  EventClient(std::string name, uint16_t port, bool credentials, size_t wanted);
  ~EventClient();
  EventClient(const EventClient&) = delete;
  EventClient& operator=(const EventClient&) = delete;

  void stop() { stop_ = true; }
  void join();
  [[nodiscard]] size_t acknowledged() const { return acknowledged_; }
  [[nodiscard]] bool ended() const { return ended_; }

  // After join().
  std::vector<Attempt> attempts;
  std::vector<std::string> surprises;  // answers that the contract does not know
  std::vector<double> latencies_ms;    // of the acknowledged ones

 private:
  void run();

  std::string name_;
  uint16_t port_;
  bool credentials_;
  size_t wanted_;
  std::atomic<size_t> acknowledged_{0};
  std::atomic<bool> stop_{false};
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

// Clients of all the servers: half of each server's follow redirects, half are forwarded.
class Crowd {
 public:
  Crowd(const Servers& servers, size_t clients_each, size_t wanted_each);
  ~Crowd() { stop(); }
  [[nodiscard]] size_t acknowledged() const;
  [[nodiscard]] bool ended() const;
  void stop();
  void join();

  std::vector<std::unique_ptr<EventClient>> clients;
};

struct Tally {
  size_t acknowledged = 0;
  size_t refused = 0;
  size_t unknown = 0;
  size_t unknown_there = 0;  // of the unknown ones, those that took effect
};

// Empties the queue through `server` and checks it against what the clients were told: every acknowledged event once,
// in the order of the ids and of each client; unknown ones at most once; refused ones never; nothing else.
Tally check_queue(const Server& server, const Crowd& crowd);

std::string in_ms(double ms);  // "12 ms"
// A line of figures, shown whether the test passes or not.
void figure(const std::string& text);

}  // namespace wh::testing
