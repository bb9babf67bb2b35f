// Rows of options that several commands have.
#pragma once

#include "cli/arguments.h"

namespace wh::cli {

inline constexpr OptionRow kStale{"--stale", "",
                                  "answer from the node's own state, also without a quorum; it may be old"};
inline constexpr OptionRow kKey{
    "--idempotency-key", "KEY",
    "the key that tells a repetition from a new request; if not given, a random one for each request"};
inline constexpr OptionRow kRaw{"--raw", "", "write bytes to a terminal as they are"};
inline constexpr OptionRow kFile{"--file", "FILE", "read the data from FILE"};
inline constexpr OptionRow kCount{"--count", "N", "end after N"};
inline constexpr OptionRow kTtl{"--ttl", "TIME", "end by itself after TIME"};
inline constexpr OptionRow kDirection{"--direction", "in|out|all",
                                      "what: the enqueues, the receives, or both (if not given)"};
inline constexpr OptionRow kVisibility{
    "--visibility-timeout", "TIME",
    "nobody else is shown it for TIME; if not given, as the queue says, with a command "
    "30s, which is extended"};

// The rows of the queues, for commands().
const std::vector<CommandRow>& queue_commands();

}  // namespace wh::cli
