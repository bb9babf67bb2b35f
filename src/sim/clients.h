// Clients of the cluster: they write and read through any node, remember what they were told, and check it at once:
// each request one answer, in time; what was acknowledged is committed; what was refused is not, ever; nothing takes
// effect more often than it was asked for.
//
// They ask again, as clients do. With an idempotency key: everything, whatever became of it, and it takes effect once.
// Without one, how is what makes it safe: what was refused for certain goes again as it was, at the leader when the
// refusal named one; of what has no answer, a set, a deletion, and a removal of one event by its id, which can not
// remove two. An event without an answer is put in again as another event, which tells the two apart. Copies of one
// request within the cluster are the network's to make (sim/network.h).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "node/node.h"
#include "sim/history.h"

namespace wh::sim {

class World;
struct Host;

class Clients {
 public:
  explicit Clients(World& world) : world_(world) {}

  // Begins to ask nodes of this cluster.
  void start(const node::ClusterId& cluster);
  void stop() { running_ = false; }
  [[nodiscard]] bool running() const { return running_; }
  // One write or read now, through this host. Returns its number. `stale`: a read of that node's own state.
  uint64_t issue(Host& host, OpKind kind, bool stale = false);
  // An administrative request through this host.
  uint64_t administer(Host& host, node::AdminRequest request);
  // Somebody writes to a node that is alone in a cluster of its own: it is no spare any more.
  void write_apart(Host& host);
  // A command that is none, as another version might send: it has no effect, wherever it comes to stand in the log.
  // Returns its bytes.
  std::string garbage();
  // Its outcome, once there is one.
  [[nodiscard]] const node::Completion* administered(uint64_t number) const;
  [[nodiscard]] const Op& op(uint64_t number) const { return ops_[number - 1]; }
  [[nodiscard]] size_t count() const { return ops_.size(); }

  // --- told by the world
  void completed(Host& host, const node::Completion& completion);
  void committed(const node::ClusterId& cluster, const raft::Entry& entry, const machine::Reply& reply);
  void host_died(const Host& host);

  // At the end: linearizable by the log, and again by what clients saw alone.
  [[nodiscard]] std::string verdict(const node::ClusterId& cluster);
  // Requests that are older than their time limit and have no answer.
  void check_overdue();
  std::map<std::string, uint64_t> outcomes;

 private:
  // How often a command was asked for in just these bytes, and what became of that.
  struct Asked {
    uint64_t first = 0;  // operation
    uint64_t times = 0;
    uint64_t refused = 0;  // for certain
    uint64_t committed = 0;
    uint64_t effects = 0;  // of those, that were not answered by their idempotency key
    raft::Term first_term;
  };
  // To be asked again, at that host if any.
  struct Again {
    uint64_t op;
    std::optional<size_t> host;
  };
  void loop(size_t client);
  void over(size_t client, const Op& op);
  void fill(Op& op);
  void put_settings();
  // Whether an answer is kept for longer than the run takes.
  [[nodiscard]] bool keys_last() const;
  [[nodiscard]] std::vector<Op> as_clients_saw_them(const std::vector<const Op*>& ops) const;
  uint64_t ask_again(Host& host, const Op& before);
  uint64_t send(Host& host, Op& op);
  void look(Op& op, Host& host);
  void read(Host& host, Op& op);
  void check_count(const Op& op, const Asked& asked);
  // Of the writes that one process took in, the later ones took effect later.
  [[nodiscard]] std::string check_order() const;
  [[nodiscard]] std::string second_opinion(const std::vector<const Op*>& all);
  // Whether messages come once and in order, so that an answer is always about the original.
  [[nodiscard]] bool certain() const;
  [[nodiscard]] std::string key() const;

  World& world_;
  node::ClusterId cluster_{};
  bool running_ = false;
  std::deque<Op> ops_;                   // by number, from 1
  std::map<std::string, Asked> asked_;   // by the command's body
  std::map<uint64_t, bool> duplicates_;  // by index
  std::set<uint64_t> open_;
  std::map<size_t, std::vector<uint64_t>> under_way_;           // by client
  std::map<size_t, std::deque<Again>> again_;                   // by client
  std::map<std::pair<size_t, uint64_t>, raft::Index> seen_at_;  // the last read, by host and process
  std::map<uint64_t, node::Completion> admin_;
  std::set<uint64_t> admin_open_;
  uint64_t next_admin_ = uint64_t{1} << 40;
  std::set<std::string> garbage_;
  raft::Index newest_;                          // that an answer named
  std::string settings_;                        // the command that was proposed to set them, or empty
  std::map<std::string, uint64_t> last_event_;  // by queue: the id of an event somebody saw in front
};

}  // namespace wh::sim
