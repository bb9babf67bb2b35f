// The simulator's program.
//
//   sim --seed N [--trace] [--mutant NAME]     one seed
//   sim --seeds FROM COUNT                     many; figures at the end
//   sim --mutant NAME --seeds FROM COUNT       plants a defect: must be caught within these seeds
//   sim --replay FILE                          the seeds of a file, one a line: those that once found a bug
//   sim ... --set NAME=VALUE                   with another option than the seed draws (src/sim/options.h)
//   sim --determinism FROM COUNT               each seed twice: the same must happen
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "base/log.h"
#include "hunt.h"
#include "planted.h"
#include "sim/options.h"
#include "sim/simulation.h"

namespace {

using wh::sim::RunResult;

uint64_t current_seed = 0;
const char* current_mutant = "";
std::vector<std::string> assignments;  // of --set

wh::sim::Options options_of(uint64_t seed) {
  wh::sim::Options options = wh::sim::draw_options(seed);
  for (const std::string& assignment : assignments)
    if (const std::string wrong = set_option(options, assignment); !wrong.empty()) {
      std::fprintf(stderr, "sim: %s\n", wrong.c_str());
      std::exit(2);
    }
  return options;
}

RunResult run(uint64_t seed, bool tracing) { return wh::sim::run(seed, options_of(seed), tracing); }

void repeat_line(FILE* out) {
  std::string settings;
  for (const std::string& assignment : assignments) settings += " --set " + assignment;
  std::fprintf(out, "repeat with: sim --seed %lu%s --trace%s%s\n", current_seed, settings.c_str(),
               *current_mutant != 0 ? " --mutant " : "", current_mutant);
}

void on_abort(int) {
  std::fprintf(stderr, "seed %lu aborted: %s\n", current_seed, wh::sim::describe(options_of(current_seed)).c_str());
  repeat_line(stderr);
}

void report(const RunResult& result) {
  std::printf("seed %lu FAILED after %lu ms of its time: %s\n  options: %s\n", current_seed, result.virtual_ms,
              result.failure.c_str(), wh::sim::describe(options_of(current_seed)).c_str());
  repeat_line(stdout);
}

// The run again, in a process of its own, for the end of its trace.
void print_tail() {
  std::fflush(stdout);
  int pipe_ends[2];
  if (::pipe(pipe_ends) != 0) return;
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(pipe_ends[1], STDOUT_FILENO);
    (void)run(current_seed, true);
    std::fflush(stdout);
    ::_exit(0);
  }
  ::close(pipe_ends[1]);
  std::string tail;
  char buffer[65536];
  for (ssize_t n = 0; (n = ::read(pipe_ends[0], buffer, sizeof buffer)) > 0;) {
    tail.append(buffer, static_cast<size_t>(n));
    if (tail.size() > 200'000) tail.erase(0, tail.size() - 6'000);
  }
  ::close(pipe_ends[0]);
  ::waitpid(child, nullptr, 0);
  if (tail.size() > 6'000) tail.erase(0, tail.size() - 6'000);
  std::printf("%s\n", tail.c_str());
}

int run_one(uint64_t seed, bool trace) {
  current_seed = seed;
  std::printf("seed %lu: %s\n", seed, wh::sim::describe(options_of(seed)).c_str());
  const RunResult result = run(seed, trace);
  if (!result.failure.empty()) report(result);
  std::printf("seed %lu: %lu events, %lu ms, digest %016lx\n", seed, result.events, result.virtual_ms, result.digest);
  return result.failure.empty() ? 0 : 1;
}

int run_many(uint64_t from, uint64_t count) {
  const auto began = std::chrono::steady_clock::now();
  RunResult total;
  uint64_t failed = 0;
  for (current_seed = from; current_seed < from + count; ++current_seed) {
    const RunResult result = run(current_seed, false);
    total.events += result.events;
    total.virtual_ms += result.virtual_ms;
    total.operations += result.operations;
    total.seen += result.seen;
    for (const auto& [name, times] : result.outcomes) total.outcomes[name] += times;
    if (result.failure.empty()) continue;
    report(result);
    if (failed == 0) print_tail();
    if (++failed == 5) break;
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  std::printf("%lu seeds, %lu failed; %lu events, %lu operations, %.1f virtual hours in %.1f s: %.0f times real time\n",
              count, failed, total.events, total.operations, static_cast<double>(total.virtual_ms) / 3.6e6, seconds,
              static_cast<double>(total.virtual_ms) / 1000.0 / seconds);
  for (const auto& [name, times] : total.outcomes) std::printf("  outcome %-32s %lu\n", name.c_str(), times);
  for (size_t i = 0; i < wh::sim::kSituations; ++i)
    std::printf("  came up: %-48s %lu\n", wh::sim::kSituationNames[i], total.seen.times[i]);
  return failed == 0 ? 0 : 1;
}

int determinism(uint64_t from, uint64_t count) {
  for (current_seed = from; current_seed < from + count; ++current_seed) {
    const uint64_t once = run(current_seed, false).digest;
    const uint64_t twice = run(current_seed, false).digest;
    if (once == twice) continue;
    std::printf("seed %lu ran in two ways: %016lx and %016lx\n", current_seed, once, twice);
    return 1;
  }
  std::printf("%lu seeds ran twice alike\n", count);
  return 0;
}

int replay(const char* path) {
  std::ifstream file(path);
  if (!file) {
    std::fprintf(stderr, "cannot read %s\n", path);
    return 2;
  }
  int worst = 0;
  for (std::string line; std::getline(file, line);)
    if (!line.empty() && line.front() != '#') worst |= run_one(std::strtoull(line.c_str(), nullptr, 10), false);
  return worst;
}

}  // namespace

int main(int argc, char** argv) {
  bool trace = false;
  bool mutant = false;
  const char* mode = "";
  const char* path = "";
  uint64_t first = 0;
  uint64_t count = 0;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    const auto number = [&] { return i + 1 < argc ? std::strtoull(argv[++i], nullptr, 10) : 0; };
    if (arg == "--trace") {
      trace = true;
    } else if (arg == "--seed") {
      mode = "seed";
      first = number();
    } else if (arg == "--seeds" || arg == "--determinism") {
      mode = arg == "--seeds" ? "seeds" : "determinism";
      first = number();
      count = number();
    } else if (arg == "--set" && i + 1 < argc) {
      assignments.emplace_back(argv[++i]);
    } else if (arg == "--replay" && i + 1 < argc) {
      mode = "replay";
      path = argv[++i];
    } else if (arg == "--mutant" && i + 1 < argc) {
      current_mutant = argv[++i];
      mutant = wh::sim::plant(current_mutant);
      if (!mutant) {
        std::fprintf(stderr, "no such mutant: %s\n", current_mutant);
        return 2;
      }
    }
  }
  std::signal(SIGABRT, on_abort);
  wh::set_log_level(trace ? wh::LogLevel::notice : wh::LogLevel::warning);
  wh::set_log_sink([](wh::LogLevel, std::string_view line) {
    if (wh::log_level() == wh::LogLevel::notice)
      std::printf("           | %.*s\n", static_cast<int>(line.size()), line.data());
  });
  const std::string chosen = mode;
  if (chosen == "seed") return run_one(first, trace);
  if (chosen == "seeds" && mutant) return wh::sim::hunt_one(current_mutant, first, count, options_of);
  if (chosen == "seeds") return run_many(first, count);
  if (chosen == "determinism") return determinism(first, count);
  if (chosen == "replay") return replay(path);
  std::fprintf(stderr,
               "sim --seed N [--trace] | --seeds FROM COUNT | --replay FILE | --determinism FROM COUNT [--mutant NAME] "
               "[--set OPTION=VALUE]...\n");
  return 2;
}
