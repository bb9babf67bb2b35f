// One new event as bytes, as commands that bring events hold it, and its bounds.
#pragma once

#include <cstddef>

#include "base/bytes.h"
#include "base/result.h"
#include "machine/command/queue_commands.h"

namespace wh::machine {

size_t event_size(const NewEvent& event);
void encode_event(const NewEvent& event, Writer& out);
// Bad bytes fail the reader.
NewEvent decode_event(Reader& in);
// The first bound that the event breaks, as a sentence.
Status check_event(const NewEvent& event);

}  // namespace wh::machine
