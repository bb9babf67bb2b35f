// The two ports through which the node acts on the world: Storage (a disk) and Transport (a network). Both only accept
// work and return at once; what comes of it is given back to the Node as a value, on the node's thread. storage/ and
// net/ implement them for production, tests/sim for the simulator.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "node/messages.h"
#include "raft/raft.h"

namespace wh::node {

// --- the disk

// Found when the storage was opened: verified whole (checksums, hash chain, witness) before the node exists.
struct RecoveredNode {
  ClusterId cluster = kNoCluster;  // kNoCluster: an empty directory
  raft::NodeId instance;           // made at the directory's first opening, for ever
  std::string name;                // node-id, fixed at the first start
  uint64_t epoch = 0;              // grows by one at each opening: makes request ids unique across restarts
  raft::Recovered raft;
  bool saw_command = false;  // a client command, or a snapshot, was ever in this log
  bool saw_others = false;   // a configuration in it named another node
  raft::NodeId granted_to;   // FoundingGranted given to this founder, or nobody
  uint64_t granted_attempt = 0;
  std::string granted_address;
};

// One transaction, one sync. Batches are made durable in the order they were given.
struct Batch {
  uint64_t ticket = 0;
  std::optional<raft::HardState> hard_state;
  std::optional<raft::InstallState> install;
  std::vector<raft::Entry> append;  // replaces any suffix from append.front().index
  ClusterVersion version = 0;       // with `install`: of the cluster whose state that is
};

// A new beginning: founding (first_entry is the configuration of one node) or adoption (no entry, term 0). Replaces
// cluster id, log, term, vote, snapshot record and founding grant in one transaction.
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

// What a storage gives back. A failed write or sync is not among it: the storage stops the process with a message.
struct BatchPersisted {
  uint64_t ticket;
};
struct BeginningPersisted {};
struct GrantPersisted {};
struct EntriesRead {
  raft::Index first;
  std::vector<raft::Entry> entries;  // empty: no longer there
};
struct SnapshotChunkRead {
  uint64_t request;
  raft::Index index;  // of the snapshot
  uint64_t offset;
  Bytes data;
  bool done;
  bool ok;  // false: that snapshot is no longer there
};
struct SnapshotSliceWritten {};  // room for the next slice
struct SnapshotSaved {
  raft::SnapshotMeta meta;  // with size, crc and chain filled in; durable and recorded
};
// There was no room for the snapshot, or no descriptor; what was written of it is gone. In place of
// SnapshotSliceWritten or SnapshotSaved.
struct SnapshotFailed {
  bool exhausted = false;  // it was for want of file descriptors or memory
};
struct IncomingChunkWritten {
  raft::SnapshotMeta meta;
  uint64_t next_offset;
  bool complete;  // whole, synced and its checksum verified; not yet recorded
  bool ok;        // false: did not verify, or found no room, and was thrown away; next_offset is 0
  bool no_room = false;
  bool exhausted = false;  // with no_room: what lacked were file descriptors or memory
};
// What the data directory's file system has left. Comes by itself: about each second, and at once when a write found no
// room. Until it is persisted, what found no room is tried again by the storage.
struct DiskSpace {
  uint64_t free_bytes;  // for this process
  uint64_t total_bytes;
  bool full;  // a write found no room, and there has not been room enough since
};
using StorageDone = std::variant<BatchPersisted, BeginningPersisted, GrantPersisted, EntriesRead, SnapshotChunkRead,
                                 SnapshotSliceWritten, SnapshotSaved, SnapshotFailed, IncomingChunkWritten, DiskSpace>;

class Storage {
 public:
  virtual ~Storage() = default;
  virtual void persist(Batch batch) = 0;
  virtual void begin_anew(NewBeginning beginning) = 0;
  virtual void save_grant(FoundingGrant grant) = 0;
  // Entries first..last, as many as fit into max_bytes and at least one.
  virtual void load_entries(raft::Index first, raft::Index last, uint64_t max_bytes) = 0;
  // Removes log rows up to `index`, which a recorded snapshot covers; in slices, when there is time.
  virtual void compact(raft::Index index) = 0;

  // A snapshot of this node's own state, one at a time: begin, slices (each answered by SnapshotSliceWritten), finish
  // (SnapshotSaved). meta.size, crc and chain are the storage's to fill in.
  virtual void begin_snapshot(const raft::SnapshotMeta& meta) = 0;
  virtual void write_snapshot_slice(Bytes slice) = 0;
  virtual void finish_snapshot() = 0;

  // A snapshot from the leader, one at a time; offset 0 throws away what was begun. It counts only once a Batch with
  // `install` names it. What is there of it survives a restart (RecoveredNode::raft.incoming).
  virtual void write_incoming_chunk(const raft::SnapshotMeta& meta, uint64_t offset, Bytes data, bool done) = 0;
  // Besides the recorded snapshot and the one before it, this one is not to be removed; nothing: no other is.
  virtual void keep_snapshot(std::optional<raft::SnapshotMeta> meta) = 0;
  // Reads a snapshot's state: the recorded one, the one before it, the kept one, or a complete incoming one. `request`
  // comes back.
  virtual void read_snapshot(uint64_t request, const raft::SnapshotMeta& meta, uint64_t offset, uint64_t max_bytes) = 0;

  // The leader proves that this disk lost what it acknowledged: the log it had went up to `acknowledged`, and now ends
  // before (HAZARDS C5). Stops the process with a message, unless appendfsync lets entries be lost.
  virtual void acknowledged_lost(raft::Index acknowledged, raft::Index last) = 0;

  // For how long what has been waiting longest, a call to the disk or a batch to be durable, has; in ms, 0 when
  // nothing.
  [[nodiscard]] virtual Millis sync_age() const = 0;
};

// --- the network

struct Peer {
  raft::NodeId id;
  std::string name;
  std::string raft_address;  // host:port
  friend bool operator==(const Peer&, const Peer&) = default;
};

// What this node's log says of who belongs to its cluster, for the greetings. Who was removed is not let in, but told
// so; unless it greets as a member of a later time: it was added again, and this node has not heard of that yet.
struct Membership {
  raft::Position member_as_of;        // up to here this node knows itself a member; zero: it does not
  std::vector<raft::NodeId> removed;  // instances that were removed, for certain
  raft::Position removed_as_of;       // the committed entry as of which that is so
  friend bool operator==(const Membership&, const Membership&) = default;
};

// Messages may be lost, and are only when a connection breaks; within one connection they keep their order. Every loss
// is followed by Node::peer_connected when the next connection stands.
inline constexpr size_t kMaxAddressesOfName = 16;

class Transport {
 public:
  virtual ~Transport() = default;
  // Whom to hold a connection to; called at each change of the configuration. A peer not named any more is dropped.
  virtual void set_peers(std::vector<Peer> peers) = 0;
  // Called at each change of the configuration, and of what is committed of it.
  virtual void set_membership(Membership membership) = 0;
  // Who this node is, for every hello from now on. A change of cluster closes the connections of the old one.
  virtual void set_identity(const Identity& identity, Standing standing) = 0;
  // False: no connection stands, so the message certainly was not sent. True promises nothing.
  virtual bool send(raft::NodeId to, PeerMessage message) = 0;
  // The numeric addresses, ip:port, that host:port leads to, each once, at most kMaxAddressesOfName; answered by
  // Node::resolved(request, ...) with them or an error, in bounded time. An IP address leads to itself.
  virtual void resolve(uint64_t request, const std::string& address) = 0;
  // That member sent what no correct member can send: its connection to this node is closed. It may dial again.
  virtual void cut_off(raft::NodeId from) = 0;
  // One question to whoever listens at `address`; answered by Node::answered(request, ...) with an answer or an error,
  // in bounded time.
  virtual void ask(uint64_t request, const std::string& address, Ask question) = 0;
  // The answer to Node::asked(question_id, ...).
  virtual void answer(uint64_t question_id, Answer answer) = 0;
};

}  // namespace wh::node
