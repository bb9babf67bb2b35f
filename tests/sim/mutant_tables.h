// What is known of the defects of base/mutant.h: how soon the simulator catches them, which directed test does where it
// does not, and which rows of HAZARDS have none.
#pragma once

#include <cstdint>
#include <utility>

// The rows of groups A to F.
inline constexpr std::pair<const char*, int> kHazards[] = {{"A", 20}, {"B", 18}, {"C", 20},
                                                           {"D", 15}, {"E", 14}, {"F", 12}};

// Rows whose defence is in no source that the simulator drives.
struct Elsewhere {
  const char* hazard;
  const char* why;
};
inline constexpr Elsewhere kElsewhere[] = {
    {"A2", "the storage ends the process when a write or a sync fails: tests/storage"},
    {"A19", "the storage verifies the log before a node is made of it: tests/storage"},
    {"B9", "one transaction of the storage: tests/storage"},
    {"C2", "checksums, chain and witness are the storage's: tests/storage"},
    {"C3", "the storage draws the instance id, and peers ask for it in the hello: tests/storage, tests/unit/net"},
    {"C4", "the storage refuses a directory with a file missing: tests/storage"},
    {"C6", "the storage ends the process when a sync fails: tests/storage"},
    {"C8", "the storage ends the process when a write or a sync fails: tests/storage"},
    {"C11", "the storage locks the directory: tests/storage"},
    {"C12", "nothing else opens the files: a rule of design"},
    {"C13", "the storage's format: tests/storage"},
    {"C14", "the storage makes the directory and its files: tests/storage"},
    {"C15", "the storage renames and syncs: tests/storage"},
    {"C16", "the storage verifies a snapshot's file: tests/storage"},
    {"C17", "the storage checkpoints: tests/storage"},
    {"C18", "a pragma of the storage: tests/storage"},
    {"C20", "an allocation that fails ends the process"},
    {"F5", "one transaction of the storage: tests/storage"},
};

// Caught within so many seeds: about three times what it took.
struct Quick {
  const char* mutant;
  uint64_t seeds;
};
inline constexpr Quick kQuick[] = {
    {"vote_not_persisted", 3},
};

// A test of one of the programs that are linked with the defects: it passes, and fails with this one planted. Of
// `scenarios` the name of a story, of the others that of a test case.
struct Directed {
  const char* mutant;
  const char* program;  // scenarios, raft, machine, node or issues
  const char* test;
};
inline constexpr Directed kDirected[] = {
    {"late_sync_counts", "scenarios", "sync_of_a_truncated_entry"},
};
