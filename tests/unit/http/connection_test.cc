// Connection: order, limits, deadlines and closing.
#include "http/connection.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "support.h"

namespace wh::http::test {

TEST_CASE("keep-alive: one request after the other") {
  Client client;
  client.send(get("/1"));
  client.send(get("/2") + get("/3"));
  const std::vector<Answer> answers = client.answers();
  REQUIRE(answers.size() == 3);
  CHECK(answers[0].body == "GET /1 ");
  CHECK(answers[2].body == "GET /3 ");
  CHECK(answers[0].header("Connection") == nullptr);
  CHECK_FALSE(client.wire.closed);
  CHECK(client.handler.ids[2].connection == 7);
}

TEST_CASE("HAZARDS H6: a request that is no write waits for all before it") {
  Client client;
  client.handler.answer_at_once = false;
  client.send(get("/1") + get("/2") + post("/3", "a") + post("/4", "b") + get("/5") + post("/6", "c"));
  CHECK(client.handler.requests.size() == 1);
  client.answer(0);
  REQUIRE(client.handler.requests.size() == 2);
  CHECK(client.connection->in_flight() == 1);
  client.answer(1);
  REQUIRE(client.handler.requests.size() == 4);  // both writes
  CHECK(client.connection->in_flight() == 2);
  client.answer(3);
  CHECK(client.handler.requests.size() == 4);  // the read waits for the first one too
  CHECK(client.answers().size() == 2);         // whose answer is to come first
  client.answer(2);
  REQUIRE(client.handler.requests.size() == 5);
  client.answer(4);
  REQUIRE(client.handler.requests.size() == 6);
  client.answer(5);
  const std::vector<Answer> answers = client.answers();
  REQUIRE(answers.size() == 6);
  const std::vector<std::string> bodies{"GET /1 ", "GET /2 ", "POST /3 a", "POST /4 b", "GET /5 ", "POST /6 c"};
  for (size_t i = 0; i < bodies.size(); ++i) CHECK(answers[i].body == bodies[i]);
}

TEST_CASE("answers that come in any order leave in the order of the requests") {
  Client client;
  client.handler.answer_at_once = false;
  std::string input;
  for (int i = 0; i < 50; ++i) input += post("/" + std::to_string(i), "x");
  client.send(input, 13);
  REQUIRE(client.handler.requests.size() == 50);
  for (size_t i = 0; i < 50; ++i) client.answer((i * 37 + 11) % 50);
  const std::vector<Answer> answers = client.answers();
  REQUIRE(answers.size() == 50);
  for (size_t i = 0; i < 50; ++i) CHECK(answers[i].body == "POST /" + std::to_string(i) + " x");
}

TEST_CASE("a connection has so many requests in flight, then it stops reading") {
  ConnectionLimits limits;
  limits.in_flight = 4;
  Client client(limits);
  client.handler.answer_at_once = false;
  std::string input;
  for (int i = 0; i < 10; ++i) input += post("/" + std::to_string(i), "x");
  client.send(input, 50);
  CHECK(client.handler.requests.size() == 4);
  CHECK(client.wire.paused);
  client.answer(1);  // held: still four
  CHECK(client.handler.requests.size() == 4);
  client.answer(0);
  CHECK(client.handler.requests.size() == 6);
  for (size_t i = 2; i < 10; ++i) client.answer(i);
  CHECK(client.answers().size() == 10);
  CHECK_FALSE(client.wire.paused);
}

TEST_CASE("HAZARDS H13: a client that does not read stops being served, and goes on when it reads") {
  ConnectionLimits limits;
  limits.output_soft_bytes = 1000;
  Client client(limits);
  client.wire.taking = false;
  std::string input;
  for (int i = 0; i < 100; ++i) input += get("/" + std::to_string(i));
  client.send(input);
  const size_t served = client.handler.requests.size();
  CHECK(served < 20);
  CHECK(client.wire.pending < 2000);
  CHECK(client.wire.paused);
  client.pass(250);
  CHECK(client.handler.requests.size() == served);
  client.wire.pending = 0;
  client.wire.taking = true;
  SUBCASE("when the stream says so") {
    client.connection->on_drained();
    client.deliver();
  }
  SUBCASE("at the latest with the next check") { client.pass(250); }
  CHECK(client.answers().size() == 100);
  CHECK_FALSE(client.wire.paused);
}

TEST_CASE("HAZARDS H13: beyond the hard limit the connection ends") {
  ConnectionLimits limits;
  limits.output_hard_bytes = 500;
  Client client(limits);
  client.handler.answer_at_once = false;
  client.wire.taking = false;
  std::string input;
  for (int i = 0; i < 20; ++i) input += post("/" + std::to_string(i), std::string(100, 'x'));
  client.send(input);
  REQUIRE(client.handler.requests.size() == 20);
  for (size_t i = 0; i < 20; ++i) client.answer(i);
  CHECK(client.wire.aborted);
  CHECK(client.wire.output.size() < 1000);
}

TEST_CASE("HAZARDS H13: held answers count as output") {
  ConnectionLimits limits;
  limits.output_hard_bytes = 500;
  Client client(limits);
  client.handler.answer_at_once = false;
  std::string input;
  for (int i = 0; i < 20; ++i) input += post("/" + std::to_string(i), std::string(100, 'x'));
  client.send(input);
  for (size_t i = 1; i < 20; ++i) client.answer(i);
  CHECK(client.wire.aborted);
}

TEST_CASE("HAZARDS H13: output that does not move for a minute ends the connection") {
  Client client;
  client.wire.taking = false;
  client.send(get("/1"));
  client.pass(250);
  client.pass(59'000);
  CHECK_FALSE(client.wire.aborted);
  client.wire.pending -= 10;  // something moved
  client.pass(59'000);
  client.pass(59'000);
  CHECK_FALSE(client.wire.aborted);
  client.pass(1'000);
  CHECK(client.wire.aborted);
  client.connection->on_close("stalled");
  CHECK(client.handler.closed == 1);
}

TEST_CASE("HAZARDS H13: also while the connection is closing") {
  Client client;
  client.wire.taking = false;
  client.send("GET / HTTP/1.0\r\n\r\n");
  CHECK(client.wire.closed);
  client.pass(1);
  client.pass(60'000);
  CHECK(client.wire.aborted);
}

TEST_CASE("HAZARDS H22: Expect: 100-continue") {
  const std::string head = "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n\r\n";
  Client client;
  SUBCASE("is answered at once") {
    client.send(head);
    CHECK(client.wire.output == "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("hello");
    const std::vector<Answer> answers = client.answers();
    REQUIRE(answers.size() == 2);
    CHECK(answers[1].body == "POST /1 hello");
  }
  SUBCASE("after the answers to earlier requests") {
    client.handler.answer_at_once = false;
    client.send(post("/0", "a") + head);
    CHECK(client.wire.output.empty());
    client.pass(40'000);  // it is not the client's time that passes
    CHECK_FALSE(client.wire.closed);
    client.answer(0);
    CHECK(client.answers().size() == 2);
    CHECK(client.answers()[1].status == 100);
    client.pass(29'000);
    client.send("hello");
    client.answer(1);
    CHECK(client.answers()[2].body == "POST /1 hello");
  }
  SUBCASE("not before a refusal") {
    client.send("POST /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    const std::vector<Answer> answers = client.answers();
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].status == 403);
    CHECK(*answers[0].header("Connection") == "close");
    CHECK(client.wire.closed);
  }
  SUBCASE("not before 413") {
    client.send("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\nExpect: 100-continue\r\n\r\n");
    REQUIRE(client.answers().size() == 1);
    CHECK(client.answers()[0].status == 413);
  }
  SUBCASE("not without a body") {
    client.send("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n");
    REQUIRE(client.answers().size() == 1);
    CHECK(client.answers()[0].status == 200);
  }
  SUBCASE("not on HTTP/1.0") {
    client.send("POST /1 HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    CHECK(client.wire.output.empty());
  }
  SUBCASE("another expectation is 417") {
    client.send("GET /1 HTTP/1.1\r\nHost: a\r\nExpect: gold\r\n\r\n" + get("/2"));
    const std::vector<Answer> answers = client.answers();
    REQUIRE(answers.size() == 2);
    CHECK(answers[0].status == 417);
    CHECK(answers[1].status == 200);
  }
}

TEST_CASE("a request refused at its headers: its body is dropped, the connection goes on") {
  Client client;
  client.send("POST /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe");
  CHECK(client.answers().size() == 1);
  client.send("llo" + get("/2"));
  CHECK(client.answers().size() == 2);
  CHECK(client.answers()[0].status == 403);
  CHECK(client.answers()[1].body == "GET /2 ");
  REQUIRE(client.handler.requests.size() == 1);
  SUBCASE("in its turn") {
    client.handler.answer_at_once = false;
    client.send(post("/3", "a") + get("/refused") + post("/4", "b"));
    CHECK(client.handler.requests.size() == 3);
    CHECK(client.answers().size() == 2);
    client.answer(2);
    client.answer(1);
    const std::vector<Answer> answers = client.answers();
    REQUIRE(answers.size() == 5);
    CHECK(answers[3].status == 403);
    CHECK(answers[4].body == "POST /4 b");
  }
  SUBCASE("malformed chunks after it get no second answer") {
    client.send("POST /refused HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxx" + get("/3"));
    CHECK(client.answers().size() == 3);
    CHECK(client.wire.closed);
  }
}

TEST_CASE("HEAD: the answer to GET without its body") {
  Client client;
  client.send("HEAD /1 HTTP/1.1\r\nHost: a\r\n\r\n" + get("/1"));
  const std::vector<Answer> answers = client.answers({true, false});
  REQUIRE(answers.size() == 2);
  CHECK(client.handler.requests[0].method == Method::head);
  CHECK(*answers[0].header("Content-Length") == *answers[1].header("Content-Length"));
  CHECK(answers[0].body.empty());
  CHECK(answers[1].body == "GET /1 ");
}

TEST_CASE("HEAD: an error too has no body") {
  Client client;
  client.send("HEAD /1 HTTP/1.1\r\n\r\n");
  const std::vector<Answer> answers = client.answers({true});
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].status == 400);
}

TEST_CASE("HAZARDS H6: what follows Connection: close is not executed") {
  Client client;
  client.handler.answer_at_once = false;
  client.send("POST /1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n" + post("/2", "x"));
  client.send(post("/3", "y"));
  REQUIRE(client.handler.requests.size() == 1);
  client.answer(0);
  REQUIRE(client.answers().size() == 1);
  CHECK(*client.answers()[0].header("Connection") == "close");
  CHECK(client.wire.closed);
  client.connection->on_data(post("/4", "z"));
  CHECK(client.handler.requests.size() == 1);
}

TEST_CASE("Connection: close behind a request that waits is still served") {
  Client client;
  client.handler.answer_at_once = false;
  client.send(get("/1") + "GET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  client.answer(0);
  CHECK_FALSE(client.wire.closed);
  client.answer(1);
  const std::vector<Answer> answers = client.answers();
  REQUIRE(answers.size() == 2);
  CHECK(answers[0].header("Connection") == nullptr);
  CHECK(*answers[1].header("Connection") == "close");
  CHECK(client.wire.closed);
}

TEST_CASE("HTTP/1.0 closes unless it asks to keep the connection") {
  Client client;
  client.send("GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  CHECK(*client.answers()[0].header("Connection") == "keep-alive");
  CHECK_FALSE(client.wire.closed);
  client.send("GET /2 HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n" + get("/3"));
  REQUIRE(client.answers().size() == 2);
  CHECK(*client.answers()[1].header("Connection") == "close");
  CHECK(client.wire.closed);
}

TEST_CASE("a client that ends its side still gets its answers") {
  Client client;
  client.handler.answer_at_once = false;
  client.send(get("/1") + get("/2"));
  client.end();
  client.answer(0);
  CHECK_FALSE(client.wire.closed);
  client.answer(1);
  CHECK(client.answers().size() == 2);
  CHECK(client.wire.closed);
}

TEST_CASE("HAZARDS J10: a request that is cut off is never handed over") {
  const std::string whole = post("/1", "hello");
  for (size_t size = 0; size < whole.size(); ++size) {
    for (const bool reset : {false, true}) {
      Client client;
      client.send(std::string_view(whole).substr(0, size));
      if (reset) {
        client.connection->on_close("reset by peer");
      } else {
        client.end();
        CHECK(client.wire.closed);
      }
      CHECK(client.handler.requests.empty());
      CHECK(client.wire.output.empty());
    }
  }
}

TEST_CASE("after on_close answers go nowhere, and on_closed was called once") {
  Client client;
  client.handler.answer_at_once = false;
  client.send(get("/1"));
  client.connection->on_close("reset by peer");
  CHECK(client.handler.closed == 1);
  client.answer(0);
  client.connection->close_when_answered();
  client.pass(100'000);
  CHECK(client.wire.output.empty());
  CHECK(client.handler.closed == 1);
}

TEST_CASE("a connection may be destroyed inside on_closed") {
  struct Owner : Recorder {
    std::unique_ptr<Connection> owned;
    void on_closed(uint64_t) override { owned.reset(); }
  };
  Wire wire;
  const Millis now = 0;
  const ConnectionLimits limits;
  Owner owner;
  owner.owned = std::make_unique<Connection>(1, std::make_unique<MemoryStream>(wire), owner, limits, now);
  owner.owned->on_data(get("/1"));
  owner.owned->on_close("");
  CHECK(owner.owned == nullptr);
}

TEST_CASE("HAZARDS H10: a header section has 10 seconds from its first byte") {
  Client client;
  client.pass(100'000);
  client.send("\r\n");  // an empty line is no request
  client.pass(100'000);
  client.send("G");
  client.pass(5'000);
  client.send("ET / HTTP/1.1\r\n");
  client.pass(4'999);
  CHECK(client.wire.output.empty());
  client.pass(1);
  REQUIRE(client.answers().size() == 1);
  CHECK(client.answers()[0].status == 408);
  CHECK(client.wire.closed);
}

TEST_CASE("HAZARDS H10: the deadline counts anew for every request") {
  Client client;
  for (int i = 0; i < 5; ++i) {
    client.send(get("/1") + "GET /");
    client.pass(9'000);
    client.send(" HTTP/1.1\r\nHost: a\r\n\r\n");
    client.pass(9'000);
  }
  CHECK(client.answers().size() == 10);
  CHECK_FALSE(client.wire.closed);
}

TEST_CASE("HAZARDS H10: a body has 30 seconds and a second more for each KiB") {
  Client client;
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
  client.pass(29'999);
  CHECK(client.wire.output.empty());
  client.send(std::string(10'240, 'x'));
  client.pass(10'000);
  CHECK(client.wire.output.empty());
  client.pass(1);
  REQUIRE(client.answers().size() == 1);
  CHECK(client.answers()[0].status == 408);
  CHECK(client.handler.requests.empty());
}

TEST_CASE("a body refused at its headers that never arrives is closed without a second answer") {
  Client client;
  client.send("POST /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
  client.pass(30'000);
  CHECK(client.answers().size() == 1);
  CHECK(client.wire.closed);
}

TEST_CASE("an idle connection is closed without a word, when a timeout is set") {
  ConnectionLimits limits;
  SUBCASE("none") {
    Client client(limits);
    client.send(get("/1"));
    client.pass(1'000'000'000);
    CHECK_FALSE(client.wire.closed);
  }
  SUBCASE("60 s") {
    limits.idle_timeout_ms = 60'000;
    Client client(limits);
    client.pass(59'999);
    client.handler.answer_at_once = false;
    client.send(get("/1"));
    client.pass(100'000);  // it waits for us
    CHECK_FALSE(client.wire.closed);
    client.answer(0);
    client.pass(59'999);
    CHECK_FALSE(client.wire.closed);
    client.pass(1);
    CHECK(client.wire.closed);
    CHECK(client.answers().size() == 1);
  }
}

TEST_CASE(
    "close_when_answered: what is in progress is answered, or else one request more, then the connection closes") {
  Client client;
  client.handler.answer_at_once = false;
  SUBCASE("idle: the next request is the last") {
    client.send(get("/0"));
    client.answer(0);
    client.connection->close_when_answered();
    CHECK_FALSE(client.wire.closed);
    client.send(get("/1") + get("/2"));
    REQUIRE(client.handler.requests.size() == 2);
    client.connection->close_idle();
    CHECK_FALSE(client.wire.closed);
    client.answer(1);
    REQUIRE(client.answers().size() == 2);
    CHECK(client.answers()[0].header("Connection") == nullptr);
    CHECK(*client.answers()[1].header("Connection") == "close");
    CHECK(client.wire.closed);
  }
  SUBCASE("idle until the server has waited enough") {
    client.connection->close_when_answered();
    CHECK_FALSE(client.wire.closed);
    client.connection->close_idle();
    CHECK(client.wire.closed);
    CHECK(client.wire.output.empty());
  }
  SUBCASE("a request that is arriving is read to its end") {
    client.send("GET / HT");
    client.connection->close_when_answered();
    client.connection->close_idle();
    CHECK_FALSE(client.wire.closed);
    client.send("TP/1.1\r\nHost: x\r\n\r\n");
    client.answer(0);
    REQUIRE(client.answers().size() == 1);
    CHECK(*client.answers()[0].header("Connection") == "close");
    CHECK(client.wire.closed);
  }
  SUBCASE("whole, and waiting for its turn") {
    client.send(post("/1", "a") + get("/2"));
    client.connection->close_when_answered();
    client.answer(0);
    client.answer(1);
    REQUIRE(client.answers().size() == 2);
    CHECK(*client.answers()[1].header("Connection") == "close");
    CHECK(client.wire.closed);
  }
  SUBCASE("two writes in flight, two reads behind them: the one that was read whole is the last") {
    client.send(post("/1", "a") + post("/2", "b") + get("/3") + get("/4"));
    client.connection->close_when_answered();
    client.answer(1);
    client.answer(0);
    CHECK_FALSE(client.wire.closed);
    REQUIRE(client.handler.requests.size() == 3);
    client.answer(2);
    const std::vector<Answer> answers = client.answers();
    REQUIRE(answers.size() == 3);
    CHECK(answers[0].header("Connection") == nullptr);
    CHECK(answers[1].header("Connection") == nullptr);
    CHECK(*answers[2].header("Connection") == "close");
    CHECK(client.wire.closed);
    CHECK(client.handler.requests.size() == 3);
  }
}

TEST_CASE("HAZARDS H11: the request line") {
  Client client;
  const std::string frame = "GET / HTTP/1.1\r\n";
  SUBCASE("40 KiB are fine") {
    client.send("GET /" + std::string(40960 - frame.size(), 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", 1000);
    CHECK(client.answers()[0].status == 200);
  }
  SUBCASE("one byte more is 414") {
    client.send("GET /" + std::string(40961 - frame.size(), 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", 1000);
    CHECK(client.answers()[0].status == 414);
  }
  SUBCASE("a method without end too") {
    client.send(std::string(41000, 'A'));
    CHECK(client.answers()[0].status == 414);
  }
}

TEST_CASE("HAZARDS H11: the header section") {
  Client client;
  const std::string begin = "GET / HTTP/1.1\r\nHost: a\r\n";
  SUBCASE("100 fields are fine") {
    std::string fields;
    for (int i = 0; i < 99; ++i) fields += "X: y\r\n";
    client.send(begin + fields + "\r\n");
    CHECK(client.answers()[0].status == 200);
  }
  SUBCASE("101 are 431") {
    std::string fields;
    for (int i = 0; i < 100; ++i) fields += "X: y\r\n";
    client.send(begin + fields + "\r\n");
    CHECK(client.answers()[0].status == 431);
  }
  // "Host: a\r\n", "X: " and two CRLF are 16 bytes.
  SUBCASE("16 KiB are fine") {
    client.send(begin + "X: " + std::string(16384 - 16, 'y') + "\r\n\r\n");
    CHECK(client.answers()[0].status == 200);
  }
  SUBCASE("one byte more is 431, before it is all there") {
    client.send(begin + "X: " + std::string(16384 - 11, 'y'));
    CHECK(client.answers()[0].status == 431);
  }
}

TEST_CASE("HAZARDS H11: the body") {
  ConnectionLimits limits;
  limits.body_bytes = 10;
  Client client(limits);
  const std::string chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  SUBCASE("at the limit") {
    client.send(post("/1", "0123456789") + chunked + "5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n");
    REQUIRE(client.answers().size() == 2);
    CHECK(client.answers()[1].body == "POST / 0123456789");
  }
  SUBCASE("over it by Content-Length: refused before it is sent") {
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n");
    CHECK(client.answers()[0].status == 413);
  }
  SUBCASE("over it by chunks: refused at the chunk's size") {
    client.send(chunked + "5\r\n01234\r\n6\r\n");
    CHECK(client.answers()[0].status == 413);
  }
}

TEST_CASE("HAZARDS H11: a body limit that is lowered while a body arrives counts at once") {
  Client client;
  SUBCASE("by Content-Length") {
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" + std::string(500, 'x'));
    client.limits.body_bytes = 100;
    client.send("x");
  }
  SUBCASE("by chunks") {
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    client.limits.body_bytes = 4;
    client.send("1\r\n");
  }
  REQUIRE(client.answers().size() == 1);
  CHECK(client.answers()[0].status == 413);
}

TEST_CASE("HAZARDS H5: chunk extensions of one body, all together") {
  Client client;
  const std::string chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  std::string body;
  for (int i = 0; i < 16; ++i) body += "1;" + std::string(15, 'e') + "\r\nx\r\n";
  SUBCASE("256 bytes are fine, for each request") {
    client.send(chunked + body + "0\r\n\r\n" + chunked + body + "0\r\n\r\n");
    REQUIRE(client.answers().size() == 2);
    CHECK(client.answers()[1].status == 200);
  }
  SUBCASE("one more is 400") {
    client.send(chunked + body + "0;\r\n\r\n");
    CHECK(client.answers()[0].status == 400);
  }
}

TEST_CASE("HAZARDS H7: Upgrade does not end the requests") {
  Client client;
  const std::string upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
  client.send("GET /1 HTTP/1.1\r\nHost: a\r\n" + upgrade + "\r\nPOST /2 HTTP/1.1\r\nHost: a\r\n" + upgrade +
              "Content-Length: 2\r\n\r\nhi" + get("/3"));
  REQUIRE(client.answers().size() == 3);
  CHECK(client.answers()[1].body == "POST /2 hi");
}

TEST_CASE("bodies hold any bytes") {
  Client client;
  std::string body;
  for (int i = 0; i < 256; ++i) body += static_cast<char>(i);
  client.send(post("/1", body), 7);
  REQUIRE(client.handler.requests.size() == 1);
  CHECK(client.handler.requests[0].body == body);
}

TEST_CASE("ten thousand requests on one connection") {
  Client client;
  std::string input;
  for (int i = 0; i < 10'000; ++i) input += get("/");
  client.send(input);
  CHECK(client.handler.requests.size() == 10'000);
  CHECK_FALSE(client.wire.closed);
}

namespace {

// A body of `size` bytes in pieces of ten, each given when the test says so, or at once.
class Pieces final : public BodySource {
 public:
  struct State {
    uint64_t size = 0;
    uint64_t given = 0;
    bool at_once = false;
    bool says_size = true;
    bool fails = false;
    bool alive = true;
    int asked = 0;
    std::function<void(std::string)> ready;
    void give() {
      const uint64_t n = fails ? 0 : std::min<uint64_t>(10, size - given);
      std::string piece;
      for (uint64_t i = 0; i < n; ++i) piece += static_cast<char>('a' + (given + i) % 26);
      given += n;
      if (const auto to = std::exchange(ready, nullptr)) to(std::move(piece));
    }
  };
  explicit Pieces(State& state) : state_(state) {}
  ~Pieces() override {
    state_.alive = false;
    state_.ready = nullptr;
  }
  std::optional<uint64_t> size() const override { return state_.says_size ? std::optional(state_.size) : std::nullopt; }
  void next(std::function<void(std::string)> ready) override {
    ++state_.asked;
    CHECK_FALSE(state_.ready);
    state_.ready = std::move(ready);
    if (state_.at_once) state_.give();
  }

 private:
  State& state_;
};

void answer_with(Client& client, size_t index, Pieces::State& state) {
  Response response;
  response.content_type = "application/octet-stream";
  response.source = std::make_shared<Pieces>(state);
  client.connection->respond(client.handler.ids.at(index).sequence, std::move(response));
  client.deliver();
}

}  // namespace

TEST_CASE("a body that comes in pieces: all of it, then the next request") {
  Client client;
  client.handler.answer_at_once = false;
  Pieces::State state{.size = 95, .at_once = false};
  SUBCASE("each when it is ready") {}
  SUBCASE("at once") { state.at_once = true; }
  client.send(get("/1") + get("/2"));
  answer_with(client, 0, state);
  while (state.ready) {
    CHECK(client.handler.requests.size() == 1);  // nothing else meanwhile
    state.give();
  }
  client.deliver();
  CHECK_FALSE(state.alive);
  REQUIRE(client.handler.requests.size() == 2);
  client.answer(1);
  const std::vector<Answer> answers = client.answers();
  REQUIRE(answers.size() == 2);
  CHECK(*answers[0].header("Content-Length") == "95");
  CHECK(answers[0].body.size() == 95);
  CHECK(answers[0].body.substr(88) == "klmnopq");
  CHECK(answers[1].body == "GET /2 ");
}

TEST_CASE("a body whose size is not known goes out in chunks, then the next request is answered") {
  Client client;
  client.handler.answer_at_once = false;
  Pieces::State state{.size = 95, .at_once = true, .says_size = false};
  client.send(get("/1") + get("/2"));
  answer_with(client, 0, state);
  CHECK_FALSE(state.alive);
  REQUIRE(client.handler.requests.size() == 2);
  client.answer(1);
  const std::vector<Answer> answers = client.answers();
  REQUIRE(answers.size() == 2);
  CHECK(answers[0].header("Content-Length") == nullptr);
  CHECK(*answers[0].header("Content-Type") == "application/octet-stream");
  CHECK(answers[0].body.size() == 95);
  CHECK(answers[0].body.substr(88) == "klmnopq");
  CHECK(answers[1].body == "GET /2 ");
}

TEST_CASE("a body whose size is not known is made at once for HTTP/1.0, and not at all for HEAD") {
  Client client;
  client.handler.answer_at_once = false;
  Pieces::State state{.size = 95, .at_once = true, .says_size = false};
  SUBCASE("1.0") {
    client.send("GET /1 HTTP/1.0\r\n\r\n");
    answer_with(client, 0, state);
    REQUIRE(client.answers().size() == 1);
    CHECK(*client.answers()[0].header("Content-Length") == "95");
    CHECK(client.answers()[0].body.size() == 95);
  }
  SUBCASE("HEAD") {
    client.send("HEAD /1 HTTP/1.1\r\nHost: a\r\n\r\n");
    answer_with(client, 0, state);
    REQUIRE(client.answers({true}).size() == 1);
    CHECK(client.answers({true})[0].header("Transfer-Encoding") == nullptr);
    CHECK(state.asked == 0);
  }
  CHECK_FALSE(state.alive);
}

TEST_CASE("HAZARDS H13: pieces are asked for as the client takes them") {
  ConnectionLimits limits;
  limits.output_soft_bytes = 300;
  Client client(limits);
  client.handler.answer_at_once = false;
  client.wire.taking = false;
  Pieces::State state{.size = 1000, .at_once = true};
  client.send(get("/1"));
  answer_with(client, 0, state);
  CHECK(state.alive);
  CHECK(client.wire.pending < 400);
  const int asked = state.asked;
  client.pass(250);
  CHECK(state.asked == asked);
  client.wire.pending = 0;
  client.wire.taking = true;
  SUBCASE("when the stream says so") {
    client.connection->on_drained();
    client.deliver();
  }
  SUBCASE("at the latest with the next check") { client.pass(250); }
  CHECK_FALSE(state.alive);
  CHECK(client.answers().at(0).body.size() == 1000);
}

TEST_CASE("a client that goes away, or takes nothing, or too little, ends the reading") {
  Client client;
  client.handler.answer_at_once = false;
  Pieces::State state{.size = 100'000'000};
  client.send(get("/1"));
  answer_with(client, 0, state);
  state.give();
  REQUIRE(state.alive);
  SUBCASE("gone") { client.connection->on_close("reset"); }
  SUBCASE("destroyed") { client.connection.reset(); }
  SUBCASE("nothing") {
    client.wire.taking = false;
    client.wire.pending = 300'000;
    for (int i = 0; i < 300 && !client.wire.aborted; ++i) client.pass(250);
    CHECK(client.wire.aborted);
  }
  SUBCASE("too little") {
    // Something every 20 seconds, but less than the floor.
    for (int i = 0; i < 10 && !client.wire.aborted; ++i) {
      if (state.ready) state.give();
      client.pass(20'000);
    }
    CHECK(client.wire.aborted);
  }
  CHECK_FALSE(state.alive);
}

TEST_CASE("a body that cannot be had to its end ends the connection, not the answer") {
  Client client;
  client.handler.answer_at_once = false;
  Pieces::State state{.size = 100};
  client.send(get("/1"));
  answer_with(client, 0, state);
  state.give();
  state.fails = true;
  state.give();
  CHECK(client.wire.aborted);
  CHECK_FALSE(state.alive);
}

TEST_CASE("HEAD of a body that comes in pieces reads none of it") {
  Client client;
  client.handler.answer_at_once = false;
  Pieces::State state{.size = 95};
  client.send("HEAD /1 HTTP/1.1\r\nHost: a\r\n\r\n" + get("/2"));
  answer_with(client, 0, state);
  CHECK(state.asked == 0);
  CHECK_FALSE(state.alive);
  client.answer(1);
  const std::vector<Answer> answers = client.answers({true, false});
  REQUIRE(answers.size() == 2);
  CHECK(*answers[0].header("Content-Length") == "95");
}

TEST_CASE("a shutdown lets a body end that has begun") {
  Client client;
  client.handler.answer_at_once = false;
  Pieces::State state{.size = 25};
  client.send(get("/1"));
  answer_with(client, 0, state);
  client.connection->close_when_answered();
  CHECK_FALSE(client.wire.closed);
  while (state.ready) state.give();
  CHECK(client.wire.closed);
  CHECK_FALSE(client.wire.aborted);
  CHECK(client.answers().at(0).body.size() == 25);
}

}  // namespace wh::http::test
