// A cluster of pure cores for tests: virtual disks (batches are staged, then synced; unsynced batches can be lost), a
// virtual network (each link is a queue that the test delivers, drops, duplicates or reorders by hand) and virtual
// time. Every output of a core passes through here. It is checked against the invariants of Figure 3, and against the
// promise that no message leaves before the state it vouches for is on disk. Used by the unit tests of tests/raft and
// by the scenarios.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "raft/raft.h"

namespace wh::raft::test {

using Id = uint64_t;

// What a server finds when it starts: everything that was synced before.
struct Disk {
  HardState hard_state;
  Configuration genesis;  // in force before the first entry
  Index base_index;
  Term base_term;
  std::vector<Entry> log;  // from base_index + 1
  std::optional<SnapshotMeta> snapshot;
  std::string snapshot_bytes;
  // As the storage keeps them: the one before, and the one that is being sent.
  std::vector<std::pair<SnapshotMeta, std::string>> older;
  std::optional<SnapshotMeta> incoming;  // what there is of one survives a restart
  std::string incoming_bytes;

  [[nodiscard]] Index last_index() const { return base_index + log.size(); }
  [[nodiscard]] std::optional<Term> term_at(Index index) const;
  // `tail_entries`: how many of the newest entries are handed to the core's cache.
  [[nodiscard]] Recovered recover(size_t tail_entries) const;
};

struct Staged {
  uint64_t ticket = 0;
  std::optional<HardState> hard_state;
  std::optional<InstallState> install;
  std::string install_bytes;
  std::vector<Entry> append;
};

struct ReadResult {
  bool done = false;
  bool ok = false;
  Index index;
  size_t needed = 0;  // entries known committed anywhere when the read was asked for
};

struct ProposalResult {
  bool done = false;
  Refusal refusal = Refusal::none;
  Term term;
  Index index;
};

struct Server {
  NodeId id;
  Disk disk;
  std::unique_ptr<Raft> raft;  // null: crashed, or never started
  Options options;
  uint64_t starts = 0;
  Millis skew = 0;  // its clock runs ahead of the cluster's by this

  std::deque<Staged> staged;
  std::deque<HeldOutbound> held;
  bool hold_sync = false;
  bool crash_before_sync = false;
  std::deque<Input> todo;  // what its storage will report next
  bool hold_loads = false;
  std::optional<LoadEntries> load;  // asked for and not answered
  size_t loads = 0;
  bool hold_install = false;
  std::optional<SnapshotMeta> complete;  // received whole, not yet reported

  std::vector<Entry> applied;  // the state machine: everything ever committed, from index 1
  Index commit_seen;
  Role role_seen = Role::follower;
  Term term_seen;
  Millis deadline = kNever;
  std::vector<Proposed> proposals;
  std::optional<Index> acknowledged_lost;
  std::vector<Violation> violations;  // that it was sent
  std::vector<TransferDone> transfers;
  std::vector<Index> compactions;
  bool paused = false;    // SIGSTOP: nothing is read and no timer runs; what arrives waits
  bool old_disk = false;  // a copy from before was put back: losing what it acknowledged is noticed, and stops it
};

Options test_options();
Entry entry_of(uint64_t index, uint64_t term, std::string payload = {});
// Entries 1..n with these terms.
std::vector<Entry> log_of(const std::vector<uint64_t>& terms);
Configuration configuration_of(const std::vector<Id>& voters, const std::vector<Id>& learners = {});
Member member_of(Id id, Suffrage suffrage = Suffrage::voter);

class Cluster {
 public:
  explicit Cluster(Options options = test_options());
  ~Cluster();  // reports violations nobody took
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  // --- servers
  // Adds and starts servers 1..n that all know each other as voters.
  void nodes(const std::vector<Id>& voters);
  // A server in no cluster yet.
  void outsider(Id id);
  Server& add(Id id, Disk disk);
  void start(Id id);
  void crash(Id id);
  void pause(Id id) { at(id).paused = true; }
  // As a process that stood still goes on: what waited for it is read first, then its timers run (HAZARDS A12).
  void resume(Id id);
  [[nodiscard]] bool exists(Id id) const { return servers_.contains(NodeId{id}); }
  Server& at(Id id);
  [[nodiscard]] const Raft& raft(Id id) { return *at(id).raft; }
  [[nodiscard]] Disk disk_of(const std::vector<Id>& voters, const std::vector<uint64_t>& terms, uint64_t term) const;

  // --- inputs
  void step(Id id, Input input);
  // Several inputs, then one output: what arrives within one turn.
  void step_all(Id id, std::vector<Input> inputs);
  void receive(Id to, Id from, MessageBody body) { step(to, Receive{NodeId{from}, std::move(body)}); }
  uint64_t propose(Id id, std::string payload);
  uint64_t change(Id id, Configuration configuration);
  uint64_t read(Id id);
  uint64_t transfer(Id id, Id to);
  // The server's own clock runs to its deadline, and it is told so.
  void timeout(Id id);
  void snapshot(Id id);
  bool sync_one(Id id);
  void sync(Id id);
  void release_sync(Id id);
  void answer_load(Id id, bool empty = false);
  void release_install(Id id);

  // --- network
  [[nodiscard]] std::deque<MessageBody>& link(Id from, Id to) { return links_[{NodeId{from}, NodeId{to}}]; }
  size_t deliver(Id from, Id to, size_t count = SIZE_MAX);
  // Everything in flight, and what comes of it, until nothing is.
  size_t deliver_all();
  void drop(Id from, Id to) { link(from, to).clear(); }
  void duplicate(Id from, Id to);
  void reverse(Id from, Id to);
  void cut(Id from, Id to);  // one way
  // What is sent waits on the link, in order, until the test lets it go or delivers it by hand.
  void clog(Id from, Id to) { clogged_.insert({NodeId{from}, NodeId{to}}); }
  void unclog(Id from, Id to) { clogged_.erase({NodeId{from}, NodeId{to}}); }
  void cut_both(Id a, Id b);
  void isolate(Id id);
  void heal();
  // The newest message on a link of this type, or null.
  template <class T>
  const T* last(Id from, Id to) {
    const auto& queue = link(from, to);
    for (auto it = queue.rbegin(); it != queue.rend(); ++it)
      if (const T* body = std::get_if<T>(&*it)) return body;
    return nullptr;
  }

  // --- time
  [[nodiscard]] Millis now() const { return now_; }
  [[nodiscard]] Millis local_now(const Server& server) const { return now_ + server.skew; }
  // Ticks whoever is due; delivers nothing.
  void advance(Millis duration);
  // The same, and what is sent arrives a millisecond later.
  void run(Millis duration);
  bool run_until(const std::function<bool()>& condition, Millis limit = 20'000);

  // --- views
  [[nodiscard]] Id leader();  // of the highest term among those that lead; 0: none
  [[nodiscard]] std::vector<uint64_t> terms(Id id);
  [[nodiscard]] std::vector<std::string> values(Id id);  // payloads of the commands it applied
  [[nodiscard]] bool has_committed(const std::string& payload) const;
  [[nodiscard]] const std::vector<Entry>& committed() const { return committed_; }
  ReadResult& read_result(uint64_t token) { return reads_[token]; }
  ProposalResult& proposal(uint64_t token) { return proposals_[token]; }
  [[nodiscard]] uint64_t messages_sent() const { return sent_; }
  // Lets a leader be elected and followers catch up: all that run agree. Empty when so, else what is missing.
  std::string converge(Millis limit = 20'000);

  // --- what must hold
  [[nodiscard]] std::vector<std::string> take_violations() { return std::exchange(violations_, {}); }
  void violate(const std::string& what) { violations_.push_back(what); }
  // For tests that play the other servers themselves: what those hold is then not known here.
  void trust_the_test() { believe_all_ = false; }

  Options options;
  size_t recovered_tail = SIZE_MAX;
  size_t chunk_bytes = 64;

 private:
  void pump(Server& server);
  void absorb(Server& server, Output output);
  void leave(Server& server, Outbound outbound);
  void complete_one(Server& server);
  void answer(Server& server, const LoadEntries& load, bool empty);
  void store_chunk(Server& server, ChunkReceived& chunk);
  void keep_older(Server& server);
  void check_promise(Server& server, const Outbound& outbound);
  void check_appended(Server& server, const std::vector<Entry>& entries, const InstallState* install);
  void check_leader(Server& server);
  void check_committed(Server& server, const Entry& entry);
  [[nodiscard]] bool durable_on_quorum(Server& by, const Entry& entry);
  bool tick_due(Server& server);
  // Time goes on to what is due next, or to `end`.
  void to_next_deadline(Millis end);
  [[nodiscard]] bool waits(NodeId from, NodeId to) const;
  [[nodiscard]] std::string not_converged();

  std::map<NodeId, Server> servers_;
  std::map<std::pair<NodeId, NodeId>, std::deque<MessageBody>> links_;
  std::set<std::pair<NodeId, NodeId>> cuts_;
  std::set<std::pair<NodeId, NodeId>> clogged_;
  Millis now_ = 100'000;
  uint64_t next_token_ = 1;
  uint64_t sent_ = 0;
  bool believe_all_ = true;
  std::map<uint64_t, ReadResult> reads_;
  std::map<uint64_t, ProposalResult> proposals_;

  std::vector<std::string> violations_;
  std::map<Term, NodeId> leaders_;
  std::map<std::pair<NodeId, Term>, NodeId> votes_;
  std::vector<Entry> committed_;
  std::vector<Term> committed_in_;  // for each, a term not before the one in which it was committed
  // Log matching by induction: what (index, term) holds, and the term before it.
  std::map<std::pair<Index, Term>, std::pair<Term, Entry>> written_;
};

}  // namespace wh::raft::test
