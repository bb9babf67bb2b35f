#include "http/fields.h"

#include <algorithm>
#include <charconv>

#include "base/assert.h"

namespace wh::http {

namespace {

constexpr std::string_view kSeparator = ": ";
constexpr std::string_view kLineEnd = "\r\n";
// What the fields of most answers take: they then grow but once.
constexpr size_t kUsualBytes = 256;

// Appends the line, and returns where the value is.
char* append_line(std::string& out, std::string_view name, std::string_view value) {
  const size_t begin = out.size();
  out.resize(begin + name.size() + kSeparator.size() + value.size() + kLineEnd.size());
  char* const behind_name = std::copy(name.begin(), name.end(), out.data() + begin);
  char* const at = std::copy_n(kSeparator.data(), kSeparator.size(), behind_name);
  std::copy_n(kLineEnd.data(), kLineEnd.size(), std::copy(value.begin(), value.end(), at));
  return at;
}

}  // namespace

FieldName FieldName::of(std::string_view name) {
  WH_ASSERT(is_allowed(name), "the name of a field that may be added");
  return {name, Unchecked{}};
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  char* const at = append_line(out, name, value);
  // A value may hold bytes from a client (a name in a Location): none of them may end the line (HAZARDS H14).
  for (size_t i = bytes_before_control(value); i < value.size(); ++i)
    if (is_control(static_cast<unsigned char>(at[i])) && at[i] != '\t') at[i] = ' ';
}

void append_field(std::string& out, std::string_view name, uint64_t value) {
  char digits[20];
  append_line(out, name, std::string_view(digits, std::to_chars(digits, digits + sizeof digits, value).ptr));
}

void Fields::add(FieldName name, std::string_view value) {
  if (lines_.empty()) lines_.reserve(kUsualBytes);
  append_field(lines_, name.text(), value);
}

void Fields::add(FieldName name, uint64_t value) {
  if (lines_.empty()) lines_.reserve(kUsualBytes);
  append_field(lines_, name.text(), value);
}

void Fields::remove(FieldName name) {
  for (size_t at = 0; at < lines_.size();) {
    const size_t size = lines_.find(kLineEnd, at) + kLineEnd.size() - at;
    const std::string_view line = std::string_view(lines_).substr(at, size);
    if (line.starts_with(name.text()) && line.substr(name.text().size()).starts_with(kSeparator))
      lines_.erase(at, size);
    else
      at += size;
  }
}

std::vector<Header> Fields::list() const {
  std::vector<Header> fields;
  for (std::string_view left = lines_; !left.empty();) {
    const std::string_view line = left.substr(0, left.find(kLineEnd));
    const size_t colon = line.find(kSeparator);
    fields.push_back({std::string(line.substr(0, colon)), std::string(line.substr(colon + kSeparator.size()))});
    left.remove_prefix(line.size() + kLineEnd.size());
  }
  return fields;
}

}  // namespace wh::http
