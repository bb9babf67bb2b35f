#include "sim/shrink.h"

#include <algorithm>
#include <cctype>
#include <utility>
#include <vector>

namespace wh::sim {
namespace {

// Seeds tried for each smaller run: with other options, a seed names another run.
constexpr uint64_t kSeedsATry = 12;

class Shrinker {
 public:
  Shrinker(uint64_t max_runs, const std::function<Apart(uint64_t, const Options&)>& run)
      : max_runs_(max_runs), run_(run) {}

  Shrunk shrink(uint64_t seed, const Options& failing) {
    best_ = {.seed = seed, .options = failing, .result = once(seed, failing), .runs = 0};
    kind_ = kind_of_failure(best_.result.failure);
    if (!kind_.empty()) {
      bool smaller = true;
      while (smaller && runs_ < max_runs_) {
        smaller = leave_out();
        smaller |= lower();
        smaller |= plain();
      }
      soonest();
    }
    best_.runs = runs_;
    return best_;
  }

 private:
  Apart once(uint64_t seed, const Options& options) {
    ++runs_;
    return run_(seed, options);
  }

  bool accept(const Options& candidate, uint64_t seeds) {
    if (candidate == best_.options) return false;
    // Options that no seed would draw fail in their own ways.
    const uint64_t beats = candidate.drift_percent > 100 ? 10 : 2;
    if (candidate.election_timeout_ms < beats * candidate.heartbeat_interval_ms) return false;
    for (uint64_t i = 0; i < seeds && runs_ < max_runs_; ++i) {
      const uint64_t seed = best_.seed + i;
      Apart result = once(seed, candidate);
      if (kind_of_failure(result.failure) != kind_) continue;
      best_ = {.seed = seed, .options = candidate, .result = std::move(result), .runs = 0};
      return true;
    }
    return false;
  }
  bool accept(const Options& candidate) { return accept(candidate, kSeedsATry); }

  // Drops faults, flaws and aimed faults: first in halves, then one by one.
  bool leave_out() {
    bool any = false;
    for (size_t parts = 2;; parts *= 2) {
      std::vector<std::string> on;
      each_option(best_.options, [&](std::string_view name, uint64_t value, OptionKind kind) {
        if (value != 0 && kind >= OptionKind::flaw) on.emplace_back(name);
      });
      parts = std::min(parts, on.size());
      if (parts == 0) return any;
      for (size_t part = 0; part < parts; ++part) {
        Options candidate = best_.options;
        for (size_t i = on.size() * part / parts; i < on.size() * (part + 1) / parts; ++i)
          (void)set_option(candidate, on[i] + "=0");
        any |= accept(candidate);
      }
      if (parts >= on.size()) return any;
    }
  }

  // Lowers nodes, clients, operations and the time.
  bool lower() {
    bool any = false;
    const Options least{.story = Story::formed,
                        .nodes = 1,
                        .spares = 0,
                        .chaos_ms = 200,
                        .clients = 1,
                        .pipelined = 1,
                        .think_ms = 100,
                        .keys = 1,
                        .event_bytes = 40,
                        .queue_clients = 0,
                        .queue_operators = 0};
    for (const auto member :
         {&Options::spares, &Options::clients, &Options::pipelined, &Options::keys, &Options::event_bytes,
          &Options::queue_clients, &Options::queue_operators, &Options::nodes}) {
      while (best_.options.*member > least.*member) {
        Options candidate = best_.options;
        candidate.*member = least.*member;
        bool smaller = accept(candidate);
        if (!smaller) {
          candidate.*member = best_.options.*member - 1;
          smaller = accept(candidate);
        }
        any |= smaller;
        if (!smaller) break;
      }
    }
    while (best_.options.chaos_ms / 2 >= least.chaos_ms) {
      Options candidate = best_.options;
      candidate.chaos_ms /= 2;
      if (!accept(candidate)) break;
      any = true;
    }
    Options formed = best_.options;
    formed.story = Story::formed;
    return accept(formed) || any;
  }

  // Resets settings and the world's speed to their defaults.
  bool plain() {
    bool any = false;
    const Options usual;
    std::vector<std::string> assignments;
    each_option(usual, [&](std::string_view name, uint64_t value, OptionKind kind) {
      if (kind == OptionKind::setting || kind == OptionKind::world)
        assignments.push_back(std::string(name) + "=" + std::to_string(value));
    });
    Options all = best_.options;
    for (const std::string& assignment : assignments) (void)set_option(all, assignment);
    if (accept(all)) return true;
    for (const std::string& assignment : assignments) {
      Options candidate = best_.options;
      (void)set_option(candidate, assignment);
      any |= accept(candidate, 4);
    }
    return any;
  }

  // Looks for the seed with the shortest trace.
  void soonest() {
    const uint64_t first = best_.seed;
    for (uint64_t seed = first + 1; seed < first + 60 && runs_ < max_runs_; ++seed) {
      Apart result = once(seed, best_.options);
      // An assertion does not report how many events it took.
      if (kind_of_failure(result.failure) != kind_ || result.events >= best_.result.events) continue;
      best_.seed = seed;
      best_.result = std::move(result);
    }
  }

  uint64_t max_runs_;
  const std::function<Apart(uint64_t, const Options&)>& run_;
  uint64_t runs_ = 0;
  Shrunk best_;
  std::string kind_;
};

}  // namespace

std::string kind_of_failure(const std::string& failure) {
  std::string out;
  for (size_t i = 0; i < failure.size(); ++i) {
    const bool digit = std::isdigit(static_cast<unsigned char>(failure[i])) != 0;
    if (digit && !out.empty() && out.back() == '#') continue;
    out += digit ? '#' : failure[i];
  }
  // The text after a second colon is detail, such as the state of all nodes.
  const size_t first = out.find(": ");
  if (first == std::string::npos) return out;
  return out.substr(0, out.find(": ", first + 2));
}

Shrunk shrink(uint64_t seed, const Options& failing, uint64_t max_runs,
              const std::function<Apart(uint64_t, const Options&)>& run) {
  return Shrinker(max_runs, run).shrink(seed, failing);
}

}  // namespace wh::sim
