// The server's environment: signals during and after the start, secrets visible to other users, the pidfile, a log that
// nobody reads, files that may not grow, a name server that does not answer.
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "harness.h"

namespace wh::testing {
namespace {

const std::string kServer = WORMHOLE_SERVER;

// The signals of that line of /proc/PID/status (SigBlk, SigCgt, SigIgn); 0 when there is no such process.
uint64_t signals_of(pid_t pid, const std::string& line) {
  const std::string status = read_file("/proc/" + std::to_string(pid) + "/status");
  const size_t at = status.find(line + ":\t");
  return at == std::string::npos ? 0 : std::stoull(status.substr(at + line.size() + 2), nullptr, 16);
}
constexpr uint64_t bit(int signal) { return uint64_t{1} << (signal - 1); }

// A server whose start lasts as long as one likes: its config is a FIFO that nobody writes to.
class LongStart {
 public:
  explicit LongStart(const TempDir& dir) : server(dir, "node"), config_(dir.path("config")) {
    REQUIRE(::mkfifo(config_.c_str(), 0600) == 0);
    server.arguments = {config_,
                        "--node-id",
                        "node",
                        "--port",
                        std::to_string(server.port),
                        "--raft-port",
                        std::to_string(server.raft_port),
                        "--debug-port",
                        std::to_string(server.debug_port),
                        "--dir",
                        server.data_dir};
    server.start();
    // Before that it is this program, with all signals blocked within fork() and doctest's handlers behind.
    REQUIRE(eventually(
        [&] { return read_file("/proc/" + std::to_string(server.pid()) + "/comm") == "wormhole-server\n"; }));
    REQUIRE(eventually([&] { return (signals_of(server.pid(), "SigBlk") & bit(SIGHUP)) != 0; }));
    REQUIRE(eventually([&] { return (signals_of(server.pid(), "SigCgt") & bit(SIGTERM)) != 0; }));
  }
  void finish(const std::string& text) const {
    const int fd = ::open(config_.c_str(), O_WRONLY | O_CLOEXEC);
    REQUIRE(fd >= 0);
    CHECK(::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    ::close(fd);
  }
  Server server;

 private:
  std::string config_;
};

}  // namespace

TEST_CASE("SIGHUP during the start is held until there is something to open anew; SIGUSR1 and SIGUSR2 do nothing") {
  const TempDir dir;
  LongStart start(dir);
  const std::string log = dir.path("node.log");
  for (const int signal : {SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE}) REQUIRE(start.server.signal(signal));
  start.finish("logfile " + log + "\n");
  REQUIRE(eventually([&] { return start.server.ready(); }));
  CHECK(eventually([&] { return has(read_file(log), "SIGHUP: the log file " + log + " was opened anew"); }));
  for (const int signal : {SIGUSR1, SIGUSR2, SIGHUP}) REQUIRE(start.server.signal(signal));
  CHECK(eventually([&] { return has(read_file(log), "SIGUSR1 and SIGUSR2 do nothing here"); }));
  CHECK(eventually([&] { return count_of(read_file(log), "was opened anew") == 2; }));
  CHECK(start.server.ready());
  CHECK(start.server.stop() == 0);
}

TEST_CASE("SIGTERM and SIGINT end a start at once, with status 0") {
  for (const int signal : {SIGTERM, SIGINT}) {
    CAPTURE(signal);
    const TempDir dir;
    LongStart start(dir);
    REQUIRE(start.server.signal(signal));
    CHECK(start.server.wait() == 0);
    CHECK(has(start.server.log(), "ended by a signal before it served"));
  }
}

TEST_CASE("secrets: neither ps, nor /proc, nor CONFIG GET, INFO, /metrics or the log shows one") {
  const TempDir dir;
  dir.write("secret", "hunter2-of-the-members\n");
  Server server(dir, "node");
  server.more = {"--requirepass", "hunter2-by-argument", "--tls-key-file-pass=hunter2-of-a-key", "--loglevel", "debug"};
  server.environment = {{"WORMHOLE_CLUSTER_SECRET_FILE", dir.path("secret")},
                        {"WORMHOLE_TLS_KEY_FILE_PASS", "hunter2-x"}};
  server.start_ready();
  const std::string proc = "/proc/" + std::to_string(server.pid());
  const std::string arguments = read_file(proc + "/cmdline");
  CHECK(has(arguments, std::string("--requirepass\0***\0", 18)));
  CHECK(has(arguments, server.data_dir));
  CHECK_FALSE(has(arguments, "hunter2"));
  CHECK_FALSE(has(read_file(proc + "/environ"), "hunter2"));
  CHECK_FALSE(has(sh(dir, "ps -o args= -p " + std::to_string(server.pid())).out, "hunter2"));

  const std::string cli =
      "redis-cli --no-auth-warning -a hunter2-by-argument -p " + std::to_string(server.debug_port) + " ";
  const std::string config = sh(dir, cli + "CONFIG GET '*'").out;
  CHECK(has(config, "requirepass\n***\n"));
  CHECK(has(config, "cluster-secret\n***\n"));
  CHECK(has(config, "tls-key-file-pass\n***\n"));
  CHECK_FALSE(has(config, "hunter2"));
  CHECK(sh(dir, cli + "CONFIG SET requirepass hunter2-new").out == "OK\n");
  const std::string renewed =
      "redis-cli --no-auth-warning -a hunter2-new -p " + std::to_string(server.debug_port) + " ";
  CHECK(sh(dir, renewed + "CONFIG GET requirepass").out == "requirepass\n***\n");
  CHECK_FALSE(has(sh(dir, renewed + "INFO").out, "hunter2"));
  CHECK_FALSE(has(sh(dir, renewed + "SLOWLOG GET 100").out, "hunter2"));
  CHECK_FALSE(has(curl(dir, "-u :hunter2-new " + server.url("/metrics")).body, "hunter2"));
  CHECK_FALSE(has(server.log(), "hunter2"));
  CHECK(curl(dir, server.url("/event")).status == 401);
}

TEST_CASE("secrets: no start without the password that was meant") {
  const TempDir dir;
  const auto refused = [&](const std::string& variables) {
    const Output output =
        sh(dir, variables + " timeout 20 " + kServer + " --protected-mode no --dir data --port " +
                    std::to_string(free_port()) + " --debug-port 0 --raft-port " + std::to_string(free_port()));
    CHECK(output.status == 1);
    CHECK_FALSE(has(output.out + output.err, "hunter2"));
    return output.err;
  };
  CHECK(has(refused("WORMHOLE_REQUIREPASS_FILE=none"), "WORMHOLE_REQUIREPASS_FILE=none"));
  CHECK(has(refused("WORMHOLE_REQUIREPAS=hunter2"), "did you mean WORMHOLE_REQUIREPASS"));
  CHECK_FALSE(std::filesystem::exists(dir.path("data")));
}

TEST_CASE("pidfile: a second server does not take over the first one's") {
  const TempDir dir;
  Server first(dir, "first");
  Server second(dir, "second");
  first.more = second.more = {"--pidfile", dir.path("pid")};
  first.start_ready();
  const std::string pid = std::to_string(first.pid()) + "\n";
  CHECK(read_file(dir.path("pid")) == pid);
  second.start();
  CHECK(second.wait() == 1);
  CHECK(has(second.log(), "process " + std::to_string(first.pid()) + " holds it"));
  CHECK(read_file(dir.path("pid")) == pid);
  // What a killed one left is taken over, and removed at the end.
  CHECK(first.kill() == 137);
  CHECK(read_file(dir.path("pid")) == pid);
  second.start_ready();
  CHECK(read_file(dir.path("pid")) == std::to_string(second.pid()) + "\n");
  CHECK(second.stop() == 0);
  CHECK_FALSE(std::filesystem::exists(dir.path("pid")));
}

TEST_CASE("the log: a FIFO that nobody reads, or no longer, holds nobody up") {
  const TempDir dir;
  const std::string fifo = dir.path("fifo");
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  Server server(dir, "node");
  server.more = {"--logfile", fifo, "--loglevel", "debug"};
  server.start_ready();
  CHECK(server.get("/healthz").status == 200);
  const auto dropped = [&] {
    const std::string info = server.redis("INFO");
    const size_t at = info.find("log_lines_dropped:");
    return at == std::string::npos ? 0 : std::stoi(info.substr(at + 18));
  };
  // More lines than a pipe holds: they are dropped and counted.
  const std::string hosts = std::string(60, 'a') + "." + std::string(60, 'b') + "." + std::string(60, 'c');
  const std::string line =
      "CONFIG SET allowed-hosts '" + hosts + " " + hosts + " " + hosts + " " + hosts + " " + hosts + "'";
  for (int i = 0; i < 200 && dropped() == 0; ++i) REQUIRE(server.redis(line) == "OK");
  CHECK(dropped() > 0);
  // A reader that comes is told so, and goes again.
  CHECK(has(sh(dir, "timeout 5 head -c 60000 fifo").out, "nobody reads the log file " + fifo + ", a FIFO"));
  REQUIRE(server.signal(SIGHUP));
  CHECK(eventually([&] { return server.get("/healthz").status == 200; }));
  CHECK(server.stop() == 0);
}

TEST_CASE(
    "the log: /dev/stdout is what the process has as such; a directory or a device that is none stops the start") {
  const TempDir dir;
  Server server(dir, "node");
  server.more = {"--logfile", "/dev/stdout"};
  server.start_ready();
  CHECK(has(server.log(), "HTTP on 127.0.0.1:" + std::to_string(server.port)));
  CHECK(server.stop() == 0);
  const Output directory = sh(dir, kServer + " --logfile . --port 0 --debug-port 0 --dir data");
  CHECK(directory.status == 1);
  CHECK(has(directory.err, "could not open the log file .: Is a directory"));
}

TEST_CASE("ulimit -f: a disk that is full, not the end") {
  const TempDir dir;
  Server server(dir, "node");
  server.program = "/bin/bash";
  server.arguments = {{"-c", "ulimit -f 2048; exec " + kServer + " --node-id node --min-free-disk 0 --dir " +
                                 server.data_dir + " --port " + std::to_string(server.port) + " --raft-port " +
                                 std::to_string(server.raft_port) + " --debug-port " +
                                 std::to_string(server.debug_port)}};
  server.start_ready();
  CHECK(has(server.log(), "(ulimit -f): a database that has no room left there is a disk that is full"));
  dir.write("value", std::string(200'000, 'v'));
  int refused = 0;
  for (int i = 0; i < 60 && refused == 0; ++i) {
    const Answer answer =
        curl(dir, "-m 10 --data-urlencode value@value -d key=k" + std::to_string(i) + " " + server.url("/set"));
    if (answer.status == 507 || answer.status == 504) refused = answer.status;
  }
  CHECK(refused != 0);
  CHECK(server.running());
  CHECK(eventually([&] { return has(server.log(), "2097152 bytes: ulimit -f"); }));
  CHECK(curl(dir, "-m 10 --data-urlencode value@value -d key=more " + server.url("/set")).status == 507);
  CHECK(server.get("/get?key=k0&consistency=stale").status == 200);
  CHECK(server.running());
}

TEST_CASE("a name server that does not answer holds up no write, with UV_THREADPOOL_SIZE=1, and no end") {
  const TempDir dir;
  const std::string hanging = dir.path("hanging");
  Server a(dir, "a");
  Server b(dir, "b");
  Server c(dir, "c");
  const Servers all{&a, &b, &c};
  for (Server* server : all) {
    server->environment = {
        {"LD_PRELOAD", WORMHOLE_HANGING_NAMES}, {"HANGING_NAMES_FILE", hanging}, {"UV_THREADPOOL_SIZE", "1"}};
    server->more = {"--join", a.raft_address(), b.raft_address(), c.raft_address()};
  }
  // One of them is known by name.
  c.more.insert(c.more.end(), {"--announce-address", "localhost"});
  for (Server* server : all) server->start();
  await_voters(all, 3);
  Server* leader = &await_leader(all);
  CHECK(has(a.log(), "UV_THREADPOOL_SIZE is 1"));
  if (leader == &c) {
    const std::string json = " -H 'Content-Type: application/json' -d '{\"id\":\"a\"}' ";
    REQUIRE(eventually([&] { return curl(dir, json + c.url("/cluster/transfer")).status == 200; }));
    leader = &await_leader(all);
    REQUIRE(leader != &c);
  }
  const std::string term = leader->cluster_field("term");
  dir.write("hanging", "localhost\n");
  CHECK(c.kill() == 137);
  for (int i = 0; i < 30; ++i) {
    const Answer answer = curl(dir, "-m 20 -L -d key=k" + std::to_string(i) + " -d value=v " + leader->url("/set"));
    CHECK(answer.status == 200);
  }
  CHECK(leader->cluster_field("term") == term);
  CHECK_FALSE(has(leader->log(), "finished a sync"));
  for (Server* server : others(all, c)) CHECK(server->stop() == 0);
}

}  // namespace wh::testing
