// Causes faults: each kind at its own rate, drawn per seed. Respects the preconditions of the promises: never more
// disks are lost, damaged or older than they were than a minority of the voters (CONTRACT, Promises). By idea:
// faults.cc (rates, processes, clocks, members), faults_network.cc, faults_disk.cc. Faults aimed at a moment are in
// aims.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "node/messages.h"
#include "sim/world/disk.h"

namespace wh::sim {

class World;
struct Host;

class Faults {
 public:
  explicit Faults(World& world) : world_(world) {}
  // Begins; `cluster` is the one that must not lose its disks.
  void start(const node::ClusterId& cluster);

 private:
  using Fault = void (Faults::*)();
  void every(uint32_t mean_ms, Fault fault);
  Host& any();
  Host* any_alive();
  Host* leader();

  // --- faults.cc
  void crash();
  void upgrade();
  void crash_at_event();
  // A clean stop, as by SIGTERM; the process ends once it is quiet, or after 4 s.
  void stop(Host& host);
  void look_whether_quiet(Host& host, uint64_t give_up_us);
  void power_cut();
  void pause();
  void freeze_leader();
  void stand_still(Host& host, uint64_t us);
  void jump_clock();
  void churn();
  // Asks node `at` to add or to remove `about`, whichever is possible.
  void change(Host& at, const Host& about);
  void remove_leader();
  // A node of another cluster is to be added, or is to add one of this cluster.
  void mix_clusters(Host& at);
  void transfer();
  void snapshot_now();
  void send_garbage();
  // A member is cut off and removed, campaigns alone, and is connected again.
  void remove_isolated();
  void remove_isolated(Host& host, int tries);

  // --- faults_network.cc
  void partition();
  void clog();
  void hold();
  void flap();
  void flap(size_t a, size_t b, int times);
  void break_connection();
  // A leader hears its followers later and later; then they no longer hear it and elect another, while their old
  // replies still reach it: reads there must then get no answer.
  void depose();
  void cut_transfer();
  // The lying member, if any, tells others some lies of lies.h.
  void lie();
  // Leaves a leader alone with entries that nobody else will ever have, while the others go on until they compact.
  void strand();

  // --- faults_disk.cc
  void stall_disk();
  void wipe();
  void fail_write();
  void fail_sync();
  void damage();
  void put_back();
  void put_back(Host& host, const DiskImage& copy);
  // Whether one disk may be lost now: every voter has the disk with which it is a member, and no disk is damaged or
  // old.
  [[nodiscard]] bool may_lose(const Host& host) const;
  [[nodiscard]] bool whole() const;
  [[nodiscard]] size_t fewest_voters() const;
  [[nodiscard]] size_t removals_open() const;
  [[nodiscard]] bool may_remove() const;

  World& world_;
  node::ClusterId cluster_{};
  size_t liar_ = 0;
  std::vector<std::pair<uint64_t, uint64_t>> removals_;  // requested ones: number, and time
};

// The operator replaces a disk by an empty one: the members that the node is told take it back under its name
// (docs/operations.md).
void replace_disk(World& world, Host& host);

}  // namespace wh::sim
