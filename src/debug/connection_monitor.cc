// The connection's part of MONITOR: lines that the client did not ask for one by one, between the answers that it did.
#include <utility>

#include "debug/connection.h"

namespace wh::debug {

void Connection::start_monitoring() { service_.monitors.insert(id_); }

void Connection::stop_monitoring() {
  service_.monitors.erase(id_);
  shown_ = {};
  shown_too_much_ = false;
}

void Connection::show(std::string_view line) {
  if (state_ != State::open || !trusted() || shown_too_much_) return;
  const bool tight = service_.buffers != nullptr && service_.buffers->tight();
  shown_too_much_ = shown_.size() + line.size() > (tight ? kOutputSoftBytes : kMaxShownBytes);
  if (shown_too_much_)
    shown_ = {};
  else
    shown_ += line;
  count_held();
  stream_->request_turn();
}

// As far as the client takes them. No answer may be under way.
bool Connection::flush_shown() {
  if (shown_too_much_) {
    close_slow_reader("it does not keep up with what MONITOR shows");
    return false;
  }
  if (front_sent_ != 0 || shown_.empty() || stream_->pending_bytes() > kOutputSoftBytes) return false;
  stream_->write(shown_);
  written_bytes_ += shown_.size();
  shown_.clear();
  last_activity_ = now_;
  return true;
}

}  // namespace wh::debug
