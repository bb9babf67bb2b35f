// What the surfaces (HTTP, the debug port) ask of the node, and the way its completions find back to them. A call in
// progress is a token; the surface keeps what it needs to word the answer. Knows no protocol.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <iterator>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/histogram.h"
#include "net/loop.h"
#include "node/node.h"

namespace wh {

enum class CallKind : uint8_t {
  write,   // a command for the log
  read,    // a look at the state, linearizable
  stale,   // a look at the state as this node has it
  admin,   // members and leadership
  stream,  // told again and again, as `applied` while it goes on; the first time at once
};
inline constexpr size_t kCallKinds = 4;     // that are counted: a stream has no duration
inline constexpr size_t kMaxOutcomes = 16;  // of node::Outcome, with room for more

// Whether nothing is left of it when whoever asked is gone.
inline bool is_cancellable(CallKind kind) { return kind != CallKind::write && kind != CallKind::admin; }

// What became of the calls of one kind, and how long they took from their start to their completion.
struct CallCounters {
  Histogram took_us;
  std::array<uint64_t, kMaxOutcomes> outcomes{};
};

struct Call {
  CallKind kind = CallKind::read;
  std::string command;       // write: machine/command/command.h's body
  bool may_forward = true;   // write: false asks for `not_leader` in place of forwarding
  node::AdminRequest admin;  // admin
  raft::Index min_index{};   // read, stale: not before this is applied here
  node::Topic topic{};       // stream
};

// Told of each of its calls exactly once, on the loop's thread, from Calls::deliver.
class CallOwner {
 public:
  virtual ~CallOwner() = default;
  // Whether whoever asked has more in waiting, or has not taken what it was given: in a crowd the others go first.
  [[nodiscard]] virtual bool asks_much(node::Token /*token*/) const { return false; }
  virtual void on_completion(const node::Completion& completion) = 0;
};

class Calls {
 public:
  // `clock` gives the time at which a call begins.
  Calls(node::Node& node, std::function<Millis()> clock) : node_(node), clock_(std::move(clock)) {}
  Calls(const Calls&) = delete;
  Calls& operator=(const Calls&) = delete;

  // The owner must outlive the call. Nothing is completed inside.
  node::Token start(CallOwner& owner, Call call) {
    const Millis now = clock_();
    const node::Token token = next_++;
    owners_.emplace(token, Started{&owner, call.kind, net::Loop::micros()});
    switch (call.kind) {
      case CallKind::write:
        node_.submit_write(token, std::move(call.command), call.may_forward, now);
        break;
      case CallKind::read:
        node_.submit_read(token, now, {.min_index = call.min_index});
        break;
      case CallKind::stale:
        if (call.min_index > node_.machine().applied())
          node_.submit_read(token, now, {.stale = true, .min_index = call.min_index});
        else
          stale_.push_back({token, node::Outcome::applied, {}, {}});
        break;
      case CallKind::stream:
        node_.submit_wait(token, {.topic = std::move(call.topic), .lasting = true}, now);
        break;
      case CallKind::admin:
        node_.submit_admin(token, std::move(call.admin), now);
        break;
    }
    return token;
  }

  // Whoever asked is gone. A read, a wait or a stream ends, and its owner hears no more of it: true. A write or a
  // change of members goes on, and is completed as ever: false.
  bool cancel(node::Token token) {
    const auto it = owners_.find(token);
    if (it == owners_.end() || !is_cancellable(it->second.kind)) return false;
    owners_.erase(it);
    node_.cancel(token);
    return true;
  }

  // The same of what waits for something to happen, and of nothing else.
  bool cancel_wait(node::Token token) {
    const auto it = owners_.find(token);
    if (it == owners_.end() || !node_.cancel_wait(token)) return false;
    owners_.erase(it);
    return true;
  }

  // Hands out what the node completed: at least one, and more as long as `has_room`, a function without arguments, says
  // so; the rest is kept for the next turn. True when there was anything.
  template <typename HasRoom>
  bool deliver(const HasRoom& has_room) {
    std::vector<node::Completion> done = node_.take_completions();
    done.insert(done.end(), std::make_move_iterator(stale_.begin()), std::make_move_iterator(stale_.end()));
    stale_.clear();
    const bool crowd = done.size() + kept_[0].size() + kept_[1].size() > kCrowd;
    for (node::Completion& completion : done) {
      const auto started = owners_.find(completion.token);
      if (started == owners_.end()) continue;  // cancelled
      const bool last = crowd && started->second.owner->asks_much(completion.token);
      kept_[last ? 1 : 0].push_back(std::move(completion));
    }
    uint64_t handed_out = 0;
    while (!quiet() && (handed_out == 0 || has_room())) {
      // Of four, one is of those who ask much, so that they too go on.
      std::deque<node::Completion>& from =
          kept_[kept_[0].empty() || (handed_out % 4 == 3 && !kept_[1].empty()) ? 1 : 0];
      node::Completion completion = std::move(from.front());
      from.pop_front();
      hand_out(completion);
      ++handed_out;
    }
    return handed_out > 0;
  }
  // Nothing that was completed waits to be handed out.
  [[nodiscard]] bool quiet() const { return kept_[0].empty() && kept_[1].empty(); }
  // Something completed at once and waits for deliver().
  [[nodiscard]] bool ready() const { return !stale_.empty(); }

  [[nodiscard]] const CallCounters& counters(CallKind kind) const { return counters_[static_cast<size_t>(kind)]; }
  void reset_counters() { counters_ = {}; }

 private:
  struct Started {
    CallOwner* owner;
    CallKind kind;
    uint64_t at_us;
  };

  static constexpr size_t kCrowd = 64;

  void hand_out(node::Completion& completion) {
    const auto it = owners_.find(completion.token);
    if (it == owners_.end()) return;  // cancelled
    const Started begun = it->second;
    if (begun.kind == CallKind::stream) {
      if (completion.outcome != node::Outcome::applied) owners_.erase(it);
      return begun.owner->on_completion(completion);
    }
    owners_.erase(it);
    // The state is looked at now, so what a read sees is as of now, whatever was applied since it was completed.
    const bool looks = begun.kind == CallKind::read || begun.kind == CallKind::stale;
    if (looks && completion.outcome == node::Outcome::applied) completion.index = node_.machine().applied();
    CallCounters& counters = counters_[static_cast<size_t>(begun.kind)];
    counters.took_us.add(net::Loop::micros() - begun.at_us);
    ++counters.outcomes.at(static_cast<size_t>(completion.outcome));
    begun.owner->on_completion(completion);
  }

  node::Node& node_;
  std::function<Millis()> clock_;
  node::Token next_ = 1;
  std::unordered_map<node::Token, Started> owners_;
  std::array<CallCounters, kCallKinds> counters_;
  std::vector<node::Completion> stale_;
  std::deque<node::Completion> kept_[2];  // not handed out yet; the second of those who ask much
};

}  // namespace wh
