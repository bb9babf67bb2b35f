// The changes of a key, or of all keys with a prefix, as Server-Sent Events: each once, in their order, those of one
// entry together. Only the last one of an entry has an `id:`, the entry's index, so that whoever is cut off between
// them is sent all of them again (HAZARDS W3). A stream holds a place in the node's history and no bytes; one whose
// place is no longer there is cut (HAZARDS W1). What is sent for a change is built once for all streams that show it.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "http/stream.h"
#include "machine/machine.h"

namespace wh::api {

// The last changes as frames, without `id:`.
class ChangeFrames {
 public:
  // `number` as in History. Valid until the next call.
  const std::string& frame(const machine::Machine& machine, uint64_t number, bool with_prev);
  // How many were made so far.
  [[nodiscard]] uint64_t made() const { return made_; }

 private:
  static constexpr size_t kMaxBytes = size_t{1} << 20;
  using Name = std::pair<uint64_t, bool>;
  std::map<Name, std::string> frames_;
  std::deque<Name> order_;
  size_t bytes_ = 0;
  uint64_t made_ = 0;
};

struct WatchTerms {
  std::string name;  // a key, or a prefix of keys
  bool prefix = false;
  uint64_t from = 0;       // the first index; 0: what comes from now on
  bool initial = false;    // the items first, as they are by then, then what comes; without `from`
  bool with_prev = false;  // with the value before
};

// The machine must outlive the stream.
[[nodiscard]] std::shared_ptr<http::Stream> open_watch(const machine::Machine& machine,
                                                       std::shared_ptr<ChangeFrames> frames, WatchTerms terms);

}  // namespace wh::api
