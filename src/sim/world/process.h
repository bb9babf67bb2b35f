// One running process: the real Node with simulated ports, its turns and its timer, as server/ would drive it. It dies
// by being destroyed; what it sent and wrote before belongs to the network and the disk.
#pragma once

#include <deque>
#include <functional>

#include "node/node.h"
#include "sim/world/disk.h"
#include "sim/world/transport.h"

namespace wh::sim {

class Process {
 public:
  Process(World& world, Host& host);
  // Called once the host owns it.
  void begin();
  void die();

  // Something arrived: handed in at once, or kept while the process stands still. A turn follows.
  void input(std::function<void()> what);
  void pause() { paused_ = true; }
  void resume();
  // The machine's clock jumped: deadlines up to its time are due now.
  void clock_jumped();
  // As after a CONFIG SET that causes a snapshot at once.
  void snapshot_now();
  [[nodiscard]] bool paused() const { return paused_; }

  node::Node& node() { return *node_; }
  SimStorage& storage() { return storage_; }
  SimTransport& transport() { return transport_; }
  bool doomed = false;  // dies at the end of this event: its answers are lost
  bool ended = false;   // ended by its storage within this event: nothing more leaves it
  // Ends the process as the real storage does (Options::fatal); it restarts after a while.
  void end(const char* why, uint64_t restart_us);

 private:
  void looked(bool whole_turn);
  [[nodiscard]] Millis now() const;
  void plan_turn(uint64_t delay_us);
  void turn();
  void plan_timer();

  World& world_;
  Host& host_;
  SimStorage storage_;
  SimTransport transport_;
  std::optional<node::Node> node_;
  bool paused_ = false;
  bool turn_planned_ = false;
  bool timer_fired_ = false;
  Millis timer_at_ = kNever;
  uint64_t timer_number_ = 0;
  uint64_t wakeups_ = 0;  // by the timer, in the second that began at wakeups_since_
  Millis wakeups_since_ = 0;
  std::deque<std::function<void()>> inbox_;
};

}  // namespace wh::sim
