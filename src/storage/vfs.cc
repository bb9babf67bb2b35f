#include "storage/vfs.h"

#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <new>
#include <unistd.h>
#include <utility>

#include <sqlite3.h>

#include "base/assert.h"
#include "base/mutant.h"

namespace wh::storage {
namespace {

// A run of writes is passed on at this size. SQLite takes 128 KiB and more in one write for a full disk.
constexpr size_t kGatherBytes = 64 << 10;

// SQLite allocates szOsFile bytes for a file: our File, followed by the real one. SQLite writes a page of its WAL by
// two calls, and the pages of a commit one by one: writes that follow each other are gathered, and made by one call
// before anything else is done to the file. Only a sync makes a write durable, so that no promise depends on when it is
// made.
struct File {
  sqlite3_file base;
  Vfs* vfs;
  const char* name;        // within the directory; SQLite keeps it alive
  std::string* gathered;   // owned; null: the file is closed
  sqlite3_int64 position;  // of `gathered`
  // The real file follows.
};
static_assert(sizeof(File) % 8 == 0);

File* self(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
sqlite3_file* real(sqlite3_file* file) {
  return reinterpret_cast<sqlite3_file*>(reinterpret_cast<char*>(file) + sizeof(File));
}
sqlite3_vfs* below() { return sqlite3_vfs_find(nullptr); }
Vfs* owner(sqlite3_vfs* vfs) { return static_cast<Vfs*>(vfs->pAppData); }

const char* base_name(const char* path) {
  const char* name = path;
  for (const char* p = path; *p != 0; ++p)
    if (*p == '/') name = p + 1;
  return name;
}

// Runs `call` (which returns a code of SQLite's) through the disk; an injected errno becomes `failure`, or SQLITE_FULL
// when a write finds no room (for a sync, that is a failed sync).
template <typename Call>
int run(Vfs* vfs, const DiskEvent& event, int failure, Call call) {
  int code = SQLITE_OK;
  errno = 0;
  const int error = vfs->disk().run(Lane::database, event, [&] {
    code = call();
    if (code == SQLITE_OK) return 0;
    // SQLite only knows ENOSPC: a used-up quota, or a file that may not grow, is a full disk as well.
    const int cause = errno;
    if (is_no_room(cause) && code == SQLITE_IOERR_WRITE) code = SQLITE_FULL;
    if (code == SQLITE_FULL) return is_no_room(cause) ? cause : ENOSPC;
    return cause != 0 ? cause : EIO;
  });
  if (error == 0) return SQLITE_OK;
  vfs->note_error(error);
  if (code != SQLITE_OK) return code;
  return is_no_room(error) && failure == SQLITE_IOERR_WRITE ? SQLITE_FULL : failure;
}

// Makes the gathered writes. If that fails they are forgotten: SQLite undoes what they belong to, and writes anew.
int write_gathered(sqlite3_file* file) {
  File& mine = *self(file);
  std::string& bytes = *mine.gathered;
  if (bytes.empty()) return SQLITE_OK;
  const DiskEvent event{
      .kind = DiskEvent::Kind::write, .file = mine.name, .offset = static_cast<uint64_t>(mine.position), .data = bytes};
  const int code = run(mine.vfs, event, SQLITE_IOERR_WRITE, [&] {
    return real(file)->pMethods->xWrite(real(file), bytes.data(), static_cast<int>(bytes.size()), mine.position);
  });
  bytes.clear();
  return code;
}

int file_close(sqlite3_file* file) {
  const int written = write_gathered(file);
  delete std::exchange(self(file)->gathered, nullptr);
  const int closed = real(file)->pMethods->xClose(real(file));
  return written != SQLITE_OK ? written : closed;
}
int file_read(sqlite3_file* file, void* data, int size, sqlite3_int64 offset) {
  if (const int code = write_gathered(file); code != SQLITE_OK) return code;
  // A hanging device may hang in a read as well.
  return self(file)->vfs->disk().watch(Lane::database,
                                       [&] { return real(file)->pMethods->xRead(real(file), data, size, offset); });
}
int file_write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
  File& mine = *self(file);
  const size_t bytes = static_cast<size_t>(size);
  const bool follows = offset == mine.position + static_cast<sqlite3_int64>(mine.gathered->size());
  if (!follows || mine.gathered->size() + bytes > kGatherBytes)
    if (const int code = write_gathered(file); code != SQLITE_OK) return code;
  if (mine.gathered->empty()) mine.position = offset;
  mine.gathered->append(static_cast<const char*>(data), bytes);
  return mine.vfs->gathers() ? SQLITE_OK : write_gathered(file);
}
int file_truncate(sqlite3_file* file, sqlite3_int64 size) {
  if (const int code = write_gathered(file); code != SQLITE_OK) return code;
  const DiskEvent event{
      .kind = DiskEvent::Kind::truncate, .file = self(file)->name, .offset = static_cast<uint64_t>(size)};
  return run(self(file)->vfs, event, SQLITE_IOERR_TRUNCATE,
             [&] { return real(file)->pMethods->xTruncate(real(file), size); });
}
int file_sync(sqlite3_file* file, int flags) {
  if (const int code = write_gathered(file); code != SQLITE_OK) return code;
  if (const int error = self(file)->vfs->before_sync(); error != 0) {
    self(file)->vfs->note_error(error);
    return SQLITE_IOERR_FSYNC;
  }
  const auto sync = [&] {
    return run(self(file)->vfs, {.kind = DiskEvent::Kind::sync, .file = self(file)->name}, SQLITE_IOERR_FSYNC,
               [&] { return real(file)->pMethods->xSync(real(file), flags); });
  };
  const int code = sync();
  return code != SQLITE_OK && WH_MUTANT(failed_sync_tried_again) ? sync() : code;
}
int file_size(sqlite3_file* file, sqlite3_int64* size) {
  if (const int code = write_gathered(file); code != SQLITE_OK) return code;
  return real(file)->pMethods->xFileSize(real(file), size);
}
int file_lock(sqlite3_file* file, int level) { return real(file)->pMethods->xLock(real(file), level); }
int file_unlock(sqlite3_file* file, int level) { return real(file)->pMethods->xUnlock(real(file), level); }
int file_reserved(sqlite3_file* file, int* result) {
  return real(file)->pMethods->xCheckReservedLock(real(file), result);
}
int file_control(sqlite3_file* file, int operation, void* argument) {
  // No resizing by hint: every change of a file must pass through the disk.
  if (operation == SQLITE_FCNTL_SIZE_HINT || operation == SQLITE_FCNTL_CHUNK_SIZE) return SQLITE_NOTFOUND;
  return real(file)->pMethods->xFileControl(real(file), operation, argument);
}
int file_sector_size(sqlite3_file* file) { return real(file)->pMethods->xSectorSize(real(file)); }
int file_characteristics(sqlite3_file* file) { return real(file)->pMethods->xDeviceCharacteristics(real(file)); }

// Version 1: neither shared memory nor mmap.
constexpr sqlite3_io_methods kMethods = {
    1,           file_close,    file_read,    file_write,       file_truncate,        file_sync, file_size, file_lock,
    file_unlock, file_reserved, file_control, file_sector_size, file_characteristics, nullptr,   nullptr,   nullptr,
    nullptr,     nullptr,       nullptr,
};

int vfs_open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* out_flags) {
  File* mine = new (file) File{};
  mine->vfs = owner(vfs);
  mine->name = path == nullptr ? "" : base_name(path);
  if (const int injected = owner(vfs)->disk().before_open(mine->name); injected != 0) {
    owner(vfs)->note_error(injected);
    return is_exhausted(injected) || is_no_room(injected) ? SQLITE_FULL : SQLITE_CANTOPEN;
  }
  errno = 0;
  int code = below()->xOpen(below(), path, real(file), flags, out_flags);
  if (code != SQLITE_OK) {
    // By now SQLite has tried to open the file for reading, which hides why it could not be created.
    int error = errno;
    const bool makes = path != nullptr && (flags & SQLITE_OPEN_CREATE) != 0 && error == ENOENT;
    const int fd = makes ? ::open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600) : -1;
    if (makes && fd < 0) error = errno;
    if (fd >= 0) ::close(fd);
    // Passing errors count as lack of room: the call is retried.
    if (is_no_room(error) || is_exhausted(error)) {
      owner(vfs)->note_error(error);
      code = SQLITE_FULL;
    }
  }
  if (real(file)->pMethods != nullptr) {
    mine->base.pMethods = &kMethods;
    mine->gathered = new std::string;
  }
  return code;
}
int vfs_delete(sqlite3_vfs* vfs, const char* path, int sync) {
  return run(owner(vfs), {.kind = DiskEvent::Kind::remove, .file = base_name(path)}, SQLITE_IOERR_DELETE, [&] {
    const int code = below()->xDelete(below(), path, sync);
    return code == SQLITE_IOERR_DELETE_NOENT ? SQLITE_OK : code;
  });
}
int vfs_access(sqlite3_vfs*, const char* path, int flags, int* result) {
  return below()->xAccess(below(), path, flags, result);
}
int vfs_full_path(sqlite3_vfs*, const char* path, int size, char* out) {
  return below()->xFullPathname(below(), path, size, out);
}
int vfs_randomness(sqlite3_vfs*, int size, char* out) { return below()->xRandomness(below(), size, out); }
int vfs_sleep(sqlite3_vfs*, int microseconds) { return below()->xSleep(below(), microseconds); }
int vfs_time(sqlite3_vfs*, double* time) { return below()->xCurrentTime(below(), time); }
int vfs_last_error(sqlite3_vfs*, int size, char* out) { return below()->xGetLastError(below(), size, out); }

}  // namespace

Vfs::Vfs(Disk& disk) : disk_(disk), vfs_(std::make_unique<sqlite3_vfs>()) {
  static std::atomic<uint64_t> count{0};
  name_ = "wormhole-" + std::to_string(++count);
  sqlite3_vfs& v = *vfs_;
  v.iVersion = 1;
  v.szOsFile = static_cast<int>(sizeof(File)) + below()->szOsFile;
  v.mxPathname = below()->mxPathname;
  v.zName = name_.c_str();
  v.pAppData = this;
  v.xOpen = vfs_open;
  v.xDelete = vfs_delete;
  v.xAccess = vfs_access;
  v.xFullPathname = vfs_full_path;
  v.xRandomness = vfs_randomness;
  v.xSleep = vfs_sleep;
  v.xCurrentTime = vfs_time;
  v.xGetLastError = vfs_last_error;
  WH_ASSERT(sqlite3_vfs_register(vfs_.get(), 0) == SQLITE_OK, "a VFS can be registered");
}

Vfs::~Vfs() { sqlite3_vfs_unregister(vfs_.get()); }

}  // namespace wh::storage
