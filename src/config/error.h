// ConfigError, which makes a start fail, and how a line of a config is shown without revealing a secret. Made by the
// config parser, the loader and the command line; printed by main.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace wh::config {

struct ConfigError {
  std::string source;    // a file's path, "standard input", "environment", "command line"
  size_t line = 0;       // from 1; 0 when the source has no lines
  std::string text;      // shown_line(); empty when the error is about the source as a whole
  std::string expected;  // what was expected there; never holds a secret

  // As Redis prints it, on several lines, without a newline at the end.
  [[nodiscard]] std::string to_string() const;
};

// A line in the form that errors may show: cut when long, escaped, and without the text after the name of a secret (or
// a likely misspelling of one). `line`: a line of a file, `--name value` or `WORMHOLE_NAME=value`.
std::string shown_line(std::string_view line);

}  // namespace wh::config
