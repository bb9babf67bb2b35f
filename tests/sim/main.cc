// The simulator's test program: it can plant defects, and has options that the product's simulator lacks (`--help`).
#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "base/log.h"
#include "hunt.h"
#include "planted.h"
#include "sim/campaign.h"
#include "sim/shrink.h"

namespace {

using wh::sim::Options;
using wh::sim::RunResult;
using wh::sim::Totals;

constexpr const char* kUsage =
    "sim --seed N [--trace]       one seed; with all that happens in it\n"
    "sim --seeds FROM COUNT       many; figures at the end. The first that fails is made smaller\n"
    "  --jobs N                   in so many processes\n"
    "  --progress                 says how far it is\n"
    "  --all-situations           fails when one never came up\n"
    "sim --shrink N               makes the failing seed smaller; what is left, and its trace\n"
    "  --max-runs N               in so many runs at most (2000)\n"
    "sim --replay FILE            runs that once found a bug: a seed and options a line, as --shrink prints them\n"
    "sim --determinism FROM COUNT each seed twice: the same must happen\n"
    "sim --digest FROM COUNT      one number of all that happened, to compare two builds\n"
    "  --set NAME=VALUE           another option than the seed draws (src/sim/options.h)\n"
    "  --mutant NAME              plants a defect (src/base/mutant.h); with --seeds: one of them must catch it\n";

// Of a failing seed of many; by hand one takes longer.
constexpr uint64_t kRunsToShrink = 600;

uint64_t current_seed = 0;
Options current_options;
const char* current_mutant = "";
std::vector<std::string> assignments;  // of --set

Options options_of(uint64_t seed) {
  Options options = wh::sim::draw_options(seed);
  for (const std::string& assignment : assignments)
    if (const wh::Status set = set_option(options, assignment); !set) {
      std::fprintf(stderr, "sim: %s\n", set.error().c_str());
      std::exit(2);
    }
  current_seed = seed;
  current_options = options;
  return options;
}

std::string command(uint64_t seed, const Options& options) {
  std::string out = "sim --seed " + std::to_string(seed) + " --trace";
  std::istringstream differing(difference(wh::sim::draw_options(seed), options));
  for (std::string assignment; differing >> assignment;) out += " --set " + assignment;
  if (*current_mutant != 0) out += std::string(" --mutant ") + current_mutant;
  return out;
}

void on_abort(int) {
  std::fprintf(stderr, "seed %" PRIu64 " aborted: %s\nrepeat with: %s\n", current_seed,
               describe(current_options).c_str(), command(current_seed, current_options).c_str());
}

void report(uint64_t seed, const Options& options, const RunResult& result) {
  std::printf("seed %" PRIu64 " FAILED after %" PRIu64 " ms of its time: %s\n  options: %s\nrepeat with: %s\n", seed,
              result.virtual_ms, result.failure.c_str(), describe(options).c_str(), command(seed, options).c_str());
  std::fflush(stdout);
}

int run_one(uint64_t seed, const Options& options, bool trace) {
  current_seed = seed;
  current_options = options;
  // An assertion must not take the end of the trace with it.
  if (trace) std::setvbuf(stdout, nullptr, _IOLBF, 0);
  std::printf("seed %" PRIu64 ": %s\n", seed, describe(options).c_str());
  const RunResult result = wh::sim::run(seed, options, trace);
  if (!result.failure.empty()) report(seed, options, result);
  std::printf("seed %" PRIu64 ": %" PRIu64 " events, %" PRIu64 " ms, digest %016" PRIx64 "\n", seed, result.events,
              result.virtual_ms, result.digest);
  return result.failure.empty() ? 0 : 1;
}

// What is left of a failing run; with `trace` all that happens in it, too.
int shrink(uint64_t seed, uint64_t max_runs, bool trace) {
  const wh::sim::Shrunk shrunk = wh::sim::shrink(seed, options_of(seed), max_runs, wh::sim::run_apart);
  if (shrunk.result.failure.empty()) {
    std::printf("seed %" PRIu64 " does not fail\n", seed);
    return 2;
  }
  std::printf("smallest run after %" PRIu64 " runs: seed %" PRIu64 ", %" PRIu64 " events, %" PRIu64
              " ms of its time\n  %s\n  %s\nrepeat with: %s\nfor a file in tests/issues: %" PRIu64 " %s\n",
              shrunk.runs, shrunk.seed, shrunk.result.events, shrunk.result.virtual_ms, shrunk.result.failure.c_str(),
              describe(shrunk.options).c_str(), command(shrunk.seed, shrunk.options).c_str(), shrunk.seed,
              difference(wh::sim::draw_options(shrunk.seed), shrunk.options).c_str());
  std::fflush(stdout);
  if (trace) (void)run_one(shrunk.seed, shrunk.options, true);
  return 1;
}

Totals run_some(uint64_t from, uint64_t count, uint64_t stride, bool progress) {
  double shown = 0;
  std::optional<uint64_t> failing;
  wh::sim::Campaign campaign;
  campaign.first = from;
  campaign.count = count;
  campaign.stride = stride;
  campaign.options_of = options_of;
  const Totals totals = wh::sim::run_campaign(
      campaign,
      [&](uint64_t seed, const Options& options, const RunResult& result) {
        report(seed, options, result);
        if (!failing) failing = seed;
      },
      [&](const Totals& so_far, uint64_t seed) {
        if (!progress || so_far.seconds < shown + 10) return;
        shown = so_far.seconds;
        std::printf("seed %" PRIu64 ": %s\n", seed, so_far.line().c_str());
        std::fflush(stdout);
      });
  if (failing) (void)shrink(*failing, kRunsToShrink, false);
  return totals;
}

// As text, from a process to its parent.
std::string packed(const Totals& totals) {
  std::ostringstream out;
  out << totals.seeds << ' ' << totals.failed << ' ' << totals.events << ' ' << totals.operations << ' '
      << totals.virtual_ms << ' ' << totals.seconds;
  for (const uint64_t times : totals.seen.times) out << ' ' << times;
  for (const auto& [name, times] : totals.outcomes) out << ' ' << times << ' ' << name << '\n';
  return out.str();
}

// False when that process did not come to its end.
bool add_packed(Totals& totals, const std::string& text) {
  std::istringstream in(text);
  Totals part;
  in >> part.seeds >> part.failed >> part.events >> part.operations >> part.virtual_ms >> part.seconds;
  for (uint64_t& times : part.seen.times) in >> times;
  if (!in) return false;
  totals.seeds += part.seeds;
  totals.failed += part.failed;
  totals.events += part.events;
  totals.operations += part.operations;
  totals.virtual_ms += part.virtual_ms;
  totals.seconds += part.seconds;  // of one core
  totals.seen += part.seen;
  uint64_t times = 0;
  for (std::string name; in >> times && in.get() == ' ' && std::getline(in, name);) totals.outcomes[name] += times;
  return true;
}

// Each process takes every so-manieth seed.
Totals run_beside(uint64_t from, uint64_t count, uint64_t jobs, bool progress) {
  std::vector<int> pipes;
  std::fflush(stdout);
  for (uint64_t job = 0; job < jobs; ++job) {
    int ends[2];
    if (count <= job) break;
    if (::pipe(ends) != 0) std::abort();
    if (::fork() == 0) {
      ::close(ends[0]);
      const std::string text = packed(run_some(from + job, count - job, jobs, progress && job == 0));
      std::fflush(stdout);
      const ssize_t written = ::write(ends[1], text.data(), text.size());
      ::_exit(written == static_cast<ssize_t>(text.size()) ? 0 : 1);
    }
    ::close(ends[1]);
    pipes.push_back(ends[0]);
  }
  Totals totals;
  for (const int end : pipes) {
    std::string text;
    char buffer[4096];
    for (ssize_t n = 0; (n = ::read(end, buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<size_t>(n));
    ::close(end);
    if (!add_packed(totals, text)) ++totals.failed;
  }
  while (::wait(nullptr) > 0) continue;
  return totals;
}

int run_many(uint64_t from, uint64_t count, uint64_t jobs, bool all_situations, bool progress) {
  const Totals totals = jobs > 1 ? run_beside(from, count, jobs, progress) : run_some(from, count, 1, progress);
  std::printf("%s\n", totals.line().c_str());
  for (const auto& [name, times] : totals.outcomes) std::printf("  outcome %-53s %10" PRIu64 "\n", name.c_str(), times);
  size_t never = 0;
  for (size_t i = 0; i < wh::sim::kSituations; ++i) {
    never += totals.seen.times[i] == 0 ? 1 : 0;
    std::printf("  %-61s %10" PRIu64 "\n", wh::sim::kSituationNames[i], totals.seen.times[i]);
  }
  std::printf("figures: %s; %zu of %zu situations came up\n", totals.line().c_str(), wh::sim::kSituations - never,
              wh::sim::kSituations);
  // A second opinion that is never formed would be none.
  const auto times = [&](const char* name) {
    const auto found = totals.outcomes.find(name);
    return found == totals.outcomes.end() ? 0 : found->second;
  };
  const bool blind = times("second opinion: key undecided") * 100 > times("second opinion: key");
  if (blind) std::printf("FAILED: the second opinion is undecided on more than one key in a hundred\n");
  if (all_situations && never != 0) std::printf("FAILED: %zu situations never came up\n", never);
  return totals.failed == 0 && !blind && (never == 0 || !all_situations) ? 0 : 1;
}

int digest(uint64_t from, uint64_t count) {
  wh::sim::Campaign campaign;
  campaign.first = from;
  campaign.count = count;
  campaign.options_of = options_of;
  const Totals totals = wh::sim::run_campaign(campaign, report, nullptr);
  std::printf("%016" PRIx64 "\n", totals.digest);
  return totals.failed == 0 ? 0 : 1;
}

int determinism(uint64_t from, uint64_t count) {
  for (uint64_t seed = from; seed < from + count; ++seed) {
    const uint64_t once = wh::sim::run(seed, options_of(seed), false).digest;
    const uint64_t twice = wh::sim::run(seed, options_of(seed), false).digest;
    if (once == twice) continue;
    std::printf("seed %" PRIu64 " ran in two ways: %016" PRIx64 " and %016" PRIx64 "\n", seed, once, twice);
    return 1;
  }
  std::printf("%" PRIu64 " seeds ran twice alike\n", count);
  return 0;
}

int replay(const char* path) {
  std::ifstream file(path);
  if (!file) {
    std::fprintf(stderr, "cannot read %s\n", path);
    return 2;
  }
  int worst = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.front() == '#') continue;
    std::istringstream words(line);
    uint64_t seed = 0;
    if (!(words >> seed)) {
      std::fprintf(stderr, "%s: no seed in: %s\n", path, line.c_str());
      return 2;
    }
    assignments.assign(std::istream_iterator<std::string>(words), {});
    worst |= run_one(seed, options_of(seed), false);
  }
  return worst;
}

uint64_t number(const char* text) {
  char* end = nullptr;
  const uint64_t value = std::strtoull(text, &end, 10);
  if (*text >= '0' && *text <= '9' && *end == '\0') return value;
  std::fprintf(stderr, "sim: a number, not \"%s\"\n", text);
  std::exit(2);
}

}  // namespace

int main(int argc, char** argv) {
  bool trace = false;
  bool all_situations = false;
  bool progress = false;
  std::string mode;
  const char* path = "";
  uint64_t first = 0;
  uint64_t count = 0;
  uint64_t jobs = 1;
  uint64_t max_runs = 2'000;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    const auto follow = [&](int more) { return i + more < argc; };
    if (arg == "--trace") {
      trace = true;
    } else if (arg == "--all-situations") {
      all_situations = true;
    } else if (arg == "--progress") {
      progress = true;
    } else if ((arg == "--seed" || arg == "--shrink") && follow(1)) {
      mode = arg.substr(2);
      first = number(argv[++i]);
    } else if ((arg == "--seeds" || arg == "--determinism" || arg == "--digest") && follow(2)) {
      mode = arg.substr(2);
      first = number(argv[++i]);
      count = number(argv[++i]);
    } else if (arg == "--jobs" && follow(1)) {
      jobs = number(argv[++i]);
    } else if (arg == "--max-runs" && follow(1)) {
      max_runs = number(argv[++i]);
    } else if (arg == "--set" && follow(1)) {
      assignments.emplace_back(argv[++i]);
    } else if (arg == "--replay" && follow(1)) {
      mode = "replay";
      path = argv[++i];
    } else if (arg == "--mutant" && follow(1)) {
      current_mutant = argv[++i];
      if (!wh::sim::plant(current_mutant)) {
        std::fprintf(stderr, "no such mutant: %s\n", current_mutant);
        return 2;
      }
    } else {
      std::fprintf(stderr, "sim: what is %s?\n%s", arg.c_str(), kUsage);
      return 2;
    }
  }
  std::signal(SIGABRT, on_abort);
  wh::set_log_level(trace || mode == "shrink" ? wh::LogLevel::notice : wh::LogLevel::warning);
  wh::set_log_sink([](wh::LogLevel, std::string_view line) {
    if (wh::log_level() == wh::LogLevel::notice)
      std::printf("           | %.*s\n", static_cast<int>(line.size()), line.data());
  });
  if (mode == "seed") return run_one(first, options_of(first), trace);
  if (mode == "shrink") return shrink(first, max_runs, true);
  if ((mode == "seeds" || mode == "digest" || mode == "determinism") && count == 0) {
    std::fprintf(stderr, "sim: no seeds\n");
    return 2;
  }
  if (mode == "seeds" && *current_mutant != 0) return wh::sim::hunt_one(current_mutant, first, count, options_of);
  if (mode == "seeds") return run_many(first, count, jobs, all_situations, progress);
  if (mode == "digest") return digest(first, count);
  if (mode == "determinism") return determinism(first, count);
  if (mode == "replay") return replay(path);
  std::fputs(kUsage, stderr);
  return 2;
}
