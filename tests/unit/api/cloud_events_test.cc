// CloudEvents: the specification's examples in each mode, what breaks it, and an event's way through all of them.
#include "api/http/formats/cloud_events.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "fixture.h"
#include "http/json_reader.h"

namespace wh::api {
namespace {

// The specification's own example (CloudEvents 1.0.2, 3.3; JSON format, 3.2).
constexpr const char* kExample = R"({
    "specversion" : "1.0",
    "type" : "com.github.pull_request.opened",
    "source" : "https://github.com/cloudevents/spec/pull",
    "subject" : "123",
    "id" : "A234-1234-1234",
    "time" : "2018-04-05T17:31:00Z",
    "comexampleextension1" : "value",
    "comexampleothervalue" : 5,
    "datacontenttype" : "text/xml",
    "data" : "<much wow=\"xml\"/>"
})";

struct Got {
  http::KeptStrings kept;
  http::Request request;
  machine::NewEvent event;
  machine::EventHeaders headers;
  std::string refused;

  explicit Got(const std::string& body) {
    request.body = body;
    take(read_structured_event(request.body, kept));
  }
  Got(std::vector<http::Header> fields, const std::string& body) {
    request.headers = std::move(fields);
    request.body = body;
    take(read_binary_event(request, kept));
  }
  void take(const OrRefusal<machine::NewEvent>& read) {
    if (!read) {
      CHECK(read.error().kind == RefusalKind::malformed);
      refused = read.error().sentence;
      return;
    }
    event = *read;
    headers = machine::unpack_headers(event.headers).value();
    CHECK(headers.cloud_event);
  }
  [[nodiscard]] std::string attribute(std::string_view name) const {
    return std::string(headers.attribute(name).value_or("(none)"));
  }
};

const std::vector<http::Header> kLeast{
    {"ce-specversion", "1.0"}, {"ce-id", "1"}, {"ce-source", "/s"}, {"ce-type", "t"}};

std::vector<http::Header> with(std::vector<http::Header> more) {
  more.insert(more.begin(), kLeast.begin(), kLeast.end());
  return more;
}

std::string binary(std::vector<http::Header> more) { return Got(with(std::move(more)), "data").refused; }

std::string structured(const std::string& members) {
  return Got(R"({"specversion":"1.0","id":"1","source":"/s","type":"t")" + members + "}").refused;
}

std::string written(const machine::NewEvent& event) {
  machine::Event stored;
  stored.arrival = 7;
  stored.bytes = Bytes(std::string(event.bytes));
  stored.extra = std::make_unique<machine::EventExtra>();
  stored.extra->headers = Bytes(std::string(event.headers));
  http::JsonWriter json;
  json.begin_object();
  write_cloud_event_members(json, "q", EventView(stored));
  return json.end_object().take();
}

}  // namespace

TEST_CASE("structured mode: the specification's example") {
  const Got read(kExample);
  CHECK(read.refused.empty());
  CHECK(read.event.bytes == "<much wow=\"xml\"/>");
  CHECK(read.headers.content_type == "text/xml");
  CHECK(read.attribute("specversion") == "1.0");
  CHECK(read.attribute("type") == "com.github.pull_request.opened");
  CHECK(read.attribute("source") == "https://github.com/cloudevents/spec/pull");
  CHECK(read.attribute("subject") == "123");
  CHECK(read.attribute("id") == "A234-1234-1234");
  CHECK(read.attribute("time") == "2018-04-05T17:31:00Z");
  CHECK(read.attribute("comexampleextension1") == "value");
  CHECK(read.attribute("comexampleothervalue") == "5");
  CHECK(read.attribute("datacontenttype") == "(none)");
}

TEST_CASE("binary mode: the binding's example") {
  const Got read({{"ce-specversion", "1.0"},
                  {"ce-type", "com.example.someevent"},
                  {"ce-time", "2018-04-05T03:56:24Z"},
                  {"ce-id", "1234-1234-1234"},
                  {"ce-source", "/mycontext/subcontext"},
                  {"Content-Type", "application/json; charset=utf-8"}},
                 "{ }");
  CHECK(read.refused.empty());
  CHECK(read.event.bytes == "{ }");
  CHECK(read.headers.content_type == "application/json; charset=utf-8");
  CHECK(read.attribute("source") == "/mycontext/subcontext");
  CHECK(read.headers.attributes.size() == 5);
}

TEST_CASE("data: JSON as it was written, text as it is, bytes as base64, or none") {
  CHECK(Got(R"({"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"a" : [1.0, "\u00e9"]}})").event.bytes ==
        R"({"a" : [1.0, "\u00e9"]})");
  const Got untyped(R"({"specversion":"1.0","id":"1","source":"/s","type":"t","data":"text"})");
  CHECK(untyped.event.bytes == "\"text\"");  // JSON, as no type is given (JSON format, 3.1.1)
  CHECK(untyped.headers.content_type == "application/json");
  const Got typed(
      R"({"specversion":"1.0","id":"1","source":"/s","type":"t","datacontenttype":"application/vnd.x+JSON","data":5})");
  CHECK(typed.event.bytes == "5");
  const Got bytes(R"({"specversion":"1.0","id":"1","source":"/s","type":"t","data_base64":"AP8="})");
  CHECK(bytes.event.bytes == std::string_view("\0\xff", 2));
  CHECK(bytes.headers.content_type.empty());
  const Got none(R"({"specversion":"1.0","id":"1","source":"/s","type":"t","subject":null,"data_base64":null})");
  CHECK(none.refused.empty());
  CHECK(none.event.bytes.empty());
  CHECK(none.attribute("subject") == "(none)");
  CHECK(Got(kLeast, "").refused.empty());
}

TEST_CASE(
    "data that is null is JSON's null, but none where the type is not JSON or bytes are given (JSON format, 3.1.1)") {
  const Got null(R"({"specversion":"1.0","id":"1","source":"/s","type":"t","data":null})");
  CHECK(null.refused.empty());
  CHECK(null.event.bytes == "null");
  CHECK(null.headers.content_type == "application/json");
  CHECK(written(null.event).find(R"("data":null)") != std::string::npos);
  const Got text(
      R"({"specversion":"1.0","id":"1","source":"/s","type":"t","datacontenttype":"text/plain","data":null})");
  CHECK(text.refused.empty());
  CHECK(text.event.bytes.empty());
  const Got bytes(R"({"specversion":"1.0","id":"1","source":"/s","type":"t","data":null,"data_base64":"AP8="})");
  CHECK(bytes.refused.empty());
  CHECK(bytes.event.bytes == std::string_view("\0\xff", 2));
}

// The other examples of the specification, written out by us: each in the JSON format and again in the binary mode of
// the HTTP binding, which are the same event.
TEST_CASE("the specification's examples of the JSON format, and the same in binary mode (JSON format, 3.2)") {
  struct Example {
    const char* id;
    const char* members;       // beside those that all share
    const char* content_type;  // of the binary mode
    std::string_view payload;
  };
  const Example examples[] = {
      {"A234-1234-1234", R"("datacontenttype" : "application/vnd.apache.thrift.binary", "data_base64" : "AP8QgA==")",
       "application/vnd.apache.thrift.binary", std::string_view("\0\xff\x10\x80", 4)},
      {"B234-1234-1234",
       R"("unsetextension": null, "datacontenttype" : "application/xml", "data" : "<much wow=\"xml\"/>")",
       "application/xml", R"(<much wow="xml"/>)"},
      {"C234-1234-1234",
       R"("subject": null, "datacontenttype" : "application/json",
          "data" : {"appinfoA" : "abc", "appinfoB" : 123, "appinfoC" : true})",
       "application/json", R"({"appinfoA" : "abc", "appinfoB" : 123, "appinfoC" : true})"},
      {"D234-1234-1234", R"("subject": null, "data" : "I'm just a string")", "application/json",
       R"("I'm just a string")"},
  };
  for (const Example& example : examples) {
    CAPTURE(example.id);
    const Got structured(std::string(R"({
    "specversion" : "1.0",
    "type" : "com.example.someevent",
    "source" : "/mycontext",
    "id" : ")") + example.id +
                         R"(",
    "time" : "2018-04-05T17:31:00Z",
    "comexampleextension1" : "value",
    "comexampleothervalue" : 5,
    )" + example.members +
                         "}");
    CHECK(structured.refused.empty());
    CHECK(structured.event.bytes == example.payload);
    CHECK(structured.headers.content_type == example.content_type);
    CHECK(structured.attribute("comexampleothervalue") == "5");
    CHECK(structured.attribute("unsetextension") == "(none)");
    const Got binary({{"ce-specversion", "1.0"},
                      {"ce-type", "com.example.someevent"},
                      {"ce-source", "/mycontext"},
                      {"ce-id", example.id},
                      {"ce-time", "2018-04-05T17:31:00Z"},
                      {"ce-comexampleextension1", "value"},
                      {"ce-comexampleothervalue", "5"},
                      {"Content-Type", example.content_type}},
                     std::string(example.payload));
    CHECK(binary.refused.empty());
    CHECK(binary.event.headers == structured.event.headers);
    CHECK(fingerprint_of(binary.event) == fingerprint_of(structured.event));
  }
}

TEST_CASE("what breaks the specification is refused, by the attribute's name") {
  for (const std::string name : {"specversion", "id", "source", "type"}) {
    CAPTURE(name);
    std::vector<http::Header> fields = kLeast;
    std::erase_if(fields, [&](const http::Header& field) { return field.name == "ce-" + name; });
    CHECK(Got(fields, "d").refused == "the CloudEvents attribute '" + name + "' is missing");
    fields.push_back({"CE-" + name, ""});
    CHECK(Got(fields, "d").refused.starts_with("the CloudEvents attribute '" + name + "' "));
  }
  CHECK(binary({}).empty());
  CHECK(binary({{"ce-subject", ""}}).find("'subject'") != std::string::npos);
  CHECK(binary({{"ce-time", "yesterday"}}).find("'time'") != std::string::npos);
  CHECK(binary({{"ce-dataschema", "no-uri"}}).find("'dataschema'") != std::string::npos);
  CHECK(binary({{"ce-dataschema", "https://a/b"}}).empty());
  CHECK(binary({{"ce-datacontenttype", "text/plain"}}).find("'datacontenttype'") != std::string::npos);
  CHECK(binary({{"ce-a-b", "x"}}).find("'a-b'") != std::string::npos);
  CHECK(binary({{"ce-", "x"}}).find("''") != std::string::npos);
  CHECK(binary({{"ce-data", "x"}}).find("'data'") != std::string::npos);
  CHECK(binary({{"ce-partitionkey", std::string(129, 'k')}}).find("'partitionkey'") != std::string::npos);
  CHECK(binary({{"ce-ext", "\xff"}}).find("ext") != std::string::npos);
  CHECK(binary({{"ce-ext", "a%0d%0ab"}}).find("ext") != std::string::npos);
  CHECK(binary({{"ce-ext", "a"}, {"ce-EXT", "a"}}) == "the attribute ext is given twice");
  CHECK(binary({{"Wormhole-Attribute-x", "a"}}).find("Wormhole-Attribute-x") != std::string::npos);
  CHECK(binary({{"Content-Type", "no type"}}).find("content type") != std::string::npos);
  CHECK(Got({{"ce-specversion", "0.3"}, {"ce-id", "1"}, {"ce-source", "/s"}, {"ce-type", "t"}}, "d").refused ==
        "the CloudEvents attribute 'specversion' is 1.0 here, not '0.3'");

  CHECK(structured("").empty());
  CHECK(structured(R"(,"ext":true,"other":-7)").empty());
  CHECK(structured(R"(,"Ext":"x")").find("'Ext'") != std::string::npos);
  CHECK(structured(R"(,"ext":{})").find("'ext'") != std::string::npos);
  CHECK(structured(R"(,"ext":1.5)").find("'ext'") != std::string::npos);
  CHECK(structured(R"(,"ext":2147483648)").find("'ext'") != std::string::npos);
  CHECK(structured(R"(,"ext":"a\r\nb")").find("ext") != std::string::npos);
  CHECK(structured(R"(,"data":1,"data_base64":"AA==")") == "a CloudEvent has data or data_base64, not both");
  CHECK_FALSE(structured(R"(,"data_base64":"AA")").empty());
  CHECK_FALSE(structured(R"(,"data_base64":5)").empty());
  CHECK_FALSE(structured(R"(,"datacontenttype":"text/plain","data":{})").empty());
  CHECK_FALSE(structured(R"(,"id":"2")").empty());
  CHECK(Got("[{}]").refused == "a CloudEvent is one JSON object");
  CHECK_FALSE(Got("{").refused.empty());
}

TEST_CASE("strings that CloudEvents forbids are refused in all modes, by the attribute's name (3.2)") {
  // C0, DEL, C1, and noncharacters of the first and of the last plane.
  for (const std::string text : {"\x01", "\x1f", "\x7f", "\xc2\x80", "\xc2\x9f", "\xef\xb7\x90", "\xef\xb7\xaf",
                                 "\xef\xbf\xbe", "\xef\xbf\xbf", "\xf0\x9f\xbf\xbe", "\xf4\x8f\xbf\xbf"}) {
    std::string encoded;
    std::string escaped = text;
    for (const char c : text) {
      char hex[4];
      (void)std::snprintf(hex, sizeof hex, "%%%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
      encoded += hex;
    }
    if (text.size() == 1) {
      char escape[8];
      (void)std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(text[0]));
      escaped = escape;
    }
    CAPTURE(encoded);
    for (const std::string name : {"ext", "subject", "source", "type", "partitionkey"}) {
      CAPTURE(name);
      std::vector<http::Header> fields = with({{"ce-" + name, "a" + encoded}});
      std::string json = R"({"specversion":"1.0","id":"1","source":"/s","type":"t","ext":"e"})";
      if (name == "source" || name == "type") {
        std::erase_if(fields, [&](const http::Header& field) {
          return field.name == "ce-" + name && field.value != "a" + encoded;
        });
        const std::string old = name == "type" ? R"("type":"t")" : R"("source":"/s")";
        json.replace(json.find(old), old.size(), "\"" + name + "\":\"a" + escaped + "\"");
      } else {
        json.replace(json.find(R"("ext":"e")"), 9, "\"" + name + "\":\"a" + escaped + "\"");
      }
      CHECK(Got(fields, "d").refused.find(name) != std::string::npos);
      CHECK(Got(json).refused.find(name) != std::string::npos);
    }
  }
  CHECK_FALSE(structured(R"(,"ext":"\ud800")").empty());
  CHECK_FALSE(structured(R"(,"ext":"\udc00x")").empty());
  for (const char* fine : {"\xc2\xa0", "\xef\xb7\x8f", "\xef\xb7\xb0", "\xef\xbf\xbd", "\xf0\x9f\x98\x80", "~"})
    CHECK(structured(R"(,"ext":")" + std::string(fine) + "\"").empty());
}

TEST_CASE("attributes that are strings are given as strings, not as numbers or booleans") {
  for (const char* name : {"subject", "time", "datacontenttype", "dataschema", "partitionkey"})
    for (const char* value : {"1", "true"})
      CHECK(structured(",\"" + std::string(name) + "\":" + value) ==
            "the CloudEvents attribute '" + std::string(name) + "' is a string");
  for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
           {"specversion", "1.0"}, {"id", "1"}, {"source", "1"}, {"type", "false"}}) {
    std::string body = R"({"specversion":"1.0","id":"1","source":"s","type":"t"})";
    const size_t at = body.find("\"" + name + "\":") + name.size() + 3;
    body.replace(at, body.find_first_of(",}", at) - at, value);
    CAPTURE(body);
    CHECK(Got(body).refused == "the CloudEvents attribute '" + name + "' is a string");
  }
}

TEST_CASE("the mode is the media type's, whatever its parameters; only then that of ce- headers") {
  const auto of = [](std::vector<http::Header> fields) {
    http::Request request;
    request.headers = std::move(fields);
    return cloud_event_mode(request);
  };
  CHECK(of({}) == CloudEventMode::none);
  CHECK(of({{"Content-Type", "application/json"}}) == CloudEventMode::none);
  CHECK(of({{"Content-Type", "application/json"}, {"CE-Id", "1"}}) == CloudEventMode::binary);
  CHECK(of({{"ce-id", "1"}}) == CloudEventMode::binary);
  CHECK(of({{"Content-Type", "Application/CloudEvents+JSON ; charset=UTF-8"}}) == CloudEventMode::structured);
  CHECK(of({{"content-type", "application/cloudevents+json"}, {"ce-id", "1"}}) == CloudEventMode::structured);
  CHECK(of({{"Content-Type", "application/cloudevents-batch+json;charset=utf-8"}}) == CloudEventMode::batched);
  CHECK(of({{"Content-Type", "application/cloudevents+avro"}}) == CloudEventMode::unknown_format);
}

TEST_CASE("percent-encoding: decoded once, raw bytes are taken, and what goes out is always encoded") {
  const auto decoded = [](std::string_view field) { return decode_attribute("a", field).value(); };
  CHECK(decoded("Euro%20%E2%82%AC%20%F0%9F%98%80") == "Euro \xe2\x82\xac \xf0\x9f\x98\x80");  // the binding's example
  CHECK(decoded("Euro \xe2\x82\xac") == "Euro \xe2\x82\xac");
  CHECK(decoded("a%2520b") == "a%20b");
  CHECK(decoded("%e2%82%ac") == "\xe2\x82\xac");
  CHECK(decoded("100%") == "100%");
  CHECK(decoded("50%zz%4") == "50%zz%4");
  CHECK(decoded("\"quoted \\\"text\\\" %41\"") == "quoted \"text\" A");
  CHECK(decoded("\"") == "\"");
  CHECK(decoded("").empty());
  CHECK_FALSE(decode_attribute("a", "%ff").ok());
  CHECK_FALSE(decode_attribute("a", "%C3").ok());
  CHECK_FALSE(decode_attribute("a", "a%00").ok());
  CHECK_FALSE(decode_attribute("a", "a\tb").ok());
  CHECK(encode_attribute("Euro \xe2\x82\xac \xf0\x9f\x98\x80") == "Euro%20%E2%82%AC%20%F0%9F%98%80");
  CHECK(encode_attribute("a\"b%c~") == "a%22b%25c~");
  Prng random(5);
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (size_t n = random.below(12); n-- > 0;) {
      const std::string_view pieces[] = {"a", "%", "\"", " ", "\\", "%4", "%41", "\xc3\xa9", "~", "\xf0\x9f\x98\x80"};
      text += pieces[random.below(std::size(pieces))];
    }
    const std::string field = encode_attribute(text);
    CHECK(decoded(field) == text);
    CHECK(field.size() == machine::encoded_in_header(text));
    CHECK(field.find_first_of("\r\n \"") == std::string::npos);
  }
}

TEST_CASE("the same event in any mode has the same key and the same fingerprint") {
  const Got one(R"({"specversion":"1.0","id":"1","source":"/s","type":"t","datacontenttype":"text/plain",)"
                R"("data":"d\u00e9","ext":7,"partitionkey":"g"})");
  const Got other(with({{"Content-Type", "text/plain"}, {"ce-ext", "7"}, {"ce-PartitionKey", "g"}}), "d\xc3\xa9");
  CHECK(one.event.headers == other.event.headers);
  CHECK(one.event.group == "g");
  CHECK(fingerprint_of(one.event) == fingerprint_of(other.event));
  const std::string key = cloud_event_key(one.event.headers);
  CHECK(key == cloud_event_key(other.event.headers));
  CHECK(key.size() == 65);
  // The way in which source and id are cut counts.
  CHECK(cloud_event_key(Got(with({}), "").event.headers) !=
        cloud_event_key(
            Got({{"ce-specversion", "1.0"}, {"ce-id", "s1"}, {"ce-source", "/"}, {"ce-type", "t"}}, "").event.headers));
  CHECK(fingerprint_of(one.event) != fingerprint_of(Got(with({}), "d\xc3\xa9").event));
}

TEST_CASE("what is written in the JSON format is read as the same event") {
  for (const char* members :
       {R"(,"datacontenttype":"application/json","data":{"a":[1,2.50]})", R"(,"data":"x")", R"(,"data":null)",
        R"(,"datacontenttype":"text/plain","data":"two\nlines \u00e9")", R"(,"data_base64":"AP8=")",
        R"(,"datacontenttype":"image/png","data_base64":"aGVsbG8=")", "",
        R"(,"datacontenttype":"application/json","data_base64":"e30K")",
        R"(,"datacontenttype":"application/json","data_base64":"bm90IGpzb24=")", R"(,"ext":"\"\\ %")"}) {
    CAPTURE(members);
    const Got first(std::string(R"({"specversion":"1.0","id":"1","source":"/s","type":"t")") + members + "}");
    REQUIRE(first.refused.empty());
    const std::string text = written(first.event);
    CAPTURE(text);
    const Got again(text);
    REQUIRE(again.refused.empty());
    CHECK(again.event.headers == first.event.headers);
    // White space around JSON is not data.
    if (std::string_view(members).find("e30K") == std::string_view::npos) CHECK(again.event.bytes == first.event.bytes);
  }
  // An event that came as none.
  machine::NewEvent plain{.bytes = "hello"};
  CHECK(written(plain) == R"({"specversion":"1.0","id":"7","source":"/queues/q","type":"wormhole.event",)"
                          R"("datacontenttype":"application/octet-stream","data_base64":"aGVsbG8="})");
  // Its attributes are extensions where their names can be: not `type`, which is another thing here.
  machine::EventHeaders headers;
  headers.attributes = {{"a", "x"},    {"b.c", "x"},      {"control", "\xc2\x80"},
                        {"data", "x"}, {"trace1", "1 2"}, {"type", "x"}};
  http::KeptStrings kept;
  CHECK_FALSE(set_headers(headers, kept, plain).has_value());
  CHECK(written(plain).find(R"("type":"wormhole.event","a":"x","trace1":"1 2","datacontenttype")") !=
        std::string::npos);
}

TEST_CASE("a batch: all or none, and the error says which") {
  http::KeptStrings kept;
  const std::string good = R"({"specversion":"1.0","id":"1","source":"/s","type":"t"})";
  const std::string two = "[" + good + "," + good + "]";
  CHECK(read_batched_events(two, kept)->size() == 2);
  CHECK(read_batched_events("[]", kept)->empty());
  const std::string bad = "[" + good + R"(,{"id":"2"}])";
  CHECK(read_batched_events(bad, kept).error().sentence ==
        "the event 1 of the batch: the CloudEvents attribute 'specversion' is missing");
  CHECK_FALSE(read_batched_events(good, kept).ok());
  // The specification's example (JSON format, 4.3).
  const auto batch = read_batched_events(R"([
  {"specversion" : "1.0", "type" : "com.example.someevent", "source" : "/mycontext/4", "id" : "B234-1234-1234",
   "time" : "2018-04-05T17:31:00Z", "comexampleextension1" : "value", "comexampleothervalue" : 5,
   "datacontenttype" : "application/vnd.apache.thrift.binary", "data_base64" : "AP8QgA=="},
  {"specversion" : "1.0", "type" : "com.example.someotherevent", "source" : "/mycontext/9", "id" : "C234-1234-1234",
   "time" : "2018-04-05T17:31:05Z", "comexampleextension1" : "value", "comexampleothervalue" : 5,
   "datacontenttype" : "application/json", "data" : {"appinfoA" : "abc", "appinfoB" : 123, "appinfoC" : true}}
])",
                                         kept);
  REQUIRE(batch.ok());
  REQUIRE(batch->size() == 2);
  CHECK((*batch)[0].bytes == std::string_view("\0\xff\x10\x80", 4));
  CHECK((*batch)[1].bytes == R"({"appinfoA" : "abc", "appinfoB" : 123, "appinfoC" : true})");
}

TEST_CASE("any bytes as a CloudEvent are refused or taken, without harm") {
  Prng random(9);
  const std::string example = kExample;
  size_t taken = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string body = example;
    for (size_t n = random.below(3); n-- > 0;) {
      const size_t at = random.below(body.size());
      if (random.below(2) == 0)
        body[at] = static_cast<char>(random.below(256));
      else
        body.erase(at, random.below(4));
    }
    http::KeptStrings kept;
    const auto event = read_structured_event(body, kept);
    taken += event.ok() ? 1 : 0;
    if (event) CHECK(machine::check(machine::PutEvents{"q", {*event}}).ok());
  }
  CHECK(taken > 1'000);
}

}  // namespace wh::api
