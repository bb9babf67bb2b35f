// Percent-encoding, paths and forms.
#include "http/url.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace wh::http {

TEST_CASE("percent-decoding, once") {
  CHECK(*percent_decode("a%20b+c") == "a b+c");
  CHECK(*percent_decode("%41%2f%2F%00") == std::string("A//\0", 4));
  CHECK(*percent_decode("") == "");
  CHECK(*percent_decode("%fF") == "\xff");
}

TEST_CASE("HAZARDS H17: nothing is decoded twice") {
  CHECK(*percent_decode("%2541") == "%41");
  CHECK(*percent_decode("%252e%252e") == "%2e%2e");
}

TEST_CASE("HAZARDS H17: invalid escapes are errors") {
  for (const char* text : {"%", "%4", "a%", "a%4", "%g0", "%0g", "%%41", "% 41", "%-1", "%0x41", "%u0041"})
    CHECK_FALSE(percent_decode(text).ok());
}

TEST_CASE("encoding is decoding's inverse") {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  CHECK(*percent_decode(percent_encode(all)) == all);
  CHECK(percent_encode("aZ0-._~") == "aZ0-._~");
  CHECK(percent_encode("/ +\r\n\xff") == "%2F%20%2B%0D%0A%FF");
}

TEST_CASE("paths are split before they are decoded") {
  CHECK(*split_path("/a/b") == std::vector<std::string>{"a", "b"});
  CHECK(*split_path("/a%2Fb/") == std::vector<std::string>{"a/b", ""});
  CHECK(*split_path("/") == std::vector<std::string>{""});
  CHECK(*split_path("//a") == std::vector<std::string>{"", "a"});
  CHECK(*split_path("/a+b") == std::vector<std::string>{"a+b"});
  CHECK(*split_path("/..") == std::vector<std::string>{".."});
  CHECK_FALSE(split_path("a").ok());
  CHECK_FALSE(split_path("").ok());
  CHECK_FALSE(split_path("/a/%").ok());
}

TEST_CASE("forms") {
  const Result<Params> params = parse_form("key=a+b%2B&value=&flag&x=1=2&&");
  REQUIRE(params.ok());
  CHECK(*params == Params{{"key", "a b+"}, {"value", ""}, {"flag", ""}, {"x", "1=2"}});
  CHECK(*find_param(*params, "key") == "a b+");
  CHECK(find_param(*params, "none") == nullptr);
  CHECK(parse_form("")->empty());
  CHECK(parse_form("&&")->empty());
  CHECK(parse_form("a=%26%3D")->front().second == "&=");
}

TEST_CASE("forms with errors") {
  CHECK(parse_form("a=1&a=2").error() == "The parameter 'a' is given twice");
  CHECK(parse_form("a=1&%61=2").error() == "The parameter 'a' is given twice");
  CHECK(parse_form("%ff%0a&%ff%0a").error() == "The parameter '\\xff\\x0a' is given twice");
  CHECK(parse_form(std::string(5000, 'a') + "&" + std::string(5000, 'a')).error().size() < 300);
  CHECK(parse_form("=1").error() == "A parameter has no name");
  CHECK(parse_form("a=1&=").error() == "A parameter has no name");
  CHECK_FALSE(parse_form("a=%").ok());
  CHECK_FALSE(parse_form("%=a").ok());
  CHECK_FALSE(parse_form("a=%zz").ok());
  std::string many;
  for (size_t i = 0; i < kMaxParams; ++i) many += "p" + std::to_string(i) + "&";
  CHECK(parse_form(many)->size() == kMaxParams);
  CHECK_FALSE(parse_form(many + "one-more").ok());
}

TEST_CASE("HAZARDS H14: a Location's target holds nothing that could end a line or name a host") {
  CHECK(*canonical_target("/event", "") == "/event");
  CHECK(*canonical_target("/keys/a%2fb+c/", "x=a+b&y") == "/keys/a%2Fb%2Bc/?x=a%20b&y=");
  CHECK(*canonical_target("/%0d%0aSet-Cookie:x", "a=%0d%0a") == "/%0D%0ASet-Cookie%3Ax?a=%0D%0A");
  CHECK(*canonical_target("/\"<>", "") == "/%22%3C%3E");
  CHECK_FALSE(canonical_target("//evil/x", "").ok());
  CHECK_FALSE(canonical_target("*", "").ok());
  CHECK_FALSE(canonical_target("/%", "").ok());
  CHECK_FALSE(canonical_target("/", "a&a").ok());
}

TEST_CASE("media types") {
  CHECK(is_media_type("application/x-www-form-urlencoded", "application/x-www-form-urlencoded"));
  CHECK(is_media_type("Application/JSON ; charset=utf-8", "application/json"));
  CHECK_FALSE(is_media_type("application/jsonp", "application/json"));
  CHECK_FALSE(is_media_type("", "application/json"));
}

}  // namespace wh::http
