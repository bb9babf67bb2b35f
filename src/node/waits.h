// The registry of requests that wait for something on this node: an applied index, an effect on a topic (a queue has an
// event ready, a key changed, the cluster changed), or a time. Long polls, watches and streams are entries in it.
// Bounded; knows no clock, no connection and no state machine: its callers say what happened, and take the requests
// that this woke. Owned by Node; called by Node, Waiting and Reads.
//
// What happens costs nothing for requests that wait for something else: each topic has its own line; indexes and
// deadlines are sorted. In a line, the first request to come is woken first; one that was woken in vain can wait again
// at its old place.
//
// One client may have all places while nobody else wants any. When all are taken, a request of another client takes the
// place of the latest of a client that has more than half of them.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "raft/types.h"

namespace wh::node {

using Token = uint64_t;  // names a client's request; later requests have higher tokens

// The thing that an effect changed.
struct Topic {
  // queue: receives, one for each event; front: others that want to see what is ready; arrivals: streams of a queue;
  // prefix: streams of all keys with it.
  enum class Kind : uint8_t { cluster, queue, key, front, arrivals, prefix };
  Kind kind = Kind::cluster;
  std::string name;  // the name of the queue or the key; empty for the cluster
  friend auto operator<=>(const Topic&, const Topic&) = default;
};

// What a request waits for; the first of these ends the wait.
struct Wait {
  raft::Index index{};            // until this index is applied; 0: none
  std::optional<Topic> topic{};   // until an effect there, when the request's turn in the line has come
  Millis until = kNever;          // until this time at the latest
  bool ends_with_leader = false;  // also until the leader changes
  // A stream: woken at each effect, whatever the line; stays until it is cancelled or one of the other ends comes.
  bool lasting = false;
  uint64_t client = 0;  // whose request it is: a number for each client, or for all that share an address
  uint64_t place = 0;   // in the line: an earlier one of this request, or 0 for the end
};

enum class WaitEnd : uint8_t { reached, late, leader_changed, stopped, crowded };

struct Woken {
  Token token;
  WaitEnd why;
};

class Waits {
 public:
  static constexpr size_t kAll = SIZE_MAX;

  explicit Waits(size_t max) : max_(max) {}

  // Adds a request under a token that does not wait yet. False: max_waiting requests wait already, and none of them
  // gave way, or stop() was called.
  [[nodiscard]] bool add(Token token, Wait wait) { return add_in_line(token, std::move(wait)).has_value(); }
  // The same; returns the place.
  [[nodiscard]] std::optional<uint64_t> add_in_line(Token token, Wait wait);
  // The client is gone: the request is not woken any more. If a topic woke it and take() has not returned it yet, the
  // next request in that line is woken in its place. False: it does not wait here.
  bool cancel(Token token);

  // Ends the wait of the first request in the topic's line, which take() does not return; nothing: nobody waits there.
  std::optional<Token> take_first(const Topic& topic);
  [[nodiscard]] bool has_line(const Topic& topic) const { return by_topic_.contains(topic); }
  // Without streams.
  [[nodiscard]] size_t line_length(const Topic& topic) const {
    const auto line = by_topic_.find(topic);
    return line == by_topic_.end() ? 0 : line->second.waiting.size();
  }

  // Something happened.
  void applied(raft::Index index);
  // Wakes the first `count` requests in the topic's line, and all its streams.
  void wake(const Topic& topic, size_t count = kAll);
  // Wakes the lines of all prefixes of the key. It costs a look-up for each length that a prefix here has.
  void wake_prefixes_of(std::string_view key);
  // Wakes all requests in all lines of this kind.
  void wake_all(Topic::Kind kind);
  void leader_changed();
  void expire(Millis now);
  // Ends all waits, and refuses new ones from now on.
  void stop();

  // The requests woken since the last call, each once, in the order in which they were woken.
  [[nodiscard]] std::vector<Woken> take();

  // May be lower than the number of requests that wait now: these stay.
  void set_max(size_t max) { max_ = max; }
  [[nodiscard]] size_t size() const { return entries_.size(); }
  [[nodiscard]] bool contains(Token token) const { return entries_.contains(token); }
  // Whether any request waits for a topic of this kind.
  [[nodiscard]] bool any(Topic::Kind kind) const { return lines_.at(static_cast<size_t>(kind)) != 0; }
  [[nodiscard]] bool has_woken() const { return !woken_.empty(); }
  // The earliest `until`, or kNever.
  [[nodiscard]] Millis next_deadline() const { return by_deadline_.empty() ? kNever : by_deadline_.begin()->first; }

 private:
  struct Entry {
    Wait wait;
    bool woken = false;  // woken, but take() has not returned it yet
    WaitEnd why = WaitEnd::reached;
    bool leaving = false;  // it gave way
  };
  // The requests that wait for one topic.
  struct Line {
    std::map<uint64_t, Token> waiting;  // by place
    std::set<Token> lasting;
  };
  using Entries = std::map<Token, Entry>;

  void wake_entry(Entries::iterator entry, WaitEnd why);
  void wake_token(Token token, WaitEnd why) { wake_entry(entries_.find(token), why); }
  // Removes it from all indexes, so that nothing finds it any more.
  void unlist(Token token, const Wait& wait);

  bool make_place(uint64_t client);
  void count(uint64_t client, Token token, bool waits);

  size_t max_;
  bool stopped_ = false;
  size_t leaving_ = 0;  // entries that gave way, until take() returns them
  std::map<uint64_t, std::set<Token>> by_client_;
  std::set<std::pair<size_t, uint64_t>> clients_;  // the same, by how many wait
  uint64_t next_place_ = 1;
  Entries entries_;
  std::map<Topic, Line> by_topic_;
  std::array<size_t, 6> lines_{};              // how many there are of each kind
  std::map<size_t, size_t> prefix_lengths_{};  // how many lines of prefixes have this length
  std::set<std::pair<raft::Index, Token>> by_index_;
  std::set<std::pair<Millis, Token>> by_deadline_;
  std::set<Token> by_leader_;
  std::vector<Token> woken_;
};

}  // namespace wh::node
