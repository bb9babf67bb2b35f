// A request as it was read: values only. Made by RequestParser, handled by the server's routes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace wh::http {

enum class Method : uint8_t { get, head, post, put, del, options };

// "GET", ...
[[nodiscard]] std::string_view method_name(Method method);

// Compares as RFC 9110 5.1 compares field names, hosts, schemes and codings. ASCII only.
[[nodiscard]] constexpr bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
  for (size_t i = 0; i < a.size(); ++i)
    if (a[i] != b[i] && lower(a[i]) != lower(b[i])) return false;
  return true;
}

struct Header {
  std::string name;
  std::string value;  // without surrounding SP and HT; may hold bytes above 127, but of control bytes only HT
};

struct Request {
  Method method = Method::get;
  int minor_version = 1;             // HTTP/1.0 or HTTP/1.1
  std::string target;                // as sent
  std::string path;                  // the target's path, still encoded: begins with '/', or is "*" (OPTIONS only)
  std::string query;                 // still encoded, without the '?'; empty when there is none
  std::string host;                  // the authority asked for: an absolute target's, else Host; empty without both
  std::vector<Header> headers;       // in the order sent
  std::string body;                  // decoded; empty until the request is complete
  bool has_body = false;             // a body of at least one byte, or a chunked one, follows the header section
  bool keep_alive = true;            // the client wants to use the connection again
  bool expects_continue = false;     // waits for 100 before it sends its body
  bool unknown_expectation = false;  // expects something else (Expect): 417

  // Set by the handler in check_headers for its later calls: its number of the route, and the path's parameters.
  int route = -1;
  std::vector<std::string> route_params;

  // The value of the first field with this name, or nullptr. Host, Content-Type, Content-Length, Transfer-Encoding,
  // Authorization, Origin, Sec-Fetch-Site, Expect and If-Match occur at most once.
  [[nodiscard]] const std::string* header(std::string_view name) const;
};

}  // namespace wh::http
