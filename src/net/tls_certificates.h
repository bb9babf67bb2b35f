// A PEM file of certificates, read one by one, so that the one that cannot be read is named, with the reason. For
// tls_material.cc. Blocking.
#pragma once

#include <string>

#include <mbedtls/x509_crt.h>

#include "base/result.h"

namespace wh::net {

// Adds all certificates of the file to `into`, or none that counts: half a chain is no chain. A file in DER holds one.
// `what`: the directive that names the file, for the error.
Status read_certificates(const char* what, const std::string& file, mbedtls_x509_crt& into);

}  // namespace wh::net
