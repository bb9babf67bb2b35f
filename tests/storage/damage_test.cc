// Damage while the node was down: a flipped bit anywhere, a file cut short or missing. The damage is found and named,
// or it changed nothing that matters (HAZARDS 1.1, C2, C4: bit flips and missing files).
#include <cstdio>
#include <filesystem>
#include <map>

#include <doctest/doctest.h>

#include "base/prng.h"
#include "support.h"

using namespace wh;
using namespace wh::storage;
using namespace wh::storage::test;

namespace {

// A directory as a killed process leaves it: some of the log in the database file, some in the WAL, a snapshot.
class Sample {
 public:
  Sample() {
    Client client(origin_.path(), nullptr, [](Options& o) { o.checkpoint_bytes = 40'000; });
    client->begin_anew(founding());
    client.persist(batch(1, entries(2, 80, 1, std::string(400, 'a'))));
    take_snapshot(client, 40, 1, std::string(5000, 's'));
    client->compact(raft::Index{20});
    client.run();
    client.persist(batch(2, entries(81, 90, 2, std::string(200, 'b')), raft::HardState{raft::Term{2}, kOther}));
    client.persist(batch(3, entries(91, 95, 2, "c")));
    client.run();
    CHECK(client.fatal.empty());
    model_.cluster = cluster(1);
    model_.hard_state = {raft::Term{2}, kOther};
    model_.append({configuration_entry(1, 1, {kSelf})});
    model_.append(entries(2, 80, 1, std::string(400, 'a')));
    model_.append(entries(81, 90, 2, std::string(200, 'b')));
    model_.append(entries(91, 95, 2, "c"));
    model_.snapshot_index = 40;
    for (const auto& item : std::filesystem::directory_iterator(origin_.path()))
      files_[item.path().filename().string()] = slurp(item.path().string());
  }
  [[nodiscard]] const std::string& content(const std::string& file) const { return files_.at(file); }

  // The directory with one file changed or missing. Found: the message; empty: nothing that counts has changed.
  std::string open_with(const std::string& file, const std::optional<std::string>& changed) {
    copy_.copy_from(empty_.path());
    for (const auto& [name, bytes] : files_)
      if (name != file) spill(copy_.file(name), bytes);
    if (changed) spill(copy_.file(file), *changed);
    Client client(copy_.path());
    if (!client.ok()) {
      CHECK(client.error().find(copy_.path() + "/") != std::string::npos);
      // The evidence is left alone.
      for (const auto& [name, bytes] : files_)
        if (name != file && name != "wormhole.lock") CHECK(slurp(copy_.file(name)) == bytes);
      return client.error();
    }
    CHECK(model_.difference(client.node) == "");
    REQUIRE(client.node.raft.snapshot);
    CHECK(read_whole(client, *client.node.raft.snapshot) == std::string(5000, 's'));
    CHECK(client.fatal.empty());
    return {};
  }

 private:
  TempDirectory origin_ = TempDirectory::in_memory();
  TempDirectory copy_ = TempDirectory::in_memory();
  TempDirectory empty_ = TempDirectory::in_memory();
  std::map<std::string, std::string> files_;
  Model model_;
};

bool names(const std::string& error, const std::string& file) { return error.find("/" + file) != std::string::npos; }

}  // namespace

TEST_CASE("HAZARDS A19, C2: one flipped bit, in any region of any file") {
  Sample sample;
  CHECK(sample.open_with("", std::nullopt) == "");
  Prng prng(11);
  for (const std::string file : {"wormhole.db", "wormhole.db-wal", "witness", "snapshot-40-1.wh"}) {
    const std::string& good = sample.content(file);
    REQUIRE(good.size() > 1000);
    int found = 0;
    int tried = 0;
    for (int i = 0; i < 250; ++i) {
      // Half of them near a start of a page, where structure is.
      const uint64_t page = prng.below(good.size()) / 4096 * 4096;
      uint64_t at = i % 2 == 0 ? prng.below(good.size()) : page + prng.below(120);
      if (file == "witness") at = prng.below(1024);
      at %= good.size();
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << prng.below(8)));
      CAPTURE(file);
      CAPTURE(at);
      const std::string error = sample.open_with(file, bad);
      ++tried;
      if (error.empty()) continue;
      ++found;
      CHECK(names(error, file.substr(0, file.find("-wal"))));
    }
    CHECK(tried == 250);
    if (file == "witness") {
      CHECK(found == 0);  // the other slot is good, and a witness that is behind is harmless
    } else {
      CHECK(found > 5);  // most of both files is older versions of pages and free space
    }
    if (file == "snapshot-40-1.wh") CHECK(found == 250);
  }
}

TEST_CASE("HAZARDS C4: each file gone, empty, cut, or another one") {
  Sample sample;
  for (const std::string file : {"wormhole.db", "wormhole.db-wal", "witness", "snapshot-40-1.wh"}) {
    CAPTURE(file);
    const std::string& good = sample.content(file);
    const std::string named = file == "wormhole.db-wal" ? "wormhole.db" : file;
    CHECK(names(sample.open_with(file, std::nullopt), named));
    CHECK(names(sample.open_with(file, ""), named));
    CHECK(names(sample.open_with(file, std::string(good.size(), '\0')), named));
    CHECK(names(sample.open_with(file, std::string(good.size(), 'x')), named));
    Prng prng(3);
    int found = 0;
    for (int i = 0; i < 40; ++i) {
      const std::string error = sample.open_with(file, good.substr(0, prng.below(good.size())));
      if (!error.empty()) CHECK(names(error, named));
      // A cut after the slots leaves the witness whole; in the WAL's old frames, behind the current ones, nothing
      // counts.
      // So does a cut of free pages, or of pages that the WAL holds, from the database.
      found += error.empty() ? 0 : 1;
    }
    if (file == "wormhole.db") CHECK(found > 20);
    if (file == "snapshot-40-1.wh") CHECK(found == 40);
  }
  const std::string error = sample.open_with("witness", std::nullopt);
  for (const char* part : {"witness", "mv wormhole.db* witness snapshot-* damaged/", "join"})
    CHECK(error.find(part) != std::string::npos);
}

TEST_CASE("HAZARDS C5: each file put back from an older copy, by itself and with others") {
  // The same directory twice: as it was, and as it became. Between the two lie a checkpoint, a snapshot, a compaction.
  TempDirectory dir = TempDirectory::in_memory();
  const TempDirectory copy = TempDirectory::in_memory();
  const TempDirectory none = TempDirectory::in_memory();
  using Files = std::map<std::string, std::string>;
  const auto files_now = [&] {
    Files files;
    for (const auto& item : std::filesystem::directory_iterator(dir.path()))
      files[item.path().filename().string()] = slurp(item.path().string());
    return files;
  };
  Client client(dir.path(), nullptr, [](Options& o) { o.checkpoint_bytes = 40'000; });
  client.persist(batch(1, entries(1, 60, 1, std::string(300, 'a')), raft::HardState{raft::Term{1}, kSelf}));
  take_snapshot(client, 30, 1, std::string(3000, 's'));
  client.run();
  client.persist(batch(2, entries(61, 65, 1, "b")));
  client.run();
  const Files before = files_now();
  client.persist(batch(3, entries(66, 150, 2, std::string(300, 'c')), raft::HardState{raft::Term{2}, kOther}));
  take_snapshot(client, 100, 2, std::string(3000, 'u'));
  client->compact(raft::Index{90});
  client.run();
  client.persist(batch(4, entries(151, 160, 2, "d")));
  client.run();
  REQUIRE(client.fatal.empty());
  const Files after = files_now();
  REQUIRE(before.contains("snapshot-30-1.wh"));
  REQUIRE(after.contains("snapshot-100-2.wh"));

  const auto open_with = [&](const Files& files) {
    copy.copy_from(none.path());
    for (const auto& [name, bytes] : files) spill(copy.file(name), bytes);
    Client opened(copy.path());
    if (!opened.ok()) return opened.error();
    // Not noticed: then nothing that counts may have changed, or it is the whole of the older state.
    const uint64_t last = opened.node.raft.log.last_index.value;
    const raft::HardState state = opened.node.raft.hard_state;
    if (last == 160 && state == raft::HardState{raft::Term{2}, kOther}) return std::string("as it became");
    if (last == 65 && state == raft::HardState{raft::Term{1}, kSelf}) return std::string("as it was");
    return std::string("served as neither, up to ") + std::to_string(last);
  };
  CHECK(open_with(before) == "as it was");
  CHECK(open_with(after) == "as it became");
  const std::vector<std::string> kinds = {"wormhole.db", "wormhole.db-wal", "witness", "snapshot-"};
  for (unsigned older = 1; older < 1u << kinds.size(); ++older) {
    Files mixed;
    std::string names_older;
    for (size_t i = 0; i < kinds.size(); ++i) {
      const bool old = (older >> i & 1) != 0;
      if (old) names_older += kinds[i] + " ";
      for (const auto& [name, bytes] : old ? before : after)
        if (kinds[i] == "snapshot-" ? name.starts_with(kinds[i]) : name == kinds[i]) mixed[name] = bytes;
    }
    CAPTURE(names_older);
    const std::string result = open_with(mixed);
    CAPTURE(result);
    if (names_older == "witness ") {
      CHECK(result == "as it became");  // one that is behind is harmless
    } else if (names_older.starts_with("wormhole.db wormhole.db-wal witness ")) {
      // Its snapshot is still there, as the one before. Such a directory cannot know: its leader does.
      CHECK(result == "as it was");
    } else {
      CHECK(result.find(copy.path() + "/") == 0);
      CHECK(result.find("does not run. To replace it") != std::string::npos);
    }
  }
}

TEST_CASE("the lock and the ballast may be anything: nothing is read from them") {
  const TempDirectory dir = TempDirectory::in_memory();
  const auto with_ballast = [](Options& o) { o.ballast_bytes = 2 << 20; };
  {
    Client client(dir.path(), nullptr, with_ballast);
    client.persist(batch(1, entries(1, 10, 1)));
  }
  for (const std::string file : {"wormhole.lock", "ballast"}) {
    const std::string good = slurp(dir.file(file));
    for (const std::string& bad : {std::string(), std::string("x"), std::string(100, '\0'), good + good}) {
      CAPTURE(file);
      std::filesystem::remove(dir.file(file));
      if (!bad.empty()) spill(dir.file(file), bad);
      const Client client(dir.path(), nullptr, with_ballast);
      REQUIRE_MESSAGE(client.ok(), client.error());
      CHECK(client.node.raft.log.last_index == raft::Index{10});
      if (file == "ballast") CHECK(std::filesystem::file_size(dir.file(file)) >= 2 << 20);
    }
  }
}

TEST_CASE("both slots of the witness damaged") {
  Sample sample;
  std::string bad = sample.content("witness");
  bad[20] = static_cast<char>(bad[20] ^ 1);
  bad[512 + 20] = static_cast<char>(bad[512 + 20] ^ 1);
  CHECK(names(sample.open_with("witness", bad), "witness"));
}

TEST_CASE("HAZARDS C5: older files beside newer ones") {
  const TempDirectory dir = TempDirectory::in_memory();
  const TempDirectory old = TempDirectory::in_memory();
  const TempDirectory mixed = TempDirectory::in_memory();
  Client client(dir.path());
  client.persist(batch(1, entries(1, 10, 1), raft::HardState{raft::Term{1}, kSelf}));
  old.copy_from(dir.path());
  const auto expect = [&](const std::string& what) {
    mixed.copy_from(old.path());
    spill(mixed.file("witness"), slurp(dir.file("witness")));
    Client again(mixed.path());
    REQUIRE_FALSE(again.ok());
    CHECK_MESSAGE(again.error().find(what) != std::string::npos, again.error());
  };
  client.persist(batch(2, {}, raft::HardState{raft::Term{1}, kSelf}));
  client.persist(batch(2, entries(11, 11, 1)));
  expect("the log ends at row 10, but row 11 was acknowledged");
  client.persist(batch(2, entries(10, 10, 1, "other")));
  expect("row 10 of log: is not what was acknowledged");
  client->save_grant({kOther, 1, "x"});
  client.run();
  client.persist(batch(2, entries(10, 10, 1)));
  expect("is older than what was promised");
  client.persist(batch(3, {}, raft::HardState{raft::Term{2}, kOther}));
  expect("the term or vote is older");
  client->begin_anew({cluster(5), {}, std::nullopt});
  client.run();
  expect("another cluster id");
}

TEST_CASE("a witness of another directory") {
  const TempDirectory a = TempDirectory::in_memory();
  const TempDirectory b = TempDirectory::in_memory();
  CHECK(Client(a.path()).ok());
  CHECK(Client(b.path(), nullptr, [](Options& o) { o.fresh_instance = kOther; }).ok());
  spill(a.file("witness"), slurp(b.file("witness")));
  CHECK(Client(a.path()).error().find("another data directory") != std::string::npos);
}

TEST_CASE("HAZARDS C2: a value of meta, of the snapshot's record or of a row that is another") {
  const TempDirectory origin = TempDirectory::in_memory();
  {
    Client client(origin.path());
    client->begin_anew(founding());
    client->save_grant({kOther, 1, "x:1"});
    client.persist(batch(1, entries(2, 20, 1)));
    take_snapshot(client, 10, 1, "state");
  }
  const TempDirectory dir = TempDirectory::in_memory();
  const auto error_after = [&](const std::string& change) {
    dir.copy_from(origin.path());
    sql(dir.file("wormhole.db"), change);
    return Client(dir.path()).error();
  };
  CHECK(error_after("") == "");
  for (const std::string column : {"instance", "epoch", "revision", "term", "vote", "granted_to", "granted_attempt",
                                   "base_index", "base_term", "base_chain", "crc"}) {
    const std::string error = error_after("UPDATE meta SET " + column + " = " + column + " + 1");
    CHECK_MESSAGE(error.find("row 1 of meta: its checksum does not match") != std::string::npos, column);
  }
  for (const std::string change :
       {"meta SET saw_command = 0", "meta SET saw_others = 0", "meta SET cluster = randomblob(16)",
        "meta SET name = 'b'", "meta SET granted_address = 'x:2'", "snapshot SET crc = crc + 1",
        "snapshot SET file = 'snapshot-10-2.wh'", "snapshot SET meta = randomblob(length(meta))"}) {
    const std::string error = error_after("UPDATE " + change);
    CHECK_MESSAGE(error.find("of " + change.substr(0, change.find(' ')) + ": ") != std::string::npos, change);
    CHECK_MESSAGE(error.find("checksum does not match") != std::string::npos, change);
  }
  if (log_version() >= kPagesVersion) return;  // log_pages_test.cc has its cases
  for (const std::string change : {"log SET term = 2 WHERE idx = 15", "log SET kind = 1 WHERE idx = 15",
                                   "log SET time_ms = 7 WHERE idx = 15", "log SET crc = crc + 1 WHERE idx = 15",
                                   "log SET chain = chain + 1 WHERE idx = 15", "log SET data = x'00' WHERE idx = 15"}) {
    const std::string error = error_after("UPDATE " + change);
    CHECK_MESSAGE(error.find("of " + change.substr(0, change.find(' ')) + ": ") != std::string::npos, change);
    CHECK_MESSAGE(error.find("checksum does not match") != std::string::npos, change);
  }
}

TEST_CASE("HAZARDS C2: a row of another log, and one that is not there, among whole ones") {
  const TempDirectory dir = TempDirectory::in_memory();
  const TempDirectory other = TempDirectory::in_memory();
  if (log_version() >= kPagesVersion) return;  // log_pages_test.cc has its cases
  Client(dir.path()).persist(batch(1, entries(1, 20, 1, "mine")));
  Client(other.path()).persist(batch(1, entries(1, 20, 1, "your")));
  // Its checksum is right, and so are all others; so is what the witness says of the last row.
  sql(dir.file("wormhole.db"),
      "ATTACH '" + other.file("wormhole.db") + "' AS other; REPLACE INTO log SELECT * FROM other.log WHERE idx = 10");
  CHECK(Client(dir.path()).error().find("row 10 of log: does not continue the hash chain") != std::string::npos);
  sql(dir.file("wormhole.db"), "DELETE FROM log WHERE idx = 10");
  CHECK(Client(dir.path()).error().find("row 10 of log: is missing") != std::string::npos);
}

TEST_CASE("HAZARDS C2: a row that is damaged while the node runs is not given out, also by itself") {
  const TempDirectory dir = TempDirectory::in_memory();
  // Larger than SQLite's cache (2 MB): the rows at the log's beginning are read anew.
  Client(dir.path()).persist(batch(1, entries(1, 6000, 1, std::string(500, 'm'))));
  Client client(dir.path(), nullptr, [](Options& o) { o.log_cache_bytes = 0; });
  REQUIRE_MESSAGE(client.ok(), client.error());
  std::string content = slurp(dir.file("wormhole.db"));
  for (size_t at = 0; at < content.size(); at += 512)
    if (content[at] == 'm') content[at] = 'n';
  overwrite(dir.file("wormhole.db"), content);
  for (uint64_t index = 1; index <= 100 && client.fatal.empty(); ++index) {
    client->load_entries(raft::Index{index}, raft::Index{index}, 1);
    const auto read = client.answer<node::EntriesRead>();
    if (read) CHECK(read->entries == entries(index, index, 1, std::string(500, 'm')));
  }
  REQUIRE(client.fatal.size() == 1);
  CHECK(client.fatal[0].find("wormhole.db: row ") != std::string::npos);
}

TEST_CASE("damage found while it runs stops the process, naming the row") {
  const TempDirectory dir = TempDirectory::in_memory();
  {
    Client client(dir.path());
    client.persist(batch(1, entries(1, 2000, 1, std::string(500, 'm'))));
  }
  Client client(dir.path(), nullptr, [](Options& o) { o.log_cache_bytes = 0; });
  REQUIRE(client.ok());
  client.run();
  // The pages at the log's beginning are not in SQLite's cache (2 MB) any more? Whether they are or not, what is
  // given back is right or the process stops.
  std::string content = slurp(dir.file("wormhole.db"));
  for (size_t at = 8192; at < content.size(); at += 4096)
    if (at + 2000 < content.size()) content[at + 2000] = static_cast<char>(content[at + 2000] ^ 4);
  overwrite(dir.file("wormhole.db"), content);
  for (uint64_t first = 1; first <= 2000 && client.fatal.empty(); first += 100) {
    client->load_entries(raft::Index{first}, raft::Index{first + 99}, 1 << 20);
    const auto read = client.answer<node::EntriesRead>();
    if (read) CHECK(read->entries == entries(first, first + 99, 1, std::string(500, 'm')));
  }
  if (!client.fatal.empty()) CHECK(client.fatal[0].find("wormhole.db: row ") != std::string::npos);
}
