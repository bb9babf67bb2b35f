// Takes that share an entry: how they are gathered in a turn, and how each gets its part of the answer. One entry for
// all that asked a queue for the same thing is what as many entries one after another would have done: each takes from
// the front as much as it asked for.
#include <algorithm>
#include <iterator>
#include <utility>

#include "base/mutant.h"
#include "machine/command/command.h"
#include "node/receives.h"

namespace wh::node {
namespace {

// For `queue` and with `max` in place of its own.
std::string command_for(const std::string& command, const std::string& queue, uint32_t max) {
  Result<machine::Command> decoded = machine::decode(command);
  if (auto* receive = std::get_if<machine::Receive>(&decoded->body)) {
    receive->queue = queue;
    receive->max = max;
  } else if (auto* dequeue = std::get_if<machine::Dequeue>(&decoded->body)) {
    dequeue->queue = queue;
    if (dequeue->count) dequeue->count = max;
  }
  return machine::encode_command(decoded->body);
}

// What the one whose part begins at `begin` gets, and the next one's begin.
machine::Reply part_of(machine::Reply& whole, size_t& begin, uint32_t max, bool removes) {
  const size_t end = std::min(begin + max, whole.deliveries.size());
  const auto at = [&](size_t i) { return whole.deliveries.begin() + static_cast<ptrdiff_t>(i); };
  machine::Reply part{.code = whole.code, .count = end - begin, .queue_length = whole.queue_length};
  part.deliveries.assign(std::make_move_iterator(at(begin)), std::make_move_iterator(at(end)));
  if (removes && part.count != 0) part.event_id = raft::Index{part.deliveries.front().id};
  if (!WH_MUTANT(a_part_for_each)) begin = end;
  return part;
}

}  // namespace

// Only with the one before it in its queue, so that the order in which they came stays.
void Receives::gather(Token token, const Take& take) {
  const auto [at, first] = last_gathered_.try_emplace(take.queue(), gathered_.size());
  if (!first) {
    Placed& last = gathered_[at->second];
    uint64_t max = take.max;
    for (const Share& share : last.shares) max += share.max;
    const uint64_t most = take.removes ? machine::kMaxDequeue : machine::kMaxReceive;
    if (max <= most && take.goes_with(takes_.at(last.shares.front().token)))
      return last.shares.push_back({token, take.max});
    at->second = gathered_.size();
  }
  gathered_.push_back({{{token, take.max}}, {}, take.queue(), take.returns() && !take.from});
}

void Receives::propose_gathered(Millis now) {
  last_gathered_.clear();
  for (Placed& placed : std::exchange(gathered_, {})) {
    const Take& first = takes_.at(placed.shares.front().token);
    uint32_t max = 0;
    for (const Share& share : placed.shares) max += share.max;
    std::string command =
        max == first.max && first.choice == 0 ? first.command : command_for(first.command, placed.queue, max);
    machine::set_request_id(command, first.id);  // the name that its forwarder gave it
    const uint64_t number = ctx_.next_number++;
    proposing_.emplace(number, std::move(placed));
    ctx_.saw_command = true;
    ++ctx_.counters.proposals;
    ctx_.raft->step(now, raft::Propose{number, Bytes(std::move(command))});
  }
}

void Receives::answer_all(const Placed& placed, Outcome outcome, Millis now) {
  for (const Share& share : placed.shares)
    if (takes_.contains(share.token)) answer(share.token, outcome, {}, {}, {}, now);
}

// An entry may stop early: at the bytes of an answer, before an event that goes alone, or after many whose time was
// over. Who gets nothing of it though there is, or was, something looks again, and then for itself.
void Receives::serve(const Placed& placed, const raft::Entry& entry, machine::Reply& reply, Millis now) {
  const bool shared = placed.shares.size() > 1;
  const bool something = reply.count != 0 || ctx_.machine.queues().front(placed.queue) != nullptr;
  size_t begin = 0;
  for (const Share& share : placed.shares) {
    const auto at = takes_.find(share.token);
    const bool removes = at != takes_.end() && at->second.removes;
    // Moved once, as there is one share.
    machine::Reply part =
        shared ? part_of(reply, begin, share.max, removes) : std::move(reply);  // NOLINT(bugprone-use-after-move)
    if (at == takes_.end()) {  // it was given up before this answer came
      if (placed.returns && !WH_MUTANT(late_answer_kept)) take_back(placed.queue, part.deliveries, now);
      continue;
    }
    Take& take = at->second;
    const bool nothing = part.code == machine::ReplyCode::ok && part.count == 0 && part.replayed_from == raft::Index{};
    const bool goes_on = nothing && !take.client_gone && (something || now < take.wait_until);
    if (goes_on && ctx_.leads()) {
      let_go(take);
      take.stage = Stage::fresh;
      take.alone = something;
      fresh_.push_back(share.token);  // it keeps its place in the line
      continue;
    }
    if (goes_on) {
      answer(share.token, Outcome::dropped, {}, std::string(kLeaderChanged), {}, now);
      continue;
    }
    if (part.count != 0) part.choice = static_cast<uint32_t>(take.choice);
    answer(share.token, Outcome::applied, entry.index, {}, std::move(part), now);
  }
}

}  // namespace wh::node
