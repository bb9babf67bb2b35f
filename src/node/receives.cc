#include "node/receives.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/mutant.h"
#include "machine/command/command.h"

namespace wh::node {
namespace {

Topic topic_of(const std::string& queue) { return {Topic::Kind::queue, queue}; }

}  // namespace

// --- in and out

bool Receives::read_command(std::string_view command, std::vector<std::string> also, Take& take) {
  const Result<machine::Command> decoded = machine::decode(command);
  if (!decoded || decoded->id.sequence != 0) return false;
  take.id = decoded->id;
  take.keyed = decoded->idempotency.has_value();
  if (take.keyed && !also.empty()) return false;
  if (const auto* receive = std::get_if<machine::Receive>(&decoded->body)) {
    take.queues.emplace_back(receive->queue);
    take.max = receive->max;
    take.counts = true;
    take.visibility = receive->visibility;
  } else if (const auto* dequeue = std::get_if<machine::Dequeue>(&decoded->body)) {
    if (dequeue->only_if_front) return false;
    take.queues.emplace_back(dequeue->queue);
    take.max = dequeue->count.value_or(1);
    take.counts = dequeue->count.has_value();
    take.removes = true;
  } else {
    return false;
  }
  for (std::string& queue : also) take.queues.push_back(std::move(queue));
  take.command = std::string(command);
  machine::set_request_id(take.command, {});  // the same for all repeats under one idempotency key
  return true;
}

// Its answer may still come.
void Receives::forget(const Take& take) {
  if (!take.returns()) return;
  if (forgotten_.size() >= kMaxForgotten) forgotten_.erase(forgotten_.begin());
  forgotten_.emplace(take.request, take);
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
  take.deadline = ctx_.answer_by ? std::min(deadline, *ctx_.answer_by) : deadline;
  by_deadline_.emplace(take.deadline, token);
}

void Receives::submit(Token token, TakeRequest request, bool full, Millis now) {
  ctx_.wants_turn = true;
  if (!ctx_.takes_requests(now)) return ctx_.complete(token, Outcome::shutting_down, {}, {});
  if (ctx_.removed) return ctx_.complete(token, Outcome::dropped, {}, ctx_.removed_sentence());
  if (full) return ctx_.complete(token, Outcome::overloaded, {}, {});
  Take take;
  const bool good = read_command(request.command, std::move(request.also), take);
  WH_ASSERT(good, "a take is a Receive or a Dequeue");
  take.wait_until = now + request.wait_ms;
  take.client = request.client;
  take.deadline = ctx_.request_deadline(now);
  add(token, std::move(take));
}

// Where a receive is in its life decides what must be undone.
void Receives::let_go(Take& take) {
  if (take.stage == Stage::proposed) {
    if (take.keyed) in_flight_.erase(in_flight_.find(take.command));
    if (std::exchange(take.promised, false)) {
      const auto at = taking_.find(take.queue());
      if ((at->second -= take.max) == 0) taking_.erase(at);
    }
    ready_.insert(take.queue());
    if (const auto late = after_taking_.extract(take.queue()); !late.empty())
      fresh_.insert(fresh_.end(), late.mapped().begin(), late.mapped().end());
    ctx_.wants_turn = true;
  }
  if (take.stage == Stage::waiting) leave_lines(take);
  if (take.stage == Stage::remote && !WH_MUTANT(answered_at_each_reply)) by_request_.erase(take.request);
}

void Receives::answer(Token token, Outcome outcome, raft::Index index, std::string sentence, machine::Reply reply,
                      Millis now) {
  auto node = takes_.extract(token);
  Take& take = node.mapped();
  let_go(take);
  by_deadline_.erase({take.deadline, token});
  if (take.from) {
    by_forwarder_.erase({take.from, take.request});
    remember_answered(take.from, take.request);
    if (take.member_gone) return;
    // Only the member knows whether its client was told: it may have answered when it applied the entry itself. One
    // that called its take off hears that nothing came of it.
    if (!take.client_gone || outcome != Outcome::applied || reply.count == 0) {
      std::string text = outcome == Outcome::applied ? machine::encode_reply(reply) : std::move(sentence);
      if (text.size() <= kLongAnswerBytes || !take.id.origin || !has_entry(take.from, index))
        (void)ctx_.transport.send(take.from, ForwardReply{take.request, outcome, index, std::move(text)});
      return;
    }
  } else if (!take.client_gone) {
    return ctx_.complete(token, outcome, index, std::move(sentence), std::move(reply));
  }
  if (take.returns()) take_back(take.queues[reply.choice], reply.deliveries, now);
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
  take.client_gone = !WH_MUTANT(answered_after_cancel) || take.stage != Stage::proposed;
  ++ctx_.counters.calls_cancelled;
  switch (take.stage) {
    case Stage::remote:
      if (!WH_MUTANT(cancel_stays_here)) (void)ctx_.transport.send(take.to, CancelReceive{take.request});
      break;
    case Stage::proposed:
      break;
    case Stage::waiting:
    case Stage::fresh:
    case Stage::confirming:
      answer(token, Outcome::dropped, {}, {}, {}, now);
      break;
  }
  return true;
}

bool Receives::cancel_waiting(Token token, Millis now) {
  const auto at = takes_.find(token);
  if (at == takes_.end()) return false;
  if (at->second.stage == Stage::waiting || waits_elsewhere(token, now)) return cancel(token, now);
  at->second.wait_until = now;  // it takes what there is, and waits for nothing
  return false;
}

// --- what there is to take

// What the applied state has, and what proposed receives may take of it. At the end of a turn, what it proposed counts.
int64_t Receives::available(const std::string& queue) const {
  const machine::Queue* found = ctx_.machine.queues().find(queue);
  uint64_t there = found == nullptr || found->paused_out ? 0 : found->content->ready.size();
  if (const auto at = arriving_.find(queue); at != arriving_.end()) there += at->second;
  const auto taking = WH_MUTANT(one_event_for_all) ? taking_.end() : taking_.find(queue);
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
  const Millis delay =
      found == nullptr ? ctx_.machine.settings().default_delay
                       : ctx_.machine.queues().setting(*found, machine::QueueSetting::delay, ctx_.machine.settings());
  if (delay != 0) return;
  if (decoded->idempotency && ctx_.machine.is_repeat(command, ctx_.machine.time_ms())) return;
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
    const std::optional<Token> seat = waits_.take_first(topic_of(queue));
    if (!seat) return;
    const Token token = seats_.at(*seat);
    Take& take = takes_.at(token);
    leave_lines(take);
    // It would be reserved for a member that cannot pass it on.
    if (take.from && peers_.silent(take.from, now)) {
      forget_member(take.from, now);
      continue;
    }
    take.choice = static_cast<size_t>(std::find(take.queues.begin(), take.queues.end(), queue) - take.queues.begin());
    propose(token, take, now);
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
  propose_gathered(now);
  writes_.note_proposals(waiting_ > 0);
}

// Decides what a receive does next.
void Receives::look(Token token, Take& take, Millis now) {
  if (ctx_.machine.version() < machine::Receive::kTraits.since) {
    if (versions_.rising() || versions_.behind()) {
      fresh_.push_back(token);
      return;
    }
    const ClusterVersion needed = machine::Receive::kTraits.since;
    return answer(token, versions_.expected(needed) ? Outcome::dropped : Outcome::unsupported, {},
                  versions_.unsupported_text(needed), {}, now);
  }
  if (!ctx_.leads()) {
    if (take.from) return answer(token, Outcome::not_leader, {}, {}, {}, now);
    if (ctx_.answer_by && now < take.wait_until) return answer(token, Outcome::shutting_down, {}, {}, {}, now);
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
  if (const std::optional<size_t> choice = first_available(take)) {
    take.choice = *choice;
    return propose(token, take, now);
  }
  if (now < take.wait_until) return wait(token, take, now);
  if (look_after_others(token, take)) return;
  if (WH_MUTANT(nothing_found_unconfirmed)) return answer(token, Outcome::applied, ctx_.machine.applied(), {}, {}, now);
  confirm(token, take, now);
}

// A take promises itself as much as it asks for, and may take less.
bool Receives::look_after_others(Token token, Take& take) {
  if (take.looked_late) return false;
  const auto promised = std::find_if(take.queues.begin(), take.queues.end(), [&](const std::string& queue) {
    return taking_.contains(queue) && ctx_.machine.queues().front(queue) != nullptr;
  });
  if (promised == take.queues.end()) return false;
  take.looked_late = true;
  take.stage = Stage::fresh;
  after_taking_[*promised].push_back(token);
  return true;
}

// Those that wait come first.
std::optional<size_t> Receives::first_available(const Take& take) const {
  for (size_t i = 0; i < take.queues.size(); ++i)
    if (available(take.queues[i]) > static_cast<int64_t>(waits_.line_length(topic_of(take.queues[i])))) return i;
  return std::nullopt;
}

void Receives::wait(Token token, Take& take, Millis now) {
  take.stage = Stage::waiting;
  ++waiting_;
  by_deadline_.erase({take.deadline, token});
  take.deadline = kNever;
  take.places.resize(take.queues.size());
  for (size_t i = 0; i < take.queues.size(); ++i) {
    Wait entry{.topic = topic_of(take.queues[i]),
               .until = take.wait_until,
               .ends_with_leader = !WH_MUTANT(waits_outlive_the_leader)};
    entry.place = take.places[i];
    entry.client = take.client;
    const Token seat = next_internal_++;
    const std::optional<uint64_t> place = waits_.add_in_line(seat, std::move(entry));
    if (!place) {
      if (ctx_.answer_by) return answer(token, Outcome::shutting_down, {}, {}, {}, now);
      ++ctx_.counters.waits_refused;
      return answer(token, Outcome::overloaded, {}, std::string(Context::kTooManyWait), {}, now);
    }
    take.places[i] = *place;
    take.seats.push_back(seat);
    seats_.emplace(seat, token);
  }
}

void Receives::leave_lines(Take& take) {
  --waiting_;
  take.stage = Stage::fresh;
  for (const Token seat : std::exchange(take.seats, {})) {
    (void)waits_.cancel(seat);
    seats_.erase(seat);
  }
}

void Receives::confirm(Token token, Take& take, Millis now) {
  take.stage = Stage::confirming;
  set_deadline(token, take, now + ctx_.options.request_timeout_ms);
  reads_.submit_internal(token, now);
}

// A member may have been told that no entry of the term in which it asked will come any more.
void Receives::propose(Token token, Take& take, Millis now) {
  if (take.from && take.term != ctx_.raft->current_term()) return answer(token, Outcome::not_leader, {}, {}, {}, now);
  take.stage = Stage::proposed;
  take.term = ctx_.raft->current_term();
  promise(take);
  if (take.keyed) in_flight_.insert(take.command);
  set_deadline(token, take, now + ctx_.options.request_timeout_ms);
  gather(token, take);
}

void Receives::promise(Take& take) {
  take.promised = true;
  taking_[take.queue()] += take.max;
}

bool Receives::wait_over(const Woken& woken, Millis now) {
  const auto seat = seats_.find(woken.token);
  if (seat == seats_.end()) return woken.token >= kInternal;  // it left its other lines meanwhile
  const Token token = seat->second;
  Take& take = takes_.at(token);
  leave_lines(take);
  set_deadline(token, take, now + ctx_.options.request_timeout_ms);
  switch (woken.why) {
    case WaitEnd::reached:
    case WaitEnd::late:
      fresh_.push_back(token);
      ctx_.wants_turn = true;
      break;
    case WaitEnd::leader_changed:
      answer(token, Outcome::dropped, {}, std::string(kLeaderChanged), {}, now);
      break;
    case WaitEnd::crowded:
      ++ctx_.counters.waits_refused;
      answer(token, Outcome::overloaded, {}, std::string(Context::kTooManyWait), {}, now);
      break;
    case WaitEnd::stopped:
      answer(token, take.from ? Outcome::dropped : Outcome::shutting_down, {}, {}, {}, now);
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
    else if (first_available(take))
      fresh_.push_back(token), ctx_.wants_turn = true;
    else if (look_after_others(token, take))
      continue;
    else
      answer(token, Outcome::applied, ctx_.machine.applied(), {}, {}, now);
  }
}

// --- the log

bool Receives::proposed(const raft::Proposed& result, Millis now) {
  const auto node = proposing_.extract(result.token);
  if (node.empty()) return false;
  Placed placed = std::move(node.mapped());
  if (result.refusal == raft::Refusal::none) {
    if (const auto old = at_index_.extract(result.index); !old.empty()) answer_all(old.mapped(), Outcome::unknown, now);
    for (const Share& share : placed.shares)
      if (const auto take = takes_.find(share.token); take != takes_.end()) take->second.term = result.term;
    placed.term = result.term;
    at_index_.emplace(result.index, std::move(placed));
  } else {
    answer_all(placed, result.refusal == raft::Refusal::overloaded ? Outcome::overloaded : Outcome::dropped, now);
  }
  return true;
}

void Receives::applied(const raft::Entry& entry, machine::Reply& reply, Millis now) {
  if (!by_request_.empty() || !forgotten_.empty()) remote_applied(entry, reply, now);
  applied_term_ = entry.term;
  while (!at_index_.empty() && at_index_.begin()->first <= entry.index) {
    const auto node = at_index_.extract(at_index_.begin());
    const Placed& placed = node.mapped();
    if (node.key() == entry.index && placed.term == entry.term) return serve(placed, entry, reply, now);
    answer_all(placed, Outcome::dropped, now);
  }
}

void Receives::replaced_by_snapshot(raft::Index index, Millis now) {
  while (!at_index_.empty() && at_index_.begin()->first <= index) {
    const auto node = at_index_.extract(at_index_.begin());
    answer_all(node.mapped(), Outcome::unknown, now);
  }
  // This node will not see their entries.
  for (const auto& [request, token] : by_request_) takes_.at(token).unseen = true;
}

// What waits on this node ends by Waits. A take at the old leader may have been applied, or be applied yet: this node
// will see its entry, or one of a later term (remote_applied).
void Receives::leader_changed(Millis now) {
  for (const auto& [request, token] : by_request_) {
    Take& take = takes_.at(token);
    set_deadline(token, take, std::min(take.deadline, now + ctx_.options.request_timeout_ms));
  }
  // What another leader has cut off this log takes nothing from those who come now, though its askers still wait.
  std::set<Token> cut_off;
  for (const auto& [index, placed] : at_index_)
    if (ctx_.raft->log().term_at(index) != placed.term && !WH_MUTANT(cut_off_takes_count))
      for (const Share& share : placed.shares) cut_off.insert(share.token);
  taking_.clear();
  for (auto& [token, take] : takes_) {
    take.promised = false;
    if (take.stage == Stage::proposed && !cut_off.contains(token)) promise(take);
  }
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
    const bool left = take.stage == Stage::remote && take.term != ctx_.raft->current_term();
    const std::string_view why = !left ? "" : take.removes ? kLeaderChangedUnknown : kLeaderChangedReserved;
    answer(token, certain ? Outcome::dropped : Outcome::unknown, {}, std::string(why), {}, now);
  }
}

void Receives::bring_deadlines_forward(Millis latest) {
  std::vector<Token> later;
  for (const auto& [deadline, token] : by_deadline_)
    if (deadline > latest) later.push_back(token);
  for (const Token token : later) set_deadline(token, takes_.at(token), latest);
}

}  // namespace wh::node
