#include "machine/command/command.h"

#include <doctest/doctest.h>

#include "base/bytes.h"
#include "base/prng.h"

using namespace wh::machine;
using wh::Writer;
using wh::raft::NodeId;

namespace {

const RequestId kId{NodeId{7}, 8, 9};

std::string with_kind(uint8_t kind, const std::string& fields) {
  return envelope(kId, std::string(1, static_cast<char>(kind)) + fields);
}
std::string u32(uint32_t v) {
  std::string out;
  Writer(out).u32(v);
  return out;
}
std::string sized(const std::string& text) { return u32(static_cast<uint32_t>(text.size())) + text; }

}  // namespace

TEST_CASE("a command is decoded as it was encoded") {
  const std::string binary("\0\xff\n", 3);
  const Body bodies[] = {
      Set{{{"a", "1"}}},
      Set{{{"a", ""}, {binary, binary}, {"a", "again"}}},
      Delete{{"a", binary}},
      Enqueue{"event", binary},
      Dequeue{"event", {}},
      Dequeue{"event", 0},
      Dequeue{"event", UINT64_MAX},
      Dequeue{"event", 7, true},
      Dequeue{.queue = "event", .only_if_front = {}, .count = 1},
      Dequeue{.queue = "event", .only_if_front = {}, .count = kMaxDequeue},
      RemoveEvents{"event", {1}},
      RemoveEvents{"event", {UINT64_MAX, 7, 7}},
  };
  for (const Body& body : bodies) {
    const std::string command = envelope(kId, encode_body(body));
    const auto decoded = decode(command);
    REQUIRE(decoded.ok());
    CHECK(decoded->id == kId);
    CHECK(decoded->body == body);
  }
}

TEST_CASE("the format in the log stays as it is") {
  const std::string head = std::string("\x01\x07\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0", kEnvelopeBytes);
  CHECK(envelope(kId, "") == head);
  CHECK(encode_body(Set{{{"k", "vw"}}}) == std::string("\x01\x01\0\0\0\x01\0\0\0k\x02\0\0\0vw", 16));
  CHECK(encode_body(Delete{{"k"}}) == std::string("\x02\x01\0\0\0\x01\0\0\0k", 10));
  CHECK(encode_body(Enqueue{"q", "e"}) == std::string("\x03\x01\0\0\0q\x01\0\0\0e", 11));
  CHECK(encode_body(Dequeue{"q", {}}) == std::string("\x04\x01\0\0\0q\0", 7));
  CHECK(encode_body(Dequeue{.queue = "q", .only_if_front = {}, .count = 3}) ==
        std::string("\x04\x01\0\0\0q\x04\x03\0\0\0", 11));
  CHECK(encode_body(Dequeue{"q", 5}) == std::string("\x04\x01\0\0\0q\x01\x05\0\0\0\0\0\0\0", 15));
  CHECK(encode_body(RemoveEvents{"q", {5}}) == std::string("\x17\x01\0\0\0q\x01\0\0\0\x05\0\0\0\0\0\0\0", 18));
}

TEST_CASE("bounds: what is just within is taken, what is just beyond is refused before it is encoded") {
  const std::string longest_key(kMaxKeyBytes, 'k');
  const std::string longest_queue(kMaxQueueNameBytes, 'q');
  const std::string largest(kMaxValueBytes, 'v');
  std::vector<std::string> names;
  for (size_t i = 0; i <= kMaxItems; ++i) names.push_back(std::to_string(i));
  Set full_set;
  Delete full_delete;
  for (size_t i = 0; i < kMaxItems; ++i) {
    full_set.pairs.emplace_back(names[i], "v");
    full_delete.keys.emplace_back(names[i]);
  }
  const Body good[] = {Set{{{longest_key, largest}}},
                       Set{{{"k", ""}}},
                       full_set,
                       Delete{{longest_key}},
                       full_delete,
                       Enqueue{longest_queue, largest},
                       Dequeue{longest_queue, {}},
                       RemoveEvents{longest_queue, std::vector<uint64_t>(kMaxBatch, 1)}};
  for (const Body& body : good) {
    CHECK(check(body).ok());
    CHECK(decode(envelope(kId, encode_body(body))).ok());
  }
  Set over_set = full_set;
  over_set.pairs.emplace_back(names.back(), "v");
  Delete over_delete = full_delete;
  over_delete.keys.emplace_back(names.back());
  const std::string long_key = longest_key + 'k';
  const std::string long_queue = longest_queue + 'q';
  const std::string large = largest + 'v';
  const Body bad[] = {Set{},
                      Set{{{"", "v"}}},
                      Set{{{"k", "v"}, {long_key, "v"}}},
                      Set{{{"k", large}}},
                      over_set,
                      Delete{},
                      Delete{{"k", ""}},
                      Delete{{long_key}},
                      over_delete,
                      Enqueue{"", "e"},
                      Enqueue{long_queue, "e"},
                      Enqueue{"q", ""},
                      Enqueue{"q", large},
                      Dequeue{"", {}},
                      Dequeue{long_queue, 1},
                      RemoveEvents{"q", {}},
                      RemoveEvents{"q", {1, 0}},
                      RemoveEvents{"q", std::vector<uint64_t>(kMaxBatch + 1, 1)},
                      RemoveEvents{long_queue, {1}}};
  for (const Body& body : bad) {
    const auto status = check(body);
    REQUIRE_FALSE(status.ok());
    CHECK_FALSE(status.error().empty());
  }
}

TEST_CASE("HAZARDS B14: malformed commands are errors") {
  const std::string bad[] = {
      "",
      std::string("\x01", 1),
      std::string("\x00", 1) + envelope(kId, encode_body(Delete{{"k"}})).substr(1),  // version
      std::string("\x02", 1) + envelope(kId, encode_body(Delete{{"k"}})).substr(1),
      envelope(kId, ""),                                                 // no body
      envelope(RequestId{NodeId{0}, 1, 1}, encode_body(Delete{{"k"}})),  // numbered by nobody
      with_kind(0, sized("q")),                                          // kinds
      with_kind(5, sized("q")),
      with_kind(255, ""),
      with_kind(1, ""),
      with_kind(1, u32(0)),           // no pair
      with_kind(1, u32(0xffffffff)),  // more than can be there
      with_kind(1, u32(2) + sized("k") + sized("v")),
      with_kind(1, u32(1) + sized("k") + sized("v") + "x"),  // something behind
      with_kind(1, u32(1) + sized("") + sized("v")),         // empty key
      with_kind(1, u32(1) + sized("k") + u32(0xffffffff) + "v"),
      with_kind(1, u32(1) + sized(std::string(4097, 'k')) + sized("v")),
      with_kind(1, u32(1) + sized("k") + sized(std::string(kMaxValueBytes + 1, 'v'))),
      with_kind(1, u32(10'001) + std::string(9 * 10'001, '\0')),
      with_kind(2, u32(0)),
      with_kind(2, u32(1) + sized("")),
      with_kind(2, u32(1) + sized("k") + "x"),
      with_kind(2, u32(10'001) + std::string(5 * 10'001, '\0')),
      with_kind(3, sized("") + sized("e")),
      with_kind(3, sized("q") + sized("")),
      with_kind(3, sized("q")),
      with_kind(3, sized(std::string(129, 'q')) + sized("e")),
      with_kind(4, sized("q")),
      with_kind(4, sized("q") + "\x04"),  // no such field
      with_kind(4, sized("q") + "\x01"),  // no id
      with_kind(4, sized("q") + std::string(2, '\0')),
  };
  for (const std::string& command : bad) {
    CAPTURE(command.size());
    const auto decoded = decode(command);
    REQUIRE_FALSE(decoded.ok());
    CHECK_FALSE(decoded.error().empty());
  }
}

TEST_CASE("HAZARDS B14: a command cut anywhere is an error") {
  for (const Body& body : {Body(Set{{{"key", "value"}, {"other", ""}}}), Body(Delete{{"a", "b"}}),
                           Body(Enqueue{"q", "event"}), Body(Dequeue{"q", 3})}) {
    const std::string command = envelope(kId, encode_body(body));
    for (size_t size = 0; size < command.size(); ++size) CHECK_FALSE(decode(command.substr(0, size)).ok());
  }
}

TEST_CASE("what decodes is within bounds and encodes to the same bytes") {
  wh::Prng prng(11);
  const std::string seeds[] = {envelope(kId, encode_body(Set{{{"key", "value"}, {"other", ""}}})),
                               envelope(kId, encode_body(Delete{{"a", "b"}})),
                               envelope({}, encode_body(Enqueue{"q", "event"})),
                               envelope(kId, encode_body(Dequeue{"q", 3}))};
  int decoded_count = 0;
  for (int i = 0; i < 40'000; ++i) {
    std::string command = seeds[prng.below(4)];
    for (uint64_t changes = prng.between(1, 3); changes > 0; --changes) {
      const size_t at = prng.below(command.size());
      switch (prng.below(4)) {
        case 0:
          command[at] = static_cast<char>(prng.next());
          break;
        case 1:
          command[at] = static_cast<char>(command[at] ^ (1 << prng.below(8)));
          break;
        case 2:
          command.insert(at, 1, static_cast<char>(prng.below(4)));
          break;
        default:
          if (command.size() > 1) command.erase(at, 1);
      }
    }
    const auto decoded = decode(command);
    if (!decoded) continue;
    ++decoded_count;
    REQUIRE(check(decoded->body).ok());
    REQUIRE(envelope(decoded->id, encode_body(decoded->body)) == command);
  }
  CHECK(decoded_count > 1000);
}
