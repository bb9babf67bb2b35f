#include "cli/lease.h"

#include <algorithm>

#include "cli/commands.h"
#include "cli/json_fields.h"
#include "cli/signals.h"

namespace wh::cli {

Reply Lease::grant(std::optional<Millis> timeout) {
  const auto began = Clock::now();
  Request request = write_of("POST", Target("/leases").add("ttl", std::to_string(ttl_.count()) + "ms"));
  request.timeout = timeout;
  Reply reply = cluster_.ask(request);
  if (!reply.done()) return reply;
  const auto fields = JsonFields::parse(reply.answer.body);
  id_ = fields ? fields->text("id") : std::string();
  kept_ = began;
  gone_ = false;
  return reply;
}

bool Lease::keep(const std::function<bool()>& stop) {
  const auto began = Clock::now();
  if (gone_ || began >= doubtful()) return false;
  if (began < due()) return true;
  Request request = write_of("POST", Target("/leases").segment(id_).literal("/keepalive"));
  request.timeout =
      static_cast<Millis>(std::chrono::duration_cast<std::chrono::milliseconds>(doubtful() - began).count());
  request.answer = static_cast<Millis>(std::max<int64_t>(ttl_.count() / 6, 100));
  request.stop = stop;
  request.patient = true;
  request.despite_signals = true;
  const Reply reply = cluster_.ask(request);
  if (reply.done()) {
    // The attempt that was answered may have been sent later; to count from the first one is safe.
    kept_ = began;
    return true;
  }
  gone_ = reply.kind == Reply::Kind::refused && reply.answer.status == 404;
  return !gone_ && Clock::now() < doubtful();
}

bool Lease::end() {
  if (id_.empty() || gone_) return true;
  Request request = write_of("DELETE", Target("/leases").segment(id_));
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(over() - Clock::now()).count();
  request.timeout = std::min(static_cast<Millis>(std::max<int64_t>(left, 500)), cluster_.settings().timeout);
  request.despite_signals = true;
  request.stop = [seen = signals::endings()] { return signals::endings() > seen; };
  const Reply reply = cluster_.ask(request);
  gone_ = true;
  return reply.done() || (reply.kind == Reply::Kind::refused && reply.answer.status == 404);
}

}  // namespace wh::cli
