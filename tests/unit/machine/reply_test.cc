#include "machine/command/reply.h"

#include <doctest/doctest.h>

#include "machine/command/command.h"

using namespace wh::machine;

TEST_CASE("a reply is decoded as it was encoded") {
  const Reply replies[] = {
      {},
      {.code = ReplyCode::precondition_failed, .queue_length = 4},
      {.code = ReplyCode::invalid},
      {.code = ReplyCode::duplicate},
      {.event_id = {9}, .count = 1, .queue_length = UINT64_MAX, .event = wh::Bytes(std::string("\0x", 2))},
      {.event = wh::Bytes(std::string(kMaxValueBytes, 'e'))},
      {.count = 1, .outcomes = {SettleOutcome::done, SettleOutcome::gone, SettleOutcome::stale, SettleOutcome::held}},
  };
  for (const Reply& reply : replies) {
    const auto decoded = decode_reply(encode_reply(reply));
    REQUIRE(decoded.ok());
    CHECK(*decoded == reply);
  }
}

TEST_CASE("malformed replies are errors") {
  const std::string good = encode_reply({.event = wh::Bytes("event")});
  for (size_t size = 0; size < good.size(); ++size) CHECK_FALSE(decode_reply(good.substr(0, size)).ok());
  CHECK_FALSE(decode_reply(good + "x").ok());
  CHECK_FALSE(decode_reply(good + std::string(8, '\0')).ok());  // replayed from nowhere
  CHECK_FALSE(decode_reply(encode_reply({.event = wh::Bytes(std::string(kMaxValueBytes + 1, 'e'))})).ok());
}

// HAZARDS B17: what a newer release answers ends nothing here; what was done is not known.
TEST_CASE("an answer of a newer release reads as unknown") {
  const std::string good = encode_reply({});
  for (const char code : {'\x20', '\xff'}) {
    const auto reply = decode_reply(code + good.substr(1) + "more");
    REQUIRE(reply.ok());
    CHECK(reply->code == ReplyCode::unknown);
  }
}

TEST_CASE("an answer that was kept says of which entry it is") {
  const Reply reply{.count = 3, .replayed_from = wh::raft::Index{77}};
  CHECK(*decode_reply(encode_reply(reply)) == reply);
}
