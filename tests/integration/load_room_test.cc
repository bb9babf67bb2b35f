// Full disks, limited memory, a directory replaced by an older copy of itself, and the disk space that a million writes
// take. Small disks are file systems in memory that the test mounts as root; without root it says that it skips them.
#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <thread>
#include <unistd.h>

#include <doctest/doctest.h>

#include "load_support.h"

namespace wh::testing {
namespace {

namespace fs = std::filesystem;

constexpr const char* kForm = "Content-Type: application/x-www-form-urlencoded\r\n";

// File systems of a given size, one a node, with a file that a test fills them by.
class SmallDisks {
 public:
  SmallDisks() {
    if (geteuid() != 0) return;
    mounted_ = true;
    for (const char* name : {"node_1", "node_2", "node_3"}) {
      const std::string path = dir_.path(name);
      fs::create_directory(path);
      mounted_ = mounted_ && sh(dir_, "mount -t tmpfs -o size=40m,mode=700 tmpfs " + path).status == 0;
    }
  }
  ~SmallDisks() {
    if (geteuid() == 0) sh(dir_, "umount -l node_1 node_2 node_3 2>/dev/null");
  }
  SmallDisks(const SmallDisks&) = delete;
  SmallDisks& operator=(const SmallDisks&) = delete;

  // Whether there are any; says so where not.
  [[nodiscard]] bool there() const {
    if (!mounted_) MESSAGE("skipped: a small disk needs root and the right to mount tmpfs");
    return mounted_;
  }
  [[nodiscard]] std::string of(const Server& server) const { return dir_.path(server.name); }
  // Leaves so many KiB free.
  void fill(const Server& server, uint64_t leave_kib) const {
    const Output df = sh(dir_, "df -k --output=avail " + of(server) + " | tail -1");
    const uint64_t free = std::stoull(df.out);
    if (free <= leave_kib) return;
    sh(dir_, "dd if=/dev/zero of=" + of(server) + "/filler bs=1k count=" + std::to_string(free - leave_kib) +
                 " oflag=append conv=notrunc 2>/dev/null");
  }
  void empty(const Server& server) const { fs::remove(of(server) + "/filler"); }

 private:
  TempDir dir_;
  bool mounted_ = false;
};

// Three nodes, each on a small disk.
struct SmallTrio : Trio {
  SmallTrio(const SmallDisks& disks, const std::vector<std::string>& more)
      : Trio(more, [&disks](Trio&, Server& server) { server.data_dir = disks.of(server) + "/data"; }) {}
};

// A value of some KiB, written through any node. The key, for a look whether it is there.
struct Writer {
  HttpClient http{10'000};
  size_t number = 0;
  std::vector<std::string> acknowledged;

  HttpReply write(const Server& server, size_t kib = 1) {
    const std::string key = "k" + std::to_string(++number);
    HttpReply reply =
        http.follow(server.port, "POST", "/set", kForm, "key=" + key + "&value=" + std::string(kib << 10, 'v'));
    if (reply.status == 200) acknowledged.push_back(key);
    return reply;
  }
  // Until one answers so.
  bool until(const Server& server, int status, size_t kib = 1) {
    return eventually([&] { return write(server, kib).status == status; });
  }
  void check_all_there(const Server& server) {
    for (const std::string& key : acknowledged)
      CHECK(http.request(server.port, "GET", "/get?key=" + key).status == 200);
  }
};

}  // namespace

TEST_CASE(
    "HAZARDS C7, min-free-disk: leadership goes to a disk with room; with none, 507, and reads and deletes go on") {
  const SmallDisks disks;
  if (!disks.there()) return;
  SmallTrio nodes(disks, {"--min-free-disk", "16mb"});
  Server& first = await_leader(nodes.all);
  Writer writer;
  CHECK(writer.write(first).status == 200);
  disks.fill(first, 12'000);
  REQUIRE(eventually([&] { return info_number(first, "disk_low") == 1; }));
  REQUIRE(eventually([&] { return first.cluster_field("role") == "follower"; }));
  Server& second = await_leader(nodes.all);
  CHECK(&second != &first);
  // Through every node, the full one too, whose disk still takes what it is sent.
  for (const Server* server : nodes.all) CHECK(writer.write(*server).status == 200);
  CHECK(has(first.log(), "min-free-disk"));

  // Two of three: no majority has room, so their leader refuses.
  for (const Server* server : nodes.all) disks.fill(*server, 12'000);
  REQUIRE(writer.until(second, 507));
  REQUIRE(eventually([&] {
    return std::all_of(nodes.all.begin(), nodes.all.end(),
                       [](const Server* server) { return info_number(*server, "disk_low") == 1; });
  }));
  Server& leader = await_leader(nodes.all);
  const HttpReply refused = writer.write(leader);
  CHECK(refused.status == 507);
  CHECK(refused.header("wormhole-outcome") == "not-applied");
  CHECK(has(refused.body, "room"));
  for (const Server* server : nodes.all) CHECK(writer.write(*server).status == 507);
  CHECK(leader.redis("SET x y").starts_with("OOM"));
  CHECK(leader.redis("RPUSH event y").starts_with("OOM"));
  CHECK(writer.http.request(leader.port, "GET", "/get?key=k1").status == 200);
  CHECK(writer.http.follow(leader.port, "POST", "/remove", kForm, "key=k1").status == 200);
  CHECK(writer.http.request(leader.port, "GET", "/get?key=k1").status == 404);
  writer.acknowledged.erase(writer.acknowledged.begin());
  CHECK(leader.redis("LPOP event").empty());

  for (const Server* server : nodes.all) disks.empty(*server);
  CHECK(writer.until(leader, 200));
  CHECK(eventually([&] { return info_number(first, "disk_low") == 0; }));
  writer.check_all_there(leader);
  await_same_state(nodes.all);
}

TEST_CASE("HAZARDS C7: disks without a byte left: one, then all; restarts on them; it heals by itself") {
  const SmallDisks disks;
  if (!disks.there()) return;
  // No first line of defence: writes meet the end of the disk itself.
  SmallTrio nodes(disks, {"--min-free-disk", "0", "--request-timeout", "2000"});
  Server& first = await_leader(nodes.all);
  const Servers rest = others(nodes.all, first);
  Writer writer;
  CHECK(writer.write(first).status == 200);

  // The leader's: it notices by a write that fails, and hands over.
  disks.fill(first, 0);
  REQUIRE(eventually([&] {
    writer.write(*rest[0], 200);
    return info_number(first, "disk_full") == 1 && first.cluster_field("role") != "leader";
  }));
  for (int i = 0; i < 5; ++i) REQUIRE(writer.until(*rest[0], 200));
  // Its end and restart, while not a byte is free.
  disks.fill(first, 0);
  first.kill();
  first.start();
  REQUIRE(eventually([&] { return first.get("/healthz").status == 200; }));
  REQUIRE(first.running());
  CHECK(writer.until(*rest[0], 200));
  disks.empty(first);
  REQUIRE(eventually([&] { return info_number(first, "disk_full") == 0 && first.ready(); }));
  await_same_state(nodes.all);

  // All three. What was acknowledged stays.
  for (const Server* server : nodes.all) disks.fill(*server, 0);
  REQUIRE(eventually([&] {
    for (const Server* server : nodes.all) disks.fill(*server, 0);
    return writer.write(*rest[0], 200).status == 507;
  }));
  CHECK(writer.http.request(rest[0]->port, "GET", "/get?key=k1&consistency=stale").status == 200);
  CHECK(eventually(
      [&] { return writer.http.follow(rest[0]->port, "POST", "/remove", kForm, "key=no-such-key").status == 200; }));
  for (Server* server : nodes.all) server->kill();
  for (Server* server : nodes.all) {
    disks.fill(*server, 0);
    server->start();
  }
  for (Server* server : nodes.all) REQUIRE(eventually([&] { return server->get("/healthz").status == 200; }));
  for (const Server* server : nodes.all) disks.empty(*server);
  REQUIRE(writer.until(*rest[1], 200));
  Server& leader = await_leader(nodes.all);
  writer.check_all_there(leader);
  await_same_state(nodes.all);
  for (const Server* server : nodes.all) CHECK(eventually([&] { return info_number(*server, "disk_full") == 0; }));
  figure(std::to_string(writer.acknowledged.size()) + " of " + std::to_string(writer.number) +
         " writes acknowledged around full disks, none lost");
}

TEST_CASE("maxmemory: 507 and -OOM where it would be passed, whichever node is asked; the rest goes on") {
  Trio nodes;
  Server& leader = await_leader(nodes.all);
  Server& follower = *others(nodes.all, leader)[0];
  Writer writer;
  for (const Server* server : nodes.all) CHECK(server->redis("CONFIG SET maxmemory 100kb") == "OK");
  CHECK(writer.write(leader, 60).status == 200);
  for (const Server* server : {&leader, &follower}) {
    const HttpReply refused = writer.write(*server, 60);
    CHECK(refused.status == 507);
    CHECK(refused.header("wormhole-outcome") == "not-applied");
    CHECK(has(refused.body, "maxmemory"));
    CHECK(has(refused.body, leader.name));
  }
  const HttpReply event = writer.http.follow(leader.port, "POST", "/event", kForm, "event=" + std::string(60'000, 'e'));
  CHECK(event.status == 507);
  CHECK(follower.redis("SET big " + std::string(60'000, 'b')).starts_with("OOM"));
  CHECK(follower.redis("SET small value") == "OK");
  CHECK(writer.http.request(follower.port, "GET", "/get?key=small").body == "value");
  CHECK(writer.http.follow(follower.port, "POST", "/remove", kForm, "key=k1").status == 200);
  CHECK(writer.write(follower, 60).status == 200);
  CHECK(info_number(leader, "maxmemory") == 102'400);
  CHECK(info_number(leader, "used_memory_dataset") <= 102'400);
}

TEST_CASE("HAZARDS C5: a directory put back from an older copy is noticed by its leader, and named") {
  Trio nodes({"--raft-snapshot-entries", "10"});
  Server& leader = await_leader(nodes.all);
  Server& victim = *others(nodes.all, leader)[0];
  Writer writer;
  for (int i = 0; i < 20; ++i) CHECK(writer.write(leader).status == 200);
  REQUIRE(eventually([&] { return info_number(victim, "snapshot_index") > 0; }));
  REQUIRE(eventually([&] { return info(victim, "applied_index") == info(leader, "applied_index"); }));
  REQUIRE(victim.stop() == 0);
  const std::string aside = nodes.dir.path("aside");
  fs::copy(victim.data_dir, aside, fs::copy_options::recursive);
  victim.start_ready();
  for (int i = 0; i < 20; ++i) CHECK(writer.write(leader).status == 200);
  REQUIRE(eventually([&] { return info(victim, "applied_index") == info(leader, "applied_index"); }));
  const std::string acknowledged = info(victim, "last_log_index");
  REQUIRE(victim.stop() == 0);
  fs::remove_all(victim.data_dir);
  fs::copy(aside, victim.data_dir, fs::copy_options::recursive);

  const size_t before = victim.log().size();
  victim.start();
  CHECK(victim.wait() == 1);
  const std::string refusal = victim.log().substr(before);
  CAPTURE(refusal);
  CHECK(has(refusal, victim.data_dir + "/wormhole.db: the log ends at row "));
  CHECK(has(refusal, "was acknowledged, says the leader: this directory is an older copy of itself"));
  const size_t start = refusal.find("cd '");
  const size_t end = refusal.find(" ;", start);
  REQUIRE(end != std::string::npos);
  REQUIRE(sh(nodes.dir, refusal.substr(start, end - start)).status == 0);
  victim.start_ready();
  await_voters(nodes.all, 3);
  await_same_state(nodes.all);
  CHECK(writer.write(leader).status == 200);
}

TEST_CASE("HAZARDS C17: the database and its WAL stay within their bound during a million writes to one key") {
  const TempDir dir;
  Server server(dir, "only");
  constexpr uint64_t kEntries = 20'000;
  server.more = {"--raft-snapshot-entries", std::to_string(kEntries)};
  server.start_ready();
  const size_t wanted = scaled(1'000'000, 50'000);
  // A machine that is too slow for as many does as many as it can in this time, and some snapshots at the least.
  constexpr double kLongEnoughMs = 20'000;
  constexpr size_t kAtLeast = 2 * kEntries;
  constexpr size_t kPipes = 8;
  std::atomic<bool> over{false};
  uint64_t largest_database = 0;
  uint64_t largest_wal = 0;
  std::thread watch([&] {
    const auto size = [&](const char* file) {
      std::error_code error;
      const uint64_t bytes = fs::file_size(server.data_dir + "/" + file, error);
      return error ? uint64_t{0} : bytes;
    };
    while (!over) {
      largest_database = std::max(largest_database, size("wormhole.db"));
      largest_wal = std::max(largest_wal, size("wormhole.db-wal"));
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  });
  const auto begun = LoadClock::now();
  std::atomic<size_t> sent{0};
  std::atomic<size_t> failed{0};
  std::atomic<size_t> whole{0};
  std::vector<std::thread> pipes;
  for (size_t number = 0; number < kPipes; ++number)
    pipes.emplace_back([&] {
      DebugPipe pipe(server.debug_port);
      const bool went_through = pipe.run(
          128, [&](size_t) { return sent < wanted && (sent < kAtLeast || ms_since(begun) < kLongEnoughMs); },
          [&](size_t) { return "SET one-key value-number-" + std::to_string(++sent); },
          [&](size_t, std::string_view reply, double) { failed += reply == "OK" ? 0 : 1; });
      whole += went_through ? 1 : 0;
    });
  for (std::thread& pipe : pipes) pipe.join();
  const size_t writes = sent;
  const double took = ms_since(begun);
  over = true;
  watch.join();
  CHECK(whole == kPipes);
  CHECK(failed == 0);
  CHECK(server.redis("GET one-key").starts_with("value-number-"));
  CHECK(info_number(server, "snapshots_taken") >= writes / kEntries / 4);
  // As conf/wormhole.conf states it: twice what raft-snapshot-entries names and the trail, each entry with its payload
  // (65 bytes here) and 100 of its own, and 32 MiB; a WAL of 16 MiB and one group of writes.
  const uint64_t bound = (2 * kEntries + 10'000) * (65 + 100) + (32 << 20);
  CHECK(largest_database <= bound);
  CHECK(largest_wal <= 24 << 20);
  figure(std::to_string(writes) + " writes to one key in " + in_ms(took) + ": wormhole.db at most " +
         std::to_string(largest_database >> 10) + " KiB (bound " + std::to_string(bound >> 10) + "), its WAL " +
         std::to_string(largest_wal >> 10) + " KiB (bound 24576)");
  CHECK(server.stop() == 0);
}

}  // namespace wh::testing
