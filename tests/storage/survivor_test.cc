// --recover: inspects without changing anything, and gives the whole log to a new cluster in one transaction, whenever
// a crash comes.
#include "storage/survivor.h"

#include <filesystem>
#include <map>

#include <doctest/doctest.h>

#include "crash_disk.h"
#include "support.h"

using namespace wh;
using namespace wh::storage;
using namespace wh::storage::test;

namespace {

using Files = std::map<std::string, std::string>;

Files files_of(const std::string& directory) {
  Files files;
  for (const auto& item : std::filesystem::directory_iterator(directory))
    if (item.path().filename() != "wormhole.lock") files[item.path().filename()] = slurp(item.path());
  return files;
}

// One of three members, as a killed process leaves it: a snapshot, a log behind it, a vote in a later term.
class Remains {
 public:
  Remains() {
    Client client(origin_.path());
    client->begin_anew(founding());
    client.persist(batch(1, {configuration_entry(2, 1, {kSelf, kOther})}));
    client.persist(batch(2, entries(3, 50, 2, "data"), raft::HardState{raft::Term{2}, kSelf}));
    take_snapshot(client, 30, 2, "state");
    client->compact(raft::Index{20});
    client.run();
    client.persist(batch(3, {configuration_entry(51, 4, {kSelf, kOther, raft::NodeId{3}})}));
    client.persist(batch(4, entries(52, 60, 4, "more"), raft::HardState{raft::Term{6}, kOther}));
    files_ = files_of(origin_.path());
  }
  // Copies it to a directory of its own.
  void copy_to(const TempDirectory& to) const {
    for (const auto& [name, bytes] : files_) spill(to.file(name), bytes);
  }
  [[nodiscard]] const Files& files() const { return files_; }

 private:
  TempDirectory origin_ = TempDirectory::in_memory();
  Files files_;
};

}  // namespace

TEST_CASE("to look at a survivor changes nothing, and tells what it holds") {
  const Remains remains;
  const TempDirectory dir = TempDirectory::in_memory();
  remains.copy_to(dir);
  {
    const auto survivor = Survivor::examine(dir.path(), "");
    REQUIRE_MESSAGE(survivor.ok(), survivor.error());
    CHECK((*survivor)->node().raft.log.last_index == raft::Index{60});
    CHECK((*survivor)->last_log_term() == raft::Term{4});
    CHECK((*survivor)->node().raft.hard_state.current_term == raft::Term{6});
    CHECK((*survivor)->configuration().index == raft::Index{51});
    CHECK((*survivor)->configuration().configuration.voters() == 3);
    // A second one, and a server, are kept out.
    const auto second = Survivor::examine(dir.path(), "");
    REQUIRE_FALSE(second.ok());
    CHECK(second.error().find("is in use by process " + std::to_string(::getpid())) != std::string::npos);
  }
  CHECK((files_of(dir.path()) == remains.files()));
  const auto other_name = Survivor::examine(dir.path(), "somebody-else");
  REQUIRE_FALSE(other_name.ok());
  CHECK(other_name.error().find("somebody-else") != std::string::npos);
  CHECK((files_of(dir.path()) == remains.files()));
}

TEST_CASE("neither does it where the node was stopped in an orderly way") {
  const TempDirectory dir = TempDirectory::in_memory();
  {
    Client client(dir.path());
    client->begin_anew({cluster(1), {raft::Term{1}, kSelf}, configuration_entry(1, 1, {kSelf, kOther})});
    client.persist(batch(1, entries(2, 9, 1)));
    client.run();
  }
  const Files before = files_of(dir.path());
  CHECK_FALSE(before.contains("wormhole.db-wal"));
  CHECK(Survivor::examine(dir.path(), "").ok());
  CHECK((files_of(dir.path()) == before));
}

TEST_CASE("a directory without a node's data is no survivor, and stays as it is") {
  const TempDirectory dir = TempDirectory::in_memory();
  const auto survivor = Survivor::examine(dir.path(), "");
  REQUIRE_FALSE(survivor.ok());
  CHECK(survivor.error().find("wormhole.db is missing") != std::string::npos);
  CHECK(std::filesystem::is_empty(dir.path()));
  CHECK_FALSE(Survivor::examine(dir.file("absent"), "").ok());
  CHECK_FALSE(std::filesystem::exists(dir.file("absent")));
}

TEST_CASE("a survivor that took over holds its whole log, alone, in a term of its own") {
  const Remains remains;
  const TempDirectory dir = TempDirectory::in_memory();
  remains.copy_to(dir);
  {
    const auto survivor = Survivor::examine(dir.path(), "");
    REQUIRE(survivor.ok());
    REQUIRE((*survivor)->take_over(cluster(9)).ok());
  }
  Client client(dir.path());
  REQUIRE_MESSAGE(client.ok(), client.error());
  CHECK(client.node.cluster == cluster(9));
  CHECK(client.node.instance == kSelf);
  CHECK(client.node.raft.hard_state.current_term == raft::Term{7});
  CHECK_FALSE(client.node.raft.hard_state.voted_for);
  const raft::Log::Recovered& log = client.node.raft.log;
  CHECK(log.last_index == raft::Index{61});
  REQUIRE(log.configurations.back().index == raft::Index{61});
  CHECK(log.configurations.back().configuration.voters() == 1);
  CHECK(log.configurations.back().configuration.is_voter(kSelf));
  CHECK(client.node.saw_command);
  client->load_entries(raft::Index{31}, raft::Index{61}, 1 << 20);
  const auto read = client.answer<node::EntriesRead>();
  REQUIRE(read);
  REQUIRE(read->entries.size() == 31);
  CHECK(read->entries.front().payload.view() == "data31");
  CHECK(read->entries[29].payload.view() == "more60");
  // It goes on like any log.
  client.persist(batch(1, entries(62, 63, 8), raft::HardState{raft::Term{8}, kSelf}));
  CHECK(client.fatal.empty());
}

TEST_CASE("a crash at every call while a survivor takes over: the old cluster or the new one, whole") {
  const Remains remains;
  const TempDirectory dir = TempDirectory::in_memory();
  remains.copy_to(dir);
  const TempDirectory image = TempDirectory::in_memory();
  const TempDirectory empty = TempDirectory::in_memory();
  CrashDisk disk;
  // What the earlier life wrote may or may not have reached the disk when this begins, but is synced by the first
  // commit; here it has.
  for (const auto& [name, bytes] : remains.files()) {
    disk.after({.kind = DiskEvent::Kind::write, .file = name, .offset = 0, .data = bytes});
    disk.after({.kind = DiskEvent::Kind::sync, .file = name});
  }
  Prng prng(3);
  int olds = 0;
  int news = 0;
  const auto crash = [&] {
    for (const auto kind : {CrashDisk::Kind::killed, CrashDisk::Kind::power_cut, CrashDisk::Kind::mixture}) {
      image.copy_from(empty.path());
      disk.image(kind, prng, image.path());
      const Client client(image.path());
      CHECK_MESSAGE(client.ok(), client.error());
      if (!client.ok()) return;
      const bool is_new = client.node.cluster == cluster(9);
      ++(is_new ? news : olds);
      if (is_new) {
        CHECK(client.node.raft.log.last_index == raft::Index{61});
        CHECK(client.node.raft.log.configurations.back().configuration.voters() == 1);
        CHECK(client.node.raft.hard_state.current_term == raft::Term{7});
      } else {
        CHECK(client.node.cluster == cluster(1));
        CHECK(client.node.raft.log.last_index == raft::Index{60});
        CHECK(client.node.raft.hard_state.current_term == raft::Term{6});
        CHECK(client.node.raft.hard_state.voted_for == kOther);
      }
    }
  };
  disk.at_each_call = crash;
  {
    const auto survivor = Survivor::examine(dir.path(), "", &disk);
    REQUIRE(survivor.ok());
    REQUIRE((*survivor)->take_over(cluster(9)).ok());
    const int before = news;
    crash();
    CHECK(news == before + 3);  // reported: durable
  }
  CHECK(olds > 0);
  CHECK(olds + news > 30);
}
