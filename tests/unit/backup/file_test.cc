// The backup file: what is written can be read back, and no other file is accepted as a backup.
#include <sqlite3.h>

#include "base/prng.h"
#include "support.h"

using namespace wh;
using namespace wh::backup;
using namespace wh::backup::test;

namespace {

// The result of one statement as text, columns with '|', rows with newlines, as the sqlite3 tool shows it.
std::string query(const std::string& path, const std::string& sql) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
  std::string out;
  char* error = nullptr;
  const auto row = [](void* to, int columns, char** values, char**) {
    for (int i = 0; i < columns; ++i)
      *static_cast<std::string*>(to) += (i == 0 ? "" : "|") + std::string(values[i] == nullptr ? "" : values[i]);
    *static_cast<std::string*>(to) += "\n";
    return 0;
  };
  CHECK_MESSAGE(sqlite3_exec(db, sql.c_str(), row, &out, &error) == SQLITE_OK, (error == nullptr ? "" : error));
  sqlite3_free(error);
  sqlite3_close(db);
  return out;
}

std::string error_of(const TempDirectory& dir, const std::string& bytes) {
  const auto read = read_backup(dir.write("bad.db", bytes));
  return read ? std::string() : read.error();
}

// Whether two states are the same, item by item.
bool same(const machine::State& a, const machine::State& b) {
  if (a.applied != b.applied || a.time_ms != b.time_ms || a.digest() != b.digest()) return false;
  if (a.store.items().size() != b.store.items().size()) return false;
  for (auto x = a.store.items().begin(), y = b.store.items().begin(); x != a.store.items().end(); ++x, ++y)
    if (x->first != y->first || !(x->second.value == y->second.value)) return false;
  if (a.queues.by_name().size() != b.queues.by_name().size()) return false;
  for (auto x = a.queues.by_name().begin(), y = b.queues.by_name().begin(); x != a.queues.by_name().end(); ++x, ++y) {
    if (x->first != y->first || x->second.size() != y->second.size()) return false;
    const auto& events = x->second.content->events;
    const auto& others = y->second.content->events;
    for (auto e = events.begin(), f = others.begin(); e != events.end(); ++e, ++f)
      if (e->second.id() != f->second.id() || !(e->second.bytes == f->second.bytes)) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("a backup gives back the state, byte for byte") {
  const TempDirectory dir;
  machine::Machine machine;
  fill(machine);
  const std::string bytes = back_up(machine, dir.path());
  const auto read = read_backup(dir.write("b.db", bytes));
  REQUIRE_MESSAGE(read.ok(), read.error());
  CHECK(read->info.index == machine.applied());
  CHECK(read->info.term.value == 7);
  CHECK(read->info.node_id == "node1");
  CHECK(read->info.keys == machine.key_count());
  CHECK(read->info.events == machine.event_count());
  CHECK(read->info.sessions == 2);
  CHECK(read->file_bytes == bytes.size());
  CHECK(read->state.digest() == machine.digest());
}

TEST_CASE("its tables can be read by anybody") {
  const TempDirectory dir;
  machine::Machine machine;
  fill(machine);
  const std::string path = dir.write("b.db", back_up(machine, dir.path()));
  CHECK(query(path, "SELECT * FROM keys WHERE key IN ('greeting','caf\xc3\xa9') ORDER BY key") ==
        "caf\xc3\xa9|\xe2\x82\xac\ngreeting|hello\n");
  CHECK(query(path, "SELECT typeof(key), hex(key), hex(value) FROM keys WHERE typeof(key)='blob'") ==
        "blob|6E756C00|610062\nblob|FF006B|0001FE\n");
  // The first event was removed: a queue from front to back is its events by id.
  CHECK(query(path, "SELECT id, queue, event FROM events WHERE queue='event' ORDER BY id LIMIT 2") ==
        "4|event|event 1\n5|event|event 2\n");
  CHECK(query(path, "SELECT value FROM meta WHERE name='index'") == "305\n");
  CHECK(query(path, "PRAGMA integrity_check") == "ok\n");
}

TEST_CASE("an empty state has a backup too") {
  const TempDirectory dir;
  machine::Machine machine;
  machine.advance(raft::Index{1}, 5);
  const auto read = read_backup(dir.write("b.db", back_up(machine, dir.path())));
  REQUIRE_MESSAGE(read.ok(), read.error());
  CHECK(read->info.keys == 0);
}

TEST_CASE("HAZARDS F6: it is one point in time, whatever is written meanwhile, also while a snapshot is taken") {
  const TempDirectory dir;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    Prng prng(seed);
    machine::Machine machine;
    const auto write = [&] {
      const std::string key = "k" + std::to_string(prng.below(200));
      switch (prng.below(4)) {
        case 0:
          return run(machine, machine::Delete{{key}});
        case 1:
          return run(machine, machine::Enqueue{"q" + std::to_string(prng.below(3)), "e" + std::to_string(prng.next())});
        case 2:
          return run(machine, machine::Dequeue{"q" + std::to_string(prng.below(3)), {}});
        default:
          return run(machine, machine::Set{{{key, std::to_string(prng.next())}}});
      }
    };
    for (int i = 0; i < 600; ++i) write();
    const uint64_t digest = machine.digest();
    const raft::Index index = machine.applied();
    bool snapshot = false;
    const std::string bytes = back_up(
        machine, dir.path(),
        [&] {
          for (int i = 0; i < 10; ++i) write();
          // The other walk begins somewhere on the way, and holds another point in time.
          if (!snapshot) machine.begin_snapshot();
          snapshot = true;
          std::string slice;
          if (machine.snapshot_running()) (void)machine.next_slice(512, slice);
        },
        512);
    const auto read = read_backup(dir.write("b.db", bytes));
    REQUIRE_MESSAGE(read.ok(), read.error());
    CHECK(read->info.digest == digest);
    CHECK(read->state.digest() == digest);
    CHECK(read->info.index == index);
    CHECK(machine.digest() != digest);
  }
}

TEST_CASE("what is no backup is refused with a reason") {
  const TempDirectory dir;
  machine::Machine machine;
  fill(machine);
  const std::string good = back_up(machine, dir.path());
  const auto has = [](const std::string& text, const char* part) {
    INFO(text);
    return text.find(part) != std::string::npos;
  };
  CHECK(has(read_backup(dir.file("absent")).error(), "No such file"));
  CHECK(has(read_backup(dir.path()).error(), "is no regular file"));
  CHECK(has(error_of(dir, ""), "is empty"));
  CHECK(has(error_of(dir, "hello"), "not even an SQLite file"));
  CHECK(has(error_of(dir, std::string(5000, 'x')), "not even an SQLite file"));
  for (const size_t size : {good.size() - 1, good.size() / 2, size_t{4096}, size_t{100}})
    CHECK(has(error_of(dir, good.substr(0, size)), "its end is missing"));
  CHECK(has(error_of(dir, good + "x"), "should have"));

  const auto changed = [&](const std::string& sql) {
    const std::string path = dir.write("changed.db", good);
    query(path, sql);
    const auto read = read_backup(path);
    return read ? std::string() : read.error();
  };
  CHECK(changed("VACUUM").empty());  // the same in other pages
  CHECK(has(changed("PRAGMA application_id=1"), "no backup of this program"));
  CHECK(has(changed("PRAGMA user_version=9"), "newer version"));
  CHECK(has(changed("PRAGMA user_version=0"), "never existed"));
  CHECK(has(changed("DROP TABLE sessions"), "tables"));
  CHECK(has(changed("CREATE TABLE more(x)"), "tables that are not a backup's"));
  CHECK(has(changed("CREATE INDEX i ON events(queue)"), "tables that are not a backup's"));
  CHECK(has(changed("DELETE FROM meta WHERE name='term'"), "no row term"));
  CHECK(has(changed("UPDATE meta SET value=value+1 WHERE name='index'"), "checksum of its table meta"));
  CHECK(has(changed("UPDATE meta SET value='x' WHERE name='index'"), "row index of meta is no number"));
  CHECK(has(changed("INSERT INTO meta VALUES('more', 1)"), "rows that are not a backup's"));
  CHECK(has(changed("DELETE FROM keys WHERE key='greeting'"), "checksum of its rows"));
  CHECK(has(changed("INSERT INTO keys VALUES('more','x')"), "more keys"));
  CHECK(has(changed("UPDATE keys SET value='hellp' WHERE key='greeting'"), "checksum of its rows"));
  CHECK(has(changed("UPDATE keys SET value=x'68656c6c6f' WHERE key='greeting'"), "another type"));
  CHECK(has(changed("UPDATE keys SET value=7 WHERE key='greeting'"), "another type"));
  CHECK(has(changed("UPDATE events SET id=id+100000 WHERE id=10"), "out of bounds"));
  CHECK(has(changed("UPDATE sessions SET highest=0"), "session"));
}

TEST_CASE("a flipped bit anywhere is noticed, or changes nothing") {
  const TempDirectory dir;
  machine::Machine machine;
  fill(machine);
  const std::string good = back_up(machine, dir.path());
  const auto original = read_backup(dir.write("good.db", good));
  REQUIRE(original.ok());
  Prng prng(1);
  int noticed = 0;
  constexpr int kFlips = 200;
  for (int i = 0; i < kFlips; ++i) {
    std::string flipped = good;
    const size_t bit = prng.below(good.size() * 8);
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    const auto read = read_backup(dir.write("flipped.db", flipped));
    noticed += read ? 0 : 1;
    if (read) CHECK_MESSAGE(same(read->state, original->state), "bit ", bit);
  }
  MESSAGE(noticed, " of ", kFlips, " flips were noticed, the others change nothing");
  CHECK(noticed > kFlips / 2);
}

TEST_CASE("a backup does not fill the disk") {
  const TempDirectory dir;
  machine::Machine machine;
  fill(machine);
  BackupWriter writer(dir.path(), info_of(machine), uint64_t{1} << 60);
  const Status begun = writer.begin(1000);
  REQUIRE_FALSE(begun.ok());
  CHECK(writer.no_room());
  CHECK(begun.error().find("no room for a backup") != std::string::npos);
  CHECK(std::filesystem::is_empty(dir.path()));
}
