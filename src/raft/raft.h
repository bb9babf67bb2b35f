// The consensus core: values in, values out. No I/O, no clock, no threads; the same options, state, seed and inputs
// give the same outputs everywhere. node/ drives it: step() any number of inputs, then take_output() once, and carry
// the Output out in the order it states. Split by idea: raft.cc (inputs, roles, outputs), election.cc, replication.cc,
// membership.cc, reads.cc, snapshots.cc, impossible.cc (what no correct member can send).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/prng.h"
#include "raft/election_figures.h"
#include "raft/log.h"
#include "raft/messages.h"
#include "raft/progress.h"
#include "raft/types.h"

namespace wh::raft {

struct Options {
  NodeId self;
  uint32_t heartbeat_interval_ms = 50;
  uint32_t election_timeout_ms = 500;         // timeouts are random, one to two times this
  uint64_t max_append_bytes = 256 << 10;      // entries in one AppendEntries (at least one is sent)
  size_t max_in_flight_messages = 64;         // per follower
  uint64_t max_in_flight_bytes = 8 << 20;     // per follower
  uint64_t max_uncommitted_bytes = 64 << 20;  // above it, proposals are refused as overloaded
  uint64_t log_cache_bytes = 16 << 20;
  uint32_t log_cache_ms = 2'000;       // entries leave the cache after one to two times this, in ms; 0: only for room
  uint64_t trailing_entries = 10'000;  // kept below a snapshot for followers that lag a little
  // Log kept for a follower that is far behind but makes progress: this much plus the size of the snapshot it is sent.
  uint64_t held_log_bytes = 256 << 20;
  uint64_t max_chunk_bytes = 1 << 20;  // of a snapshot, in one message
  uint64_t snapshot_rate = 0;          // bytes a second, for all followers together; 0: no limit
  uint64_t max_apply_bytes = 4 << 20;  // committed entries handed out by one Output
};

// The first part of a leader's snapshot that is on the disk.
struct PartOfSnapshot {
  SnapshotMeta meta;  // as the leader announced it
  uint64_t next_offset = 0;
};

// The state that the storage recovered.
struct Recovered {
  HardState hard_state;
  Log::Recovered log;
  std::optional<SnapshotMeta> snapshot;    // applied by the owner before the first step
  std::optional<PartOfSnapshot> incoming;  // part of a transfer that may resume
};

// --- inputs

struct Tick {};  // next_deadline has come and all messages that arrived by then are stepped: an election may begin
struct Receive {
  NodeId from;
  MessageBody body;
};
struct Propose {
  uint64_t token;  // comes back in Proposed
  Bytes payload;
  EntryKind kind = EntryKind::command;  // or version
};
// One change of membership. Refused while another is uncommitted, and until an entry of the leader's own term is
// committed (thesis 4.1; the bug of 2015: HAZARDS D1).
struct ProposeConfiguration {
  uint64_t token;
  Configuration configuration;
};
struct ReadIndex {
  uint64_t token;  // the caller's, never reused
};
// Everything up to and including this ticket is on the disk. Tickets complete in order.
struct Persisted {
  uint64_t ticket;
};
// A sync has been running for longer than an election timeout, or no longer is (HAZARDS C9).
struct DiskStalled {
  bool stalled;
};
// The disk has no room for more data, or has room again: another server should lead. Safety does not depend on it.
struct DiskLow {
  bool low;
};
// The storage holds a snapshot that this node took; the log up to it may be removed.
struct SnapshotTaken {
  SnapshotMeta meta;
};
// The storage has all of a snapshot from the leader, and it is loaded beside the state; the core decides whether it
// still counts.
struct SnapshotReceived {
  SnapshotMeta meta;
};
// The storage wrote a chunk of the leader's snapshot (ok), or discarded the whole file because it failed verification.
struct ChunkStored {
  SnapshotMeta meta;
  uint64_t next_offset;
  bool ok;
  bool no_room = false;  // discarded for lack of room: not answered, the leader asks again later
};
struct EntriesLoaded {
  std::vector<Entry> entries;  // contiguous, beginning with the first asked for; empty: the storage no longer has them
  Index first;
};
// The answer to Output::chunks_wanted.
struct ChunkLoaded {
  NodeId to;
  Index index;  // of the snapshot
  uint64_t offset;
  Bytes data;
  bool done;
  bool ok;  // false: that snapshot no longer exists
};
struct PeerConnected {
  NodeId id;  // messages sent before may be lost: go back to one probe (HAZARDS B11)
};
// The peer's connection died and the address refuses a new one: its process is gone.
struct PeerLost {
  NodeId id;
};
struct TransferLeadership {
  uint64_t token;
  NodeId to;
};
// A member of this cluster says that as of this committed entry this server is removed. Believed unless this server's
// own log names it at a later position.
struct ToldRemoved {
  Position as_of;
  NodeId by;  // a leader that is heard is the only one believed; nobody: unknown who said it
};
// The verdict on Output::acknowledged_lost or acknowledged_missing: nothing was lost, and the process goes on as if the
// leader had not said so.
struct LossJudged {};

using Input = std::variant<Tick, Receive, Propose, ProposeConfiguration, ReadIndex, Persisted, DiskStalled, DiskLow,
                           SnapshotTaken, SnapshotReceived, ChunkStored, EntriesLoaded, ChunkLoaded, PeerConnected,
                           PeerLost, TransferLeadership, ToldRemoved, LossJudged>;

// --- outputs

enum class Refusal : uint8_t {
  none,
  not_leader,       // certainly not appended
  overloaded,       // too much in flight; certainly not appended
  change_pending,   // another change, or this term's first entry, is not committed yet: try again
  bad_change,       // not a single-server change, or it would leave no voter
  cannot_transfer,  // the target is no voter, or lags, or another transfer is running
};

struct Proposed {
  uint64_t token;
  Refusal refusal = Refusal::none;
  Term term;    // of the entry
  Index index;  // of the entry; it is committed when this very (term, index) is handed out as committed
};

struct ReadReady {
  uint64_t token;
  bool ok;      // false: no leader confirmed it; do not read
  Index index;  // serve the read once this much is applied
};

struct InstallState {
  SnapshotMeta meta;
  bool keep_suffix;  // the log agrees at meta.index, so later entries stay (Figure 13, rule 6); else the whole log goes
};

struct ChunkWanted {
  NodeId to;
  SnapshotMeta meta;
  uint64_t offset;
  uint64_t max_bytes;
};

// A chunk of the leader's snapshot to be written at its offset; offset 0 begins a new file.
struct ChunkReceived {
  SnapshotMeta meta;
  uint64_t offset;
  Bytes data;
  bool done;
};

struct LoadEntries {
  Index first;
  Index last;
  bool to_apply = false;  // else to send
};

struct TransferDone {
  uint64_t token;
  bool ok;    // a newer term began after the target was told
  bool sent;  // the target was told: it may still win
};

// A message that no correct member can send. Nothing of it was acted on: the sender is faulty, or lies.
struct Violation {
  NodeId from;
  std::string what;  // for people: what is wrong with it
};

struct HeldOutbound {
  uint64_t ticket;
  Outbound outbound;
};

// Carry it out in this order: install, append and hard_state are one transaction under persist_ticket; send_now may
// leave before it; each send_after_persist leaves once its ticket is on the disk; apply committed in order.
struct Output {
  std::optional<HardState> hard_state;
  std::optional<InstallState> install;
  std::vector<Entry> append;       // replaces any suffix from append.front().index
  uint64_t persist_ticket = 0;     // 0: nothing to persist
  std::vector<Outbound> send_now;  // a leader's AppendEntries may leave before its own disk (thesis 10.2.1)
  std::vector<HeldOutbound> send_after_persist;
  std::vector<Entry> committed;
  std::vector<ReadReady> reads;
  std::vector<Proposed> proposals;
  std::vector<ChunkWanted> chunks_wanted;
  std::vector<ChunkReceived> chunks_received;
  std::optional<LoadEntries> load;
  std::optional<Index> compact;  // log rows up to this index may be removed
  std::vector<TransferDone> transfers;
  // The leader says that this node acknowledged entries up to here, but its log ends before: its disk is an older copy,
  // or it never synced them, or the leader lies. The node neither votes nor campaigns until LossJudged, or until it
  // holds those entries again or an entry of a later leader.
  std::optional<Index> acknowledged_lost;
  // The same, said after this process's first acknowledgement: an acknowledgement of an earlier process life reached
  // the leader late, or the leader lies.
  std::optional<Index> acknowledged_missing;
  std::vector<Violation> violations;  // at most one for each sender; close its connection
  bool more = false;                  // max_apply_bytes held back committed entries: call again
  Millis next_deadline = kNever;      // step a Tick then
};

// For operators: INFO, /cluster and the log.
struct PeerStatus {
  NodeId id;
  Index match_index;
  Millis last_contact;
  ProgressState state;
  bool no_room;  // it says that its disk has no room for more data
  // In state snapshot:
  Index snapshot_index;
  uint64_t snapshot_offset = 0;  // how much of it the follower has
  uint64_t snapshot_size = 0;
};

// Counts of snapshots sent to followers since this process began.
struct SnapshotCounters {
  uint64_t begun = 0;
  uint64_t resumed = 0;    // continued where they broke off
  uint64_t restarted = 0;  // begun anew: the follower had lost its part, or the snapshot was gone
  uint64_t finished = 0;
  uint64_t bytes = 0;
};

class Raft {
 public:
  Raft(Options options, Recovered recovered, uint64_t seed, Millis now);

  void step(Millis now, Input input);
  // `all_read`: all that others had sent by the last call was handed in. Else a leader takes nobody for silent yet.
  [[nodiscard]] Output take_output(Millis now, bool all_read = true);

  [[nodiscard]] Role role() const { return role_; }
  [[nodiscard]] Term current_term() const { return hard_state_.current_term; }
  [[nodiscard]] NodeId voted_for() const { return hard_state_.voted_for; }
  [[nodiscard]] NodeId leader_id() const { return leader_; }
  [[nodiscard]] NodeId self() const { return options_.self; }
  [[nodiscard]] Index commit_index() const { return commit_index_; }
  [[nodiscard]] Index applied_index() const { return emitted_index_; }  // handed out as committed so far
  [[nodiscard]] Index durable_index() const { return durable_index_; }
  [[nodiscard]] const Log& log() const { return log_; }
  // When an Output is to be taken to free old entries of the cache; kNever: it is empty.
  [[nodiscard]] Millis cache_trim_at() const { return cache_trim_at_; }
  [[nodiscard]] const Configuration& configuration() const { return log_.configuration(); }
  [[nodiscard]] const std::optional<SnapshotMeta>& snapshot() const { return snapshot_; }
  [[nodiscard]] std::vector<PeerStatus> peers() const;
  // When a follower was last heard (leader only); nothing for any other server.
  [[nodiscard]] std::optional<Millis> last_contact(NodeId id) const;
  // Leader only: until then, at least, nobody led a later term, as a quorum has answered what was sent then. Nothing:
  // no quorum has answered yet.
  [[nodiscard]] std::optional<Millis> followed_at(Millis now) const;
  // Leader only: an entry of its own term is committed, so it knows everything committed before (thesis 6.4).
  [[nodiscard]] bool leads_for_certain() const;
  [[nodiscard]] bool change_pending() const { return log_.configuration_index() > commit_index_; }
  // The leader said that this server acknowledged entries that it lacks; it still lacks them, and LossJudged has not
  // come.
  [[nodiscard]] bool looks_into_loss() const { return owed_.has_value(); }
  // Leader only: the stamp that an entry appended now would get.
  [[nodiscard]] Millis stamp(Millis now) const;
  [[nodiscard]] bool transferring() const { return transfer_.has_value(); }
  // This process is about to end, so stepping down is no trouble. Affects the log's wording only.
  void set_leaving() { leaving_ = true; }
  // The cluster certainly goes on without this server: its own log says so, or a member said so. It starts no election.
  // Ends when a later configuration names it again.
  [[nodiscard]] bool removed() const;
  // The position of the last entry that this server knows to be committed.
  [[nodiscard]] Position committed_position() const;
  // The last position at which this server's log names it as a member; zero when it does not.
  [[nodiscard]] Position member_as_of() const;
  [[nodiscard]] bool disk_low() const { return disk_low_; }
  [[nodiscard]] uint64_t elections() const { return elections_; }
  [[nodiscard]] const ElectionFigures& election_figures() const { return election_figures_; }
  // The snapshot being sent to a follower that makes progress, or null; the storage must keep it. There is only one:
  // the next follower that needs a snapshot is sent the same.
  [[nodiscard]] const SnapshotMeta* snapshot_in_transfer(Millis now) const;
  // The received part of a leader's snapshot; null when there is none or it is no longer needed.
  [[nodiscard]] const PartOfSnapshot* incoming_snapshot() const {
    return incoming_ && incoming_->meta.index > commit_index_ ? &*incoming_ : nullptr;
  }
  [[nodiscard]] const SnapshotCounters& snapshot_counters() const { return snapshot_counters_; }
  // While held, no committed entries are handed out, nor loaded for that: the owner has not applied the last ones yet.
  void hold_committed(bool held) { committed_held_ = held; }
  void set_max_uncommitted(uint64_t bytes) { options_.max_uncommitted_bytes = bytes; }
  void set_snapshot_limits(uint64_t rate, uint64_t held_log_bytes, uint64_t trailing_entries) {
    options_.snapshot_rate = rate;
    options_.held_log_bytes = held_log_bytes;
    options_.trailing_entries = trailing_entries;
  }
  // Aborts the process when an invariant does not hold. Cheap; called after each output.
  void check_state() const;

 private:
  struct Ticket {
    uint64_t number;
    Index last_index;  // up to here the ticket makes the log durable; a truncation lowers it
    bool hard_state;
    uint64_t appended_bytes;  // when the ticket was issued
  };
  struct PendingRead {
    uint64_t token;
    NodeId from;  // the follower that asked, or this server
    uint64_t round;
    Index index;
  };
  struct Transfer {
    uint64_t token;
    NodeId to;
    Millis deadline;
    bool sent;
  };

  // raft.cc
  void on_tick(Millis now);
  void on_receive(Millis now, NodeId from, MessageBody& body);
  void on_persisted(Millis now, uint64_t ticket);
  void become_follower(Millis now, Term term, NodeId leader);
  // The leader's own decision, within its term; logged with its cause.
  void step_down(Millis now, StepDownCause cause, const std::string& why);
  void on_disk_stalled(Millis now, bool stalled);
  void become_leader(Millis now);
  void set_term(Term term);
  void append_as_leader(Millis now, EntryKind kind, Bytes payload);
  void set_commit_index(Index index);
  void emit_committed(Output& output);
  void trim_cache(Millis now);
  void send(NodeId to,
            MessageBody body);  // held back while a term or vote that it depends on is unsynced
  void persist_and_release(Output& output);
  [[nodiscard]] Millis next_deadline() const;
  [[nodiscard]] bool is_voter() const { return configuration().is_voter(options_.self); }

  // impossible.cc
  // What in it no correct member can send, for people; empty when there is no such thing.
  [[nodiscard]] std::string impossible(NodeId from, const MessageBody& body) const;
  [[nodiscard]] std::string second_leader(NodeId from, Term term) const;
  [[nodiscard]] std::string contradicts_log(NodeId from, Term term, Index index, Term index_term) const;
  void report_violation(NodeId from, std::string what);

  // election.cc
  void reset_election_timer(Millis now);
  void begin_election(ElectionCause cause, const std::string& why);
  void note_step_down(StepDownCause cause, const std::string& why);
  void note_overtaken(NodeId by, Term term, bool by_leader);
  [[nodiscard]] std::string name_of(NodeId id) const;
  void on_election_timeout(Millis now);
  void ask_pre_votes(Millis now);
  void campaign(Millis now, bool transfer);
  void ask_votes(bool pre_vote, bool transfer);
  void count_votes(Millis now);
  [[nodiscard]] bool log_is_up_to_date(const RequestVote& request) const;
  [[nodiscard]] bool sticks_to_leader(Millis now, const RequestVote& request) const;
  [[nodiscard]] bool may_campaign() const;
  void on_request_vote(Millis now, NodeId from, const RequestVote& request);
  void on_request_vote_reply(Millis now, NodeId from, const RequestVoteReply& reply);
  void on_timeout_now(Millis now, NodeId from, const TimeoutNow& message);
  void on_peer_lost(Millis now, NodeId id);
  [[nodiscard]] bool quorum_in_contact(Millis now) const;

  // replication.cc
  void on_append_entries(Millis now, NodeId from, AppendEntries& message);
  void on_append_entries_reply(Millis now, NodeId from, const AppendEntriesReply& reply);
  void on_entries_loaded(Millis now, EntriesLoaded& loaded);
  void replicate_to(Millis now, Progress& progress);
  [[nodiscard]] bool may_send(const Progress& progress) const;
  void send_append(Millis now, Progress& progress, Index prev, std::vector<Entry> entries);
  void send_loaded(Millis now, Progress& progress, const std::vector<Entry>& loaded);
  void broadcast(Millis now);
  void acknowledge_append(Millis now);
  void pay_what_is_owed();
  [[nodiscard]] Millis echo(Millis now) const;
  void advance_commit(Millis now);
  void next_load();
  void on_peer_connected(Millis now, NodeId id);
  [[nodiscard]] Progress* progress_of(NodeId id);
  [[nodiscard]] Index quorum_index() const;

  // membership.cc
  void on_propose_configuration(Millis now, ProposeConfiguration& proposal);
  void sync_progress(Millis now);  // one Progress for each other member
  void let_go_of_removed(Millis now);
  void on_told_removed(Millis now, const ToldRemoved& told);
  [[nodiscard]] bool told_removed() const;
  [[nodiscard]] Position position_of(Index index) const;
  void tend_learner(Millis now, Progress& progress);
  void promote_ready_learner(Millis now);
  void on_transfer(Millis now, const TransferLeadership& request);
  void advance_transfer(Millis now);
  void end_transfer(bool ok);

  // reads.cc
  void on_read_index(NodeId from, uint64_t token);
  void on_read_index_reply(const ReadIndexReply& reply);
  void open_read_round();
  void confirm_reads();
  void fail_reads();
  void answer_read(const PendingRead& read, bool ok);

  // snapshots.cc
  void on_install_snapshot(Millis now, NodeId from, InstallSnapshot& message);
  void on_install_snapshot_reply(Millis now, NodeId from, const InstallSnapshotReply& reply);
  void on_snapshot_taken(const SnapshotTaken& taken);
  void on_snapshot_received(Millis now, const SnapshotReceived& received);
  void on_chunk_stored(const ChunkStored& stored);
  void on_chunk_loaded(Millis now, ChunkLoaded& loaded);
  void start_snapshot(Millis now, Progress& progress);
  void end_snapshot(Millis now, Progress& progress);
  void want_chunks(Millis now);
  void want_chunk(Millis now, Progress& progress);
  void offer_snapshot(Millis now, Progress& progress);
  void compact_log(Millis now);
  [[nodiscard]] bool is_getting_on(Millis now, const Progress& progress) const;

  Options options_;
  Prng prng_;
  HardState hard_state_;
  Log log_;
  std::optional<SnapshotMeta> snapshot_;
  Role role_ = Role::follower;
  NodeId leader_;
  NodeId term_leader_;      // the current term's leader once heard; kept when leader_ is cleared
  Millis far_term_at_ = 0;  // when a far higher term was last believed
  Index commit_index_;
  Index emitted_index_;

  // durability
  uint64_t next_ticket_ = 1;
  std::deque<Ticket> tickets_;
  Index durable_index_;
  Index unstable_from_;            // lowest index not yet handed out for appending; last_index + 1: none
  bool hard_state_dirty_ = false;  // changed since the last Output
  std::optional<InstallState> install_;
  bool disk_stalled_ = false;
  bool disk_low_ = false;

  // follower
  Millis last_leader_contact_ = 0;  // when this term's leader was last heard; 0: not in this term
  Index verified_index_;            // up to here the log is known to equal the current leader's
  Millis last_append_reply_ = 0;
  uint64_t last_read_round_ = 0;
  bool acknowledgement_due_ = false;
  bool acknowledged_ = false;     // whether this process acknowledged anything
  std::optional<Position> owed_;  // acknowledged in that term, the leader says, but missing here; until judged
  Millis newest_sent_at_ = 0;     // the leader's newest message: sent by its clock, received by ours
  Millis newest_received_at_ = 0;
  NodeId lost_leader_;  // PeerLost named it, and it was not heard since
  std::optional<PartOfSnapshot> incoming_;
  size_t chunks_unstored_ = 0;  // handed to the storage, not yet reported back

  // elections
  Millis election_deadline_ = 0;
  std::set<NodeId> votes_;
  bool votes_unsent_ = false;  // own term and vote are not on the disk yet; the timer starts once they are
  uint64_t own_vote_ticket_ = 0;
  uint64_t elections_ = 0;
  bool heard_leader_ = false;  // any leader, since the start
  ElectionFigures election_figures_;

  Position told_removed_;  // the newest ToldRemoved; zero: none

  // leader
  std::map<NodeId, Progress> progress_;  // of members, and of a server being removed until that is committed
  Index term_start_index_;               // the no-op of this term
  Millis leader_since_ = 0;
  Millis stamp_base_ = 0;  // the base of this term's stamps
  Millis heard_time_ = 0;  // the highest time_ms that the leader of heard_term_ sent, or this server as leader stamped
  Term heard_term_;
  bool committed_held_ = false;
  uint64_t uncommitted_bytes_ = 0;
  uint64_t appended_bytes_ = 0;         // ever, by this process as a leader
  uint64_t synced_bytes_ = 0;           // of those, on its own disk
  uint64_t read_round_ = 0;             // only grows within a term
  std::vector<PendingRead> new_reads_;  // wait for this turn's round
  std::deque<PendingRead> reads_;       // wait for their round's echoes
  std::map<NodeId, size_t> reads_of_;   // how many of both each follower asked
  std::optional<Transfer> transfer_;
  bool leaving_ = false;
  uint64_t snapshot_free_at_us_ = 0;  // when the rate allows the next chunk
  SnapshotCounters snapshot_counters_;

  // Follower reads are not kept here; the node asks again with new tokens when the leader changes.

  Millis last_step_ = 0;
  std::optional<LoadEntries> loading_;
  NodeId loaded_for_;  // the follower for which entries were loaded last
  // The ends of the log at the two last times that the cache's age was looked at.
  Index cache_old_;
  Index cache_new_;
  Millis cache_looked_at_ = 0;
  Millis cache_trim_at_ = kNever;
  Output out_;
};

}  // namespace wh::raft
