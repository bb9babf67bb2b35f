#include "net/peer_link.h"

#include <utility>

namespace wh::net {

std::shared_ptr<PeerLink> PeerLink::make(Loop& loop, std::unique_ptr<ByteStream> stream, Handlers handlers) {
  auto link = std::make_shared<PeerLink>(loop, std::move(stream), std::move(handlers));
  link->stream_->set_handler(link.get());
  return link;
}

PeerLink::PeerLink(Loop& loop, std::unique_ptr<ByteStream> stream, Handlers handlers)
    : stream_(std::move(stream)),
      handlers_(std::move(handlers)),
      deadline_(loop,
                [this] {
                  const std::shared_ptr<PeerLink> self = shared_from_this();
                  gone({.why = deadline_reason_, .ours = true});
                }),
      peer_address_(stream_->peer_address()) {}

void PeerLink::set_deadline(uint64_t delay_ms, std::string why) {
  deadline_reason_ = std::move(why);
  deadline_.start(delay_ms);
}

void PeerLink::send(std::string_view frames) {
  if (!stream_ || closing_) return;
  if (sent_bytes_ == 0) {
    stream_->write(wire::kMagic);
    sent_bytes_ = wire::kMagic.size();
  }
  stream_->write(frames);
  sent_bytes_ += frames.size();
}

void PeerLink::close() {
  if (!stream_ || closing_) return;
  closing_ = true;
  stream_->close();
}

void PeerLink::drop() {
  deadline_.stop();
  stream_.reset();
}

void PeerLink::gone(const End& end) {
  if (!stream_) return;
  drop();
  handlers_.on_gone(end);
}

void PeerLink::on_data(std::string_view bytes) {
  if (closing_) return;
  const std::shared_ptr<PeerLink> self = shared_from_this();
  decoder_.push(bytes);
  while (stream_ && !closing_) {
    const std::optional<wire::Frame> frame = decoder_.next();
    if (!frame) break;
    handlers_.on_frame(*frame);
  }
  if (stream_ && !decoder_.error().empty())
    gone({.why = decoder_.error(), .foreign = decoder_.foreign(), .ours = true});
}

void PeerLink::on_end() {
  if (closing_) return;
  const std::shared_ptr<PeerLink> self = shared_from_this();
  gone({.why = "the other side closed the connection"});
}

void PeerLink::on_close(std::string_view why) {
  const std::shared_ptr<PeerLink> self = shared_from_this();
  gone({.why = why.empty() ? "closed" : std::string(why)});
}

}  // namespace wh::net
