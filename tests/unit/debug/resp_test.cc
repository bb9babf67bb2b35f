#include "debug/resp.h"

#include <doctest/doctest.h>

using namespace wh::debug;
using namespace std::string_literals;

TEST_CASE("replies have one form") {
  CHECK(simple_reply("OK") == "+OK\r\n");
  CHECK(integer_reply(0) == ":0\r\n");
  CHECK(integer_reply(INT64_MIN) == ":-9223372036854775808\r\n");
  CHECK(bulk_reply("") == "$0\r\n\r\n");
  CHECK(null_reply() == "$-1\r\n");
  CHECK(null_array_reply() == "*-1\r\n");
  CHECK(array_header(0) == "*0\r\n");
  CHECK(array_header(2) + bulk_reply("a") + integer_reply(1) == "*2\r\n$1\r\na\r\n:1\r\n");
}

TEST_CASE("HAZARDS I5: a bulk is exact, a line of text carries no control bytes") {
  const std::string hostile = "a\r\n+OK\x1b[2J\0\xff"s;
  CHECK(bulk_reply(hostile) == "$12\r\n" + hostile + "\r\n");
  CHECK(simple_reply(hostile) == "+a\\x0d\\x0a+OK\\x1b[2J\\x00\\xff\r\n");
  CHECK(error_reply(ErrorWord::err, hostile) == "-ERR a\\x0d\\x0a+OK\\x1b[2J\\x00\\xff\r\n");
}

TEST_CASE("each version of RESP gets what it knows, and no byte of a value is touched") {
  const std::string hostile = "%9\r\n$-1\r\n*-1\r\n~3\r\n";
  const std::string reply =
      map_header(2) + bulk_reply(hostile) + null_reply() + simple_reply("%1") +
      (array_header(3) + null_array_reply() + (set_header(1) + integer_reply(-1)) + bulk_reply(""));
  CHECK(in_protocol(Protocol::resp2, reply) ==
        "*4\r\n" + bulk_reply(hostile) + "$-1\r\n+%1\r\n*3\r\n*-1\r\n*1\r\n:-1\r\n$0\r\n\r\n");
  CHECK(in_protocol(Protocol::resp3, reply) ==
        "%2\r\n" + bulk_reply(hostile) + "_\r\n+%1\r\n*3\r\n_\r\n~1\r\n:-1\r\n$0\r\n\r\n");
  for (const Protocol protocol : {Protocol::resp2, Protocol::resp3})
    for (const std::string& same : {simple_reply("OK"), error_reply(ErrorWord::err, "*-1"), bulk_reply(hostile),
                                    array_header(0), array_header(2) + integer_reply(1) + bulk_reply(hostile)})
      CHECK(in_protocol(protocol, same) == same);
  CHECK(in_protocol(Protocol::resp3, null_reply()) == "_\r\n");
  CHECK(in_protocol(Protocol::resp2, map_header(0)) == "*0\r\n");
}

TEST_CASE("an error begins with a word to act on") {
  CHECK(error_reply(ErrorWord::err, "x") == "-ERR x\r\n");
  CHECK(error_reply(ErrorWord::noauth, "x") == "-NOAUTH x\r\n");
  CHECK(error_reply(ErrorWord::denied, "x") == "-DENIED x\r\n");
  CHECK(error_reply(ErrorWord::oom, "x") == "-OOM x\r\n");
  CHECK(error_reply(ErrorWord::notapplied, "x") == "-NOTAPPLIED x\r\n");
  CHECK(error_reply(ErrorWord::unknown, "x") == "-UNKNOWN x\r\n");
  CHECK(error_reply(ErrorWord::wrongpass, "x") == "-WRONGPASS x\r\n");
  CHECK(error_reply(ErrorWord::noproto, "x") == "-NOPROTO x\r\n");
}
