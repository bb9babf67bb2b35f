// What nodes send each other besides Raft's messages: forwarded requests within a cluster, and questions between nodes
// that may not be in one cluster yet (Ask and Answer, one pair to a connection). Values only: wire/ turns them into
// frames.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/cluster_version.h"
#include "raft/messages.h"

namespace wh::node {

using ClusterId = std::array<uint8_t, 16>;  // random; all zeros: in no cluster yet
inline constexpr ClusterId kNoCluster{};
std::string to_hex(const ClusterId& id);

// The result of a request. `not_leader`, `dropped`, `overloaded`, `shutting_down`, `no_room` and `unsupported`
// certainly had no effect; `unknown` may still take effect, at most once (CONTRACT, Wormhole-Outcome).
enum class Outcome : uint8_t {
  applied = 0,
  not_leader = 1,  // this node does not lead, and the request was not to be forwarded
  dropped = 2,     // no leader in time, or another entry took its place
  unknown = 3,
  overloaded = 4,  // too many requests or bytes are in progress (max_pending, max_waiting, raft-max-uncommitted)
  shutting_down = 5,
  conflict = 6,      // an administrative request is impossible; the text says why
  not_found = 7,     // an administrative request names no member
  timed_out = 8,     // a wait reached its `until`, or a change its deadline; the text says whether the change goes on
  no_room = 9,       // the data is at maxmemory, or a disk is too full; the text says what to do
  unsupported = 10,  // the cluster's version is too low; the text names the members to upgrade
};
inline constexpr Outcome kLastOutcome = Outcome::unsupported;

// Whether an answer to a write or a take can have this outcome; the others are about members and waits.
constexpr bool is_outcome_of_write(Outcome outcome) {
  return outcome != Outcome::conflict && outcome != Outcome::not_found && outcome != Outcome::timed_out;
}

// --- within a cluster

// A client's command on its way to the leader. The receiver never forwards it further (HAZARDS E14: a forwarding loop).
// The sender sends it again only after a refusal, under the same (origin, epoch, sequence); these are part of the
// command's bytes, and the state machine drops a second copy by them.
struct Forward {
  uint64_t request;  // chosen by the sender, unique across its process lives
  Bytes command;
  raft::Term term;  // the term in which the receiver leads, as far as the sender knows
  friend bool operator==(const Forward&, const Forward&) = default;
};
struct ForwardReply {
  uint64_t request;
  Outcome outcome = Outcome::unknown;
  raft::Index index;
  std::string reply;  // the state machine's reply, encoded
  friend bool operator==(const ForwardReply&, const ForwardReply&) = default;
};

inline constexpr size_t kMaxQueuesOfTake = 16;

// A Receive or a Dequeue on its way to the leader, where it waits until something is ready (node/receives.h); answered
// by a ForwardReply. As of the cluster's version 3. The network may bring it twice.
struct ForwardReceive {
  uint64_t request;  // as in Forward
  Bytes command;
  raft::Term term;
  Millis wait_ms = 0;             // how long it may wait
  std::vector<std::string> also;  // further queues (kMaxQueuesOfTake)
  friend bool operator==(const ForwardReceive&, const ForwardReceive&) = default;
};
// The member does not wait for this ForwardReceive any more: its client is gone, the node stops, or asks anew.
struct CancelReceive {
  uint64_t request;
  friend bool operator==(const CancelReceive&, const CancelReceive&) = default;
};

// An administrative request, forwarded the same way.
enum class AdminKind : uint8_t {
  add = 0,
  remove = 1,
  transfer = 2,
  unknown = 255,  // a kind of a newer release, as this release reads it
};
struct AdminRequest {
  AdminKind kind = AdminKind::add;
  std::string name;          // the node-id that the request is about
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
  std::string text;  // one sentence if the request was not applied
  friend bool operator==(const ForwardAdminReply&, const ForwardAdminReply&) = default;
};

// What the leader tells each member of all of them (node/overview.h), to show it. As of version 4 of both nodes.
struct MemberSeen {
  raft::NodeId id;
  bool alive = false;
  raft::Index match_index;  // how far its log is known to agree with the leader's, on its disk
  friend bool operator==(const MemberSeen&, const MemberSeen&) = default;
};
inline constexpr size_t kMaxMembersSeen = 1'024;
struct MembersSeen {
  raft::Term term;
  uint64_t tolerates = 0;  // how many more voters may fail
  std::vector<MemberSeen> members;
  friend bool operator==(const MembersSeen&, const MembersSeen&) = default;
};

// Everything that travels between members of one cluster.
using PeerMessage = std::variant<raft::RequestVote, raft::RequestVoteReply, raft::AppendEntries,
                                 raft::AppendEntriesReply, raft::InstallSnapshot, raft::InstallSnapshotReply,
                                 raft::TimeoutNow, raft::ReadIndexRequest, raft::ReadIndexReply, Forward, ForwardReply,
                                 ForwardAdmin, ForwardAdminReply, ForwardReceive, CancelReceive, MembersSeen>;

// --- before and between clusters

// The cluster versions that a node takes part in: from the version of its own cluster to the highest that it supports.
struct VersionRange {
  ClusterVersion lowest = kFirstVersion;
  ClusterVersion highest = kLatestVersion;
  friend bool operator==(const VersionRange&, const VersionRange&) = default;
};

// For a node known only by its answer to a question, which does not contain its versions: `highest` is not a version.
inline constexpr VersionRange kVersionsNotSaid{kFirstVersion, 0};

// Who a node is; part of every hello and every answer.
struct Identity {
  ClusterId cluster = kNoCluster;
  raft::NodeId instance;
  std::string name;          // node-id
  std::string raft_address;  // where it says it can be reached; an empty host means the address of the connection
  std::string http_address;
  std::string https_address;
  // On the wire in hellos only, as the versions of the protocol. Of a node that answered a question: what both it and
  // the asker support, as the transport agreed on.
  VersionRange versions;
  friend bool operator==(const Identity&, const Identity&) = default;
};

enum class Standing : uint8_t {
  seeking = 0,     // in no cluster: waiting to found one or to be taken in
  absorbable = 1,  // alone in its cluster, which never held a command
  member = 2,      // in a cluster that holds data, or holds or held other nodes
};

// Asked at every address of `join`. It says how the asker dialled: a node that cannot dial itself learns from this
// which of its own entries mean itself.
struct WhoAreYou {
  std::string dialled_as;  // the asker's entry of `join`: host:port in lower case; empty: dialled without an entry
  std::string dialled_at;  // the numeric address that the entry led to
  friend bool operator==(const WhoAreYou&, const WhoAreYou&) = default;
};
// What a node in no cluster says of founding one.
struct FoundingView {
  // The instances of all nodes that it expects, itself included, sorted; empty while one is missing.
  std::vector<raft::NodeId> electorate;
  std::string waiting_for;  // one sentence, or empty
  friend bool operator==(const FoundingView&, const FoundingView&) = default;
};
inline constexpr size_t kMaxElectorate = 200;
struct WhoIAm {
  Identity identity;
  Standing standing = Standing::seeking;
  uint64_t founding_attempt = 0;     // its current attempt, while it gathers grants; 0: none
  std::string leader_address;        // raft address, empty if not known
  std::optional<FoundingView> view;  // nothing: in a cluster, or it speaks version 2 of the protocol
  friend bool operator==(const WhoIAm&, const WhoIAm&) = default;
};

// An empty node asks another empty node to let it found the cluster. A grant is durable and given to one founder at a
// time, and a founder needs a grant of every node that it expects: so two founders that expect a common node cannot
// both found a cluster.
struct GrantFounding {
  Identity founder;
  uint64_t attempt = 0;
  std::vector<raft::NodeId> electorate;  // the nodes that it asks, itself included, sorted; empty: it speaks version 2
  friend bool operator==(const GrantFounding&, const GrantFounding&) = default;
};
struct FoundingGranted {
  bool granted = false;
  std::string why;  // if not granted
  friend bool operator==(const FoundingGranted&, const FoundingGranted&) = default;
};

// An empty node asks a member to take it in, again and again until Adopt comes.
struct TakeMeIn {
  Identity who;
  friend bool operator==(const TakeMeIn&, const TakeMeIn&) = default;
};
struct TakenIn {
  bool accepted = false;       // the leader is adding the node
  std::string leader_address;  // if not empty: ask there instead
  std::string why;             // why it was refused or must wait, in one sentence
  friend bool operator==(const TakenIn&, const TakenIn&) = default;
};

// The leader has committed the receiver as a learner and invites it into the cluster: the receiver replaces its cluster
// id, log, term and vote in one durable step, then answers. It refuses if it holds data or other members.
struct Adopt {
  ClusterId cluster = kNoCluster;
  raft::NodeId instance;  // the instance that the leader means
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
