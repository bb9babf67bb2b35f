#include "sim/simulation.h"

#include <algorithm>
#include <set>

#include "sim/checks/checks.h"
#include "sim/checks/conduct.h"
#include "sim/clients/clients.h"
#include "sim/clients/queue_clients.h"
#include "sim/clients/store_clients.h"
#include "sim/clients/watchers.h"
#include "sim/faults/faults.h"
#include "sim/world/lists.h"
#include "sim/world/network.h"
#include "sim/world/process.h"
#include "sim/world/world.h"

namespace wh::sim {
namespace {

class Simulation {
 public:
  Simulation(uint64_t seed, const Options& options, bool tracing) : world_(seed, options, tracing), faults_(world_) {}

  RunResult run() {
    make_hosts();
    begin();
    // A run that lost a majority for good ends here.
    const bool over = world_.options.story == Story::listed && world_.options.wipe_most != 0;
    if (!world_.failed() && !over) chaos();
    if (!world_.failed() && !over) heal();
    if (!world_.failed() && !over) judge();
    RunResult result;
    result.failure = world_.failure();
    result.digest = world_.digest();
    result.events = world_.step();
    result.virtual_ms = world_.now_us() / 1000;
    result.operations = world_.clients->count();
    result.seen = world_.seen;
    result.outcomes = world_.clients->outcomes;
    return result;
  }

 private:
  void make_hosts() {
    const Options& o = world_.options;
    for (size_t i = 0; i < o.nodes + o.spares; ++i) {
      Host host;
      host.number = i;
      host.name = "n" + std::to_string(i + 1);
      host.address = "10.0.0." + std::to_string(i + 1) + ":1112";
      host.own.addresses = {host.address};
      host.disk.instance = raft::NodeId{world_.prng.next() | 1};
      if (o.drift_percent > 100)
        host.clock.set_rate(0, world_.prng.between(100'000'000 / o.drift_percent, 10'000 * uint64_t{o.drift_percent}));
      if (o.old_releases == 1 || (o.old_releases == 2 && world_.prng.below(2) == 0)) host.version = kFirstVersion;
      constexpr int64_t kYears = int64_t{10} * 365 * 86'400'000;
      if (o.wrong_clock != 0 && i == 0) host.wall_offset_ms = o.wrong_clock == 1 ? kYears : -kYears;
      world_.hosts.push_back(std::move(host));
    }
    if (o.story != Story::lone) make_lists(world_);
    if (o.story != Story::formed) return;
    // The cluster exists: every disk holds one entry, the configuration.
    std::vector<raft::Member> members;
    for (size_t i = 0; i < o.nodes; ++i)
      members.push_back({.id = world_.hosts[i].disk.instance,
                         .name = world_.hosts[i].name,
                         .raft_address = world_.hosts[i].address,
                         .http_address = {},
                         .https_address = {}});
    const raft::Entry first{.index = raft::Index{1},
                            .term = raft::Term{1},
                            .kind = raft::EntryKind::configuration,
                            .payload = Bytes(raft::Configuration(members).encode())};
    cluster_.fill(7);
    for (size_t i = 0; i < o.nodes; ++i) {
      DiskImage& disk = world_.hosts[i].disk;
      disk.cluster = cluster_;
      disk.hard_state.current_term = raft::Term{1};
      disk.log.push_back(first);
      disk.saw_others = o.nodes > 1;
    }
  }

  // Runs until the cluster has all its nodes.
  void begin() {
    const Options& o = world_.options;
    for (Host& host : world_.hosts)
      world_.after((o.story == Story::formed ? world_.prng.below(5'000) : world_.prng.below(1'000'000)) +
                       (host.number == 0 ? 0 : uint64_t{o.alone_ms} * 1'000),
                   [this, &host] { world_.start(host); });
    if (o.story == Story::formed) return;
    const uint64_t bound = 30'000'000 + uint64_t{o.nodes} * 10'000'000 + uint64_t{o.alone_ms} * 1'000;
    if (o.story == Story::lone) {
      // Faults may come while nodes are added, too.
      world_.run(2'500'000, [this] {
        const Host& first = world_.hosts[0];
        return first.process && first.process->node().raft() != nullptr &&
               first.process->node().raft()->leads_for_certain();
      });
      if (world_.failed()) return;
      cluster_ = world_.hosts[0].disk.cluster;
      add_next(1);
    } else if (world_.prng.below(2) == 0) {
      light_chaos_ = true;
      trouble_at_start();
    }
    world_.run(bound, [this] { return complete(); });
    if (!world_.failed() && !complete()) world_.fail("the cluster did not come to be in time: " + waiting());
    if (!world_.failed() && o.wipe_most != 0) wipe_most();
  }

  // A majority loses its disks while the others are away; then those come back, and lose theirs too. A second cluster
  // must never be founded: Checks::began watches for that.
  void wipe_most() {
    ++world_.seen[Situation::most_wiped];
    constexpr uint64_t kWhileUs = 8'000'000;
    const size_t nodes = world_.options.nodes;
    const size_t most = nodes / 2 + 1;
    std::vector<size_t> order;
    for (size_t i = 0; i < nodes; ++i) order.push_back(i);
    for (size_t i = nodes; i > 1; --i) std::swap(order[i - 1], order[world_.prng.below(i)]);
    const auto stop = [&] {
      for (Host& host : world_.hosts) world_.crash(host, "all are stopped");
    };
    const auto start = [&](size_t first, size_t end, bool wiped) {
      for (size_t i = first; i < end; ++i) {
        Host& host = world_.hosts[order[i]];
        if (wiped) replace_disk(world_, host);
        world_.restart(host, world_.prng.below(500'000));
      }
    };
    const auto go_on = [&] { world_.run(world_.now_us() + kWhileUs); };
    stop();
    start(0, most, true);
    go_on();
    world_.crash(world_.hosts[order[0]], "restarted in the middle");
    start(0, 1, false);
    start(most, nodes, false);
    go_on();
    stop();
    start(0, most, false);
    start(most, nodes, true);
    go_on();
  }

  // Cuts and crashes while nodes look for each other; they end.
  void trouble_at_start() {
    // Split in halves from the beginning: neither may found its own cluster.
    if (world_.prng.below(3) == 0) world_.network->split(world_.prng.next());
    for (int i = 0; i < 12; ++i) {
      world_.after(world_.prng.below(4'000'000), [this] {
        Host& a = world_.hosts[world_.prng.below(world_.hosts.size())];
        const Host& b = world_.hosts[world_.prng.below(world_.hosts.size())];
        if (world_.prng.below(3) == 0) {
          world_.crash(a, "killed while it starts");
          world_.after(world_.prng.below(800'000) + 1, [this, &a] { world_.start(a); });
        } else {
          world_.trace("cut %zu - %zu", a.number + 1, b.number + 1);
          world_.network->cut(a.number, b.number);
          world_.network->cut(b.number, a.number);
        }
      });
    }
    world_.after(5'000'000, [this] { world_.network->mend_all(); });
  }

  void add_next(size_t i) {
    if (i >= world_.options.nodes) return;
    Host& at = world_.hosts[world_.prng.below(i)];
    Host& about = world_.hosts[i];
    if (!at.process || at.disk.cluster != cluster_) {
      world_.after(50'000, [this, i] { add_next(i); });
      return;
    }
    const uint64_t number = world_.clients->administer(at, {node::AdminKind::add, about.name, about.address});
    wait_added(i, number, 0);
  }

  void wait_added(size_t i, uint64_t number, int polls) {
    const node::Completion* done = world_.clients->administered(number);
    if (is_voter(world_.hosts[i])) return add_next(i + 1);
    if (done != nullptr && done->outcome == node::Outcome::conflict && !done->sentence.starts_with("no node answers"))
      return world_.fail("adding " + world_.hosts[i].name + " was refused: " + done->sentence);
    // It was answered, or the asked node is gone.
    if (polls > (done != nullptr ? 20 : 100)) return add_next(i);
    world_.after(50'000, [this, i, number, polls] { wait_added(i, number, polls + 1); });
  }

  bool is_voter(const Host& host) {
    return cluster_ != node::kNoCluster && world_.checks->cluster(cluster_).configuration.is_voter(host.disk.instance);
  }

  bool complete() {
    if (world_.options.story == Story::listed && cluster_ == node::kNoCluster) {
      for (size_t i = 0; i < world_.options.nodes; ++i)
        if (world_.hosts[i].disk.cluster != node::kNoCluster) cluster_ = world_.hosts[i].disk.cluster;
    }
    for (size_t i = 0; i < world_.options.nodes; ++i)
      if (!is_voter(world_.hosts[i])) return false;
    return true;
  }

  std::string waiting() {
    std::string out;
    for (Host& host : world_.hosts)
      out += host.name + (host.process ? ": " + host.process->node().waiting_for() : " is down") + "; ";
    return out;
  }

  void chaos() {
    world_.clients->start(cluster_);
    world_.queue_clients->start(cluster_);
    world_.store_clients->start(cluster_);
    world_.watchers->start(cluster_);
    faults_.start(cluster_);
    const uint64_t end = world_.now_us() + uint64_t{world_.options.chaos_ms} * 1000;
    while (world_.now_us() < end && world_.run(std::min(end, world_.now_us() + 500'000))) {
      world_.clients->check_overdue();
      world_.queue_clients->check_overdue();
      world_.store_clients->check_overdue();
      Host& last = world_.hosts.back();
      if (world_.options.foreign != 0 && last.number >= world_.options.nodes && !last.disk.saw_command)
        world_.clients->write_apart(last);
    }
  }

  // Chosen so that every configuration that may be in force has a quorum among them.
  std::set<size_t> choose_healthy() {
    std::vector<raft::Configuration> configurations{world_.checks->cluster(cluster_).configuration};
    for (const Host& host : world_.hosts) {
      if (host.disk.cluster != cluster_) continue;
      for (const raft::Configuration& c : world_.checks->configurations_in(host)) configurations.push_back(c);
    }
    std::vector<size_t> order;
    for (size_t i = 0; i < world_.hosts.size(); ++i) order.push_back(i);
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[world_.prng.below(i)]);
    // What an administrator asked for may come into force later: nobody knows which majority it will need.
    const bool everybody = world_.prng.below(2) == 0 || world_.clients->administrators_wait();
    std::set<size_t> healthy;
    const auto enough = [&] {
      return std::all_of(configurations.begin(), configurations.end(), [&](const raft::Configuration& c) {
        size_t voters = 0;
        for (const size_t i : healthy) {
          const DiskImage& disk = world_.hosts[i].disk;
          const bool sound = disk.damage == Damage::none && !disk.old_copy;
          voters += sound && c.is_voter(disk.instance) ? 1 : 0;
        }
        return voters >= c.quorum();
      });
    };
    for (const size_t i : order)
      if (everybody || !enough()) healthy.insert(i);
    return healthy;
  }

  void heal() {
    world_.clients->stop();
    world_.queue_clients->stop();
    world_.store_clients->stop();
    world_.watchers->stop();
    world_.chaos = false;
    // With the server's default limits: a node that is full for good would take no writes as leader.
    for (Host& host : world_.hosts)
      if (host.process) host.process->node().set_room(0, 0);
    healthy_ = choose_healthy();
    // The other nodes reach everybody, nobody, or some. In the last case their leader may not reach every healthy node,
    // and the run can only demand that writes succeed (HAZARDS A11).
    const uint64_t others = world_.prng.below(4);
    partial_ = others >= 2 && healthy_.size() < world_.hosts.size();
    world_.trace("chaos ends; %zu nodes are healed for good", healthy_.size());
    for (Host& host : world_.hosts) {
      const bool well = healthy_.contains(host.number);
      for (const Host& other : world_.hosts) {
        if (host.number == other.number) continue;
        const bool healthy = well && healthy_.contains(other.number);
        if (!healthy && (others == 0 || (others >= 2 && world_.prng.below(2) == 0))) {
          world_.network->cut(host.number, other.number);
        } else {
          world_.network->mend(host.number, other.number);
        }
      }
      if (well) make_well(host);
    }
    if (others == 3 && partial_) trouble_others();
    const Options& o = world_.options;
    const uint64_t bound_us = (uint64_t{o.election_timeout_ms} * (others == 3 ? 80'000 : 40'000) +
                               uint64_t{o.stall_ms} * 4'000 + 12'000'000) *
                              o.drift_percent / 100;
    bool progressed = false;
    // Looks even when nothing happens: a lone leader has nobody to send heartbeats to.
    const uint64_t end_us = world_.now_us() + bound_us;
    while (!world_.failed() && !progressed && world_.now_us() < end_us) {
      world_.run(std::min(end_us, world_.now_us() + 50'000), [&] { return progressed = progress(); });
      if (!world_.failed() && !progressed) progressed = progress();
    }
    if (!world_.failed() && !progressed)
      world_.fail("liveness: a healed majority did not make progress in time: " + standing());
    if (!world_.failed() && !partial_) drain();
    if (!world_.failed() && !partial_) end_leases();
    // No client asks any more: the log rests, except for elections and members that come back.
    const size_t entries = world_.checks->cluster(cluster_).log.size();
    if (!world_.failed())
      world_.run(world_.now_us() + uint64_t{o.request_timeout_ms} * 2'000 + 3'500'000,
                 [this] { return world_.failed(); });
    const size_t more = world_.checks->cluster(cluster_).log.size() - entries;
    if (!partial_ && more > 60)
      world_.fail("the log grew by " + std::to_string(more) + " entries while nobody asked for anything");
    world_.clients->check_overdue();
    world_.queue_clients->check_overdue();
    world_.store_clients->check_overdue();
  }

  // Whatever is left in the queues comes, and a receive that waits is served.
  void drain() {
    const Options& o = world_.options;
    const uint64_t bound_us =
        (uint64_t{o.election_timeout_ms} * 20'000 + uint64_t{o.request_timeout_ms} * 4'000 + 30'000'000) *
        o.drift_percent / 100;
    world_.queue_clients->drain([this] {
      if (healthy_.size() < world_.hosts.size() && !quorum_is_healthy()) heal_everybody();
      return healthy_voter();
    });
    world_.run(world_.now_us() + bound_us, [this] { return world_.queue_clients->drained(); });
    if (!world_.failed() && !world_.queue_clients->drained())
      world_.fail("liveness: the queues were not drained in time: " + world_.queue_clients->left());
  }

  // Nobody keeps leases alive any more: each ends with its ttl, and the leader sees to it within a second (HAZARDS
  // S10).
  void end_leases() {
    const Options& o = world_.options;
    const Committed& cluster = world_.checks->cluster(cluster_);
    const machine::Store& store = cluster.model.store();
    const auto over = [&] { return store.leases().empty() && store.dues().empty(); };
    if (o.store_clients == 0) return;
    // What is under way may still grant a lease, or put a key that ends.
    world_.run(world_.now_us() + uint64_t{o.request_timeout_ms} * 2'000,
               [&] { return !world_.store_clients->waits(); });
    if (world_.failed() || over()) return;
    Millis left = 0;
    for (const auto& [id, lease] : store.leases())
      left = std::max(left, lease.deadline - std::min(lease.deadline, cluster.model.time_ms()));
    for (const auto& [time, key] : store.dues())
      left = std::max(left, time - std::min(time, cluster.model.cluster_time_ms()));
    const raft::Term term = cluster.log.back().entry.term;
    const uint64_t began_us = world_.now_us();
    const uint64_t soon_us = (left + 1'500) * 1'000 * o.drift_percent / 100 + uint64_t{o.sync_us} * 4 +
                             uint64_t{o.sync_jitter_us} * 4 + uint64_t{o.latency_us} * 8;
    const uint64_t bound_us = soon_us + uint64_t{o.election_timeout_ms} * 20'000 + 10'000'000;
    world_.run(began_us + bound_us, over);
    if (world_.failed()) return;
    const bool same_leader = cluster.log.back().entry.term == term;
    if (!over() || (same_leader && world_.now_us() > began_us + soon_us))
      world_.fail("liveness: leases or keys whose time is over were not removed in time: " +
                  std::to_string(store.leases().size()) + " leases, " + std::to_string(store.dues().size()) +
                  " keys, " + std::to_string((world_.now_us() - began_us) / 1'000) + " ms for " + std::to_string(left));
  }

  Host* healthy_voter() {
    for (size_t tries = 0; tries < healthy_.size(); ++tries) {
      auto chosen = healthy_.begin();
      std::advance(chosen, world_.prng.below(healthy_.size()));
      Host& host = world_.hosts[*chosen];
      if (host.process && host.process->node().cluster() == cluster_ && is_voter(host)) return &host;
    }
    return nullptr;
  }

  void make_well(Host& host) {
    host.fuse = 0;
    // Damage has been found, and the disk is replaced.
    if (host.disk.damage != Damage::none) replace_disk(world_, host);
    // All nodes that go on support every version that the cluster may have.
    const bool risen = std::any_of(world_.hosts.begin(), world_.hosts.end(),
                                   [](const Host& other) { return other.disk.version > kFirstVersion; });
    if ((risen || world_.options.upgrade_every_ms != 0) && host.version < kLatestVersion) {
      host.version = kLatestVersion;
      world_.crash(host, "it is upgraded");
    }
    if (!host.process) {
      world_.start(host);
    } else {
      host.process->storage().fail_next(SimStorage::Failure::none);
      host.process->resume();
    }
  }

  // Nodes that are not healed keep failing, each in its own way, while the others must make progress.
  void trouble_others() {
    for (Host& host : world_.hosts)
      if (!healthy_.contains(host.number)) {
        ++world_.seen[Situation::others_troubled];
        trouble(host, world_.prng.below(4));
      }
  }

  void trouble(Host& host, uint64_t kind) {
    const uint64_t timeout_us = uint64_t{world_.options.election_timeout_ms} * 1'000;
    world_.after(world_.prng.below(4 * timeout_us) + 1, [this, &host, kind, timeout_us] {
      if (healthy_.contains(host.number)) return;
      const Host& other = world_.hosts[world_.prng.below(world_.hosts.size())];
      const uint64_t us = world_.prng.below(3 * timeout_us);
      switch (kind) {
        case 0:
          world_.crash(host, "killed again");
          world_.restart(host, us);
          break;
        case 1:
          for (const auto& [a, b] : {std::pair(host.number, other.number), std::pair(other.number, host.number)})
            world_.prng.below(2) == 0 ? world_.network->cut(a, b) : world_.network->mend(a, b);
          break;
        case 2:
          if (host.process) host.process->storage().stall(us);
          break;
        default:
          host.clock.jump(us);
          if (host.process) host.process->clock_jumped();
          break;
      }
      trouble(host, kind);
    });
  }

  // A removal requested earlier may be committed only now, and remove a healed node.
  bool quorum_is_healthy() {
    const auto has_quorum = [&](const raft::Configuration& configuration) {
      size_t voters = 0;
      for (const size_t i : healthy_) voters += configuration.is_voter(world_.hosts[i].disk.instance) ? 1 : 0;
      return voters >= configuration.quorum();
    };
    if (!has_quorum(world_.checks->cluster(cluster_).configuration)) return false;
    // Later configurations in a log may be in force, too.
    return std::all_of(healthy_.begin(), healthy_.end(), [&](size_t i) {
      const Host& host = world_.hosts[i];
      const raft::Raft* raft = host.process && host.disk.cluster == cluster_ ? host.process->node().raft() : nullptr;
      return raft == nullptr || !world_.checks->cluster(cluster_).configuration.contains(host.disk.instance) ||
             has_quorum(raft->configuration());
    });
  }

  void heal_everybody() {
    world_.trace("those that were healed are no quorum any more: all are");
    for (const Host& host : world_.hosts) healthy_.insert(host.number);
    world_.network->mend_all();
    for (Host& host : world_.hosts) make_well(host);
  }

  // Whether a new write is applied, and every healthy member holds the same state.
  bool progress() {
    if (world_.now_us() < next_look_us_) return false;
    next_look_us_ = world_.now_us() + 20'000;
    if (healthy_.size() < world_.hosts.size() && !quorum_is_healthy()) heal_everybody();
    if (write_ != 0 && world_.clients->op(write_).done &&
        world_.clients->op(write_).outcome == node::Outcome::applied) {
      if (partial_) return true;
      const Committed& cluster = world_.checks->cluster(cluster_);
      const raft::Index last{cluster.log.size()};
      return std::all_of(healthy_.begin(), healthy_.end(), [&](size_t i) {
        Host& host = world_.hosts[i];
        // A removed node learns of its removal from the others, even if it was away. It cannot if it knows no current
        // member: if it only met others that were removed since, or was adopted and has no address to ask.
        if (!cluster.configuration.contains(host.disk.instance)) {
          const raft::Raft* raft =
              host.process && host.disk.cluster == cluster_ ? host.process->node().raft() : nullptr;
          if (raft == nullptr || host.process->node().removed() || !cluster.configuration.remembers(host.disk.instance))
            return true;
          const std::vector<raft::Member>& known = raft->configuration().members();
          if (known.empty()) return host.join.empty();
          return std::none_of(known.begin(), known.end(),
                              [&](const raft::Member& member) { return cluster.configuration.contains(member.id); });
        }
        return host.process && host.process->node().machine().applied() == last &&
               host.process->node().machine().digest() == cluster.log.back().digest;
      });
    }
    const bool again = write_ == 0 || world_.clients->op(write_).done ||
                       world_.hosts[world_.clients->op(write_).host].incarnation != world_.clients->op(write_).life;
    if (again && world_.now_us() >= next_write_us_) {
      next_write_us_ = world_.now_us() + 50'000;
      if (Host* host = healthy_voter()) write_ = world_.clients->issue(*host, OpKind::set);
    }
    return false;
  }

  std::string standing() {
    std::string out;
    for (const size_t i : healthy_) {
      Host& host = world_.hosts[i];
      out += host.name;
      const raft::Raft* raft = host.process ? host.process->node().raft() : nullptr;
      if (raft == nullptr) {
        out += " has no log: " + (host.process ? host.process->node().waiting_for() : std::string("down")) + "; ";
        continue;
      }
      out += std::string(" ") + raft::to_string(raft->role()) + " term " + std::to_string(raft->current_term().value) +
             " commit " + std::to_string(raft->commit_index().value) + " applied " +
             std::to_string(host.process->node().machine().applied().value) + " last " +
             std::to_string(raft->log().last_index().value) + " voters " +
             std::to_string(raft->configuration().voters()) + "; ";
    }
    return out + "committed " + std::to_string(world_.checks->cluster(cluster_).log.size());
  }

  void judge() {
    const std::string verdict = world_.clients->verdict(cluster_);
    if (!verdict.empty()) world_.fail("linearizability: " + verdict);
    world_.conduct->judge();
  }

  World world_;
  Faults faults_;
  node::ClusterId cluster_ = node::kNoCluster;
  bool light_chaos_ = false;
  std::set<size_t> healthy_;
  bool partial_ = false;
  uint64_t write_ = 0;
  uint64_t next_look_us_ = 0;
  uint64_t next_write_us_ = 0;
};

}  // namespace

RunResult run(uint64_t seed, const Options& options, bool tracing) { return Simulation(seed, options, tracing).run(); }

}  // namespace wh::sim
