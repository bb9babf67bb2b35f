#include "harness.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <netinet/in.h>
#include <poll.h>
#include <random>
#include <set>
#include <sstream>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include <doctest/doctest.h>

namespace wh::testing {
namespace {

bool test_case_failed = false;

// Tells the destructors below whether something is worth keeping.
struct FailureListener : doctest::IReporter {
  explicit FailureListener(const doctest::ContextOptions&) {}
  void report_query(const doctest::QueryData&) override {}
  void test_run_start() override {}
  void test_run_end(const doctest::TestRunStats&) override {}
  void test_case_start(const doctest::TestCaseData&) override { test_case_failed = false; }
  void test_case_reenter(const doctest::TestCaseData&) override {}
  void test_case_end(const doctest::CurrentTestCaseStats&) override {}
  void test_case_exception(const doctest::TestCaseException&) override {}
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void log_assert(const doctest::AssertData& data) override {
    if (data.m_failed) test_case_failed = true;
  }
  void log_message(const doctest::MessageData&) override {}
  void test_case_skipped(const doctest::TestCaseData&) override {}
};
REGISTER_LISTENER("failures", 1, FailureListener);

bool has_failed() { return test_case_failed || std::uncaught_exceptions() > 0; }

using Clock = std::chrono::steady_clock;

int status_of(int raw) { return WIFSIGNALED(raw) ? 128 + WTERMSIG(raw) : WEXITSTATUS(raw); }

std::vector<std::string> bare_environment(const std::map<std::string, std::string>& more) {
  std::vector<std::string> environment;
  for (const char* name : {"PATH", "HOME", "LC_ALL", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"})
    if (const char* value = std::getenv(name)) environment.push_back(std::string(name) + "=" + value);
  for (const auto& [name, value] : more) environment.push_back(name + "=" + value);
  return environment;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  out.reserve(strings.size() + 1);
  for (std::string& string : strings) out.push_back(string.data());
  out.push_back(nullptr);
  return out;
}

// In a process group of its own, and ended with this program whatever becomes of it.
pid_t spawn(std::vector<std::string> arguments, const std::map<std::string, std::string>& more, const std::string& dir,
            int out, int err) {
  std::vector<std::string> environment = bare_environment(more);
  const std::vector<char*> argv = pointers(arguments);
  const std::vector<char*> envp = pointers(environment);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  REQUIRE(pid >= 0);
  if (pid != 0) return pid;
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (getppid() != parent || in < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0 ||
      chdir(dir.c_str()) != 0)
    _exit(126);
  execve(argv[0], argv.data(), envp.data());
  _exit(127);
}

// What a shell command begins with so that it runs in a network namespace.
std::string in_netns(const std::string& netns) { return netns.empty() ? "" : "ip netns exec " + netns + " "; }

}  // namespace

uint16_t free_port(const std::vector<int>& distances) {
  // While a server is down, another test program must not take its port: each is held by a socket of another kind, for
  // as long as this program runs.
  static std::map<int, int> given;
  static std::random_device random;
  std::uniform_int_distribution<int> ports(10'000, 32'000);
  // The socket that has it, or -1.
  const auto take = [](int port, int kind) {
    const int fd = socket(AF_INET, kind | SOCK_CLOEXEC, 0);
    REQUIRE(fd >= 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
    close(fd);
    return -1;
  };
  const auto is_free = [&](int port) {
    if (given.contains(port)) return false;
    const int held = take(port, SOCK_DGRAM);
    const int fd = held < 0 ? -1 : take(port, SOCK_STREAM);
    if (fd < 0) {
      if (held >= 0) close(held);
      return false;
    }
    close(fd);
    given[port] = held;
    return true;
  };
  for (;;) {
    const int port = ports(random);
    if (std::all_of(distances.begin(), distances.end(), [&](int d) { return is_free(port + d); }))
      return static_cast<uint16_t>(port);
  }
}

bool eventually(const std::function<bool()>& condition, int patience_ms) {
  const auto deadline = Clock::now() + std::chrono::milliseconds(patience_ms);
  while (!condition()) {
    if (Clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

TempDir::TempDir() {
  std::string name = "/tmp/wormhole-test-XXXXXX";
  REQUIRE(mkdtemp(name.data()) != nullptr);
  path_ = name;
}

TempDir::~TempDir() {
  if (has_failed()) {
    std::cout << "kept: " << path_ << '\n';
    return;
  }
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TempDir::write(std::string_view name, std::string_view text) const {
  std::ofstream(path(name), std::ios::binary) << text;
  return path(name);
}

std::string read_file(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

Output sh(const TempDir& dir, const std::string& command, int patience_ms) {
  std::array<int, 2> out{};
  std::array<int, 2> err{};
  REQUIRE(pipe2(out.data(), O_CLOEXEC) == 0);
  REQUIRE(pipe2(err.data(), O_CLOEXEC) == 0);
  const pid_t pid = spawn({"/bin/sh", "-c", command}, {}, dir.path(), out[1], err[1]);
  close(out[1]);
  close(err[1]);

  Output output;
  const auto deadline = Clock::now() + std::chrono::milliseconds(patience_ms);
  std::array<pollfd, 2> polled{pollfd{out[0], POLLIN, 0}, pollfd{err[0], POLLIN, 0}};
  bool late = false;
  while ((polled[0].fd >= 0 || polled[1].fd >= 0) && !late) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    late = left <= 0 || poll(polled.data(), polled.size(), static_cast<int>(left)) == 0;
    for (pollfd& each : polled) {
      if (late || each.fd < 0 || each.revents == 0) continue;
      std::array<char, 65536> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): read() fills it
      const ssize_t got = read(each.fd, buffer.data(), buffer.size());
      if (got > 0) {
        (each.fd == out[0] ? output.out : output.err).append(buffer.data(), static_cast<size_t>(got));
      } else if (got == 0 || errno != EINTR) {
        each.fd = -1;
      }
    }
  }
  if (late) ::kill(-pid, SIGKILL);
  int raw = 0;
  REQUIRE(waitpid(pid, &raw, 0) == pid);
  if (!late) output.status = status_of(raw);
  close(out[0]);
  close(err[0]);
  return output;
}

std::string Answer::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

Answer curl(const TempDir& dir, const std::string& arguments, const std::string& netns) {
  static int count = 0;
  const std::string head = dir.path("head-" + std::to_string(++count));
  const Output output = sh(dir, "exec " + in_netns(netns) + "curl -sS -D " + head + " " + arguments);
  Answer answer{.exit = output.status, .status = 0, .headers = {}, .body = output.out};
  std::istringstream lines(read_file(head));
  for (std::string line; std::getline(lines, line);) {
    while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.pop_back();
    if (line.starts_with("HTTP/")) {
      answer.headers.clear();
      answer.status = std::atoi(line.substr(line.find(' ') + 1).c_str());
    } else if (const size_t colon = line.find(':'); colon != std::string::npos) {
      std::string name = line.substr(0, colon);
      std::transform(name.begin(), name.end(), name.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      answer.headers[name] = line.substr(std::min(line.find_first_not_of(' ', colon + 1), line.size()));
    }
  }
  unlink(head.c_str());
  return answer;
}

Server::Server(const TempDir& dir, std::string name_, std::string host_)
    : program(WORMHOLE_SERVER),
      name(std::move(name_)),
      host(std::move(host_)),
      port(free_port()),
      raft_port(free_port()),
      debug_port(free_port()),
      data_dir(dir.path(name)),
      dir_(&dir),
      log_path_(dir.path(name + ".log")) {
  std::filesystem::create_directories(data_dir);
}

Server::Server(Server&& other) noexcept
    : more(std::move(other.more)),
      program(std::move(other.program)),
      arguments(std::move(other.arguments)),
      environment(std::move(other.environment)),
      name(std::move(other.name)),
      host(std::move(other.host)),
      bind(std::move(other.bind)),
      netns(std::move(other.netns)),
      port(other.port),
      tls_port(other.tls_port),
      raft_port(other.raft_port),
      debug_port(other.debug_port),
      data_dir(std::move(other.data_dir)),
      dir_(other.dir_),
      log_path_(std::move(other.log_path_)),
      pid_(std::exchange(other.pid_, -1)) {}

Server::~Server() {
  if (pid_ > 0) kill();
  if (!has_failed() || log_path_.empty()) return;
  constexpr size_t kShown = 16'000;
  std::string text = log();
  if (text.size() > kShown) text = "[...]" + text.substr(text.size() - kShown);
  std::cout << "---- " << name << "'s log\n" << text << "---- end of " << name << "'s log\n";
}

void Server::start() {
  REQUIRE(pid_ < 0);
  std::vector<std::string> command{program};
  if (!netns.empty()) {
    // execve looks at no PATH; `ip` ends by becoming the server, so the process id is the server's.
    static const std::string ip = sh(*dir_, "command -v ip").out;
    command = {ip.substr(0, ip.find('\n')), "netns", "exec", netns, program};
  }
  if (arguments) {
    command.insert(command.end(), arguments->begin(), arguments->end());
  } else {
    command.insert(command.end(), {"--node-id", name, "--bind"});
    std::istringstream addresses(bind.empty() ? host : bind);
    for (std::string address; addresses >> address;) command.push_back(address);
    command.insert(command.end(),
                   {"--port", std::to_string(tls_port != 0 ? 0 : port), "--raft-port", std::to_string(raft_port),
                    "--debug-port", std::to_string(debug_port), "--dir", data_dir});
    if (tls_port != 0) command.insert(command.end(), {"--tls-port", std::to_string(tls_port)});
    command.insert(command.end(), more.begin(), more.end());
  }
  const int out = open(log_path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  REQUIRE(out >= 0);
  pid_ = spawn(std::move(command), environment, dir_->path(), out, out);
  close(out);
}

void Server::start_ready() {
  start();
  const bool is_ready = eventually([&] { return ready() || !running(); });
  REQUIRE_MESSAGE(is_ready, name, " is not ready");
  REQUIRE_MESSAGE(running(), name, " has ended");
}

bool Server::signal(int number) { return pid_ > 0 && ::kill(pid_, number) == 0; }

int Server::wait(int patience_ms) {
  REQUIRE(pid_ > 0);
  int raw = 0;
  if (!eventually([&] { return waitpid(pid_, &raw, WNOHANG) == pid_; }, patience_ms)) return -1;
  pid_ = -1;
  return status_of(raw);
}

int Server::stop() {
  REQUIRE(signal(SIGTERM));
  return wait();
}

int Server::kill() {
  if (!signal(SIGKILL)) return -1;
  int raw = 0;
  if (waitpid(pid_, &raw, 0) != pid_) return -1;
  pid_ = -1;
  return status_of(raw);
}

bool Server::running() {
  if (pid_ <= 0) return false;
  siginfo_t info{};
  return waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
}

std::string Server::url_host() const { return host.find(':') == std::string::npos ? host : "[" + host + "]"; }

std::string Server::url(std::string_view path) const {
  const std::string base = tls_port != 0 ? "https://" + url_host() + ":" + std::to_string(tls_port)
                                         : "http://" + url_host() + ":" + std::to_string(port);
  return base + std::string(path);
}

std::string Server::log() const { return read_file(log_path_); }

Answer Server::get(std::string_view path) const { return curl(*dir_, "-k --max-time 15 '" + url(path) + "'", netns); }
Answer Server::post(std::string_view path, const std::string& body, const std::string& type) const {
  const std::string with = body.empty() ? "" : "-H 'Content-Type: " + type + "' --data-binary '" + body + "' ";
  return curl(*dir_, "-k --max-time 15 -X POST " + with + "'" + url(path) + "'", netns);
}
bool Server::ready() const { return get("/readyz").status == 200; }

std::string Server::cluster() const {
  const Answer answer = get("/cluster");
  return answer.status == 200 ? answer.body : "";
}

std::string Server::cluster_field(std::string_view field) const { return json_field(cluster(), field); }

std::string Server::redis(const std::string& command) const {
  std::string out = sh(*dir_, "exec " + in_netns(netns) + "redis-cli -h " + host + " -p " + std::to_string(debug_port) +
                                  " " + command + " 2>&1")
                        .out;
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

std::string json_field(std::string_view json, std::string_view name) {
  const std::string key = "\"" + std::string(name) + "\":";
  size_t at = json.find(key);
  if (at == std::string_view::npos) return "";
  at += key.size();
  if (at < json.size() && json[at] == '"') {
    const size_t end = json.find('"', at + 1);
    return std::string(json.substr(at + 1, end - at - 1));
  }
  return std::string(json.substr(at, std::min(json.find_first_of(",}]", at), json.size()) - at));
}

std::string info_field(std::string_view info, std::string_view name) {
  const std::string key = std::string(name) + ":";
  for (size_t at = info.find(key); at != std::string_view::npos; at = info.find(key, at + 1)) {
    if (at != 0 && info[at - 1] != '\n') continue;
    const size_t begin = at + key.size();
    return std::string(info.substr(begin, info.find_first_of("\r\n", begin) - begin));
  }
  return "";
}

size_t count_of(std::string_view in, std::string_view text) {
  size_t count = 0;
  for (size_t at = in.find(text); at != std::string_view::npos; at = in.find(text, at + text.size())) ++count;
  return count;
}

Server& await_leader(const Servers& servers) {
  Server* leader = nullptr;
  const bool found = eventually([&] {
    leader = nullptr;
    std::set<std::string> named;
    for (Server* server : servers) {
      if (!server->running()) continue;
      const std::string state = server->cluster();
      named.insert(json_field(state, "leader_id"));
      if (json_field(state, "role") == "leader") leader = server;
    }
    if (leader == nullptr || named.size() != 1 || *named.begin() != leader->name) return false;
    return std::all_of(servers.begin(), servers.end(),
                       [](Server* server) { return !server->running() || server->ready(); });
  });
  REQUIRE_MESSAGE(found, "no leader that all agree on");
  return *leader;
}

Servers others(const Servers& servers, const Server& but) {
  Servers rest;
  for (Server* server : servers)
    if (server != &but && server->running()) rest.push_back(server);
  return rest;
}

void await_voters(const Servers& servers, size_t voters) {
  const bool reached = eventually([&] {
    return std::any_of(servers.begin(), servers.end(), [&](Server* server) {
      if (!server->running()) return false;
      const std::string state = server->cluster();
      return json_field(state, "role") == "leader" && count_of(state, "\"suffrage\":\"voter\"") == voters;
    });
  });
  REQUIRE_MESSAGE(reached, "not ", voters, " voters");
}

ThreeNodes::ThreeNodes(const std::vector<std::string>& more) {
  std::vector<std::string> common{"--join", a.raft_address(), b.raft_address(), c.raft_address()};
  common.insert(common.end(), more.begin(), more.end());
  for (Server* server : all) {
    server->more = common;
    server->start();
  }
  await_voters(all, 3);
  await_leader(all);
}

}  // namespace wh::testing
