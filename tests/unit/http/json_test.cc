// JSON: what is accepted, what is refused, and what is written.
#include "http/json.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace wh::http {

TEST_CASE("an object of strings") {
  CHECK(*parse_json_strings("{\"value\":\"v\"}") == StringPairs{{"value", "v"}});
  CHECK(*parse_json_strings(" {\t\"b\" : \"1\" ,\r\n\"a\":\"\" } ") == StringPairs{{"b", "1"}, {"a", ""}});
  CHECK(parse_json_strings("{}")->empty());
  CHECK(*parse_json_strings("{\"\":\"x\"}") == StringPairs{{"", "x"}});
  CHECK(*parse_json_strings(R"({"\u0061\n":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\u0000"})") ==
        StringPairs{{"a\n", std::string("\"\\/\b\f\n\r\t\xc3\xa9\xf0\x9f\x98\x80\0", 15)}});
  CHECK(*parse_json_strings("{\"\xc3\xa9\":\"\xf0\x9f\x98\x80\"}") == StringPairs{{"\xc3\xa9", "\xf0\x9f\x98\x80"}});
}

TEST_CASE("HAZARDS H18: what is not strict JSON is refused (after JSONTestSuite)") {
  const std::vector<std::string> refused{
      "",
      " ",
      "{",
      "}",
      "{\"a\"",
      "{\"a\":",
      "{\"a\":\"b\"",
      "{\"a\":\"b\",}",
      "{,\"a\":\"b\"}",
      "{\"a\":\"b\",,\"c\":\"d\"}",
      "{\"a\":\"b\"}}",
      "{\"a\":\"b\"}x",
      "{\"a\":\"b\"}{}",
      "{\"a\":\"b\"}#",
      std::string("{\"a\":\"b\"}\0", 10),
      std::string("{\"a\":\"b\"}\0x", 11),
      "\xef\xbb\xbf{\"a\":\"b\"}",
      "{a:\"b\"}",
      "{'a':'b'}",
      "{\"a\" \"b\"}",
      "{\"a\"::\"b\"}",
      "{\"a\":\"b\" \"c\":\"d\"}",
      "{\"a\":\"b\"/**/}",
      "{\"a\":\"b\"}//",
      "{\"a\":\"b",
      "{\"a\":\"\\\"}",
      "{\"a\":\"\\x41\"}",
      "{\"a\":\"\\u12\"}",
      "{\"a\":\"\\u00g0\"}",
      "{\"a\":\"\\'\"}",
      "{\"a\":\"\\a\"}",
      "{\"a\":\"\\ud800\"}",
      "{\"a\":\"\\udc00\"}",
      "{\"a\":\"\\ud800\\u0041\"}",
      "{\"a\":\"\\ud800\\ud800\"}",
      "{\"a\":\"\\udc00\\ud800\"}",
      "{\"\\ud800\":\"b\"}",
      "{\"a\":\"\xff\"}",
      "{\"a\":\"\xc0\xaf\"}",
      "{\"a\":\"\xed\xa0\x80\"}",
      "{\"a\":\"\xf4\x90\x80\x80\"}",
      "{\"a\":\"\xc3\"}",
      "{\"\xff\":\"b\"}",
      "{\"a\":\"\x01\"}",
      "{\"a\":\"\n\"}",
      "{\"a\":\"\t\"}",
      std::string("{\"a\":\"\0\"}", 9),
      "\f{}",
      "\xc2\xa0{}",
      "{1:\"b\"}",
      "{null:\"b\"}",
      "{\"a\":01}",
      "{\"a\":NaN}",
      "{\"a\":True}",
      "{\"a\":[1,]}",
      "[]",
      "[\"a\",\"b\"]",
      "\"a\"",
      "1",
      "null",
  };
  for (const std::string& text : refused) {
    INFO(text);
    CHECK_FALSE(parse_json_strings(text).ok());
  }
}

TEST_CASE("a value that is no string is named") {
  for (const char* value : {"1", "-0", "1e400", "123456789", "true", "null", "{}", "[]", "[\"b\"]", "{\"b\":\"c\"}"}) {
    const Result<StringPairs> result = parse_json_strings("{\"x\":\"y\",\"port\":" + std::string(value) + "}");
    REQUIRE_FALSE(result.ok());
    if (std::string(value) != "1e400") CHECK(result.error() == "The value of 'port' must be a string");
  }
  CHECK(parse_json_strings("[1]").error() == "The body must be a JSON object");
  CHECK(parse_json_strings("{\"\\u001b[2J\":1}").error().find('\x1b') == std::string::npos);
  CHECK(parse_json_strings("{\"" + std::string(10'000, 'n') + "\":1}").error().size() < 200);
}

TEST_CASE("HAZARDS H18: a name given twice, also by way of escapes") {
  CHECK(parse_json_strings(R"({"a":"1","b":"2","a":"3"})").error() == "The name 'a' is given twice");
  CHECK(parse_json_strings(R"({"a":"1","\u0061":"2"})").error() == "The name 'a' is given twice");
  CHECK(parse_json_strings(R"({"a":"1","A":"2"})").ok());
  CHECK_FALSE(parse_json_strings(R"({"":"1","":"2"})").ok());
}

TEST_CASE("HAZARDS H18: depth bombs") {
  for (const char* piece : {"[", "{\"a\":", "{\"a\":["}) {
    std::string bomb;
    for (int i = 0; i < 100'000; ++i) bomb += piece;
    CHECK_FALSE(parse_json_strings(bomb).ok());
  }
  std::string closed = "{\"a\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}";
  CHECK(parse_json_strings(closed).error() == "The JSON is nested too deep");
  // 64 levels are read (and are no string), 65 are too deep.
  CHECK(parse_json_strings("{\"a\":" + std::string(63, '[') + std::string(63, ']') + "}").error() ==
        "The value of 'a' must be a string");
  CHECK(parse_json_strings("{\"a\":" + std::string(64, '[') + std::string(64, ']') + "}").error() ==
        "The JSON is nested too deep");
}

TEST_CASE("large objects, and small ones after them") {
  std::string text = "{";
  for (int i = 0; i < 50'000; ++i) text += (i == 0 ? "\"k" : ",\"k") + std::to_string(i) + "\":\"v\"";
  CHECK(parse_json_strings(text + "}")->size() == 50'000);
  CHECK_FALSE(parse_json_strings(text + ",\"k7\":\"v\"}").ok());
  const std::string value(1 << 20, 'x');
  CHECK(parse_json_strings("{\"value\":\"" + value + "\"}")->front().second == value);
  CHECK(*parse_json_strings("{\"a\":\"b\"}") == StringPairs{{"a", "b"}});
  CHECK(parse_json_strings(std::string(65, '[') + std::string(65, ']')).error() == "The JSON is nested too deep");
}

TEST_CASE("quoting") {
  CHECK(*json_quote("a\"b\\c/\n\r\t\x01\x7f") == R"("a\"b\\c/\n\r\t\u0001\u007f")");
  CHECK(*json_quote("") == "\"\"");
  CHECK(*json_quote("\xc3\xa9") == "\"\xc3\xa9\"");
  CHECK_FALSE(json_quote("\xff").has_value());
  CHECK_FALSE(json_quote("\xed\xa0\x80").has_value());
  std::string text;
  for (int i = 0; i < 128; ++i) text += static_cast<char>(i);
  CHECK(*parse_json_strings("{\"a\":" + *json_quote(text) + "}") == StringPairs{{"a", text}});
}

TEST_CASE("the writer puts commas and colons where they belong") {
  JsonWriter json;
  json.begin_object().key("id").string("n\"1").key("term").number(UINT64_MAX).key("leader").null();
  json.key("members").begin_array();
  json.begin_object().key("up").boolean(true).end_object().begin_object().end_object();
  json.number(1).string("x").begin_array().end_array();
  json.end_array().key("last").boolean(false).end_object();
  CHECK(json.ok());
  CHECK(json.take() ==
        "{\"id\":\"n\\\"1\",\"term\":18446744073709551615,\"leader\":null,"
        "\"members\":[{\"up\":true},{},1,\"x\",[]],\"last\":false}");
  JsonWriter bare;
  CHECK(bare.string("a").take() == "\"a\"");
}

TEST_CASE("a character that needs an escape, or is no UTF-8, is seen wherever it stands") {
  for (const size_t size : {1, 7, 8, 9, 16, 17, 24})
    for (size_t at = 0; at < size; ++at)
      for (int byte = 0; byte < 256; ++byte) {
        std::string text(size, 'x');
        text[at] = static_cast<char>(byte);
        CAPTURE(size);
        CAPTURE(at);
        CAPTURE(byte);
        JsonWriter json;
        json.begin_object().key("a").string(text).end_object();
        REQUIRE(json.ok() == (byte < 0x80));
        if (byte < 0x80) REQUIRE(*parse_json_strings(json.take()) == StringPairs{{"a", text}});
      }
}

TEST_CASE("the writer says when a string is not UTF-8") {
  JsonWriter json;
  json.begin_object().key("a").string("\xff").key("b").string("c").end_object();
  CHECK_FALSE(json.ok());
  JsonWriter name;
  CHECK_FALSE(name.begin_object().key("\xff").null().end_object().ok());
}

}  // namespace wh::http
