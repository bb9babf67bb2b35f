#include "http/url.h"

#include <algorithm>

#include "base/escapes.h"
#include "http/request.h"
#include "http/shown.h"

namespace wh::http {

namespace {

// Of most paths: their list is made at once.
constexpr size_t kUsualSegments = 8;

Result<std::string> decode(std::string_view text, bool plus_is_space) {
  const auto stands_for_another = [plus_is_space](char c) { return c == '%' || (c == '+' && plus_is_space); };
  if (std::none_of(text.begin(), text.end(), stands_for_another)) return std::string(text);
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      const std::optional<char> byte = hex_byte(text.substr(i + 1));
      if (!byte) return Error{"A percent sign must be followed by two hexadecimal digits"};
      out += *byte;
      i += 2;
    }
  }
  return out;
}

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

}  // namespace

Result<std::string> percent_decode(std::string_view text) { return decode(text, false); }

std::string percent_encode(std::string_view bytes) { return percent_encode(bytes, is_unreserved); }

std::string percent_encode(std::string_view bytes, bool (*stays)(char)) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : bytes) {
    if (stays(c)) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  }
  return out;
}

Result<std::vector<std::string_view>> split_path(std::string_view path, std::list<std::string>& decoded) {
  if (path.empty() || path.front() != '/') return Error{"A path must begin with a slash"};
  std::vector<std::string_view> segments;
  segments.reserve(kUsualSegments);
  while (!path.empty()) {
    path.remove_prefix(1);
    std::string_view segment = path.substr(0, path.find('/'));
    path.remove_prefix(segment.size());
    if (segment.find('%') != std::string_view::npos) {
      Result<std::string> bytes = percent_decode(segment);
      if (!bytes) return Error{bytes.error()};
      segment = decoded.emplace_back(std::move(*bytes));
    }
    segments.push_back(segment);
  }
  return segments;
}

Result<std::vector<std::string>> split_path(std::string_view path) {
  std::list<std::string> decoded;
  const Result<std::vector<std::string_view>> segments = split_path(path, decoded);
  if (!segments) return Error{segments.error()};
  return std::vector<std::string>(segments->begin(), segments->end());
}

Result<Params> parse_form(std::string_view text) {
  Params params;
  while (!text.empty()) {
    const size_t end = std::min(text.find('&'), text.size());
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (pair.empty()) continue;
    if (params.size() == kMaxParams) return Error{"There are too many parameters"};
    const size_t equals = std::min(pair.find('='), pair.size());
    Result<std::string> name = decode(pair.substr(0, equals), true);
    if (!name) return Error{name.error()};
    Result<std::string> value = decode(pair.substr(std::min(equals + 1, pair.size())), true);
    if (!value) return Error{value.error()};
    if (name->empty()) return Error{"A parameter has no name"};
    if (find_param(params, *name) != nullptr) return Error{"The parameter " + shown(*name) + " is given twice"};
    params.emplace_back(std::move(*name), std::move(*value));
  }
  return params;
}

const std::string* find_param(const Params& params, std::string_view name) {
  for (const auto& [key, value] : params)
    if (key == name) return &value;
  return nullptr;
}

Result<std::string> canonical_target(std::string_view path, std::string_view query) {
  const Result<std::vector<std::string>> segments = split_path(path);
  if (!segments) return Error{segments.error()};
  std::string out;
  for (const std::string& segment : *segments) out += "/" + percent_encode(segment);
  // Two leading slashes would begin an authority (RFC 3986 4.2), that is, name another host.
  if (out.size() > 1 && out[1] == '/') return Error{"A path must not begin with two slashes"};
  const Result<Params> params = parse_form(query);
  if (!params) return Error{params.error()};
  char separator = '?';
  for (const auto& [name, value] : *params) {
    out += separator + percent_encode(name) + "=" + percent_encode(value);
    separator = '&';
  }
  return out;
}

bool is_media_type(std::string_view content_type, std::string_view media_type) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.remove_suffix(1);
  return equals_ignoring_case(type, media_type);
}

}  // namespace wh::http
