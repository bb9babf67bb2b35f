// Threads for blocking jobs: the storage's lanes above all. The thread that ended its job last gets the next one, as
// its caches are warm; a thread is made when all others are busy, up to kMost. Belongs to the loop, which says when it
// begins to wait and when it has woken: a result that arrives while the loop works costs no system call. libuv's own
// pool takes a cold thread each time, and its async handle spins while the thread that woke the loop is not running:
// some 30 us of each write of one client, on each node.
//
// Everything but the `work` of a job belongs to the loop's thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <uv.h>

namespace wh::net {

class JobThreads {
 public:
  // At most six jobs are under way at once (two lanes of the storage, a backup, the end of the one before,
  // certificates, the log file): none waits for another.
  static constexpr size_t kMost = 6;

  explicit JobThreads(uv_loop_t& loop);
  // Waits for running jobs; drops jobs that have not begun, and the `done` of all. The loop must run once more, for its
  // handle.
  ~JobThreads();
  JobThreads(const JobThreads&) = delete;
  JobThreads& operator=(const JobThreads&) = delete;

  void run(std::function<void()> work, std::function<void()> done);
  // Jobs whose `done` has not run.
  [[nodiscard]] size_t jobs() const { return jobs_; }

  // Just before the poll; true when results wait already, so that the poll must not wait.
  bool begin_wait();
  // Just after the poll: calls the `done` of all jobs that ended.
  void end_wait();

 private:
  struct Job {
    std::function<void()> work;
    std::function<void()> done;
  };
  struct Thread {
    std::condition_variable woken;
    std::unique_ptr<Job> job;  // given to it
    std::thread thread;
  };

  void serve(Thread& self);
  bool add_thread(std::unique_ptr<Job>& job);
  void wake_loop() const;

  uv_poll_t* poll_;
  int event_ = -1;  // an eventfd
  size_t jobs_ = 0;

  std::mutex mutex_;  // guards all below
  std::vector<std::unique_ptr<Thread>> threads_;
  std::vector<Thread*> idle_;  // the last one ended its job last
  std::deque<std::unique_ptr<Job>> waiting_;
  std::vector<std::unique_ptr<Job>> ended_;
  bool loop_waits_ = false;
  bool loop_woken_ = false;
  bool ending_ = false;
};

}  // namespace wh::net
