#include "node/overview.h"

#include <algorithm>
#include <utility>

namespace wh::node {

MembersSeen Overview::seen_here() const {
  const raft::Raft& raft = *ctx_.raft;
  MembersSeen seen{.term = raft.current_term(), .tolerates = tolerance_.tolerates().value_or(0), .members = {}};
  seen.members.push_back({raft.self(), true, raft.durable_index()});
  for (const raft::PeerStatus& peer : raft.peers())
    if (seen.members.size() < kMaxMembersSeen)
      seen.members.push_back({peer.id, !peers_.silent(peer.id, ctx_.turn_at), peer.match_index});
  return seen;
}

void Overview::watch(Millis now) {
  if (ctx_.options.overview_interval_ms == 0 || !ctx_.leads()) return;
  if (now < told_at_ + ctx_.options.overview_interval_ms) return;
  told_at_ = now;
  const MembersSeen seen = seen_here();
  for (const raft::PeerStatus& peer : ctx_.raft->peers())
    if (peers_.version_of(peer.id).value_or(kFirstVersion) >= kVersion) ctx_.transport.send(peer.id, seen);
}

void Overview::on_told(raft::NodeId from, MembersSeen& message, Millis now) {
  if (!ctx_.raft || ctx_.raft->leader_id() != from || ctx_.raft->current_term() != message.term) return;
  heard_ = View{.leader = from, .age_ms = 0, .seen = std::move(message)};
  heard_at_ = now;
}

std::optional<Overview::View> Overview::view(Millis now) const {
  if (ctx_.leads()) return View{.leader = ctx_.instance, .age_ms = 0, .seen = seen_here()};
  std::optional<View> view = heard_;
  if (view) view->age_ms = now - std::min(now, heard_at_);
  return view;
}

}  // namespace wh::node
