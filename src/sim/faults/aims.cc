#include "sim/faults/aims.h"

#include <string_view>
#include <utility>

#include "sim/clients/clients.h"
#include "sim/world/network.h"
#include "sim/world/process.h"
#include "sim/world/world.h"

namespace wh::sim {

Aims::Aims(World& world) : world_(world) {
  each_option(std::as_const(world.options), [this](std::string_view, uint64_t value, OptionKind kind) {
    any_ |= kind == OptionKind::aimed && value != 0;
  });
  const Options& o = world.options;
  said_ = o.strike_after_ack_ppm != 0 || o.cut_quorum_ppm != 0 || o.split_in_change_ppm != 0 ||
          o.snapshot_in_change_ppm != 0 || o.strike_in_transfer_ppm != 0;
}

bool Aims::strikes(uint32_t chance_ppm) const { return chance_ppm != 0 && world_.prng.chance_ppm(chance_ppm); }

void Aims::moment(Host& host, Moment moment) {
  if (!any_ || !world_.chaos) return;
  const Options& o = world_.options;
  switch (moment) {
    case Moment::vote_granted:
      if (strikes(o.crash_after_vote_ppm)) crash(host, "right after granting a vote");
      break;
    case Moment::staged:
      if (strikes(o.crash_before_sync_ppm)) crash(host, "between stage and sync");
      break;
    case Moment::noop_appended:
      if (strikes(o.change_at_noop_ppm)) change_at_once(host);
      if (strikes(o.crash_new_leader_ppm)) crash(host, "right after its no-op");
      break;
    case Moment::change_appended:
      if (strikes(o.split_in_change_ppm)) split("a change was appended");
      if (strikes(o.snapshot_in_change_ppm)) {
        snapshots_now();
        if (world_.prng.below(3) == 0) cut_off(host, "a change was appended");
      }
      [[fallthrough]];
    case Moment::appended:
      if (strikes(o.crash_after_append_ppm)) crash(host, "right after appending as leader");
      if (strikes(o.cut_after_append_ppm)) cut_off(host, "right after appending as leader");
      break;
    case Moment::change_acked:
      if (strikes(o.split_in_change_ppm)) split("a change was acknowledged once");
      break;
    case Moment::acked:
      if (!strikes(o.strike_after_ack_ppm)) break;
      if (world_.prng.below(2) == 0) {
        crash(host, "after one acknowledgement");
      } else {
        cut_off(host, "after one acknowledgement");
      }
      break;
    case Moment::completing:
      if (strikes(o.cut_quorum_ppm)) cut_off(host, "it completes a quorum");
      break;
    case Moment::change_committed:
      if (strikes(o.split_in_change_ppm)) split("a change was committed");
      if (strikes(o.transfer_at_learner_ppm)) hand_over_at_learner(host);
      [[fallthrough]];
    case Moment::committed:
      if (strikes(o.crash_before_answer_ppm)) crash(host, "after the commit, before the answer");
      if (strikes(o.cut_at_commit_ppm)) cut_off(host, "after the commit");
      break;
    case Moment::receiving:
      if (strikes(o.crash_installing_ppm)) host.process->storage().fill(20'000);
      [[fallthrough]];
    case Moment::installing:
      if (strikes(o.crash_installing_ppm)) crash(host, "while a snapshot comes");
      break;
    case Moment::started:
      if (strikes(o.crash_again_ppm)) host.fuse = 1 + world_.prng.below(world_.prng.below(4) == 0 ? 100 : 6);
      break;
  }
}

void Aims::receives(Host& host, const node::PeerMessage& message) {
  if (!said_ || !world_.chaos) return;
  const auto* reply = std::get_if<raft::AppendEntriesReply>(&message);
  const raft::Raft* raft = host.process->node().raft();
  if (reply == nullptr || !reply->success || raft == nullptr || raft->role() != raft::Role::leader ||
      reply->term != raft->current_term() || reply->match_index <= raft->commit_index())
    return;
  if (raft->change_pending() && reply->match_index >= raft->log().configuration_index())
    moment(host, Moment::change_acked);
  if (reply->match_index == raft->log().last_index()) moment(host, Moment::acked);
}

void Aims::sends(Host& host, raft::NodeId to, const node::PeerMessage& message) {
  if (!any_ || !world_.chaos) return;
  if (std::holds_alternative<node::Forward>(message)) {
    if (!strikes(world_.options.crash_after_forward_ppm)) return;
    ++world_.seen[Situation::crashed_after_forward];
    return crash(host, "right after forwarding a write");
  }
  if (!said_) return;
  if (std::holds_alternative<raft::TimeoutNow>(message)) return told_to_campaign(host, world_.host_of(to));
  const auto* reply = std::get_if<raft::AppendEntriesReply>(&message);
  if (reply == nullptr || !reply->success || world_.options.cut_quorum_ppm == 0) return;
  const Host* leader = world_.host_of(to);
  if (leader != nullptr && completes(host, *leader, reply->match_index)) moment(host, Moment::completing);
}

bool Aims::completes(const Host& host, const Host& leader, raft::Index match) const {
  const raft::Raft* raft = leader.process ? leader.process->node().raft() : nullptr;
  if (raft == nullptr || raft->role() != raft::Role::leader || match <= raft->commit_index()) return false;
  const auto term = raft->log().term_at(match);
  size_t others = 0;
  for (const raft::Member& member : raft->configuration().members()) {
    if (member.suffrage != raft::Suffrage::voter || member.id == host.disk.instance) continue;
    const Host* other = world_.host_of(member.id);
    const raft::Entry* entry = other != nullptr ? other->disk.at(match) : nullptr;
    if (entry != nullptr && entry->term == term) ++others;
  }
  return others + 1 == raft->configuration().quorum();
}

void Aims::crash(Host& host, const char* why) {
  if (!host.process || host.process->doomed) return;
  ++world_.seen[Situation::aimed_crash];
  world_.crash_soon(host, why);
  // Often the host comes straight back: its node is then asked again what it forgot.
  world_.restart(host, world_.prng.below(3) == 0 ? world_.prng.below(2'000'000) : world_.prng.below(30'000));
}

void Aims::cut_off(Host& host, const char* why) {
  ++world_.seen[Situation::aimed_cut];
  world_.trace("%s is cut off: %s", host.name.c_str(), why);
  const uint64_t ways = world_.prng.below(3);
  for (const Host& other : world_.hosts) {
    if (ways != 1) world_.network->cut(host.number, other.number);
    if (ways != 2) world_.network->cut(other.number, host.number);
  }
  const uint64_t timeout_us = uint64_t{world_.options.election_timeout_ms} * 1'000;
  world_.after(world_.prng.between(timeout_us / 2, 5 * timeout_us), [this, number = host.number] {
    if (!world_.chaos) return;
    for (const Host& other : world_.hosts) {
      world_.network->mend(number, other.number);
      world_.network->mend(other.number, number);
    }
  });
}

void Aims::split(const char* why) {
  ++world_.seen[Situation::split_in_change];
  const uint64_t sides = world_.prng.next();
  world_.trace("split by %lx: %s", sides & ((uint64_t{1} << world_.hosts.size()) - 1), why);
  world_.network->split(sides);
  const uint64_t timeout_us = uint64_t{world_.options.election_timeout_ms} * 1'000;
  world_.after(world_.prng.between(timeout_us, 6 * timeout_us), [this] {
    if (world_.chaos) world_.network->mend_all();
  });
}

// Runs after the current event, which may still be inside that very node.
void Aims::administer_soon(Host& host, node::AdminRequest request) {
  world_.after(0, host, [this, &host, moved = std::move(request)] { world_.clients->administer(host, moved); });
}

void Aims::change_at_once(Host& host) {
  const size_t nodes = world_.options.nodes;
  if (host.process->node().raft()->configuration().voters() < 2 || world_.hosts.size() == nodes) return;
  const Host& spare = world_.hosts[nodes + world_.prng.below(world_.hosts.size() - nodes)];
  if (host.process->node().raft()->configuration().find_name(spare.name) != nullptr) return;
  ++world_.seen[Situation::changed_at_noop];
  for (const Host& other : world_.hosts)
    if (other.number != spare.number) {
      world_.network->cut(host.number, other.number);
      world_.network->cut(other.number, host.number);
    }
  administer_soon(host, {node::AdminKind::add, spare.name, spare.address});
  world_.after(world_.prng.below(uint64_t{world_.options.election_timeout_ms} * 1'000), [this, number = host.number] {
    if (!world_.chaos) return;
    for (const Host& other : world_.hosts) {
      world_.network->mend(number, other.number);
      world_.network->mend(other.number, number);
    }
  });
}

// Only a voter may be told to campaign, so aim at a learner.
void Aims::hand_over_at_learner(Host& host) {
  const raft::Configuration& configuration = host.process->node().raft()->configuration();
  if (configuration.voters() == configuration.members().size()) return;
  const raft::Member& member = configuration.members()[world_.prng.below(configuration.members().size())];
  if (member.suffrage != raft::Suffrage::voter || member.id == host.disk.instance) return;
  ++world_.seen[Situation::transfer_at_learner];
  administer_soon(host, {node::AdminKind::transfer, member.name, {}});
}

void Aims::asks(Host& to, const node::Ask& question) {
  if (!any_ || !world_.chaos || !std::holds_alternative<node::Adopt>(question) || to.number < world_.options.nodes ||
      !to.process || !strikes(world_.options.write_before_adopt_ppm))
    return;
  ++world_.seen[Situation::wrote_before_adopt];
  world_.after(0, to, [this, &to] { world_.clients->write_apart(to); });
}

void Aims::snapshots_now() {
  for (Host& host : world_.hosts)
    if (host.process && world_.prng.below(2) == 0) host.process->snapshot_now();
}

void Aims::told_to_campaign(Host& leader, Host* target) {
  if (!strikes(world_.options.strike_in_transfer_ppm)) return;
  ++world_.seen[Situation::struck_in_transfer];
  switch (world_.prng.below(3)) {
    case 0:
      crash(leader, "right after it handed over");
      break;
    case 1:
      cut_off(leader, "right after it handed over");
      break;
    default:
      if (target != nullptr) cut_off(*target, "it was told to campaign");
      break;
  }
}

}  // namespace wh::sim
