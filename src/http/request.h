// A request as it was read: values only, made by RequestParser, judged by the server's routes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace wh::http {

enum class Method : uint8_t { get, head, post, put, del, options };

// "GET", ...
[[nodiscard]] std::string_view method_name(Method method);

// RFC 9110 5.1: field names, hosts, schemes and codings compare so. ASCII only.
[[nodiscard]] bool equals_ignoring_case(std::string_view a, std::string_view b);

struct Header {
  std::string name;
  std::string value;  // without surrounding SP and HT; bytes above 127 may stand in it, control bytes other than HT not
};

struct Request {
  Method method = Method::get;
  int minor_version = 1;        // HTTP/1.0 or HTTP/1.1
  std::string target;           // as sent
  std::string path;             // the target's path, still encoded: begins with '/', or is "*" (OPTIONS only)
  std::string query;            // still encoded, without the '?'; empty when there is none
  std::string host;             // the authority that was asked for: an absolute target's, else Host; empty without both
  std::vector<Header> headers;  // in the order sent
  std::string body;             // decoded; empty until the request is complete
  bool has_body = false;        // a body of at least one byte, or a chunked one, follows the header section
  bool keep_alive = true;       // the client would use the connection again
  bool expects_continue = false;     // waits for 100 before it sends its body
  bool unknown_expectation = false;  // wants something else by Expect: 417

  // The handler's own, noted in check_headers for what follows: its number of the route, and the path's parameters.
  int route = -1;
  std::vector<std::string> route_params;

  // The value of the first field of this name, or nullptr. Of Host, Content-Type, Content-Length, Transfer-Encoding,
  // Authorization, Origin, Sec-Fetch-Site and Expect there is never a second one.
  [[nodiscard]] const std::string* header(std::string_view name) const;
};

}  // namespace wh::http
