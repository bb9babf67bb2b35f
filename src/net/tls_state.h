// mbedTLS's side of TlsMaterial and TlsContext. Included by tls_material.cc, tls_context.cc and tls.cc only.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#include "net/tls_material.h"

namespace wh::net {

// Empty when no file was named.
struct TlsPem {
  TlsPem();
  ~TlsPem();
  TlsPem(const TlsPem&) = delete;
  TlsPem& operator=(const TlsPem&) = delete;

  mbedtls_x509_crt cert;
  mbedtls_pk_context key;
  mbedtls_x509_crt ca;
};

struct TlsState {
  TlsState();
  ~TlsState();
  TlsState(const TlsState&) = delete;
  TlsState& operator=(const TlsState&) = delete;

  std::shared_ptr<const TlsMaterial> material;
  mbedtls_ctr_drbg_context random;
  mbedtls_ssl_config config;
  bool must_verify = false;  // a connection without a verified peer is refused
};

// mbedTLS's own text for one of its codes, and for the first fault of a certificate.
std::string tls_error_text(int code);
std::string verify_text(uint32_t flags);

// Seconds since 1970.
int64_t seconds_of(const mbedtls_x509_time& time);

// Whether a certificate lists this DNS name: the whole name, in any case, no wildcards.
bool lists_dns_name(const mbedtls_x509_crt& cert, std::string_view name);
// The DNS names that it lists, for people: "a, b". Only a few.
std::string dns_names_text(const mbedtls_x509_crt& cert);

}  // namespace wh::net
