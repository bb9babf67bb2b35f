// What a leader knows of one follower, and how much it may have in flight to it (etcd's three states: thesis 10.2.1,
// 3.5).
#pragma once

#include <algorithm>
#include <deque>
#include <utility>

#include "raft/messages.h"
#include "raft/pace.h"
#include "raft/types.h"

namespace wh::raft {

// probe: the follower's log is unknown; one message at a time until one fits. replicate: pipelined, next_index runs
// ahead. snapshot: the entries it needs are compacted; chunks are sent until it has installed one.
enum class ProgressState : uint8_t { probe, replicate, snapshot };

struct Progress {
  NodeId id;
  ProgressState state = ProgressState::probe;
  Index match_index;  // only from successes of this term
  Index next_index;   // always above match_index
  bool probe_in_flight = false;
  Index probe_last;               // the last entry the probe carried (or its prev_log_index)
  Millis last_sent = 0;           // when anything was sent; heartbeats fill the gaps
  Millis last_contact = 0;        // when a reply of this term arrived
  Millis answered = 0;            // when the newest message that it has answered was sent; in this term, by our clock
  uint64_t read_round = 0;        // the highest round it echoed in this term
  uint64_t round_sent = 0;        // the highest round sent to it
  Index commit_sent;              // the commit index it was last told
  bool no_room = false;           // its last reply said that its disk has no room
  bool waiting_for_load = false;  // the storage was asked for entries older than the cache

  struct InFlight {
    Index last;
    uint64_t bytes;
  };
  std::deque<InFlight> in_flight;
  uint64_t in_flight_bytes = 0;
  Pace pace;
  Millis moved_at = 0;  // when match_index or snapshot_offset last moved

  // snapshot: the one being sent, and how much of it the follower says it has
  SnapshotMeta snapshot;
  uint64_t snapshot_offset = 0;
  bool offset_known = false;     // false: an offer asks for it first
  bool chunk_in_flight = false;  // or an offer
  Millis chunk_sent = 0;
  Millis snapshot_start = 0;
  uint64_t snapshot_sent = 0;  // bytes, including those sent twice

  // learner rounds (thesis 4.2.1): the index a round must reach, and when it began
  Index round_target;
  Millis round_start = 0;
  bool caught_up = false;

  void become_probe() {
    state = ProgressState::probe;
    next_index = match_index + 1;
    probe_in_flight = false;
    clear_in_flight();
  }
  // `next`: one past what the follower is believed to hold; if that is wrong, the follower refuses and a probe follows.
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
  // Whatever is in flight no longer counts.
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
