// openat for builds with ThreadSanitizer, which does not see glibc's. libuv closes descriptors by the bare system call,
// unseen too: a file that a worker opens under such a number, it would take for the loop's connection, and report a
// data race. It does see open.
#include <cstdarg>
#include <fcntl.h>
#include <string>

int openat(int directory, const char* path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & O_CREAT) != 0) {
    va_list arguments;
    va_start(arguments, flags);
    mode = va_arg(arguments, mode_t);
    va_end(arguments);
  }
  std::string file = path;
  if (directory != AT_FDCWD && !file.starts_with('/')) file = "/proc/self/fd/" + std::to_string(directory) + "/" + file;
  return ::open(file.c_str(), flags, mode);
}
