// A false member at the raft port of real nodes: it greets as a member of the cluster and sends well-framed messages
// that no correct member can send. No process ends, the term stays, nothing is lost, and each such connection is
// closed, counted and logged.
#include <arpa/inet.h>
#include <chrono>
#include <netinet/in.h>
#include <optional>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "harness.h"
#include "machine/command/command.h"
#include "wire/ask_codec.h"
#include "wire/hello.h"
#include "wire/peer_codec.h"

using namespace wh;
using namespace wh::testing;

namespace {

// A connection to a raft port, spoken by hand.
class Caller {
 public:
  explicit Caller(uint16_t port) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    send(std::string(wire::kMagic));
  }
  ~Caller() { ::close(fd_); }
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

  void send(const std::string& bytes) const { (void)::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  template <typename Message>
  void send_frame(const Message& message) const {
    std::string frame;
    REQUIRE(wire::encode(frame, message));
    send(frame);
  }
  // The next frame of a kind, decoded; nothing when the connection ends, or is silent for too long.
  template <typename Decode>
  auto receive(Decode decode) -> decltype(decode(wire::Frame{})) {
    for (;;) {
      if (const auto frame = decoder_.next()) return decode(*frame);
      const std::string bytes = read();
      if (bytes.empty()) return std::nullopt;
      decoder_.push(bytes);
    }
  }
  // Whether the other side closes it.
  bool closed() {
    while (!read().empty()) {
    }
    return ended_;
  }
  // As a member of this cluster; the other side must be that instance.
  bool greet(const node::Identity& sender, const node::Identity& target) {
    wire::Hello hello;
    hello.sender = sender;
    hello.intended_instance = target.instance;
    hello.intended_name = target.name;
    send_frame(hello);
    const auto reply = receive([](const wire::Frame& frame) { return wire::decode_hello_reply(frame.payload); });
    return reply && reply->refusal == wire::Refusal::none;
  }

 private:
  std::string read() {
    pollfd ready{.fd = fd_, .events = POLLIN, .revents = 0};
    if (::poll(&ready, 1, kPatienceMs) <= 0) return {};
    char buffer[65536];
    const ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
    ended_ = n <= 0;
    return n <= 0 ? std::string() : std::string(buffer, static_cast<size_t>(n));
  }
  int fd_ = -1;
  bool ended_ = false;
  wire::FrameDecoder decoder_{wire::kMaxFrameBytes};
};

node::Identity identity_of(const Server& server) {
  Caller caller(server.raft_port);
  wire::Hello hello;
  hello.purpose = wire::Purpose::ask;
  hello.sender.name = "somebody";
  caller.send_frame(hello);
  REQUIRE(caller.receive([](const wire::Frame& frame) { return wire::decode_hello_reply(frame.payload); }));
  caller.send_frame(node::Ask(node::WhoAreYou{}));
  const auto answer = caller.receive(wire::decode_answer);
  REQUIRE(answer);
  return std::get<node::WhoIAm>(*answer).identity;
}

uint64_t number(const std::string& text) { return text.empty() ? 0 : std::stoull(text); }
uint64_t violations(const Server& server) {
  const std::string info = server.redis("INFO raft");
  const size_t at = info.find("\nviolations:");
  return at == std::string::npos ? UINT64_MAX
                                 : number(info.substr(at + 12, info.find_first_of("\r\n", at + 12) - at - 12));
}

raft::Entry entry(uint64_t index, uint64_t term) {
  return {.index = raft::Index{index}, .term = raft::Term{term}, .kind = raft::EntryKind::noop, .payload = {}};
}

TEST_CASE("what a false member sends ends no node, changes none, and closes its own connection") {
  ThreeNodes nodes({"--raft-election-timeout", "4000", "--raft-heartbeat-interval", "100"});
  Server& leader = await_leader(nodes.all);
  CHECK(leader.get("/set?key=kept&value=data").status == 200);
  const uint64_t term = number(leader.cluster_field("term"));
  const uint64_t last = number(leader.cluster_field("last_log_index"));
  const uint64_t near_end = raft::kLimit - 1;

  raft::SnapshotMeta meta{.index = raft::Index{last + 100},
                          .term = raft::Term{1},
                          .configuration_index = raft::Index{1},
                          .configuration = raft::Configuration({raft::Member{.id = raft::NodeId{99},
                                                                             .name = "liar",
                                                                             .raft_address = "127.0.0.1:9",
                                                                             .http_address = {},
                                                                             .https_address = {}}}),
                          .size = 10};
  const raft::Term now{term};
  // To whom, and what: the leader has committed all up to `last`.
  std::vector<std::pair<bool, node::PeerMessage>> lies;
  for (const bool to_leader : {true, false}) {
    // A second leader of this term.
    lies.emplace_back(to_leader, raft::AppendEntries{.term = now});
    lies.emplace_back(to_leader, raft::AppendEntries{.term = now, .acknowledged = raft::Index{near_end}});
    lies.emplace_back(to_leader, raft::InstallSnapshot{.term = now, .meta = meta, .data = Bytes("12345")});
    lies.emplace_back(to_leader, raft::InstallSnapshot{.term = now, .meta = meta, .data = {}});
    lies.emplace_back(to_leader, raft::TimeoutNow{.term = now});
    // In a term of its own: what is committed is to go.
    lies.emplace_back(to_leader, raft::AppendEntries{.term = raft::Term{term + 1}, .entries = {entry(1, term + 1)}});
    lies.emplace_back(to_leader, raft::RequestVote{.term = raft::Term{term + (uint64_t{1} << 33)},
                                                   .last_log_index = raft::Index{near_end},
                                                   .last_log_term = raft::Term{term},
                                                   .lost_leader = {}});
    lies.emplace_back(
        to_leader,
        node::Forward{.request = 1,
                      .command = Bytes(machine::envelope({.origin = raft::NodeId{7}, .epoch = 1, .sequence = 1}, "x")),
                      .term = now});
  }
  lies.emplace_back(true, raft::AppendEntriesReply{.term = now, .success = true, .match_index = raft::Index{near_end}});
  lies.emplace_back(true, raft::AppendEntriesReply{.term = now, .success = true, .read_round = UINT64_MAX});
  lies.emplace_back(true, raft::AppendEntriesReply{
                              .term = now, .rejected_index = raft::Index{near_end}, .conflict_index = raft::Index{1}});

  const Server& follower = *others(nodes.all, leader)[0];
  for (size_t i = 0; i < lies.size(); ++i) {
    CAPTURE(i);
    const Server& target = lies[i].first ? leader : follower;
    const node::Identity there = identity_of(target);
    const uint64_t before = violations(target);
    Caller liar(target.raft_port);
    node::Identity false_one{.cluster = there.cluster,
                             .instance = raft::NodeId{99},
                             .name = "liar",
                             .raft_address = "127.0.0.1:9",
                             .http_address = {},
                             .https_address = {}};
    REQUIRE(liar.greet(false_one, there));
    liar.send_frame(lies[i].second);
    CHECK(liar.closed());
    CHECK(eventually([&] { return violations(target) == before + 1; }));
  }
  {
    // And a frame that is no message at all.
    const node::Identity there = identity_of(follower);
    const uint64_t before = violations(follower);
    Caller liar(follower.raft_port);
    node::Identity false_one = identity_of(leader);
    false_one.instance = raft::NodeId{98};
    false_one.name = "another";
    REQUIRE(liar.greet(false_one, there));
    std::string frame;
    wire::FrameWriter writer(frame, static_cast<wire::FrameType>(99));
    REQUIRE(writer.finish());
    liar.send(frame);
    CHECK(liar.closed());
    CHECK(eventually([&] { return violations(follower) == before + 1; }));
  }
  for (Server* server : nodes.all) {
    CHECK(server->running());
    CHECK(number(server->cluster_field("term")) == term);
    CHECK(server->get("/get?key=kept").body == "data");
  }
  CHECK(leader.cluster_field("role") == "leader");
  CHECK(follower.get("/set?key=more&value=data").status == 200);
  CHECK(has(leader.log(), "liar (instance 0000000000000063) sent what no correct member can send: "));
  CHECK_FALSE(has(follower.log(), "older copy"));
}

}  // namespace
