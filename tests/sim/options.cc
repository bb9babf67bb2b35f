#include "options.h"

#include "base/prng.h"

namespace wh::sim {

Options draw_options(uint64_t seed) {
  Prng prng(seed ^ 0x6f7074696f6e73ULL);
  const auto on = [&](uint32_t percent) { return prng.below(100) < percent; };
  const auto pick = [&](uint64_t low, uint64_t high) { return static_cast<uint32_t>(prng.between(low, high)); };
  Options o;
  const uint32_t story = pick(0, 9);
  o.story = story < 6 ? Story::formed : story < 8 ? Story::listed : Story::lone;
  const uint32_t size = pick(0, 99);
  o.nodes = size < 4 ? 1 : size < 8 ? 2 : size < 55 ? 3 : size < 65 ? 4 : size < 95 ? 5 : 7;
  o.election_timeout_ms = pick(100, 400);
  o.heartbeat_interval_ms = o.election_timeout_ms / pick(4, 10);
  o.request_timeout_ms = pick(1, 8) * o.election_timeout_ms;
  o.snapshot_entries = on(60) ? pick(5, 60) : pick(60, 500);
  o.trailing_entries = on(50) ? pick(0, 3) : pick(3, 100);
  if (on(40)) o.log_cache_bytes = pick(100, 4000);
  if (on(20)) o.max_uncommitted_bytes = pick(200, 2000);
  o.slice_bytes = pick(64, 4096);
  o.chunk_bytes = on(50) ? pick(64, 1024) : 64 << 10;
  if (on(50)) o.tail_bytes = pick(0, 2000);
  o.chaos_ms = pick(6'000, 10'000);

  o.latency_us = pick(50, 2'000);
  o.jitter_us = on(30) ? o.election_timeout_ms * pick(100, 400) : pick(100, 10'000);
  o.stall_ms = pick(1, 10) * o.election_timeout_ms;
  if (on(30)) o.loss_ppm = pick(1'000, 60'000);
  if (on(40)) o.duplicate_ppm = pick(10'000, 150'000);
  if (on(30)) o.reorder_ppm = pick(10'000, 100'000);
  o.sync_us = pick(50, 3'000);
  o.sync_jitter_us = on(30) ? o.election_timeout_ms * pick(100, 300) : pick(100, 5'000);
  if (on(20)) o.corrupt_chunk_ppm = pick(1'000, 50'000);

  if (on(50)) o.crash_every_ms = pick(300, 3'000);
  if (on(15)) o.power_cut_every_ms = pick(1'500, 6'000);
  if (on(60)) o.partition_every_ms = pick(200, 2'000);
  if (on(30)) o.clog_every_ms = pick(200, 2'000);
  if (on(40)) o.break_every_ms = pick(50, 1'000);
  if (on(35)) o.pause_every_ms = pick(300, 2'000);
  if (on(30)) o.disk_stall_every_ms = pick(300, 2'000);
  if (on(25)) o.wipe_every_ms = pick(1'000, 4'000);
  if (on(30)) {
    o.churn_every_ms = pick(200, 1'500);
    o.spares = pick(0, 2);
  }
  if (on(30)) o.transfer_every_ms = pick(200, 2'000);
  if (on(25)) o.depose_every_ms = pick(1'000, 4'000);
  if (on(35)) o.crash_after_vote_ppm = pick(20'000, 300'000);
  if (on(35)) o.crash_before_sync_ppm = pick(1'000, 30'000);
  if (on(35)) o.crash_after_append_ppm = pick(1'000, 30'000);
  if (on(35)) o.crash_before_answer_ppm = pick(1'000, 30'000);

  o.clients = pick(1, 6);
  o.pipelined = on(30) ? pick(2, 8) : 1;
  o.think_ms = pick(2, 60);
  o.keys = pick(1, 8);

  if (on(25)) o.slow_bytes_per_ms = pick(60, 300);
  if (on(30)) o.cut_transfer_every_ms = pick(20, 400);
  if (on(30)) o.event_bytes = pick(500, 4'000);
  if (on(20)) o.snapshot_rate = pick(100'000, 2'000'000);
  return o;
}

std::string describe(const Options& o) {
  static constexpr const char* kStories[] = {"formed", "listed", "lone"};
  std::string out = std::string("story=") + kStories[static_cast<size_t>(o.story)];
  const auto add = [&](const char* name, uint64_t value) {
    if (value != 0) out += std::string(" ") + name + "=" + std::to_string(value);
  };
  add("nodes", o.nodes);
  add("spares", o.spares);
  add("election_timeout_ms", o.election_timeout_ms);
  add("heartbeat_interval_ms", o.heartbeat_interval_ms);
  add("request_timeout_ms", o.request_timeout_ms);
  add("snapshot_entries", o.snapshot_entries);
  add("trailing_entries", o.trailing_entries);
  add("log_cache_bytes", o.log_cache_bytes);
  add("chunk_bytes", o.chunk_bytes);
  add("chaos_ms", o.chaos_ms);
  add("latency_us", o.latency_us);
  add("jitter_us", o.jitter_us);
  add("stall_ms", o.stall_ms);
  add("loss_ppm", o.loss_ppm);
  add("duplicate_ppm", o.duplicate_ppm);
  add("reorder_ppm", o.reorder_ppm);
  add("sync_us", o.sync_us);
  add("sync_jitter_us", o.sync_jitter_us);
  add("corrupt_chunk_ppm", o.corrupt_chunk_ppm);
  add("crash_every_ms", o.crash_every_ms);
  add("power_cut_every_ms", o.power_cut_every_ms);
  add("partition_every_ms", o.partition_every_ms);
  add("clog_every_ms", o.clog_every_ms);
  add("break_every_ms", o.break_every_ms);
  add("pause_every_ms", o.pause_every_ms);
  add("disk_stall_every_ms", o.disk_stall_every_ms);
  add("wipe_every_ms", o.wipe_every_ms);
  add("churn_every_ms", o.churn_every_ms);
  add("transfer_every_ms", o.transfer_every_ms);
  add("depose_every_ms", o.depose_every_ms);
  add("crash_after_vote_ppm", o.crash_after_vote_ppm);
  add("crash_before_sync_ppm", o.crash_before_sync_ppm);
  add("crash_after_append_ppm", o.crash_after_append_ppm);
  add("crash_before_answer_ppm", o.crash_before_answer_ppm);
  add("slow_bytes_per_ms", o.slow_bytes_per_ms);
  add("cut_transfer_every_ms", o.cut_transfer_every_ms);
  add("event_bytes", o.event_bytes);
  add("snapshot_rate", o.snapshot_rate);
  add("clients", o.clients);
  add("pipelined", o.pipelined);
  return out;
}

}  // namespace wh::sim
