// How takes travel between a member and the leader.
#include <algorithm>
#include <utility>

#include "base/mutant.h"
#include "machine/command/command.h"
#include "node/receives.h"

namespace wh::node {

bool Receives::waits_elsewhere(Token token, Millis now) const {
  const auto at = takes_.find(token);
  return at != takes_.end() && at->second.stage == Stage::remote && now < at->second.wait_until;
}

void Receives::on_forward(raft::NodeId from, ForwardReceive& forward, bool full, Millis now) {
  Take take;
  if (!read_command(forward.command.view(), std::move(forward.also), take) ||
      (take.id.origin && take.id.origin != from))
    return peers_.violated(from, "a forwarded receive that is none", now);
  // The network may bring it twice, and again after its answer.
  const std::pair name(from, forward.request);
  if ((by_forwarder_.contains(name) || answered_set_.contains(name)) && !WH_MUTANT(copies_are_served)) return;
  const auto refuse = [&](Outcome outcome) {
    remember_answered(from, forward.request);
    (void)ctx_.transport.send(from, ForwardReply{forward.request, outcome, {}, {}});
  };
  if (!ctx_.leads() || ctx_.raft->current_term() != forward.term) return refuse(Outcome::not_leader);
  if (!ctx_.takes_requests(now)) return refuse(Outcome::dropped);
  if (full) return refuse(Outcome::overloaded);
  take.wait_until = now + std::min(forward.wait_ms, kLongestWaitMs);
  take.deadline = ctx_.request_deadline(now);
  take.from = from;
  take.client = from.value;
  take.request = forward.request;
  take.term = forward.term;
  const Token token = next_internal_++;
  by_forwarder_.emplace(std::pair(from, forward.request), token);
  add(token, std::move(take));
}

void Receives::on_cancel(raft::NodeId from, const CancelReceive& cancelled, Millis now) {
  const auto at = by_forwarder_.find({from, cancelled.request});
  if (at != by_forwarder_.end()) (void)cancel(at->second, now);
}

void Receives::remember_answered(raft::NodeId from, uint64_t request) {
  if (!answered_set_.emplace(from, request).second) return;
  answered_.emplace_back(from, request);
  if (answered_.size() <= kMaxAnswered) return;
  answered_set_.erase(answered_.front());
  answered_.pop_front();
}

// Then it answers by itself, as soon as it hears that the entry is committed.
bool Receives::has_entry(raft::NodeId member, raft::Index index) const {
  const std::vector<raft::PeerStatus> peers = ctx_.raft ? ctx_.raft->peers() : std::vector<raft::PeerStatus>();
  return std::any_of(peers.begin(), peers.end(),
                     [&](const raft::PeerStatus& peer) { return peer.id == member && peer.match_index >= index; });
}

// Whether a machine can have said so of a receive. What a Dequeue removed has no receipts.
bool Receives::is_true_of(const machine::Reply& reply, const AskedFor& asked) {
  const auto& got = reply.deliveries;
  if (reply.choice >= asked.queues.size() || got.size() > asked.max) return false;
  return asked.removes || std::all_of(got.begin(), got.end(),
                                      [](const machine::Delivery& one) { return one.id != 0 && one.delivery != 0; });
}

// An answer that comes too late has reserved events for nobody.
bool Receives::on_reply(raft::NodeId from, ForwardReply& reply, Millis now) {
  const auto known = by_request_.find(reply.request);
  const auto late = known == by_request_.end() ? forgotten_.find(reply.request) : forgotten_.end();
  if (known == by_request_.end() && late == forgotten_.end()) return false;
  const AskedFor& asked = late != forgotten_.end() ? late->second : takes_.at(known->second);
  if (asked.to != from) {
    peers_.violated(from, "an answer to a receive that another member was sent", now);
    return true;
  }
  machine::Reply decoded;
  bool good = is_outcome_of_write(reply.outcome);
  if (reply.outcome == Outcome::applied) {
    Result<machine::Reply> result = machine::decode_reply(reply.reply);
    good = result && is_true_of(*result, asked);
    if (good) decoded = std::move(*result);
    if (good && decoded.code == machine::ReplyCode::unknown) reply.outcome = Outcome::unknown;
    reply.reply.clear();
  }
  if (!good) {
    peers_.violated(from, "an answer to a receive that is none", now);
    return true;
  }
  if (late != forgotten_.end()) {
    if (reply.outcome == Outcome::unknown) return true;  // its entry may come yet
    if (!WH_MUTANT(late_answer_kept)) take_back(asked.queues[decoded.choice], decoded.deliveries, now);
    forgotten_.erase(late);
    return true;
  }
  const Token token = known->second;
  Take& take = takes_.at(token);
  if (reply.outcome == Outcome::not_leader) {
    refused_term_ = take.term;
    if (take.client_gone) {
      answer(token, Outcome::dropped, {}, {}, {}, now);
      return true;
    }
    // The next leader is asked, with what is left of the wait.
    by_request_.erase(known);
    take.stage = Stage::fresh;
    fresh_.push_back(token);
    ctx_.wants_turn = true;
    return true;
  }
  if (reply.outcome == Outcome::unknown) forget(take);
  if (reply.outcome == Outcome::dropped && ctx_.answer_by) reply.outcome = Outcome::shutting_down;
  std::string sentence = reply.outcome == Outcome::applied ? std::string() : std::move(reply.reply);
  answer(token, reply.outcome, reply.index, std::move(sentence), std::move(decoded), now);
  return true;
}

// The waits of a member that was found silent when the turn of one came. It hears that they ended once it is back, and
// asks anew.
void Receives::forget_member(raft::NodeId id, Millis now) {
  std::vector<Token> of_it;
  for (auto at = by_forwarder_.lower_bound({id, 0}); at != by_forwarder_.end() && at->first.first == id; ++at)
    if (const Stage stage = takes_.at(at->second).stage; stage == Stage::waiting || stage == Stage::fresh)
      of_it.push_back(at->second);
  for (const Token token : of_it) answer(token, Outcome::dropped, {}, std::string(kMemberSilent), {}, now);
}

// Messages between the two may have been lost. What only reserves is asked for again: if it was served before, that is
// taken back. What removes may have been done, and is not.
void Receives::peer_connected(raft::NodeId id, Millis now) {
  if (ctx_.answer_by) return;
  std::vector<Token> again;
  for (const auto& [request, token] : by_request_) {
    const Take& take = takes_.at(token);
    if (take.to != id) continue;
    if (take.client_gone)
      (void)ctx_.transport.send(id, CancelReceive{request});
    else if (!take.removes && now < take.wait_until)
      again.push_back(token);
  }
  for (const Token token : again) {
    Take& take = takes_.at(token);
    (void)ctx_.transport.send(take.to, CancelReceive{take.request});
    forget(take);
    by_request_.erase(take.request);
    take.stage = Stage::fresh;
    fresh_.push_back(token);
  }
  ctx_.wants_turn |= !again.empty();
}

// What only reserves is answered at once, and what the leader reserves yet is taken back. What removes waits for the
// leader's word.
void Receives::stop(Millis now) {
  std::vector<Token> waits;
  for (const auto& [request, token] : by_request_)
    if (waits_elsewhere(token, now)) waits.push_back(token);
  for (const Token token : waits) {
    const Take& take = takes_.at(token);
    (void)ctx_.transport.send(take.to, CancelReceive{take.request});
    if (!take.returns()) continue;
    forget(take);
    answer(token, Outcome::shutting_down, {}, {}, {}, now);
  }
}

void Receives::peer_lost(raft::NodeId id, Millis now) {
  std::vector<Token> gone;
  for (auto at = by_forwarder_.lower_bound({id, 0}); at != by_forwarder_.end() && at->first.first == id; ++at)
    gone.push_back(at->second);
  for (const Token token : gone) {
    takes_.at(token).member_gone = true;
    (void)cancel(token, now);
  }
}

// A take that this node forwarded and now applies needs no answer from the leader, which may be gone. An entry of a
// later term says that none of that leader's will come any more: logs hold terms in order.
void Receives::remote_applied(const raft::Entry& entry, const machine::Reply& reply, Millis now) {
  if (entry.term != applied_term_) {
    std::vector<Token> over;
    for (const auto& [request, token] : by_request_)
      if (takes_.at(token).term < entry.term) over.push_back(token);
    for (const Token token : over) {
      const Take& take = takes_.at(token);
      if (take.unseen) forget(take);
      if (take.unseen)
        answer(token, Outcome::unknown, {}, std::string(take.removes ? kLeaderChangedUnknown : kLeaderChangedReserved),
               {}, now);
      else
        answer(token, Outcome::dropped, {}, std::string(kLeaderChanged), {}, now);
    }
  }
  if (entry.kind != raft::EntryKind::command) return;
  const auto id = machine::request_id_of(entry.payload.view());
  if (!id || id->origin != ctx_.instance || id->sequence != 0) return;
  if (reply.code != machine::ReplyCode::ok || reply.count == 0) return;  // with nothing it waits on
  const auto known = by_request_.find(id->epoch);
  if (known == by_request_.end()) return forgotten_applied(id->epoch, entry, reply, now);
  const Take& take = takes_.at(known->second);
  const std::optional<size_t> choice = choice_of(entry, take.queues);
  if (!choice) return;
  machine::Reply answered = reply;
  answered.choice = static_cast<uint32_t>(*choice);
  answer(known->second, Outcome::applied, entry.index, {}, std::move(answered), now);
}

// Its client was told that nobody knows what became of it.
void Receives::forgotten_applied(uint64_t request, const raft::Entry& entry, const machine::Reply& reply, Millis now) {
  const auto late = forgotten_.find(request);
  if (late == forgotten_.end()) return;
  const std::vector<std::string>& queues = late->second.queues;
  if (const std::optional<size_t> choice = choice_of(entry, queues)) take_back(queues[*choice], reply.deliveries, now);
  forgotten_.erase(late);
}

// Which of the queues the entry took from.
std::optional<size_t> Receives::choice_of(const raft::Entry& entry, const std::vector<std::string>& queues) {
  const Result<machine::Command> command = machine::decode(entry.payload.view());
  std::string_view queue;
  std::visit(
      [&](const auto& body) {
        if constexpr (requires { body.queue; }) queue = body.queue;
      },
      command->body);
  const auto choice = std::find(queues.begin(), queues.end(), queue);
  if (choice == queues.end()) return std::nullopt;
  return static_cast<size_t>(choice - queues.begin());
}

void Receives::forward(Token token, Take& take, Millis now) {
  const uint64_t request = ctx_.unique(ctx_.next_number++);
  const Millis left = take.wait_until - std::min(now, take.wait_until);
  std::string command = take.command;
  machine::set_request_id(command, {.origin = ctx_.instance, .epoch = request, .sequence = 0});
  ForwardReceive message{request, Bytes(std::move(command)), ctx_.raft->current_term(), left, {}};
  message.also.assign(take.queues.begin() + 1, take.queues.end());
  if (!ctx_.transport.send(ctx_.raft->leader_id(), std::move(message))) {
    fresh_.push_back(token);
    return;
  }
  ++ctx_.counters.forwarded;
  take.stage = Stage::remote;
  take.request = request;
  take.unseen = false;
  take.to = ctx_.raft->leader_id();
  take.term = ctx_.raft->current_term();
  by_request_.emplace(request, token);
  set_deadline(token, take, std::max(take.wait_until, now) + ctx_.options.request_timeout_ms);
}

}  // namespace wh::node
