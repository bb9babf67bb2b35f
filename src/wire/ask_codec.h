// The codec of Ask and Answer (node/messages.h), the questions between nodes that may be in different clusters. Each
// fits kMaxHelloBytes.
#pragma once

#include <optional>
#include <string>

#include "node/messages.h"
#include "wire/frame.h"

namespace wh::wire {

// Append a frame; false, with nothing appended, when a name or an address is over kMaxNameBytes. `version` is the
// receiver's: fields that it would not understand are left out.
[[nodiscard]] bool encode(std::string& out, const node::Ask& question, uint16_t version = kMaxVersion);
[[nodiscard]] bool encode(std::string& out, const node::Answer& answer, uint16_t version = kMaxVersion);
// Nothing for a frame of another type, or one that encode() could not have written.
std::optional<node::Ask> decode_ask(const Frame& frame);
std::optional<node::Answer> decode_answer(const Frame& frame);

// Parts that the handshake carries too. Reading a part out of bounds fails the reader.
void write(FrameWriter& w, const node::Identity& identity);
void write(FrameWriter& w, const node::WhoIAm& who);
node::Identity read_identity(FieldReader& r);
node::WhoIAm read_who_i_am(FieldReader& r);

}  // namespace wh::wire
