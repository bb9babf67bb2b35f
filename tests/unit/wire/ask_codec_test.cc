#include "wire/ask_codec.h"

#include <doctest/doctest.h>

#include "random_messages.h"

using namespace wh;
using wire::Frame;
using wire::FrameType;
using wire::test::RandomMessages;

namespace {

template <typename T>
std::string encoded(const T& value) {
  std::string out;
  REQUIRE(wire::encode(out, value));
  REQUIRE(out.size() <= wire::kMaxHelloBytes + 8);
  return out;
}

Frame frame_of(std::string_view bytes) {
  return {static_cast<FrameType>(static_cast<uint8_t>(bytes[8])), bytes.substr(wire::kFrameHeaderBytes)};
}

}  // namespace

TEST_CASE("questions and answers come back as they were") {
  RandomMessages random(21);
  for (size_t kind = 0; kind < RandomMessages::kAsks; ++kind) {
    for (int i = 0; i < 100; ++i) {
      const node::Ask question = random.ask(kind);
      REQUIRE(question.index() == kind);
      const std::string asked = encoded(question);
      CHECK(wire::decode_ask(frame_of(asked)) == question);
      CHECK_FALSE(wire::decode_answer(frame_of(asked)));
      const node::Answer answer = random.answer(kind);
      REQUIRE(answer.index() == kind);
      const std::string answered = encoded(answer);
      CHECK(wire::decode_answer(frame_of(answered)) == answer);
      CHECK_FALSE(wire::decode_ask(frame_of(answered)));
    }
  }
}

TEST_CASE("no prefix of a question or answer is one, and nothing may follow it") {
  RandomMessages random(22);
  for (size_t kind = 0; kind < RandomMessages::kAsks; ++kind) {
    const std::string question = encoded(random.ask(kind));
    const std::string answer = encoded(random.answer(kind));
    for (size_t size = wire::kFrameHeaderBytes; size < question.size(); ++size)
      CHECK_FALSE(wire::decode_ask(frame_of(question.substr(0, size))));
    for (size_t size = wire::kFrameHeaderBytes; size < answer.size(); ++size)
      CHECK_FALSE(wire::decode_answer(frame_of(answer.substr(0, size))));
    CHECK_FALSE(wire::decode_ask(frame_of(question + "x")));
    CHECK_FALSE(wire::decode_answer(frame_of(answer + "x")));
  }
}

TEST_CASE("who speaks version 2 is told what version 2 knows") {
  const auto said = [](const auto& value) {
    std::string out;
    REQUIRE(wire::encode(out, value, 2));
    return out;
  };
  const node::GrantFounding grant{.founder = {.instance = raft::NodeId{7}, .name = "a"},
                                  .attempt = 5,
                                  .electorate = {raft::NodeId{7}, raft::NodeId{9}}};
  node::GrantFounding plain = grant;
  plain.electorate.clear();
  CHECK(frame_of(said(node::Ask(grant))).type == FrameType::grant_founding);
  CHECK(wire::decode_ask(frame_of(said(node::Ask(grant)))) == node::Ask(plain));
  CHECK(wire::decode_ask(frame_of(encoded(node::Ask(grant)))) == node::Ask(grant));
  CHECK(said(node::Ask(node::WhoAreYou{"db1:1112", "10.0.0.1:1112"})) == said(node::Ask(node::WhoAreYou{})));
  node::WhoIAm who{.identity = {.instance = raft::NodeId{7}, .name = "a"},
                   .view = node::FoundingView{{raft::NodeId{7}}, "waiting"}};
  const std::string answered = said(node::Answer(who));
  who.view.reset();
  CHECK(answered == said(node::Answer(who)));
  CHECK(frame_of(answered).type == FrameType::who_i_am);
}

TEST_CASE("an electorate over its bound is not taken") {
  node::GrantFounding grant{.founder = {.name = "a"}, .attempt = 5, .electorate = {}};
  grant.electorate.resize(node::kMaxElectorate);
  CHECK(wire::decode_ask(frame_of(encoded(node::Ask(grant)))));
  grant.electorate.resize(node::kMaxElectorate + 1);
  CHECK_FALSE(wire::decode_ask(frame_of(encoded(node::Ask(grant)))));
}

TEST_CASE("a boolean is 0 or 1, a standing of a newer release is one that holds data") {
  std::string granted = encoded(node::Answer(node::FoundingGranted{.granted = true, .why = ""}));
  granted[wire::kFrameHeaderBytes] = 2;
  CHECK_FALSE(wire::decode_answer(frame_of(granted)));
  std::string who = encoded(node::Answer(node::WhoIAm{}));
  who[wire::kFrameHeaderBytes + 16 + 8 + 16] = 3;
  const auto read = wire::decode_answer(frame_of(who));
  REQUIRE(read);
  CHECK(std::get<node::WhoIAm>(*read).standing == node::Standing::member);
}

TEST_CASE("names and addresses over their bound are not sent, sentences are cut") {
  std::string out;
  const std::string long_name(wire::kMaxNameBytes + 1, 'x');
  CHECK_FALSE(wire::encode(out, node::Ask(node::Adopt{.leader_name = long_name})));
  CHECK_FALSE(wire::encode(out, node::Ask(node::TakeMeIn{.who = {.name = long_name}})));
  CHECK_FALSE(wire::encode(out, node::Answer(node::TakenIn{.leader_address = long_name})));
  CHECK(out.empty());
  const std::string adopted = encoded(node::Answer(node::Adopted{.ok = false, .why = std::string(2000, 'y')}));
  CHECK(wire::decode_answer(frame_of(adopted)) ==
        node::Answer(node::Adopted{.ok = false, .why = std::string(wire::kMaxSentenceBytes, 'y')}));
}

TEST_CASE("HAZARDS G2: lengths inside a question that are more than it holds are refused") {
  const std::string question = encoded(node::Ask(node::TakeMeIn{.who = {.name = "n1"}}));
  std::string bad = question;
  const size_t name_length = wire::kFrameHeaderBytes + 16 + 8;
  for (size_t i = 0; i < 4; ++i) bad[name_length + i] = '\xff';
  CHECK_FALSE(wire::decode_ask(frame_of(bad)));
}
