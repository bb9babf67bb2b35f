// Lists of URLs, and what the environment says.
#include "cli/endpoints.h"

#include <map>
#include <string>

#include <doctest/doctest.h>

#include "cli/settings.h"

namespace wh::cli {
namespace {

std::string fault(std::string_view list) {
  const auto endpoints = parse_endpoints(list);
  return endpoints ? std::string() : endpoints.error();
}

TEST_CASE("lists of endpoints") {
  const auto parsed = parse_endpoints(" http://a:1 ,https://B.example/x/,, c:3,http://A:1/,[::1]:8080,http://10.0.0.1");
  REQUIRE(parsed);
  CHECK(*parsed == std::vector<std::string>{"http://a:1", "https://b.example:443/x", "http://c:3", "http://[::1]:8080",
                                            "http://10.0.0.1:80"});
}

TEST_CASE("what is no endpoint is named") {
  CHECK(fault("").starts_with("no endpoint is given"));
  CHECK(fault(",").starts_with("no endpoint is given"));
  CHECK(fault("ftp://a:1") == "the endpoint 'ftp://a:1' begins with neither http:// nor https://");
  CHECK(fault("http://a:99999").find("is not http://HOST:PORT") != std::string::npos);
  CHECK(fault("http://:1").find("is not http://HOST:PORT") != std::string::npos);
  CHECK(fault("http://::1:80").find("in brackets") != std::string::npos);
  CHECK(fault("http://a:1?x=y").find("must not contain '?'") != std::string::npos);
  CHECK(fault("http://a b:1").find("blanks") != std::string::npos);
  CHECK(fault(std::string_view("http://a\r\nX:1")).find("\\x0d") != std::string::npos);
}

TEST_CASE("a password in a URL is refused and not repeated") {
  for (const char* url :
       {"http://me:hunter2@a:1", "http://me:x/hunter2@a:1", "http://me:hunter2?@a:1", "http://me:hunter2,x@a:1"}) {
    const std::string sentence = fault(url);
    CHECK(sentence.find("--password-file") != std::string::npos);
    CHECK(sentence.find("hunter2") == std::string::npos);
  }
}

TEST_CASE("the origin of a URL") {
  CHECK(origin_of("http://a:1/queues/q?x=1") == "http://a:1");
  CHECK(origin_of("https://A/x") == "https://a:443");
  CHECK(origin_of("http://a") == "http://a:80");
}

std::map<std::string, std::string> variables;

std::optional<std::string> variable(const char* name) {
  const auto found = variables.find(name);
  return found == variables.end() ? std::nullopt : std::optional(found->second);
}

Result<ClusterSettings> settings(const std::vector<std::string>& words) {
  return settings_of(std::get<Invocation>(parse_arguments(words)), variable);
}

TEST_CASE("options come before the environment, and that before the defaults") {
  variables = {};
  auto plain = settings({"status"});
  REQUIRE(plain);
  CHECK(plain->endpoints == std::vector<std::string>{"http://127.0.0.1:8080"});
  CHECK(plain->endpoints_from == "the default");
  CHECK(plain->timeout == 30'000);

  variables = {{"WORMHOLE_ENDPOINTS", "http://e:1"}, {"WORMHOLE_PASSWORD", "secret"}, {"WORMHOLE_INSECURE", "1"}};
  auto from_environment = settings({"status", "--timeout", "5s"});
  REQUIRE(from_environment);
  CHECK(from_environment->endpoints == std::vector<std::string>{"http://e:1"});
  CHECK(from_environment->endpoints_from == "WORMHOLE_ENDPOINTS");
  CHECK(from_environment->trust.password == "secret");
  CHECK(from_environment->trust.insecure);
  CHECK(from_environment->timeout == 5'000);

  auto given = settings({"status", "--endpoints", "http://o:1"});
  REQUIRE(given);
  CHECK(given->endpoints == std::vector<std::string>{"http://o:1"});
  CHECK(given->endpoints_from == "--endpoints");
  variables = {};
}

TEST_CASE("settings that are not good") {
  variables = {};
  CHECK(settings({"status", "--endpoints", ""}).error().find("no endpoint is given") == 0);
  CHECK(settings({"status", "--password-file", "/nowhere/x"}).error() ==
        "cannot read the password from /nowhere/x: No such file or directory");
  CHECK(settings({"status", "--cacert", "/nowhere/x"}).error() ==
        "--cacert: cannot read /nowhere/x: No such file or directory");
  CHECK(settings({"status", "--cert", "/dev/null"}).error().find("go together") != std::string::npos);
  CHECK(settings({"status", "--timeout", "0"}).error() == "a timeout must be above 0");
  variables = {{"WORMHOLE_ENDPOINTS", "gopher://x"}};
  CHECK(settings({"status"}).error() ==
        "the endpoint 'gopher://x' begins with neither http:// nor https:// (from WORMHOLE_ENDPOINTS)");
  variables = {};
}

}  // namespace
}  // namespace wh::cli
