// The cluster's own changes, as this node sees them, one after the other: elections, members, the cluster's version. It
// looks at the node once a turn of the loop, words what differs as a Server-Sent Event, keeps the last of them, and
// wakes those who wait for more (kClusterTopic). Streams of them hold their place in what is kept and no bytes. Owned
// by the server; opened by the route GET /cluster/events.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "http/stream.h"
#include "node/node.h"

namespace wh {

class ClusterEvents {
 public:
  // What is kept for streams that are behind, and for those that are resumed.
  static constexpr size_t kKeptEvents = 1'000;
  static constexpr size_t kKeptBytes = 256 << 10;

  // `node` must outlive it. Ids count up from `first_id`, so that no other process life and no other node has the same:
  // the time in microseconds will do.
  ClusterEvents(node::Node& node, uint64_t first_id);

  // Once a turn of the loop, behind the node's: elections and members.
  void turn();
  // A few times a second: on the leader, who lives.
  void sweep();

  // From what came after the event of that id, if that is still known; else the present state first. The stream may
  // outlive this, and then has no more.
  [[nodiscard]] std::shared_ptr<http::Stream> open(std::optional<uint64_t> last_event_id) const;

 private:
  struct Kept;
  class Place;
  struct Member {
    bool voter = false;
    std::string status;  // alive or failed; empty: not known here
    friend bool operator==(const Member&, const Member&) = default;
  };
  struct Seen {
    std::string_view role;
    raft::Term term;
    std::string leader;
    ClusterVersion version = kFirstVersion;
    std::map<std::string, Member> members;  // by name
  };

  void compare_members();
  void add(std::string_view event, std::string data);
  [[nodiscard]] std::string present() const;

  node::Node& node_;
  Seen seen_;
  raft::NodeId leader_seen_;
  std::pair<raft::Index, raft::Term> configuration_seen_;
  std::shared_ptr<Kept> kept_;
};

}  // namespace wh
