// Who may be a client when there are as many as `maxclients` allows, over HTTP, HTTPS and the debug port together. The
// connection that has been idle longest gives way to a new one; where one address holds more than its share, one of its
// own goes first, so that nobody drives everybody else out. One with a request in flight never gives way; one that is
// late with its own part, taking the answers or ending the request, counts as idle since then. A crowd from few
// addresses that begins requests and never ends them takes no place of others: such an address gives way to those of
// another with what has only begun, too, and gets no place of one that was busy a moment ago. Where nobody can give
// way, health checks still get an answer, and so does the debug port from this machine. Owns no connection: the two
// fronts do. Called by server/ for each connection that the listeners accept.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "config/options.h"
#include "net/descriptors.h"

namespace wh {

// A client that may give way.
struct IdleClient {
  Millis since = 0;       // when it last had or said something
  uint64_t group = 0;     // ByteStream::peer_group
  uint64_t id = 0;        // its front's
  bool arriving = false;  // not idle: a request of it has begun to arrive at `since`, and is not late
};

// What admission asks of a front.
class ClientFront {
 public:
  virtual ~ClientFront() = default;
  [[nodiscard]] virtual size_t connections() const = 0;
  // Adds all its connections' groups to `groups`, and to `idle` those that may give way now, those with `arriving` too.
  virtual void list(std::vector<uint64_t>& groups, std::vector<IdleClient>& idle) const = 0;
  // Ends this connection at once if it is still there, and all is still as it was listed; false when not. Its
  // descriptor is free when this returns.
  virtual bool end_idle(const IdleClient& client) = 0;
};

class ClientAdmission {
 public:
  // How a connection is let in.
  enum class Entry : uint8_t {
    welcome,
    probe,       // HTTP: it may ask whether the node lives, and nothing else
    turned_away  // debug port: told that there are too many
  };
  // What one address may hold of `maxclients` without giving way before others: one part of so many.
  static constexpr size_t kShares = 4;
  // One of an address that holds less gives way to those of one that holds more only when it was idle for so long.
  static constexpr Millis kModestIdleMs = 10'000;
  // Of Descriptors::kSpareClients, for those that are let in as probes; the rest is for the debug port.
  static constexpr size_t kProbes = 20;

  // All must outlive it.
  ClientAdmission(const Options& options, ClientFront& http, ClientFront& debug)
      : options_(options), http_(http), debug_(debug) {}

  // `group`: ByteStream::peer_group of the new one.
  Entry admit_http(uint64_t group, Millis now);
  // `local`: from this machine.
  Entry admit_debug(uint64_t group, bool local, Millis now);

  // Connections that gave way, since the start.
  [[nodiscard]] uint64_t evicted() const { return evicted_; }
  void reset_counters() { evicted_ = 0; }

 private:
  struct Candidate {
    IdleClient client;
    ClientFront* front = nullptr;
    bool greedy = false;  // its address holds more than its share
  };
  // A look at so many connections is worth a millisecond's wait before the next.
  static constexpr uint64_t kLooksPerMs = 100;
  // So many are chosen by one look.
  static constexpr size_t kChosen = 128;

  [[nodiscard]] uint64_t open() const { return http_.connections() + debug_.connections(); }
  // Whether one gave way.
  bool make_room(uint64_t group, Millis now);
  bool end_chosen(bool for_greedy, Millis now);
  // False when it is too early to look again.
  bool look(Millis& last, Millis now);

  const Options& options_;
  ClientFront& http_;
  ClientFront& debug_;
  std::vector<Candidate> chosen_;        // the first to go last
  std::unordered_set<uint64_t> greedy_;  // groups, at the last look
  // Of those chosen so many are for new ones from addresses within their share, however many come from the others; and
  // the looks for the two are apart.
  size_t kept_ = 0;
  std::array<Millis, 2> looked_at_{};
  uint64_t evicted_ = 0;
  LogLimiter log_{60'000};
};

}  // namespace wh
