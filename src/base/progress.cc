#include "base/progress.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <unistd.h>

namespace wh {
namespace {

constexpr Millis kBetweenMs = 200;

Millis steady_now_ms() {
  return static_cast<Millis>(
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
          .count());
}

}  // namespace

bool term_knows_escapes() {
  const char* term = std::getenv("TERM");
  return term != nullptr && std::string_view(term) != "dumb";
}

Progress::Progress() : terminal_(isatty(STDERR_FILENO) == 1 && term_knows_escapes()) {}
Progress::~Progress() { clear(); }

void Progress::show(const std::string& text) {
  if (!terminal_ || steady_now_ms() < next_ms_) return;
  next_ms_ = steady_now_ms() + kBetweenMs;
  std::fprintf(stderr, "\r\x1b[K%s", text.c_str());
  shown_ = true;
}

void Progress::clear() {
  if (shown_) std::fputs("\r\x1b[K", stderr);
  shown_ = false;
}

}  // namespace wh
