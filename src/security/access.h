// Who may ask what over HTTP: protected mode, the password, the Host that was asked for, other sites' pages, writes by
// GET. Judges values; keeps nothing.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/byte_stream.h"
#include "config/options.h"
#include "http/request.h"
#include "http/response.h"

namespace wh {

// Why a client on this connection is refused whatever it asks, one sentence; empty: it is not (directive
// protected-mode). `proxy`: what shows that a proxy passed the request on, so that it counts as another machine's.
std::string protected_mode_refusal(const Options& options, const ByteStream& stream, std::string_view proxy = {});

// The name of the first field that only a proxy adds (X-Forwarded-For, RFC 7239's Forwarded, RFC 9110's Via, ...);
// empty: none, which proves nothing. Whoever adds one by himself gives up rights and gains none.
std::string_view proxy_field(const http::Request& request);

// What a request wants, as far as access goes.
struct AccessNeeds {
  bool exempt = false;         // /healthz and /readyz: open to everybody
  bool costly = false;         // a backup: no other site's page may ask for it, though it changes nothing
  bool changes_state = false;  // a write, whatever its method
  bool writes_by_get = false;  // a write whose route also takes GET
};

// The refusal (401, 403, 405), or nothing.
std::optional<http::Response> refuse(const Options& options, const ByteStream& stream, const http::Request& request,
                                     const AccessNeeds& needs, std::string_view announced_host);

}  // namespace wh
