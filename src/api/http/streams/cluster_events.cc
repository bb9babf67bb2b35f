#include "api/http/streams/cluster_events.h"

#include "api/member_view.h"
#include "api/operations.h"
#include "http/json.h"

namespace wh::api {
namespace {

void string_or_null(http::JsonWriter& json, std::string_view value) {
  if (value.empty())
    json.null();
  else
    json.string(value);
}

// One event as Server-Sent Events specify it; without an id a client cannot resume after it.
std::string worded(std::optional<uint64_t> id, std::string_view event, std::string_view data) {
  std::string text;
  if (id) text += "id: " + std::to_string(*id) + '\n';
  text += "event: ";
  text += event;
  text += "\ndata: ";
  text += data;
  text += "\n\n";
  return text;
}

std::string role_data(const std::string& name, std::string_view role, raft::Term term) {
  http::JsonWriter json;
  json.begin_object();
  json.key("node_id").string(name);
  json.key("role").string(role);
  json.key("term").number(term.value);
  json.end_object();
  return json.take();
}

std::string leader_data(std::string_view leader, raft::Term term) {
  http::JsonWriter json;
  json.begin_object();
  json.key("leader_id");
  string_or_null(json, leader);
  json.key("term").number(term.value);
  json.end_object();
  return json.take();
}

std::string version_data(ClusterVersion version) {
  http::JsonWriter json;
  json.begin_object();
  json.key("cluster_version").number(version);
  json.end_object();
  return json.take();
}

std::string member_data(std::string_view change, std::string_view name, bool voter, std::string_view status) {
  http::JsonWriter json;
  json.begin_object();
  json.key("change").string(change);
  json.key("id").string(name);
  json.key("suffrage").string(voter ? "voter" : "learner");
  json.key("status");
  string_or_null(json, status);
  json.end_object();
  return json.take();
}

}  // namespace

// The last events, without gaps in their ids.
struct ClusterEvents::Kept {
  uint64_t last_id = 0;
  std::deque<std::string> events;
  size_t bytes = 0;
  // The id of the first event kept; when none is kept, of the next one.
  [[nodiscard]] uint64_t first_id() const { return last_id + 1 - events.size(); }
};

// A stream's position among the kept events.
class ClusterEvents::Place final : public http::Stream {
 public:
  // `opening`: sent first; the events after `last_id` follow it.
  Place(std::shared_ptr<const Kept> kept, std::string opening, uint64_t last_id)
      : kept_(std::move(kept)), opening_(std::move(opening)), last_id_(last_id) {}

  Next next(size_t room, std::string& out) override {
    out += std::exchange(opening_, {});
    if (last_id_ + 1 < kept_->first_id()) return Next::lost;
    const size_t before = out.size();
    while (last_id_ < kept_->last_id && out.size() - before < room)
      out += kept_->events[static_cast<size_t>(++last_id_ - kept_->first_id())];
    return last_id_ < kept_->last_id ? Next::more : Next::waits;
  }
  [[nodiscard]] std::string keep_alive() override { return ":\n\n"; }

 private:
  const std::shared_ptr<const Kept> kept_;
  std::string opening_;
  uint64_t last_id_;
};

ClusterEvents::ClusterEvents(node::Node& node, uint64_t first_id) : node_(node), kept_(std::make_shared<Kept>()) {
  kept_->last_id = first_id - 1;
  seen_.role = role_name(node_);
}

void ClusterEvents::add(std::string_view event, std::string_view data) {
  std::string text = worded(++kept_->last_id, event, data);
  kept_->bytes += text.size();
  kept_->events.push_back(std::move(text));
  while (kept_->events.size() > kKeptEvents || kept_->bytes > kKeptBytes) {
    kept_->bytes -= kept_->events.front().size();
    kept_->events.pop_front();
  }
  node_.wake(kClusterTopic);
}

void ClusterEvents::turn() {
  const raft::Raft* raft = node_.raft();
  const raft::Term term = raft == nullptr ? raft::Term{} : raft->current_term();
  const raft::NodeId leader = raft == nullptr ? raft::NodeId{} : raft->leader_id();
  const bool led = seen_.role == "leader";
  if (const std::string_view role = role_name(node_); role != seen_.role) {
    seen_.role = role;
    add("role", role_data(node_.identity().name, role, term));
  }
  const bool reconfigured = node_.configuration_seen() != configuration_seen_;
  if (term != seen_.term || leader != leader_seen_ || reconfigured) {
    // A leader may be heard before its name is known.
    const std::string name = node_.leader() == nullptr ? "" : node_.leader()->name;
    const bool differs = term != seen_.term || name != seen_.leader;
    seen_.term = term;
    seen_.leader = name;
    leader_seen_ = leader;
    if (differs) add("leader", leader_data(name, term));
  }
  if (const ClusterVersion version = node_.cluster_version(); version != seen_.version) {
    seen_.version = version;
    add("version", version_data(version));
  }
  // Only a leader knows which members are alive.
  if (led && seen_.role != "leader")
    for (auto& [name, member] : seen_.members) member.status.clear();
  if (!reconfigured) return;
  configuration_seen_ = node_.configuration_seen();
  compare_members();
}

void ClusterEvents::sweep() {
  if (seen_.role == "leader") compare_members();
}

void ClusterEvents::compare_members() {
  std::map<std::string, Member> members;
  for (MemberView& view : member_views(node_))
    members[std::move(view.name)] = {.voter = view.voter, .status = std::move(view.status)};
  const auto tell = [&](std::string_view change, const std::string& name, const Member& member) {
    add("member", member_data(change, name, member.voter, member.status));
  };
  for (const auto& [name, member] : seen_.members)
    if (!members.contains(name)) tell("removed", name, member);
  for (const auto& [name, member] : members) {
    const auto before = seen_.members.find(name);
    if (before == seen_.members.end()) {
      tell("added", name, member);
      continue;
    }
    if (before->second.voter != member.voter) tell(member.voter ? "promoted" : "demoted", name, member);
    if (before->second.status != member.status && !member.status.empty()) tell(member.status, name, member);
  }
  seen_.members = std::move(members);
}

// What a new listener is told: all that earlier events told and that still holds. Only its last event has an id: a
// client that did not get all of it begins again.
std::string ClusterEvents::present() const {
  std::string text = worded(std::nullopt, "role", role_data(node_.identity().name, seen_.role, seen_.term));
  for (const auto& [name, member] : seen_.members)
    text += worded(std::nullopt, "member", member_data("present", name, member.voter, member.status));
  text += worded(std::nullopt, "version", version_data(seen_.version));
  text += worded(kept_->last_id, "leader", leader_data(seen_.leader, seen_.term));
  return text;
}

std::shared_ptr<http::Stream> ClusterEvents::open(std::optional<uint64_t> last_event_id) const {
  const bool known = last_event_id && *last_event_id + 1 >= kept_->first_id() && *last_event_id <= kept_->last_id;
  return std::make_shared<Place>(kept_, known ? "" : present(), known ? *last_event_id : kept_->last_id);
}

}  // namespace wh::api
