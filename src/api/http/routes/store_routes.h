// What the routes of keys share: preconditions by entity tag, which are an item's mod_index, changes of one key under
// them, and pages of keys.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/http/routes.h"
#include "http/response.h"
#include "machine/command/reply.h"
#include "machine/command/transaction.h"

namespace wh::api {

// As ETag has it, with quotes.
[[nodiscard]] std::string tag_of(uint64_t mod_index);
// Whether items have numbers that all nodes agree on: as of version 4 of the cluster.
[[nodiscard]] bool has_numbers(const RouteContext& context);

// 501: below that version.
[[nodiscard]] http::Response no_numbers(const RouteContext& context, raft::Index index);

// A read of this key under the request's preconditions.
OrRefusal<RouteCall> read_of_key(RouteRequest& request, const std::string& key);
// 412 or 304 by them; nothing: it is shown.
[[nodiscard]] std::optional<http::Response> by_entity_tags(const RouteContext& context, const RouteState& state,
                                                           const Value& shown);
// Adds the item's tag to what is shown of it.
void add_tag(http::Response& response, const RouteContext& context, const Value& shown);
[[nodiscard]] http::Response with_tag(http::Response response, const RouteContext& context, const Value& shown);
// 404.
[[nodiscard]] http::Response no_such_key(raft::Index index);

// Whether the request has any.
[[nodiscard]] bool has_preconditions(const http::Request& request);
// `op`, if the request's preconditions hold for this key: held() tells. The operation holds views of the request.
OrRefusal<RouteCall> change_of_key(const RouteRequest& request, const std::string& key, const machine::Op& op);
[[nodiscard]] bool held(const RouteState& state, const Answer& answer);
// 412, with the tag of what is there.
[[nodiscard]] http::Response not_as_expected(const Answer& answer);

// How far ahead of where a page is made its values are asked for.
inline constexpr size_t kPrefetchAhead = 16;

// A page of keys, `{"index","items"}`. It keeps the items as they were at that index, and makes the JSON of them in
// pieces, so that no turn makes all of a page.
class KeyPage final : public http::BodySource {
 public:
  // `now`: cluster time.
  KeyPage(raft::Index index, std::vector<machine::KeyItem> items, bool with_values, Millis now);
  [[nodiscard]] std::optional<uint64_t> size() const override { return std::nullopt; }
  [[nodiscard]] size_t held_bytes() const override { return held_; }
  void next(std::function<void(std::string piece)> ready) override;

 private:
  std::vector<machine::KeyItem> items_;
  const bool with_values_;
  const Millis now_;
  size_t next_ = 0;
  bool ended_ = false;
  size_t held_ = 0;
  std::string text_;  // made, and not given yet
};

}  // namespace wh::api
