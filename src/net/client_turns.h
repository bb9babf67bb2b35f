// Bounds how much of a turn of the loop clients may take, so that members, the disk and the clock never wait long: a
// budget of bytes and microseconds for each part of a turn that works for clients, and a line for connections that have
// more to do than fits. What a socket holds beyond the budget stays in the kernel. One for the whole process, made by
// server/; clients' TcpStreams use it (TcpOptions), members' do not. Knows no protocol.
//
// The parts: what the poll finds in clients' sockets; the line, one place after the other; the answers to what the node
// completed. So the clients' share of a turn is at most three times kPartMicros, plus one more step each, and the
// sending of three times kPartBytes. While clients hold more memory than they may (BufferBudget), a part does only one
// step: a turn exceeds the limit by one step in each part, before the server cuts some clients at its end.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/buffer_budget.h"
#include "net/loop.h"

namespace wh::net {

class ClientTurns {
 public:
  static constexpr size_t kPartBytes = 1024 * 1024;
  static constexpr uint64_t kPartMicros = 2'000;
  enum class Part : uint8_t { arrivals, line, answers };

  // Both arguments must outlive this object, and this object its places.
  ClientTurns(Loop& loop, BufferBudget& buffers);
  ClientTurns(const ClientTurns&) = delete;
  ClientTurns& operator=(const ClientTurns&) = delete;

  // A connection's place in the line; destroying it leaves the line. Its function may destroy the place.
  class Place {
   public:
    using Function = void (*)(void* self);
    Place(ClientTurns& turns, Function function, void* self) : turns_(turns), function_(function), self_(self) {}
    ~Place() { leave(); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    // Queues at the end, unless the place is in the line already: the function is called once, before a poll.
    void queue();
    void leave();

   private:
    friend class ClientTurns;
    ClientTurns& turns_;
    Function function_;
    void* self_;
    Place* previous_ = nullptr;
    Place* next_ = nullptr;
    bool queued_ = false;
  };

  // Whether this part of the turn has room for one more step. The first step always has, so that everything progresses.
  [[nodiscard]] bool has_room(Part part);
  // Counts bytes that the present step moves.
  void spend(size_t bytes) { parts_[static_cast<size_t>(part_)].bytes += bytes; }
  // Whether a socket that has bytes may be read now. `round` is the socket's own, 0 at first: while one turn cannot
  // read all sockets, none is read twice before each of the others was read once.
  [[nodiscard]] bool may_read(uint64_t& round);

  [[nodiscard]] BufferBudget& buffers() { return buffers_; }
  // Turns that left clients' work for the next turn, since the start.
  [[nodiscard]] uint64_t full_turns() const { return full_turns_; }
  void reset_counters() { full_turns_ = 0; }

 private:
  struct Use {
    uint64_t turn = UINT64_MAX;
    uint64_t begun_us = 0;
    size_t bytes = 0;
  };
  void run_line();
  void note_full();

  Loop& loop_;
  BufferBudget& buffers_;
  TurnTask task_;
  Place* first_ = nullptr;
  Place* last_ = nullptr;
  Use parts_[3];
  Part part_ = Part::arrivals;
  uint64_t round_ = 1;
  uint64_t round_turn_ = 0;     // the turn of the last may_read()
  bool short_of_room_ = false;  // a socket found no room in that turn,
  bool round_open_ = false;     // or in an earlier turn of this round
  uint64_t full_turns_ = 0;
  uint64_t full_turn_ = UINT64_MAX;  // the turn counted last
};

}  // namespace wh::net
