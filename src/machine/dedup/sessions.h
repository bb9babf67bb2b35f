// Which requests have taken effect: for each origin its epoch and a sliding window over its sequences (thesis 6.3).
// Part of the state: in its digest and its snapshots (HAZARDS E11). Only the log decides what is forgotten, never a
// clock (HAZARDS E10).
#pragma once

#include <array>
#include <cstdint>
#include <map>

#include "base/bytes.h"
#include "machine/command/command.h"
#include "raft/types.h"

namespace wh::machine {

class Sessions {
 public:
  static constexpr uint64_t kWindow = 1024;   // sequences, counted back from the highest seen
  static constexpr size_t kMaxOrigins = 256;  // with more, the least recently used is forgotten
  static constexpr size_t kRecordBytes = 32 + kWindow / 8;

  // Whether a request may take effect: true once for each, which is remembered as of `now`. False changes nothing: the
  // request was seen, its epoch is over, or it lies below the window, so that it may have been seen.
  bool admit(const RequestId& id, raft::Index now);

  [[nodiscard]] size_t size() const { return origins_.size(); }
  [[nodiscard]] uint64_t digest() const { return digest_; }

  // Writes size() times `prefix` and a record of kRecordBytes, in the order of origins.
  void encode(uint8_t prefix, Writer& out) const;
  // Adds a session from its record. Returns false, and adds nothing, when no machine at `applied` can have written it.
  bool load(std::string_view record, raft::Index applied);

 private:
  struct Session {
    uint64_t epoch = 0;
    uint64_t highest = 0;
    raft::Index last_used;
    std::array<uint64_t, kWindow / 64> seen{};  // bit (sequence % kWindow), for the kWindow sequences up to `highest`
    uint64_t digest = 0;                        // its summand of digest_
  };
  static void encode_one(raft::NodeId origin, const Session& session, Writer& out);
  static uint64_t digest_of(raft::NodeId origin, const Session& session);
  void forget_least_recently_used();

  std::map<raft::NodeId, Session> origins_;
  uint64_t digest_ = 0;  // the sum of all sessions' digests
};

}  // namespace wh::machine
