// Combines the options: defaults, then the config file and its includes, then the environment, then the command line;
// checks the result. Reads files only through config::Files. Called by main at the start.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "config/error.h"
#include "config/options.h"

namespace wh::config {

// How the loader reaches the file system; config/files.h has the real functions.
struct Files {
  // Reads the whole text of a file ("-": standard input). The error gives the reason, without the path.
  std::function<Result<std::string>(const std::string& path)> read;
  // Lists the files that match a pattern with `*`, `?` or `[`, sorted; no match is not an error.
  std::function<std::vector<std::string>(const std::string& pattern)> expand;
};

// One `--name value ...` of the command line.
struct GivenDirective {
  std::string name;
  std::vector<std::string> values;
};

struct Sources {
  std::string config;  // a path, "-" for standard input, or empty: no file
  std::vector<std::pair<std::string, std::string>> environment;
  std::vector<GivenDirective> directives;
};

struct Loaded {
  Options options;
  std::vector<std::string> notices;          // to be logged, in order
  std::set<std::string_view> set_somewhere;  // the directives that any source set, even to their default
};

// Relative `include` paths start at the folder of the including file (at the current folder for standard input,
// environment and command line). Includes nest at most 8 deep and never in a circle.
std::variant<Loaded, ConfigError> load(const Sources& sources, const Files& files);

}  // namespace wh::config
