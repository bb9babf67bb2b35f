#include "metrics/shared_text.h"

#include <string>

#include <doctest/doctest.h>

using namespace wh;
using namespace wh::metrics;

TEST_CASE("a text is made once a turn, and for each key anew") {
  SharedText text;
  int made = 0;
  const auto get = [&](std::string_view key, uint64_t turn, Millis now) {
    return std::string(text.get(key, turn, now, [&] { return "text " + std::to_string(++made); }).view());
  };
  CHECK(get("", 1, 1000) == "text 1");
  CHECK(get("", 1, 1000) == "text 1");
  CHECK(get("", 2, 1000) == "text 2");
  CHECK(get("memory", 2, 1000) == "text 3");
  CHECK(get("", 2, 1000) == "text 4");
  text.forget();
  CHECK(get("", 2, 1000) == "text 5");
}

TEST_CASE("a text is made so many times a second at most; then the last one serves until the second is over") {
  SharedText text;
  unsigned made = 0;
  uint64_t turn = 0;
  const auto get = [&](Millis now) { return text.get("", ++turn, now, [&] { return std::to_string(++made); }); };
  for (int i = 0; i < 1000; ++i) get(5000);
  CHECK(made == SharedText::kPerSecond);
  CHECK(get(5999).view() == std::to_string(SharedText::kPerSecond));
  CHECK(get(6000).view() == std::to_string(SharedText::kPerSecond + 1));
}
