#include "sim/opinion/queue_checker.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace wh::sim {
namespace {

using CallKind = QueueCall::Kind;
constexpr uint64_t kNever = UINT64_MAX;

// What is known of one event. Times are compared strictly: calls at the same time are concurrent.
struct Event {
  const QueueCall* enqueue = nullptr;
  const QueueCall* removal = nullptr;
  const QueueCall* seen_first = nullptr;  // the first call to return that saw it in front or removed it
  const QueueCall* seen_last = nullptr;   // the last such call to be invoked
  uint64_t seen = kNever;                 // by then it had been in front
  uint64_t inside_from = kNever;          // by then it was inside
  uint64_t stays = 0;                     // until then it was not removed
  uint64_t gone_by = kNever;              // if no known call removed it: by then it was removed
  uint64_t own_removal = kNever;          // the first unanswered removal of exactly this event
};

std::string name(const QueueCall* call) { return "operation " + std::to_string(call->op); }
std::string quote(std::string_view event) { return "event \"" + std::string(event.substr(0, 60)) + "\""; }

class QueueCheck {
 public:
  explicit QueueCheck(const std::vector<QueueCall>& calls) : calls_(calls) {}

  QueueOpinion run() {
    for (const auto check : {&QueueCheck::gather, &QueueCheck::order, &QueueCheck::order_seen, &QueueCheck::emptiness,
                             &QueueCheck::refusals, &QueueCheck::losses}) {
      (this->*check)();
      if (!why_.empty()) return {Opinion::bad, why_};
      if (!unfit_.empty()) return {Opinion::undecided, unfit_};
    }
    return {};
  }

 private:
  void gather() {
    events_.reserve(calls_.size());
    for (const QueueCall& call : calls_) {
      if (call.kind != CallKind::enqueue) continue;
      const auto [at, fresh] = by_name_.try_emplace(call.event, events_.size());
      if (!fresh) {
        unfit_ = "two enqueues of one " + quote(call.event);
        return;
      }
      events_.emplace_back().enqueue = &call;
    }
    for (const QueueCall& call : calls_) {
      if (call.kind == CallKind::may_remove && call.event.empty()) removals_.push_back(call.invoked);
      const auto at = by_name_.find(call.event);
      if (call.kind == CallKind::may_remove && at != by_name_.end())
        events_[at->second].own_removal = std::min(events_[at->second].own_removal, call.invoked);
      if (call.kind != CallKind::removed && call.kind != CallKind::front) continue;
      if (at == by_name_.end()) return fail(name(&call) + " was given " + quote(call.event) + ", which nobody put in");
      Event& event = events_[at->second];
      if (call.returned < event.enqueue->invoked)
        return fail(name(&call) + " was given " + quote(call.event) + " before it was put in");
      if (call.kind == CallKind::removed && event.removal != nullptr)
        return fail(quote(call.event) + " was removed by " + name(event.removal) + " and by " + name(&call));
      if (call.kind == CallKind::removed) event.removal = &call;
      if (event.seen_first == nullptr || call.returned < event.seen_first->returned) event.seen_first = &call;
      if (event.seen_last == nullptr || call.invoked > event.seen_last->invoked) event.seen_last = &call;
    }
    std::sort(removals_.begin(), removals_.end());
    for (Event& event : events_) {
      if (event.removal != nullptr && event.seen_last->invoked > event.removal->returned)
        return fail(name(event.seen_last) + " saw " + quote(event.enqueue->event) + ", which " + name(event.removal) +
                    " had removed");
      if (event.seen_first != nullptr) event.seen = event.seen_first->returned;
      event.inside_from = std::min(event.enqueue->returned, event.seen);
      if (event.inside_from == kNever) continue;  // it may never have been inside
      if (event.seen_last != nullptr) event.stays = event.seen_last->invoked;
      if (event.removal == nullptr)
        event.stays =
            std::max(event.stays, std::min(event.own_removal, removals_.empty() ? kNever : removals_.front()));
      known_.push_back(&event);
    }
  }

  // Checks by the order of enqueues: everything put in before `b` must be gone when b is in front.
  void order() {
    std::vector<Event*> by_return = known_;
    std::sort(by_return.begin(), by_return.end(),
              [](const Event* a, const Event* b) { return a->enqueue->returned < b->enqueue->returned; });
    std::vector<Event*> by_invocation = known_;
    std::sort(by_invocation.begin(), by_invocation.end(),
              [](const Event* a, const Event* b) { return a->enqueue->invoked < b->enqueue->invoked; });
    const Event* longest = nullptr;  // of those put in before, the one that stays longest
    auto next = by_return.begin();
    for (const Event* b : by_invocation) {
      for (; next != by_return.end() && (*next)->enqueue->returned < b->enqueue->invoked; ++next)
        if (longest == nullptr || (*next)->stays > longest->stays) longest = *next;
      if (longest != nullptr && longest->stays > b->seen)
        return fail(name(b->seen_first) + " was given " + quote(b->enqueue->event) + " while " +
                    quote(longest->enqueue->event) + ", put in before it, was still there");
    }
    // The reverse: the time by which each must be gone.
    uint64_t seen = kNever;
    auto behind = by_invocation.rbegin();
    for (auto it = by_return.rbegin(); it != by_return.rend(); ++it) {
      for (; behind != by_invocation.rend() && (*behind)->enqueue->invoked > (*it)->enqueue->returned; ++behind)
        seen = std::min(seen, (*behind)->seen);
      (*it)->gone_by = seen;
    }
  }

  // Checks by the order in front: an event seen in front while another was still to go comes before it.
  void order_seen() {
    std::vector<Event*> by_seen;
    for (Event* event : known_)
      if (event->seen != kNever) by_seen.push_back(event);
    std::sort(by_seen.begin(), by_seen.end(), [](const Event* a, const Event* b) { return a->seen < b->seen; });
    std::vector<Event*> by_stay = known_;
    std::sort(by_stay.begin(), by_stay.end(), [](const Event* a, const Event* b) { return a->stays < b->stays; });
    const Event* longest = nullptr;
    const Event* second = nullptr;
    auto next = by_seen.begin();
    for (const Event* b : by_stay) {
      for (; next != by_seen.end() && (*next)->seen < b->stays; ++next) {
        if (longest == nullptr || (*next)->stays > longest->stays) {
          second = std::exchange(longest, *next);
        } else if (second == nullptr || (*next)->stays > second->stays) {
          second = *next;
        }
      }
      const Event* a = longest == b ? second : longest;
      if (a != nullptr && b->seen < a->stays)
        return fail(quote(a->enqueue->event) + " and " + quote(b->enqueue->event) +
                    " were each seen in front before the other was gone");
    }
    // An event that comes first by this was inside no later than the other.
    uint64_t inside = kNever;
    auto later = by_stay.rbegin();
    std::vector<std::pair<Event*, uint64_t>> earlier;
    for (auto it = by_seen.rbegin(); it != by_seen.rend(); ++it) {
      for (; later != by_stay.rend() && (*later)->stays > (*it)->seen; ++later)
        inside = std::min(inside, (*later)->inside_from);
      earlier.emplace_back(*it, inside);
    }
    for (const auto& [event, from] : earlier) event->inside_from = std::min(event->inside_from, from);
  }

  // Whether something was certainly inside at each moment of a call: overlapping intervals are merged.
  void emptiness() {
    std::vector<Event*> by_start = known_;
    std::sort(by_start.begin(), by_start.end(),
              [](const Event* a, const Event* b) { return a->inside_from < b->inside_from; });
    for (const Event* event : by_start) {
      if (event->stays <= event->inside_from) continue;
      if (full_.empty() || event->inside_from >= full_.back().second) {
        full_.emplace_back(event->inside_from, event->stays);
      } else {
        full_.back().second = std::max(full_.back().second, event->stays);
      }
    }
    for (const QueueCall& call : calls_) {
      if (call.kind != CallKind::empty) continue;
      auto stretch = std::lower_bound(full_.begin(), full_.end(), call.invoked,
                                      [](const auto& one, uint64_t at) { return one.first < at; });
      if (stretch == full_.begin()) continue;
      --stretch;
      if (call.returned < stretch->second)
        return fail(name(&call) + " found nothing, though something was always there");
    }
  }

  // An event was in front all the time if it was seen there before and removed later; or if it was inside, and
  // everything that may have been put in before it was gone.
  void refusals() {
    const auto gone = [](const Event* event) { return event->removal == nullptr ? kNever : event->removal->returned; };
    std::vector<const Event*> by_invocation;
    for (const Event& event : events_) by_invocation.push_back(&event);
    std::sort(by_invocation.begin(), by_invocation.end(),
              [](const Event* a, const Event* b) { return a->enqueue->invoked < b->enqueue->invoked; });
    // Up to each event: the last one to go and its time, and the last time without that one.
    struct Last {
      const Event* event = nullptr;
      uint64_t gone = 0;
      uint64_t gone_but_that = 0;
    };
    std::vector<Last> last;
    for (const Event* event : by_invocation) {
      Last now = last.empty() ? Last{} : last.back();
      if (now.event == nullptr || gone(event) > now.gone) {
        now = {event, gone(event), now.gone};
      } else {
        now.gone_but_that = std::max(now.gone_but_that, gone(event));
      }
      last.push_back(now);
    }
    for (const QueueCall& call : calls_) {
      if (call.kind != CallKind::not_front) continue;
      const auto at = by_name_.find(call.event);
      if (at == by_name_.end()) continue;
      const Event& event = events_[at->second];
      if (event.inside_from >= call.invoked || call.returned >= event.stays) continue;
      const auto behind =
          std::upper_bound(by_invocation.begin(), by_invocation.end(), event.enqueue->returned,
                           [](uint64_t time, const Event* other) { return time < other->enqueue->invoked; });
      const Last& before = last[static_cast<size_t>(behind - by_invocation.begin()) - 1];
      const uint64_t others = before.event == &event ? before.gone_but_that : before.gone;
      if (event.seen < call.invoked || others < call.invoked)
        return fail(name(&call) + " was refused as another than " + quote(call.event) +
                    " was in front, which was there all the time");
    }
  }

  // Each event that is gone without a known removal needs its own unanswered removal, invoked by then.
  void losses() {
    std::vector<const QueueCall*> empties;
    for (const QueueCall& call : calls_)
      if (call.kind == CallKind::empty) empties.push_back(&call);
    std::sort(empties.begin(), empties.end(),
              [](const QueueCall* a, const QueueCall* b) { return a->invoked < b->invoked; });
    std::vector<Event*> by_start = known_;
    std::sort(by_start.begin(), by_start.end(),
              [](const Event* a, const Event* b) { return a->inside_from > b->inside_from; });
    std::vector<const Event*> lost;
    uint64_t empty_by = kNever;
    for (Event* event : by_start) {
      for (; !empties.empty() && empties.back()->invoked > event->inside_from; empties.pop_back())
        empty_by = std::min(empty_by, empties.back()->returned);
      event->gone_by = std::min(event->gone_by, empty_by);
      if (event->removal == nullptr && event->gone_by != kNever && event->own_removal > event->gone_by)
        lost.push_back(event);
    }
    std::sort(lost.begin(), lost.end(), [](const Event* a, const Event* b) { return a->gone_by < b->gone_by; });
    for (size_t i = 0; i < lost.size(); ++i)
      if (i >= removals_.size() || removals_[i] > lost[i]->gone_by)
        return fail(quote(lost[i]->enqueue->event) + " is lost: it is gone, and " + std::to_string(i) +
                    " others before it, and nobody can have removed so many");
  }

  void fail(std::string why) { why_ = std::move(why); }

  const std::vector<QueueCall>& calls_;
  std::unordered_map<std::string_view, size_t> by_name_;
  std::vector<Event> events_;
  std::vector<Event*> known_;                        // events certainly inside at some time
  std::vector<uint64_t> removals_;                   // when unanswered removals, of whatever is in front, began
  std::vector<std::pair<uint64_t, uint64_t>> full_;  // when something was certainly inside
  std::string why_;
  std::string unfit_;
};

}  // namespace

QueueOpinion check_queue(const std::vector<QueueCall>& calls) { return QueueCheck(calls).run(); }

std::map<std::string_view, std::vector<QueueCall>> calls_by_queue(const std::vector<const Op*>& ops, bool certain,
                                                                  std::string& wrong) {
  std::map<std::pair<std::string_view, uint64_t>, std::string_view> names;  // by queue and id
  std::map<std::pair<std::string_view, std::string_view>, uint64_t> ids;
  const auto learn = [&](const Op& op, uint64_t id, std::string_view event) {
    if (names.try_emplace({op.key, id}, event).first->second != event)
      wrong = "operation " + std::to_string(op.id) + " was told of the id " + std::to_string(id) +
              ", which another event has";
    if (ids.try_emplace({op.key, event}, id).first->second != id)
      wrong = "operation " + std::to_string(op.id) + " was told of an event's second id, " + std::to_string(id);
  };
  for (const Op* op : ops) {
    if (!op->applied()) continue;
    if (op->kind == OpKind::enqueue && op->reply) learn(*op, op->reply->event_id.value, op->value);
    if (op->kind == OpKind::dequeue && op->reply && op->reply->count != 0) {
      learn(*op, op->reply->event_id.value, op->reply->event.view());
      if (op->only_if_front && op->reply->event_id.value != *op->only_if_front)
        wrong = "operation " + std::to_string(op->id) + " removed another event than it was to";
    }
    if (op->kind == OpKind::front && op->found) learn(*op, op->event_id, op->value);
  }
  std::map<std::string_view, std::vector<QueueCall>> result;
  for (const Op* op : ops) {
    const auto add = [&](CallKind kind, std::string_view event) {
      result[op->key].push_back({op->id, kind, event, op->invoked, op->applied() ? op->returned : kNeverReturned});
    };
    if (op->kind == OpKind::enqueue && op->may_have_happened(certain)) {
      add(CallKind::enqueue, op->value);
    } else if (op->kind == OpKind::dequeue && op->may_have_happened(certain)) {
      const auto meant = op->only_if_front ? names.find({op->key, *op->only_if_front}) : names.end();
      if (op->applied() && op->reply) {
        if (op->reply->code == machine::ReplyCode::precondition_failed) {
          if (meant != names.end()) add(CallKind::not_front, meant->second);
        } else if (op->reply->count == 0) {
          add(CallKind::empty, {});
        } else {
          add(CallKind::removed, op->reply->event.view());
        }
      } else {
        add(CallKind::may_remove, meant != names.end() ? meant->second : std::string_view{});
      }
    } else if (op->kind == OpKind::front && op->applied() && !op->stale) {
      add(op->found ? CallKind::front : CallKind::empty, op->found ? op->value : std::string_view{});
    } else if (op->kind == OpKind::length && op->applied() && !op->stale && op->number == 0) {
      add(CallKind::empty, {});
    }
  }
  return result;
}

}  // namespace wh::sim
