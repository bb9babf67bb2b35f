// The values of settings, of the cluster and of queues, as requests and answers have them: numbers, sizes ("256mb"),
// durations ("10m"), names. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "api/http/parameter.h"
#include "http/json.h"
#include "machine/settings.h"

namespace wh::api {

using Choices = std::array<std::string_view, 2>;

// Nothing for text that is no such value; its range is not checked.
std::optional<uint64_t> parse_setting(machine::SettingUnit unit, const Choices& choices, std::string_view text);
std::string format_setting(machine::SettingUnit unit, const Choices& choices, uint64_t value);
// "from 1s to 12h", "refuse or drop_oldest"
std::string setting_range(machine::SettingUnit unit, const Choices& choices, uint64_t least, uint64_t most);
// A setting as a member of a JSON object; `row`: machine::SettingRow, or machine::QueueSettingRow.
template <typename Row>
constexpr Parameter setting_parameter(const Row& row) {
  Parameter parameter{.name = row.name, .least = row.min, .most = row.max};
  switch (row.unit) {
    case machine::SettingUnit::milliseconds:
      parameter.type = ParameterType::duration;
      break;
    case machine::SettingUnit::bytes:
      parameter.type = ParameterType::size;
      break;
    case machine::SettingUnit::count:
      parameter.type = ParameterType::number;
      break;
    case machine::SettingUnit::choice:
      parameter.choices = {row.choices[0], row.choices[1]};
      break;
  }
  return parameter;
}
void write_setting(http::JsonWriter& json, machine::SettingUnit unit, const Choices& choices, uint64_t value);

}  // namespace wh::api
