// PeerTransport's accepted connections: the listener's side of the handshake, incoming messages and questions.
#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <utility>

#include "base/endpoint.h"
#include "net/peer_secret.h"
#include "net/peers.h"
#include "net/resolver.h"
#include "wire/ask_codec.h"
#include "wire/peer_codec.h"

namespace wh::net {
namespace {

std::string cluster_of(const node::Identity& identity) {
  if (identity.cluster == node::kNoCluster) return "in no cluster yet";
  return "in cluster " + node::to_hex(identity.cluster);
}

std::string node_text(const std::string& name, raft::NodeId instance) {
  char id[17];
  std::snprintf(id, sizeof id, "%016" PRIx64, instance.value);
  return "node " + name + " (instance " + id + ")";
}

void fill_question(node::Ask& question, const std::string& host) {
  if (auto* grant = std::get_if<node::GrantFounding>(&question)) fill_hosts(grant->founder, host);
  if (auto* take = std::get_if<node::TakeMeIn>(&question)) fill_hosts(take->who, host);
}

}  // namespace

void PeerTransport::accept(std::unique_ptr<ByteStream> stream) {
  // This node cannot tell anybody who it is yet: the dialler will try again.
  if (!identified_) return;
  const bool from_member = is_members_address(stream->peer_address());
  make_place(kMaxGreeting, [from_member](const Inbound& in) {
    return in.state == Inbound::State::hello && in.from_member == from_member;
  });
  if (options_.secure_accepted)
    stream = options_.secure_accepted(
        std::move(stream), [this](std::string_view first) { return plain_answer(first); }, from_member);
  const uint64_t id = next_inbound_++;
  Inbound& in = inbound_[id];
  in.from_member = from_member;
  ++counts_[static_cast<size_t>(in.state)];
  in.link = PeerLink::make(loop_, std::move(stream),
                           {.on_frame = [this, id](const wire::Frame& frame) { inbound_frame(id, frame); },
                            .on_gone = [this, id](const PeerLink::End& end) { inbound_gone(id, end); }});
  in.link->set_deadline(options_.secure_accepted ? kHelloTimeoutMs : kFirstByteMs, "it did not greet in time");
}

template <typename Which>
void PeerTransport::make_place(size_t most, Which which) {
  size_t count = 0;
  std::optional<uint64_t> oldest;
  for (const auto& [id, in] : inbound_) {
    if (!which(in)) continue;
    if (!oldest) oldest = id;
    ++count;
  }
  if (count < most) return;
  ++evicted_;
  log_limited(evicted_log_, "More connections to the raft port than there are places for: the one from " +
                                inbound_.at(*oldest).link->peer_address() + " gave way to a new one");
  drop_inbound(*oldest);
}

void PeerTransport::move_to_unproved(Inbound& in, Inbound::State state) {
  make_place(kMaxProving, [&in](const Inbound& other) {
    return (other.state == Inbound::State::proof || other.state == Inbound::State::closing) &&
           other.from_member == in.from_member && &other != &in;
  });
  move_to(in, state);
}

// ---- Members' addresses

// Computed at most twice a second: names move, and a flood of connections must not make this expensive.
bool PeerTransport::is_members_address(const std::string& host) {
  constexpr Millis kFreshMs = 500;
  if (const Millis time = loop_.now(); members_addresses_at_ == 0 || time >= members_addresses_at_ + kFreshMs) {
    members_addresses_at_ = time;
    members_addresses_ = {asked_at_.begin(), asked_at_.end()};
    std::erase_if(seen_at_, [this](const auto& seen) { return !peers_.contains(seen.first); });
    for (const auto& [id, address] : seen_at_) members_addresses_.insert(address);
    for (const auto& [id, out] : peers_) {
      const auto target = parse_endpoint(out->peer.raft_address);
      if (!target) continue;
      if (const auto literal = Address::parse(target->host, 0)) members_addresses_.insert(literal->host());
      for (const Address& address : loop_.resolver().known(target->host)) members_addresses_.insert(address.host());
    }
  }
  return members_addresses_.contains(host);
}

void PeerTransport::note_address(raft::NodeId id, const std::string& host) {
  constexpr size_t kMaxAsked = 64;
  if (id) {
    seen_at_[id] = host;
  } else if (std::find(asked_at_.begin(), asked_at_.end(), host) == asked_at_.end()) {
    if (asked_at_.size() >= kMaxAsked) asked_at_.erase(asked_at_.begin());
    asked_at_.push_back(host);
  }
}

void PeerTransport::move_to(Inbound& in, Inbound::State state) {
  --counts_[static_cast<size_t>(in.state)];
  in.state = state;
  ++counts_[static_cast<size_t>(in.state)];
}

void PeerTransport::drop_inbound(uint64_t id) {
  const auto it = inbound_.find(id);
  Inbound& in = it->second;
  in.link->drop();
  if (in.state == Inbound::State::peer) inbound_of_.erase(in.from);
  --counts_[static_cast<size_t>(in.state)];
  inbound_.erase(it);
}

// Sends what is queued and waits, for a bounded time, for the other side to see it.
void PeerTransport::close_inbound(Inbound& in) {
  move_to_unproved(in, Inbound::State::closing);
  in.link->set_deadline(kHelloTimeoutMs, "closed");
  in.link->close();
}

void PeerTransport::inbound_gone(uint64_t id, const PeerLink::End& end) {
  const Inbound& in = inbound_.at(id);
  if (in.state == Inbound::State::peer) {
    log_line(LogLevel::verbose, "A peer's connection from " + in.link->peer_address() + " ended: " + end.why);
  } else if (end.ours && in.state == Inbound::State::hello) {
    std::string line = "A connection from " + in.link->peer_address() + " to the raft port was closed: " + end.why;
    // With tls-cluster on one side only, the other side cannot read the greeting.
    if (end.foreign == "TLS" && !options_.secure_accepted)
      line += "; should it be a member: tls-cluster must be the same on every node, and is no on this one";
    log_limited(stranger_log_, line);
  }
  drop_inbound(id);
}

void PeerTransport::inbound_frame(uint64_t id, const wire::Frame& frame) {
  Inbound& in = inbound_.at(id);
  switch (in.state) {
    case Inbound::State::hello:
      inbound_hello(id, in, frame);
      return;
    case Inbound::State::proof: {
      const std::optional<wire::Proof> proof =
          frame.type == wire::FrameType::proof ? wire::decode_proof(frame.payload) : std::nullopt;
      if (!proof || !same_proof(*proof, in.expected)) {
        log_limited(refused_log_, "A connection from " + in.link->peer_address() + " was refused: node " +
                                      in.hello.sender.name + " does not prove that it holds the same cluster-secret");
        drop_inbound(id);
        return;
      }
      const wire::Hello hello = std::move(in.hello);
      admit(id, in, hello);
      return;
    }
    case Inbound::State::ask:
      if (std::optional<node::Ask> question = wire::decode_ask(frame)) {
        const std::string from = in.link->peer_address();
        fill_question(*question, from);
        move_to(in, Inbound::State::answering);
        in.link->set_deadline(kAnswerTimeoutMs, "the question was not answered in time");
        events_.asked(id, *std::move(question), from);
        return;
      }
      break;
    case Inbound::State::peer:
      if (std::optional<node::PeerMessage> message = wire::decode_peer_message(frame)) {
        events_.received(in.from, *std::move(message));
        return;
      }
      {
        const raft::NodeId from = in.from;
        drop_inbound(id);
        events_.violated(from, std::string("a frame that is no message: ") + wire::to_string(frame.type));
      }
      return;
    case Inbound::State::answering:
    case Inbound::State::closing:
      break;
  }
  log_limited(broken_log_, "A connection from " + in.link->peer_address() + " to the raft port was closed: it sent " +
                               "what it should not: " + wire::to_string(frame.type));
  drop_inbound(id);
}

void PeerTransport::inbound_hello(uint64_t id, Inbound& in, const wire::Frame& frame) {
  std::optional<wire::Hello> hello;
  if (frame.type == wire::FrameType::hello) hello = wire::decode_hello(frame.payload);
  if (!hello) {
    log_limited(broken_log_, "A connection from " + in.link->peer_address() +
                                 " to the raft port was closed: it did not begin with a greeting");
    drop_inbound(id);
    return;
  }
  fill_hosts(hello->sender, in.link->peer_address());
  const auto [refusal, sentence] = judge(*in.link, *hello);
  if (refusal != wire::Refusal::none) {
    // A node that wants to take this one in is refused first, and then asks.
    const bool wrong_cluster = refusal == wire::Refusal::cluster;
    log_limited(refused_log_, "A connection from " + in.link->peer_address() + " was refused: " + sentence,
                wrong_cluster && standing_ != node::Standing::member ? LogLevel::verbose : LogLevel::notice);
    reply(*in.link, frame.payload, wire::common_version(*hello, identity_.versions), refusal, sentence);
    close_inbound(in);
    return;
  }
  in.version = wire::common_version(*hello, identity_.versions);
  in.expected = reply(*in.link, frame.payload, in.version, wire::Refusal::none, {});
  if (options_.secret.empty()) {
    admit(id, in, *hello);
    return;
  }
  in.hello = *std::move(hello);
  move_to_unproved(in, Inbound::State::proof);
  in.link->set_deadline(kHelloTimeoutMs, "it did not prove who it is in time");
}

// Which of the two to upgrade, in words for the operator who does it.
std::string PeerTransport::version_conflict(const std::string& us, const wire::Hello& hello) const {
  const node::VersionRange theirs = wire::versions_of(hello);
  const node::VersionRange& mine = identity_.versions;
  if (theirs.highest < mine.lowest)
    return us + " is in a cluster of version " + std::to_string(mine.lowest) + ", and the caller can do version " +
           std::to_string(theirs.highest) + " at most: install a newer release there, or raise its version-limit";
  return "the caller is in a cluster of version " + std::to_string(theirs.lowest) + ", and " + us + " can do version " +
         std::to_string(mine.highest) + " at most: install a newer release on this node, or raise its version-limit";
}

std::pair<wire::Refusal, std::string> PeerTransport::judge(const PeerLink& link, const wire::Hello& hello) const {
  using wire::Refusal;
  const node::Identity& sender = hello.sender;
  const std::string us = node_text(identity_.name, identity_.instance);
  if (!wire::compatible(hello, identity_.versions)) return {Refusal::version, version_conflict(us, hello)};
  if (hello.purpose == wire::Purpose::unknown)
    return {Refusal::version, us + " does not know what this connection is for: a newer release may"};
  const std::string them = node_text(sender.name, sender.instance);
  // A certificate or the secret does not allow a node to pose as another member's instance.
  if (const auto known = peers_.find(sender.instance); known != peers_.end() && known->second->peer.name != sender.name)
    return {Refusal::sender, them + " is not that instance: it is node " + known->second->peer.name};
  if (options_.authorize_dialer)
    if (const Status authorized = options_.authorize_dialer(link.stream(), sender); !authorized)
      return {Refusal::sender, authorized.error()};
  if (hello.intended_instance && hello.intended_instance != identity_.instance)
    return {Refusal::instance, us + " listens here, not " + node_text(hello.intended_name, hello.intended_instance) +
                                   " whom " + them + " looks for"};
  if (hello.purpose == wire::Purpose::ask) {
    if (count(Inbound::State::ask) + count(Inbound::State::answering) >= kMaxQuestionsIn)
      return {Refusal::busy, us + " has too many questions to answer"};
    return {Refusal::none, {}};
  }
  if (!hello.intended_instance)
    return {Refusal::instance, them + " does not say whom it looks for; " + us + " listens here"};
  if (identity_.cluster == node::kNoCluster || sender.cluster != identity_.cluster)
    return {Refusal::cluster, us + " is " + cluster_of(identity_) + ", " + them + " is " + cluster_of(sender)};
  if (was_removed(sender.instance, hello.member_as_of))
    return {Refusal::removed, them + " was removed from the cluster, or replaced by another node of its name; " + us +
                                  " is a member of it"};
  if (!sender.instance || sender.instance == identity_.instance)
    return {Refusal::sender, them + " cannot be a peer of " + us};
  return {Refusal::none, {}};
}

void PeerTransport::set_membership(node::Membership membership) {
  membership_ = std::move(membership);
  // They dial again at once, and are told.
  for (const raft::NodeId id : membership_.removed)
    if (const auto open = inbound_of_.find(id);
        open != inbound_of_.end() && was_removed(id, inbound_.at(open->second).member_as_of))
      drop_inbound(open->second);
}

bool PeerTransport::was_removed(raft::NodeId id, raft::Position member_as_of) const {
  const std::vector<raft::NodeId>& removed = membership_.removed;
  return member_as_of < membership_.removed_as_of && std::find(removed.begin(), removed.end(), id) != removed.end();
}

void PeerTransport::admit(uint64_t id, Inbound& in, const wire::Hello& hello) {
  if (hello.purpose == wire::Purpose::ask) {
    move_to(in, Inbound::State::ask);
    const bool proved = !options_.secret.empty() || options_.secure;
    if (proved && hello.sender.cluster != node::kNoCluster) events_.met(hello.sender);
    return;
  }
  // The newest wins; nothing that the older one still carries is delivered (HAZARDS G8).
  const raft::NodeId from = hello.sender.instance;
  if (const auto older = inbound_of_.find(from); older != inbound_of_.end()) drop_inbound(older->second);
  if (peers_.contains(from)) {
    note_address(from, in.link->peer_address());
  } else {
    make_place(kMaxUnknownPeers, [this](const Inbound& other) {
      return other.state == Inbound::State::peer && !peers_.contains(other.from);
    });
  }
  move_to(in, Inbound::State::peer);
  in.from = from;
  in.member_as_of = hello.member_as_of;
  in.link->clear_deadline();
  in.link->let_in();
  inbound_of_[from] = id;
  // The peer is alive: if our own connection to it waits for its next try, it tries now.
  if (Outbound* const out = find_peer(from); out != nullptr && !out->dial && !out->link) retry_now(*out);
  events_.peer_identity(from, hello.sender);
}

bool PeerTransport::left_some(raft::NodeId from) const {
  const auto left = [&](const auto& open) { return inbound_.at(open.second).link->left_some(); };
  if (!from) return std::any_of(inbound_of_.begin(), inbound_of_.end(), left);
  const auto open = inbound_of_.find(from);
  return open != inbound_of_.end() && left(*open);
}

void PeerTransport::cut_off(raft::NodeId from) {
  if (const auto open = inbound_of_.find(from); open != inbound_of_.end()) drop_inbound(open->second);
}

// The answer to a node that greets in plain where TLS is required: in plain too, so that its log can say what is wrong.
// Reveals nothing of this node, and answers no other protocol (HAZARDS G5).
std::string PeerTransport::plain_answer(std::string_view first_bytes) const {
  std::string out;
  if (!first_bytes.starts_with(wire::kMagic)) return out;
  wire::HelloReply reply;
  reply.refusal = wire::Refusal::tls;
  out = wire::kMagic;
  return wire::encode(out, reply) ? out : std::string();
}

wire::Proof PeerTransport::reply(PeerLink& link, std::string_view greeting, uint16_t version, wire::Refusal refusal,
                                 const std::string& sentence) {
  wire::HelloReply reply;
  reply.version = version;
  reply.refusal = refusal;
  reply.sentence = sentence;
  reply.receiver.identity = identity_;
  reply.receiver.standing = standing_;
  if (refusal == wire::Refusal::removed) reply.removed_as_of = membership_.removed_as_of;
  wire::Proof expected{};
  if (!options_.secret.empty()) {
    reply.demands_proof = true;
    reply.nonce = fresh_nonce();
    reply.proof = listener_proof(options_.secret, greeting, reply);
    expected = dialler_proof(options_.secret, greeting, reply);
  }
  buffer_.clear();
  if (wire::encode(buffer_, reply)) {
    link.send(buffer_);
  } else {
    log_limited(oversize_log_, "This node's own name or addresses are too long to be told to others");
  }
  return expected;
}

void PeerTransport::answer(uint64_t question_id, node::Answer answer) {
  const auto it = inbound_.find(question_id);
  // The asker may have gone by now.
  if (it == inbound_.end() || it->second.state != Inbound::State::answering) return;
  buffer_.clear();
  if (wire::encode(buffer_, answer, it->second.version)) {
    it->second.link->send(buffer_);
  } else {
    log_limited(oversize_log_, "An answer to " + it->second.link->peer_address() + " is too large to be sent");
  }
  close_inbound(it->second);
}

}  // namespace wh::net
