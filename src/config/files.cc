#include "config/files.h"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/parser.h"

namespace wh::config {
namespace {

// Whether there is data to read, or the end of the file, within this time.
bool comes_within(int file, std::chrono::milliseconds patience) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point deadline = Clock::now() + patience;
  pollfd wanted{file, POLLIN, 0};
  int ready = 0;
  do {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    ready = ::poll(&wanted, 1, left > 0 ? static_cast<int>(left) : 0);
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

Result<std::string> read_config_file(const std::string& path, std::chrono::milliseconds fifo_patience) {
  const bool is_input = path == "-";
  // O_NONBLOCK: a FIFO without a writer must not hold up the start.
  const int file = is_input ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (file < 0) return Error{std::strerror(errno)};
  struct stat status {};
  const bool is_fifo = !is_input && ::fstat(file, &status) == 0 && S_ISFIFO(status.st_mode);
  std::string text;
  int failure = 0;
  while (text.size() <= kMaxFileSize) {
    if (is_fifo && !comes_within(file, fifo_patience)) {
      ::close(file);
      return Error{"a FIFO to which nobody writes"};
    }
    char buffer[16384];
    const ssize_t size = ::read(file, buffer, sizeof buffer);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) failure = errno;
    if (size <= 0) break;
    text.append(buffer, static_cast<size_t>(size));
  }
  if (!is_input) ::close(file);
  if (failure != 0) return Error{std::strerror(failure)};
  return text;
}

std::vector<std::string> expand_pattern(const std::string& pattern) {
  glob_t found{};
  std::vector<std::string> paths;
  if (::glob(pattern.c_str(), 0, nullptr, &found) == 0) {
    for (size_t i = 0; i < found.gl_pathc; ++i) paths.emplace_back(found.gl_pathv[i]);
  }
  ::globfree(&found);
  return paths;
}

}  // namespace

Files real_files(std::chrono::milliseconds fifo_patience) {
  return {[fifo_patience](const std::string& path) { return read_config_file(path, fifo_patience); }, expand_pattern};
}

std::vector<std::pair<std::string, std::string>> real_environment() {
  std::vector<std::pair<std::string, std::string>> variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const size_t equals = text.find('=');
    if (equals != std::string_view::npos) variables.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

}  // namespace wh::config
