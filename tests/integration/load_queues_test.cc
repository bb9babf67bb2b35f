// Large queues in a real server, and what they cost: memory as it is accounted for, snapshots, a restart, deadlines
// that come all at once, a purge.
#include <algorithm>
#include <ctime>
#include <functional>
#include <string>

#include <doctest/doctest.h>

#include "../soak.h"
#include "load_support.h"

namespace wh::testing {
namespace {

constexpr uint64_t kMb = 1'000'000;

uint64_t resident_mb(const Server& server) { return info_number(server, "used_memory_rss") / kMb; }

// Stores `count` events of 200 bytes in batches; `more`: members of each after its data, for its number.
void fill(
    const Server& server, const std::string& queue, size_t count,
    const std::function<std::string(size_t)>& more = [](size_t) { return std::string(); }) {
  constexpr size_t kBatch = 1'000;
  const std::string data(200, 'e');
  HttpClient client;
  for (size_t from = 0; from < count; from += kBatch) {
    std::string body = "[";
    for (size_t i = from; i < std::min(from + kBatch, count); ++i)
      body += (i == from ? "{\"data\":\"" : ",{\"data\":\"") + data + "\"" + more(i) + "}";
    const HttpReply reply = client.request(server.port, "POST", "/queues/" + queue + "/batch",
                                           "Content-Type: application/json\r\n", body + "]");
    REQUIRE(reply.status == 201);
  }
}

void receive(const Server& server, const std::string& queue, size_t count) {
  HttpClient client;
  for (size_t got = 0; got < count; got += 100)
    REQUIRE(client.request(server.port, "POST", "/queues/" + queue + "/receive?max=100&visibility_timeout=1h").status ==
            200);
}

// RFC 3339.
std::string utc(std::time_t time) {
  tm parts{};
  gmtime_r(&time, &parts);
  char text[32];
  REQUIRE(std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) > 0);
  return text;
}

uint64_t field_of(const Server& server, const std::string& queue, const std::string& field) {
  return std::strtoull(json_field(server.get("/queues/" + queue).body, field).c_str(), nullptr, 10);
}

}  // namespace

TEST_CASE("a large state: its memory is what is accounted for, also after a restart, and comes back when it is gone") {
  const size_t events = soak() ? 1'000'000 : 60'000;
  TempDir dir;
  Server node(dir, "n1");
  node.more = {"--appendfsync", "no", "--raft-snapshot-entries", "1000000", "--raft-log-cache", "1mb"};
  node.start_ready();
  fill(node, "warm", 5'000);  // what the first requests leave behind is not the events'
  REQUIRE(curl(dir, "-X DELETE " + node.url("/queues/warm")).status == 204);
  const uint64_t empty_bytes = info_number(node, "used_memory_rss");
  const auto start = LoadClock::now();
  const size_t third = events / 3;
  fill(node, "plain", third);
  fill(node, "later", third, [](size_t) { return ",\"delay\":\"1d\",\"ttl\":\"2d\""; });
  fill(node, "groups", third, [&](size_t i) { return ",\"group\":\"g" + std::to_string(i % (third / 3)) + "\""; });
  receive(node, "plain", third / 2);
  const double filled_ms = ms_since(start);
  const uint64_t full_bytes = info_number(node, "used_memory_rss") - empty_bytes;

  CHECK(node.redis("CONFIG RESETSTAT") == "OK");
  const auto snapshot_start = LoadClock::now();
  REQUIRE(node.redis("CONFIG SET raft-snapshot-entries 1") == "OK");
  REQUIRE(node.redis("SET k v") == "OK");
  REQUIRE(eventually([&] { return info_number(node, "snapshot_index") > 0; }, 4 * kPatienceMs));
  const double snapshot_ms = ms_since(snapshot_start);
  const uint64_t longest_us = info_number(node, "loop_longest_turn_us");
  const uint64_t accounted = info_number(node, "used_memory_dataset");

  CHECK(node.stop() == 0);
  const auto restart = LoadClock::now();
  node.start_ready();
  const double restart_ms = ms_since(restart);
  const uint64_t again_bytes = info_number(node, "used_memory_rss");
  CHECK(info_number(node, "used_memory_dataset") == accounted);
  CHECK(info_number(node, "events") == third * 3);

  const auto purge = LoadClock::now();
  CHECK(node.redis("CONFIG RESETSTAT") == "OK");
  for (const char* queue : {"plain", "later", "groups"})
    REQUIRE(curl(dir, "-X DELETE " + node.url("/queues/" + std::string(queue))).status == 204);
  CHECK(info_number(node, "events") == 0);
  const double purge_ms = ms_since(purge);
  uint64_t back_mb = resident_mb(node);
  if (!kSanitized && info(node, "mem_allocator") != "libc")
    CHECK(eventually(
        [&] {
          back_mb = resident_mb(node);
          return back_mb <= empty_bytes / kMb * 3 / 2 + 10;
        },
        60'000));
  const uint64_t purge_turn_us = info_number(node, "loop_longest_turn_us");

  const auto each = [&](uint64_t bytes) { return std::to_string(bytes / (third * 3)) + " bytes an event"; };
  figure(std::to_string(third * 3) + " events of 200 bytes, ready, reserved, delayed, in groups: stored in " +
         in_ms(filled_ms) + ", memory " + each(full_bytes) + ", accounted " + each(accounted));
  figure("a snapshot took " + in_ms(snapshot_ms) + ", the longest turn meanwhile " + std::to_string(longest_us) +
         " us; a restart " + in_ms(restart_ms) + ", then " + std::to_string(again_bytes / kMb) + " MB");
  figure("all deleted in " + in_ms(purge_ms) + ", the longest turn " + std::to_string(purge_turn_us) + " us; " +
         std::to_string(back_mb) + " MB within a minute");
  if (kSanitized || info(node, "mem_allocator") == "libc") return;
  // What few events need more, such as the log's cache, counts less the more there are.
  const uint64_t other = 8 * kMb;
  CHECK(full_bytes < accounted * 12 / 10 + other);
  CHECK(full_bytes + other > accounted * 8 / 10);
}

TEST_CASE("HAZARDS Q24: events that fall due all at once stall nobody, and cause no election") {
  const size_t events = soak() ? 1'000'000 : 30'000;
  Trio nodes({"--appendfsync", "no"});
  Server& leader = await_leader(nodes.all);
  const int due_s = soak() ? 240 : 15;
  const std::string at = utc(std::time(nullptr) + due_s);
  const auto start = LoadClock::now();
  fill(leader, "q", events, [&](size_t) { return ",\"deliver_at\":\"" + at + "\""; });
  REQUIRE(ms_since(start) < due_s * 1'000);
  const std::string term = leader.cluster_field("term");
  for (Server* server : nodes.all) CHECK(server->redis("CONFIG RESETSTAT") == "OK");
  HttpClient client;
  double slowest_ms = 0;
  uint64_t ready = 0;
  REQUIRE(eventually(
      [&] {
        const auto sent = LoadClock::now();
        REQUIRE(client.request(leader.port, "POST", "/queues/other/events", "", "e").status == 201);
        slowest_ms = std::max(slowest_ms, ms_since(sent));
        ready = field_of(leader, "q", "ready");
        return ready == events;
      },
      due_s * 1'000 + 4 * kPatienceMs));
  figure(std::to_string(events) + " events due at one time: the slowest enqueue meanwhile " + in_ms(slowest_ms) +
         ", the longest turn " + std::to_string(info_number(leader, "loop_longest_turn_us")) + " us");
  CHECK(await_leader(nodes.all).cluster_field("term") == term);
  await_same_state(nodes.all);
}

TEST_CASE("HAZARDS Q33: a purge is done in one step, and frees what it removed while others go on") {
  const size_t events = soak() ? 1'000'000 : 60'000;
  TempDir dir;
  Server node(dir, "n1");
  node.more = {"--appendfsync", "no"};
  node.start_ready();
  fill(node, "q", events);
  receive(node, "q", 1'000);
  CHECK(node.redis("CONFIG RESETSTAT") == "OK");
  const auto start = LoadClock::now();
  const Answer purged = node.post("/queues/q/purge");
  const double took_ms = ms_since(start);
  CHECK(json_field(purged.body, "removed") == std::to_string(events));
  HttpClient client;
  double slowest_ms = 0;
  for (int i = 0; i < 200; ++i) {
    const auto sent = LoadClock::now();
    REQUIRE(client.request(node.port, "POST", "/queues/q/events", "", "e").status == 201);
    slowest_ms = std::max(slowest_ms, ms_since(sent));
  }
  CHECK(field_of(node, "q", "ready") == 200);
  figure("a purge of " + std::to_string(events) + " events was answered in " + in_ms(took_ms) +
         ", the slowest of 200 enqueues after it took " + in_ms(slowest_ms) + ", the longest turn " +
         std::to_string(info_number(node, "loop_longest_turn_us")) + " us");
}

TEST_CASE("HAZARDS Q21: a large group that is held costs the others nothing") {
  const size_t events = soak() ? 1'000'000 : 60'000;
  TempDir dir;
  Server node(dir, "n1");
  node.more = {"--appendfsync", "no"};
  node.start_ready();
  fill(node, "q", events, [](size_t) { return std::string(",\"group\":\"a\""); });
  HttpClient client;
  REQUIRE(client.request(node.port, "POST", "/queues/q/receive").status == 200);
  const auto round = [&](const std::string& queue) {
    const auto start = LoadClock::now();
    for (int i = 0; i < 200; ++i) {
      REQUIRE(client.request(node.port, "POST", "/queues/" + queue + "/events?group=b", "", "e").status == 201);
      const HttpReply got = client.request(node.port, "POST", "/queues/" + queue + "/receive");
      REQUIRE(got.status == 200);
      REQUIRE(client
                  .request(node.port, "DELETE",
                           "/queues/" + queue + "/events/" + got.header("wormhole-event-id") +
                               "?receipt=" + got.header("wormhole-receipt"))
                  .status == 204);
    }
    return ms_since(start) / 200;
  };
  round("empty");
  const double beside = round("q");
  const double alone = round("empty");
  figure("enqueue, receive and acknowledge beside a held group of " + std::to_string(events) + ": " + in_ms(beside) +
         ", in an empty queue " + in_ms(alone));
  CHECK(beside < 5 * alone + 5);
}

}  // namespace wh::testing
