// What a node in no cluster found: the addresses that the entries of `join` lead to, the answers from there, and which
// nodes the list means according to them. Sends nothing and decides nothing: Founding (founding.cc), which owns and
// calls it, does.
//
// An entry means one node, but two entries may mean the same node, and an entry may mean this node itself. The node
// that answers at an entry's address says by its instance which node the entry means. This node may be unable to dial
// itself: an entry also means this node if it is an address where this node listens or that it announces, or if other
// nodes say that they reached this node by it. Two addresses are never compared beyond equality: equal ones are equal,
// and nothing follows from how different ones are spelled.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "node/messages.h"

namespace wh::node {

// How a `join` may name this node.
struct OwnNames {
  std::vector<std::string> addresses;  // numeric, ip:port: where it listens and what it announces
  std::vector<std::string> names;      // host:port in lower case: of what it announces, its machine's name, its node-id
  // This node's port, if no other node of this machine can listen on it at loopback: a loopback address with this port
  // then means this node. 0: another node may.
  uint16_t loopback_port = 0;
};

class Seeking {
 public:
  static constexpr size_t kMaxAddresses = 128;  // dialled, for all entries together

  Seeking(const std::vector<std::string>& join, OwnNames own, uint32_t bootstrap_expect, raft::NodeId self,
          std::string self_name);

  // One address that this node dials.
  struct Probe {
    uint64_t request = 0;  // the question in progress; 0: none
    Millis next_at = 0;
    bool tried = false;  // it was answered or failed at least once
    std::optional<WhoIAm> who;
    std::string error;  // why there is no `who`
  };
  struct Entry {
    std::string text;  // as written in `join`
    std::string key;
    uint64_t lookup = 0;  // the lookup in progress; 0: none
    Millis next_at = 0;
    bool looked_up = false;
    std::vector<std::string> addresses;
    std::string error;  // why there are no addresses
  };

  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
  [[nodiscard]] const std::map<std::string, Probe>& probes() const { return probes_; }
  // The next entry to look up, or address to ask, now; null: none. The caller marks it as in progress with `request` or
  // `lookup`.
  Entry* entry_due(Millis now);
  std::pair<const std::string, Probe>* probe_due(Millis now);
  // An entry that leads to this address.
  [[nodiscard]] const Entry& entry_of(const std::string& address) const;
  void looked_up(Entry& entry, const Result<std::vector<std::string>>& addresses, Millis again_at);
  Entry* entry_looked_up_by(uint64_t request);
  Probe* probe_asked_by(uint64_t request);
  // The answers to questions in progress no longer count: the questions are asked again.
  void ask_anew(Millis now);
  // Another node says by which of its entries, and at which address, it reached this node.
  void reached_by(const WhoAreYou& question);
  [[nodiscard]] Millis next_due() const;

  // Where a node was found.
  struct Found {
    const WhoIAm* who = nullptr;  // null: this node
    std::string address;
  };
  // The nodes that the list means, as far as is known now.
  struct View {
    bool settled = false;   // every address was tried at least once
    bool complete = false;  // all expected nodes are there
    std::map<raft::NodeId, Found> nodes;
    size_t expected = 0;               // at least this many nodes
    std::vector<std::string> missing;  // entries at which no node answers, and why
    std::string obstacle;              // what the operator must correct in the configuration, in one sentence; or empty
    std::string remark;                // what else the operator should know about the list
  };
  [[nodiscard]] View view() const;
  // Whether this node may give its grant to a founder that asks these nodes.
  [[nodiscard]] bool agrees(const View& view, const std::vector<raft::NodeId>& asked) const;

  // State of gathering grants to found. An attempt's number is never used again; 0: no attempt.
  uint64_t attempt = 0;
  Millis attempt_again_at = 0;
  std::map<uint64_t, std::string> grants_asked;
  size_t grants = 0;
  std::vector<raft::NodeId> electorate;  // the expected nodes, when last seen complete; told to other nodes

  // The TakeMeIn in progress.
  uint64_t taking_in = 0;
  Millis take_again_at = 0;
  size_t take_turn = 0;

  void own_grant_saved() { own_grant_pending_ = false; }
  void expect_own_grant() { own_grant_pending_ = true; }
  [[nodiscard]] bool own_grant_pending() const { return own_grant_pending_; }

 private:
  struct Group;
  [[nodiscard]] std::vector<Group> groups() const;
  [[nodiscard]] std::optional<raft::NodeId> owner(const std::string& address) const;
  [[nodiscard]] bool is_own_address(const std::string& address) const;
  [[nodiscard]] bool is_own_name(const Entry& entry) const;
  void expect_by_list(View& view, const std::vector<Group>& groups) const;
  void expect_by_number(View& view, const std::vector<Group>& groups) const;
  [[nodiscard]] std::string name_of(raft::NodeId id, const View& view) const;

  raft::NodeId self_;
  std::string self_name_;
  OwnNames own_;
  uint32_t bootstrap_expect_;
  std::vector<Entry> entries_;
  std::map<std::string, Probe> probes_;
  std::set<std::string> reached_by_;  // names and addresses, only those of `entries_`
  bool own_grant_pending_ = false;
};

}  // namespace wh::node
