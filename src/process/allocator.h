// The process's allocator: jemalloc where it was linked (deps/README.md says why), else the C library's. Sets how soon
// memory that was freed goes back to the system; called by main.cc, and by the table of figures for its name.
#pragma once

#include <string>

namespace wh {

// Freed pages go back to the system some seconds later, given back by a thread of the allocator, not by the one that
// freed them. Called once, after the process has gone into the background: a fork ends that thread.
void begin_giving_memory_back();

// "jemalloc-5.3.0" or "libc".
std::string allocator_name();

}  // namespace wh
