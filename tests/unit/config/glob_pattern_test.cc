#include "config/glob_pattern.h"

#include <string>

#include <doctest/doctest.h>

#include "../../rounds.h"
#include "base/prng.h"

using wh::config::glob_matches;

TEST_CASE("glob: as Redis has them") {
  struct Case {
    const char* pattern;
    const char* text;
    bool matches;
  };
  const Case cases[] = {
      {"*", "", true},
      {"*", "port", true},
      {"", "", true},
      {"", "port", false},
      {"port", "port", true},
      {"PORT", "port", true},
      {"port", "PORT", true},
      {"por", "port", false},
      {"ports", "port", false},
      {"p?rt", "port", true},
      {"p?rt", "prt", false},
      {"????", "port", true},
      {"???", "port", false},
      {"*port", "raft-port", true},
      {"*port*", "announce-port-x", true},
      {"raft-*-*", "raft-log-cache", true},
      {"raft-*-*", "raft-port", false},
      {"a*b*c", "a1b2b3c", true},
      {"a*b*c", "a1b2b3d", false},
      {"*a*", "bbb", false},
      {"**", "x", true},
      {"[a-z]ort", "port", true},
      {"[a-n]ort", "port", false},
      {"[n-a]ort", "bort", true},
      {"[pq]ort", "port", true},
      {"[xyz]ort", "port", false},
      {"[^xyz]ort", "port", true},
      {"[^p]ort", "port", false},
      {"[P-P]ort", "port", true},
      {"[a-", "a", true},
      {"[", "a", false},
      {"[]", "a", false},
      {"[\\]]", "]", true},
      {"\\*", "*", true},
      {"\\*", "x", false},
      {"\\", "\\", true},
      {"port*", "port", true},
      {"*?", "p", true},
      {"*?", "", false},
  };
  for (const Case& c : cases) {
    CAPTURE(c.pattern);
    CAPTURE(c.text);
    CHECK(glob_matches(c.pattern, c.text) == c.matches);
  }
}

TEST_CASE("glob: many stars take no exponential time") {
  std::string pattern;
  for (int i = 0; i < 2000; ++i) pattern += "*a";
  CHECK_FALSE(glob_matches(pattern + "b", std::string(3000, 'a')));
  CHECK(glob_matches(pattern, std::string(3000, 'a')));
}

TEST_CASE("glob: letters as they are") {
  using wh::config::Letters;
  CHECK(glob_matches("a[B-C]*", "aBc", Letters::as_they_are));
  CHECK_FALSE(glob_matches("A*", "abc", Letters::as_they_are));
  CHECK_FALSE(glob_matches("a[B-C]*", "abc", Letters::as_they_are));
  CHECK_FALSE(glob_matches("\\B", "b", Letters::as_they_are));
}

TEST_CASE("glob: what all texts that match begin with") {
  using wh::config::glob_prefix;
  CHECK(glob_prefix("").empty());
  CHECK(glob_prefix("*a").empty());
  CHECK(glob_prefix("abc") == "abc");
  CHECK(glob_prefix("ab?c") == "ab");
  CHECK(glob_prefix("ab[c]") == "ab");
  CHECK(glob_prefix("a\\*b*") == "a*b");
  CHECK(glob_prefix("a\\") == "a\\");
}

TEST_CASE("glob: random patterns end") {
  wh::Prng prng(1);
  const std::string alphabet = "*?[]^-\\ab";
  for (unsigned round = 0, last = wh::testing::rounds(20000); round < last; ++round) {
    std::string pattern;
    std::string text;
    for (uint64_t n = prng.below(12); n > 0; --n) pattern += alphabet[prng.below(alphabet.size())];
    for (uint64_t n = prng.below(12); n > 0; --n) text += alphabet[prng.below(alphabet.size())];
    const bool matches = glob_matches(pattern, text);
    CHECK(glob_matches("*" + pattern, text) >= matches);
    if (glob_matches(pattern, text, wh::config::Letters::as_they_are))
      CHECK(text.starts_with(wh::config::glob_prefix(pattern)));
  }
}
