// A member of a cluster of version 3, with its queues: for the tests of receives and other takes.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "versioned.h"

namespace wh::node {

inline std::string receive_of(const std::string& queue, uint32_t max = 1, const char* key = nullptr) {
  const machine::Receive receive{.queue = queue, .max = max, .visibility = {}};
  return key == nullptr ? machine::encode_command(receive)
                        : machine::encode_command(receive, machine::IdempotencyKey{key, {}});
}

// Removes the front event of the first of these queues that has one.
inline TakeRequest pop_of(const std::vector<std::string>& queues, Millis wait_ms = 0) {
  return {.command = machine::encode_command(machine::Dequeue{queues[0], {}}),
          .also = {queues.begin() + 1, queues.end()},
          .wait_ms = wait_ms};
}

inline std::string put(const std::string& queue, int count = 1) {
  machine::PutEvents events{.queue = queue, .events = {}};
  for (int i = 0; i < count; ++i) events.events.push_back({.bytes = "e"});
  return machine::encode_command(events);
}

// Leads a cluster of version 3.
struct QueueLeader : Versioned {
  QueueLeader() {
    says(kOther, kLatestVersion);
    says(kThird, kLatestVersion);
    lead();
    settle();
    REQUIRE(node.cluster_version() == kLatestVersion);
  }
  void enqueue(Token token, const std::string& queue, int count = 1) {
    node.submit_write(token, put(queue, count), true, now);
    persist();
    settle();
  }
  void receive(Token token, const std::string& queue, Millis wait_ms = 0, uint32_t max = 1, const char* key = nullptr) {
    node.submit_receive(token, receive_of(queue, max, key), wait_ms, now);
    persist();
  }
  void pop(Token token, const std::vector<std::string>& queues, Millis wait_ms = 0) {
    node.submit_take(token, pop_of(queues, wait_ms), now);
    persist();
  }
  // How many events a receive was answered; -1: it was not.
  int got(Token token) {
    const Completion* completion = answer(token);
    if (completion == nullptr) return -1;
    CHECK(completion->outcome == Outcome::applied);
    return static_cast<int>(completion->reply.deliveries.size());
  }
  [[nodiscard]] uint64_t ready(const std::string& queue) const { return node.machine().queue_length(queue); }
  // The others answer the rounds that read indexes began.
  void confirm_reads() {
    for (const raft::NodeId id : {kOther, kThird}) {
      const auto sent = sent_to<raft::AppendEntries>(id);
      REQUIRE(!sent.empty());
      node.receive(id,
                   raft::AppendEntriesReply{.term = node.raft()->current_term(),
                                            .success = true,
                                            .match_index = last(),
                                            .read_round = sent.back().read_round},
                   now);
      persist();
    }
  }
};

// Follows kOther in term 2, in a cluster of version 3.
struct QueueFollower : Versioned {
  QueueFollower() {
    led(kOther, 2, raft::Index{1}, {}, 1);
    const raft::Index before = last();
    raft::AppendEntries rise{.term = raft::Term{2},
                             .prev_log_index = before,
                             .prev_log_term = *node.raft()->log().term_at(before),
                             .leader_commit = before + 1};
    rise.entries.push_back({.index = before + 1,
                            .term = raft::Term{2},
                            .kind = raft::EntryKind::version,
                            .payload = Bytes(encode_version(kLatestVersion))});
    node.receive(kOther, rise, now);
    persist();
    REQUIRE(node.cluster_version() == kLatestVersion);
  }
};

}  // namespace wh::node
