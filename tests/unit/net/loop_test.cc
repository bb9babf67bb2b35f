#include "net/loop.h"

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include <doctest/doctest.h>

#include "net_fixture.h"

using namespace wh;
using namespace wh::net;
using namespace wh::net::test;

TEST_CASE("a turn runs deferred work, then the hook, then lets streams send, and never waits while work is left") {
  Loop loop;
  std::string order;
  int turns = 0;
  TurnTask send(
      loop, TurnTask::Phase::send, [](void* self) { *static_cast<std::string*>(self) += 's'; }, &order);
  TurnTask encrypt(
      loop, TurnTask::Phase::encrypt, [](void* self) { *static_cast<std::string*>(self) += 'e'; }, &order);
  loop.defer([&] { order += 'd'; });
  loop.set_turn_hook([&] {
    order += 'h';
    if (++turns > 3) {
      loop.stop();
      return;
    }
    send.queue();
    encrypt.queue();
    send.queue();
    loop.defer([&] { order += 'd'; });
  });
  const Millis before = loop.now();
  loop.run();
  CHECK(order == "dhesdhesdhesdh");
  CHECK(loop.now() - before < Loop::kSweepMs);  // nothing woke it but the work itself
}

TEST_CASE("what a task queues again runs in the next turn, so that sockets are polled in between") {
  Loop loop;
  struct Again {
    explicit Again(Loop& l) : loop(l), task(l, TurnTask::Phase::deferred, run, this) {}
    static void run(void* self) {
      auto& me = *static_cast<Again*>(self);
      me.turns.push_back(me.loop.stats().turns);
      if (me.turns.size() < 3) me.task.queue();
    }
    Loop& loop;
    TurnTask task;
    std::vector<uint64_t> turns;
  } again(loop);
  again.task.queue();
  REQUIRE(run_until(loop, [&] { return again.turns.size() == 3; }));
  CHECK(again.turns[1] == again.turns[0] + 1);
  CHECK(again.turns[2] == again.turns[1] + 1);
}

TEST_CASE("a destroyed task does not run, also when destroyed by one of the same turn, or by itself") {
  Loop loop;
  int runs = 0;
  auto victim = std::make_unique<TurnTask>(
      loop, TurnTask::Phase::deferred, [](void* self) { *static_cast<int*>(self) += 100; }, &runs);
  struct Killer {
    Killer(Loop& l, std::unique_ptr<TurnTask>& v, int& r)
        : victim(v), runs(r), task(new TurnTask(l, TurnTask::Phase::deferred, run, this)) {}
    static void run(void* self) {
      auto& me = *static_cast<Killer*>(self);
      ++me.runs;
      me.victim.reset();
      me.task.reset();
    }
    std::unique_ptr<TurnTask>& victim;
    int& runs;
    std::unique_ptr<TurnTask> task;
  } killer(loop, victim, runs);
  killer.task->queue();
  victim->queue();
  run_for(loop, 5);
  CHECK(runs == 1);
}

TEST_CASE("timers run once or again and again, and may destroy themselves") {
  Loop loop;
  int once = 0;
  int often = 0;
  std::unique_ptr<Timer> self;
  self = std::make_unique<Timer>(loop, [&] {
    ++once;
    self.reset();
  });
  Timer repeating(loop, [&] {
    if (++often == 3) repeating.stop();
  });
  Timer stopped(loop, [&] { often += 100; });
  self->start(1);
  repeating.start(1, 1);
  stopped.start(1);
  stopped.stop();
  run_for(loop, 30);
  CHECK(once == 1);
  CHECK(often == 3);
}

TEST_CASE("a timer counts from the clock, not from libuv's stale copy of it") {
  Loop loop;
  Millis started = 0;
  Millis fired = 0;
  Timer timer(loop, [&] { fired = loop.now(); });
  loop.defer([&] {
    stall(loop, 40);
    started = loop.now();
    timer.start(20);
  });
  REQUIRE(run_until(loop, [&] { return fired != 0; }));
  CHECK(fired - started >= 19);
}

TEST_CASE("the deadline's handler runs once, not early, and not when moved away") {
  Loop loop;
  int calls = 0;
  Millis called_at = 0;
  loop.on_deadline([&](Millis) {
    ++calls;
    called_at = loop.now();
  });
  const Millis at = loop.now() + 30;
  loop.set_deadline(at);
  REQUIRE(run_until(loop, [&] { return calls == 1; }));
  CHECK(called_at >= at);
  run_for(loop, 10);
  CHECK(calls == 1);

  loop.set_deadline(loop.now() + 5);
  loop.set_deadline(kNever);
  run_for(loop, 20);
  CHECK(calls == 1);

  loop.set_deadline(loop.now());  // due already
  REQUIRE(run_until(loop, [&] { return calls == 2; }));
}

TEST_CASE("a deadline in the past that is set anew each turn still comes") {
  Loop loop;
  int calls = 0;
  loop.on_deadline([&](Millis) { ++calls; });
  const Millis start = loop.now();
  int i = 0;
  loop.set_turn_hook([&] {
    if (calls == 0) loop.set_deadline(start - 1'000 + static_cast<Millis>(++i));
  });
  CHECK(run_until(
      loop, [&] { return calls == 1; }, 1'000));
}

TEST_CASE("HAZARDS A12: bytes that wait in a socket are delivered before an expired deadline is told") {
  for (int i = 0; i < 20; ++i) {
    Loop loop;
    std::unique_ptr<ByteStream> stream;
    ListenOptions options;
    options.bind = {"127.0.0.1"};
    const auto listener =
        Listener::listen(loop, options, [&](std::unique_ptr<ByteStream> accepted) { stream = std::move(accepted); });
    REQUIRE(listener.ok());
    const int peer_socket = ::socket(AF_INET, SOCK_STREAM, 0);
    const auto where = Address::parse("127.0.0.1", (*listener)->port());
    REQUIRE(::connect(peer_socket, where->raw(), sizeof(sockaddr_in)) == 0);
    REQUIRE(run_until(loop, [&] { return stream != nullptr; }));
    Recorder server;
    stream->set_handler(&server);
    run_for(loop, 2);

    size_t seen_at_deadline = SIZE_MAX;
    Millis late = 0;
    loop.on_deadline([&](Millis late_ms) {
      seen_at_deadline = server.size;
      late = late_ms;
    });
    // A job's end, which the poll calls, holds the loop up past the deadline, and meanwhile the peer's heartbeat
    // reaches our socket: sent by a thread, as another process would. After the poll libuv looks at timers first.
    std::thread peer;
    loop.run_job([] {},
                 [&] {
                   loop.set_deadline(loop.now() + 15);
                   peer = std::thread([&] { CHECK(::send(peer_socket, "heartbeat", 9, 0) == 9); });
                   stall(loop, 30);
                 });
    REQUIRE(run_until(loop, [&] { return seen_at_deadline != SIZE_MAX; }));
    peer.join();
    CHECK(server.size == 9);
    CHECK(seen_at_deadline == 9);
    CHECK(late >= 10);
    ::close(peer_socket);
  }
}

TEST_CASE("HAZARDS A12: a deadline that the waiting bytes move is not told") {
  Loop loop;
  int sockets[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets) == 0);
  int deadlines = 0;
  int reads = 0;
  loop.on_deadline([&](Millis) { ++deadlines; });
  struct Context {
    Loop& loop;
    int& reads;
  } context{loop, reads};
  uv_poll_t poll;
  uv_poll_init(loop.uv(), &poll, sockets[0]);
  poll.data = &context;
  uv_poll_start(&poll, UV_READABLE, [](uv_poll_t* handle, int, int) {
    auto& c = *static_cast<Context*>(handle->data);
    char buffer[16];
    int fd = -1;
    uv_fileno(reinterpret_cast<uv_handle_t*>(handle), &fd);
    if (::read(fd, buffer, sizeof buffer) > 0) ++c.reads;
    c.loop.set_deadline(c.loop.now() + 10'000);
  });
  loop.run_job([] {},
               [&] {
                 loop.set_deadline(loop.now() + 15);
                 stall(loop, 30);
                 CHECK(::write(sockets[1], "x", 1) == 1);
               });
  CHECK(run_until(loop, [&] { return reads == 1; }));
  run_for(loop, 20);
  CHECK(deadlines == 0);
  uv_close(reinterpret_cast<uv_handle_t*>(&poll), nullptr);
  run_for(loop, 2);
  ::close(sockets[0]);
  ::close(sockets[1]);
}

TEST_CASE(
    "HAZARDS A12: a deadline waits while streams leave some of what came to the next turn, for a bounded time, and "
    "again only once a turn left nothing") {
  for (const bool endless : {false, true}) {
    Loop loop;
    loop.set_most_held(80);
    int sockets[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets) == 0);
    constexpr int kPieces = 10;
    struct Context {
      Loop& loop;
      int reads = 0;
      bool endless;
    } context{.loop = loop, .endless = endless};
    int seen_at_deadline = -1;
    bool held_at_deadline = false;
    uint64_t working_since = 0;
    uint64_t worked_us = 0;
    loop.on_deadline([&](Millis) {
      seen_at_deadline = context.reads;
      held_at_deadline = loop.held();
      worked_us = Loop::micros() - working_since;
    });
    uv_poll_t poll;
    uv_poll_init(loop.uv(), &poll, sockets[0]);
    poll.data = &context;
    uv_poll_start(&poll, UV_READABLE, [](uv_poll_t* handle, int, int) {
      auto& c = *static_cast<Context*>(handle->data);
      char byte = 0;
      int fd = -1;
      uv_fileno(reinterpret_cast<uv_handle_t*>(handle), &fd);
      if (!c.endless && ::read(fd, &byte, 1) != 1) return;
      if (++c.reads < kPieces || c.endless) c.loop.note_held();
      if (c.endless) stall(c.loop, 2);
    });
    loop.run_job([] {},
                 [&] {
                   loop.set_deadline(loop.now() + 15);
                   stall(loop, 30);
                   CHECK(::write(sockets[1], "0123456789", kPieces) == kPieces);
                   working_since = Loop::micros();
                 });
    CHECK(run_until(loop, [&] { return seen_at_deadline >= 0; }));
    CHECK_FALSE(held_at_deadline);
    if (endless) {
      CHECK(worked_us >= 50'000);  // less by the turn of the stall, which counts as an eighth
      // It goes on: the next deadline waits no longer.
      seen_at_deadline = -1;
      const int before = context.reads;
      loop.set_deadline(loop.now());
      CHECK(run_until(loop, [&] { return seen_at_deadline >= 0; }));
      CHECK(seen_at_deadline <= before + 5);
      CHECK_FALSE(loop.held());
    } else {
      CHECK(seen_at_deadline == kPieces);
    }
    uv_close(reinterpret_cast<uv_handle_t*>(&poll), nullptr);
    run_for(loop, 2);
    ::close(sockets[0]);
    ::close(sockets[1]);
  }
}

TEST_CASE("HAZARDS K2: long turns and lag are measured with the real clock") {
  Loop loop;
  run_for(loop, 20);
  const uint64_t idle_longest = loop.stats().longest_turn_us;
  CHECK(idle_longest < 15'000);  // waiting is no work
  Timer busy(loop, [&] { stall(loop, 400); });
  busy.start(1);
  const uint64_t turns = loop.stats().turns;
  run_for(loop, 600);
  CHECK(loop.stats().turns > turns);
  CHECK(loop.stats().longest_turn_us >= 395'000);
  CHECK(loop.stats().longest_lag_ms >= 100);  // the sweep was held up
}

TEST_CASE("a turn's processor time is what the loop's thread used, without what it waited for") {
  Loop loop;
  run_for(loop, 20);
  loop.reset_stats();
  Timer waits(loop, [] { std::this_thread::sleep_for(std::chrono::milliseconds(60)); });
  waits.start(1);
  run_for(loop, 80);
  CHECK(loop.stats().longest_turn_us >= 60'000);
  CHECK(loop.stats().longest_turn_cpu_us < 40'000);
  Timer works(loop, [] {
    const std::clock_t end = std::clock() + CLOCKS_PER_SEC / 20;  // of all threads; no other works
    while (std::clock() < end) {
    }
  });
  works.start(1);
  CHECK(run_until(loop, [&] { return loop.stats().longest_turn_cpu_us >= 45'000; }));
}

TEST_CASE("the sweep comes about four times a second") {
  Loop loop;
  int sweeps = 0;
  loop.set_sweep([&] { ++sweeps; });
  run_for(loop, 560);
  CHECK(sweeps == 2);
}

TEST_CASE("jobs run beside each other and beside the loop, and end on the loop's thread") {
  Loop loop;
  const auto main_thread = std::this_thread::get_id();
  std::atomic<int> inside = 0;
  std::atomic<bool> both = false;
  int done = 0;
  bool right_threads = true;
  int loop_turns_while_waiting = 0;
  for (int i = 0; i < 2; ++i) {
    loop.run_job(
        [&] {
          if (std::this_thread::get_id() == main_thread) right_threads = false;
          ++inside;
          for (int spin = 0; spin < 200'000'000 && inside < 2; ++spin) std::this_thread::yield();
          if (inside == 2) both = true;
        },
        [&] {
          if (std::this_thread::get_id() != main_thread) right_threads = false;
          ++done;
        });
  }
  CHECK(loop.jobs() == 2);
  loop.set_turn_hook([&] { ++loop_turns_while_waiting; });
  REQUIRE(run_until(loop, [&] { return done == 2; }));
  CHECK(both);
  CHECK(right_threads);
  CHECK(loop_turns_while_waiting > 0);
  CHECK(loop.jobs() == 0);
}

TEST_CASE("a job may start the next one; the loop's end waits for jobs that run and calls none of their ends") {
  std::atomic<int> works = 0;
  int dones = 0;
  {
    Loop loop;
    loop.run_job([&] { ++works; }, [&] { loop.run_job([&] { ++works; }, [&] { ++dones; }); });
    REQUIRE(run_until(loop, [&] { return dones == 1; }));
    for (int i = 0; i < 50; ++i) loop.run_job([&] { ++works; }, [&] { ++dones; });
  }
  CHECK(works <= 52);
  CHECK(dones == 1);
}

TEST_CASE("jobs that follow each other run on one thread, and more than there are threads all end") {
  Loop loop;
  std::set<std::thread::id> threads;
  std::mutex mutex;
  const auto work = [&] {
    const std::lock_guard lock(mutex);
    threads.insert(std::this_thread::get_id());
  };
  int left = 50;
  std::function<void()> next = [&] {
    if (left-- > 0) loop.run_job(work, next);
  };
  next();
  REQUIRE(run_until(loop, [&] { return left < 0; }));
  CHECK(threads.size() == 1);

  std::atomic<int> works = 0;
  int dones = 0;
  for (int i = 0; i < 100; ++i) loop.run_job([&] { ++works; }, [&] { ++dones; });
  CHECK(loop.jobs() == 100);
  REQUIRE(run_until(loop, [&] { return dones == 100; }));
  CHECK(works == 100);
  CHECK(loop.jobs() == 0);
}

TEST_CASE("HAZARDS K5: signals arrive on the loop, every time; SIGPIPE is ignored") {
  Loop loop;
  int hups = 0;
  int terms = 0;
  loop.on_signal(SIGHUP, [&] { ++hups; });
  loop.on_signal(SIGTERM, [&] { ++terms; });
  loop.defer([] { kill(getpid(), SIGHUP); });
  REQUIRE(run_until(loop, [&] { return hups == 1; }));
  loop.defer([] { kill(getpid(), SIGTERM); });
  REQUIRE(run_until(loop, [&] { return terms == 1; }));
  loop.defer([] { kill(getpid(), SIGTERM); });
  REQUIRE(run_until(loop, [&] { return terms == 2; }));
  CHECK(hups == 1);
  kill(getpid(), SIGPIPE);
}

TEST_CASE("a wait that a signal ends is no work") {
  Loop loop;
  bool came = false;
  loop.on_signal(SIGHUP, [&] {
    came = true;
    loop.stop();
  });
  Timer bound(loop, [&] { loop.stop(); });
  bound.start(20'000);
  const pthread_t waiting = pthread_self();
  const uint64_t begun_us = Loop::micros();
  std::thread other([waiting] {
    usleep(150'000);  // the wait that the test is about
    pthread_kill(waiting, SIGHUP);
  });
  loop.run();
  other.join();
  CHECK(came);
  CHECK(loop.stats().longest_turn_us < (Loop::micros() - begun_us) / 3);
}

TEST_CASE("libuv's threads: enough of them, however few were set") {
  const char* before = std::getenv("UV_THREADPOOL_SIZE");
  const std::string restore = before == nullptr ? "" : before;
  const auto provided = [](const char* set) {
    if (set == nullptr)
      ::unsetenv("UV_THREADPOOL_SIZE");
    else
      ::setenv("UV_THREADPOOL_SIZE", set, 1);
    const std::string said = Loop::provide_lookup_threads();
    return said + "/" + std::getenv("UV_THREADPOOL_SIZE");
  };
  const std::string enough = std::to_string(Loop::kLookupThreads);
  CHECK(provided(nullptr) == "/" + enough);
  CHECK(provided("1") == "1/" + enough);
  CHECK(provided("0") == "0/" + enough);
  CHECK(provided("many") == "many/" + enough);
  CHECK(provided(enough.c_str()) == "/" + enough);
  CHECK(provided("64") == "/64");
  if (before == nullptr)
    ::unsetenv("UV_THREADPOOL_SIZE");
  else
    ::setenv("UV_THREADPOOL_SIZE", restore.c_str(), 1);
}

TEST_CASE("a loop that never ran is destroyed cleanly, with work queued") {
  Loop loop;
  loop.defer([] {});
  loop.set_deadline(loop.now() + 1'000);
  loop.on_signal(SIGHUP, [] {});
}
