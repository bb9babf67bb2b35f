#include "machine/command/reply.h"

#include <algorithm>
#include <charconv>

#include "base/utf8.h"
#include "machine/command/command.h"
#include "machine/command/event_headers.h"

namespace wh::machine {

namespace {

bool has_more(const Reply& reply) {
  return !reply.ids.empty() || !reply.outcomes.empty() || !reply.deliveries.empty() || reply.choice != 0 ||
         !reply.results.empty();
}

void encode_results(const std::vector<OpResult>& results, Writer& w) {
  w.u32(static_cast<uint32_t>(results.size()));
  for (const OpResult& one : results) {
    w.u8(one.kind);
    w.u64(one.number);
    w.boolean(one.more);
    w.u32(static_cast<uint32_t>(one.items.size()));
    for (const KeyItem& item : one.items) {
      w.bytes(item.key);
      w.bytes(item.value.view());
      w.bytes(item.content_type);
      for (const uint64_t number : {item.create_index, item.mod_index, item.version, item.lease, item.expires_at})
        w.u64(number);
    }
  }
}

void decode_results(Reader& in, std::vector<OpResult>& results) {
  const uint32_t count = in.count(14);
  if (count == 0 || count > kMaxOps) return in.fail();
  for (uint32_t i = 0; in.ok() && i < count; ++i) {
    OpResult one;
    one.kind = in.u8();
    one.number = in.u64();
    one.more = in.boolean();
    const uint32_t items = in.count(52);
    if (items > kMaxListed) return in.fail();
    for (uint32_t n = 0; in.ok() && n < items; ++n) {
      KeyItem item;
      item.key = in.bytes();
      item.value = Bytes::copy(in.bytes());
      item.content_type = in.bytes();
      for (uint64_t* number : {&item.create_index, &item.mod_index, &item.version, &item.lease, &item.expires_at})
        *number = in.u64();
      if (item.key.empty() || item.key.size() > kMaxKeyBytes || item.value.size() > kMaxValueBytes ||
          item.content_type.size() > kMaxContentTypeBytes || !is_plain_text(item.content_type) ||
          std::max({item.create_index, item.mod_index, item.version, item.lease, item.expires_at}) >= raft::kLimit)
        return in.fail();
      one.items.push_back(std::move(item));
    }
    results.push_back(std::move(one));
  }
}

// Ids that follow each other are one run.
void encode_more(const Reply& reply, Writer& w) {
  std::vector<std::pair<uint64_t, uint64_t>> runs;
  for (const uint64_t id : reply.ids) {
    if (!runs.empty() && runs.back().first + runs.back().second == id)
      ++runs.back().second;
    else
      runs.emplace_back(id, 1);
  }
  w.u32(static_cast<uint32_t>(runs.size()));
  for (const auto& [first, count] : runs) {
    w.u64(first);
    w.u32(static_cast<uint32_t>(count));
  }
  w.u32(static_cast<uint32_t>(reply.outcomes.size()));
  for (const SettleOutcome outcome : reply.outcomes) w.u8(static_cast<uint8_t>(outcome));
  w.u32(static_cast<uint32_t>(reply.deliveries.size()));
  for (const Delivery& one : reply.deliveries) {
    w.u64(one.id);
    w.u64(one.delivery);
    w.u32(one.deliveries);
    w.u8(one.priority);
    w.u64(one.enqueued_at);
    w.u64(one.visible_at);
    w.bytes(one.group);
    w.bytes(one.headers.view());
    w.bytes(one.bytes.view());
  }
  if (reply.choice != 0 || !reply.results.empty()) w.u32(reply.choice);
  if (!reply.results.empty()) encode_results(reply.results, w);
}

void decode_more(Reader& in, Reply& reply) {
  const uint32_t runs = in.count(12);
  for (uint32_t i = 0; in.ok() && i < runs; ++i) {
    const uint64_t first = in.u64();
    const uint32_t count = in.u32();
    if (count == 0 || count > kMaxBatch - reply.ids.size()) return in.fail();
    for (uint64_t id = first; id != first + count; ++id) reply.ids.push_back(id);
  }
  const uint32_t outcomes = in.count(1);
  if (outcomes > kMaxBatch) return in.fail();
  for (uint32_t i = 0; in.ok() && i < outcomes; ++i) {
    const uint8_t outcome = in.u8();
    if (outcome > static_cast<uint8_t>(SettleOutcome::held)) return in.fail();
    reply.outcomes.push_back(static_cast<SettleOutcome>(outcome));
  }
  const uint32_t deliveries = in.count(45);
  if (deliveries > kMaxDequeue) return in.fail();
  for (uint32_t i = 0; in.ok() && i < deliveries; ++i) {
    Delivery one;
    one.id = in.u64();
    one.delivery = in.u64();
    one.deliveries = in.u32();
    one.priority = in.u8();
    one.enqueued_at = in.u64();
    one.visible_at = in.u64();
    one.group = in.bytes();
    const std::string_view headers = in.bytes();
    if (!unpack_headers(headers)) return in.fail();
    one.headers = Bytes::copy(headers);
    one.bytes = Bytes::copy(in.bytes());
    reply.deliveries.push_back(std::move(one));
  }
  if (in.ok() && in.left() != 0) {
    reply.choice = in.u32();
    if (in.left() != 0)
      decode_results(in, reply.results);
    else if (reply.choice == 0)
      in.fail();
  }
  if (!has_more(reply)) in.fail();
}

constexpr std::string_view kOperation = "operation ";
constexpr std::string_view kEndOfPlace = ": ";

}  // namespace

std::string refusal_at(const RefusedPlace& place) {
  return std::string(kOperation) + std::to_string(place.operation) + std::string(kEndOfPlace) + std::string(place.why);
}

RefusedPlace place_of_refusal(std::string_view sentence) {
  if (!sentence.starts_with(kOperation)) return {0, sentence};
  size_t operation = 0;
  const char* const end = sentence.data() + sentence.size();
  const auto [behind, error] = std::from_chars(sentence.data() + kOperation.size(), end, operation);
  const std::string_view rest(behind, static_cast<size_t>(end - behind));
  if (error != std::errc{} || !rest.starts_with(kEndOfPlace)) return {0, sentence};
  return {operation, rest.substr(kEndOfPlace.size())};
}

std::string encode_reply(const Reply& reply) {
  std::string out;
  out.reserve(29 + reply.event.size());
  Writer w(out);
  w.u8(static_cast<uint8_t>(reply.code));
  w.u64(reply.event_id.value);
  w.u64(reply.count);
  w.u64(reply.queue_length);
  w.bytes(reply.event.view());
  const bool more = has_more(reply);
  if (more || reply.replayed_from != raft::Index{}) w.u64(reply.replayed_from.value);
  if (more) encode_more(reply, w);
  return out;
}

Result<Reply> decode_reply(std::string_view bytes) {
  Reader in(bytes);
  Reply reply;
  const uint8_t code = in.u8();
  reply.code = code > static_cast<uint8_t>(ReplyCode::refused) ? ReplyCode::unknown : static_cast<ReplyCode>(code);
  if (reply.code == ReplyCode::unknown) return reply;
  reply.event_id.value = in.u64();
  reply.count = in.u64();
  reply.queue_length = in.u64();
  const std::string_view event = in.bytes();
  if (in.ok() && in.left() != 0) {
    reply.replayed_from.value = in.u64();
    if (in.left() != 0)
      decode_more(in, reply);
    else if (reply.replayed_from == raft::Index{})
      in.fail();
  }
  if (!in.complete() || event.size() > kMaxValueBytes) return Error{"a malformed reply"};
  reply.event = Bytes::copy(event);
  return reply;
}

}  // namespace wh::machine
