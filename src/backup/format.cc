#include "backup/format.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/hex.h"
#include "base/utf8.h"

namespace wh::backup {

std::vector<std::pair<std::string, MetaValue>> meta_rows(const BackupInfo& info) {
  const auto number = [](uint64_t value) { return MetaValue(static_cast<int64_t>(value)); };
  std::vector<std::pair<std::string, MetaValue>> rows = {
      {"cluster_id", info.cluster_id},     {"cluster_time_ms", number(info.time_ms + info.jumped_ms)},
      {"events", number(info.events)},     {"index", number(info.index.value)},
      {"keys", number(info.keys)},         {"made_at", info.made_at},
      {"node_id", info.node_id},           {"rows_crc32c", number(info.rows_crc)},
      {"sessions", number(info.sessions)}, {"state_digest", to_hex(info.digest)},
      {"term", number(info.term.value)},   {"wormhole_version", info.version},
  };
  if (info.cluster_version == kFirstVersion) return rows;
  rows.emplace_back("cluster_version", number(info.cluster_version));
  rows.emplace_back("idempotency", number(info.idempotency_keys));
  rows.emplace_back("jumped_ms", number(info.jumped_ms));
  for (const machine::SettingRow& row : machine::settings_as_of(info.cluster_version))
    rows.emplace_back("setting_" + std::string(row.name), number(info.settings.*row.value));
  if (info.cluster_version < 3) return rows;
  rows.emplace_back("queues", number(info.queues));
  rows.emplace_back("topics", number(info.bindings));
  rows.emplace_back("last_number", number(info.last_number));
  if (info.cluster_version < 4) return rows;
  rows.emplace_back("leases", number(info.leases));
  rows.emplace_back("keys_since", number(info.store_since.value));
  return rows;
}

uint32_t meta_checksum(const BackupInfo& info) {
  std::string out;
  Writer w(out);
  for (const auto& [name, value] : meta_rows(info)) {
    w.bytes(name);
    w.u8(static_cast<uint8_t>(value.index()));
    if (const auto* number = std::get_if<int64_t>(&value)) {
      w.u64(static_cast<uint64_t>(*number));
    } else {
      w.bytes(std::get<std::string>(value));
    }
  }
  return crc32c(out);
}

bool is_text(std::string_view bytes) { return bytes.find('\0') == std::string_view::npos && is_utf8(bytes); }

uint32_t add_number(uint32_t crc, uint64_t value) {
  std::string out;
  Writer(out).u64(value);
  return crc32c(out, crc);
}

uint32_t add_bytes(uint32_t crc, std::string_view value) { return crc32c(value, add_number(crc, value.size())); }

std::string to_lines(const std::vector<std::pair<std::string_view, std::string_view>>& pairs) {
  std::string out;
  for (const auto& [name, value] : pairs) {
    if (!out.empty()) out += '\n';
    out.append(name).append("=").append(value);
  }
  return out;
}

std::optional<std::vector<std::pair<std::string_view, std::string_view>>> from_lines(std::string_view lines) {
  std::vector<std::pair<std::string_view, std::string_view>> pairs;
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    const size_t equals = line.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    pairs.emplace_back(line.substr(0, equals), line.substr(equals + 1));
    if (line.size() + 1 == lines.size()) return std::nullopt;
    lines.remove_prefix(std::min(lines.size(), line.size() + 1));
  }
  return pairs;
}

}  // namespace wh::backup
