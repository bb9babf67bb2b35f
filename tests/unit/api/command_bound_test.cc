// How large a write may be: the largest command on every API, one byte more, and that no directive lets a client come
// near the limit.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "api/debug/commands.h"
#include "api/http/routes.h"
#include "config/option_table.h"
#include "machine/command/command.h"
#include "wire/frame.h"

namespace wh::api {
namespace {

// A second value that makes MSET a VALUE b THIS a command of kMaxCommandBytes: beside the values there are the kind,
// the count, and for each pair two lengths and a key of one byte.
std::string rest_beside(const std::string& value) {
  const size_t around = machine::kEnvelopeBytes + 5 + size_t{2} * 9;
  return std::string(machine::kMaxCommandBytes - around - value.size(), 'x');
}

// The refusal of MSET of these words, if any.
std::optional<Refusal> refused(std::vector<std::string> words) {
  for (const CommandSpec& spec : command_specs()) {
    if (spec.command.name != "mset") continue;
    const CommandBegun begun = spec.begin(words);
    REQUIRE(begun.ok());
    return check_bounds(begun->operations.at(0));
  }
  FAIL("no such command");
  return std::nullopt;
}

}  // namespace

TEST_CASE("the largest command is taken, and one byte more is 413 over HTTP and an error on the debug port") {
  static_assert(machine::kMaxCommandBytes <= wire::kMaxPayloadBytes, "it must fit a frame between nodes");
  const std::string value(machine::kMaxValueBytes, 'x');
  const std::string rest = rest_beside(value);
  CHECK(machine::encode_body(machine::Set{{{"a", value}, {"b", rest}}}).size() + machine::kEnvelopeBytes ==
        machine::kMaxCommandBytes);
  CHECK_FALSE(refused({"MSET", "a", value, "b", rest}));

  std::optional<Refusal> refusal = refused({"MSET", "a", value, "b", rest + "x"});
  REQUIRE(refusal);
  CHECK(refusal_response(*refusal, true).status == 413);
  CHECK(refusal_reply(*refusal, true).starts_with("-ERR one request has at most "));
  CHECK(refusal->sentence.find("send it in parts") != std::string::npos);
  // One value that is too large is another matter.
  refusal = refused({"MSET", "a", value + "x"});
  REQUIRE(refusal);
  CHECK(refusal_response(*refusal, true).status == 400);
}

TEST_CASE("what http-max-body allows at its largest is no command over the bound") {
  const config::OptionSpec* option = config::find_option("http-max-body");
  REQUIRE(option != nullptr);
  // In JSON a pair takes six bytes beside its texts, `"":"",`, which no escape makes longer when it is read; on the
  // debug port, which takes 64 KiB more than a body, at least as many. Encoded it takes eight, its two lengths.
  CHECK(option->max + (64 << 10) + machine::kMaxItems * 8 + machine::kEnvelopeBytes + 5 <= machine::kMaxCommandBytes);
}

}  // namespace wh::api
