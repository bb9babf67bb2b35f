#include "machine/store/store.h"

#include <utility>

#include "base/hash.h"

namespace wh::machine {
namespace {

constexpr uint64_t kKeySeed = 0x6b65797376616c73;  // "keysvals"

uint64_t digest_of(std::string_view key, const Bytes& value) { return hash64(value.view(), hash64(key, kKeySeed)); }

}  // namespace

std::optional<Store::Item> Store::set(std::string_view key, Bytes value, raft::Index now) {
  count_in(key, value);
  const auto at = items_.lower_bound(key);
  if (at != items_.end() && at->first == key) {
    Item old = std::exchange(at->second, Item{std::move(value), now});
    count_out(key, old.value);
    return old;
  }
  items_.emplace_hint(at, std::string(key), Item{std::move(value), now});
  return std::nullopt;
}

std::optional<Store::Item> Store::erase(std::string_view key) {
  const auto at = items_.find(key);
  if (at == items_.end()) return std::nullopt;
  Item old = std::move(at->second);
  items_.erase(at);
  count_out(key, old.value);
  return old;
}

bool Store::load(std::string_view key, Bytes value) {
  const size_t before = items_.size();
  const auto at = items_.emplace_hint(items_.end(), std::string(key), Item{std::move(value), raft::Index{}});
  if (items_.size() == before) return false;
  count_in(key, at->second.value);
  return true;
}

const Bytes* Store::get(std::string_view key) const {
  const auto at = items_.find(key);
  return at == items_.end() ? nullptr : &at->second.value;
}

std::optional<size_t> Store::free_one() {
  if (items_.empty()) return std::nullopt;
  const size_t size = items_.begin()->second.value.size();
  items_.erase(items_.begin());
  return size;
}

void Store::count_in(std::string_view key, const Bytes& value) {
  logical_bytes_ += key.size() + value.size() + kOverhead;
  digest_ += digest_of(key, value);
}

void Store::count_out(std::string_view key, const Bytes& value) {
  logical_bytes_ -= key.size() + value.size() + kOverhead;
  digest_ -= digest_of(key, value);
}

}  // namespace wh::machine
