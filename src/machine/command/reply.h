// The machine's reply to one command. The node that the client asked turns it into an HTTP or debug answer; for a
// forwarded command the reply travels there encoded.
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
  invalid = 2,              // the bytes are no command of the cluster's version; nothing was changed
  duplicate = 3,            // a copy of a request seen before, or too old to tell; this copy changed nothing
  key_reused = 4,           // another request had this idempotency key; nothing was changed (as of version 2)
  unknown = 255,            // how a code of a newer release reads here: what was done is unknown
};

struct Reply {
  ReplyCode code = ReplyCode::ok;
  raft::Index event_id;       // Enqueue: the new event's; Dequeue: the removed event's, 0 when none was removed
  uint64_t count = 0;         // Set: pairs; Delete: keys that existed; Enqueue: 1; Dequeue: events removed, 0 or 1
  uint64_t queue_length = 0;  // Enqueue, Dequeue: events in the queue afterwards
  Bytes event;                // Dequeue: the removed event; PutSettings: encode_settings() of all settings
  raft::Index replayed_from;  // not 0: the idempotency key was known, and this is that entry's answer (version 2)
  friend bool operator==(const Reply&, const Reply&) = default;
};

std::string encode_reply(const Reply& reply);
Result<Reply> decode_reply(std::string_view bytes);

}  // namespace wh::machine
