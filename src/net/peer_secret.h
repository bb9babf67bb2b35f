// How two nodes prove to each other that both hold the directive `cluster-secret`, without revealing it (HAZARDS G6):
// each answers the other's random challenge with an HMAC-SHA256 over the whole greeting, with a different label for
// each end, so that no answer can be used twice or sent back to its maker. It keeps strangers out; it does not protect
// the rest of the connection: `tls-cluster` does. Called by PeerTransport.
#pragma once

#include <string>
#include <string_view>

#include "wire/hello.h"

namespace wh::net {

// From the system's random source.
wire::Nonce fresh_nonce();

// `hello` is the Hello's payload as it was on the wire; the reply's nonce, cluster id, instance, name, refusal and
// removed_as_of enter the proof too.
wire::Proof listener_proof(const std::string& secret, std::string_view hello, const wire::HelloReply& reply);
wire::Proof dialler_proof(const std::string& secret, std::string_view hello, const wire::HelloReply& reply);

// Compares in constant time.
bool same_proof(const wire::Proof& a, const wire::Proof& b);

}  // namespace wh::net
