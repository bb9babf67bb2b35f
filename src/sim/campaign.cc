#include "sim/campaign.h"

#include <chrono>
#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/log.h"

namespace wh::sim {
namespace {
constexpr unsigned kSecondsOfOneRun = 120;
constexpr size_t kMostSaid = 64 << 10;
}  // namespace

void Totals::add(const RunResult& result) {
  ++seeds;
  failed += result.failure.empty() ? 0 : 1;
  events += result.events;
  operations += result.operations;
  virtual_ms += result.virtual_ms;
  digest = mix64(digest, result.digest);
  seen += result.seen;
  for (const auto& [name, times] : result.outcomes) outcomes[name] += times;
}

double Totals::times_real() const { return seconds > 0 ? static_cast<double>(virtual_ms) / 1000.0 / seconds : 0; }

std::string Totals::line() const {
  const double hours = static_cast<double>(virtual_ms) / 3.6e6;
  const bool years = hours > 8766.0 / 100;
  char text[256];
  std::snprintf(text, sizeof text,
                "%" PRIu64 " seeds, %" PRIu64 " failed; %" PRIu64 " events, %" PRIu64
                " operations, %.2f virtual %s in %.1f s: %.0f times real time",
                seeds, failed, events, operations, years ? hours / 8766 : hours, years ? "years" : "hours", seconds,
                times_real());
  return text;
}

Totals run_campaign(const Campaign& campaign,
                    const std::function<void(uint64_t, const Options&, const RunResult&)>& failed,
                    const std::function<void(const Totals&, uint64_t)>& progress) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point began = Clock::now();
  Totals totals;
  for (uint64_t seed = campaign.first; campaign.count == 0 || seed < campaign.first + campaign.count;
       seed += campaign.stride) {
    const Options options = campaign.options_of(seed);
    const RunResult result = run(seed, options, false);
    totals.add(result);
    totals.seconds = std::chrono::duration<double>(Clock::now() - began).count();
    if (!result.failure.empty() && failed) failed(seed, options, result);
    if (progress) progress(totals, seed);
    if (totals.failed >= campaign.max_failures) break;
    if (campaign.seconds > 0 && totals.seconds >= campaign.seconds) break;
    if (campaign.interrupted != nullptr && *campaign.interrupted != 0) break;
  }
  return totals;
}

Apart run_apart(uint64_t seed, const Options& options) {
  Apart out;
  int ends[2];
  WH_ASSERT(::pipe(ends) == 0, "a pipe can be had");
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    ::dup2(ends[1], STDERR_FILENO);  // captures an assertion's text
    std::signal(SIGABRT, SIG_DFL);
    set_log_sink([](LogLevel, std::string_view) {});
    ::alarm(kSecondsOfOneRun);  // a defect may make it loop for ever
    const RunResult result = run(seed, options, false);
    // Comes after all other output.
    dprintf(ends[1], "\x01%" PRIu64 " %" PRIu64 "\n%s", result.events, result.virtual_ms, result.failure.c_str());
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string said;
  char buffer[4096];
  for (ssize_t n = 0; child > 0 && (n = ::read(ends[0], buffer, sizeof buffer)) > 0;) {
    said.append(buffer, static_cast<size_t>(n));
    if (said.size() > 2 * kMostSaid) said.erase(0, said.size() - kMostSaid);
  }
  ::close(ends[0]);
  int status = 0;
  WH_ASSERT(child > 0 && ::waitpid(child, &status, 0) == child, "a process can be had");
  if (const size_t mark = said.rfind('\x01'); WIFEXITED(status) && mark != std::string::npos) {
    const size_t end = said.find('\n', mark);
    std::sscanf(said.c_str() + mark + 1, "%" SCNu64 " %" SCNu64, &out.events, &out.virtual_ms);
    if (end != std::string::npos) out.failure = said.substr(end + 1);
  } else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
    out.failure = "it does not end";
  } else {
    // Drops file and line, which say nothing about the failure.
    const size_t reason = said.find("assertion `");
    out.failure = said.substr(reason == std::string::npos ? 0 : reason);
    out.failure = "an assertion: " + out.failure.substr(0, out.failure.find('\n'));
  }
  return out;
}

}  // namespace wh::sim
