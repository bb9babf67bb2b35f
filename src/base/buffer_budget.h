// The memory that clients make the process hold: one sum over all connections, in and out, and its limit (directive
// client-buffer-limit). Each holder of bytes for a client reports changes through its Share, so the sum is never
// recomputed.
// Others act near the limit: connections that hold much stop reading while it is tight(), and the server cuts some
// (api/buffer_relief.h). One for the whole process, made by server/; one thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_map>

namespace wh {

class BufferBudget {
 public:
  // A holder of at most this much is still read while memory is tight: the last eighth of the limit is for small
  // requests.
  static constexpr size_t kSmallBytes = 32 * 1024;

  // What one holder holds. Without a budget it only remembers the number.
  class Share {
   public:
    explicit Share(BufferBudget* budget) : budget_(budget) {}
    ~Share() { set(0); }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;
    void set(size_t bytes) {
      if (bytes == bytes_) return;
      if (budget_ != nullptr) budget_->change(bytes_, bytes);
      bytes_ = bytes;
    }
    [[nodiscard]] size_t bytes() const { return bytes_; }

   private:
    BufferBudget* budget_;
    size_t bytes_ = 0;
  };

  // Bytes that many may hold together, such as one value on its way to everyone who asked for it: they count once. They
  // must stay at their address meanwhile.
  class SharedHold {
   public:
    SharedHold(BufferBudget* budget, std::string_view bytes) : budget_(budget), bytes_(bytes) {
      if (budget_ != nullptr && budget_->holders_[bytes_.data()]++ == 0) budget_->change(0, bytes_.size());
    }
    ~SharedHold() {
      if (budget_ == nullptr) return;
      const auto it = budget_->holders_.find(bytes_.data());
      if (--it->second != 0) return;
      budget_->holders_.erase(it);
      budget_->change(bytes_.size(), 0);
    }
    SharedHold(const SharedHold&) = delete;
    SharedHold& operator=(const SharedHold&) = delete;

   private:
    BufferBudget* budget_;
    std::string_view bytes_;
  };

  // In bytes; 0: no limit.
  void set_limit(uint64_t bytes) { limit_ = bytes; }
  [[nodiscard]] uint64_t limit() const { return limit_; }
  [[nodiscard]] uint64_t used() const { return used_; }
  // The most that was used at once.
  [[nodiscard]] uint64_t peak() const { return peak_; }
  // Above seven eighths of the limit: only small holders go on.
  [[nodiscard]] bool tight() const { return limit_ != 0 && used_ > limit_ - limit_ / 8; }
  [[nodiscard]] bool exceeded() const { return limit_ != 0 && used_ > limit_; }

 private:
  void change(size_t from, size_t to) {
    used_ += to;
    used_ -= from;
    peak_ = std::max(peak_, used_);
  }

  uint64_t limit_ = 0;
  uint64_t used_ = 0;
  uint64_t peak_ = 0;
  std::unordered_map<const void*, uint32_t> holders_;  // how many hold the bytes at each address
};

}  // namespace wh
