#include "api/http/streams/cluster_events.h"

#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "../node/member.h"
#include "api/operations.h"

using namespace wh;
using namespace wh::api;
using namespace wh::node;

namespace {

bool holds_text(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

// A node, and what listeners would be told.
struct Observed : Member {
  ClusterEvents events{node, 1'000'000};

  void look() {
    persist();
    events.turn();
    events.sweep();
    persist();
  }
};

std::string all_sent(http::Stream& stream) {
  std::string text;
  for (int i = 0; i < 10'000; ++i) {
    const http::Stream::Next next = stream.next(4'096, text);
    if (next == http::Stream::Next::lost) return text + "LOST";
    if (next == http::Stream::Next::waits) return text;
  }
  return text + "ENDLESS";
}

// The last `id:` in it.
uint64_t last_id(const std::string& text) {
  const size_t at = text.rfind("id: ");
  REQUIRE(at != std::string::npos);
  return std::stoull(text.substr(at + 4));
}

size_t count(const std::string& text, std::string_view part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

}  // namespace

TEST_CASE("a stream of the cluster's events begins with what is so, in one piece that one id ends") {
  Observed node;
  node.led(kOther, 2, raft::Index{1}, {}, 1);
  node.look();
  const auto stream = node.events.open(std::nullopt);
  const std::string text = all_sent(*stream);
  CHECK(text.starts_with("event: role\ndata: {\"node_id\":\"me\",\"role\":\"follower\",\"term\":2}\n\n"));
  CHECK(count(text, "\"change\":\"present\"") == 3);
  CHECK(count(text, "\"status\":null") == 3);
  CHECK(count(text, "id: ") == 1);
  CHECK(text.ends_with("\nevent: leader\ndata: {\"leader_id\":\"other\",\"term\":2}\n\n"));
  CHECK(all_sent(*stream).empty());
  CHECK(stream->keep_alive() == ":\n\n");
}

TEST_CASE("elections are told as they come, and wake those who wait") {
  Observed node;
  node.led(kOther, 2, raft::Index{1}, {}, 1);
  node.look();
  const auto stream = node.events.open(std::nullopt);
  (void)all_sent(*stream);
  node.node.submit_wait(7, {.topic = kClusterTopic, .lasting = true}, node.now);
  node.persist();
  node.collect();
  node.done.clear();
  node.look();
  CHECK(all_sent(*stream).empty());  // nothing changed
  node.collect();
  CHECK(node.done.empty());
  node.lead();
  node.look();
  node.collect();
  CHECK(node.done.size() == 1);
  const std::string text = all_sent(*stream);
  CHECK(holds_text(text, "event: role\ndata: {\"node_id\":\"me\",\"role\":\"leader\",\"term\":3}\n\n"));
  CHECK(holds_text(text, "event: leader\ndata: {\"leader_id\":\"me\",\"term\":3}\n\n"));
  node.led(kThird, 9, raft::Index{1}, {}, 1);
  node.look();
  const std::string after = all_sent(*stream);
  CHECK(holds_text(after, "\"role\":\"follower\",\"term\":9"));
  CHECK(holds_text(after, "{\"leader_id\":\"third\",\"term\":9}"));
  CHECK(last_id(after) > last_id(text));
}

TEST_CASE("that the cluster's version rose is told, and what it is") {
  NodeOptions options = bench_options();
  options.version = kLatestVersion;
  Member member(options);
  ClusterEvents events{member.node, 1'000'000};
  const auto look = [&] {
    member.persist();
    events.turn();
  };
  look();
  const auto stream = events.open(std::nullopt);
  CHECK(holds_text(all_sent(*stream), "event: version\ndata: {\"cluster_version\":1}\n\n"));
  raft::AppendEntries message{.term = raft::Term{2}, .prev_log_index = raft::Index{1}, .prev_log_term = raft::Term{1}};
  message.leader_commit = raft::Index{2};
  message.entries.push_back({.index = raft::Index{2},
                             .term = raft::Term{2},
                             .kind = raft::EntryKind::version,
                             .payload = Bytes(encode_version(2))});
  member.node.receive(kOther, message, member.now);
  look();
  CHECK(holds_text(all_sent(*stream), "event: version\ndata: {\"cluster_version\":2}\n\n"));
}

TEST_CASE("the leader tells which members live") {
  Observed node;
  node.lead();
  node.look();
  const auto stream = node.events.open(std::nullopt);
  CHECK(count(all_sent(*stream), "\"status\":\"alive\"") == 3);
  for (int i = 0; i < 30; ++i) {  // one of the two others is silent
    node.wait(100);
    node.holds(kOther, node.last());
  }
  node.look();
  std::string text = all_sent(*stream);
  CHECK(count(text, "event: member") == 1);
  CHECK(holds_text(text, "{\"change\":\"failed\",\"id\":\"third\",\"suffrage\":\"voter\",\"status\":\"failed\"}"));
  node.holds(kThird, node.last());
  node.look();
  text = all_sent(*stream);
  CHECK(count(text, "event: member") == 1);
  CHECK(holds_text(text, "{\"change\":\"alive\",\"id\":\"third\",\"suffrage\":\"voter\",\"status\":\"alive\"}"));
}

TEST_CASE("a stream is resumed behind the last event that it got, if that is still known") {
  Observed node;
  node.led(kOther, 2, raft::Index{1}, {}, 1);
  node.look();
  const uint64_t first = last_id(all_sent(*node.events.open(std::nullopt)));
  node.led(kThird, 3, raft::Index{1}, {}, 1);
  node.look();
  const std::string missed = all_sent(*node.events.open(first));
  CHECK(count(missed, "event: ") == 1);
  CHECK(holds_text(missed, "{\"leader_id\":\"third\",\"term\":3}"));
  CHECK(last_id(missed) == first + 1);
  CHECK(all_sent(*node.events.open(first + 1)).empty());
  // Of another node, of another life, or of the future: from the beginning.
  for (const uint64_t strange : {uint64_t{0}, uint64_t{5}, first + 2, UINT64_MAX})
    CHECK(holds_text(all_sent(*node.events.open(strange)), "\"change\":\"present\""));
}

TEST_CASE("what is kept is bounded, and who is too far behind is cut off") {
  Observed node;
  node.led(kOther, 2, raft::Index{1}, {}, 1);
  node.look();
  const auto slow = node.events.open(std::nullopt);
  const uint64_t before = last_id(all_sent(*slow));
  for (uint64_t term = 3; term < 3 + 2 * ClusterEvents::kKeptEvents; ++term) {
    node.led(term % 2 == 0 ? kOther : kThird, term, raft::Index{1}, {}, 1);
    node.events.turn();
  }
  CHECK(all_sent(*slow) == "LOST");
  CHECK(holds_text(all_sent(*node.events.open(before)), "\"change\":\"present\""));
  // The oldest that may be resumed gives all that is kept, in pieces.
  const uint64_t last = last_id(all_sent(*node.events.open(std::nullopt)));
  const std::string kept = all_sent(*node.events.open(last - ClusterEvents::kKeptEvents));
  CHECK(count(kept, "event: ") == ClusterEvents::kKeptEvents);
  CHECK_FALSE(holds_text(kept, "LOST"));
  CHECK(kept.size() <= ClusterEvents::kKeptBytes);
}

TEST_CASE("a stream may outlive what it tells of") {
  std::shared_ptr<http::Stream> stream;
  {
    Observed node;
    stream = node.events.open(std::nullopt);
  }
  CHECK(holds_text(all_sent(*stream), "event: role"));
  CHECK(all_sent(*stream).empty());
}
