// One slice of a walk over the state, and how a record goes into it: a record's head is a few bytes, its payload is
// shared bytes that may take more than one slice.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <utility>

#include "base/bytes.h"

namespace wh::machine {

// A record of a snapshot: its head, then, unless it has none, a length and that many bytes.
struct Record {
  std::string head;
  Bytes bytes;
  bool has_bytes = true;
  [[nodiscard]] size_t size() const { return head.size() + bytes.size(); }
};

class Slice {
 public:
  // Looking at an item takes time even if it adds few bytes or none.
  static constexpr size_t kBytesPerItem = 64;

  // `rest` outlives the slices: bytes that do not fit into this one go into the next.
  struct Rest {
    Bytes bytes;
    size_t from = 0;
  };
  Slice(std::string& out, size_t max_bytes, Rest& rest) : out_(out), max_bytes_(max_bytes), rest_(rest) {}

  [[nodiscard]] bool full() const { return out_.size() >= max_bytes_ || walked_ * kBytesPerItem >= max_bytes_; }
  // Call it for each item looked at.
  void walked() { ++walked_; }

  void put(const Record& record) {
    if (record.has_bytes)
      put(record.head, record.bytes);
    else
      put_head(record.head);
  }
  void put_head(const std::string& head) { out_.append(head); }
  void put(const std::string& head, const Bytes& bytes) {
    Writer w(out_);
    w.raw(head);
    w.u32(static_cast<uint32_t>(bytes.size()));
    const size_t room = max_bytes_ - std::min(max_bytes_, out_.size());
    const size_t size = std::min(room, bytes.size());
    w.raw(bytes.view().substr(0, size));
    if (size < bytes.size()) rest_ = {bytes, size};
  }
  // Writes what the previous slice left.
  void put_rest() {
    const std::string_view left = rest_.bytes.view().substr(rest_.from);
    const size_t size = std::min(left.size(), max_bytes_);
    out_.append(left.substr(0, size));
    rest_.from += size;
    if (rest_.from == rest_.bytes.size()) rest_ = {};
  }

 private:
  std::string& out_;
  const size_t max_bytes_;
  Rest& rest_;
  size_t walked_ = 0;
};

}  // namespace wh::machine
