// Linearizable and stale reads: those of one turn share one read index, asked of the leader; a read that is to see an
// index waits until it is applied here. Also how old this node's state may be. Each token is answered once.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "node/context.h"
#include "node/leader_contact.h"
#include "node/waits.h"

namespace wh::node {

class Reads {
 public:
  Reads(Context& context, Waits& waits) : ctx_(context), waits_(waits) {}

  // `full`: as many requests as there may be are in progress.
  void submit(Token token, ReadTerms terms, bool full, Millis now);
  // Its asker is gone. cancel_waiting: only if it waits for an index; true then.
  void cancel(Token token);
  bool cancel_waiting(Token token) { return waiting_.erase(token) > 0; }
  // A wait ended: false when it was none of a read's.
  bool wait_over(const Woken& woken, Millis now);

  // Once a turn: what was cancelled is forgotten; what has no answer yet is asked again, what is new is asked.
  void forget_cancelled();
  void pump(Millis now);
  // The core's answer to one batch; and those batches answered whose index is applied.
  void ready(const raft::ReadReady& ready, Millis now);
  void serve();
  void leader_changed() { retry_at_ = 0; }
  // The log goes away with what was asked of it: all is asked anew of the next one.
  void ask_anew();
  // This node was removed: nothing is asked any more.
  void refuse_all();

  void expire(Millis now);
  [[nodiscard]] Millis next_deadline() const;
  void bring_deadlines_forward(Millis latest);
  [[nodiscard]] size_t pending() const;

  // --- how old the state may be

  // The leader's message was stepped: it has committed so far, or says nothing about that.
  void heard_leader(raft::NodeId from, raft::Term term, std::optional<raft::Index> committed, Millis now);
  void leads(Millis now) { contact_.leads(now); }
  [[nodiscard]] std::optional<Millis> last_contact(Millis now) const;
  [[nodiscard]] std::optional<Millis> staleness(Millis now) const;

 private:
  struct Pending {
    Token token;
    Millis deadline;
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
  struct Waiting {  // for its min_index
    Pending read;
    ReadTerms terms;
  };
  void wait_for_index(Token token, ReadTerms terms, Millis now);
  void retry(const std::vector<Pending>& reads, Millis now);

  Context& ctx_;
  Waits& waits_;
  std::vector<Pending> reads_;
  std::map<uint64_t, Batch> batches_;
  std::deque<AtIndex> at_index_;
  std::map<Token, Waiting> waiting_;
  std::set<Token> cancelled_;  // in this turn
  Millis retry_at_ = 0;
  LeaderContact contact_;
};

}  // namespace wh::node
