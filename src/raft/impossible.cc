// Detects messages that no correct member can send. A server that knows the cluster's secret, or needs none, may still
// lie or be faulty: the core acts on nothing in such a message, not even its term, and reports the sender
// (Output::violations). Assertions are for what this server itself did. A message is judged by this server's own
// promises and by what its leader has shown it. A lie that could be true is not detected, as in every non-Byzantine
// protocol: a server believed to lead may replicate what it likes.
#include <string>
#include <variant>

#include "base/cluster_version.h"
#include "base/mutant.h"
#include "base/overloaded.h"
#include "raft/raft.h"

namespace wh::raft {
namespace {

// A term this far above our own cannot come from elections. It is refused, so that one faulty node cannot use up the
// numbers.
constexpr uint64_t kMaxTermJump = uint64_t{1} << 32;

std::string number(uint64_t value) { return std::to_string(value); }

std::string entry_text(Index index, Term term) {
  return "entry " + number(index.value) + " of term " + number(term.value);
}

// Says how the entries fail to follow prev and each other as a leader's log does. A peer's message is checked here
// once, so that Log may assert it.
std::string malformed(const AppendEntries& message) {
  if (message.prev_log_index.value >= kLimit || message.prev_log_term > message.term ||
      (message.prev_log_index == Index{} && message.prev_log_term != Term{}))
    return "entries behind " + entry_text(message.prev_log_index, message.prev_log_term) + ", which cannot be there";
  Index index = message.prev_log_index;
  Term term = message.prev_log_term;
  Millis time_ms = 0;
  for (const Entry& entry : message.entries) {
    if (entry.index != ++index || entry.term < term || entry.term > message.term || entry.term == Term{})
      return "entries that do not follow each other";
    if (time_ms != 0 && (entry.time_ms < time_ms || entry.time_ms - time_ms > kMaxTimeStep))
      return "entries whose times do not follow each other";
    if (entry.kind == EntryKind::configuration) {
      const auto configuration = Configuration::decode(entry.payload.view());
      if (!configuration || (configuration->voters() == 0 && !WH_MUTANT(last_voter_removed)))
        return "a configuration that is none, or has no voter";
    }
    if (entry.kind == EntryKind::version && !decode_version(entry.payload.view()))
      return "an entry that raises the cluster's version to none";
    term = entry.term;
    time_ms = entry.time_ms;
  }
  return {};
}

std::string malformed(const InstallSnapshot& message) {
  const SnapshotMeta& meta = message.meta;
  if (meta.index == Index{} || meta.index.value >= kLimit || meta.term > message.term ||
      meta.configuration_index > meta.index)
    return "a snapshot at " + entry_text(meta.index, meta.term) + ", which cannot be there";
  if (meta.configuration.voters() == 0 && !WH_MUTANT(last_voter_removed)) return "a snapshot without a voter";
  const uint64_t end = message.offset + message.data.size();
  if (message.offset >= kLimit || meta.size >= kLimit || end > meta.size || (message.done && end != meta.size))
    return "bytes " + number(message.offset) + " to " + number(end) + " of a snapshot of " + number(meta.size);
  return {};
}

}  // namespace

// Only a term's leader sends these messages, and a term has one leader (section 5.2).
std::string Raft::second_leader(NodeId from, Term term) const {
  if (term != hard_state_.current_term || !term_leader_ || term_leader_ == from) return {};
  if (WH_MUTANT(second_leader_believed)) return {};
  return "it says that it leads term " + number(term.value) + ", which " +
         (term_leader_ == options_.self ? "this node" : name_of(term_leader_)) + " leads";
}

// A leader cannot take back what is committed here, nor what it has shown before (section 5.4.3, Log Matching).
std::string Raft::contradicts_log(NodeId from, Term term, Index index, Term index_term) const {
  const bool shown = term == hard_state_.current_term && leader_ == from;
  const Index settled = shown ? std::max(commit_index_, verified_index_) : commit_index_;
  if (index > settled || WH_MUTANT(truncate_unconditionally)) return {};
  const std::optional<Term> mine = log_.term_at(index);
  if (!mine || *mine == index_term) return {};
  const bool committed = index <= commit_index_;
  return entry_text(index, index_term) + ", where " + (committed ? "one is committed" : "it sent another") +
         " that is of term " + number(mine->value);
}

std::string Raft::impossible(NodeId from, const MessageBody& body) const {
  const Term term = std::visit([](const auto& message) { return message.term; }, body);
  const Term current = hard_state_.current_term;
  if ((term.value >= kLimit || term.value > current.value + kMaxTermJump) && !WH_MUTANT(any_term_believed))
    return "a message of term " + number(term.value) + ", where this node is in term " + number(current.value);
  // Messages of an older term have no effect.
  if (term < current) return {};
  const bool newer = term > current;
  const bool leads = role_ == Role::leader && !newer;
  return std::visit(
      Overloaded{
          [&](const RequestVote& message) -> std::string {
            if (message.last_log_term <= term) return {};
            return "it asks for a vote in term " + number(term.value) + " with a log that ends in term " +
                   number(message.last_log_term.value);
          },
          [&](const RequestVoteReply& message) -> std::string {
            // A grant for a term that this server never asked about: it only asks about the term after its own (thesis
            // 9.6).
            if (!message.pre_vote || !message.granted || term <= next(current)) return {};
            return "a vote for term " + number(term.value) + ", which nobody asked for";
          },
          [&](const AppendEntries& message) -> std::string {
            if (std::string why = second_leader(from, term); !why.empty()) return why;
            if (std::string why = malformed(message); !why.empty()) return why;
            if (std::string why = contradicts_log(from, term, message.prev_log_index, message.prev_log_term);
                !why.empty())
              return why;
            // `acknowledged` beyond this log's end is possible: this server may have acknowledged it in an earlier
            // life, on another disk (HAZARDS C5, a restored backup).
            for (const Entry& entry : message.entries)
              if (std::string why = contradicts_log(from, term, entry.index, entry.term); !why.empty()) return why;
            return {};
          },
          [&](const AppendEntriesReply& message) -> std::string {
            if (!leads) return {};
            if (message.success && message.match_index > log_.last_index())
              return "it acknowledges entry " + number(message.match_index.value) + ", and the log ends at " +
                     number(log_.last_index().value);
            if (!message.success && (message.rejected_index > log_.last_index() ||
                                     message.conflict_index > message.rejected_index || message.conflict_term > term))
              return "it refuses entries behind " + number(message.rejected_index.value) + " for what it has at " +
                     entry_text(message.conflict_index, message.conflict_term) + ", and the log ends at " +
                     number(log_.last_index().value);
            if (message.read_round > read_round_)
              return "it confirms round " + number(message.read_round) + " of reads, and round " + number(read_round_) +
                     " is the last";
            return {};
          },
          [&](const InstallSnapshot& message) -> std::string {
            if (std::string why = second_leader(from, term); !why.empty()) return why;
            if (std::string why = malformed(message); !why.empty()) return why;
            return contradicts_log(from, term, message.meta.index, message.meta.term);
          },
          [&](const InstallSnapshotReply& message) -> std::string {
            const auto found = progress_.find(from);
            if (!leads || found == progress_.end() || found->second.state != ProgressState::snapshot ||
                found->second.snapshot.index != message.index)
              return {};
            if (message.next_offset > found->second.snapshot.size)
              return "it wants byte " + number(message.next_offset) + " of a snapshot of " +
                     number(found->second.snapshot.size);
            if (message.installed && message.match_index > log_.last_index())
              return "it acknowledges entry " + number(message.match_index.value) + ", and the log ends at " +
                     number(log_.last_index().value);
            return {};
          },
          [&](const TimeoutNow&) { return WH_MUTANT(anyone_hands_over) ? std::string() : second_leader(from, term); },
          [&](const ReadIndexRequest&) { return std::string(); },
          [&](const ReadIndexReply& message) -> std::string {
            if (!message.ok) return {};
            if (std::string why = second_leader(from, term); !why.empty()) return why;
            // The reply answers a request of the term that the sender leads, so this server was in that term when it
            // asked.
            if (!newer) return {};
            return "a read index of term " + number(term.value) + ", in which nobody asked for one";
          },
      },
      body);
}

// A frame costs its sender nothing, so an Output reports at most one violation of each server.
void Raft::report_violation(NodeId from, std::string what) {
  for (const Violation& other : out_.violations)
    if (other.from == from) return;
  out_.violations.push_back({from, std::move(what)});
}

}  // namespace wh::raft
