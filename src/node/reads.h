// Owns the reads in progress, linearizable and stale, and knows how old this node's state may be. The reads of one turn
// share one read index, which the leader is asked for; a read with a min_index first waits until that index is applied
// here. Each token is answered once. Does not look at the state: the caller does, when the read is completed. Called by
// Node; Waiting reports the end of waits.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "node/context.h"
#include "node/leader_contact.h"
#include "node/waits.h"

namespace wh::node {

// The end of a read that a part of the node asked for; not `done`: it was given up.
struct InternalRead {
  Token token;
  bool done;
};

class Reads {
 public:
  Reads(Context& context, Waits& waits) : ctx_(context), waits_(waits) {}

  // `full`: max_pending requests are in progress already.
  void submit(Token token, ReadTerms terms, bool full, Millis now);
  // The same for a part of the node: take_internal() returns its end.
  void submit_internal(Token token, Millis now);
  [[nodiscard]] std::vector<InternalRead> take_internal() { return std::exchange(internal_, {}); }
  // The client is gone. cancel_waiting: only if the read waits for an index; returns true then.
  void cancel(Token token);
  bool cancel_waiting(Token token) { return waiting_.erase(token) > 0; }
  // A wait ended; false if it was not the wait of a read.
  bool wait_over(const Woken& woken, Millis now);

  // Once a turn. forget_cancelled drops cancelled reads. pump asks again for reads that got no answer, and asks for new
  // ones.
  void forget_cancelled();
  void pump(Millis now);
  // ready: the core's answer to one batch. serve: answers the batches whose index is applied.
  void ready(const raft::ReadReady& ready, Millis now);
  void serve();
  void leader_changed() { retry_at_ = 0; }
  // This node leaves its log, and the questions asked about it are void: all reads are asked again with the next log.
  void ask_anew();
  // This node was removed: refuses the reads that the leader would have to answer.
  void refuse_all();

  void expire(Millis now);
  [[nodiscard]] Millis next_deadline() const;
  void bring_deadlines_forward(Millis latest);
  [[nodiscard]] size_t pending() const;

  // --- how old the state may be

  struct Heard {
    raft::Term term;
    std::optional<raft::Index> committed = std::nullopt;  // nothing: the message has no commit index
    Millis sent_at = 0;                                   // by the sender's clock
  };
  // The core handled a message of the leader.
  void heard_leader(raft::NodeId from, const Heard& heard, Millis now);
  // Once a turn, after the core's: what this node knows if it leads.
  void watch_own_lead(Millis now);
  [[nodiscard]] std::optional<Millis> last_contact(Millis now) const;
  [[nodiscard]] std::optional<Millis> staleness(Millis now) const;

 private:
  struct Pending {
    Token token;
    Millis deadline;
    bool internal = false;
  };
  struct Batch {
    std::vector<Pending> reads;
    Millis asked_at;
    raft::NodeId asked_of;
  };
  struct AtIndex {
    raft::Index index;
    std::vector<Pending> reads;
  };
  struct Waiting {  // waits for its min_index
    Pending read;
    ReadTerms terms;
  };
  void wait_for_index(Token token, ReadTerms terms, Millis now);
  void retry(const std::vector<Pending>& reads, Millis now);
  [[nodiscard]] raft::Position applied() const;
  void complete(const Pending& read, Outcome outcome, raft::Index index, std::string sentence);

  Context& ctx_;
  Waits& waits_;
  std::vector<Pending> reads_;
  std::map<uint64_t, Batch> batches_;
  std::deque<AtIndex> at_index_;
  std::map<Token, Waiting> waiting_;
  std::set<Token> cancelled_;  // in this turn
  Millis retry_at_ = 0;
  std::vector<InternalRead> internal_;
  LeaderContact contact_;
};

}  // namespace wh::node
