// Asks a cluster: one endpoint after the other, until one answers or the time is over. Decides what may be sent again,
// what an answer means, where a redirection may lead, and says at the end what was tried. The commands see only a
// Reply.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cli/exchange.h"

namespace wh::cli {

// The exit statuses; docs/cli.md promises them.
inline constexpr int kDone = 0;
inline constexpr int kRefused = 1;
inline constexpr int kUsage = 2;
inline constexpr int kNobody = 3;
inline constexpr int kUnknown = 4;
// For a program that a signal ends; main makes the signal's status of it.
inline constexpr int kInterrupted = 128;

struct ClusterSettings {
  std::vector<std::string> endpoints;  // at least one; parse_endpoints()
  std::string endpoints_from;          // "--endpoints", "WORMHOLE_ENDPOINTS", "the default"
  Trust trust;
  Millis timeout{30'000};   // for all attempts of one request
  Millis connect{2'000};    // see Exchange::Limits
  Millis answer{6'000};     // a little more than the server's request-timeout
  std::string idempotency;  // --idempotency-key; empty: a random one for each request
  bool repeatable = false;  // the command, run again with --idempotency-key, is the same request
};

struct Reply {
  // done: the answer is a success (2xx, 304), or the sink had enough; refused: it is not; the others: there is none.
  enum class Kind : uint8_t { done, refused, nobody, unknown, interrupted };
  Kind kind = Kind::nobody;
  Answer answer;          // done, refused
  std::string endpoint;   // done, refused: which one answered
  std::string sentence;   // not done: what to tell the user, perhaps of several lines
  bool repeated = false;  // an earlier attempt of this write may have taken effect

  [[nodiscard]] bool done() const { return kind == Kind::done; }
  // The exit status that belongs to it.
  [[nodiscard]] int status() const;
};

class Cluster {
 public:
  explicit Cluster(ClusterSettings settings);

  // Asks until there is an answer that settles it. A request that fails before it was sent, and one that was certainly
  // not carried out (503), is sent to the next endpoint; one whose fate is unknown too, with the same idempotency key.
  Reply ask(const Request& request);
  // Asks this URL alone, once: the leader, of what only it knows.
  Reply ask_only(const std::string& base, const Request& request);
  // The endpoint that is asked first the next time is the one after.
  void move_on();
  // Where the next request goes first.
  [[nodiscard]] const std::string& endpoint() const { return settings_.endpoints[next_]; }
  [[nodiscard]] const ClusterSettings& settings() const { return settings_; }

 private:
  using Clock = std::chrono::steady_clock;
  // What is known of an endpoint during one request.
  struct Tried {
    std::string reason;            // of the last failure
    Clock::time_point not_before;  // Retry-After
    bool connected = false;        // in the last attempt
    bool hopeless = false;         // no further attempt makes sense
  };
  struct Asking;

  // One attempt at one endpoint, redirections included. Returns true when `asking` has its reply.
  bool try_one(Asking& asking, size_t at);
  bool judge(Asking& asking, size_t at, const std::string& base, Attempt attempt);
  bool unserved(Asking& asking, size_t at, const Attempt& attempt);
  void follow(Asking& asking, size_t at, std::string& base, Attempt& attempt);
  bool is_member(const std::string& asked, const std::string& url);
  // For how long in all a request is asked.
  [[nodiscard]] std::chrono::milliseconds patience(const Request& request) const;
  Exchange::Limits limits(const Asking& asking) const;
  Reply give_up(const Asking& asking) const;
  void pause(Asking& asking) const;

  ClusterSettings settings_;
  Exchange exchange_;
  size_t next_ = 0;
};

// 32 random hexadecimal digits.
std::string random_key();

}  // namespace wh::cli
