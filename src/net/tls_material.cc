#include "net/tls_material.h"

#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <optional>
#include <strings.h>
#include <sys/stat.h>

#include <mbedtls/oid.h>
#include <mbedtls/pkcs5.h>

#include "base/log.h"
#include "net/address.h"
#include "net/tls_certificates.h"
#include "net/tls_library.h"
#include "net/tls_state.h"

namespace wh::net {

namespace {

constexpr size_t kLargeRsaBits = 2048;
constexpr int kSanDnsName = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 2;  // RFC 5280 4.2.1.6
constexpr int kSanAddress = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 7;
constexpr size_t kAddressesShown = 8;

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

// Whether a name in a certificate, perhaps with `*` as its first label, is that of this host.
bool names_host(std::string_view listed, std::string_view host) {
  if (!listed.starts_with("*.")) return !host.empty() && same_name(listed, host);
  const size_t dot = host.find('.');
  return dot != std::string_view::npos && dot != 0 && same_name(listed.substr(1), host.substr(dot));
}

Error file_error(const char* what, const std::string& file, int code) {
  return Error{std::string("could not read ") + what + " " + file + ": " + tls_error_text(code)};
}

TlsValidity validity_of(const mbedtls_x509_crt& first) {
  TlsValidity result;
  for (const mbedtls_x509_crt* cert = &first; cert != nullptr && cert->raw.p != nullptr; cert = cert->next) {
    const int64_t begins = seconds_of(cert->valid_from);
    const int64_t ends = seconds_of(cert->valid_to);
    if (begins > result.begins) result.begins = begins;
    if (ends >= result.ends) continue;
    result.ends = ends;
    char name[256] = "";
    if (mbedtls_x509_dn_gets(name, sizeof name, &cert->subject) > 0) result.whose = name;
  }
  return result;
}

Status check_sendable(const std::string& file, const mbedtls_x509_crt& first) {
  size_t count = 0;
  size_t bytes = 0;
  for (const mbedtls_x509_crt* cert = &first; cert != nullptr && cert->raw.p != nullptr; cert = cert->next) {
    ++count;
    bytes += cert->raw.len;
  }
  const size_t size = certificate_message_size(count, bytes);
  if (size <= kLargestCertificateMessage) return ok_status();
  return Error{"tls-cert-file " + file + " has " + std::to_string(count) + " certificates, which take " +
               std::to_string(size) + " bytes of a handshake, and " + tls_library_version() + " can send " +
               std::to_string(kLargestCertificateMessage) +
               ": keep the server's own and those that lead to its authority, in that order"};
}

template <size_t size>
bool may_be_shown_by(const mbedtls_x509_crt& cert, const char (&oid)[size]) {
  // 0 also when the certificate says nothing about its use.
  return mbedtls_x509_crt_check_extended_key_usage(&cert, oid, size - 1) == 0;
}

}  // namespace

TlsPem::TlsPem() {
  mbedtls_x509_crt_init(&cert);
  mbedtls_pk_init(&key);
  mbedtls_x509_crt_init(&ca);
}

TlsPem::~TlsPem() {
  mbedtls_x509_crt_free(&ca);
  mbedtls_pk_free(&key);
  mbedtls_x509_crt_free(&cert);
}

int64_t seconds_of(const mbedtls_x509_time& time) {
  using namespace std::chrono;
  const sys_days date =
      year_month_day(year(time.year), month(static_cast<unsigned>(time.mon)), day(static_cast<unsigned>(time.day)));
  return (date + hours(time.hour) + minutes(time.min) + seconds(time.sec)).time_since_epoch() / seconds(1);
}

TlsMaterial::TlsMaterial() : pem_(std::make_unique<TlsPem>()) {}
TlsMaterial::~TlsMaterial() = default;

Result<std::shared_ptr<const TlsMaterial>> TlsMaterial::read(const TlsFiles& files) {
  const std::shared_ptr<TlsMaterial> material(new TlsMaterial);
  if (Status loaded = material->load(files); !loaded) return Error{loaded.error()};
  return std::shared_ptr<const TlsMaterial>(material);
}

Status TlsMaterial::load(const TlsFiles& files) {
  files_ = files;
  TlsPem& s = *pem_;
  if (const int code = start_tls_library(); code != 0) return Error{"could not set up TLS: " + tls_error_text(code)};
  if (!files.ca_file.empty())
    if (Status read = read_certificates("tls-ca-cert-file", files.ca_file, s.ca); !read) return read;
  if (files.cert_file.empty() != files.key_file.empty())
    return Error{"tls-cert-file and tls-key-file go together: one of them is missing"};
  if (files.cert_file.empty()) return ok_status();

  if (Status read = read_certificates("tls-cert-file", files.cert_file, s.cert); !read) return read;
  if (Status fits = check_sendable(files.cert_file, s.cert); !fits) return fits;
  struct stat info {};
  if (stat(files.key_file.c_str(), &info) != 0)
    return Error{"could not read tls-key-file " + files.key_file + ": " + std::strerror(errno)};
  if (!S_ISREG(info.st_mode)) return Error{"could not read tls-key-file " + files.key_file + ": it is no regular file"};
  if ((info.st_mode & 077) != 0)
    notices_.push_back("tls-key-file " + files.key_file + " can be read by other users: chmod 600 it");
  const char* password = files.key_pass.empty() ? nullptr : files.key_pass.c_str();
  const int parsed = parse_key_file(s.key, files.key_file, password);
  if (parsed == MBEDTLS_ERR_PKCS5_FEATURE_UNAVAILABLE)
    return Error{"could not read tls-key-file " + files.key_file + ": it is encrypted in a way that " +
                 tls_library_version() +
                 " cannot read; `openssl ec -aes256` or `openssl rsa -aes256 -traditional` writes one that it can"};
  if (parsed != 0) return file_error("tls-key-file", files.key_file, parsed);
  if (check_key_pair(s.cert.pk, s.key) != 0)
    return Error{"tls-key-file " + files.key_file + " is not the key of tls-cert-file " + files.cert_file};
  if (mbedtls_pk_can_do(&s.key, MBEDTLS_PK_RSA) != 0 && mbedtls_pk_get_bitlen(&s.key) > kLargeRsaBits)
    notices_.push_back(
        "tls-key-file " + files.key_file + " is RSA with " + std::to_string(mbedtls_pk_get_bitlen(&s.key)) +
        " bits: each handshake holds up the node for milliseconds; ECDSA P-256 is as strong as 3072 bits");
  return ok_status();
}

TlsValidity TlsMaterial::cert_validity() const { return validity_of(pem_->cert); }
TlsValidity TlsMaterial::ca_validity() const { return validity_of(pem_->ca); }

Status TlsMaterial::check_for_member(std::string_view node_id) const {
  const std::string file = "tls-cert-file " + files_.cert_file;
  if (!has_cert() || !has_ca())
    return Error{"TLS between members needs tls-cert-file, tls-key-file and tls-ca-cert-file"};
  mbedtls_x509_crt& cert = pem_->cert;
  if (!lists_dns_name(cert, node_id)) {
    const std::string names = dns_names_text(cert);
    const std::string name = printable(node_id);
    return Error{file + " does not carry this node's node-id, " + name +
                 ", as a DNS name (subjectAltName): it carries " + (names.empty() ? std::string("none") : names) +
                 "; make one with subjectAltName=DNS:" + name +
                 ", or give the node a node-id that the certificate carries"};
  }
  if (!may_be_shown_by(cert, MBEDTLS_OID_SERVER_AUTH) || !may_be_shown_by(cert, MBEDTLS_OID_CLIENT_AUTH))
    return Error{file +
                 " is not for servers and clients alike, and members are both to each other: its extendedKeyUsage "
                 "must be serverAuth,clientAuth, or absent"};
  if (mbedtls_x509_crt_check_key_usage(&cert, MBEDTLS_X509_KU_DIGITAL_SIGNATURE) != 0)
    return Error{file + " is not for signing: its keyUsage must have digitalSignature, or be absent"};
  uint32_t flags = 0;
  const int code = mbedtls_x509_crt_verify_with_profile(&cert, &pem_->ca, nullptr, &mbedtls_x509_crt_profile_next,
                                                        nullptr, &flags, nullptr, nullptr);
  constexpr uint32_t kTime = MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE;
  if (code != 0 && code != MBEDTLS_ERR_X509_CERT_VERIFY_FAILED) return Error{file + ": " + tls_error_text(code)};
  if ((flags & ~kTime) != 0)
    return Error{file + " does not come from the authority in tls-ca-cert-file " + files_.ca_file + ": " +
                 verify_text(flags & ~kTime)};
  return ok_status();
}

Status TlsMaterial::check_for_server() const {
  const std::string file = "tls-cert-file " + files_.cert_file;
  mbedtls_x509_crt& cert = pem_->cert;
  if (!may_be_shown_by(cert, MBEDTLS_OID_SERVER_AUTH))
    return Error{file +
                 " is not for servers, and no client would accept it: its extendedKeyUsage must have serverAuth, or "
                 "be absent"};
  if (mbedtls_x509_crt_check_key_usage(&cert, MBEDTLS_X509_KU_DIGITAL_SIGNATURE) != 0)
    return Error{file +
                 " is not for signing, and no client could connect: its keyUsage must have digitalSignature, or be "
                 "absent"};
  return ok_status();
}

Status TlsMaterial::check_time(int64_t now) const {
  const TlsValidity validity = cert_validity();
  if (now > validity.ends)
    return Error{"tls-cert-file " + files_.cert_file + " (" + validity.whose + ") has expired on " +
                 utc_text(validity.ends)};
  if (now < validity.begins)
    return Error{"tls-cert-file " + files_.cert_file + " is not good before " + utc_text(validity.begins) +
                 ": is this machine's clock right?"};
  return ok_status();
}

bool TlsMaterial::carries(const std::string& host) const {
  const std::optional<Address> address = Address::parse(host, 0);
  std::string_view name = host;
  if (name.ends_with('.')) name.remove_suffix(1);
  bool lists_names = false;
  for (const mbedtls_x509_sequence* item = &pem_->cert.subject_alt_names; item != nullptr; item = item->next) {
    const std::string_view listed(reinterpret_cast<const char*>(item->buf.p), item->buf.len);
    lists_names |= item->buf.tag == kSanDnsName;
    if (address ? item->buf.tag == kSanAddress && listed == address->bytes()
                : item->buf.tag == kSanDnsName && names_host(listed, name))
      return true;
  }
  if (address || lists_names) return false;
  // When the certificate lists no names, clients other than browsers look at the subject (RFC 6125 6.4.4).
  for (const mbedtls_x509_name* part = &pem_->cert.subject; part != nullptr; part = part->next)
    if (MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &part->oid) == 0 &&
        names_host({reinterpret_cast<const char*>(part->val.p), part->val.len}, name))
      return true;
  return false;
}

bool TlsMaterial::carries_an_address() const {
  for (const mbedtls_x509_sequence* item = &pem_->cert.subject_alt_names; item != nullptr; item = item->next)
    if (item->buf.tag == kSanAddress) return true;
  return false;
}

std::string TlsMaterial::carried_names() const {
  std::string text = dns_names_text(pem_->cert);
  size_t count = 0;
  for (const mbedtls_x509_sequence* item = &pem_->cert.subject_alt_names; item != nullptr; item = item->next) {
    if (item->buf.tag != kSanAddress) continue;
    if (++count > kAddressesShown) return text + "...";
    char shown[INET6_ADDRSTRLEN] = "?";
    if (item->buf.len == 4 || item->buf.len == 16)
      (void)inet_ntop(item->buf.len == 4 ? AF_INET : AF_INET6, item->buf.p, shown, sizeof shown);
    text += (text.empty() ? "" : ", ") + std::string(shown);
  }
  return text.empty() ? "none" : text;
}

std::string utc_text(int64_t seconds_since_1970) {
  using namespace std::chrono;
  const sys_seconds at{seconds(seconds_since_1970)};
  const sys_days date = floor<days>(at);
  const year_month_day ymd(date);
  const hh_mm_ss<seconds> time(at - date);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02u %02d:%02d:%02d UTC", static_cast<int>(ymd.year()),
                static_cast<unsigned>(ymd.month()), static_cast<unsigned>(ymd.day()),
                static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                static_cast<int>(time.seconds().count()));
  return text;
}

int64_t seconds_since_1970() { return std::chrono::system_clock::now().time_since_epoch() / std::chrono::seconds(1); }

}  // namespace wh::net
