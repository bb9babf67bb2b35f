#include "api/transaction_parts.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/overloaded.h"

namespace wh::api {
namespace {

using machine::Op;
using machine::OpResult;
using machine::Transact;
using Part = std::optional<Transact>;

Part all_of(std::vector<Op> ops) { return Transact{.compares = {}, .success = std::move(ops)}; }

Part part_of(const Write& write) {
  const Overloaded parts{[](const machine::Set& set) {
                           std::vector<Op> ops;
                           for (const auto& [key, value] : set.pairs) ops.emplace_back(machine::PutKey{key, value});
                           return all_of(std::move(ops));
                         },
                         [](const machine::Delete& del) {
                           std::vector<Op> ops;
                           for (const std::string_view key : del.keys) ops.emplace_back(machine::EraseKey{key});
                           return all_of(std::move(ops));
                         },
                         [](const machine::Enqueue& enqueue) {
                           return all_of({machine::EnqueueEvent{enqueue.queue, {.bytes = enqueue.event}},
                                          machine::CountReady{enqueue.queue}});
                         },
                         [](const machine::PutEvents& put) {
                           std::vector<Op> ops;
                           for (const machine::NewEvent& event : put.events)
                             ops.emplace_back(machine::EnqueueEvent{put.queue, event});
                           ops.emplace_back(machine::CountReady{put.queue});
                           return all_of(std::move(ops));
                         },
                         [](const Transact& transact) { return Part(transact); },
                         [](const auto& /*other*/) { return Part(); }};
  return std::visit(parts, write);
}

Part part_of(const Read& read) {
  const auto each = [](const std::vector<std::string>& keys, bool with_value) {
    std::vector<Op> ops;
    ops.reserve(keys.size());
    for (const std::string& key : keys) ops.emplace_back(machine::GetKey{key, with_value});
    return all_of(std::move(ops));
  };
  const Overloaded parts{[](const GetKey& get) { return get.after ? Part() : all_of({machine::GetKey{get.key}}); },
                         [&](const GetKeys& get) { return each(get.keys, true); },
                         [&](const CountExisting& existing) { return each(existing.keys, false); },
                         [](const GetLength& length) { return all_of({machine::CountReady{length.queue}}); },
                         [](const auto& /*other*/) { return Part(); }};
  return std::visit(parts, read);
}

const machine::Item* item_of(OpResult& result, std::deque<machine::Item>& kept) {
  if (result.items.empty()) return nullptr;
  machine::KeyItem& one = result.items.front();
  machine::Item& item = kept.emplace_back();
  item.value = std::move(one.value);
  item.create_index = raft::Index{one.create_index};
  item.mod_index = raft::Index{one.mod_index};
  item.version = one.version;
  item.extra =
      std::make_unique<machine::ItemExtra>(machine::ItemExtra{std::move(one.content_type), one.lease, one.expires_at});
  return &item;
}

// Of the events' operations, and the count of what is ready behind them.
Stored stored(const std::vector<OpResult>& results) {
  Stored stored{{}, results.back().number};
  for (size_t i = 0; i + 1 < results.size(); ++i) stored.ids.push_back(results[i].number);
  return stored;
}

uint64_t sum_of(const std::vector<OpResult>& results) {
  uint64_t sum = 0;
  for (const OpResult& one : results) sum += one.number;
  return sum;
}

}  // namespace

std::optional<Transact> as_part(const Operation& operation) {
  if (const auto* write = std::get_if<Write>(&operation)) return part_of(*write);
  if (const auto* read = std::get_if<Read>(&operation)) return part_of(*read);
  return std::nullopt;
}

PartPlace add_part(Transact&& part, std::vector<Op>& all) {
  PartPlace place{.success = part.success.size(), .failure = part.failure.size()};
  if (!part.compares.empty()) {
    place.choice = all.size();
    all.emplace_back(machine::Choose{std::move(part.compares), static_cast<uint32_t>(place.success),
                                     static_cast<uint32_t>(place.failure)});
  }
  place.first = all.size();
  std::move(part.success.begin(), part.success.end(), std::back_inserter(all));
  if (place.choice)
    std::move(part.failure.begin(), part.failure.end(), std::back_inserter(all));
  else
    place.failure = 0;
  return place;
}

Answer answer_of_part(const Operation& operation, const PartPlace& place, raft::Index index,
                      std::vector<OpResult>& results, std::deque<machine::Item>& kept) {
  const bool held = !place.choice || results[*place.choice].number != 0;
  const auto first = results.begin() + static_cast<std::ptrdiff_t>(place.first + (held ? 0 : place.success));
  const auto end = first + static_cast<std::ptrdiff_t>(held ? place.success : place.failure);
  std::vector<OpResult> own(std::make_move_iterator(first), std::make_move_iterator(end));
  Answer answer{index, {}};
  if (const auto* write = std::get_if<Write>(&operation)) {
    if (std::holds_alternative<machine::Set>(*write))
      answer.body = Done{};
    else if (std::holds_alternative<machine::Delete>(*write))
      answer.body = Count{sum_of(own)};
    else if (std::holds_alternative<machine::Transact>(*write))
      answer.body = Transacted{.succeeded = held, .results = std::move(own)};
    else if (std::holds_alternative<machine::Enqueue>(*write))
      answer.body = Enqueued{raft::Index{own.front().number}, own.back().number};
    else
      answer.body = stored(own);
    return answer;
  }
  const Read& read = std::get<Read>(operation);
  if (const auto* get = std::get_if<GetKey>(&read)) {
    answer.body = Value{get->key, item_of(own.front(), kept)};
  } else if (std::holds_alternative<GetKeys>(read)) {
    Values values;
    for (OpResult& one : own) values.items.push_back(item_of(one, kept));
    answer.body = std::move(values);
  } else if (std::holds_alternative<CountExisting>(read)) {
    answer.body = Count{static_cast<uint64_t>(
        std::count_if(own.begin(), own.end(), [](const OpResult& one) { return !one.items.empty(); }))};
  } else {
    answer.body = Count{own.front().number};
  }
  return answer;
}

}  // namespace wh::api
