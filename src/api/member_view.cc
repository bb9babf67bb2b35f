#include "api/member_view.h"

#include <algorithm>

#include "base/log.h"
#include "net/peers.h"

namespace wh::api {

std::vector<MemberView> member_views(const node::Node& node) {
  std::vector<MemberView> views;
  const raft::Raft* raft = node.raft();
  if (raft == nullptr) return views;
  const bool leads = raft->role() == raft::Role::leader;
  for (const raft::Member& configured : raft->configuration().members()) {
    const raft::Member member = node.addresses_of(configured);
    MemberView view{.name = member.name,
                    .raft_address = member.raft_address,
                    .http_address = member.http_address,
                    .https_address = member.https_address,
                    .voter = member.suffrage == raft::Suffrage::voter,
                    .status = {},
                    .match_index = std::nullopt,
                    .version = node.version_of(member.id)};
    if (leads && member.id == raft->self()) {
      view.status = "alive";
      view.match_index = raft->durable_index().value;
    } else if (leads) {
      for (const raft::PeerStatus& peer : raft->peers()) {
        if (peer.id != member.id) continue;
        view.status = node.silent(peer.id) ? "failed" : "alive";
        view.match_index = peer.match_index.value;
      }
    }
    views.push_back(std::move(view));
  }
  std::sort(views.begin(), views.end(), [](const MemberView& a, const MemberView& b) { return a.name < b.name; });
  return views;
}

std::string as_seen_from(const std::string& local_address, const std::string& address) {
  std::string seen = address;
  if (!local_address.empty()) net::fill_host(seen, local_address);
  return seen;
}

const char* role_name(const node::Node& node) {
  const raft::Raft* raft = node.raft();
  if (raft == nullptr || !raft->configuration().is_voter(raft->self())) return "learner";
  switch (raft->role()) {
    case raft::Role::leader:
      return "leader";
    case raft::Role::follower:
      return "follower";
    default:
      return "candidate";
  }
}

std::string status_line(const node::Node& node) {
  const raft::Raft* raft = node.raft();
  if (raft == nullptr) return node.waiting_for().empty() ? "starting" : "waiting: " + printable(node.waiting_for());
  std::string line = role_name(node);
  const raft::Member* leader = node.leader();
  if (raft->role() == raft::Role::leader) {
    const size_t members = raft->configuration().members().size();
    line += " of " + std::to_string(members) + (members == 1 ? " member" : " members");
  } else {
    line += leader == nullptr ? ", no leader known" : " of " + printable(leader->name);
  }
  return line + ", term " + std::to_string(raft->current_term().value);
}

}  // namespace wh::api
