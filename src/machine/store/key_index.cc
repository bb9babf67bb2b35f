#include "machine/store/key_index.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "base/hash.h"

namespace wh::machine {

// Two buckets, the less full of which takes the key, and what tells most keys of a bucket apart.
struct KeyIndex::Hash {
  uint32_t first = 0;
  uint32_t second = 0;
  uint8_t tag = 0;

  Hash() = default;
  explicit Hash(std::string_view key) {
    const uint64_t hash = hash64(key);
    first = static_cast<uint32_t>(hash);
    second = static_cast<uint32_t>(hash >> 32);
    tag = std::max<uint8_t>(static_cast<uint8_t>(hash >> 56), 1);
  }
};

// The buckets from buckets_ on, up to the next power of two, are not split off yet from those before.
size_t KeyIndex::number_of(uint32_t half) const {
  const size_t mask = std::bit_ceil(buckets_) - 1;
  const size_t number = half & mask;
  return number < buckets_ ? number : number & (mask >> 1);
}

KeyIndex::Bucket* KeyIndex::bucket_if_made(size_t number) const {
  const std::unique_ptr<Segment>& segment = segments_[number / kFewestBuckets];
  return segment ? &(*segment)[number % kFewestBuckets] : nullptr;
}

KeyIndex::Bucket& KeyIndex::bucket(size_t number) {
  std::unique_ptr<Segment>& segment = segments_[number / kFewestBuckets];
  if (!segment) segment = std::make_unique<Segment>();
  return (*segment)[number % kFewestBuckets];
}

std::optional<Items::iterator> KeyIndex::find(std::string_view key) const {
  if (size_ == left_out_ || is_to_come(key)) return std::nullopt;
  const Hash hash(key);
  for (const uint32_t half : {hash.first, hash.second}) {
    const Bucket* bucket = bucket_if_made(number_of(half));
    if (bucket == nullptr) continue;
    for (size_t i = 0; i < Bucket::kSlots; ++i)
      if (bucket->tags[i] == hash.tag && bucket->places[i]->first == key) return bucket->places[i];
  }
  return std::nullopt;
}

void KeyIndex::insert(Items::iterator place) { insert(place, Hash(place->first)); }

void KeyIndex::insert(Items::iterator place, const Hash& hash) {
  Bucket& first = bucket(number_of(hash.first));
  Bucket& second = bucket(number_of(hash.second));
  Bucket& chosen = second.used < first.used ? second : first;
  if (chosen.used == Bucket::kSlots) {
    ++left_out_;
    return;
  }
  size_t slot = 0;
  while (chosen.tags[slot] != 0) ++slot;
  chosen.tags[slot] = hash.tag;
  chosen.places[slot] = place;
  ++chosen.used;
}

// Two of three places are taken, or less: then about one key in 50,000 is left out.
void KeyIndex::add(Items::iterator place) {
  if (segments_.empty()) {
    segments_.emplace_back();
    buckets_ = kFewestBuckets;
  }
  ++size_;
  for (size_t step = 0; step < kSteps && 4 * size_ > 19 * std::bit_floor(buckets_); ++step) split_one();
  if (is_to_come(place->first))
    ++left_out_;
  else
    insert(place);
}

void KeyIndex::leave_out() {
  ++size_;
  ++left_out_;
}

// As large as add() would have made it, so that no bucket is split for these keys: a split looks at each of its keys
// again. The buckets are made as keys come to them.
void KeyIndex::begin_adding(Items& items) {
  if (items.empty()) return;
  next_ = items.begin();
  while (buckets_ < kFewestBuckets || 4 * size_ > 19 * std::bit_floor(buckets_)) {
    segments_.emplace_back();
    buckets_ = segments_.size() * kFewestBuckets;
  }
}

// Most buckets are not in the processor's cache: those of a few keys are asked for before the first of them is used.
bool KeyIndex::add_some(Items& items, size_t keys) {
  constexpr size_t kAhead = 16;
  constexpr size_t kSegmentKeys = 40;  // making a segment takes as long as adding so many keys
  std::array<std::pair<Items::iterator, Hash>, kAhead> ahead;
  while (next_ && keys != 0) {
    size_t count = 0;
    for (; next_ && count < std::min(keys, kAhead); ++count) {
      const Items::iterator place = *next_;
      if (++*next_ == items.end()) next_.reset();
      ahead[count] = {place, Hash(place->first)};
      for (const uint32_t half : {ahead[count].second.first, ahead[count].second.second}) {
        const size_t number = number_of(half);
        if (bucket_if_made(number) == nullptr) keys -= std::min(keys - 1, kSegmentKeys);
        __builtin_prefetch(&bucket(number), 1);
      }
    }
    left_out_ -= count;
    for (size_t i = 0; i < count; ++i) insert(ahead[i].first, ahead[i].second);
    keys -= std::min(keys, count);
  }
  return next_.has_value();
}

void KeyIndex::remove(Items::iterator place, Items::iterator end) {
  if (next_ == place && ++*next_ == end) next_.reset();
  const Hash hash(place->first);
  bool found = false;
  for (const uint32_t half : {hash.first, hash.second}) {
    Bucket* bucket = buckets_ == 0 ? nullptr : bucket_if_made(number_of(half));
    for (size_t i = 0; bucket != nullptr && i < Bucket::kSlots && !found; ++i) {
      if (bucket->tags[i] == 0 || bucket->places[i] != place) continue;
      bucket->tags[i] = 0;
      --bucket->used;
      found = true;
    }
  }
  if (!found) --left_out_;
  --size_;
  // At half of what makes it grow, so that it does not do both in turn.
  for (size_t step = 0; step < kSteps && buckets_ > kFewestBuckets && 8 * size_ < 19 * std::bit_floor(buckets_ - 1);
       ++step)
    join_one();
}

// The new bucket takes its keys from the one whose number differs by the highest bit alone.
void KeyIndex::split_one() {
  Bucket& from = bucket(buckets_ - std::bit_floor(buckets_));
  if (buckets_ % kFewestBuckets == 0) segments_.emplace_back();
  Bucket& to = bucket(buckets_++);
  for (size_t i = 0; i < Bucket::kSlots; ++i) {
    if (from.tags[i] == 0) continue;
    const Hash hash(from.places[i]->first);
    Bucket* const first = &bucket(number_of(hash.first));
    Bucket* const second = &bucket(number_of(hash.second));
    if (first == &from || second == &from) continue;
    to.tags[i] = std::exchange(from.tags[i], 0);
    to.places[i] = from.places[i];
    ++to.used;
    --from.used;
  }
}

void KeyIndex::join_one() {
  Bucket* const made = bucket_if_made(--buckets_);
  // Emptied, as the next split makes it again.
  const Bucket last = made == nullptr ? Bucket{} : std::exchange(*made, Bucket{});
  if (buckets_ % kFewestBuckets == 0) segments_.pop_back();
  for (size_t i = 0; i < Bucket::kSlots; ++i)
    if (last.tags[i] != 0) insert(last.places[i]);
}

void KeyIndex::free_some() {
  if (!segments_.empty()) segments_.pop_back();
}

}  // namespace wh::machine
