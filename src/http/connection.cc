#include "http/connection.h"

#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/protocol_guess.h"

namespace wh::http {

namespace {

constexpr size_t kKeptInput = 4096;

// What an answer keeps in memory.
size_t held_by(const Response& response) {
  return response.body.size() + (response.source ? response.source->held_bytes() : 0);
}

// Gives a body that is in memory in pieces.
class BytesSource final : public BodySource {
 public:
  BytesSource(Bytes body, size_t piece_bytes, BufferBudget* buffers)
      : body_(std::move(body)), piece_bytes_(piece_bytes), hold_(buffers, body_.view()) {}
  [[nodiscard]] std::optional<uint64_t> size() const override { return body_.size(); }
  void next(std::function<void(std::string piece)> ready) override {
    std::string piece(body_.view().substr(given_, piece_bytes_));
    given_ += piece.size();
    ready(std::move(piece));
  }

 private:
  const Bytes body_;
  const size_t piece_bytes_;
  const BufferBudget::SharedHold hold_;
  size_t given_ = 0;
};

}  // namespace

Connection::Connection(uint64_t id, std::unique_ptr<ByteStream> stream, RequestHandler& handler,
                       const ConnectionLimits& limits, const Millis& now, BufferBudget* buffers)
    : id_(id),
      stream_(std::move(stream)),
      handler_(handler),
      limits_(limits),
      now_(now),
      buffers_(buffers),
      share_(buffers),
      parser_(limits),
      idle_since_(now),
      received_at_(now),
      sent_since_(now) {
  WH_ASSERT(limits.in_flight > 0 && limits.body_bytes_per_second > 0 && limits.source_bytes_per_second > 0,
            "limits that let something through");
  taken_ = limits.requests_at_once - 1;
  stream_->set_handler(this);
}

void Connection::on_data(std::string_view bytes) {
  if (state_ != State::open || no_more_) return;
  received_at_ = now_;
  if (opening_.size() < kGuessBytes) opening_ += bytes.substr(0, kGuessBytes - opening_.size());
  input_ += bytes;
  pump();
}

void Connection::on_end() {
  input_ended_ = true;
  tell_half_closed();
  pump();
}

void Connection::tell_half_closed() {
  std::vector<uint64_t> calls;
  for (const Slot& slot : slots_)
    if (!slot.response && slot.call != 0) calls.push_back(slot.call);
  for (const uint64_t call : calls) handler_.on_half_closed(call);
}

void Connection::on_drained() { on_turn(); }

void Connection::on_turn() {
  taken_ = 0;
  pump();
}

void Connection::on_close(std::string_view) {
  abandon(StreamEnd::left);
  state_ = State::closed;
  source_.reset();
  waiting_.reset();
  unanswered_ = 0;
  share_.set(0);
  handler_.on_closed(id_);  // may destroy this
}

void Connection::respond(uint64_t sequence, Response&& response) {
  if (state_ != State::open) return;
  WH_ASSERT(!slots_.empty() && sequence >= slots_.front().sequence && sequence < next_sequence_,
            "an answer to a request that waits for one");
  Slot& slot = slots_[static_cast<size_t>(sequence - slots_.front().sequence)];
  WH_ASSERT(!slot.response, "one answer for each request");
  if (output_pending() > limits_.output_hard_bytes) {
    abort();
    return;
  }
  answers_bytes_ += held_by(response);
  slot.response = std::move(response);
  --unanswered_;
  pump();
}

void Connection::answer_last(uint64_t sequence, Response response) {
  stop_reading_requests();
  waiting_.reset();
  respond(sequence, std::move(response));
  stream_->flush_now();
}

void Connection::name_call(uint64_t sequence, uint64_t call) {
  slots_[static_cast<size_t>(sequence - slots_.front().sequence)].call = call;
}

void Connection::abandon(StreamEnd end) {
  for (const Slot& slot : std::exchange(slots_, {})) {
    if (slot.call == 0) continue;
    if (!slot.response)
      handler_.on_abandoned(slot.call);
    else if (slot.response->stream)
      handler_.on_stream_over(slot.call, end);
  }
  if (live_) stream_over(end);
}

std::optional<Millis> Connection::idle_since() const {
  if (state_ == State::closed || unanswered_ != 0) return std::nullopt;
  const auto when_stalled = [this](Millis since) {
    return now_ - since >= kStalledMs ? std::optional(since) : std::nullopt;
  };
  if (stream_->pending_bytes() != 0) return when_stalled(sent_since_);
  if (!slots_.empty() || waiting_ || source_) return std::nullopt;
  if (state_ != State::open || !request_open_) return idle_since_;
  return when_stalled(due_since());
}

std::optional<Millis> Connection::arriving_since() const {
  const bool arriving = state_ == State::open && request_open_ && unanswered_ == 0 && slots_.empty() && !waiting_ &&
                        !source_ && stream_->pending_bytes() == 0;
  return arriving && !idle_since() ? std::optional(request_since_) : std::nullopt;
}

std::optional<Connection::Awaited> Connection::awaits() const {
  if (state_ != State::open || unanswered_ != 1 || slots_.front().response || slots_.front().call == 0)
    return std::nullopt;
  return Awaited{slots_.front().call, slots_.front().since};
}

void Connection::close_when_answered() {
  if (state_ != State::open || draining_) return;
  draining_ = true;
  if (live_) return end_stream(StreamEnd::ended);
  // An idle connection may have a request on its way: if it closed now, the client could not tell what became of that.
  if (!request_open_ && (waiting_ || source_ || !slots_.empty())) stop_reading_requests();
  pump();
}

void Connection::close_idle() {
  if (state_ != State::open || request_open_ || waiting_ || source_ || !slots_.empty()) return;
  stop_reading_requests();
  pump();
}

void Connection::pump() {
  if (pumping_) return;
  pumping_ = true;
  bool more = true;
  while (more && taken_ < limits_.requests_at_once) more = advance();
  pumping_ = false;
  if (more && state_ == State::open) {
    write_answers();
    if (has_more()) stream_->request_turn();
  }
  // Until its turn it may take up one more: a client that sends one request at a time never waits behind busy ones.
  taken_ = limits_.requests_at_once - 1;
  regulate_reading();
  count_held();
}

bool Connection::has_more() const {
  return state_ == State::open && (input_read_ < input_.size() || input_ended_ || waiting_ || (no_more_ && !live_) ||
                                   (source_ && !piece_due_) || (live_ && live_has_more_));
}

void Connection::count_held() {
  if (state_ != State::open) return share_.set(0);
  share_.set(input_.capacity() + parser_.held_bytes() + answers_bytes_ + (source_ ? source_->held_bytes() : 0) +
             (waiting_ ? waiting_->body.capacity() : 0));
}

bool Connection::advance() {
  if (state_ != State::open) return false;
  write_answers();
  // Nothing else is taken up while a source is being sent.
  if (source_) {
    pull();
    return !source_ && state_ == State::open;
  }
  if (live_) {
    pull_stream();
    return live_ == nullptr && state_ == State::open;
  }
  if (waiting_) {
    const bool in_turn = unanswered_ == 0 || (in_flight_ == Overlap::write && waiting_overlap_ == Overlap::write);
    if (!in_turn || !has_room()) return false;
    dispatch();
    return true;
  }
  if (no_more_) {
    if (slots_.empty()) {
      state_ = State::closing;
      stream_->close();
    }
    return false;
  }
  // Between requests a full output stops the reading; a request that has begun is read to its end.
  if (!parser_.started() && !has_room()) return false;
  if (continue_due_) {
    // The client would take an interim answer for that of an earlier request still unanswered.
    if (!slots_.empty()) return false;
    std::string interim;
    append_continue(interim);
    send(interim);
    continue_due_ = false;
    body_since_ = now_;
  }
  return parse();
}

bool Connection::parse() {
  std::string_view unread = std::string_view(input_).substr(input_read_);
  const RequestParser::Event event = parser_.read(unread);
  input_read_ = input_.size() - unread.size();
  if (!request_open_ && parser_.started()) {
    request_open_ = true;
    request_since_ = now_;
  }
  switch (event) {
    case RequestParser::Event::more:
      if (!input_ended_) return false;
      stop_reading_requests();
      return true;
    case RequestParser::Event::headers:
      return take_headers();
    case RequestParser::Event::complete:
      take_request();
      return true;
    case RequestParser::Event::failed:
      fail(parser_.refusal());
      return true;
  }
  return false;
}

bool Connection::take_headers() {
  body_since_ = now_;
  Request& request = parser_.request();
  std::optional<Response> refusal;
  if (request.unknown_expectation) {
    refusal = error_response(417, "The only expectation known here is 100-continue");
    handler_.on_refused(*refusal);
  } else {
    refusal = handler_.check_headers(*this, request);
  }
  if (!refusal) {
    continue_due_ = request.expects_continue && request.has_body;
    return true;
  }
  refused_ = true;
  parser_.discard_body();
  // A client that waits for 100 may or may not still send its body: only closing the connection is unambiguous.
  const bool ambiguous = request.has_body && (request.expects_continue || request.unknown_expectation);
  answer_here(std::move(*refusal));
  if (ambiguous || !request.keep_alive) stop_reading_requests();
  return true;
}

void Connection::take_request() {
  request_open_ = false;
  idle_since_ = now_;
  if (std::exchange(refused_, false)) return;
  waiting_overlap_ = handler_.classify(parser_.request());
  waiting_ = parser_.take();
  if (!waiting_->keep_alive || draining_) stop_reading_requests();
}

void Connection::dispatch() {
  const std::unique_ptr<Request> request = std::move(waiting_);
  ++taken_;
  const uint64_t sequence = next_sequence_++;
  slots_.push_back({sequence, request->method == Method::head, request->minor_version, std::nullopt, 0, now_});
  ++unanswered_;
  in_flight_ = waiting_overlap_;
  handler_.on_request({id_, sequence}, std::move(*request));
  if (input_ended_) tell_half_closed();
}

void Connection::answer_here(Response response) {
  const Request& request = parser_.request();
  ++taken_;
  answers_bytes_ += held_by(response);
  slots_.push_back({next_sequence_++, request.method == Method::head, request.minor_version, std::move(response)});
}

void Connection::write_answers() {
  std::string out;
  while (!source_ && !live_ && !slots_.empty() && slots_.front().response) {
    Slot& slot = slots_.front();
    answers_bytes_ -= held_by(*slot.response);
    if (!slot.response->stream) {
      append_answer(slot, slots_.size() == 1, out);
      slots_.pop_front();
      continue;
    }
    Slot streaming = std::move(slot);
    slots_.pop_front();
    begin_stream(streaming);
    append_answer(streaming, true, out);
  }
  if (out.empty()) return;
  idle_since_ = now_;
  send(out);
}

void Connection::append_answer(Slot& slot, bool last, std::string& out) {
  Response& response = *slot.response;
  // HTTP/1.0 has no chunks.
  if (response.source && !response.source->size() && slot.minor_version == 0 && !slot.head) gather_source(response);
  if (response.body.size() > limits_.output_piece_bytes && !slot.head) {
    response.source = std::make_shared<BytesSource>(std::move(response.body), limits_.output_piece_bytes, buffers_);
    response.body = {};
  }
  ResponseFraming framing;
  framing.head = slot.head;
  framing.close = no_more_ && last && !waiting_;
  framing.keep_alive_1_0 = slot.minor_version == 0 && !framing.close;
  framing.chunked = live_chunked_;
  append_response(out, response, framing);
  if (!response.source || slot.head) return;
  source_ = std::move(response.source);
  source_left_ = source_->size();
  source_taken_ = 0;
  source_since_ = now_;
}

void Connection::pull() {
  while (source_ && !piece_due_ && state_ == State::open) {
    if (source_left_ == 0) {
      source_.reset();
      idle_since_ = now_;
      return;
    }
    if (output_pending() > limits_.output_soft_bytes) return;
    piece_due_ = true;
    const std::shared_ptr<BodySource> held = source_;  // next() may give a piece at once, which may reset source_
    held->next([this](const std::string& piece) { take_piece(piece); });
  }
}

void Connection::take_piece(const std::string& piece) {
  piece_due_ = false;
  if (state_ != State::open) return;
  if (!source_left_) return take_chunk(piece);
  // The header promised a length: only closing the connection can tell the client that it does not hold.
  if (piece.empty() || piece.size() > *source_left_) return abort();
  *source_left_ -= piece.size();
  source_taken_ += piece.size();
  send(piece);
  pump();
}

void Connection::take_chunk(const std::string& piece) {
  source_taken_ += piece.size();
  std::string out;
  if (piece.empty()) {
    append_last_chunk(out);
    source_left_ = 0;
  } else {
    append_chunk(out, piece);
  }
  send(out);
  pump();
}

// Gives up every request behind it: `Connection: close` tells the client that they are not answered.
void Connection::begin_stream(Slot& slot) {
  abandon(StreamEnd::cut);
  waiting_.reset();
  answers_bytes_ = 0;
  unanswered_ = 0;
  stop_reading_requests();
  request_open_ = refused_ = continue_due_ = false;
  parser_.give_up();
  live_ = slot.response->stream;
  live_call_ = slot.call;
  live_chunked_ = slot.minor_version > 0;
  live_has_more_ = true;
  live_sent_at_ = now_;
}

void Connection::stream_has_more() {
  if (!live_ || state_ != State::open) return;
  live_has_more_ = true;
  stream_->request_turn();
}

void Connection::pull_stream() {
  while (live_has_more_ && output_pending() <= limits_.output_soft_bytes) {
    std::string piece;
    const Stream::Next next = live_->next(limits_.output_piece_bytes, piece);
    if (next == Stream::Next::lost) return abort();
    if (!piece.empty()) {
      idle_since_ = now_;
      send_of_stream(piece);
    }
    if (next == Stream::Next::waits) live_has_more_ = false;
    if (next == Stream::Next::ended) return end_stream(StreamEnd::ended);
    if (next == Stream::Next::more && piece.empty()) {  // it looked long, and found nothing
      stream_->request_turn();
      break;
    }
  }
  // A client that has closed its side got what there was, and gets no more.
  if (input_ended_ || draining_) end_stream(input_ended_ ? StreamEnd::left : StreamEnd::ended);
}

void Connection::send_of_stream(std::string_view piece) {
  live_sent_at_ = now_;
  if (!live_chunked_) return send(piece);
  std::string out;
  append_chunk(out, piece);
  send(out);
}

void Connection::end_stream(StreamEnd end) {
  if (!live_ || state_ != State::open) return;
  if (live_chunked_) {
    std::string out;
    append_last_chunk(out);
    send(out);
  }
  stream_over(end);
  pump();
}

void Connection::stream_over(StreamEnd end) {
  live_.reset();
  handler_.on_stream_over(live_call_, end);
}

void Connection::send(std::string_view bytes) {
  written_bytes_ += bytes.size();
  stream_->write(bytes);
}

void Connection::fail(const Refusal& refusal) {
  if (refusal.status == 400 && next_sequence_ == 0) handler_.on_foreign(*this, opening_);
  if (!refused_) {
    Response response = error_response(refusal.status, refusal.sentence);
    handler_.on_refused(response);
    answer_here(std::move(response));
  }
  std::string().swap(parser_.request().body);
  parser_.give_up();
  stop_reading_requests();
}

void Connection::stop_reading_requests() {
  no_more_ = true;
  std::string().swap(input_);
  input_read_ = 0;
}

void Connection::abort() {
  state_ = State::closing;
  source_.reset();
  abandon(StreamEnd::cut);
  waiting_.reset();
  parser_.give_up();
  stream_->abort();
  count_held();
}

bool Connection::has_room() const {
  return slots_.size() < limits_.in_flight && output_pending() <= limits_.output_soft_bytes;
}

void Connection::regulate_reading() {
  if (state_ != State::open) return;
  // Keeps the rest of one read, but reads no more on top of it. While an answer is awaited and no input is left over,
  // reading goes on, so that it notices a client that leaves.
  if (input_read_ == input_.size()) {
    // Ten thousand idle connections must not each keep the memory of one read.
    if (input_.capacity() > kKeptInput) std::string().swap(input_);
    input_.clear();
    input_read_ = 0;
  } else if (input_read_ > input_.size() / 2) {
    input_.erase(0, std::exchange(input_read_, 0));
  }
  const bool pause =
      !input_.empty() || (buffers_ != nullptr && buffers_->tight() && share_.bytes() > BufferBudget::kSmallBytes);
  if (pause == paused_) return;
  paused_ = pause;
  if (pause)
    stream_->pause_reading();
  else
    stream_->resume_reading();
}

void Connection::check_output(Millis now) {
  const uint64_t sent = written_bytes_ - stream_->pending_bytes();
  if (stream_->pending_bytes() == 0 || sent != sent_bytes_) {
    sent_bytes_ = sent;
    sent_since_ = now;
  } else if (now - sent_since_ >= limits_.output_stall_ms) {
    return abort();
  }
  // Nor may a client that takes a few bytes now and then keep a source for ever.
  if (source_ &&
      now - source_since_ >= limits_.source_deadline_ms + source_taken_ * 1000 / limits_.source_bytes_per_second)
    abort();
}

void Connection::check_deadlines() {
  if (state_ == State::closed) return;
  check_output(now_);
  if (state_ != State::open) return;
  if (request_open_ && !no_more_ && !continue_due_) {
    const Millis earned = parser_.body_received() * 1000 / limits_.body_bytes_per_second;
    const bool late = parser_.in_body() ? now_ - body_since_ >= limits_.body_deadline_ms + earned
                                        : now_ - request_since_ >= limits_.header_deadline_ms;
    if (late) fail({408, "The request took too long to arrive"});
  } else if (limits_.idle_timeout_ms != 0 && slots_.empty() && !waiting_ && !source_ && !live_ &&
             now_ - idle_since_ >= limits_.idle_timeout_ms) {
    stop_reading_requests();
  }
  // Useless while the client has not taken what was sent before.
  if (live_ && stream_->pending_bytes() == 0 && now_ - live_sent_at_ >= limits_.stream_keep_alive_ms)
    send_of_stream(live_->keep_alive());
  if (has_more() || source_) stream_->request_turn();
  regulate_reading();
}

void Connection::cut() {
  if (state_ == State::closing) stream_->abort();
  if (state_ != State::open) return;
  if (!request_open_ || no_more_ || refused_ || !slots_.empty() || waiting_ || source_ || stream_->pending_bytes() != 0)
    return abort();
  fail({503, "Clients hold too much memory (directive client-buffer-limit): try again"});
  on_turn();
}

}  // namespace wh::http
