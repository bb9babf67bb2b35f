#include "http/request.h"

#include <algorithm>
#include <array>

namespace wh::http {

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

}  // namespace

std::string_view method_name(Method method) {
  constexpr std::array<std::string_view, 6> kNames{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"};
  return kNames.at(static_cast<size_t>(method));
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

const std::string* Request::header(std::string_view name) const {
  for (const Header& field : headers)
    if (equals_ignoring_case(field.name, name)) return &field.value;
  return nullptr;
}

}  // namespace wh::http
