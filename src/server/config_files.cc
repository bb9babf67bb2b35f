#include "server/config_files.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <glob.h>
#include <unistd.h>

#include "server/config_parser.h"

namespace wh {
namespace {

Result<std::string> read_config_file(const std::string& path) {
  const bool is_input = path == "-";
  const int file = is_input ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (file < 0) return Error{std::strerror(errno)};
  std::string text;
  int failure = 0;
  while (text.size() <= kMaxConfigFileSize) {
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

ConfigFiles real_config_files() { return {read_config_file, expand_pattern}; }

std::vector<std::pair<std::string, std::string>> real_environment() {
  std::vector<std::pair<std::string, std::string>> variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const size_t equals = text.find('=');
    if (equals != std::string_view::npos) variables.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

}  // namespace wh
