// What goes wrong, when: each kind of fault at its own rate, drawn per seed. Keeps to what the promises allow: at no
// time are more disks lost than a minority of the voters (CONTRACT, Promises).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "node/messages.h"

namespace wh::sim {

class World;
struct Host;

class Faults {
 public:
  explicit Faults(World& world) : world_(world) {}
  // Begins; `cluster` is the one that must not lose its disks.
  void start(const node::ClusterId& cluster);

 private:
  void every(uint32_t mean_ms, void (Faults::*fault)());
  Host& any();
  Host* any_alive();
  void crash();
  // A clean stop, as by SIGTERM; the process ends once it is quiet, or after 4 s.
  void stop(Host& host);
  void look_whether_quiet(Host& host, uint64_t give_up_us);
  void power_cut();
  void partition();
  void clog();
  void break_connection();
  void pause();
  void stall_disk();
  void wipe();
  void churn();
  void transfer();
  // A leader hears its followers later and later, then they hear it no more, and elect another, while their old answers
  // still reach it: whoever reads there now must be told nothing.
  void depose();
  void cut_transfer();
  void restart(Host& host, uint64_t delay_us);

  World& world_;
  node::ClusterId cluster_{};
};

}  // namespace wh::sim
