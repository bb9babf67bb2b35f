// A front's open connections, by number: what HTTP and the debug port do with them in the same way. Owns them.
// `Connection` is http::Connection or debug::Connection.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "api/buffer_relief.h"
#include "api/client_admission.h"
#include "base/clock.h"

namespace wh::api {

template <typename Connection>
class FrontConnections {
 public:
  // Makes a connection from `parts`, with a number that was never used before.
  template <typename... Parts>
  uint64_t open(Parts&&... parts) {
    const uint64_t id = next_++;
    open_.emplace(id, std::make_unique<Connection>(id, std::forward<Parts>(parts)...));
    return id;
  }
  // Null when it is gone.
  [[nodiscard]] Connection* find(uint64_t id) const {
    const auto found = open_.find(id);
    return found == open_.end() ? nullptr : found->second.get();
  }
  [[nodiscard]] size_t size() const { return open_.size(); }
  // Calls `use` for each connection that is open now; `use` may end some.
  template <typename Use>
  void each(Use use) {
    std::vector<Connection*> all;
    for (auto& [id, connection] : open_) all.push_back(connection.get());
    for (Connection* connection : all) use(*connection);
  }

  // Destroys the connection at once, if it is there; never call it from inside one of its callbacks.
  void end(uint64_t id) {
    if (const auto found = open_.find(id); found != open_.end()) end(found);
  }
  // The connection has closed, and says so from inside itself: reap(), which is called once a turn, destroys it.
  void closed(uint64_t id) {
    if (auto node = open_.extract(id); !node.empty()) ended_.push_back(std::move(node.mapped()));
  }
  void reap() { ended_.clear(); }

  // For ClientFront. `may_go` tells for a number whether that connection may give way at all; `waits_since`, since when
  // all that a connection does is to wait for something to happen, if so.
  template <typename MayGo, typename WaitsSince>
  void list(std::vector<uint64_t>& groups, std::vector<IdleClient>& idle, MayGo may_go, WaitsSince waits_since) const {
    for (const auto& [id, connection] : open_) {
      const uint64_t group = connection->stream().peer_group();
      groups.push_back(group);
      if (!may_go(id)) continue;
      if (const std::optional<Millis> since = connection->idle_since())
        idle.push_back({*since, group, id, false});
      else if (const std::optional<Millis> waits = waits_since(*connection))
        idle.push_back({*waits, group, id, false});
      else if (const std::optional<Millis> begun = connection->arriving_since())
        idle.push_back({*begun, group, id, true});
    }
  }
  bool end_idle(const IdleClient& client) {
    const auto found = open_.find(client.id);
    if (found == open_.end()) return false;
    const Connection& connection = *found->second;
    if ((client.arriving ? connection.arriving_since() : connection.idle_since()) != std::optional(client.since))
      return false;
    end(found);
    return true;
  }

  // Adds the connections that hold memory: closing ones too, as their last answers may never be taken.
  void add_holders(std::vector<BufferHolder>& holders) const {
    for (const auto& [id, connection] : open_)
      if (connection->held_bytes() != 0)
        holders.push_back({connection->held_bytes(), connection->still_since(),
                           [](void* self) { static_cast<Connection*>(self)->cut(); }, connection.get(),
                           connection->stream().peer_group()});
  }

 private:
  using Open = std::unordered_map<uint64_t, std::unique_ptr<Connection>>;
  void end(typename Open::iterator found) {
    found->second->abandon();
    open_.erase(found);
  }

  Open open_;
  std::vector<std::unique_ptr<Connection>> ended_;
  uint64_t next_ = 1;
};

}  // namespace wh::api
