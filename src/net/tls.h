// TLS as a ByteStream over another ByteStream, for both ends. Owns the stream below it; begins the handshake itself,
// and holds what is written before the handshake ends. Made by server/ around the stream of a listener or a dial.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/buffer_budget.h"
#include "base/byte_stream.h"
#include "net/loop.h"
#include "net/tls_context.h"
#include "net/tls_gate.h"

namespace wh::net {

class TlsStream final : public ByteStream, private StreamHandler {
 public:
  static constexpr size_t kHighWater = 64 * 1024;
  static constexpr size_t kLowWater = 64 * 1024;
  // Memory of one stream besides what is queued: mbedTLS's two record buffers and its state.
  static constexpr size_t kSessionBytes = 40 * 1024;
  // The `why` of an end without close_notify: an attacker may have truncated the stream (HAZARDS J10).
  static constexpr std::string_view kTruncated = "truncated";

  // The `why` of an end for lack of places (tls_gate.h).
  static constexpr std::string_view kGaveWay = "too many TLS handshakes at once: it gave way to another";
  static constexpr std::string_view kTooMany = "too many TLS handshakes at once";
  // The `why` of an end where the other side does not speak TLS: it sent something else, or a server hung up at once.
  static constexpr std::string_view kNoTls = "the other side does not speak TLS";
  // Gives the plain answer to a client that does not speak TLS, by its first bytes; empty: none.
  using PlainAnswer = std::function<std::string(std::string_view first_bytes)>;

  // The server's end. `buffers`, for clients, must outlive the stream.
  static std::unique_ptr<TlsStream> accept(Loop& loop, HandshakeGate& gate, HandshakeGate::Lane lane,
                                           std::shared_ptr<TlsContext> context, std::unique_ptr<ByteStream> inner,
                                           PlainAnswer plain_answer = {}, BufferBudget* buffers = nullptr);
  // The client's end. The server must show a certificate that lists `name` as a DNS name (see peer_has_name). With an
  // empty name any certificate of the authority will do: ask peer_has_name who it is.
  static std::unique_ptr<TlsStream> connect(Loop& loop, HandshakeGate& gate, HandshakeGate::Lane lane,
                                            std::shared_ptr<TlsContext> context, std::unique_ptr<ByteStream> inner,
                                            const std::string& name);
  ~TlsStream() override;
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  void set_handler(StreamHandler* handler) override;
  void write(std::string_view bytes) override;
  void flush_now() override;
  void pause_reading() override;
  void resume_reading() override;
  void count_as_member() override { inner_->count_as_member(); }
  [[nodiscard]] bool left_some() const override { return inner_->left_some(); }
  void request_turn() override;
  void close() override;
  void abort() override;
  [[nodiscard]] size_t pending_bytes() const override { return out_.size() + inner_->pending_bytes(); }
  [[nodiscard]] size_t held_bytes() const override { return share_.bytes() + inner_->held_bytes(); }
  [[nodiscard]] std::string peer_address() const override { return inner_->peer_address(); }
  [[nodiscard]] std::string local_address() const override { return inner_->local_address(); }
  [[nodiscard]] uint16_t peer_port() const override { return inner_->peer_port(); }
  [[nodiscard]] uint16_t local_port() const override { return inner_->local_port(); }
  [[nodiscard]] bool peer_is_loopback() const override { return inner_->peer_is_loopback(); }
  [[nodiscard]] uint64_t peer_group() const override { return inner_->peer_group(); }
  [[nodiscard]] bool is_tls() const override { return true; }
  [[nodiscard]] bool peer_is_verified() const override { return verified_; }

  // Whether the peer's certificate is verified and lists this DNS name: the whole name, in any case, no wildcards.
  [[nodiscard]] bool peer_has_name(std::string_view name) const;
  // The DNS names in the peer's verified certificate, for people; empty when there are none.
  [[nodiscard]] std::string peer_names() const;
  // When the peer's certificate expires, in seconds since 1970; INT64_MAX when it showed none.
  [[nodiscard]] int64_t peer_cert_ends() const;

 private:
  enum class State {
    handshaking,
    established,
    ended,  // nothing passes through TLS any more; the stream below closes, and then on_close comes
  };
  struct Session;  // mbedTLS's state and its callbacks

  TlsStream(Loop& loop, HandshakeGate& gate, HandshakeGate::Lane lane, std::shared_ptr<TlsContext> context,
            std::unique_ptr<ByteStream> inner, const std::string* name, PlainAnswer plain_answer,
            BufferBudget* buffers);
  void on_data(std::string_view bytes) override;
  void on_end() override;
  void on_drained() override;
  void on_turn() override;
  void on_close(std::string_view why) override;

  static int bio_send(void* self, const unsigned char* bytes, size_t size);
  static int bio_receive(void* self, unsigned char* bytes, size_t size);
  void update_inner_reading();
  void pump_in_turn();
  void note_plain_alert(std::string_view bytes);
  bool begin_session();
  void pump();
  void handshake(bool step_allowed);
  void end_when_read();
  void handshake_failed(int code);
  [[nodiscard]] std::string why_not_verified() const;
  [[nodiscard]] std::string why_unread(int code) const;
  void not_tls(std::string_view first_bytes);
  void established();
  void deliver();
  bool encrypt(size_t up_to);
  void flush();
  void end_session();
  void tell_drained();
  void count_held();
  void tell_gate(std::string_view why);
  void fail(std::string why, bool at_once);

  std::shared_ptr<TlsContext> context_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<ByteStream> inner_;
  StreamHandler* handler_ = nullptr;
  HandshakeGate::Ticket ticket_;
  TurnTask flush_task_;
  Timer handshake_timer_;
  const uint64_t handshake_ms_;

  const bool accepted_;       // the server's end
  const std::string wanted_;  // client: the name that the server's certificate must list; empty: any
  PlainAnswer plain_answer_;
  int plain_alert_ = 0;
  std::string shown_names_;  // client: the names that the certificate lists instead

  std::string in_;  // ciphertext that mbedTLS has not read
  size_t in_taken_ = 0;
  std::string out_;  // plaintext of this turn, or written before the handshake ended
  State state_ = State::handshaking;
  BufferBudget::Share share_;
  bool pump_due_ = false;  // pump() is due at our turn
  bool drained_due_ = false;
  bool turn_due_ = false;
  bool seen_bytes_ = false;
  bool paused_ = false;
  bool closing_ = false;     // close() was called
  bool peer_ended_ = false;  // close_notify was received
  bool inner_ended_ = false;
  bool above_high_ = false;
  bool verified_ = false;
  bool heard_ = false;    // data was received
  bool* gone_ = nullptr;  // set by the destructor while a handler is being called
  std::string close_reason_;
};

}  // namespace wh::net
