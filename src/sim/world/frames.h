// Frames as the simulated network carries them: made and read by the real codec.
#pragma once

#include <cstdint>
#include <string>

#include "base/assert.h"
#include "wire/ask_codec.h"
#include "wire/frame.h"
#include "wire/hello.h"
#include "wire/peer_codec.h"

namespace wh::sim {

template <typename Message>
std::string encoded(const Message& message, uint16_t protocol = wire::kMaxVersion) {
  std::string frame;
  WH_ASSERT(wire::encode(frame, message, protocol), "the message fits a frame");
  return frame;
}

// The versions that the dialler's hello offers.
inline wire::Hello hello_of(const node::VersionRange& dialler) {
  return {.min_version = wire::lowest_protocol(dialler), .max_version = wire::highest_protocol(dialler)};
}

}  // namespace wh::sim
