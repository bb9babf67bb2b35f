#include "sim/faults/fault_groups.h"

#include <algorithm>
#include <array>
#include <vector>

namespace wh::sim {
namespace {

struct Group {
  std::string_view name;
  std::string_view usual;  // an assignment
};
constexpr std::array kGroups = {
    Group{"crashes", "crash_every_ms=1000"},       Group{"pauses", "pause_every_ms=800"},
    Group{"partitions", "partition_every_ms=800"}, Group{"network", "duplicate_ppm=50000"},
    Group{"disks", "disk_stall_every_ms=1000"},    Group{"clocks", "clock_jump_every_ms=1000"},
    Group{"members", "churn_every_ms=700"},        Group{"transfers", "transfer_every_ms=700"},
};

// The group of options whose names begin so; the first match counts.
struct Prefix {
  std::string_view begins;
  std::string_view group;
};
constexpr std::array kOptionPrefixes = {
    Prefix{"crash_", "crashes"},
    Prefix{"power_cut", "crashes"},
    Prefix{"pause_", "pauses"},
    Prefix{"freeze_", "pauses"},
    Prefix{"partition_", "partitions"},
    Prefix{"depose_", "partitions"},
    Prefix{"strand_", "partitions"},
    Prefix{"flap_", "partitions"},
    Prefix{"cut_transfer", "network"},
    Prefix{"cut_", "partitions"},
    Prefix{"strike_after", "partitions"},
    Prefix{"loss_", "network"},
    Prefix{"duplicate_", "network"},
    Prefix{"reorder_", "network"},
    Prefix{"echo_", "network"},
    Prefix{"clog_", "network"},
    Prefix{"hold_", "network"},
    Prefix{"break_", "network"},
    Prefix{"corrupt_", "disks"},
    Prefix{"disk_", "disks"},
    Prefix{"wipe_", "disks"},
    Prefix{"fail_", "disks"},
    Prefix{"damage_", "disks"},
    Prefix{"put_back_", "disks"},
    Prefix{"clock_", "clocks"},
    Prefix{"churn_", "members"},
    Prefix{"upgrade_", "members"},
    Prefix{"remove_", "members"},
    Prefix{"split_in_change", "members"},
    Prefix{"snapshot_in_change", "members"},
    Prefix{"snapshot_now", "disks"},
    Prefix{"change_at_", "members"},
    Prefix{"garbage_", "network"},
    Prefix{"stray_", "network"},
    Prefix{"wild_", "network"},
    Prefix{"lie_", "members"},
    Prefix{"write_before_adopt", "members"},
    Prefix{"transfer_", "transfers"},
    Prefix{"strike_in_transfer", "transfers"},
};

}  // namespace

std::string fault_group_names() {
  std::string out;
  for (const Group& group : kGroups) out.append(out.empty() ? "" : ", ").append(group.name);
  return out;
}

std::string_view fault_group(std::string_view option) {
  bool fault = false;
  const Options any;
  each_option(any, [&](std::string_view name, uint64_t, OptionKind kind) {
    fault |= name == option && kind >= OptionKind::flaw;
  });
  if (!fault) return {};
  for (const Prefix& prefix : kOptionPrefixes)
    if (option.starts_with(prefix.begins)) return prefix.group;
  return {};
}

Status choose_faults(Options& options, std::string_view list) {
  if (list == "all") return ok_status();
  std::vector<std::string_view> wanted;
  for (std::string_view rest = list; list != "none";) {
    const size_t comma = rest.find(',');
    const std::string_view name = rest.substr(0, comma);
    if (std::none_of(kGroups.begin(), kGroups.end(), [&](const Group& group) { return group.name == name; }))
      return Error{"no such faults: \"" + std::string(name) + "\"; there are " + fault_group_names() +
                   ", all and none"};
    wanted.push_back(name);
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  std::vector<std::string_view> drawn;
  each_option(options, [&](std::string_view name, auto& value, OptionKind kind) {
    if (kind < OptionKind::flaw || value == 0) return;
    const std::string_view group = fault_group(name);
    if (std::find(wanted.begin(), wanted.end(), group) == wanted.end()) {
      value = 0;
    } else {
      drawn.push_back(group);
    }
  });
  for (const Group& group : kGroups)
    if (std::find(wanted.begin(), wanted.end(), group.name) != wanted.end() &&
        std::find(drawn.begin(), drawn.end(), group.name) == drawn.end())
      WH_ASSERT(set_option(options, group.usual).ok(), "the usual fault of a group is an option");
  return ok_status();
}

}  // namespace wh::sim
