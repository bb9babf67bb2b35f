#include "machine/command/queue_commands.h"

#include "machine/command/store_commands.h"

namespace wh::machine {
namespace {

Status check_queue(std::string_view queue) {
  if (queue.empty() || queue.size() > kMaxQueueNameBytes) return Error{"a queue's name has 1 to 128 bytes"};
  return ok_status();
}

}  // namespace

size_t encoded_size(const Enqueue& enqueue) { return 8 + enqueue.queue.size() + enqueue.event.size(); }
size_t encoded_size(const Dequeue& dequeue) { return 13 + dequeue.queue.size(); }

void encode(const Enqueue& enqueue, Writer& out) {
  out.bytes(enqueue.queue);
  out.bytes(enqueue.event);
}

void encode(const Dequeue& dequeue, Writer& out) {
  out.bytes(dequeue.queue);
  out.boolean(dequeue.only_if_front.has_value());
  if (dequeue.only_if_front) out.u64(*dequeue.only_if_front);
}

void decode(Reader& in, Enqueue& enqueue) {
  enqueue.queue = in.bytes();
  enqueue.event = in.bytes();
}

void decode(Reader& in, Dequeue& dequeue) {
  dequeue.queue = in.bytes();
  if (in.boolean()) dequeue.only_if_front = in.u64();
}

Status check_bounds(const Enqueue& enqueue, ClusterVersion /*version*/) {
  if (enqueue.event.empty() || enqueue.event.size() > kMaxValueBytes) return Error{"an event has 1 to 4194304 bytes"};
  return check_queue(enqueue.queue);
}

Status check_bounds(const Dequeue& dequeue, ClusterVersion /*version*/) { return check_queue(dequeue.queue); }

}  // namespace wh::machine
