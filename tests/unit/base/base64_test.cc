#include "base/base64.h"

#include <string>

#include <doctest/doctest.h>

#include "base/prng.h"

namespace wh {
namespace {

std::string encoded(std::string_view bytes) {
  std::string out;
  append_base64(out, bytes);
  return out;
}

}  // namespace

TEST_CASE("base64: the examples of RFC 4648, 10") {
  const std::pair<const char*, const char*> pairs[] = {{"", ""},
                                                       {"f", "Zg=="},
                                                       {"fo", "Zm8="},
                                                       {"foo", "Zm9v"},
                                                       {"foob", "Zm9vYg=="},
                                                       {"fooba", "Zm9vYmE="},
                                                       {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : pairs) {
    CHECK(encoded(bytes) == text);
    CHECK(decode_base64(text) == std::string(bytes));
  }
}

TEST_CASE("base64: one text for each value, and nothing else is taken") {
  for (const char* text : {"Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Zm9v\n", "Zm 9v", "Zg==Zg==", "=g==", "Zm-v",
                           "Zm_v", "====", "Z==="})
    CHECK_FALSE(decode_base64(text).has_value());
  Prng random(3);
  for (int i = 0; i < 5'000; ++i) {
    std::string bytes(random.below(40), '\0');
    for (char& c : bytes) c = static_cast<char>(random.below(256));
    CHECK(decode_base64(encoded(bytes)) == bytes);
    // Whatever is decoded is encoded to the same text.
    std::string text = encoded(bytes);
    if (text.empty()) continue;
    text[random.below(text.size())] = static_cast<char>(random.below(128));
    if (const auto other = decode_base64(text)) CHECK(encoded(*other) == text);
  }
}

}  // namespace wh
