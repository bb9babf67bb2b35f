// What TLS connections of one kind share: certificate, key, trusted authority, rules. Never changed: new files make a
// new context, and connections keep the one they began with (HAZARDS J6). Uses TLS 1.3, where the library has it, and
// 1.2, only with ECDHE and an AEAD. mbedTLS appears only in the .cc files and tls_state.h, so that another library can
// replace it.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "net/tls_material.h"

namespace wh::net {

// Whether a client must show a certificate of `ca_file` (directive `tls-auth-clients`). With `optional` a certificate
// that cannot be verified counts as none: ask ByteStream::peer_is_verified.
enum class TlsClientAuth { no, optional, yes };

struct TlsState;

class TlsContext {
 public:
  // For accepting. Needs certificate and key, and the authority unless `auth` is `no`.
  static Result<std::shared_ptr<TlsContext>> server(std::shared_ptr<const TlsMaterial> material, TlsClientAuth auth);
  // For connecting. Needs the authority; shows certificate and key, if any, to a server that asks.
  static Result<std::shared_ptr<TlsContext>> client(std::shared_ptr<const TlsMaterial> material);
  // For asking one's own server whether it is alive: shows the certificate if asked, and accepts any from the server.
  static Result<std::shared_ptr<TlsContext>> unverified_client(std::shared_ptr<const TlsMaterial> material);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  // For tls.cc.
  [[nodiscard]] TlsState& state() { return *state_; }

 private:
  explicit TlsContext(std::shared_ptr<const TlsMaterial> material);
  Status configure(bool server, int auth_mode);
  std::unique_ptr<TlsState> state_;
};

}  // namespace wh::net
