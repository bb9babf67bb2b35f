// The turn of a node and the order of effects within it: messages that depend on nothing unsynced leave first, then the
// batch goes to the disk, then committed entries are applied and answered; what depends on the batch leaves when it is
// on the disk.
#include "node/node.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/log.h"
#include "base/mutant.h"
#include "base/overloaded.h"
#include "node/seeking.h"

namespace wh::node {
namespace {

// How many items of a replaced state are freed in one turn.
constexpr size_t kDiscardPerTurn = 2'000;

// Nodes outside its configuration that a node answers.
constexpr size_t kMaxStrangers = 16;

// More would outlast the next snapshot.
uint64_t trailing_entries(const NodeOptions& options) {
  return std::min(options.trailing_entries, options.snapshot_entries / 2);
}

}  // namespace

std::string to_hex(const ClusterId& id) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (const uint8_t byte : id) {
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  }
  return out;
}

Node::Node(NodeOptions options, RecoveredNode recovered, Storage& storage, Transport& transport, Millis now)
    : options_(std::move(options)),
      storage_(storage),
      transport_(transport),
      prng_(options_.seed),
      cluster_(recovered.cluster),
      instance_(recovered.instance),
      epoch_(recovered.epoch),
      saw_command_(recovered.saw_command),
      saw_others_(recovered.saw_others),
      waits_(options_.max_waiting),
      room_(options_.maxmemory_bytes, options_.min_free_disk_bytes),
      granted_to_(recovered.granted_to),
      granted_attempt_(recovered.granted_attempt),
      granted_address_(std::move(recovered.granted_address)) {
  // One given to itself was for an attempt of an earlier process life, which is over.
  if (granted_to_ == instance_) granted_to_ = raft::kNobody;
  announce();
  if (cluster_ == kNoCluster) {
    // A node that granted the founding to another, or met a member of a cluster, keeps to that though nobody tells it
    // now.
    if (options_.join.empty() && !granted_to_) {
      found(now);
    } else {
      seeking_ =
          std::make_unique<Seeking>(options_.join, options_.own, options_.bootstrap_expect, instance_, options_.name);
    }
  } else if (recovered.raft.snapshot) {
    recovered_ = std::move(recovered.raft);
    begin_loading(*recovered_->snapshot, true);
  } else {
    start_raft(std::move(recovered.raft), now);
  }
  wants_turn_ = true;
}

Node::~Node() = default;

Identity Node::identity() const {
  return {.cluster = cluster_,
          .instance = instance_,
          .name = options_.name,
          .raft_address = options_.raft_address,
          .http_address = options_.http_address,
          .https_address = options_.https_address,
          .versions = versions()};
}

Standing Node::standing() const {
  if (cluster_ == kNoCluster) return Standing::seeking;
  if (beginning_) return Standing::absorbable;  // it is being absorbed
  // Alone, and never anything else; an adopted node that has not heard from its leader yet has no configuration at all.
  const bool alone =
      raft_ && raft_->configuration().members().size() == 1 && raft_->configuration().contains(instance_);
  if (WH_MUTANT(removed_starts_anew) && removed_) return Standing::absorbable;
  return alone && !saw_command_ && !saw_others_ ? Standing::absorbable : Standing::member;
}

void Node::announce() {
  announced_standing_ = standing();
  transport_.set_identity(identity(), announced_standing_);
}

void Node::start_raft(raft::Recovered recovered, Millis now) {
  raft::Options options{.self = instance_,
                        .heartbeat_interval_ms = options_.heartbeat_interval_ms,
                        .election_timeout_ms = options_.election_timeout_ms,
                        .max_append_bytes = options_.max_append_bytes,
                        .max_in_flight_messages = options_.max_in_flight_messages,
                        .max_in_flight_bytes = options_.max_in_flight_bytes,
                        .max_uncommitted_bytes = options_.max_uncommitted_bytes,
                        .log_cache_bytes = options_.log_cache_bytes,
                        .trailing_entries = trailing_entries(options_),
                        .held_log_bytes = options_.snapshot_bytes,
                        .max_chunk_bytes = options_.max_chunk_bytes,
                        .snapshot_rate = options_.snapshot_rate};
  last_snapshot_index_ = recovered.snapshot ? recovered.snapshot->index : raft::Index{};
  configuration_seen_ = {};
  raft_.emplace(options, std::move(recovered), prng_.next(), now);
  configuration_changed();
  wants_turn_ = true;
}

// --- what arrives

void Node::receive(raft::NodeId from, PeerMessage message, Millis now) {
  wants_turn_ = true;
  heard_[from] = now;
  gone_.erase(from);
  if (above_our_version(from, message, now)) return;
  note_clock(from, message, now);
  if (raft_ && !raft_->configuration().contains(from) && !strangers_.contains(from))
    if (const auto it = announced_.find(from); it != announced_.end()) dial_stranger(from, Identity(it->second));
  std::visit(Overloaded{
                 [&](Forward& m) { on_forward(from, m, now); },
                 [&](ForwardReply& m) { on_forward_reply(from, m, now); },
                 [&](ForwardAdmin& m) { on_forward_admin(from, m, now); },
                 [&](ForwardAdminReply& m) { on_forward_admin_reply(from, m, now); },
                 [&](raft::AppendEntries& m) {
                   const auto [term, committed] = std::pair(m.term, m.leader_commit);
                   if (raft_) raft_->step(now, raft::Receive{from, std::move(m)});
                   heard_leader(from, term, committed, now);
                 },
                 [&](raft::InstallSnapshot& m) {
                   const raft::Term term = m.term;
                   if (raft_) raft_->step(now, raft::Receive{from, std::move(m)});
                   heard_leader(from, term, std::nullopt, now);
                 },
                 [&](auto& m) {
                   if (raft_) raft_->step(now, raft::Receive{from, std::move(m)});
                 },
             },
             message);
}

std::string Node::name_of(raft::NodeId id) const {
  if (const raft::Member* member = raft_ ? raft_->configuration().find(id) : nullptr) return member->name;
  const auto met = announced_.find(id);
  return met != announced_.end() ? met->second.name : "a node that is no member";
}

void Node::violated(raft::NodeId from, const std::string& what, Millis now) {
  ++counters_.violations;
  transport_.cut_off(from);
  if (!violation_log_.allow(now)) return;
  logf(LogLevel::warning,
       "%s (instance %016lx) sent what no correct member can send: %s. Nothing of it was done, and its connection was "
       "closed (%lu more of any member since the last such line)",
       name_of(from).c_str(), from.value, what.c_str(), violation_log_.suppressed());
}

void Node::peer_connected(raft::NodeId id, Millis now) {
  wants_turn_ = true;
  gone_.erase(id);
  if (raft_) raft_->step(now, raft::PeerConnected{id});
}

void Node::peer_lost(raft::NodeId id, Millis now) {
  wants_turn_ = true;
  if (raft_ && raft_->configuration().contains(id)) gone_.insert(id);
  for (auto& [sequence, write] : forwarded_) write.lost |= write.to == id;
  if (raft_) raft_->step(now, raft::PeerLost{id});
}

void Node::peer_identity(raft::NodeId id, const Identity& identity) {
  if (const auto it = announced_.find(id); it != announced_.end() && it->second == identity) return;
  announced_[id] = identity;
  if (raft_ && raft_->configuration().contains(id)) return configuration_changed();
  dial_stranger(id, identity);
}

// A leader or candidate may be in no configuration that this node holds (yet), as it was just adopted, or was away: to
// answer it, it is dialled all the same.
void Node::dial_stranger(raft::NodeId id, const Identity& identity) {
  remember_stranger({id, identity.name, identity.raft_address});
  if (raft_) configuration_changed();
}

void Node::remember_stranger(Peer peer) {
  if (strangers_.size() >= kMaxStrangers && !strangers_.contains(peer.id)) strangers_.erase(strangers_.begin());
  strangers_[peer.id] = std::move(peer);
}

void Node::storage_done(StorageDone done, Millis now) {
  wants_turn_ = true;
  std::visit(Overloaded{
                 [&](BatchPersisted& d) {
                   ++counters_.batches_persisted;
                   if (!raft_) return;  // of the log before an adoption
                   release_held(d.ticket);
                   raft_->step(now, raft::Persisted{d.ticket});
                 },
                 [&](BeginningPersisted&) { beginning_persisted(now); },
                 [&](GrantPersisted&) { grant_persisted(); },
                 [&](EntriesRead& d) {
                   if (raft_) raft_->step(now, raft::EntriesLoaded{std::move(d.entries), d.first});
                 },
                 [&](SnapshotChunkRead& d) { chunk_read(d, now); },
                 [&](SnapshotSliceWritten&) {
                   if (taking_) taking_->slice_in_flight = false;
                 },
                 [&](SnapshotSaved& d) { snapshot_saved(d.meta, now); },
                 [&](SnapshotFailed& d) { snapshot_failed(d, now); },
                 [&](IncomingChunkWritten& d) { chunk_written(d, now); },
                 [&](DiskSpace& d) { room_.measured(d); },
             },
             done);
}

void Node::tick(Millis now) {
  wants_turn_ = true;
  if (raft_) raft_->step(now, raft::Tick{});
}

// --- the turn

void Node::drain(Millis now) {
  turn_at_ = now;
  wants_turn_ = false;
  if (!cancelled_reads_.empty()) drop_cancelled();
  if (seeking_) seek(now);
  // Before the reads: an installed snapshot must not come between a read's index and its answer.
  load_more(now);
  if (raft_) {
    watch_disk(now);
    watch_room(now);
    pump_loss(now);
    pump_handover(now);
    pump_admin(now);
    watch_version(now);
    watch_time(now);
    pump_writes(now);
    pump_reads(now);
    run_raft(now);
    watch_refused_version();
    watch_removal();
    watch_tolerance(now);
    refresh_addresses(now);
    maybe_take_snapshot(now);
    write_slice();
  }
  if (standing() != announced_standing_) announce();
  if (waits_.size() != 0 || waits_.has_woken()) pump_waits(now);
  expire_requests(now);
  if (discarded_) {
    if (discarded_->free_some(kDiscardPerTurn)) {
      wants_turn_ = true;
    } else {
      discarded_.reset();
    }
  }
  update_deadline(now);
}

void Node::run_raft(Millis now) {
  raft::Output output = raft_->take_output(now);
  const Millis deadline = output.next_deadline;
  if (output.more) wants_turn_ = true;
  carry_out(std::move(output), now);
  if (raft_->leads_for_certain()) contact_.leads(now);
  next_deadline_ = deadline;
}

void Node::carry_out(raft::Output output, Millis now) {
  if (output.acknowledged_lost) look_into_loss(*output.acknowledged_lost, true, now);
  if (output.acknowledged_missing) look_into_loss(*output.acknowledged_missing, false, now);
  for (const raft::Violation& violation : output.violations) violated(violation.from, violation.what, now);
  for (const raft::Proposed& result : output.proposals) {
    if (result.token == raising_ && raising_ != 0) {
      version_proposed(result);
    } else if (own_proposed(result, now)) {
      // Nobody waits for it.
    } else if (proposing_.contains(result.token)) {
      proposed(result);
    } else {
      admin_proposed(result, now);
    }
  }
  for (raft::Outbound& message : output.send_now)
    std::visit([&](auto& body) { send(message.to, std::move(body)); }, message.body);
  for (raft::HeldOutbound& held : output.send_after_persist)
    std::visit(
        [&](auto& body) {
          held_.push_back({held.ticket, held.outbound.to, std::move(body)});
        },
        held.outbound.body);
  const bool installs = output.install.has_value();
  if (installs) install_loaded(*output.install);
  for (const raft::Entry& entry : output.append) saw_command_ |= entry.kind == raft::EntryKind::command;
  if (output.persist_ticket != 0)
    storage_.persist({.ticket = output.persist_ticket,
                      .hard_state = output.hard_state,
                      .install = std::move(output.install),
                      .append = std::move(output.append),
                      .version = installs ? machine_.version() : 0});
  keep_sent_snapshot(now);
  for (raft::ChunkWanted& wanted : output.chunks_wanted) {
    chunk_requests_[next_number_] = wanted.to;
    storage_.read_snapshot(next_number_++, wanted.meta, wanted.offset, wanted.max_bytes);
  }
  for (raft::ChunkReceived& chunk : output.chunks_received)
    storage_.write_incoming_chunk(chunk.meta, chunk.offset, std::move(chunk.data), chunk.done);
  for (raft::Entry& entry : output.committed) apply(entry);
  if (output.load) storage_.load_entries(output.load->first, output.load->last, 4 << 20);
  if (output.compact) storage_.compact(*output.compact);
  for (const raft::ReadReady& ready : output.reads) read_ready(ready, now);
  serve_reads();
  for (const raft::TransferDone& transfer : output.transfers) {
    handover_done(transfer);
    for (PendingAdmin& admin : admin_) {
      if (admin.step != PendingAdmin::Step::transferring || admin.number != transfer.token || transfer.ok) continue;
      if (transfer.sent) {
        finish_admin(admin, Outcome::unknown,
                     "the node was told, and has not won within an election timeout; it still may");
      } else {
        finish_admin(admin, Outcome::conflict, "the node did not catch up within an election timeout");
      }
    }
  }
  if (configuration_now() != configuration_seen_ ||
      raft_->log().configuration_at(raft_->commit_index()).index != committed_configuration_seen_)
    configuration_changed();
  if (raft_->leader_id() != last_leader_) {
    last_leader_ = raft_->leader_id();
    own_command_.reset();  // of the leadership before
    ++counters_.leader_changes;
    waits_.leader_changed();
    retry_reads_at_ = 0;
    wants_turn_ = true;
    if (const raft::Member* member = leader(); member != nullptr && last_leader_ != instance_)
      logf(LogLevel::notice, "following %s in term %lu", member->name.c_str(), raft_->current_term().value);
  }
}

void Node::apply(raft::Entry& entry) {
  ++counters_.entries_applied;
  bytes_since_snapshot_ += raft::cost(entry);
  room_.applied(entry.index);
  machine::Reply reply;
  if (entry.kind == raft::EntryKind::command) {
    const Millis time = WH_MUTANT(time_of_the_apply) ? turn_at_ : entry.time_ms;
    machine::Applied applied = machine_.apply(entry.index, time, entry.payload.view());
    reply = std::move(applied.reply);
    if (waits_.size() != 0) wake(applied.effects);
    forwarded_applied(entry, reply);
  } else if (entry.kind == raft::EntryKind::version) {
    version_applied(entry);
  } else {
    machine_.advance(entry.index, entry.time_ms);
  }
  own_applied(entry.index);
  // Of whatever kind: an entry that is none of a change may stand where one was.
  if (!admin_.empty()) change_applied(entry);
  while (!waiters_.empty() && waiters_.begin()->first <= entry.index) {
    auto node = waiters_.extract(waiters_.begin());
    const Waiter& waiter = node.mapped();
    // Only the very entry that was appended answers for it; another one in its place proves that it never will (B8).
    if (node.key() == entry.index && (waiter.term == entry.term || WH_MUTANT(waiter_by_index_only))) {
      answer_applied(waiter, entry.index, std::move(reply));
    } else {
      answer_waiter(waiter, Outcome::dropped, {});
    }
  }
}

void Node::release_held(uint64_t ticket) {
  while (!held_.empty() && held_.front().ticket <= ticket) {
    send(held_.front().to, std::move(held_.front().message));
    held_.pop_front();
  }
}

bool Node::send(raft::NodeId to, PeerMessage message) {
  if (auto* reply = std::get_if<raft::AppendEntriesReply>(&message)) reply->clock_ms = clock_.at(turn_at_);
  return transport_.send(to, std::move(message));
}

const raft::Member* Node::leader() const {
  return raft_ && raft_->leader_id() ? raft_->configuration().find(raft_->leader_id()) : nullptr;
}

raft::Member Node::addresses_of(const raft::Member& member) const {
  raft::Member result = member;
  Identity said;
  if (member.id == instance_) {
    said = identity();
  } else if (const auto it = announced_.find(member.id); it != announced_.end()) {
    said = it->second;
  } else {
    return result;
  }
  // Of itself a node bound to every address knows no host; what the configuration says may be where it was before.
  if (!said.raft_address.empty() && (said.raft_address.front() != ':' || member.id == instance_))
    result.raft_address = said.raft_address;
  result.http_address = said.http_address;
  result.https_address = said.https_address;
  return result;
}

// Names the configuration in force: another one may come to stand at the same index, in another term.
std::pair<raft::Index, raft::Term> Node::configuration_now() const {
  const raft::Index index = raft_->log().configuration_index();
  return {index, raft_->log().term_at(index).value_or(raft::Term{})};
}

void Node::configuration_changed() {
  configuration_seen_ = configuration_now();
  Membership membership{.member_as_of = raft_->member_as_of(),
                        .removed = removed_for_certain(),
                        .removed_as_of = raft_->committed_position()};
  const raft::Index committed = raft_->log().configuration_at(raft_->commit_index()).index;
  // The node sends nothing to a member whose removal is committed.
  if (std::exchange(committed_configuration_seen_, committed) != committed)
    for (const raft::NodeId id : membership.removed) strangers_.erase(id);
  // It still talks to a member that is being removed: a leader commits its own removal by those answers.
  for (const raft::Member& member : raft_->log().configuration_at(raft_->commit_index()).configuration.members())
    if (member.id != instance_ && !raft_->configuration().contains(member.id))
      remember_stranger({member.id, member.name, addresses_of(member).raft_address});
  std::vector<Peer> peers;
  for (const raft::Member& member : raft_->configuration().members()) {
    if (member.id == instance_) continue;
    saw_others_ = true;
    peers.push_back({member.id, member.name, addresses_of(member).raft_address});
  }
  // A removed member may come back on the connection that it still has to this node.
  if (announced_.size() > raft_->configuration().members().size() + kMaxStrangers)
    std::erase_if(announced_, [&](const auto& item) { return !raft_->configuration().contains(item.first); });
  std::erase_if(strangers_, [&](const auto& item) { return raft_->configuration().contains(item.first); });
  for (const auto& [id, peer] : strangers_) peers.push_back(peer);
  std::erase_if(heard_, [&](const auto& item) {
    return !raft_->configuration().contains(item.first) && !strangers_.contains(item.first);
  });
  std::erase_if(gone_, [&](raft::NodeId id) { return !raft_->configuration().contains(id); });
  transport_.set_peers(std::move(peers));
  transport_.set_membership(std::move(membership));
  announce();
}

// A sync that takes longer than an election timeout: the node must not lead, nor try to (HAZARDS C9).
void Node::watch_disk(Millis now) {
  const bool stalled = storage_.sync_age() > options_.election_timeout_ms;
  if (stalled == disk_stalled_ || WH_MUTANT(stalled_disk_unnoticed)) return;
  disk_stalled_ = stalled;
  raft_->step(now, raft::DiskStalled{stalled});
}

void Node::update_deadline(Millis now) {
  if (!raft_) next_deadline_ = kNever;
  next_deadline_ =
      std::min({next_deadline_, earliest_request_deadline(), handover_deadline(), loss_deadline(), time_deadline(now)});
  // What is under way is answered, or times out, and wakes the node.
  if (seeking_ && !beginning_) next_deadline_ = std::min(next_deadline_, seeking_->next_due());
  if (raft_ && !admin_.empty()) next_deadline_ = std::min(next_deadline_, std::max(admin_retry_at_, now + 1));
  if (disk_stalled_) next_deadline_ = std::min(next_deadline_, now + options_.heartbeat_interval_ms);
}

// --- looking

size_t Node::pending() const {
  size_t reads = reads_.size();
  for (const auto& [number, batch] : read_batches_) reads += batch.reads.size();
  for (const ReadsAtIndex& batch : reads_at_index_) reads += batch.reads.size();
  return writes_.size() + proposing_.size() + waiters_.size() + forwarded_.size() + reads;
}

bool Node::ready(std::string* why) const {
  const auto no = [&](std::string reason) {
    if (why != nullptr) *why = std::move(reason);
    return false;
  };
  if (ending_) return no("this node is shutting down");
  if (cluster_ == kNoCluster) return no(waiting_for_.empty() ? "this node is in no cluster yet" : waiting_for_);
  if (!raft_) return no("this node is loading its snapshot");
  if (removed_) return no(removed_sentence());
  if (refused_version_) return no(above_our_version_text());
  if (raft_->configuration().empty()) return no("this node waits for its cluster's leader");
  if (!raft_->leader_id()) return no("no leader is known");
  if (raft_->leader_id() == instance_ && !raft_->leads_for_certain())
    return no("this node leads, but no entry of its term is committed yet");
  if (version_is_rising()) return no("the cluster's version is about to rise");
  return true;
}

void Node::set_snapshot_limits(uint64_t entries, uint64_t bytes, uint64_t rate) {
  options_.snapshot_entries = entries;
  options_.snapshot_bytes = bytes;
  options_.snapshot_rate = rate;
  if (raft_) raft_->set_snapshot_limits(rate, bytes, trailing_entries(options_));
}

void Node::set_max_uncommitted(uint64_t bytes) {
  options_.max_uncommitted_bytes = bytes;
  if (raft_) raft_->set_max_uncommitted(bytes);
}

}  // namespace wh::node
