// Preloaded into a server. If the file $HANGING_NAMES_FILE has a line with exactly the host name, the lookup of that
// name hangs while the line is there, as with a name server that does not answer. Without the file no lookup hangs.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int getaddrinfo(const char* node, const char* service, const struct addrinfo* hints, struct addrinfo** result);

static int hangs(const char* name) {
  const char* path = getenv("HANGING_NAMES_FILE");
  FILE* file = name == NULL || path == NULL ? NULL : fopen(path, "re");
  if (file == NULL) return 0;
  char line[256];
  int found = 0;
  while (!found && fgets(line, sizeof line, file) != NULL) {
    line[strcspn(line, "\n")] = 0;
    found = strcmp(line, name) == 0;
  }
  fclose(file);
  return found;
}

int getaddrinfo(const char* node, const char* service, const struct addrinfo* hints, struct addrinfo** result) {
  typedef int (*Function)(const char*, const char*, const struct addrinfo*, struct addrinfo**);
  const Function real = (Function)dlsym(RTLD_NEXT, "getaddrinfo");
  while (hangs(node)) {
    const struct timespec pause = {0, 20 * 1000000};
    nanosleep(&pause, NULL);
  }
  return real(node, service, hints, result);
}
