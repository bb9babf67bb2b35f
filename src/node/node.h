// One node: drives the consensus core and the state machine, and owns the order of their effects: what is persisted,
// sent, applied and answered, and when. Pure like the core: time comes in as a value, the disk and the network are
// ports, nothing blocks. Everything that arrives is only queued or stepped; drain(), once a turn of the loop, carries
// out one batch. By idea: node.cc (the turn, the order of effects), requests.cc (writes, reads, forwarding),
// room.cc (disks and memory that fill), snapshots.cc (taking, receiving, loading; backups), membership.cc (adding,
// transfer), removal.cc (removing, being removed), tolerance.cc (how many may fail), founding.cc (a node that is in no
// cluster yet), ending.cc (a node that is being stopped), old_disk.cc (a disk that is said to be an older copy),
// waiting.cc (requests that wait for an index or an effect), versions.cc (the cluster's version),
// cluster_time.cc (what time it is in the log).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/prng.h"
#include "base/result.h"
#include "machine/machine.h"
#include "machine/snapshot/snapshot_loader.h"
#include "node/leader_contact.h"
#include "node/messages.h"
#include "node/ports.h"
#include "node/room.h"
#include "node/seeking.h"
#include "node/waits.h"
#include "raft/raft.h"

namespace wh::node {

struct NodeOptions {
  std::string name;          // node-id
  std::string raft_address;  // announced, host:port; the host may be empty with a wildcard bind
  std::string http_address;  // announced, empty when the port is off
  std::string https_address;
  ClusterVersion version = kLatestVersion;  // the highest that this node takes part in (directive version-limit)
  std::vector<std::string> join;            // host:port; empty: a new directory founds a cluster of one
  OwnNames own;                             // by what this node may stand in a list
  uint32_t bootstrap_expect = 0;            // how many nodes found a cluster; 0: those of `join`, with this one
  // By cluster-secret or certificate: who meets a member by being asked something may believe that it is one.
  bool members_prove_themselves = false;
  ClusterId fresh_cluster{};  // random: used when this node founds a cluster
  uint64_t seed = 0;          // of every random choice
  uint32_t heartbeat_interval_ms = 50;
  uint32_t election_timeout_ms = 500;
  uint32_t request_timeout_ms = 5000;
  uint64_t snapshot_entries = 100'000;
  uint64_t snapshot_bytes = 256 << 20;
  uint64_t log_cache_bytes = 16 << 20;
  uint64_t max_uncommitted_bytes = 64 << 20;
  uint64_t max_append_bytes = 1 << 20;  // of entries, in one message to a follower
  size_t max_in_flight_messages = 64;   // with entries, under way to one follower
  uint64_t max_in_flight_bytes = 8 << 20;
  uint64_t trailing_entries = 10'000;
  uint64_t maxmemory_bytes = 0;               // of the data; 0: no limit
  uint64_t min_free_disk_bytes = 0;           // 0: no limit
  size_t max_pending = 100'000;               // client requests in progress; beyond it `overloaded`
  size_t max_waiting = 10'000;                // requests in `Waits`; beyond it `overloaded`
  uint64_t snapshot_slice_bytes = 64 << 10;   // of one turn
  uint64_t snapshot_chunk_bytes = 256 << 10;  // of one read when a snapshot is loaded
  uint64_t max_chunk_bytes = 1 << 20;         // of one message of a snapshot to a follower
  uint64_t snapshot_rate = 0;                 // bytes a second of such messages; 0: no limit
};

// What a read asks for beside the state.
struct ReadTerms {
  bool stale = false;       // the state as this node has it, without asking the leader
  raft::Index min_index{};  // only once this is applied here
};

// What became of a client's request. `sentence`: why it did not succeed, or empty. `reply`: of a write that was
// applied. For a read, the state may be looked at, now, as of `index`.
struct Completion {
  Token token;
  Outcome outcome;
  raft::Index index;
  std::string sentence;
  machine::Reply reply = {};
};

// Where a request in progress stands, for INFO.
struct NodeCounters {
  uint64_t proposals = 0;
  uint64_t forwarded = 0;
  uint64_t reads = 0;
  uint64_t read_batches = 0;
  uint64_t batches_persisted = 0;
  uint64_t entries_applied = 0;
  uint64_t snapshots_taken = 0;
  uint64_t snapshots_installed = 0;
  uint64_t leader_changes = 0;
  uint64_t waits_refused = 0;    // for max_waiting
  uint64_t calls_cancelled = 0;  // reads and waits whose asker went away
  uint64_t violations = 0;       // connections of members that were closed, as they sent what no correct member can
};

class Node {
 public:
  // Both ports must outlive the node. With a snapshot on the disk the node first reads it; until then it takes no part.
  Node(NodeOptions options, RecoveredNode recovered, Storage& storage, Transport& transport, Millis now);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // --- clients: each token gets exactly one Completion, at the latest after request_timeout_ms
  // `command`: of machine::encode_command(). Without may_forward another leader means `not_leader`.
  void submit_write(Token token, std::string command, bool may_forward, Millis now);
  void submit_read(Token token, Millis now, ReadTerms terms = {});
  // Completed as `applied` when it is its turn; a `lasting` one at once, and each time until it is cancelled. As
  // `timed_out` at its `until`, which bounds it in the place of request_timeout_ms.
  void submit_wait(Token token, Wait wait, Millis now);
  // Whoever asked a read or a wait is gone: it ends, and what is not completed yet never will be. Not for a write,
  // which goes on.
  void cancel(Token token);
  // The same, only if it waits: true then. False for a read that is asked of the leader, or that is completed.
  bool cancel_wait(Token token);
  // Something happened on a topic that is not the state machine's: all who wait there are told in the next turn.
  void wake(const Topic& topic);
  void submit_admin(Token token, AdminRequest request, Millis now);
  [[nodiscard]] std::vector<Completion> take_completions();

  // --- the network
  void receive(raft::NodeId from, PeerMessage message, Millis now);
  // A member sent what no correct member can: its connection is closed, which is counted and logged. `what`: a phrase.
  void violated(raft::NodeId from, const std::string& what, Millis now);
  void peer_connected(raft::NodeId id, Millis now);
  // The connection died and the address refuses another: the process is gone.
  void peer_lost(raft::NodeId id, Millis now);
  // The node at a member's address refused our hello; `theirs` says who it is.
  void peer_refused(raft::NodeId id, const std::string& why, const WhoIAm& theirs, Millis now);
  // A member says that this node was removed from the cluster, as of a committed entry.
  void told_removed(raft::NodeId by, raft::Position as_of, Millis now);
  // The identity a connected peer announced: its addresses as of now.
  void peer_identity(raft::NodeId id, const Identity& identity);
  void asked(uint64_t question_id, Ask question, Millis now);
  // A node of a cluster is about to ask something, and has proved that it may say so.
  void met(const Identity& member);
  void answered(uint64_t request, Result<Answer> answer, Millis now);
  void resolved(uint64_t request, Result<std::vector<std::string>> addresses, Millis now);

  // --- the disk
  void storage_done(StorageDone done, Millis now);

  // --- time
  // The time next_deadline() named has come, and what the sockets held by then was handed in (HAZARDS A12).
  void tick(Millis now);
  // This machine's wall clock, in ms since 1970; before each drain. Nothing but cluster time follows it.
  void set_clock(Millis wall_ms, Millis now);
  // Carries out everything that was handed in: once a turn of the loop.
  void drain(Millis now);
  [[nodiscard]] Millis next_deadline() const { return next_deadline_; }
  // More is ready to be done than one turn should: drain again in the next turn, without waiting.
  [[nodiscard]] bool wants_turn() const { return wants_turn_; }

  // Hands leadership over when it has it. Requests are taken on for a while, as those of kept connections still come,
  // and all are answered soon; `quiet()` once nothing is in progress any more.
  void begin_shutdown(Millis now);
  [[nodiscard]] bool quiet() const;

  // --- a backup: the state as it is now, in slices, while requests go on; one at a time
  struct BackupPoint {
    raft::Index index;
    raft::Term term;
    Millis time_ms = 0;  // the log's stamp
    ClusterVersion version = kFirstVersion;
  };
  // Nothing: there is no state yet, or a backup is under way.
  std::optional<BackupPoint> begin_backup();
  enum class BackupSlice : uint8_t {
    more,  // `out` holds the next slice, which may be empty
    done,  // all was given
    lost,  // another state, from the leader, took the place of the one that was walked
  };
  BackupSlice next_backup_slice(std::string& out);
  void end_backup();

  // --- looking
  [[nodiscard]] const machine::Machine& machine() const { return machine_; }
  // Null while the node is in no cluster, or still loads its snapshot.
  [[nodiscard]] const raft::Raft* raft() const { return raft_ ? &*raft_ : nullptr; }
  [[nodiscard]] Identity identity() const;
  [[nodiscard]] const ClusterId& cluster() const { return cluster_; }
  [[nodiscard]] Standing standing() const;
  // The member that leads, as this node knows it, or null.
  [[nodiscard]] const raft::Member* leader() const;
  // Names the configuration in force, as of the last turn: it changes with it.
  [[nodiscard]] std::pair<raft::Index, raft::Term> configuration_seen() const { return configuration_seen_; }
  // A member's addresses: what it last announced, else what the configuration says.
  [[nodiscard]] raft::Member addresses_of(const raft::Member& member) const;
  // Whether it can serve linearizable requests now; otherwise `why` says what is missing.
  [[nodiscard]] bool ready(std::string* why) const;
  // What a node in no cluster waits for, one sentence; empty otherwise.
  [[nodiscard]] const std::string& waiting_for() const { return waiting_for_; }
  [[nodiscard]] const NodeCounters& counters() const { return counters_; }
  void reset_counters() { counters_ = {}; }
  [[nodiscard]] const Room& room() const { return room_; }
  [[nodiscard]] const NodeOptions& options() const { return options_; }
  [[nodiscard]] size_t pending() const;
  // How many requests wait, streams among them.
  [[nodiscard]] size_t waiting() const { return waits_.size(); }
  // When the leader was last heard, in milliseconds before now: 0 on the leader. Nothing: never in this process life.
  [[nodiscard]] std::optional<Millis> last_contact(Millis now) const;
  // The age that this node's state has at most, in milliseconds: all that was committed then is applied here. 0 on a
  // leader that leads for certain. Nothing: not known.
  [[nodiscard]] std::optional<Millis> staleness(Millis now) const;
  // On the leader: whether nothing was heard from a member for two election timeouts, as of the last turn.
  [[nodiscard]] bool silent(raft::NodeId id) const { return silent(id, turn_at_); }
  [[nodiscard]] bool silent(raft::NodeId id, Millis now) const;
  [[nodiscard]] bool snapshot_in_progress() const { return taking_.has_value(); }
  // Whether this node was removed from its cluster, and knows it for certain. It serves stale reads only.
  [[nodiscard]] bool removed() const { return removed_; }
  // A leader says that this node acknowledged what its log lacks, and too few answered to tell: it votes for nobody.
  [[nodiscard]] bool doubts_its_disk() const { return loss_ && loss_->again_at != 0; }
  // Others are asked about that, or will be.
  [[nodiscard]] bool disk_is_looked_into() const { return loss_.has_value(); }
  // A member that said so in this process life, and that a quorum did not follow.
  [[nodiscard]] bool disbelieves(raft::NodeId id) const { return disbelieved_.contains(id); }
  // How many voters more may fail before nothing is committed any more. The leader counts those that answer; others
  // know it only where it is 0 whoever answers, and in no cluster. Else nothing: not known.
  [[nodiscard]] std::optional<size_t> tolerates() const;
  // Why an operator should worry about that, one sentence; empty when there is no reason.
  [[nodiscard]] std::string tolerance_warning() const;

  // Cluster time in ms since 1970.
  [[nodiscard]] Millis cluster_time_ms(Millis now) const;
  // The version of the cluster, as far as this node has applied its log.
  [[nodiscard]] ClusterVersion cluster_version() const { return machine_.version(); }
  // What a member can do at most, as it said in its last hello; nothing when it said none to this process.
  [[nodiscard]] std::optional<ClusterVersion> version_of(raft::NodeId member) const;

  // Directives that may change at run time.
  void set_request_timeout(uint32_t ms) { options_.request_timeout_ms = ms; }
  void set_snapshot_limits(uint64_t entries, uint64_t bytes, uint64_t rate);
  void set_max_uncommitted(uint64_t bytes);
  void set_max_waiting(size_t waits);
  void set_room(uint64_t maxmemory_bytes, uint64_t min_free_bytes);

 private:
  struct PendingWrite {
    Token token;
    std::string command;
    bool may_forward;
    Millis deadline;
    raft::NodeId from;     // a follower that forwarded it, or nobody
    uint64_t request = 0;  // its number there
    raft::Term term{};     // in which it was
    size_t bytes = 0;      // of the command, while it waits
    // Not 0: it was forwarded under this number before, and refused: it goes again under the same one.
    uint64_t sequence = 0;
    uint64_t growth = 0;  // of the data, once it is proposed
  };
  struct Waiter {  // an entry of ours on its way through the log
    raft::Term term;
    Token token;
    raft::NodeId from;
    uint64_t request;
    Millis deadline;
  };
  struct ForwardedWrite {
    Token token;
    Millis deadline;
    Bytes command;  // with its envelope
    raft::NodeId to;
    raft::Term term;   // in which `to` was to take it
    uint64_t request;  // of this sending
    bool lost;         // the process at `to` is gone: no answer will come
  };
  struct PendingRead {
    Token token;
    Millis deadline;
  };
  struct ReadBatch {
    std::vector<PendingRead> reads;
    Millis asked_at;
    raft::NodeId asked_of;
  };
  struct ReadsAtIndex {
    raft::Index index;
    std::vector<PendingRead> reads;
  };
  struct WaitingRead {  // for its min_index
    PendingRead read;
    ReadTerms terms;
  };
  struct PendingAdmin {
    Token token;  // or, for a forwarded one, from and request
    raft::NodeId from;
    uint64_t request = 0;
    AdminRequest admin;
    Millis deadline;
    enum class Step : uint8_t {
      waiting,
      probing,
      changing,
      joining,
      transferring,
      handing_over,  // leadership, before this node is removed
      forwarded
    } step = Step::waiting;
    uint64_t number = 0;    // of the probe, the proposal, the forward or the transfer
    raft::NodeId to;        // forwarded: to whom
    raft::NodeId target;    // the instance it is about, once known
    Identity identity;      // what the probe found
    std::string why;        // the probe's error
    Millis probed_at = 0;   // first
    Millis give_up_at = 0;  // the probe
    raft::Term term;        // of the proposed change
    raft::Index index;
    bool handed_over = false;  // or tried to
    bool done = false;
  };
  struct HeldMessage {
    uint64_t ticket;
    raft::NodeId to;
    PeerMessage message;
  };
  struct Taking {  // a snapshot of our own
    bool slice_in_flight = false;
    bool finishing = false;
    bool abandoned = false;    // its state was replaced meanwhile; SnapshotSaved is still to come
    raft::Index index_before;  // what counted towards the next one when it began
    uint64_t bytes_before = 0;
  };
  struct Loading {  // a snapshot being read into a fresh state, beside the one in use
    Loading(raft::SnapshotMeta of, bool now_at_start, ClusterVersion version)
        : meta(std::move(of)), loader(version), at_start(now_at_start) {}
    raft::SnapshotMeta meta;
    machine::SnapshotLoader loader;
    uint64_t offset = 0;
    uint64_t request = 0;  // of the read under way, or 0
    bool at_start = false;
    Bytes piece;  // what was read last, and how much of it was fed
    size_t fed = 0;
    bool last_piece = false;
  };

  // versions.cc
  [[nodiscard]] VersionRange versions() const;
  [[nodiscard]] ClusterVersion common_version(Millis now) const;
  void watch_version(Millis now);
  [[nodiscard]] bool version_is_rising() const;
  void version_proposed(const raft::Proposed& result);
  void version_applied(const raft::Entry& entry);
  bool above_our_version(raft::NodeId from, const PeerMessage& message, Millis now);
  void watch_refused_version();
  [[nodiscard]] std::string above_our_version_text() const;
  [[nodiscard]] std::string unsupported_text(ClusterVersion needed) const;

  // cluster_time.cc
  void note_clock(raft::NodeId from, const PeerMessage& message, Millis now);
  Millis clock_of_majority(Millis now);
  [[nodiscard]] bool keeps_time() const;
  void watch_time(Millis now);
  void propose_own(const machine::Body& body, Millis now);
  bool own_proposed(const raft::Proposed& result, Millis now);
  void own_applied(raft::Index index);
  [[nodiscard]] Millis time_deadline(Millis now) const;

  // node.cc
  void start_raft(raft::Recovered recovered, Millis now);
  void run_raft(Millis now);
  void carry_out(raft::Output output, Millis now);
  void apply(raft::Entry& entry);
  void release_held(uint64_t ticket);
  bool send(raft::NodeId to, PeerMessage message);
  [[nodiscard]] std::pair<raft::Index, raft::Term> configuration_now() const;
  void configuration_changed();
  void dial_stranger(raft::NodeId id, const Identity& identity);
  void remember_stranger(Peer peer);
  void watch_disk(Millis now);
  void update_deadline(Millis now);
  void announce();
  [[nodiscard]] std::string name_of(raft::NodeId id) const;

  // requests.cc
  // A number of this process life as one that no other life of this node uses.
  [[nodiscard]] uint64_t unique(uint64_t number) const { return (epoch_ << 40) + number; }
  void complete(Token token, Outcome outcome, raft::Index index, std::string sentence, machine::Reply reply = {});
  void push_write(PendingWrite write);
  void pop_write();
  void pump_writes(Millis now);
  [[nodiscard]] bool needs_newer_version(std::string_view command) const;
  bool forward(PendingWrite& write);
  [[nodiscard]] bool awaits_refusals(Millis now);
  void pump_reads(Millis now);
  void retry_reads(const std::vector<PendingRead>& reads, Millis now);
  void serve_reads();
  void proposed(const raft::Proposed& result);
  void read_ready(const raft::ReadReady& ready, Millis now);
  void answer_applied(const Waiter& waiter, raft::Index index, machine::Reply reply);
  void answer_waiter(const Waiter& waiter, Outcome outcome, std::string sentence);
  void on_forward(raft::NodeId from, Forward& forward, Millis now);
  void on_forward_reply(raft::NodeId from, ForwardReply& reply, Millis now);
  ForwardedWrite take_forwarded(uint64_t sequence);
  void forward_again(uint64_t sequence);
  void forwarded_applied(const raft::Entry& entry, const machine::Reply& reply);
  void fail_waiters_up_to(raft::Index index);
  void expire_requests(Millis now);
  void bring_deadlines_forward(Millis latest);
  [[nodiscard]] Millis earliest_request_deadline() const;

  // waiting.cc
  void wait_for_index(Token token, ReadTerms terms, Millis now);
  void pump_waits(Millis now);
  void wait_over(const Woken& woken, Millis now);
  void read_over(const WaitingRead& read, const Woken& woken, Millis now);
  void drop_cancelled();
  void wake(const machine::Effects& effects);
  void heard_leader(raft::NodeId from, raft::Term term, std::optional<raft::Index> committed, Millis now);

  // room.cc
  void watch_room(Millis now);
  [[nodiscard]] std::string lack_of_room(std::string_view command, uint64_t growth) const;

  // snapshots.cc
  void maybe_take_snapshot(Millis now);
  [[nodiscard]] bool snapshot_due(raft::Index applied) const;
  void keep_sent_snapshot(Millis now);
  void write_slice();
  void snapshot_saved(const raft::SnapshotMeta& meta, Millis now);
  void snapshot_failed(const SnapshotFailed& failure, Millis now);
  void chunk_written(const IncomingChunkWritten& written, Millis now);
  void begin_loading(const raft::SnapshotMeta& meta, bool at_start);
  void load_more(Millis now);
  void give_up_loading(const std::string& why, Millis now);
  void finish_loading(Millis now);
  void chunk_read(SnapshotChunkRead& read, Millis now);
  void install_loaded(const raft::InstallState& install);
  void abandon_taking();

  // membership.cc
  [[nodiscard]] bool may_change_members() const;
  void pump_admin(Millis now);
  void start_admin(PendingAdmin& admin, Millis now);
  void finish_admin(PendingAdmin& admin, Outcome outcome, std::string text);
  void propose_change(PendingAdmin& admin, raft::Configuration next, Millis now);
  [[nodiscard]] static bool in_background(const PendingAdmin& admin);
  void nobody_answers(PendingAdmin& admin, const std::string& why);
  void admin_probed(PendingAdmin& admin, const Result<Answer>& answer, Millis now);
  void add_member(PendingAdmin& admin, Millis now);
  void transfer_to(PendingAdmin& admin, Millis now);
  void wait_turn(PendingAdmin& admin, Millis now);
  void change_applied(const raft::Entry& entry);
  void drop_refusing_learners(Millis now);
  void admin_proposed(const raft::Proposed& result, Millis now);
  void on_forward_admin(raft::NodeId from, ForwardAdmin& forward, Millis now);
  void on_forward_admin_reply(raft::NodeId from, ForwardAdminReply& reply, Millis now);
  void give_back(PendingAdmin& admin);
  void adopted(uint64_t request, const Result<Answer>& answer, Millis now);
  void answer_take_me_in(uint64_t question_id, const TakeMeIn& question, Millis now);
  void refresh_addresses(Millis now);
  void find_at(const Result<std::vector<std::string>>& addresses);

  // removal.cc
  void remove_member(PendingAdmin& admin, Millis now);
  void hand_over_first(PendingAdmin& admin, raft::NodeId heir, Millis now);
  void forwarded_removal_applied(const raft::Entry& entry);
  void watch_removal();
  void stop_serving();
  [[nodiscard]] std::string removed_sentence() const;
  [[nodiscard]] std::vector<raft::NodeId> removed_for_certain() const;

  // tolerance.cc
  void watch_tolerance(Millis now);
  [[nodiscard]] std::string names_of_silent(const raft::Configuration& configuration, Millis now) const;
  [[nodiscard]] std::string quorum_gone(Millis now) const;

  // old_disk.cc
  void look_into_loss(raft::Index acknowledged, bool fresh, Millis now);
  // Whether the answer was to a question of look_into_loss.
  bool loss_answered(uint64_t request, const Result<Answer>& answer, Millis now);
  void ask_who_leads(Millis now);
  void pump_loss(Millis now);
  [[nodiscard]] Millis loss_deadline() const;
  void loss_denied(Millis now);
  void loss_unknown(Millis now);
  [[nodiscard]] std::string loss_leader_name() const;

  // founding.cc
  void seek(Millis now);
  using SeekingView = Seeking::View;
  void seek_answered(uint64_t request, const Result<Answer>& answer, Millis now);
  void taken_in(const Result<Answer>& answer);
  void meet(const Identity& member);
  [[nodiscard]] bool ask_to_be_taken_in(Millis now);
  void say_waiting(std::string text, Millis now);
  void seek_decide(Millis now);
  [[nodiscard]] std::string missing_text(const SeekingView& view) const;
  [[nodiscard]] std::string expected_text(const SeekingView& view) const;
  [[nodiscard]] std::string who_founds(const SeekingView& view) const;
  void ask_for_grants(const SeekingView& view);
  void gather_grants(Millis now);
  void found(Millis now);
  void answer_grant(uint64_t question_id, const GrantFounding& question, Millis now);
  void release_grant(const WhoIAm& founder);
  void grant_persisted();
  void answer_adopt(uint64_t question_id, const Adopt& question, Millis now);
  void beginning_persisted(Millis now);

  // ending.cc
  // The next leader: of the voters that answer and are not in `but`, the one with the longest log; or nobody.
  [[nodiscard]] raft::NodeId best_successor(const std::set<raft::NodeId>& but, Millis now) const;
  void pump_handover(Millis now);
  void handover_done(const raft::TransferDone& transfer);
  [[nodiscard]] bool handed_over() const;
  [[nodiscard]] Millis handover_deadline() const;
  [[nodiscard]] Millis request_deadline(Millis now) const;
  [[nodiscard]] bool takes_requests(Millis now) const { return !ending_ || now < ending_->answer_by; }

  NodeOptions options_;
  Storage& storage_;
  Transport& transport_;
  Prng prng_;
  ClusterId cluster_;
  raft::NodeId instance_;
  uint64_t epoch_;
  machine::Machine machine_;
  std::optional<machine::Discarded> discarded_;  // a replaced state, freed in slices
  std::optional<raft::Raft> raft_;
  std::optional<raft::Recovered> recovered_;  // until the snapshot at the start is loaded
  bool saw_command_;
  bool saw_others_;
  Standing announced_standing_ = Standing::seeking;

  std::deque<HeldMessage> held_;
  bool disk_stalled_ = false;
  bool wants_turn_ = false;
  Millis next_deadline_ = 0;
  Millis turn_at_ = 0;  // the last drain
  struct Ending {
    Millis answer_by;
    bool led = false;         // it has led since
    bool handed = false;      // and handed over: another leads, or will in a moment
    Millis linger_until = 0;  // then it stays so long, to refuse what is still sent to it as the leader
    Millis retry_at = 0;
    uint64_t number = 0;  // of the transfer under way
    raft::NodeId to;
    std::set<raft::NodeId> tried;
    std::set<raft::NodeId> gave_back;  // took it over; if this node leads again, they are being stopped too
    bool nobody = false;               // answers that could take over
  };
  std::optional<Ending> ending_;  // begin_shutdown was called
  raft::NodeId last_leader_;
  std::pair<raft::Index, raft::Term> configuration_seen_;
  raft::Index committed_configuration_seen_;
  std::map<raft::NodeId, Identity> announced_;
  std::map<raft::NodeId, Peer> strangers_;  // of this cluster, in no configuration here (yet)
  std::vector<Completion> completions_;
  NodeCounters counters_;
  LogLimiter violation_log_{10'000};
  uint64_t next_number_ = 1;  // of proposals, reads, asks, forwards: never reused in this process life

  // requests
  std::deque<PendingWrite> writes_;
  uint64_t waiting_bytes_ = 0;                  // of their commands, and of those forwarded
  std::map<uint64_t, PendingWrite> proposing_;  // by number, until Proposed says where
  std::map<raft::Index, Waiter> waiters_;
  std::map<uint64_t, ForwardedWrite> forwarded_;   // by sequence
  std::map<uint64_t, uint64_t> forward_requests_;  // the sequence of each, by request
  uint64_t next_sequence_ = 1;                     // of forwarded writes, within the epoch
  raft::Term sent_term_;                           // in which a client's write was last forwarded or proposed
  raft::Term refused_term_;                        // its leader said that it left this term
  raft::Term awaited_term_;                        // awaits_refusals: since which term, and how long
  Millis await_until_ = 0;
  std::vector<PendingRead> reads_;
  std::map<uint64_t, ReadBatch> read_batches_;
  std::deque<ReadsAtIndex> reads_at_index_;
  Millis retry_reads_at_ = 0;

  // waiting
  Waits waits_;
  std::map<Token, WaitingRead> waiting_reads_;
  std::set<Token> cancelled_reads_;  // in this turn
  LeaderContact contact_;

  // room
  Room room_;
  Millis hand_over_at_ = 0;

  // snapshots
  std::optional<Taking> taking_;
  std::optional<Loading> loading_;
  std::optional<machine::State> loaded_state_;
  std::optional<raft::SnapshotMeta> loaded_meta_;
  raft::Index last_snapshot_index_;
  Millis snapshot_not_before_ = 0;  // there was no room for the last one
  Millis snapshot_wait_ms_ = 0;
  uint64_t bytes_since_snapshot_ = 0;
  std::map<uint64_t, raft::NodeId> chunk_requests_;  // read_snapshot requests for followers
  raft::Index kept_snapshot_;                        // that the storage was told to keep; 0: none
  bool backing_up_ = false;

  // membership
  std::deque<PendingAdmin> admin_;
  std::map<uint64_t, raft::NodeId> adopting_;             // Adopt asked, by request
  std::map<raft::NodeId, Millis> adopt_tried_;            // when last
  std::map<raft::NodeId, std::string> refused_to_adopt_;  // learners to be removed again, and why
  std::map<std::string, std::string> last_refusal_;       // of an add nobody waits for, by name
  std::set<uint64_t> looking_up_;                         // names of `join`, for members that moved
  std::set<uint64_t> finding_;                            // WhoAreYou to their addresses
  Millis admin_retry_at_ = 0;
  Millis refreshed_at_ = 0;
  std::map<raft::NodeId, Millis> heard_;  // when a message last came from there
  std::set<raft::NodeId> gone_;           // their processes, as far as is known

  // removal
  bool removed_ = false;
  std::string told_by_;  // the name of the member that said so; empty: by its own log

  // tolerance: what the leader last said about it, and since when something else is so
  enum class Tolerance : uint8_t { fine, two_voters, voters_silent };
  [[nodiscard]] Tolerance tolerance() const;
  Tolerance tolerance_said_ = Tolerance::fine;
  Tolerance tolerance_seen_ = Tolerance::fine;
  Millis tolerance_since_ = 0;

  // an acknowledgement that the log does not hold, by a leader's word
  struct Loss {
    raft::NodeId leader;
    raft::Index acknowledged;
    raft::Index last;                        // of the log, when it was said
    bool fresh = false;                      // this process had acknowledged nothing before
    std::set<std::string> leader_addresses;  // where that leader is reached
    std::set<uint64_t> asked;                // voters, without an answer yet
    std::set<raft::NodeId> backing;          // of them, those that name it as their leader
    std::set<raft::NodeId> denying;          // and those that do not
    uint32_t rounds = 0;                     // of asking
    Millis again_at = 0;                     // the next, when none is under way
  };
  std::optional<Loss> loss_;
  std::set<raft::NodeId> disbelieved_;  // members that said so in this process life, against a quorum

  // founding
  std::unique_ptr<Seeking> seeking_;
  std::string waiting_for_;
  std::string said_waiting_for_;  // in the log, last
  Millis say_waiting_at_ = 0;     // not before
  raft::NodeId granted_to_;
  uint64_t granted_attempt_ = 0;
  std::string granted_address_;
  std::optional<uint64_t> grant_question_;  // to be answered once the grant is durable
  std::optional<uint64_t> adopt_question_;  // to be answered once the beginning is durable
  std::optional<NewBeginning> beginning_;   // on its way to the disk

  // cluster_time.cc
  struct Clock {  // as it was at a time
    Millis wall_ms = 0;
    Millis as_of = 0;
    [[nodiscard]] Millis at(Millis now) const { return wall_ms == 0 ? 0 : wall_ms + (now - as_of); }
  };
  Clock clock_;
  Clock first_clock_;                     // of this process life
  std::map<raft::NodeId, Clock> clocks_;  // of voters, as they said last
  struct OwnCommand {
    uint64_t number = 0;
    raft::Index index;  // once it is appended
    raft::Term term;
  };
  std::optional<OwnCommand> own_command_;  // one at a time
  Millis own_command_at_ = 0;              // not before, as one was refused
  Millis look_at_clocks_at_ = 0;

  // versions.cc
  uint64_t raising_ = 0;  // the proposal of a higher version, until the core says where it stands
  raft::Term raised_in_;  // it was appended in this term, and raises it to:
  ClusterVersion raised_to_ = 0;
  struct RefusedVersion {  // an entry that a leader sent and this node cannot do
    raft::NodeId by;
    raft::Index index;
    ClusterVersion version;
  };
  std::optional<RefusedVersion> refused_version_;
  LogLimiter version_log_{60'000};
};

}  // namespace wh::node
