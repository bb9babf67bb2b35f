// Runs a story told in a text file, one step a line, against a cluster of pure cores. After every line the invariants
// of tests/raft/cluster.h must hold. Every error names file and line. The language is described in README.md.
#pragma once

#include <string>

namespace wh::raft::test {

// Empty when the story went as told; else "file:line: what was wrong".
std::string run_scenario(const std::string& name, const std::string& text);

}  // namespace wh::raft::test
