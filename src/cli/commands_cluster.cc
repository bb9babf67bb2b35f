// status, members, add, remove, transfer, settings.
#include <algorithm>
#include <map>
#include <set>
#include <variant>

#include "cli/commands.h"
#include "cli/endpoints.h"
#include "cli/json_fields.h"
#include "http/json.h"

namespace wh::cli {
namespace {

// A node tells what it knows of its cluster at once, with a leader or without.
constexpr Millis kClusterAnswer = 2'000;
// A leader tells its view of the members once a second; an older one is no news.
constexpr Millis kFreshWord = 5'000;

Request cluster_request() {
  Request request = read_of(Target("/cluster"));
  request.answer = kClusterAnswer;
  return request;
}

struct MemberLine {
  std::string id, address, role, suffrage, status, version, raft_address, http_address, https_address;
  std::optional<uint64_t> lag;  // entries that the leader does not know it to have
};

// What one node says of its cluster, made whole by what the leader knows.
struct View {
  std::string json_cluster;  // the answer as it came
  std::string asked, node_id, leader, cluster_id, version, term;
  std::optional<uint64_t> tolerates;  // nothing: nobody knows
  bool leader_seen = false;           // status and lag are from the leader
  std::vector<MemberLine> members;
  size_t voters = 0;
  size_t silent = 0;

  [[nodiscard]] bool healthy() const {
    return !leader.empty() && leader_seen && silent == 0 && tolerates.value_or(0) > 0;
  }
};

std::string or_unknown(const std::string& text) { return text.empty() ? "?" : shown(text); }

MemberLine line_of(const JsonFields& member, const std::string& leader) {
  MemberLine line;
  line.id = member.text("id");
  line.suffrage = member.text("suffrage");
  line.raft_address = member.text("raft_address");
  line.http_address = member.text("http_address");
  line.https_address = member.text("https_address");
  line.address = line.http_address.empty() ? line.https_address : line.http_address;
  line.version = member.text("version");
  line.role = line.suffrage == "learner" ? "learner" : leader.empty() ? "" : line.id == leader ? "leader" : "follower";
  return line;
}

// Takes over what the leader says of each member: whether it is silent (`silent` in its view as others tell it,
// `status` in its own answer), and its match_index.
void take_over(View& view, const std::vector<JsonFields>& members) {
  uint64_t highest = 0;
  std::map<std::string, const JsonFields*> known;
  for (const JsonFields& member : members) {
    known[member.text("id")] = &member;
    highest = std::max(highest, member.number("match_index").value_or(0));
  }
  for (MemberLine& line : view.members) {
    const auto found = known.find(line.id);
    if (found == known.end()) continue;
    const bool silent = found->second->boolean("silent") || found->second->text("status") == "failed";
    line.status = silent ? "silent" : "alive";
    if (line.status == "silent") line.role.clear();  // nobody knows what it takes itself for
    if (const auto match = found->second->number("match_index")) line.lag = highest - std::min(highest, *match);
  }
  view.leader_seen = true;
}

// The leader's answer to GET /cluster, asked at the address that the member list names; the scheme is that of the
// endpoint.
std::optional<JsonFields> ask_leader(Cluster& cluster, const View& view) {
  for (const MemberLine& line : view.members) {
    if (line.id != view.leader) continue;
    const bool https = is_https(view.asked);
    const std::string& address = https ? line.https_address : line.http_address;
    if (address.empty()) return std::nullopt;
    const Reply reply = cluster.ask_only((https ? "https://" : "http://") + address, cluster_request());
    if (reply.done()) return JsonFields::parse(reply.answer.body);
  }
  return std::nullopt;
}

void complete(Cluster& cluster, View& view, const JsonFields& answer) {
  const auto from_leader = [&](const JsonFields& fields, const char* tolerates) {
    take_over(view, fields.objects("members"));
    view.tolerates = fields.number(tolerates);
  };
  const auto told = answer.object("leader_view");
  if (answer.text("role") == "leader")
    from_leader(answer, "tolerates");
  else if (told && told->text("told_by") == view.leader && told->number("age_ms").value_or(UINT64_MAX) <= kFreshWord)
    from_leader(*told, "may_fail");
  else if (const auto leader = ask_leader(cluster, view); leader && leader->text("role") == "leader")
    from_leader(*leader, "tolerates");
  for (const MemberLine& line : view.members) {
    view.voters += line.suffrage == "voter" ? 1 : 0;
    view.silent += line.status == "silent" ? 1 : 0;
  }
}

// What the next endpoint says, or the exit status once the reason was told.
std::variant<View, int> look_once(Cluster& cluster) {
  const Reply reply = cluster.ask(cluster_request());
  if (!reply.done()) return report(reply);
  const auto answer = JsonFields::parse(reply.answer.body);
  if (!answer) {
    complain(reply.endpoint + " answers /cluster with something that is not JSON: is it a Wormhole?");
    return kNobody;
  }
  View view;
  view.json_cluster = answer->whole();
  view.asked = reply.endpoint;
  view.node_id = answer->text("node_id");
  view.leader = answer->text("leader_id");
  view.cluster_id = answer->text("cluster_id");
  view.version = answer->text("cluster_version");
  view.term = answer->text("term");
  for (const JsonFields& member : answer->objects("members")) view.members.push_back(line_of(member, view.leader));
  complete(cluster, view, *answer);
  return view;
}

// The same, of the first endpoint that knows a leader; without one, of the first that answers.
std::variant<View, int> look(Cluster& cluster) {
  std::variant<View, int> first = look_once(cluster);
  const View* view = std::get_if<View>(&first);
  std::set<std::string> asked;
  while (view != nullptr && view->leader.empty() && asked.insert(cluster.endpoint()).second) {
    cluster.move_on();
    if (asked.contains(cluster.endpoint())) break;
    std::variant<View, int> next = look_once(cluster);
    const View* other = std::get_if<View>(&next);
    if (other == nullptr) break;
    if (!other->leader.empty()) return next;
  }
  return first;
}

std::string counted(uint64_t n, const std::string& one, const std::string& many) {
  return std::to_string(n) + " " + (n == 1 ? one : many);
}

// What may fail, in a sentence or two.
std::string outlook(const View& view) {
  if (view.members.empty())
    return "The node " + shown(view.node_id) + " is in no cluster: add it at a member with 'wormhole-cli add'.";
  if (view.leader.empty())
    return "No leader is known to " + shown(view.node_id) +
           ": nothing can be written until a majority of the voters can reach each other.";
  if (!view.tolerates)
    return "The leader " + shown(view.leader) + " could not be asked who is silent, and what may fail.";
  const uint64_t quorum = view.voters / 2 + 1;
  const std::string rest = "it goes on while " + counted(quorum, "voter", "voters") + " of " +
                           std::to_string(view.voters) + " can reach each other";
  if (*view.tolerates == 0) {
    std::string text = "NOT ONE more voter may fail: " + rest + ".";
    if (view.silent > 0)
      text += " Start the silent one again, or replace it: 'remove' it, then 'add' a new one.";
    else if (view.voters < 3)
      text += " Three voters outlive the loss of one.";
    return text;
  }
  return counted(*view.tolerates, "more voter", "more voters") + " may fail: " + rest + ".";
}

void print_status_table(const View& view) {
  put("cluster " + or_unknown(view.cluster_id) + ", version " + or_unknown(view.version) + ", term " +
      or_unknown(view.term) + ", leader " + (view.leader.empty() ? "none" : shown(view.leader)) + "; asked " +
      view.asked + " (" + shown(view.node_id) + ")\n");
  Table table({"ID", "ADDRESS", "ROLE", "SUFFRAGE", "STATE", ">LAG", ">VERSION"});
  for (const MemberLine& line : view.members) {
    const Tone tone = line.status == "alive" ? Tone::good : line.status == "silent" ? Tone::bad : Tone::faint;
    const std::string lag = !line.lag                                  ? "?"
                            : line.status == "silent" || *line.lag > 0 ? std::to_string(*line.lag)
                                                                       : "0";
    table.row({shown(line.id),
               or_unknown(line.address),
               or_unknown(line.role),
               or_unknown(line.suffrage),
               {or_unknown(line.status), tone},
               lag,
               or_unknown(line.version)});
  }
  table.print();
  put(outlook(view) + "\n");
}

void text_or_null(http::JsonWriter& json, std::string_view name, const std::string& text) {
  json.key(name);
  if (text.empty())
    json.null();
  else
    json.string(text);
}

void number_or_null(http::JsonWriter& json, std::string_view name, std::optional<uint64_t> value) {
  json.key(name);
  if (value)
    json.number(*value);
  else
    json.null();
}

void raw_or_null(http::JsonWriter& json, std::string_view name, const std::string& number) {
  json.key(name).raw(number.empty() ? "null" : number);
}

void print_status_json(const View& view) {
  http::JsonWriter json;
  json.begin_object();
  text_or_null(json, "cluster_id", view.cluster_id);
  raw_or_null(json, "cluster_version", view.version);
  raw_or_null(json, "term", view.term);
  text_or_null(json, "leader_id", view.leader);
  number_or_null(json, "tolerates", view.tolerates);
  json.key("healthy").boolean(view.healthy());
  text_or_null(json, "asked", view.asked);
  json.key("members").begin_array();
  for (const MemberLine& line : view.members) {
    json.begin_object().key("id").string(line.id);
    text_or_null(json, "raft_address", line.raft_address);
    text_or_null(json, "http_address", line.http_address);
    text_or_null(json, "https_address", line.https_address);
    text_or_null(json, "role", line.role);
    text_or_null(json, "suffrage", line.suffrage);
    text_or_null(json, "status", line.status);
    number_or_null(json, "lag", line.lag);
    raw_or_null(json, "version", line.version);
    json.end_object();
  }
  json.end_array().end_object();
  put(json.take() + "\n");
}

// A change of the members: the paths take no idempotency key, and doing it twice does no harm.
Request member_change(std::string method, const Target& target) {
  Request request = write_of(std::move(method), target);
  request.keyless = true;
  return request;
}

std::string object_of(std::initializer_list<std::pair<std::string_view, std::string_view>> members) {
  http::JsonWriter json;
  json.begin_object();
  for (const auto& [name, value] : members) json.key(name).string(value);
  json.end_object();
  return json.ok() ? json.take() : std::string("{}");
}

// NAME=VALUE as a member: numbers, arrays and objects as they are, the rest as strings.
void add_setting(http::JsonWriter& json, const std::string& given) {
  const size_t equals = given.find('=');
  const std::string value = given.substr(equals + 1);
  json.key(given.substr(0, equals));
  const bool digits = !value.empty() && value.find_first_not_of("0123456789") == std::string::npos;
  if (digits || ((value.starts_with('[') || value.starts_with('{')) && http::check_json(value)))
    json.raw(value);
  else
    json.string(value);
}

void print_settings(const Answer& answer, const Invocation& invocation) {
  const auto fields = JsonFields::parse(answer.body);
  if (invocation.json() || !fields) return put_line(answer.body);
  const auto settings = fields->object("settings");
  const JsonFields& rows = settings ? *settings : *fields;
  Table table({"SETTING", "VALUE"});
  for (const std::string& name : rows.names()) {
    const std::string text = rows.text(name);
    table.row({shown(name), shown(text.empty() ? rows.json(name) : text)});
  }
  table.print();
}

}  // namespace

int run_status(Cluster& cluster, const Invocation& invocation) {
  const auto looked = look(cluster);
  if (const int* status = std::get_if<int>(&looked)) return *status;
  const View& view = std::get<View>(looked);
  if (invocation.json())
    print_status_json(view);
  else
    print_status_table(view);
  return view.healthy() ? kDone : kRefused;
}

int run_members(Cluster& cluster, const Invocation& invocation) {
  const Reply reply = cluster.ask(cluster_request());
  if (!reply.done()) return report(reply);
  const auto answer = JsonFields::parse(reply.answer.body);
  if (!answer) return kNobody;
  if (invocation.json()) {
    for (const JsonFields& member : answer->objects("members")) put(member.whole() + "\n");
    return kDone;
  }
  Table table({"ID", "RAFT ADDRESS", "HTTP ADDRESS", "HTTPS ADDRESS", "SUFFRAGE"});
  for (const JsonFields& member : answer->objects("members")) {
    const auto address = [&](const char* name) {
      return member.has(name) ? shown(member.text(name)) : std::string("-");
    };
    table.row({shown(member.text("id")), address("raft_address"), address("http_address"), address("https_address"),
               shown(member.text("suffrage"))});
  }
  table.print(true);
  return kDone;
}

int run_add(Cluster& cluster, const Invocation& invocation) {
  Request request = member_change("POST", Target("/cluster/members"));
  request.body = object_of({{"id", invocation.arguments[0]}, {"raft_address", invocation.arguments[1]}});
  request.headers = {"Content-Type: application/json"};
  const Reply reply = cluster.ask(request);
  if (!reply.done()) return report(reply);
  note(shown(invocation.arguments[0]) + " is a voter");
  return kDone;
}

int run_remove(Cluster& cluster, const Invocation& invocation) {
  const Reply reply = cluster.ask(member_change("DELETE", Target("/cluster/members").segment(invocation.arguments[0])));
  // An attempt whose answer was lost has removed it.
  const bool before = reply.repeated && reply.kind == Reply::Kind::refused && reply.answer.status == 404;
  if (!reply.done() && !before) return report(reply);
  note(shown(invocation.arguments[0]) + " is no member any more");
  return kDone;
}

int run_transfer(Cluster& cluster, const Invocation& invocation) {
  Request request = member_change("POST", Target("/cluster/transfer"));
  request.body = object_of({{"id", invocation.arguments[0]}});
  request.headers = {"Content-Type: application/json"};
  const Reply reply = cluster.ask(request);
  if (!reply.done()) return report(reply);
  note(shown(invocation.arguments[0]) + " leads");
  return kDone;
}

int run_settings(Cluster& cluster, const Invocation& invocation) {
  const bool of_queue = invocation.has("--queue");
  const Target target = of_queue ? queue_target(invocation.text("--queue")) : Target("/cluster/settings");
  Request request = read_of(target);
  if (!invocation.arguments.empty()) {
    http::JsonWriter json;
    json.begin_object();
    for (const std::string& given : invocation.arguments) {
      if (given.find('=') == std::string::npos || given.starts_with('='))
        return misuse(invocation, "'" + shown(given) + "' is not NAME=VALUE");
      add_setting(json, given);
    }
    json.end_object();
    if (!json.ok()) return misuse(invocation, "settings must be UTF-8");
    request = write_of("PUT", target);
    request.keyless = !of_queue;
    request.body = json.take();
    request.headers = {"Content-Type: application/json"};
  }
  const Reply reply = cluster.ask(request);
  if (!reply.done()) return report(reply);
  print_settings(reply.answer, invocation);
  return kDone;
}

}  // namespace wh::cli
