#include "base/hash.h"

#include <array>
#include <cstring>

namespace wh {
namespace {

constexpr uint32_t kPolynomial = 0x82f63b78;  // Castagnoli, reflected

// Slicing by eight: eight bytes a step without special instructions.
constexpr std::array<std::array<uint32_t, 256>, 8> make_tables() {
  std::array<std::array<uint32_t, 256>, 8> t{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
    t[0][i] = crc;
  }
  for (uint32_t i = 0; i < 256; ++i)
    for (size_t slice = 1; slice < 8; ++slice) t[slice][i] = (t[slice - 1][i] >> 8) ^ t[0][t[slice - 1][i] & 0xff];
  return t;
}
constexpr auto kTables = make_tables();

uint64_t load64(const char* p) {
  uint64_t v = 0;
  std::memcpy(&v, p, sizeof v);
  return v;
}
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "hash64 and crc32c read words in little-endian order");

uint32_t crc32c_portable(const char* p, size_t size, uint32_t crc) {
  for (; size >= 8; size -= 8, p += 8) {
    const uint64_t word = load64(p) ^ crc;
    crc = kTables[7][word & 0xff] ^ kTables[6][(word >> 8) & 0xff] ^ kTables[5][(word >> 16) & 0xff] ^
          kTables[4][(word >> 24) & 0xff] ^ kTables[3][(word >> 32) & 0xff] ^ kTables[2][(word >> 40) & 0xff] ^
          kTables[1][(word >> 48) & 0xff] ^ kTables[0][word >> 56];
  }
  for (; size > 0; --size, ++p) crc = (crc >> 8) ^ kTables[0][(crc ^ static_cast<uint8_t>(*p)) & 0xff];
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) uint32_t crc32c_sse42(const char* p, size_t size, uint32_t crc) {
  uint64_t wide = crc;
  for (; size >= 8; size -= 8, p += 8) wide = __builtin_ia32_crc32di(wide, load64(p));
  crc = static_cast<uint32_t>(wide);
  for (; size > 0; --size, ++p) crc = __builtin_ia32_crc32qi(crc, static_cast<uint8_t>(*p));
  return crc;
}
#endif

__extension__ using Wide = unsigned __int128;

uint64_t fold(uint64_t a, uint64_t b) {
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

constexpr uint64_t kPrime1 = 0xa0761d6478bd642fULL;
constexpr uint64_t kPrime2 = 0xe7037ed1a0b428dbULL;
constexpr uint64_t kPrime3 = 0x8ebc6af09c88c6e3ULL;

}  // namespace

uint32_t crc32c(std::string_view bytes, uint32_t crc) {
  crc = ~crc;
#if defined(__x86_64__)
  static const bool has_sse42 = __builtin_cpu_supports("sse4.2") != 0;
  if (has_sse42) return ~crc32c_sse42(bytes.data(), bytes.size(), crc);
#endif
  return ~crc32c_portable(bytes.data(), bytes.size(), crc);
}

uint64_t mix64(uint64_t a, uint64_t b) { return fold(a ^ kPrime1, b ^ kPrime2) ^ (a * kPrime3 + b); }

uint64_t hash64(std::string_view bytes, uint64_t seed) {
  const char* p = bytes.data();
  size_t left = bytes.size();
  uint64_t h = mix64(seed, bytes.size());
  for (; left >= 16; left -= 16, p += 16) h = fold(load64(p) ^ kPrime1 ^ h, load64(p + 8) ^ kPrime2) + kPrime3;
  uint64_t a = 0;
  uint64_t b = 0;
  if (left >= 8) {
    a = load64(p);
    std::memcpy(&b, p + 8, left - 8);
  } else if (left > 0) {
    std::memcpy(&a, p, left);
  }
  h = fold(a ^ kPrime2 ^ h, b ^ kPrime3 ^ left);
  return mix64(h, seed);
}

}  // namespace wh
