// WH_ASSERT: an invariant of the program, checked in release builds too (ARCHITECTURE: "a bug: WH_ASSERT").
// Errors that a client, a peer or a disk can cause are Result, Outcome or a stop with a message instead.
#pragma once

namespace wh {
// Prints "file:line: assertion `condition` failed: why" on standard error and aborts. Never returns.
[[noreturn]] void assertion_failed(const char* file, int line, const char* condition, const char* why);
}  // namespace wh

#define WH_ASSERT(condition, why)                                  \
  do {                                                             \
    if (!(condition)) [[unlikely]]                                 \
      ::wh::assertion_failed(__FILE__, __LINE__, #condition, why); \
  } while (false)
