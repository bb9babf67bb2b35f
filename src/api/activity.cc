#include "api/activity.h"

#include <utility>

namespace wh::api {

void Activity::completed(Kind kind, uint64_t took_us, bool done, bool waited) {
  ++(kind == Kind::write ? current_.writes : current_.reads);
  if (!done) ++current_.failed;
  if (!waited) (kind == Kind::write ? write_us_ : read_us_).add(took_us);
}

Activity::Latency Activity::latency_of(const Histogram& took) {
  return {took.count(), took.permille(500), took.permille(990), took.max()};
}

void Activity::sweep(Millis now, int64_t unix_ms, raft::Index applied) {
  if (since_ == 0) {
    since_ = now;
    applied_ = applied;
  }
  if (now < since_ + kIntervalMs) return;
  Sample sample = std::exchange(current_, {});
  sample.ended_unix_ms = unix_ms;
  sample.lasted_ms = now - since_;
  // A node that was taken into a cluster begins a new log.
  sample.applied = applied < applied_ ? 0 : applied.value - applied_.value;
  sample.write = latency_of(write_us_);
  sample.read = latency_of(read_us_);
  if (samples_.size() == kSamples) samples_.pop_front();
  samples_.push_back(sample);
  write_us_.clear();
  read_us_.clear();
  since_ = now;
  applied_ = applied;
}

}  // namespace wh::api
