// The cluster's settings: values on which all nodes must agree, so they are replicated instead of being directives
// (CONTRACT, Versions). One table holds their names, ranges and defaults for commands, snapshots and the API.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/cluster_version.h"

namespace wh::machine {

enum class SettingUnit : uint8_t { count, bytes, milliseconds, choice };

// The values of a choice, by number.
inline constexpr std::array<std::string_view, 2> kOverflowChoices{"refuse", "drop_oldest"};
inline constexpr std::array<std::string_view, 2> kOnExpiryChoices{"drop", "dead_letter"};

struct Settings {
  Millis dedup_window = 600'000;         // how long the first answer to an idempotency key is kept
  uint64_t dedup_max_keys = 1'000'000;   // how many are kept
  uint64_t dedup_max_bytes = 256 << 20;  // their memory limit
  uint64_t max_queues = 10'000;
  // Of a queue that sets no other (queue/queue_settings.h).
  Millis default_visibility_timeout = 30'000;
  uint64_t default_max_deliveries = 20;
  Millis default_delay = 0;
  uint64_t default_max_length = 0;
  uint64_t default_max_bytes = 0;
  Millis default_ttl = 0;
  uint64_t default_overflow = 0;
  uint64_t default_on_expiry = 0;
  uint64_t max_leases = 1'000'000;
  friend bool operator==(const Settings&, const Settings&) = default;
};

struct SettingRow {
  std::string_view name;
  uint64_t Settings::*value;
  SettingUnit unit;
  uint64_t min;
  uint64_t max;
  ClusterVersion since;                       // the cluster version that it came with; its range, once given, stays
  std::array<std::string_view, 2> choices{};  // of a choice
};

// Snapshots hold them in this order: append new ones at the end, by version.
inline constexpr std::array kSettings{
    SettingRow{"dedup_window", &Settings::dedup_window, SettingUnit::milliseconds, 1'000, 7 * 86'400'000ULL, 2},
    SettingRow{"dedup_max_keys", &Settings::dedup_max_keys, SettingUnit::count, 1, 100'000'000, 2},
    SettingRow{"dedup_max_bytes", &Settings::dedup_max_bytes, SettingUnit::bytes, 1 << 20, uint64_t{1} << 40, 2},
    SettingRow{"max_queues", &Settings::max_queues, SettingUnit::count, 1, 1'000'000, 3},
    SettingRow{"default_visibility_timeout", &Settings::default_visibility_timeout, SettingUnit::milliseconds, 1'000,
               12 * 3'600'000ULL, 3},
    SettingRow{"default_max_deliveries", &Settings::default_max_deliveries, SettingUnit::count, 0, 1'000'000, 3},
    SettingRow{"default_delay", &Settings::default_delay, SettingUnit::milliseconds, 0, 3'653 * 86'400'000ULL, 3},
    SettingRow{"default_max_length", &Settings::default_max_length, SettingUnit::count, 0, uint64_t{1} << 40, 3},
    SettingRow{"default_max_bytes", &Settings::default_max_bytes, SettingUnit::bytes, 0, uint64_t{1} << 50, 3},
    SettingRow{"default_ttl", &Settings::default_ttl, SettingUnit::milliseconds, 0, 3'653 * 86'400'000ULL, 3},
    SettingRow{"default_overflow", &Settings::default_overflow, SettingUnit::choice, 0, 1, 3, kOverflowChoices},
    SettingRow{"default_on_expiry", &Settings::default_on_expiry, SettingUnit::choice, 0, 1, 3, kOnExpiryChoices},
    SettingRow{"max_leases", &Settings::max_leases, SettingUnit::count, 0, 100'000'000, 4},
};

// Those that a cluster of that version has: in its state's digest, snapshots, backups and answers.
constexpr std::span<const SettingRow> settings_as_of(ClusterVersion version) {
  size_t count = 0;
  while (count < kSettings.size() && kSettings[count].since <= version) ++count;
  return {kSettings.data(), count};
}

static_assert(std::is_sorted(kSettings.begin(), kSettings.end(),
                             [](const SettingRow& a, const SettingRow& b) { return a.since < b.since; }),
              "a new setting comes behind those of earlier versions");
static_assert(settings_as_of(2).size() == 3,
              "a cluster of version 2 has three settings: later ones name a later version");
static_assert(settings_as_of(3).size() == 12,
              "a cluster of version 3 has twelve settings: later ones name a later version");
static_assert(settings_as_of(4).size() == 13,
              "a cluster of version 4 has thirteen settings: later ones name a later version");

// The settings as the answer to a change returns them.
inline std::string encode_settings(const Settings& settings, ClusterVersion version) {
  std::string out;
  Writer w(out);
  for (const SettingRow& row : settings_as_of(version)) w.u64(settings.*row.value);
  return out;
}
// Nothing for bytes that encode_settings() did not write. Those that a cluster of a lower version has not are as they
// are by default.
inline std::optional<Settings> decode_settings(std::string_view bytes) {
  Reader r(bytes);
  Settings settings;
  for (const SettingRow& row : kSettings)
    if (r.left() != 0) settings.*row.value = r.u64();
  return r.complete() ? std::optional(settings) : std::nullopt;
}

// Nullptr for an unknown name.
constexpr const SettingRow* find_setting(std::string_view name) {
  for (const SettingRow& row : kSettings)
    if (row.name == name) return &row;
  return nullptr;
}

}  // namespace wh::machine
