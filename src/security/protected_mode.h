// Protected mode: with neither a password nor client certificates this server serves its own machine only. Judges
// values; keeps nothing.
#pragma once

#include <string>
#include <string_view>

#include "base/byte_stream.h"
#include "config/options.h"

namespace wh {

// Why a client on this connection is refused whatever it asks, one sentence; empty: it is not (directive
// protected-mode). `proxy`: what shows that a proxy passed the request on, so that it counts as another machine's.
std::string protected_mode_refusal(const Options& options, const ByteStream& stream, std::string_view proxy = {});

}  // namespace wh
