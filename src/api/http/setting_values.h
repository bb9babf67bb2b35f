// The values of settings, of the cluster and of queues, as requests and answers have them: numbers, sizes ("256mb"),
// durations ("10m"), names. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/json.h"
#include "machine/settings.h"

namespace wh::api {

using Choices = std::array<std::string_view, 2>;

// Nothing for text that is no such value; its range is not checked.
std::optional<uint64_t> parse_setting(machine::SettingUnit unit, const Choices& choices, std::string_view text);
std::string format_setting(machine::SettingUnit unit, const Choices& choices, uint64_t value);
// "from 1s to 12h", "refuse or drop_oldest"
std::string setting_range(machine::SettingUnit unit, const Choices& choices, uint64_t least, uint64_t most);
void write_setting(http::JsonWriter& json, machine::SettingUnit unit, const Choices& choices, uint64_t value);

}  // namespace wh::api
