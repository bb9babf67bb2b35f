#include "scenario.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <sstream>
#include <vector>

#include "cluster.h"
#include "message_facts.h"

namespace wh::raft::test {
namespace {

using Words = std::vector<std::string>;

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::stringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);)
    if (!part.empty()) parts.push_back(part);
  return parts;
}

template <class List, class Show>
std::string joined(const List& list, Show show) {
  std::string out;
  for (const auto& item : list) out += (out.empty() ? "" : ",") + show(item);
  return out.empty() ? "none" : out;
}

const char* to_string(Refusal refusal) {
  switch (refusal) {
    case Refusal::none:
      return "none";
    case Refusal::not_leader:
      return "not-leader";
    case Refusal::overloaded:
      return "overloaded";
    case Refusal::change_pending:
      return "change-pending";
    case Refusal::bad_change:
      return "bad-change";
    case Refusal::cannot_transfer:
      return "cannot-transfer";
  }
  return "?";
}

class Story {
 public:
  // Empty, or what is wrong with the line.
  std::string line(const Words& words);

 private:
  struct Step {
    size_t least;  // arguments
    size_t most;
    std::string (Story::*run)(const Words&);
  };
  static const std::map<std::string, Step>& steps();

  // Arguments. A word that does not parse is remembered in wrong_ and reported for the line.
  uint64_t number(const std::string& word);
  Millis duration(const std::string& word);
  Id server(const std::string& word);   // one that exists
  Id running(const std::string& word);  // one that exists and runs
  std::pair<Id, Id> ends(const std::string& word);
  std::vector<uint64_t> numbers(const std::string& word);

  std::string option(const Words& w);
  std::string nodes(const Words& w);
  std::string make_server(const Words& w);
  std::string outsider(const Words& w);
  std::string timeout(const Words& w);
  std::string elect(const Words& w);
  std::string deliver(const Words& w);
  std::string drop(const Words& w);
  std::string take(const Words& w);
  std::string replay(const Words& w);
  std::string corrupt(const Words& w);
  std::string duplicate(const Words& w);
  std::string reverse(const Words& w);
  std::string cut(const Words& w);
  std::string cut_oneway(const Words& w);
  std::string isolate(const Words& w);
  std::string clog(const Words& w);
  std::string heal(const Words&);
  std::string propose(const Words& w);
  std::string fill(const Words& w);
  std::string sync(const Words& w);
  std::string sync_one(const Words& w);
  std::string hold(const Words& w);
  std::string release(const Words& w);
  std::string crash(const Words& w);
  std::string restart(const Words& w);
  std::string pause(const Words& w);
  std::string disk_copy(const Words& w);
  std::string advance(const Words& w);
  std::string run(const Words& w);
  std::string clock(const Words& w);
  std::string change(const Words& w);
  std::string snapshot(const Words& w);
  std::string read(const Words& w);
  std::string transfer(const Words& w);
  std::string peer_lost(const Words& w);
  std::string disk(const Words& w);
  std::string greet(const Words& w);
  std::string expect(const Words& w);
  std::string await(const Words& w);
  std::string await_leader(const Words&);
  std::string expect_sent(const Words& w);
  std::string expect_message(const Words& w);
  std::string expect_leader(const Words& w);
  std::string expect_no_leader(const Words&);
  std::string expect_read(const Words& w);
  std::string expect_proposal(const Words& w);
  std::string expect_transfer(const Words& w);
  std::string converge(const Words&);
  std::string fact(Id id, const std::string& key);
  std::string peer_fact(Id id, const std::string& key, Id peer);
  template <class Ask>
  std::string differences(const Words& w, size_t first, Ask ask);

  struct Kept {
    Id from;
    Id to;
    MessageBody body;
  };

  Cluster cluster_;
  std::vector<Id> ids_;
  std::map<std::string, uint64_t> reads_;
  std::map<std::string, uint64_t> proposals_;
  std::map<std::string, Kept> kept_;  // messages set aside
  std::map<Id, Disk> copies_;         // disks set aside
  std::string wrong_;
};

const std::map<std::string, Story::Step>& Story::steps() {
  static const std::map<std::string, Step> table{
      {"option", {2, 2, &Story::option}},
      {"nodes", {1, 9, &Story::nodes}},
      {"server", {2, 7, &Story::make_server}},
      {"outsider", {1, 1, &Story::outsider}},
      {"timeout", {1, 1, &Story::timeout}},
      {"elect", {1, 1, &Story::elect}},
      {"deliver", {1, 2, &Story::deliver}},
      {"drop", {1, 2, &Story::drop}},
      {"take", {3, 3, &Story::take}},
      {"copy", {3, 3, &Story::take}},
      {"replay", {1, 1, &Story::replay}},
      {"corrupt", {1, 1, &Story::corrupt}},
      {"duplicate", {1, 1, &Story::duplicate}},
      {"reverse", {1, 1, &Story::reverse}},
      {"cut", {2, 2, &Story::cut}},
      {"cut-oneway", {1, 1, &Story::cut_oneway}},
      {"isolate", {1, 1, &Story::isolate}},
      {"clog", {1, 1, &Story::clog}},
      {"unclog", {1, 1, &Story::clog}},
      {"heal", {0, 0, &Story::heal}},
      {"propose", {2, 2, &Story::propose}},
      {"fill", {3, 3, &Story::fill}},
      {"sync", {1, 1, &Story::sync}},
      {"sync-one", {1, 1, &Story::sync_one}},
      {"hold-sync", {1, 1, &Story::hold}},
      {"hold-loads", {1, 1, &Story::hold}},
      {"hold-install", {1, 1, &Story::hold}},
      {"release-sync", {1, 1, &Story::release}},
      {"release-loads", {1, 1, &Story::release}},
      {"release-install", {1, 1, &Story::release}},
      {"crash", {1, 2, &Story::crash}},
      {"restart", {1, 1, &Story::restart}},
      {"pause", {1, 1, &Story::pause}},
      {"resume", {1, 1, &Story::pause}},
      {"copy-disk", {1, 1, &Story::disk_copy}},
      {"old-disk", {1, 1, &Story::disk_copy}},
      {"advance", {1, 1, &Story::advance}},
      {"run", {1, 1, &Story::run}},
      {"clock", {2, 2, &Story::clock}},
      {"add", {2, 2, &Story::change}},
      {"add-learner", {2, 2, &Story::change}},
      {"remove", {2, 2, &Story::change}},
      {"snapshot", {1, 1, &Story::snapshot}},
      {"read", {2, 2, &Story::read}},
      {"transfer", {2, 2, &Story::transfer}},
      {"peer-lost", {2, 2, &Story::peer_lost}},
      {"disk", {2, 2, &Story::disk}},
      {"greet", {1, 1, &Story::greet}},
      {"expect", {2, 16, &Story::expect}},
      {"await", {2, 16, &Story::await}},
      {"await-leader", {0, 0, &Story::await_leader}},
      {"expect-sent", {2, 2, &Story::expect_sent}},
      {"expect-message", {3, 12, &Story::expect_message}},
      {"expect-leader", {1, 1, &Story::expect_leader}},
      {"expect-no-leader", {0, 0, &Story::expect_no_leader}},
      {"expect-read", {2, 3, &Story::expect_read}},
      {"expect-proposal", {2, 2, &Story::expect_proposal}},
      {"expect-transfer", {2, 2, &Story::expect_transfer}},
      {"converge", {0, 0, &Story::converge}},
  };
  return table;
}

std::string Story::line(const Words& words) {
  const auto step = steps().find(words[0]);
  if (step == steps().end()) return "no such step: " + words[0];
  const size_t arguments = words.size() - 1;
  if (arguments < step->second.least || arguments > step->second.most)
    return words[0] + " does not take " + std::to_string(arguments) + " arguments";
  wrong_.clear();
  std::string result = (this->*step->second.run)(words);
  if (!wrong_.empty()) result = wrong_;
  for (const std::string& violation : cluster_.take_violations())
    result += (result.empty() ? "" : "; ") + ("invariant broken: " + violation);
  return result;
}

uint64_t Story::number(const std::string& word) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size() || word.empty()) {
    wrong_ = "not a number: " + word;
    return 0;
  }
  return value;
}

Millis Story::duration(const std::string& word) {
  const std::string digits = word.starts_with('+') ? word.substr(1) : word;
  if (!digits.ends_with("ms")) {
    wrong_ = "not a time in ms: " + word;
    return 0;
  }
  return number(digits.substr(0, digits.size() - 2));
}

Id Story::server(const std::string& word) {
  const Id id = number(word);
  if (wrong_.empty() && !cluster_.exists(id)) wrong_ = "no such server: " + word;
  if (!wrong_.empty()) return ids_.empty() ? 0 : ids_.front();
  return id;
}

Id Story::running(const std::string& word) {
  const Id id = server(word);
  if (wrong_.empty() && !cluster_.at(id).raft) wrong_ = "server " + word + " does not run";
  return id;
}

std::pair<Id, Id> Story::ends(const std::string& word) {
  const size_t arrow = word.find("->");
  if (arrow == std::string::npos) {
    wrong_ = "not a link A->B: " + word;
    return {};
  }
  return {number(word.substr(0, arrow)), number(word.substr(arrow + 2))};
}

std::vector<uint64_t> Story::numbers(const std::string& word) {
  std::vector<uint64_t> result;
  if (word == "none") return result;
  for (const std::string& part : split(word, ',')) result.push_back(number(part));
  return result;
}

// --- steps

std::string Story::option(const Words& w) {
  const uint64_t value = number(w[2]);
  if (!ids_.empty()) return "options come before the servers";
  Options& options = cluster_.options;
  const std::map<std::string, uint64_t*> numbers{
      {"trailing", &options.trailing_entries}, {"cache", &options.log_cache_bytes},
      {"append", &options.max_append_bytes},   {"uncommitted", &options.max_uncommitted_bytes},
      {"held", &options.held_log_bytes},       {"apply", &options.max_apply_bytes}};
  if (const auto found = numbers.find(w[1]); found != numbers.end()) {
    *found->second = value;
  } else if (w[1] == "in-flight") {
    options.max_in_flight_messages = value;
  } else if (w[1] == "recovered") {
    cluster_.recovered_tail = value;
  } else if (w[1] == "chunk") {
    cluster_.chunk_bytes = value;
  } else {
    return "no such option: " + w[1];
  }
  return {};
}

std::string Story::nodes(const Words& w) {
  for (size_t i = 1; i < w.size(); ++i) ids_.push_back(number(w[i]));
  if (wrong_.empty()) cluster_.nodes(ids_);
  return {};
}

// server 2 voters=1,2,3 term=4 vote=1 log=1,1,4 change=3:1,2,3,4
std::string Story::make_server(const Words& w) {
  const Id id = number(w[1]);
  std::vector<uint64_t> voters;
  std::vector<uint64_t> log;
  std::map<uint64_t, std::vector<uint64_t>> changes;  // by index, the voters since then
  HardState state;
  for (size_t i = 2; i < w.size(); ++i) {
    const std::vector<std::string> pair = split(w[i], '=');
    if (pair.size() != 2) return "not key=value: " + w[i];
    if (pair[0] == "voters") {
      voters = numbers(pair[1]);
    } else if (pair[0] == "log") {
      log = numbers(pair[1]);
    } else if (pair[0] == "term") {
      state.current_term = Term{number(pair[1])};
    } else if (pair[0] == "vote") {
      state.voted_for = NodeId{number(pair[1])};
    } else if (pair[0] == "change") {
      const std::vector<std::string> change = split(pair[1], ':');
      if (change.size() != 2) return "not INDEX:VOTERS: " + pair[1];
      changes[number(change[0])] = numbers(change[1]);
    } else {
      return "a server has no " + pair[0];
    }
  }
  if (!wrong_.empty()) return {};
  Disk disk = cluster_.disk_of(voters, log, 0);
  disk.hard_state = state;
  Configuration configuration = disk.genesis;
  for (const auto& [index, since] : changes) {
    if (index == 0 || index > log.size()) return "its log does not reach index " + std::to_string(index);
    const Configuration before = configuration;
    for (const Member& m : before.members())
      if (std::find(since.begin(), since.end(), m.id.value) == since.end()) configuration = configuration.without(m.id);
    for (const uint64_t voter : since) configuration = configuration.with(member_of(voter));
    disk.log[index - 1].kind = EntryKind::configuration;
    disk.log[index - 1].payload = Bytes(configuration.encode());
  }
  ids_.push_back(id);
  cluster_.add(id, std::move(disk));
  return {};
}

std::string Story::outsider(const Words& w) {
  const Id id = number(w[1]);
  ids_.push_back(id);
  if (wrong_.empty()) cluster_.outsider(id);
  return {};
}

std::string Story::timeout(const Words& w) {
  const Id id = running(w[1]);
  if (wrong_.empty()) cluster_.timeout(id);
  return {};
}

// Whoever heard from a leader forgets it by time; then this one campaigns and everything is delivered.
std::string Story::elect(const Words& w) {
  const Id id = running(w[1]);
  if (!wrong_.empty()) return {};
  for (int attempt = 0; attempt < 4 && cluster_.raft(id).role() != Role::leader; ++attempt) {
    if (attempt > 0)
      for (const Id other : ids_)
        if (other != id) cluster_.at(other).skew += 501;
    cluster_.timeout(id);
    cluster_.deliver_all();
  }
  return cluster_.raft(id).role() == Role::leader ? "" : "server " + w[1] + " was not elected";
}

std::string Story::deliver(const Words& w) {
  if (w[1] == "all") {
    cluster_.deliver_all();
    return {};
  }
  const auto [from, to] = ends(w[1]);
  if (wrong_.empty() && w.size() > 2 && w[2].find_first_not_of("0123456789") != std::string::npos) {
    // The first of that kind, past all that stands before it.
    auto& queue = cluster_.link(from, to);
    const auto found =
        std::find_if(queue.begin(), queue.end(), [&](const MessageBody& body) { return kind_of(body) == w[2]; });
    if (found == queue.end()) return "no " + w[2] + " is under way on " + w[1];
    MessageBody body = *found;
    queue.erase(found);
    if (cluster_.exists(to)) cluster_.receive(to, from, std::move(body));
    return {};
  }
  const size_t count = w.size() > 2 ? number(w[2]) : SIZE_MAX;
  if (!wrong_.empty()) return {};
  return cluster_.deliver(from, to, count) == 0 ? "nothing is under way on " + w[1] : "";
}

std::string Story::drop(const Words& w) {
  const auto [from, to] = ends(w[1]);
  if (!wrong_.empty()) return {};
  if (w.size() == 2) {
    cluster_.drop(from, to);
  } else if (std::erase_if(cluster_.link(from, to), [&](const auto& body) { return kind_of(body) == w[2]; }) == 0) {
    return "no " + w[2] + " is under way on " + w[1];
  }
  return {};
}

// `take 1->2 append old`: the first of that kind is set aside under a name; `copy` leaves it under way as well.
std::string Story::take(const Words& w) {
  const auto [from, to] = ends(w[1]);
  if (!wrong_.empty()) return {};
  auto& queue = cluster_.link(from, to);
  const auto found =
      std::find_if(queue.begin(), queue.end(), [&](const MessageBody& body) { return kind_of(body) == w[2]; });
  if (found == queue.end()) return "no " + w[2] + " is under way on " + w[1];
  kept_.insert_or_assign(w[3], Kept{from, to, *found});
  if (w[0] == "take") queue.erase(found);
  return {};
}

// Arrives now, and again whenever it is said.
std::string Story::replay(const Words& w) {
  const auto found = kept_.find(w[1]);
  if (found == kept_.end()) return "no message was set aside as " + w[1];
  const Kept& kept = found->second;
  if (!cluster_.exists(kept.to) || !cluster_.at(kept.to).raft) return "who it is for does not run";
  cluster_.receive(kept.to, kept.from, kept.body);
  return {};
}

// A byte of every chunk that is under way there changes.
std::string Story::corrupt(const Words& w) {
  const auto [from, to] = ends(w[1]);
  if (!wrong_.empty()) return {};
  bool any = false;
  for (MessageBody& body : cluster_.link(from, to)) {
    auto* chunk = std::get_if<InstallSnapshot>(&body);
    if (chunk == nullptr || chunk->data.empty()) continue;
    std::string bytes(chunk->data.view());
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    chunk->data = Bytes(std::move(bytes));
    any = true;
  }
  return any ? "" : "no snapshot is under way on " + w[1];
}

std::string Story::duplicate(const Words& w) {
  const auto [from, to] = ends(w[1]);
  if (wrong_.empty()) cluster_.duplicate(from, to);
  return {};
}

std::string Story::reverse(const Words& w) {
  const auto [from, to] = ends(w[1]);
  if (wrong_.empty()) cluster_.reverse(from, to);
  return {};
}

std::string Story::cut(const Words& w) {
  const Id a = server(w[1]);
  const Id b = server(w[2]);
  if (wrong_.empty()) cluster_.cut_both(a, b);
  return {};
}

std::string Story::cut_oneway(const Words& w) {
  const auto [from, to] = ends(w[1]);
  if (wrong_.empty()) cluster_.cut(from, to);
  return {};
}

std::string Story::isolate(const Words& w) {
  const Id id = server(w[1]);
  if (wrong_.empty()) cluster_.isolate(id);
  return {};
}

std::string Story::clog(const Words& w) {
  const auto [from, to] = ends(w[1]);
  if (!wrong_.empty()) return {};
  if (w[0] == "clog") {
    cluster_.clog(from, to);
  } else {
    cluster_.unclog(from, to);
  }
  return {};
}

std::string Story::heal(const Words&) {
  cluster_.heal();
  return {};
}

std::string Story::propose(const Words& w) {
  const Id id = running(w[1]);
  if (wrong_.empty()) proposals_[w[2]] = cluster_.propose(id, w[2]);
  return {};
}

// `fill 1 20 a`: a1 to a20.
std::string Story::fill(const Words& w) {
  const Id id = running(w[1]);
  const uint64_t count = number(w[2]);
  if (!wrong_.empty()) return {};
  for (uint64_t i = 1; i <= count; ++i) {
    const std::string value = w[3] + std::to_string(i);
    proposals_[value] = cluster_.propose(id, value);
  }
  return {};
}

std::string Story::sync(const Words& w) {
  const Id id = running(w[1]);
  if (wrong_.empty()) cluster_.sync(id);
  return {};
}

std::string Story::sync_one(const Words& w) {
  const Id id = running(w[1]);
  if (!wrong_.empty()) return {};
  return cluster_.sync_one(id) ? "" : "nothing waits to be synced";
}

std::string Story::hold(const Words& w) {
  Server& s = cluster_.at(server(w[1]));
  if (!wrong_.empty()) return {};
  (w[0] == "hold-sync" ? s.hold_sync : w[0] == "hold-loads" ? s.hold_loads : s.hold_install) = true;
  return {};
}

std::string Story::release(const Words& w) {
  const Id id = server(w[1]);
  if (!wrong_.empty()) return {};
  if (w[0] == "release-sync") {
    cluster_.release_sync(id);
  } else if (w[0] == "release-loads") {
    cluster_.at(id).hold_loads = false;
    cluster_.answer_load(id);
  } else {
    cluster_.release_install(id);
  }
  return {};
}

// `crash 2`: now, and what is not synced is lost. `crash 2 before-sync`: when it next has something to sync.
std::string Story::crash(const Words& w) {
  const Id id = running(w[1]);
  if (!wrong_.empty()) return {};
  if (w.size() == 2) {
    cluster_.crash(id);
  } else if (w[2] == "before-sync") {
    cluster_.at(id).crash_before_sync = true;
  } else {
    return "crash when? " + w[2];
  }
  return {};
}

std::string Story::restart(const Words& w) {
  const Id id = server(w[1]);
  if (!wrong_.empty()) return {};
  if (cluster_.at(id).raft) return "server " + w[1] + " runs";
  cluster_.start(id);
  return {};
}

std::string Story::pause(const Words& w) {
  const Id id = running(w[1]);
  if (!wrong_.empty()) return {};
  if (cluster_.at(id).paused == (w[0] == "pause")) return "server " + w[1] + (w[0] == "pause" ? " stands" : " runs");
  if (w[0] == "pause") {
    cluster_.pause(id);
  } else {
    cluster_.resume(id);
  }
  return {};
}

// A copy of a server's disk is set aside, and put back while it is down.
std::string Story::disk_copy(const Words& w) {
  const Id id = server(w[1]);
  if (!wrong_.empty()) return {};
  Server& s = cluster_.at(id);
  if (w[0] == "copy-disk") {
    copies_[id] = s.disk;
    return {};
  }
  if (s.raft) return "server " + w[1] + " runs";
  if (!copies_.contains(id)) return "no copy was made";
  s.disk = copies_.at(id);
  s.old_disk = true;
  return {};
}

std::string Story::advance(const Words& w) {
  const Millis time = duration(w[1]);
  if (wrong_.empty()) cluster_.advance(time);
  return {};
}

std::string Story::run(const Words& w) {
  const Millis time = duration(w[1]);
  if (wrong_.empty()) cluster_.run(time);
  return {};
}

std::string Story::clock(const Words& w) {
  const Id id = server(w[1]);
  const bool back = w[2].starts_with('-');
  const Millis time = duration(back ? w[2].substr(1) : w[2]);
  if (!wrong_.empty()) return {};
  Millis& skew = cluster_.at(id).skew;
  if (back && time > skew) return "no clock runs behind the cluster's";
  skew = back ? skew - time : skew + time;
  return {};
}

std::string Story::change(const Words& w) {
  const Id id = running(w[1]);
  const Id whom = number(w[2]);
  if (!wrong_.empty()) return {};
  const Configuration now = cluster_.raft(id).configuration();
  const Suffrage suffrage = w[0] == "add" ? Suffrage::voter : Suffrage::learner;
  proposals_[w[0] + w[2]] =
      cluster_.change(id, w[0] == "remove" ? now.without(NodeId{whom}) : now.with(member_of(whom, suffrage)));
  return {};
}

std::string Story::snapshot(const Words& w) {
  const Id id = running(w[1]);
  if (wrong_.empty()) cluster_.snapshot(id);
  return {};
}

std::string Story::read(const Words& w) {
  const Id id = running(w[1]);
  if (wrong_.empty()) reads_[w[2]] = cluster_.read(id);
  return {};
}

std::string Story::transfer(const Words& w) {
  const Id id = running(w[1]);
  const Id to = number(w[2]);
  if (wrong_.empty()) cluster_.transfer(id, to);
  return {};
}

std::string Story::peer_lost(const Words& w) {
  const Id id = running(w[1]);
  const Id whom = number(w[2]);
  if (wrong_.empty()) cluster_.step(id, PeerLost{NodeId{whom}});
  return {};
}

std::string Story::disk(const Words& w) {
  const Id id = running(w[1]);
  if (!wrong_.empty()) return {};
  if (w[2] == "stalled" || w[2] == "well") {
    cluster_.step(id, DiskStalled{w[2] == "stalled"});
  } else if (w[2] == "full" || w[2] == "roomy") {
    cluster_.step(id, DiskLow{w[2] == "full"});
  } else {
    return "a disk is stalled or well, full or roomy";
  }
  return {};
}

// `greet 4->1`: what happens when 4 connects to 1. Who 1 knows to be removed, for certain, is told so.
std::string Story::greet(const Words& w) {
  const auto [from, to] = ends(w[1]);
  if (!wrong_.empty()) return {};
  if (!cluster_.exists(from) || !cluster_.exists(to) || !cluster_.at(from).raft || !cluster_.at(to).raft)
    return "both ends of a greeting run";
  const Raft& listener = cluster_.raft(to);
  const bool known = listener.log().configuration_at(listener.commit_index()).configuration.remembers(NodeId{from});
  if (known && !listener.configuration().contains(NodeId{from}))
    cluster_.step(from, ToldRemoved{listener.committed_position()});
  return {};
}

// --- expectations

std::string Story::fact(Id id, const std::string& key) {
  const Server& s = cluster_.at(id);
  const Raft& raft = *s.raft;
  const auto show = [](const auto& value) { return std::to_string(value.value); };
  const auto plain = [](const auto& value) { return std::to_string(value); };
  const auto members = [&](Suffrage suffrage) {
    std::vector<uint64_t> list;
    for (const Member& m : raft.configuration().members())
      if (m.suffrage == suffrage) list.push_back(m.id.value);
    return joined(list, plain);
  };
  if (key == "role") return raft::to_string(raft.role());
  if (key == "term") return show(raft.current_term());
  if (key == "vote") return show(raft.voted_for());
  if (key == "leader") return show(raft.leader_id());
  if (key == "commit") return show(raft.commit_index());
  if (key == "applied") return show(raft.applied_index());
  if (key == "durable") return show(raft.durable_index());
  if (key == "last") return show(raft.log().last_index());
  if (key == "base") return show(raft.log().base_index());
  if (key == "log") return joined(cluster_.terms(id), plain);
  if (key == "certain") return raft.leads_for_certain() ? "yes" : "no";
  if (key == "changing") return raft.change_pending() ? "yes" : "no";
  if (key == "transferring") return raft.transferring() ? "yes" : "no";
  if (key == "configuration") return show(raft.log().configuration_index());
  if (key == "snapshot") return show(raft.snapshot() ? raft.snapshot()->index : Index{});
  if (key == "incoming") return plain(raft.incoming_snapshot() ? raft.incoming_snapshot()->next_offset : 0);
  if (key == "lost") return show(s.acknowledged_lost.value_or(Index{}));
  if (key == "loads") return plain(s.loads);
  if (key == "elections") return plain(raft.elections());
  if (key == "disk-term") return show(s.disk.hard_state.current_term);
  if (key == "disk-vote") return show(s.disk.hard_state.voted_for);
  if (key == "disk-last") return show(s.disk.last_index());
  if (key == "begun") return plain(raft.snapshot_counters().begun);
  if (key == "resumed") return plain(raft.snapshot_counters().resumed);
  if (key == "restarted") return plain(raft.snapshot_counters().restarted);
  if (key == "finished") return plain(raft.snapshot_counters().finished);
  // Of another server, as this leader knows it: match:2 state:2
  if (const size_t colon = key.find(':'); colon != std::string::npos)
    return peer_fact(id, key.substr(0, colon), number(key.substr(colon + 1)));
  if (key == "removed") return raft.removed() ? "yes" : "no";
  if (key == "voters") return members(Suffrage::voter);
  if (key == "learners") return members(Suffrage::learner);
  if (key == "values") return joined(cluster_.values(id), [](const std::string& value) { return value; });
  wrong_ = "no such fact: " + key;
  return {};
}

std::string Story::peer_fact(Id id, const std::string& key, Id peer) {
  const std::vector<PeerStatus> peers = cluster_.raft(id).peers();
  const auto found = std::find_if(peers.begin(), peers.end(), [&](const auto& p) { return p.id.value == peer; });
  if (found == peers.end()) return "none";
  if (key == "match") return std::to_string(found->match_index.value);
  if (key == "offset") return std::to_string(found->snapshot_offset);
  if (key == "state")
    return found->state == ProgressState::probe       ? "probe"
           : found->state == ProgressState::replicate ? "replicate"
                                                      : "snapshot";
  wrong_ = "no such fact: " + key;
  return {};
}

// Words `key=value`, `key>=number` or `key<=number`, from `first` on, against what `ask` says of each key.
template <class Ask>
std::string Story::differences(const Words& w, size_t first, Ask ask) {
  std::string wrong;
  for (size_t i = first; i < w.size(); ++i) {
    const size_t equals = w[i].find('=');
    if (equals == std::string::npos || equals == 0) return "not key=value: " + w[i];
    const char before = w[i][equals - 1];
    const bool bound = before == '<' || before == '>';
    const std::string is = ask(w[i].substr(0, bound ? equals - 1 : equals));
    const std::string wanted = w[i].substr(equals + 1);
    if (!wrong_.empty()) return {};
    bool right = is == wanted;
    if (bound) right = before == '<' ? number(is) <= number(wanted) : number(is) >= number(wanted);
    if (!wrong_.empty()) return {};
    if (!right) wrong += (wrong.empty() ? "" : ", ") + w[i] + " but it is " + is;
  }
  return wrong.empty() ? "" : "expected " + wrong;
}

std::string Story::expect(const Words& w) {
  const Id id = server(w[1]);
  if (!wrong_.empty()) return {};
  if (w.size() == 3 && w[2] == "down") return cluster_.at(id).raft ? "server " + w[1] + " runs" : "";
  if (!cluster_.at(id).raft) return "server " + w[1] + " does not run";
  return differences(w, 2, [&](const std::string& key) { return fact(id, key); });
}

// Within ten election timeouts.
std::string Story::await(const Words& w) {
  std::string wrong;
  const auto as_told = [&] {
    wrong = expect(w);
    return wrong.empty() || !wrong_.empty();
  };
  cluster_.run_until(as_told, 5'000);
  return wrong;
}

std::string Story::await_leader(const Words&) {
  const bool found = cluster_.run_until(
      [&] { return cluster_.leader() != 0 && cluster_.raft(cluster_.leader()).leads_for_certain(); }, 5'000);
  return found ? "" : "nobody leads for certain within ten election timeouts";
}

// `expect-sent 1->2 append,append`: just this is under way, in this order.
std::string Story::expect_sent(const Words& w) {
  const auto [from, to] = ends(w[1]);
  if (!wrong_.empty()) return {};
  const std::string is = joined(cluster_.link(from, to), [](const MessageBody& body) { return kind_of(body); });
  return is == w[2] ? "" : "expected " + w[2] + " on " + w[1] + " but it is " + is;
}

// The newest of that kind on the link.
std::string Story::expect_message(const Words& w) {
  const auto [from, to] = ends(w[1]);
  if (!wrong_.empty()) return {};
  const auto& queue = cluster_.link(from, to);
  const auto found =
      std::find_if(queue.rbegin(), queue.rend(), [&](const MessageBody& body) { return kind_of(body) == w[2]; });
  if (found == queue.rend()) return "no " + w[2] + " is under way on " + w[1];
  return differences(w, 3, [&](const std::string& key) -> std::string {
    const auto is = fact_of(*found, key);
    if (!is) wrong_ = "a " + w[2] + " has no " + key;
    return is.value_or("");
  });
}

std::string Story::expect_leader(const Words& w) {
  const Id id = number(w[1]);
  const Id leads = cluster_.leader();
  return leads == id ? "" : "expected leader " + w[1] + " but it is " + std::to_string(leads);
}

std::string Story::expect_no_leader(const Words&) {
  const Id leads = cluster_.leader();
  return leads == 0 ? "" : "expected no leader but it is " + std::to_string(leads);
}

std::string Story::expect_read(const Words& w) {
  const auto found = reads_.find(w[1]);
  if (found == reads_.end()) return "no such read: " + w[1];
  const ReadResult& result = cluster_.read_result(found->second);
  const std::string is = !result.done ? "pending" : result.ok ? "ok" : "failed";
  if (is != w[2]) return "expected the read to be " + w[2] + " but it is " + is;
  if (w.size() > 3 && w[3] != "index=" + std::to_string(result.index.value))
    return "expected " + w[3] + " but it is " + std::to_string(result.index.value);
  return {};
}

std::string Story::expect_proposal(const Words& w) {
  const auto found = proposals_.find(w[1]);
  if (found == proposals_.end()) return "no such proposal: " + w[1];
  const ProposalResult& result = cluster_.proposal(found->second);
  const auto& committed = cluster_.committed();
  std::string is = "unanswered";
  if (result.done && result.refusal != Refusal::none) {
    is = to_string(result.refusal);
  } else if (result.done) {
    is = "pending";
    if (result.index.value <= committed.size())
      is = committed[result.index.value - 1].term == result.term ? "committed" : "lost";
  }
  return is == w[2] ? "" : "expected it to be " + w[2] + " but it is " + is;
}

std::string Story::expect_transfer(const Words& w) {
  const Id id = server(w[1]);
  if (!wrong_.empty()) return {};
  const auto& done = cluster_.at(id).transfers;
  const std::string is = done.empty() ? "pending" : done.back().ok ? "ok" : "failed";
  return is == w[2] ? "" : "expected the transfer to be " + w[2] + " but it is " + is;
}

std::string Story::converge(const Words&) {
  for (const Id id : ids_) {
    Server& s = cluster_.at(id);
    s.hold_sync = s.hold_loads = s.hold_install = false;
    if (!s.raft || s.paused) continue;
    cluster_.release_sync(id);
    cluster_.answer_load(id);
    cluster_.release_install(id);
  }
  const std::string missing = cluster_.converge();
  return missing.empty() ? "" : "does not converge: " + missing;
}

}  // namespace

std::string run_scenario(const std::string& name, const std::string& text) {
  Story story;
  std::stringstream stream(text);
  size_t at = 0;
  for (std::string line; std::getline(stream, line);) {
    ++at;
    const Words words = split(line.substr(0, line.find('#')), ' ');
    if (words.empty()) continue;
    const std::string wrong = story.line(words);
    if (!wrong.empty()) return name + ":" + std::to_string(at) + ": " + wrong;
  }
  return {};
}

}  // namespace wh::raft::test
