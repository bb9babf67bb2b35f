// HAZARDS C20: memory runs out in the middle of a step. No code may catch this and go on with half a step done.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "machine/command/command.h"
#include "node_bench.h"

namespace {
// How many allocations more succeed; 0: all of them.
long remaining = 0;
}  // namespace

// Of this program alone. One allocation fails, like any other of the same size might have.
void* operator new(size_t size) {
  if (remaining > 0 && --remaining == 0) throw std::bad_alloc();
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace wh::node {
namespace {

// A leader's life of one write and one read, of which the disk and the other two are played here.
void live() noexcept {
  Bench bench(bench_options(), member_disk());
  bench.wait(1'000);
  const auto answer = [&](PeerMessage message) {
    bench.node.receive(kOther, std::move(message), bench.now);
    bench.persist();
  };
  answer(raft::RequestVoteReply{.term = raft::Term{2}, .pre_vote = true, .granted = true});
  answer(raft::RequestVoteReply{.term = raft::Term{2}, .granted = true});
  answer(raft::AppendEntriesReply{.term = raft::Term{2}, .success = true, .match_index = raft::Index{2}});
  bench.node.submit_write(1, machine::encode_command(machine::Set{{{"key", "value"}}}), true, bench.now);
  bench.node.submit_read(2, bench.now);
  bench.persist();
  answer(
      raft::AppendEntriesReply{.term = raft::Term{2}, .success = true, .match_index = raft::Index{3}, .read_round = 1});
  if (bench.node.take_completions().size() != 2) ::_exit(2);
}

TEST_CASE("HAZARDS C20: an allocation that fails anywhere in a step ends the process, and nothing goes on without it") {
  long died = 0;
  for (long failing = 1;; ++failing) {
    CAPTURE(failing);
    std::fflush(stdout);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      std::signal(SIGABRT, SIG_DFL);
      if (std::freopen("/dev/null", "w", stderr) == nullptr) ::_exit(3);
      remaining = failing;
      live();
      ::_exit(remaining == 0 ? 4 : 0);  // 4: one failed, and all went on
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    if (WIFSIGNALED(status)) {
      CHECK(WTERMSIG(status) == SIGABRT);
      ++died;
      continue;
    }
    CHECK(WEXITSTATUS(status) == 0);  // it was never that many: the whole life is gone through
    break;
  }
  CHECK(died > 100);
}

}  // namespace
}  // namespace wh::node
