#include "config/process_secrets.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

#include "config/option_table.h"

namespace wh::config {
namespace {

// Hides the length too: the bytes that the mask does not cover become NUL.
void overwrite(char* value) {
  const size_t size = std::strlen(value);
  std::memset(value, 0, size);
  std::memcpy(value, kSecretMask.data(), std::min(size, kSecretMask.size()));
}

}  // namespace

void hide_arguments(int argc, char** argv) {
  bool secret = false;
  for (int i = 1; i < argc; ++i) {
    std::string_view text = argv[i];
    if (!text.starts_with("--")) {
      if (secret) overwrite(argv[i]);
      continue;
    }
    text.remove_prefix(2);
    size_t end = 0;
    while (end < text.size() && is_name_character(text[end])) ++end;
    secret = hides_value(text.substr(0, end));
    if (secret && end < text.size()) overwrite(argv[i] + 2 + end + 1);
  }
}

void hide_environment(char** environment) {
  constexpr std::string_view kPrefix = "WORMHOLE_";
  for (char** entry = environment; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const size_t equals = text.find('=');
    if (!text.starts_with(kPrefix) || equals == std::string_view::npos) continue;
    std::string name(text.substr(kPrefix.size(), equals - kPrefix.size()));
    std::replace(name.begin(), name.end(), '_', '-');
    // The path of a secret's file is no secret.
    if (hides_value(name) && !name.ends_with("-FILE")) overwrite(*entry + equals + 1);
  }
}

}  // namespace wh::config
