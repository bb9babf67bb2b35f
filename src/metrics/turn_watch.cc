#include "metrics/turn_watch.h"

namespace wh::metrics {
namespace {

std::string describe(const net::TurnTimes& times, const TurnWork& before, const TurnWork& now) {
  struct Part {
    const char* what;
    uint64_t TurnWork::*count;
  };
  static constexpr Part kParts[] = {{"messages of members", &TurnWork::peer_messages},
                                    {"HTTP requests", &TurnWork::http_requests},
                                    {"commands", &TurnWork::commands},
                                    {"new connections", &TurnWork::connections},
                                    {"entries applied", &TurnWork::entries_applied},
                                    {"results of the disk", &TurnWork::storage_results},
                                    {"reads", &TurnWork::reads},
                                    {"bytes received", &TurnWork::bytes_received},
                                    {"bytes sent", &TurnWork::bytes_sent}};
  std::string text;
  for (const Part& part : kParts) {
    const uint64_t count = now.*part.count - before.*part.count;
    if (count == 0) continue;
    if (!text.empty()) text += ", ";
    text += std::to_string(count) + " " + part.what;
  }
  if (text.empty()) text = "nothing that is counted";
  return text + "; " + std::to_string(times.arrivals_us) + " us on arrivals, " + std::to_string(times.hook_us) +
         " us in the node, " + std::to_string(times.sends_us) + " us on sending, " + std::to_string(times.cpu_us) +
         " us of the processor";
}

}  // namespace

void TurnWatch::turn_ended(const net::TurnTimes& times, const TurnWork& counted, uint64_t limit_us, Millis now) {
  const bool too_long = times.total_us > limit_us;
  if (too_long || times.total_us > longest_.us || times.cpu_us > longest_cpu_.us) {
    const std::string work = describe(times, before_, counted);
    if (times.total_us > longest_.us) longest_ = {times.total_us, work};
    if (times.cpu_us > longest_cpu_.us) longest_cpu_ = {times.cpu_us, work};
    if (too_long) {
      ++too_long_;
      if (limiter_.allow(now))
        logf(LogLevel::warning, "a turn of the loop took %lu ms, in which nobody was answered: %s%s",
             times.total_us / 1000, work.c_str(),
             limiter_.suppressed() == 0 ? "" : (" (and " + std::to_string(limiter_.suppressed()) + " more)").c_str());
    }
  }
  before_ = counted;
}

void TurnWatch::reset() {
  before_ = {};  // the counters it is compared with are reset too
  longest_ = longest_cpu_ = {};
  too_long_ = 0;
}

}  // namespace wh::metrics
