// Reads a PEM file of certificates one by one, so that the error names the one that cannot be read, and the reason. For
// tls_material.cc. Blocking.
#pragma once

#include <string>

#include <mbedtls/x509_crt.h>

#include "base/result.h"

namespace wh::net {

// Adds all certificates of the file to `into`; after an error `into` must not be used, as half a chain is no chain. A
// file in DER holds one. `what`: the directive that names the file, for the error.
Status read_certificates(const char* what, const std::string& file, mbedtls_x509_crt& into);

}  // namespace wh::net
