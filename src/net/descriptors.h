// The file descriptors of the process: how many it may have open, and which part of them accepted connections may take.
// The rest is for the data directory's files, the log, the resolver, the connections that this node dials and the
// operator: strangers cannot use it up, however many connections they open (HAZARDS H19). Counts every accepted
// connection for as long as its descriptor is open, those that are being turned away or read away after close() too.
// Owned by server/; asked by the listeners before they accept. On the loop's thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/result.h"

namespace wh::net {

class Descriptors {
 public:
  // Who an accepted connection counts for.
  enum class Use : uint8_t { clients, peers };

  // Beside the connections that are accepted: the directory's files, a backup's, the log, listeners, name lookups.
  static constexpr uint64_t kFiles = 64;
  // Connections to members, and questions to nodes that may become some.
  static constexpr uint64_t kDialled = 64;
  // Over `maxclients`: for health checks, and for the debug port from this machine.
  static constexpr uint64_t kSpareClients = 32;

  // `peers`: the most that the raft port keeps open at once.
  explicit Descriptors(uint64_t peers) : peers_(peers) {}
  Descriptors(const Descriptors&) = delete;
  Descriptors& operator=(const Descriptors&) = delete;

  // Makes room for so many clients: raises the soft limit of the process (`ulimit -Sn`) where it is too low. An error
  // says how many descriptors are needed and how one gets them; then nothing has changed.
  Status reserve_for(uint64_t maxclients);
  // What reserve_for() needs, beside those that this process was started with.
  [[nodiscard]] uint64_t needed(uint64_t maxclients) const { return maxclients + reserved(); }
  // Descriptors that clients cannot take.
  [[nodiscard]] uint64_t reserved() const { return kFiles + kDialled + kSpareClients + peers_; }
  // Of the process, as of reserve_for().
  [[nodiscard]] uint64_t limit() const { return limit_; }

  // One accepted connection's share; given back when it is destroyed.
  class Slot {
   public:
    Slot() = default;
    Slot(Slot&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)), use_(other.use_) {}
    Slot& operator=(Slot&& other) noexcept {
      std::swap(owner_, other.owner_);
      std::swap(use_, other.use_);
      return *this;
    }
    ~Slot() { release(); }
    void release() {
      if (owner_ != nullptr) --std::exchange(owner_, nullptr)->open_[static_cast<size_t>(use_)];
    }

   private:
    friend class Descriptors;
    Slot(Descriptors& owner, Use use) : owner_(&owner), use_(use) { ++owner.open_[static_cast<size_t>(use)]; }
    Descriptors* owner_ = nullptr;
    Use use_ = Use::clients;
  };
  // Whether one more may be accepted.
  [[nodiscard]] bool room(Use use) const { return open(use) < most(use); }
  // Must outlive the slot.
  [[nodiscard]] Slot take(Use use) { return Slot(*this, use); }
  [[nodiscard]] uint64_t open(Use use) const { return open_[static_cast<size_t>(use)]; }
  // Whether this descriptor is one of the last of the process, whoever has the others: the system gives out the lowest
  // that is free.
  [[nodiscard]] bool is_last(int descriptor) const { return static_cast<uint64_t>(descriptor) + kFiles / 2 >= limit_; }

 private:
  [[nodiscard]] uint64_t most(Use use) const { return use == Use::peers ? peers_ : maxclients_ + kSpareClients; }

  uint64_t peers_;
  uint64_t maxclients_ = 0;  // the most that there was: those that are open stay when it is lowered
  uint64_t limit_ = UINT64_MAX;
  std::array<uint64_t, 2> open_{};
};

}  // namespace wh::net
