// One connection between nodes, cut into frames: a stream, the decoder of incoming bytes, and a time limit for what is
// awaited. Does not know what frames mean. PeerTransport owns it by shared pointer, so that a link dropped during its
// own callback lives until that callback has returned.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/byte_stream.h"
#include "net/loop.h"
#include "wire/frame.h"

namespace wh::net {

class PeerLink final : public StreamHandler, public std::enable_shared_from_this<PeerLink> {
 public:
  struct End {
    std::string why;
    std::string foreign = {};  // what the other side seems to speak instead of our protocol
    bool ours = false;         // this side ended it, for what came or failed to come
  };
  struct Handlers {
    std::function<void(const wire::Frame&)> on_frame;
    // The connection and the link are gone: called once, last, and not after drop().
    std::function<void(const End&)> on_gone;
  };

  // Accepts at most kMaxHelloBytes a frame until the peer is let in.
  static std::shared_ptr<PeerLink> make(Loop& loop, std::unique_ptr<ByteStream> stream, Handlers handlers);
  PeerLink(Loop& loop, std::unique_ptr<ByteStream> stream, Handlers handlers);  // for make()

  // Has proved to be whom it says: its frames may be large, and deadlines wait for what it sent.
  void let_in() {
    decoder_.set_limit(wire::kMaxFrameBytes);
    stream_->count_as_member();
  }
  [[nodiscard]] bool left_some() const { return stream_ && stream_->left_some(); }
  // The link ends with this reason unless the deadline is set again or cleared in time.
  void set_deadline(uint64_t delay_ms, std::string why);
  void clear_deadline() { deadline_.stop(); }

  // Queues whole frames. The magic goes before the first bytes.
  void send(std::string_view frames);
  // Bytes that send() queued and the kernel has not taken.
  [[nodiscard]] size_t pending_bytes() const { return stream_ ? stream_->pending_bytes() : 0; }
  [[nodiscard]] uint64_t sent_bytes() const { return sent_bytes_; }
  // Sends what is queued, then closes; delivers no frame from now on.
  void close();
  // Closes at once, without on_gone.
  void drop();

  // Only while the link exists.
  [[nodiscard]] const ByteStream& stream() const { return *stream_; }
  // Numeric, without port and brackets; stays valid after the end.
  [[nodiscard]] const std::string& peer_address() const { return peer_address_; }

  void on_data(std::string_view bytes) override;
  void on_end() override;
  void on_drained() override {}
  void on_close(std::string_view why) override;

 private:
  void gone(const End& end);

  std::unique_ptr<ByteStream> stream_;  // null: the link is gone
  Handlers handlers_;
  wire::FrameDecoder decoder_{wire::kMaxHelloBytes};
  Timer deadline_;
  std::string deadline_reason_;
  std::string peer_address_;
  uint64_t sent_bytes_ = 0;
  bool closing_ = false;
};

}  // namespace wh::net
