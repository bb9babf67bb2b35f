// One client's HTTP/1.1 connection: feeds the parser, hands whole requests to the RequestHandler in their order, writes
// the answers in the same order, and keeps every bound of ConnectionLimits. Owns its ByteStream. Knows no route, no TLS
// and no clock of its own; the server makes one for each client that it accepts.
//
// Order: a request is handed over when all earlier ones were answered; but requests that are `Overlap::write` and
// follow each other may be in flight together. Answers that come early are held until it is their turn.
//
// A body that is larger than a piece leaves in pieces, as the client takes them, and nothing is made for a client that
// has not taken what was made before. More requests than a few at once, and whatever becomes possible later, wait for
// the connection's turn (ByteStream::request_turn).
//
// An answer that is a stream (http/stream.h) is the connection's last: what it holds for its client is bounded as for
// other answers, its source is asked again when the client has taken that, and a client that takes nothing is cut off
// after output_stall_ms. `timeout` does not end it. In a crowd it counts as idle since it last had news: it can be
// resumed, and who is cut off least lately used is the same rule for all. It ends when its client closes its side.
//
// After malformed input, a timeout or a request that closes the connection nothing later is read; what was handed over
// before still gets its answer. A request that never became whole is never handed over.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/buffer_budget.h"
#include "base/byte_stream.h"
#include "base/clock.h"
#include "http/connection_limits.h"
#include "http/parser.h"
#include "http/request.h"
#include "http/response.h"

namespace wh::http {

class Connection;

// Names one request in the process, for an answer that comes later, when the connection may be gone.
struct RequestId {
  uint64_t connection = 0;
  uint64_t sequence = 0;  // counts up within the connection
};

// Whether a request may be in flight together with the ones before it.
enum class Overlap {
  alone,  // only when all earlier requests were answered
  write,  // also while the earlier ones in flight are all writes
};

// What the server does with requests. Every call comes from inside a method of Connection: the handler may answer
// there, this request or others, but must not destroy a connection (but for on_closed).
class RequestHandler {
 public:
  virtual ~RequestHandler() = default;
  // The header section is there, the body not yet: an answer refuses the request without it (401, 403, 404, ...) and
  // before `100 Continue`. A small body is then read and dropped. What the handler notes in the request
  // (Request::route) is there again in what follows.
  virtual std::optional<Response> check_headers(const Connection& connection, Request& request) = 0;
  virtual Overlap classify(const Request& request) = 0;
  // A whole request. Answered by exactly one Connection::respond(id.sequence, ...), now or later. HEAD comes as HEAD;
  // its answer is the one to GET, whose body is then not sent.
  virtual void on_request(RequestId id, Request&& request) = 0;
  // The connection refuses a request by itself (malformed, too large, too slow): the handler may add fields, and count
  // it.
  virtual void on_refused(Response& response) = 0;
  // The first that the client sent is malformed, perhaps another protocol; these are its first bytes. It is answered
  // 400.
  virtual void on_foreign(const Connection& /*connection*/, std::string_view /*first_bytes*/) {}
  // The client has ended its side while this request, whose work was named `call` (Connection::name_call), waits for
  // its answer. Most that do so are gone altogether, which a write alone would show: it is not worth a long wait, but
  // may still be answered.
  virtual void on_half_closed(uint64_t /*call*/) {}
  // Nobody needs an answer to it any more.
  virtual void on_abandoned(uint64_t /*call*/) {}
  // The same of one whose answer was a stream.
  virtual void on_stream_over(uint64_t /*call*/, StreamEnd /*end*/) {}
  // The connection is gone; its unanswered requests need no answer. The last call for it, and the one from inside which
  // (or any time later) the connection may be destroyed.
  virtual void on_closed(uint64_t connection) = 0;
};

class Connection : public StreamHandler {
 public:
  static constexpr Millis kStalledMs = 1'000;
  // `id` is unique in the process. `handler`, `limits` and `now`, which the owner sets at every turn of the loop, must
  // outlive the connection, and so must `buffers`. Destroying it closes the stream without a call to on_closed.
  Connection(uint64_t id, std::unique_ptr<ByteStream> stream, RequestHandler& handler, const ConnectionLimits& limits,
             const Millis& now, BufferBudget* buffers = nullptr);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // The answer to a request; exactly one for each. Ignored once the connection is closing.
  void respond(uint64_t sequence, Response response);
  // Says how the handler calls its work on a request that waits for its answer, not 0: on_abandoned names it so.
  void name_call(uint64_t sequence, uint64_t call);
  // The stream that is its answer, if there is one, has news.
  void stream_has_more();
  // Ends the stream, if there is one, in good order.
  void end_stream(StreamEnd end = StreamEnd::ended);
  // To be called before it is destroyed while it may have requests in progress.
  void abandon(StreamEnd end = StreamEnd::cut);
  // Begins an orderly end, for the server's shutdown: a stream ends; what is in progress is answered, and so is the
  // request that is arriving; where there is neither, the next one. That answer says `Connection: close` and is the
  // last.
  void close_when_answered();
  // Closes it if nothing has come since close_when_answered().
  void close_idle();
  // Applies the deadlines. Called about four times a second.
  void check_deadlines();
  // Gives up what it holds, as clients together hold too much: a request that is arriving is answered 503, and the
  // connection closed; where no answer can be sent, or the last one is not taken, it is cut off.
  void cut();

  [[nodiscard]] uint64_t id() const { return id_; }
  // For its addresses, and what it says of the peer.
  [[nodiscard]] const ByteStream& stream() const { return *stream_; }
  // Since when it has been idle, as of now: no request is being worked on, and it has no answer to take, no request to
  // finish, or is kStalledMs late with that: takes nothing, sends no more of its body, has not ended its header
  // section, or is still at a request that was refused. Nothing while it is busy.
  [[nodiscard]] std::optional<Millis> idle_since() const;
  // Since when a request is arriving of which nothing has been worked on yet, when it is not late (idle_since).
  [[nodiscard]] std::optional<Millis> arriving_since() const;
  // Requests that were handed over and not answered yet.
  [[nodiscard]] size_t in_flight() const { return unanswered_; }
  // Memory held for this client, in and out, and since when the client has neither sent nor taken anything, though it
  // was its turn to.
  [[nodiscard]] size_t held_bytes() const { return share_.bytes() + stream_->held_bytes(); }
  [[nodiscard]] Millis still_since() const {
    if (stream_->pending_bytes() != 0) return sent_since_;
    return unanswered_ != 0 ? now_ : due_since();
  }
  [[nodiscard]] bool streams() const { return live_ != nullptr; }
  // Whether more waits behind the request in progress, or it has not taken its last answer: others go first.
  [[nodiscard]] bool asks_much() const { return input_read_ < input_.size() || stream_->pending_bytes() != 0; }
  // close() or abort() was called: nothing more comes of it.
  [[nodiscard]] bool closing() const { return state_ != State::open; }

  void on_data(std::string_view bytes) override;
  void on_end() override;
  void on_drained() override;
  void on_turn() override;
  void on_close(std::string_view why) override;

 private:
  enum class State {
    open,
    closing,  // close() or abort() was called: only on_close is still to come
    closed,
  };
  // A request whose answer was not written yet.
  struct Slot {
    uint64_t sequence = 0;
    bool head = false;
    int minor_version = 1;
    std::optional<Response> response;
    uint64_t call = 0;  // name_call
  };

  // Does all that can be done now. Calls from inside it return at once: the outer one goes on.
  void pump();
  // One step of it; false when there is nothing more to do.
  bool advance();
  bool parse();
  bool take_headers();
  void take_request();
  void dispatch();
  void write_answers();
  void tell_half_closed();
  // The rest of an answer that comes in pieces: asks for the next one while there is room.
  void pull();
  void take_piece(std::string piece);
  void send(std::string_view bytes);
  void begin_stream(Slot& slot);
  // What the stream has, as far as the client takes it.
  void pull_stream();
  void send_of_stream(std::string_view piece);
  void stream_over(StreamEnd end);
  // Answers a request of this connection that is not handed over.
  void answer_here(Response response);
  // The request being read is given up, and all after it.
  void fail(const Refusal& refusal);
  void stop_reading_requests();
  void abort();
  // Whether another request may be taken up, as far as bounds go.
  [[nodiscard]] bool has_room() const;
  [[nodiscard]] size_t output_pending() const { return stream_->pending_bytes() + answers_bytes_; }
  void regulate_reading();
  void count_held();
  // Whether there is something to do that pump() left for later.
  [[nodiscard]] bool has_more() const;
  void check_output(Millis now);
  // Since when something of what arrives now is due: a header section is one piece, whose bytes one by one are no
  // progress; nor is what comes of a request that was refused.
  [[nodiscard]] Millis due_since() const {
    return request_open_ && (refused_ || !parser_.in_body()) ? request_since_ : received_at_;
  }

  const uint64_t id_;
  const std::unique_ptr<ByteStream> stream_;
  RequestHandler& handler_;
  const ConnectionLimits& limits_;
  const Millis& now_;
  BufferBudget* const buffers_;
  BufferBudget::Share share_;
  RequestParser parser_;
  State state_ = State::open;
  bool pumping_ = false;
  size_t taken_ = 0;  // requests, in this call of pump()

  std::string opening_;  // the first few bytes of all, for on_foreign
  std::string input_;    // arrived and not read yet: from input_read_ on
  size_t input_read_ = 0;
  bool input_ended_ = false;  // the client sent its end
  bool draining_ = false;     // the request that is read next is the last
  bool no_more_ = false;      // no further request is read
  bool paused_ = false;

  std::deque<Slot> slots_;
  uint64_t next_sequence_ = 0;
  size_t unanswered_ = 0;
  Overlap in_flight_ = Overlap::alone;  // of the unanswered ones
  size_t answers_bytes_ = 0;            // bodies of answers that wait for their turn

  std::shared_ptr<BodySource> source_;  // of the answer that is being sent; later ones wait
  uint64_t source_left_ = 0;            // bytes of it
  uint64_t source_taken_ = 0;
  Millis source_since_ = 0;
  bool piece_due_ = false;  // asked for

  std::shared_ptr<Stream> live_;  // the answer that is being sent is a stream, and the last
  uint64_t live_call_ = 0;
  bool live_chunked_ = false;
  bool live_has_more_ = false;  // or may have
  Millis live_sent_at_ = 0;     // when it last said anything

  bool refused_ = false;            // the request being read was answered at its headers
  bool continue_due_ = false;       // its client waits for 100
  std::optional<Request> waiting_;  // whole, and not handed over yet
  Overlap waiting_overlap_ = Overlap::alone;

  bool request_open_ = false;  // a request has begun: request_since_ counts
  Millis request_since_ = 0;   // its first byte
  Millis body_since_ = 0;      // the end of its header section
  Millis idle_since_ = 0;
  uint64_t written_bytes_ = 0;
  uint64_t sent_bytes_ = 0;  // as of the last check
  Millis received_at_ = 0;   // when something last came
  Millis sent_since_ = 0;    // when it last moved
};

}  // namespace wh::http
