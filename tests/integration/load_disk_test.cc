// Disks that are in use by another process, damaged or new: the node notices, and the other two nodes go on.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>

#include "load_support.h"

namespace wh::testing {
namespace {

namespace fs = std::filesystem;

// Changes one bit at each of the places. A file's size stays what it was.
void flip(const std::string& path, const std::vector<size_t>& places) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  for (const size_t place : places) {
    file.seekg(static_cast<std::streamoff>(place));
    const auto byte = static_cast<char>(file.get() ^ 0x10);
    file.seekp(static_cast<std::streamoff>(place));
    file.put(byte);
  }
  REQUIRE(file.good());
}

std::vector<size_t> places_of(const std::string& in, const std::string& text) {
  std::vector<size_t> places;
  for (size_t at = in.find(text); at != std::string::npos; at = in.find(text, at + 1)) places.push_back(at);
  return places;
}

// What a start wrote that must end with status 1.
std::string refusal_of(Server& server) {
  const size_t before = server.log().size();
  server.start();
  CHECK(server.wait() == 1);
  return server.log().substr(before);
}

std::string snapshot_of(const std::string& directory) {
  for (const fs::directory_entry& entry : fs::directory_iterator(directory))
    if (entry.path().filename().string().starts_with("snapshot-")) return entry.path().filename().string();
  return "";
}

// The commands that a refusal names, run as they stand.
void run_commands(const TempDir& dir, const std::string& refusal) {
  const size_t start = refusal.find("cd '");
  const size_t end = refusal.find(" ;", start);
  REQUIRE(end != std::string::npos);
  const Output output = sh(dir, refusal.substr(start, end - start));
  CHECK(output.status == 0);
  CHECK(output.err.empty());
}

}  // namespace

TEST_CASE("HAZARDS C11: a second process on a data directory ends and names the first") {
  const TempDir dir;
  Server one(dir, "one");
  one.start_ready();
  Server two(dir, "one-again");
  two.data_dir = one.data_dir;
  CHECK(has(refusal_of(two), one.data_dir + " is in use by process " + std::to_string(one.pid())));
  CHECK(one.get("/set?key=k&value=v").status == 200);
  // A lock that a killed process held is free.
  one.kill();
  one.start_ready();
  CHECK(one.get("/get?key=k").body == "v");
}

TEST_CASE("HAZARDS C2: a damaged database, snapshot or witness stops its node, and the other two go on") {
  Trio nodes({"--raft-snapshot-entries", "60"});
  Server& leader = await_leader(nodes.all);
  Server& victim = *others(nodes.all, leader)[0];
  Server& other = *others(nodes.all, leader)[1];
  HttpClient http;
  const auto write = [&](int i) {
    const std::string target = "/set?key=k" + std::to_string(i) + "&value=is-number-" + std::to_string(i);
    CHECK(http.request(leader.port, "POST", target).status == 200);
  };
  int written = 0;
  while (written < 150) write(++written);
  REQUIRE(eventually([&] { return info_number(victim, "snapshot_index") >= 60; }));
  const std::string last = "is-number-" + std::to_string(written);
  const std::string cluster_id = leader.cluster_field("cluster_id");

  // What each damage does to the directory, and what the refusal must name.
  struct Damage {
    std::string file;
    std::vector<size_t> places;
    std::vector<std::string> named;
  };
  std::string refusal;
  for (const std::string kind : {"database", "snapshot", "witness"}) {
    CAPTURE(kind);
    REQUIRE(eventually([&] { return info(victim, "applied_index") == info(leader, "applied_index"); }));
    REQUIRE(victim.stop() == 0);
    const std::string aside = nodes.dir.path("aside");
    fs::copy(victim.data_dir, aside);
    Damage damage;
    if (kind == "database") {
      damage.file = "wormhole.db";
      damage.places = places_of(read_file(victim.data_dir + "/wormhole.db"), "is-number-" + std::to_string(written));
      damage.named = {damage.file + ": row ", " of pages: its checksum does not match"};
    } else if (kind == "snapshot") {
      damage.file = snapshot_of(victim.data_dir);
      damage.places = {static_cast<size_t>(fs::file_size(victim.data_dir + "/" + damage.file)) / 2};
      damage.named = {damage.file + ": "};
    } else {
      // Two records that take turns, so that a torn write leaves the other: here both.
      damage.file = "witness";
      damage.places = {40, 512 + 40};
      damage.named = {"witness: neither of its records is valid"};
    }
    REQUIRE_FALSE(damage.places.empty());
    flip(victim.data_dir + "/" + damage.file, damage.places);
    refusal = refusal_of(victim);
    CAPTURE(refusal);
    CHECK(has(refusal, victim.data_dir + "/" + damage.file));
    for (const std::string& name : damage.named) CHECK(has(refusal, name));
    figure(kind + ": " + refusal.substr(refusal.find(victim.data_dir)).substr(victim.data_dir.size() + 1, 90));
    // Nothing of it was touched: a second try says the same.
    CHECK(has(refusal_of(victim), damage.named[0]));
    write(++written);
    CHECK(other.get("/get?key=k" + std::to_string(written)).status == 200);
    if (kind == "witness") break;
    fs::remove_all(victim.data_dir);
    fs::rename(aside, victim.data_dir);
    victim.start_ready();
    write(++written);
  }

  // What the refusal advises: its files aside, and it is taken back with an empty disk.
  run_commands(nodes.dir, refusal);
  CHECK(read_file(victim.data_dir + "/damaged/witness").size() == 4096);
  victim.start_ready();
  await_voters(nodes.all, 3);
  CHECK(victim.cluster_field("cluster_id") == cluster_id);
  await_same_state(nodes.all);
  CHECK(victim.get("/get?key=k" + std::to_string(written) + "&consistency=stale").body ==
        "is-number-" + std::to_string(written));
}

TEST_CASE("HAZARDS C3: a founder whose disk is new founds nothing and is taken back; two of one name are not") {
  Trio nodes({"--raft-snapshot-entries", "50"});
  // All share one list, so the first by name founded.
  Server& founder = **std::min_element(nodes.all.begin(), nodes.all.end(),
                                       [](const Server* x, const Server* y) { return x->name < y->name; });
  const std::string cluster_id = founder.cluster_field("cluster_id");
  HttpClient http;
  for (int i = 0; i < 120; ++i)
    CHECK(
        http.request(founder.port, "POST", "/set?key=k" + std::to_string(i) + "&value=v" + std::to_string(i)).status ==
        200);

  const size_t rounds = scaled(3);
  std::string times;
  for (size_t round = 0; round < rounds; ++round) {
    CAPTURE(round);
    founder.kill();
    fs::remove_all(founder.data_dir);
    fs::create_directory(founder.data_dir);
    if (round == 1) await_leader(others(nodes.all, founder));
    const auto start = LoadClock::now();
    founder.start_ready();
    await_voters(nodes.all, 3);
    times += (times.empty() ? "" : ", ") + in_ms(ms_since(start));
    Server& leader = await_leader(nodes.all);
    for (const Server* server : nodes.all) CHECK(server->cluster_field("cluster_id") == cluster_id);
    CHECK(count_of(leader.cluster(), "\"suffrage\":") == 3);
    CHECK(count_of(leader.cluster(), "\"id\":\"" + founder.name + "\",\"raft_address\"") == 1);
    await_same_state(nodes.all);
    CHECK(founder.get("/get?key=k119&consistency=stale").body == "v119");
  }

  // A second machine of that name, with the same config and an empty disk, while the first lives.
  Server& leader = await_leader(nodes.all);
  Server& first = *others(nodes.all, leader)[0];
  Server second(nodes.dir, first.name + "-double");
  second.name = first.name;
  second.more = first.more;
  second.start();
  REQUIRE(eventually([&] { return second.get("/healthz").status == 200; }));
  const std::string body = R"({"id":")" + first.name + R"(","raft_address":")" + second.raft_address() + R"("})";
  const HttpReply answer =
      http.request(leader.port, "POST", "/cluster/members", "Content-Type: application/json\r\n", body);
  CHECK(answer.status == 409);
  CHECK(has(answer.body, first.name));
  CHECK(eventually([&] { return has(second.log(), "409") || has(second.log(), "another"); }, 10'000));
  CHECK_FALSE(second.ready());
  CHECK(first.ready());
  CHECK(count_of(leader.cluster(), "\"suffrage\":\"voter\"") == 3);
  CHECK(has(leader.cluster(), first.raft_address()));
  CHECK_FALSE(has(leader.cluster(), second.raft_address()));
  figure("a founder with an empty disk is a voter again after " + times + "; its double: 409 " + answer.body);
}

}  // namespace wh::testing
