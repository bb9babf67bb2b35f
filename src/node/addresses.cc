#include "node/addresses.h"

#include <algorithm>

#include "base/endpoint.h"
#include "base/log.h"
#include "node/seeking.h"

namespace wh::node {
namespace {

constexpr Millis kRefreshEveryMs = 1'000;

bool is_loopback(const std::string& address) { return is_loopback_host(host_part(address)); }

}  // namespace

void Addresses::refresh(Millis now) {
  if (now < refreshed_at_ + kRefreshEveryMs) return;
  refreshed_at_ = now;
  if (ctx_.raft->leads_for_certain() && !ctx_.raft->change_pending() && !ctx_.raft->transferring()) write_down(now);
  if (!ctx_.raft->leader_id() && finding_.empty() && looking_up_.empty()) {
    for (const std::string& address : ctx_.options.join) {
      looking_up_.insert(ctx_.next_number);
      ctx_.transport.resolve(ctx_.next_number++, address);
    }
  }
}

// Changes one member at a time, perhaps this node itself.
void Addresses::write_down(Millis now) {
  const auto& members = ctx_.raft->configuration().members();
  const bool one_machine = std::all_of(members.begin(), members.end(), [&](const raft::Member& member) {
    const std::string address = peers_.addresses_of(member).raft_address;
    return is_loopback(address) || address.starts_with(':');
  });
  for (const raft::Member& member : members) {
    raft::Member said = peers_.addresses_of(member);
    if (said.raft_address.starts_with(':')) said.raft_address = member.raft_address;  // its own, with a wildcard bind
    // A loopback address is written down only if all members are on one machine: on another machine it leads elsewhere.
    if (said == member || (is_loopback(said.raft_address) && !one_machine)) continue;
    logf(LogLevel::notice, "%s is now at %s", member.name.c_str(), said.raft_address.c_str());
    ctx_.raft->step(now, raft::ProposeConfiguration{ctx_.next_number++, ctx_.raft->configuration().with(said)});
    ctx_.wants_turn = true;
    return;
  }
}

void Addresses::ask_who_is_at(const std::string& address) {
  finding_.insert(ctx_.next_number);
  ctx_.transport.ask(ctx_.next_number++, address, WhoAreYou{});
}

// Asks at all addresses of a name: one of them may be this node's own, or no longer in use.
bool Addresses::resolved(uint64_t request, const Result<std::vector<std::string>>& addresses) {
  if (looking_up_.erase(request) == 0) return false;
  if (!addresses || !ctx_.raft || ctx_.raft->leader_id()) return true;
  for (const std::string& address : *addresses)
    if (finding_.size() < Seeking::kMaxAddresses) ask_who_is_at(address);
  return true;
}

// A node in no cluster answers at a member's address: its disk was replaced or emptied. That node may not believe a
// refusal of its hello, but it believes a question; so this node asks one, and the other founds no second cluster while
// this one is away. The answer does not matter.
void Addresses::peer_refused(raft::NodeId id, const WhoIAm& theirs) {
  if (!ctx_.raft || ctx_.removed || !ctx_.options.members_prove_themselves) return;
  if (theirs.identity.cluster != kNoCluster || finding_.size() >= Seeking::kMaxAddresses) return;
  if (const raft::Member* member = ctx_.raft->configuration().find(id))
    ask_who_is_at(peers_.addresses_of(*member).raft_address);
}

bool Addresses::answered(uint64_t request, const Result<Answer>& answer) {
  if (finding_.erase(request) == 0) return false;
  if (const auto* who = answer ? std::get_if<WhoIAm>(&*answer) : nullptr) peers_.found(who->identity);
  return true;
}

}  // namespace wh::node
