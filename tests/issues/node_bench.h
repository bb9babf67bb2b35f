// A Node on a test bench: its ports only record the calls, so the test decides what comes back, and when.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "node/node.h"

namespace wh::node {

struct BenchStorage final : Storage {
  std::deque<StorageDone> due;  // completions, to be given back by Bench::persist
  std::vector<FoundingGrant> grants;
  std::vector<raft::SnapshotMeta> snapshots;  // that were begun
  int snapshots_begun = 0;
  bool finished = false;  // finish_snapshot was called
  size_t slices = 0;      // of snapshots, that were given to be written
  struct Read {
    uint64_t number;
    raft::Index index;
  };
  std::vector<Read> reads;  // of snapshots, not answered yet
  Millis age = 0;
  std::vector<std::pair<raft::Index, raft::Index>> lost;  // acknowledged, and where the log ends

  void persist(Batch batch) override { due.emplace_back(BatchPersisted{batch.ticket}); }
  void begin_anew(NewBeginning) override { due.emplace_back(BeginningPersisted{}); }
  void save_grant(FoundingGrant grant) override {
    grants.push_back(grant);
    due.emplace_back(GrantPersisted{});
  }
  void load_entries(raft::Index, raft::Index, uint64_t) override {}
  void compact(raft::Index) override {}
  void begin_snapshot(const raft::SnapshotMeta& meta) override {
    snapshots.push_back(meta);
    ++snapshots_begun;
  }
  void write_snapshot_slice(Bytes) override { ++slices; }
  void finish_snapshot() override { finished = true; }
  void write_incoming_chunk(const raft::SnapshotMeta&, uint64_t, Bytes, bool) override {}
  void keep_snapshot(std::optional<raft::SnapshotMeta>) override {}
  void read_snapshot(uint64_t number, const raft::SnapshotMeta& meta, uint64_t, uint64_t) override {
    reads.push_back({number, meta.index});
  }
  void acknowledged_lost(raft::Index acknowledged, raft::Index last) override { lost.emplace_back(acknowledged, last); }
  [[nodiscard]] Millis sync_age() const override { return age; }
};

struct BenchTransport final : Transport {
  struct Sent {
    raft::NodeId to;
    PeerMessage message;
  };
  struct Asked {
    uint64_t request;
    std::string address;
    Ask question;
  };
  std::vector<Peer> peers;
  Membership membership;
  Identity identity;
  Standing standing = Standing::seeking;
  std::vector<Sent> sent;
  std::vector<Asked> asked;
  std::vector<std::pair<uint64_t, Answer>> answers;
  std::map<std::string, std::vector<std::string>> names;  // what leads elsewhere than to itself; to nothing: unknown
  std::vector<std::pair<uint64_t, std::string>> lookups;
  std::vector<raft::NodeId> cut;  // whose connections were closed
  std::vector<raft::NodeId> half_read;

  void set_peers(std::vector<Peer> now) override { peers = std::move(now); }
  void set_membership(Membership now) override { membership = std::move(now); }
  void set_identity(const Identity& who, Standing now) override {
    identity = who;
    standing = now;
  }
  bool send(raft::NodeId to, PeerMessage message) override {
    sent.push_back({to, std::move(message)});
    return true;
  }
  void cut_off(raft::NodeId from) override { cut.push_back(from); }
  [[nodiscard]] bool left_some(raft::NodeId from) const override {
    return from ? std::find(half_read.begin(), half_read.end(), from) != half_read.end() : !half_read.empty();
  }
  void ask(uint64_t request, const std::string& address, Ask question) override {
    asked.push_back({request, address, std::move(question)});
  }
  void resolve(uint64_t request, const std::string& address) override { lookups.emplace_back(request, address); }
  void answer(uint64_t question_id, Answer answer) override { answers.emplace_back(question_id, std::move(answer)); }
};

inline constexpr raft::NodeId kMe{11};
inline constexpr raft::NodeId kOther{22};
inline constexpr raft::NodeId kThird{33};
inline constexpr ClusterId kCluster{1, 2, 3};
inline constexpr ClusterId kAnotherCluster{4, 5, 6};

inline NodeOptions bench_options() {
  NodeOptions options;
  options.name = "me";
  options.raft_address = "a:2";
  options.fresh_cluster = kCluster;
  options.seed = 1;
  options.request_timeout_ms = 1'000;
  // A log has no entries but those that a test is about; versions_test.cc has those of later versions.
  options.version = kFirstVersion;
  options.log_cache_ms = 0;  // tests look at the whole log
  return options;
}

// Of a node that knows the addresses of all three.
inline NodeOptions listed() {
  NodeOptions options = bench_options();
  options.join = {"a:1", "a:2", "a:3"};
  return options;
}

inline RecoveredNode empty_disk() {
  RecoveredNode disk;
  disk.instance = kMe;
  disk.name = "me";
  disk.epoch = 1;
  return disk;
}

// The disk of a voter of three, in term 1.
inline RecoveredNode member_disk(uint64_t epoch = 1) {
  RecoveredNode disk = empty_disk();
  disk.epoch = epoch;
  disk.cluster = kCluster;
  disk.saw_others = true;
  const raft::Configuration configuration(
      {raft::Member{.id = kMe, .name = "me", .raft_address = "a:2", .http_address = {}, .https_address = {}},
       raft::Member{.id = kOther, .name = "other", .raft_address = "a:1", .http_address = {}, .https_address = {}},
       raft::Member{.id = kThird, .name = "third", .raft_address = "a:3", .http_address = {}, .https_address = {}}});
  const raft::Entry entry{.index = raft::Index{1},
                          .term = raft::Term{1},
                          .kind = raft::EntryKind::configuration,
                          .payload = Bytes(configuration.encode())};
  disk.raft.hard_state.current_term = raft::Term{1};
  disk.raft.log.last_index = entry.index;
  disk.raft.log.runs = {{entry.index, entry.term}};
  disk.raft.log.configurations = {{entry.index, configuration}};
  disk.raft.log.tail = {entry};
  return disk;
}

// What the node at an address says of itself while it is in no cluster.
inline WhoIAm empty_node(raft::NodeId instance, const std::string& address, uint64_t attempt = 0) {
  return {.identity = {.cluster = kNoCluster,
                       .instance = instance,
                       .name = address,
                       .raft_address = address,
                       .http_address = {},
                       .https_address = {}},
          .standing = Standing::seeking,
          .founding_attempt = attempt,
          .leader_address = {},
          .view = std::nullopt};
}

// The same, of one that has found all three.
inline const std::vector<raft::NodeId> kAllThree{kMe, kOther, kThird};
inline WhoIAm waiting_node(raft::NodeId instance, const std::string& address, uint64_t attempt = 0) {
  WhoIAm who = empty_node(instance, address, attempt);
  who.view = FoundingView{kAllThree, {}};
  return who;
}

struct Bench {
  BenchStorage storage;
  BenchTransport transport;
  Millis now = 10'000;
  Node node;

  explicit Bench(NodeOptions options, RecoveredNode disk)
      : node(std::move(options), std::move(disk), storage, transport, 10'000) {}

  void turn() {
    for (int i = 0; i < 100; ++i) {
      node.drain(now);
      for (const auto& [request, address] : std::exchange(transport.lookups, {})) {
        const auto name = transport.names.find(address);
        if (name == transport.names.end()) {
          node.resolved(request, std::vector{address}, now);
        } else if (name->second.empty()) {
          node.resolved(request, Error{"no such name"}, now);
        } else {
          node.resolved(request, name->second, now);
        }
      }
      if (!node.wants_turn()) return;
    }
  }
  // Everything that was written is durable now.
  void persist() {
    turn();
    while (!storage.due.empty()) {
      StorageDone done = std::move(storage.due.front());
      storage.due.pop_front();
      node.storage_done(std::move(done), now);
      turn();
    }
  }
  void wait(Millis ms) {
    now += ms;
    node.tick(now);
    persist();
  }
  // Answers what was asked of the addresses of `join`: a:1 and a:3 are others', a:2 is this node's. Nobody takes it in.
  template <typename Answers>
  void answer_seeking(Answers answers) {
    for (int round = 0; round < 2; ++round) {
      for (const auto& question : std::exchange(transport.asked, {})) {
        if (std::holds_alternative<WhoAreYou>(question.question)) {
          node.answered(question.request, answers(question.address), now);
        } else if (std::holds_alternative<TakeMeIn>(question.question)) {
          node.answered(question.request, Error{"no answer in time"}, now);
        } else {
          transport.asked.push_back(question);
        }
      }
      persist();
    }
  }
  // All three are there, empty, and know of each other.
  void find_all(uint64_t attempt_of_other = 0) {
    wait(1'000);
    answer_seeking([&](const std::string& address) -> Result<Answer> {
      if (address == "a:2") return Answer(empty_node(kMe, address));
      return Answer(address == "a:1" ? waiting_node(kOther, address, attempt_of_other) : waiting_node(kThird, address));
    });
  }
  // The other node leads this term, and says so.
  void heartbeat(raft::Term term) {
    node.receive(kOther,
                 raft::AppendEntries{.term = term, .prev_log_index = raft::Index{1}, .prev_log_term = raft::Term{1}},
                 now);
    persist();
  }
};

}  // namespace wh::node
