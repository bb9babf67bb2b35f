#include "machine/command/cluster_commands.h"

#include "machine/settings.h"
#include "raft/types.h"

namespace wh::machine {

size_t encoded_size(const Due& /*due*/) { return 0; }
size_t encoded_size(const AdvanceTime& /*advance*/) { return 8; }
size_t encoded_size(const PutSettings& put) {
  size_t size = 4;
  for (const auto& [name, value] : put.values) size += 4 + name.size() + sizeof value;
  return size;
}

void encode(const Due& /*due*/, Writer& /*out*/) {}
void encode(const AdvanceTime& advance, Writer& out) { out.u64(advance.to_ms); }
void encode(const PutSettings& put, Writer& out) {
  out.u32(static_cast<uint32_t>(put.values.size()));
  for (const auto& [name, value] : put.values) {
    out.bytes(name);
    out.u64(value);
  }
}

void decode(Reader& /*in*/, Due& /*due*/) {}

void decode(Reader& in, AdvanceTime& advance) { advance.to_ms = in.u64(); }

void decode(Reader& in, PutSettings& put) {
  const uint32_t count = in.count(12);
  if (count > kMaxSettings) in.fail();
  for (uint32_t i = 0; in.ok() && i < count; ++i) {
    const std::string_view name = in.bytes();
    const uint64_t value = in.u64();
    put.values.emplace_back(name, value);
  }
}

Status check_bounds(const Due& /*due*/, ClusterVersion /*version*/) { return ok_status(); }

Status check_bounds(const AdvanceTime& advance, ClusterVersion /*version*/) {
  if (advance.to_ms >= raft::kLimit) return Error{"a time lies beyond all times"};
  return ok_status();
}

Status check_bounds(const PutSettings& put, ClusterVersion version) {
  if (put.values.empty() || put.values.size() > kMaxSettings) return Error{"one request changes 1 to 64 settings"};
  for (const auto& [name, value] : put.values) {
    const SettingRow* row = find_setting(name);
    if (row == nullptr || row->since > version) return Error{"there is no such setting"};
    if (value < row->min || value > row->max) return Error{"a setting is out of its range"};
  }
  return ok_status();
}

}  // namespace wh::machine
