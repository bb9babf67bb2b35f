// The terms of Raft as types: Term, Index and NodeId cannot be mixed up. An Entry is a value whose bytes are shared, so
// that the log, the messages and the disk job of one entry hold one copy of it.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/clock.h"

namespace wh::raft {

// Terms and indices stay below this: higher ones from a peer are refused, so no arithmetic overflows (HAZARDS A14).
inline constexpr uint64_t kLimit = uint64_t{1} << 62;

// The longest time between two neighbouring entries that is believed: 35 years.
inline constexpr Millis kMaxTimeStep = Millis{1} << 40;

struct Term {
  uint64_t value = 0;
  friend auto operator<=>(Term, Term) = default;
};
inline Term next(Term term) { return Term{term.value + 1}; }

// A position in the log; the first entry has index 1, and 0 stands before it.
struct Index {
  uint64_t value = 0;
  friend auto operator<=>(Index, Index) = default;
  friend Index operator+(Index a, uint64_t n) { return Index{a.value + n}; }
  friend Index operator-(Index a, uint64_t n) { return Index{a.value - n}; }
  friend uint64_t operator-(Index a, Index b) { return a.value - b.value; }
  Index& operator++() {
    ++value;
    return *this;
  }
};

// Where an entry stands: compared by term first, as logs are (section 5.4.1). When one of two entries is committed, the
// other, if its position is higher, comes after it or will never be committed.
struct Position {
  Term term;
  Index index;
  friend auto operator<=>(const Position&, const Position&) = default;
};

// A server's identity in Raft: the random instance id of its data directory, not its name or address. A node whose disk
// was replaced comes back with another NodeId, so it cannot vote twice under one (HAZARDS C3, D9). 0 is nobody.
struct NodeId {
  uint64_t value = 0;
  friend auto operator<=>(NodeId, NodeId) = default;
  explicit operator bool() const { return value != 0; }
};
inline constexpr NodeId kNobody{};

enum class EntryKind : uint8_t {
  noop = 0,           // the first entry of a leader's term (thesis 6.4)
  configuration = 1,  // payload: Configuration::encode
  command = 2,        // payload: the state machine's, opaque here
  version = 3,        // payload: encode_version(); raises the cluster's version, as of version 2
};
inline constexpr uint8_t kEntryKinds = 4;

struct Entry {
  Index index;
  Term term;
  EntryKind kind = EntryKind::noop;
  // Cluster time in milliseconds: stamped by the leader, never below the stamp of the entry before it.
  Millis time_ms = 0;
  Bytes payload;
  friend bool operator==(const Entry&, const Entry&) = default;
};

// What an entry counts for in limits of bytes: its payload and a fixed overhead.
inline uint64_t cost(const Entry& entry) { return entry.payload.size() + 64; }

// current_term and voted_for, always persisted together (Figure 2).
struct HardState {
  Term current_term;
  NodeId voted_for;
  friend bool operator==(const HardState&, const HardState&) = default;
};

enum class Role : uint8_t { follower, pre_candidate, candidate, leader };
const char* to_string(Role role);

}  // namespace wh::raft
