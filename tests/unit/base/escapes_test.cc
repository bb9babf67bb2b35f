#include "base/escapes.h"

#include <doctest/doctest.h>

using namespace wh;

TEST_CASE("hexadecimal digits of both cases, and nothing else") {
  int digits = 0;
  for (int c = 0; c < 256; ++c) digits += hex_digit(static_cast<char>(c)) >= 0 ? 1 : 0;
  CHECK(digits == 22);
  CHECK(hex_digit('0') == 0);
  CHECK(hex_digit('9') == 9);
  CHECK(hex_digit('a') == 10);
  CHECK(hex_digit('F') == 15);
  CHECK(hex_digit('g') == -1);
}

TEST_CASE("two digits are a byte; one, or none, are not") {
  CHECK(hex_byte("41") == 'A');
  CHECK(hex_byte("fFrest") == '\xff');
  CHECK(hex_byte("00") == '\0');
  for (const char* text : {"", "4", "4g", "g4", " 4", "+4", "-1"}) CHECK_FALSE(hex_byte(text));
}

TEST_CASE("behind a backslash stands a control character or the character itself") {
  CHECK(unescaped('n') == '\n');
  CHECK(unescaped('r') == '\r');
  CHECK(unescaped('t') == '\t');
  CHECK(unescaped('b') == '\b');
  CHECK(unescaped('a') == '\a');
  for (const char c : {'"', '\\', 'x', 'N', '0', '\n'}) CHECK(unescaped(c) == c);
}
