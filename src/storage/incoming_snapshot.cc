#include "storage/incoming_snapshot.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/log.h"
#include "storage/format.h"

namespace wh::storage {
namespace {
constexpr const char* kPartFile = "snapshot-incoming.wh.tmp";
constexpr const char* kMetaFile = "snapshot-incoming.meta";
constexpr size_t kMaxMetaBytes = size_t{1} << 20;
constexpr size_t kCrcBytes = 4;
}  // namespace

IncomingSnapshot::IncomingSnapshot(Disk& disk, std::string directory, int directory_fd)
    : disk_(disk),
      directory_(std::move(directory)),
      directory_fd_(directory_fd),
      writer_(disk, directory_, directory_fd, kPartFile) {}

bool IncomingSnapshot::owns(std::string_view file) { return file == kPartFile || file == kMetaFile; }

Result<std::optional<raft::PartOfSnapshot>> IncomingSnapshot::recover(
    const std::optional<raft::SnapshotMeta>& recorded) {
  std::optional<raft::SnapshotMeta> meta = read_meta();
  if (!meta || (recorded && meta->index <= recorded->index)) return std::optional<raft::PartOfSnapshot>();
  const Result<bool> reopened = writer_.reopen(*meta);
  if (!reopened) return Error{reopened.error()};
  if (!*reopened) return std::optional<raft::PartOfSnapshot>();
  meta_ = std::move(*meta);
  logf(LogLevel::notice, "%lu of %lu bytes of a leader's snapshot at index %lu are here: it may go on from there",
       writer_.size(), meta_.size, meta_.index.value);
  return std::optional(raft::PartOfSnapshot{meta_, writer_.size()});
}

std::optional<raft::SnapshotMeta> IncomingSnapshot::read_meta() const {
  int fd = -1;
  if (disk_.open(Lane::files, directory_fd_, kMetaFile, O_RDONLY, fd) != 0) return std::nullopt;
  std::string bytes(kMaxMetaBytes, '\0');
  const ssize_t size = ::read(fd, bytes.data(), bytes.size());
  ::close(fd);
  if (size < static_cast<ssize_t>(kCrcBytes)) return std::nullopt;
  const std::string_view record(bytes.data(), static_cast<size_t>(size) - kCrcBytes);
  Reader reader(std::string_view(bytes).substr(record.size(), kCrcBytes));
  if (reader.u32() != crc32c(record)) return std::nullopt;
  return decode_snapshot_meta(record);
}

Status IncomingSnapshot::begin(const raft::SnapshotMeta& meta) {
  no_room_ = exhausted_ = false;
  if (Status status = discard(); !status) return status;
  meta_ = meta;
  if (Status status = writer_.begin(meta); !status) {
    no_room_ = writer_.no_room();
    exhausted_ = writer_.exhausted();
    return status;
  }
  std::string record = encode_snapshot_meta(meta);
  const uint32_t crc = crc32c(record);
  Writer(record).u32(crc);
  const std::string path = directory_ + "/" + kMetaFile;
  int fd = -1;
  const int error = disk_.open(Lane::files, directory_fd_, kMetaFile, O_WRONLY | O_CREAT | O_TRUNC, fd);
  exhausted_ = is_exhausted(error);
  no_room_ = is_no_room(error) || exhausted_;
  if (error != 0) return Error{disk_error("create", path, error)};
  const int written = disk_.write(Lane::files, fd, kMetaFile, 0, record);
  const int synced = written == 0 ? disk_.sync(Lane::files, fd, kMetaFile) : 0;
  ::close(fd);
  no_room_ = is_no_room(written);
  if (written != 0) return Error{disk_error("write", path, written)};
  if (synced != 0) return Error{disk_error("sync", path, synced)};
  return ok_status();
}

Result<IncomingSnapshot::Stored> IncomingSnapshot::store(const raft::SnapshotMeta& meta, uint64_t offset,
                                                         std::string_view data, bool done) {
  if (offset == 0)
    if (Status status = begin(meta); !status) return gave_up(status.error());
  const auto throw_away = [this]() -> Result<Stored> {
    if (Status status = discard(); !status) return Error{status.error()};
    return Stored{};
  };
  // A chunk of another snapshot, out of order, or beyond the announced size (HAZARDS F4, F9).
  if (!writer_.open() || meta_ != meta || writer_.size() != offset || offset > meta.size ||
      data.size() > meta.size - offset)
    return throw_away();
  if (Status status = writer_.write(data); !status) {
    no_room_ = writer_.no_room();
    return gave_up(status.error());
  }
  if (!done) return Stored{.next_offset = writer_.size(), .ok = true};
  if (writer_.size() != meta.size || writer_.meta().crc != meta.crc) return throw_away();
  Result<std::string> file = writer_.finish();
  if (!file) {
    no_room_ = writer_.no_room();
    return gave_up(file.error());
  }
  if (Status status = remove_meta(); !status) return Error{status.error()};
  return Stored{.next_offset = meta.size, .ok = true, .file = std::move(*file)};
}

Result<IncomingSnapshot::Stored> IncomingSnapshot::gave_up(const std::string& error) {
  if (!no_room_) return Error{error};
  if (Status status = remove_meta(); !status) return Error{status.error()};
  if (Status status = writer_.discard(); !status) return Error{status.error()};
  return Stored{.no_room = true, .exhausted = exhausted_};
}

// Removes the meta first: a part without meta is ignored.
Status IncomingSnapshot::discard() {
  if (!writer_.open()) return ok_status();
  if (Status status = remove_meta(); !status) return status;
  return writer_.discard();
}

Status IncomingSnapshot::discard_up_to(raft::Index index) {
  return writer_.open() && meta_.index <= index ? discard() : ok_status();
}

Status IncomingSnapshot::remove_meta() {
  const int error = disk_.remove(Lane::files, directory_fd_, kMetaFile);
  // On some file systems removing takes room: begin() will overwrite the file, and a start ignores it if the part is of
  // another snapshot.
  if (error != 0 && !is_no_room(error)) return Error{disk_error("remove", directory_ + "/" + kMetaFile, error)};
  return ok_status();
}

}  // namespace wh::storage
