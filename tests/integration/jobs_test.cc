// Disque's verbs with redis-cli, on three real nodes: each through the leader and through a follower, workers that
// wait, and what is left of a worker that dies.
#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "background.h"

namespace wh::testing {
namespace {

struct Cluster : ThreeNodes {
  Server& leader = await_leader(all);
  Server& follower = *others(all, leader)[0];
  Background background{dir};
};

// The id in what redis-cli shows of GETJOB's answer, a line for each part.
std::string id_in(const std::string& job) {
  const size_t at = job.find("D-");
  return at == std::string::npos ? "" : job.substr(at, job.find('\n', at) - at);
}

// The line behind this one.
std::string field(const std::string& answer, const std::string& name) {
  const size_t at = ("\n" + answer).find("\n" + name + "\n");
  if (at == std::string::npos) return "";
  const size_t begin = at + name.size() + 1;
  return answer.substr(begin, answer.find('\n', begin) - begin);
}

}  // namespace

TEST_CASE("each of Disque's verbs, through the leader and through a follower") {
  Cluster c;
  for (const Server* server : {&c.leader, &c.follower}) {
    const Server& s = *server;
    const std::string q = "q-" + s.name;
    CAPTURE(q);
    const std::string added = s.redis("ADDJOB " + q + " one 100 TTL 3600 RETRY 30");
    CHECK(added.starts_with("D-"));
    CHECK(s.redis("ADDJOB " + q + " later 100 DELAY 3600").starts_with("D-"));
    CHECK(s.redis("ADDJOB " + q + " two 100").starts_with("D-"));
    CHECK(s.redis("ADDJOB " + q + " three 100 RETRY 31").starts_with("ERR RETRY is one for all jobs of a queue here"));
    CHECK(s.redis("QLEN " + q) == "2");
    CHECK(s.redis("QPEEK " + q + " 1") == q + "\n" + added + "\none");
    const std::string job = s.redis("GETJOB FROM " + q);
    CHECK(job.starts_with(q + "\nD-"));
    CHECK(job.ends_with("\none"));
    const std::string id = id_in(job);
    CHECK(s.redis("WORKING " + id) == "30");
    CHECK(field(s.redis("SHOW " + id), "state") == "active");
    const std::string stat = s.redis("QSTAT " + q);
    CHECK(field(stat, "len") == "1");
    CHECK(field(stat, "active") == "1");
    CHECK(field(stat, "delayed") == "1");
    CHECK(field(stat, "blocked") == (server == &c.leader ? "0" : ""));
    CHECK(s.redis("NACK " + id) == "1");
    CHECK(s.redis("ACKJOB " + id) == "0");
    const std::string both = s.redis("GETJOB NOHANG COUNT 9 WITHCOUNTERS FROM none " + q);
    CHECK(has(both, "\none\nnacks\n0\nadditional-deliveries\n1\n"));
    CHECK(has(both, "\ntwo\nnacks\n0\nadditional-deliveries\n0"));
    const std::string first = id_in(both);
    const std::string second = id_in(both.substr(both.find(first) + first.size()));
    CHECK(s.redis("ACKJOB " + first + " " + second) == "2");
    CHECK(s.redis("FASTACK " + first) == "0");
    CHECK(s.redis("DELJOB " + second) == "0");
    CHECK(s.redis("SHOW " + first).empty());
    CHECK(s.redis("GETJOB NOHANG FROM " + q).empty());
    CHECK(s.redis("GETJOB TIMEOUT 50 FROM " + q + " none").empty());
    CHECK(s.redis("PAUSE " + q + " in") == "in");
    CHECK(s.redis("PAUSE " + q + " state") == "in");
    CHECK(s.redis("ADDJOB " + q + " four 0").starts_with("ERR the queue " + q + " takes nothing in"));
    CHECK(s.redis("PAUSE " + q + " none") == "none");
    CHECK(s.redis("QLEN " + q) == "0");
  }
}

TEST_CASE("rubbish in Disque's verbs is refused, and changes nothing") {
  Cluster c;
  const std::string before = c.leader.cluster_field("last_log_index");
  const std::vector<std::pair<std::string, std::string>> rubbish = {
      {"ADDJOB q j", "ERR wrong number of arguments for 'addjob' command"},
      {"ADDJOB q j soon", "ERR timeout is a number from 0 to "},
      {"ADDJOB q '' 0", "ERR a job must not be empty"},
      {"ADDJOB 'a b' j 0", "ERR a queue's name has the characters"},
      {"ADDJOB q j 0 DELAY", "ERR syntax error"},
      {"ADDJOB q j 0 DELAY x", "ERR DELAY is a number from 0 to "},
      {"ADDJOB q j 0 REPLICATE 3", "ERR REPLICATE is not for a job to say"},
      {"GETJOB q 1", "ERR syntax error"},
      {"GETJOB NOHANG FROM", "ERR syntax error"},
      {"GETJOB COUNT 0 FROM q", "ERR COUNT is a number from 1 to 100"},
      {"ACKJOB 17", "ERR '17' is no id of a job"},
      {"ACKJOB D-1-0-q", "ERR 'D-1-0-q' was not received"},
      {"NACK D-1-2-", "ERR 'D-1-2-' is no id of a job"},
      {"WORKING D-1-2-q D-1-2-q", "ERR wrong number of arguments for 'working' command"},
      {"QPEEK q many", "ERR count is a number from -1000 to 1000"},
      {"PAUSE q", "ERR wrong number of arguments for 'pause' command"},
      {"PAUSE q up", "ERR PAUSE queue in, out, all, none or state"},
  };
  for (const Server* server : {&c.leader, &c.follower})
    for (const auto& [command, error] : rubbish) {
      CAPTURE(command);
      CHECK(server->redis(command).starts_with(error));
    }
  CHECK(c.leader.cluster_field("last_log_index") == before);
}

TEST_CASE("HAZARDS Q28: a worker waits for several queues, is served by one, and a dead one holds nothing") {
  Cluster c;
  const auto waiting = [&](const std::string& queue) {
    return json_field(c.leader.get("/queues/" + queue).body, "waiting");
  };
  for (const char* queue : {"a", "b"})
    CHECK(curl(c.dir, "-X PUT '" + c.leader.url(std::string("/queues/") + queue) + "'").status == 200);
  for (const Server* server : {&c.leader, &c.follower}) {
    const std::string worker = "redis-cli -p " + std::to_string(server->debug_port) + " GETJOB FROM a b";
    const std::string file = "worker-" + server->name;
    c.background.start(worker, file);
    REQUIRE(eventually([&] { return waiting("a") == "1" && waiting("b") == "1"; }));
    CHECK(c.follower.redis("ADDJOB b work 0").starts_with("D-"));
    REQUIRE(eventually([&] { return has(read_file(c.dir.path(file)), "\nwork\n"); }));
    CHECK(waiting("a") == "0");
    CHECK(waiting("b") == "0");
    CHECK(c.leader.redis("ACKJOB " + id_in(read_file(c.dir.path(file)))) == "1");
    const std::string pid = c.background.start(worker, "dying");
    REQUIRE(eventually([&] { return waiting("a") == "1"; }));
    REQUIRE(::kill(std::stoi(pid), SIGKILL) == 0);
    REQUIRE(eventually([&] { return waiting("a") == "0" && waiting("b") == "0"; }));
    CHECK(c.leader.redis("ADDJOB a kept 0").starts_with("D-"));
    CHECK(has(c.leader.redis("GETJOB NOHANG WITHCOUNTERS FROM a"), "additional-deliveries\n0"));
    CHECK(c.leader.redis("QLEN a") == "0");
  }
}

TEST_CASE("a job's id acknowledges it after the leader died, and its worker is told when it waits") {
  Cluster c;
  CHECK(c.leader.redis("ADDJOB q work 0").starts_with("D-"));
  const std::string id = id_in(c.follower.redis("GETJOB FROM q"));
  c.background.start("redis-cli -p " + std::to_string(c.follower.debug_port) + " GETJOB FROM q", "waiter");
  REQUIRE(eventually([&] { return json_field(c.leader.get("/queues/q").body, "waiting") == "1"; }));
  c.leader.kill();
  REQUIRE(eventually([&] { return !read_file(c.dir.path("waiter")).empty(); }));
  const std::string told = read_file(c.dir.path("waiter"));
  CHECK((told.starts_with("NOTAPPLIED the leader changed") || told.starts_with("UNKNOWN the leader changed")));
  await_leader(others(c.all, c.leader));
  CHECK(c.follower.redis("ACKJOB " + id) == "1");
}

}  // namespace wh::testing
