// Idempotency keys at the API: which headers are valid keys, and what makes two requests under one key different.
// tests/unit/machine tests how the state handles them.
#include <doctest/doctest.h>

#include "api/http/inputs.h"
#include "api/operations.h"
#include "security/sha256.h"

using namespace wh;
using namespace wh::api;

namespace {

machine::Fingerprint fingerprint_of(const Write& write, const std::string& request) {
  const std::string command = encode(write, Idempotency{"key", request});
  const auto decoded = machine::decode(command);
  REQUIRE(decoded.ok());
  REQUIRE(decoded->idempotency);
  CHECK(decoded->idempotency->key == "key");
  return decoded->idempotency->fingerprint;
}

http::Request with_keys(const std::vector<std::string>& keys) {
  http::Request request;
  for (const std::string& key : keys) request.headers.push_back({"idempotency-KEY", key});
  return request;
}

}  // namespace

TEST_CASE("SHA-256 of parts: how the bytes are cut counts") {
  const std::string_view one[] = {"ab", "c"};
  const std::string_view other[] = {"a", "bc"};
  CHECK(security::sha256(one) == security::sha256(one));
  CHECK(security::sha256(one) != security::sha256(other));
}

TEST_CASE("a fingerprint is of all that gives a request its meaning") {
  const auto first = fingerprint_of(machine::Enqueue{"event", "e"}, "POST /event");
  CHECK(first == fingerprint_of(machine::Enqueue{"event", "e"}, "POST /event"));
  CHECK(first != fingerprint_of(machine::Enqueue{"event", "f"}, "POST /event"));
  CHECK(first != fingerprint_of(machine::Enqueue{"other", "e"}, "POST /event"));
  CHECK(first != fingerprint_of(machine::Enqueue{"event", "e"}, "PUT /event"));
  CHECK(first != machine::Fingerprint{});
  CHECK(fingerprint_of(machine::Dequeue{"event", {}}, "DELETE /event") !=
        fingerprint_of(machine::Dequeue{"event", 4}, "DELETE /event"));
  // The same keys by another path would be answered otherwise.
  CHECK(fingerprint_of(machine::Set{{{"k", "v"}}}, "POST /key") !=
        fingerprint_of(machine::Set{{{"k", "v"}}}, "POST /set"));
}

TEST_CASE("a write without a key is a command of the first version") {
  CHECK(machine::version_needed(encode(machine::Enqueue{"event", "e"}, std::nullopt)) == kFirstVersion);
  CHECK(machine::version_needed(encode(machine::Enqueue{"event", "e"}, Idempotency{"k", "r"})) == 2);
}

TEST_CASE("an Idempotency-Key is one, of 1 to 255 printable characters, where an answer is kept") {
  const RouteInputs keeps{.idempotency = true};
  const auto key_of = [&](const std::vector<std::string>& keys) { return idempotency_key_of(keeps, with_keys(keys)); };
  CHECK_FALSE(key_of({})->has_value());
  CHECK(**key_of({"a key, with blanks"}) == "a key, with blanks");
  CHECK(**key_of({std::string(255, 'k')}) == std::string(255, 'k'));
  for (const auto& bad : {std::vector<std::string>{""},
                          {std::string(256, 'k')},
                          {"tab\tin it"},
                          {"\xc3\xa9"},
                          {"one", "two"},
                          {"same", "same"}}) {
    const auto refused = key_of(bad);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().kind == RefusalKind::malformed);
  }
  CHECK_FALSE(idempotency_key_of(RouteInputs{}, with_keys({"k"})).ok());
  CHECK(idempotency_key_of(RouteInputs{}, with_keys({})).ok());
}
