#include "api/http/formats/store_json.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include "api/http/formats/event_http.h"
#include "api/http/params.h"
#include "api/http/receipts.h"
#include "base/base64.h"
#include "base/log.h"
#include "base/overloaded.h"
#include "base/utf8.h"
#include "http/shown.h"

namespace wh::api {
namespace {

using http::JsonKind;
using http::JsonMembers;
using http::JsonValue;
using http::KeptStrings;
using machine::CompareOp;
using machine::CompareTarget;

// The members of one comparison or operation. Each is taken once; what is left over is not known.
class Members {
 public:
  Members(JsonMembers members, KeptStrings& kept) : members_(std::move(members)), kept_(kept) {}

  [[nodiscard]] bool has(std::string_view name) const { return find(name) != members_.end(); }
  const JsonValue* take(std::string_view name) {
    const auto at = find(name);
    if (at == members_.end()) return nullptr;
    taken_.push_back(at->second);
    members_.erase(at);
    return &taken_.back();
  }
  // Empty where it is not there; `name` as text or `name`_base64.
  OrRefusal<std::optional<std::string_view>> bytes(std::string_view name) {
    const std::string coded = std::string(name) + "_base64";
    const JsonValue* plain = take(name);
    const JsonValue* base64 = take(coded);
    if (plain == nullptr && base64 == nullptr) return std::optional<std::string_view>();
    if (plain != nullptr && base64 != nullptr)
      return malformed(std::string(name) + " and " + coded + " are not given both");
    const JsonValue& value = plain != nullptr ? *plain : *base64;
    if (value.kind() != JsonKind::string)
      return malformed((plain != nullptr ? std::string(name) : coded) + " is a string");
    const std::string_view text = value.string(kept_);
    if (plain != nullptr) return std::optional(text);
    std::optional<std::string> decoded = decode_base64(text);
    if (!decoded) return malformed(coded + " is base64 with its padding (RFC 4648)");
    return std::optional<std::string_view>(kept_.emplace_back(std::move(*decoded)));
  }
  OrRefusal<std::string_view> needed_bytes(std::string_view name) {
    const auto found = bytes(name);
    if (!found) return found.error();
    if (!*found) return malformed("the member " + std::string(name) + " is missing");
    return **found;
  }
  OrRefusal<std::string_view> text(std::string_view name) {
    const JsonValue* value = take(name);
    if (value == nullptr) return malformed("the member " + std::string(name) + " is missing");
    if (value->kind() != JsonKind::string) return malformed("the member " + std::string(name) + " is a string");
    return value->string(kept_);
  }
  OrRefusal<uint64_t> number(std::string_view name, std::optional<uint64_t> standard = std::nullopt) {
    const JsonValue* value = take(name);
    if (value == nullptr && standard) return *standard;
    const auto number = value == nullptr ? std::nullopt : value->number();
    if (!number) return malformed("the member " + std::string(name) + " is a whole number");
    return *number;
  }
  OrRefusal<int64_t> signed_number(std::string_view name, int64_t standard) {
    const JsonValue* value = take(name);
    if (value == nullptr) return standard;
    int64_t number = 0;
    const std::string_view text = value->text();
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (value->kind() != JsonKind::number || error != std::errc{} || end != text.data() + text.size())
      return malformed("the member " + std::string(name) + " is a whole number of 64 bits");
    return number;
  }
  OrRefusal<std::optional<Millis>> duration(std::string_view name, Millis least) {
    const JsonValue* value = take(name);
    if (value == nullptr) return std::optional<Millis>();
    const bool is_text = value->kind() == JsonKind::string;
    const auto duration =
        duration_in(name, is_text ? value->string(kept_) : value->text(), least, machine::kMaxDelayMs);
    if (!duration) return duration.error();
    return std::optional(*duration);
  }
  OrRefusal<machine::Receipt> receipt(std::string_view queue) {
    const OrRefusal<uint64_t> id = number("id");
    if (!id) return id.error();
    const OrRefusal<std::string_view> words = text("receipt");
    if (!words) return words.error();
    const auto receipt = parse_receipt(*words, queue, *id);
    if (!receipt) return malformed("the receipt is none of this event and queue");
    return *receipt;
  }
  // What nobody took.
  [[nodiscard]] std::optional<Refusal> left() const {
    if (members_.empty()) return std::nullopt;
    return malformed("the member " + http::shown(members_.front().first) + " is not known here");
  }
  JsonMembers& rest() { return members_; }

 private:
  [[nodiscard]] JsonMembers::const_iterator find(std::string_view name) const {
    return std::find_if(members_.begin(), members_.end(), [&](const auto& one) { return one.first == name; });
  }
  [[nodiscard]] JsonMembers::iterator find(std::string_view name) {
    return std::find_if(members_.begin(), members_.end(), [&](const auto& one) { return one.first == name; });
  }
  JsonMembers members_;
  std::deque<JsonValue> taken_;
  KeptStrings& kept_;
};

OrRefusal<Members> members_of(const JsonValue& value, KeptStrings& kept) {
  if (value.kind() != JsonKind::object) return malformed("it is a JSON object");
  auto members = value.members(kept);
  if (!members) return malformed(printable(members.error()));
  return Members(std::move(*members), kept);
}

// --- comparisons

OrRefusal<CompareOp> compare_op(Members& members) {
  if (!members.has("op")) return CompareOp::equal;
  const OrRefusal<std::string_view> op = members.text("op");
  if (!op) return op.error();
  if (*op == "=") return CompareOp::equal;
  if (*op == "!=") return CompareOp::not_equal;
  if (*op == "<") return CompareOp::less;
  if (*op == ">") return CompareOp::greater;
  return malformed("op is one of = != < >");
}

OrRefusal<machine::Compare> read_compare_of_queue(Members& members) {
  machine::Compare compare{.target = CompareTarget::queue_length};
  const OrRefusal<std::string_view> queue = members.text("queue");
  if (!queue) return queue.error();
  compare.name = *queue;
  if (members.has("length")) {
    const OrRefusal<uint64_t> length = members.number("length");
    if (!length) return length.error();
    compare.number = *length;
    const OrRefusal<CompareOp> op = compare_op(members);
    if (!op) return op.error();
    compare.op = *op;
    return compare;
  }
  compare.target = CompareTarget::holds;
  const OrRefusal<machine::Receipt> receipt = members.receipt(*queue);
  if (!receipt) return receipt.error();
  compare.receipt = *receipt;
  return compare;
}

OrRefusal<machine::Compare> read_compare_of_key(Members& members) {
  machine::Compare compare;
  const OrRefusal<std::string_view> key = members.needed_bytes("key");
  if (!key) return key.error();
  compare.name = *key;
  if (const JsonValue* exists = members.take("exists")) {
    if (exists->kind() != JsonKind::boolean) return malformed("exists is true or false");
    compare.number = exists->boolean() ? 1 : 0;
    return compare;
  }
  const OrRefusal<CompareOp> op = compare_op(members);
  if (!op) return op.error();
  compare.op = *op;
  for (const auto& [name, target] :
       {std::pair{"mod_index", CompareTarget::mod_index}, std::pair{"create_index", CompareTarget::create_index},
        std::pair{"version", CompareTarget::version}}) {
    if (!members.has(name)) continue;
    const OrRefusal<uint64_t> number = members.number(name);
    if (!number) return number.error();
    compare.target = target;
    compare.number = *number;
    return compare;
  }
  compare.target = CompareTarget::value;
  const auto value = members.bytes("value");
  if (!value) return value.error();
  if (!*value)
    return malformed("it compares exists, mod_index, create_index, version, value or value_base64 of the key");
  compare.value = **value;
  return compare;
}

OrRefusal<machine::Compare> read_compare(const JsonValue& value, KeptStrings& kept) {
  OrRefusal<Members> members = members_of(value, kept);
  if (!members) return members.error();
  OrRefusal<machine::Compare> compare =
      members->has("queue") ? read_compare_of_queue(*members) : read_compare_of_key(*members);
  if (!compare) return compare.error();
  if (auto refusal = members->left()) return std::move(*refusal);
  return compare;
}

// --- operations

OrRefusal<machine::Op> read_put(Members& members) {
  machine::PutKey put;
  const OrRefusal<std::string_view> key = members.needed_bytes("key");
  if (!key) return key.error();
  const OrRefusal<std::string_view> value = members.needed_bytes("value");
  if (!value) return value.error();
  put.key = *key;
  put.value = *value;
  if (members.has("content_type")) {
    const OrRefusal<std::string_view> type = members.text("content_type");
    if (!type) return type.error();
    put.content_type = *type;
  }
  const auto ttl = members.duration("ttl", 1);
  if (!ttl) return ttl.error();
  if (*ttl) put.expiry = {machine::Expiry::Kind::after, **ttl};
  const OrRefusal<uint64_t> lease = members.number("lease", 0);
  if (!lease) return lease.error();
  put.lease = *lease;
  return machine::Op(put);
}

OrRefusal<machine::Op> read_delete(Members& members) {
  if (!members.has("prefix") && !members.has("prefix_base64")) {
    const OrRefusal<std::string_view> key = members.needed_bytes("key");
    if (!key) return key.error();
    return machine::Op(machine::EraseKey{*key});
  }
  const OrRefusal<std::string_view> prefix = members.needed_bytes("prefix");
  if (!prefix) return prefix.error();
  return machine::Op(machine::ErasePrefix{*prefix});
}

OrRefusal<machine::Op> read_get(Members& members) {
  if (!members.has("prefix") && !members.has("prefix_base64")) {
    const OrRefusal<std::string_view> key = members.needed_bytes("key");
    if (!key) return key.error();
    return machine::Op(machine::GetKey{*key});
  }
  const OrRefusal<std::string_view> prefix = members.needed_bytes("prefix");
  if (!prefix) return prefix.error();
  const OrRefusal<uint64_t> limit = members.number("limit", 100);
  if (!limit) return limit.error();
  if (*limit == 0 || *limit > machine::kMaxListed) return malformed("limit is 1 to 1000");
  return machine::Op(machine::ListKeys{*prefix, static_cast<uint32_t>(*limit)});
}

OrRefusal<machine::Op> read_incr(Members& members) {
  const OrRefusal<std::string_view> key = members.needed_bytes("key");
  if (!key) return key.error();
  const OrRefusal<int64_t> by = members.signed_number("by", 1);
  if (!by) return by.error();
  return machine::Op(machine::Increment{*key, *by});
}

OrRefusal<machine::Op> read_enqueue(Members& members, KeptStrings& kept) {
  const OrRefusal<std::string_view> queue = members.text("queue");
  if (!queue) return queue.error();
  const OrRefusal<machine::NewEvent> event = read_json_event(std::exchange(members.rest(), {}), kept);
  if (!event) return event.error();
  return machine::Op(machine::EnqueueEvent{*queue, *event});
}

OrRefusal<machine::Op> read_settle(Members& members, machine::SettleVerb verb) {
  machine::SettleEvent settle{.verb = verb};
  const OrRefusal<std::string_view> queue = members.text("queue");
  if (!queue) return queue.error();
  settle.queue = *queue;
  const OrRefusal<machine::Receipt> receipt = members.receipt(*queue);
  if (!receipt) return receipt.error();
  settle.receipt = *receipt;
  if (verb == machine::SettleVerb::release) {
    const auto delay = members.duration("delay", 0);
    if (!delay) return delay.error();
    settle.delay = *delay;
  }
  return machine::Op(settle);
}

OrRefusal<machine::Op> read_op(const JsonValue& value, KeptStrings& kept) {
  OrRefusal<Members> named = members_of(value, kept);
  if (!named) return named.error();
  if (named->rest().size() != 1) return malformed("it has one member, which names what is done");
  const auto& [name, body] = named->rest().front();
  OrRefusal<Members> members = members_of(body, kept);
  if (!members) return malformed(http::shown(name) + " is a JSON object");
  OrRefusal<machine::Op> op = malformed(http::shown(name) +
                                        " is not known here: it is one of put, delete, get, incr, enqueue, "
                                        "acknowledge, release");
  if (name == "put") op = read_put(*members);
  if (name == "delete") op = read_delete(*members);
  if (name == "get") op = read_get(*members);
  if (name == "incr") op = read_incr(*members);
  if (name == "enqueue") op = read_enqueue(*members, kept);
  if (name == "acknowledge") op = read_settle(*members, machine::SettleVerb::acknowledge);
  if (name == "release") op = read_settle(*members, machine::SettleVerb::release);
  if (!op) return op.error();
  if (auto refusal = members->left()) return std::move(*refusal);
  return op;
}

// The items of one list; a refusal names the one that it is about.
template <typename Read, typename T>
std::optional<Refusal> read_list(const JsonValue& list, std::string_view name, size_t most, const Read& read,
                                 std::vector<T>& out) {
  if (list.kind() != JsonKind::array) return malformed(std::string(name) + " is a JSON array");
  const std::vector<JsonValue> items = list.items();
  if (items.size() > most) return malformed(std::string(name) + " has at most " + std::to_string(most) + " items");
  for (const JsonValue& item : items) {
    OrRefusal<T> one = read(item);
    if (!one) return malformed(std::string(name) + "[" + std::to_string(out.size()) + "]: " + one.error().sentence);
    out.push_back(std::move(*one));
  }
  return std::nullopt;
}

// --- results

void write_result(http::JsonWriter& json, const machine::OpResult& result, raft::Index index, Millis now) {
  json.begin_object();
  switch (result.kind) {
    case machine::PutKey::kKind:
      json.key("created").boolean(result.number == 0).key("mod_index").number(index.value);
      break;
    case machine::EraseKey::kKind:
    case machine::ErasePrefix::kKind:
      json.key("deleted").number(result.number);
      break;
    case machine::GetKey::kKind:
      json.key("item");
      if (result.items.empty())
        json.null();
      else
        write_item(json, result.items[0], true, now);
      break;
    case machine::ListKeys::kKind:
      json.key("items").begin_array();
      for (const machine::KeyItem& item : result.items) write_item(json, item, true, now);
      json.end_array().key("more").boolean(result.more);
      break;
    case machine::Increment::kKind:
      json.key("value").raw(std::to_string(static_cast<int64_t>(result.number)));
      break;
    case machine::EnqueueEvent::kKind:
      json.key("id").number(result.number);
      break;
    default:
      break;
  }
  json.end_object();
}

}  // namespace

void write_bytes(http::JsonWriter& json, std::string_view name, std::string_view bytes) {
  if (is_utf8(bytes))
    json.key(name).string(bytes);
  else
    json.key(std::string(name) + "_base64").base64(bytes);
}

void write_item(http::JsonWriter& json, const machine::KeyItem& item, bool with_value, Millis now) {
  json.begin_object();
  write_item_members(json, item, with_value, now);
  json.end_object();
}

void write_item_members(http::JsonWriter& json, const machine::KeyItem& item, bool with_value, Millis now) {
  write_bytes(json, "key", item.key);
  if (with_value) write_bytes(json, "value", item.value.view());
  json.key("content_type");
  if (item.content_type.empty())
    json.null();
  else
    json.string(item.content_type);
  json.key("create_index").number(item.create_index).key("mod_index").number(item.mod_index);
  json.key("version").number(item.version);
  json.key("lease");
  if (item.lease == 0)
    json.null();
  else
    json.number(item.lease);
  json.key("ttl_ms");
  if (item.expires_at == 0)
    json.null();
  else
    json.number(item.expires_at - std::min(item.expires_at, now));
}

OrRefusal<machine::Transact> read_transaction(std::string_view body, http::KeptStrings& kept) {
  if (body.empty()) return malformed("a transaction is a JSON object, and the body is empty");
  const Result<JsonValue> object = http::parse_json(body);
  if (!object) return malformed(printable(object.error()));
  if (object->kind() != JsonKind::object) return malformed("a transaction is a JSON object");
  OrRefusal<Members> members = members_of(*object, kept);
  if (!members) return members.error();
  machine::Transact transact;
  if (const JsonValue* list = members->take("compare"))
    if (auto refusal = read_list(
            *list, "compare", kMaxTransactionItems, [&](const JsonValue& item) { return read_compare(item, kept); },
            transact.compares))
      return std::move(*refusal);
  for (const auto& [name, ops] : {std::pair{"success", &transact.success}, std::pair{"failure", &transact.failure}})
    if (const JsonValue* list = members->take(name))
      if (auto refusal = read_list(
              *list, name, kMaxTransactionItems, [&](const JsonValue& item) { return read_op(item, kept); }, *ops))
        return std::move(*refusal);
  if (auto refusal = members->left()) return std::move(*refusal);
  if (transact.success.empty() && transact.failure.empty())
    return malformed("a transaction has an operation, in success or in failure");
  return transact;
}

std::string transaction_json(const Transacted& done, raft::Index index, Millis now) {
  http::JsonWriter json;
  json.begin_object().key("succeeded").boolean(done.succeeded).key("index").number(index.value).key("results");
  if (done.dropped) {
    json.null();
  } else {
    json.begin_array();
    for (const machine::OpResult& result : done.results) write_result(json, result, index, now);
    json.end_array();
  }
  json.end_object();
  return json.take();
}

}  // namespace wh::api
