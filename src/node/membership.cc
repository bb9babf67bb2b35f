#include "node/membership.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/endpoint.h"
#include "base/log.h"
#include "base/mutant.h"

namespace wh::node {
namespace {

constexpr Millis kRetryMs = 50;
// A node that is to be added may be just starting: the client hears no sooner than this that no node answers there.
constexpr Millis kStartingMs = 300;
constexpr Millis kAdoptEveryMs = 250;
constexpr size_t kMaxAdmin = 256;
constexpr size_t kMaxRefusals = 64;
// A node that asked to be taken in is added in the background for so long; it asks again before this time is over.
constexpr Millis kBackgroundMs = 30'000;

// Gives an address without a host (a wildcard bind) the host of `raft_address`.
std::string beside(const std::string& raft_address, const std::string& address) {
  return address.starts_with(':') ? with_host(address, host_part(raft_address)) : address;
}

}  // namespace

// --- requests

void MembershipChanges::submit(Token token, AdminRequest request, Millis now) {
  ctx_.wants_turn = true;
  if (ctx_.answer_by) return ctx_.complete(token, Outcome::shutting_down, {}, {});
  if (ctx_.removed) return ctx_.complete(token, Outcome::dropped, {}, ctx_.removed_sentence());
  if (admin_.size() >= kMaxAdmin) return ctx_.complete(token, Outcome::overloaded, {}, {});
  admin_.push_back(
      {.token = token, .from = {}, .admin = std::move(request), .deadline = now + ctx_.options.request_timeout_ms});
}

void MembershipChanges::on_forward(raft::NodeId from, ForwardAdmin& forward, Millis now) {
  if (!ctx_.leads() || admin_.size() >= kMaxAdmin) {
    (void)ctx_.transport.send(from, ForwardAdminReply{forward.request, Outcome::not_leader, {}});
    return;
  }
  if (forward.admin.kind == AdminKind::unknown) {
    (void)ctx_.transport.send(from, ForwardAdminReply{forward.request, Outcome::unknown,
                                                      "the leader, " + ctx_.options.name +
                                                          ", is of a release that does not know this request"});
    return;
  }
  admin_.push_back({.token = 0,
                    .from = from,
                    .request = forward.request,
                    .admin = std::move(forward.admin),
                    .deadline = now + ctx_.options.request_timeout_ms});
}

void MembershipChanges::on_forward_reply(raft::NodeId from, ForwardAdminReply& reply, Millis now) {
  for (Pending& admin : admin_) {
    if (admin.step != Pending::Step::forwarded || admin.number != reply.request) continue;
    if (admin.to != from)
      return peers_.violated(from, "an answer to a request about members that another was sent", now);
    // The member refused it before it did anything: the request goes to the present leader.
    if (reply.outcome == Outcome::not_leader) {
      wait_turn(admin, ctx_.turn_at);
    } else {
      finish(admin, reply.outcome, std::move(reply.text));
    }
  }
}

// This node no longer leads. The client must ask again; a member that forwarded a request asks the next leader. This
// node never forwards a forwarded request.
void MembershipChanges::give_back(Pending& admin) {
  finish(admin, admin.from ? Outcome::not_leader : Outcome::dropped, "the leader changed: try again");
}

void MembershipChanges::finish(Pending& admin, Outcome outcome, std::string text) {
  if (admin.done) return;
  admin.done = true;
  ctx_.wants_turn = true;
  if (admin.from) {
    (void)ctx_.transport.send(admin.from, ForwardAdminReply{admin.request, outcome, std::move(text)});
  } else if (admin.token != 0) {
    ctx_.complete(admin.token, outcome, {}, std::move(text));
  } else if (outcome == Outcome::conflict) {
    if (last_refusal_.size() >= kMaxRefusals) last_refusal_.erase(last_refusal_.begin());
    last_refusal_[admin.admin.name] = std::move(text);
  } else {
    last_refusal_.erase(admin.admin.name);
  }
}

// A leader knows everything committed before it led only once it has committed an entry of its own term (HAZARDS D1:
// concurrent changes across terms with disjoint quorums).
bool MembershipChanges::may_change_members() const {
  return WH_MUTANT(change_before_noop) ? ctx_.raft->role() == raft::Role::leader : ctx_.raft->leads_for_certain();
}

void MembershipChanges::pump(Millis now) {
  const bool leads = may_change_members() && !ctx_.raft->transferring();
  if (leads) drop_refusing_learners(now);
  const bool retry = now >= retry_at_;
  if (retry && !admin_.empty()) retry_at_ = now + kRetryMs;
  for (Pending& admin : admin_) {
    if (admin.done) continue;
    if (admin.step == Pending::Step::waiting) {
      if (retry) start_or_forward(admin, leads, now);
    } else {
      go_on(admin, now);
    }
    if (!admin.done && now >= admin.deadline) out_of_time(admin, leads, now);
  }
  erase_finished();
}

void MembershipChanges::erase_finished() {
  std::erase_if(admin_, [](const Pending& admin) { return admin.done; });
}

void MembershipChanges::start_or_forward(Pending& admin, bool leads, Millis now) {
  if (leads) return start(admin, now);
  if (ctx_.leads()) return;
  if (admin.token == 0) return give_back(admin);
  if (!ctx_.raft->leader_id()) return;
  admin.number = ctx_.unique(ctx_.next_number++);
  const raft::Member* about = ctx_.raft->configuration().find_name(admin.admin.name);
  admin.target = about != nullptr ? about->id : raft::kNobody;
  admin.to = ctx_.raft->leader_id();
  if (ctx_.transport.send(admin.to, ForwardAdmin{admin.number, admin.admin})) admin.step = Pending::Step::forwarded;
}

// Looks at a request that was begun: whether it succeeded, or no longer can.
void MembershipChanges::go_on(Pending& admin, Millis now) {
  using Step = Pending::Step;
  switch (admin.step) {
    case Step::joining: {
      const raft::Configuration& configuration = ctx_.raft->configuration();
      if (!ctx_.leads()) {
        finish(admin, Outcome::unknown, "the leader changed while the node was joining; it goes on");
      } else if (configuration.is_voter(admin.target) && !ctx_.raft->change_pending()) {
        finish(admin, Outcome::applied, {});
      } else if (!configuration.contains(admin.target)) {
        finish(admin, Outcome::conflict, admin.admin.name + " was removed again while it was joining");
      }
      break;
    }
    case Step::probing:
      if (now >= admin.give_up_at && !in_background(admin))
        nobody_answers(admin, "nothing came within " + std::to_string(ctx_.options.request_timeout_ms / 2) +
                                  " ms; does a firewall drop what is sent there?");
      break;
    case Step::handing_over:
      if (!ctx_.raft->transferring()) wait_turn(admin, now);
      break;
    case Step::transferring:
    case Step::forwarded: {
      // The named member leads now: the request succeeded, even if the answer to a forwarded request is lost.
      if (admin.admin.kind != AdminKind::transfer || !ctx_.raft->leader_id()) break;
      const raft::Member* leader = ctx_.leader();
      if (leader != nullptr && leader->name == admin.admin.name) {
        finish(admin, Outcome::applied, {});
      } else if (admin.step == Step::transferring && ctx_.raft->leader_id() != ctx_.instance) {
        finish(admin, Outcome::conflict,
               (leader != nullptr ? leader->name : std::string("another node")) + " leads now instead");
      }
      break;
    }
    default:
      break;
  }
}

void MembershipChanges::out_of_time(Pending& admin, bool leads, Millis now) {
  using Step = Pending::Step;
  if (admin.step == Step::joining)
    return finish(admin, Outcome::timed_out, admin.admin.name + " has not caught up yet; it goes on");
  if (admin.step == Step::forwarded || admin.step == Step::changing || admin.step == Step::transferring)
    return finish(admin, Outcome::unknown, "no answer in time; it may still take effect");
  if (std::string gone = tolerance_.quorum_gone(now); admin.admin.kind == AdminKind::remove && !gone.empty())
    return finish(admin, Outcome::conflict, std::move(gone));
  if (!leads) return finish(admin, Outcome::dropped, "no leader is known");
  if (admin.identity.name == admin.admin.name || admin.admin.kind != AdminKind::add)
    return finish(admin, Outcome::timed_out, "it did not come to its turn in time");
  nobody_answers(admin, admin.why);
}

void MembershipChanges::expire(Millis now) {
  for (Pending& admin : admin_)
    if (admin.deadline <= now) finish(admin, Outcome::dropped, "this node is in no cluster, or still starts");
  erase_finished();
}

Millis MembershipChanges::next_deadline(Millis now) const {
  Millis earliest = kNever;
  for (const Pending& admin : admin_) earliest = std::min(earliest, admin.deadline + kExpiryStepMs);
  if (ctx_.raft && !admin_.empty()) earliest = std::min(earliest, std::max(retry_at_, now + 1));
  return earliest;
}

void MembershipChanges::bring_deadlines_forward(Millis latest) {
  for (Pending& admin : admin_) admin.deadline = std::min(admin.deadline, latest);
}

void MembershipChanges::start(Pending& admin, Millis now) {
  switch (admin.admin.kind) {
    case AdminKind::add:
      if (admin.probed_at == 0) admin.probed_at = now;
      // Well before the member that forwarded the request gives up.
      admin.give_up_at = now + ctx_.options.request_timeout_ms / 2;
      admin.number = ctx_.next_number++;
      admin.step = Pending::Step::probing;
      ctx_.transport.ask(admin.number, admin.admin.raft_address, WhoAreYou{});
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

void MembershipChanges::wait_turn(Pending& admin, Millis now) {
  admin.step = Pending::Step::waiting;
  retry_at_ = std::max(retry_at_, now + kRetryMs);
}

// --- adding

// A node asked to be taken in, and no client or member waits for the answer.
bool MembershipChanges::in_background(const Pending& admin) { return admin.token == 0 && !admin.from; }

void MembershipChanges::nobody_answers(Pending& admin, const std::string& why) {
  finish(admin, Outcome::conflict,
         "no node answers at " + admin.admin.raft_address + (why.empty() ? "" : ": " + why) + "; nothing was changed");
}

// The leader asks which node is there before it commits anything: so a wrong address, a wrong name or a node of another
// cluster does no harm.
void MembershipChanges::probed(Pending& admin, const Result<Answer>& answer, Millis now) {
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
    return finish(admin, Outcome::conflict,
                  "the node at " + admin.admin.raft_address + " calls itself " + who->identity.name + ", not " +
                      admin.admin.name);
  if (!ctx_.raft || !may_change_members()) return wait_turn(admin, now);
  if (ctx_.raft->configuration().is_voter(admin.target)) {
    admin.step = Pending::Step::joining;
    return;
  }
  if (ctx_.raft->configuration().contains(admin.target) && !WH_MUTANT(join_not_idempotent)) {
    admin.step = Pending::Step::joining;
    return;
  }
  if (who->standing == Standing::member && who->identity.cluster != ctx_.cluster &&
      !WH_MUTANT(takes_in_a_foreign_member))
    return finish(admin, Outcome::conflict,
                  who->identity.name + " holds data of cluster " + to_hex(who->identity.cluster) +
                      ", or has other members; this is " + ctx_.options.name + " of cluster " + to_hex(ctx_.cluster));
  // A new cluster's founder demands no version yet of those it asks (Context::versions).
  if (const ClusterVersion can = who->identity.versions.highest; can < versions_.demanded())
    return finish(admin, Outcome::conflict,
                  ctx_.options.name + " is in a cluster of version " + std::to_string(versions_.demanded()) + ", and " +
                      who->identity.name + " can do version " + std::to_string(can) +
                      " at most: install a newer release there, or raise its version-limit");
  add_member(admin, now);
}

void MembershipChanges::add_member(Pending& admin, Millis now) {
  raft::Configuration next = ctx_.raft->configuration();
  bool as_voter = WH_MUTANT(added_as_voter);
  if (const raft::Member* old = next.find_name(admin.admin.name)) {
    // The same name on another disk: it may replace the old member only while that is silent. Otherwise two machines
    // with one name would keep replacing each other.
    if (old->id == ctx_.instance || !peers_.silent(old->id, now))
      return finish(admin, Outcome::conflict,
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
  propose(admin, std::move(next), now);
}

void MembershipChanges::propose(Pending& admin, raft::Configuration next, Millis now) {
  if ((ctx_.raft->change_pending() && !WH_MUTANT(second_change_at_once)) || ctx_.raft->transferring())
    return wait_turn(admin, now);
  admin.number = ctx_.next_number++;
  admin.step = Pending::Step::changing;
  ctx_.raft->step(now, raft::ProposeConfiguration{admin.number, std::move(next)});
}

void MembershipChanges::proposed(const raft::Proposed& result, Millis now) {
  for (Pending& admin : admin_) {
    if (admin.done || admin.number != result.token || admin.step != Pending::Step::changing) continue;
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
        finish(admin, Outcome::conflict, "the change would leave no voter, or change more than one");
        break;
    }
  }
}

// A successful transfer is noticed in go_on(): another member leads.
void MembershipChanges::transferred(const raft::TransferDone& transfer) {
  for (Pending& admin : admin_) {
    if (admin.step != Pending::Step::transferring || admin.number != transfer.token || transfer.ok) continue;
    if (transfer.sent) {
      finish(admin, Outcome::unknown, "the node was told, and has not won within an election timeout; it still may");
    } else {
      finish(admin, Outcome::conflict, "the node did not catch up within an election timeout");
    }
  }
}

// The change that a request waits for was applied, or another entry is in its place.
void MembershipChanges::applied(const raft::Entry& entry) {
  if (admin_.empty()) return;
  for (Pending& admin : admin_) {
    if (admin.done || admin.step != Pending::Step::changing || admin.index != entry.index) continue;
    if (admin.term != entry.term) {
      finish(admin, Outcome::dropped, "the leader changed: try again");
    } else if (admin.admin.kind == AdminKind::add) {
      admin.step = Pending::Step::joining;
    } else {
      finish(admin, Outcome::applied, {});
    }
    ctx_.wants_turn = true;
  }
  if (entry.kind == raft::EntryKind::configuration) forwarded_removal_applied(entry);
}

// A node of another cluster, or of none, answers at a member's address. If it is the learner that was just committed,
// this leader invites it into the cluster.
void MembershipChanges::peer_refused(raft::NodeId id, const std::string& why, const WhoIAm& theirs, Millis now) {
  if (!ctx_.leads() || ctx_.raft->change_pending()) return;
  const raft::Member* member = ctx_.raft->configuration().find(id);
  if (member == nullptr || theirs.identity.instance != id || theirs.identity.cluster == ctx_.cluster) return;
  if (theirs.standing == Standing::member) {
    if (member->suffrage == raft::Suffrage::learner) refused_to_adopt_[id] = why;
    return;
  }
  Millis& tried = adopt_tried_[id];
  if (tried != 0 && now < tried + kAdoptEveryMs) return;
  tried = now;
  adopting_[ctx_.next_number] = id;
  ctx_.transport.ask(ctx_.next_number++, peers_.addresses_of(*member).raft_address,
                     Adopt{ctx_.cluster, id, ctx_.options.name});
}

void MembershipChanges::adopted(uint64_t request, const Result<Answer>& answer) {
  const auto it = adopting_.find(request);
  const raft::NodeId id = it->second;
  adopting_.erase(it);
  const auto* reply = answer ? std::get_if<Adopted>(&*answer) : nullptr;
  if (reply != nullptr && !reply->ok) logf(LogLevel::notice, "a learner was not adopted: %s", reply->why.c_str());
  if (reply != nullptr && reply->ok) adopt_tried_.erase(id);
}

// Removes a learner that turned out to belong to another cluster; it never had a vote.
void MembershipChanges::drop_refusing_learners(Millis now) {
  if (refused_to_adopt_.empty() || ctx_.raft->change_pending()) return;
  const auto [id, why] = *refused_to_adopt_.begin();
  refused_to_adopt_.erase(refused_to_adopt_.begin());
  const raft::Member* member = ctx_.raft->configuration().find(id);
  if (member == nullptr || member->suffrage != raft::Suffrage::learner) return;
  logf(LogLevel::warning, "removing learner %s again: %s", member->name.c_str(), why.c_str());
  for (Pending& admin : admin_)
    if (!admin.done && admin.target == id) finish(admin, Outcome::conflict, why);
  ctx_.raft->step(now, raft::ProposeConfiguration{ctx_.next_number++, ctx_.raft->configuration().without(id)});
}

// --- nodes that ask to be taken in

void MembershipChanges::answer_take_me_in(uint64_t question_id, const TakeMeIn& question, Millis now) {
  const Identity& who = question.who;
  TakenIn answer;
  if (!ctx_.raft || !ctx_.raft->leader_id()) {
    answer.why = ctx_.options.name + " knows no leader at the moment";
  } else if (ctx_.raft->leader_id() != ctx_.instance) {
    answer.leader_address = ctx_.leader() != nullptr ? peers_.addresses_of(*ctx_.leader()).raft_address : "";
    answer.why = ctx_.options.name + " is not the leader";
  } else if (const auto it = last_refusal_.find(who.name); it != last_refusal_.end()) {
    answer.why = it->second;
    last_refusal_.erase(it);  // the next time it asks, the addition is tried again
  } else {
    answer.accepted = true;
    const bool known =
        ctx_.raft->configuration().contains(who.instance) ||
        std::any_of(admin_.begin(), admin_.end(), [&](const Pending& admin) {
          return admin.admin.kind == AdminKind::add && admin.token == 0 && !admin.from && admin.admin.name == who.name;
        });
    if (!known && admin_.size() < kMaxAdmin) {
      ctx_.wants_turn = true;
      admin_.push_back({.token = 0,
                        .from = {},
                        .admin = {AdminKind::add, who.name, who.raft_address},
                        .deadline = now + kBackgroundMs});
    }
  }
  ctx_.transport.answer(question_id, std::move(answer));
}

// --- handing over

void MembershipChanges::transfer_to(Pending& admin, Millis now) {
  const raft::Member* member = ctx_.raft->configuration().find_name(admin.admin.name);
  if (member == nullptr) return finish(admin, Outcome::not_found, "no member is named " + admin.admin.name);
  if (member->id == ctx_.instance) return finish(admin, Outcome::applied, {});
  if (member->suffrage != raft::Suffrage::voter)
    return finish(admin, Outcome::conflict, admin.admin.name + " is a learner");
  if (peers_.silent(member->id, now)) return finish(admin, Outcome::conflict, admin.admin.name + " does not answer");
  if (ctx_.raft->change_pending() || ctx_.raft->transferring()) return wait_turn(admin, now);
  admin.target = member->id;
  admin.number = ctx_.next_number++;
  admin.step = Pending::Step::transferring;
  ctx_.raft->step(now, raft::TransferLeadership{admin.number, member->id});
}

// --- questions of these

bool MembershipChanges::answered(uint64_t request, const Result<Answer>& answer, Millis now) {
  if (adopting_.contains(request)) {
    adopted(request, answer);
    return true;
  }
  for (Pending& admin : admin_)
    if (!admin.done && admin.step == Pending::Step::probing && admin.number == request) {
      probed(admin, answer, now);
      return true;
    }
  return false;
}

}  // namespace wh::node
