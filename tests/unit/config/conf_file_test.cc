// conf/wormhole.conf is the manual: it has every directive of the table, once, with its default and its marks.
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "config/loader.h"
#include "config/option_table.h"
#include "config/parser.h"

using namespace wh;
using namespace wh::config;

namespace {

struct Documented {
  std::string name;
  std::string line;     // without the '#'
  std::string prose;    // the comment above
  std::string section;  // the heading above
};

std::string conf_text() {
  std::ifstream file(WORMHOLE_CONF, std::ios::binary);
  REQUIRE(file.good());
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// The directives in the order of the file; those that stand together share the comment above the first.
std::vector<Documented> documented() {
  std::vector<Documented> found;
  std::stringstream text(conf_text());
  std::string prose;
  std::string section;
  bool after_directive = false;
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with("##")) {
      prose.clear();
      const size_t begin = line.find_first_not_of("# ");
      const size_t end = line.find_last_not_of("# ");
      REQUIRE(begin != std::string::npos);
      section = line.substr(begin, end - begin + 1);
    } else if (line.size() > 1 && line[0] == '#' && line[1] != ' ') {
      const std::string directive = line.substr(1);
      found.push_back({directive.substr(0, directive.find(' ')), directive, prose, section});
      after_directive = true;
      continue;
    } else {
      CHECK_MESSAGE((line.empty() || line[0] == '#'), line);
      if (after_directive) prose.clear();
      prose += line + "\n";
    }
    after_directive = false;
  }
  return found;
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

std::variant<Loaded, ConfigError> load_text(const std::string& text) {
  Sources sources;
  sources.config = "wormhole.conf";
  return load(sources, {[&](const std::string&) { return Result<std::string>(text); }, {}});
}

}  // namespace

TEST_CASE("wormhole.conf: names, order, sections, defaults and marks are the table's") {
  std::vector<std::string> expected;
  for (const OptionSpec& spec : option_table()) {
    if (spec.type != OptionType::include) expected.emplace_back(spec.name);
  }
  std::vector<std::string> names;
  for (const Documented& entry : documented()) {
    CAPTURE(entry.line);
    names.push_back(entry.name);
    const OptionSpec* spec = find_option(entry.name);
    REQUIRE(spec != nullptr);
    CHECK(entry.line == std::string(spec->name) + " " + default_text(*spec));
    CHECK(entry.section == spec->section);
    CHECK(has(entry.prose, "(changeable at run time)") == spec->changeable());
    CHECK(entry.prose.size() > 40);
  }
  CHECK(names == expected);
}

TEST_CASE("wormhole.conf: as it is, and with every default switched on, it loads to the defaults") {
  std::string switched_on;
  for (const Documented& entry : documented()) switched_on += entry.line + "\n";
  for (const std::string& text : {conf_text(), switched_on}) {
    const auto loaded = load_text(text);
    if (const auto* error = std::get_if<ConfigError>(&loaded)) FAIL(error->to_string());
    const auto& config = std::get<Loaded>(loaded);
    CHECK(get_options(config.options, "*") == get_options(Options(), "*"));
    CHECK(config.notices.empty());
  }
}

TEST_CASE("wormhole.conf: its examples are right") {
  std::stringstream text(conf_text());
  size_t examples = 0;
  for (std::string line; std::getline(text, line);) {
    CHECK_MESSAGE(line.size() <= 80, line);
    if (!line.starts_with("#   ")) continue;
    const auto words = split_words(line.substr(4));
    if (!words.ok() || words->size() < 2) continue;
    const OptionSpec* spec = find_option(words->at(0));
    if (spec == nullptr || spec->type == OptionType::include) continue;
    CAPTURE(line);
    Options options;
    CHECK(assign_option(options, *spec, std::vector<std::string>(words->begin() + 1, words->end())).ok());
    ++examples;
  }
  CHECK(examples > 15);
}
