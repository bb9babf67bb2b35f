#include "node/waiting.h"

#include <utility>

namespace wh::node {

void Waiting::submit(Token token, Wait wait, Millis now) {
  ctx_.wants_turn = true;
  if (!ctx_.takes_requests(now) || ctx_.answer_by) return ctx_.complete(token, Outcome::shutting_down, {}, {});
  const bool lasting = wait.lasting;
  if (!waits_.add(token, std::move(wait))) return ctx_.refuse_wait(token);
  if (lasting) ctx_.complete(token, Outcome::applied, ctx_.machine.applied(), {});
}

bool Waiting::cancel(Token token) {
  if (!waits_.cancel(token)) return false;
  ++ctx_.counters.calls_cancelled;
  reads_.cancel_waiting(token);
  ctx_.wants_turn = true;
  return true;
}

void Waiting::wake(const Topic& topic) {
  waits_.wake(topic);
  if (waits_.has_woken()) ctx_.wants_turn = true;
}

// For a queue Receives serves the line; for its front and for a key, all are woken.
void Waiting::wake(const machine::Effects& effects) {
  for (const std::string_view queue : effects.ready_queues) receives_.wake(queue);
  if (waits_.any(Topic::Kind::front))
    for (const std::string_view queue : effects.ready_queues) waits_.wake({Topic::Kind::front, std::string(queue)});
  if (waits_.any(Topic::Kind::arrivals))
    for (const std::string_view queue : effects.arrived_queues)
      waits_.wake({Topic::Kind::arrivals, std::string(queue)});
  if (waits_.any(Topic::Kind::key))
    for (const std::string_view key : effects.changed_keys) waits_.wake({Topic::Kind::key, std::string(key)});
  if (waits_.any(Topic::Kind::prefix))
    for (const std::string_view key : effects.changed_keys) waits_.wake_prefixes_of(key);
  if (waits_.has_woken()) ctx_.wants_turn = true;
}

void Waiting::pump(Millis now) {
  if (waits_.size() == 0 && !waits_.has_woken()) return;
  waits_.applied(ctx_.machine.applied());
  waits_.expire(now);
  for (const Woken& woken : waits_.take())
    if (!reads_.wait_over(woken, now) && !receives_.wait_over(woken, now)) over(woken);
}

void Waiting::over(const Woken& woken) {
  switch (woken.why) {
    case WaitEnd::reached:
      return ctx_.complete(woken.token, Outcome::applied, ctx_.machine.applied(), {});
    case WaitEnd::late:
      return ctx_.complete(woken.token, Outcome::timed_out, {}, {});
    case WaitEnd::leader_changed:
      return ctx_.complete(woken.token, Outcome::dropped, {}, "the leader changed while this waited: ask again");
    case WaitEnd::crowded:
      return ctx_.refuse_wait(woken.token);
    case WaitEnd::stopped:
      return ctx_.complete(woken.token, Outcome::shutting_down, {}, {});
  }
}

}  // namespace wh::node
