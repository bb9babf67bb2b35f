#include "server/simulate.h"

#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <string>
#include <unistd.h>

#include "base/log.h"
#include "server/identity.h"
#include "sim/campaign.h"
#include "sim/faults/fault_groups.h"
#include "sim/shrink.h"

namespace wh::server {
namespace {

constexpr double kProgressSeconds = 0.2;  // on a terminal; elsewhere fifty times as long
constexpr uint64_t kMaxShrinkRuns = 600;

volatile std::sig_atomic_t interrupted = 0;

// For the handler of SIGABRT: the command that repeats the run in which an assertion failed.
std::string repeat_command;  // without the seed
uint64_t running_seed = 0;

void on_abort(int) {
  // Makes no string: the assertion may have failed in the middle of an allocation.
  static constexpr char kWhat[] = "This run broke an assertion. Repeat it with: ";
  if (::write(STDERR_FILENO, kWhat, sizeof kWhat - 1) < 0) return;
  if (::write(STDERR_FILENO, repeat_command.data(), repeat_command.size()) < 0) return;
  char digits[24];
  size_t at = sizeof digits;
  digits[--at] = '\n';
  uint64_t rest = running_seed;
  do {
    digits[--at] = static_cast<char>('0' + rest % 10);
    rest /= 10;
  } while (rest != 0);
  if (::write(STDERR_FILENO, digits + at, sizeof digits - at) < 0) return;
}

std::string command(const config::SimulateArguments& arguments) {
  std::string out = "wormhole-server --simulate --trace";
  if (arguments.nodes) out += " --nodes " + std::to_string(*arguments.nodes);
  if (!arguments.faults.empty()) out += " --faults " + arguments.faults;
  return out + " --seed ";
}

Status choose_faults(sim::Options& options, const config::SimulateArguments& arguments) {
  return arguments.faults.empty() ? ok_status() : sim::choose_faults(options, arguments.faults);
}

sim::Options chosen(uint64_t seed, const config::SimulateArguments& arguments) {
  sim::Options options = sim::draw_options(seed);
  if (arguments.nodes) options.nodes = *arguments.nodes;
  WH_ASSERT(choose_faults(options, arguments).ok(), "the faults were checked at the start");
  // Spare nodes would only stand by, as churn never adds them.
  if (arguments.nodes && options.churn_every_ms == 0) options.spares = 0;
  return options;
}

int trace_one(uint64_t seed, const config::SimulateArguments& arguments) {
  set_log_level(LogLevel::notice);
  set_log_sink([](LogLevel, std::string_view line) {
    std::printf("           | %.*s\n", static_cast<int>(line.size()), line.data());
  });
  running_seed = seed;
  // Line-buffered, so that a failed assertion does not lose the end of the trace.
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const sim::Options options = chosen(seed, arguments);
  std::printf("seed %" PRIu64 ": %s\n", seed, sim::describe(options).c_str());
  const sim::RunResult result = sim::run(seed, options, true);
  std::printf("seed %" PRIu64 ": %" PRIu64 " events in %.1f virtual seconds: %s\n", seed, result.events,
              static_cast<double>(result.virtual_ms) / 1000.0,
              result.failure.empty() ? "all held" : result.failure.c_str());
  return result.failure.empty() ? 0 : 1;
}

void print_progress(const sim::Totals& totals, uint64_t seed, bool terminal) {
  // Short enough for a terminal of 80 columns.
  std::printf("%s%" PRIu64 " clusters up to seed %" PRIu64 ", %.1f virtual hours, %.0f x real time, %" PRIu64
              " failed%s",
              terminal ? "\r" : "", totals.seeds, seed, static_cast<double>(totals.virtual_ms) / 3.6e6,
              totals.times_real(), totals.failed, terminal ? " " : "\n");
  std::fflush(stdout);
}

void report(uint64_t seed, const sim::Options& options, const sim::RunResult& result,
            const config::SimulateArguments& arguments) {
  std::printf("\nseed %" PRIu64 " FAILED after %.1f virtual seconds: %s\n  repeat: %s%" PRIu64 "\n", seed,
              static_cast<double>(result.virtual_ms) / 1000.0, result.failure.c_str(), command(arguments).c_str(),
              seed);
  std::printf("  making it smaller, for those who mend it ...\n");
  std::fflush(stdout);
  const sim::Shrunk shrunk = sim::shrink(seed, options, kMaxShrinkRuns, sim::run_apart);
  std::printf("  after %" PRIu64 " runs: seed %" PRIu64 ", %" PRIu64 " events, with %s\n", shrunk.runs, shrunk.seed,
              shrunk.result.events, sim::describe(shrunk.options).c_str());
  std::printf("  Please tell us: this is a defect of wormhole " WORMHOLE_VERSION ".\n");
}

void print_summary(const sim::Totals& totals) {
  std::printf("%s\n", totals.line().c_str());
  std::printf("What came up:\n");
  for (size_t i = 0; i < sim::kSituations; ++i)
    if (totals.seen.times[i] != 0)
      std::printf("  %-52s %10" PRIu64 "\n", sim::kSituationNames[i], totals.seen.times[i]);
  std::printf("What clients were told, and how often it was judged:\n");
  for (const auto& [outcome, times] : totals.outcomes) std::printf("  %-52s %10" PRIu64 "\n", outcome.c_str(), times);
  std::printf(totals.failed == 0 ? "All held: one leader a term, one log, nothing acknowledged lost, no event twice, "
                                   "every answer linearizable.\n"
                                 : "Something did NOT hold: see above.\n");
}

}  // namespace

int simulate(const config::SimulateArguments& arguments) {
  sim::Options any;
  if (const Status chosen = choose_faults(any, arguments); !chosen) {
    std::fprintf(stderr, "wormhole-server: '--faults': %s\n", chosen.error().c_str());
    return 1;
  }
  // The first seed is low, so that people can type it again.
  const uint64_t first = arguments.seed ? *arguments.seed : random_value<uint32_t>() % 1'000'000;
  repeat_command = command(arguments);
  std::signal(SIGABRT, on_abort);
  if (arguments.trace) return trace_one(first, arguments);
  set_log_sink([](LogLevel, std::string_view) {});
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  std::printf("Simulating clusters from seed %" PRIu64 " on, for %" PRIu64 " s, on one core. Ctrl-C ends it.\n", first,
              arguments.seconds);
  std::fflush(stdout);
  double shown = 0;
  sim::Campaign campaign;
  campaign.first = first;
  campaign.seconds = static_cast<double>(arguments.seconds);
  campaign.max_failures = 1;
  campaign.interrupted = &interrupted;
  std::signal(SIGINT, [](int) { interrupted = 1; });
  campaign.options_of = [&](uint64_t seed) {
    running_seed = seed;
    return chosen(seed, arguments);
  };
  const sim::Totals totals = sim::run_campaign(
      campaign,
      [&](uint64_t seed, const sim::Options& options, const sim::RunResult& result) {
        report(seed, options, result, arguments);
      },
      [&](const sim::Totals& so_far, uint64_t seed) {
        if (so_far.seconds < shown + (terminal ? kProgressSeconds : 50 * kProgressSeconds)) return;
        shown = so_far.seconds;
        print_progress(so_far, seed, terminal);
      });
  if (terminal) std::printf("\n");
  print_summary(totals);
  return totals.failed == 0 ? 0 : 1;
}

}  // namespace wh::server
