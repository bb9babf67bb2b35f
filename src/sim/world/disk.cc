#include "sim/world/disk.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/hash.h"
#include "sim/checks/checks.h"
#include "sim/checks/conduct.h"
#include "sim/faults/aims.h"
#include "sim/world/process.h"
#include "sim/world/world.h"

namespace wh::sim {

// A removed or rewritten row is no longer damaged; nor is a replaced snapshot.
static void settle_damage(DiskImage& disk) {
  if (disk.damage == Damage::row && disk.at(disk.damaged) == nullptr) disk.damage = Damage::none;
  if (disk.damage == Damage::snapshot && (!disk.snapshot || disk.snapshot->meta.index != disk.damaged))
    disk.damage = Damage::none;
}

const char* damage_found(DiskImage& disk) {
  settle_damage(disk);
  switch (disk.damage) {
    case Damage::none:
      break;
    case Damage::row:
      return "a row of its log is damaged";
    case Damage::snapshot:
      return "its snapshot is damaged";
    case Damage::older_file:
      return "one of its files is older than the others";
  }
  return nullptr;
}

node::RecoveredNode recover(DiskImage& disk, const std::string& name, uint64_t tail_bytes) {
  node::RecoveredNode out;
  out.cluster = disk.cluster;
  out.instance = disk.instance;
  out.name = name;
  out.epoch = ++disk.epoch;
  out.raft.hard_state = disk.hard_state;
  out.saw_command = disk.saw_command;
  out.saw_others = disk.saw_others;
  out.granted_to = disk.granted_to;
  out.granted_attempt = disk.granted_attempt;
  out.granted_address = disk.granted_address;
  raft::Log::Recovered& log = out.raft.log;
  log.base_index = disk.base_index;
  log.base_term = disk.base_term;
  log.last_index = disk.last_index();
  if (disk.incoming && (!disk.snapshot || disk.snapshot->meta.index < disk.incoming->meta.index))
    out.raft.incoming = raft::PartOfSnapshot{disk.incoming->meta, disk.incoming->bytes.size()};
  else
    disk.incoming.reset();
  raft::Index known;
  if (disk.snapshot) {
    out.raft.snapshot = disk.snapshot->meta;
    log.configurations.push_back({disk.snapshot->meta.configuration_index, disk.snapshot->meta.configuration});
    log.last_time_ms = disk.snapshot->meta.time_ms;
    known = disk.snapshot->meta.configuration_index;
  }
  for (const raft::Entry& entry : disk.log) {
    if (log.runs.empty() || log.runs.back().term != entry.term) log.runs.push_back({entry.index, entry.term});
    if (entry.kind == raft::EntryKind::configuration && entry.index > known)
      log.configurations.push_back({entry.index, *raft::Configuration::decode(entry.payload.view())});
    log.last_time_ms = entry.time_ms;
  }
  uint64_t bytes = 0;
  auto first = disk.log.end();
  while (first != disk.log.begin() && bytes + raft::cost(*std::prev(first)) <= tail_bytes)
    bytes += raft::cost(*--first);
  log.tail.assign(first, disk.log.end());
  return out;
}

SimStorage::SimStorage(World& world, Host& host) : world_(world), host_(host) {}

void SimStorage::done(node::StorageDone done) {
  host_.process->input([this, value = std::move(done)]() mutable {
    host_.process->node().storage_done(std::move(value), world_.now(host_));
  });
}

// --- the database lane

void SimStorage::write(Write write) {
  staged_.push_back(std::move(write));
  if (syncing_.empty()) world_.after(0, host_, [this] { begin_sync(); });
}

// Whether an entry at or after `index` is on its way to the disk.
bool SimStorage::under_way(raft::Index index) const {
  for (const std::vector<Write>* writes : {&syncing_, &staged_})
    for (const Write& write : *writes)
      if (const auto* batch = std::get_if<node::Batch>(&write))
        if (!batch->append.empty() && batch->append.back().index >= index) return true;
  return false;
}

void SimStorage::begin_sync() {
  if (!syncing_.empty() || staged_.empty()) return;
  syncing_ = std::exchange(staged_, {});
  sync_began_us_ = host_.clock.us(world_.now_us());
  const uint64_t takes_us =
      world_.options.sync_us + world_.prng.below(world_.options.sync_jitter_us) + std::exchange(stall_us_, 0);
  world_.after(takes_us, host_, [this] { end_sync(); });
}

void SimStorage::end_sync() {
  const std::vector<Write> group = std::exchange(syncing_, {});
  if (failure_ != Failure::none) return fail_group(group);
  apply(group);
  begin_sync();
  for (const Write& write : group) {
    if (const auto* batch = std::get_if<node::Batch>(&write)) {
      done(node::BatchPersisted{batch->ticket});
    } else if (std::holds_alternative<node::NewBeginning>(write)) {
      done(node::BeginningPersisted{});
    } else if (std::holds_alternative<node::FoundingGrant>(write)) {
      done(node::GrantPersisted{});
    } else if (const auto* record = std::get_if<RecordSnapshot>(&write)) {
      done(node::SnapshotSaved{record->image.meta});
    }
  }
}

// A failed write leaves nothing; a failed sync leaves the write or not. The process ends, and the next start reads the
// disk.
void SimStorage::fail_group(const std::vector<Write>& group) {
  const bool wrote = failure_ == Failure::sync;
  ++world_.seen[wrote ? Situation::sync_failed : Situation::write_failed];
  if (wrote && world_.prng.below(2) == 0) apply(group);
  host_.process->end(wrote ? "a sync failed" : "a write failed", world_.prng.below(1'000'000));
}

void SimStorage::apply(const std::vector<Write>& group) {
  DiskImage& disk = host_.disk;
  for (const Write& write : group) {
    if (const auto* batch = std::get_if<node::Batch>(&write)) {
      apply_batch(*batch);
    } else if (const auto* beginning = std::get_if<node::NewBeginning>(&write)) {
      const raft::NodeId instance = disk.instance;
      const uint64_t epoch = disk.epoch;
      world_.conduct->begins(host_, *beginning);
      disk = DiskImage{};
      disk.instance = instance;
      disk.epoch = epoch;
      disk.cluster = beginning->cluster;
      disk.hard_state = beginning->hard_state;
      if (beginning->first_entry) disk.log.push_back(*beginning->first_entry);
      world_.checks->began(host_, *beginning);
    } else if (const auto* grant = std::get_if<node::FoundingGrant>(&write)) {
      disk.granted_to = grant->founder;
      disk.granted_attempt = grant->attempt;
      disk.granted_address = grant->address;
    } else if (const auto* record = std::get_if<RecordSnapshot>(&write)) {
      // A snapshot of a replaced log, or one older than the recorded snapshot, is discarded.
      const raft::SnapshotMeta& meta = record->image.meta;
      const raft::Entry* entry = disk.at(meta.index);
      const bool fits = entry != nullptr && entry->term == meta.term;
      if (fits && (!disk.snapshot || disk.snapshot->meta.index < meta.index)) this->record(record->image);
    } else if (const auto* compaction = std::get_if<Compact>(&write)) {
      if (!disk.snapshot || compaction->index > disk.snapshot->meta.index) continue;
      while (disk.base_index < compaction->index && !disk.log.empty()) {
        disk.base_term = disk.log.front().term;
        ++disk.base_index;
        disk.log.pop_front();
      }
    }
  }
  settle_damage(disk);
}

void SimStorage::apply_batch(const node::Batch& batch) {
  DiskImage& disk = host_.disk;
  if (batch.hard_state) disk.hard_state = *batch.hard_state;
  if (batch.install) install(*batch.install);
  disk.version = std::max(disk.version, batch.version);
  if (batch.append.empty()) return;
  const raft::Index first = batch.append.front().index;
  if (first <= disk.base_index || first > disk.last_index() + 1)
    return world_.fail(host_.name + " appends at " + std::to_string(first.value) + ", its disk's log is (" +
                       std::to_string(disk.base_index.value) + ", " + std::to_string(disk.last_index().value) + "]");
  while (disk.last_index() >= first) disk.log.pop_back();
  settle_damage(disk);
  for (const raft::Entry& entry : batch.append) {
    disk.log.push_back(entry);
    disk.saw_command |= entry.kind == raft::EntryKind::command;
    if (entry.kind == raft::EntryKind::version)
      disk.version = std::max(disk.version, *decode_version(entry.payload.view()));
    if (entry.kind != raft::EntryKind::configuration) continue;
    const auto configuration = raft::Configuration::decode(entry.payload.view());
    for (const raft::Member& member : configuration->members()) disk.saw_others |= member.id != disk.instance;
  }
}

void SimStorage::install(const raft::InstallState& install) {
  DiskImage& disk = host_.disk;
  const auto found = complete_.find(install.meta.index.value);
  if (found == complete_.end() || found->second.meta != install.meta)
    return world_.fail(host_.name + " installs a snapshot that is not complete on its disk");
  if (misread_ == install.meta.index) return world_.fail(host_.name + " installs a snapshot that it was given damaged");
  const raft::Entry* entry = disk.at(install.meta.index);
  if (install.keep_suffix && install.meta.index <= disk.last_index()) {
    if (entry != nullptr && entry->term != install.meta.term)
      return world_.fail(host_.name + " keeps a suffix that does not follow the installed snapshot");
    while (disk.base_index < install.meta.index && !disk.log.empty()) {
      ++disk.base_index;
      disk.log.pop_front();
    }
  } else {
    disk.log.clear();
    disk.base_index = install.meta.index;
  }
  disk.base_term = install.meta.term;
  record(std::move(found->second));
  complete_.erase(found);
  disk.saw_command = true;
  for (const raft::Member& member : install.meta.configuration.members()) disk.saw_others |= member.id != disk.instance;
}

void SimStorage::record(SnapshotImage image) {
  DiskImage& disk = host_.disk;
  if (disk.previous && keep_ == disk.previous->meta) kept_ = std::move(disk.previous);
  disk.previous = std::move(disk.snapshot);
  disk.snapshot = std::move(image);
  if (disk.incoming && disk.incoming->meta.index <= disk.snapshot->meta.index) disk.incoming.reset();
}

void SimStorage::persist(node::Batch batch) {
  if (host_.process->ended) return;
  world_.checks->staged(host_, batch);
  world_.conduct->staged(host_, batch);
  if (!batch.append.empty() && under_way(batch.append.front().index)) ++world_.seen[Situation::truncated_under_way];
  const bool installs = batch.install.has_value();
  write(std::move(batch));
  world_.aims->moment(host_, Moment::staged);
  if (installs) world_.aims->moment(host_, Moment::installing);
}
void SimStorage::begin_anew(node::NewBeginning beginning) { write(std::move(beginning)); }
void SimStorage::save_grant(node::FoundingGrant grant) { write(std::move(grant)); }
void SimStorage::compact(raft::Index index) {
  world_.conduct->compacts(host_, index);
  write(Compact{index});
}

void SimStorage::load_entries(raft::Index first, raft::Index last, uint64_t max_bytes) {
  uint64_t takes_us = 50 + world_.prng.below(world_.prng.below(8) == 0 ? 50'000 : 2'000);
  // Where the options keep little of the log, entries may be gone by the time they are read.
  if (world_.options.snapshot_bytes != 0 && world_.prng.below(8) == 0) takes_us += world_.prng.below(1'000'000);
  world_.after(takes_us, host_, [this, first, last, max_bytes] {
    ++world_.seen[host_.disk.at(first) != nullptr ? Situation::read_back : Situation::read_back_gone];
    node::EntriesRead read{first, {}};
    uint64_t bytes = 0;
    for (raft::Index i = first; i <= last; ++i) {
      const raft::Entry* entry = host_.disk.at(i);
      if (entry == nullptr) break;
      if (host_.disk.damage == Damage::row && host_.disk.damaged == i) {
        ++world_.seen[Situation::damage_found_running];
        return host_.process->end("a row that was read is damaged", world_.prng.below(20'000));
      }
      bytes += raft::cost(*entry);
      if (!read.entries.empty() && bytes > std::min<uint64_t>(max_bytes, 2'000)) break;
      read.entries.push_back(*entry);
    }
    done(std::move(read));
  });
}

// Only a restored older copy may lack what was acknowledged: its process ends, and does not start on it again. The copy
// may have caught up while others were asked about the loss.
void SimStorage::acknowledged_lost(raft::Index acknowledged, raft::Index last) {
  if (host_.disk.was_old_copy) {
    ++world_.seen[Situation::old_copy_noticed];
    host_.disk.damage = Damage::older_file;
    return host_.process->end("its disk is an older copy of itself", world_.prng.below(20'000));
  }
  world_.fail(host_.name + " acknowledged entries up to " + std::to_string(acknowledged.value) + ", its log ends at " +
              std::to_string(last.value));
}

Millis SimStorage::sync_age() const {
  return syncing_.empty() ? 0 : (host_.clock.us(world_.now_us()) - sync_began_us_) / 1000;
}

void SimStorage::die() {
  // The running sync may have reached the disk or not; staged writes have not.
  for (const std::vector<Write>* writes : {&syncing_, &staged_})
    for (const Write& write : *writes)
      if (const auto* batch = std::get_if<node::Batch>(&write); batch != nullptr && batch->install)
        ++world_.seen[Situation::crash_installing];
  if (!staged_.empty()) ++world_.seen[Situation::staged_lost];
  if (!syncing_.empty()) {
    const bool kept = world_.prng.below(2) == 0;
    ++world_.seen[kept ? Situation::sync_kept : Situation::sync_lost];
    if (kept) apply(syncing_);
  }
  // An unsynced part of a received snapshot may survive only in part, and damaged.
  std::optional<SnapshotImage>& part = host_.disk.incoming;
  if (!part || world_.prng.below(2) == 0) return;
  if (world_.prng.below(16) == 0 && !part->bytes.empty())
    part->bytes.back() = static_cast<char>(part->bytes.back() ^ 1);
  part->bytes.resize(part->bytes.size() - world_.prng.below(part->bytes.size() / 2 + 1));
}

void SimStorage::fill(uint64_t us) {
  stall(us);
  full_ = true;
  done(node::DiskSpace{.free_bytes = 0, .total_bytes = 1, .full = true});
  world_.after(us, host_, [this] {
    full_ = false;
    done(node::DiskSpace{.free_bytes = 1, .total_bytes = 1, .full = false});
  });
}

// --- the file lane

void SimStorage::file_job(std::function<void()> job) {
  file_lane_free_us_ = std::max(file_lane_free_us_, world_.now_us()) + 20 + world_.prng.below(1'000);
  world_.after(file_lane_free_us_ - world_.now_us(), host_, std::move(job));
}

void SimStorage::begin_snapshot(const raft::SnapshotMeta& meta) {
  taking_ = meta;
  taken_.clear();
}

void SimStorage::write_snapshot_slice(Bytes slice) {
  taken_ += slice.view();
  file_job([this] {
    if (full_) return snapshot_failed();
    done(node::SnapshotSliceWritten{});
  });
}

void SimStorage::snapshot_failed() {
  ++world_.seen[Situation::snapshot_no_room];
  done(node::SnapshotFailed{});
}

void SimStorage::finish_snapshot() {
  taking_.size = taken_.size();
  taking_.crc = crc32c(taken_);
  world_.checks->snapshot_taken(host_, taking_);
  world_.conduct->snapshot_taken(host_, taking_, taken_);
  file_job([this, image = SnapshotImage{taking_, std::exchange(taken_, {})}] {
    if (full_) return snapshot_failed();
    write(RecordSnapshot{image});
  });
}

void SimStorage::write_incoming_chunk(const raft::SnapshotMeta& meta, uint64_t offset, Bytes data, bool done_here) {
  world_.conduct->part_written(host_, meta, offset, data.size());
  file_job([this, meta, offset, bytes = std::move(data), done_here] {
    std::optional<SnapshotImage>& part = host_.disk.incoming;
    if (full_) {
      part.reset();
      ++world_.seen[Situation::incoming_no_room];
      world_.conduct->found_no_room(host_);
      return done(node::IncomingChunkWritten{meta, 0, false, false, true});
    }
    if (offset == 0) part = SnapshotImage{meta, {}};
    if (!part || part->meta != meta || offset != part->bytes.size()) {
      part.reset();
      return done(node::IncomingChunkWritten{meta, 0, false, false});
    }
    std::string& incoming = part->bytes;
    incoming += bytes.view();
    if (world_.options.corrupt_chunk_ppm != 0 && world_.chaos &&
        world_.prng.chance_ppm(world_.options.corrupt_chunk_ppm))
      incoming.back() = static_cast<char>(incoming.back() ^ 1);
    if (!done_here) {
      world_.aims->moment(host_, Moment::receiving);
      return done(node::IncomingChunkWritten{meta, incoming.size(), false, true});
    }
    if (incoming.size() != meta.size || crc32c(incoming) != meta.crc) {
      part.reset();
      ++world_.seen[Situation::chunk_damaged];
      return done(node::IncomingChunkWritten{meta, 0, false, false});
    }
    while (complete_.size() > 3) complete_.erase(complete_.begin());
    complete_[meta.index.value] = {meta, std::move(incoming)};
    part.reset();
    done(node::IncomingChunkWritten{meta, meta.size, true, true});
  });
}

// A snapshot that verified when it was written may be read back damaged; half the time in its last bytes, where only
// the checksum shows it.
void SimStorage::misread(std::string& part, uint64_t offset, raft::Index index) {
  if (offset == 0) misread_ = {};
  const uint32_t chance_ppm = 8 * world_.options.corrupt_chunk_ppm;
  if (chance_ppm == 0 || !world_.chaos || part.empty() || !world_.prng.chance_ppm(chance_ppm)) return;
  const size_t at = part.size() - 1 - world_.prng.below(world_.prng.below(2) == 0 ? 1 : part.size());
  part[at] = static_cast<char>(part[at] ^ 1);
  misread_ = index;
  ++world_.seen[Situation::snapshot_misread];
}

void SimStorage::keep_snapshot(std::optional<raft::SnapshotMeta> meta) {
  keep_ = std::move(meta);
  if (kept_ && kept_->meta != keep_) kept_.reset();
}

void SimStorage::read_snapshot(uint64_t request, const raft::SnapshotMeta& meta, uint64_t offset, uint64_t max_bytes) {
  file_job([this, request, meta, offset, max_bytes] {
    const SnapshotImage* image = nullptr;
    for (const std::optional<SnapshotImage>* kept : {&kept_, &host_.disk.snapshot, &host_.disk.previous})
      if (*kept && (*kept)->meta.index == meta.index && (*kept)->meta.term == meta.term) image = &**kept;
    const auto found = complete_.find(meta.index.value);
    const bool received = image == nullptr && found != complete_.end();
    if (received) image = &found->second;
    if (image != nullptr && kept_ && image == &*kept_) ++world_.seen[Situation::snapshot_kept];
    if (image == nullptr || offset > image->bytes.size())
      return done(node::SnapshotChunkRead{request, meta.index, offset, {}, false, false});
    std::string part = image->bytes.substr(offset, max_bytes);
    if (received) misread(part, offset, image->meta.index);
    const bool last = offset + part.size() == image->bytes.size();
    done(node::SnapshotChunkRead{request, meta.index, offset, Bytes(part), last, true});
  });
}

}  // namespace wh::sim
