// Where mbedTLS 2.28 (Debian 12) and 3.6 (Debian 13) differ: nobody else asks which of them it is. 2.28 speaks TLS 1.2,
// 3.6 also TLS 1.3. Knows nothing of streams and files. Included by the tls*.cc of this folder only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>

namespace wh::net {

// To be called before anything that uses keys, from any thread, as often as one likes: 0 or an error of mbedTLS.
[[nodiscard]] int start_tls_library();

// Fills in from the kernel alone, which waits until it has been seeded itself (HAZARDS J9); mbedTLS's f_rng, without a
// context. 0 or an error of mbedTLS.
int system_random(void*, unsigned char* out, size_t size);

// mbedtls_pk_parse_keyfile and mbedtls_pk_check_pair. `password`: null for none.
[[nodiscard]] int parse_key_file(mbedtls_pk_context& key, const std::string& file, const char* password);
[[nodiscard]] int check_key_pair(const mbedtls_pk_context& certificate, const mbedtls_pk_context& key);

// Which versions, cipher suites, groups and signatures are used; renegotiation, session tickets and keys agreed before
// are not.
void restrict_tls(mbedtls_ssl_config& config);

[[nodiscard]] bool handshake_is_over(mbedtls_ssl_context& ssl);
// Whether the next step of the handshake signs, verifies or computes a shared secret.
[[nodiscard]] bool is_expensive_step(const mbedtls_ssl_context& ssl, bool server);
// The number of the alert that MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE told of.
[[nodiscard]] int received_alert(const mbedtls_ssl_context& ssl);
// A server that demands a certificate. Where mbedTLS cannot tell a client of TLS 1.3 that it refuses its certificate
// (it would do so under keys that the client has given up already), it refuses none: who owns the stream must, at the
// handshake's end.
void demand_certificate(mbedtls_ssl_config& config);
// Tells the client why it is refused, by an alert: with what mbedtls_ssl_get_verify_result gave.
void send_certificate_alert(mbedtls_ssl_context& ssl, uint32_t verify_result);
// Whether a read that ended with this code has only seen a session ticket, and another read goes on.
[[nodiscard]] bool is_session_ticket(int code);

// A handshake message of mbedTLS is one record: what is longer is refused at each connection. What a message with so
// many certificates of so many bytes takes, and the most that can be sent.
[[nodiscard]] size_t certificate_message_size(size_t certificates, size_t bytes);
extern const size_t kLargestCertificateMessage;

}  // namespace wh::net
