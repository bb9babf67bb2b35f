// CLIENT: what it tells of the connections, what a client may say of its own, and which it may end.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "fixture.h"

namespace wh::api {
namespace {

// A client that stays, at an address of its own.
struct PortClient {
  PortClient(test::Fronts& at, uint16_t port) : fronts(at) {
    fronts.debug.accept(std::make_unique<Stream>(*this, port));
  }
  ~PortClient() {
    if (!gone) handler->on_close("");
    fronts.debug.reap();
  }
  PortClient(const PortClient&) = delete;
  PortClient& operator=(const PortClient&) = delete;

  std::string ask(const std::string& bytes) {
    handler->on_data(bytes);
    while (fronts.pump()) {
    }
    return std::exchange(output, {});
  }

  struct Stream final : ByteStream {
    Stream(PortClient& of, uint16_t at) : client(of), port(at) {}
    void set_handler(StreamHandler* to) override { client.handler = to; }
    void write(std::string_view bytes) override { client.output += bytes; }
    void pause_reading() override {}
    void resume_reading() override {}
    void request_turn() override {}
    void close() override { client.closed = true; }
    void abort() override { client.aborted = true; }
    [[nodiscard]] size_t pending_bytes() const override { return 0; }
    [[nodiscard]] std::string peer_address() const override { return "::1"; }
    [[nodiscard]] std::string local_address() const override { return "127.0.0.1"; }
    [[nodiscard]] uint16_t peer_port() const override { return port; }
    [[nodiscard]] uint16_t local_port() const override { return 1113; }
    [[nodiscard]] bool peer_is_loopback() const override { return true; }
    [[nodiscard]] bool is_tls() const override { return false; }
    [[nodiscard]] bool peer_is_verified() const override { return false; }
    PortClient& client;
    uint16_t port;
  };
  test::Fronts& fronts;
  StreamHandler* handler = nullptr;
  std::string output;
  bool closed = false;
  bool aborted = false;
  bool gone = false;
};

// Of a bulk string, whose own two ends of lines do not count.
size_t lines_of(const std::string& reply) {
  return static_cast<size_t>(std::count(reply.begin(), reply.end(), '\n')) - 2;
}
bool has(const std::string& reply, const std::string& text) { return reply.find(text) != std::string::npos; }

}  // namespace

TEST_CASE("CLIENT INFO and LIST tell what is so") {
  test::Fronts fronts;
  PortClient one(fronts, 5001);
  PortClient two(fronts, 5002);
  CHECK(one.ask("CLIENT ID\r\n") == ":1\r\n");
  CHECK(two.ask("HELLO 3 SETNAME second\r\nCLIENT SETINFO LIB-NAME lib(x)\r\nclient setinfo lib-ver 1.2\r\n")
            .ends_with("+OK\r\n+OK\r\n"));
  fronts.now += 7'500;
  fronts.debug.check_deadlines();
  CHECK(one.ask("PING\r\n") == "+PONG\r\n");
  const std::string mine = two.ask("CLIENT INFO\r\n");
  CHECK(mine.find("id=2 addr=[::1]:5002 laddr=127.0.0.1:1113 fd=-1 name=second age=7 idle=0 flags=N db=0 ") < 8);
  CHECK(mine.ends_with(" events=r cmd=client user=default redir=-1 resp=3 lib-name=lib(x) lib-ver=1.2\n\r\n"));
  const std::string all = two.ask("CLIENT LIST\r\n");
  CHECK(lines_of(all) == 2);
  CHECK(has(all, "id=1 addr=[::1]:5001 laddr=127.0.0.1:1113 fd=-1 name= age=7 idle=0 "));
  CHECK(has(all, " cmd=ping user=default redir=-1 resp=2 lib-name= lib-ver=\nid=2 "));
  CHECK(lines_of(two.ask("CLIENT LIST ID 1 77\r\n")) == 1);
  CHECK(lines_of(two.ask("CLIENT LIST TYPE normal\r\n")) == 2);
  CHECK(two.ask("CLIENT LIST TYPE pubsub\r\n") == "$0\r\n\r\n");
  for (const char* wrong :
       {"LIST ID", "LIST ID x", "LIST ID 0", "LIST TYPE none", "LIST all", "NOPE", "ID 1", "SETNAME"})
    CHECK(two.ask("CLIENT " + std::string(wrong) + "\r\n").starts_with("-ERR "));
}

TEST_CASE("a name cannot forge a line or a field, and is bounded") {
  test::Fronts fronts;
  PortClient client(fronts, 5001);
  CHECK(client.ask("CLIENT GETNAME\r\n") == "$-1\r\n");
  CHECK(client.ask("CLIENT SETNAME worker-1\r\nCLIENT GETNAME\r\n") == "+OK\r\n$8\r\nworker-1\r\n");
  const std::string long_name(debug::kMaxLabelBytes + 1, 'x');
  for (const std::string& bad : {std::string("a b"), std::string("a\nid=9"), std::string("a\r"), std::string("a\0b", 3),
                                 std::string("\x7f"), std::string("\xff"), std::string("\x1b[2J"), long_name})
    for (const auto& words : {std::vector<std::string>{"CLIENT", "SETNAME", bad},
                              std::vector<std::string>{"CLIENT", "SETINFO", "LIB-NAME", bad},
                              std::vector<std::string>{"CLIENT", "SETINFO", "LIB-VER", bad},
                              std::vector<std::string>{"HELLO", "2", "SETNAME", bad}})
      CHECK(
          has(client.ask(debug::test::resp_request(words)), " cannot contain spaces, newlines or special characters"));
  CHECK(client.ask("CLIENT GETNAME\r\n") == "$8\r\nworker-1\r\n");
  CHECK(lines_of(client.ask("CLIENT LIST\r\n")) == 1);
  CHECK(client.ask("CLIENT SETNAME \"\"\r\nCLIENT GETNAME\r\n") == "+OK\r\n$-1\r\n");
  CHECK(client.ask("CLIENT SETNAME " + long_name.substr(1) + "\r\n") == "+OK\r\n");
  CHECK(client.ask("CLIENT SETINFO COLOUR red\r\n").starts_with("-ERR Unrecognized option"));
}

TEST_CASE("a list that is too long for one answer is refused, not shortened") {
  test::Fronts fronts;
  std::vector<std::unique_ptr<PortClient>> all;
  const std::string label(debug::kMaxLabelBytes, 'x');
  for (uint16_t port = 1; port <= 4'500; ++port) {
    all.push_back(std::make_unique<PortClient>(fronts, port));
    all.back()->ask("CLIENT SETNAME " + label + "\r\nCLIENT SETINFO LIB-NAME " + label + "\r\nCLIENT SETINFO LIB-VER " +
                    label + "\r\n");
  }
  CHECK(all[0]->ask("CLIENT LIST\r\n").starts_with("-ERR there are too many clients for one answer"));
  CHECK(lines_of(all[0]->ask("CLIENT LIST ID 5 4500\r\n")) == 2);
  CHECK(all[0]->ask("CLIENT KILL TYPE normal\r\n") == ":4499\r\n");
}

TEST_CASE("CLIENT KILL ends whom its filters name, and the one that asks when it is answered") {
  test::Fronts fronts;
  PortClient asking(fronts, 5001);
  PortClient two(fronts, 5002);
  PortClient three(fronts, 5003);
  PortClient four(fronts, 5004);
  CHECK(asking.ask("CLIENT KILL ID 99\r\n") == ":0\r\n");
  CHECK(asking.ask("CLIENT KILL ID 2 ADDR [::1]:5003\r\n") == ":0\r\n");
  CHECK(asking.ask("CLIENT KILL TYPE pubsub\r\n") == ":0\r\n");
  CHECK(asking.ask("CLIENT KILL [::1]:5009\r\n") == "-ERR No such client\r\n");
  CHECK(asking.ask("CLIENT KILL ID 2\r\n") == ":1\r\n");
  CHECK(two.aborted);
  CHECK(asking.ask("CLIENT KILL ID 2\r\n") == ":0\r\n");
  CHECK(asking.ask("CLIENT KILL [::1]:5003\r\n") == "+OK\r\n");
  CHECK(three.aborted);
  CHECK_FALSE(four.aborted);
  CHECK(lines_of(asking.ask("CLIENT LIST\r\n")) == 2);
  CHECK(asking.ask("CLIENT KILL LADDR 127.0.0.1:1113 USER default\r\n") == ":1\r\n");
  CHECK(four.aborted);
  for (const char* wrong : {"", " ID", " ID 0", " ID x", " SKIPME maybe ID 1", " USER other", " NOPE 1", " ID 1 ADDR"})
    CHECK(asking.ask("CLIENT KILL" + std::string(wrong) + "\r\n").starts_with("-ERR "));
  CHECK_FALSE(asking.closed);
  CHECK(asking.ask("CLIENT KILL ID 1\r\nCLIENT KILL SKIPME no ID 1\r\nPING\r\n") == ":0\r\n:1\r\n");
  CHECK(asking.closed);
}

TEST_CASE("CLIENT KILL ends a wait, and what waited takes nothing") {
  test::Fronts fronts(kLatestVersion);
  PortClient asking(fronts, 5001);
  PortClient waiting(fronts, 5002);
  CHECK(waiting.ask("BLPOP q 0\r\n").empty());
  CHECK(fronts.node.waiting() == 1);
  CHECK(asking.ask("CLIENT KILL ID 2\r\n") == ":1\r\n");
  CHECK(fronts.node.waiting() == 0);
  CHECK(asking.ask("RPUSH q e\r\nLLEN q\r\n") == ":1\r\n:1\r\n");
}

TEST_CASE("CLIENT LIST and KILL need the rights of an administrator, as CONFIG SET does") {
  for (const char* words : {"LIST", "KILL ID 1", "KILL 127.0.0.1:1"}) {
    std::vector<std::string> arguments{"client"};
    for (std::string rest = words; !rest.empty();) {
      const size_t space = std::min(rest.find(' '), rest.size());
      arguments.push_back(rest.substr(0, space));
      rest.erase(0, space + 1);
    }
    const CommandBegun begun = client_commands()[0].begin(arguments);
    REQUIRE(begun.ok());
    REQUIRE(begun->operations.size() == 1);
    CHECK(traits_of(begun->operations[0]).verb == security::Verb::admin);
  }
}

TEST_CASE("what would promise what is not so is refused") {
  test::Fronts fronts(kLatestVersion);
  PortClient client(fronts, 5001);
  CHECK(client.ask("CLIENT NO-EVICT off\r\nCLIENT NO-TOUCH on\r\nCLIENT REPLY ON\r\n") == "+OK\r\n+OK\r\n+OK\r\n");
  CHECK(client.ask("CLIENT NO-EVICT on\r\n").starts_with("-ERR no client is exempt"));
  CHECK(client.ask("CLIENT NO-EVICT maybe\r\n").starts_with("-ERR syntax error"));
  CHECK(client.ask("CLIENT NO-TOUCH maybe\r\n").starts_with("-ERR syntax error"));
  CHECK(client.ask("HELLO 3\r\nCONFIG GET maxclients\r\n").ends_with("%1\r\n$10\r\nmaxclients\r\n$5\r\n10000\r\n"));
  CHECK(client.ask("GET nothing\r\nLPOP q 2\r\n") == "_\r\n_\r\n");
}

}  // namespace wh::api
