// A node in no cluster yet. Alone, it founds one. With `join`, it asks the listed: is one in a cluster, it asks to be
// taken in; are a majority there and all of them empty, the one with the lowest address founds, with the durable grant
// of a majority, so that no two do. Also the other side: granting, and being adopted into a cluster.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/mutant.h"
#include "node/node.h"
#include "node/seeking.h"

namespace wh::node {
namespace {

constexpr Millis kRoundMs = 200;
constexpr Millis kRoundSpreadMs = 100;

// host:port, ordered by host, then by port as a number.
std::pair<std::string, unsigned long> address_order(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return {address, 0};
  return {address.substr(0, colon), std::strtoul(address.c_str() + colon + 1, nullptr, 10)};
}

std::string list_of(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) out += (out.empty() ? "" : "; ") + item;
  return out;
}

}  // namespace

Seeking::Seeking(std::vector<std::string> join) : listed_(std::move(join)) {
  std::sort(listed_.begin(), listed_.end(),
            [](const auto& a, const auto& b) { return address_order(a) < address_order(b); });
  listed_.erase(std::unique(listed_.begin(), listed_.end()), listed_.end());
}

// --- founding

void Node::found(Millis) {
  const raft::Configuration configuration({raft::Member{.id = instance_,
                                                        .name = options_.name,
                                                        .raft_address = options_.raft_address,
                                                        .http_address = options_.http_address,
                                                        .https_address = options_.https_address}});
  beginning_ = NewBeginning{.cluster = options_.fresh_cluster,
                            .hard_state = {raft::Term{1}, raft::kNobody},
                            .first_entry = raft::Entry{.index = raft::Index{1},
                                                       .term = raft::Term{1},
                                                       .kind = raft::EntryKind::configuration,
                                                       .payload = Bytes(configuration.encode())}};
  storage_.begin_anew(*beginning_);
}

void Node::beginning_persisted(Millis now) {
  const NewBeginning beginning = std::move(*std::exchange(beginning_, std::nullopt));
  cluster_ = beginning.cluster;
  strangers_.clear();
  saw_command_ = saw_others_ = false;
  granted_to_ = raft::kNobody;
  seeking_.reset();
  waiting_for_.clear();
  discarded_ = machine_.replace(machine::State{});
  raft::Recovered recovered{.hard_state = beginning.hard_state, .log = {}, .snapshot = std::nullopt};
  if (beginning.first_entry) {
    const raft::Entry& entry = *beginning.first_entry;
    recovered.log.last_index = entry.index;
    recovered.log.runs = {{entry.index, entry.term}};
    recovered.log.configurations = {{entry.index, *raft::Configuration::decode(entry.payload.view())}};
    recovered.log.tail = {entry};
    logf(LogLevel::notice, "founded cluster %s with this node, %s, alone in it", to_hex(cluster_).c_str(),
         options_.name.c_str());
  } else {
    logf(LogLevel::notice, "joined cluster %s as a learner", to_hex(cluster_).c_str());
  }
  start_raft(std::move(recovered), now);
  announce();
  if (adopt_question_) transport_.answer(*std::exchange(adopt_question_, std::nullopt), Adopted{true, {}});
}

// --- seeking

void Node::seek(Millis now) {
  if (beginning_ || now < seeking_->next_at() || !seeking_->round_over()) return;
  seeking_->known.clear();
  seeking_->unreachable.clear();
  seeking_->next_round(now + kRoundMs + prng_.below(kRoundSpreadMs));
  for (const std::string& address : seeking_->listed()) {
    seeking_->asked[next_number_] = address;
    transport_.ask(next_number_++, address, WhoAreYou{});
  }
}

void Node::seek_answered(uint64_t request, const Result<Answer>& answer, Millis now) {
  Seeking& seeking = *seeking_;
  if (request == seeking.taking_in) {
    seeking.taking_in = 0;
    const auto* taken = answer ? std::get_if<TakenIn>(&*answer) : nullptr;
    if (taken == nullptr) {
      waiting_for_ =
          "waiting to be taken in: " + (answer ? std::string("an answer of another kind came") : answer.error());
    } else if (taken->accepted) {
      waiting_for_ = "being taken into the cluster";
    } else if (!taken->why.empty() && waiting_for_ != taken->why) {
      waiting_for_ = taken->why;
      logf(LogLevel::notice, "not taken into the cluster yet: %s", taken->why.c_str());
    }
    return;
  }
  if (const auto it = seeking.grants_asked.find(request); it != seeking.grants_asked.end()) {
    const auto* granted = answer ? std::get_if<FoundingGranted>(&*answer) : nullptr;
    if (granted != nullptr && granted->granted) {
      ++seeking.grants;
    } else if (granted != nullptr) {
      waiting_for_ = "waiting to found the cluster: " + it->second + " refused: " + granted->why;
    }
    seeking.grants_asked.erase(it);
  } else if (const auto found = seeking.asked.find(request); found != seeking.asked.end()) {
    const auto* who = answer ? std::get_if<WhoIAm>(&*answer) : nullptr;
    if (who != nullptr) {
      seeking.known[found->second] = *who;
    } else {
      seeking.unreachable[found->second] = answer ? "an answer of another kind came" : answer.error();
    }
    seeking.asked.erase(found);
  } else {
    return;
  }
  seek_decide(now);
}

void Node::seek_decide(Millis now) {
  Seeking& seeking = *seeking_;
  if (beginning_ || seeking.taking_in != 0) return;
  if (seeking.attempt != 0) {
    if ((seeking.grants >= seeking.majority() || WH_MUTANT(founds_without_majority)) && !seeking.own_grant_pending()) {
      found(now);
    } else if (seeking.grants_asked.empty() && !seeking.own_grant_pending()) {
      seeking.attempt = 0;  // not this time; those who granted see that it is over
      granted_to_ = raft::kNobody;
    }
    return;
  }
  for (const auto& [address, who] : seeking.known) {
    if (who.identity.cluster == kNoCluster || who.identity.instance == instance_) continue;
    seeking.taking_in = next_number_++;
    transport_.ask(seeking.taking_in, who.leader_address.empty() ? address : who.leader_address, TakeMeIn{identity()});
    return;
  }
  if (!seeking.asked.empty()) return;

  // Everybody answered or was not there, and nobody is in a cluster.
  if (granted_to_ && granted_to_ != instance_)
    for (const auto& [address, who] : seeking.known)
      if (address == granted_address_ || who.identity.instance == granted_to_) release_grant(who);
  std::vector<std::string> missing;
  for (const auto& [address, why] : seeking.unreachable) missing.push_back(why);
  const auto lowest = std::find_if(seeking.listed().begin(), seeking.listed().end(),
                                   [&](const std::string& address) { return seeking.known.contains(address); });
  if (seeking.known.size() < seeking.majority()) {
    std::string waiting =
        "waiting for a majority of the listed nodes, or for one that is in a cluster: " + list_of(missing);
    if (waiting != waiting_for_) logf(LogLevel::notice, "%s", waiting.c_str());
    waiting_for_ = std::move(waiting);
    return;
  }
  if (seeking.known.at(*lowest).identity.instance != instance_) {
    std::string waiting = "waiting for " + *lowest + ", the lowest address that answers, to found the cluster";
    if (waiting != waiting_for_) logf(LogLevel::notice, "%s", waiting.c_str());
    waiting_for_ = std::move(waiting);
    return;
  }
  if (granted_to_ && granted_to_ != instance_) {
    waiting_for_ = "waiting for " + granted_address_ + ", to which this node granted the founding of the cluster";
    return;
  }
  // Its own grant binds it like any other, so it is durable too.
  waiting_for_ = "founding the cluster";
  seeking.attempt = prng_.next() | 1;
  seeking.grants = 1;
  seeking.expect_own_grant();
  granted_to_ = instance_;
  granted_attempt_ = seeking.attempt;
  granted_address_ = *lowest;
  storage_.save_grant({granted_to_, granted_attempt_, granted_address_});
  for (const auto& [address, who] : seeking.known) {
    if (who.identity.instance == instance_) continue;
    seeking.grants_asked[next_number_] = address;
    transport_.ask(next_number_++, address, GrantFounding{identity(), seeking.attempt});
  }
}

// A grant ends when its founder, still empty, says that the attempt it was given to is over, or was made by a process
// that is no more: it will never found with it.
void Node::release_grant(const WhoIAm& founder) {
  if (founder.identity.cluster != kNoCluster) return;
  if (founder.identity.instance == granted_to_ && founder.founding_attempt == granted_attempt_) return;
  granted_to_ = raft::kNobody;
}

// --- asked by others

void Node::answer_grant(uint64_t question_id, const GrantFounding& question, Millis) {
  const auto refuse = [&](std::string why) { transport_.answer(question_id, FoundingGranted{false, std::move(why)}); };
  if (!seeking_ || beginning_) return refuse("it is in a cluster, or is about to be");
  if (seeking_->attempt != 0) return refuse("it tries to found the cluster itself");
  // One attempt at a time, of the same founder too: a question that comes late must not replace the grant of a later
  // attempt.
  if (granted_to_ && (granted_to_ != question.founder.instance || granted_attempt_ != question.attempt) &&
      !WH_MUTANT(grants_twice))
    return refuse("it granted the founding to " + granted_address_ + " already, and has not heard that that is over");
  if (grant_question_) return refuse("it is busy with another grant");
  granted_to_ = question.founder.instance;
  granted_attempt_ = question.attempt;
  granted_address_ = question.founder.raft_address;
  // What this round was told of the founder is older than this grant, and must not end it.
  seeking_->asked.clear();
  seeking_->known.clear();
  grant_question_ = question_id;
  storage_.save_grant({granted_to_, granted_attempt_, granted_address_});
}

void Node::answer_adopt(uint64_t question_id, const Adopt& question, Millis) {
  const auto answer = [&](bool ok, std::string why) { transport_.answer(question_id, Adopted{ok, std::move(why)}); };
  if (question.instance != instance_ && !WH_MUTANT(adopted_for_another))
    return answer(false, "this is another instance");
  if (question.cluster == kNoCluster) return answer(false, "that is no cluster");
  if (cluster_ == question.cluster) return answer(true, {});
  if (beginning_ || adopt_question_ || grant_question_) return answer(false, "it is busy: try again");
  if (seeking_ && seeking_->attempt != 0) return answer(false, "it is busy: try again");
  if (standing() == Standing::member && !WH_MUTANT(member_is_adopted))
    return answer(false, options_.name + " is in cluster " + to_hex(cluster_) + " and holds data or other members");
  // From here on nothing more enters the old log; it goes away in one step with its term and vote.
  raft_.reset();
  abandon_taking();
  held_.clear();
  for (auto& [number, batch] : read_batches_) reads_.insert(reads_.end(), batch.reads.begin(), batch.reads.end());
  read_batches_.clear();
  for (ReadsAtIndex& batch : reads_at_index_) reads_.insert(reads_.end(), batch.reads.begin(), batch.reads.end());
  reads_at_index_.clear();
  adopt_question_ = question_id;
  beginning_ = NewBeginning{.cluster = question.cluster, .hard_state = {}, .first_entry = std::nullopt};
  logf(LogLevel::notice, "taken into cluster %s by %s", to_hex(question.cluster).c_str(), question.leader_name.c_str());
  storage_.begin_anew(*beginning_);
}

}  // namespace wh::node
