// Makes room when clients together hold nearly as much memory as they may (directive client-buffer-limit): cuts those
// that hold most, first among those that have not moved for a while. Owns no connection; asked by the server once a
// turn: between two looks a few steps of clients may go beyond the limit (net/client_turns.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/buffer_budget.h"
#include "base/clock.h"
#include "base/log.h"

namespace wh {

// A connection that holds memory.
struct BufferHolder {
  size_t bytes;
  Millis still_since;             // its client has not moved since then, though it was its turn
  void (*cut)(void* connection);  // ends it, but does not destroy it
  void* connection;
  uint64_t group = 0;  // ByteStream::peer_group
};

class BufferRelief {
 public:
  // Whose client has not moved for so long goes first, and below the limit itself nobody else does. Who holds little
  // (BufferBudget::kSmallBytes) goes last, while memory is still short and all of these hold an eighth of the limit.
  static constexpr Millis kStillMs = 1'000;
  // What one address may hold of the limit without going before others when that is reached: one part of so many.
  static constexpr uint64_t kShares = 4;
  // How often it looks while memory is short but the limit is not reached.
  static constexpr Millis kLookMs = 100;

  explicit BufferRelief(BufferBudget& buffers) : buffers_(buffers) {}

  // Whether it is time to call relieve().
  [[nodiscard]] bool due(Millis now) const { return buffers_.tight() && (buffers_.exceeded() || now >= look_at_); }
  // `holders`: all connections. Cuts until three quarters of the limit are used, or nobody is left who may be cut.
  void relieve(std::vector<BufferHolder> holders, Millis now);

  // Connections cut since the start.
  [[nodiscard]] uint64_t cut() const { return cut_; }
  void reset_counters() { cut_ = 0; }

 private:
  BufferBudget& buffers_;
  Millis look_at_ = 0;
  uint64_t cut_ = 0;
  LogLimiter log_limiter_{10'000};
};

}  // namespace wh
