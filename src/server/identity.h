// Random values from the system, and the machine's name: what a node gets at its first start.
#pragma once

#include <climits>
#include <string>
#include <sys/random.h>
#include <unistd.h>

#include "base/assert.h"

namespace wh::server {

template <typename T>
T random_value() {
  T value{};
  WH_ASSERT(getrandom(&value, sizeof value, 0) == static_cast<ssize_t>(sizeof value), "the system gives random bytes");
  return value;
}

inline std::string machine_name() {
  char name[HOST_NAME_MAX + 1] = {};
  return gethostname(name, sizeof name - 1) == 0 ? name : "localhost";
}

}  // namespace wh::server
