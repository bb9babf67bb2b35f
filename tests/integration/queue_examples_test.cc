// The workers and the producer of docs/examples, as they are, through three nodes whose leader is killed.
#include <csignal>
#include <map>
#include <sstream>

#include <doctest/doctest.h>

#include "harness.h"

namespace wh::testing {
namespace {

const std::string kExamples = std::string(WORMHOLE_SOURCE_DIR) + "/docs/examples/";

struct Nodes : ThreeNodes {
  [[nodiscard]] std::vector<std::string> urls() const {
    std::vector<std::string> out;
    for (const Server* server : all) out.push_back(server->url());
    return out;
  }
};

// A process of an example. The harness gives it a process group, so that what it started ends with it.
struct Example {
  Example(const Nodes& nodes, const std::string& name, const std::string& words) : process(nodes.dir, name) {
    process.program = "/bin/sh";
    std::string command = words;
    for (const std::string& url : nodes.urls()) command += " " + url;
    process.arguments = {{"-c", "exec " + command}};
    process.start();
  }
  ~Example() {
    if (process.running()) (void)::kill(-process.pid(), SIGKILL);
  }
  Example(const Example&) = delete;
  Example& operator=(const Example&) = delete;
  Server process;
};

// A worker's COMMAND: writes down what it was given; fails the first time for some, and takes longer than its event is
// held for others.
std::string work(const TempDir& dir, const std::string& name) {
  return dir.write(name,
                   "read -r event\n"
                   "echo \"$event\" >>'" +
                       dir.path(name) +
                       ".seen'\n"
                       "case $event in\n"
                       "  fails*) [ -e '" +
                       dir.path(name) + ".'\"$event\" ] || { : >'" + dir.path(name) +
                       ".'\"$event\"; exit 1; } ;;\n"
                       "  long*) sleep 8 ;;\n"
                       "esac\n"
                       "echo \"$event\" >>'" +
                       dir.path(name) + ".done'\n");
}

std::map<std::string, int> counted(const std::string& path) {
  std::map<std::string, int> times;
  std::istringstream lines(read_file(path));
  for (std::string line; std::getline(lines, line);) ++times[line];
  return times;
}

bool is_empty(const Server& server, const std::string& queue) {
  const std::string body = server.get("/queues/" + queue).body;
  return json_field(body, "ready") == "0" && json_field(body, "delayed") == "0" && json_field(body, "reserved") == "0";
}

void check_worker(const std::string& name, const std::string& start, const std::string& interpreter) {
  CAPTURE(name);
  Nodes nodes;
  if (sh(nodes.dir, "command -v " + interpreter).status != 0) {
    MESSAGE("skipped: there is no " << interpreter);
    return;
  }
  REQUIRE(curl(nodes.dir, "-X PUT --json '{\"backoff\":[\"100ms\"]}' " + nodes.a.url("/queues/jobs")).status == 200);
  const std::string command = "'sh " + work(nodes.dir, name) + "'";
  const Example worker(nodes, "worker", "env HOLD=6 " + start + " jobs " + command);
  // The leader is killed after the first events, and comes back.
  constexpr int kEvents = 60;
  const std::string lines = "for i in $(seq " + std::to_string(kEvents) +
                            "); do case $i in 7 | 40) echo fails-$i ;; 15) echo long-$i ;; *) echo plain-$i ;; esac; "
                            "sleep 0.05; done";
  std::string producer = lines + " | sh " + kExamples + "producer.sh jobs";
  Example source(nodes, "producer", "sh -c '" + producer + " \"$@\"' sh");
  const std::string done = nodes.dir.path(name) + ".done";
  REQUIRE(eventually([&] { return counted(done).size() >= 5; }));
  Server& leader = await_leader(nodes.all);
  CHECK(leader.kill() == 137);
  const Server& other = *others(nodes.all, leader)[0];
  REQUIRE(eventually([&] { return counted(done).size() >= 10; }));
  leader.start_ready();
  CHECK(source.process.wait(2 * kPatienceMs) == 0);
  CHECK(eventually([&] { return counted(done).size() == kEvents && is_empty(other, "jobs"); }, 2 * kPatienceMs));
  const std::string shown = other.get("/queues/jobs").body;
  CHECK(json_field(shown, "enqueued_total") == std::to_string(kEvents));
  CHECK(json_field(shown, "acknowledged_total") == std::to_string(kEvents));
  const auto seen = counted(nodes.dir.path(name) + ".seen");
  CHECK(seen.at("fails-40") >= 2);
  // It was extended: nobody was given it meanwhile.
  CHECK(seen.at("long-15") == 1);
}

}  // namespace

TEST_CASE("a worker in shell and a producer that repeats: the leader is killed, each event is worked on") {
  check_worker("shell", "sh " + kExamples + "worker.sh", "curl");
}

TEST_CASE("a worker in Python: the leader is killed, each event is worked on") {
  check_worker("python", "python3 " + kExamples + "worker.py", "python3");
}

TEST_CASE("a worker in Node.js: the leader is killed, each event is worked on") {
  check_worker("node", "node " + kExamples + "worker.mjs", "node");
}

TEST_CASE("a worker that is refused says why and ends, rather than ask for ever") {
  const Nodes nodes;
  for (const auto& [interpreter, start] :
       std::vector<std::pair<std::string, std::string>>{{"curl", "sh " + kExamples + "worker.sh"},
                                                        {"python3", "python3 " + kExamples + "worker.py"},
                                                        {"node", "node " + kExamples + "worker.mjs"}}) {
    if (sh(nodes.dir, "command -v " + interpreter).status != 0) continue;
    CAPTURE(start);
    Example worker(nodes, "refused-" + interpreter, start + " no%20queue true");
    CHECK(worker.process.wait() == 1);
    CHECK(worker.process.log().find("a queue's name has the characters") != std::string::npos);
  }
}

}  // namespace wh::testing
