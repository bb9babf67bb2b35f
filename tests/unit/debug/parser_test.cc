#include "debug/parser.h"

#include <doctest/doctest.h>

#include "base/prng.h"
#include "debug/resp.h"
#include "fixture.h"

using namespace wh::debug;
using namespace std::string_literals;
using Words = std::vector<std::string>;

namespace {

// All requests of some bytes, fed in pieces, and how it ended.
struct Outcome {
  std::vector<Words> requests;
  Parser::Outcome end = Parser::Outcome::need_more;
  std::string reason;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome parse(const std::vector<std::string_view>& pieces, bool trusted = true, const ParserLimits& limits = {}) {
  Parser parser(limits);
  Outcome out;
  for (const std::string_view piece : pieces) {
    parser.feed(piece);
    while ((out.end = parser.next(trusted)) == Parser::Outcome::request)
      out.requests.push_back(parser.take_arguments());
  }
  out.reason = parser.reason();
  return out;
}

std::vector<std::string_view> single_bytes(std::string_view bytes) {
  std::vector<std::string_view> pieces;
  for (size_t i = 0; i < bytes.size(); ++i) pieces.push_back(bytes.substr(i, 1));
  return pieces;
}

// Whole, byte by byte and cut in two everywhere: always the same.
Outcome parse_every_split(std::string_view bytes, bool trusted = true, const ParserLimits& limits = {}) {
  const Outcome whole = parse({bytes}, trusted, limits);
  CHECK(parse(single_bytes(bytes), trusted, limits) == whole);
  for (size_t cut = 0; cut <= bytes.size(); ++cut)
    CHECK(parse({bytes.substr(0, cut), bytes.substr(cut)}, trusted, limits) == whole);
  return whole;
}

std::string error_of(std::string_view bytes, bool trusted = true, const ParserLimits& limits = {}) {
  const Outcome outcome = parse_every_split(bytes, trusted, limits);
  CHECK(outcome.end == Parser::Outcome::error);
  CHECK(outcome.requests.empty());
  return outcome.reason;
}

}  // namespace

TEST_CASE("HAZARDS I4: LF and CRLF both end a line; empty lines are nothing") {
  const Outcome outcome = parse_every_split("PING\nSET a b\r\n\r\n\n   \t \nGET  a \r\nhalf");
  CHECK(outcome.requests == std::vector<Words>{{"PING"}, {"SET", "a", "b"}, {"GET", "a"}});
  CHECK(outcome.end == Parser::Outcome::need_more);
}

TEST_CASE("quotes and escapes are Redis's") {
  CHECK(*split_line(R"(a "b c" 'd e' "")", 9) == Words{"a", "b c", "d e", ""});
  CHECK(*split_line(R"("\n\r\t\b\a\\\"\q\x41\xfF\x4g")", 9) == Words{"\n\r\t\b\a\\\"qA\xffx4g"});
  CHECK(*split_line(R"('it\'s \n "x"')", 9) == Words{"it's \\n \"x\""});
  CHECK(*split_line(R"(k\n foo"bar")", 9) == Words{"k\\n", "foobar"});
  CHECK(*split_line("\"\\x00\"", 9) == Words{"\0"s});
  CHECK(split_line("a b c d", 2)->size() == 3);
  CHECK(split_line("", 9)->empty());
  for (const char* bad : {R"(")", R"(')", R"("a)", R"("a\")", R"('a\')", R"("a"b)", R"('a'b)", R"("a""b")", R"("\x4)"})
    CHECK_MESSAGE(!split_line(bad, 9), bad);
  CHECK(error_of("SET a \"b\r\n") == "unbalanced quotes in request");
}

TEST_CASE("RESP arrays, in every split, mixed with lines") {
  const std::string value = "x\r\n$3\r\nPOST / HTTP/1.1\r\nHost: y\0\xff\x16"s;
  const std::string bytes =
      test::resp_request({"SET", "k", value}) + "*0\r\n*-1\r\nPING\n" + test::resp_request({"POST", ""});
  const Outcome outcome = parse_every_split(bytes);
  CHECK(outcome.requests == std::vector<Words>{{"SET", "k", value}, {"PING"}, {"POST", ""}});
  CHECK(outcome.end == Parser::Outcome::need_more);
}

TEST_CASE("HAZARDS I2: lengths are bounded integers with one spelling") {
  for (const char* count : {"*99999999999999999999\r\n", "*9223372036854775808\r\n", "*+1\r\n", "*01\r\n", "* 1\r\n",
                            "*1 \r\n", "*\r\n", "*-\r\n", "*a\r\n", "*1\n", "*\n", "*1\r\r\n", "*0x1\r\n", "*-0\r\n"})
    CHECK_MESSAGE(error_of(count) == "invalid multibulk length", count);
  for (const char* size : {"*1\r\n$-1\r\n", "*1\r\n$18446744073709551616\r\n", "*1\r\n$\r\n", "*1\r\n$1x\r\n",
                           "*1\r\n$4\n", "*1\r\n$04\r\n"})
    CHECK_MESSAGE(error_of(size) == "invalid bulk length", size);
  CHECK(error_of("*1025\r\n") == "invalid multibulk length: 1025, and a request has at most 1024 words");
  CHECK(error_of("*1\r\n$1048577\r\n") == "invalid bulk length: 1048577, and an argument has at most 1048576 bytes");
  CHECK(error_of("*" + std::string(40, '1')) == "too big mbulk count string");
  CHECK(error_of("*1\r\n$" + std::string(40, '1')) == "too big bulk count string");
  CHECK(error_of("*1\r\n:1\r\n") == "expected '$', got ':'");
  CHECK(error_of("*1\r\n$4\r\nPINGxx") == "expected CRLF after a bulk");
  CHECK(parse({"*1024\r\n"}).end == Parser::Outcome::need_more);
}

TEST_CASE("HAZARDS I2: a request is limited as a whole, and each limit is exact") {
  ParserLimits limits;
  limits.bulk_bytes = 8;
  limits.request_bytes = 12;
  limits.inline_bytes = 20;
  limits.arguments = 3;
  CHECK(parse_every_split("*2\r\n$8\r\n12345678\r\n$4\r\n1234\r\n", true, limits).requests.size() == 1);
  CHECK(error_of("*2\r\n$8\r\n12345678\r\n$5\r\n12345\r\n", true, limits) == "request of more than 12 bytes");
  CHECK(error_of("*1\r\n$9\r\n", true, limits) == "invalid bulk length: 9, and an argument has at most 8 bytes");
  limits.bytes_set_by = "a directive";
  CHECK(error_of("*1\r\n$9\r\n", true, limits).ends_with("at most 8 bytes (a directive)"));
  CHECK(error_of("*2\r\n$8\r\n12345678\r\n$5\r\n12345\r\n", true, limits) ==
        "request of more than 12 bytes (a directive)");
  CHECK(parse_every_split(std::string(19, 'a') + "\r\n", true, limits).requests.size() == 1);
  CHECK(error_of(std::string(21, 'a') + "\n", true, limits) == "too big inline request");
  CHECK(error_of(std::string(30, ' '), true, limits) == "too big inline request");
  CHECK(parse_every_split("a b c\n", true, limits).requests.size() == 1);
  CHECK(error_of("a b c d\n", true, limits) == "too many arguments");
}

TEST_CASE("HAZARDS I2: the default limits") {
  CHECK(parse({std::string(64 * 1024, 'a') + "\n"}).requests.size() == 1);
  CHECK(parse({std::string(64 * 1024 + 1, 'a')}).reason == "too big inline request");
  const std::string most(1048576 - 4, 'v');
  CHECK(parse({test::resp_request({"ECHO", most})}).requests.size() == 1);
  CHECK(parse({test::resp_request({"ECHO", most + "v"})}).reason == "request of more than 1048576 bytes");
  CHECK(parse({test::resp_request(Words(1024, "a"))}).requests.size() == 1);
}

TEST_CASE("HAZARDS I2: before the password 10 arguments of 16 KiB") {
  CHECK(parse({test::resp_request(Words(10, "a"))}, false).requests.size() == 1);
  CHECK(parse({test::resp_request(Words(11, "a"))}, false).reason == "unauthenticated multibulk length");
  CHECK(parse({test::resp_request({std::string(16384, 'a')})}, false).requests.size() == 1);
  CHECK(parse({test::resp_request({std::string(16385, 'a')})}, false).reason == "unauthenticated bulk length");
  CHECK(parse({"a a a a a a a a a a\n"}, false).requests.size() == 1);
  CHECK(parse({"a a a a a a a a a a a\n"}, false).reason == "unauthenticated multibulk length");
  CHECK(parse({std::string(16385, 'a') + "\n"}, false).reason == "unauthenticated bulk length");
}

TEST_CASE("HAZARDS I4: a NUL in a line is refused, not taken for its end") {
  CHECK(error_of("PING\r\0SET a b\r\n"s) == "NUL byte in an inline request");
  CHECK(error_of("GET a\0 HTTP/1.1\n"s) == "NUL byte in an inline request");
}

TEST_CASE("HAZARDS I1: foreign lines end it, whatever stands before and in every split") {
  for (const std::string& line : {"POST /x HTTP/1.1\r\n"s, "POST "s, " \tput\t"s, "OPTIONS\n"s, "Host: a\r\n"s, "x: "s,
                                  "GET / HTTP/1.1\r\n"s, "DELETE\0"s, "\x16\x03\x01"s, "\x80"s, "\xff\xfb\x1f"s,
                                  "GET /\" HTTP/1.0\n"s, "PING\xff\xf4\xff\xfd\x06\r\n"s}) {
    const Outcome outcome = parse_every_split("PING\r\n\r\n" + line + "SET a b\r\nPING\n");
    CHECK_MESSAGE(outcome.end == Parser::Outcome::foreign, line);
    CHECK(outcome.requests == std::vector<Words>{{"PING"}});
  }
}

TEST_CASE("values that contain another protocol's text stay legal") {
  const Outcome outcome = parse_every_split(
      "SET k \"POST / HTTP/1.1\"\nSET k POST\nSET Host: v\nSET k 'a HTTP/1.1'\n\"POST\" x\nGET POST\nSET \xc3\xa9 "
      "\xff\n");
  CHECK(outcome.end == Parser::Outcome::need_more);
  CHECK(outcome.requests.size() == 7);
}

TEST_CASE("random bytes: every split gives the same requests and the same end") {
  const std::vector<std::string> words = {
      "*2\r\n", "*1\r\n", "$4\r\n", "PING", "\r\n", "\n",         " ", "\"", "'", "\\", "POST", "GET", "HTTP/1.1",
      ":",      "\0"s,    "\xff",   "\xf4", "\x16", "$0\r\n\r\n", "*", "$",  "1", "-",  "\r",   "\v"};
  ParserLimits limits;
  limits.inline_bytes = 24;
  limits.bulk_bytes = 6;
  limits.request_bytes = 9;
  limits.arguments = 4;
  wh::Prng random(20240607);
  for (int round = 0; round < 20000; ++round) {
    std::string bytes;
    for (uint64_t left = 1 + random.below(16); left > 0; --left) bytes += words[random.below(words.size())];
    const bool trusted = random.below(2) == 0;
    const Outcome whole = parse({bytes}, trusted, limits);
    const size_t cut = random.below(bytes.size() + 1);
    const bool same =
        parse(single_bytes(bytes), trusted, limits) == whole &&
        parse({std::string_view(bytes).substr(0, cut), std::string_view(bytes).substr(cut)}, trusted, limits) == whole;
    REQUIRE_MESSAGE(same, wh::printable(bytes));
  }
}
