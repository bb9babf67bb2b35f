// A body without an end of its own, for as long as its client stays: how an http::Connection asks for it. Implemented
// by those who have something to tell; each holds a position in what it tells, not bytes for its client, so a client
// that takes nothing costs no more than its place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace wh::http {

class Stream {
 public:
  enum class Next : uint8_t {
    more,   // there is more already
    waits,  // nothing more for now: Connection::stream_has_more() says when there is
    ended,  // that was the last, in good order
    lost,   // what comes next is not there any more: the client was too slow, and is cut off
  };

  // Destroyed when its connection needs no more of it.
  virtual ~Stream() = default;
  // Appends what comes next to `out`, about `room` bytes at most and one item at least where there is one. Called only
  // when the client has taken nearly all that came before.
  virtual Next next(size_t room, std::string& out) = 0;
  // What is sent when there was nothing for a while, so that both ends notice when the other is gone.
  [[nodiscard]] virtual std::string keep_alive() const = 0;
};

// What became of one.
enum class StreamEnd : uint8_t {
  left,   // its client closed the connection, or its side of it
  ended,  // in good order: Stream::Next::ended, or the server's shutdown
  cut,    // by this side: too slow, or its place was needed
};

}  // namespace wh::http
