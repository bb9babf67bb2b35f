// Entity tags and the two preconditions that use them.
#include "http/entity_tag.h"

#include <string>

#include <doctest/doctest.h>

namespace wh::http {

TEST_CASE("RFC 9110 8.8.3: lists of entity tags") {
  const auto one = parse_entity_tags("\"12\"");
  REQUIRE(one);
  CHECK_FALSE(one->any);
  REQUIRE(one->tags.size() == 1);
  CHECK_FALSE(one->tags[0].weak);
  CHECK(one->tags[0].opaque == "12");
  const auto several = parse_entity_tags(" , \"a,b\" ,W/\"\",\t\"c\x80\",, ");
  REQUIRE(several);
  REQUIRE(several->tags.size() == 3);
  CHECK(several->tags[0].opaque == "a,b");
  CHECK(several->tags[1].weak);
  CHECK(several->tags[1].opaque.empty());
  CHECK(several->tags[2].opaque == "c\x80");
  CHECK(parse_entity_tags(" * ")->any);
  for (const char* bad : {"", " ", ",", "12", "\"12", "12\"", "w/\"1\"", "W/1", "W/ \"1\"", "\"1\" \"2\"", "\"1\"x",
                          "*,\"1\"", "\"1\",*", "**", "\"a b\"", "\"\x7f\"", "\"a\\\"b\""})
    CHECK_MESSAGE(!parse_entity_tags(bad), bad);
}

TEST_CASE("RFC 9110 13.1: If-Match compares strongly, If-None-Match weakly; * is whatever is there") {
  const auto tags = [](const char* value) { return *parse_entity_tags(value); };
  CHECK(if_match_holds(tags("\"1\", \"2\""), "2"));
  CHECK_FALSE(if_match_holds(tags("\"1\""), "2"));
  CHECK_FALSE(if_match_holds(tags("W/\"2\""), "2"));
  CHECK(if_match_holds(tags("*"), "2"));
  CHECK_FALSE(if_match_holds(tags("*"), ""));
  CHECK_FALSE(if_match_holds(tags("\"\""), ""));
  CHECK_FALSE(if_none_match_holds(tags("\"1\", W/\"2\""), "2"));
  CHECK(if_none_match_holds(tags("\"1\""), "2"));
  CHECK_FALSE(if_none_match_holds(tags("*"), "2"));
  CHECK(if_none_match_holds(tags("*"), ""));
  CHECK(if_none_match_holds(tags("\"\""), ""));
}

TEST_CASE("RFC 9110 5.3: several fields of a list are one") {
  Request request;
  CHECK_FALSE(joined_fields(request, "If-Match"));
  request.headers = {{"If-None-Match", "\"1\""}, {"Host", "a"}, {"if-none-match", "\"2\""}};
  CHECK(*joined_fields(request, "If-None-Match") == "\"1\",\"2\"");
  request.headers = {{"If-Match", ""}};
  CHECK(joined_fields(request, "If-Match")->empty());
}

}  // namespace wh::http
