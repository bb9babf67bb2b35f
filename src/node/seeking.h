// A node that is in no cluster: the addresses that the entries of `join` lead to, what was said there, and what follows
// of which nodes the list means. Decides nothing: founding.cc acts on it. Owned by the Node.
//
// An entry means a node, and the same node may stand there twice, or be this one. Which node an entry means is told by
// who answers there, by its instance. This node itself may not be able to dial itself: an entry means it, too, when it
// is where this node listens or what it announces, or when others say that they reached this node by it. Nothing is
// ever concluded from how two addresses are spelled but that equal ones are equal.
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

// How this node may be named in somebody's `join`.
struct OwnNames {
  std::vector<std::string> addresses;  // numeric, ip:port: where it listens, and what it announces
  std::vector<std::string> names;      // host:port in lower case: what it announces, its machine's name, its node-id
  // Its port: at a loopback address it is this node's, as no other node of this machine listens on loopback; 0: others
  // may.
  uint16_t loopback_port = 0;
};

class Seeking {
 public:
  static constexpr size_t kMaxAddresses = 128;  // dialled in all

  Seeking(const std::vector<std::string>& join, OwnNames own, uint32_t bootstrap_expect, raft::NodeId self,
          std::string self_name);

  // One address that is dialled.
  struct Probe {
    uint64_t request = 0;  // under way; 0: none
    Millis next_at = 0;
    bool tried = false;  // was answered, or failed
    std::optional<WhoIAm> who;
    std::string error;  // why `who` is not there
  };
  struct Entry {
    std::string text;  // as in `join`
    std::string key;
    uint64_t lookup = 0;  // under way; 0: none
    Millis next_at = 0;
    bool looked_up = false;
    std::vector<std::string> addresses;
    std::string error;  // why there are none
  };

  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
  [[nodiscard]] const std::map<std::string, Probe>& probes() const { return probes_; }
  // Which is to be looked up, or asked, now; marked as under way by `request`.
  Entry* entry_due(Millis now);
  std::pair<const std::string, Probe>* probe_due(Millis now);
  // The entry that leads to this address.
  [[nodiscard]] const Entry& entry_of(const std::string& address) const;
  void looked_up(Entry& entry, const Result<std::vector<std::string>>& addresses, Millis again_at);
  Entry* entry_looked_up_by(uint64_t request);
  Probe* probe_asked_by(uint64_t request);
  // Questions under way no longer count: they are asked again.
  void ask_anew(Millis now);
  // Another node says by which entry of its own, and at which address, it reached this one.
  void reached_by(const WhoAreYou& question);
  [[nodiscard]] Millis next_due() const;

  // Where a node was found.
  struct Found {
    const WhoIAm* who = nullptr;  // null: this node
    std::string address;
  };
  // The nodes that the list means, as far as is known now.
  struct View {
    bool settled = false;   // every address was tried once
    bool complete = false;  // all that are expected are there
    std::map<raft::NodeId, Found> nodes;
    size_t expected = 0;               // at least so many
    std::vector<std::string> missing;  // entries that nobody answers at, and why
    std::string obstacle;              // what the operator must mend, when it is that; one sentence
    std::string remark;                // what else there is to say of the list
  };
  [[nodiscard]] View view() const;
  // Whether a founder that asks these may have this node's grant.
  [[nodiscard]] bool agrees(const View& view, const std::vector<raft::NodeId>& asked) const;

  // Gathering grants to found. An attempt's number is never used again; 0 while there is none.
  uint64_t attempt = 0;
  Millis attempt_again_at = 0;
  std::map<uint64_t, std::string> grants_asked;
  size_t grants = 0;
  std::vector<raft::NodeId> electorate;  // as last seen complete: what this node says of whom it expects

  // TakeMeIn under way.
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
  std::set<std::string> reached_by_;  // names and addresses, of `entries_` only
  bool own_grant_pending_ = false;
};

}  // namespace wh::node
