// Which directory a node accepts as its own, and what it says about one that it refuses.
#include "storage/directory.h"

#include <fcntl.h>
#include <filesystem>
#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "support.h"

using namespace wh;
using namespace wh::storage;
using namespace wh::storage::test;

namespace {

constexpr uid_t kService = 61112;  // nobody's, on any machine of ours
constexpr gid_t kGroup = 61113;

// What Directory::open says to a process of this user and these groups; empty: it opens.
std::string opened_by(const std::string& path, uid_t user, const std::vector<gid_t>& groups) {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (::setgroups(groups.size(), groups.data()) != 0 || ::setgid(user) != 0 || ::setuid(user) != 0) ::_exit(2);
    const Result<Directory> directory = Directory::open(path);
    const std::string said = directory ? "" : directory.error();
    ::_exit(::write(ends[1], said.data(), said.size()) == static_cast<ssize_t>(said.size()) ? 0 : 2);
  }
  ::close(ends[1]);
  std::string said;
  char buffer[512];
  for (ssize_t n = 0; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;) said.append(buffer, static_cast<size_t>(n));
  ::close(ends[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(status == 0);
  return said;
}

bool is_root() {
  if (::geteuid() == 0) return true;
  MESSAGE("skipped: needs root, to give directories away");
  return false;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// A directory of root's in which `name` is the group's, with this mode.
std::string volume(const TempDirectory& dir, const std::string& name, mode_t mode) {
  REQUIRE(::chmod(dir.path().c_str(), 0755) == 0);
  const std::string path = dir.file(name);
  REQUIRE(::mkdir(path.c_str(), 0700) == 0);
  REQUIRE(::chown(path.c_str(), 0, kGroup) == 0);
  REQUIRE(::chmod(path.c_str(), mode) == 0);
  return path;
}

}  // namespace

TEST_CASE("directory: it is made, its parents are not") {
  const TempDirectory dir;
  CHECK(Directory::open(dir.file("made")).ok());
  const Result<Directory> refused = Directory::open(dir.file("no/such/mount"));
  REQUIRE_FALSE(refused.ok());
  CHECK(has(refused.error(), "cannot make directory " + dir.file("no/such/mount")));
  CHECK(has(refused.error(), "is its file system mounted?"));
  CHECK_FALSE(file_exists(dir.file("no")));
}

TEST_CASE("directory: a volume of root's that a group of ours may write to is taken") {
  if (!is_root()) return;
  const TempDirectory dir;
  const std::string path = volume(dir, "volume", 02770);
  CHECK(opened_by(path, kService, {kGroup}).empty());
  // It belongs to that user now, though the directory is root's.
  CHECK(has(opened_by(path, 0, {}), "wormhole.lock belongs to user " + std::to_string(kService)));
  CHECK(has(opened_by(path, kService + 1, {kGroup}), "wormhole.lock belongs to user " + std::to_string(kService)));
}

TEST_CASE("directory: of another user's, the message says what will do") {
  if (!is_root()) return;
  const TempDirectory dir;
  // Writable for everybody: not taken, but what is made in it would be this user's alone.
  const std::string open_to_all = volume(dir, "open", 01777);
  const std::string said = opened_by(open_to_all, kService, {});
  CHECK(has(said, open_to_all + " belongs to user 0, but this process runs as user " + std::to_string(kService)));
  CHECK(has(said, "name a subdirectory of it"));
  CHECK(has(said, open_to_all + "/data"));
  CHECK(opened_by(open_to_all + "/data", kService, {}).empty());
  // Not writable: no subdirectory will do.
  const std::string closed = volume(dir, "closed", 0755);
  CHECK(has(opened_by(closed, kService, {kGroup}), "chown -R " + std::to_string(kService) + " " + closed));
  CHECK(std::filesystem::is_empty(closed));
}

TEST_CASE("directory: root leaves a service's directory alone, and is told as whom to run") {
  if (!is_root()) return;
  const TempDirectory dir;
  const std::string path = volume(dir, "data", 0700);
  REQUIRE(::chown(path.c_str(), kService, kService) == 0);
  const std::string said = opened_by(path, 0, {});
  CHECK(has(said, path + " belongs to user " + std::to_string(kService) + ", but this process runs as user 0"));
  CHECK(has(said, "sudo -u '#" + std::to_string(kService) + "' ..."));
  CHECK(std::filesystem::is_empty(path));
  // A copy that root made in it is root's, and is named.
  spill(path + "/wormhole.db", "");
  CHECK(has(opened_by(path, kService, {}), path + "/wormhole.db belongs to user 0"));
}
