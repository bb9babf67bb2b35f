// Bytes in memory: an immutable buffer shared without copies (Bytes), and bounds-checked little-endian cursors over raw
// bytes (Writer, Reader). Every codec of the project, on the wire and on disk, is built on these two.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/assert.h"

namespace wh {

// An immutable byte string, shared by reference count; copying it, or a part of it, does not copy the bytes. An empty
// one allocates nothing.
class Bytes {
 public:
  Bytes() = default;
  explicit Bytes(std::string bytes) {
    if (bytes.empty()) return;
    auto* const block = new StringBlock(std::move(bytes));
    block_ = block;
    view_ = block->string;
  }
  // A copy, in one block: an allocation less than of a string, and 32 bytes less.
  static Bytes copy(std::string_view bytes) {
    Bytes result;
    if (bytes.empty()) return result;
    void* const room = ::operator new(sizeof(Block) + bytes.size());
    result.block_ = new (room) Block{.holders = 1, .of_string = false};
    char* const at = static_cast<char*>(room) + sizeof(Block);
    std::memcpy(at, bytes.data(), bytes.size());
    result.view_ = {at, bytes.size()};
    return result;
  }
  Bytes(const Bytes& other) : block_(other.block_), view_(other.view_) { hold(); }
  Bytes& operator=(const Bytes& other) {
    Bytes copied(other);
    swap(copied);
    return *this;
  }
  // What was moved from is empty.
  Bytes(Bytes&& other) noexcept : block_(std::exchange(other.block_, nullptr)), view_(std::exchange(other.view_, {})) {}
  Bytes& operator=(Bytes&& other) noexcept {
    Bytes moved(std::move(other));
    swap(moved);
    return *this;
  }
  ~Bytes() {
    if (block_ != nullptr) let_go(block_);
  }
  [[nodiscard]] std::string_view view() const { return view_; }
  [[nodiscard]] size_t size() const { return view_.size(); }
  [[nodiscard]] bool empty() const { return view_.empty(); }
  // Asks for what reading the bytes, and sharing them, will need: a row of bytes that lie anywhere in a large state is
  // read several times as fast if each is asked for some places ahead.
  void prefetch() const {
    __builtin_prefetch(block_);
    __builtin_prefetch(view_.data());
  }
  // The same bytes as `part`, a part of view(). Holds the whole for as long as it lives.
  [[nodiscard]] Bytes share(std::string_view part) const {
    WH_ASSERT(part.empty() || (part.data() >= view_.data() && part.data() + part.size() <= view_.data() + view_.size()),
              "a part lies within its whole");
    if (part.empty()) return {};
    Bytes result(*this);
    result.view_ = part;
    return result;
  }
  friend bool operator==(const Bytes& a, const Bytes& b) { return a.view() == b.view(); }

 private:
  // What its holders share; any thread may hold one. The bytes follow it, or are a string's. A shared_ptr would take 8
  // bytes more in each holder, which makes a key of the store take 32 less, and 16 more here.
  struct Block {
    std::atomic<uint32_t> holders = 1;
    bool of_string = false;
  };
  struct StringBlock : Block {
    explicit StringBlock(std::string bytes) : Block{.holders = 1, .of_string = true}, string(std::move(bytes)) {}
    const std::string string;
  };

  void hold() const {
    if (block_ != nullptr) block_->holders.fetch_add(1, std::memory_order_relaxed);
  }
  void swap(Bytes& other) noexcept {
    std::swap(block_, other.block_);
    std::swap(view_, other.view_);
  }
  // The last holder of a block need not write to it.
  static void let_go(Block* block) noexcept {
    if (block->holders.load(std::memory_order_acquire) != 1 &&
        block->holders.fetch_sub(1, std::memory_order_acq_rel) != 1)
      return;
    if (block->of_string)
      delete static_cast<StringBlock*>(block);
    else
      ::operator delete(block);
  }

  Block* block_ = nullptr;  // null: no bytes
  std::string_view view_;   // of them
};

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "Writer and Reader copy integers as they are in memory");

// Appends little-endian integers and length-prefixed strings to a string it does not own.
class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}
  void u8(uint8_t v) { out_.push_back(static_cast<char>(v)); }
  void u16(uint16_t v) { fixed(v); }
  void u32(uint32_t v) { fixed(v); }
  void u64(uint64_t v) { fixed(v); }
  void boolean(bool v) { u8(v ? 1 : 0); }
  void raw(std::string_view bytes) { out_.append(bytes); }
  // A u32 length, then the bytes. At most 4 GiB - 1.
  void bytes(std::string_view bytes) {
    u32(static_cast<uint32_t>(bytes.size()));
    raw(bytes);
  }

 private:
  template <typename T>
  void fixed(T v) {
    char buffer[sizeof v];
    std::memcpy(buffer, &v, sizeof v);
    out_.append(buffer, sizeof v);
  }
  std::string& out_;
};

// Reads what Writer wrote. A read past the end returns zero or empty and makes the reader fail for good: read all
// fields, then check ok() once. `complete()` also requires that no bytes are left. Holds no copy: the bytes must
// outlive it.
class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}
  uint8_t u8() { return fixed<uint8_t>(); }
  uint16_t u16() { return fixed<uint16_t>(); }
  uint32_t u32() { return fixed<uint32_t>(); }
  uint64_t u64() { return fixed<uint64_t>(); }
  // Only 0 and 1 are booleans; anything else fails the reader.
  bool boolean() {
    const uint8_t v = u8();
    if (v > 1) fail();
    return v == 1;
  }
  std::string_view raw(size_t size) {
    if (!ok_ || size > in_.size()) {
      fail();
      return {};
    }
    const std::string_view result = in_.substr(0, size);
    in_.remove_prefix(size);
    return result;
  }
  std::string_view bytes() { return raw(u32()); }
  // A count of items of at least `min_item_size` bytes each; fails when the rest is too short for them (HAZARDS G2).
  uint32_t count(size_t min_item_size) {
    const uint32_t n = u32();
    if (min_item_size != 0 && n > in_.size() / min_item_size) {
      fail();
      return 0;
    }
    return n;
  }
  void fail() {
    ok_ = false;
    in_ = {};
  }
  [[nodiscard]] size_t left() const { return in_.size(); }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool complete() const { return ok_ && in_.empty(); }

 private:
  template <typename T>
  T fixed() {
    const std::string_view part = raw(sizeof(T));
    T v = 0;
    if (!part.empty()) std::memcpy(&v, part.data(), sizeof v);
    return v;
  }
  std::string_view in_;
  bool ok_ = true;
};

}  // namespace wh
