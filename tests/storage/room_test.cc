// A full disk: each call that needs room fails, once or until room is made. The waiting write is then done, nothing is
// reported before, and the state is the same as without the failure (HAZARDS C7, F10: no room at any write, or for a
// snapshot).
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "support.h"

using namespace wh;
using namespace wh::storage;
using namespace wh::storage::test;

namespace {

// Of the calls that need room.
class FullDisk final : public RefusingProbe {
 public:
  FullDisk() { error = ENOSPC; }
  uint64_t ballast = 0;  // its size, as it was last cut or made

  int before(const DiskEvent& event) override {
    using Kind = DiskEvent::Kind;
    const bool needs_room = event.kind == Kind::write || event.kind == Kind::rename || event.kind == Kind::remove ||
                            event.kind == Kind::allocate;
    return needs_room ? count() : 0;
  }
  void after(const DiskEvent& event) override {
    if (event.file == kBallastFile) ballast = event.offset;
  }
};

// Runs until nothing waits. A disk that stays full is emptied after some looks, which must bring nothing.
void finish(Client& client, FullDisk& disk) {
  client.run();
  for (int looks = 0; !client->idle(); ++looks) {
    REQUIRE(looks < 20);
    if (looks == 2) disk.over = true;
    client->look_at_space();
    client.run();
  }
}

template <typename T>
size_t answers_of(const Client& client) {
  return static_cast<size_t>(std::count_if(client.answers.begin(), client.answers.end(),
                                           [](const node::StorageDone& d) { return std::holds_alternative<T>(d); }));
}

// Something of everything that writes; gives what must be on the disk after it.
Model story(Client& client, FullDisk& disk) {
  Model model(founding());
  const auto persist = [&](node::Batch b, bool reads = false) {
    model.append(b.append);
    if (b.hard_state) model.hard_state = *b.hard_state;
    const uint64_t ticket = b.ticket;
    client.answers.clear();
    client->persist(std::move(b));
    if (reads) client->load_entries(raft::Index{2}, raft::Index{9}, 1 << 20);
    client.run();
    // Reported when it is written, and only then, and once.
    CHECK((answers_of<node::BatchPersisted>(client) == 1) == client->idle());
    finish(client, disk);
    REQUIRE(answers_of<node::BatchPersisted>(client) == 1);
    CHECK(answers_of<node::EntriesRead>(client) == (reads ? 1 : 0));
    for (const node::StorageDone& done : client.answers)
      if (const auto* persisted = std::get_if<node::BatchPersisted>(&done)) CHECK(persisted->ticket == ticket);
  };
  client->begin_anew(founding());
  finish(client, disk);
  persist(batch(1, entries(2, 20, 1, std::string(300, 'a'))));
  // Larger than SQLite's cache: written in the middle of the transaction, too.
  persist(batch(2, entries(21, 28, 1, std::string(300'000, 'b'))), true);
  persist(batch(2, entries(29, 30, 1)));
  persist(batch(3, {}, raft::HardState{raft::Term{2}, kOther}));
  persist(batch(4, entries(25, 40, 2, "c")));  // truncates
  for (int tries = 0;; ++tries) {
    REQUIRE(tries < 20);
    client.answers.clear();
    const raft::SnapshotMeta meta = take_snapshot(client, 24, 1, std::string(5000, 's'));
    finish(client, disk);
    if (meta.index.value == 24 || answers_of<node::SnapshotSaved>(client) == 1) break;
    if (tries == 2) disk.over = true;
    client->look_at_space();
  }
  model.snapshot_index = 24;
  client->compact(raft::Index{12});
  finish(client, disk);
  persist(batch(5, entries(41, 50, 2, std::string(1000, 'd'))));
  const raft::SnapshotMeta theirs = leader_snapshot(60, 3, 77, std::string(4000, 't'));
  for (int tries = 0; !receive_snapshot(client, theirs, std::string(4000, 't')); ++tries) {
    REQUIRE(tries < 20);
    if (tries == 2) disk.over = true;
    client->look_at_space();  // upkeep may have found no room
    client.run();
  }
  node::Batch install = batch(6, {}, raft::HardState{raft::Term{3}, {}});
  install.install = raft::InstallState{theirs, false};
  model.wipe_to(60);
  model.snapshot_index = 60;
  persist(install);
  persist(batch(7, entries(61, 70, 3, "e")));
  return model;
}

void check_story(FullDisk& disk, uint64_t ballast_bytes = 0) {
  const TempDirectory dir = TempDirectory::in_memory();
  const auto change = [&](Options& o) {
    o.checkpoint_bytes = 30'000;
    o.free_pages_bytes = 0;
    o.ballast_bytes = ballast_bytes;
  };
  std::optional<Client> client;
  for (int tries = 0;; ++tries) {
    REQUIRE(tries < 5);
    client.emplace(dir.path(), &disk, change);
    if (client->ok()) break;
    // The start of a new directory, or its end, found no room.
    const bool said = client->error().find("No space left") != std::string::npos ||
                      client->error().find("quota exceeded") != std::string::npos ||
                      client->error().find("File too large") != std::string::npos;
    CHECK_MESSAGE(said, client->error());
    if (!disk.once) disk.over = true;
  }
  const Model model = story(*client, disk);
  CHECK(client->fatal.empty());
  client.reset();
  Client again(dir.path());
  REQUIRE_MESSAGE(again.ok(), again.error());
  CHECK(model.difference(again.node) == "");
}

}  // namespace

TEST_CASE("HAZARDS C7, F10: no room at any call that needs some, once or until it is made, changes nothing") {
  FullDisk counting;
  check_story(counting);
  REQUIRE(counting.calls > 100);
  CHECK(counting.refused == 0);
  uint64_t refused = 0;
  for (uint64_t at = 1; at <= counting.calls; ++at) {
    for (const bool once : {true, false}) {
      CAPTURE(at);
      CAPTURE(once);
      FullDisk disk;
      disk.from = at;
      disk.once = once;
      disk.error = at % 3 == 0 ? EDQUOT : at % 3 == 1 ? EFBIG : ENOSPC;
      check_story(disk);
      refused += disk.refused;
    }
  }
  CHECK(refused > 200);
}

// Full from the next write of the witness on.
class FullAtTheWitness final : public DiskProbe {
 public:
  bool waits = false;
  bool full = false;
  int refused = 0;

  int before(const DiskEvent& event) override {
    if (event.kind != DiskEvent::Kind::write) return 0;
    if (waits && event.file == "witness") full = true;
    refused += full ? 1 : 0;
    return full ? ENOSPC : 0;
  }
  void after(const DiskEvent& /*event*/) override {}
};

TEST_CASE("HAZARDS C7: a read that finds no room, as writes before it wait for it, is answered when there is some") {
  const TempDirectory dir = TempDirectory::in_memory();
  FullAtTheWitness disk;
  Client client(dir.path(), &disk, [](Options& o) { o.checkpoint_bytes = 16'384; });
  REQUIRE(client.ok());
  client->begin_anew(founding());
  client.run();
  client.persist(batch(1, entries(2, 20, 1, std::string(300, 'a'))));
  client->rest();
  client.run();
  REQUIRE(client->stats().checkpoints > 0);
  // The WAL begins anew: small appends put the last leaf there, and not the first page.
  for (uint64_t at = 21; at <= 23; ++at) client.persist(batch(at, entries(at, at, 1, "b")));
  // More than SQLite's cache, so that part of it is written before the commit. It cuts off an entry: the witness is
  // lowered between the two.
  disk.waits = true;
  client.answers.clear();
  client->persist(batch(30, entries(23, 31, 2, std::string(300'000, 'c'))));
  client.run();
  REQUIRE(disk.refused > 0);
  CHECK(answers_of<node::BatchPersisted>(client) == 0);
  client->load_entries(raft::Index{20}, raft::Index{22}, 1 << 20);
  client.run();
  disk.full = disk.waits = false;
  client->look_at_space();
  client.run();
  CHECK(answers_of<node::BatchPersisted>(client) == 1);
  CHECK(answers_of<node::EntriesRead>(client) == 1);
  CHECK(client.fatal.empty());
}

TEST_CASE("the ballast gives way piece by piece, is kept for the opening, and is made again") {
  const TempDirectory dir = TempDirectory::in_memory();
  FullDisk disk;
  const auto change = [](Options& o) { o.ballast_bytes = 3 << 20; };
  {
    Client client(dir.path(), &disk, change);
    REQUIRE(client.ok());
    CHECK(std::filesystem::file_size(dir.file("ballast")) == 3 << 20);
    client.persist(batch(1, entries(1, 3, 1)));
    disk.from = disk.calls + 1;
    client.answers.clear();
    client->persist(batch(2, entries(4, 6, 1)));
    client.run();
    // Tried again after each piece; the last one is not given.
    CHECK(disk.refused >= 3);
    CHECK(std::filesystem::file_size(dir.file("ballast")) == 1 << 20);
    CHECK(answers_of<node::BatchPersisted>(client) == 0);
    REQUIRE(answers_of<node::DiskSpace>(client) > 0);
    CHECK(client->space().full);
    CHECK_FALSE(client->idle());
    // Each second once more.
    const uint64_t before = disk.refused;
    client->look_at_space();
    client.run();
    CHECK(disk.refused == before + 1);
    disk.over = true;
    client->look_at_space();
    client.run();
    CHECK(answers_of<node::BatchPersisted>(client) == 1);
    CHECK(client->space().full);  // until the ballast is whole again
    client->look_at_space();
    client.run();
    CHECK_FALSE(client->space().full);
    CHECK(std::filesystem::file_size(dir.file("ballast")) == 3 << 20);
    CHECK(client.fatal.empty());
  }
  // An opening writes: without room it takes the whole ballast, once.
  FullDisk again;
  again.from = 1;
  again.once = true;
  Client client(dir.path(), &again, change);
  REQUIRE_MESSAGE(client.ok(), client.error());
  CHECK(again.refused == 1);
  CHECK(client.node.raft.log.last_index == raft::Index{6});
  client.close();
  FullDisk never;
  never.from = 1;
  const Client refused(dir.path(), &never, change);
  CHECK(refused.error().find("make room in its file system and start again") != std::string::npos);
}

TEST_CASE("a batch that waits for room ages, like one that waits for a slow disk (HAZARDS C9)") {
  const TempDirectory dir = TempDirectory::in_memory();
  FullDisk disk;
  Client client(dir.path(), &disk);
  CHECK(client->sync_age() == 0);
  disk.from = disk.calls + 1;
  client->persist(batch(1, entries(1, 3, 1)));
  client.run();
  const Millis until = steady_ms() + 40;
  while (steady_ms() < until) {
  }
  CHECK(client->sync_age() >= 10);  // a quarter of it
  disk.over = true;
  finish(client, disk);
  CHECK(client->sync_age() == 0);
}

TEST_CASE("a file that may not grow (ulimit -f) is a disk that is full: said beforehand, and no end of the process") {
  const TempDirectory dir;
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);  // as the server has it
    constexpr rlim_t kLimit = 3 << 20;
    const rlimit limit{.rlim_cur = kLimit, .rlim_max = kLimit};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(10);
    Client client(dir.path());
    if (!client.ok()) ::_exit(11);
    const uint64_t room = client->space().free_bytes;
    if (room == 0 || room > kLimit) ::_exit(12);
    // More than fits in all, in batches that fit: the WAL alone never gets so far.
    for (uint64_t at = 1; at <= 40; ++at) {
      client->persist(batch(at, entries(at, at, 1, std::string(200'000, 'x'))));
      client.run();
      if (!client->idle()) break;
    }
    if (client->idle()) ::_exit(13);
    client->look_at_space();
    client.run();
    if (!client->space().full || !client.fatal.empty()) ::_exit(14);
    ::_exit(answers_of<node::BatchPersisted>(client) >= 5 ? 0 : 15);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}

TEST_CASE("no room: what is missing is said where the errno does not tell") {
  CHECK(no_room_hint("/tmp/x", EIO).empty());
  CHECK(no_room_hint("/tmp/x", EDQUOT).empty());
  CHECK(no_room_hint("/tmp/x", EFBIG).find(file_size_limit() == UINT64_MAX ? "takes no larger one" : "ulimit -f") !=
        std::string::npos);
  CHECK(disk_error("write", "/none/x", ENOSPC) == "cannot write /none/x: No space left on device");
  for (const int error : {ENOSPC, EDQUOT, EFBIG}) CHECK(is_no_room(error));
  CHECK_FALSE(is_no_room(EIO));
  // /proc counts no blocks: not known is room enough.
  const int fd = ::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  REQUIRE(fd >= 0);
  CHECK(file_system_room(fd).free_bytes == UINT64_MAX);
  CHECK(file_system_room(fd).total_bytes == 0);
  ::close(fd);
}

TEST_CASE("after compaction the database file gives its space back, but for some free pages") {
  const TempDirectory dir = TempDirectory::in_memory();
  Client client(dir.path(), nullptr, [](Options& o) {
    o.free_pages_bytes = 2 << 20;
    o.checkpoint_bytes = 1 << 20;
  });
  const auto size = [&] { return std::filesystem::file_size(dir.file("wormhole.db")); };
  for (uint64_t i = 1; i <= 40; ++i) client.persist(batch(i, entries(i, i, 1, std::string(500'000, 'x'))));
  client.run();
  const uint64_t grown = size();
  CHECK(grown > (15 << 20));
  take_snapshot(client, 40, 1, "state");
  client->compact(raft::Index{38});
  client.run();
  // The cut becomes the file's with the next checkpoint.
  for (uint64_t i = 41; i <= 45; ++i) client.persist(batch(i, entries(i, i, 1, std::string(500'000, 'y'))));
  client.run();
  CHECK(client.fatal.empty());
  CHECK(size() < (9 << 20));
  client.close();
  Client again(dir.path());
  REQUIRE_MESSAGE(again.ok(), again.error());
  CHECK(again.node.raft.log.last_index == raft::Index{45});
  CHECK(again.node.raft.log.base_index == raft::Index{38});
}

TEST_CASE("free space goes back slowly while entries are written, and at once when the storage rests") {
  for (const bool pages : {false, true}) {
    const TempDirectory dir = TempDirectory::in_memory();
    Client client(dir.path(), nullptr, [](Options& o) {
      o.free_pages_bytes = 1 << 20;
      o.scarce_bytes = 0;
    });
    const auto write = [&](uint64_t first, uint64_t last, const std::string& value) {
      node::Batch given = batch(first, entries(first, last, 1, value));
      if (pages) given.version = kPagesVersion;
      client->persist(std::move(given));
      client.worker.run_all();
    };
    write(1, 60, std::string(300'000, 'x'));
    take_snapshot(client, 60, 1, "state");
    write(61, 61, "more");
    client->compact(raft::Index{58});
    client.worker.run_all();
    for (uint64_t i = 62; i <= 70; ++i) {
      write(i, i, "more");
      client->rest();
      client.worker.run_all();
      CHECK(client->shrinks());
    }
    client->rest();
    client.worker.run_all();
    CHECK_FALSE(client->shrinks());
    CHECK(client->idle());
    CHECK(client.fatal.empty());
  }
}

TEST_CASE("on a disk with little room free space goes back at once, whatever is written") {
  const TempDirectory dir = TempDirectory::in_memory();
  Client client(dir.path(), nullptr, [](Options& o) {
    o.free_pages_bytes = 1 << 20;
    o.scarce_bytes = UINT64_MAX;
  });
  client->persist(batch(1, entries(1, 60, 1, std::string(300'000, 'x'))));
  client.worker.run_all();
  take_snapshot(client, 60, 1, "state");
  client->persist(batch(2, entries(61, 61, 1)));
  client->compact(raft::Index{58});
  client.worker.run_all();
  CHECK_FALSE(client->shrinks());
  CHECK(client->idle());
  CHECK(client.fatal.empty());
}

TEST_CASE("at its end the storage leaves its free space as it is") {
  const TempDirectory dir = TempDirectory::in_memory();
  Client client(dir.path(), nullptr, [](Options& o) { o.free_pages_bytes = 1 << 20; });
  client->persist(batch(1, entries(1, 60, 1, std::string(300'000, 'x'))));
  client.worker.run_all();
  take_snapshot(client, 60, 1, "state");
  client->persist(batch(2, entries(61, 61, 1)));
  client->compact(raft::Index{58});
  client->settle();
  client.worker.run_all();
  CHECK_FALSE(client->shrinks());
  CHECK(client->idle());
  CHECK(client.fatal.empty());
  client.close();
  CHECK(slurp(dir.file("wormhole.db")).size() > 15'000'000);
}

TEST_CASE("a database that was made without auto_vacuum keeps its free pages, and comes to rest") {
  const TempDirectory dir = TempDirectory::in_memory();
  Client(dir.path()).close();
  sql(dir.file("wormhole.db"), "PRAGMA journal_mode=DELETE; PRAGMA auto_vacuum=0; VACUUM; PRAGMA journal_mode=WAL");
  Client client(dir.path(), nullptr, [](Options& o) { o.free_pages_bytes = 1 << 20; });
  REQUIRE_MESSAGE(client.ok(), client.error());
  for (uint64_t i = 1; i <= 20; ++i) client.persist(batch(i, entries(i, i, 1, std::string(500'000, 'x'))));
  client.run();
  take_snapshot(client, 20, 1, "state");
  client->compact(raft::Index{18});
  client.run();  // would never end
  CHECK(client.fatal.empty());
  CHECK(client->idle());
}

TEST_CASE("HAZARDS C5: the leader knows more of this log than it holds: an older copy") {
  const TempDirectory dir = TempDirectory::in_memory();
  Client client(dir.path());
  client->acknowledged_lost(raft::Index{9}, raft::Index{4});
  REQUIRE(client.fatal.size() == 1);
  for (const char* part : {"/wormhole.db: the log ends at row 4, but row 9 was acknowledged", "older copy", "join"})
    CHECK(client.fatal[0].find(part) != std::string::npos);
  const TempDirectory lax = TempDirectory::in_memory();
  Client other(lax.path(), nullptr, [](Options& o) { o.fsync = AppendFsync::everysec; });
  other->acknowledged_lost(raft::Index{9}, raft::Index{4});
  CHECK(other.fatal.empty());
}
