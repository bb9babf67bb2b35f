// A body that lasts as long as its client stays, and how an http::Connection reads it. An implementation holds a
// position in its source, not bytes for its client, so a client that takes nothing costs no more than that position.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace wh::http {

class Stream {
 public:
  enum class Next : uint8_t {
    more,   // more is there already, or may be: without a piece, it is asked again in the next turn
    waits,  // nothing for now: Connection::stream_has_more() tells when there is more
    ended,  // that was the orderly end
    lost,   // the next part is no longer there: the client was too slow, and is cut off
  };

  // Destroyed when its connection no longer needs it.
  virtual ~Stream() = default;
  // Appends the next part to `out`, at most about `room` bytes, but at least one item if there is one. Called only when
  // the client has taken nearly all that came before.
  virtual Next next(size_t room, std::string& out) = 0;
  // What is sent after a time without news, so that each end notices when the other is gone.
  [[nodiscard]] virtual std::string keep_alive() = 0;
};

// How a stream ended.
enum class StreamEnd : uint8_t {
  left,   // its client closed the connection, or its side of it
  ended,  // in an orderly way: Stream::Next::ended, or the server's shutdown
  cut,    // by this side: the client was too slow, or its place was needed
};

}  // namespace wh::http
