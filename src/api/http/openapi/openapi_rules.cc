#include "api/http/openapi/openapi_rules.h"

#include <array>

#include "api/http/read_terms.h"

namespace wh::api {
namespace {

// --- what a path's names are

struct PathParameter {
  std::string_view path;  // how it begins
  Parameter parameter;
};

constexpr std::string_view kName = "^[A-Za-z0-9._-]{1,133}$";
constexpr std::array kPathParameters{
    PathParameter{"/queues/", {.name = "q", .text = "A queue.", .pattern = kName, .example = "orders"}},
    PathParameter{"/queues/",
                  {.name = "id",
                   .text = "An event's id.",
                   .type = ParameterType::number,
                   .least = 1,
                   .most = (uint64_t{1} << 53) - 1,
                   .example = "1"}},
    PathParameter{"/topics/", {.name = "t", .text = "A topic.", .pattern = kName, .example = "order-events"}},
    PathParameter{"/topics/", {.name = "q", .text = "A queue.", .pattern = kName, .example = "orders"}},
    PathParameter{
        "/kv/",
        {.name = "key",
         .text = "A key: the rest of the path, percent-decoded. Slashes belong to it, as they are or encoded.",
         .example = "color"}},
    PathParameter{"/keys/", {.name = "key", .text = "A key.", .example = "color"}},
    PathParameter{"/key/", {.name = "name", .text = "A key.", .example = "color"}},
    PathParameter{"/leases/",
                  {.name = "id", .text = "A lease's id.", .type = ParameterType::number, .least = 1, .example = "1"}},
    PathParameter{"/cluster/members/", {.name = "id", .text = "A member's node-id.", .example = "node2"}},
};

// --- what follows from a row's fields

constexpr Parameter kIfMatch{.name = "If-Match",
                             .text = "Only if the ETag is one of these; else 412. A DELETE of an event takes one.",
                             .example = "\"1\""};
constexpr Parameter kIfNoneMatch{.name = "If-None-Match",
                                 .text = "Only if the ETag is none of these; of a write also *: only if there is none.",
                                 .example = "\"1\""};
constexpr Parameter kIdempotencyKey{
    .name = "Idempotency-Key",
    .text = "A repeat under the same key gets the first answer and has no second effect.",
    .pattern = "^[ -~]{1,255}$",
    .example = "order-17"};
constexpr Parameter kLastEventId{
    .name = "Last-Event-ID", .text = "Goes on after this id of the stream; wins over the query.", .example = "1"};
constexpr std::array kHeaderParameters{&kIfMatch, &kIfNoneMatch, &kIdempotencyKey, &kLastEventId};

constexpr Parameter kReplayed{.name = "Idempotency-Replayed", .text = "true: this is the first answer, again."};
constexpr Parameter kLastContact{.name = "Wormhole-Last-Contact",
                                 .text = "Of a stale read: ms since this node heard its leader.",
                                 .type = ParameterType::number};
constexpr Parameter kOutcome{.name = "Wormhole-Outcome",
                             .text = "Of a change: whether it certainly had no effect.",
                             .choices = {"not-applied", "unknown"}};
constexpr Parameter kOldestField{.name = "Wormhole-Oldest-Index",
                                 .text = "The oldest index of which the changes are kept.",
                                 .type = ParameterType::number};
constexpr Parameter kRetryAfter{.name = "Retry-After", .text = "Seconds.", .type = ParameterType::number};
constexpr Parameter kAllow{.name = "Allow", .text = "The methods of the path."};
constexpr Parameter kAuthenticate{.name = "WWW-Authenticate",
                                  .text = "Basic; Bearer to a script of a page, so that no browser asks by itself."};

// Of the key, or of the event in front.
constexpr ShortList<const Parameter*, 8> kOfWhatIsThere{&kETagField,       &kEventIdField,     &kDeliveriesField,
                                                        &kEnqueuedAtField, &kCreateIndexField, &kModIndexField,
                                                        &kIndexField};

constexpr std::array kStatuses{
    StatusDoc{304, "It is as If-None-Match, or index, says.", kOfWhatIsThere},
    StatusDoc{307,
              "This node does not lead, and does not forward this (directive follower-writes): ask there.",
              {&kLocationField, &kOutcome}},
    StatusDoc{400, "The request makes no sense, or carries what is not known here.", {&kIndexField, &kOutcome}},
    StatusDoc{401, "The password is missing or wrong.", {&kAuthenticate, &kOutcome}},
    StatusDoc{403, "Not from that address, through that proxy, under that Host, or from that web page.", {&kOutcome}},
    StatusDoc{404, "It is not there.", {&kIndexField, &kOutcome}},
    StatusDoc{405, "GET may not write here: use POST.", {&kAllow, &kOutcome}},
    StatusDoc{406, "It cannot be shown in this form.", {&kIndexField}},
    StatusDoc{408, "The request took too long to arrive.", {&kOutcome}},
    StatusDoc{409, "It conflicts with what is there.", {&kIndexField, &kOutcome}},
    StatusDoc{410, "It was there, and is not kept any more.", {&kIndexField, &kOldestField}},
    StatusDoc{412, "The request's condition does not hold. With the ETag that is there.",
              kOfWhatIsThere + ShortList<const Parameter*, 8>{&kOutcome}},
    StatusDoc{413, "The body is larger than the directive http-max-body allows, or than this path takes.", {&kOutcome}},
    StatusDoc{414, "The request line is too long.", {&kOutcome}},
    StatusDoc{415, "The body's media type or coding is not taken here.", {&kOutcome}},
    StatusDoc{417, "Only 100-continue can be expected here.", {&kOutcome}},
    StatusDoc{422, "The idempotency key came before with another request.", {&kIndexField, &kOutcome}},
    StatusDoc{429, "Not now; perhaps later.", {&kRetryAfter, &kIndexField, &kOutcome}},
    StatusDoc{431, "The header is too large.", {&kOutcome}},
    StatusDoc{
        501, "The cluster's version does not have this yet: a member must be upgraded.", {&kIndexField, &kOutcome}},
    StatusDoc{503,
              "Not now: no leader in time, no state fresh enough, too much in progress, or shutting down.",
              {&kRetryAfter, &kOutcome}},
    StatusDoc{504, "No answer in time: it may still take effect, at most once.", {&kOutcome}},
    StatusDoc{505, "Only HTTP/1.0 and HTTP/1.1 are spoken here.", {&kOutcome}},
    StatusDoc{507, "There is no room for more data.", {&kOutcome}},
};

bool takes(const RouteSpec& row, const Parameter& parameter) {
  return find_parameter(row.inputs.query, parameter.name) == &parameter;
}

}  // namespace

std::string openapi_path(std::string_view pattern) {
  std::string path(pattern);
  if (const size_t dots = path.find("...}"); dots != std::string::npos) path.erase(dots, 3);
  return path;
}

const Parameter& path_parameter(std::string_view pattern, std::string_view name) {
  static constexpr Parameter kUnknown{.name = "?", .text = "?"};
  for (const PathParameter& one : kPathParameters)
    if (pattern.starts_with(one.path) && one.parameter.name == name) return one.parameter;
  return kUnknown;
}

std::vector<const Parameter*> request_fields_of(const RouteSpec& row) {
  std::vector<const Parameter*> fields(row.doc.fields.begin(), row.doc.fields.end());
  if (row.inputs.entity_tags) fields.push_back(&kIfMatch);
  if (row.inputs.not_entity_tags) fields.push_back(&kIfNoneMatch);
  if (row.inputs.idempotency) fields.push_back(&kIdempotencyKey);
  if (row.stream) fields.push_back(&kLastEventId);
  return fields;
}

std::span<const Parameter* const> header_parameters() { return kHeaderParameters; }

std::vector<const Parameter*> fields_of(const RouteSpec& row) {
  std::vector<const Parameter*> fields;
  if (row.verb == security::Verb::write || (takes(row, kConsistency) && !row.stream)) fields.push_back(&kIndexField);
  if (row.inputs.idempotency) fields.push_back(&kReplayed);
  if (takes(row, kMaxStaleness)) fields.push_back(&kLastContact);
  return fields;
}

std::span<const StatusDoc> status_docs() { return kStatuses; }

std::map<int, std::string_view> refusals_of(const RouteSpec& row, http::Method method) {
  std::map<int, std::string_view> all;
  for (const int status : {400, 408, 413, 414, 417, 431, 503, 505}) all[status];
  const auto add = [&](bool when, std::initializer_list<int> statuses) {
    for (const int status : statuses)
      if (when) all[status];
  };
  add(row.verb != security::Verb::open, {401});
  add(row.verb != security::Verb::open || row.guarded, {403});
  add(row.verb == security::Verb::write, {307});
  add(row.changes_state(), {501, 504});
  add(row.writes_by_get && method != http::Method::post, {405});
  add(row.inputs.reads_body(), {415});
  add(row.inputs.idempotency, {422});
  add(row.inputs.entity_tags, {412});
  add(!row.changes_state() && row.inputs.not_entity_tags, {304});
  for (const auto& [status, text] : row.doc.refusals) all[status] = text;
  return all;
}

}  // namespace wh::api
