#include "api/http/receipts.h"

#include <cstdio>

#include "base/hash.h"
#include "config/option_values.h"

namespace wh::api {

// ID-DELIVERY.CHECK: no second '-', so that a shell cuts the id off with ${receipt%-*}.
std::string format_receipt(const machine::Receipt& receipt, std::string_view queue) {
  const uint64_t check = mix64(mix64(hash64(queue), receipt.id), receipt.delivery) & 0xffffffff;
  char hex[9];
  (void)std::snprintf(hex, sizeof hex, "%08llx", static_cast<unsigned long long>(check));
  return std::to_string(receipt.id) + "-" + std::to_string(receipt.delivery) + "." + hex;
}

std::optional<machine::Receipt> parse_receipt(std::string_view text, std::string_view queue, uint64_t id) {
  const size_t dash = text.find('-');
  const size_t dot = text.find('.');
  if (dash == std::string_view::npos || dot == std::string_view::npos || dot < dash) return std::nullopt;
  const auto event = parse_event_id(text.substr(0, dash));
  const auto delivery = config::parse_unsigned(text.substr(dash + 1, dot - dash - 1));
  if (!event || *event != id || !delivery || *delivery == 0) return std::nullopt;
  const machine::Receipt receipt{*event, *delivery};
  return format_receipt(receipt, queue) == text ? std::optional(receipt) : std::nullopt;
}

std::optional<uint64_t> parse_event_id(std::string_view text) {
  const auto id = config::parse_unsigned(text);
  return id && *id != 0 && *id < uint64_t{1} << 53 ? id : std::nullopt;
}

}  // namespace wh::api
