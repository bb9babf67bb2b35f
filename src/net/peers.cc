#include "net/peers.h"

#include <utility>

#include "base/assert.h"
#include "base/endpoint.h"
#include "net/peer_secret.h"
#include "net/resolver.h"
#include "net/tls.h"

namespace wh::net {
namespace {
constexpr uint64_t kLookMs = 500;
}  // namespace

void fill_host(std::string& address, const std::string& host) {
  const std::string_view said = host_part(address);
  if (said.size() == address.size()) return;
  if (said.empty() || (is_loopback_host(said) && !is_loopback_host(host)))
    address = with_host(address, bracketed(host));
}

void fill_hosts(node::Identity& identity, const std::string& host) {
  fill_host(identity.raft_address, host);
  fill_host(identity.http_address, host);
  fill_host(identity.https_address, host);
}

PeerTransport::PeerTransport(Loop& loop, PeerEvents& events, PeerOptions options)
    : loop_(loop), events_(events), options_(std::move(options)), prng_(options_.seed), progress_timer_(loop, [this] {
        look_for_progress();
      }) {
  progress_timer_.start(kLookMs, kLookMs);
}

PeerTransport::~PeerTransport() {
  // A link that is delivering now outlives this object until that call returns; it must not call back any more.
  for (auto& [id, out] : peers_)
    if (out->link) out->link->drop();
  for (auto& [id, in] : inbound_) in.link->drop();
  for (auto& [request, question] : questions_)
    if (question->link) question->link->drop();
  for (auto& [request, lookup] : lookups_)
    if (lookup->id != 0) loop_.resolver().cancel(lookup->id);
}

void PeerTransport::set_identity(const node::Identity& identity, node::Standing standing) {
  WH_ASSERT(identity.instance, "a node has an instance id before it speaks");
  const bool another = !identified_ || identity.cluster != identity_.cluster || identity.instance != identity_.instance;
  identified_ = true;
  identity_ = identity;
  standing_ = standing;
  if (!another) return;
  while (!inbound_of_.empty()) drop_inbound(inbound_of_.begin()->second);
  for (auto& [id, out] : peers_) {
    disconnect(*out);
    out->died = false;
    out->backoff_ms = kMinBackoffMs;
    retry_now(*out);
  }
}

std::unique_ptr<ByteStream> PeerTransport::secured(std::unique_ptr<ByteStream> stream, const std::string& name) const {
  return options_.secure ? options_.secure(std::move(stream), name) : std::move(stream);
}

bool PeerTransport::greet(PeerLink& link, wire::Purpose purpose, raft::NodeId instance, const std::string& name,
                          std::string& payload) {
  wire::Hello hello;
  hello.min_version = wire::lowest_protocol(identity_.versions);
  hello.max_version = wire::highest_protocol(identity_.versions);
  hello.purpose = purpose;
  hello.sender = identity_;
  hello.intended_instance = instance;
  hello.intended_name = name;
  hello.member_as_of = membership_.member_as_of;
  hello.nonce = fresh_nonce();
  buffer_.clear();
  if (!wire::encode(buffer_, hello)) return false;
  payload = buffer_.substr(wire::kFrameHeaderBytes);
  link.send(buffer_);
  return true;
}

Result<wire::HelloReply> PeerTransport::read_reply(const PeerLink& link, const wire::Frame& frame,
                                                   const std::string& greeting) const {
  std::optional<wire::HelloReply> reply;
  if (frame.type == wire::FrameType::hello_reply) reply = wire::decode_hello_reply(frame.payload);
  if (!reply) return Error{std::string("it sent what it should not: ") + wire::to_string(frame.type)};
  if (reply->refusal == wire::Refusal::tls)
    return Error{"it speaks TLS only: tls-cluster must be the same on every node, and is " +
                 std::string(options_.secure ? "yes" : "no") + " on this one"};
  if (options_.verify_listener)
    if (const Status verified = options_.verify_listener(link.stream(), reply->receiver.identity); !verified)
      return Error{verified.error()};
  if (!options_.secret.empty() &&
      (!reply->demands_proof || !same_proof(reply->proof, listener_proof(options_.secret, greeting, *reply))))
    return Error{"it does not prove that it holds the same cluster-secret"};
  if (options_.secret.empty() && reply->demands_proof)
    return Error{"it demands a cluster-secret, and this node has none"};
  fill_hosts(reply->receiver.identity, link.peer_address());
  fill_host(reply->receiver.leader_address, link.peer_address());
  return *std::move(reply);
}

std::string PeerTransport::dialled_end_text(const std::string& why) const {
  // Between members frames mark every end: a missing close_notify means nothing.
  if (why == TlsStream::kTruncated) return "the other side closed the connection";
  if (why != TlsStream::kNoTls) return why;
  return why + ": tls-cluster must be the same on every node, and is yes on this one";
}

void PeerTransport::send_proof(PeerLink& link, const std::string& greeting, const wire::HelloReply& reply) {
  if (options_.secret.empty()) return;
  buffer_.clear();
  const bool fits = wire::encode(buffer_, dialler_proof(options_.secret, greeting, reply));
  WH_ASSERT(fits, "a proof has one size");
  link.send(buffer_);
}

void PeerTransport::invalidate(const std::string& address) {
  if (const auto target = parse_endpoint(address)) loop_.resolver().invalidate(target->host);
}

void PeerTransport::log_limited(LogLimiter& limiter, const std::string& line, LogLevel level) {
  if (!log_enabled(level) || !limiter.allow(loop_.now())) return;
  if (limiter.suppressed() == 0) {
    log_line(level, line);
  } else {
    log_line(level, line + " (and " + std::to_string(limiter.suppressed()) + " more like this before)");
  }
}

// Counts looks, not time: after this process was stopped for a while, the next look sees the bytes that the peer took
// meanwhile, so our own pause does not cut the peer off.
void PeerTransport::look_for_progress() {
  for (auto& [id, out] : peers_) {
    if (!out->accepted) continue;
    const size_t pending = out->link->pending_bytes();
    const uint64_t taken = out->link->sent_bytes() - pending;
    if (pending == 0 || taken != out->taken) {
      out->taken = taken;
      out->looks_without_progress = 0;
    } else if (++out->looks_without_progress > kStallMs / kLookMs) {
      peer_gone(*out, "it takes no data any more");
    }
  }
}

}  // namespace wh::net
