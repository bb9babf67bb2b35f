//   19 transact      u8 must_hold, count, count x compare, count, count x op, count, count x op
//      compare       u8 target, u8 op, length name, u64 number, length value, u64 id, u64 delivery; what its target
//      does
//                    not use is left out (uses_number and the like)
//      op            u8 kind, then by kind in the order of its members; an expiry is u8 kind and, if it has one, u64 ms
//   20 grant_lease   u64 ttl
//   21 keep_lease    u64 id
//   22 revoke_lease  u64 id
#include "machine/command/transaction.h"

#include <algorithm>
#include <utility>

#include "base/utf8.h"
#include "machine/command/event_codec.h"
#include "machine/command/store_commands.h"

namespace wh::machine {
namespace {

bool uses_number(CompareTarget target) { return target != CompareTarget::value && target != CompareTarget::holds; }

// --- comparisons

size_t compare_size(const Compare& compare) {
  size_t size = 2 + 4 + compare.name.size();
  if (uses_number(compare.target)) size += 8;
  if (compare.target == CompareTarget::value) size += 4 + compare.value.size();
  if (compare.target == CompareTarget::holds) size += 16;
  return size;
}

void encode_compare(const Compare& compare, Writer& out) {
  out.u8(static_cast<uint8_t>(compare.target));
  out.u8(static_cast<uint8_t>(compare.op));
  out.bytes(compare.name);
  if (uses_number(compare.target)) out.u64(compare.number);
  if (compare.target == CompareTarget::value) out.bytes(compare.value);
  if (compare.target == CompareTarget::holds) {
    out.u64(compare.receipt.id);
    out.u64(compare.receipt.delivery);
  }
}

Compare decode_compare(Reader& in) {
  Compare compare;
  const uint8_t target = in.u8();
  const uint8_t op = in.u8();
  if (target == 0 || target > static_cast<uint8_t>(CompareTarget::holds) || op == 0 ||
      op > static_cast<uint8_t>(CompareOp::greater))
    in.fail();
  compare.target = static_cast<CompareTarget>(target);
  compare.op = static_cast<CompareOp>(op);
  compare.name = in.bytes();
  if (uses_number(compare.target)) compare.number = in.u64();
  if (compare.target == CompareTarget::value) compare.value = in.bytes();
  if (compare.target == CompareTarget::holds) {
    compare.receipt.id = in.u64();
    compare.receipt.delivery = in.u64();
  }
  return compare;
}

Status check_compare(const Compare& compare) {
  const bool of_queue = compare.target == CompareTarget::queue_length || compare.target == CompareTarget::holds;
  if (of_queue && !is_queue_name_size(compare.name)) return Error{"a queue's name has 1 to 128 bytes"};
  if (!of_queue)
    if (Status bad = check_key(compare.name); !bad) return bad;
  if ((compare.target == CompareTarget::exists || compare.target == CompareTarget::holds) &&
      compare.op != CompareOp::equal)
    return Error{"whether a key exists, or a receipt holds, is compared by = alone"};
  if (compare.target == CompareTarget::exists && compare.number > 1) return Error{"a key exists or it does not"};
  if (compare.value.size() > kMaxValueBytes) return Error{"a value has at most 4194304 bytes"};
  if (compare.target == CompareTarget::holds && (compare.receipt.id == 0 || compare.receipt.delivery == 0))
    return Error{"that is no receipt"};
  return ok_status();
}

// --- expiries

size_t expiry_size(const Expiry& expiry) { return expiry.kind >= Expiry::Kind::after ? 9 : 1; }

void encode_expiry(const Expiry& expiry, Writer& out) {
  out.u8(static_cast<uint8_t>(expiry.kind));
  if (expiry.kind >= Expiry::Kind::after) out.u64(expiry.ms);
}

Expiry decode_expiry(Reader& in) {
  Expiry expiry;
  const uint8_t kind = in.u8();
  if (kind > static_cast<uint8_t>(Expiry::Kind::at)) in.fail();
  expiry.kind = static_cast<Expiry::Kind>(kind);
  if (expiry.kind >= Expiry::Kind::after) expiry.ms = in.u64();
  return expiry;
}

Status check_expiry(const Expiry& expiry) {
  if (expiry.kind == Expiry::Kind::after && (expiry.ms == 0 || expiry.ms > kMaxDelayMs))
    return Error{"a ttl is 1 ms to ten years"};
  if (expiry.kind == Expiry::Kind::at && expiry.ms > kMaxTimeMs) return Error{"a time is at most the year 9999"};
  return ok_status();
}

// --- operations: the same three for each

size_t size_of(const PutKey& op) {
  return 4 + op.key.size() + 4 + op.value.size() + 4 + op.content_type.size() + expiry_size(op.expiry) + 8;
}
void write(const PutKey& op, Writer& out) {
  out.bytes(op.key);
  out.bytes(op.value);
  out.bytes(op.content_type);
  encode_expiry(op.expiry, out);
  out.u64(op.lease);
}
void read(Reader& in, PutKey& op) {
  op.key = in.bytes();
  op.value = in.bytes();
  op.content_type = in.bytes();
  op.expiry = decode_expiry(in);
  op.lease = in.u64();
}
Status check(const PutKey& op) {
  if (Status bad = check_key(op.key); !bad) return bad;
  if (op.value.size() > kMaxValueBytes) return Error{"a value has at most 4194304 bytes"};
  if (op.content_type.size() > kMaxContentTypeBytes || !is_plain_text(op.content_type))
    return Error{"a content type has at most 255 bytes of text"};
  return check_expiry(op.expiry);
}

size_t size_of(const EraseKey& op) { return 4 + op.key.size(); }
void write(const EraseKey& op, Writer& out) { out.bytes(op.key); }
void read(Reader& in, EraseKey& op) { op.key = in.bytes(); }
Status check(const EraseKey& op) { return check_key(op.key); }

size_t size_of(const ErasePrefix& op) { return 4 + op.prefix.size(); }
void write(const ErasePrefix& op, Writer& out) { out.bytes(op.prefix); }
void read(Reader& in, ErasePrefix& op) { op.prefix = in.bytes(); }
Status check(const ErasePrefix& op) {
  if (op.prefix.empty() || op.prefix.size() > kMaxKeyBytes) return Error{"a prefix to delete has 1 to 4096 bytes"};
  return ok_status();
}

size_t size_of(const GetKey& op) { return 4 + op.key.size() + 1; }
void write(const GetKey& op, Writer& out) {
  out.bytes(op.key);
  out.boolean(op.with_value);
}
void read(Reader& in, GetKey& op) {
  op.key = in.bytes();
  op.with_value = in.boolean();
}
Status check(const GetKey& op) { return check_key(op.key); }

size_t size_of(const ListKeys& op) { return 4 + op.prefix.size() + 4; }
void write(const ListKeys& op, Writer& out) {
  out.bytes(op.prefix);
  out.u32(op.limit);
}
void read(Reader& in, ListKeys& op) {
  op.prefix = in.bytes();
  op.limit = in.u32();
}
Status check(const ListKeys& op) {
  if (op.prefix.size() > kMaxKeyBytes) return Error{"a prefix has at most 4096 bytes"};
  if (op.limit == 0 || op.limit > kMaxListed) return Error{"limit is 1 to 1000"};
  return ok_status();
}

size_t size_of(const Increment& op) { return 4 + op.key.size() + 8; }
void write(const Increment& op, Writer& out) {
  out.bytes(op.key);
  out.u64(static_cast<uint64_t>(op.by));
}
void read(Reader& in, Increment& op) {
  op.key = in.bytes();
  op.by = static_cast<int64_t>(in.u64());
}
Status check(const Increment& op) { return check_key(op.key); }

size_t size_of(const Append& op) { return 4 + op.key.size() + 4 + op.bytes.size(); }
void write(const Append& op, Writer& out) {
  out.bytes(op.key);
  out.bytes(op.bytes);
}
void read(Reader& in, Append& op) {
  op.key = in.bytes();
  op.bytes = in.bytes();
}
Status check(const Append& op) {
  if (op.bytes.size() > kMaxValueBytes) return Error{"a value has at most 4194304 bytes"};
  return check_key(op.key);
}

size_t size_of(const Touch& op) { return 4 + op.key.size() + expiry_size(op.expiry) + 1; }
void write(const Touch& op, Writer& out) {
  out.bytes(op.key);
  encode_expiry(op.expiry, out);
  out.u8(static_cast<uint8_t>(op.only));
}
void read(Reader& in, Touch& op) {
  op.key = in.bytes();
  op.expiry = decode_expiry(in);
  const uint8_t only = in.u8();
  if (only > static_cast<uint8_t>(Touch::Only::if_any_earlier)) in.fail();
  op.only = static_cast<Touch::Only>(only);
}
Status check(const Touch& op) {
  if (op.expiry.kind == Expiry::Kind::as_it_was) return Error{"an expiry that stays is no change"};
  if (Status bad = check_expiry(op.expiry); !bad) return bad;
  return check_key(op.key);
}

size_t size_of(const EnqueueEvent& op) { return 4 + op.queue.size() + event_size(op.event); }
void write(const EnqueueEvent& op, Writer& out) {
  out.bytes(op.queue);
  encode_event(op.event, out);
}
void read(Reader& in, EnqueueEvent& op) {
  op.queue = in.bytes();
  op.event = decode_event(in);
}
Status check(const EnqueueEvent& op) {
  if (!is_queue_name_size(op.queue)) return Error{"a queue's name has 1 to 128 bytes"};
  if (op.event.idempotency) return Error{"the request has an idempotency key, an event of it has none"};
  return check_event(op.event);
}

size_t size_of(const SettleEvent& op) { return 4 + op.queue.size() + 1 + 16 + (op.delay ? 9 : 1); }
void write(const SettleEvent& op, Writer& out) {
  out.bytes(op.queue);
  out.u8(static_cast<uint8_t>(op.verb));
  out.u64(op.receipt.id);
  out.u64(op.receipt.delivery);
  out.boolean(op.delay.has_value());
  if (op.delay) out.u64(*op.delay);
}
void read(Reader& in, SettleEvent& op) {
  op.queue = in.bytes();
  const uint8_t verb = in.u8();
  if (verb != static_cast<uint8_t>(SettleVerb::acknowledge) && verb != static_cast<uint8_t>(SettleVerb::release))
    in.fail();
  op.verb = static_cast<SettleVerb>(verb);
  op.receipt.id = in.u64();
  op.receipt.delivery = in.u64();
  if (in.boolean()) op.delay = in.u64();
}
Status check(const SettleEvent& op) {
  if (!is_queue_name_size(op.queue)) return Error{"a queue's name has 1 to 128 bytes"};
  if (op.verb != SettleVerb::acknowledge && op.verb != SettleVerb::release)
    return Error{"a transaction acknowledges or releases"};
  if (op.receipt.id == 0 || op.receipt.delivery == 0) return Error{"that is no receipt"};
  if (op.delay && op.verb != SettleVerb::release) return Error{"only a release has a delay"};
  if (op.delay.value_or(0) > kMaxDelayMs) return Error{"a delay is at most ten years"};
  return ok_status();
}

size_t compares_size(const std::vector<Compare>& compares) {
  size_t size = 4;
  for (const Compare& compare : compares) size += compare_size(compare);
  return size;
}
void encode_compares(const std::vector<Compare>& compares, Writer& out) {
  out.u32(static_cast<uint32_t>(compares.size()));
  for (const Compare& compare : compares) encode_compare(compare, out);
}
void decode_compares(Reader& in, std::vector<Compare>& compares) {
  const uint32_t count = in.count(6);
  if (count > kMaxCompares) in.fail();
  if (in.ok()) compares.reserve(count);
  for (uint32_t i = 0; in.ok() && i < count; ++i) compares.push_back(decode_compare(in));
}
Status check_compares(const std::vector<Compare>& compares) {
  if (compares.size() > kMaxCompares) return Error{"a transaction has at most 128 comparisons"};
  for (const Compare& compare : compares)
    if (Status bad = check_compare(compare); !bad) return bad;
  return ok_status();
}

size_t size_of(const Choose& op) { return compares_size(op.compares) + 8; }
void write(const Choose& op, Writer& out) {
  encode_compares(op.compares, out);
  out.u32(op.held);
  out.u32(op.otherwise);
}
void read(Reader& in, Choose& op) {
  decode_compares(in, op.compares);
  op.held = in.u32();
  op.otherwise = in.u32();
}
Status check(const Choose& op) {
  for (const Compare& compare : op.compares)
    if (compare.target == CompareTarget::queue_length || compare.target == CompareTarget::holds)
      return Error{"a choice among operations compares keys"};
  return check_compares(op.compares);
}

size_t size_of(const CountReady& op) { return 4 + op.queue.size(); }
void write(const CountReady& op, Writer& out) { out.bytes(op.queue); }
void read(Reader& in, CountReady& op) { op.queue = in.bytes(); }
Status check(const CountReady& op) {
  if (!is_queue_name_size(op.queue)) return Error{"a queue's name has 1 to 128 bytes"};
  return ok_status();
}

// --- lists of operations

size_t ops_size(const std::vector<Op>& ops) {
  size_t size = 4;
  for (const Op& op : ops) size += 1 + std::visit([](const auto& one) { return size_of(one); }, op);
  return size;
}

void encode_ops(const std::vector<Op>& ops, Writer& out) {
  out.u32(static_cast<uint32_t>(ops.size()));
  for (const Op& op : ops)
    std::visit(
        [&out](const auto& one) {
          out.u8(one.kKind);
          write(one, out);
        },
        op);
}

// In its place, as an operation is large to move.
template <size_t... I>
void decode_op(uint8_t kind, Reader& in, Op& op, std::index_sequence<I...>) {
  const auto read_as = [&]<typename T>() {
    if (T::kKind != kind) return false;
    read(in, op.emplace<T>());
    return true;
  };
  if (!(read_as.template operator()<std::variant_alternative_t<I, Op>>() || ...)) in.fail();
}

void decode_ops(Reader& in, std::vector<Op>& ops) {
  const uint32_t count = in.count(5);
  if (count > kMaxOps) in.fail();
  if (in.ok()) ops.reserve(count);
  for (uint32_t i = 0; in.ok() && i < count; ++i) {
    const uint8_t kind = in.u8();
    decode_op(kind, in, ops.emplace_back(), std::make_index_sequence<std::variant_size_v<Op>>());
  }
}

Status check_ops(const std::vector<Op>& ops) {
  if (ops.size() > kMaxOps) return Error{"a transaction has at most 1000 operations in each branch"};
  size_t compares = 0;
  size_t chosen_until = 0;
  for (size_t i = 0; i < ops.size(); ++i) {
    if (Status bad = std::visit([](const auto& one) { return check(one); }, ops[i]); !bad) return bad;
    const auto* choose = std::get_if<Choose>(&ops[i]);
    const bool of_queue = std::holds_alternative<EnqueueEvent>(ops[i]) || std::holds_alternative<SettleEvent>(ops[i]) ||
                          std::holds_alternative<CountReady>(ops[i]);
    if (i < chosen_until && (choose != nullptr || of_queue)) return Error{"a choice is among operations on keys"};
    if (choose == nullptr) continue;
    compares += choose->compares.size();
    const uint64_t chosen = uint64_t{choose->held} + choose->otherwise;
    if (compares > kMaxChooseCompares) return Error{"the choices of a transaction have at most 1000 comparisons"};
    if (chosen > ops.size() - i - 1) return Error{"a choice is among operations behind it"};
    chosen_until = i + 1 + chosen;
  }
  return ok_status();
}

}  // namespace

bool brings_data(const Transact& transact) {
  const auto brings = [](const Op& op) {
    return std::holds_alternative<PutKey>(op) || std::holds_alternative<Append>(op) ||
           std::holds_alternative<Increment>(op) || std::holds_alternative<EnqueueEvent>(op);
  };
  return std::any_of(transact.success.begin(), transact.success.end(), brings) ||
         std::any_of(transact.failure.begin(), transact.failure.end(), brings);
}

// --- Transact

size_t encoded_size(const Transact& transact) {
  return 1 + compares_size(transact.compares) + ops_size(transact.success) + ops_size(transact.failure);
}

void encode(const Transact& transact, Writer& out) {
  out.boolean(transact.must_hold);
  encode_compares(transact.compares, out);
  encode_ops(transact.success, out);
  encode_ops(transact.failure, out);
}

void decode(Reader& in, Transact& transact) {
  transact.must_hold = in.boolean();
  decode_compares(in, transact.compares);
  decode_ops(in, transact.success);
  decode_ops(in, transact.failure);
}

Status check_bounds(const Transact& transact, ClusterVersion /*version*/) {
  if (transact.success.empty() && transact.failure.empty()) return Error{"a transaction has an operation"};
  if (Status bad = check_compares(transact.compares); !bad) return bad;
  for (const Op& op : transact.failure)
    if (transact.must_hold && !std::holds_alternative<GetKey>(op) && !std::holds_alternative<ListKeys>(op))
      return Error{"where the comparisons must hold, a failure changes nothing"};
  if (Status bad = check_ops(transact.success); !bad) return bad;
  return check_ops(transact.failure);
}

// --- leases

size_t encoded_size(const GrantLease& /*grant*/) { return 8; }
void encode(const GrantLease& grant, Writer& out) { out.u64(grant.ttl); }
void decode(Reader& in, GrantLease& grant) { grant.ttl = in.u64(); }
Status check_bounds(const GrantLease& grant, ClusterVersion /*version*/) {
  if (grant.ttl < kMinLeaseMs || grant.ttl > kMaxLeaseMs) return Error{"a lease's ttl is 1s to 365d"};
  return ok_status();
}

size_t encoded_size(const KeepLease& /*keep*/) { return 8; }
void encode(const KeepLease& keep, Writer& out) { out.u64(keep.id); }
void decode(Reader& in, KeepLease& keep) { keep.id = in.u64(); }
Status check_bounds(const KeepLease& /*keep*/, ClusterVersion /*version*/) { return ok_status(); }

size_t encoded_size(const RevokeLease& /*revoke*/) { return 8; }
void encode(const RevokeLease& revoke, Writer& out) { out.u64(revoke.id); }
void decode(Reader& in, RevokeLease& revoke) { revoke.id = in.u64(); }
Status check_bounds(const RevokeLease& /*revoke*/, ClusterVersion /*version*/) { return ok_status(); }

}  // namespace wh::machine
