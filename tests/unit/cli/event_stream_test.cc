// Server-Sent Events, and members of JSON answers.
#include "cli/event_stream.h"

#include <doctest/doctest.h>

#include "cli/json_fields.h"

namespace wh::cli {
namespace {

TEST_CASE("messages come whole, however their text is cut") {
  const std::string text =
      ":\n\n"
      "event: put\ndata: {\"a\":1}\n\n"
      "id: 7\r\n\r\n"
      "event:delete\ndata:x\ndata: y\nid: 8\nretry: 5\n\n"
      "data: unfinished\n";
  for (size_t cut = 1; cut <= text.size(); ++cut) {
    StreamReader reader;
    std::vector<StreamMessage> all;
    for (size_t at = 0; at < text.size(); at += cut)
      for (StreamMessage& message : reader.take(std::string_view(text).substr(at, cut)))
        all.push_back(std::move(message));
    CAPTURE(cut);
    REQUIRE(all.size() == 3);
    CHECK(all[0].event == "put");
    CHECK(all[0].data == "{\"a\":1}");
    CHECK(all[0].id.empty());
    CHECK(all[1].bare());
    CHECK(all[1].id == "7");
    CHECK(all[2].event == "delete");
    CHECK(all[2].data == "x\ny");
    CHECK(all[2].id == "8");
    CHECK(!reader.overlong());
  }
}

TEST_CASE("a line without end is given up") {
  StreamReader reader;
  const std::string piece(1u << 20, 'x');
  for (int n = 0; n < 65; ++n) CHECK(reader.take(piece).empty());
  CHECK(reader.overlong());
  CHECK(reader.take("\n\n").empty());
}

TEST_CASE("members of an answer") {
  const auto fields = JsonFields::parse(
      R"({"text":"a\n\"b\"","n":18446744073709551615,"neg":-5,"yes":true,"none":null,"list":[{"x":1},{"x":2}],"in":{"y":"z"},
          "bin_base64":"AAE=","bad_base64":"*"})");
  REQUIRE(fields);
  CHECK(fields->text("text") == "a\n\"b\"");
  CHECK(fields->number("n") == UINT64_MAX);
  CHECK(fields->text("neg") == "-5");
  CHECK(!fields->number("neg"));
  CHECK(fields->boolean("yes"));
  CHECK(!fields->boolean("text"));
  CHECK(!fields->has("none"));
  CHECK(!fields->has("absent"));
  CHECK(fields->text("absent").empty());
  CHECK(fields->json("none") == "null");
  CHECK(fields->bytes("bin") == std::string("\0\1", 2));
  CHECK(fields->bytes("bad").empty());
  CHECK(fields->bytes("text") == "a\n\"b\"");
  REQUIRE(fields->objects("list").size() == 2);
  CHECK(fields->objects("list")[1].number("x") == 2);
  REQUIRE(fields->object("in"));
  CHECK(fields->object("in")->text("y") == "z");
  CHECK(!fields->object("list"));
  CHECK(fields->objects("text").empty());
  CHECK(fields->names().size() == 9);
}

TEST_CASE("what is no JSON object") {
  for (const char* text : {"", "[]", "{", "<html>", "{\"a\":1,\"a\":2}", "\xff"}) CHECK(!JsonFields::parse(text));
}

}  // namespace
}  // namespace wh::cli
