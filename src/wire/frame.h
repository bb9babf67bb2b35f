// Frames: a connection between nodes is cut into typed, checked pieces. Each direction of a connection begins with
// kMagic; then frame follows frame: u32 length (of type and payload), u32 crc32c (of the length's four bytes, type and
// payload), u8 type, payload; all little-endian. Sans-I/O: FrameWriter appends to a string, FrameDecoder is fed bytes.
// hello.h, ask_codec.h and peer_codec.h define the payloads. Called by net/'s peers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/cluster_version.h"
#include "raft/types.h"

namespace wh::wire {

// Versions of the protocol that this program speaks. Version 3 adds what founding nodes say of the nodes they expect.
// From 4 on, the protocol's version follows the cluster's: 4 belongs to cluster version 2, and so on. A node offers the
// range from what its cluster's version demands to what it supports, so a hello tells what its sender supports.
inline constexpr uint16_t kMinVersion = 2;
inline constexpr uint16_t lowest_protocol(ClusterVersion cluster) {
  return cluster <= kFirstVersion ? kMinVersion : static_cast<uint16_t>(cluster + 2);
}
inline constexpr uint16_t highest_protocol(ClusterVersion cluster) { return static_cast<uint16_t>(cluster + 2); }
inline constexpr uint16_t kMaxVersion = highest_protocol(kLatestVersion);

// No text protocol and no TLS record begins with the first byte, so it identifies foreign connections (HAZARDS G5).
inline constexpr std::string_view kMagic = "\xf0WHP";

// Upper bounds of a frame's length field: of any frame, and before a hello is accepted (HAZARDS G1).
inline constexpr size_t kMaxFrameBytes = size_t{8} << 20;
inline constexpr size_t kMaxHelloBytes = size_t{4} << 10;
inline constexpr size_t kFrameHeaderBytes = 9;

// Bounds of fields. Names and addresses as in a cluster configuration; sentences are truncated.
inline constexpr size_t kMaxNameBytes = 512;
inline constexpr size_t kMaxSentenceBytes = 1024;
// For a command, an entry's payload, a chunk of a snapshot and a reply: fits a frame with everything around it.
inline constexpr size_t kMaxPayloadBytes = kMaxFrameBytes - (size_t{64} << 10);

// Numbers of the protocol: a number never changes its meaning.
enum class FrameType : uint8_t {
  hello = 1,
  hello_reply = 2,
  proof = 3,
  who_are_you = 16,
  grant_founding = 17,
  take_me_in = 18,
  adopt = 19,
  who_are_you_3 = 20,     // as of version 3
  grant_founding_3 = 21,  // as of version 3
  who_i_am = 32,
  founding_granted = 33,
  taken_in = 34,
  adopted = 35,
  who_i_am_3 = 36,  // as of version 3
  request_vote = 64,
  request_vote_reply = 65,
  append_entries = 66,
  append_entries_reply = 67,
  install_snapshot = 68,
  install_snapshot_reply = 69,
  timeout_now = 70,
  read_index_request = 71,
  read_index_reply = 72,
  forward = 73,
  forward_reply = 74,
  forward_admin = 75,
  forward_admin_reply = 76,
  forward_receive = 79,
  cancel_receive = 80,
  members_seen = 81,
  append_entries_4 = 77,        // as of version 4
  append_entries_reply_4 = 78,  // as of version 4
};
// For messages to people; "unknown frame" for an unlisted number.
const char* to_string(FrameType type);

// Appends one frame to `out`. A field over its bound makes finish() fail and remove what was written, so that no frame
// leaves that its receiver would refuse.
class FrameWriter {
 public:
  FrameWriter(std::string& out, FrameType type);
  Writer& fields() { return writer_; }
  void term(raft::Term v) { writer_.u64(v.value); }
  void index(raft::Index v) { writer_.u64(v.value); }
  void node(raft::NodeId v) { writer_.u64(v.value); }
  // A string that must not be truncated: over `max` bytes the frame fails.
  void bytes(std::string_view v, size_t max);
  // A sentence for people, truncated to kMaxSentenceBytes.
  void sentence(std::string_view v) { writer_.bytes(v.substr(0, kMaxSentenceBytes)); }
  // Fills in length and checksum. False, with `out` as it was before, when a bound or `max_bytes` is exceeded.
  [[nodiscard]] bool finish(size_t max_bytes = kMaxFrameBytes);

 private:
  std::string& out_;
  size_t start_;
  Writer writer_;
  bool fits_ = true;
};

// Reads what FrameWriter wrote: a Reader that also bounds terms, indices and strings (HAZARDS A14).
class FieldReader : public Reader {
 public:
  explicit FieldReader(std::string_view in) : Reader(in) {}
  // A u64 below raft::kLimit.
  uint64_t limited() {
    const uint64_t v = u64();
    if (v >= raft::kLimit) fail();
    return ok() ? v : 0;
  }
  raft::Term term() { return raft::Term{limited()}; }
  raft::Index index() { return raft::Index{limited()}; }
  raft::NodeId node() { return raft::NodeId{u64()}; }
  std::string_view bytes(size_t max) {
    const std::string_view v = Reader::bytes();
    if (v.size() > max) fail();
    return ok() ? v : std::string_view();
  }
  std::string name() { return std::string(bytes(kMaxNameBytes)); }
  std::string sentence() { return std::string(bytes(kMaxSentenceBytes)); }
  // An enumeration with the values 0 to `last`.
  template <typename T>
  T enumeration(T last) {
    const uint8_t v = u8();
    if (v > static_cast<uint8_t>(last)) fail();
    return ok() ? static_cast<T>(v) : T{};
  }
  // The same for an enumeration that a newer release may extend: unknown values read as `otherwise`.
  template <typename T>
  T enumeration_or(T last, T otherwise) {
    const uint8_t v = u8();
    return v > static_cast<uint8_t>(last) ? otherwise : static_cast<T>(v);
  }
};

struct Frame {
  FrameType type;            // may be an unlisted number
  std::string_view payload;  // valid until the next push()
};

// One direction of a connection, in pieces of any size. After an error it stays failed.
class FrameDecoder {
 public:
  // Frames longer than `max_bytes` are an error; set_limit changes that for later frames.
  explicit FrameDecoder(size_t max_bytes) : max_bytes_(max_bytes) {}
  void set_limit(size_t max_bytes) { max_bytes_ = max_bytes; }
  void push(std::string_view bytes);
  // The next whole frame; nothing when more bytes are needed, or after an error.
  std::optional<Frame> next();
  // Why this is not our protocol or is damaged; empty while all is well.
  [[nodiscard]] const std::string& error() const { return error_; }
  // When the beginning was wrong: the protocol that the sender seems to speak, for people. Else empty.
  [[nodiscard]] const std::string& foreign() const { return foreign_; }

 private:
  std::optional<Frame> fail(std::string why);

  std::string buffer_;
  size_t consumed_ = 0;  // bytes of buffer_ that were already handed out as frames
  size_t max_bytes_;
  bool magic_seen_ = false;
  std::string foreign_;
  std::string error_;
};

}  // namespace wh::wire
