// How wormhole-cli ends: by signals while it reads, writes or waits for a command, and with the status that the
// contract names.
#include <csignal>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "cli_run.h"
#include "harness.h"

namespace wh::testing {
namespace {

// A pipe with a name that is open for as long as this is.
class Fifo {
 public:
  Fifo(const TempDir& dir, const std::string& name) {
    const std::string path = dir.path(name);
    REQUIRE(mkfifo(path.c_str(), 0600) == 0);
    fd_ = open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
    REQUIRE(fd_ >= 0);
  }
  ~Fifo() { close(fd_); }
  Fifo(const Fifo&) = delete;
  Fifo& operator=(const Fifo&) = delete;

  void write(const std::string& bytes) const {
    REQUIRE(::write(fd_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }
  [[nodiscard]] int waiting() const {
    int bytes = -1;
    ioctl(fd_, FIONREAD, &bytes);
    return bytes;
  }
  [[nodiscard]] bool full() const { return waiting() >= fcntl(fd_, F_GETPIPE_SZ); }

 private:
  int fd_ = -1;
};

TEST_CASE("a signal ends it while it reads its input, without a word") {
  CliNode node;
  for (const std::string command : {"put k -", "enqueue q -", "txn -", "put k --file in"}) {
    CAPTURE(command);
    const Fifo in(node.dir, "in");
    Running reader(node.cli, "reader", command + " <in");
    in.write("x");
    // It has taken that, and waits for more.
    CHECK(eventually([&] { return in.waiting() == 0; }));
    CHECK(reader.process().stop() == 128 + SIGTERM);
    CHECK(reader.err().empty());
    CHECK(unlink(node.dir.path("in").c_str()) == 0);
  }
  for (const std::string command : {"put k --file /nowhere/x", "enqueue q --file /nowhere/x", "txn /nowhere/x"}) {
    const Output output = node.cli.run(command);
    CHECK_MESSAGE(output.status == 1, command);
    CHECK(has(output.err, "cannot read /nowhere/x"));
  }
  CHECK(node.cli.run("put k v --file x").status == 2);
  // Standard streams that are closed are empty.
  CHECK(node.cli.run("put k - <&-").status == 0);
  CHECK(node.cli.out("get k").empty());
}

TEST_CASE("a signal ends it while nobody reads what it prints") {
  CliNode node;
  CHECK(node.cli.run_with(std::string(300'000, 'x'), "put k -").status == 0);
  const Fifo full(node.dir, "full");
  Running writer(node.cli, "writer", "get k", ">full 2>writer.err");
  CHECK(eventually([&] { return full.full(); }));
  CHECK(writer.process().stop() == 128 + SIGTERM);
}

TEST_CASE("it waits for who reads, also through a pipe that does not block") {
  CliNode node;
  CHECK(node.cli.run_with(std::string(300'000, 'x'), "put k -").status == 0);
  const std::string script = node.dir.write(
      "script",
      "import fcntl, os, sys\nfcntl.fcntl(1, fcntl.F_SETFL, os.O_NONBLOCK)\nos.execv(sys.argv[1], sys.argv[1:])\n");
  const Output got = sh(node.dir, "WORMHOLE_ENDPOINTS=" + node.cli.endpoints + " python3 '" + script + "' '" +
                                      WORMHOLE_CLI + "' get k | (sleep 1; wc -c)");
  CHECK(got.out == "300000\n");
  CHECK(got.err.empty());
}

TEST_CASE("a signal ends a verification") {
  CliNode node;
  const std::string program = node.dir.write("wormhole-server", "#!/bin/sh\necho $$ >verifying\nexec sleep 600\n");
  REQUIRE(chmod(program.c_str(), 0700) == 0);
  Cli cli = node.cli;
  cli.environment = "PATH=$PWD:$PATH ";
  Running verify(cli, "verify", "verify wormhole-server");
  CHECK(eventually([&] { return has(read_file(node.dir.path("verifying")), "\n"); }));
  CHECK(verify.process().stop() == 128 + SIGTERM);
}

TEST_CASE("Ctrl-Z does not stop who holds a lock, whoever has the terminal") {
  CliNode node;
  // A shell that controls jobs, so that SIGTSTP stops what does not ignore it.
  const std::string script = "set -m\n" + node.cli.line("lock l --ttl 2s -- sh -c 'echo >>held; exec sleep 600' &\n") +
                             "holder=$!\nuntil [ -s held ]; do sleep 0.05; done\nkill -TSTP $holder\n" +
                             node.cli.line("lock l --ttl 2s --wait 5s -- touch second\n") +
                             "echo \"second: $?\"\nkill $holder\nwait $holder\necho \"first: $?\"\n";
  const Output both = sh(node.dir, "bash '" + node.dir.write("script", script) + "'");
  CHECK(has(both.out, "second: 1\n"));
  CHECK(has(both.out, "first: 143\n"));
  CHECK(access(node.dir.path("second").c_str(), F_OK) != 0);
}

TEST_CASE("a lock that may have been lost while its holder stood still is not called held") {
  CliNode node;
  Running holder(node.cli, "holder",
                 "lock l --ttl 2s -- sh -c 'echo >>held; until [ -e go ]; do sleep 0.05; done; echo >>over'");
  CHECK(eventually([&] { return has(read_file(node.dir.path("held")), "\n"); }));
  REQUIRE(holder.process().signal(SIGSTOP));
  CHECK(node.cli.run("lock l --ttl 2s -- touch go").status == 0);
  CHECK(eventually([&] { return has(read_file(node.dir.path("over")), "\n"); }));
  REQUIRE(holder.process().signal(SIGCONT));
  CHECK(holder.process().wait() == 75);
  CHECK(has(holder.err(), "may have been lost"));
}

TEST_CASE("a command that stands still takes the signal that ends it") {
  CliNode node;
  Running holder(node.cli, "holder", "lock l -- sh -c 'echo $$ >held; kill -STOP $$; sleep 600'");
  CHECK(eventually([&] { return has(read_file(node.dir.path("held")), "\n"); }));
  CHECK(eventually([&] { return sh(node.dir, "grep -q '^State:.T' /proc/$(cat held)/status").status == 0; }));
  CHECK(holder.process().stop() == 128 + SIGTERM);
}

TEST_CASE("a further signal ends it while what it holds cannot be given back") {
  CliNode node;
  for (const std::string command : {"lock l --ttl 10m -- ", "receive q --visibility-timeout 10m --timeout 10m -- "}) {
    CAPTURE(command);
    CHECK(node.cli.run("enqueue q one").status == 0);
    node.dir.write("held", "");
    Running holder(node.cli, "holder", command + "sh -c 'echo $$ >held; exec sleep 600'");
    CHECK(eventually([&] { return has(read_file(node.dir.path("held")), "\n"); }));
    REQUIRE(node.server.signal(SIGSTOP));
    CHECK(sh(node.dir, "kill $(cat held)").status == 0);
    CHECK(eventually([&] { return sh(node.dir, "grep -q . /proc/$(cat held)/cmdline").status != 0; }));
    const auto began = std::chrono::steady_clock::now();
    CHECK(eventually([&] {
      (void)holder.process().signal(SIGTERM);
      return !holder.process().running();
    }));
    CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(20));
    CHECK(holder.process().wait() == 128 + SIGTERM);
    CHECK(has(holder.err(), command.starts_with("lock") ? "could not be given back" : "it may have taken effect"));
    REQUIRE(node.server.signal(SIGCONT));
  }
}

TEST_CASE("what was received is acknowledged under a key that is given") {
  CliNode node;
  CHECK(node.cli.run("enqueue q one").status == 0);
  CHECK(node.cli.run("enqueue q two").status == 0);
  CHECK(node.cli.out("receive q --ack --idempotency-key a-key") == "one");
  CHECK(node.cli.run("receive q --ack --idempotency-key a-key").status == 1);
  CHECK(node.cli.out("receive q --ack") == "two");
}

TEST_CASE("a keepalive that is refused is not sent again at once") {
  CliNode node({"--requirepass", "first"});
  Cli cli = node.cli;
  cli.environment = "WORMHOLE_PASSWORD=first ";
  Running holder(cli, "holder", "lock l --ttl 3s -- sh -c 'echo >>held; exec sleep 600'");
  CHECK(eventually([&] { return has(read_file(node.dir.path("held")), "\n"); }));
  node.server.stop();
  node.server.more = {"--requirepass", "second"};
  node.server.start();
  CHECK(holder.process().wait() == 75);
  cli.environment = "WORMHOLE_PASSWORD=second ";
  CHECK(eventually([&] { return cli.run("get k").status == 1; }));
  const std::string metrics = curl(node.dir, "-u :second " + node.server.url("/metrics")).body;
  const size_t line = metrics.find("\nwormhole_http_failed_auth_total ");
  REQUIRE(line != std::string::npos);
  CHECK(std::stoull(metrics.substr(line + 33)) <= 40);
}

TEST_CASE("a backup that ends too soon is none, also where no length was told") {
  CliNode node;
  CHECK(node.cli.run("backup whole.db").status == 0);
  const std::string whole = read_file(node.dir.path("whole.db"));
  const std::string head = "HTTP/1.1 200 OK\r\nWormhole-Index: 5\r\nConnection: close\r\n\r\n";
  const Stranger cut(head + whole.substr(0, whole.size() / 2));
  const Output output = Cli{node.dir, cut.url()}.run("backup cut.db");
  CHECK(output.status == 1);
  CHECK(has(output.err, "no whole backup"));
  CHECK(access(node.dir.path("cut.db").c_str(), F_OK) != 0);
  const Stranger good(head + whole);
  CHECK(Cli{node.dir, good.url()}.run("backup good.db").status == 0);
  CHECK(read_file(node.dir.path("good.db")) == whole);
}

TEST_CASE("a node that is in no cluster does not speak for the others") {
  CliNode node;
  const Stranger lone(
      http_answer("200 OK\r\nContent-Type: application/json", R"({"node_id":"lone","leader_id":null,"members":[]})"));
  CHECK(has(Cli{node.dir, lone.url() + "," + node.server.url()}.run("status").out, "leader only"));
  CHECK(has(Cli{node.dir, lone.url()}.run("status").out, "The node lone is in no cluster"));
}

TEST_CASE("a number of none is a usage error") {
  TempDir dir;
  const Cli cli{dir, "http://127.0.0.1:1"};
  for (const std::string arguments :
       {"list --limit 0", "peek q --limit 0", "receive q --count 0 -- true", "incr n --idempotency-key ''"})
    CHECK_MESSAGE(cli.run(arguments).status == 2, arguments);
}

}  // namespace
}  // namespace wh::testing
