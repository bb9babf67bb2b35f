// HAZARDS 8.2 (the guard before llhttp): whatever the guards and llhttp accept, a strict reference reader reads as the
// same requests, which end at the same bytes; how the bytes are split makes no difference.
#include <fstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "base/log.h"
#include "base/prng.h"
#include "http/parser.h"
#include "reference_reader.h"
#include "support.h"

namespace wh::http::test {
namespace {

struct Reading {
  std::vector<Request> requests;
  std::vector<size_t> ends;
  int refused = 0;
};

// Reads it all with pieces of random sizes up to `piece`.
Reading read_all(std::string_view input, Prng& random, size_t piece) {
  const ConnectionLimits limits;
  RequestParser parser(limits);
  Reading reading;
  size_t given = 0;
  while (given < input.size() && reading.refused == 0) {
    const size_t size = std::min<size_t>(1 + random.below(piece), input.size() - given);
    std::string_view part = input.substr(given, size);
    given += size;
    while (true) {
      const RequestParser::Event event = parser.read(part);
      if (event == RequestParser::Event::complete) {
        reading.requests.push_back(std::move(parser.request()));
        reading.ends.push_back(given - part.size());
      }
      if (event == RequestParser::Event::failed) reading.refused = parser.refusal().status;
      if (event == RequestParser::Event::failed || event == RequestParser::Event::more) break;
    }
  }
  return reading;
}

void expect_same(const Request& request, const ReferenceRequest& reference) {
  REQUIRE(method_name(request.method) == reference.method);
  REQUIRE(request.target == reference.target);
  REQUIRE(request.minor_version == reference.minor_version);
  REQUIRE(request.body == reference.body);
  REQUIRE(request.headers.size() == reference.headers.size());
  for (size_t i = 0; i < request.headers.size(); ++i) {
    REQUIRE(request.headers[i].name == reference.headers[i].first);
    REQUIRE(request.headers[i].value == reference.headers[i].second);
  }
}

const std::vector<std::string>& pieces() {
  static const std::vector<std::string> kPieces{"\r\n",
                                                "\r",
                                                "\n",
                                                " ",
                                                "\t",
                                                ":",
                                                ";",
                                                ",",
                                                "0",
                                                "5",
                                                "\r\n\r\n",
                                                "0\r\n\r\n",
                                                "Content-Length: 5",
                                                "Content-Length: 0\r\n",
                                                "Transfer-Encoding: chunked\r\n",
                                                "Host: a\r\n",
                                                "hello",
                                                "\x80",
                                                "HTTP/1.0",
                                                "GET / HTTP/1.1\r\n",
                                                "Connection: close\r\n",
                                                "Connection: upgrade\r\nUpgrade: x\r\n",
                                                "a",
                                                "+",
                                                "%",
                                                std::string(1, '\0')};
  return kPieces;
}

// A change or a few to a valid stream of requests.
std::string mutate(std::string text, Prng& random) {
  for (uint64_t changes = 1 + random.below(4); changes > 0; --changes) {
    const size_t at = random.below(text.size() + 1);
    const std::string& piece = pieces()[random.below(pieces().size())];
    switch (random.below(4)) {
      case 0:
        text.insert(at, piece);
        break;
      case 1:
        text.erase(at, random.below(4));
        break;
      case 2:
        text.replace(at, std::min(piece.size(), text.size() - at), piece);
        break;
      default:
        if (at < text.size()) text[at] = static_cast<char>(random.below(256));
    }
  }
  return text;
}

}  // namespace

TEST_CASE("HAZARDS 8.2: guards and llhttp against a strict reference reader") {
  const std::vector<std::string> seeds{
      get("/a") + get("/b?c=d"),
      post("/a", "hello") + get("/b"),
      "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n!\r\n0\r\n\r\n" +
          get("/b"),
      "\r\nPUT /k HTTP/1.0\r\nContent-Length: 3\r\nX:\t a b \r\n\r\nabc" + get("/b"),
      "DELETE /k HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + post("/c", "x"),
  };
  Prng random(20);
  size_t taken = 0;
  size_t refused = 0;
  for (int round = 0; round < 30'000; ++round) {
    const std::string input = mutate(seeds[random.below(seeds.size())], random);
    INFO(printable(input));
    const Reading whole = read_all(input, random, 1 << 20);
    const Reading cut = read_all(input, random, 1 + random.below(9));
    REQUIRE(whole.refused == cut.refused);
    REQUIRE(whole.ends == cut.ends);
    ReferenceReader reader(input);
    for (size_t i = 0; i < whole.requests.size(); ++i) {
      const std::optional<ReferenceRequest> reference = reader.next();
      REQUIRE(reference.has_value());
      expect_same(whole.requests[i], *reference);
      expect_same(cut.requests[i], *reference);
      REQUIRE(whole.ends[i] == reference->end);
    }
    taken += whole.requests.size();
    refused += whole.refused != 0 ? 1 : 0;
  }
  // The mutations must leave something to compare on both sides.
  CHECK(taken > 10'000);
  CHECK(refused > 5'000);
}

TEST_CASE("HAZARDS 8.1: no lenient flag of llhttp is ever set") {
  for (const char* file : {"connection.cc", "guard.cc", "parser.cc", "parser.h"}) {
    std::ifstream source(std::string(WORMHOLE_SOURCE_DIR) + "/src/http/" + file);
    REQUIRE(source.good());
    const std::string text((std::istreambuf_iterator<char>(source)), std::istreambuf_iterator<char>());
    CHECK(text.find("llhttp_set_lenient") == std::string::npos);
    CHECK(text.find("lenient_flags") == std::string::npos);
  }
}

TEST_CASE("HAZARDS 8.1: llhttp is a version that was probed, in strict mode") {
  CHECK(
      (LLHTTP_VERSION_MAJOR == 9 ? LLHTTP_VERSION_MINOR == 2 : LLHTTP_VERSION_MAJOR * 10 + LLHTTP_VERSION_MINOR == 81));
  // In version 8 strict mode is a matter of how llhttp was built, so it is asked rather than read: only strict llhttp
  // refuses this.
  llhttp_settings_t settings;
  llhttp_settings_init(&settings);
  llhttp_t parser;
  llhttp_init(&parser, HTTP_REQUEST, &settings);
  const std::string_view input = "GET / HTTP/1.1\r\nFoo Bar: 1\r\n\r\n";
  CHECK(llhttp_execute(&parser, input.data(), input.size()) != HPE_OK);
}

}  // namespace wh::http::test
