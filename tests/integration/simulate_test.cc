// The simulator in the product: `wormhole-server --simulate`.
#include <string>

#include <doctest/doctest.h>

#include "harness.h"

namespace wh::testing {
namespace {

const std::string kSimulate = WORMHOLE_SERVER " --simulate ";
constexpr int kSimulatePatienceMs = 120'000;

}  // namespace

TEST_CASE("--simulate runs for its time, says how it goes, and sums up") {
  const TempDir dir;
  const Output run = sh(dir, kSimulate + "--seed 1 --seconds 1", kSimulatePatienceMs);
  CAPTURE(run.out);
  CHECK(run.status == 0);
  CHECK(run.err.empty());
  CHECK(has(run.out, "Simulating clusters from seed 1 on, for 1 s"));
  CHECK(has(run.out, " seeds, 0 failed; "));
  CHECK(has(run.out, " times real time"));
  CHECK(has(run.out, "a leader was elected"));
  CHECK(has(run.out, "All held: "));
}

TEST_CASE("--simulate with nodes and faults of the user's choice; a seed is the same run each time") {
  const TempDir dir;
  const std::string arguments = "--nodes 3 --faults crashes,partitions --seed 7 --trace";
  const Output once = sh(dir, kSimulate + arguments, kSimulatePatienceMs);
  CHECK(once.status == 0);
  CHECK(has(once.out, " nodes=3 "));
  CHECK(has(once.out, "crash"));
  CHECK_FALSE(has(once.out, "loss_ppm"));
  CHECK_FALSE(has(once.out, " n4 "));
  CHECK(has(once.out, " leads term "));
  CHECK(has(once.out, "all held"));
  CHECK(sh(dir, kSimulate + arguments, kSimulatePatienceMs).out == once.out);
  const Output calm = sh(dir, kSimulate + "--faults none --nodes 1 --seed 7 --trace", kSimulatePatienceMs);
  CHECK(calm.status == 0);
  CHECK_FALSE(has(calm.out, "crashes"));
}

TEST_CASE("--simulate says what it does not know") {
  const TempDir dir;
  const Output faults = sh(dir, kSimulate + "--faults crashes,meteors");
  CHECK(faults.status == 1);
  CHECK(has(faults.err, "no such faults: \"meteors\"; there are crashes, pauses, partitions, "));
  // The very names that --help has.
  const std::string help = sh(dir, WORMHOLE_SERVER " --help").out;
  std::string names = faults.err.substr(faults.err.find("there are ") + 10);
  names.erase(names.find(" and none"));
  for (size_t comma = 0; comma != std::string::npos; names.erase(0, comma == std::string::npos ? 0 : comma + 2)) {
    comma = names.find(", ");
    CHECK_MESSAGE(has(help, names.substr(0, comma)), names);
  }
  const Output nodes = sh(dir, kSimulate + "--nodes 9");
  CHECK(nodes.status == 1);
  CHECK(has(nodes.err, "'--nodes' takes 1 to 7"));
}

}  // namespace wh::testing
