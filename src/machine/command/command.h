// What a client can ask of the state, as bytes in the log: the envelope (version, request id) and one body. Owns the
// formats and their bounds; knows nothing of the state. http/ and debug/ surfaces encode bodies, the node puts the
// envelope in front, the machine decodes.
//
//   envelope: u8 version = 1, u64 origin, u64 epoch, u64 sequence, body
//   body:     u8 kind, then by kind (counts and lengths are u32, all little-endian)
//     1 set      count, count x (length key, length value)
//     2 delete   count, count x (length key)
//     3 enqueue  length queue, length event
//     4 dequeue  length queue, u8 has_id, u64 id when has_id = 1
//
// A new feature takes a new kind; a kind once given is never changed, as old logs hold it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "raft/types.h"

namespace wh::machine {

inline constexpr size_t kMaxKeyBytes = 4096;
inline constexpr size_t kMaxValueBytes = size_t{4} << 20;  // of a value and of an event
inline constexpr size_t kMaxQueueNameBytes = 128;
inline constexpr size_t kMaxItems = 10'000;  // pairs of a Set, keys of a Delete
inline constexpr size_t kEnvelopeBytes = 25;
// A whole command, envelope included: with what goes around it, it fits a frame between nodes (wire/frame.h). A larger
// one could be committed by nobody but a lone node, and would stop replication for ever.
inline constexpr size_t kMaxCommandBytes = (size_t{8} << 20) - (size_t{64} << 10);

// Names one request for ever, so that a second copy of it in the log has no effect (HAZARDS E9). `epoch` grows with
// each start of the origin, `sequence` with each request; sequence 0 asks for no deduplication.
struct RequestId {
  raft::NodeId origin;
  uint64_t epoch = 0;
  uint64_t sequence = 0;
  friend bool operator==(const RequestId&, const RequestId&) = default;
};

// The bodies hold views: into the caller's strings when encoding, into the command's bytes when decoded.

// Sets all pairs in one step; of a key given twice the last counts.
struct Set {
  std::vector<std::pair<std::string_view, std::string_view>> pairs;  // key, value
  friend bool operator==(const Set&, const Set&) = default;
};
// Removes the keys that exist.
struct Delete {
  std::vector<std::string_view> keys;
  friend bool operator==(const Delete&, const Delete&) = default;
};
// Puts an event at the back of a queue. The event's id is the log index of this command.
struct Enqueue {
  std::string_view queue;
  std::string_view event;
  friend bool operator==(const Enqueue&, const Enqueue&) = default;
};
// Removes the front event; with `only_if_front`, only when that is its id.
struct Dequeue {
  std::string_view queue;
  std::optional<uint64_t> only_if_front;
  friend bool operator==(const Dequeue&, const Dequeue&) = default;
};

using Body = std::variant<Set, Delete, Enqueue, Dequeue>;

struct Command {
  RequestId id;
  Body body;
};

// Whether a body is within the bounds above and so may be encoded; the error is a sentence for the client.
Status check(const Body& body);
// Whether its command is over kMaxCommandBytes; check() says so too.
bool is_too_large(const Body& body);

// Whether a whole command puts data in (a Set or an Enqueue), however much of it replaces other data.
bool adds_data(std::string_view command);

// The body's bytes. The body must pass check().
std::string encode_body(const Body& body);

// A whole command: the envelope in front of a body encoded earlier.
std::string envelope(const RequestId& id, std::string_view body);

// The request id in a command's envelope; nothing when the bytes are no envelope of this version.
std::optional<RequestId> request_id_of(std::string_view command);

// Total: any bytes give a command or an error (HAZARDS B14). The command's views point into `command`.
Result<Command> decode(std::string_view command);

}  // namespace wh::machine
