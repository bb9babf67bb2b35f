// Commands about the cluster as a whole, with their bounds, as of version 2. The leader proposes the first two by
// itself. As bytes: command.h.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "machine/command/traits.h"

namespace wh::machine {

inline constexpr size_t kDuePerEntry = 1'000;  // items that one Due ends, at most
inline constexpr size_t kMaxSettings = 64;     // in one PutSettings

// Ends what is due by this entry's stamp, the oldest first, at most kDuePerEntry items. When nothing is due, the entry
// only carries its stamp, the time.
struct Due {
  static constexpr CommandTraits kTraits{.kind = 5, .since = 2, .leaders_own = true};
  friend bool operator==(const Due&, const Due&) = default;
};
// Brings cluster time forward to this, in ms since 1970; never backward.
struct AdvanceTime {
  static constexpr CommandTraits kTraits{.kind = 6, .since = 2, .leaders_own = true};
  Millis to_ms = 0;
  friend bool operator==(const AdvanceTime&, const AdvanceTime&) = default;
};
// Changes the named settings of the cluster (machine/settings.h), all or none.
struct PutSettings {
  static constexpr CommandTraits kTraits{.kind = 7, .since = 2};
  std::vector<std::pair<std::string_view, uint64_t>> values;
  friend bool operator==(const PutSettings&, const PutSettings&) = default;
};

// As in store_commands.h.
size_t encoded_size(const Due& due);
size_t encoded_size(const AdvanceTime& advance);
size_t encoded_size(const PutSettings& put);
void encode(const Due& due, Writer& out);
void encode(const AdvanceTime& advance, Writer& out);
void encode(const PutSettings& put, Writer& out);
void decode(Reader& in, Due& due);
void decode(Reader& in, AdvanceTime& advance);
void decode(Reader& in, PutSettings& put);
Status check_bounds(const Due& due, ClusterVersion version);
Status check_bounds(const AdvanceTime& advance, ClusterVersion version);
Status check_bounds(const PutSettings& put, ClusterVersion version);

}  // namespace wh::machine
