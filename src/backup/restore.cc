#include "backup/restore.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <memory>
#include <unistd.h>
#include <utility>
#include <vector>

#include "machine/machine.h"
#include "storage/database.h"
#include "storage/directory.h"
#include "storage/format.h"
#include "storage/snapshot_files.h"

namespace wh::backup {
namespace {

using storage::Lane;

constexpr size_t kSliceBytes = 1 << 20;

// Which entries make a directory non-empty: a file system's root has lost+found.
bool counts(const std::string& name) {
  return name != "." && name != ".." && name != "lost+found" && name != storage::kLockFile;
}

Status check_empty(const std::string& directory, std::vector<std::string> names) {
  std::erase_if(names, [](const std::string& name) { return !counts(name); });
  if (names.empty()) return ok_status();
  if (std::find(names.begin(), names.end(), storage::kRestoreMarker) != names.end())
    return Error{directory + " holds a restore that was cut off (" + storage::kRestoreMarker +
                 "): empty the directory and restore again"};
  std::sort(names.begin(), names.end());
  std::string some = names[0];
  for (size_t i = 1; i < names.size() && i < 3; ++i) some += ", " + names[i];
  if (names.size() > 3) some += " and " + std::to_string(names.size() - 3) + " more";
  return Error{directory + " is not empty: it holds " + some + "; a backup is restored into an empty directory only"};
}

class Restore {
 public:
  Restore(const storage::Directory& directory, const Founder& founder, storage::DiskProbe* probe)
      : directory_(directory), founder_(founder), disk_(probe) {}

  Status run(Backup backup, raft::Index index) {
    if (Status marked = mark(); !marked) return marked;
    Status written = write(std::move(backup), index);
    if (!written) return written;
    return unmark();
  }

  // Removes what a failed restore made, the marker last.
  void clean_up() {
    const Result<std::vector<std::string>> names = directory_.files();
    if (!names) return;
    for (const std::string& name : *names)
      if (counts(name) && name != storage::kRestoreMarker) (void)disk_.remove(Lane::files, directory_.fd(), name);
    (void)unmark();
  }

 private:
  Status mark() {
    const std::string path = directory_.path() + "/" + storage::kRestoreMarker;
    const int fd =
        ::openat(directory_.fd(), storage::kRestoreMarker, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return Error{storage::disk_error("create", path, errno)};
    int error = disk_.write(Lane::files, fd, storage::kRestoreMarker, 0, "a backup is being restored here\n");
    if (error == 0) error = disk_.sync(Lane::files, fd, storage::kRestoreMarker);
    ::close(fd);
    if (error == 0) error = disk_.sync_directory(Lane::files, directory_.fd());
    if (error != 0) return Error{storage::disk_error("write", path, error)};
    return ok_status();
  }

  Status unmark() {
    int error = disk_.remove(Lane::files, directory_.fd(), storage::kRestoreMarker);
    if (error == 0) error = disk_.sync_directory(Lane::files, directory_.fd());
    if (error != 0)
      return Error{storage::disk_error("remove", directory_.path() + "/" + storage::kRestoreMarker, error)};
    return ok_status();
  }

  Status write(Backup backup, raft::Index index) {
    raft::SnapshotMeta meta{
        .index = index,
        .term = std::max(backup.info.term, raft::Term{1}),
        .configuration_index = index,
        .configuration = raft::Configuration(
            {raft::Member{.id = founder_.instance, .name = founder_.name, .raft_address = founder_.raft_address}}),
        .time_ms = backup.state.time_ms};
    backup.state.applied = index;
    storage::Database database(disk_, directory_.path(), {.name = founder_.name, .instance = founder_.instance});
    if (const auto opened = database.open(directory_.fd()); !opened) return Error{opened.error()};
    Result<std::string> file = write_snapshot(meta, std::move(backup.state));
    if (!file) return Error{file.error()};
    std::vector<storage::Write> writes;
    writes.emplace_back(node::NewBeginning{founder_.cluster, {meta.term, raft::kNobody}, std::nullopt});
    storage::BatchWrite batch;
    batch.batch.install = raft::InstallState{meta, false};
    batch.batch.version = backup.info.cluster_version;
    batch.install_file = *file;
    writes.emplace_back(std::move(batch));
    return database.write(writes);
  }

  // Fills in size and checksum of `meta`.
  Result<std::string> write_snapshot(raft::SnapshotMeta& meta, machine::State state) {
    storage::SnapshotWriter writer(disk_, directory_.path(), directory_.fd(), "snapshot-own.wh.tmp");
    if (Status begun = writer.begin(meta); !begun) return Error{begun.error()};
    machine::Machine machine;
    (void)machine.replace(std::move(state));
    machine.begin_snapshot();
    for (std::string slice; machine.next_slice(kSliceBytes, slice);)
      if (Status written = writer.write(slice); !written) return Error{written.error()};
    Result<std::string> name = writer.finish();
    if (name) meta = writer.meta();
    return name;
  }

  const storage::Directory& directory_;
  const Founder& founder_;
  storage::Disk disk_;
};

}  // namespace

Result<raft::Index> restore_backup(Backup backup, const std::string& path, const Founder& founder,
                                   storage::DiskProbe* probe) {
  std::error_code error;
  std::vector<std::string> names;
  // Checked before locking, so that a refusal leaves no file behind.
  for (std::filesystem::directory_iterator at(path, error), end; !error && at != end; at.increment(error))
    names.push_back(at->path().filename());
  if (error && error != std::errc::no_such_file_or_directory)
    return Error{"cannot list " + path + ": " + error.message()};
  if (Status empty = check_empty(path, std::move(names)); !empty) return Error{empty.error()};
  Result<storage::Directory> directory = storage::Directory::open(path);
  if (!directory) return Error{directory.error()};
  Result<std::vector<std::string>> files = directory->files();
  if (!files) return Error{files.error()};
  if (Status empty = check_empty(directory->path(), std::move(*files)); !empty) return Error{empty.error()};

  const raft::Index index = backup.info.index + kIndexGap;
  Restore restore(*directory, founder, probe);
  if (Status done = restore.run(std::move(backup), index); !done) {
    restore.clean_up();
    return Error{done.error()};
  }
  return index;
}

}  // namespace wh::backup
