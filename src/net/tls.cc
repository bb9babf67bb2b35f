#include "net/tls.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "base/log.h"
#include "base/protocol_guess.h"
#include "net/tls_library.h"
#include "net/tls_state.h"

namespace wh::net {

struct TlsStream::Session {
  Session() { mbedtls_ssl_init(&ssl); }
  ~Session() { mbedtls_ssl_free(&ssl); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // mbedTLS accepts a wildcard, or without DNS names a common name, for the wanted name. A node's id must be a DNS name
  // of its certificate, exactly (HAZARDS G7). Depth 0 is the server's own certificate.
  static int check_name(void* self, mbedtls_x509_crt* cert, int depth, uint32_t* flags) {
    auto& stream = *static_cast<TlsStream*>(self);
    if (depth != 0 || lists_dns_name(*cert, stream.wanted_)) return 0;
    *flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
    stream.shown_names_ = dns_names_text(*cert);
    return 0;
  }

  mbedtls_ssl_context ssl;
};

namespace {

constexpr size_t kRecordSize = 16 * 1024;
// A buffer up to this size is kept for the next turn; a larger one is freed once empty.
constexpr size_t kKeptPlain = 4 * 1024;
constexpr const char* kNoCertificate = "it shows no certificate";
constexpr unsigned char kHandshakeRecord = 22;
constexpr unsigned char kAlertRecord = 21;

struct AlertText {
  int number;
  const char* text;
};
// RFC 5246 7.2 and RFC 8446 6, those that tell something useful.
constexpr AlertText kAlerts[] = {{40, "it found nothing to agree on, or misses our certificate"},
                                 {42, "it finds our certificate bad, or for another name"},
                                 {43, "it cannot use our kind of certificate"},
                                 {44, "our certificate is revoked"},
                                 {45, "our certificate has expired"},
                                 {46, "it does not accept our certificate"},
                                 {48, "it does not know the authority of our certificate"},
                                 {70, "it speaks no version of TLS that this node does"},
                                 {116, "it demands a certificate"}};

std::string alert_text(int number) {
  const std::string code = "alert " + std::to_string(number);
  for (const AlertText& alert : kAlerts)
    if (alert.number == number) return std::string(alert.text) + " (" + code + ")";
  return "the peer refused with " + code;
}

}  // namespace

std::unique_ptr<TlsStream> TlsStream::accept(Loop& loop, HandshakeGate& gate, HandshakeGate::Lane lane,
                                             std::shared_ptr<TlsContext> context, std::unique_ptr<ByteStream> inner,
                                             PlainAnswer plain_answer, BufferBudget* buffers) {
  return std::unique_ptr<TlsStream>(
      new TlsStream(loop, gate, lane, std::move(context), std::move(inner), nullptr, std::move(plain_answer), buffers));
}

std::unique_ptr<TlsStream> TlsStream::connect(Loop& loop, HandshakeGate& gate, HandshakeGate::Lane lane,
                                              std::shared_ptr<TlsContext> context, std::unique_ptr<ByteStream> inner,
                                              const std::string& name) {
  return std::unique_ptr<TlsStream>(
      new TlsStream(loop, gate, lane, std::move(context), std::move(inner), &name, {}, nullptr));
}

TlsStream::TlsStream(Loop& loop, HandshakeGate& gate, HandshakeGate::Lane lane, std::shared_ptr<TlsContext> context,
                     std::unique_ptr<ByteStream> inner, const std::string* name, PlainAnswer plain_answer,
                     BufferBudget* buffers)
    : context_(std::move(context)),
      session_(std::make_unique<Session>()),
      inner_(std::move(inner)),
      ticket_(
          gate, lane, name == nullptr ? std::optional(inner_->peer_group()) : std::nullopt,
          [](void* self) { static_cast<TlsStream*>(self)->handshake(true); },
          [](void* self) { static_cast<TlsStream*>(self)->fail(std::string(kGaveWay), true); }, this),
      flush_task_(
          loop, TurnTask::Phase::encrypt, [](void* self) { static_cast<TlsStream*>(self)->flush(); }, this),
      handshake_timer_(loop,
                       [this] {
                         if (accepted_ && !seen_bytes_)
                           fail("it sent nothing", true);
                         else
                           fail("the TLS handshake took too long", true);
                       }),
      handshake_ms_(gate.handshake_ms()),
      accepted_(name == nullptr),
      wanted_(name != nullptr ? *name : std::string()),
      plain_answer_(std::move(plain_answer)),
      share_(buffers) {
  inner_->set_handler(this);
  if (accepted_) {
    // A silent connection costs only its place: mbedTLS's state is made when its first bytes come.
    handshake_timer_.start(std::min(gate.first_byte_ms(), gate.handshake_ms()));
  } else if (begin_session()) {
    handshake_timer_.start(handshake_ms_);
    pump_in_turn();
  }
}

bool TlsStream::begin_session() {
  mbedtls_ssl_context& ssl = session_->ssl;
  int code = mbedtls_ssl_setup(&ssl, &context_->state().config);
  // Always set, if only to nothing: mbedTLS does not check a name that is not set (CVE-2025-27809).
  if (code == 0 && !accepted_) code = mbedtls_ssl_set_hostname(&ssl, wanted_.empty() ? nullptr : wanted_.c_str());
  if (code != 0) {
    fail("could not set up TLS: " + tls_error_text(code), true);
    return false;
  }
  if (!wanted_.empty()) mbedtls_ssl_set_verify(&ssl, Session::check_name, this);
  mbedtls_ssl_set_bio(&ssl, this, bio_send, bio_receive, nullptr);
  count_held();
  return true;
}

TlsStream::~TlsStream() {
  if (gone_ != nullptr) *gone_ = true;
}

// ---- What mbedTLS sends and receives. Sending never blocks: the stream below accepts everything.

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
    if (stream.in_.capacity() > kKeptPlain)
      std::string().swap(stream.in_);
    else
      stream.in_.clear();
    stream.in_taken_ = 0;
    stream.count_held();
  }
  return static_cast<int>(taken);
}

// ---- The stream below

void TlsStream::update_inner_reading() {
  if (state_ == State::ended) return;
  // During the handshake the user's pause does not count, but a handshake that waits for its turn reads no more bytes.
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
      not_tls(bytes);
      return;
    }
    if (accepted_) {
      if (!begin_session()) return;
      handshake_timer_.start(handshake_ms_);
    }
  }
  if (state_ == State::handshaking) note_plain_alert(bytes);
  in_.append(bytes);
  count_held();
  pump();
}

// Under TLS 1.3 a client of mbedTLS 3.6 refuses a certificate by a plaintext alert, which its server takes for a broken
// record. It is the last record that the client sends, and proves nothing: it serves only for the error text.
void TlsStream::note_plain_alert(std::string_view bytes) {
  constexpr std::string_view kFatal{"\x15\x03\x03\x00\x02\x02", 6};  // RFC 8446 5.1 and 6
  if (bytes.size() > kFatal.size() && bytes.substr(bytes.size() - kFatal.size() - 1).starts_with(kFatal))
    plain_alert_ = static_cast<unsigned char>(bytes.back());
}

void TlsStream::not_tls(std::string_view first_bytes) {
  if (!accepted_) {
    fail(std::string(kNoTls), false);
    return;
  }
  if (plain_answer_) inner_->write(plain_answer_(first_bytes));
  fail("it speaks " + protocol_guess(first_bytes) + ", not TLS", false);
}

void TlsStream::on_end() {
  inner_ended_ = true;
  end_when_read();
}

// The stream below has ended. Bytes that came before and are not processed yet come first: a client may greet, send all
// it has and hang up at once (RFC 8446 2), while its handshake waits in line.
void TlsStream::end_when_read() {
  if (!inner_ended_) return;
  if (state_ == State::handshaking && ticket_.waiting()) return;
  if (state_ == State::established && (in_.size() > in_taken_ || pump_due_)) return;
  if (state_ == State::handshaking && accepted_ && !seen_bytes_) {
    // A probe of the port: no error.
    end_session();
    inner_->abort();
  } else if (state_ == State::handshaking) {
    // A server that does not speak TLS hangs up on the first greeting.
    fail(seen_bytes_ ? "the peer ended the connection during the TLS handshake" : std::string(kNoTls), true);
  } else if (state_ == State::established && !peer_ended_ && !closing_) {
    fail(std::string(kTruncated), true);
  }
}

void TlsStream::on_drained() {
  if (pending_bytes() <= kLowWater) tell_drained();
}

// The handler may destroy this stream: each call of it must be the last action.
void TlsStream::on_turn() {
  if (state_ == State::ended) return;
  if ((pump_due_ ? 1 : 0) + (drained_due_ ? 1 : 0) + (turn_due_ ? 1 : 0) > 1) inner_->request_turn();
  if (std::exchange(pump_due_, false)) {
    pump();
  } else if (std::exchange(drained_due_, false)) {
    tell_drained();
  } else if (std::exchange(turn_due_, false) && handler_ != nullptr) {
    handler_->on_turn();
  }
}

void TlsStream::request_turn() {
  turn_due_ = true;
  inner_->request_turn();
}

void TlsStream::pump_in_turn() {
  pump_due_ = true;
  inner_->request_turn();
}

void TlsStream::on_close(std::string_view why) {
  if (state_ == State::handshaking && seen_bytes_) tell_gate(why);
  if (state_ != State::ended) end_session();
  const std::string reason = close_reason_.empty() ? std::string(why) : close_reason_;
  if (handler_ != nullptr) handler_->on_close(reason);
}

// ---- The handshake

void TlsStream::pump() {
  if (state_ == State::handshaking && !ticket_.waiting() && (seen_bytes_ || !accepted_)) handshake(false);
  if (state_ == State::established) deliver();
}

// Proceeds as far as the received bytes allow, but stops before each expensive step until the gate calls.
void TlsStream::handshake(bool step_allowed) {
  mbedtls_ssl_context& ssl = session_->ssl;
  while (!handshake_is_over(ssl)) {
    if (is_expensive_step(ssl, accepted_) && !std::exchange(step_allowed, false)) {
      if (ticket_.ask())
        update_inner_reading();
      else
        fail(std::string(kTooMany), true);
      return;
    }
    const int code = mbedtls_ssl_handshake_step(&ssl);
    if (code == MBEDTLS_ERR_SSL_WANT_READ) {
      update_inner_reading();
      end_when_read();
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
  mbedtls_ssl_context& ssl = session_->ssl;
  std::string why = "TLS handshake failed: ";
  if (code == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) {
    why += alert_text(received_alert(ssl));
  } else if (code == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED) {
    why += why_not_verified();
  } else if (code == MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE) {
    send_certificate_alert(ssl, MBEDTLS_X509_BADCERT_MISSING);
    why += kNoCertificate;
  } else if (plain_alert_ != 0) {
    why += alert_text(plain_alert_);
  } else {
    why += tls_error_text(code);
  }
  // Not at once, so that the alert with the reason reaches the peer.
  fail(std::move(why), false);
}

std::string TlsStream::why_not_verified() const {
  const uint32_t flags = mbedtls_ssl_get_verify_result(&session_->ssl);
  const uint32_t rest = flags & ~uint32_t{MBEDTLS_X509_BADCERT_CN_MISMATCH};
  if (rest != 0) return "its certificate: " + verify_text(rest);
  return "its certificate is for " + (shown_names_.empty() ? "no name" : shown_names_) + ", not for " +
         printable(wanted_);
}

void TlsStream::established() {
  mbedtls_ssl_context& ssl = session_->ssl;
  handshake_timer_.stop();
  ticket_.leave();
  // This check keeps "optional" from being taken for "required" (HAZARDS J8), and is the only one of clients under TLS
  // 1.3 (demand_certificate): otherwise the handshake has verified the certificate itself.
  verified_ = mbedtls_ssl_get_peer_cert(&ssl) != nullptr && mbedtls_ssl_get_verify_result(&ssl) == 0;
  if (context_->state().must_verify && !verified_) {
    const uint32_t result = mbedtls_ssl_get_verify_result(&ssl);
    send_certificate_alert(ssl, result);
    const bool shown = (result & MBEDTLS_X509_BADCERT_MISSING) == 0;
    fail("TLS handshake failed: " + (shown ? "its certificate: " + verify_text(result) : std::string(kNoCertificate)),
         false);
    return;
  }
  state_ = State::established;
  if (!out_.empty() || closing_) flush_task_.queue();
  if (!closing_) pump_in_turn();  // the last read of the handshake may have brought data
  update_inner_reading();
}

bool TlsStream::peer_has_name(std::string_view name) const {
  if (!verified_) return false;
  const mbedtls_x509_crt* cert = mbedtls_ssl_get_peer_cert(&session_->ssl);
  return cert != nullptr && lists_dns_name(*cert, name);
}

std::string TlsStream::peer_names() const {
  const mbedtls_x509_crt* cert = verified_ ? mbedtls_ssl_get_peer_cert(&session_->ssl) : nullptr;
  return cert == nullptr ? std::string() : dns_names_text(*cert);
}

int64_t TlsStream::peer_cert_ends() const {
  const mbedtls_x509_crt* cert = verified_ ? mbedtls_ssl_get_peer_cert(&session_->ssl) : nullptr;
  return cert == nullptr ? std::numeric_limits<int64_t>::max() : seconds_of(cert->valid_to);
}

// ---- Data

void TlsStream::set_handler(StreamHandler* handler) {
  handler_ = handler;
  if (handler != nullptr) pump_in_turn();
  update_inner_reading();
}

void TlsStream::pause_reading() {
  paused_ = true;
  update_inner_reading();
}

void TlsStream::resume_reading() {
  paused_ = false;
  if (in_.size() > in_taken_ || (state_ == State::established && mbedtls_ssl_get_bytes_avail(&session_->ssl) > 0))
    pump_in_turn();
  update_inner_reading();
}

void TlsStream::deliver() {
  unsigned char plain[kRecordSize];
  while (state_ == State::established && !peer_ended_ && !paused_ && !closing_ && handler_ != nullptr) {
    const int result = mbedtls_ssl_read(&session_->ssl, plain, sizeof plain);
    if (result == MBEDTLS_ERR_SSL_WANT_READ) return end_when_read();
    if (is_session_ticket(result)) continue;
    if (result == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
      peer_ended_ = true;
      handler_->on_end();
      return;
    }
    if (result <= 0) {
      fail(result == 0 ? std::string(kTruncated) : why_unread(result), false);
      return;
    }
    heard_ = true;
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

// Under TLS 1.3 a client finishes before the server has judged its certificate: a refusal comes in place of data.
std::string TlsStream::why_unread(int code) const {
  if (code != MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) return "TLS: " + tls_error_text(code);
  return (accepted_ || heard_ ? "TLS: " : "TLS handshake failed: ") + alert_text(received_alert(session_->ssl));
}

void TlsStream::write(std::string_view bytes) {
  if (state_ == State::ended || closing_ || bytes.empty()) return;
  out_.append(bytes);
  if (pending_bytes() > kHighWater) above_high_ = true;
  if (state_ == State::established) {
    // Encrypts whole records at once, so that the writer pays for them; the rest once a turn.
    if (out_.size() >= kRecordSize && !encrypt(out_.size() / kRecordSize * kRecordSize)) return;
    flush_task_.queue();
  }
  count_held();
}

bool TlsStream::encrypt(size_t up_to) {
  size_t sent = 0;
  while (sent < up_to) {
    const int result =
        mbedtls_ssl_write(&session_->ssl, reinterpret_cast<const unsigned char*>(out_.data()) + sent, up_to - sent);
    if (result <= 0) {
      fail("TLS: " + tls_error_text(result), true);
      return false;
    }
    sent += static_cast<size_t>(result);
  }
  if (sent < out_.size())
    out_.erase(0, sent);
  else if (out_.capacity() > kKeptPlain)
    std::string().swap(out_);
  else
    out_.clear();
  return true;
}

void TlsStream::count_held() {
  share_.set((accepted_ && !seen_bytes_ ? 0 : kSessionBytes) + in_.capacity() + out_.capacity());
}

// Called once a turn, just before the streams below send: puts everything into records as full as can be.
void TlsStream::flush() {
  if (state_ != State::established) return;
  if (!encrypt(out_.size())) return;
  count_held();
  if (closing_) {
    mbedtls_ssl_close_notify(&session_->ssl);
    end_session();
    inner_->close();
    return;
  }
  // The stream below tells when it has drained, unless it was never as full as both together.
  if (above_high_ && inner_->pending_bytes() <= kHighWater) {
    drained_due_ = true;
    inner_->request_turn();
  }
}

void TlsStream::flush_now() {
  flush();
  inner_->flush_now();
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
  flush_task_.cancel();
  pump_due_ = drained_due_ = turn_due_ = false;
  std::string().swap(in_);
  in_taken_ = 0;
  std::string().swap(out_);
  count_held();
}

// For dialled connections the dialler reports the failure.
void TlsStream::tell_gate(std::string_view why) {
  if (accepted_) ticket_.failed(inner_->peer_address(), inner_->local_port(), why);
}

void TlsStream::fail(std::string why, bool at_once) {
  if (state_ == State::ended) return;
  // A connection that sent nothing has not failed.
  if (state_ == State::handshaking && (seen_bytes_ || !accepted_)) tell_gate(why);
  end_session();
  close_reason_ = std::move(why);
  if (at_once)
    inner_->abort();
  else
    inner_->close();
}

}  // namespace wh::net
