// Protected mode: with neither a password nor client certificates this server serves only its own machine. Keeps no
// state.
#pragma once

#include <string>
#include <string_view>

#include "base/byte_stream.h"
#include "base/result.h"
#include "config/options.h"

namespace wh::security {

// An error: a client on this connection is refused, whatever it asks (directive protected-mode). `proxy`: the evidence
// that a proxy forwarded the request, which then counts as another machine's.
Status check_protected_mode(const config::Options& options, const ByteStream& stream, std::string_view proxy = {});

}  // namespace wh::security
