// Checks one node's claims: what it holds, what others hold, that it may lead, that a read is fresh.
#include <algorithm>
#include <utility>

#include "machine/command/command.h"
#include "sim/checks/checks.h"
#include "sim/checks/queue_compare.h"
#include "sim/clients/clients.h"
#include "sim/world/process.h"
#include "sim/world/world.h"

namespace wh::sim {
namespace {
// By one node to another (node/writes.cc).
constexpr size_t kMostForwarded = 512;
}  // namespace

// A node keeps what it acknowledged to the leader of this term; what it acknowledged to older leaders no longer
// matters.
void Checks::check_truncation(const Host& host, const Shadow& shadow, raft::Index kept) {
  Promise& promise = promised_[{host.disk.instance, shadow.cluster}];
  if (promise.acked <= kept) return;
  if (promise.acked_in == shadow.term)
    fail(host, "throws away what it acknowledged in this term: keeps " + std::to_string(kept.value) + " of " +
                   std::to_string(promise.acked.value));
  const Held* held = shadow.at(kept);
  promise.acked = kept;
  promise.acked_entry = held != nullptr ? held->entry.term : raft::Term{};
}

// An older copy no longer counts as old once it holds everything that was acknowledged before; but its node may still
// stop while it asks others about the loss.
void Checks::caught_up(const Host& host, raft::NodeId leader, raft::Index match) {
  Host& mine = world_.hosts[host.number];
  const Host* leads = world_.host_of(leader);
  const raft::Raft* raft = leads != nullptr && leads->process ? leads->process->node().raft() : nullptr;
  if (raft == nullptr || match < raft->commit_index() || match < mine.disk.acknowledged) return;
  if (host.process->node().disk_is_looked_into()) return;
  mine.disk.old_copy = false;
  ++world_.seen[Situation::old_copy_unnoticed];
}

// A node acknowledges only entries that are on its disk and equal its leader's.
void Checks::check_acknowledgement(const Host& host, raft::NodeId to, raft::Term term, raft::Index match) {
  const Shadow& shadow = shadows_[host.number];
  Promise& promise = promised_[{host.disk.instance, shadow.cluster}];
  if (term > promise.said_in) {
    promise.said_in = term;
    promise.said = {};
  }
  if (term == promise.said_in) promise.said = std::max(promise.said, match);
  if (host.disk.hard_state.current_term < term)
    return fail(host, "acknowledges entries in a term that is not on its disk");
  if (host.disk.damage == Damage::older_file)
    return fail(host, "acknowledges entries on a disk that is not to be trusted");
  if (term > promise.term) {
    promise.term = term;
    promise.vote = {};
  }
  if (shadow.term != term) return;  // the message waited until an older term was on the disk
  const DiskImage& disk = host.disk;
  if (match > disk.last_index())
    return fail(host, "acknowledges entry " + std::to_string(match.value) + ", its disk ends at " +
                          std::to_string(disk.last_index().value));
  const raft::Entry* mine = disk.at(match);
  if (const Host* leader = world_.host_of(to); leader != nullptr && leader->process && mine != nullptr) {
    const Shadow& theirs = shadows_[leader->number];
    const Held* held = theirs.term == term && theirs.role == raft::Role::leader ? theirs.at(match) : nullptr;
    if (held != nullptr && held->entry.term != mine->term)
      return fail(host, "acknowledges entry " + std::to_string(match.value) + ", which is another one at the leader");
  }
  if (disk.old_copy) caught_up(host, to, match);
  if (term > promise.acked_in) {
    promise.acked_in = term;
    promise.acked = {};
  }
  if (match <= promise.acked) return;
  promise.acked = match;
  promise.acked_entry = mine != nullptr ? mine->term : disk.base_term;
}

void Checks::put_back(const Host& host) {
  Promise& promise = promised_[{host.disk.instance, host.disk.cluster}];
  promise.acked = {};
  promise.acked_entry = {};
}

// A leader believes only what the follower acknowledged in this term (HAZARDS B5, A9).
void Checks::check_matches(const Host& host, const Shadow& shadow) {
  for (const raft::PeerStatus& peer : host.process->node().raft()->peers()) {
    if (peer.match_index.value == 0) continue;
    const Promise& promise = promised_[{peer.id, shadow.cluster}];
    if (promise.said_in > shadow.term) continue;
    if (promise.said_in < shadow.term || peer.match_index > promise.said)
      return fail(host, "believes that a follower holds entry " + std::to_string(peer.match_index.value) +
                            ", which it never acknowledged in this term");
  }
}

// The configuration in force is the newest in the log, or else the snapshot's (thesis 4.1).
void Checks::check_configuration(const Host& host, Shadow& shadow) {
  const raft::Log& log = host.process->node().raft()->log();
  const raft::Log::ConfigurationAt& mine = shadow.configurations.back();
  if (log.configuration_index() != mine.index)
    return fail(host, "goes by the configuration at " + std::to_string(log.configuration_index().value) +
                          ", its log's newest is at " + std::to_string(mine.index.value));
  if (!std::exchange(shadow.configuration_news, false)) return;
  if (log.configuration() != mine.configuration) fail(host, "goes by another configuration than its log's newest");
}

// A linearizable read sees at least what was committed before it was asked (section 8 of the paper).
void Checks::completed(const Host& host, const node::Completion& completion) {
  if (completion.outcome != node::Outcome::applied || completion.token == 0 ||
      completion.token > world_.clients->count())
    return;
  const Op& op = world_.clients->op(completion.token);
  if (!op.is_read() || op.stale) return;
  const Committed::Position* missed = cluster(shadows_[host.number].cluster).at(completion.index + 1);
  if (missed != nullptr && missed->step < op.invoked)
    fail(host, "a stale read: operation " + std::to_string(op.id) + " is answered as of " +
                   std::to_string(completion.index.value) + ", more was committed before it was asked");
}

bool Checks::led_since(const node::ClusterId& id, uint64_t step, raft::Term term) const {
  const auto cluster = clusters_.find(id);
  if (cluster == clusters_.end()) return false;
  const auto leader = cluster->second.leaders.find(term.value);
  return leader != cluster->second.leaders.end() && leader->second.since > step;
}

void Checks::received(const Host& host, raft::NodeId from, const node::PeerMessage& message) {
  const auto* append = std::get_if<raft::AppendEntriesReply>(&message);
  const auto* install = std::get_if<raft::InstallSnapshotReply>(&message);
  if (append == nullptr && install == nullptr) return;
  Shadow& shadow = shadows_[host.number];
  if (shadow.role != raft::Role::leader || (append != nullptr ? append->term : install->term) != shadow.term) return;
  const auto known =
      std::find_if(shadow.heard.begin(), shadow.heard.end(), [from](const auto& heard) { return heard.first == from; });
  if (known == shadow.heard.end()) {
    shadow.heard.emplace_back(from, world_.now(host));
  } else {
    known->second = world_.now(host);
  }
}

// A leader that no quorum answers, or whose disk hangs, must step down (thesis 6.2; HAZARDS A10, C9). After adding a
// member it has the time that a new leader has.
void Checks::check_leadership(const Host& host, const Shadow& shadow, Millis now) {
  const raft::Raft& raft = *host.process->node().raft();
  const raft::Configuration& configuration = raft.configuration();
  const Millis timeout = world_.options.election_timeout_ms;
  // A leader that was alone until now, or whose voters changed, gets time to notice.
  if (configuration.quorum() < 2 || now < shadow.changed_at + 3 * timeout) return;
  if (host.process->storage().sync_age() > 2 * timeout) return fail(host, "leads on, though its disk hangs");
  if (now < shadow.leads_since + 3 * timeout) return;
  size_t heard = configuration.is_voter(host.disk.instance) ? 1 : 0;
  for (const auto& [peer, at] : shadow.heard)
    if (configuration.is_voter(peer) && now <= at + 3 * timeout) ++heard;
  if (heard < configuration.quorum())
    fail(host, "leads on, though " + std::to_string(heard) + " of " + std::to_string(configuration.voters()) +
                   " voters were heard in three election timeouts");
}

// A leader that knows its disk to be full accepts no entry that adds data (HAZARDS C7).
void Checks::check_room(const Host& host, const node::Batch& batch) {
  const node::Node& node = host.process->node();
  if (!node.room().low()) return;
  // A repeated request changes nothing.
  for (const raft::Entry& entry : batch.append)
    if (entry.kind == raft::EntryKind::command && machine::adds_data(entry.payload.view()) &&
        !node.machine().is_repeat(entry.payload.view(), entry.time_ms))
      fail(host, "takes what adds data on a disk that it knows to be full");
}

// Waiting requests are bounded: those of clients here, and those that each other node may forward at once.
void Checks::check_queues(const Host& host) {
  const node::Node& node = host.process->node();
  const size_t most = node.options().max_pending + world_.hosts.size() * kMostForwarded;
  if (node.pending() > most) fail(host, std::to_string(node.pending()) + " requests wait, more than may");
  for (const auto& [name, queue] : node.machine().queues().by_name())
    if (const std::string wrong = model::recount(queue); !wrong.empty()) fail(host, "queue " + name + ": " + wrong);
}

}  // namespace wh::sim
