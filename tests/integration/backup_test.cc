// Backup, restore and recovery: GET /backup from any node under load, --verify, --restore, --recover.
#include <csignal>
#include <filesystem>

#include <doctest/doctest.h>

#include "harness.h"

namespace wh::testing {
namespace {

const std::string kServer = WORMHOLE_SERVER;

// What the sqlite3 tool prints.
std::string query(const TempDir& dir, const std::string& file, const std::string& sql) {
  const Output output = sh(dir, "sqlite3 " + file + " \"" + sql + "\"");
  CHECK_MESSAGE(output.status == 0, output.err);
  return output.out.substr(0, output.out.find_last_not_of('\n') + 1);
}

// Takes a backup into `file` and has it verified.
Answer back_up(const TempDir& dir, const Server& server, const std::string& file, const std::string& query = "") {
  Answer answer = curl(dir, "-o " + file + " " + server.url("/backup" + query));
  CHECK(answer.status == 200);
  const Output verified = sh(dir, kServer + " --verify " + file);
  CHECK_MESSAGE(verified.status == 0, verified.err);
  return answer;
}

// So much of values, in keys load-N.
void fill(const TempDir& dir, const Server& server, int megabytes) {
  const std::string value(9'000, 'v');
  for (int i = 0; i < megabytes; ++i) {
    std::string body = "{";
    for (int k = 0; k < 100; ++k)
      body += (k == 0 ? "\"load-" : ",\"load-") + std::to_string(i * 100 + k) + "\":\"" + value + "\"";
    dir.write("body.json", body + "}");
    CHECK(curl(dir, "--data-binary @body.json " + server.url("/key")).status == 200);
  }
}

// A shell command that runs beside the test.
class Background {
 public:
  Background(const TempDir& dir, const std::string& name, const std::string& command) : shell_(dir, name) {
    shell_.program = "/bin/sh";
    shell_.arguments = {{"-c", command}};
    shell_.start();
  }
  Server& operator*() { return shell_; }
  Server* operator->() { return &shell_; }

 private:
  Server shell_;
};

}  // namespace

TEST_CASE("HAZARDS F6, K2: backups from all three nodes at once while writes go on: each is one point in time") {
  ThreeNodes nodes;
  await_voters(nodes.all, 3);
  fill(nodes.dir, await_leader(nodes.all), 4);
  // One after the other, over one connection: whatever index a backup holds, it is a prefix.
  Background writer(nodes.dir, "writer",
                    "exec curl -s -o /dev/null '" + nodes.a.url("/set?key=n-[1-1500]&value=x") + "'");
  REQUIRE(eventually([&] { return nodes.a.get("/get?key=n-20").status == 200; }));
  const Output all = sh(nodes.dir, "curl -sf -o a.db " + nodes.a.url("/backup") + " & A=$!; curl -sf -o b.db " +
                                       nodes.b.url("/backup") + " & B=$!; curl -sf -o c.db " + nodes.c.url("/backup") +
                                       " & wait $A && wait $B && wait $!");
  CHECK(all.status == 0);
  const bool still_writing = writer->running();
  CHECK(writer->wait() == 0);
  for (const std::string file : {"a.db", "b.db", "c.db"}) {
    const Output verified = sh(nodes.dir, kServer + " --verify " + file);
    CHECK_MESSAGE(verified.status == 0, verified.err);
    const std::string seen =
        query(nodes.dir, file, "select count(*)||' '||max(cast(substr(key,3) as int)) from keys where key glob 'n-*'");
    const size_t space = seen.find(' ');
    CHECK(seen.substr(0, space) == seen.substr(space + 1));
    CHECK(std::stoi(seen) >= 20);
    MESSAGE(file, ": the first ", seen.substr(0, space), " of 1500 writes",
            std::string(still_writing ? "" : " (all were done)"));
  }
  for (Server* server : nodes.all)
    MESSAGE(server->name, ": ",
            sh(nodes.dir, "redis-cli -p " + std::to_string(server->debug_port) +
                              " INFO | tr -d '\\r' | grep -i longest | tr '\\n' ' '")
                .out);
  // At rest all three say the same, and what INFO says.
  std::string digest;
  for (Server* server : nodes.all) {
    back_up(nodes.dir, *server, "rest.db");
    const std::string now = query(nodes.dir, "rest.db", "select value from meta where name='state_digest'");
    CHECK(has(server->redis("INFO"), "state_digest:" + now));
    if (!digest.empty()) CHECK(now == digest);
    digest = now;
    for (const auto& file : std::filesystem::directory_iterator(server->data_dir))
      CHECK_FALSE(has(file.path().filename().string(), "backup"));
  }
}

TEST_CASE("GET /backup: headers, HEAD, consistency, who may") {
  const TempDir dir;
  Server server(dir, "n");
  server.more = {"--requirepass", "secret"};
  server.start();
  const std::string auth = "-H 'Authorization: Bearer secret' ";
  REQUIRE(eventually([&] { return curl(dir, server.url("/readyz")).status == 200; }));
  CHECK(curl(dir, server.url("/backup")).status == 401);
  CHECK(curl(dir, auth + "-d event=one " + server.url("/event")).status == 201);
  for (const char* consistency : {"", "?consistency=linearizable", "?consistency=stale"}) {
    const Answer got = curl(dir, auth + "-o b.db " + server.url("/backup") + consistency);
    CHECK(got.status == 200);
    CHECK(got.header("content-type") == "application/vnd.sqlite3");
    CHECK(has(got.header("content-disposition"), "filename=\"wormhole-n-"));
    CHECK(got.header("content-length") == std::to_string(std::filesystem::file_size(dir.path("b.db"))));
    CHECK(query(dir, "b.db", "select value from meta where name='index'") == got.header("wormhole-index"));
    CHECK(query(dir, "b.db", "select queue, event from events") == "event|one");
  }
  const Answer head = curl(dir, auth + "-I " + server.url("/backup"));
  CHECK(head.status == 200);
  CHECK(head.header("content-type") == "application/vnd.sqlite3");
  CHECK(head.header("content-length").empty());
  CHECK_FALSE(head.header("wormhole-index").empty());
  CHECK(curl(dir, auth + "-X POST " + server.url("/backup")).status == 405);
  CHECK(curl(dir, auth + server.url("/backup?consistency=perhaps")).status == 400);
}

TEST_CASE("one backup at a time: a slow reader keeps others waiting, not the node; one that goes away does not") {
  const TempDir dir;
  Server server(dir, "n");
  server.start_ready();
  // More than the kernel keeps for a reader that does not read: up to 32 MiB there, 4 MiB here.
  fill(dir, server, 48);
  Background reader(dir, "reader", "exec curl -s --limit-rate 100k -o slow.db " + server.url("/backup"));
  REQUIRE(eventually([&] { return std::filesystem::exists(dir.path("slow.db")); }));
  const Answer second = server.get("/backup");
  CHECK(second.status == 429);
  CHECK(second.header("retry-after") == "1");
  CHECK(has(second.body, "one at a time"));
  CHECK(curl(dir, "-X POST '" + server.url("/set?key=still&value=works") + "'").status == 200);
  CHECK(reader->signal(SIGKILL));
  reader->wait();
  CHECK(eventually([&] { return curl(dir, "-o again.db " + server.url("/backup")).status == 200; }));
  CHECK(sh(dir, kServer + " --verify again.db").status == 0);
  CHECK_FALSE(sh(dir, kServer + " --verify slow.db").status == 0);
  // Neither does it hold up the end of the server.
  Background last(dir, "last", "exec curl -s --limit-rate 100k -o last.db " + server.url("/backup"));
  REQUIRE(eventually([&] { return std::filesystem::exists(dir.path("last.db")); }));
  CHECK(server.stop() == 0);
}

TEST_CASE("--restore: a new cluster with all keys, the queue in its order, ids that go on; nothing else is touched") {
  const TempDir dir;
  std::string last_id;
  Answer taken;
  {
    Server old(dir, "old");
    old.start_ready();
    CHECK(curl(dir, "-d '{\"a\":\"1\",\"caf\xc3\xa9\":\"\"}' " + old.url("/key")).status == 200);
    CHECK(curl(dir, "'" + old.url("/set?key=bin%00%FF&value=%00%01") + "' -X POST").status == 200);
    for (const char* event : {"first", "second", "third"})
      last_id = curl(dir, std::string("-d event=") + event + " " + old.url("/event")).header("wormhole-event-id");
    CHECK(curl(dir, "-X DELETE " + old.url("/event")).status == 204);
    taken = back_up(dir, old, "b.db");
    CHECK(old.stop() == 0);
  }
  Server server(dir, "restored");
  const std::string restore = kServer + " --dir restored-data --node-id restored --raft-port " +
                              std::to_string(server.raft_port) + " --restore ";
  server.data_dir = dir.path("restored-data");

  // Refused, and nothing is touched.
  CHECK(has(sh(dir, restore + "absent.db").err, "absent.db"));
  CHECK(sh(dir, "head -c 9000 b.db > cut.db; " + restore + "cut.db").status == 1);
  CHECK_FALSE(std::filesystem::exists(server.data_dir));
  std::filesystem::create_directory(server.data_dir);
  dir.write("restored-data/mine.txt", "mine");
  const Output refused = sh(dir, restore + "b.db");
  CHECK(refused.status == 1);
  CHECK(has(refused.err, "it holds mine.txt"));
  std::filesystem::remove(dir.path("restored-data/mine.txt"));
  CHECK(std::filesystem::is_empty(server.data_dir));

  const Output restored = sh(dir, restore + "b.db");
  CHECK_MESSAGE(restored.status == 0, restored.err);
  CHECK(has(restored.out, "3 keys, 2 events in 1 queue"));
  CHECK(sh(dir, restore + "b.db").status == 1);  // not empty any more

  server.start_ready();
  CHECK(server.get("/get?key=a").body == "1");
  CHECK(server.get("/key/caf%C3%A9").status == 200);
  CHECK(sh(dir, "curl -s '" + server.url("/get?key=bin%00%FF") + "' | od -An -tx1").out == " 00 01\n");
  // Not state_digest, which cluster time is a part of: a start more than a second after the backup brings it forward.
  back_up(dir, server, "again.db");
  const std::string rows = "select value from meta where name='rows_crc32c'";
  CHECK(query(dir, "again.db", rows) == query(dir, "b.db", rows));
  const std::string settings = "select group_concat(name || value) from meta where name like 'setting_%'";
  CHECK(query(dir, "again.db", settings) == query(dir, "b.db", settings));
  CHECK(server.get("/event").body == "second");
  CHECK(std::stoul(server.get("/event").header("wormhole-index")) > std::stoul(taken.header("wormhole-index")));
  const Answer more = curl(dir, "-d event=fourth " + server.url("/event"));
  CHECK(std::stoul(more.header("wormhole-event-id")) > std::stoul(last_id));
  std::string order;
  for (int i = 0; i < 3; ++i) {
    order += server.get("/event").body + " ";
    curl(dir, "-X DELETE " + server.url("/event"));
  }
  CHECK(order == "second third fourth ");

  // It grows like any other cluster, and starts again like any other node.
  Server joiner(dir, "joiner");
  joiner.more = {"--join", server.raft_address()};
  joiner.start_ready();
  await_voters({&server, &joiner}, 2);
  CHECK(joiner.get("/get?key=a").body == "1");
  CHECK(server.stop() == 0);
  server.start_ready();
  CHECK(server.get("/get?key=a").body == "1");
}

TEST_CASE("--recover: one of three is left, and becomes a cluster of its own; the others come back empty only") {
  ThreeNodes nodes;
  await_voters(nodes.all, 3);
  for (const char* event : {"one", "two"})
    curl(nodes.dir, std::string("-L -d event=") + event + " " + nodes.a.url("/event"));
  CHECK(curl(nodes.dir, "-X POST '" + nodes.a.url("/set?key=k&value=v") + "'").status == 200);
  // Linearizable reads: all three hold it.
  for (Server* server : nodes.all) CHECK(server->get("/get?key=k").body == "v");
  nodes.b.kill();
  nodes.c.kill();
  const std::string recover = kServer + " --dir " + nodes.a.data_dir + " --node-id node_1 --recover";
  const Output running = sh(nodes.dir, recover + " --yes");
  CHECK(running.status == 1);
  CHECK(has(running.err, "is in use by process " + std::to_string(nodes.a.pid())));
  nodes.a.kill();

  const auto content = [&] {
    return sh(nodes.dir,
              "cd " + nodes.a.data_dir + " && md5sum $(ls | grep -v lock) && stat -c %y $(ls | grep -v lock)")
        .out;
  };
  const std::string before = content();
  const Output dry = sh(nodes.dir, recover + " --dry-run");
  CHECK_MESSAGE(dry.status == 0, dry.err);
  CHECK(has(dry.out, "node_2"));
  CHECK(has(dry.out, nodes.c.raft_address()));
  CHECK(has(dry.out, "(this node)"));
  CHECK(has(dry.out, "last entry        index "));
  const Output no_tty = sh(nodes.dir, recover + " </dev/null");
  CHECK(no_tty.status == 1);
  CHECK(has(no_tty.err, "no terminal"));
  // The pauses are no wait for the prompt: what is typed before it stays in the terminal's line. `script` wants its
  // input open until then.
  const Output no = sh(nodes.dir, "(sleep 1; echo y; sleep 1) | script -qec '" + recover + "' /dev/null");
  CHECK(no.status == 1);
  CHECK(has(no.out, "the answer was not yes"));
  CHECK(content() == before);
  const Output other = sh(nodes.dir, kServer + " --dir " + nodes.a.data_dir + " --node-id somebody --recover --yes");
  CHECK(other.status == 1);
  CHECK(has(other.err, "node_1"));

  const Output done = sh(nodes.dir, "(sleep 1; echo yes; sleep 1) | script -qec '" + recover + "' /dev/null");
  CHECK_MESSAGE(done.status == 0, done.out);
  CHECK(has(done.out, "Done: node node_1 is cluster "));
  CHECK(has(sh(nodes.dir, recover + " --yes").out, "is the only voter"));
  nodes.a.start_ready();
  CHECK(nodes.a.cluster_field("role") == "leader");
  CHECK(nodes.a.get("/get?key=k").body == "v");
  CHECK(nodes.a.get("/event").body == "one");
  CHECK(curl(nodes.dir, "-d event=three " + nodes.a.url("/event")).status == 201);

  // One that comes back on its old directory stays outside, and says why.
  nodes.b.start();
  CHECK(eventually([&] { return has(nodes.a.log() + nodes.b.log(), ") is in cluster "); }));
  CHECK(count_of(nodes.a.cluster(), "\"voter\"") == 1);
  CHECK(nodes.b.get("/get?key=k").status == 503);
  CHECK(nodes.b.kill() == 137);

  // With an empty directory it is taken in.
  for (Server* server : {&nodes.b, &nodes.c}) {
    std::filesystem::remove_all(server->data_dir);
    server->start();
  }
  await_voters(nodes.all, 3);
  for (Server* server : nodes.all) {
    REQUIRE(eventually([&] { return server->ready(); }));
    CHECK(server->get("/get?key=k").body == "v");
  }
  nodes.a.kill();
  Server& leader = await_leader(nodes.all);
  CHECK(leader.get("/event").body == "one");
}

}  // namespace wh::testing
