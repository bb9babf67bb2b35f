#include "support.h"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <unistd.h>

#include <sqlite3.h>

#include "base/assert.h"
#include "base/hash.h"

namespace wh::storage::test {
namespace fs = std::filesystem;

TempDirectory::TempDirectory() : TempDirectory(fs::temp_directory_path().string()) {}
TempDirectory::TempDirectory(const std::string& parent) {
  std::string name = parent + "/wormhole-storage-XXXXXX";
  WH_ASSERT(::mkdtemp(name.data()) != nullptr, "a temporary directory can be made");
  path_ = name;
}
TempDirectory TempDirectory::in_memory() {
  return TempDirectory(::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : fs::temp_directory_path().string());
}
TempDirectory::~TempDirectory() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}
void TempDirectory::copy_from(const std::string& other) const {
  for (const auto& item : fs::directory_iterator(path_)) fs::remove_all(item.path());
  fs::copy(other, path_);
}

std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}
void spill(const std::string& path, const std::string& content) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
}
void overwrite(const std::string& path, const std::string& content) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  WH_ASSERT(file.good(), "a file of the test can be written");
}
bool file_exists(const std::string& path) { return fs::exists(path); }
void sql(const std::string& file, const std::string& statements) {
  sqlite3* db = nullptr;
  WH_ASSERT(sqlite3_open(file.c_str(), &db) == SQLITE_OK, "a database can be opened");
  WH_ASSERT(sqlite3_exec(db, statements.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK, "statements can be run");
  sqlite3_close(db);
}

ThreadWorker::ThreadWorker() {
  for (int i = 0; i < 2; ++i) threads_.emplace_back([this] { loop(); });
}
ThreadWorker::~ThreadWorker() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  work_ready_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}
void ThreadWorker::run(std::function<void()> work, std::function<void()> done) {
  const std::lock_guard lock(mutex_);
  work_.emplace_back(std::move(work), std::move(done));
  work_ready_.notify_one();
}
bool ThreadWorker::deliver() {
  std::unique_lock lock(mutex_);
  if (!done_ready_.wait_for(lock, std::chrono::seconds(1), [this] { return !done_.empty(); })) return false;
  const std::function<void()> done = std::move(done_.front());
  done_.pop_front();
  lock.unlock();
  done();
  return true;
}
void ThreadWorker::loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    work_ready_.wait(lock, [this] { return stop_ || !work_.empty(); });
    if (work_.empty()) return;
    auto [work, done] = std::move(work_.front());
    work_.pop_front();
    lock.unlock();
    work();
    lock.lock();
    done_.push_back(std::move(done));
    done_ready_.notify_one();
  }
}

Client::Client(const std::string& directory, DiskProbe* probe, const std::function<void(Options&)>& change) {
  Options options;
  options.directory = directory;
  options.node_name = "a";
  options.fresh_instance = kSelf;
  options.probe = probe;
  options.ballast_bytes = 0;  // large; tests of it say so
  options.fatal = [this](const std::string& message) { fatal.push_back(message); };
  if (change) change(options);
  Result<SqliteStorage::Opened> opened = SqliteStorage::open(std::move(options), worker);
  if (!opened) {
    error_ = opened.error();
    return;
  }
  node = std::move(opened->node);
  storage_ = std::move(opened->storage);
  storage_->set_handler([this](node::StorageDone done) { answers.push_back(std::move(done)); });
}

raft::Entry entry(uint64_t index, uint64_t term, std::string payload) {
  return {.index = raft::Index{index},
          .term = raft::Term{term},
          .kind = raft::EntryKind::command,
          .time_ms = 1000 + index,
          .payload = Bytes(std::move(payload))};
}
raft::Configuration configuration(const std::vector<raft::NodeId>& voters) {
  raft::Configuration result;
  for (const raft::NodeId id : voters)
    result =
        result.with({.id = id, .name = std::string("n") + std::to_string(id.value), .raft_address = "127.0.0.1:1112"});
  return result;
}
raft::Entry configuration_entry(uint64_t index, uint64_t term, const std::vector<raft::NodeId>& voters) {
  raft::Entry result = entry(index, term, configuration(voters).encode());
  result.kind = raft::EntryKind::configuration;
  return result;
}
std::vector<raft::Entry> entries(uint64_t first, uint64_t last, uint64_t term, const std::string& payload) {
  std::vector<raft::Entry> result;
  for (uint64_t i = first; i <= last; ++i) result.push_back(entry(i, term, payload + std::to_string(i)));
  return result;
}
ClusterVersion log_version() {
  static const char* const chosen = std::getenv("WORMHOLE_TEST_LOG_VERSION");
  return chosen == nullptr ? kFirstVersion : static_cast<ClusterVersion>(std::strtoul(chosen, nullptr, 10));
}

node::Batch batch(uint64_t ticket, std::vector<raft::Entry> append, std::optional<raft::HardState> hard_state) {
  node::Batch result;
  result.ticket = ticket;
  result.append = std::move(append);
  result.hard_state = hard_state;
  result.version = log_version();
  return result;
}
node::ClusterId cluster(uint8_t fill) {
  node::ClusterId id;
  id.fill(fill);
  return id;
}

node::NewBeginning founding(uint8_t cluster_fill) {
  return {cluster(cluster_fill), {raft::Term{1}, kSelf}, configuration_entry(1, 1, {kSelf})};
}

namespace {
raft::SnapshotMeta snapshot_meta(uint64_t index, uint64_t term) {
  raft::SnapshotMeta meta;
  meta.index = raft::Index{index};
  meta.term = raft::Term{term};
  meta.configuration_index = raft::Index{1};
  meta.configuration = configuration({kSelf, kOther});
  meta.time_ms = 1000 + index;
  return meta;
}
}  // namespace

raft::SnapshotMeta take_snapshot(Client& client, uint64_t index, uint64_t term, const std::string& state) {
  client->begin_snapshot(snapshot_meta(index, term));
  for (size_t at = 0; at < state.size(); at += 1000) client->write_snapshot_slice(Bytes(state.substr(at, 1000)));
  client->finish_snapshot();
  const auto saved = client.answer<node::SnapshotSaved>();
  return saved ? saved->meta : raft::SnapshotMeta{};
}
raft::SnapshotMeta leader_snapshot(uint64_t index, uint64_t term, uint64_t chain, const std::string& state) {
  raft::SnapshotMeta meta = snapshot_meta(index, term);
  meta.chain = chain;
  meta.size = state.size();
  meta.crc = crc32c(state);
  return meta;
}
bool receive_snapshot(Client& client, const raft::SnapshotMeta& meta, const std::string& state) {
  const size_t half = state.size() / 2;
  client->write_incoming_chunk(meta, 0, Bytes(state.substr(0, half)), false);
  client->write_incoming_chunk(meta, half, Bytes(state.substr(half)), true);
  const auto written = client.answer<node::IncomingChunkWritten>();
  return written && written->ok && written->complete;
}
std::optional<std::string> read_whole(Client& client, const raft::SnapshotMeta& meta) {
  std::string state;
  for (bool done = false; !done;) {
    client->read_snapshot(7, meta, state.size(), 700);
    const auto part = client.answer<node::SnapshotChunkRead>();
    if (!part || !part->ok || part->request != 7 || part->index != meta.index || part->offset != state.size())
      return std::nullopt;
    state += part->data.view();
    done = part->done;
  }
  return state;
}
uint64_t chain_of(const std::vector<raft::Entry>& log, uint64_t from) {
  for (const raft::Entry& e : log) from = next_chain(from, e);
  return from;
}

void Model::append(const std::vector<raft::Entry>& more) {
  if (more.empty()) return;
  log.resize(more.front().index.value - first);
  log.insert(log.end(), more.begin(), more.end());
}

std::string Model::difference(const node::RecoveredNode& node) const {
  const raft::Log::Recovered& found = node.raft.log;
  if (node.cluster != cluster) return "cluster";
  if (node.raft.hard_state != hard_state) return "hard state";
  if (node.granted_to != granted_to) return "grant";
  if ((node.raft.snapshot ? node.raft.snapshot->index.value : 0) != snapshot_index) return "snapshot";
  if (found.last_index.value != last()) return std::string("last index ") + std::to_string(found.last_index.value);
  if (found.base_index.value > std::max(snapshot_index, first - 1)) return "base index";
  if (found.last_index - found.base_index != found.tail.size()) return "tail";
  for (const raft::Entry& e : found.tail)
    if (e.index.value >= first && e != log[e.index.value - first])
      return std::string("entry ") + std::to_string(e.index.value);
  return {};
}

}  // namespace wh::storage::test
