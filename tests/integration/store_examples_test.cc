// docs/examples/lock.py, as it is, in real processes: one that holds the lock is paused beyond its lease, another one
// gets it, and what the first one writes when it wakes up changes nothing. The same for an election's leader.
#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "harness.h"
#include "listener.h"

namespace wh::testing {
namespace {

const std::string kTtl = "3";  // seconds

// A process that stands for the lock, once or again and again, and while it has it writes under the token: DATA and a
// number of its own. It does not heed that it is told to end, so it also writes when it has lost the lock.
class Holder {
 public:
  Holder(const ThreeNodes& nodes, std::string name, const std::string& lock, bool again = false)
      : name_(std::move(name)), answers_(nodes.dir.path(name_ + ".answers")), process_(nodes.dir, name_) {
    const std::string write =
        nodes.dir.write(name_ + ".sh",
                        "trap '' TERM\n"
                        "while :; do\n"
                        "  curl -s -m 5 " +
                            nodes.a.url("/txn") +
                            R"( -d '{"compare":[{"key":"'$LOCK'","create_index":'$TOKEN'}],)"
                            R"("success":[{"put":{"key":"data","value":")" +
                            name_ + R"("}},{"incr":{"key":"writes-of-)" + name_ + R"("}}]}' >>')" + answers_ +
                            "'\n"
                            "  sleep 0.05\n"
                            "done\n");
    std::string command = "env TTL=" + kTtl + " python3 " + WORMHOLE_SOURCE_DIR + "/docs/examples/lock.py " + lock +
                          " 'exec sh " + write + "'";
    for (const Server* server : nodes.all) command += " " + server->url();
    process_.program = "/bin/sh";
    process_.arguments = {{"-c", again ? "while :; do " + command + "; done" : "exec " + command}};
    process_.start();
  }
  // The harness gives it a process group, so that what it started ends with it.
  ~Holder() { end(); }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] Server& process() { return process_; }
  [[nodiscard]] size_t succeeded() const { return count_of(read_file(answers_), "\"succeeded\":true"); }
  [[nodiscard]] size_t refused() const { return count_of(read_file(answers_), "\"succeeded\":false"); }
  void pause() { REQUIRE(::kill(-process_.pid(), SIGSTOP) == 0); }
  void wake() { REQUIRE(::kill(-process_.pid(), SIGCONT) == 0); }
  void end() {
    if (!process_.running()) return;
    (void)::kill(-process_.pid(), SIGKILL);
    (void)process_.wait();
  }

 private:
  std::string name_;
  std::string answers_;
  Server process_;
};

bool has_python(const ThreeNodes& nodes) {
  if (sh(nodes.dir, "command -v python3").status == 0) return true;
  MESSAGE("skipped: there is no python3");
  return false;
}

uint64_t number_in(const Answer& answer, const std::string& header) { return std::stoull(answer.header(header)); }

}  // namespace

TEST_CASE(
    "HAZARDS S8: a holder that is paused beyond its lease writes nothing when it wakes up, as another one holds") {
  ThreeNodes nodes;
  if (!has_python(nodes)) return;
  await_leader(nodes.all);
  Holder first(nodes, "first", "lock/data");
  REQUIRE(eventually([&] { return first.succeeded() > 0; }));
  Holder second(nodes, "second", "lock/data");
  REQUIRE(eventually([&] { return count_of(nodes.b.get("/leases").body, "\"id\"") == 2; }));
  // It waits for longer than a lease: the first one keeps its own alive.
  const size_t before = first.succeeded();
  CHECK_FALSE(eventually([&] { return second.succeeded() > 0; }, 4'000));
  CHECK(first.succeeded() > before);
  const std::string first_token = nodes.a.get("/kv/lock/data").header("wormhole-create-index");

  first.pause();
  REQUIRE(eventually([&] { return second.succeeded() > 0; }));
  const Answer lock = nodes.c.get("/kv/lock/data");
  CHECK(number_in(lock, "wormhole-create-index") > std::stoull(first_token));
  // What the first one had under way when it was paused was done while it held the lock.
  const Answer written = nodes.c.get("/kv/writes-of-first");
  CHECK(number_in(written, "wormhole-mod-index") < number_in(lock, "wormhole-create-index"));

  first.wake();
  REQUIRE(eventually([&] { return first.refused() > 0; }));
  const size_t by_second = second.succeeded();
  CHECK(eventually([&] { return second.succeeded() > by_second + 3; }));
  CHECK(first.process().wait() == 75);
  CHECK(nodes.b.get("/kv/writes-of-first").body == written.body);
  CHECK(nodes.b.get("/kv/data").body == "second");
  CHECK(second.refused() == 0);
}

TEST_CASE("the status of an example's lock is its command's, as a shell says it") {
  ThreeNodes nodes;
  if (!has_python(nodes)) return;
  await_leader(nodes.all);
  const std::string lock = std::string("python3 '") + WORMHOLE_SOURCE_DIR + "/docs/examples/lock.py' l ";
  CHECK(sh(nodes.dir, lock + "'exit 7' " + nodes.a.url()).status == 7);
  CHECK(sh(nodes.dir, lock + "'kill -TERM $$' " + nodes.a.url()).status == 128 + SIGTERM);
}

TEST_CASE("HAZARDS S8: of three candidates one leads at a time, whichever is paused or killed, and so is a node") {
  ThreeNodes nodes;
  if (!has_python(nodes)) return;
  Server& node = await_leader(nodes.all);
  Listener history(nodes.a, {}, 0, "/kv/leader?watch");
  REQUIRE(eventually([&] { return history.sees("id: "); }));
  std::vector<std::unique_ptr<Holder>> candidates;
  for (const char* name : {"x", "y", "z"})
    candidates.push_back(std::make_unique<Holder>(nodes, name, "leader", /*again=*/true));
  // Whose writes succeed now; `not_this` does not count.
  const auto leader = [&](const Holder* not_this) {
    Holder* found = nullptr;
    REQUIRE(eventually([&] {
      const std::string name = nodes.a.get("/kv/data").body;
      for (const auto& candidate : candidates)
        if (candidate.get() != not_this && candidate->name() == name) found = candidate.get();
      return found != nullptr;
    }));
    return found;
  };
  Holder& first = *leader(nullptr);
  first.pause();
  Holder& second = *leader(&first);
  first.wake();
  CHECK(eventually([&] { return first.refused() > 0; }));
  second.end();
  Holder& third = *leader(&second);
  // The node that leads dies: who leads among the candidates goes on, or another one does.
  if (&node != &nodes.a) {
    CHECK(node.kill() == 137);
    const size_t before = third.succeeded();
    CHECK(eventually([&] { return first.succeeded() + third.succeeded() > before; }));
  }
  // Never two at a time: between two that were elected, the one before had lost it.
  REQUIRE(eventually([&] { return count_of((history.take(20), history.text()), "event: put") >= 3; }));
  std::string last = "event: expire";
  for (size_t at = history.text().find("\nevent: "); at != std::string::npos;
       at = history.text().find("\nevent: ", at + 1)) {
    const std::string event = history.text().substr(at + 1, history.text().find('\n', at + 1) - at - 1);
    CHECK((event == "event: put") != (last == "event: put"));
    last = event;
  }
}

}  // namespace wh::testing
