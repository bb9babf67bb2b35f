// What is fuzzed: bytes in, and a crash, a failed assertion or a broken promise ends the process. Each target takes any
// bytes, is quick and keeps nothing from one call to the next. driver.cc gives them bytes of its own everywhere;
// libfuzzer.cc lets libFuzzer search for them.
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
