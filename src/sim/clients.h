// Clients of the cluster: they write and read through any node, remember what they were told, and check it at once:
// each request one answer, in time; what was acknowledged is committed; what was refused is not, ever.
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
  // One write or read now, through this host. Returns its number.
  uint64_t issue(Host& host, OpKind kind);
  // An administrative request through this host.
  uint64_t administer(Host& host, node::AdminRequest request);
  // Its outcome, once there is one.
  [[nodiscard]] const node::Completion* administered(uint64_t number) const;
  [[nodiscard]] const Op& op(uint64_t number) const { return ops_[number - 1]; }
  [[nodiscard]] size_t count() const { return ops_.size(); }

  // --- told by the world
  void completed(Host& host, const node::Completion& completion);
  void committed(const node::ClusterId& cluster, const raft::Entry& entry, const machine::Reply& reply);
  void host_died(const Host& host);

  // At the end: linearizable, and no request took effect that was refused.
  [[nodiscard]] std::string verdict(const node::ClusterId& cluster);
  // Requests that are older than their time limit and have no answer.
  void check_overdue();
  std::map<std::string, uint64_t> outcomes;

 private:
  void loop(size_t client);
  void fill(Op& op);
  // Whether messages come once and in order, so that an answer is always about the original.
  [[nodiscard]] bool certain() const;
  [[nodiscard]] std::string key() const;

  World& world_;
  node::ClusterId cluster_{};
  bool running_ = false;
  std::deque<Op> ops_;                            // by number, from 1
  std::map<std::string, uint64_t> by_content_;    // of those that content tells apart
  std::map<uint64_t, raft::Index> committed_at_;  // by operation
  std::map<uint64_t, bool> duplicates_;           // by index
  std::set<uint64_t> open_;
  std::map<size_t, std::vector<uint64_t>> under_way_;  // by client
  std::map<uint64_t, node::Completion> admin_;
  std::set<uint64_t> admin_open_;
  uint64_t next_admin_ = uint64_t{1} << 40;
  uint64_t last_event_ = 0;  // the id of an event somebody saw in front
};

}  // namespace wh::sim
