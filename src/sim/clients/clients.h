// Clients of the cluster: they write and read through any node, remember their answers, and check them at once: each
// request gets one answer, in time; acknowledged writes are committed; refused writes never are; nothing takes effect
// more often than it was asked for.
//
// They ask again, as real clients do. With an idempotency key they repeat any request, whatever its outcome, and it
// takes effect once. Without one they repeat only what is safe: a write that was certainly refused goes again
// unchanged, to the leader when the refusal named it; of unanswered writes, a set, a deletion, and a removal of one
// event by its id, which cannot remove two. An unanswered event is put in again as another event, which tells the two
// apart. Copies of one request within the cluster are made by the network (sim/network.h).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "node/node.h"
#include "sim/opinion/history.h"

namespace wh::sim {

class World;
struct Host;

class Clients {
 public:
  explicit Clients(World& world) : world_(world) {}

  // Starts asking nodes of this cluster.
  void start(const node::ClusterId& cluster);
  void stop() { running_ = false; }
  [[nodiscard]] bool running() const { return running_; }
  // Issues one write or read now, through this host. Returns its number. `stale`: a read of that node's own state.
  uint64_t issue(Host& host, OpKind kind, bool stale = false);
  // An administrative request through this host.
  uint64_t administer(Host& host, node::AdminRequest request);
  // Writes to a node that is alone in its own cluster: it then no longer is a spare.
  void write_apart(Host& host);
  // An invalid command, as another version might send it: it has no effect, wherever it stands in the log. Returns its
  // bytes.
  std::string garbage();
  // The request's outcome, once there is one.
  [[nodiscard]] const node::Completion* administered(uint64_t number) const;
  // Whether such a request of the last seconds is unanswered, so that it may still change the configuration.
  [[nodiscard]] bool administrators_wait() const;
  // Whether answers under idempotency keys are kept for longer than the run takes.
  [[nodiscard]] bool keys_last() const;
  [[nodiscard]] const Op& op(uint64_t number) const { return ops_[number - 1]; }
  [[nodiscard]] size_t count() const { return ops_.size(); }

  // --- called by the world
  void completed(Host& host, const node::Completion& completion);
  void committed(const node::ClusterId& cluster, const raft::Entry& entry, const machine::Reply& reply);
  void host_died(const Host& host);

  // At the end: whether the history is linearizable by the log, and again only by what clients saw.
  [[nodiscard]] std::string verdict(const node::ClusterId& cluster);
  // Finds requests past their time limit without an answer.
  void check_overdue();
  std::map<std::string, uint64_t> outcomes;

 private:
  // How often a command was requested in exactly these bytes, and the outcomes.
  struct Asked {
    uint64_t first = 0;  // the operation
    uint64_t times = 0;
    uint64_t refused = 0;  // with certainty
    uint64_t committed = 0;
    uint64_t effects = 0;  // how many were not answered by their idempotency key
    raft::Term first_term;
  };
  // To be repeated, at that host if one is given.
  struct Again {
    uint64_t op;
    std::optional<size_t> host;
  };
  void loop(size_t client);
  void over(size_t client, const Op& op);
  void fill(Op& op);
  void put_settings();
  [[nodiscard]] std::vector<Op> as_clients_saw_them(const std::vector<const Op*>& ops) const;
  uint64_t ask_again(Host& host, const Op& before);
  uint64_t send(Host& host, Op& op);
  void look(Op& op, Host& host);
  void read(Host& host, Op& op);
  void check_count(const Op& op, const Asked& asked);
  // Checks that of the writes that one process accepted, later ones took effect later.
  [[nodiscard]] std::string check_order() const;
  [[nodiscard]] std::string second_opinion(const std::vector<const Op*>& all);
  // Whether messages come once and in order, so that an answer is always about the original.
  [[nodiscard]] bool certain() const;
  [[nodiscard]] std::string key() const;

  World& world_;
  node::ClusterId cluster_{};
  bool running_ = false;
  std::deque<Op> ops_;                          // by number, beginning at 1
  std::map<std::string, Asked> asked_;          // by the command's body
  std::map<uint64_t, bool> duplicates_;         // by index
  std::map<uint64_t, machine::Reply> replies_;  // likewise
  std::set<uint64_t> open_;
  std::map<size_t, std::vector<uint64_t>> under_way_;           // by client
  std::map<size_t, std::deque<Again>> again_;                   // by client
  std::map<std::pair<size_t, uint64_t>, raft::Index> seen_at_;  // the last read's index, by host and process
  std::map<uint64_t, node::Completion> admin_;
  std::map<uint64_t, uint64_t> admin_open_;  // not answered; when it was asked, in microseconds
  uint64_t next_admin_ = uint64_t{1} << 40;
  std::set<std::string> garbage_;
  raft::Index newest_;                          // the highest in any answer
  std::string settings_;                        // the proposed command that sets them, or empty
  std::map<std::string, uint64_t> last_event_;  // by queue: the id of an event seen in front
};

}  // namespace wh::sim
