// How large a write may be: the largest command on every surface, one byte more, and that no directive lets a client
// come near it.
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "../../issues/node_bench.h"
#include "api/debug/commands.h"
#include "api/http/routes.h"
#include "config/option_table.h"
#include "machine/command/command.h"
#include "wire/frame.h"

namespace wh {
namespace {

// A second value that makes MSET a VALUE b THIS a command of kMaxCommandBytes: beside the values there are the kind,
// the count, and for each pair two lengths and a key of one byte.
std::string rest_beside(const std::string& value) {
  const size_t around = machine::kEnvelopeBytes + 5 + size_t{2} * 9;
  return std::string(machine::kMaxCommandBytes - around - value.size(), 'x');
}

CommandBegun mset(std::vector<std::string> arguments) {
  const node::Bench bench(node::bench_options(), node::empty_disk());
  const Options options;
  SlowLog slow_log(options);
  const CommandContext context{options, bench.node, {}, {}, {}, slow_log};
  for (const CommandSpec& spec : command_specs())
    if (spec.command.name == "mset") return spec.begin(context, arguments);
  return std::string("no such command");
}

}  // namespace

TEST_CASE("the largest command is taken, and one byte more is 413 over HTTP and an error on the debug port") {
  static_assert(machine::kMaxCommandBytes <= wire::kMaxPayloadBytes, "it must fit a frame between nodes");
  const std::string value(machine::kMaxValueBytes, 'x');
  const std::string rest = rest_beside(value);

  RouteBegun begun = write_call(machine::Set{{{"a", value}, {"b", rest}}}, {});
  REQUIRE(std::holds_alternative<RouteCall>(begun));
  CHECK(std::get<RouteCall>(begun).call.command.size() + machine::kEnvelopeBytes == machine::kMaxCommandBytes);
  begun = write_call(machine::Set{{{"a", value}, {"b", rest + "x"}}}, {});
  REQUIRE(std::holds_alternative<http::Response>(begun));
  CHECK(std::get<http::Response>(begun).status == 413);
  // One value that is too large is another matter.
  begun = write_call(machine::Set{{{"a", value + "x"}}}, {});
  REQUIRE(std::holds_alternative<http::Response>(begun));
  CHECK(std::get<http::Response>(begun).status == 400);

  CHECK_FALSE(std::holds_alternative<std::string>(mset({"MSET", "a", value, "b", rest})));
  const CommandBegun refused = mset({"MSET", "a", value, "b", rest + "x"});
  REQUIRE(std::holds_alternative<std::string>(refused));
  CHECK(std::get<std::string>(refused).starts_with("-ERR one request has at most "));
  CHECK(std::get<std::string>(refused).find("send it in parts") != std::string::npos);
}

TEST_CASE("what http-max-body allows at its largest is no command over the bound") {
  const OptionSpec* option = find_option("http-max-body");
  REQUIRE(option != nullptr);
  // In JSON a pair takes six bytes beside its texts, `"":"",`, which no escape makes longer when it is read; on the
  // debug port, which takes 64 KiB more than a body, at least as many. Encoded it takes eight, its two lengths.
  CHECK(option->max + (64 << 10) + machine::kMaxItems * 8 + machine::kEnvelopeBytes + 5 <= machine::kMaxCommandBytes);
}

}  // namespace wh
