// What this node did and said lately: GET /node/history, its last fifteen minutes in samples, and GET /node/messages,
// the last lines of its log with what they mean.
#include "api/activity.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <string>
#include <string_view>
#include <utility>

#include "api/http/params.h"
#include "api/http/routes.h"
#include "api/message_help.h"
#include "base/recent_lines.h"
#include "base/timestamp.h"
#include "http/json.h"

namespace wh::api {
namespace {

std::string timestamp_of(int64_t unix_ms) {
  return format_timestamp(static_cast<Millis>(std::max<int64_t>(0, unix_ms)));
}

// --- history

constexpr Parameter kLast{.name = "last",
                          .text = "Only so many samples, the newest.",
                          .type = ParameterType::number,
                          .least = 1,
                          .most = Activity::kSamples,
                          .standard = Activity::kSamples};

OrRefusal<RouteCall> begin_history(RouteRequest& request) {
  const OrRefusal<uint64_t> last = number_param(request.query, kLast);
  if (!last) return last.error();
  return RouteCall{Local{ShowActivity{}}, {.id = *last}};
}

void write_latency(http::JsonWriter& json, const std::string& kind, const Activity::Latency& took) {
  const auto field = [&](const char* name, uint64_t us) {
    json.key(kind + name);
    if (took.count == 0) {
      json.null();
    } else {
      json.number(us);
    }
  };
  field("_p50_us", took.p50_us);
  field("_p99_us", took.p99_us);
  field("_max_us", took.max_us);
}

http::Response finish_history(const RouteContext& context, const RouteState& state, const Answer&) {
  http::JsonWriter json;
  json.begin_object();
  json.key("node_id").string(context.api.node.identity().name);
  json.key("interval_ms").number(Activity::kIntervalMs);
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  json.key("now").string(timestamp_of(int64_t{now.tv_sec} * 1'000 + now.tv_nsec / 1'000'000));
  json.key("samples").begin_array();
  const auto& samples = context.api.activity->samples();
  for (size_t i = samples.size() - std::min<size_t>(samples.size(), state.id); i < samples.size(); ++i) {
    const Activity::Sample& sample = samples[i];
    json.begin_object();
    json.key("at").string(timestamp_of(sample.ended_unix_ms));
    json.key("lasted_ms").number(sample.lasted_ms);
    json.key("writes").number(sample.writes);
    json.key("reads").number(sample.reads);
    json.key("errors").number(sample.failed);
    json.key("commits").number(sample.applied);
    write_latency(json, "write", sample.write);
    write_latency(json, "read", sample.read);
    json.end_object();
  }
  json.end_array();
  json.end_object();
  return json_response(200, json.take());
}

// --- messages

constexpr Parameter kAfterMessage{
    .name = "after", .text = "Only messages with a higher id.", .type = ParameterType::number, .standard = 0};
constexpr Parameter kLevel{
    .name = "level", .text = "The lowest level; notice where none is given.", .choices = {"notice", "warning"}};

OrRefusal<RouteCall> begin_messages(RouteRequest& request) {
  const OrRefusal<uint64_t> after = number_param(request.query, kAfterMessage);
  if (!after) return after.error();
  const std::string* level = http::find_param(request.query, "level");
  if (level != nullptr && *level != "notice" && *level != "warning") return malformed("level is notice or warning");
  return RouteCall{Local{ShowMessages{}}, {.value = level == nullptr ? "notice" : *level, .id = *after}};
}

http::Response finish_messages(const RouteContext& context, const RouteState& state, const Answer&) {
  const auto least = state.value == "warning" ? LogLevel::warning : LogLevel::notice;
  http::JsonWriter json;
  const auto text_or_null = [&json](std::string_view key, const MessageRow* row, std::string_view MessageRow::*text) {
    json.key(key);
    if (row == nullptr) {
      json.null();
    } else {
      json.string(row->*text);
    }
  };
  json.begin_object();
  json.key("node_id").string(context.api.node.identity().name);
  json.key("messages").begin_array();
  for (const RecentLines::Line& line : context.api.recent_lines->after(state.id, least)) {
    const MessageRow* row = help_for(line.text);
    json.begin_object();
    json.key("id").number(line.id);
    json.key("at").string(timestamp_of(line.unix_ms));
    json.key("level").string(line.level == LogLevel::warning ? "warning" : "notice");
    json.key("text").string(line.text);
    text_or_null("means", row, &MessageRow::means);
    text_or_null("do", row, &MessageRow::what_to_do);
    json.end_object();
  }
  json.end_array();
  json.end_object();
  return json_response(200, json.take());
}

constexpr std::array kRoutesOfActivity{
    RouteSpec{.methods = kGet,
              .pattern = "/node/history",
              .verb = security::Verb::read,
              .inputs = {.query = {&kLast}},
              .doc = {.id = "getHistory",
                      .summary = "What this node did in the last fifteen minutes, in samples of five seconds.",
                      .answers = {{200, "The oldest sample first.", json_body("History")}}},
              .begin = begin_history,
              .finish = finish_history},
    RouteSpec{
        .methods = kGet,
        .pattern = "/node/messages",
        .verb = security::Verb::read,
        .inputs = {.query = {&kAfterMessage, &kLevel}},
        .doc = {.id = "getMessages",
                .summary = "The last lines of this node's log, with what they mean and what to do.",
                .answers = {{200, "The oldest first; 200 notices and 200 warnings at most.", json_body("Messages")}}},
        .begin = begin_messages,
        .finish = finish_messages},
};

}  // namespace

std::span<const RouteSpec> activity_routes() { return kRoutesOfActivity; }

}  // namespace wh::api
