// The one table of directives. Parsing, --help, CONFIG GET and CONFIG SET come from it, and so does the test that
// compares conf/wormhole.conf with it. A new directive is a field in options.h, a row here and a paragraph in the conf
// file. Pure; called by the config loader, the command line and the debug port's CONFIG.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "config/options.h"

namespace wh::config {

enum class OptionType {
  flag,     // yes or no
  choice,   // one of `choices`
  integer,  // `min` to `max`
  memory,   // bytes, with a unit; `min` to `max`
  text,     // one value, any bytes but NUL
  secret,   // like text; never shown in logs and errors
  list,     // up to `max` values, each of which passes `check`
  include,  // not an option: the config loader reads another file
};

// How the table accesses a field that holds a number: an integer of any width, a bool, an enum.
struct NumberField {
  void (*set)(Options&, uint64_t);
  uint64_t (*get)(const Options&);
};
using TextField = std::string Options::*;
using ListField = std::vector<std::string> Options::*;

// Which part of the program applies a change at run time (CONFIG SET). The server has a function for each; a part that
// reads the options at every use needs none.
enum class OptionPart : uint8_t {
  fixed,        // none: the option cannot be changed
  use,          // no part: each use reads the option again
  log,          // level and format
  descriptors,  // how many are reserved for clients; may find that there are too few
  listeners,    // the sockets that clients connect to
  buffers,      // the memory that clients may hold
  node,         // see server/node_options.h
  fronts,       // HTTP and the debug port
};
inline constexpr size_t kOptionParts = 8;

struct OptionSpec {
  std::string_view section;  // a heading of --help and of the conf file
  std::string_view name;
  OptionType type = OptionType::text;
  std::variant<std::monostate, NumberField, TextField, ListField> field;
  std::string_view doc;      // one line, without a full stop
  std::string_view choices;  // "yes|no|optional", in the order of the enum
  uint64_t min = 0;
  uint64_t max = 0;
  Status (*check)(std::string_view) = nullptr;  // for a text that is not empty; for each element of a list
  bool may_be_off = false;                      // a number: whether -1 is allowed besides `min` to `max`
  bool may_be_empty = true;                     // a text: whether "" is allowed
  OptionPart applied_by = OptionPart::fixed;    // the part that applies a change by CONFIG SET
  bool is_path = false;                         // a relative path starts at the directory the server is started in
  std::string_view seed_environment;  // a second environment variable that sets it (conf/wormhole.conf); empty: none

  [[nodiscard]] constexpr bool changeable() const { return applied_by != OptionPart::fixed; }
};

std::span<const OptionSpec> option_table();

// The directive with this name, in either case; null when there is none.
const OptionSpec* find_option(std::string_view name);

// The known name most likely meant by `name`; empty when none is near.
std::string_view nearest_option(std::string_view name);

// Whether the text after `name` must not be shown: `name` is a secret's, or may be a misspelling of one.
bool hides_value(std::string_view name);

// Whether a directive's name, or a misspelt one, may hold this character. Any other character ends the name: in
// `requirepass:hunter2` a value follows.
bool is_name_character(char c);

// An unknown name in the form that errors may show: cut when long, escaped, and without a value joined to it.
std::string shown_name(std::string_view name);

// Sets the option from the words of a directive. The error is a sentence that names the directive, never the value, and
// leaves the options unchanged. Not for `include`.
Status assign_option(Options& options, const OptionSpec& spec, std::span<const std::string> words);

// Splits a value given as one string (CONFIG SET, the environment): a list at blanks, any other type not at all.
std::vector<std::string> option_words(const OptionSpec& spec, std::string_view value);

// Shown in place of every secret; an empty secret is shown as empty.
inline constexpr std::string_view kSecretMask = "***";

// The value as CONFIG GET shows it: numbers in their smallest unit, lists separated by spaces, kSecretMask for a
// secret.
std::string option_text(const Options& options, const OptionSpec& spec);

// The default as the documentation writes it: sizes with units, `""` for an empty text. Empty for `include`.
std::string default_text(const OptionSpec& spec);

// Prepends `start` to every relative path, for a process that leaves the directory it was started in.
void make_paths_absolute(Options& options, const std::string& start);

// CONFIG GET: names and values whose name matches the pattern (glob_pattern.h), in the order of the table.
std::vector<std::pair<std::string, std::string>> get_options(const Options& options, std::string_view pattern);

// CONFIG SET: refuses a name that is unknown or not changeable, and a value that is malformed or contradicts other
// options. An error leaves the options unchanged.
Status set_option(Options& options, std::string_view name, std::string_view value);

}  // namespace wh::config
