// Decides who is let in over HTTP, before it is known what exactly the request asks for: by protected mode, the
// password, the request's Host, other sites' pages, writes by GET. api/access.h then decides what a principal may do.
// Keeps no state.
#pragma once

#include <optional>
#include <string_view>

#include "api/refusal.h"
#include "base/byte_stream.h"
#include "config/options.h"
#include "http/request.h"
#include "security/principal.h"

namespace wh::api {

// The name of the first field that only a proxy adds (X-Forwarded-For, RFC 7239's Forwarded, RFC 9110's Via, ...);
// empty: none, which proves nothing. A client that adds one itself gives up rights and gains none.
std::string_view proxy_field(const http::Request& request);

// What a request needs, as far as access goes.
struct AccessNeeds {
  bool exempt = false;         // /healthz and /readyz: open to everybody
  bool passwordless = false;   // open too, but not to what protected mode and the Host keep out
  bool costly = false;         // a backup, a stream: no other site's page may ask for it, though it changes nothing
  bool changes_state = false;  // a write, whatever its method
  bool writes_by_get = false;  // a write whose route also takes GET
};

// Why the request is not let in: unauthenticated, forbidden or wrong_method; nothing: it is let in.
std::optional<Refusal> refuse(const config::Options& options, const ByteStream& stream, const http::Request& request,
                              const AccessNeeds& needs, std::string_view announced_host);

// The principal of a request that refuse() let in.
const security::Principal& asking(const config::Options& options);

// The value of WWW-Authenticate for a request without the password. A browser asks its user for a password itself where
// it reads Basic: a page's script, which asks for itself, is told Bearer.
std::string_view challenge_to(const http::Request& request);

// For Allow: the methods that may be used instead, when refuse() said `wrong_method`.
std::string_view allowed_instead(const http::Request& request);

}  // namespace wh::api
