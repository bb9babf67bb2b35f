// Every blocking call that changes a file of the data directory, except a backup's, goes through here: our own
// (witness, snapshots) by the functions below, SQLite's by vfs.cc. It knows since when each lane's current call has
// been running (Storage::sync_age; a frozen disk blocks writes as well as syncs), and lets a test observe or fail
// calls, or copy the directory between them. Owns no file. Used by both lanes at once, one call at a time on each.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <sys/types.h>

#include "base/clock.h"
#include "base/histogram.h"

namespace wh::storage {

// A lane runs one job at a time: the database (with the witness) is one, the snapshot files are the other.
enum class Lane : uint8_t { database = 0, files = 1 };
inline constexpr size_t kLanes = 2;

struct DiskEvent {
  enum class Kind : uint8_t { write, write_out, sync, truncate, allocate, rename, remove, sync_directory };
  Kind kind;
  std::string_view file;  // its name within the data directory; empty for sync_directory
  uint64_t offset = 0;    // write: its position; truncate, allocate: the new size
  std::string_view data;  // write
  std::string_view to;    // rename
};

// How a test observes and fails calls. Called on the lane's thread.
class DiskProbe {
 public:
  virtual ~DiskProbe() = default;
  // Returns 0, or the errno with which the call fails instead of being made.
  virtual int before(const DiskEvent& event) = 0;
  virtual void after(const DiskEvent& event) = 0;  // the call was made and succeeded
  // Returns 0, or the errno with which opening the file fails.
  virtual int before_open(std::string_view /*file*/) { return 0; }
};

// The monotonic clock behind busy_ms().
int64_t steady_ns();
Millis steady_ms();

class Disk {
 public:
  explicit Disk(DiskProbe* probe = nullptr) : probe_(probe) {}
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;

  // Runs `call`, which changes nothing, and counts it in busy_ms.
  template <typename Call>
  int watch(Lane lane, Call call) {
    const Watch watch(since_[static_cast<size_t>(lane)]);
    return call();
  }

  // Runs `call` (returning 0 or an errno) as `event` on `lane`.
  template <typename Call>
  int run(Lane lane, const DiskEvent& event, Call call) {
    const Watch watch(since_[static_cast<size_t>(lane)]);
    if (probe_ != nullptr)
      if (const int injected = probe_->before(event); injected != 0) return injected;
    const int64_t begun = steady_ns();
    const int error = call();
    if (event.kind == DiskEvent::Kind::sync || event.kind == DiskEvent::Kind::sync_directory)
      syncs_us_[static_cast<size_t>(lane)].add(static_cast<uint64_t>(steady_ns() - begun) / 1000);
    if (error == 0 && event.kind == DiskEvent::Kind::write)
      bytes_written_[static_cast<size_t>(lane)] += event.data.size();
    if (error == 0 && probe_ != nullptr) probe_->after(event);
    return error;
  }

  // Opens a file of the directory, without following a link, and sets its descriptor; `flags` as open(2)'s. Returns 0
  // or an errno.
  int open(Lane lane, int directory, const std::string& file, int flags, int& descriptor);
  // The probe's errno for an opening that is made elsewhere.
  [[nodiscard]] int before_open(std::string_view file) const {
    return probe_ == nullptr ? 0 : probe_->before_open(file);
  }
  // Each returns 0 or an errno. A write is complete or fails.
  int write(Lane lane, int fd, std::string_view file, uint64_t offset, std::string_view data);
  // Begins to write to the device what write_out() then waits for. Promises nothing.
  void begin_write_out(Lane lane, int fd);
  // Waits until the data written to an existing part of the file has reached the device: the next sync of any file
  // flushes the device and so makes it durable.
  int write_out(Lane lane, int fd, std::string_view file);
  int sync(Lane lane, int fd, std::string_view file);
  int truncate(Lane lane, int fd, std::string_view file, uint64_t size);
  // Makes the file this large, with room allocated for every byte.
  int allocate(Lane lane, int fd, std::string_view file, uint64_t size);
  int rename(Lane lane, int directory, const std::string& from, const std::string& to);
  int remove(Lane lane, int directory, const std::string& file);  // no error when it does not exist
  int sync_directory(Lane lane, int directory);

  // How long the longest running call has been running, in ms; 0 when none is. From any thread.
  [[nodiscard]] Millis busy_ms() const;
  // The durations of the lane's syncs, in microseconds. Called on the lane, or by its owner while it runs no job.
  [[nodiscard]] const Histogram& syncs_us(Lane lane) const { return syncs_us_[static_cast<size_t>(lane)]; }
  // The bytes written to files. Called on the lane, or by its owner while it runs no job.
  [[nodiscard]] uint64_t bytes_written(Lane lane) const { return bytes_written_[static_cast<size_t>(lane)]; }

 private:
  class Watch {
   public:
    explicit Watch(std::atomic<int64_t>& since);
    ~Watch() { since_.store(0, std::memory_order_relaxed); }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

   private:
    std::atomic<int64_t>& since_;
  };
  DiskProbe* probe_;
  std::array<Histogram, kLanes> syncs_us_;
  std::array<uint64_t, kLanes> bytes_written_{};
  std::array<std::atomic<int64_t>, kLanes> since_{};  // nanoseconds of the monotonic clock; 0: no call is running
};

// Whether an errno says that a write found no room: the file system is full or out of inodes, a quota is used up, or
// the file may not grow (ulimit -f). That is no disk failure.
bool is_no_room(int error);

// Whether an errno says that the process or the machine is out of file descriptors or memory: that passes, and is no
// disk failure either.
bool is_exhausted(int error);

// What is lacking when the errno does not tell: " (no inodes are free: df -i)". Asks the file system that holds `path`,
// or would hold it. Empty when the errno is clear.
std::string no_room_hint(const std::string& path, int error);

// How large this process's files may become, in bytes (ulimit -f); UINT64_MAX: as large as the file system allows.
uint64_t file_size_limit();

// A file's error as a sentence: "cannot write DIR/FILE: No space left on device", and no_room_hint.
std::string disk_error(std::string_view what, const std::string& path, int error);

}  // namespace wh::storage
