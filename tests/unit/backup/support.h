// Shared code of the backup tests: a state to back up, a way to write it to a file, directories that remove themselves.
#pragma once

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <unistd.h>

#include <doctest/doctest.h>

#include "backup/reader.h"
#include "backup/writer.h"
#include "machine/machine.h"
#include "storage/format.h"

namespace wh::backup::test {

class TempDirectory {
 public:
  TempDirectory() {
    char name[] = "/tmp/wormhole-backup-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    path_ = name;
  }
  ~TempDirectory() { std::filesystem::remove_all(path_); }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] std::string write(const std::string& name, const std::string& bytes) const {
    std::ofstream(file(name), std::ios::binary) << bytes;
    return file(name);
  }

 private:
  std::string path_;
};

inline std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

inline void run(machine::Machine& machine, const machine::Body& body, const machine::RequestId& id = {}) {
  machine.apply(machine.applied() + 1, 1000 + machine.applied().value,
                machine::envelope(id, machine::encode_body(body)));
}

// Keys and events of every kind: text, binary, empty, large; two queues, a removed event, sessions.
inline void fill(machine::Machine& machine) {
  using namespace std::string_view_literals;
  const std::string large(300'000, 'x');
  run(machine, machine::Set{{{"greeting", "hello"}, {"empty", ""}, {"caf\xc3\xa9", "\xe2\x82\xac"}}},
      {raft::NodeId{0xfedcba9876543210}, 1, 5});
  run(machine, machine::Set{{{"\xff\x00k"sv, "\x00\x01\xfe"sv}, {"nul\0"sv, "a\0b"sv}, {"large", large}}});
  for (int i = 0; i < 300; ++i) run(machine, machine::Enqueue{"event", "event " + std::to_string(i)});
  run(machine, machine::Enqueue{"other", "\x80 binary"}, {raft::NodeId{9}, 2, 1});
  run(machine, machine::Dequeue{"event", {}});
  run(machine, machine::Delete{{"no such key"}});
}

inline BackupInfo info_of(const machine::Machine& machine) {
  return {.version = "0.1.0",
          .cluster_id = std::string(32, 'a'),
          .node_id = "node1",
          .made_at = "2026-01-31T23:59:59Z",
          .index = machine.applied(),
          .term = raft::Term{7},
          .time_ms = machine.time_ms()};
}

// The backup's bytes. `between` runs after each slice, as requests would go on.
template <typename Between>
std::string back_up(machine::Machine& machine, const std::string& directory, Between between,
                    size_t slice_bytes = 4096) {
  BackupWriter writer(directory, info_of(machine), 0);
  REQUIRE(writer.begin(machine.logical_bytes()).ok());
  // It has no name: nothing is left behind, whatever happens.
  CHECK_FALSE(std::filesystem::exists(directory + "/" + storage::kBackupTemporary));
  machine.begin_snapshot(machine::Walk::backup);
  for (std::string slice; machine.next_slice(slice_bytes, slice, machine::Walk::backup); between())
    REQUIRE(writer.feed(slice).ok());
  while (true) {
    const Result<bool> more = writer.finish_some();
    REQUIRE(more.ok());
    if (!*more) break;
  }
  const auto file = writer.take();
  REQUIRE(file.ok());
  auto bytes = (*file)->read(0, (*file)->size());
  REQUIRE(bytes.ok());
  return *bytes;
}
inline std::string back_up(machine::Machine& machine, const std::string& directory) {
  return back_up(machine, directory, [] {});
}

}  // namespace wh::backup::test
