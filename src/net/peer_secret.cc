#include "net/peer_secret.h"

#include <unistd.h>

#include <mbedtls/md.h>

#include "base/assert.h"
#include "base/bytes.h"

namespace wh::net {
namespace {

wire::Proof hmac(const std::string& secret, std::string_view label, std::string_view hello,
                 const wire::HelloReply& reply) {
  std::string text;
  Writer w(text);
  w.bytes(label);
  w.bytes(hello);
  for (const uint8_t byte : reply.nonce) w.u8(byte);
  for (const uint8_t byte : reply.receiver.identity.cluster) w.u8(byte);
  w.u64(reply.receiver.identity.instance.value);
  w.bytes(reply.receiver.identity.name);
  w.u8(static_cast<uint8_t>(reply.refusal));
  w.u64(reply.removed_as_of.term.value);
  w.u64(reply.removed_as_of.index.value);
  wire::Proof proof{};
  const int error = mbedtls_md_hmac(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256),
                                    reinterpret_cast<const unsigned char*>(secret.data()), secret.size(),
                                    reinterpret_cast<const unsigned char*>(text.data()), text.size(), proof.data());
  WH_ASSERT(error == 0, "SHA-256 is built in and needs no memory that could be missing");
  return proof;
}

}  // namespace

wire::Nonce fresh_nonce() {
  wire::Nonce nonce{};
  WH_ASSERT(getentropy(nonce.data(), nonce.size()) == 0, "the system has a random source");
  return nonce;
}

wire::Proof listener_proof(const std::string& secret, std::string_view hello, const wire::HelloReply& reply) {
  return hmac(secret, "wormhole listener", hello, reply);
}

wire::Proof dialler_proof(const std::string& secret, std::string_view hello, const wire::HelloReply& reply) {
  return hmac(secret, "wormhole dialler", hello, reply);
}

bool same_proof(const wire::Proof& a, const wire::Proof& b) {
  volatile uint8_t difference = 0;
  for (size_t i = 0; i < a.size(); ++i) difference = static_cast<uint8_t>(difference | (a[i] ^ b[i]));
  return difference == 0;
}

}  // namespace wh::net
