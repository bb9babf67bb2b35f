#include "sim/world/transport.h"

#include <algorithm>
#include <utility>

#include "sim/checks/checks.h"
#include "sim/checks/conduct.h"
#include "sim/checks/watch.h"
#include "sim/clients/queue_clients.h"
#include "sim/faults/aims.h"
#include "sim/world/frames.h"
#include "sim/world/network.h"
#include "sim/world/process.h"
#include "sim/world/world.h"

namespace wh::sim {
namespace {

// Messages that must not count when they come too late.
bool worth_an_echo(const node::PeerMessage& message) {
  if (const auto* vote = std::get_if<raft::RequestVoteReply>(&message)) return vote->granted;
  if (const auto* reply = std::get_if<raft::AppendEntriesReply>(&message)) return reply->success;
  return std::holds_alternative<raft::InstallSnapshot>(message) ||
         std::holds_alternative<raft::InstallSnapshotReply>(message) ||
         std::holds_alternative<raft::TimeoutNow>(message) || std::holds_alternative<raft::ReadIndexReply>(message);
}

template <typename M, typename... Ts>
constexpr bool is_one_of(const std::variant<Ts...>* /*variant*/) {
  return (std::is_same_v<M, Ts> || ...);
}

// The same message in a term that no server can be in; only Raft messages, as a refused request must not have been
// another's.
std::optional<node::PeerMessage> of_wild_term(node::PeerMessage message) {
  constexpr uint64_t kFarAhead = uint64_t{1} << 40;
  const bool wild = std::visit(
      []<typename M>(M& m) {
        constexpr bool rafts = is_one_of<M>(static_cast<const raft::MessageBody*>(nullptr));
        if constexpr (rafts) m.term.value += kFarAhead;
        return rafts;
      },
      message);
  return wild ? std::optional(std::move(message)) : std::nullopt;
}

}  // namespace

SimTransport::Out* SimTransport::find(raft::NodeId id) {
  const auto found = peers_.find(id);
  return found == peers_.end() ? nullptr : &found->second;
}

void SimTransport::disconnect(Out& out) {
  if (out.connection) out.connection->broken = true;
  out.connection.reset();
  out.attempt = 0;
}

void SimTransport::set_peers(std::vector<node::Peer> peers) {
  std::map<raft::NodeId, node::Peer> wanted;
  for (node::Peer& peer : peers) wanted.insert_or_assign(peer.id, std::move(peer));
  for (auto it = peers_.begin(); it != peers_.end();) {
    if (wanted.contains(it->first)) {
      ++it;
    } else {
      disconnect(it->second);
      it = peers_.erase(it);
    }
  }
  for (auto& [id, peer] : wanted) {
    const bool fresh = !peers_.contains(id);
    Out& out = peers_[id];
    const bool moved = !fresh && out.peer.raft_address != peer.raft_address;
    out.peer = std::move(peer);
    if (moved) disconnect(out);
    if (fresh || moved) dial(id, 0);
  }
}

void SimTransport::set_membership(node::Membership membership) {
  membership_ = std::move(membership);
  world_.network->close_removed(*this, host_);
}

bool SimTransport::refuses(raft::NodeId id, raft::Position member_as_of) const {
  const std::vector<raft::NodeId>& removed = membership_.removed;
  return member_as_of < membership_.removed_as_of && std::find(removed.begin(), removed.end(), id) != removed.end();
}

void SimTransport::set_identity(const node::Identity& identity, node::Standing standing) {
  const bool another = identity.cluster != identity_.cluster || identity.instance != identity_.instance;
  identity_ = identity;
  standing_ = standing;
  if (!another) return;
  world_.network->close_all_to(host_);
  for (auto& [id, out] : peers_) {
    disconnect(out);
    dial(id, 0);
  }
}

bool SimTransport::send(raft::NodeId to, node::PeerMessage message) {
  if (host_.process && host_.process->ended) return false;
  if (world_.tracing()) world_.checks->trace_message("->", host_, to, message);
  world_.checks->sent(host_, to, message);
  world_.conduct->sent(host_, to, message);
  world_.watch->sends(host_, to, message);
  world_.aims->sends(host_, to, message);
  const Out* out = find(to);
  if (out == nullptr || !out->connection || out->connection->broken) return false;
  std::string frame = encoded(message, out->connection->protocol);
  if (world_.options.echo_ppm != 0 && world_.chaos && worth_an_echo(message) &&
      world_.prng.chance_ppm(world_.options.echo_ppm))
    world_.network->echo(out->connection, {frame});
  const Options& o = world_.options;
  if (o.stray_ppm != 0 && world_.chaos && std::holds_alternative<raft::TimeoutNow>(message) &&
      world_.prng.chance_ppm(o.stray_ppm))
    world_.network->stray(host_, frame);
  if (o.wild_term_ppm != 0 && world_.chaos && world_.prng.chance_ppm(o.wild_term_ppm)) {
    if (const auto wild = of_wild_term(message)) {
      ++world_.seen[Situation::wild_term];
      world_.network->transmit(out->connection, {encoded(*wild), true});
    }
  }
  world_.network->transmit(out->connection, {std::move(frame)});
  return true;
}

// Correct nodes never find this of each other, however late a message comes: only after a message that a fault made or
// misled.
void SimTransport::cut_off(raft::NodeId from) {
  if (!odd_.contains(from)) world_.fail(host_.name + " was sent what no correct member can send");
  impossible_.erase(from);
  ++world_.seen[Situation::was_cut_off];
  world_.network->close_from(from, host_);
}

void SimTransport::turned() {
  odd_.clear();
  if (!impossible_.empty()) world_.fail(host_.name + " goes on with one that sent what no correct member can send");
}

void SimTransport::ask(uint64_t request, const std::string& address, node::Ask question) {
  world_.network->ask(host_, request, address, std::move(question));
}

void SimTransport::resolve(uint64_t request, const std::string& address) {
  world_.after(world_.network->latency_us(host_.number, host_.number), host_, [this, request, address] {
    host_.process->input([this, request, address] {
      Result<std::vector<std::string>> found = std::vector{address};  // an address leads to itself
      if (address.find(".sim:") != std::string::npos) {
        const auto name = host_.names.find(address);
        const bool known = name != host_.names.end() && world_.now_us() >= host_.names_known_us;
        if (!known) ++world_.seen[Situation::name_unknown];
        found = known ? Result(name->second) : Error{"no such name"};
      }
      host_.process->node().resolved(request, found, world_.now(host_));
    });
  });
}

void SimTransport::answer(uint64_t question_id, node::Answer answer) {
  world_.network->answer(host_, question_id, std::move(answer));
}

void SimTransport::die() {
  for (auto& [id, out] : peers_) out.attempt = 0;
}

void SimTransport::dial(raft::NodeId id, uint64_t delay_us) {
  Out& out = *find(id);
  out.attempt = next_attempt_++;
  world_.after(delay_us + world_.network->latency_us(host_.number, host_.number), host_,
               [this, id, attempt = out.attempt] { arrive(id, attempt); });
}

void SimTransport::dial_later(raft::NodeId id) {
  Out& out = *find(id);
  const uint64_t delay_ms = world_.prng.between(out.backoff_ms / 2, out.backoff_ms);
  out.backoff_ms = std::min<uint64_t>(out.backoff_ms * 2, 1'000);
  dial(id, delay_ms * 1000);
}

// Dials, and greets on the new connection.
void SimTransport::arrive(raft::NodeId id, uint64_t attempt) {
  Out* out = find(id);
  if (out == nullptr || out->attempt != attempt) return;
  Host* target = world_.host_at(out->peer.raft_address);
  Network& network = *world_.network;
  if (target == nullptr || !network.both_ways(host_.number, target->number) ||
      (target->process && target->process->paused())) {
    // Nobody answers: noticing that takes time.
    world_.after(uint64_t{world_.options.stall_ms} * 1000, host_, [this, id, attempt] {
      const Out* waiting = find(id);
      if (waiting != nullptr && waiting->attempt == attempt) dial_later(id);
    });
    return;
  }
  if (!target->process) {
    if (std::exchange(out->died, false)) {
      world_.trace("%s finds %s gone", host_.name.c_str(), target->name.c_str());
      host_.process->input([this, id] { host_.process->node().peer_lost(id, world_.now(host_)); });
      out = find(id);
      if (out == nullptr || out->attempt != attempt) return;
    }
    dial_later(id);
    return;
  }
  greeted(id, attempt, *target);
}

void SimTransport::greeted(raft::NodeId id, uint64_t attempt, Host& target) {
  Out& out = *find(id);
  SimTransport& theirs = target.process->transport();
  const node::Identity& they = theirs.identity();
  const bool ours = they.instance == id && they.cluster != node::kNoCluster && they.cluster == identity_.cluster;
  const bool removed = ours && theirs.refuses(identity_.instance, membership_.member_as_of);
  const wire::Hello hello = hello_of(identity_.versions);
  const bool speaks = wire::compatible(hello, they.versions);
  if (!speaks) ++world_.seen[Situation::hello_refused_version];
  const bool accepted = ours && !removed && speaks;
  if (removed) ++world_.seen[Situation::told_removed];
  const uint64_t back_us = world_.network->latency_us(target.number, host_.number);
  if (!accepted) {
    out.died = false;
    const node::WhoIAm who{.identity = they, .standing = theirs.standing(), .leader_address = {}};
    world_.after(back_us, host_, [this, id, attempt, who, removed, as_of = theirs.membership().removed_as_of] {
      const Out* refused = find(id);
      if (refused == nullptr || refused->attempt != attempt) return;
      dial_later(id);
      world_.trace("%s is refused by %s", host_.name.c_str(), who.identity.name.c_str());
      host_.process->input([this, id, who, removed, as_of] {
        node::Node& node = host_.process->node();
        if (removed) return node.told_removed(id, as_of, world_.now(host_));
        node.peer_refused(id, "the other side refused", who, world_.now(host_));
      });
    });
    return;
  }
  auto connection = world_.network->connect(host_, target, identity_.instance, membership_.member_as_of);
  connection->protocol = wire::common_version(hello, they.versions);
  target.process->input([this, &target, sender = identity_.instance, me = identity_] {
    world_.queue_clients->reconnected(target);
    target.process->node().peer_identity(sender, me);
  });
  world_.after(back_us, host_, [this, id, attempt, connection] {
    Out* mine = find(id);
    if (mine == nullptr || mine->attempt != attempt) {
      connection->broken = true;
      return;
    }
    if (connection->broken) return dial_later(id);
    mine->connection = connection;
    mine->attempt = 0;
    mine->died = false;
    mine->connected_us = world_.now_us();
    world_.trace("%s is connected to %s", host_.name.c_str(), world_.hosts[connection->to].name.c_str());
    host_.process->input([this, id] {
      world_.conduct->connected(host_, id);
      world_.queue_clients->reconnected(host_);
      host_.process->node().peer_connected(id, world_.now(host_));
    });
  });
}

void SimTransport::connection_lost(const Connection& connection) {
  for (auto& [id, out] : peers_) {
    if (out.connection.get() != &connection) continue;
    disconnect(out);
    out.died = true;
    const bool stable = world_.now_us() - out.connected_us > 200'000;
    if (stable) out.backoff_ms = 50;
    if (stable) {
      dial(id, 0);
    } else {
      dial_later(id);
    }
    return;
  }
}

}  // namespace wh::sim
