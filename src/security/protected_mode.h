// Protected mode: with neither a password nor client certificates this server serves only its own machine. Keeps no
// state.
#pragma once

#include <string>
#include <string_view>

#include "base/byte_stream.h"
#include "config/options.h"

namespace wh::security {

// Why a client on this connection is refused, whatever it asks, in one sentence; empty: it is not refused (directive
// protected-mode). `proxy`: the evidence that a proxy forwarded the request, which then counts as another machine's.
std::string protected_mode_refusal(const config::Options& options, const ByteStream& stream,
                                   std::string_view proxy = {});

}  // namespace wh::security
