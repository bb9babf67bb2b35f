// backup, verify.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/child.h"
#include "cli/commands.h"
#include "cli/signals.h"

namespace wh::cli {
namespace {

constexpr std::string_view kSqliteMagic{"SQLite format 3\0", 16};
constexpr size_t kHeadLength = 32;

// How long a file of SQLite with this head is: the pages' size (1: 65,536) times their number; 0: it is none.
uint64_t file_length(std::string_view head) {
  if (head.size() < kHeadLength || !head.starts_with(kSqliteMagic)) return 0;
  const auto number = [&](size_t at, size_t bytes) {
    uint64_t value = 0;
    for (const char byte : head.substr(at, bytes)) value = value << 8 | static_cast<unsigned char>(byte);
    return value;
  };
  const uint64_t page = number(16, 2);
  return (page == 1 ? 65'536 : page) * number(28, 4);
}

std::string directory_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string failed(const std::string& what, const std::string& path) {
  return "cannot " + what + " " + printable(path) + ": " + std::strerror(errno);
}

// A file that comes into being under its name only once it is whole and on the disk.
class NewFile {
 public:
  NewFile() = default;
  ~NewFile() {
    if (fd_ >= 0) close(fd_);
    if (!temporary_.empty()) unlink(temporary_.c_str());
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  Status open_beside(const std::string& path) {
    path_ = path;
    temporary_ = path + ".unfinished-XXXXXX";
    fd_ = mkostemp(temporary_.data(), O_CLOEXEC);
    if (fd_ >= 0) return ok_status();
    temporary_.clear();
    return Error{failed("make a file beside", path)};
  }
  Status empty() {
    if (ftruncate(fd_, 0) != 0 || lseek(fd_, 0, SEEK_SET) != 0) return Error{failed("empty", temporary_)};
    return ok_status();
  }
  Status append(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = write(fd_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return Error{failed("write", temporary_)};
      bytes.remove_prefix(static_cast<size_t>(written));
    }
    return ok_status();
  }
  // Gives it its name; one that is there is replaced only if `replace`.
  Status finish(bool replace) {
    if (fsync(fd_) != 0) return Error{failed("sync", temporary_)};
    if (replace ? rename(temporary_.c_str(), path_.c_str()) != 0 : !rename_to_new())
      return Error{failed("make", path_)};
    temporary_.clear();
    const int directory = open(directory_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory >= 0) {
      fsync(directory);
      close(directory);
    }
    return ok_status();
  }

 private:
  // Replaces nothing that has come there meanwhile. Not every file system has the first way, nor the second.
  bool rename_to_new() {
    if (renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, path_.c_str(), RENAME_NOREPLACE) == 0) return true;
    if (errno == EEXIST || link(temporary_.c_str(), path_.c_str()) != 0) return false;
    return unlink(temporary_.c_str()) == 0;
  }

  int fd_ = -1;
  std::string path_;
  std::string temporary_;
};

// What has come of the backup so far.
struct Coming {
  NewFile& file;
  Progress progress{};
  std::optional<uint64_t> length{};
  uint64_t got = 0;
  std::string head{};     // the first bytes
  std::string trouble{};  // why this side cannot go on
  const std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();

  void wait() {
    if (got > 0) return;
    const auto gone = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - start);
    if (gone.count() > 0)
      progress.show("backup: the node makes it, " + human_duration(static_cast<Millis>(gone.count()) * 1'000));
  }

  void begin(std::optional<uint64_t> announced) {
    length = announced;
    got = 0;
    head.clear();
    if (const Status emptied = file.empty(); !emptied) trouble = emptied.error();
  }
  bool take(std::string_view piece) {
    if (head.size() < kHeadLength) head += piece.substr(0, kHeadLength - head.size());
    if (const Status written = file.append(piece); !written) trouble = written.error();
    got += piece.size();
    const std::string of = length && *length > 0
                               ? " of " + human_size(*length) + " (" + std::to_string(got * 100 / *length) + " %)"
                               : std::string();
    progress.show("backup: " + human_size(got) + of);
    return trouble.empty();
  }
};

bool exists(const std::string& path) {
  struct stat found {};
  return lstat(path.c_str(), &found) == 0;
}

bool is_program(const std::string& path) { return access(path.c_str(), X_OK) == 0; }

// The server's program: beside this one, else as PATH has it; empty: there is none.
std::string server_program() {
  std::string own(PATH_MAX, '\0');
  const ssize_t length = readlink("/proc/self/exe", own.data(), own.size());
  own.resize(length > 0 ? static_cast<size_t>(length) : 0);
  std::string beside = directory_of(own) + "/wormhole-server";
  if (!own.empty() && is_program(beside)) return beside;
  const char* path = std::getenv("PATH");
  std::string_view rest = path == nullptr ? "" : path;
  while (!rest.empty()) {
    const size_t colon = std::min(rest.find(':'), rest.size());
    std::string found = std::string(rest.substr(0, colon)) + "/wormhole-server";
    if (colon > 0 && is_program(found)) return found;
    rest.remove_prefix(std::min(colon + 1, rest.size()));
  }
  return {};
}

int verify(const std::string& path) {
  if (!exists(path)) {
    complain("there is no file " + printable(path));
    return kRefused;
  }
  const std::string server = server_program();
  if (server.empty()) {
    complain(
        "wormhole-server is needed to read a backup, and is neither beside wormhole-cli nor in PATH: install it, or "
        "run 'wormhole-server --verify FILE' on a node");
    return kRefused;
  }
  flush_output();
  Child child;
  // A path that begins with a dash is no option.
  const std::string file = path.starts_with('-') ? "./" + path : path;
  if (const Status started = child.start({server, "--verify", file}, {}, std::nullopt); !started) {
    complain(started.error());
    return kRefused;
  }
  child.wait();
  if (signals::ending() != 0) return kInterrupted;
  return child.status() == 0 ? kDone : kRefused;
}

}  // namespace

int run_backup(Cluster& cluster, const Invocation& invocation) {
  const std::string& path = invocation.arguments[0];
  const bool replace = invocation.has("--force");
  if (!replace && exists(path)) {
    complain(printable(path) + " exists already: choose another name, or --force to replace it");
    return kRefused;
  }
  // An endpoint that answers; the backup itself may be waited for long.
  if (const Reply alive = cluster.ask(read_of(Target("/cluster"))); !alive.done()) return report(alive);
  NewFile file;
  if (const Status opened = file.open_beside(path); !opened) {
    complain(opened.error());
    return kRefused;
  }
  Coming coming{.file = file};
  Request request = read_of(Target("/backup").staleness(invocation));
  // The node makes the whole file before it answers, and says nothing meanwhile.
  request.waits = 600'000;
  request.waiting = [&] { coming.wait(); };
  request.restart = [&](std::optional<uint64_t> length) { coming.begin(length); };
  request.sink = [&](std::string_view piece) { return coming.take(piece); };
  const Reply reply = cluster.ask(request);
  coming.progress.clear();
  if (!coming.trouble.empty()) {
    complain(coming.trouble);
    return kRefused;
  }
  if (!reply.done()) return report(reply);
  if (coming.got != file_length(coming.head)) {
    complain(reply.endpoint + " sent " + human_size(coming.got) + " that are no whole backup; nothing was kept");
    return kRefused;
  }
  if (const Status finished = file.finish(replace); !finished) {
    complain(finished.error());
    return kRefused;
  }
  const std::string index = reply.answer.header("wormhole-index");
  if (invocation.json())
    put("{\"bytes\":" + std::to_string(coming.got) + ",\"index\":" + (index.empty() ? "null" : index) + "}\n");
  note(printable(path) + ": " + human_size(coming.got) + ", all that there was at index " + shown(index) + ", from " +
       reply.endpoint);
  return invocation.has("--verify") ? verify(path) : kDone;
}

int run_verify(Cluster& /*cluster*/, const Invocation& invocation) { return verify(invocation.arguments[0]); }

}  // namespace wh::cli
