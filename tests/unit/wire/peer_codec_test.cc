#include "wire/peer_codec.h"

#include <functional>

#include <doctest/doctest.h>

#include "base/hash.h"
#include "random_messages.h"

using namespace wh;
using wire::Frame;
using wire::FrameDecoder;
using wire::FrameType;
using wire::test::RandomMessages;

namespace {

std::string encoded(const node::PeerMessage& message) {
  std::string out;
  REQUIRE(wire::encode(out, message));
  return out;
}

Frame frame_of(std::string_view bytes) {
  return {static_cast<FrameType>(static_cast<uint8_t>(bytes[8])), bytes.substr(wire::kFrameHeaderBytes)};
}

std::optional<node::PeerMessage> decoded(std::string_view bytes) { return wire::decode_peer_message(frame_of(bytes)); }

// The same in the form that it came in.
std::string as_it_came(const node::PeerMessage& message, FrameType type) {
  const bool newer = type == FrameType::append_entries_4 || type == FrameType::append_entries_reply_4;
  std::string out;
  REQUIRE(wire::encode(out, message, newer ? 4 : 3));
  return out;
}

// What a newer release said is not known here, and so cannot be said again.
bool says_unknown(const node::PeerMessage& message) {
  if (const auto* m = std::get_if<node::ForwardReply>(&message)) return m->outcome == node::Outcome::unknown;
  if (const auto* m = std::get_if<node::ForwardAdminReply>(&message)) return m->outcome == node::Outcome::unknown;
  const auto* m = std::get_if<node::ForwardAdmin>(&message);
  return m != nullptr && m->admin.kind == node::AdminKind::unknown;
}

// A message whose field, a u64 at this place in the payload, is overwritten.
std::string with_u64(std::string bytes, size_t at, uint64_t value) {
  for (size_t i = 0; i < 8; ++i) bytes[wire::kFrameHeaderBytes + at + i] = static_cast<char>(value >> (8 * i));
  return bytes;
}

std::string with_byte(std::string bytes, size_t at, uint8_t value) {
  bytes[wire::kFrameHeaderBytes + at] = static_cast<char>(value);
  return bytes;
}

raft::AppendEntries two_entries() {
  raft::AppendEntries m;
  m.term = raft::Term{5};
  m.prev_log_index = raft::Index{10};
  m.prev_log_term = raft::Term{3};
  m.leader_commit = raft::Index{9};
  m.entries.push_back({raft::Index{11}, raft::Term{4}, raft::EntryKind::command, 100, Bytes("first")});
  m.entries.push_back({raft::Index{12}, raft::Term{5}, raft::EntryKind::noop, 101, Bytes()});
  return m;
}
// Where things are in its payload, behind the leader's time.
constexpr size_t kPrevIndexAt = 16, kPrevTermAt = 24, kSentAt = 48, kAcknowledgedAt = 56, kCountAt = 64,
                 kFirstTermAt = 68, kFirstKindAt = 76, kFirstTimeAt = 77, kFirstLengthAt = 85, kSecondTermAt = 94;

}  // namespace

TEST_CASE("every kind of message comes back as it was") {
  RandomMessages random(31);
  for (size_t kind = 0; kind < RandomMessages::kPeerMessages; ++kind) {
    for (int i = 0; i < 200; ++i) {
      const node::PeerMessage message = random.peer_message(kind);
      REQUIRE(message.index() == kind);
      CHECK(decoded(encoded(message)) == message);
    }
  }
}

TEST_CASE("a message is appended to what is in the buffer") {
  std::string out = encoded(raft::TimeoutNow{raft::Term{1}});
  const size_t first = out.size();
  REQUIRE(wire::encode(out, raft::TimeoutNow{raft::Term{2}}));
  CHECK(decoded(std::string_view(out).substr(first)) == node::PeerMessage(raft::TimeoutNow{raft::Term{2}}));
}

TEST_CASE("no prefix of a message is one, and nothing may follow it") {
  RandomMessages random(32);
  for (size_t kind = 0; kind < RandomMessages::kPeerMessages; ++kind) {
    const std::string bytes = encoded(random.peer_message(kind));
    for (size_t size = wire::kFrameHeaderBytes; size < bytes.size(); ++size)
      CHECK_FALSE(decoded(bytes.substr(0, size)));
    CHECK_FALSE(decoded(bytes + "x"));
  }
}

TEST_CASE("HAZARDS G4: a frame with one bit flipped is never taken for a message") {
  RandomMessages random(33);
  for (size_t kind = 0; kind < RandomMessages::kPeerMessages; ++kind) {
    const std::string good = encoded(random.peer_message(kind));
    for (size_t bit = 0; bit < good.size() * 8; ++bit) {
      std::string bytes = std::string(wire::kMagic) + good;
      char& c = bytes[wire::kMagic.size() + bit / 8];
      c = static_cast<char>(c ^ (1 << (bit % 8)));
      FrameDecoder decoder(wire::kMaxFrameBytes);
      decoder.push(bytes);
      CHECK_FALSE(decoder.next());
    }
  }
}

TEST_CASE("fuzz: damaged payloads decode to nothing, or to a message of the right form") {
  RandomMessages random(34);
  size_t survived = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = encoded(random.peer_message(random.below(RandomMessages::kPeerMessages)));
    for (uint64_t changes = 1 + random.below(3); changes > 0; --changes) {
      const size_t at = 8 + random.below(bytes.size() - 8);
      const uint64_t what = random.below(4);
      if (what == 0) bytes[at] = static_cast<char>(random.below(256));
      if (what == 1) bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.below(8)));
      if (what == 2 && at > wire::kFrameHeaderBytes) bytes.resize(at);
      if (what == 3) bytes.insert(at, 1, static_cast<char>(random.below(256)));
    }
    const std::optional<node::PeerMessage> message = decoded(bytes);
    if (!message) continue;
    ++survived;
    const std::string again = as_it_came(*message, frame_of(bytes).type);
    CHECK(decoded(again) == message);
    // Only a configuration can be written in two ways: its members in another order.
    if (!std::holds_alternative<raft::InstallSnapshot>(*message) && !says_unknown(*message))
      CHECK(frame_of(again).payload == frame_of(bytes).payload);
  }
  CHECK(survived > 1000);
}

TEST_CASE("fuzz: random payloads of every type") {
  RandomMessages random(35);
  for (int round = 0; round < 50'000; ++round) {
    const std::string payload = random.text(80);
    const Frame frame{static_cast<FrameType>(random.below(256)), payload};
    const std::optional<node::PeerMessage> message = wire::decode_peer_message(frame);
    if (!message) continue;
    if (says_unknown(*message)) continue;
    const std::string again = as_it_came(*message, frame.type);
    CHECK(frame_of(again).payload == payload);
  }
}

TEST_CASE("HAZARDS A14: terms and indices at or above 2^62 are refused, in every message") {
  struct Field {
    node::PeerMessage message;
    std::vector<size_t> at;  // of each term, index or other limited number
  };
  const std::vector<Field> fields = {
      {raft::RequestVote{}, {0, 8, 16}},
      {raft::RequestVoteReply{}, {0}},
      {two_entries(),
       {0, 8, kPrevIndexAt, kPrevTermAt, 32, kSentAt, kAcknowledgedAt, kFirstTermAt, kFirstTimeAt, kSecondTermAt}},
      {raft::AppendEntriesReply{}, {0, 8, 17, 25, 33, 41, 57}},
      {raft::InstallSnapshot{}, {0, 8, 16, 24, 45, 61, 73}},
      {raft::InstallSnapshotReply{}, {0, 8, 16, 25}},
      {raft::TimeoutNow{}, {0}},
      {raft::ReadIndexRequest{}, {0}},
      {raft::ReadIndexReply{}, {0, 17}},
      {node::ForwardReply{}, {9}},
  };
  for (const Field& field : fields) {
    const std::string good = encoded(field.message);
    CHECK(decoded(good) == field.message);
    for (const size_t at : field.at) {
      CHECK_FALSE(decoded(with_u64(good, at, raft::kLimit)));
      CHECK_FALSE(decoded(with_u64(good, at, uint64_t{1} << 63)));
      CHECK_FALSE(decoded(with_u64(good, at, UINT64_MAX)));
    }
  }
  raft::RequestVote highest;
  highest.term = raft::Term{raft::kLimit - 1};
  highest.last_log_index = raft::Index{raft::kLimit - 1};
  CHECK(decoded(encoded(highest)) == node::PeerMessage(highest));
}

TEST_CASE("HAZARDS A14: an entry's index cannot pass the limit either") {
  const std::string good = encoded(two_entries());
  CHECK(decoded(with_u64(good, kPrevIndexAt, raft::kLimit - 3)));
  CHECK_FALSE(decoded(with_u64(good, kPrevIndexAt, raft::kLimit - 2)));
}

TEST_CASE("entries' terms do not fall and are not above the message's") {
  const std::string good = encoded(two_entries());
  CHECK(decoded(good) == node::PeerMessage(two_entries()));
  CHECK(decoded(with_u64(good, kFirstTermAt, 3)));
  CHECK_FALSE(decoded(with_u64(good, kFirstTermAt, 2)));   // below prev_log_term
  CHECK(decoded(with_u64(good, kFirstTermAt, 5)));         // as the next
  CHECK_FALSE(decoded(with_u64(good, kFirstTermAt, 6)));   // above the next
  CHECK_FALSE(decoded(with_u64(good, kSecondTermAt, 3)));  // below the one before
  CHECK_FALSE(decoded(with_u64(good, kSecondTermAt, 6)));  // above the message's
  CHECK_FALSE(decoded(with_u64(good, kPrevTermAt, 6)));    // above the message's
  CHECK_FALSE(decoded(with_u64(good, kPrevIndexAt, 0)));   // nothing has a term there
}

TEST_CASE("kinds, booleans and outcomes are known ones") {
  CHECK_FALSE(decoded(with_byte(encoded(two_entries()), kFirstKindAt, raft::kEntryKinds)));
  CHECK_FALSE(decoded(with_byte(encoded(raft::RequestVote{}), 24, 2)));
  CHECK_FALSE(decoded(with_byte(encoded(raft::RequestVote{}), 25, 255)));
  CHECK_FALSE(decoded(with_byte(encoded(raft::ReadIndexReply{}), 16, 2)));
}

// A newer release may have more of them: what it says then is not known here, and its connection goes on.
TEST_CASE("HAZARDS B17: an outcome or a request of a newer release reads as unknown") {
  const auto reply = decoded(with_byte(encoded(node::ForwardReply{}), 8, 200));
  REQUIRE(reply);
  CHECK(std::get<node::ForwardReply>(*reply).outcome == node::Outcome::unknown);
  const auto admin = decoded(with_byte(encoded(node::ForwardAdmin{}), 8, 3));
  REQUIRE(admin);
  CHECK(std::get<node::ForwardAdmin>(*admin).admin.kind == node::AdminKind::unknown);
  const auto answer = decoded(with_byte(encoded(node::ForwardAdminReply{}), 8, 200));
  REQUIRE(answer);
  CHECK(std::get<node::ForwardAdminReply>(*answer).outcome == node::Outcome::unknown);
}

TEST_CASE("times are said to who understands them only") {
  raft::AppendEntries append = two_entries();
  append.time_ms = 77;
  raft::AppendEntriesReply reply{.term = raft::Term{5}};
  reply.clock_ms = 78;
  for (const node::PeerMessage& message : {node::PeerMessage(append), node::PeerMessage(reply)}) {
    CHECK(decoded(encoded(message)) == message);
    std::string old;
    REQUIRE(wire::encode(old, message, 3));
    const auto heard = decoded(old);
    REQUIRE(heard);
    if (const auto* m = std::get_if<raft::AppendEntries>(&*heard)) {
      CHECK(m->time_ms == 0);
      CHECK(m->entries == append.entries);
    } else {
      CHECK(std::get<raft::AppendEntriesReply>(*heard).clock_ms == 0);
    }
  }
}

TEST_CASE("a configuration entry must decode") {
  raft::AppendEntries m;
  m.term = raft::Term{1};
  RandomMessages random(36);
  m.entries.push_back(
      {raft::Index{1}, raft::Term{1}, raft::EntryKind::configuration, 0, Bytes(random.configuration().encode())});
  CHECK(decoded(encoded(m)) == node::PeerMessage(m));
  m.entries[0].payload = Bytes("not one");
  CHECK_FALSE(decoded(encoded(m)));
}

TEST_CASE("a snapshot's parts agree with each other") {
  raft::InstallSnapshot m;
  m.term = raft::Term{3};
  m.meta.index = raft::Index{10};
  m.meta.term = raft::Term{3};
  m.meta.configuration_index = raft::Index{10};
  const std::string good = encoded(m);
  CHECK(decoded(good));
  CHECK_FALSE(decoded(with_u64(good, 16, 4)));   // of a term after the message's
  CHECK_FALSE(decoded(with_u64(good, 24, 11)));  // its configuration after itself
  CHECK_FALSE(decoded(with_byte(good, 36, 9)));  // a configuration of another format
}

TEST_CASE("HAZARDS G2: a count or length beyond what was sent is refused before anything is allocated") {
  std::string counts = encoded(two_entries());
  for (size_t i = 0; i < 4; ++i) counts = with_byte(counts, kCountAt + i, 0xff);
  CHECK_FALSE(decoded(counts));
  CHECK_FALSE(decoded(with_byte(encoded(two_entries()), kCountAt, 3)));
  CHECK_FALSE(decoded(with_byte(encoded(two_entries()), kCountAt, 1)));
  std::string lengths = encoded(two_entries());
  for (size_t i = 0; i < 4; ++i) lengths = with_byte(lengths, kFirstLengthAt + i, 0xff);
  CHECK_FALSE(decoded(lengths));
}

TEST_CASE("what is too large is not sent, and the largest command fits wherever it goes") {
  std::string out;
  const std::string largest(wire::kMaxPayloadBytes, 'c');
  CHECK_FALSE(wire::encode(out, node::Forward{.request = 1, .command = Bytes(largest + "c")}));
  CHECK_FALSE(wire::encode(out, node::ForwardAdmin{.request = 1, .admin = {.name = std::string(513, 'n')}}));
  CHECK(out.empty());
  const node::PeerMessage forward = node::Forward{.request = 1, .command = Bytes(largest)};
  CHECK(decoded(encoded(forward)) == forward);
  raft::AppendEntries m;
  m.term = raft::Term{1};
  m.entries.push_back({raft::Index{1}, raft::Term{1}, raft::EntryKind::command, 0, Bytes(largest)});
  CHECK(decoded(encoded(m)) == node::PeerMessage(m));
  m.entries.push_back({raft::Index{2}, raft::Term{1}, raft::EntryKind::command, 0, Bytes(largest)});
  CHECK_FALSE(wire::encode(out, node::PeerMessage(m)));
  CHECK(out.empty());
}

TEST_CASE("frames of other kinds are not messages") {
  for (const FrameType type :
       {FrameType::hello, FrameType::who_are_you, FrameType::adopted, static_cast<FrameType>(99)})
    CHECK_FALSE(wire::decode_peer_message({type, ""}));
}
