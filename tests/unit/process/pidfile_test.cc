#include "process/pidfile.h"

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

using namespace wh;
using namespace wh::process;

namespace {

class Place {
 public:
  Place() {
    char name[] = "/tmp/wh-pidfile-XXXXXX";
    dir_ = ::mkdtemp(name);
  }
  ~Place() { std::filesystem::remove_all(dir_); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  [[nodiscard]] std::string path(const std::string& name = "pid") const { return dir_ + "/" + name; }
  [[nodiscard]] std::string text(const std::string& name = "pid") const {
    std::ifstream file(path(name));
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  void write(const std::string& name, const std::string& text) const { std::ofstream(path(name)) << text; }

 private:
  std::string dir_;
};

std::string own() { return std::to_string(::getpid()) + "\n"; }

// A process that lives as long as this object.
class Living {
 public:
  Living() : pid_(::fork()) {
    if (pid_ != 0) return;
    for (;;) ::pause();
  }
  ~Living() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Living(const Living&) = delete;
  Living& operator=(const Living&) = delete;
  [[nodiscard]] std::string text() const { return std::to_string(pid_) + "\n"; }

 private:
  pid_t pid_;
};

// Sets the file's time so many seconds into the past.
void age(const std::string& path, time_t seconds) {
  timespec times[2] = {{.tv_sec = ::time(nullptr) - seconds, .tv_nsec = 0},
                       {.tv_sec = ::time(nullptr) - seconds, .tv_nsec = 0}};
  REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
}

std::string refused(const std::string& path) {
  Pidfile file;
  const Status status = file.write(path);
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().starts_with("could not write the pidfile " + path + ": "));
  return status.error();
}
bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("pidfile: written for everybody to read, held, and removed at the end") {
  const Place place;
  {
    Pidfile file;
    REQUIRE(file.write(place.path()).ok());
    CHECK(place.text() == own());
    struct stat info {};
    REQUIRE(::stat(place.path().c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0644);
    // A second one is refused, whatever the file says by now.
    CHECK(has(refused(place.path()), "process " + std::to_string(::getpid()) + " holds it"));
    place.write("pid", "");
    CHECK(has(refused(place.path()), "another process holds it"));
  }
  CHECK_FALSE(std::filesystem::exists(place.path()));
}

TEST_CASE("pidfile: what a process that is gone left is taken over") {
  const Place place;
  for (const std::string left : {"999999999\n", "", "\n", " 999999999 \n"}) {
    CAPTURE(left);
    place.write("pid", left);
    Pidfile file;
    CHECK(file.write(place.path()).ok());
    CHECK(place.text() == own());
  }
  // Longer than what is written now.
  place.write("pid", "999999999           \n");
  Pidfile file;
  CHECK(file.write(place.path()).ok());
  CHECK(place.text() == own());
}

TEST_CASE("pidfile: one of a process that lives is left to it, unless it started after the file was written") {
  const Place place;
  const Living other;
  place.write("pid", other.text());
  CHECK(has(refused(place.path()), "belongs to process " + other.text().substr(0, other.text().size() - 1)));
  CHECK(place.text() == other.text());
  // A machine that was restarted gives the number anew.
  age(place.path(), 3600);
  Pidfile file;
  CHECK(file.write(place.path()).ok());
  CHECK(place.text() == own());
}

TEST_CASE("pidfile: a link is not followed, and nothing but a pidfile is overwritten") {
  const Place place;
  place.write("precious", "do not touch\n");
  REQUIRE(::symlink(place.path("precious").c_str(), place.path("link").c_str()) == 0);
  REQUIRE(::symlink(place.path("absent").c_str(), place.path("dangling").c_str()) == 0);
  CHECK(has(refused(place.path("link")), "symbolic link"));
  CHECK(has(refused(place.path("dangling")), "symbolic link"));
  CHECK_FALSE(std::filesystem::exists(place.path("absent")));
  CHECK(has(refused(place.path("precious")), "something else than a process id"));
  CHECK(place.text("precious") == "do not touch\n");
  for (const std::string text : {"12 34\n", "-5\n", "0x10\n", "123456789012345678901234567890\n"}) {
    CAPTURE(text);
    place.write("precious", text);
    CHECK(has(refused(place.path("precious")), "something else"));
    CHECK(place.text("precious") == text);
  }
}

TEST_CASE("pidfile: a directory, a FIFO and a device are refused at once") {
  const Place place;
  std::filesystem::create_directory(place.path("dir"));
  REQUIRE(::mkfifo(place.path("fifo").c_str(), 0600) == 0);
  (void)refused(place.path("dir"));
  CHECK(has(refused(place.path("fifo")), "no regular file"));
  CHECK(has(refused("/dev/null"), "no regular file"));
  CHECK(has(refused(place.path("no/such/directory")), "No such file"));
}

TEST_CASE("pidfile: another user's file is not written to") {
  if (::geteuid() != 0) {
    MESSAGE("skipped: only root can give a file away");
    return;
  }
  const Place place;
  place.write("pid", "");
  REQUIRE(::chown(place.path().c_str(), 1112, 1112) == 0);
  CHECK(has(refused(place.path()), "belongs to user 1112"));
}

TEST_CASE("pidfile: at the end only the file that was written is removed") {
  const Place place;
  {
    Pidfile file;
    REQUIRE(file.write(place.path()).ok());
    std::filesystem::rename(place.path(), place.path("moved"));
    place.write("pid", "1\n");
  }
  CHECK(place.text() == "1\n");
  CHECK(std::filesystem::exists(place.path("moved")));
}
