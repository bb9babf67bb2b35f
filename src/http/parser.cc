#include "http/parser.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace wh::http {

namespace {

constexpr const char* kBadHeader = "The request's header section is malformed";
constexpr const char* kBadBody = "The request's body is malformed";
constexpr const char* kTooLarge = "The body is too large";
constexpr const char* kBadTarget = "The request target must be a path";
constexpr std::array<Method, 6> kMethods{Method::get, Method::head, Method::post,
                                         Method::put, Method::del,  Method::options};
// Fields that must not occur twice, as two readers could choose differently. llhttp also refuses Content-Length and
// Transfer-Encoding twice.
constexpr std::array<std::string_view, 9> kSingleFields{
    "Host",   "Content-Type",   "Content-Length", "Transfer-Encoding", "Authorization",
    "Origin", "Sec-Fetch-Site", "Expect",         "If-Match"};

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Of most requests: their list then grows but once.
constexpr size_t kUsualFields = 8;

// The method named by the first word of a guarded header section.
std::optional<Method> method_of(std::string_view word) {
  for (const Method method : kMethods)
    if (method_name(method) == word) return method;
  return std::nullopt;
}

}  // namespace

RequestParser::RequestParser(const ConnectionLimits& limits) : limits_(limits), guard_(limits), chunks_(limits) {
  llhttp_init(&llhttp_, HTTP_REQUEST, &settings());
  llhttp_.data = this;
}

const llhttp_settings_t& RequestParser::settings() {
  static const llhttp_settings_t kSettings = [] {
    llhttp_settings_t settings;
    llhttp_settings_init(&settings);
    settings.on_url = on_url;
    settings.on_header_field = on_field;
    settings.on_header_field_complete = on_field_end;
    settings.on_header_value = on_value;
    settings.on_headers_complete = on_headers;
    settings.on_body = on_body;
    settings.on_message_complete = on_message;
    return settings;
  }();
  return kSettings;
}

void RequestParser::begin() {
  guard_.reset();
  chunks_.reset();
  llhttp_reset(&llhttp_);
  if (!std::exchange(unused_, false)) *request_ = {};
  request_->headers.reserve(kUsualFields);
  section_.clear();
  fresh_ = in_name_ = chunked_ = message_done_ = discard_ = false;
  body_left_ = body_received_ = 0;
}

RequestParser::Event RequestParser::fail(int status, const char* sentence) {
  stage_ = Stage::failed;
  refusal_ = {status, sentence};
  return Event::failed;
}

RequestParser::Event RequestParser::read(std::string_view& bytes) {
  switch (stage_) {
    case Stage::header:
      return read_header(bytes);
    case Stage::body:
      return read_body(bytes);
    case Stage::failed:
      break;
  }
  return Event::failed;
}

RequestParser::Event RequestParser::read_header(std::string_view& bytes) {
  if (fresh_) begin();
  const size_t taken = guard_.accept(bytes);
  std::string_view section = bytes.substr(0, taken);
  bytes.remove_prefix(taken);
  if (guard_.refusal()) return fail(guard_.refusal());
  if (!section_.empty() || !guard_.complete()) {
    section_ += section;
    section = section_;
  }
  if (!guard_.complete()) return Event::more;

  std::string_view line = section;
  if (line.front() == '\r') line.remove_prefix(2);
  const std::string_view word = line.substr(0, line.find(' '));
  const std::optional<Method> method = method_of(word);
  if (word == "CONNECT") return fail(400, "This server is no proxy");
  if (!method) return fail(501, "The request's method is not known here");
  request_->method = *method;

  if (!parse(section, kBadHeader)) return fail(refusal_);
  header_bytes_ = section.size();
  std::string().swap(section_);
  // Either the message has no body and ended with the section, or llhttp waits for the body's first byte.
  if (message_done_ == request_->has_body) return fail(400, kBadHeader);
  stage_ = Stage::body;
  return Event::headers;
}

RequestParser::Event RequestParser::read_body(std::string_view& bytes) {
  bool ended = !request_->has_body;
  if (!ended) {
    const size_t taken =
        chunked_ ? chunks_.accept(bytes) : static_cast<size_t>(std::min<uint64_t>(body_left_, bytes.size()));
    if (!chunked_) body_left_ -= taken;
    const std::string_view part = bytes.substr(0, taken);
    bytes.remove_prefix(taken);
    if (chunks_.refusal()) return fail(chunks_.refusal());
    if (!parse(part, kBadBody)) return fail(refusal_);
    ended = chunked_ ? chunks_.complete() : body_left_ == 0;
    if (message_done_ != ended) return fail(400, kBadBody);
  }
  if (!ended) return Event::more;
  stage_ = Stage::header;
  guard_.reset();
  fresh_ = true;
  header_bytes_ = 0;  // the caller that takes the request counts these bytes
  return Event::complete;
}

bool RequestParser::parse(std::string_view bytes, const char* sentence) {
  if (bytes.empty() || llhttp_execute(&llhttp_, bytes.data(), bytes.size()) == HPE_OK) return true;
  if (!refusal_) refusal_ = {400, sentence};
  return false;
}

int RequestParser::on_url(llhttp_t* parser, const char* at, size_t size) {
  self(parser).request_->target.append(at, size);
  return 0;
}

int RequestParser::on_field(llhttp_t* parser, const char* at, size_t size) {
  RequestParser& me = self(parser);
  if (!std::exchange(me.in_name_, true)) me.request_->headers.emplace_back();
  me.request_->headers.back().name.append(at, size);
  return 0;
}

int RequestParser::on_field_end(llhttp_t* parser) {
  self(parser).in_name_ = false;
  return 0;
}

int RequestParser::on_value(llhttp_t* parser, const char* at, size_t size) {
  RequestParser& me = self(parser);
  if (me.request_->headers.empty()) return -1;
  me.request_->headers.back().value.append(at, size);
  return 0;
}

int RequestParser::on_headers(llhttp_t* parser) {
  RequestParser& me = self(parser);
  parser->upgrade = 0;  // ignored: without this llhttp would stop before the next request
  Request& request = *me.request_;
  const auto flags = static_cast<unsigned>(parser->flags);
  request.minor_version = parser->http_minor;
  request.keep_alive =
      (flags & F_CONNECTION_CLOSE) == 0 && (request.minor_version == 1 || (flags & F_CONNECTION_KEEP_ALIVE) != 0);
  me.chunked_ = (flags & F_CHUNKED) != 0;
  me.body_left_ = (flags & F_CONTENT_LENGTH) != 0 ? parser->content_length : 0;
  request.has_body = me.chunked_ || me.body_left_ != 0;
  for (Header& field : request.headers)
    if (const std::string_view kept = trim(field.value); kept.size() != field.value.size())
      field.value = std::string(kept);
  me.refusal_ = me.judge_fields();
  if (!me.refusal_) me.refusal_ = me.judge_target();
  if (!me.refusal_ && me.body_left_ > me.limits_.body_bytes) me.refusal_ = {413, kTooLarge};
  return me.refusal_ ? -1 : 0;
}

int RequestParser::on_body(llhttp_t* parser, const char* at, size_t size) {
  RequestParser& me = self(parser);
  me.body_received_ += size;
  if (me.body_received_ > me.limits_.body_bytes) {
    me.refusal_ = {413, kTooLarge};
    return -1;
  }
  if (me.discard_) return 0;
  // Reserves what will be needed, but never much more than has come.
  std::string& body = me.request_->body;
  const size_t needed = body.size() + size;
  if (needed > body.capacity())
    body.reserve(me.chunked_ ? 2 * needed
                             : std::min(2 * needed, body.size() + size + static_cast<size_t>(me.body_left_)));
  body.append(at, size);
  return 0;
}

int RequestParser::on_message(llhttp_t* parser) {
  self(parser).message_done_ = true;
  return 0;
}

Refusal RequestParser::judge_fields() {
  for (const std::string_view name : kSingleFields) {
    const auto count = std::count_if(request_->headers.begin(), request_->headers.end(),
                                     [name](const Header& field) { return equals_ignoring_case(field.name, name); });
    if (count > 1) return {400, "A header that may be given once was given twice"};
  }
  if (const std::string* coding = request_->header("Transfer-Encoding")) {
    if (request_->minor_version == 0) return {400, "Transfer-Encoding is not part of HTTP/1.0"};
    if (!equals_ignoring_case(*coding, "chunked")) return {501, "The only transfer coding known here is chunked"};
  }
  const std::string* host = request_->header("Host");
  if (host == nullptr && request_->minor_version == 1) return {400, "The Host header is missing"};
  if (host != nullptr) request_->host = *host;
  if (const std::string* expectation = request_->header("Expect");
      expectation != nullptr && request_->minor_version == 1) {
    request_->expects_continue = equals_ignoring_case(*expectation, "100-continue");
    request_->unknown_expectation = !request_->expects_continue;
  }
  return {};
}

Refusal RequestParser::judge_target() {
  std::string_view target = request_->target;
  if (target.find('#') != std::string_view::npos) return {400, kBadTarget};
  if (target == "*") {
    if (request_->method != Method::options) return {400, kBadTarget};
    request_->path = target;
    return {};
  }
  if (target.front() != '/') {
    // RFC 9112 3.2.2: the absolute form must be understood, and its authority counts in place of Host.
    const size_t colon = target.find("://");
    if (colon == std::string_view::npos) return {400, kBadTarget};
    const std::string_view scheme = target.substr(0, colon);
    if (!equals_ignoring_case(scheme, "http") && !equals_ignoring_case(scheme, "https")) return {400, kBadTarget};
    target.remove_prefix(colon + 3);
    const size_t authority = std::min(target.find_first_of("/?"), target.size());
    request_->host = target.substr(0, authority);
    if (authority == 0 || request_->host.find('@') != std::string::npos) return {400, kBadTarget};
    target.remove_prefix(authority);
  }
  const size_t question = std::min(target.find('?'), target.size());
  request_->path = question == 0 ? "/" : target.substr(0, question);
  if (question < target.size()) request_->query = target.substr(question + 1);
  return {};
}

}  // namespace wh::http
