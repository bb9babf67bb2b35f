// wormhole-cli against a real cluster: every command as a table and as JSON, and what each exit status means.
#include <csignal>

#include <doctest/doctest.h>

#include "authority.h"
#include "cli_run.h"
#include "harness.h"

namespace wh::testing {
namespace {

struct CliNodes : ThreeNodes {
  explicit CliNodes(const std::vector<std::string>& more = {}) : ThreeNodes(more) {}
  Cli cli{dir, urls(all)};
};

TEST_CASE("status, members, transfer, settings") {
  CliNodes nodes;
  Server& leader = await_leader(nodes.all);
  // The leader counts a follower as alive only once it has heard it.
  CHECK(eventually([&] { return nodes.cli.run("status").status == 0; }));
  const std::string table = nodes.cli.out("status");
  CHECK(has(table, "ID      ADDRESS"));
  for (const Server* server : nodes.all) {
    CHECK(has(table, server->name + "  127.0.0.1:" + std::to_string(server->port)));
    Cli one = nodes.cli;
    one.endpoints = server->url();
    // Whichever is asked.
    CHECK(has(one.out("status"), "leader " + leader.name));
    CHECK(has(one.out("status"), "1 more voter may fail: it goes on while 2 voters of 3 can reach each other."));
    CHECK(has(one.out("-o json status"), "\"leader_id\":\"" + leader.name + "\",\"tolerates\":1,\"healthy\":true"));
  }
  CHECK(count_of(table, "alive") == 3);
  CHECK(count_of(table, "\x1b") == 0);
  CHECK(has(nodes.cli.out("members"), nodes.a.raft_address()));
  CHECK(count_of(nodes.cli.out("members -o json"), "\"suffrage\":\"voter\"") == 3);

  Server& other = leader.name == nodes.a.name ? nodes.b : nodes.a;
  CHECK(nodes.cli.run("transfer " + other.name).err == other.name + " leads\n");
  CHECK(await_leader(nodes.all).name == other.name);
  CHECK(nodes.cli.run("transfer nobody").status == 1);

  CHECK(has(nodes.cli.out("settings max_queues=77 default_ttl=5m"), "max_queues                  77\n"));
  CHECK(has(nodes.cli.out("settings -o json"), "\"max_queues\":77"));
  CHECK(nodes.cli.run("settings max_queuess=1").status == 1);
  CHECK(nodes.cli.run("settings max_queues").status == 2);
  CHECK(has(nodes.cli.out("settings --queue q max_deliveries=3 'backoff=[\"1s\"]'"), "[\"1s\"]"));
  CHECK(has(nodes.cli.out("settings --queue q"), "max_deliveries      3"));
}

TEST_CASE("a silent member, a lost quorum, a member replaced") {
  CliNodes nodes;
  Server& leader = await_leader(nodes.all);
  const Servers rest = others(nodes.all, leader);
  leader.kill();
  Server& second = await_leader(rest);
  CHECK(eventually([&] { return has(nodes.cli.run("status").out, "silent"); }));
  const Output status = nodes.cli.run("status");
  CHECK(status.status == 1);
  CHECK(has(status.out, "NOT ONE more voter may fail"));
  CHECK(has(nodes.cli.run("status -o json").out, "\"healthy\":false"));

  CHECK(nodes.cli.run("remove " + leader.name).err == leader.name + " is no member any more\n");
  CHECK(nodes.cli.run("remove " + leader.name).status == 1);
  Server fresh(nodes.dir, "node_4");
  fresh.start_ready();
  CHECK(nodes.cli.run("add node_4 " + fresh.raft_address()).err == "node_4 is a voter\n");
  CHECK(eventually([&] { return nodes.cli.run("status").status == 0; }));
  CHECK(nodes.cli.run("add node_5 127.0.0.1:1 --timeout 1s").status != 0);

  // Without a quorum a read of the cluster's state finds nobody, and a stale one does.
  CHECK(nodes.cli.run("put k v").status == 0);
  CHECK(eventually([&] { return second.cluster_field("commit_index") == fresh.cluster_field("applied_index"); }));
  others(rest, second)[0]->kill();
  fresh.kill();
  const Output get = nodes.cli.run("get k --timeout 3s --answer-timeout 1s");
  CHECK(get.status == 3);
  CHECK(has(get.err, "nobody answered"));
  for (const Server* server : nodes.all) CHECK(has(get.err, server->url() + ": "));
  CHECK(nodes.cli.out("get k --stale") == "v");
  CHECK(nodes.cli.run("status").status == 1);
}

TEST_CASE("keys") {
  CliNode node;
  const Cli& cli = node.cli;
  const std::string index = cli.out("put a/b blue");
  CHECK(cli.out("get a/b") == "blue");
  CHECK(has(cli.out("get a/b -o json"),
            "{\"key\":\"a/b\",\"value\":\"blue\",\"content_type\":\"application/octet-stream\","));
  const Output absent = cli.run("get nothing");
  CHECK(absent.status == 1);
  CHECK(absent.out.empty());
  CHECK(absent.err == "wormhole-cli: there is no such key (404), says " + node.server.url() + "\n");
  CHECK(cli.run("put a/b red --if-absent").status == 1);
  CHECK(cli.run("put a/b red --if-match 1").status == 1);
  CHECK(cli.run("put a/b red --if-match " + index).status == 0);
  CHECK(has(cli.out("put other x -o json"), "{\"created\":true,\"mod_index\":"));

  // Any bytes, from standard input and from a file.
  const std::string bytes("\0\x01\xff\n\0", 5);
  CHECK(cli.run_with(bytes, "put bytes").status == 0);
  CHECK(cli.out("get bytes") == bytes);
  CHECK(cli.run("put file --file input").status == 0);
  CHECK(cli.out("get file") == bytes);
  CHECK(cli.run_with(bytes, "put dash - --content-type image/png").status == 0);
  CHECK(has(cli.out("get dash -o json"), "\"value_base64\":\"AAH/CgA=\",\"content_type\":\"image/png\""));
  CHECK(cli.run("put k --file nowhere").status == 1);
  CHECK(cli.run("put ' %2F/?&=#+ü' odd").status == 0);
  CHECK(cli.out("get ' %2F/?&=#+ü'") == "odd");

  CHECK(cli.out("incr n") == "1\n");
  CHECK(cli.out("incr n --by -5 -o json") == "{\"value\":-4}\n");
  CHECK(cli.run("incr a/b").status == 1);
  CHECK(cli.run("put short x --ttl 1h").status == 0);
  const std::string left = cli.out("list short");
  CHECK((has(left, "59 min") || has(left, "1 h")));
  const std::string lease = json_field(node.server.post("/leases?ttl=1h").body, "id");
  CHECK(cli.run("put leased x --lease " + lease).status == 0);
  CHECK(has(cli.out("list leased"), lease + "\n"));
  CHECK(has(cli.out("leases"), lease));
  CHECK(has(cli.out("leases " + lease), "\"leased\""));
  CHECK(has(cli.out("leases -o json"), "\"ttl_ms\":3600000"));
  CHECK(cli.run("leases 1").status == 1);
  CHECK(cli.run("put leased x --lease 1").status == 1);
  CHECK(cli.run("del n").status == 0);
  CHECK(cli.run("del n").status == 0);
  CHECK(cli.run("del").status == 2);
  CHECK(cli.run("del a/b --if-match 1").status == 1);
}

TEST_CASE("a list over many pages, and a prefix deleted") {
  CliNode node;
  std::string operations;
  for (int part = 0; part < 20; ++part) {
    operations.clear();
    for (int n = 0; n < 120; ++n)
      operations += std::string(n == 0 ? "" : ",") + "{\"put\":{\"key\":\"p/" +
                    std::to_string(10'000 + part * 120 + n) + "\",\"value\":\"v\"}}";
    REQUIRE(node.cli.run_with("{\"success\":[" + operations + "]}", "txn").status == 0);
  }
  const std::string keys = node.cli.out("list p/ --keys");
  CHECK(count_of(keys, "\n") == 2'400);
  CHECK(keys.starts_with("p/10000\np/10001\n"));
  CHECK(keys.ends_with("p/12399\n"));
  CHECK(count_of(node.cli.out("list p/ -o json --limit 1500"), "\n") == 1'500);
  CHECK(count_of(node.cli.out("list p/1000"), "\n") == 11);
  // A reader that has enough is no error to speak of.
  CHECK(sh(node.dir, node.cli.line("list p/ -o json") + " 2>err | head -n 1 >one; wc -c <err").out == "0\n");
  CHECK(node.cli.out("del --prefix p/") == "2400\n");
  CHECK(node.cli.out("list p/").empty());
}

TEST_CASE("transactions") {
  CliNode node;
  const std::string text =
      R"({"compare":[{"key":"a","exists":false}],"success":[{"put":{"key":"a","value":"1"}}],"failure":[{"get":{"key":"a"}}]})";
  CHECK(has(node.cli.run_with(text, "txn").out, "{\"succeeded\":true,"));
  const Output second = node.cli.run_with(text, "txn -");
  CHECK(second.status == 1);
  CHECK(has(second.out, "\"succeeded\":false"));
  CHECK(has(second.err, "what stands under \"failure\" was done"));
  node.dir.write("t.json", text);
  CHECK(node.cli.run("txn t.json").status == 1);
  CHECK(node.cli.run_with("{", "txn").status == 2);
  CHECK(node.cli.run_with("{\"sucess\":[]}", "txn").status == 1);
}

TEST_CASE("an event from enqueue to ack, release, bury and redrive") {
  CliNode node;
  const Cli& cli = node.cli;
  const auto receive = [&](std::string& id, std::string& receipt) {
    const std::string event = cli.out("receive q -o json --visibility-timeout 1m");
    id = json_field(event, "id");
    receipt = json_field(event, "receipt");
    return json_field(event, "data");
  };
  std::string id;
  std::string receipt;
  const std::string first = cli.out("enqueue q 'order 1' --attribute type=new --attribute 'note=two words, \xc3\xbc'");
  const std::string peek = cli.out("peek q -o json");
  CHECK(has(peek, "\"attributes\":{\"note\":\"two words, \xc3\xbc\",\"type\":\"new\"}"));
  CHECK(has(peek, "\"content_type\":\"text/plain\""));
  CHECK(receive(id, receipt) == "order 1");
  CHECK(id + "\n" == first);
  CHECK(cli.run("receive q").status == 1);
  CHECK(cli.run("extend q " + id + " " + receipt).status == 2);
  CHECK(has(cli.out("extend q " + id + " " + receipt + " --visibility-timeout 5m"), "\"visible_at\""));
  CHECK(cli.run("release q " + id + " " + receipt).status == 0);
  CHECK(receive(id, receipt) == "order 1");
  CHECK(cli.run("ack q " + id + " " + receipt + "x").status == 1);
  CHECK(cli.run("bury q " + id + " " + receipt + " --reason 'no customer'").status == 0);
  CHECK(has(cli.out("peek q.dead"), "no customer"));
  CHECK(has(cli.out("peek q.dead " + id + " -o json"), "\"reason\":\"no customer\""));
  CHECK(cli.out("redrive q") == "1\n");
  CHECK(cli.out("redrive q --from q.dead -o json") == "{\"moved\":0}\n");
  CHECK(receive(id, receipt) == "order 1");
  CHECK(cli.run("ack q " + id + " " + receipt).status == 0);
  CHECK(cli.run("ack q " + id + " " + receipt).status == 0);

  CHECK(cli.run_with("one\n\ntwo\nthree", "enqueue q --lines").err == "3 events enqueued; empty lines left out: 1\n");
  CHECK(has(cli.out("receive q --max 10"), "three"));
  CHECK(cli.run("enqueue q later --delay 1h").status == 0);
  CHECK(has(cli.out("peek q --state delayed"), "later"));
  CHECK(has(cli.out("queues q"), "delayed                      1\n"));
  CHECK(has(cli.out("queues"), "q.dead"));
  CHECK(count_of(cli.out("queues --prefix q. -o json"), "\n") == 1);
  CHECK(cli.run("pause q --direction in").status == 0);
  const Output paused = cli.run("enqueue q x");
  CHECK(paused.status == 1);
  CHECK(has(paused.err, "takes nothing in"));
  CHECK(cli.run("resume q").status == 0);
  CHECK(cli.run("pause q --direction up").status == 2);
  CHECK(cli.out("purge q") == "4\n");
  CHECK(cli.run("queues nowhere").status == 1);
  CHECK(cli.run("delete-queue q").status == 0);
  CHECK(cli.run("delete-queue q").status == 1);
  CHECK(cli.out("receive r --wait 1ms 2>&1 || true") == "no event is ready in r\n");
}

TEST_CASE("all dead events are redriven, over the limit of one request") {
  TempDir dir;
  Server server(dir, "only");
  server.start_ready();
  const Cli cli{dir, server.url()};
  std::string lines;
  for (int n = 0; n < 2'500; ++n) lines += "x\n";
  CHECK(cli.run("settings --queue q delay=0").status == 0);
  CHECK(cli.run_with(lines, "enqueue q.dead --lines").status == 0);
  CHECK(cli.out("redrive q --max 1200") == "1200\n");
  CHECK(cli.out("redrive q --idempotency-key one -o json") == "{\"moved\":1300}\n");
  CHECK(cli.out("redrive q --idempotency-key one") == "1300\n");
  CHECK(cli.out("redrive q") == "0\n");
  CHECK(cli.run("redrive q --max 0").status == 2);
  CHECK(cli.run("redrive q --from q").status == 2);
}

TEST_CASE("events are removed by their ids") {
  CliNode node;
  const std::string one = node.cli.out("enqueue q one");
  const std::string id = one.substr(0, one.size() - 1);
  const Output removed = node.cli.run("remove-events q " + id + " 999");
  CHECK(removed.out == id + "  removed\n999  gone\n");
  CHECK(removed.status == 1);
  CHECK(node.cli.run("remove-events q 9x").status == 2);
}

TEST_CASE("a command for each event") {
  CliNode node;
  const Cli& cli = node.cli;
  CHECK(cli.run("settings --queue q max_deliveries=2").status == 0);
  CHECK(cli.run_with("good 1\nbad\ngood 2\n", "enqueue q --lines").status == 0);
  const Output worked = cli.run(
      "receive q --until-empty -- sh -c 'read -r e; echo \"$WORMHOLE_DELIVERIES $e\"; case $e in bad) exit 3;; esac'");
  CHECK(worked.status == 0);
  CHECK(count_of(worked.out, "1 good 1\n") == 1);
  CHECK(count_of(worked.out, "1 good 2\n") == 1);
  CHECK(count_of(worked.out, "1 bad\n") == 1);
  CHECK(count_of(worked.out, "2 bad\n") == 1);
  CHECK(count_of(worked.err, "failed with status 3") == 2);
  CHECK(has(cli.out("peek q.dead"), "bad"));

  // Longer than its reservation: it is extended, so that nobody else is shown it meanwhile.
  CHECK(cli.run("enqueue slow work").status == 0);
  const std::string other = std::string("'") + WORMHOLE_CLI + "' receive slow || echo ': mine'";
  CHECK(cli.out("receive slow --count 1 --visibility-timeout 1s -- sh -c \"sleep 3; cat; " + other + "\"") ==
        "work: mine\n");
  CHECK(has(cli.out("queues slow"), "acknowledged_total           1\n"));

  CHECK(cli.run("enqueue q x").status == 0);
  CHECK(cli.run("receive q -- /nowhere/program").status == 1);
  CHECK(cli.out("receive q --ack") == "x");
  CHECK(cli.run("receive q --count 1").status == 2);
  CHECK(cli.run("receive q --ack -- cat").status == 2);
}

TEST_CASE("a watch, a stream, and changes that are not kept any more") {
  CliNode node({"--watch-history", "64kb"});
  const Cli& cli = node.cli;
  const std::string index = cli.out("put w/a 1");
  CHECK(cli.run("put w/b 2").status == 0);
  CHECK(cli.run("del w/a").status == 0);
  const std::string from = " --from " + index.substr(0, index.size() - 1);
  const std::string changes = cli.out("watch --prefix w/ --count 3" + from);
  CHECK(changes.starts_with("put  "));
  CHECK(count_of(changes, "\n") == 3);
  CHECK(has(changes, "delete  "));
  CHECK(count_of(cli.out("watch w/a --count 2 -o json" + from), "\"event\":\"") == 2);
  CHECK(has(cli.out("watch w/b --initial --count 1"), "w/b  2\n"));
  CHECK(cli.run("watch w/b --from 999999").status == 1);
  CHECK(cli.run("watch").status == 2);

  // Old changes make room for new ones.
  for (int n = 0; n < 12; ++n)
    CHECK(cli.run_with(std::string(10'000, 'x'), "put big/" + std::to_string(n)).status == 0);
  const Output lost = cli.run("watch --prefix '' --count 1" + from);
  CHECK(lost.status == 0);
  CHECK(has(lost.err, "changes were lost"));
  CHECK(has(lost.out, "big/"));
  CHECK(cli.run("watch w/b --initial" + from).status == 2);

  CHECK(cli.run_with("one\ntwo\n", "enqueue q --lines").status == 0);
  CHECK(has(cli.out("stream q --count 2"), "ready  one\n"));
  CHECK(count_of(cli.out("stream q --count 2 -o json"), "\"data\"") == 2);
}

TEST_CASE("a backup") {
  CliNode node;
  const Cli& cli = node.cli;
  CHECK(cli.run("put a b").status == 0);
  const Output made = cli.run("backup saved.db");
  CHECK(made.status == 0);
  CHECK(made.out.empty());
  CHECK(made.err.starts_with("saved.db: "));
  CHECK(sh(node.dir, "ls | grep -c unfinished").out == "0\n");
  CHECK(sh(node.dir, "stat -c %a saved.db").out == "600\n");
  const Output twice = cli.run("backup saved.db");
  CHECK(twice.status == 1);
  CHECK(has(twice.err, "--force"));
  CHECK(has(cli.out("backup --force saved.db -o json"), "{\"bytes\":"));
  CHECK(cli.run("backup nowhere/saved.db").status == 1);

  const std::string server(WORMHOLE_SERVER);
  Cli with_server = cli;
  with_server.environment = "PATH='" + server.substr(0, server.rfind('/')) + "':\"$PATH\" ";
  CHECK(has(with_server.out("verify saved.db"), "saved.db is good"));
  CHECK(has(with_server.out("backup --force --verify saved.db"), "saved.db is good"));
  CHECK(with_server.run("verify nowhere.db").status == 1);
  CHECK(sh(node.dir, "yes damage | dd of=saved.db bs=4096 seek=3 count=1 conv=notrunc 2>/dev/null").status == 0);
  CHECK(with_server.run("verify saved.db").status == 1);
  Cli without = cli;
  without.environment = "PATH=/nowhere ";
  const Output missing = without.run("verify saved.db");
  CHECK(missing.status == 1);
  CHECK(has(missing.err, "wormhole-server is needed"));
}

TEST_CASE("hostile names and values reach no terminal as they are") {
  CliNode node;
  const Cli& cli = node.cli;
  const std::string evil =
      "\x1b]0;owned\x07\xc2\x9b"
      "2J\r\n<script>";
  CHECK(cli.run_with(evil, "put \"$(printf 'k\\033[2J')\"").status == 0);
  CHECK(cli.run_with(evil, "enqueue q").status == 0);
  for (const char* command : {"list", "list --keys", "peek q", "receive q --max 2",
                              "watch --prefix k --initial --count 1", "stream q --count 1"}) {
    CAPTURE(command);
    const std::string out = cli.out(command);
    CHECK(count_of(out, "\x1b") == 0);
    CHECK(count_of(out, "\x07") == 0);
    CHECK(count_of(out, "\xc2\x9b") == 0);
    CHECK(has(out, "\\x1b"));
  }
  // A terminal, made by script(1), gets `get` escaped, with a note; a pipe and --raw get the bytes.
  const std::string key = "\"$(printf 'k\\033[2J')\"";
  const auto on_terminal = [&](const std::string& arguments) {
    node.dir.write("typed", cli.line(arguments) + "\n");
    return sh(node.dir, "TERM=xterm script -qec 'sh typed' /dev/null </dev/null").out;
  };
  CHECK(cli.out("get " + key) == evil);
  const std::string seen = on_terminal("get " + key);
  CHECK(has(seen, "\\x1b]0;owned\\x07"));
  CHECK(has(seen, "--raw"));
  CHECK(count_of(seen, "\x1b]0") == 0);
  CHECK(has(on_terminal("get --raw " + key), "\x1b]0;owned"));
  CHECK(has(on_terminal("queues"), "\x1b[1mQUEUE"));
  node.dir.write("typed", "NO_COLOR=1 " + cli.line("queues") + "\n");
  CHECK(count_of(sh(node.dir, "TERM=xterm script -qec 'sh typed' /dev/null </dev/null").out, "\x1b") == 0);
}

TEST_CASE("a password, from a file and from the environment") {
  CliNode node({"--requirepass", "open: s\xc3\xa9same"});
  Cli cli = node.cli;
  const Output refused = cli.run("get k");
  CHECK(refused.status == 1);
  CHECK(has(refused.err, "401"));
  CHECK(has(refused.err, "--password-file FILE"));
  node.dir.write("password", "open: s\xc3\xa9same\n");
  CHECK(cli.run("put k v --password-file password").status == 0);
  cli.environment = "WORMHOLE_PASSWORD='open: s\xc3\xa9same' ";
  CHECK(cli.out("get k") == "v");
  CHECK(cli.run("status").status == 1);  // a lone node tolerates no failure
  cli.environment = "WORMHOLE_PASSWORD_FILE=password ";
  CHECK(cli.out("get k") == "v");
  cli.environment = "WORMHOLE_PASSWORD=wrong ";
  CHECK(cli.run("get k").status == 1);
  const Output typed = cli.run("get k --password wrong");
  CHECK(typed.status == 2);
  CHECK(has(typed.err, "must not stand on the command line"));
}

TEST_CASE("TLS with an authority of one's own") {
  TempDir dir;
  const Authority authority(dir);
  authority.issue("node", "IP:127.0.0.1");
  Server server(dir, "only");
  server.tls_port = server.port;
  server.more = {"--tls-cert-file", "node.pem", "--tls-key-file", "node-key.pem"};
  server.start();
  Cli cli{dir, server.url()};
  CHECK(eventually([&] { return cli.run("put k v --cacert ca.pem").status == 0; }));
  CHECK(cli.out("get k --cacert ca.pem") == "v");
  CHECK(has(cli.out("status --cacert ca.pem || true"), "https://"));
  const Output untrusted = cli.run("get k");
  CHECK(untrusted.status == 3);
  CHECK(has(untrusted.err, "--cacert FILE"));
  CHECK(cli.out("get k --insecure") == "v");
  cli.environment = "WORMHOLE_CACERT=ca.pem ";
  CHECK(cli.out("get k") == "v");
  // A host that the certificate does not name.
  cli.endpoints = "https://localhost:" + std::to_string(server.port);
  CHECK(cli.run("get k").status == 3);
  cli.endpoints = "http://127.0.0.1:" + std::to_string(server.port);
  const Output plain = cli.run("get k --timeout 2s");
  CHECK(plain.status != 0);
  CHECK(has(plain.err, "https"));
}

TEST_CASE("usage errors and help") {
  CliNode node;
  const Output wrong = node.cli.run("staus");
  CHECK(wrong.status == 2);
  CHECK(wrong.out.empty());
  CHECK(has(wrong.err, "did you mean 'status'?"));
  CHECK(node.cli.run("").status == 2);
  CHECK(node.cli.run("get").status == 2);
  CHECK(has(node.cli.out("--help"), "remove-events QUEUE ID..."));
  CHECK(has(node.cli.out("help lock"), "-- COMMAND..."));
  CHECK(node.cli.out("--version").starts_with("wormhole-cli 0."));
  CHECK(sh(node.dir, node.cli.line("--help") + " >/dev/full").status == 1);
}

}  // namespace
}  // namespace wh::testing
