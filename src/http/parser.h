// Turns bytes into requests: the guards find where a request's parts end, llhttp parses each part, and both must agree.
// Owns the request being read and nothing else; writes no answer, knows no route and no time. Called by Connection.
//
// ConnectionLimits has the limits and their answers. Also refused: a method other than GET HEAD POST PUT DELETE OPTIONS
// (501, RFC 9110 15.6.2; CONNECT 400), a version other than 1.0 and 1.1 (505), Transfer-Encoding other than exactly
// `chunked` (501) or on HTTP/1.0 (400), none or two Hosts on HTTP/1.1 (400), a second field of a name that may occur
// only once (400), any trailer (400). An Upgrade is ignored (RFC 9110 7.8).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <llhttp.h>

#include "http/connection_limits.h"
#include "http/guard.h"
#include "http/request.h"

namespace wh::http {

class RequestParser {
 public:
  enum class Event {
    more,      // everything was read; more is needed
    headers,   // the header section is complete: request() lacks only its body
    complete,  // request() is whole; the next call begins the next one
    failed,    // see refusal(); no further byte is read
  };

  // `limits` must outlive the parser.
  explicit RequestParser(const ConnectionLimits& limits);
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  // Reads from the front of `bytes` up to the next event, and removes what it read. `headers` comes once for every
  // request, then `complete` for the same one, also when it has no body.
  Event read(std::string_view& bytes);

  [[nodiscard]] Request& request() { return *request_; }
  // After `complete`: hands over the request; request() is an empty one then.
  [[nodiscard]] std::unique_ptr<Request> take() {
    unused_ = true;
    return std::exchange(request_, std::make_unique<Request>());
  }
  [[nodiscard]] const Refusal& refusal() const { return refusal_; }
  // Whether a request has begun and is not complete.
  [[nodiscard]] bool started() const { return stage_ == Stage::body || guard_.started(); }
  // Whether its header section is complete.
  [[nodiscard]] bool in_body() const { return stage_ == Stage::body; }
  // Decoded bytes of this body so far.
  [[nodiscard]] uint64_t body_received() const { return body_received_; }
  // Memory held by the request being read.
  [[nodiscard]] size_t held_bytes() const { return section_.capacity() + header_bytes_ + request_->body.capacity(); }
  // Stops reading: drops the rest of this request and all after it, and frees the memory.
  void give_up() {
    stage_ = Stage::failed;
    *request_ = {};
    header_bytes_ = 0;
    std::string().swap(section_);
  }
  // From the event `headers` on: reads the body of this request but does not keep it.
  void discard_body() { discard_ = true; }

 private:
  enum class Stage { header, body, failed };

  void begin();
  Event read_header(std::string_view& bytes);
  Event read_body(std::string_view& bytes);
  // Gives guarded bytes to llhttp; false after setting refusal_.
  bool parse(std::string_view bytes, const char* sentence);
  Event fail(int status, const char* sentence);
  Event fail(const Refusal& refusal) { return fail(refusal.status, refusal.sentence); }
  // Checks what llhttp does not; called once its callbacks gave all fields.
  Refusal judge_fields();
  Refusal judge_target();

  static RequestParser& self(llhttp_t* parser) { return *static_cast<RequestParser*>(parser->data); }
  static int on_url(llhttp_t* parser, const char* at, size_t size);
  static int on_field(llhttp_t* parser, const char* at, size_t size);
  static int on_field_end(llhttp_t* parser);
  static int on_value(llhttp_t* parser, const char* at, size_t size);
  static int on_headers(llhttp_t* parser);
  static int on_body(llhttp_t* parser, const char* at, size_t size);
  static int on_message(llhttp_t* parser);
  static const llhttp_settings_t& settings();

  const ConnectionLimits& limits_;
  HeaderGuard guard_;
  ChunkGuard chunks_;
  llhttp_t llhttp_{};
  Stage stage_ = Stage::header;
  std::unique_ptr<Request> request_ = std::make_unique<Request>();
  bool unused_ = true;  // request_ is as it was made
  Refusal refusal_;
  std::string section_;      // the header section so far, when it came in parts
  size_t header_bytes_ = 0;  // of the section that became request_
  bool fresh_ = true;        // the next byte is the first of a request
  bool in_name_ = false;     // llhttp is giving the last field's name
  bool chunked_ = false;
  bool message_done_ = false;  // llhttp says the request ended
  bool discard_ = false;
  uint64_t body_left_ = 0;  // with Content-Length: bytes still to come
  uint64_t body_received_ = 0;
};

}  // namespace wh::http
