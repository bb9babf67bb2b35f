// Parses a snapshot's bytes, given in pieces of any size, and hands the contents to a sink. Trusts nothing: every
// length is checked before anything is kept for it; every count and the checksum are checked at the end. A bad snapshot
// is refused as a whole (HAZARDS F9). Used by SnapshotLoader, which makes a state from it, and by backup/, which makes
// rows from it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/cluster_version.h"
#include "base/result.h"
#include "machine/dedup/idempotency.h"
#include "machine/queue/queues.h"
#include "machine/settings.h"
#include "raft/types.h"

namespace wh::machine {

// What a snapshot says of its state before the items.
struct SnapshotHead {
  ClusterVersion version = kFirstVersion;
  raft::Index applied;
  Millis time_ms = 0;
  uint64_t keys = 0;
  uint64_t events = 0;
  uint64_t sessions = 0;
};

// More state that is in no container, as of version 2.
struct SnapshotCluster {
  Millis jumped_ms = 0;
  uint64_t idempotency_keys = 0;
  Settings settings;
  uint64_t last_number = 0;  // as of version 3: Queues::last_number, and how many there are of the two
  uint64_t queues = 0;
  uint64_t bindings = 0;
  raft::Index store_since;  // as of version 4: Store::since, and how many there are
  uint64_t leases = 0;
};

// As of version 4: an item that its entry, or a later one, changed.
struct StoreItem {
  std::string_view key;
  uint64_t create_index = 0;
  uint64_t mod_index = 0;
  uint64_t version = 0;
  uint64_t lease = 0;
  Millis expires_at = 0;
  std::string_view content_type;
  std::string_view value;
};

// As of version 3. Views are valid during the call that brings the item.
struct QueueItem {
  std::string_view name;
  bool paused_in = false;
  bool paused_out = false;
  QueueTotals totals;
  OwnQueueSettings own;
};
struct EventItem {
  std::string_view queue;
  uint64_t arrival = 0;
  EventState state = EventState::ready;
  uint8_t priority = kDefaultPriority;
  bool holds_group = false;
  uint32_t deliveries = 0;
  Millis arrived_at = 0;
  Millis due = 0;
  Millis expires_at = 0;
  uint64_t delivery = 0;
  std::string_view group;
  bool has_extra = false;  // the following are not all empty
  std::string_view headers;
  uint64_t id = 0;  // of a dead letter; else 0
  Millis enqueued_at = 0;
  std::string_view reason;
  std::string_view source_queue;
  std::string_view bytes;
};
struct BindingItem {
  std::string_view topic;
  std::string_view queue;
  Filter filter;
};

// Takes a state item by item: begin, the items in any order but each queue before its events (in the first versions its
// events from front to back), end. Each call
// says why the item is impossible, if it is: then no further call comes. Views are valid during the call.
class SnapshotSink {
 public:
  virtual ~SnapshotSink() = default;
  virtual Status begin(const SnapshotHead& head) = 0;
  virtual Status key(std::string_view key, std::string_view value) = 0;
  virtual Status item(const StoreItem& item) = 0;
  virtual Status lease(uint64_t id, Millis ttl, Millis deadline) = 0;
  // Of the versions before 3.
  virtual Status event(std::string_view queue, raft::Index id, std::string_view event) = 0;
  virtual Status queue(const QueueItem& queue) = 0;
  virtual Status queue_event(const EventItem& event) = 0;
  virtual Status binding(const BindingItem& binding) = 0;
  // A record of Sessions::kRecordBytes.
  virtual Status session(std::string_view record) = 0;
  // Comes before all other items; never for a state of the first version.
  virtual Status cluster(const SnapshotCluster& cluster) = 0;
  // `name` as in IdempotencyKeys::ByName; `answer.reply` is empty, `reply` holds its bytes.
  virtual Status idempotency(std::string_view name, const IdempotencyKeys::Answer& answer, std::string_view reply) = 0;
  virtual Status end(uint64_t digest) = 0;
};

class SnapshotReader {
 public:
  // The sink must outlive the reader. Refuses a state above `version`.
  explicit SnapshotReader(SnapshotSink& sink, ClusterVersion version = kLatestVersion)
      : sink_(sink), max_version_(version) {}

  // Takes the next bytes. An error comes again with every later call.
  Status feed(std::string_view bytes);
  // The whole snapshot was read.
  [[nodiscard]] bool ended() const { return stage_ == Stage::ended; }
  // Makes every further call fail with `why`, unless one failed before.
  void fail(std::string why);
  // The first failure.
  [[nodiscard]] const Status& status() const { return status_; }

 private:
  // Reads the record at the start of `in` and returns its size; 0 when the record is incomplete.
  Result<size_t> take(std::string_view in);
  Result<size_t> take_header(std::string_view in);
  Result<size_t> take_key(std::string_view in);
  Result<size_t> take_item(std::string_view in);
  Result<size_t> take_lease(std::string_view in);
  Result<size_t> take_event(std::string_view in);
  Result<size_t> take_queue(std::string_view in);
  Result<size_t> take_queue_event(std::string_view in);
  Result<size_t> take_binding(std::string_view in);
  Result<size_t> take_session(std::string_view in);
  Result<size_t> take_cluster(std::string_view in);
  Result<size_t> take_idempotency(std::string_view in);
  Result<size_t> take_trailer(std::string_view in);

  enum class Stage { header, records, ended };
  SnapshotSink& sink_;
  const ClusterVersion max_version_;
  ClusterVersion version_ = kFirstVersion;  // of the state
  bool cluster_due_ = false;                // the next record must be the cluster's
  Stage stage_ = Stage::header;
  std::string partial_;  // of one record: at most 4.2 MB, and the last bytes fed
  uint32_t crc_ = 0;     // of the bytes read
  Status status_ = ok_status();
};

}  // namespace wh::machine
