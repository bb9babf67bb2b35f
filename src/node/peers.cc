#include "node/peers.h"

#include <algorithm>

#include "base/mutant.h"

namespace wh::node {
namespace {

// Limit of the nodes outside the configuration that this node answers.
constexpr size_t kMaxStrangers = 16;

}  // namespace

// --- what arrives

void Peers::heard(raft::NodeId from, Millis now) {
  heard_[from] = now;
  gone_.erase(from);
}

// This node's configuration may not contain a leader or candidate, because this node was just adopted or was away: it
// dials that node all the same.
void Peers::prepare_to_answer(raft::NodeId from) {
  if (!ctx_.raft || ctx_.raft->configuration().contains(from) || strangers_.contains(from)) return;
  const auto it = announced_.find(from);
  if (it == announced_.end()) return;
  remember_stranger({from, it->second.name, it->second.raft_address});
  configuration_changed();
}

void Peers::lost(raft::NodeId id) {
  if (ctx_.raft && ctx_.raft->configuration().contains(id)) gone_.insert(id);
}

void Peers::announced(raft::NodeId id, const Identity& identity) {
  if (const auto it = announced_.find(id); it != announced_.end() && it->second == identity) return;
  announced_[id] = identity;
  if (!ctx_.raft || !ctx_.raft->configuration().contains(id))
    remember_stranger({id, identity.name, identity.raft_address});
  if (ctx_.raft) configuration_changed();
}

// A node that was taken in and has heard nothing since knows no member. It dials every node of its cluster that
// answers; if it was removed meanwhile, it learns that there.
void Peers::found(const Identity& identity) {
  if (!ctx_.raft || identity.cluster != ctx_.cluster || identity.instance == ctx_.instance) return;
  const bool knows_nobody = ctx_.raft->configuration().empty();
  if (!knows_nobody && !ctx_.raft->configuration().contains(identity.instance)) return;
  // An answer does not contain a version: only a hello does.
  const auto known = announced_.find(identity.instance);
  const VersionRange said = known == announced_.end() ? kVersionsNotSaid : known->second.versions;
  Identity& announced = announced_[identity.instance];
  announced = identity;
  announced.versions = said;
  if (knows_nobody) remember_stranger({identity.instance, identity.name, identity.raft_address});
  configuration_changed();
}

void Peers::violated(raft::NodeId from, const std::string& what, Millis now) {
  ++ctx_.counters.violations;
  ctx_.transport.cut_off(from);
  if (!violation_log_.allow(now)) return;
  logf(LogLevel::warning,
       "%s (instance %016lx) sent what no correct member can send: %s. Nothing of it was done, and its connection was "
       "closed (%lu more of any member since the last such line)",
       name_of(from).c_str(), from.value, what.c_str(), violation_log_.suppressed());
}

void Peers::told_removed(raft::NodeId by, raft::Position as_of, Millis now) {
  ctx_.wants_turn = true;
  if (!ctx_.raft) return;
  // Believed only from a member that this node knows. A node that was taken in and has heard nothing since knows no
  // member, so it believes the nodes of its cluster that it met.
  const raft::Raft& raft = *ctx_.raft;
  const raft::Member* member = raft.configuration().find(by);
  if (member == nullptr) member = raft.log().configuration_at(raft.commit_index()).configuration.find(by);
  const auto met = strangers_.find(by);
  const bool believed = member != nullptr || (raft.configuration().empty() && met != strangers_.end());
  if (!believed || by == ctx_.instance) return;
  if (!ctx_.removed) told_by_ = member != nullptr ? member->name : met->second.name;
  ctx_.raft->step(now, raft::ToldRemoved{as_of, by});
}

// --- the configuration

void Peers::remember_stranger(Peer peer) {
  if (strangers_.size() >= kMaxStrangers && !strangers_.contains(peer.id)) strangers_.erase(strangers_.begin());
  strangers_[peer.id] = std::move(peer);
}

// Identifies the configuration in force by index and term: another one may replace it at the same index, in another
// term.
std::pair<raft::Index, raft::Term> Peers::configuration_now() const {
  const raft::Index index = ctx_.raft->log().configuration_index();
  return {index, ctx_.raft->log().term_at(index).value_or(raft::Term{})};
}

void Peers::follow_configuration() {
  if (configuration_now() != configuration_seen_ ||
      ctx_.raft->log().configuration_at(ctx_.raft->commit_index()).index != committed_configuration_seen_)
    configuration_changed();
}

// Instances whose removal is committed and that were not added again since. An uncommitted removal may be truncated,
// and the member that it removes may be needed to commit it (HAZARDS D8: a leader removes itself), so that member is
// still let in and answered.
std::vector<raft::NodeId> Peers::removed_for_certain() const {
  std::vector<raft::NodeId> removed;
  for (const raft::NodeId id : ctx_.raft->log().configuration_at(ctx_.raft->commit_index()).configuration.removed())
    if (!ctx_.raft->configuration().contains(id)) removed.push_back(id);
  return removed;
}

void Peers::configuration_changed() {
  configuration_seen_ = configuration_now();
  const raft::Raft& raft = *ctx_.raft;
  const raft::Log::ConfigurationAt& committed = raft.log().configuration_at(raft.commit_index());
  Membership membership{.member_as_of = raft.member_as_of(),
                        .removed = removed_for_certain(),
                        .removed_as_of = raft.committed_position()};
  // The node sends nothing to a member whose removal is committed.
  if (std::exchange(committed_configuration_seen_, committed.index) != committed.index)
    for (const raft::NodeId id : membership.removed) strangers_.erase(id);
  // It still talks to a member that is being removed: a leader needs those answers to commit its own removal.
  for (const raft::Member& member : committed.configuration.members())
    if (member.id != ctx_.instance && !raft.configuration().contains(member.id))
      remember_stranger({member.id, member.name, addresses_of(member).raft_address});
  std::vector<Peer> peers;
  for (const raft::Member& member : raft.configuration().members()) {
    if (member.id == ctx_.instance) continue;
    ctx_.saw_others = true;
    peers.push_back({member.id, member.name, addresses_of(member).raft_address});
  }
  // Identities of a few other nodes are kept: a removed member may be added again on a connection that it still has to
  // this node.
  if (announced_.size() > raft.configuration().members().size() + kMaxStrangers)
    std::erase_if(announced_, [&](const auto& item) { return !raft.configuration().contains(item.first); });
  std::erase_if(strangers_, [&](const auto& item) { return raft.configuration().contains(item.first); });
  for (const auto& [id, peer] : strangers_) peers.push_back(peer);
  std::erase_if(heard_, [&](const auto& item) {
    return !raft.configuration().contains(item.first) && !strangers_.contains(item.first);
  });
  std::erase_if(gone_, [&](raft::NodeId id) { return !raft.configuration().contains(id); });
  ctx_.transport.set_peers(std::move(peers));
  ctx_.transport.set_membership(std::move(membership));
  ctx_.announce();
}

bool Peers::watch_removal() {
  const bool removed = ctx_.raft->removed();
  if (removed == ctx_.removed) return false;
  ctx_.removed = removed;
  if (!removed) {
    told_by_.clear();
    logf(LogLevel::notice, "%s is a member of the cluster again", ctx_.options.name.c_str());
    return false;
  }
  logf(LogLevel::warning,
       "%s was removed from cluster %s, %s. It starts no election, and serves stale reads only; its files stay where "
       "they are. Switch it off, or take it in again: POST /cluster/members at a member, or start it on an empty "
       "directory with `join`",
       ctx_.options.name.c_str(), to_hex(ctx_.cluster).c_str(),
       told_by_.empty() ? "as its own log says" : ("as " + told_by_ + " says").c_str());
  return true;
}

// --- looking

raft::Member Peers::addresses_of(const raft::Member& member) const {
  raft::Member result = member;
  Identity said;
  if (member.id == ctx_.instance) {
    said = ctx_.identity();
  } else if (const auto it = announced_.find(member.id); it != announced_.end()) {
    said = it->second;
  } else {
    return result;
  }
  // A node bound to every address does not know its own host. Its own address stays without one, as the configuration's
  // may be outdated; another node keeps the configuration's address.
  if (!said.raft_address.empty() && (said.raft_address.front() != ':' || member.id == ctx_.instance))
    result.raft_address = said.raft_address;
  result.http_address = said.http_address;
  result.https_address = said.https_address;
  return result;
}

std::string Peers::name_of(raft::NodeId id) const {
  if (const raft::Member* member = ctx_.raft ? ctx_.raft->configuration().find(id) : nullptr) return member->name;
  const auto met = announced_.find(id);
  return met != announced_.end() ? met->second.name : "a node that is no member";
}

std::optional<ClusterVersion> Peers::version_of(raft::NodeId member) const {
  if (member == ctx_.instance) return ctx_.options.version;
  const auto it = announced_.find(member);
  if (it == announced_.end() || it->second.versions == kVersionsNotSaid) return std::nullopt;
  return it->second.versions.highest;
}

bool Peers::silent(raft::NodeId id, Millis now) const {
  if (id == ctx_.instance) return false;
  const std::optional<Millis> heard = ctx_.raft->last_contact(id);
  return !heard || now > *heard + 2 * Millis{ctx_.options.election_timeout_ms};
}

bool Peers::heard_lately(raft::NodeId id, Millis now) const {
  const auto it = heard_.find(id);
  return it != heard_.end() && now <= it->second + 4 * Millis{ctx_.options.election_timeout_ms};
}

std::string Peers::names_of_silent(const raft::Configuration& configuration, Millis now) const {
  std::string names;
  for (const raft::Member& member : configuration.members())
    if (member.suffrage == raft::Suffrage::voter && member.id != ctx_.instance && silent(member.id, now))
      names += (names.empty() ? "" : ", ") + member.name;
  return names;
}

raft::NodeId Peers::best_successor(const std::set<raft::NodeId>& but, Millis now) const {
  raft::PeerStatus best{};
  for (const raft::PeerStatus& peer : ctx_.raft->peers()) {
    if (but.contains(peer.id) || gone_.contains(peer.id)) continue;
    if (!ctx_.raft->configuration().is_voter(peer.id) || silent(peer.id, now)) continue;
    // A voter whose disk has room comes before one that could take no data.
    const bool better = best.no_room != peer.no_room ? best.no_room : peer.match_index > best.match_index;
    if (!best.id || better) best = peer;
  }
  return best.id;
}

}  // namespace wh::node
