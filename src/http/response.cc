#include "http/response.h"

#include <charconv>
#include <utility>

#include "base/assert.h"
#include "http/json.h"

namespace wh::http {

namespace {

// What the header section of an answer takes at most without its type and its own fields.
constexpr size_t kHeadBytes = 256;

}  // namespace

std::string_view reason_phrase(int status) {
  // Static, or each call makes it.
  static constexpr std::pair<int, std::string_view> kPhrases[] = {
      {100, "Continue"},
      {200, "OK"},
      {201, "Created"},
      {202, "Accepted"},
      {204, "No Content"},
      {302, "Found"},
      {304, "Not Modified"},
      {307, "Temporary Redirect"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {406, "Not Acceptable"},
      {408, "Request Timeout"},
      {409, "Conflict"},
      {410, "Gone"},
      {412, "Precondition Failed"},
      {413, "Content Too Large"},
      {414, "URI Too Long"},
      {415, "Unsupported Media Type"},
      {417, "Expectation Failed"},
      {422, "Unprocessable Content"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {502, "Bad Gateway"},
      {503, "Service Unavailable"},
      {504, "Gateway Timeout"},
      {505, "HTTP Version Not Supported"},
      {507, "Insufficient Storage"},
  };
  for (const auto& [code, phrase] : kPhrases)
    if (code == status) return phrase;
  return "Unknown";
}

void gather_source(Response& response) {
  std::string body;
  for (bool more = true; more;)
    response.source->next([&](const std::string& piece) {
      more = !piece.empty();
      body += piece;
    });
  response.source.reset();
  response.body = Bytes(std::move(body));
}

void append_response(std::string& out, const Response& response, const ResponseFraming& framing) {
  WH_ASSERT(response.status >= 200 && response.status <= 599, "a final status");
  out.reserve(out.size() + kHeadBytes + response.content_type.size() + response.headers.lines().size() +
              (framing.head ? 0 : response.body.size()));
  out += "HTTP/1.1 ";
  out += std::to_string(response.status);
  out += ' ';
  out += reason_phrase(response.status);
  out += "\r\n";
  // RFC 9110 8.6 and 15.4.5: these two have no body, and a length would be that of another answer.
  const bool bodiless = response.status == 204 || response.status == 304;
  const std::optional<uint64_t> length =
      response.source ? response.source->size() : std::optional<uint64_t>(response.body.size());
  const uint64_t size = length.value_or(1);
  WH_ASSERT(!bodiless || size == 0, "204 and 304 have no body");
  WH_ASSERT(!response.unknown_length || framing.head, "a length is unknown of a body that is not sent only");
  WH_ASSERT(!response.stream || (response.status == 200 && size == 0 && framing.close && !framing.head),
            "a stream stands alone, and last");
  const bool has_length = !bodiless && !response.unknown_length && !response.stream && length;
  const bool chunked = !framing.head && (response.stream ? framing.chunked : !length);
  if (has_length) append_field(out, "Content-Length", size);
  if (chunked) append_field(out, "Transfer-Encoding", "chunked");
  if ((size > 0 || response.unknown_length || response.stream) && !response.content_type.empty())
    append_field(out, "Content-Type", response.content_type);
  // RFC 9111 5.2.2.5. Without no-store a cache may keep even a 404 by its own rules, and a GET may be a write.
  out += "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n";
  out += response.headers.lines();
  if (framing.close)
    append_field(out, "Connection", "close");
  else if (framing.keep_alive_1_0)
    append_field(out, "Connection", "keep-alive");
  out += "\r\n";
  if (!framing.head) out += response.body.view();
}

void append_chunk(std::string& out, std::string_view piece) {
  WH_ASSERT(!piece.empty(), "an empty chunk is the last");
  char size[2 * sizeof(size_t)];
  const auto [end, error] = std::to_chars(size, size + sizeof size, piece.size(), 16);
  out.append(size, end);
  out += "\r\n";
  out += piece;
  out += "\r\n";
}

void append_last_chunk(std::string& out) { out += "0\r\n\r\n"; }

void append_continue(std::string& out) { out += "HTTP/1.1 100 Continue\r\n\r\n"; }

Response error_response(int status, std::string_view sentence) {
  const std::optional<std::string> quoted = json_quote(sentence);
  WH_ASSERT(quoted.has_value(), "an error's sentence is UTF-8");
  Response response;
  response.status = status;
  response.content_type = "application/json";
  response.body = Bytes("{\"error\": " + *quoted + "}\n");
  // In seconds. Most of these pass by themselves, and soon (RFC 9110 10.2.3, RFC 6585 4).
  if (status == 503 || status == 429) response.headers.add("Retry-After", "1");
  return response;
}

}  // namespace wh::http
