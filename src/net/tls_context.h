// What TLS connections have in common: certificate, key, trusted authority, rules. Read from files once and never
// changed: new files make a new context, and connections keep the one they began with (HAZARDS J6). TLS 1.2 with ECDHE
// and an AEAD only. mbedTLS shows in the .cc files and tls_state.h alone, so that its successor can take its place.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace wh::net {

struct TlsFiles {
  std::string cert_file;  // PEM: the certificate, then those that lead to the authority
  std::string key_file;   // PEM
  std::string key_pass;   // empty: the key is not encrypted
  std::string ca_file;    // PEM: who may sign the peer's certificate
};

// Whether a client must show a certificate of `ca_file` (directive `tls-auth-clients`). With `optional` one that cannot
// be verified is as good as none: ask ByteStream::peer_is_verified.
enum class TlsClientAuth { no, optional, yes };

struct TlsState;

class TlsContext {
 public:
  // For accepting. Needs certificate and key, and the authority unless `auth` is `no`.
  static Result<std::shared_ptr<TlsContext>> server(const TlsFiles& files, TlsClientAuth auth);
  // For connecting. Needs the authority; certificate and key, both or neither, are shown to a server that asks.
  static Result<std::shared_ptr<TlsContext>> client(const TlsFiles& files);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  // What the user should be told: a key that others may read, an RSA key so large that it stalls the loop.
  [[nodiscard]] const std::vector<std::string>& notices() const { return notices_; }
  // Whole days until the own certificate expires by the system's clock, below 0 once it has; INT64_MAX without one.
  [[nodiscard]] int64_t days_left() const;
  // When it expires, in seconds since 1970; nothing without one.
  [[nodiscard]] std::optional<int64_t> expires_unix_s() const;

  // For tls.cc.
  [[nodiscard]] TlsState& state() { return *state_; }

 private:
  TlsContext();
  Status load(const TlsFiles& files);
  Status configure(bool server, int auth_mode);
  std::unique_ptr<TlsState> state_;
  std::vector<std::string> notices_;
};

// "mbed TLS 2.28.3"
std::string tls_library_version();

}  // namespace wh::net
