// openat for builds with ThreadSanitizer, which sees open but neither glibc's openat nor libuv's close, a bare system
// call. When a worker opens a file under the number of a connection that the loop closed, it would report a data race.
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
