// The router, with a table like the server's.
#include "http/router.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace wh::http {
namespace {

enum Id { kEvent, kSetKeys, kGetKey, kDeleteKey, kKeys, kMembers, kMember, kRoot, kItem, kCount, kItems };

const Router& router() {
  static constexpr Route kTable[] = {
      {bit(Method::get), "/", kRoot},
      {bit(Method::get) | bit(Method::post) | bit(Method::del), "/event", kEvent},
      {bit(Method::post), "/key", kSetKeys},
      {bit(Method::get), "/key/{name}", kGetKey},
      {bit(Method::del), "/key/{name}", kDeleteKey},
      {bit(Method::get) | bit(Method::post), "/keys/{key}/", kKeys},
      {bit(Method::post), "/cluster/members", kMembers},
      {bit(Method::del), "/cluster/members/{id}", kMember},
      {bit(Method::get) | bit(Method::put), "/kv/{key...}", kItem},
      {bit(Method::post), "/kv/{key...}/incr", kCount},
      {bit(Method::get), "/kv", kItems},
  };
  static const Router kRouter(kTable);
  return kRouter;
}

int status(Method method, std::string_view path) {
  const RouteMatch match = router().find(method, path);
  return match.answer ? match.answer->status : 200;
}

std::string allow(Method method, std::string_view path) {
  const RouteMatch match = router().find(method, path);
  REQUIRE(match.answer.has_value());
  const std::vector<Header> fields = match.answer->headers.list();
  REQUIRE(fields.size() == 1);
  CHECK(fields[0].name == "Allow");
  return fields[0].value;
}

}  // namespace

TEST_CASE("routes and parameters") {
  CHECK(router().find(Method::get, "/").route == kRoot);
  CHECK(router().find(Method::post, "/event").route == kEvent);
  CHECK(router().find(Method::post, "/event/").route == kEvent);
  CHECK(router().find(Method::post, "/key").route == kSetKeys);
  CHECK(router().find(Method::post, "/key/").route == kSetKeys);
  CHECK(router().find(Method::get, "/key/a").route == kGetKey);
  CHECK(router().find(Method::del, "/key/a/").route == kDeleteKey);
  CHECK(router().find(Method::get, "/keys/a").params == std::vector<std::string>{"a"});
  CHECK(router().find(Method::get, "/keys/a/").params == std::vector<std::string>{"a"});
  CHECK(router().find(Method::del, "/cluster/members/n1").route == kMember);
  CHECK(router().find(Method::get, "/%6bey/a").route == kGetKey);
}

TEST_CASE("names are decoded once") {
  const auto name = [](std::string_view path) { return router().find(Method::get, path).params.at(0); };
  CHECK(name("/key/a%2Fb") == "a/b");
  CHECK(name("/key/%2F") == "/");
  CHECK(name("/key/a+b%20c") == "a+b c");
  CHECK(name("/key/%2541") == "%41");
  CHECK(name("/key/%00") == std::string(1, '\0'));
  CHECK(name("/key/%ff") == "\xff");
  CHECK(name("/key/..") == "..");
  CHECK(name("/key/{name}") == "{name}");
}

TEST_CASE("a name of several segments is the rest of the path as it is, or all before a last segment") {
  const auto key = [](Method method, std::string_view path, int route) {
    const RouteMatch match = router().find(method, path);
    CAPTURE(path);
    REQUIRE_FALSE(match.answer.has_value());
    CHECK(match.route == route);
    REQUIRE(match.params.size() == 1);
    return match.params[0];
  };
  CHECK(key(Method::get, "/kv/a", kItem) == "a");
  CHECK(key(Method::get, "/kv/a/b/c", kItem) == "a/b/c");
  CHECK(key(Method::put, "/kv/a/", kItem) == "a/");
  CHECK(key(Method::put, "/kv/a//", kItem) == "a//");
  CHECK(key(Method::get, "/kv//a", kItem) == "/a");
  CHECK(key(Method::get, "/kv/a%2Fb%00+", kItem) == std::string("a/b\0+", 5));
  CHECK(key(Method::get, "/kv//", kItem) == "/");
  CHECK(key(Method::get, "/kv/../event", kItem) == "../event");
  CHECK(key(Method::get, "/kv/a/incr", kItem) == "a/incr");
  CHECK(key(Method::post, "/kv/a/b/incr", kCount) == "a/b");
  CHECK(key(Method::post, "/kv/incr/incr", kCount) == "incr");
  CHECK(router().find(Method::get, "/kv").route == kItems);
  CHECK(status(Method::get, "/kv/") == 400);
  CHECK(status(Method::post, "/kv/incr") == 405);
  CHECK(status(Method::post, "/kv//incr") == 400);
  CHECK(status(Method::del, "/kv/a") == 405);
  CHECK(allow(Method::options, "/kv/a/incr") == "GET, HEAD, POST, PUT, OPTIONS");
}

TEST_CASE("HAZARDS H17: an invalid escape is 400") {
  for (const char* path : {"/key/%", "/key/%4", "/key/%zz", "/%", "/nowhere/%g0"})
    CHECK(status(Method::get, path) == 400);
}

TEST_CASE("an extra slash is 404, an empty name 400") {
  for (const char* path :
       {"//", "//key/a", "/key//a", "/key/a/b", "/key/a//", "/event//", "/nowhere", "/cluster", "/Key/a"})
    CHECK_MESSAGE(status(Method::get, path) == 404, path);
  CHECK(status(Method::get, "/key//") == 400);
  CHECK(status(Method::get, "/keys/") == 400);
  CHECK(status(Method::get, "/keys//") == 400);
  CHECK(status(Method::get, "/keys") == 404);
}

TEST_CASE("another method is 405, with Allow") {
  CHECK(status(Method::put, "/event") == 405);
  CHECK(allow(Method::put, "/event") == "GET, HEAD, POST, DELETE, OPTIONS");
  CHECK(allow(Method::post, "/key/a") == "GET, HEAD, DELETE, OPTIONS");
  CHECK(allow(Method::get, "/key/") == "POST, OPTIONS");
  CHECK(allow(Method::head, "/cluster/members/n1") == "DELETE, OPTIONS");
}

TEST_CASE("HEAD works where GET does") {
  CHECK(router().find(Method::head, "/key/a").route == kGetKey);
  CHECK(router().find(Method::head, "/event").route == kEvent);
  CHECK(status(Method::head, "/key") == 405);
}

TEST_CASE("OPTIONS is answered for every path that exists") {
  CHECK(status(Method::options, "/event") == 204);
  CHECK(allow(Method::options, "/key/a") == "GET, HEAD, DELETE, OPTIONS");
  CHECK(status(Method::options, "*") == 204);
  CHECK(allow(Method::options, "*") == "GET, HEAD, POST, PUT, DELETE, OPTIONS");
  CHECK(status(Method::options, "/nowhere") == 404);
}

TEST_CASE("HAZARDS H15: no error shows what was asked for") {
  const RouteMatch match = router().find(Method::get, "/<script>");
  REQUIRE(match.answer.has_value());
  CHECK(match.answer->body.view().find("script") == std::string_view::npos);
  CHECK(match.answer->content_type == "application/json");
}

TEST_CASE("HAZARDS H16: paths that climb lead nowhere") {
  for (const char* path :
       {"/../etc/passwd", "/%2e%2e/etc/passwd", "/..%2fetc%2fpasswd", "/%252e%252e/", "/a\\..\\b", "/%00"})
    CHECK(status(Method::get, path) == 404);
}

}  // namespace wh::http
