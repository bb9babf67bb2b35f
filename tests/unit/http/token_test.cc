// Which bytes tokens and values may hold.
#include "http/token.h"

#include <string>

#include <doctest/doctest.h>

namespace wh::http {

TEST_CASE("HAZARDS H14: a control byte is found wherever it is") {
  for (size_t size = 0; size <= 19; ++size) {
    REQUIRE(bytes_before_control(std::string(size, 'a')) == size);
    for (size_t at = 0; at < size; ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        // Beside bytes from which a whole word's subtraction borrows.
        for (const char other : {'a', ' ', '\x7e', '\x80', '\xff'}) {
          std::string text(size, other);
          text[at] = static_cast<char>(byte);
          REQUIRE(bytes_before_control(text) == (byte < 0x20 || byte == 0x7f ? at : size));
        }
      }
    }
  }
}

TEST_CASE("the first of several control bytes counts") {
  CHECK(bytes_before_control(std::string("abcdefgh\0\x7f\n", 11)) == 8);
  CHECK(bytes_before_control("abc\tdefghijk\r") == 3);
}

}  // namespace wh::http
