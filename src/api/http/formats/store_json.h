// Items of the store and transactions as JSON. Pure; called by the routes of the store.
#pragma once

#include <string>
#include <string_view>

#include "api/refusal.h"
#include "api/store_operations.h"
#include "base/clock.h"
#include "http/json.h"
#include "http/json_reader.h"
#include "machine/command/reply.h"
#include "machine/command/transaction.h"
#include "machine/machine.h"

namespace wh::api {

// A request's body has at most so many bytes.
inline constexpr size_t kMaxTransactionBytes = size_t{1} << 20;
// Comparisons, and operations of each branch.
inline constexpr size_t kMaxTransactionItems = 128;

// `name` with the bytes as text, or `name`_base64 where they are none; in an object.
void write_bytes(http::JsonWriter& json, std::string_view name, std::string_view bytes);
// An item as lists and answers show it: {"key", "value", ..., "ttl_ms"}. `now`: cluster time.
void write_item(http::JsonWriter& json, const machine::KeyItem& item, bool with_value, Millis now);
// The same within an object.
void write_item_members(http::JsonWriter& json, const machine::KeyItem& item, bool with_value, Millis now);

// The body of a POST /txn. What it makes holds views into `body` and `kept`. Errors name the comparison or operation.
OrRefusal<machine::Transact> read_transaction(std::string_view body, http::KeptStrings& kept);
// {"succeeded", "index", "results"}.
[[nodiscard]] std::string transaction_json(const Transacted& done, raft::Index index, Millis now);

}  // namespace wh::api
