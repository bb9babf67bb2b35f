// Runs a scenario from a text file, one step per line, with a cluster of pure cores. After every line the invariants of
// tests/raft/cluster.h must hold. Every error names file and line. README.md describes the language.
#pragma once

#include <string>

namespace wh::raft::test {

// Empty when the story went as told; else "file:line: what was wrong".
std::string run_scenario(const std::string& name, const std::string& text);

}  // namespace wh::raft::test
