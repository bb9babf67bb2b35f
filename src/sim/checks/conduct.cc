#include "sim/checks/conduct.h"

#include <algorithm>
#include <utility>

#include "base/overloaded.h"
#include "machine/snapshot/snapshot_loader.h"
#include "sim/checks/checks.h"
#include "sim/world/process.h"
#include "sim/world/world.h"

namespace wh::sim {
namespace {
constexpr size_t kConfigurations = 8;  // that may be in force one after another while one read waits
}

void Conduct::fail(const Host& host, const std::string& what) { world_.fail(host.name + ": " + what); }

size_t Conduct::counted(const raft::Configuration& configuration, const std::vector<raft::NodeId>& who) const {
  return static_cast<size_t>(
      std::count_if(who.begin(), who.end(), [&](raft::NodeId id) { return configuration.is_voter(id); }));
}

void Conduct::started(const Host& host, const node::RecoveredNode& recovered) {
  Record record;
  record.cluster = recovered.cluster;
  record.term = recovered.raft.hard_state.current_term;
  record.quiet_since = world_.now(host);
  if (recovered.raft.incoming) {
    record.part_of = recovered.raft.incoming->meta;
    record.part_end = recovered.raft.incoming->next_offset;
  }
  records_[host.number] = std::move(record);
}

void Conduct::host_died(const Host& host) { records_.erase(host.number); }

// A node gives up its data for no cluster (HAZARDS D10, D13).
void Conduct::begins(const Host& host, const node::NewBeginning& beginning) {
  if (host.disk.cluster != node::kNoCluster && (host.disk.saw_command || host.disk.saw_others))
    fail(host, "begins anew on a disk that holds data, or had other members");
  Record record;
  record.cluster = beginning.cluster;
  record.term = beginning.hard_state.current_term;
  record.quiet_since = world_.now(host);
  records_[host.number] = std::move(record);
}

void Conduct::answered(const Host& host, const node::Answer& answer) {
  const auto* who = std::get_if<node::WhoIAm>(&answer);
  if (who == nullptr) return;
  Record& record = records_[host.number];
  if (who->standing == node::Standing::member && who->identity.cluster != record.cluster) {
    record.strangers.insert(who->identity.instance);
  } else {
    record.strangers.erase(who->identity.instance);
  }
}

// A node is identified by its disk, not by its address (HAZARDS D9).
void Conduct::adopted(const Host& host, raft::NodeId asked) {
  if (asked != host.disk.instance) fail(host, "is taken into a cluster as another than it is");
}

// --- what the node receives and sends

void Conduct::received(const Host& host, raft::NodeId from, const node::PeerMessage& message) {
  const raft::Raft* raft = host.process->node().raft();
  if (raft == nullptr) return;
  Record& record = records_[host.number];
  const raft::Term term = raft->current_term();
  const Millis now = world_.now(host);
  const auto leads = [&](raft::Term theirs) {
    if (theirs < term || theirs > newest_term(record.cluster)) return false;
    record.heard_in = theirs;
    record.heard_at = record.quiet_since = now;
    return true;
  };
  std::visit(Overloaded{
                 [&](const raft::RequestVote& m) { asked_for_vote(host, record, from, m); },
                 [&](const raft::RequestVoteReply& m) {
                   if (!m.granted || m.term > raft::next(newest_term(record.cluster))) return;
                   raft::Term& of = m.pre_vote ? record.pre_votes_for : record.votes_in;
                   std::vector<raft::NodeId>& votes = m.pre_vote ? record.pre_votes : record.votes;
                   if (m.term > of) {
                     of = m.term;
                     votes.clear();
                   }
                   if (m.term == of && std::find(votes.begin(), votes.end(), from) == votes.end())
                     votes.push_back(from);
                 },
                 [&](const raft::AppendEntries& m) {
                   if (leads(m.term) && m.acknowledged > raft->log().last_index()) record.lost = {from, m.acknowledged};
                 },
                 [&](const raft::AppendEntriesReply& m) {
                   heard_follower(host, record, from, m.term, m.success, m.match_index);
                   if (m.term != record.term || record.leads_since == 0) return;
                   // A follower that says it lost what it acknowledged no longer counts, even if messages were only
                   // reordered (HAZARDS C5, a restored old disk).
                   Follower& follower = record.followers[from];
                   if (!m.success && m.rejected_index == follower.match && m.conflict_term.value == 0 &&
                       m.conflict_index <= follower.match) {
                     follower.match = {};
                     follower.probed = true;  // the refusal says where to go on
                   }
                   const auto round = record.rounds.find(m.read_round);
                   if (round == record.rounds.end()) return;
                   uint64_t& confirmed = record.followers[from].confirmed;
                   confirmed = std::max(confirmed, round->second);
                 },
                 [&](const raft::InstallSnapshot& m) {
                   leads(m.term);
                   record.no_room = false;
                   ++record.parts_heard;
                 },
                 [&](const raft::InstallSnapshotReply& m) {
                   heard_follower(host, record, from, m.term, m.installed, m.match_index);
                   if (m.term == record.term) record.followers[from].nothing_under_way();
                 },
                 [&](const raft::TimeoutNow& m) {
                   const bool counts = m.term == term && from == raft->leader_id() &&
                                       raft->role() == raft::Role::follower &&
                                       raft->configuration().is_voter(host.disk.instance);
                   if (counts) record.told_in = term;
                 },
                 [&](const raft::ReadIndexRequest& m) {
                   if (m.term == term) record.reads.try_emplace({from, m.token}, world_.step());
                 },
                 [](const auto&) {},
             },
             message);
}

void Conduct::sent(const Host& host, raft::NodeId to, const node::PeerMessage& message) {
  Record& record = records_[host.number];
  std::visit(Overloaded{
                 [&](const raft::RequestVoteReply& m) { answers_vote(host, record, to, m); },
                 [&](const raft::AppendEntries& m) { sends_entries(host, record, to, m); },
                 [&](const raft::InstallSnapshot& m) {
                   if (m.term != record.term) return;
                   record.followers[to].nothing_under_way();
                   record.followers[to].takes_snapshot = true;
                 },
                 [&](const raft::InstallSnapshotReply&) {
                   // The part must not be answered: the leader begins anew later, when there may be room (HAZARDS F10).
                   if (record.no_room) fail(host, "answers a part of a snapshot for which there was no room");
                 },
                 [&](const raft::TimeoutNow&) { hands_over(host, to); },
                 [&](const raft::ReadIndexReply& m) {
                   const auto asked = record.reads.find({to, m.token});
                   if (asked == record.reads.end()) return;
                   if (m.ok) answers_read(host, record, asked->second);
                   record.reads.erase(asked);
                 },
                 [&](const node::Forward& m) {
                   // A late answer must not be taken for another request's (HAZARDS E13).
                   if (!forwards_.emplace(host.disk.instance, m.request).second)
                     fail(host, "forwards two writes under one number");
                 },
                 [](const auto&) {},
             },
             message);
}

// --- after the node's events

void Conduct::looked(const Host& host, bool whole_turn) {
  const raft::Raft* raft = host.process->node().raft();
  Record& record = records_[host.number];
  if (raft == nullptr || world_.failed() || record.cluster != host.process->node().cluster()) return;
  look_at_election(host, record);
  look_at_causes(host, record);
  look_at_commit(host, record);
  look_at_members(record, raft->log());
  // Any reply in the leader's term is contact (HAZARDS F11).
  if (const auto heard = record.followers.find(std::exchange(record.heard_last, raft::kNobody));
      heard != record.followers.end() && raft->role() == raft::Role::leader)
    if (const auto contact = raft->last_contact(heard->first); contact && contact < heard->second.heard)
      fail(host, "takes an answer for none");
  if (record.role != raft->role()) record.quiet_since = world_.now(host);
  record.role = raft->role();
  record.base = raft->log().base_index();
  record.commit = raft->commit_index();
  if (record.role != raft::Role::leader) record.leads_since = 0;
  if (raft->transferring() && raft->role() != raft::Role::leader)
    fail(host, "hands over what it does not have: it leads no more (HAZARDS A17)");
  if (!whole_turn) return;
  ++record.turns;
  record.disk_hung = host.process->storage().sync_age() > world_.options.election_timeout_ms;
  // The node needs some messages to find out whether a quorum backs the leader's claim (HAZARDS C5).
  if (record.lost && !host.process->ended && !raft->looks_into_loss() &&
      !host.process->node().disbelieves(record.lost->by) && raft->log().last_index() < record.lost->acknowledged)
    fail(host,
         "goes on, though it acknowledged entry " + std::to_string(record.lost->acknowledged.value) + " and lacks it");
  record.lost.reset();
  if (!record.questions.empty() && host.process->storage().idle() && !host.process->doomed)
    fail(host, "leaves a question for its vote unanswered");
  if (record.disk_hung && record.role == raft::Role::pre_candidate && raft->configuration().quorum() > 1)
    fail(host, "asks for pre-votes, though its disk hangs");
  look_at_log(host, record);
  look_at_silence(host, record);
}

void Conduct::look_at_members(Record& record, const raft::Log& log) {
  // After a truncation, another configuration may have the same index.
  const raft::Index index = log.configuration_index();
  const raft::Position at{log.term_at(index).value_or(raft::Term{}), index};
  if (at == record.configuration_at && !record.in_force.empty()) return;
  const raft::Configuration& now = log.configuration();
  record.configuration_at = at;
  // Nothing is known any more about a member that was removed and added again.
  if (!record.in_force.empty())
    for (const raft::Member& member : now.members())
      if (!record.in_force.back().configuration.contains(member.id)) record.followers.erase(member.id);
  record.in_force.push_back({now, world_.step()});
  if (record.in_force.size() > kConfigurations) record.in_force.pop_front();
  std::erase_if(record.learners, [&](const auto& l) { return !now.is_learner(l.first); });
  for (const raft::Member& member : now.members())
    if (member.suffrage == raft::Suffrage::learner) record.learners.emplace(member.id, index);
}

// The entry that the node takes to be durable is on its disk and equals its log's (HAZARDS B6).
void Conduct::look_at_log(const Host& host, const Record& record) {
  const raft::Raft& raft = *host.process->node().raft();
  const raft::Log& log = raft.log();
  const raft::Index durable = raft.durable_index();
  const DiskImage& disk = host.disk;
  if (disk.cluster != record.cluster || durable <= disk.base_index || durable <= log.base_index()) return;
  const raft::Entry* entry = disk.at(durable);
  if (entry == nullptr || entry->term != log.term_at(durable))
    fail(host, "takes entry " + std::to_string(durable.value) + " to be on its disk, which it is not");
}

void Conduct::staged(const Host& host, const node::Batch& batch) {
  const raft::Raft* raft = host.process->node().raft();
  if (raft == nullptr || raft->role() != raft::Role::leader) return;
  for (const raft::Entry& entry : batch.append)
    if (entry.kind == raft::EntryKind::configuration && entry.term == raft->current_term())
      appends_configuration(host, records_[host.number], raft->log().configuration_at(entry.index - 1),
                            *raft::Configuration::decode(entry.payload.view()));
}

// --- snapshots

void Conduct::snapshot_taken(const Host& host, const raft::SnapshotMeta& meta, const std::string& bytes) {
  const Committed& cluster = world_.checks->cluster(records_[host.number].cluster);
  const Committed::Position* position = cluster.at(meta.index);
  if (position == nullptr) return;
  // A snapshot holds only durable entries (HAZARDS F8).
  const raft::Entry* entry = host.disk.at(meta.index);
  if (host.disk.base_index < meta.index && (entry == nullptr || entry->term != meta.term))
    return fail(host, "takes a snapshot of what is not on its disk");
  const Committed::Position* configured = cluster.at(meta.configuration_index);
  if (configured != nullptr && raft::Configuration::decode(configured->entry.payload.view()) != meta.configuration)
    return fail(host, "takes a snapshot with another configuration than was committed");
  // Reads the snapshot as a receiver would (HAZARDS F6).
  machine::SnapshotLoader loader;
  const Status fed = loader.feed(bytes);
  Result<machine::State> state = fed ? loader.finish() : Result<machine::State>(Error{fed.error()});
  if (!state) return fail(host, "takes a snapshot that cannot be read: " + state.error());
  if (state->applied != meta.index || state->digest() != position->digest)
    fail(host, "takes a snapshot of another state than that at its index");
}

// Parts of a snapshot follow each other (HAZARDS F4).
void Conduct::part_written(const Host& host, const raft::SnapshotMeta& meta, uint64_t offset, size_t bytes) {
  Record& record = records_[host.number];
  if (offset != 0 && (record.part_of != meta || record.part_end != offset))
    fail(host, "writes a part of a snapshot at " + std::to_string(offset) + " behind " +
                   std::to_string(record.part_of == meta ? record.part_end : 0) + " bytes of it");
  record.part_of = meta;
  record.part_end = offset + bytes;
  record.parts_heard = 0;
}

// Parts that came after that one are answered, even if this one finds no room.
void Conduct::found_no_room(const Host& host) {
  Record& record = records_[host.number];
  record.no_room = record.parts_heard == 0;
}

}  // namespace wh::sim
