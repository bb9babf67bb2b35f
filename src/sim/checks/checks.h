// What must hold in every run, checked after every event of a node: election safety, leader append-only, log matching,
// leader completeness (as the paper states it: entries committed in a term below the leader's), state machine safety;
// terms, votes, commit and applied indices never go back; no node says what is not on its disk; nothing is committed
// that is not durable on a quorum. Keeps the committed log of each cluster, with a model machine that applied it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "machine/machine.h"
#include "node/node.h"
#include "sim/checks/queue_audit.h"
#include "sim/checks/store_audit.h"

namespace wh::sim {

class World;
struct Host;

// One cluster's committed log; every node must agree with it.
struct Committed {
  struct Position {
    raft::Entry entry;
    uint64_t chain = 0;                      // of all entries up to here
    raft::Term committed_in;                 // the term of the leader that committed it
    uint64_t digest = 0;                     // of the state after it
    uint64_t step = 0;                       // the event in which it was committed
    Millis time_ms = 0;                      // of the state after it
    ClusterVersion version = kFirstVersion;  // likewise
  };
  struct Leader {
    raft::NodeId id;
    uint64_t since = 0;  // the event in which the leader was elected
  };
  std::vector<Position> log;  // log[0] is index 1
  machine::Machine model;
  QueueAudit queues;
  StoreAudit store;
  uint64_t led_us = 0;                  // for how long somebody has led, as of led_until_us
  uint64_t led_until_us = 0;            // in real time
  bool led = false;                     // somebody leads
  raft::Configuration configuration;    // the last committed
  std::set<raft::NodeId> ever_removed;  // by a committed configuration
  std::map<uint64_t, Leader> leaders;   // by term
  // What was appended as this entry, by (index, term).
  struct Appended {
    uint64_t chain = 0;   // of the log up to it: log matching
    uint64_t led_us = 0;  // for how long somebody had led by then
  };
  std::map<std::pair<uint64_t, uint64_t>, Appended> chains;
  std::map<std::pair<uint64_t, uint64_t>, raft::NodeId> votes;            // by (term, voter)
  std::map<std::pair<uint64_t, uint64_t>, raft::SnapshotMeta> snapshots;  // by (index, term)
  [[nodiscard]] const Position* at(raft::Index index) const {
    return index.value >= 1 && index.value <= log.size() ? &log[index.value - 1] : nullptr;
  }
};

class Checks {
 public:
  explicit Checks(World& world) : world_(world) {}

  // --- called by disk and network
  void started(const Host& host, const node::RecoveredNode& recovered);
  void host_died(const Host& host);
  void began(const Host& host, const node::NewBeginning& beginning);
  void staged(Host& host, const node::Batch& batch);
  void sent(Host& host, raft::NodeId to, const node::PeerMessage& message);
  // Called before the node receives it.
  void received(const Host& host, raft::NodeId from, const node::PeerMessage& message);
  void snapshot_taken(const Host& host, const raft::SnapshotMeta& meta);
  // An older copy replaced the host's disk, perhaps with a different log: its acknowledgements no longer count.
  void put_back(const Host& host);
  void completed(const Host& host, const node::Completion& completion);
  // Called after every event of a node. `whole_turn`: the turn's effects were carried out, so its appends were seen.
  void looked(Host& host, bool whole_turn);
  void trace_message(const char* way, const Host& host, raft::NodeId peer, const node::PeerMessage& message);

  // Most calls ask for the same cluster as the last one.
  Committed& cluster(const node::ClusterId& id) {
    if (last_cluster_ == nullptr || last_cluster_id_ != id) {
      last_cluster_ = &clusters_[id];
      last_cluster_id_ = id;
    }
    return *last_cluster_;
  }
  [[nodiscard]] const std::map<node::ClusterId, Committed>& clusters() const { return clusters_; }
  // Whether the leader of this term was elected after that event.
  [[nodiscard]] bool led_since(const node::ClusterId& id, uint64_t step, raft::Term term) const;
  [[nodiscard]] size_t founded() const { return founded_; }
  // The configurations in the log of this host's process, including unsynced entries.
  [[nodiscard]] std::vector<raft::Configuration> configurations_in(const Host& host) const;

 private:
  struct Held {
    raft::Entry entry;
    uint64_t chain;
  };
  // What a node holds in memory, as its storage port shows.
  struct Shadow {
    node::ClusterId cluster{};
    raft::Index base;
    uint64_t base_chain = 0;
    std::vector<Held> log;  // from base + 1
    raft::Term term;
    raft::NodeId vote;
    raft::Index commit;
    raft::Index applied;
    raft::Role role = raft::Role::follower;
    raft::Index led_last;  // its last index as leader of `term`
    raft::SnapshotCounters sent;
    std::vector<raft::Log::ConfigurationAt> configurations{raft::Log::ConfigurationAt{}};  // at base, and in log
    uint64_t turns = 0;
    raft::HardState durable;                             // as last looked at
    raft::Term leads;                                    // the last term in which it was seen to lead
    Millis leads_since = 0;                              // by its clock, like all times here
    std::vector<std::pair<raft::NodeId, Millis>> heard;  // as leader in this term
    Millis looked_at = 0;
    bool configuration_news = true;
    Millis changed_at = 0;  // when it appended the newest configuration
    [[nodiscard]] raft::Index last() const { return base + log.size(); }
    [[nodiscard]] const Held* at(raft::Index index) const {
      return index > base && index <= last() ? &log[index - base - 1] : nullptr;
    }
  };
  // What a node has sent, which binds its disk for ever.
  struct Promise {
    raft::Term term;
    raft::NodeId vote;
    raft::Term said_in;   // the newest term in which it acknowledged entries to a leader
    raft::Index said;     // how far
    raft::Term acked_in;  // likewise, for what its disk must hold: less after a later leader took entries back
    raft::Index acked;
    raft::Term acked_entry;  // the term of the entry at `acked`
  };
  void append(Host& host, Shadow& shadow, const raft::Entry& entry);
  // `leads`: it leads, or did until this event.
  // Counts the time in which somebody led.
  void count_led(const node::ClusterId& id);
  machine::Reply apply_command(Host& host, Committed& cluster, const raft::Entry& entry);
  void committed_now(Host& host, Shadow& shadow, raft::Index to, bool leads);
  void check_durable(const Host& host, const Shadow& shadow, raft::Index index);
  void check_acknowledgement(const Host& host, raft::NodeId to, raft::Term term, raft::Index match);
  void caught_up(const Host& host, raft::NodeId leader, raft::Index match);
  void check_matches(const Host& host, const Shadow& shadow);
  void check_truncation(const Host& host, const Shadow& shadow, raft::Index kept);
  void check_configuration(const Host& host, Shadow& shadow);
  void check_leadership(const Host& host, const Shadow& shadow, Millis now);
  void check_room(const Host& host, const node::Batch& batch);
  void check_queues(const Host& host);
  void append_configuration(const Host& host, Shadow& shadow, const raft::Entry& entry);
  void check_completeness(const Host& host, const Shadow& shadow);
  void fail(const Host& host, const std::string& what);

  World& world_;
  std::map<node::ClusterId, Committed> clusters_;
  std::map<size_t, Shadow> shadows_;                                      // by host, while its process lives
  std::map<std::pair<raft::NodeId, node::ClusterId>, Promise> promised_;  // by disk and cluster
  Committed* last_cluster_ = nullptr;
  node::ClusterId last_cluster_id_{};
  size_t founded_ = 0;
};

}  // namespace wh::sim
