#include "api/calls.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "api/access.h"
#include "base/assert.h"
#include "base/log.h"
#include "base/overloaded.h"
#include "config/option_table.h"
#include "net/loop.h"

namespace wh::api {
namespace {

// Why this node cannot open the stream now.
std::optional<Refusal> refuse_watch(const node::Node& node, const Watch& watch) {
  constexpr ClusterVersion kNeeded = machine::Transact::kTraits.since;  // keys have had indexes since then
  if (std::holds_alternative<WatchKeys>(watch) && node.cluster_version() < kNeeded)
    return Refusal{RefusalKind::unsupported, node.below_version_text(kNeeded)};
  return check_watch(node.machine(), watch);
}

}  // namespace

Calls::Begun& Calls::begin(node::Token token, CallOwner& owner, CallKind kind) {
  return begun_.emplace(token, Begun{&owner, kind, net::Loop::micros()}).first->second;
}

OrRefusal<Started> Calls::start(CallOwner& owner, const security::Principal& principal, Operation operation,
                                const CallOptions& options) {
  if (auto refusal = check_access(principal, operation)) return std::move(*refusal);
  if (auto refusal = check_bounds(operation)) return std::move(*refusal);
  if (auto* local = std::get_if<Local>(&operation)) {
    OrRefusal<Answer> answer = run_here(std::move(*local));
    if (!answer) return answer.error();
    return Started(std::move(*answer));
  }
  if (auto* read = std::get_if<Read>(&operation)) return start_read(owner, std::move(*read), options);
  if (auto* watch = std::get_if<Watch>(&operation)) return start_stream(owner, std::move(*watch), options);
  if (const auto* take = std::get_if<Take>(&operation)) return start_take(owner, *take, options);
  const node::Token token = next_++;
  if (const auto* write = std::get_if<Write>(&operation)) {
    begin(token, owner, CallKind::write).write = write->index();
    submit(token, *write, options);
  } else {
    begin(token, owner, CallKind::admin);
    context_.node.submit_admin(token, admin_request(std::move(std::get<Change>(operation))), clock_());
  }
  return Started(token);
}

void Calls::submit(node::Token token, const Write& write, const CallOptions& options) {
  std::string command = encode(write, options.idempotency);
  if (const auto* receive = std::get_if<machine::Receive>(&write)) {
    begun_.at(token).taking = Taking{{std::string(receive->queue)}, !options.idempotency.has_value()};
    return context_.node.submit_receive(token, std::move(command), options.wait_ms, clock_(), options.client);
  }
  // What is so already needs no entry, only a state that is new enough (HAZARDS Q29). But answers under a key are kept.
  if (options.may_forward && !options.idempotency && changes_nothing(context_.node.machine(), write)) {
    begun_.at(token).unchanged = std::move(command);
    return context_.node.submit_read(token, clock_(), {.client = options.client});
  }
  context_.node.submit_write(token, std::move(command), options.may_forward, clock_());
}

// The read is done. What was changed meanwhile makes it a write like others.
bool Calls::writes_after_all(node::Token token, Begun& begun, node::Completion& completion) {
  if (!begun.unchanged) return false;
  const std::string command = *std::exchange(begun.unchanged, std::nullopt);
  if (completion.outcome != node::Outcome::applied) return false;
  const machine::Machine& machine = context_.node.machine();
  const Result<machine::Command> decoded = machine::decode(command);
  WH_ASSERT(decoded, "a command that was encoded here");
  std::optional<machine::Reply> reply = machine.unchanged(decoded->body);
  if (!reply) {
    context_.node.submit_write(token, command, true, clock_());
    return true;
  }
  completion.reply = std::move(*reply);
  completion.index = machine.applied();
  return false;
}

Started Calls::start_take(CallOwner& owner, const Take& take, const CallOptions& options) {
  const node::Token token = next_++;
  Begun& begun = begin(token, owner, CallKind::write);
  const Write write = command_of(take);
  begun.write = write.index();
  const Millis wait = wait_of(take);
  begun.taking = Taking{.queues = queues_of(take),
                        .returns = std::holds_alternative<ReceiveFirst>(take),
                        .answers = true,
                        .until = wait == kNever ? kNever : clock_() + wait,
                        .command = encode(write, {}),
                        .client = options.client};
  submit_take(token, *begun.taking);
  return Started(token);
}

void Calls::submit_take(node::Token token, const Taking& taking) {
  const Millis now = clock_();
  const Millis wait = std::min(taking.until - std::min(now, taking.until), node::kLongestWaitMs);
  node::TakeRequest request{.command = taking.command, .also = {}, .wait_ms = wait, .client = taking.client};
  request.also.assign(taking.queues.begin() + 1, taking.queues.end());
  context_.node.submit_take(token, std::move(request), now);
}

bool Calls::takes_on(node::Token token, const Begun& begun, const node::Completion& completion) {
  if (!begun.taking || clock_() >= begun.taking->until) return false;
  if (completion.outcome != node::Outcome::applied || completion.reply.code != machine::ReplyCode::ok ||
      completion.reply.count != 0)
    return false;
  submit_take(token, *begun.taking);
  return true;
}

// What a read may wait for; nothing: it does not wait.
static std::optional<node::Topic> waited_for(const Read& read) {
  if (const auto* front = std::get_if<GetFront>(&read)) return node::Topic{node::Topic::Kind::front, front->queue};
  const auto* get = std::get_if<GetKey>(&read);
  if (get == nullptr || !get->after) return std::nullopt;
  return node::Topic{node::Topic::Kind::key, get->key};
}

// Whether what it waits for is there.
static bool is_there(const machine::Machine& machine, const Read& read) {
  if (const auto* front = std::get_if<GetFront>(&read)) return machine.front(front->queue) != nullptr;
  const auto& get = std::get<GetKey>(read);
  return changed_since(machine, get.key, *get.after);
}

OrRefusal<Started> Calls::start_read(CallOwner& owner, Read read, const CallOptions& options) {
  node::Node& node = context_.node;
  const bool figures = std::holds_alternative<ShowMetrics>(read);
  const bool stale = figures || options.read.stale;
  if (stale && !figures && node.raft() == nullptr)
    return Refusal{RefusalKind::unavailable, "this node has no state to show yet"};
  const bool here = figures || (stale && options.read.min_index <= node.machine().applied());
  // It waits for nothing and is little work. The way through deliver() took 2,300 of its request's 21,600 instructions.
  if (here && options.wait_ms == 0 && std::holds_alternative<GetKey>(read)) {
    const uint64_t began_us = net::Loop::micros();
    std::optional<Refusal> refusal = options.max_staleness ? too_stale(*options.max_staleness) : std::nullopt;
    OrRefusal<Started> answer = refusal ? OrRefusal<Started>(*std::move(refusal))
                                        : OrRefusal<Started>(Started(look(node.machine(), std::move(read))));
    count(CallKind::stale, net::Loop::micros() - began_us, node::Outcome::applied, false);
    return answer;
  }
  const node::Token token = next_++;
  Begun& begun = begin(token, owner, stale ? CallKind::stale : CallKind::read);
  begun.read = std::move(read);
  if (stale) begun.max_staleness = options.max_staleness;
  if (waited_for(begun.read) && options.wait_ms != 0) {
    begun.wait_until = clock_() + options.wait_ms;
    begun.may_wait = true;
    begun.terms = options.read;
    begun.terms.client = options.client;
  }
  if (here)
    stale_.push_back({token, node::Outcome::applied, {}, {}});
  else
    node.submit_read(token, clock_(),
                     {.stale = options.read.stale, .min_index = options.read.min_index, .client = options.client});
  return Started(token);
}

// A stream of a queue or of keys begins like a read: a node that lags must not take a good place for one that does not
// exist yet (HAZARDS W6). A stale one begins with what this node has, and asks the leader only about a place behind
// that.
OrRefusal<Started> Calls::start_stream(CallOwner& owner, Watch watch, const CallOptions& options) {
  const bool reads = !std::holds_alternative<WatchCluster>(watch);
  if (reads && options.read.stale && context_.node.raft() == nullptr)
    return Refusal{RefusalKind::unavailable, "this node has no state to show yet"};
  const node::Token token = next_++;
  Begun& begun = begin(token, owner, CallKind::stream);
  begun.terms = options.read;
  begun.terms.client = options.client;
  begun.opening = std::move(watch);
  if (reads)
    context_.node.submit_read(token, clock_(), begun.terms);
  else
    open_stream(token);
  return Started(token);
}

void Calls::open_stream(node::Token token) {
  Begun& begun = begun_.at(token);
  const Watch watch = *std::exchange(begun.opening, std::nullopt);
  if (auto refusal = refuse_watch(context_.node, watch)) {
    // What this node has not applied yet may be committed: only the leader can tell that from the future.
    if (begun.terms.stale && refusal->kind == RefusalKind::malformed) {
      begun.terms.stale = false;
      begun.opening = watch;
      return context_.node.submit_read(token, clock_(), begun.terms);
    }
    CallOwner* owner = begun.owner;
    begun_.erase(token);
    return owner->on_answer(token, std::move(*refusal));
  }
  context_.node.submit_wait(token, {.topic = topic_of(watch), .lasting = true, .client = begun.terms.client}, clock_());
}

OrRefusal<Answer> Calls::run_here(Local operation) {
  using Answered = OrRefusal<Answer>;
  SlowLog& slow = context_.slow_log;
  return std::visit(
      Overloaded{
          [](const AskAlive&) { return Answered(Answer{}); },
          [&](const AskReady&) {
            std::string why;
            if (context_.node.ready(&why)) return Answered(Answer{});
            return Answered(Refusal{RefusalKind::unavailable, printable(why)});
          },
          [](const ShowCluster&) { return Answered(Answer{}); }, [](const DescribeApi&) { return Answered(Answer{}); },
          [](const ShowPage&) { return Answered(Answer{}); }, [](const ShowActivity&) { return Answered(Answer{}); },
          [](const ShowMessages&) { return Answered(Answer{}); }, [](const ShowClients&) { return Answered(Answer{}); },
          [](const EndClients&) { return Answered(Answer{}); },
          [&](const ShowInfo& show) {
            return Answered(Answer{{}, Report{Bytes(context_.info(show.sections))}});
          },
          [&](const GetDirectives& get) {
            return Answered(Answer{{}, Directives{config::get_options(context_.options, get.pattern)}});
          },
          [&](const SetDirective& set) {
            if (const Status done = context_.configure(set.name, set.value); !done)
              return Answered(Refusal{RefusalKind::malformed, done.error()});
            return Answered(Answer{});
          },
          [&](const ResetCounters&) {
            context_.reset_counters();
            return Answered(Answer{});
          },
          [&](const ShowSlowRequests& show) {
            return Answered(Answer{{}, SlowRequests{slow.newest(show.count)}});
          },
          [&](const CountSlowRequests&) {
            return Answered(Answer{{}, Count{slow.size()}});
          },
          [&](const ForgetSlowRequests&) {
            slow.reset();
            return Answered(Answer{});
          }},
      operation);
}

void Calls::take_completed() {
  std::vector<node::Completion> done = context_.node.take_completions();
  done.insert(done.end(), std::make_move_iterator(stale_.begin()), std::make_move_iterator(stale_.end()));
  stale_.clear();
  const bool crowd = done.size() + kept_[0].size() + kept_[1].size() > kCrowd;
  for (node::Completion& completion : done) {
    const auto begun = begun_.find(completion.token);
    if (begun == begun_.end()) {
      drop(completion);
      continue;
    }
    const bool last = crowd && begun->second.owner->asks_much(completion.token);
    kept_[last ? 1 : 0].push_back(std::move(completion));
  }
}

// One in four goes to clients that ask much, so that they too get on.
void Calls::hand_out_next(uint64_t handed_out) {
  std::deque<node::Completion>& from = kept_[kept_[0].empty() || (handed_out % 4 == 3 && !kept_[1].empty()) ? 1 : 0];
  hand_out(from.front());  // which puts nothing into kept_, and takes nothing from it
  from.pop_front();
}

void Calls::hand_out(node::Completion& completion) {
  const auto found = begun_.find(completion.token);
  if (found == begun_.end()) return drop(completion);
  if (found->second.kind == CallKind::stream && completion.outcome == node::Outcome::applied) {
    if (found->second.opening) return open_stream(completion.token);
    return found->second.owner->on_answer(completion.token, Answer{});
  }
  if (waits_on(completion.token, found->second, completion) || takes_on(completion.token, found->second, completion) ||
      writes_after_all(completion.token, found->second, completion))
    return;
  auto handle = begun_.extract(found);
  Begun& begun = handle.mapped();
  if (begun.kind != CallKind::stream)
    count(begun.kind, net::Loop::micros() - begun.at_us, completion.outcome,
          begun.taking.has_value() || begun.may_wait);
  begun.owner->on_answer(completion.token, answer_to(begun, completion));
}

void Calls::count(CallKind kind, uint64_t took_us, node::Outcome outcome, bool may_wait) {
  CallCounters& counters = counters_[static_cast<size_t>(kind)];
  counters.took_us.add(took_us);
  ++counters.outcomes.at(static_cast<size_t>(outcome));
  if (kind != CallKind::admin)
    context_.activity->completed(kind == CallKind::write ? Activity::Kind::write : Activity::Kind::read, took_us,
                                 outcome == node::Outcome::applied, may_wait);
}

// Looks first, and waits only if nothing is there; nothing becomes ready between the look and the wait. When something
// does, it is read anew, as others may be faster.
bool Calls::waits_on(node::Token token, Begun& begun, const node::Completion& completion) {
  if (begun.wait_until == 0) return false;
  const Millis now = clock_();
  if (begun.waits) {
    begun.waits = false;
    if (completion.outcome != node::Outcome::applied && completion.outcome != node::Outcome::timed_out) return false;
    if (completion.outcome == node::Outcome::timed_out) begun.wait_until = 0;
    context_.node.submit_read(token, now, begun.terms);
    return true;
  }
  if (completion.outcome != node::Outcome::applied || now >= begun.wait_until ||
      is_there(context_.node.machine(), begun.read))
    return false;
  begun.waits = true;
  context_.node.submit_wait(token,
                            {.topic = waited_for(begun.read),
                             .until = begun.wait_until,
                             .ends_with_leader = true,
                             .client = begun.terms.client},
                            now);
  return true;
}

// Its client is gone. Events that were received for it are ready again at once.
void Calls::drop(const node::Completion& completion) {
  const auto abandoned = abandoned_.extract(completion.token);
  if (abandoned.empty() || completion.reply.choice >= abandoned.mapped().size()) return;
  context_.node.take_back(abandoned.mapped()[completion.reply.choice], completion.reply.deliveries, clock_());
}

bool Calls::cancel(node::Token token) {
  const auto found = begun_.find(token);
  if (found == begun_.end()) return false;
  if (auto& taking = found->second.taking) {
    // The node sees to a take that it still has; else its completion is on the way here.
    if (!context_.node.cancel_receive(token) && taking->returns) abandoned_.emplace(token, std::move(taking->queues));
    begun_.erase(found);
    return true;
  }
  if (found->second.kind == CallKind::write || found->second.kind == CallKind::admin) return false;
  begun_.erase(found);
  context_.node.cancel(token);
  return true;
}

bool Calls::cancel_wait(node::Token token) {
  const auto found = begun_.find(token);
  if (found == begun_.end()) return false;
  if (found->second.taking) found->second.taking->until = 0;
  if (!context_.node.cancel_wait(token)) return false;
  begun_.erase(found);
  return true;
}

bool Calls::cancel_wait_or_receive(node::Token token) {
  const auto found = begun_.find(token);
  if (found != begun_.end() && found->second.taking && found->second.taking->returns) return cancel(token);
  return cancel_wait(token);
}

// Looks at the state now, so a read also sees what was applied since it was completed.
OrRefusal<Answer> Calls::answer_to(Begun& begun, node::Completion& completion) {
  if (completion.outcome != node::Outcome::applied) {
    Refusal refusal = refusal_of(completion);
    // A receive that another leader was sent: nothing took too long, and it may be sent again at once.
    if (begun.taking && completion.outcome == node::Outcome::unknown && !completion.sentence.empty())
      refusal.kind = RefusalKind::unavailable;
    if (begun.taking && completion.outcome == node::Outcome::overloaded)
      refusal.sentence = "the queue " + printable(begun.taking->queues[0]) + ": " + refusal.sentence;
    return refusal;
  }
  switch (begun.kind) {
    case CallKind::write: {
      const uint32_t choice = completion.reply.choice;
      OrRefusal<Answer> answer = answer_of_write(begun.write, completion.index, std::move(completion.reply));
      if (answer && begun.taking && begun.taking->answers)
        answer->body = taken(std::move(*answer), std::move(begun.taking->queues.at(choice)));
      return answer;
    }
    case CallKind::admin:
    case CallKind::stream:
      return Answer{completion.index, {}};
    case CallKind::read:
    case CallKind::stale:
      break;
  }
  if (begun.max_staleness)
    if (auto refusal = too_stale(*begun.max_staleness)) return std::move(*refusal);
  if (std::holds_alternative<ShowMetrics>(begun.read))
    return Answer{context_.node.machine().applied(), Report{context_.metrics()}};
  return look(context_.node.machine(), std::move(begun.read));
}

std::optional<Refusal> Calls::too_stale(Millis allowed) const {
  const std::optional<Millis> age = context_.node.staleness(clock_());
  if (age && *age <= allowed) return std::nullopt;
  const std::string why = age ? "this node's state may be " + std::to_string(*age) + " ms old"
                              : "this node does not know how old its state is: it has not caught up with a leader yet";
  return Refusal{RefusalKind::unavailable, why + "; max_staleness allows " + std::to_string(allowed) + " ms"};
}

}  // namespace wh::api
