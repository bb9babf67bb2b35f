// Preloaded into a server: its wall clock is off by as many seconds as the file $WRONG_CLOCK_FILE says, at any time.
// Without the file it is right. The monotonic clock is never touched.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

// Called from any thread, and often: reads the file anew each time, and allocates nothing.
static long seconds_off(void) {
  const char* path = getenv("WRONG_CLOCK_FILE");
  const int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char text[32] = {0};
  const ssize_t size = read(fd, text, sizeof text - 1);
  close(fd);
  return size <= 0 ? 0 : atol(text);
}

int clock_gettime(clockid_t clock, struct timespec* now) {
  typedef int (*Function)(clockid_t, struct timespec*);
  static Function real = NULL;
  if (real == NULL) real = (Function)dlsym(RTLD_NEXT, "clock_gettime");
  const int result = real(clock, now);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += seconds_off();
  return result;
}

int gettimeofday(struct timeval* now, void* zone) {
  (void)zone;
  struct timespec time;
  const int result = clock_gettime(CLOCK_REALTIME, &time);
  now->tv_sec = time.tv_sec;
  now->tv_usec = time.tv_nsec / 1000;
  return result;
}

time_t time(time_t* out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != NULL) *out = now.tv_sec;
  return now.tv_sec;
}
