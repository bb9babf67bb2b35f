#include "net/tls_context.h"

#include <algorithm>
#include <strings.h>
#include <utility>

#include <mbedtls/error.h>

#include "base/log.h"
#include "net/tls_library.h"
#include "net/tls_state.h"

namespace wh::net {

namespace {

constexpr int kDnsName = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 2;  // RFC 5280 4.2.1.6
constexpr size_t kNamesShown = 8;
constexpr size_t kNameShown = 128;

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
  std::shared_ptr<TlsContext> context(new TlsContext(std::move(material)));
  const int mode = auth == TlsClientAuth::yes        ? MBEDTLS_SSL_VERIFY_REQUIRED
                   : auth == TlsClientAuth::optional ? MBEDTLS_SSL_VERIFY_OPTIONAL
                                                     : MBEDTLS_SSL_VERIFY_NONE;
  if (Status done = context->configure(true, mode); !done) return Error{done.error()};
  return context;
}

Result<std::shared_ptr<TlsContext>> TlsContext::client(std::shared_ptr<const TlsMaterial> material) {
  if (!material->has_ca()) return Error{"the peer's certificate cannot be verified without tls-ca-cert-file"};
  std::shared_ptr<TlsContext> context(new TlsContext(std::move(material)));
  if (Status done = context->configure(false, MBEDTLS_SSL_VERIFY_REQUIRED); !done) return Error{done.error()};
  return context;
}

Result<std::shared_ptr<TlsContext>> TlsContext::unverified_client(std::shared_ptr<const TlsMaterial> material) {
  std::shared_ptr<TlsContext> context(new TlsContext(std::move(material)));
  if (Status done = context->configure(false, MBEDTLS_SSL_VERIFY_NONE); !done) return Error{done.error()};
  return context;
}

Status TlsContext::configure(bool server, int auth_mode) {
  TlsState& s = *state_;
  TlsPem& pem = s.material->pem();
  static constexpr unsigned char kPersonal[] = "wormhole";
  int code = start_tls_library();
  if (code == 0) code = mbedtls_ctr_drbg_seed(&s.random, system_random, nullptr, kPersonal, sizeof kPersonal);
  if (code == 0)
    code = mbedtls_ssl_config_defaults(&s.config, server ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT,
                                       MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
  if (code == 0 && s.material->has_cert()) code = mbedtls_ssl_conf_own_cert(&s.config, &pem.cert, &pem.key);
  if (code != 0) return Error{"could not set up TLS: " + tls_error_text(code)};

  mbedtls_ssl_conf_rng(&s.config, mbedtls_ctr_drbg_random, &s.random);
  restrict_tls(s.config);
  mbedtls_ssl_conf_cert_profile(&s.config, &mbedtls_x509_crt_profile_next);
  mbedtls_ssl_conf_encrypt_then_mac(&s.config, MBEDTLS_SSL_ETM_ENABLED);
  mbedtls_ssl_conf_extended_master_secret(&s.config, MBEDTLS_SSL_EXTENDED_MS_ENABLED);

  s.must_verify = auth_mode == MBEDTLS_SSL_VERIFY_REQUIRED;
  mbedtls_ssl_conf_authmode(&s.config, auth_mode);
  if (server && s.must_verify) demand_certificate(s.config);
  if (s.material->has_ca()) mbedtls_ssl_conf_ca_chain(&s.config, &pem.ca, nullptr);
  return ok_status();
}

}  // namespace wh::net
