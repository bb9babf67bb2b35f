// The turn of a node and the order of effects within it: messages that depend on nothing unsynced are sent first, then
// the batch goes to the disk, then committed entries are applied and answered. Messages that depend on the batch are
// sent once it is on the disk.
#include "node/node.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/log.h"
#include "base/mutant.h"
#include "base/overloaded.h"

namespace wh::node {
namespace {

// How many items of a replaced state are freed in one turn, at most.
constexpr size_t kDiscardPerTurn = 2'000;
// How many keys of a loaded snapshot are indexed in one turn, at most.
constexpr size_t kIndexPerTurn = 1'000;
// Bytes of entries that the core loads from the disk at a time to send: commits wait meanwhile, and one turn sends
// them.
constexpr uint64_t kMaxLoadBytes = 512 << 10;
// And to apply: a node that was away has much to read.
constexpr uint64_t kMaxAppliedLoadBytes = 4 << 20;

// More entries would still be there when the next snapshot is due.
uint64_t trailing_entries(const NodeOptions& options) {
  return std::min(options.trailing_entries, options.snapshot_entries / 2);
}

}  // namespace

Node::Node(NodeOptions options, RecoveredNode recovered, Storage& storage, Transport& transport, Millis now)
    : ctx_(std::move(options), recovered, storage, transport),
      waits_(ctx_.options.max_waiting),
      founding_(ctx_, recovered) {
  ctx_.machine.limit_history(ctx_.options.watch_history_bytes);
  ctx_.announce();
  if (ctx_.cluster == kNoCluster) {
    founding_.begin();
  } else if (recovered.raft.snapshot) {
    recovered_ = std::move(recovered.raft);
    snapshots_.begin_loading(*recovered_->snapshot, true);
  } else {
    start_raft(std::move(recovered.raft), now);
  }
  ctx_.wants_turn = true;
}

void Node::start_raft(raft::Recovered recovered, Millis now) {
  const NodeOptions& given = ctx_.options;
  raft::Options options{.self = ctx_.instance,
                        .heartbeat_interval_ms = given.heartbeat_interval_ms,
                        .election_timeout_ms = given.election_timeout_ms,
                        .max_append_bytes = given.max_append_bytes,
                        .max_in_flight_messages = given.max_in_flight_messages,
                        .max_in_flight_bytes = given.max_in_flight_bytes,
                        .max_uncommitted_bytes = given.max_uncommitted_bytes,
                        .log_cache_bytes = given.log_cache_bytes,
                        .log_cache_ms = given.log_cache_ms,
                        .trailing_entries = trailing_entries(given),
                        .held_log_bytes = given.snapshot_bytes,
                        .max_chunk_bytes = given.max_chunk_bytes,
                        .snapshot_rate = given.snapshot_rate};
  snapshots_.begin_behind(recovered.snapshot);
  ctx_.raft.emplace(options, std::move(recovered), ctx_.prng.next(), now);
  peers_.configuration_changed();
  ctx_.wants_turn = true;
}

// --- clients

void Node::submit_write(Token token, std::string command, bool may_forward, Millis now) {
  writes_.submit(token, std::move(command), may_forward, full(), now);
}

void Node::submit_read(Token token, Millis now, ReadTerms terms) { reads_.submit(token, terms, full(), now); }

void Node::cancel(Token token) {
  if (waiting_.cancel(token)) return;
  ++ctx_.counters.calls_cancelled;
  reads_.cancel(token);
  ctx_.wants_turn = true;
}

void Node::begin_shutdown(Millis now) {
  if (ctx_.answer_by) return;
  ending_.begin(now);
  waits_.stop();
  writes_.bring_deadlines_forward(*ctx_.answer_by);
  reads_.bring_deadlines_forward(*ctx_.answer_by);
  receives_.stop(now);
  receives_.bring_deadlines_forward(*ctx_.answer_by);
  membership_.bring_deadlines_forward(*ctx_.answer_by);
}

bool Node::quiet() const {
  return pending() == 0 && waits_.size() == 0 && held_.empty() && !(ctx_.raft && ctx_.raft->transferring()) &&
         !founding_.answer_due() && !ctx_.beginning && ending_.handed_over();
}

// --- what arrives

void Node::receive(raft::NodeId from, PeerMessage message, Millis now) {
  ctx_.wants_turn = true;
  peers_.heard(from, now);
  if (versions_.above_ours(from, message, now)) return;
  time_.note(from, message, now);
  peers_.prepare_to_answer(from);
  std::visit(Overloaded{
                 [&](Forward& m) { writes_.on_forward(from, m, full(), now); },
                 [&](ForwardReply& m) {
                   if (!receives_.on_reply(from, m, now)) writes_.on_forward_reply(from, m, now);
                 },
                 [&](ForwardReceive& m) { receives_.on_forward(from, m, full(), now); },
                 [&](CancelReceive& m) { receives_.on_cancel(from, m, now); },
                 [&](MembersSeen& m) { overview_.on_told(from, m, now); },
                 [&](ForwardAdmin& m) { membership_.on_forward(from, m, now); },
                 [&](ForwardAdminReply& m) { membership_.on_forward_reply(from, m, now); },
                 [&](raft::AppendEntries& m) {
                   const Reads::Heard heard{.term = m.term, .committed = m.leader_commit, .sent_at = m.sent_at};
                   if (ctx_.raft) ctx_.raft->step(now, raft::Receive{from, std::move(m)});
                   reads_.heard_leader(from, heard, now);
                 },
                 [&](raft::InstallSnapshot& m) {
                   const Reads::Heard heard{.term = m.term};
                   if (ctx_.raft) ctx_.raft->step(now, raft::Receive{from, std::move(m)});
                   reads_.heard_leader(from, heard, now);
                 },
                 [&](auto& m) {
                   if (ctx_.raft) ctx_.raft->step(now, raft::Receive{from, std::move(m)});
                 },
             },
             message);
}

void Node::peer_connected(raft::NodeId id, Millis now) {
  ctx_.wants_turn = true;
  peers_.connected(id);
  receives_.peer_connected(id, now);
  if (ctx_.raft) ctx_.raft->step(now, raft::PeerConnected{id});
}

void Node::peer_lost(raft::NodeId id, Millis now) {
  ctx_.wants_turn = true;
  peers_.lost(id);
  writes_.peer_lost(id);
  receives_.peer_lost(id, now);
  if (ctx_.raft) ctx_.raft->step(now, raft::PeerLost{id});
}

void Node::peer_refused(raft::NodeId id, const std::string& why, const WhoIAm& theirs, Millis now) {
  addresses_.peer_refused(id, theirs);
  membership_.peer_refused(id, why, theirs, now);
}

void Node::asked(uint64_t question_id, Ask question, Millis now) {
  ctx_.wants_turn = true;
  std::visit(Overloaded{
                 [&](const WhoAreYou& who) {
                   WhoIAm answer{.identity = ctx_.identity(), .standing = ctx_.standing()};
                   founding_.describe(who, answer);
                   if (const raft::Member* member = ctx_.leader())
                     answer.leader_address = peers_.addresses_of(*member).raft_address;
                   ctx_.transport.answer(question_id, std::move(answer));
                 },
                 [&](const GrantFounding& grant) { founding_.answer_grant(question_id, grant, now); },
                 [&](const TakeMeIn& take) { membership_.answer_take_me_in(question_id, take, now); },
                 [&](const Adopt& adopt) {
                   if (founding_.answer_adopt(question_id, adopt)) leave_log();
                 },
             },
             question);
}

void Node::answered(uint64_t request, const Result<Answer>& answer, Millis now) {
  ctx_.wants_turn = true;
  if (old_disk_.answered(request, answer, now) || addresses_.answered(request, answer) ||
      membership_.answered(request, answer, now))
    return;
  founding_.answered(request, answer, now);
}

void Node::resolved(uint64_t request, const Result<std::vector<std::string>>& addresses, Millis now) {
  ctx_.wants_turn = true;
  if (!addresses_.resolved(request, addresses)) founding_.resolved(request, addresses, now);
}

void Node::storage_done(StorageDone done, Millis now) {
  ctx_.wants_turn = true;
  std::visit(Overloaded{
                 [&](BatchPersisted& d) {
                   ++ctx_.counters.batches_persisted;
                   if (!ctx_.raft) return;  // the batch belongs to the log before an adoption
                   release_held(d.ticket);
                   ctx_.raft->step(now, raft::Persisted{d.ticket});
                 },
                 [&](BeginningPersisted&) { beginning_persisted(now); },
                 [&](GrantPersisted&) { founding_.grant_persisted(); },
                 [&](EntriesRead& d) {
                   if (ctx_.raft) ctx_.raft->step(now, raft::EntriesLoaded{std::move(d.entries), d.first});
                 },
                 [&](SnapshotChunkRead& d) { snapshots_.chunk_read(d, now); },
                 [&](SnapshotSliceWritten&) { snapshots_.slice_written(); },
                 [&](SnapshotSaved& d) { snapshots_.saved(d.meta, now); },
                 [&](SnapshotFailed& d) { snapshots_.failed(d, now); },
                 [&](IncomingChunkWritten& d) { snapshots_.chunk_written(d, now); },
                 [&](DiskSpace& d) { room_.measured(d); },
             },
             done);
}

// This node is taken into another cluster: its log, and everything begun with it, is dropped.
void Node::leave_log() {
  ctx_.raft.reset();
  drop_unapplied();
  snapshots_.abandon();
  held_.clear();
  reads_.ask_anew();
}

void Node::beginning_persisted(Millis now) {
  peers_.forget_strangers();
  start_raft(founding_.beginning_persisted(), now);
  founding_.started();
}

void Node::tick(Millis now) {
  ctx_.wants_turn = true;
  if (ctx_.raft) ctx_.raft->step(now, raft::Tick{});
}

// --- the turn

void Node::drain(Millis now, bool all_read) {
  const Millis before = std::exchange(ctx_.turn_at, now);
  if (!ctx_.transport.left_some(ctx_.raft ? ctx_.raft->leader_id() : raft::kNobody)) ctx_.turn_before = before;
  all_read_ = all_read;
  ctx_.budget.begin();
  ctx_.wants_turn = false;
  reads_.forget_cancelled();
  founding_.seek(now);
  // Before the reads: a snapshot must not be installed between taking a read's index and answering it.
  load_snapshot(now);
  if (ctx_.raft) {
    watch_disk(now);
    if (room_watch_.watch(now)) snapshots_.try_again();
    old_disk_.pump(now);
    ending_.pump(now);
    membership_.pump(now);
    versions_.watch(now);
    time_.watch(writes_.some_wait(), now);
    writes_.pump(now);
    receives_.pump(now);
    reads_.pump(now);
    run_raft(now);
    receives_.confirmed(reads_.take_internal(), now);
    versions_.watch_refused();
    if (peers_.watch_removal()) {
      writes_.refuse_all();
      reads_.refuse_all();
      membership_.refuse_all();
      ctx_.wants_turn = true;
    }
    tolerance_.watch(now);
    overview_.watch(now);
    addresses_.refresh(now);
    snapshots_.maybe_take(now);
    snapshots_.write_slice(now);
  }
  if (ctx_.announced_is_stale()) ctx_.announce();
  waiting_.pump(now);
  expire(now);
  do_upkeep();
  update_deadline(now);
}

void Node::load_snapshot(Millis now) {
  switch (snapshots_.load_more(now)) {
    case Snapshots::Loaded::no:
      return;
    case Snapshots::Loaded::at_start:
      return start_raft(std::move(*std::exchange(recovered_, std::nullopt)), now);
    case Snapshots::Loaded::received:
      // At once, before another snapshot can replace this one.
      run_raft(now);
      return snapshots_.drop_loaded();
  }
}

void Node::run_raft(Millis now) {
  raft::Output output = ctx_.raft->take_output(now, all_read_);
  const Millis deadline = output.next_deadline;
  if (output.more) ctx_.wants_turn = true;
  carry_out(std::move(output), now);
  reads_.watch_own_lead(now);
  next_deadline_ = deadline;
}

void Node::carry_out(raft::Output output, Millis now) {
  if (output.acknowledged_lost) old_disk_.look_into(*output.acknowledged_lost, true, now);
  if (output.acknowledged_missing) old_disk_.look_into(*output.acknowledged_missing, false, now);
  for (const raft::Violation& violation : output.violations) violated(violation.from, violation.what, now);
  for (const raft::Proposed& result : output.proposals) proposed(result, now);
  for (raft::Outbound& message : output.send_now)
    std::visit([&](auto& body) { send(message.to, std::move(body)); }, message.body);
  for (raft::HeldOutbound& held : output.send_after_persist)
    std::visit(
        [&](auto& body) {
          held_.push_back({held.ticket, held.outbound.to, std::move(body)});
        },
        held.outbound.body);
  persist(output);
  snapshots_.keep_sent(now);
  for (const raft::ChunkWanted& wanted : output.chunks_wanted) snapshots_.send_chunk(wanted);
  for (raft::ChunkReceived& chunk : output.chunks_received)
    ctx_.storage.write_incoming_chunk(chunk.meta, chunk.offset, std::move(chunk.data), chunk.done);
  const bool behind = !unapplied_.empty();
  for (raft::Entry& entry : output.committed) {
    unapplied_bytes_ += raft::cost(entry);
    unapplied_.push_back(std::move(entry));
  }
  apply_some(behind);
  if (output.load)
    ctx_.storage.load_entries(output.load->first, output.load->last,
                              output.load->to_apply ? kMaxAppliedLoadBytes : kMaxLoadBytes);
  if (output.compact) ctx_.storage.compact(*output.compact);
  for (const raft::ReadReady& ready : output.reads) reads_.ready(ready, now);
  reads_.serve();
  for (const raft::TransferDone& transfer : output.transfers) {
    ending_.transferred(transfer);
    membership_.transferred(transfer);
  }
  peers_.follow_configuration();
  follow_leader();
}

// Each part that proposes knows its own proposals by their numbers.
void Node::proposed(const raft::Proposed& result, Millis now) {
  if (versions_.proposed(result) || time_.proposed(result, now) || writes_.proposed(result) ||
      receives_.proposed(result, now))
    return;
  membership_.proposed(result, now);
}

void Node::persist(raft::Output& output) {
  const bool installs = output.install.has_value();
  if (installs) {
    drop_unapplied();
    snapshots_.install(*output.install);
    writes_.replaced_by_snapshot(output.install->meta.index);
    receives_.replaced_by_snapshot(output.install->meta.index, ctx_.turn_at);
    room_.applied(output.install->meta.index);
    // Nobody was told what happened meanwhile.
    waits_.wake_all(Topic::Kind::front);
    waits_.wake_all(Topic::Kind::arrivals);
    waits_.wake_all(Topic::Kind::key);
    waits_.wake_all(Topic::Kind::prefix);
  }
  for (const raft::Entry& entry : output.append) ctx_.saw_command |= entry.kind == raft::EntryKind::command;
  if (output.persist_ticket == 0) return;
  ctx_.storage.persist({.ticket = output.persist_ticket,
                        .hard_state = output.hard_state,
                        .install = std::move(output.install),
                        .append = std::move(output.append),
                        .version = installs ? ctx_.machine.version() : 0});
}

void Node::follow_leader() {
  if (ctx_.raft->leader_id() == last_leader_) return;
  last_leader_ = ctx_.raft->leader_id();
  time_.leader_changed();
  ++ctx_.counters.leader_changes;
  waits_.leader_changed();
  reads_.leader_changed();
  receives_.leader_changed(ctx_.turn_at);
  ctx_.wants_turn = true;
  if (const raft::Member* member = leader(); member != nullptr && last_leader_ != ctx_.instance)
    logf(LogLevel::notice, "following %s in term %lu", member->name.c_str(), ctx_.raft->current_term().value);
}

// A short command may copy and hash a large value, and many short ones add up, so that the log's size alone does not
// bound a turn. `behind`: the turn before left some.
void Node::apply_some(bool behind) {
  constexpr Applying kBetweenLooks{.bytes = 64 << 10, .steps = 8};  // at the clock
  const uint64_t most_bytes = ctx_.options.apply_bytes_per_turn;
  const uint64_t most_steps = ctx_.options.apply_steps_per_turn;
  ctx_.budget.begin_part(behind ? 1 : 4);
  Applying done;
  Applying look_at = kBetweenLooks;
  for (bool more = true; more && !unapplied_.empty(); unapplied_.pop_front()) {
    unapplied_bytes_ -= raft::cost(unapplied_.front());
    const Applying one = apply(unapplied_.front());
    done.bytes += one.bytes;
    done.steps += one.steps;
    more = done.bytes < most_bytes && done.steps < most_steps;
    if (done.steps < look_at.steps && done.bytes < look_at.bytes) continue;
    look_at = {.bytes = done.bytes + kBetweenLooks.bytes, .steps = done.steps + kBetweenLooks.steps};
    if (ctx_.budget.spent()) more = false;
  }
  const bool enough = unapplied_.size() >= most_steps || unapplied_bytes_ >= most_bytes / 8;
  const bool was_held = std::exchange(holds_committed_, enough && !unapplied_.empty());
  ctx_.raft->hold_committed(holds_committed_);
  // What was committed while the core was held comes in the next turn, and no event need bring that.
  if (!unapplied_.empty() || was_held) ctx_.wants_turn = true;
}

Node::Applying Node::apply(raft::Entry& entry) {
  ++ctx_.counters.entries_applied;
  Applying work{.bytes = raft::cost(entry), .steps = 1};
  snapshots_.applied(work.bytes);
  room_.applied(entry.index);
  machine::Reply reply;
  if (entry.kind == raft::EntryKind::command) {
    const Millis time = WH_MUTANT(time_of_the_apply) ? ctx_.turn_at : entry.time_ms;
    machine::Applied applied = ctx_.machine.apply(entry.index, time, entry.payload);
    reply = std::move(applied.reply);
    work.bytes += applied.effects.made_bytes;
    work.steps += applied.effects.changed_keys.size() + applied.effects.arrived_queues.size();
    waiting_.wake(applied.effects);
    writes_.forwarded_applied(entry, reply);
  } else if (entry.kind == raft::EntryKind::version) {
    versions_.applied(entry);
  } else {
    ctx_.machine.advance(entry.index, entry.time_ms);
  }
  time_.applied(entry.index);
  membership_.applied(entry);
  receives_.applied(entry, reply, ctx_.turn_at);
  writes_.applied(entry, std::move(reply));
  return work;
}

void Node::drop_unapplied() {
  unapplied_.clear();
  unapplied_bytes_ = 0;
}

void Node::release_held(uint64_t ticket) {
  while (!held_.empty() && held_.front().ticket <= ticket) {
    send(held_.front().to, std::move(held_.front().message));
    held_.pop_front();
  }
}

// Every answer to AppendEntries carries this node's wall clock (cluster_time.h).
bool Node::send(raft::NodeId to, PeerMessage message) {
  if (auto* reply = std::get_if<raft::AppendEntriesReply>(&message)) reply->clock_ms = time_.wall_ms(ctx_.turn_at);
  return ctx_.transport.send(to, std::move(message));
}

// While a sync takes longer than an election timeout, the node must neither lead nor try to (HAZARDS C9: a leader whose
// disk stalls keeps heartbeating).
void Node::watch_disk(Millis now) {
  const bool stalled = ctx_.storage.sync_age() > ctx_.options.election_timeout_ms;
  if (stalled == disk_stalled_ || WH_MUTANT(stalled_disk_unnoticed)) return;
  disk_stalled_ = stalled;
  ctx_.raft->step(now, raft::DiskStalled{stalled});
}

void Node::expire(Millis now) {
  if (!ctx_.raft) membership_.expire(now);
  writes_.expire(now);
  reads_.expire(now);
  receives_.expire(now);
}

void Node::do_upkeep() {
  constexpr uint64_t kShare = 8;  // of the turn's time, for each of the three
  TurnBudget& budget = ctx_.budget;
  budget.begin_part(kShare);
  if (budget.use(kDiscardPerTurn, [&](size_t units) { return ctx_.machine.free_purged(units); }))
    ctx_.wants_turn = true;
  budget.begin_part(kShare);
  if (budget.use(kIndexPerTurn, [&](size_t keys) { return ctx_.machine.index_some(keys); })) ctx_.wants_turn = true;
  if (ctx_.discarded.empty()) return;
  budget.begin_part(kShare);
  if (budget.use(kDiscardPerTurn, [&](size_t units) { return ctx_.discarded.back().free_some(units); })) {
    ctx_.wants_turn = true;
  } else {
    ctx_.discarded.pop_back();
    if (!ctx_.discarded.empty()) ctx_.wants_turn = true;
  }
}

// The earliest of the core's deadline and those of the parts. What is in progress needs none: its answer or its
// time-out wakes the node.
void Node::update_deadline(Millis now) {
  next_deadline_ = ctx_.raft ? std::min(next_deadline_, ctx_.raft->cache_trim_at()) : kNever;
  next_deadline_ = std::min({next_deadline_, writes_.next_deadline(), reads_.next_deadline(), receives_.next_deadline(),
                             waits_.next_deadline(), membership_.next_deadline(now), founding_.next_deadline(),
                             ending_.next_deadline(), old_disk_.next_deadline(), snapshots_.next_deadline(),
                             time_.next_deadline(now)});
  if (disk_stalled_) next_deadline_ = std::min(next_deadline_, now + ctx_.options.heartbeat_interval_ms);
}

// --- looking

bool Node::ready(std::string* why) const {
  const auto no = [&](std::string reason) {
    if (why != nullptr) *why = std::move(reason);
    return false;
  };
  if (ctx_.answer_by) return no("this node is shutting down");
  if (ctx_.cluster == kNoCluster)
    return no(ctx_.waiting_for.empty() ? "this node is in no cluster yet" : ctx_.waiting_for);
  if (!ctx_.raft) return no("this node is loading its snapshot");
  if (ctx_.removed) return no(ctx_.removed_sentence());
  if (std::string above = versions_.above_ours_text(); !above.empty()) return no(std::move(above));
  if (ctx_.raft->configuration().empty()) return no("this node waits for its cluster's leader");
  if (!ctx_.raft->leader_id()) return no("no leader is known");
  if (ctx_.leads() && !ctx_.raft->leads_for_certain())
    return no("this node leads, but no entry of its term is committed yet");
  if (versions_.rising()) return no("the cluster's version is about to rise");
  return true;
}

void Node::set_snapshot_limits(uint64_t entries, uint64_t bytes, uint64_t rate) {
  ctx_.options.snapshot_entries = entries;
  ctx_.options.snapshot_bytes = bytes;
  ctx_.options.snapshot_rate = rate;
  if (ctx_.raft) ctx_.raft->set_snapshot_limits(rate, bytes, trailing_entries(ctx_.options));
}

void Node::set_max_uncommitted(uint64_t bytes) {
  ctx_.options.max_uncommitted_bytes = bytes;
  if (ctx_.raft) ctx_.raft->set_max_uncommitted(bytes);
}

void Node::set_room(uint64_t maxmemory_bytes, uint64_t min_free_bytes) {
  room_.set_limits(maxmemory_bytes, min_free_bytes);
  ctx_.wants_turn = true;
}

}  // namespace wh::node
