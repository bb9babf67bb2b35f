// PeerTransport's connections to peers: dialling and redialling, the handshake, sending.
#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/endpoint.h"
#include "net/peers.h"
#include "wire/peer_codec.h"

namespace wh::net {
namespace {
// Keepalive detects a peer that vanished while nothing was sent; the user timeout one with data unacknowledged.
constexpr TcpOptions kPeerTcp{.keepalive_s = 15, .user_timeout_ms = PeerTransport::kStallMs};
}  // namespace

bool PeerTransport::connected(raft::NodeId id) const {
  const auto it = peers_.find(id);
  return it != peers_.end() && it->second->accepted;
}

PeerTransport::Outbound* PeerTransport::find_peer(raft::NodeId id) {
  const auto it = peers_.find(id);
  return it == peers_.end() ? nullptr : it->second.get();
}

void PeerTransport::set_peers(std::vector<node::Peer> peers) {
  std::map<raft::NodeId, node::Peer> wanted;
  for (node::Peer& peer : peers) {
    WH_ASSERT(peer.id, "a peer has an instance id");
    wanted.insert_or_assign(peer.id, std::move(peer));
  }
  for (auto it = peers_.begin(); it != peers_.end();) {
    if (wanted.contains(it->first)) {
      ++it;
      continue;
    }
    disconnect(*it->second);
    it = peers_.erase(it);
  }
  for (auto& [id, peer] : wanted) {
    std::unique_ptr<Outbound>& out = peers_[id];
    if (!out) {
      out = std::make_unique<Outbound>(loop_, std::move(peer), [this, key = id] { dial(key); });
    } else {
      const bool moved = out->peer.raft_address != peer.raft_address;
      out->peer = std::move(peer);
      if (!moved) continue;
      disconnect(*out);
      out->died = false;
      out->backoff_ms = kMinBackoffMs;
    }
    if (identified_) retry_now(*out);
  }
}

bool PeerTransport::send(raft::NodeId to, node::PeerMessage message) {
  Outbound* const out = find_peer(to);
  if (out == nullptr || !out->accepted) return false;
  buffer_.clear();
  if (!wire::encode(buffer_, message, out->version)) {
    log_limited(oversize_log_, "A message to node " + out->peer.name + " is too large to be sent and is dropped");
    return false;
  }
  if (out->link->pending_bytes() + buffer_.size() > kMaxPendingBytes) {
    peer_gone(*out, "too much data waits for it");
    return false;
  }
  out->link->send(buffer_);
  return true;
}

void PeerTransport::disconnect(Outbound& out) {
  out.retry.stop();
  out.dial.reset();
  if (out.link) out.link->drop();
  out.link.reset();
  out.accepted = false;
}

void PeerTransport::retry_now(Outbound& out) { out.retry.start(0); }

void PeerTransport::retry_later(Outbound& out) {
  invalidate(out.peer.raft_address);
  const uint64_t delay_ms = prng_.between(out.backoff_ms / 2, out.backoff_ms);
  out.backoff_ms = std::min(out.backoff_ms * 2, kMaxBackoffMs);
  out.retry.start(delay_ms);
}

void PeerTransport::dial(raft::NodeId id) {
  Outbound* const out = find_peer(id);
  WH_ASSERT(out != nullptr && !out->dial && !out->link, "a redial timer runs only while nothing else does");
  const auto target = parse_endpoint(out->peer.raft_address);
  if (!target) {
    log_limited(out->failure_log,
                "Node " + out->peer.name + " cannot be dialled: \"" + out->peer.raft_address + "\" is not host:port");
    retry_later(*out);
    return;
  }
  out->dial = tcp_connect(
      loop_, target->host, target->port, kDialTimeoutMs,
      [this, id](DialResult result) { dialled(id, std::move(result)); }, kPeerTcp);
}

void PeerTransport::dialled(raft::NodeId id, DialResult result) {
  Outbound* const out = find_peer(id);
  WH_ASSERT(out != nullptr, "a peer's dial ends with it");
  out->dial.reset();
  if (!result.stream) {
    log_limited(out->failure_log, "Node " + out->peer.name + ": " + result.message, losses_level_);
    retry_later(*out);
    if (result.error == UV_ECONNREFUSED && std::exchange(out->died, false)) events_.peer_lost(id);
    return;
  }
  note_address(id, result.stream->peer_address());
  out->link = PeerLink::make(loop_, secured(std::move(result.stream), out->peer.name),
                             {.on_frame = [this, id](const wire::Frame& frame) { peer_frame(id, frame); },
                              .on_gone =
                                  [this, id](const PeerLink::End& end) {
                                    Outbound* const gone = find_peer(id);
                                    WH_ASSERT(gone != nullptr, "a peer's link ends with it");
                                    peer_gone(*gone, dialled_end_text(end.why));
                                  }});
  if (!greet(*out->link, wire::Purpose::peer, id, out->peer.name, out->hello)) {
    log_limited(out->failure_log, "Node " + out->peer.name + " cannot be greeted: a name or address is too long");
    disconnect(*out);
    retry_later(*out);
    return;
  }
  out->link->set_deadline(kHelloTimeoutMs, "it did not answer the greeting");
}

// The connection has ended, whether it was established or still greeting.
void PeerTransport::peer_gone(Outbound& out, const std::string& why) {
  const bool stood = out.accepted;
  log_limited(stood ? out.loss_log : out.failure_log,
              "The connection to node " + out.peer.name + " at " + out.peer.raft_address + " is lost: " + why,
              losses_level_);
  disconnect(out);
  if (!stood) {
    retry_later(out);
    return;
  }
  out.died = true;
  if (loop_.now() - out.accepted_at >= kStableMs) {
    out.backoff_ms = kMinBackoffMs;
    invalidate(out.peer.raft_address);
    retry_now(out);
  } else {
    retry_later(out);
  }
}

void PeerTransport::peer_frame(raft::NodeId id, const wire::Frame& frame) {
  Outbound* const out = find_peer(id);
  WH_ASSERT(out != nullptr && out->link, "a peer's link ends with it");
  if (out->accepted) {
    peer_gone(*out, std::string("it sent what it should not: ") + wire::to_string(frame.type));
    return;
  }
  Result<wire::HelloReply> reply = read_reply(*out->link, frame, out->hello);
  if (!reply) {
    peer_gone(*out, reply.error());
    return;
  }
  const node::Identity& theirs = reply->receiver.identity;
  std::string sentence = reply->sentence;
  if (reply->refusal == wire::Refusal::none &&
      (theirs.instance != id || theirs.cluster != identity_.cluster || reply->version < wire::kMinVersion ||
       reply->version > wire::highest_protocol(identity_.versions))) {
    reply->refusal = wire::Refusal::instance;
    sentence = "node " + theirs.name + " answers at " + out->peer.raft_address + " in place of node " + out->peer.name;
  }
  if (reply->refusal != wire::Refusal::none) {
    refused(id, *out, sentence, *reply);
    return;
  }
  send_proof(*out->link, out->hello, *reply);
  out->link->clear_deadline();
  out->accepted = true;
  out->version = reply->version;
  out->accepted_at = loop_.now();
  out->died = false;
  out->taken = 0;
  out->looks_without_progress = 0;
  log_line(LogLevel::verbose, "Connected to node " + out->peer.name + " at " + out->peer.raft_address);
  events_.peer_connected(id);
}

void PeerTransport::refused(raft::NodeId id, Outbound& out, const std::string& sentence,
                            const wire::HelloReply& reply) {
  const node::WhoIAm& theirs = reply.receiver;
  // A node in no cluster, or alone in one, is about to be taken in: the operator need not hear of it. And a removed
  // node itself says what removal means.
  log_limited(out.refusal_log,
              "Node " + out.peer.name + " at " + out.peer.raft_address + " refused the connection: " + sentence,
              theirs.standing == node::Standing::member && reply.refusal != wire::Refusal::removed ? LogLevel::notice
                                                                                                   : LogLevel::verbose);
  disconnect(out);
  // A process listens there, so the peer was not lost in the sense of peer_lost.
  out.died = false;
  retry_later(out);
  // Only a node of the same cluster can say that this one was removed.
  if (reply.refusal == wire::Refusal::removed && theirs.identity.cluster == identity_.cluster) {
    events_.told_removed(id, reply.removed_as_of);
  } else {
    events_.peer_refused(id, sentence, theirs);
  }
}

}  // namespace wh::net
