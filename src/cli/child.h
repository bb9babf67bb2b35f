// A command that runs beside: started with data on its standard input or with ours, watched for its end, ended by
// signals. A child ends with this process, whatever becomes of it. Called by lock, receive and verify.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace wh::cli {

class Child {
 public:
  Child() = default;
  ~Child();  // ends it by SIGKILL if it still runs
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // `words` are looked up in PATH; `variables` are added to the environment. With `input` that is its standard input,
  // else ours. The error says why it cannot be run; exit status 127 is then what a shell would give.
  Status start(const std::vector<std::string>& words, const std::map<std::string, std::string>& variables,
               std::optional<std::string> input);

  // Whether it has ended; feeds it input meanwhile. Never waits.
  bool ended();
  // Waits until it has ended, more than `seen` signals have come that ask for our end, or that time is over; whether it
  // has ended.
  bool wait_for(Millis ms, int seen);
  // Waits until it has ended, and hands on to it the signals that ask for our end.
  void wait();
  void signal(int number);
  // After its end: the exit status, 128 + the signal that ended it.
  [[nodiscard]] int status() const { return status_; }

 private:
  void feed();
  void close_input();

  pid_t pid_ = -1;
  int status_ = -1;
  int input_fd_ = -1;
  std::string input_;
  size_t fed_ = 0;
};

}  // namespace wh::cli
