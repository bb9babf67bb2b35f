#include "sim/opinion/model.h"

#include <algorithm>
#include <tuple>

#include "machine/dedup/idempotency.h"

namespace wh::sim {
namespace {

std::string key_scope(const machine::Body& body) {
  return std::visit(
      []<typename T>(const T& one) -> std::string {
        if constexpr (requires { one.topic; })
          return "t" + std::string(one.topic);
        else if constexpr (std::is_same_v<T, machine::Redrive>)
          return "q" + std::string(one.to);
        else if constexpr (requires { one.queue; })
          return "q" + std::string(one.queue);
        else
          return {};
      },
      body);
}

// A refused request may be repeated: its answer is not kept.
bool is_kept(const machine::Body& body, const machine::Reply& reply) {
  if (reply.code != machine::ReplyCode::ok) return false;
  if (std::holds_alternative<machine::Receive>(body)) return reply.count != 0;
  if (std::holds_alternative<machine::RemoveEvents>(body))
    return std::any_of(reply.outcomes.begin(), reply.outcomes.end(),
                       [](machine::SettleOutcome outcome) { return outcome != machine::SettleOutcome::held; });
  const auto* settle = std::get_if<machine::Settle>(&body);
  if (settle == nullptr) return true;
  return std::any_of(reply.outcomes.begin(), reply.outcomes.end(), [&](machine::SettleOutcome outcome) {
    return outcome == machine::SettleOutcome::done ||
           (outcome == machine::SettleOutcome::gone && settle->verb == machine::SettleVerb::acknowledge);
  });
}

bool is_kept_whole(const machine::Body& body) {
  const auto* dequeue = std::get_if<machine::Dequeue>(&body);
  return std::holds_alternative<machine::ConfigureQueue>(body) || (dequeue != nullptr && dequeue->keep_event);
}

// By `rank`, then by name as the state orders them: the scope's length first.
template <typename Answers, typename Rank>
auto first_by(Answers& answers, Rank rank) {
  const auto order = [&](const auto& item) {
    const auto& [scope, key] = item.first;
    return std::tuple(rank(item.second), machine::IdempotencyKeys::name_of(scope, key));
  };
  return std::min_element(answers.begin(), answers.end(), [&](const auto& a, const auto& b) {
    return rank(a.second) != rank(b.second) ? rank(a.second) < rank(b.second) : order(a) < order(b);
  });
}

}  // namespace

// --- idempotency keys

const Model::First* Model::known(const std::string& scope, std::string_view key) const {
  const auto at = answers_.find({scope, std::string(key)});
  return at == answers_.end() || at->second.due <= now_ ? nullptr : &at->second;
}

uint64_t Model::answers_bytes() const {
  uint64_t bytes = 0;
  for (const auto& [name, first] : answers_)
    bytes += machine::IdempotencyKeys::kOverhead + 4 + name.first.size() + name.second.size() +
             machine::encode_reply(first.reply).size();
  return bytes;
}

void Model::remember(const std::string& scope, const machine::IdempotencyKey& key, machine::Reply reply, bool whole) {
  if (!whole) {
    reply.event = Bytes();
    for (const machine::Delivery& one : reply.deliveries) reply.ids.push_back(one.id);
    reply.deliveries.clear();
  }
  const bool has_queue = scope.starts_with('q') && queues_.queues.contains(scope.substr(1));
  const Millis window =
      has_queue ? queues_.setting(scope.substr(1), machine::QueueSetting::dedup_window) : queues_.settings.dedup_window;
  answers_[{scope, std::string(key.key)}] = {key.fingerprint, std::move(reply), index_, now_ + window};
  while (answers_.size() > queues_.settings.dedup_max_keys || answers_bytes() > queues_.settings.dedup_max_bytes) {
    const auto first = first_by(answers_, [](const First& one) { return one.index; });
    if (first->second.index == index_) break;
    answers_.erase(first);
  }
}

void Model::remember_events(const std::string& scope, const std::vector<machine::NewEvent>& events, const Batch& batch,
                            const std::vector<uint64_t>& ids) {
  for (size_t i = 0; i < events.size(); ++i)
    if (events[i].idempotency && batch.same_as[i] == i && known(scope, events[i].idempotency->key) == nullptr)
      remember(scope, *events[i].idempotency, {.event_id = raft::Index{ids[i]}, .count = 1}, false);
}

Model::Batch Model::batch_of(const std::string& scope, const std::vector<machine::NewEvent>& events) const {
  Batch batch{.ids = std::vector<uint64_t>(events.size(), 0), .same_as = {}, .fresh = {}};
  for (size_t i = 0; i < events.size(); ++i) {
    batch.same_as.push_back(i);
    const auto& key = events[i].idempotency;
    for (size_t j = 0; key && j < i; ++j) {
      if (!events[j].idempotency || events[j].idempotency->key != key->key) continue;
      batch.same_as[i] = j;
      batch.key_reused |= events[j].idempotency->fingerprint != key->fingerprint;
      break;
    }
    if (batch.same_as[i] != i) continue;
    const First* first = key ? known(scope, key->key) : nullptr;
    if (first != nullptr) {
      batch.key_reused |= first->fingerprint != key->fingerprint;
      batch.ids[i] = first->reply.event_id.value;
    } else {
      batch.fresh.push_back(events[i]);
    }
  }
  return batch;
}

void Model::advance(uint64_t index, Millis now, ClusterVersion version) {
  index_ = queues_.index = index;
  now_ = queues_.stamp = now;
  if (queues_.version < 4 && version >= 4) store_.rise();
  queues_.version = version;
  store_.pass();
}

machine::Reply Model::apply(uint64_t index, Millis now, ClusterVersion version, const machine::Command& command) {
  advance(index, now, version);
  machine::Reply reply = apply(command);
  if (version >= 3) queues_.vanish_all();
  store_.pass();  // an AdvanceTime ends what has a ttl at once
  return reply;
}

machine::Reply Model::apply(const machine::Command& command) {
  if (!command.idempotency) return apply(command.body);
  const std::string scope = key_scope(command.body);
  if (const First* first = known(scope, command.idempotency->key)) {
    if (first->fingerprint != command.idempotency->fingerprint) return {.code = machine::ReplyCode::key_reused};
    machine::Reply again = first->reply;
    again.replayed_from = raft::Index{first->index};
    const auto* receive = std::get_if<machine::Receive>(&command.body);
    if (receive == nullptr) return again;
    // What it still holds of them.
    const auto queue = queues_.queues.find(std::string(receive->queue));
    for (const uint64_t id : std::exchange(again.ids, {}))
      for (size_t i = 0; queue != queues_.queues.end() && i < queue->second.items.size(); ++i) {
        const model::QueueModel::Item& item = queue->second.items[i];
        if (item.id == id && item.state == machine::EventState::reserved && item.delivery == first->index &&
            item.due > now_)
          again.deliveries.push_back(model::QueueModel::delivery_of(item, queues_.jumped));
      }
    again.count = again.deliveries.size();
    return again;
  }
  machine::Reply reply = apply(command.body);
  if (is_kept(command.body, reply)) remember(scope, *command.idempotency, reply, is_kept_whole(command.body));
  return reply;
}

// --- commands

machine::Reply Model::put(const machine::PutEvents& put) {
  const std::string scope = "q" + std::string(put.queue);
  const Batch batch = batch_of(scope, put.events);
  if (batch.key_reused) return {.code = machine::ReplyCode::key_reused};
  std::vector<uint64_t> fresh;
  if (!batch.fresh.empty()) {
    machine::Reply reply = queues_.apply(machine::PutEvents{put.queue, batch.fresh});
    if (reply.code != machine::ReplyCode::ok) return reply;
    fresh = reply.ids.empty() ? std::vector<uint64_t>{reply.event_id.value} : reply.ids;
  }
  std::vector<uint64_t> ids = batch.ids;
  size_t next = 0;
  for (size_t i = 0; i < ids.size(); ++i)
    if (batch.is_fresh(i)) ids[i] = fresh[next++];
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = ids[batch.same_as[i]];
  remember_events(scope, put.events, batch, ids);
  machine::Reply reply{
      .event_id = raft::Index{ids.front()}, .count = ids.size(), .queue_length = queues_.ready(std::string(put.queue))};
  if (ids.size() > 1) reply.ids = std::move(ids);
  return reply;
}

machine::Reply Model::publish(const machine::Publish& publish) {
  const std::string scope = "t" + std::string(publish.topic);
  const Batch batch = batch_of(scope, publish.events);
  if (batch.key_reused) return {.code = machine::ReplyCode::key_reused};
  machine::Reply reply = queues_.apply(machine::Publish{publish.topic, batch.fresh});
  if (reply.code != machine::ReplyCode::ok) return reply;
  reply.count = publish.events.size();
  remember_events(scope, publish.events, batch, std::vector<uint64_t>(publish.events.size(), index_));
  return reply;
}

void Model::fall_due() {
  for (size_t n = 0; n < machine::kDuePerEntry && !answers_.empty(); ++n) {
    const auto first = first_by(answers_, [](const First& one) { return one.due; });
    if (first->second.due > now_) break;
    answers_.erase(first);
  }
}

machine::Reply Model::apply(const machine::Body& body) {
  if (const auto* events = std::get_if<machine::PutEvents>(&body)) return put(*events);
  if (const auto* events = std::get_if<machine::Publish>(&body)) return publish(*events);
  if (std::holds_alternative<machine::Due>(body)) fall_due();
  return std::visit(
      [&](const auto& one) {
        if constexpr (requires { store_.apply(one); })
          return store_.apply(one);
        else
          return queues_.apply(one);
      },
      body);
}

// --- reads

std::vector<machine::KeyItem> Model::list(const std::string& prefix, size_t limit) const {
  std::vector<machine::KeyItem> out;
  for (auto at = store_.items.lower_bound(prefix);
       at != store_.items.end() && at->first.starts_with(prefix) && out.size() < limit; ++at)
    out.push_back(model::StoreModel::shown(at->first, at->second, true));
  return out;
}

std::string Model::differs_in_store(const Op& op) const {
  if (op.kind == OpKind::lease) {
    const auto lease = store_.leases.find(op.lease);
    const bool there = lease != store_.leases.end();
    if (op.found == there && (!there || (op.ttl == lease->second.ttl && op.deadline == lease->second.deadline)))
      return {};
    return std::string(op.found ? "a lease that was not so, " : "no lease, and it was there, ") +
           std::to_string(op.lease) + ",";
  }
  std::vector<machine::KeyItem> expected;
  if (op.kind == OpKind::list)
    expected = list(op.key, op.number);
  else if (const auto item = store_.items.find(op.key); item != store_.items.end())
    expected.push_back(model::StoreModel::shown(op.key, item->second, true));
  // Before version 4 there are no numbers to be read.
  if (queues_.version < 4)
    for (machine::KeyItem& one : expected) one.create_index = one.mod_index = one.version = 0;
  if (op.items == expected) return {};
  return "other items than there were, of " + op.key + ": " + std::to_string(op.items.size()) + " for " +
         std::to_string(expected.size()) + ",";
}

std::string Model::differs(const Op& op) const {
  if (op.kind >= OpKind::item) return differs_in_store(op);
  std::string value;
  bool found = false;
  uint64_t event_id = 0;
  uint64_t number = 0;
  if (op.kind == OpKind::get) {
    const auto it = store_.items.find(op.key);
    found = it != store_.items.end();
    if (found) value = it->second.value;
  } else if (op.kind == OpKind::count) {
    // What is over may be counted until it is swept.
    number = std::clamp<uint64_t>(op.number, store_.items.size(), store_.items.size() + store_.over.size());
  } else if (op.kind == OpKind::length) {
    number = queues_.ready(op.key);
  } else if (const auto queue = queues_.queues.find(op.key); queue != queues_.queues.end() && !queue->second.out) {
    const std::vector<size_t> order = model::QueueModel::deliverable(queue->second);
    found = !order.empty();
    if (found) {
      event_id = queue->second.items[order[0]].id;
      value = queue->second.items[order[0]].bytes;
    }
  }
  if (found == op.found && value == op.value && event_id == op.event_id && number == op.number) return {};
  const auto words = [](bool there, const std::string& text, uint64_t id, uint64_t count) {
    return there ? "\"" + text + "\" (" + std::to_string(id) + ")" : "nothing (" + std::to_string(count) + ")";
  };
  return words(op.found, op.value, op.event_id, op.number) + " of " + op.key + ", and " +
         words(found, value, event_id, number) + " was there,";
}

}  // namespace wh::sim
