#include "connection.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>

namespace wh::bench {
namespace {

struct Write {
  uv_write_t request{};
  std::string bytes;
};

// One buffer for all: what is read is taken, or copied, at once.
std::array<char, 256UL * 1024> read_buffer;

}  // namespace

void fail(const std::string& message) {
  (void)std::fprintf(stderr, "%s: %s\n", program_invocation_short_name, message.c_str());
  std::_Exit(1);
}

void append_event(std::string& out, uint64_t sent_ns) {
  static const std::string filling(kEventBytes - 16, 'e');
  std::array<char, 16> digits{};
  for (size_t i = digits.size(); i-- > 0; sent_ns >>= 4U) digits[i] = "0123456789abcdef"[sent_ns & 15U];
  out.append(digits.data(), digits.size());
  out += filling;
}

uint64_t sent_of(std::string_view event) {
  uint64_t sent = 0;
  if (event.size() != kEventBytes ||
      std::from_chars(event.data(), event.data() + 16, sent, 16).ptr != event.data() + 16)
    fail("an event is not as it was sent: " + std::string(event));
  return sent;
}

uint64_t number_at(std::string_view text) {
  uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::string_view between(std::string_view text, std::string_view before, char after, size_t& at) {
  const size_t found = text.find(before, at);
  at = found == std::string_view::npos ? found : text.find(after, found + before.size());
  if (at == std::string_view::npos) return {};
  return text.substr(found + before.size(), at - found - before.size());
}

std::optional<HttpAnswer> http_answer(std::string_view in) {
  const size_t end = in.find("\r\n\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  HttpAnswer answer;
  answer.head = in.substr(0, end + 2);
  size_t at = 0;
  const size_t length = number_at(between(answer.head, "\r\nContent-Length: ", '\r', at));
  answer.size = end + 4 + length;
  if (in.size() < answer.size) return std::nullopt;
  answer.status = static_cast<int>(number_at(answer.head.substr(9)));
  answer.body = in.substr(end + 4, length);
  answer.chunked = answer.head.find("\r\nTransfer-Encoding: chunked\r") != std::string_view::npos;
  return answer;
}

std::optional<HttpChunk> http_chunk(std::string_view in) {
  const size_t line = in.find("\r\n");
  if (line == std::string_view::npos) return std::nullopt;
  size_t size = 0;
  std::from_chars(in.data(), in.data() + line, size, 16);
  if (in.size() < line + 2 + size + 2) return std::nullopt;
  return HttpChunk{in.substr(line + 2, size), line + 2 + size + 2};
}

void run_until(uv_loop_t* loop, const std::function<bool()>& holds, double seconds, const std::string& what) {
  uv_timer_t tick;
  uv_timer_init(loop, &tick);
  uv_timer_start(
      &tick, [](uv_timer_t*) {}, 1, 20);
  const uint64_t deadline = uv_hrtime() + static_cast<uint64_t>(seconds * 1e9);
  while (!holds()) {
    if (uv_hrtime() > deadline) fail(what + " took too long");
    uv_run(loop, UV_RUN_ONCE);
  }
  bool gone = false;
  tick.data = &gone;
  uv_close(reinterpret_cast<uv_handle_t*>(&tick),
           [](uv_handle_t* handle) { *static_cast<bool*>(handle->data) = true; });
  while (!gone) uv_run(loop, UV_RUN_NOWAIT);
}

Connection::Connection(uv_loop_t* loop, uint16_t port) : loop_(loop) {
  uv_tcp_init(loop, &tcp_);
  tcp_.data = this;
  connect_.data = this;
  sockaddr_in address{};
  uv_ip4_addr("127.0.0.1", port, &address);
  const auto on_connected = [](uv_connect_t* request, int status) {
    auto& self = *static_cast<Connection*>(request->data);
    if (self.closed_) return;
    if (status < 0) fail(std::string("cannot connect: ") + uv_strerror(status));
    uv_tcp_nodelay(&self.tcp_, 1);
    uv_read_start(
        reinterpret_cast<uv_stream_t*>(&self.tcp_),
        [](uv_handle_t*, size_t, uv_buf_t* buffer) { *buffer = uv_buf_init(read_buffer.data(), read_buffer.size()); },
        [](uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer) {
          auto& reader = *static_cast<Connection*>(stream->data);
          if (size < 0) fail(std::string("a connection broke: ") + uv_strerror(static_cast<int>(size)));
          if (size > 0) reader.arrived({buffer->base, static_cast<size_t>(size)});
        });
    self.connected();
  };
  if (uv_tcp_connect(&connect_, &tcp_, reinterpret_cast<const sockaddr*>(&address), on_connected) != 0)
    fail("cannot connect");
}

void Connection::arrived(std::string_view bytes) {
  if (in_.empty()) {
    bytes.remove_prefix(take(bytes));
    in_.assign(bytes);
  } else {
    in_.append(bytes);
    in_.erase(0, take(in_));
  }
}

void Connection::send(std::string_view bytes) {
  if (closed_) return;
  auto* stream = reinterpret_cast<uv_stream_t*>(&tcp_);
  uv_buf_t buffer = uv_buf_init(const_cast<char*>(bytes.data()), static_cast<unsigned>(bytes.size()));
  const int sent = uv_try_write(stream, &buffer, 1);
  if (sent < 0 && sent != UV_EAGAIN) fail(std::string("a connection broke: ") + uv_strerror(sent));
  if (sent > 0) bytes.remove_prefix(static_cast<size_t>(sent));
  if (bytes.empty()) return;
  auto* rest = new Write{{}, std::string(bytes)};
  rest->request.data = rest;
  buffer = uv_buf_init(rest->bytes.data(), static_cast<unsigned>(rest->bytes.size()));
  uv_write(&rest->request, stream, &buffer, 1, [](uv_write_t* request, int status) {
    delete static_cast<Write*>(request->data);
    if (status < 0 && status != UV_ECANCELED) fail(std::string("a connection broke: ") + uv_strerror(status));
  });
}

void Connection::close() {
  if (std::exchange(closed_, true)) return;
  uv_close(reinterpret_cast<uv_handle_t*>(&tcp_), nullptr);
}

}  // namespace wh::bench
