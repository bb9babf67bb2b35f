#include "machine/dedup/idempotency.h"

#include "base/assert.h"
#include "base/hash.h"

namespace wh::machine {
namespace {

constexpr uint64_t kIdempotencySeed = 0x6964656d706f7465;  // "idempote"

uint64_t size_of(const IdempotencyKeys::Item& item) {
  return IdempotencyKeys::kOverhead + item.first.size() + item.second.reply.size();
}

uint64_t digest_of(const IdempotencyKeys::Item& item) {
  const IdempotencyKeys::Answer& answer = item.second;
  const std::string_view fingerprint(reinterpret_cast<const char*>(answer.fingerprint.data()),
                                     answer.fingerprint.size());
  const uint64_t name = hash64(fingerprint, hash64(item.first, kIdempotencySeed));
  return hash64(answer.reply.view(), mix64(mix64(name, answer.index.value), answer.due));
}

}  // namespace

std::string IdempotencyKeys::name_of(std::string_view scope, std::string_view key) {
  std::string name;
  name.reserve(4 + scope.size() + key.size());
  Writer w(name);
  w.bytes(scope);
  w.raw(key);
  return name;
}

const IdempotencyKeys::Answer* IdempotencyKeys::find(std::string_view scope, std::string_view key) const {
  const auto at = by_name_.find(name_of(scope, key));
  return at == by_name_.end() ? nullptr : &at->second;
}

void IdempotencyKeys::add(std::string name, Answer answer) {
  const auto [at, added] = by_name_.emplace(std::move(name), std::move(answer));
  WH_ASSERT(added, "an answer is kept once");
  by_due_.emplace(at->second.due, &*at);
  by_age_.emplace(at->second.index, &*at);
  logical_bytes_ += size_of(*at);
  digest_ += digest_of(*at);
}

const IdempotencyKeys::Item* IdempotencyKeys::next_due(Millis now) const {
  return by_due_.empty() || by_due_.begin()->first > now ? nullptr : by_due_.begin()->second;
}

const IdempotencyKeys::Item* IdempotencyKeys::next_too_many(const Settings& settings) const {
  if (by_name_.size() <= settings.dedup_max_keys && logical_bytes_ <= settings.dedup_max_bytes) return nullptr;
  return by_age_.empty() ? nullptr : by_age_.begin()->second;
}

void IdempotencyKeys::remove(const Item& item) {
  logical_bytes_ -= size_of(item);
  digest_ -= digest_of(item);
  by_due_.erase({item.second.due, &item});
  by_age_.erase({item.second.index, &item});
  by_name_.erase(by_name_.find(item.first));
}

std::optional<size_t> IdempotencyKeys::free_one() {
  if (!by_due_.empty()) {
    by_due_.erase(by_due_.begin());
    return 0;
  }
  if (!by_age_.empty()) {
    by_age_.erase(by_age_.begin());
    return 0;
  }
  if (by_name_.empty()) return std::nullopt;
  const size_t size = by_name_.begin()->second.reply.size();
  by_name_.erase(by_name_.begin());
  return size;
}

}  // namespace wh::machine
