// Watches of keys in real servers that are idle, slow, or not read at all: what they get, and what they cost.
#include <algorithm>
#include <csignal>
#include <memory>
#include <netinet/in.h>
#include <string>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include <doctest/doctest.h>

#include "../soak.h"
#include "listener.h"
#include "load_support.h"

namespace wh::testing {
namespace {

std::vector<uint64_t> versions_in(const std::string& frames) {
  constexpr std::string_view kVersion = "\"version\":";
  std::vector<uint64_t> found;
  for (size_t at = frames.find(kVersion); at != std::string::npos; at = frames.find(kVersion, at + 1))
    found.push_back(std::strtoull(frames.c_str() + at + kVersion.size(), nullptr, 10));
  return found;
}

// Opens a watch, and never closes it.
void hold_watch(uint16_t port, const std::string& target) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const std::string request = "GET " + target + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
  if (fd >= 0 && ::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0)
    (void)::send(fd, request.data(), request.size(), MSG_NOSIGNAL);
}

}  // namespace

TEST_CASE("HAZARDS W9: watches whose readers do not read cost the node next to nothing, however much is written") {
  const size_t readers = soak() ? 1'000 : 100;
  const size_t megabytes = soak() ? 2'000 : 40;
  TempDir dir;
  Server node(dir, "n1");
  node.more = {"--appendfsync",    "no",  "--watch-history",         "4mb",
               "--raft-log-cache", "1mb", "--raft-snapshot-entries", "200"};
  node.start_ready();
  HttpClient client;
  const std::string value(100'000, 'v');
  // What the history and the log's cache take is there before.
  for (int i = 0; i < 100; ++i) REQUIRE(client.request(node.port, "PUT", "/kv/k", {}, value).status < 300);
  std::vector<std::unique_ptr<Listener>> watches;
  for (size_t i = 0; i < readers; ++i)
    watches.push_back(std::make_unique<Listener>(node, "", 4'096, "/kv?prefix=k&watch"));
  REQUIRE(eventually([&] { return info_number(node, "streams") == readers; }));
  const uint64_t before = info_number(node, "used_memory_rss");
  uint64_t most = 0;
  for (size_t i = 0; i < megabytes * 10; ++i) {
    REQUIRE(client.request(node.port, "PUT", "/kv/k", {}, value).status < 300);
    if (i % 100 == 99) most = std::max(most, info_number(node, "used_memory_rss"));
  }
  figure(std::to_string(readers) + " watches that nobody reads, " + std::to_string(megabytes) + " MB of changes: " +
         std::to_string((std::max(most, before) - before) / 1'000'000) + " MB more memory at the most");
  // Each holds about what was queued for it when it stopped to read; the rest is one history. ThreadSanitizer keeps
  // four bytes about each.
  const uint64_t shadow = kSanitized ? 5 : 1;
  CHECK(std::max(most, before) - before < shadow * (30'000'000 + readers * 300'000));
}

namespace {

// Writes one key so often, and checks what a reader of its watch gets that reads nothing until all is written, or
// slowly.
void check_slow_reader(const std::string& history, bool is_cut) {
  constexpr uint64_t kWrites = 1'500;
  TempDir dir;
  Server node(dir, "n1");
  node.more = {"--appendfsync", "no", "--watch-history", history};
  node.start_ready();
  Listener slow(node, "", 4'096, "/kv/k?watch");
  REQUIRE(eventually([&] { return slow.sees("id: "); }));
  HttpClient client;
  const std::string value(2'000, 'v');
  for (uint64_t i = 0; i < kWrites; ++i) {
    REQUIRE(client.request(node.port, "PUT", "/kv/k", {}, value).status < 300);
    if (!is_cut && i % 50 == 0) slow.take();
  }
  const auto last = "\"version\":" + std::to_string(kWrites) + ",";
  REQUIRE(eventually([&] {
    slow.take(5);
    return slow.has_ended() || has(slow.text(), last);
  }));
  CHECK(slow.has_ended() == is_cut);
  const std::vector<uint64_t> versions = versions_in(whole_frames(slow.text()));
  REQUIRE(!versions.empty());
  for (size_t i = 0; i < versions.size(); ++i) REQUIRE(versions[i] == i + 1);
  CHECK((versions.size() == kWrites) != is_cut);
  if (!is_cut) return;
  // It knows where it was, and that this is too long ago.
  const HttpReply again =
      client.request(node.port, "GET", "/kv/k?watch", "Last-Event-ID: " + last_id(whole_frames(slow.text())) + "\r\n");
  CHECK(again.status == 410);
}

}  // namespace

TEST_CASE("HAZARDS W1: a slow reader of a watch gets every change in order, or is cut and told that the rest is gone") {
  SUBCASE("all is kept") { check_slow_reader("64mb", false); }
  SUBCASE("it is not") { check_slow_reader("300kb", true); }
}

TEST_CASE("idle watches: what each costs in memory") {
  const size_t nodes = soak() ? 6 : 1;
  const size_t each = soak() ? 16'700 : 2'000;
  rlimit limit{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = limit.rlim_max;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  if (limit.rlim_cur < each + 500) {
    MESSAGE("skipped: " << each << " connections need a higher limit of descriptors than " << limit.rlim_cur);
    return;
  }
  TempDir dir;
  double most = 0;
  for (const bool one_prefix : {true, false})
    for (size_t n = 0; n < nodes; ++n) {
      Server node(dir, "n" + std::to_string(n) + (one_prefix ? "a" : "b"));
      node.more = {"--maxclients", std::to_string(each + 50), "--max-waiting", std::to_string(each + 50)};
      node.start_ready();
      const uint64_t before = info_number(node, "used_memory");
      // A process of its own holds them, so that no other process needs as many descriptors.
      const pid_t holder = fork();
      REQUIRE(holder >= 0);
      if (holder == 0) {
        for (size_t i = 0; i < each; ++i) {
          const std::string prefix = one_prefix ? "services/" : "services/" + std::to_string(i) + "/";
          hold_watch(node.port, "/kv?prefix=" + prefix + "&watch");
        }
        ::pause();
        _exit(0);
      }
      const bool all = eventually([&] { return info_number(node, "streams") == each; }, 3 * kPatienceMs);
      const double bytes = static_cast<double>(info_number(node, "used_memory") - before) / static_cast<double>(each);
      most = std::max(most, bytes);
      figure(std::to_string(each) + " idle watches of " + (one_prefix ? "one prefix: " : "a prefix each: ") +
             std::to_string(static_cast<int>(bytes)) + " bytes each");
      ::kill(holder, SIGKILL);
      ::waitpid(holder, nullptr, 0);
      CHECK(all);
    }
  // What docs/store.md states.
  if (!kSanitized) CHECK(most < 8'000);
}

}  // namespace wh::testing
