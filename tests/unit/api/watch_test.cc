// What a client of a watch gets, read by a parser of Server-Sent Events that follows the standard to the letter, from
// every place at which the watch may begin, or be cut; and what a watch costs.
#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "api/http/streams/watch_stream.h"
#include "api/store_operations.h"
#include "base/utf8.h"
#include "http/json.h"
#include "machine/machine.h"

namespace wh::api {
namespace {

using machine::Machine;

// The event stream of the HTML standard, 9.2.6, for bytes that come one by one. A BOM at the start is not looked for.
class EventStreamParser {
 public:
  struct Event {
    std::string type;
    std::string data;
    std::string id;  // the last event ID by then
    friend bool operator==(const Event&, const Event&) = default;
  };
  void feed(char c) {
    const bool after_cr = std::exchange(after_cr_, false);
    if (c == '\n' && after_cr) return;
    if (c != '\n' && c != '\r') {
      line_ += c;
      return;
    }
    after_cr_ = c == '\r';
    take_line(std::exchange(line_, {}));
  }
  void feed(const std::string& text) {
    for (const char c : text) feed(c);
  }
  [[nodiscard]] const std::vector<Event>& events() const { return events_; }
  // What a client sends as Last-Event-ID when it comes back now.
  [[nodiscard]] const std::string& last_id() const { return last_id_; }

 private:
  void take_line(const std::string& line) {
    if (line.empty()) return dispatch();
    if (line[0] == ':') return;
    const size_t colon = line.find(':');
    const std::string name = line.substr(0, colon);
    std::string value = colon == std::string::npos ? "" : line.substr(colon + 1);
    if (value.starts_with(' ')) value.erase(0, 1);
    if (name == "event") type_ = value;
    if (name == "data") data_ += value + '\n';
    if (name == "id" && value.find('\0') == std::string::npos) id_ = value;
  }
  void dispatch() {
    last_id_ = id_;
    const std::string type = std::exchange(type_, {});
    std::string data = std::exchange(data_, {});
    if (data.empty()) return;
    data.pop_back();
    events_.push_back({type.empty() ? "message" : type, data, last_id_});
  }

  std::string line_;
  bool after_cr_ = false;
  std::string type_;
  std::string data_;
  std::string id_;
  std::string last_id_;
  std::vector<Event> events_;
};

struct Bench {
  Bench() { machine.raise_version(raft::Index{1}, 0, 4); }
  void run(const machine::Body& body, Millis stamp = 0) {
    machine.apply(machine.applied() + 1, std::max(stamp, machine.time_ms()), encode_command(body));
  }
  void put(std::string_view key, std::string_view value, Millis ttl = 0) {
    using machine::Expiry;
    run(machine::Transact{
        .success = {machine::PutKey{
            .key = key, .value = value, .expiry = ttl == 0 ? Expiry{} : Expiry{Expiry::Kind::after, ttl}}}});
  }
  // Forgets the oldest changes until that index is the first whose changes are known.
  void trim_to(uint64_t oldest) {
    while (machine.history().oldest().value < oldest) machine.limit_history(machine.history().bytes() - 1);
    REQUIRE(machine.history().oldest().value == oldest);
  }
  [[nodiscard]] std::shared_ptr<http::Stream> watch(WatchTerms terms) const {
    return open_watch(machine, frames, std::move(terms));
  }
  Machine machine;
  std::shared_ptr<ChangeFrames> frames = std::make_shared<ChangeFrames>();
};

// All that the stream has now; nothing: it was cut.
std::optional<std::string> all_read(http::Stream& stream) {
  std::string out;
  for (int i = 0; i < 10'000; ++i) {
    const http::Stream::Next next = stream.next(1'000, out);
    if (next == http::Stream::Next::lost) return std::nullopt;
    if (next != http::Stream::Next::more) break;
  }
  return out;
}

std::vector<EventStreamParser::Event> events_of(const std::string& text) {
  EventStreamParser parser;
  parser.feed(text);
  return parser.events();
}

}  // namespace

TEST_CASE(
    "HAZARDS W2: a watch from the oldest index, or from one beside it, shows what is there at it, or is refused") {
  for (const std::string type : {"put", "delete", "expire"}) {
    CAPTURE(type);
    Bench bench;
    bench.put("k", "1", 1'000);  // 2
    if (type == "put") bench.put("k", "2");
    if (type == "delete") bench.run(machine::Transact{.success = {machine::EraseKey{"k"}}});
    if (type == "expire") bench.run(machine::Due{}, 5'000);
    bench.put("other", "1");  // 4
    REQUIRE(bench.machine.applied().value == 4);
    const auto early = bench.watch({.name = "k", .from = 2});
    const auto late = bench.watch({.name = "k", .from = 3});
    bench.trim_to(3);
    // Its place went between the request and the first write.
    CHECK_FALSE(all_read(*early).has_value());
    const auto refused = [&](uint64_t from) { return check_watch(bench.machine, WatchKeys{"k", false, from}); };
    REQUIRE(refused(2).has_value());
    CHECK(refused(2)->kind == RefusalKind::gone);
    CHECK_FALSE(all_read(*bench.watch({.name = "k", .from = 2})).has_value());
    for (const auto& stream : {late, bench.watch({.name = "k", .from = 3})}) {
      const auto shown = events_of(all_read(*stream).value_or(""));
      REQUIRE(shown.size() == 1);
      CHECK(shown[0].type == type);
      CHECK(shown[0].id == "3");
    }
    for (const uint64_t from : {4, 5}) {
      CHECK_FALSE(refused(from).has_value());
      CHECK(events_of(all_read(*bench.watch({.name = "k", .from = from})).value_or("cut")).empty());
    }
    REQUIRE(refused(6).has_value());
    CHECK(refused(6)->kind == RefusalKind::malformed);
  }
}

TEST_CASE("HAZARDS W3: cut after any byte of a transaction's 128 changes, a watch that goes on misses none of them") {
  Bench bench;
  bench.put("k000", "before");  // 2
  machine::Transact many;
  std::vector<std::string> keys;
  for (int i = 0; i < 128; ++i) keys.push_back("k" + std::to_string(1'000 + i));
  for (const std::string& key : keys) many.success.emplace_back(machine::PutKey{key, "v"});
  bench.run(many);             // 3
  bench.put("k999", "after");  // 4
  const std::string all = all_read(*bench.watch({.name = "k", .prefix = true, .from = 2})).value();
  const auto events = events_of(all);
  REQUIRE(events.size() == 130);
  // What comes when the client asks anew with that last id.
  std::map<std::string, std::vector<EventStreamParser::Event>> resumed;
  for (const uint64_t from : {2, 3, 4, 5})
    resumed[from == 2 ? "" : std::to_string(from - 1)] =
        events_of(all_read(*bench.watch({.name = "k", .prefix = true, .from = from})).value());
  // But for the last event ID, which a client that comes back has not got from this stream.
  const auto same = [](const EventStreamParser::Event& a, const EventStreamParser::Event& b) {
    return a.type == b.type && a.data == b.data;
  };
  EventStreamParser client;
  size_t wrong = 0;
  for (const char c : all) {
    client.feed(c);
    const auto& rest = resumed.at(client.last_id());
    // What it has, and what it gets, overlap or meet: together they are all of it, to the end.
    const size_t has = client.events().size();
    const bool good = has + rest.size() >= events.size() && rest.size() <= events.size() &&
                      std::equal(client.events().begin(), client.events().end(), events.begin(), same) &&
                      std::equal(rest.rbegin(), rest.rend(), events.rbegin(), same);
    wrong += good ? 0 : 1;
  }
  CHECK(wrong == 0);
  CHECK(client.events() == events);
  CHECK(client.last_id() == "4");
}

TEST_CASE("HAZARDS W12: keys and values of any bytes make no event, no field and no line of their own") {
  Bench bench;
  std::vector<std::string> hostile{"\xe2\x80\xa8",   "\xe2\x80\xa9",
                                   "\xc2\x85",       "\r\n\r\ndata: x\r\n\r\n",
                                   "\n\nid: 99\n\n", "\nevent: expire\ndata: {}\n\n",
                                   "\xef\xbb\xbf",   ":",
                                   "\"}\n\n"};
  for (int byte = 0; byte < 256; ++byte) hostile.emplace_back(1, static_cast<char>(byte));
  for (const std::string& text : hostile) bench.put("k" + text + "x", text);
  const auto events = events_of(all_read(*bench.watch({.name = "k", .prefix = true, .from = 2})).value());
  REQUIRE(events.size() == hostile.size());
  for (size_t i = 0; i < events.size(); ++i) {
    CAPTURE(i);
    CHECK(events[i].type == "put");
    CHECK(events[i].id == std::to_string(i + 2));
    CHECK(http::check_json(events[i].data));
    const std::string key = "k" + hostile[i] + "x";
    if (is_utf8(key))
      CHECK(events[i].data.starts_with("{\"key\":" + http::json_quote(key).value()));
    else
      CHECK(events[i].data.starts_with("{\"key_base64\":"));
  }
}

TEST_CASE("a change is encoded once for a thousand watches of its prefix, and not at all where nobody watches it") {
  Bench bench;
  std::vector<std::shared_ptr<http::Stream>> watches;
  for (int i = 0; i < 1'000; ++i) watches.push_back(bench.watch({.name = "watched/", .prefix = true}));
  for (const auto& watch : watches) (void)all_read(*watch);
  for (int i = 0; i < 100; ++i) bench.put("other/" + std::to_string(i), "v");
  for (const auto& watch : watches) CHECK(all_read(*watch).value().empty());
  CHECK(bench.frames->made() == 0);
  bench.put("watched/1", "v");
  for (const auto& watch : watches) CHECK(events_of(all_read(*watch).value()).size() == 1);
  CHECK(bench.frames->made() == 1);
  for (int i = 0; i < 10; ++i) bench.put("watched/1", "v");
  for (const auto& watch : watches) CHECK(events_of(all_read(*watch).value()).size() == 10);
  CHECK(bench.frames->made() == 11);
}

}  // namespace wh::api
