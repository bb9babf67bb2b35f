// Clients' requests: writes in the order they came, proposed here or forwarded to the leader, and to the next one only
// when the first certainly did not take it; reads batched by turn behind one read index; each token answered exactly
// once, with an outcome that never says more than is known.
#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/mutant.h"
#include "machine/command/command.h"
#include "node/node.h"

namespace wh::node {
namespace {
constexpr Millis kExpiryStepMs = 50;  // how late a time-out may be noticed
constexpr size_t kMaxForwarded = 512;

// The outcomes that an answer to a write can have; the others are about members.
bool is_outcome_of_write(Outcome outcome) {
  return outcome != Outcome::conflict && outcome != Outcome::not_found && outcome != Outcome::timed_out;
}

std::string too_large_sentence() {
  return "a request has at most " + std::to_string(machine::kMaxCommandBytes - machine::kEnvelopeBytes) +
         " bytes, as the members send it to each other: send it in parts";
}
}  // namespace

void Node::complete(Token token, Outcome outcome, raft::Index index, std::string sentence, machine::Reply reply) {
  completions_.push_back({token, outcome, index, std::move(sentence), std::move(reply)});
}

std::vector<Completion> Node::take_completions() { return std::exchange(completions_, {}); }

// --- writes

void Node::submit_write(Token token, std::string command, bool may_forward, Millis now) {
  wants_turn_ = true;
  if (!takes_requests(now)) return complete(token, Outcome::shutting_down, {}, {});
  if (removed_) return complete(token, Outcome::dropped, {}, removed_sentence());
  if (pending() >= options_.max_pending || waiting_bytes_ > options_.max_uncommitted_bytes)
    return complete(token, Outcome::overloaded, {}, {});
  // Behind what every front checks with better words: no follower could ever be sent it.
  if (command.size() > machine::kMaxCommandBytes) return complete(token, Outcome::dropped, {}, too_large_sentence());
  push_write({.token = token,
              .command = std::move(command),
              .may_forward = may_forward,
              .deadline = request_deadline(now),
              .from = {}});
}

void Node::on_forward(raft::NodeId from, Forward& forward, Millis now) {
  // A member numbers its own requests: under another's numbers it could have that one's dropped as copies.
  const auto id = machine::request_id_of(forward.command.view());
  if (id && id->origin && id->origin != from)
    return violated(from, "a forwarded write that is not numbered as its own", now);
  // By an AdvanceTime a single member could end every window and lease of the cluster.
  if (machine::is_leaders_own(forward.command.view()))
    return violated(from, "a forwarded write that only a leader proposes, of its own accord", now);
  const Waiter refused{.term = {}, .token = 0, .from = from, .request = forward.request, .deadline = 0};
  if (forward.command.size() > machine::kMaxCommandBytes)
    return answer_waiter(refused, Outcome::dropped, too_large_sentence());
  if (pending() >= options_.max_pending || waiting_bytes_ > options_.max_uncommitted_bytes)
    return answer_waiter(refused, Outcome::overloaded, {});
  PendingWrite write{.token = 0,
                     .command = std::string(forward.command.view()),
                     .may_forward = false,
                     .deadline = request_deadline(now),
                     .from = from,
                     .request = forward.request,
                     .term = forward.term};
  // One hop and no further (HAZARDS E14): who does not lead refuses at once, and has certainly not applied it.
  // So does who leads a later term than it was sent in: what was sent after it may have been applied since.
  if ((!raft_ || raft_->role() != raft::Role::leader || raft_->current_term() != forward.term) &&
      !WH_MUTANT(forwards_on)) {
    answer_waiter(refused, Outcome::not_leader, {});
  } else {
    push_write(std::move(write));
  }
}

void Node::push_write(PendingWrite write) {
  write.bytes = write.command.size();
  waiting_bytes_ += write.bytes;
  writes_.push_back(std::move(write));
}

void Node::pop_write() {
  waiting_bytes_ -= writes_.front().bytes;
  writes_.pop_front();
}

// First come, first proposed: what must wait holds up what came after it, so the requests of one connection keep their
// order.
void Node::pump_writes(Millis now) {
  if (writes_.empty() || awaits_refusals(now)) return;
  while (!writes_.empty()) {
    PendingWrite& write = writes_.front();
    const bool leads = raft_->role() == raft::Role::leader;
    // Neither proposed nor forwarded: a member that does not know it would not refuse it (HAZARDS B17).
    if (needs_newer_version(write.command)) {
      if (version_is_rising()) return;
      answer_waiter({.term = {}, .token = write.token, .from = write.from, .request = write.request, .deadline = 0},
                    Outcome::unsupported, unsupported_text(machine::version_needed(write.command)));
      pop_write();
      continue;
    }
    if (WH_MUTANT(forwards_on) && write.from && !leads && raft_->leader_id()) {
      if (!forward(write)) return;
      pop_write();
      continue;
    }
    // A forwarded one counts in the term it was sent in: its sender sends what comes after it to the next leader.
    if (write.from && (!leads || write.term != raft_->current_term())) {
      answer_waiter({.term = {}, .token = 0, .from = write.from, .request = write.request, .deadline = 0},
                    Outcome::not_leader, {});
    } else if (leads && !raft_->transferring()) {
      if (!write.from) {
        machine::RequestId id;
        if (write.sequence != 0) id = {.origin = instance_, .epoch = epoch_, .sequence = write.sequence};
        machine::set_request_id(write.command, id);
      }
      if (room_.maxmemory() != 0) write.growth = machine_.growth(write.command);
      if (std::string why = lack_of_room(write.command, write.growth); !why.empty()) {
        answer_waiter(Waiter{{}, write.token, write.from, write.request, 0}, Outcome::no_room, std::move(why));
      } else {
        const uint64_t number = next_number_++;
        if (!write.from) sent_term_ = raft_->current_term();
        room_.propose(write.growth);
        saw_command_ = true;
        ++counters_.proposals;
        raft_->step(now, raft::Propose{number, Bytes(std::exchange(write.command, {}))});
        proposing_.emplace(number, std::move(write));
      }
    } else if (!leads && raft_->leader_id()) {
      if (!write.may_forward) {
        complete(write.token, Outcome::not_leader, {}, {});
      } else if (!forward(write)) {
        return;
      }
    } else {
      return;
    }
    pop_write();
  }
}

bool Node::needs_newer_version(std::string_view command) const {
  return machine::version_needed(command) > machine_.version() && !WH_MUTANT(program_decides_kinds);
}

bool Node::forward(PendingWrite& write) {
  // The state machine tells copies apart within a window of sequences: no more than fit may be under way.
  if (forwarded_.size() >= kMaxForwarded || raft_->current_term() <= refused_term_) return false;
  const uint64_t sequence = write.sequence != 0 ? write.sequence : next_sequence_;
  const machine::RequestId id{.origin = instance_, .epoch = epoch_, .sequence = sequence};
  // A reply to an earlier process life, or to an earlier sending, must not answer for this one (HAZARDS E13).
  const uint64_t request = WH_MUTANT(forward_without_epoch) ? next_number_++ : unique(next_number_++);
  machine::set_request_id(write.command, id);
  const Bytes command(std::move(write.command));
  if (!send(raft_->leader_id(), Forward{request, command, raft_->current_term()})) {
    write.command = std::string(command.view());
    return false;
  }
  if (write.sequence == 0) ++next_sequence_;
  ++counters_.forwarded;
  sent_term_ = raft_->current_term();
  waiting_bytes_ += command.size();
  forward_requests_.emplace(request, sequence);
  forwarded_.emplace(sequence, ForwardedWrite{.token = write.token,
                                              .deadline = write.deadline,
                                              .command = command,
                                              .to = raft_->leader_id(),
                                              .term = sent_term_,
                                              .request = request,
                                              .lost = false});
  return true;
}

// Whether the leader before may still say that it did not take what was forwarded to it. That goes again then, and
// before all that waits, so that the requests of one connection keep their order. It has two heartbeats from when
// another leads.
bool Node::awaits_refusals(Millis now) {
  const raft::Term term = raft_->current_term();
  if (!raft_->leader_id() || (awaited_term_ == term && now >= await_until_)) return false;
  if (awaited_term_ != term) {
    awaited_term_ = term;
    await_until_ = now + 2 * Millis{options_.heartbeat_interval_ms};
  }
  const bool unanswered = std::any_of(forwarded_.begin(), forwarded_.end(),
                                      [&](const auto& item) { return item.second.term < term && !item.second.lost; });
  if (!unanswered) await_until_ = now;
  return unanswered;
}

void Node::proposed(const raft::Proposed& result) {
  auto node = proposing_.extract(result.token);
  const PendingWrite& write = node.mapped();
  const Waiter waiter{result.term, write.token, write.from, write.request, write.deadline};
  if (result.refusal != raft::Refusal::none) room_.refused(write.growth);
  switch (result.refusal) {
    case raft::Refusal::none:
      if (WH_MUTANT(answered_when_appended)) return answer_applied(waiter, result.index, {.count = 1});
      // An entry of an older term that stood at this index has been replaced for good only once another one is applied;
      // but here the new entry is this leader's own, and what it replaced was truncated before.
      if (const auto old = waiters_.find(result.index); old != waiters_.end()) {
        answer_waiter(old->second, Outcome::unknown, {});
        waiters_.erase(old);
      }
      waiters_.emplace(result.index, waiter);
      room_.appended(result.index, write.growth);
      break;
    case raft::Refusal::overloaded:
      answer_waiter(waiter, Outcome::overloaded, {});
      break;
    default:
      answer_waiter(waiter, Outcome::dropped, {});
      break;
  }
}

// A lost answer becomes `unknown` at the asker, which is what it is. A reply is encoded only to be sent.
void Node::answer_applied(const Waiter& waiter, raft::Index index, machine::Reply reply) {
  if (waiter.from)
    (void)send(waiter.from, ForwardReply{waiter.request, Outcome::applied, index, machine::encode_reply(reply)});
  else
    complete(waiter.token, Outcome::applied, index, {}, std::move(reply));
}

void Node::answer_waiter(const Waiter& waiter, Outcome outcome, std::string sentence) {
  if (waiter.from)
    (void)send(waiter.from, ForwardReply{waiter.request, outcome, {}, std::move(sentence)});
  else
    complete(waiter.token, outcome, {}, std::move(sentence));
}

void Node::on_forward_reply(raft::NodeId from, ForwardReply& reply, Millis now) {
  const auto it = forward_requests_.find(reply.request);
  if (it == forward_requests_.end()) return;  // timed out before: answered already
  const uint64_t sequence = it->second;
  if (forwarded_.at(sequence).to != from)
    return violated(from, "an answer to a write that another member was sent", now);
  machine::Reply decoded;
  bool good = is_outcome_of_write(reply.outcome);
  if (reply.outcome == Outcome::applied) {
    Result<machine::Reply> result = machine::decode_reply(std::exchange(reply.reply, {}));
    good = static_cast<bool>(result);
    if (good) decoded = std::move(*result);
    if (good && decoded.code == machine::ReplyCode::unknown) reply.outcome = Outcome::unknown;
  }
  if (!good) return violated(from, "an answer to a write that is none", now);
  const raft::Term term = forwarded_.at(sequence).term;
  if (reply.outcome == Outcome::not_leader) {
    // A leader that left a term never leads it again: everything sent to it in that term was or will be refused.
    refused_term_ = std::max(refused_term_, term);
    // A later write may have gone to another leader already; this one must not overtake it.
    if (sent_term_ == term) return forward_again(sequence);
    reply.outcome = Outcome::dropped;
  }
  complete(take_forwarded(sequence).token, reply.outcome, reply.index, std::move(reply.reply), std::move(decoded));
}

Node::ForwardedWrite Node::take_forwarded(uint64_t sequence) {
  auto node = forwarded_.extract(sequence);
  forward_requests_.erase(node.mapped().request);
  waiting_bytes_ -= node.mapped().command.size();
  return std::move(node.mapped());
}

// It had no effect, and its client has not been told so: it goes to the next leader, in its old place before all that
// came later. Under its old sequence: were the refusal wrong, the state machine would still know the second copy.
void Node::forward_again(uint64_t sequence) {
  const ForwardedWrite refused = take_forwarded(sequence);
  PendingWrite write{.token = refused.token,
                     .command = std::string(refused.command.view()),
                     .may_forward = true,
                     .deadline = refused.deadline,
                     .from = {}};
  write.sequence = sequence;
  write.bytes = write.command.size();
  waiting_bytes_ += write.bytes;
  const auto place = std::find_if(writes_.begin(), writes_.end(), [&](const PendingWrite& other) {
    return other.sequence == 0 || other.sequence > sequence;
  });
  writes_.insert(place, std::move(write));
}

// A write that this node forwarded and now applies needs no answer from the leader, which may be gone.
void Node::forwarded_applied(const raft::Entry& entry, const machine::Reply& reply) {
  if (forwarded_.empty()) return;
  const auto id = machine::request_id_of(entry.payload.view());
  if (!id || id->origin != instance_ || id->epoch != epoch_ || id->sequence == 0) return;
  if (!forwarded_.contains(id->sequence)) return;
  complete(take_forwarded(id->sequence).token, Outcome::applied, entry.index, {}, reply);
}

// A snapshot took the place of these entries: whether they are in it cannot be told.
void Node::fail_waiters_up_to(raft::Index index) {
  while (!waiters_.empty() && waiters_.begin()->first <= index) {
    answer_waiter(waiters_.begin()->second, Outcome::unknown, {});
    waiters_.erase(waiters_.begin());
  }
}

// --- reads

void Node::submit_read(Token token, Millis now, ReadTerms terms) {
  wants_turn_ = true;
  if (terms.min_index > machine_.applied()) return wait_for_index(token, terms, now);
  // A look at what is here asks nothing of anybody, and does so on a node that is ending, or was removed, too.
  if (terms.stale) return complete(token, Outcome::applied, machine_.applied(), {});
  if (!takes_requests(now)) return complete(token, Outcome::shutting_down, {}, {});
  if (removed_) return complete(token, Outcome::dropped, {}, removed_sentence());
  if (pending() >= options_.max_pending) return complete(token, Outcome::overloaded, {}, {});
  reads_.push_back({token, request_deadline(now)});
}

void Node::pump_reads(Millis now) {
  // No answer, or another leader: ask again, under a new number (HAZARDS E3).
  for (auto it = read_batches_.begin(); it != read_batches_.end();) {
    const ReadBatch& batch = it->second;
    if (batch.asked_of == raft_->leader_id() && now < batch.asked_at + options_.election_timeout_ms) {
      ++it;
      continue;
    }
    retry_reads(batch.reads, now);
    it = read_batches_.erase(it);
  }
  if (reads_.empty() || !raft_->leader_id() || now < retry_reads_at_) return;
  const uint64_t number = next_number_++;
  counters_.reads += reads_.size();
  ++counters_.read_batches;
  read_batches_.emplace(number, ReadBatch{std::exchange(reads_, {}), now, raft_->leader_id()});
  // Tokens are unique across restarts too: the number counts within the epoch.
  raft_->step(now, raft::ReadIndex{unique(number)});
}

// Those whose time is up are not asked again: a leader that never answers must not keep them for ever.
void Node::retry_reads(const std::vector<PendingRead>& reads, Millis now) {
  std::vector<PendingRead> retried;
  for (const PendingRead& read : reads) {
    if (read.deadline <= now) {
      complete(read.token, Outcome::dropped, {}, {});
    } else {
      retried.push_back(read);
    }
  }
  // The order of deadlines: what is asked again came before what was not asked yet.
  const auto older = [](const PendingRead& a, const PendingRead& b) { return a.deadline < b.deadline; };
  const auto middle = static_cast<std::ptrdiff_t>(reads_.size());
  reads_.insert(reads_.end(), retried.begin(), retried.end());
  std::inplace_merge(reads_.begin(), reads_.begin() + middle, reads_.end(), older);
}

void Node::read_ready(const raft::ReadReady& ready, Millis now) {
  const auto it = read_batches_.find(ready.token - unique(0));
  if (it == read_batches_.end()) return;
  std::vector<PendingRead> reads = std::move(it->second.reads);
  read_batches_.erase(it);
  if (ready.ok) {
    reads_at_index_.push_back({ready.index, std::move(reads)});
  } else {
    retry_reads(reads, now);
    retry_reads_at_ = now + options_.heartbeat_interval_ms;
  }
}

void Node::serve_reads() {
  const raft::Index applied = machine_.applied();
  std::erase_if(reads_at_index_, [&](const ReadsAtIndex& batch) {
    if (batch.index > applied && !WH_MUTANT(read_before_applied)) return false;
    for (const PendingRead& read : batch.reads) complete(read.token, Outcome::applied, applied, {});
    return true;
  });
}

// --- time-outs

Millis Node::request_deadline(Millis now) const {
  const Millis deadline = now + options_.request_timeout_ms;
  return ending_ ? std::min(deadline, ending_->answer_by) : deadline;
}

Millis Node::earliest_request_deadline() const {
  Millis earliest = kNever;
  const auto consider = [&](Millis deadline) { earliest = std::min(earliest, deadline + kExpiryStepMs); };
  if (!writes_.empty()) consider(writes_.front().deadline);
  if (!writes_.empty() && await_until_ > turn_at_) earliest = std::min(earliest, await_until_);
  if (!waiters_.empty()) consider(waiters_.begin()->second.deadline);
  if (!forwarded_.empty()) consider(forwarded_.begin()->second.deadline);
  if (!reads_.empty()) consider(reads_.front().deadline);
  if (!reads_.empty() && retry_reads_at_ > turn_at_) earliest = std::min(earliest, retry_reads_at_);
  if (!read_batches_.empty())
    earliest = std::min(earliest, read_batches_.begin()->second.asked_at + options_.election_timeout_ms);
  if (!reads_at_index_.empty()) consider(reads_at_index_.front().reads.front().deadline);
  for (const PendingAdmin& admin : admin_) consider(admin.deadline);
  if (waits_.size() != 0) earliest = std::min(earliest, waits_.next_deadline());
  return earliest;
}

void Node::bring_deadlines_forward(Millis latest) {
  const auto bring = [latest](auto& request) { request.deadline = std::min(request.deadline, latest); };
  for (PendingWrite& write : writes_) bring(write);
  for (auto& [number, write] : proposing_) bring(write);
  for (auto& [index, waiter] : waiters_) bring(waiter);
  for (auto& [number, write] : forwarded_) bring(write);
  for (PendingRead& read : reads_) bring(read);
  for (auto& [number, batch] : read_batches_)
    for (PendingRead& read : batch.reads) bring(read);
  for (ReadsAtIndex& batch : reads_at_index_)
    for (PendingRead& read : batch.reads) bring(read);
  for (PendingAdmin& admin : admin_) bring(admin);
}

// Each queue is in the order of its deadlines, or nearly so: only its front is looked at, and an early one behind it
// waits for the front at most.
void Node::expire_requests(Millis now) {
  if (!raft_) {
    for (PendingAdmin& admin : admin_)
      if (admin.deadline <= now) finish_admin(admin, Outcome::dropped, "this node is in no cluster, or still starts");
    std::erase_if(admin_, [](const PendingAdmin& admin) { return admin.done; });
  }
  while (!writes_.empty() && writes_.front().deadline <= now) {
    const PendingWrite& write = writes_.front();
    const Waiter waiter{{}, write.token, write.from, write.request, 0};
    if (room_.low()) {
      answer_waiter(waiter, Outcome::no_room,
                    "no leader could take this in time, and the disk of this node, " + options_.name +
                        ", has too little room: make room on the nodes whose INFO says disk_low:1");
    } else {
      answer_waiter(waiter, Outcome::dropped, {});
    }
    pop_write();
  }
  while (!waiters_.empty() && waiters_.begin()->second.deadline <= now) {
    answer_waiter(waiters_.begin()->second, WH_MUTANT(late_means_dropped) ? Outcome::dropped : Outcome::unknown, {});
    waiters_.erase(waiters_.begin());
  }
  while (!forwarded_.empty() && forwarded_.begin()->second.deadline <= now) {
    complete(take_forwarded(forwarded_.begin()->first).token,
             WH_MUTANT(late_forward_means_dropped) ? Outcome::dropped : Outcome::unknown, {}, {});
  }
  const auto expire = [&](std::vector<PendingRead>& reads) {
    std::erase_if(reads, [&](const PendingRead& read) {
      if (read.deadline > now) return false;
      complete(read.token, Outcome::dropped, {}, {});
      return true;
    });
  };
  if (!reads_.empty() && reads_.front().deadline <= now) expire(reads_);
  for (ReadsAtIndex& batch : reads_at_index_)
    if (batch.reads.front().deadline <= now) expire(batch.reads);
  std::erase_if(reads_at_index_, [](const ReadsAtIndex& batch) { return batch.reads.empty(); });
}

}  // namespace wh::node
