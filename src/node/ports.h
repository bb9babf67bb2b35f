// The two ports through which the node acts on the world: Storage (a disk) and Transport (a network). Both only accept
// work and return at once; each result comes back to the Node as a value, on the node's thread. storage/ and net/
// implement them for production, sim/ for the simulator.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "node/messages.h"
#include "raft/raft.h"

namespace wh::node {

// --- the disk

// What the storage found when it was opened, with everything verified (checksums, hash chain, witness) before the node
// exists.
struct RecoveredNode {
  ClusterId cluster = kNoCluster;  // kNoCluster: an empty directory
  raft::NodeId instance;           // made when the directory is first opened; never changes
  std::string name;                // node-id, fixed at the first start
  uint64_t epoch = 0;              // grows by one at each opening; makes request ids unique across restarts
  raft::Recovered raft;
  bool saw_command = false;  // a command or a snapshot was ever in this log
  bool saw_others = false;   // a configuration in this log named another node
  raft::NodeId granted_to;   // the founder that this node granted the founding to, or nobody
  uint64_t granted_attempt = 0;
  std::string granted_address;
};

// One transaction, one sync. Batches become durable in the order in which they were given.
struct Batch {
  uint64_t ticket = 0;
  std::optional<raft::HardState> hard_state;
  std::optional<raft::InstallState> install;
  std::vector<raft::Entry> append;  // replaces any suffix from append.front().index
  ClusterVersion version = 0;       // with `install`: the cluster's version in that state
};

// A new beginning: founding (first_entry is a configuration of this node alone) or adoption (no entry, term 0).
// Replaces cluster id, log, term, vote, snapshot record and founding grant in one transaction.
struct NewBeginning {
  ClusterId cluster;
  raft::HardState hard_state;
  std::optional<raft::Entry> first_entry;
};

struct FoundingGrant {
  raft::NodeId founder;
  uint64_t attempt = 0;
  std::string address;
};

// The results of a storage. A failed write or sync is not one of them: the storage then stops the process with a
// message.
struct BatchPersisted {
  uint64_t ticket;
};
struct BeginningPersisted {};
struct GrantPersisted {};
struct EntriesRead {
  raft::Index first;
  std::vector<raft::Entry> entries;  // empty: they are no longer there
};
struct SnapshotChunkRead {
  uint64_t request;
  raft::Index index;  // of the snapshot
  uint64_t offset;
  Bytes data;
  bool done;
  bool ok;  // false: the snapshot is no longer there
};
struct SnapshotSliceWritten {};  // the next slice may be written
struct SnapshotSaved {
  raft::SnapshotMeta meta;  // with size, crc and chain filled in; the snapshot is durable and recorded
};
// The snapshot found no room, or no file descriptor; the part that was written is gone. Comes in place of
// SnapshotSliceWritten or SnapshotSaved.
struct SnapshotFailed {
  bool exhausted = false;  // file descriptors or memory ran out
};
struct IncomingChunkWritten {
  raft::SnapshotMeta meta;
  uint64_t next_offset;
  bool complete;  // all of it is there, synced, its checksum verified; not yet recorded
  bool ok;        // false: it did not verify or found no room, and was thrown away; next_offset is 0
  bool no_room = false;
  bool exhausted = false;  // with no_room: file descriptors or memory ran out
};
// The free space of the data directory's file system. Comes without a request: about once a second, and at once when a
// write finds no room. The storage itself retries a write that found no room until it succeeds.
struct DiskSpace {
  uint64_t free_bytes;  // that this process may use
  uint64_t total_bytes;
  bool full;  // a write found no room, and there has not been enough since
};
using StorageDone = std::variant<BatchPersisted, BeginningPersisted, GrantPersisted, EntriesRead, SnapshotChunkRead,
                                 SnapshotSliceWritten, SnapshotSaved, SnapshotFailed, IncomingChunkWritten, DiskSpace>;

class Storage {
 public:
  virtual ~Storage() = default;
  virtual void persist(Batch batch) = 0;
  virtual void begin_anew(NewBeginning beginning) = 0;
  virtual void save_grant(FoundingGrant grant) = 0;
  // Reads entries first..last: as many as fit into max_bytes, but at least one.
  virtual void load_entries(raft::Index first, raft::Index last, uint64_t max_bytes) = 0;
  // Removes log rows up to `index`, which a recorded snapshot covers; in slices, when nothing else waits.
  virtual void compact(raft::Index index) = 0;

  // A snapshot of this node's own state, one at a time: begin, slices (each answered by SnapshotSliceWritten), finish
  // (answered by SnapshotSaved). The storage fills in meta.size, crc and chain.
  virtual void begin_snapshot(const raft::SnapshotMeta& meta) = 0;
  virtual void write_snapshot_slice(Bytes slice) = 0;
  virtual void finish_snapshot() = 0;

  // A snapshot from the leader, one at a time; offset 0 throws away a transfer that was begun. It counts only once a
  // Batch with `install` names it. The chunks written so far survive a restart (RecoveredNode::raft.incoming).
  virtual void write_incoming_chunk(const raft::SnapshotMeta& meta, uint64_t offset, Bytes data, bool done) = 0;
  // Keeps this snapshot on the disk, besides the recorded one and the one before it; nothing: keeps no other.
  virtual void keep_snapshot(std::optional<raft::SnapshotMeta> meta) = 0;
  // Reads a piece of a snapshot: the recorded one, the one before it, the kept one, or a complete incoming one. The
  // answer carries `request`.
  virtual void read_snapshot(uint64_t request, const raft::SnapshotMeta& meta, uint64_t offset, uint64_t max_bytes) = 0;

  // A quorum confirmed that this disk lost acknowledged entries: its log once went up to `acknowledged`, and now ends
  // at `last` (HAZARDS C5: a directory restored from an old backup). Stops the process with a message, unless
  // appendfsync allows entries to be lost.
  virtual void acknowledged_lost(raft::Index acknowledged, raft::Index last) = 0;

  // The age, in ms, of the oldest work in progress, a call to the disk or a batch that is not durable yet; 0 if there
  // is none.
  [[nodiscard]] virtual Millis sync_age() const = 0;
};

// --- the network

struct Peer {
  raft::NodeId id;
  std::string name;
  std::string raft_address;  // host:port
  friend bool operator==(const Peer&, const Peer&) = default;
};

// Who belongs to the cluster, as this node's log says: the transport needs it when peers say hello. A removed node is
// refused and told of its removal, unless its hello names a later position at which it is a member: then it was added
// again, and this node has not heard of that yet.
struct Membership {
  raft::Position member_as_of;        // the last position up to which this node knows that it is a member; zero: none
  std::vector<raft::NodeId> removed;  // instances that were certainly removed
  raft::Position removed_as_of;       // the committed position that says so
  friend bool operator==(const Membership&, const Membership&) = default;
};

inline constexpr size_t kMaxAddressesOfName = 16;

// Messages are lost only when a connection breaks; within one connection they keep their order. After every loss
// Node::peer_connected is called once the next connection is up.
class Transport {
 public:
  virtual ~Transport() = default;
  // The peers to keep a connection to; called at each change of the configuration. A peer that is not in the new list
  // is disconnected.
  virtual void set_peers(std::vector<Peer> peers) = 0;
  // Called whenever the configuration or its committed part changes.
  virtual void set_membership(Membership membership) = 0;
  // Who this node is, for every hello from now on. When the cluster changes, connections of the old cluster are closed.
  virtual void set_identity(const Identity& identity, Standing standing) = 0;
  // False: no connection is up, so the message was certainly not sent. True promises nothing.
  virtual bool send(raft::NodeId to, PeerMessage message) = 0;
  // Looks up host:port; Node::resolved(request, ...) gets its numeric addresses, ip:port, each once, at most
  // kMaxAddressesOfName of them, or an error, within a bounded time. An IP address gives itself.
  virtual void resolve(uint64_t request, const std::string& address) = 0;
  // This member sent what no correct member can send: closes its connection to this node. It may dial again.
  virtual void cut_off(raft::NodeId from) = 0;
  // Whether some of what this member had sent was left to the next turn; nobody: of what any had.
  [[nodiscard]] virtual bool left_some(raft::NodeId) const { return false; }
  // Asks one question of the node that listens at `address`; Node::answered(request, ...) gets the answer or an error,
  // within a bounded time.
  virtual void ask(uint64_t request, const std::string& address, Ask question) = 0;
  // Answers Node::asked(question_id, ...).
  virtual void answer(uint64_t question_id, Answer answer) = 0;
};

}  // namespace wh::node
