#include "sim/faults.h"

#include "sim/checks.h"
#include "sim/clients.h"
#include "sim/network.h"
#include "sim/process.h"
#include "sim/world.h"

namespace wh::sim {

void Faults::start(const node::ClusterId& cluster) {
  cluster_ = cluster;
  const Options& o = world_.options;
  every(o.crash_every_ms, &Faults::crash);
  every(o.power_cut_every_ms, &Faults::power_cut);
  every(o.partition_every_ms, &Faults::partition);
  every(o.clog_every_ms, &Faults::clog);
  every(o.break_every_ms, &Faults::break_connection);
  every(o.pause_every_ms, &Faults::pause);
  every(o.disk_stall_every_ms, &Faults::stall_disk);
  every(o.wipe_every_ms, &Faults::wipe);
  every(o.churn_every_ms, &Faults::churn);
  every(o.transfer_every_ms, &Faults::transfer);
  every(o.depose_every_ms, &Faults::depose);
  every(o.cut_transfer_every_ms, &Faults::cut_transfer);
}

void Faults::every(uint32_t mean_ms, void (Faults::*fault)()) {
  if (mean_ms == 0) return;
  world_.after(world_.prng.below(uint64_t{2'000} * mean_ms) + 1, [this, mean_ms, fault] {
    if (!world_.chaos) return;
    (this->*fault)();
    every(mean_ms, fault);
  });
}

Host& Faults::any() { return world_.hosts[world_.prng.below(world_.hosts.size())]; }

Host* Faults::any_alive() {
  for (int tries = 0; tries < 8; ++tries)
    if (Host& host = any(); host.process) return &host;
  return nullptr;
}

void Faults::restart(Host& host, uint64_t delay_us) {
  if (host.restart_pending) return;
  host.restart_pending = true;
  world_.after(delay_us + 1, [this, &host] {
    host.restart_pending = false;
    world_.start(host);
  });
}

void Faults::crash() {
  Host* host = any_alive();
  if (host == nullptr) return;
  if (world_.prng.below(3) == 0) return stop(*host);
  world_.crash(*host, "killed");
  restart(*host, world_.prng.below(3) == 0 ? world_.prng.below(20'000) : world_.prng.below(3'000'000));
}

void Faults::stop(Host& host) {
  world_.trace("%s is told to stop", host.name.c_str());
  host.process->input([this, &host] { host.process->node().begin_shutdown(world_.now()); });
  look_whether_quiet(host, world_.now_us() + 4'000'000);
}

void Faults::look_whether_quiet(Host& host, uint64_t give_up_us) {
  world_.after(10'000, host, [this, &host, give_up_us] {
    const bool quiet = !host.process->paused() && host.process->node().quiet();
    if (!quiet && world_.now_us() < give_up_us) return look_whether_quiet(host, give_up_us);
    if (quiet) ++world_.seen[Situation::stopped_cleanly];
    world_.crash(host, "stopped");
    restart(host, world_.prng.below(500'000));
  });
}

void Faults::power_cut() {
  for (Host& host : world_.hosts) {
    if (!host.process) continue;
    world_.crash(host, "the power is cut");
    restart(host, world_.prng.below(500'000));
  }
}

void Faults::partition() {
  const size_t n = world_.hosts.size();
  Network& network = *world_.network;
  const uint64_t kind = world_.prng.below(7);
  if (kind <= 1) {
    world_.trace("every link is mended");
    network.mend_all();
    return;
  }
  if (kind == 2) network.mend_all();
  const size_t a = world_.prng.below(n);
  const size_t b = world_.prng.below(n);
  if (kind == 3) {  // one way
    world_.trace("cut %zu -> %zu", a + 1, b + 1);
    network.cut(a, b);
  } else if (kind == 4) {  // one link
    world_.trace("cut %zu - %zu", a + 1, b + 1);
    network.cut(a, b);
    network.cut(b, a);
  } else if (kind == 5) {  // one node, both ways or one
    const uint64_t ways = world_.prng.below(3);
    world_.trace("isolate %zu (%lu)", a + 1, ways);
    for (size_t other = 0; other < n; ++other) {
      if (ways != 1) network.cut(a, other);
      if (ways != 2) network.cut(other, a);
    }
  } else {  // two sides, at times with a bridge
    const uint64_t sides = world_.prng.next();
    const bool bridge = world_.prng.below(3) == 0;
    world_.trace("split by %lx%s", sides & ((uint64_t{1} << n) - 1), bridge ? ", with a bridge" : "");
    for (size_t x = 0; x < n; ++x)
      for (size_t y = 0; y < n; ++y)
        if (((sides >> x) & 1) != ((sides >> y) & 1) && !(bridge && (x == a || y == a))) network.cut(x, y);
  }
}

void Faults::clog() {
  const uint64_t until = world_.now_us() + world_.prng.below(2'000'000);
  world_.network->clog(world_.prng.below(world_.hosts.size()), world_.prng.below(world_.hosts.size()), until,
                       world_.prng.below(uint64_t{world_.options.election_timeout_ms} * 8'000));
}

void Faults::break_connection() { world_.network->break_one(); }

void Faults::cut_transfer() { world_.network->break_transfers(); }

void Faults::pause() {
  Host* host = any_alive();
  if (host == nullptr || host->process->paused()) return;
  world_.trace("%s stands still", host->name.c_str());
  host->process->pause();
  const uint64_t us = world_.prng.below(uint64_t{world_.options.election_timeout_ms} * 5'000) + 1;
  world_.after(us, *host, [this, host] {
    world_.trace("%s goes on", host->name.c_str());
    host->process->resume();
  });
}

void Faults::stall_disk() {
  Host* host = any_alive();
  if (host == nullptr) return;
  const uint64_t us = world_.prng.below(uint64_t{world_.options.election_timeout_ms} * 6'000);
  // What a full disk holds up waits like what a slow one does; but it is known to be full.
  if (us % 2 == 0) {
    host->process->storage().stall(us);
  } else {
    host->process->storage().fill(us);
  }
}

// Only while every voter has the disk it is a member with, so that one lost disk is a minority.
void Faults::wipe() {
  const Committed& cluster = world_.checks->cluster(cluster_);
  if (cluster.configuration.voters() < 3) return;
  for (const raft::Member& member : cluster.configuration.members()) {
    const Host* host = world_.host_at(member.raft_address);
    if (host == nullptr || host->disk.instance != member.id || host->disk.cluster != cluster_) return;
  }
  Host& host = any();
  // All configurations that may be in force name everybody whom the committed one names.
  for (const Host& other : world_.hosts)
    for (const raft::Configuration& configuration : world_.checks->configurations_in(other))
      if (configuration.voters() < 3 && configuration.is_voter(host.disk.instance)) return;
  if (host.disk.cluster != cluster_ || host.join.empty()) return;
  world_.crash(host, "its disk is replaced");
  const uint64_t epoch = host.disk.epoch;
  host.disk = DiskImage{};
  host.disk.epoch = epoch;
  host.disk.instance = raft::NodeId{world_.prng.next() | 1};
  ++world_.seen[Situation::disk_replaced];
  restart(host, world_.prng.below(1'000'000));
}

void Faults::churn() {
  Host* at = any_alive();
  if (at == nullptr || at->disk.cluster != cluster_) return;
  const Host& about = any();
  const Committed& cluster = world_.checks->cluster(cluster_);
  const bool member = cluster.configuration.find_name(about.name) != nullptr;
  // A removal and a lost disk at once may be more than a minority of the smaller configuration.
  if (member && (cluster.configuration.voters() <= 2 || world_.options.wipe_every_ms != 0)) return;
  world_.clients->administer(*at, {member ? node::AdminKind::remove : node::AdminKind::add, about.name, about.address});
}

void Faults::depose() {
  Host* leader = nullptr;
  for (Host& host : world_.hosts)
    if (host.process && host.disk.cluster == cluster_ && host.process->node().raft() != nullptr &&
        host.process->node().raft()->leads_for_certain())
      leader = &host;
  if (leader == nullptr || world_.hosts.size() < 3) return;
  world_.trace("%s is to be deposed without noticing", leader->name.c_str());
  const uint64_t timeout_us = uint64_t{world_.options.election_timeout_ms} * 1000;
  world_.network->mend_all();
  for (const Host& other : world_.hosts)
    if (other.number != leader->number)
      world_.network->slow_down(other.number, leader->number, world_.now_us() + 12 * timeout_us);
  world_.after(5 * timeout_us, [this, leader] {
    if (!world_.chaos) return;
    for (const Host& other : world_.hosts) world_.network->cut(leader->number, other.number);
  });
  for (uint64_t i = 1; i < 40; ++i) {
    world_.after((40 + i) * timeout_us / 8, [this, leader] {
      if (!world_.chaos) return;
      if (leader->process) world_.clients->issue(*leader, OpKind::get);
      if (Host& other = any(); other.process && other.number != leader->number && other.disk.cluster == cluster_)
        world_.clients->issue(other, world_.prng.below(2) == 0 ? OpKind::set : OpKind::get);
    });
  }
  world_.after(10 * timeout_us, [this] {
    if (world_.chaos) world_.network->mend_all();
  });
}

void Faults::transfer() {
  Host* at = any_alive();
  if (at == nullptr || at->disk.cluster != cluster_) return;
  world_.clients->administer(*at, {node::AdminKind::transfer, any().name, {}});
}

}  // namespace wh::sim
