// The cursors of the debug port's SCAN on this node: each a number for the key that a scan goes on behind, as clients
// take a cursor for a number. Bounded: when there are too many, those that their client went on from are forgotten
// first, and then those not asked for the longest. A number of another node, or of an earlier life of this one, is not
// known.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace wh::api {

class ScanCursors {
 public:
  static constexpr size_t kMost = 1'024;

  ScanCursors();  // numbers begin at random
  // A new cursor, never 0, and exact as a double, which some clients make of it.
  uint64_t add(std::string key);
  // The key; null: not known. It stays known for a client that asks again.
  const std::string* use(uint64_t cursor);

 private:
  struct Place {
    std::string key;
    bool used = false;
    uint64_t turn = 0;  // when it was made, or last used
  };
  void forget_one();

  std::map<uint64_t, Place> places_;
  uint64_t next_;
  uint64_t turn_ = 0;
};

}  // namespace wh::api
