// Cluster time: each leader's stamps go on from what it knows of the time of the leaders before it, and never from what
// a leader before these had told: deadlines that were set meanwhile would be over too early (HAZARDS S1).
#include <doctest/doctest.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "support.h"

namespace wh::raft {
namespace {

constexpr Millis kHour = 3'600'000;

void hears(Cluster& c, Id leader, uint64_t term, uint64_t prev, Millis time) {
  AppendEntries heartbeat = append(term, prev, 1);
  heartbeat.time_ms = time;
  c.receive(1, leader, heartbeat);
}

// The stamp of its first entry as leader of this term.
Millis leads_in(Cluster& c, uint64_t term) {
  c.timeout(1);
  for (const Id other : {2, 3}) c.receive(1, other, grant(term, true));
  for (const Id other : {2, 3}) c.receive(1, other, grant(term));
  REQUIRE(c.raft(1).role() == Role::leader);
  return c.raft(1).log().last_time_ms();
}

}  // namespace

TEST_CASE("a new leader goes on from the time that the leader before it told") {
  Cluster c;
  lone(c, {1}, 1);
  hears(c, 2, 1, 1, kHour);
  CHECK(leads_in(c, 2) >= kHour);
}

TEST_CASE("a time that was heard before a snapshot of a later term does not count") {
  Cluster c;
  lone(c, {1}, 1);
  hears(c, 2, 1, 1, kHour);
  // The leader of term 2 was told nothing of that hour, and only its snapshot comes.
  std::string bytes;
  Writer w(bytes);
  w.u64(4);
  for (uint64_t i = 1; i <= 4; ++i) {
    const Entry e = entry_of(i, 2);
    w.u64(2);
    w.u8(static_cast<uint8_t>(e.kind));
    w.u64(e.time_ms);
    w.bytes(e.payload.view());
  }
  SnapshotMeta meta{.index = Index{4},
                    .term = Term{2},
                    .configuration_index = Index{0},
                    .configuration = configuration_of({1, 2, 3}),
                    .time_ms = 60'000};
  meta.size = bytes.size();
  meta.crc = crc32c(bytes);
  c.receive(1, 3, InstallSnapshot{.term = Term{2}, .meta = meta, .offset = 0, .data = Bytes(bytes), .done = true});
  REQUIRE(c.raft(1).log().base_index() == Index{4});
  const Millis first = leads_in(c, 3);
  CHECK(first >= 60'000);
  CHECK(first < kHour);
}

TEST_CASE("a leader that leads again goes on from its own time, though nothing was appended") {
  Cluster c;
  lead(c, {}, 1);
  const Millis before = c.raft(1).log().last_time_ms();
  c.run(60);
  REQUIRE(c.raft(1).role() == Role::leader);
  c.receive(1, 2, grant(4));  // somebody is in a later term
  REQUIRE(c.raft(1).role() == Role::follower);
  CHECK(leads_in(c, 5) >= before + 60);
}

}  // namespace wh::raft
