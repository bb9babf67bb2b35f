// What stops a start: ConfigError, and how a line of a config may be shown without giving a secret away. Made by the
// config parser, the loader and the command line; printed by main.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace wh {

struct ConfigError {
  std::string source;    // a file's path, "standard input", "environment", "command line"
  size_t line = 0;       // from 1; 0 when there are no lines
  std::string text;      // shown_line(); empty when it is about the source as a whole
  std::string expected;  // what was expected there; never holds a secret

  // As Redis prints it, over several lines, no newline at the end.
  [[nodiscard]] std::string to_string() const;
};

// A line as errors may show it: cut when long, escaped, and nothing after the name of a secret (or what may be one).
// A line of a file, `--name value` or `WORMHOLE_NAME=value`.
std::string shown_line(std::string_view line);

}  // namespace wh
