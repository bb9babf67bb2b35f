// What the commands on the key-value store do to the state.
#include "base/mutant.h"
#include "machine/machine.h"

namespace wh::machine {

Reply Machine::run(const Set& set) {
  for (const auto& [key, value] : set.pairs) {
    const auto old = state_.store.set(key, kept(value), state_.applied);
    if (old) keep_key(key, *old);
    effects_.changed_keys.push_back(key);
  }
  return Reply{.count = set.pairs.size()};
}

Reply Machine::run(const Delete& del) {
  Reply reply;
  for (const auto key : del.keys) {
    const auto old = state_.store.erase(key);
    if (!old) continue;
    ++reply.count;
    keep_key(key, *old);
    effects_.changed_keys.push_back(key);
  }
  return reply;
}

uint64_t Machine::growth_by(const Set& set) const {
  uint64_t total = 0;
  for (const auto& [key, value] : set.pairs) {
    const Bytes* old = get(key);
    if (old == nullptr)
      total += key.size() + value.size() + Store::kOverhead;
    else if (value.size() > old->size())
      total += value.size() - old->size();
  }
  return total;
}

// The write barrier: hands the old item to every walk that has not reached it.
void Machine::keep_key(std::string_view key, const Store::Item& old) {
  if (WH_MUTANT(snapshot_without_barrier)) return;
  for (auto& walk : walks_)
    if (walk) walk->keep_key(key, old);
}

}  // namespace wh::machine
