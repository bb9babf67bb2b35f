#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include <doctest/doctest.h>

#include "scenario.h"

using wh::raft::test::run_scenario;

TEST_CASE("every story ends as it is told") {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(SCENARIOS))
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  REQUIRE(files.size() >= 25);
  // One alone, for who asks which of them catches something.
  const char* only = std::getenv("WORMHOLE_SCENARIO");
  for (const auto& file : files) {
    if (only != nullptr && file.stem() != only) continue;
    std::ifstream in(file);
    std::stringstream text;
    text << in.rdbuf();
    CHECK(run_scenario(file.filename().string(), text.str()) == "");
  }
}

TEST_CASE("a story that is told wrongly names its file and line") {
  CHECK(run_scenario("a.txt", "# a comment\n\nnodes 1 2 3\njump 1\n") == "a.txt:4: no such step: jump");
  CHECK(run_scenario("a.txt", "nodes 1 x\n") == "a.txt:1: not a number: x");
  CHECK(run_scenario("a.txt", "nodes 1\ntimeout 2\n") == "a.txt:2: no such server: 2");
  CHECK(run_scenario("a.txt", "nodes 1\ntimeout\n") == "a.txt:2: timeout does not take 0 arguments");
  CHECK(run_scenario("a.txt", "nodes 1\nadvance 5s\n") == "a.txt:2: not a time in ms: 5s");
  CHECK(run_scenario("a.txt", "nodes 1 2\ndeliver 1-2\n") == "a.txt:2: not a link A->B: 1-2");
  CHECK(run_scenario("a.txt", "nodes 1 2\ndeliver 1->2\n") == "a.txt:2: nothing is under way on 1->2");
  CHECK(run_scenario("a.txt", "nodes 1\nexpect 1 colour=red\n") == "a.txt:2: no such fact: colour");
  CHECK(run_scenario("a.txt", "nodes 1\nexpect 1 role=leader term=7\n") ==
        "a.txt:2: expected role=leader but it is follower, term=7 but it is 0");
  CHECK(run_scenario("a.txt", "nodes 1\ncrash 1\npropose 1 x\n") == "a.txt:3: server 1 does not run");
}
