#include "node/writes.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/mutant.h"
#include "machine/command/command.h"

namespace wh::node {
namespace {
constexpr size_t kMaxForwarded = 512;

std::string too_large_sentence() {
  return "a request has at most " + std::to_string(machine::kMaxCommandBytes - machine::kEnvelopeBytes) +
         " bytes, as the members send it to each other: send it in parts";
}
}  // namespace

void Writes::submit(Token token, std::string command, bool may_forward, bool full, Millis now) {
  ctx_.wants_turn = true;
  if (!ctx_.takes_requests(now)) return ctx_.complete(token, Outcome::shutting_down, {}, {});
  if (ctx_.removed) return ctx_.complete(token, Outcome::dropped, {}, ctx_.removed_sentence());
  if (full || waiting_bytes_ > ctx_.options.max_uncommitted_bytes)
    return ctx_.complete(token, Outcome::overloaded, {}, {});
  // A last check, after those of the protocols, which word it better: a larger command fits into no message to a
  // follower.
  if (command.size() > machine::kMaxCommandBytes)
    return ctx_.complete(token, Outcome::dropped, {}, too_large_sentence());
  push({.token = token,
        .command = std::move(command),
        .may_forward = may_forward,
        .deadline = ctx_.request_deadline(now),
        .from = {}});
}

void Writes::on_forward(raft::NodeId from, Forward& forward, bool full, Millis now) {
  // A member numbers its own requests: with the numbers of another member it could make the state machine drop that
  // member's requests as copies.
  const auto id = machine::request_id_of(forward.command.view());
  if (id && id->origin && id->origin != from)
    return peers_.violated(from, "a forwarded write that is not numbered as its own", now);
  // With AdvanceTime a single member could end every window and lease of the cluster.
  if (machine::is_leaders_own(forward.command.view()))
    return peers_.violated(from, "a forwarded write that only a leader proposes, of its own accord", now);
  const Waiter refused{.term = {}, .token = 0, .from = from, .request = forward.request, .deadline = 0};
  if (forward.command.size() > machine::kMaxCommandBytes)
    return answer(refused, Outcome::dropped, too_large_sentence());
  if (full || waiting_bytes_ > ctx_.options.max_uncommitted_bytes) return answer(refused, Outcome::overloaded, {});
  Pending write{.token = 0,
                .command = std::string(forward.command.view()),
                .may_forward = false,
                .deadline = ctx_.request_deadline(now),
                .from = from,
                .request = forward.request,
                .term = forward.term};
  // A write is forwarded once and no further (HAZARDS E14: a forwarding loop). A node that does not lead refuses at
  // once, so it certainly has not applied the write. A leader in a later term than the one that the write was sent in
  // refuses too: writes that were sent after it may have been applied since.
  if ((!ctx_.leads() || ctx_.raft->current_term() != forward.term) && !WH_MUTANT(forwards_on)) {
    answer(refused, Outcome::not_leader, {});
  } else {
    push(std::move(write));
  }
}

void Writes::push(Pending write) {
  write.bytes = write.command.size();
  waiting_bytes_ += write.bytes;
  writes_.push_back(std::move(write));
}

void Writes::pop() {
  waiting_bytes_ -= writes_.front().bytes;
  writes_.pop_front();
}

// Writes go in the order in which they came: one that must wait holds up those after it, so that requests of one
// connection keep their order.
void Writes::pump(Millis now) {
  if (writes_.empty() || awaits_refusals(now)) return;
  for (; !writes_.empty(); pop()) {
    Pending& write = writes_.front();
    const bool leads = ctx_.leads();
    // Neither proposed nor forwarded: a member of an older release would not refuse it (HAZARDS B17: mixed versions
    // apply an entry differently).
    if (needs_newer_version(write.command)) {
      if (versions_.rising() || versions_.behind()) return;
      const ClusterVersion needed = machine::version_needed(write.command);
      answer(waiter_of(write), versions_.expected(needed) ? Outcome::dropped : Outcome::unsupported,
             versions_.unsupported_text(needed));
    } else if (WH_MUTANT(forwards_on) && write.from && !leads && ctx_.raft->leader_id()) {
      if (!forward(write)) return;
    } else if (write.from && (!leads || write.term != ctx_.raft->current_term())) {
      // A forwarded write counts only in the term it was sent in: its sender sends later writes to the next leader.
      answer(waiter_of(write), Outcome::not_leader, {});
    } else if (leads && !ctx_.raft->transferring()) {
      propose(write, now);
    } else if (!leads && ctx_.raft->leader_id()) {
      if (!write.may_forward) {
        ctx_.complete(write.token, Outcome::not_leader, {}, {});
      } else if (!forward(write)) {
        return;
      }
    } else {
      return;
    }
  }
}

void Writes::propose(Pending& write, Millis now) {
  if (!write.from) {
    machine::RequestId id;
    if (write.sequence != 0) id = {.origin = ctx_.instance, .epoch = ctx_.epoch, .sequence = write.sequence};
    machine::set_request_id(write.command, id);
  }
  if (room_.maxmemory() != 0) write.growth = ctx_.machine.growth(write.command);
  if (const Status room = room_watch_.check(write.command, write.growth); !room) {
    if (!ctx_.machine.is_repeat(write.command, ctx_.raft->stamp(now)))
      return answer(waiter_of(write), Outcome::no_room, room.error());
    write.growth = 0;
  }
  const uint64_t number = ctx_.next_number++;
  if (!write.from) sent_term_ = ctx_.raft->current_term();
  room_.propose(write.growth);
  ctx_.saw_command = true;
  ++ctx_.counters.proposals;
  Bytes command(std::exchange(write.command, {}));
  if (notes_proposals_) proposed_.push_back(command);
  ctx_.raft->step(now, raft::Propose{number, std::move(command)});
  // A copy: the command is taken out, and pop() still looks at the front.
  proposing_.emplace(number, write);
}

bool Writes::needs_newer_version(std::string_view command) const {
  const ClusterVersion version = ctx_.machine.version();
  // At the highest version no command can need more, so none is read.
  if (version >= kLatestVersion || WH_MUTANT(program_decides_kinds)) return false;
  return machine::version_needed(command) > version;
}

bool Writes::forward(Pending& write) {
  // The state machine recognises copies within a window of sequences: at most that many writes may be in flight.
  if (forwarded_.size() >= kMaxForwarded || ctx_.raft->current_term() <= refused_term_) return false;
  const uint64_t sequence = write.sequence != 0 ? write.sequence : next_sequence_;
  const machine::RequestId id{.origin = ctx_.instance, .epoch = ctx_.epoch, .sequence = sequence};
  // A reply to an earlier process life, or to an earlier sending, must not answer this one (HAZARDS E13: a reply for
  // another request).
  const uint64_t request = WH_MUTANT(forward_without_epoch) ? ctx_.next_number++ : ctx_.unique(ctx_.next_number++);
  machine::set_request_id(write.command, id);
  const Bytes command(std::move(write.command));
  if (!ctx_.transport.send(ctx_.raft->leader_id(), Forward{request, command, ctx_.raft->current_term()})) {
    write.command = std::string(command.view());
    return false;
  }
  if (write.sequence == 0) ++next_sequence_;
  ++ctx_.counters.forwarded;
  sent_term_ = ctx_.raft->current_term();
  waiting_bytes_ += command.size();
  forward_requests_.emplace(request, sequence);
  forwarded_.emplace(sequence, Forwarded{.token = write.token,
                                         .deadline = write.deadline,
                                         .command = command,
                                         .to = ctx_.raft->leader_id(),
                                         .term = sent_term_,
                                         .request = request,
                                         .lost = false});
  return true;
}

// Whether the previous leader may still refuse writes that were forwarded to it. Those must be forwarded again before
// all writes that wait, so that requests of one connection keep their order. Waits at most two heartbeats once another
// leader is known.
bool Writes::awaits_refusals(Millis now) {
  const raft::Term term = ctx_.raft->current_term();
  if (!ctx_.raft->leader_id() || (awaited_term_ == term && now >= await_until_)) return false;
  if (awaited_term_ != term) {
    awaited_term_ = term;
    await_until_ = now + 2 * Millis{ctx_.options.heartbeat_interval_ms};
  }
  const bool unanswered = std::any_of(forwarded_.begin(), forwarded_.end(),
                                      [&](const auto& item) { return item.second.term < term && !item.second.lost; });
  if (!unanswered) await_until_ = now;
  return unanswered;
}

bool Writes::proposed(const raft::Proposed& result) {
  auto node = proposing_.extract(result.token);
  if (node.empty()) return false;
  const Pending& write = node.mapped();
  const Waiter waiter{result.term, write.token, write.from, write.request, write.deadline};
  if (result.refusal != raft::Refusal::none) room_.refused(write.growth);
  switch (result.refusal) {
    case raft::Refusal::none:
      if (WH_MUTANT(answered_when_appended)) {
        answer_applied(waiter, result.index, {.count = 1});
        break;
      }
      // A request may still wait at this index for an entry of an older term. That entry was truncated, but only an
      // applied entry in its place proves that it never takes effect; so its request ends as `unknown`.
      if (const auto old = waiters_.find(result.index); old != waiters_.end()) {
        answer(old->second, Outcome::unknown, {});
        waiters_.erase(old);
      }
      waiters_.emplace(result.index, waiter);
      room_.appended(result.index, write.growth);
      break;
    case raft::Refusal::overloaded:
      answer(waiter, Outcome::overloaded, {});
      break;
    default:
      answer(waiter, Outcome::dropped, {});
      break;
  }
  return true;
}

// If the answer is lost, the forwarding member reports `unknown`, which is true there. A reply is encoded only to be
// sent.
void Writes::answer_applied(const Waiter& waiter, raft::Index index, machine::Reply reply) {
  if (waiter.from)
    (void)ctx_.transport.send(waiter.from,
                              ForwardReply{waiter.request, Outcome::applied, index, machine::encode_reply(reply)});
  else
    ctx_.complete(waiter.token, Outcome::applied, index, {}, std::move(reply));
}

void Writes::answer(const Waiter& waiter, Outcome outcome, std::string sentence) {
  if (waiter.from)
    (void)ctx_.transport.send(waiter.from, ForwardReply{waiter.request, outcome, {}, std::move(sentence)});
  else
    ctx_.complete(waiter.token, outcome, {}, std::move(sentence));
}

void Writes::on_forward_reply(raft::NodeId from, ForwardReply& reply, Millis now) {
  const auto it = forward_requests_.find(reply.request);
  if (it == forward_requests_.end()) return;  // it was answered before: it timed out, or was applied here
  const uint64_t sequence = it->second;
  if (forwarded_.at(sequence).to != from)
    return peers_.violated(from, "an answer to a write that another member was sent", now);
  machine::Reply decoded;
  bool good = is_outcome_of_write(reply.outcome);
  if (reply.outcome == Outcome::applied) {
    Result<machine::Reply> result = machine::decode_reply(std::exchange(reply.reply, {}));
    good = static_cast<bool>(result);
    if (good) decoded = std::move(*result);
    if (good && decoded.code == machine::ReplyCode::unknown) reply.outcome = Outcome::unknown;
  }
  if (!good) return peers_.violated(from, "an answer to a write that is none", now);
  const raft::Term term = forwarded_.at(sequence).term;
  if (reply.outcome == Outcome::not_leader) {
    // A leader that left a term never leads it again: everything sent to it in that term was or will be refused.
    refused_term_ = std::max(refused_term_, term);
    // A later write may have gone to another leader already; this one must not overtake it.
    if (sent_term_ == term) return forward_again(sequence);
    reply.outcome = Outcome::dropped;
  }
  ctx_.complete(take_forwarded(sequence).token, reply.outcome, reply.index, std::move(reply.reply), std::move(decoded));
}

Writes::Forwarded Writes::take_forwarded(uint64_t sequence) {
  auto node = forwarded_.extract(sequence);
  forward_requests_.erase(node.mapped().request);
  waiting_bytes_ -= node.mapped().command.size();
  return std::move(node.mapped());
}

// The write had no effect, and its client has not been told so: it goes to the next leader, in its old place before all
// later writes. It keeps its sequence: if the refusal was wrong, the state machine still recognises the second copy.
void Writes::forward_again(uint64_t sequence) {
  const Forwarded refused = take_forwarded(sequence);
  Pending write{.token = refused.token,
                .command = std::string(refused.command.view()),
                .may_forward = true,
                .deadline = refused.deadline,
                .from = {}};
  write.sequence = sequence;
  write.bytes = write.command.size();
  waiting_bytes_ += write.bytes;
  const auto place = std::find_if(writes_.begin(), writes_.end(), [&](const Pending& other) {
    return other.sequence == 0 || other.sequence > sequence;
  });
  writes_.insert(place, std::move(write));
}

// A write that this node forwarded and now applies needs no answer from the leader, which may be gone.
void Writes::forwarded_applied(const raft::Entry& entry, const machine::Reply& reply) {
  if (forwarded_.empty()) return;
  const auto id = machine::request_id_of(entry.payload.view());
  if (!id || id->origin != ctx_.instance || id->epoch != ctx_.epoch || id->sequence == 0) return;
  if (!forwarded_.contains(id->sequence)) return;
  ctx_.complete(take_forwarded(id->sequence).token, Outcome::applied, entry.index, {}, reply);
}

// Goes through the waiting requests in the order of the log. Only the entry that was appended for a request answers it;
// another entry at its index proves that it will never be applied (HAZARDS B8: a new leader reuses an index).
void Writes::applied(const raft::Entry& entry, machine::Reply reply) {
  while (!waiters_.empty() && waiters_.begin()->first <= entry.index) {
    auto node = waiters_.extract(waiters_.begin());
    const Waiter& waiter = node.mapped();
    if (node.key() == entry.index && (waiter.term == entry.term || WH_MUTANT(waiter_by_index_only))) {
      // At most one waiter has this index.
      answer_applied(waiter, entry.index, std::move(reply));  // NOLINT(bugprone-use-after-move)
    } else {
      answer(waiter, Outcome::dropped, {});
    }
  }
}

void Writes::replaced_by_snapshot(raft::Index index) {
  while (!waiters_.empty() && waiters_.begin()->first <= index) {
    answer(waiters_.begin()->second, Outcome::unknown, {});
    waiters_.erase(waiters_.begin());
  }
}

void Writes::peer_lost(raft::NodeId id) {
  for (auto& [sequence, write] : forwarded_) write.lost |= write.to == id;
}

// A forwarded write stays, with its deadline and its bytes: it may have taken effect.
void Writes::refuse_all() {
  for (; !writes_.empty(); pop()) {
    const Pending& write = writes_.front();
    if (write.from) {
      answer(waiter_of(write), Outcome::not_leader, {});
    } else {
      ctx_.complete(write.token, Outcome::dropped, {}, ctx_.removed_sentence());
    }
  }
}

// --- time-outs

Millis Writes::next_deadline() const {
  Millis earliest = kNever;
  const auto consider = [&](Millis deadline) { earliest = std::min(earliest, deadline + kExpiryStepMs); };
  if (!writes_.empty()) consider(writes_.front().deadline);
  if (!writes_.empty() && await_until_ > ctx_.turn_at) earliest = std::min(earliest, await_until_);
  if (!waiters_.empty()) consider(waiters_.begin()->second.deadline);
  if (!forwarded_.empty()) consider(forwarded_.begin()->second.deadline);
  return earliest;
}

void Writes::bring_deadlines_forward(Millis latest) {
  const auto bring = [latest](auto& request) { request.deadline = std::min(request.deadline, latest); };
  for (Pending& write : writes_) bring(write);
  for (auto& [number, write] : proposing_) bring(write);
  for (auto& [index, waiter] : waiters_) bring(waiter);
  for (auto& [number, write] : forwarded_) bring(write);
}

// Each queue is sorted by deadline, or nearly so: only its front is checked, and a request with an earlier deadline
// waits for the one at the front at most.
void Writes::expire(Millis now) {
  for (; !writes_.empty() && writes_.front().deadline <= now; pop()) {
    const Waiter waiter = waiter_of(writes_.front());
    if (room_.low()) {
      answer(waiter, Outcome::no_room,
             "no leader could take this in time, and the disk of this node, " + ctx_.options.name +
                 ", has too little room: make room on the nodes whose INFO says disk_low:1");
    } else {
      answer(waiter, Outcome::dropped, {});
    }
  }
  while (!waiters_.empty() && waiters_.begin()->second.deadline <= now) {
    answer(waiters_.begin()->second, WH_MUTANT(late_means_dropped) ? Outcome::dropped : Outcome::unknown, {});
    waiters_.erase(waiters_.begin());
  }
  while (!forwarded_.empty() && forwarded_.begin()->second.deadline <= now) {
    ctx_.complete(take_forwarded(forwarded_.begin()->first).token,
                  WH_MUTANT(late_forward_means_dropped) ? Outcome::dropped : Outcome::unknown, {}, {});
  }
}

}  // namespace wh::node
