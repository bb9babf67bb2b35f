#include "api/http/streams/backups.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include "api/http/routes.h"
#include "base/log.h"

namespace wh::api {
namespace {

// Bytes left free besides a backup's, for the log and the snapshots: the size of the state, between these bounds. So a
// small state on a small, nearly full disk still gets its backup, which is when it is wanted.
constexpr uint64_t kLeastKeptFree = uint64_t{4} << 20;
constexpr uint64_t kMostKeptFree = uint64_t{64} << 20;
constexpr size_t kPieceBytes = 256 << 10;

std::string now_utc(const char* format) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm utc{};
  gmtime_r(&now.tv_sec, &utc);
  char text[40];
  return {text, std::strftime(text, sizeof text, format, &utc)};
}

// A file name made of what a node-id may hold.
std::string file_name(const std::string& node, raft::Index index) {
  std::string out = "wormhole-";
  for (const char c : node.substr(0, 64)) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
    out += plain ? c : '_';
  }
  return out + "-" + std::to_string(index.value) + ".db";
}

http::Response refused(RefusalKind kind, const std::string& why) {
  return refusal_response({kind, printable(why)}, false);
}

// The finished file, read by the worker as its client takes it.
class FileSource final : public http::BodySource {
 public:
  FileSource(storage::Worker& worker, std::shared_ptr<backup::BackupFile> file, std::shared_ptr<void> slot)
      : worker_(worker), reading_(std::make_shared<Reading>()) {
    reading_->file = std::move(file);
    reading_->slot = std::move(slot);
  }
  // Closing the last descriptor of a large file takes long: a worker does it.
  ~FileSource() override {
    reading_->ready = nullptr;
    worker_.run([reading = std::move(reading_)]() mutable { reading.reset(); }, [] {});
  }
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;

  [[nodiscard]] std::optional<uint64_t> size() const override { return reading_->file->size(); }
  void next(std::function<void(std::string)> ready) override {
    reading_->ready = std::move(ready);
    auto piece = std::make_shared<std::string>();
    worker_.run(
        [reading = reading_, piece] {
          const uint64_t left = reading->file->size() - reading->offset;
          auto read = reading->file->read(reading->offset, static_cast<size_t>(std::min<uint64_t>(left, kPieceBytes)));
          if (read) *piece = std::move(*read);
        },
        // This object may be gone by now.
        [reading = reading_, piece] {
          reading->offset += piece->size();
          if (const auto to = std::exchange(reading->ready, nullptr)) to(std::move(*piece));
        });
  }

 private:
  struct Reading {
    std::shared_ptr<backup::BackupFile> file;
    std::shared_ptr<void> slot;
    uint64_t offset = 0;  // changed only between jobs
    std::function<void(std::string)> ready;
  };
  storage::Worker& worker_;
  std::shared_ptr<Reading> reading_;
};

}  // namespace

struct Backups::Making {
  std::shared_ptr<Slot> slot;
  std::unique_ptr<backup::BackupWriter> writer;  // the job uses it while `working`
  raft::Index index;
  Answer answer;
  bool working = false;
  bool walked = false;  // all slices were taken
  bool written = false;
  Status status = ok_status();
};

Backups::Backups(const config::Options& options, node::Node& node, storage::Worker& worker, std::string directory)
    : options_(options), node_(node), worker_(worker), directory_(std::move(directory)) {}

Backups::~Backups() {
  if (making_) node_.end_backup();
}

http::Response Backups::described(raft::Index index, const std::string& name) const {
  http::Response response;
  response.content_type = "application/vnd.sqlite3";
  response.headers.add("Content-Disposition", "attachment; filename=\"" + name + "\"");
  response.headers.add("Wormhole-Index", index.value);
  return response;
}

http::Response Backups::head(raft::Index index) const {
  http::Response response = described(index, file_name(options_.node_id, index));
  response.unknown_length = true;
  return response;
}

void Backups::begin(Answer answer) {
  if (busy())
    return answer(refused(RefusalKind::too_many, "a backup is being made or read on this node: one at a time"));
  const std::optional<node::Node::BackupPoint> point = node_.begin_backup();
  if (!point) return answer(refused(RefusalKind::unavailable, "this node has no state to back up yet"));
  const machine::Machine& machine = node_.machine();
  making_ = std::make_shared<Making>();
  making_->slot = std::make_shared<Slot>();
  slot_ = making_->slot;
  making_->index = point->index;
  making_->answer = std::move(answer);
  making_->writer =
      std::make_unique<backup::BackupWriter>(directory_,
                                             backup::BackupInfo{.version = WORMHOLE_VERSION,
                                                                .cluster_id = node::to_hex(node_.identity().cluster),
                                                                .node_id = options_.node_id,
                                                                .made_at = now_utc("%Y-%m-%dT%H:%M:%SZ"),
                                                                .index = point->index,
                                                                .term = point->term,
                                                                .time_ms = point->time_ms,
                                                                .cluster_version = point->version},
                                             std::clamp(machine.logical_bytes(), kLeastKeptFree, kMostKeptFree));
  logf(LogLevel::notice, "making a backup at index %lu", point->index.value);
  run([writer = making_->writer.get(), expected = machine.logical_bytes()] { return writer->begin(expected); });
}

// The job holds `making`, and so the writer, whatever happens to this object.
void Backups::run(std::function<Status()> work) {
  making_->working = true;
  worker_.run([making = making_, work = std::move(work)] { making->status = work(); },
              [making = making_] { making->working = false; });
}

void Backups::turn() {
  if (!making_ || making_->working) return;
  if (!making_->status)
    return fail(making_->writer->no_room() ? RefusalKind::no_room : RefusalKind::unavailable, making_->status.error());
  if (making_->written) return finish();
  backup::BackupWriter* writer = making_->writer.get();
  if (!making_->walked) {
    std::string slice;
    switch (node_.next_backup_slice(slice)) {
      case node::Node::BackupSlice::lost:
        return fail(RefusalKind::unavailable,
                    "the leader's snapshot took the place of this node's state meanwhile: try again");
      case node::Node::BackupSlice::more:
        return run([writer, slice = std::move(slice)] { return writer->feed(slice); });
      case node::Node::BackupSlice::done:
        making_->walked = true;
    }
  }
  run([writer, making = making_.get()]() -> Status {
    const Result<bool> more = writer->finish_some();
    if (!more) return Error{more.error()};
    making->written = !*more;
    return ok_status();
  });
}

void Backups::finish() {
  Result<std::shared_ptr<backup::BackupFile>> file = making_->writer->take();
  if (!file) return fail(RefusalKind::unavailable, file.error());
  const std::shared_ptr<Making> done = std::exchange(making_, nullptr);
  ++counters_.made;
  logf(LogLevel::notice, "made a backup at index %lu: %lu bytes", done->index.value, (*file)->size());
  http::Response response = described(done->index, file_name(options_.node_id, done->index));
  response.source = std::make_shared<FileSource>(worker_, std::move(*file), std::move(done->slot));
  done->answer(std::move(response));
}

void Backups::fail(RefusalKind kind, const std::string& why) {
  node_.end_backup();
  const std::shared_ptr<Making> failed = std::exchange(making_, nullptr);
  ++counters_.failed;
  logf(LogLevel::warning, "the backup at index %lu was given up: %s", failed->index.value, why.c_str());
  // A job that still runs frees the writer when it ends; otherwise another job frees it.
  if (!failed->working)
    worker_.run([writer = std::shared_ptr(std::move(failed->writer))]() mutable { writer.reset(); }, [] {});
  if (const Answer answer = std::exchange(failed->answer, nullptr)) answer(refused(kind, why));
}

void Backups::stop() {
  if (making_) fail(RefusalKind::unavailable, "this node is shutting down");
}

}  // namespace wh::api
