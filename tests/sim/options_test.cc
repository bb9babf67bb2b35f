// What a seed draws, and how to override it: by name, or by groups of faults.
#include "sim/options.h"

#include <set>
#include <string>

#include <doctest/doctest.h>

#include "sim/faults/fault_groups.h"
#include "sim/shrink.h"

namespace wh::sim {

TEST_CASE("options: each seed its own, and always the same") {
  std::set<std::string> different;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    const Options options = draw_options(seed);
    CHECK(options == draw_options(seed));
    CHECK(options.nodes >= 1);
    CHECK(options.nodes <= 7);
    CHECK(options.heartbeat_interval_ms > 0);
    CHECK(options.election_timeout_ms >= 2 * options.heartbeat_interval_ms);
    different.insert(describe(options));
  }
  CHECK(different.size() == 200);
}

TEST_CASE("options: what differs makes the one of the other again") {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Options options = draw_options(seed);
    const Options wanted = draw_options(seed + 1'000);
    std::string rest = difference(options, wanted);
    while (!rest.empty()) {
      const size_t space = rest.find(' ');
      CHECK(set_option(options, rest.substr(0, space)).ok());
      rest = space == std::string::npos ? "" : rest.substr(space + 1);
    }
    CHECK(options == wanted);
    CHECK(difference(options, wanted).empty());
  }
}

TEST_CASE("options: what cannot be set is told") {
  Options options;
  const Options before = options;
  for (const char* wrong : {"nodes", "nodes=", "nodes=x", "nodes=3x", "nodes=-1", "nodes=4294967296", "=3", "",
                            "nods=3", "story=told", "story="})
    CHECK_MESSAGE(!set_option(options, wrong).ok(), wrong);
  CHECK(options == before);
}

TEST_CASE("faults: each belongs to a group that a user can choose") {
  const Options options;
  const std::string names = fault_group_names();
  size_t faults = 0;
  each_option(options, [&](std::string_view name, uint64_t, OptionKind kind) {
    const std::string_view group = fault_group(name);
    CAPTURE(name);
    if (kind < OptionKind::flaw) {
      CHECK(group.empty());
      return;
    }
    ++faults;
    CHECK_FALSE(group.empty());
    CHECK((", " + names + ",").find(", " + std::string(group) + ",") != std::string::npos);
  });
  CHECK(faults > 15);
}

TEST_CASE("faults: those of the chosen groups are left, and each group has one at least") {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    const Options drawn = draw_options(seed);
    Options options = drawn;
    CHECK(choose_faults(options, "all").ok());
    CHECK(options == drawn);
    CHECK(choose_faults(options, "disks,pauses").ok());
    std::set<std::string> left;
    each_option(options, [&](std::string_view name, uint64_t value, OptionKind kind) {
      if (kind >= OptionKind::flaw && value != 0) left.emplace(fault_group(name));
    });
    CHECK(left == std::set<std::string>{"disks", "pauses"});
    CHECK(choose_faults(options, "none").ok());
    each_option(options, [&](std::string_view name, uint64_t value, OptionKind kind) {
      if (kind >= OptionKind::flaw) CHECK_MESSAGE(value == 0, name);
    });
  }
  Options options;
  for (const char* wrong : {"", "disk", "disks,", ",disks", "disks, pauses", "all,disks"})
    CHECK_MESSAGE(!choose_faults(options, wrong).ok(), wrong);
}

TEST_CASE("shrinking: a failure is the same whatever its numbers, another when its words differ") {
  CHECK(kind_of_failure("n2: election safety: a second leader in term 7") ==
        kind_of_failure("n1: election safety: a second leader in term 12"));
  CHECK(kind_of_failure("n2: election safety: a second leader in term 7") != kind_of_failure("n2: its term went back"));
  CHECK(kind_of_failure("").empty());
}

TEST_CASE("shrinking: what does not matter is left out, what matters stays") {
  Options failing = draw_options(3);
  failing.nodes = 5;
  failing.crash_every_ms = 700;
  failing.pause_every_ms = 900;
  failing.partition_every_ms = 800;
  failing.clients = 6;
  // Fails with three nodes and crashes, whatever else there is; not with each seed.
  uint64_t runs = 0;
  const auto run = [&](uint64_t seed, const Options& options) {
    ++runs;
    Apart out{.failure = {}, .events = 1'000 + seed % 7 * 100, .virtual_ms = 1};
    if (options.nodes >= 3 && options.crash_every_ms != 0 && seed % 3 == 0)
      out.failure = "n" + std::to_string(seed % 3 + 1) + ": it broke";
    return out;
  };
  const Shrunk shrunk = shrink(3, failing, 5'000, run);
  CHECK(shrunk.result.failure == "n1: it broke");
  CHECK(shrunk.options.nodes == 3);
  CHECK(shrunk.options.crash_every_ms == 700);
  CHECK(shrunk.options.clients == 1);
  CHECK(shrunk.options.story == Story::formed);
  each_option(shrunk.options, [](std::string_view name, uint64_t value, OptionKind kind) {
    if (kind >= OptionKind::flaw && name != "crash_every_ms") CHECK_MESSAGE(value == 0, name);
  });
  CHECK(shrunk.seed % 3 == 0);
  CHECK(shrunk.result.events == 1'000);
  CHECK(shrunk.runs == runs);
  CHECK(runs <= 5'000);

  const Shrunk none = shrink(4, failing, 100, run);
  CHECK(none.result.failure.empty());
  CHECK(none.runs == 1);
}

}  // namespace wh::sim
