// receive, and a worker made of it: `receive QUEUE -- COMMAND`; ack, release, extend, bury.
#include <algorithm>
#include <chrono>
#include <csignal>

#include "base/log.h"
#include "cli/child.h"
#include "cli/commands.h"
#include "cli/json_fields.h"
#include "cli/signals.h"
#include "http/json.h"

namespace wh::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr Millis kWorkerWait = 20'000;
constexpr Millis kLongestWait = 60'000;

Target event_target(const std::string& queue, const std::string& id) {
  return queue_target(queue).literal("/events").segment(id);
}

Request receive_request(const Invocation& invocation, uint64_t max, Millis wait) {
  Target target = queue_target(invocation.arguments[0]).literal("/receive");
  target.add("max", std::to_string(max)).option(invocation, "--visibility-timeout", "visibility_timeout");
  if (wait > 0) target.add("wait", std::to_string(wait) + "ms");
  Request request = write_of("POST", target);
  request.headers = {"Accept: application/json"};
  request.waits = wait;
  return request;
}

// Removes an event that was received.
Request ack_request(const std::string& queue, const std::string& id, const std::string& receipt) {
  return write_of("DELETE", event_target(queue, id).add("receipt", receipt));
}

// One event goes out as its bytes; several as a table, or as JSON.
void show_events(const std::vector<JsonFields>& events, const Invocation& invocation, bool raw) {
  if (invocation.json()) {
    for (const JsonFields& event : events) put(event.whole() + "\n");
  } else if (raw) {
    put_data(events[0].bytes("data"), invocation.has("--raw"));
  } else {
    Table table({">ID", "RECEIPT", ">DELIVERIES", "VISIBLE AGAIN", "DATA"});
    for (const JsonFields& event : events)
      table.row({event.text("id"), shown(event.text("receipt")), event.text("deliveries"),
                 shown(event.text("visible_at")), shown(event.bytes("data"), kCellWidth)});
    table.print();
  }
  flush_output();
}

int receive_once(Cluster& cluster, const Invocation& invocation) {
  const uint64_t max = invocation.number("--max").value_or(1);
  const Millis wait = std::min(invocation.duration("--wait").value_or(0), kLongestWait);
  const std::string& queue = invocation.arguments[0];
  const Reply reply = cluster.ask(receive_request(invocation, max, wait));
  if (!reply.done()) return report(reply);
  const auto events = JsonFields::parse_array(reply.answer.body);
  if (events.empty()) {
    note("no event is ready in " + shown(queue));
    return kRefused;
  }
  show_events(events, invocation, max == 1);
  for (const JsonFields& event : events) {
    if (invocation.has("--ack")) {
      Request ack = ack_request(queue, event.text("id"), event.text("receipt"));
      ack.key_suffix = "-ack-" + event.text("id");
      const Reply acked = cluster.ask(ack);
      if (!acked.done()) return report(acked);
    } else if (max == 1 && !invocation.json()) {
      note("event " + event.text("id") + ", until " + shown(event.text("visible_at")) +
           "; acknowledge it with: wormhole-cli ack " + shown(queue) + " " + event.text("id") + " " +
           shown(event.text("receipt")));
    }
  }
  return kDone;
}

// Gives each event to a command of its own.
class Worker {
 public:
  Worker(Cluster& cluster, const Invocation& invocation)
      : cluster_(cluster),
        invocation_(invocation),
        queue_(invocation.arguments[0]),
        hold_(invocation.duration("--visibility-timeout").value_or(30'000)),
        left_(invocation.number("--count").value_or(UINT64_MAX)) {}

  int run() {
    const bool until_empty = invocation_.has("--until-empty");
    const Millis wait = std::min(invocation_.duration("--wait").value_or(until_empty ? 0 : kWorkerWait), kLongestWait);
    while (left_ > 0 && signals::ending() == 0) {
      Request request = receive_request(invocation_, 1, wait);
      if (!invocation_.has("--visibility-timeout"))
        request.target += "&visibility_timeout=" + std::to_string(hold_) + "ms";
      // A worker outlives an outage, once it has worked.
      request.patient = true;
      const Reply reply = cluster_.ask(request);
      if (reply.kind == Reply::Kind::unknown) continue;  // what was reserved comes again
      if (!reply.done()) return report(reply);
      const auto events = JsonFields::parse_array(reply.answer.body);
      if (events.empty()) {
        if (until_empty) break;
        continue;
      }
      --left_;
      if (const int status = work(events[0]); status != kDone) return status;
    }
    return signals::ending() != 0 ? kInterrupted : kDone;
  }

 private:
  int work(const JsonFields& event) {
    const auto began = Clock::now();
    const std::string id = event.text("id");
    Child child;
    const Status started = child.start(*invocation_.child,
                                       {{"WORMHOLE_QUEUE", queue_},
                                        {"WORMHOLE_EVENT_ID", id},
                                        {"WORMHOLE_DELIVERIES", event.text("deliveries")},
                                        {"WORMHOLE_CONTENT_TYPE", event.text("content_type")},
                                        {"WORMHOLE_ATTRIBUTES", event.json("attributes")}},
                                       event.bytes("data"));
    if (!started) {
      complain(started.error());
      settle(event, false);
      return kRefused;
    }
    watch_over(child, event, began);
    if (child.status() != 0)
      complain("the command failed with status " + std::to_string(child.status()) + ": event " + id + " is released");
    return settle(event, child.status() == 0);
  }

  // Until the command has ended; extends the reservation a third of its time before.
  void watch_over(Child& child, const JsonFields& event, Clock::time_point began) {
    auto held = began;
    bool lost = false;
    int seen = 0;
    const auto third = std::chrono::milliseconds(hold_ / 3);
    while (!child.wait_for(left_until(lost ? Clock::now() + std::chrono::minutes(1) : held + third), seen)) {
      if (signals::endings() > seen) {
        // The first lets it finish its work.
        seen = signals::endings();
        if (seen > 1) child.signal(seen == 2 ? SIGTERM : SIGKILL);
        continue;
      }
      if (lost) continue;
      const auto asked = Clock::now();
      const Reply reply = cluster_.ask(extension(child, event));
      if (reply.done()) held = asked;
      // Another refusal may be over soon, such as that of a password which is being changed.
      lost = reply.kind == Reply::Kind::refused && (reply.answer.status == 404 || reply.answer.status == 409);
      if (lost) complain("event " + event.text("id") + " is not held any more: " + shown(reply.sentence));
      if (!lost && !reply.done()) child.wait_for(500, seen);
    }
  }

  Request extension(Child& child, const JsonFields& event) const {
    Request request = write_of("POST", event_target(queue_, event.text("id"))
                                           .literal("/extend")
                                           .add("receipt", event.text("receipt"))
                                           .add("visibility_timeout", std::to_string(hold_) + "ms"));
    request.timeout = std::max<Millis>(hold_ / 3, 500);
    request.answer = std::max<Millis>(hold_ / 6, 200);
    request.patient = true;
    request.despite_signals = true;
    request.stop = [&child] { return child.ended(); };
    return request;
  }

  static Millis left_until(Clock::time_point time) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(time - Clock::now()).count();
    return left > 0 ? static_cast<Millis>(left) : 0;
  }

  // Acknowledges, or gives it back.
  int settle(const JsonFields& event, bool good) {
    Request request = ack_request(queue_, event.text("id"), event.text("receipt"));
    if (!good) {
      Target target = event_target(queue_, event.text("id")).literal("/release").add("receipt", event.text("receipt"));
      request = write_of("POST", target.option(invocation_, "--delay", "delay"));
    }
    request.patient = true;
    request.despite_signals = true;
    request.stop = [seen = signals::endings()] { return signals::endings() > seen; };
    const Reply reply = cluster_.ask(request);
    if (reply.done()) return kDone;
    // It is another worker's by now, or dead: nothing that ends this one.
    if (reply.kind == Reply::Kind::refused && reply.answer.status == 409) {
      complain("event " + event.text("id") + ": " + shown(reply.sentence));
      return kDone;
    }
    return report(reply);
  }

  Cluster& cluster_;
  const Invocation& invocation_;
  const std::string& queue_;
  Millis hold_;
  uint64_t left_;
};

// A verb on one reservation.
int settle_one(Cluster& cluster, const Invocation& invocation, const char* verb, std::string_view option,
               std::string_view name) {
  Target target = event_target(invocation.arguments[0], invocation.arguments[1]).literal(verb);
  target.add("receipt", invocation.arguments[2]);
  if (!option.empty()) target.option(invocation, option, name);
  const Reply reply = cluster.ask(write_of("POST", target));
  if (!reply.done()) return report(reply);
  if (!reply.answer.body.empty()) put_line(reply.answer.body);
  return kDone;
}

}  // namespace

int run_receive(Cluster& cluster, const Invocation& invocation) {
  const bool works = invocation.child.has_value();
  for (const char* option : {"--count", "--until-empty", "--delay"})
    if (!works && invocation.has(option))
      return misuse(invocation, std::string(option) + " needs a command behind '--'");
  for (const char* option : {"--max", "--ack", "--raw", "--idempotency-key"})
    if (works && invocation.has(option)) return misuse(invocation, std::string(option) + " goes with no command");
  if (invocation.number("--count") == 0) return misuse(invocation, "--count must be above 0");
  if (invocation.number("--max") == 0 || invocation.number("--max").value_or(1) > 100)
    return misuse(invocation, "--max is 1 to 100");
  return works ? Worker(cluster, invocation).run() : receive_once(cluster, invocation);
}

int run_ack(Cluster& cluster, const Invocation& invocation) {
  const Reply reply =
      cluster.ask(ack_request(invocation.arguments[0], invocation.arguments[1], invocation.arguments[2]));
  return reply.done() ? kDone : report(reply);
}

int run_release(Cluster& cluster, const Invocation& invocation) {
  return settle_one(cluster, invocation, "/release", "--delay", "delay");
}

int run_extend(Cluster& cluster, const Invocation& invocation) {
  if (!invocation.has("--visibility-timeout")) return misuse(invocation, "'extend' needs --visibility-timeout TIME");
  return settle_one(cluster, invocation, "/extend", "--visibility-timeout", "visibility_timeout");
}

int run_bury(Cluster& cluster, const Invocation& invocation) {
  return settle_one(cluster, invocation, "/bury", "--reason", "reason");
}

}  // namespace wh::cli
