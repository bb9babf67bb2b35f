// Answers that are streams: their framing, their pace, and every way they end.
#include "http/stream.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "support.h"

namespace wh::http::test {
namespace {

// What a stream has to tell; the stream itself is the connection's.
struct Told {
  std::vector<std::string> items;
  size_t given = 0;
  bool ends = false;
  bool lost = false;
  int alive = 0;
  int asked = 0;
};

class Teller final : public Stream {
 public:
  explicit Teller(Told& told) : told_(told) { ++told_.alive; }
  ~Teller() override { --told_.alive; }
  Teller(const Teller&) = delete;
  Teller& operator=(const Teller&) = delete;
  Next next(size_t room, std::string& out) override {
    ++told_.asked;
    if (told_.lost) return Next::lost;
    const size_t before = out.size();
    while (told_.given < told_.items.size() && (out.size() == before || out.size() - before < room))
      out += told_.items[told_.given++];
    if (told_.given < told_.items.size()) return Next::more;
    return told_.ends ? Next::ended : Next::waits;
  }
  [[nodiscard]] std::string keep_alive() override { return ":\n"; }

 private:
  Told& told_;
};

class StreamRecorder final : public Recorder {
 public:
  void on_request(RequestId id, Request&& request) override {
    const bool streams = request.path == "/stream";
    Recorder::on_request(id, std::move(request));
    connection->name_call(id.sequence, 100 + id.sequence);
    if (!streams) return;
    Response response;
    response.content_type = "text/event-stream";
    response.stream = std::make_shared<Teller>(told);
    connection->respond(id.sequence, std::move(response));
  }
  void on_half_closed(uint64_t call) override {
    half_closed.push_back(call);
    if (answers_half_closed) answer(static_cast<size_t>(call - 100));
  }
  void on_abandoned(uint64_t call) override { abandoned.push_back(call); }
  void on_stream_over(uint64_t call, StreamEnd end) override { over.emplace_back(call, end); }
  Told told;
  std::vector<uint64_t> abandoned;
  std::vector<uint64_t> half_closed;
  bool answers_half_closed = false;
  std::vector<std::pair<uint64_t, StreamEnd>> over;
};

struct Listener {
  explicit Listener(ConnectionLimits given = {}) : limits(given) {
    handler.answer_at_once = false;
    connection = std::make_unique<Connection>(7, std::make_unique<MemoryStream>(wire), handler, limits, now, &buffers);
    handler.connection = connection.get();
  }
  void send(std::string_view bytes) {
    connection->on_data(bytes);
    take_turns();
  }
  void open() { send(get("/stream")); }
  void take_turns() {
    while (std::exchange(wire.turn_asked, false)) connection->on_turn();
  }
  void tell(std::string item) {
    handler.told.items.push_back(std::move(item));
    connection->stream_has_more();
    take_turns();
  }
  void pass(Millis ms) {
    now += ms;
    connection->check_deadlines();
    take_turns();
  }
  // The client has taken all.
  void drain() {
    wire.pending = 0;
    connection->on_drained();
    take_turns();
  }
  // What it wrote since the last time.
  std::string written() { return std::exchange(wire.output, {}); }

  ConnectionLimits limits;
  Millis now = 1000;
  BufferBudget buffers;
  Wire wire;
  StreamRecorder handler;
  std::unique_ptr<Connection> connection;
};

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

// The chunks' contents; `last` says whether the body ended.
std::string unchunked(std::string_view bytes, bool* last = nullptr) {
  std::string body;
  while (!bytes.empty()) {
    const size_t line = bytes.find("\r\n");
    REQUIRE(line != std::string_view::npos);
    const size_t size = std::stoul(std::string(bytes.substr(0, line)), nullptr, 16);
    bytes.remove_prefix(line + 2);
    if (size == 0) {
      CHECK(bytes == "\r\n");
      if (last != nullptr) *last = true;
      return body;
    }
    REQUIRE(bytes.size() >= size + 2);
    body += bytes.substr(0, size);
    CHECK(bytes.substr(size, 2) == "\r\n");
    bytes.remove_prefix(size + 2);
  }
  return body;
}

std::string after_headers(const std::string& bytes) { return bytes.substr(bytes.find("\r\n\r\n") + 4); }

}  // namespace

TEST_CASE("a stream is chunked, without a length, and the last answer of its connection") {
  Listener client;
  client.handler.told.items = {"one\n"};
  client.open();
  const std::string first = client.written();
  CHECK(has(first, "HTTP/1.1 200 OK\r\n"));
  CHECK(has(first, "Transfer-Encoding: chunked\r\n"));
  CHECK(has(first, "Content-Type: text/event-stream\r\n"));
  CHECK(has(first, "Cache-Control: no-store\r\n"));
  CHECK(has(first, "Connection: close\r\n"));
  CHECK_FALSE(has(first, "Content-Length"));
  CHECK(unchunked(after_headers(first)) == "one\n");
  client.tell("two\n");
  CHECK(client.written() == "4\r\ntwo\n\r\n");
  CHECK(client.connection->streams());
  CHECK_FALSE(client.wire.closed);
}

TEST_CASE("to a client of HTTP/1.0 a stream goes as it is, until the end of the connection") {
  Listener client;
  client.handler.told.items = {"one\n"};
  client.send("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const std::string first = client.written();
  CHECK_FALSE(has(first, "Transfer-Encoding"));
  CHECK_FALSE(has(first, "Content-Length"));
  CHECK(has(first, "Connection: close\r\n"));
  CHECK(after_headers(first) == "one\n");
  client.tell("two\n");
  CHECK(client.written() == "two\n");
  client.connection->end_stream();
  CHECK(client.written().empty());
  CHECK(client.wire.closed);
}

TEST_CASE("what was asked behind a stream is given up, and a client that leaves is still noticed") {
  Listener client;
  client.send(get("/stream") + get("/other") + get("/refused"));
  CHECK(client.handler.requests.size() == 1);
  CHECK_FALSE(client.wire.paused);
  client.send(std::string(100'000, 'x'));
  CHECK_FALSE(client.wire.paused);
  client.connection->check_deadlines();
  CHECK(client.connection->held_bytes() < 8'192);
  client.connection->on_end();
  CHECK(client.handler.over == std::vector<std::pair<uint64_t, StreamEnd>>{{100, StreamEnd::left}});
  CHECK(client.handler.told.alive == 0);
  CHECK(client.wire.closed);
}

TEST_CASE("a client that has closed its side before gets what there is, and the end") {
  Listener client;
  client.handler.answer_at_once = false;
  client.handler.told.items = {"now\n"};
  client.connection->on_data("GET /stream HTTP/1.1\r\nHost: a\r\n");
  client.connection->on_data("\r\n");
  client.connection->on_end();
  client.take_turns();
  bool last = false;
  CHECK(unchunked(after_headers(client.written()), &last) == "now\n");
  CHECK(last);
  CHECK(client.wire.closed);
  CHECK(client.handler.over.size() == 1);
}

TEST_CASE("a slow reader holds back its stream, not memory, and goes on where it was") {
  Listener client;
  client.wire.taking = false;
  for (int i = 0; i < 1'000; ++i)
    client.handler.told.items.push_back(std::string(1'000, static_cast<char>('a' + i % 26)));
  client.open();
  CHECK(client.wire.pending <= client.limits.output_soft_bytes + client.limits.output_piece_bytes + 2'000);
  const size_t given = client.handler.told.given;
  CHECK(given < 200);
  const int asked = client.handler.told.asked;
  for (int i = 0; i < 100; ++i) client.tell(std::string(1'000, 'z'));
  CHECK(client.handler.told.given == given);
  CHECK(client.handler.told.asked == asked);
  std::string body = after_headers(client.written());
  for (int i = 0; i < 50 && client.wire.pending != 0; ++i) {
    client.drain();
    body += client.written();
  }
  CHECK(unchunked(body).size() == 1'100'000);
  CHECK(client.handler.told.given == 1'100);
}

TEST_CASE("a reader that takes nothing is cut off in time, without an end that it could take for the last") {
  Listener client;
  client.wire.taking = false;
  client.handler.told.items.assign(200, std::string(1'000, 'x'));
  client.open();
  client.pass(client.limits.output_stall_ms - 1);
  CHECK_FALSE(client.wire.aborted);
  client.pass(1);
  client.pass(1);
  CHECK(client.wire.aborted);
  CHECK(client.handler.over == std::vector<std::pair<uint64_t, StreamEnd>>{{100, StreamEnd::cut}});
  CHECK(client.handler.told.alive == 0);
  CHECK_FALSE(has(client.written(), "\r\n0\r\n\r\n"));
}

TEST_CASE("a reader whose place is not kept any more is cut off") {
  Listener client;
  client.open();
  client.handler.told.lost = true;
  client.connection->stream_has_more();
  client.take_turns();
  CHECK(client.wire.aborted);
  REQUIRE(client.handler.over.size() == 1);
  CHECK(client.handler.over[0].second == StreamEnd::cut);
}

TEST_CASE("a stream that has ended closes its connection in good order") {
  Listener client;
  client.open();
  client.written();
  client.handler.told.ends = true;
  client.tell("last\n");
  bool last = false;
  CHECK(unchunked(client.written(), &last) == "last\n");
  CHECK(last);
  CHECK(client.wire.closed);
  CHECK_FALSE(client.wire.aborted);
  CHECK(client.handler.over == std::vector<std::pair<uint64_t, StreamEnd>>{{100, StreamEnd::ended}});
  client.connection->on_close("");
  CHECK(client.handler.over.size() == 1);
  CHECK(client.handler.closed == 1);
}

TEST_CASE("at the server's end a stream ends in good order") {
  Listener client;
  client.open();
  client.written();
  client.connection->close_when_answered();
  CHECK(client.written() == "0\r\n\r\n");
  CHECK(client.wire.closed);
  REQUIRE(client.handler.over.size() == 1);
  CHECK(client.handler.over[0].second == StreamEnd::ended);
}

TEST_CASE("a stream without news is kept alive, and is not ended as idle") {
  ConnectionLimits limits;
  limits.idle_timeout_ms = 20'000;
  Listener client(limits);
  client.open();
  client.written();
  client.pass(limits.stream_keep_alive_ms - 1);
  CHECK(client.written().empty());
  client.pass(1);
  CHECK(client.written() == "2\r\n:\n\r\n");
  for (int i = 0; i < 10; ++i) client.pass(limits.stream_keep_alive_ms);
  CHECK_FALSE(client.wire.closed);
  CHECK(unchunked(client.written()).size() == 20);
  // Behind what the client has not taken it would be of no use.
  client.wire.taking = false;
  client.tell("x");
  client.written();
  client.pass(limits.stream_keep_alive_ms);
  CHECK(client.written().empty());
}

TEST_CASE("in a crowd a stream counts as idle since its last news, whatever keeps it alive") {
  Listener client;
  client.open();
  CHECK(client.connection->idle_since() == 1'000u);
  client.pass(5'000);
  client.tell("news");
  CHECK(client.connection->idle_since() == 6'000u);
  client.pass(client.limits.stream_keep_alive_ms);
  client.pass(client.limits.stream_keep_alive_ms);
  CHECK(client.connection->idle_since() == 6'000u);
  CHECK_FALSE(client.connection->arriving_since());
  // One that gives way is told to its handler before it is destroyed.
  client.connection->abandon();
  client.connection.reset();
  REQUIRE(client.handler.over.size() == 1);
  CHECK(client.handler.over[0].second == StreamEnd::cut);
  CHECK(client.handler.told.alive == 0);
  CHECK(client.handler.closed == 0);
}

TEST_CASE("when clients hold too much a stream is cut off as any other") {
  Listener client;
  client.open();
  client.connection->cut();
  CHECK(client.wire.aborted);
  CHECK(client.handler.over.size() == 1);
}

TEST_CASE("whoever worked on a request learns that nobody waits for its answer any more") {
  Listener gone;
  gone.send(get("/1"));
  gone.connection->on_close("reset");
  CHECK(gone.handler.abandoned == std::vector<uint64_t>{100});

  Listener cut;
  cut.send(post("/1", "a") + post("/2", "b") + post("/3", "c"));
  REQUIRE(cut.handler.requests.size() == 3);
  cut.handler.answer(1);
  cut.connection->cut();
  CHECK(cut.handler.abandoned == std::vector<uint64_t>{100, 102});
  cut.handler.answer(0);  // too late, and ignored
  cut.connection->on_close("");
  CHECK(cut.handler.abandoned.size() == 2);

  Listener answered;
  answered.send(get("/1"));
  answered.handler.answer(0);
  answered.connection->on_close("");
  CHECK(answered.handler.abandoned.empty());
}

TEST_CASE("whoever works on a request learns that its client has ended its side, and may answer all the same") {
  Listener client;
  client.send(post("/1", "a") + post("/2", "b"));
  client.handler.answer(1);
  client.connection->on_end();
  CHECK(client.handler.half_closed == std::vector<uint64_t>{100});
  CHECK_FALSE(client.wire.closed);
  client.handler.answer(0);
  client.take_turns();
  CHECK(read_answers(client.written()).size() == 2);
  CHECK(client.wire.closed);
  CHECK(client.handler.abandoned.empty());

  // One that is handed over only then is told of, too; and it may be answered from inside.
  Listener late;
  late.handler.answers_half_closed = true;
  late.connection->on_data(post("/1", "a") + get("/2"));
  late.connection->on_end();
  late.take_turns();
  CHECK(late.handler.half_closed == std::vector<uint64_t>{100, 101});
  CHECK(read_answers(late.written()).size() == 2);
  CHECK(late.wire.closed);
}

TEST_CASE("a thousand streams that come and go leave nothing") {
  int alive = 0;
  for (int i = 0; i < 1'000; ++i) {
    Listener client;
    client.open();
    client.tell("x");
    i % 2 == 0 ? client.connection->on_close("reset") : client.connection->abandon();
    alive += client.handler.told.alive;
    client.connection.reset();
    CHECK(client.handler.over.size() == 1);
    CHECK(client.buffers.used() == 0);
  }
  CHECK(alive == 0);
}

}  // namespace wh::http::test
