// The rows of INFO's section Raft: role, log, elections, and each member. The number of labels is bounded: members come
// from the configuration.
#include <array>
#include <cstdio>
#include <string>

#include "api/member_view.h"
#include "base/log.h"
#include "metrics/rows.h"

namespace wh::metrics {
namespace {

using namespace rows;

size_t voters(const S& s) { return raft_of(s) == nullptr ? 0 : raft_of(s)->configuration().voters(); }

constexpr std::array<std::string_view, 4> kRoles{"leader", "follower", "candidate", "learner"};
void roles(const S& s, Samples& out) {
  for (const std::string_view role : kRoles) out.number({{"role", role}}, role == api::role_name(s.node) ? 1 : 0);
}

constexpr std::array<std::string_view, raft::kElectionCauses> kElectionCauses{"start",        "silence",  "leaderless",
                                                                              "process_gone", "transfer", "alone"};
void elections(const S& s, Samples& out) {
  for (size_t i = 0; i < kElectionCauses.size(); ++i)
    out.number({{"cause", kElectionCauses[i]}}, raft_of(s) == nullptr ? 0 : raft_of(s)->election_figures().begun[i]);
}
constexpr std::array<std::string_view, raft::kStepDownCauses> kStepDownCauses{"higher_term", "no_quorum",
                                                                              "disk_stalled", "stood_still", "removed"};
void step_downs(const S& s, Samples& out) {
  for (size_t i = 0; i < kStepDownCauses.size(); ++i)
    out.number({{"cause", kStepDownCauses[i]}},
               raft_of(s) == nullptr ? 0 : raft_of(s)->election_figures().stepped_down[i]);
}

constexpr std::array<std::string_view, 3> kProgress{"probe", "replicate", "snapshot"};

// What only a leader knows about each other member.
template <typename Write>
void each_peer(const S& s, Write write) {
  const raft::Raft* raft = raft_of(s);
  if (raft == nullptr || raft->role() != raft::Role::leader) return;
  for (const raft::PeerStatus& peer : raft->peers())
    if (const raft::Member* member = raft->configuration().find(peer.id)) write(*raft, *member, peer);
}
uint64_t lag_of(const raft::Raft& raft, const raft::PeerStatus& peer) {
  return raft.log().last_index().value - peer.match_index.value;
}
uint64_t silence_of(const S& s, const raft::PeerStatus& peer) {
  const Millis now = s.loop.now();
  return now > peer.last_contact ? now - peer.last_contact : 0;
}

void peers_match(const S& s, Samples& out) {
  each_peer(s, [&](const raft::Raft&, const raft::Member& member, const raft::PeerStatus& peer) {
    out.number({{"member", member.name}}, peer.match_index.value);
  });
}
void peers_lag(const S& s, Samples& out) {
  each_peer(s, [&](const raft::Raft& raft, const raft::Member& member, const raft::PeerStatus& peer) {
    out.number({{"member", member.name}}, lag_of(raft, peer));
  });
}
void peers_silence(const S& s, Samples& out) {
  each_peer(s, [&](const raft::Raft&, const raft::Member& member, const raft::PeerStatus& peer) {
    if (peer.last_contact != 0) out.number({{"member", member.name}}, silence_of(s, peer));
  });
}
void peers_up(const S& s, Samples& out) {
  each_peer(s, [&](const raft::Raft&, const raft::Member& member, const raft::PeerStatus& peer) {
    out.number({{"member", member.name}}, s.node.silent(peer.id) ? 0 : 1);
  });
}

void member_lines(const S& s, InfoLines& out) {
  size_t number = 0;
  for (const api::MemberView& member : api::member_views(s.node)) {
    std::string text = "id=" + printable(member.name) + ",address=" + printable(member.raft_address) +
                       ",suffrage=" + (member.voter ? "voter" : "learner");
    if (!member.status.empty()) text += ",status=" + member.status;
    if (member.match_index) text += ",match_index=" + std::to_string(*member.match_index);
    each_peer(s, [&](const raft::Raft& raft, const raft::Member& configured, const raft::PeerStatus& peer) {
      if (configured.name != member.name) return;
      text += ",lag=" + std::to_string(lag_of(raft, peer)) +
              ",state=" + std::string(kProgress[static_cast<size_t>(peer.state)]);
      if (peer.last_contact != 0) text += ",last_contact_ms=" + std::to_string(silence_of(s, peer));
    });
    out.field("member" + std::to_string(number++), text);
  }
}

std::string part_of_snapshot(raft::Index index, uint64_t offset, uint64_t size) {
  return "index=" + std::to_string(index.value) + ",offset=" + std::to_string(offset) + ",size=" + std::to_string(size);
}

void snapshot_transfers(const S& s, InfoLines& out) {
  if (raft_of(s) == nullptr) return;
  size_t number = 0;
  each_peer(s, [&](const raft::Raft&, const raft::Member& member, const raft::PeerStatus& peer) {
    if (peer.state != raft::ProgressState::snapshot) return;
    out.field("snapshot_sending" + std::to_string(number++),
              "node=" + printable(member.name) + "," +
                  part_of_snapshot(peer.snapshot_index, peer.snapshot_offset, peer.snapshot_size));
  });
  if (const raft::PartOfSnapshot* part = raft_of(s)->incoming_snapshot(); part != nullptr)
    out.field("snapshot_receiving", part_of_snapshot(part->meta.index, part->next_offset, part->meta.size));
}

// clang-format off
const Figure kRaftRows[] = {
  {.section = I::raft, .field = "cluster_id", .read = [](const S& s) -> Text {
     const node::ClusterId cluster = s.node.identity().cluster;
     return cluster == node::kNoCluster ? "" : node::to_hex(cluster); }},
  {.section = I::raft, .field = "node_id", .read = [](const S& s) -> Text { return s.node.identity().name; }},
  {.section = I::raft, .field = "role", .read = [](const S& s) -> Text { return api::role_name(s.node); }},
  {.metric = "wormhole_raft_role", .help = "1 for the role that this node has", .read = roles},
  {.metric = "wormhole_raft_is_leader", .help = "Whether this node leads",
   .read = [](const S& s) { return of_raft(s, [](const raft::Raft& r) { return r.role() == raft::Role::leader; }); }},
  {.section = I::raft, .field = "term", .metric = "wormhole_raft_term", .help = "The term that this node is in",
   .read = [](const S& s) { return of_raft(s, [](const raft::Raft& r) { return r.current_term().value; }); }},
  {.section = I::raft, .field = "leader_id", .read = [](const S& s) -> Text {
     return s.node.leader() != nullptr ? s.node.leader()->name : ""; }},
  {.metric = "wormhole_raft_has_leader", .help = "Whether this node knows a leader",
   .read = [](const S& s) { return number(s.node.leader() != nullptr ? 1 : 0); }},
  {.section = I::raft, .field = "commit_index", .metric = "wormhole_raft_commit_index",
   .help = "The last log entry known to be committed",
   .read = [](const S& s) { return of_raft(s, [](const raft::Raft& r) { return r.commit_index().value; }); }},
  {.section = I::raft, .field = "applied_index", .metric = "wormhole_raft_applied_index",
   .help = "The last log entry applied to the state",
   .read = [](const S& s) { return number(s.node.machine().applied().value); }},
  {.section = I::raft, .field = "last_log_index", .metric = "wormhole_raft_last_log_index",
   .help = "The last entry of this node's log",
   .read = [](const S& s) { return of_raft(s, [](const raft::Raft& r) { return r.log().last_index().value; }); }},
  {.section = I::raft, .field = "first_log_index", .metric = "wormhole_raft_first_log_index",
   .help = "The first entry of this node's log that was not compacted",
   .read = [](const S& s) { return of_raft(s, [](const raft::Raft& r) { return r.log().first_index().value; }); }},
  {.section = I::raft, .field = "durable_index", .metric = "wormhole_raft_durable_index",
   .help = "The last log entry on this node's disk",
   .read = [](const S& s) { return of_raft(s, [](const raft::Raft& r) { return r.durable_index().value; }); }},
  {.section = I::raft, .field = "snapshot_index", .metric = "wormhole_raft_snapshot_index",
   .help = "The last log entry that the snapshot on the disk holds, 0 without one",
   .read = [](const S& s) { return of_raft(s, [](const raft::Raft& r) { return r.snapshot() ? r.snapshot()->index.value : 0; }); }},
  {.metric = "wormhole_raft_entries_applied_total", .type = M::counter, .help = "Log entries applied to the state",
   .read = [](const S& s) { return number(s.node.counters().entries_applied); }},
  {.section = I::raft, .field = "leader_changes", .metric = "wormhole_raft_leader_changes_total", .type = M::counter,
   .help = "How often this node saw the leader change or get lost",
   .read = [](const S& s) { return number(s.node.counters().leader_changes); }},
  {.section = I::raft, .field = "elections_started", .metric = "wormhole_raft_campaigns_total", .type = M::counter,
   .help = "Terms that this node was a candidate in",
   .read = [](const S& s) { return of_raft(s, [](const raft::Raft& r) { return r.elections(); }); }},
  {.metric = "wormhole_raft_elections_total", .type = M::counter,
   .help = "Elections that this node began, by cause", .read = elections},
  {.section = I::raft, .field = "elections_won", .metric = "wormhole_raft_elections_won_total", .type = M::counter,
   .help = "Elections that this node won",
   .read = [](const S& s) { return of_raft(s, [](const raft::Raft& r) { return r.election_figures().won; }); }},
  {.section = I::raft, .field = "elections_lost", .metric = "wormhole_raft_elections_lost_total", .type = M::counter,
   .help = "Elections that this node lost as a candidate",
   .read = [](const S& s) { return of_raft(s, [](const raft::Raft& r) { return r.election_figures().lost; }); }},
  {.section = I::raft, .field = "last_election_cause", .read = [](const S& s) -> Text {
     return raft_of(s) == nullptr ? "" : printable(raft_of(s)->election_figures().last_election); }},
  {.metric = "wormhole_raft_step_downs_total", .type = M::counter,
   .help = "How often this node gave up leading, by cause", .read = step_downs},
  {.section = I::raft, .field = "last_step_down_cause", .read = [](const S& s) -> Text {
     return raft_of(s) == nullptr ? "" : printable(raft_of(s)->election_figures().last_step_down); }},
  {.section = I::raft, .field = "state_digest", .read = [](const S& s) -> Text {
     char digest[17];
     std::snprintf(digest, sizeof digest, "%016lx", s.node.machine().digest());
     return digest; }},
  {.section = I::raft, .field = "cluster_version", .metric = "wormhole_cluster_version",
   .help = "The cluster's version, which says what commands its log may hold",
   .read = [](const S& s) { return number(s.node.cluster_version()); }},
  {.section = I::raft, .field = "version_limit", .metric = "wormhole_version_limit",
   .help = "The highest version of the cluster that this node can do",
   .read = [](const S& s) { return number(s.node.options().version); }},
  {.section = I::raft, .field = "cluster_time_ms", .metric = "wormhole_cluster_time_seconds",
   .unit = U::milliseconds, .help = "Cluster time, since 1970; 0 in a cluster of version 1",
   .read = [](const S& s) { return number(s.node.cluster_version() == kFirstVersion ? 0 : s.node.cluster_time_ms(s.loop.now())); }},
  {.section = I::raft, .field = "idempotency_keys", .metric = "wormhole_idempotency_keys",
   .help = "Idempotency keys whose first answer is kept",
   .read = [](const S& s) { return number(s.node.machine().idempotency().size()); }},
  {.section = I::raft, .field = "idempotency_bytes", .metric = "wormhole_idempotency_bytes",
   .unit = U::bytes, .help = "What they hold, as dedup_max_bytes counts it",
   .read = [](const S& s) { return number(s.node.machine().idempotency().logical_bytes()); }},
  {.section = I::raft, .field = "idempotency_evicted", .metric = "wormhole_idempotency_evicted_total",
   .type = M::counter, .help = "Of them, those that went before their time, as the settings allow no more",
   .read = [](const S& s) { return number(s.node.machine().idempotency_evicted()); }},
  {.section = I::raft, .field = "waiting_for", .read = [](const S& s) -> Text {
     if (s.node.waiting_for().empty()) return std::nullopt;
     return printable(s.node.waiting_for()); }},
  {.section = I::raft, .field = "members", .metric = "wormhole_raft_members",
   .help = "Members of the cluster, learners among them, as this node knows it",
   .read = [](const S& s) { return of_raft(s, [](const raft::Raft& r) { return r.configuration().members().size(); }); }},
  {.section = I::raft, .field = "voters", .metric = "wormhole_raft_voters", .help = "Members that have a vote",
   .read = [](const S& s) { return number(voters(s)); }},
  {.section = I::raft, .field = "tolerates", .metric = "wormhole_raft_failures_tolerated",
   .help = "How many voters more may fail before the cluster stops; known to the leader, to others only where it is 0",
   .read = [](const S& s) -> Number { const auto t = s.node.tolerates(); return t ? number(*t) : std::nullopt; }},
  {.section = I::raft, .field = "tolerates_warning", .read = [](const S& s) -> Text {
    const std::string warning = s.node.tolerance_warning();
    if (warning.empty()) return std::nullopt;
    return printable(warning); }},
  {.section = I::raft, .field = "violations", .metric = "wormhole_raft_violations_total", .type = M::counter,
   .help = "Connections of members that were closed because they sent what no correct member can send",
   .read = [](const S& s) { return number(s.node.counters().violations); }},
  {.section = I::raft, .field = "removed", .metric = "wormhole_raft_removed",
   .help = "Whether this node was removed from its cluster",
   .read = [](const S& s) { return number(s.node.removed() ? 1 : 0); }},
  {.section = I::raft, .read = member_lines},
  {.section = I::raft, .read = snapshot_transfers},
  {.section = I::raft, .field = "snapshots_sent", .metric = "wormhole_snapshots_sent_total", .type = M::counter,
   .help = "Snapshots that a member received from this node, whole",
   .read = [](const S& s) { return of_raft(s, [](const raft::Raft& r) { return r.snapshot_counters().finished; }); }},
  {.section = I::raft, .field = "snapshots_sent_resumed", .metric = "wormhole_snapshots_sent_resumed_total",
   .type = M::counter, .help = "Times that sending a snapshot went on where it had broken off",
   .read = [](const S& s) { return of_raft(s, [](const raft::Raft& r) { return r.snapshot_counters().resumed; }); }},
  {.section = I::raft, .field = "snapshots_sent_restarted", .metric = "wormhole_snapshots_sent_restarted_total",
   .type = M::counter, .help = "Times that sending a snapshot began anew",
   .read = [](const S& s) { return of_raft(s, [](const raft::Raft& r) { return r.snapshot_counters().restarted; }); }},
  {.section = I::raft, .field = "snapshot_bytes_sent", .metric = "wormhole_snapshot_bytes_sent_total",
   .type = M::counter, .unit = U::bytes, .help = "Bytes of snapshots sent to members",
   .read = [](const S& s) { return of_raft(s, [](const raft::Raft& r) { return r.snapshot_counters().bytes; }); }},
  {.metric = "wormhole_raft_member_up", .help = "On the leader: whether a member answers", .read = peers_up},
  {.metric = "wormhole_raft_member_match_index", .help = "On the leader: the last log entry a member is known to hold",
   .read = peers_match},
  {.metric = "wormhole_raft_member_lag_entries", .help = "On the leader: how many log entries a member is behind",
   .read = peers_lag},
  {.metric = "wormhole_raft_member_last_contact_seconds", .unit = U::milliseconds,
   .help = "On the leader: how long ago a member last answered", .read = peers_silence},
};
// clang-format on

}  // namespace

std::span<const Figure> raft_rows() { return kRaftRows; }

}  // namespace wh::metrics
