#include "config/files.h"

#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include <doctest/doctest.h>

#include "config/parser.h"

using namespace wh;
using namespace wh::config;

namespace {
class TemporaryFolder {
 public:
  TemporaryFolder() {
    char name[] = "/tmp/wormhole-config-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    path_ = name;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string write(const std::string& name, const std::string& text) const {
    const std::filesystem::path path = path_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
    return path.string();
  }
  [[nodiscard]] std::string path(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};
}  // namespace

TEST_CASE("config files: read whole, up to the bound, with the system's reason when not") {
  const TemporaryFolder folder;
  const Files files = real_files();
  const std::string text("port 80\r\n\0x", 11);
  const auto read = files.read(folder.write("a.conf", text));
  REQUIRE(read.ok());
  CHECK(*read == text);
  CHECK(files.read(folder.path("none.conf")).error() == "No such file or directory");
  CHECK(files.read(folder.path("")).error() == "Is a directory");
  const auto endless = files.read("/dev/zero");
  REQUIRE(endless.ok());
  CHECK(endless->size() > kMaxFileSize);
  CHECK(endless->size() < kMaxFileSize + 65536);
}

TEST_CASE("config files: a FIFO is waited for while somebody may write to it, and no longer") {
  const TemporaryFolder folder;
  const std::string fifo = folder.path("fifo");
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  CHECK(real_files(std::chrono::milliseconds(50)).read(fifo).error() == "a FIFO to which nobody writes");
  std::thread writer([&] {
    const int file = ::open(fifo.c_str(), O_WRONLY | O_CLOEXEC);
    for (const std::string_view part : {"port 1", "000\n"}) {
      CHECK(::write(file, part.data(), part.size()) == static_cast<ssize_t>(part.size()));
      std::this_thread::sleep_for(std::chrono::milliseconds(20));  // so that there are two reads
    }
    ::close(file);
  });
  const auto read = real_files().read(fifo);
  writer.join();
  REQUIRE(read.ok());
  CHECK(*read == "port 1000\n");
}

TEST_CASE("config files: a tree of includes, relative to each file, patterns in the order of names") {
  const TemporaryFolder folder;
  folder.write("sub/common.conf", "port 1000\ninclude more.conf\n");
  folder.write("sub/more.conf", "raft-port 2000\n");
  folder.write("conf.d/2.conf", "timeout 2\n");
  folder.write("conf.d/1.conf", "timeout 1\nmaxclients 11\n");
  folder.write("conf.d/3.other", "timeout 3\n");
  const std::string main =
      folder.write("main.conf", "include sub/common.conf\ninclude conf.d/*.conf\ninclude none/*.conf\n");
  Sources sources;
  sources.config = main;
  const auto loaded = load(sources, real_files());
  REQUIRE(std::holds_alternative<Loaded>(loaded));
  const Options& options = std::get<Loaded>(loaded).options;
  CHECK(options.port == 1000);
  CHECK(options.raft_port == 2000);
  CHECK(options.timeout_s == 2);
  CHECK(options.maxclients == 11);
}

TEST_CASE("config files: a circle through a symbolic link ends at the depth limit") {
  const TemporaryFolder folder;
  folder.write("a.conf", "include link/a.conf\n");
  std::filesystem::create_directory_symlink(folder.path(""), folder.path("link"));
  Sources sources;
  sources.config = folder.path("a.conf");
  const auto loaded = load(sources, real_files());
  REQUIRE(std::holds_alternative<ConfigError>(loaded));
  CHECK(std::get<ConfigError>(loaded).expected.find("8 deep") != std::string::npos);
}

TEST_CASE("config files: the environment of this process") {
  REQUIRE(::setenv("WORMHOLE_TEST_VARIABLE", "a=b", 1) == 0);
  bool found = false;
  for (const auto& [name, value] : real_environment())
    found = found || (name == "WORMHOLE_TEST_VARIABLE" && value == "a=b");
  CHECK(found);
  ::unsetenv("WORMHOLE_TEST_VARIABLE");
}
