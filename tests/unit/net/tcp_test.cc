#include "net/tcp.h"

#include <algorithm>
#include <memory>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "net_fixture.h"

using namespace wh;
using namespace wh::net;
using namespace wh::net::test;

namespace {

// A pair with a recorder at each end.
struct Talk : Pair {
  explicit Talk(Loop& loop) : Pair(loop) {
    server->set_handler(&at_server);
    client->set_handler(&at_client);
  }
  Recorder at_server;
  Recorder at_client;
};

// The descriptor, in this process, of the other end of the connection `fd`; -1 if there is none.
int other_end_of(int fd) {
  sockaddr_in own{};
  socklen_t size = sizeof own;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size) != 0) return -1;
  for (int other = 3; other < 4096; ++other) {
    sockaddr_in peer{};
    size = sizeof peer;
    if (other == fd || getpeername(other, reinterpret_cast<sockaddr*>(&peer), &size) != 0) continue;
    if (size == sizeof own && peer.sin_family == AF_INET && peer.sin_port == own.sin_port) return other;
  }
  return -1;
}

}  // namespace

TEST_CASE("an echo comes back, and both ends know where they are") {
  Loop loop;
  Talk talk(loop);
  talk.at_server.data_hook = [&](std::string_view bytes) { talk.server->write(bytes); };
  talk.client->write("hel");
  talk.client->write("lo");
  CHECK(talk.client->pending_bytes() == 5);
  REQUIRE(run_until(loop, [&] { return talk.at_client.data == "hello"; }));
  CHECK(talk.client->pending_bytes() == 0);
  CHECK(talk.server->peer_address() == "127.0.0.1");
  CHECK(talk.server->local_address() == "127.0.0.1");
  CHECK(talk.server->peer_is_loopback());
  CHECK_FALSE(talk.server->is_tls());
  CHECK_FALSE(talk.server->peer_is_verified());
}

TEST_CASE("what one turn writes leaves in that turn, in one piece") {
  Loop loop;
  Talk talk(loop);
  int reads = 0;
  talk.at_server.data_hook = [&](std::string_view) { ++reads; };
  bool wrote = false;
  loop.defer([&] { talk.client->write("a"); });
  loop.set_turn_hook([&] {
    if (wrote) return;
    wrote = true;
    for (int i = 0; i < 100; ++i) talk.client->write("b");  // in the hook, as the node's answers are
  });
  REQUIRE(run_until(loop, [&] { return talk.at_server.size == 101; }));
  CHECK(reads == 1);
  CHECK(talk.at_server.data == "a" + std::string(100, 'b'));
}

TEST_CASE("HAZARDS H13: a large transfer to a reader that pauses is bounded by the writer's marks, and arrives whole") {
  Loop loop;
  Talk talk(loop);
  const std::string all = pattern(24 * 1024 * 1024);
  size_t written = 0;
  size_t most_pending = 0;
  const auto fill = [&] {
    while (written < all.size() && talk.client->pending_bytes() <= TcpStream::kHighWater) {
      const size_t piece = std::min<size_t>(100'000, all.size() - written);
      talk.client->write(std::string_view(all).substr(written, piece));
      written += piece;
    }
    most_pending = std::max(most_pending, talk.client->pending_bytes());
  };
  size_t pending_at_drain = 0;
  talk.at_client.drained_hook = [&] {
    pending_at_drain = std::max(pending_at_drain, talk.client->pending_bytes());
    fill();
  };
  talk.server->pause_reading();
  fill();
  run_for(loop, 50);
  CHECK(talk.at_server.size == 0);
  CHECK(written < all.size());  // the kernel's buffers are full, and so is the stream
  CHECK(talk.client->pending_bytes() > TcpStream::kLowWater);
  int pauses = 0;
  talk.at_server.data_hook = [&](std::string_view) {
    if (++pauses % 50 == 0) {
      talk.server->pause_reading();
      loop.defer([&] { talk.server->resume_reading(); });
    }
  };
  talk.server->resume_reading();
  REQUIRE(run_until(loop, [&] { return talk.at_server.size == all.size(); }));
  CHECK(talk.at_server.data == all);
  CHECK(talk.at_client.drains > 1);
  CHECK(pending_at_drain <= TcpStream::kLowWater);
  CHECK(most_pending <= TcpStream::kHighWater + 100'000);
}

TEST_CASE("large transfers both ways at once arrive whole") {
  Loop loop;
  Talk talk(loop);
  const std::string there = pattern(8 * 1024 * 1024);
  const std::string back = pattern(8 * 1024 * 1024 + 1);
  talk.client->write(there);
  talk.server->write(back);
  REQUIRE(run_until(loop, [&] { return talk.at_server.size == there.size() && talk.at_client.size == back.size(); }));
  CHECK(talk.at_server.data == there);
  CHECK(talk.at_client.data == back);
  CHECK(talk.at_server.drains == 1);
}

TEST_CASE("a stream may be destroyed inside each of its callbacks") {
  Loop loop;
  SUBCASE("on_data") {
    Talk talk(loop);
    talk.at_server.data_hook = [&](std::string_view) { talk.server.reset(); };
    talk.client->write(std::string(300'000, 'x'));
    REQUIRE(run_until(loop, [&] { return talk.at_client.closes == 1 || talk.at_client.ends == 1; }));
    CHECK(talk.server == nullptr);
    CHECK(talk.at_server.closes == 0);
  }
  SUBCASE("on_end") {
    Talk talk(loop);
    talk.at_server.end_hook = [&] { talk.server.reset(); };
    talk.client->close();
    REQUIRE(run_until(loop, [&] { return talk.at_client.closes == 1; }));
    CHECK(talk.server == nullptr);
    CHECK(talk.at_server.closes == 0);
  }
  SUBCASE("on_drained") {
    Talk talk(loop);
    talk.at_client.drained_hook = [&] { talk.client.reset(); };
    talk.at_server.keep = false;
    talk.client->write(std::string(4'000'000, 'x'));
    REQUIRE(run_until(loop, [&] { return talk.client == nullptr; }));
    CHECK(talk.at_client.closes == 0);
  }
  SUBCASE("on_close") {
    Talk talk(loop);
    talk.at_client.close_hook = [&] { talk.client.reset(); };
    talk.client->abort();
    REQUIRE(run_until(loop, [&] { return talk.client == nullptr; }));
    CHECK(talk.at_client.closes == 1);
  }
  SUBCASE("with output queued and in flight") {
    Talk talk(loop);
    talk.server->pause_reading();
    talk.client->write(std::string(8'000'000, 'x'));
    run_for(loop, 5);
    talk.client->write("more");
    talk.client.reset();
    talk.server->resume_reading();
    REQUIRE(run_until(loop, [&] { return talk.at_server.ends + talk.at_server.closes > 0; }));
  }
}

TEST_CASE("half close: after the peer's end our answer still goes out, whole") {
  Loop loop;
  Talk talk(loop);
  const std::string answer = pattern(2'000'000);
  talk.at_server.end_hook = [&] {
    talk.server->write(answer);
    talk.server->close();
  };
  // A plain socket, as our own streams throw away what comes after their close().
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  const auto where = Address::parse("127.0.0.1", talk.listener->port());
  talk.server.reset();
  REQUIRE(::connect(fd, where->raw(), sizeof(sockaddr_in)) == 0);
  REQUIRE(run_until(loop, [&] { return talk.server != nullptr; }));
  talk.server->set_handler(&talk.at_server);
  REQUIRE(::send(fd, "question", 8, 0) == 8);
  REQUIRE(::shutdown(fd, SHUT_WR) == 0);
  std::string got;
  bool ended = false;
  REQUIRE(run_until(loop, [&] {
    char buffer[65536];
    for (;;) {
      const ssize_t n = ::recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
      if (n == 0) ended = true;
      if (n <= 0) break;
      got.append(buffer, static_cast<size_t>(n));
    }
    return ended && talk.at_server.closes == 1;
  }));
  ::close(fd);
  CHECK(talk.at_server.data == "question");
  CHECK(talk.at_server.ends == 1);
  CHECK(talk.at_server.why.empty());
  CHECK(got == answer);
}

TEST_CASE("close() sends what is queued, reads away what comes, and tells once, later") {
  Loop loop;
  Talk talk(loop);
  const std::string answer = pattern(1'000'000);
  talk.client->write(std::string(100'000, 'u'));  // an upload that nobody will read
  talk.server->write(answer);
  talk.server->close();
  talk.server->write("too late");
  CHECK(talk.at_server.closes == 0);
  talk.at_client.end_hook = [&] { talk.client->close(); };
  REQUIRE(run_until(loop, [&] { return talk.at_client.closes == 1 && talk.at_server.closes == 1; }));
  CHECK(talk.at_client.data == answer);
  CHECK(talk.at_client.ends == 1);
  CHECK(talk.at_client.why.empty());
  CHECK(talk.at_server.why.empty());
  CHECK(talk.at_server.data.empty());
  talk.server->close();
  talk.server->abort();
  run_for(loop, 5);
  CHECK(talk.at_server.closes == 1);
  CHECK(talk.server->pending_bytes() == 0);
}

TEST_CASE("lingering ends: after some silence, at last also for a peer that sends drop by drop, or floods") {
  Loop loop;
  Talk talk(loop);
  const Millis start = loop.now();
  SUBCASE("silence from the beginning") {
    talk.server->close();
    REQUIRE(run_until(loop, [&] { return talk.at_server.closes == 1; }));
    const Millis took = loop.now() - start;
    CHECK(took >= TcpStream::kLingerIdleMs - 1);
    CHECK(took < TcpStream::kLingerIdleMs + 1'000);
    CHECK(talk.at_client.ends == 1);
  }
  SUBCASE("silence after some bytes") {
    talk.server->close();
    talk.client->write("of a request that was refused");
    REQUIRE(run_until(loop, [&] { return talk.at_server.closes == 1; }));
    const Millis took = loop.now() - start;
    CHECK(took >= TcpStream::kLingerSilenceMs - 1);
    CHECK(took < TcpStream::kLingerIdleMs + TcpStream::kLingerSilenceMs + 1'000);
    CHECK(talk.at_client.ends == 1);
  }
  SUBCASE("drops") {
    talk.server->close();
    Timer drops(loop, [&] { talk.client->write("d"); });
    drops.start(1, 100);
    REQUIRE(run_until(loop, [&] { return talk.at_server.closes == 1; }));
    const Millis took = loop.now() - start;
    CHECK(took >= TcpStream::kLingerMs - 1);
    CHECK(took < TcpStream::kLingerMs + 3'000);
  }
  SUBCASE("flood") {
    talk.server->close();
    size_t sent = 0;
    Timer flood(loop, [&] {
      if (talk.client->pending_bytes() > 4'000'000) return;
      talk.client->write(std::string(1'000'000, 'f'));
      sent += 1'000'000;
    });
    flood.start(1, 1);
    REQUIRE(run_until(loop, [&] { return talk.at_server.closes == 1; }));
    CHECK(sent > TcpStream::kLingerBytes);
    CHECK(talk.at_server.data.empty());
  }
}

TEST_CASE("RFC 9112 9.6: a peer that sends five megabytes before it reads gets what was sent before the close") {
  Loop loop;
  Talk talk(loop);
  bool sent = false;
  talk.at_server.data_hook = [&](std::string_view) {
    if (std::exchange(sent, true)) return;
    talk.server->write("413");
    talk.server->close();
  };
  talk.client->pause_reading();
  talk.client->write(std::string(5'000'000, 'x'));
  REQUIRE(run_until(loop, [&] { return talk.client->pending_bytes() == 0; }));
  CHECK(talk.at_client.closes == 0);
  talk.client->resume_reading();
  talk.at_client.end_hook = [&] { talk.client->close(); };
  REQUIRE(run_until(loop, [&] { return talk.at_client.closes == 1 && talk.at_server.closes == 1; }));
  CHECK(talk.at_client.data == "413");
  CHECK(talk.at_client.why.empty());
}

TEST_CASE("HAZARDS H13: after close() a peer that reads nothing is cut off; one that reads slowly is not") {
  Loop loop;
  std::unique_ptr<ByteStream> server;
  ListenOptions options;
  options.bind = {"127.0.0.1"};
  options.tcp.send_stall_ms = 80;
  const auto listener =
      Listener::listen(loop, options, [&](std::unique_ptr<ByteStream> stream) { server = std::move(stream); });
  REQUIRE(listener.ok());
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  const int small = 16 * 1024;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  REQUIRE(::connect(fd, Address::parse("127.0.0.1", (*listener)->port())->raw(), sizeof(sockaddr_in)) == 0);
  REQUIRE(run_until(loop, [&] { return server != nullptr; }));
  Recorder at_server;
  server->set_handler(&at_server);
  constexpr size_t kSize = 16'000'000;
  server->write(std::string(kSize, 'x'));
  server->close();
  SUBCASE("nothing") {
    REQUIRE(run_until(loop, [&] { return at_server.closes == 1; }));
    CHECK(at_server.why == "the peer does not read");
  }
  SUBCASE("slowly") {
    size_t got = 0;
    std::string buffer(1 << 20, '\0');
    Timer reader(loop, [&] {
      const ssize_t n = ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (n > 0) got += static_cast<size_t>(n);
    });
    reader.start(5, 5);
    run_for(loop, 400);  // several times the limit
    CHECK(at_server.closes == 0);
    reader.start(1, 1);
    REQUIRE(run_until(loop, [&] { return got == kSize; }));
    ::shutdown(fd, SHUT_WR);
    REQUIRE(run_until(loop, [&] { return at_server.closes == 1; }));
    CHECK(at_server.why.empty());
  }
  ::close(fd);
}

TEST_CASE("abort() loses what is queued, tells once and not from inside itself; the peer sees a reset") {
  Loop loop;
  Talk talk(loop);
  talk.client->write("lost");
  talk.client->abort();
  CHECK(talk.at_client.closes == 0);
  CHECK(talk.client->pending_bytes() == 0);
  talk.client->write("also lost");
  REQUIRE(run_until(loop, [&] { return talk.at_client.closes == 1 && talk.at_server.closes == 1; }));
  CHECK(talk.at_client.why == "aborted");
  CHECK(talk.at_server.why == "connection reset by peer");
  CHECK(talk.at_server.data.empty());
}

TEST_CASE("HAZARDS G13: writing to a peer that has gone ends the stream with a reason and not the process") {
  Loop loop;
  Talk talk(loop);
  talk.server->pause_reading();  // so that only the write can notice
  talk.client.reset();
  Timer again(loop, [&] { talk.server->write("x"); });
  again.start(1, 1);
  REQUIRE(run_until(loop, [&] { return talk.at_server.closes == 1; }));
  CHECK_FALSE(talk.at_server.why.empty());
  run_for(loop, 10);
  CHECK(talk.at_server.closes == 1);
}

TEST_CASE(
    "HAZARDS K2: one turn reads 320 KiB of a member's connection, also when more waits, and later ones the rest") {
  constexpr size_t kSize = 48 << 20;
  constexpr size_t kMost = 320 << 10;
  Loop loop;
  Talk talk(loop);
  talk.at_server.keep = false;
  int reader = -1;
  uint64_t turn = 0;
  size_t in_turn = 0;
  size_t most = 0;
  talk.at_server.data_hook = [&](std::string_view bytes) {
    if (std::exchange(turn, loop.turn()) != loop.turn()) in_turn = 0;
    in_turn += bytes.size();
    most = std::max(most, in_turn);
    // Meanwhile the writer fills the socket again: a turn ends at a read that does not fill its buffer. What the kernel
    // lets it fill may be less, so this waits a while at most; once a turn has read all it may, there is no need to.
    const uint64_t end = Loop::micros() + (most < kMost ? 20'000 : 200);
    int waits = 0;
    while (Loop::micros() < end && waits < static_cast<int>(Loop::kReadBufferSize)) {
      if (ioctl(reader, FIONREAD, &waits) != 0) break;
    }
  };
  // A pair of sockets, of which a thread fills one as fast as the kernel takes it.
  const int writer = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(talk.listener->port());
  talk.server.reset();
  REQUIRE(connect(writer, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(run_until(loop, [&] { return talk.server != nullptr; }));
  talk.server->set_handler(&talk.at_server);
  reader = other_end_of(writer);
  REQUIRE(reader >= 0);
  const int room = 1 << 20;  // or the kernel may never let a whole buffer of the loop's wait
  REQUIRE(setsockopt(reader, SOL_SOCKET, SO_RCVBUF, &room, sizeof room) == 0);
  std::thread fills([&] {
    const std::string bytes(1 << 20, 'x');
    for (size_t sent = 0; sent < kSize;) {
      const ssize_t wrote = write(writer, bytes.data(), std::min(bytes.size(), kSize - sent));
      if (wrote <= 0) break;
      sent += static_cast<size_t>(wrote);
    }
  });
  CHECK(run_until(loop, [&] { return talk.at_server.size == kSize; }));
  talk.server->abort();
  fills.join();
  close(writer);
  CHECK(most >= kMost);  // or this has shown nothing
  CHECK(most < kMost + Loop::kReadBufferSize);
}

TEST_CASE("pausing holds back bytes and the end of them; nothing is read before there is a handler") {
  Loop loop;
  Pair pair(loop);
  pair.client->write("early");
  run_for(loop, 5);
  Recorder server;
  server.data_hook = [&](std::string_view) { pair.server->pause_reading(); };
  pair.server->set_handler(&server);
  REQUIRE(run_until(loop, [&] { return server.data == "early"; }));
  pair.client.reset();
  run_for(loop, 10);
  CHECK(server.ends + server.closes == 0);
  pair.server->resume_reading();
  REQUIRE(run_until(loop, [&] { return server.ends + server.closes == 1; }));
}

TEST_CASE("a stream's handler may close other streams that have output queued in the same turn") {
  Loop loop;
  std::vector<std::unique_ptr<Talk>> talks;
  for (int i = 0; i < 4; ++i) talks.push_back(std::make_unique<Talk>(loop));
  for (auto& talk : talks) talk->client->write(std::string(3'000'000, 'x'));
  talks[0]->at_client.drained_hook = [&] {
    talks[1]->client->write("y");
    for (size_t i = 1; i < talks.size(); ++i) talks[i]->client.reset();
  };
  REQUIRE(run_until(loop, [&] { return talks[3]->client == nullptr; }));
}

TEST_CASE("the socket's options are set") {
  Loop loop;
  std::unique_ptr<ByteStream> accepted;
  ListenOptions options;
  options.bind = {"127.0.0.1"};
  const auto listener =
      Listener::listen(loop, options, [&](std::unique_ptr<ByteStream> stream) { accepted = std::move(stream); });
  REQUIRE(listener.ok());
  std::unique_ptr<TcpStream> client;
  TcpOptions tcp;
  tcp.keepalive_s = 77;
  tcp.user_timeout_ms = 4'321;
  const auto dial = tcp_connect(
      loop, "127.0.0.1", (*listener)->port(), 1'000, [&](DialResult result) { client = std::move(result.stream); },
      tcp);
  REQUIRE(run_until(loop, [&] { return client != nullptr; }));
  // The stream keeps its socket to itself, so look for it among the descriptors by its port.
  int found = 0;
  for (int fd = 3; fd < 256; ++fd) {
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    if (getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size) != 0 || name.ss_family != AF_INET) continue;
    if (Address(reinterpret_cast<sockaddr*>(&name)).port() != client->local_port()) continue;
    ++found;
    const auto option = [fd](int level, int which) {
      int value = -1;
      socklen_t length = sizeof value;
      getsockopt(fd, level, which, &value, &length);
      return value;
    };
    CHECK(option(IPPROTO_TCP, TCP_NODELAY) != 0);
    CHECK(option(SOL_SOCKET, SO_KEEPALIVE) != 0);
    CHECK(option(IPPROTO_TCP, TCP_KEEPIDLE) == 77);
    CHECK(option(IPPROTO_TCP, TCP_USER_TIMEOUT) == 4'321);
  }
  CHECK(found == 1);
}
