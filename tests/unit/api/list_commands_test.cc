// The queues as Redis's lists, command by command: answers, arguments that are refused, and bounds.
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "fixture.h"

namespace wh::api {
namespace {

using Words = std::vector<std::string>;

using test::array;
using test::bulk;

// A node with such a queue; several events in one entry.
void fill(test::Fronts& fronts, const std::string& queue, size_t count) {
  for (size_t i = 0; i < count;) {
    Words words{"rpush", queue};
    for (; i < count && words.size() < 1'002; ++i) words.push_back(std::to_string(i));
    REQUIRE(fronts.command(words).starts_with(":"));
  }
}

}  // namespace

TEST_CASE("RPUSH of several events is one entry, and answers the length") {
  test::Fronts fronts(kLatestVersion);
  const raft::Index before = fronts.node.raft()->log().last_index();
  CHECK(fronts.command({"rpush", "q", "a", "b", "c"}) == ":3\r\n");
  CHECK(fronts.node.raft()->log().last_index() == before + 1);
  CHECK(fronts.command({"rpush", "q", "d"}) == ":4\r\n");
  CHECK(fronts.command({"lrange", "q", "0", "-1"}) == array({"a", "b", "c", "d"}));
  // Whatever the name has in it.
  CHECK(fronts.command({"rpush", "a \r\n\xff", "x", "y"}) == ":2\r\n");
  CHECK(fronts.command({"lpop", "a \r\n\xff", "5"}) == array({"x", "y"}));
  CHECK(fronts.command({"rpush", "q", "e", "", "f"}) == "-ERR an event must not be empty\r\n");
  CHECK(fronts.command({"llen", "q"}) == ":4\r\n");
  Words many{"rpush", "q"};
  many.resize(2 + 1'001, "x");
  CHECK(fronts.command(many) == "-ERR a batch has 1 to 1000 events\r\n");
  many.pop_back();
  CHECK(fronts.command(many) == ":1004\r\n");
}

TEST_CASE("a cluster below version 3 takes one event at a time") {
  test::Fronts fronts;
  CHECK(fronts.command({"rpush", "q", "a"}) == ":1\r\n");
  CHECK(fronts.command({"lindex", "q", "0"}) == bulk("a"));
  for (const Words& words : {Words{"rpush", "q", "b", "c"}, Words{"lpop", "q", "2"}, Words{"blpop", "q", "1"}}) {
    CAPTURE(words[0]);
    CHECK(fronts.command(words).starts_with(
        "-NOTAPPLIED this needs version 3 of the cluster, which is at version 1: upgrade "));
  }
  CHECK(fronts.command({"lpop", "q"}) == bulk("a"));
}

TEST_CASE("LPOP with a count answers as Redis does") {
  test::Fronts fronts(kLatestVersion);
  CHECK(fronts.command({"lpop", "q"}) == "$-1\r\n");
  CHECK(fronts.command({"lpop", "q", "3"}) == "*-1\r\n");
  CHECK(fronts.command({"lpop", "q", "0"}) == "*0\r\n");
  fill(fronts, "q", 5);
  const raft::Index before = fronts.node.raft()->log().last_index();
  CHECK(fronts.command({"lpop", "q", "0"}) == "*0\r\n");
  CHECK(fronts.node.raft()->log().last_index() == before);
  CHECK(fronts.command({"lpop", "q", "2"}) == array({"0", "1"}));
  CHECK(fronts.node.raft()->log().last_index() == before + 1);
  CHECK(fronts.command({"lpop", "q", "1"}) == array({"2"}));
  CHECK(fronts.command({"lpop", "q", "1000"}) == array({"3", "4"}));
  CHECK(fronts.command({"lpop", "q", "1000"}) == "*-1\r\n");
  for (const std::string& count :
       {std::string("-1"), std::string("x"), std::string("1.5"), std::string(""), std::string("99999999999999999999")})
    CHECK(fronts.command({"lpop", "q", count}) == "-ERR value is out of range, must be positive\r\n");
  CHECK(fronts.command({"lpop", "q", "1001"}) == "-ERR LPOP removes at most 1000 events at once\r\n");
  CHECK(fronts.command({"lpop", "q", "1", "2"}) == "-ERR wrong number of arguments for 'lpop' command\r\n");
  CHECK(fronts.command({"lpop", "", "0"}) == "-ERR a queue's name must not be empty\r\n");
}

TEST_CASE("LPOP with a count ends at 4 MiB, and the rest stays") {
  test::Fronts fronts(kLatestVersion);
  const std::string large(700'000, 'x');
  for (int i = 0; i < 7; ++i) REQUIRE(fronts.command({"rpush", "q", large}).starts_with(":"));
  CHECK(fronts.command({"lpop", "q", "10"}).starts_with("*5\r\n"));
  CHECK(fronts.command({"llen", "q"}) == ":2\r\n");
}

TEST_CASE("LINDEX and LRANGE take places from both ends, as Redis does") {
  test::Fronts fronts(kLatestVersion);
  CHECK(fronts.command({"lindex", "q", "0"}) == "$-1\r\n");
  CHECK(fronts.command({"lrange", "q", "0", "-1"}) == "*0\r\n");
  fill(fronts, "q", 4);
  const std::vector<std::pair<std::string, std::string>> places = {{"0", "0"},
                                                                   {"3", "3"},
                                                                   {"-1", "3"},
                                                                   {"-4", "0"},
                                                                   {"4", ""},
                                                                   {"-5", ""},
                                                                   {"9223372036854775807", ""},
                                                                   {"-9223372036854775808", ""}};
  for (const auto& [index, event] : places) {
    CAPTURE(index);
    CHECK(fronts.command({"lindex", "q", index}) == (event.empty() ? "$-1\r\n" : bulk(event)));
  }
  struct Range {
    const char* first;
    const char* last;
    Words events;
  };
  const std::vector<Range> ranges = {
      {"0", "-1", {"0", "1", "2", "3"}},
      {"1", "2", {"1", "2"}},
      {"-2", "-1", {"2", "3"}},
      {"-100", "1", {"0", "1"}},
      {"2", "100", {"2", "3"}},
      {"3", "1", {}},
      {"4", "9", {}},
      {"-100", "-50", {}},
      {"-9223372036854775808", "9223372036854775807", {"0", "1", "2", "3"}},
  };
  for (const Range& range : ranges) {
    CAPTURE(range.first);
    CAPTURE(range.last);
    CHECK(fronts.command({"lrange", "q", range.first, range.last}) == array(range.events));
  }
  for (const std::string& wrong :
       {std::string("x"), std::string(""), std::string("1.0"), std::string("99999999999999999999")}) {
    CHECK(fronts.command({"lindex", "q", wrong}) == "-ERR value is not an integer or out of range\r\n");
    CHECK(fronts.command({"lrange", "q", wrong, "1"}) == "-ERR value is not an integer or out of range\r\n");
    CHECK(fronts.command({"lrange", "q", "1", wrong}) == "-ERR value is not an integer or out of range\r\n");
  }
}

TEST_CASE("lists show what may be delivered now, in that order") {
  test::Fronts fronts(kLatestVersion);
  const auto put = [&](const std::string& event, const std::string& terms) {
    CHECK(fronts.ask("POST", "/queues/q/events?" + terms, event).status == 201);
  };
  put("late", "priority=9");
  put("first of g", "group=g");
  put("second of g", "group=g");
  put("delayed", "delay=1h");
  put("urgent", "priority=0");
  CHECK(fronts.command({"lrange", "q", "0", "-1"}) == array({"urgent", "first of g", "late"}));
  CHECK(fronts.command({"lindex", "q", "-1"}) == bulk("late"));
  CHECK(fronts.command({"llen", "q"}) == ":4\r\n");  // one of them waits for its group
  CHECK(fronts.command({"lpop", "q", "9"}) == array({"urgent", "first of g", "second of g", "late"}));
  put("one", "");
  CHECK(fronts.ask("POST", "/queues/q/pause?direction=out").status == 200);
  CHECK(fronts.command({"lrange", "q", "0", "-1"}) == "*0\r\n");
  CHECK(fronts.command({"lpop", "q", "9"}) == "*-1\r\n");
}

// No command does unbounded work or makes an unbounded answer.
TEST_CASE("HAZARDS I6: LINDEX and LRANGE go 20,000 events far, and answer 1,000 events and 4 MiB") {
  test::Fronts fronts(kLatestVersion);
  fill(fronts, "q", 42'000);
  CHECK(fronts.command({"lindex", "q", "19999"}) == bulk("19999"));
  CHECK(fronts.command({"lindex", "q", "22000"}) == bulk("22000"));
  CHECK(fronts.command({"lindex", "q", "-20000"}) == bulk("22000"));
  const std::string far = "-ERR this is more than 20000 events away from both ends of the queue\r\n";
  for (const std::string& index : {std::string("20000"), std::string("21999"), std::string("-20001")})
    CHECK(fronts.command({"lindex", "q", index}) == far);
  CHECK(fronts.command({"lrange", "q", "19999", "20000"}) == far);
  CHECK(fronts.command({"lrange", "q", "0", "999"}).starts_with("*1000\r\n"));
  CHECK(fronts.command({"lrange", "q", "-1000", "-1"}).starts_with("*1000\r\n$5\r\n41000\r\n"));
  CHECK(fronts.command({"lrange", "q", "0", "-1"}) ==
        "-ERR there are 42000 events in this range, and an answer has at most 1000: ask for it in parts\r\n");
  for (int i = 0; i < 7; ++i) REQUIRE(fronts.command({"rpush", "large", std::string(700'000, 'x')}).starts_with(":"));
  CHECK(fronts.command({"lrange", "large", "0", "4"}).starts_with("*5\r\n"));
  CHECK(fronts.command({"lrange", "large", "0", "-1"})
            .starts_with("-ERR the events in this range have more than 4194304 bytes"));
}

TEST_CASE("BLPOP removes what there is, of the first queue that has something") {
  test::Fronts fronts(kLatestVersion);
  CHECK(fronts.command({"rpush", "r", "in r"}) == ":1\r\n");
  CHECK(fronts.command({"rpush", "s", "in s"}) == ":1\r\n");
  CHECK(fronts.command({"blpop", "q", "r", "s", "0"}) == array({"r", "in r"}));
  CHECK(fronts.command({"blpop", "q", "r", "s", "0"}) == array({"s", "in s"}));
  CHECK(fronts.command({"llen", "r"}) == ":0\r\n");
}

TEST_CASE("BLPOP of what is no time, or of too many queues") {
  test::Fronts fronts(kLatestVersion);
  for (const std::string& wrong : {std::string("x"), std::string(""), std::string("1s"), std::string("nan"),
                                   std::string("inf"), std::string("1e10"), std::string("0x10")})
    CHECK(fronts.command({"blpop", "q", wrong}) == "-ERR timeout is not a float or out of range\r\n");
  CHECK(fronts.command({"blpop", "q", "-0.5"}) == "-ERR timeout is negative\r\n");
  Words many{"blpop"};
  many.resize(1 + 17, "q");
  many.emplace_back("1");
  CHECK(fronts.command(many) == "-ERR one request takes from at most 16 queues\r\n");
  CHECK(fronts.command({"blpop", "q", "", "1"}) == "-ERR a queue's name must not be empty\r\n");
}

}  // namespace wh::api
