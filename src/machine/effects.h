// What an applied entry changed, for those who wait for it: queues with a new event, keys written or removed, the
// cluster's version, its settings. Names are views into the entry's command or the state.
#pragma once

#include <string_view>
#include <vector>

namespace wh::machine {

struct Effects {
  std::vector<std::string_view> ready_queues;    // in each something became ready
  std::vector<std::string_view> arrived_queues;  // in each something arrived, ready or not, or the queue was deleted
  std::vector<std::string_view> changed_keys;
  bool version = false;
  bool settings = false;
  bool time = false;  // cluster time was brought forward

  // Keeps the capacity: nothing is allocated in a steady state.
  void clear() {
    ready_queues.clear();
    arrived_queues.clear();
    changed_keys.clear();
    version = settings = time = false;
  }
  [[nodiscard]] bool empty() const {
    return ready_queues.empty() && arrived_queues.empty() && changed_keys.empty() && !version && !settings && !time;
  }
};

}  // namespace wh::machine
