// The cluster's version at a node (base/cluster_version.h): the leader raises it once every member says, in its hello,
// that it can do more, and answers now; what needs more than it is refused before it is proposed or forwarded; an entry
// or a snapshot above what this node can do is not taken.
#include <algorithm>

#include "base/log.h"
#include "base/mutant.h"
#include "node/node.h"

namespace wh::node {
namespace {

std::string number(ClusterVersion version) { return std::to_string(version); }

}  // namespace

// A node that may still be absorbed into another cluster leaves its own behind, version and all.
VersionRange Node::versions() const {
  const bool bound = cluster_ != kNoCluster && standing() == Standing::member;
  return {.lowest = bound ? machine_.version() : kFirstVersion, .highest = options_.version};
}

std::optional<ClusterVersion> Node::version_of(raft::NodeId member) const {
  if (member == instance_) return options_.version;
  const auto it = announced_.find(member);
  if (it == announced_.end() || it->second.versions == kVersionsNotSaid) return std::nullopt;
  return it->second.versions.highest;
}

// Members that did not say what they can do, or do not answer now, can do no more than the cluster does.
ClusterVersion Node::common_version(Millis now) const {
  ClusterVersion common = options_.version;
  for (const raft::Member& member : raft_->configuration().members()) {
    const bool here = member.id == instance_ || !silent(member.id, now);
    const std::optional<ClusterVersion> can = here ? version_of(member.id) : std::nullopt;
    common = std::min(common, can.value_or(machine_.version()));
  }
  return common;
}

// Leader: one entry, when nothing of the membership is under way, so that nobody comes in who did not say what it can.
void Node::watch_version(Millis now) {
  if (options_.version <= machine_.version() || !raft_->leads_for_certain() || raft_->transferring() ||
      raft_->change_pending() || raised_in_ == raft_->current_term())
    return;
  const ClusterVersion next = WH_MUTANT(version_raised_unasked) ? options_.version : common_version(now);
  if (next <= machine_.version()) return;
  raising_ = next_number_++;
  raised_in_ = raft_->current_term();
  raised_to_ = next;
  wants_turn_ = true;
  raft_->step(now, raft::Propose{raising_, Bytes(encode_version(next)), raft::EntryKind::version});
}

// What needs it waits for it, as that is a matter of one commit.
bool Node::version_is_rising() const {
  return raft_->role() == raft::Role::leader && raised_in_ == raft_->current_term() && machine_.version() < raised_to_;
}

void Node::version_proposed(const raft::Proposed& result) {
  raising_ = 0;
  if (result.refusal == raft::Refusal::none) return;
  raised_in_ = {};
  raised_to_ = 0;
}

void Node::version_applied(const raft::Entry& entry) {
  const std::optional<ClusterVersion> version = decode_version(entry.payload.view());
  WH_ASSERT(version && *version <= options_.version, "an entry above this node's version was appended");
  const bool higher = *version > machine_.version();
  machine_.raise_version(entry.index, entry.time_ms, *version);
  if (!higher) return;
  announce();
  logf(LogLevel::notice, "the cluster's version is %u now: releases before it cannot take part any more", *version);
}

// Whether a member's message brings an entry that this node cannot do. It is not appended: what cannot be applied as
// every other member applies it must not be acknowledged either.
bool Node::above_our_version(raft::NodeId from, const PeerMessage& message, Millis now) {
  const auto* append = std::get_if<raft::AppendEntries>(&message);
  if (append == nullptr || WH_MUTANT(unknown_version_taken)) return false;
  for (const raft::Entry& entry : append->entries) {
    if (entry.kind != raft::EntryKind::version) continue;
    const std::optional<ClusterVersion> version = decode_version(entry.payload.view());
    if (!version || *version <= options_.version) continue;
    refused_version_ = {.by = from, .index = entry.index, .version = *version};
    if (version_log_.allow(now))
      logf(LogLevel::warning, "%s; it takes nothing more from there until then", above_our_version_text().c_str());
    transport_.cut_off(from);
    return true;
  }
  return false;
}

// One member's word holds only while that member leads and the log ends before the entry it sent: where another leads,
// or the log goes on without it, the word was false, or that entry was never committed.
void Node::watch_refused_version() {
  if (!refused_version_ || !raft_) return;
  const raft::NodeId leader = raft_->leader_id();
  if ((leader && leader != refused_version_->by) || raft_->log().last_index() >= refused_version_->index)
    refused_version_.reset();
}

std::string Node::above_our_version_text() const {
  return name_of(refused_version_->by) + " says that the cluster is of version " + number(refused_version_->version) +
         ", and this node, " + options_.name + ", can do version " + number(options_.version) +
         " at most: install a newer release on it, or raise its version-limit";
}

// One sentence for a request that needs more than the cluster's version.
std::string Node::unsupported_text(ClusterVersion needed) const {
  std::string who;
  for (const raft::Member& member : raft_ ? raft_->configuration().members() : std::vector<raft::Member>{}) {
    const std::optional<ClusterVersion> can = version_of(member.id);
    const bool leads = raft_->role() == raft::Role::leader;
    const bool silent_now = leads && member.id != instance_ && silent(member.id, turn_at_);
    if (can.value_or(kFirstVersion) >= needed && !silent_now) continue;
    if (!who.empty()) who += ", ";
    who += member.name + (!can         ? " (not heard yet)"
                          : silent_now ? " (does not answer)"
                                       : " (can do " + number(*can) + ")");
  }
  const std::string what = "this needs version " + number(needed) + " of the cluster, which is at version " +
                           number(machine_.version()) + ": ";
  if (who.empty()) return what + "try again in a moment, every member can do it";
  return what + "upgrade " + who + " or raise its version-limit; it rises when every member can do it and answers";
}

}  // namespace wh::node
