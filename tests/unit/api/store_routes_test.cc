// The routes of the store: what they refuse, what they answer, and what a watch shows.
#include "api/http/routes/store_routes.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "api/http/formats/store_json.h"
#include "api/http/streams/watch_stream.h"
#include "fixture.h"
#include "machine/machine.h"

namespace wh::api {
namespace {

using machine::Machine;

constexpr const char* kAsJson = "Content-Type: application/json\r\n";

std::string run(Machine& machine, const machine::Body& body, Millis stamp = 0) {
  const auto applied = machine.apply(machine.applied() + 1, std::max(stamp, machine.time_ms()), encode_command(body));
  return std::string(applied.reply.event.view());
}

machine::Body put(std::string_view key, std::string_view value) {
  return machine::Transact{.success = {machine::PutKey{key, value}}};
}

// All that a stream has now, asked for by pieces of this size.
std::string all_of(http::Stream& stream, size_t room = 1) {
  std::string out;
  for (int i = 0; i < 100'000; ++i) {
    const http::Stream::Next next = stream.next(room, out);
    if (next == http::Stream::Next::lost) return out + "LOST";
    if (next != http::Stream::Next::more) return out;
  }
  return out + "ENDLESS";
}

std::string field_of(const http::test::Answer& answer, std::string_view name) {
  const std::string* value = answer.header(name);
  return value == nullptr ? std::string() : *value;
}

size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

}  // namespace

TEST_CASE("a transaction that cannot be read says which part of it is wrong") {
  test::Fronts fronts;
  const std::vector<std::pair<std::string, std::string>> bad{
      {"", "a transaction is a JSON object, and the body is empty"},
      {"[]", "a transaction is a JSON object"},
      {"{}", "a transaction has an operation, in success or in failure"},
      {R"({"succes":[]})", "the member 'succes' is not known here"},
      {R"({"success":{}})", "success is a JSON array"},
      {R"({"success":[{}]})", "success[0]: it has one member, which names what is done"},
      {R"({"success":[{"put":{"key":"k","value":"v"}},{"put":{"key":"k"}}]})",
       "success[1]: the member value is missing"},
      {R"({"success":[{"put":{"key":"k","value":"v","value_base64":"AA=="}}]})",
       "success[0]: value and value_base64 are not given both"},
      {R"({"success":[{"put":{"key":"k","value_base64":"A"}}]})",
       "success[0]: value_base64 is base64 with its padding (RFC 4648)"},
      {R"({"success":[{"put":{"key":"k","value":"v","lease":1.5}}]})",
       "success[0]: the member lease is a whole number"},
      {R"({"success":[{"incr":{"key":"k","by":1e3}}]})", "success[0]: the member by is a whole number of 64 bits"},
      {R"({"success":[{"incr":{"key":"k","by":9223372036854775808}}]})",
       "success[0]: the member by is a whole number of 64 bits"},
      {R"({"success":[{"get":{"prefix":"k","limit":1001}}]})", "success[0]: limit is 1 to 1000"},
      {R"({"success":[{"delete":{"key":"k","prefix":"k"}}]})", "success[0]: the member 'key' is not known here"},
      {R"({"success":[{"acknowledge":{"queue":"q","id":1,"receipt":"1-1"}}]})",
       "success[0]: the receipt is none of this event and queue"},
      {R"({"compare":[{"key":"k"}],"success":[{"get":{"key":"k"}}]})",
       "compare[0]: it compares exists, mod_index, create_index, version, value or value_base64 of the key"},
      {R"({"compare":[{"key":"k","exists":1}],"success":[{"get":{"key":"k"}}]})",
       "compare[0]: exists is true or false"},
      {R"({"compare":[{"key":"k","version":1,"op":"=="}],"success":[{"get":{"key":"k"}}]})",
       "compare[0]: op is one of = != < >"},
      {R"({"compare":[{"queue":"q","length":-1}],"success":[{"get":{"key":"k"}}]})",
       "compare[0]: the member length is a whole number"},
  };
  for (const auto& [body, why] : bad) {
    CAPTURE(body);
    const http::test::Answer answer = fronts.ask("POST", "/txn", body, kAsJson);
    CHECK(answer.status == 400);
    CHECK(test::sentence_of(answer) == why);
  }
  std::string many = R"({"success":[)";
  for (int i = 0; i < 129; ++i) many += std::string(i == 0 ? "" : ",") + R"({"get":{"key":"k"}})";
  CHECK(test::sentence_of(fronts.ask("POST", "/txn", many + "]}", kAsJson)) == "success has at most 128 items");
}

TEST_CASE("If-Match and If-None-Match take lists, for reads and for changes: of any tag, of none") {
  test::Fronts fronts(kLatestVersion);
  const auto ask = [&](const std::string& method, const std::string& field, const std::string& path = "/kv/k") {
    return fronts.ask(method, path, method == "PUT" ? "v" : "", field + "\r\n").status;
  };
  const auto tag = [&] { return field_of(fronts.ask("GET", "/kv/k"), "ETag"); };
  // There is no such key.
  CHECK(ask("PUT", "If-Match: \"1\", \"2\"") == 412);
  CHECK(ask("PUT", "If-Match: *, \"2\"") == 400);
  CHECK(ask("PUT", "If-None-Match: \"1\", W/\"2\"") == 201);
  const std::string made = tag();
  // The tag that is there is among those named, wherever, or it is not.
  CHECK(ask("GET", "If-None-Match: \"7\", W/" + made) == 304);
  CHECK(ask("GET", "If-None-Match: \"7\", \"8\"") == 200);
  CHECK(ask("GET", "If-Match: \"7\", " + made) == 200);
  CHECK(ask("GET", "If-Match: \"7\", W/" + made) == 412);
  CHECK(ask("PUT", "If-Match: \"7000\", \"8000\"") == 412);
  CHECK(ask("PUT", "If-Match: \"7000\", W/" + made) == 412);
  CHECK(ask("PUT", "If-Match: W/" + made) == 400);
  CHECK(ask("PUT", "If-None-Match: \"7000\", W/" + made) == 412);
  CHECK(tag() == made);
  const http::test::Answer refused = fronts.ask("DELETE", "/kv/k", "", "If-Match: \"7000\", \"8000\"\r\n");
  CHECK(refused.status == 412);
  CHECK(field_of(refused, "ETag") == made);
  CHECK(field_of(refused, "Wormhole-Outcome") == "not-applied");
  CHECK(ask("PUT", "If-Match: \"7000\", " + made + ", \"8000\"") == 204);
  CHECK(tag() != made);
  CHECK(ask("PUT", "If-None-Match: \"7000\", " + made) == 204);
  // Both fields: what the second excludes does not match.
  const std::string now = tag();
  CHECK(ask("PUT", "If-Match: \"7000\", " + now + "\r\nIf-None-Match: \"9\", " + now) == 412);
  CHECK(ask("PUT", "If-Match: " + now + "\r\nIf-None-Match: " + now) == 412);
  CHECK(ask("PUT", "If-Match: \"7000\", " + now + "\r\nIf-None-Match: *") == 412);
  CHECK(ask("PUT", "If-Match: *\r\nIf-None-Match: \"7000\", \"8000\"") == 204);
  CHECK(ask("PUT", "If-Match: \"7000\", " + tag() + "\r\nIf-None-Match: \"9\"") == 204);
  // The older paths of one key, and a count.
  CHECK(ask("POST", "If-Match: \"7000\", \"8000\"", "/set?key=k&value=x") == 412);
  CHECK(ask("POST", "If-Match: \"7000\", " + tag(), "/set?key=k&value=5") == 200);
  CHECK(ask("POST", "If-Match: \"7000\", " + tag(), "/kv/k/incr") == 200);
  CHECK(fronts.ask("GET", "/kv/k").body == "6");
  CHECK(ask("DELETE", "If-Match: \"7000\", \"8000\"", "/key/k") == 412);
  CHECK(ask("DELETE", "If-Match: \"7000\", " + tag(), "/key/k") == 204);
  // A bounded number of them.
  std::string many = "If-None-Match: \"1\"";
  for (int i = 2; i <= 64; ++i) many += ", \"" + std::to_string(1'000'000 + i) + "\"";
  CHECK(ask("PUT", many) == 201);
  CHECK(ask("PUT", many + ", \"65\"") == 400);
  // A refusal is not kept under an idempotency key, and that of a list would be.
  const std::string key = "\r\nIdempotency-Key: a";
  CHECK(ask("PUT", "If-Match: \"7000\", \"8000\"" + key) == 400);
  CHECK(ask("PUT", "If-Match: \"7000\"" + key) == 412);
  CHECK(ask("PUT", "If-Match: " + tag() + key) == 204);
  CHECK(ask("PUT", "If-None-Match: \"7000\", \"8000\"\r\nIdempotency-Key: b") == 204);
  // What names one event takes no list.
  const http::test::Answer front = fronts.ask("DELETE", "/event", "", "If-Match: \"1\", \"2\"\r\n");
  CHECK(front.status == 400);
  CHECK(count(front.body, "not a list") == 1);
}

TEST_CASE("410 names the oldest index that is kept, in a header too") {
  test::Fronts fronts(kLatestVersion);
  for (const char* value : {"1", "2", "3"}) CHECK(fronts.ask("PUT", "/kv/k", value).status / 100 == 2);
  fronts.node.set_watch_history(0);
  const http::test::Answer gone = fronts.ask("GET", "/kv/k?watch&from=1");
  REQUIRE(gone.status == 410);
  const std::string oldest = field_of(gone, "Wormhole-Oldest-Index");
  CHECK(oldest == std::to_string(fronts.node.machine().history().oldest().value));
  CHECK(count(gone.body, "the oldest are of index " + oldest) == 1);
  CHECK(fronts.ask("GET", "/kv/k?watch&from=" + std::to_string(std::stoul(oldest) - 1)).status == 410);
}

TEST_CASE("a key by chance is one that is there, however many around it are over and not removed yet") {
  Machine machine;
  machine.raise_version(raft::Index{1}, 0, 4);
  std::vector<std::string> names;
  for (int i = 0; i < 3'000; ++i) names.push_back("session:" + std::to_string(i));
  for (const std::string& name : names)
    run(machine, machine::Transact{.success = {machine::PutKey{
                                       .key = name, .value = "v", .expiry = {machine::Expiry::Kind::after, 10}}}});
  const auto picks = [&](std::string_view wanted) {
    for (uint64_t seed = 1; seed <= 200; ++seed)
      if (look(machine, PickKey{seed}).key != wanted) return false;
    return true;
  };
  run(machine, put("user", "v"));
  run(machine, put("other", "v"), 100);
  run(machine, machine::Transact{.success = {machine::EraseKey{"other"}}});
  REQUIRE(machine.store().items().size() == 3'001);
  CHECK(picks("user"));
  // One of the same beginning that ends later; then none.
  run(machine, machine::Transact{.success = {machine::EraseKey{"user"},
                                             machine::PutKey{.key = "session:1000",
                                                             .value = "v",
                                                             .expiry = {machine::Expiry::Kind::after, 10}}}});
  CHECK(picks("session:1000"));
  run(machine, put("other", "v"), 200);
  run(machine, machine::Transact{.success = {machine::EraseKey{"other"}}});
  CHECK(picks(""));
}

TEST_CASE("HAZARDS W3: a watch shows the changes of an entry together, and only the last of them has its id") {
  Machine machine;
  machine.raise_version(raft::Index{1}, 0, 4);
  const auto frames = std::make_shared<ChangeFrames>();
  const auto watch = open_watch(machine, frames, {.name = "a/", .prefix = true});
  CHECK(all_of(*watch) == ":\nid: 1\n\n");
  run(machine,
      machine::Transact{.success = {machine::PutKey{"a/1", "x"}, machine::PutKey{"b", "x"}, machine::PutKey{"a/2", "x"},
                                    machine::EraseKey{"a/1"}, machine::PutKey{"c", "x"}}});
  for (const size_t room : {1, 100, 100'000}) {
    const auto from = open_watch(machine, frames, {.name = "a/", .prefix = true, .from = 2});
    const std::string all = all_of(*from, room);
    CHECK(count(all, "event: ") == 3);
    CHECK(count(all, "id: ") == 1);
    CHECK(all.ends_with("event: delete\ndata: {\"key\":\"a/1\",\"mod_index\":2}\nid: 2\n\n"));
  }
  CHECK(count(all_of(*watch), "event: ") == 3);
  // A key of it alone.
  CHECK(count(all_of(*open_watch(machine, frames, {.name = "a/1", .from = 2})), "event: ") == 2);
}

TEST_CASE("HAZARDS W4: a quiet watch moves its client on once all up to there was sent, and no further") {
  Machine machine;
  machine.raise_version(raft::Index{1}, 0, 4);
  const auto watch = open_watch(machine, std::make_shared<ChangeFrames>(), {.name = "k"});
  all_of(*watch);
  for (int i = 0; i < 5; ++i) run(machine, put("other", "x"));
  CHECK(watch->keep_alive() == ":\nid: 6\n\n");
  run(machine, put("k", "x"));
  run(machine, put("other", "x"));
  CHECK(watch->keep_alive() == ":\n\n");  // something of it is not sent yet
  CHECK(count(all_of(*watch), "id: 7") == 1);
  CHECK(watch->keep_alive() == ":\nid: 8\n\n");
}

TEST_CASE("HAZARDS W1, W4: a quiet watch outlives a history that turned over, and is told what comes") {
  Machine machine;
  machine.raise_version(raft::Index{1}, 0, 4);
  machine.limit_history(2'000);
  const auto frames = std::make_shared<ChangeFrames>();
  for (const bool prefix : {false, true}) {
    const auto quiet = open_watch(machine, frames, {.name = "quiet", .prefix = prefix});
    all_of(*quiet);
    for (int i = 0; i < 5'000; ++i) run(machine, put("other", "x"));
    CHECK(quiet->keep_alive() == ":\nid: " + std::to_string(machine.applied().value) + "\n\n");
    for (int i = 0; i < 5'000; ++i) run(machine, put("other", "x"));
    run(machine, put("quiet", "x"));
    const std::string told = all_of(*quiet);
    CHECK(count(told, "event: put") == 1);
    CHECK(told.ends_with("\nid: " + std::to_string(machine.applied().value) + "\n\n"));
    // Its own change went before it was told: it is cut.
    run(machine, put("quiet", "y"));
    for (int i = 0; i < 50; ++i) run(machine, put("other", "x"));
    CHECK(all_of(*quiet) == "LOST");
  }
}

TEST_CASE("HAZARDS W1: a watch that fell behind the history is cut, and never goes on behind a gap") {
  Machine machine;
  machine.raise_version(raft::Index{1}, 0, 4);
  machine.limit_history(2'000);
  const auto frames = std::make_shared<ChangeFrames>();
  const auto slow = open_watch(machine, frames, {.name = "k"});
  const auto quick = open_watch(machine, frames, {.name = "k"});
  all_of(*slow);
  all_of(*quick);
  for (int i = 0; i < 50; ++i) {
    run(machine, put("k", std::to_string(i)));
    CHECK(count(all_of(*quick), "event: put") == 1);
  }
  CHECK(all_of(*slow) == "LOST");
  CHECK(all_of(*open_watch(machine, frames, {.name = "k", .from = 2})) == "LOST");
  // A snapshot replaces the state: nobody was told what happened meanwhile.
  (void)machine.replace(machine::State{});
  CHECK(all_of(*quick) == "LOST");
}

TEST_CASE("HAZARDS W8: the items first, then what comes, joined without a gap though they change meanwhile") {
  Machine machine;
  machine.raise_version(raft::Index{1}, 0, 4);
  std::vector<std::string> keys;
  for (int i = 0; i < 20; ++i) keys.push_back("k" + std::to_string(i + 10));
  for (const std::string& key : keys) run(machine, put(key, "old"));
  const auto watch =
      open_watch(machine, std::make_shared<ChangeFrames>(), {.name = "k", .prefix = true, .initial = true});
  std::string out;
  for (int i = 0; i < 7; ++i) CHECK(watch->next(1, out) == http::Stream::Next::more);
  run(machine, put("k10", "new"));                                         // behind the walk
  run(machine, put("k29", "new"));                                         // before it
  run(machine, machine::Transact{.success = {machine::EraseKey{"k28"}}});  // never shown
  run(machine, machine::Transact{.success = {machine::EraseKey{"k11"}}});  // shown, and gone
  out += all_of(*watch);
  CHECK(count(out, "\"key\":\"k10\"") == 2);
  CHECK(count(out, "\"key\":\"k29\"") == 1);
  CHECK(count(out, "\"key\":\"k28\"") == 0);
  CHECK(count(out, "event: delete") == 1);
  CHECK(count(out, "id: ") == 1);  // only a whole picture has one
  CHECK(out.ends_with("id: 25\n\n"));
  run(machine, put("k30", "x"));
  CHECK(all_of(*watch).ends_with("\nid: 26\n\n"));
}

TEST_CASE("HAZARDS W12: whatever a key or a value holds, a watch's event has one line of data") {
  Machine machine;
  machine.raise_version(raft::Index{1}, 0, 4);
  const std::string hostile = "k\n\nevent: fake\ndata: {}\r\nid: 999\xe2\x80\xa8\x01";
  run(machine, put(hostile, hostile));
  run(machine, put("\xff\n\n", "\xff\n\n"));
  const std::string all =
      all_of(*open_watch(machine, std::make_shared<ChangeFrames>(), {.name = "", .prefix = true, .from = 2}));
  CHECK(count(all, "\nevent: ") == 2);
  CHECK(count(all, "\ndata: ") == 2);
  CHECK(count(all, "\nid: ") == 2);
  CHECK(count(all, "\r") == 0);
  CHECK(count(all, "key_base64") == 1);
}

TEST_CASE("a thousand watches of one prefix share what is sent for a change") {
  Machine machine;
  machine.raise_version(raft::Index{1}, 0, 4);
  ChangeFrames frames;
  run(machine, put("k", "v"));
  const std::string& once = frames.frame(machine, machine.history().first_number(), false);
  CHECK(&frames.frame(machine, machine.history().first_number(), false) == &once);
  // It forgets the oldest when it holds too much.
  const std::string large(600'000, 'x');
  for (int i = 0; i < 5; ++i) run(machine, put("k", large));
  for (uint64_t n = machine.history().first_number(); n != machine.history().end_number(); ++n)
    CHECK(frames.frame(machine, n, false).size() > (n == machine.history().first_number() ? 10U : 600'000U));
}

TEST_CASE("HAZARDS S15: a page is made in pieces, and all of it is as of one index, whatever happens meanwhile") {
  Machine machine;
  machine.raise_version(raft::Index{1}, 0, 4);
  for (int i = 100; i < 400; ++i) run(machine, put("k" + std::to_string(i), std::string(1'000, 'a')));
  std::vector<machine::KeyItem> items;
  for (const auto& [key, item] : machine.store().items()) items.push_back(machine.shown(key, item));
  KeyPage page(machine.applied(), items, true, 0);
  CHECK_FALSE(page.size().has_value());
  CHECK(page.held_bytes() >= 300'000);
  std::string all;
  size_t largest = 0;
  size_t pieces = 0;
  for (bool more = true; more;)
    page.next([&](const std::string& piece) {
      more = !piece.empty();
      all += piece;
      largest = std::max(largest, piece.size());
      pieces += more ? 1 : 0;
      run(machine, put("k" + std::to_string(100 + pieces * 40), "changed"));
      run(machine, machine::Transact{.success = {machine::EraseKey{"k399"}}});
    });
  CHECK(largest < 40'000);
  CHECK(pieces > 9);
  CHECK(page.held_bytes() == 0);
  CHECK(all.starts_with("{\"index\":301,\"items\":[{\"key\":\"k100\","));
  CHECK(all.ends_with("}]}\n"));
  CHECK(count(all, "\"key\":") == 300);
  CHECK(count(all, "changed") == 0);
  CHECK(count(all, "},{") == 299);
}

TEST_CASE("a long page comes in chunks and a short one whole, with the same form") {
  test::Fronts fronts(kLatestVersion);
  for (int i = 10; i < 60; ++i)
    REQUIRE(fronts.ask("PUT", "/kv/k" + std::to_string(i), std::string(1'000, 'v')).status == 201);
  const http::test::Answer page = fronts.ask("GET", "/kv?prefix=k");
  CHECK(page.status == 200);
  CHECK(page.header("Content-Length") == nullptr);
  CHECK(count(page.body, "\"key\":\"k") == 50);
  CHECK(page.body.ends_with("}]}\n"));
  const http::test::Answer short_page = fronts.ask("GET", "/kv?prefix=k&limit=2");
  CHECK(short_page.header("Content-Length") != nullptr);
  CHECK(short_page.body.ends_with("}]}\n"));
  REQUIRE(short_page.header("Link") != nullptr);
  CHECK(fronts.ask("GET", "/kv?prefix=none").body.ends_with("\"items\":[]}\n"));
}

}  // namespace wh::api
