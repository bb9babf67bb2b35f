// What Raft servers say to each other (Figure 2, Figure 13; thesis 3.10, 6.4, 9.6). Values only: wire/ turns them into
// frames.
#pragma once

#include <variant>
#include <vector>

#include "raft/configuration.h"
#include "raft/types.h"

namespace wh::raft {

// A snapshot: the state after applying every entry up to `index`, with the last configuration at or below it.
struct SnapshotMeta {
  Index index;
  Term term;
  Index configuration_index;
  Configuration configuration;
  Millis time_ms = 0;  // cluster time of the entry at `index`
  uint64_t chain = 0;  // the log's hash chain at `index`, filled in by the storage
  uint64_t size = 0;   // bytes of the state
  uint32_t crc = 0;    // crc32c of those bytes
  friend bool operator==(const SnapshotMeta&, const SnapshotMeta&) = default;
};

// With `pre_vote`, only a question: `term` is the one the sender would campaign in, and nobody's state changes (thesis
// 9.6).
struct RequestVote {
  Term term;
  Index last_log_index;
  Term last_log_term;
  bool pre_vote = false;
  // The leader asked for this campaign (TimeoutNow): stickiness does not apply (thesis 4.2.3).
  bool transfer = false;
  // The leader whose connection the sender saw die, or nobody: a voter that saw the same need not wait for silence.
  NodeId lost_leader;
  friend bool operator==(const RequestVote&, const RequestVote&) = default;
};

struct RequestVoteReply {
  Term term;  // the voter's own; in a granted pre-vote, the requested term
  bool pre_vote = false;
  bool granted = false;
  friend bool operator==(const RequestVoteReply&, const RequestVoteReply&) = default;
};

struct AppendEntries {
  Term term;
  Index prev_log_index;
  Term prev_log_term;
  Index leader_commit;
  uint64_t read_round = 0;  // the latest round of read confirmation; grows within a term, never reused
  Millis sent_at = 0;       // by the leader's clock; echoed, so that it can measure the round trip
  // The highest index that the receiver acknowledged in this term: a receiver whose log ends below it lost entries that
  // it promised to keep (HAZARDS C5).
  Index acknowledged;
  // The stamp that the leader would give to an entry now; 0: not sent (before version 4 of the protocol).
  Millis time_ms = 0;
  std::vector<Entry> entries;
  friend bool operator==(const AppendEntries&, const AppendEntries&) = default;
};

struct AppendEntriesReply {
  Term term;
  bool success = false;
  // Success: the highest index known to equal the leader's log *and* durable here. Never a guess (HAZARDS B5).
  Index match_index;
  // Refusal: the prev_log_index that did not fit, and where to look next: the first index of the conflicting term here
  // (with that term), or one past the last entry (with term 0).
  Index rejected_index;
  Index conflict_index;
  Term conflict_term;
  uint64_t read_round = 0;  // echoed
  Millis sent_at = 0;       // of the newest message, plus the time that this server held the reply back; 0: none
  bool no_room = false;     // the sender's disk has no room for more data
  // The sender's wall clock at sending, in ms since 1970, filled in by node/; 0: not sent (before version 4).
  Millis clock_ms = 0;
  friend bool operator==(const AppendEntriesReply&, const AppendEntriesReply&) = default;
};

// One chunk of a snapshot's state. The whole meta, with size and checksum, names a transfer: another sender of the same
// bytes may resume it. Offsets must follow each other. A chunk without data is an offer: the reply says how much of
// this snapshot the receiver has.
struct InstallSnapshot {
  Term term;
  SnapshotMeta meta;
  uint64_t offset = 0;
  Bytes data;
  bool done = false;
  friend bool operator==(const InstallSnapshot&, const InstallSnapshot&) = default;
};

struct InstallSnapshotReply {
  Term term;
  Index index;               // meta.index of the transfer
  uint64_t next_offset = 0;  // what the receiver wants next; 0: it has none of it
  bool installed = false;    // durable here, or no longer needed: replicate from match_index on
  Index match_index;
  friend bool operator==(const InstallSnapshotReply&, const InstallSnapshotReply&) = default;
};

// The leader asks a caught-up voter to campaign at once (thesis 3.10).
struct TimeoutNow {
  Term term;
  friend bool operator==(const TimeoutNow&, const TimeoutNow&) = default;
};

// A follower asks for a read index (thesis 6.4). The asker chooses tokens and never reuses one, not even for a retry.
struct ReadIndexRequest {
  Term term;
  uint64_t token = 0;
  friend bool operator==(const ReadIndexRequest&, const ReadIndexRequest&) = default;
};

struct ReadIndexReply {
  Term term;
  uint64_t token = 0;
  bool ok = false;  // false: not the leader, or no longer; ask the leader
  Index index;
  friend bool operator==(const ReadIndexReply&, const ReadIndexReply&) = default;
};

using MessageBody = std::variant<RequestVote, RequestVoteReply, AppendEntries, AppendEntriesReply, InstallSnapshot,
                                 InstallSnapshotReply, TimeoutNow, ReadIndexRequest, ReadIndexReply>;

struct Outbound {
  NodeId to;
  MessageBody body;
};

}  // namespace wh::raft
