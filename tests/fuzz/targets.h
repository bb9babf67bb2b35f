// The fuzz targets: each takes any bytes; a crash, a failed assertion or a broken promise ends the process. Each target
// is fast and keeps no state between calls. driver.cc feeds them its own inputs in every build; with libfuzzer.cc,
// libFuzzer searches for inputs.
#pragma once

#include <cstddef>
#include <string_view>

namespace wh::fuzz {

struct Target {
  const char* name;
  void (*run)(std::string_view bytes);
};

void fuzz_frames(std::string_view bytes);    // a connection's bytes, in pieces: frames and greetings
void fuzz_messages(std::string_view bytes);  // a payload of each peer message
void fuzz_asks(std::string_view bytes);      // a payload of each question, answer and greeting
void fuzz_node(std::string_view bytes);      // a node in some role, and well-framed messages of members that lie

inline constexpr Target kTargets[] = {
    {"frames", fuzz_frames}, {"messages", fuzz_messages}, {"asks", fuzz_asks}, {"node", fuzz_node}};

}  // namespace wh::fuzz
