#include "sim/process.h"

#include <utility>

#include "sim/checks.h"
#include "sim/clients.h"
#include "sim/world.h"

namespace wh::sim {
namespace {
// More wake-ups by its own timer in a second than heartbeats to seven nodes can explain: the loop spins.
constexpr uint64_t kMaxWakeups = 900;
}  // namespace

Process::Process(World& world, Host& host)
    : world_(world), host_(host), storage_(world, host), transport_(world, host) {}

void Process::begin() {
  const Options& o = world_.options;
  node::NodeOptions options;
  options.name = host_.name;
  options.raft_address = host_.address;
  options.join = host_.join;
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
  node::RecoveredNode recovered = recover(host_.disk, host_.name, o.tail_bytes);
  world_.checks->started(host_, recovered);
  node_.emplace(std::move(options), std::move(recovered), storage_, transport_, world_.now());
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
  world_.checks->looked(host_, false);
  plan_turn(world_.prng.below(200));
}

void Process::resume() {
  if (!paused_) return;
  paused_ = false;
  // What the sockets hold is read before the timer acts (HAZARDS A12).
  for (std::function<void()>& what : std::exchange(inbox_, {})) {
    what();
    world_.checks->looked(host_, false);
  }
  plan_turn(0);
}

void Process::plan_turn(uint64_t delay_us) {
  if (turn_planned_) return;
  turn_planned_ = true;
  world_.after(delay_us, host_, [this] { turn(); });
}

void Process::turn() {
  turn_planned_ = false;
  if (paused_) return;
  if (std::exchange(timer_fired_, false)) node_->tick(world_.now());
  node_->drain(world_.now());
  world_.checks->looked(host_, true);
  world_.digest(host_.number, node_->machine().applied().value);
  if (!doomed) {
    for (node::Completion& completion : node_->take_completions()) world_.clients->completed(host_, completion);
  }
  if (node_->wants_turn()) plan_turn(10);
  plan_timer();
}

void Process::plan_timer() {
  const Millis deadline = node_->next_deadline();
  if (deadline == kNever || (deadline == timer_at_ && timer_number_ != 0)) return;
  timer_at_ = deadline;
  const uint64_t number = ++timer_number_;
  const uint64_t at_us = (std::max(deadline, Millis{1'000}) - 1'000) * 1'000;
  const uint64_t delay_us = at_us > world_.now_us() ? at_us - world_.now_us() : 300;
  world_.after(delay_us, host_, [this, number] {
    if (number != timer_number_) return;
    timer_at_ = kNever;
    if (world_.now() >= wakeups_since_ + 1'000) {
      wakeups_since_ = world_.now();
      wakeups_ = 0;
    }
    if (++wakeups_ > kMaxWakeups) world_.fail(host_.name + " spins: its timer is always due");
    timer_fired_ = true;
    plan_turn(0);
  });
}

}  // namespace wh::sim
