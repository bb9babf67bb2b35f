// Commands on the key-value store, with their bounds. As bytes: command.h.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "machine/command/traits.h"

namespace wh::machine {

inline constexpr size_t kMaxKeyBytes = 4096;
inline constexpr size_t kMaxValueBytes = size_t{4} << 20;  // for a value and for an event
inline constexpr size_t kMaxItems = 10'000;                // pairs of a Set, keys of a Delete

// 1 to kMaxKeyBytes.
Status check_key(std::string_view key);

// Sets all pairs in one step; when a key occurs twice, its last value counts.
struct Set {
  static constexpr CommandTraits kTraits{.kind = 1, .since = 1, .adds_data = true};
  std::vector<std::pair<std::string_view, std::string_view>> pairs;  // key, value
  friend bool operator==(const Set&, const Set&) = default;
};
// Removes the keys that exist.
struct Delete {
  static constexpr CommandTraits kTraits{.kind = 2, .since = 1};
  std::vector<std::string_view> keys;
  friend bool operator==(const Delete&, const Delete&) = default;
};

// Each command has these four: the size of the encoded body after its kind; its encoding; the body decoded from a
// reader, which fails on bad bytes; and the first bound that the body breaks in a cluster of that version.
size_t encoded_size(const Set& set);
size_t encoded_size(const Delete& del);
void encode(const Set& set, Writer& out);
void encode(const Delete& del, Writer& out);
void decode(Reader& in, Set& set);
void decode(Reader& in, Delete& del);
Status check_bounds(const Set& set, ClusterVersion version);
Status check_bounds(const Delete& del, ClusterVersion version);

}  // namespace wh::machine
