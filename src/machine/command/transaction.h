// The command of transactions, which every conditional or compound change of the store is, and those of leases, with
// their bounds. As of version 4. As bytes: command.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "machine/command/event_headers.h"
#include "machine/command/queue_commands.h"
#include "machine/command/traits.h"

namespace wh::machine {

inline constexpr size_t kMaxCompares = 128;
inline constexpr size_t kMaxOps = 1'000;             // of each branch
inline constexpr size_t kMaxChooseCompares = 1'000;  // of all Choose in a branch
// Keys that one transaction removes by prefixes, and items that it answers.
inline constexpr uint32_t kMaxErased = 10'000;
inline constexpr uint32_t kMaxListed = 1'000;
// Bytes of the values that one transaction appends to, each as often as it does so.
inline constexpr uint64_t kMaxAppended = uint64_t{16} << 20;
inline constexpr Millis kMinLeaseMs = 1'000;
inline constexpr Millis kMaxLeaseMs = Millis{365} * 86'400'000;
inline constexpr size_t kMaxKeysOfLease = 10'000;

enum class CompareTarget : uint8_t {
  exists = 1,  // `number`: 1 or 0
  mod_index = 2,
  create_index = 3,
  version = 4,
  value = 5,
  queue_length = 6,  // events of any state, of the queue `name`
  holds = 7,         // `receipt` still holds its event in the queue `name`
};
enum class CompareOp : uint8_t { equal = 1, not_equal = 2, less = 3, greater = 4 };

// The numbers of a key that is not there are 0; it has no value, so that only `not_equal` holds.
struct Compare {
  CompareTarget target = CompareTarget::exists;
  CompareOp op = CompareOp::equal;
  std::string_view name;  // a key, or a queue
  uint64_t number = 0;
  std::string_view value{};
  Receipt receipt{};
  friend bool operator==(const Compare&, const Compare&) = default;
};

// When an item expires, by cluster time.
struct Expiry {
  enum class Kind : uint8_t { never = 0, as_it_was = 1, after = 2, at = 3 };
  Kind kind = Kind::never;
  Millis ms = 0;  // after: 1 ms to kMaxDelayMs; at: up to kMaxTimeMs, which may be over
  friend bool operator==(const Expiry&, const Expiry&) = default;
};

struct PutKey {
  static constexpr uint8_t kKind = 1;
  std::string_view key;
  std::string_view value;
  std::string_view content_type{};  // empty: none
  Expiry expiry{};
  uint64_t lease = 0;  // 0: none
  friend bool operator==(const PutKey&, const PutKey&) = default;
};
struct EraseKey {
  static constexpr uint8_t kKind = 2;
  std::string_view key;
  friend bool operator==(const EraseKey&, const EraseKey&) = default;
};
// Of 1 byte at least. More than kMaxErased keys refuse the whole.
struct ErasePrefix {
  static constexpr uint8_t kKind = 3;
  std::string_view prefix;
  friend bool operator==(const ErasePrefix&, const ErasePrefix&) = default;
};
struct GetKey {
  static constexpr uint8_t kKind = 4;
  std::string_view key;
  bool with_value = true;
  friend bool operator==(const GetKey&, const GetKey&) = default;
};
// The first `limit` keys with this prefix.
struct ListKeys {
  static constexpr uint8_t kKind = 5;
  std::string_view prefix;
  uint32_t limit = 100;
  friend bool operator==(const ListKeys&, const ListKeys&) = default;
};
// Why an Increment is refused.
inline constexpr std::string_view kNoNumber = "the value is no decimal number of 64 bits";
inline constexpr std::string_view kSumTooLarge = "the sum is no number of 64 bits any more: the value stays as it is";

// Adds to the value, a decimal number of 64 bits; a key that is not there counts as 0. All else of the item stays.
struct Increment {
  static constexpr uint8_t kKind = 6;
  std::string_view key;
  int64_t by = 1;
  friend bool operator==(const Increment&, const Increment&) = default;
};
// Adds to the value's end; all else of the item stays.
struct Append {
  static constexpr uint8_t kKind = 7;
  std::string_view key;
  std::string_view bytes;
  friend bool operator==(const Append&, const Append&) = default;
};
// Changes when an item expires, if it is there and `only` says so; a time that is over removes it.
struct Touch {
  static constexpr uint8_t kKind = 8;
  enum class Only : uint8_t { always = 0, if_none = 1, if_any = 2, if_later = 3, if_earlier = 4, if_any_earlier = 5 };
  std::string_view key;
  Expiry expiry{};
  Only only = Only::always;
  friend bool operator==(const Touch&, const Touch&) = default;
};
// As in a PutEvents, without an idempotency key.
struct EnqueueEvent {
  static constexpr uint8_t kKind = 9;
  std::string_view queue;
  NewEvent event;
  friend bool operator==(const EnqueueEvent&, const EnqueueEvent&) = default;
};
// Acknowledges or releases; a receipt whose event is not there and held by it refuses the whole.
struct SettleEvent {
  static constexpr uint8_t kKind = 10;
  std::string_view queue;
  SettleVerb verb = SettleVerb::acknowledge;
  Receipt receipt{};
  std::optional<Millis> delay{};  // of a release
  friend bool operator==(const SettleEvent&, const SettleEvent&) = default;
};
// Comparisons of keys at this place, which see what earlier operations did: if all hold, the next `held` operations are
// done and the `otherwise` behind them are not; else the other way round. All of them are of keys, and no Choose.
struct Choose {
  static constexpr uint8_t kKind = 11;
  std::vector<Compare> compares;
  uint32_t held = 0;
  uint32_t otherwise = 0;
  friend bool operator==(const Choose&, const Choose&) = default;
};
// How many events of the queue are ready.
struct CountReady {
  static constexpr uint8_t kKind = 12;
  std::string_view queue;
  friend bool operator==(const CountReady&, const CountReady&) = default;
};

using Op = std::variant<PutKey, EraseKey, ErasePrefix, GetKey, ListKeys, Increment, Append, Touch, EnqueueEvent,
                        SettleEvent, Choose, CountReady>;

// If all comparisons hold, does all of `success`, else all of `failure`, in their order and as one step: a later one
// sees what an earlier one did. What cannot be done refuses the whole, and nothing was changed.
struct Transact {
  static constexpr CommandTraits kTraits{.kind = 19, .since = 4, .adds_data = true};
  std::vector<Compare> compares;
  std::vector<Op> success;
  std::vector<Op> failure{};
  // Comparisons that do not hold refuse it: then an idempotency key does not keep the answer, and `failure` only reads.
  bool must_hold = false;
  friend bool operator==(const Transact&, const Transact&) = default;
};

// Whether any operation of either branch brings bytes.
bool brings_data(const Transact& transact);

// The lease's id is the index of this command.
struct GrantLease {
  static constexpr CommandTraits kTraits{.kind = 20, .since = 4, .adds_data = true};
  Millis ttl = 0;
  friend bool operator==(const GrantLease&, const GrantLease&) = default;
};
// From now on it lasts its ttl again.
struct KeepLease {
  static constexpr CommandTraits kTraits{.kind = 21, .since = 4};
  uint64_t id = 0;
  friend bool operator==(const KeepLease&, const KeepLease&) = default;
};
// Removes it with its keys.
struct RevokeLease {
  static constexpr CommandTraits kTraits{.kind = 22, .since = 4};
  uint64_t id = 0;
  friend bool operator==(const RevokeLease&, const RevokeLease&) = default;
};

size_t encoded_size(const Transact& transact);
size_t encoded_size(const GrantLease& grant);
size_t encoded_size(const KeepLease& keep);
size_t encoded_size(const RevokeLease& revoke);
void encode(const Transact& transact, Writer& out);
void encode(const GrantLease& grant, Writer& out);
void encode(const KeepLease& keep, Writer& out);
void encode(const RevokeLease& revoke, Writer& out);
void decode(Reader& in, Transact& transact);
void decode(Reader& in, GrantLease& grant);
void decode(Reader& in, KeepLease& keep);
void decode(Reader& in, RevokeLease& revoke);
Status check_bounds(const Transact& transact, ClusterVersion version);
Status check_bounds(const GrantLease& grant, ClusterVersion version);
Status check_bounds(const KeepLease& keep, ClusterVersion version);
Status check_bounds(const RevokeLease& revoke, ClusterVersion version);

}  // namespace wh::machine
