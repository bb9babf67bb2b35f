// Membership at the node: requests about it, adding (probe, learner, adoption, promotion), handing leadership over; one
// change at a time, each waiting its turn. Works on the leader; other nodes pass requests on, once. Also: nodes that
// ask to be taken in, and members whose addresses changed. Removing is in removal.cc.
#include <algorithm>
#include <utility>

#include "base/endpoint.h"
#include "base/log.h"
#include "base/mutant.h"
#include "node/node.h"
#include "node/seeking.h"

namespace wh::node {
namespace {

constexpr Millis kRetryMs = 50;
// A node that is to be added may be just starting: who asked hears no sooner than this that nobody answers.
constexpr Millis kStartingMs = 300;
constexpr Millis kAdoptEveryMs = 250;
constexpr Millis kRefreshEveryMs = 1'000;
constexpr size_t kMaxAdmin = 256;
constexpr size_t kMaxRefusals = 64;
constexpr size_t kMaxSaidBytes = 800;  // of what a node waits for, to another that asks
// A node that nobody waits for any more is still added; a node that asks to be taken in asks again before this.
constexpr Millis kBackgroundMs = 30'000;

// The host of `raft_address` for an address that has none (a wildcard bind behind an observed address).
std::string beside(const std::string& raft_address, const std::string& address) {
  return address.starts_with(':') ? with_host(address, host_part(raft_address)) : address;
}

bool is_loopback(const std::string& address) { return is_loopback_host(host_part(address)); }

}  // namespace

// --- requests

void Node::submit_admin(Token token, AdminRequest request, Millis now) {
  wants_turn_ = true;
  if (ending_) return complete(token, Outcome::shutting_down, {}, {});
  if (removed_) return complete(token, Outcome::dropped, {}, removed_sentence());
  if (admin_.size() >= kMaxAdmin) return complete(token, Outcome::overloaded, {}, {});
  admin_.push_back(
      {.token = token, .from = {}, .admin = std::move(request), .deadline = now + options_.request_timeout_ms});
}

void Node::on_forward_admin(raft::NodeId from, ForwardAdmin& forward, Millis now) {
  if (!raft_ || raft_->role() != raft::Role::leader || admin_.size() >= kMaxAdmin) {
    (void)send(from, ForwardAdminReply{forward.request, Outcome::not_leader, {}});
    return;
  }
  if (forward.admin.kind == AdminKind::unknown) {
    (void)send(from,
               ForwardAdminReply{forward.request, Outcome::unknown,
                                 "the leader, " + options_.name + ", is of a release that does not know this request"});
    return;
  }
  admin_.push_back({.token = 0,
                    .from = from,
                    .request = forward.request,
                    .admin = std::move(forward.admin),
                    .deadline = now + options_.request_timeout_ms});
}

void Node::on_forward_admin_reply(raft::NodeId from, ForwardAdminReply& reply, Millis now) {
  for (PendingAdmin& admin : admin_) {
    if (admin.step != PendingAdmin::Step::forwarded || admin.number != reply.request) continue;
    if (admin.to != from) return violated(from, "an answer to a request about members that another was sent", now);
    // Given back before anything was done: it goes to whoever leads now.
    if (reply.outcome == Outcome::not_leader) {
      wait_turn(admin, turn_at_);
    } else {
      finish_admin(admin, reply.outcome, std::move(reply.text));
    }
  }
}

// This node does not lead any more. Who asked it asks the next leader; nobody passes on what was passed on.
void Node::give_back(PendingAdmin& admin) {
  finish_admin(admin, admin.from ? Outcome::not_leader : Outcome::dropped, "the leader changed: try again");
}

void Node::finish_admin(PendingAdmin& admin, Outcome outcome, std::string text) {
  if (admin.done) return;
  admin.done = true;
  wants_turn_ = true;
  if (admin.from) {
    (void)send(admin.from, ForwardAdminReply{admin.request, outcome, std::move(text)});
  } else if (admin.token != 0) {
    complete(admin.token, outcome, {}, std::move(text));
  } else if (outcome == Outcome::conflict) {
    if (last_refusal_.size() >= kMaxRefusals) last_refusal_.erase(last_refusal_.begin());
    last_refusal_[admin.admin.name] = std::move(text);
  } else {
    last_refusal_.erase(admin.admin.name);
  }
}

// A leader knows what was committed before it led once it has committed an entry of its own term (HAZARDS D1).
bool Node::may_change_members() const {
  return WH_MUTANT(change_before_noop) ? raft_->role() == raft::Role::leader : raft_->leads_for_certain();
}

void Node::pump_admin(Millis now) {
  const bool leads = may_change_members() && !raft_->transferring();
  if (leads) drop_refusing_learners(now);
  const bool retry = now >= admin_retry_at_;
  if (retry && !admin_.empty()) admin_retry_at_ = now + kRetryMs;
  for (PendingAdmin& admin : admin_) {
    using Step = PendingAdmin::Step;
    if (admin.done) continue;
    switch (admin.step) {
      case Step::waiting:
        if (!retry) break;
        if (leads) {
          start_admin(admin, now);
        } else if (raft_->role() != raft::Role::leader && admin.token == 0) {
          give_back(admin);
        } else if (raft_->role() != raft::Role::leader && raft_->leader_id()) {
          admin.number = unique(next_number_++);
          const raft::Member* about = raft_->configuration().find_name(admin.admin.name);
          admin.target = about != nullptr ? about->id : raft::kNobody;
          admin.to = raft_->leader_id();
          if (send(admin.to, ForwardAdmin{admin.number, admin.admin})) admin.step = Step::forwarded;
        }
        break;
      case Step::joining: {
        const raft::Configuration& configuration = raft_->configuration();
        if (raft_->role() != raft::Role::leader) {
          finish_admin(admin, Outcome::unknown, "the leader changed while the node was joining; it goes on");
        } else if (configuration.is_voter(admin.target) && !raft_->change_pending()) {
          finish_admin(admin, Outcome::applied, {});
        } else if (!configuration.contains(admin.target)) {
          finish_admin(admin, Outcome::conflict, admin.admin.name + " was removed again while it was joining");
        }
        break;
      }
      case Step::probing:
        if (now >= admin.give_up_at && !in_background(admin))
          nobody_answers(admin, "nothing came within " + std::to_string(options_.request_timeout_ms / 2) +
                                    " ms; does a firewall drop what is sent there?");
        break;
      case Step::handing_over:
        if (!raft_->transferring()) wait_turn(admin, now);
        break;
      case Step::transferring:
      case Step::forwarded:
        // Another member leads now: the request is fulfilled, even if the answer to a forwarded one is lost.
        if (admin.admin.kind != AdminKind::transfer || !raft_->leader_id()) break;
        if (leader() != nullptr && leader()->name == admin.admin.name) {
          finish_admin(admin, Outcome::applied, {});
        } else if (admin.step == Step::transferring && raft_->leader_id() != instance_) {
          finish_admin(admin, Outcome::conflict,
                       (leader() != nullptr ? leader()->name : std::string("another node")) + " leads now instead");
        }
        break;
      default:
        break;
    }
    if (!admin.done && now >= admin.deadline) {
      if (admin.step == Step::joining) {
        finish_admin(admin, Outcome::timed_out, admin.admin.name + " has not caught up yet; it goes on");
      } else if (admin.step == Step::forwarded || admin.step == Step::changing || admin.step == Step::transferring) {
        finish_admin(admin, Outcome::unknown, "no answer in time; it may still take effect");
      } else if (std::string gone = quorum_gone(now); admin.admin.kind == AdminKind::remove && !gone.empty()) {
        finish_admin(admin, Outcome::conflict, std::move(gone));
      } else if (admin.identity.name == admin.admin.name || admin.admin.kind != AdminKind::add) {
        finish_admin(admin, leads ? Outcome::timed_out : Outcome::dropped,
                     leads ? "it did not come to its turn in time" : "no leader is known");
      } else {
        if (leads) {
          nobody_answers(admin, admin.why);
        } else {
          finish_admin(admin, Outcome::dropped, "no leader is known");
        }
      }
    }
  }
  std::erase_if(admin_, [](const PendingAdmin& admin) { return admin.done; });
}

void Node::start_admin(PendingAdmin& admin, Millis now) {
  switch (admin.admin.kind) {
    case AdminKind::add:
      if (admin.probed_at == 0) admin.probed_at = now;
      // Well before whoever passed the request on gives up.
      admin.give_up_at = now + options_.request_timeout_ms / 2;
      admin.number = next_number_++;
      admin.step = PendingAdmin::Step::probing;
      transport_.ask(admin.number, admin.admin.raft_address, WhoAreYou{});
      break;
    case AdminKind::remove:
      remove_member(admin, now);
      break;
    case AdminKind::transfer:
      transfer_to(admin, now);
      break;
    case AdminKind::unknown:
      WH_ASSERT(false, "what is not known was refused when it came");
  }
}

void Node::wait_turn(PendingAdmin& admin, Millis now) {
  admin.step = PendingAdmin::Step::waiting;
  admin_retry_at_ = std::max(admin_retry_at_, now + kRetryMs);
}

// --- adding

// A node asked for it by itself, and nobody waits for the answer.
bool Node::in_background(const PendingAdmin& admin) { return admin.token == 0 && !admin.from; }

void Node::nobody_answers(PendingAdmin& admin, const std::string& why) {
  finish_admin(
      admin, Outcome::conflict,
      "no node answers at " + admin.admin.raft_address + (why.empty() ? "" : ": " + why) + "; nothing was changed");
}

// Who is there is asked before anything is committed: a wrong address, a wrong name and a node that belongs elsewhere
// do no harm.
void Node::admin_probed(PendingAdmin& admin, const Result<Answer>& answer, Millis now) {
  const auto* who = answer ? std::get_if<WhoIAm>(&*answer) : nullptr;
  if (who == nullptr) {
    std::string why = answer ? "an answer of another kind came" : answer.error();
    if (now >= admin.probed_at + kStartingMs && !in_background(admin)) return nobody_answers(admin, why);
    admin.why = std::move(why);
    return wait_turn(admin, now);
  }
  admin.identity = who->identity;
  admin.target = who->identity.instance;
  if (who->identity.name != admin.admin.name)
    return finish_admin(admin, Outcome::conflict,
                        "the node at " + admin.admin.raft_address + " calls itself " + who->identity.name + ", not " +
                            admin.admin.name);
  if (!raft_ || !may_change_members()) return wait_turn(admin, now);
  if (raft_->configuration().is_voter(admin.target)) {
    admin.step = PendingAdmin::Step::joining;
    return;
  }
  if (raft_->configuration().contains(admin.target) && !WH_MUTANT(join_not_idempotent)) {
    admin.step = PendingAdmin::Step::joining;
    return;
  }
  if (who->standing == Standing::member && who->identity.cluster != cluster_ && !WH_MUTANT(takes_in_a_foreign_member))
    return finish_admin(admin, Outcome::conflict,
                        who->identity.name + " holds data of cluster " + to_hex(who->identity.cluster) +
                            ", or has other members; this is " + options_.name + " of cluster " + to_hex(cluster_));
  add_member(admin, now);
}

void Node::add_member(PendingAdmin& admin, Millis now) {
  raft::Configuration next = raft_->configuration();
  bool as_voter = WH_MUTANT(added_as_voter);
  if (const raft::Member* old = next.find_name(admin.admin.name)) {
    // The same name on another disk: taken back only while the old one is silent, or two machines with one name would
    // push each other out.
    if (old->id == instance_ || !silent(old->id, now))
      return finish_admin(admin, Outcome::conflict,
                          "another node named " + admin.admin.name + " is alive at " + old->raft_address +
                              ", or was a moment ago: two machines must not have one name");
    logf(LogLevel::notice, "%s comes back with an empty disk: its old vote is gone, it starts as a learner",
         admin.admin.name.c_str());
    as_voter |= WH_MUTANT(two_changed_at_once);
    next = next.without(old->id);
  }
  next = next.with({.id = admin.target,
                    .name = admin.admin.name,
                    .raft_address = admin.admin.raft_address,
                    .http_address = beside(admin.admin.raft_address, admin.identity.http_address),
                    .https_address = beside(admin.admin.raft_address, admin.identity.https_address),
                    .suffrage = as_voter ? raft::Suffrage::voter : raft::Suffrage::learner});
  refused_to_adopt_.erase(admin.target);
  propose_change(admin, std::move(next), now);
}

void Node::propose_change(PendingAdmin& admin, raft::Configuration next, Millis now) {
  if ((raft_->change_pending() && !WH_MUTANT(second_change_at_once)) || raft_->transferring())
    return wait_turn(admin, now);
  admin.number = next_number_++;
  admin.step = PendingAdmin::Step::changing;
  raft_->step(now, raft::ProposeConfiguration{admin.number, std::move(next)});
}

void Node::admin_proposed(const raft::Proposed& result, Millis now) {
  for (PendingAdmin& admin : admin_) {
    if (admin.done || admin.number != result.token || admin.step != PendingAdmin::Step::changing) continue;
    switch (result.refusal) {
      case raft::Refusal::none:
        admin.term = result.term;
        admin.index = result.index;
        break;
      case raft::Refusal::change_pending:
      case raft::Refusal::not_leader:
        wait_turn(admin, now);
        break;
      default:
        finish_admin(admin, Outcome::conflict, "the change would leave no voter, or change more than one");
        break;
    }
  }
}

// The change an administrator waits for was applied, or another entry stands in its place.
void Node::change_applied(const raft::Entry& entry) {
  for (PendingAdmin& admin : admin_) {
    if (admin.done || admin.step != PendingAdmin::Step::changing || admin.index != entry.index) continue;
    if (admin.term != entry.term) {
      finish_admin(admin, Outcome::dropped, "the leader changed: try again");
    } else if (admin.admin.kind == AdminKind::add) {
      admin.step = PendingAdmin::Step::joining;
    } else {
      finish_admin(admin, Outcome::applied, {});
    }
    wants_turn_ = true;
  }
  if (entry.kind == raft::EntryKind::configuration) forwarded_removal_applied(entry);
}

// A member's address is held by a node of another cluster, or of none: if it is the learner that was just committed, it
// is invited to swap clusters.
void Node::peer_refused(raft::NodeId id, const std::string& why, const WhoIAm& theirs, Millis now) {
  // A node in no cluster where a member was: its disk is another's, or empty now. What was refused it may not believe;
  // a question it does, and so it founds no second cluster while this one is away. What it answers tells nothing.
  if (raft_ && !removed_ && options_.members_prove_themselves && theirs.identity.cluster == kNoCluster &&
      finding_.size() < Seeking::kMaxAddresses && raft_->configuration().contains(id)) {
    finding_.insert(next_number_);
    transport_.ask(next_number_++, addresses_of(*raft_->configuration().find(id)).raft_address, WhoAreYou{});
  }
  if (!raft_ || raft_->role() != raft::Role::leader || raft_->change_pending()) return;
  const raft::Member* member = raft_->configuration().find(id);
  if (member == nullptr || theirs.identity.instance != id || theirs.identity.cluster == cluster_) return;
  if (theirs.standing == Standing::member) {
    if (member->suffrage == raft::Suffrage::learner) refused_to_adopt_[id] = why;
    return;
  }
  Millis& tried = adopt_tried_[id];
  if (tried != 0 && now < tried + kAdoptEveryMs) return;
  tried = now;
  adopting_[next_number_] = id;
  transport_.ask(next_number_++, addresses_of(*member).raft_address, Adopt{cluster_, id, options_.name});
}

void Node::adopted(uint64_t request, const Result<Answer>& answer, Millis) {
  const auto it = adopting_.find(request);
  const raft::NodeId id = it->second;
  adopting_.erase(it);
  const auto* reply = answer ? std::get_if<Adopted>(&*answer) : nullptr;
  if (reply != nullptr && !reply->ok) logf(LogLevel::notice, "a learner was not adopted: %s", reply->why.c_str());
  if (reply != nullptr && reply->ok) adopt_tried_.erase(id);
}

// A learner that turned out to belong elsewhere goes again; it never had a vote.
void Node::drop_refusing_learners(Millis now) {
  if (refused_to_adopt_.empty() || raft_->change_pending()) return;
  const auto [id, why] = *refused_to_adopt_.begin();
  refused_to_adopt_.erase(refused_to_adopt_.begin());
  const raft::Member* member = raft_->configuration().find(id);
  if (member == nullptr || member->suffrage != raft::Suffrage::learner) return;
  logf(LogLevel::warning, "removing learner %s again: %s", member->name.c_str(), why.c_str());
  for (PendingAdmin& admin : admin_)
    if (!admin.done && admin.target == id) finish_admin(admin, Outcome::conflict, why);
  raft_->step(now, raft::ProposeConfiguration{next_number_++, raft_->configuration().without(id)});
}

// --- nodes that ask to be taken in

void Node::answer_take_me_in(uint64_t question_id, const TakeMeIn& question, Millis now) {
  const Identity& who = question.who;
  TakenIn answer;
  if (!raft_ || !raft_->leader_id()) {
    answer.why = options_.name + " knows no leader at the moment";
  } else if (raft_->leader_id() != instance_) {
    answer.leader_address = leader() != nullptr ? addresses_of(*leader()).raft_address : "";
    answer.why = options_.name + " is not the leader";
  } else if (const auto it = last_refusal_.find(who.name); it != last_refusal_.end()) {
    answer.why = it->second;
    last_refusal_.erase(it);  // asked again, tried again
  } else {
    answer.accepted = true;
    const bool known =
        raft_->configuration().contains(who.instance) ||
        std::any_of(admin_.begin(), admin_.end(), [&](const PendingAdmin& admin) {
          return admin.admin.kind == AdminKind::add && admin.token == 0 && !admin.from && admin.admin.name == who.name;
        });
    if (!known && admin_.size() < kMaxAdmin) {
      wants_turn_ = true;
      admin_.push_back({.token = 0,
                        .from = {},
                        .admin = {AdminKind::add, who.name, who.raft_address},
                        .deadline = now + kBackgroundMs});
    }
  }
  transport_.answer(question_id, std::move(answer));
}

// --- handing over

bool Node::silent(raft::NodeId id, Millis now) const {
  if (id == instance_) return false;
  const std::optional<Millis> heard = raft_->last_contact(id);
  return !heard || now > *heard + 2 * Millis{options_.election_timeout_ms};
}

void Node::transfer_to(PendingAdmin& admin, Millis now) {
  const raft::Member* member = raft_->configuration().find_name(admin.admin.name);
  if (member == nullptr) return finish_admin(admin, Outcome::not_found, "no member is named " + admin.admin.name);
  if (member->id == instance_) return finish_admin(admin, Outcome::applied, {});
  if (member->suffrage != raft::Suffrage::voter)
    return finish_admin(admin, Outcome::conflict, admin.admin.name + " is a learner");
  if (silent(member->id, now)) return finish_admin(admin, Outcome::conflict, admin.admin.name + " does not answer");
  if (raft_->change_pending() || raft_->transferring()) return wait_turn(admin, now);
  admin.target = member->id;
  admin.number = next_number_++;
  admin.step = PendingAdmin::Step::transferring;
  raft_->step(now, raft::TransferLeadership{admin.number, member->id});
}

// --- addresses

// The leader writes into the configuration what members announce of themselves, itself included. A node without a
// leader asks the addresses of `join` whether one of its members moved there.
void Node::refresh_addresses(Millis now) {
  if (now < refreshed_at_ + kRefreshEveryMs) return;
  refreshed_at_ = now;
  if (raft_->leads_for_certain() && !raft_->change_pending() && !raft_->transferring()) {
    const auto& members = raft_->configuration().members();
    const bool one_machine = std::all_of(members.begin(), members.end(), [&](const raft::Member& member) {
      const std::string address = addresses_of(member).raft_address;
      return is_loopback(address) || address.starts_with(':');
    });
    for (const raft::Member& member : members) {
      raft::Member said = addresses_of(member);
      if (said.raft_address.starts_with(':')) said.raft_address = member.raft_address;  // its own, of a wildcard bind
      // A member with a loopback address is on this machine; on another machine that address leads elsewhere.
      if (said == member || (is_loopback(said.raft_address) && !one_machine)) continue;
      logf(LogLevel::notice, "%s is now at %s", member.name.c_str(), said.raft_address.c_str());
      raft_->step(now, raft::ProposeConfiguration{next_number_++, raft_->configuration().with(said)});
      wants_turn_ = true;
      return;
    }
  }
  if (!raft_->leader_id() && finding_.empty() && looking_up_.empty()) {
    for (const std::string& address : options_.join) {
      looking_up_.insert(next_number_);
      transport_.resolve(next_number_++, address);
    }
  }
}

// All addresses of a name are asked: one of them may be this node's, or nobody's any more.
void Node::find_at(const Result<std::vector<std::string>>& addresses) {
  if (!addresses || !raft_ || raft_->leader_id()) return;
  for (const std::string& address : *addresses) {
    if (finding_.size() >= Seeking::kMaxAddresses) return;
    finding_.insert(next_number_);
    transport_.ask(next_number_++, address, WhoAreYou{});
  }
}

// --- questions and answers

void Node::asked(uint64_t question_id, Ask question, Millis now) {
  wants_turn_ = true;
  if (const auto* who = std::get_if<WhoAreYou>(&question)) {
    WhoIAm answer{.identity = identity(), .standing = standing()};
    if (seeking_) {
      seeking_->reached_by(*who);
      answer.founding_attempt = seeking_->attempt;
      answer.view = FoundingView{seeking_->electorate, waiting_for_.substr(0, kMaxSaidBytes)};
    }
    if (const raft::Member* member = leader()) answer.leader_address = addresses_of(*member).raft_address;
    transport_.answer(question_id, std::move(answer));
  } else if (const auto* grant = std::get_if<GrantFounding>(&question)) {
    answer_grant(question_id, *grant, now);
  } else if (const auto* take = std::get_if<TakeMeIn>(&question)) {
    answer_take_me_in(question_id, *take, now);
  } else {
    answer_adopt(question_id, std::get<Adopt>(question), now);
  }
}

void Node::answered(uint64_t request, Result<Answer> answer, Millis now) {
  wants_turn_ = true;
  if (loss_answered(request, answer, now)) return;
  if (adopting_.contains(request)) return adopted(request, answer, now);
  if (finding_.erase(request) > 0) {
    const auto* who = answer ? std::get_if<WhoIAm>(&*answer) : nullptr;
    if (who == nullptr || !raft_ || who->identity.cluster != cluster_ || who->identity.instance == instance_) return;
    // Who was taken in and heard nothing since knows nobody: it dials whoever of its cluster answers, and is told there
    // should it have been removed meanwhile.
    const bool knows_nobody = raft_->configuration().empty();
    if (!knows_nobody && !raft_->configuration().contains(who->identity.instance)) return;
    // Of its version an answer says nothing: only its hello does.
    const auto known = announced_.find(who->identity.instance);
    const VersionRange said = known == announced_.end() ? kVersionsNotSaid : known->second.versions;
    Identity& announced = announced_[who->identity.instance];
    announced = who->identity;
    announced.versions = said;
    if (knows_nobody) remember_stranger({who->identity.instance, who->identity.name, who->identity.raft_address});
    configuration_changed();
    return;
  }
  for (PendingAdmin& admin : admin_)
    if (!admin.done && admin.step == PendingAdmin::Step::probing && admin.number == request)
      return admin_probed(admin, answer, now);
  if (seeking_) seek_answered(request, answer, now);
}

}  // namespace wh::node
