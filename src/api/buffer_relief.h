// Frees memory when clients together hold nearly as much as they may (directive client-buffer-limit): cuts those that
// hold most, first among those that have not moved for a while. Owns no connection. The server calls it once a turn:
// between two looks a few steps of clients may exceed the limit (net/client_turns.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/buffer_budget.h"
#include "base/clock.h"
#include "base/log.h"

namespace wh::api {

// A connection that holds memory.
struct BufferHolder {
  size_t bytes;
  Millis still_since;             // its client has not moved since then though it was its turn
  void (*cut)(void* connection);  // ends it, but does not destroy it
  void* connection;
  uint64_t group = 0;  // ByteStream::peer_group
};

class BufferRelief {
 public:
  // A client that has not moved for this long goes first; below the limit no other goes. Clients that hold little
  // (BufferBudget::kSmallBytes) go last, while memory is short and they together hold over an eighth of the limit.
  static constexpr Millis kStillMs = 1'000;
  // An address may hold 1/kShares of the limit without being cut first when the limit is reached.
  static constexpr uint64_t kShares = 4;
  // How often it looks while memory is short but the limit is not reached.
  static constexpr Millis kLookMs = 100;

  explicit BufferRelief(BufferBudget& buffers) : buffers_(buffers) {}

  // Whether it is time to call relieve().
  [[nodiscard]] bool due(Millis now) const { return buffers_.tight() && (buffers_.exceeded() || now >= look_at_); }
  // `holders`: all connections. Cuts until at most three quarters of the limit are used, or nobody may be cut any more.
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

}  // namespace wh::api
