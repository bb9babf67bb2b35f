#include "wire/hello.h"

#include <doctest/doctest.h>

#include "random_messages.h"

using namespace wh;
using wire::FieldReader;
using wire::Hello;
using wire::HelloReply;
using wire::test::RandomMessages;

namespace {

template <typename T>
std::string payload_of(const T& value) {
  std::string out;
  REQUIRE(wire::encode(out, value));
  return out.substr(wire::kFrameHeaderBytes);
}

}  // namespace

TEST_CASE("hellos and their replies come back as they were") {
  RandomMessages random(11);
  for (int i = 0; i < 300; ++i) {
    const Hello hello = random.hello();
    CHECK(wire::decode_hello(payload_of(hello)) == hello);
    const HelloReply reply = random.hello_reply();
    CHECK(wire::decode_hello_reply(payload_of(reply)) == reply);
    CHECK(wire::decode_proof(payload_of(reply.proof)) == reply.proof);
  }
}

TEST_CASE("no prefix of a hello is a hello, and nothing may follow it") {
  RandomMessages random(12);
  const std::string hello = payload_of(random.hello());
  for (size_t size = 0; size < hello.size(); ++size) CHECK_FALSE(wire::decode_hello(hello.substr(0, size)));
  CHECK_FALSE(wire::decode_hello(hello + "x"));
  const std::string reply = payload_of(random.hello_reply());
  for (size_t size = 0; size < reply.size(); ++size) CHECK_FALSE(wire::decode_hello_reply(reply.substr(0, size)));
  CHECK_FALSE(wire::decode_hello_reply(reply + "x"));
  CHECK_FALSE(wire::decode_proof(std::string(31, 'p')));
  CHECK_FALSE(wire::decode_proof(std::string(33, 'p')));
}

TEST_CASE("a hello of another version is told apart, not understood") {
  RandomMessages random(13);
  Hello hello = random.hello();
  hello.min_version = wire::kMaxVersion + 1;
  hello.max_version = wire::kMaxVersion + 2;
  const std::optional<Hello> decoded = wire::decode_hello(payload_of(hello) + "what later versions add");
  REQUIRE(decoded);
  CHECK_FALSE(wire::compatible(*decoded, {}));
  CHECK(decoded->min_version == wire::kMaxVersion + 1);
  CHECK(decoded->max_version == wire::kMaxVersion + 2);
  CHECK(decoded->sender == node::Identity{});

  hello.min_version = 3;
  hello.max_version = 2;
  CHECK_FALSE(wire::decode_hello(payload_of(hello)));
  hello.min_version = wire::kMinVersion;
  CHECK(wire::compatible(*wire::decode_hello(payload_of(hello)), {}));
}

TEST_CASE("the largest hello and reply fit their limit; longer names and addresses do not") {
  const std::string longest(wire::kMaxNameBytes, 'x');
  node::Identity identity{.cluster = {},
                          .instance = raft::NodeId{1},
                          .name = longest,
                          .raft_address = longest,
                          .http_address = longest,
                          .https_address = longest};
  Hello hello;
  hello.sender = identity;
  hello.intended_name = longest;
  CHECK(wire::decode_hello(payload_of(hello)) == hello);
  HelloReply reply;
  reply.sentence = std::string(5000, 's');
  reply.receiver.identity = identity;
  reply.receiver.leader_address = longest;
  const std::optional<HelloReply> decoded = wire::decode_hello_reply(payload_of(reply));
  REQUIRE(decoded);
  CHECK(decoded->sentence == std::string(wire::kMaxSentenceBytes, 's'));

  std::string out;
  hello.intended_name += "x";
  CHECK_FALSE(wire::encode(out, hello));
  reply.receiver.identity.https_address += "x";
  CHECK_FALSE(wire::encode(out, reply));
  CHECK(out.empty());
}

// A newer release may say more than this one knows: that ends no connection.
TEST_CASE("HAZARDS B17: purposes, refusals and standings of a newer release read as what is known of them: nothing") {
  RandomMessages random(14);
  std::string hello = payload_of(random.hello());
  hello[4] = 2;
  REQUIRE(wire::decode_hello(hello));
  CHECK(wire::decode_hello(hello)->purpose == wire::Purpose::unknown);
  std::string reply = payload_of(random.hello_reply());
  reply[0] = static_cast<char>(wire::kLastRefusal) + 1;
  REQUIRE(wire::decode_hello_reply(reply));
  CHECK(wire::decode_hello_reply(reply)->refusal == wire::Refusal::unknown);
}

TEST_CASE("a hello says what versions of the cluster its sender takes part in, as versions of the protocol") {
  const auto said = [](ClusterVersion lowest, ClusterVersion highest) {
    wire::Hello hello;
    hello.min_version = wire::lowest_protocol(lowest);
    hello.max_version = wire::highest_protocol(highest);
    return hello;
  };
  CHECK(said(1, 1).min_version == 2);  // as the releases say it that know no versions of the cluster
  CHECK(said(1, 1).max_version == 3);
  CHECK(said(2, 2).min_version == 4);
  CHECK(wire::versions_of(said(1, 2)) == node::VersionRange{1, 2});
  CHECK(wire::versions_of(said(2, 2)) == node::VersionRange{2, 2});
  CHECK(wire::compatible(said(1, 1), {1, 2}));
  CHECK(wire::compatible(said(1, 2), {2, 2}));
  CHECK_FALSE(wire::compatible(said(1, 1), {2, 2}));
  CHECK_FALSE(wire::compatible(said(2, 2), {1, 1}));
  CHECK(wire::common_version(said(1, 2), {1, 1}) == 3);
}
