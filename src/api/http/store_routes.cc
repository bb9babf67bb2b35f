#include "api/http/store_routes.h"

#include <utility>

#include "api/http/queue_routes.h"
#include "api/http/store_json.h"
#include "config/option_values.h"
#include "http/entity_tag.h"
#include "http/json.h"

namespace wh::api {
namespace {

constexpr size_t kPieceBytes = size_t{32} << 10;

// About what an item takes, and at least what its JSON does.
size_t size_of(const machine::KeyItem& item) {
  constexpr size_t kNamesAndNumbers = 160;
  return kNamesAndNumbers + item.key.size() + item.value.size() + item.content_type.size();
}

// What a field says of the key: one tag, or `*`.
std::optional<Refusal> add_compare(const http::Request& request, std::string_view field, const std::string& key,
                                   std::vector<machine::Compare>& compares) {
  const std::optional<std::string> value = http::joined_fields(request, field);
  if (!value) return std::nullopt;
  const bool wanted = field == "If-Match";
  const auto tags = http::parse_entity_tags(*value);
  const std::string name(field);
  if (tags && tags->any) {
    compares.push_back({.target = machine::CompareTarget::exists, .name = key, .number = wanted ? 1U : 0U});
    return std::nullopt;
  }
  if (!tags || tags->tags.size() != 1) return malformed(name + " takes * or one entity tag, as ETag gives it");
  if (tags->tags[0].weak && wanted)
    return malformed(name +
                     " holds a weak tag, which matches nothing: something on the way changed the ETag (nginx does when "
                     "it compresses)");
  const std::optional<uint64_t> index = config::parse_unsigned(tags->tags[0].opaque);
  if (!index || *index == 0) return malformed(name + " takes * or one entity tag, as ETag gives it");
  compares.push_back({.target = machine::CompareTarget::mod_index,
                      .op = wanted ? machine::CompareOp::equal : machine::CompareOp::not_equal,
                      .name = key,
                      .number = *index});
  return std::nullopt;
}

}  // namespace

std::string tag_of(uint64_t mod_index) { return '"' + std::to_string(mod_index) + '"'; }

bool has_numbers(const RouteContext& context) { return context.api.node.machine().version() >= 4; }

http::Response no_numbers(raft::Index index) {
  return refusal_response({.kind = RefusalKind::unsupported,
                           .sentence = "below version 4 of the cluster keys have no indexes: upgrade all members",
                           .index = index},
                          false);
}

OrRefusal<RouteCall> read_of_key(RouteRequest& request, const std::string& key) {
  RouteCall call{Read{GetKey{key}}};
  if (auto refusal = read_entity_tags(request.http, call.state)) return std::move(*refusal);
  return call;
}

// In the order of RFC 9110 13.2.2.
std::optional<http::Response> by_entity_tags(const RouteContext& context, const RouteState& state, const Value& shown) {
  const bool conditional = !state.if_match.empty() || !state.if_none_match.empty();
  if (conditional && !has_numbers(context)) return no_numbers(context.api.node.machine().applied());
  const bool has_tag = shown.item != nullptr && has_numbers(context);
  const std::string tag =
      has_tag ? std::to_string(context.api.node.machine().store().mod_index(*shown.item)) : std::string();
  if (!state.if_match.empty() && !http::if_match_holds(*http::parse_entity_tags(state.if_match), tag))
    return http::error_response(412, "the key has another value, or none");
  if (!state.if_none_match.empty() && !http::if_none_match_holds(*http::parse_entity_tags(state.if_none_match), tag))
    return empty_response(304);
  return std::nullopt;
}

http::Response with_tag(http::Response response, const RouteContext& context, const Value& shown) {
  if (shown.item != nullptr && has_numbers(context))
    response.headers.push_back({"ETag", tag_of(context.api.node.machine().store().mod_index(*shown.item))});
  return response;
}

http::Response no_such_key(raft::Index index) {
  return refusal_response({.kind = RefusalKind::not_found, .sentence = "there is no such key", .index = index}, false);
}

bool has_preconditions(const http::Request& request) {
  return request.header("If-Match") != nullptr || request.header("If-None-Match") != nullptr;
}

OrRefusal<RouteCall> change_of_key(const RouteRequest& request, const std::string& key, const machine::Op& op) {
  machine::Transact transact;
  for (const std::string_view field : {"If-Match", "If-None-Match"})
    if (auto refusal = add_compare(request.http, field, key, transact.compares)) return std::move(*refusal);
  transact.success.push_back(op);
  if (!transact.compares.empty()) {
    transact.failure.push_back(machine::GetKey{key, false});
    transact.must_hold = true;
  }
  return RouteCall{Write{std::move(transact)}};
}

http::Response not_as_expected(const Answer& answer) {
  const auto& done = std::get<Transacted>(answer.body);
  const bool there = !done.results.empty() && !done.results[0].items.empty();
  http::Response response = refusal_response(
      {.kind = RefusalKind::precondition,
       .sentence = there ? "the key has another value: read it, and decide anew" : "there is no such key",
       .index = answer.index},
      true);
  if (there) response.headers.push_back({"ETag", tag_of(done.results[0].items[0].mod_index)});
  return response;
}

KeyPage::KeyPage(raft::Index index, std::vector<machine::KeyItem> items, bool with_values, Millis now)
    : items_(std::move(items)), with_values_(with_values), now_(now) {
  text_ = "{\"index\":" + std::to_string(index.value) + ",\"items\":[";
  for (const machine::KeyItem& item : items_) held_ += size_of(item);
}

void KeyPage::next(std::function<void(std::string piece)> ready) {
  for (; next_ != items_.size() && text_.size() < kPieceBytes; ++next_) {
    machine::KeyItem& item = items_[next_];
    http::JsonWriter json;
    write_item(json, item, with_values_, now_);
    if (next_ != 0) text_ += ',';
    text_ += json.take();
    held_ -= size_of(item);
    item = {};
  }
  if (next_ == items_.size() && !std::exchange(ended_, true)) text_ += "]}\n";
  ready(std::exchange(text_, {}));
}

}  // namespace wh::api
