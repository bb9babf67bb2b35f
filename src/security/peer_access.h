// Decides who is let in at raft-port, and who is believed on a connection that this node dialled: by TLS between
// members (directive tls-cluster) and by protected mode. PeerTransport itself checks the secret. Made by Server, called
// by PeerTransport.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/byte_stream.h"
#include "base/result.h"
#include "config/options.h"
#include "net/loop.h"
#include "net/peers.h"
#include "net/tls_gate.h"
#include "security/certificates.h"

namespace wh::security {

class PeerAccess {
 public:
  // All arguments must outlive this object.
  PeerAccess(const config::Options& options, net::Loop& loop, net::HandshakeGate& gate,
             const Certificates& certificates);

  // The transport's options with these checks in them; this object must outlive the transport.
  [[nodiscard]] net::PeerOptions transport_options(uint64_t seed);

  // When the last certificate that a node showed expires, in seconds since 1970, by node-id. For INFO.
  [[nodiscard]] const std::map<std::string, int64_t>& cert_ends() const { return cert_ends_; }

 private:
  static constexpr size_t kMaxRemembered = 64;
  // An error: the connection's certificate is not that of `identity`.
  Status check_name(const ByteStream& stream, const node::Identity& identity);
  [[nodiscard]] Status check_protected_mode(const ByteStream& stream) const;

  const config::Options& options_;
  net::Loop& loop_;
  net::HandshakeGate& gate_;
  const Certificates& certificates_;
  std::map<std::string, int64_t> cert_ends_;
};

}  // namespace wh::security
