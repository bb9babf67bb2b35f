// Makes a state of a snapshot's bytes, given in pieces cut anywhere. Believes nothing: every length is checked before
// anything is allocated for it, every count, the digest and the checksum at the end; what does not fit is refused as a
// whole (HAZARDS F9, F12). The node drives it, and gives the result to Machine::replace.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "machine/discarded.h"
#include "machine/state.h"

namespace wh::machine {

class SnapshotLoader {
 public:
  // Takes the next bytes. After an error, which comes again with every call, only discard() is of use. Takes some 30 ms
  // for a MiB of small items: feed 16 KiB at a time on the loop.
  Status feed(std::string_view bytes);

  // The state, once all bytes were fed. To be called once.
  Result<State> finish();

  // What was loaded so far, to be freed in slices when loading is given up.
  Discarded discard();

 private:
  // The size of the record at the start of `in` once it was taken; 0 when it is not all there, or fail() was called.
  size_t take(std::string_view in);
  size_t take_header(std::string_view in);
  size_t take_key(std::string_view in);
  size_t take_event(std::string_view in);
  size_t take_session(std::string_view in);
  size_t take_trailer(std::string_view in);
  size_t fail(const char* why);

  enum class Stage { header, records, ended };
  Stage stage_ = Stage::header;
  State state_;
  uint64_t keys_ = 0;  // as the header says
  uint64_t events_ = 0;
  uint64_t sessions_ = 0;
  std::string partial_;  // of one record: at most 4.2 MB, and what was fed last
  uint32_t crc_ = 0;     // of what was taken
  const char* error_ = nullptr;
};

}  // namespace wh::machine
