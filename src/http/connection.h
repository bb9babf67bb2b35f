// One client's HTTP/1.1 connection: feeds the parser, hands whole requests to the RequestHandler in order, writes the
// answers in the same order, and keeps the bounds of ConnectionLimits. Owns its ByteStream. Knows no route and no TLS,
// and has no clock; the server makes one for each client that it accepts.
//
// Order: a request is handed over when all earlier ones are answered; only requests that are `Overlap::write` and
// follow each other may be in flight together. Early answers wait for their turn.
//
// A body larger than a piece leaves in pieces, as the client takes them; the next piece is made only when the client
// has taken the ones before. After a few requests at once, and for work that becomes possible later, the connection
// waits for its turn (ByteStream::request_turn).
//
// An answer that is a stream (http/stream.h) is the connection's last. Its unsent bytes are bounded as for other
// answers, its source is asked again when the client has taken them, and a client that takes nothing for
// output_stall_ms is cut off. `timeout` does not end a stream. When places are short it counts as idle since its last
// news, as it can be resumed: the longest idle connection goes first. It ends when its client closes its side.
//
// After malformed input, a timeout or a request that closes the connection nothing more is read; requests handed over
// before still get their answers. An incomplete request is never handed over.
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

// What the server does with requests. Every call comes from inside a method of Connection: the handler may answer in
// it, this request or others, but must not destroy a connection (except in on_closed).
class RequestHandler {
 public:
  virtual ~RequestHandler() = default;
  // The header section has arrived, the body has not: a Response refuses the request without its body (401, 403, 404,
  // ...) and before `100 Continue`. A small body is then read and dropped. What the handler stores in the request
  // (Request::route) is still there in the later calls.
  virtual std::optional<Response> check_headers(const Connection& connection, Request& request) = 0;
  virtual Overlap classify(const Request& request) = 0;
  // A whole request. The handler answers it by exactly one Connection::respond(id.sequence, ...), now or later. HEAD
  // comes as HEAD; its answer is that to GET, whose body the connection does not send.
  virtual void on_request(RequestId id, Request&& request) = 0;
  // The connection itself refuses a request (malformed, too large, too slow): the handler may add fields, and count it.
  virtual void on_refused(Response& response) = 0;
  // The client's first request is malformed, perhaps another protocol; these are its first bytes. Answered 400.
  virtual void on_foreign(const Connection& /*connection*/, std::string_view /*first_bytes*/) {}
  // The client has closed its side while the request whose work was named `call` (Connection::name_call) waits for its
  // answer. Most such clients are gone altogether, which only a write would show: the request is not worth a long wait,
  // but may still be answered.
  virtual void on_half_closed(uint64_t /*call*/) {}
  // Nobody needs the answer to this call any more.
  virtual void on_abandoned(uint64_t /*call*/) {}
  // The same for a call whose answer was a stream.
  virtual void on_stream_over(uint64_t /*call*/, StreamEnd /*end*/) {}
  // The connection is gone; its unanswered requests need no answer. The last call for it: inside it, or any time later,
  // the connection may be destroyed.
  virtual void on_closed(uint64_t connection) = 0;
};

class Connection : public StreamHandler {
 public:
  static constexpr Millis kStalledMs = 1'000;
  // `id` is unique in the process. `handler`, `limits`, `buffers` and `now`, which the owner sets at every turn of the
  // loop, must outlive the connection. Destroying it closes the stream without a call to on_closed.
  Connection(uint64_t id, std::unique_ptr<ByteStream> stream, RequestHandler& handler, const ConnectionLimits& limits,
             const Millis& now, BufferBudget* buffers = nullptr);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Gives the answer to a request, exactly one for each. Ignored once the connection is closing.
  void respond(uint64_t sequence, Response&& response);
  // Names the handler's work on a request that waits for its answer; not 0. on_abandoned gives this name.
  void name_call(uint64_t sequence, uint64_t call);
  // Answers a request, as far as the client takes it at once, in place of whatever else was to come. The connection
  // must be destroyed then.
  void answer_last(uint64_t sequence, Response response);
  // The stream that is the answer, if there is one, has news.
  void stream_has_more();
  // Ends that stream, if there is one, in an orderly way.
  void end_stream(StreamEnd end = StreamEnd::ended);
  // Must be called before the connection is destroyed while it may have requests in progress.
  void abandon(StreamEnd end = StreamEnd::cut);
  // Begins an orderly end, for the server's shutdown. A stream ends. Requests in progress and the one that is arriving
  // are answered; if there are none, the next request is. The last answer says `Connection: close`.
  void close_when_answered();
  // Closes the connection if nothing has come since close_when_answered().
  void close_idle();
  // Applies the deadlines. Called about four times a second.
  void check_deadlines();
  // Gives up what the connection holds, as clients together hold too much: answers 503 to a request that is arriving
  // and closes; where it can send no answer, or the client has not taken the last one, it cuts the client off.
  void cut();

  [[nodiscard]] uint64_t id() const { return id_; }
  // For its addresses and what it knows of the peer.
  [[nodiscard]] const ByteStream& stream() const { return *stream_; }
  // Since when the connection has been idle; nothing while it is busy. It is idle when no request is being worked on,
  // and the client has no answer to take and no request to finish, or is kStalledMs late with that: it takes nothing,
  // sends no more of its body, has not ended its header section, or is still sending a request that was refused.
  [[nodiscard]] std::optional<Millis> idle_since() const;
  // Since when a request has been arriving that is not late (idle_since) and on which no work has begun.
  [[nodiscard]] std::optional<Millis> arriving_since() const;
  // The named call that this connection waits for, if that is the only one, and since when; whatever else its client
  // has sent.
  struct Awaited {
    uint64_t call;
    Millis since;
  };
  [[nodiscard]] std::optional<Awaited> awaits() const;
  // Requests handed over and not answered yet.
  [[nodiscard]] size_t in_flight() const { return unanswered_; }
  // Memory held for this client, in and out; and since when the client has neither sent nor taken anything though it
  // was its turn.
  [[nodiscard]] size_t held_bytes() const { return share_.bytes() + stream_->held_bytes(); }
  [[nodiscard]] Millis still_since() const {
    if (stream_->pending_bytes() != 0) return sent_since_;
    return unanswered_ != 0 ? now_ : due_since();
  }
  [[nodiscard]] bool streams() const { return live_ != nullptr; }
  // Whether more waits behind the request in progress, or the client has not taken its last answer: others go first.
  [[nodiscard]] bool asks_much() const { return input_read_ < input_.size() || stream_->pending_bytes() != 0; }
  // Closing or closed: it takes no more requests and sends no more answers.
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
  // A request whose answer is not written yet.
  struct Slot {
    uint64_t sequence = 0;
    bool head = false;
    int minor_version = 1;
    std::optional<Response> response;
    uint64_t call = 0;  // name_call
    Millis since = 0;   // when it was handed over
  };

  // Does all that can be done now. Calls from inside it return at once: the outer one goes on.
  void pump();
  // One step of pump(); false when there is nothing more to do.
  bool advance();
  bool parse();
  bool take_headers();
  void take_request();
  void dispatch();
  void write_answers();
  // Appends what the slot's answer sends at once. `last`: no other answer waits behind it.
  void append_answer(Slot& slot, bool last, std::string& out);
  void tell_half_closed();
  // Asks for the next piece of an answer that comes in pieces, while there is room.
  void pull();
  void take_piece(const std::string& piece);
  void take_chunk(const std::string& piece);
  void send(std::string_view bytes);
  void begin_stream(Slot& slot);
  // Sends what the stream has, as far as the client takes it.
  void pull_stream();
  void send_of_stream(std::string_view piece);
  void stream_over(StreamEnd end);
  // Answers a request without handing it over.
  void answer_here(Response response);
  // Gives up the request being read, and all after it.
  void fail(const Refusal& refusal);
  void stop_reading_requests();
  void abort();
  // Whether the bounds allow taking up another request.
  [[nodiscard]] bool has_room() const;
  [[nodiscard]] size_t output_pending() const { return stream_->pending_bytes() + answers_bytes_; }
  void regulate_reading();
  void count_held();
  // Whether pump() left something to do for later.
  [[nodiscard]] bool has_more() const;
  void check_output(Millis now);
  // Since when the client owes the rest of what is arriving. A header section is one piece: its single bytes are no
  // progress, nor is anything that it still sends of a refused request.
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
  size_t taken_ = 0;  // requests counted against limits_.requests_at_once

  std::string opening_;  // the connection's first few bytes, for on_foreign
  std::string input_;    // bytes that arrived; those from input_read_ on are not parsed yet
  size_t input_read_ = 0;
  bool input_ended_ = false;  // the client closed its side
  bool draining_ = false;     // the next request that is read is the last
  bool no_more_ = false;      // no further request is read
  bool paused_ = false;

  std::deque<Slot> slots_;
  uint64_t next_sequence_ = 0;
  size_t unanswered_ = 0;
  Overlap in_flight_ = Overlap::alone;  // of the unanswered requests
  size_t answers_bytes_ = 0;            // bodies of answers that wait for their turn

  std::shared_ptr<BodySource> source_;   // of the answer being sent; later answers wait
  std::optional<uint64_t> source_left_;  // its bytes still to come; nothing: not known, it is sent in chunks
  uint64_t source_taken_ = 0;
  Millis source_since_ = 0;
  bool piece_due_ = false;  // a piece was asked for

  std::shared_ptr<Stream> live_;  // set: the answer being sent is a stream, and the last
  uint64_t live_call_ = 0;
  bool live_chunked_ = false;
  bool live_has_more_ = false;  // or may have
  Millis live_sent_at_ = 0;     // when the stream last sent anything

  bool refused_ = false;              // the request being read was answered at its headers
  bool continue_due_ = false;         // its client waits for 100
  std::unique_ptr<Request> waiting_;  // a whole request not handed over yet
  Overlap waiting_overlap_ = Overlap::alone;

  bool request_open_ = false;  // a request has begun: request_since_ is valid
  Millis request_since_ = 0;   // when its first byte came
  Millis body_since_ = 0;      // when its header section ended
  Millis idle_since_ = 0;
  uint64_t written_bytes_ = 0;
  uint64_t sent_bytes_ = 0;  // as of the last check
  Millis received_at_ = 0;   // when bytes last came
  Millis sent_since_ = 0;    // when the output last moved
};

}  // namespace wh::http
