#include "api/http/streams/queue_stream.h"

#include <utility>

#include "api/http/formats/queue_json.h"
#include "http/json.h"

namespace wh::api {
namespace {

class QueueStream final : public http::Stream {
 public:
  QueueStream(const machine::Machine& machine, std::string queue, uint64_t after)
      : machine_(machine), queue_(std::move(queue)), last_(after) {}

  // Whatever was removed meanwhile is not shown; nothing arrives before what is there.
  Next next(size_t room, std::string& out) override {
    // At once, so that a proxy and the client know that the stream is there.
    if (!std::exchange(begun_, true)) out += ":\n\n";
    const machine::Queue* queue = machine_.queues().find(queue_);
    if (queue == nullptr) return Next::ended;
    const size_t before = out.size();
    const auto& events = queue->content->events;
    for (auto at = events.upper_bound(last_); at != events.end(); ++at) {
      if (out.size() - before >= room) return Next::more;
      last_ = at->first;
      http::JsonWriter json;
      write_queued_event(json, at->second, machine_);
      out += "id: " + std::to_string(last_) + "\ndata: " + json.take() + "\n\n";
    }
    return Next::waits;
  }

  [[nodiscard]] std::string keep_alive() override { return ":\n\n"; }

 private:
  const machine::Machine& machine_;
  const std::string queue_;
  uint64_t last_;
  bool begun_ = false;
};

}  // namespace

std::shared_ptr<http::Stream> open_queue_stream(const machine::Machine& machine, std::string queue, uint64_t after) {
  return std::make_shared<QueueStream>(machine, std::move(queue), after);
}

}  // namespace wh::api
