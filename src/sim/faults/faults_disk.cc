#include <algorithm>
#include <limits>

#include "sim/checks/checks.h"
#include "sim/clients/clients.h"
#include "sim/faults/faults.h"
#include "sim/world/network.h"
#include "sim/world/process.h"
#include "sim/world/world.h"

namespace wh::sim {

void Faults::stall_disk() {
  Host* host = any_alive();
  if (host == nullptr) return;
  const uint64_t us = world_.prng.below(uint64_t{world_.options.election_timeout_ms} * 6'000);
  // A full disk delays writes like a slow one, but the node knows that it is full.
  if (us % 2 == 0) {
    ++world_.seen[Situation::disk_stalled];
    host->process->storage().stall(us);
  } else {
    ++world_.seen[Situation::disk_full];
    host->process->storage().fill(us);
  }
}

void Faults::fail_write() {
  if (Host* host = any_alive()) host->process->storage().fail_next(SimStorage::Failure::write);
}

void Faults::fail_sync() {
  if (Host* host = any_alive()) host->process->storage().fail_next(SimStorage::Failure::sync);
}

// --- disks that are lost

// The voter count of the smallest configuration that is, or may be, in force anywhere.
size_t Faults::fewest_voters() const {
  size_t fewest = world_.checks->cluster(cluster_).configuration.voters();
  for (const Host& host : world_.hosts) {
    if (host.disk.cluster != cluster_) continue;
    for (const raft::Configuration& configuration : world_.checks->configurations_in(host))
      fewest = std::min(fewest, configuration.voters());
  }
  return fewest;
}

// Removals that were requested and may still happen, as their outcome is unknown.
size_t Faults::removals_open() const {
  const Options& o = world_.options;
  const uint64_t forgotten_us =
      uint64_t{o.request_timeout_ms} * 2'000 + uint64_t{o.election_timeout_ms} * 40'000 + uint64_t{o.stall_ms} * 2'000;
  return static_cast<size_t>(std::count_if(removals_.begin(), removals_.end(), [&](const auto& asked) {
    if (world_.now_us() > asked.second + forgotten_us) return false;
    const node::Completion* answer = world_.clients->administered(asked.first);
    return answer == nullptr || answer->outcome == node::Outcome::unknown ||
           answer->outcome == node::Outcome::timed_out;
  }));
}

// Whether every member has the disk with which it is a member, and none is damaged or older than it was.
bool Faults::whole() const {
  for (const raft::Member& member : world_.checks->cluster(cluster_).configuration.members()) {
    const Host* host = world_.host_at(member.raft_address);
    if (host == nullptr || host->disk.instance != member.id || host->disk.cluster != cluster_) return false;
  }
  return std::none_of(world_.hosts.begin(), world_.hosts.end(),
                      [](const Host& host) { return host.disk.damage != Damage::none || host.disk.old_copy; });
}

bool Faults::may_lose(const Host& host) const {
  return host.disk.cluster == cluster_ && whole() && fewest_voters() >= 3 + removals_open();
}

// Where disks may be lost, a removal plus a lost disk must stay a minority of the rest.
bool Faults::may_remove() const {
  const Options& o = world_.options;
  const size_t voters = fewest_voters();
  if (o.wipe_every_ms == 0 && o.damage_every_ms == 0 && o.put_back_every_ms == 0)
    return world_.checks->cluster(cluster_).configuration.voters() > 2;
  return whole() && voters >= 4 + removals_open();
}

void replace_disk(World& world, Host& host) {
  world.crash(host, "its disk is replaced");
  const uint64_t epoch = host.disk.epoch;
  host.disk = DiskImage{};
  host.disk.epoch = epoch;
  host.disk.instance = raft::NodeId{world.prng.next() | 1};
  if (host.join.empty())
    for (const Host& other : world.hosts)
      if (other.number != host.number) host.join.push_back(other.address);
  host.replacing = true;
  ++world.seen[Situation::disk_replaced];
}

void Faults::wipe() {
  Host& host = any();
  if (!may_lose(host)) return;
  replace_disk(world_, host);
  world_.restart(host, world_.prng.below(1'000'000));
}

// The node finds the damage when it next reads the data, or starts; then it does not run again on that disk.
void Faults::damage() {
  Host& host = any();
  if (!may_lose(host) || host.disk.log.empty()) return;
  DiskImage& disk = host.disk;
  const uint64_t kind = world_.prng.below(4);
  // A node that loads its snapshot at the start has verified it a moment ago. What changes between the two reads ends
  // it at once, and the next start finds the damage: that is no state to go on from.
  if (kind == 0 && host.process && host.process->node().raft() == nullptr) return;
  if (kind == 0 && disk.snapshot && !disk.snapshot->bytes.empty()) {
    std::string& bytes = disk.snapshot->bytes;
    char& damaged = bytes[world_.prng.below(bytes.size())];
    damaged = static_cast<char>(damaged ^ 1);
    disk.damage = Damage::snapshot;
    disk.damaged = disk.snapshot->meta.index;
  } else if (kind == 1) {
    // One of its files is restored from an older copy; the witness shows that at the start.
    disk.damage = Damage::older_file;
    world_.crash(host, "one of its files is put back from an older copy");
    world_.restart(host, world_.prng.below(100'000));
  } else {
    disk.damage = Damage::row;
    disk.damaged = disk.base_index + 1 + world_.prng.below(disk.log.size());
  }
  ++world_.seen[Situation::disk_damaged];
  world_.trace("%s's disk is damaged (%d) at %lu", host.name.c_str(), static_cast<int>(disk.damage),
               disk.damaged.value);
  if (host.process && world_.prng.below(2) == 0) {
    world_.crash(host, "killed");
    world_.restart(host, world_.prng.below(1'000'000));
  }
}

// The contents of an older copy of a whole directory do not show its age: the only promise is that the leader remembers
// what the node acknowledged (HAZARDS C5). So a copy is restored only where nothing depends on what it lacks: the
// leader knows all of it to be committed, a quorum of the others holds it, and term and vote are the same.
void Faults::put_back() {
  Host* host = any_alive();
  if (host == nullptr || host->disk.cluster != cluster_ || host->disk.log.empty()) return;
  const uint64_t timeout_us = uint64_t{world_.options.election_timeout_ms} * 1'000;
  world_.after(world_.prng.below(6 * timeout_us), [this, host, copy = host->disk] {
    if (world_.chaos && may_lose(*host)) put_back(*host, copy);
  });
}

void Faults::put_back(Host& host, const DiskImage& copy) {
  const DiskImage& disk = host.disk;
  const Host* leads = leader();
  if (copy.instance != disk.instance || copy.cluster != cluster_ || copy.hard_state != disk.hard_state) return;
  if (copy.last_index() >= disk.last_index() || leads == nullptr || leads->number == host.number) return;
  const raft::Raft* raft = leads->process->node().raft();
  if (raft->current_term() != disk.hard_state.current_term || raft->change_pending()) return;
  if (raft->commit_index() < disk.last_index()) return;
  size_t holding = 0;
  for (const raft::Member& member : raft->configuration().members()) {
    if (member.suffrage != raft::Suffrage::voter || member.id == disk.instance) continue;
    const Host* other = world_.host_of(member.id);
    if (other != nullptr && other->disk.hard_state.current_term == disk.hard_state.current_term &&
        other->disk.last_index() >= disk.last_index())
      ++holding;
  }
  if (holding < raft->configuration().quorum()) return;
  world_.crash(host, "an older copy of its disk is put back");
  // The epoch continues: repeated request ids are beyond what is promised here.
  const uint64_t epoch = host.disk.epoch;
  const raft::Index last = host.disk.last_index();
  host.disk = copy;
  host.disk.epoch = epoch;
  host.disk.old_copy = host.disk.was_old_copy = true;
  host.disk.acknowledged = last;
  world_.checks->put_back(host);
  ++world_.seen[Situation::old_copy_put_back];
  world_.restart(host, world_.prng.below(20'000));
  // Sometimes only the leader reaches it, so nobody else can confirm that this is the leader.
  if (world_.prng.below(3) != 0) return;
  world_.trace("%s sees nobody but %s", host.name.c_str(), leads->name.c_str());
  const auto each_link = [this, &host, leads](void (Network::*change)(size_t, size_t)) {
    for (const Host& other : world_.hosts) {
      if (other.number == host.number || other.number == leads->number) continue;
      (world_.network.get()->*change)(host.number, other.number);
      (world_.network.get()->*change)(other.number, host.number);
    }
  };
  each_link(&Network::cut);
  world_.after(world_.prng.below(uint64_t{world_.options.election_timeout_ms} * 6'000), [this, each_link] {
    if (world_.chaos) each_link(&Network::mend);
  });
}

}  // namespace wh::sim
