// The log in pages, as of version 5 of the cluster. All other tests of the storage run with it too (meson.build); these
// are about the pages themselves: their ends, their reuse, and a log that began as rows.
#include <algorithm>

#include <doctest/doctest.h>

#include "base/cluster_version.h"
#include "base/prng.h"
#include "support.h"

using namespace wh;
using namespace wh::storage;
using namespace wh::storage::test;

namespace {

constexpr ClusterVersion kPages = kPagesVersion;
constexpr ClusterVersion kRows = kPagesVersion - 1;

node::Batch in(ClusterVersion version, uint64_t ticket, std::vector<raft::Entry> append) {
  node::Batch b = batch(ticket, std::move(append));
  b.version = version;
  return b;
}

raft::Entry version_entry(uint64_t index, uint64_t term, ClusterVersion version) {
  raft::Entry e = entry(index, term, encode_version(version));
  e.kind = raft::EntryKind::version;
  return e;
}

// What "SELECT ..." gives, by the sqlite3 of the tests: one number.
uint64_t number(const std::string& file, const std::string& select) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(file.c_str(), &db) == SQLITE_OK);
  Statement statement;
  REQUIRE(statement.prepare(db, select) == SQLITE_OK);
  REQUIRE(statement.step() == SQLITE_ROW);
  const uint64_t found = statement.number(0);
  statement.finalize();
  sqlite3_close(db);
  return found;
}
uint64_t rows_of(const TempDirectory& dir, const std::string& table) {
  return number(dir.file("wormhole.db"), "SELECT count(*) FROM " + table);
}

// The whole log, read back entry by entry and in one piece, and by the next start.
void check(const TempDirectory& dir, Client& client, const Model& model) {
  client->load_entries(raft::Index{model.first}, raft::Index{model.last()}, uint64_t{1} << 40);
  std::vector<raft::Entry> read;
  while (model.first + read.size() <= model.last()) {
    client->load_entries(raft::Index{model.first + read.size()}, raft::Index{model.last()}, uint64_t{1} << 40);
    const auto part = client.answer<node::EntriesRead>();
    REQUIRE_MESSAGE(client.fatal.empty(), client.fatal.front());
    REQUIRE(part);
    REQUIRE(!part->entries.empty());
    read.insert(read.end(), part->entries.begin(), part->entries.end());
  }
  CHECK(read == model.log);
  client.close();
  const Client again(dir.path(), nullptr, [](Options& o) { o.log_cache_bytes = uint64_t{1} << 40; });
  REQUIRE_MESSAGE(again.ok(), again.error());
  CHECK(model.difference(again.node) == "");
}

}  // namespace

TEST_CASE("pages: entries of every size, at every place of a page") {
  const TempDirectory dir = TempDirectory::in_memory();
  Client client(dir.path());
  Model model;
  Prng prng(3);
  uint64_t ticket = 0;
  // Around the ends: what a page holds beside its header, less the entry's own.
  for (const size_t size : {0, 1, 20, 300, 3'994, 3'995, 3'996, 4'015, 4'016, 4'017, 4'048, 8'011, 12'000, 40'000}) {
    for (int i = 0; i < 3; ++i) {
      std::vector<raft::Entry> more;
      for (uint64_t n = prng.below(3) + 1; n > 0; --n)
        more.push_back(
            entry(model.last() + 1 + more.size(), 1, std::string(size + (i == 2 ? prng.below(50) : 0), 'p')));
      model.append(more);
      client.persist(in(kPages, ++ticket, more));
    }
  }
  check(dir, client, model);
  CHECK(rows_of(dir, "log") == 0);
}

TEST_CASE("HAZARDS B9: pages are cut at every place, and what was cut off never comes back") {
  const TempDirectory dir = TempDirectory::in_memory();
  Prng prng(5);
  Model model;
  uint64_t term = 1;
  uint64_t ticket = 0;
  for (int life = 0; life < 12; ++life) {
    Client client(dir.path(), nullptr, [](Options& o) { o.checkpoint_bytes = 60'000; });
    REQUIRE_MESSAGE(client.ok(), client.error());
    CHECK(model.difference(client.node) == "");
    for (int round = 0; round < 12; ++round) {
      // Also far back, and in several batches of one transaction.
      for (uint64_t n = prng.below(3) + 1; n > 0; --n) {
        const uint64_t last = model.last();
        const uint64_t first = prng.below(2) == 0 ? last + 1 : std::max<uint64_t>(1, last - prng.below(last + 1));
        const auto more = entries(first, first + prng.below(20), ++term,
                                  std::string(prng.below(prng.below(8) == 0 ? 9'000 : 900), 'c'));
        model.append(more);
        client->persist(in(kPages, ++ticket, more));
      }
      client.run();
      REQUIRE(client.fatal.empty());
      if (prng.below(4) != 0) continue;
      client->load_entries(raft::Index{1}, raft::Index{model.last()}, uint64_t{1} << 40);
      const auto read = client.answer<node::EntriesRead>();
      REQUIRE(read);
      CHECK(read->entries == model.log);
    }
  }
}

TEST_CASE("HAZARDS B9: pages that were cut off, or of a log before, are none of the log's") {
  // The last entries of the log fill pages, and the next start must not take the pages after them for its own.
  const TempDirectory dir = TempDirectory::in_memory();
  Model model;
  {
    Client client(dir.path());
    client.persist(in(kPages, 1, entries(1, 100, 1, std::string(400, 'a'))));
    client.persist(in(kPages, 2, entries(20, 20, 2, "b")));
    model.append(entries(1, 19, 1, std::string(400, 'a')));
    model.append(entries(20, 20, 2, "b"));
    check(dir, client, model);
  }
  Client client(dir.path());
  // A leader's snapshot takes the place of everything: the pages before hold higher entries.
  const raft::SnapshotMeta meta = leader_snapshot(10, 3, 77, "leader's");
  REQUIRE(receive_snapshot(client, meta, "leader's"));
  node::Batch install = in(kPages, 3, {});
  install.install = raft::InstallState{meta, false};
  client.persist(install);
  CHECK(client.fatal.empty());
  client.close();
  Client again(dir.path());
  REQUIRE_MESSAGE(again.ok(), again.error());
  CHECK(again.node.raft.log.base_index == raft::Index{10});
  CHECK(again.node.raft.log.last_index == raft::Index{10});
  again.persist(in(kPages, 4, entries(11, 13, 3)));
  again.close();
  const Client last(dir.path());
  REQUIRE_MESSAGE(last.ok(), last.error());
  CHECK(last.node.raft.log.last_index == raft::Index{13});
  CHECK(last.node.raft.log.tail == entries(11, 13, 3));
}

TEST_CASE("pages: rows and the pages behind them are compacted at once, slice by slice") {
  const TempDirectory dir = TempDirectory::in_memory();
  constexpr uint64_t kRowsOfIt = 5'000;  // some slices
  constexpr uint64_t kAll = 8'000;       // dozens of pages
  {
    Client client(dir.path());
    client.persist(in(kRows, 1, entries(1, kRowsOfIt, 1, "row")));
    client.persist(in(0, 2, {version_entry(kRowsOfIt + 1, 1, kPages)}));
    client.persist(in(0, 3, entries(kRowsOfIt + 2, kAll, 1, "page")));
    take_snapshot(client, kAll - 100, 1, "state");
    client->compact(raft::Index{kAll - 200});
    // Between the slices all that is left is there, for readers and for the next start.
    for (int jobs = 0; jobs < 2; ++jobs) REQUIRE(client.worker.run_one());
    client->load_entries(raft::Index{kRowsOfIt + 2}, raft::Index{kAll}, uint64_t{1} << 40);
    const TempDirectory copy = TempDirectory::in_memory();
    copy.copy_from(dir.path());
    const Client started(copy.path());
    REQUIRE_MESSAGE(started.ok(), started.error());
    CHECK(started.node.raft.log.base_index > raft::Index{0});
    CHECK(started.node.raft.log.base_index < raft::Index{kRowsOfIt});
    const auto read = client.answer<node::EntriesRead>();
    REQUIRE_MESSAGE(client.fatal.empty(), client.fatal.front());
    REQUIRE(read);
    REQUIRE(!read->entries.empty());
  }
  const Client again(dir.path());
  REQUIRE_MESSAGE(again.ok(), again.error());
  CHECK(again.node.raft.log.base_index == raft::Index{kAll - 200});
  CHECK(again.node.raft.log.last_index == raft::Index{kAll});
}

TEST_CASE("pages: a log that began as rows goes on in pages, where the entry that raises the version says so") {
  const TempDirectory dir = TempDirectory::in_memory();
  Model model;
  {
    Client client(dir.path());
    client.persist(in(kRows, 1, entries(1, 50, 1, "row")));
    model.append(entries(1, 50, 1, "row"));
    std::vector<raft::Entry> rise = entries(51, 53, 1, "row");
    rise.push_back(version_entry(54, 1, kPages));
    for (const raft::Entry& e : entries(55, 60, 1, "page")) rise.push_back(e);
    model.append(rise);
    client.persist(in(0, 2, rise));
    check(dir, client, model);
  }
  CHECK(rows_of(dir, "log") == 54);
  CHECK(rows_of(dir, "pages") == 1);
  {
    // Cut back into the rows: what follows is in pages all the same.
    Client client(dir.path());
    client.persist(in(0, 3, entries(40, 45, 2, "again")));
    model.append(entries(40, 45, 2, "again"));
    check(dir, client, model);
  }
  CHECK(rows_of(dir, "log") == 39);
  {
    Client client(dir.path());
    take_snapshot(client, 42, 2, "state");
    client->compact(raft::Index{20});
    client.run();
    client->compact(raft::Index{42});
    client.run();
    CHECK(client.fatal.empty());
    model.log.erase(model.log.begin(), model.log.begin() + 42);
    model.first = 43;
    model.snapshot_index = 42;
    check(dir, client, model);
  }
  CHECK(rows_of(dir, "log") == 0);
  {
    // A node that supports less refuses, whatever the witness says.
    const Client limited(dir.path(), nullptr, [](Options& o) { o.version = kRows; });
    CHECK(!limited.ok());
    CHECK(limited.error().find("holds data of version 5 of the cluster") != std::string::npos);
  }
  // In a new cluster of an older version the log is rows again, and an older release can read it.
  Client client(dir.path());
  client->begin_anew(founding(7));
  client.persist(in(kRows, 1, entries(2, 9, 1)));
  client.close();
  CHECK(rows_of(dir, "log") == 9);
  CHECK(number(dir.file("wormhole.db"), "SELECT count(*) FROM sqlite_schema") == 3);
  const Client older(dir.path(), nullptr, [](Options& o) { o.version = kRows; });
  CHECK_MESSAGE(older.ok(), older.error());
}

TEST_CASE("pages: compaction frees them for the entries to come, and the file does not grow") {
  const TempDirectory dir = TempDirectory::in_memory();
  Client client(dir.path(), nullptr, [](Options& o) { o.checkpoint_bytes = 100'000; });
  uint64_t last = 0;
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 20; ++i, last += 10)
      client.persist(in(kPages, 1, entries(last + 1, last + 10, 1, std::string(700, 'x'))));
    take_snapshot(client, last - 5, 1, "state");
    client->compact(raft::Index{last - 5});
    client.run();
    REQUIRE(client.fatal.empty());
  }
  client.close();
  // 200 entries of some 720 bytes fill 36 pages.
  CHECK(rows_of(dir, "pages") <= 40);
  Client again(dir.path());
  REQUIRE_MESSAGE(again.ok(), again.error());
  CHECK(again.node.raft.log.base_index == raft::Index{last - 5});
  CHECK(again.node.raft.log.last_index == raft::Index{last});
}

TEST_CASE("pages: a commit in pages that are reused writes what its entries fill, and nothing beside") {
  // Counts what reaches the database and its WAL.
  class Written final : public DiskProbe {
   public:
    uint64_t bytes = 0;
    int before(const DiskEvent& /*event*/) override { return 0; }
    void after(const DiskEvent& event) override {
      if (event.kind == DiskEvent::Kind::write && event.file.find("wormhole.db") == 0) bytes += event.data.size();
    }
  };
  const TempDirectory dir = TempDirectory::in_memory();
  Written written;
  Client client(dir.path(), &written);
  client.persist(in(kPages, 1, entries(1, 400, 1, std::string(400, 'x'))));
  take_snapshot(client, 400, 1, "state");
  client->compact(raft::Index{400});
  client.run();
  constexpr uint64_t kFrame = 24 + 4096;
  for (uint64_t last = 400; last < 600;) {
    const uint64_t count = last % 40 == 0 ? 30 : 1;
    const uint64_t before = written.bytes;
    client.persist(in(kPages, 2, entries(last + 1, last + count, 1, std::string(300, 'y'))));
    last += count;
    // The page that was begun, and those that the entries fill; a WAL that begins anew has a header.
    CHECK(written.bytes - before <= (count * 321 / 4016 + 2) * kFrame + 32);
  }
  REQUIRE(client.fatal.empty());
}

TEST_CASE("pages: rows are numbered on beyond 32 bits, as long as a node runs and its log grows and shrinks") {
  const TempDirectory dir = TempDirectory::in_memory();
  Model model;
  {
    Client client(dir.path());
    model.append(entries(1, 30, 1, std::string(500, 'x')));
    client.persist(in(kPages, 1, model.log));
  }
  sql(dir.file("wormhole.db"), "UPDATE pages SET slot = slot + 4294967290");
  Client client(dir.path());
  REQUIRE_MESSAGE(client.ok(), client.error());
  const auto more = entries(31, 150, 1, std::string(500, 'y'));
  model.append(more);
  client.persist(in(kPages, 2, more));
  CHECK(client.fatal.empty());
  check(dir, client, model);
  CHECK(number(dir.file("wormhole.db"), "SELECT max(slot) FROM pages") > UINT32_MAX);
}

TEST_CASE("pages: many that are free go back to the file system, and some are kept") {
  const TempDirectory dir = TempDirectory::in_memory();
  constexpr uint64_t kKept = 1 << 20;
  Client client(dir.path(), nullptr, [](Options& o) { o.free_pages_bytes = kKept; });
  client.persist(in(kPages, 1, entries(1, 10'000, 1, std::string(800, 'x'))));
  take_snapshot(client, 10'000, 1, "state");
  client->compact(raft::Index{10'000});
  client.run();
  REQUIRE(client.fatal.empty());
  client.persist(in(kPages, 2, entries(10'001, 10'010, 1)));
  client.close();
  const uint64_t pages = number(dir.file("wormhole.db"), "PRAGMA page_count");
  CHECK(pages * 4096 < kKept + (3 << 20));
  CHECK(rows_of(dir, "pages") > kKept / 2 / 4096);
  const Client again(dir.path());
  REQUIRE_MESSAGE(again.ok(), again.error());
  CHECK(again.node.raft.log.tail == entries(10'001, 10'010, 1));
}

TEST_CASE("HAZARDS C2: a page that is another, or gone, or of another log") {
  const TempDirectory origin = TempDirectory::in_memory();
  const TempDirectory other = TempDirectory::in_memory();
  Client(origin.path()).persist(in(kPages, 1, entries(1, 100, 1, std::string(300, 'm'))));
  Client(other.path()).persist(in(kPages, 1, entries(1, 100, 1, std::string(300, 'y'))));
  const TempDirectory dir = TempDirectory::in_memory();
  const auto error_after = [&](const std::string& change) {
    dir.copy_from(origin.path());
    sql(dir.file("wormhole.db"), change);
    return Client(dir.path()).error();
  };
  CHECK(error_after("") == "");
  const std::string of_other = "ATTACH '" + other.file("wormhole.db") + "' AS other; ";
  const std::pair<std::string, std::string> cases[] = {
      {"UPDATE pages SET data = zeroblob(length(data)) WHERE slot = 4", "row 4 of pages: its checksum does not match"},
      {"UPDATE pages SET data = x'00' WHERE slot = 4", "row 4 of pages: its checksum does not match"},
      // Its checksum is right: the chain tells.
      {of_other + "REPLACE INTO pages SELECT * FROM other.pages WHERE slot = 4", "does not continue the hash chain"},
      {of_other + "REPLACE INTO pages SELECT * FROM other.pages WHERE slot <= 4", "does not continue the hash chain"},
      {"DELETE FROM pages WHERE slot = 4", "row 1 of log: is missing"},
      {"DELETE FROM pages WHERE slot = (SELECT max(slot) FROM pages)", "pages: the log ends within an entry"},
      {"DELETE FROM pages", "pages: the log's last page is missing"},
      {"DROP TABLE pages", "its tables are not this program's"},
      {"INSERT INTO log VALUES(1,1,0,1,1,1,x'00')", "row 1 of log: its checksum does not match"},
  };
  for (const auto& [change, expected] : cases) {
    const std::string error = error_after(change);
    CHECK_MESSAGE(error.find(expected) != std::string::npos, change << " gave: " << error);
  }
}

TEST_CASE("HAZARDS C2: a page that is damaged while the node runs is not given out") {
  const TempDirectory dir = TempDirectory::in_memory();
  // Larger than SQLite's cache (2 MB): the pages at the log's beginning are read anew.
  Client(dir.path()).persist(in(kPages, 1, entries(1, 8000, 1, std::string(500, 'm'))));
  Client client(dir.path(), nullptr, [](Options& o) { o.log_cache_bytes = 0; });
  REQUIRE_MESSAGE(client.ok(), client.error());
  std::string content = slurp(dir.file("wormhole.db"));
  for (size_t at = 0; at < content.size(); at += 512)
    if (content[at] == 'm') content[at] = 'n';
  overwrite(dir.file("wormhole.db"), content);
  for (uint64_t index = 1; index <= 200 && client.fatal.empty(); ++index) {
    client->load_entries(raft::Index{index}, raft::Index{index}, 1);
    const auto read = client.answer<node::EntriesRead>();
    if (read) CHECK(read->entries == entries(index, index, 1, std::string(500, 'm')));
  }
  REQUIRE(client.fatal.size() == 1);
  CHECK(client.fatal[0].find("of pages: its checksum does not match") != std::string::npos);
}
