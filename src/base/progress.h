// A line on standard error that says how far something is and is written over. Only where standard error is a terminal
// that can; nothing otherwise. Owned by what takes long.
#pragma once

#include <string>

#include "base/clock.h"

namespace wh {

// Whether TERM names a terminal that obeys escape sequences.
bool term_knows_escapes();

class Progress {
 public:
  Progress();
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  // At most some times a second.
  void show(const std::string& text);
  void clear();

 private:
  bool terminal_;
  bool shown_ = false;
  Millis next_ms_ = 0;
};

}  // namespace wh
