#include "sim/world/process.h"

#include <utility>

#include "sim/checks/checks.h"
#include "sim/checks/conduct.h"
#include "sim/checks/watch.h"
#include "sim/clients/clients.h"
#include "sim/clients/queue_clients.h"
#include "sim/clients/store_clients.h"
#include "sim/clients/watchers.h"
#include "sim/world/world.h"

namespace wh::sim {
namespace {
// Timer wake-ups in a second; more than heartbeats to seven nodes can explain: the loop spins.
constexpr uint64_t kMaxWakeups = 900;
constexpr node::Token kInternal = node::Token{1} << 63;  // of what a node asks for itself (node/receives.h)
}  // namespace

Process::Process(World& world, Host& host)
    : world_(world), host_(host), storage_(world, host), transport_(world, host) {}

void Process::begin() {
  const Options& o = world_.options;
  node::NodeOptions options;
  options.name = host_.name;
  options.raft_address = host_.address;
  options.join = host_.join;
  options.own = host_.own;
  options.version = host_.version;
  options.overview_interval_ms = 0;  // it changes nothing; the seeds keep the runs that they had without it
  options.bootstrap_expect = o.bootstrap_expect;
  for (uint8_t& byte : options.fresh_cluster) byte = static_cast<uint8_t>(world_.prng.next());
  options.seed = world_.prng.next();
  options.heartbeat_interval_ms = o.heartbeat_interval_ms;
  options.election_timeout_ms = o.election_timeout_ms;
  options.request_timeout_ms = o.request_timeout_ms;
  options.snapshot_entries = o.snapshot_entries;
  options.log_cache_bytes = o.log_cache_bytes;
  options.max_uncommitted_bytes = o.max_uncommitted_bytes;
  options.trailing_entries = o.trailing_entries;
  options.snapshot_slice_bytes = o.slice_bytes;
  options.snapshot_chunk_bytes = o.chunk_bytes;
  options.max_chunk_bytes = o.chunk_bytes;
  options.snapshot_rate = o.snapshot_rate;
  if (o.snapshot_bytes != 0) options.snapshot_bytes = o.snapshot_bytes;
  if (o.max_pending != 0) options.max_pending = o.max_pending;
  if (o.apply_bytes_per_turn != 0) options.apply_bytes_per_turn = o.apply_bytes_per_turn;
  if (o.max_append_bytes != 0) options.max_append_bytes = o.max_append_bytes;
  if (o.max_in_flight_messages != 0) options.max_in_flight_messages = o.max_in_flight_messages;
  if (o.max_in_flight_bytes != 0) options.max_in_flight_bytes = o.max_in_flight_bytes;
  if (o.watch_history_bytes != 0) options.watch_history_bytes = o.watch_history_bytes;
  // At the end there must be room for the write that shows progress.
  if (world_.chaos) options.maxmemory_bytes = o.maxmemory_bytes;
  node::RecoveredNode recovered = recover(host_.disk, host_.name, o.tail_bytes);
  world_.checks->started(host_, recovered);
  world_.conduct->started(host_, recovered);
  node_.emplace(std::move(options), std::move(recovered), storage_, transport_, now());
  plan_turn(0);
}

void Process::die() {
  storage_.die();
  transport_.die();
}

void Process::input(std::function<void()> what) {
  if (paused_) {
    inbox_.push_back(std::move(what));
    return;
  }
  what();
  looked(false);
  plan_turn(world_.prng.below(200));
}

void Process::resume() {
  if (!paused_) return;
  paused_ = false;
  // The loop reads the sockets before the timer acts (HAZARDS A12).
  world_.conduct->catches_up(host_, false);
  for (std::function<void()>& what : std::exchange(inbox_, {})) {
    what();
    looked(false);
  }
  world_.conduct->catches_up(host_, true);
  plan_turn(0);
}

void Process::looked(bool whole_turn) {
  world_.watch->looked(host_);
  world_.checks->looked(host_, whole_turn);
  world_.conduct->looked(host_, whole_turn);
  if (host_.fuse == 0 || --host_.fuse != 0 || doomed) return;
  ++world_.seen[Situation::crashed_at_event];
  world_.crash_soon(host_, "at this event");
  world_.restart(host_, world_.prng.below(2) == 0 ? world_.prng.below(20'000) : world_.prng.below(1'000'000));
}

void Process::end(const char* why, uint64_t restart_us) {
  if (std::exchange(ended, true)) return;
  doomed = true;
  world_.crash_soon(host_, why);
  world_.restart(host_, restart_us);
}

Millis Process::now() const { return world_.now(host_); }

void Process::clock_jumped() {
  ++timer_number_;
  timer_at_ = kNever;
  plan_timer();
}

void Process::snapshot_now() {
  const node::NodeOptions& o = node_->options();
  node_->set_snapshot_limits(1, o.snapshot_bytes, o.snapshot_rate);
  plan_turn(0);
  world_.after(world_.prng.below(20'000), host_, [this] {
    const node::NodeOptions& now = node_->options();
    node_->set_snapshot_limits(world_.options.snapshot_entries, now.snapshot_bytes, now.snapshot_rate);
  });
}

void Process::plan_turn(uint64_t delay_us) {
  if (turn_planned_) return;
  turn_planned_ = true;
  world_.after(delay_us, host_, [this] { turn(); });
}

void Process::turn() {
  turn_planned_ = false;
  if (paused_) return;
  if (std::exchange(timer_fired_, false)) node_->tick(now());
  node_->set_clock(world_.wall(host_), now());
  node_->drain(now());
  transport_.turned();
  looked(true);
  world_.queue_clients->looked(host_);
  world_.watchers->looked(host_);
  world_.digest(host_.number, node_->machine().applied().value);
  if (!doomed) {
    for (const node::Completion& completion : node_->take_completions()) {
      if (completion.token >= kInternal) continue;
      if (QueueClients::owns(completion.token)) {
        world_.queue_clients->completed(host_, completion);
        continue;
      }
      if (StoreClients::owns(completion.token)) {
        world_.store_clients->completed(host_, completion);
        continue;
      }
      if (Watchers::owns(completion.token)) {
        world_.watchers->completed(host_, completion);
        continue;
      }
      world_.watch->completed(host_, completion);
      world_.checks->completed(host_, completion);
      world_.conduct->completed(host_, completion);
      world_.clients->completed(host_, completion);
    }
  }
  if (node_->wants_turn()) plan_turn(10);
  plan_timer();
}

void Process::plan_timer() {
  const Millis deadline = node_->next_deadline();
  if (deadline == kNever || (deadline == timer_at_ && timer_number_ != 0)) return;
  timer_at_ = deadline;
  const uint64_t number = ++timer_number_;
  const uint64_t until_us = host_.clock.until(world_.now_us(), deadline);
  const uint64_t delay_us = until_us > 0 ? until_us : 300;
  world_.after(delay_us, host_, [this, number] {
    if (number != timer_number_) return;
    timer_at_ = kNever;
    if (now() >= wakeups_since_ + 1'000) {
      wakeups_since_ = now();
      wakeups_ = 0;
    }
    if (++wakeups_ > kMaxWakeups) world_.fail(host_.name + " spins: its timer is always due");
    timer_fired_ = true;
    plan_turn(0);
  });
}

}  // namespace wh::sim
