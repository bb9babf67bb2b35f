#include "cli/event_stream.h"

#include <algorithm>
#include <chrono>
#include <poll.h>

#include "cli/commands.h"
#include "cli/signals.h"

namespace wh::cli {
namespace {

constexpr size_t kLongest = 64u << 20;

// Between two attempts where the first was cut off at once, so that a stream that always breaks is no flood.
void breathe() {
  pollfd wake{.fd = signals::wake_fd(), .events = POLLIN, .revents = 0};
  if (poll(&wake, 1, 200) > 0) signals::drain();
}

}  // namespace

std::vector<StreamMessage> StreamReader::take(std::string_view piece) {
  std::vector<StreamMessage> out;
  if (overlong_) return out;
  for (size_t end = 0; (end = piece.find('\n')) != std::string_view::npos; piece.remove_prefix(end + 1)) {
    rest_ += piece.substr(0, end);
    if (rest_.ends_with('\r')) rest_.pop_back();
    line(rest_, out);
    rest_.clear();
  }
  rest_ += piece;
  overlong_ = rest_.size() + now_.data.size() > kLongest;
  return out;
}

void StreamReader::line(std::string_view text, std::vector<StreamMessage>& out) {
  if (text.empty()) {
    if (any_) out.push_back(std::move(now_));
    now_ = {};
    any_ = false;
    return;
  }
  const size_t colon = std::min(text.find(':'), text.size());
  const std::string_view name = text.substr(0, colon);
  std::string_view value = text.substr(std::min(colon + 1, text.size()));
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "event") now_.event = value;
  if (name == "id") now_.id = value;
  if (name == "data") now_.data += (now_.data.empty() ? "" : "\n") + std::string(value);
  any_ = any_ || !name.empty();  // a comment says nothing
}

Follower::Follower(Cluster& cluster, std::string target, std::function<bool(const StreamMessage&)> on_message)
    : cluster_(cluster), target_(std::move(target)), on_message_(std::move(on_message)) {}

bool Follower::take(std::string_view piece) {
  for (StreamMessage& message : reader_.take(piece)) {
    const std::string id = message.id;
    waiting_.push_back(std::move(message));
    if (id.empty()) continue;
    last_ = id;
    for (const StreamMessage& one : waiting_) {
      if (!one.bare() && !enough_) enough_ = !on_message_(one);
    }
    waiting_.clear();
    flush_output();
    if (enough_) return false;
  }
  return !reader_.overlong();
}

int Follower::run() {
  for (;;) {
    Request request;
    request.target = target_;
    request.position = [&] { return last_.empty() ? std::string() : "Last-Event-ID: " + last_; };
    request.patient = begun_;
    request.restart = [&](std::optional<uint64_t>) {
      // What has flowed once is waited for.
      request.patient = begun_ = true;
      reader_ = {};
      waiting_.clear();
    };
    request.sink = [&](std::string_view piece) { return take(piece); };
    const Reply reply = cluster_.ask(request);
    if (enough_) return kDone;
    if (reader_.overlong()) {
      complain("a message of the stream is too long");
      return kRefused;
    }
    if (reply.kind == Reply::Kind::refused && reply.answer.status == 410 && on_lost) {
      target_ = on_lost(reply.answer);
      last_.clear();
      continue;
    }
    if (!reply.done()) return report(reply);
    // The node ended it, as it stops or as we read too slowly: another one goes on.
    cluster_.move_on();
    breathe();
    if (signals::ending() != 0) return kInterrupted;
  }
}

}  // namespace wh::cli
