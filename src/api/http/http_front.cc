#include "api/http/http_front.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include "api/http/formats/cloud_events.h"
#include "api/http/request_access.h"
#include "api/http/routes/queue_routes.h"
#include "api/http/streams/watch_stream.h"
#include "api/member_view.h"
#include "base/assert.h"
#include "base/log.h"
#include "base/protocol_guess.h"
#include "http/url.h"
#include "net/loop.h"

namespace wh::api {
namespace {

// Room in a request line for what is not the target that Location names: method, version, and the authority, where a
// client of the leader puts it there.
constexpr size_t kRedirectMargin = 512;

std::vector<http::Route> router_table() {
  std::vector<http::Route> table;
  for (const RouteSpec& route : route_table())
    table.push_back({route.methods, route.pattern, static_cast<int>(table.size())});
  return table;
}

// For each row, the rows of its path, and of methods in common, that serve a parameter of the query.
std::vector<std::vector<int>> variants() {
  const std::span<const RouteSpec> table = route_table();
  std::vector<std::vector<int>> variants(table.size());
  for (size_t route = 0; route < table.size(); ++route)
    for (size_t i = 0; i < table.size(); ++i)
      if (!table[i].when.empty() && table[i].pattern == table[route].pattern &&
          (table[i].methods & table[route].methods) != 0)
        variants[route].push_back(static_cast<int>(i));
  return variants;
}

// False: the query certainly has no such parameter.
bool may_have(std::string_view query, std::string_view name) {
  return query.find(name) != std::string_view::npos || query.find('%') != std::string_view::npos;
}

// What tells a request from others besides its command. Prefer decides on the answer that is kept.
std::string meaning_of(const RouteSpec& route, const http::Request& request) {
  std::string meaning = std::string(http::method_name(request.method)) + ' ' + std::string(route.pattern);
  if (prefers_representation(request)) meaning += " return=representation";
  return meaning;
}

http::Response with_outcome(http::Response response, const char* outcome) {
  response.headers.remove("Wormhole-Outcome");
  response.headers.add("Wormhole-Outcome", outcome);
  return response;
}

}  // namespace

HttpFront::HttpFront(Calls& calls, Backups& backups, const ClusterEvents& cluster_events, const Millis& now,
                     BufferBudget& buffers)
    : context_{calls.context(), backups, cluster_events, std::make_shared<ChangeFrames>()},
      options_(context_.api.options),
      node_(context_.api.node),
      calls_(calls),
      slow_log_(context_.api.slow_log),
      now_(now),
      buffers_(buffers),
      router_(router_table()),
      variants_(variants()) {
  reconfigure();
}

void HttpFront::reconfigure() {
  limits_.body_bytes = options_.http_max_body_bytes;
  limits_.idle_timeout_ms = options_.timeout_s * 1000;
}

void HttpFront::accept(std::unique_ptr<ByteStream> stream) { open(std::move(stream)); }

uint64_t HttpFront::open(std::unique_ptr<ByteStream> stream) {
  ++counters_.connections;
  return connections_.open(std::move(stream), *this, limits_, now_, &buffers_);
}

void HttpFront::accept_probe(std::unique_ptr<ByteStream> stream) {
  if (probes_.size() >= ClientAdmission::kProbes) {
    ++counters_.turned_away;
    // The oldest gives way, or the oldest of an address that holds more than its share.
    const auto greedy = std::find_if(probes_.begin(), probes_.end(), [this](const Probe& probe) {
      const auto held = std::count_if(probes_.begin(), probes_.end(),
                                      [&probe](const Probe& other) { return other.group == probe.group; });
      return static_cast<size_t>(held) > ClientAdmission::kProbes / ClientAdmission::kShares;
    });
    const auto victim = greedy == probes_.end() ? probes_.begin() : greedy;
    connections_.end(victim->connection);
    probes_.erase(victim);
  }
  const uint64_t group = stream->peer_group();
  const uint64_t id = open(std::move(stream));
  probes_.push_back({id, now_, group});
  connections_.find(id)->close_when_answered();
}

bool HttpFront::is_probe(uint64_t connection) const {
  return std::any_of(probes_.begin(), probes_.end(),
                     [connection](const Probe& probe) { return probe.connection == connection; });
}

void HttpFront::list(std::vector<uint64_t>& groups, std::vector<IdleClient>& idle) const {
  connections_.list(
      groups, idle, [this](uint64_t id) { return !is_probe(id); },
      [this](const http::Connection& connection) {
        const auto awaited = connection.awaits();
        return awaited && node_.waits(awaited->call) ? std::optional(awaited->since) : std::nullopt;
      });
}

bool HttpFront::end_idle(const IdleClient& client) { return connections_.end_idle(client) || end_waiting(client); }

// A client that waits is told why, as it will ask again.
bool HttpFront::end_waiting(const IdleClient& client) {
  http::Connection* connection = connections_.find(client.id);
  const auto awaited = connection == nullptr ? std::nullopt : connection->awaits();
  if (client.arriving || !awaited || awaited->since != client.since) return false;
  const auto found = pending_.find(awaited->call);
  if (found == pending_.end() || !calls_.cancel_wait(awaited->call)) return false;
  const auto handle = pending_.extract(found);
  const Asked& asked = handle.mapped().asked;
  http::Response response = http::error_response(
      503, "this request waited, and its place is needed: there are too many clients (directive maxclients)");
  finish(asked.route, asked.method, response);
  connection->answer_last(asked.id.sequence, std::move(response));
  connections_.end(client.id);
  return true;
}

std::string HttpFront::plain_answer(std::string_view first_bytes) {
  std::string bytes;
  if (protocol_guess(first_bytes) == "HTTP")
    http::append_response(bytes, http::error_response(400, "this port speaks HTTPS: use https://"), {.close = true});
  return bytes;
}

void HttpFront::check_deadlines() {
  connections_.each([](http::Connection& connection) { connection.check_deadlines(); });
  while (!probes_.empty() && now_ - probes_.front().since >= kProbeMs) {
    connections_.end(probes_.front().connection);
    probes_.erase(probes_.begin());
  }
}

void HttpFront::close_when_answered() {
  connections_.each([](http::Connection& connection) { connection.close_when_answered(); });
}

void HttpFront::close_idle() {
  connections_.each([](http::Connection& connection) { connection.close_idle(); });
}

bool HttpFront::asks_much(node::Token token) const {
  const auto call = pending_.find(token);
  if (call == pending_.end()) return false;
  const http::Connection* connection = connections_.find(call->second.asked.id.connection);
  return connection != nullptr && connection->asks_much();
}

// The row of this path and method that serves a parameter of the query; its own where there is none. What is wrong with
// the query is found later.
int HttpFront::variant_of(size_t route, const http::Request& request) const {
  for (const int variant : variants_[route]) {
    const std::string_view name = route_table()[static_cast<size_t>(variant)].when;
    if (!may_have(request.query, name)) continue;
    const Result<http::Params> query = http::parse_form(request.query);
    if (query && http::find_param(*query, name) != nullptr) return variant;
  }
  return static_cast<int>(route);
}

const RouteSpec* HttpFront::route_of(const http::Request& request) {
  return request.route < 0 ? nullptr : &route_table()[static_cast<size_t>(request.route)];
}

std::optional<http::Response> HttpFront::check_headers(const http::Connection& connection, http::Request& request) {
  http::RouteMatch match = router_.find(request.method, request.path);
  request.route = match.route < 0 ? match.route : variant_of(static_cast<size_t>(match.route), request);
  request.route_params = std::move(match.params);
  const RouteSpec* route = route_of(request);
  AccessNeeds needs;
  if (route != nullptr) {
    needs = {.exempt = route->verb == security::Verb::open && !route->guarded,
             .passwordless = route->guarded,
             .costly = route->finish_later != nullptr || route->stream,
             .changes_state = route->changes_state(),
             .writes_by_get = route->writes_by_get};
  } else {
    needs.changes_state = request.method != http::Method::get && request.method != http::Method::head &&
                          request.method != http::Method::options;
  }
  std::optional<Refusal> refusal;
  if (!needs.exempt && is_probe(connection.id())) {
    ++counters_.turned_away;
    refusal = Refusal{RefusalKind::unavailable, "there are too many clients (directive maxclients)"};
  } else {
    refusal = refuse(options_, connection.stream(), request, needs, options_.announce_address);
  }
  if (refusal && refusal->kind == RefusalKind::unauthenticated && request.header("Authorization") != nullptr) {
    ++counters_.failed_auth;
    log_limited(password_log_, "A wrong password came over HTTP from " + connection.stream().peer_address());
  }
  if (refusal) {
    http::Response response = refusal_response(*refusal, needs.changes_state);
    if (refusal->kind == RefusalKind::unauthenticated) response.headers.add("WWW-Authenticate", challenge_to(request));
    if (refusal->kind == RefusalKind::wrong_method) response.headers.add("Allow", allowed_instead(request));
    finish(route, request.method, response);
    return response;
  }
  if (!match.answer) return std::nullopt;
  http::Response response = std::move(*match.answer);
  if (response.status == 404) response = http::error_response(404, "nothing is here; there are " + route_paths());
  if (needs.changes_state && response.status >= 400) response = with_outcome(std::move(response), "not-applied");
  finish(route, request.method, response);
  return response;
}

// Nothing was applied, whatever the request was: it was not even read to its end.
void HttpFront::on_refused(http::Response& response) {
  if (response.status == 413)
    response = http::error_response(413, "the body is larger than http-max-body allows: " +
                                             std::to_string(options_.http_max_body_bytes) + " bytes");
  response = with_outcome(std::move(response), "not-applied");
  finish(nullptr, std::nullopt, response);
}

void HttpFront::on_foreign(const http::Connection& connection, std::string_view first_bytes) {
  const std::string protocol = protocol_guess(first_bytes);
  if (protocol == "HTTP") return;
  ++counters_.foreign;
  log_limited(foreign_log_, "A connection from " + connection.stream().peer_address() + " to the HTTP" +
                                (connection.stream().is_tls() ? "S" : "") + " port was closed: it speaks " + protocol +
                                ", not HTTP");
}

void HttpFront::log_limited(LogLimiter& limiter, std::string line) const {
  if (!limiter.allow(now_)) return;
  if (limiter.suppressed() != 0) line += " (and " + std::to_string(limiter.suppressed()) + " more like this before)";
  log_line(LogLevel::notice, line);
}

http::Overlap HttpFront::classify(const http::Request& request) {
  const RouteSpec* route = route_of(request);
  const bool overlaps = route != nullptr && route->verb == security::Verb::write && !route->alone;
  return overlaps ? http::Overlap::write : http::Overlap::alone;
}

void HttpFront::on_request(http::RequestId id, http::Request&& request) {
  ++counters_.requests;
  const RouteSpec* route = route_of(request);
  WH_ASSERT(route != nullptr, "check_headers answers what has no route");
  Asked asked{id, route, request.method, net::Loop::micros(), slow_log_.clipped(request.path)};
  const ByteStream& stream = connections_.find(id.connection)->stream();
  Result<http::Params> query = route->inputs.anything ? http::Params{} : http::parse_form(request.query);
  if (!query) return respond(asked, http::error_response(400, query.error()));
  std::optional<Refusal> refusal = refuse_query(route->inputs, *query);
  if (!refusal) refusal = refuse_body(route->inputs, request.body);
  if (!refusal) refusal = refuse_coding(route->inputs, request);
  if (!refusal) refusal = refuse_preconditions(route->inputs, request);
  if (refusal) return respond(asked, refused(*route, request, stream, *refusal));
  RouteRequest route_request{request, route->inputs, stream, std::move(request.route_params), std::move(*query)};
  ask(std::move(asked), request, route_request);
}

void HttpFront::ask(Asked asked, const http::Request& request, RouteRequest& route_request) {
  const RouteSpec& route = *asked.route;
  OrRefusal<CallOptions> options = read_params(route_request.query, options_.read_consistency);
  if (!options) return respond(asked, refusal_response(options.error(), route.changes_state()));
  if (route.changes_state()) {
    OrRefusal<std::optional<std::string>> key = idempotency_key_of(route.inputs, request);
    if (!key) return respond(asked, refusal_response(key.error(), true));
    if (*key) options->idempotency = Idempotency{std::move(**key), meaning_of(route, request)};
  }
  options->client = route_request.stream.peer_group();
  OrRefusal<RouteCall> call = route.begin(route_request);
  if (!call) return respond(asked, refusal_response(call.error(), route.changes_state()));
  options->wait_ms = call->wait_ms;
  if (!options->idempotency && !call->idempotency_key.empty())
    options->idempotency = Idempotency{std::move(call->idempotency_key), {}};
  if (options->idempotency) options->idempotency->fingerprint = call->fingerprint;
  const bool stale = options->read.stale && std::holds_alternative<Read>(call->operation) && !route.inputs.anything;
  const bool cancellable = is_cancellable(call->operation);
  std::string redirect_target;
  std::string local_address;
  if (route.verb == security::Verb::write && !may_forward(route, request)) {
    Result<std::string> target = http::canonical_target(request.path, request.query);
    if (!target) return respond(asked, http::error_response(400, target.error()));
    // Encoding may lengthen the target: if the leader would not read it, the request is forwarded instead.
    options->may_forward = target->size() > limits_.request_line_bytes - kRedirectMargin;
    redirect_target = std::move(*target);
    local_address = route_request.stream.local_address();
  }
  OrRefusal<Started> started = calls_.start(*this, asking(options_), std::move(call->operation), *options);
  if (!started) {
    http::Response response = refusal_response(started.error(), route.changes_state());
    if (stale) add_last_contact(response, node_, calls_.now());
    return respond(asked, std::move(response));
  }
  if (const auto* answer = std::get_if<Answer>(&*started)) {
    http::Response response = route.finish(context_, call->state, *answer);
    if (stale) add_last_contact(response, node_, calls_.now());
    return respond(asked, std::move(response));
  }
  const node::Token token = std::get<node::Token>(*started);
  if (cancellable) connections_.find(asked.id.connection)->name_call(asked.id.sequence, token);
  Pending& pending = pending_[token];
  pending.asked = std::move(asked);
  pending.state = std::move(call->state);
  pending.target = std::move(redirect_target);
  pending.local_address = std::move(local_address);
  pending.tls = route_request.stream.is_tls();
  pending.stale = stale;
}

// A redirect keeps path and query: the leader judges them.
http::Response HttpFront::refused(const RouteSpec& route, const http::Request& request, const ByteStream& stream,
                                  const Refusal& refusal) const {
  const raft::Member* leader = node_.leader();
  if (route.verb == security::Verb::write && !may_forward(route, request) && leader != nullptr &&
      leader->name != node_.identity().name) {
    if (const Result<std::string> target = http::canonical_target(request.path, request.query))
      return redirect(stream.is_tls(), stream.local_address(), *target);
  }
  return refusal_response(refusal, route.changes_state());
}

// Clients drop credentials and CloudEvents on a redirect: `follower-writes auto` forwards such requests.
bool HttpFront::may_forward(const RouteSpec& route, const http::Request& request) const {
  const bool redirects = options_.follower_writes == config::FollowerWrites::redirect ||
                         (options_.follower_writes == config::FollowerWrites::automatic && route.redirects);
  if (!redirects) return true;
  if (options_.follower_writes != config::FollowerWrites::automatic) return false;
  return request.header("Authorization") != nullptr || request.header("Cookie") != nullptr ||
         cloud_event_mode(request) != CloudEventMode::none;
}

void HttpFront::on_answer(node::Token token, OrRefusal<Answer> answer) {
  const auto found = pending_.find(token);
  const RouteSpec& route = *found->second.asked.route;
  if (route.stream && !found->second.state.head) return stream_told(token, found->second, answer);
  auto handle = pending_.extract(found);
  const Pending& pending = handle.mapped();
  if (!answer && answer.error().kind == RefusalKind::elsewhere)
    return respond(pending.asked, redirect(pending.tls, pending.local_address, pending.target));
  if (!answer && answer.error().kind == RefusalKind::unprocessable && pending.state.keys_of != KeysOf::request) {
    Refusal refusal = answer.error();
    refusal.sentence = known_keys_sentence(pending.state);
    return respond(pending, refusal_response(refusal, route.changes_state()));
  }
  if (!answer) return respond(pending, refusal_response(answer.error(), route.changes_state()));
  if (route.finish_later == nullptr) {
    http::Response response = route.finish(context_, pending.state, *answer);
    if (answer->replayed) response.headers.add("Idempotency-Replayed", "true");
    return respond(pending, std::move(response));
  }
  route.finish_later(context_, pending.state, *answer,
                     [this, pending](http::Response response) { respond(pending, std::move(response)); });
}

void HttpFront::respond(const Pending& pending, http::Response&& response) {
  if (pending.stale) add_last_contact(response, node_, now_);
  respond(pending.asked, std::move(response));
}

// Called first when the stream may begin, then each time that it has more, and at last with the reason for its end.
void HttpFront::stream_told(node::Token token, Pending& pending, const OrRefusal<Answer>& answer) {
  http::Connection* connection = connections_.find(pending.asked.id.connection);
  if (!answer) {
    // Removed first, so that the connection's report of the stream's end finds nothing.
    auto handle = pending_.extract(token);
    if (!pending.streaming) return respond(pending.asked, refusal_response(answer.error(), false));
    --streams_;
    return connection->end_stream();
  }
  if (pending.streaming) return connection->stream_has_more();
  pending.streaming = true;
  ++streams_;
  ++counters_.streams;
  respond(pending.asked, pending.asked.route->finish(context_, pending.state, *answer));
}

// A stream's connection ends the stream itself, when its client has what there is.
void HttpFront::on_half_closed(uint64_t call) {
  const auto found = pending_.find(call);
  if (found == pending_.end() || found->second.asked.route->stream || !calls_.cancel_wait_or_receive(call)) return;
  auto handle = pending_.extract(found);
  respond(handle.mapped().asked,
          http::error_response(503, "the client closed its side of the connection, so it is not waited for"));
}

void HttpFront::on_abandoned(uint64_t call) {
  const auto found = pending_.find(call);
  if (found == pending_.end() || !calls_.cancel(call)) return;
  if (found->second.streaming) --streams_;
  pending_.erase(found);
}

void HttpFront::on_stream_over(uint64_t call, http::StreamEnd end) {
  if (end == http::StreamEnd::cut) ++counters_.streams_cut;
  on_abandoned(call);
}

// 307 keeps method and body; scheme and authority are the leader's, never the request's (open redirect, HAZARDS H14).
http::Response HttpFront::redirect(bool tls, const std::string& local_address, const std::string& target) const {
  const raft::Member* leader = node_.leader();
  if (leader == nullptr)
    return with_outcome(http::error_response(503, "the leader just changed: try again"), "not-applied");
  const raft::Member member = node_.addresses_of(*leader);
  const bool https = tls || member.http_address.empty();
  std::string address = https ? member.https_address : member.http_address;
  if (!address.empty() && address.front() != ':') address = as_seen_from(local_address, address);
  if (address.empty() || address.front() == ':')
    return with_outcome(
        http::error_response(503, "the leader, " + printable(member.name) + ", announces no address for this"),
        "not-applied");
  http::Response response =
      with_outcome(http::error_response(307, "the leader is " + printable(member.name)), "not-applied");
  response.headers.add("Location", (https ? "https://" : "http://") + address + target);
  return response;
}

void HttpFront::respond(const Asked& asked, http::Response&& response) {
  const RouteSpec* route = asked.route;
  if (route != nullptr && route->changes_state() && response.status >= 400 && response.status < 500)
    response = with_outcome(std::move(response), "not-applied");
  RouteCounters& counters = finish(route, asked.method, response);
  http::Connection* connection = connections_.find(asked.id.connection);
  const uint64_t took_us = net::Loop::micros() - asked.at_us;
  counters.took_us.add(took_us);
  if (slow_log_.is_slow(took_us))
    slow_log_.add(took_us, {std::string(http::method_name(asked.method)), asked.path},
                  connection == nullptr ? "" : connection->stream().peer_address(), "http");
  if (connection != nullptr) connection->respond(asked.id.sequence, std::move(response));
}

RouteCounters& HttpFront::counters_of(const RouteSpec* route, std::optional<http::Method> method) {
  const int place = route == nullptr ? -1 : static_cast<int>(route - route_table().data());
  return counters_.routes[{place, method ? static_cast<int>(*method) : -1}];
}

// Adds Date (RFC 9110 6.6.1); its text is made once a second.
RouteCounters& HttpFront::finish(const RouteSpec* route, std::optional<http::Method> method, http::Response& response) {
  ++counters_.answers.at(static_cast<size_t>(response.status / 100));
  RouteCounters& counters = counters_of(route, method);
  ++counters.answers[response.status];
  timespec now{};
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  if (now.tv_sec != date_at_) {
    date_at_ = now.tv_sec;
    tm utc{};
    gmtime_r(&now.tv_sec, &utc);
    char text[40];
    // strftime's names are English in the C locale, which this program never leaves.
    date_.assign(text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc));
  }
  response.headers.add("Date", date_);
  return counters;
}

void HttpFront::on_closed(uint64_t connection) {
  // Freed later: the connection itself calls this.
  connections_.closed(connection);
  std::erase_if(probes_, [connection](const Probe& probe) { return probe.connection == connection; });
}

}  // namespace wh::api
