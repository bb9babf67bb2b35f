#include "api/client_admission.h"

#include <algorithm>
#include <iterator>
#include <unordered_map>

namespace wh::api {

ClientAdmission::Entry ClientAdmission::admit_http(uint64_t group, Millis now) {
  if (open() < options_.maxclients || make_room(group, now)) return Entry::welcome;
  return Entry::probe;
}

ClientAdmission::Entry ClientAdmission::admit_debug(uint64_t group, bool local, Millis now) {
  if (open() < options_.maxclients || make_room(group, now)) return Entry::welcome;
  const bool spare = open() < options_.maxclients + net::Descriptors::kSpareClients;
  return local && spare ? Entry::welcome : Entry::turned_away;
}

bool ClientAdmission::make_room(uint64_t group, Millis now) {
  if (log_.allow(now))
    logf(LogLevel::warning,
         "as many clients are connected as maxclients allows, %lu: who is idle gives way to new ones",
         options_.maxclients);
  bool for_greedy = greedy_.contains(group);
  if (end_chosen(for_greedy, now)) return true;
  if (!look(looked_at_[for_greedy ? 1 : 0], now)) return false;
  for_greedy = greedy_.contains(group);
  return end_chosen(for_greedy, now);
}

bool ClientAdmission::end_chosen(bool for_greedy, Millis now) {
  const auto may_go = [&](const Candidate& candidate) {
    if (!for_greedy) return true;
    return candidate.greedy ? !candidate.client.arriving : candidate.client.since + kModestIdleMs <= now;
  };
  while (!for_greedy || chosen_.size() > kept_) {
    const auto found = std::find_if(chosen_.rbegin(), chosen_.rend(), may_go);
    if (found == chosen_.rend()) return false;
    const Candidate candidate = *found;
    chosen_.erase(std::next(found).base());
    if (!candidate.front->end_idle(candidate.client)) continue;
    ++evicted_;
    return true;
  }
  return false;
}

// Looks at all connections; with ten thousand of them it does not do that for every new one.
bool ClientAdmission::look(Millis& last, Millis now) {
  if (last != 0 && now < last + open() / kLooksPerMs) return false;
  last = now;
  chosen_.clear();
  greedy_.clear();
  std::vector<uint64_t> groups;
  std::vector<IdleClient> idle;
  for (ClientFront* front : {&http_, &debug_}) {
    const size_t before = idle.size();
    front->list(groups, idle);
    for (size_t i = before; i < idle.size(); ++i) chosen_.push_back({idle[i], front});
  }
  std::unordered_map<uint64_t, size_t> held;
  for (const uint64_t group : groups) ++held[group];
  const size_t share = std::max<size_t>(1, groups.size() / kShares);
  for (const auto& [group, count] : held)
    if (count > share) greedy_.insert(group);
  for (Candidate& candidate : chosen_) candidate.greedy = greedy_.contains(candidate.client.group);
  std::erase_if(chosen_, [](const Candidate& each) { return each.client.arriving && !each.greedy; });
  const auto goes_first = [](const Candidate& a, const Candidate& b) {
    if (a.greedy != b.greedy) return a.greedy;
    if (a.client.arriving != b.client.arriving) return b.client.arriving;
    return a.client.since < b.client.since;
  };
  if (chosen_.size() > kChosen) {
    std::nth_element(chosen_.begin(), chosen_.begin() + kChosen, chosen_.end(), goes_first);
    chosen_.resize(kChosen);
  }
  std::sort(chosen_.begin(), chosen_.end(), goes_first);
  std::reverse(chosen_.begin(), chosen_.end());
  kept_ = chosen_.size() / 2;
  return true;
}

}  // namespace wh::api
