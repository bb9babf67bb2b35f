#include "api/scan_cursors.h"

#include <algorithm>
#include <random>
#include <tuple>
#include <utility>

namespace wh::api {

ScanCursors::ScanCursors() : next_(uint64_t{std::random_device{}()} << 20 | 1) {}

uint64_t ScanCursors::add(std::string key) {
  if (places_.size() >= kMost) forget_one();
  const uint64_t cursor = next_++;
  places_[cursor] = {.key = std::move(key), .turn = ++turn_};
  return cursor;
}

const std::string* ScanCursors::use(uint64_t cursor) {
  const auto at = places_.find(cursor);
  if (at == places_.end()) return nullptr;
  at->second.used = true;
  at->second.turn = ++turn_;
  return &at->second.key;
}

void ScanCursors::forget_one() {
  places_.erase(std::min_element(places_.begin(), places_.end(), [](const auto& a, const auto& b) {
    return std::tuple(!a.second.used, a.second.turn) < std::tuple(!b.second.used, b.second.turn);
  }));
}

}  // namespace wh::api
