#include "cli/commands.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/signals.h"
#include "http/url.h"

namespace wh::cli {

int report(const Reply& reply) {
  std::string text = reply.sentence;
  if (reply.kind == Reply::Kind::refused) {
    // A server's sentence may repeat what others wrote.
    text = shown(text) + ", says " + reply.endpoint;
    if (reply.answer.status == 401)
      text += "\nthe password is read from --password-file FILE, WORMHOLE_PASSWORD_FILE or WORMHOLE_PASSWORD";
  }
  if (!text.empty()) complain(text);
  return reply.status();
}

int misuse(const Invocation& invocation, const std::string& sentence) {
  complain(sentence + "\nusage: " + usage_of(*invocation.command));
  return kUsage;
}

Target& Target::segment(std::string_view name) {
  text_ += "/" + http::percent_encode(name);
  return *this;
}

Target& Target::literal(std::string_view text) {
  text_ += text;
  return *this;
}

Target& Target::add(std::string_view name, std::string_view value) {
  flag(name);
  text_ += "=" + http::percent_encode(value);
  return *this;
}

Target& Target::flag(std::string_view name) {
  text_ += query_ ? '&' : '?';
  query_ = true;
  text_ += name;
  return *this;
}

Target& Target::option(const Invocation& invocation, std::string_view option, std::string_view name) {
  return invocation.has(option) ? add(name, invocation.text(option)) : *this;
}

Target& Target::staleness(const Invocation& invocation) {
  return invocation.has("--stale") ? add("consistency", "stale") : *this;
}

Target kv_target(std::string_view key) { return Target("/kv").segment(key); }
Target queue_target(std::string_view queue) { return Target("/queues").segment(queue); }

Request read_of(const Target& target) {
  Request request;
  request.target = target.text();
  return request;
}

Request write_of(std::string method, const Target& target) {
  Request request;
  request.method = std::move(method);
  request.target = target.text();
  return request;
}

std::string next_page(const Answer& answer) {
  const std::string link = answer.header("link");
  const size_t end = link.find('>');
  if (!link.starts_with('<') || end == std::string::npos || link.find("rel=\"next\"", end) == std::string::npos)
    return {};
  std::string target = link.substr(1, end - 1);
  // A path, as the server writes it; a URL's origin is left out.
  if (const size_t scheme = target.find("://"); scheme != std::string::npos && !target.starts_with('/'))
    target.erase(0, std::min(target.find('/', scheme + 3), target.size()));
  return target.starts_with('/') ? target : std::string();
}

Result<std::string> read_input(const std::string& path) {
  const bool standard = path == "-";
  std::string out;
  if (standard) {
    for (;;) {
      auto piece = read_some_input(65'536, true);
      if (!piece) return Error{piece.error()};
      if ((*piece)->empty()) return out;
      out += **piece;
    }
  }
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Error{"cannot read " + printable(path) + ": " + std::strerror(errno)};
  std::array<char, 65'536> buffer{};
  ssize_t got = 0;
  while ((got = read(fd, buffer.data(), buffer.size())) > 0) out.append(buffer.data(), static_cast<size_t>(got));
  const int error = errno;
  close(fd);
  if (got < 0) return Error{"cannot read " + printable(path) + ": " + std::strerror(error)};
  return out;
}

Result<std::optional<std::string>> read_some_input(size_t most, bool wait) {
  for (;;) {
    std::array<pollfd, 2> polled{pollfd{STDIN_FILENO, POLLIN, 0}, pollfd{signals::wake_fd(), POLLIN, 0}};
    if (wait) flush_output();
    const int ready = poll(polled.data(), polled.size(), wait ? -1 : 0);
    if (polled[1].revents != 0) signals::drain();
    if (signals::ending() != 0) return Error{"interrupted"};
    if (ready == 0 && !wait) return std::optional<std::string>();
    if (polled[0].revents == 0) continue;
    std::string out(most, '\0');
    const ssize_t got = read(STDIN_FILENO, out.data(), out.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error{std::string("cannot read standard input: ") + std::strerror(errno)};
    out.resize(static_cast<size_t>(got));
    return std::optional(std::move(out));
  }
}

int unread(const std::string& sentence) {
  if (signals::ending() != 0) return kInterrupted;
  complain(sentence);
  return kRefused;
}

std::variant<std::string, int> given_data(const Invocation& invocation, size_t argument) {
  const bool given = invocation.arguments.size() > argument;
  const bool of_file = invocation.has("--file");
  if (of_file && given) return misuse(invocation, "the data is given twice, as an argument and by --file");
  if (given && invocation.arguments[argument] != "-") return invocation.arguments[argument];
  if (!of_file && !given && is_terminal(STDIN_FILENO))
    return misuse(invocation, "no data is given: as an argument, by --file FILE, or '-' for standard input");
  auto data = read_input(of_file ? invocation.text("--file") : "-");
  if (!data) return unread(data.error());
  return *std::move(data);
}

}  // namespace wh::cli
