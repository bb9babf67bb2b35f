// A second reader of requests, for comparison only: RFC 9112 in its strictest reading, for a whole buffer, written
// independently of the guards and of llhttp. Its only limit is 64-bit sizes.
#pragma once

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wh::http::test {

struct ReferenceRequest {
  std::string method;
  std::string target;
  int minor_version = 1;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  size_t end = 0;  // offset after its last byte
};

class ReferenceReader {
 public:
  explicit ReferenceReader(std::string_view all) : all_(all) {}

  // The next request; nothing when the rest is malformed or not all there.
  std::optional<ReferenceRequest> next() {
    ReferenceRequest request;
    if (all_.substr(at_, 2) == "\r\n") at_ += 2;
    std::string line;
    if (!take_line(line)) return std::nullopt;
    const size_t first = line.find(' ');
    const size_t last = line.rfind(' ');
    if (first == std::string::npos || first == 0 || last == first) return std::nullopt;
    request.method = line.substr(0, first);
    request.target = line.substr(first + 1, last - first - 1);
    const std::string version = line.substr(last + 1);
    if (version != "HTTP/1.1" && version != "HTTP/1.0") return std::nullopt;
    request.minor_version = version.back() - '0';
    if (!is_token(request.method) || request.target.empty()) return std::nullopt;
    for (const char c : request.target)
      if (c < '!' || c > '~') return std::nullopt;
    while (true) {
      if (!take_line(line)) return std::nullopt;
      if (line.empty()) break;
      const size_t colon = line.find(':');
      if (colon == std::string::npos || !is_token(line.substr(0, colon))) return std::nullopt;
      std::string value = line.substr(colon + 1);
      for (const char c : value)
        if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f) return std::nullopt;
      const size_t from = value.find_first_not_of(" \t");
      value = from == std::string::npos ? "" : value.substr(from, value.find_last_not_of(" \t") - from + 1);
      request.headers.emplace_back(line.substr(0, colon), value);
    }
    if (!take_body(request)) return std::nullopt;
    request.end = at_;
    return request;
  }

 private:
  static bool is_token(const std::string& text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
      return c > 0 && (std::isalnum(c) != 0 || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
    });
  }
  // A line without its CRLF; no other CR or LF may be in it.
  bool take_line(std::string& line) {
    const size_t end = all_.find("\r\n", at_);
    if (end == std::string_view::npos) return false;
    line = all_.substr(at_, end - at_);
    if (line.find_first_of("\r\n") != std::string::npos) return false;
    at_ = end + 2;
    return true;
  }
  static std::string lowered(std::string text) {
    for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return text;
  }
  bool take_body(ReferenceRequest& request) {
    std::vector<std::string> lengths;
    std::vector<std::string> codings;
    for (const auto& [name, value] : request.headers) {
      if (lowered(name) == "content-length") lengths.push_back(value);
      if (lowered(name) == "transfer-encoding") codings.push_back(lowered(value));
    }
    if (lengths.size() + codings.size() > 1) return false;
    if (!codings.empty()) return codings[0] == "chunked" && request.minor_version == 1 && take_chunks(request.body);
    uint64_t size = 0;
    if (!lengths.empty() && !read_number(lengths[0], 10, size)) return false;
    if (size > all_.size() - at_) return false;
    request.body = all_.substr(at_, size);
    at_ += size;
    return true;
  }
  static bool read_number(const std::string& text, uint64_t base, uint64_t& number) {
    if (text.empty() || text.size() > 40) return false;
    for (const char c : text) {
      const std::string_view digits = "0123456789abcdef";
      const size_t digit = digits.find(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
      if (digit == std::string_view::npos || digit >= base || number > (UINT64_MAX - digit) / base) return false;
      number = number * base + digit;
    }
    return true;
  }
  bool take_chunks(std::string& body) {
    while (true) {
      std::string line;
      if (!take_line(line)) return false;
      uint64_t size = 0;
      if (!read_number(line.substr(0, line.find(';')), 16, size)) return false;
      if (size == 0) return take_line(line) && line.empty();
      if (size > all_.size() - at_) return false;
      body += all_.substr(at_, size);
      at_ += size;
      if (all_.substr(at_, 2) != "\r\n") return false;
      at_ += 2;
    }
  }

  std::string_view all_;
  size_t at_ = 0;
};

}  // namespace wh::http::test
