#include "node/versions.h"

#include <algorithm>

#include "base/mutant.h"

namespace wh::node {
namespace {

std::string number(ClusterVersion version) { return std::to_string(version); }

}  // namespace

// A member that did not say what it supports, or does not answer now, counts as supporting only the cluster's present
// version.
ClusterVersion Versions::common(Millis now) const {
  ClusterVersion common = ctx_.options.version;
  for (const raft::Member& member : ctx_.raft->configuration().members()) {
    const bool here = member.id == ctx_.instance || !peers_.silent(member.id, now);
    const std::optional<ClusterVersion> can = here ? peers_.version_of(member.id) : std::nullopt;
    common = std::min(common, can.value_or(ctx_.machine.version()));
  }
  return common;
}

// The leader proposes one entry, and only while no membership change is in progress, so that no node joins that did not
// say what it supports.
void Versions::watch(Millis now) {
  if (ctx_.options.version <= ctx_.machine.version() || !ctx_.raft->leads_for_certain() || ctx_.raft->transferring() ||
      ctx_.raft->change_pending() || raised_in_ == ctx_.raft->current_term())
    return;
  const ClusterVersion next = WH_MUTANT(version_raised_unasked) ? ctx_.options.version : common(now);
  if (next <= ctx_.machine.version()) return;
  raising_ = ctx_.next_number++;
  raised_in_ = ctx_.raft->current_term();
  raised_to_ = next;
  ctx_.wants_turn = true;
  ctx_.raft->step(now, raft::Propose{raising_, Bytes(encode_version(next)), raft::EntryKind::version});
}

// Requests that need the higher version wait for it, as one commit brings it.
bool Versions::rising() const {
  return ctx_.raft->role() == raft::Role::leader && raised_in_ == ctx_.raft->current_term() &&
         ctx_.machine.version() < raised_to_;
}

bool Versions::behind() const { return ctx_.raft->log().term_at(ctx_.machine.applied()) != ctx_.raft->current_term(); }

bool Versions::proposed(const raft::Proposed& result) {
  if (raising_ == 0 || result.token != raising_) return false;
  raising_ = 0;
  if (result.refusal != raft::Refusal::none) {
    raised_in_ = {};
    raised_to_ = 0;
  }
  return true;
}

void Versions::applied(const raft::Entry& entry) {
  const std::optional<ClusterVersion> version = decode_version(entry.payload.view());
  WH_ASSERT(version && *version <= ctx_.options.version, "an entry above this node's version was appended");
  const bool higher = *version > ctx_.machine.version();
  ctx_.machine.raise_version(entry.index, entry.time_ms, *version);
  if (!higher) return;
  ctx_.announce();
  logf(LogLevel::notice, "the cluster's version is %u now: releases before it cannot take part any more", *version);
}

// Looks for an entry above this node's version. Such an entry is not appended: this node must not acknowledge an entry
// that it cannot apply as every other member does.
bool Versions::above_ours(raft::NodeId from, const PeerMessage& message, Millis now) {
  const auto* append = std::get_if<raft::AppendEntries>(&message);
  if (append == nullptr || WH_MUTANT(unknown_version_taken)) return false;
  for (const raft::Entry& entry : append->entries) {
    if (entry.kind != raft::EntryKind::version) continue;
    const std::optional<ClusterVersion> version = decode_version(entry.payload.view());
    if (!version || *version <= ctx_.options.version) continue;
    const Refused refused{.by = from, .index = entry.index, .version = *version};
    // The leader's word stays, whoever else says something.
    if (!refused_ || (ctx_.raft && from == ctx_.raft->leader_id())) refused_ = refused;
    if (version_log_.allow(now))
      logf(LogLevel::warning, "%s; it takes nothing more from there until then", text_of(refused).c_str());
    ctx_.transport.cut_off(from);
    return true;
  }
  return false;
}

// The word of one member counts only while that member leads and nothing is committed at the index of the entry that it
// sent. If another node leads, or another entry is committed there, the member was wrong or its entry is gone.
void Versions::watch_refused() {
  if (!refused_ || !ctx_.raft) return;
  const raft::NodeId leader = ctx_.raft->leader_id();
  if ((leader && leader != refused_->by) || ctx_.raft->commit_index() >= refused_->index) refused_.reset();
}

std::string Versions::above_ours_text() const { return refused_ ? text_of(*refused_) : std::string(); }

std::string Versions::text_of(const Refused& refused) const {
  return peers_.name_of(refused.by) + " says that the cluster is of version " + number(refused.version) +
         ", and this node, " + ctx_.options.name + ", can do version " + number(ctx_.options.version) +
         " at most: install a newer release on it, or raise its version-limit";
}

// The members to upgrade or to start, for people; empty when there are none.
std::string Versions::who_cannot(ClusterVersion needed) const {
  std::string who;
  for (const raft::Member& member : ctx_.raft ? ctx_.raft->configuration().members() : std::vector<raft::Member>{}) {
    const std::optional<ClusterVersion> can = peers_.version_of(member.id);
    const bool leads = ctx_.raft->role() == raft::Role::leader;
    const bool silent_now = leads && member.id != ctx_.instance && peers_.silent(member.id, ctx_.turn_at);
    if (can.value_or(kFirstVersion) >= needed && !silent_now) continue;
    if (!who.empty()) who += ", ";
    who += member.name + (!can         ? " (not heard yet)"
                          : silent_now ? " (does not answer)"
                                       : " (can do " + number(*can) + ")");
  }
  return who;
}

std::string Versions::unsupported_text(ClusterVersion needed) const {
  const std::string who = who_cannot(needed);
  const std::string what = "this needs version " + number(needed) + " of the cluster, which is at version " +
                           number(ctx_.machine.version()) + ": ";
  if (who.empty()) return what + "try again in a moment, every member can do it";
  return what + "upgrade " + who + " or raise its version-limit; it rises when every member can do it and answers";
}

}  // namespace wh::node
