// The registry of requests that wait for something to happen on this node: an index that is applied, an effect on a
// topic (a queue that has something ready, a key that changed, the cluster's own changes), or a time. Long polls,
// watches and streams are entries in it. Bounded; knows no clock, no connection and no state machine: whoever sees
// something happen says so, and takes those that it woke. Owned by Node, and called by it alone.
//
// Nothing that happens costs anything for those that wait for something else: a topic leads to its own line, indexes
// and deadlines are in order. In a line the first come are woken first. Tokens grow, so their order is that of coming:
// one that was woken in vain and waits again under its token has its old place.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "raft/types.h"

namespace wh::node {

using Token = uint64_t;  // names a client's request; they grow

// What an effect is about.
struct Topic {
  enum class Kind : uint8_t { cluster, queue, key };
  Kind kind = Kind::cluster;
  std::string name;  // of the queue or the key; empty for the cluster
  friend auto operator<=>(const Topic&, const Topic&) = default;
};

// What a request waits for: whichever of these comes first.
struct Wait {
  raft::Index index{};            // until this is applied; 0: none
  std::optional<Topic> topic{};   // until it is its turn there
  Millis until = kNever;          // at the latest
  bool ends_with_leader = false;  // and until the leader changes
  // A stream: told each time, and behind no line; stays until it is cancelled, or one of the other ends comes.
  bool lasting = false;
};

enum class WaitEnd : uint8_t { reached, late, leader_changed, stopped };

struct Woken {
  Token token;
  WaitEnd why;
};

class Waits {
 public:
  static constexpr size_t kAll = SIZE_MAX;

  explicit Waits(size_t max) : max_(max) {}

  // Takes one on, under a token that does not wait. False: there are as many as there may be, or it was stopped.
  [[nodiscard]] bool add(Token token, Wait wait);
  // Whoever asked is gone: it is not told any more. If it was woken from a line and not taken yet, the next one is
  // woken in its place. False: it does not wait here.
  bool cancel(Token token);

  // Things that happen.
  void applied(raft::Index index);
  // The first `count` in the topic's line, and all its streams.
  void wake(const Topic& topic, size_t count = kAll);
  void leader_changed();
  void expire(Millis now);
  // Nobody waits any more, nor will.
  void stop();

  // Those woken since the last time, each once, in the order in which it happened.
  [[nodiscard]] std::vector<Woken> take();

  // May be lowered below what waits now: those stay.
  void set_max(size_t max) { max_ = max; }
  [[nodiscard]] size_t size() const { return entries_.size(); }
  [[nodiscard]] bool has_woken() const { return !woken_.empty(); }
  // The earliest `until`, or kNever.
  [[nodiscard]] Millis next_deadline() const { return by_deadline_.empty() ? kNever : by_deadline_.begin()->first; }

 private:
  struct Entry {
    Wait wait;
    bool woken = false;  // and not taken yet
    WaitEnd why = WaitEnd::reached;
  };
  // Those of one topic, by token.
  struct Line {
    std::set<Token> waiting;
    std::set<Token> lasting;
  };
  using Entries = std::map<Token, Entry>;

  void wake_entry(Entries::iterator entry, WaitEnd why);
  void wake_token(Token token, WaitEnd why) { wake_entry(entries_.find(token), why); }
  // Takes it out of all orders, so that nothing finds it any more.
  void unlist(Token token, const Wait& wait);

  size_t max_;
  bool stopped_ = false;
  Entries entries_;
  std::map<Topic, Line> by_topic_;
  std::set<std::pair<raft::Index, Token>> by_index_;
  std::set<std::pair<Millis, Token>> by_deadline_;
  std::set<Token> by_leader_;
  std::vector<Token> woken_;
};

}  // namespace wh::node
