// One node: drives the consensus core and the state machine, and owns the order of their effects: what is persisted,
// sent, applied and answered, and when. Pure like the core: time comes in as a value, the disk and the network are
// ports, nothing blocks. Inputs are only queued or stepped; drain(), called once a turn of the loop, carries out one
// batch. Everything else that a node does is in its parts, each a class over one shared Context: Peers, Versions,
// RoomWatch, Writes, Waits, Reads, Receives, Waiting, Snapshots, Tolerance, Overview, MembershipChanges, Addresses,
// Founding, OldDisk, ClusterTime, Ending. A part calls another only if its constructor takes that part; everything else
// goes through Node. Called by api/ and server/, and by sim/ in the simulator.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "machine/machine.h"
#include "node/addresses.h"
#include "node/cluster_time.h"
#include "node/context.h"
#include "node/ending.h"
#include "node/founding.h"
#include "node/membership.h"
#include "node/messages.h"
#include "node/old_disk.h"
#include "node/options.h"
#include "node/overview.h"
#include "node/peers.h"
#include "node/ports.h"
#include "node/reads.h"
#include "node/receives.h"
#include "node/room.h"
#include "node/room_watch.h"
#include "node/snapshots.h"
#include "node/tolerance.h"
#include "node/versions.h"
#include "node/waiting.h"
#include "node/waits.h"
#include "node/writes.h"
#include "raft/raft.h"

namespace wh::node {

class Node {
 public:
  // Both ports must outlive the node. A node with a snapshot on its disk loads that first; until then it takes no part
  // in the cluster.
  Node(NodeOptions options, RecoveredNode recovered, Storage& storage, Transport& transport, Millis now);
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // --- clients: each token gets exactly one Completion, at the latest after request_timeout_ms
  // `command`: from machine::encode_command(). Without may_forward, a node that does not lead answers `not_leader`.
  void submit_write(Token token, std::string command, bool may_forward, Millis now);
  // Takes events of the first of its queues that has some. If none has, it waits up to `wait_ms`, and is then completed
  // as `applied` with a count of 0 and without an entry in the log.
  void submit_take(Token token, TakeRequest request, Millis now) {
    receives_.submit(token, std::move(request), full(), now);
  }
  void submit_receive(Token token, std::string command, Millis wait_ms, Millis now, uint64_t client = 0) {
    submit_take(token, {.command = std::move(command), .also = {}, .wait_ms = wait_ms, .client = client}, now);
  }
  // The client of a take is gone, and it is not completed any more; false: it was completed.
  bool cancel_receive(Token token) { return receives_.cancel(token, ctx_.turn_at); }
  // The answer to a receive, which was completed, cannot reach its client any more.
  void take_back(const std::string& queue, const std::vector<machine::Delivery>& deliveries, Millis now) {
    receives_.take_back(queue, deliveries, now);
  }
  void submit_read(Token token, Millis now, ReadTerms terms = {});
  // Completed as `applied` when this wait has its turn at the effect. A `lasting` wait is completed at once, and again
  // at each effect until it is cancelled. At its `until`, which replaces request_timeout_ms, a wait is completed as
  // `timed_out`.
  void submit_wait(Token token, Wait wait, Millis now) { waiting_.submit(token, std::move(wait), now); }
  // The client that asked for a read or a wait is gone: the request ends, and is not completed any more. Not for a
  // write: a write goes on.
  void cancel(Token token);
  // The same, but only for a request that waits; true if it did. False for a read that the leader is already asked
  // about, and for a completed one.
  bool cancel_wait(Token token) { return receives_.cancel_waiting(token, ctx_.turn_at) || waiting_.cancel(token); }
  // Something happened on a topic that the state machine does not report: every request that waits there is answered in
  // the next turn.
  void wake(const Topic& topic) { waiting_.wake(topic); }
  void submit_admin(Token token, AdminRequest request, Millis now) {
    membership_.submit(token, std::move(request), now);
  }
  [[nodiscard]] std::vector<Completion> take_completions() { return std::exchange(ctx_.completions, {}); }

  // --- the network
  void receive(raft::NodeId from, PeerMessage message, Millis now);
  // A member sent what no correct member can send: closes its connection, counts and logs it. `what`: a phrase.
  void violated(raft::NodeId from, const std::string& what, Millis now) { peers_.violated(from, what, now); }
  void peer_connected(raft::NodeId id, Millis now);
  // The connection died and the address refuses new ones: the process is gone.
  void peer_lost(raft::NodeId id, Millis now);
  // The node at a member's address refused this node's hello; `theirs` says which node it is.
  void peer_refused(raft::NodeId id, const std::string& why, const WhoIAm& theirs, Millis now);
  // A member says that this node was removed from the cluster, as of a committed entry.
  void told_removed(raft::NodeId by, raft::Position as_of, Millis now) { peers_.told_removed(by, as_of, now); }
  // A connected peer announced its identity: its addresses as of now.
  void peer_identity(raft::NodeId id, const Identity& identity) {
    peers_.announced(id, identity);
    receives_.peer_connected(id, ctx_.turn_at);  // each of the two dials the other: this one may have been lost
  }
  void asked(uint64_t question_id, Ask question, Millis now);
  // A member of a cluster is about to ask something, and has proved that it is one.
  void met(const Identity& member) { founding_.met(member); }
  void answered(uint64_t request, const Result<Answer>& answer, Millis now);
  void resolved(uint64_t request, const Result<std::vector<std::string>>& addresses, Millis now);

  // --- the disk
  void storage_done(StorageDone done, Millis now);

  // --- time
  // The time of next_deadline() has come, and everything that the sockets held by then has been handed in (HAZARDS A12:
  // a stall makes the timer fire before queued heartbeats are read).
  void tick(Millis now);
  // This machine's wall clock, in ms since 1970; called before each drain. Only cluster time depends on it.
  void set_clock(Millis wall_ms, Millis now) { time_.set_clock(wall_ms, now); }
  // Carries out everything that was handed in; called once a turn of the loop. `all_read`: all that members had sent by
  // the last drain was handed in; not false for ever (Loop::held).
  void drain(Millis now, bool all_read = true);
  [[nodiscard]] Millis next_deadline() const { return next_deadline_; }
  // One turn did not do all the work that is ready: drain again in the next turn, without waiting.
  [[nodiscard]] bool wants_turn() const { return ctx_.wants_turn; }

  // Begins to stop: a leader hands leadership over. The node still accepts requests for a while, as kept connections
  // still send them, and answers all of them soon. `quiet()`: nothing is in progress any more.
  void begin_shutdown(Millis now);
  [[nodiscard]] bool quiet() const;

  // --- a backup: the state as it is now, given in slices while requests go on; one backup at a time
  using BackupPoint = wh::node::BackupPoint;
  using BackupSlice = wh::node::BackupSlice;
  // Nothing: there is no state yet, or a backup is already running.
  std::optional<BackupPoint> begin_backup() { return snapshots_.begin_backup(); }
  BackupSlice next_backup_slice(std::string& out) { return snapshots_.next_backup_slice(out); }
  void end_backup() { snapshots_.end_backup(); }

  // --- looking
  [[nodiscard]] const machine::Machine& machine() const { return ctx_.machine; }
  // Null while the node is in no cluster, or still loads its snapshot.
  [[nodiscard]] const raft::Raft* raft() const { return ctx_.raft ? &*ctx_.raft : nullptr; }
  [[nodiscard]] Identity identity() const { return ctx_.identity(); }
  [[nodiscard]] const ClusterId& cluster() const { return ctx_.cluster; }
  [[nodiscard]] Standing standing() const { return ctx_.standing(); }
  // The member that leads, as this node knows it, or null.
  [[nodiscard]] const raft::Member* leader() const { return ctx_.leader(); }
  // Identifies the configuration in force as of the last turn: differs whenever the configuration differs.
  [[nodiscard]] std::pair<raft::Index, raft::Term> configuration_seen() const { return peers_.configuration_seen(); }
  // A member's addresses: those that it announced last; if it announced none, those in the configuration.
  [[nodiscard]] raft::Member addresses_of(const raft::Member& member) const { return peers_.addresses_of(member); }
  // Whether this node can serve linearizable requests now; if not, `why` says what is missing.
  [[nodiscard]] bool ready(std::string* why) const;
  // What a node in no cluster waits for, in one sentence; empty otherwise.
  [[nodiscard]] const std::string& waiting_for() const { return ctx_.waiting_for; }
  [[nodiscard]] const NodeCounters& counters() const { return ctx_.counters; }
  void reset_counters() { ctx_.counters = {}; }
  [[nodiscard]] const Room& room() const { return room_; }
  [[nodiscard]] const NodeOptions& options() const { return ctx_.options; }
  // How many requests are in progress, without those that wait.
  [[nodiscard]] size_t pending() const { return writes_.pending() + reads_.pending() + receives_.pending(); }
  // How many receives wait here: on the leader those of all members.
  [[nodiscard]] size_t waiting_receives() const { return receives_.waiting(); }
  // On the leader: how many receives wait for this queue.
  [[nodiscard]] size_t waiting_for(std::string_view queue) const { return receives_.waiting_for(queue); }
  // Whether this request waits for something to happen, here or at the leader.
  [[nodiscard]] bool waits(Token token) const { return waits_.contains(token) || receives_.waits(token, ctx_.turn_at); }
  // How many requests wait here, including streams.
  [[nodiscard]] size_t waiting() const { return waits_.size(); }
  // How many milliseconds ago this node last heard its leader: 0 on the leader. Nothing: never in this process life.
  [[nodiscard]] std::optional<Millis> last_contact(Millis now) const { return reads_.last_contact(now); }
  // An upper bound of the age of this node's state, in milliseconds: all that was committed that long ago is applied
  // here. 0 on a leader that leads for certain. Nothing: not known.
  [[nodiscard]] std::optional<Millis> staleness(Millis now) const { return reads_.staleness(now); }
  // On the leader: whether a member has been silent for two election timeouts, as of the last turn.
  [[nodiscard]] bool silent(raft::NodeId id) const { return silent(id, ctx_.turn_at); }
  [[nodiscard]] bool silent(raft::NodeId id, Millis now) const { return peers_.silent(id, now); }
  [[nodiscard]] bool snapshot_in_progress() const { return snapshots_.taking(); }
  // Whether this node was removed from its cluster and knows that for certain. It then serves stale reads only.
  [[nodiscard]] bool removed() const { return ctx_.removed; }
  // A leader says that this node acknowledged entries that its log lacks, and too few voters answered to confirm or
  // deny it: this node votes for nobody.
  [[nodiscard]] bool doubts_its_disk() const { return old_disk_.doubted(); }
  // The other voters are being asked about that, or will be.
  [[nodiscard]] bool disk_is_looked_into() const { return old_disk_.looked_into(); }
  // That member said so in this process life, and a quorum denied it.
  [[nodiscard]] bool disbelieves(raft::NodeId id) const { return old_disk_.disbelieves(id); }
  // How many more voters may fail before nothing can be committed. The leader counts the voters that answer. Other
  // nodes know it only if it is 0 even when every voter answers, or if they are in no cluster. Nothing: not known.
  [[nodiscard]] std::optional<size_t> tolerates() const { return tolerance_.tolerates(); }
  // Why an operator should worry about that, in one sentence; empty if there is no reason to.
  [[nodiscard]] std::string tolerance_warning() const { return tolerance_.warning(); }

  // The members as the leader sees them: on the leader as it is now, elsewhere as the last leader told.
  [[nodiscard]] std::optional<Overview::View> overview() const { return overview_.view(ctx_.turn_at); }

  // Cluster time in ms since 1970.
  [[nodiscard]] Millis cluster_time_ms(Millis now) const { return time_.now_ms(now); }
  // The cluster's version, as far as this node has applied its log.
  [[nodiscard]] ClusterVersion cluster_version() const { return ctx_.machine.version(); }
  // Why the cluster is below this version, for a client whose request needs it: names the members to upgrade.
  [[nodiscard]] std::string below_version_text(ClusterVersion needed) const {
    return versions_.unsupported_text(needed);
  }
  // The highest version that a member supports, from its last hello; nothing if it sent none to this process.
  [[nodiscard]] std::optional<ClusterVersion> version_of(raft::NodeId member) const {
    return peers_.version_of(member);
  }

  // Directives that can change at run time.
  void set_request_timeout(uint32_t ms) { ctx_.options.request_timeout_ms = ms; }
  void set_snapshot_limits(uint64_t entries, uint64_t bytes, uint64_t rate);
  void set_max_uncommitted(uint64_t bytes);
  void set_max_waiting(size_t waits) { waits_.set_max(waits); }
  void set_watch_history(size_t bytes) { ctx_.machine.limit_history(bytes); }
  void set_room(uint64_t maxmemory_bytes, uint64_t min_free_bytes);

 private:
  struct HeldMessage {
    uint64_t ticket;
    raft::NodeId to;
    PeerMessage message;
  };
  [[nodiscard]] bool full() const { return pending() >= ctx_.options.max_pending; }
  void start_raft(raft::Recovered recovered, Millis now);
  void beginning_persisted(Millis now);
  void leave_log();
  void load_snapshot(Millis now);
  void run_raft(Millis now);
  void carry_out(raft::Output output, Millis now);
  void proposed(const raft::Proposed& result, Millis now);
  void persist(raft::Output& output);
  void apply_some(bool behind);
  void drop_unapplied();
  struct Applying {  // about what it handled (options.h)
    uint64_t bytes = 0;
    uint64_t steps = 0;
  };
  Applying apply(raft::Entry& entry);
  void follow_leader();
  void release_held(uint64_t ticket);
  bool send(raft::NodeId to, PeerMessage message);
  void watch_disk(Millis now);
  void expire(Millis now);
  void update_deadline(Millis now);
  // Frees what was discarded, and indexes what was loaded, a part in each turn.
  void do_upkeep();

  Context ctx_;
  Peers peers_{ctx_};
  Versions versions_{ctx_, peers_};
  Room room_{ctx_.options.maxmemory_bytes, ctx_.options.min_free_disk_bytes};
  RoomWatch room_watch_{ctx_, peers_, room_};
  Writes writes_{ctx_, peers_, versions_, room_, room_watch_};
  Waits waits_;
  Reads reads_{ctx_, waits_};
  Receives receives_{ctx_, peers_, versions_, waits_, reads_, writes_};
  Waiting waiting_{ctx_, waits_, reads_, receives_};
  Snapshots snapshots_{ctx_};
  Tolerance tolerance_{ctx_, peers_};
  Overview overview_{ctx_, peers_, tolerance_};
  MembershipChanges membership_{ctx_, peers_, tolerance_, versions_};
  Addresses addresses_{ctx_, peers_};
  Founding founding_;
  OldDisk old_disk_{ctx_, peers_};
  ClusterTime time_{ctx_};
  Ending ending_{ctx_, peers_};

  std::optional<raft::Recovered> recovered_;  // until the snapshot on the disk is loaded at the start
  std::deque<HeldMessage> held_;              // until their batch is on the disk
  std::deque<raft::Entry> unapplied_;         // handed out by the core, and for later turns
  uint64_t unapplied_bytes_ = 0;
  bool holds_committed_ = false;  // the core hands out no more: there are many already
  bool all_read_ = true;          // see drain()
  bool disk_stalled_ = false;
  raft::NodeId last_leader_;
  Millis next_deadline_ = 0;
};

}  // namespace wh::node
