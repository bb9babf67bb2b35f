// Linearizable reads by read index (thesis 6.4): all reads of one turn share one round; a round counts only echoes sent
// after it began, and its number is never used again (HAZARDS E1 to E4). No leases: safety rests on no clock.
#include <utility>

#include "base/mutant.h"
#include "raft/quorum.h"
#include "raft/raft.h"

namespace wh::raft {
namespace {
// A follower asks once a turn for all its readers, and again after an election timeout: the leader keeps this many of
// its requests.
constexpr size_t kMaxReadsOfFollower = 4'096;
}  // namespace

void Raft::on_read_index(NodeId from, uint64_t token) {
  PendingRead read{.token = token, .from = from, .round = 0, .index = {}};
  if (role_ == Role::leader && !transfer_) {
    if (from != options_.self && reads_of_[from]++ >= kMaxReadsOfFollower) {
      --reads_of_[from];
      return answer_read(read, false);
    }
    new_reads_.push_back(read);
  } else if (from == options_.self && leader_ && role_ == Role::follower) {
    if (WH_MUTANT(follower_reads_alone)) return out_.reads.push_back({token, true, commit_index_});
    send(leader_, ReadIndexRequest{.term = hard_state_.current_term, .token = token});
  } else {
    answer_read(read, false);
  }
}

void Raft::on_read_index_reply(const ReadIndexReply& reply) {
  out_.reads.push_back({reply.token, reply.ok, reply.index});
}

// Reads wait until an entry of this term is committed: until then the leader may not know the commit index (HAZARDS
// E2).
void Raft::open_read_round() {
  if (!new_reads_.empty() && (leads_for_certain() || WH_MUTANT(read_without_noop))) {
    if (!WH_MUTANT(read_joins_running_round) || reads_.empty()) ++read_round_;
    for (PendingRead& read : new_reads_) {
      read.round = read_round_;
      read.index = commit_index_;
      reads_.push_back(read);
    }
    new_reads_.clear();
  }
  confirm_reads();  // also because a membership change may have made the quorum smaller
}

void Raft::confirm_reads() {
  if (reads_.empty()) return;
  if (configuration().voters() == 0) return;
  const bool at_once = WH_MUTANT(read_without_round) || (WH_MUTANT(read_by_lease) && quorum_in_contact(last_step_));
  const uint64_t reached = reached_by_quorum(configuration(), [&](const Member& member) {
    if (member.id == options_.self) return read_round_;
    const auto it = progress_.find(member.id);
    return it == progress_.end() ? uint64_t{0} : it->second.read_round;
  });
  const uint64_t confirmed = at_once ? read_round_ : reached;
  while (!reads_.empty() && reads_.front().round <= confirmed) {
    answer_read(reads_.front(), true);
    if (const auto of = reads_of_.find(reads_.front().from); of != reads_of_.end() && --of->second == 0)
      reads_of_.erase(of);
    reads_.pop_front();
  }
}

void Raft::fail_reads() {
  reads_of_.clear();
  for (const PendingRead& read : std::exchange(new_reads_, {})) answer_read(read, false);
  for (const PendingRead& read : std::exchange(reads_, {})) answer_read(read, false);
}

void Raft::answer_read(const PendingRead& read, bool ok) {
  if (read.from == options_.self) {
    out_.reads.push_back({read.token, ok, read.index});
  } else {
    send(read.from,
         ReadIndexReply{.term = hard_state_.current_term, .token = read.token, .ok = ok, .index = read.index});
  }
}

}  // namespace wh::raft
