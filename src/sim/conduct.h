// What each node does by itself, held against the rules: when it may campaign, vote, lead, commit, change members, hand
// over, answer a read (Figure 2; thesis 3.6, 3.10, 4.1, 4.2, 6.4, 9.6). Looked at as it is done, from what the node was
// told and what it says, so that a broken rule is seen though nobody came to harm by it. What must hold between nodes
// is checks.h's to look at. By idea: conduct.cc (what it is told and says, logs, snapshots), conduct_elections.cc,
// conduct_leader.cc (members, too).
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "node/node.h"

namespace wh::sim {

class World;
struct Host;

class Conduct {
 public:
  explicit Conduct(World& world) : world_(world) {}

  // --- told by world, disk and network
  void started(const Host& host, const node::RecoveredNode& recovered);
  void host_died(const Host& host);
  // A new beginning is about to take the place of what is on its disk.
  void begins(const Host& host, const node::NewBeginning& beginning);
  // Before the node is given it; and as it leaves, whether or not there is a connection.
  void received(const Host& host, raft::NodeId from, const node::PeerMessage& message);
  void sent(const Host& host, raft::NodeId to, const node::PeerMessage& message);
  // Somebody who does not keep to the rules says that this term of the cluster has come.
  void term_made_up(const node::ClusterId& cluster, raft::Term term) { campaigned_.emplace(cluster, term.value); }
  // It is about to be told that it is connected to that peer.
  void connected(const Host& host, raft::NodeId peer);
  void staged(const Host& host, const node::Batch& batch);
  // It removes the first part of its log.
  void compacts(const Host& host, raft::Index index);
  // After every event of a node. `whole_turn`: its effects were carried out.
  void looked(const Host& host, bool whole_turn);
  // It stood still, and is given what came meanwhile; and it was given all of it.
  void catches_up(const Host& host, bool all);
  void completed(const Host& host, const node::Completion& completion);
  // The answer to a question of its own.
  void answered(const Host& host, const node::Answer& answer);
  // It says yes to being taken into a cluster, as whom it was asked.
  void adopted(const Host& host, raft::NodeId asked);
  void snapshot_taken(const Host& host, const raft::SnapshotMeta& meta, const std::string& bytes);
  // A part of a snapshot is given to the disk; the disk found no room for one.
  void part_written(const Host& host, const raft::SnapshotMeta& meta, uint64_t offset, size_t bytes);
  void found_no_room(const Host& host);

  // At the end: what only many elections show.
  void judge();

 private:
  // A vote that was asked for. `answer`: what the rules say; nothing: either will do.
  struct Question {
    raft::NodeId by;
    bool pre_vote = false;
    std::optional<bool> answer;
  };
  // Acknowledged, says who leads, and behind the end of the log.
  struct Lost {
    raft::NodeId by;
    raft::Index acknowledged;
  };
  // What a leader may know of a follower, in its term.
  struct Follower {
    raft::Index match;            // as it acknowledged
    std::optional<Millis> heard;  // by the leader's clock
    bool probed = true;           // since it was connected,
    uint64_t connected_at = 0;    // in that turn
    bool takes_snapshot = false;
    Millis moved_at = 0;     // by its acknowledgements
    uint64_t confirmed = 0;  // the event in which the newest round of reads began that it echoed
    std::deque<std::pair<raft::Index, uint64_t>> under_way;  // messages with entries: the last, and bytes
    uint64_t bytes = 0;
    void nothing_under_way() {
      under_way.clear();
      bytes = 0;
    }
  };
  struct InForce {
    raft::Configuration configuration;
    uint64_t since = 0;  // the event
  };
  // Of one process, as of its last event. Times are by its own clock.
  struct Record {
    node::ClusterId cluster{};
    raft::Term term;
    raft::Role role = raft::Role::follower;
    raft::Index commit;
    // elections
    uint64_t elections = 0;
    std::array<uint64_t, raft::kElectionCauses> begun{};
    std::array<uint64_t, raft::kStepDownCauses> stepped_down{};
    raft::Term votes_in, pre_votes_for, told_in;  // told by the leader of that term to campaign
    std::vector<raft::NodeId> votes, pre_votes;   // that were heard
    raft::Term heard_in;                          // the term of the leader that was heard last
    Millis heard_at = 0;
    std::deque<Question> questions;
    bool catching_up = false;
    bool disk_hung = false;  // as of its last turn
    uint64_t turns = 0;
    Millis quiet_since = 0;                    // nothing put off its election since
    std::optional<uint64_t> overdue_since_us;  // the world's time
    // as leader of `term`
    uint64_t leads_since = 0;  // the event; 0: it does not
    std::map<raft::NodeId, Follower> followers;
    raft::NodeId heard_last;                                      // a follower, in this very event
    raft::Index base;                                             // of its log
    std::map<uint64_t, uint64_t> rounds;                          // of reads: the event in which each was sent first
    std::map<std::pair<raft::NodeId, uint64_t>, uint64_t> reads;  // by asker and token: when each was asked
    // members
    raft::Position configuration_at;
    std::deque<InForce> in_force;                  // the last few, the newest at the back
    std::set<raft::NodeId> strangers;              // who said that they are members of another cluster
    std::map<raft::NodeId, raft::Index> learners;  // since which configuration
    // the leader's snapshot
    raft::SnapshotMeta part_of;
    uint64_t part_end = 0;
    uint64_t parts_heard = 0;  // since one was given to the disk
    bool no_room = false;
    std::optional<Lost> lost;
  };

  // conduct_elections.cc
  void asked_for_vote(const Host& host, Record& record, raft::NodeId from, const raft::RequestVote& request);
  [[nodiscard]] std::optional<bool> right_answer(const Host& host, const Record& record, raft::NodeId from,
                                                 const raft::RequestVote& request) const;
  void answers_vote(const Host& host, Record& record, raft::NodeId to, const raft::RequestVoteReply& reply);
  void look_at_election(const Host& host, Record& record);
  void look_at_causes(const Host& host, Record& record);
  void look_at_silence(const Host& host, Record& record);

  // conduct_leader.cc
  void heard_follower(const Host& host, Record& record, raft::NodeId from, raft::Term term, bool success,
                      raft::Index match);
  void sends_entries(const Host& host, Record& record, raft::NodeId to, const raft::AppendEntries& append);
  void hands_over(const Host& host, raft::NodeId to);
  void answers_read(const Host& host, const Record& record, uint64_t asked);
  void look_at_commit(const Host& host, Record& record);
  void appends_configuration(const Host& host, const Record& record, const raft::Log::ConfigurationAt& last,
                             const raft::Configuration& next);

  void look_at_members(Record& record, const raft::Log& log);
  void look_at_log(const Host& host, const Record& record);
  // The newest term in which somebody campaigned.
  [[nodiscard]] raft::Term newest_term(const node::ClusterId& cluster) const;
  [[nodiscard]] size_t counted(const raft::Configuration& configuration, const std::vector<raft::NodeId>& who) const;
  void fail(const Host& host, const std::string& what);

  World& world_;
  std::map<size_t, Record> records_;                           // by host, while its process lives
  std::set<std::pair<node::ClusterId, uint64_t>> campaigned_;  // terms that somebody was a candidate in
  std::set<std::pair<raft::NodeId, uint64_t>> forwards_;       // their numbers, by disk
  uint64_t silences_ = 0, silences_at_once_ = 0;               // elections after silence; those as early as may be
};

}  // namespace wh::sim
