#include "sim/checks/checks.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "sim/checks/watch.h"
#include "sim/clients/clients.h"
#include "sim/clients/queue_clients.h"
#include "sim/clients/watchers.h"
#include "sim/faults/aims.h"
#include "sim/world/process.h"
#include "sim/world/world.h"

namespace wh::sim {
namespace {

uint64_t chained(uint64_t chain, const raft::Entry& entry) {
  uint64_t h = mix64(chain, entry.index.value);
  h = mix64(h, entry.term.value);
  h = mix64(h, static_cast<uint64_t>(entry.kind));
  h = mix64(h, entry.time_ms);
  return hash64(entry.payload.view(), h);
}

}  // namespace

void Checks::fail(const Host& host, const std::string& what) { world_.fail(host.name + ": " + what); }

void Checks::started(const Host& host, const node::RecoveredNode& recovered) {
  Shadow shadow;
  shadow.cluster = recovered.cluster;
  shadow.base = recovered.raft.log.base_index;
  shadow.term = recovered.raft.hard_state.current_term;
  shadow.vote = recovered.raft.hard_state.voted_for;
  Committed& cluster = this->cluster(recovered.cluster);
  if (shadow.base.value > 0) {
    const Committed::Position* base = cluster.at(shadow.base);
    if (base == nullptr) return fail(host, "recovered a log compacted beyond what was ever committed");
    shadow.base_chain = base->chain;
  }
  for (const raft::Entry& entry : host.disk.log) {
    const uint64_t before = shadow.log.empty() ? shadow.base_chain : shadow.log.back().chain;
    shadow.log.push_back({entry, chained(before, entry)});
  }
  const auto& configurations = recovered.raft.log.configurations;
  shadow.configurations.insert(shadow.configurations.end(), configurations.begin(), configurations.end());
  if (recovered.cluster != node::kNoCluster) {
    const Promise& promise = promised_[{recovered.instance, recovered.cluster}];
    if (shadow.term < promise.term) fail(host, "came back in an older term than it promised");
    if (shadow.term == promise.term && promise.vote && shadow.vote != promise.vote)
      fail(host, "came back without the vote it gave");
    if (promise.acked > shadow.last())
      fail(host, "came back with a log up to " + std::to_string(shadow.last().value) + ", it acknowledged entry " +
                     std::to_string(promise.acked.value));
    if (const Held* held = shadow.at(promise.acked); held != nullptr && held->entry.term != promise.acked_entry)
      fail(host, "came back with another entry at " + std::to_string(promise.acked.value) + " than it acknowledged");
  }
  shadows_[host.number] = std::move(shadow);
}

void Checks::host_died(const Host& host) {
  const auto shadow = shadows_.find(host.number);
  if (shadow == shadows_.end()) return;
  const node::ClusterId cluster = shadow->second.cluster;
  count_led(cluster);
  shadows_.erase(shadow);
  count_led(cluster);
}

void Checks::count_led(const node::ClusterId& id) {
  Committed& cluster = this->cluster(id);
  if (cluster.led) cluster.led_us += world_.now_us() - cluster.led_until_us;
  cluster.led_until_us = world_.now_us();
  cluster.led = std::any_of(shadows_.begin(), shadows_.end(), [&](const auto& one) {
    return one.second.role == raft::Role::leader && one.second.cluster == id;
  });
}

void Checks::began(const Host& host, const node::NewBeginning& beginning) {
  Shadow& shadow = shadows_[host.number];
  shadow = Shadow{};
  shadow.cluster = beginning.cluster;
  shadow.term = beginning.hard_state.current_term;
  if (!beginning.first_entry) {
    ++world_.seen[Situation::adopted];
    return;
  }
  if (!host.join.empty()) ++founded_;
  ++world_.seen[Situation::founded];
  append(world_.hosts[host.number], shadow, *beginning.first_entry);
  if (world_.options.story == Story::listed && !host.join.empty() && founded_ > 1)
    fail(host, "founded a second cluster");
}

void Checks::append(Host& host, Shadow& shadow, const raft::Entry& entry) {
  if (entry.index != shadow.last() + 1) return fail(host, "leaves a hole in its log");
  const uint64_t chain = chained(shadow.log.empty() ? shadow.base_chain : shadow.log.back().chain, entry);
  // Log matching: the same (index, term) means the same log up to there.
  count_led(shadow.cluster);
  Committed& log = cluster(shadow.cluster);
  auto [known, fresh] = log.chains.emplace(std::pair(entry.index.value, entry.term.value),
                                           Committed::Appended{.chain = chain, .led_us = log.led_us});
  if (!fresh && known->second.chain != chain)
    return fail(host, "log matching: another log at index " + std::to_string(entry.index.value) + " of term " +
                          std::to_string(entry.term.value));
  if (!shadow.log.empty() && entry.time_ms < shadow.log.back().entry.time_ms)
    return fail(host, "cluster time goes back at entry " + std::to_string(entry.index.value));
  if (entry.kind == raft::EntryKind::configuration) append_configuration(host, shadow, entry);
  shadow.log.push_back({entry, chain});
}

// Any two quorums of consecutive configurations meet (thesis 4.1): at most one voter is added or removed.
void Checks::append_configuration(const Host& host, Shadow& shadow, const raft::Entry& entry) {
  raft::Configuration next = *raft::Configuration::decode(entry.payload.view());
  const raft::Configuration& before = shadow.configurations.back().configuration;
  size_t differ = 0;
  for (const raft::Member& member : next.members())
    if (member.suffrage == raft::Suffrage::voter && !before.is_voter(member.id)) ++differ;
  for (const raft::Member& member : before.members())
    if (member.suffrage == raft::Suffrage::voter && !next.is_voter(member.id)) ++differ;
  if (differ > 1 && !before.empty())
    fail(host, "the configuration at " + std::to_string(entry.index.value) + " changes " + std::to_string(differ) +
                   " voters at once");
  shadow.configurations.push_back({entry.index, std::move(next)});
  shadow.configuration_news = true;
  shadow.changed_at = world_.now(host);
}

void Checks::staged(Host& host, const node::Batch& batch) {
  Shadow& shadow = shadows_[host.number];
  if (batch.install) {
    const raft::Index index = batch.install->meta.index;
    world_.watchers->installed(host);
    ++world_.seen[Situation::snapshot_installed];
    const Committed::Position* position = cluster(shadow.cluster).at(index);
    if (position == nullptr) return fail(host, "installs a snapshot of what was never committed");
    if (index <= shadow.commit) return fail(host, "installs a snapshot of less than it knows to be committed");
    if (world_.change_open(shadow.cluster)) ++world_.seen[Situation::installed_in_change];
    if (host.process->node().pending() > 0) ++world_.seen[Situation::install_over_requests];
    if (const Held* held = shadow.at(index); held != nullptr && held->entry.term != batch.install->meta.term)
      ++world_.seen[Situation::installed_over_conflict];
    if (!batch.install->keep_suffix) {
      if (shadow.last() > index) ++world_.seen[Situation::installed_over_longer];
      check_truncation(host, shadow, index);
      shadow.configurations.clear();
    }
    shadow.configuration_news = true;
    const raft::SnapshotMeta& meta = batch.install->meta;
    std::erase_if(shadow.configurations, [&](const auto& at) { return at.index <= meta.configuration_index; });
    shadow.configurations.insert(shadow.configurations.begin(), {meta.configuration_index, meta.configuration});
    if (batch.install->keep_suffix) {
      ++world_.seen[Situation::snapshot_kept_suffix];
      const Held* held = shadow.at(index);
      if (held == nullptr && index != shadow.last()) {
        if (shadow.last() > index) return fail(host, "keeps a suffix it does not have");
        shadow.log.clear();
      } else if (held != nullptr) {
        shadow.log.erase(shadow.log.begin(), shadow.log.begin() + static_cast<ptrdiff_t>(index - shadow.base));
      }
    } else {
      shadow.log.clear();
    }
    shadow.base = index;
    shadow.base_chain = position->chain;
  }
  if (batch.append.empty()) return;
  const raft::Index first = batch.append.front().index;
  if (first <= shadow.commit) return fail(host, "truncates what it knows to be committed");
  if (shadow.last() >= first) {
    ++world_.seen[Situation::truncation];
    if (shadow.last() > first) ++world_.seen[Situation::truncation_of_several];
    if (shadow.role == raft::Role::leader && shadow.led_last >= first)
      return fail(host, "leader append-only: it overwrites its own log");
    check_truncation(host, shadow, first - 1);
    while (shadow.configurations.back().index >= first) shadow.configurations.pop_back();
    shadow.configuration_news = true;
    while (shadow.last() >= first) {
      if (shadow.log.back().entry.kind == raft::EntryKind::configuration)
        ++world_.seen[Situation::configuration_rolled_back];
      shadow.log.pop_back();
    }
  }
  for (const raft::Entry& entry : batch.append) append(host, shadow, entry);
  if (host.process->node().raft()->role() == raft::Role::leader) {
    shadow.led_last = shadow.last();
    check_room(host, batch);
    const raft::EntryKind kind = batch.append.front().kind;
    world_.aims->moment(host, kind == raft::EntryKind::noop            ? Moment::noop_appended
                              : kind == raft::EntryKind::configuration ? Moment::change_appended
                                                                       : Moment::appended);
  }
}

// A message may leave a node only if everything it depends on is on the node's disk.
void Checks::sent(Host& host, raft::NodeId to, const node::PeerMessage& message) {
  const DiskImage& disk = host.disk;
  if (const auto* vote = std::get_if<raft::RequestVoteReply>(&message); vote != nullptr && !vote->pre_vote) {
    if (!vote->granted) return;
    Promise& promise = promised_[{disk.instance, disk.cluster}];
    if (vote->term >= promise.term) {
      promise.term = vote->term;
      promise.vote = to;
    }
    if (disk.damage == Damage::older_file) return fail(host, "votes from a disk that is not to be trusted");
    if (disk.hard_state.current_term < vote->term ||
        (disk.hard_state.current_term == vote->term && disk.hard_state.voted_for != to))
      return fail(host, "grants a vote that is not on its disk");
  }
  if (const auto* request = std::get_if<raft::RequestVote>(&message); request != nullptr && !request->pre_vote)
    if (disk.hard_state.current_term < request->term) return fail(host, "campaigns in a term that is not on its disk");
  if (const auto* reply = std::get_if<raft::AppendEntriesReply>(&message); reply != nullptr && reply->success)
    check_acknowledgement(host, to, reply->term, reply->match_index);
  if (const auto* reply = std::get_if<raft::InstallSnapshotReply>(&message); reply != nullptr && reply->installed)
    check_acknowledgement(host, to, reply->term, reply->match_index);
  if (const auto* append = std::get_if<raft::AppendEntries>(&message))
    if (const Shadow& shadow = shadows_[host.number];
        append->leader_commit.value > cluster(shadow.cluster).log.size() && append->leader_commit > shadow.commit)
      return fail(host,
                  "says that entry " + std::to_string(append->leader_commit.value) + " is committed, which it is not");
  if (const auto* vote = std::get_if<raft::RequestVoteReply>(&message);
      vote != nullptr && vote->granted && !vote->pre_vote)
    world_.aims->moment(host, Moment::vote_granted);
}

void Checks::snapshot_taken(const Host& host, const raft::SnapshotMeta& meta) {
  const Shadow& shadow = shadows_[host.number];
  Committed& cluster = this->cluster(shadow.cluster);
  ++world_.seen[Situation::snapshot_taken];
  if (world_.change_open(shadow.cluster)) ++world_.seen[Situation::taken_in_change];
  const Committed::Position* position = cluster.at(meta.index);
  if (position == nullptr || position->entry.term != meta.term)
    return fail(host, "takes a snapshot of what is not committed");
  // The state is the same on every node, in whatever slices it was written; so are term and configuration.
  const auto [known, fresh] = cluster.snapshots.emplace(std::pair(meta.index.value, meta.term.value), meta);
  if (!fresh && known->second.configuration != meta.configuration)
    fail(host, "takes a snapshot with another configuration than another node at the same index");
}

void Checks::looked(Host& host, bool whole_turn) {
  const raft::Raft* raft = host.process->node().raft();
  if (raft == nullptr || world_.failed()) return;
  Shadow& shadow = shadows_[host.number];
  if (shadow.cluster != host.process->node().cluster()) return;  // a new beginning is on its way
  Committed& cluster = this->cluster(shadow.cluster);
  const raft::Term term = raft->current_term();
  if (term < shadow.term) fail(host, "its term went back");
  if (term == shadow.term && shadow.vote && raft->voted_for() != shadow.vote)
    fail(host, "changed its vote in one term");
  const bool new_term = term > shadow.term;
  if (new_term) shadow.led_last = {};
  shadow.term = term;
  shadow.vote = raft->voted_for();
  if (raft->role() == raft::Role::leader && shadow.leads != term) {
    shadow.leads = term;
    shadow.leads_since = world_.now(host);
    shadow.heard.clear();
    const auto [known, fresh] =
        cluster.leaders.emplace(term.value, Committed::Leader{host.disk.instance, world_.step()});
    if (known->second.id != host.disk.instance)
      fail(host, "election safety: a second leader in term " + std::to_string(term.value));
    if (fresh) {
      ++world_.seen[Situation::elected];
      world_.trace("%s leads term %lu", host.name.c_str(), term.value);
      check_completeness(host, shadow);
    }
  }
  // A leader that removed itself stepped down in the same event in which it committed the removal.
  count_led(shadow.cluster);
  const bool led = std::exchange(shadow.role, raft->role()) == raft::Role::leader && !new_term;
  count_led(shadow.cluster);
  const raft::SnapshotCounters& sent = raft->snapshot_counters();
  if (sent.begun < shadow.sent.begun) shadow.sent = {};
  if (const uint64_t more = sent.resumed - shadow.sent.resumed; more != 0)
    world_.seen[Situation::snapshot_resumed] += more;
  if (const uint64_t more = sent.restarted - shadow.sent.restarted; more != 0)
    world_.seen[Situation::snapshot_restarted] += more;
  if (const uint64_t more = sent.finished - shadow.sent.finished; more != 0)
    world_.seen[Situation::snapshot_sent] += more;
  shadow.sent = sent;
  // A durable vote is a promise: two votes of one instance in one term must never both become durable.
  const raft::HardState& durable = host.disk.hard_state;
  if (durable != shadow.durable && host.disk.cluster == shadow.cluster) {
    shadow.durable = durable;
    if (durable.voted_for) {
      const auto [vote, fresh] =
          cluster.votes.emplace(std::pair(durable.current_term.value, host.disk.instance.value), durable.voted_for);
      if (!fresh && vote->second != durable.voted_for) fail(host, "voted twice in one term");
    }
    Promise& promise = promised_[{host.disk.instance, shadow.cluster}];
    if (durable.current_term > promise.term) promise.vote = {};
    if (durable.current_term >= promise.term) {
      promise.term = durable.current_term;
      if (durable.voted_for) promise.vote = durable.voted_for;
    }
  }
  const raft::Index commit = raft->commit_index();
  if (commit < shadow.commit) fail(host, "its commit index went back");
  // A leader commits what is on its disk; a follower may commit what it appends in the same turn.
  if (commit > shadow.commit && (whole_turn || led || shadow.role == raft::Role::leader))
    committed_now(host, shadow, commit, led || shadow.role == raft::Role::leader);
  const raft::Index applied = host.process->node().machine().applied();
  if (applied < shadow.applied) fail(host, "its applied index went back");
  if (applied > shadow.applied && !world_.failed()) {
    shadow.applied = applied;
    const Committed::Position* position = cluster.at(applied);
    if (position == nullptr) return fail(host, "applied what is not committed");
    if (position->digest != host.process->node().machine().digest())
      fail(host, "state machine safety: another state at index " + std::to_string(applied.value));
    if (position->time_ms != host.process->node().machine().time_ms())
      fail(host, "state machine safety: another time at index " + std::to_string(applied.value));
  }
  // Thesis 4.2.3: a server that knows of its removal leaves the others alone, and none believes in a removal without
  // reason.
  if (raft->removed()) {
    if (shadow.role != raft::Role::follower) fail(host, "takes part in elections though it was removed");
    if (whole_turn && !cluster.ever_removed.contains(host.disk.instance))
      fail(host, "believes that it was removed, which it was not");
  }
  if (const auto& snapshot = raft->snapshot(); snapshot && snapshot->index > commit)
    fail(host, "its snapshot holds more than is committed");
  if (!whole_turn || world_.failed()) return;
  // Compares turns: messages that waited during a standstill are handed in before the turn. Time as a follower does not
  // count, nor does the time as the only voter.
  const Millis now = world_.now(host);
  const Millis before = std::max({std::exchange(shadow.looked_at, now), shadow.leads_since, shadow.changed_at});
  // A leader that stood still must not act on what it believed before (HAZARDS C10).
  const Millis timeout = world_.options.election_timeout_ms;
  if (led && shadow.role == raft::Role::leader && now > before + timeout + 1 && raft->configuration().quorum() > 1)
    fail(host, "leads on, though it stood still for " + std::to_string(now - before) + " ms");
  check_configuration(host, shadow);
  // A leader keeps its beliefs, so checking now and then is enough.
  ++shadow.turns;
  if (shadow.role == raft::Role::leader && shadow.turns % 4 == 0) {
    check_matches(host, shadow);
    check_leadership(host, shadow, now);
  }
  if (shadow.turns % 64 == 0) check_queues(host);
}

// A leader of term T holds every entry that was committed in a term below T.
void Checks::check_completeness(const Host& host, const Shadow& shadow) {
  const Committed& cluster = this->cluster(shadow.cluster);
  for (size_t i = cluster.log.size(); i > 0; --i) {
    const Committed::Position& position = cluster.log[i - 1];
    if (position.committed_in >= shadow.term) continue;
    const raft::Index index{i};
    if (index <= shadow.base) return;
    const Held* held = shadow.at(index);
    if (held == nullptr || held->chain != position.chain)
      fail(host, "leader completeness: lacks entry " + std::to_string(i) + ", committed in term " +
                     std::to_string(position.committed_in.value));
    return;
  }
}

// Cluster time is brought forward to what a majority's clocks show, never by a wrong clock.
machine::Reply Checks::apply_command(Host& host, Committed& cluster, const raft::Entry& entry) {
  const Millis before = cluster.model.cluster_time_ms();
  machine::Applied applied = cluster.model.apply(entry.index, entry.time_ms, entry.payload);
  const auto command = machine::decode(entry.payload.view(), cluster.model.version());
  if (command && std::holds_alternative<machine::Due>(command->body) && applied.reply.count != 0)
    ++world_.seen[Situation::fell_due];
  const bool copy = applied.reply.code == machine::ReplyCode::duplicate;
  const std::string wrong =
      cluster.queues.applied(command && !copy ? &*command : nullptr, applied.reply, cluster.model, world_.seen);
  if (!wrong.empty()) fail(host, "at index " + std::to_string(entry.index.value) + ", " + wrong);
  const Options& o = world_.options;
  const StoreAudit::Entry made{.term = entry.term,
                               .led_us = cluster.chains.at({entry.index.value, entry.term.value}).led_us,
                               .drift_percent = o.drift_percent,
                               .timed = o.clock_jump_every_ms == 0 && o.lie_every_ms == 0 && world_.chaos};
  const std::string odd =
      cluster.store.applied(command && !copy ? &*command : nullptr, applied.reply, cluster.model, made, world_.seen);
  if (!odd.empty()) fail(host, "at index " + std::to_string(entry.index.value) + ", " + odd);
  if (applied.effects.time) {
    ++world_.seen[Situation::time_jumped];
    if (before > World::kBegan) ++world_.seen[Situation::time_jumped_by_outage];
    if (cluster.configuration.voters() >= 3 && cluster.model.cluster_time_ms() > world_.wall() + 5'000)
      fail(host, "cluster time follows a clock that is wrong: " + std::to_string(cluster.model.cluster_time_ms()) +
                     " where it is " + std::to_string(world_.wall()) + ", before " + std::to_string(before));
  }
  return std::move(applied.reply);
}

void Checks::committed_now(Host& host, Shadow& shadow, raft::Index to, bool leads) {
  Committed& cluster = this->cluster(shadow.cluster);
  const raft::Index from = shadow.commit;
  // The snapshot is loaded; the next batch will replace the log by it.
  if (const auto& snapshot = host.process->node().raft()->snapshot();
      snapshot && snapshot->index > shadow.base && shadow.at(snapshot->index) == nullptr)
    return;
  shadow.commit = to;
  const bool news = to.value > cluster.log.size();
  for (raft::Index i{cluster.log.size() + 1}; i <= to; ++i) {
    const Held* held = shadow.at(i);
    if (held == nullptr) return fail(host, "committed an entry that nobody saw it append");
    Committed::Position position{held->entry, held->chain, shadow.term, 0, world_.step()};
    std::optional<machine::Reply> reply;
    if (held->entry.kind == raft::EntryKind::command) {
      reply = apply_command(host, cluster, held->entry);
    } else if (held->entry.kind == raft::EntryKind::version) {
      const ClusterVersion before = cluster.model.version();
      cluster.model.raise_version(i, held->entry.time_ms, *decode_version(held->entry.payload.view()));
      if (cluster.model.version() > before) ++world_.seen[Situation::version_raised];
    } else {
      cluster.model.advance(i, held->entry.time_ms);
      if (held->entry.kind == raft::EntryKind::configuration) {
        const raft::Configuration before = cluster.configuration;
        cluster.configuration = *raft::Configuration::decode(held->entry.payload.view());
        world_.watch->configuration_committed(before, cluster.configuration);
      }
      cluster.ever_removed.insert(cluster.configuration.removed().begin(), cluster.configuration.removed().end());
    }
    position.digest = cluster.model.digest();
    position.time_ms = cluster.model.time_ms();
    position.version = cluster.model.version();
    cluster.log.push_back(position);
    if (reply) world_.clients->committed(shadow.cluster, held->entry, *reply);
    world_.queue_clients->applied(shadow.cluster, i);
  }
  if (to > from && to > shadow.base) {
    const Held* held = shadow.at(to);
    if (held == nullptr || held->chain != cluster.log[to.value - 1].chain)
      return fail(host, "state machine safety: another log is committed up to " + std::to_string(to.value));
  }
  // Figure 2: a leader's commit index only advances to entries of its own term.
  if (news && leads && cluster.log[to.value - 1].entry.term != shadow.term)
    return fail(host, "committed entry " + std::to_string(to.value) + " of an older term by counting");
  if (news && leads) check_durable(host, shadow, to);
  if (shadow.role != raft::Role::leader) return;
  const raft::Log& log = host.process->node().raft()->log();
  const bool change = log.configuration_index() > from && log.configuration_index() <= to;
  world_.aims->moment(host, change ? Moment::change_committed : Moment::committed);
}

// The newest committed entry is on the disks of a majority of the leader's voters. A disk lost since then counts up to
// what it acknowledged.
void Checks::check_durable(const Host& host, const Shadow& shadow, raft::Index index) {
  const raft::Raft* raft = host.process->node().raft();
  const raft::Configuration& configuration = raft->configuration();
  size_t holding = 0;
  for (const raft::Member& member : configuration.members()) {
    if (member.suffrage != raft::Suffrage::voter) continue;
    bool alive = false;
    for (const Host& other : world_.hosts) {
      if (other.disk.instance != member.id) continue;
      alive = true;
      if (other.disk.old_copy) ++holding;
      if (other.disk.old_copy) break;
      const raft::Entry* entry = other.disk.at(index);
      const raft::Entry& wanted = shadow.at(index)->entry;
      const bool in_snapshot = other.disk.base_index >= index;
      if (in_snapshot || (entry != nullptr && *entry == wanted)) ++holding;
    }
    if (alive) continue;
    const Promise& promise = promised_[{member.id, shadow.cluster}];
    if (promise.said_in == shadow.term && promise.said >= index) ++holding;
  }
  if (holding < configuration.quorum())
    fail(host, "committed entry " + std::to_string(index.value) + " with " + std::to_string(holding) + " of " +
                   std::to_string(configuration.voters()) + " voters' disks holding it");
}

std::vector<raft::Configuration> Checks::configurations_in(const Host& host) const {
  std::vector<raft::Configuration> out;
  const auto found = shadows_.find(host.number);
  for (const raft::Entry& entry : host.disk.log)
    if (entry.kind == raft::EntryKind::configuration) out.push_back(*raft::Configuration::decode(entry.payload.view()));
  if (found != shadows_.end())
    for (const Held& held : found->second.log)
      if (held.entry.kind == raft::EntryKind::configuration)
        out.push_back(*raft::Configuration::decode(held.entry.payload.view()));
  return out;
}

void Checks::trace_message(const char* way, const Host& host, raft::NodeId peer, const node::PeerMessage& message) {
  std::string other = "?";
  for (const Host& h : world_.hosts)
    if (h.disk.instance == peer) other = h.name;
  std::string text;
  const auto number = [](auto v) { return std::to_string(v.value); };
  if (const auto* m = std::get_if<raft::AppendEntries>(&message)) {
    text = "AppendEntries term=" + number(m->term) + " prev=" + number(m->prev_log_index) + "/" +
           number(m->prev_log_term) + " +" + std::to_string(m->entries.size()) + " commit=" + number(m->leader_commit) +
           " round=" + std::to_string(m->read_round);
  } else if (const auto* r = std::get_if<raft::AppendEntriesReply>(&message)) {
    text = "AppendEntriesReply term=" + number(r->term) + (r->success ? " match=" : " refused=") +
           number(r->success ? r->match_index : r->rejected_index) + " round=" + std::to_string(r->read_round);
  } else if (const auto* v = std::get_if<raft::RequestVote>(&message)) {
    text = "RequestVote term=" + number(v->term) + " last=" + number(v->last_log_index) + "/" +
           number(v->last_log_term) + (v->pre_vote ? " pre" : "") + (v->transfer ? " transfer" : "");
  } else if (const auto* g = std::get_if<raft::RequestVoteReply>(&message)) {
    text = "RequestVoteReply term=" + number(g->term) + (g->pre_vote ? " pre" : "") + (g->granted ? " granted" : "");
  } else if (const auto* s = std::get_if<raft::InstallSnapshot>(&message)) {
    text = "InstallSnapshot term=" + number(s->term) + " index=" + number(s->meta.index) +
           " offset=" + std::to_string(s->offset) + (s->done ? " done" : "");
  } else if (const auto* sr = std::get_if<raft::InstallSnapshotReply>(&message)) {
    text = "InstallSnapshotReply term=" + number(sr->term) + " index=" + number(sr->index) +
           " next=" + std::to_string(sr->next_offset) + (sr->installed ? " installed" : "");
  } else if (const auto* f = std::get_if<node::Forward>(&message)) {
    text = "Forward " + std::to_string(f->request);
  } else if (const auto* fr = std::get_if<node::ForwardReply>(&message)) {
    text = "ForwardReply " + std::to_string(fr->request) + " outcome=" + std::to_string(static_cast<int>(fr->outcome)) +
           " index=" + number(fr->index);
  } else {
    static constexpr const char* kNames[] = {
        "RequestVote",          "RequestVoteReply", "AppendEntries",     "AppendEntriesReply", "InstallSnapshot",
        "InstallSnapshotReply", "TimeoutNow",       "ReadIndexRequest",  "ReadIndexReply",     "Forward",
        "ForwardReply",         "ForwardAdmin",     "ForwardAdminReply", "ForwardReceive",     "CancelReceive",
        "MembersSeen"};
    static_assert(std::size(kNames) == std::variant_size_v<node::PeerMessage>);
    text = kNames[message.index()];
  }
  world_.trace("  %s %s %s %s", host.name.c_str(), way, other.c_str(), text.c_str());
}

}  // namespace wh::sim
