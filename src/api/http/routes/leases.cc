// The routes of leases.
#include <algorithm>
#include <array>
#include <utility>

#include "api/http/params.h"
#include "api/http/read_terms.h"
#include "api/http/routes.h"
#include "api/http/routes/queue_routes.h"
#include "base/utf8.h"
#include "config/option_values.h"
#include "http/json.h"
#include "http/url.h"

namespace wh::api {
namespace {

constexpr Parameter kLeaseTtl{.name = "ttl",
                              .text = "How long the lease lasts unless it is kept alive.",
                              .type = ParameterType::duration,
                              .least = machine::kMinLeaseMs,
                              .most = machine::kMaxLeaseMs,
                              .example = "1m",
                              .required = true};
constexpr Parameter kAfterLease{
    .name = "after", .text = "The first lease is behind this id.", .type = ParameterType::number, .standard = 0};
constexpr Parameter kAfterLeasesKey{.name = "after", .text = "The first key is behind this one.", .example = "app/a"};

OrRefusal<uint64_t> lease_id(const std::string& text) {
  const std::optional<uint64_t> id = config::parse_unsigned(text);
  if (!id || *id == 0) return malformed("a lease's id is a number, as POST /leases gives it");
  return *id;
}

std::string lease_json(uint64_t id, Millis ttl) {
  return "{\"id\":" + std::to_string(id) + ",\"ttl_ms\":" + std::to_string(ttl) + "}";
}

OrRefusal<RouteCall> begin_grant(RouteRequest& request) {
  const auto ttl = duration_param(request.query, kLeaseTtl);
  if (!ttl) return ttl.error();
  if (!*ttl) return malformed("the parameter ttl is missing: how long the lease lasts unless it is kept alive");
  return RouteCall{Write{machine::GrantLease{**ttl}}, {.ttl_ms = **ttl}};
}

http::Response finish_grant(const RouteContext&, const RouteState& state, const Answer& answer) {
  const auto& leased = std::get<Leased>(answer.body);
  http::Response response = json_response(201, lease_json(leased.id, state.ttl_ms));
  response.headers.add("Location", "/leases/" + std::to_string(leased.id));
  return with_index(std::move(response), answer.index);
}

OrRefusal<RouteCall> begin_keep(RouteRequest& request) {
  const OrRefusal<uint64_t> id = lease_id(request.params[0]);
  if (!id) return id.error();
  return RouteCall{Write{machine::KeepLease{*id}}, {.id = *id}};
}

http::Response finish_keep(const RouteContext&, const RouteState& state, const Answer& answer) {
  return with_index(json_response(200, lease_json(state.id, std::get<Leased>(answer.body).ttl_ms)), answer.index);
}

OrRefusal<RouteCall> begin_revoke(RouteRequest& request) {
  const OrRefusal<uint64_t> id = lease_id(request.params[0]);
  if (!id) return id.error();
  return RouteCall{Write{machine::RevokeLease{*id}}};
}

http::Response finish_revoke(const RouteContext&, const RouteState&, const Answer& answer) {
  return with_index(empty_response(204), answer.index);
}

// The times of a lease; within an object.
void write_lease(http::JsonWriter& json, uint64_t id, const machine::Lease& lease, Millis stamp) {
  json.key("id").number(id).key("ttl_ms").number(lease.ttl);
  json.key("remaining_ms").number(lease.deadline - std::min(lease.deadline, stamp));
}

OrRefusal<RouteCall> begin_show_lease(RouteRequest& request) {
  const OrRefusal<uint64_t> id = lease_id(request.params[0]);
  if (!id) return id.error();
  const std::string* after = http::find_param(request.query, "after");
  return RouteCall{Read{ShowLease{*id, after == nullptr ? std::string() : *after}},
                   {.value = "/leases/" + std::to_string(*id) + "?after="}};
}

// Keys that are no text stand in a list of their own.
http::Response finish_show_lease(const RouteContext& context, const RouteState& state, const Answer& answer) {
  const auto& shown = std::get<ShownLeases>(answer.body);
  if (shown.leases.empty()) return not_here("there is no such lease: it is over, or never was", answer.index, false);
  const auto& [id, lease] = *shown.leases[0];
  http::JsonWriter json;
  json.begin_object();
  write_lease(json, id, lease, context.api.node.machine().time_ms());
  json.key("keys").begin_array();
  for (const std::string_view key : shown.keys)
    if (is_utf8(key)) json.string(key);
  json.end_array();
  if (!std::all_of(shown.keys.begin(), shown.keys.end(), is_utf8)) {
    json.key("keys_base64").begin_array();
    for (const std::string_view key : shown.keys)
      if (!is_utf8(key)) json.base64(key);
    json.end_array();
  }
  json.end_object();
  http::Response response = json_response(200, json.take());
  if (!shown.next_key.empty()) add_next_link(response, state.value + http::percent_encode(shown.next_key));
  return with_index(std::move(response), answer.index);
}

OrRefusal<RouteCall> begin_list_leases(RouteRequest& request) {
  const OrRefusal<uint64_t> limit = number_param(request.query, kLimit);
  if (!limit) return limit.error();
  const OrRefusal<uint64_t> after = number_param(request.query, kAfterLease);
  if (!after) return after.error();
  return RouteCall{Read{ListLeases{*after, static_cast<uint32_t>(*limit)}},
                   {.value = "/leases?limit=" + std::to_string(*limit) + read_terms_of(request.query)}};
}

http::Response finish_list_leases(const RouteContext& context, const RouteState& state, const Answer& answer) {
  const auto& shown = std::get<ShownLeases>(answer.body);
  const Millis stamp = context.api.node.machine().time_ms();
  http::JsonWriter json;
  json.begin_object().key("index").number(answer.index.value).key("leases").begin_array();
  for (const auto* one : shown.leases) {
    json.begin_object();
    write_lease(json, one->first, one->second, stamp);
    json.key("keys").number(one->second.keys.size()).end_object();
  }
  json.end_array().end_object();
  http::Response response = json_response(200, json.take());
  if (shown.next != 0) add_next_link(response, state.value + "&after=" + std::to_string(shown.next));
  return with_index(std::move(response), answer.index);
}

constexpr std::string_view kNoLease = "There is no such lease: it is over, or never was.";

constexpr std::array kRoutesOfLeases{
    RouteSpec{.methods = kPost,
              .pattern = "/leases",
              .verb = security::Verb::write,
              .inputs = {.query = {&kLeaseTtl}, .idempotency = true},
              .doc = {.id = "grantLease",
                      .summary = "Makes a lease: keys that are put under it go when it ends.",
                      .answers = {{201, "The lease.", json_body("Lease"), {&kLocationField}}},
                      .refusals = {{429, "There are as many leases as may be."}, {507}}},
              .begin = begin_grant,
              .finish = finish_grant},
    RouteSpec{.methods = kGet,
              .pattern = "/leases",
              .verb = security::Verb::read,
              .inputs = {.query = Parameters{&kLimit, &kAfterLease} + kReadParams},
              .doc = {.id = "listLeases",
                      .summary = "Lists leases by id.",
                      .answers = {{200, "The leases.", json_body("Leases"), {&kLinkField}}}},
              .begin = begin_list_leases,
              .finish = finish_list_leases},
    RouteSpec{.methods = kGet,
              .pattern = "/leases/{id}",
              .verb = security::Verb::read,
              .inputs = {.query = Parameters{&kAfterLeasesKey} + kReadParams},
              .doc = {.id = "getLease",
                      .summary = "Shows a lease and its keys.",
                      .answers = {{200, "The lease.", json_body("ShownLease"), {&kLinkField}}},
                      .refusals = {{404, kNoLease}}},
              .begin = begin_show_lease,
              .finish = finish_show_lease},
    RouteSpec{.methods = kDelete,
              .pattern = "/leases/{id}",
              .verb = security::Verb::write,
              .inputs = {.idempotency = true},
              .doc = {.id = "revokeLease",
                      .summary = "Ends a lease, and removes its keys.",
                      .answers = {{204, "It is over."}},
                      .refusals = {{404, kNoLease}}},
              .begin = begin_revoke,
              .finish = finish_revoke},
    RouteSpec{.methods = kPost,
              .pattern = "/leases/{id}/keepalive",
              .verb = security::Verb::write,
              .inputs = {.idempotency = true},
              .doc = {.id = "keepLeaseAlive",
                      .summary = "Makes a lease last its whole time again.",
                      .answers = {{200, "The lease.", json_body("Lease")}},
                      .refusals = {{404, kNoLease}}},
              .begin = begin_keep,
              .finish = finish_keep},
};

}  // namespace

std::span<const RouteSpec> lease_routes() { return kRoutesOfLeases; }

}  // namespace wh::api
