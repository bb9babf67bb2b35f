#include "security/peer_access.h"

#include <utility>

#include "base/assert.h"
#include "base/log.h"
#include "net/tls.h"

namespace wh::security {

using Lane = net::HandshakeGate::Lane;

PeerAccess::PeerAccess(const config::Options& options, net::Loop& loop, net::HandshakeGate& gate,
                       const Certificates& certificates)
    : options_(options), loop_(loop), gate_(gate), certificates_(certificates) {}

net::PeerOptions PeerAccess::transport_options(uint64_t seed) {
  net::PeerOptions options;
  options.seed = seed;
  options.secret = options_.cluster_secret;
  options.authorize_dialer = [this](const ByteStream& stream, const node::Identity& sender) {
    Status mode = check_protected_mode(stream);
    return mode ? check_name(stream, sender) : mode;
  };
  if (!options_.tls_cluster) return options;
  options.secure = [this](std::unique_ptr<ByteStream> stream, const std::string& name) {
    return net::TlsStream::connect(loop_, gate_, Lane::peer, certificates_.members_out(), std::move(stream), name);
  };
  options.secure_accepted = [this](std::unique_ptr<ByteStream> stream, net::PeerOptions::PlainAnswer plain_answer,
                                   bool from_member) {
    return net::TlsStream::accept(loop_, gate_, from_member ? Lane::peer : Lane::stranger, certificates_.members_in(),
                                  std::move(stream), std::move(plain_answer));
  };
  options.verify_listener = [this](const ByteStream& stream, const node::Identity& receiver) {
    return check_name(stream, receiver);
  };
  return options;
}

// The handshake has verified that the certificate comes from the authority and, for a peer dialled by name, that it
// carries that name. Each side also says who it is, in its greeting or its answer: this checks that against the
// certificate (HAZARDS G7). Addresses are not compared.
Status PeerAccess::check_name(const ByteStream& stream, const node::Identity& identity) {
  if (!options_.tls_cluster) return ok_status();
  WH_ASSERT(stream.is_tls(), "with tls-cluster every connection between nodes is under TLS");
  const auto& tls = static_cast<const net::TlsStream&>(stream);
  if (tls.peer_has_name(identity.name)) {
    if (cert_ends_.size() >= kMaxRemembered && !cert_ends_.contains(identity.name)) cert_ends_.clear();
    cert_ends_[identity.name] = tls.peer_cert_ends();
    return ok_status();
  }
  const std::string names = tls.peer_names();
  return Error{"whoever calls itself node " + printable(identity.name) + " shows a certificate " +
               (names.empty() ? std::string("without a DNS name") : "for " + names) +
               ": a member's must carry its node-id as a DNS name (subjectAltName)"};
}

Status PeerAccess::check_protected_mode(const ByteStream& stream) const {
  if (!options_.protected_mode || !options_.cluster_secret.empty() || options_.tls_cluster || stream.peer_is_loopback())
    return ok_status();
  return Error{
      "protected mode: peers on other machines need cluster-secret, the same on every node, or tls-cluster, or, on "
      "a network you trust, protected-mode no on every node"};
}

}  // namespace wh::security
