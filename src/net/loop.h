// The event loop of the process: the clock, the order of one turn, timers, signals and jobs for other threads. Owns
// the uv_loop_t and its own handles; streams, listeners and timers own theirs and must be destroyed before it.
// Everything here belongs to one thread, except the `work` of a job. Called by the rest of net/ and by server/, which
// connects the node to it.
//
// One turn, in libuv's order (uv_run):
//   timers
//   deferred work, the turn hook, then the streams send what was queued   <- once, just before the poll
//   poll: sockets, signals, name lookups
//   the ends of finished jobs
//   the deadline's handler, if the deadline expired before this poll: so heartbeats are read first (HAZARDS A12)
// While work is left for the next turn the poll does not wait.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <uv.h>

#include "base/clock.h"
#include "base/histogram.h"

namespace wh::net {

class JobThreads;
class Loop;
class Resolver;

// What the loop has done; microseconds and milliseconds of the monotonic clock. Waiting in the poll does not count as
// work.
struct LoopStats {
  uint64_t turns = 0;
  uint64_t last_turn_us = 0;
  uint64_t longest_turn_us = 0;
  uint64_t longest_turn_cpu_us = 0;  // by the processor time of the loop's thread
  // How late the last of the loop's own timers ran: a stall of the loop, the machine or the process (SIGSTOP).
  uint64_t lag_ms = 0;
  uint64_t longest_lag_ms = 0;
  Histogram turns_us;
  Histogram lags_ms;  // of every run of those timers
  // Through the sockets of all TCP streams, clients' and peers', as on the wire.
  uint64_t bytes_received = 0;
  uint64_t bytes_sent = 0;
};

// Where one turn's time went, in microseconds, without waiting in the poll.
struct TurnTimes {
  uint64_t total_us = 0;
  uint64_t cpu_us = 0;       // the processor time of the loop's thread, the poll's own included, up to total_us
  uint64_t arrivals_us = 0;  // timers, what the sockets held, finished jobs, signals
  uint64_t hook_us = 0;      // deferred work and the turn hook
  uint64_t sends_us = 0;     // encrypting and sending
};

// A task to run before the next poll; its owner may queue it any number of times in a turn, and it runs once.
// Destroying it removes it from the queue. A plain function, not a closure, so that it may destroy its owner.
class TurnTask {
 public:
  // Runs in this order: all tasks of one phase before those of the next. `encrypt` may queue `send`.
  enum class Phase { deferred, encrypt, send };
  using Function = void (*)(void* self);
  TurnTask(Loop& loop, Phase phase, Function function, void* self);
  ~TurnTask() { cancel(); }
  TurnTask(const TurnTask&) = delete;
  TurnTask& operator=(const TurnTask&) = delete;
  // Runs in this turn if its phase is still to come, else in the next turn, which then comes at once.
  void queue();
  void cancel();

 private:
  friend class Loop;
  struct Link {
    Link* previous = this;
    Link* next = this;
    TurnTask* task = nullptr;
  };
  Link link_;
  Link& list_;
  Function function_;
  void* self_;
};

// A timer; destroying it stops it, also from inside its own function.
class Timer {
 public:
  Timer(Loop& loop, std::function<void()> function);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  // Runs once, `delay_ms` from now; with `repeat_ms` above 0 then at that interval. Replaces an earlier start.
  void start(uint64_t delay_ms, uint64_t repeat_ms = 0);
  void stop();

 private:
  struct Handle;
  Handle* handle_;
};

class Loop {
 public:
  Loop();
  // Waits for running jobs; drops jobs that have not begun, and the `done` of all. Every stream, listener, timer and
  // dial must have been destroyed before.
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // The monotonic clock itself, not libuv's copy, which stands still through a long callback.
  [[nodiscard]] Millis now() const { return uv_hrtime() / 1'000'000; }
  // The same clock in microseconds, for measuring.
  [[nodiscard]] static uint64_t micros() { return uv_hrtime() / 1'000; }

  // A member's stream left some of what had come for it to the next turn (tcp.cc). A deadline that is due then waits
  // for what the next polls bring: what a stalled process finds in its sockets shows that their senders were not
  // silent.
  void note_held() { held_in_ = turn_ + 1; }
  // Whether a stream did so in this turn. No longer once turns that each did have worked for `most` together, until one
  // does not: a member that sends without an end holds up deadlines for so long.
  [[nodiscard]] bool held() const { return held_in_ == turn_ + 1 && held_us_ < most_held_us_; }
  void set_most_held(uint64_t most_ms) { most_held_us_ = most_ms * 1'000; }
  // Counts turns, from 0; never reset.
  [[nodiscard]] uint64_t turn() const { return turn_; }

  // Runs turns until stop(). What is queued in the turn of stop() is not sent.
  void run();
  void stop() { uv_stop(&loop_); }

  // Runs `function` before the next poll and the turn hook; called from there, in the next turn, which comes at once.
  void defer(std::function<void()> function);
  // Called once a turn, after deferred work and before streams send. Must not be replaced from inside itself.
  void set_turn_hook(std::function<void()> hook) { turn_hook_ = std::move(hook); }
  // Called at the end of every turn, just before the poll. Its own time counts for the next turn.
  void set_turn_watch(std::function<void(const TurnTimes&)> watch) { turn_watch_ = std::move(watch); }
  // Called about every 250 ms, for time limits that need no better precision.
  static constexpr uint64_t kSweepMs = 250;
  void set_sweep(std::function<void()> sweep) { sweep_ = std::move(sweep); }

  // The number of libuv's threads, which only look up names, at most half of them at once: so a name server that does
  // not answer about some names holds up no others.
  static constexpr unsigned kLookupThreads = 12;
  // Must be called before the process's first lookup, and before it has a second thread. A larger UV_THREADPOOL_SIZE is
  // kept, and the result is empty; a smaller one is replaced and returned.
  static std::string provide_lookup_threads();

  // Runs `work` on another thread (job_threads.h), then `done` on the loop. `work` must touch no state that the loop's
  // thread touches meanwhile, and neither may throw (an exception ends the process). Jobs may overlap and end in any
  // order.
  void run_job(std::function<void()> work, std::function<void()> done);

  // Whether a job or a name lookup is under way, for which the destructor would wait.
  [[nodiscard]] bool busy() const;

  // The node's one deadline, kNever for none; replaces the earlier one. Once it has passed, the loop polls once more,
  // so that bytes which already wait in sockets are delivered first, then calls the handler once, with how many
  // milliseconds late it is. A deadline moved into the future meanwhile is not called.
  void set_deadline(Millis at);
  void on_deadline(std::function<void(Millis late_ms)> handler) { deadline_handler_ = std::move(handler); }

  // Calls `handler` on the loop each time the process gets this signal. Only one handler for each signal.
  void on_signal(int signal, std::function<void()> handler);

  // Jobs whose `done` has not run.
  [[nodiscard]] size_t jobs() const;

  [[nodiscard]] const LoopStats& stats() const { return stats_; }
  void reset_stats() { stats_ = {}; }

  // For the rest of net/ only.
  void note_received(size_t bytes) { stats_.bytes_received += bytes; }
  void note_sent(size_t bytes) { stats_.bytes_sent += bytes; }
  [[nodiscard]] uv_loop_t* uv() { return &loop_; }
  [[nodiscard]] Resolver& resolver() { return *resolver_; }
  // One read buffer for all streams: the bytes are handed on before the next read.
  static constexpr size_t kReadBufferSize = 64 * 1024;
  [[nodiscard]] char* read_buffer() { return read_buffer_.get(); }

 private:
  friend class TurnTask;
  struct Signal;

  void before_poll();
  void after_poll();
  void run_tasks(TurnTask::Phase phase);
  [[nodiscard]] bool has_work() const;
  void deadline_expired();
  void note_lag(uint64_t lag_ms);
  void begin_turn();
  void note_turn(uint64_t hook_begun_ns, uint64_t sends_begun_ns);
  void close_handles();

  uv_loop_t loop_{};
  uv_prepare_t prepare_{};
  uv_check_t check_{};
  uv_idle_t idle_{};
  uv_timer_t sweep_timer_{};
  uv_timer_t deadline_timer_{};

  std::function<void()> turn_hook_;
  std::function<void(const TurnTimes&)> turn_watch_;
  std::function<void()> sweep_;
  std::function<void(Millis)> deadline_handler_;
  std::vector<std::function<void()>> deferred_;
  TurnTask::Link tasks_[3];
  std::map<int, std::unique_ptr<Signal>> signals_;
  std::unique_ptr<Resolver> resolver_;
  std::unique_ptr<JobThreads> jobs_;
  std::unique_ptr<char[]> read_buffer_;

  Millis deadline_ = kNever;
  bool deadline_due_ = false;     // it has passed
  bool deadline_polled_ = false;  // and a poll has begun since then
  Millis sweep_due_ = 0;

  LoopStats stats_;
  uint64_t turn_ = 0;
  uint64_t held_in_ = 0;  // the turn of the last note_held(), plus 1
  uint64_t held_us_ = 0;  // how long the turns before this one worked that each had one
  uint64_t most_held_us_ = 250'000;
  uint64_t turn_start_ns_ = 0;
  uint64_t turn_start_idle_ns_ = 0;
  uint64_t turn_start_cpu_ns_ = 0;
};

}  // namespace wh::net
