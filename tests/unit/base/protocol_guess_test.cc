#include "base/protocol_guess.h"

#include <doctest/doctest.h>

using namespace wh;

TEST_CASE("the beginnings of protocols are told apart, for people") {
  using namespace std::string_literals;
  CHECK(protocol_guess("\x16\x03\x01\x02\x00\x01"s) == "TLS");
  CHECK(protocol_guess("GET / HTTP/1.1\r\n") == "HTTP");
  CHECK(protocol_guess("POST /event HTT") == "HTTP");
  CHECK(protocol_guess("PRI * HTTP/2.0\r") == "HTTP/2");
  CHECK(protocol_guess("*1\r\n$4\r\nPING\r\n") == "Redis's protocol");
  CHECK(protocol_guess("*\r\n") != "Redis's protocol");
  CHECK(protocol_guess("\xf0WHP") == "the protocol of raft-port");
  CHECK(protocol_guess("SSH-2.0-") == "SSH");
  CHECK(protocol_guess("\r\n\r\n\0\r\nQUIT\n"s) == "the PROXY protocol");
  CHECK(protocol_guess("") == "nothing");
  CHECK(protocol_guess("\x01\xffGETTING AWAY"s) ==
        "an unknown protocol (it begins with \\x01\\xff\\x47\\x45\\x54\\x54\\x49\\x4e)");
}
