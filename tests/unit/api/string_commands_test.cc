// Redis's commands on strings and on when keys expire: each form of their arguments, and what is refused.
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "fixture.h"

namespace wh::api {
namespace {

using Words = std::vector<std::string>;

const std::string kOk = "+OK\r\n";
const std::string kNil = "$-1\r\n";
const std::string kSyntax = "-ERR syntax error\r\n";
const std::string kInteger = "-ERR value is not an integer or out of range\r\n";

using test::bulk;
std::string invalid_time(const std::string& command) {
  return "-ERR invalid expire time in '" + command + "' command\r\n";
}

struct Keys : test::Fronts {
  Keys() : Fronts(kLatestVersion) { pass(10'000); }
  // Of words separated by spaces.
  std::string run(const std::string& words) {
    Words split{""};
    for (const char c : words) {
      if (c == ' ')
        split.emplace_back();
      else
        split.back() += c;
    }
    return command(split);
  }
  [[nodiscard]] Millis cluster_time() const { return node.machine().cluster_time_ms(); }
  // Time goes on, and an entry says so.
  void pass(Millis ms) {
    wait(ms);
    run("append other x");
  }
};

}  // namespace

TEST_CASE("SET: each condition, in any order and case") {
  Keys keys;
  CHECK(keys.run("set k v xx") == kNil);
  CHECK(keys.run("get k") == kNil);
  CHECK(keys.run("SET k v Nx") == kOk);
  CHECK(keys.run("set k w nx") == kNil);
  CHECK(keys.run("get k") == bulk("v"));
  CHECK(keys.run("set k w XX") == kOk);
  CHECK(keys.run("set k x IFEQ v") == kNil);
  CHECK(keys.run("set none x ifeq v") == kNil);
  CHECK(keys.run("set k x ifeq w") == kOk);
  CHECK(keys.run("set k y get") == bulk("x"));
  CHECK(keys.run("set k z GET ifeq x") == bulk("y"));
  CHECK(keys.run("get k") == bulk("y"));
  CHECK(keys.run("set k z nx get") == bulk("y"));
  CHECK(keys.run("set new z get nx") == kNil);
  CHECK(keys.run("get new") == bulk("z"));
  CHECK(keys.run("set k  get") == bulk("y"));  // an empty value
  CHECK(keys.run("get k") == bulk(""));
  for (const char* wrong :
       {"set k v nx xx", "set k v xx nx", "set k v xx ifeq a", "set k v ifeq a nx", "set k v ifeq", "set k v ex",
        "set k v ex 10 px 10", "set k v ex 10 keepttl", "set k v keepttl exat 10", "set k v persist", "set k v what"})
    CHECK(keys.run(wrong) == kSyntax);
}

TEST_CASE("SET: each form of a time") {
  Keys keys;
  CHECK(keys.run("set k v ex 100") == kOk);
  CHECK(keys.run("ttl k") == ":100\r\n");
  CHECK(keys.run("set k v PX 2600 get") == bulk("v"));
  CHECK(keys.run("pttl k") == ":2600\r\n");
  CHECK(keys.run("ttl k") == ":3\r\n");
  const Millis later = keys.cluster_time() / 1'000 + 50;
  CHECK(keys.run("set k v nx exat " + std::to_string(later)) == kNil);
  CHECK(keys.run("set k v exat " + std::to_string(later)) == kOk);
  CHECK(keys.run("expiretime k") == ":" + std::to_string(later) + "\r\n");
  CHECK(keys.run("set k w keepttl") == kOk);
  CHECK(keys.run("pexpiretime k") == ":" + std::to_string(later) + "000\r\n");
  CHECK(keys.run("set k v pxat " + std::to_string(later * 1'000 + 7)) == kOk);
  CHECK(keys.run("pexpiretime k") == ":" + std::to_string(later) + "007\r\n");
  CHECK(keys.run("set k v ex 5 ex 7") == kOk);
  CHECK(keys.run("ttl k") == ":7\r\n");
  CHECK(keys.run("set k v") == kOk);
  CHECK(keys.run("ttl k") == ":-1\r\n");
  CHECK(keys.run("set k v pxat 5") == kOk);
  CHECK(keys.run("get k") == kNil);
  CHECK(keys.run("set k v px 100") == kOk);
  keys.pass(101);
  CHECK(keys.run("get k") == kNil);
  CHECK(keys.run("ttl k") == ":-2\r\n");
  for (const char* form : {"ex", "px", "exat", "pxat"}) {
    CAPTURE(form);
    const std::string set = "set k v " + std::string(form);
    for (const char* word : {"x", "", "1.5", "+1", "01", "9223372036854775808"})
      CHECK(keys.run(set + " " + word) == kInteger);
    CHECK(keys.run(set + " 0") == invalid_time("set"));
    CHECK(keys.run(set + " -1") == invalid_time("set"));
  }
  CHECK(keys.run("set k v ex 9223372036854775807") == invalid_time("set"));
  CHECK(keys.run("set k v px 9223372036854775807") == invalid_time("set"));
  CHECK(keys.run("set k v ex 400000000") ==
        "-ERR invalid expire time in 'set' command: at most ten years; EXPIREAT goes further\r\n");
  CHECK(keys.run("set k v exat 300000000000") ==
        "-ERR invalid expire time in 'set' command: the year 9999 is the last one\r\n");
  CHECK(keys.run("exists k") == ":0\r\n");
}

TEST_CASE("SETNX SETEX PSETEX GETSET GETDEL GETEX") {
  Keys keys;
  CHECK(keys.run("setnx k v") == ":1\r\n");
  CHECK(keys.run("setnx k w") == ":0\r\n");
  CHECK(keys.run("getset k w") == bulk("v"));
  CHECK(keys.run("getset new n") == kNil);
  CHECK(keys.run("setex k 10 x") == kOk);
  CHECK(keys.run("ttl k") == ":10\r\n");
  CHECK(keys.run("getset k w") == bulk("x"));
  CHECK(keys.run("ttl k") == ":-1\r\n");
  CHECK(keys.run("psetex k 10 x") == kOk);
  CHECK(keys.run("pttl k") == ":10\r\n");
  CHECK(keys.run("setex k 0 x") == invalid_time("setex"));
  CHECK(keys.run("psetex k -1 x") == invalid_time("psetex"));
  CHECK(keys.run("setex k x x") == kInteger);
  CHECK(keys.run("getex k") == bulk("x"));
  CHECK(keys.run("pttl k") == ":10\r\n");
  CHECK(keys.run("getex k EX 20") == bulk("x"));
  CHECK(keys.run("ttl k") == ":20\r\n");
  CHECK(keys.run("getex k Persist") == bulk("x"));
  CHECK(keys.run("ttl k") == ":-1\r\n");
  CHECK(keys.run("getex k px 30") == bulk("x"));
  CHECK(keys.run("getex k ex 0") == invalid_time("getex"));
  CHECK(keys.run("getex k ex x") == kInteger);
  for (const char* wrong : {"getex k ex", "getex k nx", "getex k get", "getex k keepttl", "getex k persist ex 1",
                            "getex k ex 1 persist", "getex k ex 1 px 1"})
    CHECK(keys.run(wrong) == kSyntax);
  CHECK(keys.run("getex none ex 5") == kNil);
  CHECK(keys.run("getex k exat 1") == bulk("x"));
  CHECK(keys.run("getex k") == kNil);
  CHECK(keys.run("getdel new") == bulk("n"));
  CHECK(keys.run("getdel new") == kNil);
}

TEST_CASE("MGET and MSETNX") {
  Keys keys;
  CHECK(keys.run("msetnx a 1 b 2 a 3") == ":1\r\n");
  CHECK(keys.run("msetnx c 1 b 9") == ":0\r\n");
  CHECK(keys.run("mget a none b a") == "*4\r\n" + bulk("3") + kNil + bulk("2") + bulk("3"));
  CHECK(keys.run("msetnx a 1 b") == "-ERR wrong number of arguments for 'msetnx' command\r\n");
  Words many{"msetnx"};
  for (int i = 0; i < 2 * 129; ++i) many.push_back("m" + std::to_string(i));
  CHECK(keys.command(many) == "-ERR MSETNX sets at most 128 keys\r\n");
  many.resize(many.size() - 2);
  CHECK(keys.command(many) == ":1\r\n");
  CHECK(keys.run("msetnx x 1  2") == "-ERR a key must not be empty\r\n");
  CHECK(keys.run("exists x") == ":0\r\n");
}

TEST_CASE("APPEND STRLEN GETRANGE") {
  Keys keys;
  CHECK(keys.run("strlen k") == ":0\r\n");
  CHECK(keys.run("append k hel") == ":3\r\n");
  CHECK(keys.run("append k lo") == ":5\r\n");
  CHECK(keys.run("strlen k") == ":5\r\n");
  const auto range = [&](const char* from_to) { return keys.run("getrange k " + std::string(from_to)); };
  CHECK(range("0 -1") == bulk("hello"));
  CHECK(range("1 3") == bulk("ell"));
  CHECK(range("-3 -2") == bulk("ll"));
  CHECK(range("-100 100") == bulk("hello"));
  CHECK(range("3 1") == bulk(""));
  CHECK(range("5 9") == bulk(""));
  CHECK(range("0 -100") == bulk("h"));
  CHECK(range("-100 -200") == bulk(""));
  CHECK(range("9223372036854775807 -1") == bulk(""));
  CHECK(range("-9223372036854775808 9223372036854775807") == bulk("hello"));
  CHECK(range("0 x") == kInteger);
  CHECK(keys.run("getrange none 0 -1") == bulk(""));
}

TEST_CASE("INCR INCRBY DECR DECRBY") {
  Keys keys;
  CHECK(keys.run("incr n") == ":1\r\n");
  CHECK(keys.run("incrby n 41") == ":42\r\n");
  CHECK(keys.run("decr n") == ":41\r\n");
  CHECK(keys.run("decrby n 50") == ":-9\r\n");
  CHECK(keys.run("decrby n -10") == ":1\r\n");
  CHECK(keys.run("incrby n 9223372036854775807") == "-ERR increment or decrement would overflow\r\n");
  CHECK(keys.run("decrby n -9223372036854775808") == "-ERR decrement would overflow\r\n");
  CHECK(keys.run("incrby n -9223372036854775808") == ":-9223372036854775807\r\n");
  CHECK(keys.run("decrby n 2") == "-ERR increment or decrement would overflow\r\n");
  CHECK(keys.run("get n") == bulk("-9223372036854775807"));
  for (const char* word : {"x", "1.5", "+1", "007", "9223372036854775808"}) {
    CHECK(keys.run("incrby n " + std::string(word)) == kInteger);
    CHECK(keys.run("set s " + std::string(word)) == kOk);
    CHECK(keys.run("incr s") == kInteger);
    CHECK(keys.run("get s") == bulk(word));
  }
  CHECK(keys.run("set n 5 ex 10") == kOk);
  CHECK(keys.run("incr n") == ":6\r\n");
  CHECK(keys.run("ttl n") == ":10\r\n");
}

TEST_CASE("EXPIRE and its forms, with each condition; PERSIST") {
  Keys keys;
  CHECK(keys.run("expire k 10") == ":0\r\n");
  CHECK(keys.run("set k v") == kOk);
  CHECK(keys.run("persist k") == ":0\r\n");
  CHECK(keys.run("expire k 10 xx") == ":0\r\n");
  CHECK(keys.run("expire k 10 gt") == ":0\r\n");
  CHECK(keys.run("expire k 10 xx lt") == ":0\r\n");
  CHECK(keys.run("ttl k") == ":-1\r\n");
  CHECK(keys.run("expire k 10 NX") == ":1\r\n");
  CHECK(keys.run("expire k 20 nx") == ":0\r\n");
  CHECK(keys.run("pexpire k 20000 lt") == ":0\r\n");
  CHECK(keys.run("pexpire k 20000 XX gt") == ":1\r\n");
  CHECK(keys.run("expire k 20 gt") == ":0\r\n");
  CHECK(keys.run("expire k 5 xx lt") == ":1\r\n");
  CHECK(keys.run("ttl k") == ":5\r\n");
  CHECK(keys.run("persist k") == ":1\r\n");
  CHECK(keys.run("expire k 30 lt") == ":1\r\n");
  const std::string later = std::to_string(keys.cluster_time() / 1'000 + 60);
  CHECK(keys.run("expireat k " + later) == ":1\r\n");
  CHECK(keys.run("expireat k " + later) == ":1\r\n");
  CHECK(keys.run("expiretime k") == ":" + later + "\r\n");
  CHECK(keys.run("pexpireat k " + later + "123") == ":1\r\n");
  CHECK(keys.run("pexpiretime k") == ":" + later + "123\r\n");
  for (const char* over : {"expire k 0", "expire k -5", "expireat k 1", "pexpireat k -9", "pexpire k -1 lt"}) {
    CAPTURE(over);
    CHECK(keys.run("set k v ex 10") == kOk);
    CHECK(keys.run(std::string(over) + " nx") != ":1\r\n");
    CHECK(keys.run(over) == ":1\r\n");
    CHECK(keys.run("exists k") == ":0\r\n");
  }
  CHECK(keys.run("set k v ex 10") == kOk);
  CHECK(keys.run("expire k -1 gt") == ":0\r\n");
  for (const char* both : {"nx xx", "nx gt", "lt nx"})
    CHECK(keys.run("expire k 10 " + std::string(both)) ==
          "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n");
  CHECK(keys.run("expire k 10 gt lt") == "-ERR GT and LT options at the same time are not compatible\r\n");
  CHECK(keys.run("expire k 10 soon") == "-ERR Unsupported option soon\r\n");
  CHECK(keys.run("expire k soon") == kInteger);
  CHECK(keys.run("expire k 9223372036854775807") == invalid_time("expire"));
  CHECK(keys.run("PEXPIRE k 9223372036854775807") == invalid_time("pexpire"));
  CHECK(keys.run("expireat k 9223372036854775807") == invalid_time("expireat"));
}

TEST_CASE("TTL and its forms") {
  Keys keys;
  for (const char* name : {"ttl", "pttl", "expiretime", "pexpiretime"}) {
    CHECK(keys.run(std::string(name) + " none") == ":-2\r\n");
    CHECK(keys.run("set k v") == kOk);
    CHECK(keys.run(std::string(name) + " k") == ":-1\r\n");
  }
  CHECK(keys.run("set k v px 10000") == kOk);
  const Millis until = keys.cluster_time() + 10'000;
  keys.pass(600);
  CHECK(keys.run("pttl k") == ":" + std::to_string(until - keys.cluster_time()) + "\r\n");
  CHECK(keys.run("ttl k") == ":9\r\n");
  CHECK(keys.run("pexpiretime k") == ":" + std::to_string(until) + "\r\n");
  CHECK(keys.run("expiretime k") == ":" + std::to_string((until + 500) / 1'000) + "\r\n");
}

TEST_CASE("a cluster below version 4 has the plain commands alone") {
  test::Fronts fronts;
  CHECK(fronts.command({"set", "k", "v"}) == kOk);
  CHECK(fronts.command({"mget", "k"}) == "*1\r\n" + bulk("v"));
  CHECK(fronts.command({"ttl", "k"}) == ":-1\r\n");
  for (const Words& words : {Words{"set", "k", "w", "nx"}, Words{"incr", "n"}, Words{"expire", "k", "1"}})
    CHECK(fronts.command(words).starts_with(
        "-NOTAPPLIED this needs version 4 of the cluster, which is at version 1: upgrade "));
  CHECK(fronts.command({"get", "k"}) == bulk("v"));
}

}  // namespace wh::api
