// Resolves names to addresses on libuv's workers, so that a name server that is down blocks nobody (HAZARDS G12). One
// lookup for each name at a time, however many ask. Answers are cached; an old one is used at once while a new one is
// fetched, unless it was invalidated. Called by dial and by the peers' transport, through Loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <netdb.h>
#include <string>
#include <vector>

#include "base/clock.h"
#include "net/address.h"

namespace wh::net {

class Loop;

class Resolver {
 public:
  // `error` is 0 or libuv's code (UV_EAI_*); the addresses carry port 0.
  using Callback = std::function<void(int error, const Addresses& addresses)>;

  static constexpr Millis kFreshMs = 5'000;     // younger answers are simply used
  static constexpr Millis kUsableMs = 300'000;  // younger ones are used, and looked up again
  static constexpr size_t kMaxNames = 64;
  static constexpr size_t kMaxNameSize = 255;

  explicit Resolver(Loop& loop);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // Calls back once: when the answer is known before returning 0, else later, unless cancelled by the returned id.
  uint64_t resolve(const std::string& name, Callback callback);
  void cancel(uint64_t id);
  // The addresses last found for this name, however old; starts no lookup.
  [[nodiscard]] Addresses known(const std::string& name) const;
  // Whether a lookup is under way, needed or not.
  [[nodiscard]] bool busy() const;
  // The known addresses of this name did not work: the next resolve() waits for a new answer, and gets the old one only
  // if none comes.
  void invalidate(const std::string& name);

 private:
  struct Request;
  struct Waiter {
    uint64_t id;
    Callback callback;
  };
  struct Entry {
    Addresses addresses;
    Millis resolved_at = 0;
    bool invalidated = false;
    Request* request = nullptr;  // not null while a lookup runs; libuv owns it
    std::vector<Waiter> waiters;
  };
  int start(const std::string& name, Entry& entry);
  void finished(Request& request, int error, const addrinfo* found);
  [[nodiscard]] bool make_room();

  Loop& loop_;
  std::map<std::string, Entry> entries_;
  std::vector<Waiter>* called_ = nullptr;  // those being called now, so that one callback can cancel the next
  uint64_t next_id_ = 1;
};

}  // namespace wh::net
