// Rations TLS handshakes, so that no crowd of them keeps others out or delays heartbeats (HAZARDS J5). Two resources
// are scarce: places, as each handshake holds memory and a descriptor; and steps that compute with a public or private
// key, of which each turn of the loop takes one. Knows no TLS. Called by TlsStream; one for the whole process, made by
// server/.
//
// A new connection has a place among the *silent* ones until its greeting (ClientHello) has come in full; when all
// places are taken it gets that of the one silent longest. With its greeting it moves to those *under way*, or is
// refused when all of these progress. So neither silence nor a greeting with nothing after it keeps anybody out, at
// whatever rate it comes. Where one address holds more than its share of the places, it gives up one first.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "net/loop.h"

namespace wh::net {

class HandshakeGate {
 public:
  // `peer`: connections that this node dials, and those from members' addresses; they are served first. `stranger`: all
  // others to the raft port. A crowd in one lane takes no place from another.
  enum class Lane : uint8_t { peer, stranger, client };
  static constexpr size_t kLanes = 3;

  // Places of one lane.
  static constexpr size_t kMaxSilent = 128;
  static constexpr size_t kMaxHandshakes = 128;
  // The same for the raft port's lanes, whose connections are fewer.
  static constexpr size_t kMaxPeersSilent = 48;
  static constexpr size_t kMaxPeersHandshakes = 48;
  // An address may hold 1/kShares of a lane's places without giving way before the others.
  static constexpr size_t kShares = 4;

  static constexpr uint64_t kHandshakeMs = 10'000;
  // Time limit for the first byte.
  static constexpr uint64_t kFirstByteMs = 2'500;
  // A handshake under way that waits for the other side this long may have to give way.
  static constexpr uint64_t kGraceMs = 250;
  static constexpr uint64_t kPeersGraceMs = 100;
  // While members' handshakes wait for a step, the others get one step in kPeerSteps.
  static constexpr uint64_t kPeerSteps = 8;

  // Must outlive its tickets. The holder of a ticket gives up a handshake that takes longer than `handshake_ms`, and an
  // accepted connection that has sent nothing for `first_byte_ms`.
  explicit HandshakeGate(Loop& loop, uint64_t handshake_ms = kHandshakeMs, uint64_t first_byte_ms = kFirstByteMs);
  ~HandshakeGate();
  HandshakeGate(const HandshakeGate&) = delete;
  HandshakeGate& operator=(const HandshakeGate&) = delete;

  // One handshake.
  class Ticket {
   public:
    using Function = void (*)(void* self);
    // `group`: ByteStream::peer_group of an accepted connection. Nothing: a connection that this node dialled; those
    // are few, are never refused and never give way. Calls `step` at this handshake's turn, and `give_way` when it has
    // lost its place and left. Calls neither from inside a method of this ticket.
    Ticket(HandshakeGate& gate, Lane lane, std::optional<uint64_t> group, Function step, Function give_way, void* self);
    ~Ticket() { leave(); }
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;
    // Calls the step once, later. The first call means that the greeting has come: false when the handshake is refused
    // for lack of places, and has left.
    [[nodiscard]] bool ask();
    [[nodiscard]] bool waiting() const { return waiting_; }
    // The handshake is over.
    void leave();
    // Reports a failed handshake; the other side, which dialled, had at least begun it.
    void failed(const std::string& peer_address, uint16_t local_port, std::string_view why);

   private:
    friend class HandshakeGate;
    enum class Stage : uint8_t { silent, under_way, left };
    HandshakeGate& gate_;
    Lane lane_;
    bool dialled_;
    bool waiting_ = false;
    bool stepped_ = false;
    Stage stage_;
    uint64_t group_;
    Function step_;
    Function give_way_;
    void* self_;
    Millis moved_at_ = 0;
    std::list<Ticket*>::iterator place_;
  };

  // Called for each failed handshake, of accepted connections only.
  using FailureFunction =
      std::function<void(Lane lane, const std::string& peer_address, uint16_t local_port, std::string_view why)>;
  void on_failure(FailureFunction function) { on_failure_ = std::move(function); }
  [[nodiscard]] uint64_t failures() const { return failures_; }
  // Since the start: those that lost their place, and those that got none.
  [[nodiscard]] uint64_t evicted() const { return evicted_; }
  [[nodiscard]] uint64_t refused() const { return refused_; }

  // Accepted connections, including silent ones.
  [[nodiscard]] size_t under_way(Lane lane) const;
  [[nodiscard]] uint64_t handshake_ms() const { return handshake_ms_; }
  [[nodiscard]] uint64_t first_byte_ms() const { return first_byte_ms_; }
  // Steps taken since the start.
  [[nodiscard]] uint64_t steps() const { return steps_; }

 private:
  // The places of one lane and stage; the ticket that moved last is the last of `tickets`.
  struct Places {
    std::list<Ticket*> tickets;
    std::unordered_map<uint64_t, size_t> held;  // by group
    size_t most = 0;
    [[nodiscard]] bool full() const { return tickets.size() >= most; }
    [[nodiscard]] bool over_share(uint64_t group) const;
    void add(Ticket& ticket);
    void remove(Ticket& ticket);
    void moved(Ticket& ticket);
  };
  [[nodiscard]] Places& places(const Ticket& ticket);
  void enter(Ticket& ticket);
  bool begin(Ticket& ticket);
  void evict(Ticket& ticket);
  void take_step();
  std::deque<Ticket*>* next_queue();

  Loop& loop_;
  std::array<std::array<Places, 2>, kLanes> places_;  // by lane and stage
  std::array<std::deque<Ticket*>, kLanes> queues_;
  uint64_t handshake_ms_;
  uint64_t first_byte_ms_;
  TurnTask task_;
  size_t tickets_ = 0;
  uint64_t steps_ = 0;
  uint64_t peer_steps_ = 0;  // in a row
  bool clients_next_ = true;
  uint64_t failures_ = 0;
  uint64_t evicted_ = 0;
  uint64_t refused_ = 0;
  FailureFunction on_failure_;
};

}  // namespace wh::net
