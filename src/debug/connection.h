// One client of the debug port: reads requests, writes replies, in order. Owns its stream, the waiting requests and the
// replies that wait for their turn; runs the built-in commands and hands all others to the handler, which answers by
// reply(), at once or later. Does not know what the commands mean, nor the loop. Called by its stream, the handler and
// the owner, all on the loop's thread.
//
// Commands of a connection take effect in the order they were sent (command_table.h: Overlap). Everything is bounded:
// beyond a limit the connection stops reading, so that the client's own send blocks (HAZARDS I6, H13).
//
// Lifetime: the owner makes it around an open stream; CommandHandler::on_closed is called once, last. The owner
// destroys it after that, or at any time before (which closes the stream without a callback), but never inside a
// callback of the stream or of the handler.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/buffer_budget.h"
#include "base/byte_stream.h"
#include "base/clock.h"
#include "base/log.h"
#include "debug/command_table.h"
#include "debug/parser.h"
#include "debug/refusals.h"
#include "debug/resp.h"
#include "debug/transaction.h"

namespace wh::debug {

// Names one command until its answer. Never used twice (HAZARDS E13).
struct CommandId {
  uint64_t connection = 0;
  uint64_t sequence = 0;
};

// Runs the commands that are not built in. Their arity was checked; `arguments` include the command's name.
class CommandHandler {
 public:
  virtual ~CommandHandler() = default;
  // The handler answers by exactly one Connection::reply(id.sequence), inside the call or later. Calls of one
  // connection come in the order in which their commands are to take effect.
  virtual void on_command(CommandId id, const Command& command, std::vector<std::string>&& arguments) = 0;
  // Why the command cannot be part of a transaction, as a whole reply; empty: it can. Called when it is queued.
  virtual std::string refuse_within_multi(const Command& command, const std::vector<std::string>& arguments) = 0;
  // EXEC: like on_command, with the commands since MULTI. If one of the watched keys has changed, none is run.
  virtual void on_transaction(CommandId id, const Command& exec, Transaction&& transaction,
                              std::vector<WatchedKey>&& watched) = 0;
  // The connection is about to answer a command itself. For counting.
  virtual void on_builtin(CommandId id, const Command& command, const std::vector<std::string>& arguments) = 0;
  // Nobody needs the reply any more to the command whose work was named `call` (Connection::name_call).
  virtual void on_abandoned(uint64_t /*call*/) {}
  // The client sends no more, and may be gone: a close and a half-close look the same.
  virtual void on_half_closed(uint64_t /*call*/) {}
  // The connection is gone and needs no answers. Commands that it had in flight may still take effect.
  virtual void on_closed(uint64_t connection) = 0;
};

// Read at every use: the owner may change them between two turns of the loop.
struct Settings {
  ParserLimits limits;
  Millis idle_timeout_ms = 0;  // Redis's `timeout`; 0: never
  bool password_required = false;
  // Counts changes of the password: a client that gave an earlier one must give the new one.
  uint64_t password_generation = 0;
  // Checks the password in constant time. Called only while one is required; `user` is "default" when the client gave
  // none.
  std::function<bool(std::string_view user, std::string_view password)> check_password;
};

// For INFO; sums over all connections since the start.
struct Counters {
  uint64_t commands = 0;  // dispatched: built-in or handed on
  uint64_t error_replies = 0;
  uint64_t connections = 0;
  uint64_t turned_away = 0;      // of these, refused as too many; counted by the owner
  uint64_t protocol_errors = 0;  // closed after "-ERR Protocol error"
  uint64_t foreign = 0;          // closed for speaking another protocol
  uint64_t failed_auth = 0;
  uint64_t slow_readers = 0;  // closed for not reading their answers
};

// What the connections share. The owner keeps it alive longer than all of them.
struct Service {
  const CommandTable& commands;
  CommandHandler& handler;
  Settings settings{};
  Counters counters{};
  BufferBudget* buffers = nullptr;  // counts the memory of all of them
  std::set<uint64_t> monitors{};    // the connections that MONITOR shows others' commands
  LogLimiter log_limiter{1000};
  LogLimiter password_log_limiter{10'000};
};

// A name that a client gives, to its connection or of its library: printable ASCII without blanks, so that it cannot
// forge a line or a field of CLIENT LIST.
inline constexpr size_t kMaxLabelBytes = 256;
[[nodiscard]] bool is_label(std::string_view text);
// The refusal of a text that is none; `what` is the plural of what it was for.
[[nodiscard]] std::string bad_label_reply(std::string_view what);
// What a client says of itself: labels, or empty.
struct Labels {
  std::string name;
  std::string library;
  std::string library_version;
};

inline constexpr size_t kMaxQueuedCommands = 1024;
inline constexpr size_t kMaxQueuedBytes = 4 * 1024 * 1024;  // of the queued arguments; one request may exceed it
inline constexpr size_t kMaxWritesInFlight = 128;
inline constexpr size_t kCommandsAtOnce = 32;           // then other connections have their turn
inline constexpr size_t kOutputPieceBytes = 64 * 1024;  // a longer answer is sent in pieces, as the client takes them
inline constexpr size_t kOutputSoftBytes = 64 * 1024;   // above it no more requests are read or run
inline constexpr size_t kOutputHardBytes = 8 * 1024 * 1024;
inline constexpr size_t kMaxShownBytes = 1024 * 1024;  // of MONITOR's lines that wait
inline constexpr Millis kOutputStallMs = 60'000;
inline constexpr Millis kStalledMs = 1'000;

class Connection final : public StreamHandler {
 public:
  // With a `refusal` (protected mode: one sentence) it answers -DENIED and closes the connection.
  Connection(uint64_t id, std::unique_ptr<ByteStream> stream, Service& service, Millis now,
             std::string_view refusal = {});
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Gives the answer to a command, a whole reply, for any version of RESP. Ignored when the connection is closing.
  // Answering a command twice, or one that never was, is a bug.
  void reply(uint64_t sequence, std::string resp);
  // Names the handler's work on a command that waits for its reply; not 0. on_abandoned gives this name.
  void name_call(uint64_t sequence, uint64_t call);
  // Watches these keys, too, until a transaction ends. False: they would be more than kMaxWatchedKeys.
  bool watch(std::vector<WatchedKey> keys);
  // From now on the connection is among Service::monitors, until RESET or its end.
  void start_monitoring();
  // Sends the line, a whole reply, between the answers, at its next turn. One who does not keep up is closed.
  void show(std::string_view line);
  // Must be called before the connection is destroyed while it may have commands in progress.
  void abandon() { forget_requests(); }
  // Closes an idle connection and one whose client reads nothing. The owner calls it about four times a second; the
  // connection learns the time only from it.
  void check_deadlines(Millis now);
  // Treats the client as if it had given the present password, which it has just set.
  void trust() {
    authenticated_ = true;
    generation_ = service_.settings.password_generation;
  }
  // Gives up what the connection holds, as clients together hold too much: a client that has taken all answers is told
  // so, and the connection closed; any other connection is cut off, also one that is closing.
  void cut();
  // Cuts it off, for another client that asks for this.
  void kill();
  // Reads no more; answers what it has read, then closes. For an orderly shutdown.
  void close_when_answered();

  [[nodiscard]] uint64_t id() const { return id_; }
  [[nodiscard]] std::string peer_address() const { return stream_->peer_address(); }
  // Since when the connection has been idle, as of the last check_deadlines, or its client has taken nothing of its
  // replies, for at least kStalledMs; nothing while a command is in progress.
  [[nodiscard]] std::optional<Millis> idle_since() const;
  // The one command in progress that is all that the connection does, by the handler's name for it, and since when.
  struct Awaited {
    uint64_t call = 0;
    Millis since = 0;
  };
  [[nodiscard]] std::optional<Awaited> awaits() const;
  [[nodiscard]] bool input_ended() const { return peer_ended_; }
  // A command that is still arriving does not count as in progress.
  [[nodiscard]] std::optional<Millis> arriving_since() const { return std::nullopt; }
  // For what it knows of the peer.
  [[nodiscard]] const ByteStream& stream() const { return *stream_; }
  // For CLIENT. Times as of the last check_deadlines.
  [[nodiscard]] Labels& labels() { return labels_; }
  [[nodiscard]] const Labels& labels() const { return labels_; }
  [[nodiscard]] Protocol protocol() const { return protocol_; }
  [[nodiscard]] Millis age() const { return now_ - opened_; }
  [[nodiscard]] Millis idle() const { return now_ - last_received_; }
  // Empty before the first.
  [[nodiscard]] std::string_view last_command() const { return last_command_; }
  // What was queued since MULTI; null: no transaction is open.
  [[nodiscard]] const Transaction* transaction() const { return transaction_ ? &*transaction_ : nullptr; }
  [[nodiscard]] size_t input_bytes() const { return parser_.held_bytes(); }
  [[nodiscard]] size_t queued_bytes() const { return queued_bytes_; }
  [[nodiscard]] size_t output_bytes() const { return stream_->pending_bytes() + answers_bytes_ + shown_.size(); }
  // Closing or closed: no further command is handed on.
  [[nodiscard]] bool closing() const { return state_ != State::open; }
  // Memory held for this client, in and out; and since when the client has neither sent nor taken anything though it
  // was its turn.
  [[nodiscard]] size_t held_bytes() const { return share_.bytes() + stream_->held_bytes(); }
  [[nodiscard]] Millis still_since() const {
    if (stream_->pending_bytes() != 0) return last_progress_;
    return requests_.empty() ? last_received_ : now_;
  }
  // Whether more waits behind the command in progress, or the client has not taken its last answer: others go first.
  [[nodiscard]] bool asks_much() const { return requests_.size() > 1 || stream_->pending_bytes() != 0; }

  void on_data(std::string_view bytes) override;
  void on_end() override;
  void on_drained() override;
  void on_turn() override;
  void on_close(std::string_view why) override;

 private:
  enum class State { open, closing, closed };
  struct Request {
    enum class Stage { waiting, in_flight, answered };
    uint64_t sequence = 0;
    const Command* command = nullptr;  // nullptr: the answer was known when the request was read
    std::vector<std::string> arguments;
    size_t cost = 0;  // bytes of memory that the arguments take
    Stage stage = Stage::waiting;
    Protocol protocol = Protocol::resp2;  // of its answer: the client's when its turn came
    uint64_t call = 0;                    // the handler's name for it, while it is in flight
    Millis since = 0;                     // it is in flight
    std::string answer;
  };

  void pump();
  bool parse_one();
  std::string refused_at_once(Request& request);
  void drop_behind(const Request& request);
  bool dispatch_one();
  bool flush();
  bool flush_shown();
  void stop_monitoring();
  void count_held();
  void enqueue(const Command* command, std::vector<std::string> arguments, std::string answer);
  void take(std::vector<std::string> arguments);
  void close_foreign(const std::string& why);
  void run_builtin(Request& request);
  bool grant(std::string_view user, std::string_view password);
  std::string authenticate(const std::vector<std::string>& arguments);
  std::string hello(const std::vector<std::string>& arguments);
  void reset();
  static std::string constant_reply(const Command& command, const std::vector<std::string>& arguments);
  std::string queue_for_exec(Request& request);
  void refuse_transaction();
  std::string begin_transaction();
  std::string discard_transaction();
  void execute(Request& request);
  void forget_watched();
  void set_answer(Request& request, std::string answer);
  void close_slow_reader(const char* why);
  void close_for_memory();
  void begin_close();
  void forget_requests();
  void warn(const std::string& what);
  [[nodiscard]] bool trusted() const {
    return !service_.settings.password_required ||
           (authenticated_ && generation_ == service_.settings.password_generation);
  }
  [[nodiscard]] bool room() const;

  const uint64_t id_;
  Service& service_;
  const std::unique_ptr<ByteStream> stream_;
  BufferBudget::Share share_;
  Parser parser_;
  Refusals refusals_;
  State state_ = State::open;
  bool authenticated_ = false;  // the client gave the password of `generation_`
  uint64_t generation_ = 0;
  Protocol protocol_ = Protocol::resp2;
  Labels labels_;
  std::optional<Transaction> transaction_;
  std::vector<WatchedKey> watched_;
  size_t watched_bytes_ = 0;
  std::string shown_;  // by MONITOR, and not sent yet
  bool shown_too_much_ = false;
  std::string_view last_command_;
  bool no_more_requests_ = false;  // after QUIT, a protocol error or close_when_answered(): close once all is answered
  bool peer_ended_ = false;
  bool paused_ = false;
  bool pumping_ = false;
  std::deque<Request> requests_;  // in order of sequence, without gaps
  size_t undispatched_ = 0;       // how many at the back of requests_ are not dispatched
  size_t writes_in_flight_ = 0;
  bool alone_in_flight_ = false;
  size_t front_sent_ = 0;     // bytes of the first answer already written
  size_t queued_bytes_ = 0;   // cost of the unanswered requests
  size_t answers_bytes_ = 0;  // answers that wait for an earlier one
  uint64_t next_sequence_ = 1;
  Millis now_;
  const Millis opened_;
  Millis last_activity_;
  Millis last_received_;
  Millis last_progress_;
  uint64_t written_bytes_ = 0;
  uint64_t last_sent_ = 0;
};

}  // namespace wh::debug
