#include "wire/frame.h"

#include <set>
#include <string>

#include <doctest/doctest.h>

#include "base/prng.h"
#include "random_messages.h"
#include "wire/peer_codec.h"

using namespace wh;
using wire::Frame;
using wire::FrameDecoder;
using wire::FrameType;
using wire::FrameWriter;

namespace {

std::string frame_of(FrameType type, std::string_view text) {
  std::string out;
  FrameWriter w(out, type);
  w.bytes(text, wire::kMaxPayloadBytes);
  REQUIRE(w.finish());
  return out;
}

std::string with_magic(const std::string& frames) { return std::string(wire::kMagic) + frames; }

// All frames that come out of the bytes, given in these pieces; types and payloads, a line each.
std::vector<std::string> decode_all(FrameDecoder& decoder, const std::vector<std::string>& pieces) {
  std::vector<std::string> out;
  for (const std::string& piece : pieces) {
    decoder.push(piece);
    while (const std::optional<Frame> frame = decoder.next())
      out.push_back(std::string(wire::to_string(frame->type)) + " " + std::string(frame->payload));
  }
  return out;
}

}  // namespace

TEST_CASE("a frame is length, checksum, type and payload, little-endian") {
  const std::string frame = frame_of(FrameType::adopt, "ab");
  REQUIRE(frame.size() == wire::kFrameHeaderBytes + 6);
  CHECK(frame.substr(0, 4) == std::string("\x07\0\0\0", 4));
  CHECK(frame[8] == 19);
  CHECK(frame.substr(9) == std::string("\x02\0\0\0ab", 6));
}

TEST_CASE("HAZARDS G3: frames come out whole, whatever pieces they arrive in") {
  const std::string bytes = with_magic(frame_of(FrameType::adopt, "one") + frame_of(FrameType::adopted, "") +
                                       frame_of(FrameType::forward, std::string(300, 'x')));
  FrameDecoder whole(wire::kMaxFrameBytes);
  const std::vector<std::string> expected = decode_all(whole, {bytes});
  REQUIRE(expected.size() == 3);
  for (size_t at = 0; at <= bytes.size(); ++at) {
    FrameDecoder decoder(wire::kMaxFrameBytes);
    CHECK(decode_all(decoder, {bytes.substr(0, at), bytes.substr(at)}) == expected);
    CHECK(decoder.error().empty());
  }
  std::vector<std::string> drip;
  for (const char c : bytes) drip.emplace_back(1, c);
  FrameDecoder decoder(wire::kMaxFrameBytes);
  CHECK(decode_all(decoder, drip) == expected);
}

TEST_CASE("HAZARDS G1: a length over the limit fails before anything of it is awaited or allocated") {
  FrameDecoder decoder(wire::kMaxHelloBytes);
  decoder.push(with_magic(std::string("\x01\x10\0\0", 4)));
  CHECK_FALSE(decoder.next());
  CHECK(decoder.error() == "a frame of 4097 bytes, where at most 4096 are allowed");
  CHECK(decoder.foreign().empty());

  FrameDecoder huge(wire::kMaxFrameBytes);
  huge.push(with_magic("\xff\xff\xff\xff"));
  CHECK_FALSE(huge.next());
  CHECK_FALSE(huge.error().empty());

  FrameDecoder raised(wire::kMaxHelloBytes);
  raised.set_limit(wire::kMaxFrameBytes);
  raised.push(with_magic(std::string("\x01\x10\0\0", 4)));
  CHECK_FALSE(raised.next());
  CHECK(raised.error().empty());
}

TEST_CASE("a frame without a type is an error") {
  FrameDecoder decoder(wire::kMaxFrameBytes);
  decoder.push(with_magic(std::string(8, '\0')));
  CHECK_FALSE(decoder.next());
  CHECK(decoder.error() == "an empty frame");
}

TEST_CASE("HAZARDS G4: a flipped bit never gives a frame") {
  const std::string good = with_magic(frame_of(FrameType::forward, "some payload of a frame"));
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    FrameDecoder decoder(wire::kMaxFrameBytes);
    decoder.push(bad);
    CHECK_FALSE(decoder.next());
  }
  std::string bad = good;
  bad.back() = '?';
  FrameDecoder decoder(wire::kMaxFrameBytes);
  decoder.push(bad);
  CHECK_FALSE(decoder.next());
  CHECK(decoder.error() == "a frame whose checksum does not match");
}

TEST_CASE("HAZARDS G5: another protocol is known by its first bytes") {
  for (const char* const strange : {"GET / HTTP/1.1\r\n", "\x16\x03\x01\x02", "*1\r\n$4\r\nPING\r\n", "P", "\xf0X"}) {
    FrameDecoder decoder(wire::kMaxHelloBytes);
    decoder.push(strange);
    CHECK_FALSE(decoder.next());
    CHECK_FALSE(decoder.foreign().empty());
    CHECK_FALSE(decoder.error().empty());
  }
}

TEST_CASE("a decoder that failed stays failed") {
  FrameDecoder decoder(wire::kMaxHelloBytes);
  decoder.push("nonsense");
  CHECK_FALSE(decoder.next());
  const std::string error = decoder.error();
  decoder.push(with_magic(frame_of(FrameType::adopt, "one")));
  CHECK_FALSE(decoder.next());
  CHECK(decoder.error() == error);
}

TEST_CASE("a frame over its bounds is taken back") {
  std::string out = "before";
  FrameWriter name(out, FrameType::adopt);
  name.bytes(std::string(11, 'x'), 10);
  CHECK_FALSE(name.finish());
  CHECK(out == "before");
  FrameWriter whole(out, FrameType::adopt);
  whole.bytes(std::string(100, 'x'), 100);
  CHECK_FALSE(whole.finish(50));
  CHECK(out == "before");
  FrameWriter good(out, FrameType::adopt);
  good.bytes("x", 10);
  CHECK(good.finish(50));
  CHECK(out.size() == 6 + wire::kFrameHeaderBytes + 5);
}

TEST_CASE("fuzz: random bytes never make a frame, and never more memory than was sent") {
  Prng prng(1);
  for (int round = 0; round < 2000; ++round) {
    FrameDecoder decoder(wire::kMaxFrameBytes);
    std::string bytes(wire::kMagic);
    for (uint64_t left = prng.below(60); left > 0; --left) bytes.push_back(static_cast<char>(prng.below(256)));
    if (bytes.size() > 8) bytes[7] = bytes[6] = bytes[5] = 0;  // a length that could be right
    decoder.push(bytes);
    CHECK_FALSE(decoder.next());
  }
}

TEST_CASE("every kind of frame has a name of its own, and a number that is none says so") {
  std::set<std::string> names;
  size_t unknown = 0;
  for (unsigned number = 0; number < 256; ++number) {
    const std::string name = wire::to_string(static_cast<FrameType>(number));
    if (name == "unknown frame")
      ++unknown;
    else
      CHECK(names.insert(name).second);
  }
  CHECK(names.size() == 32);
  CHECK(unknown == 256 - 32);
}
