// Requests that wait for something other than the cluster's agreement, in `Waits`: reads for their min_index, long
// polls and streams for an effect. They cost a turn nothing while nothing of theirs happens.
#include <algorithm>
#include <utility>

#include "node/node.h"

namespace wh::node {
namespace {

std::string too_many_sentence() {
  return "as many requests wait on this node as max-waiting allows: try again, or ask another node";
}

}  // namespace

void Node::submit_wait(Token token, Wait wait, Millis now) {
  wants_turn_ = true;
  if (!takes_requests(now) || ending_) return complete(token, Outcome::shutting_down, {}, {});
  const bool lasting = wait.lasting;
  if (waits_.add(token, std::move(wait))) {
    if (lasting) complete(token, Outcome::applied, machine_.applied(), {});
    return;
  }
  ++counters_.waits_refused;
  complete(token, Outcome::overloaded, {}, too_many_sentence());
}

// What is answered later than it could be is no reason to ask the leader before: that read may be in vain, and is one
// round of messages when its time has come.
void Node::wait_for_index(Token token, ReadTerms terms, Millis now) {
  if (ending_) return complete(token, Outcome::shutting_down, {}, {});
  if (removed_ && !terms.stale) return complete(token, Outcome::dropped, {}, removed_sentence());
  const Millis deadline = request_deadline(now);
  if (!waits_.add(token, {.index = terms.min_index, .until = deadline})) {
    ++counters_.waits_refused;
    return complete(token, Outcome::overloaded, {}, too_many_sentence());
  }
  waiting_reads_.emplace(token, WaitingRead{{token, deadline}, terms});
}

bool Node::cancel_wait(Token token) {
  if (!waits_.cancel(token)) return false;
  ++counters_.calls_cancelled;
  waiting_reads_.erase(token);
  wants_turn_ = true;
  return true;
}

void Node::cancel(Token token) {
  if (cancel_wait(token)) return;
  ++counters_.calls_cancelled;
  cancelled_reads_.insert(token);
  wants_turn_ = true;
}

void Node::wake(const Topic& topic) {
  waits_.wake(topic);
  if (waits_.has_woken()) wants_turn_ = true;
}

// Of a queue the first in its line is woken, as one event is for one of them; of a key all.
void Node::wake(const machine::Effects& effects) {
  for (const std::string_view queue : effects.ready_queues) waits_.wake({Topic::Kind::queue, std::string(queue)}, 1);
  for (const std::string_view key : effects.changed_keys) waits_.wake({Topic::Kind::key, std::string(key)});
  if (waits_.has_woken()) wants_turn_ = true;
}

// One pass for all that were cancelled since the last turn. An empty batch is in nobody's way but `front()`'s.
void Node::drop_cancelled() {
  const auto cancelled = [&](const PendingRead& read) { return cancelled_reads_.contains(read.token); };
  std::erase_if(reads_, cancelled);
  for (auto& [number, batch] : read_batches_) std::erase_if(batch.reads, cancelled);
  std::erase_if(read_batches_, [](const auto& item) { return item.second.reads.empty(); });
  for (ReadsAtIndex& batch : reads_at_index_) std::erase_if(batch.reads, cancelled);
  std::erase_if(reads_at_index_, [](const ReadsAtIndex& batch) { return batch.reads.empty(); });
  cancelled_reads_.clear();
}

void Node::pump_waits(Millis now) {
  waits_.applied(machine_.applied());
  waits_.expire(now);
  for (const Woken& woken : waits_.take()) wait_over(woken, now);
}

void Node::wait_over(const Woken& woken, Millis now) {
  if (const auto read = waiting_reads_.extract(woken.token); !read.empty()) return read_over(read.mapped(), woken, now);
  switch (woken.why) {
    case WaitEnd::reached:
      return complete(woken.token, Outcome::applied, machine_.applied(), {});
    case WaitEnd::late:
      return complete(woken.token, Outcome::timed_out, {}, {});
    case WaitEnd::leader_changed:
      return complete(woken.token, Outcome::dropped, {}, "the leader changed while this waited: ask again");
    case WaitEnd::stopped:
      return complete(woken.token, Outcome::shutting_down, {}, {});
  }
}

void Node::read_over(const WaitingRead& waiting, const Woken& woken, Millis now) {
  const auto [read, terms] = waiting;
  if (woken.why == WaitEnd::stopped) return complete(read.token, Outcome::shutting_down, {}, {});
  if (woken.why != WaitEnd::reached)
    return complete(read.token, Outcome::dropped, {},
                    "this node has applied index " + std::to_string(machine_.applied().value) +
                        ", and has not got to min_index, " + std::to_string(terms.min_index.value) + ", in time");
  if (terms.stale) return complete(read.token, Outcome::applied, machine_.applied(), {});
  // Now it is a read like others, of which some came later.
  retry_reads({read}, now);
  wants_turn_ = true;
}

// --- how old the state may be

void Node::heard_leader(raft::NodeId from, raft::Term term, std::optional<raft::Index> committed, Millis now) {
  // After the core's judgement: whoever says so, a follower follows one leader in a term.
  if (!raft_ || raft_->leader_id() != from || raft_->current_term() != term) return;
  if (committed)
    contact_.heard(*committed, machine_.applied(), now);
  else
    contact_.heard(now);
}

std::optional<Millis> Node::last_contact(Millis now) const {
  if (raft_ && raft_->role() == raft::Role::leader) return 0;
  return contact_.last_heard(now);
}

std::optional<Millis> Node::staleness(Millis now) const {
  if (raft_ && raft_->leads_for_certain()) return 0;
  return contact_.staleness(machine_.applied(), now);
}

void Node::set_max_waiting(size_t waits) { waits_.set_max(waits); }

}  // namespace wh::node
