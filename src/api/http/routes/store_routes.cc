#include "api/http/routes/store_routes.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>
#include <vector>

#include "api/http/formats/store_json.h"
#include "api/http/routes/queue_routes.h"
#include "config/option_values.h"
#include "http/entity_tag.h"
#include "http/json.h"

namespace wh::api {
namespace {

constexpr size_t kPagePieceBytes = size_t{32} << 10;

// About what an item takes, and at least what its JSON does.
size_t size_of(const machine::KeyItem& item) {
  constexpr size_t kNamesAndNumbers = 160;
  return kNamesAndNumbers + item.key.size() + item.value.size() + item.content_type.size();
}

// In one field.
constexpr size_t kMaxTags = 64;

// What If-Match or If-None-Match names.
struct Named {
  bool any = false;               // `*`
  std::vector<uint64_t> indexes;  // those of its tags that can match
};

OrRefusal<Named> read_named(std::string_view value, std::string_view field) {
  const auto not_tags = [&] { return malformed(std::string(field) + " takes * or entity tags, as ETag gives them"); };
  const auto tags = http::parse_entity_tags(value);
  if (!tags) return not_tags();
  if (tags->tags.size() > kMaxTags)
    return malformed(std::string(field) + " takes at most " + std::to_string(kMaxTags) + " entity tags");
  Named named{.any = tags->any, .indexes = {}};
  for (const http::EntityTag& tag : tags->tags) {
    const std::optional<uint64_t> index = config::parse_unsigned(tag.opaque);
    if (!index || *index == 0) return not_tags();
    if (!tag.weak || field == "If-None-Match") named.indexes.push_back(*index);
  }
  if (named.any || !named.indexes.empty()) return named;
  return malformed(std::string(field) +
                   " holds weak tags only, which match nothing: something on the way changed the ETag (nginx does "
                   "when it compresses)");
}

// Comparisons hold together, so they can say of a list "none of these", but not "one of these". The latter is the
// former, reversed, without the tags that If-None-Match excludes.
void add_compares(const std::optional<Named>& wanted, const std::optional<Named>& unwanted, const std::string& key,
                  machine::Transact& transact, bool& reversed) {
  const auto exists = [&](uint64_t number) {
    transact.compares.push_back({.target = machine::CompareTarget::exists, .name = key, .number = number});
  };
  const auto indexes = [&](machine::CompareOp op, const std::vector<uint64_t>& all) {
    for (const uint64_t one : all)
      transact.compares.push_back({.target = machine::CompareTarget::mod_index, .op = op, .name = key, .number = one});
  };
  if (wanted && !wanted->any) {
    std::vector<uint64_t> left = wanted->indexes;
    if (unwanted)
      std::erase_if(left, [&](uint64_t tag) {
        const std::vector<uint64_t>& without = unwanted->indexes;
        return unwanted->any || std::find(without.begin(), without.end(), tag) != without.end();
      });
    reversed = left.size() != 1;
    indexes(reversed ? machine::CompareOp::not_equal : machine::CompareOp::equal, left);
    return;
  }
  if (wanted) exists(1);
  if (unwanted && unwanted->any) exists(0);
  if (unwanted) indexes(machine::CompareOp::not_equal, unwanted->indexes);
}

}  // namespace

std::string tag_of(uint64_t mod_index) { return '"' + std::to_string(mod_index) + '"'; }

bool has_numbers(const RouteContext& context) { return context.api.node.machine().version() >= 4; }

http::Response no_numbers(const RouteContext& context, raft::Index index) {
  return refusal_response({.kind = RefusalKind::unsupported,
                           .sentence = context.api.node.below_version_text(machine::Transact::kTraits.since),
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
  if (state.if_match.empty() && state.if_none_match.empty()) return std::nullopt;
  if (!has_numbers(context)) return no_numbers(context, context.api.node.machine().applied());
  const std::string tag =
      shown.item == nullptr ? std::string() : std::to_string(context.api.node.machine().store().mod_index(*shown.item));
  if (!state.if_match.empty() && !http::if_match_holds(*http::parse_entity_tags(state.if_match), tag))
    return http::error_response(412, "the key has another value, or none");
  if (!state.if_none_match.empty() && !http::if_none_match_holds(*http::parse_entity_tags(state.if_none_match), tag))
    return empty_response(304);
  return std::nullopt;
}

void add_tag(http::Response& response, const RouteContext& context, const Value& shown) {
  if (shown.item != nullptr && has_numbers(context))
    response.headers.add("ETag", tag_of(context.api.node.machine().store().mod_index(*shown.item)));
}

http::Response with_tag(http::Response response, const RouteContext& context, const Value& shown) {
  add_tag(response, context, shown);
  return response;
}

http::Response no_such_key(raft::Index index) {
  return refusal_response({.kind = RefusalKind::not_found, .sentence = "there is no such key", .index = index}, false);
}

bool has_preconditions(const http::Request& request) {
  return request.header("If-Match") != nullptr || request.header("If-None-Match") != nullptr;
}

OrRefusal<RouteCall> change_of_key(const RouteRequest& request, const std::string& key, const machine::Op& op) {
  std::array<std::optional<Named>, 2> named;  // by If-Match, by If-None-Match
  for (size_t i = 0; i < named.size(); ++i) {
    const std::string_view field = i == 0 ? "If-Match" : "If-None-Match";
    const std::optional<std::string> value = http::joined_fields(request.http, field);
    if (!value) continue;
    OrRefusal<Named> read = read_named(*value, field);
    if (!read) return read.error();
    named[i] = *std::move(read);
  }
  RouteState state;
  machine::Transact transact;
  add_compares(named[0], named[1], key, transact, state.reversed);
  // Its refusal is an answer like others to the machine, which would keep it.
  if (state.reversed && request.http.header("Idempotency-Key") != nullptr)
    return malformed("with an Idempotency-Key, If-Match names one entity tag, and not one that If-None-Match excludes");
  auto [done, not_done] =
      state.reversed ? std::tie(transact.failure, transact.success) : std::tie(transact.success, transact.failure);
  done.push_back(op);
  if (named[0] || named[1]) {
    not_done.push_back(machine::GetKey{key, false});
    transact.must_hold = !state.reversed;
  }
  return RouteCall{Write{std::move(transact)}, std::move(state)};
}

bool held(const RouteState& state, const Answer& answer) {
  const auto& done = std::get<Transacted>(answer.body);
  return state.reversed ? !done.succeeded : done.held;
}

http::Response not_as_expected(const Answer& answer) {
  const auto& done = std::get<Transacted>(answer.body);
  const bool there = !done.results.empty() && !done.results[0].items.empty();
  http::Response response = refusal_response(
      {.kind = RefusalKind::precondition,
       .sentence = there ? "the key has another value: read it, and decide anew" : "there is no such key",
       .index = answer.index},
      true);
  if (there) response.headers.add("ETag", tag_of(done.results[0].items[0].mod_index));
  return response;
}

KeyPage::KeyPage(raft::Index index, std::vector<machine::KeyItem> items, bool with_values, Millis now)
    : items_(std::move(items)), with_values_(with_values), now_(now) {
  text_ = "{\"index\":" + std::to_string(index.value) + ",\"items\":[";
  for (const machine::KeyItem& item : items_) held_ += size_of(item);
}

void KeyPage::next(std::function<void(std::string piece)> ready) {
  for (; next_ != items_.size() && text_.size() < kPagePieceBytes; ++next_) {
    if (next_ + kPrefetchAhead < items_.size()) items_[next_ + kPrefetchAhead].value.prefetch();
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
