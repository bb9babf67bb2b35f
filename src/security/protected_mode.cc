#include "security/protected_mode.h"

#include "base/log.h"

namespace wh::security {

Status check_protected_mode(const config::Options& options, const ByteStream& stream, std::string_view proxy) {
  if (!options.protected_mode || !options.requirepass.empty()) return ok_status();
  if (stream.peer_is_loopback() && proxy.empty()) return ok_status();
  if (options.tls_auth_clients == config::TlsAuthClients::yes && stream.peer_is_verified()) return ok_status();
  if (options.tls_auth_clients == config::TlsAuthClients::yes)
    return Error{
        "protected mode: without a password, clients on other machines are served only where they show a "
        "certificate, on tls-port or tls-debug-port; ask there, or set requirepass, or, on a network you trust, "
        "protected-mode no"};
  return Error{
      "protected mode: this server has neither a password nor client certificates, so it serves its own machine "
      "only" +
      (proxy.empty() ? "" : ", and not what a proxy passed on (" + printable(proxy) + ")") +
      "; set requirepass, or tls-auth-clients yes, or, on a network you trust, protected-mode no"};
}

}  // namespace wh::security
