// Operating the server: the command line, what prevents a start, signals, the lock of the data directory, the debug
// port with nc and redis-cli, access.
#include <csignal>

#include <doctest/doctest.h>

#include "authority.h"
#include "harness.h"

namespace wh::testing {
namespace {

const std::string kServer = WORMHOLE_SERVER;

}  // namespace

TEST_CASE("--help, --version, --check-config") {
  const TempDir dir;
  const Output help = sh(dir, kServer + " --help");
  CHECK(help.status == 0);
  CHECK(help.out.find("--raft-port") != std::string::npos);
  const Output version = sh(dir, kServer + " --version");
  CHECK(version.status == 0);
  CHECK(count_of(version.out, "\n") == 1);
  CHECK(sh(dir, kServer + " --check-config " WORMHOLE_SOURCE_DIR "/conf/wormhole.conf").status == 0);
  dir.write("bad.conf", "port 8080\n\nprot 1\n");
  CHECK(sh(dir, kServer + " --check-config bad.conf").status == 1);
}

TEST_CASE("--check-config finds what the start would find: files that are missing, unreadable, or do not fit") {
  const TempDir dir;
  const Authority authority(dir);
  authority.issue("node", "DNS:node");
  authority.issue("other", "DNS:other");
  const std::string tls = " --tls-port 8443 --tls-cert-file node.pem --tls-key-file node-key.pem";
  dir.write("w.conf", "port 8080\n");
  const std::string ports =
      " --port " + std::to_string(free_port()) + " --raft-port " + std::to_string(free_port()) + " --debug-port 0";
  const auto check = [&](const std::string& more) { return sh(dir, kServer + " --check-config w.conf" + more); };
  const auto has = [](const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  };
  CHECK(check("").status == 0);
  CHECK(check("").out == "the config is good\n");
  CHECK(check(tls).status == 0);
  CHECK(check(tls + " --tls-cluster yes --tls-ca-cert-file ca.pem --node-id node").status == 0);

  const std::pair<std::string, const char*> wrong[] = {
      {tls + " --tls-cert-file nosuch.pem", "could not read tls-cert-file nosuch.pem"},
      {tls + " --tls-key-file nosuch.pem", "could not read tls-key-file nosuch.pem"},
      {tls + " --tls-key-file other-key.pem", "other-key.pem is not the key of tls-cert-file node.pem"},
      {tls + " --tls-cert-file w.conf", "could not read tls-cert-file w.conf"},
      {tls + " --tls-auth-clients yes --tls-ca-cert-file nosuch.pem", "could not read tls-ca-cert-file nosuch.pem"},
      {tls + " --tls-cluster yes --tls-ca-cert-file ca.pem --node-id third",
       "does not carry this node's node-id, third"},
      {tls + " --tls-cluster yes --tls-ca-cert-file other.pem --node-id node", "does not come from the authority"},
      {" --dir no/such/data", "'dir' is no/such/data, and no/such is not there"},
      {" --dir w.conf/data", "and w.conf is no directory"},
      {" --logfile no/node.log", "'logfile' is no/node.log, and no is not there"},
      {" --pidfile no/node.pid", "'pidfile' is no/node.pid, and no is not there"},
      {" --bind-interface nosuch0", "network interface nosuch0 is not up or has no address"}};
  for (const auto& [more, why] : wrong) {
    CAPTURE(more);
    const Output output = check(more);
    CHECK(output.status == 1);
    CHECK_MESSAGE(has(output.err, why), output.err);
    CHECK(output.out.empty());
    // It says what the start says; of `dir` the storage's tests tell.
    if (!has(more, "--dir")) CHECK(sh(dir, "timeout 20 " + kServer + " w.conf --dir data" + ports + more).status == 1);
  }
  for (const char* good : {" --dir data/", " --dir ./", " --dir .", " --logfile node.log"})
    CHECK(check(good).status == 0);

  const Output open = check(" --bind 0.0.0.0");
  CHECK(open.status == 0);
  CHECK(has(open.err, "protected mode refuses clients that are not on this machine, with 403; set 'requirepass'"));
  CHECK(
      has(check(" --bind 0.0.0.0 --protected-mode no").err, "whoever reaches the ports can read and change the data"));
  CHECK(check(" --bind 0.0.0.0 --requirepass a-long-password --cluster-secret another-long-one").err.empty());
}

TEST_CASE("what was mistyped is named: an argument, a word in place of a config file, an entry of a list") {
  const TempDir dir;
  const auto says = [&](const std::string& arguments, const std::string& part) {
    const Output output = sh(dir, kServer + " " + arguments);
    CHECK(output.status == 1);
    CHECK_MESSAGE(output.err.find(part) != std::string::npos, output.err);
  };
  says("--hlep", "did you mean '--help'?");
  says("help", "did you mean '--help'?");
  says("verison", "did you mean '--version'?");
  says("check-config", "did you mean '--check-config'?");
  says("--join 10.0.0.1:1112 10.0.0.2 10.0.0.3:1112", "; value 2 of 3 is not");
  says("--join 'a:1 b:1 c:x'", "; value 3 of 3 is not");
  says("--bind 127.0.0.1 localhost", "; value 2 of 2 is not");
  says("--allowed-hosts a.example http://b.example", "; value 2 of 2 is not");
}

TEST_CASE("a bad config stops the start: file, line, the line itself, what was expected; exit status 1") {
  const TempDir dir;
  const auto message = [&](const std::string& command) {
    const Output output = sh(dir, command);
    CHECK(output.status == 1);
    CHECK(output.out.empty());
    return output.err;
  };
  const auto has = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };

  dir.write("a.conf", "# fine\nport 9000\nport eighty\n");
  const std::string number = message(kServer + " a.conf");
  CHECK(has(number, "a.conf:3"));
  CHECK(has(number, "port eighty"));
  CHECK(has(number, "65535"));

  dir.write("b.conf", "include a.conf\n");
  CHECK(has(message(kServer + " b.conf"), "a.conf:3"));
  CHECK(has(message("printf 'dir /tmp\\nbogus yes\\n' | " + kServer + " -"), "bogus yes"));
  CHECK(has(message(kServer + " absent.conf"), "absent.conf"));
  CHECK(has(message(kServer + " --port 70000"), "port"));
  CHECK(has(message(kServer + " --nonsense 1"), "nonsense"));
  CHECK(has(message("WORMHOLE_PORT=x " + kServer), "WORMHOLE_PORT"));
  const Output no_dir = sh(dir, kServer + " --dir a.conf/data");
  CHECK(no_dir.status == 1);
  CHECK(has(no_dir.err, "a.conf/data"));
  dir.write("c.conf", "requirepass \"open secret\n");
  CHECK_FALSE(has(message(kServer + " c.conf"), "open secret"));
}

TEST_CASE("the file, the environment, the command line: the later wins") {
  const TempDir dir;
  Server server(dir, "n");
  dir.write("w.conf", "raft-snapshot-entries 11\nraft-snapshot-bytes 2mb\nrequest-timeout 4321\nloglevel verbose\n");
  server.arguments = {{"w.conf", "--port", std::to_string(server.port), "--raft-port", std::to_string(server.raft_port),
                       "--debug-port", std::to_string(server.debug_port), "--dir", server.data_dir, "--request-timeout",
                       "1234"}};
  server.environment = {{"WORMHOLE_RAFT_SNAPSHOT_ENTRIES", "22"},
                        {"WORMHOLE_REQUEST_TIMEOUT", "1"},
                        {"WORMHOLE_NO_SUCH_THING", "1"},
                        {"WORMHOLE_LOGLEVEL", "tcp://10.0.0.1:8080"}};
  server.start_ready();
  CHECK(server.redis("CONFIG GET raft-snapshot-bytes") == "raft-snapshot-bytes\n2097152");
  CHECK(server.redis("CONFIG GET raft-snapshot-entries") == "raft-snapshot-entries\n22");
  CHECK(server.redis("CONFIG GET request-timeout") == "request-timeout\n1234");
  CHECK(server.redis("CONFIG GET loglevel") == "loglevel\nverbose");
  CHECK(server.log().find("WORMHOLE_NO_SUCH_THING") != std::string::npos);
  CHECK(server.log().find("WORMHOLE_LOGLEVEL") != std::string::npos);
}

TEST_CASE("SIGTERM and SIGINT end it with status 0, and what was acknowledged is there again") {
  const TempDir dir;
  Server server(dir, "only");
  for (const int number : {SIGTERM, SIGINT}) {
    server.start_ready();
    CHECK(server.get("/set?key=" + std::to_string(number) + "&value=x").status == 200);
    REQUIRE(server.signal(number));
    CHECK(server.wait() == 0);
  }
  server.start_ready();
  CHECK(server.get("/get?key=" + std::to_string(SIGTERM)).body == "x");
  CHECK(server.get("/get?key=" + std::to_string(SIGINT)).body == "x");
  CHECK(server.kill() == 137);
  server.start_ready();
  CHECK(server.get("/get?key=" + std::to_string(SIGTERM)).body == "x");
}

TEST_CASE("one process at a time holds a data directory; a node keeps its name; a taken port is told") {
  const TempDir dir;
  Server one(dir, "one");
  one.start_ready();

  Server two(dir, "two");
  two.data_dir = one.data_dir;
  two.start();
  CHECK(two.wait() == 1);
  CHECK(two.log().find(one.data_dir) != std::string::npos);
  CHECK(one.ready());

  Server three(dir, "three");
  three.port = one.port;
  three.start();
  CHECK(three.wait() == 1);
  CHECK(three.log().find(std::to_string(one.port)) != std::string::npos);

  CHECK(one.stop() == 0);
  two.start();
  CHECK(two.wait() == 1);
  CHECK(two.log().find("one") != std::string::npos);
  one.start_ready();
}

TEST_CASE("the debug port by redis-cli and by nc") {
  const TempDir dir;
  Server server(dir, "only");
  server.start_ready();
  const auto nc = [&](const std::string& text) {
    return sh(dir, "printf '" + text + "' | nc -w 10 127.0.0.1 " + std::to_string(server.debug_port)).out;
  };

  CHECK(server.redis("PING") == "PONG");
  CHECK(server.redis("ECHO 'a b'") == "a b");
  CHECK(server.redis("GET k").empty());
  CHECK(server.redis("SET k v1") == "OK");
  CHECK(server.redis("GET k") == "v1");
  CHECK(server.get("/get?key=k").body == "v1");
  CHECK(server.redis("MSET a 1 b 2") == "OK");
  CHECK(server.redis("DBSIZE") == "3");
  CHECK(server.redis("EXISTS a b c") == "2");
  CHECK(server.redis("DEL a b c") == "2");

  // The queue behind /event.
  CHECK(server.redis("RPUSH event e1") == "1");
  CHECK(server.redis("RPUSH event e2") == "2");
  CHECK(server.get("/event").body == "e1");
  CHECK(server.redis("LINDEX event 0") == "e1");
  CHECK(server.redis("LPOP event") == "e1");
  CHECK(server.get("/event").body == "e2");
  CHECK(server.redis("LLEN event") == "1");
  // Keys and queues never meet.
  CHECK(server.redis("SET event key") == "OK");
  CHECK(server.redis("DEL event") == "1");
  CHECK(server.redis("LLEN event") == "1");

  CHECK(server.redis("NOSUCH").starts_with("ERR"));
  CHECK(server.redis("GET").starts_with("ERR"));
  CHECK(server.redis("CLUSTER").find("only 127.0.0.1:" + std::to_string(server.raft_port) + " voter leader") !=
        std::string::npos);
  const std::string info = server.redis("INFO");
  for (const char* part :
       {"# Server", "# Clients", "# Memory", "# Persistence", "# Stats", "# Raft", "# Keyspace", "role:leader",
        "term:", "leader_id:only", "commit_index:", "applied_index:", "connected_clients:", "uptime_in_seconds:"}) {
    CAPTURE(part);
    CHECK(info.find(part) != std::string::npos);
  }
  CHECK(server.redis("CONFIG SET request-timeout 2000") == "OK");
  CHECK(server.redis("CONFIG GET request-timeout") == "request-timeout\n2000");
  CHECK(server.redis("CONFIG SET port 1").starts_with("ERR"));

  CHECK(nc("PING\\r\\nQUIT\\r\\n") == "+PONG\r\n+OK\r\n");
  CHECK(nc("SET x \"a b\"\\nGET x\\nQUIT\\n") == "+OK\r\n$3\r\na b\r\n+OK\r\n");
  CHECK(nc("*2\\r\\n$3\\r\\nGET\\r\\n$1\\r\\nx\\r\\n*1\\r\\n$4\\r\\nQUIT\\r\\n") == "$3\r\na b\r\n+OK\r\n");

  // HAZARDS I1: another protocol is not answered, and nothing after it is executed.
  for (const char* foreign :
       {"POST / HTTP/1.1\\r\\n", "GET / HTTP/1.1\\r\\n", "Host: x\\r\\n", "\\026\\003\\001", "\\377\\373\\001"}) {
    CAPTURE(foreign);
    CHECK(nc(std::string(foreign) + "SET injected yes\\r\\n").empty());
  }
  CHECK(curl(dir, "-d 'SET injected yes' http://127.0.0.1:" + std::to_string(server.debug_port)).exit != 0);
  CHECK(server.redis("EXISTS injected") == "0");
}

TEST_CASE("a debug port at its default gives way when it is taken, one that was chosen does not") {
  const TempDir dir;
  Server one(dir, "one");
  one.start_ready();
  Server two(dir, "two");
  two.debug_port = one.debug_port;
  two.start();
  CHECK(two.wait() == 1);
  CHECK(two.log().find(std::to_string(one.debug_port)) != std::string::npos);

  // Whoever holds 1113 now: of two that have not chosen, one at most gets it.
  Server three(dir, "three");
  Server four(dir, "four");
  for (Server* server : {&three, &four}) {
    server->arguments = {{"--port", std::to_string(server->port), "--raft-port", std::to_string(server->raft_port),
                          "--dir", server->data_dir}};
    server->start_ready();
  }
  CHECK(count_of(three.log() + four.log(), "runs without a debug port") >= 1);
}

TEST_CASE("a password on all but /healthz and /readyz") {
  const TempDir dir;
  Server server(dir, "only");
  server.more = {"--requirepass", "long secret"};
  server.start_ready();
  CHECK(server.get("/healthz").status == 200);
  CHECK(server.get("/cluster").status == 401);
  CHECK_FALSE(server.get("/event").header("www-authenticate").empty());
  CHECK(server.get("/set?key=a&value=b").status == 401);
  CHECK(curl(dir, "-H 'Authorization: Bearer long secret' " + server.url("/get?key=a")).status == 404);
  CHECK(curl(dir, "-u 'anyone:long secret' " + server.url("/get?key=a")).status == 404);
  CHECK(curl(dir, "-u 'anyone:wrong' " + server.url("/get?key=a")).status == 401);
  CHECK(server.redis("GET a").starts_with("NOAUTH"));
  const std::string session =
      sh(dir, "printf 'AUTH \"long secret\"\\r\\nSET a 1\\r\\nQUIT\\r\\n' | nc -w 10 127.0.0.1 " +
                  std::to_string(server.debug_port))
          .out;
  CHECK(session == "+OK\r\n+OK\r\n+OK\r\n");
  CHECK(server.log().find("long secret") == std::string::npos);
}

TEST_CASE("protected mode: without a password only loopback is served, and the refusal says how to mend it") {
  const TempDir dir;
  // An address of this machine that is not loopback; the traffic stays within the machine all the same.
  const std::string address = sh(dir, "hostname -I | tr ' ' '\\n' | grep -m 1 -E '^[0-9.]+$' | tr -d '\\n'").out;
  if (address.empty()) {
    MESSAGE("not tested: this machine has no address but loopback's");
    return;
  }
  Server server(dir, "only", address);
  server.start();
  REQUIRE(eventually([&] { return server.get("/healthz").status == 200; }));
  const Answer refused = server.get("/get?key=a");
  CHECK(refused.status == 403);
  CHECK(refused.body.find("protected-mode") != std::string::npos);
  CHECK(refused.body.find("requirepass") != std::string::npos);
  CHECK(curl(dir, "-d event=x " + server.url("/event")).status == 403);
  CHECK(server.redis("PING").starts_with("DENIED"));
  CHECK(server.stop() == 0);

  server.more = {"--protected-mode", "no"};
  server.start_ready();
  CHECK(server.get("/get?key=a").status == 404);
  CHECK(server.get("/set?key=a&value=b").status == 403);  // get-writes: loopback
  CHECK(curl(dir, "-d 'key=a&value=b' " + server.url("/set")).status == 200);
}

TEST_CASE("cluster-secret: who does not hold it is not taken in") {
  const TempDir dir;
  Server first(dir, "first");
  Server second(dir, "second");
  Server stranger(dir, "stranger");
  first.more = {"--cluster-secret", "only members know"};
  second.more = {"--cluster-secret", "only members know", "--join", first.raft_address()};
  stranger.more = {"--cluster-secret", "only members guess", "--join", first.raft_address()};
  first.start_ready();
  stranger.start();
  second.start_ready();
  await_voters({&first, &second}, 2);
  CHECK(eventually([&] { return (first.log() + stranger.log()).find("cluster-secret") != std::string::npos; }));
  CHECK_FALSE(stranger.ready());
  CHECK(count_of(first.cluster(), "\"suffrage\"") == 2);
  CHECK((first.log() + stranger.log()).find("members") == std::string::npos);  // no secret in a log
}

TEST_CASE("bind-interface: the addresses of an interface, from the variable containers set") {
  const TempDir dir;
  Server server(dir, "only");
  server.arguments = {{"--port", std::to_string(server.port), "--raft-port", std::to_string(server.raft_port),
                       "--debug-port", "0", "--dir", server.data_dir}};
  server.environment = {{"WORMHOLE_BIND_INTERFACE", "lo"}};
  server.start_ready();
  CHECK(server.stop() == 0);
  server.environment = {{"WORMHOLE_BIND_INTERFACE", "nosuch0"}};
  server.start();
  CHECK(server.wait() == 1);
  CHECK(server.log().find("nosuch0") != std::string::npos);
}

TEST_CASE("requests of one connection take effect in the order they were sent") {
  const TempDir dir;
  Server server(dir, "only");
  server.start_ready();
  std::string requests;
  for (int i = 0; i < 50; ++i) {
    const std::string body = "event=" + std::to_string(i);
    requests +=
        "POST /event HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
        "application/x-www-form-urlencoded\r\nContent-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  requests += "GET /event HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  dir.write("requests", requests);
  const std::string answers = sh(dir, "nc -w 20 127.0.0.1 " + std::to_string(server.port) + " < requests").out;
  CHECK(count_of(answers, "HTTP/1.1 201") == 50);
  CHECK(count_of(answers, "HTTP/1.1 200") == 1);
  for (int i = 0; i < 50; ++i) CHECK(server.redis("LPOP event") == std::to_string(i));
}

TEST_CASE("make run's cluster: it serves, keeps its data, and ends with the script however that ends") {
  const TempDir dir;
  Server script(dir, "create-cluster");  // not a server, but started, watched and ended like one
  script.program = WORMHOLE_SOURCE_DIR "/utils/create-cluster";
  script.port = free_port({0, 1, 2});
  script.raft_port = free_port({0, 1, 10, 11, 20, 21});
  script.arguments = {{"run", std::to_string(script.port), std::to_string(script.raft_port)}};
  script.environment = {{"SERVER", kServer}, {"DATA", dir.path("data")}};
  const auto url = [&](int node, const std::string& path) {
    return "http://127.0.0.1:" + std::to_string(script.port + node) + path;
  };
  const auto started = [&](size_t times) {
    return eventually(
               [&] { return count_of(script.log(), "Ctrl-C stops the cluster") == times || !script.running(); }) &&
           script.running();
  };
  const auto all_ended = [&] {
    return eventually([&] {
      for (int node = 0; node < 3; ++node)
        if (curl(dir, url(node, "/healthz")).exit != 7) return false;  // 7: could not connect
      return true;
    });
  };

  script.start();
  REQUIRE(started(1));
  CHECK(script.log().find("curl -d 'order 1' " + url(0, "/queues/orders/events")) != std::string::npos);
  CHECK(curl(dir, "-d 'order 1' " + url(0, "/queues/orders/events")).status == 201);
  for (int node = 0; node < 3; ++node) CHECK(curl(dir, url(node, "/queues/orders/front")).body == "order 1");
  CHECK(count_of(script.log(), "node2 | ") > 0);

  // A second one does not get in the way of the first.
  const Output second = sh(dir, "SERVER=" + kServer + " DATA=other " + script.program + " run " +
                                    script.arguments->at(1) + " " + script.arguments->at(2));
  CHECK(second.status == 1);
  CHECK(second.err.find("ports " + script.arguments->at(1) + ", ") != std::string::npos);
  CHECK(second.err.find(" are taken") != std::string::npos);

  REQUIRE(script.signal(SIGINT));
  CHECK(script.wait() == 0);
  CHECK(all_ended());

  script.start();
  REQUIRE(started(2));
  CHECK(curl(dir, url(2, "/queues/orders/front")).body == "order 1");
  script.kill();
  CHECK(all_ended());
}

}  // namespace wh::testing
