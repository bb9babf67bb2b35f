// One of three voters on the test bench; the test plays the other two.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "machine/command/command.h"
#include "node_bench.h"

namespace wh::node {

inline bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

inline std::string set_body(const std::string& value) { return machine::encode_body(machine::Set{{{"k", value}}}); }
inline std::string set_command(const std::string& value) {
  return machine::encode_command(machine::Set{{{"k", value}}});
}

struct Member : Bench {
  std::vector<Completion> done;

  explicit Member(NodeOptions options = bench_options()) : Bench(std::move(options), member_disk()) {}

  // It wins the next term, and `acknowledged` of it: whether its first entry is committed too.
  void lead(bool acknowledged = true) {
    const raft::Term term = raft::next(node.raft()->current_term());
    for (int i = 0; i < 50 && node.raft()->role() != raft::Role::pre_candidate; ++i) wait(100);
    node.receive(kOther, raft::RequestVoteReply{.term = term, .pre_vote = true, .granted = true}, now);
    persist();
    node.receive(kOther, raft::RequestVoteReply{.term = term, .granted = true}, now);
    persist();
    REQUIRE(node.raft()->role() == raft::Role::leader);
    if (acknowledged) holds(kOther, last());
  }
  [[nodiscard]] raft::Index last() const { return node.raft()->log().last_index(); }
  void holds(raft::NodeId who, raft::Index index) {
    node.receive(who,
                 raft::AppendEntriesReply{
                     .term = node.raft()->current_term(), .success = true, .match_index = index, .sent_at = now},
                 now);
    persist();
    collect();
  }
  void write(Token token, const std::string& value, bool synced = true) {
    node.submit_write(token, set_command(value), true, now);
    synced ? persist() : turn();
    collect();
  }
  // `by` leads this term, and these are its entries behind `prev`.
  void led(raft::NodeId by, uint64_t term, raft::Index prev, const std::vector<std::string>& values, uint64_t commit) {
    raft::AppendEntries message{.term = raft::Term{term},
                                .prev_log_index = prev,
                                .prev_log_term = *node.raft()->log().term_at(prev),
                                .leader_commit = raft::Index{commit}};
    for (const std::string& value : values)
      message.entries.push_back({.index = prev + message.entries.size() + 1,
                                 .term = raft::Term{term},
                                 .kind = raft::EntryKind::command,
                                 .payload = Bytes(machine::envelope({}, set_body(value)))});
    node.receive(by, message, now);
    persist();
    collect();
  }
  void collect() {
    for (Completion& completion : node.take_completions()) done.push_back(std::move(completion));
  }
  // The one answer that this token was given, or null.
  const Completion* answer(Token token) {
    collect();
    const auto is = [&](const Completion& completion) { return completion.token == token; };
    CHECK(std::count_if(done.begin(), done.end(), is) <= 1);
    const auto it = std::find_if(done.begin(), done.end(), is);
    return it == done.end() ? nullptr : &*it;
  }
  // An administrator asks; who is there is answered by the test.
  void admin(Token token, AdminKind kind, const std::string& name, const std::string& address = {}) {
    node.submit_admin(token, {kind, name, address}, now);
    wait(60);  // the longest that it waits for its turn
  }
  // Both others hold all of the log, and the node is given time.
  void pass(Millis ms) {
    for (Millis gone = 0; gone < ms; gone += 50) {
      wait(50);
      for (const raft::NodeId id : {kOther, kThird})
        if (node.raft()->role() == raft::Role::leader && node.raft()->configuration().contains(id)) holds(id, last());
    }
  }
  template <class T>
  std::vector<T> sent_to(raft::NodeId to) {
    std::vector<T> found;
    for (const auto& sent : transport.sent)
      if (const auto* message = std::get_if<T>(&sent.message); message != nullptr && sent.to == to)
        found.push_back(*message);
    return found;
  }
};

}  // namespace wh::node
