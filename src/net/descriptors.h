// The file descriptors of the process: how many it may have open, and how many of them accepted connections may take.
// The rest is for the data directory's files, the log, the resolver, the connections that this node dials and the
// operator: strangers cannot use it up, however many connections they open (no descriptors left: HAZARDS H19). Counts
// an accepted connection while its descriptor is open, also while it is being turned away or read out after close().
// Owned by server/; the listeners ask it before they accept. On the loop's thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/result.h"

namespace wh::net {

class Descriptors {
 public:
  // What an accepted connection counts as.
  enum class Use : uint8_t { clients, peers };

  // Besides accepted connections: the directory's files, a backup's, the log, listeners, name lookups.
  static constexpr uint64_t kFiles = 64;
  // Connections to members, and questions to nodes that may become members.
  static constexpr uint64_t kDialled = 64;
  // Beyond `maxclients`: for health checks, and for the debug port from this machine.
  static constexpr uint64_t kSpareClients = 32;

  // `peers`: the most connections that the raft port keeps open at once.
  explicit Descriptors(uint64_t peers) : peers_(peers) {}
  Descriptors(const Descriptors&) = delete;
  Descriptors& operator=(const Descriptors&) = delete;

  // Makes room for this many clients: raises the process's soft limit (`ulimit -Sn`) where it is too low. An error says
  // how many descriptors are needed and how to get them, and changes nothing.
  Status reserve_for(uint64_t maxclients);
  // What reserve_for() needs, besides descriptors that this process was started with.
  [[nodiscard]] uint64_t needed(uint64_t maxclients) const { return maxclients + reserved(); }
  // Descriptors that clients cannot take.
  [[nodiscard]] uint64_t reserved() const { return kFiles + kDialled + kSpareClients + peers_; }
  // The process's limit, as of reserve_for().
  [[nodiscard]] uint64_t limit() const { return limit_; }

  // One accepted connection's descriptor; counted until this is destroyed.
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
  // Whether one more connection may be accepted.
  [[nodiscard]] bool room(Use use) const { return open(use) < most(use); }
  // This object must outlive the slot.
  [[nodiscard]] Slot take(Use use) { return Slot(*this, use); }
  [[nodiscard]] uint64_t open(Use use) const { return open_[static_cast<size_t>(use)]; }
  // Whether this descriptor is one of the process's last, whatever holds the others: the system gives out the lowest
  // free number.
  [[nodiscard]] bool is_last(int descriptor) const { return static_cast<uint64_t>(descriptor) + kFiles / 2 >= limit_; }

 private:
  [[nodiscard]] uint64_t most(Use use) const { return use == Use::peers ? peers_ : maxclients_ + kSpareClients; }

  uint64_t peers_;
  uint64_t maxclients_ = 0;  // the highest so far: connections stay open when it is lowered
  uint64_t limit_ = UINT64_MAX;
  std::array<uint64_t, 2> open_{};
};

}  // namespace wh::net
