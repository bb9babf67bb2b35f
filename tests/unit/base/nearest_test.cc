#include "base/nearest.h"

#include <string>

#include <doctest/doctest.h>

using namespace wh;

namespace {

std::string_view nearest(std::string_view name) {
  Nearest nearest(name);
  for (const std::string_view known : {"consistency", "key", "nodeId", "value"}) nearest.consider(known);
  return nearest.found();
}

}  // namespace

TEST_CASE("the name that was meant is found in spite of some wrong letters") {
  CHECK(nearest("consistncy") == "consistency");
  CHECK(nearest("cosnistency") == "consistency");
  CHECK(nearest("CONSISTENCY") == "consistency");
  CHECK(nearest("nodeid") == "nodeId");
  CHECK(nearest("keys") == "key");
  CHECK(nearest("k") == "");
  CHECK(nearest("") == "");
  CHECK(nearest("queue") == "");
  CHECK(nearest(std::string(5000, 'k')) == "");
}
