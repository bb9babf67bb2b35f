// Running as a service: in the background, under a service manager, with log rotation and health checks.
#include <array>
#include <cctype>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <sstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "harness.h"

namespace wh::testing {
namespace {

const std::string kServer = WORMHOLE_SERVER;

// A server that went into the background, known by its pidfile; ended with this object.
class Background {
 public:
  Background(const TempDir& dir, std::string pidfile) : dir_(&dir), pidfile_(std::move(pidfile)) {}
  ~Background() {
    if (alive()) ::kill(pid_, SIGKILL);
  }
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  // The command that starts it, with whatever it prints.
  Output start(const std::string& command) {
    Output output = sh(*dir_, command);
    pid_ = std::atoi(read_file(pidfile_).c_str());
    return output;
  }
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] bool alive() const { return pid_ > 0 && ::kill(pid_, 0) == 0; }

 private:
  const TempDir* dir_;
  std::string pidfile_;
  pid_t pid_ = -1;
};

// The service manager's end of the notification protocol.
class Manager {
 public:
  // `address` as NOTIFY_SOCKET has it.
  explicit Manager(const std::string& address) : fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    REQUIRE(address.size() < sizeof at.sun_path);
    std::memcpy(at.sun_path, address.data(), address.size());
    if (address[0] == '@') at.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size());
    REQUIRE(fd_ >= 0);
    REQUIRE(bind(fd_, reinterpret_cast<const sockaddr*>(&at), size) == 0);
  }
  ~Manager() { close(fd_); }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  // All it was told so far, a line each.
  const std::string& told() {
    std::array<char, 8192> buffer{};
    ssize_t size = 0;
    while ((size = recv(fd_, buffer.data(), buffer.size(), 0)) >= 0)
      told_ += std::string(buffer.data(), static_cast<size_t>(size)) + "\n";
    return told_;
  }
  bool hears(const std::string& text, size_t times = 1) {
    return eventually([&] { return count_of(told(), text) >= times; });
  }

 private:
  int fd_;
  std::string told_;
};

}  // namespace

TEST_CASE("daemonize: the command returns when the server serves, and relative paths still mean what they said") {
  const TempDir dir;
  Server server(dir, "node");  // its ports only
  Background background(dir, dir.path("run.pid"));
  const std::string command = kServer + " --daemonize yes --dir data --logfile node.log --pidfile run.pid --port " +
                              std::to_string(server.port) + " --raft-port " + std::to_string(server.raft_port) +
                              " --debug-port " + std::to_string(server.debug_port);
  const Output started = background.start(command);
  CHECK(started.status == 0);
  CHECK(started.out.empty());
  CHECK(started.err.empty());
  REQUIRE(background.alive());
  CHECK(getsid(background.pid()) == background.pid());
  CHECK(std::filesystem::read_symlink("/proc/" + std::to_string(background.pid()) + "/cwd") == "/");
  for (const char* fd : {"0", "1", "2"})
    CHECK(std::filesystem::read_symlink("/proc/" + std::to_string(background.pid()) + "/fd/" + fd) == "/dev/null");
  // It listens by now: no need to poll.
  CHECK(server.get("/healthz").status == 200);
  CHECK(std::filesystem::exists(dir.path("data/wormhole.db")));
  CHECK(read_file(dir.path("node.log")).find("HTTP on 127.0.0.1:" + std::to_string(server.port)) != std::string::npos);
  struct stat info {};
  REQUIRE(stat(dir.path("run.pid").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0644);

  // A second one: the error is on the terminal, the status is 1, and the first one's pidfile stays.
  const Output second = sh(dir, command);
  CHECK(second.status == 1);
  CHECK(second.err.find("is in use by process " + std::to_string(background.pid())) != std::string::npos);
  CHECK(read_file(dir.path("run.pid")) == std::to_string(background.pid()) + "\n");
  CHECK(server.get("/healthz").status == 200);

  REQUIRE(::kill(background.pid(), SIGTERM) == 0);
  CHECK(eventually([&] { return !background.alive(); }));
  CHECK_FALSE(std::filesystem::exists(dir.path("run.pid")));

  // What a killed process left is replaced.
  dir.write("run.pid", "999999999\n");
  CHECK(background.start(command).status == 0);
  REQUIRE(background.alive());
  CHECK(server.get("/healthz").status == 200);
}

TEST_CASE("daemonize: a start that fails is told on standard error, with status 1, and leaves nothing behind") {
  const TempDir dir;
  Server taken(dir, "taken");
  taken.start_ready();
  const std::string more = " --daemonize yes --logfile log --pidfile pid --dir data --raft-port " +
                           std::to_string(free_port()) + " --debug-port 0 --port ";
  const Output port = sh(dir, kServer + more + std::to_string(taken.port));
  CHECK(port.status == 1);
  CHECK(port.err.find(std::to_string(taken.port)) != std::string::npos);
  CHECK(port.out.empty());
  CHECK_FALSE(std::filesystem::exists(dir.path("pid")));
  const Output log = sh(dir, kServer + more + std::to_string(free_port()) + " --logfile no/such/dir/log");
  CHECK(log.status == 1);
  CHECK(log.err.find(dir.path("no/such/dir/log")) != std::string::npos);
  const Output both = sh(dir, kServer + more + "0 --supervised systemd");
  CHECK(both.status == 1);
  CHECK(both.err.find("'daemonize' must be 'no' with 'supervised systemd'") != std::string::npos);
}

TEST_CASE("a closed standard descriptor is not given to the database") {
  const TempDir dir;
  Server server(dir, "node");
  server.program = "/bin/sh";
  server.arguments = {{"-c", "exec " + kServer + " --dir " + server.data_dir + " --port " +
                                 std::to_string(server.port) + " --raft-port " + std::to_string(server.raft_port) +
                                 " --debug-port 0 <&- >&- 2>&-"}};
  server.start_ready();
  for (const char* fd : {"0", "1", "2"})
    CHECK(std::filesystem::read_symlink("/proc/" + std::to_string(server.pid()) + "/fd/" + fd) == "/dev/null");
}

TEST_CASE("supervised: ready, status, reloading, watchdog, stopping, at a socket by path and by abstract name") {
  const TempDir dir;
  for (const std::string& address : {dir.path("notify"), "@wormhole-test-" + std::to_string(getpid())}) {
    CAPTURE(address);
    Manager manager(address);
    Server server(dir, "node");
    server.data_dir = dir.path(address[0] == '@' ? "abstract" : "by-path");
    // With the manager's socket there, daemonize is not followed: the process it started is the server.
    server.more = {"--supervised", "auto", "--daemonize", "yes", "--logfile", dir.path("supervised.log")};
    server.environment = {{"NOTIFY_SOCKET", address}, {"WATCHDOG_USEC", "200000"}};
    server.start();
    REQUIRE(manager.hears("READY=1\n"));
    CHECK(server.get("/healthz").status == 200);
    CHECK(manager.hears("STATUS=leader of 1 member, term "));
    CHECK(manager.hears("WATCHDOG=1\n", 3));
    CHECK(manager.told().starts_with("READY=1\n"));

    REQUIRE(server.signal(SIGHUP));
    CHECK(manager.hears("RELOADING=1\nMONOTONIC_USEC="));
    CHECK(manager.hears("READY=1\n", 2));
    CHECK(server.ready());

    // The watchdog is the loop's: a process that stands still says nothing.
    REQUIRE(server.signal(SIGSTOP));
    const std::string status = "/proc/" + std::to_string(server.pid()) + "/status";
    REQUIRE(eventually([&] { return read_file(status).find("State:\tT") != std::string::npos; }));
    const size_t before = manager.told().size();
    CHECK_FALSE(eventually([&] { return manager.told().size() != before; }, 500));
    REQUIRE(server.signal(SIGCONT));
    CHECK(eventually([&] { return manager.told().size() != before; }));

    CHECK(server.stop() == 0);
    CHECK(manager.told().find("STOPPING=1\n") != std::string::npos);
  }
}

TEST_CASE("supervised: a node that waits for its cluster is ready for its manager, and says for whom it waits") {
  const TempDir dir;
  Manager manager(dir.path("notify"));
  Server server(dir, "node");
  const std::string absent = "127.0.0.1:" + std::to_string(free_port());
  server.more = {"--supervised", "systemd", "--join", absent};
  // The watchdog is another process's.
  server.environment = {{"NOTIFY_SOCKET", dir.path("notify")}, {"WATCHDOG_USEC", "20000"}, {"WATCHDOG_PID", "1"}};
  server.start();
  CHECK(manager.hears("READY=1\n"));
  CHECK(manager.hears("STATUS=waiting: "));
  CHECK(manager.hears(absent));
  CHECK_FALSE(server.ready());
  CHECK(manager.told().find("WATCHDOG") == std::string::npos);
}

TEST_CASE("supervised without a manager: a warning, and the server serves") {
  const TempDir dir;
  Server server(dir, "node");
  server.more = {"--supervised", "systemd"};
  server.start_ready();
  CHECK(server.log().find("there is no NOTIFY_SOCKET") != std::string::npos);
  CHECK(server.stop() == 0);
  server.environment = {{"NOTIFY_SOCKET", dir.path("nobody")}};
  server.start_ready();
  CHECK(server.log().find("this server runs unsupervised") != std::string::npos);
}

TEST_CASE("SIGHUP opens the log file anew: rotated without losing a line; one that cannot be opened leaves the old") {
  const TempDir dir;
  Server server(dir, "node");
  const std::string log = dir.path("logs/node.log");
  std::filesystem::create_directory(dir.path("logs"));
  server.more = {"--logfile", log};
  server.start_ready();
  const auto marks = [&](const std::string& path, const std::string& mark) {
    return read_file(path).find(mark) != std::string::npos;
  };
  const auto say = [&](const std::string& timeout) {  // leaves a line in the log
    CHECK(server.redis("CONFIG SET request-timeout " + timeout) == "OK");
  };
  say("4001");
  std::filesystem::rename(log, log + ".1");
  say("4002");
  CHECK(marks(log + ".1", "4001"));
  CHECK(marks(log + ".1", "4002"));  // still the open file
  REQUIRE(server.signal(SIGHUP));
  REQUIRE(eventually([&] { return marks(log, "was opened anew"); }));
  say("4003");
  CHECK(marks(log, "4003"));
  CHECK_FALSE(marks(log + ".1", "4003"));

  std::filesystem::rename(dir.path("logs"), dir.path("moved"));
  REQUIRE(server.signal(SIGHUP));
  CHECK(eventually([&] { return marks(dir.path("moved/node.log"), "the log goes on in the file that is open"); }));
  say("4004");
  CHECK(marks(dir.path("moved/node.log"), "4004"));
}

TEST_CASE("--check-health asks the server of the same config: alive, stopped, gone") {
  const TempDir dir;
  Server server(dir, "node");
  server.more = {"--requirepass", "secret"};
  server.start_ready();
  const std::string ports = " --port " + std::to_string(server.port) + " --raft-port " +
                            std::to_string(server.raft_port) + " --debug-port " + std::to_string(server.debug_port);
  const auto check = [&](const std::string& more) { return sh(dir, kServer + " --check-health" + ports + more); };
  CHECK(check("").status == 0);
  CHECK(check(" --bind '*'").status == 0);
  CHECK(check(" --port 0").status == 0);  // by the debug port
  CHECK(sh(dir, "WORMHOLE_BIND_INTERFACE=lo " + kServer + " --check-health" + ports).status == 0);
  CHECK(check(" --port 0 --debug-port 0").err.find("nothing to ask") != std::string::npos);
  CHECK(sh(dir, kServer + " --check-health x").status == 1);
  REQUIRE(server.signal(SIGSTOP));
  const Output hung = check("");
  CHECK(hung.status == 1);
  CHECK(hung.err.find("no answer from 127.0.0.1:" + std::to_string(server.port)) != std::string::npos);
  REQUIRE(server.signal(SIGCONT));
  CHECK(server.kill() == 137);
  CHECK(check("").err.find("could not connect") != std::string::npos);
}

TEST_CASE("the unit file: systemd accepts it, and what it starts is a good command line") {
  const TempDir dir;
  const std::string unit = read_file(WORMHOLE_SOURCE_DIR "/utils/wormhole.service");
  const auto replaced = [](std::string text, const std::string& from, const std::string& to) {
    for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
      text.replace(at, from.size(), to);
    return text;
  };
  // As it would be installed: the binary and the config that this test has.
  std::string here = replaced(unit, "/usr/local/bin/wormhole-server", kServer);
  here = replaced(here, "/usr/local/etc/wormhole/wormhole.conf", WORMHOLE_SOURCE_DIR "/conf/wormhole.conf");
  dir.write("wormhole.service", here);

  const size_t at = here.find("ExecStart=");
  REQUIRE(at != std::string::npos);
  std::string command = here.substr(at + 10, here.find('\n', at) - at - 10);
  REQUIRE(command.starts_with(kServer + " "));
  command.insert(kServer.size(), " --check-config");
  const Output checked = sh(dir, command);
  CHECK_MESSAGE(checked.status == 0, checked.err);

  if (sh(dir, "command -v systemd-analyze").status != 0) {
    std::puts("skipped: systemd's view of the unit, there is no systemd-analyze");
    return;
  }
  const Output verified = sh(dir, "systemd-analyze verify --man=no ./wormhole.service");
  CHECK(verified.status == 0);
  CHECK(verified.err.empty());
}

TEST_CASE("the container's files set directives that exist") {
  const TempDir dir;
  const std::string help = sh(dir, kServer + " --help").out;
  size_t names = 0;
  for (const char* file : {"Dockerfile", "compose.yaml"}) {
    std::istringstream found(
        sh(dir, "grep -oE 'WORMHOLE_[A-Z_]+' " WORMHOLE_SOURCE_DIR "/" + std::string(file) + " | sort -u").out);
    for (std::string name; std::getline(found, name); ++names) {
      CAPTURE(name);
      if (name == "WORMHOLE_PASSWORD") continue;  // wormhole-cli's
      std::string directive = name.substr(name.find('_') + 1);
      for (char& c : directive) c = c == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      CHECK(help.find("\n  " + directive + " ") != std::string::npos);
    }
  }
  CHECK(names > 8);
}

TEST_CASE("create-cluster: start, status, kill-leader, stop, clean, each as often as one likes") {
  const TempDir dir;
  const std::string port = std::to_string(free_port({0, 1, 2}));
  const std::string raft_port = std::to_string(free_port({0, 1, 10, 11, 20, 21}));
  const auto cluster = [&](const std::string& command) {
    return sh(dir, "SERVER=" + kServer + " DATA=" + dir.path("data") +
                       " " WORMHOLE_SOURCE_DIR "/utils/create-cluster " + command);
  };
  // Ends what is left of it, also when a check fails.
  struct Ending {
    std::function<void()> end;
    ~Ending() { end(); }
  } const ending{[&] {
    for (const char* node : {"1", "2", "3"})
      sh(dir, "kill -KILL $(cat data/node" + std::string(node) + ".pid) 2>/dev/null");
  }};

  CHECK(cluster("status").status == 1);
  CHECK(cluster("clean").status == 0);
  CHECK(cluster("").status == 2);
  const Output started = cluster("start " + port + " " + raft_port);
  CHECK_MESSAGE(started.status == 0, started.out, started.err);
  CHECK(count_of(started.out, " started, pid ") == 3);
  CHECK(curl(dir, "-L -d event=hello http://127.0.0.1:" + port + "/event").status == 201);
  const Output again = cluster("start");
  CHECK(again.status == 0);
  CHECK(count_of(again.out, " runs already, pid ") == 3);
  const Output elsewhere = cluster("start 1024 2048");
  CHECK(elsewhere.status == 1);
  CHECK(elsewhere.err.find("on ports " + port + " and " + raft_port) != std::string::npos);
  const std::string status = cluster("status").out;
  CHECK(count_of(status, " leader ") == 2);  // and the heading's
  CHECK(count_of(status, " follower ") == 2);

  const Output killed = cluster("kill-leader");
  CHECK_MESSAGE(killed.status == 0, killed.out, killed.err);
  CHECK(killed.out.find("leads now") != std::string::npos);
  CHECK(count_of(cluster("status").out, "does not run") == 1);
  CHECK(cluster("clean").status == 1);
  CHECK(count_of(cluster("start").out, " started, pid ") == 1);
  for (const std::string& node : {port, std::to_string(std::stoi(port) + 2)})
    CHECK(curl(dir, "http://127.0.0.1:" + node + "/event").body == "hello");

  // A pidfile that names somebody else by now: nobody is sent a signal.
  CHECK(cluster("stop").out == "node1 stopped\nnode2 stopped\nnode3 stopped\n");
  // All go down at once, and none takes that for trouble.
  for (const char* node : {"1", "2", "3"}) {
    const std::string log = read_file(dir.path("data/node" + std::string(node) + ".log"));
    const std::string end = log.substr(log.rfind(" shutting down"));
    CAPTURE(end);
    CHECK(end.find(" stopped") != std::string::npos);
    CHECK(end.find(" is lost") == std::string::npos);
    CHECK(end.find("could not connect") == std::string::npos);
  }
  dir.write("data/node1.pid", std::to_string(getpid()) + "\n");
  CHECK(cluster("stop").out == "No node runs\n");

  dir.write("data/mine", "not of the cluster");
  CHECK(cluster("clean").status == 0);
  CHECK(read_file(dir.path("data/mine")) == "not of the cluster");
  CHECK_FALSE(std::filesystem::exists(dir.path("data/node1")));
  CHECK(cluster("start " + port + " " + raft_port).status == 1);  // a directory that is not its own
}

}  // namespace wh::testing
