// What must hold in every run, looked at after every event of a node: election safety, leader append-only, log
// matching, leader completeness (as the paper states it: entries committed in a term below the leader's), state machine
// safety; terms, votes, commit and applied indices that never go back; nothing said that is not on the disk; nothing
// committed that is not durable on a quorum. Keeps the committed log of each cluster, with a model machine that applied
// it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "machine/machine.h"
#include "node/node.h"

namespace wh::sim {

class World;
struct Host;

// One cluster's committed log, as it must look from everywhere.
struct Committed {
  struct Position {
    raft::Entry entry;
    uint64_t chain = 0;       // of all entries up to here
    raft::Term committed_in;  // the term of the leader that committed it
    uint64_t digest = 0;      // of the state after it
    uint64_t step = 0;        // the event in which it was committed
  };
  struct Leader {
    raft::NodeId id;
    uint64_t since = 0;  // the event in which it was elected
  };
  std::vector<Position> log;  // log[0] is index 1
  machine::Machine model;
  raft::Configuration configuration;                                      // the last committed
  std::set<raft::NodeId> ever_removed;                                    // by a committed configuration
  std::map<uint64_t, Leader> leaders;                                     // by term
  std::map<std::pair<uint64_t, uint64_t>, uint64_t> chains;               // by (index, term): log matching
  std::map<std::pair<uint64_t, uint64_t>, raft::NodeId> votes;            // by (term, voter)
  std::map<std::pair<uint64_t, uint64_t>, raft::SnapshotMeta> snapshots;  // by (index, term)
  [[nodiscard]] const Position* at(raft::Index index) const {
    return index.value >= 1 && index.value <= log.size() ? &log[index.value - 1] : nullptr;
  }
};

class Checks {
 public:
  explicit Checks(World& world) : world_(world) {}

  // --- told by disk and network
  void started(const Host& host, const node::RecoveredNode& recovered);
  void host_died(const Host& host);
  void began(const Host& host, const node::NewBeginning& beginning);
  void staged(Host& host, const node::Batch& batch);
  void sent(Host& host, raft::NodeId to, const node::PeerMessage& message);
  void snapshot_taken(const Host& host, const raft::SnapshotMeta& meta);
  // An older copy took the place of its disk: what that does not hold it promised no more.
  void put_back(const Host& host);
  void completed(const Host& host, const node::Completion& completion);
  // After every event of a node. `whole_turn`: its effects were carried out, so that what it appended was seen.
  void looked(Host& host, bool whole_turn);
  void trace_message(const char* way, const Host& host, raft::NodeId peer, const node::PeerMessage& message);

  Committed& cluster(const node::ClusterId& id) { return clusters_[id]; }
  [[nodiscard]] const std::map<node::ClusterId, Committed>& clusters() const { return clusters_; }
  // Whether the leader of this term was elected after that event.
  [[nodiscard]] bool led_since(const node::ClusterId& id, uint64_t step, raft::Term term) const;
  [[nodiscard]] size_t founded() const { return founded_; }
  // The log of this host's process, with what is not synced yet: its last index, and configurations in it.
  [[nodiscard]] std::vector<raft::Configuration> configurations_in(const Host& host) const;

 private:
  struct Held {
    raft::Entry entry;
    uint64_t chain;
  };
  // What a node holds in memory, as seen at its storage port.
  struct Shadow {
    node::ClusterId cluster{};
    raft::Index base;
    uint64_t base_chain = 0;
    bool chain_known = true;  // false: behind a snapshot of a log that nobody saw committed
    std::vector<Held> log;    // from base + 1
    raft::Term term;
    raft::NodeId vote;
    raft::Index commit;
    raft::Index applied;
    raft::Role role = raft::Role::follower;
    raft::Index led_last;  // as leader of `term`
    raft::SnapshotCounters sent;
    std::vector<raft::Log::ConfigurationAt> configurations{raft::Log::ConfigurationAt{}};  // of base and log
    raft::Position in_force;  // the configuration that was last compared with the node's
    uint64_t turns = 0;
    [[nodiscard]] raft::Index last() const { return base + log.size(); }
    [[nodiscard]] const Held* at(raft::Index index) const {
      return index > base && index <= last() ? &log[index - base - 1] : nullptr;
    }
  };
  // What left a node, and binds its disk for ever.
  struct Promise {
    raft::Term term;
    raft::NodeId vote;
    raft::Term acked_in;  // the newest term in which it acknowledged entries to a leader
    raft::Index acked;    // how far, and which entry that was
    raft::Term acked_entry;
    bool void_again = false;  // an older copy of the disk was put back
  };
  void append(Host& host, Shadow& shadow, const raft::Entry& entry);
  void committed_now(Host& host, Shadow& shadow, raft::Index to);
  void check_durable(const Host& host, const Shadow& shadow, raft::Index index);
  void check_acknowledgement(const Host& host, raft::NodeId to, raft::Term term, raft::Index match);
  void caught_up(const Host& host, raft::NodeId leader, raft::Index match);
  void check_matches(const Host& host, const Shadow& shadow);
  void check_truncation(const Host& host, const Shadow& shadow, raft::Index kept);
  void check_configuration(const Host& host, Shadow& shadow);
  void check_queues(const Host& host);
  void append_configuration(const Host& host, Shadow& shadow, const raft::Entry& entry);
  void check_completeness(const Host& host, const Shadow& shadow);
  void fail(const Host& host, const std::string& what);

  World& world_;
  std::map<node::ClusterId, Committed> clusters_;
  std::map<size_t, Shadow> shadows_;                                      // by host, while its process lives
  std::map<std::pair<node::ClusterId, raft::NodeId>, Promise> promised_;  // by cluster and disk
  size_t founded_ = 0;
};

}  // namespace wh::sim
