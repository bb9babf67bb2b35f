#include "base/duration.h"

#include <charconv>
#include <utility>

namespace wh {

std::optional<Millis> parse_duration(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  constexpr std::pair<std::string_view, Millis> kUnits[] = {{"", 1000},    {"ms", 1},        {"s", 1000},
                                                            {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
  const std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
  for (const auto& [name, ms] : kUnits)
    if (unit == name) return number <= kLongestDuration / ms ? std::optional(number * ms) : std::nullopt;
  return std::nullopt;
}

std::string format_duration(Millis ms) {
  constexpr std::pair<const char*, Millis> kLargestFirst[] = {
      {"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}};
  for (const auto& [name, unit] : kLargestFirst)
    if (ms >= unit && ms % unit == 0) return std::to_string(ms / unit) + name;
  return std::to_string(ms) + "ms";
}

}  // namespace wh
