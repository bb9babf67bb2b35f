// The debug protocol over TLS (directive tls-debug-port): the same as without, for those whom the handshake lets in.
#include <csignal>

#include <doctest/doctest.h>

#include "authority.h"
#include "background.h"
#include "harness.h"

namespace wh::testing {
namespace {

// A node with the debug port in plain and over TLS.
struct Node {
  explicit Node(const std::vector<std::string>& more = {}) {
    authority.issue("node", "DNS:localhost,IP:127.0.0.1");
    server.more = {"--tls-cert-file", "node.pem",         "--tls-key-file",
                   "node-key.pem",    "--tls-debug-port", std::to_string(tls_port)};
    server.more.insert(server.more.end(), more.begin(), more.end());
    server.start_ready();
  }
  [[nodiscard]] std::string cli(const std::string& options = "") const {
    return "redis-cli --no-auth-warning --tls -p " + std::to_string(tls_port) + " --cacert ca.pem " + options + " ";
  }
  // What a command prints, errors of redis-cli itself included.
  [[nodiscard]] std::string ask(const std::string& command, const std::string& options = "") const {
    return sh(dir, cli(options) + command + " 2>&1").out;
  }
  [[nodiscard]] bool logged(const std::string& line) const {
    return eventually([&] { return has(server.log(), line); });
  }

  TempDir dir;
  Authority authority{dir};
  Server server{dir, "only"};
  uint16_t tls_port = free_port();
};

// Sends a file's bytes over TLS, ends its own side, and prints all that comes until the other side ends its.
constexpr const char* kHalfClosed = R"(
import socket, ssl, sys
context = ssl.create_default_context(cafile="ca.pem")
raw = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=30)
coming, going = ssl.MemoryBIO(), ssl.MemoryBIO()
tls = context.wrap_bio(coming, going, server_hostname="localhost")
def exchange(step):
    while True:
        try:
            done = step()
            raw.sendall(going.read())
            return done
        except ssl.SSLWantReadError:
            raw.sendall(going.read())
            bytes = raw.recv(65536)
            coming.write(bytes) if bytes else coming.write_eof()
exchange(tls.do_handshake)
tls.write(open(sys.argv[2], "rb").read())
raw.sendall(going.read())
try:
    tls.unwrap()
except ssl.SSLWantReadError:
    pass
raw.sendall(going.read())
answer = b""
try:
    while True:
        answer += exchange(lambda: tls.read(65536))
except ssl.SSLZeroReturnError:
    pass
sys.stdout.write(answer.decode())
)";

}  // namespace

TEST_CASE("redis-cli --tls: commands, large values, waits, pipelines; the plain port beside it") {
  const Node node;
  CHECK(node.ask("PING") == "PONG\n");
  CHECK(node.ask("SET a 1") == "OK\n");
  CHECK(node.server.redis("GET a") == "1");
  CHECK(node.server.info("tls_debug_port") == std::to_string(node.tls_port));
  CHECK(has(node.server.log(), "debug protocol over TLS on 127.0.0.1:" + std::to_string(node.tls_port)));
  CHECK(has(node.ask("CLIENT LIST"), "laddr=127.0.0.1:" + std::to_string(node.tls_port) + " "));

  // Many records each way.
  REQUIRE(sh(node.dir, "head -c 600000 /dev/urandom | base64 -w 0 | tr -d '\\n' >large").status == 0);
  CHECK(sh(node.dir, node.cli("-x") + "SET large <large").out == "OK\n");
  CHECK(sh(node.dir, node.cli() + "GET large | tr -d '\\n' | cmp - large").status == 0);

  // A wait, ended by a client of the plain port.
  Background clients(node.dir);
  clients.start(node.cli() + "BLPOP q 60", "popped");
  REQUIRE(eventually([&] { return node.server.info("blocked_clients") == "1"; }));
  CHECK(node.server.redis("RPUSH q event") == "1");
  CHECK(eventually([&] { return read_file(node.dir.path("popped")) == "q\nevent\n"; }));

  // A pipeline of ten thousand, in order.
  std::string pipeline;
  std::string expected;
  for (int i = 0; i < 5'000; ++i) {
    pipeline += "SET p " + std::to_string(i) + "\r\nGET p\r\n";
    const std::string value = std::to_string(i);
    expected += "+OK\r\n$" + std::to_string(value.size()) + "\r\n" + value + "\r\n";
  }
  node.dir.write("pipeline", pipeline + "QUIT\r\n");
  const std::string connect = "openssl s_client -quiet -verify_return_error -CAfile ca.pem -connect 127.0.0.1:";
  CHECK(sh(node.dir, connect + std::to_string(node.tls_port) + " <pipeline 2>/dev/null").out == expected + "+OK\r\n");

  // A client that ends its side has its answers first.
  node.dir.write("half.py", kHalfClosed);
  node.dir.write("pipeline", pipeline);
  const Output half = sh(node.dir, "python3 half.py " + std::to_string(node.tls_port) + " pipeline");
  CHECK_MESSAGE(half.out == expected, half.err);
  // What it waits for it does not get. If its end comes in the turn of its command, which depends on how TLS packs the
  // two, nothing is waited for at all.
  node.dir.write("pipeline", "BLPOP q 60\r\nPING\r\n");
  const std::string answers = sh(node.dir, "python3 half.py " + std::to_string(node.tls_port) + " pipeline").out;
  CHECK((answers.starts_with("-NOTAPPLIED ") || answers.starts_with("*-1\r\n")));
  CHECK(answers.ends_with("\r\n+PONG\r\n"));
  CHECK(node.server.redis("RPUSH q kept") == "1");
  CHECK(node.server.redis("LLEN q") == "1");
}

TEST_CASE("HAZARDS I1: a web page does not get through TLS to the debug port either") {
  const Node node;
  const std::string url = "--cacert ca.pem https://localhost:" + std::to_string(node.tls_port) + "/";
  CHECK(curl(node.dir, "-d 'SET injected yes' " + url).exit != 0);
  CHECK(curl(node.dir, "-X GET -H 'X: \r\nSET injected yes' " + url).exit != 0);
  CHECK(node.logged("debug port: closed the connection from 127.0.0.1, as it speaks another protocol: "));
  CHECK(node.ask("EXISTS injected") == "0\n");
  // Without TLS: Redis's clients are told, others are not.
  CHECK(has(node.server.redis("PING"), "PONG"));
  CHECK(has(sh(node.dir, "redis-cli -p " + std::to_string(node.tls_port) + " PING 2>&1").out, "this port speaks TLS"));
  const Answer plain = curl(node.dir, "http://localhost:" + std::to_string(node.tls_port) + "/");
  CHECK(plain.exit != 0);
  CHECK(plain.status == 0);
  CHECK(node.logged("from 127.0.0.1 to the TLS debug port was closed: it speaks "));
}

TEST_CASE("HAZARDS J8: tls-auth-clients yes holds for the debug protocol, also where tls-port is off") {
  const Node node({"--tls-auth-clients", "yes", "--tls-ca-cert-file", "ca.pem"});
  const Authority strangers(node.dir, "strangers");
  node.authority.issue("client", "DNS:client");
  strangers.issue("stranger", "DNS:client");
  CHECK(node.ask("PING", "--cert client.pem --key client-key.pem") == "PONG\n");
  CHECK_FALSE(has(node.ask("PING"), "PONG"));
  CHECK_FALSE(has(node.ask("PING", "--cert stranger.pem --key stranger-key.pem"), "PONG"));
  CHECK(node.logged("to the TLS debug port was closed: TLS handshake failed: it shows no certificate"));
  CHECK(node.server.info("tls_handshakes_failed") != "0");
}

TEST_CASE("a password counts on the debug port over TLS") {
  const Node node({"--requirepass", "secret"});
  CHECK(has(node.ask("GET a"), "NOAUTH"));
  CHECK(node.ask("PING", "-a secret") == "PONG\n");
  CHECK(has(node.ask("PING", "-a wrong"), "WRONGPASS"));
}

TEST_CASE("HAZARDS J6: SIGHUP changes the certificate of the debug port; who is connected stays so") {
  const Node node;
  Background clients(node.dir);
  clients.start(node.cli() + "BLPOP q 60", "popped");
  REQUIRE(eventually([&] { return node.server.info("blocked_clients") == "1"; }));
  REQUIRE(sh(node.dir, "mv ca.pem old-ca.pem").status == 0);
  const Authority next(node.dir);
  next.issue("node", "DNS:localhost,IP:127.0.0.1");
  CHECK_FALSE(has(node.ask("PING"), "PONG"));
  REQUIRE(::kill(node.server.pid(), SIGHUP) == 0);
  CHECK(eventually([&] { return node.ask("PING") == "PONG\n"; }));
  CHECK(node.server.redis("RPUSH q event") == "1");
  CHECK(eventually([&] { return read_file(node.dir.path("popped")) == "q\nevent\n"; }));
  CHECK(node.server.info("tls_last_reload") == "ok");
}

TEST_CASE("--check-health asks the debug protocol over TLS where nothing else is on") {
  const Node node({"--requirepass", "secret"});
  const std::string check = node.server.program + " --check-health --port 0 --debug-port 0 --dir " +
                            node.server.data_dir + " --requirepass secret --raft-port " +
                            std::to_string(node.server.raft_port) + " --tls-cert-file node.pem --tls-key-file " +
                            "node-key.pem --tls-debug-port ";
  const Output asked = sh(node.dir, check + std::to_string(node.tls_port));
  CHECK(asked.out == "127.0.0.1:" + std::to_string(node.tls_port) + " lives\n");
  CHECK_MESSAGE(asked.status == 0, asked.err);
  CHECK(sh(node.dir, check + std::to_string(free_port())).status == 1);
  CHECK(has(sh(node.dir, check + "0").err, "nothing to ask"));
}

}  // namespace wh::testing
