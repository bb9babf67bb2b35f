// The debug port, with redis-cli and with bytes as a client library sends them: what libraries ask when they connect,
// and that if a command is refused, the commands that depend on it are refused too.
#include <doctest/doctest.h>

#include "harness.h"

namespace wh::testing {
namespace {

std::string resp(const std::vector<std::string>& words) {
  std::string out = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) out += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  return out;
}

// The answers to `commands`, sent as one write, and QUIT.
std::string pipelined(const TempDir& dir, const Server& server, const std::vector<std::vector<std::string>>& commands) {
  std::string bytes;
  for (const auto& words : commands) bytes += resp(words);
  dir.write("pipeline", bytes + resp({"QUIT"}));
  return sh(dir, "nc -w 20 127.0.0.1 " + std::to_string(server.debug_port) + " <pipeline").out;
}

}  // namespace

TEST_CASE("a transaction is done as a whole, or refused as a whole, as client libraries' pipelines send it") {
  const TempDir dir;
  Server server(dir, "node");
  server.start_ready();
  CHECK(server.redis("SET stock 5") == "OK");
  REQUIRE(eventually([&] { return server.redis("PERSIST none") == "0"; }));  // the cluster's version is up
  // As redis-py's pipeline() does by default, and others' multi().
  const std::string answers = pipelined(
      dir, server,
      {{"MULTI"}, {"SET", "stock", "4"}, {"RPUSH", "orders", "one"}, {"DEL", "stock"}, {"EXEC"}, {"GET", "stock"}});
  CHECK(answers == "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+OK\r\n:1\r\n:1\r\n$-1\r\n+OK\r\n");
  CHECK(server.redis("LLEN orders") == "1");
  CHECK(server.redis("SET stock 5") == "OK");
  const std::string before = server.cluster_field("last_log_index");
  CHECK(pipelined(dir, server, {{"MULTI"}, {"SET", "stock", "4"}, {"HSET", "h", "f", "v"}, {"EXEC"}, {"GET", "stock"}})
            .ends_with("-EXECABORT Transaction discarded because of previous errors.\r\n$1\r\n5\r\n+OK\r\n"));
  CHECK(pipelined(dir, server, {{"MULTI"}, {"SET", "stock", "3"}, {"DISCARD"}, {"GET", "stock"}})
            .ends_with("+OK\r\n$1\r\n5\r\n+OK\r\n"));
  CHECK(pipelined(dir, server, {{"SELECT", "3"}, {"DEL", "stock"}, {"SELECT", "0"}, {"GET", "stock"}})
            .ends_with("+OK\r\n$1\r\n5\r\n+OK\r\n"));
  CHECK(pipelined(dir, server, {{"CLIENT", "REPLY", "OFF"}, {"SET", "stock", "2"}}).starts_with("-ERR every command"));

  CHECK(server.cluster_field("last_log_index") == before);
  dir.write("typed", "MULTI\nSET stock 1\nEXEC\nGET stock\n");
  const std::string typed = sh(dir, "redis-cli -p " + std::to_string(server.debug_port) + " <typed").out;
  CHECK(typed.ends_with("\nOK\n1\n"));
}

TEST_CASE("what libraries send when they connect is answered: HELLO, CLIENT, INFO, COMMAND") {
  const TempDir dir;
  Server server(dir, "node");
  server.start_ready();
  const std::string answers = pipelined(dir, server,
                                        {{"HELLO", "3", "SETNAME", "worker"},
                                         {"CLIENT", "SETINFO", "LIB-NAME", "a-library"},
                                         {"GET", "none"},
                                         {"CLIENT", "INFO"},
                                         {"CONFIG", "GET", "maxclients"}});
  CHECK(answers.starts_with("%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n"));
  CHECK(answers.find("\r\n*0\r\n+OK\r\n_\r\n$") != std::string::npos);
  CHECK(answers.find(" name=worker ") != std::string::npos);
  CHECK(answers.find(" resp=3 lib-name=a-library lib-ver=\n") != std::string::npos);
  CHECK(answers.ends_with("%1\r\n$10\r\nmaxclients\r\n$5\r\n10000\r\n+OK\r\n"));
  // The addresses are those that the system knows.
  const std::string own = server.redis("CLIENT INFO");
  CHECK(own.find(" laddr=127.0.0.1:" + std::to_string(server.debug_port) + " ") != std::string::npos);
  CHECK(own.find(" addr=127.0.0.1:0 ") == std::string::npos);
  CHECK(server.redis("COMMAND COUNT") == server.redis("COMMAND LIST | grep -c ."));
}

TEST_CASE("INFO has the fields that Redis's clients read") {
  const TempDir dir;
  Server server(dir, "node");
  server.start_ready();
  std::string all = "\n" + server.redis("INFO");
  for (const char* field : {"redis_version:7.0.0\r\n", "redis_mode:standalone\r\n", "loading:0\r\n",
                            "used_memory:", "used_memory_human:", "connected_clients:1\r\n", "blocked_clients:0\r\n",
                            "total_connections_received:", "total_commands_processed:"})
    CHECK_MESSAGE(all.find("\n" + std::string(field)) != std::string::npos, field);
  CHECK(all.find("db0:") == std::string::npos);
  CHECK(server.redis("MSET a 1 b 2") == "OK");
  all = server.redis("INFO keyspace");
  CHECK(all.find("db0:keys=2,expires=0,avg_ttl=0") != std::string::npos);
  CHECK(server.redis("CLIENT KILL TYPE normal") == "0");
}

}  // namespace wh::testing
