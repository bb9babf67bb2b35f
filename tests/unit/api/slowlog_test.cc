#include "api/slowlog.h"

#include <doctest/doctest.h>

#include "api/debug/commands.h"

namespace wh::api {

TEST_CASE("what is slow: as much as the directive says; 0: everything, -1: nothing") {
  config::Options options;
  SlowLog log(options);
  CHECK_FALSE(log.is_slow(9'999));
  CHECK(log.is_slow(10'000));
  options.slowlog_slower_than_us = 0;
  CHECK(log.is_slow(0));
  options.slowlog_slower_than_us = -1;
  CHECK_FALSE(log.is_slow(UINT64_MAX));
  options.slowlog_slower_than_us = 0;
  options.slowlog_max_len = 0;
  CHECK_FALSE(log.is_slow(1));
}

TEST_CASE("the newest first, no more than the directive says, ids that are never used twice") {
  config::Options options;
  options.slowlog_max_len = 3;
  SlowLog log(options);
  for (int i = 0; i < 5; ++i) log.add(20'000, {"get", std::to_string(i)}, "127.0.0.1", "");
  REQUIRE(log.size() == 3);
  const auto entries = log.newest(2);
  REQUIRE(entries.size() == 2);
  CHECK(entries[0].id == 4);
  CHECK(entries[0].arguments[1] == "4");
  CHECK(entries[1].id == 3);
  CHECK(log.newest(SIZE_MAX).size() == 3);
  log.reset();
  CHECK(log.size() == 0);
  log.add(20'000, {"get", "x"}, "127.0.0.1", "");
  CHECK(log.newest(1)[0].id == 5);
}

TEST_CASE("words are clipped as Redis clips them") {
  config::Options options;
  SlowLog log(options);
  std::vector<std::string> words(40, "w");
  words[1] = std::string(200, 'x');
  const auto kept = SlowLog::words_of(log.clipped(words));
  REQUIRE(kept.size() == 32);
  CHECK(kept[1] == std::string(128, 'x') + "... (72 more bytes)");
  CHECK(kept[31] == "... (9 more arguments)");
  CHECK(SlowLog::words_of(log.clipped(std::vector<std::string>(32, "w"))).back() == "w");
  options.slowlog_slower_than_us = -1;
  CHECK(log.clipped(words).empty());
}

TEST_CASE("passwords and secret directives are not shown") {
  const auto shown = [](const debug::Command& command, std::vector<std::string> words) {
    hide_secrets(command, words);
    return words;
  };
  const debug::Command auth{.name = "auth", .builtin = debug::Builtin::auth};
  const debug::Command config{.name = "config"};
  using Words = std::vector<std::string>;
  CHECK(shown(auth, {"AUTH", "user", "secret"}) == Words{"AUTH", "(redacted)", "(redacted)"});
  const debug::Command hello{.name = "hello", .builtin = debug::Builtin::hello};
  CHECK(shown(hello, {"HELLO", "3", "AUTH", "default", "secret"}) ==
        Words{"HELLO", "3", "(redacted)", "(redacted)", "(redacted)"});
  CHECK(shown(config, {"CONFIG", "Set", "REQUIREPASS", "secret"}) ==
        Words{"CONFIG", "Set", "REQUIREPASS", "(redacted)"});
  // What may be a mistyped name of one, too.
  CHECK(shown(config, {"config", "set", "requirepas", "secret"}).back() == "(redacted)");
  CHECK(shown(config, {"config", "set", "maxclients", "10"}).back() == "10");
  CHECK(shown(config, {"config", "get", "requirepass"}).back() == "requirepass");
  CHECK(shown({.name = "get"}, {"get", "secret"}).back() == "secret");
}

}  // namespace wh::api
