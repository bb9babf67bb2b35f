// Makes a backup file from a snapshot's bytes, in pieces small enough for a worker's job. The file lies in the data
// directory, named storage::kBackupTemporary only while it is created and nameless afterwards: even a crash leaves
// nothing behind. Blocking: every method runs as a job, one at a time. Made and driven by api/http/streams/backups.cc.
//
// It does not use storage::Disk: no promise rests on the file, a failed write fails only this backup, and a slow write
// must not count as a stalled disk.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "backup/format.h"
#include "base/result.h"
#include "machine/snapshot/snapshot_reader.h"
#include "storage/statement.h"

namespace wh::backup {

// A finished backup, open for reading; it vanishes when closed.
class BackupFile {
 public:
  BackupFile(int fd, uint64_t size) : fd_(fd), size_(size) {}
  ~BackupFile();
  BackupFile(const BackupFile&) = delete;
  BackupFile& operator=(const BackupFile&) = delete;
  [[nodiscard]] uint64_t size() const { return size_; }
  // Reads `size` bytes at `offset`, which must be within the file; blocking.
  [[nodiscard]] Result<std::string> read(uint64_t offset, size_t size) const;

 private:
  int fd_;
  uint64_t size_;
};

class BackupWriter final : private machine::SnapshotSink {
 public:
  // `info` without what the rows determine: counts, digest, checksum. `keep_free`: bytes of the file system left to
  // others.
  BackupWriter(std::string directory, BackupInfo info, uint64_t keep_free);
  ~BackupWriter() override;
  BackupWriter(const BackupWriter&) = delete;
  BackupWriter& operator=(const BackupWriter&) = delete;

  // `expected`: about how many bytes will come. Refuses when there is no room for them.
  Status begin(uint64_t expected);
  Status feed(std::string_view snapshot);
  // After the last feed(): reads back rows for the checksum, some at a time. False when all are read.
  Result<bool> finish_some();
  // Finally: the file.
  Result<std::shared_ptr<BackupFile>> take();

  // After an error: whether the file system had no room.
  [[nodiscard]] bool no_room() const { return no_room_; }

 private:
  Status begin(const machine::SnapshotHead& head) override;
  Status key(std::string_view key, std::string_view value) override;
  Status item(const machine::StoreItem& item) override;
  Status lease(uint64_t id, Millis ttl, Millis deadline) override;
  Status event(std::string_view queue, raft::Index id, std::string_view event) override;
  Status queue(const machine::QueueItem& queue) override;
  Status queue_event(const machine::EventItem& event) override;
  Status binding(const machine::BindingItem& binding) override;
  Status session(std::string_view record) override;
  Status cluster(const machine::SnapshotCluster& cluster) override;
  Status idempotency(std::string_view name, const machine::IdempotencyKeys::Answer& answer,
                     std::string_view reply) override;
  Status end(uint64_t digest) override;

  Status check_room(uint64_t needed);
  Status write_meta();
  Error sql_error(std::string_view what);
  Status inserted(storage::Statement& statement);

  std::string directory_;
  BackupInfo info_;
  uint64_t keep_free_;
  sqlite3* db_ = nullptr;
  int fd_ = -1;
  bool no_room_ = false;
  uint64_t fed_ = 0;
  uint64_t room_checked_at_ = 0;
  machine::SnapshotReader reader_{*this};
  std::array<storage::Statement, std::size(kTables)> inserts_;  // by table
  storage::Statement select_;
  size_t table_ = 0;  // the table whose rows are being read back
  bool selecting_ = false;
};

// Binds bytes as TEXT or BLOB, as is_text() says.
void bind_bytes(storage::Statement& statement, int at, std::string_view bytes);
// Adds the current row of a table's select.
uint32_t add_row(uint32_t crc, const Table& table, const storage::Statement& row);

}  // namespace wh::backup
