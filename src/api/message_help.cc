#include "api/message_help.h"

#include <cstddef>
#include <optional>

namespace wh::api {
namespace {

constexpr std::string_view kAnything = "...";

// How many bytes of the line the message fixes; nothing where it does not fit. The line may go on behind the message.
std::optional<size_t> fixed_bytes(std::string_view message, std::string_view line) {
  size_t fixed = 0;
  bool anywhere = false;
  while (!message.empty()) {
    const size_t end = message.find(kAnything);
    const std::string_view part = message.substr(0, end);
    if (!anywhere && !line.starts_with(part)) return std::nullopt;  // most rows end here, at little cost
    const size_t at = anywhere ? line.find(part) : 0;
    if (at == std::string_view::npos) return std::nullopt;
    line.remove_prefix(at + part.size());
    fixed += part.size();
    anywhere = true;
    message = end == std::string_view::npos ? std::string_view() : message.substr(end + kAnything.size());
  }
  return fixed;
}

}  // namespace

const MessageRow* help_for(std::string_view line) {
  const MessageRow* best = nullptr;
  size_t most = 0;
  for (const MessageRow& row : message_rows()) {
    const std::optional<size_t> fixed = fixed_bytes(row.message, line);
    if (!fixed || *fixed <= most) continue;
    best = &row;
    most = *fixed;
  }
  return best;
}

}  // namespace wh::api
