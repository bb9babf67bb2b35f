// The way from an operation to the node, and from the node's completion back to the protocol that asked. A call in
// progress is a token; the protocol keeps what it needs to word the answer. Knows no protocol. Checks what a principal
// may do and the bounds of an operation; only here does a write become the bytes of a command.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "api/activity.h"
#include "api/operations.h"
#include "api/refusal.h"
#include "api/scan_cursors.h"
#include "api/slowlog.h"
#include "base/clock.h"
#include "base/histogram.h"
#include "base/recent_lines.h"
#include "config/options.h"
#include "node/node.h"
#include "security/principal.h"

namespace wh::api {

// What operations may look at and change besides the node's requests. All must outlive the calls.
struct Context {
  const config::Options& options;
  node::Node& node;
  SlowLog& slow_log;
  std::function<Bytes()> metrics;  // the text of /metrics, as of this turn
  std::function<std::string(std::span<const std::string> sections)> info;
  // CONFIG SET, with its side effects.
  std::function<Status(const std::string& name, const std::string& value)> configure;
  // CONFIG RESETSTAT.
  std::function<void()> reset_counters;
  std::shared_ptr<ScanCursors> scan_cursors = std::make_shared<ScanCursors>();
  std::shared_ptr<Activity> activity = std::make_shared<Activity>();
  std::shared_ptr<const RecentLines> recent_lines = std::make_shared<RecentLines>();
};

enum class CallKind : uint8_t {
  write,   // a command for the log
  read,    // a look at the state, linearizable
  stale,   // a look at the state as this node has it
  admin,   // members and leadership
  stream,  // completed again and again while it lasts, the first time at once
};
inline constexpr size_t kCallKinds = 4;     // without streams, which have no duration
inline constexpr size_t kMaxOutcomes = 16;  // of node::Outcome, with room for more

// The outcomes of the calls of one kind, and how long they took from their start to their completion.
struct CallCounters {
  Histogram took_us;
  std::array<uint64_t, kMaxOutcomes> outcomes{};
};

// How to carry out an operation.
struct CallOptions {
  node::ReadTerms read{};                              // of a read
  std::optional<Millis> max_staleness = std::nullopt;  // of a stale read: refuse it where the state is older
  bool may_forward = true;                             // of a write: false asks for `elsewhere` instead of forwarding
  std::optional<Idempotency> idempotency{};            // of a write
  uint64_t client = 0;                                 // ByteStream::peer_group; 0: not said
  Millis wait_ms = 0;                                  // of a Receive, a GetFront or a GetKey: how long it waits
};

// A call in progress, or the answer to an operation that needs none.
using Started = std::variant<node::Token, Answer>;

// Told exactly once of each call (of a stream until it is refused), on the loop's thread, from Calls::deliver.
class CallOwner {
 public:
  virtual ~CallOwner() = default;
  // Whether the client has more waiting, or has not taken what it was given: in a crowd the others go first.
  [[nodiscard]] virtual bool asks_much(node::Token /*token*/) const { return false; }
  // What the answer points at stays valid until this returns.
  virtual void on_answer(node::Token token, OrRefusal<Answer> answer) = 0;
};

class Calls {
 public:
  // `clock` gives the time at which a call begins.
  Calls(Context context, std::function<Millis()> clock) : context_(std::move(context)), clock_(std::move(clock)) {}
  Calls(const Calls&) = delete;
  Calls& operator=(const Calls&) = delete;

  // Checks the operation and submits it. After a refusal nothing was submitted, and nothing is told later. The owner
  // must outlive the call; start() itself does not tell it anything.
  OrRefusal<Started> start(CallOwner& owner, const security::Principal& principal, Operation operation,
                           const CallOptions& options);

  // The client is gone. A read, a wait or a stream ends, and its owner hears no more of it: true. A write or a change
  // of members goes on, and its owner is told as usual: false.
  bool cancel(node::Token token);
  // The same, but only for a call that waits for something to happen.
  bool cancel_wait(node::Token token);
  // The client may be gone, and would hold what is reserved for it: a call that waits, or a receive whose events can be
  // given back, ends as by cancel().
  bool cancel_wait_or_receive(node::Token token);

  // Hands out completions of the node: at least one, and more while `has_room`, a function without arguments, is true;
  // keeps the rest for the next turn. True when there was any.
  template <typename HasRoom>
  bool deliver(const HasRoom& has_room) {
    take_completed();
    uint64_t handed_out = 0;
    for (; !quiet() && (handed_out == 0 || has_room()); ++handed_out) hand_out_next(handed_out);
    return handed_out > 0;
  }
  // No completion waits to be handed out.
  [[nodiscard]] bool quiet() const { return kept_[0].empty() && kept_[1].empty(); }
  // A call completed at once and waits for deliver().
  [[nodiscard]] bool ready() const { return !stale_.empty(); }

  [[nodiscard]] const Context& context() const { return context_; }
  // The time at which a call that begins now does. In the middle of a turn it is later than the turn's own.
  [[nodiscard]] Millis now() const { return clock_(); }
  [[nodiscard]] const CallCounters& counters(CallKind kind) const { return counters_[static_cast<size_t>(kind)]; }
  void reset_counters() { counters_ = {}; }

 private:
  // A take in progress.
  struct Taking {
    std::vector<std::string> queues;
    bool returns = true;    // its events can be taken back, and no repeat under an idempotency key would find them
    bool answers = false;   // with Taken
    Millis until = 0;       // set: it is submitted again until then, as a longer wait than one submission's
    std::string command{};  // for that
    uint64_t client = 0;
  };
  // What a call in progress is about. Of a write only its kind: the node has its bytes.
  struct Begun {
    CallOwner* owner;
    CallKind kind;
    uint64_t at_us;
    size_t write = 0;  // its place in Write
    Read read{};
    std::optional<Millis> max_staleness{};
    std::optional<Taking> taking{};
    // Of a GetFront or a GetKey that waits: until when, and its terms.
    Millis wait_until = 0;
    node::ReadTerms terms{};
    bool waits = false;              // now
    bool may_wait = false;           // its duration says nothing of the node
    std::optional<Watch> opening{};  // of a stream that waits for a read of the state
    // Of a write that would change nothing, which waits for a read of the state: its command.
    std::optional<std::string> unchanged{};
  };

  static constexpr size_t kCrowd = 64;

  Begun& begin(node::Token token, CallOwner& owner, CallKind kind);
  void submit(node::Token token, const Write& write, const CallOptions& options);
  OrRefusal<Started> start_stream(CallOwner& owner, Watch watch, const CallOptions& options);
  void open_stream(node::Token token);
  bool writes_after_all(node::Token token, Begun& begun, node::Completion& completion);
  Started start_take(CallOwner& owner, const Take& take, const CallOptions& options);
  void submit_take(node::Token token, const Taking& taking);
  // True: a take that found nothing is submitted again.
  bool takes_on(node::Token token, const Begun& begun, const node::Completion& completion);
  OrRefusal<Started> start_read(CallOwner& owner, Read read, const CallOptions& options);
  OrRefusal<Answer> run_here(Local operation);
  // True: a GetFront or a GetKey that found nothing new waits on.
  bool waits_on(node::Token token, Begun& begun, const node::Completion& completion);
  void drop(const node::Completion& completion);
  void take_completed();
  void hand_out_next(uint64_t handed_out);
  void hand_out(node::Completion& completion);
  // A call of this kind, not a stream, is over. `may_wait`: its duration says nothing of the node.
  void count(CallKind kind, uint64_t took_us, node::Outcome outcome, bool may_wait);
  [[nodiscard]] OrRefusal<Answer> answer_to(Begun& begun, node::Completion& completion);
  [[nodiscard]] std::optional<Refusal> too_stale(Millis allowed) const;

  Context context_;
  std::function<Millis()> clock_;
  node::Token next_ = 1;
  std::unordered_map<node::Token, Begun> begun_;
  std::unordered_map<node::Token, std::vector<std::string>> abandoned_;  // completed, and their clients are gone
  std::array<CallCounters, kCallKinds> counters_;
  std::vector<node::Completion> stale_;
  std::deque<node::Completion> kept_[2];  // not handed out yet; the second: of clients that ask much
};

}  // namespace wh::api
