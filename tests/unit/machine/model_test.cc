#include "model.h"

#include "../../rounds.h"
#include "base/hash.h"

using namespace wh::machine;
using namespace wh::machine::test;

TEST_CASE("a random history means to the machine what it means to the model") {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    Source source(seed, seed <= 30 ? wh::kFirstVersion : wh::kLatestVersion);
    Model model;
    Machine machine;
    for (int i = 0; i < 1500; ++i) {
      source.step(model, machine);
      if (i % 50 == 0) REQUIRE(same(model, machine));
    }
    REQUIRE(same(model, machine));
  }
}

// HAZARDS F6, F12, E11: the snapshot is the state at its beginning, whatever is applied while it is written; and a
// machine that goes on from it stays equal to one that never stopped, sessions included.
TEST_CASE("HAZARDS F6 F12: a snapshot taken during mutations is the state at its beginning") {
  uint64_t kept = 0;
  for (uint64_t seed = 100, end = 100 + wh::testing::rounds(60); seed < end; ++seed) {
    CAPTURE(seed);
    Source source(seed, seed % 2 == 0 ? wh::kFirstVersion : wh::kLatestVersion);
    wh::Prng& prng = source.prng();
    Model model;
    Machine machine;
    for (int round = 0; round < 6; ++round) {
      for (uint64_t i = prng.below(600); i > 0; --i) source.step(model, machine);

      const Model begun = model;
      const uint64_t digest = machine.digest();
      std::vector<Step> since;
      std::string snapshot;
      std::string slice;
      machine.begin_snapshot();
      const uint64_t largest = prng.chance_ppm(500'000) ? 300 : 6000;
      const uint64_t busy = prng.below(12);
      for (;;) {
        for (uint64_t i = prng.below(busy + 1); i > 0; --i) since.push_back(source.step(model, machine));
        kept += machine.snapshot_kept_bytes();
        const size_t max_bytes = prng.between(1, largest);
        if (!machine.next_slice(max_bytes, slice)) break;
        REQUIRE(slice.size() < max_bytes + kMaxKeyBytes + 64);
        snapshot += slice;
      }
      CHECK(slice.empty());
      CHECK_FALSE(machine.snapshot_running());
      REQUIRE(same(model, machine));

      auto loaded = load(snapshot, prng.between(1, 3000));
      REQUIRE_MESSAGE(loaded.ok(), loaded.error());
      Machine other;
      other.replace(std::move(*loaded));
      REQUIRE(same(begun, other));
      REQUIRE(other.digest() == digest);
      for (const Step& step : since) {
        const wh::raft::Index next = other.applied() + 1;
        if (step.noop)
          other.advance(next, step.time_ms);
        else if (step.raises_to != 0)
          other.raise_version(next, step.time_ms, step.raises_to);
        else
          other.apply(next, step.time_ms, step.command);
      }
      REQUIRE(same(model, other));
      REQUIRE(other.digest() == machine.digest());
      REQUIRE(other.logical_bytes() == machine.logical_bytes());
    }
  }
  CHECK(kept > 0);
}

TEST_CASE("HAZARDS B15: a history has one digest, on every machine and in every version") {
  Source source(7);
  Model model;
  Machine machine;
  for (int i = 0; i < 2000; ++i) source.step(model, machine);
  const std::string snapshot = snapshot_of(machine);
  CHECK(machine.digest() == 3554665501891475694ULL);
  CHECK(wh::hash64(snapshot) == 6093355020429085999ULL);
}
