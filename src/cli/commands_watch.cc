// watch, stream: what comes, as it comes.
#include "cli/commands.h"
#include "cli/event_stream.h"
#include "cli/json_fields.h"
#include "http/json.h"

namespace wh::cli {
namespace {

// Counts down --count; false at its end.
class Countdown {
 public:
  explicit Countdown(const Invocation& invocation) : left_(invocation.number("--count")) {}
  bool more() { return !left_ || --*left_ > 0; }

 private:
  std::optional<uint64_t> left_;
};

std::string change_line(const StreamMessage& message, const JsonFields& item) {
  std::string line = message.event + "  " + item.text("mod_index") + "  " + shown(item.bytes("key"));
  if (item.has("value") || item.has("value_base64")) line += "  " + shown(item.bytes("value"), kCellWidth);
  return line;
}

}  // namespace

int run_watch(Cluster& cluster, const Invocation& invocation) {
  const bool of_prefix = invocation.has("--prefix");
  if (of_prefix == !invocation.arguments.empty()) return misuse(invocation, "'watch' needs either a key or --prefix");
  if (invocation.number("--count") == 0) return misuse(invocation, "--count must be above 0");
  if (invocation.has("--from") && invocation.has("--initial"))
    return misuse(invocation, "--from and --initial exclude each other");
  Target target =
      of_prefix ? Target("/kv").add("prefix", invocation.text("--prefix")) : kv_target(invocation.arguments[0]);
  target.flag("watch");
  if (invocation.has("--prev")) target.flag("prev");
  const std::string without_position = target.text();
  target.option(invocation, "--from", "from");
  if (invocation.has("--initial")) target.flag("initial");

  Countdown countdown(invocation);
  Follower follower(cluster, target.text(), [&](const StreamMessage& message) {
    const auto item = JsonFields::parse(message.data);
    if (!item) return true;
    if (invocation.json()) {
      http::JsonWriter json;
      json.begin_object().key("event").string(message.event).key("item").raw(item->whole()).end_object();
      put(json.take() + "\n");
    } else {
      put(change_line(message, *item) + "\n");
    }
    return countdown.more();
  });
  follower.on_lost = [&](const Answer& answer) {
    const std::string oldest = answer.header("wormhole-oldest-index");
    if (invocation.has("--initial")) {
      complain("changes were lost: they are not kept any more; what there is now follows, then what comes");
      return without_position + "&initial";
    }
    complain("changes were lost: the oldest that are kept are of index " + shown(oldest) + ", and follow");
    return without_position + "&from=" + oldest;
  };
  return follower.run();
}

int run_stream(Cluster& cluster, const Invocation& invocation) {
  if (invocation.number("--count") == 0) return misuse(invocation, "--count must be above 0");
  Countdown countdown(invocation);
  Follower follower(
      cluster, queue_target(invocation.arguments[0]).literal("/stream").text(), [&](const StreamMessage& message) {
        const auto event = JsonFields::parse(message.data);
        if (!event) return true;
        if (invocation.json())
          put(event->whole() + "\n");
        else
          put(event->text("id") + "  " + event->text("state") + "  " + shown(event->bytes("data"), kCellWidth) + "\n");
        return countdown.more();
      });
  if (invocation.has("--after")) follower.begin_after(invocation.text("--after"));
  return follower.run();
}

}  // namespace wh::cli
