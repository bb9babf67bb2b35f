#include "http/json_reader.h"

#include <string>

#include <doctest/doctest.h>

#include "base/base64.h"
#include "base/prng.h"
#include "http/json.h"

using namespace wh;
using namespace wh::http;

TEST_CASE("a value knows its kind, and how it was written") {
  KeptStrings kept;
  const auto value = parse_json(" { \"a\" : [1, -2.50e3 ,true,null, \"x\"] , \"b\":{\"c\":{}} }\n");
  REQUIRE(value.ok());
  REQUIRE(value->kind() == JsonKind::object);
  const auto members = value->members(kept);
  REQUIRE(members.ok());
  REQUIRE(members->size() == 2);
  CHECK((*members)[0].first == "a");
  CHECK((*members)[1].second.text() == "{\"c\":{}}");
  const auto items = (*members)[0].second.items();
  REQUIRE(items.size() == 5);
  CHECK(items[0].number() == 1);
  CHECK(items[1].kind() == JsonKind::number);
  CHECK(items[1].text() == "-2.50e3");
  CHECK_FALSE(items[1].number().has_value());
  CHECK(items[2].boolean());
  CHECK(items[3].kind() == JsonKind::null);
  CHECK(items[4].string(kept) == "x");
  CHECK(parse_json("[]")->items().empty());
  CHECK(parse_json("{ }")->members(kept)->empty());
  CHECK(parse_json("18446744073709551615")->number() == UINT64_MAX);
  for (const char* text : {"1.0", "1e3", "-1", "\"1\"", "null"}) CHECK_FALSE(parse_json(text)->number().has_value());
}

TEST_CASE("a string without escapes is a view, one with escapes is decoded") {
  KeptStrings kept;
  const std::string plain = "[\"a \xc3\xa9 } ] , : \"]";
  CHECK(parse_json(plain)->items()[0].string(kept) == "a \xc3\xa9 } ] , : ");
  CHECK(kept.empty());
  const auto of = [&](const char* text) { return std::string(parse_json(text)->string(kept)); };
  CHECK(of(R"("\"\\\/\b\f\n\r\t")") == "\"\\/\b\f\n\r\t");
  CHECK(of(R"("\u0041\u00e9\u20AC\ud83d\ude00")") == "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
  CHECK(of(R"("\u0000x")") == std::string("\0x", 2));
  CHECK(of(R"("\\u0041")") == "\\u0041");
  CHECK(of(R"("\\")") == "\\");
}

TEST_CASE("what is no JSON is refused, and a name given twice, after unescaping") {
  for (const char* text : {"", " ", "{", "[1,]", "{\"a\"}", "{a:1}", "'a'", "01", "nul", "[1] 2", "\"\x01\"",
                           "\"\xff\"", "\xef\xbb\xbf[]", "\"\\ud800\"", "\"\\x\"", "{\"a\":1,}"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_json(text).ok());
  }
  CHECK_FALSE(parse_json(std::string(100, '[') + std::string(100, ']')).ok());
  KeptStrings kept;
  CHECK(parse_json(R"({"ab":1,"a\u0062":2})")->members(kept).error() == "The name 'ab' is given twice");
}

TEST_CASE("each text that the parser takes is walked to its end, and written again it is the same") {
  struct Copy {
    KeptStrings kept;
    void write(JsonWriter& json, const JsonValue& value) {
      switch (value.kind()) {
        case JsonKind::null:
        case JsonKind::number:
        case JsonKind::boolean:
          json.raw(value.text());
          break;
        case JsonKind::string:
          json.string(value.string(kept));
          break;
        case JsonKind::array:
          json.begin_array();
          for (const JsonValue& item : value.items()) write(json, item);
          json.end_array();
          break;
        case JsonKind::object: {
          json.begin_object();
          const auto members = value.members(kept);
          if (members)
            for (const auto& [name, member] : *members) write(json.key(name), member);
          json.end_object();
        }
      }
    }
  };
  Prng random(11);
  size_t good = 0;
  const std::string_view pieces[] = {"{", "}",      "[",    "]",    ",", ":",           "\"a\"", "\"\\\"\"",
                                     "1", "-0.5e7", "true", "null", " ", "\"\\u00e9\"", "\"b\""};
  for (int i = 0; i < 60'000; ++i) {
    std::string text;
    for (size_t n = random.below(9); n-- > 0;) text += pieces[random.below(std::size(pieces))];
    const auto value = parse_json(text);
    if (!value) continue;
    ++good;
    Copy copy;
    JsonWriter first;
    copy.write(first, *value);
    const std::string once = first.take();
    const auto again = parse_json(once);
    REQUIRE(again.ok());
    JsonWriter second;
    copy.write(second, *again);
    CHECK(second.take() == once);
  }
  CHECK(good > 500);
}

TEST_CASE("bytes as a JSON string of base64") {
  JsonWriter json;
  json.begin_array().base64(std::string_view("\0\xff", 2)).base64("").end_array();
  CHECK(json.take() == R"(["AP8=",""])");
}
