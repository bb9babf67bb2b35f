// A command that runs beside: started with data on its standard input or with ours, watched for its end, ended by
// signals. It has a process group of its own, so that signals reach what it has started too. When this process is
// killed, the command is killed by the kernel, but not what it has started. Called by lock, receive and verify.
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
  ~Child();  // ends its group by SIGKILL if that still runs
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // `words` are looked up in PATH; `variables` are added to the environment. With `input` that is its standard input,
  // else ours, with the terminal if that is one whose keyboard is ours. The error says why it cannot be run; exit
  // status 127 is then what a shell would give.
  Status start(const std::vector<std::string>& words, const std::map<std::string, std::string>& variables,
               std::optional<std::string> input);

  // Whether it has ended, and, once a signal was sent, its whole group; feeds it input meanwhile. Never waits.
  bool ended();
  // Waits until it has ended, more than `seen` signals have come that ask for our end, or that time is over; whether it
  // has ended.
  bool wait_for(Millis ms, int seen);
  // Waits until it has ended, and hands on to it the signals that ask for our end.
  void wait();
  // Sends it to the whole group.
  void signal(int number);
  // After its end: the exit status, 128 + the signal that ended it.
  [[nodiscard]] int status() const { return status_; }

 private:
  // Takes note of the children that have ended or were stopped.
  void reap();
  void take_terminal_back();
  void go_on();
  void feed();
  void close_input();

  pid_t pid_ = -1;
  int status_ = -1;
  bool signalled_ = false;
  bool over_ = false;
  bool stopped_ = false;  // by the keyboard, or as it reads from a terminal that is not its own
  bool lent_ = false;     // it has the terminal
  int input_fd_ = -1;
  std::string input_;
  size_t fed_ = 0;
};

}  // namespace wh::cli
