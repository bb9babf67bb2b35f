// Runs the targets with this program's own inputs, seeded and so the same each time, in every build: random bytes, and
// frames of random messages with a few bytes changed, cut or doubled, which get further. WORMHOLE_SOAK=1 runs fifty
// times as many. `driver TARGET FILE` runs one input from a file.
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include <doctest/doctest.h>

#include "base/log.h"
#include "base/prng.h"
#include "random_messages.h"
#include "rounds.h"
#include "targets.h"
#include "wire/ask_codec.h"
#include "wire/peer_codec.h"

namespace {
using namespace wh;

unsigned inputs(unsigned count) {
  const char* soak = std::getenv("WORMHOLE_SOAK");
  return testing::rounds(count) * (soak != nullptr && *soak == '1' ? 50 : 1);
}

std::string random_bytes(Prng& prng, size_t most) {
  std::string bytes(prng.below(most) + 1, '\0');
  for (char& byte : bytes) byte = static_cast<char>(prng.next());
  return bytes;
}

void damage(Prng& prng, std::string& bytes) {
  for (uint64_t changes = prng.below(4); changes > 0 && !bytes.empty(); --changes) {
    const size_t at = prng.below(bytes.size());
    switch (prng.below(4)) {
      case 0:
        bytes[at] = static_cast<char>(prng.next());
        break;
      case 1:
        bytes[at] = static_cast<char>(prng.below(2) == 0 ? 0xff : 0);
        break;
      case 2:
        bytes.resize(at);
        break;
      default:
        bytes.insert(at, bytes.substr(at, prng.below(16)));
        break;
    }
  }
}

std::string frame_of(Prng& prng) {
  wire::test::RandomMessages random(prng.next());
  std::string frame;
  switch (prng.below(5)) {
    case 0:
      (void)wire::encode(frame, random.ask(prng.below(wire::test::RandomMessages::kAsks)));
      break;
    case 1:
      (void)wire::encode(frame, random.answer(prng.below(4)));
      break;
    case 2:
      (void)wire::encode(frame, prng.below(2) == 0 ? random.hello() : wire::Hello{});
      break;
    case 3:
      (void)wire::encode(frame, random.hello_reply());
      break;
    default:
      (void)wire::encode(frame, random.peer_message(prng.below(wire::test::RandomMessages::kPeerMessages)));
      break;
  }
  return frame;
}

TEST_CASE("frames of any bytes") {
  Prng prng(1);
  for (unsigned i = 0; i < inputs(20'000); ++i) {
    std::string bytes = random_bytes(prng, 64);
    if (i % 2 == 0) {
      for (uint64_t frames = prng.below(3) + 1; frames > 0; --frames) bytes += frame_of(prng);
      damage(prng, bytes);
    }
    fuzz::fuzz_frames(bytes);
  }
}

TEST_CASE("payloads of any bytes") {
  Prng prng(2);
  for (unsigned i = 0; i < inputs(5'000); ++i) {
    std::string bytes = random_bytes(prng, 200);
    if (i % 2 == 0) {
      bytes = frame_of(prng);
      bytes.erase(0, std::min<size_t>(bytes.size(), wire::kFrameHeaderBytes));
      damage(prng, bytes);
    }
    fuzz::fuzz_messages(bytes);
    fuzz::fuzz_asks(bytes);
  }
}

TEST_CASE("members that lie to a node, in every role") {
  set_log_sink([](LogLevel, std::string_view) {});
  Prng prng(3);
  for (unsigned i = 0; i < inputs(3'000); ++i) fuzz::fuzz_node(random_bytes(prng, 1'500));
}

}  // namespace
