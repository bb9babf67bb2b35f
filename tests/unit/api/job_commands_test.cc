// Disque's verbs, command by command: answers, ids of jobs, and arguments that are refused.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "api/debug/job_id.h"
#include "debug/resp.h"
#include "fixture.h"

namespace wh::api {
namespace {

using Words = std::vector<std::string>;

// +text
std::string simple(const std::string& reply) {
  REQUIRE(reply.starts_with('+'));
  return reply.substr(1, reply.size() - 3);
}

// The id in the only job of a reply to GETJOB.
std::string id_in(const std::string& reply) {
  REQUIRE(reply.starts_with("*1\r\n*3\r\n"));
  const size_t at = reply.find("D-");
  REQUIRE(at != std::string::npos);
  return reply.substr(at, reply.find("\r\n", at) - at);
}

struct Jobs : test::Fronts {
  Jobs() : Fronts(kLatestVersion) {}
  std::string get(const std::string& queue = "q") { return id_in(command({"getjob", "nohang", "from", queue})); }
};

// The value that follows a name in a flat array, with its type.
std::string field(const std::string& reply, const std::string& name) {
  const std::string key = debug::bulk_reply(name);
  const size_t at = reply.find(key);
  if (at == std::string::npos) return "";
  const size_t begin = at + key.size();
  size_t end = reply.find("\r\n", begin);
  if (reply[begin] == '$' && reply[begin + 1] != '-') end = reply.find("\r\n", end + 2);
  return reply.substr(begin, end + 2 - begin);
}

}  // namespace

TEST_CASE("ids of jobs: one text for each queue, event and delivery") {
  CHECK(format_job_id({17, 42}, "a-b.c_1") == "D-17-42-a-b.c_1");
  const auto job = parse_job_id("D-17-42-a-5-6-b");
  REQUIRE(job);
  CHECK(job->receipt == machine::Receipt{17, 42});
  CHECK(job->queue == "a-5-6-b");
  CHECK(parse_job_id("D-1-0-q")->receipt.delivery == 0);
  CHECK(parse_job_id("D-9007199254740991-9007199254740991-q"));
  for (const std::string& wrong : {std::string(),
                                   std::string("D"),
                                   std::string("D-"),
                                   std::string("D-1"),
                                   std::string("D-1-2"),
                                   std::string("D-1-2-"),
                                   std::string("d-1-2-q"),
                                   std::string("D-0-2-q"),
                                   std::string("D-01-2-q"),
                                   std::string("D-1-02-q"),
                                   std::string("D--1-2-q"),
                                   std::string("D-1--q"),
                                   std::string("D-+1-2-q"),
                                   std::string("D-x-2-q"),
                                   std::string("D-9007199254740992-1-q"),
                                   std::string("D-99999999999999999999-1-q"),
                                   std::string("D-1-2-a b"),
                                   std::string("D-1-2-a/b"),
                                   std::string("D-1-2-q\0", 8),
                                   "D-1-2-" + std::string(200, 'q'),
                                   std::string("D-0f0c644f-cEPWFkFi4lF6unhxsfQCAto7-05a1")}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_job_id(wrong));
  }
}

TEST_CASE("a job is added, received and acknowledged, by an id that carries its receipt") {
  Jobs jobs;
  const std::string added = simple(jobs.command({"addjob", "q", "work", "100"}));
  CHECK(added.starts_with("D-"));
  CHECK(added.ends_with("-0-q"));
  CHECK(jobs.command({"qlen", "q"}) == ":1\r\n");
  const std::string reply = jobs.command({"getjob", "from", "q"});
  CHECK(reply.ends_with(debug::bulk_reply("work")));
  const std::string got = id_in(reply);
  CHECK(got.substr(0, got.find('-', 2)) == added.substr(0, added.find('-', 2)));
  CHECK(jobs.command({"qlen", "q"}) == ":0\r\n");
  CHECK(jobs.command({"getjob", "nohang", "from", "q"}) == "*-1\r\n");
  CHECK(jobs.command({"ackjob", got}) == ":1\r\n");
  CHECK(jobs.command({"ackjob", got}) == ":0\r\n");
  CHECK(jobs.command({"show", got}) == "*-1\r\n");
}

TEST_CASE("jobs of several queues are acknowledged with one command, and counted together") {
  Jobs jobs;
  for (const char* queue : {"a", "b", "c"}) simple(jobs.command({"addjob", queue, "work", "0"}));
  const std::string a = jobs.get("a");
  const std::string b = jobs.get("b");
  const std::string c = jobs.get("c");
  CHECK(jobs.command({"fastack", a}) == ":1\r\n");
  CHECK(jobs.command({"ackjob", c, a, b}) == ":2\r\n");
  for (const char* queue : {"a", "b", "c"})
    CHECK(jobs.command({"qstat", queue}).find("active\r\n:0\r\n") != std::string::npos);
  // One of a queue that is not there: the others are settled, and counted.
  simple(jobs.command({"addjob", "a", "work", "0"}));
  const std::string again = jobs.get("a");
  CHECK(jobs.command({"ackjob", again, "D-5-6-none"}) == ":1\r\n");
  CHECK(jobs.command({"ackjob", again}) == ":0\r\n");
  CHECK(jobs.command({"ackjob", "D-5-6-none"}) == ":0\r\n");
}

TEST_CASE("a job is given back, kept for longer, and refused to who does not hold it any more") {
  Jobs jobs;
  simple(jobs.command({"addjob", "q", "work", "0"}));
  const std::string first = jobs.get();
  CHECK(jobs.command({"working", first}) == ":30\r\n");
  CHECK(jobs.ask("PUT", "/queues/q", R"({"visibility_timeout":"2m"})", "Content-Type: application/json\r\n").status ==
        200);
  CHECK(jobs.command({"working", first}) == ":120\r\n");
  CHECK(jobs.command({"nack", first}) == ":1\r\n");
  CHECK(jobs.command({"nack", first}) == ":0\r\n");
  CHECK(jobs.command({"working", first}).starts_with("-ERR this job is not yours any more"));
  const std::string counted = jobs.command({"getjob", "withcounters", "from", "q"});
  CHECK(counted.starts_with("*1\r\n*7\r\n"));
  CHECK(counted.ends_with(debug::bulk_reply("work") + debug::bulk_reply("nacks") + ":0\r\n" +
                          debug::bulk_reply("additional-deliveries") + ":1\r\n"));
  CHECK(jobs.command({"ackjob", first}) == ":0\r\n");
  const size_t at = counted.find("D-");
  const std::string second = counted.substr(at, counted.find("\r\n", at) - at);
  CHECK(jobs.command({"deljob", second}) == ":1\r\n");
  CHECK(jobs.command({"working", second}).starts_with("-ERR this job is gone"));
}

TEST_CASE("ids that are none, and ids without a receipt") {
  Jobs jobs;
  const std::string added = simple(jobs.command({"addjob", "q", "work", "0"}));
  for (const std::string command : {"ackjob", "fastack", "deljob", "nack", "working"}) {
    CHECK(jobs.command({command, "17-42"}) == "-ERR '17-42' is no id of a job, as ADDJOB and GETJOB give it\r\n");
    CHECK(jobs.command({command, added}) ==
          "-ERR '" + added + "' was not received: give the id that GETJOB answered with the job\r\n");
  }
  CHECK(jobs.command({"show", "x"}).starts_with("-ERR 'x' is no id of a job"));
  CHECK(jobs.command({"qlen", "q"}) == ":1\r\n");
}

TEST_CASE("ADDJOB's options: what maps is kept, what does not is refused and says what to do") {
  Jobs jobs;
  const auto add = [&](Words more) {
    more.insert(more.begin(), {"addjob", "q", "work", "0"});
    return jobs.command(more);
  };
  simple(add({"DELAY", "60"}));
  CHECK(jobs.command({"qlen", "q"}) == ":0\r\n");
  CHECK(field(jobs.command({"qstat", "q"}), "delayed") == ":1\r\n");
  const std::string id = simple(add({"ttl", "90"}));
  CHECK(field(jobs.command({"show", id}), "ttl") == ":90\r\n");
  CHECK(field(jobs.command({"show", id}), "state") == debug::bulk_reply("queued"));
  simple(add({"RETRY", "30"}));
  CHECK(add({"RETRY", "60"}) ==
        "-ERR RETRY is one for all jobs of a queue here, its visibility_timeout, which is 30000 ms for q: leave RETRY "
        "out, or PUT /queues/q {\"visibility_timeout\":\"60s\"}\r\n");
  CHECK(add({"RETRY", "0"}).starts_with("-ERR RETRY 0 would lose a job"));
  CHECK(jobs.command({"addjob", "new", "work", "0", "RETRY", "31"}).starts_with("-ERR RETRY is one for all jobs"));
  CHECK(add({"REPLICATE", "3"}).starts_with("-ERR REPLICATE is not for a job to say"));
  CHECK(add({"MAXLEN", "3"}).starts_with("-ERR MAXLEN is a setting of the queue here"));
  CHECK(add({"ASYNC"}).starts_with("-ERR ASYNC is not here"));
  CHECK(add({"DELAY", "60", "TTL", "60"}) == "-ERR DELAY is not below TTL: the job would never be delivered\r\n");
  CHECK(add({"TTL", "0"}) == "-ERR TTL is a number from 1 to 315619200\r\n");
  CHECK(add({"DELAY", "-1"}) == "-ERR DELAY is a number from 0 to 315619200\r\n");
  CHECK(add({"DELAY", "1.5"}) == "-ERR DELAY is a number from 0 to 315619200\r\n");
  CHECK(add({"DELAY", "315619201"}) == "-ERR DELAY is a number from 0 to 315619200\r\n");
  for (const Words& words : {Words{"DELAY"}, Words{"SOON"}, Words{"SOON", "1"}, Words{"TTL", "1", "RETRY"}})
    CHECK(add(words) == "-ERR syntax error: HELP ADDJOB\r\n");
  CHECK(jobs.command({"addjob", "q", "", "0"}) == "-ERR a job must not be empty\r\n");
  CHECK(jobs.command({"addjob", "q", "work", "-1"}).starts_with("-ERR timeout is a number from 0 to "));
  CHECK(jobs.command({"addjob", "a b", "work", "0"}).starts_with("-ERR a queue's name has the characters"));
}

TEST_CASE("GETJOB's options") {
  Jobs jobs;
  for (int i = 0; i < 5; ++i) simple(jobs.command({"addjob", "q", std::to_string(i), "0"}));
  CHECK(
      jobs.command({"getjob", "COUNT", "3", "FROM", "none", "q"}).starts_with("*3\r\n*3\r\n" + debug::bulk_reply("q")));
  CHECK(jobs.command({"getjob", "COUNT", "100", "FROM", "none", "q"}).starts_with("*2\r\n"));
  CHECK(jobs.command({"getjob", "NOHANG", "TIMEOUT", "100", "FROM", "none", "q"}) == "*-1\r\n");
  for (const std::string count : {"0", "101", "-1", "x"})
    CHECK(jobs.command({"getjob", "COUNT", count, "FROM", "q"}) == "-ERR COUNT is a number from 1 to 100\r\n");
  CHECK(jobs.command({"getjob", "TIMEOUT", "-1", "FROM", "q"}).starts_with("-ERR TIMEOUT is a number from 0 to "));
  for (const Words& words : {Words{"q", "q"}, Words{"NOHANG", "FROM"}, Words{"FROM", "FROM", "x y"},
                             Words{"COUNT", "1"}, Words{"NOHANG", "WITHCOUNTERS"}, Words{"FROM"}}) {
    Words command = words;
    command.insert(command.begin(), "getjob");
    CHECK(jobs.command(command).starts_with("-ERR "));
  }
  // A name that no path can spell could not be acknowledged.
  CHECK(jobs.command({"rpush", "a b", "x"}) == ":1\r\n");
  CHECK(jobs.command({"getjob", "NOHANG", "FROM", "a b"}).starts_with("-ERR a queue's name has the characters"));
}

TEST_CASE("jobs of a queue that is not there are gone: they do not count, and hide no others") {
  Jobs jobs;
  simple(jobs.command({"addjob", "q", "a", "0"}));
  const std::string got = jobs.get();
  for (const char* verb : {"ackjob", "fastack", "deljob", "nack"})
    CHECK(jobs.command({verb, "D-5-9-none"}) == ":0\r\n");
  CHECK(jobs.command({"working", "D-5-9-none"}) == "-ERR this job is gone: stop working on it\r\n");
  CHECK(jobs.command({"ackjob", "D-5-9-a", got, "D-5-9-none"}) == ":1\r\n");
}

TEST_CASE("looking inside and pausing") {
  Jobs jobs;
  CHECK(jobs.command({"qstat", "q"}) == "*-1\r\n");
  CHECK(jobs.command({"qpeek", "q", "3"}) == "*0\r\n");
  CHECK(jobs.command({"pause", "q", "state"}) == debug::bulk_reply("none"));
  CHECK(jobs.command({"pause", "q", "in"}) == "-ERR there is no queue q\r\n");
  Words ids;
  for (const char* job : {"a", "b", "c"}) ids.push_back(simple(jobs.command({"addjob", "q", job, "0"})));
  const auto peeked = [&](size_t i, const std::string& job) {
    return "*3\r\n" + debug::bulk_reply("q") + debug::bulk_reply(ids[i]) + debug::bulk_reply(job);
  };
  CHECK(jobs.command({"qpeek", "q", "2"}) == "*2\r\n" + peeked(0, "a") + peeked(1, "b"));
  CHECK(jobs.command({"qpeek", "q", "-2"}) == "*2\r\n" + peeked(2, "c") + peeked(1, "b"));
  CHECK(jobs.command({"qpeek", "q", "-9"}) == "*3\r\n" + peeked(2, "c") + peeked(1, "b") + peeked(0, "a"));
  CHECK(jobs.command({"qpeek", "q", "0"}) == "*0\r\n");
  CHECK(jobs.command({"qpeek", "q", "1001"}) == "-ERR count is a number from -1000 to 1000\r\n");
  const std::string got = jobs.get();
  const std::string stat = jobs.command({"qstat", "q"});
  for (const auto& [name, value] :
       std::vector<std::pair<std::string, std::string>>{{"name", debug::bulk_reply("q")},
                                                        {"len", ":2\r\n"},
                                                        {"active", ":1\r\n"},
                                                        {"delayed", ":0\r\n"},
                                                        {"blocked", ":0\r\n"},
                                                        {"jobs-in", ":3\r\n"},
                                                        {"jobs-out", ":0\r\n"},
                                                        {"retry", ":30\r\n"},
                                                        {"pause", debug::bulk_reply("none")}}) {
    CAPTURE(name);
    CHECK(field(stat, name) == value);
  }
  const std::string shown = jobs.command({"show", got});
  CHECK(field(shown, "state") == debug::bulk_reply("active"));
  CHECK(field(shown, "id") == debug::bulk_reply(ids[0]));
  CHECK(field(shown, "body") == debug::bulk_reply("a"));
  CHECK(field(shown, "ttl") == "$-1\r\n");

  CHECK(jobs.command({"pause", "q", "in", "bcast"}) == debug::bulk_reply("in"));
  CHECK(jobs.command({"pause", "q", "STATE"}) == debug::bulk_reply("in"));
  CHECK(jobs.command({"addjob", "q", "d", "0"}).starts_with("-ERR the queue q takes nothing in"));
  CHECK(jobs.command({"pause", "q", "out"}) == debug::bulk_reply("out"));
  simple(jobs.command({"addjob", "q", "d", "0"}));
  CHECK(jobs.command({"getjob", "nohang", "from", "q"}) == "*-1\r\n");
  CHECK(jobs.command({"pause", "q", "in", "out"}) == debug::bulk_reply("all"));
  CHECK(jobs.command({"pause", "q", "none"}) == debug::bulk_reply("none"));
  CHECK(jobs.command({"pause", "q", "up"}) == "-ERR PAUSE queue in, out, all, none or state\r\n");
  CHECK(jobs.get() != got);
}

TEST_CASE("a cluster below version 3 has no jobs yet, and says what to upgrade") {
  test::Fronts fronts;
  for (const Words& words : {Words{"addjob", "q", "j", "0"}, Words{"getjob", "nohang", "from", "q"},
                             Words{"ackjob", "D-1-2-q"}, Words{"working", "D-1-2-q"}, Words{"pause", "q", "in"}}) {
    CAPTURE(words[0]);
    CHECK(fronts.command(words).starts_with("-NOTAPPLIED this needs version 3 of the cluster"));
  }
}

}  // namespace wh::api
