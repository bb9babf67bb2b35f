// How often this server began elections, lost them and stepped down, and why the last time: for operators. Plain values
// that the core fills in beside its log lines and never reads.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace wh::raft {

// Why an election began.
enum class ElectionCause : uint8_t {
  start,         // no leader made itself known since the start
  silence,       // the leader was silent for an election timeout
  leaderless,    // the term has no leader, or lost it in another way
  process_gone,  // the leader's process died: its address refuses connections
  transfer,      // the leader asked for it
  alone,         // the only voter
};
inline constexpr size_t kElectionCauses = 6;

enum class StepDownCause : uint8_t {
  higher_term,   // another server is in a later term
  no_quorum,     // too few voters answered for an election timeout
  disk_stalled,  // a sync takes longer than an election timeout
  stood_still,   // the process stood still for longer than that
  removed,       // this server is no longer a voter
};
inline constexpr size_t kStepDownCauses = 5;

struct ElectionFigures {
  std::array<uint64_t, kElectionCauses> begun{};         // by cause; repeated requests belong to the same election
  std::array<uint64_t, kStepDownCauses> stepped_down{};  // by cause
  uint64_t won = 0;
  uint64_t lost = 0;           // candidacies that timed out, or met a leader or a later term
  std::string last_election;   // its cause, as a sentence; empty: none yet
  std::string last_step_down;  // likewise
};

}  // namespace wh::raft
