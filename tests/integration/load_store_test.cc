// The store under load in real servers: many keys and leases whose time ends at once, pages of keys and watches while
// others write.
#include <algorithm>
#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "../soak.h"
#include "listener.h"
#include "load_support.h"

namespace wh::testing {
namespace {

constexpr size_t kBatch = 128;  // operations of a transaction
constexpr const char* kJson = "Content-Type: application/json\r\n";

std::string number(size_t i) {
  const std::string digits = std::to_string(i);
  return std::string(8 - std::min<size_t>(8, digits.size()), '0') + digits;
}

bool transact(HttpClient& client, const Server& server, const std::string& ops) {
  return client.request(server.port, "POST", "/txn", kJson, "{\"success\":[" + ops + "]}").status == 200;
}

// Puts `count` keys, PREFIX and a number; `more`: further members of each.
void fill(const Server& server, const std::string& prefix, size_t count, const std::string& more = {}) {
  constexpr size_t kClients = 4;
  std::vector<std::thread> clients;
  std::atomic<size_t> next{0};
  std::atomic<bool> good{true};
  for (size_t c = 0; c < kClients; ++c)
    clients.emplace_back([&] {
      HttpClient client;
      for (size_t from = next.fetch_add(kBatch); from < count; from = next.fetch_add(kBatch)) {
        std::string ops;
        for (size_t i = from; i < std::min(from + kBatch, count); ++i)
          ops += std::string(i == from ? "" : ",") + R"({"put":{"key":")" + prefix + number(i) + R"(","value":"v")" +
                 more + "}}";
        if (!transact(client, server, ops)) good = false;
      }
    });
  for (std::thread& client : clients) client.join();
  REQUIRE(good);
}

// The items of a page, as key and mod_index, in its order.
struct Page {
  int status = 0;
  uint64_t index = 0;
  std::vector<std::pair<std::string, uint64_t>> items;
  std::string next;  // the path; empty: it was the last
};

Page page_at(HttpClient& client, const Server& server, const std::string& path) {
  const HttpReply reply = client.request(server.port, "GET", path);
  Page page{.status = reply.status, .index = std::strtoull(json_field(reply.body, "index").c_str(), nullptr, 10)};
  constexpr std::string_view kKey = "{\"key\":\"";
  for (size_t at = reply.body.find(kKey); at != std::string::npos; at = reply.body.find(kKey, at + 1)) {
    const size_t begin = at + kKey.size();
    const std::string_view item = std::string_view(reply.body).substr(at, reply.body.find('}', at) - at);
    page.items.emplace_back(reply.body.substr(begin, reply.body.find('"', begin) - begin),
                            std::strtoull(json_field(item, "mod_index").c_str(), nullptr, 10));
  }
  const std::string link = reply.header("link");
  if (!link.empty()) page.next = link.substr(1, link.find('>') - 1);
  return page;
}

}  // namespace

TEST_CASE("HAZARDS S15: keys that stand are walked by pages exactly once, while others come and go") {
  const size_t standing = soak() ? 10'000'000 : 60'000;
  TempDir dir;
  Server node(dir, "n1");
  node.more = {"--appendfsync", "no", "--raft-snapshot-entries", "10000000"};
  node.start_ready();
  const auto start = LoadClock::now();
  fill(node, "k", standing);
  const double filled_ms = ms_since(start);
  // Keys beside those that stand come and go, and twins change together: in one page both are of the same entry.
  std::atomic<bool> stop{false};
  std::atomic<size_t> changes{0};
  std::thread churn([&] {
    HttpClient client;
    for (size_t i = 0; !stop; ++i) {
      const std::string at = "k" + number(i * 7'919 % standing);
      const std::string op = i % 2 == 0
                                 ? R"({"put":{"key":")" + at + R"(.new","value":"v"}},)"
                                 : R"({"delete":{"key":")" + ("k" + number((i - 1) * 7'919 % standing)) + ".new\"}},";
      const std::string twin = "k" + number(i * 13 % standing);
      if (transact(client, node,
                   op + R"({"put":{"key":")" + twin + R"(.twin-a","value":"v"}},{"put":{"key":")" + twin +
                       R"(.twin-b","value":"v"}})"))
        ++changes;
    }
  });
  REQUIRE(eventually([&] { return changes > 20; }));
  REQUIRE(node.redis("CONFIG RESETSTAT") == "OK");
  HttpClient client;
  size_t seen = 0;
  size_t pages = 0;
  bool good = true;
  bool of_one_index = true;
  std::string last;
  const auto walk_start = LoadClock::now();
  for (std::string path = "/kv?prefix=k&limit=1000"; !path.empty();) {
    const Page page = page_at(client, node, path);
    good = good && page.status == 200;
    if (!good) break;
    std::map<std::string, uint64_t> twins;
    for (const auto& [key, mod_index] : page.items) {
      good = good && (last.empty() || last < key);  // in order, so none comes twice
      last = key;
      of_one_index = of_one_index && mod_index <= page.index;
      if (key.find('.') == std::string::npos) {
        good = good && key == "k" + number(seen);
        ++seen;
      } else if (const size_t twin = key.find("twin-"); twin != std::string::npos) {
        const auto [at, first] = twins.try_emplace(key.substr(0, twin), mod_index);
        of_one_index = of_one_index && (first || at->second == mod_index);
      }
    }
    path = page.next;
    ++pages;
  }
  const double walked_ms = ms_since(walk_start);
  const std::string longest = info(node, "loop_longest_turn_us");
  const std::string work = info(node, "loop_longest_turn_work");
  stop = true;
  churn.join();
  CHECK(good);
  CHECK(of_one_index);
  CHECK(seen == standing);
  figure(std::to_string(standing) + " keys, filled in " + in_ms(filled_ms) + ", walked by " + std::to_string(pages) +
         " pages in " + in_ms(walked_ms) + " while " + std::to_string(changes) +
         " transactions changed others; longest turn " + longest + " us: " + work);
}

TEST_CASE("a page of a thousand large values is made over many turns, none of which is long") {
  TempDir dir;
  Server node(dir, "n1");
  node.more = {"--appendfsync", "no"};
  node.start_ready();
  HttpClient client;
  const std::string value(4'000, 'v');
  for (int i = 0; i < 1'000; i += 20) {
    std::string ops;
    for (int n = i; n < i + 20; ++n)
      ops += std::string(n == i ? "" : ",") + R"({"put":{"key":"k)" + number(static_cast<size_t>(n)) +
             R"(","value":")" + value + "\"}}";
    REQUIRE(transact(client, node, ops));
  }
  // A client of HTTP/1.0 has no chunks, so its page is made in one turn: the two in turn, and the best of each, as
  // others may have the processor in the midst of a turn.
  std::vector<double> in_pieces;
  std::vector<double> whole;
  const std::string path = "/kv?prefix=k&limit=1000";
  const auto longest_turn = [&](const auto& ask) {
    REQUIRE(node.redis("CONFIG RESETSTAT") == "OK");
    ask();
    return static_cast<double>(info_number(node, "loop_longest_turn_us"));
  };
  for (int i = 0; i < 15; ++i) {
    in_pieces.push_back(longest_turn([&] {
      const Page page = page_at(client, node, path);
      CHECK(page.items.size() == 1'000);
      CHECK(page.next.empty());
    }));
    whole.push_back(longest_turn([&] {
      const std::string url = " 'http://127.0.0.1:" + std::to_string(node.port) + path + "'";
      CHECK(sh(dir, "curl -s --http1.0 -o /dev/null -w '%{http_code}'" + url).out == "200");
    }));
  }
  const double best = percentile(in_pieces, 0);
  const double best_whole = percentile(whole, 0);
  figure("a page of 1,000 values of 4,000 bytes: longest turn " + std::to_string(static_cast<int>(best)) +
         " us in pieces, " + std::to_string(static_cast<int>(best_whole)) + " us at once, each the best of 15; " +
         std::to_string(static_cast<int>(percentile(in_pieces, 0.5))) + " us in pieces at the median");
  CHECK(best < best_whole / 2);
}

TEST_CASE("HAZARDS S7: with many keys far from their end, those that end are told within a second") {
  const size_t far = soak() ? 1'000'000 : 30'000;
  constexpr size_t kDue = 1'000;
  TempDir dir;
  Server node(dir, "n1");
  node.more = {"--appendfsync", "no"};
  node.start_ready();
  fill(node, "far", far, R"(,"ttl":"1d")");
  Listener watch(node, {}, 0, "/kv?prefix=due&watch");
  REQUIRE(eventually([&] { return watch.sees("id: "); }));
  fill(node, "due", kDue, R"(,"ttl":"2s")");
  const auto filled = LoadClock::now();
  REQUIRE(eventually([&] {
    watch.take(20);
    return count_of(watch.text(), "event: expire") == kDue;
  }));
  const double late_ms = ms_since(filled) - 2'000;  // the first ones were put earlier
  figure(std::to_string(far) + " keys with an end far away, 1,000 that end: the last is told " + in_ms(late_ms) +
         " after its time");
  CHECK(late_ms < (soak() ? 1'000 : 3'000));
  CHECK(node.redis("DBSIZE") == std::to_string(far));
}

TEST_CASE("HAZARDS S4: many leases end at one moment, the leader dies there, and the next one serves at once") {
  const size_t leases = soak() ? 1'000'000 : 10'000;
  Trio trio;
  Server& leader = await_leader(trio.all);
  Server& other = *others(trio.all, leader)[0];
  // All end together: each is granted for the time that is left.
  const auto end = LoadClock::now() + std::chrono::milliseconds(soak() ? 600'000 : 15'000);
  std::vector<std::thread> clients;
  std::atomic<size_t> next{0};
  std::atomic<size_t> granted{0};
  constexpr size_t kClients = 32;
  for (size_t c = 0; c < kClients; ++c)
    clients.emplace_back([&] {
      HttpClient client;
      while (next++ < leases) {
        const double left = -ms_since(end);
        if (left < 2'000) break;
        const std::string ttl = std::to_string(static_cast<uint64_t>(left));
        if (client.request(leader.port, "POST", "/leases?ttl=" + ttl + "ms").status == 201) ++granted;
      }
    });
  for (std::thread& client : clients) client.join();
  REQUIRE(granted > leases / 10);
  REQUIRE(HttpClient().request(other.port, "PUT", "/kv/k", {}, "u").status == 201);
  while (ms_since(end) < 0) ::poll(nullptr, 0, 5);
  REQUIRE(leader.kill() == 137);
  const auto killed = LoadClock::now();
  HttpClient client;
  REQUIRE(eventually([&] { return client.request(other.port, "PUT", "/kv/k", {}, "v").status == 204; }));
  const double served_ms = ms_since(killed);
  REQUIRE(eventually([&] { return has(other.get("/leases?limit=1").body, "\"leases\":[]"); }, 120'000));
  const double gone_ms = ms_since(killed);
  figure(std::to_string(granted) + " leases of one deadline: the first write " + in_ms(served_ms) +
         " after the leader was killed, the last lease gone after " + in_ms(gone_ms));
  // An election takes up to two of its time-outs, and then it serves within a second.
  CHECK(served_ms < (kSanitized ? 10'000 : 3'000));
  CHECK(other.get("/kv/k").body == "v");
}

TEST_CASE(
    "HAZARDS S10: a lease ends no earlier than its ttl, and no later than that, the leaderless time and a second") {
  const int rounds_of_kills = soak() ? 1'000 : 2;
  Trio trio;
  double latest_ms = 0;
  double longest_leaderless_ms = 0;
  for (int round = 0; round < rounds_of_kills; ++round) {
    Server& leader = await_leader(trio.all);
    Server& other = *others(trio.all, leader)[0];
    const std::string lease = json_field(other.post("/leases?ttl=2s").body, "id");
    REQUIRE(!lease.empty());
    const auto granted = LoadClock::now();
    REQUIRE(leader.kill() == 137);
    const auto killed = LoadClock::now();
    HttpClient client;
    REQUIRE(eventually([&] { return client.request(other.port, "PUT", "/kv/k", {}, "v").status / 100 == 2; }));
    const double leaderless_ms = ms_since(killed);
    REQUIRE(eventually([&] { return client.request(other.port, "GET", "/leases/" + lease).status == 404; }));
    const double lived_ms = ms_since(granted);
    CHECK(lived_ms > 1'900);
    latest_ms = std::max(latest_ms, lived_ms - 2'000 - leaderless_ms);
    longest_leaderless_ms = std::max(longest_leaderless_ms, leaderless_ms);
    leader.start_ready();
  }
  figure(std::to_string(rounds_of_kills) + " leases of 2 s whose leader was killed: the latest ended " +
         in_ms(std::max(0.0, latest_ms)) + " after ttl and leaderless time, which was up to " +
         in_ms(longest_leaderless_ms));
  CHECK(latest_ms < (kSanitized ? 5'000 : 1'000));
}

TEST_CASE("HAZARDS W8: a list, then a watch, and a watch with the items first, both miss nothing under steady writes") {
  const size_t standing = soak() ? 1'000'000 : 20'000;
  TempDir dir;
  Server node(dir, "n1");
  node.more = {"--appendfsync", "no"};
  node.start_ready();
  fill(node, "k", standing);
  std::atomic<bool> stop{false};
  std::atomic<size_t> changes{0};
  std::thread writer([&] {
    HttpClient client;
    for (size_t i = 0; !stop; ++i) {
      const std::string key = "k" + number(i * 7'919 % standing);
      const bool erases = i % 5 == 4;
      if (transact(client, node,
                   erases ? R"({"delete":{"key":")" + key + "\"}}"
                          : R"({"put":{"key":")" + key + R"(","value":")" + std::to_string(i) + "\"}}"))
        ++changes;
      ::poll(nullptr, 0, 1);
    }
  });
  REQUIRE(eventually([&] { return changes > 20; }));
  // What a client knows: each key's mod_index.
  using Known = std::map<std::string, uint64_t>;
  const auto learn = [](Known& known, const std::string& text) {
    for (size_t at = text.find("event: "); at != std::string::npos; at = text.find("event: ", at + 1)) {
      const std::string_view frame = std::string_view(text).substr(at, text.find("\n\n", at) - at);
      const std::string key = json_field(frame, "key");
      if (frame.starts_with("event: put"))
        known[key] = std::strtoull(json_field(frame, "mod_index").c_str(), nullptr, 10);
      else
        known.erase(key);
    }
  };
  const auto list = [&](uint64_t& first_index) {
    HttpClient client;
    Known known;
    for (std::string path = "/kv?prefix=k&limit=1000&keys"; !path.empty();) {
      const Page page = page_at(client, node, path);
      if (page.status != 200) break;
      if (first_index == 0) first_index = page.index;
      for (const auto& [key, mod_index] : page.items) known[key] = mod_index;
      path = page.next;
    }
    return known;
  };
  Listener with_items(node, {}, 0, "/kv?prefix=k&watch&initial");
  uint64_t from = 0;
  Known listed = list(from);
  Listener after_list(node, {}, 0, "/kv?prefix=k&watch&from=" + std::to_string(from + 1));
  const size_t before = changes;
  REQUIRE(eventually([&] {
    with_items.take(1);
    after_list.take(1);
    return changes > before + 200;
  }));
  stop = true;
  writer.join();
  uint64_t index = 0;
  const Known expected = list(index);
  // The last of all keys: who was shown it was shown all others.
  HttpClient client;
  REQUIRE(client.request(node.port, "PUT", "/kv/kz", {}, "v").status == 201);
  for (Listener* each : {&with_items, &after_list}) {
    constexpr std::string_view kLast = "\"key\":\"kz\"";
    size_t searched = 0;  // the text is long
    REQUIRE(eventually(
        [&] {
          const size_t from_here = searched;
          for (size_t had = SIZE_MAX; had != each->text().size();) {
            had = each->text().size();
            each->take(5);
          }
          searched = each->text().size() - std::min(each->text().size(), kLast.size());
          return each->text().find(kLast, from_here) != std::string::npos;
        },
        2 * kPatienceMs));
  }
  Known shown;
  learn(shown, whole_frames(with_items.text()));
  learn(listed, whole_frames(after_list.text()));
  shown.erase("kz");
  listed.erase("kz");
  CHECK(shown == expected);
  CHECK(listed == expected);
}

}  // namespace wh::testing
