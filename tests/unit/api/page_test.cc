// GET / and /ui, what a browser and a newcomer meet first; and what a script is told that lacks the password.
#include "ui/page.h"

#include <string>

#include <doctest/doctest.h>

#include "fixture.h"

namespace wh::api {
namespace {

std::string field_of(const http::test::Answer& answer, const char* name) {
  const auto* value = answer.header(name);
  return value == nullptr ? "" : std::string(*value);
}

TEST_CASE("GET /: a browser is led to the page by a relative location, all others are told the paths") {
  test::Fronts fronts;
  for (const std::string accept : {"text/html", "text/html,application/xhtml+xml,*/*;q=0.8", "*/*, TEXT/HTML;q=0.1"}) {
    const http::test::Answer answer = fronts.ask("GET", "/?from=mail", "", "Accept: " + accept + "\r\n");
    CHECK(answer.status == 302);
    CHECK(field_of(answer, "Location") == "ui");
    CHECK(field_of(answer, "Vary") == "Accept");
  }
  for (const std::string fields :
       {"", "Accept: */*\r\n", "Accept: text/*\r\n", "Accept: text/html;q=0, text/plain\r\n"}) {
    const http::test::Answer answer = fronts.ask("GET", "/", "", fields);
    CHECK(answer.status == 200);
    CHECK(field_of(answer, "Content-Type") == "text/plain; charset=utf-8");
    for (const char* path : {"/ui", "/queues", "/kv", "/txn"}) CHECK(answer.body.find(path) != std::string::npos);
    CHECK(answer.body.ends_with('\n'));
  }
}

TEST_CASE("GET /ui: one document that runs nothing but its own scripts, and asks only its own server") {
  test::Fronts fronts;
  for (const std::string path : {"/ui", "/ui/", "/ui?x=1&x=1"}) {
    const http::test::Answer answer = fronts.ask("GET", path);
    CHECK(answer.status == 200);
    CHECK(field_of(answer, "Content-Type") == "text/html; charset=utf-8");
    CHECK(answer.body == ui::page());
    const std::string policy = field_of(answer, "Content-Security-Policy");
    CHECK(policy == ui::content_security_policy());
    CHECK(
        policy.starts_with("default-src 'none'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
                           "frame-ancestors 'none'; "));
    CHECK(policy.find("unsafe") == std::string::npos);
    CHECK(policy.find("script-src 'sha256-") != std::string::npos);
    CHECK(policy.find("http") == std::string::npos);
  }
}

TEST_CASE(
    "the page needs no password, as it asks for it; protected mode and the Host keep it from others all the same") {
  test::Fronts fronts;
  for (const std::string path : {"/ui", "/"})
    CHECK(fronts.ask("GET " + path + " HTTP/1.1\r\nHost: rebound.example\r\n\r\n").status == 403);
  fronts.options.requirepass = "secret";
  CHECK(fronts.ask("GET", "/ui").status == 200);
  CHECK(fronts.ask("GET", "/").status == 200);
  CHECK(fronts.ask("GET", "/cluster").status == 401);
}

TEST_CASE("401: Basic, at which a browser asks its user; Bearer to a script, which asks for itself") {
  test::Fronts fronts;
  fronts.options.requirepass = "secret";
  const auto challenge = [&](const std::string& fields) {
    return field_of(fronts.ask("GET", "/cluster", "", fields), "WWW-Authenticate");
  };
  CHECK(challenge("") == "Basic realm=\"wormhole\"");
  CHECK(challenge("Sec-Fetch-Dest: document\r\n") == "Basic realm=\"wormhole\"");
  CHECK(challenge("Sec-Fetch-Dest: empty\r\n") == "Bearer realm=\"wormhole\"");
  CHECK(challenge("X-Requested-With: wormhole-ui\r\n") == "Bearer realm=\"wormhole\"");
  CHECK(challenge("X-Requested-With: x\r\nAuthorization: Bearer wrong\r\n") == "Bearer realm=\"wormhole\"");
}

}  // namespace
}  // namespace wh::api
