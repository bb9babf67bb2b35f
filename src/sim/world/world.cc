#include "sim/world/world.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <utility>

#include "base/hash.h"
#include "sim/checks/checks.h"
#include "sim/checks/conduct.h"
#include "sim/checks/watch.h"
#include "sim/clients/clients.h"
#include "sim/clients/queue_clients.h"
#include "sim/clients/store_clients.h"
#include "sim/clients/watchers.h"
#include "sim/faults/aims.h"
#include "sim/faults/faults.h"
#include "sim/world/network.h"
#include "sim/world/process.h"

namespace wh::sim {

Host::Host() = default;
Host::~Host() = default;
Host::Host(Host&&) noexcept = default;

World::World(uint64_t seed, const Options& drawn, bool tracing)
    : prng(seed),
      options(drawn),
      network(std::make_unique<Network>(*this)),
      checks(std::make_unique<Checks>(*this)),
      conduct(std::make_unique<Conduct>(*this)),
      watch(std::make_unique<Watch>(*this)),
      aims(std::make_unique<Aims>(*this)),
      clients(std::make_unique<Clients>(*this)),
      queue_clients(std::make_unique<QueueClients>(*this, seed)),
      store_clients(std::make_unique<StoreClients>(*this, seed)),
      watchers(std::make_unique<Watchers>(*this, seed)),
      tracing_(tracing) {}

World::~World() = default;

void World::plan(uint64_t delay_us, Task task) {
  size_t slot = tasks_.size();
  if (free_tasks_.empty()) {
    tasks_.push_back(std::move(task));
  } else {
    slot = free_tasks_.back();
    free_tasks_.pop_back();
    tasks_[slot] = std::move(task);
  }
  events_.push_back({now_us_ + delay_us, next_event_++, slot});
  std::push_heap(events_.begin(), events_.end());
}

void World::after(uint64_t delay_us, std::function<void()> event) { plan(delay_us, {.run = std::move(event)}); }

void World::after(uint64_t delay_us, const Host& host, std::function<void()> event) {
  plan(delay_us, {.run = std::move(event), .host = host.number, .incarnation = host.incarnation});
}

bool World::run(uint64_t until_us, const std::function<bool()>& done) {
  while (!failed() && !events_.empty() && events_.front().at_us <= until_us) {
    std::pop_heap(events_.begin(), events_.end());
    const Event event = events_.back();
    events_.pop_back();
    const Task task = std::move(tasks_[event.task]);
    free_tasks_.push_back(event.task);
    now_us_ = event.at_us;
    ++steps_;
    digest(event.at_us, event.number);
    if (task.host == kNoHost || (hosts[task.host].process && hosts[task.host].incarnation == task.incarnation))
      task.run();
    if (!doomed_.empty())
      for (const auto& [number, why] : std::exchange(doomed_, {})) crash(hosts[number], why);
    if (done && done()) return !failed();
  }
  if (!failed()) now_us_ = std::max(now_us_, until_us);
  return !failed();
}

void World::fail(std::string why) {
  trace("FAILED: %s", why.c_str());
  if (failure_.empty()) failure_ = std::move(why);
}

void World::trace(const char* format, ...) {
  if (!tracing_) return;
  std::printf("%10.3f ", static_cast<double>(now_us_) / 1000.0);
  va_list arguments;
  va_start(arguments, format);
  std::vprintf(format, arguments);
  va_end(arguments);
  std::putchar('\n');
}

void World::digest(uint64_t a, uint64_t b) { digest_ = mix64(digest_, mix64(a, b)); }

void World::start(Host& host) {
  if (host.process || failed()) return;
  host.fuse = 0;
  if (const char* found = damage_found(host.disk)) {
    trace("%s does not start: %s", host.name.c_str(), found);
    static constexpr Situation kFound[] = {Situation::damage_found_at_start, Situation::damage_found_at_start,
                                           Situation::snapshot_damage_found, Situation::older_file_found};
    ++seen[kFound[static_cast<size_t>(host.disk.damage)]];
    after(prng.below(1'000'000), [this, &host] {
      if (host.process || host.disk.damage == Damage::none) return;
      ++seen[Situation::damaged_replaced];
      replace_disk(*this, host);
      restart(host, 0);
    });
    return;
  }
  if (host.disk.version > host.version) {
    trace("%s does not start: its data is of version %u", host.name.c_str(), host.disk.version);
    ++seen[Situation::old_release_refused];
    host.version = kLatestVersion;
    return restart(host, prng.below(500'000));
  }
  ++host.incarnation;
  trace("%s starts (life %lu)", host.name.c_str(), host.incarnation);
  watch->started(host);
  host.process = std::make_unique<Process>(*this, host);
  host.process->begin();
  aims->moment(host, Moment::started);
}

void World::restart(Host& host, uint64_t delay_us) {
  if (host.restart_pending) return;
  host.restart_pending = true;
  after(delay_us + 1, [this, &host] {
    host.restart_pending = false;
    start(host);
  });
}

void World::crash(Host& host, const char* why) {
  if (!host.process) return;
  trace("%s crashes: %s", host.name.c_str(), why);
  digest(0xdead, host.number);
  watch->host_died(host);
  watchers->host_died(host);  // its watches look at its state
  const std::unique_ptr<Process> process = std::move(host.process);
  process->die();
  clients->host_died(host);
  queue_clients->host_died(host);
  store_clients->host_died(host);
  checks->host_died(host);
  conduct->host_died(host);
  network->host_died(host);
}

void World::crash_soon(Host& host, const char* why) { doomed_.emplace_back(host.number, why); }

Host* World::host_at(const std::string& address) {
  for (Host& host : hosts)
    if (host.address == address) return &host;
  return nullptr;
}

bool World::change_open(const node::ClusterId& cluster) const {
  for (const Host& host : hosts) {
    const raft::Raft* raft = host.process && host.disk.cluster == cluster ? host.process->node().raft() : nullptr;
    if (raft != nullptr && raft->role() == raft::Role::leader && raft->change_pending()) return true;
  }
  return false;
}

Host* World::host_of(raft::NodeId instance) {
  for (Host& host : hosts)
    if (host.disk.instance == instance) return &host;
  return nullptr;
}

}  // namespace wh::sim
