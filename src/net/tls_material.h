// What the PEM files of the `tls-*` directives hold: a certificate and its chain up to the authority, the private key,
// the trusted authorities. Read from the files once and never changed; new files make a new object. The contexts made
// from it share it. Made by server/, on a worker where the loop must not wait.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace wh::net {

struct TlsFiles {
  std::string cert_file;  // PEM: the certificate, then its chain up to the authority
  std::string key_file;   // PEM
  std::string key_pass;   // empty: the key is not encrypted
  std::string ca_file;    // PEM: the authorities that may sign the peer's certificate
};

struct TlsPem;

// The time in which certificates are valid, in seconds since 1970. Of several: the latest begin, the earliest end.
struct TlsValidity {
  int64_t begins = std::numeric_limits<int64_t>::min();
  int64_t ends = std::numeric_limits<int64_t>::max();
  std::string whose;  // the subject of the one that ends first
};

class TlsMaterial {
 public:
  // Reads the named files: certificate and key, both or neither; the authority. A file that is missing, unreadable or
  // does not fit the others is an error that names it.
  static Result<std::shared_ptr<const TlsMaterial>> read(const TlsFiles& files);
  ~TlsMaterial();
  TlsMaterial(const TlsMaterial&) = delete;
  TlsMaterial& operator=(const TlsMaterial&) = delete;

  [[nodiscard]] const TlsFiles& files() const { return files_; }
  [[nodiscard]] bool has_cert() const { return !files_.cert_file.empty(); }
  [[nodiscard]] bool has_ca() const { return !files_.ca_file.empty(); }
  // Warnings for the user: a key that others may read, an RSA key so large that it stalls the loop.
  [[nodiscard]] const std::vector<std::string>& notices() const { return notices_; }

  // Of this node's certificate and its chain; of the authorities. Unbounded where there is none.
  [[nodiscard]] TlsValidity cert_validity() const;
  [[nodiscard]] TlsValidity ca_validity() const;

  // Whether other members will accept this node's certificate as that of the node called `node_id`: it lists that name,
  // servers and clients may show it, and its chain leads to the authority. Does not check the time.
  [[nodiscard]] Status check_for_member(std::string_view node_id) const;
  // Whether a client can connect to a server that shows this node's certificate: servers may show it, and it may sign.
  // Does not check names and time.
  [[nodiscard]] Status check_for_server() const;
  // Whether this node's certificate and its chain are valid at this time, in seconds since 1970.
  [[nodiscard]] Status check_time(int64_t now) const;

  // Whether clients sent to this host, a name or a numeric address, accept this node's certificate for it: it lists the
  // host (RFC 6125 6.4: names in any case, `*` for a whole first label; RFC 9110 4.3.5: addresses as such).
  [[nodiscard]] bool carries(const std::string& host) const;
  // Whether the certificate lists any numeric address.
  [[nodiscard]] bool carries_an_address() const;
  // The names that it lists, for people: "a.example, 10.0.0.1"; only a few.
  [[nodiscard]] std::string carried_names() const;

  // For tls_context.cc. mbedTLS needs it mutable, but only the loop's thread uses it.
  [[nodiscard]] TlsPem& pem() const { return *pem_; }

 private:
  TlsMaterial();
  Status load(const TlsFiles& files);
  TlsFiles files_;
  std::unique_ptr<TlsPem> pem_;
  std::vector<std::string> notices_;
};

// "mbed TLS 2.28.3", "Mbed TLS 3.6.6"; whether its branch still gets fixes; whether it speaks TLS 1.3.
std::string tls_library_version();
bool tls_library_gets_fixes();
bool tls_library_has_1_3();
// "2026-12-27 11:50:35 UTC"
std::string utc_text(int64_t seconds_since_1970);
// From the system's clock.
int64_t seconds_since_1970();

}  // namespace wh::net
