// The seam between bytes and protocols: ByteStream is a connection as a protocol sees it, StreamHandler is the protocol
// as a connection sees it. net/ implements the first over TCP and over TLS (TLS is a stream over a stream), tests over
// memory; http/ and debug/ implement the second. Neither side sees libuv.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace wh {

// Callbacks of one stream, all on the loop's thread. A handler may write to, pause, close or destroy its stream inside
// any of them; after on_close no more come.
class StreamHandler {
 public:
  virtual ~StreamHandler() = default;
  // Bytes arrived. They are valid during the call only.
  virtual void on_data(std::string_view bytes) = 0;
  // The peer ended its side in an orderly way (FIN, or close_notify under TLS). Queued bytes are still sent.
  virtual void on_end() = 0;
  // The queued bytes fell to the stream's low-water mark after having been above it. A client's stream takes its turn
  // for this call among the streams that have more to do, as for on_turn.
  virtual void on_drained() = 0;
  // request_turn() was called.
  virtual void on_turn() {}
  // The connection is gone; `why` is empty after close(), else a short reason. Called once, last, never from inside a
  // method of ByteStream.
  virtual void on_close(std::string_view why) = 0;
};

class ByteStream {
 public:
  // Closes the connection at once if it is still open, without a callback.
  virtual ~ByteStream() = default;
  // Exactly one handler, set before the first read; it must outlive the stream or be replaced. Not owned.
  virtual void set_handler(StreamHandler* handler) = 0;
  // Queues bytes. They leave once per turn of the loop, by one system call for all bytes of the turn where possible.
  virtual void write(std::string_view bytes) = 0;
  // Sends what the kernel takes of the queued bytes at once, for a stream that is about to be destroyed.
  virtual void flush_now() {}
  // Stops and resumes the delivery of on_data (and of the peer's end). Starts resumed.
  virtual void pause_reading() = 0;
  virtual void resume_reading() = 0;
  // The peer is a member: a deadline of the node waits while this stream has not read all that came, for a bounded
  // time.
  virtual void count_as_member() {}
  // Whether it left some of what came in this turn of the loop to the next one.
  [[nodiscard]] virtual bool left_some() const { return false; }
  // Calls on_turn() once, never from inside this method: for work that is too much for one call. Clients' streams share
  // the time that a turn of the loop has for it.
  virtual void request_turn() = 0;
  // Sends the queued bytes, ends this side, reads and drops what the peer still sends for a short while (so that the
  // peer sees the answer rather than a reset), closes.
  virtual void close() = 0;
  // Closes at once; queued bytes are lost.
  virtual void abort() = 0;
  // Bytes queued that the kernel has not taken yet.
  [[nodiscard]] virtual size_t pending_bytes() const = 0;
  // Memory that this stream holds for its connection: queued bytes, bytes read but not delivered, and its own.
  [[nodiscard]] virtual size_t held_bytes() const { return pending_bytes(); }
  // Numeric addresses, without port or brackets.
  [[nodiscard]] virtual std::string peer_address() const = 0;
  [[nodiscard]] virtual std::string local_address() const = 0;
  // 0: not known.
  [[nodiscard]] virtual uint16_t peer_port() const { return 0; }
  [[nodiscard]] virtual uint16_t local_port() const { return 0; }
  // Whether the peer is on 127.0.0.0/8 or ::1.
  [[nodiscard]] virtual bool peer_is_loopback() const = 0;
  // The same number for all connections of one peer's machine, as far as its address tells (an IPv6 /64 network counts
  // as one): for limits that a peer must not escape by opening more connections.
  [[nodiscard]] virtual uint64_t peer_group() const { return std::hash<std::string>{}(peer_address()); }
  // Whether the connection uses TLS, and whether the peer showed a certificate that was verified.
  [[nodiscard]] virtual bool is_tls() const = 0;
  [[nodiscard]] virtual bool peer_is_verified() const = 0;
};

}  // namespace wh
