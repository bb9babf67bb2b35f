// Reads Server-Sent Events as they come, and follows such a stream from endpoint to endpoint: watch and stream are made
// of it.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/cluster.h"

namespace wh::cli {

struct StreamMessage {
  std::string event;  // empty: not named
  std::string data;
  std::string id;  // empty: has none
  [[nodiscard]] bool bare() const { return data.empty() && event.empty(); }
};

// Takes the text of a stream in pieces and gives its messages.
class StreamReader {
 public:
  // The messages that this piece completes. One longer than 64 MiB ends in an empty result for ever: overlong().
  std::vector<StreamMessage> take(std::string_view piece);
  [[nodiscard]] bool overlong() const { return overlong_; }

 private:
  void line(std::string_view text, std::vector<StreamMessage>& out);

  std::string rest_;  // an unfinished line
  StreamMessage now_;
  bool any_ = false;
  bool overlong_ = false;
};

// What follows a stream.
class Follower {
 public:
  // `target` without a position. `on_message` gets each message once; false ends the following. Messages without an id
  // are given out only with the one that has it, as a stream that breaks begins again before them.
  Follower(Cluster& cluster, std::string target, std::function<bool(const StreamMessage&)> on_message);

  // Where it begins, if not where the target says: after this id.
  void begin_after(std::string id) { last_ = std::move(id); }
  // Set: says what a 410 means and gives the target to go on with; the position is forgotten.
  std::function<std::string(const Answer&)> on_lost;

  // Until on_message had enough, a signal came, or nobody answers for as long as the settings say. Returns the exit
  // status.
  int run();

 private:
  bool take(std::string_view piece);

  Cluster& cluster_;
  std::string target_;
  std::function<bool(const StreamMessage&)> on_message_;
  std::string last_;
  StreamReader reader_;
  std::vector<StreamMessage> waiting_;  // messages whose id has not come
  bool enough_ = false;
  bool begun_ = false;  // it has flowed once
};

}  // namespace wh::cli
