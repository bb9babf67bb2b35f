#include "config/parser.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "../../rounds.h"
#include "base/prng.h"

using namespace wh;
using namespace wh::config;
using namespace std::string_literals;

namespace {
using Words = std::vector<std::string>;

std::vector<Line> good(std::string_view text) {
  auto parsed = parse("test.conf", text);
  if (const auto* error = std::get_if<ConfigError>(&parsed)) FAIL(error->to_string());
  return std::get<std::vector<Line>>(parsed);
}

ConfigError bad(std::string_view text) {
  auto parsed = parse("test.conf", text);
  REQUIRE(std::holds_alternative<ConfigError>(parsed));
  return std::get<ConfigError>(parsed);
}
bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }
}  // namespace

TEST_CASE("words: quotes and escapes, as Redis reads them") {
  struct Case {
    const char* line;
    Words words;
  };
  const Case cases[] = {
      {"", {}},
      {"  \t ", {}},
      {"port 80", {"port", "80"}},
      {"\t port\t\t80  ", {"port", "80"}},
      {R"(a "b c" d)", {"a", "b c", "d"}},
      {R"(a "" '')", {"a", "", ""}},
      {R"("\n\r\t\b\a\\\"")", {"\n\r\t\b\a\\\""}},
      {R"("\x41\x7a\xFF")", {"Az\xff"}},
      {R"("\x4")", {"x4"}},
      {R"("\xzz")", {"xzz"}},
      {R"("\q")", {"q"}},
      {R"('it\'s \n "raw"')", {R"(it's \n "raw")"}},
      {R"("it's")", {"it's"}},
      {R"(foo"bar baz")", {"foobar baz"}},
      {R"(back\slash)", {R"(back\slash)"}},
      {R"(-::1 a=b #x)", {"-::1", "a=b", "#x"}},
  };
  for (const Case& c : cases) {
    CAPTURE(c.line);
    const auto words = split_words(c.line);
    REQUIRE(words.ok());
    CHECK(*words == c.words);
  }
  for (const char* line :
       {"\"", "'", "a \"b", "a 'b", "\"a\\", "\"a\\\"", "'a\\'", "\"a\"b", "'a'b", "\"a\"\"b\"", "x\"y\"z"}) {
    CAPTURE(line);
    const auto words = split_words(line);
    REQUIRE_FALSE(words.ok());
    CHECK(has(words.error(), "unbalanced quotes"));
  }
}

TEST_CASE("config text: comments, blank lines, both line ends") {
  const auto lines = good("# a comment\n\n   # another\r\nport 80\r\n\t bind  ::1 \ndir 'a b'");
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].number == 4);
  CHECK(lines[0].words == Words{"port", "80"});
  CHECK(lines[1].number == 5);
  CHECK(lines[1].text == "bind  ::1");
  CHECK(lines[2].words == Words{"dir", "a b"});
  CHECK(good("").empty());
  CHECK(good("\n\n").empty());
  CHECK(good("#").empty());
}

TEST_CASE("HAZARDS K7: a byte order mark is skipped, UTF-16 refused") {
  CHECK(good("\xef\xbb\xbfport 80\n").at(0).words == Words{"port", "80"});
  CHECK(good("\xef\xbb\xbf").empty());
  CHECK(good("\n\xef\xbb\xbfport 80").at(0).words[0] != "port");  // only at the start
  CHECK(has(bad(std::string_view("\xff\xfep\0o\0", 6)).expected, "UTF-16"));
  CHECK(has(bad(std::string_view("\xfe\xff\0p", 4)).expected, "UTF-16"));
}

TEST_CASE("HAZARDS K7: NUL, lone carriage returns, long lines and long files are refused") {
  const ConfigError nul = bad(std::string_view("port 80\ndir a\0b\n", 16));
  CHECK(nul.line == 2);
  CHECK(nul.text == "dir a\\x00b");
  CHECK(has(nul.expected, "NUL"));
  CHECK(bad(std::string_view("# \0", 3)).line == 1);

  CHECK(has(bad("# all one comment\rport 80\r").expected, "carriage return"));
  CHECK(good("port 80\r").at(0).words == Words{"port", "80"});

  const std::string longest = "dir " + std::string(kMaxLineSize - 4, 'x');
  CHECK(good(longest + "\n").size() == 1);
  const ConfigError too_long = bad("\n" + longest + "x\n");
  CHECK(too_long.line == 2);
  CHECK(too_long.text.size() < 300);
  CHECK(has(too_long.expected, "8192"));

  std::string file;
  while (file.size() < kMaxFileSize) file += "#23456789abcdef\n";
  CHECK(good(file).empty());
  const ConfigError too_large = bad(file + "\n");
  CHECK(too_large.line == 0);
  CHECK(has(too_large.expected, "1mb"));
}

TEST_CASE("config errors: file, line number, the line itself, what was expected") {
  const ConfigError error = bad("port 80\n\n  dir \"abc\n");
  CHECK(error.to_string() ==
        "*** FATAL CONFIG FILE ERROR ***\ntest.conf:3: 'dir \"abc'\nunbalanced quotes: a closing \" is missing");
  CHECK((ConfigError{"x.conf", 0, "", "cannot"}).to_string() == "*** FATAL CONFIG FILE ERROR ***\nx.conf\ncannot");
}

TEST_CASE("config errors: never show a secret") {
  CHECK(shown_line("requirepass hunter2") == "requirepass ***");
  CHECK(shown_line("  REQUIREPASS\t\"hunter2") == "REQUIREPASS ***");
  CHECK(shown_line("\"requirepass\" hunter2") == "\"requirepass ***");
  CHECK(shown_line("--requirepass=hunter2") == "--requirepass ***");
  CHECK(shown_line("--cluster-secret hunter2") == "--cluster-secret ***");
  CHECK(shown_line("tls-key-file-pass hunter2") == "tls-key-file-pass ***");
  CHECK(shown_line("requirpas hunter2") == "requirpas ***");
  CHECK(shown_line("masterpassword hunter2") == "masterpassword ***");
  CHECK(shown_line("WORMHOLE_REQUIREPASS=hunter2") == "WORMHOLE_REQUIREPASS ***");
  CHECK(shown_line("port 80 requirepass hunter2") == "port 80 requirepass ***");
  CHECK(shown_line("port 80 'requirepass' hunter2") == "port 80 'requirepass ***");
  CHECK(shown_line("loglevel passive mode") == "loglevel passive mode");
  CHECK(shown_line("tls-port 1") == "tls-port 1");
  CHECK(shown_line("requirepass") == "requirepass");
  CHECK(shown_line("port 80") == "port 80");
  CHECK(shown_line("dir a\x01\xff") == "dir a\\x01\\xff");
  CHECK_FALSE(has(bad("requirepass \"hunter2\n").to_string(), "hunter2"));
  CHECK_FALSE(has(bad(std::string_view("requirepass hunter2\0", 20)).to_string(), "hunter2"));
  CHECK(shown_line(std::string(150, 'a') + std::string(100, 'b')).size() == 203);
  std::string wide = "x";
  while (wide.size() < 300) wide += "ж";
  CHECK_FALSE(has(shown_line(wide), "\\x"));
}

TEST_CASE("config text: random bytes never crash, and what parses is bounded by what was given") {
  Prng prng(7);
  const std::string alphabet = "\"'\\x4 \n\r\t#ab\0\xff-"s;
  for (unsigned round = 0, last = wh::testing::rounds(20000); round < last; ++round) {
    std::string text;
    for (uint64_t n = prng.below(60); n > 0; --n) {
      text += prng.below(4) == 0 ? static_cast<char>(prng.below(256)) : alphabet[prng.below(alphabet.size())];
    }
    const auto parsed = parse("random", text);
    if (const auto* lines = std::get_if<std::vector<Line>>(&parsed)) {
      size_t size = 0;
      for (const Line& line : *lines) {
        CHECK_FALSE(line.words.empty());
        for (const std::string& word : line.words) size += word.size();
      }
      CHECK(size <= text.size());
    } else {
      CHECK_FALSE(std::get<ConfigError>(parsed).expected.empty());
    }
  }
}
