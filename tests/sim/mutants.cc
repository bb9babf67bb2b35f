// What the tests are worth: plants each defect of base/mutant.h in turn and tells how many seeds of the simulator it
// took to catch it, and by which check. Many have a directed test besides, which must fail because of them; those of
// the storage, which the simulator does not drive, have nothing else.
//
//   mutants [--seeds N] [--jobs N] [NAME...]   all, or these: a table, and the median
//   mutants --quick                            each by its directed tests; those without, and with WORMHOLE_SOAK=1 all,
//                                              within a bound of seeds
//   mutants --hazards                          that each row of HAZARDS A to F has one, or a reason why not
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "../soak.h"
#include "base/log.h"
#include "hunt.h"
#include "mutant_tables.h"
#include "planted.h"
#include "sim/options.h"
#include "sim/simulation.h"

namespace {

using wh::sim::Catch;
using wh::sim::Planted;

constexpr uint64_t kSeeds = 20'000;
constexpr size_t kHowWidth = 90;

// Where the planted test programs are: beside this one.
std::string directory;

// --- directed tests

// Whether it passes, with what WORMHOLE_MUTANT names.
bool passes(const Directed& test, const char* mutant) {
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv("WORMHOLE_MUTANT", mutant, 1);
    std::string filter = std::string("--test-case=") + test.test;
    if (std::strcmp(test.program, "scenarios") == 0) {
      ::setenv("WORMHOLE_SCENARIO", test.test, 1);
      filter = "--test-case=every story ends as it is told";
    }
    std::replace(filter.begin(), filter.end(), ',', '?');  // which would end the name
    // A defect may make a test go round for ever.
    ::alarm(60);
    const std::string program = directory + "planted_" + test.program;
    if (std::freopen("/dev/null", "w", stdout) == nullptr || std::freopen("/dev/null", "w", stderr) == nullptr)
      ::_exit(0);
    ::execl(program.c_str(), program.c_str(), filter.c_str(), nullptr);
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status == 0;
}

std::vector<Directed> directed_at(const char* mutant) {
  std::vector<Directed> tests;
  for (const Directed& test : kDirected)
    if (std::strcmp(test.mutant, mutant) == 0) tests.push_back(test);
  return tests;
}

// Empty, or what is wrong with them: they pass without the defect and fail with it.
std::string directed_wrong(const char* mutant) {
  static std::set<std::string> sound;  // more than one defect may name the same test
  for (const Directed& test : directed_at(mutant)) {
    const std::string name = std::string(test.program) + ": " + test.test;
    if (!sound.contains(name) && !passes(test, "")) return "fails without it: " + name;
    sound.insert(name);
    if (passes(test, mutant)) return "passes with it: " + name;
  }
  return {};
}

// --- one defect

struct Row {
  uint64_t seeds = 0;  // 0: not caught by the simulator
  std::string how;
  std::string wrong;
};

wh::sim::Options options_of(uint64_t seed) { return wh::sim::draw_options(seed); }

Row look(const Planted& planted, uint64_t seeds) {
  Row row;
  wh::sim::plant(planted.name);
  const std::optional<Catch> caught = planted.simulated ? wh::sim::hunt(1, seeds, options_of) : std::nullopt;
  if (caught) {
    row.seeds = caught->seed;
    row.how = caught->how;
  }
  row.wrong = directed_wrong(planted.name);
  if (row.seeds == 0 && row.wrong.empty() && directed_at(planted.name).empty()) row.wrong = "NOT caught by anything";
  return row;
}

Row baseline(uint64_t seeds) {
  Row row;
  wh::planted_mutant = wh::Mutant::none;
  if (const std::optional<Catch> caught = wh::sim::hunt(1, seeds, options_of))
    row.wrong = "seed " + std::to_string(caught->seed) + " fails with nothing planted: " + caught->how;
  return row;
}

void print(const char* name, const char* hazard, uint64_t bound, const Row& row) {
  std::string seeds = row.seeds != 0 ? std::to_string(row.seeds) : bound != 0 ? "> " + std::to_string(bound) : "-";
  std::printf("%-32s %-4s %8s  %s\n", name, hazard, seeds.c_str(), row.how.substr(0, kHowWidth).c_str());
  for (const Directed& test : directed_at(name)) std::printf("%47s %s: %s\n", "", test.program, test.test);
  if (!row.wrong.empty()) std::printf("%47s %s\n", "", row.wrong.c_str());
  std::fflush(stdout);
}

// --- many, `jobs` at a time, each in a process of its own

class Workers {
 public:
  explicit Workers(size_t jobs) : jobs_(jobs) {}

  template <typename Work>
  void begin(size_t number, Work work) {
    while (running_.size() >= jobs_) collect();
    std::fflush(stdout);
    std::FILE* out = std::tmpfile();
    if (out == nullptr) std::abort();
    const pid_t child = ::fork();
    if (child < 0) std::abort();
    if (child == 0) {
      const Row row = work();
      std::fprintf(out, "%lu\n%s\n%s\n", row.seeds, row.how.c_str(), row.wrong.c_str());
      std::fflush(out);
      ::_exit(0);
    }
    running_[child] = {number, out};
  }

  void finish() {
    while (!running_.empty()) collect();
  }

  std::map<size_t, Row> rows;

 private:
  void collect() {
    int status = 0;
    const pid_t child = ::wait(&status);
    const auto it = running_.find(child);
    if (it == running_.end()) return;
    Row row;
    if (status != 0) row.wrong = "the search for it broke off";
    std::rewind(it->second.out);
    std::string* fields[] = {nullptr, &row.how, &row.wrong};
    char line[4096];
    for (std::string* field : fields) {
      if (std::fgets(line, sizeof line, it->second.out) == nullptr) break;
      line[std::strcspn(line, "\n")] = 0;
      if (field == nullptr) {
        row.seeds = std::strtoull(line, nullptr, 10);
      } else if (*line != 0) {
        *field = line;
      }
    }
    std::fclose(it->second.out);
    rows[it->second.number] = row;
    running_.erase(it);
  }

  struct Running {
    size_t number;
    std::FILE* out;
  };
  size_t jobs_;
  std::map<pid_t, Running> running_;
};

int all(const std::vector<Planted>& wanted, uint64_t seeds, size_t jobs) {
  std::printf("%-32s %-4s %8s  %s\n", "mutant", "row", "seeds", "caught by");
  Workers workers(jobs);
  size_t printed = 0;
  const auto print_ready = [&] {
    for (; workers.rows.contains(printed) && printed < wanted.size(); ++printed)
      print(wanted[printed].name, wanted[printed].hazard, wanted[printed].simulated ? seeds : 0, workers.rows[printed]);
  };
  for (size_t i = 0; i < wanted.size(); ++i) {
    workers.begin(i, [&, i] { return look(wanted[i], seeds); });
    print_ready();
  }
  const bool hunts = std::any_of(wanted.begin(), wanted.end(), [](const Planted& p) { return p.simulated; });
  if (hunts) workers.begin(wanted.size(), [&] { return baseline(seeds); });
  workers.finish();
  print_ready();
  std::vector<uint64_t> caught;
  size_t simulated = 0;
  size_t by_directed = 0;
  size_t of_storage = 0;
  size_t escaped = 0;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const Row& row = workers.rows[i];
    if (wanted[i].simulated) ++simulated;
    if (row.seeds != 0) caught.push_back(row.seeds);
    if (!row.wrong.empty()) ++escaped;
    if (row.seeds == 0 && row.wrong.empty()) ++(wanted[i].simulated ? by_directed : of_storage);
  }
  const Row& none = workers.rows[wanted.size()];
  if (hunts)
    std::printf("%s\n", none.wrong.empty() ? ("nothing planted: all " + std::to_string(seeds) + " seeds pass").c_str()
                                           : none.wrong.c_str());
  std::sort(caught.begin(), caught.end());
  const uint64_t median = caught.empty() ? 0 : caught[caught.size() / 2];
  std::printf("%zu mutants of what the simulator drives: %zu caught by it, the median by seed %lu; ", simulated,
              caught.size(), median);
  std::printf("%zu by a directed test alone; %zu of the storage: %zu by their tests; %zu not\n", by_directed,
              wanted.size() - simulated, of_storage, escaped);
  return escaped == 0 && none.wrong.empty() ? 0 : 1;
}

// --- the quick set

int quick() {
  int worst = 0;
  uint64_t most = 0;
  for (const Planted& planted : wh::sim::all_mutants()) {
    const auto bound = std::find_if(std::begin(kQuick), std::end(kQuick),
                                    [&](const Quick& q) { return std::strcmp(q.mutant, planted.name) == 0; });
    // What a directed test catches is left to it, but at full length.
    const bool hunts = wh::testing::soak() || directed_at(planted.name).empty();
    const uint64_t seeds = bound == std::end(kQuick) || !hunts ? 0 : bound->seeds;
    most = std::max(most, seeds);
    if (seeds == 0 && directed_at(planted.name).empty()) continue;
    Row row;
    wh::sim::plant(planted.name);
    if (const auto caught = planted.simulated ? wh::sim::hunt(1, seeds, options_of) : std::nullopt) {
      row.seeds = caught->seed;
      row.how = caught->how;
    }
    row.wrong = directed_wrong(planted.name);
    if (seeds != 0 && row.seeds == 0) row.wrong = "NOT caught in time";
    print(planted.name, planted.hazard, seeds, row);
    if (!row.wrong.empty()) worst = 1;
  }
  if (const Row row = baseline(most); !row.wrong.empty()) {
    std::printf("%s\n", row.wrong.c_str());
    worst = 1;
  }
  return worst;
}

// --- the rows

std::pair<char, int> place(const std::string& hazard) { return {hazard[0], std::atoi(hazard.c_str() + 1)}; }

int hazards() {
  int worst = 0;
  const auto complain = [&](const std::string& what) {
    std::printf("%s\n", what.c_str());
    worst = 1;
  };
  std::set<std::string> rows;
  for (const auto& [group, count] : kHazards)
    for (int i = 1; i <= count; ++i) rows.insert(group + std::to_string(i));
  std::set<std::string> known_rows = rows;
  for (const auto& [group, count] : kQueueHazards)
    for (int i = 1; i <= count; ++i) known_rows.insert(group + std::to_string(i));
  std::map<std::string, size_t> planted;
  std::pair<char, int> before{0, 0};
  bool simulated = true;
  for (const Planted& mutant : wh::sim::all_mutants()) {
    if (std::exchange(simulated, mutant.simulated) != mutant.simulated) before = {0, 0};
    ++planted[mutant.hazard];
    if (!known_rows.contains(mutant.hazard)) complain(std::string(mutant.name) + ": no such row: " + mutant.hazard);
    if (place(mutant.hazard) < before) complain(std::string(mutant.name) + " is not in the order of the rows");
    before = place(mutant.hazard);
  }
  std::map<std::string, const char*> elsewhere;
  for (const Elsewhere& row : kElsewhere) {
    if (!rows.contains(row.hazard)) complain(std::string("no such row: ") + row.hazard);
    elsewhere[row.hazard] = row.why;
  }
  for (const std::string& row : rows) {
    if (!planted.contains(row) && !elsewhere.contains(row)) complain(row + ": no mutant, and no reason why not");
    if (planted.contains(row) && elsewhere.contains(row))
      complain(row + ": has a mutant, and is said to be out of reach");
  }
  const auto known = [](const char* name) {
    const auto mutants = wh::sim::all_mutants();
    return std::any_of(mutants.begin(), mutants.end(),
                       [&](const Planted& p) { return std::strcmp(p.name, name) == 0; });
  };
  for (const Quick& q : kQuick)
    if (!known(q.mutant)) complain(std::string("no such mutant: ") + q.mutant);
  for (const Directed& test : kDirected)
    if (!known(test.mutant)) complain(std::string("no such mutant: ") + test.mutant);
  for (const Planted& mutant : wh::sim::all_mutants()) {
    const bool soon = std::any_of(std::begin(kQuick), std::end(kQuick),
                                  [&](const Quick& q) { return std::strcmp(q.mutant, mutant.name) == 0; });
    if (!soon && directed_at(mutant.name).empty()) complain(std::string(mutant.name) + ": no test of it is run");
  }
  for (const Quick& q : kQuick)
    if (q.seeds > kLate && directed_at(q.mutant).empty())
      complain(std::string(q.mutant) + ": the simulator catches it late, by luck: it needs a directed test");
  for (const Elsewhere& row : kElsewhere) std::printf("%-4s %s\n", row.hazard, row.why);
  std::printf("%zu mutants for %zu of %zu rows\n", wh::sim::all_mutants().size(), planted.size(), known_rows.size());
  return worst;
}

}  // namespace

int main(int argc, char** argv) {
  directory = argv[0];
  directory.erase(directory.rfind('/') + 1);
  wh::set_log_level(wh::LogLevel::warning);
  wh::set_log_sink([](wh::LogLevel, std::string_view) {});
  uint64_t seeds = kSeeds;
  size_t jobs = 1;
  std::vector<Planted> wanted;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    if (arg == "--quick") return quick();
    if (arg == "--hazards") return hazards();
    if (arg == "--seeds" && i + 1 < argc) {
      seeds = std::strtoull(argv[++i], nullptr, 10);
    } else if (arg == "--jobs" && i + 1 < argc) {
      jobs = std::max<size_t>(std::strtoull(argv[++i], nullptr, 10), 1);
    } else {
      const size_t before = wanted.size();
      for (const Planted& planted : wh::sim::all_mutants())
        if (arg == planted.name) wanted.push_back(planted);
      if (wanted.size() != before) continue;
      std::fprintf(stderr, "no such mutant: %s\nmutants [--seeds N] [--jobs N] [NAME...] | --quick | --hazards\n",
                   arg.c_str());
      return 2;
    }
  }
  if (wanted.empty()) wanted.assign(wh::sim::all_mutants().begin(), wh::sim::all_mutants().end());
  return all(wanted, seeds, jobs);
}
