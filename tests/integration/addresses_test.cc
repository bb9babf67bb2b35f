// Addresses that change, names that resolve anew, port mappings and wildcard binds, between hosts of their own.
#include <doctest/doctest.h>

#include "harness.h"
#include "netns.h"

namespace wh::testing {

TEST_CASE("The hosts of these tests are hosts: addresses, names, mappings, cuts and limits are real") {
  if (no_namespaces()) return;
  const TempDir dir;
  Network network(dir);
  Host& a = network.host("a", {"10.77.0.1/24", "fd77::1/64"});
  Host& b = network.host("b", {"10.77.0.2/24"});
  Host& router = network.host("router", {"10.77.0.9/24"});
  Host& inner = network.behind(router, "192.168.77.1/24", "inner", "192.168.77.2/24");
  b.set_names({{"one", "10.77.0.1"}});

  Server server(dir, "node1", "10.77.0.1");
  server.netns = a.netns();
  server.bind = "*";
  server.more = {"--protected-mode", "no"};
  server.start_ready();
  const std::string port = ":" + std::to_string(server.port) + "/healthz";
  const std::string options = "--connect-timeout 0.3 ";
  CHECK(b.curl(options + "http://10.77.0.1" + port).status == 200);
  CHECK(b.curl(options + "http://127.0.0.1" + port).status == 0);
  CHECK(inner.curl(options + "http://10.77.0.1" + port).status == 200);
  CHECK(b.sh("getent hosts one").out.starts_with("10.77.0.1"));
  b.set_names({{"one", "10.77.0.3"}});
  CHECK(b.sh("getent hosts one").out.starts_with("10.77.0.3"));

  b.drop_from(a);
  CHECK(b.curl(options + "http://10.77.0.1" + port).status == 0);
  CHECK(router.curl(options + "http://10.77.0.1" + port).status == 200);
  b.mend();
  CHECK(b.curl(options + "http://10.77.0.1" + port).status == 200);
  a.unplug();
  CHECK(b.curl(options + "http://10.77.0.1" + port).status == 0);
  a.plug_in();
  CHECK(eventually([&] { return b.curl(options + "http://10.77.0.1" + port).status == 200; }));
  a.set_addresses({"10.77.0.3/24"});
  CHECK(b.curl(options + "http://10.77.0.3" + port).status == 200);

  Server hidden(dir, "node2", "192.168.77.2");
  hidden.netns = inner.netns();
  hidden.more = {"--protected-mode", "no"};
  hidden.start_ready();
  router.map_port(9000, "192.168.77.2", hidden.port);
  CHECK(b.curl(options + "http://10.77.0.9:9000/healthz").status == 200);

  // 64 kbit/s are 8 KB/s, and 32 KiB pass at once.
  const std::string body = dir.write("body", R"({"k":")" + std::string(100'000, 'x') + R"("})");
  CHECK(b.curl("-d @" + body + " http://10.77.0.3:" + std::to_string(server.port) + "/key/").status == 200);
  b.limit_kbit(64);
  CHECK(b.curl("--max-time 1 http://10.77.0.3:" + std::to_string(server.port) + "/get?key=k").exit == 28);
  b.limit_kbit(0);
}

}  // namespace wh::testing
