// Runs wormhole-cli against servers of a test, and against what only looks like one.
#pragma once

#include <arpa/inet.h>
#include <atomic>
#include <csignal>
#include <mutex>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include <doctest/doctest.h>

#include "harness.h"

namespace wh::testing {

struct Cli {
  const TempDir& dir;
  std::string endpoints;      // a list of URLs
  std::string environment{};  // "NAME=VALUE " before the program

  // `arguments` are split by the shell; `after` follows them: a redirection, a pipe.
  [[nodiscard]] std::string line(const std::string& arguments) const {
    return environment + "WORMHOLE_ENDPOINTS='" + endpoints + "' '" + WORMHOLE_CLI + "' " + arguments;
  }
  [[nodiscard]] Output run(const std::string& arguments) const { return sh(dir, line(arguments)); }
  // With that on its standard input.
  [[nodiscard]] Output run_with(const std::string& input, const std::string& arguments) const {
    return sh(dir, line(arguments) + " <'" + dir.write("input", input) + "'");
  }
  // What it printed; fails the test unless it ended with status 0.
  [[nodiscard]] std::string out(const std::string& arguments) const {
    const Output output = run(arguments);
    CHECK_MESSAGE(output.status == 0, arguments << ": " << output.err);
    return output.out;
  }
};

// A node, and the program that asks it.
struct CliNode {
  explicit CliNode(const std::vector<std::string>& more = {}) {
    server.more = more;
    server.start_ready();
    cli.endpoints = server.url();
  }
  TempDir dir;
  Server server{dir, "only"};
  Cli cli{dir, ""};
};

inline std::string urls(const Servers& servers) {
  std::string out;
  for (const Server* server : servers) out += (out.empty() ? "" : ",") + server->url();
  return out;
}

// A command that runs beside the test; its output goes to NAME.out and NAME.err.
class Running {
 public:
  // `errors`: where those go instead, a redirection.
  Running(const Cli& cli, const std::string& name, const std::string& arguments, const std::string& errors = {})
      : process_(cli.dir, name), dir_(cli.dir) {
    process_.program = "/bin/sh";
    // The shell becomes the program, so that signals reach it.
    const std::string line = cli.line(arguments);
    const size_t program = line.find(std::string("'") + WORMHOLE_CLI);
    process_.arguments = {{"-c", line.substr(0, program) + "exec env -u _ " + line.substr(program) + " >" + name +
                                     ".out " + (errors.empty() ? "2>" + name + ".err" : errors)}};
    process_.start();
    name_ = name;
  }
  ~Running() {
    if (process_.running()) (void)::kill(-process_.pid(), SIGKILL);
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  [[nodiscard]] std::string out() const { return read_file(dir_.path(name_ + ".out")); }
  [[nodiscard]] std::string err() const { return read_file(dir_.path(name_ + ".err")); }
  Server& process() { return process_; }

 private:
  Server process_;
  const TempDir& dir_;
  std::string name_;
};

// Answers every connection with the same bytes, once something was received, or says nothing.
class Stranger {
 public:
  explicit Stranger(std::string answer) : answer_(std::move(answer)), port_(free_port()) {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(fd_ >= 0);
    const int yes = 1;
    setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port_);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(bind(fd_, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
    REQUIRE(listen(fd_, 16) == 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~Stranger() {
    stop_ = true;
    thread_.join();
    close(fd_);
  }
  Stranger(const Stranger&) = delete;
  Stranger& operator=(const Stranger&) = delete;

  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  // All that was ever received.
  [[nodiscard]] std::string received() const {
    const std::scoped_lock lock(mutex_);
    return received_;
  }

 private:
  void serve() {
    while (!stop_) {
      pollfd ready{fd_, POLLIN, 0};
      if (poll(&ready, 1, 50) <= 0) continue;
      const int client = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) continue;
      char bytes[65536];
      pollfd data{client, POLLIN, 0};
      if (poll(&data, 1, 5'000) > 0) {
        const ssize_t got = recv(client, bytes, sizeof bytes, 0);
        if (got > 0) {
          const std::scoped_lock lock(mutex_);
          received_.append(bytes, static_cast<size_t>(got));
        }
      }
      (void)send(client, answer_.data(), answer_.size(), MSG_NOSIGNAL);
      close(client);
    }
  }

  std::string answer_;
  uint16_t port_;
  int fd_ = -1;
  std::atomic<bool> stop_ = false;
  mutable std::mutex mutex_;
  std::string received_;
  std::thread thread_;
};

inline std::string http_answer(const std::string& head, const std::string& body) {
  return "HTTP/1.1 " + head + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" +
         body;
}

}  // namespace wh::testing
