// The process's allocator: jemalloc where it was linked (deps/README.md says why), else the C library's. Sets how soon
// freed memory goes back to the system. Called by main.cc, and by the table of figures for its name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace wh::process {

// Makes a thread of the allocator return freed pages to the system, some seconds after they were freed. Called once,
// after the process has gone into the background: a fork ends that thread.
void begin_giving_memory_back();

// "jemalloc-5.3.0" or "libc".
std::string allocator_name();
// Bytes that the program holds; only jemalloc tells.
std::optional<uint64_t> allocated_bytes();

}  // namespace wh::process
