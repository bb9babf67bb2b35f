// Decides who may be a client when there are as many as `maxclients` allows, over HTTP, HTTPS and the debug port
// together. The connection that has been idle longest gives way to a new one; where one address holds more than its
// share, one of its own goes first, so that no address drives all others out. A connection with a request in flight
// never gives way, unless all that it does is to wait for something to happen: it counts as idle since that began, and
// is told so. One that is late, with taking answers or ending a request, counts as idle since then. A crowd from
// few addresses that begins requests and never ends them takes no place from others: such an address also gives way
// with requests that have only begun, and gets no place of another address's that was busy a moment ago. Where nobody
// can give way, health checks still get an answer, and so does the debug port from this machine. Owns no connection:
// the two fronts do. Called by server/ for each connection that the listeners accept.
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

namespace wh::api {

// A client that may give way.
struct IdleClient {
  Millis since = 0;       // since when it has been idle, or its request arriving
  uint64_t group = 0;     // ByteStream::peer_group
  uint64_t id = 0;        // its number at its front
  bool arriving = false;  // not idle: a request has been arriving since `since`, and is not late
};

// What admission asks of a front.
class ClientFront {
 public:
  virtual ~ClientFront() = default;
  [[nodiscard]] virtual size_t connections() const = 0;
  // Adds the groups of all connections to `groups`, and to `idle` those that may give way now, also those `arriving`.
  virtual void list(std::vector<uint64_t>& groups, std::vector<IdleClient>& idle) const = 0;
  // Ends this connection at once if it is still there and unchanged since it was listed; false when not. Its descriptor
  // is free when this returns.
  virtual bool end_idle(const IdleClient& client) = 0;
};

class ClientAdmission {
 public:
  // How a connection is let in.
  enum class Entry : uint8_t {
    welcome,
    probe,       // HTTP: it may ask whether the node is alive, and nothing else
    turned_away  // debug port: told that there are too many clients
  };
  // An address may hold 1/kShares of `maxclients` without giving way before others.
  static constexpr size_t kShares = 4;
  // A client of an address within its share gives way to an address beyond its own only after being idle for this long.
  static constexpr Millis kModestIdleMs = 10'000;
  // How many of Descriptors::kSpareClients are for probes; the rest is for the debug port.
  static constexpr size_t kProbes = 20;

  // All arguments must outlive this object.
  ClientAdmission(const config::Options& options, ClientFront& http, ClientFront& debug)
      : options_(options), http_(http), debug_(debug) {}

  // `group`: ByteStream::peer_group of the new connection.
  Entry admit_http(uint64_t group, Millis now);
  // `local`: the connection comes from this machine.
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
  // After a look it waits one millisecond for every kLooksPerMs connections before the next.
  static constexpr uint64_t kLooksPerMs = 100;
  // How many connections one look chooses.
  static constexpr size_t kChosen = 128;

  [[nodiscard]] uint64_t open() const { return http_.connections() + debug_.connections(); }
  // Whether a connection gave way.
  bool make_room(uint64_t group, Millis now);
  bool end_chosen(bool for_greedy, Millis now);
  // False when it is too early to look again.
  bool look(Millis& last, Millis now);

  const config::Options& options_;
  ClientFront& http_;
  ClientFront& debug_;
  std::vector<Candidate> chosen_;        // the first to go is last
  std::unordered_set<uint64_t> greedy_;  // groups beyond their share, as of the last look
  // This many of the chosen are kept for new clients from addresses within their share, however many come from the
  // others; the times of the last look for the two are separate.
  size_t kept_ = 0;
  std::array<Millis, 2> looked_at_{};
  uint64_t evicted_ = 0;
  LogLimiter log_{60'000};
};

}  // namespace wh::api
