#include "sim/opinion/txn_graph.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

namespace wh::sim {
namespace {

constexpr size_t kNobody = SIZE_MAX;

// Why one comes before another.
enum class Reason : uint8_t { wr, ww, rw, time };
constexpr const char* kReasons[] = {"wrote what was read by", "wrote before", "read what was then written over by",
                                    "was answered before"};

struct Version {
  size_t writer = kNobody;
  std::optional<std::string> value;  // nothing: nobody was told
};

class Graph {
 public:
  explicit Graph(const std::vector<TxnCall>& calls) : calls_(calls) {}

  std::string run() {
    for (const auto check : {&Graph::writers, &Graph::readers, &Graph::unanswered, &Graph::edges, &Graph::time,
                             &Graph::acknowledgements, &Graph::cycle})
      if ((this->*check)(), !why_.empty()) break;
    return std::move(why_);
  }

 private:
  struct Origin {
    size_t call;
    const TxnCall::Write* write;
  };
  struct Edge {
    size_t to;
    Reason reason;
  };

  [[nodiscard]] std::string name(size_t call) const { return "operation " + std::to_string(calls_[call].op); }
  void fail(std::string why) {
    if (why_.empty()) why_ = std::move(why);
  }

  // The versions that the answers of those who wrote them name, and who would have put which value.
  void writers() {
    std::map<uint64_t, size_t> by_index;
    for (size_t i = 0; i < calls_.size(); ++i) {
      const TxnCall& call = calls_[i];
      bool writes = false;
      for (const TxnCall::Write& write : call.writes) {
        if (write.removes || write.ends) may_end_.insert(write.key);
        if (write.built && (call.outcome == TxnCall::Outcome::unknown || !write.sure)) may_be_built_.insert(write.key);
        if (!write.removes && !write.built) origins_.emplace(std::pair(write.key, write.value), Origin{i, &write});
        if (call.outcome != TxnCall::Outcome::done || !write.sure) continue;
        writes = true;
        if (write.last) add_version(i, call.mod_index, write);
      }
      if (!writes) continue;
      if (const auto [at, first] = by_index.emplace(call.mod_index, i); !first)
        return fail(name(i) + " and " + name(at->second) + " took effect as one");
    }
  }

  void add_version(size_t call, uint64_t mod_index, const TxnCall::Write& write) {
    Version& version = versions_[write.key][mod_index];
    version.writer = call;
    if (!write.built && !write.removes) version.value = write.value;
  }

  // Whose each value is that was read.
  void readers() {
    for (size_t i = 0; i < calls_.size(); ++i)
      for (const TxnCall::Read& read : calls_[i].reads)
        if (calls_[i].outcome == TxnCall::Outcome::done && read.mod_index != 0 && read.value) trace(i, read);
  }

  void trace(size_t reader, const TxnCall::Read& read) {
    const std::string what =
        name(reader) + " read \"" + *read.value + "\" of " + read.key + " at " + std::to_string(read.mod_index) + ", ";
    Version& version = versions_[read.key][read.mod_index];
    if (version.value && *version.value != *read.value)
      return fail(what + "where there was \"" + *version.value + "\"");
    const bool known = version.writer != kNobody;
    version.value = read.value;
    if (known) return;
    // What was built on the value by one that got no answer, or does not say, has a version of its own.
    const bool built = may_be_built_.contains(read.key);
    const auto origin = origins_.find({read.key, *read.value});
    if (origin == origins_.end()) {
      if (!built) fail(what + "which nobody wrote");
      return;
    }
    const auto& [call, write] = origin->second;
    const TxnCall& writer = calls_[call];
    if (writer.outcome == TxnCall::Outcome::refused)
      return fail(what + "which " + name(call) + " was to write, and was refused");
    if (built) return;
    if (!write->last) return fail(what + "which " + name(call) + " itself wrote over");
    if (writer.outcome == TxnCall::Outcome::done) {
      if (writer.mod_index != read.mod_index)
        return fail(what + "which " + name(call) + " wrote at " + std::to_string(writer.mod_index));
      version.writer = call;
      return;
    }
    const auto [at, first] = seen_.emplace(call, Seen{read.mod_index, write->branch});
    if (!first && (at->second.mod_index != read.mod_index || at->second.branch != write->branch))
      return fail(what + "and " + name(call) + " took effect at " + std::to_string(at->second.mod_index) + " already");
    version.writer = call;
  }

  // What those without an answer did besides what was seen of them.
  void unanswered() {
    for (const auto& [call, seen] : seen_)
      for (const TxnCall::Write& write : calls_[call].writes)
        if (write.branch == seen.branch && write.last && write.sure) add_version(call, seen.mod_index, write);
  }

  void edge(size_t from, size_t to, Reason reason) {
    if (from == kNobody || to == kNobody || from == to) return;
    edges_[from].push_back({to, reason});
  }

  void edges() {
    edges_.resize(calls_.size());
    for (const auto& [key, versions] : versions_) {
      size_t before = kNobody;
      for (const auto& [mod_index, version] : versions) {
        if (version.writer == kNobody) continue;
        edge(before, version.writer, Reason::ww);
        before = version.writer;
      }
    }
    for (size_t i = 0; i < calls_.size(); ++i)
      for (const TxnCall::Read& read : calls_[i].reads)
        if (calls_[i].outcome == TxnCall::Outcome::done) add_reader(i, read);
  }

  void add_reader(size_t reader, const TxnCall::Read& read) {
    const auto found = versions_.find(read.key);
    if (found == versions_.end()) return;
    const std::map<uint64_t, Version>& versions = found->second;
    // Of a key that may have come and gone nobody knows when it was not there.
    if (read.mod_index == 0 && may_end_.contains(read.key)) return;
    if (const auto is = versions.find(read.mod_index); is != versions.end())
      edge(is->second.writer, reader, Reason::wr);
    for (auto next = versions.upper_bound(read.mod_index); next != versions.end(); ++next) {
      if (next->second.writer == kNobody) continue;
      edge(reader, next->second.writer, Reason::rw);
      return;
    }
  }

  // A chain of nodes, one for each answer in the order of time, stands for all edges from earlier calls to later ones.
  void time() {
    std::vector<std::pair<uint64_t, size_t>> answers;
    for (size_t i = 0; i < calls_.size(); ++i)
      if (calls_[i].returned != UINT64_MAX) answers.emplace_back(calls_[i].returned, i);
    std::sort(answers.begin(), answers.end());
    const size_t first = calls_.size();
    edges_.resize(first + answers.size());
    for (size_t n = 0; n < answers.size(); ++n) {
      edge(answers[n].second, first + n, Reason::time);
      if (n != 0) edge(first + n - 1, first + n, Reason::time);
    }
    for (size_t i = 0; i < calls_.size(); ++i) {
      const auto later = std::lower_bound(answers.begin(), answers.end(), std::pair(calls_[i].invoked, size_t{0}));
      if (later != answers.begin()) edge(first + static_cast<size_t>(later - answers.begin()) - 1, i, Reason::time);
    }
  }

  void acknowledgements() {
    std::map<std::pair<std::string, uint64_t>, size_t> by;
    for (size_t i = 0; i < calls_.size(); ++i) {
      if (calls_[i].outcome != TxnCall::Outcome::done) continue;
      for (const auto& event : calls_[i].acknowledged)
        if (const auto [at, first] = by.emplace(event, i); !first)
          return fail(name(i) + " and " + name(at->second) + " both acknowledged the event " +
                      std::to_string(event.second) + " of " + event.first);
    }
  }

  // Depth first, without recursion: an edge to a node on the path closes a cycle.
  void cycle() {
    enum class State : uint8_t { fresh, on_path, done };
    std::vector<State> states(edges_.size(), State::fresh);
    struct Step {
      size_t node;
      size_t next;  // of its edges
    };
    for (size_t root = 0; root < edges_.size(); ++root) {
      if (states[root] != State::fresh) continue;
      std::vector<Step> path{{root, 0}};
      states[root] = State::on_path;
      while (!path.empty()) {
        Step& step = path.back();
        if (step.next == edges_[step.node].size()) {
          states[step.node] = State::done;
          path.pop_back();
          continue;
        }
        const size_t to = edges_[step.node][step.next++].to;
        if (states[to] == State::done) continue;
        if (states[to] == State::fresh) {
          states[to] = State::on_path;
          path.push_back({to, 0});
          continue;
        }
        std::vector<std::pair<size_t, Reason>> round;
        auto at = std::find_if(path.begin(), path.end(), [&](const Step& one) { return one.node == to; });
        for (; at != path.end(); ++at) round.emplace_back(at->node, edges_[at->node][at->next - 1].reason);
        return tell(round);
      }
    }
  }

  void tell(const std::vector<std::pair<size_t, Reason>>& round) {
    std::string out = "no order of whole transactions explains this: ";
    for (const auto& [node, reason] : round) {
      if (node >= calls_.size()) continue;
      out += name(node) + " " + kReasons[static_cast<size_t>(reason)] + " ";
    }
    const auto first =
        std::find_if(round.begin(), round.end(), [&](const auto& one) { return one.first < calls_.size(); });
    fail(out + (first == round.end() ? "itself" : name(first->first)));
  }

  struct Seen {
    uint64_t mod_index;
    uint8_t branch;
  };
  const std::vector<TxnCall>& calls_;
  std::map<std::string, std::map<uint64_t, Version>, std::less<>> versions_;  // by key and mod_index
  std::map<std::pair<std::string, std::string>, Origin> origins_;             // by key and value
  std::set<std::string> may_end_;
  std::set<std::string> may_be_built_;  // by somebody who was not told
  std::map<size_t, Seen> seen_;         // without an answer, and another saw what they wrote
  std::vector<std::vector<Edge>> edges_;
  std::string why_;
};

}  // namespace

std::string check_transactions(const std::vector<TxnCall>& calls) { return Graph(calls).run(); }

}  // namespace wh::sim
