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
  precondition_failed = 1,  // Dequeue: another event, or none, is in front; Transact with must_hold: a comparison does
                            // not hold. Nothing was changed
  invalid = 2,              // the bytes are no command of the cluster's version; nothing was changed
  duplicate = 3,            // a copy of a request seen before, or too old to tell; this copy changed nothing
  key_reused = 4,           // another request had this idempotency key; nothing was changed (as of version 2)
  // As of version 3; `event` says why, in a sentence, and nothing was changed:
  full = 5,       // a queue has no room for it, or takes nothing in; or there are too many queues
  not_found = 6,  // there is no such queue, topic or binding, or lease
  conflict = 7,   // another queue needs it; a receipt holds nothing any more, or a value is no number
  refused = 8,    // a value that this state does not allow
  unknown = 255,  // how a code of a newer release reads here: what was done is unknown
};

// Events or values that one answer brings, together, unless it is a single one.
inline constexpr uint64_t kMaxAnswerBytes = uint64_t{4} << 20;

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

// What became of one receipt of a Settle, or of one event of a RemoveEvents.
enum class SettleOutcome : uint8_t {
  done = 0,
  gone = 1,   // there is no such event: it was acknowledged, purged or expired
  stale = 2,  // the receipt is of an earlier delivery, or its time is over; nothing was changed
  held = 3,   // RemoveEvents: a consumer has it; nothing was changed (version 4)
};

// An item of the store as it was at the entry. As of version 4.
struct KeyItem {
  std::string key;
  Bytes value;  // empty where it was not asked for
  std::string content_type;
  uint64_t create_index = 0;
  uint64_t mod_index = 0;
  uint64_t version = 0;
  uint64_t lease = 0;
  Millis expires_at = 0;  // cluster time; 0: never
  friend bool operator==(const KeyItem&, const KeyItem&) = default;
};

// Of one operation of a Transact.
struct OpResult {
  uint8_t kind = 0;     // the operation's kKind
  uint64_t number = 0;  // EraseKey, ErasePrefix: keys removed; PutKey: 1 if the key was there; Increment: the value, a
                        // signed number; Append: the value's size; Touch: 1 if it changed something; EnqueueEvent: the
                        // id; Choose: 1 if its comparisons held; CountReady: events. 0 where it was not chosen
  bool more = false;    // ListKeys: there are more
  std::vector<KeyItem> items{};  // GetKey, ListKeys: as they were then
  friend bool operator==(const OpResult&, const OpResult&) = default;
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
  std::vector<SettleOutcome> outcomes{};  // Settle: of each receipt; RemoveEvents: of each id
  // Receive. Dequeue without a count: only the headers of the removed event, if it has any; with one: id, bytes and
  // headers of each.
  std::vector<Delivery> deliveries{};
  // As of version 4: of the branch that was done. `count` is 1 if that is `success`, and `queue_length` is 1 in a kept
  // answer whose results were too large to keep.
  std::vector<OpResult> results{};
  // Not the machine's: which of the queues that a take named it took from (node/receives.h).
  uint32_t choice = 0;
  friend bool operator==(const Reply&, const Reply&) = default;
};

// Why a Transact of several operations was refused: the operation's number, counted from 0, and its own sentence.
struct RefusedPlace {
  size_t operation = 0;
  std::string_view why;
};
std::string refusal_at(const RefusedPlace& place);
// Of such a sentence; of another one: the first operation, and the whole of it.
RefusedPlace place_of_refusal(std::string_view sentence);

std::string encode_reply(const Reply& reply);
Result<Reply> decode_reply(std::string_view bytes);

}  // namespace wh::machine
