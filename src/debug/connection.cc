#include "debug/connection.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace wh::debug {

Connection::Connection(uint64_t id, std::unique_ptr<ByteStream> stream, Service& service, Millis now,
                       std::string_view refusal)
    : id_(id),
      service_(service),
      stream_(std::move(stream)),
      share_(service.buffers),
      parser_(service.settings.limits),
      now_(now),
      opened_(now),
      last_activity_(now),
      last_received_(now),
      last_progress_(now) {
  ++service_.counters.connections;
  stream_->set_handler(this);
  if (refusal.empty()) return;
  ++service_.counters.error_replies;
  const std::string answer = error_reply(ErrorWord::denied, refusal);
  stream_->write(answer);
  written_bytes_ += answer.size();
  begin_close();
}

void Connection::on_data(std::string_view bytes) {
  if (state_ != State::open || no_more_requests_) return;
  last_activity_ = last_received_ = now_;
  parser_.feed(bytes);
  // The stream reads only when there is room (ClientTurns), so this may run now; kCommandsAtOnce bounds it.
  pump();
}

void Connection::on_end() {
  peer_ended_ = true;
  std::vector<uint64_t> calls;
  for (const Request& request : requests_)
    if (request.stage == Request::Stage::in_flight && request.call != 0) calls.push_back(request.call);
  for (const uint64_t call : calls) service_.handler.on_half_closed(call);
  pump();
}

void Connection::on_drained() { pump(); }

void Connection::on_turn() { pump(); }

void Connection::on_close(std::string_view) {
  state_ = State::closed;
  forget_requests();
  share_.set(0);
  service_.handler.on_closed(id_);
}

void Connection::reply(uint64_t sequence, std::string resp) {
  if (state_ != State::open) return;
  WH_ASSERT(!requests_.empty() && sequence >= requests_.front().sequence && sequence < next_sequence_,
            "a reply to no command, or a second one");
  Request& request = requests_[static_cast<size_t>(sequence - requests_.front().sequence)];
  WH_ASSERT(request.stage == Request::Stage::in_flight, "a reply to no command, or a second one");
  set_answer(request, std::move(resp));
  pump();
}

void Connection::name_call(uint64_t sequence, uint64_t call) {
  requests_[static_cast<size_t>(sequence - requests_.front().sequence)].call = call;
}

std::optional<Millis> Connection::idle_since() const {
  if (state_ == State::closed || alone_in_flight_ || writes_in_flight_ != 0) return std::nullopt;
  if (stream_->pending_bytes() != 0)
    return now_ - last_progress_ >= kStalledMs ? std::optional(last_progress_) : std::nullopt;
  return requests_.empty() ? std::optional(last_activity_) : std::nullopt;
}

std::optional<Connection::Awaited> Connection::awaits() const {
  if (state_ != State::open || requests_.size() != 1 || requests_.front().stage != Request::Stage::in_flight ||
      requests_.front().call == 0)
    return std::nullopt;
  return Awaited{requests_.front().call, requests_.front().since};
}

void Connection::close_when_answered() {
  no_more_requests_ = true;
  pump();
}

void Connection::check_deadlines(Millis now) {
  now_ = now;
  if (state_ == State::closed) return;
  const size_t pending = stream_->pending_bytes();
  const uint64_t sent = written_bytes_ - pending;
  if (pending == 0 || sent != last_sent_) last_progress_ = now;
  last_sent_ = sent;
  if (now - last_progress_ >= kOutputStallMs) return close_slow_reader("it read nothing for a minute");
  const Millis idle = service_.settings.idle_timeout_ms;
  if (state_ == State::open && idle != 0 && !service_.monitors.contains(id_) && requests_.empty() && pending == 0 &&
      now - last_activity_ >= idle)
    return begin_close();
  // on_drained follows the stream's water marks, which may differ from ours; and memory may no longer be short.
  if (state_ == State::open && (!requests_.empty() || paused_)) stream_->request_turn();
}

void Connection::cut() {
  if (state_ == State::closing) stream_->abort();
  if (state_ != State::open) return;
  if (!requests_.empty() || stream_->pending_bytes() != 0) return close_for_memory();
  const std::string answer =
      error_reply(ErrorWord::oom, "clients hold too much memory (directive client-buffer-limit): try again");
  ++service_.counters.error_replies;
  stream_->write(answer);
  written_bytes_ += answer.size();
  begin_close();
}

void Connection::kill() {
  if (state_ == State::closed) return;
  state_ = State::closing;
  forget_requests();
  stream_->abort();
}

// Whether more requests may be read and run now.
bool Connection::room() const {
  return requests_.size() < kMaxQueuedCommands && queued_bytes_ < kMaxQueuedBytes && output_bytes() <= kOutputSoftBytes;
}

// Does all that can be done now. Not reentrant: the running loop picks up a reply made inside on_command.
void Connection::pump() {
  if (pumping_) return;
  pumping_ = true;
  for (size_t run = 0; state_ == State::open;) {
    const bool flushed = flush();
    if (state_ != State::open) break;
    // In this order: AUTH takes effect, and lifts the parser's limits, before the next request is read.
    const bool dispatched = dispatch_one();
    if (!dispatched && !parse_one() && !flushed) break;
    if (!dispatched || ++run < kCommandsAtOnce) continue;
    stream_->request_turn();
    break;
  }
  pumping_ = false;
  count_held();
  if (state_ != State::open) return;
  const bool has_room = room();
  if (requests_.empty() && (no_more_requests_ || (peer_ended_ && has_room))) return begin_close();
  const bool tight =
      service_.buffers != nullptr && service_.buffers->tight() && share_.bytes() > BufferBudget::kSmallBytes;
  const bool pause = no_more_requests_ || !has_room || tight;
  if (pause == paused_) return;
  paused_ = pause;
  if (pause) {
    stream_->pause_reading();
  } else {
    stream_->resume_reading();
  }
}

// Writes the answers whose turn it is, as far as the client takes them.
bool Connection::flush() {
  bool any = false;
  while (!requests_.empty() && requests_.front().stage == Request::Stage::answered &&
         stream_->pending_bytes() <= kOutputSoftBytes) {
    const std::string& answer = requests_.front().answer;
    const std::string_view piece = std::string_view(answer).substr(front_sent_, kOutputPieceBytes);
    front_sent_ += piece.size();
    written_bytes_ += piece.size();
    stream_->write(piece);
    last_activity_ = now_;
    any = true;
    if (front_sent_ < answer.size()) continue;
    front_sent_ = 0;
    answers_bytes_ -= answer.size();
    requests_.pop_front();
  }
  any = flush_shown() || any;
  if (state_ != State::open) return any;
  if (output_bytes() > kOutputHardBytes) close_slow_reader("too many answers wait for it");
  return any;
}

bool Connection::parse_one() {
  if (no_more_requests_ || !room()) return false;
  switch (parser_.next(trusted())) {
    case Parser::Outcome::need_more:
      return false;
    case Parser::Outcome::request:
      take(parser_.take_arguments());
      return true;
    case Parser::Outcome::error:
      ++service_.counters.protocol_errors;
      no_more_requests_ = true;
      enqueue(nullptr, {}, error_reply(ErrorWord::err, "Protocol error: " + parser_.reason()));
      return true;
    case Parser::Outcome::foreign:
      close_foreign(parser_.reason());
      return false;
  }
  return false;
}

void Connection::take(std::vector<std::string> arguments) {
  const Command* command = service_.commands.find(arguments[0]);
  if (command == nullptr) return enqueue(nullptr, {}, unknown_command_reply(arguments));
  if (!arity_fits(*command, arguments.size()) && command->builtin != Builtin::exec)
    return enqueue(nullptr, {}, wrong_arity_reply(*command));
  if (command->builtin == Builtin::quit) no_more_requests_ = true;
  enqueue(command, std::move(arguments), {});
}

void Connection::enqueue(const Command* command, std::vector<std::string> arguments, std::string answer) {
  Request request{.sequence = next_sequence_++, .command = command, .arguments = std::move(arguments)};
  for (const std::string& argument : request.arguments) request.cost += sizeof(std::string) + argument.size();
  queued_bytes_ += request.cost;
  request.answer = std::move(answer);
  requests_.push_back(std::move(request));
  ++undispatched_;
}

// What is known to be refused before it is run; empty: nothing is.
std::string Connection::refused_at_once(Request& request) {
  if (request.command == nullptr) return std::move(request.answer);
  if (!request.command->before_auth && !trusted()) {
    // What ends a transaction ends it here too: what follows is not to be queued.
    if (request.command->builtin == Builtin::exec || request.command->builtin == Builtin::discard)
      (void)discard_transaction();
    return error_reply(ErrorWord::noauth, "Authentication required.");
  }
  auto refusal = refusals_.judge(*request.command, request.arguments, transaction_.has_value());
  if (!refusal) return {};
  if (refusal->is_last) {
    no_more_requests_ = true;
    drop_behind(request);
  }
  return std::move(refusal->answer);
}

void Connection::drop_behind(const Request& request) {
  for (; requests_.back().sequence != request.sequence; requests_.pop_back(), --undispatched_)
    queued_bytes_ -= requests_.back().cost;
}

bool Connection::dispatch_one() {
  if (undispatched_ == 0 || output_bytes() > kOutputSoftBytes) return false;
  Request& request = requests_[requests_.size() - undispatched_];
  if (std::string refusal = refused_at_once(request); !refusal.empty()) {
    if (transaction_ && refusal.front() == '-') refuse_transaction();
    --undispatched_;
    set_answer(request, std::move(refusal));
    return true;
  }
  const Command& command = *request.command;
  if (std::string answer = queue_for_exec(request); !answer.empty()) {
    --undispatched_;
    set_answer(request, std::move(answer));
    return true;
  }
  if (command.overlap != Overlap::immediate) {
    if (alone_in_flight_) return false;
    if (command.overlap == Overlap::alone ? writes_in_flight_ > 0 : writes_in_flight_ >= kMaxWritesInFlight)
      return false;
  }
  --undispatched_;
  ++service_.counters.commands;
  request.stage = Request::Stage::in_flight;
  request.since = now_;
  request.protocol = protocol_;
  last_command_ = command.name;
  if (command.overlap == Overlap::alone) alone_in_flight_ = true;
  if (command.overlap == Overlap::write) ++writes_in_flight_;
  if (command.builtin != Builtin::none) {
    run_builtin(request);
  } else {
    service_.handler.on_command({.connection = id_, .sequence = request.sequence}, command,
                                std::exchange(request.arguments, {}));
  }
  return true;
}

void Connection::run_builtin(Request& request) {
  const std::vector<std::string> arguments = std::exchange(request.arguments, {});
  service_.handler.on_builtin({.connection = id_, .sequence = request.sequence}, *request.command, arguments);
  switch (request.command->builtin) {
    case Builtin::none:
      break;
    case Builtin::ping:
    case Builtin::echo:
    case Builtin::select:
      return set_answer(request, constant_reply(*request.command, arguments));
    case Builtin::unwatch:
      forget_watched();
      return set_answer(request, simple_reply("OK"));
    case Builtin::multi:
      return set_answer(request, begin_transaction());
    case Builtin::discard:
      return set_answer(request, discard_transaction());
    case Builtin::exec:
      if (arguments.size() == 1) return execute(request);
      (void)discard_transaction();
      return set_answer(request, error_reply(ErrorWord::execabort,
                                             "Transaction discarded because of: wrong number of "
                                             "arguments for 'exec' command"));
    case Builtin::quit:
      return set_answer(request, simple_reply("OK"));
    case Builtin::reset:
      reset();
      return set_answer(request, simple_reply("RESET"));
    case Builtin::auth:
      return set_answer(request, authenticate(arguments));
    case Builtin::hello: {
      std::string answer = hello(arguments);
      request.protocol = protocol_;
      return set_answer(request, std::move(answer));
    }
    case Builtin::help:
      return set_answer(request, service_.commands.help_reply(arguments));
    case Builtin::command:
      return set_answer(request, service_.commands.command_reply(arguments));
  }
}

void Connection::set_answer(Request& request, std::string answer) {
  WH_ASSERT(!answer.empty(), "a reply is never empty");
  if (answer.front() == '-') ++service_.counters.error_replies;
  if (request.stage == Request::Stage::in_flight) {
    if (request.command->overlap == Overlap::alone) alone_in_flight_ = false;
    if (request.command->overlap == Overlap::write) --writes_in_flight_;
  }
  request.stage = Request::Stage::answered;
  request.answer = in_protocol(request.protocol, std::move(answer));
  request.arguments.clear();
  queued_bytes_ -= std::exchange(request.cost, 0);
  answers_bytes_ += request.answer.size();
}

// Sends no answers, not even to commands in flight: the client that speaks here is not the one they are for.
void Connection::close_foreign(const std::string& why) {
  ++service_.counters.foreign;
  warn("it speaks another protocol: " + why);
  begin_close();
}

void Connection::close_slow_reader(const char* why) {
  ++service_.counters.slow_readers;
  warn(why);
  state_ = State::closing;
  forget_requests();
  stream_->abort();
}

void Connection::close_for_memory() {
  warn("clients hold too much memory (directive client-buffer-limit)");
  state_ = State::closing;
  forget_requests();
  stream_->abort();
}

void Connection::count_held() {
  share_.set(state_ == State::open ? parser_.held_bytes() + queued_bytes_ + answers_bytes_ + shown_.size() +
                                         watched_bytes_ + (transaction_ ? transaction_->bytes : 0)
                                   : 0);
}

void Connection::begin_close() {
  state_ = State::closing;
  forget_requests();
  stream_->close();
}

void Connection::forget_requests() {
  for (const Request& request : std::exchange(requests_, {}))
    if (request.stage == Request::Stage::in_flight && request.call != 0) service_.handler.on_abandoned(request.call);
  undispatched_ = writes_in_flight_ = queued_bytes_ = answers_bytes_ = front_sent_ = 0;
  alone_in_flight_ = false;
  transaction_.reset();
  forget_watched();
  stop_monitoring();
  parser_.forget();
  count_held();
}

void Connection::warn(const std::string& what) {
  if (!service_.log_limiter.allow(now_)) return;
  std::string line = "debug port: closed the connection from " + stream_->peer_address() + ", as " + what;
  if (const uint64_t more = service_.log_limiter.suppressed(); more > 0)
    line += " (and " + std::to_string(more) + " more like it)";
  log_line(LogLevel::warning, line);
}

}  // namespace wh::debug
