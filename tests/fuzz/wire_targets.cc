// The wire: if a decoder accepts some bytes, encoding the result gives a frame that decodes to the same value.
#include <algorithm>
#include <optional>
#include <string>

#include "base/assert.h"
#include "targets.h"
#include "wire/ask_codec.h"
#include "wire/hello.h"
#include "wire/peer_codec.h"
#include "wire/whole_frame.h"

namespace wh::fuzz {
namespace {

template <typename Value, typename Decode>
void comes_back(const std::optional<Value>& value, Decode decode) {
  if (!value) return;
  std::string frame;
  if (!wire::encode(frame, *value)) return;  // it may be longer when it is written out: a sentence that was cut
  const auto again = wire::decode_whole(frame, decode);
  WH_ASSERT(again && *again == *value, "what was decoded, encoded and decoded is the same");
}

void look_at(const wire::Frame& frame) {
  comes_back(wire::decode_peer_message(frame), wire::decode_peer_message);
  comes_back(wire::decode_ask(frame), wire::decode_ask);
  comes_back(wire::decode_answer(frame), wire::decode_answer);
  if (frame.type == wire::FrameType::hello) {
    const auto hello = wire::decode_hello(frame.payload);
    // Of a version that is not spoken, nothing but the version is read.
    if (hello && hello->min_version >= wire::kMinVersion && hello->min_version <= wire::kMaxVersion)
      comes_back(hello, [](const wire::Frame& again) { return wire::decode_hello(again.payload); });
  }
  if (frame.type == wire::FrameType::hello_reply)
    comes_back(wire::decode_hello_reply(frame.payload),
               [](const wire::Frame& again) { return wire::decode_hello_reply(again.payload); });
  if (frame.type == wire::FrameType::proof) (void)wire::decode_proof(frame.payload);
}

void each_type(std::string_view payload, uint8_t first, uint8_t last) {
  for (uint8_t type = first; type <= last; ++type) look_at({static_cast<wire::FrameType>(type), payload});
}

}  // namespace

// The first byte says into pieces of which size the rest is cut, and whether it begins as it must.
void fuzz_frames(std::string_view bytes) {
  if (bytes.empty()) return;
  const auto how = static_cast<uint8_t>(bytes[0]);
  bytes.remove_prefix(1);
  const size_t piece = 1 + (how & 63);
  wire::FrameDecoder decoder((how & 64) != 0 ? wire::kMaxHelloBytes : wire::kMaxFrameBytes);
  if ((how & 128) != 0) decoder.push(wire::kMagic);
  for (size_t at = 0; at < bytes.size(); at += piece) {
    decoder.push(bytes.substr(at, piece));
    while (const std::optional<wire::Frame> frame = decoder.next()) look_at(*frame);
    if (!decoder.error().empty()) break;
  }
  if (!decoder.error().empty()) WH_ASSERT(!decoder.next(), "after an error there is no frame");
}

void fuzz_messages(std::string_view bytes) { each_type(bytes, 64, 77); }

void fuzz_asks(std::string_view bytes) {
  each_type(bytes, 0, 4);
  each_type(bytes, 15, 36);
}

}  // namespace wh::fuzz
