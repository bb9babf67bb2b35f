// What one seed's run is made of: drawn from the seed alone, so that a seed names a run for ever. Swarm testing: each
// kind of fault is on or off, and at a rate of its own, per seed (HAZARDS 2).
#pragma once

#include <cstdint>
#include <string>

namespace wh::sim {

// How the cluster comes to be.
enum class Story : uint8_t {
  formed,  // the disks hold one configuration of all nodes already
  listed,  // every node starts empty with the same `join` list
  lone,    // every node starts alone; an administrator adds the others to the first
};

struct Options {
  Story story = Story::formed;
  uint32_t nodes = 3;
  uint32_t spares = 0;  // start alone, may be added later
  uint32_t election_timeout_ms = 200;
  uint32_t heartbeat_interval_ms = 20;
  uint32_t request_timeout_ms = 1000;
  uint64_t snapshot_entries = 100;
  uint64_t trailing_entries = 10;
  uint64_t log_cache_bytes = 1 << 20;
  uint64_t max_uncommitted_bytes = 64 << 20;
  uint64_t slice_bytes = 4 << 10;
  uint64_t chunk_bytes = 4 << 10;
  uint64_t tail_bytes = 1 << 20;
  uint32_t chaos_ms = 8'000;

  // network
  uint32_t latency_us = 500;       // at least
  uint32_t jitter_us = 2'000;      // on top of it, at most
  uint32_t stall_ms = 1'000;       // an unanswered connection breaks after this
  uint32_t loss_ppm = 0;           // of single messages: beyond what TCP can do
  uint32_t duplicate_ppm = 0;      // likewise
  uint32_t reorder_ppm = 0;        // likewise
  uint32_t slow_bytes_per_ms = 0;  // what the first node's links carry, each way and for good; 0: all
  // disk
  uint32_t sync_us = 300;
  uint32_t sync_jitter_us = 2'000;
  uint32_t corrupt_chunk_ppm = 0;

  // faults: mean time between two, 0: off
  uint32_t crash_every_ms = 0;
  uint32_t power_cut_every_ms = 0;
  uint32_t partition_every_ms = 0;
  uint32_t clog_every_ms = 0;
  uint32_t break_every_ms = 0;
  uint32_t pause_every_ms = 0;
  uint32_t disk_stall_every_ms = 0;
  uint32_t wipe_every_ms = 0;
  uint32_t churn_every_ms = 0;
  uint32_t transfer_every_ms = 0;
  uint32_t depose_every_ms = 0;
  uint32_t cut_transfer_every_ms = 0;  // the connection over which a snapshot goes
  // aimed crashes: the chance at each such moment
  uint32_t crash_after_vote_ppm = 0;
  uint32_t crash_before_sync_ppm = 0;
  uint32_t crash_after_append_ppm = 0;
  uint32_t crash_before_answer_ppm = 0;

  uint32_t clients = 4;
  uint32_t pipelined = 1;  // operations a client has under way
  uint32_t think_ms = 20;
  uint32_t keys = 5;
  uint32_t event_bytes = 40;  // at most, about
  uint64_t snapshot_rate = 0;
};

Options draw_options(uint64_t seed);
std::string describe(const Options& options);

}  // namespace wh::sim
