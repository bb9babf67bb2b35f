// queues, peek, redrive, pause, resume, purge, remove-events, delete-queue.
#include <algorithm>

#include "cli/commands.h"
#include "cli/json_fields.h"
#include "http/json.h"

namespace wh::cli {
namespace {

constexpr uint64_t kMovedAtOnce = 1'000;  // the server's limit

std::string or_dash(const std::string& text) { return text.empty() ? "-" : shown(text); }

// How old the oldest event is; an empty queue says 0.
std::string age_of(const JsonFields& queue) {
  uint64_t events = 0;
  for (const char* name : {"ready", "delayed", "reserved"}) events += queue.number(name).value_or(0);
  const auto ms = queue.number("oldest_age_ms");
  return ms && events > 0 ? human_duration(*ms) : "-";
}

void add_queue(Table& table, const JsonFields& queue) {
  const uint64_t dead = queue.number("dead_lettered_total").value_or(0);
  table.row({shown(queue.text("name")),
             queue.text("ready"),
             queue.text("delayed"),
             queue.text("reserved"),
             age_of(queue),
             human_size(queue.number("bytes").value_or(0)),
             or_dash(queue.text("waiting")),
             queue.text("redelivered_total"),
             {std::to_string(dead), dead > 0 ? Tone::bad : Tone::plain},
             or_dash(queue.text("paused"))});
}

int show_queue(const Answer& answer, const Invocation& invocation) {
  const auto queue = JsonFields::parse(answer.body);
  if (invocation.json() || !queue) {
    put_line(answer.body);
    return kDone;
  }
  Table table({"FIELD", "VALUE"});
  for (const std::string& name : queue->names()) {
    if (name == "settings") continue;
    std::string value = or_dash(queue->text(name));
    if (name == "bytes") value = human_size(queue->number(name).value_or(0));
    if (name == "oldest_age_ms") value = age_of(*queue);
    table.row({name == "oldest_age_ms" ? "oldest" : shown(name), value});
  }
  if (const auto settings = queue->object("settings"))
    for (const std::string& name : settings->names()) {
      const std::string text = settings->text(name);
      table.row({shown("settings." + name), text.empty() ? shown(settings->json(name)) : shown(text)});
    }
  table.print();
  return kDone;
}

void add_event(Table& table, const JsonFields& event) {
  std::string note = event.text("reason");
  if (note.empty() && event.has("visible_at")) note = "until " + event.text("visible_at");
  table.row({event.text("id"), shown(event.text("state")), event.text("deliveries"), shown(event.text("enqueued_at")),
             or_dash(event.text("content_type")), shown(event.bytes("data"), kCellWidth), or_dash(note)});
}

Table event_table() { return Table({">ID", "STATE", ">DELIVERIES", "ENQUEUED", "TYPE", "DATA", "NOTE"}); }

// A write of a queue whose answer is a JSON object with one number.
int count_write(Cluster& cluster, const Invocation& invocation, const Target& target, const char* member) {
  const Reply reply = cluster.ask(write_of("POST", target));
  if (!reply.done()) return report(reply);
  const auto fields = JsonFields::parse(reply.answer.body);
  put_line(invocation.json() || !fields ? reply.answer.body : fields->text(member));
  return kDone;
}

int change_direction(Cluster& cluster, const Invocation& invocation, const char* verb) {
  const std::string direction = invocation.text("--direction");
  if (!direction.empty() && direction != "in" && direction != "out" && direction != "all")
    return misuse(invocation, "--direction is in, out or all");
  const Target target =
      queue_target(invocation.arguments[0]).literal(verb).option(invocation, "--direction", "direction");
  const Reply reply = cluster.ask(write_of("POST", target));
  return reply.done() ? kDone : report(reply);
}

}  // namespace

int run_queues(Cluster& cluster, const Invocation& invocation) {
  if (!invocation.arguments.empty()) {
    const Reply reply = cluster.ask(read_of(queue_target(invocation.arguments[0]).staleness(invocation)));
    return reply.done() ? show_queue(reply.answer, invocation) : report(reply);
  }
  Target target("/queues");
  Request request = read_of(target.add("limit", "1000").option(invocation, "--prefix", "prefix").staleness(invocation));
  Table table(
      {"QUEUE", ">READY", ">DELAYED", ">RESERVED", ">OLDEST", ">SIZE", ">WAITING", ">REDELIVERED", ">DEAD", "PAUSED"});
  while (!request.target.empty()) {
    const Reply reply = cluster.ask(request);
    if (!reply.done()) return report(reply);
    for (const JsonFields& queue : JsonFields::parse_array(reply.answer.body)) {
      if (invocation.json())
        put(queue.whole() + "\n");
      else
        add_queue(table, queue);
    }
    request.target = next_page(reply.answer);
    if (!invocation.json()) table.print(true);
    flush_output();
  }
  return kDone;
}

int run_peek(Cluster& cluster, const Invocation& invocation) {
  Table table = event_table();
  if (invocation.arguments.size() > 1) {
    const Reply reply = cluster.ask(read_of(queue_target(invocation.arguments[0])
                                                .literal("/events")
                                                .segment(invocation.arguments[1])
                                                .staleness(invocation)));
    if (!reply.done()) return report(reply);
    const auto event = JsonFields::parse(reply.answer.body);
    if (invocation.json() || !event) {
      put_line(reply.answer.body);
      return kDone;
    }
    add_event(table, *event);
    table.print();
    return kDone;
  }
  if (invocation.number("--limit") == 0) return misuse(invocation, "--limit must be above 0");
  uint64_t left = invocation.number("--limit").value_or(20);
  Target target = queue_target(invocation.arguments[0]).literal("/events");
  target.add("limit", std::to_string(std::clamp<uint64_t>(left, 1, 1'000)));
  Request request = read_of(
      target.option(invocation, "--state", "state").option(invocation, "--after", "after").staleness(invocation));
  while (left > 0 && !request.target.empty()) {
    const Reply reply = cluster.ask(request);
    if (!reply.done()) return report(reply);
    for (const JsonFields& event : JsonFields::parse_array(reply.answer.body)) {
      if (left == 0) break;
      --left;
      if (invocation.json())
        put(event.whole() + "\n");
      else
        add_event(table, event);
    }
    request.target = next_page(reply.answer);
    if (!invocation.json()) table.print(true);
    flush_output();
  }
  return kDone;
}

int run_redrive(Cluster& cluster, const Invocation& invocation) {
  const std::string& queue = invocation.arguments[0];
  const std::string from = invocation.has("--from") ? invocation.text("--from") : queue + ".dead";
  if (from == queue) return misuse(invocation, "--from must be another queue");
  uint64_t left = invocation.number("--max").value_or(UINT64_MAX);
  if (left == 0) return misuse(invocation, "--max must be above 0");
  uint64_t moved = 0;
  for (uint64_t n = 1;; ++n) {
    const uint64_t most = std::min(left, kMovedAtOnce);
    Target target = queue_target(queue).literal("/redrive");
    target.add("from", from);
    Request request = write_of("POST", target.add("max", std::to_string(most)));
    if (n > 1) request.key_suffix = "-" + std::to_string(n);
    const Reply reply = cluster.ask(request);
    if (!reply.done()) {
      if (n > 1) note("stopped after " + std::to_string(moved) + " events");
      return report(reply);
    }
    const auto fields = JsonFields::parse(reply.answer.body);
    const uint64_t now = fields ? fields->number("moved").value_or(0) : 0;
    moved += now;
    left -= std::min(left, now);
    if (now < most || left == 0) break;
  }
  put(invocation.json() ? "{\"moved\":" + std::to_string(moved) + "}\n" : std::to_string(moved) + "\n");
  return kDone;
}

int run_pause(Cluster& cluster, const Invocation& invocation) {
  return change_direction(cluster, invocation, "/pause");
}
int run_resume(Cluster& cluster, const Invocation& invocation) {
  return change_direction(cluster, invocation, "/resume");
}

int run_purge(Cluster& cluster, const Invocation& invocation) {
  return count_write(cluster, invocation, queue_target(invocation.arguments[0]).literal("/purge"), "removed");
}

int run_remove_events(Cluster& cluster, const Invocation& invocation) {
  http::JsonWriter json;
  json.begin_array();
  for (size_t at = 1; at < invocation.arguments.size(); ++at) {
    const std::string& id = invocation.arguments[at];
    if (id.empty() || id.find_first_not_of("0123456789") != std::string::npos)
      return misuse(invocation, "'" + shown(id) + "' is no event's id");
    json.begin_object().key("id").raw(id).end_object();
  }
  json.end_array();
  Request request = write_of("POST", queue_target(invocation.arguments[0]).literal("/remove"));
  request.headers = {"Content-Type: application/json"};
  request.body = json.take();
  const Reply reply = cluster.ask(request);
  if (!reply.done()) return report(reply);
  bool all = true;
  for (const JsonFields& outcome : JsonFields::parse_array(reply.answer.body)) {
    all = all && outcome.text("outcome") == "removed";
    put(invocation.json() ? outcome.whole() + "\n" : outcome.text("id") + "  " + shown(outcome.text("outcome")) + "\n");
  }
  return all ? kDone : kRefused;
}

int run_delete_queue(Cluster& cluster, const Invocation& invocation) {
  const Reply reply = cluster.ask(write_of("DELETE", queue_target(invocation.arguments[0])));
  return reply.done() ? kDone : report(reply);
}

}  // namespace wh::cli
