// Runs wormhole-cli against servers of a test.
#pragma once

#include <string>

#include <doctest/doctest.h>

#include "harness.h"

namespace wh::testing {

struct Cli {
  const TempDir& dir;
  std::string endpoints;      // a list of URLs
  std::string environment{};  // "NAME=VALUE " before the program

  // `arguments` are split by the shell; `after` follows them: a redirection, a pipe.
  [[nodiscard]] std::string line(const std::string& arguments) const {
    return environment + "WORMHOLE_ENDPOINTS='" + endpoints + "' '" + WORMHOLE_CLI + "' " + arguments;
  }
  [[nodiscard]] Output run(const std::string& arguments) const { return sh(dir, line(arguments)); }
  // With that on its standard input.
  [[nodiscard]] Output run_with(const std::string& input, const std::string& arguments) const {
    return sh(dir, line(arguments) + " <'" + dir.write("input", input) + "'");
  }
  // What it printed; fails the test unless it ended with status 0.
  [[nodiscard]] std::string out(const std::string& arguments) const {
    const Output output = run(arguments);
    CHECK_MESSAGE(output.status == 0, arguments << ": " << output.err);
    return output.out;
  }
};

inline std::string urls(const Servers& servers) {
  std::string out;
  for (const Server* server : servers) out += (out.empty() ? "" : ",") + server->url();
  return out;
}

}  // namespace wh::testing
