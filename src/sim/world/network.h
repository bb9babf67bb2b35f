// The simulated network: one-way links between machines with delay, cuts and clogs, and over them connections that
// behave as net/peers does: each node dials every peer, greets, is refused or accepted; bytes stall while a link is
// cut, and the connection breaks when that lasts. Every message passes through the real codec.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "node/ports.h"
#include "wire/frame.h"

namespace wh::sim {

class World;
struct Host;
class SimTransport;

// A message on its way.
struct Message {
  std::string frame;
  bool odd = false;  // made or misled by a fault: no correct member sent it there
};

// A connection, one way, from the dialling node.
struct Connection {
  size_t from = 0, to = 0;  // hosts
  uint64_t from_life = 0, to_life = 0;
  raft::NodeId sender, receiver;
  raft::Position member_as_of;            // as greeted by the sender
  uint16_t protocol = wire::kMaxVersion;  // the agreed version
  bool broken = false;
  uint64_t last_arrival_us = 0;
  bool watched = false;         // waits for an acknowledgement that cannot come
  std::deque<Message> stalled;  // sent while the link was cut
};

class Network {
 public:
  explicit Network(World& world) : world_(world) {}

  // --- links, one way each
  void cut(size_t from, size_t to);
  void mend(size_t from, size_t to);
  void mend_all();
  void clog(size_t from, size_t to, uint64_t until_us, uint64_t extra_us);
  // Nothing arrives until then; then everything does.
  void hold(size_t from, size_t to, uint64_t until_us);
  // Cuts the links between two sides, one bit for each host; host number `bridge`, if there is one, keeps its links.
  void split(uint64_t sides, size_t bridge = SIZE_MAX);
  // The delay grows by four fifths of the passing time, so that messages keep arriving, later and later.
  void slow_down(size_t from, size_t to, uint64_t until_us);
  [[nodiscard]] bool is_cut(size_t from, size_t to) const;
  [[nodiscard]] bool both_ways(size_t a, size_t b) const { return !is_cut(a, b) && !is_cut(b, a); }
  [[nodiscard]] uint64_t latency_us(size_t from, size_t to);

  // --- connections
  std::shared_ptr<Connection> connect(Host& from, Host& to, raft::NodeId sender, raft::Position member_as_of);
  void transmit(const std::shared_ptr<Connection>& connection, Message message);
  // Also delivers it over another, random connection: of the same sender, preferably to a learner, or of anybody.
  void stray(const Host& by, std::string frame);
  // Sends it over a connection of one of its members to that host, as if that member had sent it. False: there is none.
  bool send_to(const Host& to, const node::PeerMessage& message);
  // One member sends that to another, at once. `impossible`: no correct member can, so it must have no effect, and the
  // connection must be closed. False: there is no connection for it.
  bool tell(const Host& by, Host& to, const node::PeerMessage& message, bool impossible);
  // Delivers it a second time, much later.
  void echo(const std::shared_ptr<Connection>& connection, Message message);
  // Breaks it; the dialler notices after a while.
  void break_connection(const std::shared_ptr<Connection>& connection);
  // Breaks one random connection.
  void break_one();
  // Breaks the connections that carry a snapshot.
  void break_transfers();
  // The node at this host leaves its cluster's connections.
  void close_all_to(const Host& host);
  // Closes the connections over which that node sends to this host.
  void close_from(raft::NodeId sender, const Host& host);
  // Closes the connections of nodes that this node removed.
  void close_removed(const SimTransport& by, const Host& host);
  void host_died(const Host& host);
  std::vector<std::shared_ptr<Connection>>& connections() { return connections_; }

  // A question and its answer. The number names the question to the node that answers.
  struct Question {
    size_t from = 0, to = 0;
    uint64_t from_life = 0, to_life = 0;
    uint64_t request = 0;
    bool over = false;
    raft::NodeId adopts;       // of an Adopt: the intended instance
    bool must_refuse = false;  // whoever receives it
  };
  void ask(Host& from, uint64_t request, const std::string& address, node::Ask question);
  // Asks a member of a cluster for what no member does, under a number that the asking node did not use.
  void ask_in_vain(Host& by, const Host& member, node::Ask question);
  void answer(Host& from, uint64_t question_id, node::Answer answer);

 private:
  void deliver(const std::shared_ptr<Connection>& connection, const Message& sent);
  void send_off(const std::shared_ptr<Connection>& connection, const Message& message);
  // How long a frame of this size waits for a slow link and occupies it.
  uint64_t occupy_us(size_t from, size_t to, size_t bytes);
  void watch(const std::shared_ptr<Connection>& connection);
  void finish_question(uint64_t id, Result<node::Answer> answer);
  struct Clog {
    uint64_t until_us = 0, extra_us = 0, growing_since_us = 0;
    bool holds = false;
  };

  World& world_;
  std::map<std::pair<size_t, size_t>, bool> cuts_;
  std::map<std::pair<size_t, size_t>, Clog> clogs_;
  std::map<std::pair<size_t, size_t>, uint64_t> busy_until_us_;  // for slow links
  std::vector<std::shared_ptr<Connection>> connections_;
  std::map<uint64_t, Question> questions_;
  uint64_t next_question_ = 1;
};

}  // namespace wh::sim
