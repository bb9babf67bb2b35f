// Shared code of the storage tests: directories that remove themselves, two workers, a client that collects answers,
// and a model of what a storage must hold.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "storage/sqlite_storage.h"

namespace wh::storage::test {

class TempDirectory {
 public:
  TempDirectory();  // on a disk
  static TempDirectory in_memory();
  ~TempDirectory();
  TempDirectory(TempDirectory&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }
  void copy_from(const std::string& other) const;  // replaces what is here

 private:
  explicit TempDirectory(const std::string& parent);
  std::string path_;
};

std::string slurp(const std::string& path);
void spill(const std::string& path, const std::string& content);
// In place, as a storage may have the file open.
void overwrite(const std::string& path, const std::string& content);
bool file_exists(const std::string& path);
// Runs statements on a database that no storage has open.
void sql(const std::string& file, const std::string& statements);

// Runs jobs when asked to, on the calling thread, in the order they were given.
class InlineWorker final : public Worker {
 public:
  void run(std::function<void()> work, std::function<void()> done) override {
    jobs_.emplace_back(std::move(work), std::move(done));
  }
  bool run_one() {
    if (jobs_.empty()) return false;
    auto [work, done] = std::move(jobs_.front());
    jobs_.pop_front();
    work();
    done();
    return true;
  }
  void run_all() {
    while (run_one()) {
    }
  }

 private:
  std::deque<std::pair<std::function<void()>, std::function<void()>>> jobs_;
};

// Two threads; done comes out of deliver(), on the thread that calls it.
class ThreadWorker final : public Worker {
 public:
  ThreadWorker();
  ~ThreadWorker() override;
  void run(std::function<void()> work, std::function<void()> done) override;
  // Waits up to a second for a result; false when none came.
  bool deliver();

 private:
  void loop();
  std::mutex mutex_;
  std::condition_variable work_ready_, done_ready_;
  std::deque<std::pair<std::function<void()>, std::function<void()>>> work_;
  std::deque<std::function<void()>> done_;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

// Counts calls of the kind that it is about, and refuses number `from` of them, or all from there on until `over`.
class RefusingProbe : public DiskProbe {
 public:
  uint64_t from = UINT64_MAX;
  bool once = false;
  int error = 0;
  bool over = false;
  uint64_t calls = 0;
  uint64_t refused = 0;

  int before(const DiskEvent& /*event*/) override { return 0; }
  void after(const DiskEvent& /*event*/) override {}

 protected:
  // One more: 0, or the error.
  int count() {
    ++calls;
    if (over || calls < from || (once && refused > 0)) return 0;
    ++refused;
    return error;
  }
};

// A storage with its worker, and the answers it gave.
class Client {
 public:
  // Opens; error() tells why when it could not.
  explicit Client(const std::string& directory, DiskProbe* probe = nullptr,
                  const std::function<void(Options&)>& change = {});
  [[nodiscard]] bool ok() const { return storage_ != nullptr; }
  [[nodiscard]] const std::string& error() const { return error_; }
  SqliteStorage& operator*() { return *storage_; }
  SqliteStorage* operator->() { return storage_.get(); }
  // Everything that waits, and what an owner has done while it rests.
  void run() {
    worker.run_all();
    if (!storage_) return;
    // Without room it goes on shrinking when there is some again.
    for (int slices = 0; slices == 0 || (storage_->shrinks() && slices < 10'000); ++slices) {
      storage_->rest();
      worker.run_all();
    }
  }
  void close() { storage_.reset(); }

  // The only answer of this type since the last call; runs everything first.
  template <typename T>
  std::optional<T> answer() {
    run();
    std::optional<T> found;
    for (node::StorageDone& done : answers)
      if (auto* value = std::get_if<T>(&done)) found = std::move(*value);
    answers.clear();
    return found;
  }
  // Persists and waits.
  void persist(node::Batch batch) {
    storage_->persist(std::move(batch));
    run();
  }

  InlineWorker worker;
  node::RecoveredNode node;
  std::vector<node::StorageDone> answers;
  std::vector<std::string> fatal;

 private:
  InlineWorker& worker_ = worker;
  std::unique_ptr<SqliteStorage> storage_;
  std::string error_;
};

inline constexpr raft::NodeId kSelf{0x1234567890abcdefULL};
inline constexpr raft::NodeId kOther{0xfedcba0987654321ULL};

raft::Entry entry(uint64_t index, uint64_t term, std::string payload = "payload");
raft::Entry configuration_entry(uint64_t index, uint64_t term, const std::vector<raft::NodeId>& voters);
raft::Configuration configuration(const std::vector<raft::NodeId>& voters);
std::vector<raft::Entry> entries(uint64_t first, uint64_t last, uint64_t term, const std::string& payload = "payload");
// The version of the cluster whose batches these are: how the log is kept depends on it. The tests run once with each.
ClusterVersion log_version();
node::Batch batch(uint64_t ticket, std::vector<raft::Entry> append,
                  std::optional<raft::HardState> hard_state = std::nullopt);
node::ClusterId cluster(uint8_t fill);
// Of a cluster with this node alone in it.
node::NewBeginning founding(uint8_t cluster_fill = 1);

// Whole snapshots, each with its answer awaited.
raft::SnapshotMeta take_snapshot(Client& client, uint64_t index, uint64_t term, const std::string& state);
raft::SnapshotMeta leader_snapshot(uint64_t index, uint64_t term, uint64_t chain, const std::string& state);
bool receive_snapshot(Client& client, const raft::SnapshotMeta& meta, const std::string& state);
std::optional<std::string> read_whole(Client& client, const raft::SnapshotMeta& meta);
uint64_t chain_of(const std::vector<raft::Entry>& log, uint64_t from = 0);

// What a storage must have, as plain values.
struct Model {
  node::ClusterId cluster = node::kNoCluster;
  raft::HardState hard_state;
  std::vector<raft::Entry> log;  // from `first` on
  uint64_t first = 1;
  uint64_t snapshot_index = 0;
  raft::NodeId granted_to;

  Model() = default;
  explicit Model(const node::NewBeginning& beginning)
      : cluster(beginning.cluster), hard_state(beginning.hard_state), log({*beginning.first_entry}) {}
  [[nodiscard]] uint64_t last() const { return first + log.size() - 1; }
  void append(const std::vector<raft::Entry>& entries);
  void wipe_to(uint64_t index) {
    log.clear();
    first = index + 1;
  }
  // Empty when `node` holds just this (it may hold less of what a snapshot covers).
  [[nodiscard]] std::string difference(const node::RecoveredNode& node) const;
};

}  // namespace wh::storage::test
