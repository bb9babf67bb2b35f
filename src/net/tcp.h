// A TCP connection as a ByteStream. Owns one socket; gathers what a turn of the loop writes and sends it in one system
// call; ends connections in such a way that the peer sees the last answer. Made by listener (accepted) and dial
// (connected); knows no protocol.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/buffer_budget.h"
#include "base/byte_stream.h"
#include "net/address.h"
#include "net/client_turns.h"
#include "net/descriptors.h"
#include "net/loop.h"

namespace wh::net {

struct TcpOptions {
  // SO_KEEPALIVE after this many seconds of silence; 0: off.
  unsigned keepalive_s = 300;
  // TCP_USER_TIMEOUT: a connection whose data the peer does not acknowledge for this long is broken; 0: the system's.
  unsigned user_timeout_ms = 0;
  // After close(): a peer that takes nothing of what is queued for this long is cut off, within twice that time.
  uint64_t send_stall_ms = 60'000;
  // For clients: reading, and the work that follows, stays within their part of each turn. Must outlive the stream.
  ClientTurns* clients = nullptr;
};

// A socket that libuv uses. It outlives its stream until uv_close has called back, so it lives on the heap and deletes
// itself; `stream` is null from then on.
struct TcpSocket {
  uv_tcp_t uv{};
  class TcpStream* stream = nullptr;
  uv_write_t write{};
  uv_shutdown_t shutdown{};
  std::string in_flight;   // what libuv still sends
  Descriptors::Slot slot;  // of an accepted socket, while its descriptor is open

  // An unconnected socket; null when the system has none left.
  static TcpSocket* make(Loop& loop);
  // Closes and deletes, later; a request in flight first ends with UV_ECANCELED.
  void discard();
  [[nodiscard]] uv_stream_t* as_stream() { return reinterpret_cast<uv_stream_t*>(&uv); }
  [[nodiscard]] uv_handle_t* as_handle() { return reinterpret_cast<uv_handle_t*>(&uv); }
};

class TcpStream final : public ByteStream {
 public:
  // Above the high mark the stream counts as full; it calls on_drained once it falls to the low one.
  static constexpr size_t kHighWater = 64 * 1024;
  static constexpr size_t kLowWater = 64 * 1024;
  // A client that sent this much in one read is read again only at its place in the line.
  static constexpr size_t kLargeRead = 16 * 1024;
  // After close(), once all is sent and our side has ended, what the peer still sends is read and dropped (RFC 9112
  // 9.6): a peer that is still sending reads the answer only afterwards, and a reset would destroy the answer. This
  // ends with the peer's own end, a silence, or a bound on the time or the bytes. The silence is shorter for a peer
  // that has sent nothing since: most of those are idle, and a shutdown waits for them.
  static constexpr uint64_t kLingerIdleMs = 1'000;
  static constexpr uint64_t kLingerSilenceMs = 2'000;
  static constexpr uint64_t kLingerMs = 10'000;
  static constexpr size_t kLingerBytes = 64 * 1024 * 1024;

  // Takes over a connected socket.
  TcpStream(Loop& loop, TcpSocket* socket, const TcpOptions& options);
  ~TcpStream() override;
  TcpStream(const TcpStream&) = delete;
  TcpStream& operator=(const TcpStream&) = delete;

  void set_handler(StreamHandler* handler) override;
  void write(std::string_view bytes) override;
  void flush_now() override { flush(); }
  void pause_reading() override;
  void resume_reading() override;
  void count_as_member() override { member_ = true; }
  [[nodiscard]] bool left_some() const override { return left_some_in_ == loop_.turn() + 1; }
  void request_turn() override;
  void close() override;
  void abort() override;
  [[nodiscard]] size_t pending_bytes() const override;
  [[nodiscard]] size_t held_bytes() const override { return share_.bytes(); }
  [[nodiscard]] std::string peer_address() const override { return peer_.host(); }
  [[nodiscard]] std::string local_address() const override { return local_.host(); }
  [[nodiscard]] uint16_t peer_port() const override { return peer_.port(); }
  [[nodiscard]] uint16_t local_port() const override { return local_.port(); }
  [[nodiscard]] bool peer_is_loopback() const override { return peer_.is_loopback(); }
  [[nodiscard]] uint64_t peer_group() const override { return peer_.group(); }
  [[nodiscard]] bool is_tls() const override { return false; }
  [[nodiscard]] bool peer_is_verified() const override { return false; }

 private:
  enum class State {
    open,
    sending,    // close() was called; queued bytes are still sent
    lingering,  // our side has ended; incoming bytes are read and dropped
    closed,     // on_close was called or is about to be
  };
  [[nodiscard]] bool may_read() { return clients_ == nullptr || clients_->may_read(round_); }
  void update_reading();
  void queue_turn();
  void take_turn();
  void received(ssize_t size, const char* bytes);
  void flush();
  void written(int status);
  void sent_some();
  void end_our_side();
  void linger();
  void read_away(size_t size);
  void count_held() { share_.set(out_.capacity() + (socket_ == nullptr ? 0 : socket_->in_flight.capacity())); }
  [[nodiscard]] size_t unacknowledged_bytes() const;
  void check_stall();
  void finish(std::string why, bool reset = false);

  Loop& loop_;
  TcpSocket* socket_;
  uint64_t send_stall_ms_;
  ClientTurns* const clients_;
  BufferBudget::Share share_;
  StreamHandler* handler_ = nullptr;
  Address peer_;
  Address local_;
  std::string out_;
  TurnTask flush_task_;
  TurnTask turn_task_;                       // for other nodes,
  std::optional<ClientTurns::Place> place_;  // and for clients
  bool turn_due_ = false;                    // on_turn is due
  bool drained_due_ = false;                 // on_drained is due, for a client
  bool flush_due_ = false;                   // the kernel takes more output
  bool read_held_ = false;                   // no reading until its place in the line comes, or the next turn
  uint64_t round_ = 0;                       // ClientTurns::may_read
  uint64_t turn_of_bytes_ = 0;               // of other nodes: the turn of the loop,
  size_t bytes_of_turn_ = 0;                 // what was read in it,
  uint64_t left_some_in_ = 0;                // and the turn that left some, plus 1
  bool member_ = false;                      // count_as_member
  std::unique_ptr<Timer> close_timer_;
  State state_ = State::open;
  bool paused_ = false;
  bool reading_ = false;     // libuv is reading
  bool peer_ended_ = false;  // FIN
  bool writing_ = false;     // libuv is sending in_flight
  bool above_high_ = false;
  size_t read_away_ = 0;       // bytes dropped since close()
  size_t read_away_seen_ = 0;  // as of the last check for silence
  Millis lingering_since_ = 0;
  size_t stall_pending_ = 0;  // bytes unacknowledged at the last check for a stall
  std::string close_reason_;
};

}  // namespace wh::net
