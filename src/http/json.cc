#include "http/json.h"

#include <algorithm>
#include <cstring>

#include <simdjson.h>

#include "base/assert.h"
#include "base/base64.h"
#include "base/hex.h"
#include "base/utf8.h"
#include "http/shown.h"

namespace wh::http {

namespace {

// Above this size the parser's buffers, several times the size of the text, are freed after use.
constexpr size_t kKeptCapacity = 64 * 1024;

Error parse_error(simdjson::error_code code) {
  switch (code) {
    case simdjson::DEPTH_ERROR:
      return {"The JSON is nested too deep"};
    case simdjson::UTF8_ERROR:
      return {"The JSON is not valid UTF-8"};
    case simdjson::MEMALLOC:
    case simdjson::CAPACITY:
      return {"The JSON is too large"};
    case simdjson::EMPTY:
      return {"The body must be JSON, and is empty"};
    default:
      return {"The body is not valid JSON"};
  }
}

// The first name that occurs twice, or nothing. Sorts instead of comparing pairs: a body may hold 100,000 names.
std::optional<std::string_view> repeated_name(const StringPairs& pairs) {
  std::vector<std::string_view> names;
  names.reserve(pairs.size());
  for (const auto& [name, value] : pairs) names.emplace_back(name);
  std::sort(names.begin(), names.end());
  const auto found = std::adjacent_find(names.begin(), names.end());
  return found == names.end() ? std::nullopt : std::optional(*found);
}

Result<StringPairs> collect(const simdjson::dom::element& root, bool numbers_too) {
  simdjson::dom::object object;
  if (root.get_object().get(object) != simdjson::SUCCESS) return Error{"The body must be a JSON object"};
  StringPairs pairs;
  for (const simdjson::dom::key_value_pair field : object) {
    std::string_view value;
    uint64_t number = 0;
    if (numbers_too && field.value.get_uint64().get(number) == simdjson::SUCCESS) {
      pairs.emplace_back(std::string(field.key), std::to_string(number));
      continue;
    }
    if (field.value.get_string().get(value) != simdjson::SUCCESS)
      return Error{"The value of " + shown(field.key) + " must be a string" +
                   (numbers_too ? ", or a whole number" : "")};
    pairs.emplace_back(std::string(field.key), std::string(value));
  }
  if (const auto name = repeated_name(pairs)) return Error{"The name " + shown(*name) + " is given twice"};
  return pairs;
}

// What `use` makes of the parsed text, or the error of the parser.
template <typename Use>
auto with_parsed(std::string_view text, const Use& use) -> decltype(use(simdjson::dom::element())) {
  // One parser, kept for its buffers: only the loop's thread reads JSON.
  static thread_local simdjson::dom::parser parser;
  if (parser.max_depth() != kJsonDepth || parser.capacity() < text.size()) {
    if (parser.allocate(std::max<size_t>(text.size(), 4096), kJsonDepth) != simdjson::SUCCESS)
      return Error{"The JSON is too large"};
  }
  // simdjson 3.0 refuses a byte order mark, 3.12 skips it (RFC 8259 8.1 permits both).
  if (text.starts_with("\xef\xbb\xbf")) return Error{"The body is not valid JSON"};
  simdjson::dom::element root;
  const simdjson::error_code code = parser.parse(text.data(), text.size()).get(root);
  auto result = code == simdjson::SUCCESS ? use(root) : decltype(use(root))(parse_error(code));
  if (parser.capacity() > kKeptCapacity) parser = simdjson::dom::parser();
  return result;
}

}  // namespace

Result<StringPairs> parse_json_strings(std::string_view text, bool numbers_too) {
  return with_parsed(text, [&](const simdjson::dom::element& root) { return collect(root, numbers_too); });
}

Status check_json(std::string_view text) {
  return with_parsed(text, [](const simdjson::dom::element&) { return ok_status(); });
}

// Whether the character needs no escape in a JSON string.
static bool is_plain(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte != '"' && byte != '\\' && byte != 0x7f;
}

// Whether all eight bytes are ASCII, and plain: subtracting n from a byte below n sets its highest bit.
static bool eight_are_plain(const char* at) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  constexpr uint64_t kHigh = 0x80 * kOnes;
  uint64_t bytes = 0;
  std::memcpy(&bytes, at, sizeof bytes);
  uint64_t found = bytes | (bytes - 0x20 * kOnes);
  for (const uint64_t c : {uint64_t{'"'}, uint64_t{'\\'}, uint64_t{0x7f}}) found |= (bytes ^ (c * kOnes)) - kOnes;
  return (found & kHigh) == 0;
}

// Whether all characters are ASCII, and plain. Most names and values are, and many need no other check.
static bool all_plain(std::string_view text) {
  constexpr size_t kStep = sizeof(uint64_t);
  if (text.size() < kStep)
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return is_plain(c) && static_cast<unsigned char>(c) < 0x80; });
  for (size_t at = 0; at + kStep < text.size(); at += kStep)
    if (!eight_are_plain(text.data() + at)) return false;
  return eight_are_plain(text.data() + text.size() - kStep);
}

// Copies what needs no escape in whole runs: a value may be a megabyte.
static void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); at != end; ++at) {
    const char* const run = at;
    while (at != end && is_plain(*at)) ++at;
    out.append(run, at);
    if (at == end) break;
    const char c = *at;
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else {
      out += "\\u00";
      append_hex(out, byte);
    }
  }
  out += '"';
}

std::optional<std::string> json_quote(std::string_view text) {
  if (!is_utf8(text)) return std::nullopt;
  std::string out;
  out.reserve(text.size() + 2);
  append_json_string(out, text);
  return out;
}

void JsonWriter::separate() {
  if (after_key_) {
    after_key_ = false;
    return;
  }
  WH_ASSERT(open_.empty() || open_.back() == ']', "a member of an object needs a key");
  WH_ASSERT(!open_.empty() || out_.empty(), "one value only");
  if (!first_) out_ += ',';
  first_ = false;
}

void JsonWriter::append_quoted(std::string_view text) {
  if (all_plain(text)) {
    out_ += '"';
    out_ += text;
    out_ += '"';
    return;
  }
  const bool good = is_utf8(text);
  ok_ = ok_ && good;
  append_json_string(out_, good ? text : std::string_view());
}

JsonWriter& JsonWriter::open(char begin, char end) {
  separate();
  out_ += begin;
  open_ += end;
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::close(char end) {
  WH_ASSERT(!open_.empty() && open_.back() == end && !after_key_, "brackets nest");
  out_ += end;
  open_.pop_back();
  first_ = false;
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  WH_ASSERT(!open_.empty() && open_.back() == '}' && !after_key_, "a key stands in an object");
  if (!first_) out_ += ',';
  first_ = false;
  append_quoted(name);
  out_ += ':';
  after_key_ = true;
  return *this;
}

JsonWriter& JsonWriter::string(std::string_view value) {
  separate();
  append_quoted(value);
  return *this;
}

JsonWriter& JsonWriter::number(uint64_t value) {
  separate();
  out_ += std::to_string(value);
  return *this;
}

JsonWriter& JsonWriter::boolean(bool value) {
  separate();
  out_ += value ? "true" : "false";
  return *this;
}

JsonWriter& JsonWriter::null() {
  separate();
  out_ += "null";
  return *this;
}

JsonWriter& JsonWriter::raw(std::string_view json) {
  separate();
  out_ += json;
  return *this;
}

JsonWriter& JsonWriter::base64(std::string_view bytes) {
  separate();
  out_ += '"';
  append_base64(out_, bytes);
  out_ += '"';
  return *this;
}

std::string JsonWriter::take() {
  WH_ASSERT(open_.empty() && !out_.empty(), "the value is closed");
  return std::move(out_);
}

}  // namespace wh::http
