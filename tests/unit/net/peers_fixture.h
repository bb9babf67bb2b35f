// Shared code of the PeerTransport tests: nodes that record what they are told, and strangers that send bytes that a
// node would not.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "net/peers.h"
#include "net_fixture.h"
#include "wire/ask_codec.h"
#include "wire/hello.h"
#include "wire/peer_codec.h"

namespace wh::net::test {

inline node::ClusterId cluster(uint8_t number) {
  node::ClusterId id{};
  id[0] = number;
  return id;
}

inline raft::NodeId instance(uint64_t number) { return raft::NodeId{number}; }

inline node::Identity identity_of(uint64_t number, uint8_t in_cluster, const std::string& raft_address = ":1") {
  return node::Identity{.cluster = cluster(in_cluster),
                        .instance = instance(number),
                        .name = "n" + std::to_string(number),
                        .raft_address = raft_address,
                        .http_address = ":8080",
                        .https_address = ""};
}

// The lines that the process logs while this lives.
struct LogCapture {
  LogCapture() {
    set_log_sink([this](LogLevel, std::string_view line) { lines.emplace_back(line); });
  }
  ~LogCapture() { set_log_sink(nullptr); }
  [[nodiscard]] int count(const std::string& part) const {
    int found = 0;
    for (const std::string& line : lines) found += line.find(part) != std::string::npos ? 1 : 0;
    return found;
  }
  std::vector<std::string> lines;
};

struct TestNode : PeerEvents {
  TestNode(Loop& event_loop, uint64_t node_number, uint8_t in_cluster, uint16_t at_port = 0,
           const std::string& secret = {})
      : loop(event_loop), number(node_number) {
    transport = std::make_unique<PeerTransport>(loop, *this, PeerOptions{.seed = node_number, .secret = secret});
    ListenOptions options;
    options.bind = {"127.0.0.1"};
    options.port = at_port;
    auto made = Listener::listen(loop, options,
                                 [this](std::unique_ptr<ByteStream> stream) { transport->accept(std::move(stream)); });
    REQUIRE(made.ok());
    listener = std::move(*made);
    identify(in_cluster);
  }
  void identify(uint8_t in_cluster) {
    transport->set_identity(identity_of(number, in_cluster, ":" + std::to_string(port())), node::Standing::member);
  }
  [[nodiscard]] uint16_t port() const { return listener->port(); }
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port()); }
  [[nodiscard]] node::Peer as_peer() const {
    return node::Peer{.id = instance(number), .name = "n" + std::to_string(number), .raft_address = address()};
  }
  [[nodiscard]] bool connected_to(const TestNode& other) const { return transport->connected(instance(other.number)); }

  void received(raft::NodeId from, node::PeerMessage message) override {
    messages.emplace_back(from, std::move(message));
    if (hook) hook("received");
  }
  void violated(raft::NodeId from, const std::string& what) override {
    violations.emplace_back(from, what);
    if (hook) hook("violated");
  }
  void peer_connected(raft::NodeId id) override {
    connects.push_back(id);
    if (hook) hook("peer_connected");
  }
  void peer_lost(raft::NodeId id) override {
    losses.push_back(id);
    if (hook) hook("peer_lost");
  }
  void peer_refused(raft::NodeId id, const std::string& sentence, const node::WhoIAm& theirs) override {
    refusals.push_back({id, sentence, theirs});
    if (hook) hook("peer_refused");
  }
  void told_removed(raft::NodeId by, raft::Position as_of) override {
    removals.emplace_back(by, as_of);
    if (hook) hook("told_removed");
  }
  void peer_identity(raft::NodeId id, const node::Identity& identity) override {
    identities.emplace_back(id, identity);
    if (hook) hook("peer_identity");
  }
  void asked(uint64_t question_id, node::Ask question, const std::string& from_address) override {
    questions.push_back({question_id, std::move(question), from_address});
    if (answer_with) transport->answer(question_id, *answer_with);
    if (hook) hook("asked");
  }
  void met(const node::Identity& member) override { members_met.push_back(member); }
  void answered(uint64_t request, Result<node::Answer> answer) override {
    answers.emplace_back(request, std::move(answer));
    if (hook) hook("answered");
  }
  void resolved(uint64_t request, Result<std::vector<std::string>> addresses) override {
    names.emplace_back(request, std::move(addresses));
  }

  struct Refused {
    raft::NodeId id;
    std::string sentence;
    node::WhoIAm theirs;
  };
  struct Asked {
    uint64_t id;
    node::Ask question;
    std::string from;
  };
  Loop& loop;
  uint64_t number;
  std::unique_ptr<PeerTransport> transport;
  std::unique_ptr<Listener> listener;
  std::vector<std::pair<raft::NodeId, node::PeerMessage>> messages;
  std::vector<raft::NodeId> connects;
  std::vector<raft::NodeId> losses;
  std::vector<std::pair<raft::NodeId, std::string>> violations;
  std::vector<Refused> refusals;
  std::vector<std::pair<raft::NodeId, raft::Position>> removals;
  std::vector<std::pair<raft::NodeId, node::Identity>> identities;
  std::vector<Asked> questions;
  std::vector<node::Identity> members_met;
  std::vector<std::pair<uint64_t, Result<std::vector<std::string>>>> names;
  std::vector<std::pair<uint64_t, Result<node::Answer>>> answers;
  std::optional<node::Answer> answer_with;
  std::function<void(const std::string& event)> hook;
};

// Two nodes of one cluster that know each other, connected both ways.
struct Couple {
  explicit Couple(Loop& loop) : a(loop, 1, 7), b(loop, 2, 7) {
    a.transport->set_peers({b.as_peer()});
    b.transport->set_peers({a.as_peer()});
    REQUIRE(run_until(loop, [this] { return a.connected_to(b) && b.connected_to(a); }));
  }
  TestNode a;
  TestNode b;
};

inline node::PeerMessage numbered(uint64_t number, size_t size = 5) {
  return node::Forward{.request = number, .command = Bytes(std::string(size, 'c'))};
}

inline wire::Hello hello_from(uint64_t number, uint8_t in_cluster, uint64_t to,
                              wire::Purpose purpose = wire::Purpose::peer) {
  wire::Hello hello;
  hello.purpose = purpose;
  hello.sender = identity_of(number, in_cluster);
  hello.intended_instance = instance(to);
  hello.intended_name = "n" + std::to_string(to);
  return hello;
}

template <typename T>
std::string framed(const T& value) {
  std::string out;
  REQUIRE(wire::encode(out, value));
  return out;
}

template <typename T>
std::string first_frame(const T& value) {
  return std::string(wire::kMagic) + framed(value);
}

// The reply that some bytes begin with.
inline std::optional<wire::HelloReply> reply_in(const std::string& bytes) {
  wire::FrameDecoder decoder(wire::kMaxHelloBytes);
  decoder.push(bytes);
  const std::optional<wire::Frame> frame = decoder.next();
  if (!frame || frame->type != wire::FrameType::hello_reply) return std::nullopt;
  return wire::decode_hello_reply(frame->payload);
}

// A connection to a port that sends whatever it is told.
struct Stranger {
  Stranger(Loop& loop, uint16_t port, const std::string& bytes) {
    dial = tcp_connect(loop, "127.0.0.1", port, 5'000, [this, bytes](DialResult result) {
      REQUIRE(result.error == 0);
      stream = std::move(result.stream);
      stream->set_handler(&seen);
      if (!bytes.empty()) stream->write(bytes);
    });
  }
  [[nodiscard]] bool closed() const { return seen.ends + seen.closes > 0; }
  std::unique_ptr<Dial> dial;
  Recorder seen;
  std::unique_ptr<ByteStream> stream;
};

// A listener that keeps what connects, and answers each connection with the given bytes.
struct StrangePort {
  StrangePort(Loop& loop, std::string answer) {
    ListenOptions options;
    options.bind = {"127.0.0.1"};
    auto made = Listener::listen(loop, options, [this, answer](std::unique_ptr<ByteStream> stream) {
      seen.push_back(std::make_unique<Recorder>());
      stream->set_handler(seen.back().get());
      if (!answer.empty()) stream->write(answer);
      streams.push_back(std::move(stream));
    });
    REQUIRE(made.ok());
    listener = std::move(*made);
  }
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(listener->port()); }
  std::vector<std::unique_ptr<Recorder>> seen;
  std::vector<std::unique_ptr<ByteStream>> streams;
  std::unique_ptr<Listener> listener;
};

}  // namespace wh::net::test
