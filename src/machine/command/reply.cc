#include "machine/command/reply.h"

#include "machine/command/command.h"

namespace wh::machine {

std::string encode_reply(const Reply& reply) {
  std::string out;
  out.reserve(29 + reply.event.size());
  Writer w(out);
  w.u8(static_cast<uint8_t>(reply.code));
  w.u64(reply.event_id.value);
  w.u64(reply.count);
  w.u64(reply.queue_length);
  w.bytes(reply.event.view());
  if (reply.replayed_from != raft::Index{}) w.u64(reply.replayed_from.value);
  return out;
}

Result<Reply> decode_reply(std::string_view bytes) {
  Reader in(bytes);
  Reply reply;
  const uint8_t code = in.u8();
  reply.code = code > static_cast<uint8_t>(ReplyCode::key_reused) ? ReplyCode::unknown : static_cast<ReplyCode>(code);
  if (reply.code == ReplyCode::unknown) return reply;
  reply.event_id.value = in.u64();
  reply.count = in.u64();
  reply.queue_length = in.u64();
  const std::string_view event = in.bytes();
  if (in.ok() && in.left() != 0) {
    reply.replayed_from.value = in.u64();
    if (reply.replayed_from == raft::Index{}) in.fail();
  }
  if (!in.complete() || event.size() > kMaxValueBytes) return Error{"a malformed reply"};
  reply.event = Bytes(std::string(event));
  return reply;
}

}  // namespace wh::machine
