#include "storage/format.h"

#include "base/hash.h"

namespace wh::storage {
namespace {

std::string entry_header(const raft::Entry& entry) {
  std::string out;
  out.reserve(40);
  Writer w(out);
  w.u64(entry.index.value);
  w.u64(entry.term.value);
  w.u8(static_cast<uint8_t>(entry.kind));
  w.u64(entry.time_ms);
  return out;
}

}  // namespace

uint32_t meta_crc(const Meta& meta) {
  std::string out;
  Writer w(out);
  w.raw({reinterpret_cast<const char*>(meta.cluster.data()), meta.cluster.size()});
  w.u64(meta.instance.value);
  w.bytes(meta.name);
  w.u64(meta.epoch);
  w.u64(meta.revision);
  w.u64(meta.hard_state.current_term.value);
  w.u64(meta.hard_state.voted_for.value);
  w.u64(meta.granted_to.value);
  w.u64(meta.granted_attempt);
  w.bytes(meta.granted_address);
  w.u64(meta.base_index.value);
  w.u64(meta.base_term.value);
  w.u64(meta.base_chain);
  w.boolean(meta.saw_command);
  w.boolean(meta.saw_others);
  return crc32c(out);
}

uint64_t next_chain(uint64_t previous, const raft::Entry& entry) {
  return mix64(previous, hash64(entry.payload.view(), hash64(entry_header(entry))));
}

uint32_t row_crc(const raft::Entry& entry, uint64_t chain) {
  std::string header = entry_header(entry);
  Writer(header).u64(chain);
  return crc32c(entry.payload.view(), crc32c(header));
}

std::string encode_snapshot_meta(const raft::SnapshotMeta& meta) {
  std::string out;
  Writer w(out);
  w.u64(meta.index.value);
  w.u64(meta.term.value);
  w.u64(meta.configuration_index.value);
  w.bytes(meta.configuration.encode());
  w.u64(meta.time_ms);
  w.u64(meta.chain);
  w.u64(meta.size);
  w.u32(meta.crc);
  return out;
}

std::optional<raft::SnapshotMeta> decode_snapshot_meta(std::string_view bytes) {
  Reader r(bytes);
  raft::SnapshotMeta meta;
  meta.index = raft::Index{r.u64()};
  meta.term = raft::Term{r.u64()};
  meta.configuration_index = raft::Index{r.u64()};
  const std::optional<raft::Configuration> configuration = raft::Configuration::decode(r.bytes());
  meta.time_ms = r.u64();
  meta.chain = r.u64();
  meta.size = r.u64();
  meta.crc = r.u32();
  if (!r.complete() || !configuration) return std::nullopt;
  meta.configuration = *configuration;
  return meta;
}

uint32_t snapshot_row_crc(std::string_view record, std::string_view file) { return crc32c(file, crc32c(record)); }

std::string damage(const std::string& directory, std::string_view what) {
  std::string out = directory + "/" + std::string(what);
  out += ". This node cannot trust its disk and does not run. To replace it, move its files away: cd '" + directory +
         "' && mkdir damaged && mv wormhole.db* witness snapshot-* damaged/ ; then start it again with the directive "
         "join naming other members of its cluster: it is taken back with an empty disk and catches up";
  return out;
}

}  // namespace wh::storage
