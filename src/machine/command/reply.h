// What the machine says about one command. It is turned into an HTTP or debug answer on the node that was asked, and
// travels there encoded when the command was forwarded.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "raft/types.h"

namespace wh::machine {

enum class ReplyCode : uint8_t {
  ok = 0,
  precondition_failed = 1,  // Dequeue: another event, or none, is in front; nothing was changed
  invalid = 2,              // the bytes are no command of this version; nothing was changed
  duplicate = 3,            // a copy of a request seen before, or too old to tell; nothing was changed now
  key_reused = 4,           // the idempotency key was another request's; nothing was changed (as of version 2)
  unknown = 255,            // one of a newer release, as it is read here: what was done cannot be told
};

struct Reply {
  ReplyCode code = ReplyCode::ok;
  raft::Index event_id;       // Enqueue: the new event's; Dequeue: the removed one's, 0 when none was
  uint64_t count = 0;         // Set: pairs; Delete: keys that existed; Enqueue: 1; Dequeue: events removed, 0 or 1
  uint64_t queue_length = 0;  // Enqueue, Dequeue: events in the queue afterwards
  Bytes event;                // Dequeue: the removed event; PutSettings: encode_settings(), all of them
  raft::Index replayed_from;  // not 0: the answer of that entry, as the idempotency key was there already (version 2)
  friend bool operator==(const Reply&, const Reply&) = default;
};

std::string encode_reply(const Reply& reply);
Result<Reply> decode_reply(std::string_view bytes);

}  // namespace wh::machine
