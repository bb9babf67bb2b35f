#include "node/seeking.h"

#include <algorithm>

#include "base/endpoint.h"
#include "base/mutant.h"

namespace wh::node {
namespace {

bool is_ipv6(std::string_view address) { return address.starts_with('['); }

// Whether it is an IP address, not a name.
bool is_literal(std::string_view address) { return is_literal_host(host_part(address)); }

template <typename T>
bool contains(const std::vector<T>& items, const T& item) {
  return std::find(items.begin(), items.end(), item) != items.end();
}

std::string joined(const std::vector<std::string>& items, const char* between) {
  std::string out;
  for (const std::string& item : items) out += (out.empty() ? "" : between) + item;
  return out;
}

}  // namespace

// Entries that share an address: names of one node do, and so do several names that all lead to all nodes.
struct Seeking::Group {
  std::vector<const Entry*> entries;
  std::set<std::string> addresses;
  std::set<raft::NodeId> nodes;  // nodes that are at one of these addresses
  size_t unknown = 0;            // addresses at which no node is known
  bool named_own = false;        // one of its names is this node's
  bool found_own = false;        // no node is known there, but one of its names is this node's
  bool surely_own = false;       // every entry is surely this node's, whoever answers there
  [[nodiscard]] std::string text() const {
    std::vector<std::string> texts;
    for (const Entry* entry : entries) texts.push_back(entry->text);
    return joined(texts, " and ");
  }
  // One node has at most one address of each family; further addresses may be other nodes'.
  [[nodiscard]] size_t most_of_a_family() const {
    const auto v6 = static_cast<size_t>(std::count_if(addresses.begin(), addresses.end(), is_ipv6));
    return std::max(v6, addresses.size() - v6);
  }
};

Seeking::Seeking(const std::vector<std::string>& join, OwnNames own, uint32_t bootstrap_expect, raft::NodeId self,
                 std::string self_name)
    : self_(self), self_name_(std::move(self_name)), own_(std::move(own)), bootstrap_expect_(bootstrap_expect) {
  for (const std::string& text : join) {
    std::string key = endpoint_key(text);
    const bool known = std::any_of(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.key == key; });
    if (!known || WH_MUTANT(counts_spellings)) entries_.push_back({.text = text, .key = std::move(key)});
  }
}

// --- dialling

Seeking::Entry* Seeking::entry_due(Millis now) {
  for (Entry& entry : entries_)
    if (entry.lookup == 0 && now >= entry.next_at) return &entry;
  return nullptr;
}

std::pair<const std::string, Seeking::Probe>* Seeking::probe_due(Millis now) {
  for (auto& probe : probes_)
    if (probe.second.request == 0 && now >= probe.second.next_at) return &probe;
  return nullptr;
}

const Seeking::Entry& Seeking::entry_of(const std::string& address) const {
  for (const Entry& entry : entries_)
    if (contains(entry.addresses, address)) return entry;
  return entries_.front();
}

void Seeking::looked_up(Entry& entry, const Result<std::vector<std::string>>& addresses, Millis again_at) {
  entry.lookup = 0;
  entry.next_at = again_at;
  entry.looked_up = true;
  entry.error.clear();
  if (addresses) {
    entry.addresses = *addresses;
  } else {
    entry.addresses.clear();
    entry.error = addresses.error();
  }
  std::set<std::string> listed;
  for (const Entry& each : entries_) listed.insert(each.addresses.begin(), each.addresses.end());
  std::erase_if(probes_, [&](const auto& probe) { return !listed.contains(probe.first); });
  for (const std::string& address : listed)
    if (probes_.size() < kMaxAddresses) probes_.try_emplace(address);
}

Seeking::Entry* Seeking::entry_looked_up_by(uint64_t request) {
  for (Entry& entry : entries_)
    if (entry.lookup == request) return &entry;
  return nullptr;
}

Seeking::Probe* Seeking::probe_asked_by(uint64_t request) {
  for (auto& [address, probe] : probes_)
    if (probe.request == request) return &probe;
  return nullptr;
}

void Seeking::ask_anew(Millis now) {
  for (auto& [address, probe] : probes_) {
    if (probe.request == 0) continue;
    probe.request = 0;
    probe.next_at = now;
  }
}

void Seeking::reached_by(const WhoAreYou& question) {
  for (const Entry& entry : entries_) {
    if (entry.key == question.dialled_as && !is_literal(entry.key)) reached_by_.insert(entry.key);
    if (contains(entry.addresses, question.dialled_at)) reached_by_.insert(question.dialled_at);
  }
}

Millis Seeking::next_due() const {
  Millis next = kNever;
  for (const Entry& entry : entries_)
    if (entry.lookup == 0) next = std::min(next, entry.next_at);
  for (const auto& [address, probe] : probes_)
    if (probe.request == 0) next = std::min(next, probe.next_at);
  return next;
}

// --- whom the list means

bool Seeking::is_own_address(const std::string& address) const {
  if (contains(own_.addresses, address) || reached_by_.contains(address)) return true;
  return own_.loopback_port != 0 && is_loopback_host(host_part(address)) &&
         port_part(address) == std::to_string(own_.loopback_port);
}

bool Seeking::is_own_name(const Entry& entry) const {
  return contains(own_.names, entry.key) || reached_by_.contains(entry.key);
}

std::optional<raft::NodeId> Seeking::owner(const std::string& address) const {
  const auto probe = probes_.find(address);
  if (probe != probes_.end() && probe->second.who) return probe->second.who->identity.instance;
  return is_own_address(address) ? std::optional(self_) : std::nullopt;
}

std::vector<Seeking::Group> Seeking::groups() const {
  std::vector<Group> groups;
  for (const Entry& entry : entries_) {
    Group merged;
    merged.entries.push_back(&entry);
    merged.addresses.insert(entry.addresses.begin(), entry.addresses.end());
    for (auto it = groups.begin(); it != groups.end();) {
      const bool shares = std::any_of(entry.addresses.begin(), entry.addresses.end(),
                                      [&](const std::string& address) { return it->addresses.contains(address); });
      if (!shares) {
        ++it;
        continue;
      }
      merged.entries.insert(merged.entries.begin(), it->entries.begin(), it->entries.end());
      merged.addresses.merge(it->addresses);
      it = groups.erase(it);
    }
    groups.push_back(std::move(merged));
  }
  for (Group& group : groups) {
    for (const std::string& address : group.addresses) {
      if (const std::optional<raft::NodeId> node = owner(address)) {
        group.nodes.insert(*node);
      } else {
        ++group.unknown;
      }
    }
    group.surely_own = true;
    for (const Entry* entry : group.entries) {
      group.named_own |= is_own_name(*entry);
      const bool own = contains(own_.names, entry->key) ||
                       (is_literal(entry->key) && std::all_of(entry->addresses.begin(), entry->addresses.end(),
                                                              [&](const std::string& a) { return is_own_address(a); }));
      group.surely_own = group.surely_own && own;
    }
    if (group.nodes.empty() && group.named_own) {
      group.found_own = true;
      group.nodes.insert(self_);
      group.unknown = 0;
    }
  }
  return groups;
}

Seeking::View Seeking::view() const {
  View view;
  view.settled = std::all_of(entries_.begin(), entries_.end(), [](const Entry& entry) { return entry.looked_up; }) &&
                 std::all_of(probes_.begin(), probes_.end(), [](const auto& probe) { return probe.second.tried; });
  view.nodes[self_] = {};
  for (const auto& [address, probe] : probes_)
    if (probe.who && probe.who->identity.instance != self_)
      view.nodes.try_emplace(probe.who->identity.instance, Found{&*probe.who, address});
  const std::vector<Group> groups = this->groups();
  for (const Group& group : groups) {
    if (!group.nodes.empty()) continue;
    for (const Entry* entry : group.entries) {
      std::vector<std::string> errors;
      if (!entry->error.empty()) errors.push_back(entry->error);
      for (const std::string& address : entry->addresses)
        if (const auto probe = probes_.find(address); probe != probes_.end() && !probe->second.error.empty())
          errors.push_back(probe->second.error);
      view.missing.push_back(entry->text + (errors.empty() ? "" : " (" + joined(errors, "; ") + ")"));
    }
  }
  if (bootstrap_expect_ > 0) {
    expect_by_number(view, groups);
  } else {
    expect_by_list(view, groups);
  }
  view.complete = view.complete && view.settled && view.nodes.size() <= kMaxElectorate;
  return view;
}

std::string Seeking::name_of(raft::NodeId id, const View& view) const {
  return id == self_ ? self_name_ + " (this node)" : view.nodes.at(id).who->identity.name;
}

void Seeking::expect_by_list(View& view, const std::vector<Group>& groups) const {
  std::set<raft::NodeId> members{self_};
  std::map<raft::NodeId, std::vector<std::string>> named;
  size_t missing = 0;
  for (const Group& group : groups) {
    if (group.nodes.empty()) {
      ++missing;
      continue;
    }
    const bool several =
        group.nodes.size() > 1 || (group.unknown > 0 && (groups.size() == 1 || group.most_of_a_family() > 1));
    if (several) {
      view.obstacle = group.text() + " leads to " + std::to_string(group.addresses.size()) +
                      " addresses, which may be several nodes: say with bootstrap-expect how many nodes found the "
                      "cluster, the same on all of them";
      continue;
    }
    members.insert(*group.nodes.begin());
    for (const Entry* entry : group.entries) named[*group.nodes.begin()].push_back(entry->text);
  }
  view.expected = WH_MUTANT(counts_spellings) ? std::max(entries_.size(), members.size()) : members.size() + missing;
  if (members.size() == 1 && missing == 0 && view.obstacle.empty() &&
      std::any_of(groups.begin(), groups.end(), [](const Group& group) { return !group.surely_own; }))
    view.obstacle = "all that join names leads to this node, " + groups.front().text() +
                    " by a name that may be other nodes' too: bootstrap-expect 1 makes it a cluster of its own";
  for (const auto& [id, texts] : named)
    if (texts.size() > 1) view.remark = joined(texts, " and ") + " are the same node, " + name_of(id, view);
  view.complete = missing == 0 && view.obstacle.empty() && members.size() >= view.expected;
  // A node found at one address of a name with several addresses does not count as expected.
  std::erase_if(view.nodes, [&](const auto& node) { return !members.contains(node.first); });
}

// Expects at least a majority of all nodes that may exist, so that one node would have to take part in any two
// foundings.
void Seeking::expect_by_number(View& view, const std::vector<Group>& groups) const {
  size_t possible = view.nodes.size();
  for (const Group& group : groups) {
    const size_t most = group.addresses.empty() ? 1 : group.most_of_a_family();
    possible += most > group.nodes.size() ? most - group.nodes.size() : 0;
  }
  const size_t majority = possible / 2 + 1;
  view.expected = std::max<size_t>(bootstrap_expect_, majority);
  if (bootstrap_expect_ < majority)
    view.remark = "bootstrap-expect is " + std::to_string(bootstrap_expect_) + ", but join may name " +
                  std::to_string(possible) + " nodes: it takes a majority of them, lest there be two clusters";
  view.complete = view.nodes.size() >= view.expected;
}

bool Seeking::agrees(const View& view, const std::vector<raft::NodeId>& asked) const {
  if (!view.complete || !contains(asked, self_)) return false;
  if (bootstrap_expect_ > 0) return asked.size() >= view.expected;
  return std::all_of(view.nodes.begin(), view.nodes.end(),
                     [&](const auto& node) { return contains(asked, node.first); });
}

}  // namespace wh::node
