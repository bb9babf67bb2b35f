#include "api/http/request_access.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "base/log.h"
#include "config/option_values.h"
#include "http/shown.h"
#include "security/password.h"
#include "security/protected_mode.h"

namespace wh::api {
namespace {

// The host of an authority, without port and brackets, and the port as it is written; both empty when malformed.
std::pair<std::string_view, std::string_view> split_authority(std::string_view authority) {
  std::string_view host = authority.substr(0, authority.find(':'));
  std::string_view rest = authority.substr(host.size());
  if (!authority.empty() && authority.front() == '[') {
    const size_t end = authority.find(']');
    if (end == std::string_view::npos) return {};
    host = authority.substr(1, end - 1);
    rest = authority.substr(end + 1);
  }
  if (rest.empty()) return {host, {}};
  const std::string_view port = rest.substr(1);
  const bool digits = std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (rest.front() != ':' || !digits) return {};
  return {host, port};
}

// RFC 3986 3.2.2: `localhost.` is the same host as `localhost`.
std::string_view without_final_dot(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  return host;
}

bool same_host(std::string_view a, std::string_view b) {
  return http::equals_ignoring_case(without_final_dot(a), without_final_dot(b));
}

// Whether no page of another site can make the browser's resolver point this name here (DNS rebinding, HAZARDS H8).
bool host_is_known(const config::Options& options, std::string_view authority, std::string_view announced_host) {
  const std::string_view host = split_authority(authority).first;
  if (config::is_ipv4_literal(without_final_dot(host)) || config::is_ipv6_literal(host)) return true;
  const auto same = [&](std::string_view name) { return same_host(host, name); };
  return same("localhost") || (!announced_host.empty() && same(announced_host)) ||
         std::any_of(options.allowed_hosts.begin(), options.allowed_hosts.end(), same);
}

// Whether an Origin names the host and port that the request was sent to.
bool origin_is_here(std::string_view origin, std::string_view authority) {
  const size_t scheme = origin.find("://");
  if (scheme == std::string_view::npos) return false;
  const std::string_view default_port = http::equals_ignoring_case(origin.substr(0, scheme), "https") ? "443" : "80";
  const auto theirs = split_authority(origin.substr(scheme + 3));
  const auto ours = split_authority(authority);
  return same_host(theirs.first, ours.first) &&
         (theirs.second.empty() ? default_port : theirs.second) == (ours.second.empty() ? default_port : ours.second);
}

constexpr std::string_view kPassHostOn = "; a proxy in front must pass Host on as it came (docs/proxies.md)";

// Besides those that begin with X-Forwarded-.
constexpr std::array<std::string_view, 12> kProxyFields{"Forwarded",
                                                        "Via",
                                                        "X-Real-IP",
                                                        "X-Client-IP",
                                                        "X-Cluster-Client-IP",
                                                        "Client-IP",
                                                        "X-Original-Forwarded-For",
                                                        "X-Envoy-External-Address",
                                                        "CF-Connecting-IP",
                                                        "True-Client-IP",
                                                        "Fastly-Client-IP",
                                                        "X-Original-Host"};

Refusal not_let_in(std::string sentence) { return {RefusalKind::forbidden, std::move(sentence)}; }

}  // namespace

std::string_view proxy_field(const http::Request& request) {
  constexpr std::string_view kPrefix = "X-Forwarded-";
  for (const http::Header& field : request.headers) {
    const std::string_view name = field.name;
    if (http::equals_ignoring_case(name.substr(0, kPrefix.size()), kPrefix) ||
        std::any_of(kProxyFields.begin(), kProxyFields.end(),
                    [&](std::string_view known) { return http::equals_ignoring_case(name, known); }))
      return name;
  }
  return {};
}

std::optional<Refusal> refuse(const config::Options& options, const ByteStream& stream, const http::Request& request,
                              const AccessNeeds& needs, std::string_view announced_host) {
  if (needs.exempt) return std::nullopt;
  const std::string_view proxy = proxy_field(request);
  if (const Status mode = security::check_protected_mode(options, stream, proxy); !mode)
    return not_let_in(mode.error());
  if (!options.requirepass.empty()) {
    if (needs.passwordless) return std::nullopt;
    const std::string* authorization = request.header("Authorization");
    if (authorization == nullptr)
      return Refusal{RefusalKind::unauthenticated, "a password is needed: Authorization: Bearer PASSWORD"};
    if (!security::authorization_has(*authorization, options.requirepass))
      return Refusal{RefusalKind::unauthenticated, "the password is wrong"};
  } else if ((request.minor_version > 0 || !request.host.empty()) &&
             !host_is_known(options, request.host, announced_host)) {
    return not_let_in("the Host " + http::shown(request.host) +
                      " is not known here; ask by address, or name it in the directive "
                      "allowed-hosts");
  }
  if (!needs.changes_state && !needs.costly) return std::nullopt;
  if (const std::string* site = request.header("Sec-Fetch-Site");
      site != nullptr && *site != "same-origin" && *site != "none")
    return not_let_in("another site's page may not change anything here (Sec-Fetch-Site is " + http::shown(*site) +
                      ")");
  if (const std::string* origin = request.header("Origin"); origin != nullptr && !origin_is_here(*origin, request.host))
    return not_let_in("a page of another origin may not change anything here: the Origin is " + http::shown(*origin) +
                      ", the Host that was asked is " + http::shown(request.host) + std::string(kPassHostOn));
  if (!needs.writes_by_get) return std::nullopt;
  if (request.method == http::Method::head) return Refusal{RefusalKind::wrong_method, "HEAD changes nothing: use POST"};
  if (request.method != http::Method::get || options.get_writes == config::GetWrites::yes) return std::nullopt;
  if (options.get_writes == config::GetWrites::no)
    return Refusal{RefusalKind::wrong_method, "GET may not write here: use POST"};
  if (!stream.peer_is_loopback() || !proxy.empty())
    return not_let_in("GET may write from this machine only" +
                      (proxy.empty() ? "" : ", and a proxy passed this on (" + printable(proxy) + ")") +
                      "; directive get-writes; use POST");
  return std::nullopt;
}

const security::Principal& asking(const config::Options& options) {
  return options.requirepass.empty() ? security::Principal::anonymous() : security::Principal::password_holder();
}

std::string_view challenge_to(const http::Request& request) {
  const std::string* destination = request.header("Sec-Fetch-Dest");
  const bool script =
      request.header("X-Requested-With") != nullptr || (destination != nullptr && *destination == "empty");
  return script ? "Bearer realm=\"wormhole\"" : "Basic realm=\"wormhole\"";
}

std::string_view allowed_instead(const http::Request& request) {
  return request.method == http::Method::head ? "GET, POST, OPTIONS" : "POST, OPTIONS";
}

}  // namespace wh::api
