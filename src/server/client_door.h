// Who may be a client when there are as many as `maxclients` allows, over HTTP, HTTPS and the debug port together. The
// connection that has been idle longest gives way to a new one; where one address holds more than its share, one of its
// own goes first, so that nobody drives everybody else out. One with a request in flight never gives way; one that is
// late with its own part, taking the answers or ending the request, counts as idle since then. Where nobody can, health
// checks still get an answer, and so does the debug port from this machine. Owns no connection: the two fronts do.
// Called by server/ for each connection that the listeners accept.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "net/descriptors.h"
#include "server/options.h"

namespace wh {

// A client that may give way.
struct IdleClient {
  Millis since = 0;    // when it last had or said something
  uint64_t group = 0;  // ByteStream::peer_group
  uint64_t id = 0;     // its front's
};

// What the door asks of a front.
class ClientFront {
 public:
  virtual ~ClientFront() = default;
  [[nodiscard]] virtual size_t connections() const = 0;
  // Adds all its connections' groups to `groups`, and those that may give way now to `idle`.
  virtual void list(std::vector<uint64_t>& groups, std::vector<IdleClient>& idle) const = 0;
  // Ends this connection at once if it is still there, and still idle since then; false when not. Its descriptor is
  // free when this returns.
  virtual bool end_idle(uint64_t id, Millis since) = 0;
};

class ClientDoor {
 public:
  // How a connection is let in.
  enum class Entry : uint8_t {
    welcome,
    probe,       // HTTP: it may ask whether the node lives, and nothing else
    turned_away  // debug port: told that there are too many
  };
  // What one address may hold of `maxclients` without giving way before others: one part of so many.
  static constexpr size_t kShares = 4;
  // Of Descriptors::kSpareClients, for those that are let in as probes; the rest is for the debug port.
  static constexpr size_t kProbes = 20;

  // All must outlive it.
  ClientDoor(const Options& options, ClientFront& http, ClientFront& debug)
      : options_(options), http_(http), debug_(debug) {}

  Entry admit_http(Millis now);
  // `local`: from this machine.
  Entry admit_debug(bool local, Millis now);

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
  bool make_room(Millis now);
  void look(Millis now);

  const Options& options_;
  ClientFront& http_;
  ClientFront& debug_;
  std::vector<Candidate> chosen_;  // the first to go last
  Millis looked_at_ = 0;
  uint64_t evicted_ = 0;
  LogLimiter log_{60'000};
};

}  // namespace wh
