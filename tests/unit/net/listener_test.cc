#include "net/listener.h"

#include <map>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include <doctest/doctest.h>

#include "net_fixture.h"

using namespace wh;
using namespace wh::net;
using namespace wh::net::test;

namespace {

void nobody(std::unique_ptr<ByteStream>) {}

ListenOptions on(std::vector<std::string> bind, uint16_t port = 0) {
  ListenOptions options;
  options.bind = std::move(bind);
  options.port = port;
  return options;
}

std::string error_of(Loop& loop, const ListenOptions& options) {
  const auto made = Listener::listen(loop, options, nobody);
  return made.ok() ? "no error" : made.error();
}

int connected_socket(uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  REQUIRE(::connect(fd, Address::parse("127.0.0.1", port)->raw(), sizeof(sockaddr_in)) == 0);
  return fd;
}

}  // namespace

TEST_CASE("port 0 is the same port on all addresses; an address this machine lacks is skipped after '-'") {
  Loop loop;
  const auto listener = Listener::listen(loop, on({"127.0.0.1", "127.0.0.2", "-::1", "-192.0.2.1"}), nobody);
  REQUIRE(listener.ok());
  const std::string port = std::to_string((*listener)->port());
  CHECK((*listener)->port() != 0);
  const auto& addresses = (*listener)->addresses();
  REQUIRE(addresses.size() >= 2);
  REQUIRE(addresses.size() <= 3);
  CHECK(addresses[0] == "127.0.0.1:" + port);
  CHECK(addresses[1] == "127.0.0.2:" + port);
  if (addresses.size() == 3) CHECK(addresses[2] == "[::1]:" + port);
}

TEST_CASE("errors name the address, the port and the cause") {
  Loop loop;
  const auto first = Listener::listen(loop, on({"127.0.0.1"}), nobody);
  REQUIRE(first.ok());
  const uint16_t port = (*first)->port();
  const std::string taken = "could not listen on 127.0.0.1:" + std::to_string(port) + ": address already in use";
  CHECK(error_of(loop, on({"127.0.0.1"}, port)) == taken);
  CHECK(error_of(loop, on({"-127.0.0.1"}, port)) == taken);  // '-' forgives a missing address only
  CHECK(error_of(loop, on({"*"}, port)) ==
        "could not listen on 0.0.0.0:" + std::to_string(port) + ": address already in use");
  CHECK(error_of(loop, on({"192.0.2.1"}, 1234)) == "could not listen on 192.0.2.1:1234: address not available");
  CHECK(error_of(loop, on({"-192.0.2.1"}, 1234)) == "could not listen on 192.0.2.1:1234: address not available");
  CHECK(error_of(loop, on({"example"})) == "could not listen on example: not an IP address");
  CHECK(error_of(loop, on({""})) == "could not listen on : not an IP address");
  CHECK(error_of(loop, on({}, 5)) == "could not listen on port 5: no address given");
}

TEST_CASE("a wildcard for IPv4 and one for IPv6 share a port") {
  Loop loop;
  const auto listener = Listener::listen(loop, on({"*", "-::*"}), nobody);
  REQUIRE(listener.ok());
  CHECK((*listener)->addresses()[0] == "0.0.0.0:" + std::to_string((*listener)->port()));
}

TEST_CASE("a network interface stands for its addresses") {
  Loop loop;
  ListenOptions options;
  options.bind_interface = "lo";
  const auto listener = Listener::listen(loop, options, nobody);
  REQUIRE(listener.ok());
  CHECK((*listener)->addresses()[0] == "127.0.0.1:" + std::to_string((*listener)->port()));
  options.bind_interface = "nosuch0";
  CHECK(error_of(loop, options) == "network interface nosuch0 is not up or has no address");
}

TEST_CASE("a port can be taken again at once after its connections were served") {
  Loop loop;
  uint16_t port = 0;
  {
    Pair pair(loop);
    port = pair.listener->port();
    pair.server.reset();  // this end closes first: TIME_WAIT is ours
    run_for(loop, 5);
  }
  CHECK(Listener::listen(loop, on({"127.0.0.1"}, port), nobody).ok());
}

TEST_CASE("many connections are accepted, echo, and end") {
  Loop loop;
  struct Echo {
    std::unique_ptr<ByteStream> stream;
    Recorder recorder;
  };
  std::vector<std::unique_ptr<Echo>> served;
  const auto listener = Listener::listen(loop, on({"127.0.0.1"}), [&](std::unique_ptr<ByteStream> stream) {
    auto echo = std::make_unique<Echo>();
    Echo* const raw = echo.get();
    echo->stream = std::move(stream);
    echo->recorder.data_hook = [raw](std::string_view bytes) { raw->stream->write(bytes); };
    echo->recorder.end_hook = [raw] { raw->stream->close(); };
    echo->stream->set_handler(&echo->recorder);
    served.push_back(std::move(echo));
  });
  REQUIRE(listener.ok());
  constexpr size_t kMany = 200;
  std::vector<std::unique_ptr<Dial>> dials;
  std::vector<std::unique_ptr<ByteStream>> clients;
  std::vector<std::unique_ptr<Recorder>> recorders;
  for (size_t i = 0; i < kMany; ++i)
    dials.push_back(tcp_connect(loop, "127.0.0.1", (*listener)->port(), 10'000, [&](DialResult result) {
      REQUIRE(result.error == 0);
      recorders.push_back(std::make_unique<Recorder>());
      result.stream->set_handler(recorders.back().get());
      result.stream->write("number " + std::to_string(recorders.size()));
      clients.push_back(std::move(result.stream));
    }));
  REQUIRE(run_until(loop, [&] {
    if (recorders.size() != kMany) return false;
    for (size_t i = 0; i < kMany; ++i)
      if (recorders[i]->data != "number " + std::to_string(i + 1)) return false;
    return true;
  }));
  CHECK(served.size() == kMany);
  for (const auto& client : clients) client->close();
  REQUIRE(run_until(loop, [&] {
    for (const auto& echo : served)
      if (echo->recorder.closes != 1) return false;
    return true;
  }));
}

TEST_CASE("a listener that ends hands out all that wait, not only those of a turn") {
  Loop loop;
  ListenOptions options = on({"127.0.0.1"});
  options.accepts_per_turn = 8;
  size_t accepted = 0;
  const auto listener = Listener::listen(loop, options, [&](std::unique_ptr<ByteStream>) { ++accepted; });
  REQUIRE(listener.ok());
  std::vector<int> clients;
  for (int i = 0; i < 300; ++i) clients.push_back(connected_socket((*listener)->port()));
  CHECK(accepted == 0);
  (*listener)->take_waiting();
  CHECK(accepted == clients.size());
  for (const int fd : clients) ::close(fd);
}

TEST_CASE("a paused listener leaves connections to the kernel; the function may destroy its listener") {
  Loop loop;
  int accepts = 0;
  std::unique_ptr<Listener> listener;
  auto made = Listener::listen(loop, on({"127.0.0.1"}), [&](std::unique_ptr<ByteStream>) {
    if (++accepts == 2) listener.reset();
  });
  REQUIRE(made.ok());
  listener = std::move(*made);
  listener->pause();
  std::vector<int> sockets;
  for (int i = 0; i < 4; ++i) sockets.push_back(connected_socket(listener->port()));
  run_for(loop, 20);
  CHECK(accepts == 0);
  listener->resume();
  REQUIRE(run_until(loop, [&] { return accepts == 2; }));
  run_for(loop, 10);
  CHECK(accepts == 2);
  for (const int fd : sockets) ::close(fd);
}

TEST_CASE("HAZARDS H19: who finds no room among the descriptors waits in the backlog, and is taken when one has gone") {
  Loop loop;
  Descriptors descriptors(/*peers=*/2);
  ListenOptions options = on({"127.0.0.1"});
  options.descriptors = &descriptors;
  options.use = Descriptors::Use::peers;
  std::vector<std::unique_ptr<ByteStream>> accepted;
  const auto listener = Listener::listen(
      loop, options, [&](std::unique_ptr<ByteStream> stream) { accepted.push_back(std::move(stream)); });
  REQUIRE(listener.ok());
  std::vector<int> sockets;
  for (int i = 0; i < 4; ++i) sockets.push_back(connected_socket((*listener)->port()));
  REQUIRE(run_until(loop, [&] { return accepted.size() == 2; }));
  run_for(loop, 150);
  CHECK(accepted.size() == 2);
  CHECK(descriptors.open(Descriptors::Use::peers) == 2);
  // The place is free at once, whatever libuv still has to call.
  accepted.pop_back();
  CHECK(descriptors.open(Descriptors::Use::peers) == 1);
  REQUIRE(run_until(loop, [&] { return accepted.size() == 2; }));
  // One that is being closed has its descriptor until the other side has gone.
  Recorder recorder;
  accepted[0]->set_handler(&recorder);
  accepted[0]->close();
  run_for(loop, 20);
  CHECK(descriptors.open(Descriptors::Use::peers) == 2);
  for (const int fd : sockets) ::close(fd);
  REQUIRE(run_until(loop, [&] { return recorder.closes == 1; }));
  accepted.clear();
  run_for(loop, 150);  // the last of the four
  accepted.clear();
  CHECK(descriptors.open(Descriptors::Use::peers) == 0);
  CHECK((*listener)->refused() == 0);
}

namespace {

// The child of the next test: echoes, and answers "?" with how many turns its loop has made.
[[noreturn]] void serve_with_few_descriptors(int port_pipe) {
  alarm(60);
  Loop loop;
  struct Client {
    std::unique_ptr<ByteStream> stream;
    Recorder recorder;
  };
  std::map<Client*, std::unique_ptr<Client>> clients;
  auto listener = Listener::listen(loop, on({"127.0.0.1"}), [&](std::unique_ptr<ByteStream> stream) {
    auto client = std::make_unique<Client>();
    Client* const raw = client.get();
    client->stream = std::move(stream);
    client->recorder.data_hook = [&loop, raw](std::string_view bytes) {
      raw->stream->write(bytes == "?" ? std::to_string(loop.stats().turns) : std::string(bytes));
    };
    client->recorder.end_hook = [raw] { raw->stream->abort(); };
    client->recorder.close_hook = [&clients, raw] { clients.erase(raw); };
    client->stream->set_handler(&client->recorder);
    clients.emplace(raw, std::move(client));
  });
  if (!listener.ok()) _exit(1);
  const int next = ::dup(0);
  ::close(next);
  const rlimit limit{static_cast<rlim_t>(next) + 8, static_cast<rlim_t>(next) + 8};
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) _exit(2);
  const uint16_t port = (*listener)->port();
  if (::write(port_pipe, &port, sizeof port) != sizeof port) _exit(3);
  loop.run();
  _exit(0);
}

// What comes within the bound; empty for the connection's end.
std::string ask(int fd, const std::string& question) {
  if (::send(fd, question.data(), question.size(), MSG_NOSIGNAL) < 0) return {};
  pollfd wait{fd, POLLIN, 0};
  char buffer[64];
  if (::poll(&wait, 1, 10'000) != 1) return {};
  const ssize_t size = ::recv(fd, buffer, sizeof buffer, 0);
  return size > 0 ? std::string(buffer, static_cast<size_t>(size)) : std::string();
}

}  // namespace

TEST_CASE("HAZARDS H19: without file descriptors new connections are closed, old ones served, and all recovers") {
  int pipes[2];
  REQUIRE(::pipe(pipes) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) serve_with_few_descriptors(pipes[1]);
  uint16_t port = 0;
  REQUIRE(::read(pipes[0], &port, sizeof port) == sizeof port);

  for (int round = 0; round < 3; ++round) {
    std::vector<int> sockets;
    std::vector<int> served;
    for (int i = 0; i < 40; ++i) sockets.push_back(connected_socket(port));
    for (const int fd : sockets)
      if (ask(fd, "hello") == "hello") served.push_back(fd);
    CHECK(served.size() >= 4);
    CHECK(served.size() <= 8);
    // With all descriptors in use and refused connections behind it, the loop rests.
    const long before = std::stol("0" + ask(served[0], "?"));
    pollfd none{-1, 0, 0};
    ::poll(&none, 1, 200);
    const long after = std::stol("0" + ask(served[0], "?"));
    CHECK(before > 0);
    CHECK(after - before < 50);
    CHECK(ask(served.back(), "still here") == "still here");
    for (const int fd : sockets) ::close(fd);
    bool recovered = false;
    for (int tries = 0; tries < 200 && !recovered; ++tries) {
      const int fd = connected_socket(port);
      recovered = ask(fd, "again") == "again";
      ::close(fd);
    }
    CHECK(recovered);
  }
  kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGKILL);  // and nothing else
  ::close(pipes[0]);
  ::close(pipes[1]);
}
