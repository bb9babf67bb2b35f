#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "scenario.h"

using wh::raft::test::run_scenario;

namespace {

struct Told {
  std::string name;
  std::string text;
};

std::vector<Told> stories() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(SCENARIOS))
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<Told> result;
  for (const auto& file : files) {
    std::ifstream in(file);
    std::stringstream text;
    text << in.rdbuf();
    result.push_back({file.filename().string(), text.str()});
  }
  return result;
}

}  // namespace

TEST_CASE("every story ends as it is told") {
  const std::vector<Told> all = stories();
  // One alone, for who asks which of them catches something.
  const char* only = std::getenv("WORMHOLE_SCENARIO");
  for (const Told& story : all)
    if (only == nullptr || story.name == std::string(only) + ".txt") CHECK(run_scenario(story.name, story.text) == "");
  std::cout << "figures: " << all.size() << " scenarios" << std::endl;
  CHECK(all.size() >= 130);
}

TEST_CASE("every story says what it is about, and expects something") {
  const std::regex about("^# .*HAZARDS [A-K][0-9]+");
  for (const Told& story : stories()) {
    CAPTURE(story.name);
    CHECK(std::regex_search(story.text.substr(0, story.text.find('\n')), about));
    CHECK(story.text.find("\nexpect") != std::string::npos);
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
  CHECK(run_scenario("a.txt", "nodes 1\nexpect 1 term>=7\n") == "a.txt:2: expected term>=7 but it is 0");
  CHECK(run_scenario("a.txt", "nodes 1\nexpect 1 role<=7\n") == "a.txt:2: not a number: follower");
  CHECK(run_scenario("a.txt", "nodes 1\nawait 1 role=leader term=9\n") == "a.txt:2: expected term=9 but it is 1");
  CHECK(run_scenario("a.txt", "nodes 1 2\ntimeout 1\nexpect-sent 1->2 none\n") ==
        "a.txt:3: expected none on 1->2 but it is pre-vote");
  CHECK(run_scenario("a.txt", "nodes 1 2\ntimeout 1\nexpect-message 1->2 vote term=1\n") ==
        "a.txt:3: no vote is under way on 1->2");
  CHECK(run_scenario("a.txt", "nodes 1 2\ntimeout 1\nexpect-message 1->2 pre-vote match=1\n") ==
        "a.txt:3: a pre-vote has no match");
  CHECK(run_scenario("a.txt", "nodes 1 2\ntimeout 1\ntake 1->2 pre-vote a\nreplay b\n") ==
        "a.txt:4: no message was set aside as b");
}
