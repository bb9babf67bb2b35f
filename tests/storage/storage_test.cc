// The storage as the node sees it: what is written can be read back, also after a restart; order, merging, lanes,
// failures.
#include <atomic>
#include <fcntl.h>
#include <filesystem>
#include <map>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "storage/sqlite_storage.h"
#include "support.h"

using namespace wh;
using namespace wh::storage;
using namespace wh::storage::test;

namespace {

// Counts calls, and fails one.
struct CountingProbe final : DiskProbe {
  std::map<std::pair<std::string, int>, int> counts;
  std::string fail_file;
  DiskEvent::Kind fail_kind = DiskEvent::Kind::sync;
  int fail_errno = 0;
  int failures = 0;
  int before(const DiskEvent& event) override {
    if (fail_errno == 0 || event.kind != fail_kind || event.file.find(fail_file) == std::string_view::npos) return 0;
    ++failures;
    return fail_errno;
  }
  void after(const DiskEvent& event) override { ++counts[{std::string(event.file), static_cast<int>(event.kind)}]; }
  int syncs(const std::string& file) { return counts[{file, static_cast<int>(DiskEvent::Kind::sync)}]; }
};

std::vector<uint64_t> tickets(const Client& client) {
  std::vector<uint64_t> result;
  for (const node::StorageDone& done : client.answers)
    if (const auto* persisted = std::get_if<node::BatchPersisted>(&done)) result.push_back(persisted->ticket);
  return result;
}

uint64_t size_of(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? static_cast<uint64_t>(info.st_size) : 0;
}

}  // namespace

TEST_CASE("a new directory: empty, private, and the same instance for ever; HAZARDS C14") {
  const TempDirectory dir;
  const std::string path = dir.file("data");
  {
    Client client(path);
    REQUIRE(client.ok());
    CHECK(client.node.cluster == node::kNoCluster);
    CHECK(client.node.instance == kSelf);
    CHECK(client.node.name == "a");
    CHECK(client.node.epoch == 1);
    CHECK(client.node.raft.log.last_index == raft::Index{});
    CHECK_FALSE(client.node.raft.snapshot);
    CHECK_FALSE(client.node.saw_command);
  }
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0700);
  for (const char* file : {"wormhole.db", "witness", "wormhole.lock"}) {
    REQUIRE(::stat((path + "/" + file).c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
  }
  Client again(path, nullptr, [](Options& o) { o.fresh_instance = kOther; });
  REQUIRE(again.ok());
  CHECK(again.node.instance == kSelf);
  CHECK(again.node.epoch == 2);
  again->persist(batch(1, entries(1, 1, 1)));
  again.run();
  REQUIRE(::stat((path + "/wormhole.db-wal").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
}

TEST_CASE("HAZARDS C3: on an empty disk a node is another instance, whatever its name") {
  const TempDirectory dir;
  const TempDirectory replaced;
  CHECK(Client(dir.path()).node.instance == kSelf);
  const Client client(replaced.path(), nullptr, [](Options& o) { o.fresh_instance = kOther; });
  REQUIRE(client.ok());
  CHECK(client.node.name == "a");
  CHECK(client.node.instance == kOther);
}

TEST_CASE("everything comes back after each operation") {
  const TempDirectory dir;
  Model model;
  std::optional<raft::SnapshotMeta> snapshot;
  std::string state(5000, 's');
  const auto step = [&](const std::function<void(Client&)>& work) {
    {
      Client client(dir.path());
      REQUIRE_MESSAGE(client.ok(), client.error());
      work(client);
      client.run();
      CHECK(client.fatal.empty());
    }
    Client client(dir.path());
    REQUIRE_MESSAGE(client.ok(), client.error());
    CHECK(model.difference(client.node) == "");
    if (snapshot) {
      CHECK(client.node.raft.snapshot == *snapshot);
      CHECK(read_whole(client, *snapshot) == state);
    }
  };
  step([&](Client& c) {
    c->save_grant({kOther, 17, "10.0.0.1:1112"});
    model.granted_to = kOther;
    CHECK(c.answer<node::GrantPersisted>());
  });
  step([&](Client& c) {
    CHECK(c.node.granted_attempt == 17);
    CHECK(c.node.granted_address == "10.0.0.1:1112");
    model = Model{};
    model.cluster = cluster(7);
    model.hard_state = {raft::Term{1}, kSelf};
    model.append({configuration_entry(1, 1, {kSelf})});
    c->begin_anew({model.cluster, model.hard_state, model.log.front()});
    CHECK(c.answer<node::BeginningPersisted>());
  });
  step([&](Client& c) {
    CHECK_FALSE(c.node.saw_command);
    CHECK_FALSE(c.node.saw_others);
    c.persist(batch(1, entries(2, 10, 1)));
    model.append(entries(2, 10, 1));
    CHECK(tickets(c) == std::vector<uint64_t>{1});
  });
  step([&](Client& c) {
    CHECK(c.node.saw_command);
    model.hard_state = {raft::Term{3}, kOther};
    auto more = entries(8, 9, 3, "");
    more.push_back(configuration_entry(10, 3, {kSelf, kOther}));
    more.push_back(entry(11, 3, ""));
    c.persist(batch(2, more, model.hard_state));
    model.append(more);
  });
  step([&](Client& c) {
    CHECK(c.node.saw_others);
    const raft::Log::Recovered& log = c.node.raft.log;
    REQUIRE(log.runs.size() == 2);
    CHECK(log.runs[0].first == raft::Index{1});
    CHECK(log.runs[1].first == raft::Index{8});
    CHECK(log.runs[1].term == raft::Term{3});
    REQUIRE(log.configurations.size() == 2);
    CHECK(log.configurations[1].index == raft::Index{10});
    CHECK(log.last_time_ms == 1011);
    snapshot = take_snapshot(c, 9, 3, state);
    model.snapshot_index = 9;
    CHECK(snapshot->size == state.size());
    CHECK(snapshot->chain == chain_of({model.log.begin(), model.log.begin() + 9}));
  });
  step([&](Client& c) {
    c->compact(raft::Index{6});
    c.run();
    model.log.erase(model.log.begin(), model.log.begin() + 6);
    model.first = 7;
  });
  step([&](Client& c) {
    CHECK(c.node.raft.log.base_index == raft::Index{6});
    CHECK(c.node.raft.log.base_term == raft::Term{1});
    // The snapshot's configuration first, then the entry behind it.
    REQUIRE(c.node.raft.log.configurations.size() == 2);
    CHECK(c.node.raft.log.configurations[1].index == raft::Index{10});
    // Never beyond what a snapshot covers (HAZARDS F1).
    c->compact(raft::Index{11});
    c.run();
    model.log.erase(model.log.begin(), model.log.begin() + 3);
    model.first = 10;
  });
  step([&](Client& c) {
    CHECK(c.node.raft.log.base_index == raft::Index{9});
    state = std::string(3000, 'x');
    snapshot = leader_snapshot(11, 3, chain_of(model.log, snapshot->chain), state);
    REQUIRE(receive_snapshot(c, *snapshot, state));
    CHECK(read_whole(c, *snapshot) == state);
    auto install = batch(3, entries(12, 14, 3));
    install.install = raft::InstallState{*snapshot, true};
    c.persist(install);
    model.append(entries(12, 14, 3));
    model.snapshot_index = 11;
    CHECK(read_whole(c, *snapshot) == state);
  });
  step([&](Client& c) {
    state = "";
    snapshot = leader_snapshot(100, 4, 4711, state);
    REQUIRE(receive_snapshot(c, *snapshot, state));
    auto install = batch(4, {entry(101, 4)}, raft::HardState{raft::Term{4}, {}});
    install.install = raft::InstallState{*snapshot, false};
    c.persist(install);
    model.wipe_to(100);
    model.append({entry(101, 4)});
    model.hard_state = {raft::Term{4}, {}};
    model.snapshot_index = 100;
  });
  step([&](Client& c) {
    model = Model{};
    model.cluster = cluster(9);
    snapshot.reset();
    c->begin_anew({model.cluster, {}, std::nullopt});
    c.run();
  });
  Client client(dir.path());
  CHECK_FALSE(client.node.saw_command);
  CHECK_FALSE(client.node.saw_others);
  for (const char* file : {"snapshot-100-4.wh", "snapshot-11-3.wh", "snapshot-9-3.wh"})
    CHECK_FALSE(file_exists(dir.file(file)));
}

TEST_CASE("who reads a log that grows gets on: a read that was cut waits for few of the writes") {
  const TempDirectory dir = TempDirectory::in_memory();
  Client client(dir.path());
  uint64_t last = 200;
  client.persist(batch(1, entries(1, last, 1, std::string(1000, 'p'))));
  client.answers.clear();
  uint64_t next = 1;
  uint64_t reads = 0;
  client->load_entries(raft::Index{next}, raft::Index{200}, 20'000);
  for (int jobs = 0; jobs < 30; ++jobs) {
    for (int more = 0; more < 2; ++more) {  // always one more than is being written
      ++last;
      client->persist(batch(last, entries(last, last, 1)));
    }
    client.worker.run_one();
    for (node::StorageDone& done : std::exchange(client.answers, {})) {
      const auto* read = std::get_if<node::EntriesRead>(&done);
      if (read == nullptr) continue;
      REQUIRE_FALSE(read->entries.empty());
      ++reads;
      next = read->entries.back().index.value + 1;
      if (next <= 200) client->load_entries(raft::Index{next}, raft::Index{200}, 20'000);
    }
  }
  client.worker.run_all();
  CHECK(reads >= 8);
  CHECK(next > 150);
}

TEST_CASE("the log's end is given back up to the cache's size, and older entries are read") {
  const TempDirectory dir;
  const std::string payload(1000, 'p');
  {
    Client client(dir.path());
    client.persist(batch(1, entries(1, 100, 1, payload)));
  }
  Client client(dir.path(), nullptr, [](Options& o) { o.log_cache_bytes = 10'000; });
  REQUIRE(client.ok());
  CHECK(client.node.raft.log.tail.size() == 9);
  CHECK(client.node.raft.log.tail.front().index == raft::Index{92});
  client->load_entries(raft::Index{10}, raft::Index{20}, 1 << 20);
  auto read = client.answer<node::EntriesRead>();
  REQUIRE(read);
  CHECK(read->first == raft::Index{10});
  CHECK(read->entries == entries(10, 20, 1, payload));
  client->load_entries(raft::Index{10}, raft::Index{20}, 1);
  read = client.answer<node::EntriesRead>();
  CHECK(read->entries.size() == 1);
  client->load_entries(raft::Index{101}, raft::Index{120}, 1000);
  CHECK(client.answer<node::EntriesRead>()->entries.empty());
  take_snapshot(client, 50, 1, "state");
  client->compact(raft::Index{40});
  client.run();
  client->load_entries(raft::Index{40}, raft::Index{45}, 1 << 20);
  CHECK(client.answer<node::EntriesRead>()->entries.empty());
  client->load_entries(raft::Index{41}, raft::Index{45}, 1 << 20);
  CHECK(client.answer<node::EntriesRead>()->entries.size() == 5);
}

TEST_CASE("group commit: what waits is one transaction and one sync, and is reported in order") {
  const TempDirectory dir;
  CountingProbe probe;
  Client client(dir.path(), &probe);
  REQUIRE(client.ok());
  client.persist(batch(1, entries(1, 1, 1)));
  const int before = probe.syncs("wormhole.db-wal");
  const int witness_before = probe.syncs("witness");
  for (uint64_t i = 0; i < 100; ++i) client->persist(batch(i + 2, entries(i + 2, i + 2, 1)));
  client.run();
  // The first went alone, for nothing else waited; the others while it was under way.
  CHECK(probe.syncs("wormhole.db-wal") - before == 2);
  // The lag is closed once, when nothing waits.
  CHECK(probe.syncs("witness") - witness_before == 1);
  REQUIRE(tickets(client).size() == 101);
  for (uint64_t i = 0; i < 101; ++i) CHECK(tickets(client)[i] == i + 1);
}

TEST_CASE("commits that follow each other do not wait for a sync of the witness, which is settled at rest") {
  const TempDirectory dir;
  CountingProbe probe;
  Client client(dir.path(), &probe);
  client.persist(batch(1, entries(1, 1, 1)));
  const int before = probe.syncs("witness");
  for (uint64_t i = 2; i < 12; ++i) {
    client->persist(batch(i, entries(i, i, 1)));
    client.worker.run_all();
  }
  CHECK(probe.syncs("witness") == before);
  client->rest();
  client->rest();
  client.worker.run_all();
  CHECK(probe.syncs("witness") == before + 1);
  client->rest();
  CHECK_FALSE(client.worker.run_one());
}

TEST_CASE("HAZARDS C1: what a commit's sync is to make durable of the witness is on the device before it") {
  class Order final : public DiskProbe {
   public:
    int before(const DiskEvent& event) override {
      if (event.kind == DiskEvent::Kind::sync && event.file == "wormhole.db-wal") late += under_way;
      return 0;
    }
    void after(const DiskEvent& event) override {
      if (event.file != "witness") return;
      written += event.kind == DiskEvent::Kind::write;
      under_way = event.kind == DiskEvent::Kind::write;
    }
    int written = 0;
    int late = 0;

   private:
    bool under_way = false;  // written, and not awaited
  } probe;
  const TempDirectory dir;
  Client client(dir.path(), &probe, [](Options& o) { o.witness_lag_ms = 0; });
  REQUIRE(client.ok());
  for (uint64_t i = 1; i <= 20; ++i) {
    client->persist(batch(i, entries(i, i, 1)));
    client.worker.run_all();
  }
  CHECK(probe.written >= 19);
  CHECK(probe.late == 0);
}

TEST_CASE("HAZARDS C2: of a log that grows, the witness claims all but the last moment, and at rest all") {
  class Writes final : public DiskProbe {
   public:
    int before(const DiskEvent& /*event*/) override { return 0; }
    void after(const DiskEvent& event) override {
      witness += event.file == "witness" && event.kind == DiskEvent::Kind::write;
    }
    int witness = 0;
  } probe;
  const TempDirectory dir = TempDirectory::in_memory();
  // The database holds something when its WAL is gone, but not what is claimed: no checkpoint is made.
  Client(dir.path()).persist(batch(1, entries(1, 1, 1)));
  Client client(dir.path(), &probe, [](Options& o) { o.checkpoint_bytes = uint64_t{1} << 40; });
  REQUIRE(client.ok());
  const Millis begun = steady_ms();
  const int before = probe.witness;
  uint64_t last = 1;
  // Not for each commit, but again and again.
  while (probe.witness < before + 20 && last < 1'000'000) {
    ++last;
    client->persist(batch(last, entries(last, last, 1)));
    client.worker.run_all();
  }
  CHECK(probe.witness == before + 20);
  CHECK(steady_ms() >= begun + 19 * kWitnessLagMs);
  // What is claimed must be there: without its WAL the database does not start.
  const TempDirectory copy = TempDirectory::in_memory();
  copy.copy_from(dir.path());
  spill(copy.file("wormhole.db-wal"), "");
  const std::string refused = Client(copy.path()).error();
  CHECK_MESSAGE(refused.find("says the witness") != std::string::npos, refused);
  // At rest all is claimed.
  const std::string claimed = slurp(dir.file("witness"));
  client.run();
  CHECK(slurp(dir.file("witness")) != claimed);
}

TEST_CASE("a term or vote is in the witness before it is reported") {
  const TempDirectory dir;
  CountingProbe probe;
  Client client(dir.path(), &probe);
  client.persist(batch(1, {}, raft::HardState{raft::Term{1}, kSelf}));
  client.answers.clear();
  const int before = probe.syncs("witness");
  client->persist(batch(2, entries(1, 1, 2), raft::HardState{raft::Term{2}, kSelf}));
  REQUIRE(client.worker.run_one());
  CHECK(tickets(client) == std::vector<uint64_t>{2});
  CHECK(probe.syncs("witness") == before + 1);
}

TEST_CASE("HAZARDS B9: batches merged into one transaction, where later ones take back earlier ones") {
  const TempDirectory dir;
  Model model;
  {
    Client client(dir.path());
    client->persist(batch(1, entries(1, 1, 1)));  // goes alone; all behind it is one group
    client->persist(batch(2, entries(2, 10, 1)));
    client->persist(batch(3, entries(5, 7, 2), raft::HardState{raft::Term{2}, {}}));
    client->persist(batch(4, entries(6, 6, 3), raft::HardState{raft::Term{3}, kOther}));
    client->persist(batch(5, entries(7, 12, 3)));
    client->save_grant({kOther, 1, "x"});
    client.run();
    CHECK(tickets(client) == std::vector<uint64_t>{1, 2, 3, 4, 5});
    model.append(entries(1, 1, 1));
    model.append(entries(2, 10, 1));
    model.append(entries(5, 7, 2));
    model.append(entries(6, 6, 3));
    model.append(entries(7, 12, 3));
    model.hard_state = {raft::Term{3}, kOther};
    model.granted_to = kOther;
  }
  {
    Client client(dir.path());
    REQUIRE_MESSAGE(client.ok(), client.error());
    CHECK(model.difference(client.node) == "");
    // An installation that drops what was appended in the same group, then entries behind it, then another truncation.
    const raft::SnapshotMeta meta = leader_snapshot(20, 4, 99, "state");
    REQUIRE(receive_snapshot(client, meta, "state"));
    client.answers.clear();
    client->persist(batch(6, entries(13, 13, 3)));
    client->persist(batch(7, entries(10, 30, 4)));
    auto install = batch(8, entries(21, 22, 5));
    install.install = raft::InstallState{meta, false};
    client->persist(install);
    client->persist(batch(9, entries(22, 25, 6)));
    client.run();
    CHECK(tickets(client) == std::vector<uint64_t>{6, 7, 8, 9});
    model.wipe_to(20);
    model.append(entries(21, 22, 5));
    model.append(entries(22, 25, 6));
    model.snapshot_index = 20;
  }
  {
    Client client(dir.path());
    REQUIRE_MESSAGE(client.ok(), client.error());
    CHECK(model.difference(client.node) == "");
    client->persist(batch(10, entries(26, 26, 6)));
    client->persist(batch(11, entries(23, 40, 7)));
    client->begin_anew(founding(3));
    client->persist(batch(12, entries(2, 5, 1)));
    client->persist(batch(13, entries(3, 3, 2)));  // the log ends earlier then
    client.run();
    CHECK(tickets(client) == std::vector<uint64_t>{10, 11, 12, 13});
    model = Model{};
    model.cluster = cluster(3);
    model.hard_state = {raft::Term{1}, kSelf};
    model.append({configuration_entry(1, 1, {kSelf})});
    model.append(entries(2, 5, 1));
    model.append(entries(3, 3, 2));
  }
  Client client(dir.path());
  REQUIRE_MESSAGE(client.ok(), client.error());
  CHECK(model.difference(client.node) == "");
}

TEST_CASE("an installation that keeps the suffix, for rows that are not written yet or are stale") {
  const TempDirectory dir;
  Client client(dir.path());
  client.persist(batch(1, entries(1, 10, 1)));
  // The core appended 8..15 of term 2 and installed 12 in one step: the rows up to 12 never came here.
  const raft::SnapshotMeta meta = leader_snapshot(12, 2, 77, "s");
  REQUIRE(receive_snapshot(client, meta, "s"));
  auto install = batch(2, entries(13, 15, 2));
  install.install = raft::InstallState{meta, true};
  client.persist(install);
  // And over rows of another term.
  client.persist(batch(3, entries(16, 30, 2)));
  const raft::SnapshotMeta second = leader_snapshot(20, 3, 78, "t");
  REQUIRE(receive_snapshot(client, second, "t"));
  install = batch(4, entries(21, 22, 3));
  install.install = raft::InstallState{second, true};
  client.persist(install);
  CHECK(client.fatal.empty());
  client.close();
  Client again(dir.path());
  REQUIRE_MESSAGE(again.ok(), again.error());
  CHECK(again.node.raft.log.base_index == raft::Index{20});
  CHECK(again.node.raft.log.tail == entries(21, 22, 3));
}

TEST_CASE("a log that is not the one the leader's snapshot was made of stops the process") {
  const TempDirectory dir;
  Client client(dir.path());
  client.persist(batch(1, entries(1, 10, 1)));
  const raft::SnapshotMeta meta = leader_snapshot(5, 1, 123, "s");
  REQUIRE(receive_snapshot(client, meta, "s"));
  auto install = batch(2, {});
  install.install = raft::InstallState{meta, true};
  client.persist(install);
  REQUIRE(client.fatal.size() == 1);
  CHECK(client.fatal[0].find("wormhole.db: row 5 of log") != std::string::npos);
}

TEST_CASE("HAZARDS C11: a second process is kept out, and told who is in") {
  const TempDirectory dir;
  Client first(dir.path());
  REQUIRE(first.ok());
  Client second(dir.path());
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().find("is in use by process " + std::to_string(::getpid())) != std::string::npos);
  first.close();
  CHECK(Client(dir.path()).ok());
}

TEST_CASE(
    "HAZARDS C12: neither another descriptor of its files that is closed nor a child that ends gives the lock away") {
  const TempDirectory dir;
  Client first(dir.path());
  REQUIRE(first.ok());
  first.persist(batch(1, entries(1, 5, 1)));
  // A POSIX lock would be gone with the first of these that is closed.
  for (const char* name : {"wormhole.lock", "wormhole.db", "wormhole.db-wal", "witness"}) {
    const int descriptor = ::open(dir.file(name).c_str(), O_RDWR | O_CLOEXEC);
    REQUIRE_MESSAGE(descriptor >= 0, name);
    ::close(descriptor);
  }
  for (int round = 0; round < 2; ++round) {  // the second after a child, with its copies of all descriptors, has ended
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      // By that lock: SQLite would keep a child out in any case, by what the child inherits of its memory.
      const Client second(dir.path());
      ::_exit(second.error().find("is in use by process") != std::string::npos ? 0 : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
  }
  first.persist(batch(2, entries(6, 7, 1)));
  CHECK(first.fatal.empty());
}

TEST_CASE("HAZARDS C18: nothing of the data directory is mapped into memory") {
  const TempDirectory dir;
  Client(dir.path()).persist(batch(1, entries(1, 100, 1, std::string(1000, 'm'))));
  // Of these some are in the database file, some in the WAL.
  Client client(dir.path());
  REQUIRE(client.ok());
  client.persist(batch(1, entries(101, 200, 1, std::string(1000, 'm'))));
  client->load_entries(raft::Index{1}, raft::Index{200}, 1 << 20);
  client.run();
  CHECK(client.fatal.empty());
  const std::string maps = slurp("/proc/self/maps");
  REQUIRE(maps.find("[stack]") != std::string::npos);  // it can be read
  CHECK(maps.find(dir.path()) == std::string::npos);
  CHECK_FALSE(file_exists(dir.file("wormhole.db-shm")));
}

TEST_CASE("another node-id is refused, naming both") {
  const TempDirectory dir;
  {
    Client client(dir.path());
    REQUIRE(client.ok());
    client->begin_anew(founding(3));
    client.run();
  }
  Client client(dir.path(), nullptr, [](Options& o) { o.node_name = "beta"; });
  REQUIRE_FALSE(client.ok());
  CHECK(client.error().find("\"a\"") != std::string::npos);
  CHECK(client.error().find("\"beta\"") != std::string::npos);
  CHECK(Client(dir.path()).ok());
}

TEST_CASE("a start that founded nothing has fixed no node-id") {
  const TempDirectory dir;
  CHECK(Client(dir.path()).ok());
  CHECK(Client(dir.path(), nullptr, [](Options& o) { o.node_name = "beta"; }).ok());
}

TEST_CASE("where no node-id is configured the disk's counts, and on an empty one the default") {
  const auto unnamed = [](const char* by_default) {
    return [by_default](Options& o) {
      o.node_name.clear();
      o.default_node_name = by_default;
    };
  };
  const TempDirectory dir;
  {
    Client first(dir.path(), nullptr, unnamed("db1:1112"));
    REQUIRE(first.ok());
    CHECK(first.node.name == "db1:1112");
  }
  {
    // Nothing holds on to that yet.
    Client second(dir.path(), nullptr, unnamed("db2:1112"));
    REQUIRE(second.ok());
    CHECK(second.node.name == "db2:1112");
    second->begin_anew(founding(3));
    second.run();
  }
  {
    Client third(dir.path(), nullptr, unnamed("db3:9"));
    REQUIRE(third.ok());
    CHECK(third.node.name == "db2:1112");
  }
  Client named(dir.path());
  CHECK_FALSE(named.ok());
}

TEST_CASE("HAZARDS C13: a newer format is refused and left as it is") {
  const TempDirectory dir;
  CHECK(Client(dir.path()).ok());
  sql(dir.file("wormhole.db"), "PRAGMA user_version=9");
  const std::string before = slurp(dir.file("wormhole.db"));
  Client client(dir.path());
  REQUIRE_FALSE(client.ok());
  CHECK(client.error().find("holds data of version 9 of the cluster") != std::string::npos);
  CHECK(client.error().find("install the release that wrote it") != std::string::npos);
  CHECK(slurp(dir.file("wormhole.db")) == before);
  sql(dir.file("wormhole.db"), "PRAGMA user_version=1; PRAGMA application_id=5");
  CHECK(Client(dir.path()).error().find("not a database of this program") != std::string::npos);
}

TEST_CASE("HAZARDS A2, C6, C8: a failed write or sync stops the process, and nothing is tried again") {
  const struct {
    const char* file;
    DiskEvent::Kind kind;
    int error;
    const char* text;
  } cases[] = {
      {"wormhole.db-wal", DiskEvent::Kind::sync, EIO, "Input/output error"},
      {"wormhole.db-wal", DiskEvent::Kind::write, EIO, "Input/output error"},
      {"wormhole.db-wal", DiskEvent::Kind::sync, ENOSPC, "No space left on device"},
      {"witness", DiskEvent::Kind::write, EIO, "Input/output error"},
      {"witness", DiskEvent::Kind::sync, ENOSPC, "No space left on device"},
      {"witness", DiskEvent::Kind::sync, EIO, "Input/output error"},
      {"snapshot-", DiskEvent::Kind::sync, EIO, "Input/output error"},
      {"snapshot-", DiskEvent::Kind::write, EIO, "Input/output error"},
      {"snapshot-", DiskEvent::Kind::sync, ENOSPC, "No space left on device"},
      {"snapshot-", DiskEvent::Kind::rename, EIO, "Input/output error"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.file);
    const TempDirectory dir;
    CountingProbe probe;
    {
      Client client(dir.path(), &probe);
      client.persist(batch(1, entries(1, 5, 1), raft::HardState{raft::Term{1}, {}}));
      client.answers.clear();
      probe.fail_file = c.file;
      probe.fail_kind = c.kind;
      probe.fail_errno = c.error;
      if (std::string(c.file) == "snapshot-") {
        take_snapshot(client, 3, 1, std::string(3000, 'z'));
      } else {
        client->persist(batch(2, entries(6, 7, 2), raft::HardState{raft::Term{2}, kSelf}));
        client.run();
      }
      client->persist(batch(3, entries(8, 8, 2)));
      client.run();
      REQUIRE(client.fatal.size() == 1);
      CHECK(client.fatal[0].find(c.text) != std::string::npos);
      CHECK(client.fatal[0].find(dir.path() + "/") != std::string::npos);
      for (const node::StorageDone& done : client.answers)
        CHECK(std::holds_alternative<node::SnapshotSliceWritten>(done));
      CHECK(probe.failures == 1);
      client.close();
      CHECK(probe.failures == 1);
    }
    Client again(dir.path());
    REQUIRE_MESSAGE(again.ok(), again.error());
    CHECK(again.node.raft.log.last_index >= raft::Index{5});
  }
}

TEST_CASE("a checkpoint whose sync fails stops the process too") {
  const TempDirectory dir;
  CountingProbe probe;
  Client client(dir.path(), &probe, [](Options& o) { o.checkpoint_bytes = 20'000; });
  probe.fail_file = "wormhole.db";
  probe.fail_kind = DiskEvent::Kind::write;
  probe.fail_errno = 0;
  client.persist(batch(1, entries(1, 5, 1)));
  const int before = probe.counts[{"wormhole.db", static_cast<int>(DiskEvent::Kind::sync)}];
  client.persist(batch(2, entries(6, 50, 1, std::string(1000, 'q'))));
  CHECK(probe.counts[{"wormhole.db", static_cast<int>(DiskEvent::Kind::sync)}] > before);
  CHECK(client.fatal.empty());
  probe.fail_errno = EIO;
  probe.fail_file = "wormhole.db";
  probe.fail_kind = DiskEvent::Kind::sync;
  client.persist(batch(3, entries(51, 90, 1, std::string(1000, 'q'))));
  CHECK(client.fatal.size() == 1);
}

TEST_CASE("HAZARDS F4, F9: chunks that do not fit are thrown away") {
  const TempDirectory dir;
  Client client(dir.path());
  const std::string state(3000, 'c');
  const raft::SnapshotMeta meta = leader_snapshot(10, 2, 5, state);
  const auto chunk = [&](const raft::SnapshotMeta& m, uint64_t offset, const std::string& data, bool done) {
    client->write_incoming_chunk(m, offset, Bytes(data), done);
    return *client.answer<node::IncomingChunkWritten>();
  };
  // Not begun.
  CHECK_FALSE(chunk(meta, 100, "x", false).ok);
  // In order, then a gap.
  const auto first = chunk(meta, 0, state.substr(0, 1000), false);
  CHECK(first.ok);
  CHECK(first.next_offset == 1000);
  CHECK_FALSE(first.complete);
  CHECK_FALSE(chunk(meta, 1001, "x", false).ok);
  CHECK_FALSE(chunk(meta, 1000, "x", false).ok);
  // Another snapshot's chunk.
  CHECK(chunk(meta, 0, state.substr(0, 1000), false).ok);
  CHECK_FALSE(chunk(leader_snapshot(11, 2, 5, state), 1000, "x", false).ok);
  // Nor one of the same index whose bytes are others.
  CHECK(chunk(meta, 0, state.substr(0, 1000), false).ok);
  CHECK_FALSE(chunk(leader_snapshot(10, 2, 5, std::string(3000, 'd')), 1000, "x", false).ok);
  // Too long, too short, wrong bytes.
  CHECK_FALSE(chunk(meta, 0, state + "x", false).ok);
  CHECK_FALSE(chunk(meta, 0, state.substr(1), true).ok);
  CHECK_FALSE(chunk(meta, 0, std::string(3000, 'd'), true).ok);
  CHECK(client.fatal.empty());
  CHECK_FALSE(file_exists(dir.file("snapshot-incoming.wh.tmp")));
  // And a good one after all of that.
  CHECK(receive_snapshot(client, meta, state));
  CHECK(read_whole(client, meta) == state);
  CHECK_FALSE(read_whole(client, leader_snapshot(10, 2, 5, "other")));
}

TEST_CASE("what was received of a snapshot survives a restart, and goes on") {
  const TempDirectory dir;
  const std::string state(3000, 'c');
  const raft::SnapshotMeta meta = leader_snapshot(10, 2, 5, state);
  {
    Client client(dir.path());
    CHECK_FALSE(client.node.raft.incoming);
    client->write_incoming_chunk(meta, 0, Bytes(state.substr(0, 1000)), false);
    client->write_incoming_chunk(meta, 1000, Bytes(state.substr(1000, 1000)), false);
    client.run();
  }
  for (int restart = 0; restart < 2; ++restart) {
    const Client again(dir.path());
    REQUIRE(again.node.raft.incoming);
    CHECK(again.node.raft.incoming->meta == meta);
    CHECK(again.node.raft.incoming->next_offset == 2000);
  }
  Client client(dir.path());
  client->write_incoming_chunk(meta, 2000, Bytes(state.substr(2000)), true);
  const auto written = client.answer<node::IncomingChunkWritten>();
  REQUIRE(written);
  CHECK(written->complete);
  CHECK(read_whole(client, meta) == state);
  CHECK_FALSE(file_exists(dir.file("snapshot-incoming.wh.tmp")));
  CHECK_FALSE(file_exists(dir.file("snapshot-incoming.meta")));
}

TEST_CASE("HAZARDS F4: a part of a snapshot that cannot be gone on with is thrown away at the start") {
  const std::string state(3000, 'c');
  const raft::SnapshotMeta meta = leader_snapshot(10, 2, 5, state);
  const auto left = [&](const TempDirectory& dir) {
    {
      Client client(dir.path());
      client->write_incoming_chunk(meta, 0, Bytes(state.substr(0, 1000)), false);
      client.run();
    }
    REQUIRE(file_exists(dir.file("snapshot-incoming.meta")));
  };
  const auto gone = [](const TempDirectory& dir) {
    const Client again(dir.path());
    CHECK(again.ok());
    CHECK_FALSE(again.node.raft.incoming);
    CHECK_FALSE(file_exists(dir.file("snapshot-incoming.wh.tmp")));
    CHECK_FALSE(file_exists(dir.file("snapshot-incoming.meta")));
  };
  {
    const TempDirectory dir;
    left(dir);
    std::string record = slurp(dir.file("snapshot-incoming.meta"));
    record[5] = static_cast<char>(record[5] ^ 1);
    spill(dir.file("snapshot-incoming.meta"), record);
    gone(dir);
  }
  {
    const TempDirectory dir;
    left(dir);
    std::string part = slurp(dir.file("snapshot-incoming.wh.tmp"));
    part[15] = static_cast<char>(part[15] ^ 1);  // of the header
    spill(dir.file("snapshot-incoming.wh.tmp"), part);
    gone(dir);
  }
  {
    const TempDirectory dir;
    left(dir);
    std::filesystem::remove(dir.file("snapshot-incoming.wh.tmp"));
    gone(dir);
  }
  {  // The node has a newer one of its own.
    const TempDirectory dir;
    left(dir);
    {
      Client client(dir.path());
      client.persist(batch(1, entries(1, 30, 1)));
      take_snapshot(client, 20, 1, "its own");
    }
    gone(dir);
  }
  // A damaged byte of the state shows when all of it is there: it is fetched anew.
  const TempDirectory dir;
  left(dir);
  std::string part = slurp(dir.file("snapshot-incoming.wh.tmp"));
  part.back() = static_cast<char>(part.back() ^ 1);
  spill(dir.file("snapshot-incoming.wh.tmp"), part);
  Client client(dir.path());
  REQUIRE(client.node.raft.incoming);
  client->write_incoming_chunk(meta, 1000, Bytes(state.substr(1000)), true);
  const auto written = client.answer<node::IncomingChunkWritten>();
  REQUIRE(written);
  CHECK_FALSE(written->ok);
  CHECK(receive_snapshot(client, meta, state));
}

TEST_CASE("a part that lacks nothing but its end is gone on with before its last byte") {
  const TempDirectory dir;
  const std::string state(3000, 'c');
  const raft::SnapshotMeta meta = leader_snapshot(10, 2, 5, state);
  {
    Client client(dir.path());
    client->write_incoming_chunk(meta, 0, Bytes(state), false);
    client.run();
  }
  Client client(dir.path());
  REQUIRE(client.node.raft.incoming);
  CHECK(client.node.raft.incoming->next_offset == 2999);
  client->write_incoming_chunk(meta, 2999, Bytes("c"), true);
  CHECK(client.answer<node::IncomingChunkWritten>()->complete);
  CHECK(read_whole(client, meta) == state);
}

TEST_CASE("HAZARDS F7: a snapshot that is being sent is kept, as the only one older than the last two") {
  const TempDirectory dir;
  Client client(dir.path());
  client.persist(batch(1, entries(1, 60, 1)));
  const raft::SnapshotMeta a = take_snapshot(client, 10, 1, "state a");
  client->keep_snapshot(a);
  for (uint64_t index = 20; index <= 50; index += 10) {
    take_snapshot(client, index, 1, "another");
    CHECK(read_whole(client, a) == "state a");
  }
  CHECK_FALSE(file_exists(dir.file("snapshot-20-1.wh")));
  CHECK_FALSE(file_exists(dir.file("snapshot-30-1.wh")));
  CHECK(file_exists(dir.file("snapshot-40-1.wh")));
  client->keep_snapshot(std::nullopt);
  client.run();
  CHECK_FALSE(read_whole(client, a));
  CHECK_FALSE(file_exists(dir.file("snapshot-10-1.wh")));
}

TEST_CASE("the recorded snapshot and the one before it are kept, older ones go") {
  const TempDirectory dir;
  Client client(dir.path());
  client.persist(batch(1, entries(1, 30, 1)));
  const raft::SnapshotMeta a = take_snapshot(client, 10, 1, "state a");
  const raft::SnapshotMeta b = take_snapshot(client, 20, 1, "state b");
  CHECK(read_whole(client, a) == "state a");
  const raft::SnapshotMeta c = take_snapshot(client, 30, 1, "state c");
  CHECK_FALSE(read_whole(client, a));
  CHECK(read_whole(client, b) == "state b");
  CHECK(read_whole(client, c) == "state c");
  // An older one is answered, but not recorded.
  const raft::SnapshotMeta old = take_snapshot(client, 15, 1, "state old");
  CHECK(old.index == raft::Index{15});
  CHECK_FALSE(read_whole(client, old));
  CHECK_FALSE(file_exists(dir.file("snapshot-15-1.wh")));
  client.close();
  Client again(dir.path());
  CHECK(again.node.raft.snapshot == c);
  CHECK_FALSE(file_exists(dir.file("snapshot-20-1.wh")));
}

TEST_CASE("HAZARDS C15: leftovers of a crash go at the start, and other people's files stay") {
  const TempDirectory dir;
  CHECK(Client(dir.path()).ok());
  for (const char* file : {"snapshot-own.wh.tmp", "snapshot-incoming.wh.tmp", "snapshot-incoming.meta",
                           "snapshot-9-1.wh", "notes.tmp", "snapshot-of-my-cat.wh"})
    spill(dir.file(file), "x");
  CHECK(Client(dir.path()).ok());
  CHECK_FALSE(file_exists(dir.file("snapshot-own.wh.tmp")));
  CHECK_FALSE(file_exists(dir.file("snapshot-incoming.wh.tmp")));
  CHECK_FALSE(file_exists(dir.file("snapshot-incoming.meta")));
  CHECK_FALSE(file_exists(dir.file("snapshot-9-1.wh")));
  CHECK(file_exists(dir.file("notes.tmp")));
  CHECK(file_exists(dir.file("snapshot-of-my-cat.wh")));
}

TEST_CASE("links are not followed, and a directory that cannot be made is named") {
  const TempDirectory dir;
  const TempDirectory other;
  spill(other.file("target"), "");
  REQUIRE(::symlink(other.file("target").c_str(), dir.file("wormhole.lock").c_str()) == 0);
  CHECK(Client(dir.path()).error().find("wormhole.lock") != std::string::npos);
  CHECK(Client(dir.file("a/b")).error().find("a/b") != std::string::npos);
  CHECK(Client(other.file("target")).error().find("target") != std::string::npos);
}

TEST_CASE("compaction: bounded slices, and the file does not grow over 200,000 entries") {
  const TempDirectory dir;
  Client client(dir.path());
  uint64_t last = 0;
  uint64_t grown = 0;
  for (int round = 0; round < 20; ++round) {
    client.persist(batch(1, entries(last + 1, last + 10'000, 1, "0123456789")));
    last += 10'000;
    take_snapshot(client, last - 100, 1, "state");
    client->compact(raft::Index{last - 200});
    client.run();
    if (round == 4) grown = size_of(dir.file("wormhole.db")) + size_of(dir.file("wormhole.db-wal"));
  }
  CHECK(client.fatal.empty());
  CHECK(size_of(dir.file("wormhole.db")) + size_of(dir.file("wormhole.db-wal")) <= grown + (4 << 20));
  CHECK(size_of(dir.file("wormhole.db-wal")) < (16 << 20));
  client.close();
  Client again(dir.path());
  REQUIRE_MESSAGE(again.ok(), again.error());
  CHECK(again.node.raft.log.base_index == raft::Index{last - 200});
  CHECK(again.node.raft.log.last_index == raft::Index{last});
  CHECK(size_of(dir.file("wormhole.db")) < (4 << 20));
}

TEST_CASE("compaction gives way to commits between its slices") {
  const TempDirectory dir;
  Client client(dir.path());
  client.persist(batch(1, entries(1, 20'000, 1, "x")));
  take_snapshot(client, 20'000, 1, "state");
  client->compact(raft::Index{20'000});
  client->persist(batch(2, entries(20'001, 20'001, 1)));
  int jobs = 0;
  while (tickets(client) != std::vector<uint64_t>{2} && client.worker.run_one()) ++jobs;
  CHECK(jobs <= 2);
  while (client.worker.run_one()) ++jobs;
  // Slices of at most 2,000 rows; pages are forgotten at once.
  CHECK((log_version() >= kPagesVersion || jobs >= 10));
}

TEST_CASE("writes without an end do not starve reads and upkeep") {
  const TempDirectory dir;
  Client client(dir.path(), nullptr, [](Options& o) { o.checkpoint_bytes = 100'000; });
  client.persist(batch(1, entries(1, 5000, 1, "x")));
  take_snapshot(client, 5000, 1, "state");
  client.answers.clear();
  client->compact(raft::Index{5000});
  client->load_entries(raft::Index{4990}, raft::Index{4995}, 1 << 20);
  uint64_t next = 5001;
  bool read = false;
  for (int i = 0; i < 60; ++i) {
    client->persist(batch(next, entries(next, next, 1)));
    ++next;
    client->persist(batch(next, entries(next, next, 1)));
    ++next;
    client.worker.run_one();
    for (const node::StorageDone& done : client.answers) read = read || std::holds_alternative<node::EntriesRead>(done);
  }
  CHECK(read);
  client.run();
  client.close();
  CHECK(Client(dir.path()).node.raft.log.base_index == raft::Index{5000});
}

TEST_CASE("the WAL is bounded and reused") {
  const TempDirectory dir;
  Client client(dir.path());
  uint64_t largest = 0;
  for (uint64_t i = 0; i < 60; ++i) {
    client->persist(batch(i, {entry(i + 1, 1, std::string(500'000, 'w'))}));
    client.worker.run_one();
    largest = std::max(largest, size_of(dir.file("wormhole.db-wal")));
  }
  client.run();
  CHECK(client.fatal.empty());
  CHECK(largest < (20 << 20));
  CHECK(size_of(dir.file("wormhole.db-wal")) == largest);
}

TEST_CASE("appendfsync everysec and no: entries wait for a sync, promises do not") {
  for (const AppendFsync mode : {AppendFsync::everysec, AppendFsync::no}) {
    const TempDirectory dir;
    CountingProbe probe;
    const auto set = [mode](Options& o) { o.fsync = mode; };
    {
      Client client(dir.path(), &probe, set);
      REQUIRE(client.ok());
      client.persist(batch(1, entries(1, 3, 1), raft::HardState{raft::Term{1}, kSelf}));
      int before = probe.syncs("wormhole.db-wal");
      const int witness_before = probe.syncs("witness");
      for (uint64_t i = 4; i < 20; ++i) client.persist(batch(i, entries(i, i, 1)));
      CHECK(probe.syncs("wormhole.db-wal") == before);
      CHECK(probe.syncs("witness") == witness_before);
      client->sync_soon();
      client.run();
      CHECK(probe.syncs("wormhole.db-wal") == before + 1);
      client->sync_soon();
      client.run();
      CHECK(probe.syncs("wormhole.db-wal") == before + 1);
      before = probe.syncs("wormhole.db-wal");
      client.persist(batch(20, {configuration_entry(20, 1, {kSelf, kOther})}));
      CHECK(probe.syncs("wormhole.db-wal") == before + 1);
      client.persist(batch(21, entries(18, 25, 2), raft::HardState{raft::Term{2}, kSelf}));
      client.persist(batch(22, entries(20, 26, 2)));
      CHECK(client.fatal.empty());
    }
    Client again(dir.path(), nullptr, set);
    REQUIRE_MESSAGE(again.ok(), again.error());
    CHECK(again.node.raft.log.last_index == raft::Index{26});
  }
}

TEST_CASE("with real threads: order, both lanes at once, and the age of a sync") {
  struct SlowProbe final : DiskProbe {
    std::atomic<bool> hold{false}, held{false};
    int before(const DiskEvent& event) override {
      if (event.kind != DiskEvent::Kind::sync || event.file != "wormhole.db-wal") return 0;
      for (held = true; hold;) std::this_thread::yield();
      held = false;
      return 0;
    }
    void after(const DiskEvent&) override {}
  } probe;
  const TempDirectory dir;
  ThreadWorker worker;
  Options options;
  options.directory = dir.path();
  options.node_name = "a";
  options.fresh_instance = kSelf;
  options.probe = &probe;
  options.fatal = [](const std::string& message) { FAIL(message); };
  Result<SqliteStorage::Opened> opened = SqliteStorage::open(options, worker);
  REQUIRE(opened.ok());
  SqliteStorage& storage = *opened->storage;
  std::vector<uint64_t> persisted;
  int slices = 0;
  bool saved = false;
  storage.set_handler([&](node::StorageDone done) {
    if (const auto* p = std::get_if<node::BatchPersisted>(&done)) persisted.push_back(p->ticket);
    if (std::holds_alternative<node::SnapshotSliceWritten>(done)) ++slices;
    if (std::holds_alternative<node::SnapshotSaved>(done)) saved = true;
  });
  CHECK(storage.sync_age() == 0);
  probe.hold = true;
  storage.persist(batch(1, entries(1, 10, 1)));
  while (!probe.held) std::this_thread::yield();
  while (storage.sync_age() < 5) std::this_thread::yield();
  // The other lane goes on.
  raft::SnapshotMeta meta;
  meta.index = raft::Index{5};
  meta.term = raft::Term{1};
  storage.begin_snapshot(meta);
  for (int i = 0; i < 10; ++i) storage.write_snapshot_slice(Bytes(std::string(10'000, 's')));
  while (slices < 10) REQUIRE(worker.deliver());
  CHECK(persisted.empty());
  storage.finish_snapshot();
  for (uint64_t i = 2; i <= 500; ++i) storage.persist(batch(i, entries(9 + i, 9 + i, 1)));
  probe.hold = false;
  while (persisted.size() < 500 || !saved || !storage.idle()) REQUIRE(worker.deliver());
  for (uint64_t i = 0; i < 500; ++i) CHECK(persisted[i] == i + 1);
  CHECK(storage.sync_age() == 0);
}
