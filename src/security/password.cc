#include "security/password.h"

#include <algorithm>
#include <array>
#include <string>
#include <strings.h>

#include <mbedtls/base64.h>
#include <mbedtls/md.h>

#include "base/assert.h"

namespace wh::security {
namespace {

std::array<unsigned char, 32> sha256(std::string_view text) {
  std::array<unsigned char, 32> digest{};
  const int error = mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256),
                               reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  WH_ASSERT(error == 0, "SHA-256 in memory does not fail");
  return digest;
}

bool begins_with(std::string_view text, std::string_view word) {
  return text.size() > word.size() && strncasecmp(text.data(), word.data(), word.size()) == 0 &&
         text[word.size()] == ' ';
}

}  // namespace

bool same_secret(std::string_view given, std::string_view wanted) {
  const auto a = sha256(given);
  const auto b = sha256(wanted);
  unsigned different = 0;
  for (size_t i = 0; i < a.size(); ++i) different |= static_cast<unsigned>(a[i] ^ b[i]);
  return different == 0;
}

bool authorization_has(std::string_view field, std::string_view wanted) {
  if (begins_with(field, "Bearer")) {
    field.remove_prefix(6);
    field.remove_prefix(std::min(field.find_first_not_of(' '), field.size()));
    return same_secret(field, wanted);
  }
  if (!begins_with(field, "Basic")) return false;
  field.remove_prefix(5);
  field.remove_prefix(std::min(field.find_first_not_of(' '), field.size()));
  std::string decoded(field.size(), '\0');
  size_t size = 0;
  if (mbedtls_base64_decode(reinterpret_cast<unsigned char*>(decoded.data()), decoded.size(), &size,
                            reinterpret_cast<const unsigned char*>(field.data()), field.size()) != 0)
    return false;
  decoded.resize(size);
  const size_t colon = decoded.find(':');
  return colon != std::string::npos && same_secret(std::string_view(decoded).substr(colon + 1), wanted);
}

}  // namespace wh::security
