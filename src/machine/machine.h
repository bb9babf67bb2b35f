// The state machine: what the log means. The same entries give the same state, replies and digest on every machine and
// in every run (HAZARDS B15): no clock, no randomness, no order that depends on a hash. Owns the state and its running
// snapshots. Called by the node, on its thread, for each committed entry in turn.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/clock.h"
#include "machine/command/command.h"
#include "machine/command/reply.h"
#include "machine/effects.h"
#include "machine/queue/queue_ops.h"
#include "machine/snapshot/discarded.h"
#include "machine/snapshot/snapshot_writer.h"
#include "machine/state.h"
#include "machine/store/history.h"
#include "machine/store/store_ops.h"
#include "raft/types.h"

namespace wh::machine {

// The purpose of a snapshot.
enum class Walk : uint8_t { snapshot = 0, backup = 1 };

// The result of one command. The effects are valid until the next entry and as long as the command's bytes.
struct Applied {
  Reply reply;
  const Effects& effects;
};

class Machine : private QueueObserver, private StoreObserver {
 public:
  Machine() = default;
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  // Applies the entry at `index`, which must be applied() + 1: no entry counts twice (HAZARDS B16). Total: bytes that
  // are no command of the cluster's version are answered `invalid` and change only applied() and time_ms() (HAZARDS
  // B14).
  // The state shares a large event's or value's bytes with the command, and copies a small one's.
  Applied apply(raft::Index index, Millis time_ms, const Bytes& command);
  Applied apply(raft::Index index, Millis time_ms, std::string command) {
    return apply(index, time_ms, Bytes(std::move(command)));
  }
  // The same for entries that are not the machine's: no-ops and configurations.
  void advance(raft::Index index, Millis time_ms);
  // The same for an entry that raises the cluster's version; a version that is not higher changes nothing.
  void raise_version(raft::Index index, Millis time_ms, ClusterVersion version);

  [[nodiscard]] raft::Index applied() const { return state_.applied; }
  // The last stamp of the log: advances only while there is a leader, and never goes back.
  [[nodiscard]] Millis time_ms() const { return state_.time_ms; }
  // Cluster time at that stamp, in ms since 1970, and the difference of the two.
  [[nodiscard]] Millis cluster_time_ms() const { return state_.cluster_time_ms(); }
  [[nodiscard]] Millis jumped_ms() const { return state_.jumped_ms; }
  // The stamp at which the leader should propose a Due; kNever: nothing will fall due.
  [[nodiscard]] Millis next_deadline() const;
  [[nodiscard]] const Settings& settings() const { return state_.settings; }
  [[nodiscard]] const IdempotencyKeys& idempotency() const { return state_.idempotency; }
  // Answers forgotten early because of the settings' limits, since this process began to apply.
  [[nodiscard]] uint64_t idempotency_evicted() const { return idempotency_evicted_; }
  [[nodiscard]] ClusterVersion version() const { return state_.version; }
  [[nodiscard]] uint64_t digest() const { return state_.digest(); }
  [[nodiscard]] uint64_t logical_bytes() const { return state_.logical_bytes(); }

  // Reads. The pointers are valid until the next change; a copy of the Bytes stays valid.
  // An item whose time is over, and a lease that is over, are not there, though they may not be removed yet.
  [[nodiscard]] const Item* find(std::string_view key) const;
  // As answers have it.
  [[nodiscard]] KeyItem shown(std::string_view key, const Item& item) const;
  [[nodiscard]] const Bytes* get(std::string_view key) const {
    const Item* item = find(key);
    return item == nullptr ? nullptr : &item->value;
  }
  [[nodiscard]] bool exists(std::string_view key) const { return find(key) != nullptr; }
  [[nodiscard]] const Store& store() const { return state_.store; }
  [[nodiscard]] const Lease* find_lease(uint64_t id) const;
  // The last changes of keys on this node.
  [[nodiscard]] const History& history() const { return history_; }
  void limit_history(size_t bytes) { history_.set_limit(bytes); }
  [[nodiscard]] std::shared_ptr<const WatchedName> watch(const std::string& name, bool prefix) const {
    return history_.watch(name, prefix);
  }
  [[nodiscard]] uint64_t key_count() const { return state_.store.items().size(); }
  [[nodiscard]] const Event* front(std::string_view queue) const { return state_.queues.front(queue); }
  [[nodiscard]] const Queues& queues() const { return state_.queues; }
  [[nodiscard]] uint64_t queue_length(std::string_view queue) const { return state_.queues.length(queue); }
  [[nodiscard]] uint64_t queue_count() const { return state_.queues.by_name().size(); }
  [[nodiscard]] uint64_t event_count() const { return state_.queues.event_count(); }

  // By how much a command, applied now, would grow logical_bytes() at most; what it shrinks is not subtracted. For the
  // leader, before it proposes.
  [[nodiscard]] uint64_t growth(std::string_view command) const;
  // The reply to a command that asks for what is so already: applied now it would change nothing (HAZARDS Q29).
  // Nothing: it would, or it is of another kind.
  [[nodiscard]] std::optional<Reply> unchanged(const Body& body) const;
  // Whether a command, applied at `time_ms`, is the same request again, and so would change nothing.
  [[nodiscard]] bool is_repeat(std::string_view command, Millis time_ms) const;

  // A snapshot of the state as it is now, for compaction or for a backup; one of each at a time. Then call next_slice()
  // until it returns false; later entries have no part in it. See SnapshotWriter::next_slice.
  void begin_snapshot(Walk walk = Walk::snapshot);
  bool next_slice(size_t max_bytes, std::string& out, Walk walk = Walk::snapshot);
  void abandon_snapshot(Walk walk = Walk::snapshot) { walk_of(walk).reset(); }
  [[nodiscard]] bool snapshot_running(Walk walk = Walk::snapshot) const {
    return walks_[static_cast<size_t>(walk)].has_value();
  }
  // Bytes of old values that a running snapshot holds in memory; 0 when none runs. Each overwriting command adds to
  // them until a slice takes them.
  [[nodiscard]] size_t snapshot_kept_bytes(Walk walk = Walk::snapshot) const {
    const auto& writer = walks_[static_cast<size_t>(walk)];
    return writer ? writer->kept_bytes() : 0;
  }

  // Frees about `units` of what was purged, as Discarded::free_some. True: it may go on.
  bool free_purged(size_t units);

  // Brings up to so many keys of a loaded snapshot into the store's index. True: more are left.
  bool index_some(size_t keys) { return state_.store.index_some(keys); }

  // Replaces the state (by one of SnapshotLoader), abandons running snapshots, and returns the old state to be freed in
  // slices. O(1).
  Discarded replace(State state);

 private:
  friend class TransactionRun;
  std::optional<SnapshotWriter>& walk_of(Walk walk) { return walks_[static_cast<size_t>(walk)]; }
  // A part of command_'s bytes, for the state to keep.
  [[nodiscard]] Bytes kept(std::string_view part) const;
  void item_changed(std::string_view key, const Item& old) override;
  void before_lease_change(uint64_t id, const Lease& lease) override;
  void before_head_change(const Queue& queue) override;
  void before_event_change(const Queue& queue, const Event& event) override;
  void before_detach(const Queue& queue, const std::shared_ptr<QueueContent>& content) override;
  void before_unbind(std::string_view topic, std::string_view queue, const Binding& binding) override;
  void became_ready(std::string_view queue) override;
  void arrived(std::string_view queue) override;
  [[nodiscard]] Reply settings_reply(const PutSettings& put) const;
  [[nodiscard]] QueueMoment moment() const;
  [[nodiscard]] StoreMoment store_moment() const;
  [[nodiscard]] QueueOps::NewCopy copy_of(const NewEvent& event) const;
  [[nodiscard]] Result<std::vector<uint64_t>, Reply> known_ids(std::string_view scope,
                                                               const std::vector<NewEvent>& events,
                                                               std::vector<size_t>& same_as) const;
  [[nodiscard]] std::vector<Delivery> still_held(std::string_view queue, const std::vector<uint64_t>& ids,
                                                 raft::Index delivery) const;
  void discard(std::shared_ptr<QueueContent> content);
  [[nodiscard]] Millis window_of(std::string_view scope) const;
  void forget(const IdempotencyKeys::Item& item);
  void remember(std::string_view scope, const IdempotencyKey& key, const Reply& reply, bool whole);
  // The same, unless an answer is kept already.
  void remember_once(std::string_view scope, const IdempotencyKey& key, const Reply& reply);
  // store/apply.cc, queue/apply.cc, dedup/apply.cc, machine.cc
  Reply run(const Command& command);
  Reply run(const Set& set);
  Reply run(const Delete& del);
  Reply run(const Enqueue& enqueue);
  Reply run(const Dequeue& dequeue);
  Reply run(const Due& due);
  Reply run(const AdvanceTime& advance);
  Reply run(const PutSettings& put);
  Reply run(const PutEvents& put);
  Reply run(const Publish& publish);
  Reply run(const Receive& receive);
  Reply run(const Settle& settle);
  Reply run(const ConfigureQueue& configure);
  Reply run(const DeleteQueue& del);
  Reply run(const PauseQueue& pause);
  Reply run(const PurgeQueue& purge);
  Reply run(const Redrive& redrive);
  Reply run(const Bind& bind);
  Reply run(const Unbind& unbind);
  Reply run(const RemoveEvents& remove);
  Reply run(const Transact& transact);
  Reply run(const GrantLease& grant);
  Reply run(const KeepLease& keep);
  Reply run(const RevokeLease& revoke);
  [[nodiscard]] uint64_t growth_by(const Set& set) const;
  [[nodiscard]] uint64_t growth_by(const Enqueue& enqueue) const;
  [[nodiscard]] uint64_t growth_by(const PutEvents& put) const;
  [[nodiscard]] uint64_t growth_by(const Publish& publish) const;
  [[nodiscard]] uint64_t growth_by(const ConfigureQueue& configure) const;
  [[nodiscard]] uint64_t growth_by(const Bind& bind) const;
  [[nodiscard]] uint64_t growth_by(const Transact& transact) const;
  [[nodiscard]] uint64_t growth_by(const GrantLease& grant) const;
  // What a key with so many bytes would take more than it does.
  [[nodiscard]] uint64_t growth_of(std::string_view key, uint64_t bytes) const;
  template <typename Body>
  [[nodiscard]] uint64_t growth_by(const Body& /*body*/) const {
    static_assert(!Body::kTraits.adds_data, "a command that adds data says how much");
    return 0;
  }

  State state_;
  Bytes command_;  // that is applied, or was last: the effects point into it
  Effects effects_;
  mutable History history_;  // not part of the state
  uint64_t idempotency_evicted_ = 0;
  size_t evictions_ = 0;  // answers that the entry evicted_at_ evicted
  raft::Index evicted_at_;
  std::array<std::optional<SnapshotWriter>, 2> walks_;
  std::vector<std::shared_ptr<QueueContent>> purged_;
};

}  // namespace wh::machine
