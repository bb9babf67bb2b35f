#include "cli/endpoints.h"

#include <algorithm>
#include <cctype>

#include "base/endpoint.h"
#include "base/log.h"

namespace wh::cli {
namespace {

constexpr const char* kPassword =
    "an endpoint must not contain a password, as others can read command lines: use --password-file or "
    "WORMHOLE_PASSWORD";

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

Error wrong(std::string_view url, std::string_view why) {
  return Error{"the endpoint '" + printable(url) + "' " + std::string(why)};
}

Result<std::string> parse_endpoint_url(std::string_view given) {
  std::string_view rest = given;
  std::string scheme = "http";
  if (const size_t at = rest.find("://"); at != std::string_view::npos) {
    scheme = lower(rest.substr(0, at));
    rest.remove_prefix(at + 3);
    if (scheme != "http" && scheme != "https") return wrong(given, "begins with neither http:// nor https://");
  }
  const size_t slash = std::min(rest.find('/'), rest.size());
  const std::string_view authority = rest.substr(0, slash);
  std::string_view prefix = rest.substr(slash);
  if (given.find('@') != std::string_view::npos) return Error{kPassword};
  if (rest.find_first_of("?#") != std::string_view::npos)
    return wrong(given, "must not contain '?' or '#': it is http://HOST:PORT");
  if (std::any_of(rest.begin(), rest.end(), [](char c) { return c <= ' ' || c == '\x7f'; }))
    return wrong(given, "contains blanks or control characters");
  const bool named_port = !authority.empty() && authority.find(':', authority.rfind(']') + 1) != std::string_view::npos;
  const std::string with_port =
      named_port ? std::string(authority) : std::string(authority) + (scheme == "https" ? ":443" : ":80");
  const auto endpoint = wh::parse_endpoint(with_port);
  if (!endpoint) return wrong(given, "is not http://HOST:PORT (an IPv6 address stands in brackets)");
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  return scheme + "://" + endpoint_text(lower(endpoint->host), endpoint->port) + std::string(prefix);
}

}  // namespace

Result<std::vector<std::string>> parse_endpoints(std::string_view list) {
  // First of all: a password may have a comma in it.
  if (list.find('@') != std::string_view::npos) return Error{kPassword};
  std::vector<std::string> out;
  for (size_t at = 0; at <= list.size();) {
    const size_t comma = std::min(list.find(',', at), list.size());
    std::string_view one = list.substr(at, comma - at);
    while (one.starts_with(' ')) one.remove_prefix(1);
    while (one.ends_with(' ')) one.remove_suffix(1);
    at = comma + 1;
    if (one.empty()) continue;
    auto url = parse_endpoint_url(one);
    if (!url) return Error{url.error()};
    if (std::find(out.begin(), out.end(), *url) == out.end()) out.push_back(*std::move(url));
  }
  if (out.empty()) return Error{"no endpoint is given: it is http://HOST:PORT, or several with commas between them"};
  return out;
}

std::string origin_of(std::string_view url) {
  const size_t authority = url.find("://");
  if (authority == std::string_view::npos) return std::string(url);
  const size_t end = std::min(url.find_first_of("/?#", authority + 3), url.size());
  auto whole = parse_endpoint_url(url.substr(0, end));
  return whole ? *whole : std::string(url.substr(0, end));
}

}  // namespace wh::cli
