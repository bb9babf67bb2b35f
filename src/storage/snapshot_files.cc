#include "storage/snapshot_files.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mutant.h"
#include "storage/format.h"

namespace wh::storage {
namespace {

constexpr std::string_view kMagic = "WHSNAP01";
constexpr size_t kFooterSize = 8 + 4 + 4;
// Written to the device on the way in small pieces: the database's syncs wait behind what the device is at, so a sync
// of 8 MiB at a time made the p99 of writes beside a snapshot a fifth to a half higher. A piece promises nothing:
// finish() syncs.
constexpr uint64_t kWriteOutEvery = 1 << 20;
constexpr size_t kReadSize = 1 << 20;

std::string header_of(raft::SnapshotMeta meta) {
  meta.size = 0;
  meta.crc = 0;
  meta.chain = 0;
  std::string out(kMagic);
  Writer w(out);
  w.bytes(encode_snapshot_meta(meta));
  w.u32(crc32c(out));
  return out;
}

std::string footer_of(const raft::SnapshotMeta& meta) {
  std::string out;
  Writer w(out);
  w.u64(meta.size);
  w.u32(meta.crc);
  w.u32(crc32c(out));
  return out;
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

// Reads up to `size` bytes; fewer at the file's end. Returns 0 or an errno.
int read_at(int fd, uint64_t offset, size_t size, std::string& out) {
  out.resize(size);
  size_t have = 0;
  while (have < size) {
    const ssize_t n = ::pread(fd, out.data() + have, size - have, static_cast<off_t>(offset + have));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    if (n == 0) break;
    have += static_cast<size_t>(n);
  }
  out.resize(have);
  return 0;
}

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

}  // namespace

bool is_snapshot_name(std::string_view file) {
  constexpr std::string_view kStart = "snapshot-";
  constexpr std::string_view kEnd = ".wh";
  if (file.substr(0, kStart.size()) != kStart || !ends_with(file, kEnd)) return false;
  file.remove_prefix(kStart.size());
  file.remove_suffix(kEnd.size());
  return !file.empty() && file.find_first_not_of("0123456789-") == std::string_view::npos;
}

bool is_snapshot_leftover(std::string_view file) {
  return file.substr(0, 9) == "snapshot-" && (ends_with(file, ".wh.tmp") || file == "snapshot-incoming.meta");
}

SnapshotWriter::~SnapshotWriter() {
  if (fd_ >= 0) ::close(fd_);
}

Status SnapshotWriter::begin(const raft::SnapshotMeta& meta) {
  if (Status status = discard(); !status) return status;
  const int error = disk_.open(Lane::files, directory_fd_, temporary_, O_RDWR | O_CREAT | O_TRUNC, fd_);
  exhausted_ = is_exhausted(error);
  no_room_ = is_no_room(error) || exhausted_;
  if (error != 0) return Error{disk_error("create", path(), error)};
  at_ = written_out_ = 0;
  meta_ = meta;
  meta_.size = 0;
  meta_.crc = 0;
  return put(header_of(meta_));
}

Result<bool> SnapshotWriter::reopen(const raft::SnapshotMeta& meta) {
  WH_ASSERT(fd_ < 0, "only what nobody writes is reopened");
  if (disk_.open(Lane::files, directory_fd_, temporary_, O_RDWR, fd_) != 0) return false;
  const int fd = fd_;
  const std::string header = header_of(meta);
  std::string part;
  if (read_at(fd, 0, header.size(), part) != 0 || part != header) {
    ::close(std::exchange(fd_, -1));
    return false;
  }
  meta_ = meta;
  meta_.size = meta_.crc = 0;
  while (meta_.size + 1 < meta.size) {
    const size_t size = static_cast<size_t>(std::min<uint64_t>(kReadSize, meta.size - 1 - meta_.size));
    if (read_at(fd, header.size() + meta_.size, size, part) != 0 || part.empty()) break;
    meta_.size += part.size();
    meta_.crc = crc32c(part, meta_.crc);
  }
  // Nothing is known to be on the device; new data overwrites whatever follows, perhaps a footer.
  at_ = header.size() + meta_.size;
  written_out_ = 0;
  return true;
}

Status SnapshotWriter::put(std::string_view bytes) {
  int error = disk_.write(Lane::files, fd_, temporary_, at_, bytes);
  no_room_ = is_no_room(error);
  if (error != 0) return Error{disk_error("write", path(), error)};
  at_ += bytes.size();
  if (at_ - written_out_ < kWriteOutEvery) return ok_status();
  error = disk_.write_out(Lane::files, fd_, temporary_);
  if (error != 0) return Error{disk_error("write", path(), error)};
  written_out_ = at_;
  return ok_status();
}

Status SnapshotWriter::write(std::string_view state) {
  WH_ASSERT(fd_ >= 0, "a slice of a snapshot that was not begun");
  meta_.size += state.size();
  meta_.crc = crc32c(state, meta_.crc);
  return put(state);
}

Result<std::string> SnapshotWriter::finish() {
  WH_ASSERT(fd_ >= 0, "a snapshot that was not begun is finished");
  if (Status status = put(footer_of(meta_)); !status) return Error{status.error()};
  int error = WH_MUTANT(snapshot_renamed_unsynced) ? 0 : disk_.sync(Lane::files, fd_, temporary_);
  if (error != 0) return Error{disk_error("sync", path(), error)};
  ::close(fd_);
  fd_ = -1;
  // Never replaces another file: the database may have recorded it.
  const std::string stem = "snapshot-" + std::to_string(meta_.index.value) + "-" + std::to_string(meta_.term.value);
  std::string name = stem + ".wh";
  for (int n = 2; ::faccessat(directory_fd_, name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0; ++n)
    name = stem + "-" + std::to_string(n) + ".wh";
  error = disk_.rename(Lane::files, directory_fd_, temporary_, name);
  no_room_ = is_no_room(error);
  if (error != 0) return Error{disk_error("rename", path(), error)};
  error = WH_MUTANT(rename_not_synced) ? 0 : disk_.sync_directory(Lane::files, directory_fd_);
  if (error != 0) return Error{disk_error("sync", directory_, error)};
  return name;
}

Status SnapshotWriter::discard() {
  if (fd_ >= 0) ::close(fd_);
  if (fd_ < 0 && !no_room_) return ok_status();
  fd_ = -1;
  const int error = disk_.remove(Lane::files, directory_fd_, temporary_);
  // On some file systems removing takes room: begin() will overwrite the file, and the next start tries again.
  if (error != 0 && !is_no_room(error)) return Error{disk_error("remove", path(), error)};
  return ok_status();
}

Result<std::optional<SnapshotPart>> read_snapshot_part(Disk& disk, const std::string& directory, int directory_fd,
                                                       const std::string& file, const raft::SnapshotMeta& meta,
                                                       uint64_t offset, uint64_t max_bytes) {
  const std::string path = directory + "/" + file;
  int opened = -1;
  const int cause = disk.open(Lane::files, directory_fd, file, O_RDONLY, opened);
  const Descriptor fd(opened);
  if (cause == ENOENT) return std::optional<SnapshotPart>();
  if (is_exhausted(cause)) return std::optional(SnapshotPart{.data = {}, .done = false, .exhausted = true});
  if (cause != 0) return Error{disk_error("open", path, cause)};
  if (offset > meta.size) return std::optional<SnapshotPart>();
  const uint64_t size = std::min(max_bytes, meta.size - offset);
  SnapshotPart part{.data = {}, .done = offset + size == meta.size};
  const int error = read_at(fd.get(), header_of(meta).size() + offset, size, part.data);
  if (error != 0) return Error{disk_error("read", path, error)};
  if (part.data.size() != size) return Error{damage(directory, file + ": is shorter than its record says")};
  return std::optional<SnapshotPart>(std::move(part));
}

std::optional<Status> verify_snapshot(Disk& disk, int directory_fd, const std::string& file,
                                      const raft::SnapshotMeta& meta) {
  int opened = -1;
  const int cause = disk.open(Lane::files, directory_fd, file, O_RDONLY, opened);
  const Descriptor fd(opened);
  if (is_exhausted(cause)) return std::nullopt;
  if (cause == ENOENT) return Error{file + ": the recorded snapshot is missing"};
  if (cause != 0) return Error{file + ": cannot be opened"};
  const std::string header = header_of(meta);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) return Error{file + ": is no regular file"};
  if (static_cast<uint64_t>(info.st_size) != header.size() + meta.size + kFooterSize)
    return Error{file + ": its size is not what the record says"};
  std::string part;
  if (read_at(fd.get(), 0, header.size(), part) != 0 || part != header)
    return Error{file + ": its header does not match the record"};
  uint32_t crc = 0;
  for (uint64_t at = 0; at < meta.size; at += part.size()) {
    const size_t size = static_cast<size_t>(std::min<uint64_t>(kReadSize, meta.size - at));
    if (read_at(fd.get(), header.size() + at, size, part) != 0 || part.size() != size)
      return Error{file + ": cannot be read at byte " + std::to_string(header.size() + at)};
    crc = crc32c(part, crc);
  }
  if (crc != meta.crc) return Error{file + ": the checksum of the state does not match"};
  if (read_at(fd.get(), header.size() + meta.size, kFooterSize, part) != 0 || part != footer_of(meta))
    return Error{file + ": its footer does not match the record"};
  return ok_status();
}

}  // namespace wh::storage
