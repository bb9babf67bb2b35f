// --restore: makes a directory from a state, from which a server starts. It is all or nothing, whenever a crash or a
// disk failure comes.
#include "backup/restore.h"

#include <cerrno>
#include <filesystem>

#include <doctest/doctest.h>

#include "crash_disk.h"
#include "machine/machine.h"
#include "machine/snapshot/snapshot_loader.h"
#include "support.h"

using namespace wh;
using namespace wh::storage;
using namespace wh::storage::test;

namespace {

void run(machine::Machine& machine, const machine::Body& body) {
  machine.apply(machine.applied() + 1, 1000, machine::envelope({}, machine::encode_body(body)));
}

void sample(machine::Machine& machine) {
  run(machine, machine::Set{{{"a", "1"}, {"b", std::string_view("\0\xff", 2)}}});
  for (int i = 0; i < 5; ++i) run(machine, machine::Enqueue{"event", "e" + std::to_string(i)});
  run(machine, machine::Dequeue{"event", {}});
}

// A backup as read_backup gives it.
backup::Backup backup_of(machine::Machine& machine) {
  backup::Backup backup;
  backup.info.index = machine.applied();
  backup.info.term = raft::Term{5};
  machine::SnapshotLoader loader;
  machine.begin_snapshot();
  for (std::string slice; machine.next_slice(4096, slice);) REQUIRE(loader.feed(slice).ok());
  backup.state = std::move(*loader.finish());
  return backup;
}

backup::Founder founder() { return {"test-node", kSelf, cluster(4), ":1112"}; }

// The state that a server would load from what it recovered.
std::optional<machine::State> state_in(Client& client) {
  const auto bytes = read_whole(client, *client.node.raft.snapshot);
  REQUIRE(bytes);
  machine::SnapshotLoader loader;
  REQUIRE(loader.feed(*bytes).ok());
  auto state = loader.finish();
  REQUIRE(state.ok());
  return std::optional<machine::State>(std::move(*state));
}

void test_name(Options& o) { o.node_name = "test-node"; }

}  // namespace

TEST_CASE("a restored directory holds the state, as a cluster of one that goes on behind it") {
  machine::Machine machine;
  sample(machine);
  const TempDirectory dir = TempDirectory::in_memory();
  const auto index = backup::restore_backup(backup_of(machine), dir.path(), founder());
  REQUIRE_MESSAGE(index.ok(), index.error());
  CHECK(index->value == machine.applied().value + backup::kIndexGap);
  Client client(dir.path(), nullptr, [](Options& o) { test_name(o); });
  REQUIRE_MESSAGE(client.ok(), client.error());
  CHECK(client.node.cluster == cluster(4));
  CHECK(client.node.instance == kSelf);
  CHECK(client.node.saw_command);  // nobody absorbs it
  CHECK(client.node.raft.hard_state.current_term == raft::Term{5});
  REQUIRE(client.node.raft.snapshot);
  CHECK(client.node.raft.snapshot->index == *index);
  CHECK(client.node.raft.snapshot->configuration.is_voter(kSelf));
  CHECK(client.node.raft.snapshot->configuration.members().size() == 1);
  CHECK(client.node.raft.log.last_index == *index);
  const auto state = state_in(client);
  CHECK(state->digest() == machine.digest());
  CHECK(state->applied == *index);
  CHECK(state->queues.front("event")->bytes.view() == "e1");
}

TEST_CASE("a directory that holds anything is not touched") {
  machine::Machine machine;
  sample(machine);
  const TempDirectory dir = TempDirectory::in_memory();
  for (const char* name : {"wormhole.db", "witness", "notes.txt", "x"}) spill(dir.file(name), "mine");
  const auto index = backup::restore_backup(backup_of(machine), dir.path(), founder());
  REQUIRE_FALSE(index.ok());
  CHECK(index.error().find("holds notes.txt, witness, wormhole.db and 1 more") != std::string::npos);
  CHECK(slurp(dir.file("witness")) == "mine");
  CHECK(std::distance(std::filesystem::directory_iterator(dir.path()), {}) == 4);
}

TEST_CASE("an empty file system's directory, and one that is missing, will do") {
  machine::Machine machine;
  sample(machine);
  const TempDirectory dir = TempDirectory::in_memory();
  std::filesystem::create_directory(dir.file("lost+found"));
  CHECK(backup::restore_backup(backup_of(machine), dir.path(), founder()).ok());
  CHECK(backup::restore_backup(backup_of(machine), dir.file("new"), founder()).ok());
  // Its parent is not made: a file system may not be mounted.
  const auto index = backup::restore_backup(backup_of(machine), dir.file("no/such/mount"), founder());
  REQUIRE_FALSE(index.ok());
  CHECK(index.error().find("is its file system mounted?") != std::string::npos);
  CHECK_FALSE(file_exists(dir.file("no")));
}

TEST_CASE("a crash at every call of a restore: refused, or whole, never another state") {
  machine::Machine machine;
  sample(machine);
  const TempDirectory dir = TempDirectory::in_memory();
  const TempDirectory image = TempDirectory::in_memory();
  const TempDirectory empty = TempDirectory::in_memory();
  CrashDisk disk;
  Prng prng(5);
  int nothing = 0;
  int refused = 0;
  int whole = 0;
  const auto crash = [&] {
    for (const auto kind : {CrashDisk::Kind::killed, CrashDisk::Kind::power_cut, CrashDisk::Kind::mixture}) {
      image.copy_from(empty.path());
      disk.image(kind, prng, image.path());
      if (std::filesystem::is_empty(image.path())) {
        ++nothing;
        continue;
      }
      Client client(image.path(), nullptr, [](Options& o) { test_name(o); });
      if (!client.ok()) {
        CHECK_MESSAGE(client.error().find("holds a restore that was cut off") != std::string::npos, client.error());
        ++refused;
        continue;
      }
      ++whole;
      CHECK(client.node.cluster == cluster(4));
      if (client.node.raft.snapshot) CHECK(state_in(client)->digest() == machine.digest());
      CHECK(client.node.raft.snapshot.has_value());
    }
  };
  disk.at_each_call = crash;
  REQUIRE(backup::restore_backup(backup_of(machine), dir.path(), founder(), &disk).ok());
  const int before = whole;
  crash();
  CHECK(whole == before + 3);  // reported: durable
  CHECK(nothing > 0);
  CHECK(refused > 30);
}

TEST_CASE("a disk that fails any call of a restore: an error, and an empty directory again") {
  class Failing final : public DiskProbe {
   public:
    int fail_at = 0;
    int calls = 0;
    int before(const DiskEvent&) override { return ++calls == fail_at ? ENOSPC : 0; }
    void after(const DiskEvent&) override {}
  };
  machine::Machine machine;
  sample(machine);
  int failures = 0;
  for (int at = 1;; ++at) {
    CAPTURE(at);
    const TempDirectory dir = TempDirectory::in_memory();
    Failing disk;
    disk.fail_at = at;
    const auto index = backup::restore_backup(backup_of(machine), dir.path(), founder(), &disk);
    if (disk.calls < at) {
      CHECK(index.ok());
      break;
    }
    // What closes the database at the very end may fail: the next start does it again.
    if (index.ok()) continue;
    ++failures;
    for (const auto& item : std::filesystem::directory_iterator(dir.path()))
      CHECK_MESSAGE(item.path().filename() == "wormhole.lock", item.path().string());
  }
  CHECK(failures > 10);
}
