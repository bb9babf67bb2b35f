#include "net/tls_certificates.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

#include <mbedtls/base64.h>
#include <mbedtls/oid.h>

#include "base/log.h"
#include "net/tls_material.h"
#include "net/tls_state.h"

namespace wh::net {
namespace {

constexpr size_t kMaxFileSize = 4 << 20;  // all authorities of a system are a quarter of a megabyte
constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----";
constexpr std::string_view kEnd = "-----END CERTIFICATE-----";

// Opening something other than a file could block the worker for ever.
Result<std::string> read_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) return Error{std::strerror(errno)};
  struct stat info {};
  std::string why;
  std::string text;
  if (::fstat(fd, &info) != 0) {
    why = std::strerror(errno);
  } else if (!S_ISREG(info.st_mode)) {
    why = "it is no regular file";
  } else {
    char buffer[16384];
    ssize_t n = 0;
    while (text.size() <= kMaxFileSize && (n = ::read(fd, buffer, sizeof buffer)) > 0)
      text.append(buffer, static_cast<size_t>(n));
    if (n < 0) why = std::strerror(errno);
    if (text.size() > kMaxFileSize) why = "it has more than " + std::to_string(kMaxFileSize) + " bytes";
  }
  ::close(fd);
  if (!why.empty()) return Error{why};
  return text;
}

// Notes the first critical extension that mbedTLS does not know, and accepts it.
struct Extensions {
  std::string unknown;
};
int note_extension(void* context, const mbedtls_x509_crt*, const mbedtls_x509_buf* oid, int critical,
                   const unsigned char*, const unsigned char*) {
  auto& extensions = *static_cast<Extensions*>(context);
  if (critical == 0 || !extensions.unknown.empty()) return 0;
  char number[64] = "";
  if (mbedtls_oid_get_numeric_string(number, sizeof number, oid) < 0) return 0;
  extensions.unknown = number;
  // RFC 5280 4.2.1
  if (extensions.unknown == "2.5.29.30") extensions.unknown += " (nameConstraints)";
  if (extensions.unknown == "2.5.29.36") extensions.unknown += " (policyConstraints)";
  if (extensions.unknown == "2.5.29.33") extensions.unknown += " (policyMappings)";
  if (extensions.unknown == "2.5.29.54") extensions.unknown += " (inhibitAnyPolicy)";
  return 0;
}

// What can be said of a certificate that mbedTLS refused with `code`: its subject, if readable, and the reason.
std::string refusal(std::string_view der, int code) {
  mbedtls_x509_crt cert;
  mbedtls_x509_crt_init(&cert);
  Extensions extensions;
  const int leniently = mbedtls_x509_crt_parse_der_with_ext_cb(
      &cert, reinterpret_cast<const unsigned char*>(der.data()), der.size(), 1, note_extension, &extensions);
  std::string text;
  char name[256] = "";
  if (leniently == 0 && mbedtls_x509_dn_gets(name, sizeof name, &cert.subject) > 0) text = " (" + printable(name) + ")";
  mbedtls_x509_crt_free(&cert);
  text += " cannot be read: ";
  if (leniently == 0 && !extensions.unknown.empty())
    return text + "it has a critical extension that " + tls_library_version() + " does not know: " + extensions.unknown;
  return text + tls_error_text(code);
}

// Adds the certificate between the two lines (RFC 7468 5.1). The number and the line are for the error.
Status add_pem(std::string_view body, size_t number, size_t line, mbedtls_x509_crt& into) {
  const std::string where = "certificate " + std::to_string(number) + " of it, at line " + std::to_string(line);
  std::string der(body.size(), '\0');
  size_t size = 0;
  int code = mbedtls_base64_decode(reinterpret_cast<unsigned char*>(der.data()), der.size(), &size,
                                   reinterpret_cast<const unsigned char*>(body.data()), body.size());
  if (code != 0) return Error{where + " cannot be read: " + tls_error_text(code)};
  der.resize(size);
  code = mbedtls_x509_crt_parse_der(&into, reinterpret_cast<const unsigned char*>(der.data()), der.size());
  if (code != 0) return Error{where + refusal(der, code)};
  return ok_status();
}

}  // namespace

Status read_certificates(const char* what, const std::string& file, mbedtls_x509_crt& into) {
  const auto failed = [&](const std::string& why) {
    return Error{std::string("could not read ") + what + " " + file + ": " + why};
  };
  const Result<std::string> read = read_file(file);
  if (!read) return failed(read.error());
  const std::string_view text = *read;
  size_t at = text.find(kBegin);
  if (at == std::string_view::npos) {
    const int code =
        mbedtls_x509_crt_parse_der(&into, reinterpret_cast<const unsigned char*>(text.data()), text.size());
    if (code == 0) return ok_status();
    return failed(text.empty() ? "it is empty" : "it holds no certificate in PEM (" + std::string(kBegin) + ")");
  }
  size_t number = 0;
  size_t line = 1;
  for (size_t counted = 0; at != std::string_view::npos; at = text.find(kBegin, at)) {
    line += static_cast<size_t>(std::count(text.begin() + static_cast<std::ptrdiff_t>(counted),
                                           text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
    counted = at;
    const size_t end = text.find(kEnd, at);
    const size_t next = text.find(kBegin, at + kBegin.size());
    ++number;
    if (end == std::string_view::npos || (next != std::string_view::npos && next < end))
      return failed("certificate " + std::to_string(number) + " of it, at line " + std::to_string(line) +
                    ", has no end (" + std::string(kEnd) + ")");
    if (Status added = add_pem(text.substr(at + kBegin.size(), end - at - kBegin.size()), number, line, into); !added)
      return failed(added.error());
    at = end + kEnd.size();
  }
  return ok_status();
}

}  // namespace wh::net
