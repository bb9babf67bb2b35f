#include "message_facts.h"

namespace wh::raft::test {
namespace {

std::string show(Term term) { return std::to_string(term.value); }
std::string show(Index index) { return std::to_string(index.value); }
std::string show(uint64_t number) { return std::to_string(number); }
std::string yes(bool value) { return value ? "yes" : "no"; }

using Fact = std::optional<std::string>;

std::string kind(const RequestVote& m) { return m.pre_vote ? "pre-vote" : "vote"; }
std::string kind(const RequestVoteReply& m) { return m.pre_vote ? "pre-vote-reply" : "vote-reply"; }
std::string kind(const AppendEntries& m) { return m.entries.empty() ? "heartbeat" : "append"; }
std::string kind(const AppendEntriesReply& m) { return m.success ? "append-reply" : "refusal"; }
std::string kind(const InstallSnapshot& m) { return m.data.empty() && !m.done ? "offer" : "snapshot"; }
std::string kind(const InstallSnapshotReply&) { return "snapshot-reply"; }
std::string kind(const TimeoutNow&) { return "timeout-now"; }
std::string kind(const ReadIndexRequest&) { return "read-index"; }
std::string kind(const ReadIndexReply&) { return "read-index-reply"; }

Fact fact(const RequestVote& m, const std::string& key) {
  if (key == "last") return show(m.last_log_index);
  if (key == "last-term") return show(m.last_log_term);
  if (key == "transfer") return yes(m.transfer);
  return {};
}

Fact fact(const RequestVoteReply& m, const std::string& key) {
  if (key == "granted") return yes(m.granted);
  return {};
}

Fact fact(const AppendEntries& m, const std::string& key) {
  if (key == "prev") return show(m.prev_log_index);
  if (key == "prev-term") return show(m.prev_log_term);
  if (key == "commit") return show(m.leader_commit);
  if (key == "round") return show(m.read_round);
  if (key == "acknowledged") return show(m.acknowledged);
  if (key == "entries") return show(m.entries.size());
  return {};
}

Fact fact(const AppendEntriesReply& m, const std::string& key) {
  if (key == "match") return show(m.match_index);
  if (key == "rejected") return show(m.rejected_index);
  if (key == "conflict") return show(m.conflict_index);
  if (key == "conflict-term") return show(m.conflict_term);
  if (key == "round") return show(m.read_round);
  if (key == "no-room") return yes(m.no_room);
  return {};
}

Fact fact(const InstallSnapshot& m, const std::string& key) {
  if (key == "index") return show(m.meta.index);
  if (key == "offset") return show(m.offset);
  if (key == "done") return yes(m.done);
  return {};
}

Fact fact(const InstallSnapshotReply& m, const std::string& key) {
  if (key == "index") return show(m.index);
  if (key == "offset") return show(m.next_offset);
  if (key == "installed") return yes(m.installed);
  if (key == "match") return show(m.match_index);
  return {};
}

Fact fact(const TimeoutNow&, const std::string&) { return {}; }
Fact fact(const ReadIndexRequest&, const std::string&) { return {}; }

Fact fact(const ReadIndexReply& m, const std::string& key) {
  if (key == "ok") return yes(m.ok);
  if (key == "index") return show(m.index);
  return {};
}

}  // namespace

std::string kind_of(const MessageBody& body) {
  return std::visit([](const auto& message) { return kind(message); }, body);
}

std::optional<std::string> fact_of(const MessageBody& body, const std::string& key) {
  if (key == "term") return std::visit([](const auto& message) { return show(message.term); }, body);
  return std::visit([&](const auto& message) { return fact(message, key); }, body);
}

}  // namespace wh::raft::test
