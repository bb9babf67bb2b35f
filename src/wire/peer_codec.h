// The codec of PeerMessage (node/messages.h): Raft's messages and forwarded requests between members of one cluster.
// Decoding is total: a decoded message has every property of form that the core relies on (HAZARDS A14): terms, indices
// and times below raft::kLimit; entries that follow each other from prev_log_index + 1, with terms that do not fall and
// are not above the message's; configurations that decode.
#pragma once

#include <optional>
#include <string>

#include "node/messages.h"
#include "wire/frame.h"

namespace wh::wire {

// The most entries in one AppendEntries; more would not fit a frame with any payload.
inline constexpr uint32_t kMaxEntries = 262'144;

// Appends a frame; false, with nothing appended, when a string or the whole is over its bound (frame.h). `version` is
// the connection's: fields that its receiver would not understand are left out.
[[nodiscard]] bool encode(std::string& out, const node::PeerMessage& message, uint16_t version = kMaxVersion);
// Nothing for a frame of another type, or one that encode() could not have written.
std::optional<node::PeerMessage> decode_peer_message(const Frame& frame);

}  // namespace wh::wire
