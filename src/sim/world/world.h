// The simulated world's core: virtual time, one queue of events, one source of randomness, the trace. Everything in a
// run is an event here, in an order that the seed alone decides. Owns the machines (Host): each has a disk that
// survives, an address, and at times a running process.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/prng.h"
#include "node/seeking.h"
#include "sim/options.h"
#include "sim/situations.h"
#include "sim/world/clock.h"
#include "sim/world/disk.h"

namespace wh::sim {

class Aims;
class Checks;
class Clients;
class Conduct;
class Network;
class Process;
class QueueClients;
class StoreClients;
class Watch;
class Watchers;

// A machine: the part that outlives its processes.
struct Host {
  Host();
  ~Host();
  Host(Host&&) noexcept;

  size_t number = 0;  // 0 is n1
  std::string name;
  std::string address;
  std::vector<std::string> join;
  std::map<std::string, std::vector<std::string>> names;  // that this machine resolves, and their addresses
  uint64_t names_known_us = 0;                            // from then on
  bool dials_itself = true;
  node::OwnNames own;
  DiskImage disk;
  Clock clock;
  int64_t wall_offset_ms = 0;               // the error of its wall clock
  ClusterVersion version = kLatestVersion;  // the latest that its release supports
  std::unique_ptr<Process> process;
  uint64_t incarnation = 0;  // counts processes
  bool restart_pending = false;
  bool replacing = false;  // its disk was replaced, and it is not a voter again yet
  uint64_t fuse = 0;       // its process is killed after this many of its events; 0: not at all
};

class World {
 public:
  static constexpr Millis kBegan = 1'800'000'000'000;  // by the wall clock: in 2027
  World(uint64_t seed, const Options& drawn, bool tracing);
  ~World();

  // --- time and events
  [[nodiscard]] uint64_t now_us() const { return now_us_; }
  [[nodiscard]] Millis now() const { return now_us_ / 1000 + 1'000; }
  // By this machine's clock.
  [[nodiscard]] Millis now(const Host& host) const { return host.clock.ms(now_us_); }
  // What a correct wall clock shows, in ms since 1970; and what this machine's shows.
  [[nodiscard]] Millis wall() const { return kBegan + now_us_ / 1000; }
  [[nodiscard]] Millis wall(const Host& host) const { return wall() + static_cast<Millis>(host.wall_offset_ms); }
  [[nodiscard]] uint64_t step() const { return steps_; }  // the current event's number; orders everything that happens
  void after(uint64_t delay_us, std::function<void()> event);
  // The same, but nothing happens if that process is gone by then.
  void after(uint64_t delay_us, const Host& host, std::function<void()> event);
  // Runs events until `until_us`, until `done` returns true, or until something failed; then returns false.
  bool run(uint64_t until_us, const std::function<bool()>& done = nullptr);

  // --- failing
  void fail(std::string why);
  [[nodiscard]] bool failed() const { return !failure_.empty(); }
  [[nodiscard]] const std::string& failure() const { return failure_; }

  // --- the trace
  [[nodiscard]] bool tracing() const { return tracing_; }
  [[gnu::format(printf, 2, 3)]] void trace(const char* format, ...);
  // One number for everything that the run did: the same for the same seed.
  void digest(uint64_t a, uint64_t b);
  [[nodiscard]] uint64_t digest() const { return digest_; }

  // --- processes
  // Begins a process, unless its disk turns out to be damaged: then nothing runs there until the operator replaces the
  // disk.
  void start(Host& host);
  // Starts it after a while; once, however often that is requested meanwhile.
  void restart(Host& host, uint64_t delay_us);
  void crash(Host& host, const char* why);
  // Kills the process after the current event.
  void crash_soon(Host& host, const char* why);
  Host* host_at(const std::string& address);
  // Whether a leader of this cluster has an uncommitted change of members.
  [[nodiscard]] bool change_open(const node::ClusterId& cluster) const;
  // The host with this disk, or null.
  Host* host_of(raft::NodeId instance);
  [[nodiscard]] bool alive(const Host& host) const { return host.process != nullptr; }

  Prng prng;
  Options options;
  std::vector<Host> hosts;
  std::unique_ptr<Network> network;
  std::unique_ptr<Checks> checks;
  std::unique_ptr<Conduct> conduct;
  std::unique_ptr<Watch> watch;
  std::unique_ptr<Aims> aims;
  std::unique_ptr<Clients> clients;
  std::unique_ptr<QueueClients> queue_clients;
  std::unique_ptr<StoreClients> store_clients;
  std::unique_ptr<Watchers> watchers;
  bool chaos = true;  // false: faults have stopped
  Situations seen;

 private:
  static constexpr uint64_t kNoHost = UINT64_MAX;
  // Tasks stay in place while the heap is sorted.
  struct Task {
    std::function<void()> run;
    uint64_t host = kNoHost;  // the process that must still exist: its host, and number there
    uint64_t incarnation = 0;
  };
  struct Event {
    uint64_t at_us;
    uint64_t number;
    size_t task;
    bool operator<(const Event& other) const {
      return at_us != other.at_us ? at_us > other.at_us : number > other.number;
    }
  };
  void plan(uint64_t delay_us, Task task);
  std::vector<Event> events_;  // a heap
  std::vector<Task> tasks_;
  std::vector<size_t> free_tasks_;
  uint64_t now_us_ = 0;
  uint64_t next_event_ = 1;
  uint64_t steps_ = 0;
  uint64_t digest_ = 0;
  bool tracing_;
  std::string failure_;
  std::vector<std::pair<size_t, const char*>> doomed_;
};

}  // namespace wh::sim
