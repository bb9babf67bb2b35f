#include "api/http/params.h"

#include <algorithm>

#include "base/duration.h"
#include "base/timestamp.h"
#include "config/option_values.h"
#include "machine/command/queue_commands.h"

namespace wh::api {

namespace {

// Whether parse_duration() refused it for its number only.
bool is_too_long(std::string_view text) {
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  return digits != 0 && parse_duration("1" + std::string(text.substr(digits))).has_value();
}

}  // namespace

OrRefusal<uint64_t> number_param(const http::Params& query, const Parameter& parameter) {
  const std::string* text = http::find_param(query, parameter.name);
  if (text == nullptr) return parameter.standard.value_or(0);
  const std::optional<uint64_t> number = config::parse_unsigned(*text);
  if (number && *number >= parameter.least && *number <= parameter.most) return *number;
  return malformed(std::string(parameter.name) + " is a number from " + std::to_string(parameter.least) + " to " +
                   std::to_string(parameter.most));
}

OrRefusal<std::optional<Millis>> duration_param(const http::Params& query, const Parameter& parameter) {
  const std::string* text = http::find_param(query, parameter.name);
  if (text == nullptr) return std::optional<Millis>();
  const OrRefusal<Millis> duration = duration_in(parameter.name, *text, parameter.least, parameter.most);
  if (!duration) return duration.error();
  return std::optional(*duration);
}

OrRefusal<Millis> duration_in(std::string_view what, std::string_view text, Millis least, Millis most) {
  const std::optional<Millis> duration = parse_duration(text);
  if (!duration && !is_too_long(text))
    return malformed(std::string(what) + " is a number and ms, s, m, h or d, such as 500ms or 2s");
  if (!duration || *duration < least || *duration > most)
    return malformed(std::string(what) + " is from " + format_duration(least) + " to " + format_duration(most));
  return *duration;
}

OrRefusal<Millis> timestamp_in(std::string_view what, std::string_view text) {
  const std::optional<Millis> time = parse_timestamp(text);
  if (!time) {
    std::string with_plus(text);
    std::replace(with_plus.begin() + static_cast<std::ptrdiff_t>(std::min<size_t>(11, with_plus.size())),
                 with_plus.end(), ' ', '+');
    return malformed(
        std::string(what) + " is a time as RFC 3339 has it, such as 2026-11-30T18:00:00Z" +
        (parse_timestamp(with_plus) ? "; in a query, + stands for a blank and is itself written %2B" : ""));
  }
  if (*time > machine::kMaxTimeMs) return malformed(std::string(what) + " is at most the end of the year 9999");
  return *time;
}

}  // namespace wh::api
