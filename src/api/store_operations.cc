#include "api/store_operations.h"

#include <algorithm>
#include <iterator>

#include "api/queue_operations.h"
#include "base/prng.h"

namespace wh::api {
namespace {

constexpr size_t kMaxLeaseBytesShown = size_t{256} << 10;
constexpr size_t kPlacesToPick = 16;

// Goes down the tree of all keys by their bytes: at each fork it takes one of the branches, each as likely as another.
machine::Store::Items::const_iterator some_place(const machine::Store::Items& items, Prng& prng) {
  constexpr int kMostForks = 64;
  auto low = items.begin();
  auto end = items.end();  // of the branch
  for (int forks = 0; std::next(low) != end && forks < kMostForks; ++forks) {
    const std::string& first = low->first;
    const std::string& last = std::prev(end)->first;
    const auto fork = static_cast<size_t>(
        std::distance(first.begin(), std::mismatch(first.begin(), first.end(), last.begin(), last.end()).first));
    auto branch = low;
    auto branch_end = end;
    uint64_t branches = 0;
    for (auto at = low; at != end;) {
      // A key that ends here is a branch of its own.
      auto next = std::next(at);
      if (fork < at->first.size()) {
        std::string beyond = at->first.substr(0, fork + 1);
        const auto byte = static_cast<uint8_t>(beyond.back());
        beyond.back() = static_cast<char>(byte + 1);
        next = byte == static_cast<uint8_t>(last[fork]) ? end : items.lower_bound(beyond);
      }
      if (prng.below(++branches) == 0) {
        branch = at;
        branch_end = next;
      }
      at = next;
    }
    low = branch;
    end = branch_end;
  }
  return low;
}

}  // namespace

bool changed_since(const machine::Machine& machine, std::string_view key, uint64_t index) {
  if (machine.version() < 4) return true;
  if (const machine::Item* item = machine.find(key)) return machine.store().mod_index(*item) > index;
  if (index + 1 < machine.history().oldest().value) return true;
  const auto gone = machine.history().gone_at(key);
  return gone && gone->value > index;
}

Values look(const machine::Machine& machine, const GetKeys& get) {
  Values shown;
  size_t bytes = 0;
  for (const std::string& key : get.keys) {
    const machine::Item* item = machine.find(key);
    bytes += item == nullptr || !get.with_values ? 0 : item->value.size();
    if (bytes > kMaxBytesShown && !shown.items.empty()) {
      shown.items.clear();
      shown.refused = "the values of these keys have more than " + std::to_string(kMaxBytesShown) +
                      " bytes, which is too much for an answer: ask for them in parts";
      return shown;
    }
    shown.items.push_back(item);
  }
  return shown;
}

ShownKeys look(const machine::Machine& machine, const ListKeys& list) {
  ShownKeys shown;
  const machine::Store& store = machine.store();
  const auto& items = store.items();
  const bool from_prefix = list.after.empty() || list.after < list.prefix;
  auto at = from_prefix ? items.lower_bound(list.prefix) : items.upper_bound(list.after);
  const Millis stamp = machine.time_ms();
  const Millis now = machine.cluster_time_ms();
  const std::string* last = nullptr;
  size_t bytes = 0;
  for (size_t looked_at = 0; at != items.end(); ++at, ++looked_at) {
    const auto& [key, item] = *at;
    if (!key.starts_with(list.prefix) || (!list.end.empty() && key >= list.end)) break;
    const bool over = store.is_over(item, stamp, now);
    const size_t size = key.size() + (list.names_only ? 0 : item.value.size());
    const bool full =
        !over && (shown.items.size() == list.limit || (!shown.items.empty() && bytes + size > kMaxBytesShown));
    if (full || looked_at == list.limit + kMaxKeysLookedAt) {
      shown.next = *last;
      break;
    }
    last = &key;
    if (over) continue;
    bytes += size;
    shown.items.push_back(&*at);
  }
  return shown;
}

// Looks from several places on, as keys that are over and not removed yet may lie in long rows.
Value look(const machine::Machine& machine, const PickKey& pick) {
  const machine::Store& store = machine.store();
  const auto& items = store.items();
  if (items.empty()) return {};
  const Millis stamp = machine.time_ms();
  const Millis now = machine.cluster_time_ms();
  Prng prng(pick.seed);
  for (size_t place = 0; place < kPlacesToPick; ++place) {
    auto at = some_place(items, prng);
    for (size_t looked_at = 0; looked_at < kMaxKeysLookedAt / 2; ++looked_at) {
      if (!store.is_over(at->second, stamp, now)) return {at->first, &at->second};
      if (++at == items.end()) at = items.begin();
    }
  }
  // Nearly all are over: the next that will be.
  const auto next = store.dues().lower_bound({now + 1, std::string_view()});
  if (next == store.dues().end()) return {};
  const auto at = items.find(next->second);
  return store.is_over(at->second, stamp, now) ? Value{} : Value{at->first, &at->second};
}

ShownLeases look(const machine::Machine& machine, const ShowLease& show) {
  ShownLeases shown;
  if (machine.find_lease(show.id) == nullptr) return shown;
  shown.leases.push_back(&*machine.store().leases().find(show.id));
  const auto& keys = shown.leases[0]->second.keys;
  size_t bytes = 0;
  std::string_view last;
  size_t looked_at = 0;
  for (auto at = keys.upper_bound(show.after); at != keys.end(); ++at, ++looked_at) {
    if (looked_at == kMaxListed || bytes > kMaxLeaseBytesShown) {
      shown.next_key = last;
      break;
    }
    last = *at;
    if (machine.find(*at) == nullptr) continue;
    bytes += at->size();
    shown.keys.push_back(*at);
  }
  return shown;
}

ShownLeases look(const machine::Machine& machine, const ListLeases& list) {
  ShownLeases shown;
  const auto& leases = machine.store().leases();
  size_t looked_at = 0;
  uint64_t last = 0;
  for (auto at = leases.upper_bound(list.after); at != leases.end(); ++at, ++looked_at) {
    const bool there = machine.find_lease(at->first) != nullptr;
    if ((there && shown.leases.size() == list.limit) || looked_at == list.limit + kMaxKeysLookedAt) {
      shown.next = last;
      break;
    }
    last = at->first;
    if (there) shown.leases.push_back(&*at);
  }
  return shown;
}

std::optional<Refusal> check_watch(const machine::Machine& machine, const WatchKeys& watch) {
  if (!watch.from) return std::nullopt;
  const uint64_t oldest = machine.history().oldest().value;
  const uint64_t next = machine.applied().value + 1;
  if (*watch.from > next)
    return malformed("the index " + std::to_string(*watch.from) + " lies in the future: the next one is " +
                     std::to_string(next));
  if (*watch.from < oldest)
    return Refusal{.kind = RefusalKind::gone,
                   .sentence = "the changes of index " + std::to_string(*watch.from) +
                               " are not kept here any more: the oldest are of index " + std::to_string(oldest) +
                               "; list the keys, then watch from there (or watch with &initial)",
                   .index = machine.applied(),
                   .oldest = oldest};
  return std::nullopt;
}

std::optional<Refusal> bad_key(std::string_view key) {
  if (key.empty()) return malformed("a key must not be empty");
  if (key.size() > machine::kMaxKeyBytes)
    return malformed("a key has at most " + std::to_string(machine::kMaxKeyBytes) + " bytes");
  return std::nullopt;
}

}  // namespace wh::api
