// A client's bytes as shown in the sentence of an error: quoted, escaped where they could end a line or are not UTF-8,
// and cut after 120 bytes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/log.h"

namespace wh::http {

inline std::string shown(std::string_view bytes) {
  constexpr size_t kMost = 120;
  return "'" + printable(bytes.substr(0, kMost)) + (bytes.size() > kMost ? "...'" : "'");
}

}  // namespace wh::http
