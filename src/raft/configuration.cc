#include "raft/configuration.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/mutant.h"

namespace wh::raft {
namespace {
constexpr uint8_t kFormat = 2;
constexpr uint8_t kFormatWithoutRemoved = 1;  // is read, and no longer written
constexpr size_t kMaxMembers = 1024;
constexpr size_t kMaxRemoved = 1024;
constexpr size_t kMaxString = 512;
}  // namespace

const char* to_string(Role role) {
  switch (role) {
    case Role::follower:
      return "follower";
    case Role::pre_candidate:
      return "pre-candidate";
    case Role::candidate:
      return "candidate";
    case Role::leader:
      return "leader";
  }
  WH_ASSERT(false, "no such role");
}

Configuration::Configuration(std::vector<Member> members) : members_(std::move(members)) {
  std::sort(members_.begin(), members_.end(), [](const Member& a, const Member& b) { return a.id < b.id; });
  voters_ = static_cast<size_t>(
      std::count_if(members_.begin(), members_.end(), [](const Member& m) { return m.suffrage == Suffrage::voter; }));
}

const Member* Configuration::find(NodeId id) const {
  const auto it = std::lower_bound(members_.begin(), members_.end(), id,
                                   [](const Member& m, NodeId wanted) { return m.id < wanted; });
  return it != members_.end() && it->id == id ? &*it : nullptr;
}

const Member* Configuration::find_name(std::string_view name) const {
  for (const Member& m : members_)
    if (m.name == name) return &m;
  return nullptr;
}

bool Configuration::is_voter(NodeId id) const {
  const Member* m = find(id);
  return m != nullptr && m->suffrage == Suffrage::voter;
}

bool Configuration::is_learner(NodeId id) const {
  const Member* m = find(id);
  return m != nullptr && m->suffrage == Suffrage::learner;
}

bool Configuration::remembers(NodeId id) const {
  return std::find(removed_.begin(), removed_.end(), id) != removed_.end();
}

Configuration Configuration::with(Member member) const {
  std::vector<Member> members = members_;
  std::erase_if(members, [&](const Member& m) { return m.id == member.id; });
  std::vector<NodeId> removed = removed_;
  std::erase(removed, member.id);
  members.push_back(std::move(member));
  Configuration result(std::move(members));
  result.removed_ = std::move(removed);
  return result;
}

Configuration Configuration::without(NodeId id) const {
  if (!contains(id)) return *this;
  std::vector<Member> members = members_;
  std::erase_if(members, [&](const Member& m) { return m.id == id; });
  Configuration result(std::move(members));
  result.removed_ = removed_;
  if (!WH_MUTANT(removed_is_forgotten)) result.removed_.push_back(id);
  if (result.removed_.size() > kMaxRemoved) result.removed_.erase(result.removed_.begin());
  return result;
}

bool Configuration::adjacent(const Configuration& a, const Configuration& b) {
  size_t different = 0;
  for (const Member& m : a.members_) different += m.suffrage == Suffrage::voter && !b.is_voter(m.id) ? 1 : 0;
  for (const Member& m : b.members_) different += m.suffrage == Suffrage::voter && !a.is_voter(m.id) ? 1 : 0;
  return different <= 1;
}

std::string Configuration::encode() const {
  std::string out;
  Writer w(out);
  w.u8(kFormat);
  w.u32(static_cast<uint32_t>(members_.size()));
  for (const Member& m : members_) {
    w.u64(m.id.value);
    w.u8(static_cast<uint8_t>(m.suffrage));
    w.bytes(m.name);
    w.bytes(m.raft_address);
    w.bytes(m.http_address);
    w.bytes(m.https_address);
  }
  w.u32(static_cast<uint32_t>(removed_.size()));
  for (const NodeId id : removed_) w.u64(id.value);
  return out;
}

std::optional<Configuration> Configuration::decode(std::string_view bytes) {
  Reader r(bytes);
  const uint8_t format = r.u8();
  if (format != kFormat && format != kFormatWithoutRemoved) return std::nullopt;
  const uint32_t count = r.count(25);
  if (count > kMaxMembers) return std::nullopt;
  std::vector<Member> members;
  for (uint32_t i = 0; i < count && r.ok(); ++i) {
    Member m;
    m.id = NodeId{r.u64()};
    const uint8_t suffrage = r.u8();
    for (std::string* s : {&m.name, &m.raft_address, &m.http_address, &m.https_address}) {
      *s = r.bytes();
      if (s->size() > kMaxString) return std::nullopt;
    }
    if (!m.id || suffrage > 1) return std::nullopt;
    m.suffrage = static_cast<Suffrage>(suffrage);
    for (const Member& other : members)
      if (other.id == m.id || other.name == m.name) return std::nullopt;
    members.push_back(std::move(m));
  }
  const uint32_t removed = format == kFormatWithoutRemoved ? 0 : r.count(8);
  if (removed > kMaxRemoved) return std::nullopt;
  Configuration result(std::move(members));
  for (uint32_t i = 0; i < removed && r.ok(); ++i) {
    const NodeId id{r.u64()};
    if (!id || result.contains(id) || result.remembers(id)) return std::nullopt;
    result.removed_.push_back(id);
  }
  if (!r.complete()) return std::nullopt;
  return result;
}

}  // namespace wh::raft
