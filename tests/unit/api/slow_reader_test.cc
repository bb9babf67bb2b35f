// A stream to a reader that reads nothing, over real sockets: the memory used in the kernel and in the process is
// bounded, and the reader is disconnected with its position known.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "../net/net_fixture.h"
#include "http/connection.h"

using namespace wh;

namespace {

// Numbers, a line each, for as long as somebody takes them.
class Numbers final : public http::Stream {
 public:
  explicit Numbers(uint64_t& last) : last_(last) {}
  Next next(size_t room, std::string& out) override {
    for (const size_t before = out.size(); out.size() - before < room;) out += std::to_string(++last_) + '\n';
    return Next::more;
  }
  [[nodiscard]] std::string keep_alive() override { return "\n"; }

 private:
  uint64_t& last_;
};

struct Teller final : http::RequestHandler {
  std::optional<http::Response> check_headers(const http::Connection&, http::Request&) override { return {}; }
  http::Overlap classify(const http::Request&) override { return http::Overlap::alone; }
  void on_request(http::RequestId id, http::Request&&) override {
    connection->name_call(id.sequence, 1);
    http::Response response;
    response.stream = std::make_shared<Numbers>(last);
    connection->respond(id.sequence, std::move(response));
  }
  void on_refused(http::Response&) override {}
  void on_stream_over(uint64_t, http::StreamEnd end) override { over = end; }
  void on_closed(uint64_t) override { closed = true; }

  http::Connection* connection = nullptr;
  uint64_t last = 0;
  std::optional<http::StreamEnd> over;
  bool closed = false;
};

}  // namespace

TEST_CASE("a stream to a reader that takes nothing holds no more than other answers do, and is cut off") {
  net::Loop loop;
  Teller teller;
  Millis now = loop.now();
  http::ConnectionLimits limits;
  limits.output_stall_ms = 300;
  BufferBudget buffers;
  net::test::Pair pair(loop);
  http::Connection connection(1, std::move(pair.server), teller, limits, now, &buffers);
  teller.connection = &connection;
  net::test::Recorder reader;
  pair.client->set_handler(&reader);
  pair.client->write("GET /numbers HTTP/1.1\r\nHost: a\r\n\r\n");
  size_t most = 0;
  loop.set_sweep([&] {
    now = loop.now();
    connection.check_deadlines();
  });
  // It reads a little first, and then no more.
  REQUIRE(net::test::run_until(loop, [&] { return reader.size > 100'000; }));
  pair.client->pause_reading();
  CHECK(net::test::run_until(loop, [&] {
    most = std::max(most, connection.held_bytes());
    return teller.over.has_value();
  }));
  CHECK(teller.over == http::StreamEnd::cut);
  CHECK(most < 512 << 10);
  CHECK(teller.last < 10'000'000);
  pair.client->resume_reading();
  CHECK(net::test::run_until(loop, [&] { return reader.closes + reader.ends > 0; }));
  CHECK(reader.data.find("\r\n0\r\n\r\n") == std::string::npos);
}
