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
  // What the entry made in the store, of which a short command may make much: keys and values, with what each takes.
  uint64_t made_bytes = 0;

  // Keeps the capacity: nothing is allocated in a steady state.
  void clear() {
    ready_queues.clear();
    arrived_queues.clear();
    changed_keys.clear();
    version = settings = time = false;
    made_bytes = 0;
  }
  [[nodiscard]] bool empty() const {
    return ready_queues.empty() && arrived_queues.empty() && changed_keys.empty() && !version && !settings && !time;
  }
};

}  // namespace wh::machine
