// Holds each node's own actions against the rules: when it may campaign, vote, lead, commit, change members, hand over,
// answer a read (Figure 2; thesis 3.6, 3.10, 4.1, 4.2, 6.4, 9.6). Looks at each action as it happens, from the messages
// that the node received and sends, so that a broken rule is seen even if it did no harm. checks.h looks at what must
// hold between nodes. By idea: conduct.cc (messages, logs, snapshots), conduct_elections.cc, conduct_leader.cc
// (members, too).
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

  // --- called by world, disk and network
  void started(const Host& host, const node::RecoveredNode& recovered);
  void host_died(const Host& host);
  // A new beginning is about to replace the contents of the host's disk.
  void begins(const Host& host, const node::NewBeginning& beginning);
  // Called before the node receives it; and when it leaves, with or without a connection.
  void received(const Host& host, raft::NodeId from, const node::PeerMessage& message);
  void sent(const Host& host, raft::NodeId to, const node::PeerMessage& message);
  // A server that breaks the rules made up this term of the cluster.
  void term_made_up(const node::ClusterId& cluster, raft::Term term) { campaigned_.emplace(cluster, term.value); }
  // The node is about to be told that it is connected to that peer.
  void connected(const Host& host, raft::NodeId peer);
  void staged(const Host& host, const node::Batch& batch);
  // The node removes the first part of its log.
  void compacts(const Host& host, raft::Index index);
  // Called after every event of a node. `whole_turn`: the turn's effects were carried out.
  void looked(const Host& host, bool whole_turn);
  // The node stood still and now receives what came meanwhile; `all`: it has received everything.
  void catches_up(const Host& host, bool all);
  void completed(const Host& host, const node::Completion& completion);
  // The answer to a question that the node asked.
  void answered(const Host& host, const node::Answer& answer);
  // The node agrees to be taken into a cluster; `asked` is the instance it was addressed as.
  void adopted(const Host& host, raft::NodeId asked);
  void snapshot_taken(const Host& host, const raft::SnapshotMeta& meta, const std::string& bytes);
  // A part of a snapshot is given to the disk; the disk found no room for a part.
  void part_written(const Host& host, const raft::SnapshotMeta& meta, uint64_t offset, size_t bytes);
  void found_no_room(const Host& host);

  // At the end: judges what only many elections show.
  void judge();

 private:
  // A requested vote. `answer`: what the rules demand; nothing: either is right.
  struct Question {
    raft::NodeId by;
    bool pre_vote = false;
    std::optional<bool> answer;
  };
  // The leader says that this was acknowledged; it is beyond the end of the log.
  struct Lost {
    raft::NodeId by;
    raft::Index acknowledged;
  };
  // What a leader may know of a follower in its term.
  struct Follower {
    raft::Index match;            // as it acknowledged
    std::optional<Millis> heard;  // when, by the leader's clock
    bool probed = true;           // since it was connected
    uint64_t connected_at = 0;    // the turn of that
    bool takes_snapshot = false;
    Millis moved_at = 0;     // when its acknowledgements last advanced
    uint64_t confirmed = 0;  // the event in which the newest round of reads began that the follower echoed
    std::deque<std::pair<raft::Index, uint64_t>> under_way;  // messages with entries: last index, and bytes
    uint64_t bytes = 0;
    void nothing_under_way() {
      under_way.clear();
      bytes = 0;
    }
  };
  struct InForce {
    raft::Configuration configuration;
    uint64_t since = 0;  // the event in which it came into force
  };
  // One process, as of its last event. Times are by its own clock.
  struct Record {
    node::ClusterId cluster{};
    raft::Term term;
    raft::Role role = raft::Role::follower;
    raft::Index commit;
    // elections
    uint64_t elections = 0;
    std::array<uint64_t, raft::kElectionCauses> begun{};
    std::array<uint64_t, raft::kStepDownCauses> stepped_down{};
    raft::Term votes_in, pre_votes_for, told_in;  // told_in: the leader of that term said to campaign
    std::vector<raft::NodeId> votes, pre_votes;   // the granted ones that arrived
    raft::Term heard_in;                          // the term of the leader heard last
    Millis heard_at = 0;
    std::deque<Question> questions;
    bool catching_up = false;
    bool disk_hung = false;  // as of its last turn
    uint64_t turns = 0;
    Millis quiet_since = 0;                    // since when nothing has delayed its election
    std::optional<uint64_t> overdue_since_us;  // by the world's time
    // as leader of `term`
    uint64_t leads_since = 0;  // the event; 0: it does not lead
    std::map<raft::NodeId, Follower> followers;
    raft::NodeId heard_last;                                      // the follower heard in this event
    raft::Index base;                                             // of its log
    std::map<uint64_t, uint64_t> rounds;                          // of reads: the event in which each was first sent
    std::map<std::pair<raft::NodeId, uint64_t>, uint64_t> reads;  // by asker and token: the event of the request
    // members
    raft::Position configuration_at;
    std::deque<InForce> in_force;                  // the last few, the newest at the back
    std::set<raft::NodeId> strangers;              // instances that said they are members of another cluster
    std::map<raft::NodeId, raft::Index> learners;  // by the index of the configuration that added it
    // the leader's snapshot
    raft::SnapshotMeta part_of;
    uint64_t part_end = 0;
    uint64_t parts_heard = 0;  // since one was last given to the disk
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
  // The newest term in which a server campaigned.
  [[nodiscard]] raft::Term newest_term(const node::ClusterId& cluster) const;
  [[nodiscard]] size_t counted(const raft::Configuration& configuration, const std::vector<raft::NodeId>& who) const;
  void fail(const Host& host, const std::string& what);

  World& world_;
  std::map<size_t, Record> records_;                           // by host, while its process lives
  std::set<std::pair<node::ClusterId, uint64_t>> campaigned_;  // terms that had a candidate
  std::set<std::pair<raft::NodeId, uint64_t>> forwards_;       // request numbers, by disk
  uint64_t silences_ = 0, silences_at_once_ = 0;               // elections after silence; the earliest possible of them
};

}  // namespace wh::sim
