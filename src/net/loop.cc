#include "net/loop.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <utility>

#include "base/assert.h"
#include "net/job_threads.h"
#include "net/resolver.h"

namespace wh::net {

namespace {
template <typename T>
uv_handle_t* as_handle(T* handle) {
  return reinterpret_cast<uv_handle_t*>(handle);
}

// What this thread has used of a processor.
uint64_t thread_cpu_ns() {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<uint64_t>(used.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(used.tv_nsec);
}
}  // namespace

// ---- TurnTask

TurnTask::TurnTask(Loop& loop, Phase phase, Function function, void* self)
    : list_(loop.tasks_[static_cast<size_t>(phase)]), function_(function), self_(self) {
  link_.task = this;
}

void TurnTask::queue() {
  if (link_.next != &link_) return;
  link_.previous = list_.previous;
  link_.next = &list_;
  list_.previous->next = &link_;
  list_.previous = &link_;
}

void TurnTask::cancel() {
  link_.previous->next = link_.next;
  link_.next->previous = link_.previous;
  link_.previous = link_.next = &link_;
}

// ---- Timer

struct Timer::Handle {
  uv_timer_t uv{};
  std::function<void()> function;
};

Timer::Timer(Loop& loop, std::function<void()> function) : handle_(new Handle) {
  handle_->function = std::move(function);
  handle_->uv.data = handle_;
  WH_ASSERT(uv_timer_init(loop.uv(), &handle_->uv) == 0, "a timer always initialises");
}

Timer::~Timer() {
  uv_close(as_handle(&handle_->uv), [](uv_handle_t* handle) { delete static_cast<Handle*>(handle->data); });
}

void Timer::start(uint64_t delay_ms, uint64_t repeat_ms) {
  // libuv counts from its own copy of the clock, which may be stale by now.
  uv_update_time(handle_->uv.loop);
  uv_timer_start(
      &handle_->uv, [](uv_timer_t* timer) { static_cast<Handle*>(timer->data)->function(); }, delay_ms, repeat_ms);
}

void Timer::stop() { uv_timer_stop(&handle_->uv); }

// ---- Loop

struct Loop::Signal {
  uv_signal_t uv{};
  std::function<void()> handler;
};

Loop::Loop() : read_buffer_(new char[kReadBufferSize]) {
  // Writing to a connection that the peer closed gives an error code and must not end the process (HAZARDS G13).
  std::signal(SIGPIPE, SIG_IGN);
  WH_ASSERT(uv_loop_init(&loop_) == 0, "the event loop could not be made (out of file descriptors?)");
  WH_ASSERT(uv_loop_configure(&loop_, UV_METRICS_IDLE_TIME) == 0, "libuv measures the time it waits");
  loop_.data = this;

  uv_prepare_init(&loop_, &prepare_);
  uv_prepare_start(&prepare_, [](uv_prepare_t* handle) { static_cast<Loop*>(handle->loop->data)->before_poll(); });
  uv_check_init(&loop_, &check_);
  uv_check_start(&check_, [](uv_check_t* handle) { static_cast<Loop*>(handle->loop->data)->after_poll(); });
  uv_idle_init(&loop_, &idle_);
  uv_timer_init(&loop_, &deadline_timer_);
  uv_timer_init(&loop_, &sweep_timer_);
  sweep_due_ = now() + kSweepMs;
  uv_timer_start(
      &sweep_timer_,
      [](uv_timer_t* handle) {
        Loop& loop = *static_cast<Loop*>(handle->loop->data);
        const Millis time = loop.now();
        loop.note_lag(time > loop.sweep_due_ ? time - loop.sweep_due_ : 0);
        loop.sweep_due_ = time + kSweepMs;
        if (loop.sweep_) loop.sweep_();
      },
      kSweepMs, kSweepMs);
  resolver_ = std::make_unique<Resolver>(*this);
  jobs_ = std::make_unique<JobThreads>(loop_);
}

Loop::~Loop() {
  jobs_.reset();
  resolver_.reset();
  close_handles();
  uv_walk(
      &loop_,
      [](uv_handle_t* handle, void*) {
        WH_ASSERT(uv_is_closing(handle), "a stream, listener, timer or dial outlived its loop");
      },
      nullptr);
  uv_run(&loop_, UV_RUN_DEFAULT);
  WH_ASSERT(uv_loop_close(&loop_) == 0, "the loop still has a handle");
}

void Loop::close_handles() {
  uv_close(as_handle(&prepare_), nullptr);
  uv_close(as_handle(&check_), nullptr);
  uv_close(as_handle(&idle_), nullptr);
  uv_close(as_handle(&sweep_timer_), nullptr);
  uv_close(as_handle(&deadline_timer_), nullptr);
  for (auto& [number, signal] : signals_) uv_close(as_handle(&signal->uv), nullptr);
}

void Loop::run() {
  begin_turn();
  uv_run(&loop_, UV_RUN_DEFAULT);
}

void Loop::defer(std::function<void()> function) { deferred_.push_back(std::move(function)); }

void Loop::run_tasks(TurnTask::Phase phase) {
  TurnTask::Link& list = tasks_[static_cast<size_t>(phase)];
  if (list.next == &list) return;
  // Only tasks queued by now: what they queue waits for the next turn, otherwise one stream could hold up the poll.
  TurnTask::Link batch;
  batch.next = list.next;
  batch.previous = list.previous;
  batch.next->previous = &batch;
  batch.previous->next = &batch;
  list.next = list.previous = &list;
  while (batch.next != &batch) {
    TurnTask& task = *batch.next->task;
    task.cancel();
    task.function_(task.self_);
  }
}

bool Loop::has_work() const {
  if (deadline_due_ || !deferred_.empty()) return true;
  return std::any_of(std::begin(tasks_), std::end(tasks_),
                     [](const TurnTask::Link& list) { return list.next != &list; });
}

void Loop::before_poll() {
  const uint64_t hook_begun_ns = uv_hrtime();
  std::vector<std::function<void()>> batch;
  batch.swap(deferred_);
  for (auto& function : batch) function();
  run_tasks(TurnTask::Phase::deferred);
  if (turn_hook_) turn_hook_();
  const uint64_t sends_begun_ns = uv_hrtime();
  run_tasks(TurnTask::Phase::encrypt);
  run_tasks(TurnTask::Phase::send);

  deadline_polled_ = deadline_due_;
  // An active idle handle makes the poll return at once.
  if (jobs_->begin_wait() || has_work())
    uv_idle_start(&idle_, [](uv_idle_t*) {});
  else
    uv_idle_stop(&idle_);

  note_turn(hook_begun_ns, sends_begun_ns);
  // The poll's timeout counts from libuv's copy of the clock: without an update it is too long by this turn's length.
  uv_update_time(&loop_);
}

void Loop::note_turn(uint64_t hook_begun_ns, uint64_t sends_begun_ns) {
  const uint64_t time_ns = uv_hrtime();
  const uint64_t idle_ns = uv_metrics_idle_time(&loop_);
  const uint64_t cpu_ns = thread_cpu_ns();
  const uint64_t waited_ns = idle_ns - turn_start_idle_ns_;
  const auto worked_us = [](uint64_t passed_ns, uint64_t waited) {
    return passed_ns > waited ? (passed_ns - waited) / 1000 : 0;
  };
  const uint64_t total_us = worked_us(time_ns - turn_start_ns_, waited_ns);
  // A thread that sleeps in the poll may be charged for a pause of the machine.
  const TurnTimes times{.total_us = total_us,
                        .cpu_us = std::min((cpu_ns - turn_start_cpu_ns_) / 1000, total_us),
                        .arrivals_us = worked_us(hook_begun_ns - turn_start_ns_, waited_ns),
                        .hook_us = (sends_begun_ns - hook_begun_ns) / 1000,
                        .sends_us = (time_ns - sends_begun_ns) / 1000};
  // A turn in which the process was stopped counts as an eighth at most: what came meanwhile is to be read.
  held_us_ = held_in_ == turn_ + 1 ? held_us_ + std::min(total_us, most_held_us_ / 8) : 0;
  ++stats_.turns;
  ++turn_;
  stats_.last_turn_us = times.total_us;
  stats_.longest_turn_us = std::max(stats_.longest_turn_us, times.total_us);
  stats_.longest_turn_cpu_us = std::max(stats_.longest_turn_cpu_us, times.cpu_us);
  stats_.turns_us.add(times.total_us);
  turn_start_ns_ = time_ns;
  turn_start_idle_ns_ = idle_ns;
  turn_start_cpu_ns_ = cpu_ns;
  if (turn_watch_) turn_watch_(times);
}

void Loop::after_poll() {
  jobs_->end_wait();
  if (!deadline_due_ || !deadline_polled_) return;
  if (held()) return;
  const Millis time = now();
  const Millis late_ms = time - deadline_;
  deadline_ = kNever;
  deadline_due_ = deadline_polled_ = false;
  note_lag(late_ms);
  if (deadline_handler_) deadline_handler_(late_ms);
}

void Loop::note_lag(uint64_t lag_ms) {
  stats_.lag_ms = lag_ms;
  stats_.longest_lag_ms = std::max(stats_.longest_lag_ms, lag_ms);
  stats_.lags_ms.add(lag_ms);
}

void Loop::set_deadline(Millis at) {
  if (at == deadline_) return;
  deadline_ = at;
  if (at == kNever) {
    deadline_due_ = deadline_polled_ = false;
    uv_timer_stop(&deadline_timer_);
    return;
  }
  deadline_expired();
}

// If the deadline is due, waits for the next poll that begins. Otherwise starts the timer again, which may have run a
// little early, because libuv rounds.
void Loop::deadline_expired() {
  const Millis time = now();
  if (deadline_ <= time) {
    uv_timer_stop(&deadline_timer_);
    deadline_due_ = true;
    return;
  }
  deadline_due_ = deadline_polled_ = false;
  uv_update_time(&loop_);
  uv_timer_start(
      &deadline_timer_, [](uv_timer_t* handle) { static_cast<Loop*>(handle->loop->data)->deadline_expired(); },
      deadline_ - time, 0);
}

std::string Loop::provide_lookup_threads() {
  constexpr const char* kName = "UV_THREADPOOL_SIZE";
  const char* set = std::getenv(kName);
  std::string before = set == nullptr ? "" : set;
  // Reads the value as libuv does.
  if (set != nullptr && std::strtol(set, nullptr, 10) >= static_cast<long>(kLookupThreads)) return {};
  ::setenv(kName, std::to_string(kLookupThreads).c_str(), 1);
  return before;
}

void Loop::run_job(std::function<void()> work, std::function<void()> done) {
  jobs_->run(std::move(work), std::move(done));
}

size_t Loop::jobs() const { return jobs_->jobs(); }

bool Loop::busy() const { return jobs() != 0 || resolver_->busy(); }

void Loop::on_signal(int signal, std::function<void()> handler) {
  auto entry = std::make_unique<Signal>();
  entry->handler = std::move(handler);
  entry->uv.data = entry.get();
  WH_ASSERT(uv_signal_init(&loop_, &entry->uv) == 0, "a signal handle always initialises");
  const int error = uv_signal_start(
      &entry->uv,
      [](uv_signal_t* handle, int) {
        // When a signal interrupts the poll (EINTR), libuv loses the time it had waited: that is not work, so the count
        // begins again. What the same turn did for sockets before the signal is then not counted.
        static_cast<Loop*>(handle->loop->data)->begin_turn();
        static_cast<Signal*>(handle->data)->handler();
      },
      signal);
  WH_ASSERT(error == 0, "the signal can be caught");
  const bool added = signals_.emplace(signal, std::move(entry)).second;
  WH_ASSERT(added, "a signal has one handler");
}

void Loop::begin_turn() {
  turn_start_ns_ = uv_hrtime();
  turn_start_idle_ns_ = uv_metrics_idle_time(&loop_);
  turn_start_cpu_ns_ = thread_cpu_ns();
}

}  // namespace wh::net
