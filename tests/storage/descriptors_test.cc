// The process runs out of file descriptors, at every opening of a file, once or until some are free again. The work is
// retried or abandoned and done later, nothing is reported that did not happen, and no disk is reported as broken
// (HAZARDS H19, C7: descriptors and disk space run out).
#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "support.h"

using namespace wh;
using namespace wh::storage;
using namespace wh::storage::test;

namespace {

// Of the openings of files.
class FullTable final : public RefusingProbe {
 public:
  FullTable() { error = EMFILE; }
  std::vector<std::string> files;

  int before_open(std::string_view file) override {
    files.emplace_back(file);
    return count();
  }
};

// Until `done` is true; after some tries there are descriptors again. The owner looks at the disk each second.
template <typename Done>
void retry(Client& client, FullTable& table, Done done) {
  for (int tries = 0; !done(); ++tries) {
    REQUIRE(tries < 10);
    if (tries == 3) table.over = true;
    client->look_at_space();
    client.run();
  }
}

std::string read_patiently(Client& client, FullTable& table, const raft::SnapshotMeta& meta) {
  std::string state;
  for (bool last = false; !last;) {
    client.answers.clear();
    client->read_snapshot(7, meta, state.size(), 700);
    client.run();
    const auto* part = static_cast<node::SnapshotChunkRead*>(nullptr);
    retry(client, table, [&] {
      for (const node::StorageDone& done : client.answers)
        if (const auto* read = std::get_if<node::SnapshotChunkRead>(&done)) part = read;
      return part != nullptr;
    });
    // Late, but never wrong: it must not say that the snapshot is gone.
    REQUIRE(part->ok);
    state += part->data.view();
    last = part->done;
  }
  return state;
}

// Everything that opens a file while the node runs.
Model story(Client& client, FullTable& table) {
  Model model(founding());
  client->begin_anew(founding());
  client.run();
  const auto persist = [&](node::Batch b) {
    model.append(b.append);
    if (b.hard_state) model.hard_state = *b.hard_state;
    client.answers.clear();
    client->persist(std::move(b));
    client.run();
    REQUIRE(client->idle());
    REQUIRE(std::any_of(client.answers.begin(), client.answers.end(),
                        [](const node::StorageDone& d) { return std::holds_alternative<node::BatchPersisted>(d); }));
  };
  persist(batch(1, entries(2, 20, 1, std::string(300, 'a'))));
  raft::SnapshotMeta own;
  const std::string state(5000, 's');
  retry(client, table, [&] {
    own = take_snapshot(client, 12, 1, state);
    return own.index.value == 12;
  });
  model.snapshot_index = 12;
  CHECK(read_patiently(client, table, own) == state);
  client->compact(raft::Index{12});
  persist(batch(2, entries(21, 30, 1, std::string(100'000, 'b'))));
  const raft::SnapshotMeta theirs = leader_snapshot(60, 3, 77, std::string(4000, 't'));
  retry(client, table, [&] { return receive_snapshot(client, theirs, std::string(4000, 't')); });
  node::Batch install = batch(6, {}, raft::HardState{raft::Term{3}, {}});
  install.install = raft::InstallState{theirs, false};
  model.wipe_to(60);
  model.snapshot_index = 60;
  persist(install);
  CHECK(read_patiently(client, table, theirs) == std::string(4000, 't'));
  persist(batch(7, entries(61, 70, 3, "e")));
  return model;
}

// The openings that the start made, and those in all.
std::pair<uint64_t, uint64_t> check_story(FullTable& table) {
  const TempDirectory dir = TempDirectory::in_memory();
  std::optional<Client> client;
  uint64_t at_start = 0;
  for (int tries = 0;; ++tries) {
    REQUIRE(tries < 3);
    client.emplace(dir.path(), &table, [](Options& o) { o.ballast_bytes = 1 << 20; });
    at_start = table.calls;
    if (client->ok()) break;
    // A start may fail for it, but says so, and not that the disk is damaged.
    CHECK_MESSAGE(client->error().find("cannot trust") == std::string::npos, client->error());
    table.over = true;
  }
  const Model model = story(*client, table);
  CHECK(client->fatal.empty());
  const uint64_t before_restart = table.calls;
  client.reset();
  // A restart that finds none is no statement about the disk, and the next one begins as if nothing had been.
  {
    FullTable full;
    Client refused(dir.path(), &full, [&](Options& o) {
      o.ballast_bytes = 0;
      full.from = 1;
      full.error = table.error;
    });
    CHECK_FALSE(refused.ok());
    CHECK_MESSAGE(refused.error().find("cannot trust") == std::string::npos, refused.error());
  }
  Client again(dir.path());
  REQUIRE_MESSAGE(again.ok(), again.error());
  CHECK(model.difference(again.node) == "");
  return {at_start, before_restart};
}

}  // namespace

TEST_CASE("HAZARDS H19: no descriptor at any opening of a file, once or for a while, is no failure of the disk") {
  FullTable counting;
  const auto [at_start, all] = check_story(counting);
  CHECK(counting.refused == 0);
  REQUIRE(all > at_start + 10);
  // Those that the test is about are among them.
  for (const std::string file : {"wormhole.db", "wormhole.db-wal", "witness", "ballast", "snapshot-own.wh.tmp",
                                 "snapshot-incoming.wh.tmp", "snapshot-incoming.meta", "snapshot-60-3.wh"}) {
    CAPTURE(file);
    CHECK(std::find(counting.files.begin(), counting.files.end(), file) != counting.files.end());
  }
  for (uint64_t at = 1; at <= all; ++at) {
    for (const bool once : {true, false}) {
      CAPTURE(at);
      CAPTURE(once);
      FullTable table;
      table.from = at;
      table.once = once;
      table.error = at % 3 == 0 ? ENFILE : at % 3 == 1 ? EMFILE : ENOMEM;
      check_story(table);
      CHECK(table.refused > 0);
    }
  }
}

TEST_CASE("HAZARDS H19: a recorded snapshot that no descriptor is left for at the start is not called damaged") {
  const TempDirectory dir = TempDirectory::in_memory();
  {
    Client client(dir.path());
    client->begin_anew(founding());
    client->persist(batch(1, entries(2, 20, 1)));
    client.run();
    REQUIRE(take_snapshot(client, 12, 1, "state").index.value == 12);
  }
  class NoSnapshot final : public DiskProbe {
   public:
    int before(const DiskEvent& /*event*/) override { return 0; }
    void after(const DiskEvent& /*event*/) override {}
    int before_open(std::string_view file) override { return file == "snapshot-12-1.wh" ? EMFILE : 0; }
  } probe;
  Client refused(dir.path(), &probe);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().find("snapshot-12-1.wh could not be opened: out of file descriptors") != std::string::npos);
  Client again(dir.path());
  CHECK(again.ok());
}
