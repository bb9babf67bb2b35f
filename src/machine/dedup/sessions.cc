#include "machine/dedup/sessions.h"

#include <algorithm>

#include "base/hash.h"

namespace wh::machine {
namespace {

constexpr uint64_t kSessionSeed = 0x73657373696f6e73;  // "sessions"

uint64_t bit(uint64_t sequence) { return uint64_t{1} << (sequence % 64); }
size_t word(uint64_t sequence) { return (sequence % Sessions::kWindow) / 64; }

}  // namespace

bool Sessions::admit(const RequestId& id, raft::Index now) {
  const auto found = origins_.find(id.origin);
  if (found != origins_.end()) {
    const Session& known = found->second;
    if (id.epoch < known.epoch) return false;
    if (id.epoch == known.epoch && id.sequence <= known.highest) {
      if (known.highest - id.sequence >= kWindow) return false;
      if ((known.seen[word(id.sequence)] & bit(id.sequence)) != 0) return false;
    }
  } else if (origins_.size() == kMaxOrigins) {
    forget_least_recently_used();
  }

  Session& session = origins_[id.origin];
  digest_ -= session.digest;
  if (id.epoch > session.epoch) {
    session = Session{};
    session.epoch = id.epoch;
  }
  if (id.sequence > session.highest) {
    if (id.sequence - session.highest >= kWindow) {
      session.seen.fill(0);
    } else {
      for (uint64_t s = session.highest + 1; s != id.sequence; ++s) session.seen[word(s)] &= ~bit(s);
    }
    session.highest = id.sequence;
  }
  session.seen[word(id.sequence)] |= bit(id.sequence);
  session.last_used = now;
  session.digest = digest_of(id.origin, session);
  digest_ += session.digest;
  return true;
}

void Sessions::forget_least_recently_used() {
  const auto oldest = std::min_element(origins_.begin(), origins_.end(), [](const auto& a, const auto& b) {
    return a.second.last_used < b.second.last_used;
  });
  digest_ -= oldest->second.digest;
  origins_.erase(oldest);
}

void Sessions::encode_one(raft::NodeId origin, const Session& session, Writer& out) {
  out.u64(origin.value);
  out.u64(session.epoch);
  out.u64(session.highest);
  out.u64(session.last_used.value);
  for (const uint64_t bits : session.seen) out.u64(bits);
}

uint64_t Sessions::digest_of(raft::NodeId origin, const Session& session) {
  std::string record;
  record.reserve(kRecordBytes);
  Writer out(record);
  encode_one(origin, session, out);
  return hash64(record, kSessionSeed);
}

void Sessions::encode(uint8_t prefix, Writer& out) const {
  for (const auto& [origin, session] : origins_) {
    out.u8(prefix);
    encode_one(origin, session, out);
  }
}

bool Sessions::load(std::string_view record, raft::Index applied) {
  Reader in(record);
  const raft::NodeId origin{in.u64()};
  Session session;
  session.epoch = in.u64();
  session.highest = in.u64();
  session.last_used.value = in.u64();
  for (uint64_t& bits : session.seen) bits = in.u64();
  if (!in.complete() || !origin || session.highest == 0) return false;
  if (session.last_used.value == 0 || session.last_used > applied) return false;
  if ((session.seen[word(session.highest)] & bit(session.highest)) == 0) return false;
  // Below a full window, the bits above `highest` and the bit of sequence 0 must be zero.
  if (session.highest < kWindow) {
    if ((session.seen[0] & 1) != 0) return false;
    for (uint64_t s = session.highest + 1; s < kWindow; ++s)
      if ((session.seen[word(s)] & bit(s)) != 0) return false;
  }
  if (origins_.size() == kMaxOrigins) return false;
  session.digest = digest_of(origin, session);
  if (!origins_.emplace(origin, session).second) return false;
  digest_ += session.digest;
  return true;
}

}  // namespace wh::machine
