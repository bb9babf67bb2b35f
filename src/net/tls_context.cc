#include "net/tls_context.h"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <limits>
#include <sys/random.h>
#include <sys/stat.h>

#include <mbedtls/error.h>
#include <mbedtls/pkcs5.h>
#include <mbedtls/version.h>

#include "net/tls_state.h"

namespace wh::net {

namespace {

// HAZARDS J3: nothing with CBC, nothing without forward secrecy. AES-128 first: the processor does it in hardware.
constexpr int kCipherSuites[] = {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
                                 MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
                                 MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
                                 MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
                                 MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
                                 MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
                                 0};
// For the key exchange and for certificates. X25519 is last: mbedTLS has no fast code for it.
constexpr mbedtls_ecp_group_id kCurves[] = {MBEDTLS_ECP_DP_SECP256R1, MBEDTLS_ECP_DP_SECP384R1,
                                            MBEDTLS_ECP_DP_SECP521R1, MBEDTLS_ECP_DP_CURVE25519, MBEDTLS_ECP_DP_NONE};
constexpr int kSignatureHashes[] = {MBEDTLS_MD_SHA256, MBEDTLS_MD_SHA384, MBEDTLS_MD_SHA512, MBEDTLS_MD_NONE};
constexpr size_t kLargeRsaBits = 2048;

// Seeds from the kernel alone, which waits until it has been seeded itself (HAZARDS J9).
int system_entropy(void*, unsigned char* out, size_t size) {
  while (size > 0) {
    const ssize_t got = getrandom(out, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return MBEDTLS_ERR_CTR_DRBG_ENTROPY_SOURCE_FAILED;
    out += got;
    size -= static_cast<size_t>(got);
  }
  return 0;
}

Error file_error(const char* what, const std::string& file, int code) {
  return Error{std::string("could not read ") + what + " " + file + ": " + tls_error_text(code)};
}

Status parse_certificates(const char* what, const std::string& file, mbedtls_x509_crt& into) {
  // A positive result counts certificates that were skipped: half a chain is no chain.
  const int result = mbedtls_x509_crt_parse_file(&into, file.c_str());
  if (result < 0) return file_error(what, file, result);
  if (result > 0)
    return Error{std::string("could not read ") + what + " " + file + ": " + std::to_string(result) +
                 " of its certificates cannot be read"};
  return ok_status();
}

}  // namespace

TlsState::TlsState() {
  mbedtls_ctr_drbg_init(&random);
  mbedtls_x509_crt_init(&cert);
  mbedtls_pk_init(&key);
  mbedtls_x509_crt_init(&ca);
  mbedtls_ssl_config_init(&config);
}

TlsState::~TlsState() {
  mbedtls_ssl_config_free(&config);
  mbedtls_x509_crt_free(&ca);
  mbedtls_pk_free(&key);
  mbedtls_x509_crt_free(&cert);
  mbedtls_ctr_drbg_free(&random);
}

std::string tls_error_text(int code) {
  char text[160] = "";
  mbedtls_strerror(code, text, sizeof text);
  return text;
}

std::string tls_library_version() {
  char text[32] = "";
  mbedtls_version_get_string_full(text);
  return text;
}

TlsContext::TlsContext() : state_(std::make_unique<TlsState>()) {}
TlsContext::~TlsContext() = default;

Result<std::shared_ptr<TlsContext>> TlsContext::server(const TlsFiles& files, TlsClientAuth auth) {
  if (files.cert_file.empty() || files.key_file.empty()) return Error{"TLS needs tls-cert-file and tls-key-file"};
  if (auth != TlsClientAuth::no && files.ca_file.empty())
    return Error{"certificates of clients cannot be verified without tls-ca-cert-file"};
  const std::shared_ptr<TlsContext> context(new TlsContext);
  if (Status loaded = context->load(files); !loaded) return Error{loaded.error()};
  const int mode = auth == TlsClientAuth::yes        ? MBEDTLS_SSL_VERIFY_REQUIRED
                   : auth == TlsClientAuth::optional ? MBEDTLS_SSL_VERIFY_OPTIONAL
                                                     : MBEDTLS_SSL_VERIFY_NONE;
  if (Status done = context->configure(true, mode); !done) return Error{done.error()};
  return context;
}

Result<std::shared_ptr<TlsContext>> TlsContext::client(const TlsFiles& files) {
  if (files.ca_file.empty()) return Error{"the peer's certificate cannot be verified without tls-ca-cert-file"};
  const std::shared_ptr<TlsContext> context(new TlsContext);
  if (Status loaded = context->load(files); !loaded) return Error{loaded.error()};
  if (Status done = context->configure(false, MBEDTLS_SSL_VERIFY_REQUIRED); !done) return Error{done.error()};
  return context;
}

Status TlsContext::load(const TlsFiles& files) {
  TlsState& s = *state_;
  if (!files.ca_file.empty())
    if (Status read = parse_certificates("tls-ca-cert-file", files.ca_file, s.ca); !read) return read;
  if (files.cert_file.empty() != files.key_file.empty())
    return Error{"tls-cert-file and tls-key-file go together: one of them is missing"};
  if (files.cert_file.empty()) return ok_status();

  if (Status read = parse_certificates("tls-cert-file", files.cert_file, s.cert); !read) return read;
  struct stat info {};
  if (stat(files.key_file.c_str(), &info) != 0)
    return Error{"could not read tls-key-file " + files.key_file + ": " + std::strerror(errno)};
  if ((info.st_mode & 077) != 0)
    notices_.push_back("tls-key-file " + files.key_file + " can be read by other users: chmod 600 it");
  const char* password = files.key_pass.empty() ? nullptr : files.key_pass.c_str();
  const int parsed = mbedtls_pk_parse_keyfile(&s.key, files.key_file.c_str(), password);
  if (parsed == MBEDTLS_ERR_PKCS5_FEATURE_UNAVAILABLE)
    return Error{"could not read tls-key-file " + files.key_file + ": it is encrypted in a way that " +
                 tls_library_version() +
                 " cannot read; `openssl ec -aes256` or `openssl rsa -aes256 -traditional` writes one that it can"};
  if (parsed != 0) return file_error("tls-key-file", files.key_file, parsed);
  if (mbedtls_pk_check_pair(&s.cert.pk, &s.key) != 0)
    return Error{"tls-key-file " + files.key_file + " is not the key of tls-cert-file " + files.cert_file};
  if (mbedtls_pk_can_do(&s.key, MBEDTLS_PK_RSA) != 0 && mbedtls_pk_get_bitlen(&s.key) > kLargeRsaBits)
    notices_.push_back(
        "tls-key-file " + files.key_file + " is RSA with " + std::to_string(mbedtls_pk_get_bitlen(&s.key)) +
        " bits: each handshake holds up the node for milliseconds; ECDSA P-256 is as strong as 3072 bits");
  s.has_cert = true;
  return ok_status();
}

Status TlsContext::configure(bool server, int auth_mode) {
  TlsState& s = *state_;
  static constexpr unsigned char kPersonal[] = "wormhole";
  int code = mbedtls_ctr_drbg_seed(&s.random, system_entropy, nullptr, kPersonal, sizeof kPersonal);
  if (code == 0)
    code = mbedtls_ssl_config_defaults(&s.config, server ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT,
                                       MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
  if (code == 0 && s.has_cert) code = mbedtls_ssl_conf_own_cert(&s.config, &s.cert, &s.key);
  if (code != 0) return Error{"could not set up TLS: " + tls_error_text(code)};

  mbedtls_ssl_conf_rng(&s.config, mbedtls_ctr_drbg_random, &s.random);
  // HAZARDS J4: what Debian's build can do, and must not.
  mbedtls_ssl_conf_min_version(&s.config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
  mbedtls_ssl_conf_max_version(&s.config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
  mbedtls_ssl_conf_ciphersuites(&s.config, kCipherSuites);
  mbedtls_ssl_conf_curves(&s.config, kCurves);
  mbedtls_ssl_conf_sig_hashes(&s.config, kSignatureHashes);
  mbedtls_ssl_conf_cert_profile(&s.config, &mbedtls_x509_crt_profile_next);
  mbedtls_ssl_conf_renegotiation(&s.config, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
  mbedtls_ssl_conf_session_tickets(&s.config, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
  mbedtls_ssl_conf_encrypt_then_mac(&s.config, MBEDTLS_SSL_ETM_ENABLED);
  mbedtls_ssl_conf_extended_master_secret(&s.config, MBEDTLS_SSL_EXTENDED_MS_ENABLED);

  mbedtls_ssl_conf_authmode(&s.config, auth_mode);
  if (s.ca.raw.p != nullptr) mbedtls_ssl_conf_ca_chain(&s.config, &s.ca, nullptr);
  s.must_verify = auth_mode == MBEDTLS_SSL_VERIFY_REQUIRED;
  return ok_status();
}

int64_t TlsContext::days_left() const {
  const std::optional<int64_t> expiry = expires_unix_s();
  if (!expiry) return std::numeric_limits<int64_t>::max();
  using namespace std::chrono;
  return floor<days>(sys_seconds(seconds(*expiry)) - system_clock::now()).count();
}

std::optional<int64_t> TlsContext::expires_unix_s() const {
  if (!state_->has_cert) return std::nullopt;
  using namespace std::chrono;
  const mbedtls_x509_time& to = state_->cert.valid_to;
  const sys_days date =
      year_month_day(year(to.year), month(static_cast<unsigned>(to.mon)), day(static_cast<unsigned>(to.day)));
  const auto expiry = date + hours(to.hour) + minutes(to.min) + seconds(to.sec);
  return expiry.time_since_epoch() / seconds(1);
}

}  // namespace wh::net
