#include "server/client_door.h"

#include <algorithm>
#include <unordered_map>

namespace wh {

ClientDoor::Entry ClientDoor::admit_http(Millis now) {
  if (open() < options_.maxclients || make_room(now)) return Entry::welcome;
  return Entry::probe;
}

ClientDoor::Entry ClientDoor::admit_debug(bool local, Millis now) {
  if (open() < options_.maxclients || make_room(now)) return Entry::welcome;
  const bool spare = open() < options_.maxclients + net::Descriptors::kSpareClients;
  return local && spare ? Entry::welcome : Entry::turned_away;
}

bool ClientDoor::make_room(Millis now) {
  if (log_.allow(now))
    logf(LogLevel::warning,
         "as many clients are connected as maxclients allows, %lu: who is idle gives way to new ones",
         options_.maxclients);
  if (chosen_.empty()) look(now);
  while (!chosen_.empty()) {
    const Candidate candidate = chosen_.back();
    chosen_.pop_back();
    if (!candidate.front->end_idle(candidate.client.id, candidate.client.since)) continue;
    ++evicted_;
    return true;
  }
  return false;
}

// Looks at all connections, which for ten thousand of them is not done for each one that comes.
void ClientDoor::look(Millis now) {
  if (looked_at_ != 0 && now < looked_at_ + open() / kLooksPerMs) return;
  looked_at_ = now;
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
  for (Candidate& candidate : chosen_) candidate.greedy = held[candidate.client.group] > share;
  const auto goes_first = [](const Candidate& a, const Candidate& b) {
    return a.greedy != b.greedy ? a.greedy : a.client.since < b.client.since;
  };
  if (chosen_.size() > kChosen) {
    std::nth_element(chosen_.begin(), chosen_.begin() + kChosen, chosen_.end(), goes_first);
    chosen_.resize(kChosen);
  }
  std::sort(chosen_.begin(), chosen_.end(), goes_first);
  std::reverse(chosen_.begin(), chosen_.end());
}

}  // namespace wh
