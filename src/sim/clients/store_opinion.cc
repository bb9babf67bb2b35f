// What the clients of the store saw, as transactions, for the second opinion (txn_graph.h).
#include <algorithm>
#include <utility>

#include "sim/checks/store_audit.h"
#include "sim/clients/store_clients.h"
#include "sim/world/world.h"

namespace wh::sim {
namespace {

// One pass over the operations of a branch: what they read of the state before, and what they write.
class Branch {
 public:
  Branch(TxnCall& call, uint8_t number) : call_(call), number_(number) {}

  // `result`: null when nobody was told. `perhaps`: nor whether a choice left it out.
  void add(const machine::Op& op, const machine::OpResult* result, bool perhaps) {
    perhaps_ = perhaps;
    std::visit([&](const auto& one) { one_op(one, result); }, op);
  }

 private:
  void one_op(const machine::PutKey& put, const machine::OpResult* /*result*/) {
    // One whose time is over removes the key instead.
    const bool at = put.expiry.kind == machine::Expiry::Kind::at;
    write({.key = std::string(put.key),
           .value = std::string(put.value),
           .built = put.value.empty() || put.value[0] != 'v',
           .sure = !at,
           .ends = at || put.lease != 0 || put.expiry.kind != machine::Expiry::Kind::never});
  }
  void one_op(const machine::EraseKey& erase, const machine::OpResult* result) {
    write({.key = std::string(erase.key),
           .value = {},
           .removes = true,
           .sure = result != nullptr && result->number != 0});
  }
  void one_op(const machine::ErasePrefix& erase, const machine::OpResult* /*result*/) {
    for (const char* key : StoreClients::kKeys)
      if (std::string_view(key).starts_with(erase.prefix))
        write({.key = key, .value = {}, .removes = true, .sure = false});
  }
  void one_op(const machine::Increment& increment, const machine::OpResult* /*result*/) {
    write({.key = std::string(increment.key), .value = {}, .built = true});
  }
  void one_op(const machine::Append& append, const machine::OpResult* /*result*/) {
    write({.key = std::string(append.key), .value = {}, .built = true});
  }
  void one_op(const machine::Touch& touch, const machine::OpResult* /*result*/) {
    write({.key = std::string(touch.key), .value = {}, .built = true, .removes = true, .sure = false, .ends = true});
  }
  void one_op(const machine::GetKey& get, const machine::OpResult* result) {
    if (result == nullptr || writes(get.key)) return;
    if (result->items.empty())
      call_.reads.push_back({.key = std::string(get.key), .mod_index = 0, .value = std::nullopt});
    else
      read(result->items[0], get.with_value);
  }
  void one_op(const machine::ListKeys& /*list*/, const machine::OpResult* result) {
    if (result == nullptr) return;
    for (const machine::KeyItem& item : result->items)
      if (!writes(item.key)) read(item, true);
  }
  // The machine's model judges their results; add_change leaves out what a choice left out.
  void one_op(const machine::Choose& /*choose*/, const machine::OpResult* /*result*/) {}
  void one_op(const machine::CountReady& /*count*/, const machine::OpResult* /*result*/) {}
  void one_op(const machine::EnqueueEvent& /*enqueue*/, const machine::OpResult* /*result*/) {}
  void one_op(const machine::SettleEvent& settle, const machine::OpResult* result) {
    if (result != nullptr && settle.verb == machine::SettleVerb::acknowledge)
      call_.acknowledged.emplace_back(settle.queue, settle.receipt.id);
  }

  // A key that an operation before it may have written is not read as it was.
  [[nodiscard]] bool writes(std::string_view key) const {
    return std::any_of(call_.writes.begin(), call_.writes.end(),
                       [&](const TxnCall::Write& write) { return write.branch == number_ && write.key == key; });
  }
  void read(const machine::KeyItem& item, bool with_value) {
    call_.reads.push_back({.key = item.key,
                           .mod_index = item.mod_index,
                           .value = with_value ? std::optional(std::string(item.value.view())) : std::nullopt});
  }
  void write(TxnCall::Write write) {
    if (perhaps_) write.sure = false;
    for (TxnCall::Write& before : call_.writes)
      if (before.branch == number_ && before.key == write.key && !perhaps_) before.last = false;
    write.branch = number_;
    call_.writes.push_back(std::move(write));
  }

  TxnCall& call_;
  uint8_t number_;
  bool perhaps_ = false;
};

}  // namespace

void add_change(TxnCall& call, const machine::Body& body, const machine::Reply* reply) {
  if (const auto* set = std::get_if<machine::Set>(&body)) {
    Branch branch(call, 0);
    for (const auto& [key, value] : set->pairs) branch.add(machine::PutKey{.key = key, .value = value}, nullptr, false);
  } else if (const auto* del = std::get_if<machine::Delete>(&body)) {
    Branch branch(call, 0);
    for (const auto key : del->keys) branch.add(machine::EraseKey{key}, nullptr, false);
  } else if (const auto* transact = std::get_if<machine::Transact>(&body)) {
    for (const uint8_t number : {uint8_t{1}, uint8_t{0}}) {
      if (reply != nullptr && reply->count != number) continue;
      const std::vector<machine::Op>& ops = number != 0 ? transact->success : transact->failure;
      Branch branch(call, number);
      size_t skip_at = ops.size();  // what a choice left out
      size_t skip_until = 0;
      size_t perhaps_until = 0;  // what it did or left out, and nobody was told which
      for (size_t i = 0; i < ops.size(); ++i) {
        const machine::OpResult* result = reply != nullptr && i < reply->results.size() ? &reply->results[i] : nullptr;
        const auto* choose = std::get_if<machine::Choose>(&ops[i]);
        if (choose != nullptr && result == nullptr) perhaps_until = i + 1 + choose->held + choose->otherwise;
        if (choose != nullptr && result != nullptr) {
          skip_at = i + 1 + (result->number != 0 ? choose->held : 0);
          skip_until = skip_at + (result->number != 0 ? choose->otherwise : choose->held);
        }
        if (i < skip_at || i >= skip_until) branch.add(ops[i], result, i < perhaps_until);
      }
    }
    if (reply == nullptr || reply->count == 0) return;
    for (const machine::Compare& compare : transact->compares) {
      const bool number =
          compare.target == machine::CompareTarget::mod_index && compare.op == machine::CompareOp::equal;
      if (number)
        call.reads.push_back({.key = std::string(compare.name), .mod_index = compare.number, .value = std::nullopt});
    }
  }
}

std::string StoreClients::second_opinion() const {
  std::vector<TxnCall> calls;
  std::map<std::string, size_t> by_key;
  for (const Request& one : requests_) {
    const Op& op = one.op;
    if (op.is_read()) {
      if (!op.applied() || op.kind == OpKind::lease) continue;
      TxnCall& call = calls.emplace_back();
      call = {.op = op.id, .outcome = TxnCall::Outcome::done};
      // A node's own state may be old, but it is a state.
      if (!op.stale) call.invoked = op.invoked;
      if (!op.stale) call.returned = op.returned;
      for (const machine::KeyItem& item : op.items)
        if (StoreAudit::kPrefixes.find(item.key[0]) != std::string_view::npos)
          call.reads.push_back({.key = item.key, .mod_index = item.mod_index, .value = std::string(item.value.view())});
      if (op.kind == OpKind::item && op.items.empty())
        call.reads.push_back({.key = op.key, .mod_index = 0, .value = std::nullopt});
      continue;
    }
    const auto command = machine::decode(op.command);
    if (!command) continue;
    const bool told = op.applied() && op.reply && op.reply->code == machine::ReplyCode::ok;
    TxnCall call{.op = op.id, .outcome = TxnCall::Outcome::refused, .invoked = op.invoked};
    if (told) {
      call.outcome = TxnCall::Outcome::done;
      call.mod_index = op.replayed() ? op.reply->replayed_from.value : op.index.value;
      call.returned = op.returned;
    } else if (op.may_have_happened(certain()) && !op.applied()) {
      call.outcome = TxnCall::Outcome::unknown;
    }
    add_change(call, command->body, told ? &*op.reply : nullptr);
    // All requests under one key, or with the same bytes, are one, unless their answers name two entries.
    const std::string name = op.idempotency_key.empty() ? std::string(op.body()) : op.idempotency_key;
    const auto [at, first] = by_key.emplace(name, calls.size());
    if (first) {
      calls.push_back(std::move(call));
      continue;
    }
    TxnCall& before = calls[at->second];
    const uint64_t invoked = before.invoked;
    if (call.outcome == TxnCall::Outcome::done && before.outcome == TxnCall::Outcome::done) {
      if (call.mod_index != before.mod_index)
        calls.push_back(std::move(call));
      else
        before.returned = std::min(before.returned, call.returned);
      continue;
    }
    if (call.outcome == TxnCall::Outcome::done ||
        (call.outcome == TxnCall::Outcome::unknown && before.outcome == TxnCall::Outcome::refused)) {
      before = std::move(call);
    }
    before.invoked = invoked;
  }
  return check_transactions(calls);
}

}  // namespace wh::sim
