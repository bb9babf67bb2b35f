// The one table of directives. From it come: parsing, --help, CONFIG GET and CONFIG SET, and the test that compares
// conf/wormhole.conf with it. A new directive is a field in options.h, a row here and a paragraph in the conf file.
// Pure; called by the config loader, the command line and the debug port's CONFIG.
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

namespace wh {

enum class OptionType {
  flag,     // yes or no
  choice,   // one of `choices`
  integer,  // `min` to `max`
  memory,   // bytes, with a unit; `min` to `max`
  text,     // one value, any bytes but NUL
  secret,   // as text; never shown in logs and errors
  list,     // up to `max` values, each of which passes `check`
  include,  // no option: reads another file; the config loader's business
};

// How the table reaches a field that is a number in some sense: an integer of any width, a bool, an enum.
struct NumberField {
  void (*set)(Options&, uint64_t);
  uint64_t (*get)(const Options&);
};
using TextField = std::string Options::*;
using ListField = std::vector<std::string> Options::*;

// Which part of the program takes a change at run time (CONFIG SET). The server has a function for each; a part that
// looks at the options at every use needs none.
enum class OptionPart : uint8_t {
  fixed,        // none: it cannot be changed
  use,          // whoever uses it looks at it anew each time
  log,          // level and format
  descriptors,  // how many are kept for clients; may find that there are too few
  listeners,    // the sockets of clients
  buffers,      // what clients may hold
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
  Status (*check)(std::string_view) = nullptr;  // of a text that is not empty; of every element of a list
  bool may_be_off = false;                      // a number: whether -1 is one too, beside `min` to `max`
  bool may_be_empty = true;                     // a text: whether "" is a value
  OptionPart applied_by = OptionPart::fixed;    // of a change at run time, by CONFIG SET
  bool is_path = false;                         // a relative one starts at the directory the server is started in
  std::string_view seed_environment;            // the name that the seeds' environments have for it

  [[nodiscard]] constexpr bool changeable() const { return applied_by != OptionPart::fixed; }
};

std::span<const OptionSpec> option_table();

// The directive of this name, in either case; null when there is none.
const OptionSpec* find_option(std::string_view name);

// The known name that `name` is most likely meant to be; empty when none is near.
std::string_view nearest_option(std::string_view name);

// Whether what stands after `name` must not be shown: a secret, or what may be a mistyped name of one.
bool hides_value(std::string_view name);

// Whether a directive's name, or a mistyped one, may hold this character. Any other one ends the name: in
// `requirepass:hunter2` a value follows.
bool is_name_character(char c);

// An unknown name as errors may show it: cut when long, escaped, and nothing of a value that stands in one word with
// it.
std::string shown_name(std::string_view name);

// Sets the option from the words of a directive. The error is a sentence that names the directive and never the value;
// the options are unchanged then. Not for `include`.
Status assign_option(Options& options, const OptionSpec& spec, std::span<const std::string> words);

// A value in one string (CONFIG SET, the environment): the words of a list are split at blanks, else it is taken whole.
std::vector<std::string> option_words(const OptionSpec& spec, std::string_view value);

// What stands for a secret wherever it would be shown; one that is empty is shown as empty.
inline constexpr std::string_view kSecretMask = "***";

// The value as CONFIG GET shows it: numbers in their smallest unit, lists with spaces between, kSecretMask for a
// secret.
std::string option_text(const Options& options, const OptionSpec& spec);

// The default as the documentation writes it: sizes with units, `""` for an empty one. Empty for `include`.
std::string default_text(const OptionSpec& spec);

// Puts `start` before every relative path, for a process that leaves the directory it was started in.
void make_paths_absolute(Options& options, const std::string& start);

// CONFIG GET: names and values whose name matches the pattern (glob_pattern.h), in the order of the table.
std::vector<std::pair<std::string, std::string>> get_options(const Options& options, std::string_view pattern);

// CONFIG SET: refuses what is unknown, not changeable, malformed, or contradicts the other options. The options are
// unchanged on an error.
Status set_option(Options& options, std::string_view name, std::string_view value);

}  // namespace wh
