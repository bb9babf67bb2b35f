#include "machine/queue/queue_settings.h"

#include <algorithm>

namespace wh::machine {
namespace {

std::string in_unit(const QueueSettingRow& row, uint64_t value) {
  const std::string text = std::to_string(value);
  return row.unit == SettingUnit::milliseconds ? text + "ms" : text;
}

// For the error about a value of the setting.
std::string range_of(const QueueSettingRow& row) {
  if (row.unit == SettingUnit::choice) return std::string(row.choices[0]) + " or " + std::string(row.choices[1]);
  return in_unit(row, row.min) + " to " + in_unit(row, row.max);
}

}  // namespace

bool OwnQueueSettings::apply(const QueueSettingChange& change) {
  const OwnQueueSettings before = *this;
  if (change.setting < kQueueNumbers)
    numbers[change.setting] = change.reset ? std::nullopt : std::optional(change.number);
  else if (change.setting == static_cast<uint8_t>(QueueSetting::dead_letter_queue))
    dead_letter_queue = change.reset ? std::nullopt : std::optional(std::string(change.name));
  else if (change.setting == static_cast<uint8_t>(QueueSetting::backoff))
    backoff = change.reset ? std::nullopt : std::optional(change.delays);
  return !(before == *this);
}

const QueueSettingRow* find_queue_setting(std::string_view name) {
  const auto* at = std::find_if(kQueueSettings.begin(), kQueueSettings.end(),
                                [&](const QueueSettingRow& row) { return row.name == name; });
  return at == kQueueSettings.end() ? nullptr : at;
}

std::string queue_setting_names() {
  std::string names;
  for (const QueueSettingRow& row : kQueueSettings) names += std::string(row.name) + ", ";
  return names + "dead_letter_queue and backoff";
}

Status check_queue_setting(const QueueSettingChange& change, ClusterVersion /*version*/) {
  if (change.setting >= kQueueSettingCount) return Error{"there is no such setting of a queue"};
  const bool is_name = change.setting == static_cast<uint8_t>(QueueSetting::dead_letter_queue);
  const bool is_backoff = change.setting == static_cast<uint8_t>(QueueSetting::backoff);
  if ((!is_name && !change.name.empty()) || (!is_backoff && !change.delays.empty()) ||
      ((is_name || is_backoff) && change.number != 0))
    return Error{"a setting of a queue has a value of another kind"};
  if (change.reset)
    return change.number == 0 && change.name.empty() && change.delays.empty()
               ? ok_status()
               : Status(Error{"a setting that goes back to its default has no value"});
  if (is_name) {
    if (change.name.empty() || (is_queue_name_size(change.name) && is_path_name(change.name))) return ok_status();
    return Error{"dead_letter_queue is a queue's name, or empty"};
  }
  if (is_backoff) {
    if (change.delays.size() > kMaxBackoff)
      return Error{"backoff has at most " + std::to_string(kMaxBackoff) + " delays"};
    for (const Millis delay : change.delays)
      if (delay > kMaxDelayMs) return Error{"backoff: a delay is at most ten years"};
    return ok_status();
  }
  const QueueSettingRow& row = kQueueSettings[change.setting];
  if (change.number < row.min || change.number > row.max) return Error{std::string(row.name) + " is " + range_of(row)};
  return ok_status();
}

// A bit for each setting that is there, then their values in order.
void encode_queue_settings(const OwnQueueSettings& settings, Writer& out) {
  uint16_t there = 0;
  for (size_t i = 0; i < kQueueNumbers; ++i)
    if (settings.numbers[i]) there = static_cast<uint16_t>(there | (1U << i));
  if (settings.dead_letter_queue)
    there = static_cast<uint16_t>(there | (1U << static_cast<unsigned>(QueueSetting::dead_letter_queue)));
  if (settings.backoff) there = static_cast<uint16_t>(there | (1U << static_cast<unsigned>(QueueSetting::backoff)));
  out.u16(there);
  for (const auto& number : settings.numbers)
    if (number) out.u64(*number);
  if (settings.dead_letter_queue) out.bytes(*settings.dead_letter_queue);
  if (settings.backoff) {
    out.u8(static_cast<uint8_t>(settings.backoff->size()));
    for (const Millis delay : *settings.backoff) out.u64(delay);
  }
}

void decode_queue_settings(Reader& in, OwnQueueSettings& settings) {
  const uint16_t there = in.u16();
  if (there >= 1U << kQueueSettingCount) in.fail();
  const auto has = [&](size_t setting) { return in.ok() && (there & (1U << setting)) != 0; };
  const auto take = [&](const QueueSettingChange& change) {
    if (in.ok() && check_queue_setting(change, kLatestVersion))
      (void)settings.apply(change);
    else
      in.fail();
  };
  for (size_t i = 0; i < kQueueNumbers; ++i)
    if (has(i)) take({.setting = static_cast<uint8_t>(i), .number = in.u64()});
  const auto name = static_cast<uint8_t>(QueueSetting::dead_letter_queue);
  if (has(name)) take({.setting = name, .name = in.bytes()});
  const auto backoff = static_cast<uint8_t>(QueueSetting::backoff);
  if (!has(backoff)) return;
  QueueSettingChange change{.setting = backoff};
  const uint8_t count = in.u8();
  if (count > kMaxBackoff) in.fail();
  for (uint8_t i = 0; in.ok() && i < count; ++i) change.delays.push_back(in.u64());
  take(change);
}

}  // namespace wh::machine
