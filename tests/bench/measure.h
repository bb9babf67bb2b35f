// What a load client measures between two points in time: operations, how long each took, processor time. Printed as a
// line of JSON: events, operations, seconds, and how many operations took how long, in buckets that are 2% wide (bucket
// b begins at 1.02^b microseconds).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace wh::bench {

constexpr double kSlackS = 30;  // so much longer may something take that is slow

// The parts of a text between commas.
std::vector<std::string> split(const std::string& text);

class Measure {
 public:
  // Wanted are so many operations at least and so many seconds; the processor time of `pids` is the servers'.
  Measure(std::string name, size_t least, double seconds, std::vector<std::string> pids)
      : name_(std::move(name)), least_(least), wanted_seconds_(seconds), pids_(std::move(pids)) {}

  void begin();
  void end();
  // Long enough: the time, and the operations; but half a minute more at most.
  [[nodiscard]] bool is_enough() const;
  [[nodiscard]] bool runs() const { return from_ != 0 && to_ == 0; }
  [[nodiscard]] double seconds() const;

  // One operation since `start` (uv_hrtime) that dealt with so many events.
  void add(uint64_t start, size_t events);
  // Events that are no operations of their own.
  void count(size_t events) { events_ += runs() ? events : 0; }
  void refused(std::string_view why) {
    if (refusals_++ == 0) reason_ = why;
  }
  void print() const;

 private:
  struct Cpu {
    double servers = 0;
    double client = 0;
  };
  [[nodiscard]] Cpu cpu() const;

  std::string name_;
  size_t least_;
  double wanted_seconds_;
  std::vector<std::string> pids_;
  uint64_t from_ = 0, to_ = 0;
  Cpu cpu_;
  size_t operations_ = 0, events_ = 0, refusals_ = 0;
  std::string reason_;
  std::map<int, size_t> buckets_;
};

}  // namespace wh::bench
