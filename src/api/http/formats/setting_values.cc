#include "api/http/formats/setting_values.h"

#include "base/duration.h"
#include "config/option_values.h"

namespace wh::api {

using machine::SettingUnit;

std::optional<uint64_t> parse_setting(SettingUnit unit, const Choices& choices, std::string_view text) {
  switch (unit) {
    case SettingUnit::milliseconds:
      return parse_duration(text);
    case SettingUnit::bytes:
      return config::parse_memory(text);
    case SettingUnit::choice:
      for (size_t i = 0; i < choices.size(); ++i)
        if (choices[i] == text) return i;
      return std::nullopt;
    case SettingUnit::count:
      break;
  }
  return config::parse_unsigned(text);
}

std::string format_setting(SettingUnit unit, const Choices& choices, uint64_t value) {
  if (unit == SettingUnit::choice) return std::string(choices.at(value));
  return unit == SettingUnit::milliseconds ? format_duration(value) : std::to_string(value);
}

std::string setting_range(SettingUnit unit, const Choices& choices, uint64_t least, uint64_t most) {
  if (unit == SettingUnit::choice) return std::string(choices[0]) + " or " + std::string(choices[1]);
  return "from " + format_setting(unit, choices, least) + " to " + format_setting(unit, choices, most);
}

void write_setting(http::JsonWriter& json, SettingUnit unit, const Choices& choices, uint64_t value) {
  if (unit == SettingUnit::milliseconds || unit == SettingUnit::choice)
    json.string(format_setting(unit, choices, value));
  else
    json.number(value);
}

}  // namespace wh::api
