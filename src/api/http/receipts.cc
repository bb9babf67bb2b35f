#include "api/http/receipts.h"

#include "config/option_values.h"

namespace wh::api {

std::string format_receipt(const machine::Receipt& receipt) {
  return std::to_string(receipt.id) + "-" + std::to_string(receipt.delivery);
}

std::optional<machine::Receipt> parse_receipt(std::string_view text, uint64_t id) {
  const size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto event = parse_event_id(text.substr(0, dash));
  const auto delivery = config::parse_unsigned(text.substr(dash + 1));
  if (!event || *event != id || !delivery || *delivery == 0) return std::nullopt;
  return machine::Receipt{*event, *delivery};
}

std::optional<uint64_t> parse_event_id(std::string_view text) {
  const auto id = config::parse_unsigned(text);
  return id && *id != 0 && *id < uint64_t{1} << 53 ? id : std::nullopt;
}

}  // namespace wh::api
