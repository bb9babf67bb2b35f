// The operations on the store and its leases, as operations.h has those on the rest: reads of the state and their
// answers. Values and pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/refusal.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "machine/command/reply.h"
#include "machine/machine.h"

namespace wh::api {

// --- reads. They own their names.

struct GetKey {
  std::string key;
  // Waits, as long as the call says, until the key changed after this entry.
  std::optional<uint64_t> after{};
};
struct GetKeys {
  std::vector<std::string> keys;  // one given twice is answered twice
  bool with_values = true;        // else they do not count for what an answer may hold
};
struct CountExisting {
  std::vector<std::string> keys;  // one given twice counts twice
};
struct CountKeys {};
// Keys with this prefix, in byte order.
struct ListKeys {
  std::string prefix;
  std::string after;  // the first is behind it; empty: from the prefix on
  std::string end;    // the last is before it; empty: no end but the prefix's
  uint32_t limit = 100;
  bool names_only = false;  // the values are not shown, so they do not count for what an answer may hold
};
// Some key, by chance; every key may come.
struct PickKey {
  uint64_t seed = 0;
};
struct ShowLease {
  uint64_t id = 0;
  std::string after{};  // its keys behind this one
};
struct ListLeases {
  uint64_t after = 0;
  uint32_t limit = 100;
};

// A stream of the changes of a key, or of all keys with a prefix, from the entry `from` on; nothing: from now on.
// Begins with a read, so that the state is new enough.
struct WatchKeys {
  std::string name;
  bool prefix = false;
  std::optional<uint64_t> from{};
};

// --- answers. Pointers are into the state: valid only during the callback that gets them.

struct Value {
  std::string key;
  const machine::Item* item = nullptr;  // null: there is no such key
  [[nodiscard]] const Bytes* value() const { return item == nullptr ? nullptr : &item->value; }
};
struct Values {
  std::vector<const machine::Item*> items;  // of each key; null: there is none
  std::string refused{};                    // not empty: the answer would be too large; says what to ask for
};
struct ShownKeys {
  std::vector<const machine::Store::Items::value_type*> items;
  std::string next{};  // where the next answer goes on (ListKeys::after); empty: there are no more
};
struct ShownLeases {
  std::vector<const machine::Store::Leases::value_type*> leases;  // of ShowLease one, or none
  uint64_t next = 0;  // where the next answer goes on (ListLeases::after); 0: there are no more
  // Of ShowLease:
  std::vector<std::string_view> keys{};
  std::string next_key{};  // where the next answer goes on (ShowLease::after); empty: there are no more
};
// Of Transact.
struct Transacted {
  bool succeeded = false;
  bool held = true;  // false: a comparison that must hold does not, and nothing was changed
  std::vector<machine::OpResult> results{};
  bool dropped = false;  // to a repeat: they were too large to keep
};
// Of GrantLease and KeepLease.
struct Leased {
  uint64_t id = 0;
  Millis ttl_ms = 0;  // of KeepLease
};

// Whether the key changed after that entry, or this node cannot know any more.
[[nodiscard]] bool changed_since(const machine::Machine& machine, std::string_view key, uint64_t index);

// --- what they see

// One answer looks at so many keys at most besides those that it shows.
inline constexpr size_t kMaxKeysLookedAt = 1'000;

[[nodiscard]] Values look(const machine::Machine& machine, const GetKeys& get);
[[nodiscard]] ShownKeys look(const machine::Machine& machine, const ListKeys& list);
[[nodiscard]] Value look(const machine::Machine& machine, const PickKey& pick);
[[nodiscard]] ShownLeases look(const machine::Machine& machine, const ShowLease& show);
[[nodiscard]] ShownLeases look(const machine::Machine& machine, const ListLeases& list);

// Why a stream cannot begin: its beginning is not known here any more, or lies in the future.
[[nodiscard]] std::optional<Refusal> check_watch(const machine::Machine& machine, const WatchKeys& watch);

// --- bounds

[[nodiscard]] std::optional<Refusal> bad_key(std::string_view key);

}  // namespace wh::api
