// What a leader knows of one follower, and how much it may have in flight to it (etcd's three states:
// thesis 10.2.1, 3.5).
#pragma once

#include <algorithm>
#include <deque>
#include <utility>

#include "raft/messages.h"
#include "raft/pace.h"
#include "raft/types.h"

namespace wh::raft {

// probe: the follower's log is not known; one message at a time until one fits. replicate: pipelined, next_index runs
// ahead. snapshot: what it needs is compacted; chunks go until it has installed one.
enum class ProgressState : uint8_t { probe, replicate, snapshot };

struct Progress {
  NodeId id;
  ProgressState state = ProgressState::probe;
  Index match_index;  // only from successes of this term
  Index next_index;   // always above match_index
  bool probe_in_flight = false;
  Index probe_last;               // the last entry the probe carried (or its prev_log_index)
  Millis last_sent = 0;           // anything at all; heartbeats fill the gaps
  Millis last_contact = 0;        // a reply of this term arrived; 0: none yet
  uint64_t read_round = 0;        // the highest round it echoed in this term
  uint64_t round_sent = 0;        // the highest round sent to it
  Index commit_sent;              // the commit index it was last told
  bool no_room = false;           // its last answer said so
  bool waiting_for_load = false;  // entries behind the cache were asked of the storage

  struct InFlight {
    Index last;
    uint64_t bytes;
  };
  std::deque<InFlight> in_flight;
  uint64_t in_flight_bytes = 0;
  Pace pace;
  Millis moved_at = 0;  // when match_index or snapshot_offset last moved

  // snapshot: what is being sent, and how much of it the follower says that it has
  SnapshotMeta snapshot;
  uint64_t snapshot_offset = 0;
  bool offset_known = false;     // false: it is asked first, by an offer
  bool chunk_in_flight = false;  // or an offer
  Millis chunk_sent = 0;
  Millis snapshot_start = 0;
  uint64_t snapshot_sent = 0;  // bytes, those that were sent twice too

  // learner rounds (thesis 4.2.1): where the round must get to, and when it began
  Index round_target;
  Millis round_start = 0;
  bool caught_up = false;

  void become_probe() {
    state = ProgressState::probe;
    next_index = match_index + 1;
    probe_in_flight = false;
    clear_in_flight();
  }
  // `next`: one past what the follower is believed to hold; a wrong belief is refused and ends in a probe.
  void become_replicate(Index next) {
    state = ProgressState::replicate;
    next_index = std::max(next, match_index + 1);
    probe_in_flight = false;
    clear_in_flight();
  }
  void become_snapshot(SnapshotMeta meta, Millis now) {
    state = ProgressState::snapshot;
    snapshot = std::move(meta);
    snapshot_offset = 0;
    snapshot_start = moved_at = now;
    snapshot_sent = 0;
    ask_offset();
    clear_in_flight();
  }
  // Nothing that is under way counts any more.
  void ask_offset() {
    offset_known = false;
    chunk_in_flight = false;
  }
  void matched(Index match, Millis now) {
    if (match <= match_index) return;
    match_index = match;
    moved_at = now;
  }
  void clear_in_flight() {
    in_flight.clear();
    in_flight_bytes = 0;
  }
  void acknowledge(Index match) {
    while (!in_flight.empty() && in_flight.front().last <= match) {
      in_flight_bytes -= in_flight.front().bytes;
      in_flight.pop_front();
    }
  }
};

}  // namespace wh::raft
