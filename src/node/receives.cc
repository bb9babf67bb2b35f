#include "node/receives.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/mutant.h"
#include "machine/command/command.h"

namespace wh::node {
namespace {

Topic topic_of(const std::string& queue) { return {Topic::Kind::queue, queue}; }

constexpr Millis kLongestWaitMs = 60'000;  // that a member may forward

}  // namespace

// --- in and out

// Its answer may still come.
void Receives::forget(const Take& take) {
  if (take.keyed) return;
  if (forgotten_.size() >= kMaxForgotten) forgotten_.erase(forgotten_.begin());
  forgotten_.emplace(take.request, take.queue);
}

Receives::Take& Receives::add(Token token, Take take) {
  const auto [at, added] = takes_.emplace(token, std::move(take));
  WH_ASSERT(added, "a receive has a token of its own");
  fresh_.push_back(token);
  ctx_.wants_turn = true;
  by_deadline_.emplace(at->second.deadline, token);
  return at->second;
}

void Receives::set_deadline(Token token, Take& take, Millis deadline) {
  by_deadline_.erase({take.deadline, token});
  take.deadline = deadline;
  by_deadline_.emplace(deadline, token);
}

void Receives::submit(Token token, std::string command, Millis wait_ms, uint64_t client, bool full, Millis now) {
  ctx_.wants_turn = true;
  if (!ctx_.takes_requests(now)) return ctx_.complete(token, Outcome::shutting_down, {}, {});
  if (ctx_.removed) return ctx_.complete(token, Outcome::dropped, {}, ctx_.removed_sentence());
  if (full) return ctx_.complete(token, Outcome::overloaded, {}, {});
  const Result<machine::Command> decoded = machine::decode(command);
  WH_ASSERT(decoded && std::holds_alternative<machine::Receive>(decoded->body), "a receive is one");
  const auto& receive = std::get<machine::Receive>(decoded->body);
  Take take;
  take.queue = receive.queue;
  take.max = receive.max;
  take.keyed = decoded->idempotency.has_value();
  take.wait_until = now + wait_ms;
  take.client = client;
  take.deadline = ctx_.request_deadline(now);
  take.command = std::move(command);
  add(token, std::move(take));
}

// Where a receive is in its life decides what must be undone.
void Receives::let_go(Take& take) {
  if (take.stage == Stage::proposed) {
    if (take.keyed) in_flight_.erase(in_flight_.find(take.command));
    const auto at = taking_.find(take.queue);
    if (at != taking_.end() && (at->second -= std::min<uint64_t>(at->second, take.max)) == 0) taking_.erase(at);
    ready_.insert(take.queue);
    ctx_.wants_turn = true;
  }
  if (take.stage == Stage::waiting) --waiting_;
  if (take.stage == Stage::remote) by_request_.erase(take.request);
}

void Receives::answer(Token token, Outcome outcome, raft::Index index, std::string sentence, machine::Reply reply,
                      Millis now) {
  auto node = takes_.extract(token);
  Take& take = node.mapped();
  let_go(take);
  by_deadline_.erase({take.deadline, token});
  if (take.from) {
    by_forwarder_.erase({take.from, take.request});
    if (!take.client_gone) {
      std::string text = outcome == Outcome::applied ? machine::encode_reply(reply) : std::move(sentence);
      if (ctx_.transport.send(take.from, ForwardReply{take.request, outcome, index, std::move(text)})) return;
    }
  } else if (!take.client_gone) {
    return ctx_.complete(token, outcome, index, std::move(sentence), std::move(reply));
  }
  if (!take.keyed) take_back(take.queue, reply.deliveries, now);
}

void Receives::take_back(const std::string& queue, const std::vector<machine::Delivery>& deliveries, Millis now) {
  if (deliveries.empty() || WH_MUTANT(abandoned_stay_reserved)) return;
  machine::Settle settle{.queue = queue, .verb = machine::SettleVerb::take_back};
  for (const machine::Delivery& one : deliveries) settle.receipts.push_back({one.id, one.delivery});
  writes_.submit(next_internal_++, machine::encode_command(settle), true, false, now);
}

bool Receives::cancel(Token token, Millis now) {
  const auto at = takes_.find(token);
  if (at == takes_.end()) return false;
  Take& take = at->second;
  take.client_gone = true;
  ++ctx_.counters.calls_cancelled;
  switch (take.stage) {
    case Stage::remote:
      (void)ctx_.transport.send(take.to, CancelReceive{take.request});
      break;
    case Stage::proposed:
      break;
    case Stage::waiting:
      (void)waits_.cancel(token);
      [[fallthrough]];
    case Stage::fresh:
    case Stage::confirming:
      answer(token, Outcome::dropped, {}, {}, {}, now);
      break;
  }
  return true;
}

bool Receives::waits_elsewhere(Token token, Millis now) const {
  const auto at = takes_.find(token);
  return at != takes_.end() && at->second.stage == Stage::remote && now < at->second.wait_until;
}

bool Receives::cancel_waiting(Token token, Millis now) {
  const auto at = takes_.find(token);
  const bool waits_here = at != takes_.end() && at->second.stage == Stage::waiting;
  return (waits_here || waits_elsewhere(token, now)) && cancel(token, now);
}

// --- between members

void Receives::on_forward(raft::NodeId from, ForwardReceive& forward, bool full, Millis now) {
  const Result<machine::Command> decoded = machine::decode(forward.command.view());
  const auto* receive = decoded ? std::get_if<machine::Receive>(&decoded->body) : nullptr;
  if (receive == nullptr || decoded->id.sequence != 0)
    return peers_.violated(from, "a forwarded receive that is none", now);
  // The network may bring it twice.
  if (by_forwarder_.contains({from, forward.request})) return;
  const auto refuse = [&](Outcome outcome) {
    (void)ctx_.transport.send(from, ForwardReply{forward.request, outcome, {}, {}});
  };
  if (!ctx_.leads() || ctx_.raft->current_term() != forward.term) return refuse(Outcome::not_leader);
  if (!ctx_.takes_requests(now)) return refuse(Outcome::dropped);
  if (full) return refuse(Outcome::overloaded);
  Take take;
  take.queue = receive->queue;
  take.max = receive->max;
  take.keyed = decoded->idempotency.has_value();
  take.wait_until = now + std::min(forward.wait_ms, kLongestWaitMs);
  take.deadline = ctx_.request_deadline(now);
  take.from = from;
  take.client = from.value;
  take.request = forward.request;
  take.command = std::string(forward.command.view());
  const Token token = next_internal_++;
  by_forwarder_.emplace(std::pair(from, forward.request), token);
  add(token, std::move(take));
}

void Receives::on_cancel(raft::NodeId from, const CancelReceive& cancelled, Millis now) {
  const auto at = by_forwarder_.find({from, cancelled.request});
  if (at != by_forwarder_.end()) (void)cancel(at->second, now);
}

// An answer that comes too late has reserved events for nobody.
bool Receives::on_reply(raft::NodeId from, ForwardReply& reply, Millis now) {
  const auto known = by_request_.find(reply.request);
  machine::Reply decoded;
  if (reply.outcome == Outcome::applied) {
    Result<machine::Reply> result = machine::decode_reply(reply.reply);
    if (!result) {
      if (known == by_request_.end()) return false;
      peers_.violated(from, "an answer to a receive that is none", now);
      return true;
    }
    decoded = std::move(*result);
  }
  if (known == by_request_.end()) {
    const auto late = forgotten_.find(reply.request);
    if (late == forgotten_.end()) return false;
    take_back(late->second, decoded.deliveries, now);
    forgotten_.erase(late);
    return true;
  }
  const Token token = known->second;
  Take& take = takes_.at(token);
  if (take.to != from) {
    peers_.violated(from, "an answer to a receive that another member was sent", now);
    return true;
  }
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
  std::string sentence = reply.outcome == Outcome::applied ? std::string() : std::move(reply.reply);
  answer(token, reply.outcome, reply.index, std::move(sentence), std::move(decoded), now);
  return true;
}

void Receives::peer_lost(raft::NodeId id, Millis now) {
  std::vector<Token> gone;
  for (auto at = by_forwarder_.lower_bound({id, 0}); at != by_forwarder_.end() && at->first.first == id; ++at)
    gone.push_back(at->second);
  for (const Token token : gone) (void)cancel(token, now);
}

// --- what there is to take

// What the applied state has, and what proposed receives may take of it. At the end of a turn, what it proposed counts.
int64_t Receives::available(const std::string& queue) const {
  const machine::Queue* found = ctx_.machine.queues().find(queue);
  uint64_t there = found == nullptr || found->paused_out ? 0 : found->content->ready.size();
  if (const auto at = arriving_.find(queue); at != arriving_.end()) there += at->second;
  const auto taking = taking_.find(queue);
  return static_cast<int64_t>(there) - static_cast<int64_t>(taking == taking_.end() ? 0 : taking->second);
}

// Only what will be ready at once counts: a receive proposed for nothing costs an entry.
void Receives::proposed_command(std::string_view command) {
  if (waiting_ == 0) return;
  const Result<machine::Command> decoded = machine::decode(command);
  if (!decoded) return;
  uint64_t count = 0;
  std::string_view queue;
  if (const auto* one = std::get_if<machine::Enqueue>(&decoded->body)) {
    queue = one->queue;
    count = 1;
  } else if (const auto* put = std::get_if<machine::PutEvents>(&decoded->body)) {
    queue = put->queue;
    for (const machine::NewEvent& event : put->events)
      count += !event.deliver_at && event.delay.value_or(0) == 0 && event.group.empty() ? 1 : 0;
  }
  if (count == 0 || !waits_.has_line(topic_of(std::string(queue)))) return;
  const machine::Queue* found = ctx_.machine.queues().find(queue);
  if (found != nullptr && (found->paused_out || found->paused_in)) return;
  if (found != nullptr &&
      ctx_.machine.queues().setting(*found, machine::QueueSetting::delay, ctx_.machine.settings()) != 0)
    return;
  arriving_[std::string(queue)] += count;
  ready_.insert(std::string(queue));
}

void Receives::wake(std::string_view queue) {
  if (waiting_ == 0) return;
  if (!ready_.contains(queue)) ready_.emplace(queue);
  ctx_.wants_turn = true;
}

size_t Receives::waiting_for(std::string_view queue) const { return waits_.line_length(topic_of(std::string(queue))); }

// Serves the line in its order, as far as there is something for it.
void Receives::match(const std::string& queue, Millis now) {
  while (available(queue) > 0) {
    const std::optional<Token> token = waits_.take_first(topic_of(queue));
    if (!token) return;
    --waiting_;
    Take& take = takes_.at(*token);
    take.stage = Stage::fresh;
    propose(*token, take, now);
  }
}

void Receives::pump(Millis now) {
  for (const Bytes& command : writes_.take_proposed()) proposed_command(command.view());
  if (ctx_.leads() && !ctx_.raft->transferring()) {
    for (const std::string& queue : std::exchange(ready_, {})) match(queue, now);
    arriving_.clear();
  }
  for (const Token token : std::exchange(fresh_, {})) {
    const auto at = takes_.find(token);
    if (at != takes_.end() && at->second.stage == Stage::fresh) look(token, at->second, now);
  }
  writes_.note_proposals(waiting_ > 0);
}

// Decides what a receive does next.
void Receives::look(Token token, Take& take, Millis now) {
  if (ctx_.machine.version() < machine::Receive::kTraits.since) {
    if (versions_.rising()) {
      fresh_.push_back(token);
      return;
    }
    const ClusterVersion needed = machine::Receive::kTraits.since;
    return answer(token, versions_.expected(needed) ? Outcome::dropped : Outcome::unsupported, {},
                  versions_.unsupported_text(needed), {}, now);
  }
  if (!ctx_.leads()) {
    if (take.from) return answer(token, Outcome::not_leader, {}, {}, {}, now);
    if (ctx_.raft->leader_id() && ctx_.raft->current_term() != refused_term_) return forward(token, take, now);
    fresh_.push_back(token);  // until another leader is known, or its deadline
    return;
  }
  if (ctx_.raft->transferring()) {
    fresh_.push_back(token);
    return;
  }
  // Its answer is known, or will be: the log gives it again.
  if (take.keyed && (in_flight_.contains(take.command) || ctx_.machine.is_repeat(take.command, ctx_.raft->stamp(now))))
    return propose(token, take, now);
  // Those that wait come first.
  if (available(take.queue) > static_cast<int64_t>(waits_.line_length(topic_of(take.queue))))
    return propose(token, take, now);
  if (now < take.wait_until) return wait(token, take, now);
  confirm(token, take, now);
}

void Receives::forward(Token token, Take& take, Millis now) {
  const uint64_t request = ctx_.unique(ctx_.next_number++);
  const Millis left = take.wait_until - std::min(now, take.wait_until);
  if (!ctx_.transport.send(ctx_.raft->leader_id(), ForwardReceive{request, Bytes(std::string(take.command)),
                                                                  ctx_.raft->current_term(), left})) {
    fresh_.push_back(token);
    return;
  }
  ++ctx_.counters.forwarded;
  take.stage = Stage::remote;
  take.request = request;
  take.to = ctx_.raft->leader_id();
  take.term = ctx_.raft->current_term();
  by_request_.emplace(request, token);
  set_deadline(token, take, std::max(take.wait_until, now) + ctx_.options.request_timeout_ms);
}

void Receives::wait(Token token, Take& take, Millis now) {
  Wait entry{.topic = topic_of(take.queue), .until = take.wait_until, .ends_with_leader = true};
  entry.place = take.place;
  entry.client = take.client;
  const std::optional<uint64_t> place = waits_.add_in_line(token, std::move(entry));
  if (!place) {
    if (ctx_.answer_by) return answer(token, Outcome::shutting_down, {}, {}, {}, now);
    ++ctx_.counters.waits_refused;
    return answer(token, Outcome::overloaded, {}, std::string(Context::kTooManyWait), {}, now);
  }
  take.place = *place;
  take.stage = Stage::waiting;
  ++waiting_;
  by_deadline_.erase({take.deadline, token});
  take.deadline = kNever;
}

void Receives::confirm(Token token, Take& take, Millis now) {
  take.stage = Stage::confirming;
  set_deadline(token, take, now + ctx_.options.request_timeout_ms);
  reads_.submit_internal(token, now);
}

void Receives::propose(Token token, Take& take, Millis now) {
  take.stage = Stage::proposed;
  take.term = ctx_.raft->current_term();
  taking_[take.queue] += take.max;
  if (take.keyed) in_flight_.insert(take.command);
  set_deadline(token, take, now + ctx_.options.request_timeout_ms);
  const uint64_t number = ctx_.next_number++;
  proposing_.emplace(number, Placed{token, {}, take.queue, take.keyed});
  ctx_.saw_command = true;
  ++ctx_.counters.proposals;
  ctx_.raft->step(now, raft::Propose{number, Bytes(std::string(take.command))});
}

bool Receives::wait_over(const Woken& woken, Millis now) {
  const auto at = takes_.find(woken.token);
  if (at == takes_.end() || at->second.stage != Stage::waiting) return false;
  Take& take = at->second;
  --waiting_;
  take.stage = Stage::fresh;
  set_deadline(woken.token, take, now + ctx_.options.request_timeout_ms);
  switch (woken.why) {
    case WaitEnd::reached:
    case WaitEnd::late:
      fresh_.push_back(woken.token);
      ctx_.wants_turn = true;
      break;
    case WaitEnd::leader_changed:
      answer(woken.token, Outcome::dropped, {}, "the leader changed while this waited: ask again", {}, now);
      break;
    case WaitEnd::crowded:
      ++ctx_.counters.waits_refused;
      answer(woken.token, Outcome::overloaded, {}, std::string(Context::kTooManyWait), {}, now);
      break;
    case WaitEnd::stopped:
      answer(woken.token, take.from ? Outcome::dropped : Outcome::shutting_down, {}, {}, {}, now);
      break;
  }
  return true;
}

void Receives::confirmed(const std::vector<InternalRead>& reads, Millis now) {
  for (const auto& [token, done] : reads) {
    const auto at = takes_.find(token);
    if (at == takes_.end() || at->second.stage != Stage::confirming) continue;
    Take& take = at->second;
    take.stage = Stage::fresh;
    if (!done || !ctx_.leads())
      answer(token, Outcome::dropped, {}, {}, {}, now);
    else if (available(take.queue) > static_cast<int64_t>(waits_.line_length(topic_of(take.queue))))
      fresh_.push_back(token), ctx_.wants_turn = true;
    else
      answer(token, Outcome::applied, ctx_.machine.applied(), {}, {}, now);
  }
}

// --- the log

bool Receives::proposed(const raft::Proposed& result, Millis now) {
  const auto node = proposing_.extract(result.token);
  if (node.empty()) return false;
  Placed placed = std::move(node.mapped());
  const auto take = takes_.find(placed.token);
  if (result.refusal == raft::Refusal::none) {
    if (const auto old = at_index_.extract(result.index); !old.empty() && takes_.contains(old.mapped().token))
      answer(old.mapped().token, Outcome::unknown, {}, {}, {}, now);
    if (take != takes_.end()) take->second.term = result.term;
    placed.term = result.term;
    at_index_.emplace(result.index, std::move(placed));
  } else if (take != takes_.end()) {
    answer(placed.token, result.refusal == raft::Refusal::overloaded ? Outcome::overloaded : Outcome::dropped, {}, {},
           {}, now);
  }
  return true;
}

void Receives::applied(const raft::Entry& entry, machine::Reply& reply, Millis now) {
  while (!at_index_.empty() && at_index_.begin()->first <= entry.index) {
    const auto node = at_index_.extract(at_index_.begin());
    const Placed& placed = node.mapped();
    const bool ours = node.key() == entry.index && placed.term == entry.term;
    const auto at = takes_.find(placed.token);
    if (at == takes_.end()) {  // it was given up before this answer came
      if (ours && !placed.keyed) take_back(placed.queue, reply.deliveries, now);
      continue;
    }
    Take& take = at->second;
    if (!ours) {
      answer(placed.token, Outcome::dropped, {}, {}, {}, now);
      continue;
    }
    const bool nothing =
        reply.code == machine::ReplyCode::ok && reply.deliveries.empty() && reply.replayed_from == raft::Index{};
    if (nothing && !take.client_gone && now < take.wait_until && ctx_.leads()) {
      let_go(take);
      take.stage = Stage::fresh;
      fresh_.push_back(placed.token);  // it keeps its place in the line
      continue;
    }
    answer(placed.token, Outcome::applied, entry.index, {}, std::move(reply), now);
  }
}

void Receives::replaced_by_snapshot(raft::Index index, Millis now) {
  while (!at_index_.empty() && at_index_.begin()->first <= index) {
    const Token token = at_index_.begin()->second.token;
    at_index_.erase(at_index_.begin());
    if (takes_.contains(token)) answer(token, Outcome::unknown, {}, {}, {}, now);
  }
}

// What waits on this node ends by Waits. A receive at the old leader may still be applied; its events are then taken
// back when that answer comes, or their reservation ends.
void Receives::leader_changed(Millis now) {
  std::vector<Token> lost;
  for (const auto& [request, token] : by_request_) lost.push_back(token);
  for (const Token token : lost) {
    forget(takes_.at(token));
    answer(token, Outcome::dropped, {}, "the leader changed while this waited: ask again", {}, now);
  }
  taking_.clear();
  for (const auto& [token, take] : takes_)
    if (take.stage == Stage::proposed) taking_[take.queue] += take.max;
  arriving_.clear();
  ctx_.wants_turn = true;
}

// --- time

void Receives::expire(Millis now) {
  while (!by_deadline_.empty() && by_deadline_.begin()->first <= now) {
    const Token token = by_deadline_.begin()->second;
    const Take& take = takes_.at(token);
    if (take.stage == Stage::remote) forget(take);
    const bool certain = take.stage == Stage::fresh || take.stage == Stage::confirming;
    answer(token, certain ? Outcome::dropped : Outcome::unknown, {}, {}, {}, now);
  }
}

void Receives::bring_deadlines_forward(Millis latest) {
  std::vector<Token> later;
  for (const auto& [deadline, token] : by_deadline_)
    if (deadline > latest) later.push_back(token);
  for (const Token token : later) set_deadline(token, takes_.at(token), latest);
}

}  // namespace wh::node
