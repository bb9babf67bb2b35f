// The badger example's walk-through: three nodes started by flags, the second and third join the first; keys as JSON
// under /key.
#include <doctest/doctest.h>

#include "harness.h"

namespace wh::testing {

TEST_CASE("the badger example's walk-through") {
  const TempDir dir;
  Server first(dir, "server_0");
  Server second(dir, "server_1");
  Server third(dir, "server_2");
  const Servers all{&first, &second, &third};
  for (Server* server : all) {
    server->arguments = {{"--node-id", server->name, "--port", std::to_string(server->port), "--raft-port",
                          std::to_string(server->raft_port), "--debug-port", "0", "--dir", server->data_dir}};
    if (server != &first) server->arguments->insert(server->arguments->end(), {"--join", first.raft_address()});
    server->start_ready();
  }
  await_voters(all, 3);

  const std::string key = "'localhost:" + std::to_string(first.port) + "/key/";
  const auto shows = [&](const std::string& command, const std::string& expected) {
    CAPTURE(command);
    const Output output = sh(dir, command);
    CHECK(output.status == 0);
    CHECK(output.out == expected);
  };
  shows("curl --location --request POST " + key + R"(' \
    --header 'Content-Type: application/json' \
    --data-raw '{
        "answer": "41",
        "foo": "bar"
    }')",
        "");
  shows("curl --location --request GET " + key + "answer'", "{\"answer\":\"41\"}\n");
  shows("curl --location --request GET " + key + "foo'", "{\"foo\":\"bar\"}\n");

  // "Reading keys is possible on every node"; here, so is all else.
  for (const Server* server : all) CHECK(server->get("/key/answer").body == "{\"answer\":\"41\"}\n");
  CHECK(curl(dir, "-d '{\"by\":\"third\"}' " + third.url("/key")).status == 200);
  CHECK(first.get("/key/by/").body == "{\"by\":\"third\"}\n");

  shows("curl --location --request DELETE " + key + "answer'", "");
  for (const Server* server : all) CHECK(server->get("/key/answer").status == 404);
  CHECK(curl(dir, "-X DELETE " + second.url("/key/foo")).status / 100 == 2);
  CHECK(curl(dir, "-X DELETE " + second.url("/key/foo")).status / 100 == 2);
  CHECK(first.get("/key/foo").status == 404);
}

TEST_CASE("keys: what is refused, and what is data") {
  const TempDir dir;
  Server server(dir, "only");
  server.start_ready();
  const auto post = [&](const std::string& json) {
    return curl(dir, "-d '" + json + "' " + server.url("/key")).status;
  };

  for (const char* bad : {"{}", "", "[]", "{\"a\":1}", "{\"a\":\"1\",\"a\":\"2\"}", "{\"\":\"x\"}", "{\"a\":\"b\"}x",
                          "{\"a\":\"\\udc00\"}"}) {
    CAPTURE(bad);
    CHECK(post(bad) == 400);
  }
  CHECK(curl(dir, "-F a=b " + server.url("/key")).status == 415);

  CHECK(post(R"({"a/b":"slash","empty":"","ü":"umlaut \u00fc"})") == 200);
  CHECK(server.get("/key/a%2Fb").body == "{\"a/b\":\"slash\"}\n");
  CHECK(server.get("/key/a/b").status == 404);
  CHECK(server.get("/key/empty").body == "{\"empty\":\"\"}\n");
  CHECK(server.get("/key/%C3%BC").body == "{\"ü\":\"umlaut ü\"}\n");
  CHECK(server.get("/get?key=a%2Fb").body == "slash");
  CHECK(server.get("/key/absent").status == 404);
  CHECK(server.get("/nowhere").status == 404);

  // Bytes that JSON cannot show.
  CHECK(server.get("/set?key=raw&value=%ff%00").status == 200);
  const Answer raw = server.get("/key/raw");
  CHECK(raw.status == 406);
  CHECK(raw.body.find("/get?key=") != std::string::npos);
  CHECK(server.get("/get?key=raw").body == std::string("\xff\0", 2));
}

}  // namespace wh::testing
