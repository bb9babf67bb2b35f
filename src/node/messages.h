// What nodes say to each other beside Raft: forwarded requests within a cluster, and questions between nodes that may
// not be in one cluster yet (Ask and Answer, one each on a connection of their own).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/cluster_version.h"
#include "raft/messages.h"

namespace wh::node {

using ClusterId = std::array<uint8_t, 16>;  // random; all zero: in no cluster yet
inline constexpr ClusterId kNoCluster{};
std::string to_hex(const ClusterId& id);

// What became of a request. `not_leader` to `shutting_down` certainly had no effect; `unknown` may still take effect,
// at most once (CONTRACT, Wormhole-Outcome).
enum class Outcome : uint8_t {
  applied = 0,
  not_leader = 1,  // asked not to be forwarded, and another node leads
  dropped = 2,     // certainly not applied: no leader in time, or another entry took its place
  unknown = 3,
  overloaded = 4,  // raft-max-uncommitted is reached
  shutting_down = 5,
  conflict = 6,      // an administrative request that cannot be done; the text says why
  not_found = 7,     // an administrative request about a member that is not there
  timed_out = 8,     // an administrative request that goes on after its time
  no_room = 9,       // the data is at maxmemory, or a disk is too full for more; the text says what to do
  unsupported = 10,  // the cluster's version does not have it yet; the text names the member to upgrade
};
inline constexpr Outcome kLastOutcome = Outcome::unsupported;

// --- within a cluster

// A client's command on its way to the leader. It is forwarded at most once, and never sent again (HAZARDS E14); the
// state machine drops a second copy by (origin, epoch, sequence), which are part of the command's own bytes.
struct Forward {
  uint64_t request;  // the sender's, unique within its process life
  Bytes command;
  raft::Term term;  // in which the receiver leads, as the sender knows it
  friend bool operator==(const Forward&, const Forward&) = default;
};
struct ForwardReply {
  uint64_t request;
  Outcome outcome = Outcome::unknown;
  raft::Index index;
  std::string reply;  // the state machine's reply, encoded
  friend bool operator==(const ForwardReply&, const ForwardReply&) = default;
};

// Administration, forwarded the same way.
enum class AdminKind : uint8_t {
  add = 0,
  remove = 1,
  transfer = 2,
  unknown = 255,  // one of a newer release, as it is read here
};
struct AdminRequest {
  AdminKind kind = AdminKind::add;
  std::string name;          // the node-id it is about
  std::string raft_address;  // add: where that node listens
  friend bool operator==(const AdminRequest&, const AdminRequest&) = default;
};
struct ForwardAdmin {
  uint64_t request;
  AdminRequest admin;
  friend bool operator==(const ForwardAdmin&, const ForwardAdmin&) = default;
};
struct ForwardAdminReply {
  uint64_t request;
  Outcome outcome = Outcome::unknown;
  std::string text;  // one sentence when it was not applied
  friend bool operator==(const ForwardAdminReply&, const ForwardAdminReply&) = default;
};

// Everything that travels between members of one cluster.
using PeerMessage =
    std::variant<raft::RequestVote, raft::RequestVoteReply, raft::AppendEntries, raft::AppendEntriesReply,
                 raft::InstallSnapshot, raft::InstallSnapshotReply, raft::TimeoutNow, raft::ReadIndexRequest,
                 raft::ReadIndexReply, Forward, ForwardReply, ForwardAdmin, ForwardAdminReply>;

// --- before and between clusters

// Versions of the cluster that a node takes part in: from that of its own cluster up to what it can do.
struct VersionRange {
  ClusterVersion lowest = kFirstVersion;
  ClusterVersion highest = kLatestVersion;
  friend bool operator==(const VersionRange&, const VersionRange&) = default;
};

// Of a node that was met by its answer to a question, which does not say what it can do: `highest` is no version.
inline constexpr VersionRange kVersionsNotSaid{kFirstVersion, 0};

// Who a node is; said in every hello and every answer.
struct Identity {
  ClusterId cluster = kNoCluster;
  raft::NodeId instance;
  std::string name;          // node-id
  std::string raft_address;  // where it says it can be reached; host may be empty: the address of the connection
  std::string http_address;
  std::string https_address;
  VersionRange versions;  // said in hellos only, as the versions of the protocol that go with them
  friend bool operator==(const Identity&, const Identity&) = default;
};

enum class Standing : uint8_t {
  seeking = 0,     // empty, waiting to be taken in
  absorbable = 1,  // alone in a cluster of its own that never held a client's command
  member = 2,      // in a cluster that holds data or other nodes
};

// Asked of every address of `join`. How it was dialled tells a node that cannot dial itself which of its own entries
// mean itself.
struct WhoAreYou {
  std::string dialled_as;  // the asker's entry of `join`: host:port in lower case; empty: it was not by an entry
  std::string dialled_at;  // the numeric address that it led to
  friend bool operator==(const WhoAreYou&, const WhoAreYou&) = default;
};
// Of a node that is in no cluster yet.
struct FoundingView {
  // All nodes that it expects, itself included, by instance, in order; empty while one is missing.
  std::vector<raft::NodeId> electorate;
  std::string waiting_for;  // one sentence, or empty
  friend bool operator==(const FoundingView&, const FoundingView&) = default;
};
inline constexpr size_t kMaxElectorate = 200;
struct WhoIAm {
  Identity identity;
  Standing standing = Standing::seeking;
  uint64_t founding_attempt = 0;     // of this process life, while it gathers grants; 0: none
  std::string leader_address;        // raft address, empty when not known
  std::optional<FoundingView> view;  // nothing: it is in a cluster, or speaks version 2 of the protocol
  friend bool operator==(const WhoIAm&, const WhoIAm&) = default;
};

// An empty node asks another empty node to let it found the cluster. A grant is durable and given to one founder at a
// time, and a founder needs that of every node it expects: no two found with one in common.
struct GrantFounding {
  Identity founder;
  uint64_t attempt = 0;
  std::vector<raft::NodeId> electorate;  // whom it asks, itself included, in order; empty: it speaks version 2
  friend bool operator==(const GrantFounding&, const GrantFounding&) = default;
};
struct FoundingGranted {
  bool granted = false;
  std::string why;  // when not
  friend bool operator==(const FoundingGranted&, const FoundingGranted&) = default;
};

// An empty node asks a member to take it in. Asked again until Adopt comes.
struct TakeMeIn {
  Identity who;
  friend bool operator==(const TakeMeIn&, const TakeMeIn&) = default;
};
struct TakenIn {
  bool accepted = false;       // under way
  std::string leader_address;  // ask there instead, when not empty
  std::string why;             // refused or waiting: one sentence
  friend bool operator==(const TakenIn&, const TakenIn&) = default;
};

// The leader, having committed the receiver as a learner, invites it into the cluster: it swaps cluster id, log, term
// and vote in one durable step, then answers. Refused when it holds data.
struct Adopt {
  ClusterId cluster = kNoCluster;
  raft::NodeId instance;  // whom the leader means
  std::string leader_name;
  friend bool operator==(const Adopt&, const Adopt&) = default;
};
struct Adopted {
  bool ok = false;
  std::string why;
  friend bool operator==(const Adopted&, const Adopted&) = default;
};

using Ask = std::variant<WhoAreYou, GrantFounding, TakeMeIn, Adopt>;
using Answer = std::variant<WhoIAm, FoundingGranted, TakenIn, Adopted>;

}  // namespace wh::node
