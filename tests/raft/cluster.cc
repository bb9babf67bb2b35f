#include "cluster.h"

#include <algorithm>

#include <doctest/doctest.h>

#include "base/hash.h"
#include "base/log.h"

namespace wh::raft::test {
namespace {

std::string encode_state(const std::vector<Entry>& applied, Index upto) {
  std::string out;
  Writer w(out);
  w.u64(upto.value);
  for (const Entry& e : applied) {
    if (e.index > upto) break;
    w.u64(e.term.value);
    w.u8(static_cast<uint8_t>(e.kind));
    w.u64(e.time_ms);
    w.bytes(e.payload.view());
  }
  return out;
}

std::vector<Entry> decode_state(std::string_view bytes) {
  Reader r(bytes);
  std::vector<Entry> applied;
  const uint64_t count = r.u64();
  for (uint64_t i = 1; i <= count && r.ok(); ++i) {
    Entry e;
    e.index = Index{i};
    e.term = Term{r.u64()};
    e.kind = static_cast<EntryKind>(r.u8());
    e.time_ms = r.u64();
    e.payload = Bytes(std::string(r.bytes()));
    applied.push_back(std::move(e));
  }
  return applied;
}

std::string at_index(const char* what, Index index, Term term) {
  return std::string(what) + " at index " + std::to_string(index.value) + " of term " + std::to_string(term.value);
}

std::string name(const Server& server) { return "server " + std::to_string(server.id.value) + ": "; }

}  // namespace

std::optional<Term> Disk::term_at(Index index) const {
  if (index == base_index) return base_term;
  if (index < base_index || index > last_index()) return std::nullopt;
  return log[index - base_index - 1].term;
}

Recovered Disk::recover(size_t tail_entries) const {
  Recovered result{.hard_state = hard_state, .log = {}, .snapshot = snapshot, .incoming = {}};
  if (incoming) result.incoming = PartOfSnapshot{*incoming, incoming_bytes.size()};
  result.log.base_index = base_index;
  result.log.base_term = base_term;
  result.log.last_index = last_index();
  if (snapshot) result.log.last_time_ms = snapshot->time_ms;
  Index known;
  if (snapshot) {
    known = snapshot->configuration_index;
    result.log.configurations.push_back({known, snapshot->configuration});
  } else {
    result.log.configurations.push_back({Index{}, genesis});
  }
  for (const Entry& e : log) {
    if (result.log.runs.empty() || result.log.runs.back().term != e.term) result.log.runs.push_back({e.index, e.term});
    if (e.kind == EntryKind::configuration && e.index > known)
      result.log.configurations.push_back({e.index, *Configuration::decode(e.payload.view())});
    result.log.last_time_ms = e.time_ms;
  }
  const size_t count = std::min(tail_entries, log.size());
  result.log.tail.assign(log.end() - static_cast<std::ptrdiff_t>(count), log.end());
  return result;
}

Options test_options() {
  Options options;
  options.trailing_entries = 0;
  return options;
}

Entry entry_of(uint64_t index, uint64_t term, std::string payload) {
  if (payload.empty()) payload = "t" + std::to_string(term) + "i" + std::to_string(index);
  return Entry{.index = Index{index},
               .term = Term{term},
               .kind = EntryKind::command,
               .time_ms = index,
               .payload = Bytes(std::move(payload))};
}

std::vector<Entry> log_of(const std::vector<uint64_t>& terms) {
  std::vector<Entry> log;
  for (size_t i = 0; i < terms.size(); ++i) log.push_back(entry_of(i + 1, terms[i]));
  return log;
}

Member member_of(Id id, Suffrage suffrage) {
  Member member;
  member.id = NodeId{id};
  member.name = "n" + std::to_string(id);
  member.raft_address = "127.0.0.1:" + std::to_string(10'000 + id);
  member.suffrage = suffrage;
  return member;
}

Configuration configuration_of(const std::vector<Id>& voters, const std::vector<Id>& learners) {
  std::vector<Member> members;
  for (const Id id : voters) members.push_back(member_of(id));
  for (const Id id : learners) members.push_back(member_of(id, Suffrage::learner));
  return Configuration(std::move(members));
}

Cluster::Cluster(Options cluster_options) : options(cluster_options) {
  set_log_sink([](LogLevel, std::string_view) {});
}

Cluster::~Cluster() {
  for (const std::string& violation : violations_) FAIL_CHECK(violation);
}

// --- servers

Disk Cluster::disk_of(const std::vector<Id>& voters, const std::vector<uint64_t>& terms, uint64_t term) const {
  Disk disk;
  disk.genesis = configuration_of(voters);
  disk.hard_state.current_term = Term{term};
  disk.log = log_of(terms);
  return disk;
}

void Cluster::nodes(const std::vector<Id>& voters) {
  for (const Id id : voters) add(id, disk_of(voters, {}, 0));
}

void Cluster::outsider(Id id) { add(id, Disk{}); }

Server& Cluster::add(Id id, Disk disk) {
  Server& server = servers_[NodeId{id}];
  server.id = NodeId{id};
  server.options = options;
  server.options.self = server.id;
  server.disk = std::move(disk);
  Term before = server.disk.base_term;
  for (const Entry& e : server.disk.log) {
    written_.try_emplace({e.index, e.term}, before, e);
    before = e.term;
  }
  start(id);
  return server;
}

Server& Cluster::at(Id id) { return servers_.at(NodeId{id}); }

void Cluster::start(Id id) {
  Server& server = at(id);
  if (server.raft) return;
  server.applied = decode_state(server.disk.snapshot_bytes);
  server.commit_seen = server.disk.snapshot ? server.disk.snapshot->index : Index{};
  server.role_seen = Role::follower;
  server.term_seen = server.disk.hard_state.current_term;
  server.acknowledged_lost.reset();
  server.raft = std::make_unique<Raft>(server.options, server.disk.recover(recovered_tail), 1000 * id + ++server.starts,
                                       local_now(server));
  pump(server);
}

void Cluster::crash(Id id) {
  Server& server = at(id);
  server.raft.reset();
  server.staged.clear();
  server.held.clear();
  server.todo.clear();
  server.load.reset();
  server.complete.reset();
  // A whole one that was not installed is not found again; a part is.
  if (server.disk.incoming && server.disk.incoming_bytes.size() == server.disk.incoming->size) {
    server.disk.incoming.reset();
    server.disk.incoming_bytes.clear();
  }
  server.crash_before_sync = false;
  for (auto& [ends, queue] : links_)
    if (ends.second == server.id) queue.clear();
}

void Cluster::resume(Id id) {
  Server& server = at(id);
  server.paused = false;
  std::vector<NodeId> senders;
  for (const auto& [ends, queue] : links_)
    if (ends.second == server.id && !queue.empty() && !clogged_.contains(ends)) senders.push_back(ends.first);
  for (const NodeId from : senders) deliver(from.value, id);
  tick_due(server);
}

// --- inputs

void Cluster::step(Id id, Input input) {
  Server& server = at(id);
  if (!server.raft) return;
  server.raft->step(local_now(server), std::move(input));
  pump(server);
}

void Cluster::step_all(Id id, std::vector<Input> inputs) {
  Server& server = at(id);
  for (Input& input : inputs) server.raft->step(local_now(server), std::move(input));
  pump(server);
}

uint64_t Cluster::propose(Id id, std::string payload) {
  const uint64_t token = next_token_++;
  step(id, Propose{token, Bytes(std::move(payload))});
  return token;
}

uint64_t Cluster::change(Id id, Configuration configuration) {
  const uint64_t token = next_token_++;
  step(id, ProposeConfiguration{token, std::move(configuration)});
  return token;
}

uint64_t Cluster::read(Id id) {
  const uint64_t token = next_token_++;
  reads_[token].needed = committed_.size();
  step(id, ReadIndex{token});
  return token;
}

uint64_t Cluster::transfer(Id id, Id to) {
  const uint64_t token = next_token_++;
  step(id, TransferLeadership{token, NodeId{to}});
  return token;
}

void Cluster::timeout(Id id) {
  Server& server = at(id);
  if (!server.raft) return;
  if (server.deadline != kNever && server.deadline > local_now(server))
    server.skew += server.deadline - local_now(server);
  step(id, Tick{});
}

void Cluster::snapshot(Id id) {
  sync(id);  // one disk, in order: a snapshot is recorded behind the entries it was made of
  Server& server = at(id);
  const Raft& raft = *server.raft;
  const Index index = raft.applied_index();
  if (index.value == 0) return;
  const Entry& last = server.applied.at(index.value - 1);
  const auto& configuration = raft.log().configuration_at(index);
  SnapshotMeta meta{.index = index,
                    .term = last.term,
                    .configuration_index = configuration.index,
                    .configuration = configuration.configuration,
                    .time_ms = last.time_ms};
  keep_older(server);
  server.disk.snapshot_bytes = encode_state(server.applied, index);
  meta.size = server.disk.snapshot_bytes.size();
  meta.crc = crc32c(server.disk.snapshot_bytes);
  server.disk.snapshot = meta;
  step(id, SnapshotTaken{meta});
}

// Another snapshot is about to be recorded.
void Cluster::keep_older(Server& server) {
  Disk& disk = server.disk;
  const SnapshotMeta* sent = server.raft ? server.raft->snapshot_in_transfer(local_now(server)) : nullptr;
  std::erase_if(disk.older, [&](const auto& kept) { return sent == nullptr || kept.first != *sent; });
  if (disk.snapshot) disk.older.emplace_back(*disk.snapshot, disk.snapshot_bytes);
}

bool Cluster::sync_one(Id id) {
  Server& server = at(id);
  if (!server.raft || server.staged.empty()) return false;
  complete_one(server);
  pump(server);
  return true;
}

void Cluster::sync(Id id) {
  Server& server = at(id);
  for (size_t count = server.staged.size(); count > 0; --count) sync_one(id);
}

void Cluster::release_sync(Id id) {
  at(id).hold_sync = false;
  if (at(id).raft) pump(at(id));
}

void Cluster::answer_load(Id id, bool empty) {
  Server& server = at(id);
  if (!server.load) return;
  answer(server, *std::exchange(server.load, std::nullopt), empty);
  pump(server);
}

void Cluster::release_install(Id id) {
  Server& server = at(id);
  server.hold_install = false;
  if (!server.complete) return;
  server.todo.push_back(SnapshotReceived{*server.complete});
  server.complete.reset();
  pump(server);
}

// --- outputs

void Cluster::pump(Server& server) {
  for (int turn = 0; turn < 10'000; ++turn) {
    Output output = server.raft->take_output(local_now(server));
    bool again = output.more;
    absorb(server, std::move(output));
    if (server.old_disk && server.acknowledged_lost) {
      crash(server.id.value);
      return;
    }
    if (server.crash_before_sync && !server.staged.empty()) {
      crash(server.id.value);
      return;
    }
    while (!server.hold_sync && !server.staged.empty()) {
      complete_one(server);
      again = true;
    }
    while (!server.todo.empty()) {
      Input input = std::move(server.todo.front());
      server.todo.pop_front();
      server.raft->step(local_now(server), std::move(input));
      again = true;
    }
    if (!again) return;
  }
  violate(name(server) + "did not come to rest");
}

void Cluster::absorb(Server& server, Output output) {
  server.deadline = output.next_deadline;
  if (output.hard_state) {
    if (output.hard_state->current_term < server.term_seen) violate(name(server) + "its term went down");
    server.term_seen = output.hard_state->current_term;
  }
  if (!output.append.empty() || output.install)
    check_appended(server, output.append, output.install ? &*output.install : nullptr);
  if (output.persist_ticket != 0) {
    Staged batch{output.persist_ticket, output.hard_state, output.install, {}, std::move(output.append)};
    if (output.install) {
      batch.install_bytes = server.disk.incoming_bytes;
      server.applied = decode_state(server.disk.incoming_bytes);
      server.commit_seen = std::max(server.commit_seen, output.install->meta.index);
      if (server.applied.size() != output.install->meta.index.value)
        violate(name(server) + "a snapshot does not hold what its index says");
    }
    server.staged.push_back(std::move(batch));
  } else if (output.hard_state || !output.append.empty() || output.install) {
    violate(name(server) + "something to persist came without a ticket");
  }
  // No disk here goes back: whoever lost what it acknowledged has acknowledged it too early.
  if (output.acknowledged_lost) {
    server.acknowledged_lost = output.acknowledged_lost;
    if (server.old_disk) return;  // the node stops over it, before anything else
    if (believe_all_) violate(name(server) + "lost what it acknowledged");
  }
  // Servers that keep to the rules never find that of each other.
  for (Violation& violation : output.violations) {
    // Of a term that nobody can be in: only stories of a sick server have one.
    const bool story = violation.what.starts_with("a message of term");
    if (believe_all_ && !story) violate(name(server) + "was sent what no member can send: " + violation.what);
    server.violations.push_back(std::move(violation));
  }
  for (Outbound& outbound : output.send_now) leave(server, std::move(outbound));
  for (HeldOutbound& held : output.send_after_persist) server.held.push_back(std::move(held));
  for (Entry& entry : output.committed) {
    check_committed(server, entry);
    server.applied.push_back(std::move(entry));
  }
  if (server.raft->commit_index() < server.commit_seen) violate(name(server) + "its commit index went down");
  server.commit_seen = server.raft->commit_index();
  if (server.raft->applied_index().value != server.applied.size())
    violate(name(server) + "applied " + std::to_string(server.applied.size()) + " entries, the core says " +
            std::to_string(server.raft->applied_index().value));
  for (const ReadReady& ready : output.reads) {
    ReadResult& result = reads_[ready.token];
    if (!result.done) {  // a doubled request has two answers; whoever asked takes the first
      result.done = true;
      result.ok = ready.ok;
      result.index = ready.index;
    }
    if (ready.ok && ready.index.value < result.needed)
      violate(name(server) + "a stale read: at " + std::to_string(ready.index.value) + ", while " +
              std::to_string(result.needed) + " was committed before it was asked for");
  }
  for (const Proposed& proposed : output.proposals) {
    proposals_[proposed.token] = {true, proposed.refusal, proposed.term, proposed.index};
    server.proposals.push_back(proposed);
  }
  for (const TransferDone& done : output.transfers) server.transfers.push_back(done);
  for (const ChunkWanted& wanted : output.chunks_wanted) {
    const std::string* bytes =
        server.disk.snapshot && *server.disk.snapshot == wanted.meta ? &server.disk.snapshot_bytes : nullptr;
    for (const auto& [meta, older] : server.disk.older)
      if (meta == wanted.meta) bytes = &older;
    ChunkLoaded loaded{wanted.to, wanted.meta.index, wanted.offset, {}, false, bytes != nullptr};
    if (bytes != nullptr) {
      loaded.data = Bytes(bytes->substr(wanted.offset, std::min<size_t>(chunk_bytes, wanted.max_bytes)));
      loaded.done = wanted.offset + loaded.data.size() == wanted.meta.size;
    }
    server.todo.push_back(std::move(loaded));
  }
  for (ChunkReceived& chunk : output.chunks_received) store_chunk(server, chunk);
  if (output.compact) {
    if (!server.disk.snapshot || *output.compact > server.disk.snapshot->index)
      violate(name(server) + "the log is compacted beyond the snapshot");
    server.compactions.push_back(*output.compact);
    if (const auto term = server.disk.term_at(*output.compact); term && *output.compact > server.disk.base_index) {
      const auto gone = static_cast<std::ptrdiff_t>(*output.compact - server.disk.base_index);
      server.disk.log.erase(server.disk.log.begin(), server.disk.log.begin() + gone);
      server.disk.base_index = *output.compact;
      server.disk.base_term = *term;
    }
  }
  if (output.load) {
    ++server.loads;
    if (server.load) violate(name(server) + "two loads at once");
    if (server.hold_loads) {
      server.load = output.load;
    } else {
      answer(server, *output.load, false);
    }
  }
  check_leader(server);
}

void Cluster::answer(Server& server, const LoadEntries& load, bool empty) {
  EntriesLoaded loaded{{}, load.first};
  uint64_t bytes = 0;
  for (const Entry& e : server.disk.log) {
    if (empty || e.index < load.first || e.index > load.last) continue;
    bytes += cost(e);
    if (!loaded.entries.empty() && bytes > 64 * 1024) break;
    loaded.entries.push_back(e);
  }
  if (!loaded.entries.empty() && loaded.entries.front().index != load.first) loaded.entries.clear();
  server.todo.push_back(std::move(loaded));
}

void Cluster::store_chunk(Server& server, ChunkReceived& chunk) {
  Disk& disk = server.disk;
  if (chunk.offset == 0) {
    disk.incoming = chunk.meta;
    disk.incoming_bytes.clear();
  }
  if (disk.incoming != chunk.meta) violate(name(server) + "a chunk of one snapshot is put behind those of another");
  if (disk.incoming_bytes.size() != chunk.offset) violate(name(server) + "a chunk leaves a hole");
  disk.incoming_bytes += chunk.data.view();
  const bool whole =
      !chunk.done || (disk.incoming_bytes.size() == chunk.meta.size && crc32c(disk.incoming_bytes) == chunk.meta.crc);
  if (!whole) {
    disk.incoming.reset();
    disk.incoming_bytes.clear();
  }
  server.todo.push_back(ChunkStored{chunk.meta, disk.incoming_bytes.size(), whole});
  if (!chunk.done || !whole) return;
  if (server.hold_install) {
    server.complete = chunk.meta;
  } else {
    server.todo.push_back(SnapshotReceived{chunk.meta});
  }
}

void Cluster::complete_one(Server& server) {
  Staged batch = std::move(server.staged.front());
  server.staged.pop_front();
  Disk& disk = server.disk;
  if (batch.install) {
    const SnapshotMeta& meta = batch.install->meta;
    keep_older(server);
    disk.snapshot = meta;
    disk.snapshot_bytes = batch.install_bytes;
    if (batch.install->keep_suffix && meta.index <= disk.last_index() && meta.index > disk.base_index) {
      disk.log.erase(disk.log.begin(), disk.log.begin() + static_cast<std::ptrdiff_t>(meta.index - disk.base_index));
    } else if (!batch.install->keep_suffix || meta.index > disk.last_index()) {
      disk.log.clear();
    }
    if (meta.index > disk.base_index) {
      disk.base_index = meta.index;
      disk.base_term = meta.term;
    }
  }
  for (Entry& e : batch.append) {
    if (e.index <= disk.base_index || e.index > disk.last_index() + 1) {
      violate(name(server) + at_index("an append does not fit the log", e.index, e.term));
      break;
    }
    while (disk.last_index() >= e.index) disk.log.pop_back();
    disk.log.push_back(std::move(e));
  }
  if (batch.hard_state) disk.hard_state = *batch.hard_state;
  while (!server.held.empty() && server.held.front().ticket <= batch.ticket) {
    leave(server, std::move(server.held.front().outbound));
    server.held.pop_front();
  }
  server.raft->step(local_now(server), Persisted{batch.ticket});
}

void Cluster::leave(Server& server, Outbound outbound) {
  check_promise(server, outbound);
  ++sent_;
  if (cuts_.contains({server.id, outbound.to})) return;
  links_[{server.id, outbound.to}].push_back(std::move(outbound.body));
}

// --- what must hold

// The durability contract: at the moment a message leaves, what it speaks for is on the disk (HAZARDS A1, B6, C1).
void Cluster::check_promise(Server& server, const Outbound& outbound) {
  const HardState& saved = server.disk.hard_state;
  const auto vote = [&](Term term, NodeId candidate) {
    if (saved.current_term < term || (saved.current_term == term && saved.voted_for != candidate))
      violate(name(server) + "a vote left before it was on the disk");
    const auto [it, first] = votes_.try_emplace({server.id, term}, candidate);
    if (!first && it->second != candidate) violate(name(server) + "voted twice in term " + std::to_string(term.value));
  };
  if (const auto* request = std::get_if<RequestVote>(&outbound.body)) {
    if (request->pre_vote) return;
    vote(request->term, server.id);
    return;
  }
  if (const auto* reply = std::get_if<RequestVoteReply>(&outbound.body)) {
    if (reply->pre_vote) return;
    if (reply->granted) vote(reply->term, outbound.to);
  }
  const Term term = std::visit([](const auto& message) { return message.term; }, outbound.body);
  if (term > saved.current_term) violate(name(server) + "a message left before its term was on the disk");
  if (const auto* reply = std::get_if<AppendEntriesReply>(&outbound.body); reply != nullptr && reply->success) {
    if (reply->match_index > server.disk.last_index())
      violate(name(server) + "acknowledged " + std::to_string(reply->match_index.value) + " with " +
              std::to_string(server.disk.last_index().value) + " on its disk");
    // And it is the leader's log that it holds.
    if (const auto leader = servers_.find(outbound.to);
        leader != servers_.end() && leader->second.raft && leader->second.raft->role() == Role::leader &&
        leader->second.raft->current_term() == reply->term && reply->match_index > server.disk.base_index) {
      const auto theirs = leader->second.raft->log().term_at(reply->match_index);
      if (theirs && server.disk.term_at(reply->match_index) != theirs)
        violate(name(server) + at_index("acknowledged an entry that is not the leader's", reply->match_index, *theirs));
    }
  }
}

void Cluster::check_appended(Server& server, const std::vector<Entry>& entries, const InstallState* install) {
  if (entries.empty()) return;
  Index index = entries.front().index;
  if (install != nullptr && index <= install->meta.index) violate(name(server) + "an append lies within its snapshot");
  for (const Entry& e : entries) {
    if (e.index != index) violate(name(server) + at_index("appends are not contiguous", e.index, e.term));
    ++index;
    if (e.index.value <= server.applied.size() && server.applied[e.index.value - 1].term != e.term)
      violate(name(server) + at_index("a committed entry was replaced", e.index, e.term));
    const Term before = server.raft->log().term_at(e.index - 1).value_or(Term{});
    const auto [it, first] = written_.try_emplace({e.index, e.term}, before, e);
    if (!first && (it->second.second != e || (it->second.first != before && before.value != 0)))
      violate(name(server) + at_index("logs do not match", e.index, e.term));
  }
}

void Cluster::check_leader(Server& server) {
  const Raft& raft = *server.raft;
  const bool leads = raft.role() == Role::leader;
  if (leads) {
    const auto [it, first] = leaders_.try_emplace(raft.current_term(), server.id);
    if (it->second != server.id)
      violate(name(server) + "a second leader of term " + std::to_string(raft.current_term().value));
    if (first) {
      for (const Entry& e : committed_) {
        if (e.index < raft.log().base_index() || committed_in_[e.index.value - 1] >= raft.current_term()) continue;
        if (raft.log().term_at(e.index) != e.term)
          violate(name(server) + at_index("a leader lacks the committed entry", e.index, e.term));
      }
    }
  }
  server.role_seen = raft.role();
}

bool Cluster::durable_on_quorum(Server& by, const Entry& entry) {
  // Which leader committed it is not known here, nor its configuration: one that is in force somewhere will do.
  const auto holds = [&](NodeId id) {
    const auto it = servers_.find(id);
    if (it == servers_.end()) return true;
    const Disk& disk = it->second.disk;
    return entry.index <= disk.base_index || disk.term_at(entry.index) == entry.term;
  };
  std::vector<Configuration> in_force{by.raft->log().configuration_at(entry.index).configuration};
  for (const auto& [id, server] : servers_)
    if (server.raft) in_force.push_back(server.raft->configuration());
  for (const Configuration& configuration : in_force) {
    size_t count = 0;
    for (const Member& m : configuration.members())
      if (m.suffrage == Suffrage::voter && holds(m.id)) ++count;
    if (count >= configuration.quorum()) return true;
  }
  return false;
}

void Cluster::check_committed(Server& server, const Entry& entry) {
  if (entry.index.value != server.applied.size() + 1) {
    violate(name(server) + at_index("applied out of order: the entry", entry.index, entry.term));
    return;
  }
  if (entry.index.value <= committed_.size()) {
    if (committed_[entry.index.value - 1] != entry)
      violate(name(server) + at_index("applied something else than others", entry.index, entry.term));
    return;
  }
  if (entry.index.value != committed_.size() + 1) {
    violate(name(server) + at_index("applied beyond what is committed: the entry", entry.index, entry.term));
    return;
  }
  if (believe_all_ && !durable_on_quorum(server, entry))
    violate(name(server) + at_index("committed without a quorum of disks: the entry", entry.index, entry.term));
  committed_.push_back(entry);
  committed_in_.push_back(server.raft->current_term());
}

// --- network

size_t Cluster::deliver(Id from, Id to, size_t count) {
  size_t delivered = 0;
  auto& queue = link(from, to);
  count = std::min(count, queue.size());
  while (delivered < count && !queue.empty()) {
    MessageBody body = std::move(queue.front());
    queue.pop_front();
    ++delivered;
    if (exists(to)) receive(to, from, std::move(body));
  }
  return delivered;
}

bool Cluster::waits(NodeId from, NodeId to) const {
  const auto receiver = servers_.find(to);
  return clogged_.contains({from, to}) || (receiver != servers_.end() && receiver->second.paused);
}

size_t Cluster::deliver_all() {
  size_t total = 0;
  for (int round = 0; round < 10'000; ++round) {
    size_t delivered = 0;
    std::vector<std::pair<NodeId, NodeId>> ends;
    for (const auto& [link_ends, queue] : links_)
      if (!queue.empty() && !waits(link_ends.first, link_ends.second)) ends.push_back(link_ends);
    for (const auto& [from, to] : ends) delivered += deliver(from.value, to.value);
    if (delivered == 0) return total;
    total += delivered;
  }
  violate("messages never come to an end");
  return total;
}

void Cluster::duplicate(Id from, Id to) {
  auto& queue = link(from, to);
  const std::deque<MessageBody> copy = queue;
  queue.insert(queue.end(), copy.begin(), copy.end());
}

void Cluster::reverse(Id from, Id to) { std::reverse(link(from, to).begin(), link(from, to).end()); }

void Cluster::cut(Id from, Id to) {
  cuts_.insert({NodeId{from}, NodeId{to}});
  drop(from, to);
}

void Cluster::cut_both(Id a, Id b) {
  cut(a, b);
  cut(b, a);
}

void Cluster::isolate(Id id) {
  for (const auto& [other, server] : servers_)
    if (other.value != id) cut_both(id, other.value);
}

void Cluster::heal() {
  std::set<std::pair<NodeId, NodeId>> told;  // once each, also where both ways were cut
  for (const auto& [from, to] : std::exchange(cuts_, {})) {
    told.insert({from, to});
    told.insert({to, from});
  }
  for (const auto& [who, whom] : told)
    if (exists(who.value)) step(who.value, PeerConnected{whom});
}

// --- time

bool Cluster::tick_due(Server& server) {
  if (!server.raft || server.paused || server.deadline > local_now(server)) return false;
  step(server.id.value, Tick{});
  return true;
}

void Cluster::to_next_deadline(Millis end) {
  Millis next = end;
  for (const auto& [id, server] : servers_)
    if (server.raft && !server.paused && server.deadline != kNever)
      next = std::min(next, std::max(now_ + 1, server.deadline > server.skew ? server.deadline - server.skew : 0));
  now_ = next;
  for (auto& [id, server] : servers_) tick_due(server);
}

void Cluster::advance(Millis duration) {
  const Millis end = now_ + duration;
  while (now_ < end) to_next_deadline(end);
}

void Cluster::run(Millis duration) {
  const Millis end = now_ + duration;
  while (now_ < end) {
    std::vector<std::tuple<NodeId, NodeId, size_t>> waiting;
    for (const auto& [ends, queue] : links_)
      if (!queue.empty() && !waits(ends.first, ends.second))
        waiting.emplace_back(ends.first, ends.second, queue.size());
    if (!waiting.empty()) {
      ++now_;
      for (const auto& [from, to, count] : waiting) deliver(from.value, to.value, count);
      for (auto& [id, server] : servers_) tick_due(server);
    } else {
      to_next_deadline(end);
    }
  }
}

bool Cluster::run_until(const std::function<bool()>& condition, Millis limit) {
  for (Millis spent = 0; spent < limit; spent += 5) {
    if (condition()) return true;
    run(5);
  }
  return condition();
}

// --- views

Id Cluster::leader() {
  Id found = 0;
  Term term;
  for (const auto& [id, server] : servers_) {
    if (!server.raft || server.raft->role() != Role::leader || server.raft->current_term() < term) continue;
    found = id.value;
    term = server.raft->current_term();
  }
  return found;
}

std::vector<uint64_t> Cluster::terms(Id id) {
  std::vector<uint64_t> result;
  const Log& log = raft(id).log();
  for (Index i = log.first_index(); i <= log.last_index(); ++i) result.push_back(log.term_at(i)->value);
  return result;
}

std::vector<std::string> Cluster::values(Id id) {
  std::vector<std::string> result;
  for (const Entry& e : at(id).applied)
    if (e.kind == EntryKind::command) result.emplace_back(e.payload.view());
  return result;
}

bool Cluster::has_committed(const std::string& payload) const {
  return std::any_of(committed_.begin(), committed_.end(),
                     [&](const Entry& e) { return e.kind == EntryKind::command && e.payload.view() == payload; });
}

std::string Cluster::not_converged() {
  const Id lead = leader();
  if (lead == 0) return "no leader";
  const Raft& leading = raft(lead);
  if (!leading.leads_for_certain()) return "the leader has committed nothing of its term";
  if (leading.commit_index() != leading.log().last_index()) return "the leader's log is not committed";
  for (const auto& [id, server] : servers_) {
    if (!leading.configuration().contains(id) || !server.raft || server.paused) continue;
    const std::string who = "server " + std::to_string(id.value);
    if (id.value != lead && server.raft->role() != Role::follower) return who + " does not follow";
    if (server.raft->leader_id().value != lead) return who + " follows somebody else";
    if (server.raft->log().last_index() != leading.log().last_index() ||
        server.raft->log().last_term() != leading.log().last_term())
      return who + " has another log";
    if (server.raft->commit_index() != leading.commit_index()) return who + " has not committed all";
    if (server.raft->applied_index() != leading.applied_index()) return who + " has not applied all";
    if (!server.staged.empty()) return who + " has not synced all";
    if (server.applied != at(lead).applied) return who + " holds another state";
    for (Index i = std::max(server.raft->log().base_index(), leading.log().base_index()) + 1;
         i <= leading.log().last_index(); ++i)
      if (server.raft->log().term_at(i) != leading.log().term_at(i)) return who + " has another entry";
  }
  for (const Member& m : leading.configuration().members())
    if (m.suffrage == Suffrage::learner && servers_.contains(m.id) && servers_.at(m.id).raft)
      return "a learner is left";
  return {};
}

std::string Cluster::converge(Millis limit) {
  run_until([&] { return not_converged().empty(); }, limit);
  return not_converged();
}

}  // namespace wh::raft::test
