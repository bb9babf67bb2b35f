// A crash at every call that changes a file. Beside the real directory, the probe tracks which bytes of each file are
// certainly on disk and which may or may not be. At each call it makes images of the directory as a crash could leave
// it: after a killed process (everything written is there), after the worst power cut (nothing unsynced is there), and
// mixtures. Each image must open without a false alarm and hold everything that was reported as durable.
#include <algorithm>
#include <memory>

#include <doctest/doctest.h>

#include "base/prng.h"
#include "crash_disk.h"
#include "support.h"

using namespace wh;
using namespace wh::storage;
using namespace wh::storage::test;

namespace {

// Does operations on a storage, keeping the states it may be in: those after `acknowledged` to all operations.
class Story {
 public:
  explicit Story(AppendFsync fsync) : fsync_(fsync), image_(TempDirectory::in_memory()) {
    disk_.at_each_call = [this] { crash_here(); };
  }

  void open() {
    client_ = std::make_unique<Client>(dir_.path(), &disk_, [this](Options& o) { change(o); });
    REQUIRE_MESSAGE(client_->ok(), client_->error());
    client_->answers.clear();
  }
  void close() { client_.reset(); }
  Client& client() { return *client_; }
  Model& next() {
    states_.push_back(states_.back());
    return states_.back();
  }
  void persist(const node::Batch& b) {
    Model& m = next();
    if (b.install) {
      // Kept when the row there has the same term.
      const uint64_t index = b.install->meta.index.value;
      const bool keep =
          b.install->keep_suffix && index <= m.last() && m.log[index - m.first].term == b.install->meta.term;
      if (!keep) m.wipe_to(index);
      m.snapshot_index = index;
    }
    m.append(b.append);
    if (b.hard_state) m.hard_state = *b.hard_state;
    (*client_)->persist(b);
  }
  void begin_anew(const node::NewBeginning& beginning) {
    Model& m = next();
    m = Model{};
    m.cluster = beginning.cluster;
    m.hard_state = beginning.hard_state;
    if (beginning.first_entry) m.append({*beginning.first_entry});
    (*client_)->begin_anew(beginning);
  }
  void snapshot(uint64_t index, uint64_t term, const std::string& state) {
    run();
    next().snapshot_index = index;
    take_snapshot(*client_, index, term, state);
    acknowledged_ = states_.size() - 1;
  }
  void run() {
    run_jobs();
    (*client_)->rest();
    run_jobs();
    REQUIRE(client_->fatal.empty());
    REQUIRE(acknowledged_ == states_.size() - 1);
  }
  // Job by job, counting what is reported.
  void run_jobs() {
    while (client_->worker.run_one()) {
      for (const node::StorageDone& done : client_->answers)
        if (std::holds_alternative<node::BatchPersisted>(done) || std::holds_alternative<node::GrantPersisted>(done) ||
            std::holds_alternative<node::BeginningPersisted>(done))
          ++acknowledged_;
      client_->answers.clear();
    }
  }
  [[nodiscard]] const Model& state() const { return states_.back(); }
  [[nodiscard]] uint64_t crashes() const { return crashes_; }

 private:
  void change(Options& o) const {
    o.fsync = fsync_;
    o.checkpoint_bytes = 60'000;
  }
  void crash_here() {
    for (const CrashDisk::Kind kind : {CrashDisk::Kind::killed, CrashDisk::Kind::power_cut, CrashDisk::Kind::mixture}) {
      image_.copy_from(empty_.path());
      disk_.image(kind, prng_, image_.path());
      ++crashes_;
      const Client again(image_.path(), nullptr, [this](Options& o) { change(o); });
      CAPTURE(disk_.calls);
      CAPTURE(static_cast<int>(kind));
      // No REQUIRE: it throws, and SQLite is among the callers.
      CHECK_MESSAGE(again.ok(), again.error());
      if (!again.ok()) return;
      // Only a kill keeps what was acknowledged without a sync.
      const bool all = fsync_ == AppendFsync::always || kind == CrashDisk::Kind::killed;
      std::string why;
      bool found = false;
      for (size_t i = all ? acknowledged_ : 0; i < states_.size() && !found; ++i) {
        const std::string difference = states_[i].difference(again.node);
        found = difference.empty();
        why += std::to_string(i) + ": " + difference + "; ";
      }
      CHECK_MESSAGE(found, why);
      if (!found) return;
      CHECK((again.node.raft.hard_state.current_term >= states_[acknowledged_].hard_state.current_term ||
             again.node.cluster != states_[acknowledged_].cluster));
    }
  }

  AppendFsync fsync_;
  TempDirectory dir_ = TempDirectory::in_memory();
  TempDirectory empty_ = TempDirectory::in_memory();
  TempDirectory image_;
  CrashDisk disk_;
  Prng prng_{42};
  std::vector<Model> states_{Model{}};
  size_t acknowledged_ = 0;
  uint64_t crashes_ = 0;
  std::unique_ptr<Client> client_;
};

void tell(Story& story) {
  story.open();
  story.next().granted_to = kOther;
  story.client()->save_grant({kOther, 1, "x:1"});
  story.run();
  story.begin_anew(founding());
  story.run();
  // One by one, settled between; and several at once.
  story.persist(batch(1, entries(2, 3, 1)));
  story.run();
  for (uint64_t i = 4; i < 9; ++i) story.persist(batch(i, entries(i, i, 1)));
  story.run();
  // Merged truncations, unsettled and settled.
  story.persist(batch(1, entries(9, 12, 1)));
  story.persist(batch(2, entries(10, 11, 2), raft::HardState{raft::Term{2}, kOther}));
  story.persist(batch(3, entries(11, 14, 2)));
  story.run();
  story.persist(batch(4, entries(12, 12, 3), raft::HardState{raft::Term{3}, raft::kNobody}));
  story.run();
  story.persist(batch(5, entries(6, 6, 4), raft::HardState{raft::Term{4}, kOther}));
  story.persist(batch(6, entries(7, 40, 4, std::string(300, 'e'))));
  story.run();
  // Own snapshots, compaction (the checkpoint threshold is low, so checkpoints fall in between).
  story.snapshot(20, 4, std::string(3000, 's'));
  story.client()->compact(raft::Index{10});
  story.run();
  story.persist(batch(7, entries(41, 60, 4, std::string(300, 'f'))));
  story.run();
  story.snapshot(30, 4, std::string(500, 't'));
  story.client()->compact(raft::Index{30});
  story.run();
  story.close();
  story.open();
  // The leader's: keeping the suffix, then replacing everything, with the log beyond it.
  const Model model = story.state();
  raft::SnapshotMeta meta = leader_snapshot(50, 4, chain_of({model.log.begin(), model.log.begin() + 50}), "leader's");
  REQUIRE(receive_snapshot(story.client(), meta, "leader's"));
  node::Batch install = batch(8, entries(58, 59, 5), raft::HardState{raft::Term{5}, raft::kNobody});
  install.install = raft::InstallState{meta, true};
  story.persist(install);
  story.run();
  meta = leader_snapshot(55, 6, 1234, "another");
  REQUIRE(receive_snapshot(story.client(), meta, "another"));
  install = batch(9, {}, raft::HardState{raft::Term{6}, raft::kNobody});
  install.install = raft::InstallState{meta, false};
  story.persist(install);
  story.persist(batch(10, entries(56, 57, 6)));
  story.run();
  story.persist(batch(11, entries(56, 56, 7), raft::HardState{raft::Term{7}, kSelf}));
  story.run();
  story.persist(batch(11, entries(57, 90, 7, std::string(300, 'g'))));
  story.run();
  // Adoption: a lower term and an empty log are no amnesia then.
  story.begin_anew({cluster(2), {}, std::nullopt});
  story.run();
  story.persist(batch(12, {configuration_entry(1, 1, {kSelf, kOther})}, raft::HardState{raft::Term{1}, raft::kNobody}));
  story.persist(batch(13, entries(2, 5, 1)));
  story.run();
  story.close();
}

}  // namespace

TEST_CASE("HAZARDS B9, C1, C15, C16, F1, F5: a crash at every call loses nothing and raises no false alarm") {
  Story story(AppendFsync::always);
  tell(story);
  CHECK(story.crashes() > 300);
}

TEST_CASE("a crash at every call under appendfsync everysec: never a false alarm, never an older term or vote") {
  Story story(AppendFsync::everysec);
  tell(story);
  CHECK(story.crashes() > 300);
}

TEST_CASE("life after life, each ended by a crash") {
  Prng prng(7);
  std::vector<std::unique_ptr<TempDirectory>> lives;
  lives.push_back(std::make_unique<TempDirectory>(TempDirectory::in_memory()));
  // The states it may come back with.
  std::vector<Model> possible{Model{}};
  for (int life = 0; life < 60; ++life) {
    CrashDisk disk;
    const TempDirectory& dir = *lives.back();
    // What an earlier life left is durable by now.
    for (const char* name : {"witness", "wormhole.db", "wormhole.db-wal", "wormhole.db-journal"}) {
      if (!file_exists(dir.file(name))) continue;
      const std::string content = slurp(dir.file(name));
      disk.after({.kind = DiskEvent::Kind::write, .file = name, .offset = 0, .data = content});
      disk.after({.kind = DiskEvent::Kind::sync, .file = name});
    }
    auto next = std::make_unique<TempDirectory>(TempDirectory::in_memory());
    const uint64_t crash_at = 1 + prng.below(60);
    std::vector<Model> at_crash;
    disk.at_each_call = [&] {
      if (disk.calls != crash_at) return;
      disk.image(static_cast<CrashDisk::Kind>(prng.below(3)), prng, next->path());
      at_crash = possible;
    };
    Client client(dir.path(), &disk, [](Options& o) { o.checkpoint_bytes = 30'000; });
    REQUIRE_MESSAGE(client.ok(), client.error());
    const auto now = std::find_if(possible.begin(), possible.end(),
                                  [&](const Model& m) { return m.difference(client.node).empty(); });
    REQUIRE(now != possible.end());
    // A crash while it was opened comes back with the same.
    possible = {*now};
    while (at_crash.empty()) {
      Model model = possible.back();
      const uint64_t last = model.last();
      const uint64_t first = last == 0 || prng.below(4) != 0 ? last + 1 : 1 + prng.below(last);
      const raft::Term term = raft::next(model.hard_state.current_term);
      const auto more = entries(first, first + prng.below(5), term.value, std::string(prng.below(3000), 'r'));
      model.append(more);
      model.hard_state = {term, kSelf};
      possible.push_back(model);
      client->persist(batch(1, more, model.hard_state));
      client.worker.run_one();
      possible = {model};
      client.run();
    }
    possible = at_crash;
    lives.push_back(std::move(next));
  }
}
