// Shared code of the HTTP tests: a ByteStream in memory, a handler that records, and a strict reader of answers.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "base/byte_stream.h"
#include "http/connection.h"

namespace wh::http::test {

// What the test reads of a stream stays here, where it outlives the connection that owns the stream.
struct Wire {
  std::string output;        // everything that was written
  std::string inbox;         // what waits for reading to be resumed
  bool end_waiting = false;  // so does the peer's end
  bool paused = false;
  bool closed = false;
  bool aborted = false;
  bool turn_asked = false;
  bool taking = true;  // whether written bytes leave at once
  size_t pending = 0;
  StreamHandler* handler = nullptr;
};

class MemoryStream : public ByteStream {
 public:
  explicit MemoryStream(Wire& wire) : wire_(wire) {}
  void set_handler(StreamHandler* handler) override { wire_.handler = handler; }
  void write(std::string_view bytes) override {
    CHECK_FALSE(wire_.closed);
    wire_.output += bytes;
    if (!wire_.taking) wire_.pending += bytes.size();
  }
  void pause_reading() override { wire_.paused = true; }
  void resume_reading() override { wire_.paused = false; }
  void request_turn() override { wire_.turn_asked = true; }
  void close() override {
    CHECK_FALSE(wire_.closed);
    wire_.closed = true;
  }
  void abort() override { wire_.aborted = wire_.closed = true; }
  size_t pending_bytes() const override { return wire_.pending; }
  std::string peer_address() const override { return "127.0.0.1"; }
  std::string local_address() const override { return "127.0.0.1"; }
  bool peer_is_loopback() const override { return true; }
  bool is_tls() const override { return false; }
  bool peer_is_verified() const override { return false; }

 private:
  Wire& wire_;
};

struct Answer {
  int status = 0;
  std::vector<Header> headers;
  std::string body;
  const std::string* header(std::string_view name) const {
    for (const Header& field : headers)
      if (equals_ignoring_case(field.name, name)) return &field.value;
    return nullptr;
  }
};

// Takes a chunked body (RFC 9112 7.1) from the front of `bytes`.
inline std::string take_chunked(std::string_view& bytes) {
  std::string body;
  for (;;) {
    const size_t line = bytes.find("\r\n");
    REQUIRE(line != std::string_view::npos);
    const size_t size = std::stoul(std::string(bytes.substr(0, line)), nullptr, 16);
    bytes.remove_prefix(line + 2);
    REQUIRE(bytes.size() >= size + 2);
    REQUIRE(bytes.substr(size, 2) == "\r\n");
    body += bytes.substr(0, size);
    bytes.remove_prefix(size + 2);
    if (size == 0) return body;
  }
}

// Reads answers one after the other, as a client would who trusts nothing: every byte must belong to one of them.
// `heads` tells which of the final answers are to HEAD.
inline std::vector<Answer> read_answers(std::string_view bytes, const std::vector<bool>& heads = {}) {
  std::vector<Answer> answers;
  size_t finals = 0;
  while (!bytes.empty()) {
    const size_t end = bytes.find("\r\n\r\n");
    REQUIRE(end != std::string_view::npos);
    std::string_view section = bytes.substr(0, end + 2);
    bytes.remove_prefix(end + 4);
    Answer answer;
    const std::string_view line = section.substr(0, section.find("\r\n"));
    section.remove_prefix(line.size() + 2);
    REQUIRE(line.substr(0, 9) == "HTTP/1.1 ");
    REQUIRE(line.size() > 13);
    answer.status = std::stoi(std::string(line.substr(9, 3)));
    while (!section.empty()) {
      const std::string_view field = section.substr(0, section.find("\r\n"));
      section.remove_prefix(field.size() + 2);
      const size_t colon = field.find(": ");
      REQUIRE(colon != std::string_view::npos);
      for (const char c : field) REQUIRE((static_cast<unsigned char>(c) >= 0x20 || c == '\t'));
      answer.headers.push_back({std::string(field.substr(0, colon)), std::string(field.substr(colon + 2))});
    }
    const std::string* length = answer.header("Content-Length");
    const bool bodiless = answer.status < 200 || answer.status == 204 || answer.status == 304;
    const std::string* coding = answer.header("Transfer-Encoding");
    const bool head = answer.status >= 200 && finals < heads.size() && heads[finals];
    if (coding != nullptr) {
      REQUIRE(*coding == "chunked");
      REQUIRE_FALSE((head || bodiless || length != nullptr));
      answer.body = take_chunked(bytes);
    } else if (!head) {
      REQUIRE((length == nullptr) == bodiless);
    }
    if (answer.status >= 200) ++finals;
    if (length != nullptr && !head) {
      const size_t size = std::stoul(*length);
      REQUIRE(bytes.size() >= size);
      answer.body = bytes.substr(0, size);
      bytes.remove_prefix(size);
    }
    answers.push_back(std::move(answer));
  }
  return answers;
}

// Records requests and answers them as it was told.
class Recorder : public RequestHandler {
 public:
  std::optional<Response> check_headers(const Connection& asked, Request& request) override {
    CHECK(asked.stream().peer_is_loopback());
    if (request.path == "/refused") return error_response(403, "Not for you");
    return std::nullopt;
  }
  Overlap classify(const Request& request) override {
    return request.method == Method::post ? Overlap::write : Overlap::alone;
  }
  void on_request(RequestId id, Request&& request) override {
    requests.push_back(std::move(request));
    ids.push_back(id);
    if (answer_at_once && connection != nullptr) connection->respond(id.sequence, make_answer(requests.back()));
  }
  void on_refused(Response&) override { ++refused; }
  void on_closed(uint64_t) override { ++closed; }

  // Names the request, so that answers can be told apart.
  static Response make_answer(const Request& request) {
    Response response;
    response.content_type = "text/plain";
    response.body = Bytes(std::string(method_name(request.method == Method::head ? Method::get : request.method)) +
                          " " + request.path + " " + request.body);
    return response;
  }
  void answer(size_t index) { connection->respond(ids.at(index).sequence, make_answer(requests.at(index))); }

  std::vector<Request> requests;
  std::vector<RequestId> ids;
  bool answer_at_once = true;
  Connection* connection = nullptr;
  int closed = 0;
  int refused = 0;
};

// A connection with everything around it.
struct Client {
  explicit Client(ConnectionLimits given = {}) : limits(given) {
    connection = std::make_unique<Connection>(7, std::make_unique<MemoryStream>(wire), handler, limits, now, &buffers);
    handler.connection = connection.get();
  }
  // Delivers bytes as the loop would: in pieces of at most `piece`, and none while reading is paused.
  void send(std::string_view bytes, size_t piece = 65536) {
    wire.inbox += bytes;
    deliver(piece);
  }
  void deliver(size_t piece = 65536) {
    do {
      while (!wire.inbox.empty() && !wire.paused) {
        const std::string part = wire.inbox.substr(0, piece);
        wire.inbox.erase(0, part.size());
        connection->on_data(part);
      }
      take_turns();
    } while (!wire.inbox.empty() && !wire.paused);
    if (wire.end_waiting && wire.inbox.empty() && !wire.paused) {
      wire.end_waiting = false;
      connection->on_end();
      take_turns();
    }
  }
  void take_turns() {
    while (std::exchange(wire.turn_asked, false)) connection->on_turn();
  }
  void end() {
    wire.end_waiting = true;
    deliver();
  }
  void answer(size_t index) {
    handler.answer(index);
    deliver();
  }
  void pass(Millis ms) {
    now += ms;
    connection->check_deadlines();
    deliver();
  }
  std::vector<Answer> answers(const std::vector<bool>& heads = {}) const { return read_answers(wire.output, heads); }

  ConnectionLimits limits;
  Millis now = 1000;
  BufferBudget buffers;
  Wire wire;
  Recorder handler;
  std::unique_ptr<Connection> connection;
};

inline std::string get(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n";
}
inline std::string post(std::string_view target, std::string_view body) {
  return "POST " + std::string(target) + " HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + std::string(body);
}

}  // namespace wh::http::test
