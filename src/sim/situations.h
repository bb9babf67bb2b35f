// What a campaign of many seeds must have met: each situation is counted where it comes up, and one that never came up
// says that the simulator no longer reaches what it was built to reach (HAZARDS 10, "sometimes").
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace wh::sim {

// X(name, what it says in the figures)
#define WH_SITUATIONS(X)                                              \
  X(elected, "a leader was elected")                                  \
  X(founded, "a cluster was founded")                                 \
  X(adopted, "a node was taken into a cluster")                       \
  X(truncation, "a log was truncated")                                \
  X(truncation_of_several, "several entries were truncated at once")  \
  X(configuration_rolled_back, "a configuration was rolled back")     \
  X(snapshot_taken, "a snapshot was taken")                           \
  X(snapshot_sent, "a snapshot was sent")                             \
  X(snapshot_resumed, "a snapshot's transfer was resumed")            \
  X(snapshot_restarted, "a snapshot's transfer began anew")           \
  X(snapshot_cut_off, "a snapshot's transfer was cut off")            \
  X(snapshot_kept, "a replaced snapshot was kept for a transfer")     \
  X(snapshot_installed, "a snapshot was installed")                   \
  X(snapshot_kept_suffix, "a snapshot was installed before a suffix") \
  X(duplicate_recognised, "a repeated command was recognised")        \
  X(knows_removed, "a node knew that it was removed")                 \
  X(stopped_cleanly, "a node was stopped cleanly")                    \
  X(disk_replaced, "a disk was replaced")                             \
  X(asked_again, "a client asked again")                              \
  X(set_again, "a set took effect twice, as it was asked twice")      \
  X(removal_refused, "a removal by id was refused")                   \
  X(removed_by_id, "an event was removed by its id")                  \
  X(read_old_state, "a stale read saw an old state")                  \
  X(read_at_follower, "a follower answered a linearizable read")

enum class Situation : uint8_t {
#define WH_SITUATION(name, text) name,
  WH_SITUATIONS(WH_SITUATION)
#undef WH_SITUATION
      count
};

constexpr size_t kSituations = static_cast<size_t>(Situation::count);

constexpr std::array<const char*, kSituations> kSituationNames = {
#define WH_SITUATION(name, text) text,
    WH_SITUATIONS(WH_SITUATION)
#undef WH_SITUATION
};

struct Situations {
  std::array<uint64_t, kSituations> times{};
  uint64_t& operator[](Situation situation) { return times[static_cast<size_t>(situation)]; }
  Situations& operator+=(const Situations& other) {
    for (size_t i = 0; i < kSituations; ++i) times[i] += other.times[i];
    return *this;
  }
};

}  // namespace wh::sim
