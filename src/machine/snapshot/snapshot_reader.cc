#include "machine/snapshot/snapshot_reader.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/mutant.h"
#include "machine/command/command.h"
#include "machine/dedup/sessions.h"
#include "machine/snapshot/snapshot_format.h"

namespace wh::machine {
namespace {

namespace format = snapshot_format;

enum class Found { whole, partial, out_of_bounds };

// Reads a length and its bytes at `at` and advances `at`. Checks the bounds as soon as the length is there.
Found read_sized(std::string_view in, size_t& at, size_t min, size_t max, std::string_view& out) {
  if (in.size() - at < 4) return Found::partial;
  const size_t size = Reader(in.substr(at, 4)).u32();
  if (size < min || size > max) return Found::out_of_bounds;
  if (in.size() - at - 4 < size) return Found::partial;
  out = in.substr(at + 4, size);
  at += 4 + size;
  return Found::whole;
}

}  // namespace

Status SnapshotReader::feed(std::string_view bytes) {
  if (!status_) return status_;
  const bool joined = !partial_.empty();
  if (joined) partial_.append(bytes);
  const std::string_view in = joined ? std::string_view(partial_) : bytes;
  size_t used = 0;
  while (used < in.size()) {
    const Result<size_t> size = take(in.substr(used));
    if (!size) {
      partial_ = std::string();
      fail(size.error());
      return status_;
    }
    if (*size == 0) break;
    used += *size;
  }
  if (joined)
    partial_.erase(0, used);
  else
    partial_.assign(in.substr(used));
  return ok_status();
}

void SnapshotReader::fail(std::string why) {
  if (status_) status_ = Error{std::move(why)};
}

Result<size_t> SnapshotReader::take(std::string_view in) {
  Result<size_t> size = 0;
  if (stage_ == Stage::ended) return Error{"bytes after the snapshot's end"};
  if (stage_ == Stage::header) {
    size = take_header(in);
  } else {
    const auto tag = static_cast<uint8_t>(in.front());
    const bool of_version_3 = tag == format::kQueue || tag == format::kQueueEvent || tag == format::kBinding;
    const bool of_version_4 = tag == format::kItem || tag == format::kLease;
    if (cluster_due_ != (tag == format::kCluster) || (tag == format::kIdempotency && version_ == kFirstVersion) ||
        (of_version_3 && version_ < 3) || (of_version_4 && version_ < 4) || (tag == format::kEvent && version_ >= 3))
      return Error{"a record out of place in the snapshot"};
    switch (tag) {
      case format::kKey:
        size = take_key(in);
        break;
      case format::kItem:
        size = take_item(in);
        break;
      case format::kLease:
        size = take_lease(in);
        break;
      case format::kEvent:
        size = take_event(in);
        break;
      case format::kQueue:
        size = take_queue(in);
        break;
      case format::kQueueEvent:
        size = take_queue_event(in);
        break;
      case format::kBinding:
        size = take_binding(in);
        break;
      case format::kSession:
        size = take_session(in);
        break;
      case format::kCluster:
        size = take_cluster(in);
        break;
      case format::kIdempotency:
        size = take_idempotency(in);
        break;
      case format::kEnd:
        size = take_trailer(in);
        break;
      default:
        return Error{"a record of unknown kind in the snapshot"};
    }
  }
  if (size) crc_ = crc32c(in.substr(0, *size), crc_);
  return size;
}

Result<size_t> SnapshotReader::take_header(std::string_view in) {
  const size_t known = std::min(in.size(), format::kMagic.size());
  if (in.substr(0, known) != format::kMagic.substr(0, known)) return Error{"not a snapshot of the state"};
  if (in.size() < format::kHeaderBytes) return 0;
  Reader r(in.substr(format::kMagic.size()));
  SnapshotHead head;
  head.version = r.u32();
  if (head.version < kFirstVersion || head.version > max_version_)
    return Error{
        "it is of a version of the cluster that this node cannot do: install a newer release, or raise "
        "version-limit"};
  head.applied.value = r.u64();
  head.time_ms = r.u64();
  head.keys = r.u64();
  head.events = r.u64();
  head.sessions = r.u32();
  if (Status bad = sink_.begin(head); !bad) return Error{bad.error()};
  version_ = head.version;
  cluster_due_ = version_ > kFirstVersion;
  stage_ = Stage::records;
  return format::kHeaderBytes;
}

Result<size_t> SnapshotReader::take_key(std::string_view in) {
  size_t at = 1;
  std::string_view key;
  std::string_view value;
  Found found = read_sized(in, at, 1, kMaxKeyBytes, key);
  if (found == Found::whole) found = read_sized(in, at, 0, kMaxValueBytes, value);
  if (found == Found::out_of_bounds) return Error{"a key or value out of bounds in the snapshot"};
  if (found == Found::partial) return 0;
  if (Status bad = sink_.key(key, value); !bad) return Error{bad.error()};
  return at;
}

Result<size_t> SnapshotReader::take_item(std::string_view in) {
  size_t at = 1;
  std::string_view record;
  StoreItem item;
  Found found = read_sized(in, at, 1, format::kMaxRecordHead, record);
  if (found == Found::whole) found = read_sized(in, at, 0, kMaxValueBytes, item.value);
  if (found == Found::out_of_bounds) return Error{"a key or value out of bounds in the snapshot"};
  if (found == Found::partial) return 0;
  Reader r(record);
  item.key = r.bytes();
  for (uint64_t* number : {&item.create_index, &item.mod_index, &item.version, &item.lease, &item.expires_at})
    *number = r.u64();
  item.content_type = r.bytes();
  if (!r.complete()) return Error{"a malformed item in the snapshot"};
  if (Status bad = sink_.item(item); !bad) return Error{bad.error()};
  return at;
}

Result<size_t> SnapshotReader::take_lease(std::string_view in) {
  constexpr size_t kSize = 1 + 24;
  if (in.size() < kSize) return 0;
  Reader r(in.substr(1));
  const uint64_t id = r.u64();
  const Millis ttl = r.u64();
  const Millis deadline = r.u64();
  if (Status bad = sink_.lease(id, ttl, deadline); !bad) return Error{bad.error()};
  return kSize;
}

Result<size_t> SnapshotReader::take_event(std::string_view in) {
  size_t at = 1;
  std::string_view queue;
  Found found = read_sized(in, at, 1, kMaxQueueNameBytes, queue);
  if (found == Found::out_of_bounds) return Error{"a queue's name out of bounds in the snapshot"};
  if (found == Found::partial || in.size() - at < 8) return 0;
  const raft::Index id{Reader(in.substr(at, 8)).u64()};
  at += 8;
  std::string_view event;
  found = read_sized(in, at, 1, kMaxValueBytes, event);
  if (found == Found::out_of_bounds) return Error{"an event out of bounds in the snapshot"};
  if (found == Found::partial) return 0;
  if (Status bad = sink_.event(queue, id, event); !bad) return Error{bad.error()};
  return at;
}

Result<size_t> SnapshotReader::take_queue(std::string_view in) {
  size_t at = 1;
  std::string_view record;
  const Found found = read_sized(in, at, 1, format::kMaxRecordHead, record);
  if (found == Found::out_of_bounds) return Error{"a queue out of bounds in the snapshot"};
  if (found == Found::partial) return 0;
  Reader r(record);
  QueueItem item;
  item.name = r.bytes();
  item.paused_in = r.boolean();
  item.paused_out = r.boolean();
  QueueTotals& t = item.totals;
  for (uint64_t* total : {&t.enqueued, &t.acknowledged, &t.redelivered, &t.expired, &t.dead_lettered, &t.dropped})
    *total = r.u64();
  decode_queue_settings(r, item.own);
  if (!r.complete()) return Error{"a malformed queue in the snapshot"};
  if (Status bad = sink_.queue(item); !bad) return Error{bad.error()};
  return at;
}

Result<size_t> SnapshotReader::take_queue_event(std::string_view in) {
  size_t at = 1;
  std::string_view record;
  EventItem item;
  Found found = read_sized(in, at, 1, format::kMaxRecordHead, record);
  if (found == Found::whole) found = read_sized(in, at, 0, kMaxValueBytes, item.bytes);
  if (found == Found::out_of_bounds) return Error{"an event out of bounds in the snapshot"};
  if (found == Found::partial) return 0;
  Reader r(record);
  item.queue = r.bytes();
  item.arrival = r.u64();
  const uint8_t state = r.u8();
  if (state > static_cast<uint8_t>(EventState::backoff)) r.fail();
  item.state = static_cast<EventState>(state);
  item.priority = r.u8();
  item.holds_group = r.boolean();
  item.deliveries = r.u32();
  item.arrived_at = r.u64();
  item.due = r.u64();
  item.expires_at = r.u64();
  item.delivery = r.u64();
  item.group = r.bytes();
  item.has_extra = r.boolean();
  if (item.has_extra) {
    item.headers = r.bytes();
    item.id = r.u64();
    item.enqueued_at = r.u64();
    item.reason = r.bytes();
    item.source_queue = r.bytes();
  }
  if (!r.complete()) return Error{"a malformed event in the snapshot"};
  if (Status bad = sink_.queue_event(item); !bad) return Error{bad.error()};
  return at;
}

Result<size_t> SnapshotReader::take_binding(std::string_view in) {
  size_t at = 1;
  std::string_view record;
  const Found found = read_sized(in, at, 1, format::kMaxRecordHead, record);
  if (found == Found::out_of_bounds) return Error{"a binding out of bounds in the snapshot"};
  if (found == Found::partial) return 0;
  Reader r(record);
  BindingItem item;
  item.topic = r.bytes();
  item.queue = r.bytes();
  const uint8_t terms = r.u8();
  for (uint8_t i = 0; r.ok() && i < terms; ++i) {
    const std::string_view attribute = r.bytes();
    const std::string_view pattern = r.bytes();
    item.filter.emplace_back(attribute, pattern);
  }
  if (!r.complete()) return Error{"a malformed binding in the snapshot"};
  if (Status bad = sink_.binding(item); !bad) return Error{bad.error()};
  return at;
}

Result<size_t> SnapshotReader::take_session(std::string_view in) {
  constexpr size_t kSize = 1 + Sessions::kRecordBytes;
  if (in.size() < kSize) return 0;
  if (Status bad = sink_.session(in.substr(1, Sessions::kRecordBytes)); !bad) return Error{bad.error()};
  return kSize;
}

Result<size_t> SnapshotReader::take_cluster(std::string_view in) {
  constexpr size_t kFixed = 1 + 8 + 8 + 4;
  if (in.size() < kFixed) return 0;
  Reader r(in.substr(1));
  SnapshotCluster cluster;
  cluster.jumped_ms = r.u64();
  cluster.idempotency_keys = r.u64();
  const uint32_t count = r.u32();
  const std::span<const SettingRow> settings = settings_as_of(version_);
  if (count != settings.size()) return Error{"another number of settings in the snapshot than its version has"};
  const size_t size = kFixed + size_t{count} * 8 + (version_ >= 3 ? 24 : 0) + (version_ >= 4 ? 16 : 0);
  if (in.size() < size) return 0;
  for (const SettingRow& row : settings) {
    uint64_t& value = cluster.settings.*row.value;
    value = r.u64();
    if (value < row.min || value > row.max) return Error{"a setting out of its range in the snapshot"};
  }
  if (version_ >= 3) {
    cluster.last_number = r.u64();
    cluster.queues = r.u64();
    cluster.bindings = r.u64();
  }
  if (version_ >= 4) {
    cluster.store_since.value = r.u64();
    cluster.leases = r.u64();
  }
  if (Status bad = sink_.cluster(cluster); !bad) return Error{bad.error()};
  cluster_due_ = false;
  return size;
}

Result<size_t> SnapshotReader::take_idempotency(std::string_view in) {
  size_t at = 1;
  std::string_view name;
  Found found = read_sized(in, at, 5, 4 + IdempotencyKeys::kMaxScopeBytes + kMaxIdempotencyKeyBytes, name);
  if (found == Found::out_of_bounds) return Error{"an idempotency key out of bounds in the snapshot"};
  IdempotencyKeys::Answer answer;
  constexpr size_t kFixed = sizeof answer.fingerprint + 16;
  if (found == Found::partial || in.size() - at < kFixed) return 0;
  Reader r(in.substr(at, kFixed));
  for (uint8_t& byte : answer.fingerprint) byte = r.u8();
  answer.index.value = r.u64();
  answer.due = r.u64();
  at += kFixed;
  std::string_view reply;
  found = read_sized(in, at, 1, IdempotencyKeys::kMaxReplyBytes, reply);
  if (found == Found::out_of_bounds) return Error{"an answer out of bounds in the snapshot"};
  if (found == Found::partial) return 0;
  if (Status bad = sink_.idempotency(name, answer, reply); !bad) return Error{bad.error()};
  return at;
}

Result<size_t> SnapshotReader::take_trailer(std::string_view in) {
  if (in.size() < format::kTrailerBytes) return 0;
  Reader r(in.substr(1));
  const uint64_t digest = r.u64();
  const uint32_t crc = r.u32();
  if (crc != crc32c(in.substr(0, format::kTrailerBytes - 4), crc_) && !WH_MUTANT(snapshot_checksum_ignored))
    return Error{"the snapshot's checksum does not match"};
  if (Status bad = sink_.end(digest); !bad) return Error{bad.error()};
  stage_ = Stage::ended;
  return format::kTrailerBytes;
}

}  // namespace wh::machine
