// The debug port beside a real redis-server: the same commands to both, and the same answers, byte for byte. Where they
// differ on purpose, the table says why.
#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <cstdio>
#include <netinet/in.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include <doctest/doctest.h>

#include "background.h"

namespace wh::testing {
namespace {

using Words = std::vector<std::string>;

// One connection, on which each command is answered before the next is sent.
class Client {
 public:
  explicit Client(uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
    const timeval patience{.tv_sec = kPatienceMs / 1'000, .tv_usec = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  ~Client() { ::close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  [[nodiscard]] bool connected() const { return connected_; }

  // The whole answer, as it came.
  std::string ask(const Words& words) {
    std::string request = "*" + std::to_string(words.size()) + "\r\n";
    for (const std::string& word : words) request += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
    if (::send(fd_, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) return "";
    answer_.clear();
    read_ = 0;
    take_one();
    return answer_;
  }

 private:
  // True: more came.
  bool more() {
    char piece[4'096];
    const ssize_t got = ::recv(fd_, piece, sizeof piece, 0);
    if (got > 0) answer_.append(piece, static_cast<size_t>(got));
    return got > 0;
  }
  void take_one() {
    size_t end = answer_.find("\r\n", read_);
    while (end == std::string::npos && more()) end = answer_.find("\r\n", read_);
    if (end == std::string::npos) return;
    const char kind = answer_[read_];
    long size = 0;
    std::from_chars(answer_.data() + read_ + 1, answer_.data() + end, size);
    read_ = end + 2;
    if (kind == '*')
      for (long i = 0; i < size; ++i) take_one();
    if (kind != '$' || size < 0) return;
    read_ += static_cast<size_t>(size) + 2;
    while (answer_.size() < read_ && more()) {
    }
  }

  int fd_;
  bool connected_ = false;
  std::string answer_;
  size_t read_ = 0;
};

// A redis-server beside one node of ours, and a client of each.
struct Pair {
  TempDir dir;
  Server server{dir, "node"};
  Background background{dir};
  uint16_t redis_port = free_port();

  Pair() {
    server.start_ready();
    REQUIRE(eventually([&] { return server.redis("PERSIST none") == "0"; }));  // the cluster's version is up
    background.start("redis-server --port " + std::to_string(redis_port) +
                         " --bind 127.0.0.1 --save '' --appendonly no --dir " + dir.path(),
                     "redis-log");
    REQUIRE(eventually([&] { return Client(redis_port).connected(); }));
  }
};

bool has_redis() {
  const TempDir dir;
  const bool found = sh(dir, "redis-server --version").status == 0;
  if (!found) std::printf("skipped: there is no redis-server (utils/install-deps test)\n");
  return found;
}

// How the answers are compared.
enum class As {
  bytes,
  near,   // numbers, as time goes on between the two
  a_set,  // bulk strings in any order
};

std::string sorted(const std::string& reply) {
  Words parts;
  for (size_t at = 0; at < reply.size();) {
    const size_t end = std::min(reply.find("\r\n", at), reply.size());
    if (reply[at] != '$' && reply[at] != '*') parts.push_back(reply.substr(at, end - at));
    at = end + 2;
  }
  std::sort(parts.begin(), parts.end());
  std::string all;
  for (const std::string& part : parts) all += part + "\n";
  return all;
}

bool alike(const std::string& ours, const std::string& theirs, As as, long most_between) {
  if (as == As::bytes) return ours == theirs;
  if (as == As::a_set) return ours[0] == theirs[0] && sorted(ours) == sorted(theirs);
  if (!ours.starts_with(':') || !theirs.starts_with(':')) return false;
  const long a = std::stol(ours.substr(1));
  const long b = std::stol(theirs.substr(1));
  return (a < 0) == (b < 0) && std::abs(a - b) <= most_between;
}

// Words separated by spaces; two quotes are an empty word.
Words split(std::string_view text) {
  Words words;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    words.emplace_back(word == "''" ? "" : word);
    text.remove_prefix(std::min(text.size(), word.size() + 1));
  }
  return words;
}

// To commands that are separated by bars.
std::string last_answer(Client& client, std::string_view commands) {
  std::string answer;
  while (!commands.empty()) {
    const std::string_view one = commands.substr(0, commands.find(" | "));
    commands.remove_prefix(std::min(commands.size(), one.size() + 3));
    answer = client.ask(split(one));
  }
  return answer;
}

struct Difference {
  std::string_view command;
  std::string_view ours;
  std::string_view theirs;  // begins so
  std::string_view why;
};
constexpr std::string_view kOk = "+OK\r\n";
constexpr Difference kDifferences[] = {
    {"SET k v IFEQ v", "$-1\r\n", "-ERR syntax error\r\n", "IFEQ is of Valkey, and newer than Redis 7.0"},
    {"SET k v EX 400000000", "-ERR invalid expire time in 'set' command: at most ten years; EXPIREAT goes further\r\n",
     kOk, "a time from now on is at most ten years, as everywhere here"},
    {"EXPIREAT k 300000000000", "-ERR invalid expire time in 'expireat' command: the year 9999 is the last one\r\n",
     ":1\r\n", "answers of HTTP give times as dates with a year of four digits"},
    {"SET '' v", "-ERR a key must not be empty\r\n", kOk, "an empty key has no path over HTTP"},
    {"GETEX none EX 0", "-ERR invalid expire time in 'getex' command\r\n", "$-1\r\n",
     "arguments are checked before the key is looked for"},
    {"SCAN 99", "-ERR invalid cursor: this node does not know it, or not any more: start again with SCAN 0\r\n",
     "*2\r\n$1\r\n0\r\n", "a cursor is of one node, which forgets it some day"},
    {"SCAN ''", "-ERR invalid cursor\r\n", "*2\r\n$1\r\n0\r\n", "a cursor is a number"},
    {"SET text x | MULTI | INCR text | SET k v | EXEC",
     "-EXECABORT Transaction discarded, and nothing of it was done, because of its command 1 (incr): value is not an "
     "integer or out of range\r\n",
     "*2\r\n-ERR value is not an integer or out of range\r\n+OK\r\n", "a transaction is done as a whole"},
    {"MULTI | SET k v what | EXEC", "-EXECABORT Transaction discarded because of previous errors.\r\n",
     "*1\r\n-ERR syntax error\r\n", "a command with wrong arguments is refused when it is queued"},
    {"MULTI | DBSIZE | EXEC", "-EXECABORT Transaction discarded because of previous errors.\r\n",
     "*1\r\n:", "only commands on named keys, RPUSH and LLEN can be part of one"},
    {"WATCH absent | SET absent v | DEL absent | MULTI | EXEC", "*0\r\n", "*-1\r\n",
     "keys are watched by when they last changed, and an absent one has no such number"},
    {"HGET k f",
     "-ERR unknown command 'HGET', with args beginning with: 'k' 'f'; there are no hashes: give each field a key of "
     "its "
     "own, as in KEY:FIELD\r\n",
     "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n", "values are strings"},
};

}  // namespace

TEST_CASE("each command in each of its forms is answered as by Redis 7.0") {
  if (!has_redis()) return;
  const Pair pair;
  Client ours(pair.server.debug_port);
  Client theirs(pair.redis_port);
  REQUIRE(ours.connected());
  REQUIRE(theirs.connected());
  size_t compared = 0;
  const auto compare = [&](std::string_view command, As as = As::bytes) {
    CAPTURE(command);
    const Words words = split(command);
    const std::string here = ours.ask(words);
    const std::string there = theirs.ask(words);
    CAPTURE(here);
    CAPTURE(there);
    CHECK_FALSE(there.empty());
    // Seconds are compared everywhere, and a slow machine may be between two of them.
    if (command.starts_with("TTL ") && there.starts_with(':'))
      CHECK(alike(here, there, As::near, 2));
    else
      CHECK(alike(here, there, as, 5'000));
    ++compared;
  };
  const auto all = [&](const std::vector<const char*>& commands, As as = As::bytes) {
    for (const char* command : commands) compare(command, as);
  };
  SUBCASE("SET") {
    all({"SET k v XX",
         "GET k",
         "SET k v NX",
         "SET k w nx",
         "GET k",
         "set k w xX",
         "SET k x GET",
         "SET k y get nx",
         "SET new y NX GET",
         "SET new z XX GET",
         "MGET k new",
         "SET k '' GET",
         "GET k",
         "SET k v EX 100",
         "TTL k",
         "SET k v keepttl",
         "TTL k",
         "SET k v",
         "TTL k",
         "SET k v EX 100 NX",
         "SET k v GET EX 100 XX",
         "TTL k",
         "SET k v EXAT 4102444800",
         "EXPIRETIME k",
         "PEXPIRETIME k",
         "SET k v PXAT 4102444800123",
         "PEXPIRETIME k",
         "EXPIRETIME k",
         "SET k w KEEPTTL GET",
         "PEXPIRETIME k",
         "SET k v EX 5 EX 90",
         "TTL k",
         "SET k v NX NX",
         "SET k v EXAT 1",
         "GET k",
         "EXISTS k",
         "SET k v PXAT 1 GET",
         "EXISTS k",
         "DBSIZE"});
    compare("SET k v PX 100000");
    compare("PTTL k", As::near);
    compare("EXPIRETIME k", As::near);
    compare("PEXPIRETIME k", As::near);
    all({"SET k v NX XX",
         "SET k v XX NX",
         "SET k v EX",
         "SET k v EX 1 PX 1",
         "SET k v EX 1 KEEPTTL",
         "SET k v KEEPTTL PX 1",
         "SET k v PERSIST",
         "SET k v what",
         "SET k v PX 1 EXAT 1",
         "SET k v EX x",
         "SET k v EX 0",
         "SET k v PX -1",
         "SET k v EXAT 0",
         "SET k v PXAT -5",
         "SET k v EX 1.5",
         "SET k v EX +1",
         "SET k v EX 01",
         "SET k v EX ''",
         "SET k v EX 9223372036854775807",
         "SET k v PX 9223372036854775807",
         "SET k v EX 9223372036854775808",
         "SET k v EXAT 9223372036854775807",
         "SET k v EX x what",
         "SET k",
         "SET",
         "GET k"});
  }
  SUBCASE("the other forms of SET and GET") {
    all({"SETNX k v",
         "SETNX k w",
         "GET k",
         "SETEX k 100 v",
         "TTL k",
         "SETEX k 0 v",
         "SETEX k -1 v",
         "SETEX k x v",
         "SETEX k 9223372036854775807 v",
         "PSETEX k 100000 v",
         "TTL k",
         "PSETEX k 0 v",
         "PSETEX k x v",
         "SETEX k 1",
         "GETSET k w",
         "TTL k",
         "GETSET none w",
         "GETSET k",
         "GETDEL none",
         "GETDEL none",
         "GETDEL k",
         "GET k",
         "SET k v",
         "GETEX k",
         "GETEX k EX 100",
         "TTL k",
         "GETEX k",
         "TTL k",
         "GETEX k PERSIST",
         "TTL k",
         "GETEX k EXAT 4102444800",
         "EXPIRETIME k",
         "GETEX k px 50000",
         "TTL k",
         "GETEX k PXAT 4102444800999",
         "PEXPIRETIME k",
         "EXPIRETIME k",
         "GETEX k EX",
         "GETEX k NX",
         "GETEX k KEEPTTL",
         "GETEX k GET",
         "GETEX k PERSIST EX 1",
         "GETEX k EX 1 PERSIST",
         "GETEX k EX 1 PX 1",
         "GETEX k EX 0",
         "GETEX k EX x",
         "GETEX k PX 9223372036854775807",
         "GETEX none EX 10",
         "EXISTS none",
         "GETEX k EXAT 1",
         "GETEX k",
         "GETEX",
         "MSETNX a 1 b 2",
         "MSETNX b 3 c 4",
         "MGET a b c",
         "MSETNX x 1 x 2",
         "GET x",
         "MSETNX x 1 y",
         "MSETNX",
         "MGET",
         "MGET none",
         "MGET a a"});
  }
  SUBCASE("parts of values, and numbers") {
    all({"STRLEN k",
         "APPEND k hel",
         "APPEND k lo",
         "STRLEN k",
         "GET k",
         "GETRANGE k 0 -1",
         "GETRANGE k 1 3",
         "GETRANGE k -3 -2",
         "GETRANGE k -100 100",
         "GETRANGE k 3 1",
         "GETRANGE k 5 9",
         "GETRANGE k 0 -100",
         "GETRANGE k -100 -200",
         "GETRANGE k -200 -100",
         "GETRANGE k -1 0",
         "GETRANGE k 4 4",
         "GETRANGE k 9223372036854775807 -1",
         "GETRANGE k -9223372036854775808 9223372036854775807",
         "GETRANGE k x 1",
         "GETRANGE k 0 1.0",
         "GETRANGE none 0 -1",
         "GETRANGE k 0",
         "APPEND k ''",
         "APPEND e ''",
         "EXISTS e",
         "APPEND k",
         "EXPIRE k 100",
         "APPEND k x",
         "TTL k",
         "STRLEN"});
    all({"INCR n",
         "INCRBY n 41",
         "DECR n",
         "DECRBY n 50",
         "DECRBY n -10",
         "INCRBY n 9223372036854775807",
         "DECRBY n -9223372036854775808",
         "INCRBY n -9223372036854775808",
         "DECRBY n 2",
         "DECR n",
         "DECR n",
         "GET n",
         "INCRBY n x",
         "INCRBY n 1.5",
         "INCRBY n +1",
         "INCRBY n 01",
         "INCRBY n ''",
         "DECRBY n x",
         "INCRBY n 9223372036854775808",
         "INCR",
         "INCR n 1",
         "SET s x",
         "INCR s",
         "DECR s",
         "SET s ''",
         "INCR s",
         "SET s 01",
         "INCR s",
         "SET s -0",
         "INCR s",
         "SET s +1",
         "INCR s",
         "SET s -5",
         "INCR s",
         "SET s 5 EX 100",
         "INCR s",
         "TTL s",
         "SET s 9223372036854775807",
         "INCR s",
         "GET s"});
  }
  SUBCASE("transactions") {
    all({"MULTI",      "MULTI",          "WATCH k",        "SET k 1",     "GET k",      "INCR k",
         "APPEND k x", "SET k v XX GET", "SETNX k w",      "MGET k none", "DEL k none", "EXISTS k",
         "TTL k",      "STRLEN k",       "RPUSH list a b", "LLEN list",   "PING",       "PING hello",
         "ECHO there", "SELECT 0",       "UNWATCH",        "EXEC",        "EXEC",       "DISCARD"});
    all({"WATCH k none", "SET k 1", "MULTI", "SET k 2", "EXEC", "GET k", "MULTI", "EXEC"});
    all({"WATCH none", "MULTI", "SET none 1", "EXEC", "GET none"});
    all({"WATCH k", "UNWATCH", "SET k 3", "MULTI", "GET k", "EXEC"});
    all({"WATCH k", "MULTI", "DISCARD", "SET k 4", "MULTI", "GET k", "EXEC"});
    all({"WATCH k", "DEL k", "SET k 4", "MULTI", "EXEC"});
    all({"WATCH k", "EXPIRE k 100", "MULTI", "EXEC", "WATCH k", "PERSIST k", "MULTI", "EXEC"});
    all({"WATCH k", "EXPIRE k -1", "MULTI", "EXEC"});
    all({"MULTI", "SET k", "SET k 9", "EXEC", "GET k"});
    all({"MULTI", "SET k 9", "EXEC x", "EXEC", "EXEC x", "MULTI", "DISCARD x", "EXEC"});
    all({"WATCH", "UNWATCH x", "MULTI x", "EXEC", "MULTI", "SET k 9", "RESET", "EXEC"});
  }
  SUBCASE("expiry") {
    for (const char* name : {"TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME", "PERSIST"}) {
      const std::string command = name;
      all({(command + " none").c_str(), "SET k v", (command + " k").c_str(), command.c_str()});
    }
    all({"EXPIRE none 10",
         "EXPIRE none 10 NX",
         "EXPIRE k 10 XX",
         "EXPIRE k 10 GT",
         "EXPIRE k 10 XX LT",
         "TTL k",
         "EXPIRE k 10 NX",
         "EXPIRE k 20 nx",
         "EXPIRE k 20 LT",
         "EXPIRE k 100 Xx gT",
         "TTL k",
         "EXPIRE k 50 GT",
         "EXPIRE k 50 XX LT",
         "TTL k",
         "PERSIST k",
         "PERSIST k",
         "EXPIRE k 30 LT",
         "TTL k",
         "PEXPIRE k 40000",
         "TTL k",
         "EXPIREAT k 4102444800",
         "EXPIREAT k 4102444800",
         "EXPIREAT k 4102444800 GT",
         "EXPIREAT k 4102444800 LT",
         "PEXPIREAT k 4102444800001 GT",
         "PEXPIRETIME k",
         "PEXPIREAT k 4102444800000 LT",
         "PEXPIRETIME k",
         "EXPIRE k -1 GT",
         "EXPIRE k -1 NX",
         "EXISTS k",
         "EXPIRE k -1 LT",
         "EXISTS k"});
    for (const char* over : {"EXPIRE k 0", "EXPIRE k -5", "PEXPIRE k -1", "EXPIREAT k 1", "PEXPIREAT k 0",
                             "PEXPIREAT k -9", "EXPIRE k -1 NX", "EXPIRE k -9223372036854775"})
      all({"SET k v", over, "EXISTS k", over, "TTL k"});
    all({"SET k v",
         "EXPIRE k 10 NX XX",
         "EXPIRE k 10 NX GT",
         "EXPIRE k 10 LT NX",
         "EXPIRE k 10 GT LT",
         "EXPIRE k 10 XX GT LT",
         "EXPIRE k 10 soon",
         "EXPIRE k soon",
         "EXPIRE k soon soon",
         "EXPIRE k 1.5",
         "EXPIRE k 9223372036854775807",
         "EXPIRE none 9223372036854775807",
         "PEXPIRE k 9223372036854775807",
         "EXPIREAT k 9223372036854775807",
         "EXPIRE k 9223372036854775808",
         "EXPIRE k -9223372036854775808",
         "EXPIRE k",
         "EXPIREAT k",
         "TTL k k",
         "TTL k"});
    all({"SET k v", "PEXPIRE k 123456"});
    compare("PTTL k", As::near);
    compare("PEXPIRETIME k", As::near);
    compare("SET short v PX 50");
    CHECK(eventually([&] { return ours.ask({"EXISTS", "short"}) == ":0\r\n"; }));
    CHECK(eventually([&] { return theirs.ask({"EXISTS", "short"}) == ":0\r\n"; }));
    all({"GET short", "TTL short", "TYPE short", "SET short w NX", "INCR fresh", "PERSIST short"});
  }
  SUBCASE("keys as such") {
    all({"RANDOMKEY", "KEYS *", "DBSIZE", "SCAN 0", "MSET a 1 A 1 ab 1 abc 1 b* 1 [x] 1", "DBSIZE", "TYPE a",
         "TYPE none", "UNLINK none", "UNLINK", "KEYS", "RANDOMKEY x"});
    all({"KEYS *", "KEYS a*", "KEYS A*", "KEYS a?", "KEYS [^a]*", "KEYS b\\*", "KEYS [a-b]", "KEYS [b-a]*", "KEYS ab",
         "KEYS ''", "KEYS *b*", "KEYS \\[*", "KEYS [ab", "KEYS **c", "SCAN 0 COUNT 100", "SCAN 0 MATCH a* COUNT 100",
         "SCAN 0 count 1000 TYPE string match *b*", "SCAN 0 COUNT 100 TYPE hash", "SCAN 0 TYPE STRING COUNT 100"},
        As::a_set);
    all({"SCAN x", "SCAN 0 COUNT", "SCAN 0 COUNT 0", "SCAN 0 COUNT -1", "SCAN 0 COUNT x", "SCAN 0 MATCH",
         "SCAN 0 what ever", "SCAN x COUNT 0", "SCAN 18446744073709551616", "SCAN", "UNLINK a ab none a", "EXISTS a ab",
         "DBSIZE"});
  }
  SUBCASE("what differs") {
    for (const Difference& difference : kDifferences) {
      CAPTURE(difference.command);
      CAPTURE(difference.why);
      for (Client* client : {&ours, &theirs}) {
        client->ask({"DEL", "", "k"});
        client->ask({"DEL", "k"});
        client->ask({"SET", "k", "x"});
      }
      CHECK(last_answer(ours, difference.command) == difference.ours);
      CHECK(last_answer(theirs, difference.command).starts_with(difference.theirs));
      ++compared;
    }
  }
  CHECK(compared > 5);
}

TEST_CASE("through a follower: answers, errors and scans are the leader's; a cursor is of one node") {
  ThreeNodes nodes;
  const Server& leader = await_leader(nodes.all);
  const Server& follower = *others(nodes.all, leader)[0];
  REQUIRE(eventually([&] { return follower.redis("PERSIST none") == "0"; }));
  CHECK(follower.redis("SET k 41 NX EX 100") == "OK");
  CHECK(follower.redis("SET k 1 NX GET") == "41");
  CHECK(follower.redis("INCR k") == "42");
  CHECK(std::stol(follower.redis("TTL k")) > 50);
  CHECK(leader.redis("GETEX k PERSIST") == "42");
  CHECK(follower.redis("TTL k") == "-1");
  CHECK(follower.redis("INCRBY k 9223372036854775807").starts_with("ERR increment or decrement would overflow"));
  CHECK(follower.redis("APPEND k x") == "3");
  CHECK(follower.redis("DECR k").starts_with("ERR value is not an integer or out of range"));
  std::string pairs;
  for (int i = 0; i < 100; ++i) pairs += " key:" + std::to_string(i) + " v";
  CHECK(leader.redis("MSET" + pairs) == "OK");
  CHECK(
      sh(nodes.dir, "redis-cli -p " + std::to_string(follower.debug_port) + " --scan --pattern 'key:*' | wc -l").out ==
      "100\n");
  const std::string scanned = follower.redis("SCAN 0");
  const std::string cursor = scanned.substr(0, scanned.find('\n'));
  CHECK(leader.redis("SCAN " + cursor).starts_with("ERR invalid cursor"));
  CHECK(has(follower.redis("SCAN " + cursor), "\nkey:"));
}

TEST_CASE("redis-cli scans and helps") {
  const TempDir dir;
  Server server(dir, "node");
  server.start_ready();
  std::string pairs;
  for (int i = 0; i < 200; ++i) pairs += " key:" + std::to_string(i) + " v";
  CHECK(server.redis("MSET" + pairs) == "OK");
  const std::string cli = "redis-cli -p " + std::to_string(server.debug_port) + " ";
  CHECK(sh(dir, cli + "--scan --pattern 'key:*' | sort -u | wc -l").out == "200\n");
  CHECK(sh(dir, cli + "--scan --pattern 'key:1?' | wc -l").out == "10\n");
  const std::string docs = server.redis("COMMAND DOCS set expire scan");
  for (const char* name : {"\nset\n", "\nexpire\n", "\nscan\n", "IFEQ", "KEEPTTL", "unix-time"}) {
    CAPTURE(name);
    CHECK((has(docs, name) || docs.starts_with(std::string(name).substr(1))));
  }
}

}  // namespace wh::testing
