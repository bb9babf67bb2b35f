#include "net/descriptors.h"

#include <algorithm>
#include <string>
#include <sys/resource.h>

namespace wh::net {

Status Descriptors::reserve_for(uint64_t maxclients) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return ok_status();
  const uint64_t wanted = needed(maxclients);
  if (limit.rlim_cur < wanted) {
    const std::string number = std::to_string(wanted);
    const uint64_t possible = limit.rlim_max > reserved() ? limit.rlim_max - reserved() : 0;
    rlimit raised = limit;
    raised.rlim_cur = wanted;
    if (limit.rlim_max < wanted || setrlimit(RLIMIT_NOFILE, &raised) != 0)
      return Error{"maxclients " + std::to_string(maxclients) + " needs " + number +
                   " file descriptors, and this process may have " + std::to_string(limit.rlim_max) +
                   " (the hard limit): raise it to " + number + " (ulimit -n " + number +
                   " in the shell that starts it, LimitNOFILE=" + number +
                   " in a systemd unit, --ulimit nofile=" + number + " for a container), or " +
                   (possible == 0 ? "to at least " + std::to_string(needed(1)) + " and lower maxclients"
                                  : "set maxclients to " + std::to_string(possible) + " or less")};
    limit = raised;
  }
  limit_ = limit.rlim_cur;
  maxclients_ = std::max(maxclients_, maxclients);
  return ok_status();
}

}  // namespace wh::net
