// The bytes of a snapshot of the state, as SnapshotWriter writes and SnapshotReader reads them:
//
//   header   8 bytes "WORMSNAP", u32 version, u64 applied, u64 time_ms, u64 keys, u64 events, u32 sessions
//   records  in any order:
//     u8 1   u32 length, key, u32 length, value
//     u8 2   u32 length, queue, u64 id, u32 length, event
//     u8 3   session (Sessions::kRecordBytes)
//   as of version 2 also, with record 5 before all others:
//     u8 5   u64 jumped_ms, u64 idempotency keys, u32 count, count x (u64 setting, in the order of kSettings)
//     u8 6   u32 length, name (IdempotencyKeys::ByName), 16 bytes fingerprint, u64 index, u64 due, u32 length, reply
//   as of version 3 record 5 ends with u64 last number, u64 queues, u64 bindings; in place of record 2:
//     u8 7   u32 length, and that many bytes: a queue without its events; before its events
//     u8 8   u32 length, and that many bytes: an event without its bytes; u32 length, event; a queue's by arrival
//     u8 9   u32 length, and that many bytes: a binding of a queue to a topic
//   as of version 4 record 5 ends with u64 the entry that raised the cluster to it, u64 leases; and beside record 1,
//   which then holds an item that this entry found:
//     u8 10  u32 length, and that many bytes: an item without its value; u32 length, value
//     u8 11  u64 id, u64 ttl, u64 deadline: a lease
//   (what they hold: sections.cc and snapshot_reader.cc)
//   trailer  u8 4, u64 digest of the state, u32 CRC-32C of all bytes before it
//
// The version is the cluster's: a state of version 1 is written as its releases read it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace wh::machine::snapshot_format {

inline constexpr std::string_view kMagic = "WORMSNAP";
inline constexpr size_t kHeaderBytes = 48;
inline constexpr size_t kTrailerBytes = 13;

inline constexpr uint8_t kKey = 1;
inline constexpr uint8_t kEvent = 2;
inline constexpr uint8_t kSession = 3;
inline constexpr uint8_t kEnd = 4;
inline constexpr uint8_t kCluster = 5;
inline constexpr uint8_t kIdempotency = 6;
inline constexpr uint8_t kQueue = 7;
inline constexpr uint8_t kQueueEvent = 8;
inline constexpr uint8_t kBinding = 9;
inline constexpr uint8_t kItem = 10;
inline constexpr uint8_t kLease = 11;

// Of records 7 to 10 without an event's bytes: names, settings, attributes and filters are bounded.
inline constexpr size_t kMaxRecordHead = size_t{24} << 10;

}  // namespace wh::machine::snapshot_format
