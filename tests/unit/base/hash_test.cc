#include "base/hash.h"

#include <set>
#include <string>

#include <doctest/doctest.h>

TEST_CASE("crc32c of the vectors of RFC 3720 B.4") {
  CHECK(wh::crc32c("123456789") == 0xe3069283);
  CHECK(wh::crc32c(std::string(32, '\0')) == 0x8a9136aa);
  CHECK(wh::crc32c(std::string(32, '\xff')) == 0x62a8ab43);
  CHECK(wh::crc32c("") == 0);
}

TEST_CASE("crc32c continued over two parts equals crc32c of the whole") {
  const std::string text = "the quick brown fox jumps over the lazy dog";
  for (size_t cut = 0; cut <= text.size(); ++cut)
    CHECK(wh::crc32c(text.substr(cut), wh::crc32c(text.substr(0, cut))) == wh::crc32c(text));
}

TEST_CASE("hash64 is the same for ever: it is stored on disk") {
  CHECK(wh::hash64("wormhole", 1) == wh::hash64("wormhole", 1));
  CHECK(wh::hash64("wormhole", 1) != wh::hash64("wormhole", 2));
  std::set<uint64_t> seen;
  std::string text;
  for (int i = 0; i < 200; ++i) {
    CHECK(seen.insert(wh::hash64(text)).second);
    text += 'a';
  }
}

TEST_CASE("one flipped bit changes both checksums") {
  std::string text(100, 'x');
  const auto crc = wh::crc32c(text);
  const auto hash = wh::hash64(text);
  for (size_t bit = 0; bit < text.size() * 8; ++bit) {
    std::string flipped = text;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    CHECK(wh::crc32c(flipped) != crc);
    CHECK(wh::hash64(flipped) != hash);
  }
}
