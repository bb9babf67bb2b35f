// The settings of a queue (CONTRACT, Queues): one table of their names, ranges and defaults, for commands, snapshots
// and the API. A queue keeps only those that were set; the others follow the cluster's settings. Values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "machine/command/queue_commands.h"
#include "machine/settings.h"

namespace wh::machine {

enum class Overflow : uint8_t { refuse = 0, drop_oldest = 1 };
enum class OnExpiry : uint8_t { drop = 0, dead_letter = 1 };

// Their numbers in the log and in snapshots: never given twice.
enum class QueueSetting : uint8_t {
  visibility_timeout = 0,
  max_deliveries = 1,
  delay = 2,
  max_length = 3,
  max_bytes = 4,
  ttl = 5,
  dedup_window = 6,
  overflow = 7,
  on_expiry = 8,
  dead_letter_queue = 9,
  backoff = 10,
};
inline constexpr size_t kQueueNumbers = 9;  // those before dead_letter_queue
inline constexpr size_t kQueueSettingCount = 11;

struct QueueSettingRow {
  std::string_view name;
  QueueSetting setting;
  SettingUnit unit;
  uint64_t min;
  uint64_t max;
  uint64_t Settings::*by_default;  // of the cluster; null: 0
  std::array<std::string_view, 2> choices{};
};

inline constexpr std::array<QueueSettingRow, kQueueNumbers> kQueueSettings{{
    {"visibility_timeout", QueueSetting::visibility_timeout, SettingUnit::milliseconds, kMinVisibilityMs,
     kMaxVisibilityMs, &Settings::default_visibility_timeout},
    {"max_deliveries", QueueSetting::max_deliveries, SettingUnit::count, 0, 1'000'000,
     &Settings::default_max_deliveries},
    {"delay", QueueSetting::delay, SettingUnit::milliseconds, 0, kMaxDelayMs, &Settings::default_delay},
    {"max_length", QueueSetting::max_length, SettingUnit::count, 0, uint64_t{1} << 40, &Settings::default_max_length},
    {"max_bytes", QueueSetting::max_bytes, SettingUnit::bytes, 0, uint64_t{1} << 50, &Settings::default_max_bytes},
    {"ttl", QueueSetting::ttl, SettingUnit::milliseconds, 0, kMaxDelayMs, &Settings::default_ttl},
    {"dedup_window", QueueSetting::dedup_window, SettingUnit::milliseconds, 1'000, 7 * 86'400'000ULL,
     &Settings::dedup_window},
    {"overflow", QueueSetting::overflow, SettingUnit::choice, 0, 1, &Settings::default_overflow, kOverflowChoices},
    {"on_expiry", QueueSetting::on_expiry, SettingUnit::choice, 0, 1, &Settings::default_on_expiry, kOnExpiryChoices},
}};

// Those that were set on one queue.
struct OwnQueueSettings {
  std::array<std::optional<uint64_t>, kQueueNumbers> numbers{};
  std::optional<std::string> dead_letter_queue;  // "": none
  std::optional<std::vector<Millis>> backoff;
  friend bool operator==(const OwnQueueSettings&, const OwnQueueSettings&) = default;

  // True if that changed anything.
  bool apply(const QueueSettingChange& change);
};

// Nullptr for an unknown name, and for dead_letter_queue and backoff.
const QueueSettingRow* find_queue_setting(std::string_view name);
// All names, for a sentence.
std::string queue_setting_names();

// The bounds of one change; the error names the setting and its range.
Status check_queue_setting(const QueueSettingChange& change, ClusterVersion version);

void encode_queue_settings(const OwnQueueSettings& settings, Writer& out);
// Fails the reader for bytes that encode_queue_settings() did not write.
void decode_queue_settings(Reader& in, OwnQueueSettings& settings);

}  // namespace wh::machine
