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
  CHECK_FALSE(decode_reply("\x04" + good.substr(1)).ok());
  CHECK_FALSE(decode_reply("\xff" + good.substr(1)).ok());
  CHECK_FALSE(decode_reply(encode_reply({.event = wh::Bytes(std::string(kMaxValueBytes + 1, 'e'))})).ok());
}
