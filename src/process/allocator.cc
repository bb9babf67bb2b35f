#include "process/allocator.h"

#include <cstddef>

#include "base/log.h"

// jemalloc has no header here: it is linked in place of malloc. The symbol is weak: null where jemalloc is not linked.
extern "C" {
int mallctl(const char* name, void* old_value, size_t* old_size, void* new_value, size_t new_size)
    __attribute__((weak));
// jemalloc reads this when it begins (jemalloc(3), TUNING). Unused pages go back to the system gradually, within five
// seconds; two arenas, as one thread allocates nearly everything and the others free some of it.
extern const char* malloc_conf;
const char* malloc_conf = "dirty_decay_ms:5000,muzzy_decay_ms:0,narenas:2";
}

namespace wh::process {

void begin_giving_memory_back() {
  if (mallctl == nullptr) return;
  bool on = true;
  if (const int error = mallctl("background_thread", nullptr, nullptr, &on, sizeof on); error != 0)
    logf(LogLevel::warning, "the allocator could not begin its thread: memory that is freed may stay with the process");
}

std::string allocator_name() {
  if (mallctl == nullptr) return "libc";
  const char* version = nullptr;
  size_t size = sizeof version;
  if (mallctl("version", &version, &size, nullptr, 0) != 0) return "jemalloc";
  const std::string text = version;
  return "jemalloc-" + text.substr(0, text.find('-'));
}

std::optional<uint64_t> allocated_bytes() {
  if (mallctl == nullptr) return std::nullopt;
  // Writing the epoch makes the figures those of now.
  uint64_t epoch = 1;
  size_t bytes = 0;
  size_t size = sizeof bytes;
  if (mallctl("epoch", nullptr, nullptr, &epoch, sizeof epoch) != 0 ||
      mallctl("stats.allocated", &bytes, &size, nullptr, 0) != 0)
    return std::nullopt;
  return bytes;
}

}  // namespace wh::process
