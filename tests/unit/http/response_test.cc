// The only writer of answers, checked byte for byte and by a strict reader (HAZARDS H20: malformed answers).
#include "http/response.h"

#include <string>

#include <doctest/doctest.h>

#include "support.h"

namespace wh::http {
namespace {

std::string written(const Response& response, const ResponseFraming& framing = {}) {
  std::string out;
  append_response(out, response, framing);
  return out;
}

Response text(int status, std::string body) {
  Response response;
  response.status = status;
  response.content_type = "text/plain";
  response.body = Bytes(std::move(body));
  return response;
}

}  // namespace

TEST_CASE("an answer, byte for byte") {
  Response response = text(200, "hi");
  response.headers.add("Wormhole-Index", "7");
  CHECK(written(response) ==
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\nX-Content-Type-Options: nosniff\r\n"
        "Cache-Control: no-store\r\nWormhole-Index: 7\r\n\r\nhi");
}

TEST_CASE("HAZARDS H20: lengths") {
  CHECK(written(text(200, "")) ==
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n\r\n");
  CHECK(written(text(204, "")) ==
        "HTTP/1.1 204 No Content\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n\r\n");
  CHECK(written(text(304, "")).find("Content-Length") == std::string::npos);
  CHECK(written(text(201, "")).find("Content-Length: 0\r\n") != std::string::npos);
  const std::string head = written(text(200, "hello"), {.head = true});
  CHECK(head.find("Content-Length: 5\r\n") != std::string::npos);
  CHECK(head.ends_with("\r\n\r\n"));
}

TEST_CASE("Connection") {
  CHECK(written(text(200, ""), {.close = true}).find("Connection: close\r\n") != std::string::npos);
  CHECK(written(text(200, ""), {.keep_alive_1_0 = true}).find("Connection: keep-alive\r\n") != std::string::npos);
  CHECK(written(text(200, "")).find("Connection") == std::string::npos);
}

TEST_CASE("HAZARDS H14: a header's value cannot end its line") {
  Response response = text(307, "");
  response.headers.add("Location", "http://a/\r\nSet-Cookie: x\x01\x7f\t");
  CHECK(written(response).find("Location: http://a/  Set-Cookie: x  \t\r\n") != std::string::npos);
  CHECK(test::read_answers(written(response)).at(0).headers.size() == 4);
}

TEST_CASE("fields keep their order, and the removed go") {
  Fields fields{{"Vary", "Accept"}, {"Wormhole-Outcome", "unknown"}};
  fields.add("Wormhole-Index", 18446744073709551615U);
  fields.add(FieldName::of(std::string("ce-") + "id"), "a: b");
  fields.add("Wormhole-Outcome-Not", "");
  fields.add("Wormhole-Outcome", "not-applied");
  fields.remove("Wormhole-Outcome");
  CHECK(fields.lines() ==
        "Vary: Accept\r\nWormhole-Index: 18446744073709551615\r\nce-id: a: b\r\nWormhole-Outcome-Not: \r\n");
  const std::vector<Header> list = fields.list();
  REQUIRE(list.size() == 4);
  CHECK(list[2].name == "ce-id");
  CHECK(list[2].value == "a: b");
  CHECK(list[3].value.empty());
  CHECK(Fields().empty());
}

TEST_CASE("HAZARDS H20: a strict reader agrees about every status") {
  for (int status = 200; status < 600; ++status) {
    const bool bodiless = status == 204 || status == 304;
    for (const bool head : {false, true}) {
      const std::string out =
          written(text(status, bodiless ? "" : "body"), {.head = head}) + written(text(200, "next"));
      const auto answers = test::read_answers(out, {head, false});
      REQUIRE(answers.size() == 2);
      CHECK(answers[0].status == status);
      CHECK(answers[1].body == "next");
    }
  }
}

TEST_CASE("every status of the contract has its phrase") {
  for (const int status : {200, 201, 204, 307, 400, 401, 403, 404, 405, 406, 408, 409, 412,
                           413, 414, 415, 417, 422, 429, 431, 501, 503, 504, 505, 507})
    CHECK(reason_phrase(status) != "Unknown");
  CHECK(reason_phrase(599) == "Unknown");
}

TEST_CASE("errors are JSON") {
  const Response response = error_response(404, "No \"such\" key");
  CHECK(response.status == 404);
  CHECK(response.content_type == "application/json");
  CHECK(response.body.view() == "{\"error\": \"No \\\"such\\\" key\"}\n");
}

TEST_CASE("HAZARDS H15: no answer is sniffed") {
  CHECK(written(error_response(400, "x")).find("X-Content-Type-Options: nosniff\r\n") != std::string::npos);
}

TEST_CASE("an answer to HEAD may not know the length of the body that GET would bring") {
  std::string out;
  Response response;
  response.content_type = "application/vnd.sqlite3";
  response.unknown_length = true;
  append_response(out, response, {.head = true});
  CHECK(out.find("Content-Length") == std::string::npos);
  CHECK(out.find("Content-Type: application/vnd.sqlite3") != std::string::npos);
}

}  // namespace wh::http
