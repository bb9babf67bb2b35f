// The rows of INFO's section Persistence: the disk, snapshots, backups.
#include <array>
#include <cstdio>
#include <string>

#include "base/log.h"
#include "config/option_table.h"
#include "metrics/rows.h"

namespace wh::metrics {
namespace {

using namespace rows;

std::string option(const S& s, std::string_view name) {
  return config::option_text(s.options, *config::find_option(name));
}

const Histogram& database_syncs(const S& s) {
  return s.storage.stats().syncs_us[static_cast<size_t>(storage::Lane::database)];
}

uint64_t disk_bytes_written(const S& s) {
  uint64_t bytes = 0;
  for (const uint64_t of_lane : s.storage.stats().disk_bytes_written) bytes += of_lane;
  return bytes;
}

constexpr std::array<std::string_view, storage::kLanes> kLaneNames{"log", "snapshots"};
void syncs_took(const S& s, Samples& out) {
  for (size_t lane = 0; lane < storage::kLanes; ++lane)
    out.histogram({{"file", kLaneNames[lane]}}, s.storage.stats().syncs_us[lane]);
}

// clang-format off
const Figure kPersistenceRows[] = {
  // 1 while the snapshot on the disk is loaded at the start: clients of Redis wait for it.
  {.section = I::persistence, .field = "loading", .read = [](const S& s) {
     return number(raft_of(s) == nullptr && s.node.identity().cluster != node::kNoCluster ? 1 : 0); }},
  {.section = I::persistence, .field = "dir",
   .read = [](const S& s) -> Text { return printable(s.storage.directory()); }},
  {.section = I::persistence, .field = "appendfsync",
   .read = [](const S& s) -> Text { return option(s, "appendfsync"); }},
  {.section = I::persistence, .field = "acknowledged_means", .read = [](const S& s) -> Text {
     return s.options.appendfsync == config::AppendFsync::always
                ? "on the disks of a majority"
                : "received by a majority; a power failure may lose the last moments"; }},
  {.section = I::persistence, .field = "batches_persisted", .metric = "wormhole_storage_batches_total",
   .type = M::counter, .help = "Batches of log entries, votes and terms that reached the disk",
   .read = [](const S& s) { return number(s.node.counters().batches_persisted); }},
  {.section = I::persistence, .field = "entries_written", .metric = "wormhole_storage_entries_written_total",
   .type = M::counter, .help = "Log entries written to the disk",
   .read = [](const S& s) { return number(s.storage.stats().entries_written); }},
  {.section = I::persistence, .field = "entry_bytes_written", .metric = "wormhole_storage_entry_bytes_written_total",
   .type = M::counter, .unit = U::bytes, .help = "Size of the log entries written to the disk",
   .read = [](const S& s) { return number(s.storage.stats().entry_bytes_written); }},
  {.section = I::persistence, .field = "disk_bytes_written", .metric = "wormhole_storage_bytes_written_total",
   .type = M::counter, .unit = U::bytes, .help = "Bytes written to all files of the data directory",
   .read = [](const S& s) { return number(disk_bytes_written(s)); }},
  {.section = I::persistence, .field = "write_amplification", .read = [](const S& s) -> Text {
     if (s.storage.stats().entry_bytes_written == 0) return std::nullopt;
     char text[32];
     std::snprintf(text, sizeof text, "%.2f", static_cast<double>(disk_bytes_written(s)) /
                                                  static_cast<double>(s.storage.stats().entry_bytes_written));
     return text; }},
  {.section = I::persistence, .field = "entries_read_back", .metric = "wormhole_storage_entries_read_total",
   .type = M::counter, .help = "Log entries read back from the disk, because the log's cache no longer had them",
   .read = [](const S& s) { return number(s.storage.stats().entries_read); }},
  {.section = I::persistence, .field = "commit_usec", .metric = "wormhole_storage_commit_duration_seconds",
   .type = M::histogram, .unit = U::microseconds,
   .help = "How long a transaction of the log took, with its sync",
   .read = [](const S& s) -> const Histogram& { return s.storage.stats().commits_us; }},
  {.section = I::persistence, .field = "commit_entries", .metric = "wormhole_storage_commit_entries",
   .type = M::histogram, .help = "Log entries in one transaction",
   .read = [](const S& s) -> const Histogram& { return s.storage.stats().commit_entries; }},
  {.section = I::persistence, .field = "sync_usec", .read = database_syncs},
  {.metric = "wormhole_storage_sync_duration_seconds", .type = M::histogram, .unit = U::microseconds,
   .help = "How long a single sync took, by what was synced", .read = syncs_took},
  {.section = I::persistence, .field = "sync_age_ms", .metric = "wormhole_storage_sync_age_seconds",
   .unit = U::milliseconds, .help = "For how long the disk call now under way has been running, 0 for none",
   .read = [](const S& s) { return number(s.storage.sync_age()); }},
  {.section = I::persistence, .field = "disk_free_bytes", .metric = "wormhole_disk_free_bytes", .unit = U::bytes,
   .help = "What is free in the file system of the data directory",
   .read = [](const S& s) { return number(s.node.room().space().free_bytes); }},
  {.section = I::persistence, .field = "disk_total_bytes", .metric = "wormhole_disk_size_bytes", .unit = U::bytes,
   .help = "Size of the file system of the data directory",
   .read = [](const S& s) { return number(s.node.room().space().total_bytes); }},
  {.section = I::persistence, .field = "disk_low", .metric = "wormhole_disk_low",
   .help = "Whether less than min-free-disk is free",
   .read = [](const S& s) { return number(s.node.room().low() ? 1 : 0); }},
  {.section = I::persistence, .field = "disk_full", .metric = "wormhole_disk_full",
   .help = "Whether a write found no room and waits for some",
   .read = [](const S& s) { return number(s.node.room().space().full ? 1 : 0); }},
  {.section = I::persistence, .field = "wal_bytes", .metric = "wormhole_storage_wal_bytes", .unit = U::bytes,
   .help = "Size of the database's write-ahead log that is in use",
   .read = [](const S& s) { return number(s.storage.stats().wal_bytes); }},
  {.section = I::persistence, .field = "checkpoints", .metric = "wormhole_storage_checkpoints_total",
   .type = M::counter, .help = "Checkpoints of the write-ahead log",
   .read = [](const S& s) { return number(s.storage.stats().checkpoints); }},
  {.section = I::persistence, .field = "snapshot_in_progress", .metric = "wormhole_snapshot_in_progress",
   .help = "Whether this node is taking a snapshot of its state",
   .read = [](const S& s) { return number(s.node.snapshot_in_progress() ? 1 : 0); }},
  {.section = I::persistence, .field = "snapshots_taken", .metric = "wormhole_snapshots_taken_total",
   .type = M::counter, .help = "Snapshots that this node took of its own state",
   .read = [](const S& s) { return number(s.node.counters().snapshots_taken); }},
  {.section = I::persistence, .field = "snapshots_installed", .metric = "wormhole_snapshots_installed_total",
   .type = M::counter, .help = "Snapshots received from a leader and taken over",
   .read = [](const S& s) { return number(s.node.counters().snapshots_installed); }},
  {.section = I::persistence, .field = "backup_in_progress", .metric = "wormhole_backup_in_progress",
   .help = "Whether a backup is being made or read on this node",
   .read = [](const S& s) { return number(s.backups.busy() ? 1 : 0); }},
  {.section = I::persistence, .field = "backups_made", .metric = "wormhole_backups_made_total", .type = M::counter,
   .help = "Backups that were made on this node",
   .read = [](const S& s) { return number(s.backups.counters().made); }},
  {.section = I::persistence, .field = "backups_failed", .metric = "wormhole_backups_failed_total", .type = M::counter,
   .help = "Backups that were begun on this node and given up",
   .read = [](const S& s) { return number(s.backups.counters().failed); }},
  {.section = I::persistence, .field = "snapshot_bytes_written", .metric = "wormhole_snapshot_bytes_written_total",
   .type = M::counter, .unit = U::bytes, .help = "Bytes of snapshots written to the disk, own ones and received ones",
   .read = [](const S& s) { return number(s.storage.stats().snapshot_bytes_written); }},
};
// clang-format on

}  // namespace

std::span<const Figure> persistence_rows() { return kPersistenceRows; }

}  // namespace wh::metrics
