// What a leader may do, given the messages of its term: commit, send, hand over, change members, answer reads.
#include <algorithm>
#include <utility>

#include "sim/checks/conduct.h"
#include "sim/clients/clients.h"
#include "sim/world/process.h"
#include "sim/world/world.h"

namespace wh::sim {
namespace {
constexpr size_t kRounds = 16'384;  // of reads; more than can be waiting
}

void Conduct::heard_follower(const Host& host, Record& record, raft::NodeId from, raft::Term term, bool success,
                             raft::Index match) {
  if (record.leads_since == 0 || term != record.term) return;
  Follower& follower = record.followers[from];
  follower.heard = world_.now(host);
  record.heard_last = from;
  if (!success) {
    follower.nothing_under_way();
    return;
  }
  if (match > follower.match) {
    follower.match = match;
    follower.moved_at = world_.now(host);
    follower.takes_snapshot = false;
  }
  while (!follower.under_way.empty() && follower.under_way.front().first <= follower.match) {
    follower.bytes -= follower.under_way.front().second;
    follower.under_way.pop_front();
  }
}

void Conduct::connected(const Host& host, raft::NodeId peer) {
  Record& record = records_[host.number];
  const auto found = record.followers.find(peer);
  if (found == record.followers.end()) return;
  found->second.nothing_under_way();
  found->second.probed = false;
  found->second.connected_at = record.turns;
}

// Entries in flight to one follower stay within the limits (HAZARDS B13).
void Conduct::sends_entries(const Host& host, Record& record, raft::NodeId to, const raft::AppendEntries& append) {
  if (record.leads_since == 0 || append.term != record.term) return;
  record.rounds.emplace(append.read_round, world_.step());
  if (record.rounds.size() > kRounds) record.rounds.erase(record.rounds.begin());
  if (append.entries.empty()) return;
  Follower& follower = record.followers[to];
  const raft::Index first = append.entries.front().index;
  // Messages of an earlier connection may be lost: the leader starts again at what is known to match (HAZARDS B11).
  // This does not hold for messages that were prepared before.
  if (!follower.probed && first > follower.match + 1 && record.turns > follower.connected_at)
    return fail(host, "goes on at " + std::to_string(first.value) + " over a new connection, and knows of " +
                          std::to_string(follower.match.value));
  follower.probed |= first <= follower.match + 1;
  // The leader starts again further back: a message was lost or refused.
  if (!follower.under_way.empty() && first <= follower.under_way.back().first) follower.nothing_under_way();
  const node::NodeOptions& options = host.process->node().options();
  // The first message may have been a probe, which does not count.
  const size_t messages = follower.under_way.size();
  if (messages > options.max_in_flight_messages)
    return fail(host, "sends entries, with " + std::to_string(messages) + " messages under way to that follower");
  if (messages > 1 && follower.bytes - follower.under_way.front().second >= options.max_in_flight_bytes)
    return fail(host, "sends entries, with " + std::to_string(follower.bytes) + " bytes under way to that follower");
  uint64_t bytes = 0;
  for (const raft::Entry& entry : append.entries) bytes += raft::cost(entry);
  if (append.entries.size() > 1 && bytes > options.max_append_bytes)
    return fail(host, std::to_string(bytes) + " bytes of entries in one message");
  follower.under_way.emplace_back(append.entries.back().index, bytes);
  follower.bytes += bytes;
}

// A leader hands over to a voter whose log is as long as its own (thesis 3.10). A leader that removed itself picks the
// voter with the longest log.
void Conduct::hands_over(const Host& host, raft::NodeId to) {
  const raft::Raft& raft = *host.process->node().raft();
  if (!raft.configuration().is_voter(host.disk.instance)) return;
  const Record& record = records_[host.number];
  const auto follower = record.followers.find(to);
  const raft::Index match = follower != record.followers.end() ? follower->second.match : raft::Index{};
  if (!raft.configuration().is_voter(to)) return fail(host, "hands over to one that is no voter");
  if (match < raft.log().last_index())
    fail(host, "hands over to one that holds entry " + std::to_string(match.value) + " of " +
                   std::to_string(raft.log().last_index().value));
}

// A quorum replied to messages that were sent after the read came (thesis 6.4; HAZARDS E1, E3, E4).
void Conduct::answers_read(const Host& host, const Record& record, uint64_t asked) {
  const raft::Raft& raft = *host.process->node().raft();
  if (raft.role() != raft::Role::leader || record.leads_since == 0) return;
  const auto confirmed = [&](const raft::Configuration& configuration) {
    size_t count = configuration.is_voter(host.disk.instance) ? 1 : 0;
    for (const auto& [id, follower] : record.followers)
      count += follower.confirmed >= asked && configuration.is_voter(id) ? 1 : 0;
    return count >= configuration.quorum();
  };
  // Any configuration in force since the request may count: a confirmed read may still wait to be applied.
  if (confirmed(raft.configuration())) return;
  for (auto in_force = record.in_force.rbegin(); in_force != record.in_force.rend(); ++in_force) {
    if (confirmed(in_force->configuration)) return;
    if (in_force->since < asked) break;
  }
  fail(host, "answers a read that no quorum confirmed");
}

void Conduct::completed(const Host& host, const node::Completion& completion) {
  if (completion.outcome != node::Outcome::applied || completion.token == 0 ||
      completion.token > world_.clients->count())
    return;
  const Op& op = world_.clients->op(completion.token);
  const raft::Raft* raft = host.process->node().raft();
  const Record& record = records_[host.number];
  if (!op.is_read() || op.stale || raft == nullptr || record.leads_since == 0 || record.leads_since >= op.invoked)
    return;
  answers_read(host, record, op.invoked);
}

// A follower that makes progress finds its next entry in the log (HAZARDS F7). Not checked where the options keep
// little of the log.
void Conduct::compacts(const Host& host, raft::Index index) {
  const raft::Raft* raft = host.process->node().raft();
  const Record& record = records_[host.number];
  if (raft == nullptr || raft->role() != raft::Role::leader || world_.options.snapshot_bytes != 0) return;
  const Millis now = world_.now(host);
  const Millis timeout = world_.options.election_timeout_ms;
  for (const auto& [id, follower] : record.followers) {
    if (!raft->configuration().contains(id) || follower.takes_snapshot || !follower.heard) continue;
    const bool getting_on = now <= follower.moved_at + timeout && now <= *follower.heard + timeout;
    if (getting_on && follower.match >= record.base && follower.match < index)
      fail(host, "compacts its log up to " + std::to_string(index.value) +
                     ", and a follower that is getting on is at " + std::to_string(follower.match.value));
  }
}

// A quorum of the newest configuration acknowledged the entry in this term, or holds it on its own disk (HAZARDS B1,
// D3, D8).
void Conduct::look_at_commit(const Host& host, Record& record) {
  const raft::Raft& raft = *host.process->node().raft();
  const raft::Index commit = raft.commit_index();
  if (commit <= record.commit || raft.role() != raft::Role::leader || record.role != raft::Role::leader ||
      record.leads_since == 0)
    return;
  const auto held = [&](const raft::Configuration& configuration) {
    size_t count = configuration.is_voter(host.disk.instance) && raft.durable_index() >= commit ? 1 : 0;
    for (const auto& [id, follower] : record.followers)
      count += follower.match >= commit && configuration.is_voter(id) ? 1 : 0;
    return count >= configuration.quorum();
  };
  if (!held(raft.configuration()) && (record.in_force.empty() || !held(record.in_force.back().configuration)))
    fail(host, "commits entry " + std::to_string(commit.value) + " without a quorum that acknowledged it");
}

// One change at a time, after the leader's first entry (Ongaro 2015); a removal must be remembered.
void Conduct::appends_configuration(const Host& host, const Record& record, const raft::Log::ConfigurationAt& last,
                                    const raft::Configuration& next) {
  const raft::Raft& raft = *host.process->node().raft();
  const raft::Index commit = raft.commit_index();
  const raft::Configuration& before = last.configuration;
  if (last.index > commit) return fail(host, "changes the members before the last change is committed");
  if (raft.log().term_at(commit) != raft.current_term())
    return fail(host, "changes the members before an entry of its term is committed");
  if (next.voters() == 0) return fail(host, "leaves no voter");
  for (const raft::Member& member : next.members())
    if (!before.contains(member.id) && record.strangers.contains(member.id))
      return fail(host, "adds " + member.name + ", which said that it is a member of another cluster");
  for (const raft::Member& member : before.members()) {
    if (!next.contains(member.id)) {
      if (!next.remembers(member.id)) return fail(host, "removes " + member.name + " without remembering it");
      continue;
    }
    if (member.suffrage != raft::Suffrage::learner || !next.is_voter(member.id)) continue;
    const auto since = record.learners.find(member.id);
    const auto follower = record.followers.find(member.id);
    const raft::Index match = follower != record.followers.end() ? follower->second.match : raft::Index{};
    // A promoted learner holds at least the entry that added it (thesis 4.2.1).
    if (since != record.learners.end() && match < since->second)
      return fail(host, "promotes " + member.name + ", which is behind its own adding");
  }
}

}  // namespace wh::sim
