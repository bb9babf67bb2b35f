// The entry point for libFuzzer; the variable WORMHOLE_FUZZ names the target. Built by tests/fuzz/run.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/log.h"
#include "targets.h"

namespace {
const wh::fuzz::Target& chosen() {
  wh::set_log_sink([](wh::LogLevel, std::string_view) {});
  const char* name = std::getenv("WORMHOLE_FUZZ");
  for (const wh::fuzz::Target& target : wh::fuzz::kTargets)
    if (name != nullptr && std::strcmp(name, target.name) == 0) return target;
  std::fprintf(stderr, "WORMHOLE_FUZZ names no target\n");
  std::exit(2);
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const wh::fuzz::Target& target = chosen();
  target.run({reinterpret_cast<const char*>(data), size});
  return 0;
}
