// The configs of docs/proxies.md, with only the ports changed, in front of three real nodes: requests arrive unchanged,
// a request that must not be repeated is not repeated, and killing the leader loses no acknowledged write.
#include <algorithm>
#include <arpa/inet.h>
#include <atomic>
#include <iostream>
#include <memory>
#include <mutex>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include <doctest/doctest.h>

#include "harness.h"
#include "listener.h"

namespace wh::testing {
namespace {

// Passes bytes on to a node, and can lose one answer: the request was carried out, and whoever sent it sees the
// connection end.
class LossyRelay {
 public:
  explicit LossyRelay(uint16_t to) : to_(to), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    REQUIRE(bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(listen(listener_, 64) == 0);
    REQUIRE(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~LossyRelay() {
    stop_ = true;
    thread_.join();
    close(listener_);
  }
  LossyRelay(const LossyRelay&) = delete;
  LossyRelay& operator=(const LossyRelay&) = delete;

  [[nodiscard]] uint16_t port() const { return port_; }

  // The next answer, over all relays, to a request that begins with these bytes is lost. Counts those that were sent.
  static void lose(const std::string& request) {
    const std::lock_guard lock(mutex);
    lost_request = request;
    armed = true;
    sent = 0;
  }
  static int times_sent() {
    const std::lock_guard lock(mutex);
    return sent;
  }

 private:
  struct Pair {
    int client;
    int node;
    bool loses = false;
  };
  static sockaddr_in loopback(uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }
  void run() {
    std::vector<Pair> pairs;
    while (!stop_) {
      std::vector<pollfd> polled{{listener_, POLLIN, 0}};
      for (const Pair& pair : pairs) {
        polled.push_back({pair.client, POLLIN, 0});
        polled.push_back({pair.node, POLLIN, 0});
      }
      if (poll(polled.data(), polled.size(), 50) <= 0) continue;
      std::vector<Pair> kept;
      for (size_t i = 0; i < pairs.size(); ++i) {
        const bool open = (polled[2 * i + 1].revents == 0 || from_client(pairs[i])) &&
                          (polled[2 * i + 2].revents == 0 || from_node(pairs[i]));
        if (open) {
          kept.push_back(pairs[i]);
        } else {
          close(pairs[i].client);
          close(pairs[i].node);
        }
      }
      pairs = std::move(kept);
      if (polled[0].revents == 0) continue;
      Pair pair{accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC), socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
      const sockaddr_in address = loopback(to_);
      if (connect(pair.node, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
        pairs.push_back(pair);
      } else {
        close(pair.client);
        close(pair.node);
      }
    }
    for (const Pair& pair : pairs) {
      close(pair.client);
      close(pair.node);
    }
  }
  static bool from_client(Pair& pair) {
    const std::string bytes = pass(pair.client, pair.node, false);
    const std::lock_guard lock(mutex);
    if (!lost_request.empty() && bytes.starts_with(lost_request)) {
      ++sent;
      if (armed) pair.loses = std::exchange(armed, false);
    }
    return !bytes.empty();
  }
  static bool from_node(const Pair& pair) { return !pass(pair.node, pair.client, pair.loses).empty() && !pair.loses; }
  static std::string pass(int from, int to, bool drop) {
    char buffer[65536];
    const ssize_t got = recv(from, buffer, sizeof buffer, 0);
    if (got <= 0) return {};
    const auto size = static_cast<size_t>(got);
    if (!drop && send(to, buffer, size, MSG_NOSIGNAL) != got) return {};
    return {buffer, size};
  }

  static std::mutex mutex;
  static std::string lost_request;
  static bool armed;
  static int sent;

  const uint16_t to_;
  const int listener_;
  uint16_t port_ = 0;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};
std::mutex LossyRelay::mutex;
std::string LossyRelay::lost_request;
bool LossyRelay::armed = false;
int LossyRelay::sent = 0;

// The first fenced block of this language below a line of docs/proxies.md.
std::string documented(const std::string& language, const std::string& below = "# Behind a proxy\n") {
  const std::string text = read_file(WORMHOLE_SOURCE_DIR "/docs/proxies.md");
  const size_t begin = text.find("\n```" + language + "\n", text.find(below));
  REQUIRE(begin != std::string::npos);
  const size_t from = text.find('\n', begin + 1) + 1;
  return text.substr(from, text.find("\n```", from) + 1 - from);
}

void replace(std::string& text, const std::string& what, const std::string& by) {
  const size_t at = text.find(what);
  REQUIRE(at != std::string::npos);
  text.replace(at, what.size(), by);
  REQUIRE(text.find(what, at + by.size()) == std::string::npos);
}

// One of the proxies; `program` is empty where it is not installed.
struct Proxy {
  Proxy(const TempDir& dir, const std::string& kind, const std::vector<uint16_t>& upstreams, bool prefixed = false)
      : server(dir, kind) {
    std::string config = documented(kind);
    if (prefixed) {
      const std::string before = kind == "nginx" ? "        location / {\n" : "    balance roundrobin\n";
      replace(config, before, documented(kind, "## The page, and a path before all paths\n") + before);
    }
    replace(config, "127.0.0.1:8000", "127.0.0.1:" + std::to_string(server.port));
    for (size_t i = 0; i < 3; ++i)
      replace(config, "127.0.0.1:808" + std::to_string(i), "127.0.0.1:" + std::to_string(upstreams[i]));
    if (kind == "nginx") {
      // Where it keeps what it cannot hold in memory, and the log of requests, are its package's business.
      std::string paths = "http {\n    access_log off;\n";
      for (const char* what : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"})
        paths += "    " + std::string(what) + "_temp_path " + dir.path(what) + ";\n";
      replace(config, "http {\n", paths);
      server.arguments = {"-p", dir.path(),
                          "-e", "stderr",
                          "-c", dir.write("nginx.conf", config),
                          "-g", "daemon off; master_process off; pid " + dir.path("nginx.pid") + ";"};
    } else {
      server.arguments = {"-db", "-f", dir.write("haproxy.cfg", config)};
    }
    server.program = found(dir, kind);
  }

  static std::string found(const TempDir& dir, const std::string& kind) {
    const std::string path = sh(dir, "PATH=$PATH:/usr/sbin:/usr/local/sbin command -v " + kind).out;
    return path.substr(0, path.find('\n'));
  }
  // Whether it is there; says so aloud when it is not.
  static bool missing(const TempDir& dir, const std::string& kind) {
    if (!found(dir, kind).empty()) return false;
    std::cout << "skipped: " << doctest::getContextOptions()->currentTest->m_name << ": there is no " << kind
              << " (utils/install-deps ci)" << std::endl;
    return true;
  }

  Server server;
};

const std::string kProxies[] = {"nginx", "haproxy"};

// Three nodes as the chapter sets them up; the password comes later, as the harness has none.
struct Nodes : ThreeNodes {
  Nodes()
      : ThreeNodes({"--follower-writes", "forward", "--get-writes", "no", "--protected-mode", "no", "--allowed-hosts",
                    "wormhole.example.com"}) {}
};

Answer ask(const TempDir& dir, const Proxy& proxy, const std::string& arguments, const std::string& path) {
  return curl(dir, "--max-time 30 --path-as-is " + arguments + " '" + proxy.server.url(path) + "'");
}

void start(const TempDir& dir, Proxy& proxy) {
  proxy.server.start();
  REQUIRE(eventually([&] { return ask(dir, proxy, "", "/readyz").status == 200; }));
  // HAProxy has begun to check all nodes, and none is thought to be down.
  REQUIRE(eventually([&] {
    for (int i = 0; i < 6; ++i)
      if (ask(dir, proxy, "", "/cluster").status != 200) return false;
    return true;
  }));
}

// Takes all events off through the proxy, each by its tag and again until that is done; their bytes, in order.
std::vector<std::string> drain(const TempDir& dir, const Proxy& proxy) {
  std::vector<std::string> events;
  for (int tries = 0; tries < 400; ++tries) {
    const Answer front = ask(dir, proxy, "", "/event");
    if (front.status != 200) continue;
    const std::string tag = front.header("etag");
    if (tag.empty()) return events;
    for (int again = 0; again < 20; ++again) {
      const int status = ask(dir, proxy, "-X DELETE -H 'If-Match: " + tag + "'", "/event").status;
      if (status != 204 && status != 412) continue;
      events.push_back(front.body);
      break;
    }
  }
  FAIL("the queue does not come to its end");
  return events;
}

}  // namespace

TEST_CASE("docs/proxies.md: under a prefix the page is found, keys keep their slashes, and a page's writes are taken") {
  Nodes nodes;
  for (const std::string& kind : kProxies) {
    CAPTURE(kind);
    if (Proxy::missing(nodes.dir, kind)) continue;
    Proxy proxy(nodes.dir, kind, {nodes.a.port, nodes.b.port, nodes.c.port}, true);
    start(nodes.dir, proxy);
    const auto through = [&](const std::string& arguments, const std::string& path) {
      return ask(nodes.dir, proxy, arguments, "/wormhole" + path);
    };
    // A relative Location; nginx may make it whole.
    const Answer root = through("-L -H 'Accept: text/html'", "/");
    CHECK(root.status == 200);
    CHECK(root.header("content-type").starts_with("text/html"));
    const std::string key = "a%2Fb//" + kind + "%25";
    CHECK(through("-X PUT -d value -H 'Origin: " + proxy.server.url("") + "'", "/kv/" + key + "?ttl=1h").status == 201);
    CHECK(nodes.a.get("/kv/" + key).body == "value");
    CHECK(through("-X PUT -d value -H 'Origin: http://elsewhere.example'", "/kv/" + key).status == 403);
  }
}

TEST_CASE("docs/proxies.md: writes, reads, encoded slashes, long keys, Host and passwords go through") {
  Nodes nodes;
  for (const std::string& kind : kProxies) {
    CAPTURE(kind);
    if (Proxy::missing(nodes.dir, kind)) continue;
    Proxy proxy(nodes.dir, kind, {nodes.a.port, nodes.b.port, nodes.c.port});
    start(nodes.dir, proxy);
    const auto through = [&](const std::string& arguments, const std::string& path) {
      return ask(nodes.dir, proxy, arguments, path);
    };
    // Each goes to another node, and none is sent elsewhere.
    for (int i = 0; i < 6; ++i) CHECK(through("-d event=e" + std::to_string(i), "/event").status == 201);
    CHECK(through("", "/event").body == "e0");
    CHECK(drain(nodes.dir, proxy).size() == 6);

    CHECK(through("-d '{\"value\":\"slash\"}'", "/keys/a%2Fb").body == "{\"value\":\"slash\"}\n");
    CHECK(nodes.a.get("/get?key=a%2Fb").body == "slash");
    CHECK(through("", "/key/a%2Fb").body == "{\"a/b\":\"slash\"}\n");
    CHECK(through("", "/key/a/b").status == 404);
    CHECK(through("-X DELETE", "/key/a%2Fb").status == 204);
    CHECK(through("", "/key/a%2Fb").status == 404);
    std::string encoded;
    for (int i = 0; i < 4096; ++i) encoded += "%C3";
    CHECK(through("-X POST", "/set?key=" + encoded + "&value=long").status == 200);
    CHECK(through("", "/get?key=" + encoded).body == "long");
    nodes.dir.write("large", "event=" + std::string(1'000'000, 'x'));
    CHECK(through("--data-binary @large", "/event").status == 201);
    CHECK(drain(nodes.dir, proxy).at(0).size() == 1'000'000);
    nodes.dir.write("too-large", "event=" + std::string(1'100'000, 'x'));
    const Answer too_large = through("--data-binary @too-large", "/event");
    CHECK(too_large.status == 413);
    CHECK(too_large.body.find("http-max-body") != std::string::npos);

    CHECK(through("", "/key/a%2Fb").header("cache-control") == "no-store");
    const std::string page = "-H 'Host: wormhole.example.com' -H 'Origin: https://wormhole.example.com' -d event=page";
    CHECK(through(page, "/event").status == 201);
    CHECK(through("-H 'Host: evil.example'", "/event").status == 403);
    CHECK(through("-H 'Origin: https://evil.example' -d event=x", "/event").status == 403);
    CHECK(drain(nodes.dir, proxy) == std::vector<std::string>{"page"});

    // What the proxies add takes loopback's rights away; a password gives them back.
    for (Server* server : nodes.all) CHECK(server->redis("CONFIG SET protected-mode yes") == "OK");
    CHECK(through("", "/get?key=a").status == 403);
    CHECK(through("", "/readyz").status == 200);
    for (Server* server : nodes.all) CHECK(server->redis("CONFIG SET requirepass pass") == "OK");
    for (int i = 0; i < 3; ++i) {
      CHECK(through("", "/get?key=a").status == 401);
      CHECK(through("-u any:pass -d event=x", "/event").status == 201);
    }
    for (Server* server : nodes.all) {
      CHECK(server->redis("-a pass --no-auth-warning CONFIG SET protected-mode no") == "OK");
      CHECK(server->redis("-a pass --no-auth-warning CONFIG SET requirepass ''") == "OK");
    }
    drain(nodes.dir, proxy);
    proxy.server.kill();
  }
}

TEST_CASE("docs/proxies.md: a lost answer repeats no POST, and a DELETE only with If-Match") {
  Nodes nodes;
  const LossyRelay a(nodes.a.port);
  const LossyRelay b(nodes.b.port);
  const LossyRelay c(nodes.c.port);
  for (const std::string& kind : kProxies) {
    CAPTURE(kind);
    if (Proxy::missing(nodes.dir, kind)) continue;
    Proxy proxy(nodes.dir, kind, {a.port(), b.port(), c.port()});
    start(nodes.dir, proxy);
    const auto through = [&](const std::string& arguments, const std::string& path) {
      return ask(nodes.dir, proxy, arguments, path);
    };
    for (const char* event : {"1", "2", "3"}) CHECK(through("-d event=" + std::string(event), "/event").status == 201);

    LossyRelay::lose("GET /event");
    const Answer front = through("", "/event");
    CHECK(front.body == "1");
    CHECK(LossyRelay::times_sent() == 2);

    LossyRelay::lose("DELETE /event");
    CHECK(through("-X DELETE -H 'If-Match: " + front.header("etag") + "'", "/event").status == 412);
    CHECK(LossyRelay::times_sent() == 2);
    CHECK(nodes.a.get("/event").body == "2");

    LossyRelay::lose("DELETE /event");
    CHECK(through("-X DELETE", "/event").status >= 502);
    CHECK(LossyRelay::times_sent() == 1);
    CHECK(nodes.a.get("/event").body == "3");

    LossyRelay::lose("POST /event");
    CHECK(through("-d event=4", "/event").status >= 502);
    CHECK(LossyRelay::times_sent() == 1);
    CHECK(drain(nodes.dir, proxy) == std::vector<std::string>{"3", "4"});
    proxy.server.kill();
  }
}

TEST_CASE("docs/proxies.md: with the leader killed meanwhile, every acknowledged event is there, once, in order") {
  for (const std::string& kind : kProxies) {
    CAPTURE(kind);
    Nodes nodes;
    if (Proxy::missing(nodes.dir, kind)) continue;
    Proxy proxy(nodes.dir, kind, {nodes.a.port, nodes.b.port, nodes.c.port});
    start(nodes.dir, proxy);
    Server& leader = await_leader(nodes.all);
    std::vector<std::string> acknowledged;
    for (int i = 0; i < 20; ++i) {
      if (i == 8) leader.kill();
      const std::string event = "e" + std::to_string(i);
      if (ask(nodes.dir, proxy, "-d event=" + event, "/event").status == 201) acknowledged.push_back(event);
      CHECK(ask(nodes.dir, proxy, "", "/event").body == "e0");
    }
    CHECK(acknowledged.size() >= 16);  // what was under way, and what was sent before the proxy knew
    const std::vector<std::string> events = drain(nodes.dir, proxy);
    std::vector<std::string> found;
    for (const std::string& event : events) {
      CHECK(std::count(events.begin(), events.end(), event) == 1);
      if (std::count(acknowledged.begin(), acknowledged.end(), event) != 0) found.push_back(event);
    }
    CHECK(found == acknowledged);
    proxy.server.kill();
  }
}

TEST_CASE("HAZARDS W11: a stream and a watch come through at once, and each event too") {
  const Nodes nodes;
  for (const std::string& kind : kProxies) {
    CAPTURE(kind);
    if (Proxy::missing(nodes.dir, kind)) continue;
    Proxy proxy(nodes.dir, kind, {nodes.a.port, nodes.b.port, nodes.c.port});
    start(nodes.dir, proxy);
    const std::string queue = "/queues/" + kind;
    REQUIRE(ask(nodes.dir, proxy, "-d one", queue + "/events").status == 201);
    Listener listener(proxy.server, {}, 0, queue + "/stream");
    CHECK(eventually([&] { return listener.sees("\"data\":\"one\""); }));
    REQUIRE(ask(nodes.dir, proxy, "-d two", queue + "/events").status == 201);
    CHECK(eventually([&] { return listener.sees("\"data\":\"two\""); }));
    CHECK_FALSE(listener.has_ended());
    const std::string key = "/kv/" + kind;
    Listener watch(proxy.server, {}, 0, key + "?watch");
    CHECK(eventually([&] { return watch.sees("id: "); }));
    REQUIRE(ask(nodes.dir, proxy, "-X PUT -d one", key).status == 201);
    CHECK(eventually([&] { return watch.sees("\"value\":\"one\""); }));
    CHECK_FALSE(watch.has_ended());
  }
}

}  // namespace wh::testing
