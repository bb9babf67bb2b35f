// Puts the options together: defaults, then the config file with what it includes, then the environment, then the
// command line; checks the result. Touches files only through ConfigFiles. Called by main at the start.
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

namespace wh {

// How the loader reaches the file system; config_files.h has the real one.
struct ConfigFiles {
  // The whole text of a file ("-": standard input). The error says why not, without the path.
  std::function<Result<std::string>(const std::string& path)> read;
  // The files that match a pattern with `*`, `?` or `[`, sorted; none is no error.
  std::function<std::vector<std::string>(const std::string& pattern)> expand;
};

// One `--name value ...` of the command line.
struct GivenDirective {
  std::string name;
  std::vector<std::string> values;
};

struct ConfigSources {
  std::string config;  // a path, "-", or empty: no file
  std::vector<std::pair<std::string, std::string>> environment;
  std::vector<GivenDirective> directives;
};

struct LoadedConfig {
  Options options;
  std::vector<std::string> notices;          // to be logged, in order
  std::set<std::string_view> set_somewhere;  // the directives that any source set, if only to their default
};

// Relative `include` paths start at the folder of the file that includes them (at the current one for standard input,
// environment and command line). Includes nest 8 deep at most and never in a circle.
std::variant<LoadedConfig, ConfigError> load_config(const ConfigSources& sources, const ConfigFiles& files);

}  // namespace wh
