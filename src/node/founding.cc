#include "node/founding.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/mutant.h"

namespace wh::node {
namespace {

constexpr Millis kAskEveryMs = 200;
constexpr Millis kAskSpreadMs = 100;
constexpr Millis kLookUpEveryMs = 1'000;
constexpr Millis kSayEveryMs = 1'000;
constexpr size_t kMaxSaidBytes = 800;  // of FoundingView::waiting_for, the sentence for other nodes

// A node that met a member of a cluster grants the founding to this pseudo-instance, which stands for that cluster, for
// ever. An older release on the same disk respects that, as no founder with this instance ever says that its attempt is
// over.
constexpr raft::NodeId kACluster{~uint64_t{0}};

std::string list_of(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) out += (out.empty() ? "" : "; ") + item;
  return out;
}

}  // namespace

Founding::Founding(Context& context, const RecoveredNode& recovered)
    : ctx_(context),
      granted_to_(recovered.granted_to),
      granted_attempt_(recovered.granted_attempt),
      granted_address_(recovered.granted_address) {
  // A grant to itself was for an attempt of an earlier process life, which is over.
  if (granted_to_ == ctx_.instance) granted_to_ = raft::kNobody;
}

// A node that granted the founding to another, or met a member of a cluster, is bound by that in this process life too,
// even with an empty `join`.
void Founding::begin() {
  const NodeOptions& options = ctx_.options;
  if (options.join.empty() && !granted_to_) return found();
  seeking_ =
      std::make_unique<Seeking>(options.join, options.own, options.bootstrap_expect, ctx_.instance, options.name);
}

Millis Founding::next_deadline() const { return seeking_ && !beginning_ ? seeking_->next_due() : kNever; }

// --- founding

void Founding::begin_anew(NewBeginning beginning) {
  beginning_ = std::move(beginning);
  ctx_.beginning = true;
  ctx_.storage.begin_anew(*beginning_);
}

void Founding::found() {
  const raft::Configuration configuration({raft::Member{.id = ctx_.instance,
                                                        .name = ctx_.options.name,
                                                        .raft_address = ctx_.options.raft_address,
                                                        .http_address = ctx_.options.http_address,
                                                        .https_address = ctx_.options.https_address}});
  begin_anew({.cluster = ctx_.options.fresh_cluster,
              .hard_state = {raft::Term{1}, raft::kNobody},
              .first_entry = raft::Entry{.index = raft::Index{1},
                                         .term = raft::Term{1},
                                         .kind = raft::EntryKind::configuration,
                                         .payload = Bytes(configuration.encode())}});
}

raft::Recovered Founding::beginning_persisted() {
  const NewBeginning beginning = std::move(*std::exchange(beginning_, std::nullopt));
  ctx_.beginning = false;
  ctx_.cluster = beginning.cluster;
  ctx_.saw_command = ctx_.saw_others = false;
  granted_to_ = raft::kNobody;
  seeking_.reset();
  ctx_.waiting_for.clear();
  ctx_.discarded.push_back(ctx_.machine.replace(machine::State{}));
  raft::Recovered recovered{.hard_state = beginning.hard_state, .log = {}, .snapshot = std::nullopt};
  if (beginning.first_entry) {
    const raft::Entry& entry = *beginning.first_entry;
    recovered.log.last_index = entry.index;
    recovered.log.runs = {{entry.index, entry.term}};
    recovered.log.configurations = {{entry.index, *raft::Configuration::decode(entry.payload.view())}};
    recovered.log.tail = {entry};
    logf(LogLevel::notice, "founded cluster %s with this node, %s, alone in it", to_hex(ctx_.cluster).c_str(),
         ctx_.options.name.c_str());
  } else {
    logf(LogLevel::notice, "joined cluster %s as a learner", to_hex(ctx_.cluster).c_str());
  }
  return recovered;
}

void Founding::started() {
  ctx_.announce();
  if (adopt_question_) ctx_.transport.answer(*std::exchange(adopt_question_, std::nullopt), Adopted{true, {}});
}

// --- seeking

void Founding::seek(Millis now) {
  if (!seeking_ || beginning_) return;
  Seeking& seeking = *seeking_;
  while (Seeking::Entry* entry = seeking.entry_due(now)) {
    entry->lookup = ctx_.next_number++;
    ctx_.transport.resolve(entry->lookup, entry->key);
  }
  while (auto* probe = seeking.probe_due(now)) {
    probe->second.request = ctx_.next_number++;
    ctx_.transport.ask(probe->second.request, probe->first,
                       WhoAreYou{seeking.entry_of(probe->first).key, probe->first});
  }
  decide(now);
}

void Founding::resolved(uint64_t request, const Result<std::vector<std::string>>& addresses, Millis now) {
  if (!seeking_) return;
  if (Seeking::Entry* entry = seeking_->entry_looked_up_by(request))
    seeking_->looked_up(*entry, addresses, now + kLookUpEveryMs);
}

void Founding::answered(uint64_t request, const Result<Answer>& answer, Millis now) {
  if (!seeking_) return;
  Seeking& seeking = *seeking_;
  if (request == seeking.taking_in) return taken_in(answer);
  if (const auto it = seeking.grants_asked.find(request); it != seeking.grants_asked.end()) {
    const auto* granted = answer ? std::get_if<FoundingGranted>(&*answer) : nullptr;
    if (granted != nullptr && granted->granted) {
      ++seeking.grants;
    } else if (granted != nullptr) {
      say_waiting("waiting to found the cluster: " + it->second + " refused: " + granted->why, now);
    }
    seeking.grants_asked.erase(it);
    return;
  }
  Seeking::Probe* probe = seeking.probe_asked_by(request);
  if (probe == nullptr) return;
  const auto* who = answer ? std::get_if<WhoIAm>(&*answer) : nullptr;
  probe->request = 0;
  probe->next_at = now + kAskEveryMs + ctx_.prng.below(kAskSpreadMs);
  probe->tried = true;
  probe->who = who != nullptr ? std::optional(*who) : std::nullopt;
  probe->error = who != nullptr ? "" : answer ? "an answer of another kind came" : answer.error();
  if (who == nullptr) return;
  if (who->identity.cluster != kNoCluster && who->identity.instance != ctx_.instance) meet(who->identity);
  if (granted_to_ && granted_to_ != ctx_.instance &&
      (who->identity.raft_address == granted_address_ || who->identity.instance == granted_to_))
    release_grant(*who);
}

void Founding::taken_in(const Result<Answer>& answer) {
  seeking_->taking_in = 0;
  const auto* taken = answer ? std::get_if<TakenIn>(&*answer) : nullptr;
  if (taken == nullptr) {
    ctx_.waiting_for =
        "waiting to be taken in: " + (answer ? std::string("an answer of another kind came") : answer.error());
  } else if (taken->accepted) {
    ctx_.waiting_for = "being taken into the cluster";
  } else if (!taken->why.empty() && ctx_.waiting_for != taken->why) {
    ctx_.waiting_for = taken->why;
    logf(LogLevel::notice, "not taken into the cluster yet: %s", taken->why.c_str());
  }
}

// A member that calls this node counts like one that this node dialled, if it has proved itself. Without cluster-secret
// and tls-cluster no caller can prove itself, and one hello of a stranger would keep this node from founding for ever;
// then only members count that this node finds at the addresses which its operator configured.
void Founding::met(const Identity& member) {
  if (seeking_ && !beginning_ && member.instance != ctx_.instance) meet(member);
}

// From now on this node neither founds a cluster nor grants, whatever happens to the cluster that it met: that cluster
// may hold acknowledged data while all of its members are away.
void Founding::meet(const Identity& member) {
  if (granted_to_ == kACluster || WH_MUTANT(founds_after_meeting_a_cluster)) return;
  grant_to(kACluster, 0, "cluster " + to_hex(member.cluster));
}

void Founding::grant_to(raft::NodeId founder, uint64_t attempt, std::string address) {
  granted_to_ = founder;
  granted_attempt_ = attempt;
  granted_address_ = std::move(address);
  ctx_.storage.save_grant({granted_to_, granted_attempt_, granted_address_});
}

// The nodes in a cluster are asked one after the other: one may know a leader that this node cannot reach. A cluster
// that holds data is preferred to the cluster of a single empty node.
bool Founding::ask_to_be_taken_in(Millis now) {
  Seeking& seeking = *seeking_;
  std::vector<std::string> data;
  std::vector<std::string> empty;
  for (const auto& [address, probe] : seeking.probes()) {
    if (!probe.who || probe.who->identity.cluster == kNoCluster || probe.who->identity.instance == ctx_.instance)
      continue;
    (probe.who->standing == Standing::member ? data : empty)
        .push_back(probe.who->leader_address.empty() ? address : probe.who->leader_address);
  }
  const std::vector<std::string>& members = data.empty() ? empty : data;
  if (members.empty()) return false;
  if (now < seeking.take_again_at) return true;
  seeking.take_again_at = now + kAskEveryMs + ctx_.prng.below(kAskSpreadMs);
  seeking.taking_in = ctx_.next_number++;
  ctx_.transport.ask(seeking.taking_in, members[seeking.take_turn++ % members.size()], TakeMeIn{ctx_.identity()});
  return true;
}

// Logs the sentence when it changes, at most once a second.
void Founding::say_waiting(std::string text, Millis now) {
  ctx_.waiting_for = std::move(text);
  if (ctx_.waiting_for == said_waiting_for_ || now < say_waiting_at_) return;
  logf(LogLevel::notice, "%s", ctx_.waiting_for.c_str());
  said_waiting_for_ = ctx_.waiting_for;
  say_waiting_at_ = now + kSayEveryMs;
}

void Founding::decide(Millis now) {
  Seeking& seeking = *seeking_;
  if (beginning_ || seeking.taking_in != 0) return;
  if (seeking.attempt != 0 && granted_to_ == ctx_.instance) return gather_grants(now);
  seeking.attempt = 0;  // the attempt is over: a member of a cluster was met meanwhile
  if (!seeking.grants_asked.empty() || seeking.own_grant_pending()) return;
  if (ask_to_be_taken_in(now)) return seeking.electorate.clear();
  const Seeking::View view = seeking.view();
  if (!view.settled) return;
  seeking.electorate.clear();
  if (view.complete && granted_to_ != kACluster)
    for (const auto& [id, found] : view.nodes) seeking.electorate.push_back(id);
  if (granted_to_ == kACluster)
    return say_waiting("this node has met " + granted_address_ +
                           " and founds no other: waiting for one of its members" + missing_text(view) +
                           "; should that cluster be gone for good, empty this node's directory, which holds no data",
                       now);
  if (!view.complete) return say_waiting(expected_text(view), now);
  if (std::string other = who_founds(view); !other.empty()) return say_waiting(std::move(other), now);
  if (granted_to_ && granted_to_ != ctx_.instance)
    return say_waiting("waiting for " + granted_address_ + ", to which this node granted the founding of the cluster",
                       now);
  if (now >= seeking.attempt_again_at) ask_for_grants(view);
}

std::string Founding::missing_text(const View& view) const {
  return view.missing.empty() ? std::string() : ": " + list_of(view.missing);
}

// The nodes that this node waits for, what each answered, and what would help.
std::string Founding::expected_text(const View& view) const {
  std::string there;
  for (const auto& [id, found] : view.nodes) {
    there += there.empty() ? "" : ", ";
    there +=
        id == ctx_.instance ? ctx_.options.name + " (this node)" : found.who->identity.name + " at " + found.address;
  }
  std::string text = view.obstacle.empty()
                         ? "waiting for " + std::to_string(view.expected) + (view.expected == 1 ? " node" : " nodes") +
                               ", all of them empty, to found a cluster, or for one that is in a cluster"
                         : "waiting for a node that is in a cluster; this one founds none: " + view.obstacle;
  text += "; " + std::to_string(view.nodes.size()) + (view.nodes.size() == 1 ? " is" : " are") + " there: " + there;
  if (!view.missing.empty()) text += "; nobody answers at " + list_of(view.missing);
  if (!view.remark.empty()) text += "; " + view.remark;
  if (view.obstacle.empty() && view.missing.empty())
    text += "; join names no more nodes: add to it, or set bootstrap-expect to how many there are to be";
  const bool knows_itself = std::any_of(seeking_->probes().begin(), seeking_->probes().end(), [&](const auto& probe) {
    return probe.second.who && probe.second.who->identity.instance == ctx_.instance;
  });
  if (!view.missing.empty() && !knows_itself)
    text +=
        "; this node does not reach itself by join: should one of them be this node itself, name it by "
        "announce-address";
  return text;
}

// The reason to wait for another founder; empty: this node founds. Of nodes that expect the same nodes, the first by
// name founds; a node that expects more nodes comes before one that expects fewer.
std::string Founding::who_founds(const View& view) const {
  const std::vector<raft::NodeId>& electorate = seeking_->electorate;
  const auto within = [](const std::vector<raft::NodeId>& small, const std::vector<raft::NodeId>& large) {
    return std::includes(large.begin(), large.end(), small.begin(), small.end());
  };
  std::pair<std::string, raft::NodeId> first{ctx_.options.name, ctx_.instance};
  for (const auto& [id, found] : view.nodes) {
    if (id == ctx_.instance || !found.who->view) continue;  // an older release: it grants, but never founds first
    const Identity& who = found.who->identity;
    const std::vector<raft::NodeId>& theirs = found.who->view->electorate;
    if (theirs.empty())
      return "all " + std::to_string(view.nodes.size()) + " nodes are there, but " + who.name + " at " + found.address +
             " does not take part yet; it says: " +
             (found.who->view->waiting_for.empty() ? "nothing yet" : found.who->view->waiting_for);
    if (theirs != electorate && within(electorate, theirs))
      return "waiting for " + who.name + ", whose join names more nodes, to found the cluster";
    if (theirs != electorate && !within(theirs, electorate) && ctx_.options.bootstrap_expect == 0)
      return "the lists differ: join of " + who.name + " at " + found.address +
             " names nodes that join of this node does not: name the same ones on all nodes";
    if (theirs == electorate) first = std::min(first, {who.name, id});
  }
  if (first.second == ctx_.instance) return {};
  return "waiting for " + first.first + ", the first by name of the nodes that are there, to found the cluster";
}

void Founding::ask_for_grants(const View& view) {
  Seeking& seeking = *seeking_;
  // This node's own grant binds it like any other, so it must be durable too.
  ctx_.waiting_for = "founding the cluster";
  seeking.attempt = ctx_.prng.next() | 1;
  seeking.grants = 1;
  seeking.expect_own_grant();
  grant_to(ctx_.instance, seeking.attempt, ctx_.options.raft_address);
  for (const auto& [id, found] : view.nodes) {
    if (id == ctx_.instance) continue;
    seeking.grants_asked[ctx_.next_number] = found.who->identity.name + " at " + found.address;
    ctx_.transport.ask(ctx_.next_number++, found.address,
                       GrantFounding{ctx_.identity(), seeking.attempt, seeking.electorate});
  }
}

void Founding::gather_grants(Millis now) {
  Seeking& seeking = *seeking_;
  const size_t needed = WH_MUTANT(founds_without_all) ? 1 : seeking.electorate.size();
  if (seeking.grants >= needed && !seeking.own_grant_pending()) {
    found();
  } else if (seeking.grants_asked.empty() && !seeking.own_grant_pending()) {
    // This attempt failed; the nodes that granted will see that it is over.
    seeking.attempt = 0;
    seeking.attempt_again_at = now + kAskEveryMs + ctx_.prng.below(2 * kAskEveryMs);
    granted_to_ = raft::kNobody;
  }
}

// A grant ends when an empty node answers as the founder, or at its address, without naming this attempt: the attempt
// is over, or another process or disk took the founder's place. Nobody will found with that grant.
void Founding::release_grant(const WhoIAm& founder) {
  if (founder.identity.cluster != kNoCluster) return;
  if (founder.identity.instance == granted_to_ && founder.founding_attempt == granted_attempt_) return;
  granted_to_ = raft::kNobody;
}

// --- asked by others

void Founding::answer_grant(uint64_t question_id, const GrantFounding& question, Millis now) {
  const auto refuse = [&](std::string why) {
    ctx_.transport.answer(question_id, FoundingGranted{false, std::move(why)});
  };
  if (!seeking_ || beginning_) return refuse("it is in a cluster, or is about to be");
  if (granted_to_ == kACluster)
    return refuse("it has met a member of " + granted_address_ + " and helps to found no other");
  if (seeking_->attempt != 0) return refuse("it tries to found the cluster itself");
  if (question.electorate.empty())
    return refuse("the founder runs an older release, which does not say whom it expects: install this release on it");
  const Seeking::View view = seeking_->view();
  if (!seeking_->agrees(view, question.electorate))
    return refuse(view.complete ? "its join names nodes that the founder's does not" : expected_text(view));
  // One attempt at a time, even of the same founder: a question that arrives late must not replace the grant of a later
  // attempt.
  if (granted_to_ && (granted_to_ != question.founder.instance || granted_attempt_ != question.attempt) &&
      !WH_MUTANT(grants_twice))
    return refuse("it granted the founding to " + granted_address_ + " already, and has not heard that that is over");
  if (grant_question_) return refuse("it is busy with another grant");
  // Questions to the founder that are in progress now were asked before this grant, so their answers must not end it.
  // Answers that came before stay valid: otherwise this node would refuse the next attempt until every node has
  // answered again.
  seeking_->ask_anew(now);
  grant_question_ = question_id;
  grant_to(question.founder.instance, question.attempt, question.founder.raft_address);
}

// Grants become durable in the order in which they were saved: a grant to the asker or to this node itself comes first,
// and one that notes a cluster met meanwhile comes after it.
void Founding::grant_persisted() {
  if (grant_question_) {
    const bool met = granted_to_ == kACluster;
    ctx_.transport.answer(*std::exchange(grant_question_, std::nullopt),
                          met ? FoundingGranted{false, "it has met a member of " + granted_address_ + " meanwhile"}
                              : FoundingGranted{true, {}});
  }
  if (seeking_) seeking_->own_grant_saved();
}

void Founding::describe(const WhoAreYou& question, WhoIAm& answer) {
  if (!seeking_) return;
  seeking_->reached_by(question);
  answer.founding_attempt = seeking_->attempt;
  answer.view = FoundingView{seeking_->electorate, ctx_.waiting_for.substr(0, kMaxSaidBytes)};
}

bool Founding::answer_adopt(uint64_t question_id, const Adopt& question) {
  const auto answer = [&](bool ok, std::string why) {
    ctx_.transport.answer(question_id, Adopted{ok, std::move(why)});
    return false;
  };
  if (question.instance != ctx_.instance && !WH_MUTANT(adopted_for_another))
    return answer(false, "this is another instance");
  if (question.cluster == kNoCluster) return answer(false, "that is no cluster");
  if (ctx_.cluster == question.cluster) return answer(true, {});
  if (beginning_ || adopt_question_ || grant_question_) return answer(false, "it is busy: try again");
  if (seeking_ && seeking_->attempt != 0) return answer(false, "it is busy: try again");
  if (ctx_.standing() == Standing::member && !WH_MUTANT(member_is_adopted))
    return answer(false,
                  ctx_.options.name + " is in cluster " + to_hex(ctx_.cluster) + " and holds data or other members");
  // From now on nothing is added to the old log; it is replaced in one step, with its term and vote.
  adopt_question_ = question_id;
  logf(LogLevel::notice, "taken into cluster %s by %s", to_hex(question.cluster).c_str(), question.leader_name.c_str());
  begin_anew({.cluster = question.cluster, .hard_state = {}, .first_entry = std::nullopt});
  return true;
}

}  // namespace wh::node
