// The floor: as little of a server as there can be with the same libraries. One loop, each request parsed by llhttp,
// each answered by the same bytes in the turn that read it, by one write. What a real server is slower than this is its
// own.
//
//   floor PORT [BYTES]      on 127.0.0.1; answers carry a body of so many bytes (256)
#include <cstdio>
#include <cstdlib>
#include <string>

#include <llhttp.h>
#include <uv.h>

namespace {

constexpr size_t kReadBytes = 64 * 1024;

std::string answer;
llhttp_settings_t settings;

struct Connection {
  uv_tcp_t tcp{};
  llhttp_t parser{};
  size_t requests = 0;  // complete, in this read
};

char buffer[kReadBytes];

void close(Connection* connection) {
  uv_close(reinterpret_cast<uv_handle_t*>(&connection->tcp),
           [](uv_handle_t* handle) { delete static_cast<Connection*>(handle->data); });
}

void received(uv_stream_t* stream, ssize_t size, const uv_buf_t* bytes) {
  auto* connection = static_cast<Connection*>(stream->data);
  connection->requests = 0;
  if (size < 0 || llhttp_execute(&connection->parser, bytes->base, static_cast<size_t>(size)) != HPE_OK)
    return close(connection);
  std::string out;
  for (size_t i = 0; i < connection->requests; ++i) out += answer;
  uv_buf_t part = uv_buf_init(out.data(), static_cast<unsigned>(out.size()));
  // A client that does not read is none of a benchmark's.
  if (!out.empty() && uv_try_write(stream, &part, 1) != static_cast<int>(out.size())) close(connection);
}

void accepted(uv_stream_t* listener, int status) {
  if (status < 0) return;
  auto* connection = new Connection;
  uv_tcp_init(listener->loop, &connection->tcp);
  connection->tcp.data = connection;
  auto* stream = reinterpret_cast<uv_stream_t*>(&connection->tcp);
  if (uv_accept(listener, stream) != 0) return close(connection);
  uv_tcp_nodelay(&connection->tcp, 1);
  llhttp_init(&connection->parser, HTTP_REQUEST, &settings);
  connection->parser.data = connection;
  uv_read_start(
      stream, [](uv_handle_t*, size_t, uv_buf_t* out) { *out = uv_buf_init(buffer, kReadBytes); }, received);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fputs("usage: floor PORT [BYTES]\n", stderr), 2;
  const std::string body(argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 256, 'x');
  answer = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  llhttp_settings_init(&settings);
  settings.on_message_complete = [](llhttp_t* parser) {
    ++static_cast<Connection*>(parser->data)->requests;
    return 0;
  };
  uv_loop_t* loop = uv_default_loop();
  uv_tcp_t listener;
  uv_tcp_init(loop, &listener);
  sockaddr_in address{};
  uv_ip4_addr("127.0.0.1", std::atoi(argv[1]), &address);
  if (uv_tcp_bind(&listener, reinterpret_cast<const sockaddr*>(&address), 0) != 0 ||
      uv_listen(reinterpret_cast<uv_stream_t*>(&listener), 511, accepted) != 0)
    return std::fprintf(stderr, "floor: cannot listen on port %s\n", argv[1]), 1;
  return uv_run(loop, UV_RUN_DEFAULT);
}
