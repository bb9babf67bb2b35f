// enqueue: one event, or a batch of lines at a time.
#include <algorithm>

#include "cli/commands.h"
#include "cli/json_fields.h"
#include "http/json.h"
#include "http/url.h"

namespace wh::cli {
namespace {

constexpr size_t kBatchEvents = 1'000;      // the server's limit
constexpr size_t kBatchBytes = 256 * 1024;  // well below the least http-max-body that makes sense
constexpr size_t kReadAtOnce = 64 * 1024;

struct Attribute {
  std::string name, value;
};

// What may stand in the name of a header.
bool is_attribute_name(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  });
}

std::vector<Attribute> attributes_of(const Invocation& invocation) {
  std::vector<Attribute> out;
  for (const std::string& given : invocation.texts("--attribute")) {
    const size_t equals = given.find('=');
    out.push_back({given.substr(0, equals), given.substr(equals + 1)});
  }
  return out;
}

void add_event(http::JsonWriter& json, std::string_view data, const Invocation& invocation) {
  json.begin_object();
  if (http::json_quote(data))
    json.key("data").string(data);
  else
    json.key("data_base64").base64(data);
  const std::string type = invocation.text("--content-type");
  json.key("content_type").string(type.empty() ? "text/plain" : type);
  const auto attributes = attributes_of(invocation);
  if (!attributes.empty()) {
    json.key("attributes").begin_object();
    for (const Attribute& attribute : attributes) json.key(attribute.name).string(attribute.value);
    json.end_object();
  }
  for (const char* name : {"delay", "deliver_at", "ttl", "group"}) {
    std::string option = "--" + std::string(name);
    std::replace(option.begin(), option.end(), '_', '-');
    if (invocation.has(option)) json.key(name).string(invocation.text(option));
  }
  if (const auto priority = invocation.number("--priority")) json.key("priority").number(*priority);
  json.end_object();
}

// Sends lines as they come: what has come by now is one batch, as long as it is not too much.
class Lines {
 public:
  Lines(Cluster& cluster, const Invocation& invocation) : cluster_(cluster), invocation_(invocation) {}

  int run() {
    for (;;) {
      // With lines in hand, more is taken only if it is there already.
      auto piece = read_some_input(kReadAtOnce, lines_.empty());
      if (!piece) return stop(piece.error());
      const bool end = *piece && (*piece)->empty();
      if (*piece) split(**piece);
      if (end && !rest_.empty()) add(std::move(rest_));
      while (!lines_.empty() && (end || !*piece || lines_.size() >= kBatchEvents || bytes_ >= kBatchBytes))
        if (const int status = send(); status != kDone) return status;
      progress_.show("enqueue: " + std::to_string(sent_) + " events");
      if (end) break;
    }
    progress_.clear();
    note(std::to_string(sent_) + (sent_ == 1 ? " event" : " events") + " enqueued" +
         (empty_ > 0 ? "; empty lines left out: " + std::to_string(empty_) : ""));
    return kDone;
  }

 private:
  int stop(const std::string& why) {
    progress_.clear();
    complain(why + ", after " + std::to_string(sent_) + " events");
    return why == "interrupted" ? kInterrupted : kRefused;
  }

  void split(std::string_view text) {
    for (size_t end = 0; (end = text.find('\n')) != std::string_view::npos; text.remove_prefix(end + 1)) {
      rest_ += text.substr(0, end);
      add(std::move(rest_));
      rest_.clear();
    }
    rest_ += text;
  }

  void add(std::string line) {
    // An event has at least one byte.
    if (line.empty()) {
      ++empty_;
      return;
    }
    bytes_ += line.size();
    lines_.push_back(std::move(line));
  }

  int send() {
    http::JsonWriter json;
    json.begin_array();
    size_t count = 0;
    size_t bytes = 0;
    while (count < lines_.size() && count < kBatchEvents &&
           (count == 0 || bytes + lines_[count].size() <= kBatchBytes)) {
      bytes += lines_[count].size();
      add_event(json, lines_[count++], invocation_);
    }
    json.end_array();
    if (!json.ok()) return misuse(invocation_, "attributes and types must be UTF-8");
    Request request = write_of("POST", queue_target(invocation_.arguments[0]).literal("/batch"));
    request.headers = {"Content-Type: application/json"};
    request.body = json.take();
    const Reply reply = cluster_.ask(request);
    if (!reply.done()) {
      progress_.clear();
      note("stopped after " + std::to_string(sent_) + " events; the batch of the next " + std::to_string(count) +
           " failed");
      return report(reply);
    }
    print_ids(reply.answer);
    sent_ += count;
    bytes_ -= bytes;
    lines_.erase(lines_.begin(), lines_.begin() + static_cast<std::ptrdiff_t>(count));
    return kDone;
  }

  void print_ids(const Answer& answer) {
    const auto fields = JsonFields::parse(answer.body);
    if (invocation_.json() || !fields) return put_line(answer.body);
    std::string ids = fields->json("ids");
    std::replace(ids.begin(), ids.end(), ',', '\n');
    if (ids.size() > 2) put(ids.substr(1, ids.size() - 2) + "\n");
    flush_output();
  }

  Cluster& cluster_;
  const Invocation& invocation_;
  Progress progress_;
  std::string rest_;  // an unfinished line
  std::vector<std::string> lines_;
  size_t bytes_ = 0;
  uint64_t sent_ = 0;
  uint64_t empty_ = 0;
};

}  // namespace

int run_enqueue(Cluster& cluster, const Invocation& invocation) {
  for (const Attribute& attribute : attributes_of(invocation))
    if (!is_attribute_name(attribute.name))
      return misuse(invocation,
                    "'" + shown(attribute.name) + "' is no attribute's name: it has a-z, 0-9 and . _ - only");
  if (invocation.has("--lines")) {
    if (invocation.arguments.size() > 1 && invocation.arguments[1] != "-")
      return misuse(invocation, "--lines reads standard input, and takes no data as an argument");
    if (invocation.has("--file") || invocation.has("--idempotency-key"))
      return misuse(invocation, "--lines goes neither with --file nor with --idempotency-key");
    return Lines(cluster, invocation).run();
  }
  auto data = given_data(invocation, 1);
  if (const int* status = std::get_if<int>(&data)) return *status;
  Target target = queue_target(invocation.arguments[0]).literal("/events");
  for (const char* name : {"delay", "deliver_at", "ttl", "priority", "group"}) {
    std::string option = "--" + std::string(name);
    std::replace(option.begin(), option.end(), '_', '-');
    target.option(invocation, option, name);
  }
  Request request = write_of("POST", target);
  const std::string type = invocation.text("--content-type");
  request.headers.push_back("Content-Type: " + (type.empty() ? "text/plain" : type));
  for (const Attribute& attribute : attributes_of(invocation))
    request.headers.push_back("Wormhole-Attribute-" + attribute.name + ": " + http::percent_encode(attribute.value));
  request.body = std::get<std::string>(std::move(data));
  const Reply reply = cluster.ask(request);
  if (!reply.done()) return report(reply);
  const std::string id = reply.answer.header("wormhole-event-id");
  put(invocation.json() ? "{\"id\":" + id + "}\n" : id + "\n");
  return kDone;
}

}  // namespace wh::cli
