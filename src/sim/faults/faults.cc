#include "sim/faults/faults.h"

#include "sim/checks/checks.h"
#include "sim/clients/clients.h"
#include "sim/world/network.h"
#include "sim/world/process.h"
#include "sim/world/world.h"

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
  every(o.crash_at_event_every_ms, &Faults::crash_at_event);
  every(o.freeze_leader_every_ms, &Faults::freeze_leader);
  every(o.hold_every_ms, &Faults::hold);
  every(o.flap_every_ms, &Faults::flap);
  every(o.fail_write_every_ms, &Faults::fail_write);
  every(o.fail_sync_every_ms, &Faults::fail_sync);
  every(o.damage_every_ms, &Faults::damage);
  every(o.put_back_every_ms, &Faults::put_back);
  every(o.clock_jump_every_ms, &Faults::jump_clock);
  every(o.snapshot_now_every_ms, &Faults::snapshot_now);
  every(o.remove_isolated_every_ms, &Faults::remove_isolated);
  every(o.strand_every_ms, &Faults::strand);
  every(o.garbage_every_ms, &Faults::send_garbage);
  every(o.upgrade_every_ms, &Faults::upgrade);
  if (o.lie_every_ms != 0) liar_ = world_.prng.below(o.nodes);
  every(o.lie_every_ms, &Faults::lie);
}

void Faults::every(uint32_t mean_ms, Fault fault) {
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

Host* Faults::leader() {
  Host* leader = nullptr;
  for (Host& host : world_.hosts)
    if (host.process && host.disk.cluster == cluster_ && host.process->node().raft() != nullptr &&
        host.process->node().raft()->leads_for_certain())
      leader = &host;
  return leader;
}

// --- processes and clocks

void Faults::crash() {
  Host* host = any_alive();
  if (host == nullptr) return;
  if (world_.prng.below(3) == 0) return stop(*host);
  ++world_.seen[Situation::crashed];
  world_.crash(*host, "killed");
  world_.restart(*host, world_.prng.below(3) == 0 ? world_.prng.below(20'000) : world_.prng.below(3'000'000));
}

// One node gets another release: the newer one, or the previous one.
void Faults::upgrade() {
  Host& host = any();
  const bool up = host.version < kLatestVersion;
  // Sometimes, by mistake, a release that can no longer read the disk: it does not start.
  if (!up && world_.prng.below(host.disk.version > kFirstVersion ? 4 : 3) != 0) return;
  ++world_.seen[up ? Situation::node_upgraded : Situation::node_rolled_back];
  host.version = up ? kLatestVersion : kFirstVersion;
  world_.trace("%s gets release %u", host.name.c_str(), host.version);
  world_.crash(host, "another release is installed");
  world_.restart(host, world_.prng.below(500'000));
}

void Faults::crash_at_event() {
  if (Host* host = any_alive()) host->fuse = world_.prng.between(1, 400);
}

void Faults::stop(Host& host) {
  world_.trace("%s is told to stop", host.name.c_str());
  host.process->input([this, &host] { host.process->node().begin_shutdown(world_.now(host)); });
  look_whether_quiet(host, world_.now_us() + 4'000'000);
}

void Faults::look_whether_quiet(Host& host, uint64_t give_up_us) {
  world_.after(10'000, host, [this, &host, give_up_us] {
    const bool quiet = !host.process->paused() && host.process->node().quiet();
    if (!quiet && world_.now_us() < give_up_us) return look_whether_quiet(host, give_up_us);
    if (quiet) ++world_.seen[Situation::stopped_cleanly];
    world_.crash(host, "stopped");
    world_.restart(host, world_.prng.below(500'000));
  });
}

void Faults::power_cut() {
  ++world_.seen[Situation::power_was_cut];
  for (Host& host : world_.hosts) {
    if (!host.process) continue;
    world_.crash(host, "the power is cut");
    world_.restart(host, world_.prng.below(500'000));
  }
}

void Faults::pause() {
  if (Host* host = any_alive(); host != nullptr && !host->process->paused())
    stand_still(*host, world_.prng.below(uint64_t{world_.options.election_timeout_ms} * 5'000) + 1);
}

// Just long enough for another leader to be elected meanwhile.
void Faults::freeze_leader() {
  Host* host = leader();
  if (host == nullptr || host->process->paused()) return;
  const uint64_t timeout_us = uint64_t{world_.options.election_timeout_ms} * 1'000;
  ++world_.seen[Situation::leader_frozen];
  stand_still(*host, world_.prng.between(timeout_us, 4 * timeout_us));
}

void Faults::stand_still(Host& host, uint64_t us) {
  world_.trace("%s stands still", host.name.c_str());
  ++world_.seen[Situation::paused];
  host.process->pause();
  world_.after(us, host, [this, &host] {
    world_.trace("%s goes on", host.name.c_str());
    host.process->resume();
  });
}

// The clock jumps like a suspended virtual machine's.
void Faults::jump_clock() {
  Host* host = any_alive();
  if (host == nullptr) return;
  const uint64_t most_ms = world_.prng.below(4) == 0 ? 3'600'000 : uint64_t{world_.options.election_timeout_ms} * 3;
  const uint64_t us = world_.prng.below(most_ms * 1'000);
  world_.trace("%s's clock jumps by %lu us", host->name.c_str(), us);
  ++world_.seen[Situation::clock_jumped];
  host->clock.jump(us);
  host->process->clock_jumped();
}

// --- members

void Faults::churn() {
  Host* at = any_alive();
  if (at == nullptr || at->disk.cluster != cluster_) return;
  if (world_.prng.below(4) == 0) return remove_leader();
  change(*at, any());
  if (world_.options.foreign != 0 && world_.prng.below(2) == 0) return mix_clusters(*at);
  // Two administrators at once, both at the leader.
  if (Host* leads = leader(); leads != nullptr && world_.prng.below(3) == 0) {
    change(*leads, any());
    change(*leads, any());
  }
}

// A node with data belongs to one cluster for good, even if it was removed from it (HAZARDS D10, D13).
void Faults::mix_clusters(Host& at) {
  Host& apart = world_.hosts.back();
  if (!apart.process || apart.disk.cluster == cluster_) return;
  if (world_.prng.below(2) == 0) {
    ++world_.seen[Situation::foreign_added];
    return change(at, apart);
  }
  const Host* other = &any();
  for (const Host& host : world_.hosts)
    if (host.disk.cluster == cluster_ && host.process && host.process->node().removed()) other = &host;
  // A node with an empty disk would be taken in, and its old cluster, which waits for it, would not get it back.
  const Options& o = world_.options;
  const bool emptied = o.wipe_every_ms != 0 || o.damage_every_ms != 0 || o.put_back_every_ms != 0;
  if (other->number == apart.number || emptied || (!other->disk.saw_command && !other->disk.saw_others)) return;
  ++world_.seen[Situation::foreign_asked];
  world_.clients->administer(apart, {node::AdminKind::add, other->name, other->address});
}

// Removes the leader itself, at times while a possible successor is out of reach.
void Faults::remove_leader() {
  Host* leads = leader();
  if (leads == nullptr || !may_remove()) return;
  ++world_.seen[Situation::leader_to_be_removed];
  change(*leads, *leads);
  if (world_.prng.below(2) == 0) return;
  Host& heir = any();
  if (heir.number == leads->number) return;
  world_.trace("%s is cut off, so that it does not take over", heir.name.c_str());
  world_.network->cut(heir.number, leads->number);
  world_.network->cut(leads->number, heir.number);
}

void Faults::change(Host& at, const Host& about) {
  const bool member = world_.checks->cluster(cluster_).configuration.find_name(about.name) != nullptr;
  // May remove the last voter, too: that is refused (HAZARDS D12).
  const bool last = world_.checks->cluster(cluster_).configuration.voters() == 1;
  if (member && !last && !may_remove()) return;
  if (world_.change_open(cluster_)) ++world_.seen[Situation::change_waits];
  const uint64_t number = world_.clients->administer(
      at, {member ? node::AdminKind::remove : node::AdminKind::add, about.name, about.address});
  if (member) removals_.emplace_back(number, world_.now_us());
}

void Faults::transfer() {
  Host* at = any_alive();
  if (at == nullptr || at->disk.cluster != cluster_) return;
  world_.clients->administer(*at, {node::AdminKind::transfer, any().name, {}});
}

void Faults::snapshot_now() {
  if (Host* host = any_alive()) host->process->snapshot_now();
}

void Faults::remove_isolated() {
  Host& host = any();
  const raft::Configuration& configuration = world_.checks->cluster(cluster_).configuration;
  if (!configuration.is_voter(host.disk.instance) || configuration.voters() < 3 || !may_remove()) return;
  world_.trace("%s is isolated, and is to be removed", host.name.c_str());
  for (const Host& other : world_.hosts) {
    world_.network->cut(host.number, other.number);
    world_.network->cut(other.number, host.number);
  }
  remove_isolated(host, 8);
}

void Faults::remove_isolated(Host& host, int tries) {
  const uint64_t timeout_us = uint64_t{world_.options.election_timeout_ms} * 1'000;
  world_.after(2 * timeout_us, [this, &host, tries, timeout_us] {
    if (!world_.chaos) return;
    const bool gone = !world_.checks->cluster(cluster_).configuration.contains(host.disk.instance);
    if (gone) ++world_.seen[Situation::removed_isolated];
    if (!gone && tries > 0) {
      if (Host* at = leader(); at != nullptr && at->number != host.number && may_remove())
        removals_.emplace_back(world_.clients->administer(*at, {node::AdminKind::remove, host.name, host.address}),
                               world_.now_us());
      return remove_isolated(host, tries - 1);
    }
    // Meanwhile it has campaigned in vain; now the others hear it.
    world_.after(world_.prng.below(2 * timeout_us), [this, &host] {
      if (!world_.chaos) return;
      for (const Host& other : world_.hosts) {
        world_.network->mend(host.number, other.number);
        world_.network->mend(other.number, host.number);
      }
    });
  });
}

}  // namespace wh::sim
