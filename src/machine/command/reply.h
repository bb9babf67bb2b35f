// The machine's reply to one command. The node that the client asked turns it into an HTTP or debug answer; for a
// forwarded command the reply travels there encoded.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "raft/types.h"

namespace wh::machine {

enum class ReplyCode : uint8_t {
  ok = 0,
  precondition_failed = 1,  // Dequeue: another event, or none, is in front; nothing was changed
  invalid = 2,              // the bytes are no command of the cluster's version; nothing was changed
  duplicate = 3,            // a copy of a request seen before, or too old to tell; this copy changed nothing
  key_reused = 4,           // another request had this idempotency key; nothing was changed (as of version 2)
  // As of version 3; `event` says why, in a sentence, and nothing was changed:
  full = 5,       // a queue has no room for it, or takes nothing in; or there are too many queues
  not_found = 6,  // there is no such queue, topic or binding
  conflict = 7,   // another queue needs it
  refused = 8,    // a value that this state does not allow
  unknown = 255,  // how a code of a newer release reads here: what was done is unknown
};

// A delivered event. As of version 3.
struct Delivery {
  uint64_t id = 0;
  uint64_t delivery = 0;  // with the id, its receipt
  uint32_t deliveries = 0;
  uint8_t priority = 0;
  Millis enqueued_at = 0;  // cluster time
  Millis visible_at = 0;   // cluster time
  std::string group;
  Bytes headers;  // pack_headers()
  Bytes bytes;
  friend bool operator==(const Delivery&, const Delivery&) = default;
};

// What became of one receipt of a Settle.
enum class SettleOutcome : uint8_t {
  done = 0,
  gone = 1,   // there is no such event: it was acknowledged, purged or expired
  stale = 2,  // the receipt is of an earlier delivery, or its time is over; nothing was changed
};

struct Reply {
  ReplyCode code = ReplyCode::ok;
  raft::Index event_id;       // Enqueue: the new event's; Dequeue: the first removed event's, 0 when none was removed
  uint64_t count = 0;         // Set: pairs; Delete: keys that existed; Enqueue: 1; Dequeue: events removed
  uint64_t queue_length = 0;  // Enqueue, Dequeue: events in the queue afterwards
  Bytes event;  // Dequeue without a count: the removed event; PutSettings: encode_settings() of all settings;
                // ConfigureQueue: encode_queue_settings() of all that the queue sets itself
  raft::Index replayed_from;  // not 0: the idempotency key was known, and this is that entry's answer (version 2)
  // As of version 3:
  std::vector<uint64_t> ids{};            // PutEvents: of each event
  std::vector<SettleOutcome> outcomes{};  // Settle: of each receipt
  // Receive. Dequeue without a count: only the headers of the removed event, if it has any; with one: id, bytes and
  // headers of each.
  std::vector<Delivery> deliveries{};
  // Not the machine's: which of the queues that a take named it took from (node/receives.h).
  uint32_t choice = 0;
  friend bool operator==(const Reply&, const Reply&) = default;
};

std::string encode_reply(const Reply& reply);
Result<Reply> decode_reply(std::string_view bytes);

}  // namespace wh::machine
