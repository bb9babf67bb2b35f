// The version of a cluster: which commands and bounds its log may hold, and so which programs can be members. It is a
// number in the log, raised by an entry once every member supports more (CONTRACT, Versions); it never depends on which
// program leads. Every command kind, bound, snapshot section and message after the first version names the version that
// introduced it.
//
//   1  keys and queues, deduplication of forwarded requests; the last release without versions
//   2  the version itself, cluster settings, idempotency keys, deadlines by cluster time
//   3  queues with settings, receipts, delays, groups, dead letters; topics
//   4  indexes, versions, content types and expiry of keys; transactions; leases
//   5  the log on the disk in pages (storage/log_pages.h)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace wh {

using ClusterVersion = uint32_t;
inline constexpr ClusterVersion kFirstVersion = 1;
inline constexpr ClusterVersion kLatestVersion = 5;  // the latest that this program supports

// The payload of a log entry that raises the version: four bytes, little-endian.
inline std::string encode_version(ClusterVersion version) {
  std::string out;
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>((version >> shift) & 0xff);
  return out;
}

// Nothing for bytes that encode_version() did not write, and for the first version, to which no cluster is raised.
inline std::optional<ClusterVersion> decode_version(std::string_view payload) {
  if (payload.size() != 4) return std::nullopt;
  ClusterVersion version = 0;
  for (size_t i = 4; i-- > 0;) version = version << 8 | static_cast<uint8_t>(payload[i]);
  if (version <= kFirstVersion) return std::nullopt;
  return version;
}

}  // namespace wh
