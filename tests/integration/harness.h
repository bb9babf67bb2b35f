// The base of the integration tests: real wormhole-server processes on free loopback ports, with real curl, nc,
// redis-cli and openssl. Everything started here ends with the object that started it, and with the test program if
// that is killed. Nothing sleeps for a fixed time: conditions are polled, with a time limit. If a test case fails, the
// logs of its servers are shown and its directory is kept.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>
#include <vector>

#include "../sanitized.h"

namespace wh::testing {

// Generous, as sanitizer builds on a busy machine must make it too; a test that works never waits so long.
inline constexpr int kPatienceMs = 40'000;

// raft-election-timeout where a test asks whether the leader stays: the default, and more where a sanitizer makes a
// turn several times as long.
inline constexpr const char* kSteadyElectionTimeout = kSanitized ? "4000" : "500";

// A port that nothing listens on, nor at these distances from it; outside the range the kernel gives to outgoing
// connections.
uint16_t free_port(const std::vector<int>& distances = {0});

// Polls until `condition` holds; false when it does not within `patience_ms`.
bool eventually(const std::function<bool()>& condition, int patience_ms = kPatienceMs);

// A directory of its own under /tmp; removed at the end unless the test case failed.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string path(std::string_view name) const { return path_ + "/" + std::string(name); }
  // Writes a file and returns its path.
  std::string write(std::string_view name, std::string_view text) const;

 private:
  std::string path_;
};

std::string read_file(const std::string& path);  // empty when there is none

struct Output {
  int status = -1;  // exit status, 128 + signal, or -1: did not end in time
  std::string out;
  std::string err;
};

// Runs `sh -c command` in `dir` with a bare environment (PATH and the like; no proxies, none of the server's
// variables).
Output sh(const TempDir& dir, const std::string& command, int patience_ms = kPatienceMs);

// What curl brought back.
struct Answer {
  int exit = -1;                               // curl's exit status
  int status = 0;                              // of the last response
  std::map<std::string, std::string> headers;  // of the last response; names in lower case
  std::string body;

  // A header's value; empty when it is absent.
  [[nodiscard]] std::string header(const std::string& name) const;
};

// curl -sS with `arguments`, which the shell splits: quote what needs it. In a network namespace, when one is named.
Answer curl(const TempDir& dir, const std::string& arguments, const std::string& netns = {});

// The value of that field in what INFO answered; empty when it is not there.
std::string info_field(std::string_view info, std::string_view name);

// One wormhole-server: its ports, its directory, its process while there is one.
class Server {
 public:
  // Takes free ports and a data directory within `dir`. Nothing is started.
  Server(const TempDir& dir, std::string name, std::string host = "127.0.0.1");
  ~Server();
  Server(Server&& other) noexcept;
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  Server& operator=(Server&&) = delete;

  // The command line that start() uses: node-id, bind, ports, dir, then `more`.
  std::vector<std::string> more;
  std::string program;  // the server, unless a test says otherwise
  // Set: in place of that whole command line.
  std::optional<std::vector<std::string>> arguments;
  std::map<std::string, std::string> environment;

  std::string name;
  std::string host;   // where it is asked
  std::string bind;   // what it listens on, words of the directive; empty: `host`
  std::string netns;  // set: it runs, and is asked, in this network namespace (netns.h)
  uint16_t port;
  uint16_t tls_port = 0;  // set: `port` is off and url() is https
  uint16_t raft_port;
  uint16_t debug_port;
  std::string data_dir;

  void start();
  // Starts it and waits until /readyz says 200; fails the test otherwise.
  void start_ready();
  // Sends a signal to the process; false when there is none.
  bool signal(int number);  // NOLINT(readability-make-member-function-const): it ends a process
  // Waits for the process to end: exit status, or 128 + signal; -1 when it goes on.
  int wait(int patience_ms = kPatienceMs);
  // SIGTERM and the exit status; SIGKILL, for which it is 137.
  int stop();
  int kill();
  [[nodiscard]] bool running();
  [[nodiscard]] pid_t pid() const { return pid_; }

  [[nodiscard]] std::string raft_address() const { return url_host() + ":" + std::to_string(raft_port); }
  [[nodiscard]] std::string url(std::string_view path = "") const;
  // What it wrote, over all its runs.
  [[nodiscard]] std::string log() const;

  [[nodiscard]] Answer get(std::string_view path) const;
  // `body` without quotes; `type`: its Content-Type.
  [[nodiscard]] Answer post(std::string_view path, const std::string& body = {},
                            const std::string& type = "text/plain") const;
  [[nodiscard]] bool ready() const;
  // GET /cluster; empty when it does not answer.
  [[nodiscard]] std::string cluster() const;
  // Of GET /cluster: `role` and the like, without quotes; empty when it does not answer.
  [[nodiscard]] std::string cluster_field(std::string_view field) const;
  // One command on the debug port by redis-cli, with its newline at the end cut off.
  [[nodiscard]] std::string redis(const std::string& command) const;
  // A field of INFO; empty when it is not there, or nothing answers.
  [[nodiscard]] std::string info(std::string_view field) const { return info_field(redis("INFO"), field); }

 private:
  [[nodiscard]] std::string url_host() const;  // IPv6 in brackets

  const TempDir* dir_;
  std::string log_path_;
  pid_t pid_ = -1;
};

// The value of the first member of that name in a JSON text: a string without its quotes, else the bare text.
std::string json_field(std::string_view json, std::string_view name);
[[nodiscard]] inline bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}
// How often `text` occurs.
size_t count_of(std::string_view in, std::string_view text);

using Servers = std::vector<Server*>;

// The running server that leads, once all running ones are ready and agree on it; fails the test when there is none.
Server& await_leader(const Servers& servers);
// The running servers but this one.
Servers others(const Servers& servers, const Server& but);
// Waits until the leader counts so many voters; fails the test otherwise.
void await_voters(const Servers& servers, size_t voters);

// Three servers that started empty with one `join` list between them, all voters by now.
struct ThreeNodes {
  explicit ThreeNodes(const std::vector<std::string>& more = {});

  TempDir dir;
  Server a{dir, "node_1"};
  Server b{dir, "node_2"};
  Server c{dir, "node_3"};
  Servers all{&a, &b, &c};
};

}  // namespace wh::testing
