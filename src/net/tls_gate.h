// Rations the expensive part of TLS handshakes: at most one step a turn of the loop that computes with a public or
// private key, so that a flood of handshakes cannot delay heartbeats (HAZARDS J5), and a limit on how many may be under
// way. Knows no TLS. Called by TlsStream; one for the whole process, made by server/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "net/loop.h"

namespace wh::net {

class HandshakeGate {
 public:
  // Peers are served first, and a crowd of clients takes no place from them.
  enum class Lane { peer, client };
  static constexpr size_t kMaxHandshakes = 256;  // of one lane

  static constexpr uint64_t kHandshakeMs = 10'000;

  // Must outlive its tickets. A handshake that takes longer than `handshake_ms` is given up by who holds its ticket.
  explicit HandshakeGate(Loop& loop, uint64_t handshake_ms = kHandshakeMs);
  ~HandshakeGate();
  HandshakeGate(const HandshakeGate&) = delete;
  HandshakeGate& operator=(const HandshakeGate&) = delete;

  // One handshake under way.
  class Ticket {
   public:
    using Step = void (*)(void* self);
    Ticket(HandshakeGate& gate, Lane lane, Step step, void* self);
    ~Ticket() { leave(); }
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;
    // False: too many are under way already, this one must not go on.
    [[nodiscard]] bool admitted() const { return admitted_; }
    // Calls the step once, when it is this handshake's turn, never from inside this function.
    void ask();
    [[nodiscard]] bool waiting() const { return waiting_; }
    // The handshake is over.
    void leave();
    // It came to nothing, and the other side, which dialled, had at least begun.
    void failed(const std::string& peer_address, std::string_view why);

   private:
    friend class HandshakeGate;
    HandshakeGate& gate_;
    size_t lane_;
    Step step_;
    void* self_;
    bool admitted_;
    bool waiting_ = false;
  };

  // Called for each handshake that failed, of accepted connections only.
  using FailureFunction = std::function<void(Lane lane, const std::string& peer_address, std::string_view why)>;
  void on_failure(FailureFunction function) { on_failure_ = std::move(function); }
  [[nodiscard]] uint64_t failures() const { return failures_; }

  [[nodiscard]] size_t under_way(Lane lane) const { return count_[static_cast<size_t>(lane)]; }
  [[nodiscard]] uint64_t handshake_ms() const { return handshake_ms_; }
  // Steps taken since the start.
  [[nodiscard]] uint64_t steps() const { return steps_; }

 private:
  void take_step();
  size_t count_[2] = {0, 0};
  std::deque<Ticket*> queues_[2];
  uint64_t handshake_ms_;
  TurnTask task_;
  uint64_t steps_ = 0;
  uint64_t failures_ = 0;
  FailureFunction on_failure_;
};

}  // namespace wh::net
