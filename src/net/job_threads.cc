#include "net/job_threads.h"

#include <csignal>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "base/assert.h"

namespace wh::net {

JobThreads::JobThreads(uv_loop_t& loop) : poll_(new uv_poll_t{}), event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  WH_ASSERT(event_ >= 0, "the event loop could not be made (out of file descriptors?)");
  WH_ASSERT(uv_poll_init(&loop, poll_, event_) == 0, "a poll handle of an eventfd always initialises");
  poll_->data = this;
  uv_poll_start(poll_, UV_READABLE, [](uv_poll_t* handle, int, int) {
    uint64_t count = 0;
    // Only empties it: the results are taken after the poll.
    const ssize_t size = ::read(static_cast<JobThreads*>(handle->data)->event_, &count, sizeof count);
    static_cast<void>(size);
  });
}

JobThreads::~JobThreads() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    waiting_.clear();
    for (const auto& thread : threads_) thread->woken.notify_one();
  }
  for (const auto& thread : threads_) thread->thread.join();
  uv_close(reinterpret_cast<uv_handle_t*>(poll_),
           [](uv_handle_t* handle) { delete reinterpret_cast<uv_poll_t*>(handle); });
  ::close(event_);
}

void JobThreads::run(std::function<void()> work, std::function<void()> done) {
  ++jobs_;
  auto job = std::make_unique<Job>(Job{std::move(work), std::move(done)});
  Thread* thread = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) {
      if (!add_thread(job)) waiting_.push_back(std::move(job));
      return;
    }
    thread = idle_.back();
    idle_.pop_back();
    thread->job = std::move(job);
  }
  thread->woken.notify_one();
}

// Signals are the loop's: a thread that is made inherits that it takes none.
bool JobThreads::add_thread(std::unique_ptr<Job>& job) {
  if (threads_.size() == kMost) return false;
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  auto thread = std::make_unique<Thread>();
  bool made = true;
  try {
    thread->thread = std::thread([this, self = thread.get()]() noexcept { serve(*self); });
  } catch (const std::system_error&) {
    WH_ASSERT(!threads_.empty(), "the system gives no thread for the disk (ulimit -u?)");
    made = false;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (!made) return false;
  thread->job = std::move(job);
  threads_.push_back(std::move(thread));
  return true;
}

void JobThreads::serve(Thread& self) {
  std::unique_lock lock(mutex_);
  while (true) {
    self.woken.wait(lock, [&] { return self.job || ending_; });
    // A job that was given has begun: it runs also when all ends.
    if (!self.job) return;
    std::unique_ptr<Job> job = std::move(self.job);
    lock.unlock();
    job->work();
    job->work = nullptr;
    lock.lock();
    ended_.push_back(std::move(job));
    // Before the loop is woken, so that it finds this thread free.
    if (waiting_.empty()) {
      idle_.push_back(&self);
    } else {
      self.job = std::move(waiting_.front());
      waiting_.pop_front();
    }
    if (!loop_waits_ || std::exchange(loop_woken_, true)) continue;
    lock.unlock();
    wake_loop();
    lock.lock();
  }
}

void JobThreads::wake_loop() const {
  const uint64_t one = 1;
  const ssize_t size = ::write(event_, &one, sizeof one);
  static_cast<void>(size);  // a full counter wakes too
}

bool JobThreads::begin_wait() {
  const std::lock_guard lock(mutex_);
  if (!ended_.empty()) return true;
  loop_waits_ = true;
  return false;
}

void JobThreads::end_wait() {
  std::vector<std::unique_ptr<Job>> ended;
  {
    const std::lock_guard lock(mutex_);
    loop_waits_ = loop_woken_ = false;
    ended.swap(ended_);
  }
  for (const std::unique_ptr<Job>& job : ended) {
    --jobs_;
    job->done();
  }
}

}  // namespace wh::net
