#include "net/tls_library.h"

#include <cerrno>
#include <cstdint>
#include <sys/random.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/version.h>

#include "net/tls_material.h"

#if MBEDTLS_VERSION_MAJOR >= 3
#include <psa/crypto.h>
#endif

namespace wh::net {

namespace {

// HAZARDS J3 (timing attacks): no CBC, nothing without forward secrecy. AES-128 first: hardware does it.
constexpr int kCipherSuites[] = {
#if MBEDTLS_VERSION_MAJOR >= 3
    MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
    MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
    MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
#endif
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    0};

constexpr unsigned char kCertificateRequired = 116;  // RFC 8446 6.2

#if MBEDTLS_VERSION_MAJOR < 3
bool speaks_1_3(const mbedtls_ssl_context&) { return false; }
#else
// On a client also true before the version is settled; on a server known once the greeting has come.
bool speaks_1_3(const mbedtls_ssl_context& ssl) {
  return mbedtls_ssl_get_version_number(&ssl) == MBEDTLS_SSL_VERSION_TLS1_3;
}

// Called when the greeting has settled the version.
int leave_refusal(mbedtls_ssl_context* ssl) {
  if (speaks_1_3(*ssl)) mbedtls_ssl_set_hs_authmode(ssl, MBEDTLS_SSL_VERIFY_OPTIONAL);
  return 0;
}
#endif

void restrict_versions_and_keys(mbedtls_ssl_config& config);

}  // namespace

int system_random(void*, unsigned char* out, size_t size) {
  while (size > 0) {
    const ssize_t got = getrandom(out, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return MBEDTLS_ERR_CTR_DRBG_ENTROPY_SOURCE_FAILED;
    out += got;
    size -= static_cast<size_t>(got);
  }
  return 0;
}

void send_certificate_alert(mbedtls_ssl_context& ssl, uint32_t verify_result) {
  unsigned char alert = MBEDTLS_SSL_ALERT_MSG_BAD_CERT;
  if ((verify_result & MBEDTLS_X509_BADCERT_MISSING) != 0)
    alert = speaks_1_3(ssl) ? kCertificateRequired : MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE;  // RFC 5246 7.4.6
  else if ((verify_result & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0)
    alert = MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA;
  else if ((verify_result & MBEDTLS_X509_BADCERT_EXPIRED) != 0)
    alert = MBEDTLS_SSL_ALERT_MSG_CERT_EXPIRED;
  mbedtls_ssl_send_alert_message(&ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL, alert);
}

void restrict_tls(mbedtls_ssl_config& config) {
  restrict_versions_and_keys(config);
  mbedtls_ssl_conf_ciphersuites(&config, kCipherSuites);
  mbedtls_ssl_conf_renegotiation(&config, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
  mbedtls_ssl_conf_session_tickets(&config, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
}

std::string tls_library_version() {
  char text[32] = "";
  mbedtls_version_get_string_full(text);
  return text;
}

#if MBEDTLS_VERSION_MAJOR < 3

bool tls_library_gets_fixes() { return false; }
bool tls_library_has_1_3() { return false; }

int start_tls_library() { return 0; }

int parse_key_file(mbedtls_pk_context& key, const std::string& file, const char* password) {
  return mbedtls_pk_parse_keyfile(&key, file.c_str(), password);
}

int check_key_pair(const mbedtls_pk_context& certificate, const mbedtls_pk_context& key) {
  return mbedtls_pk_check_pair(&certificate, &key);
}

namespace {
void restrict_versions_and_keys(mbedtls_ssl_config& config) {
  // For the key exchange and for certificates. X25519 is last: mbedTLS has no fast code for it.
  static constexpr mbedtls_ecp_group_id kCurves[] = {MBEDTLS_ECP_DP_SECP256R1, MBEDTLS_ECP_DP_SECP384R1,
                                                     MBEDTLS_ECP_DP_SECP521R1, MBEDTLS_ECP_DP_CURVE25519,
                                                     MBEDTLS_ECP_DP_NONE};
  static constexpr int kHashes[] = {MBEDTLS_MD_SHA256, MBEDTLS_MD_SHA384, MBEDTLS_MD_SHA512, MBEDTLS_MD_NONE};
  // HAZARDS J4: turns off the older versions in Debian's build.
  mbedtls_ssl_conf_min_version(&config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
  mbedtls_ssl_conf_max_version(&config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
  mbedtls_ssl_conf_curves(&config, kCurves);
  mbedtls_ssl_conf_sig_hashes(&config, kHashes);
}
}  // namespace

void demand_certificate(mbedtls_ssl_config& config) { mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_REQUIRED); }

bool handshake_is_over(mbedtls_ssl_context& ssl) { return ssl.state == MBEDTLS_SSL_HANDSHAKE_OVER; }

bool is_expensive_step(const mbedtls_ssl_context& ssl, bool server) {
  switch (ssl.state) {
    case MBEDTLS_SSL_SERVER_KEY_EXCHANGE:
    case MBEDTLS_SSL_CLIENT_KEY_EXCHANGE:
    case MBEDTLS_SSL_CERTIFICATE_VERIFY:
      return true;
    case MBEDTLS_SSL_SERVER_CERTIFICATE:
      return !server;
    case MBEDTLS_SSL_CLIENT_CERTIFICATE:
      return server;
    default:
      return false;
  }
}

int received_alert(const mbedtls_ssl_context& ssl) { return ssl.in_msg[1]; }

bool is_session_ticket(int) { return false; }

// RFC 5246 7.4.2: after the message's 4 bytes, 3 bytes of length for all, and 3 before each certificate.
size_t certificate_message_size(size_t certificates, size_t bytes) { return 7 + 3 * certificates + bytes; }
const size_t kLargestCertificateMessage = MBEDTLS_SSL_OUT_CONTENT_LEN;

#else

bool tls_library_gets_fixes() { return true; }
bool tls_library_has_1_3() { return true; }

// TLS 1.3 is built on PSA, whose state is the process's; PSA has its own locks.
int start_tls_library() {
  static const psa_status_t status = psa_crypto_init();
  return status == PSA_SUCCESS ? 0 : MBEDTLS_ERR_CTR_DRBG_ENTROPY_SOURCE_FAILED;
}

int parse_key_file(mbedtls_pk_context& key, const std::string& file, const char* password) {
  return mbedtls_pk_parse_keyfile(&key, file.c_str(), password, system_random, nullptr);
}

int check_key_pair(const mbedtls_pk_context& certificate, const mbedtls_pk_context& key) {
  return mbedtls_pk_check_pair(&certificate, &key, system_random, nullptr);
}

namespace {
void restrict_versions_and_keys(mbedtls_ssl_config& config) {
  // X25519 is last: mbedTLS has no fast code for it.
  static constexpr uint16_t kGroups[] = {MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1, MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1,
                                         MBEDTLS_SSL_IANA_TLS_GROUP_SECP521R1, MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
                                         MBEDTLS_SSL_IANA_TLS_GROUP_NONE};
  // RFC 8446 4.2.3: PKCS #1 is for certificates, and for TLS 1.2.
  static constexpr uint16_t kSignatures[] = {
      MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256, MBEDTLS_TLS1_3_SIG_ECDSA_SECP384R1_SHA384,
      MBEDTLS_TLS1_3_SIG_ECDSA_SECP521R1_SHA512, MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA256,
      MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA384,    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA512,
      MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA256,       MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA384,
      MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA512,       MBEDTLS_TLS1_3_SIG_NONE};
  // HAZARDS J4: turns off the older versions in Debian's build.
  mbedtls_ssl_conf_min_tls_version(&config, MBEDTLS_SSL_VERSION_TLS1_2);
  mbedtls_ssl_conf_max_tls_version(&config, MBEDTLS_SSL_VERSION_TLS1_3);
  mbedtls_ssl_conf_groups(&config, kGroups);
  mbedtls_ssl_conf_sig_algs(&config, kSignatures);
  mbedtls_ssl_conf_tls13_key_exchange_modes(&config, MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL);
  mbedtls_ssl_conf_new_session_tickets(&config, 0);
}
}  // namespace

void demand_certificate(mbedtls_ssl_config& config) {
  mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_REQUIRED);
  mbedtls_ssl_conf_cert_cb(&config, leave_refusal);
}

bool handshake_is_over(mbedtls_ssl_context& ssl) { return mbedtls_ssl_is_handshake_over(&ssl) != 0; }

bool is_expensive_step(const mbedtls_ssl_context& ssl, bool server) {
  const bool is_1_3 = speaks_1_3(ssl);
  switch (ssl.MBEDTLS_PRIVATE(state)) {  // there is no getter
    case MBEDTLS_SSL_SERVER_KEY_EXCHANGE:
    case MBEDTLS_SSL_CLIENT_KEY_EXCHANGE:
    case MBEDTLS_SSL_CERTIFICATE_VERIFY:
    case MBEDTLS_SSL_CLIENT_CERTIFICATE_VERIFY:
      return true;
    // In TLS 1.3 the client makes its key first, and has the shared secret with the server's first message.
    case MBEDTLS_SSL_CLIENT_HELLO:
      return is_1_3 && !server;
    case MBEDTLS_SSL_SERVER_HELLO:
      return is_1_3;
    case MBEDTLS_SSL_SERVER_CERTIFICATE:
      return !server;
    case MBEDTLS_SSL_CLIENT_CERTIFICATE:
      return server;
    default:
      return false;
  }
}

int received_alert(const mbedtls_ssl_context& ssl) { return ssl.MBEDTLS_PRIVATE(in_msg)[1]; }  // there is no getter

bool is_session_ticket(int code) { return code == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET; }

// RFC 8446 4.4.2, the longer of the two: after the message's 4 bytes, 1 byte for the context, 3 of length, 3 before
// each certificate and 2 after it. mbedTLS pads a record up to a multiple and leaves no room for that.
size_t certificate_message_size(size_t certificates, size_t bytes) { return 8 + 5 * certificates + bytes; }
const size_t kLargestCertificateMessage = MBEDTLS_SSL_OUT_CONTENT_LEN - MBEDTLS_SSL_CID_TLS1_3_PADDING_GRANULARITY;

#endif

}  // namespace wh::net
