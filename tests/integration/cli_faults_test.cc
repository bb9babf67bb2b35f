// wormhole-cli while nodes die, stand still, or are none: what is sent again takes effect once, what it follows is
// complete, and its status says what is known.
#include <csignal>
#include <map>
#include <sstream>

#include <doctest/doctest.h>

#include "cli_run.h"
#include "harness.h"

namespace wh::testing {
namespace {

struct CliNodes : ThreeNodes {
  explicit CliNodes(const std::vector<std::string>& more = {}) : ThreeNodes(more) {}
  Cli cli{dir, urls(all)};
};

// The events of a queue that are ready, by their bytes.
std::map<std::string, int> contents(const Cli& cli, const std::string& queue) {
  std::map<std::string, int> times;
  std::istringstream lines(cli.out("peek " + queue + " --limit 100000 -o json"));
  for (std::string line; std::getline(lines, line);) ++times[json_field(line, "data")];
  return times;
}

TEST_CASE("no event twice and none lost while the leader is killed in the middle of a loop") {
  CliNodes nodes;
  Server& leader = await_leader(nodes.all);
  constexpr int kEvents = 60;
  for (int n = 0; n < kEvents; ++n) {
    if (n == kEvents / 3) leader.kill();
    if (n == kEvents * 2 / 3) leader.start();
    CHECK(nodes.cli.run("enqueue q event-" + std::to_string(n)).status == 0);
  }
  const auto times = contents(nodes.cli, "q");
  CHECK(times.size() == kEvents);
  for (const auto& [event, count] : times) CHECK_MESSAGE(count == 1, event);
}

TEST_CASE("lines, too, while a leader is killed; and a worker that outlives it") {
  CliNodes nodes;
  Server& leader = await_leader(nodes.all);
  std::string lines;
  constexpr int kLines = 20'000;
  for (int n = 0; n < kLines; ++n) lines += "line-" + std::to_string(n) + "\n";
  nodes.dir.write("lines", lines);
  Running enqueue(nodes.cli, "enqueue", "enqueue q --lines <lines");
  CHECK(eventually([&] { return !enqueue.out().empty(); }));
  leader.kill();
  CHECK(enqueue.process().wait() == 0);
  CHECK(has(enqueue.err(), std::to_string(kLines) + " events enqueued"));
  CHECK(count_of(enqueue.out(), "\n") == kLines);
  const auto times = contents(nodes.cli, "q");
  CHECK(times.size() == kLines);

  leader.start();
  await_voters(nodes.all, 3);
  Server& second = await_leader(nodes.all);
  Running worker(nodes.cli, "worker", "receive work -- sh -c 'cat >>done; echo >>done'");
  CHECK(nodes.cli.run("enqueue work first").status == 0);
  CHECK(eventually([&] { return has(read_file(nodes.dir.path("done")), "first\n"); }));
  second.kill();
  CHECK(nodes.cli.run("enqueue work second").status == 0);
  CHECK(eventually([&] { return has(read_file(nodes.dir.path("done")), "second\n"); }));
  CHECK(worker.process().running());
  CHECK(worker.process().stop() == 128 + SIGTERM);
}

TEST_CASE("a watch goes on at another node, without a gap and without a repetition") {
  CliNodes nodes;
  await_leader(nodes.all);
  Running watch(nodes.cli, "watch", "watch --prefix n/ --initial --count 40");
  Server* victim = &nodes.a;  // the first endpoint: the one that is watched
  for (int n = 0; n < 40; ++n) {
    if (n == 10) {
      CHECK(eventually([&] { return count_of(watch.out(), "\n") == 10; }));
      victim->kill();
    }
    CHECK(nodes.cli.run("put n/" + std::to_string(n) + " x").status == 0);
  }
  CHECK(watch.process().wait() == 0);
  std::istringstream lines(watch.out());
  int n = 0;
  for (std::string line; std::getline(lines, line); ++n) CHECK(line.ends_with("  n/" + std::to_string(n) + "  x"));
  CHECK(n == 40);
  CHECK(watch.err().empty());
}

TEST_CASE("a watch whose node came back without its history says that changes were lost") {
  CliNodes nodes({"--raft-snapshot-entries", "10"});
  await_leader(nodes.all);
  Cli only_a = nodes.cli;
  only_a.endpoints = nodes.a.url();
  Cli rest = nodes.cli;
  rest.endpoints = nodes.b.url() + "," + nodes.c.url();
  Running watch(only_a, "watch", "watch --prefix n/ --initial -o json");
  CHECK(rest.run("put n/1 x").status == 0);
  CHECK(eventually([&] { return has(watch.out(), "n/1"); }));
  nodes.a.kill();
  CHECK(rest.run("del n/1").status == 0);
  for (int n = 0; n < 50; ++n) CHECK(rest.run("incr n/2").status == 0);
  // What it has missed comes as a snapshot, or as entries that it applies: both are told in full or as lost.
  nodes.a.start();
  CHECK(eventually([&] { return has(watch.out(), "\"value\":\"50\""); }));
  CHECK((has(watch.err(), "changes were lost") || has(watch.out(), "\"event\":\"delete\"")));
  CHECK(watch.process().stop() == 128 + SIGTERM);
}

TEST_CASE("a stream of a queue goes on at another node") {
  CliNodes nodes;
  await_leader(nodes.all);
  CHECK(nodes.cli.run("stream q").status == 1);
  CHECK(nodes.cli.run("settings --queue q delay=0").status == 0);
  Running stream(nodes.cli, "stream", "stream q --count 20");
  for (int n = 0; n < 20; ++n) {
    if (n == 7) {
      CHECK(eventually([&] { return count_of(stream.out(), "\n") == 7; }));
      nodes.a.kill();
    }
    CHECK(nodes.cli.run("enqueue q e" + std::to_string(n)).status == 0);
  }
  CHECK(stream.process().wait() == 0);
  for (int n = 0; n < 20; ++n) CHECK(count_of(stream.out(), "  e" + std::to_string(n) + "\n") == 1);
}

TEST_CASE("a node that stands still counts as not answering") {
  CliNodes nodes;
  Server& leader = await_leader(nodes.all);
  Server& follower = *others(nodes.all, leader)[0];
  Cli cli = nodes.cli;
  cli.endpoints = follower.url() + "," + leader.url();
  CHECK(cli.run("put k before").status == 0);
  REQUIRE(follower.signal(SIGSTOP));
  const auto began = std::chrono::steady_clock::now();
  CHECK(cli.out("get k --answer-timeout 500ms") == "before");
  CHECK(cli.run("put k after --answer-timeout 500ms").status == 0);
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(kSanitized ? 60 : 15));
  cli.endpoints = follower.url();
  const Output read = cli.run("get k --answer-timeout 300ms --timeout 1s");
  CHECK(read.status == 3);
  CHECK(has(read.err, "no answer within "));
  // A write that it may have is a different thing.
  const Output write = cli.run("incr n --answer-timeout 300ms --timeout 1s");
  CHECK(write.status == 4);
  CHECK(has(write.err, "unknown whether it took effect"));
  CHECK(has(write.err, "--idempotency-key "));
  // --wait holds where nobody answers, too.
  const auto waited = std::chrono::steady_clock::now();
  CHECK(cli.run("lock l --wait 1s -- true").status == 4);
  CHECK(std::chrono::steady_clock::now() - waited < std::chrono::seconds(15));
  // A lease that is granted too late is no reason to wait for oneself.
  cli.endpoints = follower.url() + "," + leader.url();
  const Output late = cli.run("lock l --ttl 2s --answer-timeout 3s -- echo got");
  CHECK(late.out == "got\n");
  CHECK(late.err.empty());
  cli.endpoints = follower.url();
  REQUIRE(follower.signal(SIGCONT));
  // Repeated with the key that was named, it counts once, whatever became of the first.
  const std::string key = write.err.substr(write.err.find("--idempotency-key ") + 18, 32);
  CHECK(cli.out("incr n --idempotency-key " + key) == "1\n");
  CHECK(cli.out("incr n --idempotency-key " + key) == "1\n");
  CHECK(cli.out("get n") == "1");
}

TEST_CASE("endpoints that are no Wormhole") {
  TempDir dir;
  Server server(dir, "only");
  server.start_ready();
  const Stranger page("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello");
  const Stranger missing(http_answer("404 Not Found", "<h1>Not Found</h1>"));
  const Stranger gateway(http_answer("502 Bad Gateway", "no upstream"));
  const Stranger garbage("SSH-2.0-OpenSSH_9.2\r\n");
  const Stranger silent("");
  for (const Stranger* stranger : {&page, &missing, &gateway, &garbage, &silent}) {
    CAPTURE(stranger->url());
    Cli both{dir, stranger->url() + "," + server.url()};
    // Whatever it is, the other one is asked.
    CHECK(both.run("put k v").status == 0);
    CHECK(both.out("get k") == "v");
    CHECK(both.out("watch k --initial --count 1").ends_with("  k  v\n"));
    CHECK(both.run("backup --force saved.db").status == 0);
    Cli alone{dir, stranger->url()};
    const Output read = alone.run("get k --timeout 1s");
    CHECK(read.status == 3);
    CHECK(read.out.empty());
    CHECK(has(read.err, stranger->url() + ": "));
    CHECK(alone.run("put k v --timeout 1s").status == 4);
    CHECK(alone.run("status --timeout 1s").status == 3);
  }
}

TEST_CASE("what a 503 says is honoured, and ends as nobody") {
  TempDir dir;
  const Stranger busy(
      http_answer("503 Service Unavailable\r\nRetry-After: 1\r\nContent-Type: application/json\r\n"
                  "Wormhole-Outcome: not-applied",
                  "{\"error\": \"no leader is known\"}"));
  Cli cli{dir, busy.url()};
  const Output put = cli.run("put k v --timeout 2500ms");
  CHECK(put.status == 3);
  CHECK(has(put.err, "503: no leader is known"));
  // At the start, after one second and after two.
  CHECK(count_of(busy.received(), "PUT /kv/k") == 3);
  const size_t key = busy.received().find("Idempotency-Key: ");
  REQUIRE(key != std::string::npos);
  CHECK(count_of(busy.received(), busy.received().substr(key, 49)) == 3);
}

TEST_CASE("a redirection is followed, with the password only to members") {
  // A request without a password would be refused, so this cluster is awaited by /readyz, which needs none.
  TempDir dir;
  Server a(dir, "node_1");
  Server b(dir, "node_2");
  Server c(dir, "node_3");
  const Servers all{&a, &b, &c};
  for (Server* server : all) {
    server->more = {"--join",        a.raft_address(), b.raft_address(),    c.raft_address(),
                    "--requirepass", "secret",         "--follower-writes", "redirect"};
    server->start();
  }
  for (const Server* server : all) REQUIRE(eventually([&] { return server->ready(); }));
  const auto asks = [&](const Server& server) { return curl(dir, "-u :secret " + server.url("/cluster")).body; };
  Server* leader = nullptr;
  REQUIRE(eventually([&] {
    for (Server* server : all)
      if (has(asks(*server), "\"role\":\"leader\"")) leader = server;
    return leader != nullptr && count_of(asks(*leader), "\"voter\"") == 3;
  }));
  Cli cli{dir, urls(others(all, *leader)), "WORMHOLE_PASSWORD=secret "};
  CHECK(cli.run("put k v").status == 0);
  CHECK(cli.out("get k") == "v");
  // Followers that still send on to a leader that is gone are asked again, until they know better.
  leader->kill();
  const Output put = cli.run("put k w");
  CHECK_MESSAGE(put.status == 0, put.err);

  const Stranger elsewhere(http_answer("201 Created\r\nWormhole-Index: 5", ""));
  const Stranger sender(http_answer("307 Temporary Redirect\r\nLocation: " + elsewhere.url() + "/kv/k", ""));
  cli.endpoints = sender.url();
  const Output sent = cli.run("put k v --timeout 1s");
  CHECK(sent.status == 3);
  CHECK(has(sent.err, "no member of its cluster"));
  CHECK(elsewhere.received().empty());
}

// A refusal as a Wormhole words it; `sentence` is JSON text.
std::string refusal(const std::string& status, const std::string& sentence) {
  return http_answer(status + "\r\nContent-Type: application/json", "{\"error\": \"" + sentence + "\"}");
}

TEST_CASE("a refusal settles nothing, where an earlier attempt may be its reason") {
  TempDir dir;
  const Stranger silent("");
  const auto status_after = [&](const std::string& answer, const std::string& arguments) {
    const Stranger second(answer);
    return Cli{dir, silent.url() + "," + second.url()}.run(arguments + " --timeout 500ms").status;
  };
  const std::string conflict = refusal("409 Conflict", "it is a member");
  CHECK(status_after(conflict, "add node9 127.0.0.1:1") == 4);
  CHECK(status_after(conflict, "transfer node9") == 4);
  CHECK(status_after(conflict, "settings max_queues=7") == 4);
  // What is removed is gone.
  CHECK(status_after(refusal("404 Not Found", "no such member"), "remove node9") == 0);
  // With a key, the answer of the attempt that took effect would have come.
  CHECK(status_after(conflict, "put k v --if-absent") == 1);
  CHECK(status_after(refusal("413 Content Too Large", "too long"), "put k v") == 4);
  CHECK(status_after(refusal("400 Bad Request", "no"), "put k v") == 4);
  const Stranger alone(conflict);
  CHECK(Cli{dir, alone.url()}.run("add node9 127.0.0.1:1").status == 1);
}

TEST_CASE("one that sends on again and again, and sentences that a terminal would obey") {
  TempDir dir;
  const auto sender = [](const std::string& to) {
    return http_answer("307 Temporary Redirect\r\nLocation: " + to + "/kv/k", R"({"error": "ask the leader"})");
  };
  const Stranger third(sender("http://127.0.0.1:1"));
  const Stranger second(sender(third.url()));
  const Stranger first(sender(second.url()));
  const Output put = Cli{dir, first.url()}.run("put k v --timeout 500ms");
  CHECK(put.status == 3);
  CHECK(has(put.err, "sends on again, to http://127.0.0.1:1"));

  const Stranger hostile(refusal("503 Service Unavailable", "a\\u001b]0;title\\u0007"));
  const Output get = Cli{dir, hostile.url()}.run("get k --timeout 300ms");
  CHECK(get.status == 3);
  CHECK(has(get.err, "a\\x1b]0;title\\x07"));
  CHECK(count_of(get.err, "\x1b") == 0);
}

TEST_CASE("what the command of a lock has started ends with it") {
  CliNodes nodes;
  await_leader(nodes.all);
  const auto alive = [&] { return sh(nodes.dir, "grep -q . /proc/$(tail -n 1 work)/cmdline").status == 0; };
  const auto works = [&](size_t times) { return count_of(read_file(nodes.dir.path("work")), "\n") == times; };
  // The shell does not become what works, nor end it when it ends.
  Running holder(nodes.cli, "holder", "lock l --ttl 2s -- sh -c 'sleep 600 & echo $! >>work; wait; echo'");
  CHECK(eventually([&] { return works(1); }));
  CHECK(holder.process().stop() == 128 + SIGTERM);
  CHECK(!alive());

  // A lock that is lost: work that takes no notice of SIGTERM, and a standard error that nobody reads.
  Cli cli = nodes.cli;
  cli.environment = "mkfifo full; exec 3<>full; dd if=/dev/zero of=full oflag=nonblock bs=4096 2>dd; ";
  Running lost(cli, "lost", "lock l --ttl 2s -- sh -c '(trap \"\" TERM; exec sleep 600) & echo $! >>work; wait; echo'",
               "2>&3");
  CHECK(eventually([&] { return works(2); }));
  CHECK(alive());
  for (Server* server : nodes.all) server->kill();
  CHECK(eventually([&] { return !alive(); }, 10'000));
}

TEST_CASE("two want one lock, and the holder is killed") {
  CliNodes nodes;
  await_leader(nodes.all);
  const std::string hold = "lock l --ttl 2s -- sh -c 'echo $$ >>holders; echo $TOKEN >>tokens; ";
  Running first(nodes.cli, "first", hold + "exec sleep 600'");
  CHECK(eventually([&] { return count_of(read_file(nodes.dir.path("tokens")), "\n") == 1; }));
  const Output impatient = nodes.cli.run("lock l --wait 300ms -- touch never");
  CHECK(impatient.status == 1);
  CHECK(has(impatient.err, "another holds the lock l"));
  CHECK(has(impatient.err, "process "));
  Running second(nodes.cli, "second", hold + "exec sleep 600'");
  CHECK(eventually([&] { return has(second.err(), "waiting for the lock l"); }));
  CHECK(count_of(read_file(nodes.dir.path("tokens")), "\n") == 1);
  // Its command ends with it, long before another one may hold the lock.
  // One that has ended, and that nobody asked for its status yet, has no command line.
  const auto alive = [&] { return sh(nodes.dir, "grep -q . /proc/$(head -n 1 holders)/cmdline").status == 0; };
  CHECK(alive());
  first.process().signal(SIGKILL);
  CHECK(eventually([&] { return !alive(); }, 1'000));
  CHECK(eventually([&] { return count_of(read_file(nodes.dir.path("tokens")), "\n") == 2; }));
  const std::string tokens = read_file(nodes.dir.path("tokens"));
  CHECK(std::stoull(tokens) < std::stoull(tokens.substr(tokens.find('\n') + 1)));
  // A signal ends the command and frees the lock at once.
  CHECK(second.process().stop() == 128 + SIGTERM);
  const auto began = std::chrono::steady_clock::now();
  CHECK(nodes.cli.run("lock l --ttl 60s -- sh -c 'exit 7'").status == 7);
  CHECK(nodes.cli.run("lock l -- true").status == 0);
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(30));
  CHECK(nodes.cli.run("get l").status == 1);
  CHECK(nodes.cli.run("lock l -- /nowhere/program").status == 127);
  CHECK(nodes.cli.out("leases").empty());
}

TEST_CASE(
    "a lock is kept for as long as its command runs, and what cannot be kept is ended before another may have it") {
  CliNodes nodes;
  await_leader(nodes.all);
  Running holder(nodes.cli, "holder",
                 "lock l --ttl 2s -- sh -c 'trap \"echo term >>ended; exit 0\" TERM; "
                 "while :; do echo >>ticks; sleep 0.1; done'");
  const auto ticks = [&] { return count_of(read_file(nodes.dir.path("ticks")), "\n"); };
  // Twice its ttl, and through the loss of the leader.
  CHECK(eventually([&] { return ticks() >= 40; }));
  Server& leader = await_leader(nodes.all);
  leader.kill();
  await_leader(others(nodes.all, leader));
  const size_t so_far = ticks();
  CHECK(eventually([&] { return ticks() >= so_far + 30; }));
  CHECK(holder.process().running());
  for (Server* server : others(nodes.all, leader)) server->kill();
  CHECK(holder.process().wait() == 75);
  CHECK(has(holder.err(), "the lock is lost"));
  CHECK(read_file(nodes.dir.path("ended")) == "term\n");
}

}  // namespace
}  // namespace wh::testing
