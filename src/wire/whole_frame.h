// One encoded frame decoded again, for who has it whole and no stream: the simulated network, and what feeds decoders.
#pragma once

#include <optional>
#include <string_view>

#include "base/assert.h"
#include "wire/frame.h"

namespace wh::wire {

// What `decode` makes of the frame, which is encoded whole; the frame lives until then.
template <typename Decode>
auto decode_whole(std::string_view encoded, Decode decode) {
  FrameDecoder decoder(kMaxFrameBytes);
  decoder.push(kMagic);
  decoder.push(encoded);
  const std::optional<Frame> whole = decoder.next();
  WH_ASSERT(whole, "what was encoded is a whole frame");
  return decode(*whole);
}

}  // namespace wh::wire
