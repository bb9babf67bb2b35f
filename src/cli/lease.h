// A lease that this process keeps alive, by this machine's clock on the safe side: it counts from the moment when a
// keepalive was sent, not from its answer. Called by lock.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "cli/cluster.h"

namespace wh::cli {

class Lease {
 public:
  using Clock = std::chrono::steady_clock;

  Lease(Cluster& cluster, Millis ttl) : cluster_(cluster), ttl_(ttl) {}

  // Makes one; the reply says why there is none. Asks for `timeout` in all, if that is given.
  Reply grant(std::optional<Millis> timeout);
  // Keeps it alive if a third of its time is over. `stop` ends the attempt early. False: it is over, or may soon be.
  bool keep(const std::function<bool()>& stop);
  // Deletes it, and with it its keys: asks for as long as it could live, at most as the settings say, and until a
  // further signal. False: it may live on for its time.
  bool end();
  // Somebody learnt that it is over.
  void lost() { gone_ = true; }

  [[nodiscard]] const std::string& id() const { return id_; }
  // When the next keepalive is due, and when it must be given up: a fifth of its time before it could end.
  [[nodiscard]] Clock::time_point due() const { return kept_ + ttl_ / 3; }
  [[nodiscard]] Clock::time_point doubtful() const { return kept_ + ttl_ * 4 / 5; }
  // From here on another may have what it holds.
  [[nodiscard]] Clock::time_point over() const { return kept_ + ttl_; }

 private:
  Cluster& cluster_;
  std::chrono::milliseconds ttl_;
  std::string id_;
  Clock::time_point kept_{};
  bool gone_ = false;
};

}  // namespace wh::cli
