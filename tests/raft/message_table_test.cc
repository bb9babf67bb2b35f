// Every message, of an older, the same and a newer term, in every role: what changes and what is sent (Figure 2, Figure
// 13; thesis 3.10, 4.2, 6.4, 9.6; HAZARDS A4: replies of older terms; B12: heartbeats). No combination is left out, and
// each is tested with an empty log, with a log that ends in an entry of an older term, and with a snapshot.
#include <algorithm>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "base/log.h"
#include "support.h"

using namespace wh;
using namespace wh::raft;
using namespace wh::raft::test;

namespace {

// Server 1 is in term 5, of the voters {1, 2, 3}; 2 leads where there is a leader. What a leader says comes from 2, all
// else from 3. Older is 4, newer 6: the term that a pre-candidate of term 5 asks about.
//
//   leaderless     a follower that hears no leader and gave its vote to nobody
//   follower       of 2, heard just now
//   new leader     nothing of its term is committed yet
//   leader         its no-op is committed, with 3
//   learner        a follower of 2 that is no voter
//   removed        knows that it is no member any more, and hears no leader
//
// What a cell says, in this order; a dot is nothing at all:
//
//   follower, pre-candidate, candidate, leader     it becomes that
//   term=N    it goes into that term               vote=N    it votes for that server
//   leader=N  it names that leader, 0 is nobody    timer     its election timer begins anew
//   log       its log changed                      commit    its commit index moved
//   chunk     a chunk goes to its disk             match     it knows more of the sender's log
//   read      somebody's read is answered          N:kind    it says that to server N: yes is granted, or success
//   violation no correct member can send it: it is told who did, and nothing else happens
//
// Three cells behind one another, with slashes: over entries, over an empty log, over a snapshot.
constexpr const char* kTable = R"(
vote
  older | all                      | 3:vote-reply no
  same  | pre-candidate            | follower vote=3 timer 3:vote-reply yes
  same  | leaderless, removed      | vote=3 timer 3:vote-reply yes
  same  | others                   | 3:vote-reply no
  newer | leaderless, removed      | term=6 vote=3 timer 3:vote-reply yes
  newer | pre-candidate, candidate | follower term=6 vote=3 timer 3:vote-reply yes
  newer | others                   | 3:vote-reply no

vote-reply yes
  older | all                      | .
  same  | candidate                | leader leader=1 log 2:append 3:append
  same  | others                   | .
  newer | leaderless, removed      | term=6 timer
  newer | follower, learner        | term=6 leader=0 timer
  newer | pre-candidate, candidate | follower term=6 timer
  newer | new leader, leader       | follower term=6 leader=0

vote-reply no
  older | all                      | .
  same  | all                      | .
  newer | leaderless, removed      | term=6 timer
  newer | follower, learner        | term=6 leader=0 timer
  newer | pre-candidate, candidate | follower term=6 timer
  newer | new leader, leader       | follower term=6 leader=0

pre-vote
  older | all                      | 3:pre-vote-reply no
  same  | all                      | 3:pre-vote-reply no
  newer | leaderless, pre-candidate, candidate, removed | 3:pre-vote-reply yes
  newer | others                   | 3:pre-vote-reply no

pre-vote-reply yes
  older | all                      | .
  same  | all                      | .
  newer | pre-candidate            | candidate term=6 vote=1 timer 2:vote 3:vote
  newer | others                   | .

pre-vote-reply no
  older | all                      | .
  same  | all                      | .
  newer | leaderless, removed      | term=6 timer
  newer | follower, learner        | term=6 leader=0 timer
  newer | pre-candidate, candidate | follower term=6 timer
  newer | new leader, leader       | follower term=6 leader=0

append
  older | all                      | 2:append-reply no
  same  | leaderless, removed      | leader=2 timer log commit 2:append-reply yes 2:append-reply yes
  same  | follower, learner        | timer log commit 2:append-reply yes
  same  | pre-candidate, candidate | follower leader=2 timer log commit 2:append-reply yes 2:append-reply yes
  same  | new leader, leader       | violation
  newer | leaderless, removed      | term=6 leader=2 timer log commit 2:append-reply yes 2:append-reply yes
  newer | follower, learner        | term=6 timer log commit 2:append-reply yes
  newer | pre-candidate, candidate | follower term=6 leader=2 timer log commit 2:append-reply yes 2:append-reply yes
  newer | new leader, leader       | follower term=6 leader=2 log commit 2:append-reply yes 2:append-reply yes

heartbeat
  older | all                      | 2:append-reply no
  same  | leaderless, removed      | leader=2 timer 2:append-reply yes
  same  | follower, learner        | timer 2:append-reply yes
  same  | pre-candidate, candidate | follower leader=2 timer 2:append-reply yes
  same  | new leader, leader       | violation
  newer | leaderless, removed      | term=6 leader=2 timer 2:append-reply yes
  newer | follower, learner        | term=6 timer 2:append-reply yes
  newer | pre-candidate, candidate | follower term=6 leader=2 timer 2:append-reply yes
  newer | new leader, leader       | follower term=6 leader=2 2:append-reply yes

append-reply yes
  older | all                      | .
  same  | new leader               | commit match 3:heartbeat
  same  | leader                   | violation
  same  | others                   | .
  newer | leaderless, removed      | term=6 timer
  newer | follower, learner        | term=6 leader=0 timer
  newer | pre-candidate, candidate | follower term=6 timer
  newer | new leader, leader       | follower term=6 leader=0

append-reply no
  older | all                      | .
  same  | new leader               | 3:append / violation / 3:snapshot offer
  same  | leader                   | match 3:append / match 3:append / match 3:snapshot offer
  same  | others                   | .
  newer | leaderless, removed      | term=6 timer
  newer | follower, learner        | term=6 leader=0 timer
  newer | pre-candidate, candidate | follower term=6 timer
  newer | new leader, leader       | follower term=6 leader=0

snapshot
  older | all                      | 2:snapshot-reply
  same  | leaderless, removed      | leader=2 timer chunk
  same  | follower, learner        | timer chunk
  same  | pre-candidate, candidate | follower leader=2 timer chunk
  same  | new leader, leader       | violation
  newer | leaderless, removed      | term=6 leader=2 timer chunk
  newer | follower, learner        | term=6 timer chunk
  newer | pre-candidate, candidate | follower term=6 leader=2 timer chunk
  newer | new leader, leader       | follower term=6 leader=2 chunk

snapshot offer
  older | all                      | 2:snapshot-reply
  same  | leaderless, removed      | leader=2 timer 2:snapshot-reply
  same  | follower, learner        | timer 2:snapshot-reply
  same  | pre-candidate, candidate | follower leader=2 timer 2:snapshot-reply
  same  | new leader, leader       | violation
  newer | leaderless, removed      | term=6 leader=2 timer 2:snapshot-reply
  newer | follower, learner        | term=6 timer 2:snapshot-reply
  newer | pre-candidate, candidate | follower term=6 leader=2 timer 2:snapshot-reply
  newer | new leader, leader       | follower term=6 leader=2 2:snapshot-reply

snapshot-reply
  older | all                      | .
  same  | all                      | .
  newer | leaderless, removed      | term=6 timer
  newer | follower, learner        | term=6 leader=0 timer
  newer | pre-candidate, candidate | follower term=6 timer
  newer | new leader, leader       | follower term=6 leader=0

timeout-now
  older | all                      | .
  same  | new leader, leader       | violation
  same  | follower                 | candidate term=6 vote=1 leader=0 timer 2:vote 3:vote
  same  | others                   | .
  newer | leaderless, removed      | term=6 timer
  newer | follower, learner        | term=6 leader=0 timer
  newer | pre-candidate, candidate | follower term=6 timer
  newer | new leader, leader       | follower term=6 leader=0

read-index
  older | all                      | 3:read-index-reply no
  same  | new leader               | .
  same  | leader                   | 2:heartbeat 3:heartbeat
  same  | others                   | 3:read-index-reply no
  newer | leaderless, removed      | term=6 timer 3:read-index-reply no
  newer | follower, learner        | term=6 leader=0 timer 3:read-index-reply no
  newer | pre-candidate, candidate | follower term=6 timer 3:read-index-reply no
  newer | new leader, leader       | follower term=6 leader=0 3:read-index-reply no

read-index-reply yes
  older | all                      | .
  same  | new leader, leader       | violation
  same  | others                   | read
  newer | all                      | violation

read-index-reply no
  older | all                      | .
  same  | all                      | read
  newer | leaderless, removed      | term=6 timer read
  newer | follower, learner        | term=6 leader=0 timer read
  newer | pre-candidate, candidate | follower term=6 timer read
  newer | new leader, leader       | follower term=6 leader=0 read
)";

constexpr const char* kColumns[] = {"leaderless", "follower", "pre-candidate", "candidate",
                                    "new leader", "leader",   "learner",       "removed"};
constexpr const char* kMessages[] = {"vote",
                                     "vote-reply yes",
                                     "vote-reply no",
                                     "pre-vote",
                                     "pre-vote-reply yes",
                                     "pre-vote-reply no",
                                     "append",
                                     "heartbeat",
                                     "append-reply yes",
                                     "append-reply no",
                                     "snapshot",
                                     "snapshot offer",
                                     "snapshot-reply",
                                     "timeout-now",
                                     "read-index",
                                     "read-index-reply yes",
                                     "read-index-reply no"};
constexpr const char* kTerms[] = {"older", "same", "newer"};
enum class Ground { entries, empty, snapshot };

uint64_t term_of(const std::string& relation) { return relation == "older" ? 4 : relation == "same" ? 5 : 6; }
// Where a leader's message stands: behind what is there, which for a leader ends in its own no-op.
uint64_t last_of(Ground ground, const std::string& column) {
  return (ground == Ground::empty ? 0 : 2) + (column == "leader" ? 1 : 0);
}
uint64_t last_term_of(Ground ground, const std::string& column) {
  if (column == "leader") return 5;
  return ground == Ground::empty ? 0 : 1;
}

std::string trim(const std::string& text) {
  const size_t first = text.find_first_not_of(' ');
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(' ') - first + 1);
}

// A cell may differ between the grounds.
std::string over(Ground ground, const std::string& cell) {
  std::vector<std::string> three;
  std::stringstream parts(cell);
  for (std::string part; std::getline(parts, part, '/');) three.push_back(trim(part));
  return three.size() == 3 ? three[static_cast<size_t>(ground)] : cell;
}

// (message, term, column) to the cell. A line may speak for several columns: all, or the others that no line names.
std::map<std::vector<std::string>, std::string> cells() {
  std::map<std::vector<std::string>, std::string> result;
  std::map<std::pair<std::string, std::string>, std::string> others;
  std::stringstream table(kTable);
  std::string message;
  for (std::string line; std::getline(table, line);) {
    std::vector<std::string> words;
    std::stringstream row(line);
    for (std::string word; std::getline(row, word, '|');) words.push_back(trim(word));
    if (words.size() != 3) {
      if (!trim(line).empty()) message = trim(line);
      continue;
    }
    CHECK(words[2] != "");
    if (words[1] == "all" || words[1] == "others") {
      CHECK(others.try_emplace({message, words[0]}, words[2]).second);
      continue;
    }
    std::stringstream columns(words[1]);
    for (std::string column; std::getline(columns, column, ',');)
      CHECK(result.try_emplace({message, words[0], trim(column)}, words[2]).second);
  }
  for (const auto& [row, cell] : others)
    for (const char* column : kColumns) result.try_emplace({row.first, row.second, column}, cell);
  return result;
}

MessageBody message_of(const std::string& kind, uint64_t term, Ground ground, const std::string& column) {
  const uint64_t last = last_of(ground, column);
  const uint64_t last_term = last_term_of(ground, column);
  const SnapshotMeta meta{
      .index = Index{50}, .term = Term{1}, .configuration = configuration_of({1, 2, 3}), .size = 10};
  if (kind == "vote") return ask(term, 9, 5);
  if (kind == "vote-reply yes") return grant(term);
  if (kind == "vote-reply no") return RequestVoteReply{.term = Term{term}};
  if (kind == "pre-vote") return ask(term, 9, 5, true);
  if (kind == "pre-vote-reply yes") return grant(term, true);
  if (kind == "pre-vote-reply no") return RequestVoteReply{.term = Term{term}, .pre_vote = true};
  if (kind == "append")
    return append(term, last, last_term, {entry_of(last + 1, std::max<uint64_t>(last_term, 4))}, last + 1);
  if (kind == "heartbeat") return append(term, last, last_term);
  if (kind == "append-reply yes") return accepted(term, last + 1);
  if (kind == "append-reply no")
    return AppendEntriesReply{.term = Term{term}, .rejected_index = Index{last}, .conflict_index = Index{1}};
  if (kind == "snapshot") return InstallSnapshot{.term = Term{term}, .meta = meta, .data = Bytes("12345")};
  if (kind == "snapshot offer") return InstallSnapshot{.term = Term{term}, .meta = meta, .data = {}};
  if (kind == "snapshot-reply") return InstallSnapshotReply{.term = Term{term}, .index = Index{50}, .next_offset = 5};
  if (kind == "timeout-now") return TimeoutNow{.term = Term{term}};
  if (kind == "read-index") return ReadIndexRequest{.term = Term{term}, .token = 900};
  return ReadIndexReply{.term = Term{term}, .token = 901, .ok = kind == "read-index-reply yes", .index = Index{1}};
}

Id sender_of(const std::string& kind) {
  const bool leaders = kind == "append" || kind == "heartbeat" || kind == "snapshot" || kind == "snapshot offer" ||
                       kind == "timeout-now" || kind.starts_with("read-index-reply");
  return leaders ? 2 : 3;
}

// One core with the test as its disk and its network.
struct One {
  explicit One(const Recovered& recovered) : raft(options(), recovered, 1, now) { take(); }

  static Options options() {
    Options result = test_options();
    result.self = NodeId{1};
    return result;
  }

  void step(Input input) {
    raft.step(now, std::move(input));
    take();
  }

  void receive(Id from, MessageBody body) { step(Receive{NodeId{from}, std::move(body)}); }

  void take() {
    for (bool again = true; again;) {
      Output output = raft.take_output(now);
      deadline = output.next_deadline;
      for (Outbound& outbound : output.send_now) sent.push_back(std::move(outbound));
      for (HeldOutbound& held : output.send_after_persist) sent.push_back(std::move(held.outbound));
      wrote = wrote || !output.append.empty();
      chunk = chunk || !output.chunks_received.empty();
      read = read || !output.reads.empty();
      for (const Violation& violation : output.violations) {
        CHECK(violation.what != "");
        violated = violation.from;
      }
      again = output.more || output.persist_ticket != 0;
      if (output.persist_ticket != 0) raft.step(now, Persisted{output.persist_ticket});
    }
  }

  Millis now = 100'000;
  Raft raft;
  Millis deadline = 0;
  std::vector<Outbound> sent;
  bool wrote = false;
  bool chunk = false;
  bool read = false;
  NodeId violated;  // who sent what no member can send
};

// Server 1, in term 5 and in that role.
One bring_about(const std::string& column, Ground ground) {
  const bool leads = column == "leader" || column == "new leader";
  const bool campaigns = column == "candidate" || leads;
  Disk disk;
  disk.genesis = column == "learner" ? configuration_of({2, 3}, {1}) : configuration_of({1, 2, 3});
  disk.hard_state.current_term = Term{campaigns ? 4U : 5U};
  if (ground == Ground::entries) disk.log = log_of({1, 1});
  if (ground == Ground::snapshot) {
    disk.base_index = Index{2};
    disk.base_term = Term{1};
    if (column == "removed") disk.genesis = disk.genesis.without(NodeId{1});
    disk.snapshot = SnapshotMeta{
        .index = Index{2}, .term = Term{1}, .configuration_index = Index{2}, .configuration = disk.genesis};
  }
  One one(disk.recover(SIZE_MAX));
  const uint64_t last = last_of(ground, column);
  if (column == "follower" || column == "learner") {
    one.receive(2, append(5, last, last_term_of(ground, column)));
  } else if (column == "removed") {
    if (ground != Ground::snapshot) one.step(ToldRemoved{{Term{9}, Index{9}}});
    REQUIRE(one.raft.removed());
  } else if (column != "leaderless") {
    one.now = one.deadline;
    one.step(Tick{});
    if (campaigns) one.receive(3, grant(5, true));
    if (leads) one.receive(3, grant(5));
    if (column == "leader") one.receive(3, accepted(5, last));
  }
  const std::string role = to_string(one.raft.role());
  REQUIRE((role == column || (leads && role == "leader") || (!campaigns && role == "follower")));
  REQUIRE(one.raft.leads_for_certain() == (column == "leader"));
  REQUIRE(one.raft.current_term() == Term{5});
  one.now += 10;
  one.sent.clear();
  one.wrote = one.chunk = one.read = false;
  REQUIRE_FALSE(one.violated);
  return one;
}

std::string said(const MessageBody& body) {
  const auto answer = [](bool yes) { return std::string(yes ? " yes" : " no"); };
  if (const auto* m = std::get_if<RequestVote>(&body)) return m->pre_vote ? "pre-vote" : "vote";
  if (const auto* m = std::get_if<RequestVoteReply>(&body))
    return (m->pre_vote ? "pre-vote-reply" : "vote-reply") + answer(m->granted);
  if (const auto* m = std::get_if<AppendEntries>(&body)) return m->entries.empty() ? "heartbeat" : "append";
  if (const auto* m = std::get_if<AppendEntriesReply>(&body)) return "append-reply" + answer(m->success);
  if (const auto* m = std::get_if<InstallSnapshot>(&body)) return m->data.empty() ? "snapshot offer" : "snapshot";
  if (std::holds_alternative<InstallSnapshotReply>(body)) return "snapshot-reply";
  if (std::holds_alternative<TimeoutNow>(body)) return "timeout-now";
  if (std::holds_alternative<ReadIndexRequest>(body)) return "read-index";
  return "read-index-reply" + answer(std::get<ReadIndexReply>(body).ok);
}

Index match_of(const Raft& raft, Id id) {
  for (const PeerStatus& peer : raft.peers())
    if (peer.id == NodeId{id}) return peer.match_index;
  return {};
}

// What happens, in the words of the table.
std::string outcome(const std::string& message, const std::string& relation, const std::string& column, Ground ground) {
  const uint64_t term = term_of(relation);
  const Id from = sender_of(message);
  One one = bring_about(column, ground);
  const Raft& raft = one.raft;
  const Role role = raft.role();
  const NodeId vote = raft.voted_for();
  const NodeId leader = raft.leader_id();
  const Index commit = raft.commit_index();
  const Index match = match_of(raft, from);
  const Millis deadline = one.deadline;
  one.receive(from, message_of(message, term, ground, column));

  std::vector<std::string> words;
  if (raft.role() != role) words.emplace_back(to_string(raft.role()));
  if (raft.current_term() != Term{5}) words.push_back("term=" + std::to_string(raft.current_term().value));
  if (raft.voted_for() != vote && raft.voted_for()) words.push_back("vote=" + std::to_string(raft.voted_for().value));
  if (raft.leader_id() != leader) words.push_back("leader=" + std::to_string(raft.leader_id().value));
  if (role != Role::leader && raft.role() != Role::leader && one.deadline != deadline) words.emplace_back("timer");
  if (one.wrote) words.emplace_back("log");
  if (raft.commit_index() != commit) words.emplace_back("commit");
  if (one.chunk) words.emplace_back("chunk");
  if (raft.role() == Role::leader && match_of(raft, from) != match) words.emplace_back("match");
  if (one.read) words.emplace_back("read");
  if (one.violated == NodeId{from}) words.emplace_back("violation");
  for (const Outbound& outbound : one.sent) {
    words.push_back(std::to_string(outbound.to.value) + ":" + said(outbound.body));
    // All is said in the term that it is in then; but a pre-vote is granted in the term that was asked about.
    const Term spoken = std::visit([](const auto& m) { return m.term; }, outbound.body);
    const bool granted = said(outbound.body) == "pre-vote-reply yes";
    if (spoken != (granted ? Term{term} : raft.current_term()))
      words.back() += " in term " + std::to_string(spoken.value);
  }
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text.empty() ? "." : text;
}

}  // namespace

TEST_CASE("HAZARDS A4, B12: every message of an older, the same and a newer term, in every role") {
  set_log_sink([](LogLevel, std::string_view) {});
  const auto table = cells();
  size_t looked_at = 0;
  for (const Ground ground : {Ground::entries, Ground::empty, Ground::snapshot}) {
    for (const std::string message : kMessages) {
      for (const std::string relation : kTerms) {
        for (const std::string column : kColumns) {
          CAPTURE(message);
          CAPTURE(relation);
          CAPTURE(column);
          CAPTURE(static_cast<int>(ground));
          const auto cell = table.find({message, relation, column});
          REQUIRE(cell != table.end());
          CHECK(outcome(message, relation, column, ground) == over(ground, cell->second));
          ++looked_at;
        }
      }
    }
  }
  // Nothing but these stands in it.
  CHECK(table.size() == std::size(kMessages) * std::size(kTerms) * std::size(kColumns));
  CHECK(looked_at == 3 * table.size());
}
