#include "api/http/node_digest.h"

#include "base/hash.h"

namespace wh::api {

std::string node_digest(std::string_view node_id) {
  char text[9];
  std::snprintf(text, sizeof text, "%08x", static_cast<unsigned>(crc32c(node_id)));
  return text;
}

}  // namespace wh::api
