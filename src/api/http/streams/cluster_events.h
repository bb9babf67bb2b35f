// The cluster's own changes, as this node sees them, one after the other: elections, members, the cluster's version.
// Once a turn of the loop it looks at the node, words the differences as Server-Sent Events, keeps the last of them,
// and wakes the streams that wait for more (kClusterTopic). A stream holds its position among the kept events, and no
// bytes. Owned by the server; opened by the route GET /cluster/events.
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

namespace wh::api {

class ClusterEvents {
 public:
  // Bounds of what is kept for streams that are behind, and for resumed ones.
  static constexpr size_t kKeptEvents = 1'000;
  static constexpr size_t kKeptBytes = 256 << 10;

  // `node` must outlive this object. Ids count up from `first_id`, which no other start of a process and no other node
  // may share: the time in microseconds will do.
  ClusterEvents(node::Node& node, uint64_t first_id);

  // Called once a turn of the loop, after the node's: elections and members.
  void turn();
  // Called a few times a second: on the leader, which members are alive.
  void sweep();

  // Opens a stream that begins after the event of that id, if that is still known; else with the present state. The
  // stream may outlive this object, and then gets nothing more.
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
  void add(std::string_view event, std::string_view data);
  [[nodiscard]] std::string present() const;

  node::Node& node_;
  Seen seen_;
  raft::NodeId leader_seen_;
  std::pair<raft::Index, raft::Term> configuration_seen_;
  std::shared_ptr<Kept> kept_;
};

}  // namespace wh::api
