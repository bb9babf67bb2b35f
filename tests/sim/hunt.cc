#include "hunt.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../sanitized.h"
#include "sim/simulation.h"

namespace wh::sim {
namespace {

// A process costs about as much as a seed; what fails costs the rest of its batch.
constexpr uint64_t kSeedsOfOneProcess = 50;
// A seed takes a hundredth of a second or two; a defect may make one go round for ever, or eat all memory.
constexpr unsigned kSecondsOfOneSeed = 120;
constexpr rlim_t kMostMemory = rlim_t{4} << 30;

// In the child: says each seed before it runs, so that the last one said is the one that ended the process.
[[noreturn]] void run_batch(uint64_t from, uint64_t until, const OptionsOf& options_of, int out) {
  ::dup2(out, STDOUT_FILENO);
  ::dup2(out, STDERR_FILENO);
  const rlimit no_core{0, 0};
  (void)::setrlimit(RLIMIT_CORE, &no_core);
  const rlimit memory{kMostMemory, kMostMemory};
  if (!testing::kSanitized) (void)::setrlimit(RLIMIT_AS, &memory);
  std::signal(SIGABRT, SIG_DFL);
  for (uint64_t seed = from; seed < until; ++seed) {
    std::fprintf(stderr, "\nseed %lu\n", seed);
    ::alarm(kSecondsOfOneSeed);
    const RunResult result = run(seed, options_of(seed), false);
    if (result.failure.empty()) continue;
    std::fprintf(stderr, "%s\n", result.failure.c_str());
    ::_exit(1);
  }
  ::_exit(0);
}

// The end of what the child wrote: the seed, and the line in which a check or an assertion says what is wrong.
Catch told(const std::string& output, int status) {
  Catch caught{0, {}};
  size_t at = output.rfind("\nseed ");
  if (at == std::string::npos) return {0, "nothing was said"};
  caught.seed = std::strtoull(output.c_str() + at + 6, nullptr, 10);
  at = output.find('\n', at + 1);
  std::string said = output.substr(at == std::string::npos ? output.size() : at + 1);
  if (const size_t reason = said.find("assertion `"); reason != std::string::npos) said.erase(0, reason);
  caught.how = said.substr(0, said.find('\n'));
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) caught.how = "it does not end";
  if (caught.how.empty()) caught.how = "ended by signal " + std::to_string(WTERMSIG(status));
  return caught;
}

}  // namespace

std::optional<Catch> hunt(uint64_t from, uint64_t count, const OptionsOf& options_of) {
  for (uint64_t first = from; first < from + count; first += kSeedsOfOneProcess) {
    std::fflush(stdout);
    int ends[2];
    if (::pipe(ends) != 0) std::abort();
    const pid_t child = ::fork();
    if (child < 0) std::abort();
    if (child == 0) run_batch(first, std::min(first + kSeedsOfOneProcess, from + count), options_of, ends[1]);
    ::close(ends[1]);
    std::string output;
    char buffer[4096];
    for (ssize_t n = 0; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;) {
      output.append(buffer, static_cast<size_t>(n));
      if (output.size() > 64 << 10) output.erase(0, 32 << 10);
    }
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    if (status != 0) return told(output, status);
  }
  return std::nullopt;
}

int hunt_one(const char* mutant, uint64_t from, uint64_t count, const OptionsOf& options_of) {
  const std::optional<Catch> caught = hunt(from, count, options_of);
  if (caught) {
    std::printf("%s: caught by seed %lu, the %lu. of them: %s\n", mutant, caught->seed, caught->seed - from + 1,
                caught->how.c_str());
  } else {
    std::printf("%s: NOT caught by %lu seeds\n", mutant, count);
  }
  return caught ? 0 : 1;
}

}  // namespace wh::sim
