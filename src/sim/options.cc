#include "sim/options.h"

#include <charconv>
#include <iterator>
#include <type_traits>

#include "base/prng.h"

namespace wh::sim {

namespace {

// Returns the seed's mood, 0 to 99.
uint32_t draw_more(Prng& prng, Options& o) {
  const auto on = [&](uint32_t percent) { return prng.below(100) < percent; };
  const auto pick = [&](uint64_t low, uint64_t high) { return static_cast<uint32_t>(prng.between(low, high)); };
  if (on(15)) o.snapshot_bytes = pick(2'000, 40'000);
  if (on(8)) o.maxmemory_bytes = pick(500, 20'000);
  if (on(12)) o.max_pending = pick(2, 20);
  if (on(25)) {
    o.drift_percent = pick(101, 200);
    // Otherwise the slowest leader's heartbeats come too late for the fastest clock.
    o.heartbeat_interval_ms = o.election_timeout_ms / 10;
  }
  if (on(25)) o.crash_at_event_every_ms = pick(300, 2'000);
  if (on(20)) o.freeze_leader_every_ms = pick(600, 3'000);
  if (on(25)) o.hold_every_ms = pick(300, 2'000);
  if (on(20)) o.flap_every_ms = pick(500, 2'000);
  if (on(15)) o.fail_write_every_ms = pick(600, 3'000);
  if (on(15)) o.fail_sync_every_ms = pick(600, 3'000);
  if (on(20)) {
    o.damage_every_ms = pick(300, 2'000);
    if (on(70)) o.log_cache_bytes = pick(100, 1'000);
  }
  if (on(15)) o.put_back_every_ms = pick(100, 600);
  if (on(15)) o.clock_jump_every_ms = pick(500, 3'000);
  if (on(15)) o.snapshot_now_every_ms = pick(100, 1'000);
  if (on(10) && o.nodes + o.spares >= 3) o.remove_isolated_every_ms = pick(2'000, 5'000);
  if (on(15) && o.nodes >= 3) {
    o.strand_every_ms = pick(1'500, 4'000);
    if (on(60)) o.trailing_entries = pick(0, 3);
  }
  if (on(25)) o.echo_ppm = pick(10'000, 200'000);
  // Many keys give snapshots many slices.
  if (on(12)) o.keys = pick(50, 400);
  // Some seeds have only aimed faults, or none at all: those reach situations that need long progress.
  const uint32_t mood = pick(0, 99);
  if (mood < 12) {
    each_option(o, [&](std::string_view, auto& value, OptionKind kind) {
      if (kind == OptionKind::fault && value != 0) value = mood < 4 ? 0 : 4 * value;
    });
  }
  if (mood >= 92) return mood;
  if (on(20)) o.cut_after_append_ppm = pick(1'000, 20'000);
  if (on(20)) o.strike_after_ack_ppm = pick(1'000, 20'000);
  if (on(20)) o.cut_quorum_ppm = pick(1'000, 20'000);
  if (on(20)) o.cut_at_commit_ppm = pick(1'000, 20'000);
  if (on(40)) o.split_in_change_ppm = pick(50'000, 400'000);
  if (on(40)) o.snapshot_in_change_ppm = pick(100'000, 800'000);
  if (on(40)) o.strike_in_transfer_ppm = pick(50'000, 400'000);
  if (on(20)) o.crash_new_leader_ppm = pick(20'000, 300'000);
  if (on(30)) o.crash_installing_ppm = pick(10'000, 200'000);
  if (on(20)) o.crash_after_forward_ppm = pick(2'000, 40'000);
  if (on(20)) o.crash_again_ppm = pick(50'000, 400'000);
  return mood;
}

// The newest options come last, so that earlier draws stay as they were.
void draw_last(Prng& prng, Options& o, uint32_t mood) {
  const auto on = [&](uint32_t percent) { return prng.below(100) < percent; };
  const auto pick = [&](uint64_t low, uint64_t high) { return static_cast<uint32_t>(prng.between(low, high)); };
  if (on(30)) o.max_append_bytes = pick(1, 3'000);
  if (on(30)) o.max_in_flight_messages = pick(1, 8);
  if (on(20)) o.max_in_flight_bytes = pick(1, 5'000);
  if (on(40) && o.spares > 0) o.foreign = 1;
  if (on(20)) o.stray_ppm = pick(50'000, 800'000);
  if (on(10)) o.wild_term_ppm = pick(100, 3'000);
  if (on(15) && mood >= 4) o.garbage_every_ms = pick(200, 2'000);
  if (o.spares == 0 || mood >= 92) return;
  if (on(60)) o.change_at_noop_ppm = pick(50'000, 600'000);
  if (on(50)) o.transfer_at_learner_ppm = pick(100'000, 1'000'000);
  if (o.transfer_at_learner_ppm != 0 && on(60)) o.stray_ppm = 1'000'000;
  if (on(30)) o.write_before_adopt_ppm = pick(100'000, 1'000'000);
}

// How the nodes of a list find each other.
void draw_lists(Prng& prng, Options& o) {
  const auto on = [&](uint32_t percent) { return prng.below(100) < percent; };
  const auto pick = [&](uint64_t low, uint64_t high) { return static_cast<uint32_t>(prng.between(low, high)); };
  if (o.story != Story::listed) return;
  o.own_entry = pick(0, 2);
  o.spelling = pick(0, 2);
  if (on(40)) o.own_name_local = 1;
  if (on(40)) o.no_hairpin = pick(1, 2);
  if (o.no_hairpin != 0 && o.nodes > 1 && on(50)) o.behind_nat = 1;
  if (on(30)) o.twice = 1;
  if (on(25)) o.one_name = 1;
  if (o.one_name != 0 || on(20)) o.bootstrap_expect = pick(o.nodes / 2 + 1, o.nodes);
  if (on(30)) o.alone_ms = pick(1'000, 60'000);
  if (on(30)) o.late_names_ms = pick(500, 10'000);
  if (on(15) && o.nodes >= 3) o.wipe_most = 1;
  // With fewer, the nodes that lost their disks might be enough to found a cluster.
  if (o.wipe_most != 0 && o.bootstrap_expect != 0) o.bootstrap_expect = o.nodes;
}

// One member breaks the rules.
void draw_liar(Prng& prng, Options& o) {
  if (prng.below(100) < 20) o.lie_every_ms = static_cast<uint32_t>(prng.between(100, 2'000));
}

// Nodes of two releases, idempotency keys and wall clocks.
void draw_versions(Prng& prng, Options& o) {
  const auto on = [&](uint32_t percent) { return prng.below(100) < percent; };
  const auto pick = [&](uint64_t low, uint64_t high) { return static_cast<uint32_t>(prng.between(low, high)); };
  // A cluster of a newer version takes in no node of an old release: that story would never begin.
  if (on(40)) o.old_releases = o.story == Story::formed ? pick(1, 2) : 1;
  if (o.old_releases != 0 && on(85)) o.upgrade_every_ms = pick(200, 1'500);
  if (on(30)) o.wrong_clock = pick(1, 2);
  if (on(60)) o.keyed_percent = pick(20, 100);
  if (on(30)) o.dedup_window_ms = pick(1'000, 3'000);
  if (on(15)) o.dedup_max_keys = pick(1, 20);
}

void draw_queues(Prng& prng, Options& o) {
  const auto on = [&](uint32_t percent) { return prng.below(100) < percent; };
  const auto pick = [&](uint64_t low, uint64_t high) { return static_cast<uint32_t>(prng.between(low, high)); };
  if (on(65)) o.queue_clients = pick(1, 5);
  o.queue_think_ms = pick(10, 60);
  o.queue_wait_ms = on(50) ? pick(1'500, 4'000) : pick(100, 1'500);
}

void draw_store(Prng& prng, Options& o) {
  const auto on = [&](uint32_t percent) { return prng.below(100) < percent; };
  const auto pick = [&](uint64_t low, uint64_t high) { return static_cast<uint32_t>(prng.between(low, high)); };
  if (!on(60)) return;
  o.store_clients = pick(1, 4);
  o.store_think_ms = pick(10, 60);
  if (on(70)) o.watchers = pick(1, 4);
  if (on(60)) o.watch_history_bytes = pick(600, 20'000);
}

}  // namespace

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
  draw_last(prng, o, draw_more(prng, o));
  draw_lists(prng, o);
  draw_liar(prng, o);
  draw_versions(prng, o);
  draw_queues(prng, o);
  draw_store(prng, o);
  if (on(30)) o.apply_bytes_per_turn = pick(1, 3'000);
  if (o.queue_clients != 0 && on(40)) o.queue_operators = pick(1, 2);
  return o;
}

namespace {
constexpr const char* kStories[] = {"formed", "listed", "lone"};

void add(std::string& out, std::string_view name, std::string_view value) {
  if (!out.empty()) out += ' ';
  out.append(name).append("=").append(value);
}
}  // namespace

std::string describe(const Options& options) {
  std::string out;
  add(out, "story", kStories[static_cast<size_t>(options.story)]);
  each_option(options, [&](std::string_view name, uint64_t value, OptionKind) {
    if (value != 0) add(out, name, std::to_string(value));
  });
  return out;
}

std::string difference(const Options& from, const Options& options) {
  std::string out;
  if (from.story != options.story) add(out, "story", kStories[static_cast<size_t>(options.story)]);
  each_option(options, [&](std::string_view name, uint64_t value, OptionKind) {
    each_option(from, [&](std::string_view other, uint64_t before, OptionKind) {
      if (name == other && value != before) add(out, name, std::to_string(value));
    });
  });
  return out;
}

Status set_option(Options& options, std::string_view assignment) {
  const size_t equals = assignment.find('=');
  if (equals == std::string_view::npos) return Error{"not of the form name=value: " + std::string(assignment)};
  const std::string_view name = assignment.substr(0, equals);
  const std::string_view value = assignment.substr(equals + 1);
  if (name == "story") {
    for (size_t i = 0; i < std::size(kStories); ++i) {
      if (value != kStories[i]) continue;
      options.story = static_cast<Story>(i);
      return ok_status();
    }
    return Error{"no such story: " + std::string(value) + " (formed, listed or lone)"};
  }
  Status set = Error{"no such option: " + std::string(name)};
  each_option(options, [&](std::string_view known, auto& field, OptionKind) {
    if (known != name) return;
    std::remove_reference_t<decltype(field)> number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    const bool whole = error == std::errc{} && end == value.data() + value.size() && !value.empty();
    if (whole) field = number;
    set = whole ? ok_status() : Error{std::string(name) + " wants a number, not \"" + std::string(value) + "\""};
  });
  return set;
}

}  // namespace wh::sim
