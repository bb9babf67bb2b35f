#include "http/json_reader.h"

#include <algorithm>
#include <charconv>

#include "base/assert.h"
#include "base/escapes.h"
#include "http/json.h"
#include "http/shown.h"

namespace wh::http {
namespace {

// A position in a text that is JSON: nothing here can fail.
class Walk {
 public:
  explicit Walk(std::string_view text) : rest_(text) {}

  // The next character that is no blank; 0 at the end.
  char peek() {
    while (!rest_.empty() && (rest_[0] == ' ' || rest_[0] == '\t' || rest_[0] == '\n' || rest_[0] == '\r'))
      rest_.remove_prefix(1);
    return rest_.empty() ? '\0' : rest_.front();
  }
  void skip() { rest_.remove_prefix(std::min<size_t>(1, rest_.size())); }
  std::string_view value() {
    const char first = peek();
    const size_t size = first == '"' ? string_end(0) : first == '{' || first == '[' ? nest_size() : scalar_size();
    const std::string_view found = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return found;
  }

 private:
  [[nodiscard]] size_t string_end(size_t at) const {
    for (++at; at < rest_.size() && rest_[at] != '"'; ++at)
      if (rest_[at] == '\\') ++at;
    return std::min(at + 1, rest_.size());
  }
  [[nodiscard]] size_t nest_size() const {
    size_t depth = 0;
    for (size_t at = 0; at < rest_.size();) {
      const char c = rest_[at];
      if (c == '"') {
        at = string_end(at);
        continue;
      }
      ++at;
      if (c == '{' || c == '[') ++depth;
      if ((c == '}' || c == ']') && --depth == 0) return at;
    }
    return rest_.size();
  }
  [[nodiscard]] size_t scalar_size() const { return std::min(rest_.find_first_of(",]} \t\r\n"), rest_.size()); }

  std::string_view rest_;
};

void append_utf8(std::string& out, uint32_t point) {
  const auto put = [&out](uint32_t byte) { out += static_cast<char>(byte); };
  if (point < 0x80) return put(point);
  if (point < 0x800) {
    put(0xc0 | point >> 6);
  } else {
    if (point < 0x10000) {
      put(0xe0 | point >> 12);
    } else {
      put(0xf0 | point >> 18);
      put(0x80 | (point >> 12 & 63));
    }
    put(0x80 | (point >> 6 & 63));
  }
  put(0x80 | (point & 63));
}

uint32_t hex4(std::string_view text) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4 && i < text.size(); ++i) value = value << 4 | static_cast<uint32_t>(hex_digit(text[i]) & 15);
  return value;
}

// `text`: what stands between the quotes.
std::string unescape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\\') {
      out += text[at];
      continue;
    }
    const char what = ++at < text.size() ? text[at] : '\\';
    switch (what) {
      case 'u': {
        uint32_t point = hex4(text.substr(std::min(at + 1, text.size())));
        at += 4;
        if (point >= 0xd800 && point < 0xdc00) {
          point = 0x10000 + ((point & 0x3ff) << 10 | (hex4(text.substr(std::min(at + 3, text.size()))) & 0x3ff));
          at += 6;
        }
        append_utf8(out, point);
        break;
      }
      case 'b':
        out += '\b';
        break;
      case 'f':
        out += '\f';
        break;
      case 'n':
        out += '\n';
        break;
      case 'r':
        out += '\r';
        break;
      case 't':
        out += '\t';
        break;
      default:
        out += what;
    }
  }
  return out;
}

}  // namespace

JsonKind JsonValue::kind() const {
  switch (text_.front()) {
    case '"':
      return JsonKind::string;
    case '{':
      return JsonKind::object;
    case '[':
      return JsonKind::array;
    case 't':
    case 'f':
      return JsonKind::boolean;
    case 'n':
      return JsonKind::null;
    default:
      return JsonKind::number;
  }
}

bool JsonValue::boolean() const {
  WH_ASSERT(kind() == JsonKind::boolean, "it is a boolean");
  return text_.front() == 't';
}

std::string_view JsonValue::string(KeptStrings& kept) const {
  WH_ASSERT(kind() == JsonKind::string && text_.size() >= 2, "it is a string");
  const std::string_view inner = text_.substr(1, text_.size() - 2);
  if (inner.find('\\') == std::string_view::npos) return inner;
  return kept.emplace_back(unescape(inner));
}

std::vector<JsonValue> JsonValue::items() const {
  WH_ASSERT(kind() == JsonKind::array, "it is an array");
  std::vector<JsonValue> found;
  Walk walk(text_.substr(1));
  for (char next = walk.peek(); next != ']' && next != '\0'; next = walk.peek()) {
    if (next == ',')
      walk.skip();
    else
      found.emplace_back(walk.value());
  }
  return found;
}

Result<JsonMembers> JsonValue::members(KeptStrings& kept) const {
  WH_ASSERT(kind() == JsonKind::object, "it is an object");
  JsonMembers found;
  Walk walk(text_.substr(1));
  for (char next = walk.peek(); next != '}' && next != '\0'; next = walk.peek()) {
    if (next == ',') {
      walk.skip();
      continue;
    }
    const std::string_view name = JsonValue(walk.value()).string(kept);
    (void)walk.peek();
    walk.skip();  // the colon
    found.emplace_back(name, JsonValue(walk.value()));
  }
  std::vector<std::string_view> names;
  names.reserve(found.size());
  for (const auto& [name, value] : found) names.push_back(name);
  std::sort(names.begin(), names.end());
  if (const auto twice = std::adjacent_find(names.begin(), names.end()); twice != names.end())
    return Error{"The name " + shown(*twice) + " is given twice"};
  return found;
}

std::optional<uint64_t> JsonValue::number() const {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
  return error == std::errc() && end == text_.data() + text_.size() ? std::optional(value) : std::nullopt;
}

Result<JsonValue> parse_json(std::string_view text) {
  if (const Status good = check_json(text); !good) return Error{good.error()};
  return JsonValue(Walk(text).value());
}

}  // namespace wh::http
