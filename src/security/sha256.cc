#include "security/sha256.h"

#include <string>

#include <mbedtls/md.h>

#include "base/assert.h"
#include "base/bytes.h"

namespace wh::security {

std::array<uint8_t, 32> sha256(std::span<const std::string_view> parts) {
  mbedtls_md_context_t context;
  mbedtls_md_init(&context);
  std::array<uint8_t, 32> digest{};
  int error = mbedtls_md_setup(&context, mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), 0);
  if (error == 0) error = mbedtls_md_starts(&context);
  const auto update = [&](std::string_view bytes) {
    if (error == 0)
      error = mbedtls_md_update(&context, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  };
  for (const std::string_view part : parts) {
    std::string length;
    Writer(length).u64(part.size());
    update(length);
    update(part);
  }
  if (error == 0) error = mbedtls_md_finish(&context, digest.data());
  mbedtls_md_free(&context);
  WH_ASSERT(error == 0, "SHA-256 is built in, and memory that runs out ends the process");
  return digest;
}

}  // namespace wh::security
