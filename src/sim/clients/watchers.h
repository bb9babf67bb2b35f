// Clients that watch keys as of the cluster's version 4: one key, or all with a prefix, from now on or from an index;
// they read fast or slowly, go away, and go on at another node from the last `id:` that they were sent, through
// restarts, snapshots and a history that forgets. Checks against the changes of the committed log: each that is watched
// is told once, in order, whole entry by entry, and none is missing below a mark; a watch ends only where the node's
// history really does not go back so far, and the node's word for where it begins is true. They draw from random
// numbers of their own.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/prng.h"
#include "machine/store/watch_place.h"
#include "node/node.h"

namespace wh::sim {

class World;
struct Host;

class Watchers {
 public:
  Watchers(World& world, uint64_t seed) : world_(world), prng_(seed ^ 0x7761746368ULL) {}

  void start(const node::ClusterId& cluster);
  void stop() { running_ = false; }

  // --- called by the world
  [[nodiscard]] static bool owns(node::Token token) { return token >= kFirstToken && token < 2 * kFirstToken; }
  // Where a watch is to be opened: the node has asked the leader how far the log is.
  void completed(Host& host, const node::Completion& completion);
  void host_died(const Host& host);
  // Its state was replaced by a snapshot.
  void installed(const Host& host);
  // After a turn.
  void looked(Host& host);

 private:
  static constexpr node::Token kFirstToken = node::Token{1} << 52;
  struct Watch {
    size_t number = 0;
    std::string name;
    bool prefix = false;
    std::optional<machine::WatchPlace> place;  // open, at this host
    size_t host = SIZE_MAX;                    // where it is, or was asked for last
    size_t at = SIZE_MAX;                      // where it was open last
    uint64_t asked = 0;                        // the number of the question that is under way; 0: none
    raft::Index last;       // the last `id:`: all up to it was told; 0: it has none, and begins with what comes
    uint64_t next = 0;      // in the log's history: the number of the next change that it may be told
    bool snapshot = false;  // the host installed one while it was open
    bool slow = false;
    [[nodiscard]] bool wants(std::string_view key) const { return prefix ? key.starts_with(name) : key == name; }
  };
  void loop(size_t number);
  void open(Watch& watch, Host& host);
  void close(Watch& watch);
  void read(Watch& watch, const Host& host);
  bool tell(Watch& watch, const Host& host, uint64_t number);
  void ended(Watch& watch, const Host& host);
  // The next change of the log that the watch is to be told; null: none is committed yet.
  [[nodiscard]] const machine::Change* expected(Watch& watch) const;
  // Whether it was told all changes up to this index.
  [[nodiscard]] bool told_up_to(Watch& watch, raft::Index index) const;
  [[nodiscard]] const machine::History& log() const;
  void fail(const Watch& watch, const Host& host, const std::string& what);

  World& world_;
  Prng prng_;
  node::ClusterId cluster_{};
  bool running_ = false;
  std::deque<Watch> watches_;
  uint64_t questions_ = 0;
};

}  // namespace wh::sim
