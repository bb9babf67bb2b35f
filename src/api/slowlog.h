// SLOWLOG: the slow requests, the newest first, as Redis keeps them (directives slowlog-log-slower-than and
// slowlog-max-len). Of commands it keeps the words, clipped and without secrets; of HTTP requests method and path,
// never a query or a body. Bounded in entries and in bytes an entry. Filled by the two surfaces, read by the debug
// port.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "config/options.h"

namespace wh::api {

class SlowLog {
 public:
  struct Entry {
    uint64_t id = 0;  // counts up; never used twice, not even after a reset
    int64_t unix_s = 0;
    uint64_t took_us = 0;
    std::vector<std::string> arguments;
    std::string client;   // its address
    std::string surface;  // "http", or empty for the debug port
  };

  // `options` must outlive this object; each call reads its two directives anew.
  explicit SlowLog(const config::Options& options) : options_(options) {}
  SlowLog(const SlowLog&) = delete;
  SlowLog& operator=(const SlowLog&) = delete;

  // Whether a request that took this long is kept: at least as long as the directive says.
  [[nodiscard]] bool is_slow(uint64_t took_us) const {
    return on() && took_us >= static_cast<uint64_t>(options_.slowlog_slower_than_us);
  }
  // What to keep of a request until its duration is known; empty when the log is off.
  [[nodiscard]] std::string clipped(std::string_view word) const;
  // The same of several words, for words_of(). In one string, as nearly no request is slow: a string for each word took
  // a third of what a SET costs between its parser and the node.
  [[nodiscard]] std::string clipped(const std::vector<std::string>& words) const;
  [[nodiscard]] static std::vector<std::string> words_of(std::string_view clipped);

  void add(uint64_t took_us, std::vector<std::string> arguments, std::string client, std::string surface);
  // The newest `count`.
  [[nodiscard]] std::vector<Entry> newest(size_t count) const;
  [[nodiscard]] size_t size() const { return entries_.size(); }
  void reset() { entries_.clear(); }

 private:
  [[nodiscard]] bool on() const { return options_.slowlog_slower_than_us >= 0 && options_.slowlog_max_len > 0; }

  const config::Options& options_;
  uint64_t next_id_ = 0;
  std::deque<Entry> entries_;  // the newest in front
};

}  // namespace wh::api
