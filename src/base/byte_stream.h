// The seam between bytes and protocols: ByteStream is a connection as a protocol sees it, StreamHandler is the protocol
// as a connection sees it. net/ implements the first over TCP and over TLS (TLS is a stream over a stream), tests over
// memory; http/ and debug/ implement the second. Neither side knows libuv through it.
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
  // The peer ended its side in an orderly way (FIN, or close_notify under TLS). What is queued is still sent.
  virtual void on_end() = 0;
  // What was queued fell to the stream's low-water mark after having been above it. Of a client's stream it comes in
  // its place among the others that have more to do, as on_turn does.
  virtual void on_drained() = 0;
  // request_turn() was called.
  virtual void on_turn() {}
  // The connection is gone; `why` is empty after close(), else a short reason. Called once, last, never from inside a
  // method of ByteStream.
  virtual void on_close(std::string_view why) = 0;
};

class ByteStream {
 public:
  // Closes the connection at once when it is still open, without a callback.
  virtual ~ByteStream() = default;
  // Exactly one handler, set before the first read; it must outlive the stream or be replaced. Not owned.
  virtual void set_handler(StreamHandler* handler) = 0;
  // Queues bytes. They leave once per turn of the loop, all that were queued in it by one system call where it can be.
  virtual void write(std::string_view bytes) = 0;
  // Stops and resumes the delivery of on_data (and of the peer's end). Starts resumed.
  virtual void pause_reading() = 0;
  virtual void resume_reading() = 0;
  // Calls on_turn() once, never from inside: for work that is more than one call should do. Clients' streams share what
  // a turn of the loop leaves for it.
  virtual void request_turn() = 0;
  // Sends what is queued, ends this side, reads away what the peer still sends for a short while (so that the peer sees
  // the answer rather than a reset), closes.
  virtual void close() = 0;
  // Closes at once; what is queued is lost.
  virtual void abort() = 0;
  // Bytes queued that the kernel has not taken yet.
  [[nodiscard]] virtual size_t pending_bytes() const = 0;
  // Memory that this stream holds for its connection: what is queued, what was read and not delivered, and its own.
  [[nodiscard]] virtual size_t held_bytes() const { return pending_bytes(); }
  // Numeric addresses, without port and brackets.
  [[nodiscard]] virtual std::string peer_address() const = 0;
  [[nodiscard]] virtual std::string local_address() const = 0;
  // Whether the peer is on 127.0.0.0/8 or ::1.
  [[nodiscard]] virtual bool peer_is_loopback() const = 0;
  // The same number for all connections of one peer's machine, as far as its address tells (an IPv6 network of 64 bits
  // counts as one): for limits that nobody is to escape by opening more.
  [[nodiscard]] virtual uint64_t peer_group() const { return std::hash<std::string>{}(peer_address()); }
  // Whether bytes are under TLS, and whether the peer showed a certificate that was verified.
  [[nodiscard]] virtual bool is_tls() const = 0;
  [[nodiscard]] virtual bool peer_is_verified() const = 0;
};

}  // namespace wh
