#include "node/reads.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/mutant.h"

namespace wh::node {

void Reads::submit(Token token, ReadTerms terms, bool full, Millis now) {
  ctx_.wants_turn = true;
  if (terms.min_index > ctx_.machine.applied()) return wait_for_index(token, terms, now);
  // A stale read needs no other node, so it also works on a node that is being stopped or was removed.
  if (terms.stale) return ctx_.complete(token, Outcome::applied, ctx_.machine.applied(), {});
  if (!ctx_.takes_requests(now)) return ctx_.complete(token, Outcome::shutting_down, {}, {});
  if (ctx_.removed) return ctx_.complete(token, Outcome::dropped, {}, ctx_.removed_sentence());
  if (full) return ctx_.complete(token, Outcome::overloaded, {}, {});
  reads_.push_back({token, ctx_.request_deadline(now)});
}

// The leader is asked only once the index is applied: asking before could be in vain, and asking later costs one round
// trip.
void Reads::wait_for_index(Token token, ReadTerms terms, Millis now) {
  if (ctx_.answer_by) return ctx_.complete(token, Outcome::shutting_down, {}, {});
  if (ctx_.removed && !terms.stale) return ctx_.complete(token, Outcome::dropped, {}, ctx_.removed_sentence());
  const Millis deadline = ctx_.request_deadline(now);
  if (!waits_.add(token, {.index = terms.min_index, .until = deadline, .client = terms.client}))
    return ctx_.refuse_wait(token);
  waiting_.emplace(token, Waiting{{token, deadline}, terms});
}

void Reads::submit_internal(Token token, Millis now) {
  ctx_.wants_turn = true;
  reads_.push_back({token, ctx_.request_deadline(now), true});
}

void Reads::complete(const Pending& read, Outcome outcome, raft::Index index, std::string sentence) {
  if (read.internal) {
    internal_.push_back({read.token, outcome == Outcome::applied});
    ctx_.wants_turn = true;
  } else {
    ctx_.complete(read.token, outcome, index, std::move(sentence));
  }
}

void Reads::cancel(Token token) { cancelled_.insert(token); }

bool Reads::wait_over(const Woken& woken, Millis now) {
  const auto node = waiting_.extract(woken.token);
  if (node.empty()) return false;
  const auto [read, terms] = node.mapped();
  if (woken.why == WaitEnd::stopped) {
    ctx_.complete(read.token, Outcome::shutting_down, {}, {});
  } else if (woken.why == WaitEnd::crowded) {
    ctx_.refuse_wait(read.token);
  } else if (woken.why != WaitEnd::reached) {
    ctx_.complete(read.token, Outcome::dropped, {},
                  "this node has applied index " + std::to_string(ctx_.machine.applied().value) +
                      ", and has not got to min_index, " + std::to_string(terms.min_index.value) + ", in time");
  } else if (terms.stale) {
    ctx_.complete(read.token, Outcome::applied, ctx_.machine.applied(), {});
  } else {
    // From now on it is a read like any other; some of the others came later.
    retry({read}, now);
    ctx_.wants_turn = true;
  }
  return true;
}

// One pass for all reads cancelled since the last turn. An empty batch must not stay: other code calls front() on it.
void Reads::forget_cancelled() {
  if (cancelled_.empty()) return;
  const auto cancelled = [&](const Pending& read) { return cancelled_.contains(read.token); };
  std::erase_if(reads_, cancelled);
  for (auto& [number, batch] : batches_) std::erase_if(batch.reads, cancelled);
  std::erase_if(batches_, [](const auto& item) { return item.second.reads.empty(); });
  for (AtIndex& batch : at_index_) std::erase_if(batch.reads, cancelled);
  std::erase_if(at_index_, [](const AtIndex& batch) { return batch.reads.empty(); });
  cancelled_.clear();
}

void Reads::pump(Millis now) {
  // If the leader did not answer, or another node leads: ask again, with a new number (HAZARDS E3: late heartbeat
  // replies of an earlier round confirm a later read).
  for (auto it = batches_.begin(); it != batches_.end();) {
    const Batch& batch = it->second;
    if (batch.asked_of == ctx_.raft->leader_id() && now < batch.asked_at + ctx_.options.election_timeout_ms) {
      ++it;
      continue;
    }
    retry(batch.reads, now);
    it = batches_.erase(it);
  }
  if (reads_.empty() || !ctx_.raft->leader_id() || now < retry_at_) return;
  const uint64_t number = ctx_.next_number++;
  ctx_.counters.reads += reads_.size();
  ++ctx_.counters.read_batches;
  batches_.emplace(number, Batch{std::exchange(reads_, {}), now, ctx_.raft->leader_id()});
  // The token must be unique across restarts too: the number counts within the epoch.
  ctx_.raft->step(now, raft::ReadIndex{ctx_.unique(number)});
}

// Reads whose deadline has passed are not asked again: a leader that never answers must not keep them for ever.
void Reads::retry(const std::vector<Pending>& reads, Millis now) {
  std::vector<Pending> retried;
  for (const Pending& read : reads) {
    if (read.deadline <= now) {
      complete(read, Outcome::dropped, {}, {});
    } else {
      retried.push_back(read);
    }
  }
  // Keeps reads_ sorted by deadline: a read that is asked again came before those not asked yet.
  const auto older = [](const Pending& a, const Pending& b) { return a.deadline < b.deadline; };
  const auto middle = static_cast<std::ptrdiff_t>(reads_.size());
  reads_.insert(reads_.end(), retried.begin(), retried.end());
  std::inplace_merge(reads_.begin(), reads_.begin() + middle, reads_.end(), older);
}

void Reads::ready(const raft::ReadReady& ready, Millis now) {
  const auto it = batches_.find(ready.token - ctx_.unique(0));
  if (it == batches_.end()) return;
  std::vector<Pending> reads = std::move(it->second.reads);
  batches_.erase(it);
  if (ready.ok) {
    at_index_.push_back({ready.index, std::move(reads)});
  } else {
    retry(reads, now);
    retry_at_ = now + ctx_.options.heartbeat_interval_ms;
  }
}

void Reads::serve() {
  const raft::Index applied = ctx_.machine.applied();
  std::erase_if(at_index_, [&](const AtIndex& batch) {
    if (batch.index > applied && !WH_MUTANT(read_before_applied)) return false;
    for (const Pending& read : batch.reads) complete(read, Outcome::applied, applied, {});
    return true;
  });
}

void Reads::ask_anew() {
  for (auto& [number, batch] : batches_) reads_.insert(reads_.end(), batch.reads.begin(), batch.reads.end());
  batches_.clear();
  for (AtIndex& batch : at_index_) reads_.insert(reads_.end(), batch.reads.begin(), batch.reads.end());
  at_index_.clear();
  contact_ = {};
}

void Reads::refuse_all() {
  const auto refuse = [&](const std::vector<Pending>& reads) {
    for (const Pending& read : reads) complete(read, Outcome::dropped, {}, ctx_.removed_sentence());
  };
  refuse(std::exchange(reads_, {}));
  for (const auto& [number, batch] : std::exchange(batches_, {})) refuse(batch.reads);
  std::erase_if(waiting_, [&](const auto& item) {
    if (item.second.terms.stale || !waits_.cancel(item.first)) return false;
    ctx_.complete(item.first, Outcome::dropped, {}, ctx_.removed_sentence());
    return true;
  });
}

// --- time-outs

Millis Reads::next_deadline() const {
  Millis earliest = kNever;
  if (!reads_.empty()) earliest = reads_.front().deadline + kExpiryStepMs;
  if (!reads_.empty() && retry_at_ > ctx_.turn_at) earliest = std::min(earliest, retry_at_);
  if (!batches_.empty())
    earliest = std::min(earliest, batches_.begin()->second.asked_at + ctx_.options.election_timeout_ms);
  if (!at_index_.empty()) earliest = std::min(earliest, at_index_.front().reads.front().deadline + kExpiryStepMs);
  return earliest;
}

void Reads::bring_deadlines_forward(Millis latest) {
  const auto bring = [latest](std::vector<Pending>& reads) {
    for (Pending& read : reads) read.deadline = std::min(read.deadline, latest);
  };
  bring(reads_);
  for (auto& [number, batch] : batches_) bring(batch.reads);
  for (AtIndex& batch : at_index_) bring(batch.reads);
}

// As in Writes::expire: the queues are sorted by deadline, or nearly so.
void Reads::expire(Millis now) {
  const auto expire = [&](std::vector<Pending>& reads) {
    std::erase_if(reads, [&](const Pending& read) {
      if (read.deadline > now) return false;
      complete(read, Outcome::dropped, {}, {});
      return true;
    });
  };
  if (!reads_.empty() && reads_.front().deadline <= now) expire(reads_);
  for (AtIndex& batch : at_index_)
    if (batch.reads.front().deadline <= now) expire(batch.reads);
  std::erase_if(at_index_, [](const AtIndex& batch) { return batch.reads.empty(); });
}

size_t Reads::pending() const {
  size_t reads = reads_.size();
  for (const auto& [number, batch] : batches_) reads += batch.reads.size();
  for (const AtIndex& batch : at_index_) reads += batch.reads.size();
  return reads;
}

// --- how old the state may be

void Reads::heard_leader(raft::NodeId from, const Heard& heard, Millis now) {
  // Counts only after the core accepted the sender as leader: a follower follows one leader in a term.
  if (!ctx_.raft || ctx_.raft->leader_id() != from || ctx_.raft->current_term() != heard.term) return;
  contact_.heard(now);
  if (!heard.committed) return;
  Millis at = contact_.sent(from, heard.term, heard.sent_at, now);
  // The message came after the turn before the last, as what had come by then was read between the two. That counts
  // where this process stood still, also if a timer's turn was its first since.
  constexpr Millis kUsualBeats = 4;
  if (ctx_.turn_before != 0 && now > ctx_.turn_before + kUsualBeats * ctx_.options.heartbeat_interval_ms)
    at = std::min(at, ctx_.turn_before);
  contact_.heard({heard.term, *heard.committed}, applied(), at);
}

// A leader's state is as old as the newest message that a quorum has answered: since then, it may lead no longer.
void Reads::watch_own_lead(Millis now) {
  const std::optional<Millis> followed = ctx_.raft->followed_at(now);
  if (!followed) return;
  contact_.heard(now);
  contact_.heard({ctx_.raft->current_term(), ctx_.raft->commit_index()}, applied(), *followed);
}

std::optional<Millis> Reads::last_contact(Millis now) const {
  return ctx_.leads() ? Millis{0} : contact_.last_heard(now);
}

std::optional<Millis> Reads::staleness(Millis now) const {
  // Between two turns, too: a server that alone is the quorum is followed at any time.
  if (ctx_.raft && ctx_.raft->leads_for_certain() && ctx_.raft->commit_index() == ctx_.machine.applied())
    if (const std::optional<Millis> followed = ctx_.raft->followed_at(now)) return now - std::min(now, *followed);
  return contact_.staleness(applied(), now);
}

raft::Position Reads::applied() const {
  const raft::Index index = ctx_.machine.applied();
  const std::optional<raft::Term> term = ctx_.raft ? ctx_.raft->log().term_at(index) : std::nullopt;
  return {term.value_or(raft::Term{}), index};
}

}  // namespace wh::node
