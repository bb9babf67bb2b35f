#include "base/timestamp.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>

namespace wh {
namespace {

constexpr int64_t kDayMs = 86'400'000;

bool is_leap(int64_t year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

int64_t days_of_month(int64_t year, int64_t month) {
  constexpr std::array<int64_t, 12> kDays{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && is_leap(year) ? 29 : kDays.at(static_cast<size_t>(month - 1));
}

// Days from 1970-01-01 to the first day of a year.
int64_t days_before_year(int64_t year) {
  const int64_t before = year - 1;
  return 365 * (year - 1970) + (before / 4 - before / 100 + before / 400) - (1969 / 4 - 1969 / 100 + 1969 / 400);
}

// Takes so many digits from the front of `text`; -1 when others stand there.
int64_t take_digits(std::string_view& text, size_t count) {
  if (text.size() < count) return -1;
  int64_t number = 0;
  for (size_t i = 0; i < count; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    number = number * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  return number;
}

bool take_one_of(std::string_view& text, std::string_view characters) {
  if (text.empty() || characters.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

std::optional<Millis> parse_timestamp(std::string_view text) {
  const int64_t year = take_digits(text, 4);
  if (!take_one_of(text, "-")) return std::nullopt;
  const int64_t month = take_digits(text, 2);
  if (!take_one_of(text, "-")) return std::nullopt;
  const int64_t day = take_digits(text, 2);
  if (!take_one_of(text, "Tt")) return std::nullopt;
  const int64_t hour = take_digits(text, 2);
  if (!take_one_of(text, ":")) return std::nullopt;
  const int64_t minute = take_digits(text, 2);
  if (!take_one_of(text, ":")) return std::nullopt;
  const int64_t second = take_digits(text, 2);
  if (year < 0 || month < 1 || month > 12 || day < 1 || day > days_of_month(year, month)) return std::nullopt;
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) return std::nullopt;
  int64_t ms = 0;
  if (take_one_of(text, ".")) {
    const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    if (digits == 0) return std::nullopt;
    for (size_t i = 0; i < 3; ++i) ms = ms * 10 + (i < digits ? text[i] - '0' : 0);
    text.remove_prefix(digits);
  }
  int64_t offset = 0;
  if (!take_one_of(text, "Zz")) {
    const bool behind = !text.empty() && text.front() == '-';
    if (!take_one_of(text, "+-")) return std::nullopt;
    const int64_t hours = take_digits(text, 2);
    if (!take_one_of(text, ":")) return std::nullopt;
    const int64_t minutes = take_digits(text, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return std::nullopt;
    offset = (hours * 60 + minutes) * (behind ? -1 : 1);
  }
  if (!text.empty()) return std::nullopt;
  int64_t days = days_before_year(year) + day - 1;
  for (int64_t m = 1; m < month; ++m) days += days_of_month(year, m);
  const int64_t total = days * kDayMs + ((hour * 60 + minute - offset) * 60 + second) * 1'000 + ms;
  return total < 0 ? 0 : static_cast<Millis>(total);
}

std::string format_timestamp(Millis since_1970) {
  int64_t days = static_cast<int64_t>(since_1970 / kDayMs);
  const auto in_day = static_cast<int64_t>(since_1970 % kDayMs);
  int64_t year = 1970 + days / 366;  // at most the right one
  while (days_before_year(year + 1) <= days) ++year;
  days -= days_before_year(year);
  int64_t month = 1;
  for (; days >= days_of_month(year, month); ++month) days -= days_of_month(year, month);
  char text[64];
  const int size = std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", static_cast<int>(year),
                                 static_cast<int>(month), static_cast<int>(days + 1),
                                 static_cast<int>(in_day / 3'600'000), static_cast<int>(in_day / 60'000 % 60),
                                 static_cast<int>(in_day / 1'000 % 60), static_cast<int>(in_day % 1'000));
  return {text, static_cast<size_t>(size)};
}

}  // namespace wh
