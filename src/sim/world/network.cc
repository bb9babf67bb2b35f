#include "sim/world/network.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/assert.h"
#include "base/hash.h"
#include "sim/checks/checks.h"
#include "sim/checks/conduct.h"
#include "sim/checks/watch.h"
#include "sim/clients/clients.h"
#include "sim/faults/aims.h"
#include "sim/world/frames.h"
#include "sim/world/process.h"
#include "sim/world/world.h"
#include "wire/whole_frame.h"

namespace wh::sim {
namespace {

constexpr uint64_t kQuestionTimeoutUs = 1'500'000;

template <typename Decode>
auto decoded(const std::string& frame, Decode decode) {
  auto value = wire::decode_whole(frame, decode);
  WH_ASSERT(value, "what was encoded can be decoded");
  return std::move(*value);
}

// Whether it has an entry that this machine's release does not support: the release closes the connection.
bool above_release(const Host& host, const node::PeerMessage& message) {
  const auto* append = std::get_if<raft::AppendEntries>(&message);
  if (append == nullptr) return false;
  return std::any_of(append->entries.begin(), append->entries.end(), [&](const raft::Entry& entry) {
    return entry.kind == raft::EntryKind::version && decode_version(entry.payload.view()).value_or(0) > host.version;
  });
}

// What a message may visibly change in a Raft server.
auto standing_of(const raft::Raft& raft) {
  return std::tuple(raft.current_term(), raft.voted_for(), raft.role(), raft.leader_id(), raft.commit_index(),
                    raft.log().last_index(), raft.log().last_term(), raft.looks_into_loss());
}

}  // namespace

// --- links

void Network::cut(size_t from, size_t to) {
  if (from != to) cuts_[{from, to}] = true;
}

bool Network::is_cut(size_t from, size_t to) const {
  const auto found = cuts_.find({from, to});
  return found != cuts_.end() && found->second;
}

void Network::mend(size_t from, size_t to) {
  cuts_[{from, to}] = false;
  for (const auto& connection : connections_) {
    if (connection->from != from || connection->to != to || connection->broken) continue;
    for (const Message& message : std::exchange(connection->stalled, {})) send_off(connection, message);
  }
}

void Network::mend_all() {
  for (auto& [link, is] : cuts_)
    if (is) mend(link.first, link.second);
  clogs_.clear();
}

void Network::clog(size_t from, size_t to, uint64_t until_us, uint64_t extra_us) {
  clogs_[{from, to}] = {until_us, extra_us, 0, false};
}

void Network::hold(size_t from, size_t to, uint64_t until_us) { clogs_[{from, to}] = {until_us, 0, 0, true}; }

void Network::split(uint64_t sides, size_t bridge) {
  const size_t n = world_.hosts.size();
  for (size_t x = 0; x < n; ++x)
    for (size_t y = 0; y < n; ++y)
      if (((sides >> x) & 1) != ((sides >> y) & 1) && x != bridge && y != bridge) cut(x, y);
}

void Network::slow_down(size_t from, size_t to, uint64_t until_us) {
  clogs_[{from, to}] = {until_us, 0, world_.now_us(), false};
}

uint64_t Network::latency_us(size_t from, size_t to) {
  const Options& o = world_.options;
  uint64_t latency = o.latency_us;
  if (world_.chaos) {
    // Mostly short, sometimes up to the whole jitter.
    latency += world_.prng.below(world_.prng.below(8) == 0 ? o.jitter_us : o.jitter_us / 16 + 1);
    const auto found = clogs_.find({from, to});
    if (found != clogs_.end() && world_.now_us() < found->second.until_us) {
      const Clog& clog = found->second;
      if (clog.holds) return clog.until_us - world_.now_us();
      latency += clog.extra_us;
      if (clog.growing_since_us != 0) latency += (world_.now_us() - clog.growing_since_us) * 4 / 5;
    }
  }
  return latency;
}

// --- connections

std::shared_ptr<Connection> Network::connect(Host& from, Host& to, raft::NodeId sender, raft::Position member_as_of) {
  for (const auto& older : connections_)
    if (!older->broken && older->sender == sender && older->to == to.number && older->to_life == to.incarnation)
      break_connection(older);
  std::erase_if(connections_, [](const auto& connection) { return connection->broken; });
  auto connection = std::make_shared<Connection>();
  connection->from = from.number;
  connection->to = to.number;
  connection->from_life = from.incarnation;
  connection->to_life = to.incarnation;
  connection->sender = sender;
  connection->member_as_of = member_as_of;
  connection->receiver = to.disk.instance;
  connections_.push_back(connection);
  return connection;
}

void Network::watch(const std::shared_ptr<Connection>& connection) {
  if (connection->watched) return;
  connection->watched = true;
  world_.after(uint64_t{world_.options.stall_ms} * 1000, [this, connection] {
    connection->watched = false;
    if (!both_ways(connection->from, connection->to)) break_connection(connection);
  });
}

void Network::transmit(const std::shared_ptr<Connection>& connection, Message message) {
  if (!both_ways(connection->from, connection->to)) watch(connection);
  if (is_cut(connection->from, connection->to)) {
    connection->stalled.push_back(std::move(message));
  } else {
    send_off(connection, message);
  }
}

void Network::echo(const std::shared_ptr<Connection>& connection, Message message) {
  ++world_.seen[Situation::echoed];
  const uint64_t after_us = world_.prng.below(uint64_t{world_.options.election_timeout_ms} * 6'000);
  world_.after(after_us, [this, connection, again = std::move(message)] {
    if (world_.chaos && !is_cut(connection->from, connection->to)) deliver(connection, again);
  });
}

void Network::stray(const Host& by, std::string frame) {
  const raft::Configuration& configuration = by.process->node().raft()->configuration();
  const bool any = world_.prng.below(2) == 0;
  std::vector<std::shared_ptr<Connection>> open;
  std::vector<std::shared_ptr<Connection>> learners;
  for (const auto& connection : connections_) {
    if (connection->broken || (!any && connection->from != by.number)) continue;
    open.push_back(connection);
    if (configuration.is_learner(connection->receiver)) learners.push_back(connection);
  }
  if (!any && !learners.empty()) open = std::move(learners);
  if (open.empty()) return;
  ++world_.seen[Situation::strayed];
  transmit(open[world_.prng.below(open.size())], {std::move(frame), true});
}

bool Network::send_to(const Host& to, const node::PeerMessage& message) {
  const raft::Configuration& members = to.process->node().raft()->configuration();
  std::vector<std::shared_ptr<Connection>> open;
  for (const auto& connection : connections_)
    if (!connection->broken && connection->to == to.number && members.contains(connection->sender))
      open.push_back(connection);
  if (open.empty()) return false;
  transmit(open[world_.prng.below(open.size())], {encoded(message), true});
  return true;
}

bool Network::tell(const Host& by, Host& to, const node::PeerMessage& message, bool impossible) {
  const auto found = std::find_if(connections_.begin(), connections_.end(), [&](const auto& connection) {
    return !connection->broken && connection->from == by.number && connection->to == to.number &&
           connection->sender == by.disk.instance && connection->to_life == to.incarnation;
  });
  if (found == connections_.end() || is_cut(by.number, to.number)) return false;
  const std::shared_ptr<Connection> connection = *found;
  const std::string frame = encoded(message);
  world_.digest(0x6c, hash64(frame, 0));
  if (world_.tracing())
    world_.checks->trace_message(impossible ? "<= cannot be:" : "<= a lie:", to, by.disk.instance, message);
  // A message that cannot be decoded ends the connection before any node sees it (net/peers_inbound.cc).
  std::optional<node::PeerMessage> heard = wire::decode_whole(frame, wire::decode_peer_message);
  WH_ASSERT(heard || impossible, "what may be true can be decoded");
  if (!heard) {
    break_connection(connection);
    return true;
  }
  to.process->input([&] {
    const raft::Raft& raft = *to.process->node().raft();
    const auto before = standing_of(raft);
    if (impossible) {
      to.process->transport().heard_odd(connection->sender);
      to.process->transport().heard_impossible(connection->sender);
    } else {
      world_.watch->receives(to, connection->sender, *heard);
      world_.checks->received(to, connection->sender, *heard);
      world_.conduct->received(to, connection->sender, *heard);
    }
    to.process->node().receive(connection->sender, std::move(*heard), world_.now(to));
    if (impossible && before != standing_of(raft)) world_.fail(to.name + " acts on what no correct member can send");
  });
  return true;
}

void Network::send_off(const std::shared_ptr<Connection>& connection, const Message& message) {
  const Options& o = world_.options;
  Prng& prng = world_.prng;
  uint64_t arrival = world_.now_us() + latency_us(connection->from, connection->to) +
                     occupy_us(connection->from, connection->to, message.frame.size());
  const auto plan = [&](uint64_t at_us) {
    world_.after(at_us - world_.now_us(), [this, connection, message] { deliver(connection, message); });
  };
  if (world_.chaos) {
    if (o.loss_ppm != 0 && prng.chance_ppm(o.loss_ppm)) return;
    if (o.duplicate_ppm != 0 && prng.chance_ppm(o.duplicate_ppm))
      plan(arrival + prng.below(uint64_t{o.election_timeout_ms} * (prng.below(4) == 0 ? 8'000 : 200)));
    if (o.reorder_ppm != 0 && prng.chance_ppm(o.reorder_ppm))
      return plan(arrival + prng.below(uint64_t{o.election_timeout_ms} * (prng.below(4) == 0 ? 10'000 : 200)));
  }
  arrival = std::max(arrival, connection->last_arrival_us);
  connection->last_arrival_us = arrival;
  plan(arrival);
}

uint64_t Network::occupy_us(size_t from, size_t to, size_t bytes) {
  const uint64_t rate = world_.options.slow_bytes_per_ms;
  if (rate == 0 || (from != 0 && to != 0)) return 0;
  uint64_t& busy_until_us = busy_until_us_[{from, to}];
  busy_until_us = std::max(busy_until_us, world_.now_us()) + (bytes + 40) * 1'000 / rate;
  return busy_until_us - world_.now_us();
}

void Network::deliver(const std::shared_ptr<Connection>& connection, const Message& sent) {
  Host& to = world_.hosts[connection->to];
  if (connection->broken || !to.process || to.incarnation != connection->to_life) return;
  node::PeerMessage message = decoded(sent.frame, wire::decode_peer_message);
  if (world_.tracing()) world_.checks->trace_message("<-", to, connection->sender, message);
  world_.digest(0x6d, hash64(sent.frame, 0));
  const Host& sender = world_.hosts[connection->from];
  if (sender.incarnation != connection->from_life) ++world_.seen[Situation::earlier_life];
  to.process->input([this, &to, from = connection->sender, odd = sent.odd, moved = std::move(message)]() mutable {
    if (odd) to.process->transport().heard_odd(from);
    // The checks do not see the message, and the node closes the connection.
    if (above_release(to, moved)) {
      ++world_.seen[Situation::version_refused];
      to.process->transport().heard_odd(from);
      return to.process->node().receive(from, std::move(moved), world_.now(to));
    }
    world_.watch->receives(to, from, moved);
    world_.checks->received(to, from, moved);
    world_.conduct->received(to, from, moved);
    world_.aims->receives(to, moved);
    to.process->node().receive(from, std::move(moved), world_.now(to));
  });
}

void Network::break_connection(const std::shared_ptr<Connection>& connection) {
  if (connection->broken) return;
  connection->broken = true;
  Host& from = world_.hosts[connection->from];
  if (!from.process || from.incarnation != connection->from_life) return;
  const bool heard = !is_cut(connection->to, connection->from);
  const uint64_t after_us =
      heard ? latency_us(connection->to, connection->from) : uint64_t{world_.options.stall_ms} * 1000;
  world_.after(after_us, from, [&from, connection] { from.process->transport().connection_lost(*connection); });
}

void Network::break_one() {
  std::vector<std::shared_ptr<Connection>> open;
  for (const auto& connection : connections_)
    if (!connection->broken) open.push_back(connection);
  if (!open.empty()) break_connection(open[world_.prng.below(open.size())]);
}

void Network::break_transfers() {
  for (const auto& connection : std::vector(connections_)) {
    if (connection->broken) continue;
    const Host& from = world_.hosts[connection->from];
    const raft::Raft* raft =
        from.process && from.incarnation == connection->from_life ? from.process->node().raft() : nullptr;
    if (raft == nullptr || raft->role() != raft::Role::leader) continue;
    for (const raft::PeerStatus& peer : raft->peers()) {
      if (peer.id != connection->receiver || peer.state != raft::ProgressState::snapshot) continue;
      ++world_.seen[Situation::snapshot_cut_off];
      break_connection(connection);
    }
  }
}

void Network::close_all_to(const Host& host) {
  for (const auto& connection : connections_)
    if (!connection->broken && connection->to == host.number) break_connection(connection);
}

void Network::close_from(raft::NodeId sender, const Host& host) {
  for (const auto& connection : connections_)
    if (!connection->broken && connection->to == host.number && connection->to_life == host.incarnation &&
        connection->sender == sender)
      break_connection(connection);
}

void Network::close_removed(const SimTransport& by, const Host& host) {
  for (const auto& connection : connections_)
    if (!connection->broken && connection->to == host.number && connection->to_life == host.incarnation &&
        by.refuses(connection->sender, connection->member_as_of))
      break_connection(connection);
}

void Network::host_died(const Host& host) {
  close_all_to(host);
  // Messages it sent before may still arrive, or not.
  for (const auto& connection : connections_)
    if (connection->from == host.number && world_.prng.below(2) == 0) connection->broken = true;
  for (auto& [id, question] : questions_)
    if (question.to == host.number && !question.over) finish_question(id, Error{"the connection was reset"});
}

// --- questions

void Network::ask(Host& from, uint64_t request, const std::string& address, node::Ask question) {
  const uint64_t id = next_question_++;
  Host* to = world_.host_at(address);
  const auto* adopt = std::get_if<node::Adopt>(&question);
  // Another node may have the address by now.
  if (adopt != nullptr && world_.options.stray_ppm != 0 && world_.clients->running() &&
      world_.prng.chance_ppm(world_.options.stray_ppm)) {
    ++world_.seen[Situation::strayed];
    to = &world_.hosts[world_.prng.below(world_.hosts.size())];
  }
  if (to != nullptr) world_.aims->asks(*to, question);
  questions_[id] = {.from = from.number,
                    .to = to == nullptr ? from.number : to->number,
                    .from_life = from.incarnation,
                    .request = request,
                    .adopts = adopt != nullptr ? adopt->instance : raft::kNobody};
  world_.after(kQuestionTimeoutUs, [this, id] { finish_question(id, Error{"no answer in time"}); });
  if (to == nullptr) {
    // Nobody has the address, like a loopback address without a listener: refused at once.
    world_.after(latency_us(from.number, from.number),
                 [this, id] { finish_question(id, Error{"connection refused"}); });
    return;
  }
  if (to == &from && !from.dials_itself) {
    ++world_.seen[Situation::own_unreachable];
    if (world_.options.no_hairpin == 1)
      world_.after(latency_us(from.number, from.number),
                   [this, id] { finish_question(id, Error{"connection refused"}); });
    return;
  }
  world_.after(latency_us(from.number, to->number), [this, id, to, frame = encoded(question)] {
    Question& q = questions_.at(id);
    if (q.over || !both_ways(q.from, q.to)) return;
    if (!to->process) return finish_question(id, Error{"connection refused"});
    const Host& asker = world_.hosts[q.from];
    if (asker.process && !wire::compatible(hello_of(asker.process->transport().identity().versions),
                                           to->process->transport().identity().versions)) {
      ++world_.seen[Situation::hello_refused_version];
      return finish_question(id, Error{"the other side is of another version"});
    }
    q.to_life = to->incarnation;
    world_.trace("%s is asked %lu by %s", to->name.c_str(), decoded(frame, wire::decode_ask).index(),
                 world_.hosts[q.from].name.c_str());
    to->process->input(
        [this, to, id, frame] { to->process->node().asked(id, decoded(frame, wire::decode_ask), world_.now(*to)); });
  });
}

void Network::ask_in_vain(Host& by, const Host& member, node::Ask question) {
  const uint64_t id = next_question_;
  ask(by, world_.prng.next() | uint64_t{1} << 63, member.address, std::move(question));
  questions_.at(id).must_refuse = true;
}

void Network::answer(Host& from, uint64_t question_id, node::Answer answer) {
  const Question& q = questions_.at(question_id);
  const auto* adopted = std::get_if<node::Adopted>(&answer);
  const auto* granted = std::get_if<node::FoundingGranted>(&answer);
  if (q.must_refuse && ((adopted != nullptr && adopted->ok) || (granted != nullptr && granted->granted)))
    world_.fail(from.name + " leaves its cluster for another");
  if (adopted != nullptr && adopted->ok) world_.conduct->adopted(from, q.adopts);
  if (q.over || !both_ways(q.from, q.to)) return;
  const ClusterVersion can = from.process->transport().identity().versions.highest;
  world_.after(latency_us(from.number, q.from), [this, question_id, can, frame = encoded(answer)] {
    const Question& asked = questions_.at(question_id);
    if (!both_ways(asked.from, asked.to)) return;
    node::Answer arrived = decoded(frame, wire::decode_answer);
    if (auto* who = std::get_if<node::WhoIAm>(&arrived)) who->identity.versions.highest = can;
    finish_question(question_id, std::move(arrived));
  });
}

void Network::finish_question(uint64_t id, Result<node::Answer> answer) {
  Question& q = questions_.at(id);
  if (std::exchange(q.over, true)) return;
  Host& from = world_.hosts[q.from];
  if (!from.process || from.incarnation != q.from_life) return;
  from.process->input([this, &from, request = q.request, value = std::move(answer)]() {
    if (value) world_.conduct->answered(from, *value);
    from.process->node().answered(request, value, world_.now(from));
  });
}

}  // namespace wh::sim
