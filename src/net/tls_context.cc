#include "net/tls_context.h"

#include <algorithm>
#include <cerrno>
#include <strings.h>
#include <sys/random.h>
#include <utility>

#include <mbedtls/error.h>

#include "base/log.h"
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

constexpr int kDnsName = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 2;  // RFC 5280 4.2.1.6
constexpr size_t kNamesShown = 8;
constexpr size_t kNameShown = 128;

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

}  // namespace

TlsState::TlsState() {
  mbedtls_ctr_drbg_init(&random);
  mbedtls_ssl_config_init(&config);
}

TlsState::~TlsState() {
  mbedtls_ssl_config_free(&config);
  mbedtls_ctr_drbg_free(&random);
}

std::string tls_error_text(int code) {
  char text[160] = "";
  mbedtls_strerror(code, text, sizeof text);
  return text;
}

std::string verify_text(uint32_t flags) {
  char text[512] = "";
  mbedtls_x509_crt_verify_info(text, sizeof text, "", flags);
  const std::string_view lines = text;
  return std::string(lines.substr(0, lines.find('\n')));
}

bool lists_dns_name(const mbedtls_x509_crt& cert, std::string_view name) {
  for (const mbedtls_x509_sequence* item = &cert.subject_alt_names; item != nullptr; item = item->next)
    if (item->buf.tag == kDnsName && item->buf.len == name.size() && !name.empty() &&
        strncasecmp(reinterpret_cast<const char*>(item->buf.p), name.data(), name.size()) == 0)
      return true;
  return false;
}

std::string dns_names_text(const mbedtls_x509_crt& cert) {
  std::string text;
  size_t count = 0;
  for (const mbedtls_x509_sequence* item = &cert.subject_alt_names; item != nullptr; item = item->next) {
    if (item->buf.tag != kDnsName) continue;
    if (!text.empty()) text += ", ";
    if (++count > kNamesShown) return text + "...";
    text += printable({reinterpret_cast<const char*>(item->buf.p), std::min(item->buf.len, kNameShown)});
  }
  return text;
}

TlsContext::TlsContext(std::shared_ptr<const TlsMaterial> material) : state_(std::make_unique<TlsState>()) {
  state_->material = std::move(material);
}
TlsContext::~TlsContext() = default;

Result<std::shared_ptr<TlsContext>> TlsContext::server(std::shared_ptr<const TlsMaterial> material,
                                                       TlsClientAuth auth) {
  if (!material->has_cert()) return Error{"TLS needs tls-cert-file and tls-key-file"};
  if (auth != TlsClientAuth::no && !material->has_ca())
    return Error{"certificates of clients cannot be verified without tls-ca-cert-file"};
  const std::shared_ptr<TlsContext> context(new TlsContext(std::move(material)));
  const int mode = auth == TlsClientAuth::yes        ? MBEDTLS_SSL_VERIFY_REQUIRED
                   : auth == TlsClientAuth::optional ? MBEDTLS_SSL_VERIFY_OPTIONAL
                                                     : MBEDTLS_SSL_VERIFY_NONE;
  if (Status done = context->configure(true, mode); !done) return Error{done.error()};
  return context;
}

Result<std::shared_ptr<TlsContext>> TlsContext::client(std::shared_ptr<const TlsMaterial> material) {
  if (!material->has_ca()) return Error{"the peer's certificate cannot be verified without tls-ca-cert-file"};
  const std::shared_ptr<TlsContext> context(new TlsContext(std::move(material)));
  if (Status done = context->configure(false, MBEDTLS_SSL_VERIFY_REQUIRED); !done) return Error{done.error()};
  return context;
}

Result<std::shared_ptr<TlsContext>> TlsContext::unverified_client(std::shared_ptr<const TlsMaterial> material) {
  const std::shared_ptr<TlsContext> context(new TlsContext(std::move(material)));
  if (Status done = context->configure(false, MBEDTLS_SSL_VERIFY_NONE); !done) return Error{done.error()};
  return context;
}

Status TlsContext::configure(bool server, int auth_mode) {
  TlsState& s = *state_;
  TlsPem& pem = s.material->pem();
  static constexpr unsigned char kPersonal[] = "wormhole";
  int code = mbedtls_ctr_drbg_seed(&s.random, system_entropy, nullptr, kPersonal, sizeof kPersonal);
  if (code == 0)
    code = mbedtls_ssl_config_defaults(&s.config, server ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT,
                                       MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
  if (code == 0 && s.material->has_cert()) code = mbedtls_ssl_conf_own_cert(&s.config, &pem.cert, &pem.key);
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
  if (s.material->has_ca()) mbedtls_ssl_conf_ca_chain(&s.config, &pem.ca, nullptr);
  s.must_verify = auth_mode == MBEDTLS_SSL_VERIFY_REQUIRED;
  return ok_status();
}

}  // namespace wh::net
