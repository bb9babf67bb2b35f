#include "machine/dedup/sessions.h"

#include <doctest/doctest.h>

using namespace wh::machine;
using wh::raft::Index;
using wh::raft::NodeId;

namespace {

RequestId id(uint64_t origin, uint64_t epoch, uint64_t sequence) { return {NodeId{origin}, epoch, sequence}; }

// The records, one after the other.
std::string records(const Sessions& sessions) {
  std::string out;
  wh::Writer w(out);
  sessions.encode('s', w);
  REQUIRE(out.size() == sessions.size() * (1 + Sessions::kRecordBytes));
  return out;
}
bool load_records(Sessions& sessions, const std::string& all, Index applied) {
  for (size_t at = 0; at < all.size(); at += 1 + Sessions::kRecordBytes)
    if (!sessions.load(std::string_view(all).substr(at + 1, Sessions::kRecordBytes), applied)) return false;
  return true;
}

}  // namespace

TEST_CASE("HAZARDS E9: a request takes effect once, in whatever order copies come") {
  Sessions sessions;
  uint64_t now = 0;
  for (const uint64_t sequence : {5, 1, 3, 2, 1000, 4, 999}) CHECK(sessions.admit(id(1, 1, sequence), Index{++now}));
  const uint64_t digest = sessions.digest();
  for (const uint64_t sequence : {1, 2, 3, 4, 5, 999, 1000})
    CHECK_FALSE(sessions.admit(id(1, 1, sequence), Index{++now}));
  CHECK(sessions.digest() == digest);
  CHECK(sessions.admit(id(2, 1, 5), Index{++now}));  // another origin's numbers are its own
}

TEST_CASE("the window slides with the highest sequence, and what lies below it is refused") {
  Sessions sessions;
  CHECK(sessions.admit(id(1, 1, 1), Index{1}));
  CHECK(sessions.admit(id(1, 1, 1024), Index{2}));
  CHECK_FALSE(sessions.admit(id(1, 1, 1), Index{3}));
  CHECK(sessions.admit(id(1, 1, 1025), Index{4}));     // takes the place of 1
  CHECK_FALSE(sessions.admit(id(1, 1, 1), Index{5}));  // below the window now
  CHECK(sessions.admit(id(1, 1, 2), Index{6}));        // the lowest within
  CHECK_FALSE(sessions.admit(id(1, 1, 1025), Index{7}));
  CHECK(sessions.admit(id(1, 1, 1030), Index{8}));  // 1026 to 1029 were skipped, and may still come
  CHECK_FALSE(sessions.admit(id(1, 1, 2), Index{9}));
  for (uint64_t s = 1026; s < 1030; ++s) CHECK(sessions.admit(id(1, 1, s), Index{s}));
  CHECK(sessions.admit(id(1, 1, 1'000'000), Index{2000}));  // a jump over the whole window
  CHECK(sessions.admit(id(1, 1, 999'999), Index{2001}));
  CHECK(sessions.admit(id(1, 1, 1'000'000 - 1023), Index{2002}));
  CHECK_FALSE(sessions.admit(id(1, 1, 1'000'000 - 1024), Index{2003}));
  CHECK(sessions.admit(id(1, 1, UINT64_MAX), Index{2004}));
  CHECK_FALSE(sessions.admit(id(1, 1, 1'000'001), Index{2005}));
}

TEST_CASE("a newer epoch begins anew, an older one is over") {
  Sessions sessions;
  CHECK(sessions.admit(id(1, 3, 500), Index{1}));
  CHECK_FALSE(sessions.admit(id(1, 2, 501), Index{2}));
  CHECK(sessions.admit(id(1, 4, 1), Index{3}));
  CHECK(sessions.admit(id(1, 4, 500), Index{4}));
  CHECK_FALSE(sessions.admit(id(1, 3, 502), Index{5}));
  CHECK(sessions.admit(id(2, 0, 1), Index{6}));  // the first epoch may be 0
  CHECK_FALSE(sessions.admit(id(2, 0, 1), Index{7}));
}

TEST_CASE("HAZARDS E10: beyond 256 origins the least recently used by log index is forgotten") {
  Sessions sessions;
  uint64_t now = 0;
  for (uint64_t origin = 1; origin <= 256; ++origin) CHECK(sessions.admit(id(origin, 1, 1), Index{++now}));
  CHECK(sessions.admit(id(1, 1, 2), Index{++now}));        // 1 is used again
  CHECK_FALSE(sessions.admit(id(2, 1, 1), Index{++now}));  // a refused copy is no use
  CHECK(sessions.admit(id(257, 1, 1), Index{++now}));
  CHECK(sessions.size() == 256);
  CHECK_FALSE(sessions.admit(id(1, 1, 1), Index{++now}));
  CHECK_FALSE(sessions.admit(id(3, 1, 1), Index{++now}));
  CHECK(sessions.admit(id(2, 1, 1), Index{++now}));  // forgotten, so it is new; and 3 had to go
  CHECK(sessions.admit(id(3, 1, 1), Index{++now}));
}

TEST_CASE("HAZARDS E11: sessions come back from their records, and their digest with them") {
  Sessions sessions;
  uint64_t now = 0;
  for (uint64_t origin = 1; origin <= 20; ++origin)
    for (uint64_t s = 1; s < 3000; s += origin * 7) sessions.admit(id(origin, origin, s), Index{++now});
  Sessions loaded;
  REQUIRE(load_records(loaded, records(sessions), Index{now}));
  CHECK(loaded.digest() == sessions.digest());
  CHECK(records(loaded) == records(sessions));
  for (uint64_t origin = 1; origin <= 20; ++origin)
    for (uint64_t s = 1; s < 3200; s += 5) {
      ++now;
      REQUIRE(loaded.admit(id(origin, origin, s), Index{now}) == sessions.admit(id(origin, origin, s), Index{now}));
    }
  CHECK(loaded.digest() == sessions.digest());
}

TEST_CASE("HAZARDS F9: records that no machine wrote are refused") {
  Sessions sessions;
  sessions.admit(id(1, 1, 70), Index{9});
  const std::string good = records(sessions).substr(1);
  const auto refused = [](std::string record, uint64_t applied = 9) {
    Sessions fresh;
    const bool taken = fresh.load(record, Index{applied});
    CHECK(taken == (fresh.size() == 1));
    return !taken;
  };
  const auto changed = [&](size_t at, char to) {
    std::string record = good;
    record[at] = to;
    return record;
  };
  CHECK_FALSE(refused(good));
  CHECK(refused(good, 8));                  // used after the snapshot
  CHECK(refused(changed(24, 0)));           // used at index 0
  CHECK(refused(changed(0, 0)));            // nobody's
  CHECK(refused(changed(16, 0)));           // highest 0
  CHECK(refused(changed(16, 69)));          // highest not seen
  CHECK(refused(changed(32, 1)));           // sequence 0 seen
  CHECK(refused(changed(32 + 8, '\xc0')));  // above highest
  CHECK(refused(changed(32 + 127, '\x80')));
  CHECK_FALSE(refused(changed(32 + 8, '\x60')));  // 69 seen too
  CHECK(refused(good.substr(1)));
  CHECK(refused(good + "x"));
  CHECK(refused(""));
  Sessions twice;
  CHECK(twice.load(good, Index{9}));
  CHECK_FALSE(twice.load(good, Index{9}));
  Sessions many;
  for (char origin = 1; many.size() < 100; ++origin) CHECK(many.load(changed(0, origin), Index{9}));
}
