// The differences between mbedTLS 2.28 (Debian 12) and 3.6 (Debian 13): no other file asks for the version. 2.28 speaks
// TLS 1.2, 3.6 also TLS 1.3. Knows no streams and no files. Included only by the tls*.cc of this folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>

namespace wh::net {

// Must be called before anything that uses keys, from any thread, any number of times: 0 or an error of mbedTLS.
[[nodiscard]] int start_tls_library();

// Fills `out` from the kernel alone, which waits until it is seeded (HAZARDS J9); mbedTLS's f_rng, without a context. 0
// or an error of mbedTLS.
int system_random(void*, unsigned char* out, size_t size);

// mbedtls_pk_parse_keyfile and mbedtls_pk_check_pair. `password`: null for none.
[[nodiscard]] int parse_key_file(mbedtls_pk_context& key, const std::string& file, const char* password);
[[nodiscard]] int check_key_pair(const mbedtls_pk_context& certificate, const mbedtls_pk_context& key);

// Sets the versions, cipher suites, groups and signatures to use; turns off renegotiation, session tickets and
// pre-shared keys.
void restrict_tls(mbedtls_ssl_config& config);

[[nodiscard]] bool handshake_is_over(mbedtls_ssl_context& ssl);
// Whether the next step of the handshake signs, verifies or computes a shared secret.
[[nodiscard]] bool is_expensive_step(const mbedtls_ssl_context& ssl, bool server);
// The number of the alert behind MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE.
[[nodiscard]] int received_alert(const mbedtls_ssl_context& ssl);
// For a server that demands a certificate. Where mbedTLS cannot tell a TLS 1.3 client that its certificate is refused
// (it would do so under keys that the client no longer has), the handshake refuses none: the stream's owner must do it
// at the handshake's end.
void demand_certificate(mbedtls_ssl_config& config);
// Tells the client by an alert why it is refused. `verify_result`: from mbedtls_ssl_get_verify_result.
void send_certificate_alert(mbedtls_ssl_context& ssl, uint32_t verify_result);
// Whether a read that ended with this code only found a session ticket, so that the caller must read again.
[[nodiscard]] bool is_session_ticket(int code);

// mbedTLS sends a handshake message as one record: a longer one fails at each connection. The size of a message with
// that many certificates of that many bytes in all, and the most that can be sent.
[[nodiscard]] size_t certificate_message_size(size_t certificates, size_t bytes);
extern const size_t kLargestCertificateMessage;

}  // namespace wh::net
