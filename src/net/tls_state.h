// mbedTLS's side of a TlsContext. Included by tls_context.cc and tls.cc only.
#pragma once

#include <string>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

namespace wh::net {

struct TlsState {
  TlsState();
  ~TlsState();
  TlsState(const TlsState&) = delete;
  TlsState& operator=(const TlsState&) = delete;

  mbedtls_ctr_drbg_context random;
  mbedtls_x509_crt cert;
  mbedtls_pk_context key;
  mbedtls_x509_crt ca;
  mbedtls_ssl_config config;
  bool has_cert = false;
  bool must_verify = false;  // a connection without a verified peer is none
};

// mbedTLS's own words for one of its codes.
std::string tls_error_text(int code);

}  // namespace wh::net
