// The handshake of a connection between nodes: the dialler sends a Hello, the listener a HelloReply; if that demands
// it, the dialler sends a Proof before anything else. All fit kMaxHelloBytes. net/'s peers decide who is refused and
// why, and what proves that a node holds the cluster's secret.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "node/messages.h"
#include "wire/frame.h"

namespace wh::wire {

using Nonce = std::array<uint8_t, 16>;  // random, never used twice
using Proof = std::array<uint8_t, 32>;  // HMAC-SHA256

enum class Purpose : uint8_t {
  peer = 0,       // messages of one cluster, from the dialler to the listener
  ask = 1,        // one Ask, one Answer
  unknown = 255,  // how a purpose of a newer release reads here: refused
};

struct Hello {
  // The Hello itself has the format of its min_version. When this program does not speak that, the fields below are
  // empty.
  uint16_t min_version = kMinVersion;
  uint16_t max_version = kMaxVersion;
  Purpose purpose = Purpose::peer;
  node::Identity sender;
  raft::NodeId intended_instance;  // the node that the sender means; nobody: any node
  std::string intended_name;
  raft::Position member_as_of;  // the last position at which the sender's log names it as a member
  Nonce nonce{};                // for the listener's proof
  friend bool operator==(const Hello&, const Hello&) = default;
};

// The protocol versions of a node that supports these cluster versions, and the cluster versions that a hello's stand
// for.
[[nodiscard]] inline uint16_t lowest_protocol(const node::VersionRange& range) { return lowest_protocol(range.lowest); }
[[nodiscard]] inline uint16_t highest_protocol(const node::VersionRange& range) {
  return highest_protocol(range.highest);
}
[[nodiscard]] ClusterVersion cluster_version(uint16_t protocol);
[[nodiscard]] node::VersionRange versions_of(const Hello& hello);

// Whether both speak a version in common; `mine` is the receiver's.
[[nodiscard]] inline bool compatible(const Hello& hello, const node::VersionRange& mine) {
  return hello.min_version <= highest_protocol(mine) && hello.max_version >= lowest_protocol(mine);
}

// The highest that both speak; call it only if they are compatible.
[[nodiscard]] inline uint16_t common_version(const Hello& hello, const node::VersionRange& mine) {
  return std::min(hello.max_version, highest_protocol(mine));
}

enum class Refusal : uint8_t {
  none = 0,       // accepted
  version = 1,    // no version in common
  cluster = 2,    // the receiver is in another cluster, or in none
  instance = 3,   // the receiver is not the node that the sender means
  sender = 4,     // the sender cannot be who it says
  busy = 5,       // too many connections or questions
  removed = 6,    // the sender is no longer a member of this cluster
  tls = 7,        // the receiver accepts TLS only; the one refusal sent in plaintext, which proves nothing
  unknown = 255,  // how a refusal of a newer release reads here; the sentence says why
};
inline constexpr Refusal kLastRefusal = Refusal::tls;

struct HelloReply {
  Refusal refusal = Refusal::none;
  uint16_t version = kMaxVersion;  // the agreed version, when accepted
  std::string sentence;            // why refused
  node::WhoIAm receiver;
  raft::Position removed_as_of;  // refusal `removed`: the committed entry as of which it holds
  bool demands_proof = false;    // the listener holds a secret: `proof` shows it, and a Proof must come next
  Nonce nonce{};                 // for the dialler's proof
  Proof proof{};
  friend bool operator==(const HelloReply&, const HelloReply&) = default;
};

// Append a frame; false, with nothing appended, when a name or an address is over kMaxNameBytes.
[[nodiscard]] bool encode(std::string& out, const Hello& hello);
[[nodiscard]] bool encode(std::string& out, const HelloReply& reply);
[[nodiscard]] bool encode(std::string& out, const Proof& proof);
// Nothing for a payload that encode() could not have written.
std::optional<Hello> decode_hello(std::string_view payload);
std::optional<HelloReply> decode_hello_reply(std::string_view payload);
std::optional<Proof> decode_proof(std::string_view payload);

}  // namespace wh::wire
