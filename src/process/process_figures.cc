#include "process/process_figures.h"

#include <cstdio>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <string>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <uv.h>

namespace wh::process {
namespace {

int64_t microseconds(const timeval& time) { return int64_t{time.tv_sec} * 1'000'000 + time.tv_usec; }

}  // namespace

CpuTimes cpu_times() {
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) != 0) return {};
  return {microseconds(usage.ru_utime), microseconds(usage.ru_stime)};
}

uint64_t resident_bytes() {
  size_t bytes = 0;
  return uv_resident_set_memory(&bytes) == 0 ? bytes : 0;
}

uint64_t virtual_bytes() {
  const int fd = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char text[64] = {};
  const ssize_t size = ::read(fd, text, sizeof text - 1);
  ::close(fd);
  unsigned long pages = 0;
  if (size <= 0 || std::sscanf(text, "%lu", &pages) != 1) return 0;
  return uint64_t{pages} * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

uint64_t open_descriptors() {
  DIR* directory = ::opendir("/proc/self/fd");
  if (directory == nullptr) return 0;
  uint64_t entries = 0;
  while (::readdir(directory) != nullptr) ++entries;
  ::closedir(directory);
  // Without ".", ".." and the descriptor opened to count.
  return entries > 3 ? entries - 3 : 0;
}

uint64_t max_descriptors() {
  rlimit limit{};
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

int64_t unix_seconds() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return now.tv_sec;
}

uint64_t unix_micros() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000 + static_cast<uint64_t>(now.tv_nsec) / 1'000;
}

std::string seconds_text(int64_t us) {
  char text[32];
  std::snprintf(text, sizeof text, "%ld.%06ld", us / 1'000'000, us % 1'000'000);
  return text;
}

}  // namespace wh::process
