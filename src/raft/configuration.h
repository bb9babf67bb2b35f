// The cluster configuration: its members, with their suffrage and addresses. It is replicated as an entry and in force
// from the moment it is appended (thesis 4.1). Quorums are counted over voters only (raft/quorum.h). It also remembers
// removed servers, so that any member can tell a removed server so, and can tell it from a new one.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "raft/types.h"

namespace wh::raft {

enum class Suffrage : uint8_t { voter = 0, learner = 1 };

struct Member {
  NodeId id;
  std::string name;           // the directive node-id; unique in a configuration
  std::string raft_address;   // host:port
  std::string http_address;   // host:port, empty when that port is off
  std::string https_address;  // host:port, empty when that port is off
  Suffrage suffrage = Suffrage::voter;
  friend bool operator==(const Member&, const Member&) = default;
};

class Configuration {
 public:
  Configuration() = default;
  explicit Configuration(std::vector<Member> members);

  [[nodiscard]] const std::vector<Member>& members() const { return members_; }  // sorted by id
  [[nodiscard]] bool empty() const { return members_.empty(); }
  [[nodiscard]] const Member* find(NodeId id) const;
  [[nodiscard]] const Member* find_name(std::string_view name) const;
  [[nodiscard]] bool contains(NodeId id) const { return find(id) != nullptr; }
  [[nodiscard]] bool is_voter(NodeId id) const;
  [[nodiscard]] bool is_learner(NodeId id) const;
  [[nodiscard]] size_t voters() const { return voters_; }
  [[nodiscard]] size_t quorum() const { return voters_ / 2 + 1; }

  // Members that were removed and not added again since, in the order of removal; the newest 1,024.
  [[nodiscard]] const std::vector<NodeId>& removed() const { return removed_; }
  [[nodiscard]] bool remembers(NodeId id) const;

  // A copy with one member added or changed (matched by id), or with one removed and remembered as removed.
  [[nodiscard]] Configuration with(Member member) const;
  [[nodiscard]] Configuration without(NodeId id) const;

  // Whether the two differ by at most one voter, so that any two of their quorums meet (thesis 4.1).
  [[nodiscard]] static bool adjacent(const Configuration& a, const Configuration& b);

  [[nodiscard]] std::string encode() const;
  // Empty for bytes that encode() did not write: duplicates, bad suffrage, a member that is also removed, over 1,024
  // members or removed servers, or strings over 512 bytes.
  [[nodiscard]] static std::optional<Configuration> decode(std::string_view bytes);

  friend bool operator==(const Configuration&, const Configuration&) = default;

 private:
  std::vector<Member> members_;
  std::vector<NodeId> removed_;
  size_t voters_ = 0;
};

}  // namespace wh::raft
