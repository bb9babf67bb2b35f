#include "net/tls.h"

#include <cstring>
#include <strings.h>
#include <utility>

#include "net/tls_state.h"

namespace wh::net {

struct TlsStream::Session {
  Session() { mbedtls_ssl_init(&ssl); }
  ~Session() { mbedtls_ssl_free(&ssl); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  mbedtls_ssl_context ssl;
};

namespace {

constexpr size_t kRecordSize = 16 * 1024;
constexpr unsigned char kHandshakeRecord = 22;
constexpr unsigned char kAlertRecord = 21;

// The states in which a step signs, verifies or computes a shared secret.
bool is_expensive(const mbedtls_ssl_context& ssl) {
  switch (ssl.state) {
    case MBEDTLS_SSL_SERVER_KEY_EXCHANGE:
    case MBEDTLS_SSL_CLIENT_KEY_EXCHANGE:
    case MBEDTLS_SSL_CERTIFICATE_VERIFY:
      return true;
    case MBEDTLS_SSL_SERVER_CERTIFICATE:
      return ssl.conf->endpoint == MBEDTLS_SSL_IS_CLIENT;
    case MBEDTLS_SSL_CLIENT_CERTIFICATE:
      return ssl.conf->endpoint == MBEDTLS_SSL_IS_SERVER;
    default:
      return false;
  }
}

}  // namespace

std::unique_ptr<TlsStream> TlsStream::accept(Loop& loop, HandshakeGate& gate, HandshakeGate::Lane lane,
                                             std::shared_ptr<TlsContext> context, std::unique_ptr<ByteStream> inner) {
  return std::unique_ptr<TlsStream>(new TlsStream(loop, gate, lane, std::move(context), std::move(inner), nullptr));
}

std::unique_ptr<TlsStream> TlsStream::connect(Loop& loop, HandshakeGate& gate, HandshakeGate::Lane lane,
                                              std::shared_ptr<TlsContext> context, std::unique_ptr<ByteStream> inner,
                                              const std::string& name) {
  return std::unique_ptr<TlsStream>(new TlsStream(loop, gate, lane, std::move(context), std::move(inner), &name));
}

TlsStream::TlsStream(Loop& loop, HandshakeGate& gate, HandshakeGate::Lane lane, std::shared_ptr<TlsContext> context,
                     std::unique_ptr<ByteStream> inner, const std::string* name)
    : context_(std::move(context)),
      session_(std::make_unique<Session>()),
      inner_(std::move(inner)),
      ticket_(
          gate, lane, [](void* self) { static_cast<TlsStream*>(self)->handshake(true); }, this),
      pump_task_(
          loop, TurnTask::Phase::deferred, [](void* self) { static_cast<TlsStream*>(self)->pump(); }, this),
      flush_task_(
          loop, TurnTask::Phase::encrypt, [](void* self) { static_cast<TlsStream*>(self)->flush(); }, this),
      drained_task_(
          loop, TurnTask::Phase::send, [](void* self) { static_cast<TlsStream*>(self)->tell_drained(); }, this),
      handshake_timer_(loop, [this] { fail("the TLS handshake took too long", true); }) {
  inner_->set_handler(this);
  if (!ticket_.admitted()) {
    fail("too many TLS handshakes at once", true);
    return;
  }
  mbedtls_ssl_context& ssl = session_->ssl;
  int code = mbedtls_ssl_setup(&ssl, &context_->state().config);
  if (code == 0 && name != nullptr) code = mbedtls_ssl_set_hostname(&ssl, name->c_str());
  if (code != 0) {
    fail("could not set up TLS: " + tls_error_text(code), true);
    return;
  }
  mbedtls_ssl_set_bio(&ssl, this, bio_send, bio_receive, nullptr);
  handshake_timer_.start(gate.handshake_ms());
  pump_task_.queue();
}

TlsStream::~TlsStream() {
  if (gone_ != nullptr) *gone_ = true;
}

// ---- What mbedTLS sends and receives. Sending never blocks: the stream below takes everything.

int TlsStream::bio_send(void* self, const unsigned char* bytes, size_t size) {
  static_cast<TlsStream*>(self)->inner_->write({reinterpret_cast<const char*>(bytes), size});
  return static_cast<int>(size);
}

int TlsStream::bio_receive(void* self, unsigned char* bytes, size_t size) {
  auto& stream = *static_cast<TlsStream*>(self);
  const size_t left = stream.in_.size() - stream.in_taken_;
  if (left == 0) return MBEDTLS_ERR_SSL_WANT_READ;
  const size_t taken = size < left ? size : left;
  std::memcpy(bytes, stream.in_.data() + stream.in_taken_, taken);
  stream.in_taken_ += taken;
  if (taken == left) {
    stream.in_.clear();
    stream.in_taken_ = 0;
  }
  return static_cast<int>(taken);
}

// ---- The stream below

void TlsStream::update_inner_reading() {
  if (state_ == State::ended) return;
  // During the handshake the user's pause does not count, but a handshake that waits for its turn takes no more bytes.
  const bool wanted = state_ == State::handshaking ? !ticket_.waiting() : closing_ || (handler_ != nullptr && !paused_);
  if (wanted)
    inner_->resume_reading();
  else
    inner_->pause_reading();
}

void TlsStream::on_data(std::string_view bytes) {
  if (state_ == State::ended || peer_ended_) return;
  if (!std::exchange(seen_bytes_, true)) {
    const auto first = static_cast<unsigned char>(bytes[0]);
    if (first != kHandshakeRecord && first != kAlertRecord) {
      fail("the peer does not speak TLS", false);
      return;
    }
  }
  in_.append(bytes);
  pump();
}

void TlsStream::on_end() {
  if (state_ == State::handshaking)
    fail("the peer ended the connection during the TLS handshake", true);
  else if (state_ == State::established && !peer_ended_ && !closing_)
    fail(std::string(kTruncated), true);
}

void TlsStream::on_drained() {
  if (pending_bytes() <= kLowWater) tell_drained();
}

void TlsStream::on_close(std::string_view why) {
  if (state_ != State::ended) end_session();
  const std::string reason = close_reason_.empty() ? std::string(why) : close_reason_;
  if (handler_ != nullptr) handler_->on_close(reason);
}

// ---- The handshake

void TlsStream::pump() {
  if (state_ == State::handshaking && !ticket_.waiting()) handshake(false);
  if (state_ == State::established) deliver();
}

// Goes as far as the bytes at hand allow, but stops before each expensive step until the gate calls.
void TlsStream::handshake(bool step_allowed) {
  mbedtls_ssl_context& ssl = session_->ssl;
  while (ssl.state != MBEDTLS_SSL_HANDSHAKE_OVER) {
    if (is_expensive(ssl) && !std::exchange(step_allowed, false)) {
      ticket_.ask();
      update_inner_reading();
      return;
    }
    const int code = mbedtls_ssl_handshake_step(&ssl);
    if (code == MBEDTLS_ERR_SSL_WANT_READ) {
      update_inner_reading();
      return;
    }
    if (code != 0) {
      handshake_failed(code);
      return;
    }
  }
  established();
}

void TlsStream::handshake_failed(int code) {
  const mbedtls_ssl_context& ssl = session_->ssl;
  std::string why = "TLS handshake failed: ";
  if (code == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) {
    why += "the peer refused with alert " + std::to_string(ssl.in_msg[1]);
  } else if (code == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED) {
    char text[512] = "";
    mbedtls_x509_crt_verify_info(text, sizeof text, "", mbedtls_ssl_get_verify_result(&ssl));
    const std::string_view lines = text;
    why += lines.substr(0, lines.find('\n'));
  } else {
    why += tls_error_text(code);
  }
  // In order, so that the alert which says why reaches the peer.
  fail(std::move(why), false);
}

void TlsStream::established() {
  const mbedtls_ssl_context& ssl = session_->ssl;
  handshake_timer_.stop();
  ticket_.leave();
  // The handshake has checked this itself; that "optional" is never taken for "required" rests on this (HAZARDS J8).
  verified_ = mbedtls_ssl_get_peer_cert(&ssl) != nullptr && mbedtls_ssl_get_verify_result(&ssl) == 0;
  if (context_->state().must_verify && !verified_) {
    fail("TLS handshake failed: the peer's certificate is not verified", true);
    return;
  }
  state_ = State::established;
  if (!out_.empty() || closing_) flush_task_.queue();
  if (!closing_) pump_task_.queue();  // the last bytes of the handshake may have brought data
  update_inner_reading();
}

bool TlsStream::peer_has_name(std::string_view name) const {
  if (!verified_ || name.empty()) return false;
  const mbedtls_x509_crt* cert = mbedtls_ssl_get_peer_cert(&session_->ssl);
  if (cert == nullptr) return false;
  constexpr int kDnsName = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 2;  // RFC 5280 4.2.1.6
  for (const mbedtls_x509_sequence* item = &cert->subject_alt_names; item != nullptr; item = item->next)
    if (item->buf.tag == kDnsName && item->buf.len == name.size() &&
        strncasecmp(reinterpret_cast<const char*>(item->buf.p), name.data(), name.size()) == 0)
      return true;
  return false;
}

// ---- Data

void TlsStream::set_handler(StreamHandler* handler) {
  handler_ = handler;
  if (handler != nullptr) pump_task_.queue();
  update_inner_reading();
}

void TlsStream::pause_reading() {
  paused_ = true;
  update_inner_reading();
}

void TlsStream::resume_reading() {
  paused_ = false;
  pump_task_.queue();
  update_inner_reading();
}

void TlsStream::deliver() {
  unsigned char plain[kRecordSize];
  while (state_ == State::established && !peer_ended_ && !paused_ && !closing_ && handler_ != nullptr) {
    const int result = mbedtls_ssl_read(&session_->ssl, plain, sizeof plain);
    if (result == MBEDTLS_ERR_SSL_WANT_READ) return;
    if (result == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
      peer_ended_ = true;
      handler_->on_end();
      return;
    }
    if (result <= 0) {
      fail(result == 0 ? std::string(kTruncated) : "TLS: " + tls_error_text(result), false);
      return;
    }
    bool gone = false;
    bool* const outer = std::exchange(gone_, &gone);
    handler_->on_data({reinterpret_cast<const char*>(plain), static_cast<size_t>(result)});
    if (gone) {
      if (outer != nullptr) *outer = true;
      return;
    }
    gone_ = outer;
  }
}

void TlsStream::write(std::string_view bytes) {
  if (state_ == State::ended || closing_ || bytes.empty()) return;
  out_.append(bytes);
  if (pending_bytes() > kHighWater) above_high_ = true;
  if (state_ == State::established) flush_task_.queue();
}

// Once a turn, just before the streams below send: everything in records as full as can be.
void TlsStream::flush() {
  if (state_ != State::established) return;
  size_t sent = 0;
  while (sent < out_.size()) {
    const int result = mbedtls_ssl_write(&session_->ssl, reinterpret_cast<const unsigned char*>(out_.data()) + sent,
                                         out_.size() - sent);
    if (result <= 0) {
      fail("TLS: " + tls_error_text(result), true);
      return;
    }
    sent += static_cast<size_t>(result);
  }
  if (out_.capacity() > kLowWater)
    out_ = {};
  else
    out_.clear();
  if (closing_) {
    mbedtls_ssl_close_notify(&session_->ssl);
    end_session();
    inner_->close();
    return;
  }
  // The stream below tells when it has drained, unless it was never as full as both together.
  if (above_high_ && inner_->pending_bytes() <= kHighWater) drained_task_.queue();
}

void TlsStream::tell_drained() {
  if (!above_high_ || state_ == State::ended || closing_) return;
  above_high_ = false;
  if (handler_ != nullptr) handler_->on_drained();
}

// ---- Ending

void TlsStream::close() {
  if (state_ == State::ended || closing_) return;
  closing_ = true;
  if (state_ == State::handshaking && out_.empty()) {
    end_session();
    inner_->close();
    return;
  }
  update_inner_reading();
  if (state_ == State::established) flush_task_.queue();
}

void TlsStream::abort() {
  if (state_ != State::ended) end_session();
  inner_->abort();
}

void TlsStream::end_session() {
  state_ = State::ended;
  handshake_timer_.stop();
  ticket_.leave();
  pump_task_.cancel();
  flush_task_.cancel();
  drained_task_.cancel();
  in_ = {};
  in_taken_ = 0;
  out_ = {};
}

void TlsStream::fail(std::string why, bool at_once) {
  if (state_ == State::ended) return;
  end_session();
  close_reason_ = std::move(why);
  if (at_once)
    inner_->abort();
  else
    inner_->close();
}

}  // namespace wh::net
