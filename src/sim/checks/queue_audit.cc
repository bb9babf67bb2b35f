#include "sim/checks/queue_audit.h"

#include <algorithm>

#include "base/hash.h"

namespace wh::sim {
namespace {

using machine::EventState;
using machine::QueueSetting;
using machine::SettleOutcome;
using machine::SettleVerb;

bool waits(EventState state) { return state == EventState::delayed || state == EventState::backoff; }

// The ids that a reply names, one for each event of the command.
std::vector<uint64_t> ids_of(const machine::Reply& reply) {
  return reply.ids.empty() ? std::vector<uint64_t>{reply.event_id.value} : reply.ids;
}

bool removed(const machine::Reply& reply, uint64_t id) {
  return reply.count != 0 &&
         (reply.event_id.value == id ||
          std::any_of(reply.deliveries.begin(), reply.deliveries.end(), [&](const auto& one) { return one.id == id; }));
}

}  // namespace

const QueueAudit::Items& QueueAudit::items_of(const std::map<std::string, Items>& queues, std::string_view queue) {
  static const Items kNone;
  const auto found = queues.find(std::string(queue));
  return found == queues.end() ? kNone : found->second;
}

void QueueAudit::fail(const Place& at, const std::string& what) {
  if (wrong_.empty()) wrong_ = "queue " + at.queue + ", event " + std::to_string(at.id) + ": " + what;
}

uint64_t QueueAudit::setting(const std::string& queue, QueueSetting setting) const {
  const machine::Queue* found = machine_->queues().find(queue);
  return found == nullptr ? 0 : machine_->queues().setting(*found, setting, machine_->settings());
}

// Whether an event that was delivered too often, or buried, leaves this queue.
bool QueueAudit::has_end(const std::string& queue) const {
  const machine::Queue* found = machine_->queues().find(queue);
  return found != nullptr && (found->own.dead_letter_queue || !machine_->queues().dead_letter_queue(*found).empty());
}

// A dead letter keeps the count that killed it: only a limit that its queue sets itself counts for it.
uint64_t QueueAudit::limit_of(const std::string& queue, const Item& item) const {
  const machine::Queue* found = machine_->queues().find(queue);
  const bool own = found != nullptr && found->own.numbers[static_cast<size_t>(QueueSetting::max_deliveries)];
  return item.reason.empty() || own ? setting(queue, QueueSetting::max_deliveries) : 0;
}

void QueueAudit::look_at(const machine::Queue& queue, Items& items) const {
  items.clear();
  for (const auto& [arrival, event] : queue.content->events) {
    Item item{.state = event.state,
              .due = event.due,
              .expires_at = event.expires_at,
              .enqueued_at = event.enqueued_at(),
              .delivery = event.delivery,
              .deliveries = event.deliveries,
              .priority = event.priority,
              .bytes = hash64(event.headers(), hash64(event.bytes.view())),
              .group = event.group == nullptr ? std::string() : *event.group->name,
              .reason = event.extra ? event.extra->reason : std::string()};
    items.insert_or_assign(event.id(), std::move(item));
  }
}

// Only queues that say they changed are looked at each time.
void QueueAudit::look(const machine::Machine& machine) {
  before_.clear();
  const machine::Queues::ByName& queues = machine.queues().by_name();
  for (auto at = queues.lower_bound(std::string(1, kPrefix)); at != queues.end() && at->first[0] == kPrefix; ++at) {
    const auto& [name, queue] = *at;
    raft::Index& looked = looked_at_[name];
    if (looked == queue.changed_at && machine.applied().value % 16 != 0) continue;
    looked = queue.changed_at;
    Items& items = now_[name];
    before_[name] = std::move(items);
    look_at(queue, items);
  }
  for (auto at = now_.begin(); at != now_.end();) {
    if (queues.contains(at->first)) {
      ++at;
      continue;
    }
    before_[at->first] = std::move(at->second);
    looked_at_.erase(at->first);
    at = now_.erase(at);
  }
}

std::string QueueAudit::applied(const machine::Command* command, const machine::Reply& reply,
                                const machine::Machine& machine, Situations& seen) {
  if (machine.version() < 3) return {};
  const bool effective = reply.code == machine::ReplyCode::ok && reply.replayed_from == raft::Index{};
  command_ = effective ? command : nullptr;
  reply_ = &reply;
  machine_ = &machine;
  seen_ = &seen;
  wrong_.clear();
  look(machine);
  for (const auto& [queue, before] : before_) {
    const Items& now = items_of(now_, queue);
    for (const auto& [id, item] : before) {
      const auto still = now.find(id);
      if (still == now.end()) {
        left({queue, id}, item);
      } else {
        stayed({queue, id}, item, still->second);
      }
    }
    for (const auto& [id, item] : now)
      if (!before.contains(id)) came({queue, id}, item);
    groups(queue, now);
  }
  if (command_ != nullptr) receive();
  if (command_ != nullptr) removal();
  return std::move(wrong_);
}

// --- departures

const machine::Settle* QueueAudit::settled(const Place& at, const Item& before) const {
  if (const std::vector<machine::Op>* ops = done())
    for (const machine::Op& op : *ops)
      if (const auto* one = std::get_if<machine::SettleEvent>(&op);
          one != nullptr && one->queue == at.queue &&
          one->receipt == machine::Receipt{.id = at.id, .delivery = before.delivery}) {
        settled_ = {.queue = one->queue, .verb = one->verb, .receipts = {one->receipt}, .duration = one->delay};
        return &settled_;
      }
  const auto* settle = command_ == nullptr ? nullptr : std::get_if<machine::Settle>(&command_->body);
  if (settle == nullptr || settle->queue != at.queue) return nullptr;
  for (size_t i = 0; i < settle->receipts.size() && i < reply_->outcomes.size(); ++i)
    if (settle->receipts[i].id == at.id && settle->receipts[i].delivery == before.delivery && before.delivery != 0 &&
        reply_->outcomes[i] == SettleOutcome::done)
      return settle;
  return nullptr;
}

const std::vector<machine::Op>* QueueAudit::done() const {
  const auto* transact = command_ == nullptr ? nullptr : std::get_if<machine::Transact>(&command_->body);
  if (transact == nullptr) return nullptr;
  return reply_->count != 0 ? &transact->success : &transact->failure;
}

bool QueueAudit::adds_to(const std::string& queue) const {
  if (command_ == nullptr) return false;
  if (const std::vector<machine::Op>* ops = done())
    return std::any_of(ops->begin(), ops->end(), [&](const machine::Op& op) {
      const auto* enqueue = std::get_if<machine::EnqueueEvent>(&op);
      return enqueue != nullptr && enqueue->queue == queue;
    });
  if (const auto* put = std::get_if<machine::PutEvents>(&command_->body)) return put->queue == queue;
  if (const auto* one = std::get_if<machine::Enqueue>(&command_->body)) return one->queue == queue;
  if (const auto* redrive = std::get_if<machine::Redrive>(&command_->body)) return redrive->to == queue;
  const auto* publish = std::get_if<machine::Publish>(&command_->body);
  if (publish == nullptr) return false;
  const auto topic = machine_->queues().topics().find(publish->topic);
  return topic != machine_->queues().topics().end() && topic->second.contains(queue);
}

// Whether the event arrived as a dead letter, in one place, with all that it had.
bool QueueAudit::dead_letter_of(const Place& at, const Item& item, std::string* into) const {
  size_t places = 0;
  for (const auto& [queue, items] : now_) {
    const auto found = items.find(at.id);
    if (queue == at.queue || found == items.end()) continue;
    const auto before = before_.find(queue);
    if (before == before_.end() || before->second.contains(at.id)) continue;
    const Item& dead = found->second;
    ++places;
    *into = queue;
    if (dead.bytes != item.bytes || dead.deliveries != item.deliveries || dead.priority != item.priority ||
        dead.group != item.group || dead.enqueued_at != item.enqueued_at || dead.reason.empty() ||
        dead.state != EventState::ready)
      return false;
  }
  return places == 1;
}

bool QueueAudit::was_removed_by_id(const Place& at) const {
  const auto* remove = std::get_if<machine::RemoveEvents>(&command_->body);
  if (remove == nullptr || remove->queue != at.queue) return false;
  for (size_t i = 0; i < remove->ids.size() && i < reply_->outcomes.size(); ++i)
    if (remove->ids[i] == at.id && reply_->outcomes[i] == SettleOutcome::done) return true;
  return false;
}

// Whether the command itself removed it.
bool QueueAudit::was_removed(const Place& at, const Item& item, bool over) {
  if (command_ == nullptr) return false;
  const machine::Body& body = command_->body;
  if (const auto* purge = std::get_if<machine::PurgeQueue>(&body); purge != nullptr && purge->queue == at.queue) {
    if (item.state == EventState::reserved) ++(*seen_)[Situation::purged_reserved];
    return true;
  }
  if (const auto* del = std::get_if<machine::DeleteQueue>(&body); del != nullptr && del->queue == at.queue) return true;
  const bool held =
      (item.state == EventState::reserved && !over) || (waits(item.state) && item.due > machine_->cluster_time_ms());
  if (const auto* pop = std::get_if<machine::Dequeue>(&body); pop != nullptr && pop->queue == at.queue)
    return !held && removed(*reply_, at.id);
  if (was_removed_by_id(at) && (item.state != EventState::reserved || over)) {
    ++(*seen_)[Situation::removed_from_within];
    return true;
  }
  const machine::Settle* settle = settled(at, item);
  if (settle == nullptr || settle->verb != SettleVerb::acknowledge) return false;
  if (item.state != EventState::reserved || over) ++(*seen_)[Situation::acknowledged_late];
  return true;
}

void QueueAudit::left(const Place& at, const Item& item) {
  const bool over = item.state == EventState::reserved && item.due <= machine_->time_ms();
  if (was_removed(at, item, over)) return;
  const machine::Settle* settle = settled(at, item);
  const bool buried = settle != nullptr && settle->verb == SettleVerb::bury;
  const bool ends =
      over || (settle != nullptr && (settle->verb == SettleVerb::release || settle->verb == SettleVerb::extend));
  const uint64_t limit = limit_of(at.queue, item);
  const bool worn = ends && limit != 0 && item.deliveries >= limit;
  const bool expired = item.expires_at != 0 && item.expires_at <= machine_->cluster_time_ms() &&
                       (item.state != EventState::reserved || ends);
  if (buried || worn || expired) return died(at, item, buried, worn);
  const bool free = item.state != EventState::reserved || over;
  if (free && adds_to(at.queue) && setting(at.queue, QueueSetting::overflow) == 1) {
    ++(*seen_)[Situation::dropped_by_limit];
    return;
  }
  const auto* redrive = command_ == nullptr ? nullptr : std::get_if<machine::Redrive>(&command_->body);
  if (!free || redrive == nullptr || redrive->from != at.queue)
    return fail(at, "it is lost: nothing that was asked for or fell due removed it");
  const Items& items = items_of(now_, redrive->to);
  const bool moved = std::any_of(items.begin(), items.end(), [&](const auto& one) {
    return one.second.bytes == item.bytes && one.second.deliveries == 0 && one.second.group == item.group &&
           one.second.priority == item.priority && one.second.delivery == 0;
  });
  if (!moved && setting(std::string(redrive->to), QueueSetting::overflow) != 1)
    return fail(at, "redriven, and it did not arrive as it should");
  ++(*seen_)[Situation::redriven];
}

// It is to be a dead letter, or its time is over and it is dropped.
void QueueAudit::died(const Place& at, const Item& item, bool buried, bool worn) {
  std::string into;
  if (dead_letter_of(at, item, &into)) {
    ++(*seen_)[buried ? Situation::buried : worn ? Situation::died_of_deliveries : Situation::died_of_its_ttl];
    return;
  }
  if (!into.empty()) return fail(at, "its dead letter is another, or there are two");
  const machine::Queue* queue = machine_->queues().find(at.queue);
  // A queue that no path can name goes with its last event.
  if (queue == nullptr && (buried || worn || machine::is_path_name(at.queue)))
    return fail(at, "it left, and so did its queue");
  if (queue == nullptr) {
    ++(*seen_)[Situation::expired];
    return;
  }
  const bool drops = setting(at.queue, QueueSetting::on_expiry) == 0 || machine_->queues().takes_dead_letters(*queue) ||
                     !has_end(at.queue);
  if (drops && !buried && !worn) {
    ++(*seen_)[Situation::expired];
    return;
  }
  const std::string target = machine_->queues().dead_letter_queue(*queue);
  // A redrive sweeps both its queues first, and moves on what died of that.
  const auto* redrive = command_ == nullptr ? nullptr : std::get_if<machine::Redrive>(&command_->body);
  if (redrive != nullptr && redrive->from == target) return;
  if (!target.empty()) fail(at, "it is to be a dead letter, and there is none");
}

// --- arrivals

void QueueAudit::check_new(const Place& at, const Item& item, const machine::NewEvent& event) {
  const Millis now = machine_->cluster_time_ms();
  const Millis due = event.deliver_at.value_or(now + event.delay.value_or(setting(at.queue, QueueSetting::delay)));
  const Millis ttl = event.ttl != 0 ? event.ttl : setting(at.queue, QueueSetting::ttl);
  if (item.bytes != hash64(event.headers, hash64(event.bytes))) return fail(at, "it has other bytes than were put in");
  if (item.priority != event.priority || item.group != event.group) return fail(at, "it has another priority or group");
  if (due > now ? item.state != EventState::delayed || item.due != due : item.state != EventState::ready)
    return fail(at, "it is ready at another time than was asked for");
  if (item.expires_at != (ttl == 0 ? 0 : now + ttl)) return fail(at, "it expires at another time than was asked for");
  if (item.deliveries != 0 || item.delivery != 0) return fail(at, "it is new, and was delivered");
}

void QueueAudit::came(const Place& at, const Item& item) {
  const auto fits = [&](const machine::NewEvent& event) {
    return item.bytes == hash64(event.headers, hash64(event.bytes));
  };
  if (command_ != nullptr && adds_to(at.queue)) {
    if (const std::vector<machine::Op>* ops = done()) {
      for (size_t i = 0; i < ops->size() && i < reply_->results.size(); ++i)
        if (const auto* enqueue = std::get_if<machine::EnqueueEvent>(&(*ops)[i]);
            enqueue != nullptr && reply_->results[i].number == at.id)
          return check_new(at, item, enqueue->event);
    } else if (const auto* put = std::get_if<machine::PutEvents>(&command_->body)) {
      const std::vector<uint64_t> ids = ids_of(*reply_);
      for (size_t i = 0; i < ids.size() && i < put->events.size(); ++i)
        if (ids[i] == at.id) return check_new(at, item, put->events[i]);
    } else if (const auto* one = std::get_if<machine::Enqueue>(&command_->body)) {
      if (reply_->event_id.value == at.id) return check_new(at, item, {.bytes = one->event});
    } else if (const auto* publish = std::get_if<machine::Publish>(&command_->body)) {
      const auto event = std::find_if(publish->events.begin(), publish->events.end(), fits);
      if (event != publish->events.end()) return check_new(at, item, *event);
    } else if (const auto* redrive = std::get_if<machine::Redrive>(&command_->body)) {
      const auto gone_from = [&](std::string_view queue) {
        const Items& before = items_of(before_, queue);
        const Items& now = items_of(now_, queue);
        return std::any_of(before.begin(), before.end(),
                           [&](const auto& one) { return one.second.bytes == item.bytes && !now.contains(one.first); });
      };
      const bool known = gone_from(redrive->from) || gone_from(at.queue);  // or died of the sweep, and came back
      if (known && item.deliveries == 0 && item.state == EventState::ready) return;
    }
  }
  for (const auto& [queue, items] : before_) {
    const auto was = items.find(at.id);
    if (queue == at.queue || was == items.end() || items_of(now_, queue).contains(at.id)) continue;
    const Millis ttl = setting(at.queue, QueueSetting::ttl);
    if (item.expires_at != (ttl == 0 ? 0 : machine_->cluster_time_ms() + ttl))
      return fail(at, "a dead letter whose time is not that of its queue");
    return;  // left() looks at the rest
  }
  fail(at, "nobody put it in");
}

// --- between

void QueueAudit::stayed(const Place& at, const Item& before, const Item& now) {
  if (now.bytes != before.bytes || now.priority != before.priority || now.group != before.group ||
      now.expires_at != before.expires_at || now.enqueued_at != before.enqueued_at)
    return fail(at, "it is another than it was");
  const bool fresh = now.delivery == machine_->applied().value && now.delivery != before.delivery;
  if (fresh) return delivered(at, before, now);
  if (now.delivery != before.delivery && now.delivery != 0) return fail(at, "its receipt is of no delivery");
  if (before.state == EventState::reserved && now.state == EventState::reserved) {
    if (now.deliveries != before.deliveries) return fail(at, "its count changed while it was held");
    if (now.due == before.due) return;
    const machine::Settle* settle = settled(at, before);
    if (settle == nullptr || settle->verb != SettleVerb::extend) return fail(at, "its deadline was moved by nobody");
    const Millis more = settle->duration.value_or(setting(at.queue, QueueSetting::visibility_timeout));
    if (now.due != machine_->time_ms() + more) return fail(at, "its deadline was moved to another time than asked for");
    ++(*seen_)[Situation::extended];
    return;
  }
  if (now.state == EventState::reserved) return fail(at, "it is held by nobody");
  if (before.state == EventState::reserved) return given_back(at, before, now);
  if (now.deliveries != before.deliveries) return fail(at, "its count changed while nobody had it");
  if (before.state == EventState::ready && now.state != EventState::ready) return fail(at, "it was ready, and is not");
  if (waits(before.state) && now.state == EventState::ready) {
    if (before.due > machine_->cluster_time_ms()) return fail(at, "it is ready before its time");
    ++(*seen_)[before.state == EventState::delayed ? Situation::delay_over : Situation::backoff_over];
    return;
  }
  if (now.state != before.state || now.due != before.due) fail(at, "its delay was changed");
}

// Its reservation ended.
void QueueAudit::given_back(const Place& at, const Item& before, const Item& now) {
  const machine::Settle* settle = settled(at, before);
  const bool over = before.due <= machine_->time_ms();
  if (settle == nullptr && !over) return fail(at, "it was taken from its holder before the deadline");
  const bool returned = settle != nullptr && settle->verb == SettleVerb::take_back;
  if (settle != nullptr && settle->verb == SettleVerb::acknowledge)
    return fail(at, "it was acknowledged, and is there");
  if (now.deliveries + (returned ? 1 : 0) != before.deliveries) return fail(at, "its count changed on the way back");
  const bool stays = settle != nullptr && (returned || settle->verb == SettleVerb::bury);
  const uint64_t limit = limit_of(at.queue, now);
  if (!stays && limit != 0 && now.deliveries >= limit && has_end(at.queue))
    return fail(at, "it was delivered as often as it may be, and is not a dead letter");
  if (settle != nullptr && settle->verb == SettleVerb::bury && has_end(at.queue) &&
      !machine_->queues().takes_dead_letters(*machine_->queues().find(at.queue)))
    return fail(at, "it was buried, and is there");
  ++(*seen_)[returned ? Situation::taken_back : settle != nullptr ? Situation::released : Situation::timed_out];
}

void QueueAudit::delivered(const Place& at, const Item& before, const Item& now) {
  const auto* receive = command_ == nullptr ? nullptr : std::get_if<machine::Receive>(&command_->body);
  if (receive == nullptr || receive->queue != at.queue) return fail(at, "it was delivered to nobody");
  const Millis stamp = machine_->time_ms();
  const Millis time = machine_->cluster_time_ms();
  if (before.state == EventState::reserved && before.due > stamp)
    return fail(at, "it was delivered while another holds it");
  if (waits(before.state) && before.due > time) return fail(at, "it was delivered before its time");
  if (before.expires_at != 0 && before.expires_at <= time) return fail(at, "it was delivered after its time");
  if (now.state != EventState::reserved) return fail(at, "it was delivered, and nobody holds it");
  if (now.deliveries != before.deliveries + 1) return fail(at, "its delivery does not count");
  const uint64_t limit = limit_of(at.queue, before);
  if (before.state == EventState::reserved && limit != 0 && before.deliveries >= limit && has_end(at.queue))
    return fail(at, "it was delivered more often than it may be");
  const Millis hold = receive->visibility.value_or(setting(at.queue, QueueSetting::visibility_timeout));
  if (now.due != stamp + hold) return fail(at, "it is held for another time than asked for");
  const auto& told = reply_->deliveries;
  const auto one = std::find_if(told.begin(), told.end(), [&](const auto& d) { return d.id == at.id; });
  if (one == told.end()) return fail(at, "it was delivered, and the answer does not have it");
  if (one->delivery != now.delivery || one->deliveries != now.deliveries || one->visible_at != time + hold ||
      one->priority != now.priority || one->group != now.group || one->enqueued_at != now.enqueued_at ||
      hash64(one->headers.view(), hash64(one->bytes.view())) != now.bytes)
    return fail(at, "the answer tells something else of it");
  if (before.state == EventState::reserved) ++(*seen_)[Situation::timed_out];
  if (now.deliveries > 1) ++(*seen_)[Situation::delivered_again];
}

// What a receive must have left behind.
void QueueAudit::receive() {
  const auto* receive = std::get_if<machine::Receive>(&command_->body);
  if (receive == nullptr || receive->queue.empty() || receive->queue[0] != kPrefix) return;
  const std::string queue(receive->queue);
  const Items& items = items_of(now_, queue);
  if (reply_->deliveries.size() > receive->max) return fail({queue, 0}, "more was delivered than asked for");
  std::pair<uint8_t, uint64_t> last{0, 0};
  for (const machine::Delivery& one : reply_->deliveries) {
    const auto found = items.find(one.id);
    if (found == items.end() || found->second.delivery != one.delivery || found->second.state != EventState::reserved)
      return fail({queue, one.id}, "it is in an answer, and was not delivered");
    const uint64_t limit = limit_of(queue, found->second);
    if (limit != 0 && one.deliveries >= limit && reply_->deliveries.size() > 1)
      return fail({queue, one.id}, "its last delivery, and it is not alone");
    last = std::max(last, {one.priority, one.id});
    for (const auto& [id, other] : items)
      if (!one.group.empty() && other.group == one.group && id < one.id && one.deliveries == 1 &&
          other.state == EventState::ready)
        return fail({queue, one.id}, "it was delivered before one of its group that came first");
  }
  if (reply_->deliveries.empty()) return;
  for (const auto& [id, item] : items)
    if (item.state == EventState::ready && item.group.empty() && std::pair(item.priority, id) < last)
      return fail({queue, id}, "one that comes after it was delivered before it");
}

// What became of each event of a removal by id.
void QueueAudit::removal() {
  const auto* remove = std::get_if<machine::RemoveEvents>(&command_->body);
  if (remove == nullptr || remove->queue.empty() || remove->queue[0] != kPrefix) return;
  const std::string queue(remove->queue);
  const Items& items = items_of(now_, queue);
  if (reply_->outcomes.size() != remove->ids.size()) return fail({queue, 0}, "not each has an outcome");
  for (size_t i = 0; i < remove->ids.size(); ++i) {
    const auto found = items.find(remove->ids[i]);
    const bool held =
        found != items.end() && found->second.state == EventState::reserved && found->second.due > machine_->time_ms();
    if (reply_->outcomes[i] == SettleOutcome::held ? !held : found != items.end())
      return fail({queue, remove->ids[i]}, "it was to be removed, and the answer tells something else of it");
  }
}

// One of a group at a time is with a consumer, or waits to come back to one.
void QueueAudit::groups(const std::string& queue, const Items& items) {
  std::map<std::string_view, uint64_t> held;
  for (const auto& [id, item] : items) {
    if (item.group.empty() || (item.state != EventState::reserved && item.state != EventState::backoff)) continue;
    const auto [at, only] = held.emplace(item.group, id);
    if (!only)
      return fail({queue, id},
                  "two of the group " + item.group + " are out, the other is " + std::to_string(at->second));
  }
  for (const auto& [id, item] : items)
    if (item.state == EventState::ready && held.contains(item.group)) {
      ++(*seen_)[Situation::group_waits];
      return;
    }
}

}  // namespace wh::sim
