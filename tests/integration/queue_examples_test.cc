// The clients of docs/examples, as they are, through three nodes whose leader is killed, or hangs: workers and
// producers, and those that change a key under a condition. No event and no change is lost, and none is done twice.
#include <algorithm>
#include <cctype>
#include <csignal>
#include <map>
#include <memory>
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
    std::string command = "env PYTHONDONTWRITEBYTECODE=1 " + words;
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
                       "  long-*) sleep 8 ;;\n"
                       "  longer-*) sleep 20 ;;\n"
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

// What runs docs/examples/NAME.EXTENSION.
struct Language {
  std::string interpreter;
  std::string extension;
  std::string needs;
};
const Language kShell{"sh", "sh", "curl"};
const Language kPython{"python3", "py", "python3"};
const Language kNode{"node", "mjs", "node"};

std::string example(const Language& language, const std::string& name) {
  return language.interpreter + " " + kExamples + name + "." + language.extension;
}

bool is_missing(const TempDir& dir, const Language& language) {
  if (sh(dir, "command -v " + language.needs).status == 0) return false;
  MESSAGE("skipped: there is no " << language.needs);
  return true;
}

void check_worker(const Language& language) {
  const std::string& name = language.interpreter;
  CAPTURE(name);
  Nodes nodes;
  if (is_missing(nodes.dir, language)) return;
  REQUIRE(curl(nodes.dir, "-X PUT --json '{\"backoff\":[\"100ms\"]}' " + nodes.a.url("/queues/jobs")).status == 200);
  const std::string command = "'sh " + work(nodes.dir, name) + "'";
  const Example worker(nodes, "worker", "env HOLD=6 " + example(language, "worker") + " jobs " + command);
  // The leader is killed after the first events, and comes back.
  constexpr int kEvents = 60;
  const std::string lines = "for i in $(seq " + std::to_string(kEvents) +
                            "); do case $i in 7 | 40) echo fails-$i ;; 15) echo long-$i ;; *) echo plain-$i ;; esac; "
                            "sleep 0.05; done";
  std::string producer = lines + " | " + example(language, "producer") + " jobs";
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
  for (const auto& [event, times] : counted(done)) {
    CAPTURE(event);
    CHECK(times == 1);
  }
  const auto seen = counted(nodes.dir.path(name) + ".seen");
  CHECK(seen.at("fails-40") >= 2);
  // It was extended: nobody was given it meanwhile.
  CHECK(seen.at("long-15") == 1);
}

// Several processes count in one key, each so many times.
void check_change(const Language& language) {
  constexpr int kProcesses = 3;
  constexpr int kTimes = 12;
  CAPTURE(language.interpreter);
  Nodes nodes;
  if (is_missing(nodes.dir, language)) return;
  std::string counting = example(language, "change") + " counter \"read -r n; echo \\$((n + 1))\" \"$@\"";
  counting = "sh -c 'for i in $(seq " + std::to_string(kTimes) + "); do " + counting + " || exit; done' sh";
  std::vector<std::unique_ptr<Example>> processes;
  for (int i = 0; i < kProcesses; ++i)
    processes.push_back(std::make_unique<Example>(nodes, "count" + std::to_string(i), counting));
  const auto count = [&](const Server& server) {
    const std::string value = server.get("/kv/counter").body;
    return value.empty() || std::isdigit(static_cast<unsigned char>(value[0])) == 0 ? 0 : std::stoi(value);
  };
  REQUIRE(eventually([&] { return count(nodes.a) >= 5; }));
  Server& leader = await_leader(nodes.all);
  CHECK(leader.kill() == 137);
  const Server& other = *others(nodes.all, leader)[0];
  REQUIRE(eventually([&] { return count(other) >= 10; }));
  leader.start_ready();
  for (const auto& each : processes) CHECK_MESSAGE(each->process.wait(2 * kPatienceMs) == 0, each->process.log());
  CHECK(count(other) == kProcesses * kTimes);
}

// What the processes of a group are called, those that have ended aside.
std::string processes_of(const TempDir& dir, pid_t group) {
  return sh(dir,
            "cat /proc/[0-9]*/stat 2>/dev/null | awk '$5 == " + std::to_string(group) + " && $3 != \"Z\" { print $2 }'")
      .out;
}

}  // namespace

TEST_CASE("a worker and a producer in shell: the leader is killed, each event is worked on once") {
  check_worker(kShell);
}

TEST_CASE("a worker and a producer in Python: the leader is killed, each event is worked on once") {
  check_worker(kPython);
}

TEST_CASE("a worker and a producer in Node.js: the leader is killed, each event is worked on once") {
  check_worker(kNode);
}

TEST_CASE("keys changed under a condition in shell: the leader is killed, no change is lost or done twice") {
  check_change(kShell);
}

TEST_CASE("keys changed under a condition in Python: the leader is killed, no change is lost or done twice") {
  check_change(kPython);
}

TEST_CASE("keys changed under a condition in Node.js: the leader is killed, no change is lost or done twice") {
  check_change(kNode);
}

TEST_CASE("the leader hangs, which is the workers' first address: an event that is worked on stays with its worker") {
  Nodes nodes;
  Server& leader = await_leader(nodes.all);
  std::iter_swap(nodes.all.begin(), std::find(nodes.all.begin(), nodes.all.end(), &leader));
  std::vector<std::string> queues;
  std::vector<std::unique_ptr<Example>> workers;
  for (const Language& language : {kShell, kPython, kNode}) {
    if (is_missing(nodes.dir, language)) continue;
    const std::string& queue = queues.emplace_back(language.interpreter);
    REQUIRE(leader.post("/queues/" + queue + "/events", "longer-1").status == 201);
    const std::string words = queue + " 'sh " + work(nodes.dir, queue) + "'";
    for (const char* name : {"1", "2"})  // the second one is there to be given what the first one loses
      workers.push_back(
          std::make_unique<Example>(nodes, queue + name, "env HOLD=9 " + example(language, "worker") + " " + words));
  }
  const auto seen = [&](const std::string& queue) { return counted(nodes.dir.path(queue) + ".seen"); };
  for (const std::string& queue : queues) REQUIRE(eventually([&] { return !seen(queue).empty(); }));
  REQUIRE(leader.signal(SIGSTOP));
  const Server& other = *others(nodes.all, leader)[0];
  for (const std::string& queue : queues) {
    CAPTURE(queue);
    CHECK(eventually([&] { return is_empty(other, queue); }, 2 * kPatienceMs));
    CHECK(seen(queue).at("longer-1") == 1);
    CHECK(counted(nodes.dir.path(queue) + ".done")["longer-1"] == 1);
  }
  CHECK(leader.signal(SIGCONT));
}

TEST_CASE("a worker that has done its events leaves no process behind") {
  const Nodes nodes;
  for (const Language& language : {kShell, kPython, kNode}) {
    if (is_missing(nodes.dir, language)) continue;
    CAPTURE(language.interpreter);
    const std::string& queue = language.interpreter;
    for (int i = 0; i < 5; ++i) REQUIRE(nodes.a.post("/queues/" + queue + "/events", "event").status == 201);
    // A third of HOLD is longer than anything here has patience.
    Example worker(nodes, queue, "env HOLD=200 " + example(language, "worker") + " " + queue + " 'sleep 0.1'");
    CHECK(eventually([&] { return is_empty(nodes.a, queue); }));
    REQUIRE(worker.process.running());
    CHECK(!processes_of(nodes.dir, worker.process.pid()).empty());
    CHECK(eventually([&] { return processes_of(nodes.dir, worker.process.pid()).find("sleep") == std::string::npos; }));
  }
}

TEST_CASE("SIGTERM ends a worker that has no event in hand, also while no node answers") {
  Nodes nodes;
  std::vector<std::unique_ptr<Example>> workers;
  for (const Language& language : {kShell, kPython, kNode}) {
    if (is_missing(nodes.dir, language)) continue;
    const std::string& queue = language.interpreter;
    REQUIRE(nodes.a.post("/queues/" + queue + "/events", "event").status == 201);
    workers.push_back(std::make_unique<Example>(nodes, queue, example(language, "worker") + " " + queue + " true"));
    CHECK(eventually([&] { return is_empty(nodes.a, queue); }));
  }
  for (Server* server : nodes.all) server->kill();
  for (const auto& worker : workers) {
    CAPTURE(worker->process.log());
    CHECK(worker->process.running());
    CHECK(worker->process.stop() == 0);
  }
}

TEST_CASE("a producer skips empty lines, sends a last line without a newline, and bytes as they are") {
  const Nodes nodes;
  for (const Language& language : {kShell, kPython, kNode}) {
    if (is_missing(nodes.dir, language)) continue;
    CAPTURE(language.interpreter);
    const std::string& queue = language.interpreter;
    Example producer(nodes, queue,
                     R"(sh -c 'printf "one\n\nca\377fe\n\n\n \nlast" | )" + example(language, "producer") + " " +
                         queue + " \"$@\"' sh");
    CHECK(producer.process.wait() == 0);
    for (const char* expected : {"one", "ca\377fe", " ", "last"})
      CHECK(nodes.a.post("/queues/" + queue + "/receive").body == expected);
    CHECK(nodes.a.post("/queues/" + queue + "/receive").status == 204);
  }
}

TEST_CASE("a client that is refused says why and ends, rather than ask for ever") {
  const Nodes nodes;
  for (const Language& language : {kShell, kPython, kNode}) {
    if (is_missing(nodes.dir, language)) continue;
    CAPTURE(language.interpreter);
    Example worker(nodes, "worker-" + language.extension, example(language, "worker") + " no%20queue true");
    CHECK(worker.process.wait() == 1);
    CHECK(worker.process.log().find("a queue's name has the characters") != std::string::npos);
    Example producer(nodes, "producer-" + language.extension,
                     "sh -c 'echo event | " + example(language, "producer") + " no%20queue \"$@\"' sh");
    CHECK(producer.process.wait() == 1);
    CHECK(producer.process.log().find("a queue's name has the characters") != std::string::npos);
    Example change(nodes, "change-" + language.extension,
                   example(language, "change") + " " + std::string(5000, 'k') + " 'echo 1'");
    CHECK(change.process.wait() == 1);
    CHECK(change.process.log().find("4096") != std::string::npos);
  }
}

}  // namespace wh::testing
