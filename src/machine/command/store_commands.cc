#include "machine/command/store_commands.h"

namespace wh::machine {

Status check_key(std::string_view key) {
  if (key.empty() || key.size() > kMaxKeyBytes) return Error{"a key has 1 to 4096 bytes"};
  return ok_status();
}

size_t encoded_size(const Set& set) {
  size_t size = 4;
  for (const auto& [key, value] : set.pairs) size += 8 + key.size() + value.size();
  return size;
}

size_t encoded_size(const Delete& del) {
  size_t size = 4;
  for (const auto key : del.keys) size += 4 + key.size();
  return size;
}

void encode(const Set& set, Writer& out) {
  out.u32(static_cast<uint32_t>(set.pairs.size()));
  for (const auto& [key, value] : set.pairs) {
    out.bytes(key);
    out.bytes(value);
  }
}

void encode(const Delete& del, Writer& out) {
  out.u32(static_cast<uint32_t>(del.keys.size()));
  for (const auto key : del.keys) out.bytes(key);
}

void decode(Reader& in, Set& set) {
  const uint32_t count = in.count(9);
  if (count > kMaxItems) in.fail();
  if (in.ok()) set.pairs.reserve(count);
  for (uint32_t i = 0; in.ok() && i < count; ++i) {
    const std::string_view key = in.bytes();
    const std::string_view value = in.bytes();
    set.pairs.emplace_back(key, value);
  }
}

void decode(Reader& in, Delete& del) {
  const uint32_t count = in.count(5);
  if (count > kMaxItems) in.fail();
  if (in.ok()) del.keys.reserve(count);
  for (uint32_t i = 0; in.ok() && i < count; ++i) del.keys.push_back(in.bytes());
}

Status check_bounds(const Set& set, ClusterVersion /*version*/) {
  if (set.pairs.empty() || set.pairs.size() > kMaxItems) return Error{"one request sets 1 to 10000 keys"};
  for (const auto& [key, value] : set.pairs) {
    if (Status bad = check_key(key); !bad) return bad;
    if (value.size() > kMaxValueBytes) return Error{"a value has at most 4194304 bytes"};
  }
  return ok_status();
}

Status check_bounds(const Delete& del, ClusterVersion /*version*/) {
  if (del.keys.empty() || del.keys.size() > kMaxItems) return Error{"one request deletes 1 to 10000 keys"};
  for (const auto key : del.keys)
    if (Status bad = check_key(key); !bad) return bad;
  return ok_status();
}

}  // namespace wh::machine
