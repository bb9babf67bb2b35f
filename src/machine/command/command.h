// A command on the state, as bytes in the log: the envelope (version, request id, idempotency key) and one
// body. Owns the formats; each family has a file with its bodies and their bounds. Knows nothing of the state. The API
// encodes commands, the node fills in the request id, the machine decodes.
//
//   envelope: u8 version = 1, u64 origin, u64 epoch, u64 sequence, body; as of version 2 also
//             u8 version = 2, u64 origin, u64 epoch, u64 sequence, length key, 16 bytes fingerprint, body
//   body:     u8 kind, then by kind (counts and lengths are u32, all little-endian)
//     1 set           count, count x (length key, length value)
//     2 delete        count, count x (length key)
//     3 enqueue       length queue, length event
//     4 dequeue       length queue, u8 has_id, u64 id when has_id = 1
//     5 due           nothing                                         as of version 2
//     6 advance_time  u64 ms since 1970                               as of version 2
//     7 put_settings  count, count x (length name, u64 value)         as of version 2
//   as of version 3, in full in queue_commands.cc:
//     8 put_events, 9 publish, 10 receive, 11 settle, 12 configure_queue, 13 delete_queue, 14 pause_queue,
//     15 purge_queue, 16 redrive, 17 bind, 18 unbind
//   as of version 4, in full in transaction.cc, the last in queue_commands.cc:
//     19 transact, 20 grant_lease, 21 keep_lease, 22 revoke_lease, 23 remove_events
//
// Each body says its number and its version itself (traits.h), and stands in Body. A new feature takes a new kind; an
// existing kind never changes, as old logs hold it. The cluster's version as of the
// entry, never the program, decides whether a kind or an envelope is valid: a command above that version is `invalid`
// on every node alike.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/cluster_version.h"
#include "base/result.h"
#include "machine/command/cluster_commands.h"
#include "machine/command/idempotency_key.h"
#include "machine/command/queue_commands.h"
#include "machine/command/store_commands.h"
#include "machine/command/transaction.h"
#include "raft/types.h"

namespace wh::machine {

inline constexpr size_t kEnvelopeBytes = 25;  // without the idempotency key
// The limit of a whole command, envelope included: with what goes around it, it fits a frame between nodes
// (wire/frame.h). Only a lone node could commit a larger one, which would then stop replication for ever.
inline constexpr size_t kMaxCommandBytes = (size_t{8} << 20) - (size_t{64} << 10);

// Names one request for ever, so that a second copy of it in the log has no effect (HAZARDS E9). `epoch` grows with
// each start of the origin, `sequence` with each request; sequence 0 asks for no deduplication.
struct RequestId {
  raft::NodeId origin;
  uint64_t epoch = 0;
  uint64_t sequence = 0;
  friend bool operator==(const RequestId&, const RequestId&) = default;
};

// Bodies hold views: into the caller's strings when encoding, into the command's bytes when decoded.
using Body = std::variant<Set, Delete, Enqueue, Dequeue, Due, AdvanceTime, PutSettings, PutEvents, Publish, Receive,
                          Settle, ConfigureQueue, DeleteQueue, PauseQueue, PurgeQueue, Redrive, Bind, Unbind, Transact,
                          GrantLease, KeepLease, RevokeLease, RemoveEvents>;

struct Command {
  RequestId id;
  std::optional<IdempotencyKey> idempotency;
  Body body;
};

// Whether a body is within its bounds and so may be encoded; the error is a sentence for the client.
Status check(const Body& body);
// Whether the body's command is over kMaxCommandBytes; check() reports that too.
bool is_too_large(const Body& body);

// Whether a whole command adds data (a Set or an Enqueue), even if it only replaces other data. Of a transaction,
// whether an operation of it does.
bool adds_data(std::string_view command);
// Whether only a leader proposes it, of its own accord (a Due or an AdvanceTime): no client can ask for it.
bool is_leaders_own(std::string_view command);
// The cluster version that a whole command needs; kFirstVersion for bytes that are no command.
ClusterVersion version_needed(std::string_view command);

// A whole command with request id zero. The body must pass check(), and the key, if there is one, its bounds.
std::string encode_command(const Body& body, const std::optional<IdempotencyKey>& idempotency = {});
// Fills in the request id of a command that encode_command() wrote.
void set_request_id(std::string& command, const RequestId& id);

// The part of a command that tells requests apart, after the idempotency key: its body.
std::string_view body_of(std::string_view command);
// Fills in the fingerprint of a command that has an idempotency key.
void set_fingerprint(std::string& command, const Fingerprint& fingerprint);

// Only the body's bytes, and the envelope of version 1 before such a body.
std::string encode_body(const Body& body);
std::string envelope(const RequestId& id, std::string_view body);

// The request id in a command's envelope; nothing when the bytes are no envelope.
std::optional<RequestId> request_id_of(std::string_view command);

// Total: any bytes give a command or an error (HAZARDS B14). The command's views point into `command`. A command that
// needs more than `version`, the cluster's, is an error.
Result<Command> decode(std::string_view command, ClusterVersion version = kLatestVersion);

}  // namespace wh::machine
