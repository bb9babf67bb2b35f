#include "api/debug/job_id.h"

#include <charconv>
#include <cstdint>

namespace wh::api {
namespace {

constexpr std::string_view kPrefix = "D-";
constexpr uint64_t kIds = uint64_t{1} << 53;

// The number before the next dash, which is taken off too.
std::optional<uint64_t> take_number(std::string_view& text) {
  uint64_t number = 0;
  const size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + dash, number);
  if (error != std::errc() || end != text.data() + dash || number >= kIds) return std::nullopt;
  text.remove_prefix(dash + 1);
  return number;
}

}  // namespace

std::string format_job_id(const machine::Receipt& receipt, std::string_view queue) {
  std::string text(kPrefix);
  text += std::to_string(receipt.id) + "-" + std::to_string(receipt.delivery) + "-";
  return text.append(queue);
}

std::optional<JobId> parse_job_id(std::string_view text) {
  if (!text.starts_with(kPrefix)) return std::nullopt;
  std::string_view rest = text.substr(kPrefix.size());
  const auto id = take_number(rest);
  const auto delivery = id ? take_number(rest) : std::nullopt;
  if (!delivery || *id == 0 || !machine::is_queue_name_size(rest) || !machine::is_path_name(rest)) return std::nullopt;
  JobId job{{*id, *delivery}, rest};
  // No second spelling, such as leading zeros.
  return format_job_id(job.receipt, job.queue) == text ? std::optional(job) : std::nullopt;
}

}  // namespace wh::api
