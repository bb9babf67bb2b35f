// Preloaded into a server: fsync and fdatasync take longer, by the number of milliseconds in the file $SLOW_SYNC_FILE
// at that moment (without the file: none). sync_file_range is unchanged, as it makes nothing durable.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int fsync(int fd);
int fdatasync(int fd);

static void wait_as_told(void) {
  const char* path = getenv("SLOW_SYNC_FILE");
  const int file = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  char text[16] = {0};
  const ssize_t got = read(file, text, sizeof text - 1);
  close(file);
  const long ms = got > 0 ? strtol(text, NULL, 10) : 0;
  struct timespec left = {ms / 1000, ms % 1000 * 1000000};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) continue;
}

int fsync(int fd) {
  wait_as_told();
  return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
  wait_as_told();
  return (int)syscall(SYS_fdatasync, fd);
}
