// Checksums. crc32c (Castagnoli, RFC 3720 appendix B.4) guards frames, rows and files against accidents; hash64 is a
// fast non-cryptographic 64-bit hash for the log's hash chain and the state's digest. Neither resists an attacker.
#pragma once

#include <cstdint>
#include <string_view>

namespace wh {

// The CRC-32C of `bytes`, continued from `crc` (0 to begin). Uses SSE 4.2 where the processor has it.
uint32_t crc32c(std::string_view bytes, uint32_t crc = 0);

// A 64-bit hash of `bytes` under `seed`. The same on every machine and in every version: it is stored on disk.
uint64_t hash64(std::string_view bytes, uint64_t seed = 0);

// Mixes two words into one; not symmetric.
uint64_t mix64(uint64_t a, uint64_t b);

}  // namespace wh
