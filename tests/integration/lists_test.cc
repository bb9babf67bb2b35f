// The queues as Redis's lists, with redis-cli and nc, on three real nodes: each command through the leader and through
// a follower, and consumers that wait: in crowds, and while clients and leaders die.
#include <algorithm>
#include <csignal>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "background.h"

namespace wh::testing {
namespace {

std::string port(const Server& server) { return std::to_string(server.debug_port); }

struct Cluster : ThreeNodes {
  Server& leader = await_leader(all);
  Server& follower = *others(all, leader)[0];
  Background background{dir};

  // How many wait for a queue, as its leader says.
  [[nodiscard]] static std::string waiting(const Server& server, const std::string& queue) {
    return json_field(server.get("/queues/" + queue).body, "waiting");
  }
  std::string lines(const std::string& file) const { return read_file(dir.path(file)); }
  // Bytes as they are, and the answer to them; the connection's sending side stays open until the server closes.
  std::string nc(const Server& server, const std::string& bytes) const {
    dir.write("sent", bytes);
    return sh(dir, "nc -w 20 127.0.0.1 " + port(server) + " <sent").out;
  }
};

std::vector<std::string> split(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> out;
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

}  // namespace

TEST_CASE("each command on lists, through the leader and through a follower") {
  Cluster c;
  for (const Server* server : {&c.leader, &c.follower}) {
    const Server& s = *server;
    const std::string q = "q-" + s.name;
    CAPTURE(q);
    CHECK(s.redis("RPUSH " + q + " one") == "1");
    CHECK(s.redis("RPUSH " + q + " two three 'fo ur' five") == "5");
    CHECK(s.redis("LLEN " + q) == "5");
    CHECK(s.redis("LINDEX " + q + " 0") == "one");
    CHECK(s.redis("LINDEX " + q + " -2") == "fo ur");
    CHECK(s.redis("LINDEX " + q + " 5").empty());
    CHECK(s.redis("LRANGE " + q + " 1 -2") == "two\nthree\nfo ur");
    CHECK(s.redis("LRANGE " + q + " 7 9").empty());
    CHECK(s.redis("LPOP " + q) == "one");
    CHECK(s.redis("LPOP " + q + " 2") == "two\nthree");
    CHECK(s.redis("BLPOP " + q + " 1") == q + "\nfo ur");
    CHECK(s.redis("BLPOP none-of-it " + q + " 0") == q + "\nfive");
    CHECK(s.redis("BLPOP none-of-it " + q + " 0.05").empty());
    CHECK(s.redis("LPOP " + q + " 9").empty());
    // The same in bytes: the null of an array, and commands behind a BLPOP wait for its answer.
    CHECK(c.nc(s, "LPOP " + q + " 9\r\nLPOP " + q + "\r\nLPOP " + q + " 0\r\nBLPOP " + q + " 0.1\r\nRPUSH " + q +
                      " x y\r\nBLPOP " + q + " 0\r\nLPOP " + q + " 5\r\nQUIT\r\n") ==
          "*-1\r\n$-1\r\n*0\r\n*-1\r\n:2\r\n*2\r\n$" + std::to_string(q.size()) + "\r\n" + q +
              "\r\n$1\r\nx\r\n*1\r\n$1\r\ny\r\n+OK\r\n");
    // Keys and queues never meet.
    CHECK(s.redis("RPUSH " + q + " stays") == "1");
    CHECK(s.redis("DEL " + q) == "0");
    CHECK(s.redis("EXISTS " + q) == "0");
    CHECK(s.redis("LPOP " + q) == "stays");
  }
}

TEST_CASE("rubbish is refused, names what is wrong, and changes nothing") {
  Cluster c;
  const std::string before = c.leader.cluster_field("last_log_index");
  for (const Server* server : {&c.leader, &c.follower}) {
    const Server& s = *server;
    const std::vector<std::pair<std::string, std::string>> rubbish = {
        {"LPOP q -1", "ERR value is out of range, must be positive"},
        {"LPOP q 1001", "ERR LPOP removes at most 1000 events at once"},
        {"LPOP q 1 1", "ERR wrong number of arguments for 'lpop' command"},
        {"RPUSH q", "ERR wrong number of arguments for 'rpush' command"},
        {"RPUSH q e ''", "ERR an event must not be empty"},
        {"RPUSH '' e", "ERR a queue's name must not be empty"},
        {"BLPOP q", "ERR wrong number of arguments for 'blpop' command"},
        {"BLPOP q soon", "ERR timeout is not a float or out of range"},
        {"BLPOP q -1", "ERR timeout is negative"},
        {"BLPOP a b c d e f g h i j k l m n o p q 1", "ERR one request takes from at most 16 queues"},
        {"LINDEX q first", "ERR value is not an integer or out of range"},
        {"LRANGE q 0 last", "ERR value is not an integer or out of range"},
        {"LRANGE q 0", "ERR wrong number of arguments for 'lrange' command"},
    };
    for (const auto& [command, error] : rubbish) {
      CAPTURE(command);
      CHECK(s.redis(command).starts_with(error));
    }
  }
  CHECK(c.leader.cluster_field("last_log_index") == before);
}

TEST_CASE("redis-cli knows the commands and their arguments") {
  const TempDir dir;
  Server server(dir, "node");
  server.start_ready();
  // Typed at a terminal, each line once the one before is answered.
  dir.write("typed", "");
  const std::string until = "until grep -q '";
  sh(dir, "(" + until + "> ' typed; do sleep 0.1; done; printf 'help @list\\r'; " + until +
              "RPUSH' typed; do sleep 0.1; done; printf 'quit\\r') |"
              " timeout 20 script -qfc 'stty cols 200 rows 50; redis-cli -p " +
              port(server) + "' typed >/dev/null");
  std::string help = read_file(dir.path("typed"));
  for (const char* style : {"\x1b[1m", "\x1b[0m", "\x1b[90m"})
    for (size_t at = help.find(style); at != std::string::npos; at = help.find(style))
      help.erase(at, std::string_view(style).size());
  CHECK(has(help, "BLPOP queue [queue ...] timeout"));
  CHECK(has(help, "RPUSH queue event [event ...]"));
  CHECK(has(help, "LPOP queue [count]"));
  CHECK(has(server.redis("COMMAND DOCS"), "\nlrange\n"));
}

TEST_CASE("HAZARDS Q28: one event serves one of a hundred that wait, in one entry") {
  Cluster c;
  CHECK(c.leader.redis("RPUSH q first") == "1");  // there is a queue to be asked about
  CHECK(c.leader.redis("LPOP q") == "first");
  for (int i = 0; i < 100; ++i)
    c.background.start("redis-cli -p " + port(i % 2 == 0 ? c.leader : c.follower) + " BLPOP q 60",
                       "waiter-" + std::to_string(i));
  REQUIRE(eventually([&] { return Cluster::waiting(c.leader, "q") == "100"; }));
  const auto proposals = [&] { return std::stoi(c.leader.info("proposals")); };
  const int before = proposals();
  CHECK(c.leader.redis("RPUSH q only") == "1");
  const auto answered = [&] {
    int count = 0;
    for (int i = 0; i < 100; ++i) count += c.lines("waiter-" + std::to_string(i)) == "q\nonly\n" ? 1 : 0;
    return count;
  };
  REQUIRE(eventually([&] { return answered() == 1; }));
  CHECK(Cluster::waiting(c.leader, "q") == "99");
  CHECK(proposals() - before <= 3);  // the event, the pop, and perhaps the time
  CHECK(c.leader.redis("LLEN q") == "0");
  // As many as there are events; the others wait on.
  std::string events;
  for (int i = 0; i < 99; ++i) events += " e" + std::to_string(i);
  CHECK(c.leader.redis("RPUSH q" + events) == "99");
  std::set<std::string> got;
  REQUIRE(eventually([&] {
    for (int i = 0; i < 100; ++i) got.insert(c.lines("waiter-" + std::to_string(i)));
    got.erase("");
    return got.size() == 100;
  }));
  CHECK(c.leader.redis("LLEN q") == "0");
}

TEST_CASE("HAZARDS Q28: a client that dies while it waits has nothing removed for it") {
  Cluster c;
  CHECK(c.leader.redis("RPUSH q first") == "1");
  CHECK(c.leader.redis("LPOP q") == "first");
  for (const Server* server : {&c.leader, &c.follower}) {
    for (const int signal : {SIGKILL, SIGTERM}) {
      const std::string pid = c.background.start("redis-cli -p " + port(*server) + " BLPOP q other 0", "dying");
      REQUIRE(eventually([&] { return Cluster::waiting(c.leader, "q") == "1"; }));
      REQUIRE(::kill(std::stoi(pid), signal) == 0);
      REQUIRE(eventually([&] { return Cluster::waiting(c.leader, "q") == "0"; }));
      CHECK(server->redis("RPUSH q kept") == "1");
      CHECK(server->redis("LPOP q") == "kept");
    }
    // A client that closes its sending side, as nc -N does, is not waited for; what is there, it is given.
    c.dir.write("half", "RPUSH q e\r\nBLPOP q 0\r\nBLPOP q 0\r\nPING\r\n");
    CHECK(sh(c.dir, "nc -N -w 20 127.0.0.1 " + port(*server) + " <half")
              .out.starts_with(":1\r\n*2\r\n$1\r\nq\r\n$1\r\ne\r\n"));
    REQUIRE(eventually([&] { return Cluster::waiting(c.leader, "q") == "0"; }));
  }
}

TEST_CASE("a wait ends when the leader dies, and says whether it may have taken something") {
  Cluster c;
  c.background.start("redis-cli -p " + port(c.follower) + " BLPOP q 60", "waiter");
  CHECK(c.leader.redis("RPUSH other e") == "1");
  REQUIRE(eventually([&] { return c.leader.info("waiting_requests") != "0"; }));
  c.leader.kill();
  REQUIRE(eventually([&] { return !c.lines("waiter").empty(); }));
  CHECK((c.lines("waiter").starts_with("UNKNOWN ") || c.lines("waiter").starts_with("NOTAPPLIED ")));
  Server& next = await_leader(others(c.all, c.leader));
  CHECK(next.redis("RPUSH q e") == "1");
  CHECK(c.follower.redis("BLPOP q 5") == "q\ne");
}

// Each event that a push was acknowledged for is popped once, or its BLPOP answered UNKNOWN.
TEST_CASE("no event is popped twice or lost while leaders are killed") {
  Cluster c;
  Server& other = *others(c.all, c.leader)[1];
  const std::string consume = "while :; do redis-cli -p " + port(c.follower) + " BLPOP q 1 2>&1 | grep -v '^q$'; done";
  c.background.start("sh -c '" + consume + "'", "popped");
  std::set<std::string> pushed;
  const auto push = [&](int from, int to) {
    for (int i = from; i < to; ++i) {
      const std::string event = "e" + std::to_string(i);
      std::string answer;
      REQUIRE(eventually([&] {
        answer = other.redis("RPUSH q " + event);
        return !answer.starts_with("NOTAPPLIED") && !answer.starts_with("Could not connect");
      }));
      if (!answer.starts_with("UNKNOWN")) pushed.insert(event);
    }
  };
  push(0, 20);
  c.leader.kill();
  push(20, 60);
  c.leader.start_ready();
  push(60, 80);
  REQUIRE(eventually([&] { return other.redis("LLEN q") == "0"; }));
  std::set<std::string> popped;
  size_t unknown = 0;
  for (const std::string& line : split(c.lines("popped"))) {
    if (line.starts_with("UNKNOWN ")) ++unknown;
    if (!line.starts_with("e")) continue;
    CAPTURE(line);
    CHECK(popped.insert(line).second);
  }
  size_t missing = 0;
  for (const std::string& event : pushed) missing += popped.contains(event) ? 0 : 1;
  CHECK(missing <= unknown);
}

}  // namespace wh::testing
