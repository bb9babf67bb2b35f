#include "http/request.h"

#include <array>

namespace wh::http {

std::string_view method_name(Method method) {
  constexpr std::array<std::string_view, 6> kNames{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"};
  return kNames.at(static_cast<size_t>(method));
}

const std::string* Request::header(std::string_view name) const {
  for (const Header& field : headers)
    if (equals_ignoring_case(field.name, name)) return &field.value;
  return nullptr;
}

}  // namespace wh::http
